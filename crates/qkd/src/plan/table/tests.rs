//! What people and programs get to read.

use super::*;
use crate::plan::rows::tests::planned;

#[test]
fn csv_and_json_say_the_same_under_the_same_names() {
    let arguments = ["--preset", "snspd", "--theorem", "wiesemann2024,gllp"];
    let all = planned(&[&arguments[..], &["--loss-db", "0,10"]].concat()).unwrap();
    let json: serde_json::Value = serde_json::from_str(&json(&all)).unwrap();
    let rows = json["rows"].as_array().unwrap();
    let csv = csv(&all);
    let mut lines = csv.lines();
    let names: Vec<&str> = lines.next().unwrap().split(',').collect();
    assert_eq!(lines.clone().count(), 4);
    for (row, line) in rows.iter().zip(lines) {
        assert_eq!(row.as_object().unwrap().len(), names.len());
        for (name, cell) in names.iter().zip(cells_of(line)) {
            let same = match &row[*name] {
                serde_json::Value::Null => cell.is_empty(),
                serde_json::Value::String(text) => *text == cell,
                serde_json::Value::Number(number) => equal(number.as_f64(), &cell),
                serde_json::Value::Array(all) => {
                    let cells: Vec<&str> = cell.split(' ').collect();
                    let mut pairs = all.iter().zip(&cells);
                    all.len() == cells.len() && pairs.all(|(one, cell)| equal(one.as_f64(), cell))
                }
                other => panic!("{name}: {other}"),
            };
            assert!(same, "{name} is {} and {cell:?}", row[*name]);
        }
    }
    assert_eq!(
        rows[0]["repeaterless_bits_per_pulse"],
        serde_json::Value::Null
    );
    assert_eq!(rows[0]["distance_km"], serde_json::Value::Null);
}

/// A line without quotes in its cells.
fn cells_of(line: &str) -> Vec<String> {
    let mut cells = vec![String::new()];
    for (at, part) in line.split('"').enumerate() {
        let pieces: Vec<&str> = match at % 2 {
            0 => part.split(',').collect(),
            _ => vec![part],
        };
        for (at, piece) in pieces.into_iter().enumerate() {
            if at > 0 {
                cells.push(String::new());
            }
            if let Some(last) = cells.last_mut() {
                last.push_str(piece);
            }
        }
    }
    cells
}

/// The reader of JSON may be off by the last bit; what was printed is not.
fn equal(json: Option<f64>, cell: &str) -> bool {
    let (Some(json), Ok(cell)) = (json, cell.parse::<f64>()) else {
        return false;
    };
    (json - cell).abs() <= 1e-15 * cell.abs()
}

#[test]
fn a_cell_with_commas_or_quotes_is_one_cell() {
    assert_eq!(quoted("a, \"b\"".to_owned()), "\"a, \"\"b\"\"\"");
    assert_eq!(quoted("plain".to_owned()), "plain");
}

#[test]
fn no_table_is_wider_than_a_page() {
    for more in [&[][..], &["--optimise"]] {
        let arguments = [
            "--preset",
            "snspd,gys2004,micius2017",
            "--block-bits",
            "2e7,1e15",
        ];
        let all = planned(&[&arguments[..], &["--distances", "0,1,500,1000"], more].concat());
        let text = text(&all.unwrap(), !more.is_empty());
        for line in text.lines() {
            assert!(line.chars().count() <= TABLE_WIDTH, "{line}");
            assert_eq!(line, line.trim_end());
        }
        assert!(text.contains("this system"), "{text}");
    }
}

#[test]
fn a_table_ends_where_no_more_key_comes_out() {
    let all = planned(&["--preset", "gys2004", "--distances", "0:250:10"]).unwrap();
    let text = text(&all, false);
    let with_key = all[0].rows.iter().filter(|row| has_key(row)).count();
    assert!((5..20).contains(&with_key), "{with_key}");
    assert!(
        text.contains("\nNo key from there on, up to 250 km.\n"),
        "{text}"
    );
    // Two lines of heading, an empty one, two of titles, and an empty one after ten rows.
    let at = text.lines().position(|line| line.starts_with("No key"));
    let groups = with_key / GROUP;
    assert_eq!(at, Some(5 + with_key + 1 + groups), "{text}");
}

#[test]
fn a_block_takes_milliseconds_or_years() {
    for (seconds, words) in [
        (0.0571, "57.1 ms"),
        (0.999_4, "999 ms"),
        (0.999_6, "1.00 s"),
        (1.209, "1.21 s"),
        (1.5, "1.50 s"),
        (90.0, "90.0 s"),
        (150.0, "2.50 min"),
        (86_400.0, "24.0 h"),
        (1e6, "11.6 d"),
        (1e9, "31.7 years"),
        (1e30, "3.2e22 years"),
    ] {
        assert_eq!(duration(seconds), words);
    }
}

#[test]
fn a_note_is_said_once() {
    let arguments = [
        "--preset",
        "snspd,ingaas",
        "--theorem",
        "gllp,wiesemann2024",
    ];
    let all = planned(&[&arguments[..], &["--distances", "10"]].concat()).unwrap();
    let text = text(&all, false);
    assert_eq!(text.matches("infinitely many pulses").count(), 1, "{text}");
    assert_eq!(text.matches("this system: ").count(), 1, "{text}");
    let paid = qkd_node::parameters::FIXED_LENGTH_MIN_BITS - 1;
    assert!(SYSTEM_NOTE.contains(&format!(" {paid} bits ")));
}

#[test]
fn where_this_system_fixes_nothing_it_says_why() {
    let shown = |arguments: &[&str]| {
        let all = [&["--preset", "snspd"], arguments].concat();
        text(&planned(&all).unwrap(), false).replace('\n', " ")
    };
    let small = shown(&["--block-bits", "1e5", "--distances", "0,50,300"]);
    let refused = "snspd: this system would refuse blocks so small: of 100,000 sifted bits";
    assert_eq!(small.matches(refused).count(), 1, "{small}");
    let far = shown(&["--block-bits", "1e6", "--distances", "50:300:5"]);
    assert_eq!(
        far.matches("larger blocks reach farther").count(),
        1,
        "{far}"
    );
    let near = shown(&["--block-bits", "1e6", "--distances", "50"]);
    assert!(!near.contains("larger blocks"), "{near}");
    let large = shown(&["--block-bits", "1e9", "--distances", "50"]);
    let sizes = "runs no blocks of 1,000,000,000 sifted bits, but of 1,000 to 20,000,000.";
    assert!(large.contains(sizes), "{large}");
}

#[test]
fn a_search_without_a_key_found_nothing() {
    let arguments = ["--preset", "snspd", "--optimise", "--distances", "50,900"];
    let all = planned(&arguments).unwrap();
    let text = text(&all, true);
    let row = |place: &str| {
        text.lines()
            .find(|line| line.trim_start().starts_with(place))
    };
    assert!(
        row("50 ").is_some_and(|line| !line.contains(NOTHING)),
        "{text}"
    );
    let without = row("900 ").unwrap();
    assert!(
        without.ends_with("–            –          –      –"),
        "{without:?} {text}"
    );
    assert!(text.contains(UNFOUND_NOTE));
    // Programs get what the row was planned with.
    assert_eq!(all[0].rows[1].intensities.len(), 2);
    assert!(
        csv(&all)
            .lines()
            .nth(2)
            .is_some_and(|line| line.contains(" 0."))
    );
}
