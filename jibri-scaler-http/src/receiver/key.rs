use spki::{
    ObjectIdentifier, SubjectPublicKeyInfoRef,
    der::{AnyRef, Decode as _, Document, asn1::UintRef},
};

/// `rsaEncryption` ([RFC 8017](https://www.rfc-editor.org/rfc/rfc8017#appendix-C)).
const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");

/// A text that is no key for the tokens of webhooks.
///
/// ```
/// use jibri_scaler_http::receiver::Jwt;
///
/// let error = Jwt::new("jibri", "jibri-scaler").with_key("a", "ssh-rsa AAAA").unwrap_err();
/// assert!(error.to_string().contains("openssl rsa -in key.pem -pubout"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidKey {
    /// It is no public key of RSA in PEM.
    #[error(
        "it is no public key of RSA in PEM ({0}): make it from the private key that Jibri has with \
         `openssl rsa -in key.pem -pubout`"
    )]
    Unreadable(Box<str>),
    /// It has so many bits.
    #[error("a key of {0} bits is not taken: make one of 2048 to 8192")]
    Size(usize),
    /// This `kid` has a key.
    #[error("the kid `{0}` has two keys: give each its own")]
    SameKid(Box<str>),
}

/// Reads a public key of RSA from PEM; gives it in PKCS#1.
pub(super) fn read(pem: &str) -> Result<Vec<u8>, InvalidKey> {
    let unreadable = |why: &dyn std::fmt::Display| InvalidKey::Unreadable(why.to_string().into());
    let (label, document) = Document::from_pem(pem.trim()).map_err(|error| unreadable(&error))?;
    let key = match label {
        "RSA PUBLIC KEY" => document.as_bytes().to_vec(),
        "PUBLIC KEY" => {
            let info = SubjectPublicKeyInfoRef::try_from(document.as_bytes())
                .map_err(|error| unreadable(&error))?;
            if info.algorithm.oid != RSA {
                return Err(unreadable(&"it is of another algorithm"));
            }
            let key = info.subject_public_key.as_bytes();
            key.ok_or_else(|| unreadable(&"it ends within a byte"))?
                .to_vec()
        }
        other => return Err(unreadable(&format_args!("it is a {other}"))),
    };
    let bits = modulus_bits(&key).map_err(|error| unreadable(&error))?;
    if (2048..=8192).contains(&bits) {
        Ok(key)
    } else {
        Err(InvalidKey::Size(bits))
    }
}

fn modulus_bits(key: &[u8]) -> spki::der::Result<usize> {
    AnyRef::from_der(key)?.sequence(|reader| {
        let modulus = UintRef::decode(reader)?;
        let _exponent = UintRef::decode(reader)?;
        let bytes = modulus.as_bytes();
        let leading = bytes
            .first()
            .map_or(0, |byte| byte.leading_zeros() as usize);
        Ok(bytes.len() * 8 - leading)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const EC: &str = "-----BEGIN PUBLIC KEY-----\n\
        MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEEVs/o5+uQbTjL3chynL4wXgUg2R9\n\
        q9UU8I5mEovUf86QZ7kOBIjJwqnzD1omageEHWwHdBO6B+dFabmdT9POxg==\n\
        -----END PUBLIC KEY-----\n";

    #[cfg(feature = "fake")]
    #[test]
    fn a_key_is_read_in_both_forms() {
        use base64::{Engine as _, engine::general_purpose::STANDARD};

        let pem = crate::fake::Jwt::PUBLIC_KEY;
        let key = read(pem).unwrap();
        let text = STANDARD.encode(&key);
        let lines: Vec<_> = text
            .as_bytes()
            .chunks(64)
            .map(String::from_utf8_lossy)
            .collect();
        let bare = format!(
            "-----BEGIN RSA PUBLIC KEY-----\n{}\n-----END RSA PUBLIC KEY-----\n",
            lines.join("\n")
        );
        assert_eq!(read(&bare).unwrap(), key);
        assert_eq!(read(&pem.replace('\n', "\r\n")).unwrap(), key);
        let cut = pem.replace("AQAB", "");
        assert!(matches!(read(&cut), Err(InvalidKey::Unreadable(_))));
    }

    #[test]
    fn other_things_are_no_keys() {
        let private = EC.replace("PUBLIC", "PRIVATE");
        for (text, why) in [
            ("", "PEM"),
            ("ssh-rsa AAAA", "PEM"),
            (EC, "another algorithm"),
            (&private, "it is a PRIVATE KEY"),
        ] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
    }

    #[test]
    fn a_short_key_is_refused_with_its_size() {
        // SEQUENCE { INTEGER of 1024 bits, INTEGER 65537 }
        let mut key = vec![0x30, 0x81, 0x89, 0x02, 0x81, 0x81, 0x00];
        key.extend([0xff; 128]);
        key.extend([0x02, 0x03, 0x01, 0x00, 0x01]);
        assert_eq!(modulus_bits(&key), Ok(1024));
        key.push(0);
        assert!(modulus_bits(&key).is_err());
    }
}
