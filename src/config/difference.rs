//! What is not the same in another configuration, so that only this is replaced when it is read again.

use super::settings::Config;

/// Which parts differ. Roots and remotes are compared by those who have them, and what is one value is replaced anyway.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Difference {
    /// Something on which everything depends: everything begins anew.
    pub everything: bool,
    /// What is left out of all roots.
    pub filter: bool,
    /// When the scheduled full syncs are.
    pub timetable: bool,
    /// Which plugin is told, or how.
    pub plugin: bool,
    /// What tells the user that something is wrong.
    pub alert: bool,
    /// Where the status page is.
    pub status: bool,
}

impl Difference {
    /// Compares the one that runs with the next one.
    pub fn between(before: &Config, after: &Config) -> Difference {
        let plugin =
            |config: &Config| config.plugin.map(|kind| (kind, config.plugin_block(kind).cloned()));
        let timetable = |config: &Config| config.crontab.as_ref().map(|it| it.timetable.clone());
        // What is new in a configuration is to be thought of here.
        let Config {
            file,
            status,
            debug: _,
            filter,
            events: _,
            roots: _,
            fail_log,
            crontab,
            plugin: _,
            plugins: _,
            batch: _,
            standby: _,
            safety: _,
            alert,
            warnings: _,
        } = before;
        Difference {
            everything: *file != after.file
                || fail_log.path != after.fail_log.path
                // Whether there is a schedule decides what may be deleted.
                || crontab.is_some() != after.crontab.is_some(),
            filter: *filter != after.filter,
            timetable: timetable(before) != timetable(after),
            plugin: plugin(before) != plugin(after),
            alert: *alert != after.alert,
            status: *status != after.status,
        }
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
            (full(crontab, "<batch quietMs='7'/>"), plugin, none),
            (
                full(crontab, "<localpath watch='/other'><remote ip='h' name='o'/></localpath>"),
                plugin,
                none,
            ),
            (
                full(crontab, "<failLog path='/other'/>"),
                plugin,
                Difference { everything: true, ..none },
            ),
        ] {
            let after = config(&sersync, behind);
            assert_eq!(Difference::between(&before, &after), expected, "{sersync}{behind}");
        }
    }
}
