//! `[store]`: what the key store holds, and how it looks after it.

use super::document::Section;
use super::place::ConfigError;
use super::{StoreConfig, rules};

/// A key store counts its material, of which there may be twice as much, in 32 bits of bytes.
const STORE_BITS_MAX: u64 = (1 << 34) - 8;

/// Reads the section.
pub(super) fn read(root: &Section<'_>) -> Result<StoreConfig, ConfigError> {
    let store = root.section(
        "store",
        &[
            "key_size_bits",
            "key_count_max",
            "unfetched_age_max_s",
            "compare_every_s",
            "store_key",
        ],
    )?;
    let key_size_bits = store.optional("key_size_bits", &rules::KEY_SIZE_BITS)?;
    let key_size_bits = key_size_bits.unwrap_or(256);
    let key_count_max = store.optional("key_count_max", &rules::KEY_COUNT)?;
    let key_count_max = key_count_max.unwrap_or(100_000);
    if key_count_max > STORE_BITS_MAX / key_size_bits {
        let most = STORE_BITS_MAX / key_size_bits;
        let expected = format!("at most {most} keys of {key_size_bits} bits, which are 2 GiB");
        return Err(store.refuse("key_count_max", expected));
    }
    Ok(StoreConfig {
        key_size_bits,
        key_count_max,
        unfetched_age_max_s: (store.optional("unfetched_age_max_s", &rules::AGE_SECONDS)?)
            .unwrap_or(StoreConfig::UNFETCHED_AGE_MAX_S),
        compare_every_s: (store.optional("compare_every_s", &rules::COMPARE_SECONDS)?)
            .unwrap_or(StoreConfig::COMPARE_EVERY_S),
        store_key: store.file("store_key")?,
    })
}

/// The section as it is written, without its files.
pub(super) fn entries(store: &StoreConfig) -> [(&'static str, String); 4] {
    [
        ("key_size_bits", store.key_size_bits.to_string()),
        ("key_count_max", store.key_count_max.to_string()),
        ("unfetched_age_max_s", store.unfetched_age_max_s.to_string()),
        ("compare_every_s", store.compare_every_s.to_string()),
    ]
}
