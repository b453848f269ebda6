//! The field GF(2⁶⁴) of the transform, with its Cantor basis.
//!
//! Elements are polynomials in β modulo M(β) = β⁶⁴ + [`MODULUS_LOW`]. [`CANTOR`] is a basis v₀ = 1,
//! vᵢ² + vᵢ = vᵢ₋₁ (Cantor, J. Comb. Theory A 50, 285 (1989)), and β is its v₃₂: M was made as the
//! minimal polynomial of that element, so that β = s_l(v₃₂₊ₗ) for the vanishing polynomials s_l of
//! the basis, whatever l.

/// M(z) − z⁶⁴.
pub(super) const MODULUS_LOW: u64 = 0x78e4_883b_f1c9_1703;

/// ⌊z¹²⁸ / M(z)⌋ − z⁶⁴: what a division by M multiplies with.
pub(super) const INVERSE_LOW: u64 = 0x6ad2_c0e2_ab21_69e2;

/// Most layers for which there are twiddle factors.
pub(super) const LAYERS_MAX: u32 = 17;

/// v₀ … v₆₃.
const CANTOR: [u64; 64] = [
    0x0000_0000_0000_0001,
    0x0014_146c_146d_0128,
    0x7ee8_fab3_8534_1082,
    0x6cd9_a722_a13c_c7d2,
    0x0007_133b_1548_751b,
    0x1539_2c6a_3e5c_0f77,
    0x0764_09b8_09ac_777e,
    0x1326_2724_2723_2121,
    0x6aad_bf89_d44b_7d26,
    0x6ad2_c0e2_c682_d977,
    0x0763_08df_7758_f1a3,
    0x0619_72db_0b3c_f88a,
    0x799f_f352_e76e_a2d8,
    0x125a_31e0_4e1e_dd57,
    0x79e6_e1fd_e7f7_8122,
    0x6bc2_d6ec_d797_aa9f,
    0x7889_8f97_e35c_5606,
    0x1249_30af_228b_1281,
    0x6bc3_d7f9_c4df_e3fb,
    0x006d_7f5b_15e4_d5dc,
    0x6bc3_d7ff_bd3e_69d3,
    0x061e_66fa_1910_e1a6,
    0x1445_3bd4_5671_9978,
    0x1538_40cf_40da_55dd,
    0x0709_0e78_63a5_c6f1,
    0x1457_572e_515a_2233,
    0x78e4_883b_f1c8_1711,
    0x0000_0001_0001_0006,
    0x0000_0000_0001_0002,
    0x0000_0000_0000_0116,
    0x0000_0000_0000_0012,
    0x0000_0000_0000_0006,
    0x0000_0000_0000_0002,
    0x6a97_ef85_eeee_c0ba,
    0xfda8_8c75_1fc9_9243,
    0xd9de_4f8e_3b45_0169,
    0x6ac8_993c_ff09_fe5f,
    0x53eb_beb2_e431_1766,
    0x0ea3_6c4d_6c09_e9ef,
    0x2731_4ba9_2062_830e,
    0xd55d_0687_d079_8749,
    0xd3bc_e13a_863e_692b,
    0x6415_bc83_2927_f082,
    0x190c_c9d5_449f_2775,
    0xe01f_bf09_9102_02cd,
    0x3691_40fa_c68c_0726,
    0xe788_eb65_9e83_b296,
    0xbb24_0d7b_0ff4_e140,
    0x9cb0_c361_1be0_604b,
    0x23f0_6ff1_4aa8_2fee,
    0xd683_bfd9_f535_6250,
    0x6b67_3b96_fdce_5d84,
    0xba36_0d68_de8a_7de1,
    0x6089_00a5_95dd_dd27,
    0x3abb_52b1_f172_9810,
    0x40db_2a58_40d9_c168,
    0x769d_ecf9_3026_7551,
    0x2eb0_b631_d074_8853,
    0xe3fe_58b8_d2c7_f812,
    0x1540_5362_531a_538e,
    0x7e85_97a6_e824_7de3,
    0x798a_e72e_98bc_0900,
    0x0709_0f7a_1b53_3545,
    0x6cdf_b463_d8c4_14ab,
];

/// A constant factor w together with ⌊w·z⁶⁴ / M⌋, by which a product with w is reduced with one
/// multiplication less (Shoup's trick, exact here because the quotient has no carries).
#[derive(Clone, Copy)]
pub(super) struct Factor {
    pub(super) value: u64,
    pub(super) quotient: u64,
}

impl Factor {
    const ZERO: Factor = Factor {
        value: 0,
        quotient: 0,
    };

    /// Both parts are linear over GF(2) in the factor.
    #[inline(always)]
    pub(super) const fn plus(self, other: Factor) -> Factor {
        Factor {
            value: self.value ^ other.value,
            quotient: self.quotient ^ other.quotient,
        }
    }

    const fn of(value: u64) -> Factor {
        let mut quotient = 0;
        // Long division of value·z⁶⁴: `rest` is what stands above z⁶⁴ after each step.
        let mut rest = value;
        let mut bit = 0;
        while bit < 64 {
            let carry = rest >> 63;
            quotient = quotient << 1 | carry;
            rest <<= 1;
            if carry == 1 {
                rest ^= MODULUS_LOW;
            }
            bit += 1;
        }
        Factor { value, quotient }
    }
}

/// Values and quotients of the 256 sums of v₁ … v₈, and of v₉ … v₁₆, in the order of the bits.
pub(super) struct Sums {
    pub(super) values: [u64; 256],
    pub(super) quotients: [u64; 256],
}

pub(super) static SUMS: [Sums; 2] = [sums(1), sums(9)];

const fn sums(first: usize) -> Sums {
    let mut values = [0; 256];
    let mut quotients = [0; 256];
    let mut i = 1usize;
    while i < 256 {
        let top = i.ilog2() as usize;
        let factor = Factor::of(CANTOR[first + top]);
        values[i] = values[i ^ 1 << top] ^ factor.value;
        quotients[i] = quotients[i ^ 1 << top] ^ factor.quotient;
        i += 1;
    }
    Sums { values, quotients }
}

/// Factor of the first butterfly of each layer of a transform of 2^`log_points` points: layer t has
/// s_t(v₃₂₊ₗ) = v₃₂₊ₗ₋ₜ.
pub(super) fn first_factor(log_points: u32, layer: u32) -> Factor {
    FIRST[(log_points - layer) as usize]
}

static FIRST: [Factor; LAYERS_MAX as usize + 1] = {
    let mut factors = [Factor::ZERO; LAYERS_MAX as usize + 1];
    let mut i = 1;
    while i < factors.len() {
        factors[i] = Factor::of(CANTOR[32 + i]);
        i += 1;
    }
    factors
};

/// What a butterfly's block number adds to its layer's [`first_factor`]: Σ bᵣ·vᵣ₊₁.
#[inline(always)]
pub(super) fn block_factor(block: usize) -> Factor {
    let (low, high) = (block & 255, block >> 8 & 255);
    Factor {
        value: SUMS[0].values[low] ^ SUMS[1].values[high],
        quotient: SUMS[0].quotients[low] ^ SUMS[1].quotients[high],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gf2::clmul::multiply;

    fn reduce(mut x: u128) -> u64 {
        for bit in (64..128).rev() {
            if x >> bit & 1 == 1 {
                x ^= (1 << 64 | u128::from(MODULUS_LOW)) << (bit - 64);
            }
        }
        x as u64
    }

    #[test]
    fn basis_is_cantors_and_beta_is_its_element_32() {
        assert_eq!((CANTOR[0], CANTOR[32]), (1, 2));
        for i in 1..64 {
            let square = reduce(multiply(CANTOR[i], CANTOR[i]));
            assert_eq!(square ^ CANTOR[i], CANTOR[i - 1], "v{i}");
        }
    }

    /// β generates the field: its powers up to 63 are independent by construction, and it has
    /// degree 64 as it lies in no proper subfield: v₃₂ is outside GF(2³²), which v₀ … v₃₁ span.
    #[test]
    fn modulus_is_irreducible() {
        let frobenius = |x: u64, times: u32| (0..times).fold(x, |x, _| reduce(multiply(x, x)));
        assert_eq!(frobenius(2, 64), 2);
        assert_ne!(frobenius(2, 32), 2);
    }

    #[test]
    fn factors_carry_their_quotients() {
        for value in [1, 2, u64::MAX, CANTOR[5], CANTOR[63]] {
            let factor = Factor::of(value);
            let back = multiply(factor.quotient, MODULUS_LOW)
                ^ u128::from(factor.quotient) << 64
                ^ u128::from(value) << 64;
            assert_eq!(back >> 64, 0, "{value:x}");
        }
        // z¹²⁸ = z⁶⁴·M + z⁶⁴·(M − z⁶⁴).
        assert_eq!(Factor::of(MODULUS_LOW).quotient, INVERSE_LOW);
    }
}
