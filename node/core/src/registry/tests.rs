use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::sync::Arc;

use peerlearn_learner::Snapshot;
use peerlearn_protocols::id::{PeerId, TaskId};
use peerlearn_protocols::mixing::push_sum::{Account, UNIT};
use peerlearn_protocols::params::{Layout, TensorSpec};
use peerlearn_runtime::clock::Clock;
use peerlearn_runtime::event::{EventBus, NodeEvent, Stamped};
use ractor::{Actor, ActorProcessingErr, ActorRef};
use tokio::sync::broadcast::Receiver;

use super::*;

const TASK: TaskId = TaskId([7; 32]);

fn layout() -> Layout {
    let tensor = |name: &str, shape: &[usize]| TensorSpec { name: name.into(), shape: shape.to_vec() };
    Layout::new(vec![tensor("w", &[2, 3]), tensor("b", &[])]).unwrap()
}

fn checkpoint(round: u64) -> Checkpoint {
    let params: Vec<f32> = (0..7).map(|i| round as f32 + i as f32 / 8.0).collect();
    let snapshot = Snapshot {
        correction: Some(params.iter().map(|value| value / 2.0).collect()),
        average: Some(params.iter().map(|value| value / 3.0).collect()),
        outer: Some((params.clone(), params.iter().map(|value| -value).collect())),
        age: 100 * round,
        schedule: round + 1,
        params,
    };
    let mut account = Account::new(UNIT + round);
    account.ask(PeerId([3; 32]));
    Checkpoint { round, snapshot: Arc::new(snapshot), account: Some(account) }
}

fn save(home: &Path, round: u64) {
    checkpoint::save(&checkpoint::path_in(home), TASK, &layout(), &checkpoint(round)).unwrap();
}

fn load(home: &Path) -> Result<Option<Checkpoint>, RegistryError> {
    load_checkpoint(home, TASK, &layout())
}

#[test]
fn the_identity_is_private_made_once_and_never_replaced() {
    let directory = tempfile::tempdir().unwrap();
    let home = Home::open(directory.path()).unwrap();
    let first = home.identity().unwrap();
    let path = home.file("identity.key");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(home.identity().unwrap().peer(), first.peer());
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    let error = home.identity().unwrap_err();
    assert!(matches!(error, RegistryError::Exposed { mode: 0o644, .. }));
    assert!(error.to_string().contains("chmod 600"));
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    for damaged in [b"".as_slice(), b"short", &[1; 33], &[0xff; 4096]] {
        fs::write(&path, damaged).unwrap();
        assert!(matches!(home.identity(), Err(RegistryError::Damaged { .. })), "{} bytes", damaged.len());
        assert_eq!(fs::read(&path).unwrap(), damaged);
    }
}

#[test]
fn a_directory_belongs_to_one_node_at_a_time() {
    let directory = tempfile::tempdir().unwrap();
    let home = Home::open(directory.path()).unwrap();
    let error = Home::open(directory.path()).unwrap_err();
    assert!(matches!(error, RegistryError::Locked { holder: Some(holder), .. } if holder == std::process::id()));
    let process = format!("process {}", std::process::id());
    assert!(error.to_string().contains("--home") && error.to_string().contains(&process), "{error}");
    // As people do who take it for what a killed node has left.
    fs::remove_file(home.file("lock")).unwrap();
    assert!(matches!(Home::open(directory.path()), Err(RegistryError::Locked { .. })));
    drop(home);
    let home = Home::open(directory.path()).unwrap();
    home.release();
    let next = Home::open(directory.path()).unwrap();
    drop(home);
    let error = Home::open(directory.path()).unwrap_err();
    assert!(error.to_string().contains(&process), "what is left of the former node leaves the lock alone: {error}");
    drop(next);
}

#[test]
fn a_lock_that_leads_elsewhere_is_refused_in_words() {
    let directory = tempfile::tempdir().unwrap();
    let (home, foreign) = (directory.path().join("home"), directory.path().join("foreign"));
    fs::create_dir(&home).unwrap();
    fs::write(&foreign, "not ours").unwrap();
    symlink(&foreign, home.join("lock")).unwrap();
    let error = Home::open(&home).unwrap_err().to_string();
    assert!(error.contains("symbolic link") && error.contains("remove it"), "{error}");
    assert_eq!(fs::read(&foreign).unwrap(), b"not ours");
    fs::remove_file(home.join("lock")).unwrap();
    symlink(directory.path().join("nowhere"), home.join("lock")).unwrap();
    assert!(Home::open(&home).is_err());
    assert!(!directory.path().join("nowhere").exists());
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
fn a_home_and_everything_in_it_is_its_owners_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("above").join("home");
    let home = Home::open(&path).unwrap();
    assert_eq!(mode(&path), 0o700);
    home.identity().unwrap();
    home.count_start().unwrap();
    home.remember_addresses(&["/memory/1".to_owned()]).unwrap();
    save(&path, 3);
    save(&path, 4);
    book::save(&home.file("book.json"), &[]).unwrap();
    for entry in fs::read_dir(&path).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }
    assert!(home.take_notes().is_empty());
}

#[test]
fn a_home_that_others_can_read_is_tightened_and_that_is_said() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("home");
    drop(Home::open(&path).unwrap());
    fs::write(path.join("starts"), "7").unwrap();
    fs::set_permissions(path.join("starts"), fs::Permissions::from_mode(0o664)).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o775)).unwrap();
    let home = Home::open(&path).unwrap();
    assert_eq!((mode(&path), mode(&path.join("starts"))), (0o700, 0o600));
    let notes = home.take_notes();
    assert!(notes.len() == 1 && notes[0].contains("could change") && notes[0].contains("775"), "{notes:?}");
    drop(home);
    assert!(Home::open(&path).unwrap().take_notes().is_empty());
}

#[test]
fn a_directory_of_other_things_too_is_left_as_it_is_and_that_is_said() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("home");
    fs::create_dir(&path).unwrap();
    fs::write(path.join("thesis.txt"), "").unwrap();
    for lax in [0o755, 0o1777] {
        fs::set_permissions(&path, fs::Permissions::from_mode(lax)).unwrap();
        let home = Home::open(&path).unwrap();
        assert_eq!(mode(&path), lax);
        let notes = home.take_notes();
        assert!(notes.len() == 1 && notes[0].contains("chmod 700"), "{notes:?}");
        home.identity().unwrap();
        assert_eq!(mode(&home.file("lock")), 0o600);
    }
}

#[test]
fn what_a_killed_node_left_unfinished_is_removed() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("identity.tmp"), [7; 32]).unwrap();
    let foreign = directory.path().join("thesis.tmp");
    fs::write(&foreign, "").unwrap();
    let home = Home::open(directory.path()).unwrap();
    assert!(!home.file("identity.tmp").exists() && foreign.exists());
    home.identity().unwrap();
}

#[test]
fn a_key_that_changed_or_is_gone_is_noticed_by_the_public_id_beside_it() {
    let directory = tempfile::tempdir().unwrap();
    let home = Home::open(directory.path()).unwrap();
    let peer = home.identity().unwrap().peer();
    let (secret, public) = (home.file("identity.key"), home.file("identity.pub"));
    assert_eq!(fs::read_to_string(&public).unwrap(), format!("{peer}\n"));
    let good = fs::read(&secret).unwrap();
    for bit in 0..256 {
        let mut flipped = good.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        fs::write(&secret, &flipped).unwrap();
        let error = home.identity().unwrap_err();
        assert!(matches!(error, RegistryError::OtherKey { kept, .. } if kept == peer), "bit {bit}: {error}");
        assert!(error.to_string().contains("from a copy") && error.to_string().contains("remove"), "{error}");
        assert_eq!(fs::read(&secret).unwrap(), flipped, "never replaced");
    }
    fs::remove_file(&secret).unwrap();
    let error = home.identity().unwrap_err();
    assert!(matches!(error, RegistryError::KeyGone { kept, .. } if kept == peer));
    assert!(error.to_string().contains("identity.key is gone") && error.to_string().contains("remove"), "{error}");
    assert!(!secret.exists(), "no other key is made");
    fs::write(&secret, &good).unwrap();
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).unwrap();
    for damaged in [b"".as_slice(), b"\xff\xfe", &peer.to_string().as_bytes()[1..]] {
        fs::write(&public, damaged).unwrap();
        assert!(matches!(home.identity(), Err(RegistryError::Damaged { .. })));
    }
    // As in a home of an earlier version.
    fs::remove_file(&public).unwrap();
    assert_eq!(home.identity().unwrap().peer(), peer);
    assert_eq!(fs::read_to_string(&public).unwrap(), format!("{peer}\n"));
}

#[test]
fn starts_are_counted_and_a_damaged_counter_begins_anew_above_them() {
    let directory = tempfile::tempdir().unwrap();
    let home = Home::open(directory.path()).unwrap();
    let [one, other] = [home.count_start().unwrap(), home.count_start().unwrap()];
    assert_eq!(other, one + 1);
    assert!(one > 500_000, "above what stands in for it while it cannot be written");
    // More starts than minutes have passed.
    fs::write(home.file("starts"), format!("{}", one + 1000)).unwrap();
    let mut last = home.count_start().unwrap();
    assert_eq!(last, one + 1001);
    assert!(home.take_notes().is_empty());
    for damaged in [b"many".as_slice(), b"", b"\xff\x00", b"-1", b"4294967295"] {
        fs::write(home.file("starts"), damaged).unwrap();
        let now = home.count_start().unwrap();
        assert!(now >= last && now < 1 << 24, "{now}");
        let notes = home.take_notes();
        assert!(notes.len() == 1 && notes[0].contains("starts") && notes[0].contains(&now.to_string()), "{notes:?}");
        last = home.count_start().unwrap();
        assert_eq!(last, now + 1);
        last = now;
    }
}

#[test]
fn a_home_that_is_a_file_is_an_error_in_words() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("home");
    fs::write(&path, "").unwrap();
    let error = Home::open(&path).unwrap_err().to_string();
    assert!(error.contains("create directory") && error.contains("home"), "{error}");
}

#[test]
fn a_checkpoint_is_read_as_it_was_written() {
    let directory = tempfile::tempdir().unwrap();
    assert_eq!(load(directory.path()).unwrap(), None);
    save(directory.path(), 3);
    assert_eq!(load(directory.path()).unwrap(), Some(checkpoint(3)));
    let plain = Checkpoint { round: 4, snapshot: Arc::new(Snapshot::fresh(vec![0.5; 7])), account: None };
    checkpoint::save(&checkpoint::path_in(directory.path()), TASK, &layout(), &plain).unwrap();
    assert_eq!(load(directory.path()).unwrap(), Some(plain));
}

#[test]
fn any_damage_is_noticed_and_the_checkpoint_before_is_taken() {
    let directory = tempfile::tempdir().unwrap();
    let path = checkpoint::path_in(directory.path());
    save(directory.path(), 3);
    save(directory.path(), 4);
    let good = fs::read(&path).unwrap();
    for at in (0..good.len()).step_by(7) {
        let mut bytes = good.clone();
        bytes[at] ^= 0x10;
        fs::write(&path, &bytes).unwrap();
        // A bit in the header's white space changes nothing; one in its task makes it another task's.
        match load(directory.path()) {
            Ok(Some(found)) => assert!(found == checkpoint(3) || found == checkpoint(4), "byte {at}"),
            other => assert!(matches!(other, Err(RegistryError::OtherTask { .. })), "byte {at}: {other:?}"),
        }
    }
    for end in [0, 1, 7, 8, 100, good.len() - 1] {
        fs::write(&path, &good[..end]).unwrap();
        assert_eq!(load(directory.path()).unwrap(), Some(checkpoint(3)), "cut to {end}");
    }
    fs::write(path.with_extension("previous.safetensors"), b"damaged too").unwrap();
    assert!(matches!(load(directory.path()), Err(RegistryError::Damaged { .. })));
}

#[test]
fn where_the_newest_checkpoint_is_gone_or_damaged_the_one_before_is_taken_and_outlives_the_next_save() {
    let directory = tempfile::tempdir().unwrap();
    let path = checkpoint::path_in(directory.path());
    save(directory.path(), 3);
    save(directory.path(), 4);
    fs::remove_file(&path).unwrap();
    let (found, why) = checkpoint::load_newest(directory.path(), TASK, &layout()).unwrap();
    assert_eq!(found, Some(checkpoint(3)));
    assert!(why.unwrap().to_string().contains("checkpoint.safetensors is gone"));
    assert!(has_checkpoint(directory.path()));
    save(directory.path(), 5);
    assert_eq!(load(directory.path()).unwrap(), Some(checkpoint(5)));
    fs::write(&path, b"damaged").unwrap();
    checkpoint::set_aside(directory.path());
    save(directory.path(), 6);
    fs::write(&path, b"damaged").unwrap();
    assert_eq!(load(directory.path()).unwrap(), Some(checkpoint(3)), "not the damaged one in its place");
    fs::remove_file(&path).unwrap();
    fs::remove_file(path.with_extension("previous.safetensors")).unwrap();
    assert!(load(directory.path()).unwrap().is_none() && !has_checkpoint(directory.path()));
}

#[test]
fn a_checkpoint_of_another_task_or_shape_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    save(directory.path(), 3);
    let error = load_checkpoint(directory.path(), TaskId([8; 32]), &layout()).unwrap_err();
    let text = error.to_string();
    assert!(text.contains("07070707") && text.contains("08080808"), "{text}");
    let other = Layout::new(vec![TensorSpec { name: "w".into(), shape: vec![7] }]).unwrap();
    assert!(matches!(load_checkpoint(directory.path(), TASK, &other), Err(RegistryError::Damaged { .. })));
}

#[test]
fn a_failed_write_leaves_the_old_file() {
    let directory = tempfile::tempdir().unwrap();
    save(directory.path(), 3);
    // A directory in the way of the file that is written aside: stands for any error of the system, also for root.
    fs::create_dir(checkpoint::path_in(directory.path()).with_extension("tmp")).unwrap();
    let saved = checkpoint::save(&checkpoint::path_in(directory.path()), TASK, &layout(), &checkpoint(4));
    assert!(saved.unwrap_err().to_string().contains("checkpoint.safetensors"));
    assert_eq!(load(directory.path()).unwrap(), Some(checkpoint(3)));
}

#[test]
fn the_book_keeps_the_first_64_and_refuses_garbage() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("book.json");
    assert!(book::load(&path).unwrap().is_empty());
    let entries: Vec<BookEntry> =
        (0..100).map(|n| BookEntry { peer: PeerId([n; 32]), addresses: vec![format!("/memory/{n}")] }).collect();
    book::save(&path, &entries).unwrap();
    assert_eq!(book::load(&path).unwrap(), entries[..64]);
    for garbage in [b"".as_slice(), b"[{}]", b"{", &[0xff; 10], &[b'['; 600_000]] {
        fs::write(&path, garbage).unwrap();
        assert!(matches!(book::load(&path), Err(RegistryError::Damaged { .. })));
    }
}

/// Stands above the registry as the supervisor does.
struct Parent;

impl Actor for Parent {
    type Msg = ();
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<()>, (): ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }
}

async fn registry(home: &Arc<Home>) -> (RegistryHandle, Option<Checkpoint>, Vec<BookEntry>, Receiver<Stamped>) {
    let events = EventBus::new(PeerId([0; 32]), Clock::start());
    let stream = events.subscribe();
    let (handle, found, book, start) = RegistryHandle::open(Arc::clone(home), TASK, layout(), events).unwrap();
    let (parent, _) = Actor::spawn(None, Parent, ()).await.unwrap();
    start(parent.get_cell()).await.unwrap();
    (handle, found, book, stream)
}

#[tokio::test]
async fn what_is_told_is_on_disk_after_a_flush() {
    let directory = tempfile::tempdir().unwrap();
    let home = Arc::new(Home::open(directory.path()).unwrap());
    let (handle, found, book, _) = registry(&home).await;
    assert!(found.is_none() && book.is_empty() && handle.committed().is_none());
    for round in 1..=50 {
        handle.commit(checkpoint(round));
    }
    let entry = BookEntry { peer: PeerId([1; 32]), addresses: vec!["/memory/1".into()] };
    handle.flush().await;
    assert_eq!(handle.committed(), Some(50), "the newest is never the one left out");
    handle.save_book(vec![entry.clone()]);
    handle.flush().await;
    let (_, found, book, _) = registry(&home).await;
    assert_eq!((found, book), (Some(checkpoint(50)), vec![entry]));
}

#[tokio::test]
async fn a_disk_that_fails_is_told_and_writing_goes_on_when_it_works_again() {
    let directory = tempfile::tempdir().unwrap();
    let home = Arc::new(Home::open(directory.path()).unwrap());
    let (handle, _, _, mut events) = registry(&home).await;
    let obstacle = checkpoint::path_in(directory.path()).with_extension("tmp");
    fs::create_dir(&obstacle).unwrap();
    handle.commit(checkpoint(1));
    handle.flush().await;
    let Ok(Stamped { event: NodeEvent::CommitFailed { error }, .. }) = events.recv().await else { panic!("not told") };
    assert!(error.contains("checkpoint.safetensors"), "{error}");
    assert_eq!(handle.committed(), None);
    fs::remove_dir(&obstacle).unwrap();
    handle.commit(checkpoint(2));
    handle.flush().await;
    assert_eq!(handle.committed(), Some(2));
}

#[tokio::test]
async fn damaged_files_are_told_of_and_the_node_goes_on() {
    let directory = tempfile::tempdir().unwrap();
    save(directory.path(), 3);
    save(directory.path(), 4);
    fs::write(checkpoint::path_in(directory.path()), b"damaged").unwrap();
    fs::write(directory.path().join("book.json"), b"damaged").unwrap();
    let home = Arc::new(Home::open(directory.path()).unwrap());
    let (_, found, book, mut events) = registry(&home).await;
    assert_eq!((found, book), (Some(checkpoint(3)), Vec::new()));
    for word in ["round 3", "address book"] {
        let Ok(Stamped { event: NodeEvent::Warning { message }, .. }) = events.recv().await else { panic!("not told") };
        assert!(message.contains(word), "{message}");
    }
}

#[tokio::test]
async fn a_checkpoint_that_is_gone_is_told_of_and_the_one_before_taken() {
    let directory = tempfile::tempdir().unwrap();
    save(directory.path(), 3);
    save(directory.path(), 4);
    fs::remove_file(checkpoint::path_in(directory.path())).unwrap();
    let home = Arc::new(Home::open(directory.path()).unwrap());
    let (_, found, _, mut events) = registry(&home).await;
    assert_eq!(found, Some(checkpoint(3)));
    let Ok(Stamped { event: NodeEvent::Warning { message }, .. }) = events.recv().await else { panic!("not told") };
    assert!(message.contains("is gone") && message.contains("round 3"), "{message}");
}
