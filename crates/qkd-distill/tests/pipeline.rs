//! The whole chain as a session runs it, through the public interface alone.

// Helpers of tests may panic as the tests do.
#![allow(clippy::unwrap_used)]

use qkd_bits::{BitString, PhysicsRng, SecretRng};
use qkd_distill::{
    CHECK_PAD_BITS, CascadeAlice, CascadeBob, CascadePlan, ReconciledKey, SiftedKey, Step,
    seed_bits,
};

const KEY_BITS: usize = 100_000;
const ERRORS: usize = 2_000;

fn reconciled(rng: &mut SecretRng) -> (ReconciledKey, ReconciledKey) {
    let alice = rng.public_bits(KEY_BITS);
    let mut bob = alice.clone();
    let mut nature = PhysicsRng::from_seed(1);
    while bob.hamming_distance(&alice) < ERRORS {
        bob.flip(nature.below(KEY_BITS as u64) as usize);
    }
    let plan = CascadePlan {
        key_bits: KEY_BITS,
        prior_qber: 0.02,
        seed: rng.array(),
    };
    let mut alice = CascadeAlice::new(SiftedKey::new(alice.into()), plan.clone()).unwrap();
    let mut bob = CascadeBob::new(SiftedKey::new(bob.into()), plan).unwrap();
    let mut parities = alice.begin();
    loop {
        let comparison = bob.compare(&parities).unwrap();
        match alice.answer(&comparison.differs).unwrap() {
            Step::Parities(next) => parities = next,
            Step::Finished => break,
        }
    }
    (alice.finish().unwrap(), bob.finish().unwrap())
}

#[test]
fn two_noisy_keys_become_one_confirmed_secret_key() {
    let mut rng = SecretRng::from_seed([1; 32]);
    let (mut alice, bob) = reconciled(&mut rng);
    let hash_key = rng.array();
    let tag = alice.tag(hash_key);
    let bob = bob.verify(hash_key, &tag).unwrap();
    let alice = alice.confirmed_by_peer().unwrap();
    assert_eq!(alice.disclosed(), bob.disclosed());

    let length = 40_000;
    let seed = rng.public_bits(seed_bits(KEY_BITS));
    let alice = alice.amplify(length, &seed).unwrap();
    let bob = bob.amplify(length, &seed).unwrap();

    let point = rng.array();
    let (alice, value) = alice.confirmation(b"block 7", point).unwrap();
    let (mut bob, peer_value) = bob.confirmation(b"block 7", point).unwrap();
    assert!(value.matches(&peer_value));
    assert_eq!(alice.len(), length as usize - CHECK_PAD_BITS);

    let refresh = bob.split_off(256).unwrap();
    let mut joined: BitString = bob.into_bits().expose().clone();
    joined.append(refresh.expose());
    assert!(alice.into_bits().expose() == &joined);
}

/// Two sides that amplify with different seeds hold different keys, and confirmation says so.
#[test]
fn a_disagreement_after_verification_is_found_by_confirmation() {
    let mut rng = SecretRng::from_seed([2; 32]);
    let (mut alice, bob) = reconciled(&mut rng);
    let tag = alice.tag([0x5a; 16]);
    let bob = bob.verify([0x5a; 16], &tag).unwrap();
    let alice = alice.confirmed_by_peer().unwrap();
    let seed = rng.public_bits(seed_bits(KEY_BITS));
    let mut other = seed.clone();
    other.flip(KEY_BITS / 2);
    let a = alice.amplify(1000, &seed).unwrap();
    let b = bob.amplify(1000, &other).unwrap();
    let (_, value) = a.confirmation(b"block 7", [3; 16]).unwrap();
    let (_, peer_value) = b.confirmation(b"block 7", [3; 16]).unwrap();
    assert!(!value.matches(&peer_value));
}

#[test]
fn a_tampered_tag_destroys_the_block_but_not_the_count() {
    let mut rng = SecretRng::from_seed([3; 32]);
    let (mut alice, bob) = reconciled(&mut rng);
    let mut tag = alice.tag([1; 16]);
    tag.0[15] ^= 0x80;
    let failed = bob.verify([1; 16], &tag).err().unwrap();
    assert_eq!(failed.disclosed, alice.disclosed());
}
