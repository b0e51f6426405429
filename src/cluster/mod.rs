//! The API server: connect, survey, rehearse, apply, watch, lease, records, traffic.
