//! Authentication: envelopes of the classical channel, sealed and opened.
//!
//! Beside them the bare hash of the same bytes, in turns: what the channel adds is what is missing
//! to 1.

use std::time::Duration;

use qkd_auth::{Authentication, Channel, Handshake, PreSharedKey, Role};
use qkd_bits::SecretRng;
use sha2::{Digest, Sha256};

use super::args::Case;
use super::draw::generators;
use super::row::Row;
use super::sample::{Batches, Samples, batch, spent};
use crate::bench::fault::Fault;

/// Bits that are timed together at least.
const BATCH_BITS_MIN: usize = 1 << 20;

/// The rows of a case, one for each way to tag: of a bit that is sealed, or opened, on average.
///
/// # Errors
/// When the two ends do not agree.
pub fn measure(case: &Case) -> Result<Vec<Row>, Fault> {
    let rows = Authentication::ALL.map(|authentication| row(case, authentication));
    rows.into_iter().collect()
}

fn row(case: &Case, authentication: Authentication) -> Result<Row, Fault> {
    let (mut keys, _) = generators(case);
    let (mut alice, mut bob) = channel(authentication, &mut keys)?;
    let (mut samples, mut hashes, mut blocks) = (Samples::default(), Samples::default(), 0);
    let bytes = case.block_bits.div_ceil(8);
    for size in Batches::new(case.effort, batch(case.block_bits, BATCH_BITS_MIN)) {
        let draw = |_| keys.public_bits(8 * bytes).to_bytes();
        let payloads: Vec<Vec<u8>> = (0..size).map(draw).collect();
        let bits = 8 * bytes * payloads.len();
        let before = hashing(&payloads);
        let (sealed, sealing) = spent(|| {
            let sealed = payloads.into_iter().map(|payload| alice.seal(payload));
            sealed.collect::<Result<Vec<_>, _>>()
        });
        let sealed = sealed?;
        let (opened, opening) = spent(|| {
            let opened = sealed.into_iter().map(|envelope| bob.open(envelope));
            opened.collect::<Result<Vec<_>, _>>()
        });
        let payloads = opened.map_err(|_| Fault::Wrong {
            stage: "authenticate",
            what: "a genuine envelope was rejected",
        })?;
        hashes.add(2 * bits, before + hashing(&payloads));
        samples.add(2 * bits, sealing + opening);
        blocks += size;
    }
    Ok(Row {
        authentication: Some(authentication.name()),
        ratio_to_hash: Some(hashes.median_ratio(&samples)),
        ..Row::new(case, blocks, &samples)
    })
}

/// The time that the bare hash of every payload takes. Asked before and after, so that neither side of
/// the ratio always finds the payloads where the other one has left them.
fn hashing(payloads: &[Vec<u8>]) -> Duration {
    let ((), time) = spent(|| {
        for payload in payloads {
            std::hint::black_box(Sha256::digest(payload));
        }
    });
    time
}

/// Both ends of a channel after their handshake.
fn channel(
    authentication: Authentication,
    keys: &mut SecretRng,
) -> Result<(Channel, Channel), Fault> {
    let pre_shared = PreSharedKey::new(keys.bytes(32))?;
    let mut start = |role| Handshake::start(role, &pre_shared, authentication, Vec::new(), keys);
    let (alice, opening_a) = start(Role::Alice)?;
    let (bob, opening_b) = start(Role::Bob)?;
    let (alice, proof_a) = alice.receive_opening(opening_b)?;
    let (bob, proof_b) = bob.receive_opening(opening_a)?;
    Ok((alice.receive_proof(&proof_b)?, bob.receive_proof(&proof_a)?))
}
