//! What the users do: arrivals, journeys and data sets, all from one seed; no clock, no sockets.
