//! The help and the faults of the command line in Chinese. Pure.
//!
//! The English words are argh's and `cli`'s; a fault is translated as a whole, and what has no
//! translation stays English. The tests see that every option is in the help.

/// What `--help` prints.
pub(super) const HELP: &str = "\
用法：sersync [-r] [-d] [-o <file>] [-n <number>] [-m [<name>]] [--log-file <file>] [...]

用 inotify 和 rsync 将本地目录实时同步到远程目录。

选项：
  -r, --full-sync   开始监控前，先将全部文件推送一遍
  -d, --daemon      在后台运行
  -o, --config      配置文件（默认为当前目录下的 confxml.xml）
  -n, --workers     同时运行的 rsync 进程数上限（默认 10）
  -m, --plugin      只运行一个插件，不运行 rsync：refreshCDN、socket、http 或 command
  --without-modify  不同步仅内容被改写的文件；单独使用 -m（不带名称）效果相同
  --pid-file        运行期间将进程号写入此文件
  --log-file        将日志写入此文件；收到 SIGHUP 信号时重新打开
  --log-level       日志级别：error、warn、info、debug 或 trace（默认 info）
  --check           检查启动所需的一切是否就绪，然后退出
  --dry-run         显示全量同步将会做哪些改动，但不做任何改动
  --status          显示正在运行的 sersync 的状态，然后退出
  --reload          让正在运行的 sersync 重新读取配置文件，并显示结果
  --confirm-deletions 同意执行正在等待确认的删除（--status 显示其数量）
  --json            与 --status 一起使用：以 JSON 格式输出，供程序读取
  --watch           与 --status 一起使用：持续刷新显示
  --version         显示版本、目标平台和构建时间
  -h, --help        显示本帮助

示例：
  sersync -dro /etc/sersync/confxml.xml

说明：
  单字母选项可以合并书写，如 -dro FILE。配置项的说明见 conf/confxml.xml。
";

/// A fault and where to look, as one line.
pub(super) fn error(english: &str) -> String {
    let fault = fault(english).unwrap_or_else(|| english.into());
    format!("{fault}；运行 sersync --help 可查看所有选项")
}

fn fault(english: &str) -> Option<String> {
    if let Some(argument) = english.strip_prefix("Unrecognized argument: ") {
        return Some(format!("无法识别的参数：{argument}"));
    }
    if let Some(option) = english.strip_prefix("No value provided for option '") {
        return Some(format!("选项 {} 缺少值", option.strip_suffix('\'')?));
    }
    if let Some(value) = english.strip_prefix("Error parsing option '") {
        let (option, value) = value.split_once("' with value '")?;
        let (value, expected) = value.rsplit_once("': expected ")?;
        return Some(format!("选项 {option} 的值“{value}”有误：应为{}", expectation(expected)?));
    }
    let whole = match english {
        "--json and --watch go with --status" => "--json 和 --watch 只能与 --status 一起使用",
        super::NOT_TOGETHER => {
            "--check、--dry-run、--status、--reload 和 --confirm-deletions 不能同时使用"
        }
        _ => return None,
    };
    Some(whole.into())
}

fn expectation(english: &str) -> Option<String> {
    if let Some(range) = english.strip_prefix("a whole number from ") {
        let (first, last) = range.split_once(" to ")?;
        return Some(format!(" {first} 到 {last} 的整数"));
    }
    if let Some(names) = english.strip_prefix("one of ") {
        return Some(format!(" {names} 之一"));
    }
    (english == "the name of a file").then(|| "文件名".into())
}
