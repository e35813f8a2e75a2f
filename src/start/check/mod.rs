//! `--check`: would a start with these options work, and what would it stumble over?
//!
//! Looks at all that a start looks at, and at more, and goes on after each fault where a start would
//! end. Each subject has a file: a thin look at the system, and pure functions from what was seen to
//! [`Finding`]s. Nothing is changed anywhere: no lock is taken, no limit raised, no file made,
//! nothing pushed. `main` calls [`run`] and ends with its code.

mod commands;
mod deletions;
mod fail_log;
mod finding;
mod host;
mod instance;
mod intervals;
mod params;
mod passwords;
mod places;
mod plugins;
mod programs;
mod remotes;
mod roots;

use crate::config::language::Language;
use crate::config::{Config, Error as ConfigError};
use crate::engine::watching::filter::Filter;
use crate::keep::state::store::Store;
use crate::keep::state::State;
use crate::start::cli::Options;
use crate::start::{destinations, prepare};
use crate::tell::logging::print;
use finding::Finding;
use log::LevelFilter;
use std::path::Path;

/// Prints one line for each finding; gives the exit code: 0 for a clean set-up, 1 for errors, 2 for
/// warnings alone. Relative paths start at `here`, the working directory.
pub fn run(options: &Options, here: &Path, language: Language) -> u8 {
    let mut found = match prepare::read_config(&options.config, here) {
        // Lines are shorter with the name that the user typed.
        Ok(config) => {
            all(options, Config { file: options.config.clone(), ..config }, here, language)
        }
        Err(prepare::Error::Config(mut fault)) => {
            fault.file.clone_from(&options.config);
            vec![Finding::of_fault(&fault, language)]
        }
        Err(error) => vec![Finding::error("", error.told(language))],
    };
    found.sort_by_key(|finding| finding.severity);
    let every = options.log_level.is_some_and(|level| level >= LevelFilter::Debug);
    print(finding::report(&found, every).as_bytes());
    finding::exit_code(&found)
}

fn all(options: &Options, mut config: Config, here: &Path, language: Language) -> Vec<Finding> {
    let mut found = params::findings(&config);
    if let Some(kind) = options.plugin_only {
        match prepare::roots_of_plugin(kind, &config) {
            Ok(roots) => config.roots = roots,
            Err(error) => found.push(Finding::error("", error.told(language))),
        }
    }
    let filter = Filter::new(&config.filter).unwrap_or_else(|error| {
        found.push(Finding::error("filter", error));
        Filter::default()
    });
    let running = instance::holder(&config);
    found.extend(roots::findings(&config, &filter, language));
    found.extend(destinations(options, &config, language));
    found.extend(passwords::findings(&config, language));
    found.extend(programs::findings(&config));
    found.extend(remotes::findings(&config, options.workers));
    found.extend(deletions::findings(&config, &state(&config)));
    found.extend(intervals::findings(&config));
    found.extend(fail_log::findings(&config, running.is_some()));
    found.extend(places::findings(options, here));
    found.extend(plugins::findings(&config, options.plugin_only.or(config.plugin)));
    found.extend(commands::findings(&config, options.plugin_only.or(config.plugin)));
    found.extend(host::findings(&config, running.is_some()));
    found.extend(running.map(|holder| instance::finding(&config, holder)));
    found
}

/// What an instance has left, or a running one keeps; nothing if that cannot be read.
fn state(config: &Config) -> State {
    let Ok(resolved) = prepare::resolved(config) else { return State::default() };
    Store::of(&resolved, &config.fail_log.path).load().unwrap_or_default()
}

/// Destinations that lie in a root, or in each other.
fn destinations(options: &Options, config: &Config, language: Language) -> Vec<Finding> {
    let of = |fault: &ConfigError| Finding::of_fault(fault, language);
    let mut found: Vec<Finding> = destinations::in_their_root(config).iter().map(of).collect();
    let deletes = config.events.delete && options.plugin_only.is_none();
    let mirror = options.full_sync || config.crontab.is_some();
    // The options of the start need not be those of this look.
    let in_each_other = destinations::in_each_other(config).into_iter().filter(|_| deletes);
    found.extend(in_each_other.map(|fault| match mirror {
        true => of(&fault),
        false => Finding::warning("", format!("{fault} (with -r or crontab)")),
    }));
    found
}
