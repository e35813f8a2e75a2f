//! The code's own shape, as a test: what the architecture promises is absent stays absent.
//!
//! Reads the source files of this package, nothing else. What a rule is for stands in
//! docs/ARCHITECTURE.md; a rule that is in the way is changed there and here together.
// clippy knows `#[test]` functions as tests, but not what they call.
#![allow(clippy::unwrap_used)]

#[path = "tidy/arrows.rs"]
mod arrows;
#[path = "tidy/gate.rs"]
mod gate;
#[path = "tidy/sizes.rs"]
mod sizes;

use std::fs;
use std::path::{Path, PathBuf};

/// A file that outgrows this has two ideas in it. Somewhat more than the 500 that are aimed at, so
/// that a small repair never forces a large move.
const LINES_MAX: usize = 600;

/// Where the root of each crate lies whose files must not need each other in a circle.
const CRATES: [&str; 4] = ["src/", "benches/cascade/", "benches/loopback/", "benches/start/"];

/// Modules, and single files of others, that make no system call, read no clock and start no thread.
const PURE: [&str; 21] = [
    "src/engine/",
    "src/rsync/",
    "src/config/",
    "src/tell/alert/state.rs",
    "src/tell/amounts.rs",
    "src/keep/faillog/original.rs",
    "src/keep/faillog/record.rs",
    "src/keep/faillog/script.rs",
    "src/tell/plugin/answer.rs",
    "src/tell/plugin/queue.rs",
    "src/tell/plugin/request.rs",
    "src/tell/plugin/trouble.rs",
    "src/keep/state/text.rs",
    "src/tell/status/board.rs",
    "src/tell/status/history.rs",
    "src/tell/status/http.rs",
    "src/tell/status/json.rs",
    "src/tell/status/metrics.rs",
    "src/tell/status/progress.rs",
    "src/tell/status/snapshot.rs",
    "src/tell/status/view.rs",
];

/// What a pure module has no use for. Written as it stands in code, whether the module or the item
/// was imported.
const IMPURE: [&str; 14] = [
    "fs::",
    "process::",
    "thread::",
    "env::",
    "nix::",
    "libc::",
    "sys::",
    "Instant",
    "SystemTime",
    "TcpStream",
    "TcpListener",
    "UnixStream",
    "println!",
    "eprintln!",
];

/// The only place with calls that the compiler cannot check.
const UNSAFE_HOME: &str = "src/sys/";
const UNSAFE: [&str; 5] = ["unsafe {", "unsafe fn", "unsafe impl", "unsafe trait", "unsafe extern"];

/// All that the program may depend on: small, auditable, cross-compiled everywhere.
const DEPENDENCIES: [&str; 7] =
    ["argh", "libc", "log", "nix", "regex-lite", "roxmltree", "simple_logger"];

#[test]
fn every_source_file_keeps_the_rules() {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for directory in ["src", "tests", "benches"] {
        collect(&package.join(directory), &mut files);
    }
    assert!(files.len() > 10, "only {} source files found: looked in the wrong place", files.len());
    let sources: Vec<(String, String)> = files
        .iter()
        .map(|file| {
            let name = file.strip_prefix(package).unwrap().to_str().unwrap();
            (name.to_owned(), fs::read_to_string(file).unwrap())
        })
        .collect();
    let tests: Vec<String> =
        sources.iter().flat_map(|(name, text)| files_of_tests(name, text)).collect();
    let mut broken: Vec<String> = sources
        .iter()
        .flat_map(|(name, text)| offences(name, text, is_of_tests(name, &tests)))
        .collect();
    let no_tests: Vec<(String, String)> =
        sources.into_iter().filter(|(name, _)| !is_of_tests(name, &tests)).collect();
    broken.extend(CRATES.iter().flat_map(|directory| arrows::circles(directory, &no_tests)));
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

#[test]
fn the_dependencies_are_the_agreed_ones() {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
    let manifest = fs::read_to_string(manifest).unwrap();
    let mut names: Vec<&str> = manifest
        .lines()
        .skip_while(|line| *line != "[dependencies]")
        .skip(1)
        .take_while(|line| !line.starts_with('['))
        .filter_map(|line| line.split_once('=').map(|(name, _)| name.trim()))
        .collect();
    names.sort_unstable();
    assert_eq!(names, DEPENDENCIES);
}

#[test]
fn each_rule_sees_what_breaks_it() {
    let long = format!("//! Long.\n{}", "// line\n".repeat(LINES_MAX));
    let cases = [
        ("src/start/cli.rs", "//! What it owns.\nfn f() {}\n", 0),
        ("src/start/cli.rs", "fn f() {}\n", 1),
        ("src/start/cli.rs", "/// About an item, not the file.\nfn f() {}\n", 1),
        ("src/start/cli.rs", long.as_str(), 1),
        ("src/start/cli.rs", "//! Owns.\nfn f() { unsafe { g() } }\n", 1),
        ("src/start/cli.rs", "//! Owns.\n// Not a word of unsafe { code }.\n", 0),
        ("src/sys/poll.rs", "//! Owns.\nfn f() { unsafe { g() } }\n", 0),
        ("src/engine/mod.rs", "//! Owns.\nuse std::fs::File;\n", 1),
        ("src/engine/mod.rs", "//! Owns.\nfn f() { fs::read(path); }\n", 1),
        ("src/engine/mod.rs", "//! Owns.\nuse std::time::{Duration, Instant};\n", 1),
        ("src/engine/mod.rs", "//! Owns.\nfn f() { tufs::read(path); InstantNoodles }\n", 0),
        ("src/engine/mod.rs", "//! Owns.\n/// No std::fs::File here.\nfn f() {}\n", 0),
        (
            "src/engine/mod.rs",
            "//! Owns.\n#[cfg(test)]\nmod tests {\n    use std::fs::File;\n}\n",
            0,
        ),
        ("src/engine/mod.rs", "//! Owns.\n#[cfg(test)]\nmod model;\nuse std::fs::File;\n", 1),
        ("src/run/worker.rs", "//! Owns.\nuse std::process::Command;\n", 0),
        ("src/keep/state/text.rs", "//! Owns.\nuse std::fs::File;\n", 1),
        ("src/keep/state/store.rs", "//! Owns.\nuse std::fs::File;\n", 0),
    ];
    for (name, text, expected) in cases {
        let found = offences(name, text, false);
        assert_eq!(found.len(), expected, "{name}: {text:?} gives {found:?}");
    }
    assert_eq!(offences("src/engine/load.rs", "//! Tests.\nuse std::fs::File;\n", true).len(), 0);
}

#[test]
fn files_of_tests_are_known_by_their_declaration() {
    let text =
        "//! Owns.\nmod real;\n#[cfg(test)]\npub(super) mod model;\n#[cfg(test)]\nmod tests {\n";
    assert_eq!(files_of_tests("src/engine/mod.rs", text), ["src/engine/model.rs"]);
    assert_eq!(files_of_tests("src/rsync/asked/plan.rs", text), ["src/rsync/asked/plan/model.rs"]);
    assert_eq!(files_of_tests("src/lib.rs", text), ["src/model.rs"]);
    let modules = ["src/engine/model.rs".to_owned()];
    for (name, expected) in [
        ("src/engine/model.rs", true),
        ("src/engine/model/mod.rs", true),
        ("src/engine/models.rs", false),
        ("src/engine/watching/root.rs", false),
    ] {
        assert_eq!(is_of_tests(name, &modules), expected, "{name}");
    }
}

/// Whether a file is one of the modules, or belongs to one.
fn is_of_tests(name: &str, modules: &[String]) -> bool {
    let inside = |module: &String| {
        let directory = module.strip_suffix(".rs");
        directory.and_then(|at| name.strip_prefix(at)).is_some_and(|rest| rest.starts_with('/'))
    };
    modules.iter().any(|module| name == module || inside(module))
}

/// The modules that are declared in this file for tests only, each as the file that it may be.
fn files_of_tests(name: &str, text: &str) -> Vec<String> {
    let directory = ["/mod.rs", "/lib.rs", "/main.rs", ".rs"]
        .iter()
        .find_map(|ending| name.strip_suffix(ending))
        .unwrap();
    text.lines()
        .zip(text.lines().skip(1))
        .filter(|(attribute, _)| *attribute == "#[cfg(test)]")
        .filter_map(|(_, item)| item.split_once("mod ")?.1.strip_suffix(';'))
        .map(|module| format!("{directory}/{module}.rs"))
        .collect()
}

/// What is wrong with a file, one line for each finding. `name` is relative to the package;
/// `of_tests` is whether the file is compiled for tests only.
fn offences(name: &str, text: &str, of_tests: bool) -> Vec<String> {
    let mut found = Vec::new();
    if !text.starts_with("//!") {
        found.push(format!("{name}:1: no `//!` that says what the file owns"));
    }
    let lines = text.lines().count();
    if lines > LINES_MAX {
        found.push(format!("{name}: {lines} lines, more than {LINES_MAX}: two ideas"));
    }
    if arrows::is_in_no_wing(name) {
        found.push(format!("{name}: lies in no wing"));
    }
    found.extend(arrows::wrong(name, text).into_iter().map(|(number, named)| {
        format!("{name}:{number}: `{named}` stands higher, or has no place here")
    }));
    let code = code_of(text);
    if !of_tests {
        found.extend(gate::wrong(name, &code[..unit_tests_of(&code)]));
    }
    let mut refused: Vec<&str> = Vec::new();
    if !name.starts_with(UNSAFE_HOME) && name.starts_with("src/") {
        refused.extend(UNSAFE);
    }
    if PURE.iter().any(|module| name.starts_with(module)) && !of_tests {
        refused.extend(IMPURE);
    }
    // Unit tests may use what they like.
    for (number, code) in (1..).zip(code[..unit_tests_of(&code)].lines()) {
        for word in refused.iter().filter(|word| has_word(code, word)) {
            found.push(format!("{name}:{number}: `{word}` has no place here"));
        }
    }
    found
}

/// What a file says, without its comments.
fn code_of(text: &str) -> String {
    let lines: Vec<&str> = text.lines().map(|line| line.split("//").next().unwrap()).collect();
    lines.join("\n")
}

/// Where the unit tests of a file begin, which stand at its end; its length if there are none.
fn unit_tests_of(text: &str) -> usize {
    let mut lines = text.match_indices("#[cfg(test)]\n");
    let is_module = |at: usize| text[at..].lines().nth(1).is_some_and(|item| item.ends_with('{'));
    lines.find(|(at, _)| is_module(*at)).map_or(text.len(), |(at, _)| at)
}

/// Whether `word` stands in `code`, and not only as a part of a longer name.
fn has_word(code: &str, word: &str) -> bool {
    let in_name = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(word).any(|(start, _)| {
        let before = code[..start].chars().next_back();
        let after = code[start + word.len()..].chars().next();
        let closed = !word.ends_with(in_name) || !after.is_some_and(in_name);
        closed && !before.is_some_and(in_name)
    })
}

fn collect(directory: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}
