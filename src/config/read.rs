//! From elements to the typed configuration.
//!
//! Owns which elements must be there, the defaults of the others (the official template's values), and
//! what contradicts what. What is turned off with `start="false"` is not looked into, because people's
//! files keep half-filled elements for later. [`Config::parse`] is the way in for everybody.

use super::address::{self, plain};
use super::diagnosis::error::Error;
use super::diagnosis::excerpt::Excerpt;
use super::diagnosis::hint::Hint;
use super::diagnosis::problem::Problem;
use super::diagnosis::repair;
use super::diagnosis::shown::{shown, shown_path};
use super::diagnosis::source::Source;
use super::diagnosis::warnings::Warnings;
use super::remote::Common;
use super::settings::{
    AlertSettings, Batch, Config, CrontabSettings, EmptyRoot, Events, FailLog, FilterSettings,
    MaxDelete, Plugin, PluginKind, Root, Safety, StandbyMode, StatusAddress, TimeOfDay, Timetable,
};
use super::units::{self, Unit};
use super::xml::{self, Attribute, Element};
use super::{ignored, plugins};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The longest interval between two runs of something, in seconds: a year. Longer is a mistake.
const INTERVAL_S_MAX: u64 = 366 * 86_400;
/// The longest time between two batches in seconds: a day.
const BATCH_INTERVAL_S_MAX: u64 = 86_400;
/// The longest quiet period and delay of a batch, in milliseconds: an hour.
const BATCH_MS_MAX: u64 = 3_600_000;

/// The default of `alert after`. A remote that merely restarts is back within this time.
const ALERT_AFTER: Duration = Duration::from_secs(60);
/// The longest time before an alert, in seconds: a day.
const ALERT_AFTER_S_MAX: u64 = 86_400;

/// The official template's `timeToExecute`, 60 minutes, and `schedule`, 600 minutes.
const FAIL_LOG_EVERY: Duration = Duration::from_secs(3600);
const CRONTAB_EVERY: Duration = Duration::from_secs(36_000);
/// At most this many times of day may stand in `at`: one for each half hour.
const TIMES_OF_DAY_MAX: usize = 48;

impl Config {
    /// Reads the bytes of a configuration file. `file` is only a name, for messages.
    ///
    /// # Errors
    /// The first mistake in the file: broken XML, a missing or wrong element or attribute, an
    /// expression that does not compile, rsync options that would break a run. What is merely odd is in
    /// [`Config::warnings`].
    pub fn parse(file: &Path, bytes: &[u8]) -> Result<Config, Error> {
        let source = Source::new(bytes).map_err(|problem| Error::new(file, problem))?;
        config(file, &source).map_err(|problem| {
            let first_problem = |source: &Source| config(file, source).err();
            let mended = repair::mended_line(&source, &problem, first_problem);
            let excerpt = Excerpt::of(&source, problem.position, mended);
            Error { excerpt: excerpt.map(Box::new), ..Error::new(file, problem) }
        })
    }
}

/// Reads a whole file; `file` is only a name.
pub(super) fn config(file: &Path, source: &Source) -> Result<Config, Problem> {
    let text = source.undeclared();
    let document = xml::parse(&text)?;
    let head = Element::root(&document, source.encoding);
    if head.name() != "head" {
        let text = format!("found <{}>, expected <head>", shown(head.name()));
        return Err(head.problem(text).hint(Hint::INTO_HEAD));
    }
    let mut warnings = Warnings::default();
    ignored::check(head, &mut warnings);
    let sersync = head.required_child("sersync", "<sersync>...</sersync>")?;
    let roots = roots(sersync, &mut warnings)?;
    let mut plugins = Vec::new();
    for block in head.children_named("plugin") {
        plugins.push(plugins::plugin(block)?);
    }
    let plugin = chosen_plugin(sersync, &plugins, &roots)?;
    let config = Config {
        file: file.to_owned(),
        status: status(head)?,
        debug: head.switch("debug", false)?,
        filter: filter(head)?,
        events: events(head)?,
        roots,
        fail_log: fail_log(sersync)?,
        crontab: crontab(sersync)?,
        plugin,
        plugins,
        batch: batch(sersync)?,
        standby: standby(sersync)?,
        safety: safety(sersync)?,
        alert: alert(sersync)?,
        warnings: warnings.in_file_order(),
    };
    file_system(head)?;
    Ok(config)
}

fn status(head: Element<'_>) -> Result<StatusAddress, Problem> {
    let host = head.child("host");
    let hostip = host.and_then(|host| host.attribute("hostip"));
    let port = host.and_then(|host| host.attribute("port"));
    Ok(StatusAddress {
        host: hostip.map_or(Ok("localhost".into()), |ip| address::host(&ip))?,
        port: port.map_or(Ok(8008), |port| port.port_or_none())?,
    })
}

/// COMPAT: `fileSystem xfs` asked the original to call stat where readdir gives no type. This
/// program always does so when needed; the switch is checked and has no effect.
fn file_system(head: Element<'_>) -> Result<(), Problem> {
    let xfs = head.child("fileSystem").and_then(|element| element.attribute("xfs"));
    xfs.map_or(Ok(false), |xfs| xfs.switch()).map(drop)
}

fn filter(head: Element<'_>) -> Result<FilterSettings, Problem> {
    let Some(filter) = head.child("filter") else { return Ok(FilterSettings::default()) };
    let hidden = filter.attribute("hidden");
    // <filter hidden="..."/> is enough where nothing else is filtered.
    let start = match filter.attribute("start") {
        None if hidden.is_some() => false,
        Some(_) | None => filter.start()?,
    };
    Ok(FilterSettings {
        excludes: if start { filter.expressions("exclude")? } else { Vec::new() },
        hidden: hidden.map_or(Ok(false), |hidden| hidden.switch())?,
    })
}

fn events(head: Element<'_>) -> Result<Events, Problem> {
    let default = Events::default();
    let Some(inotify) = head.child("inotify") else { return Ok(default) };
    Ok(Events {
        delete: inotify.switch("delete", default.delete)?,
        create_folder: inotify.switch("createFolder", default.create_folder)?,
        create_file: inotify.switch("createFile", default.create_file)?,
        close_write: inotify.switch("closeWrite", default.close_write)?,
        move_from: inotify.switch("moveFrom", default.move_from)?,
        move_to: inotify.switch("moveTo", default.move_to)?,
        attrib: inotify.switch("attrib", default.attrib)?,
        modify: inotify.switch("modify", default.modify)?,
    })
}

fn roots(sersync: Element<'_>, warnings: &mut Warnings) -> Result<Vec<Root>, Problem> {
    sersync.required_child("localpath", "<localpath watch=\"/directory\">...</localpath>")?;
    let common = Common::read(sersync, warnings)?;
    let mut watched = Vec::new();
    let mut places: Vec<(_, PathBuf)> = Vec::new();
    let mut roots = Vec::new();
    for element in sersync.children_named("localpath") {
        let watch = element.required("watch", "the directory to watch")?.directory()?;
        let directory = plain(&watch);
        if watched.contains(&directory) {
            let text = format!("found {} watched twice, expected once", shown_path(&watch));
            return Err(element.problem(text).hint(Hint::ONE_LOCALPATH));
        }
        watched.push(directory);
        let example = "<remote ip=\"127.0.0.1\" name=\"module\"/>";
        element.required_child("remote", example)?;
        let mut remotes = Vec::new();
        for child in element.children_named("remote") {
            let remote = common.remote(child, &watch, warnings)?;
            // Two ports of one host are two daemons, and so two places.
            let place = (remote.address.clone(), remote.rsync.port);
            let before = places.iter().rev().find(|(other, _)| *other == place);
            if let Some((_, other)) = before {
                warnings.add(|| shared_remote(child, &watch, other));
            }
            places.push((place, watch.clone()));
            remotes.push(remote);
        }
        let position = element.attribute("watch").map(|watch| watch.position()).unwrap_or_default();
        roots.push(Root { watch, remotes, position });
    }
    Ok(roots)
}

fn shared_remote(remote: Element<'_>, root: &Path, other_root: &Path) -> Problem {
    if root == other_root {
        return remote.problem("this remote is there twice: everything is sent twice");
    }
    remote.problem(format!(
        "this remote is also one of {}: with -r or crontab each deletes what the other has sent",
        shown_path(other_root)
    ))
}

fn fail_log(sersync: Element<'_>) -> Result<FailLog, Problem> {
    let element = sersync.child("failLog");
    let path = match element {
        Some(element) => element.required("path", "the file for failed commands")?.path(),
        None => "/tmp/rsync_fail_log.sh".into(),
    };
    let written = element.and_then(|element| element.attribute("timeToExecute"));
    let every = match written {
        Some(written) => written.time(Unit::Minutes, 1..=INTERVAL_S_MAX)?,
        None => FAIL_LOG_EVERY,
    };
    Ok(FailLog { path, every_s: every.as_secs() })
}

fn crontab(sersync: Element<'_>) -> Result<Option<CrontabSettings>, Problem> {
    let Some(crontab) = sersync.started("crontab")? else { return Ok(None) };
    let timetable = match (crontab.attribute("schedule"), crontab.attribute("at")) {
        (Some(_), Some(at)) => {
            return Err(at.wrong("either schedule or at").hint(Hint::DELETE_ONE));
        }
        (None, Some(at)) => Timetable::At(times_of_day(&at)?),
        (Some(every), None) => {
            Timetable::Every(every.time(Unit::Minutes, 1..=INTERVAL_S_MAX)?.as_secs())
        }
        (None, None) => Timetable::Every(CRONTAB_EVERY.as_secs()),
    };
    let mut excludes = Vec::new();
    if let Some(filter) = crontab.started("crontabfilter")? {
        for exclude in filter.children_named("exclude") {
            excludes.push(exclude.required("expression", "an rsync pattern")?.bytes());
        }
    }
    Ok(Some(CrontabSettings { timetable, excludes }))
}

/// Times of day with commas between them, sorted, each once.
fn times_of_day(attribute: &Attribute<'_>) -> Result<Vec<TimeOfDay>, Problem> {
    let times: Option<Vec<_>> = attribute.value().split(',').map(units::time_of_day).collect();
    let mut times = times.ok_or_else(|| {
        attribute.wrong("times of day from 00:00 to 23:59").hint(Hint::TIMES_OF_DAY)
    })?;
    times.sort_unstable();
    times.dedup();
    if times.len() > TIMES_OF_DAY_MAX {
        let problem = attribute.wrong(&format!("at most {TIMES_OF_DAY_MAX} times of day"));
        return Err(problem.hint(Hint::WRITE.with("schedule=\"10m\"")));
    }
    Ok(times)
}

fn standby(sersync: Element<'_>) -> Result<StandbyMode, Problem> {
    let Some(element) = sersync.child("standby") else { return Ok(StandbyMode::default()) };
    // <standby/> alone turns it on.
    if element.attribute("start").is_some() && !element.start()? {
        return Ok(StandbyMode::Off);
    }
    match element.attribute("seconds") {
        None => Ok(StandbyMode::default()),
        Some(written) if written.value() == "always" => Ok(StandbyMode::Always),
        Some(written) => {
            Ok(StandbyMode::For(written.time(Unit::Seconds, 1..=INTERVAL_S_MAX)?.as_secs()))
        }
    }
}

fn safety(sersync: Element<'_>) -> Result<Safety, Problem> {
    let default = Safety::default();
    let Some(element) = sersync.child("safety") else { return Ok(default) };
    let empty_root = match element.attribute("emptyRoot") {
        Some(written) => match written.value().trim() {
            "halt" => EmptyRoot::Halt,
            "sync" => EmptyRoot::Sync,
            _ => {
                return Err(written.wrong("\"halt\" or \"sync\"").hint(Hint::EMPTY_ROOT));
            }
        },
        None => default.empty_root,
    };
    let max_delete = element.attribute("maxDelete").map(|written| {
        let expected = "a share from 0% to 100%, a number, or \"no\"";
        max_delete(written.value().trim())
            .ok_or_else(|| written.wrong(expected).hint(Hint::MAX_DELETE))
    });
    Ok(Safety { empty_root, max_delete: max_delete.transpose()?.unwrap_or(default.max_delete) })
}

fn max_delete(text: &str) -> Option<MaxDelete> {
    let digits = |text: &str| Some(text.parse().ok()?).filter(|_| !text.starts_with('+'));
    match text.strip_suffix('%') {
        _ if text == "no" => Some(MaxDelete::Any),
        Some(share) => {
            digits(share.trim_end()).filter(|it| *it <= 100).map(|it| MaxDelete::Share(it as u8))
        }
        None => digits(text).map(MaxDelete::Number),
    }
}

fn alert(sersync: Element<'_>) -> Result<Option<AlertSettings>, Problem> {
    let Some(element) = sersync.child("alert") else { return Ok(None) };
    let command = element.required("command", "the command to run")?.bytes();
    let after = match element.attribute("after") {
        Some(written) => written.time(Unit::Seconds, 0..=ALERT_AFTER_S_MAX)?,
        None => ALERT_AFTER,
    };
    Ok(Some(AlertSettings { command, after_s: after.as_secs() }))
}

/// `sersync/plugin`, if it is on: its block must be there, and the plugin's directory must be synced.
fn chosen_plugin(
    sersync: Element<'_>,
    blocks: &[Plugin],
    roots: &[Root],
) -> Result<Option<PluginKind>, Problem> {
    let Some(element) = sersync.started("plugin")? else { return Ok(None) };
    let kind = plugins::kind(element)?;
    let name = kind.name();
    let Some(block) = blocks.iter().find(|block| block.kind() == kind) else {
        let text = format!(
            "found the plugin {name} turned on, expected <plugin name=\"{name}\"> behind </sersync>"
        );
        return Err(element.problem(text).hint(Hint::BLOCK_OR_OFF));
    };
    let inside =
        |watch: &Path| roots.iter().any(|root| plain(watch).starts_with(plain(&root.watch)));
    match block.watch() {
        // COMPAT: the original would watch the plugin's directory instead of the root, without a word.
        Some(watch) if !inside(watch) => {
            let text = format!(
                "found the plugin {name} turned on for {}, expected a path inside a watched \
                 <localpath>",
                shown_path(watch)
            );
            Err(element.problem(text).hint(Hint::BLOCK_WATCH))
        }
        Some(_) | None => Ok(Some(kind)),
    }
}

fn batch(sersync: Element<'_>) -> Result<Batch, Problem> {
    let default = Batch::default();
    let Some(element) = sersync.child("batch") else { return Ok(default) };
    let milliseconds = |name| {
        let attribute = element.attribute(name);
        attribute
            .map(|attribute| attribute.number("a number of milliseconds", 0..=BATCH_MS_MAX))
            .transpose()
    };
    let quiet_ms = milliseconds("quietMs")?.unwrap_or(default.quiet_ms);
    let delay_ms_max = milliseconds("maxDelayMs")?.unwrap_or(default.delay_ms_max.max(quiet_ms));
    if quiet_ms > delay_ms_max {
        let text = format!(
            "found maxDelayMs={delay_ms_max} below quietMs={quiet_ms}, expected at least as much"
        );
        return Err(element.problem(text).hint(Hint::RAISE_DELAY));
    }
    let interval = element
        .attribute("interval")
        .map(|written| written.time(Unit::Seconds, 0..=BATCH_INTERVAL_S_MAX))
        .transpose()?;
    let interval_ms = interval
        .map(|interval| u64::try_from(interval.as_millis()).expect("a day of milliseconds fits"));
    Ok(Batch { quiet_ms, delay_ms_max, interval_ms })
}
