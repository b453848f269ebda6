//! Processes of a test: started, watched, signalled by their own number, and gone at its end.
//!
//! Every process gets a folder of its own as `TMPDIR`. Its descendants inherit it, so that all of
//! them can be found by it, also when their parent is gone.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// Whatever a stop was promised to take, it ends within this time.
pub const STOP_WITHIN: Duration = Duration::from_secs(5);

/// The longest wait for anything else, on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Distance of two looks.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// A running `qkd` and what it has printed. Killed when dropped.
pub struct Running {
    child: Child,
    arguments: Vec<String>,
    home: TempDir,
    output: TempDir,
}

impl Running {
    /// Starts `qkd` with these arguments.
    pub fn start<S: AsRef<str>>(arguments: &[S]) -> Self {
        let arguments: Vec<String> = arguments.iter().map(|a| a.as_ref().to_owned()).collect();
        let (home, output) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let file = |name: &str| Stdio::from(File::create(output.path().join(name)).unwrap());
        let child = Command::new(env!("CARGO_BIN_EXE_qkd"))
            .args(&arguments)
            .env("TMPDIR", home.path())
            .env_remove("RUST_LOG")
            // Nobody's own profile takes part in a test.
            .env_remove("QKD_CLIENT")
            .env("XDG_CONFIG_HOME", home.path())
            .stdin(Stdio::null())
            .stdout(file("stdout"))
            .stderr(file("stderr"))
            .spawn()
            .unwrap();
        Self {
            child,
            arguments,
            home,
            output,
        }
    }

    /// Its `TMPDIR`.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// Its process number.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it has printed on standard output so far.
    pub fn stdout(&self) -> String {
        self.printed("stdout")
    }

    /// What it has printed on standard error so far.
    pub fn stderr(&self) -> String {
        self.printed("stderr")
    }

    fn printed(&self, name: &str) -> String {
        let bytes = fs::read(self.output.path().join(name)).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    /// Looks until `found` has what is called `what`; fails the test when that takes longer.
    pub fn until<T>(
        &mut self,
        within: Duration,
        what: &str,
        mut found: impl FnMut(&mut Self) -> Option<T>,
    ) -> T {
        let deadline = Instant::now() + within;
        loop {
            // Looked at once more after the deadline: the test itself may have been held up.
            let late = Instant::now() >= deadline;
            if let Some(found) = found(self) {
                return found;
            }
            assert!(!late, "no {what} within {within:?}: {}", self.story());
            std::thread::sleep(LOOK_EVERY);
        }
    }

    /// As [`until`](Self::until) with all patience, and only as long as it runs.
    pub fn while_running<T>(&mut self, what: &str, mut found: impl FnMut(&Self) -> Option<T>) -> T {
        self.until(PATIENCE, what, |this| {
            let ended = this.ended();
            let found = found(this);
            let story = || format!("ended ({ended:?}) before {what}: {}", this.story());
            assert!(found.is_some() || ended.is_none(), "{}", story());
            found
        })
    }

    /// Line `number` of standard output, from 0, once it is complete.
    pub fn line(&mut self, number: usize) -> String {
        self.while_running(&format!("line {number} on standard output"), |this| {
            let text = this.stdout();
            let complete = text.rfind('\n').map_or("", |end| &text[..end]);
            complete.lines().nth(number).map(str::to_owned)
        })
    }

    /// Sends the signal `name`, such as `INT`, to this one process.
    pub fn signal(&self, name: &str) {
        // Nobody has waited for it yet, so the number is still its own.
        send(name, self.id());
    }

    /// Sends the signal `name` to one of its descendants.
    pub fn signal_child(&self, child: &Relative, name: &str) {
        let same = self.family().iter().any(|relative| relative == child);
        assert!(same, "{child:?} is not there any more: {}", self.story());
        send(name, child.id);
    }

    /// Kills it the hard way (SIGKILL) and waits for its end.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// Waits for its end.
    pub fn end_within(&mut self, within: Duration) -> ExitStatus {
        self.until(within, "end", Self::ended)
    }

    /// Waits for the end of it and of all its descendants.
    pub fn family_ends_within(&mut self, within: Duration) -> ExitStatus {
        self.until(within, "end of the whole family", |this| {
            let ended = this.ended()?;
            this.family().is_empty().then_some(ended)
        })
    }

    /// It and all its descendants that still run, as process number and command line.
    pub fn family(&self) -> Vec<Relative> {
        family_of(self.home()).unwrap()
    }

    /// What a person needs to know when it did not do what it should.
    pub fn story(&self) -> String {
        format!(
            "qkd {}\nstill running: {:?}\nstdout: {}\nstderr: {}",
            self.arguments.join(" "),
            self.family(),
            self.stdout(),
            self.stderr()
        )
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended and been waited for: then there is nothing to kill.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn send(signal: &str, process: u32) {
    let sent = Command::new("sh")
        .args(["-c", "kill -s \"$0\" \"$1\"", signal, &process.to_string()])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(sent.status.success(), "{sent:?}");
}

/// Sends the signal `signal` to the one process that has `argument` on its command line.
pub fn signal_whoever_has(argument: &Path, signal: &str) {
    let argument = argument.to_str().unwrap();
    let all = processes(|_| true).unwrap();
    let mut found = all
        .iter()
        .filter(|process| process.arguments.iter().any(|one| one == argument));
    let process = found
        .next()
        .unwrap_or_else(|| panic!("nobody has {argument}"));
    assert_eq!(found.next(), None, "somebody else has {argument} too");
    send(signal, process.id);
}

/// A process that runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relative {
    /// Its number.
    pub id: u32,
    /// Its arguments, the program first.
    pub arguments: Vec<String>,
}

impl Relative {
    /// The subcommand of a `qkd`.
    pub fn role(&self) -> &str {
        self.arguments.get(1).map_or("", String::as_str)
    }
}

/// All processes with the folder as `TMPDIR`. One that has ended and not been waited for has no
/// environment any more, and does not count.
fn family_of(home: &Path) -> io::Result<Vec<Relative>> {
    let marker = format!("TMPDIR={}", home.display());
    processes(|environment| environment.contains(&marker))
}

/// All processes whose environment is as wanted.
fn processes(wanted: impl Fn(&[String]) -> bool) -> io::Result<Vec<Relative>> {
    let strings = |bytes: Vec<u8>| -> Vec<String> {
        let text = String::from_utf8_lossy(&bytes);
        let strings = text.split('\0').filter(|text| !text.is_empty());
        strings.map(str::to_owned).collect()
    };
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let entry = entry?;
        let Some(id) = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok())
        else {
            continue;
        };
        // A process may end while it is being looked at, or belong to somebody else.
        let read = |name: &str| fs::read(entry.path().join(name)).map(strings);
        let (Ok(environment), Ok(arguments)) = (read("environ"), read("cmdline")) else {
            continue;
        };
        if wanted(&environment) {
            found.push(Relative { id, arguments });
        }
    }
    Ok(found)
}

/// Everything below a folder, as paths relative to it.
pub fn listing(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).unwrap() {
            let path = entry.unwrap().path();
            found.push(path.strip_prefix(folder).unwrap().to_path_buf());
            if path.is_dir() {
                folders.push(path);
            }
        }
    }
    found.sort();
    found
}
