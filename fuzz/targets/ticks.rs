#![no_main]

#[path = "../properties/bounded.rs"]
mod bounded;
#[path = "../properties/oracle.rs"]
mod oracle;
#[path = "../properties/ticks.rs"]
mod ticks;

libfuzzer_sys::fuzz_target!(|input: &[u8]| bounded::in_memory(input, ticks::property));
