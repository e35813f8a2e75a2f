//! `--status`: how the running instance is, for people, cron and container health checks.
//!
//! It asks the instance through its status port. If there is no such port, or another instance has it, the files
//! that the instance keeps have to do: who has the lock, what is in the fail log, up to when each remote is
//! complete. It changes nothing. `main` calls it.

use crate::config::terminal::harmless;
use crate::config::Config;
use crate::engine::sending::trust::Deletions;
use crate::keep::faillog::place::Places;
use crate::keep::faillog::script::count_commands;
use crate::keep::faillog::store;
use crate::keep::state::store::Store;
use crate::keep::state::{beside, number, State};
use crate::run::control::{self, Request};
use crate::start::cli::StatusView;
use crate::start::prepare;
use crate::sys::clock;
use crate::sys::lock::{self, Holder};
use crate::tell::amounts::age;
use crate::tell::logging::complain;
use crate::tell::status::ask::{ask, Answered};
use crate::tell::status::json::{quoted, Object, FORMAT};
use crate::tell::status::{url, view};
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

/// Exit codes.
const HEALTHY: u8 = 0;
const UNHEALTHY: u8 = 1;
const NOT_RUNNING: u8 = 2;

/// Between two drawings of `--watch`.
const REDRAW: Duration = Duration::from_secs(1);
/// To the terminal: the cursor goes home; the rest of the line, the rest of the screen is cleared.
const HOME: &str = "\x1b[H";
const CLEAR_LINE: &str = "\x1b[K\n";
const CLEAR_BELOW: &str = "\x1b[J";

/// What is printed, and what the process ends with.
struct Shown {
    text: String,
    code: u8,
}

/// Shows how the instance is; gives the exit code.
pub fn run(view: &StatusView) -> u8 {
    let here = std::env::current_dir().unwrap_or_default();
    let found = prepare::read_config(&view.config, &here)
        .and_then(|config| prepare::resolved(&config).map(|resolved| (config, resolved)));
    let (config, resolved) = match found {
        Ok(found) => found,
        Err(error) => {
            complain(&error.to_string());
            return NOT_RUNNING;
        }
    };
    let on_terminal = io::stdout().is_terminal();
    loop {
        let shown = look(&config, &resolved, view.json);
        let text = if view.watch && on_terminal { redrawn(&shown.text) } else { shown.text };
        let mut out = io::stdout().lock();
        let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
        if written.is_err() || !view.watch {
            return shown.code;
        }
        thread::sleep(REDRAW);
    }
}

/// Drawn over what was there, so that nothing flickers.
fn redrawn(text: &str) -> String {
    format!("{HOME}{}{CLEAR_BELOW}", text.replace('\n', CLEAR_LINE))
}

fn look(config: &Config, resolved: &Path, json: bool) -> Shown {
    let path = if json { "/status.json" } else { "/status.txt" };
    let asked = (config.status.port != 0).then(|| ask(&config.status, path, number(resolved)));
    if let Some(Answered { is_healthy, body }) = asked.flatten() {
        let code = if is_healthy { HEALTHY } else { UNHEALTHY };
        return Shown { text: String::from_utf8_lossy(&body).into_owned(), code };
    }
    let files = Files::read(config, resolved);
    let code = match files.holder {
        None => NOT_RUNNING,
        Some(_) if files.commands == Ok(0) && !files.owes_full_sync() && !files.asks() => HEALTHY,
        Some(_) => UNHEALTHY,
    };
    let text = if json { files.json(code) } else { files.text(config) };
    Shown { text, code }
}

/// What the files say.
struct Files {
    config: PathBuf,
    /// The instance that runs.
    holder: Option<Holder>,
    fail_log: PathBuf,
    /// Commands in the fail log, or why it is not used.
    commands: Result<usize, String>,
    state: State,
    now_ms: u64,
}

impl Files {
    fn read(config: &Config, resolved: &Path) -> Files {
        let Places { configured, aside } = prepare::fail_log(config, resolved);
        let beside = |ending| beside(&configured, resolved, ending);
        // While another instance has the configured one, that one says nothing of this.
        let fail_log = if aside.exists() { aside } else { configured.clone() };
        let commands = store::look(&fail_log);
        let commands = commands.map(|script| count_commands(&script));
        let mut commands = commands.map_err(|refused| format!("not used: {refused}"));
        let holder = lock::holder(resolved, &beside("lock"));
        if holder.is_some() {
            // The file says nothing of what could not be written. An instance that does not know the question has
            // nothing to say either.
            let asked = prepare::control(config).ok();
            let told = asked.and_then(|socket| control::ask(&socket, Request::FailLog).ok());
            if let Some(Ok(trouble)) =
                told.filter(|told| told.as_ref().is_ok_and(|it| !it.is_empty()))
            {
                commands = Err(trouble);
            }
        }
        Files {
            config: resolved.into(),
            holder,
            commands,
            // One that cannot be read says nothing, and is no fault of the instance.
            state: Store::of(resolved, &fail_log).load().unwrap_or_default(),
            fail_log,
            now_ms: clock::file_stamp_ns() / 1_000_000,
        }
    }

    fn owes_full_sync(&self) -> bool {
        self.state.remotes.iter().any(|kept| kept.full_sync)
    }

    /// Whether deletions wait for a yes.
    fn asks(&self) -> bool {
        self.state.remotes.iter().any(|kept| kept.trust.waits_for().is_some())
    }

    fn text(&self, config: &Config) -> String {
        let file = self.config.display();
        let mut text = match self.holder {
            None => format!("sersync is not running with {file}\n"),
            Some(Holder { pid }) => {
                let pid = pid.map_or("sersync".into(), |pid| format!("sersync, process {pid},"));
                let why = match config.status.port {
                    0 => "its status port is off (<host port=\"0\"/>)".to_string(),
                    _ => format!("it does not answer at {}", url(&config.status)),
                };
                format!("{pid} runs with {file}\n{why}; this is what its files say:\n")
            }
        };
        text += &match &self.commands {
            Ok(commands) => {
                format!("fail log  {} ({})\n", view::commands(*commands), self.fail_log.display())
            }
            Err(trouble) => format!("fail log  {}\n", harmless(trouble)),
        };
        for kept in &self.state.remotes {
            let name = String::from_utf8_lossy(&kept.destination);
            let name = harmless(&name);
            let complete = match kept.complete_ns {
                _ if kept.full_sync => "a full sync is owed".into(),
                None => "never had everything".into(),
                Some(ns) => {
                    let ago_ms = self.now_ms.saturating_sub(ns / 1_000_000);
                    format!("had everything {} ago", age(ago_ms))
                }
            };
            text += &format!("{name}: {complete}\n");
            if let Some((_, Deletions { count, of })) = kept.trust.waits_for() {
                text += &format!("{count} deletions wait for a yes, of {of} entries on {name}\n");
            }
        }
        text.lines().flat_map(|line| view::wrapped("", line)).map(|line| line + "\n").collect()
    }

    fn json(&self, code: u8) -> String {
        let mut object = Object::new();
        object.plain("format", FORMAT);
        object.plain("running", self.holder.is_some());
        object.optional("pid", self.holder.and_then(|holder| holder.pid));
        object.text("config", &self.config.to_string_lossy());
        object.plain("healthy", code == HEALTHY);
        let mut fail_log = Object::new();
        fail_log.text("path", &self.fail_log.to_string_lossy());
        fail_log.optional("records", self.commands.as_ref().ok());
        let trouble = self.commands.as_ref().err();
        fail_log.optional("trouble", trouble.map(|text| quoted(text)));
        object.plain("fail_log", fail_log.end());
        object.end() + "\n"
    }
}
