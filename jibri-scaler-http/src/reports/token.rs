use std::{fmt, str::FromStr};

/// The bearer token by which a controller knows its agents. `Debug` does not print it.
///
/// ```
/// use jibri_scaler_http::reports::Token;
///
/// let token: Token = "0f8c1d7a5b9e4c2f".parse()?;
/// assert_eq!(format!("{token:?}"), "Token(..)");
/// assert!("short".parse::<Token>().is_err());
/// # Ok::<(), jibri_scaler_http::reports::InvalidToken>(())
/// ```
#[derive(Clone)]
pub struct Token(Box<str>);

impl Token {
    /// The value of the `Authorization` header.
    pub(crate) fn header(&self) -> String {
        format!("Bearer {}", self.0)
    }

    /// Whether this is the token. How long it takes tells nothing but the length.
    #[cfg(feature = "receiver")]
    pub(crate) fn is(&self, given: &[u8]) -> bool {
        bool::from(subtle::ConstantTimeEq::ct_eq(given, self.0.as_bytes()))
    }

    /// The token itself, for whoever hands it out to the agent that is to have it: keep it out of logs.
    ///
    /// ```
    /// use jibri_scaler_http::reports::Token;
    ///
    /// let token: Token = "0f8c1d7a5b9e4c2f\n".parse()?;
    /// assert_eq!(token.expose_secret(), "0f8c1d7a5b9e4c2f");
    /// # Ok::<(), jibri_scaler_http::reports::InvalidToken>(())
    /// ```
    #[must_use]
    pub const fn expose_secret(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

impl FromStr for Token {
    type Err = InvalidToken;

    /// Takes 16 to 1024 visible ASCII characters. White space around them, as at the end of a file, is left out.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        if (16..=1024).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic()) {
            Ok(Self(text.into()))
        } else {
            Err(InvalidToken)
        }
    }
}

/// A text that cannot be a bearer token.
///
/// ```
/// use jibri_scaler_http::reports::Token;
///
/// let error = "two words, and more".parse::<Token>().unwrap_err();
/// assert!(error.to_string().contains("16 to 1024"));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a bearer token has 16 to 1024 visible ASCII characters without a space: make one with `openssl rand -hex 32`"
)]
#[non_exhaustive]
pub struct InvalidToken;

#[cfg(all(test, feature = "receiver"))]
mod tests {
    use super::*;

    #[test]
    fn only_the_token_itself_is_taken() {
        let token: Token = "0123456789abcdef\n".parse().unwrap();
        assert!(token.is(b"0123456789abcdef"));
        for wrong in [
            "",
            "0123456789abcde",
            "0123456789abcdeg",
            "0123456789abcdef0",
            "0123456789ABCDEF",
        ] {
            assert!(!token.is(wrong.as_bytes()), "{wrong}");
        }
    }
}
