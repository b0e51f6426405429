//! The thread that writes, and how the others reach it.

use std::{
    io::BufRead,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel},
    },
    thread::JoinHandle,
    time::Duration,
};

use jiff::Timestamp;

use super::Reporter;
use crate::model::{Ask, BuildEvent, Event, LayerState, Outcome, PushEvent, Stamped, Stop};

/// Events that may wait for a slow terminal before those who tell them do.
const WAITING: usize = 4096;
/// How often the live view moves on by itself.
const TICK: Duration = Duration::from_millis(100);

enum Message {
    Event(Box<Stamped>),
    Resumed,
    Question(String),
    /// The question is answered, or nobody waits for it any more.
    Answered,
    Finish(Box<Outcome>),
}

/// A running report.
pub(crate) struct Report {
    sender: SyncSender<Message>,
    heard: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

/// Tells a report what happens; clones tell the same one.
#[derive(Clone)]
pub(crate) struct Teller {
    sender: SyncSender<Message>,
    heard: Arc<AtomicBool>,
}

impl Report {
    /// Starts the thread that writes. Fails where the system has no thread to give.
    pub(crate) fn start(reporter: Box<dyn Reporter>) -> std::io::Result<Self> {
        let (sender, receiver) = sync_channel(WAITING);
        let heard = Arc::new(AtomicBool::new(true));
        let notes = Arc::clone(&heard);
        let work = move || run(reporter, &receiver, &notes);
        let thread = std::thread::Builder::new().name("report".to_owned()).spawn(work)?;
        Ok(Self { sender, heard, thread })
    }

    pub(crate) fn teller(&self) -> Teller {
        Teller { sender: self.sender.clone(), heard: Arc::clone(&self.heard) }
    }

    /// The last word; returns once all is written.
    pub(crate) fn finish(self, outcome: Outcome) {
        // the thread is gone only after a panic, which has been told
        let _ = self.sender.send(Message::Finish(Box::new(outcome)));
        let _ = self.thread.join();
    }
}

impl Teller {
    /// False once nobody reads any more what is told.
    pub(crate) fn is_heard(&self) -> bool {
        self.heard.load(Ordering::Relaxed)
    }

    /// The run was stopped by its terminal, and goes on.
    pub(crate) fn resumed(&self) {
        // the thread is gone only after the last word
        let _ = self.sender.send(Message::Resumed);
    }

    /// Never waits for what is only progress: a terminal that stands still must not hold up a deploy.
    pub(crate) fn tell(&self, stamped: Stamped) {
        match self.sender.try_send(Message::Event(Box::new(stamped))) {
            Ok(()) | Err(TrySendError::Disconnected(_)) => {}
            Err(TrySendError::Full(Message::Event(stamped))) if is_progress(&stamped.event) => {}
            Err(TrySendError::Full(message)) => {
                let _ = self.sender.send(message);
            }
        }
    }
}

fn is_progress(event: &Event) -> bool {
    matches!(
        event,
        Event::Build(BuildEvent::Context { .. } | BuildEvent::Log { .. })
            | Event::Push(PushEvent::Layer { state: LayerState::Pushing, .. })
    )
}

fn run(mut reporter: Box<dyn Reporter>, receiver: &Receiver<Message>, heard: &AtomicBool) {
    let mut asking = false;
    // events while a question stands on the screen
    let mut held: Vec<Stamped> = Vec::new();
    loop {
        heard.store(reporter.is_heard(), Ordering::Relaxed);
        match receiver.recv_timeout(TICK) {
            Ok(Message::Event(stamped)) if asking => held.push(*stamped),
            Ok(Message::Event(stamped)) => reporter.on(&stamped),
            Ok(Message::Resumed) => reporter.resumed(),
            Ok(Message::Question(question)) => {
                reporter.ask(&question);
                asking = true;
            }
            Ok(Message::Answered) => {
                asking = false;
                held.drain(..).for_each(|stamped| reporter.on(&stamped));
            }
            Ok(Message::Finish(outcome)) => {
                held.drain(..).for_each(|stamped| reporter.on(&stamped));
                reporter.tick(Timestamp::now());
                reporter.finish(&outcome);
                return;
            }
            Err(RecvTimeoutError::Timeout) if asking => {}
            Err(RecvTimeoutError::Timeout) => reporter.tick(Timestamp::now()),
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

/// Asks at the terminal, through the report, so that nothing is drawn over the question.
pub(crate) struct Terminal {
    teller: Teller,
    stop: Stop,
}

impl Terminal {
    pub(crate) fn new(teller: Teller, stop: Stop) -> Self {
        Self { teller, stop }
    }
}

impl Ask for Terminal {
    fn confirm(&self, question: &str, expected: &str) -> bool {
        let prompt = format!("{question} (type `{expected}` to go on):");
        if self.teller.sender.send(Message::Question(prompt)).is_err() {
            return false;
        }
        let typed = read_line(&self.stop);
        let _ = self.teller.sender.send(Message::Answered);
        typed.is_some_and(|typed| typed.trim() == expected)
    }
}

/// A line of standard input; none where the run is stopped first. Reading cannot be cancelled, so the thread that reads
/// is left behind.
fn read_line(stop: &Stop) -> Option<String> {
    let (sender, receiver) = sync_channel(1);
    let read = move || {
        let mut line = String::new();
        let read = std::io::stdin().lock().read_line(&mut line);
        let _ = sender.send(read.ok().map(|_| line));
    };
    std::thread::Builder::new().name("stdin".to_owned()).spawn(read).ok()?;
    loop {
        match receiver.recv_timeout(TICK) {
            Ok(line) => return line,
            Err(RecvTimeoutError::Timeout) if stop.is_set() => return None,
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return None,
        }
    }
}
