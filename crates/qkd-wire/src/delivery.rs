//! A delivered key on its last step: wiped wherever this program drops it.

use qkd_bits::SecretBytes;
use zeroize::Zeroize;

use crate::proto::delivery::Key;

impl Key {
    /// The key's bytes, taken out as the secret they are.
    pub fn into_secret(mut self) -> SecretBytes {
        SecretBytes::from(std::mem::take(&mut self.key))
    }
}

/// What gRPC and TLS copy into their own buffers is beyond this.
impl Drop for Key {
    fn drop(&mut self) {
        self.key.zeroize();
    }
}
