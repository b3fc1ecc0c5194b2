//! Models in a zstd coat: whatever arrives is refused or at most as long as a model.
#![no_main]

use libfuzzer_sys::fuzz_target;
use peerlearn_protocols::wire::pack::{is_packed, pack, unpack};

/// Bytes of the own layout's model.
const MOST: u64 = 10_000;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(model) = unpack(bytes, MOST) {
        assert!(!is_packed(bytes) || model.len() as u64 <= MOST);
    }
    if let Some(packed) = pack(bytes) {
        assert!(packed.len() < bytes.len());
        assert_eq!(unpack(&packed, bytes.len() as u64).as_deref(), Ok(bytes));
    }
});
