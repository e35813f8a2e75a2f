//! A real Chromium without a window, driven through its debugging pipe: what a page really becomes.

use super::child::Child;
use super::json::Json;
use super::{until, DEADLINE};
use nix::poll::{poll, PollFd, PollFlags};
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The names that it has.
const NAMES: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];
/// Set by `scripts/test.sh` where no browser can be installed: then nothing is looked at, and that is
/// said. Without it, a missing browser is a failure.
const WITHOUT: &str = "SERSYNC_IT_WITHOUT_BROWSER";
/// Screenshots are put into this directory, for people to look at.
const SHOTS: &str = "SERSYNC_IT_SHOTS";

/// A browser with one page.
pub struct Browser {
    commands: File,
    answers: File,
    unread: Vec<u8>,
    last: u64,
    session: String,
    /// What the browser has complained of: exceptions, and what the page's policy forbids.
    pub complaints: Vec<String>,
    _child: Child,
}

impl Browser {
    /// Starts it with its files in `dir`; `None` if there is none and there need not be.
    pub fn start(dir: &Path, language: &str) -> Option<Browser> {
        let path = std::env::var("PATH").unwrap_or_default();
        let is_there = |name: &&&str| path.split(':').any(|dir| Path::new(dir).join(name).exists());
        let Some(name) = NAMES.iter().find(is_there) else {
            assert!(std::env::var_os(WITHOUT).is_some(), "no Chromium; or set {WITHOUT}=1");
            // Not eprintln!, which is shown only if the test fails.
            let said = "SKIPPED: the status page in a browser: there is no Chromium here\n";
            std::io::stderr().write_all(said.as_bytes()).unwrap();
            return None;
        };
        fs::create_dir_all(dir).unwrap();
        let pipes = ["commands", "answers"].map(|pipe| dir.join(pipe));
        for pipe in &pipes {
            nix::unistd::mkfifo(pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
        }
        // Open for both ways, so that nobody waits for the other to open it.
        let [commands, answers] = pipes
            .each_ref()
            .map(|pipe| OpenOptions::new().read(true).write(true).open(pipe).unwrap());
        let script = format!(
            "exec {name} --headless=new --no-sandbox --disable-gpu --hide-scrollbars \
             --no-first-run --disable-background-networking --remote-debugging-pipe \
             --user-data-dir=\"$1/profile\" 3<\"$1/commands\" 4>\"$1/answers\""
        );
        let mut command = Command::new("sh");
        command.args(["-c", &script, "sh"]).arg(dir).stdin(Stdio::null());
        command.stdout(Stdio::null()).stderr(File::create(dir.join("stderr")).unwrap());
        let child = Child::spawn(&mut command);
        let mut browser = Browser {
            commands,
            answers,
            unread: Vec::new(),
            last: 0,
            session: String::new(),
            complaints: Vec::new(),
            _child: child,
        };
        let target = browser.command("Target.createTarget", r#"{"url":"about:blank"}"#);
        let target = format!(r#"{{"targetId":"{}","flatten":true}}"#, target.text("targetId"));
        let attached = browser.command("Target.attachToTarget", &target);
        browser.session = attached.text("sessionId").to_string();
        browser.command("Runtime.enable", "{}");
        browser.command("Log.enable", "{}");
        let agent = format!(r#"{{"userAgent":"test","acceptLanguage":"{language}"}}"#);
        browser.command("Emulation.setUserAgentOverride", &agent);
        Some(browser)
    }

    /// The size of the window, and whether the person likes it dark.
    pub fn shape(&mut self, width: u32, height: u32, dark: bool) {
        let size = format!(
            r#"{{"width":{width},"height":{height},"deviceScaleFactor":1,"mobile":{}}}"#,
            width < 700
        );
        self.command("Emulation.setDeviceMetricsOverride", &size);
        let scheme = if dark { "dark" } else { "light" };
        let media =
            format!(r#"{{"features":[{{"name":"prefers-color-scheme","value":"{scheme}"}}]}}"#);
        self.command("Emulation.setEmulatedMedia", &media);
    }

    /// Goes to an address.
    pub fn go(&mut self, url: &str) {
        self.command("Page.navigate", &format!(r#"{{"url":"{url}"}}"#));
    }

    /// What an expression of JavaScript gives in the page, as a text.
    pub fn evaluate(&mut self, expression: &str) -> String {
        let quoted = expression.replace('\\', "\\\\").replace('"', "\\\"");
        let wanted = format!(r#"{{"expression":"String({quoted})","returnByValue":true}}"#);
        self.command("Runtime.evaluate", &wanted).text("result/value").to_string()
    }

    /// Waits until what the page shows has all of these words.
    pub fn shows(&mut self, words: &[&str]) {
        until(&format!("the page shows {words:?}"), DEADLINE, || {
            let text = self.evaluate("document.body?document.body.innerText:''");
            let all = words.iter().all(|word| text.contains(word));
            all.then_some(()).ok_or(text)
        });
    }

    /// Takes a picture of the window, if somebody wants to see it.
    pub fn shoot(&mut self, name: &str) {
        let Some(dir) = std::env::var_os(SHOTS) else { return };
        let shot = self.command("Page.captureScreenshot", r#"{"format":"png"}"#);
        let file = PathBuf::from(dir).join(format!("{name}.png"));
        fs::write(file, from_base64(shot.text("data"))).unwrap();
    }

    fn command(&mut self, method: &str, params: &str) -> Json {
        self.last += 1;
        let number = self.last;
        let session = match self.session.as_str() {
            "" => String::new(),
            session => format!(r#","sessionId":"{session}""#),
        };
        let text =
            format!("{{\"id\":{number},\"method\":\"{method}\",\"params\":{params}{session}}}\0");
        self.commands.write_all(text.as_bytes()).unwrap();
        loop {
            let message = self.message();
            let Json::Object(fields) = &message else { panic!("{message:?}") };
            let has = |name: &str| fields.iter().any(|(field, _)| field == name);
            if has("id") && message.number("id") == number as f64 {
                assert!(!has("error"), "{method}: {message:?}");
                return message.at("result").clone();
            }
            if has("method") {
                let method = message.text("method");
                if method == "Log.entryAdded" || method == "Runtime.exceptionThrown" {
                    self.complaints.push(format!("{message:?}"));
                }
            }
        }
    }

    fn message(&mut self) -> Json {
        loop {
            if let Some(end) = self.unread.iter().position(|&byte| byte == 0) {
                let message: Vec<u8> = self.unread.drain(..=end).collect();
                return Json::parse(std::str::from_utf8(&message[..end]).unwrap());
            }
            let mut fds = [PollFd::new(self.answers.as_fd(), PollFlags::POLLIN)];
            let came = poll(&mut fds, u16::try_from(DEADLINE.as_millis()).unwrap()).unwrap();
            assert!(came > 0, "the browser does not answer");
            let mut buffer = [0; 65_536];
            let count = self.answers.read(&mut buffer).unwrap();
            self.unread.extend_from_slice(&buffer[..count]);
        }
    }
}

fn from_base64(text: &str) -> Vec<u8> {
    let digits = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let values = text.bytes().filter_map(|byte| digits.iter().position(|digit| *digit == byte));
    let values: Vec<usize> = values.collect();
    let mut bytes = Vec::new();
    for four in values.chunks(4) {
        let bits = four.iter().fold(0, |bits, value| bits << 6 | value) << (6 * (4 - four.len()));
        bytes.extend([bits >> 16, bits >> 8, bits].map(|byte| byte as u8)[..four.len() - 1].iter());
    }
    bytes
}
