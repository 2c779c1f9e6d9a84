//! A file whose lock is given back when it is dropped.

use std::fs::File;
use std::ops::{Deref, DerefMut};

/// A file that is locked, or would be where its file system had locks.
///
/// A child that is started at this moment has the open file as well until it executes its program, and with it the lock:
/// closing the file is not enough.
#[derive(Debug)]
pub struct LockedFile(File);

impl From<File> for LockedFile {
    fn from(locked: File) -> Self {
        Self(locked)
    }
}

impl Deref for LockedFile {
    type Target = File;

    fn deref(&self) -> &File {
        &self.0
    }
}

impl DerefMut for LockedFile {
    fn deref_mut(&mut self) -> &mut File {
        &mut self.0
    }
}

impl Drop for LockedFile {
    fn drop(&mut self) {
        // Without locks there is nothing to release.
        let _ = self.0.unlock();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_given_back_although_the_file_is_still_open_elsewhere() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("lock");
        let locked = LockedFile::from(File::create(&path).expect("a folder of ours"));
        locked.lock().expect("locks");
        // As a child has it that was started meanwhile.
        let elsewhere = locked.try_clone().expect("a descriptor");
        let other = File::open(&path).expect("it is there");
        assert!(other.try_lock().is_err());
        drop(locked);
        other.try_lock().expect("it is free");
        drop(elsewhere);
    }
}
