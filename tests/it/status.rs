//! The status server as programs see it, and `--status` in every state.

use crate::harness::{
    binary, eventually, free_port, rest_for, run_to_end, until, Gate, Json, Mirror, Plan, Rsync,
    DEADLINE,
};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv6Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

/// Gives the plan a port.
fn with_port(plan: &mut Plan) -> u16 {
    plan.conf.status_port = free_port();
    plan.conf.status_port
}

fn connect(port: u16) -> TcpStream {
    let stream = until("the status server listens", DEADLINE, || {
        TcpStream::connect(("127.0.0.1", port)).map_err(|error| error.to_string())
    });
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream
}

/// Sends the bytes and reads until the server closes.
fn exchange(port: u16, bytes: &[u8]) -> String {
    let mut stream = connect(port);
    stream.write_all(bytes).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    String::from_utf8(answer).unwrap()
}

/// Asks for a path; gives the status line and the body.
pub fn get(port: u16, path: &str) -> (String, String) {
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    let answer = exchange(port, request.as_bytes());
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.lines().next().unwrap().to_string(), body.to_string())
}

fn json(port: u16) -> Json {
    Json::parse(&get(port, "/status.json").1)
}

fn has_answer(answer: &str, status: &str) {
    assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "not {status}: {answer}");
}

#[test]
fn what_is_asked_for_is_answered() {
    let mut plan = Plan::local();
    let port = with_port(&mut plan);
    let mirror = plan.start_without_daemon();
    mirror.equal();
    fs::write(mirror.root.join("new"), "content").unwrap();
    mirror.equal();
    eventually("the change is counted", || json(port).number("remotes/0/paths_total") >= 1.0);
    let all = json(port);
    assert_eq!(all.number("format"), 1.0);
    assert_eq!(all.number("pid"), f64::from(mirror.pid()));
    assert_eq!(all.text("roots/0/path"), mirror.root.display().to_string());
    assert_eq!(all.text("roots/0/state"), "watched");
    assert_eq!(all.number("remotes/0/full_syncs_total"), 1.0);
    assert!(all.number("roots/0/changes_total") >= 1.0);
    assert!(all.number("watches/used") >= 1.0 && all.number("memory_bytes") > 0.0);
    eventually("everything is in step", || json(port).text("remotes/0/state") == "up");
    assert_eq!(get(port, "/healthz"), ("HTTP/1.1 200 OK".into(), "healthy\n".into()));
    assert!(get(port, "/status.txt").1.contains("healthy\n"));
    assert!(get(port, "/").1.starts_with("<!doctype html>"));
    has_answer(&exchange(port, b"GET /nothing HTTP/1.0\r\n\r\n"), "404");
    // On the other loopback as well.
    TcpStream::connect((Ipv6Addr::LOCALHOST, port)).unwrap();
}

#[test]
fn what_is_no_proper_request_is_refused_and_ends_the_connection() {
    let mut plan = Plan::local();
    let port = with_port(&mut plan);
    let _mirror = plan.start_without_daemon();
    let oversized = format!("GET / HTTP/1.1\r\nHost: localhost\r\nX: {}", "x".repeat(9_000));
    for (bytes, status) in [
        ("GET / HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n", "421"),
        ("GET / HTTP/1.1\r\nHost: localhost.evil.example\r\nConnection: close\r\n\r\n", "421"),
        ("GET / HTTP/1.1\r\n\r\n", "400"),
        ("GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil\r\n\r\n", "400"),
        ("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nabc", "405"),
        ("DELETE /status.json HTTP/1.1\r\nHost: localhost\r\n\r\n", "405"),
        ("GET / HTTP/3.0\r\nHost: localhost\r\n\r\n", "505"),
        ("\x16\x03\x01\x02\x00\x01\x00", "400"),
        ("\r\n\r\n", "400"),
        (oversized.as_str(), "431"),
    ] {
        let answer = exchange(port, bytes.as_bytes());
        has_answer(&answer, status);
        assert_eq!(answer.contains("\r\nAllow: GET, HEAD\r\n"), status == "405", "{answer}");
        assert!(!answer.contains("evil"), "what was sent comes back: {answer}");
    }
    let answer = exchange(port, b"GET / HTTP/1.0\r\n\r\n");
    for header in [
        "Content-Security-Policy: default-src 'none'; script-src 'nonce-",
        "frame-ancestors 'none'",
        "X-Content-Type-Options: nosniff",
        "X-Frame-Options: DENY",
        "Cache-Control: no-store",
    ] {
        assert!(answer.contains(header), "{header}: {answer}");
    }
}

#[test]
fn requests_may_come_behind_each_other_and_in_pieces() {
    let mut plan = Plan::local();
    let port = with_port(&mut plan);
    let _mirror = plan.start_without_daemon();
    // More than are answered in one turn.
    let many = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(100);
    let last = "HEAD /status.json HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    let answer = exchange(port, (many + last).as_bytes());
    assert_eq!(answer.matches("HTTP/1.1 200 OK\r\n").count(), 101, "{answer}");
    assert_eq!(answer.matches("\r\n\r\nhealthy\n").count(), 100);
    let (_, head) = answer.rsplit_once("HTTP/1.1 200 OK").unwrap();
    assert!(head.ends_with("\r\n\r\n") && !head.contains("Content-Length: 0\r\n"), "{head}");
    let mut stream = connect(port);
    for byte in last.as_bytes() {
        stream.write_all(&[*byte]).unwrap();
    }
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    has_answer(&answer, "200");
}

#[test]
fn who_is_slow_or_says_nothing_keeps_nobody_else_out() {
    let mut plan = Plan::local();
    let port = with_port(&mut plan);
    let mirror = plan.start_without_daemon();
    // More connections than there may be, half of them in the middle of a request.
    let mut slow: Vec<TcpStream> = (0..80).map(|_| connect(port)).collect();
    for stream in slow.iter_mut().step_by(2) {
        // Those whose place was taken are closed already.
        let _ = stream.write_all(b"GET / HTTP/1.1\r\nHost: loc");
    }
    assert_eq!(get(port, "/healthz").0, "HTTP/1.1 200 OK");
    let descriptors = || fs::read_dir(format!("/proc/{}/fd", mirror.pid())).unwrap().count();
    assert!(descriptors() < 80, "{} descriptors are open", descriptors());
    // One that goes on sending is ended all the same.
    until("slow connections are ended", DEADLINE, || {
        let mut left = 0;
        for stream in &mut slow {
            let _ = stream.write_all(b"a");
            stream.set_nonblocking(true).unwrap();
            let read = stream.read(&mut [0; 10]);
            left += usize::from(
                read.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock),
            );
        }
        if left == 0 {
            Ok(())
        } else {
            Err(format!("{left} are open"))
        }
    });
    // And one that does not read its answers.
    let mut deaf = connect(port);
    deaf.set_write_timeout(Some(Duration::from_millis(100))).unwrap();
    let many = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(200);
    while deaf.write_all(many.as_bytes()).is_ok() {}
    assert_eq!(get(port, "/healthz").0, "HTTP/1.1 200 OK");
    fs::write(mirror.root.join("new"), "content").unwrap();
    mirror.equal();
}

#[test]
fn an_idle_program_with_an_idle_server_is_never_woken() {
    let mut plan = Plan::local();
    let port = with_port(&mut plan);
    let mirror = plan.start_without_daemon();
    mirror.equal();
    get(port, "/");
    rest_for(&[mirror.pid()], Duration::from_secs(2));
}

/// Reads the exposition format of Prometheus as strictly as its specification: each family has its
/// HELP and its TYPE before its samples, all in one place, none twice; gives the samples.
fn samples(text: &str) -> BTreeMap<String, f64> {
    let name = r"[a-zA-Z_:][a-zA-Z0-9_:]*";
    let label = r#"[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*""#;
    let sample = format!(r"\A({name})(\{{{label}(?:,{label})*\}})? (-?[0-9]+(?:\.[0-9]+)?)\z");
    let sample = regex_lite::Regex::new(&sample).unwrap();
    let help = regex_lite::Regex::new(&format!(r"\A# HELP ({name}) [^\n]+\z")).unwrap();
    let kind = r"\A# TYPE (\S+) (counter|gauge|histogram)\z";
    let kind = regex_lite::Regex::new(kind).unwrap();
    let (mut found, mut families, mut current) = (BTreeMap::new(), Vec::new(), String::new());
    let mut lines = text.strip_suffix('\n').expect("the last line has an end").lines();
    let mut current_kind = String::new();
    while let Some(line) = lines.next() {
        if let Some(about) = help.captures(line) {
            current = about[1].to_string();
            assert!(current.starts_with("sersync_") && !families.contains(&current), "{line}");
            families.push(current.clone());
            let typed = lines.next().and_then(|line| kind.captures(line)).expect("a TYPE follows");
            assert_eq!(&typed[1], current);
            current_kind = typed[2].to_string();
            assert_eq!(current_kind == "counter", current.ends_with("_total"), "{current}");
            continue;
        }
        let parts = sample.captures(line).unwrap_or_else(|| panic!("no sample: {line}"));
        let suffixes: &[&str] = match current_kind.as_str() {
            "histogram" => &["_bucket", "_sum", "_count"],
            _ => &[""],
        };
        let fits = suffixes.iter().any(|suffix| parts[1] == format!("{current}{suffix}"));
        assert!(fits, "{line} stands in the family {current}");
        let series = format!("{}{}", &parts[1], parts.get(2).map_or("", |labels| labels.as_str()));
        assert!(found.insert(series, parts[3].parse().unwrap()).is_none(), "twice: {line}");
    }
    found
}

#[test]
fn the_metrics_are_as_prometheus_wants_them() {
    let mut plan = Plan::without_remotes();
    // Names that would break out of their quotation marks.
    plan.root = plan.root.join("a\"b\\c{}");
    fs::create_dir(&plan.root).unwrap();
    fs::write(plan.root.join("anchor"), "").unwrap();
    let copy = plan.directory("copy \"quoted\"");
    plan.conf.root(&plan.root, &[("local".to_string(), copy.display().to_string())]);
    plan.remotes.push(copy);
    let port = with_port(&mut plan);
    let mirror = plan.start_without_daemon();
    fs::write(mirror.root.join("new"), "content").unwrap();
    mirror.equal();
    eventually("the batch is counted", || json(port).number("remotes/0/batches_total") >= 1.0);
    let samples = samples(&get(port, "/metrics").1);
    let value = |start: &str| {
        let found = samples.iter().find(|(series, _)| series.starts_with(start));
        *found.unwrap_or_else(|| panic!("no {start} in {samples:?}")).1
    };
    assert_eq!((samples["sersync_remotes"], samples["sersync_remotes_up"]), (1.0, 1.0));
    assert_eq!(value("sersync_remote_up{"), 1.0);
    assert!(value("sersync_changes_total{") >= 1.0);
    for name in ["sersync_batch_duration_seconds", "sersync_change_lag_seconds"] {
        let bucket = format!("{name}_bucket{{");
        let mut buckets: Vec<_> = samples
            .iter()
            .filter(|(series, _)| series.starts_with(&bucket))
            .map(|(series, count)| {
                let bound = series.rsplit_once("le=\"").unwrap().1.trim_end_matches("\"}");
                (bound.replace("+Inf", "inf").parse::<f64>().unwrap(), *count)
            })
            .collect();
        buckets.sort_by(|one, other| one.0.total_cmp(&other.0));
        assert!(buckets.windows(2).all(|two| two[0].1 <= two[1].1), "{buckets:?}");
        assert_eq!(buckets.last().unwrap().0, f64::INFINITY);
        assert_eq!(buckets.last().unwrap().1, value(&format!("{name}_count")));
        assert!(value(&format!("{name}_count")) >= 1.0);
    }
}

#[test]
fn every_metric_is_explained_and_rules_and_dashboard_know_no_other() {
    let mut plan = Plan::local();
    let port = with_port(&mut plan);
    let _mirror = plan.start_without_daemon();
    let names = |text: &str| -> BTreeSet<String> {
        let name = regex_lite::Regex::new(r"sersync_[a-z_]*[a-z]").unwrap();
        name.find_iter(text).map(|found| found.as_str().to_string()).collect()
    };
    let text = get(port, "/metrics").1;
    let family = |line: &str| line.strip_prefix("# TYPE ")?.split(' ').next().map(String::from);
    let families: BTreeSet<String> = text.lines().filter_map(family).collect();
    assert_eq!(names(include_str!("../../docs/STATUS.md")), families);
    for used in [
        include_str!("../../conf/prometheus-alerts.yml"),
        include_str!("../../conf/grafana-dashboard.json"),
    ] {
        for name in names(used) {
            assert!(families.contains(name.trim_end_matches("_bucket")), "there is no {name}");
        }
    }
    Json::parse(include_str!("../../conf/grafana-dashboard.json"));
}

#[test]
fn every_field_is_explained() {
    let mut plan = Plan::local();
    let port = with_port(&mut plan);
    let _mirror = plan.start_without_daemon();
    let explained = include_str!("../../docs/STATUS.md");
    let field = regex_lite::Regex::new(r#""([a-z_]+)":"#).unwrap();
    let text = get(port, "/status.json").1;
    for found in field.captures_iter(&text) {
        let name = &found[1];
        let ways =
            [format!("`{name}"), format!(".{name}`"), format!(".{name}, "), format!("{name}[]")];
        assert!(ways.iter().any(|way| explained.contains(way)), "{name} is not explained");
    }
}

/// `--status` with these options, for the configuration file of the mirror.
fn status(dir: &Path, options: &[&str]) -> (Option<i32>, String) {
    let asking = dir.join("asking");
    fs::create_dir_all(&asking).unwrap();
    let mut args: Vec<OsString> = vec!["--status".into(), "-o".into()];
    args.push(dir.join("confxml.xml").into_os_string());
    args.extend(options.iter().map(OsString::from));
    // The output goes to a directory of its own, but the state is that of the program which runs.
    let states = dir.join("states");
    let ended = run_to_end(&asking, &args, &[("STATE_DIRECTORY", states.to_str().unwrap())]);
    (ended.code, ended.stdout + &ended.stderr)
}

fn eventually_status(mirror: &Mirror, code: i32, words: &[&str]) {
    until(&format!("--status ends with {code} and says {words:?}"), DEADLINE, || {
        let (found, text) = status(mirror.dir(), &[]);
        let narrow = text.lines().all(|line| line.chars().count() <= 80);
        let fits = found == Some(code) && narrow && words.iter().all(|word| text.contains(word));
        fits.then_some(()).ok_or(format!("{found:?}: {text}"))
    });
}

#[test]
fn status_tells_of_every_state() {
    let mut plan = Plan::with_remotes(2);
    with_port(&mut plan);
    let mut mirror = plan.start();
    eventually_status(&mirror, 0, &["healthy", "127.0.0.1::module0", "up", "watched"]);
    let (code, text) = status(mirror.dir(), &["--json"]);
    assert_eq!(code, Some(0));
    assert_eq!(Json::parse(&text).text("remotes/1/name"), "127.0.0.1::module1");
    mirror.daemon.stop();
    fs::write(mirror.root.join("new"), "content").unwrap();
    eventually_status(&mirror, 1, &["not healthy", "down", "rsync ended with 10", "next try in"]);
    assert_eq!(status(mirror.dir(), &["--json"]).0, Some(1));
    mirror.daemon.start();
    eventually_status(&mirror, 0, &[": healthy"]);
    let away = mirror.root.with_extension("away");
    fs::rename(&mirror.root, &away).unwrap();
    eventually_status(&mirror, 1, &["halted"]);
    fs::rename(&away, &mirror.root).unwrap();
    eventually_status(&mirror, 0, &[": healthy"]);
    mirror.halt_program();
    let (code, text) = status(mirror.dir(), &[]);
    assert_eq!(code, Some(2));
    assert!(text.contains("is not running"), "{text}");
    let (code, text) = status(mirror.dir(), &["--json"]);
    assert_eq!((code, Json::parse(&text).at("running")), (Some(2), &Json::Bool(false)));
}

#[test]
fn watch_draws_again_until_nobody_reads_it() {
    let mut plan = Plan::local();
    with_port(&mut plan);
    let mirror = plan.start_without_daemon();
    mirror.equal();
    eventually_status(&mirror, 0, &[": healthy"]);
    let mut command = Command::new(binary());
    command.args(["--status", "--watch", "-o"]).arg(mirror.dir().join("confxml.xml"));
    let mut watching = command.stdout(Stdio::piped()).spawn().unwrap();
    let out = BufReader::new(watching.stdout.take().unwrap());
    let drawings = out.lines().map(Result::unwrap).filter(|line| line.ends_with(": healthy"));
    assert_eq!(drawings.take(2).count(), 2);
    // The reader has ended after these lines.
    let status = until("it ends", DEADLINE, || {
        watching.try_wait().unwrap().ok_or("it is still running".to_string())
    });
    assert_eq!(status.code(), Some(0));
}

#[test]
fn status_without_a_port_of_its_own_reads_the_files() {
    let mut plan = Plan::new();
    let other = Plan::local();
    let port = with_port(&mut plan);
    let long = plan.directory("a directory whose name is as long as some that are in use");
    plan.conf.fail_log = long.join("rsync_fail_log.sh");
    // Somebody else has the port: first no sersync, then another one.
    let taken = TcpListener::bind(("127.0.0.1", port)).unwrap();
    let mut mirror = plan.start();
    eventually("that is said", || mirror.log().contains("no status page at"));
    eventually_status(&mirror, 0, &[&format!("process {}", mirror.pid()), "does not answer"]);
    mirror.daemon.stop();
    fs::write(mirror.root.join("new"), "content").unwrap();
    eventually_status(&mirror, 1, &["fail log  1 command", "::module0 port "]);
    drop(taken);
    let mut other = other;
    other.conf.status_port = port;
    let other = other.start_without_daemon();
    eventually_status(&other, 0, &[": healthy"]);
    eventually_status(&mirror, 1, &["does not answer"]);
    let (code, text) = status(mirror.dir(), &["--json"]);
    let found = Json::parse(&text);
    assert_eq!((code, found.number("fail_log/records")), (Some(1), 1.0));
    assert_eq!(found.number("pid"), f64::from(mirror.pid()));
    mirror.daemon.start();
    mirror.equal();
}

#[test]
fn a_path_that_does_not_get_through_is_told_of_until_it_does() {
    let mut plan = Plan::new();
    let gate = Gate::before(&mut plan, Rsync::AsInstalled);
    let port = with_port(&mut plan);
    let mirror = plan.start();
    mirror.equal();
    gate.fail_next("unlucky");
    fs::write(mirror.root.join("unlucky"), "content").unwrap();
    gate.await_failure();
    eventually("it is stuck", || json(port).text("remotes/0/state") == "stuck");
    let all = json(port);
    assert_eq!(
        (all.number("remotes/0/stuck_paths"), all.number("remotes/0/partial_total")),
        (1.0, 1.0)
    );
    assert!(all.text("remotes/0/last_error").starts_with("unlucky: "), "{all:?}");
    assert!(all.number("remotes/0/lag_s") > 0.0);
    assert!(get(port, "/healthz").1.contains("1 paths do not get through"));
    mirror.equal();
    eventually("that is over", || json(port).text("remotes/0/state") == "up");
    let all = json(port);
    assert!(all.number("remotes/0/lag_s") == 0.0 && all.number("remotes/0/retries_total") >= 1.0);
    assert_eq!(get(port, "/healthz").1, "healthy\n");
}

#[test]
fn what_waits_behind_a_long_full_sync_is_seen_and_is_no_fault() {
    let mut plan = Plan::new();
    let gate = Gate::before(&mut plan, Rsync::AsInstalled);
    let port = with_port(&mut plan);
    plan.await_full_sync = false;
    gate.hold();
    let mirror = plan.start();
    gate.await_run();
    fs::write(mirror.root.join("new"), "content").unwrap();
    eventually("the change waits", || json(port).number("remotes/0/pending_paths") == 1.0);
    let all = json(port);
    assert_eq!(all.text("remotes/0/job/kind"), "full_sync");
    assert_eq!(all.text("remotes/0/state"), "sending");
    assert_eq!(all.at("healthy"), &Json::Bool(true));
    eventually_status(&mirror, 0, &["full sync, under way for"]);
    gate.release();
    mirror.equal();
    eventually("all is counted", || {
        let all = json(port);
        all.number("remotes/0/full_syncs_total") == 1.0
            && all.text("remotes/0/state") == "up"
            && all.number("remotes/0/lag_s") == 0.0
    });
}

#[test]
fn the_configuration_is_read_again_and_the_server_goes_on() {
    let mut plan = Plan::local();
    let port = with_port(&mut plan);
    let mut other = plan.conf.clone();
    other.params = "-art".into();
    let mirror = plan.start_without_daemon();
    let before = json(port).number("uptime_s");
    fs::write(mirror.dir().join("confxml.xml"), other.to_string()).unwrap();
    let mut open = connect(port);
    let pid = nix::unistd::Pid::from_raw(mirror.pid() as i32);
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGHUP).unwrap();
    eventually("it has been read", || mirror.log().contains("has been read again"));
    // What was connected is closed, and finds the new server at the same place.
    assert_eq!(open.read(&mut [0; 1]).unwrap_or(0), 0);
    assert!(json(port).number("uptime_s") > before);
}
