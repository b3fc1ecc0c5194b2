use std::collections::BTreeMap;
use std::sync::Mutex;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;

/// A book of bytes that end in `!`.
#[derive(Debug, Default)]
pub(crate) struct Shelf(pub Mutex<BTreeMap<SummaryName, Vec<u8>>>);

impl Shelf {
    pub fn of(all: &[&str]) -> Arc<Self> {
        let shelf = Self::default();
        all.iter().for_each(|one| assert_eq!(shelf.take(one.as_bytes()), Ok(true)));
        Arc::new(shelf)
    }

    pub fn all(&self) -> Vec<String> {
        let mut all: Vec<String> =
            self.0.lock().unwrap().values().map(|one| String::from_utf8(one.clone()).unwrap()).collect();
        all.sort();
        all
    }
}

impl SummaryBook for Shelf {
    fn names(&self) -> Vec<SummaryName> {
        self.0.lock().unwrap().keys().copied().collect()
    }

    fn bytes(&self, name: &SummaryName) -> Option<Vec<u8>> {
        self.0.lock().unwrap().get(name).cloned()
    }

    fn take(&self, bytes: &[u8]) -> Result<bool, Fault> {
        if !bytes.ends_with(b"!") {
            return Err(Fault::BadSignature);
        }
        let mut name = [0; NAME];
        name[..32].copy_from_slice(blake3::hash(bytes).as_bytes());
        Ok(self.0.lock().unwrap().insert(name, bytes.to_vec()).is_none())
    }

    fn limits(&self) -> (usize, usize) {
        (3, 8)
    }
}

#[test]
fn messages_read_back_and_those_over_a_limit_do_not() {
    let shelf = Shelf::default();
    let message = Message { names: vec![[1; NAME], [2; NAME]], summaries: vec![b"ant!".to_vec(), Vec::new()] };
    let bytes = message.to_bytes();
    assert!(Message::from_bytes(&bytes, &shelf).is_ok_and(|read| read == message));
    assert!(bytes.len() <= Message::limit(&shelf));
    for length in (0..bytes.len()).filter(|length| ![132, 140].contains(length)) {
        assert!(Message::from_bytes(&bytes[..length], &shelf).is_err(), "{length}");
    }
    let too_many = Message { names: vec![[1; NAME]; 4], summaries: Vec::new() };
    let too_long = Message { names: Vec::new(), summaries: vec![vec![0; 9]] };
    let too_often = Message { names: Vec::new(), summaries: vec![Vec::new(); 4] };
    for message in [too_many, too_long, too_often] {
        assert!(Message::from_bytes(&message.to_bytes(), &shelf).is_err(), "{message:?}");
    }
}

#[test]
fn any_bytes_are_a_message_or_a_fault() {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    for round in 0..20_000 {
        let mut bytes: Vec<u8> = (0..rng.random_range(0..200)).map(|_| rng.random()).collect();
        // Numbers that are small, as those of a message are.
        bytes.iter_mut().take(3).for_each(|byte| *byte = 0);
        bytes.iter_mut().skip(3).take(1).for_each(|byte| *byte %= 4);
        if let Ok(message) = Message::from_bytes(&bytes, &Shelf::default()) {
            assert_eq!(message.to_bytes(), bytes, "round {round}");
        }
    }
}
