//! A random life of two stores.

use qkd_bits::{BitString, PhysicsRng, SecretBits};
use qkd_keystore::{Fault, Input, Side, StoreLimits};

use crate::world::{World, block, key_of, request};

/// A random life of both stores.
pub struct Life {
    pub world: World,
    rng: PhysicsRng,
    blocks: u64,
    /// Blocks that a side has not been handed yet.
    waiting: Vec<(Side, u64)>,
    /// Applications ask at Alice nearly always, so that key changes owner.
    is_one_sided: bool,
    unix_s: u64,
}

impl Life {
    pub fn new(seed: u64) -> Self {
        let limits = StoreLimits {
            blocks_undecided_max: 4,
            material_bytes_max: 4000,
            key_count_max: 20,
            compare_every_s: 5,
            ..StoreLimits::default()
        };
        Self {
            world: World::new(limits),
            rng: PhysicsRng::from_seed(seed),
            blocks: 0,
            waiting: Vec::new(),
            is_one_sided: seed % 2 == 1,
            unix_s: 1_000_000,
        }
    }

    pub fn step(&mut self) {
        let side = self.side();
        // A third of the time many inputs share a commit, and a fault strikes all of them.
        match self.rng.below(30) {
            0 => self.world.hold(true),
            1..4 => self.world.hold(false),
            4..8 => self.world.flush(side),
            _ => {}
        }
        match self.rng.below(100) {
            0..40 => self.world.deliver_message(side),
            40..50 => self.begin_block(),
            50..65 => self.finish_block(),
            65..80 => {
                let number = 1 + self.rng.below(3) as u32;
                let size = 64 + 8 * self.rng.below(30) as u32;
                let leans = self.is_one_sided && self.rng.below(10) > 0;
                let side = if leans { Side::Alice } else { side };
                self.world.request(side, request(number, size));
            }
            80..90 => {
                let count = self.world.fetchable.len() as u64;
                if count > 0 {
                    let index = self.rng.below(count) as usize;
                    self.world.fetch_one(index);
                }
            }
            90..97 => self.world.connect(),
            97 => {
                // Now and then it is time to compare.
                self.unix_s += 1 + self.rng.below(3);
                let unix_s = self.unix_s;
                self.world.input(side, Input::Time { unix_s });
            }
            98 => self.trouble(side),
            _ => {
                let back = self.rng.below(3);
                self.world.abandon(side, back);
            }
        }
    }

    fn trouble(&mut self, side: Side) {
        match self.rng.below(4) {
            0 => self.world.disconnect(),
            1 => self.world.crash(side),
            _ => {
                let fault = if self.rng.bit() {
                    Fault::Lost
                } else {
                    Fault::KeptButReported
                };
                let after = self.rng.below(4);
                self.world.node(side).disk.fail_after(after, fault);
            }
        }
    }

    fn side(&mut self) -> Side {
        if self.rng.bit() {
            Side::Alice
        } else {
            Side::Bob
        }
    }

    fn begin_block(&mut self) {
        self.blocks += 1;
        self.world.begin();
        self.waiting.push((Side::Alice, self.blocks));
        // Now and then only one side ever gets there.
        if self.rng.below(20) > 0 {
            self.waiting.push((Side::Bob, self.blocks));
        }
    }

    fn finish_block(&mut self) {
        if self.waiting.is_empty() {
            return;
        }
        let index = self.rng.below(self.waiting.len() as u64) as usize;
        let (side, number) = self.waiting.swap_remove(index);
        let mut key = key_of(number, 100 + 13 * (number as usize % 100));
        let mut check = number.to_be_bytes();
        if side == Side::Bob && number % 17 == 0 {
            // Verification failed to notice an error.
            key = SecretBits::from(BitString::zeros(key.len()));
            check[0] ^= 1;
        }
        let input = Input::Distilled {
            block: block(number),
            key,
            check,
        };
        self.world.input(side, input);
        if number % 17 == 0 {
            for node in &self.world.nodes {
                assert!(!node.committed.contains(&block(number)));
            }
        }
    }
}
