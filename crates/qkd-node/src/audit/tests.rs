//! The log as a node keeps it, and everything that can be done to it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use qkd_bits::SecretBytes;
use qkd_delivery::{Api, Origin};
use qkd_keystore::{KeyId, SaeId};
use tempfile::TempDir;

use super::*;

fn store_key() -> SecretBytes {
    SecretBytes::from(vec![0x5a; 32])
}

/// A folder with a log, and the file of the key that it is under.
struct Place {
    folder: TempDir,
    board: StatusBoard,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let digits = format!("{}\n", "5a".repeat(32));
        crate::secret_file::write_new(&folder.path().join("store.key"), digits.as_bytes()).unwrap();
        Self {
            folder,
            board: StatusBoard::default(),
        }
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join(FILE)
    }

    fn open_with(&self, kept: Option<&[u8]>, bytes_max: u64) -> (AuditLog, Arc<Witness>) {
        let witness = Arc::new(Witness::new(kept));
        let board = (self.board.clone(), bytes_max);
        let log = AuditLog::open_with(
            self.folder.path(),
            ChainKey::derive(&store_key()),
            witness.clone(),
            board,
        )
        .unwrap();
        (log, witness)
    }

    fn open(&self) -> AuditLog {
        self.open_with(None, FILE_BYTES_MAX).0
    }

    fn verify(&self) -> Findings {
        let files = files_in(self.folder.path()).unwrap();
        verify(&self.folder.path().join("store.key"), &files).unwrap()
    }

    fn alarms(&self) -> Vec<String> {
        self.board.alarms(&qkd_keystore::Health::Sound)
    }
}

fn grant(log: &AuditLog, number: u8) -> Written<'_> {
    log.granted(&Grant {
        api: Api::Grpc,
        call: "GetKey",
        caller: &SaeId::new("a").unwrap(),
        partners: &[SaeId::new("b").unwrap()],
        origin: &Origin::default(),
        key_ids: &[KeyId::from_bytes([number; 16])],
        size_bits: 256,
    })
}

/// A log of so many deliveries.
async fn written(place: &Place, deliveries: u8) {
    let log = place.open();
    for number in 0..deliveries {
        grant(&log, number).await.unwrap();
    }
}

#[tokio::test]
async fn a_log_goes_on_after_a_restart_and_is_nobody_elses() {
    let place = Place::new();
    written(&place, 3).await;
    written(&place, 2).await;
    let findings = place.verify();
    // One line says that the log began.
    assert_eq!((findings.lines, findings.first), (6, Some(1)));
    assert_eq!(findings.last.as_ref().unwrap().0, 6);
    assert!(findings.is_sound(), "{findings:?}");
    let mode = fs::metadata(place.log()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let text = fs::read_to_string(place.log()).unwrap();
    let id = KeyId::from_bytes([1; 16]).to_string();
    assert_eq!(text.matches(&id).count(), 2, "once in each life");
    for line in text.lines() {
        let value: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(value["mac"].as_str().unwrap().len(), 64);
    }
    fs::set_permissions(place.log(), fs::Permissions::from_mode(0o644)).unwrap();
    let witness = Arc::new(Witness::default());
    let error = AuditLog::open(
        place.folder.path(),
        ChainKey::derive(&store_key()),
        witness,
        place.board.clone(),
    );
    assert!(error.err().unwrap().to_string().contains("chmod 600"));
}

#[tokio::test]
async fn every_edit_gap_and_change_of_order_is_found_where_it_is() {
    let place = Place::new();
    written(&place, 5).await;
    let whole = fs::read_to_string(place.log()).unwrap();
    let lines: Vec<&str> = whole.split_inclusive('\n').collect();
    let without = |at: usize| [&lines[..at], &lines[at + 1..]].concat().concat();
    let mut swapped = lines.clone();
    swapped.swap(2, 3);
    let mut twice = lines.clone();
    twice.insert(3, lines[2]);
    let edited = whole.replacen("\"size_bits\":256", "\"size_bits\":128", 1);
    for (what, text, place_of) in [
        ("edited", edited, "line 2"),
        ("one left out", without(3), "line 4"),
        ("the first left out", without(0), "line"),
        ("swapped", swapped.concat(), "line"),
        ("twice", twice.concat(), "line 4"),
        ("added", format!("{whole}{}", lines[1]), "line 7"),
    ] {
        fs::write(place.log(), text).unwrap();
        let findings = place.verify();
        assert!(!findings.is_sound(), "{what}");
        assert!(
            findings.faults[0].contains(place_of),
            "{what}: {findings:?}"
        );
    }
    // A line of another log under another key.
    let other = Place::new();
    let witness = Arc::new(Witness::default());
    let key = SecretBytes::from(vec![1; 32]);
    let log = AuditLog::open(
        other.folder.path(),
        ChainKey::derive(&key),
        witness,
        other.board.clone(),
    )
    .unwrap();
    grant(&log, 0).await.unwrap();
    drop(log);
    assert!(!other.verify().is_sound());
}

#[tokio::test]
async fn a_line_torn_at_any_byte_is_kept_marked_and_the_log_goes_on() {
    let place = Place::new();
    written(&place, 2).await;
    let whole = fs::read(place.log()).unwrap();
    let last = whole[..whole.len() - 1]
        .iter()
        .rposition(|b| *b == b'\n')
        .unwrap()
        + 1;
    for length in (last + 1..whole.len()).step_by(7).chain([whole.len() - 1]) {
        fs::write(place.log(), &whole[..length]).unwrap();
        let findings = place.verify();
        assert_eq!(findings.torn_tail_bytes, (length - last) as u64);
        assert_eq!((findings.lines, findings.is_sound()), (2, true));
        drop(place.open());
        let findings = place.verify();
        // A line that lacks nothing but its end is one once it has it.
        let torn = u64::from(length < whole.len() - 1);
        assert_eq!(
            (findings.torn, findings.torn_tail_bytes),
            (torn, 0),
            "{length}"
        );
        assert!(findings.is_sound(), "{length}: {findings:?}");
        let text = fs::read(place.log()).unwrap();
        assert!(text.starts_with(&whole[..length]), "nothing is dropped");
    }
    // What is put in place of the torn bytes is not what was marked.
    fs::write(place.log(), &whole[..whole.len() - 9]).unwrap();
    drop(place.open());
    assert_eq!(place.verify().torn, 1);
    let text = fs::read_to_string(place.log()).unwrap();
    let id = KeyId::from_bytes([1; 16]).to_string();
    let forged = text.replace(&id, &KeyId::from_bytes([9; 16]).to_string());
    assert_ne!(text, forged);
    fs::write(place.log(), forged).unwrap();
    assert!(!place.verify().is_sound());
}

#[tokio::test]
async fn a_tail_that_is_cut_off_is_found_by_what_the_key_store_kept() {
    let place = Place::new();
    let (log, witness) = place.open_with(None, FILE_BYTES_MAX);
    for number in 0..4 {
        grant(&log, number).await.unwrap();
    }
    drop(log);
    let kept = witness.bytes().unwrap();
    let whole = fs::read_to_string(place.log()).unwrap();
    let lines: Vec<&str> = whole.split_inclusive('\n').collect();
    drop(place.open_with(Some(&kept), FILE_BYTES_MAX));
    assert!(place.alarms().is_empty(), "{:?}", place.alarms());
    fs::write(place.log(), lines[..3].concat()).unwrap();
    assert!(place.verify().is_sound(), "the chain alone cannot tell");
    drop(place.open_with(Some(&kept), FILE_BYTES_MAX));
    let alarm = place.alarms().concat();
    assert!(
        alarm.contains("line 3") && alarm.contains("line 5"),
        "{alarm}"
    );
    let findings = place.verify();
    assert!(!findings.is_sound(), "the gap stays to be seen");
    let last = findings.last.unwrap().0;
    assert!(last > 5, "no number is used twice: {last}");
}

#[tokio::test]
async fn files_follow_each_other_and_one_that_is_missing_is_named() {
    let place = Place::new();
    let (log, _) = place.open_with(None, 2000);
    for number in 0..20 {
        grant(&log, number).await.unwrap();
    }
    drop(log);
    let files = files_in(place.folder.path()).unwrap();
    assert!(files.len() >= 3, "{files:?}");
    let findings = place.verify();
    assert!(findings.is_sound(), "{findings:?}");
    assert_eq!(findings.lines, 20 + files.len() as u64);
    fs::remove_file(&files[1]).unwrap();
    let findings = place.verify();
    assert!(
        findings.faults[0].contains("a file between them is missing"),
        "{findings:?}"
    );
}

#[tokio::test]
async fn nothing_is_acknowledged_while_the_log_cannot_be_written_and_it_resumes_by_itself() {
    let place = Place::new();
    let log = place.open();
    grant(&log, 0).await.unwrap();
    let aside = place.folder.path().join("moved");
    fs::rename(place.log(), &aside).unwrap();
    fs::create_dir(place.log()).unwrap();
    assert!(grant(&log, 1).await.is_err());
    assert!(log.check().is_err());
    assert!(place.alarms().concat().contains(ALARM));
    fs::remove_dir(place.log()).unwrap();
    fs::rename(&aside, place.log()).unwrap();
    while log.check().is_err() {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    grant(&log, 2).await.unwrap();
    drop(log);
    assert!(place.alarms().is_empty(), "{:?}", place.alarms());
    let text = fs::read_to_string(place.log()).unwrap();
    assert!(text.contains("\"event\":\"writing-resumed\""));
    assert!(!text.contains(&KeyId::from_bytes([1; 16]).to_string()));
    assert!(place.verify().is_sound());
}

#[tokio::test]
async fn what_strangers_cause_is_counted_and_fills_no_disk() {
    let place = Place::new();
    let log = place.open();
    for _ in 0..10_000 {
        let reason = "x".repeat(10_000);
        let event = Event::new(Kind::ConnectionRefused).text("reason", &reason);
        log.note_often("etsi014", event);
    }
    drop(log);
    let bytes = fs::metadata(place.log()).unwrap().len();
    assert!(bytes < 20_000, "{bytes} bytes");
}
