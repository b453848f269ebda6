//! The power of a real file system fails: ext4 on a loop device, shut down under a store that is at work.
//!
//! `QKD_DISK_CUTS=200 cargo test --release -p qkd-node --test disk mounted -- --ignored` makes 200 cuts.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use qkd_bits::PhysicsRng;
use qkd_keystore::StorageError;
use qkd_node::storage::RedbStorage;

use super::pair::{Disk, Pair, SIDES};

/// Cuts of a bounded run.
const CUTS: u64 = 24;

/// Longest time from the beginning of some work to the cut in it.
const CUT_WITHIN: Duration = Duration::from_millis(150);

/// `EXT4_IOC_SHUTDOWN`: `_IOR('X', 125, __u32)`.
const SHUTDOWN: rustix::ioctl::Opcode = 0x8004_587D;

/// Nothing more is written, the journal neither: a power cut.
const NO_LOG_FLUSH: u32 = 2;

/// A file system of its own.
struct Mounted {
    image: PathBuf,
    folder: PathBuf,
}

impl Mounted {
    fn new(place: &Path, name: &str) -> Self {
        let mounted = Self {
            image: place.join(format!("{name}.image")),
            folder: place.join(name),
        };
        File::create(&mounted.image)
            .and_then(|file| file.set_len(48 << 20))
            .unwrap();
        fs::create_dir(&mounted.folder).unwrap();
        run(Command::new("mkfs.ext4").arg("-q").arg(&mounted.image));
        mounted.mount();
        mounted
    }

    fn mount(&self) {
        let mut mount = Command::new("mount");
        run(mount
            .args(["-o", "loop"])
            .arg(&self.image)
            .arg(&self.folder));
    }

    /// Lets the power fail, a while from now.
    fn cut_after(&self, wait: Duration) -> thread::JoinHandle<()> {
        let folder = File::open(&self.folder).unwrap();
        thread::spawn(move || {
            let began = Instant::now();
            while began.elapsed() < wait {
                std::hint::spin_loop();
            }
            shut_down(&folder);
        })
    }

    /// What was on the disk is mounted again.
    fn power_up(&self) {
        run(Command::new("umount").arg(&self.folder));
        self.mount();
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // A test that failed may have left files open.
        let mut umount = Command::new("umount");
        let _ = umount.arg("--lazy").arg(&self.folder).status();
    }
}

impl Disk for Mounted {
    fn storage(&self) -> Result<RedbStorage, StorageError> {
        RedbStorage::open(&self.folder.join("data/keys.redb"))
    }

    fn heal(&self) {}
}

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}");
}

fn shut_down(folder: &File) {
    // SAFETY: the call reads one `u32`, and that is what it is given.
    let call = unsafe { rustix::ioctl::Setter::<SHUTDOWN, u32>::new(NO_LOG_FLUSH) };
    // SAFETY: the call touches no memory of this process but that number.
    unsafe { rustix::ioctl::ioctl(folder, call) }.unwrap();
}

#[test]
#[ignore = "needs root and loop devices"]
fn the_power_of_a_mounted_disk_may_fail_at_any_moment() {
    let cuts = std::env::var("QKD_DISK_CUTS").map_or(CUTS, |text| text.parse().unwrap());
    let place = tempfile::tempdir().unwrap();
    let disks = ["alice", "bob"].map(|name| Mounted::new(place.path(), name));
    let mut rng = PhysicsRng::from_seed(1);
    let mut pair = Pair::on(disks);
    let mut at_work = 0;
    for cut in 0..cuts {
        let side = SIDES[rng.below(2) as usize];
        let wait = CUT_WITHIN.mul_f64(rng.uniform());
        let power = pair.disk(side).cut_after(wait);
        while pair.sealed().is_none() && !power.is_finished() {
            pair.step(&mut rng);
        }
        power.join().unwrap();
        at_work += u64::from(pair.sealed().is_some());
        pair.end(side);
        pair.disk(side).power_up();
        pair.start(side)
            .unwrap_or_else(|error| panic!("cut {cut} at {side}: {error}"));
        pair.connect();
        pair.check_healed(&mut rng);
    }
    println!(
        "{cuts} cuts, {at_work} of them in the middle of a write; {} keys answered",
        pair.keys_answered()
    );
    assert!(pair.keys_answered() > cuts / 4 && at_work > cuts / 10);
}
