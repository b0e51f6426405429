//! Reads YAML as kubectl does, finds places in it, prints it.
