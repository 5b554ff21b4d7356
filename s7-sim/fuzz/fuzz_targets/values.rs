#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| s7_fuzz::values(bytes));
