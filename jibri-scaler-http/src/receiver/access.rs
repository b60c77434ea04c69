use std::fmt;

use http::{HeaderMap, header::AUTHORIZATION};
use jibri_scaler_core::{InstanceId, Timestamp};
use ring::hmac;

use super::jwt::{Jwt, Rejected};
use crate::reports::{InvalidToken, Token};

/// Who may push, and about which instances. Nobody, unless told otherwise.
///
/// | by | speaks as | about |
/// |---|---|---|
/// | a [`Token`] for all | agent or Jibri | each listed instance: it must not leave instances and controller |
/// | a token of [`TokenSecret`] | agent or Jibri | the instance it was made for, and no other |
/// | a [`Jwt`] by a key for all | Jibri | each listed instance |
/// | a [`Jwt`] by a key of one instance | Jibri | that instance, and no other |
///
/// Only what speaks as an agent is taken for the report of one, through which an instance may be retired.
///
/// ```
/// use jibri_scaler_http::receiver::{Access, TokenSecret};
///
/// let secret: TokenSecret = "a secret of at least 32 characters, from a file".parse()?;
/// let token = secret.token_of(&"i-0abc".parse()?)?;
/// let access = Access::default().with_token_secret(secret);
/// // `token` goes to the agent on i-0abc, and is taken for reports of i-0abc alone.
/// # let _ = (access, token);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Default)]
pub struct Access {
    tokens: Vec<Token>,
    secrets: Vec<TokenSecret>,
    jwt: Option<Jwt>,
}

impl Access {
    /// The same letting in whoever has this token, for each listed instance. More than one is taken, so that they can be changed.
    #[must_use]
    pub fn with_token(mut self, token: Token) -> Self {
        self.tokens.push(token);
        self
    }

    /// The same letting in whoever has a token made of this secret, for the instance it was made for. More than one is taken.
    #[must_use]
    pub fn with_token_secret(mut self, secret: TokenSecret) -> Self {
        self.secrets.push(secret);
        self
    }

    /// The same letting in the tokens that Jibris sign.
    #[must_use]
    pub fn with_jwt(mut self, jwt: Jwt) -> Self {
        self.jwt = Some(jwt);
        self
    }

    /// What the sender of these headers may do.
    pub(super) fn admit(&self, headers: &HeaderMap, now: Timestamp) -> Result<Grant, Rejected> {
        let mut values = headers.get_all(AUTHORIZATION).iter();
        let (Some(value), None) = (values.next(), values.next()) else {
            return Err(Rejected::Wrong);
        };
        let token = bearer(value.as_bytes()).ok_or(Rejected::Wrong)?;
        // All of them are compared, so that the time does not tell which one was nearly it.
        let is_shared = self
            .tokens
            .iter()
            .fold(false, |found, one| found | one.is(token));
        if is_shared {
            return Ok(Grant {
                role: Role::Agent,
                only: None,
            });
        }
        if let Some(id) = self.secrets.iter().find_map(|secret| secret.owner(token)) {
            return Ok(Grant {
                role: Role::Agent,
                only: Some(id),
            });
        }
        let jwt = self.jwt.as_ref().ok_or(Rejected::Wrong)?;
        Ok(Grant {
            role: Role::Jibri,
            only: jwt.verify(token, now)?.cloned(),
        })
    }
}

/// What a sender may do.
#[derive(Debug)]
pub(super) struct Grant {
    pub(super) role: Role,
    /// The one instance that it may speak of; absent, each.
    pub(super) only: Option<InstanceId>,
}

/// As what a sender may speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// As the agent beside a Jibri, and as that Jibri.
    Agent,
    /// As a Jibri alone.
    Jibri,
}

/// The token in the value of an `Authorization` header.
fn bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = value.split_at_checked(7)?;
    let token = token.trim_ascii();
    (scheme.eq_ignore_ascii_case(b"Bearer ") && !token.is_empty()).then_some(token)
}

/// A secret of which each instance gets a token of its own, without a list of them: the id, a dot, and HMAC-SHA256 of the id in hex.
///
/// The secret stays with the controller and with whatever hands the tokens out, such as a function at the LAUNCHING hook.
/// In Python it is `hmac.new(secret, id, "sha256").hexdigest()`. `Debug` does not print it.
///
/// ```
/// use jibri_scaler_http::receiver::TokenSecret;
///
/// let secret: TokenSecret = "a secret of at least 32 characters, from a file".parse()?;
/// assert_eq!(format!("{secret:?}"), "TokenSecret(..)");
/// assert!("too short".parse::<TokenSecret>().is_err());
/// # Ok::<(), jibri_scaler_http::receiver::InvalidSecret>(())
/// ```
#[derive(Clone)]
pub struct TokenSecret(hmac::Key);

impl TokenSecret {
    /// The token of this instance.
    ///
    /// # Errors
    /// Where the id cannot be part of a token: it has others than visible ASCII characters, or more than 900.
    pub fn token_of(&self, id: &InstanceId) -> Result<Token, InvalidToken> {
        use std::fmt::Write as _;

        let mut token = format!("{id}.");
        for byte in hmac::sign(&self.0, id.as_str().as_bytes()).as_ref() {
            // Writing to a text does not fail.
            let _ = write!(token, "{byte:02x}");
        }
        let parsed: Token = token.parse()?;
        // White space around it is cut off, and would make it that of another id.
        if parsed.expose_secret() == token {
            Ok(parsed)
        } else {
            Err(InvalidToken)
        }
    }

    /// Whose token this is; `None` where it was not made of this secret.
    fn owner(&self, token: &[u8]) -> Option<InstanceId> {
        let token = std::str::from_utf8(token).ok()?;
        let (id, mac) = token.rsplit_once('.')?;
        let mac = from_hex(mac)?;
        hmac::verify(&self.0, id.as_bytes(), &mac).ok()?;
        id.parse().ok()
    }
}

impl fmt::Debug for TokenSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenSecret(..)")
    }
}

impl std::str::FromStr for TokenSecret {
    type Err = InvalidSecret;

    /// Takes at least 32 bytes. White space around them, as at the end of a file, is left out.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        if text.len() < 32 {
            return Err(InvalidSecret);
        }
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, text.as_bytes())))
    }
}

/// A text that is too short for a secret.
///
/// ```
/// use jibri_scaler_http::receiver::TokenSecret;
///
/// let error = "short".parse::<TokenSecret>().unwrap_err();
/// assert!(error.to_string().contains("openssl rand -hex 32"));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a secret for tokens has at least 32 bytes: make one with `openssl rand -hex 32`")]
#[non_exhaustive]
pub struct InvalidSecret;

fn from_hex(text: &str) -> Option<[u8; 32]> {
    let digits = text.as_bytes();
    if digits.len() != 64 {
        return None;
    }
    let mut bytes = [0; 32];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        for digit in pair {
            // Lower case alone, so that an instance has one token.
            let value = match digit {
                b'0'..=b'9' => digit - b'0',
                b'a'..=b'f' => digit - b'a' + 10,
                _ => return None,
            };
            *byte = *byte << 4 | value;
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(0);

    fn secret() -> TokenSecret {
        "0123456789abcdef0123456789abcdef".parse().unwrap()
    }

    fn admit(access: &Access, values: &[&str]) -> Result<Option<String>, Rejected> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(AUTHORIZATION, value.parse().unwrap());
        }
        let grant = access.admit(&headers, NOW)?;
        assert_eq!(grant.role, Role::Agent);
        Ok(grant.only.map(|id| id.to_string()))
    }

    #[test]
    fn a_shared_token_is_taken_as_it_is_and_in_no_other_way() {
        let token = |text: &str| text.parse::<Token>().unwrap();
        let access = Access::default()
            .with_token(token("0123456789abcdef"))
            .with_token(token("the-next-token-of-all"));
        for value in [
            "Bearer 0123456789abcdef",
            "bearer  0123456789abcdef ",
            "Bearer the-next-token-of-all",
        ] {
            assert_eq!(admit(&access, &[value]), Ok(None), "{value}");
        }
        let good = "Bearer 0123456789abcdef";
        for wrong in [
            &[][..],
            &[""],
            &["Bearer"],
            &["Bearer "],
            &["Bearer 0123456789abcde"],
            &["Bearer 0123456789abcdeg"],
            &["Bearer 0123456789abcdef0"],
            &["Basic 0123456789abcdef"],
            &["0123456789abcdef"],
            &[good, good],
            &["Bearer x", good],
        ] {
            assert_eq!(admit(&access, wrong), Err(Rejected::Wrong), "{wrong:?}");
        }
        assert_eq!(admit(&Access::default(), &[good]), Err(Rejected::Wrong));
    }

    #[test]
    fn a_token_of_an_instance_says_which_one() {
        let access = Access::default().with_token_secret(secret());
        for id in ["i-0abc", "i.with.dots", "x"] {
            let token = secret().token_of(&id.parse().unwrap()).unwrap();
            let value = token.header();
            assert_eq!(admit(&access, &[&value]), Ok(Some(id.to_owned())));
            // The first characters are the id, the last ones the proof.
            let other_id = value.replacen("Bearer ", "Bearer z", 1);
            let upper = value.to_uppercase();
            let short = &value[..value.len() - 1];
            let without_id = value.replacen(id, "", 1);
            for wrong in [&*other_id, &*upper, short, &*without_id, "Bearer i-0abc."] {
                assert_eq!(admit(&access, &[wrong]), Err(Rejected::Wrong), "{wrong}");
            }
            let another: TokenSecret = "another secret of thirty-two bytes".parse().unwrap();
            let another = Access::default().with_token_secret(another);
            assert_eq!(admit(&another, &[&value]), Err(Rejected::Wrong));
        }
    }

    #[test]
    fn the_token_of_an_instance_is_what_openssl_makes() {
        // printf %s i-0abc | openssl dgst -sha256 -hmac 0123456789abcdef0123456789abcdef
        let token = secret().token_of(&"i-0abc".parse().unwrap()).unwrap();
        let mac = "540d28a2c38c5bf190d4028bab2744446779d7bd9cf0e7e4b1979c361ce8f85c";
        assert_eq!(token.expose_secret(), format!("i-0abc.{mac}"));
    }

    #[test]
    fn an_id_that_is_no_part_of_a_token_gets_none() {
        for id in ["i 1", " i-1", "i-\u{e4}", "i-1\n", &"i".repeat(1000)] {
            assert!(secret().token_of(&id.parse().unwrap()).is_err(), "{id:?}");
        }
    }
}
