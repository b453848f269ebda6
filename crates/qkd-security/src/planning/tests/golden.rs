//! The last bit of every figure, so that a machine with another arithmetic is noticed.

use super::*;

/// Theorem, link, then the bits of: rate, QBER, phase error rate, signal, second intensity, share of
/// signals, P(Z).
type Row = (PlanTheorem, fn(f64) -> PlanInput, [u64; 7]);

const LOSS_DB: f64 = 10.0;

const ROWS: [Row; 7] = [
    (
        PlanTheorem::Wiesemann2024,
        snspd,
        [
            0x3f67_397b_9a83_19db,
            0x3f84_7b69_2d9f_4864,
            0x3faf_fd23_82a6_4834,
            0x3fd7_a1b4_b42d_4c2e,
            0x3fc2_57c0_7fb1_33b7,
            0x3fdc_b839_04d7_a2f1,
            0x3fe9_c83c_5732_e80f,
        ],
    ),
    (
        PlanTheorem::Wiesemann2024,
        ingaas,
        [
            0x3f42_cbee_1b6e_48f9,
            0x3f92_ddcf_f439_2fbf,
            0x3faf_ef49_b830_afee,
            0x3fd6_077c_656a_4307,
            0x3fc0_73d1_c1d3_b30b,
            0x3fdc_2277_66db_599c,
            0x3fe9_1ee8_826e_e0a5,
        ],
    ),
    (
        PlanTheorem::Rusca2018,
        snspd,
        [
            0x3f6a_fcfb_7040_375c,
            0x3f84_7b03_e828_69a6,
            0x3fa9_50e3_4ed4_8b6c,
            0x3fd8_29f1_79db_5270,
            0x3fc1_590f_2345_7466,
            0x3fdb_b8a2_c8a7_c76b,
            0x3fea_a53f_9324_df1b,
        ],
    ),
    (
        PlanTheorem::Lim2014,
        snspd,
        [
            0x3f6b_5c22_5c08_e920,
            0x3f84_7b2f_d5cc_4dc4,
            0x3fa4_1043_f37c_f0b4,
            0x3fde_6441_97d3_2770,
            0x3fca_2e2e_f8d3_6574,
            0x3fc6_9560_d487_013b,
            0x3feb_290d_3599_9fae,
        ],
    ),
    (
        PlanTheorem::Gllp,
        snspd,
        [
            0x3f54_c0d6_49d5_4c52,
            0x3f84_7bf0_dbea_77c0,
            0x3f90_fd69_a207_f7d5,
            0x3faf_127a_4f50_ae90,
            0x0000_0000_0000_0000,
            0x3ff0_0000_0000_0000,
            0x3fe9_9999_9999_999a,
        ],
    ),
    (
        PlanTheorem::GllpDecoyInfinite,
        snspd,
        [
            0x3f78_4916_4a6f_0b3b,
            0x3f84_7b07_f5f6_fed8,
            0x3f84_7af1_bf9e_70b0,
            0x3fdb_ad58_9281_1c89,
            0x0000_0000_0000_0000,
            0x3ff0_0000_0000_0000,
            0x3fe9_9999_9999_999a,
        ],
    ),
    (
        PlanTheorem::GllpVacuumWeak,
        snspd,
        [
            0x3f77_5e2f_f8ef_36e6,
            0x3f84_7b09_d17a_d3f9,
            0x3f87_172b_3301_9c61,
            0x3fda_6346_fa25_498f,
            0x3fb9_9999_9999_999a,
            0x3ff0_0000_0000_0000,
            0x3fe9_9999_9999_999a,
        ],
    ),
];

#[test]
fn optimised_rows_keep_their_last_bit() {
    for (theorem, link, bits) in ROWS {
        let mut input = under(theorem, link(LOSS_DB));
        input.channel = theorem.default_channel();
        let point = plan(&optimise(&input, None).unwrap()).unwrap();
        let found = [
            point.secret_bits_per_pulse,
            point.qber,
            point.phase_error_rate,
            point.intensities[0],
            point.intensities.get(1).copied().unwrap_or(0.0),
            point.intensity_probabilities[0],
            point.key_basis_probability,
        ];
        for (value, bits) in found.into_iter().zip(bits) {
            let own = value.to_bits();
            assert_eq!(own, bits, "{theorem}: {own:#018x} instead of {bits:#018x}");
        }
    }
}
