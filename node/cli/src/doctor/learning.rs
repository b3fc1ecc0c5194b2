//! Whether a running node gets anywhere, and what else it says of itself.

use peerlearn::doctor::Report;
use peerlearn::status::Phase;

use super::finding::Finding;

/// Rounds without a model of others, in spite of connections, after which something is wrong.
const NO_MIX: u64 = 30;
/// Rounds in a row in which the rule refused everybody, after which something is wrong.
const ALL_REFUSED: u64 = 5;
/// How a node says that another one has its key.
const ELSEWHERE: &str = "another node speaks under this identity";

pub(super) fn findings(report: &Report) -> Vec<Finding> {
    let mut findings = vec![rounds(report)];
    findings.extend(elsewhere(report));
    for (invariant, times) in &report.status.broken {
        let found = format!("the invariant \"{invariant}\" did not hold {times} times");
        findings.push(Finding::fault(
            "learning",
            found,
            "this is an error in the program: please report it with the log",
        ));
    }
    let told_elsewhere = ["contact ", "not let in: ", "peer ", "nobody can be reached yet"];
    for problem in &report.status.problems {
        if !problem.contains(ELSEWHERE) && !told_elsewhere.iter().any(|beginning| problem.starts_with(beginning)) {
            findings.push(Finding::warning(
                "node",
                format!("it says: {problem}"),
                "see the log for when and how often",
            ));
        }
    }
    findings
}

fn rounds(report: &Report) -> Finding {
    let (rounds, status) = (&report.rounds, &report.status);
    let connected = report.connectivity.paths.values().filter(|path| path.compatible).count();
    if rounds.all_refused >= ALL_REFUSED {
        let found =
            format!("the mixing rule refused every model that arrived in {} rounds in a row", rounds.all_refused);
        return Finding::fault(
            "learning",
            found,
            "look whether own data and settings fit those of others; a milder rule is mixing.rule = \"uniform\"",
        );
    }
    if connected > 0 && rounds.without_mix >= NO_MIX {
        let found = format!(
            "{} rounds were closed without a model of another peer, though {connected} are connected",
            rounds.without_mix
        );
        let advice = "look at peerlearn peers: slow links need a longer round.deadline, or a smaller exchange.codec";
        return Finding::fault("learning", found, advice);
    }
    match (rounds.mixed_ago_ms, status.phase) {
        (_, Phase::Finished) => Finding::ok("learning", format!("all rounds asked for are done ({})", status.round)),
        (Some(ago), _) => {
            let found = format!(
                "a model of another peer was mixed {} ago, {} rounds since",
                crate::peers::ago(ago),
                rounds.without_mix
            );
            Finding::ok("learning", found)
        }
        (None, _) if connected == 0 => {
            Finding::note("learning", "nothing of others was mixed yet, as nobody is connected; this node learns alone")
        }
        (None, _) => Finding::note("learning", "nothing of others was mixed yet since the start of this node"),
    }
}

fn elsewhere(report: &Report) -> Option<Finding> {
    let problem = report.status.problems.iter().find(|problem| problem.contains(ELSEWHERE))?;
    let advice = "stop one of the two, and give it a home of its own with --home";
    Some(Finding::fault("identity", problem.clone(), advice))
}
