//! The addresses file.

use std::collections::BTreeMap;

use jibri_scaler_core::port::Target;
use jibri_scaler_http::{AddressBook as _, Addresses};

/// It is refused with a line that there is and a reason of a bounded length; or each table is an instance with addresses that no
/// other has.
pub(crate) fn property(file: &[u8]) {
    // Files are read as text.
    let Ok(text) = std::str::from_utf8(file) else {
        return;
    };
    let book = match Addresses::from_toml(text) {
        Ok(book) => book,
        Err(error) => {
            let lines = 1 + text.matches('\n').count();
            assert!((1..=lines).contains(&error.line()), "{error}");
            assert!(error.to_string().len() <= 1000 + 4 * text.len(), "{error}");
            return;
        }
    };
    let tables: toml::Table = toml::from_str(text).expect("what was read is TOML");
    let mut owners = BTreeMap::new();
    for id in tables.keys() {
        let target = Target::new(id.parse().expect("no id is empty"));
        let bases = book.find(&target).expect("each table is an instance");
        for base in [bases.health, bases.internal] {
            assert!(base.as_str().starts_with("http://"), "{base}");
            let owner = owners.entry(base.to_string()).or_insert(id);
            assert_eq!(*owner, id, "two instances have the address {base}");
        }
    }
    let elsewhere = Target::new("i-of-no-file".parse().expect("an id"));
    assert_eq!(
        book.find(&elsewhere).is_ok(),
        tables.contains_key("i-of-no-file")
    );
}
