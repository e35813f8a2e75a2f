//! The lines of the start.
//!
//! Owns the words that sersync 2.5.4 prints when it starts; scripts and people look for them. So
//! they stay as they are, with their spelling and their full-width colons and commas. Pure: `main`
//! prints them on standard output, [`starting`] before the configuration is read, [`configured`]
//! after it, and [`watching`] when everything is watched.

use crate::config::{Config, Rsync};
use crate::start::cli::{Options, CONFIG_DEFAULT, WORKERS_DEFAULT};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// COMPAT: the original has two threads beside its workers; its arithmetic is printed unchanged.
const PRIMARY_THREADS: usize = 1;
const RETRY_THREADS: usize = 1;

/// The lines up to the configuration, which is read next. They are bytes because of the file's name.
pub fn starting(options: &Options) -> Vec<u8> {
    let mut lines = Lines::default();
    lines.line("set the system param");
    lines.line("execute：echo 50000000 > /proc/sys/fs/inotify/max_user_watches");
    lines.line("execute：echo 327679 > /proc/sys/fs/inotify/max_queued_events");
    lines.line("parse the command param");
    if options.full_sync {
        lines.line(
            "option: -r      rsync all the local files to the remote servers before the sersync work",
        );
    }
    if options.background {
        lines.line("option: -d      run as a daemon");
    }
    if options.config != Path::new(CONFIG_DEFAULT) {
        lines.path("option: -o      config xml name：  ", &options.config);
    }
    if options.workers != WORKERS_DEFAULT {
        lines.line(&format!("option: -n      thread num is:  {}", options.workers));
    }
    lines.line(&format!("daemon thread num: {}", options.workers));
    lines.line("parse xml config file");
    lines.0
}

/// The lines behind the configuration. `command` is what the first full sync runs for the first
/// remote, ready to be shown (`cd W && rsync ...`); it is left out without `-r`.
pub fn configured(options: &Options, config: &Config, command: &[u8]) -> Vec<u8> {
    let mut lines = Lines::default();
    let status = &config.status;
    lines.line(&format!("host ip : {}     host port: {}", status.host, status.port));
    if options.background {
        lines.line("daemon start，sersync run behind the console ");
    }
    // COMPAT: the original had one for all remotes.
    if let Some(first) = config.roots.first().and_then(|root| root.remotes.first()) {
        lines.authentication(&first.rsync);
    }
    lines.line("config xml parse success");
    lines.line("please set /etc/rsyncd.conf max connections=0 Manually");
    lines.thread_numbers(options.workers);
    lines.line("please according your cpu ，use -n param to adjust the cpu rate");
    if options.full_sync {
        lines.line("------------------------------------------");
        lines.line("rsync the directory recursivly to the remote servers once");
        lines.line("working please wait...");
        lines.bytes("execute command: ", command);
    }
    lines.0
}

/// The last lines: from now on changes are seen.
pub fn watching(config: &Config) -> Vec<u8> {
    let mut lines = Lines::default();
    lines.line("run the sersync: ");
    for root in &config.roots {
        lines.path("watch path is: ", &root.watch);
    }
    lines.0
}

#[derive(Default)]
struct Lines(Vec<u8>);

impl Lines {
    fn line(&mut self, text: &str) {
        self.bytes(text, b"");
    }

    fn path(&mut self, label: &str, path: &Path) {
        self.bytes(label, path.as_os_str().as_bytes());
    }

    fn bytes(&mut self, label: &str, bytes: &[u8]) {
        self.0.extend([label.as_bytes(), bytes, b"\n"].concat());
    }

    fn authentication(&mut self, rsync: &Rsync) {
        // Over ssh there is no password file, and the line that announces it would not be true.
        if rsync.password_file.is_some() {
            self.line("use rsync password-file :");
        }
        if let Some(user) = &rsync.user {
            self.line(&format!("user is {user}"));
        }
        if let Some(file) = &rsync.password_file {
            self.path("passwordfile is         ", file);
        }
    }

    fn thread_numbers(&mut self, workers: usize) {
        let pool = PRIMARY_THREADS + RETRY_THREADS + workers;
        self.line(&format!(
            "sersync working thread {pool}  = {PRIMARY_THREADS}(primary thread) + \
             {RETRY_THREADS}(fail retry thread) + {workers}(daemon sub threads) "
        ));
        self.line(&format!(
            "Max threads numbers is: {} = {pool}(Thread pool nums) + {workers}(Sub threads)",
            pool + workers
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::start::cli::{self, Invocation};
    use std::ffi::OsString;

    /// The start as a guide to sersync 2.5.4 prints it, but for `-artz` and the order of the words
    /// in the command, which is this program's own.
    const GUIDE: &str = "\
set the system param
execute：echo 50000000 > /proc/sys/fs/inotify/max_user_watches
execute：echo 327679 > /proc/sys/fs/inotify/max_queued_events
parse the command param
option: -r      rsync all the local files to the remote servers before the sersync work
option: -d      run as a daemon
option: -o      config xml name：  /opt/sersync/conf/confxml.xml
daemon thread num: 10
parse xml config file
host ip : localhost     host port: 8008
daemon start，sersync run behind the console\x20
use rsync password-file :
user is rsync_backup
passwordfile is         /etc/rsync.password
config xml parse success
please set /etc/rsyncd.conf max connections=0 Manually
sersync working thread 12  = 1(primary thread) + 1(fail retry thread) + 10(daemon sub threads)\x20
Max threads numbers is: 22 = 12(Thread pool nums) + 10(Sub threads)
please according your cpu ，use -n param to adjust the cpu rate
------------------------------------------
rsync the directory recursivly to the remote servers once
working please wait...
execute command: cd /backup && rsync -artz -R --delete ./ rsync_backup@192.168.6.22::backup
run the sersync:\x20
watch path is: /backup
";

    const COMMAND: &[u8] =
        b"cd /backup && rsync -artz -R --delete ./ rsync_backup@192.168.6.22::backup";

    fn options(line: &str) -> Options {
        match cli::parse(line.split_whitespace().map(OsString::from)) {
            Ok(Invocation::Run(options)) => options,
            other => panic!("{other:?}"),
        }
    }

    fn config(more: &str, rsync: &str) -> Config {
        let source = format!(
            "<head><sersync><localpath watch='/backup'><remote ip='192.168.6.22' name='backup'/>\
             </localpath>{more}<rsync>{rsync}</rsync></sersync></head>"
        );
        Config::parse(Path::new("c.xml"), source.as_bytes()).unwrap()
    }

    fn printed(line: &str, config: &Config) -> String {
        let options = options(line);
        let lines =
            [starting(&options), configured(&options, config, COMMAND), watching(config)].concat();
        String::from_utf8(lines).unwrap()
    }

    #[test]
    fn the_start_reads_as_in_the_guide() {
        let auth = "<auth start='true' users='rsync_backup' passwordfile='/etc/rsync.password'/>";
        let printed = printed("-r -d -o /opt/sersync/conf/confxml.xml", &config("", auth));
        assert_eq!(printed, GUIDE);
    }

    #[test]
    fn only_what_is_true_is_printed() {
        let printed = printed("", &config("", ""));
        let absent = ["option:", "daemon start", "password", "user is", "----", "execute command"];
        for text in absent {
            assert!(!printed.contains(text), "{text} in\n{printed}");
        }
        assert!(printed.ends_with("cpu rate\nrun the sersync: \nwatch path is: /backup\n"));
    }

    #[test]
    fn another_number_of_workers_is_counted() {
        let printed = printed("-n 4", &config("", ""));
        let lines = [
            "option: -n      thread num is:  4\ndaemon thread num: 4\n",
            "thread 6  = 1(primary thread) + 1(fail retry thread) + 4(daemon sub threads) \n",
            "Max threads numbers is: 10 = 6(Thread pool nums) + 4(Sub threads)\n",
        ];
        for text in lines {
            assert!(printed.contains(text), "{text} in\n{printed}");
        }
    }

    #[test]
    fn over_ssh_there_is_a_user_and_no_password_file() {
        let rsync = "<ssh start='true'/><auth start='true' users='root'/>";
        let printed = printed("-r", &config("", rsync));
        assert!(printed.contains("8008\nuser is root\nconfig xml parse success\n"), "{printed}");
    }

    #[test]
    fn every_root_is_named() {
        let more = "<localpath watch='/数据'><remote ip='h' name='m'/></localpath>";
        let printed = printed("", &config(more, ""));
        assert!(printed.ends_with("watch path is: /backup\nwatch path is: /数据\n"), "{printed}");
    }
}
