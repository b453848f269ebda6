//! Whether the disk has room for more, asked before a write fails on it.

use std::path::PathBuf;

/// Room on the disk below which nothing new is taken in, while what is there goes on being given. That
/// needs room too, some hundred bytes for each key that the peer assigns and nobody here has fetched yet:
/// with a hundred thousand of them the rest of the disk is not enough for certain, and the key store is
/// sealed when a write fails.
const ROOM_BYTES_MIN: u64 = 64 << 20;

/// Room at which it is taken in again, so that a disk at the edge does not change its mind with every
/// block.
const ROOM_BYTES_AGAIN: u64 = 96 << 20;

/// Says whether the disk has room for more.
pub type RoomCheck = Box<dyn FnMut() -> bool + Send>;

/// Asks the file system of `folder` how much room it has.
pub(crate) fn room_in(folder: PathBuf) -> RoomCheck {
    let mut had_room = true;
    Box::new(move || {
        had_room = match rustix::fs::statvfs(&folder) {
            Ok(found) => has_room(had_room, found.f_bavail.saturating_mul(found.f_frsize)),
            // A file system that does not say is not full for all anybody knows.
            Err(_) => true,
        };
        had_room
    })
}

fn has_room(had_room: bool, free_bytes: u64) -> bool {
    let enough = if had_room {
        ROOM_BYTES_MIN
    } else {
        ROOM_BYTES_AGAIN
    };
    free_bytes >= enough
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_that_was_full_takes_in_again_only_when_it_has_half_as_much_more() {
        let mut had_room = true;
        let seen = [64, 63, 64, 95, 96, 64, 0].map(|mebibytes: u64| {
            had_room = has_room(had_room, mebibytes << 20);
            had_room
        });
        assert_eq!(seen, [true, false, false, false, true, true, false]);
    }
}
