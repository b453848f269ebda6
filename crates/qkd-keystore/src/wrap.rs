//! The store key and what is derived from it: wrapping at rest, and tags over records.

use aes_gcm::{AeadInOut, Aes256Gcm, KeyInit, Tag};
use hkdf::Hkdf;
use hmac::{Hmac, Mac};
use qkd_bits::{SecretBytes, SecretRng};
use sha2::Sha256;

use crate::{BlockId, Error, Side};

const KEY_BYTES: usize = 32;
const NONCE_BYTES: usize = 12;
const TAG_BYTES: usize = 16;
/// Nonce and tag of the wrapped data key, the data key, and the tag of the material.
const OVERHEAD_BYTES: usize = NONCE_BYTES + KEY_BYTES + TAG_BYTES + TAG_BYTES;

/// Wraps material at rest under the store key and tags every record.
///
/// Each block's material is sealed with AES-256-GCM under a fresh data key of its own (so a fixed
/// nonce is used once), and the data key under a key derived from the store key with a random
/// nonce. Destroying a block's record destroys its wrapped data key with it.
pub(crate) struct Vault {
    side: Side,
    wrapping: Aes256Gcm,
    /// Keyed and with nothing in it yet; every tag begins with a copy.
    records: Hmac<Sha256>,
}

impl Vault {
    pub(crate) fn new(side: Side, store_key: &SecretBytes) -> Result<Self, Error> {
        if store_key.len() != KEY_BYTES {
            return Err(Error::StoreKeyLength {
                bytes: store_key.len(),
            });
        }
        let hkdf = Hkdf::<Sha256>::new(None, store_key.expose());
        let derive = |info: &[u8]| {
            let mut key = SecretBytes::from(vec![0; KEY_BYTES]);
            hkdf.expand(info, key.expose_mut())
                .expect("32 bytes are far below the 255 digests HKDF can give");
            key
        };
        Ok(Self {
            side,
            wrapping: cipher(derive(b"qkd-keystore/1 wrap").expose()),
            records: <Hmac<Sha256> as hmac::KeyInit>::new_from_slice(
                derive(b"qkd-keystore/1 records").expose(),
            )
            .expect("HMAC takes keys of any length"),
        })
    }

    /// Seals the material of a block: nonce ‖ wrapped data key ‖ sealed material.
    pub(crate) fn wrap(
        &self,
        block: BlockId,
        material: &SecretBytes,
        rng: &mut SecretRng,
    ) -> Vec<u8> {
        let context = self.context(block);
        let nonce: [u8; NONCE_BYTES] = rng.array();
        let mut data_key = rng.bytes(KEY_BYTES);
        let data_cipher = cipher(data_key.expose());

        let mut bytes = Vec::with_capacity(material.len() + OVERHEAD_BYTES);
        bytes.extend_from_slice(&nonce);
        let tag = seal(&self.wrapping, &nonce, &context, data_key.expose_mut());
        bytes.extend_from_slice(data_key.expose());
        bytes.extend_from_slice(&tag);

        let start = bytes.len();
        bytes.extend_from_slice(material.expose());
        let tag = seal(
            &data_cipher,
            &[0; NONCE_BYTES],
            &context,
            &mut bytes[start..],
        );
        bytes.extend_from_slice(&tag);
        bytes
    }

    /// Opens what [`wrap`](Self::wrap) made; `None` when it is damaged or of another block.
    pub(crate) fn unwrap(&self, block: BlockId, bytes: &[u8]) -> Option<SecretBytes> {
        let context = self.context(block);
        let (nonce, rest) = bytes.split_first_chunk::<NONCE_BYTES>()?;
        let (wrapped, rest) = rest.split_first_chunk::<KEY_BYTES>()?;
        let (wrap_tag, rest) = rest.split_first_chunk::<TAG_BYTES>()?;
        let (sealed, tag) = rest.split_last_chunk::<TAG_BYTES>()?;
        let mut data_key = SecretBytes::from(wrapped.to_vec());
        open(
            &self.wrapping,
            nonce,
            &context,
            data_key.expose_mut(),
            wrap_tag,
        )?;
        let mut material = SecretBytes::from(sealed.to_vec());
        open(
            &cipher(data_key.expose()),
            &[0; NONCE_BYTES],
            &context,
            material.expose_mut(),
            tag,
        )?;
        Some(material)
    }

    /// A tag that binds a record's content to its place.
    pub(crate) fn tag(&self, place: &[u8], content: &[u8]) -> [u8; 32] {
        self.mac(place, content).finalize().into_bytes().into()
    }

    /// Whether a record's tag fits.
    pub(crate) fn verify(&self, place: &[u8], content: &[u8], tag: &[u8]) -> bool {
        self.mac(place, content).verify_slice(tag).is_ok()
    }

    fn mac(&self, place: &[u8], content: &[u8]) -> Hmac<Sha256> {
        let mut mac = self.records.clone();
        mac.update(&[self.side as u8, place.len() as u8]);
        mac.update(place);
        mac.update(content);
        mac
    }

    fn context(&self, block: BlockId) -> Vec<u8> {
        let mut context = b"qkd-keystore/1 block".to_vec();
        context.push(self.side as u8);
        context.extend_from_slice(&block.session.to_be_bytes());
        context.extend_from_slice(&block.block.to_be_bytes());
        context
    }
}

fn cipher(key: &[u8]) -> Aes256Gcm {
    Aes256Gcm::new_from_slice(key).expect("all keys here have 32 bytes")
}

fn seal(
    cipher: &Aes256Gcm,
    nonce: &[u8; NONCE_BYTES],
    context: &[u8],
    bytes: &mut [u8],
) -> [u8; TAG_BYTES] {
    cipher
        .encrypt_inout_detached(&(*nonce).into(), context, bytes.into())
        .expect("material is far below the 64 GiB that AES-GCM can seal")
        .into()
}

fn open(
    cipher: &Aes256Gcm,
    nonce: &[u8; NONCE_BYTES],
    context: &[u8],
    bytes: &mut [u8],
    tag: &[u8; TAG_BYTES],
) -> Option<()> {
    cipher
        .decrypt_inout_detached(&(*nonce).into(), context, bytes.into(), &Tag::from(*tag))
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vault(side: Side, byte: u8) -> Vault {
        Vault::new(side, &vec![byte; 32].into()).unwrap()
    }

    fn block(number: u64) -> BlockId {
        BlockId {
            session: 5,
            block: number,
        }
    }

    #[test]
    fn wrapped_material_opens_only_whole_in_its_place_and_under_its_key() {
        let mut rng = SecretRng::from_seed([1; 32]);
        let material = SecretBytes::from(b"sixteen secret b".to_vec());
        let vault_a = vault(Side::Alice, 1);
        let wrapped = vault_a.wrap(block(1), &material, &mut rng);
        assert_eq!(wrapped.len(), material.len() + OVERHEAD_BYTES);
        let opened = vault_a.unwrap(block(1), &wrapped).unwrap();
        assert_eq!(opened.expose(), material.expose());

        assert!(vault_a.unwrap(block(2), &wrapped).is_none());
        assert!(vault(Side::Bob, 1).unwrap(block(1), &wrapped).is_none());
        assert!(vault(Side::Alice, 2).unwrap(block(1), &wrapped).is_none());
        for bit in 0..wrapped.len() * 8 {
            let mut damaged = wrapped.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(vault_a.unwrap(block(1), &damaged).is_none(), "bit {bit}");
        }
        for bytes in 0..wrapped.len() {
            assert!(vault_a.unwrap(block(1), &wrapped[..bytes]).is_none());
        }
    }

    #[test]
    fn no_four_bytes_of_material_stand_in_the_wrapped_form() {
        let mut rng = SecretRng::from_seed([2; 32]);
        let material = rng.bytes(4096);
        let wrapped = vault(Side::Bob, 1).wrap(block(1), &material, &mut rng);
        // 4,093 windows against 4,173: a chance meeting of four bytes has probability 4e-3.
        for window in material.expose().windows(4) {
            assert!(!wrapped.windows(4).any(|w| w == window));
        }
    }

    #[test]
    fn a_store_key_of_another_length_is_refused() {
        for bytes in [0, 16, 31, 33] {
            let error = Vault::new(Side::Alice, &vec![0; bytes].into()).err();
            assert_eq!(error, Some(Error::StoreKeyLength { bytes }));
        }
    }
}
