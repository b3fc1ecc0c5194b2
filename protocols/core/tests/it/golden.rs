//! The bytes of every kind of frame. Whoever changes one of these breaks every node in the field: raise
//! `wire::VERSION`.

use super::samples;

const TASK: &str = "1111111111111111111111111111111111111111111111111111111111111111";
const ROOT: &str = "2222222222222222222222222222222222222222222222222222222222222222";

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Magic "PL", version 1 and the kind, then the fields in their order. Integers up to 250 are one byte; `fb` announces
/// two, `fc` four, `fd` eight, little-endian.
fn announcement() -> String {
    let sequence = "fd0000000001000000";
    let addresses = format!("01{:02x}{}", 18, hex(b"/ip4/1.2.3.4/tcp/5"));
    let (round, samples) = ("07", "fb2c01");
    let offer = format!("01{ROOT}fc70110100fa");
    let (codecs, sketch) = ("07", "0000c03f0000803e");
    format!("504c0101{TASK}{sequence}{addresses}{round}{samples}{offer}{codecs}{sketch}")
}

#[test]
fn every_kind_has_the_bytes_it_always_had() {
    let body = announcement();
    let (author, signature) = ("33".repeat(32), "44".repeat(64));
    let hash = |byte: &str| byte.repeat(32);
    let offer = format!("{ROOT}fc7011010001fa07fb2c01");
    let descriptor = format!("{}01{:02x}{}fb2c01", hash("88"), 18, hex(b"/ip4/1.2.3.4/tcp/5"));
    let expected = [
        body.clone(),
        format!("504c0102{author}{signature}{:02x}{body}", body.len() / 2),
        format!("504c0105{ROOT}03fbfb00"),
        format!("504c010300{TASK}02"),
        format!("504c010301{ROOT}fb0004"),
        format!("504c010302{TASK}01fd000000000100000003"),
        format!("504c010303{TASK}0664"),
        format!("504c010304{TASK}01{descriptor}"),
        format!("504c010305{TASK}"),
        format!("504c010306{TASK}fd0000000001000000"),
        format!("504c010307{TASK}0204{ROOT}"),
        format!("504c010308{TASK}04"),
        format!("504c010400{offer}01{}", hash("55")),
        format!("504c010401{ROOT}fb000402{}{}", hash("55"), hash("66")),
        "504c01040201fbf401".to_owned(),
        format!("504c01040203{}00", hash("77")),
        format!("504c010403{offer}01{}04fc00000080", hash("55")),
        "504c0104020500".to_owned(),
        format!("504c01040401{descriptor}"),
        "504c0104020600".to_owned(),
        format!("504c010405fb2c0108{}01000000000000d03f", "0000c03f".repeat(8)),
        "504c010406".to_owned(),
        format!("504c010407{offer}01{}04", hash("55")),
        "504c010408".to_owned(),
        "504c0104020700".to_owned(),
        "504c010600".to_owned(),
        "504c010601".to_owned(),
        "504c010602".to_owned(),
    ];
    let frames = samples::frames();
    assert_eq!(frames.len(), expected.len());
    for ((name, frame, _), expected) in frames.iter().zip(expected) {
        assert_eq!(hex(frame), expected, "{name}");
    }
}
