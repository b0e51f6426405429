//! Decides: which target, whether to go on, what changes, whether to switch.
