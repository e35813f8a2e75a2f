//! Whole files that are wrong: each error says where it is, what was found and what was expected.

use super::*;

fn every_quarter_of_an_hour() -> String {
    let times = (0..96).map(|quarter| format!("{}:{:02}", quarter / 4, quarter % 4 * 15));
    times.collect::<Vec<_>>().join(",")
}

/// The file, and the start of the error.
fn assert_errors(cases: &[(String, &str)]) {
    for (source, expected) in cases {
        let error = parse(source.as_bytes()).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{source}\n  says {error}");
        assert!(!error.contains('\n'), "{error}");
    }
}

#[test]
fn a_file_without_its_heart_is_an_error() {
    let localpath = |inner: &str| format!("<head><sersync>{inner}</sersync></head>");
    assert_errors(&[
        ("<haed/>".into(), "confxml.xml:1:1: found <haed>, expected <head>"),
        ("<head/>".into(), "confxml.xml:1:1: found no <sersync> in <head>"),
        (localpath(""), "confxml.xml:1:7: found no <localpath> in <sersync>"),
        (
            localpath("\n<loclpath watch='/a'/>"),
            "confxml.xml:2:1: found <loclpath> in <sersync>, expected <localpath>",
        ),
        (localpath("<localpath/>"), "confxml.xml:1:16: found no watch=\"...\" in <localpath>"),
        (localpath("<localpath watch=''/>"), "confxml.xml:1:27: found watch=\"\" in <localpath>"),
        (
            localpath("<localpath watch='data'/>"),
            "confxml.xml:1:27: found watch=\"data\" in <localpath>, expected an absolute path",
        ),
        (
            localpath("<localpath watch='/a'/>"),
            "confxml.xml:1:16: found no <remote> in <localpath>",
        ),
        (
            with("<localpath watch='/data/x/..'><remote ip='i' name='m'/></localpath>"),
            "confxml.xml:2:1: found /data/x/.. watched twice",
        ),
        (
            "x".repeat(FILE_BYTES_MAX + 1),
            "confxml.xml: found more than 1048576 bytes, expected a con",
        ),
    ]);
}

#[test]
fn a_wrong_value_is_an_error_with_its_place() {
    assert_errors(&[
        (with_rsync("<ssh/>"), "confxml.xml:2:8: found no start=\"...\" in <ssh>, expected \"true\""),
        (with_rsync("<ssh start='yes'/>"), "confxml.xml:2:13: found start=\"yes\" in <ssh>, expec"),
        (
            with_rsync("<userDefinedPort start='true' port='0'/>"),
            "confxml.xml:2:38: found port=\"0\" in <userDefinedPort>, expected a port from 1 to 655",
        ),
        (with_rsync("<userDefinedPort start='true' port='65536'/>"), "confxml.xml:2:38: found"),
        (with_rsync("<userDefinedPort start='true'/>"), "confxml.xml:2:8: found no port=\"...\""),
        (
            with_rsync("<timeout start='true' time='0'/>"),
            "confxml.xml:2:30: found time=\"0\" in <timeout>, expected a time from 1 to 2147483647",
        ),
        (with_rsync("<auth start='true'/>"), "confxml.xml:2:8: found no users=\"...\" in <auth>"),
        (with_rsync("<auth start='true' users='-e'/>"), "confxml.xml:2:27: found users=\"-e\""),
        (
            with_rsync("<auth start='true' users='a'/>"),
            "confxml.xml:2:8: found no passwordfile=\"...\" in <auth>",
        ),
        (
            with_rsync("<auth start='true' users='a' passwordfile='p'/>"),
            "confxml.xml:2:37: found passwordfile=\"p\" in <auth>, expected an absolute path",
        ),
        (
            with_rsync("<commonParams params=''/>"),
            "confxml.xml:2:22: found params=\"\" in <commonParams>, expected rsync options",
        ),
        (
            with_rsync("<commonParams params='-a \"x'/>"),
            "confxml.xml:2:22: found params=\"-a \"x\" in <commonParams>, expected complete words, fo",
        ),
        (
            with_rsync("<commonParams params='-a --files-from=/x'/>"),
            "confxml.xml:2:22: found params=\"-a --files-from=/x\" in <commonParams>, expected rsync \
             options for a sync: --files-from cannot be used",
        ),
        (with("<failLog/>"), "confxml.xml:2:1: found no path=\"...\" in <failLog>"),
        (
            with("<failLog path='/f' timeToExecute='0'/>"),
            "confxml.xml:2:20: found timeToExecute=\"0\" in <failLog>, expected a time from 1",
        ),
        (with("<failLog path='/f' timeToExecute='1 hour'/>"), "confxml.xml:2:20: found timeTo"),
        (with("<crontab start='true' schedule='0'/>"), "confxml.xml:2:23: found schedule=\"0\""),
        (
            with("<crontab start='true' at='3 pm'/>"),
            "confxml.xml:2:23: found at=\"3 pm\" in <crontab>, expected times of day from 00:00",
        ),
        (with("<crontab start='true' at='03:00,'/>"), "confxml.xml:2:23: found at=\"03:00,\""),
        (
            with("<crontab start='true' schedule='600' at='03:00'/>"),
            "confxml.xml:2:38: found at=\"03:00\" in <crontab>, expected either schedule or at",
        ),
        (
            with(&format!("<crontab start='true' at='{}'/>", every_quarter_of_an_hour())),
            "confxml.xml:2:23: found at=\"0:00,0:15,",
        ),
        (
            with("<safety maxDelete='101%'/>"),
            "confxml.xml:2:9: found maxDelete=\"101%\" in <safety>, expected a share from 0% to 100%, \
             a number, or \"no\"; write 50%",
        ),
        (with("<safety maxDelete='half'/>"), "confxml.xml:2:9: found maxDelete=\"half\""),
        (with("<safety maxDelete='-1'/>"), "confxml.xml:2:9: found maxDelete=\"-1\""),
        (with("<safety maxDelete='+1%'/>"), "confxml.xml:2:9: found maxDelete=\"+1%\""),
        (
            with("<safety emptyRoot='no'/>"),
            "confxml.xml:2:9: found emptyRoot=\"no\" in <safety>, expected \"halt\" or \"sync\"; ",
        ),
        (
            with("<plugin start='true' name='comand'/>"),
            "confxml.xml:2:22: found name=\"comand\" in <plugin>, expected one of refreshCDN, sock",
        ),
        (
            with("<plugin start='true' name='socket'/>"),
            "confxml.xml:2:1: found the plugin socket turned on, expected <plugin name=\"socket\">",
        ),
        (
            with("<plugin start='true' name='socket'/>").replace(
                "</sersync>",
                "</sersync><plugin name='socket'><localpath watch='/database'>\
                 <deshost ip='h' port='1'/></localpath></plugin>",
            ),
            "confxml.xml:2:1: found the plugin socket turned on for /database, expected a path in",
        ),
        (with("<batch quietMs='-1'/>"), "confxml.xml:2:8: found quietMs=\"-1\" in <batch>"),
        (
            with("<batch quietMs='9' maxDelayMs='8'/>"),
            "confxml.xml:2:1: found maxDelayMs=8 below quietMs=9",
        ),
        (
            with("").replace("<head>", "<head><filter start='true'><exclude expression='*.a'/></filter>"),
            "confxml.xml:1:37: found expression=\"*.a\" in <exclude>, expected a regular expression",
        ),
        (
            with("").replace("<head>", "<head><host port='x'/>"),
            "confxml.xml:1:13: found port=\"x\" in <host>, expected a port",
        ),
        (
            with("").replace("<head>", "<head><fileSystem xfs='no'/>"),
            "confxml.xml:1:19: found xfs=\"no\" in <fileSystem>, expected \"true\" or \"false\"",
        ),
    ]);
}

#[test]
fn a_host_in_a_file_that_is_not_utf8_must_be_ascii() {
    let source = with("").replace("ip='h'", "ip='\u{1}'").into_bytes();
    let source: Vec<u8> = source.iter().map(|&b| if b == 1 { 0xff } else { b }).collect();
    let error = parse(&source).unwrap_err().to_string();
    assert!(error.contains("in <remote>, expected characters in UTF-8"), "{error}");
    assert!(parse(b"\xff\xfe<\0").unwrap_err().problem.text.starts_with("found UTF-16"));
}

#[test]
fn broken_xml_is_an_error_of_the_file() {
    let error = parse(b"<?xml\nversion='1.0'?><head><sshstart=\"true\"/></head>").unwrap_err();
    assert!(error.to_string().starts_with("confxml.xml:2:22: found <sshstart="), "{error}");
}

#[test]
fn an_error_stays_in_one_line_whatever_the_file_holds() {
    let sources = [
        with_rsync("<commonParams params='-a \"&#10;x\"'/>"),
        with("<localpath watch='/data&#10;'><remote ip='local' name='/data&#10;/x'/></localpath>"),
        with("<failLog path='/f' timeToExecute='&#10;&#27;'/>"),
    ];
    for source in sources {
        let error = parse(source.as_bytes()).unwrap_err().to_string();
        assert!(!error.contains(char::is_control), "{error:?}");
    }
}
