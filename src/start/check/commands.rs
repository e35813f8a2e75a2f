//! The shell commands of the user: the `command` plugin's and the alert's. They are not run. A shell is only
//! asked whether it can parse them, and whether it finds the program that stands first.

use super::finding::Finding;
use crate::config::{Config, Plugin, PluginKind};
use crate::rsync::quoting::in_double_quotes;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::process::{Command, Stdio};

/// Has the shell read a command and run nothing.
const READ_ONLY: &str = "-n";
/// The shell's own answer also knows its builtins and keywords, which are in no directory.
const KNOWN: &str = "command -v \"$1\"";

pub(super) fn findings(config: &Config, plugin: Option<PluginKind>) -> Vec<Finding> {
    let mut found = Vec::new();
    let block = plugin.and_then(|kind| config.plugin_block(kind));
    if let Some(Plugin::Command { prefix, suffix, .. }) = block {
        let path = in_double_quotes(b"/path");
        let script = [prefix.as_slice(), b" ", &path, b" ", suffix].concat();
        found.push(look("plugin command", &script));
    }
    found.extend(config.alert.as_ref().map(|alert| look("alert command", &alert.command)));
    found
}

fn look(place: &str, script: &[u8]) -> Finding {
    if !shell(&[OsStr::new(READ_ONLY), OsStr::new("-c"), OsStr::from_bytes(script)]) {
        return Finding::error(place, "a shell cannot read it; look for quotes and brackets");
    }
    match first_word(script) {
        Some(word) if !is_found(OsStr::from_bytes(word)) => {
            let word = String::from_utf8_lossy(word);
            let text = format!("{word} is not found; install it, or write its full path");
            Finding::error(place, text)
        }
        Some(word) => Finding::fine(place, format!("{} is there", String::from_utf8_lossy(word))),
        None => Finding::fine(place, "a shell can read it"),
    }
}

/// Whether a shell would find a program, or knows it by itself.
pub(super) fn is_found(word: &OsStr) -> bool {
    shell(&[OsStr::new("-c"), OsStr::new(KNOWN), OsStr::new("sh"), word])
}

/// Whether a shell with these arguments ends with 0.
fn shell(args: &[&OsStr]) -> bool {
    let mut command = Command::new("/bin/sh");
    command.args(args).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// The first word of a command, if it can be told without parsing it as a shell does.
fn first_word(script: &[u8]) -> Option<&[u8]> {
    let word = script.trim_ascii_start().split(u8::is_ascii_whitespace).next()?;
    let word = word.strip_suffix(b";").unwrap_or(word);
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"/._+-".contains(byte);
    (!word.is_empty() && !word.starts_with(b"-") && word.iter().all(plain)).then_some(word)
}

#[cfg(test)]
mod tests {
    use super::super::finding::Severity::{Error, Fine};
    use super::*;

    #[test]
    fn a_command_is_judged_without_being_run() {
        let home = tempfile::tempdir().unwrap();
        let made = home.path().join("made").display().to_string();
        for (script, severity, text) in [
            (format!("touch {made}"), Fine, "touch is there"),
            ("/bin/sh -c".into(), Fine, "/bin/sh is there"),
            ("cd /x && y".into(), Fine, "cd is there"),
            ("if true; then x; fi".into(), Fine, "if is there"),
            ("X=1 y".into(), Fine, "a shell can read it"),
            ("\"$HOME/x\" y".into(), Fine, "a shell can read it"),
            ("true; x".into(), Fine, "true is there"),
            (
                "/bin/nothing-of-that-name x".into(),
                Error,
                "/bin/nothing-of-that-name is not found;",
            ),
            (format!("touch {made}; echo \""), Error, "a shell cannot read it;"),
        ] {
            let finding = look("p", script.as_bytes());
            assert_eq!(finding.severity, severity, "{script}: {}", finding.text);
            assert!(finding.text.starts_with(text), "{script}: {}", finding.text);
        }
        assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0);
    }
}
