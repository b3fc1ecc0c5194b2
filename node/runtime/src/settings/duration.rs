//! Durations as people write them: `250ms`, `10s`, `5m`, `1h`.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serializer};

/// Writes a duration with the largest unit that loses nothing.
pub fn format(duration: Duration) -> String {
    let millis = duration.as_millis();
    match () {
        () if millis == 0 => "0s".to_owned(),
        () if millis.is_multiple_of(3_600_000) => format!("{}h", millis / 3_600_000),
        () if millis.is_multiple_of(60_000) => format!("{}m", millis / 60_000),
        () if millis.is_multiple_of(1000) => format!("{}s", millis / 1000),
        () => format!("{millis}ms"),
    }
}

/// Reads a duration; `None` when the text is none.
pub fn parse(text: &str) -> Option<Duration> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let number: u64 = text[..digits].parse().ok()?;
    let millis = match &text[digits..] {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return None,
    };
    number.checked_mul(millis).map(Duration::from_millis)
}

/// For `#[serde(with = "duration")]`.
///
/// # Errors
/// Those of the serializer.
pub fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&format(*duration))
}

/// For `#[serde(with = "duration")]`.
///
/// # Errors
/// The text is no duration.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    let wrong =
        || serde::de::Error::custom(format!("{text:?} is no duration; write for example \"250ms\", \"10s\", \"5m\""));
    parse(&text).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_round_trip_and_nonsense_is_refused() {
        for text in ["250ms", "10s", "5m", "1h", "0s", "90s"] {
            assert_eq!(format(parse(text).unwrap()), text);
        }
        for text in ["", "s", "10", "-1s", "1.5s", "10 s", "99999999999999999999s", "18446744073709551615h", "ä"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
