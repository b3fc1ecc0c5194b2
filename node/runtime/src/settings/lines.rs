//! Where in a TOML text something stands.

use toml::de::{DeTable, DeValue};

/// The line, from 1, of a key such as `training.steps` or `fault.2.at`, or of the nearest thing around it; `None` where
/// even its first part is missing, or the text is no TOML.
pub fn line_of(text: &str, key: &str) -> Option<usize> {
    let root = DeTable::parse(text).ok()?;
    let mut names = key.split('.');
    let first = names.next()?;
    let (found, mut value) = root.get_ref().iter().find(|(name, _)| name.get_ref() == first)?;
    let mut at = found.span().start;
    for name in names {
        let next = match value.get_ref() {
            DeValue::Table(table) => {
                table.iter().find(|(key, _)| key.get_ref() == name).map(|(key, inner)| (key.span().start, inner))
            }
            DeValue::Array(items) => {
                let item = name.parse::<usize>().ok().and_then(|index| items.get(index));
                item.map(|item| (item.span().start, item))
            }
            _ => None,
        };
        let Some((start, inner)) = next else { break };
        (at, value) = (start, inner);
    }
    Some(line_at(text, at))
}

/// The line, from 1, of the byte at `at`.
pub fn line_at(text: &str, at: usize) -> usize {
    text.as_bytes().iter().take(at).filter(|&&byte| byte == b'\n').count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_found_however_they_are_written() {
        let text =
            "a = 1\n[b]\nc = \"[d]\\na = 2\"\n# c = 3\nd.e = 4\nf = { g = 5,\n h = 6 }\n[[i]]\nj = 7\n[[i]]\nj = 8\n";
        for (key, line) in [("a", 1), ("b", 2), ("b.c", 3), ("b.d.e", 5), ("b.f.g", 6), ("b.f.h", 7), ("i.1.j", 11)] {
            assert_eq!(line_of(text, key), Some(line), "{key}");
        }
        assert_eq!(line_of(text, "b.c.z"), Some(3), "the nearest thing around it");
        assert_eq!((line_of(text, "z"), line_of("a = ", "a")), (None, None));
    }
}
