//! Figures in the words that logs, operators and people read.

/// "clock stretched to 0.43 GHz of 1 GHz": what an emulated clock does in a second of wall-clock
/// time, of what the hardware does.
pub fn stretched_clock(slots_per_second: f64, clock_hz: f64) -> String {
    let (unit, hz) = match clock_hz {
        clock_hz if clock_hz >= 1e9 => ("GHz", 1e9),
        clock_hz if clock_hz >= 1e6 => ("MHz", 1e6),
        clock_hz if clock_hz >= 1e3 => ("kHz", 1e3),
        _ => ("Hz", 1.0),
    };
    let (came, is) = (figures(slots_per_second / hz), figures(clock_hz / hz));
    format!("clock stretched to {came} {unit} of {is} {unit}")
}

/// A number with two significant digits after leading zeros, and no zeros at its end.
fn figures(number: f64) -> String {
    let mut places = 2;
    while places < 6 && number > 0.0 && number * 10f64.powi(places - 1) < 1.0 {
        places += 1;
    }
    let text = format!("{number:.*}", places as usize);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stretched_clock_is_named_in_the_unit_of_the_hardware() {
        for (came, is, words) in [
            (4.3e8, 1e9, "clock stretched to 0.43 GHz of 1 GHz"),
            (2.5e7, 1e9, "clock stretched to 0.025 GHz of 1 GHz"),
            (1.25e9, 2.5e9, "clock stretched to 1.25 GHz of 2.5 GHz"),
            (1.5e6, 2e6, "clock stretched to 1.5 MHz of 2 MHz"),
            (0.0, 500.0, "clock stretched to 0 Hz of 500 Hz"),
        ] {
            assert_eq!(stretched_clock(came, is), words);
        }
    }
}
