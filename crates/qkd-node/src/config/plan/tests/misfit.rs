//! What a configuration says, but cannot be planned with.

use super::*;

#[test]
fn effects_that_depend_on_the_source_need_the_source_they_are_known_for() {
    let extinction = "intensity_probabilities = [0.45, 0.55]\nextinction_ratio_db = 20.0";
    let text = LINK.replace("intensity_probabilities = [0.45, 0.55]", extinction);
    let config = parse(&text, &[]).unwrap();
    let fibre = PlanFibre::DistanceKm(25.0);
    let input = config.input(config.security.theorem, fibre).unwrap();
    let model = config.link_parameters(fibre).unwrap().link_model().unwrap();
    assert_eq!(input.link.intensities, model.source.intensities());
    assert!(input.link.intensities[1] > 0.115);
    let error = config.check_optimisable().unwrap_err().to_string();
    assert!(error.starts_with("source.extinction_ratio_db: "), "{error}");
    let one = text
        .replace("[0.33, 0.115]", "[0.33]")
        .replace("[0.45, 0.55]", "[1]");
    let said = parse(&one, &[PlanTheorem::Gllp]).unwrap_err().to_string();
    assert!(
        said.contains("source.extinction_ratio_db: found the number 20.0, but its effect is known"),
        "{said}"
    );
    assert!(said.contains("it needs two intensities"), "{said}");
    // Of a whole table no value is shown.
    let jitter = "[detector.timing_jitter]\ndeviation_ps = 30.0\n\n[protocol]";
    let text = LINK.replace("[protocol]", jitter);
    let one = text
        .replace("[0.33, 0.115]", "[0.33]")
        .replace("[0.45, 0.55]", "[1]");
    let said = parse(&one, &[PlanTheorem::Gllp]).unwrap_err().to_string();
    assert!(
        said.contains("detector.timing_jitter: found a table, but its effect is known"),
        "{said}"
    );
}

#[test]
fn a_file_of_measurements_is_pointed_to_its_command() {
    let counts = include_str!("../../../../../../deploy/examples/plan/counts.toml");
    for text in [counts, "[summary]\nblock_bits = 1e6\n"] {
        let said = parse(text, &[]).unwrap_err().to_string();
        assert!(
            said.contains("found a table, expected the description of a link"),
            "{said}"
        );
        assert!(
            said.ends_with("what was measured is for `qkd plan evaluate`"),
            "{said}"
        );
    }
    // A link with a stranger in it is still a link.
    let said = parse(&LINK.replace("[security]", "[summary]"), &[]).unwrap_err();
    assert!(
        said.to_string().contains("[summary]: unknown section"),
        "{said}"
    );
}
