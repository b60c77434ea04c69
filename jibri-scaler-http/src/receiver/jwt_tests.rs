//! Which tokens are taken, made by a signer that signs anything.

use ring::{
    hmac,
    rand::SystemRandom,
    signature::{RSA_PKCS1_SHA256, RSA_PKCS1_SHA512, RSA_PSS_SHA256, RsaEncoding, RsaKeyPair},
};
use serde_json::{Value, json};

use super::*;

const PRIVATE: &[u8] = include_bytes!("../fake/jwt/signing_key.der");
const PUBLIC: &str = include_str!("../fake/jwt/public_key.pem");

fn now() -> Timestamp {
    Timestamp::from_secs(1000)
}

fn jwt() -> Jwt {
    let jwt = Jwt::new("jibri", "scaler").with_key("a", PUBLIC).unwrap();
    let only = "i-own".parse().unwrap();
    jwt.with_key_of(only, "own", PUBLIC).unwrap()
}

fn header() -> Value {
    json!({ "kid": "a", "alg": "RS256" })
}

fn claims() -> Value {
    json!({ "iss": "jibri", "aud": ["scaler"], "exp": 4600 })
}

fn unsigned(header: &Value, claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}", part(header), part(claims))
}

fn rsa(signed: &str, how: &'static dyn RsaEncoding) -> String {
    let key = RsaKeyPair::from_der(PRIVATE).unwrap();
    let mut signature = vec![0; key.public().modulus_len()];
    let random = SystemRandom::new();
    key.sign(how, &random, signed.as_bytes(), &mut signature)
        .unwrap();
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

fn token(header: &Value, claims: &Value) -> String {
    rsa(&unsigned(header, claims), &RSA_PKCS1_SHA256)
}

/// The value with this member set, or taken away by `null`.
fn with(mut value: Value, member: &str, to: Value) -> Value {
    if to.is_null() {
        value.as_object_mut().unwrap().remove(member);
    } else {
        value[member] = to;
    }
    value
}

fn verify(jwt: &Jwt, token: &str) -> Result<Option<String>, Rejected> {
    let twice = [0, 1].map(|_| {
        let only = jwt.verify(token.as_bytes(), now())?;
        Ok(only.map(ToString::to_string))
    });
    let [first, second] = twice;
    assert_eq!(first, second, "remembered or not: {token}");
    first
}

#[test]
fn what_jibri_signs_is_taken() {
    let jwt = jwt();
    for claims in [
        claims(),
        with(claims(), "aud", json!("scaler")),
        with(claims(), "aud", json!(["other", "scaler"])),
        with(claims(), "exp", json!(4600.5)),
        with(claims(), "nbf", json!(1000)),
        with(claims(), "nbf", json!(1060)),
        with(claims(), "iat", json!(1)),
    ] {
        assert_eq!(
            verify(&jwt, &token(&header(), &claims)),
            Ok(None),
            "{claims}"
        );
    }
    let typed = with(header(), "typ", json!("JWT"));
    assert_eq!(verify(&jwt, &token(&typed, &claims())), Ok(None));
}

#[test]
fn a_key_of_one_instance_is_taken_for_that_one() {
    let own = with(header(), "kid", json!("own"));
    let only = verify(&jwt(), &token(&own, &claims()));
    assert_eq!(only, Ok(Some("i-own".to_owned())));
}

#[test]
fn any_wrong_member_is_a_wrong_token() {
    let jwt = jwt();
    for (member, to) in [
        ("kid", json!(null)),
        ("kid", json!("b")),
        ("kid", json!("")),
        ("kid", json!(7)),
        ("alg", json!(null)),
        ("alg", json!("none")),
        ("alg", json!("None")),
        ("alg", json!("HS256")),
        ("alg", json!("RS512")),
        ("alg", json!("PS256")),
        ("alg", json!("rs256")),
        ("alg", json!(["RS256"])),
        ("crit", json!(["b64"])),
    ] {
        let header = with(header(), member, to);
        let wrong = verify(&jwt, &token(&header, &claims()));
        assert_eq!(wrong, Err(Rejected::Wrong), "{header}");
    }
    for (member, to) in [
        ("iss", json!(null)),
        ("iss", json!("other")),
        ("iss", json!(["jibri"])),
        ("aud", json!(null)),
        ("aud", json!("other")),
        ("aud", json!([])),
        ("aud", json!(["scaler2"])),
        ("aud", json!({ "scaler": 1 })),
        ("exp", json!(null)),
        ("exp", json!("4600")),
        ("exp", json!(-1)),
        ("exp", json!(1e300)),
        ("nbf", json!(1061)),
        ("nbf", json!("now")),
    ] {
        let claims = with(claims(), member, to);
        let wrong = verify(&jwt, &token(&header(), &claims));
        assert_eq!(wrong, Err(Rejected::Wrong), "{claims}");
    }
}

#[test]
fn another_algorithm_is_not_taken_although_its_signature_is_good() {
    let jwt = jwt();
    for (alg, how) in [
        ("RS256", &RSA_PKCS1_SHA512 as &'static dyn RsaEncoding),
        ("RS512", &RSA_PKCS1_SHA512),
        ("PS256", &RSA_PSS_SHA256),
        ("RS256", &RSA_PSS_SHA256),
    ] {
        let header = with(header(), "alg", json!(alg));
        let wrong = rsa(&unsigned(&header, &claims()), how);
        assert_eq!(verify(&jwt, &wrong), Err(Rejected::Wrong), "{alg}");
    }
    // The classic: the public key, which is no secret, taken for one.
    for secret in [PUBLIC.as_bytes(), PUBLIC.trim().as_bytes()] {
        for alg in ["HS256", "RS256"] {
            let signed = unsigned(&with(header(), "alg", json!(alg)), &claims());
            let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
            let mac = hmac::sign(&key, signed.as_bytes());
            let wrong = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(mac));
            assert_eq!(verify(&jwt, &wrong), Err(Rejected::Wrong));
        }
    }
    let list = rsa(
        &unsigned(&json!(["RS256", "a"]), &claims()),
        &RSA_PKCS1_SHA256,
    );
    assert_eq!(verify(&jwt, &list), Err(Rejected::Wrong));
    let none = unsigned(&with(header(), "alg", json!("none")), &claims());
    for wrong in [none.clone(), format!("{none}.")] {
        assert_eq!(verify(&jwt, &wrong), Err(Rejected::Wrong));
    }
}

#[test]
fn what_is_not_as_it_was_signed_is_not_taken() {
    let good = token(&header(), &claims());
    let jwt = jwt();
    assert_eq!(verify(&jwt, &good), Ok(None));
    let parts: Vec<&str> = good.split('.').collect();
    let later = URL_SAFE_NO_PAD.encode(with(claims(), "exp", json!(9_999_999)).to_string());
    for wrong in [
        format!("{}.{later}.{}", parts[0], parts[2]),
        format!("{}.{}", parts[0], parts[2]),
        format!("{good}."),
        format!(".{good}"),
        format!("{good}="),
        format!("{good} "),
        format!("{}.{}.{}.x", parts[0], parts[1], parts[2]),
        format!("{}..{}", parts[0], parts[2]),
        "..".to_owned(),
        "ey".repeat(10_000),
        good.to_uppercase(),
    ] {
        assert_eq!(verify(&jwt, &wrong), Err(Rejected::Wrong), "{wrong}");
    }
    // Each character counts, the last one with the bits that no byte has too.
    for at in 0..good.len() {
        let mut wrong = good.clone().into_bytes();
        wrong[at] = if wrong[at] == b'A' { b'B' } else { b'A' };
        assert_eq!(jwt.verify(&wrong, now()), Err(Rejected::Wrong), "{at}");
    }
}

#[test]
fn expired_tokens_are_taken_as_the_policy_says_remembered_or_not() {
    let good = token(&header(), &claims());
    let hour = Duration::from_secs(3600);
    for (expiry, last) in [
        (Expiry::Enforced, Some(4660)),
        (Expiry::Within(Duration::ZERO), Some(4600)),
        (Expiry::Within(hour), Some(4600 + 3600)),
        (Expiry::Ignored, None),
    ] {
        for is_remembered in [false, true] {
            let jwt = jwt().with_expiry(expiry);
            if is_remembered {
                jwt.verify(good.as_bytes(), now()).unwrap();
            }
            let at = |secs| jwt.verify(good.as_bytes(), Timestamp::from_secs(secs));
            assert_eq!(at(last.unwrap_or(1_000_000_000)), Ok(None));
            if let Some(last) = last {
                assert_eq!(at(last + 1), Err(Rejected::Expired), "{expiry:?}");
                assert_eq!(at(last + 1), Err(Rejected::Expired), "{expiry:?}");
            }
        }
    }
    // Only what is signed well is said to have expired.
    let forged = format!("{}A", &good[..good.len() - 1]);
    let jwt = jwt();
    let wrong = jwt.verify(forged.as_bytes(), Timestamp::from_secs(1_000_000));
    assert_eq!(wrong, Err(Rejected::Wrong));
}

#[test]
fn what_is_remembered_is_bounded_and_only_what_was_verified() {
    let jwt = jwt();
    for forged in ["a.b.c", "x"] {
        assert!(jwt.verify(forged.as_bytes(), now()).is_err());
    }
    assert_eq!(jwt.lock().len(), 0);
    for number in 0..REMEMBERED {
        let mut id = [0; 32];
        id[..8].copy_from_slice(&number.to_le_bytes());
        let ends_at = Timestamp::from_secs(if number < 10 { 4600 } else { 0 });
        jwt.remember(id, Verified { key: 0, ends_at }, now());
    }
    assert_eq!(jwt.lock().len(), REMEMBERED);
    jwt.verify(token(&header(), &claims()).as_bytes(), now())
        .unwrap();
    assert_eq!(jwt.lock().len(), 11, "those that have expired make room");
}

#[test]
fn nothing_of_a_key_is_printed_and_a_kid_has_one() {
    let shown = format!("{:?}", jwt());
    assert!(
        shown.contains("kids: [\"a\", \"own\"]") && shown.len() < 200,
        "{shown}"
    );
    let twice = jwt().with_key("a", PUBLIC).unwrap_err();
    assert_eq!(twice, InvalidKey::SameKid("a".into()));
    assert!(jwt().with_key("b", "no key").is_err());
}
