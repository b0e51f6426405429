//! The reducer: what is seen becomes verdicts.
