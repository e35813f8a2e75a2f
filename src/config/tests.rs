//! Whole files, and what they mean. Those that are wrong are in [`wrong`].

mod wrong;

use super::*;
use std::path::Path;

/// The template that sersync 2.5.4 came with, as its guides print it.
const TEMPLATE: &str = include_str!("template.xml");

fn parse(source: &[u8]) -> Result<Config, Error> {
    Config::parse(Path::new("confxml.xml"), source)
}

/// A root whose remotes have no settings of their own.
fn root(watch: &str, remotes: Vec<Address>) -> Root {
    let rsync = Rsync { params: vec![b"-artz".into()], ..Rsync::default() };
    let to =
        |address| RemoteSettings { address, rsync: rsync.clone(), position: Position::default() };
    let remotes = remotes.into_iter().map(to).collect();
    Root { watch: watch.into(), remotes, position: Position::default() }
}

/// The settings of the first remote.
fn first_rsync(config: &Config) -> &Rsync {
    &config.roots[0].remotes[0].rsync
}

fn daemon(host: &str, module: &str) -> Address {
    Address::Daemon { host: host.into(), module: module.into() }
}

/// A file with nothing but what must be there, and `more` within `sersync`.
fn with(more: &str) -> String {
    format!(
        "<head><sersync><localpath watch='/data'><remote ip='h' name='m'/></localpath>\n\
         {more}</sersync></head>"
    )
}

/// A file with nothing but what must be there, and `more` within `rsync`.
fn with_rsync(more: &str) -> String {
    with(&format!("<rsync>{more}</rsync>"))
}

fn texts(warnings: &[Problem]) -> Vec<String> {
    warnings.iter().map(Problem::to_string).collect()
}

#[test]
fn the_official_template_means_what_it_always_meant() {
    let config = parse(TEMPLATE.as_bytes()).unwrap();
    let Config { warnings, plugins, .. } = &config;
    assert_eq!(warnings.len(), 1, "{:?}", texts(warnings));
    assert!(warnings[0].text.starts_with("-u: "), "{:?}", texts(warnings));
    assert_eq!(
        plugins[..2],
        [
            Plugin::Command {
                prefix: b"/bin/sh".into(),
                suffix: Vec::new(),
                ignore_error: true,
                includes: Vec::new(),
            },
            Plugin::Socket {
                watch: "/opt/tongbu".into(),
                host: "192.168.138.20".into(),
                port: 8009,
            },
        ]
    );
    let cdn = Plugin::RefreshCdn {
        watch: "/data0/htdocs/cms.xoyo.com/site".into(),
        domain: "ccms.chinacache.com".into(),
        port: 80,
        user: "xxxx".into(),
        password: "xxxx".into(),
        base: "http://pic.xoyo.com/cms".into(),
        pattern: None,
    };
    assert_eq!(config.plugin_block(PluginKind::RefreshCdn), Some(&cdn));
    let rest = Config { warnings: Vec::new(), plugins: Vec::new(), ..config };
    let expected = Config {
        file: "confxml.xml".into(),
        status: StatusAddress { host: "localhost".into(), port: 8008 },
        debug: false,
        filter: FilterSettings::default(),
        events: Events::default(),
        roots: vec![Root {
            watch: "/opt/tongbu".into(),
            remotes: vec![RemoteSettings {
                address: daemon("127.0.0.1", "tongbu1"),
                rsync: Rsync { params: vec![b"-artuz".into()], ..Rsync::default() },
                position: Position::default(),
            }],
            position: Position::default(),
        }],
        fail_log: FailLog { path: "/tmp/rsync_fail_log.sh".into(), every_s: 3600 },
        crontab: None,
        plugin: None,
        plugins: Vec::new(),
        batch: Batch::default(),
        standby: StandbyMode::For(60),
        safety: Safety { empty_root: EmptyRoot::Halt, max_delete: MaxDelete::Share(50) },
        alert: None,
        warnings: Vec::new(),
    };
    assert_eq!(rest, expected);
}

#[test]
fn the_templates_switches_turn_each_thing_on() {
    let source = TEMPLATE
        .replace("start=\"false\"", "start=\"true\"")
        .replace("name=\"tongbu1", "name=\"/x");
    let config = parse(source.as_bytes()).unwrap();
    assert!(config.debug);
    assert_eq!(config.filter.excludes, [r"(.*)\.svn", r"(.*)\.gz", "^info/*", "^static/*"]);
    let all = Events { create_file: true, attrib: true, modify: true, ..Events::default() };
    assert_eq!(config.events, all);
    let ssh = Address::Ssh { host: "127.0.0.1".into(), path: b"/x".into() };
    assert_eq!(config.roots[0].remotes[0].address, ssh);
    let rsync = Rsync {
        params: vec![b"-artuz".into()],
        user: Some("root".into()),
        password_file: None,
        password_file_position: Position::default(),
        port: Some(874),
        timeout_s: Some(100),
    };
    assert_eq!(*first_rsync(&config), rsync);
    let excludes = vec![b"*.php".to_vec(), b"info/*".to_vec()];
    assert_eq!(
        config.crontab,
        Some(CrontabSettings { timetable: Timetable::Every(36_000), excludes })
    );
    assert_eq!(config.plugin, Some(PluginKind::Command));
}

#[test]
fn the_examples_parse_without_a_warning() {
    let template = parse(TEMPLATE.replace("-artuz", "-artz").as_bytes()).unwrap();
    let example = parse(include_bytes!("../../conf/confxml.xml")).unwrap();
    assert_eq!(example, template, "the example is the official template without -u");

    let example = parse(include_bytes!("../../conf/confxml-daemon.xml")).unwrap();
    assert_eq!(texts(&example.warnings), [""; 0]);
    assert_eq!(first_rsync(&example).password_file, Some("/etc/rsync.pass".into()));
    assert_eq!(example.roots[0].remotes[0].address, daemon("10.0.5.41", "backup"));

    let example = parse(include_bytes!("../../conf/confxml-ssh.xml")).unwrap();
    assert_eq!(texts(&example.warnings), [""; 0]);
    assert_eq!(first_rsync(&example).password_file, None);
    assert_eq!(first_rsync(&example).user.as_deref(), Some("root"));
    assert_eq!(first_rsync(&example).port, Some(22));

    let example = parse(include_bytes!("../../conf/confxml-remotes.xml")).unwrap();
    assert_eq!(texts(&example.warnings), [""; 0]);
    let users = example.roots[0].remotes.iter().map(|to| to.rsync.user.as_deref());
    assert_eq!(users.collect::<Vec<_>>(), [Some("rsyncuser"), Some("other"), None, Some("root")]);

    for (source, kind) in [
        (include_str!("../../conf/confxml-command.xml"), PluginKind::Command),
        (include_str!("../../conf/confxml-socket.xml"), PluginKind::Socket),
        (include_str!("../../conf/confxml-http.xml"), PluginKind::Http),
        (include_str!("../../conf/confxml-refreshcdn.xml"), PluginKind::RefreshCdn),
    ] {
        let example = parse(source.as_bytes()).unwrap();
        assert_eq!(texts(&example.warnings), [""; 0]);
        assert_eq!(example.plugin, Some(kind));
    }
}

#[test]
fn what_is_missing_is_as_in_the_template() {
    let config = parse(with("").as_bytes()).unwrap();
    let template = parse(TEMPLATE.replace("-artuz", "-artz").as_bytes()).unwrap();
    let roots = vec![root("/data", vec![daemon("h", "m")])];
    assert_eq!(config, Config { roots, plugins: Vec::new(), ..template });
}

#[test]
fn several_roots_have_several_remotes() {
    let source = "<head><sersync>\
        <localpath watch='/a//'><remote ip='h' name='1'/><remote ip='h' name='2'/></localpath>\
        <localpath watch='/'><remote ip='i' name='1'/></localpath></sersync></head>";
    let config = parse(source.as_bytes()).unwrap();
    assert_eq!(
        config.roots,
        [root("/a", vec![daemon("h", "1"), daemon("h", "2")]), root("/", vec![daemon("i", "1")]),]
    );
    assert_eq!(config.roots[0].watch.as_os_str(), "/a");
    assert_eq!(texts(&config.warnings), [""; 0]);
}

#[test]
fn two_roots_into_one_remote_earn_a_warning() {
    let source = with("<localpath watch='/b'><remote ip='h' name='m'/></localpath>");
    let warnings = texts(&parse(source.as_bytes()).unwrap().warnings);
    assert_eq!(warnings.len(), 1);
    assert!(warnings[0].starts_with("2:23: this remote is also one of /data: "), "{warnings:?}");
}

#[test]
fn a_remote_that_is_there_twice_earns_a_warning() {
    let remote = "<remote ip='h' name='m'/>";
    let source = with("").replace(remote, &remote.repeat(2));
    let warnings = texts(&parse(source.as_bytes()).unwrap().warnings);
    assert_eq!(warnings, ["1:66: this remote is there twice: everything is sent twice"]);
}

#[test]
fn bytes_come_back_as_they_were_written() {
    // The same Chinese words in UTF-8 and in GBK, with a comment in front and a byte order mark.
    let words: [&[u8]; 2] = ["数据".as_bytes(), b"\xca\xfd\xbe\xdd"];
    for word in words {
        let mut source = b"\xef\xbb\xbf\n<?xml version='1.0' encoding='ISO-8859-1'?><!--".to_vec();
        source
            .extend([word, b"--><head><filter start='true'><exclude expression='", word].concat());
        source.extend([b".*'/></filter><sersync><localpath watch='/", word, b"'>"].concat());
        source.extend([b"<remote ip='h' name='", word, b"'/></localpath><rsync>"].concat());
        source.extend([b"<commonParams params='-a --exclude=", word, b"'/></rsync>"].concat());
        source.extend([b"<failLog path='/", word, b"'/></sersync></head>"].concat());
        let config = parse(&source).unwrap();
        use std::os::unix::ffi::OsStrExt;
        assert_eq!(config.roots[0].watch.as_os_str().as_bytes(), [b"/", word].concat());
        let Address::Daemon { module, .. } = &config.roots[0].remotes[0].address else {
            panic!("{config:?}");
        };
        assert_eq!(module, word);
        assert_eq!(first_rsync(&config).params[1], [b"--exclude=", word].concat());
        assert_eq!(config.fail_log.path.as_os_str().as_bytes(), [b"/", word].concat());
        let regex = expression::compile(&config.filter.excludes[0]).unwrap();
        assert!(regex.is_match(&text::decode(&[word, b".log"].concat())));
    }
}

#[test]
fn times_have_units() {
    let cases = [("60", 3600), ("60s", 60), ("60m", 3600), ("1h", 3600), (" 5 ", 300)];
    for (written, seconds) in cases {
        let source = with(&format!(
            "<failLog path='/f' timeToExecute='{written}'/><crontab start='true' schedule='{written}'/>"
        ));
        let config = parse(source.as_bytes()).unwrap();
        assert_eq!(config.fail_log.every_s, seconds, "{written}");
        assert_eq!(
            config.crontab.map(|crontab| crontab.timetable),
            Some(Timetable::Every(seconds)),
            "{written}"
        );
    }
}

#[test]
fn full_syncs_may_have_times_of_day() {
    let at = |hour, minute| TimeOfDay { hour, minute };
    for (written, expected) in [
        ("at='03:00'", Timetable::At(vec![at(3, 0)])),
        ("at=' 15:30, 3:00,15:30'", Timetable::At(vec![at(3, 0), at(15, 30)])),
        ("schedule='90m'", Timetable::Every(5400)),
        ("", Timetable::Every(36_000)),
    ] {
        let config = parse(with(&format!("<crontab start='true' {written}/>")).as_bytes()).unwrap();
        assert_eq!(texts(&config.warnings), [""; 0]);
        assert_eq!(config.crontab.map(|crontab| crontab.timetable), Some(expected), "{written}");
    }
}

#[test]
fn an_empty_root_halts_unless_it_is_said_otherwise() {
    for (written, expected) in [
        ("", EmptyRoot::Halt),
        ("<safety/>", EmptyRoot::Halt),
        ("<safety emptyRoot='halt'/>", EmptyRoot::Halt),
        ("<safety emptyRoot='sync'/>", EmptyRoot::Sync),
    ] {
        let config = parse(with(written).as_bytes()).unwrap();
        assert_eq!((config.safety.empty_root, config.warnings.len()), (expected, 0), "{written}");
    }
}

#[test]
fn half_of_a_remote_is_deleted_unasked_unless_it_is_said_otherwise() {
    for (written, expected) in [
        ("<safety emptyRoot='sync'/>", MaxDelete::Share(50)),
        ("<safety maxDelete='50%'/>", MaxDelete::Share(50)),
        ("<safety maxDelete=' 100 % '/>", MaxDelete::Share(100)),
        ("<safety maxDelete='0'/>", MaxDelete::Number(0)),
        ("<safety maxDelete='1000' emptyRoot='halt'/>", MaxDelete::Number(1000)),
        ("<safety maxDelete='no'/>", MaxDelete::Any),
    ] {
        let config = parse(with(written).as_bytes()).unwrap();
        assert_eq!((config.safety.max_delete, config.warnings.len()), (expected, 0), "{written}");
    }
}

#[test]
fn batches_have_limits() {
    let batch = |quiet_ms, delay_ms_max, interval_ms| Batch { quiet_ms, delay_ms_max, interval_ms };
    let cases = [
        ("<batch/>", Batch::default()),
        ("<batch quietMs='10' maxDelayMs='50' interval='5'/>", batch(10, 50, Some(5000))),
        ("<batch quietMs='500'/>", batch(500, 500, None)),
        ("<batch interval='500ms'/>", batch(2, 100, Some(500))),
        ("<batch quietMs='0' maxDelayMs='0' interval='0'/>", batch(0, 0, Some(0))),
    ];
    for (written, expected) in cases {
        assert_eq!(parse(with(written).as_bytes()).unwrap().batch, expected, "{written}");
    }
}

#[test]
fn a_standby_is_kept_for_a_while_for_ever_or_not_at_all() {
    let cases = [
        ("", StandbyMode::For(60)),
        ("<standby/>", StandbyMode::For(60)),
        ("<standby start='true'/>", StandbyMode::For(60)),
        ("<standby seconds='5'/>", StandbyMode::For(5)),
        ("<standby start='true' seconds='2m'/>", StandbyMode::For(120)),
        ("<standby seconds='always'/>", StandbyMode::Always),
        ("<standby start='false'/>", StandbyMode::Off),
        ("<standby start='false' seconds='always'/>", StandbyMode::Off),
    ];
    for (written, expected) in cases {
        let config = parse(with(written).as_bytes()).unwrap();
        assert_eq!((config.standby, config.warnings.len()), (expected, 0), "{written}");
    }
    for seconds in ["0", "", "-1", "never", "1000h 5", "99999999"] {
        let written = with(&format!("<standby seconds='{seconds}'/>"));
        let error = parse(written.as_bytes()).unwrap_err().to_string();
        assert!(error.contains("confxml.xml:2:") && error.contains("seconds"), "{error}");
    }
}

#[test]
fn hidden_files_are_filtered_with_or_without_expressions() {
    let cases = [
        ("<filter hidden='true'><exclude expression='a'/></filter>", true, 0),
        ("<filter start='true' hidden='true'><exclude expression='a'/></filter>", true, 1),
        ("<filter start='true'><exclude expression='a'/></filter>", false, 1),
        ("<filter start='false'><exclude expression='('/></filter>", false, 0),
    ];
    for (filter, hidden, excludes) in cases {
        let source = with("").replace("<head>", &format!("<head>{filter}"));
        let found = parse(source.as_bytes()).unwrap().filter;
        assert_eq!((found.hidden, found.excludes.len()), (hidden, excludes), "{filter}");
    }
}

#[test]
fn what_is_turned_off_is_not_looked_into() {
    let source = with_rsync(
        "<auth start='false'/><userDefinedPort start='false' port=''/>\
         <timeout start='false' time='never'/>",
    );
    let config = parse(source.as_bytes()).unwrap();
    assert_eq!(*first_rsync(&config), Rsync { params: vec![b"-artz".into()], ..Rsync::default() });
}

#[test]
fn a_file_full_of_nonsense_is_read_in_no_time() {
    let nonsense =
        ["<x/>", "a<!---->", "<remote ip='h' name='m'/>", "<remote ip='h' name='m' y='z'/>"];
    for text in nonsense {
        let many = text.repeat((FILE_BYTES_MAX - 1000) / text.len());
        let source =
            with("").replace("<remote ip='h' name='m'/>", &(many + "<remote ip='h' name='m'/>"));
        let config = parse(source.as_bytes()).unwrap();
        assert_eq!(config.warnings.len(), diagnosis::warnings::WARNINGS_MAX + 1, "{text}");
    }
}

#[test]
fn warnings_come_in_the_order_of_the_file() {
    let source =
        with_rsync("\n<commonParams params='-u'/>\n<shs/>").replace("<head>", "<head><x/>");
    let warnings = texts(&parse(source.as_bytes()).unwrap().warnings);
    let starts: Vec<_> = warnings.iter().map(|text| &text[..8]).collect();
    assert_eq!(starts, ["1:7: unk", "3:15: -u", "4:1: unk"], "{warnings:?}");
}

#[test]
fn an_alert_has_a_command_and_a_time() {
    let cases = [
        ("<alert command='mail root' after='5'/>", b"mail root".as_slice(), 5),
        ("<alert command='/a b' after='2m'/>", b"/a b", 120),
        ("<alert command='x' after='0'/>", b"x", 0),
        ("<alert command='x'/>", b"x", 60),
    ];
    for (written, command, after_s) in cases {
        let config = parse(with(written).as_bytes()).unwrap();
        assert_eq!(
            config.alert,
            Some(AlertSettings { command: command.into(), after_s }),
            "{written}"
        );
        assert_eq!(texts(&config.warnings), [""; 0]);
    }
    for (written, expected) in [
        ("<alert after='5'/>", "found no command=\"...\" in <alert>"),
        (
            "<alert command='x' after='2d'/>",
            "found after=\"2d\" in <alert>, expected a time from 0",
        ),
        ("<alert command='x' after='90000'/>", "found after=\"90000\""),
    ] {
        let error = parse(with(written).as_bytes()).unwrap_err();
        assert!(error.problem.text.starts_with(expected), "{error}");
    }
}

#[test]
fn a_configuration_is_the_same_wherever_it_says_what() {
    let plain = with("");
    let same =
        |other: &str| parse(plain.as_bytes()).unwrap().is_same(&parse(other.as_bytes()).unwrap());
    assert!(same(&plain));
    assert!(same(&with("<!-- a comment\n -->\n\n<unknown/>")));
    assert!(same(&with(r#"<crontab start="false" schedule="7"/>"#)));
    assert!(!same(&with(r#"<crontab start="true" schedule="7"/>"#)));
    assert!(!same(&plain.replace("name='m'", "name='n'")));
    assert!(!same(&plain.replace("/data", "/data2")));
}
