//! Writes a seed for every kind of frame, every codec and the usual texts: `cargo run --example seeds -- DIR`.
//!
//! The other files of `corpus` were found by fuzzing and kept because they reach code that no smaller one reaches.

use std::fs;
use std::io::Result;
use std::path::{Path, PathBuf};

use peerlearn_protocols::codec::Codec;
use peerlearn_protocols::wire::blob;
use peerlearn_protocols_fuzz::layouts;

#[path = "../../tests/it/samples.rs"]
#[allow(dead_code, reason = "the tests use more of it")]
mod samples;

const TEXTS: [&str; 16] = [
    "age-limited",
    "trimmed-mean:1",
    "multi-krum:100",
    "clip:auto",
    "clip:0.5",
    "ubar:0.4",
    "balance:0.3:300",
    "int8-row",
    "fragment:4",
    "top-k:100",
    "guarded",
    "regular:3:7",
    "base:2",
    "edges:a/b",
    "0 1\n1,2 # x\n\n7 0\n",
    "/ip4/100.64.0.1/tcp/1",
];

fn main() -> Result<()> {
    let root = PathBuf::from(std::env::args().nth(1).unwrap_or_else(|| "corpus".to_owned()));
    let frames = samples::frames();
    for (n, (kind, bytes, _)) in frames.iter().enumerate() {
        seed(&root.join(kind.replace(' ', "_")), &format!("sample-{n}"), bytes)?;
    }
    for (index, layout) in layouts().iter().enumerate().take(3) {
        let params: Vec<f32> = (0..layout.len()).map(|n| n as f32 - 5.5).collect();
        for codec in Codec::ALL {
            let blob = blob::encode(codec, layout, &params).expect("finite");
            seed(
                &root.join("blob"),
                &format!("{codec}-{index}").replace(':', "-"),
                &[&[index as u8, 36], &blob[..]].concat(),
            )?;
        }
    }
    for (n, text) in TEXTS.iter().enumerate() {
        seed(&root.join("text"), &format!("text-{n}"), text.as_bytes())?;
    }
    seed(&root.join("text"), "peer", "0123456789abcdef".repeat(4).as_bytes())
}

fn seed(folder: &Path, name: &str, bytes: &[u8]) -> Result<()> {
    fs::create_dir_all(folder)?;
    fs::write(folder.join(name), bytes)
}
