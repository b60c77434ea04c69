#![no_main]

#[path = "../properties/bounded.rs"]
mod bounded;
#[path = "../properties/policy.rs"]
mod policy;

libfuzzer_sys::fuzz_target!(|input: &[u8]| bounded::in_memory(input, policy::property));
