//! Each kind of damage that people's files had: what is said, and the line that is offered.

use super::super::repair::mended_line;
use super::super::source::Source;
use crate::config::language::Language;
use crate::config::text::Encoding;
use crate::config::{read, xml, Config, Error, FILE_BYTES_MAX};
use std::path::Path;

/// A right file, line by line. Each case replaces one line of it.
const RIGHT: &str = r#"<?xml version="1.0" encoding="ISO-8859-1"?>
<head version="2.5">
    <host hostip="localhost" port="8008"></host>
    <!-- 调试 -->
    <debug start="false"/>
    <sersync>
        <localpath watch="/data">
            <remote ip="10.0.0.1" name="backup"/>
        </localpath>
        <rsync>
            <commonParams params="-artz"/>
            <auth start="true" users="root" passwordfile="/etc/rsync.pas"/>
            <userDefinedPort start="true" port="873"/>
            <ssh start="false"/>
        </rsync>
        <failLog path="/tmp/f.sh" timeToExecute="60"/>
    </sersync>
</head>
"#;

/// The number of a line, what is in its place, the message, and the line that is offered: `-` for
/// none, `=` for the right file's own.
const DAMAGES: &[(usize, &str, &str, &str)] = &[
    // Blanks that were lost.
    (
        12,
        r#"<authstart="true" users="root" passwordfile="/etc/rsync.pas"/>"#,
        "12:1: found <authstart=, expected <auth start=; put the blank back that was lost",
        "=",
    ),
    (
        16,
        r#"<failLogpath="/tmp/f.sh" timeToExecute="60"/>"#,
        "16:1: found <failLogpath=, expected <failLog path=; put the blank back that was lost",
        "=",
    ),
    (
        13,
        r#"<userDefinedPort start="true"port="873"/>"#,
        "13:30: found port with no blank in front of it; put the blank back that was lost",
        "=",
    ),
    (
        12,
        r#"<authstart="true"users="root"passwordfile="/etc/rsync.pas"/>"#,
        "12:1: found <authstart=, expected <auth start=; put the blank back that was lost",
        "=",
    ),
    (
        14,
        r#"<sshh="false"/>"#,
        "14:1: found <sshh=, expected a name, a blank, and name=; correct it",
        "-",
    ),
    (14, r#"< ssh start="false"/>"#, "14:1: found a blank behind <, expected a name; delete it", "="),
    // Characters that only look like quotes, equals signs and blanks.
    (
        14,
        "<ssh start=“false”/>",
        "14:12: found “ in place of a plain \"; write \"",
        "=",
    ),
    (14, "<ssh start=\"false”/>", "14:18: found ” in place of a plain \"; write \"", "="),
    (14, "<ssh start=＂false＂/>", "14:12: found ＂ in place of a plain \"; write \"", "="),
    (14, "<ssh start＝\"false\"/>", "14:11: found ＝ in place of a plain =; write =", "="),
    (
        12,
        "<auth start=“true” users=“root” passwordfile=\"/etc/rsync.pas\"/>",
        "12:13: found “ in place of a plain \"; write \"",
        "=",
    ),
    (
        12,
        "<auth start=\"true\" users=\"root” passwordfile=\"/etc/rsync.pas\"/>",
        "12:31: found ” in place of a plain \"; write \"",
        "=",
    ),
    (
        14,
        "<ssh start=&quot;false&quot;/>",
        "14:12: found &quot; in place of a plain \"; write \"",
        "=",
    ),
    (
        14,
        "<ssh\u{3000}start=\"false\"/>",
        "14:5: found the character U+3000 in place of a blank; write a plain blank",
        "=",
    ),
    (
        14,
        "<ssh\u{a0}start=\"false\"/>",
        "14:5: found the character U+00A0 in place of a blank; write a plain blank",
        "=",
    ),
    (
        1,
        "\u{a0}<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>",
        "1:1: found the character U+00A0 in place of a blank; write a plain blank",
        "=",
    ),
    (
        14,
        "<ssh&nbsp;start=\"false\"/>",
        "14:5: found &nbsp; in place of a blank; write a plain blank",
        "=",
    ),
    (
        14,
        "&nbsp; <ssh start=\"false\"/>",
        "14:1: found &nbsp; in place of a blank; write a plain blank",
        "=",
    ),
    // Quotes that were lost, or are too many.
    (
        16,
        r#"<failLog path="/tmp/f.sh timeToExecute="60"/>"#,
        "16:10: found path=\"/tmp/f.sh with no \" that closes it in front of timeToExecute=; \
         write path=\"/tmp/f.sh\"",
        "=",
    ),
    (
        16,
        r#"<failLog path='/tmp/f.sh timeToExecute='60'/>"#,
        "16:10: found path='/tmp/f.sh with no ' that closes it in front of timeToExecute=; \
         write path='/tmp/f.sh'",
        "<failLog path='/tmp/f.sh' timeToExecute='60'/>",
    ),
    (
        14,
        r#"<ssh start="false/>"#,
        "14:6: found start=\" with no \" that closes it; write start=\"false\"",
        "=",
    ),
    (
        7,
        r#"<localpath watch="/data>"#,
        "7:12: found watch=\" with no \" that closes it; write watch=\"/data\"",
        "=",
    ),
    (
        14,
        r#"<ssh start=false/>"#,
        "14:6: found start= with no quotes in <ssh; write start=\"false\"",
        "=",
    ),
    (
        14,
        r#"<ssh start=false"/>"#,
        "14:6: found start= with no quotes in <ssh; write start=\"false\"",
        "=",
    ),
    (14, r#"<ssh start=/>"#, "14:6: found start= with no quotes in <ssh; write start=\"...\"", "-"),
    (
        14,
        r#"<ssh start="false""/>"#,
        "14:19: found one quote too many behind start=\"false\"; delete it",
        "=",
    ),
    (
        14,
        r#"<ssh start "false"/>"#,
        "14:6: found start in <ssh, expected name=\"value\"; correct it",
        "=",
    ),
    (14, r#"<ssh start/>"#, "14:6: found start in <ssh, expected name=\"value\"; correct it", "-"),
    (14, r#"<ssh ="a"/>"#, "14:6: found = in <ssh, expected name=\"value\"; correct it", "-"),
    // What came along from the page or the terminal.
    (
        1,
        "{{<codeblock \"confxml.xml\" \"xml\" \"http://underscorejs.org/#compact\" >}}",
        "1:1: found text \"{{<codeblock \"confxml.xml\" \"xml\" \"http://underscorejs.org/#compact\" >}}\" \
         in front of the configuration; delete it",
        "",
    ),
    (
        1,
        "[root@web ~]# cat confxml.xml",
        "1:1: found text \"[root@web ~]# cat confxml.xml\" in front of the configuration; delete it",
        "",
    ),
    (
        1,
        "#vim confxml.xml",
        "1:1: found text \"#vim confxml.xml\" in front of the configuration; delete it",
        "",
    ),
    (
        1,
        "1. <?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>",
        "1:1: found text \"1.\" in front of the configuration; delete the line numbers in front of \
         all lines",
        "=",
    ),
    (
        2,
        "2 <head version=\"2.5\">",
        "2:1: found text \"2\" in front of the configuration; delete the line numbers in front of \
         all lines",
        "=",
    ),
    (
        18,
        "</head>{{</codeblock>}}",
        "18:8: found text \"{{</codeblock>}}\" behind the configuration; delete it",
        "=",
    ),
    (
        18,
        "</head>\n[root@web ~]#",
        "19:1: found text \"[root@web ~]#\" behind the configuration; delete it",
        "",
    ),
    // Comments and declarations.
    (
        4,
        "<!-- 调试 -- debug -->",
        "4:9: found -- within a comment, which XML forbids; put a blank between the dashes",
        "<!-- 调试 - - debug -->",
    ),
    (
        4,
        "<!-- 调试 --->",
        "4:9: found -- within a comment, which XML forbids; put a blank between the dashes",
        "<!-- 调试 - -->",
    ),
    (
        4,
        "<!------ 调试 ------>",
        "4:5: found -- within a comment, which XML forbids; put a blank between the dashes",
        "<!--- - - - 调试 - - - - -->",
    ),
    (
        4,
        "<!-- 调试",
        "4:1: found a comment that is never closed; write --> behind it",
        "<!-- 调试 -->",
    ),
    (
        4,
        "<!-- 调试\n<!-- debug -->",
        "4:1: found a comment that is not closed in front of the next one; write --> behind it",
        "<!-- 调试 -->",
    ),
    (
        4,
        "<!-- 调试 <!-- debug -->",
        "4:1: found a comment that is not closed in front of the next one; write --> behind it",
        "-",
    ),
    (
        1,
        "<?xml version=\"1.0\" encoding=\"ISO-8859-1\">",
        "1:1: found <? that is not closed; write ?> at the end of its line",
        "=",
    ),
    (
        4,
        "<?xml version=\"1.0\"?>",
        "4:1: found <?xml ...?> inside the file, expected it in the first line; delete it",
        "",
    ),
    (4, "<!DOCTYPE a>", "4:1: this is not XML: unknown token; correct it", "-"),
    (1, "<!DOCTYPE a>", "1:1: found a <!DOCTYPE>, expected none; delete it", "-"),
    // Tags that do not fit.
    (
        8,
        r#"<remote ip="10.0.0.1" name="backup">"#,
        "8:1: found <remote> that is not closed in front of </localpath>; end it with />",
        "=",
    ),
    (
        8,
        r#"<remote ip="10.0.0.1" name="backup""#,
        "8:1: found <remote that is not closed; write > or /> at its end",
        "=",
    ),
    (
        3,
        r#"<host hostip="localhost" port="8008"</host>"#,
        "3:1: found <host that is not closed; write > or /> at its end",
        "=",
    ),
    (
        7,
        r#"<localpath watch="/data""#,
        "7:1: found <localpath that is not closed; write > or /> at its end",
        "=",
    ),
    (9, "</localPath>", "9:1: found </localPath>, expected </localpath>; write </localpath>", "="),
    (
        9,
        "",
        "17:5: found </sersync>, expected </localpath>; write </localpath> in front of it",
        "</localpath></sersync>",
    ),
    (
        3,
        r#"<host hostip="localhost" port="8008"/></host>"#,
        "3:39: found </host>, but <host> is closed already; delete it",
        r#"<host hostip="localhost" port="8008"/>"#,
    ),
    (
        3,
        r#"<host hostip="localhost" port="8008"></host"#,
        "3:38: found </host that is not closed; write </host>",
        "=",
    ),
    (
        18,
        "",
        "17:15: found the end of the file, expected </head>; copy the rest of the file, or write \
         </head>",
        "</sersync></head>",
    ),
    (18, "</head>\n</head>", "19:1: found </head>, but <head> is closed already; delete it", ""),
    (
        18,
        "</head>\n<head/>",
        "19:1: found <head> behind the end of the configuration; put everything into one <head>",
        "-",
    ),
    (
        11,
        "<commonParams params=\"-artz\u{a0}--delete\u{3000}--force\"/>",
        "11:28: found the character U+00A0 in params= in place of a blank; write a plain blank",
        r#"<commonParams params="-artz --delete --force"/>"#,
    ),
    // Characters that mean something else to XML.
    (
        11,
        r#"<commonParams params="-artz --exclude=a&b"/>"#,
        "11:40: found an & that stands alone in params=; write &amp;",
        r#"<commonParams params="-artz --exclude=a&amp;b"/>"#,
    ),
    (
        12,
        r#"<auth start="true" users="a&b&&c" passwordfile="/etc/rsync.pas"/>"#,
        "12:28: found an & that stands alone in users=; write &amp;",
        r#"<auth start="true" users="a&amp;b&amp;&amp;c" passwordfile="/etc/rsync.pas"/>"#,
    ),
    (
        8,
        r#"<remote ip="10.0.0.1" name="a?b=1&amp;c=2&d=3;"/>"#,
        "8:42: found an & that stands alone in name=; write &amp;",
        r#"<remote ip="10.0.0.1" name="a?b=1&amp;c=2&amp;d=3;"/>"#,
    ),
    (4, "调试 & debug", "4:4: found an & that stands alone in the text; write &amp;", "调试 &amp; debug"),
    (
        11,
        r#"<commonParams params="-artz <x"/>"#,
        "11:29: found < in params=\"...\"; write &lt;",
        "-",
    ),
    (
        11,
        r#"<commonParams params="-artz --exclude=<x>"/>"#,
        "11:39: found < in params=\"...\"; write &lt;",
        r#"<commonParams params="-artz --exclude=&lt;x>"/>"#,
    ),
    (
        8,
        r#"<remote ip="10.0.0.1" name="&copy;"/>"#,
        "8:29: found &copy;, which XML does not know; write the character itself",
        "-",
    ),
    (
        14,
        r#"<ssh start="false" start="true"/>"#,
        "14:20: found start= twice in one element; delete one of the two",
        "-",
    ),
    (4, "\u{1}", "4:1: found the control character 0x01; delete it", "-"),
    (4, "]]>", "4:1: found ]]> in the text; delete it", ""),
    // Values and names that are nearly right.
    (
        14,
        r#"<ssh start="flase"/>"#,
        "14:6: found start=\"flase\" in <ssh>, expected \"true\" or \"false\"; write one of the two",
        "=",
    ),
    (
        7,
        r#"<localpath wacth="/data">"#,
        "7:12: found wacth=... in <localpath>, expected watch=...; correct the name",
        "=",
    ),
];

/// The right file with another line in the place of one, which is given without its indent.
fn damaged(number: usize, line: &str) -> String {
    let mut lines: Vec<&str> = RIGHT.lines().collect();
    lines[number - 1] = line;
    lines.join("\n") + "\n"
}

fn parse(text: &str) -> Result<Config, Error> {
    Config::parse(Path::new("confxml.xml"), text.as_bytes())
}

#[test]
fn the_right_file_is_right() {
    assert_eq!(parse(RIGHT).unwrap().warnings, []);
}

#[test]
fn damage_is_named_with_its_place_and_cure_in_one_line() {
    for (number, line, message, _) in DAMAGES {
        let error = parse(&damaged(*number, line)).unwrap_err();
        assert_eq!(error.to_string(), format!("confxml.xml:{message}"), "{line}");
    }
}

/// The line that is offered is accepted when it is put into the file.
#[test]
fn the_line_that_is_offered_is_right() {
    for (number, line, _, expected) in DAMAGES {
        let text = damaged(*number, line);
        let error = parse(&text).unwrap_err();
        let mended = error.excerpt.as_ref().and_then(|excerpt| excerpt.mended.clone());
        let expected = match *expected {
            "-" => None,
            "=" => Some(RIGHT.lines().nth(*number - 1).unwrap().trim()),
            other => Some(other),
        };
        assert_eq!(mended.as_deref().map(str::trim), expected, "{line}");
        let Some(mended) = mended else { continue };
        let index = error.problem.position.line as usize - 1;
        let lines = text.lines().enumerate();
        let with_mended = lines.map(|(at, line)| if at == index { &mended } else { line });
        let text = with_mended.collect::<Vec<_>>().join("\n");
        assert!(parse(&text).is_ok(), "{line}\n  offered: {mended}\n  {:?}", parse(&text));
    }
}

#[test]
fn the_same_damage_with_the_line_ends_of_windows_is_mended_too() {
    for (number, line, message, expected) in DAMAGES {
        let error = parse(&damaged(*number, line).replace('\n', "\r\n")).unwrap_err();
        assert_eq!(error.to_string(), format!("confxml.xml:{message}"), "{line}");
        let mended = error.excerpt.and_then(|excerpt| excerpt.mended);
        assert_eq!(mended.is_some(), *expected != "-", "{line}: {mended:?}");
    }
}

#[test]
fn all_of_it_is_told_in_the_users_language() {
    let error = parse(&damaged(12, r#"<authstart="true"users="root" passwordfile="/a"/>"#));
    let error = error.unwrap_err();
    assert_eq!(
        error.told(Language::English),
        "confxml.xml:12:1: found <authstart=, expected <auth start=; put the blank back that was lost\n    \
         <authstart=\"true\"users=\"root\" passwordfile=\"/a\"/>\n    \
         ^\n    \
         write: <auth start=\"true\" users=\"root\" passwordfile=\"/a\"/>"
    );
    assert_eq!(
        error.told(Language::Chinese),
        "confxml.xml:12:1: found <authstart=, expected <auth start=; 请补上丢失的空格\n    \
         <authstart=\"true\"users=\"root\" passwordfile=\"/a\"/>\n    \
         ^\n    \
         应写成：<auth start=\"true\" users=\"root\" passwordfile=\"/a\"/>"
    );
}

#[test]
fn gbk_quotes_are_known_by_their_bytes() {
    let text = damaged(14, "<ssh start=\u{1}\u{2}false\u{1}\u{3}/>").replace("调试", "\u{4}\u{5}");
    let bytes: Vec<u8> = text
        .bytes()
        .map(|byte| {
            b"\0\xa1\xb0\xb1\xb5\xf7"
                .get(usize::from(byte))
                .copied()
                .filter(|_| byte < 6)
                .unwrap_or(byte)
        })
        .collect();
    let error = Config::parse(Path::new("c.xml"), &bytes).unwrap_err();
    assert_eq!(
        error.told(Language::English),
        "c.xml:14:12: found a full-width character in place of a plain \"; write \"\n    \
         <ssh start=??false??/>\n               ^\n    write: <ssh start=\"false\"/>"
    );
}

/// Line numbers and a page's markers damage several lines. When one after the other is mended, the file
/// is right in the end.
#[test]
fn damage_of_several_lines_is_mended_line_by_line() {
    let numbered = RIGHT.lines().zip(1..).map(|(line, number)| format!("{number} {line}\n"));
    let cases = [
        format!("{{{{<codeblock >}}}}\n#vim confxml.xml\n{RIGHT}\n{{{{</codeblock>}}}}\n# \n"),
        numbered.collect(),
        RIGHT.replace('"', "＂"),
        RIGHT.replace('"', "”"),
        RIGHT.replace("<auth ", "<auth").replace("<ssh ", "<ssh").replace("<failLog ", "<failLog"),
    ];
    for case in cases {
        let (mut text, mut mended) = (case.clone(), 0);
        while let Err(error) = parse(&text) {
            let offered = error.excerpt.as_ref().and_then(|excerpt| excerpt.mended.clone());
            let offered = offered.unwrap_or_else(|| panic!("{case}\n{error}"));
            let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
            lines[error.problem.position.line as usize - 1] = offered;
            text = lines.join("\n");
            mended += 1;
            assert!(mended < 50, "{text}");
        }
        assert!(mended > 1, "{case}");
    }
}

#[test]
fn any_cut_of_a_file_is_explained_without_a_crash() {
    let source = "<?xml version=\"1.0\"?><head><!-- 数据 --><ssh start=“t\" a='b' c=\"d=\"e/>&nbsp;a&\u{a0}</head>";
    for (end, _) in source.char_indices() {
        for (start, _) in source[..end].char_indices() {
            let part = &source[start..end];
            let Err(problem) = xml::parse(part) else { continue };
            assert!(problem.position.line > 0, "{problem}");
            let source = Source { text: part.into(), encoding: Encoding::Utf8 };
            mended_line(&source, &problem, |source| read::config(Path::new(""), source).err());
        }
    }
}

#[test]
fn a_file_full_of_damage_is_explained_in_no_time() {
    let units =
        ["<a b=“c”/>", "&", "<a>", "</a>", "<!-- -- -->", "<a b=\"c\"d=\"e\"/>", "\u{a0}", "1 "];
    for unit in units {
        let text = format!("<head>{}", unit.repeat(FILE_BYTES_MAX / unit.len() - 10));
        let error = parse(&text).unwrap_err();
        assert!(error.told(Language::English).len() < 2000, "{error}");
    }
}
