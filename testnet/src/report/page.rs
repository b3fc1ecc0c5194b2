//! Puts markup, style, script and data into one file.

use serde::Serialize;

const ERRORS: &str = include_str!("../../assets/errors.js");
const STYLE: &str = include_str!("../../assets/page.css");
const REPORT: &str = include_str!("../../assets/report.html");
const COMPARE: &str = include_str!("../../assets/compare.html");
/// Scripts that all pages share, in the order in which they name each other.
const SHARED: [&str; 3] = [
    include_str!("../../assets/dom.js"),
    include_str!("../../assets/chart.js"),
    include_str!("../../assets/curves.js"),
];
const REPORT_SCRIPTS: [&str; 5] = [
    include_str!("../../assets/head.js"),
    include_str!("../../assets/topology.js"),
    include_str!("../../assets/matrix.js"),
    include_str!("../../assets/bars.js"),
    include_str!("../../assets/report.js"),
];
const COMPARE_SCRIPTS: [&str; 1] = [include_str!("../../assets/compare.js")];

/// Nothing may be loaded from anywhere; a live page asks its own server for data.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:; \
                      connect-src 'self'; base-uri 'none'; form-action 'none'";

/// Which page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Page {
    /// Of one run.
    Report,
    /// Of several runs side by side.
    Compare,
}

/// The page with its data as one HTML text.
pub fn render(page: Page, data: &impl Serialize) -> String {
    let (body, scripts): (&str, &[&str]) = match page {
        Page::Report => (REPORT, &REPORT_SCRIPTS),
        Page::Compare => (COMPARE, &COMPARE_SCRIPTS),
    };
    let script = SHARED.iter().chain(scripts).copied().collect::<Vec<_>>().join("\n");
    let data = embeddable(data);
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>peerlearn</title>\n<style>\n{STYLE}</style>\n\
         <script>\n{ERRORS}</script>\n</head>\n<body>\n{body}\
         <script type=\"application/json\" id=\"data\">{data}</script>\n\
         <script>\n(() => {{\n\"use strict\";\n{script}\n}})();\n</script>\n</body>\n</html>\n"
    )
}

/// JSON that cannot end the element it stands in: every `<` of a text is written as an escape, which means the same.
fn embeddable(data: &impl Serialize) -> String {
    // Maps with odd keys are the only values that JSON refuses, and pages have none; an empty page says so.
    serde_json::to_string(data).unwrap_or_else(|_| "null".to_owned()).replace('<', "\\u003c")
}
