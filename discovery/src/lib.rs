//! Who is where: the registry with its leases and watches, and the client that outlives it.
