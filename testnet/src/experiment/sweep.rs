//! Many runs of one scenario that differ in some keys.

use thiserror::Error;

/// Most runs of one sweep.
const MOST: usize = 10_000;

/// A key with the values it takes in turn: `mixing.rule=median,ios:1`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Varied {
    /// The key.
    pub key: String,
    /// Its values.
    pub values: Vec<String>,
}

/// What is wrong with a sweep.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SweepError {
    /// A text is no `key=value,value`.
    #[error("{text:?}: write it as key=value,value,... (values with commas in quotes are not possible; use [..])")]
    Text {
        /// The text.
        text: String,
    },
    /// Lists that go side by side have different lengths.
    #[error("{key} has {got} values, the others {want}; a list needs as many of each (or use a grid)")]
    Lengths {
        /// The key.
        key: String,
        /// Its values.
        got: usize,
        /// Those of the others.
        want: usize,
    },
    /// Too many runs.
    #[error("{runs} runs; {MOST} at most")]
    TooMany {
        /// How many.
        runs: usize,
    },
}

impl Varied {
    /// Reads `key=value,value`.
    ///
    /// # Errors
    /// There is no `=`, or no value.
    pub fn parse(text: &str) -> Result<Self, SweepError> {
        let wrong = || SweepError::Text { text: text.to_owned() };
        let (key, values) = text.split_once('=').ok_or_else(wrong)?;
        let values: Vec<String> = split(values).into_iter().map(|value| value.trim().to_owned()).collect();
        if key.trim().is_empty() || values.iter().any(String::is_empty) {
            return Err(wrong());
        }
        Ok(Self { key: key.trim().to_owned(), values })
    }
}

/// Splits at commas outside brackets and quotes.
fn split(text: &str) -> Vec<String> {
    let (mut parts, mut depth, mut quoted) = (vec![String::new()], 0i32, false);
    for character in text.chars() {
        match character {
            '"' => quoted = !quoted,
            '[' | '{' if !quoted => depth += 1,
            ']' | '}' if !quoted => depth -= 1,
            ',' if depth == 0 && !quoted => {
                parts.push(String::new());
                continue;
            }
            _ => {}
        }
        if let Some(part) = parts.last_mut() {
            part.push(character);
        }
    }
    parts
}

/// All runs of a sweep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sweep {
    /// `key=value` texts of each run.
    pub runs: Vec<Vec<String>>,
}

impl Sweep {
    /// Every combination of values.
    ///
    /// # Errors
    /// Too many.
    pub fn grid(varied: &[Varied]) -> Result<Self, SweepError> {
        let count = varied.iter().try_fold(1usize, |count, varied| count.checked_mul(varied.values.len()));
        match count {
            Some(count) if count <= MOST => {}
            count => return Err(SweepError::TooMany { runs: count.unwrap_or(usize::MAX) }),
        }
        let mut runs = vec![Vec::new()];
        for Varied { key, values } in varied {
            let extended = |run: &Vec<String>| {
                let with = |value: &String| [&run[..], &[format!("{key}={value}")]].concat();
                values.iter().map(with).collect::<Vec<_>>()
            };
            runs = runs.iter().flat_map(extended).collect();
        }
        Ok(Self { runs })
    }

    /// The first values together, then the second ones, and so on.
    ///
    /// # Errors
    /// The lists differ in length.
    pub fn list(varied: &[Varied]) -> Result<Self, SweepError> {
        let want = varied.first().map_or(0, |varied| varied.values.len());
        if let Some(other) = varied.iter().find(|varied| varied.values.len() != want) {
            return Err(SweepError::Lengths { key: other.key.clone(), got: other.values.len(), want });
        }
        let run = |at: usize| varied.iter().map(|varied| format!("{}={}", varied.key, varied.values[at])).collect();
        Ok(Self { runs: (0..want).map(run).collect() })
    }

    /// A name of a run for its folder: its values, without what folders cannot have in their names.
    pub fn name(run: &[String]) -> String {
        let fits = |character: char| character.is_ascii_alphanumeric() || "=.:-_".contains(character);
        let text = run.join("+");
        text.chars().map(|character| if fits(character) || character == '+' { character } else { '_' }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grids_cross_and_lists_go_side_by_side() {
        let varied = [
            Varied::parse("a=1,2").unwrap(),
            Varied::parse("links.delay=[\"1ms\",\"2ms\"],[\"3ms\",\"4ms\"]").unwrap(),
        ];
        assert_eq!(varied[1].values, ["[\"1ms\",\"2ms\"]", "[\"3ms\",\"4ms\"]"]);
        assert_eq!(Sweep::grid(&varied).unwrap().runs.len(), 4);
        assert_eq!(Sweep::list(&varied).unwrap().runs[1], ["a=2", "links.delay=[\"3ms\",\"4ms\"]"]);
        assert!(Sweep::list(&[Varied::parse("a=1").unwrap(), varied[1].clone()]).is_err());
        assert!(Varied::parse("a").is_err() && Varied::parse("a=").is_err() && Varied::parse("=1").is_err());
        let many = Varied { key: "a".to_owned(), values: vec!["1".to_owned(); 1000] };
        assert!(matches!(Sweep::grid(&[many.clone(), many]), Err(SweepError::TooMany { runs: 1_000_000 })));
        assert_eq!(Sweep::name(&["a=1/2".to_owned(), "b=x y".to_owned()]), "a=1_2+b=x_y");
    }
}
