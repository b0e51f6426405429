//! SIGINT and SIGTERM: the first stops cleanly, the second at once. SIGCONT, after Ctrl-Z and `fg`, lets the report draw
//! anew.

use std::sync::Arc;

use rustix::process::Signal as Number;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::crash;
use crate::{
    model::{Exit, Listener, Note, Redactor, Stop},
    report::{self, Teller},
};

/// Tells the report whenever the run goes on after it was stopped. Fails where the system lets nobody listen; called within
/// the runtime.
pub(super) fn tell_resumed(teller: Teller) -> std::io::Result<()> {
    // tokio names no kind for it
    let mut resume = signal(SignalKind::from_raw(Number::CONT.as_raw()))?;
    tokio::spawn(async move {
        while resume.recv().await.is_some() {
            teller.resumed();
        }
    });
    Ok(())
}

/// Listens from now on; what the first signal does is told to the listener. Fails where the system lets nobody listen; called within the runtime.
pub(super) fn listen(stop: Stop, listener: Option<Arc<dyn Listener>>, redactor: Redactor) -> std::io::Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::spawn(async move {
        next(&mut interrupt, &mut terminate).await;
        stop.set();
        let text = "stopping: no new write starts, what is under way is ended; once more leaves at once";
        listener.iter().for_each(|listener| listener.on(Note::attention("stop", text).into()));
        next(&mut interrupt, &mut terminate).await;
        report::emergency("interrupted (exit 130): left at once, what was under way may or may not be done", &redactor);
        crash::leave(Exit::Interrupted);
    });
    Ok(())
}

async fn next(interrupt: &mut Signal, terminate: &mut Signal) {
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}
