//! Reads the command line, loads the configuration, goes to the background, runs; the only place that
//! ends the process.

use sersync::config::language::Language;
use sersync::run::control::Request;
use sersync::run::event_loop;
use sersync::start::cli::{self, Invocation, Options};
use sersync::start::{ask, banner, check, dry_run, prepare, status};
use sersync::sys::crash;
use sersync::sys::daemon::{self, Background, Side, Unready, Waiting};
use sersync::sys::lock::Error as LockError;
use sersync::sys::pid_file::PidFile;
use sersync::sys::sysctl;
use sersync::tell::logging;
use sersync::tell::logging::print;
use std::cell::RefCell;
use std::fmt::Display;
use std::path::Path;
use std::process::ExitCode;
use std::rc::Rc;

fn main() -> ExitCode {
    crash::catch(cli::BUILD);
    let language = Language::of(|name| std::env::var_os(name));
    match cli::parse(std::env::args_os().skip(1)) {
        Ok(Invocation::Help) => print(cli::help(language).as_bytes()),
        Ok(Invocation::Version) => print(cli::version().as_bytes()),
        Ok(Invocation::Run(options)) => return run(&options),
        Ok(Invocation::Check(options)) => return check(&options, language),
        Ok(Invocation::DryRun(options)) => return dry_run(&options),
        Ok(Invocation::Ask(config, request)) => return ask(&config, request, language),
        Ok(Invocation::Status(view)) => return ExitCode::from(status::run(&view)),
        Err(error) => return fail(error.in_language(language)),
    }
    ExitCode::SUCCESS
}

fn run(options: &Options) -> ExitCode {
    print(&banner::starting(options));
    let mut background = None;
    if options.background {
        match daemon::split() {
            Ok(Side::Background(process)) => background = Some(process),
            Ok(Side::Waiting(process)) => return wait(process),
            Err(error) => return fail(format!("cannot go to the background: {error}")),
        }
    }
    let code = start(options, background);
    logging::end();
    code
}

/// What is left to the process that the user started: the exit code.
fn wait(process: Waiting) -> ExitCode {
    match process.wait() {
        Ok(()) => ExitCode::SUCCESS,
        Err(Unready::Refused(code)) => ExitCode::from(code),
        Err(vanished @ Unready::Vanished(_)) => fail(vanished),
    }
}

fn start(options: &Options, background: Option<Background>) -> ExitCode {
    // The line above says so; whoever may not do it goes on with the limits that there are.
    let refused: Vec<_> = sysctl::LIMITS.iter().filter_map(|limit| limit.raise().err()).collect();
    // Relative paths are the user's, who started the program here; in the background it leaves.
    let here = std::env::current_dir().unwrap_or_default();
    if let Err(error) = logging::start(options.log_file.as_ref().map(|file| here.join(file))) {
        return fail(error);
    }
    let config = match prepare::read_config(&options.config, &here) {
        Ok(config) => config,
        Err(error) => return refuse(&error),
    };
    logging::follow(options.log_level, config.debug);
    let lock = match prepare::lock(&config) {
        Ok(lock) => lock,
        Err(error @ prepare::Error::Locked(LockError::Running(..))) => {
            logging::leave_file();
            return refuse(&error);
        }
        Err(error) => return refuse(&error),
    };
    prepare::warn(&config);
    for error in refused {
        log::debug!("the limits of inotify stay as they are: {error}");
    }
    let mut setup = match prepare::setup(options, config.clone(), &here) {
        Ok(setup) => setup,
        Err(error) => return refuse(&error),
    };
    let pid_file = options.pid_file.as_ref().map(|file| PidFile::write(&here.join(file)));
    let _pid_file = match pid_file.transpose() {
        Ok(file) => file,
        Err(error) => return fail(error),
    };
    let shown = setup.remotes.first().filter(|_| options.full_sync);
    let shown = shown
        .map(|first| first.full_sync(false, setup.grants.of_sweeps()).shown(&first.route.root));
    print(&banner::configured(options, &setup.config, &shown.unwrap_or_default()));
    prepare::say_intervals(&setup.config);
    let watching = banner::watching(&setup.config);
    setup.ready = Box::new(move || ready(&watching, background));
    if let Err(error) = prepare::resume(&mut setup) {
        return refuse(&error);
    }
    let lock = Rc::new(RefCell::new(lock));
    setup.lock = Some(lock.clone());
    setup.read_again = prepare::read_again(options.clone(), here, lock, config);
    match event_loop::run(setup) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(error),
    }
}

/// The answer is the output; one that is no yes goes to standard error.
fn ask(config: &Path, request: Request, language: Language) -> ExitCode {
    match ask::run(config, request, language) {
        Ok(done) => {
            print(format!("{done}\n").as_bytes());
            ExitCode::SUCCESS
        }
        Err(refused) => fail(refused),
    }
}

/// The findings are the output; nothing else is logged.
fn check(options: &Options, language: Language) -> ExitCode {
    let here = std::env::current_dir().unwrap_or_default();
    ExitCode::from(check::run(options, &here, language))
}

/// A log file is for what runs: what is wrong here is said on standard error.
fn dry_run(options: &Options) -> ExitCode {
    let options = Options { full_sync: options.plugin_only.is_none(), ..options.clone() };
    let here = std::env::current_dir().unwrap_or_default();
    if let Err(error) = logging::start(None) {
        return fail(error);
    }
    let shown = prepare::read_config(&options.config, &here).and_then(|config| {
        logging::follow(options.log_level, config.debug);
        prepare::warn(&config);
        prepare::setup(&options, config, &here)
    });
    let code = match shown.map(|setup| dry_run::run(&setup)) {
        Ok(Ok(true)) => ExitCode::SUCCESS,
        Ok(Ok(false)) => ExitCode::FAILURE,
        Ok(Err(error)) => fail(error),
        Err(error) => refuse(&error),
    };
    logging::end();
    code
}

/// Everything is watched: says so to whoever has waited for it.
fn ready(watching: &[u8], background: Option<Background>) {
    print(watching);
    logging::settle(background.is_some());
    if let Some(Err(error)) = background.map(Background::ready) {
        log::warn!("the process that was started waits for nothing: {error}");
    }
}

fn refuse(error: &prepare::Error) -> ExitCode {
    fail(error.told(Language::of(|name| std::env::var_os(name))));
    ExitCode::from(error.exit_code())
}

fn fail(error: impl Display) -> ExitCode {
    logging::complain(&error.to_string());
    ExitCode::FAILURE
}
