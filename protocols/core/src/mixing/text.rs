//! Rules as people write them: `age-limited`, `trimmed-mean:1`, `clip:auto`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

use super::Rule;

/// A text that names no rule.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "{got:?} is no mixing rule; write uniform, sample-weighted, metropolis, age-limited, pair, push-sum, median, \
     trimmed-mean:B, multi-krum:B, ios:B (B from 1 to 100), clip:R or clip:auto (R above 0), ubar:RHO (above 0 to 1), \
     balance:GAMMA or balance:GAMMA:ROUNDS (GAMMA above 0)"
)]
pub struct ParseRuleError {
    /// The text, cut to 40 characters.
    pub got: String,
}

/// Rounds over which BALANCE tightens, where none are given: those of a demo.
const BALANCE_ROUNDS: u32 = 300;

const PLAIN: [(&str, Rule); 7] = [
    ("uniform", Rule::Uniform),
    ("sample-weighted", Rule::SampleWeighted),
    ("metropolis", Rule::Metropolis),
    ("age-limited", Rule::AgeLimited),
    ("pair", Rule::Pair),
    ("push-sum", Rule::PushSum),
    ("median", Rule::Median),
];

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Rule::TrimmedMean { b } => write!(f, "trimmed-mean:{b}"),
            Rule::MultiKrum { b } => write!(f, "multi-krum:{b}"),
            Rule::Ios { b } => write!(f, "ios:{b}"),
            Rule::Clip { radius: None } => f.write_str("clip:auto"),
            Rule::Clip { radius: Some(radius) } => write!(f, "clip:{radius}"),
            Rule::Ubar { rho } => write!(f, "ubar:{rho}"),
            Rule::Balance { gamma, rounds } => write!(f, "balance:{gamma}:{rounds}"),
            plain => f.write_str(PLAIN.iter().find(|(_, rule)| rule == plain).map_or("", |(name, _)| name)),
        }
    }
}

impl FromStr for Rule {
    type Err = ParseRuleError;

    fn from_str(text: &str) -> Result<Self, ParseRuleError> {
        parse(text).ok_or_else(|| ParseRuleError { got: text.chars().take(40).collect() })
    }
}

fn parse(text: &str) -> Option<Rule> {
    let Some((name, argument)) = text.split_once(':') else {
        return PLAIN.iter().find(|(name, _)| *name == text).map(|(_, rule)| *rule);
    };
    let count = || argument.parse().ok().filter(|b| (1..=100).contains(b));
    let positive = |text: &str| text.parse::<f32>().ok().filter(|value| value.is_finite() && *value > 0.0);
    match name {
        "trimmed-mean" => count().map(|b| Rule::TrimmedMean { b }),
        "multi-krum" => count().map(|b| Rule::MultiKrum { b }),
        "ios" => count().map(|b| Rule::Ios { b }),
        "clip" if argument == "auto" => Some(Rule::Clip { radius: None }),
        "clip" => positive(argument).map(|radius| Rule::Clip { radius: Some(radius) }),
        "ubar" => positive(argument).filter(|rho| *rho <= 1.0).map(|rho| Rule::Ubar { rho }),
        "balance" => {
            let (gamma, rounds) = argument.split_once(':').unwrap_or((argument, ""));
            let rounds = if rounds.is_empty() { Some(BALANCE_ROUNDS) } else { rounds.parse().ok().filter(|r| *r > 0) };
            Some(Rule::Balance { gamma: positive(gamma)?, rounds: rounds? })
        }
        _ => None,
    }
}

impl Serialize for Rule {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Rule {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_round_trip_and_nonsense_is_refused() {
        for text in ["trimmed-mean:2", "multi-krum:1", "ios:4", "clip:auto", "clip:0.5", "ubar:0.4", "balance:0.3:300"]
        {
            assert_eq!(text.parse::<Rule>().unwrap().to_string(), text);
        }
        for (name, rule) in PLAIN {
            assert_eq!((rule.to_string().as_str(), name.parse()), (name, Ok(rule)));
        }
        assert_eq!("balance:2".parse(), Ok(Rule::Balance { gamma: 2.0, rounds: 300 }));
        assert_eq!("ubar:1".parse(), Ok(Rule::Ubar { rho: 1.0 }));
        assert_eq!("trimmed-mean:100".parse(), Ok(Rule::TrimmedMean { b: 100 }));
        for text in [
            "",
            "mean",
            "ios",
            "ios:0",
            "ios:101",
            "clip:-1",
            "clip:0",
            "clip:NaN",
            "clip:inf",
            "ubar:1.5",
            "balance:1:0",
        ] {
            assert!(text.parse::<Rule>().is_err(), "{text}");
        }
    }
}
