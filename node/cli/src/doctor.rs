//! `peerlearn doctor`: one sentence for each thing that was looked at, and what to do.

mod finding;
mod home;
mod interfaces;
mod learning;
mod machine;
mod network;
mod settings;

use std::path::Path;

use peerlearn::control::{ControlError, ControlRequest, ask};
use peerlearn::doctor::Report;
use peerlearn::registry::{Home, RegistryError};
use serde_json::json;

use self::finding::{Finding, Severity};
use super::args::DoctorArgs;
use super::error::{CliError, Exit};

/// Looks at everything and says what it found.
pub(super) async fn doctor(args: &DoctorArgs) -> Result<Exit, CliError> {
    let home = args.home.home.as_path();
    let (report, running) = ask_node(home).await;
    let mut findings = vec![running];
    findings.extend(home::findings(home));
    findings.extend(machine::findings(home, report.as_ref()));
    findings.extend(interfaces::findings());
    match &report {
        Some(report) => {
            findings.extend(network::findings(report));
            findings.extend(learning::findings(report));
        }
        None => findings.extend(settings::findings(&args.config, home).await),
    }
    let faults = findings.iter().filter(|finding| finding.severity == Severity::Fault).count();
    let warnings = findings.iter().filter(|finding| finding.severity == Severity::Warning).count();
    let text = match args.json {
        true => {
            let findings: Vec<_> = findings.iter().map(Finding::json).collect();
            let running = report.is_some();
            let home = home.display().to_string();
            let all = json!({
                "home": home, "running": running, "version": env!("CARGO_PKG_VERSION"),
                "faults": faults, "warnings": warnings, "findings": findings,
            });
            format!("{all}\n")
        }
        false => {
            let lines: String = findings.iter().map(Finding::line).collect();
            format!("{lines}\n{faults} faults, {warnings} warnings\n")
        }
    };
    super::show(&text)?;
    Ok(if faults > 0 { Exit::Failed } else { Exit::Done })
}

/// What the running node says of itself, and whether there is one.
async fn ask_node(home: &Path) -> (Option<Report>, Finding) {
    let shown = home.display();
    match ask(home, &ControlRequest::Report {}).await {
        Ok(answer) => match serde_json::from_value::<Report>(answer) {
            Ok(report) => {
                let status = &report.status;
                let found = format!(
                    "a node has been running in {shown} for {}, version {}, protocol {}, in round {}",
                    super::peers::ago(status.uptime_ms),
                    status.version,
                    report.protocol,
                    status.round
                );
                (Some(report), Finding::ok("node", found))
            }
            Err(error) => (None, other_version(&error.to_string())),
        },
        Err(ControlError::NotRunning { .. }) => (None, not_running(home)),
        Err(ControlError::Refused { message }) => (None, other_version(&message)),
        Err(error) => {
            let advice = "look at its log; if it does not recover, end its process and start it again";
            (None, Finding::fault("node", error.to_string(), advice))
        }
    }
}

fn not_running(home: &Path) -> Finding {
    let shown = home.display();
    if home.exists() && matches!(Home::open(home), Err(RegistryError::Locked { .. })) {
        let found = format!("a node holds {shown} but has no control socket that answers");
        return Finding::fault(
            "node",
            found,
            "wait if it has just been started; else look at its log: the path of the home may be too long for a socket",
        );
    }
    let found = format!("no node runs in {shown}, so only this machine and the settings were looked at");
    Finding::note("node", found).do_this(format!("peerlearn run --home {shown}"))
}

fn other_version(reason: &str) -> Finding {
    let found = format!("the running node does not understand this program ({reason})");
    Finding::fault("node", found, "stop it and start it again with the program that you ask with: versions differ")
}
