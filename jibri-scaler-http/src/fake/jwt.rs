//! The token that Jibri shows to the receivers of its webhooks.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jibri_scaler_core::Timestamp;
use ring::{
    rand::SystemRandom,
    signature::{RSA_PKCS1_SHA256, RsaKeyPair},
};
use serde_json::{Value, json};

use super::{Profile, Version};

/// Everybody has this key: it shows who sends in tests, and nowhere else.
const SIGNING_KEY: &[u8] = include_bytes!("jwt/signing_key.der");
const SHORTEST_TTL: Duration = Duration::from_secs(600);
const RENEWED_BEFORE_END: Duration = Duration::from_secs(300);

/// `jibri.jwt-info` of a fake: its webhooks then carry a token, signed with RS256 by a key that is part of this crate.
///
/// ```
/// use std::time::Duration;
/// use jibri_scaler_core::Timestamp;
/// use jibri_scaler_http::fake::{FakeJibri, Jwt, Profile, WebhookReceiver};
///
/// let jwt = Jwt::new("jitsi/test", "jibri", "jibri-scaler", Duration::from_secs(3600));
/// let profile = Profile::booted()
///     .with_webhooks(WebhookReceiver::Answers)
///     .with_jwt(Some(jwt));
/// let mut jibri = FakeJibri::new(profile, Timestamp::from_secs(0));
/// let first = jibri.take_webhooks().remove(0);
/// assert!(first.authorization.is_some_and(|value| value.starts_with("Bearer ey")));
/// assert!(Jwt::PUBLIC_KEY.starts_with("-----BEGIN PUBLIC KEY-----"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Jwt {
    /// `kid`, in the header: which key it is.
    pub kid: String,
    /// `iss`: who sends.
    pub issuer: String,
    /// `aud`: for whom.
    pub audience: String,
    /// Whether `aud` is a plain string, as with jjwt before 0.12, and not an array of one. Default `false`.
    pub plain_audience: bool,
    /// How long a token is valid. Less than 10 minutes counts as 10 minutes, as in Jibri.
    pub ttl: Duration,
}

impl Jwt {
    /// The key to verify with, in PEM (SPKI).
    pub const PUBLIC_KEY: &str = include_str!("jwt/public_key.pem");

    /// These settings.
    #[must_use]
    pub fn new(kid: &str, issuer: &str, audience: &str, ttl: Duration) -> Self {
        Self {
            kid: kid.into(),
            issuer: issuer.into(),
            audience: audience.into(),
            plain_audience: false,
            ttl,
        }
    }

    /// Sets [`plain_audience`](Self::plain_audience).
    #[must_use]
    pub const fn with_plain_audience(mut self, plain: bool) -> Self {
        self.plain_audience = plain;
        self
    }

    fn sign(&self, now: Timestamp) -> String {
        let exp = (now + self.ttl()).as_micros().div_euclid(1_000_000);
        let header = json!({ "kid": self.kid, "alg": "RS256" });
        let audience = if self.plain_audience {
            json!(self.audience)
        } else {
            json!([self.audience])
        };
        let claims = json!({ "iss": self.issuer, "aud": audience, "exp": exp });
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(&header), part(&claims));
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature(&signed)))
    }

    fn ttl(&self) -> Duration {
        self.ttl.max(SHORTEST_TTL)
    }
}

fn signature(signed: &str) -> Vec<u8> {
    let key = RsaKeyPair::from_der(SIGNING_KEY).expect("the key of this crate is a good one");
    let mut signature = vec![0; key.public().modulus_len()];
    let random = SystemRandom::new();
    key.sign(
        &RSA_PKCS1_SHA256,
        &random,
        signed.as_bytes(),
        &mut signature,
    )
    .expect("the signature is as long as the modulus");
    signature
}

/// The value of `Authorization`, as a process has it in hand.
#[derive(Debug)]
pub(super) struct Bearer {
    value: String,
    signed_at: Timestamp,
}

impl Bearer {
    pub(super) fn new(profile: &Profile, now: Timestamp) -> Option<Self> {
        let jwt = profile.jwt.as_ref()?;
        (profile.version >= Version::JWT).then(|| Self {
            value: format!("Bearer {}", jwt.sign(now)),
            signed_at: now,
        })
    }

    /// Old versions renewed it before it ended. Since then it is the one of the start of the process, for ever.
    pub(super) fn value(&mut self, profile: &Profile, now: Timestamp) -> String {
        if let Some(jwt) = &profile.jwt
            && profile.version < Version::ONE_TOKEN
            && now.since(self.signed_at) >= jwt.ttl().saturating_sub(RENEWED_BEFORE_END)
            && let Some(renewed) = Self::new(profile, now)
        {
            *self = renewed;
        }
        self.value.clone()
    }
}
