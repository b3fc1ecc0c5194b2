//! Compressed models: whatever arrives is refused or at most as long as a model.
#![no_main]

use libfuzzer_sys::fuzz_target;
use peerlearn_protocols::wire::compressed::{compress, decompress, is_compressed};

/// Bytes of the own layout's model.
const MOST: u64 = 10_000;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(model) = decompress(bytes, MOST) {
        assert!(!is_compressed(bytes) || model.len() as u64 <= MOST);
    }
    if let Some(frame) = compress(bytes) {
        assert!(frame.len() < bytes.len());
        assert_eq!(decompress(&frame, bytes.len() as u64).as_deref(), Ok(bytes));
    }
});
