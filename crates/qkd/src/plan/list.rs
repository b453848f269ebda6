//! Numbers as people list them: `0,10,25`, `0:250:5`, or both.

/// Longest list: nobody reads more, and a step of nothing has an end.
pub const NUMBERS_MAX: usize = 100_000;

/// Numbers in the order in which they were given.
#[derive(Debug, Clone, PartialEq)]
pub struct List(pub Vec<f64>);

/// Lengths of fibre, km.
///
/// # Errors
/// With what was expected.
pub fn distances(text: &str) -> Result<List, String> {
    list(text, 1000.0, "km", "0:250:5 or 0,10,25")
}

/// Losses, dB.
///
/// # Errors
/// With what was expected.
pub fn losses(text: &str) -> Result<List, String> {
    list(text, 300.0, "dB", "0:40:1 or 0,10,26.5")
}

/// One size of a block, also as 1e7.
///
/// # Errors
/// With what was expected.
pub fn block_bits(text: &str) -> Result<u64, String> {
    let bits = text.replace('_', "").parse::<f64>().ok();
    let fitting = bits.filter(|bits| (1e2..=1e15).contains(bits) && bits.fract() == 0.0);
    // Whole and far below 2^53: exact.
    fitting.map(|bits| bits as u64).ok_or_else(|| {
        "expected a whole number of sifted bits from 100 to 1e15, such as 1e7".to_owned()
    })
}

fn list(text: &str, most: f64, unit: &str, example: &str) -> Result<List, String> {
    let mut numbers = Vec::new();
    for part in text.split(',') {
        let read = part_of(part, most, &mut numbers);
        read.map_err(|fault| {
            format!(
                "{part:?} {fault}: expected numbers of {unit} from 0 to {most} or ranges \
                 FIRST:LAST:STEP, at most {NUMBERS_MAX} in all, such as {example}"
            )
        })?;
    }
    Ok(List(numbers))
}

fn part_of(part: &str, most: f64, numbers: &mut Vec<f64>) -> Result<(), &'static str> {
    let number = |text: &str| {
        let number = text.trim().parse::<f64>().ok();
        number
            .filter(|number| number.is_finite())
            .ok_or("is not a number")
    };
    let (first, last, step) = match part.split(':').collect::<Vec<_>>().as_slice() {
        [one] => {
            let one = number(one)?;
            (one, one, 1.0)
        }
        [first, last, step] => (number(first)?, number(last)?, number(step)?),
        [_, _] => return Err("is a range without a step"),
        _ => return Err("is no range"),
    };
    if first < 0.0 || last < 0.0 || first > most || last > most {
        return Err("is out of range");
    }
    if last < first {
        return Err("ends before it begins");
    }
    if step <= 0.0 {
        return Err("has a step that is not above 0");
    }
    // A last step that only rounding keeps from the end reaches it.
    let steps = ((last - first) / step + 1e-9).floor();
    if steps + 1.0 + numbers.len() as f64 > NUMBERS_MAX as f64 {
        return Err("is too long");
    }
    let steps = steps as u64;
    numbers.extend((0..=steps).map(|at| clean(first + at as f64 * step).min(last)));
    Ok(())
}

/// The number with twelve digits: 0.3 and not 0.30000000000000004.
fn clean(number: f64) -> f64 {
    // What was printed as a number is one.
    format!("{number:.11e}").parse().unwrap_or(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_numbers_and_ranges_with_both_ends() {
        for (text, numbers) in [
            ("25", vec![25.0]),
            ("0,10,26.5", vec![0.0, 10.0, 26.5]),
            ("0:1:0.25", vec![0.0, 0.25, 0.5, 0.75, 1.0]),
            ("0:10:4", vec![0.0, 4.0, 8.0]),
            ("5:5:1, 1e1", vec![5.0, 10.0]),
            ("0:0.3:0.1", vec![0.0, 0.1, 0.2, 0.3]),
        ] {
            assert_eq!(distances(text), Ok(List(numbers)), "{text}");
        }
        assert_eq!(distances("0:250:5").unwrap().0.len(), 51);
        assert_eq!(losses("0:300:100").unwrap().0, [0.0, 100.0, 200.0, 300.0]);
    }

    #[test]
    fn what_is_no_list_is_told_what_is_wrong_and_what_was_expected() {
        for (text, fault) in [
            ("0:250", "\"0:250\" is a range without a step"),
            ("5:0:1", "\"5:0:1\" ends before it begins"),
            ("0:5:0", "has a step that is not above 0"),
            ("0:5:-1", "has a step that is not above 0"),
            ("a", "\"a\" is not a number"),
            ("", "\"\" is not a number"),
            ("1,,2", "\"\" is not a number"),
            ("nan", "is not a number"),
            ("0:inf:1", "is not a number"),
            ("1:2:3:4", "is no range"),
            ("-1", "\"-1\" is out of range"),
            ("1,1001", "\"1001\" is out of range"),
            ("0:1000:0.001", "is too long"),
            ("0:1000:1e-300", "is too long"),
        ] {
            let said = distances(text).unwrap_err();
            assert!(said.contains(fault), "{text}: {said}");
            let expected = "expected numbers of km from 0 to 1000 or ranges FIRST:LAST:STEP";
            assert!(said.contains(expected), "{said}");
            assert!(said.contains("such as 0:250:5 or 0,10,25"), "{said}");
        }
    }

    #[test]
    fn a_block_size_is_whole_and_may_be_a_power_of_ten() {
        for (text, bits) in [("1e7", 10_000_000), ("100", 100), ("1_000_000", 1_000_000)] {
            assert_eq!(block_bits(text), Ok(bits));
        }
        assert_eq!(block_bits("1e15"), Ok(1_000_000_000_000_000));
        for text in ["0", "99", "1.5e2x", "150.5", "2e15", "-1e6", "nan", ""] {
            let said = block_bits(text).unwrap_err();
            assert!(said.contains("from 100 to 1e15"), "{text}: {said}");
        }
    }
}
