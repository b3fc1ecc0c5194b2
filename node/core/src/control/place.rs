//! Where the socket of a home is, for the system.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::SOCKET;

/// Longest path that every system takes for a socket: 104 bytes on some, with a zero at the end.
const LONGEST: usize = 103;

/// A path by which the system takes the socket of a home, good while this lives.
#[derive(Debug)]
pub(super) struct Place {
    path: PathBuf,
    /// What the path leads through.
    _directory: Option<File>,
}

impl Place {
    /// The socket's own path; of one that is too long, the way through an open directory, which Linux gives a short name.
    ///
    /// # Errors
    /// The path is too long and the directory cannot be opened.
    pub fn of(home: &Path) -> io::Result<Self> {
        let path = home.join(SOCKET);
        if path.as_os_str().as_bytes().len() <= LONGEST {
            return Ok(Self { path, _directory: None });
        }
        let directory = File::open(home)?;
        let short = PathBuf::from(format!("/proc/self/fd/{}", directory.as_raw_fd()));
        // Without it the system says in its own words that the path is too long.
        let path = if short.exists() { short.join(SOCKET) } else { path };
        Ok(Self { path, _directory: Some(directory) })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }
}
