//! How calls travel: carriers, the layer stack of an edge, the accept loop and the connection pool.
