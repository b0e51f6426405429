//! Bounded reads, standard input, atomic writes.
