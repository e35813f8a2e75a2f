//! What cannot work ends at once: exit code 1, one message that says what and where, nothing started.

use crate::harness::{run_to_end, Plan};
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Runs the plan with `args`, and sees that it is refused with one line that has all `words`; what
/// stands below it shows the place.
pub fn refused_with(plan: &mut Plan, args: &[&str], variables: &[(&str, &str)], words: &[&str]) {
    plan.daemon.start();
    let args: Vec<OsString> = args.iter().map(OsString::from).collect();
    let ended = run_to_end(&plan.directory(""), &args, variables);
    let told = format!("{args:?}\nstdout: {}\nstderr: {}", ended.stdout, ended.stderr);
    assert_eq!(ended.code, Some(1), "{told}");
    let (message, below) = ended.stderr.split_once('\n').unwrap();
    assert!(message.starts_with("sersync: "), "{told}");
    assert!(below.lines().all(|line| line.starts_with("    ")), "one message and no more: {told}");
    for word in words {
        assert!(message.contains(word), "{word:?} is missing: {told}");
    }
    assert!(!ended.stdout.contains("watch path is:"), "it started to watch: {told}");
    assert_eq!(plan.daemon.connections(), 0, "it connected: {told}");
    for remote in &plan.remotes {
        assert_eq!(fs::read_dir(remote).unwrap().count(), 0, "it synced: {told}");
    }
}

/// A plan with a bad configuration, made by `spoil`.
fn bad_configuration(spoil: impl FnOnce(&mut Plan), words: &[&str]) {
    let mut plan = Plan::new();
    spoil(&mut plan);
    plan.write_conf();
    refused_with(&mut plan, &["-r", "-o", "confxml.xml"], &[], words);
}

/// A password file with this mode, or none at all.
fn password_file(plan: &Plan, mode: Option<u32>) -> std::path::PathBuf {
    let file = plan.directory("etc").join("rsync.pass");
    if let Some(mode) = mode {
        fs::write(&file, "secret\n").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
    }
    file
}

#[test]
fn no_rsync_in_path_is_refused() {
    let mut plan = Plan::new();
    plan.write_conf();
    let empty = plan.directory("empty").display().to_string();
    let args = ["-r", "-o", "confxml.xml"];
    refused_with(&mut plan, &args, &[("PATH", &empty)], &["rsync", "PATH"]);
}

#[test]
fn a_missing_root_is_refused() {
    let spoil = |plan: &mut Plan| plan.conf.roots[0].watch = "/no/such/root".into();
    bad_configuration(spoil, &["confxml.xml", "/no/such/root"]);
}

#[test]
fn a_root_that_is_a_file_is_refused() {
    let spoil = |plan: &mut Plan| plan.conf.roots[0].watch = plan.root.join("anchor");
    bad_configuration(spoil, &["confxml.xml", "root/anchor", "directory"]);
}

#[test]
fn an_empty_remote_is_refused() {
    let empty_ip = |plan: &mut Plan| plan.conf.roots[0].remotes[0].0.clear();
    bad_configuration(empty_ip, &["confxml.xml", "remote", "ip"]);
    let empty_name = |plan: &mut Plan| plan.conf.roots[0].remotes[0].1.clear();
    bad_configuration(empty_name, &["confxml.xml", "remote", "name"]);
}

#[test]
fn a_root_without_a_remote_is_refused() {
    bad_configuration(|plan| plan.conf.roots[0].remotes.clear(), &["confxml.xml", "remote"]);
}

#[test]
fn no_root_at_all_is_refused() {
    bad_configuration(|plan| plan.conf.roots.clear(), &["confxml.xml", "localpath"]);
}

#[test]
fn a_bad_regular_expression_is_refused() {
    let spoil = |plan: &mut Plan| plan.conf.excludes = vec!["ok".into(), "(unclosed".into()];
    bad_configuration(spoil, &["confxml.xml", "(unclosed", "expression"]);
}

#[test]
fn common_parameters_with_an_open_quote_are_refused() {
    let spoil = |plan: &mut Plan| plan.conf.params = "-artz -e 'ssh -p 22".to_string();
    bad_configuration(spoil, &["confxml.xml", "commonParams"]);
}

#[test]
fn a_missing_password_file_is_refused() {
    let spoil = |plan: &mut Plan| {
        plan.conf.auth = Some(("sync".to_string(), password_file(plan, None)));
    };
    bad_configuration(spoil, &["rsync.pass"]);
}

#[test]
fn a_password_file_that_others_can_read_is_refused() {
    let spoil = |plan: &mut Plan| {
        plan.conf.auth = Some(("sync".to_string(), password_file(plan, Some(0o644))));
    };
    bad_configuration(spoil, &["rsync.pass", "chmod 600"]);
}

#[test]
fn an_empty_password_file_is_refused() {
    let spoil = |plan: &mut Plan| {
        let file = password_file(plan, Some(0o600));
        fs::write(&file, "\n").unwrap();
        plan.conf.auth = Some(("sync".to_string(), file));
    };
    bad_configuration(spoil, &["confxml.xml:", "rsync.pass", "has no password in it"]);
}

#[test]
fn a_password_file_of_somebody_else_is_refused() {
    let spoil = |plan: &mut Plan| {
        let file = password_file(plan, Some(0o600));
        std::os::unix::fs::chown(&file, Some(1000), None).unwrap();
        plan.conf.auth = Some(("sync".to_string(), file));
    };
    bad_configuration(spoil, &["confxml.xml:", "rsync.pass", "the user 1000", "run: chown root /"]);
}

#[test]
fn a_password_file_of_a_single_remote_is_looked_at_too() {
    let spoil = |plan: &mut Plan| {
        let file = password_file(plan, Some(0o644));
        plan.as_saved = Box::new(move |text| {
            let own = format!("<remote users=\"sync\" passwordfile=\"{}\" ", file.display());
            text.replace("<remote ", &own).into_bytes()
        });
    };
    bad_configuration(spoil, &["confxml.xml:", "rsync.pass", "(mode 0644)", "run: chmod 600 /"]);
}

#[test]
fn broken_xml_is_refused_with_its_place() {
    let cases: [(&str, &str, &str); 4] = [
        ("a quote that is missing", r#"<ssh start="false"/>"#, r#"<ssh start="false/>"#),
        ("no space before an attribute", r#"<ssh start="false"/>"#, r#"<sshstart="false"/>"#),
        ("an end that is missing", "</sersync>", ""),
        ("no space between attributes", r#"start="true" port="#, r#"start="true"port="#),
    ];
    for (name, from, to) in cases {
        let mut plan = Plan::new();
        let file = plan.write_conf();
        let right = fs::read_to_string(&file).unwrap();
        let broken = right.replacen(from, to, 1);
        assert_ne!(right, broken, "{name}: the template has changed");
        fs::write(&file, broken).unwrap();
        refused_with(&mut plan, &["-r", "-o", "confxml.xml"], &[], &["confxml.xml:"]);
    }
}

#[test]
fn a_missing_configuration_file_is_refused() {
    for args in [&["-r", "-o", "no-such.xml"][..], &["-ro", "no-such.xml"]] {
        refused_with(&mut Plan::new(), args, &[], &["no-such.xml"]);
    }
    refused_with(&mut Plan::new(), &["-r"], &[], &["confxml.xml"]);
}

#[test]
fn bad_options_are_refused() {
    let cases: [(&[&str], &str); 8] = [
        (&["-n", "0", "-o", "confxml.xml"], "-n"),
        (&["-n", "many", "-o", "confxml.xml"], "-n"),
        (&["-n", "-1", "-o", "confxml.xml"], "-n"),
        (&["-x", "-o", "confxml.xml"], "-x"),
        (&["-rx", "-o", "confxml.xml"], "-x"),
        (&["--no-such", "-o", "confxml.xml"], "--no-such"),
        (&["-r", "-o"], "-o"),
        (&["-r", "surplus", "-o", "confxml.xml"], "surplus"),
    ];
    for (args, word) in cases {
        let mut plan = Plan::new();
        plan.write_conf();
        refused_with(&mut plan, args, &[], &[word]);
    }
}

#[test]
fn help_and_version_end_with_0() {
    let version = env!("CARGO_PKG_VERSION");
    let cases = [("-h", "-o"), ("--help", "-o"), ("--version", version)];
    for (option, word) in cases {
        let plan = Plan::new();
        let ended = run_to_end(&plan.directory(""), &[option.into()], &[]);
        assert_eq!(ended.code, Some(0), "{option}: {}", ended.stderr);
        assert!(ended.stdout.contains(word), "{option} must say {word}: {}", ended.stdout);
        assert_eq!(ended.stderr, "", "{option}");
    }
}

/// Whoever asks for help, in a cluster of options or beside others, wants help and no run.
#[test]
fn help_wins_over_the_other_options() {
    let plan = Plan::new();
    plan.write_conf();
    let ended = run_to_end(Path::new(&plan.directory("")), &["-rh".into()], &[]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(!ended.stdout.contains("watch path is:"));
}
