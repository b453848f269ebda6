//! `[debug]`: what tests do to a daemon, refused by everything but a development build.

use qkd_bits::Defect;

use super::DebugConfig;
use super::document::{Rule, Section};
use super::place::ConfigError;
use crate::fail_point::FailPoint;

const SECTION: &str = "debug";

const FAIL_POINTS: Rule<Vec<FailPoint>> = Rule::new(
    "an array of step:moment:n, such as [\"decide:after:3\"]; moments are before, after and said",
    |value| {
        let points = value.as_array()?.iter();
        points
            .map(|point| point.get_ref().as_str()?.parse().ok())
            .collect()
    },
);

const GENERATOR: Rule<Defect> = Rule::new(
    "stuck:BIT, biased:ONES_OF_256 or periodic:BYTES, such as \"biased:154\"",
    |value| defect(value.as_str()?),
);

/// How a generator is broken.
fn defect(text: &str) -> Option<Defect> {
    let (kind, figure) = text.split_once(':')?;
    match (kind, figure) {
        ("stuck", "0") => Some(Defect::Stuck { bit: false }),
        ("stuck", "1") => Some(Defect::Stuck { bit: true }),
        ("biased", ones) => ones
            .parse()
            .ok()
            .map(|ones_of_256| Defect::Biased { ones_of_256 }),
        ("periodic", bytes) => match bytes.parse() {
            Ok(bytes) if bytes > 0 => Some(Defect::Periodic { bytes }),
            Ok(_) | Err(_) => None,
        },
        (_, _) => None,
    }
}

/// The same, written.
pub(super) fn defect_text(defect: Defect) -> String {
    match defect {
        Defect::Stuck { bit } => format!("stuck:{}", u8::from(bit)),
        Defect::Biased { ones_of_256 } => format!("biased:{ones_of_256}"),
        Defect::Periodic { bytes } => format!("periodic:{bytes}"),
    }
}

/// Reads the section, which is mostly absent.
pub(super) fn read(root: &Section<'_>) -> Result<DebugConfig, ConfigError> {
    read_in(Build::THIS, root)
}

/// What was built.
#[derive(Clone, Copy)]
enum Build {
    Development,
    Release,
}

impl Build {
    const THIS: Build = if cfg!(debug_assertions) {
        Build::Development
    } else {
        Build::Release
    };
}

fn read_in(build: Build, root: &Section<'_>) -> Result<DebugConfig, ConfigError> {
    let Some(section) = root.section_if_present(SECTION, &["fail_points", "generator"])? else {
        return Ok(DebugConfig::default());
    };
    match build {
        Build::Release => Err(section.refuse_whole(
            "found the section [debug]".to_owned(),
            "none: it lets a daemon kill itself or break its randomness, and only a development build (`cargo build`) \
             reads it"
                .to_owned(),
        )),
        Build::Development => Ok(DebugConfig {
            fail_points: section
                .optional("fail_points", &FAIL_POINTS)?
                .unwrap_or_default(),
            generator: section.optional("generator", &GENERATOR)?,
        }),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::document::Document;
    use super::*;

    fn parse(build: Build, text: &str) -> Result<DebugConfig, String> {
        let document = Document::new(text, Path::new("alice.toml"));
        let table = document.parse().unwrap();
        let root = Section::root(&document, &table, &[SECTION]).unwrap();
        read_in(build, &root).map_err(|error| error.to_string())
    }

    #[test]
    fn a_release_build_refuses_the_section_by_name_and_a_development_build_reads_it() {
        let text = "[debug]\nfail_points = [\"decide:after:3\", \"take:said:1:stop\"]\n";
        let read = parse(Build::Development, text).unwrap();
        let points: Vec<String> = read.fail_points.iter().map(ToString::to_string).collect();
        assert_eq!(points, ["decide:after:3", "take:said:1:stop"]);
        let said = parse(Build::Release, text).unwrap_err();
        assert!(said.starts_with("alice.toml:1:"), "{said}");
        assert!(
            said.contains("[debug]") && said.contains("development build"),
            "{said}"
        );
        for build in [Build::Development, Build::Release] {
            assert_eq!(parse(build, ""), Ok(DebugConfig::default()));
        }
    }

    #[test]
    fn a_broken_generator_reads_back_as_it_is_written() {
        for text in ["stuck:0", "stuck:1", "biased:154", "periodic:64"] {
            let read = parse(
                Build::Development,
                &format!("[debug]\ngenerator = \"{text}\"\n"),
            );
            let generator = read.unwrap().generator.expect("it is given");
            assert_eq!(defect_text(generator), text);
        }
        for text in ["stuck:2", "biased:256", "periodic:0", "sound"] {
            let said = parse(
                Build::Development,
                &format!("[debug]\ngenerator = \"{text}\"\n"),
            );
            let said = said.unwrap_err();
            assert!(
                said.contains("debug.generator") && said.contains("biased:154"),
                "{said}"
            );
        }
    }

    #[test]
    fn a_point_that_is_none_is_named_with_what_one_looks_like() {
        let said = parse(
            Build::Development,
            "[debug]\nfail_points = [\"decide:later:3\"]\n",
        );
        let said = said.unwrap_err();
        assert!(
            said.contains("alice.toml:2:") && said.contains("debug.fail_points"),
            "{said}"
        );
        assert!(
            said.contains("decide:later:3") && said.contains("decide:after:3"),
            "{said}"
        );
    }
}
