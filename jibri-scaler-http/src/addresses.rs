//! Where the two APIs of a Jibri are: from templates, from a file, or from a map that changes at run time.

mod base_url;
#[cfg(feature = "toml")]
mod file;
mod live;
mod template;

use std::{collections::BTreeMap, fmt, sync::Arc};

use jibri_scaler_core::{InstanceId, port::Target};

pub(crate) use base_url::Host;
pub use base_url::{BaseUrl, InvalidUrl};
#[cfg(feature = "toml")]
pub use file::InvalidFile;
pub use live::LiveAddresses;
pub use template::InvalidTemplate;

use template::Template;

/// The addresses of the two APIs of one Jibri.
///
/// ```
/// use jibri_scaler_http::addresses::ApiBases;
///
/// let bases = ApiBases::new("http://10.0.0.7:2222".parse()?, "http://10.0.0.7:3333".parse()?);
/// assert_eq!(bases.internal.as_str(), "http://10.0.0.7:3333");
/// # Ok::<(), jibri_scaler_http::addresses::InvalidUrl>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ApiBases {
    /// The external API, which tells the health: by default port 2222.
    pub health: BaseUrl,
    /// The internal API, which takes `gracefulShutdown`: by default port 3333.
    pub internal: BaseUrl,
}

impl ApiBases {
    /// The APIs at these two addresses.
    #[must_use]
    pub const fn new(health: BaseUrl, internal: BaseUrl) -> Self {
        Self { health, internal }
    }
}

/// It is not known where the Jibri of an instance is; the text says why.
///
/// ```
/// use jibri_scaler_core::port::Target;
/// use jibri_scaler_http::{AddressBook as _, Addresses};
///
/// let book = Addresses::from_map([]);
/// let unknown = book.find(&Target::new("i-0abc".parse()?)).unwrap_err();
/// assert_eq!(unknown.to_string(), "the address map has no entry for instance `i-0abc`");
/// # Ok::<(), jibri_scaler_core::EmptyInstanceId>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NoAddress {
    reason: String,
}

impl NoAddress {
    /// Not known for this reason.
    #[must_use]
    pub fn new(reason: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
        }
    }

    fn not_listed(id: &InstanceId) -> Self {
        Self::new(format!("the address map has no entry for instance `{id}`"))
    }
}

impl fmt::Display for NoAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl std::error::Error for NoAddress {}

/// Finds the APIs of an instance. Probe and drain client ask it anew at every call.
///
/// Implemented by [`Addresses`] and [`LiveAddresses`], and through `Arc`. Finding must not block.
///
/// ```
/// use jibri_scaler_core::port::Target;
/// use jibri_scaler_http::{AddressBook, addresses::{ApiBases, NoAddress}};
///
/// /// One Jibri, whatever it is called.
/// #[derive(Debug)]
/// struct TheOne(ApiBases);
///
/// impl AddressBook for TheOne {
///     fn find(&self, _target: &Target) -> Result<ApiBases, NoAddress> {
///         Ok(self.0.clone())
///     }
/// }
/// ```
pub trait AddressBook: fmt::Debug + Send + Sync {
    /// The APIs of this instance.
    ///
    /// # Errors
    /// Where they are not known. The probe then reports
    /// [`ProbeOutcome::NoAddress`](jibri_scaler_core::port::ProbeOutcome::NoAddress) with the reason.
    fn find(&self, target: &Target) -> Result<ApiBases, NoAddress>;
}

#[deny(clippy::missing_trait_methods)]
impl<T: AddressBook + ?Sized> AddressBook for Arc<T> {
    fn find(&self, target: &Target) -> Result<ApiBases, NoAddress> {
        (**self).find(target)
    }
}

/// Addresses that are known from the start: two templates, or a map of instances.
///
/// ```
/// use jibri_scaler_core::port::Target;
/// use jibri_scaler_http::{AddressBook as _, Addresses};
///
/// let book = Addresses::from_templates(
///     "http://{instance_id}.jibri.example:2222",
///     "http://{instance_id}.jibri.example:3333",
/// )?;
/// let found = book.find(&Target::new("i-0abc".parse()?))?;
/// assert_eq!(found.health.as_str(), "http://i-0abc.jibri.example:2222");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Addresses(Kind);

#[derive(Clone, Debug)]
enum Kind {
    Templates {
        health: Template,
        internal: Template,
    },
    Map(BTreeMap<InstanceId, ApiBases>),
}

impl Addresses {
    /// Addresses made from the id of the instance (`{instance_id}`) or from its private address (`{private_ip}`, where the
    /// listing knows it; an IPv6 address is put in brackets).
    ///
    /// # Errors
    /// Where a template holds another placeholder, or would not give an address like `http://host:port`.
    pub fn from_templates(health: &str, internal: &str) -> Result<Self, InvalidTemplate> {
        Ok(Self(Kind::Templates {
            health: Template::new(health)?,
            internal: Template::new(internal)?,
        }))
    }

    /// Exactly these instances, and no other.
    #[must_use]
    pub fn from_map(map: impl IntoIterator<Item = (InstanceId, ApiBases)>) -> Self {
        Self(Kind::Map(map.into_iter().collect()))
    }
}

impl AddressBook for Addresses {
    fn find(&self, target: &Target) -> Result<ApiBases, NoAddress> {
        match &self.0 {
            Kind::Templates { health, internal } => Ok(ApiBases::new(
                health.fill_in(target)?,
                internal.fill_in(target)?,
            )),
            Kind::Map(map) => map
                .get(&target.id)
                .cloned()
                .ok_or_else(|| NoAddress::not_listed(&target.id)),
        }
    }
}
