//! Files that survive a crash: replaced and removed as a whole, and on the disk when the call returns.

use std::{
    fs::{self, File, Permissions},
    io::{self, Write as _},
    os::unix::fs::PermissionsExt as _,
    path::Path,
};

use tempfile::Builder;

/// Written beside the file and renamed over it, so that a crash leaves the old one or the new one, and never half of one.
#[allow(dead_code, reason = "a latch is replaced in any case, a memory is not")]
pub(crate) fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    replace_if(path, content, || Ok(()))
}

/// The same only where it may be, which is asked when all is on the disk and the new file is still to take the place of the old one.
pub(crate) fn replace_if(
    path: &Path,
    content: &[u8],
    may: impl FnOnce() -> io::Result<()>,
) -> io::Result<()> {
    let name = path.file_name().unwrap_or_default();
    // Each time another name: whoever is late must not write into the file of the next.
    let mut beside = Builder::new()
        .prefix(name)
        .suffix(".new")
        // As of any file: the umask takes away from it.
        .permissions(Permissions::from_mode(0o666))
        .tempfile_in(folder(path))?;
    beside.write_all(content)?;
    beside.as_file().sync_all()?;
    may()?;
    beside.persist(path)?;
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
    File::open(folder(path))?.sync_all()
}

fn folder(path: &Path) -> &Path {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    folder.unwrap_or_else(|| Path::new("."))
}
