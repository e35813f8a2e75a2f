//! What is not the same in another configuration, so that only this is replaced when it is read again.

use super::settings::{Config, CrontabSettings, Root, Timetable};

/// Which parts differ. Remotes are compared by those who have them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Difference {
    /// Something on which all roots or all remotes depend: everything begins anew.
    pub everything: bool,
    /// When the scheduled full syncs are.
    pub timetable: bool,
    /// Which plugin is told, or how.
    pub plugin: bool,
    /// What tells the user that something is wrong.
    pub alert: bool,
}

impl Difference {
    /// Compares the one that runs with the next one.
    pub fn between(before: &Config, after: &Config) -> Difference {
        let timetable = |config: &Config| config.crontab.as_ref().map(|it| it.timetable.clone());
        let plugin =
            |config: &Config| config.plugin.map(|kind| (kind, config.plugin_block(kind).cloned()));
        Difference {
            everything: base(before) != base(after),
            timetable: timetable(before) != timetable(after),
            plugin: plugin(before) != plugin(after),
            alert: before.alert != after.alert,
        }
    }
}

/// What cannot be replaced by itself: all but the parts that are taken out here.
fn base(config: &Config) -> Config {
    let root = |root: &Root| Root { remotes: Vec::new(), ..root.clone() };
    // Whether there is a schedule decides what may be deleted.
    let timetable = Timetable::Every(0);
    let crontab = CrontabSettings { timetable, excludes: Vec::new() };
    Config {
        debug: false,
        roots: config.roots.iter().map(root).collect(),
        crontab: config.crontab.as_ref().map(|_| crontab),
        plugin: None,
        plugins: Vec::new(),
        alert: None,
        warnings: Vec::new(),
        ..config.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn config(sersync: &str, behind: &str) -> Config {
        let text =
            format!("<head><sersync><localpath watch='/data'>{sersync}</sersync>{behind}</head>");
        Config::parse(Path::new("confxml.xml"), text.as_bytes()).unwrap()
    }

    #[test]
    fn each_part_is_told_by_itself() {
        const REMOTE: &str = "<remote ip='h' name='m'/></localpath>";
        let plugin = "<plugin name='command'><param prefix='a' suffix=''/></plugin>";
        let full = |crontab: &str, alert: &str| {
            format!("{REMOTE}{crontab}<plugin start='true' name='command'/>{alert}")
        };
        let crontab = "<crontab start='true' schedule='60'/>";
        let before = config(&full(crontab, ""), plugin);
        let none = Difference::default();
        for (sersync, behind, expected) in [
            (full(crontab, ""), plugin, none),
            (full(crontab, "").replace("name='m'", "name='n'"), plugin, none),
            (
                full(crontab, "").replace("<remote", "<remote ip='g' name='m'/><remote"),
                plugin,
                none,
            ),
            (
                full(&crontab.replace("60", "61"), ""),
                plugin,
                Difference { timetable: true, ..none },
            ),
            (full("", ""), plugin, Difference { timetable: true, everything: true, ..none }),
            (
                full(crontab, ""),
                &*plugin.replace("'a'", "'b'"),
                Difference { plugin: true, ..none },
            ),
            (full(crontab, "<alert command='mail'/>"), plugin, Difference { alert: true, ..none }),
            (
                full(crontab, "<batch quietMs='7'/>"),
                plugin,
                Difference { everything: true, ..none },
            ),
            (
                full(crontab, "<localpath watch='/other'><remote ip='h' name='o'/></localpath>"),
                plugin,
                Difference { everything: true, ..none },
            ),
        ] {
            let after = config(&sersync, behind);
            assert_eq!(Difference::between(&before, &after), expected, "{sersync}{behind}");
        }
    }
}
