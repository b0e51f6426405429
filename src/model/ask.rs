//! A person at a terminal.

/// Who can be asked; implemented by whoever owns the terminal.
pub trait Ask: Send + Sync {
    /// Shows the question and reads a line. True if it is what was expected.
    fn confirm(&self, question: &str, expected: &str) -> bool;
}
