//! Figures and states as people read them.

use qkd_node::words::stretched_clock;
use qkd_wire::proto::node::LinkState;

/// Wall-clock seconds per emulated second from which on a clock is not in real time.
pub const STRETCHED: f64 = 1.05;

/// A whole number with a comma between groups of three digits.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A quantity of any size with three digits: "705 MHz", "68.0/s".
pub fn metric(number: f64, unit: &str) -> String {
    if !number.is_finite() {
        return "–".to_owned();
    }
    // Rounding to three digits must not leave a thousand of a prefix.
    let prefixes = [(1e9, "G"), (1e6, "M"), (1e3, "k")];
    let prefix = prefixes.iter().find(|(size, _)| number >= 0.9995 * size);
    let (size, prefix) = prefix.copied().unwrap_or((1.0, ""));
    let gap = match prefix.is_empty() && unit.starts_with('/') {
        true => "",
        false => " ",
    };
    format!("{}{gap}{prefix}{unit}", three_digits(number / size))
}

/// A number with three digits, in powers of ten when it is very large or small.
pub fn three_digits(number: f64) -> String {
    match number {
        number if !number.is_finite() => "–".to_owned(),
        0.0 => "0".to_owned(),
        number if !(0.001..99_999.5).contains(&number) => format!("{number:.1e}"),
        number if number >= 99.95 => format!("{number:.0}"),
        number if number >= 9.995 => format!("{number:.1}"),
        number if number >= 0.0995 => format!("{number:.2}"),
        number => format!("{number:.4}"),
    }
}

/// A number to six digits, in powers of ten when it is very small or large: "0.034123", "1e-10".
pub fn significant(number: f64) -> String {
    let trimmed = |digits: &str| {
        digits
            .trim_end_matches('0')
            .trim_end_matches('.')
            .to_owned()
    };
    match number {
        number if !number.is_finite() => "–".to_owned(),
        0.0 => "0".to_owned(),
        number if !(0.001..1e6).contains(&number.abs()) => {
            let text = format!("{number:.5e}");
            match text.split_once('e') {
                Some((digits, power)) => format!("{}e{power}", trimmed(digits)),
                None => text,
            }
        }
        number => trimmed(&format!("{number:.6}")),
    }
}

/// A rate from 0 to 1 as per cent.
pub fn percent(rate: f64) -> String {
    format!("{:.2} %", 100.0 * rate)
}

/// How the emulated clock of `clock_hz` runs; `stretch` is wall-clock seconds per emulated second.
pub fn clock(stretch: f64, clock_hz: f64) -> String {
    if stretch <= 0.0 || !stretch.is_finite() {
        "clock not running".to_owned()
    } else if stretch >= STRETCHED {
        format!("emulated {}", stretched_clock(clock_hz / stretch, clock_hz))
    } else if stretch <= 0.95 {
        format!("clock {:.1} times faster than real", 1.0 / stretch)
    } else {
        "clock in real time".to_owned()
    }
}

/// What a link is doing, in a few words.
pub fn doing(state: LinkState) -> &'static str {
    match state {
        LinkState::Unspecified => "in a state it does not name",
        LinkState::Connecting => "connecting",
        LinkState::Handshake => "in the handshake",
        LinkState::Running => "running",
        LinkState::Paused => "paused",
    }
}

/// A noun with its number: "1 key", "2 keys".
pub fn counted(number: u64, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", grouped(number))
}

/// The words of `text` in lines of at most `width` characters; a longer word has a line of its own.
pub fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        let length = word.chars().count();
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + length <= width => {
                line.push(' ');
                line.push_str(word);
            }
            Some(_) | None => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_stand_in_groups_of_three() {
        for (number, text) in [
            (0, "0"),
            (999, "999"),
            (1000, "1,000"),
            (1234567, "1,234,567"),
        ] {
            assert_eq!(grouped(number), text);
        }
    }

    #[test]
    fn six_digits_are_enough_and_none_is_there_for_nothing() {
        for (number, text) in [
            (0.0, "0"),
            (1e-10, "1e-10"),
            (3.0 * 1e-10, "3e-10"),
            (3.00003e-10, "3.00003e-10"),
            (0.034_123_456, "0.034123"),
            (0.5, "0.5"),
            (1.072, "1.072"),
            (1.5e7, "1.5e7"),
            (f64::NAN, "–"),
        ] {
            assert_eq!(significant(number), text);
        }
    }

    #[test]
    fn quantities_of_any_size_have_three_digits() {
        for (number, unit, text) in [
            (2.5e9, "Hz", "2.50 GHz"),
            (999.7e6, "Hz", "1.00 GHz"),
            (7.05e8, "Hz", "705 MHz"),
            (1e3, "Hz", "1.00 kHz"),
            (68.04, "/s", "68.0/s"),
            (12_345.0, "/s", "12.3 k/s"),
            (0.0, "/s", "0/s"),
            (0.02, "/s", "0.0200/s"),
            (1e-9, "/s", "1.0e-9/s"),
            (f64::NAN, "/s", "–"),
        ] {
            assert_eq!(metric(number, unit), text);
        }
        assert_eq!(three_digits(1.234e19), "1.2e19");
    }

    #[test]
    fn the_clock_is_slower_when_a_second_takes_longer() {
        for (stretch, words) in [
            (2.0, "emulated clock stretched to 0.5 GHz of 1 GHz"),
            (0.002, "clock 500.0 times faster than real"),
            (1.0, "clock in real time"),
            (0.0, "clock not running"),
            (f64::NAN, "clock not running"),
        ] {
            assert_eq!(clock(stretch, 1e9), words);
        }
    }

    #[test]
    fn wrapped_lines_keep_every_word_and_the_width() {
        let text = "one two three four";
        assert_eq!(wrapped(text, 9), ["one two", "three", "four"]);
        assert_eq!(wrapped(text, 80), [text]);
        assert_eq!(wrapped("extraordinary word", 5), ["extraordinary", "word"]);
        assert!(wrapped("", 5).is_empty());
    }

    #[test]
    fn one_is_singular() {
        assert_eq!(counted(1, "key"), "1 key");
        assert_eq!(counted(1200, "key"), "1,200 keys");
    }
}
