//! The bytes of every kind of frame. Whoever changes one of these breaks every node in the field: raise
//! `wire::VERSION`.

use super::samples;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn p() {
    for (name, frame, _) in samples::frames() { println!("{name} {}", hex(&frame)); }
}
