//! Git and CI facts as data.
