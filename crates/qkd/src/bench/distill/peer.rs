//! Privacy amplification by cryptomite, a library of PyPI, in turns with ours.
//!
//! Its Toeplitz extractor multiplies all n bits of the input with an m × n Toeplitz matrix, so it
//! takes n + m − 1 seed bits; ours keeps the first m bits and multiplies the others, with n − 1 seed
//! bits. Both families are universal and give m bits of n, and that is what the ratio compares. To
//! compare results bit for bit, ours also computes the product with cryptomite's matrix: of the input
//! behind m zeros, with the seed turned. That is timed as well.
//!
//! C. Foreman et al., "Cryptomite", arXiv:2402.09481, describes it.

use qkd_bits::{BitString, SecretBits};
use qkd_distill::{seed_bits, toeplitz_hash};
use serde::Serialize;

use super::amplify::output_bits;
use super::args::{Case, DistillBenchArgs, Effort, Stage};
use super::draw::generators;
use super::python::{Cryptomite, Task};
use super::report::{aligned, lines_of};
use super::sample::{Samples, batch, median, spent};
use crate::bench::fault::Fault;
use crate::words::{grouped, three_digits};

/// Turns of each size; the figures are medians.
const TURNS: usize = 5;

/// Bits that are timed together at least.
const BATCH_BITS_MIN: usize = 1 << 18;

const INSTALL: &str = "python3 -m pip install cryptomite";

/// What came of the comparison.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Peer {
    name: &'static str,
    /// Its method that is timed.
    extractor: &'static str,
    version: Option<String>,
    python: Option<String>,
    /// Why it could not be timed, or not to the end; `null` when it was.
    absent: Option<String>,
    /// How to get it.
    install: &'static str,
    rows: Vec<PeerRow>,
}

/// One size.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PeerRow {
    /// n: input bits, of both.
    block_bits: usize,
    /// m: output bits, of both.
    output_bits: usize,
    /// Seed bits of ours: n − 1.
    seed_bits: usize,
    /// Seed bits of the peer: n + m − 1.
    peer_seed_bits: usize,
    turns: usize,
    /// Input bits per second of one core: ours.
    throughput_bps: f64,
    /// The peer's.
    peer_throughput_bps: f64,
    /// Ours computing the peer's product.
    same_matrix_throughput_bps: f64,
    /// The peer's time over ours, of each turn; the median.
    ratio: f64,
    /// The same where ours computes the peer's product.
    same_matrix_ratio: f64,
    /// Whether ours and the peer's product were the same in every bit, in every turn.
    results_equal: bool,
}

impl Peer {
    /// Nothing measured yet, with cryptomite or the reason that there is none.
    pub fn new(cryptomite: &Result<Cryptomite, String>) -> Self {
        let there = cryptomite.as_ref().ok();
        Self {
            name: "cryptomite",
            extractor: "Toeplitz",
            version: there.map(|it| it.ready.version.clone()),
            python: there.map(|it| it.ready.python.clone()),
            absent: cryptomite.as_ref().err().cloned(),
            install: INSTALL,
            rows: Vec::new(),
        }
    }

    /// Why there is nothing to compare with, and what helps.
    pub fn complaint(&self) -> Option<String> {
        let reason = self.absent.as_ref()?;
        Some(format!(
            "No cryptomite to compare with: {reason}. `{INSTALL}` installs it."
        ))
    }

    /// Adds a size. One that fails is the last one.
    ///
    /// # Errors
    /// When ours refuses its input.
    pub async fn add(
        &mut self,
        cryptomite: &mut Cryptomite,
        args: &DistillBenchArgs,
        block_bits: usize,
    ) -> Result<Option<String>, Fault> {
        match turns(cryptomite, args, block_bits).await? {
            Ok(row) => {
                let line = row.line();
                self.rows.push(row);
                Ok(Some(line))
            }
            Err(reason) => {
                self.absent = Some(reason);
                Ok(None)
            }
        }
    }

    /// For people.
    pub fn table(&self) -> String {
        let mut text = String::new();
        if !self.rows.is_empty() {
            let titles = ["cryptomite", "from", "to", "its", "ours", "times", "times"];
            let units = ["", "bits", "bits", "Mb/s", "Mb/s", "faster", "same matrix"];
            let mut lines = [titles, units]
                .map(|line| line.map(str::to_owned).to_vec())
                .to_vec();
            lines.extend(self.rows.iter().map(PeerRow::cells));
            text.push_str(&aligned(&lines, &[0]));
            text.push('\n');
            let version = self.version.as_deref().unwrap_or("?");
            text.push_str(&lines_of(&format!(
                "cryptomite {version} of PyPI, its Toeplitz extractor, in {TURNS} turns with ours. It \
                 takes n + m − 1 seed bits to multiply all n bits, ours n − 1 to multiply all but the \
                 first m. Computing its product, ours gave {}.",
                match self.rows.iter().all(|row| row.results_equal) {
                    true => "the same bits",
                    false => "OTHER BITS: one of the two is wrong",
                }
            )));
        }
        text.push_str(&self.complaint().map_or(String::new(), |it| lines_of(&it)));
        text
    }
}

impl PeerRow {
    fn line(&self) -> String {
        format!(
            "cryptomite {} bits: {} times faster than its {} Mb/s",
            grouped(self.block_bits as u64),
            three_digits(self.ratio),
            three_digits(self.peer_throughput_bps / 1e6)
        )
    }

    fn cells(&self) -> Vec<String> {
        vec![
            "Toeplitz".to_owned(),
            grouped(self.block_bits as u64),
            grouped(self.output_bits as u64),
            three_digits(self.peer_throughput_bps / 1e6),
            three_digits(self.throughput_bps / 1e6),
            three_digits(self.ratio),
            three_digits(self.same_matrix_ratio),
        ]
    }
}

/// One size, both in turns; the inner error is the peer's.
async fn turns(
    cryptomite: &mut Cryptomite,
    args: &DistillBenchArgs,
    block_bits: usize,
) -> Result<Result<PeerRow, String>, Fault> {
    let case = Case {
        stage: Stage::Amplify,
        block_bits,
        qber: 0.0,
        ratio: args.ratio,
        effort: Effort::Blocks(1),
        seed: args.seed,
    };
    let (mut keys, _) = generators(&case);
    let output_bits = output_bits(block_bits, args.ratio);
    let [mut ours, mut same, mut theirs] = [const { Vec::new() }; 3];
    let mut results_equal = true;
    for _ in 0..TURNS {
        let task = Task {
            input: keys.public_bits(block_bits),
            seed: keys.public_bits(block_bits + output_bits - 1),
            output_bits,
        };
        let (output, time) = match cryptomite.extract(&task).await {
            Ok(answer) => answer,
            Err(reason) => return Ok(Err(reason)),
        };
        let mut sample = Samples::default();
        sample.add(block_bits, time);
        theirs.push(sample.median_ns_per_bit());
        let seed = keys.public_bits(seed_bits(block_bits));
        let key = SecretBits::from(task.input.clone());
        ours.push(timed(block_bits, || toeplitz_hash(&key, output_bits, &seed))?.1);
        let (key, seed) = peers_product(&task);
        let (product, ns_per_bit) = timed(block_bits, || toeplitz_hash(&key, output_bits, &seed))?;
        same.push(ns_per_bit);
        results_equal &= product.expose() == &output;
    }
    let ratio = |ours: &[f64]| {
        let ratios: Vec<f64> = theirs.iter().zip(ours).map(|(it, us)| it / us).collect();
        median(&ratios)
    };
    Ok(Ok(PeerRow {
        block_bits,
        output_bits,
        seed_bits: seed_bits(block_bits),
        peer_seed_bits: block_bits + output_bits - 1,
        turns: TURNS,
        throughput_bps: 1e9 / median(&ours),
        peer_throughput_bps: 1e9 / median(&theirs),
        same_matrix_throughput_bps: 1e9 / median(&same),
        ratio: ratio(&ours),
        same_matrix_ratio: ratio(&same),
        results_equal,
    }))
}

/// The result, and nanoseconds per bit; small blocks are hashed several times. The first time, which
/// gives the result, is not timed: the peer's is not either.
fn timed(
    block_bits: usize,
    hash: impl Fn() -> Result<SecretBits, qkd_distill::Error>,
) -> Result<(SecretBits, f64), Fault> {
    let times = batch(block_bits, BATCH_BITS_MIN) as usize;
    let result = hash()?;
    let (done, time) =
        spent(|| (0..times).try_for_each(|_| hash().map(|key| drop(std::hint::black_box(key)))));
    done?;
    let mut sample = Samples::default();
    sample.add(times * block_bits, time);
    Ok((result, sample.median_ns_per_bit()))
}

/// Key and seed with which ours computes the peer's product.
///
/// The peer's matrix is T\[i\]\[j\] = t\[i − j\] for j ≤ i and t\[m + n − 1 − (j − i)\] for j > i, of
/// n + m − 1 seed bits t. Ours is s\[i − j + n − 1\] when n bits come behind the m that it adds.
fn peers_product(task: &Task) -> (SecretBits, BitString) {
    let (n, m) = (task.input.len(), task.output_bits);
    let mut key = BitString::zeros(m);
    key.append(&task.input);
    let mut seed = task.seed.slice(m..m + n - 1);
    seed.append(&task.seed.slice(0..m));
    (SecretBits::from(key), seed)
}

#[cfg(test)]
mod tests {
    use qkd_bits::SecretRng;

    use super::*;

    /// The peer's product from the definition of its matrix.
    fn schoolbook(task: &Task) -> BitString {
        let (n, m) = (task.input.len(), task.output_bits);
        let entry = |i: usize, j: usize| match i.checked_sub(j) {
            Some(below) => task.seed.get(below),
            None => task.seed.get(m + n - 1 - (j - i)),
        };
        let bit = |i: usize| (0..n).fold(false, |sum, j| sum ^ (entry(i, j) && task.input.get(j)));
        (0..m).map(bit).collect()
    }

    #[test]
    fn the_peers_product_is_one_of_ours() {
        let mut rng = SecretRng::from_seed([1; 32]);
        for (n, output_bits) in [(1, 1), (7, 3), (64, 64), (130, 65), (300, 299)] {
            let task = Task {
                input: rng.public_bits(n),
                seed: rng.public_bits(n + output_bits - 1),
                output_bits,
            };
            let (key, seed) = peers_product(&task);
            let product = toeplitz_hash(&key, output_bits, &seed).unwrap();
            assert!(
                product.expose() == &schoolbook(&task),
                "{n} to {output_bits}"
            );
        }
    }

    #[test]
    fn without_cryptomite_the_report_says_what_is_missing_and_how_to_get_it() {
        let peer = Peer::new(&Err("python3 says: ModuleNotFoundError".to_owned()));
        let table = peer.table().replace('\n', " ");
        for words in ["ModuleNotFoundError", "pip install cryptomite"] {
            assert!(table.contains(words), "{table}");
        }
        assert!(peer.rows.is_empty());
    }
}
