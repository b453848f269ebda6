//! A man in the middle of the classical channel: Eve is Bob to Alice, and Alice to Bob.
//!
//! She owns what both of them own, but for their pre-shared key, and attenuates her light so that each
//! of the two counts what the whole fibre would give. Without authentication there is nothing to see:
//! that is why the daemons cannot be run without it. This is the one place where it can be left out.

use qkd_auth::{Channel, Handshake, PreSharedKey, Reject, Role};
use qkd_bits::SecretRng;

use crate::{Error, Link, Outcome};

/// What Bob's first words are here; under a tag it does not matter which.
const FIRST_WORDS: &[u8] = b"light is wanted";

/// Whether Alice and Bob authenticate what they say to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Authentication {
    /// Neither tags anything: whoever answers is believed.
    Off,
    /// Every message carries a tag under the key that Alice and Bob share.
    On,
}

/// Eve between the two ends of a link.
#[derive(Debug, Clone)]
pub struct ManInTheMiddle {
    /// The link that Alice and Bob believe in. It is Eve who attacks, so nobody need sit in its fibre.
    pub link: Link,
    /// What they do against her.
    pub authentication: Authentication,
}

/// The two sessions that Eve holds.
pub struct TwoSessions {
    /// Alice's, with Eve in the role of Bob.
    pub with_alice: Outcome,
    /// Bob's, with Eve in the role of Alice.
    pub with_bob: Outcome,
}

impl ManInTheMiddle {
    /// Runs both sessions, if Alice and Bob let her.
    ///
    /// # Errors
    /// [`Error::Forged`] with [`Authentication::On`]: what she says is rejected, and no light is sent.
    /// Else those of [`Link::run`].
    pub fn run(&self) -> Result<TwoSessions, Error> {
        match self.authentication {
            Authentication::Off => {}
            Authentication::On => impersonate(self.link.seed)?,
        }
        // Two sessions that have nothing in common: Eve draws her own bits in both.
        let session = |seed| Link {
            seed,
            ..self.link.clone()
        };
        Ok(TwoSessions {
            with_alice: session(self.link.seed).run()?,
            with_bob: session(!self.link.seed).run()?,
        })
    }
}

/// Eve lets the handshake pass, as she can make none of her own, and then speaks for Bob.
fn impersonate(seed: u64) -> Result<(), Error> {
    let mut root = [0; 32];
    root[..8].copy_from_slice(&seed.to_le_bytes());
    let mut seeds = SecretRng::from_seed(root);
    let shared = seeds.array::<32>();
    let guessed = seeds.array::<32>();
    let (mut alice, _bob) = shake_hands([shared, shared], &mut seeds)?;
    let (_, mut eve) = shake_hands([guessed, guessed], &mut seeds)?;
    let forged = eve.seal(FIRST_WORDS.to_vec())?;
    alice.open(forged)?;
    Ok(())
}

/// Alice's and Bob's channels, when they hold these keys.
fn shake_hands(keys: [[u8; 32]; 2], seeds: &mut SecretRng) -> Result<(Channel, Channel), Error> {
    let [of_alice, of_bob] = keys;
    let key = |bytes: [u8; 32]| PreSharedKey::new(bytes.to_vec().into());
    let mut start = |role, key: PreSharedKey| {
        // Whichever way tags are made: without the key they are not.
        let tags = qkd_auth::Authentication::default();
        Handshake::start(role, &key, tags, Vec::new(), &mut seeds.fork())
    };
    let (alice, opening_a) = start(Role::Alice, key(of_alice)?)?;
    let (bob, opening_b) = start(Role::Bob, key(of_bob)?)?;
    let (alice, proof_a) = alice.receive_opening(opening_b)?;
    let (bob, proof_b) = bob.receive_opening(opening_a)?;
    Ok((alice.receive_proof(&proof_b)?, bob.receive_proof(&proof_a)?))
}

impl From<Reject> for Error {
    fn from(reject: Reject) -> Self {
        Self::Forged(reject)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::presets;

    fn middle(authentication: Authentication) -> ManInTheMiddle {
        let mut link = presets::snspd(25.0, 83).expect("the preset is sound");
        link.block_bits = 200_000;
        ManInTheMiddle {
            link,
            authentication,
        }
    }

    /// The bytes of every key of a session, each the same on both of its sides.
    fn keys(session: &Outcome) -> BTreeSet<Vec<u8>> {
        assert!(session.keys.iter().all(|pair| pair.agrees()));
        let keys = session.keys.iter();
        keys.map(|pair| pair.owner.key.expose().to_vec()).collect()
    }

    #[test]
    fn without_authentication_alice_and_bob_have_two_different_keys_and_eve_has_both() {
        let sessions = middle(Authentication::Off).run().expect("nobody objects");
        // What Alice's operator sees, and what Bob's does: keys, and counts as on any other day.
        for (report, session) in [
            (&sessions.with_alice.alice[0], &sessions.with_alice),
            (&sessions.with_bob.bob[0], &sessions.with_bob),
        ] {
            assert!(report.secret_length_bits() > 0, "{:?}", report.outcome);
            assert_eq!(session.receiver.power_alarms, 0);
        }
        // `keys` says that each of them agrees with Eve.
        let (alices, bobs) = (keys(&sessions.with_alice), keys(&sessions.with_bob));
        assert!(alices.len() > 50 && bobs.len() > 50);
        assert!(alices.is_disjoint(&bobs), "Alice and Bob share a key");
    }

    #[test]
    fn with_authentication_the_man_in_the_middle_gets_nothing() {
        let refused = middle(Authentication::On).run().err();
        assert!(matches!(refused, Some(Error::Forged(Reject::WrongTag))));
    }

    #[test]
    fn eve_cannot_shake_hands_herself() {
        let mut seeds = SecretRng::from_seed([5; 32]);
        assert!(shake_hands([[1; 32]; 2], &mut seeds).is_ok());
        let refused = shake_hands([[1; 32], [2; 32]], &mut seeds).err();
        assert!(matches!(refused, Some(Error::Authentication(_))));
    }
}
