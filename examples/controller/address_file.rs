//! Addresses from a file that is read anew before each tick, since instances come and go.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{PoisonError, RwLock},
};

use jibri_scaler_core::port::Target;
use jibri_scaler_http::{
    AddressBook, Addresses,
    addresses::{ApiBases, NoAddress},
};

/// An address book in a file.
#[derive(Debug)]
pub(crate) struct AddressFile {
    path: PathBuf,
    current: RwLock<Current>,
}

#[derive(Debug)]
struct Current {
    text: String,
    addresses: Addresses,
}

impl AddressFile {
    /// Reads the file; its mistakes are named with the file and the line.
    pub(crate) fn open(path: &Path) -> Result<Self, String> {
        let current = read(path)?;
        Ok(Self {
            path: path.into(),
            current: RwLock::new(current),
        })
    }

    /// Reads the file anew. Where it can't be read or is wrong, the addresses stay as they were.
    pub(crate) fn refresh(&self) -> Result<(), String> {
        // The text is replaced as a whole, so that a poisoned lock holds a whole one.
        let unchanged = |text: &str| {
            self.current
                .read()
                .unwrap_or_else(PoisonError::into_inner)
                .text
                == text
        };
        if fs::read_to_string(&self.path).is_ok_and(|text| unchanged(&text)) {
            return Ok(());
        }
        let current = read(&self.path)
            .map_err(|error| format!("{error}; the addresses stay as they were"))?;
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = current;
        Ok(())
    }
}

impl AddressBook for AddressFile {
    fn find(&self, target: &Target) -> Result<ApiBases, NoAddress> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        current.addresses.find(target)
    }
}

fn read(path: &Path) -> Result<Current, String> {
    let named = |error: &dyn std::fmt::Display| format!("address file {}: {error}", path.display());
    let text = fs::read_to_string(path).map_err(|error| named(&error))?;
    let addresses = Addresses::from_toml(&text).map_err(|error| named(&error))?;
    Ok(Current { text, addresses })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instance_that_is_added_is_found_and_a_mistake_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("addresses.toml");
        let row = |id: &str, port: u32| {
            format!(
                "[{id}]\nhealth = \"http://10.0.0.1:{port}\"\ninternal = \"http://10.0.0.1:1{port}\"\n"
            )
        };
        fs::write(&path, row("i-a", 2222)).unwrap();
        let file = AddressFile::open(&path).unwrap();
        let found = |id: &str| file.find(&Target::new(id.parse().unwrap())).is_ok();
        assert!(found("i-a") && !found("i-b"));

        fs::write(&path, row("i-a", 2222) + &row("i-b", 3333)).unwrap();
        file.refresh().unwrap();
        assert!(found("i-a") && found("i-b"));

        fs::write(&path, "[i-a]\nhealth = 7\n").unwrap();
        let error = file.refresh().unwrap_err();
        assert!(
            error.contains("addresses.toml") && error.contains("stay as they were"),
            "{error}"
        );
        assert!(found("i-a") && found("i-b"));
        fs::remove_file(&path).unwrap();
        assert!(file.refresh().is_err() && found("i-b"));
    }
}
