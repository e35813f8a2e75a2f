//! The command line by tables: what is typed, and what it means or what is said of it.

use super::*;

fn parsed(line: &str) -> Result<Invocation, Error> {
    parse(line.split_whitespace().map(OsString::from))
}

fn options() -> Options {
    Options {
        full_sync: false,
        background: false,
        config: "confxml.xml".into(),
        workers: 10,
        plugin_only: None,
        without_modify: false,
        pid_file: None,
        log_file: None,
        log_level: None,
    }
}

#[test]
fn what_guides_write_is_understood() {
    let daemon = Options { background: true, full_sync: true, ..options() };
    let with_file = Options { config: "/etc/c.xml".into(), ..daemon.clone() };
    let http = Some(PluginKind::Http);
    let cases = [
        ("", options()),
        ("-r", Options { full_sync: true, ..options() }),
        ("-d", Options { background: true, ..options() }),
        ("-rd", daemon.clone()),
        ("-d -r", daemon.clone()),
        ("-dd -r", daemon.clone()),
        ("--daemon --full-sync", daemon.clone()),
        ("-dro /etc/c.xml", with_file.clone()),
        ("-dro/etc/c.xml", with_file.clone()),
        ("-r -d -o /etc/c.xml", with_file.clone()),
        ("-o /etc/c.xml -rd", with_file.clone()),
        ("-o/etc/c.xml -rd", with_file.clone()),
        ("-o /a -rdo /etc/c.xml", with_file.clone()),
        ("--config /etc/c.xml -dr", with_file.clone()),
        ("--config=/etc/c.xml -dr", with_file),
        ("-o -r", Options { config: "-r".into(), ..options() }),
        ("--config -rd", Options { config: "-rd".into(), ..options() }),
        ("-n4", Options { workers: 4, ..options() }),
        ("-n 1000", Options { workers: 1000, ..options() }),
        ("--workers=1", Options { workers: 1, ..options() }),
        ("-d -m http", Options { background: true, plugin_only: http, ..options() }),
        ("-dm http", Options { background: true, plugin_only: http, ..options() }),
        ("-mhttp", Options { plugin_only: http, ..options() }),
        ("--plugin http", Options { plugin_only: http, ..options() }),
        ("-r -d -m -o x", Options { config: "x".into(), without_modify: true, ..daemon.clone() }),
        ("-rdm", Options { without_modify: true, ..daemon }),
        ("--pid-file /run/s.pid", Options { pid_file: Some("/run/s.pid".into()), ..options() }),
        ("--log-file=-l", Options { log_file: Some("-l".into()), ..options() }),
        ("--log-file a --log-file b", Options { log_file: Some("b".into()), ..options() }),
        ("--log-level WARN", Options { log_level: Some(LevelFilter::Warn), ..options() }),
        ("--log-level=trace", Options { log_level: Some(LevelFilter::Trace), ..options() }),
        ("--without-modify", Options { without_modify: true, ..options() }),
    ];
    for (line, expected) in cases {
        assert_eq!(parsed(line), Ok(Invocation::Run(expected)), "{line:?}");
    }
}

#[test]
fn what_is_not_a_run_is_known() {
    let status = |config: &str, json, watch| {
        Invocation::Status(StatusView { config: config.into(), json, watch })
    };
    let typed = Options { full_sync: true, background: true, config: "x".into(), ..options() };
    let cases = [
        ("--check", Invocation::Check(options())),
        ("-rdo x --check", Invocation::Check(typed.clone())),
        ("--dry-run -drox", Invocation::DryRun(typed)),
        ("--status", status("confxml.xml", false, false)),
        ("--json --status -o x", status("x", true, false)),
        ("-ox --status --watch", status("x", false, true)),
    ];
    for (line, expected) in cases {
        assert_eq!(parsed(line), Ok(expected), "{line}");
    }
}

#[test]
fn every_plugin_can_run_alone() {
    for (name, kind) in PluginKind::NAMES {
        let expected = Options { plugin_only: Some(kind), ..options() };
        assert_eq!(parsed(&format!("-m {name}")), Ok(Invocation::Run(expected)));
        assert_eq!(kind.name(), name);
    }
}

#[test]
fn help_and_version_win() {
    for line in ["-h", "--help", "-dh", "-h -d", "-d -n 0 -h"] {
        assert_eq!(parsed(line), Ok(Invocation::Help), "{line}");
    }
    assert_eq!(parsed("-d --version"), Ok(Invocation::Version));
}

#[test]
fn what_cannot_be_followed_is_one_clear_line() {
    let cases = [
        ("-x", "Unrecognized argument: -x;"),
        ("-dxr", "Unrecognized argument: -x;"),
        ("--colour", "Unrecognized argument: --colour;"),
        ("-", "Unrecognized argument: -;"),
        ("start", "Unrecognized argument: start;"),
        ("-é", "Unrecognized argument: -"),
        ("-o", "No value provided for option '-o'"),
        ("-dro", "No value provided for option '-o'"),
        ("--config", "No value provided for option '--config'"),
        ("--config=", "Error parsing option '--config' with value '': expected the name"),
        ("-n 0", "Error parsing option '-n' with value '0': expected a whole number from 1 to"),
        ("-n 1001", "Error parsing option '-n' with value '1001': expected a whole number"),
        ("-n -5", "Error parsing option '-n' with value '-5': expected a whole number"),
        ("-n ten", "Error parsing option '-n' with value 'ten': expected a whole number"),
        ("-n", "No value provided for option '-n'"),
        ("-m cdn", "Error parsing option '-m' with value 'cdn': expected one of refreshCDN, s"),
        ("--log-level 3", "Error parsing option '--log-level' with value '3': expected one of er"),
        ("--log-level off", "Error parsing option '--log-level' with value 'off': expected one"),
        ("--pid-file", "No value provided for option '--pid-file'"),
        ("--log-file=", "Error parsing option '--log-file' with value '': expected the name of"),
        ("--json", "--json and --watch go with --status;"),
        ("--check --watch", "--json and --watch go with --status;"),
        (
            "--check --status",
            "--check, --dry-run, --status, --reload and --confirm-deletions do not go",
        ),
        ("--reload --confirm-deletions", "--check, --dry-run, --status, --reload and --confirm-"),
        ("-m 数", "Error parsing option '-m' with value '数': expected one of"),
    ];
    for (line, expected) in cases {
        let error = parsed(line).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{line:?}: {error}");
        assert!(error.ends_with("; sersync --help lists the options"), "{error}");
        assert!(!error.contains('\n'), "{error:?}");
    }
}

#[test]
fn a_path_keeps_its_bytes() {
    for bytes in [b"/\xff\xfe.xml".as_slice(), "/数据.xml".as_bytes(), b"/a=b -c"] {
        let path = OsString::from_vec(bytes.to_vec());
        let joined = |start: &str| OsString::from_vec([start.as_bytes(), bytes].concat());
        let lines =
            [vec!["-o".into(), path.clone()], vec![joined("-o")], vec![joined("--config=")]];
        for line in lines {
            let expected = Options { config: path.clone().into(), ..options() };
            assert_eq!(parse(line), Ok(Invocation::Run(expected)), "{bytes:?}");
        }
    }
}

/// The options, each as argh's own help writes it: `-o, --config`.
fn all_options() -> Vec<String> {
    let help = help(Language::English);
    let options = regex_lite::Regex::new(r"(?m)^  ((-\w, )?--[\w-]+)").unwrap();
    let options: Vec<_> = options.captures_iter(&help).map(|found| found[1].to_owned()).collect();
    assert!(options.len() >= 15, "{options:?} in\n{help}");
    options
}

#[test]
fn help_names_every_option_in_both_languages() {
    let all = all_options();
    for option in ["-r, --full-sync", "-d, --daemon", "-o, --config", "-n, --workers"] {
        assert!(all.contains(&option.to_owned()), "{option} in {all:?}");
    }
    let chinese = help(Language::Chinese);
    for option in &all {
        let at_its_place = format!("\n  {option} ");
        assert!(chinese.contains(&at_its_place), "{option} in\n{chinese}");
    }
    let lines = chinese.lines().filter(|line| line.starts_with("  -")).count();
    assert_eq!(lines, all.len(), "an option that does not exist");
}

#[test]
fn faults_are_told_in_chinese_too() {
    let cases = [
        ("-x", "无法识别的参数：-x；"),
        ("-o", "选项 -o 缺少值；"),
        ("-n ten", "选项 -n 的值“ten”有误：应为 1 到 1000 的整数；"),
        ("-m cdn", "选项 -m 的值“cdn”有误：应为 refreshCDN, socket, http, command 之一；"),
        (
            "--log-level 3",
            "选项 --log-level 的值“3”有误：应为 error, warn, info, debug, trace 之一；",
        ),
        ("--config=", "选项 --config 的值“”有误：应为文件名；"),
        ("--json", "--json 和 --watch 只能与 --status 一起使用；"),
        (
            "--check --status",
            "--check、--dry-run、--status、--reload 和 --confirm-deletions 不能同时使用；",
        ),
    ];
    for (line, expected) in cases {
        let error = parsed(line).unwrap_err().in_language(Language::Chinese);
        assert_eq!(error, format!("{expected}运行 sersync --help 可查看所有选项"), "{line}");
    }
}

#[test]
fn version_says_what_was_built_and_when() {
    let version = version();
    let expected = regex_lite::Regex::new(
        r"\Asersync 3\.\d+\.\d+ \(\w+-[\w-]+, built \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\)\n\z",
    );
    assert!(expected.unwrap().is_match(&version), "{version}");
}
