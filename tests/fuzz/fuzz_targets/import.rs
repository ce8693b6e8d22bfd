#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tourismo_fuzz::targets::import(bytes));
