/// Which Jibri a fake is; what older ones did differently follows from it.
///
/// ```
/// use jibri_scaler_core::Timestamp;
/// use jibri_scaler_http::fake::{FakeJibri, Profile, Version};
///
/// let profile = Profile::booted().with_version(Version::BeforeV6_5);
/// let jibri = FakeJibri::new(profile, Timestamp::from_secs(0));
/// assert_eq!(jibri.health().to_string(), r#"{"busy":false}"#);
/// assert!(Version::BeforeV6_5 < Version::Build(0) && Version::Build(0) < Version::LATEST);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Version {
    /// Before 6.5 (December 2018): health was `{"busy": true}`.
    BeforeV6_5,
    /// `v8.0-N`: the Nth build after v8.0 (August 2019), as the Debian package counts. 0 is v8.0 itself.
    Build(u16),
}

impl Version {
    /// The one whose behaviour was read: v8.0-228 (August 2026).
    pub const LATEST: Self = Self::Build(228);

    /// `notifyConfigChanged`.
    pub(super) const CONFIG_CHANGED: Self = Self::Build(6);
    /// EXPIRED.
    pub(super) const SINGLE_USE: Self = Self::Build(8);
    pub(super) const WEBHOOKS: Self = Self::Build(42);
    /// Ktor instead of Jersey. Before it, the internal API acted a second after its answer, and a 412 had no text.
    pub(super) const KTOR: Self = Self::Build(43);
    pub(super) const JWT: Self = Self::Build(51);
    pub(super) const SESSION_WEBHOOKS: Self = Self::Build(126);
    pub(super) const METRICS: Self = Self::Build(168);
    /// From here on, the token of the webhooks is never renewed.
    pub(super) const ONE_TOKEN: Self = Self::Build(174);
}
