//! `qkd plan`: rows that fit together, files that are what they claim, and refusals that say why.

mod refusals;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::process::{PATIENCE, Running};

/// The fields of a row, and whether they are of a block alone, absent for asymptotic theorems.
const FIELDS: &[(&str, Kind)] = &[
    ("configuration", Kind::Text),
    ("theorem", Kind::Text),
    ("standing", Kind::Text),
    ("channel_model", Kind::Text),
    ("block_bits", Kind::OfBlock),
    ("distance_km", Kind::Number),
    ("loss_db", Kind::Number),
    ("qber", Kind::Number),
    ("phase_error_rate", Kind::Number),
    ("secret_length_bits", Kind::OfBlock),
    ("secret_bits_per_pulse", Kind::Number),
    ("secret_key_rate_bps", Kind::Number),
    ("repeaterless_bits_per_pulse", Kind::Number),
    ("intensities", Kind::Numbers),
    ("intensity_probabilities", Kind::Numbers),
    ("key_basis_probability", Kind::Number),
    ("reconciliation_inefficiency", Kind::Number),
    ("block_seconds", Kind::OfBlock),
    ("fixed_length_bits", Kind::OfSystem),
    ("fixed_key_rate_bps", Kind::OfSystem),
];

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Text,
    Number,
    Numbers,
    /// A number for finite theorems, `null` for the others.
    OfBlock,
    /// A number for the theorem that the daemons run, `null` for the others.
    OfSystem,
}

/// The link of Gobby, Yuan and Shields (2004), as Ma, Qi, Zhao and Lo (2005) plan it.
const GYS: &str = "\
[source]
clock_hz = 2e6
intensities = [0.48, 0.05, 0.0]

[channel]
attenuation_db_per_km = 0.21

[detector]
detector_efficiency = 0.045
dark_count_probability = 8.5e-7

[protocol]
misalignment_error = 0.033
reconciliation_inefficiency = 1.22
";

/// Runs `qkd plan` to its end: status, standard output, standard error.
fn run(arguments: &[&str]) -> (Option<i32>, String, String) {
    let arguments: Vec<&str> = ["plan"].iter().chain(arguments).copied().collect();
    let mut plan = Running::start(&arguments);
    let status = plan.end_within(PATIENCE).code();
    (status, plan.stdout(), plan.stderr())
}

/// What a plan that succeeds prints.
fn printed(arguments: &[&str]) -> String {
    let (status, stdout, stderr) = run(arguments);
    assert_eq!((status, stderr.as_str()), (Some(0), ""), "{arguments:?}");
    stdout
}

/// The rows of a plan.
fn rows(arguments: &[&str]) -> Vec<Value> {
    let arguments: Vec<&str> = arguments.iter().chain(&["--json"]).copied().collect();
    let text = printed(&arguments);
    assert_eq!(text.lines().count(), 1, "{text}");
    let all: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(all.as_object().unwrap().len(), 1, "{text}");
    all["rows"].as_array().unwrap().clone()
}

fn number(row: &Value, field: &str) -> f64 {
    row[field]
        .as_f64()
        .unwrap_or_else(|| panic!("{field} of {row}"))
}

#[track_caller]
fn close(found: f64, expected: f64, tolerance: f64) {
    let off = (found - expected).abs();
    assert!(
        off <= tolerance * expected.abs(),
        "{found} is not {expected}"
    );
}

fn written(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn a_row_has_the_fields_that_are_promised_and_null_where_there_is_nothing() {
    #[rustfmt::skip]
    let rows = rows(&[
        "--preset", "snspd", "--distances", "10,300", "--block-bits", "1e6",
        "--theorem", "wiesemann2024,rusca2018,gllp-decoy-infinite",
    ]);
    assert_eq!(rows.len(), 6);
    for row in &rows {
        let names: Vec<&str> = row
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .collect();
        let mut promised: Vec<&str> = FIELDS.iter().map(|(name, _)| *name).collect();
        promised.sort_unstable();
        assert_eq!(names, promised);
        let finite = row["theorem"] != "gllp-decoy-infinite";
        let ours = row["theorem"] == "wiesemann2024";
        for (name, kind) in FIELDS {
            let value = &row[*name];
            let right = match kind {
                Kind::Text => value.is_string(),
                Kind::Number => value.is_number(),
                Kind::Numbers => {
                    let all = value.as_array().unwrap();
                    !all.is_empty() && all.iter().all(Value::is_number)
                }
                Kind::OfBlock if finite => value.is_number(),
                Kind::OfSystem if ours => value.is_number() || value.is_null(),
                Kind::OfBlock | Kind::OfSystem => value.is_null(),
            };
            assert!(right, "{name}: {value} in {row}");
        }
        let rate_bps = number(row, "secret_bits_per_pulse") * 1e9;
        close(number(row, "secret_key_rate_bps"), rate_bps, 1e-12);
        assert!(number(row, "secret_bits_per_pulse") < number(row, "repeaterless_bits_per_pulse"));
    }
    // Near there is a key, at 300 km there is none.
    assert!(
        number(&rows[0], "secret_length_bits") > 100_000.0,
        "{}",
        rows[0]
    );
    assert!(number(&rows[0], "fixed_length_bits") > 0.0, "{}", rows[0]);
    assert!(number(&rows[0], "fixed_length_bits") < number(&rows[0], "secret_length_bits"));
    assert_eq!(number(&rows[1], "secret_length_bits"), 0.0);
}

#[test]
fn a_table_of_comma_separated_values_has_the_names_and_figures_of_the_rows() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rates.csv");
    #[rustfmt::skip]
    let rows = rows(&[
        "--preset", "snspd", "--distances", "0,50", "--theorem", "wiesemann2024,gllp",
        "--csv", path.to_str().unwrap(),
    ]);
    let text = fs::read_to_string(&path).unwrap();
    let mut lines = text.lines();
    let names: Vec<&str> = lines.next().unwrap().split(',').collect();
    let promised: Vec<&str> = FIELDS.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, promised);
    let cells: Vec<Vec<String>> = lines.map(cells).collect();
    assert_eq!(cells.len(), rows.len());
    for (row, cells) in rows.iter().zip(&cells) {
        let cells: BTreeMap<&str, &String> = names.iter().copied().zip(cells).collect();
        assert_eq!(cells.len(), FIELDS.len(), "{cells:?}");
        for (name, _) in FIELDS {
            let cell = cells[name];
            match &row[*name] {
                Value::Null => assert_eq!(cell, "", "{name}"),
                Value::String(text) => assert_eq!(cell, text, "{name}"),
                Value::Array(all) => assert_numbers(cell, all),
                number => assert_numbers(cell, std::slice::from_ref(number)),
            }
        }
    }
}

/// Whether a cell has these numbers: to the last digit, but for the reader of JSON, which may be
/// one unit off there.
#[track_caller]
fn assert_numbers(cell: &str, expected: &[Value]) {
    let found: Vec<f64> = cell.split(' ').map(|word| word.parse().unwrap()).collect();
    assert_eq!(found.len(), expected.len(), "{cell:?}");
    for (found, expected) in found.into_iter().zip(expected) {
        close(found, expected.as_f64().unwrap(), 1e-15);
    }
}

/// One line of comma-separated values (RFC 4180) without line breaks in them.
fn cells(line: &str) -> Vec<String> {
    let mut cells = vec![String::new()];
    let mut quoted = false;
    let mut characters = line.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '"' if quoted && characters.peek() == Some(&'"') => {
                characters.next();
                cells.last_mut().unwrap().push('"');
            }
            '"' => quoted = !quoted,
            ',' if !quoted => cells.push(String::new()),
            other => cells.last_mut().unwrap().push(other),
        }
    }
    cells
}

#[test]
fn pictures_are_what_they_claim_and_the_same_every_time() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    for turn in ["1", "2"] {
        let (svg, png) = (path(&format!("{turn}.svg")), path(&format!("{turn}.png")));
        #[rustfmt::skip]
        let text = printed(&[
            "--preset", "snspd,ingaas", "--distances", "0:200:10", "--svg", &svg, "--png", &png,
        ]);
        assert!(text.contains("snspd"), "the table is there as well: {text}");
    }
    let read = |name: &str| fs::read(path(name)).unwrap();
    assert_eq!(read("1.svg"), read("2.svg"));
    assert_eq!(read("1.png"), read("2.png"));
    let svg = String::from_utf8(read("1.svg")).unwrap();
    assert!(
        svg.starts_with("<svg ") && svg.ends_with("</svg>\n"),
        "{svg}"
    );
    for word in [
        "ingaas",
        "snspd",
        "repeaterless bound",
        "distance (km)",
        "(bit/s)",
        "10⁶",
    ] {
        assert!(svg.contains(word), "{word}");
    }
    let png = read("1.png");
    // Signature, length and name of the first chunk, then width and height.
    assert_eq!(png[..8], *b"\x89PNG\r\n\x1a\n");
    assert_eq!(png[12..16], *b"IHDR");
    assert_eq!(png[16..24], [0, 0, 4, 176, 0, 0, 3, 32]);
    assert_eq!(png[png.len() - 8..png.len() - 4], *b"IEND");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 4);
}

#[test]
fn a_configuration_s_name_is_text_in_its_picture() {
    let folder = tempfile::tempdir().unwrap();
    let config = written(folder.path(), "<b>&.toml", GYS);
    let svg = folder.path().join("rates.svg");
    #[rustfmt::skip]
    printed(&[
        "--config", &config, "--theorem", "gllp-vacuum-weak", "--svg", svg.to_str().unwrap(),
    ]);
    let svg = fs::read_to_string(svg).unwrap();
    assert!(
        svg.contains("&lt;b&gt;&amp;") && !svg.contains("<b>"),
        "{svg}"
    );
}

#[test]
fn the_link_of_gobby_yuan_and_shields_gives_its_published_rates() {
    let folder = tempfile::tempdir().unwrap();
    let config = written(folder.path(), "gys.toml", GYS);
    #[rustfmt::skip]
    let rows = rows(&[
        "--config", &config, "--theorem", "gllp-decoy-infinite,gllp-vacuum-weak",
        "--distances", "0,40,100,150",
    ]);
    // Ma, Qi, Zhao and Lo, PRA 72 012326: equations 34 and 37 with the parameters of its table I.
    let published = [
        (0.0330371500531, 0.00255457727097),
        (0.0332545382559, 0.000363075528868),
        (0.0375821261261, 1.71843591882e-5),
        (0.0797233286104, 0.0),
        (0.0330371500531, 0.00241424546639),
        (0.0332545382559, 0.000342089385005),
        (0.0375821261261, 1.60200452682e-5),
        (0.0797233286104, 0.0),
    ];
    assert_eq!(rows.len(), published.len());
    for (row, (qber, bits_per_pulse)) in rows.iter().zip(published) {
        close(number(row, "qber"), qber, 1e-6);
        close(number(row, "secret_bits_per_pulse"), bits_per_pulse, 1e-6);
        assert_eq!(row["configuration"], "gys");
    }
}

#[test]
fn a_loss_stands_in_place_of_the_fibre_s() {
    let by_distance = rows(&["--preset", "snspd", "--distances", "0,50"]);
    let by_loss = rows(&["--preset", "snspd", "--loss-db", "0,10"]);
    for (distance, loss) in by_distance.iter().zip(&by_loss) {
        assert!(loss["distance_km"].is_null());
        for field in [
            "loss_db",
            "qber",
            "phase_error_rate",
            "secret_bits_per_pulse",
        ] {
            close(number(distance, field), number(loss, field), 1e-9);
        }
        assert_eq!(distance["secret_length_bits"], loss["secret_length_bits"]);
    }
    assert_eq!(number(&by_loss[1], "loss_db"), 10.0);
    // Without loss the repeaterless bound is infinite, for which JSON has no number.
    assert!(by_loss[0]["repeaterless_bits_per_pulse"].is_null());
}

#[test]
fn the_best_choice_gives_no_less_than_the_given_one() {
    let link = [
        "--preset",
        "snspd",
        "--distances",
        "10,60",
        "--block-bits",
        "1e6",
    ];
    let given = rows(&link);
    let optimise: Vec<&str> = link.iter().chain(&["--optimise"]).copied().collect();
    for (best, given) in rows(&optimise).iter().zip(&given) {
        let (best_bits, bits) = (
            number(best, "secret_bits_per_pulse"),
            number(given, "secret_bits_per_pulse"),
        );
        assert!(best_bits >= bits && bits > 0.0, "{best} {given}");
        assert_ne!(best["intensities"], given["intensities"]);
        let all = best["intensity_probabilities"].as_array().unwrap();
        close(all.iter().filter_map(Value::as_f64).sum(), 1.0, 1e-9);
    }
}

#[test]
fn a_link_without_any_key_is_planned_as_well() {
    let folder = tempfile::tempdir().unwrap();
    let svg = folder.path().join("none.svg");
    #[rustfmt::skip]
    let text = printed(&[
        "--preset", "ingaas", "--distances", "400,500", "--svg", svg.to_str().unwrap(),
    ]);
    assert!(text.contains("ingaas"), "{text}");
    let svg = fs::read_to_string(svg).unwrap();
    assert!(svg.contains("no secret key anywhere"));
}
