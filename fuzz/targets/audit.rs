#![no_main]

#[path = "../properties/audit.rs"]
mod audit;
#[path = "../properties/bounded.rs"]
mod bounded;

libfuzzer_sys::fuzz_target!(|input: &[u8]| bounded::in_memory(input, audit::property));
