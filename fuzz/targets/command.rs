#![no_main]

#[path = "../properties/bounded.rs"]
mod bounded;
#[path = "../properties/command.rs"]
mod command;

libfuzzer_sys::fuzz_target!(|input: &[u8]| bounded::in_memory(input, command::property));
