//! Configurations as they come out of web pages, editors and terminals: all that the program says
//! about each, to the letter, on its standard error.

use crate::harness::{binary, run_to_end, Plan};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// What a start says with this in `confxml.xml`; it has ended with 1.
fn told(bytes: &[u8], variables: &[(&str, &str)]) -> String {
    let plan = Plan::without_remotes();
    fs::write(plan.directory("").join("confxml.xml"), bytes).unwrap();
    told_by(&plan, variables)
}

fn told_by(plan: &Plan, variables: &[(&str, &str)]) -> String {
    let ended = run_to_end(&plan.directory(""), &["-r".into()], variables);
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert!(!ended.stdout.contains("watch path is:"), "{}", ended.stdout);
    ended.stderr
}

/// A right configuration, but for its `ssh` element.
fn with_ssh(ssh: &str) -> String {
    let mut plan = Plan::new();
    plan.conf.fail_log = "/f".into();
    let right = plan.conf.to_string();
    let broken = right.replace("<ssh start=\"false\"/>", ssh);
    assert_ne!(right, broken, "the template has changed");
    broken
}

/// Where `what` stands in a text, as `line:column`.
fn place(text: &str, what: &str) -> String {
    let before = text.split(what).next().unwrap();
    let line_start = before.rfind('\n').map_or(0, |end| end + 1);
    format!("{}:{}", before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

#[test]
fn the_line_the_place_and_the_right_line_are_shown() {
    let text = with_ssh("<sshstart=“false”/>");
    assert_eq!(
        told(text.as_bytes(), &[]),
        format!(
            "sersync: confxml.xml:{}: found <sshstart=, expected <ssh start=; put the blank back \
             that was lost\n    <sshstart=“false”/>\n    ^\n    write: <ssh start=\"false\"/>\n",
            place(&text, "<sshstart")
        )
    );
}

#[test]
fn the_hint_is_in_the_language_of_the_locale() {
    let text = with_ssh("<!-- 开关 --><ssh start=\"false/>");
    let message = |hint: &str, label: &str| {
        format!(
            "sersync: confxml.xml:{}: found start=\" with no \" that closes it; {hint} \
             start=\"false\"\n    <!-- 开关 --><ssh start=\"false/>\n{}^\n    \
             {label}<!-- 开关 --><ssh start=\"false\"/>\n",
            place(&text, "start=\"false/"),
            // Each of the two characters in the comment is two columns wide.
            " ".repeat("    <!-- xxxx --><ssh ".len())
        )
    };
    let (english, chinese) = (message("write", "write: "), message("请写成", "应写成："));
    let cases = [
        ([("LC_ALL", "zh_CN.UTF-8"), ("LC_MESSAGES", "C"), ("LANG", "C")], &chinese),
        ([("LC_ALL", ""), ("LC_MESSAGES", "zh_TW"), ("LANG", "C")], &chinese),
        ([("LC_ALL", ""), ("LC_MESSAGES", ""), ("LANG", "zh")], &chinese),
        ([("LC_ALL", "C"), ("LC_MESSAGES", "zh_CN"), ("LANG", "zh_CN")], &english),
        ([("LC_ALL", ""), ("LC_MESSAGES", ""), ("LANG", "en_US.UTF-8")], &english),
    ];
    for (variables, expected) in cases {
        assert_eq!(&told(text.as_bytes(), &variables), expected, "{variables:?}");
    }
}

#[test]
fn nothing_in_the_file_reaches_the_terminal_raw() {
    let text = with_ssh("<!--\u{1b}[2J\u{7}\u{202e}--><ssh start=\"\u{1b}]0;x\u{7}\"/>");
    let told = told(text.as_bytes(), &[]);
    let raw = |c: char| c != '\n' && (c.is_control() || c == '\u{202e}');
    assert!(!told.contains(raw), "{told:?}");
    assert!(told.contains("control character 0x1b"), "{told:?}");
}

#[test]
fn what_is_no_configuration_is_called_by_its_name() {
    let large = [b"<head>".as_slice(), &vec![b' '; 1024 * 1024]].concat();
    let utf16: Vec<u8> = "\u{feff}<head/>".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let cases: [(&[u8], &str); 7] = [
        (b"", "found an empty file, expected <head>; start from the template conf/confxml.xml"),
        (b"\x7fELF\0\0", "found a binary file, expected an XML text; name the configuration with -o FILE"),
        (&utf16, "found UTF-16, expected UTF-8; save the file as UTF-8"),
        (&large, "found more than 1048576 bytes, expected a configuration; name the configuration with -o FILE"),
        (b"uid = root\n", "found a text without any element, expected <head>; name the configuration with -o FILE"),
        (b"<!DOCTYPE html>\n<html>", "found a web page, expected <head>; download the file itself, not the page that shows it"),
        (b"&lt;head&gt;", "found &lt; in place of every <; copy the text from the page, not from its source"),
    ];
    for (bytes, expected) in cases {
        assert_eq!(told(bytes, &[]), format!("sersync: confxml.xml: {expected}\n"));
    }
}

#[test]
fn a_directory_is_no_configuration() {
    let plan = Plan::without_remotes();
    plan.directory("confxml.xml");
    assert_eq!(
        told_by(&plan, &[]),
        "sersync: confxml.xml: cannot read the configuration: Is a directory (os error 21); \
         name the file in it: confxml.xml/confxml.xml\n"
    );
}

#[test]
fn a_configuration_that_is_not_there_may_have_another_name() {
    assert_eq!(
        told_by(&Plan::without_remotes(), &[]),
        "sersync: confxml.xml: cannot read the configuration: No such file or directory \
         (os error 2); name the configuration with -o FILE\n"
    );
}

/// A user who may not read a file that is there is not told to name another one.
#[test]
fn a_configuration_that_may_not_be_read_is_called_so() {
    const NOBODY: u32 = 65534;
    let plan = Plan::without_remotes();
    let (dir, file) = (plan.directory(""), plan.write_conf());
    fs::set_permissions(&dir, fs::Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    let program = dir.join("program");
    fs::copy(binary(), &program).unwrap();
    let mut command = Command::new(&program);
    command.current_dir(&dir).env("LC_ALL", "zh_CN.UTF-8").uid(NOBODY).gid(NOBODY);
    let ended = command.output().unwrap();
    assert_eq!(ended.status.code(), Some(1));
    assert_eq!(
        String::from_utf8_lossy(&ended.stderr),
        "sersync: confxml.xml: cannot read the configuration: Permission denied (os error 13); \
         请以文件所有者或 root 身份运行，或允许当前用户读取\n"
    );
}

/// What comes out of editors and is no damage: a byte order mark, the line ends of Windows, comments
/// in GBK.
#[test]
fn a_configuration_as_windows_saves_it_works() {
    fn windows(text: String) -> Vec<u8> {
        text.replace("<sersync>", "<!-- 同步 -->\n<sersync>").replace('\n', "\r\n").into_bytes()
    }
    fn marked(text: String) -> Vec<u8> {
        [b"\xef\xbb\xbf".to_vec(), windows(text)].concat()
    }
    fn gbk(text: String) -> Vec<u8> {
        let comment = b"<!-- \xcd\xac\xb2\xbd -->".iter().map(|&byte| char::from(byte));
        let text = text.replace("<sersync>", &format!("{}\n<sersync>", String::from_iter(comment)));
        text.chars().map(|c| u8::try_from(c).unwrap()).collect()
    }
    for as_saved in [windows, marked, gbk] {
        let mut plan = Plan::new();
        plan.as_saved = Box::new(as_saved);
        plan.start().equal();
    }
}
