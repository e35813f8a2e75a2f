//! Commands that ask the instance which runs with a configuration: `--reload`, `--confirm-deletions`.
//!
//! The instance does what is asked and says what came of it; here its answer is fetched. `main` prints it.

use super::prepare;
use crate::config::language::Language;
use crate::run::control::{self, Request};
use std::io::ErrorKind;
use std::path::Path;

/// Asks, and waits for the answer.
///
/// # Errors
/// What the instance refused and why, or why it could not be asked, in one or more lines.
pub fn run(config: &Path, request: Request, language: Language) -> Result<String, String> {
    let here = std::env::current_dir().unwrap_or_default();
    let told = |error: prepare::Error| error.told(language);
    let config = prepare::read_config(config, &here).map_err(told)?;
    let socket = prepare::control(&config).map_err(told)?;
    control::ask(&socket, request).unwrap_or_else(|error| {
        let file = config.file.display();
        let nobody = matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused);
        Err(match nobody {
            true => format!("no sersync that can be asked is running with {file}"),
            false => format!("cannot ask the sersync that runs with {file}: {error}"),
        })
    })
}
