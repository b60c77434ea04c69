#![no_main]

#[path = "../properties/bounded.rs"]
mod bounded;
#[path = "../properties/memory.rs"]
mod memory;

libfuzzer_sys::fuzz_target!(|input: &[u8]| bounded::in_memory(input, memory::property));
