//! Builds a `confxml.xml`: the official template's elements, each piece of which a test can change.

use super::KEEP;
use std::fmt;
use std::path::{Path, PathBuf};

/// The pieces, with the template's values but `-artz`: `-u` skips a file that is newer on the far
/// side, which a test must not have to think of.
#[derive(Clone)]
pub struct ConfXml {
    /// Every `localpath`.
    pub roots: Vec<LocalPath>,
    /// `commonParams params`.
    pub params: String,
    /// `auth users passwordfile`; turned on if it is there.
    pub auth: Option<(String, PathBuf)>,
    /// `userDefinedPort port`; turned on if it is there.
    pub port: Option<u16>,
    /// `timeout time`; turned on if it is there.
    pub timeout_s: Option<u32>,
    /// `host port`; 0, at first: no status server, since all tests run at the same time.
    pub status_port: u16,
    /// `ssh start`.
    pub ssh: bool,
    /// `exclude expression`; the filter is on if there is one.
    pub excludes: Vec<String>,
    /// `filter hidden`.
    pub hidden: bool,
    /// `debug start`.
    pub debug: bool,
    /// `failLog path`.
    pub fail_log: PathBuf,
    /// The `crontab` element, as it is written; the template's at first.
    pub crontab: String,
    /// The `plugin` element of `sersync`, as it is written, and others behind it; the template's at
    /// first.
    pub plugin: String,
    /// The `standby` element, as it is written; none at first.
    pub standby: String,
    /// The `safety` element, as it is written; none at first.
    pub safety: String,
    /// The `batch` element, as it is written; none at first.
    pub batch: String,
    /// The `plugin` blocks behind `sersync`, as they are written.
    pub blocks: String,
    events: Vec<(&'static str, bool)>,
}

/// A root and its remotes, each with the `ip` and the `name` as they are written.
#[derive(Clone)]
pub struct LocalPath {
    pub watch: PathBuf,
    pub remotes: Vec<(String, String)>,
}

impl ConfXml {
    /// No roots yet; the fail log is in `dir`.
    pub fn new(dir: &Path) -> ConfXml {
        ConfXml {
            roots: Vec::new(),
            params: "-artz".to_string(),
            auth: None,
            port: None,
            timeout_s: None,
            status_port: 0,
            ssh: false,
            excludes: Vec::new(),
            hidden: false,
            debug: std::env::var_os(KEEP).is_some(),
            fail_log: dir.join("rsync_fail_log.sh"),
            crontab: "<crontab start=\"false\" schedule=\"600\"><crontabfilter start=\"false\">\
                      <exclude expression=\"*.php\"></exclude></crontabfilter></crontab>"
                .to_string(),
            plugin: r#"<plugin start="false" name="command"/>"#.to_string(),
            standby: String::new(),
            safety: String::new(),
            batch: String::new(),
            blocks: String::new(),
            events: vec![
                ("delete", true),
                ("createFolder", true),
                ("createFile", false),
                ("closeWrite", true),
                ("moveFrom", true),
                ("moveTo", true),
                ("attrib", false),
                ("modify", false),
            ],
        }
    }

    /// Turns an element of `inotify` on or off.
    pub fn event(&mut self, element: &str, on: bool) {
        let event = self.events.iter_mut().find(|(name, _)| *name == element);
        event.unwrap_or_else(|| panic!("there is no event element {element}")).1 = on;
    }

    /// Adds a root.
    pub fn root(&mut self, watch: &Path, remotes: &[(String, String)]) {
        self.roots.push(LocalPath { watch: watch.to_path_buf(), remotes: remotes.to_vec() });
    }
}

impl fmt::Display for ConfXml {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, r#"<?xml version="1.0" encoding="ISO-8859-1"?>"#)?;
        writeln!(f, "<head version=\"2.5\">")?;
        writeln!(f, r#"  <host hostip="localhost" port="{}"></host>"#, self.status_port)?;
        writeln!(f, "  <debug start=\"{}\"/>\n  <fileSystem xfs=\"false\"/>", self.debug)?;
        write!(f, r#"  <filter start="{}""#, !self.excludes.is_empty())?;
        writeln!(f, "{}>", if self.hidden { r#" hidden="true""# } else { "" })?;
        for expression in &self.excludes {
            writeln!(f, r#"    <exclude expression="{}"></exclude>"#, escape(expression))?;
        }
        writeln!(f, "  </filter>\n  <inotify>")?;
        for (element, on) in &self.events {
            writeln!(f, r#"    <{element} start="{on}"/>"#)?;
        }
        writeln!(f, "  </inotify>\n  <sersync>")?;
        for root in &self.roots {
            write!(f, "{root}")?;
        }
        self.write_rsync(f)?;
        let fail_log = escape(&self.fail_log.display().to_string());
        writeln!(f, "    {}{}", self.batch, self.safety)?;
        writeln!(f, r#"    <failLog path="{fail_log}" timeToExecute="60"/>"#)?;
        writeln!(f, "    {}", self.crontab)?;
        writeln!(f, "    {}", self.standby)?;
        writeln!(f, "    {}\n  </sersync>\n{}</head>", self.plugin, self.blocks)
    }
}

impl ConfXml {
    fn write_rsync(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "    <rsync>\n      <commonParams params=\"{}\"/>", escape(&self.params))?;
        let (user, file) = self.auth.clone().unwrap_or(("root".into(), "/etc/rsync.pas".into()));
        write!(f, r#"      <auth start="{}" users="{}""#, self.auth.is_some(), escape(&user))?;
        writeln!(f, r#" passwordfile="{}"/>"#, escape(&file.display().to_string()))?;
        write!(f, r#"      <userDefinedPort start="{}""#, self.port.is_some())?;
        writeln!(f, r#" port="{}"/>"#, self.port.unwrap_or(874))?;
        write!(f, r#"      <timeout start="{}""#, self.timeout_s.is_some())?;
        writeln!(f, r#" time="{}"/>"#, self.timeout_s.unwrap_or(100))?;
        writeln!(f, "      <ssh start=\"{}\"/>\n    </rsync>", self.ssh)
    }
}

impl fmt::Display for LocalPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, r#"    <localpath watch="{}">"#, escape(&self.watch.display().to_string()))?;
        for (ip, name) in &self.remotes {
            writeln!(f, r#"      <remote ip="{}" name="{}"/>"#, escape(ip), escape(name))?;
        }
        writeln!(f, "    </localpath>")
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")
}
