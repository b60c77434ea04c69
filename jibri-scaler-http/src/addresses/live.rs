use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, RwLock},
};

use jibri_scaler_core::{InstanceId, port::Target};

use super::{AddressBook, ApiBases, NoAddress};

/// An address map that may change while probes run. Its clones share one map.
///
/// ```
/// use jibri_scaler_core::port::Target;
/// use jibri_scaler_http::{AddressBook as _, addresses::{ApiBases, LiveAddresses}};
///
/// let book = LiveAddresses::default();
/// let target = Target::new("i-0abc".parse()?);
/// book.insert(
///     target.id.clone(),
///     ApiBases::new("http://127.0.0.1:2222".parse()?, "http://127.0.0.1:3333".parse()?),
/// );
/// assert!(book.clone().find(&target).is_ok());
/// book.remove(&target.id);
/// assert!(book.find(&target).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct LiveAddresses {
    map: Arc<RwLock<BTreeMap<InstanceId, ApiBases>>>,
}

impl LiveAddresses {
    /// Adds an instance, or gives it other addresses.
    pub fn insert(&self, id: InstanceId, bases: ApiBases) {
        // Nothing panics while it holds the lock, so that a poisoned one holds a whole map.
        let mut map = self.map.write().unwrap_or_else(PoisonError::into_inner);
        map.insert(id, bases);
    }

    /// Removes an instance, if it is there.
    pub fn remove(&self, id: &InstanceId) {
        let mut map = self.map.write().unwrap_or_else(PoisonError::into_inner);
        map.remove(id);
    }
}

impl AddressBook for LiveAddresses {
    fn find(&self, target: &Target) -> Result<ApiBases, NoAddress> {
        let map = self.map.read().unwrap_or_else(PoisonError::into_inner);
        map.get(&target.id)
            .cloned()
            .ok_or_else(|| NoAddress::not_listed(&target.id))
    }
}
