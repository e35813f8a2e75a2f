//! The password files, as a start looks at them: what rsync would refuse is an error, what is most
//! likely not the password a warning. The words for what is wrong with a file are those of
//! `start::password_file`.

use super::finding::Finding;
use crate::config::language::Language;
use crate::config::Config;
use crate::start::prepare::{check_password_file, PasswordFault};

pub(super) fn findings(config: &Config, language: Language) -> Vec<Finding> {
    let mut found = Vec::new();
    for to in config.roots.iter().flat_map(|root| &root.remotes) {
        let Some(file) = &to.rsync.password_file else { continue };
        let finding = match check_password_file(config, to) {
            Ok(()) => Finding::fine("passwordfile", file.display().to_string()),
            Err(PasswordFault::Refused(fault)) => Finding::of_fault(&fault, language),
            Err(PasswordFault::Odd(fault)) => Finding::of_fault(&fault, language).into_warning(),
        };
        // One file serves many remotes.
        if !found.contains(&finding) {
            found.push(finding);
        }
    }
    found
}
