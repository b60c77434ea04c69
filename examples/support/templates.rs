//! Addresses of Jibris by templates on the command line.

use std::error::Error;

use jibri_scaler_http::Addresses;

/// Where health is read, and where an instance is told to end. Without EC2 nobody knows private addresses, so that none is waited for in vain.
pub(crate) fn addresses(health: &str, internal: &str) -> Result<Addresses, Box<dyn Error>> {
    with_private(health, internal, cfg!(feature = "ec2"))
}

fn with_private(health: &str, internal: &str, known: bool) -> Result<Addresses, Box<dyn Error>> {
    if !known
        && [health, internal]
            .iter()
            .any(|url| url.contains("{private_ip}"))
    {
        return Err(
            "only EC2 knows what `{private_ip}` is, and this was built without it: build it with `--features ec2`, or name the instances \
             otherwise, as with `{instance_id}`"
                .into(),
        );
    }
    Ok(Addresses::from_templates(health, internal)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_addresses_need_ec2() {
        let urls = |host: &str, known| {
            let urls = with_private(
                &format!("http://{host}:2222"),
                "http://{instance_id}:3333",
                known,
            );
            urls.map_err(|error| error.to_string())
        };
        assert!(urls("{private_ip}", true).is_ok());
        let error = urls("{private_ip}", false).unwrap_err();
        assert!(error.contains("--features ec2"), "{error}");
        assert!(urls("{instance_id}", false).is_ok());
        assert!(urls("{instance}", true).is_err());
    }
}
