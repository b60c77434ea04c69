//! The token of the webhooks.

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};

use super::*;
use crate::fake::Jwt;

/// In front of the key itself, a PEM of SPKI says in 24 bytes that it is one of RSA.
const SPKI_HEADER: usize = 24;

fn jibri_with(version: Version, ttl: Duration) -> FakeJibri {
    let jwt = Jwt::new("jitsi/test", "jibri", "jibri-scaler", ttl);
    let profile = Profile::booted()
        .with_webhooks(WebhookReceiver::Answers)
        .with_version(version)
        .with_jwt(Some(jwt));
    FakeJibri::new(profile, at(1000))
}

/// The tokens sent since the last call, without repetition.
fn tokens(jibri: &mut FakeJibri) -> Vec<String> {
    let mut tokens: Vec<String> = jibri
        .take_webhooks()
        .into_iter()
        .map(|hook| {
            let value = hook.authorization.unwrap();
            value.strip_prefix("Bearer ").unwrap().into()
        })
        .collect();
    tokens.dedup();
    tokens
}

fn part(token: &str, n: usize) -> Value {
    let part = URL_SAFE_NO_PAD.decode(token.split('.').nth(n).unwrap());
    serde_json::from_slice(&part.unwrap()).unwrap()
}

#[test]
fn a_token_has_these_members_and_is_signed_with_the_key() {
    let mut jibri = jibri_with(Version::LATEST, secs(3600));
    let token = tokens(&mut jibri).remove(0);
    assert_eq!(
        part(&token, 0),
        json!({ "alg": "RS256", "kid": "jitsi/test" })
    );
    assert_eq!(
        part(&token, 1),
        json!({ "iss": "jibri", "aud": ["jibri-scaler"], "exp": 4600 })
    );

    let pem = Jwt::PUBLIC_KEY
        .lines()
        .filter(|line| !line.starts_with("-----"));
    let spki = STANDARD.decode(pem.collect::<String>()).unwrap();
    let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &spki[SPKI_HEADER..]);
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    assert!(key.verify(signed.as_bytes(), &signature).is_ok());
    let other = signed.replacen("ey", "ez", 1);
    assert!(key.verify(other.as_bytes(), &signature).is_err());
}

#[test]
fn the_audience_was_a_plain_string_once() {
    let jwt = Jwt::new("jitsi/test", "jibri", "jibri-scaler", secs(3600));
    let profile = Profile::booted()
        .with_webhooks(WebhookReceiver::Answers)
        .with_jwt(Some(jwt.with_plain_audience(true)));
    let mut jibri = FakeJibri::new(profile, at(1000));
    let token = tokens(&mut jibri).remove(0);
    assert_eq!(
        part(&token, 1),
        json!({ "iss": "jibri", "aud": "jibri-scaler", "exp": 4600 })
    );
}

#[test]
fn a_process_has_one_token_for_ever_which_expires() {
    let mut jibri = jibri_with(Version::LATEST, secs(3600));
    jibri.request(at(1010), start("a"));
    jibri.advance(at(20_000));
    let sent = tokens(&mut jibri);
    assert_eq!(sent.len(), 1, "status and session webhooks carry the same");
    assert_eq!(part(&sent[0], 1)["exp"], 4600, "long past");

    jibri.crash(at(20_000));
    jibri.advance(at(20_001));
    assert_eq!(part(&tokens(&mut jibri)[0], 1)["exp"], 23_600);
}

#[test]
fn before_that_a_token_was_renewed_in_time() {
    let mut jibri = jibri_with(Version::Build(173), secs(3600));
    jibri.advance(at(1000 + 3 * 3600));
    let ends: Vec<i64> = tokens(&mut jibri)
        .iter()
        .map(|token| part(token, 1)["exp"].as_i64().unwrap())
        .collect();
    // Each at the first webhook 55 minutes after the last.
    assert_eq!(ends, [4600, 7900, 11_200, 14_500]);
}

#[test]
fn a_short_ttl_counts_as_ten_minutes() {
    let mut jibri = jibri_with(Version::LATEST, secs(1));
    assert_eq!(part(&tokens(&mut jibri)[0], 1)["exp"], 1600);
}

#[test]
fn there_is_no_token_before_v8_0_51() {
    let mut jibri = jibri_with(Version::Build(50), secs(3600));
    assert_eq!(jibri.take_webhooks()[0].authorization, None);
}
