//! What every verb is given.

use std::{path::PathBuf, sync::Arc};

use crate::{
    config::Flags,
    model::{Ask, Event, Listener, Redactor, Stop, Variables},
};

/// One run's surroundings, made by the front door.
#[derive(Clone)]
pub(crate) struct Context {
    /// Where the run was started, or `--directory`.
    pub(crate) directory: PathBuf,
    /// `--config`
    pub(crate) config: Option<PathBuf>,
    pub(crate) flags: Flags,
    pub(crate) variables: Variables,
    pub(crate) listener: Arc<dyn Listener>,
    pub(crate) redactor: Redactor,
    pub(crate) stop: Stop,
    /// A person at a terminal, where there is one.
    pub(crate) ask: Option<Arc<dyn Ask>>,
}

impl Context {
    pub(super) fn tell(&self, event: impl Into<Event>) {
        self.listener.on(event.into());
    }

    /// The same, with nobody to tell.
    pub(super) fn unheard(&self) -> Self {
        Self { listener: Arc::new(Unheard), ..self.clone() }
    }
}

struct Unheard;

impl Listener for Unheard {
    fn on(&self, _: Event) {}
}
