use std::{
    collections::HashMap,
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jibri_scaler_core::{InstanceId, Timestamp};
use ring::{
    digest::{SHA256, digest},
    signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey},
};
use serde::{Deserialize, de::IgnoredAny};

use super::key::{self, InvalidKey};

/// Clocks of two machines are seldom further apart.
const LEEWAY: Duration = Duration::from_secs(60);
/// Longer than any token of three claims and the largest key.
const LONGEST: usize = 8 * 1024;
/// How many verified tokens are remembered, some 100 bytes each. A Jibri has one per process.
const REMEMBERED: usize = 32 * 1024;

/// What is asked of the tokens that Jibri signs for its webhooks, as `jibri.jwt-info` says.
///
/// A token is taken where its header names `RS256` and the `kid` of a key given here, the signature is that of this key, `iss` and `aud`
/// are those given here (`aud` as a text, or as a list that holds it, as newer Jibris write it), and `exp` is there and in order.
/// No other algorithm is taken, whatever a header says, nor one with a `crit` in it. `nbf`, which Jibri does not write, is honoured
/// where it is.
///
/// ```
/// use std::time::Duration;
/// use jibri_scaler_http::receiver::{Expiry, Jwt};
/// # let pem = jibri_scaler_http::fake::Jwt::PUBLIC_KEY;
///
/// // jibri.jwt-info { kid = "jitsi/jibri", issuer = "jibri", audience = "jibri-scaler", … }
/// let jwt = Jwt::new("jibri", "jibri-scaler")
///     .with_key("jitsi/jibri", pem)?
///     .with_expiry(Expiry::Within(Duration::from_secs(12 * 3600)));
/// # let _ = jwt;
/// # Ok::<(), jibri_scaler_http::receiver::InvalidKey>(())
/// ```
pub struct Jwt {
    issuer: Box<str>,
    audience: Box<str>,
    keys: Vec<Key>,
    expiry: Expiry,
    verified: Mutex<HashMap<[u8; 32], Verified>>,
}

struct Key {
    kid: Box<str>,
    /// In PKCS#1.
    der: Vec<u8>,
    only: Option<InstanceId>,
}

/// What a token said whose signature was good.
#[derive(Clone, Copy)]
struct Verified {
    key: usize,
    ends_at: Timestamp,
}

/// Until when a token is taken.
///
/// From v8.0-174 (November 2024) on, a Jibri signs one token when its process starts and shows it for ever: after
/// `jibri.jwt-info.ttl` each webhook carries one that has expired. What such a webhook can do is little: it makes a controller look.
///
/// ```
/// use jibri_scaler_http::receiver::Expiry;
///
/// assert_eq!(Expiry::default(), Expiry::Enforced);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Expiry {
    /// Until its `exp`, and a minute longer, since clocks differ. With a Jibri of today, `ttl` must then be longer than any process of
    /// it lives.
    #[default]
    Enforced,
    /// For so long after its `exp`.
    Within(Duration),
    /// For ever. To end it, change the key.
    Ignored,
}

impl Expiry {
    fn allows(self, ends_at: Timestamp, now: Timestamp) -> bool {
        match self {
            Self::Enforced => now.since(ends_at) <= LEEWAY,
            Self::Within(allowed) => now.since(ends_at) <= allowed,
            Self::Ignored => true,
        }
    }
}

/// Why a token is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rejected {
    Expired,
    Wrong,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: String,
    #[serde(default)]
    crit: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
    aud: Audience,
    exp: f64,
    #[serde(default)]
    nbf: Option<f64>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Some(Vec<String>),
}

impl Audience {
    fn holds(&self, audience: &str) -> bool {
        match self {
            Self::One(one) => one == audience,
            Self::Some(list) => list.iter().any(|one| one == audience),
        }
    }
}

impl Jwt {
    /// Tokens of this issuer for this audience. None is taken until there is a key.
    #[must_use]
    pub fn new(issuer: &str, audience: &str) -> Self {
        Self {
            issuer: issuer.into(),
            audience: audience.into(),
            keys: Vec::new(),
            expiry: Expiry::default(),
            verified: Mutex::default(),
        }
    }

    /// The same with the public key of this `kid`, in PEM: `PUBLIC KEY` or `RSA PUBLIC KEY`, of 2048 to 8192 bits. Who has its private
    /// key can send webhooks for every listed instance.
    ///
    /// # Errors
    /// Where that is no such key, or the `kid` has one.
    pub fn with_key(self, kid: &str, pem: &str) -> Result<Self, InvalidKey> {
        self.with(kid, pem, None)
    }

    /// The same with a key for one instance alone: what it signs is taken for no other.
    ///
    /// # Errors
    /// As for [`with_key`](Self::with_key).
    pub fn with_key_of(self, id: InstanceId, kid: &str, pem: &str) -> Result<Self, InvalidKey> {
        self.with(kid, pem, Some(id))
    }

    fn with(mut self, kid: &str, pem: &str, only: Option<InstanceId>) -> Result<Self, InvalidKey> {
        if self.keys.iter().any(|key| &*key.kid == kid) {
            return Err(InvalidKey::SameKid(kid.into()));
        }
        self.keys.push(Key {
            kid: kid.into(),
            der: key::read(pem)?,
            only,
        });
        Ok(self)
    }

    /// The same taking expired tokens as this says.
    #[must_use]
    pub const fn with_expiry(mut self, expiry: Expiry) -> Self {
        self.expiry = expiry;
        self
    }

    /// Whether the token is taken, and for which instance alone.
    pub(super) fn verify(
        &self,
        token: &[u8],
        now: Timestamp,
    ) -> Result<Option<&InstanceId>, Rejected> {
        if token.len() > LONGEST {
            return Err(Rejected::Wrong);
        }
        // A signature takes some fifty times as long to verify as a digest to look up. Only tokens that were verified are in there, so
        // that nobody without a key can fill it.
        let mut id = [0; 32];
        id.copy_from_slice(digest(&SHA256, token).as_ref());
        let known = self.lock().get(&id).copied();
        let verified = match known {
            Some(known) => known,
            None => self.check(token, now).ok_or(Rejected::Wrong)?,
        };
        if !self.expiry.allows(verified.ends_at, now) {
            self.lock().remove(&id);
            return Err(Rejected::Expired);
        }
        if known.is_none() {
            self.remember(id, verified, now);
        }
        let key = self.keys.get(verified.key).ok_or(Rejected::Wrong)?;
        Ok(key.only.as_ref())
    }

    /// What it says, where all but its end is in order.
    fn check(&self, token: &[u8], now: Timestamp) -> Option<Verified> {
        let token = std::str::from_utf8(token).ok()?;
        let (signed, signature) = token.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        let header: Header = part(header)?;
        if header.alg != "RS256" || header.crit.is_some() {
            return None;
        }
        let key = self.keys.iter().position(|key| *key.kid == header.kid)?;
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &self.keys.get(key)?.der)
            .verify(signed.as_bytes(), &signature)
            .ok()?;

        let claims: Claims = part(claims)?;
        let ends_at = instant(claims.exp)?;
        let begins_at = match claims.nbf {
            Some(begins_at) => instant(begins_at)?,
            None => now,
        };
        let is_ours = *claims.iss == *self.issuer && claims.aud.holds(&self.audience);
        (is_ours && begins_at.since(now) <= LEEWAY).then_some(Verified { key, ends_at })
    }

    fn remember(&self, id: [u8; 32], verified: Verified, now: Timestamp) {
        let mut all = self.lock();
        if all.len() >= REMEMBERED {
            all.retain(|_, one| self.expiry.allows(one.ends_at, now));
            if all.len() >= REMEMBERED {
                // They are verified once more.
                all.clear();
            }
        }
        all.insert(id, verified);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<[u8; 32], Verified>> {
        // What a panicking thread left is whole: an entry is there or it is not.
        self.verified.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Jwt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kids: Vec<_> = self.keys.iter().map(|key| &key.kid).collect();
        f.debug_struct("Jwt")
            .field("issuer", &self.issuer)
            .field("audience", &self.audience)
            .field("kids", &kids)
            .field("expiry", &self.expiry)
            .finish_non_exhaustive()
    }
}

fn part<T: for<'de> Deserialize<'de>>(text: &str) -> Option<T> {
    let json = URL_SAFE_NO_PAD.decode(text).ok()?;
    // A list of the same values would do for serde.
    let is_object = json.starts_with(b"{");
    is_object.then(|| serde_json::from_slice(&json).ok())?
}

/// Seconds since 1970, as they are in a token.
fn instant(seconds: f64) -> Option<Timestamp> {
    let since = Duration::try_from_secs_f64(seconds).ok()?;
    Some(Timestamp::from_secs(0) + since)
}

#[cfg(test)]
#[path = "jwt_tests.rs"]
mod tests;
