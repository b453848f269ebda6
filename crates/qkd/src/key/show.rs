//! Keys on their way out: to standard output or into a file that nobody else can read.
//!
//! Every buffer that a key passes through here is wiped.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use qkd_bits::SecretBytes;
use qkd_wire::proto::delivery::KeyContainer;
use serde::Serialize;
use zeroize::Zeroizing;

use super::{Error, Form};
use crate::client;
use crate::exit::Exit;
use crate::output::print;

/// Keys with their identities.
pub struct Keys(Vec<(String, SecretBytes)>);

/// A document that holds identities only.
#[derive(Serialize)]
struct Identities<'k> {
    keys: Vec<Identity<'k>>,
}

#[derive(Serialize)]
struct Identity<'k> {
    #[serde(rename = "key_ID")]
    key_id: &'k str,
}

impl Keys {
    /// Takes the keys of an answer.
    ///
    /// # Errors
    /// [`Error::OtherKeys`] when there are not as many as `wanted`, or their identities are no
    /// UUIDs.
    pub fn new(answer: KeyContainer, wanted: usize) -> Result<Self, Error> {
        let mut keys = Vec::with_capacity(answer.keys.len());
        for mut key in answer.keys {
            let bytes = SecretBytes::from(std::mem::take(&mut key.key));
            if uuid::Uuid::try_parse(&key.key_id).is_ok() {
                keys.push((std::mem::take(&mut key.key_id), bytes));
            }
        }
        if keys.len() != wanted {
            let found = keys.len();
            return Err(Error::OtherKeys { found, wanted });
        }
        Ok(Self(keys))
    }

    /// Identities and keys: a line for each, or one JSON object with the names of ETSI GS QKD 014.
    fn text(&self, json: bool) -> Zeroizing<String> {
        // With all its room from the start, the buffer never moves and leaves a copy behind.
        let room: usize = self
            .0
            .iter()
            .map(|(id, key)| id.len() + 2 * key.len() + 32)
            .sum();
        let mut text = Zeroizing::new(String::with_capacity(room + 16));
        let (head, between, foot) = if json {
            (r#"{"keys":["#, ",", "]}\n")
        } else {
            ("", "\n", "\n")
        };
        text.push_str(head);
        for (at, (id, key)) in self.0.iter().enumerate() {
            if at > 0 {
                text.push_str(between);
            }
            // Neither a UUID nor base64 has anything that JSON would escape.
            let (before, middle, after) = if json {
                (r#"{"key_ID":""#, r#"","key":""#, r#""}"#)
            } else {
                ("", " ", "")
            };
            for part in [before, id, middle] {
                text.push_str(part);
            }
            STANDARD.encode_string(key.expose(), &mut text);
            text.push_str(after);
        }
        text.push_str(foot);
        text
    }

    /// Identities alone, in the same form.
    fn identities(&self, json: bool) -> String {
        let ids = self.0.iter().map(|(id, _)| id.as_str());
        if !json {
            return ids.map(|id| format!("{id}\n")).collect();
        }
        let keys = ids.map(|key_id| Identity { key_id }).collect();
        // Nothing but texts: none of them can be refused.
        let json = serde_json::to_string(&Identities { keys });
        json.map_or(String::new(), |json| format!("{json}\n"))
    }
}

/// Where keys go, made ready before the first of them is spent.
pub struct Destination {
    json: bool,
    file: Option<NewFile>,
}

/// A file that was made for keys, and goes again when none came.
struct NewFile {
    path: PathBuf,
    file: File,
    kept: bool,
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if !self.kept {
            // Whoever took it away in the meantime did what was to be done.
            let _ = fs::remove_file(&self.path);
        }
    }
}

impl Destination {
    /// As the options say.
    ///
    /// # Errors
    /// [`Error::Output`] when the file exists or cannot be made.
    pub fn open(form: &Form) -> Result<Self, Error> {
        let file = match &form.output {
            None => None,
            Some(path) => {
                let made = OpenOptions::new()
                    .write(true)
                    .create_new(true)
                    .mode(0o600)
                    .open(path);
                let file = made.map_err(|source| Error::Output {
                    file: path.clone(),
                    source,
                })?;
                Some(NewFile {
                    path: path.clone(),
                    file,
                    kept: false,
                })
            }
        };
        Ok(Self {
            json: form.json,
            file,
        })
    }

    /// Hands the keys out.
    ///
    /// # Errors
    /// [`Error::Lost`] when they cannot be written: nobody gets them any more.
    pub fn hand_out(self, keys: Keys) -> Result<Exit, Error> {
        let text = keys.text(self.json);
        let Some(mut file) = self.file else {
            return match print(&text) {
                Ok(()) => Ok(Exit::Success),
                Err(source) => Err(Error::Lost {
                    to: "standard output".to_owned(),
                    source,
                }),
            };
        };
        let written = file.file.write_all(text.as_bytes());
        let written = written.and_then(|()| file.file.sync_all());
        written.map_err(|source| Error::Lost {
            to: file.path.display().to_string(),
            source,
        })?;
        file.kept = true;
        print(&keys.identities(self.json)).map_err(client::Error::io(
            "print the key_IDs (the keys are in the file)",
        ))?;
        Ok(Exit::Success)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use qkd_wire::proto::delivery::Key;
    use std::os::unix::fs::MetadataExt;

    const ID: &str = "01234567-89ab-cdef-0123-456789abcdef";

    fn container(ids: &[&str]) -> KeyContainer {
        let key = |id: &&str| Key {
            key_id: (*id).to_owned(),
            key: vec![0xfb; 3],
        };
        KeyContainer {
            keys: ids.iter().map(key).collect(),
        }
    }

    fn keys() -> Keys {
        match Keys::new(container(&[ID, ID]), 2) {
            Ok(keys) => keys,
            Err(error) => panic!("{error}"),
        }
    }

    #[test]
    fn keys_are_printed_with_their_identities_in_both_forms() {
        assert_eq!(*keys().text(false), format!("{ID} +/v7\n{ID} +/v7\n"));
        let json: serde_json::Value = serde_json::from_str(&keys().text(true)).unwrap();
        let one = serde_json::json!({"key_ID": ID, "key": "+/v7"});
        assert_eq!(json, serde_json::json!({"keys": [one, one]}));
        assert_eq!(keys().identities(false), format!("{ID}\n{ID}\n"));
        let expected = format!("{{\"keys\":[{{\"key_ID\":\"{ID}\"}},{{\"key_ID\":\"{ID}\"}}]}}\n");
        assert_eq!(keys().identities(true), expected);
    }

    #[test]
    fn the_text_of_keys_never_outgrows_its_buffer() {
        for json in [false, true] {
            let mut answer = container(&[ID; 7]);
            for (size, key) in answer.keys.iter_mut().enumerate() {
                key.key = vec![1; size];
            }
            let keys = Keys::new(answer, 7).unwrap_or_else(|error| panic!("{error}"));
            let room: usize = keys
                .0
                .iter()
                .map(|(id, key)| id.len() + 2 * key.len() + 32)
                .sum();
            assert!(keys.text(json).len() <= room + 16);
        }
    }

    #[test]
    fn an_answer_with_other_keys_than_asked_for_is_refused() {
        for (ids, wanted) in [(vec![], 1), (vec![ID, ID], 1), (vec!["\u{1b}[2J"], 1)] {
            assert!(matches!(
                Keys::new(container(&ids), wanted),
                Err(Error::OtherKeys { .. })
            ));
        }
    }

    #[test]
    fn a_file_of_keys_is_private_and_goes_when_no_key_came() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys");
        let form = Form {
            json: false,
            output: Some(path.clone()),
        };
        drop(Destination::open(&form).unwrap());
        assert!(!path.exists());
        let destination = Destination::open(&form).unwrap();
        assert!(destination.hand_out(keys()).is_ok());
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o600);
        let before = fs::read(&path).unwrap();
        assert!(matches!(
            Destination::open(&form),
            Err(Error::Output { .. })
        ));
        assert_eq!(fs::read(&path).unwrap(), before, "never overwritten");
    }
}
