//! Frames of answers.
#![no_main]

use libfuzzer_sys::fuzz_target;
use peerlearn_protocols::wire::Response;
use peerlearn_protocols_fuzz::round_trip;

fuzz_target!(|bytes: &[u8]| round_trip::<Response>(bytes));
