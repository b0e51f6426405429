//! Whose turn it is on the bench: stories side by side, or one alone.
//!
//! Between processes a file is locked, shared or not. Within one, stories are counted: the last that ends hands the bench
//! to one that waits to have it alone, which therefore needs no moment in which nobody begins. Nobody who waits keeps
//! others from beginning, so a story may take several shares.

use std::{
    fs::File,
    path::PathBuf,
    sync::{Condvar, LazyLock, Mutex, MutexGuard, PoisonError},
    thread::ThreadId,
};

pub static TURNS: LazyLock<Turns> = LazyLock::new(|| Turns::new(std::env::temp_dir().join("shipway-stories.lock")));

pub struct Turns {
    path: PathBuf,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    shares: usize,
    is_alone: bool,
    /// The bench is one's who waits to be alone, and has not noticed yet.
    is_handed_over: bool,
    waiting: usize,
    /// What the one who is alone begins needs no turn.
    owner: Option<ThreadId>,
    /// Locked while anybody here uses the bench.
    file: Option<File>,
}

/// One of those who use the bench side by side.
pub struct Share<'t> {
    of: &'t Turns,
    counts: bool,
}

/// The only one who uses it.
pub struct Alone<'t>(&'t Turns);

impl Turns {
    fn new(path: PathBuf) -> Self {
        Self { path, state: Mutex::default(), changed: Condvar::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // a story that failed has broken nothing here
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'s>(&self, state: MutexGuard<'s, State>) -> MutexGuard<'s, State> {
        self.changed.wait(state).unwrap_or_else(PoisonError::into_inner)
    }

    fn file(&self) -> File {
        File::create(&self.path).expect("a lock file")
    }

    pub fn share(&self) -> Share<'_> {
        let mut state = self.state();
        if state.owner == Some(std::thread::current().id()) {
            return Share { of: self, counts: false };
        }
        while state.is_alone {
            state = self.wait(state);
        }
        if state.shares == 0 {
            let file = self.file();
            file.lock_shared().expect("a lock on the bench");
            state.file = Some(file);
        }
        state.shares += 1;
        Share { of: self, counts: true }
    }

    pub fn alone(&self) -> Alone<'_> {
        let mut state = self.state();
        state.waiting += 1;
        while !state.is_handed_over && (state.is_alone || state.shares > 0) {
            state = self.wait(state);
        }
        state.waiting -= 1;
        (state.is_alone, state.is_handed_over) = (true, false);
        state.owner = Some(std::thread::current().id());
        let file = self.file();
        file.lock().expect("the bench alone");
        state.file = Some(file);
        Alone(self)
    }

    /// Nobody here uses the bench any more: the next has it.
    fn pass_on(&self, mut state: MutexGuard<'_, State>) {
        state.file = None;
        state.owner = None;
        (state.is_alone, state.is_handed_over) = (state.waiting > 0, state.waiting > 0);
        self.changed.notify_all();
    }
}

impl Drop for Share<'_> {
    fn drop(&mut self) {
        let mut state = self.of.state();
        state.shares -= usize::from(self.counts);
        if self.counts && state.shares == 0 {
            self.of.pass_on(state);
        }
    }
}

impl Drop for Alone<'_> {
    fn drop(&mut self) {
        self.0.pass_on(self.0.state());
    }
}

#[test]
fn who_waits_to_be_alone_gets_the_bench_from_the_last_who_shares_it() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let turns = Turns::new(folder.path().join("lock"));
    let told = Mutex::new(Vec::new());
    let tell = |text: &'static str| told.lock().expect("what was told").push(text);
    std::thread::scope(|scope| {
        let (one, other) = (turns.share(), turns.share());
        scope.spawn(|| {
            let alone = turns.alone();
            tell("alone");
            let own = turns.share();
            drop(own);
            tell("still alone");
            drop(alone);
        });
        while turns.state().waiting == 0 {
            std::thread::yield_now();
        }
        // to begin is still possible, and needed: the first two may be one story's
        let third = turns.share();
        drop((one, other));
        tell("shared");
        drop(third);
        drop(turns.share());
        tell("shared again");
    });
    assert_eq!(*told.lock().expect("what was told"), ["shared", "alone", "still alone", "shared again"]);
}
