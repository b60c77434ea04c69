#![no_main]

#[path = "../properties/addresses.rs"]
mod addresses;
#[path = "../properties/bounded.rs"]
mod bounded;

libfuzzer_sys::fuzz_target!(|input: &[u8]| bounded::in_memory(input, addresses::property));
