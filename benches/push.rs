//! What it costs to take in what 10,000 instances report each 10 s, beside a bare axum handler that reads the body and answers.
//!
//! `cargo bench --bench push` (Linux). Target: at most 2 times the CPU of the bare handler per report, and each answer within 50 ms.
//! Each server is a process of its own with one thread, and is measured after all connections have sent once; the one that sends is
//! another process, so that nothing of it is in the figures but in the latency. Ends with 1 where a target is missed.

#[path = "push/client.rs"]
mod client;
#[path = "push/server.rs"]
mod server;

use std::{error::Error, time::Duration};

use client::{Load, Measured};
use jibri_scaler_core::Timestamp;
use jibri_scaler_http::fake::{FakeJibri, Jwt, Profile, WebhookReceiver};
use server::Kind;

const INSTANCES: usize = 10_000;
const EVERY: Duration = Duration::from_secs(10);
const ROUNDS: usize = 3;
const TOKEN: &str = "0f8c1d7a5b9e4c2f8a3d6b1e9c7f4a2d";
/// A webhook that is answered slower slows Jibri down.
const ANSWERED_WITHIN: Duration = Duration::from_millis(50);
const MOST_CPU: f64 = 2.0;
/// Jibris that start within the same second sign the same token.
const STARTS: u16 = 600;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    if let Some(kind) = Kind::asked_for(&arguments) {
        return server::serve(kind);
    }
    client::allow_files(INSTANCES as u64 + 1000)?;
    let agents: Load = (0..INSTANCES)
        .map(|number| request(TOKEN, &body(number, r#","agent":{"version":"0.1.0"}"#)))
        .collect();
    let tokens = tokens();
    let jibris: Load = (0..INSTANCES)
        .map(|number| request(&tokens[number % tokens.len()], &body(number, "")))
        .collect();

    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let loads = [
        (Kind::Bare, &agents, "agents, bare axum handler"),
        (Kind::Receiver, &agents, "agents, receiver in axum"),
        (Kind::Bare, &jibris, "Jibris with a JWT, bare axum handler"),
        (
            Kind::Receiver,
            &jibris,
            "Jibris with a JWT, receiver in axum",
        ),
    ];
    let mut all: [Vec<Measured>; 4] = Default::default();
    for _ in 0..ROUNDS {
        // In turn, so that whatever disturbs the machine disturbs all.
        for ((kind, load, _), measured) in loads.iter().zip(&mut all) {
            measured.push(runtime.block_on(client::measure(*kind, load, EVERY))?);
        }
    }
    println!("{INSTANCES} instances, a report each {EVERY:?}; medians of {ROUNDS}");
    let medians = all.map(|measured| Measured::medians(&measured));
    for ((_, _, name), measured) in loads.iter().zip(&medians) {
        println!("{name:36} {measured}");
    }
    let mut missed = false;
    for (what, bare, ours) in [("agents", 0, 1), ("Jibris", 2, 3)] {
        let ratio = medians[ours].cpu.as_secs_f64() / medians[bare].cpu.as_secs_f64();
        let slowest = medians[ours].slowest;
        let (met, answers) = (ratio <= MOST_CPU, slowest <= ANSWERED_WITHIN);
        println!(
            "{what}: {ratio:.2} times the CPU per report (at most {MOST_CPU}: {}), all answered within {slowest:.1?} (at most \
             {ANSWERED_WITHIN:?}: {})",
            word(met),
            word(answers)
        );
        missed |= !(met && answers);
    }
    if missed {
        return Err("a target was missed".into());
    }
    Ok(())
}

fn word(is_met: bool) -> &'static str {
    if is_met { "met" } else { "missed" }
}

fn id(number: usize) -> String {
    format!("i-{number:017x}")
}

fn body(number: usize, more: &str) -> String {
    format!(
        r#"{{"jibriId":"{}","status":{{"busyStatus":"IDLE","health":{{"healthStatus":"HEALTHY","details":{{}}}}}}{more}}}"#,
        id(number)
    )
}

fn request(token: &str, body: &str) -> Vec<u8> {
    format!(
        "POST {}/v1/status HTTP/1.1\r\nHost: controller\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        server::BASE,
        body.len()
    )
    .into_bytes()
}

/// What Jibris that start one second after another sign.
fn tokens() -> Vec<String> {
    let jwt = Jwt::new("jitsi/jibri", "jibri", "jibri-scaler", EVERY);
    let profile = Profile::booted()
        .with_webhooks(WebhookReceiver::Answers)
        .with_jwt(Some(jwt));
    let token = |second| {
        let start = Timestamp::from_secs(second);
        let sent = FakeJibri::new(profile.clone(), start).take_webhooks();
        let value = sent.into_iter().find_map(|webhook| webhook.authorization);
        value.unwrap_or_default().replacen("Bearer ", "", 1)
    };
    (0..STARTS).map(|second| token(second.into())).collect()
}
