//! Reads the command line, loads the configuration, runs; the only place that ends the process.

use sersync::cli::{self, Invocation, Options};
use sersync::language::Language;
use sersync::sys::sysctl;
use sersync::{banner, event_loop, startup};
use std::fmt::Display;
use std::io::{self, Write};
use std::process::ExitCode;

fn main() -> ExitCode {
    let language = Language::of_messages(|name| std::env::var_os(name));
    match cli::parse(std::env::args_os().skip(1)) {
        Ok(Invocation::Help) => print(cli::help(language).as_bytes()),
        Ok(Invocation::Version) => print(cli::version().as_bytes()),
        Ok(Invocation::Run(options)) => return run(&options),
        Ok(Invocation::Check(_)) => return fail("--check is not there yet"),
        Ok(Invocation::DryRun(_)) => return fail("--dry-run is not there yet"),
        Ok(Invocation::Status(_)) => return fail("--status is not there yet"),
        Err(error) => return fail(error.in_language(language)),
    }
    ExitCode::SUCCESS
}

fn run(options: &Options) -> ExitCode {
    print(&banner::starting(options));
    // The line above says so; whoever may not do it goes on with the limits that there are.
    let refused: Vec<_> = sysctl::LIMITS.iter().filter_map(|limit| limit.raise().err()).collect();
    let config = match startup::read_config(&options.config) {
        Ok(config) => config,
        Err(error) => return refuse(&error),
    };
    start_logging(config.debug);
    for warning in &config.warnings {
        let (file, line, column) = (options.config.display(), warning.line, warning.column);
        log::warn!("{file}:{line}:{column}: {}", warning.text);
    }
    for error in refused {
        log::debug!("the limits of inotify stay as they are: {error}");
    }
    let _lock = match startup::lock(&config) {
        Ok(lock) => lock,
        Err(error) => return refuse(&error),
    };
    let mut setup = match startup::prepare(options, config) {
        Ok(setup) => setup,
        Err(error) => return refuse(&error),
    };
    let shown = setup.routes.first().filter(|_| options.full_sync).map(|route| {
        let first = route.full_sync(false, setup.mirror);
        sersync::rsync::command::shown(&route.root, &first)
    });
    print(&banner::configured(options, &setup.config, &shown.unwrap_or_default()));
    for missing in startup::missing_features(&setup.config) {
        log::info!("{missing}");
    }
    let watching = banner::watching(&setup.config);
    setup.ready = Box::new(move || print(&watching));
    match event_loop::run(setup) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(error),
    }
}

fn start_logging(debug: bool) {
    let level = if debug { log::LevelFilter::Debug } else { log::LevelFilter::Info };
    // It fails only if there is a logger already.
    let _ = simple_logger::SimpleLogger::new().with_level(level).with_utc_timestamps().init();
}

fn print(bytes: &[u8]) {
    let mut out = io::stdout().lock();
    // A reader that has gone away is no reason to end.
    let _ = out.write_all(bytes).and_then(|()| out.flush());
}

fn refuse(error: &startup::Error) -> ExitCode {
    fail(error);
    ExitCode::from(error.exit_code())
}

fn fail(error: impl Display) -> ExitCode {
    eprintln!("sersync: {error}");
    ExitCode::FAILURE
}
