//! From a pre-shared key to one key per direction and epoch (HKDF-SHA-256, RFC 5869).
//!
//! root₀ = Expand(Extract(salt = nonceA ‖ nonceB, psk), "root" ‖ transcript)
//! rootₑ₊₁ = Expand(Extract(salt = rootₑ, distilled), "refresh" ‖ epoch ‖ block)
//!
//! Using the old root as salt makes each new root depend on *both* the old one and the distilled
//! bits: whoever lacks either learns nothing about it.

use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use qkd_bits::SecretBytes;
use sha2::Sha256;

use crate::{Authentication, RefreshId, Role};

/// Bytes of every derived key.
pub(crate) const KEY_BYTES: usize = 32;

/// The secret that all keys of one epoch come from.
pub(crate) struct Root(SecretBytes);

/// What the handshake is bound to.
pub(crate) struct Binding<'a> {
    /// nonceA ‖ nonceB.
    pub(crate) nonces: &'a [u8],
    /// Hash of both openings.
    pub(crate) transcript: &'a [u8; 32],
}

impl Root {
    /// The root of epoch 0.
    pub(crate) fn first(psk: &[u8], binding: &Binding<'_>) -> Self {
        Self(derive(
            binding.nonces,
            psk,
            &[b"qkd-auth/1 root", binding.transcript],
        ))
    }

    /// The root of `epoch`, mixed from this one and distilled key.
    pub(crate) fn refreshed(&self, distilled: &SecretBytes, epoch: u32, id: RefreshId) -> Self {
        Self(derive(
            self.0.expose(),
            distilled.expose(),
            &[
                b"qkd-auth/1 refresh",
                &epoch.to_be_bytes(),
                &id.session.to_be_bytes(),
                &id.block.to_be_bytes(),
            ],
        ))
    }

    /// The key of HMAC for envelopes sent by `sender` in `epoch`, another one for each way to tag.
    pub(crate) fn envelope_key(
        &self,
        authentication: Authentication,
        sender: Role,
        epoch: u32,
    ) -> SecretBytes {
        let label: &[u8] = match authentication {
            Authentication::HmacSha256 => b"qkd-auth/1 envelope",
            Authentication::PolyvalHmacSha256 => b"qkd-auth/1 envelope after polyval",
        };
        self.expand(&[label, &[sender.direction()], &epoch.to_be_bytes()])
    }

    /// The bytes whose first are the point at which POLYVAL takes the payloads of `sender` in `epoch`.
    pub(crate) fn envelope_point(&self, sender: Role, epoch: u32) -> SecretBytes {
        self.expand(&[
            b"qkd-auth/1 envelope point of polyval",
            &[sender.direction()],
            &epoch.to_be_bytes(),
        ])
    }

    /// The key with which `sender` proves that it saw both openings.
    pub(crate) fn proof_key(&self, sender: Role) -> SecretBytes {
        self.expand(&[b"qkd-auth/1 proof", &[sender.direction()]])
    }

    /// A public value that is equal on both sides when their roots are.
    pub(crate) fn check(&self) -> [u8; 16] {
        let bytes = self.expand(&[b"qkd-auth/1 refresh check"]);
        let mut check = [0; 16];
        check.copy_from_slice(&bytes.expose()[..16]);
        check
    }

    fn expand(&self, info: &[&[u8]]) -> SecretBytes {
        // A root is itself the output of a full extract-and-expand, so it serves as the
        // pseudorandom key of a further expansion (RFC 5869, section 3.3).
        expand(
            &Hkdf::from_prk(self.0.expose()).expect("a root has the 32 bytes of a digest"),
            info,
        )
    }
}

fn derive(salt: &[u8], secret: &[u8], info: &[&[u8]]) -> SecretBytes {
    expand(&Hkdf::new(Some(salt), secret), info)
}

fn expand(hkdf: &Hkdf<Sha256>, info: &[&[u8]]) -> SecretBytes {
    let mut key = SecretBytes::from(vec![0; KEY_BYTES]);
    hkdf.expand_multi_info(info, key.expose_mut())
        .expect("32 bytes are far below the 255 digests HKDF can give");
    key
}

/// HMAC-SHA-256 over `parts` in turn, ready to be finished or compared.
pub(crate) fn mac(key: &[u8], parts: &[&[u8]]) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    for part in parts {
        mac.update(part);
    }
    mac
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        (0..text.len() / 2)
            .map(|i| u8::from_str_radix(&text[2 * i..2 * i + 2], 16).unwrap())
            .collect()
    }

    /// RFC 4231, test cases 1–4, 6 and 7 (5 truncates the tag, which we never do).
    #[test]
    fn tags_are_hmac_sha_256() {
        let cases: [(Vec<u8>, Vec<u8>, &str); 6] = [
            (
                vec![0x0b; 20],
                b"Hi There".to_vec(),
                "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
            ),
            (
                b"Jefe".to_vec(),
                b"what do ya want for nothing?".to_vec(),
                "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
            ),
            (
                vec![0xaa; 20],
                vec![0xdd; 50],
                "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe",
            ),
            (
                (1..=25).collect(),
                vec![0xcd; 50],
                "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b",
            ),
            (
                vec![0xaa; 131],
                b"Test Using Larger Than Block-Size Key - Hash Key First".to_vec(),
                "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
            ),
            (
                vec![0xaa; 131],
                b"This is a test using a larger than block-size key and a larger than \
                  block-size data. The key needs to be hashed before being used by the \
                  HMAC algorithm."
                    .to_vec(),
                "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2",
            ),
        ];
        for (key, data, tag) in cases {
            let (head, tail) = data.split_at(data.len() / 2);
            mac(&key, &[head, tail]).verify_slice(&hex(tag)).unwrap();
        }
    }

    /// RFC 5869, appendix A.1 and A.3, cut to the 32 bytes that we take.
    #[test]
    fn derivation_is_hkdf_sha_256() {
        let key = derive(
            &hex("000102030405060708090a0b0c"),
            &[0x0b; 22],
            &[&hex("f0f1f2f3f4"), &hex("f5f6f7f8f9")],
        );
        assert_eq!(
            key.expose(),
            hex("3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf")
        );
        assert_eq!(
            derive(&[], &[0x0b; 22], &[]).expose(),
            hex("8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d")
        );
    }
}
