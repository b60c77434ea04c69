use std::{fmt, net::IpAddr, str::FromStr};

use reqwest::Url;

/// The address of an API: `http://host:port`, perhaps with a path prefix. Holds no credentials, no query and no fragment.
///
/// `https` needs the crate feature `rustls` or `native-tls`.
///
/// ```
/// use jibri_scaler_http::addresses::BaseUrl;
///
/// let base: BaseUrl = "http://10.0.0.7:2222/".parse()?;
/// assert_eq!(base.as_str(), "http://10.0.0.7:2222");
/// assert!("10.0.0.7:2222".parse::<BaseUrl>().is_err(), "the scheme is missing");
/// # Ok::<(), jibri_scaler_http::addresses::InvalidUrl>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseUrl {
    text: String,
    host: Host,
    port: u16,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Host {
    Name(String),
    Ip(IpAddr),
}

impl BaseUrl {
    /// The address as text, without a slash at its end.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The address of something below this one; `path` begins with a slash.
    pub(crate) fn join(&self, path: &str) -> String {
        format!("{}{path}", self.text)
    }

    pub(crate) const fn host(&self) -> &Host {
        &self.host
    }

    pub(crate) const fn port(&self) -> u16 {
        self.port
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for BaseUrl {
    type Err = InvalidUrl;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = |why: &str| InvalidUrl {
            url: without_credentials(text),
            why: why.into(),
        };
        let Ok(url) = Url::parse(text) else {
            return Err(wrong("it does not begin with `http://` and a host"));
        };
        match url.scheme() {
            "http" => {}
            "https" if cfg!(any(feature = "rustls", feature = "native-tls")) => {}
            "https" => {
                return Err(wrong(
                    "`https` needs the feature `rustls` or `native-tls` of jibri-scaler-http",
                ));
            }
            // `localhost:2222` is a URL whose scheme is `localhost`.
            _ => return Err(wrong("it does not begin with `http://`")),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(wrong("it holds credentials, which Jibri does not know"));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(wrong(
                "it has a query or a fragment; only a path may follow",
            ));
        }
        let Some(host) = url.host_str() else {
            return Err(wrong("it has no host"));
        };
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let host = bare
            .parse()
            .map_or_else(|_| Host::Name(host.into()), Host::Ip);
        Ok(Self {
            text: url.as_str().trim_end_matches('/').into(),
            host,
            port: url.port_or_known_default().unwrap_or(80),
        })
    }
}

/// A text that is not the address of an API.
///
/// ```
/// use jibri_scaler_http::addresses::BaseUrl;
///
/// let error = "jibri:2222".parse::<BaseUrl>().unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "`jibri:2222` is not the address of an API: it does not begin with `http://`; write it like `http://10.0.0.7:2222`",
/// );
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{url}` is not the address of an API: {why}; write it like `http://10.0.0.7:2222`")]
pub struct InvalidUrl {
    url: String,
    why: String,
}

impl InvalidUrl {
    #[cfg(feature = "toml")]
    pub(crate) fn why(&self) -> &str {
        &self.why
    }
}

/// An error message must not repeat a password.
fn without_credentials(text: &str) -> String {
    match (text.find("://"), text.rfind('@')) {
        (Some(scheme), Some(at)) if scheme < at => {
            format!("{}…{}", &text[..scheme + 3], &text[at..])
        }
        _ => text.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_kept_as_they_are_meant() {
        let cases = [
            ("http://h", "http://h", 80),
            ("http://h:2222", "http://h:2222", 2222),
            ("http://h:2222/", "http://h:2222", 2222),
            ("http://h/pre/fix/", "http://h/pre/fix", 80),
            ("HTTP://H:2222", "http://h:2222", 2222),
            ("http://[::1]:3333", "http://[::1]:3333", 3333),
        ];
        for (text, kept, port) in cases {
            let base: BaseUrl = text.parse().unwrap();
            assert_eq!((base.as_str(), base.port()), (kept, port), "{text}");
        }
        let base: BaseUrl = "http://[::1]:3333".parse().unwrap();
        assert_eq!(*base.host(), Host::Ip("::1".parse().unwrap()));
    }

    #[test]
    fn what_is_no_address_is_refused_with_the_reason() {
        let cases = [
            ("", "begin"),
            ("h", "begin"),
            ("h:2222", "begin"),
            ("//h:2222", "begin"),
            ("ftp://h", "begin"),
            ("http://", "begin"),
            ("http://h:99999", "begin"),
            ("http://h?x=1", "query"),
            ("http://h#x", "fragment"),
        ];
        for (text, why) in cases {
            let error = text.parse::<BaseUrl>().unwrap_err().to_string();
            assert!(error.contains(why), "{text}: {error}");
        }
    }

    #[test]
    fn a_password_is_refused_and_not_repeated() {
        let error = "http://me:secret@h:2222".parse::<BaseUrl>().unwrap_err();
        assert!(error.to_string().contains("credentials"), "{error}");
        assert!(!error.to_string().contains("secret"), "{error}");
    }

    #[cfg(not(any(feature = "rustls", feature = "native-tls")))]
    #[test]
    fn https_without_tls_is_refused_with_the_remedy() {
        let error = "https://h".parse::<BaseUrl>().unwrap_err().to_string();
        assert!(error.contains("feature `rustls`"), "{error}");
    }
}
