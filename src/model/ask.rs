//! A person at a terminal.

/// Whoever can be asked; there is none without a terminal.
pub trait Ask: Send + Sync {
    /// Waits until something is typed: true where it was `expected`, false for anything else and where the run was
    /// stopped meanwhile. Blocks: not for an async worker.
    fn confirm(&self, question: &str, expected: &str) -> bool;
}
