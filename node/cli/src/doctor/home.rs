//! The home directory: identity, who may read it, room on its disk, the times of its files.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

use peerlearn::network::libp2p_text;
use peerlearn::registry::identity_of;
use peerlearn_harness::bytes;
use rustix::fs::{Access, access, statvfs};

use super::finding::Finding;

/// Files that nobody else has to read.
const PRIVATE: [&str; 3] = ["identity.key", "member.json", "members.json"];
/// Room that a node needs beside its checkpoints, in bytes: identity, book, members.
const BESIDE: u64 = 16 << 20;
/// Room below which the disk is nearly full, in bytes.
const LITTLE: u64 = 512 << 20;
/// How far a file may be in the future: clocks of network disks differ a little.
const FUTURE: Duration = Duration::from_secs(120);

pub(super) fn findings(home: &Path) -> Vec<Finding> {
    if !home.exists() {
        let shown = home.display();
        let mut findings = vec![Finding::note("home", format!("there is no {shown} yet; the first start makes it"))];
        let parent = home.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        findings.push(disk(parent, 0));
        return findings;
    }
    let mut findings = vec![identity(home)];
    findings.extend(permissions(home));
    let checkpoint = std::fs::metadata(home.join("checkpoint.safetensors")).map_or(0, |about| about.len());
    findings.push(disk(home, checkpoint));
    findings.extend(from_the_future(home));
    findings
}

fn identity(home: &Path) -> Finding {
    match identity_of(home) {
        Ok(Some(identity)) => {
            let peer = identity.peer();
            Finding::ok("identity", format!("this peer is {}, for short {}", libp2p_text(&peer), peer.short()))
        }
        Ok(None) => Finding::note("identity", "there is no identity yet; the first start makes one"),
        Err(error) => {
            let advice =
                "mend what it says, or put the file back from a copy; without it this is another peer to all others";
            Finding::fault("identity", error.to_string(), advice)
        }
    }
}

fn permissions(home: &Path) -> Vec<Finding> {
    let shown = home.display();
    let mode_of = |path: &Path| std::fs::metadata(path).map(|about| about.permissions().mode() & 0o777).ok();
    let mut findings = Vec::new();
    if let Err(error) = access(home, Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK) {
        let advice = format!("give it to the user of the node: chown -R \"$USER\" {shown}; chmod -R u+rwX {shown}");
        findings.push(Finding::fault("home", format!("{shown} cannot be written: {error}"), advice));
    }
    if let Some(mode) = mode_of(home).filter(|mode| mode & 0o077 != 0) {
        let found = format!("others may look into {shown} (mode {mode:o})");
        findings.push(Finding::warning("home", found, format!("chmod 700 {shown}")));
    }
    for path in PRIVATE.map(|name| home.join(name)) {
        if let Some(mode) = mode_of(&path).filter(|mode| mode & 0o077 != 0) {
            let shown = path.display();
            let found = format!("{shown} may be read by others (mode {mode:o})");
            findings.push(Finding::warning("home", found, format!("chmod 600 {shown}")));
        }
    }
    if findings.is_empty() {
        findings.push(Finding::ok("home", format!("{shown} is writable, and private to its owner")));
    }
    findings
}

/// Room on the disk of a directory, for the newest checkpoint, the one before and the one being written.
fn disk(directory: &Path, checkpoint: u64) -> Finding {
    let shown = directory.display();
    let Ok(about) = statvfs(directory) else {
        return Finding::unmeasured("disk", &format!("room on the disk of {shown}"));
    };
    let free = about.f_bavail.saturating_mul(about.f_frsize);
    let needed = checkpoint.saturating_mul(3).saturating_add(BESIDE);
    let found = format!("{} free where {shown} is, about {} are needed", bytes(free), bytes(needed));
    match free {
        _ if free < needed => Finding::fault("disk", found, "make room, or move the home to another disk"),
        _ if free < LITTLE.max(needed.saturating_mul(4)) => Finding::warning("disk", found, "make room soon"),
        _ => Finding::ok("disk", found),
    }
}

/// A file that was written later than now says that the clock went back.
fn from_the_future(home: &Path) -> Option<Finding> {
    let latest = std::fs::read_dir(home).ok()?.flatten().filter_map(|entry| {
        let changed = entry.metadata().ok()?.modified().ok()?;
        Some((changed.duration_since(SystemTime::now()).ok()?, entry.path()))
    });
    let (ahead, path) = latest.max_by_key(|(ahead, _)| *ahead).filter(|(ahead, _)| *ahead > FUTURE)?;
    let found = format!(
        "{} was written {} after now: the clock of this machine went back, or was ahead when it was written",
        path.display(),
        crate::peers::ago(ahead.as_millis() as u64)
    );
    Some(Finding::warning("clock", found, "set the clock: memberships and invitations end by it"))
}

#[cfg(test)]
mod tests {
    use super::super::finding::Severity;
    use super::*;

    #[test]
    fn an_open_home_and_a_file_of_tomorrow_are_said() {
        let home = tempfile::tempdir().unwrap();
        std::fs::set_permissions(home.path(), PermissionsExt::from_mode(0o755)).unwrap();
        let file = std::fs::File::create(home.path().join("starts")).unwrap();
        file.set_modified(SystemTime::now() + Duration::from_secs(86_400)).unwrap();
        let findings = findings(home.path());
        let has = |about: &str, word: &str| {
            let found = |finding: &&Finding| finding.about == about && finding.found.contains(word);
            findings.iter().find(found).map(|finding| finding.severity)
        };
        assert_eq!(has("home", "mode 755"), Some(Severity::Warning));
        assert_eq!(has("clock", "starts"), Some(Severity::Warning));
        assert_eq!(has("identity", "first start"), Some(Severity::Note));
    }

    #[test]
    fn a_damaged_identity_is_a_fault() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("identity.key");
        std::fs::write(&path, "short").unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
        assert_eq!(identity(home.path()).severity, Severity::Fault);
    }
}
