#![no_main]

#[path = "../properties/bounded.rs"]
mod bounded;
#[path = "../properties/addresses.rs"]
mod addresses;

libfuzzer_sys::fuzz_target!(|input: &[u8]| bounded::in_memory(input, addresses::property));
