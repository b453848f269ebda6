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
            0x3f67_6f72_22c7_f47b,
            0x3f84_7b69_8336_7f65,
            0x3fb0_0f09_a145_9b20,
            0x3fd7_bbd1_56dd_d862,
            0x3fc2_687f_6c4e_9d75,
            0x3fdc_c59b_a2d1_d01c,
            0x3fe9_cb90_d177_c7c5,
        ],
    ),
    (
        PlanTheorem::Wiesemann2024,
        ingaas,
        [
            0x3f43_21b0_24cf_cf6e,
            0x3f92_daca_459d_bdf6,
            0x3fb0_1515_dd0b_d8d3,
            0x3fd6_2ef8_9e9b_63c2,
            0x3fc0_8cd1_c861_d499,
            0x3fdc_302b_44c8_6218,
            0x3fe9_2686_f2f1_c305,
        ],
    ),
    (
        PlanTheorem::Rusca2018,
        snspd,
        [
            0x3f6b_35ef_5f9f_6266,
            0x3f84_7b03_c420_ca87,
            0x3fa9_6a5e_39a4_bc5b,
            0x3fd8_40ee_4bff_537b,
            0x3fc1_69dd_23f3_8ae4,
            0x3fdb_bf00_ce9b_4510,
            0x3fea_a749_6c46_0c9e,
        ],
    ),
    (
        PlanTheorem::Lim2014,
        snspd,
        [
            0x3f6b_92a5_3e7b_e62b,
            0x3f84_7b2f_8466_32c9,
            0x3fa4_2354_eb10_c6bc,
            0x3fde_7c54_c2fe_6082,
            0x3fca_4402_bec0_18fa,
            0x3fc6_ac87_dd5a_7130,
            0x3feb_2a86_de81_c651,
        ],
    ),
    (
        PlanTheorem::Gllp,
        snspd,
        [
            0x3f54_e7e3_8823_387a,
            0x3f84_7bef_cbc8_b3d7,
            0x3f91_089c_350a_0628,
            0x3faf_31cf_de39_bc15,
            0x0000_0000_0000_0000,
            0x3ff0_0000_0000_0000,
            0x3fe9_9999_9999_999a,
        ],
    ),
    (
        PlanTheorem::GllpDecoyInfinite,
        snspd,
        [
            0x3f78_6fe9_d6be_e5eb,
            0x3f84_7b07_cfcd_0338,
            0x3f84_7af1_bf9e_70b0,
            0x3fdb_c93d_98a2_2e90,
            0x0000_0000_0000_0000,
            0x3ff0_0000_0000_0000,
            0x3fe9_9999_9999_999a,
        ],
    ),
    (
        PlanTheorem::GllpVacuumWeak,
        snspd,
        [
            0x3f77_841d_0cca_9fc0,
            0x3f84_7b09_a920_6ad5,
            0x3f87_17ca_4e1b_7ab3,
            0x3fda_7e16_add9_65f0,
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
