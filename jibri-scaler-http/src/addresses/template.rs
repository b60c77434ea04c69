use std::net::IpAddr;

use jibri_scaler_core::port::Target;

use super::{BaseUrl, InvalidUrl, NoAddress};

const INSTANCE_ID: &str = "{instance_id}";
const PRIVATE_IP: &str = "{private_ip}";

/// A [`BaseUrl`] with placeholders. It is checked when it is made.
#[derive(Clone, Debug)]
pub(super) struct Template(String);

/// A template that does not give the address of an API.
///
/// ```
/// use jibri_scaler_http::Addresses;
///
/// let error = Addresses::from_templates("http://{host}:2222", "http://{private_ip}:3333").unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "the address template `http://{host}:2222` has the unknown placeholder `{host}`: \
///      use `{instance_id}` or `{private_ip}`",
/// );
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidTemplate {
    /// It has a placeholder that is not known here.
    #[error(
        "the address template `{template}` has the unknown placeholder `{placeholder}`: \
         use `{INSTANCE_ID}` or `{PRIVATE_IP}`"
    )]
    #[non_exhaustive]
    Placeholder {
        /// The template as it was given.
        template: String,
        /// The placeholder, with its braces.
        placeholder: String,
    },
    /// It has no placeholder, so that all instances would have one address.
    #[error(
        "the address template `{template}` gives every instance the same address: \
         put `{INSTANCE_ID}` or `{PRIVATE_IP}` into it, or use an address map"
    )]
    #[non_exhaustive]
    Constant {
        /// The template as it was given.
        template: String,
    },
    /// What it gives is not an address.
    #[error("the address template gives no address")]
    Url(#[source] InvalidUrl),
}

impl Template {
    pub(super) fn new(template: &str) -> Result<Self, InvalidTemplate> {
        let mut rest = template;
        let mut placeholders = 0;
        while let Some(at) = rest.find(['{', '}']) {
            let tail = &rest[at..];
            let Some(known) = [INSTANCE_ID, PRIVATE_IP]
                .into_iter()
                .find(|known| tail.starts_with(known))
            else {
                let end = tail.find('}').map_or(tail.len(), |end| end + 1);
                return Err(InvalidTemplate::Placeholder {
                    template: template.into(),
                    placeholder: tail[..end].into(),
                });
            };
            placeholders += 1;
            rest = &tail[known.len()..];
        }
        let sample = template
            .replace(INSTANCE_ID, "i-0abc")
            .replace(PRIVATE_IP, "10.0.0.7");
        sample.parse::<BaseUrl>().map_err(InvalidTemplate::Url)?;
        if placeholders == 0 {
            return Err(InvalidTemplate::Constant {
                template: template.into(),
            });
        }
        Ok(Self(template.into()))
    }

    pub(super) fn fill_in(&self, target: &Target) -> Result<BaseUrl, NoAddress> {
        let mut text = self.0.clone();
        if text.contains(INSTANCE_ID) {
            let id = target.id.as_str();
            // Anything else could lead to another host than the template means.
            let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
            if !id.chars().all(is_plain) {
                return Err(NoAddress::new(format!(
                    "instance id `{id}` cannot be put into an address template"
                )));
            }
            text = text.replace(INSTANCE_ID, id);
        }
        if text.contains(PRIVATE_IP) {
            let ip = match target.private_ip {
                Some(IpAddr::V4(ip)) => ip.to_string(),
                Some(IpAddr::V6(ip)) => format!("[{ip}]"),
                None => {
                    return Err(NoAddress::new(format!(
                        "the private address of instance `{}` is not known, and the template has `{PRIVATE_IP}`",
                        target.id
                    )));
                }
            };
            text = text.replace(PRIVATE_IP, &ip);
        }
        text.parse()
            .map_err(|error: InvalidUrl| NoAddress::new(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(id: &str, ip: Option<&str>) -> Target {
        let mut target = Target::new(id.parse().unwrap());
        target.private_ip = ip.map(|ip| ip.parse().unwrap());
        target
    }

    #[test]
    fn both_placeholders_are_filled_in() {
        let template = Template::new("http://{private_ip}:2222/{instance_id}").unwrap();
        let filled = template
            .fill_in(&target("i-0abc", Some("10.0.0.7")))
            .unwrap();
        assert_eq!(filled.as_str(), "http://10.0.0.7:2222/i-0abc");
        let filled = template
            .fill_in(&target("i-0abc", Some("fd00::7")))
            .unwrap();
        assert_eq!(filled.as_str(), "http://[fd00::7]:2222/i-0abc");
    }

    #[test]
    fn what_cannot_be_filled_in_is_no_address() {
        let with_ip = Template::new("http://{private_ip}:2222").unwrap();
        let error = with_ip.fill_in(&target("i-0abc", None)).unwrap_err();
        assert!(error.to_string().contains("private address"), "{error}");

        let by_id = Template::new("http://{instance_id}.example:2222").unwrap();
        for id in ["evil.example/", "a@b", "a b", "a:1", "{private_ip}"] {
            assert!(
                by_id.fill_in(&target(id, Some("10.0.0.7"))).is_err(),
                "{id}"
            );
        }
    }

    #[test]
    fn wrong_templates_are_refused() {
        let placeholder = |text: &str| match Template::new(text).unwrap_err() {
            InvalidTemplate::Placeholder { placeholder, .. } => placeholder,
            other => panic!("{other:?}"),
        };
        assert_eq!(placeholder("http://{instance}:2222"), "{instance}");
        assert_eq!(placeholder("http://{}:2222"), "{}");
        assert_eq!(placeholder("http://{private_ip"), "{private_ip");
        assert_eq!(placeholder("http://{instance_id}}"), "}");
        for text in [
            "{instance_id}:2222",
            "{private_ip}",
            "ftp://{private_ip}",
            "",
        ] {
            let error = Template::new(text).unwrap_err();
            assert!(matches!(error, InvalidTemplate::Url(_)), "{text}: {error}");
        }
        assert!(matches!(
            Template::new("http://10.0.0.7:2222").unwrap_err(),
            InvalidTemplate::Constant { .. }
        ));
    }
}
