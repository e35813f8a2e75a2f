//! The machine: the port of the status page, the clock, and the limit of inotify instances.

use super::finding::Finding;
use crate::config::{Config, StatusAddress};
use crate::sys::clock;
use crate::sys::inotify::Inotify;
use crate::sys::sysctl::INSTANCES;
use std::io;
use std::net::TcpListener;

/// 2025-01-01, before this program was made: a clock that shows an earlier time is wrong.
const CLOCK_S_MIN: i64 = 1_735_689_600;

/// `is_running`: an instance with this configuration has the port, which is then no fault.
pub(super) fn findings(config: &Config, is_running: bool) -> Vec<Finding> {
    let mut found = vec![clock(clock::unix_s())];
    if !is_running {
        let StatusAddress { host, port } = &config.status;
        let bound = TcpListener::bind((host.as_str(), *port)).map(drop);
        found.push(status_port(&config.status, bound));
    }
    let limit = INSTANCES.value().ok();
    found.extend(limit.map(|limit| instances(config.roots.len(), limit, left(config, is_running))));
    found
}

fn status_port(address: &StatusAddress, bound: io::Result<()>) -> Finding {
    let StatusAddress { host, port } = address;
    match bound {
        Ok(()) if *port == 0 => Finding::fine("host", "no status page is wanted"),
        Ok(()) => Finding::fine("host", format!("port {port} is free")),
        Err(error) => {
            let text = format!(
                "{host}:{port} cannot be listened on: {error}; without another port or hostip there \
                 is no status page"
            );
            Finding::warning("host", text)
        }
    }
}

fn clock(utc_s: i64) -> Finding {
    if utc_s < CLOCK_S_MIN {
        let text = "it shows a time before 2025; set it, since files are compared by their times";
        return Finding::warning("clock", text);
    }
    Finding::fine("clock", "shows a likely time")
}

/// Whether so many instances are left as a start needs. They are given back at once.
fn left(config: &Config, is_running: bool) -> io::Result<()> {
    let needed = if is_running { 0 } else { config.roots.len() };
    (0..needed).map(|_| Inotify::new()).collect::<io::Result<Vec<_>>>().map(drop)
}

fn instances(roots: usize, limit: u64, left: io::Result<()>) -> Finding {
    let name = "fs.inotify.max_user_instances";
    if roots as u64 > limit {
        let enough = roots * 2;
        let text =
            format!("{limit}, and {roots} roots need one each; run: sysctl -w {name}={enough}");
        return Finding::error(name, text);
    }
    match left {
        Ok(()) => Finding::fine(name, limit.to_string()),
        Err(error) => Finding::error(name, error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Severity::{Error, Fine, Warning};
    use super::*;

    #[test]
    fn limits_and_times_are_judged() {
        for (roots, limit, expected) in [(1, 128, Fine), (128, 128, Fine), (129, 128, Error)] {
            assert_eq!(instances(roots, limit, Ok(())).severity, expected, "{roots} {limit}");
        }
        assert_eq!(instances(1, 128, Err(io::Error::other("none"))).severity, Error);
        for (utc_s, expected) in [(0, Warning), (CLOCK_S_MIN - 1, Warning), (CLOCK_S_MIN, Fine)] {
            assert_eq!(clock(utc_s).severity, expected, "{utc_s}");
        }
        let address = StatusAddress { host: "h".into(), port: 8008 };
        assert_eq!(status_port(&address, Ok(())).severity, Fine);
        let taken = Err(io::ErrorKind::AddrInUse.into());
        assert_eq!(status_port(&address, taken).severity, Warning);
    }
}
