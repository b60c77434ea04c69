//! The files beside the restart latch.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// The file beside the latch whose name ends so.
pub(crate) fn beside(latch: &Path, end: &str) -> PathBuf {
    let mut path = latch.as_os_str().to_owned();
    path.push(".");
    path.push(end);
    path.into()
}

/// What differs from one boot of the machine to the next; `None` where the kernel does not say, so that nothing is taken for being of
/// this boot.
pub(crate) fn boot_id() -> Option<String> {
    let text = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(text.trim().to_owned()).filter(|id| !id.is_empty())
}
