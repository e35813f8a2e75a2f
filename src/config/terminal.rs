//! Text on a terminal: how many columns it takes, and that it does nothing else there.
//!
//! Names of files, what servers answer and what stands in a broken configuration may hold anything:
//! newlines, commands to the terminal, marks that turn the direction of the text. Pure. Everything
//! that shows such text calls [`harmless`]; where columns must stay as they are, [`is_harmful`] and
//! [`width_of`] are asked about each character.

/// The text with an escape like `\n` or `\u{1b}` in the place of each character that does harm.
pub fn harmless(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if is_harmful(c) {
            shown.extend(c.escape_default());
        } else {
            shown.push(c);
        }
    }
    shown
}

/// Whether a character would end the line, move the cursor, turn the direction of the text, or not
/// be seen at all.
pub fn is_harmful(c: char) -> bool {
    let is_unseen = matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e0fff}');
    is_unseen || c.is_control()
}

/// How many columns a text takes.
pub fn width(text: &str) -> usize {
    text.chars().map(width_of).sum()
}

/// How many columns a character takes: two for a Chinese one.
pub fn width_of(c: char) -> usize {
    match c {
        // Marks that stand on the character before.
        '\u{300}'..='\u{36f}' | '\u{fe00}'..='\u{fe0f}' => 0,
        '\u{1100}'..='\u{115f}'
        | '\u{2e80}'..='\u{303e}'
        | '\u{3041}'..='\u{a4cf}'
        | '\u{ac00}'..='\u{d7a3}'
        | '\u{f900}'..='\u{faff}'
        | '\u{fe30}'..='\u{fe6f}'
        | '\u{ff00}'..='\u{ff60}'
        | '\u{ffe0}'..='\u{ffe6}'
        | '\u{1f300}'..='\u{1faff}'
        | '\u{20000}'..='\u{3fffd}' => 2,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_do_harm_is_shown_as_an_escape() {
        let text = "数据 a\u{1b}[2J\n\u{202e}b\0\u{9b}\u{200b}é";
        assert_eq!(harmless(text), r"数据 a\u{1b}[2J\n\u{202e}b\u{0}\u{9b}\u{200b}é");
    }

    #[test]
    fn a_chinese_character_takes_two_columns_and_a_mark_none() {
        for (text, columns) in [("", 0), ("ab", 2), ("数据a", 5), ("e\u{301}", 1), ("、！", 4)]
        {
            assert_eq!(width(text), columns, "{text}");
        }
    }
}
