//! From two openings and a pre-shared key to a channel, one type per state.

use hmac::Mac;
use qkd_bits::SecretRng;
use sha2::{Digest, Sha256};

use crate::schedule::{Binding, Root, mac};
use crate::{Authentication, Channel, Error, PreSharedKey, Role};

/// Version of handshake, key schedule, envelopes and of the messages in them.
pub const VERSION: u32 = 4;

/// Bytes of a handshake nonce.
pub const NONCE_BYTES: usize = 32;

/// Bytes of link parameters that an opening may carry.
pub const PARAMETERS_BYTES_MAX: usize = 64 * 1024;

/// First message of each side. The peer's [`Proof`] shows later whether it arrived unaltered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opening {
    /// The sender's [`VERSION`].
    pub version: u32,
    /// Fresh random bytes.
    pub nonce: [u8; NONCE_BYTES],
    /// Canonical text of the sender's link parameters, opaque here.
    pub parameters: Vec<u8>,
}

/// Second message of each side: shows that the sender holds the key and saw both openings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// HMAC-SHA-256 over the hash of both openings.
    pub tag: [u8; 32],
}

/// Our opening is made, the peer's is awaited.
pub struct Handshake {
    role: Role,
    psk: PreSharedKey,
    authentication: Authentication,
    opening: Opening,
}

/// Both openings are known, the peer's proof is awaited.
pub struct Keyed {
    role: Role,
    root: Root,
    authentication: Authentication,
    transcript: [u8; 32],
    peer_parameters: Vec<u8>,
}

impl Handshake {
    /// Begins a handshake towards a channel whose envelopes are tagged by `authentication`. The
    /// opening goes to the peer; it is up to the caller to say in `parameters` which way to tag this
    /// side has, and to hang up on a peer that has the other one.
    ///
    /// # Errors
    /// [`Error::ParametersTooLong`] above [`PARAMETERS_BYTES_MAX`].
    pub fn start(
        role: Role,
        psk: &PreSharedKey,
        authentication: Authentication,
        parameters: Vec<u8>,
        rng: &mut SecretRng,
    ) -> Result<(Self, Opening), Error> {
        check_parameters(&parameters)?;
        let opening = Opening {
            version: VERSION,
            nonce: rng.array(),
            parameters,
        };
        let handshake = Self {
            role,
            psk: psk.duplicate(),
            authentication,
            opening: opening.clone(),
        };
        Ok((handshake, opening))
    }

    /// Takes the peer's opening. The proof goes to the peer.
    ///
    /// # Errors
    /// [`Error::VersionMismatch`], [`Error::ReflectedOpening`] or [`Error::ParametersTooLong`];
    /// the handshake is over then.
    pub fn receive_opening(self, theirs: Opening) -> Result<(Keyed, Proof), Error> {
        let ours = &self.opening;
        if theirs.version != ours.version {
            return Err(Error::VersionMismatch {
                ours: ours.version,
                theirs: theirs.version,
            });
        }
        if theirs.nonce == ours.nonce {
            return Err(Error::ReflectedOpening);
        }
        check_parameters(&theirs.parameters)?;
        let (alice, bob) = match self.role {
            Role::Alice => (ours, &theirs),
            Role::Bob => (&theirs, ours),
        };
        let transcript = transcript(alice, bob);
        let root = Root::first(
            self.psk.expose(),
            &Binding {
                nonces: &[alice.nonce, bob.nonce].concat(),
                transcript: &transcript,
            },
        );
        let proof = Proof {
            tag: mac(root.proof_key(self.role).expose(), &[&transcript])
                .finalize()
                .into_bytes()
                .into(),
        };
        let keyed = Keyed {
            role: self.role,
            root,
            authentication: self.authentication,
            transcript,
            peer_parameters: theirs.parameters,
        };
        Ok((keyed, proof))
    }
}

impl Keyed {
    /// Takes the peer's proof; from here on its opening is known to be genuine.
    ///
    /// # Errors
    /// [`Error::WrongKey`] when the proof does not fit.
    pub fn receive_proof(self, proof: &Proof) -> Result<Channel, Error> {
        let key = self.root.proof_key(self.role.peer());
        mac(key.expose(), &[&self.transcript])
            .verify_slice(&proof.tag)
            .map_err(|_| Error::WrongKey)?;
        Ok(Channel::new(
            self.role,
            self.root,
            self.authentication,
            self.transcript,
            self.peer_parameters,
        ))
    }
}

fn check_parameters(parameters: &[u8]) -> Result<(), Error> {
    if parameters.len() > PARAMETERS_BYTES_MAX {
        return Err(Error::ParametersTooLong {
            bytes: parameters.len(),
            max: PARAMETERS_BYTES_MAX,
        });
    }
    Ok(())
}

/// SHA-256 over both openings, Alice's first, every field of fixed or stated length.
fn transcript(alice: &Opening, bob: &Opening) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(b"qkd-auth/1 openings");
    for opening in [alice, bob] {
        hash.update(opening.version.to_be_bytes());
        hash.update(opening.nonce);
        hash.update((opening.parameters.len() as u64).to_be_bytes());
        hash.update(&opening.parameters);
    }
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn psk(byte: u8) -> PreSharedKey {
        PreSharedKey::new(vec![byte; 32].into()).unwrap()
    }

    fn start(role: Role, psk: &PreSharedKey, seed: u8) -> (Handshake, Opening) {
        let mut rng = SecretRng::from_seed([seed; 32]);
        let parameters = b"block_bits = 1000".to_vec();
        Handshake::start(role, psk, Authentication::default(), parameters, &mut rng).unwrap()
    }

    fn error<T>(result: Result<T, Error>) -> Error {
        match result {
            Ok(_) => panic!("it was accepted"),
            Err(error) => error,
        }
    }

    #[test]
    fn equal_keys_make_a_channel_that_knows_the_peers_parameters() {
        let (alice, a) = start(Role::Alice, &psk(1), 1);
        let (bob, b) = start(Role::Bob, &psk(1), 2);
        let (alice, proof_a) = alice.receive_opening(b).unwrap();
        let (bob, proof_b) = bob.receive_opening(a).unwrap();
        assert_ne!(proof_a, proof_b, "a proof cannot be sent back");
        let alice = alice.receive_proof(&proof_b).ok().unwrap();
        let bob = bob.receive_proof(&proof_a).ok().unwrap();
        assert_eq!(alice.transcript(), bob.transcript());
        assert_eq!(alice.peer_parameters(), b"block_bits = 1000");
        assert_eq!((alice.role(), bob.role()), (Role::Alice, Role::Bob));
    }

    #[test]
    fn another_key_is_refused() {
        let (alice, a) = start(Role::Alice, &psk(1), 1);
        let (bob, b) = start(Role::Bob, &psk(2), 2);
        let (alice, proof_a) = alice.receive_opening(b).unwrap();
        let (bob, proof_b) = bob.receive_opening(a).unwrap();
        assert_eq!(error(alice.receive_proof(&proof_b)), Error::WrongKey);
        assert_eq!(error(bob.receive_proof(&proof_a)), Error::WrongKey);
    }

    #[test]
    fn two_ends_of_one_role_do_not_meet() {
        let (first, a) = start(Role::Alice, &psk(1), 1);
        let (second, b) = start(Role::Alice, &psk(1), 2);
        let (first, _) = first.receive_opening(b).unwrap();
        let (_, proof) = second.receive_opening(a).unwrap();
        assert_eq!(error(first.receive_proof(&proof)), Error::WrongKey);
    }

    #[test]
    fn another_version_is_named() {
        let (alice, _) = start(Role::Alice, &psk(1), 1);
        let (_, mut opening) = start(Role::Bob, &psk(1), 2);
        opening.version = 9;
        assert_eq!(
            error(alice.receive_opening(opening)),
            Error::VersionMismatch {
                ours: VERSION,
                theirs: 9
            }
        );
    }

    #[test]
    fn our_own_opening_and_our_own_proof_are_refused() {
        let (alice, opening) = start(Role::Alice, &psk(1), 1);
        assert_eq!(
            error(alice.receive_opening(opening)),
            Error::ReflectedOpening
        );
        let (alice, _) = start(Role::Alice, &psk(1), 1);
        let (_, opening) = start(Role::Bob, &psk(1), 2);
        let (alice, proof) = alice.receive_opening(opening).unwrap();
        assert_eq!(error(alice.receive_proof(&proof)), Error::WrongKey);
    }

    #[test]
    fn an_opening_altered_anywhere_is_found_by_the_proof() {
        let alterations: [fn(&mut Opening); 4] = [
            |o| o.nonce[31] ^= 1,
            |o| o.parameters[0] ^= 1,
            |o| o.parameters.push(b' '),
            |o| o.parameters.truncate(3),
        ];
        for (index, alter) in alterations.into_iter().enumerate() {
            let (alice, a) = start(Role::Alice, &psk(1), 1);
            let (bob, mut b) = start(Role::Bob, &psk(1), 2);
            alter(&mut b);
            let (alice, _) = alice.receive_opening(b).unwrap();
            let (_, proof_b) = bob.receive_opening(a).unwrap();
            assert_eq!(
                error(alice.receive_proof(&proof_b)),
                Error::WrongKey,
                "alteration {index}"
            );
        }
    }

    #[test]
    fn a_proof_of_an_earlier_handshake_is_refused() {
        let (alice, a) = start(Role::Alice, &psk(1), 1);
        let (bob, b) = start(Role::Bob, &psk(1), 2);
        let (_, old_proof) = bob.receive_opening(a).unwrap();
        drop(alice);
        let (alice, _) = start(Role::Alice, &psk(1), 3);
        let (alice, _) = alice.receive_opening(b).unwrap();
        assert_eq!(error(alice.receive_proof(&old_proof)), Error::WrongKey);
    }

    #[test]
    fn parameters_are_bounded_in_both_directions() {
        let long = vec![0; PARAMETERS_BYTES_MAX + 1];
        let mut rng = SecretRng::from_seed([1; 32]);
        let too_long = Error::ParametersTooLong {
            bytes: PARAMETERS_BYTES_MAX + 1,
            max: PARAMETERS_BYTES_MAX,
        };
        let started = {
            let authentication = Authentication::default();
            Handshake::start(Role::Alice, &psk(1), authentication, long.clone(), &mut rng)
        };
        assert_eq!(error(started), too_long);
        let (alice, _) = start(Role::Alice, &psk(1), 1);
        let (_, mut opening) = start(Role::Bob, &psk(1), 2);
        opening.parameters = long;
        assert_eq!(error(alice.receive_opening(opening)), too_long);
    }
}
