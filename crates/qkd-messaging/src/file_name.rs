//! The name of a file, made harmless.

use std::fmt;

/// Longest name in bytes: room is left for what a receiver puts behind it.
const BYTES_MAX: usize = 200;

/// What a file is called when nothing is left of its name.
const UNNAMED: &str = "unnamed";

/// The last component of a path, such that storing a file under it in a folder stays in that
/// folder, hides nothing, and prints as it is: no separators, no control or direction-changing
/// characters, no dot or hyphen at the front, 1 to 200 bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileName(String);

impl FileName {
    /// The harmless form of `name`, whoever wrote it.
    pub fn of(name: &str) -> Self {
        let base = name.rsplit(['/', '\\']).next().unwrap_or(name).trim();
        let mut harmless = String::with_capacity(base.len());
        for (index, character) in base.chars().enumerate() {
            let at_front = index == 0 && matches!(character, '.' | '-' | '~');
            let safe = if at_front || is_unprintable(character) {
                '_'
            } else {
                character
            };
            if harmless.len() + safe.len_utf8() > BYTES_MAX {
                break;
            }
            harmless.push(safe);
        }
        harmless.truncate(harmless.trim_end().len());
        if harmless.is_empty() {
            harmless.push_str(UNNAMED);
        }
        Self(harmless)
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name of the `copy`th file of this name: `report (2).pdf`.
    pub fn numbered(&self, copy: u32) -> String {
        match self.0.rsplit_once('.') {
            Some((stem, extension)) if !stem.is_empty() => format!("{stem} ({copy}).{extension}"),
            Some(_) | None => format!("{} ({copy})", self.0),
        }
    }
}

impl fmt::Display for FileName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

/// Control characters, and those that turn or hide the text around them.
fn is_unprintable(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_good_name_stays_and_a_bad_one_is_made_harmless() {
        for (given, expected) in [
            ("report.pdf", "report.pdf"),
            ("Grüße an Bob.txt", "Grüße an Bob.txt"),
            ("/etc/passwd", "passwd"),
            ("..\\..\\boot.ini", "boot.ini"),
            ("../..", "_."),
            ("..", "_."),
            (".bashrc", "_bashrc"),
            ("-rf", "_rf"),
            ("a\x1b[31m\nb", "a_[31m_b"),
            ("txt.\u{202e}fdp.exe", "txt._fdp.exe"),
            ("folder/", "unnamed"),
            ("", "unnamed"),
            ("  ", "unnamed"),
        ] {
            assert_eq!(FileName::of(given).as_str(), expected, "{given:?}");
        }
    }

    #[test]
    fn a_number_stands_before_the_extension() {
        assert_eq!(FileName::of("a.tar.gz").numbered(1), "a.tar (1).gz");
        assert_eq!(FileName::of("README").numbered(12), "README (12)");
    }

    proptest! {
        #[test]
        fn every_name_stays_in_its_folder(name in any::<String>()) {
            let harmless = FileName::of(&name);
            let text = harmless.as_str();
            prop_assert!((1..=BYTES_MAX).contains(&text.len()));
            prop_assert!(!text.contains(['/', '\\', '\0']) && !text.starts_with(['.', '-']));
            prop_assert!(!text.chars().any(char::is_control));
            prop_assert_eq!(&FileName::of(text), &harmless, "harmless already");
        }
    }
}
