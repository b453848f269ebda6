//! Squares of 64 × 64 bits turned over at their diagonal, a few side by side.

/// Squares that are transposed side by side: a lane of a vector register for each.
pub(crate) const ABREAST: usize = 4;

/// Side of a square in bits: a word.
pub(crate) const SIDE: usize = 64;

/// Squares side by side: at `[r][k]` line r of square k.
pub(crate) type Squares = [[u64; ABREAST]; SIDE];

/// In each square, swaps bit c of line r with bit r of line c (Warren, *Hacker's Delight*, section
/// 7-3), two widths at a time. Compiled for the caller's instructions.
#[inline(always)]
pub(crate) fn transpose(squares: &mut Squares) {
    swap_twice::<32>(squares, 0x0000_0000_ffff_ffff, 0x0000_ffff_0000_ffff);
    swap_twice::<8>(squares, 0x00ff_00ff_00ff_00ff, 0x0f0f_0f0f_0f0f_0f0f);
    swap_twice::<2>(squares, 0x3333_3333_3333_3333, 0x5555_5555_5555_5555);
}

/// Swaps the two squares off the diagonal in all squares of twice `WIDTH` bits, and in all of
/// `WIDTH` bits.
#[inline(always)]
fn swap_twice<const WIDTH: usize>(squares: &mut Squares, low: u64, lower: u64) {
    let half = WIDTH / 2;
    for i in 0..SIDE / 4 {
        let first = (i / half) * (2 * WIDTH) + i % half;
        let [mut a, mut b] = [squares[first], squares[first + half]];
        let [mut c, mut d] = [squares[first + WIDTH], squares[first + WIDTH + half]];
        (a, c) = swapped(a, c, WIDTH, low);
        (b, d) = swapped(b, d, WIDTH, low);
        (a, b) = swapped(a, b, half, lower);
        (c, d) = swapped(c, d, half, lower);
        (squares[first], squares[first + half]) = (a, b);
        (squares[first + WIDTH], squares[first + WIDTH + half]) = (c, d);
    }
}

/// Swaps the bits of `a` that are `width` above those of `low` with those of `b` that are in `low`.
#[inline(always)]
fn swapped(
    mut a: [u64; ABREAST],
    mut b: [u64; ABREAST],
    width: usize,
    low: u64,
) -> ([u64; ABREAST], [u64; ABREAST]) {
    for k in 0..ABREAST {
        let differing = (a[k] >> width ^ b[k]) & low;
        a[k] ^= differing << width;
        b[k] ^= differing;
    }
    (a, b)
}

#[cfg(test)]
mod tests {
    use super::*;
    use qkd_bits::SecretRng;

    #[test]
    fn transposing_swaps_lines_with_columns() {
        let mut rng = SecretRng::from_seed([3; 32]);
        let lines: Squares = std::array::from_fn(|_| std::array::from_fn(|_| rng.next_u64()));
        let mut swapped = lines;
        transpose(&mut swapped);
        for (r, line) in lines.iter().enumerate() {
            for (c, column) in swapped.iter().enumerate() {
                for (line, column) in line.iter().zip(column) {
                    assert_eq!(column >> r & 1, line >> c & 1, "{r}, {c}");
                }
            }
        }
    }
}
