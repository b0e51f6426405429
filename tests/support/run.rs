//! One run of the real binary, sealed: it sees only the variables that the test gives it.

use std::{
    fmt::Write as _,
    io::Read,
    path::Path,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    thread::JoinHandle,
    time::{Duration, Instant},
};

/// No story takes longer; a run that does is killed and told.
const LONGEST: Duration = Duration::from_secs(180);

/// How a run ended.
pub struct Run {
    pub arguments: String,
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
    pub seconds: f64,
    /// The most memory it held, in kB (`VmHWM`); what it took in its last 5 ms is not seen.
    pub peak: u64,
    /// Seconds of a processor's time, but for its last 5 ms.
    pub work: f64,
    /// How much of stdout there was at each moment.
    arrivals: Vec<(usize, Instant)>,
}

impl Run {
    /// The run itself, if it ended so; else a panic with all it said.
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{}", self.transcript());
        self
    }

    /// Everything it said, for messages.
    pub fn transcript(&self) -> String {
        let mut text = format!("$ shipway {}\n", self.arguments);
        let _ = write!(
            text,
            "exit {} after {:.1} s\n--- stdout\n{}\n--- stderr\n{}",
            self.code, self.seconds, self.stdout, self.stderr
        );
        text
    }

    pub fn says(&self, text: &str) -> &Self {
        assert!(
            self.stderr.contains(text) || self.stdout.contains(text),
            "does not say {text:?}\n{}",
            self.transcript()
        );
        self
    }

    /// The verdict came before so many seconds.
    pub fn within(&self, seconds: f64) -> &Self {
        assert!(self.seconds < seconds, "wanted within {seconds} s\n{}", self.transcript());
        self
    }

    /// It took at least and less than so many seconds.
    pub fn took(&self, from: f64, to: f64) -> &Self {
        assert!((from..to).contains(&self.seconds), "not within {from} and {to} s\n{}", self.transcript());
        self
    }

    pub fn never_says(&self, text: &str) -> &Self {
        assert!(!self.stderr.contains(text) && !self.stdout.contains(text), "says {text:?}\n{}", self.transcript());
        self
    }

    /// The events of a run with `--output json`.
    pub fn events(&self) -> Vec<serde_json::Value> {
        let parse = |line: &str| {
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}\n{}", self.transcript()))
        };
        self.stdout.lines().map(parse).collect()
    }

    /// The same, each with the moment at which its line was there to be read.
    pub fn arrivals(&self) -> Vec<(Instant, serde_json::Value)> {
        let mut read = 0;
        let ends = self.stdout.split_inclusive('\n').map(|line| {
            read += line.len();
            self.arrivals.iter().find(|(until, _)| *until >= read).expect("what was read has come").1
        });
        ends.collect::<Vec<_>>().into_iter().zip(self.events()).collect()
    }

    /// The last event: the outcome.
    pub fn outcome(&self) -> serde_json::Value {
        let last = self.events().pop().unwrap_or_else(|| panic!("no event\n{}", self.transcript()));
        assert_eq!(last["event"], "outcome", "{}", self.transcript());
        last
    }
}

/// What a stream brought, and when.
struct Heard {
    text: String,
    arrivals: Vec<(usize, Instant)>,
    ended: Instant,
}

/// A run that has been started.
pub struct Running {
    child: Child,
    arguments: String,
    started: Instant,
    stdout: JoinHandle<Heard>,
    stderr: JoinHandle<Heard>,
    story: Arc<Mutex<Vec<u8>>>,
}

impl Running {
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// True once it says no more.
    pub fn has_ended(&self) -> bool {
        self.stderr.is_finished()
    }

    /// Waits until its story has this text; panics where it ends without.
    pub fn until_says(&self, text: &str) {
        while !self.said().contains(text) {
            let ended = self.stderr.is_finished();
            assert!(!ended || self.said().contains(text), "ended without {text:?}:\n{}", self.said());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Its story up to now.
    fn said(&self) -> String {
        String::from_utf8_lossy(&self.story.lock().expect("a reader that does not panic")).into_owned()
    }

    /// Waits for the end; kills and panics after [`LONGEST`].
    pub fn wait(mut self) -> Run {
        let (mut peak, mut work) = (0, 0.0_f64);
        let status = loop {
            peak = peak.max(memory(self.child.id()));
            work = work.max(processor_time(self.child.id()));
            if let Some(status) = self.child.try_wait().expect("a child to wait for") {
                break status;
            }
            if self.started.elapsed() > LONGEST {
                self.child.kill().expect("a child to kill");
            }
            std::thread::sleep(Duration::from_millis(5));
        };
        let stdout = self.stdout.join().expect("a reader that ends");
        // it may have ended long before anybody waited for it
        let stderr = self.stderr.join().expect("a reader that ends");
        Run {
            arguments: self.arguments,
            code: status.code().unwrap_or(-1),
            stdout: stdout.text,
            stderr: stderr.text,
            seconds: stderr.ended.duration_since(self.started).as_secs_f64(),
            peak,
            work,
            arrivals: stdout.arrivals,
        }
    }
}

/// The most memory that a process has held so far, in kB; 0 where it has ended.
fn memory(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().trim_end_matches("kB").trim().parse().ok()).unwrap_or(0)
}

/// The processor's time that a process has taken so far, in seconds; 0 where it has ended. A tick of the clock that
/// Linux counts in is a hundredth of a second.
fn processor_time(process: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let fields = stat.rsplit(") ").next().unwrap_or_default().split(' ');
    fields.skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / 100.0
}

/// Reads to the end; what was read is in `kept` at each moment.
fn reader(mut from: impl Read + Send + 'static, kept: Arc<Mutex<Vec<u8>>>) -> JoinHandle<Heard> {
    std::thread::spawn(move || {
        let mut piece = [0; 4096];
        let mut arrivals = Vec::new();
        // a killed child ends the stream: what was read until then is what there is
        while let Ok(read @ 1..) = from.read(&mut piece) {
            let mut kept = kept.lock().expect("nobody panics with it");
            kept.extend_from_slice(&piece[..read]);
            arrivals.push((kept.len(), Instant::now()));
        }
        let text = String::from_utf8_lossy(&kept.lock().expect("nobody panics with it")).into_owned();
        Heard { text, arrivals, ended: Instant::now() }
    })
}

/// shipway in a folder with these variables and no others. Nothing can be started by it: `PATH` is empty.
pub fn command(folder: &Path, variables: &[(String, String)], arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_shipway"));
    command.args(arguments).current_dir(folder).env_clear().env("PATH", "/nonexistent").env("TZ", "UTC");
    command.envs(variables.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    command
}

/// Starts it with what it is to read.
pub fn start(folder: &Path, variables: &[(String, String)], arguments: &[&str], input: &str) -> Running {
    let mut command = command(folder, variables, arguments);
    command.stdin(if input.is_empty() { Stdio::null() } else { Stdio::piped() });
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("shipway starts");
    if let Some(mut stdin) = child.stdin.take() {
        std::io::Write::write_all(&mut stdin, input.as_bytes()).expect("shipway reads its input");
    }
    let story = Arc::default();
    Running {
        stdout: reader(child.stdout.take().expect("a pipe"), Arc::default()),
        stderr: reader(child.stderr.take().expect("a pipe"), Arc::clone(&story)),
        story,
        arguments: arguments.join(" "),
        started: Instant::now(),
        child,
    }
}

/// One whole run without a repository or a bench.
pub fn shipway(folder: &Path, variables: &[(&str, &str)], arguments: &[&str]) -> Run {
    let variables: Vec<_> = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    start(folder, &variables, arguments, "").wait()
}

/// The same with something on standard input, and no variables.
pub fn shipway_with_input(folder: &Path, arguments: &[&str], input: &str) -> Run {
    start(folder, &[], arguments, input).wait()
}

/// Runs stories all at once, which helps where they mostly wait; each that fails tells so itself.
pub fn at_once(stories: &[fn()]) {
    std::thread::scope(|scope| {
        let running: Vec<_> = stories.iter().map(|story| scope.spawn(story)).collect();
        let failed = running.into_iter().map(std::thread::ScopedJoinHandle::join).filter(Result::is_err).count();
        assert!(failed == 0, "{failed} of {} stories failed", stories.len());
    });
}
