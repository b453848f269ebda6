//! How much a key store has to hold, from what its link is configured to make.

use qkd_keystore::StoreLimits;

use crate::config::StoreConfig;

/// Bytes of material that the engine holds at most.
const MATERIAL_BYTES_MAX: u64 = u32::MAX as u64;

/// Limits of the store of a link with `blocks_in_flight_max` blocks in flight, each of which leaves
/// `secret_length_bits` bits of key.
///
/// Keys of one master may take the part `unfetched_share_max` of what may wait to be fetched.
/// Light is wanted until the keys are there, and demand is looked at between blocks: what is in flight
/// then still comes, and is not thrown away.
pub(crate) fn store_limits(
    (store, unfetched_share_max): (&StoreConfig, f64),
    blocks_in_flight_max: u64,
    secret_length_bits: u64,
) -> StoreLimits {
    let defaults = StoreLimits::default();
    let key_bytes = store.key_count_max.saturating_mul(store.key_size_bits) / 8;
    let settled_bytes = key_bytes.saturating_mul(2).max(defaults.material_bytes_max);
    let blocks_undecided_max = blocks_undecided_max(blocks_in_flight_max);
    let on_the_way_bytes = (secret_length_bits / 8).saturating_mul(u64::from(blocks_undecided_max));
    StoreLimits {
        // The configuration bounds both numbers far below these limits.
        key_size_bits: store.key_size_bits as u32,
        key_count_max: store.key_count_max as u32,
        unfetched_each_max: (store.key_count_max as f64 * unfetched_share_max).ceil() as u32,
        unfetched_age_max_s: store.unfetched_age_max_s,
        compare_every_s: store.compare_every_s,
        blocks_undecided_max,
        material_bytes_max: settled_bytes
            .saturating_add(on_the_way_bytes)
            .min(MATERIAL_BYTES_MAX),
        ..defaults
    }
}

/// Blocks that may wait for the decision of both stores. A block leaves Bob's session when its key is
/// made, and his next one begins; Alice may hold as many again that wait for her last step. One on
/// each side more is what is being handed over.
pub(crate) fn blocks_undecided_max(blocks_in_flight_max: u64) -> u32 {
    let blocks = blocks_in_flight_max.saturating_add(1).saturating_mul(2);
    let blocks = u32::try_from(blocks).unwrap_or(u32::MAX);
    blocks.max(StoreLimits::default().blocks_undecided_max)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store(key_count_max: u64) -> StoreConfig {
        StoreConfig {
            key_size_bits: 256,
            key_count_max,
            unfetched_age_max_s: 100,
            compare_every_s: 100,
            store_key: "store.key".into(),
        }
    }

    #[test]
    fn every_block_that_both_sides_can_have_in_flight_has_room_beside_the_keys_that_are_wanted() {
        let wanted_bytes = 2 * 100_000 * 256 / 8;
        for (in_flight, secret_length_bits) in [(1, 1000), (32, 421_000), (256, 4_210_000)] {
            let limits = store_limits((&store(100_000), 0.5), in_flight, secret_length_bits);
            let blocks = 2 * in_flight + 2;
            assert!(u64::from(limits.blocks_undecided_max) >= blocks);
            let bytes = wanted_bytes + blocks * secret_length_bits / 8;
            assert!(limits.material_bytes_max >= bytes, "{in_flight} in flight");
        }
    }

    #[test]
    fn no_configuration_asks_for_more_than_the_store_can_hold() {
        let keys_of_2_gib = (2 << 30) / 32;
        let limits = store_limits((&store(keys_of_2_gib), 1.0), 256, 8 << 30);
        assert_eq!(limits.material_bytes_max, MATERIAL_BYTES_MAX);
        assert_eq!(blocks_undecided_max(u64::MAX), u32::MAX);
    }
}
