//! `[alices_door]`: what stands between the fibre and Alice's modulator and laser.
//!
//! It is her hardware alone, which Bob neither knows nor agrees to. What the key length is told of it is
//! what the operator states in `[security.side_channels]`, and that both sides must have the same.

use qkd_optics::{AlicesDoor, Isolation, Layout, OutputMonitor, SIGNAL_BAND_MAX_NM, Watchdog};

use toml::de::DeValue;

use super::document::{Rule, Section};
use super::place::ConfigError;
use super::rules::number;

pub(super) const SECTION: &str = "alices_door";

const KEYS: [&str; 8] = [
    "layout",
    "isolation_db",
    "long_wave_isolation_db",
    "laser_isolation_db",
    "laser_long_wave_isolation_db",
    "seeding_per_photon",
    "watchdog",
    "output_monitor",
];

const LAYOUT: Rule<Layout> = Rule {
    expected: "where Alice's pulses are made: \"one-way\", by a laser of her own, or \"two-way\", by Bob's",
    read: |value| match value.as_str()? {
        "one-way" => Some(Layout::OneWay),
        "two-way" => Some(Layout::TwoWay),
        _ => None,
    },
    known: &["one-way", "two-way"],
};

const ISOLATION_DB: Rule<f64> = Rule::new(
    "the loss, in dB from 0 to 1000, of light that comes in, such as 170; the section says that \
     nothing comes in by leaving it out, or by inf",
    |value| match value {
        DeValue::Float(float) if matches!(float.as_str(), "inf" | "+inf") => Some(f64::INFINITY),
        other => number(other).filter(|loss_db| (0.0..=1000.0).contains(loss_db)),
    },
);

const SEEDING: Rule<f64> = Rule::new(
    "the share, from 0 to 1e6, by which one photon per slot at the laser raises all intensities, \
     such as 0.01",
    |value| number(value).filter(|share| (0.0..=1e6).contains(share)),
);

const ALARM_PHOTONS: Rule<f64> = Rule::new(
    "the photons per slot, above 0 and at most 1e12, from which the watchdog sounds, such as 1e4",
    |value| number(value).filter(|photons| *photons > 0.0 && *photons <= 1e12),
);

const WAVELENGTH_MAX_NM: Rule<f64> = Rule::new(
    "the longest wavelength that the watchdog sees, in nm from 100 to 10000, such as 1700",
    |value| number(value).filter(|nm| (100.0..=10_000.0).contains(nm)),
);

const TOLERANCE: Rule<f64> = Rule::new(
    "the share, above 0 and at most 10, by which the outgoing light may be too bright, such as 0.05",
    |value| number(value).filter(|share| *share > 0.0 && *share <= 10.0),
);

/// What the document says of the door; that nobody looks in where it says nothing.
pub(super) fn read(root: &Section<'_>) -> Result<AlicesDoor, ConfigError> {
    let Some(door) = root.section_if_present(SECTION, &KEYS)? else {
        return Ok(AlicesDoor::default());
    };
    let seeding = door.optional("seeding_per_photon", &SEEDING)?;
    Ok(AlicesDoor {
        layout: door.optional("layout", &LAYOUT)?.unwrap_or_default(),
        isolation: isolation(&door, ["isolation_db", "long_wave_isolation_db"])?,
        laser_isolation: isolation(
            &door,
            ["laser_isolation_db", "laser_long_wave_isolation_db"],
        )?,
        seeding_per_photon: seeding.unwrap_or(0.0),
        watchdog: watchdog(&door)?,
        output_monitor: output_monitor(&door)?,
    })
}

/// Light of long waves is lost as the other is, unless something else is said.
fn isolation(door: &Section<'_>, [band, long]: [&str; 2]) -> Result<Isolation, ConfigError> {
    let signal_band_db = door.optional(band, &ISOLATION_DB)?;
    let signal_band_db = signal_band_db.unwrap_or(f64::INFINITY);
    let long_wave_db = door.optional(long, &ISOLATION_DB)?;
    Ok(Isolation {
        signal_band_db,
        long_wave_db: long_wave_db.unwrap_or(signal_band_db),
    })
}

fn watchdog(door: &Section<'_>) -> Result<Option<Watchdog>, ConfigError> {
    let known = ["alarm_photons", "wavelength_max_nm"];
    let Some(section) = door.section_if_present("watchdog", &known)? else {
        return Ok(None);
    };
    let wavelength = section.optional("wavelength_max_nm", &WAVELENGTH_MAX_NM)?;
    Ok(Some(Watchdog {
        alarm_photons: section.required("alarm_photons", &ALARM_PHOTONS)?,
        wavelength_max_nm: wavelength.unwrap_or(SIGNAL_BAND_MAX_NM),
    }))
}

fn output_monitor(door: &Section<'_>) -> Result<Option<OutputMonitor>, ConfigError> {
    let Some(section) = door.section_if_present("output_monitor", &["tolerance"])? else {
        return Ok(None);
    };
    Ok(Some(OutputMonitor {
        tolerance: section.required("tolerance", &TOLERANCE)?,
    }))
}

type Entries = Vec<(&'static str, String)>;

/// The sections that say the same; none of a door that nobody looks through.
pub(super) fn sections(door: &AlicesDoor) -> Vec<(&'static str, Entries)> {
    if *door == AlicesDoor::default() {
        return Vec::new();
    }
    let layout = match door.layout {
        Layout::OneWay => "\"one-way\"",
        Layout::TwoWay => "\"two-way\"",
    };
    let mut entries = vec![("layout", layout.to_owned())];
    for (keys, isolation) in [
        (["isolation_db", "long_wave_isolation_db"], door.isolation),
        (
            ["laser_isolation_db", "laser_long_wave_isolation_db"],
            door.laser_isolation,
        ),
    ] {
        let losses_db = [isolation.signal_band_db, isolation.long_wave_db];
        // What nothing passes at all is said by leaving both out.
        if losses_db.into_iter().any(f64::is_finite) {
            let said = keys.into_iter().zip(losses_db);
            entries.extend(said.map(|(key, loss_db)| (key, format!("{loss_db:?}"))));
        }
    }
    entries.push((
        "seeding_per_photon",
        format!("{:?}", door.seeding_per_photon),
    ));
    let mut sections = vec![(SECTION, entries)];
    if let Some(watchdog) = &door.watchdog {
        let entries = vec![
            ("alarm_photons", format!("{:?}", watchdog.alarm_photons)),
            (
                "wavelength_max_nm",
                format!("{:?}", watchdog.wavelength_max_nm),
            ),
        ];
        sections.push(("alices_door.watchdog", entries));
    }
    if let Some(monitor) = &door.output_monitor {
        let entries = vec![("tolerance", format!("{:?}", monitor.tolerance))];
        sections.push(("alices_door.output_monitor", entries));
    }
    sections
}
