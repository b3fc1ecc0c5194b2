//! What `eval` says: scores, figures of each class, and which classes are taken for which; as text and as JSON.

use std::fmt::Write;

use peerlearn::learner::{ClassFigures, Confusion, Evaluation};
use peerlearn_harness::significant;
use serde_json::{Value, json};

/// Most classes whose confusion matrix is printed; more columns fit no terminal.
const MOST_PRINTED: usize = 20;
/// Most characters of a class name in a column.
const NAME: usize = 24;

/// Everything measured on some rows, in lines. `names` are those of the classes; where one is missing, its number stands.
pub(super) fn page(title: &str, found: &Evaluation, names: &[String]) -> String {
    let mut text = format!("{title}: {} rows, loss {:.4}\n", found.rows, found.loss);
    let percent = |value: f32| format!("{:.2} %", value * 100.0);
    let accuracy = (!found.is_of_numbers()).then(|| percent(found.accuracy));
    let lines = [
        ("accuracy", accuracy),
        ("balanced accuracy", found.balanced.map(percent)),
        ("macro-F1", found.macro_f1.map(percent)),
        ("AUC", found.auc.map(|auc| format!("{auc:.4}"))),
        ("RMSE", found.rmse.map(significant)),
        ("MAE", found.mae.map(significant)),
        ("R2", found.r2.map(|r2| format!("{r2:.4}"))),
    ];
    for (name, value) in lines {
        if let Some(value) = value {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "  {name:<20} {value:>10}");
        }
    }
    if let Some(confusion) = &found.confusion {
        text.push_str(&classes(confusion, names));
        text.push_str(&matrix(confusion, names));
    }
    text
}

/// The same for programs: all of [`Evaluation`], and `classes` with the name and figures of each.
pub(super) fn object(found: &Evaluation, names: &[String]) -> Result<Value, serde_json::Error> {
    let mut object = serde_json::to_value(found)?;
    if let (Some(object), Some(confusion)) = (object.as_object_mut(), &found.confusion) {
        let class = |class: usize| {
            let ClassFigures { rows, answered, recall, precision, f1 } = confusion.of_class(class);
            let name = name(names, class);
            json!({ "class": name, "rows": rows, "answered": answered, "recall": recall, "precision": precision, "f1": f1 })
        };
        object.insert("classes".to_owned(), (0..confusion.classes()).map(class).collect());
    }
    Ok(object)
}

fn name(names: &[String], class: usize) -> String {
    names.get(class).cloned().unwrap_or_else(|| class.to_string())
}

/// A name for a column: what is too long ends in dots.
fn short(names: &[String], class: usize, most: usize) -> String {
    let name = name(names, class);
    match name.chars().count() > most {
        true => name.chars().take(most - 1).chain(['…']).collect(),
        false => name,
    }
}

/// One line a class: rows, recall, precision, F1.
fn classes(confusion: &Confusion, names: &[String]) -> String {
    let all = || (0..confusion.classes()).map(|class| short(names, class, NAME));
    let width = all().map(|name| name.chars().count()).chain(["class".len()]).max().unwrap_or(0);
    let mut text = String::new();
    let _ = writeln!(text, "\n  {:<width$} {:>8} {:>9} {:>9} {:>9}", "class", "rows", "recall", "precision", "F1");
    for (class, name) in all().enumerate() {
        let figures = confusion.of_class(class);
        let cell = |value: Option<f32>| value.map_or("-".to_owned(), |value| format!("{:.1} %", value * 100.0));
        let [recall, precision, f1] = [figures.recall, figures.precision, figures.f1].map(cell);
        let _ = writeln!(text, "  {name:<width$} {:>8} {recall:>9} {precision:>9} {f1:>9}", figures.rows);
    }
    text
}

/// Rows of each class by what was answered for them.
fn matrix(confusion: &Confusion, names: &[String]) -> String {
    let classes = confusion.classes();
    if classes > MOST_PRINTED {
        return format!("\n  the confusion matrix of {classes} classes is in --json\n");
    }
    let most = if classes > 8 { 6 } else { 12 };
    let shown: Vec<String> = (0..classes).map(|class| short(names, class, most)).collect();
    let counts = (0..classes).flat_map(|label| (0..classes).map(move |answer| (label, answer)));
    let digits = counts.map(|(label, answer)| confusion.at(label, answer).to_string().len());
    let cell = shown.iter().map(|name| name.chars().count()).chain(digits).max().unwrap_or(1);
    let head = "true \\ answered";
    let first = shown.iter().map(|name| name.chars().count()).chain([head.len()]).max().unwrap_or(0);
    let mut text = format!("\n  {head:<first$}");
    shown.iter().for_each(|name| text.push_str(&format!(" {name:>cell$}")));
    for (label, name) in shown.iter().enumerate() {
        text.push_str(&format!("\n  {name:<first$}"));
        (0..classes).for_each(|answer| text.push_str(&format!(" {:>cell$}", confusion.at(label, answer))));
    }
    text + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A model that answers `no` to 200 rows, of which two are `yes`.
    fn rare() -> (Evaluation, [String; 2]) {
        let found = Evaluation {
            balanced: Some(0.5),
            macro_f1: Some(0.497_487),
            auc: Some(0.75),
            confusion: Confusion::new(2, &[198, 0, 2, 0]),
            ..Evaluation::new(0.0565, 0.99, 200)
        };
        (found, ["no".to_owned(), "yes".to_owned()])
    }

    #[test]
    fn classes_have_names_and_figures() {
        let (found, names) = rare();
        let text = page("own validation", &found, &names);
        let want = "own validation: 200 rows, loss 0.0565
  accuracy                99.00 %
  balanced accuracy       50.00 %
  macro-F1                49.75 %
  AUC                      0.7500

  class     rows    recall precision        F1
  no         198   100.0 %    99.0 %    99.5 %
  yes          2     0.0 %         -     0.0 %

  true \\ answered  no yes
  no              198   0
  yes               2   0
";
        assert_eq!(text, want);
        let json = object(&found, &names).unwrap();
        assert_eq!((&json["confusion"], &json["classes"][1]["class"]), (&json!([[198, 0], [2, 0]]), &json!("yes")));
        assert_eq!((&json["classes"][1]["recall"], &json["classes"][1]["precision"]), (&json!(0.0), &Value::Null));
        assert!(json["balanced"] == 0.5 && json.get("rmse").is_none(), "{json}");
    }

    #[test]
    fn numbers_have_errors_only() {
        let found =
            Evaluation { rmse: Some(3.25), mae: Some(2.5), r2: Some(0.875), ..Evaluation::new(0.125, 0.875, 40) };
        let text = page("shared test", &found, &[]);
        let want = "shared test: 40 rows, loss 0.1250
  RMSE                      3.250
  MAE                       2.500
  R2                       0.8750
";
        assert_eq!(text, want);
        assert!(object(&found, &[]).unwrap().get("classes").is_none());
    }

    #[test]
    fn many_classes_and_long_names_still_fit() {
        let confusion = Confusion::new(21, &[1; 441]);
        let names = vec!["a name that is longer than any column of a table".to_owned()];
        let text = page("test", &Evaluation { confusion, ..Evaluation::new(1.0, 0.5, 441) }, &names);
        assert!(text.contains("a name that is longer t… ") && text.contains("21 classes is in --json"), "{text}");
        assert_eq!(text.lines().filter(|line| line.contains("4.8 %")).count(), 21, "{text}");
        assert!(text.contains("\n  20 "), "a class without a name has its number: {text}");
    }
}
