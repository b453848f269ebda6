//! What Alice's diodes said, slot by slot, until a block is asked for.

use std::collections::VecDeque;
use std::ops::Range;

use crate::{Alarm, Monitor};

/// Stretches that are remembered. More of them than this are told apart no better than to a neighbour:
/// light that flickers buys nobody memory.
const STRETCHES_MAX: usize = 1024;

/// Stretches of slots in which the diodes said the same.
#[derive(Default)]
pub(super) struct AlarmLog {
    /// By rising slots.
    stretches: VecDeque<Stretch>,
}

struct Stretch {
    slots: Range<u64>,
    /// Of each monitor one: the worst, where stretches could not be told apart.
    said: Vec<Alarm>,
}

impl AlarmLog {
    /// Notes what was said of these slots, which follow all that were noted.
    pub fn note(&mut self, slots: Range<u64>, said: &[Alarm]) {
        if said.is_empty() {
            return;
        }
        let full = self.stretches.len() >= STRETCHES_MAX;
        match self.stretches.back_mut() {
            Some(last) if last.slots.end == slots.start && last.said == said => {
                last.slots.end = slots.end;
            }
            Some(last) if full => {
                last.slots.end = slots.end;
                merge(&mut last.said, said);
            }
            Some(_) | None => self.stretches.push_back(Stretch {
                slots,
                said: said.to_vec(),
            }),
        }
    }

    /// The worst of each monitor in these slots; what is before their end is forgotten. What lasts longer
    /// is said again next time.
    pub fn take(&mut self, slots: Range<u64>) -> Vec<Alarm> {
        let mut worst = Vec::new();
        while let Some(first) = self.stretches.front_mut() {
            if first.slots.start >= slots.end {
                break;
            }
            if first.slots.end > slots.start {
                merge(&mut worst, &first.said);
            }
            if first.slots.end > slots.end {
                first.slots.start = slots.end;
                break;
            }
            self.stretches.pop_front();
        }
        worst
    }
}

/// Keeps of each monitor the alarm that is farthest above its limit.
fn merge(worst: &mut Vec<Alarm>, said: &[Alarm]) {
    let of = |worst: &[Alarm], monitor: Monitor| worst.iter().position(|it| it.monitor == monitor);
    for alarm in said {
        match of(worst, alarm.monitor) {
            None => worst.push(*alarm),
            Some(at) if worst[at].observed < alarm.observed => worst[at] = *alarm,
            Some(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bright(observed: f64) -> Alarm {
        Alarm {
            monitor: Monitor::BackwardLight,
            observed,
            expected: 0.0,
            limit: 10.0,
        }
    }

    fn observed(log: &mut AlarmLog, slots: Range<u64>) -> Vec<f64> {
        let alarms = log.take(slots);
        alarms.iter().map(|alarm| alarm.observed).collect()
    }

    #[test]
    fn a_block_is_told_the_worst_of_its_own_slots_and_what_lasts_is_told_to_the_next_too() {
        let mut log = AlarmLog::default();
        log.note(0..100, &[]);
        log.note(100..200, &[bright(20.0)]);
        log.note(200..300, &[bright(50.0)]);
        log.note(500..600, &[bright(30.0)]);
        assert_eq!(observed(&mut log, 0..100), [0.0; 0]);
        assert_eq!(observed(&mut log, 100..250), [50.0]);
        assert_eq!(observed(&mut log, 250..550), [50.0]);
        assert_eq!(observed(&mut log, 550..600), [30.0]);
        assert_eq!(observed(&mut log, 600..u64::MAX), [0.0; 0]);
    }

    /// One piece of light after the other, of two brightnesses.
    #[test]
    fn a_block_is_told_nothing_of_the_slots_of_its_neighbours_nor_of_those_between_them() {
        let mut log = AlarmLog::default();
        log.note(0..100, &[bright(90.0)]);
        log.note(100..200, &[bright(20.0)]);
        log.note(200..300, &[bright(20.0)]);
        log.note(300..400, &[bright(80.0)]);
        log.note(500..600, &[bright(70.0)]);
        assert_eq!(log.stretches.len(), 4);
        assert_eq!(observed(&mut log, 100..250), [20.0]);
        assert_eq!(observed(&mut log, 250..300), [20.0]);
        // What sounded between this block and the last is in neither.
        assert_eq!(observed(&mut log, 450..500), [0.0; 0]);
        assert_eq!(observed(&mut log, 600..700), [0.0; 0]);
        assert!(log.stretches.is_empty());
    }

    #[test]
    fn light_that_flickers_takes_no_more_room_than_there_is() {
        let mut log = AlarmLog::default();
        for at in 0..10_000 {
            log.note(2 * at..2 * at + 1, &[bright(at as f64)]);
        }
        assert_eq!(log.stretches.len(), STRETCHES_MAX);
        assert_eq!(observed(&mut log, 0..u64::MAX), [9_999.0]);
    }
}
