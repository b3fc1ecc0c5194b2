//! Columns whose numbers are so unlike the task's that they may be in another unit.

use peerlearn_task::{OutputKind, Scale, same_name};

use crate::check::short;
use crate::finding::{Finding, Severity};
use crate::load::Known;
use crate::mapping::Mapping;
use crate::survey::Survey;

/// Deviations of the task between both means from which on something is said.
const FAR: f64 = 3.0;
/// The same from which on somebody must confirm.
const VERY_FAR: f64 = 10.0;
/// Ratio of the deviations from which on something is said.
const UNLIKE: f64 = 4.0;
/// The same from which on somebody must confirm.
const VERY_UNLIKE: f64 = 20.0;
/// Fewest values to judge by.
const FEWEST: u64 = 10;

/// What numbers are often converted by: a word, and `x -> a x + b`.
const CONVERSIONS: [(&str, f64, f64); 22] = [
    ("a tenth", 10.0, 0.0),
    ("ten times it", 0.1, 0.0),
    ("a hundredth (metres for centimetres, fractions for per cent)", 100.0, 0.0),
    ("a hundred times it", 0.01, 0.0),
    ("a thousandth (kg for g)", 1000.0, 0.0),
    ("a thousand times it (g for kg)", 0.001, 0.0),
    ("a millionth", 1e6, 0.0),
    ("a million times it", 1e-6, 0.0),
    ("pounds for kilograms", 0.4536, 0.0),
    ("kilograms for pounds", 2.2046, 0.0),
    ("inches for centimetres", 2.54, 0.0),
    ("centimetres for inches", 0.3937, 0.0),
    ("miles for kilometres", 1.609, 0.0),
    ("kilometres for miles", 0.6214, 0.0),
    ("minutes for seconds, or hours for minutes", 60.0, 0.0),
    ("seconds for minutes, or minutes for hours", 1.0 / 60.0, 0.0),
    ("hours for seconds", 3600.0, 0.0),
    ("seconds for hours", 1.0 / 3600.0, 0.0),
    ("degrees for radians", 0.017_453, 0.0),
    ("Fahrenheit for Celsius", 1.0 / 1.8, -32.0 / 1.8),
    ("Celsius for Fahrenheit", 1.8, 32.0),
    ("Kelvin for Celsius", 1.0, -273.15),
];

/// What is to be said of the numbers of a file.
pub(super) fn findings(survey: &Survey, mapping: &Mapping, known: Known<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for source in mapping.sources.iter().chain(&mapping.label).filter(|source| source.place.is_some()) {
        let Some(agreed) = declared(known, &source.column) else { continue };
        let Some(column) = survey.column(&source.name).filter(|column| column.moments.count >= FEWEST) else {
            continue;
        };
        let own = Scale { mean: column.moments.mean * source.factor, sd: column.moments.sd() * source.factor };
        let (shift, ratio) = ((own.mean - agreed.mean).abs() / agreed.sd, own.sd / agreed.sd);
        let unlike = ratio.max(1.0 / ratio.max(1e-300));
        if shift <= FAR && unlike <= UNLIKE {
            continue;
        }
        // A column that hardly varies here is no sign of another unit.
        let severe = shift > VERY_FAR || (unlike > VERY_UNLIKE && own.sd > 0.0);
        let severity = if severe { Severity::Question } else { Severity::Warning };
        let (mean, sd) = (short(own.mean), short(own.sd));
        let mut words = format!("{mean} +- {sd} here, {} +- {} in the task", short(agreed.mean), short(agreed.sd));
        let accepted = known.charter.accepts.get(&source.column);
        let units = accepted.into_iter().flat_map(|accepted| &accepted.units);
        let by_unit = units.map(|(unit, factor)| (format!("in {unit}"), factor.get(), 0.0, Some(unit.clone())));
        let usual = CONVERSIONS.iter().map(|(word, a, b)| ((*word).to_owned(), *a, *b, None));
        if let Some((word, _, _, unit)) = by_unit.chain(usual).find(|(_, a, b, _)| fits(own, agreed, *a, *b)) {
            words.push_str(&format!("; looks like {word}"));
            if let Some(unit) = unit.filter(|unit| !source.unit.as_ref().is_some_and(|own| same_name(own, unit))) {
                found.push(
                    Finding::new(severity, "unit", &source.column, words)
                        .mended_by(format!("--map '{}@{unit}'", source.column)),
                );
                continue;
            }
        }
        let name = &source.column;
        let mend = match source.name.rsplit_once(['(', '[']).and_then(|(_, unit)| unit.strip_suffix([')', ']'])) {
            Some(unit) => format!(
                "if {unit} is another unit, the task's owner can accept it, with [accepts] {name} = {{ units = {{ \"{unit}\" = FACTOR }} }}, \
                 and --map '{name}@{unit}' uses it; if the numbers are right, nothing needs to be done"
            ),
            None => "if the numbers are right, nothing needs to be done".to_owned(),
        };
        found.push(Finding::new(severity, "unit", name, words).mended_by(mend));
    }
    found
}

/// What a column of numbers is scaled by, the answer among them.
fn declared(known: Known<'_>, name: &str) -> Option<Scale> {
    let (schema, numbers) = (&known.preprocessing.schema, &known.preprocessing.numbers);
    match schema.columns.get(name) {
        Some(column) => (column.kind.is_numeric() && column.mean.is_some()).then(|| numbers.of(name)),
        None => {
            let output = Some(&schema.output).filter(|output| output.kind == OutputKind::Number)?;
            Some(Scale { mean: output.mean?.get(), sd: output.sd?.get() })
        }
    }
}

/// Whether the own numbers look like the agreed ones once they are converted.
fn fits(own: Scale, agreed: Scale, a: f64, b: f64) -> bool {
    let (mean, sd) = (own.mean * a + b, own.sd * a);
    (mean - agreed.mean).abs() < agreed.sd && (0.5..2.0).contains(&(sd / agreed.sd))
}
