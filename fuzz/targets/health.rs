#![no_main]

#[path = "../properties/bounded.rs"]
mod bounded;
#[path = "../properties/oracle.rs"]
mod oracle;
#[path = "../properties/health.rs"]
mod health;

libfuzzer_sys::fuzz_target!(|input: &[u8]| bounded::in_memory(input, health::property));
