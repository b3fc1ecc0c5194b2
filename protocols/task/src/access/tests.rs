use proptest::prelude::*;

use super::*;
use crate::{Column, ColumnType, ModelSpec, Output, Schema};

/// What stands for a signature here: a hash of key and message.
fn sign(key: PeerId) -> impl Fn(&[u8]) -> [u8; 64] {
    move |message| {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&key.0).update(message);
        let mut signature = [0; 64];
        hasher.finalize_xof().fill(&mut signature);
        signature
    }
}

fn check(key: &PeerId, message: &[u8], signature: &[u8; 64]) -> bool {
    sign(*key)(message) == *signature
}

const OWNER: PeerId = PeerId([1; 32]);
const KEY: PeerId = PeerId([2; 32]);
const PEER: PeerId = PeerId([3; 32]);
const STRANGER: PeerId = PeerId([4; 32]);

fn definition(name: &str) -> Definition {
    let columns = [("a".to_owned(), Column::new(ColumnType::Number))].into();
    let schema = Schema::table(columns, Output::classes("y", vec!["no".into(), "yes".into()]));
    let model = ModelSpec { net: "linear".into(), loss: "cross-entropy".into(), layout: None };
    let mut definition = Definition::new(name, model, schema).unwrap();
    definition.owners = vec![OWNER];
    definition
}

fn invite() -> Invite {
    Invite::new(definition("ward").id(), KEY, 1, 1000, "Basel", OWNER, sign(OWNER)).unwrap()
}

fn invited() -> Member {
    Member::by_invite(invite(), PEER, " basel ", sign(KEY)).unwrap()
}

fn approved() -> Member {
    Member::by_owner(definition("ward").id(), PEER, "basel", 1000, OWNER, Some(KEY), sign(OWNER)).unwrap()
}

fn verdict(member: &Member) -> Result<(), String> {
    verify(&definition("ward"), member, 1000, &check)
}

#[test]
fn what_an_owner_signed_is_believed_and_reads_back() {
    for member in [invited(), approved()] {
        assert_eq!(verdict(&member), Ok(()));
        assert_eq!(member.name, "basel");
        assert_eq!(member.invite(), Some(KEY));
        assert_eq!(Member::from_bytes(&member.to_bytes()), Some(member.clone()));
        for member in [None, Some(member)] {
            let hello = Hello { name: "basel".into(), member };
            assert!(hello.to_bytes().len() < 600);
            assert_eq!(Hello::from_bytes(&hello.to_bytes()), Some(hello));
        }
    }
    assert_eq!(Invite::from_bytes(&invite().to_bytes()), Some(invite()));
}

#[test]
fn every_changed_field_is_found() {
    type Change = fn(&mut Member);
    let changes: [Change; 6] = [
        |member| member.task = TaskId([9; 32]),
        |member| member.peer = STRANGER,
        |member| member.name = "bern".into(),
        |member| member.until -= 1,
        |member| member.signature[63] ^= 1,
        |member| member.signature[0] ^= 1,
    ];
    for change in changes {
        for mut member in [invited(), approved()] {
            change(&mut member);
            assert!(verdict(&member).is_err(), "{member:?}");
        }
    }
    type Forge = fn(&mut Invite);
    let forgeries: [Forge; 7] = [
        |invite| invite.task = TaskId([9; 32]),
        |invite| invite.key = STRANGER,
        |invite| invite.uses = 2,
        |invite| invite.until += 1,
        |invite| invite.label = "Bern".into(),
        |invite| invite.owner = STRANGER,
        |invite| invite.signature[5] ^= 1,
    ];
    for forge in forgeries {
        let mut forged = invite();
        forge(&mut forged);
        // Also where whoever forged it knows the secret of the key, or has made a key of its own.
        for key in [KEY, forged.key] {
            let member = Member::by_invite(forged.clone(), PEER, "eve", sign(key)).unwrap();
            let reason = verdict(&member).unwrap_err();
            assert!(
                reason.contains("invitation") || reason.contains("task") || reason.contains("signature"),
                "{reason}"
            );
        }
    }
}

#[test]
fn who_may_sign_what() {
    let task = definition("ward").id();
    let stranger = Member::by_owner(task, PEER, "eve", 2000, STRANGER, None, sign(STRANGER)).unwrap();
    assert!(verdict(&stranger).unwrap_err().contains("no owner"));
    let own_invite = Invite::new(task, KEY, 1, 2000, "", STRANGER, sign(STRANGER)).unwrap();
    assert!(verdict(&Member::by_invite(own_invite, PEER, "eve", sign(KEY)).unwrap()).unwrap_err().contains("no owner"));
    // What one kind of signature covers is never the message of another.
    let messages = [invite().message(), invited().message(), approved().message()];
    let moved = Member { signature: invite().signature, ..approved() };
    assert!(verdict(&moved).is_err());
    let context = |message: &Vec<u8>| message.split(|byte| *byte == 0).next().unwrap().to_vec();
    let contexts: std::collections::BTreeSet<Vec<u8>> = messages.iter().map(context).collect();
    assert_eq!(contexts.len(), 3);
}

#[test]
fn what_is_over_is_said_and_nothing_outlives_its_invitation() {
    for (member, words) in [(invited(), "the invitation Basel ended 5 s ago"), (approved(), "membership ended 5 s ago")]
    {
        let reason = verify(&definition("ward"), &member, 1005, &check).unwrap_err();
        assert!(reason.contains(words), "{reason}");
    }
    let mut longer = invited();
    longer.until = 5000;
    longer.signature = sign(KEY)(&longer.message());
    assert!(verdict(&longer).unwrap_err().contains("longer"));
    let reason = verify(&definition("clinic"), &invited(), 0, &check).unwrap_err();
    assert!(reason.contains("membership is of task"), "{reason}");
}

#[test]
fn names_that_could_disturb_are_refused() {
    for name in ["", " ", "a\u{1b}[2J", "a\nb", "\u{202E}abc", &"x".repeat(41)] {
        assert!(Member::by_invite(invite(), PEER, name, sign(KEY)).is_err(), "{name:?}");
        let mut member = invited();
        member.name = name.to_owned();
        member.signature = sign(KEY)(&member.message());
        assert!(verdict(&member).is_err(), "{name:?}");
        assert_eq!(Member::from_bytes(&member.to_bytes()), None, "{name:?}");
        assert_eq!(Hello::from_bytes(&Hello { name: name.to_owned(), member: None }.to_bytes()), None);
    }
    assert!(Invite::new(TaskId([0; 32]), KEY, 0, 0, "", OWNER, sign(OWNER)).is_err());
    assert!(Invite::new(TaskId([0; 32]), KEY, MAX_USES + 1, 0, "", OWNER, sign(OWNER)).is_err());
    assert!(Invite::new(TaskId([0; 32]), KEY, 1, 0, "a\u{7}", OWNER, sign(OWNER)).is_err());
}

#[test]
fn cut_long_and_lengthened_bytes_are_nothing() {
    let whole = Hello { name: "basel".into(), member: Some(invited()) }.to_bytes();
    for end in 0..whole.len() {
        assert_eq!(Hello::from_bytes(&whole[..end]), None);
    }
    assert_eq!(Hello::from_bytes(&[whole.as_slice(), &[0]].concat()), None);
    assert_eq!(Hello::from_bytes(&vec![0xff; MAX_HELLO + 1]), None);
    assert_eq!(Member::from_bytes(&vec![0; 1 << 24]), None, "refused for its length alone");
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused_and_what_is_read_is_written_alike(bytes in prop::collection::vec(any::<u8>(), 0..700)) {
        if let Some(hello) = Hello::from_bytes(&bytes) {
            prop_assert_eq!(hello.to_bytes(), bytes.clone());
        }
        if let Some(member) = Member::from_bytes(&bytes) {
            prop_assert_eq!(member.to_bytes(), bytes);
        }
    }

    #[test]
    fn a_changed_byte_is_never_believed(at in 0usize..1000, mask in 1u8..) {
        for member in [invited(), approved()] {
            let mut bytes = member.to_bytes();
            let at = at % bytes.len();
            bytes[at] ^= mask;
            if let Some(changed) = Member::from_bytes(&bytes) {
                prop_assert!(verdict(&changed).is_err());
            }
        }
    }

    #[test]
    fn names_and_times_come_back(name in "[a-zA-Z0-9äöüß]{1,40}", until in any::<u64>(), uses in 1..=MAX_USES) {
        let task = definition("ward").id();
        let invite = Invite::new(task, KEY, uses, until, &name, OWNER, sign(OWNER)).unwrap();
        let member = Member::by_invite(invite, PEER, &name, sign(KEY)).unwrap();
        prop_assert_eq!(Member::from_bytes(&member.to_bytes()), Some(member.clone()));
        prop_assert_eq!(verify(&definition("ward"), &member, until, &check), Ok(()));
    }
}
