//! Text, flags and variables become settings, each with its origin.
