//! Words that are nearly right.
//!
//! Owns the guess at which word was meant.

/// Which of `words` is nearest to `word`, if a slip of the finger explains the difference. Either of the
/// two may be the misspelt one.
pub(super) fn nearest_index(word: &str, words: &[&str]) -> Option<usize> {
    let lower = word.to_ascii_lowercase();
    let distances = words.iter().map(|other| distance(&lower, &other.to_ascii_lowercase()));
    // One slip is possible in a word of three letters, two in one of six.
    let slips_max = (word.chars().count() / 3).min(2);
    distances
        .enumerate()
        .min_by_key(|(_, slips)| *slips)
        .filter(|(_, slips)| *slips <= slips_max)
        .map(|(index, _)| index)
}

/// Names longer than this are not compared, which bounds the work of [`distance`]. No right name is near
/// them.
const NAME_CHARS_MAX: usize = 40;

/// How many slips lie between two words: characters to add, to leave out, to replace, or to swap
/// with the next.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    if a.len() > NAME_CHARS_MAX || b.len() > NAME_CHARS_MAX {
        return usize::MAX;
    }
    let mut rows: Vec<Vec<usize>> = vec![(0..=b.len()).collect()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let replaced = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut slips = replaced.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                slips = slips.min(rows[i - 2][j - 2] + 1);
            }
            row.push(slips);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_name_has_a_nearest_one() {
        let known = ["start", "users", "passwordfile", "ip", "ssh"];
        let cases = [
            ("strat", Some("start")),
            ("Start", Some("start")),
            ("user", Some("users")),
            ("passwrodflie", Some("passwordfile")),
            ("pwdfile", None),
            ("sh", None),
            ("sssh", Some("ssh")),
            ("iq", None),
            ("colour", None),
        ];
        for (word, expected) in cases {
            let nearest = nearest_index(word, &known).map(|index| known[index]);
            assert_eq!(nearest, expected, "{word}");
        }
    }
}
