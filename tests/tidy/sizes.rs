//! The sizes of the static programs: what the build enforces is what the documents say, and what they are is within it.

use std::fs;

/// Begin of the processor's part of a target, the limit in bytes, and how documents have it.
const LIMITS: [(&str, u64, &str); 3] =
    [("x86", 1_048_576, "1 MiB"), ("arm", 819_200, "800 KiB"), ("mips", 1_177_600, "1,150 KiB")];

fn limit(target: &str) -> u64 {
    let family = match target.split(['_', '-']).next() {
        Some("x86" | "i686") => "x86",
        Some("mipsel") => "mips",
        _ => "arm",
    };
    LIMITS.iter().find(|(name, ..)| *name == family).unwrap().1
}

#[test]
fn the_limits_of_the_static_programs_are_the_same_everywhere() {
    let script = fs::read_to_string("scripts/build-static.sh").unwrap();
    for (family, bytes, words) in LIMITS {
        assert!(script.contains(&format!("echo {bytes} ;;")), "{family}: {bytes} in the script");
        for document in ["README.md", "docs/ARCHITECTURE.md", "CHANGELOG.md"] {
            let text = fs::read_to_string(document).unwrap();
            assert!(text.contains(words), "{document} lacks {words}");
        }
    }
}

#[test]
fn the_sizes_of_the_readme_are_within_them() {
    let readme = fs::read_to_string("README.md").unwrap();
    let rows =
        readme.lines().filter(|line| line.starts_with("| `") && line.contains("-linux-musl"));
    let mut count = 0;
    for row in rows {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let size: u64 = cells[3].replace(',', "").parse().unwrap_or_else(|_| panic!("{row}"));
        assert!(size <= limit(cells[1].trim_matches('`')), "{row}");
        count += 1;
    }
    assert_eq!(count, 6);
}
