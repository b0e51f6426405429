//! A terminal of a story's own: shipway draws on it, and the story looks at it.

use std::{
    fs::File,
    io::Read as _,
    os::{fd::OwnedFd, unix::fs::OpenOptionsExt as _},
    process::Child,
    sync::{Arc, Mutex},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use rustix::{
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
    termios::{Winsize, tcsetwinsize},
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
    screen: Arc<Mutex<Screen>>,
    reader: Option<JoinHandle<()>>,
}

impl OnTerminal {
    pub fn start(project: &Project, arguments: &[&str], (columns, rows): (u16, u16)) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
        grantpt(&master).and_then(|()| unlockpt(&master)).expect("a terminal to open");
        resize(&master, (columns, rows));
        let name = ptsname(&master, Vec::new()).expect("a name").into_string().expect("a name");
        let side =
            || File::options().read(true).write(true).custom_flags(libc::O_NOCTTY).open(&name).expect("a terminal");
        let child = command(&project.root(), &project.variables, arguments)
            .env("TERM", "xterm-256color")
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
        Self { child, master, screen, reader: Some(reader) }
    }

    pub fn id(&self) -> u32 {
        self.child.id()
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

    /// True where the cursor is seen.
    pub fn has_cursor(&self) -> bool {
        self.screen.lock().expect("the screen").terminal.cursor().visible
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

    /// Waits for the end; answers the exit code and the last screen.
    pub fn wait(mut self) -> (i32, Vec<String>) {
        let code = self.child.wait().expect("a child to wait for").code().unwrap_or(-1);
        if let Some(reader) = self.reader.take() {
            reader.join().expect("a reader that ends");
        }
        assert!(self.has_cursor(), "the cursor is hidden");
        (code, self.rows())
    }
}

impl Drop for OnTerminal {
    /// A story that failed leaves nothing behind.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn resize(master: &OwnedFd, (columns, rows): (u16, u16)) {
    let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(master, size).expect("a size");
}
