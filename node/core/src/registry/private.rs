//! A home is its owner's alone: the directory 0700, the files in it 0600.

use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use rustix::fs::OFlags;

/// What a node keeps in its home; of the key others must ask its owner, see [`super::key`].
const KEPT: [&str; 14] = [
    "identity.pub",
    "lock",
    "starts",
    "addresses",
    "checkpoint.safetensors",
    "checkpoint.previous.safetensors",
    "checkpoint.damaged.safetensors",
    "task.json",
    "frame.json",
    "member.json",
    "members.json",
    "settings.toml",
    "book.json",
    "cache",
];
/// What else of a node may be there.
const BESIDE: [&str; 2] = ["identity.key", "control.sock"];
/// What others may do, of the bits of a mode.
const OTHERS: u32 = 0o077;
/// What others may change.
const OTHERS_WRITE: u32 = 0o022;

/// Makes a home where there is none, for its owner only. Directories above it are made as the system makes them.
pub(super) fn create(home: &Path) -> io::Result<()> {
    if let Some(above) = home.parent().filter(|above| !above.as_os_str().is_empty()) {
        std::fs::create_dir_all(above)?;
    }
    match DirBuilder::new().mode(0o700).create(home) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && home.is_dir() => Ok(()),
        made => made,
    }
}

/// Takes from others what they may do in a home that is there, and answers what is to be said of that. A directory that holds
/// more than a node's files, or belongs to somebody else, is left as it is: others may be meant to use it.
pub(super) fn tighten(home: &Path) -> Vec<String> {
    let (mode, count) = (mode_of(home), tighten_files(home));
    let shown = home.display();
    let Some(mode) = mode.filter(|mode| mode & OTHERS != 0) else { return Vec::new() };
    let could = if mode & OTHERS_WRITE == 0 { "list" } else { "change" };
    match is_only_a_home(home, mode) && std::fs::set_permissions(home, Permissions::from_mode(0o700)).is_ok() {
        // Nothing was there to be seen.
        true if count == 0 => Vec::new(),
        true => vec![format!(
            "other users of this machine could {could} what is in {shown} (mode {mode:o}); it is now its owner's alone (mode 700)"
        )],
        false => vec![format!(
            "other users of this machine can {could} what is in {shown} (mode {mode:o}), which belongs to somebody else or holds \
             more than a node's files; choose a directory of its own with --home, or: chmod 700 {shown}"
        )],
    }
}

/// Whether others can do nothing in a home.
pub(super) fn is_private(home: &Path) -> bool {
    mode_of(home).is_some_and(|mode| mode & OTHERS == 0)
}

/// Removes what a process that was killed has left of files it was writing: there may be secrets in it.
pub(super) fn clear_unfinished(home: &Path) {
    for name in KEPT.iter().chain(&BESIDE) {
        let aside = home.join(name).with_extension("tmp");
        if aside.symlink_metadata().is_ok_and(|found| !found.is_dir()) {
            // Where this fails, the next write says why.
            let _ = std::fs::remove_file(aside);
        }
    }
}

fn mode_of(path: &Path) -> Option<u32> {
    path.metadata().ok().map(|found| found.mode() & 0o7777)
}

/// Whether it is this user's, is no place that all share, and holds nothing but what a node keeps.
fn is_only_a_home(home: &Path, mode: u32) -> bool {
    let is_own = home.metadata().is_ok_and(|found| found.uid() == rustix::process::geteuid().as_raw());
    let is_kept = |name: &std::ffi::OsStr| KEPT.iter().chain(&BESIDE).any(|kept| name == *kept);
    let only =
        |mut entries: std::fs::ReadDir| entries.all(|entry| entry.is_ok_and(|entry| is_kept(&entry.file_name())));
    is_own && mode & 0o1000 == 0 && home.read_dir().is_ok_and(only)
}

/// Makes what a node keeps its owner's alone; answers how much there is, without the lock.
fn tighten_files(home: &Path) -> usize {
    let there = KEPT.iter().filter(|name| **name != "lock" && home.join(name).exists()).count();
    for name in KEPT {
        let mut options = OpenOptions::new();
        // Neither a link to something else, nor a wait at a pipe.
        options.read(true).custom_flags((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed());
        // One of another user stays as it is: it was put there on purpose.
        let _ = options.open(home.join(name)).and_then(|file| tighten_file(&file));
    }
    there
}

fn tighten_file(file: &File) -> io::Result<()> {
    let found = file.metadata()?;
    match found.mode() & OTHERS {
        0 => Ok(()),
        _ if found.is_dir() => file.set_permissions(Permissions::from_mode(0o700)),
        _ => file.set_permissions(Permissions::from_mode(0o600)),
    }
}
