//! Flags as typed, wiring, exit.
