//! Frames of announcements.
#![no_main]

use libfuzzer_sys::fuzz_target;
use peerlearn_protocols::wire::Announcement;
use peerlearn_protocols_fuzz::round_trip;

fuzz_target!(|bytes: &[u8]| round_trip::<Announcement>(bytes));
