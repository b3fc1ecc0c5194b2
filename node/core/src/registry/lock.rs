//! Only one node runs in a home.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::OFlags;

use super::RegistryError;

/// How often a lock file that is replaced at this very moment is opened anew.
const TRIES: usize = 8;
/// Digits of the number of a process, and room for the end of the line.
const MAX_HOLDER: u64 = 16;

/// The lock of a home, held while this lives: an advisory lock on the file `lock`, in which the holder leaves the number of its
/// process, and one on the directory, so that removing the file does not let a second node in.
#[derive(Debug)]
pub(super) struct Lock {
    file: File,
    directory: Option<File>,
    released: AtomicBool,
}

impl Lock {
    /// Takes the lock file of a directory that is there.
    ///
    /// # Errors
    /// Another process holds it, it is no plain file, or the system refused.
    pub fn take(home: &Path) -> Result<Self, RegistryError> {
        let path = home.join("lock");
        for _ in 0..TRIES {
            let mut file = open(&path)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Err(locked(home, holder(&mut file))),
                Err(TryLockError::Error(source)) => return Err(failed("lock", &path)(source)),
            }
            // Whoever removed it between the two calls may have locked another one of that name.
            if is_still(&file, &path) {
                // A directory that has become read-only only leaves unsaid who holds it.
                let _ = leave(&mut file);
                return Ok(Self { file, directory: None, released: AtomicBool::new(false) });
            }
        }
        let reason = "it is replaced again and again; let nothing but the node touch it".to_owned();
        Err(RegistryError::Damaged { path, reason })
    }

    /// Takes the directory too. Not where others can open it, who could then hold it themselves.
    ///
    /// # Errors
    /// Another process holds it: the lock file was removed under a running node.
    pub fn take_directory(&mut self, home: &Path) -> Result<(), RegistryError> {
        let Ok(directory) = File::open(home) else { return Ok(()) };
        match directory.try_lock() {
            Ok(()) => self.directory = Some(directory),
            Err(TryLockError::WouldBlock) => return Err(locked(home, None)),
            // Some file systems lock no directories; the file is locked.
            Err(TryLockError::Error(_)) => {}
        }
        Ok(())
    }

    /// Lets others in before this ends.
    pub fn release(&self) {
        if self.released.swap(true, Ordering::Relaxed) {
            return;
        }
        // The end of the process releases both in any case.
        let _ = self.file.set_len(0);
        let _ = self.file.unlock();
        self.directory.iter().for_each(|directory| drop(directory.unlock()));
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        self.release();
    }
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> RegistryError {
    let path: PathBuf = path.to_owned();
    move |source| RegistryError::Io { action, path, source }
}

fn locked(home: &Path, holder: Option<u32>) -> RegistryError {
    RegistryError::Locked { path: home.to_owned(), holder }
}

/// Opens a lock file, made if need be for its owner only. A link is not followed: a lock somewhere else is somebody else's.
fn open(path: &Path) -> Result<File, RegistryError> {
    let flags = |flags: OFlags| flags.bits().cast_signed();
    let mut options = OpenOptions::new();
    // Reading and writing, which waits at no pipe for its other end.
    options.read(true).write(true).create(true).truncate(false).mode(0o600).custom_flags(flags(OFlags::NOFOLLOW));
    let opened = options.open(path).or_else(|error| {
        // A directory that has become read-only can still be locked, and what is in it can still be read.
        let mut reading = OpenOptions::new();
        reading.read(true).custom_flags(flags(OFlags::NOFOLLOW | OFlags::NONBLOCK));
        reading.open(path).map_err(|_| error)
    });
    let found = path.symlink_metadata();
    match (&found, opened) {
        (Ok(found), _) if !found.is_file() => {
            let what = if found.is_symlink() { "a symbolic link" } else { "no file" };
            let reason = format!("it is {what}, where a node keeps a file that it locks; remove it");
            Err(RegistryError::Damaged { path: path.to_owned(), reason })
        }
        (_, opened) => opened.map_err(failed("open", path)),
    }
}

fn is_still(file: &File, path: &Path) -> bool {
    let same =
        |(one, other): (std::fs::Metadata, std::fs::Metadata)| (one.dev(), one.ino()) == (other.dev(), other.ino());
    file.metadata().ok().zip(path.symlink_metadata().ok()).is_some_and(same)
}

/// Leaves the number of this process in the lock file.
fn leave(file: &mut File) -> std::io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{}", std::process::id())
}

/// The process that has left its number there.
fn holder(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.take(MAX_HOLDER).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}
