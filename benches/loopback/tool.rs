//! The programs that are measured: what they are called, what they promise, and how a user would start each.
//!
//! Measures nothing. Called by `session`, with the stage to start it on.

use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::stage::Stage;
use super::system::{wait_until, while_doing, Running, Unmeasurable};

/// A program that carries changes to the far side.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Tool {
    /// This program.
    Sersync,
    /// One rsync for each remote, all at once, started when the change is done.
    Hand {
        /// With `--sockopts=TCP_NODELAY`, or over SSH with a connection that was made before.
        quick: bool,
    },
    /// lsyncd.
    Lsyncd {
        /// Its `delay`, in seconds.
        delay: u64,
    },
    /// inotifywait and rsync in a shell's loop.
    Loop,
}

/// The programs of the comparison, in the order of its columns.
pub const TOOLS: [Tool; 6] = [
    Tool::Sersync,
    Tool::Hand { quick: true },
    Tool::Hand { quick: false },
    Tool::Lsyncd { delay: 1 },
    Tool::Lsyncd { delay: LSYNCD_DELAY },
    Tool::Loop,
];
/// lsyncd's default delay, in seconds.
pub const LSYNCD_DELAY: u64 = 15;
/// The pause between two runs of the loop, in seconds.
const LOOP_INTERVAL: u64 = 5;

/// The options that the guides give rsync. The script splits them.
const LOOP_OPTIONS: &str = "-avz --delete";
/// The options in the templates of sersync.
const RSYNC_OPTIONS: &str = "-artz";

impl Tool {
    /// Its name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Tool::Sersync => "sersync",
            Tool::Hand { quick: true } => "rsync by hand, `TCP_NODELAY`",
            Tool::Hand { quick: false } => "rsync by hand",
            Tool::Lsyncd { delay: 1 } => "lsyncd, `delay = 1`",
            Tool::Lsyncd { .. } => "lsyncd, its default `delay`",
            Tool::Loop => "inotifywait loop",
        }
    }

    /// Whether somebody must start it for each change.
    pub fn by_hand(self) -> bool {
        matches!(self, Tool::Hand { .. })
    }

    /// How long it may wait by design before it does anything about a change.
    pub fn delay(self) -> Duration {
        Duration::from_secs(match self {
            Tool::Sersync | Tool::Hand { .. } => 0,
            Tool::Lsyncd { delay } => delay,
            Tool::Loop => LOOP_INTERVAL,
        })
    }

    /// How long nothing must have happened, so that the program is at its best for the next change: sersync may
    /// collect changes for a tenth of a second, the loop counts in whole seconds.
    pub fn quiet(self) -> Duration {
        match self {
            Tool::Sersync | Tool::Hand { .. } | Tool::Lsyncd { .. } => Duration::from_millis(200),
            Tool::Loop => Duration::from_millis(LOOP_INTERVAL * 1000 + 1500),
        }
    }

    /// Starts it and waits until it watches; by hand there is nothing to start. `options` are further ones for
    /// rsync.
    pub fn start(
        self,
        stage: &Stage,
        options: &str,
        dead: Option<u16>,
        status_port: u16,
    ) -> Result<Option<Running>, Unmeasurable> {
        match self {
            Tool::Hand { .. } => Ok(None),
            Tool::Sersync => start_sersync(stage, options, dead, status_port).map(Some),
            Tool::Lsyncd { delay } => start_lsyncd(stage, delay).map(Some),
            Tool::Loop => start_loop(stage).map(Some),
        }
    }
}

/// The sersync to measure: `SERSYNC_BIN`, by default the one that was just built.
pub fn program() -> PathBuf {
    std::env::var_os("SERSYNC_BIN").map_or(env!("CARGO_BIN_EXE_sersync").into(), PathBuf::from)
}

/// Starts `sersync -r -o confxml.xml`, with a `dead` remote on that port beside those of the stage.
fn start_sersync(
    stage: &Stage,
    options: &str,
    dead: Option<u16>,
    status_port: u16,
) -> Result<Running, Unmeasurable> {
    let names = stage.remote_names();
    let mut remotes: Vec<String> = names
        .iter()
        .map(|name| format!("            <remote ip=\"127.0.0.1\" name=\"{name}\"/>"))
        .collect();
    if let Some(port) = dead {
        let dead = format!("            <remote ip=\"127.0.0.1\" name=\"dead\" port=\"{port}\"/>");
        remotes.insert(0, dead);
    }
    let shell = stage.ssh().map_or(String::new(), |client| format!(" -e '{client}'"));
    let text = format!(
        include_str!("confxml.xml"),
        status_port = status_port,
        near = stage.near().display(),
        remotes = remotes.join("\n"),
        port = stage.port(),
        params = format_args!("{RSYNC_OPTIONS}{options}{shell}"),
        ssh = stage.ssh().is_some(),
        fail_log = stage.directory().join("fail.sh").display(),
    );
    let configuration = stage.directory().join("confxml.xml");
    fs::write(&configuration, text).map_err(while_doing(configuration.display()))?;
    let mut sersync = Command::new(program());
    sersync.arg("-r").arg("-o").arg(&configuration).env("STATE_DIRECTORY", stage.directory());
    start_and_wait(sersync, stage, |log| log.contains("watch path is:"))
}

fn start_lsyncd(stage: &Stage, delay: u64) -> Result<Running, Unmeasurable> {
    let near = stage.near();
    let mut text = "settings { nodaemon = true }\n".to_string();
    let names = stage.remote_names();
    for name in &names {
        // The default is not written down, so that it is really the default.
        let delay = match delay {
            LSYNCD_DELAY => String::new(),
            delay => format!("delay = {delay}, "),
        };
        text += &format!(
            "sync {{ default.rsync, source = \"{}\", target = \"rsync://127.0.0.1:{}/{name}\", \
             {delay}rsync = {{ archive = true, compress = true }} }}\n",
            near.display(),
            stage.port(),
        );
    }
    let configuration = stage.directory().join("lsyncd.lua");
    fs::write(&configuration, text).map_err(while_doing(configuration.display()))?;
    let mut lsyncd = Command::new("lsyncd");
    lsyncd.arg(configuration);
    // It watches before it syncs for the first time, so it watches when all first syncs have ended.
    start_and_wait(lsyncd, stage, |log| log.matches(" finished.").count() >= names.len())
}

fn start_loop(stage: &Stage) -> Result<Running, Unmeasurable> {
    let script = stage.directory().join("loop.sh");
    fs::write(&script, include_str!("loop.sh")).map_err(while_doing(script.display()))?;
    let mut shell = Command::new("sh");
    shell.arg(&script).arg(stage.near()).arg(LOOP_INTERVAL.to_string()).arg(LOOP_OPTIONS);
    for name in stage.remote_names() {
        shell.arg(format!("rsync://127.0.0.1:{}/{name}/", stage.port()));
    }
    // It consists of several processes that do not end each other: they are a group, which is ended as a whole. The
    // script ends when its standard input is closed, as it is when this process ends in any way.
    shell.stdin(Stdio::piped()).process_group(0);
    start_and_wait(shell, stage, |log| log.contains("Watches established."))
}

/// Starts a program that logs to its output, and waits until it says that it watches.
fn start_and_wait(
    mut command: Command,
    stage: &Stage,
    watches: impl Fn(&str) -> bool,
) -> Result<Running, Unmeasurable> {
    let name = name_of(&command);
    let log = stage.directory().join("program.log");
    let file = File::create(&log).map_err(while_doing(log.display()))?;
    let both = file.try_clone().map_err(while_doing(log.display()))?;
    let group = name == "sh";
    if !group {
        command.stdin(Stdio::null());
    }
    let child = command
        .stdout(file)
        .stderr(both)
        .spawn()
        .map_err(while_doing(format!("starting {name}")))?;
    let mut running = Running { child, group };
    let said = || String::from_utf8_lossy(&fs::read(&log).unwrap_or_default()).into_owned();
    let mut ended = false;
    wait_until(&format!("{name} to watch"), || {
        ended = matches!(running.child.try_wait(), Ok(Some(_)));
        ended || watches(&said())
    })?;
    match ended {
        false => Ok(running),
        true => Err(Unmeasurable(format!("{name} ended before it watched. It said:\n{}", said()))),
    }
}

/// Starts one rsync by hand to that remote, of everything, or of what is named.
pub fn start_rsync(
    stage: &Stage,
    remote: usize,
    quick: bool,
    what: Option<&str>,
) -> Result<Child, Unmeasurable> {
    let name = &stage.remote_names()[remote];
    let port = stage.port();
    let mut rsync = Command::new("rsync");
    rsync.current_dir(stage.near()).arg(RSYNC_OPTIONS);
    match what {
        // A new file can be named. What was deleted or renamed, rsync has to find.
        None => rsync.args(["--delete", "./"]),
        Some(what) => rsync.args(["-R", what]),
    };
    match stage.ssh() {
        None => {
            if quick {
                rsync.arg("--sockopts=TCP_NODELAY");
            }
            rsync.arg(format!("--port={port}")).arg(format!("127.0.0.1::{name}"));
        }
        Some(client) => {
            let mut shell = format!("{client} -p {port}");
            if quick {
                let socket = stage.directory().join("socket");
                let socket = socket.display();
                shell +=
                    &format!(" -o ControlMaster=auto -o ControlPersist=10 -o ControlPath={socket}");
            }
            rsync.args(["-e", &shell]).arg(format!("127.0.0.1:{name}"));
        }
    }
    rsync.stdin(Stdio::null()).stdout(Stdio::null());
    rsync.spawn().map_err(while_doing("starting rsync"))
}

/// What a program prints.
pub fn output(command: &mut Command) -> Result<String, Unmeasurable> {
    let name = name_of(command);
    let output = command.output().map_err(while_doing(format!("running {name}")))?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn name_of(command: &Command) -> String {
    let path = Path::new(command.get_program());
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
