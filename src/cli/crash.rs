//! A bug in shipway is told without secrets, and exits 1.

use crate::{
    model::{Exit, Redactor},
    report,
};

/// Panics on any thread end the process: no rule of a deploy rests on unwinding, and the distributed binary does not
/// unwind.
pub(super) fn install(redactor: Redactor) {
    std::panic::set_hook(Box::new(move |panic| {
        let at = panic.location().map_or_else(String::new, |at| format!(" ({}:{})", at.file(), at.line()));
        let message = panic.payload_as_str().unwrap_or("a panic without a text");
        let text = format!(
            "error[bug]: {message}{at}\n\n  hint: this is a bug in shipway {}: please report it with the line above",
            env!("CARGO_PKG_VERSION"),
        );
        report::emergency(&text, &redactor);
        leave(Exit::Bug);
    }));
}

/// Ends the process at once, whatever other threads do.
#[expect(clippy::disallowed_methods, reason = "after a panic or a second interrupt nothing returns to main")]
pub(super) fn leave(exit: Exit) -> ! {
    std::process::exit(i32::from(exit.code()))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    const CHILD: &str = "SHIPWAY_TEST_OF_A_PANIC";

    /// The test starts itself: the child installs the hook and panics on a thread, with what it has learnt to be a secret.
    #[test]
    #[expect(clippy::disallowed_methods, reason = "the child is told by a variable that it is one")]
    fn a_panic_is_told_without_secrets_and_ends_the_process() {
        if std::env::var_os(CHILD).is_some() {
            let redactor = Redactor::default();
            redactor.learn("correct-horse");
            install(redactor);
            let panicking = std::thread::spawn(|| panic!("no login with correct-horse\u{1b}[2J"));
            let _ = panicking.join();
            unreachable!("the process has ended");
        }
        let (_, module) = module_path!().split_once("::").unwrap();
        let name = format!("{module}::a_panic_is_told_without_secrets_and_ends_the_process");
        let mut child = Command::new(std::env::current_exe().unwrap());
        let output = child.args(["--exact", &name, "--nocapture"]).env(CHILD, "").output().unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(i32::from(Exit::Bug.code())), "{told}");
        assert!(told.contains("error[bug]: no login with ***") && told.contains("please report it"), "{told}");
        assert!(!told.contains("correct-horse") && !told.contains('\u{1b}'), "{told}");
    }
}
