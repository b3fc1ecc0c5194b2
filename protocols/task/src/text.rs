//! Names and words that come from strangers: compared in one form, and harmless on a terminal.

use unicode_normalization::UnicodeNormalization;

/// Most characters of a name or a value.
const MAX_CHARACTERS: usize = 256;

/// A name or value in its one form: NFC, without space around it.
///
/// # Errors
/// It is empty, too long, or has characters that could move a terminal's cursor or reorder its text; says which, in words.
pub fn clean(text: &str) -> Result<String, String> {
    let text: String = text.trim().nfc().collect();
    if text.is_empty() {
        return Err("it is empty".to_owned());
    }
    if text.chars().count() > MAX_CHARACTERS {
        return Err(format!("it has more than {MAX_CHARACTERS} characters"));
    }
    match text.chars().find(|&character| is_harmful(character)) {
        Some(character) => Err(format!("it holds U+{:04X}, which is no printable character", u32::from(character))),
        None => Ok(text),
    }
}

/// Longer text in its one form; line ends are allowed.
///
/// # Errors
/// It is too long, or has characters that could move a terminal's cursor or reorder its text; says which, in words.
pub(crate) fn clean_prose(text: &str, most: usize) -> Result<String, String> {
    let text: String = text.trim().nfc().collect();
    if text.chars().count() > most {
        return Err(format!("it has more than {most} characters"));
    }
    match text.chars().find(|&character| character != '\n' && is_harmful(character)) {
        Some(character) => Err(format!("it holds U+{:04X}, which is no printable character", u32::from(character))),
        None => Ok(text),
    }
}

/// Control characters, and those that change the direction of text or have no width.
fn is_harmful(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}')
}

/// Whether two column names are one: equal but for case, spaces, `_`, `-` and `.`, and a unit in brackets at the end.
pub fn same_name(one: &str, other: &str) -> bool {
    folded(one) == folded(other)
}

fn folded(name: &str) -> String {
    let name = match (name.rfind(['(', '[']), name.trim_end().ends_with([')', ']'])) {
        (Some(at), true) if at > 0 => &name[..at],
        _ => name,
    };
    name.nfc().flat_map(char::to_lowercase).filter(|character| !matches!(character, '_' | '-' | '.' | ' ')).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_form_for_what_looks_alike() {
        assert_eq!(clean("  Gro\u{0308}\u{00DF}e "), clean("Gr\u{00F6}\u{00DF}e"));
        assert!(same_name("Chol (mmol/L)", "chol") && same_name("resting_bp", "Resting BP") && !same_name("a", "b"));
        assert!(!same_name("(a)", "(b)"), "a name that is nothing but a bracket");
    }

    #[test]
    fn what_could_disturb_a_terminal_is_refused() {
        for text in ["", "  ", "a\u{1b}[2J", "a\nb", "\u{202E}abc", "a\u{200B}b", &"x".repeat(257)] {
            assert!(clean(text).is_err(), "{text:?}");
        }
        assert!(clean_prose("two\nlines", 100).is_ok() && clean_prose("a\u{7}", 100).is_err());
    }
}
