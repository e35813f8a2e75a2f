//! Deletion has one gate: a single file grants what a run may delete, and a single file has the words for it.

use super::has_word;

/// Who grants a licence to delete.
const GRANTS: &str = "src/engine/sending/licence.rs";
/// What a licence is. Others ask it, and make none.
const LICENCE: &str = "src/rsync/asked/licence.rs";
const LICENCES: [&str; 2] = ["Licence::Seen", "Licence::Unseen"];

/// Who says it to rsync.
const SAYS: &str = "src/rsync/asked/deleting.rs";
/// With what a word of rsync begins that has something deleted, as it stands in code.
const WORDS: [&str; 2] = ["\"--del", "\"--force"];

/// What a file of the program does that only the gate may, given without its comments and unit tests.
pub fn wrong(name: &str, code: &str) -> Vec<String> {
    let mut found = Vec::new();
    if !name.starts_with("src/") {
        return found;
    }
    for (number, line) in (1..).zip(code.lines()) {
        if ![GRANTS, LICENCE].contains(&name) {
            let granted = LICENCES.iter().filter(|licence| has_word(line, licence));
            found.extend(
                granted.map(|it| format!("{name}:{number}: `{it}` is for {GRANTS} to grant")),
            );
        }
        if name != SAYS {
            let said = WORDS.iter().filter(|word| line.contains(**word));
            found.extend(said.map(|it| format!("{name}:{number}: `{it}` is for {SAYS} to say")));
        }
    }
    found
}

#[test]
fn only_the_gate_grants_and_says_what_deletes() {
    for (name, code, expected) in [
        ("src/run/worker.rs", "let licence = Licence::Unseen;", 1),
        ("src/run/worker.rs", "if licence == Licence::Nothing", 0),
        (GRANTS, "Licence::Seen", 0),
        (LICENCE, "Licence::Seen", 0),
        (SAYS, "Licence::Seen", 1),
        ("src/rsync/asked/plan.rs", "words(&[\"-r\", \"--delete\"])", 1),
        ("src/rsync/asked/plan.rs", "flags.push(b\"--delete-missing-args\".to_vec())", 1),
        ("src/rsync/asked/plan.rs", "b\"--force\"", 1),
        ("src/start/check/params.rs", "\"with --delete every full sync\"", 0),
        (SAYS, "\"--delete\"", 0),
        ("tests/it/changes.rs", "\"--delete\" Licence::Seen", 0),
    ] {
        assert_eq!(wrong(name, code).len(), expected, "{name}: {code}");
    }
}
