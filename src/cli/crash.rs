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
