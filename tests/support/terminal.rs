//! A terminal of a story's own: shipway draws on it, and the story looks at it.

use std::{
    fs::File,
    io::{Read as _, Write as _},
    os::{
        fd::OwnedFd,
        unix::{fs::OpenOptionsExt as _, process::CommandExt as _},
    },
    process::Child,
    sync::{Arc, Mutex},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use rustix::{
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
    termios::{LocalModes, OptionalActions, OutputModes, Winsize, tcgetattr, tcsetattr, tcsetwinsize},
};

use super::{Project, run::command};

/// No story waits longer for what it wants to see.
const LONGEST: Duration = Duration::from_secs(90);

/// What is on the screen, and how many bytes it took.
struct Screen {
    terminal: avt::Terminal,
    bytes: usize,
}

/// A run that draws on it.
pub struct OnTerminal {
    child: Child,
    master: OwnedFd,
    /// The path of its other side.
    name: String,
    screen: Arc<Mutex<Screen>>,
    reader: Option<JoinHandle<()>>,
}

impl OnTerminal {
    pub fn start(project: &Project, arguments: &[&str], (columns, rows): (u16, u16)) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
        grantpt(&master).and_then(|()| unlockpt(&master)).expect("a terminal to open");
        resize(&master, (columns, rows));
        keep_output(&master);
        let name = ptsname(&master, Vec::new()).expect("a name").into_string().expect("a name");
        let side =
            || File::options().read(true).write(true).custom_flags(libc::O_NOCTTY).open(&name).expect("a terminal");
        let child = command(&project.root(), &project.variables, arguments)
            .env("TERM", "xterm-256color")
            // a group of its own, as a shell gives it to a job
            .process_group(0)
            .stdin(side())
            .stdout(side())
            .stderr(side())
            .spawn()
            .expect("shipway starts");
        let terminal = avt::Terminal::with_scrollback(columns.into(), rows.into(), None).expect("a size");
        let screen = Arc::new(Mutex::new(Screen { terminal, bytes: 0 }));
        let mut from = File::from(master.try_clone().expect("a terminal"));
        let kept = Arc::clone(&screen);
        let reader = std::thread::spawn(move || {
            let mut piece = [0; 65536];
            // a terminal that nobody writes on any more is an error to read from
            while let Ok(read @ 1..) = from.read(&mut piece) {
                let mut screen = kept.lock().expect("the screen");
                screen.bytes += read;
                screen.terminal.feed(String::from_utf8_lossy(&piece[..read]).as_ref());
            }
        });
        Self { child, master, name, screen, reader: Some(reader) }
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends it a signal: `INT`, `TSTP`.
    pub fn signal(&self, name: &str) {
        let sent = std::process::Command::new("kill").args([&format!("-{name}"), &self.id().to_string()]).status();
        assert!(sent.expect("kill runs").success(), "{name}");
    }

    /// Waits until it is stopped.
    pub fn until_stopped(&self) {
        let file = format!("/proc/{}/stat", self.id());
        self.until(|_| {
            let stat = std::fs::read_to_string(&file).expect("a process");
            stat.rsplit(") ").next().is_some_and(|fields| fields.starts_with('T'))
        });
    }

    /// Types on its keyboard.
    pub fn types(&self, text: &str) {
        File::from(self.master.try_clone().expect("a terminal")).write_all(text.as_bytes()).expect("a keyboard");
    }

    /// Writes on the terminal, as another program does.
    pub fn meanwhile(&self, text: &str) {
        let side = File::options().write(true).custom_flags(libc::O_NOCTTY).open(&self.name);
        side.and_then(|mut side| side.write_all(text.as_bytes())).expect("a terminal to write on");
    }

    pub fn resize(&self, (columns, rows): (u16, u16)) {
        let mut screen = self.screen.lock().expect("the screen");
        screen.terminal.resize(columns.into(), rows.into());
        resize(&self.master, (columns, rows));
    }

    /// Bytes that were drawn so far.
    pub fn bytes(&self) -> usize {
        self.screen.lock().expect("the screen").bytes
    }

    /// The rows of the screen that are not empty.
    pub fn rows(&self) -> Vec<String> {
        let screen = self.screen.lock().expect("the screen");
        let rows = screen.terminal.screen().visible_lines().map(|line| line.text().trim_end().to_owned());
        rows.filter(|row| !row.is_empty()).collect()
    }

    /// All lines, those that have left the screen too.
    pub fn lines(&self) -> Vec<String> {
        self.screen.lock().expect("the screen").terminal.screen().text()
    }

    /// Panics unless whoever uses the terminal next finds it as it was: the cursor is seen and stands at the start of a
    /// line, what is typed is echoed, lines end where they should, and this is no other screen.
    fn is_sane(&self) {
        let screen = self.screen.lock().expect("the screen");
        let (cursor, kind) = (screen.terminal.cursor(), screen.terminal.active_screen_kind());
        assert!(cursor.visible, "the cursor is hidden");
        assert_eq!(cursor.position().map(|(column, _)| column), Some(0), "the cursor is in the middle of a line");
        assert_eq!(kind, avt::ScreenKind::Primary);
        let modes = tcgetattr(&self.master).expect("the modes of a terminal");
        assert!(modes.local_modes.contains(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG), "{modes:?}");
        assert!(modes.output_modes.contains(OutputModes::OPOST | OutputModes::ONLCR), "{modes:?}");
    }

    /// Waits until something was drawn, and then nothing for a moment: no frame is on its way.
    pub fn until_drawn(&self) {
        let before = self.bytes();
        self.until(|_| self.bytes() > before);
        let last = std::cell::Cell::new((self.bytes(), Instant::now()));
        self.until(|_| {
            if last.get().0 != self.bytes() {
                last.set((self.bytes(), Instant::now()));
            }
            last.get().1.elapsed() > Duration::from_millis(150)
        });
    }

    /// Waits until the screen is so; answers its rows.
    pub fn until(&self, is_so: impl Fn(&[String]) -> bool) -> Vec<String> {
        let started = Instant::now();
        loop {
            let rows = self.rows();
            if is_so(&rows) {
                return rows;
            }
            assert!(started.elapsed() < LONGEST, "it never was so:\n{}", rows.join("\n"));
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits for the end; answers the exit code and the last screen. The terminal is as it was.
    pub fn wait(self) -> (i32, Vec<String>) {
        let (code, rows, _) = self.wait_for_lines();
        (code, rows)
    }

    /// The same with all lines.
    pub fn wait_for_lines(mut self) -> (i32, Vec<String>, Vec<String>) {
        let code = self.child.wait().expect("a child to wait for").code().unwrap_or(-1);
        if let Some(reader) = self.reader.take() {
            reader.join().expect("a reader that ends");
        }
        self.is_sane();
        (code, self.rows(), self.lines())
    }
}

impl Drop for OnTerminal {
    /// A story that failed leaves nothing behind.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A key that means a signal takes what is not shown yet with it, and is worked off whenever the kernel gets to it: what another
/// program has written by then would be lost.
fn keep_output(master: &OwnedFd) {
    let mut modes = tcgetattr(master).expect("the modes of a terminal");
    modes.local_modes |= LocalModes::NOFLSH;
    tcsetattr(master, OptionalActions::Now, &modes).expect("a mode");
}

fn resize(master: &OwnedFd, (columns, rows): (u16, u16)) {
    let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(master, size).expect("a size");
}
