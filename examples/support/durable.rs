//! Files that survive a crash: replaced and removed as a whole, and on the disk when the call returns.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::Path,
};

/// Written beside the file and renamed over it, so that a crash leaves the old one or the new one, and never half of one.
pub(crate) fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let beside = Path::new(&beside);
    let mut file = File::create(beside)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(beside, path)?;
    sync_folder(path)
}

/// Removes the file, if it is there.
#[allow(dead_code, reason = "a latch is removed, a memory never")]
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        result => result?,
    }
    // Also where there was none: the one that removed it may have crashed before this.
    sync_folder(path)
}

/// What changed in a folder is on the disk only when the folder is.
fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or_else(|| Path::new(".")))?.sync_all()
}
