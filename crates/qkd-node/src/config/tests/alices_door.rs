//! `[alices_door]`: Alice's alone, and closed when nothing is said.

use qkd_optics::{AlicesDoor, Isolation, Layout, OutputMonitor, Watchdog};

use super::*;

const OPEN: &str = r#"
[alices_door]
layout = "two-way"
isolation_db = 170
long_wave_isolation_db = 80.5
laser_isolation_db = 60
seeding_per_photon = 0.01
[alices_door.watchdog]
alarm_photons = 1e4
[alices_door.output_monitor]
tolerance = 0.05
"#;

fn door(text: &str) -> AlicesDoor {
    match parse(text, Role::Alice).unwrap_or_else(|error| panic!("{error}")) {
        NodeConfig::Alice(alice) => alice.door,
        NodeConfig::Bob(_) | NodeConfig::Eve(_) => panic!("another role"),
    }
}

#[test]
fn nobody_looks_in_unless_the_section_opens_the_door() {
    assert_eq!(door(&alice_text()), AlicesDoor::default());
    let closed = alice_text() + "\n[alices_door]\n";
    assert_eq!(door(&closed), AlicesDoor::default());
    let text = alice_text() + OPEN;
    let expected = AlicesDoor {
        layout: Layout::TwoWay,
        isolation: Isolation {
            signal_band_db: 170.0,
            long_wave_db: 80.5,
        },
        laser_isolation: Isolation::everywhere(60.0),
        seeding_per_photon: 0.01,
        watchdog: Some(Watchdog {
            alarm_photons: 1e4,
            wavelength_max_nm: 1700.0,
        }),
        output_monitor: Some(OutputMonitor { tolerance: 0.05 }),
    };
    assert_eq!(door(&text), expected);
    // Filters that one wavelength alone passes.
    let band = text.replace(
        "long_wave_isolation_db = 80.5",
        "long_wave_isolation_db = inf",
    );
    assert_eq!(door(&band).isolation.long_wave_db, f64::INFINITY);
    let long = text.replace("\nisolation_db = 170", "");
    assert_eq!(door(&long).isolation.signal_band_db, f64::INFINITY);
    for text in [alice_text(), text, band, long] {
        let read = parse(&text, Role::Alice).unwrap();
        assert_eq!(parse(&read.to_toml(), Role::Alice).unwrap(), read);
    }
}

#[test]
fn a_door_that_cannot_be_is_refused_at_its_key_and_bob_has_none() {
    for (line, key, expected) in [
        ("isolation_db = -1", "alices_door.isolation_db", "0 to 1000"),
        (
            "isolation = 60",
            "alices_door.isolation",
            "did you mean `isolation_db`?",
        ),
        (
            "layout = \"oneway\"",
            "alices_door.layout",
            "did you mean `one-way`?",
        ),
        (
            "seeding_per_photon = 1e7",
            "alices_door.seeding_per_photon",
            "0 to 1e6",
        ),
        (
            "[alices_door.watchdog]\nalarm_photons = 0",
            "alices_door.watchdog.alarm_photons",
            "above 0",
        ),
        (
            "[alices_door.watchdog]",
            "alices_door.watchdog.alarm_photons",
            "from which the watchdog sounds",
        ),
        (
            "[alices_door.output_monitor]\ntolerance = 0",
            "alices_door.output_monitor.tolerance",
            "above 0",
        ),
    ] {
        let text = format!("{}\n[alices_door]\n{line}\n", alice_text());
        let said = parse(&text, Role::Alice).unwrap_err().to_string();
        assert!(said.contains(key) && said.contains(expected), "{said}");
    }
    let said = parse(&(bob_text() + OPEN), Role::Bob)
        .unwrap_err()
        .to_string();
    assert!(said.contains("[alices_door]"), "{said}");
}
