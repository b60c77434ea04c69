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

use crate::disk::Disk;

/// An address book in a file.
#[derive(Debug)]
pub(crate) struct AddressFile {
    path: PathBuf,
    disk: Disk,
    current: RwLock<Current>,
}

#[derive(Debug)]
struct Current {
    text: String,
    addresses: Addresses,
}

impl AddressFile {
    /// Reads the file; its mistakes are named with the file and the line.
    pub(crate) async fn open(path: &Path) -> Result<Self, String> {
        let disk = Disk::default();
        let text = read(&disk, path).await?;
        let current = parse(path, text)?;
        Ok(Self {
            path: path.into(),
            disk,
            current: RwLock::new(current),
        })
    }

    /// Reads the file anew. Where it can't be read or is wrong, the addresses stay as they were.
    pub(crate) async fn refresh(&self) -> Result<(), String> {
        let stay = |error| format!("{error}; the addresses stay as they were");
        let text = read(&self.disk, &self.path).await.map_err(stay)?;
        // The text is replaced as a whole, so that a poisoned lock holds a whole one.
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        let unchanged = current.text == text;
        drop(current);
        if !unchanged {
            let current = parse(&self.path, text).map_err(stay)?;
            *self.current.write().unwrap_or_else(PoisonError::into_inner) = current;
        }
        Ok(())
    }
}

impl AddressBook for AddressFile {
    fn find(&self, target: &Target) -> Result<ApiBases, NoAddress> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        current.addresses.find(target)
    }
}

async fn read(disk: &Disk, path: &Path) -> Result<String, String> {
    let file = path.to_owned();
    let text = disk.run(move |_| fs::read_to_string(file)).await;
    text.map_err(|error| named(path, &error))
}

fn parse(path: &Path, text: String) -> Result<Current, String> {
    let addresses = Addresses::from_toml(&text).map_err(|error| named(path, &error))?;
    Ok(Current { text, addresses })
}

fn named(path: &Path, error: &dyn std::fmt::Display) -> String {
    format!("address file {}: {error}", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_instance_that_is_added_is_found_and_a_mistake_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("addresses.toml");
        let row = |id: &str, port: u32| {
            format!(
                "[{id}]\nhealth = \"http://10.0.0.1:{port}\"\ninternal = \"http://10.0.0.1:1{port}\"\n"
            )
        };
        fs::write(&path, row("i-a", 2222)).unwrap();
        let file = AddressFile::open(&path).await.unwrap();
        let found = |id: &str| file.find(&Target::new(id.parse().unwrap())).is_ok();
        assert!(found("i-a") && !found("i-b"));

        fs::write(&path, row("i-a", 2222) + &row("i-b", 3333)).unwrap();
        file.refresh().await.unwrap();
        assert!(found("i-a") && found("i-b"));

        fs::write(&path, "[i-a]\nhealth = 7\n").unwrap();
        let error = file.refresh().await.unwrap_err();
        assert!(
            error.contains("addresses.toml") && error.contains("stay as they were"),
            "{error}"
        );
        assert!(found("i-a") && found("i-b"));
        fs::remove_file(&path).unwrap();
        assert!(file.refresh().await.is_err() && found("i-b"));
    }
}
