//! Jibri's own webhooks on the command line, and the tokens that it signs for them.

use std::{path::PathBuf, time::Duration};

use clap::Args;
use jibri_scaler_http::receiver::{Expiry, Jwt};

/// `jibri.jwt-info` of the Jibris whose webhooks are taken.
#[derive(Debug, Args)]
#[expect(
    clippy::struct_field_names,
    reason = "they are the names of the options"
)]
pub(crate) struct Webhooks {
    /// Take in Jibri's own webhooks too, where reports are pushed to, signed with the private key of this public one (PEM). With
    /// `jibri.id` the id of the instance. They make the next tick come at once.
    #[arg(long, requires = "webhook_kid")]
    webhook_key: Option<PathBuf>,
    /// `kid` of `jibri.jwt-info`.
    #[arg(long, requires = "webhook_key")]
    webhook_kid: Option<String>,
    /// `issuer` of `jibri.jwt-info`.
    #[arg(long, requires = "webhook_key", default_value = "jibri")]
    webhook_issuer: String,
    /// `audience` of `jibri.jwt-info`.
    #[arg(long, requires = "webhook_key", default_value = "jibri-scaler")]
    webhook_audience: String,
    /// How long after its end a token of a webhook is taken, such as 12h. A Jibri from November 2024 on shows the one of its start for
    /// ever.
    #[arg(long, value_parser = span, requires = "webhook_key")]
    webhook_expired: Option<Duration>,
}

impl Webhooks {
    /// What is asked of the tokens of webhooks, where they are taken.
    pub(crate) fn jwt(&self) -> Result<Option<Jwt>, String> {
        let (Some(path), Some(kid)) = (&self.webhook_key, &self.webhook_kid) else {
            return Ok(None);
        };
        let wrong =
            |error: &dyn std::fmt::Display| format!("webhook key {}: {error}", path.display());
        let pem = std::fs::read_to_string(path)
            .map_err(|error| wrong(&format_args!("could not be read: {error}")))?;
        let expiry = self
            .webhook_expired
            .map_or(Expiry::Enforced, Expiry::Within);
        let jwt = Jwt::new(&self.webhook_issuer, &self.webhook_audience).with_key(kid, &pem);
        Ok(Some(
            jwt.map_err(|error| wrong(&error))?.with_expiry(expiry),
        ))
    }
}

fn span(text: &str) -> Result<Duration, String> {
    let span: Option<jiff::SignedDuration> = text.parse().ok();
    span.and_then(|span| Duration::try_from(span).ok())
        .ok_or_else(|| format!("`{text}` is not a span: write it like 12h"))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Arguments {
        #[command(flatten)]
        webhooks: Webhooks,
    }

    fn parse(more: &str) -> Result<Webhooks, String> {
        let words = format!("test {more}");
        let arguments = Arguments::try_parse_from(words.split_whitespace());
        arguments
            .map(|arguments| arguments.webhooks)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn they_need_a_readable_key_and_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path.display().to_string()
        };
        assert!(parse("").unwrap().jwt().unwrap().is_none());
        let key = file("key", jibri_scaler_http::fake::Jwt::PUBLIC_KEY);
        let webhooks = format!("--webhook-key {key} --webhook-kid jitsi/jibri");
        for (more, expected) in [
            ("", "Enforced"),
            ("--webhook-expired 12h", "Within(43200s)"),
            ("--webhook-issuer a --webhook-audience b", "issuer: \"a\""),
        ] {
            let jwt = parse(&format!("{webhooks} {more}")).unwrap().jwt();
            let jwt = format!("{:?}", jwt.unwrap().unwrap());
            assert!(
                jwt.contains(expected) && jwt.contains("jitsi/jibri"),
                "{jwt}"
            );
        }
        for (path, why) in [
            (file("token", "no key"), "openssl"),
            (format!("{key}.not"), "could not be read"),
        ] {
            let wrong = parse(&format!("--webhook-key {path} --webhook-kid a")).unwrap();
            let error = wrong.jwt().unwrap_err();
            assert!(
                error.contains(&format!("webhook key {path}")) && error.contains(why),
                "{error}"
            );
        }
        for bad in [
            &format!("--webhook-key {key}"),
            "--webhook-kid a",
            "--webhook-issuer a",
            "--webhook-audience a",
            "--webhook-expired 1h",
            &format!("{webhooks} --webhook-expired soon"),
            &format!("{webhooks} --webhook-expired=-1h"),
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
