//! What to do about a mistake in the configuration, in both languages.
//!
//! Owns the words, side by side. The rest of a message, which says what was found, is in English alone,
//! so that it can be searched for.

use crate::config::language::Language;

/// What to do: the end of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hint {
    /// English, Chinese.
    words: &'static [&'static str; 2],
    /// Stands where the words have `{}`.
    value: String,
}

const fn hint(words: &'static [&'static str; 2]) -> Hint {
    Hint { words, value: String::new() }
}

#[rustfmt::skip] // One line for each, so that both languages are seen together.
#[allow(missing_docs)] // The names are short for the words.
impl Hint {
    // For any mistake; `{}` is what to write.
    pub const WRITE: Hint = hint(&["write {}", "请写成 {}"]);
    pub const ADD: Hint = hint(&["add {}", "请添加 {}"]);
    pub const MEANT: Hint = hint(&["perhaps {} is meant", "您要写的可能是 {}"]);
    pub const DELETE: Hint = hint(&["delete it", "请删除"]);
    pub const DELETE_ONE: Hint = hint(&["delete one of the two", "请删除其中一个"]);
    pub const CORRECT: Hint = hint(&["correct it", "请改正"]);
    pub const CORRECT_NAME: Hint = hint(&["correct the name", "请改正名称"]);

    // For the file as a whole.
    pub const TEMPLATE: Hint = hint(&["start from the template conf/confxml.xml", "请从模板 conf/confxml.xml 开始修改"]);
    pub const NAME_FILE: Hint = hint(&["name the configuration with -o FILE", "请用 -o 指定配置文件"]);
    pub const SAVE_UTF8: Hint = hint(&["save the file as UTF-8", "请将文件另存为 UTF-8 编码"]);
    pub const DOWNLOAD: Hint = hint(&["download the file itself, not the page that shows it", "请下载文件本身，而不是显示它的网页"]);
    pub const COPY_TEXT: Hint = hint(&["copy the text from the page, not from its source", "请从页面上复制文本，不要从网页源代码复制"]);

    // For XML that was damaged by copying.
    pub const LOST_BLANK: Hint = hint(&["put the blank back that was lost", "请补上丢失的空格"]);
    pub const PLAIN_BLANK: Hint = hint(&["write a plain blank", "请改成半角空格"]);
    pub const LINE_NUMBERS: Hint = hint(&["delete the line numbers in front of all lines", "请删除所有行首的行号"]);
    pub const END_TAG: Hint = hint(&["write > or /> at its end", "请在末尾补上 > 或 />"]);
    pub const END_ITSELF: Hint = hint(&["end it with />", "请以 /> 结尾"]);
    pub const END_DECLARATION: Hint = hint(&["write ?> at the end of its line", "请在行末写上 ?>"]);
    pub const END_COMMENT: Hint = hint(&["write --> behind it", "请在注释末尾写上 -->"]);
    pub const DASHES_APART: Hint = hint(&["put a blank between the dashes", "请在相邻的 - 之间加空格"]);
    pub const ONE_HEAD: Hint = hint(&["put everything into one <head>", "请把所有内容放进同一个 <head>"]);
    pub const CUT_SHORT: Hint = hint(&["copy the rest of the file, or write {}", "请补全文件末尾，或写上 {}"]);
    pub const CLOSE_FIRST: Hint = hint(&["write {} in front of it", "请在它前面写上 {}"]);
    pub const CHARACTER: Hint = hint(&["write the character itself", "请直接写该字符"]);

    // For elements and values.
    pub const INTO_HEAD: Hint = hint(&["put everything into <head>", "请把所有内容放进 <head>"]);
    pub const FILL_IN: Hint = hint(&["write it between the quotes", "请在引号中填写"]);
    pub const TRUE_OR_FALSE: Hint = hint(&["write one of the two", "请写其中之一"]);
    pub const WHOLE_NUMBER: Hint = hint(&["write a whole number", "请写整数"]);
    pub const SECONDS: Hint = hint(&["write a number of seconds, or say the unit: 60s, 60m, 1h", "请写秒数，或写明单位：60s、60m、1h"]);
    pub const MINUTES: Hint = hint(&["write a number of minutes, or say the unit: 60s, 60m, 1h", "请写分钟数，或写明单位：60s、60m、1h"]);
    pub const TIMES_OF_DAY: Hint = hint(&["write 03:00, or several: 03:00,15:30", "请写 03:00，多个时间写成 03:00,15:30"]);
    pub const FROM_THE_ROOT: Hint = hint(&["write it from the root, with a / in front", "请写以 / 开头的绝对路径"]);
    pub const PLAIN_HOST: Hint = hint(&["write it without blanks and slashes", "请不要写空格和斜杠"]);
    pub const OWN_PORT: Hint = hint(&["write the port into port=\"...\"", "请把端口写在 port=\"...\" 中"]);
    pub const PLAIN_USER: Hint = hint(&["write it without blanks, @, : and /", "请不要写空格、@、: 和 /"]);
    pub const MODULE: Hint = hint(&["write that name, or turn ssh on to push to a path", "请写模块名；若要推送到路径，请打开 ssh"]);
    pub const OTHER_DIRECTORY: Hint = hint(&["choose another directory", "请选择其他目录"]);
    pub const ONE_LOCALPATH: Hint = hint(&["put all its remotes into one <localpath>", "请把它的所有 remote 放进同一个 <localpath>"]);
    pub const LEAVE_OUT: Hint = hint(&["leave it out", "请去掉它"]);
    pub const BLOCK_OR_OFF: Hint = hint(&["add that block, or write start=\"false\"", "请添加该段，或写 start=\"false\""]);
    pub const BLOCK_WATCH: Hint = hint(&["correct watch in its block", "请改正该段中的 watch"]);
    pub const RAISE_DELAY: Hint = hint(&["raise maxDelayMs", "请增大 maxDelayMs"]);
    pub const EMPTY_ROOT: Hint = hint(&["write \"halt\" to keep what the remote has, or \"sync\" to empty the remote too", "写 \"halt\" 表示保留远端文件，写 \"sync\" 表示同时清空远端"]);
    pub const MAX_DELETE: Hint = hint(&["write 50%, or a number of files and directories, or no to be never asked", "请写 50% 这样的比例或文件和目录的个数；写 no 表示从不询问"]);
    pub const OTHER_EXPRESSION: Hint = hint(&["say it without, if need be with several expressions", "请换一种写法，必要时拆成多个表达式"]);

    // For what the system has.
    pub const MAKE_DIRECTORY: Hint = hint(&["make the directory, or name the one that is meant", "请创建该目录，或改成正确的目录"]);
    pub const WRITE_PASSWORD: Hint = hint(&["write the password alone into it", "请只把密码写进该文件"]);
    pub const NAME_PASSWORD_FILE: Hint = hint(&["name the file with the password", "请写存放密码的文件"]);
    pub const RUN: Hint = hint(&["run: {}", "请执行：{}"]);
    pub const FILE_IN_DIRECTORY: Hint = hint(&["name the file in it: {}", "请写出其中的文件：{}"]);
    pub const READABLE: Hint = hint(&["run sersync as the file's owner or as root, or let this user read it", "请以文件所有者或 root 身份运行，或允许当前用户读取"]);
}

impl Hint {
    /// The hint with what its `{}` stands for.
    pub fn with(mut self, value: impl Into<String>) -> Hint {
        self.value = value.into();
        self
    }

    /// The words.
    pub fn say(&self, language: Language) -> String {
        let [english, chinese] = self.words;
        let words = match language {
            Language::English => english,
            Language::Chinese => chinese,
        };
        words.replace("{}", &self.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hint_speaks_both_languages() {
        let hint = Hint::WRITE.with("&amp;");
        assert_eq!(hint.say(Language::English), "write &amp;");
        assert_eq!(hint.say(Language::Chinese), "请写成 &amp;");
    }

    #[test]
    fn what_can_be_filled_in_can_be_filled_in_in_both() {
        let source = include_str!("hint.rs");
        let lines: Vec<_> =
            source.lines().filter(|line| line.contains(": Hint = hint(&[\"")).collect();
        assert!(lines.len() > 40, "the table is not found: {}", lines.len());
        for line in lines {
            assert!([0, 2].contains(&line.matches("{}").count()), "{line}");
            let chinese = line.rsplit_once("\", \"").map_or("", |(_, chinese)| chinese);
            assert!(!chinese.is_ascii(), "{line}");
        }
    }
}
