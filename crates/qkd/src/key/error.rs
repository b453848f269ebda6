//! Why there are no keys, in one line each.

use std::path::PathBuf;

use tonic::{Code, Status};

use crate::client::{self, said};

/// A fault of `qkd key`.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    // PeerMisbehaved
    /// The node answered with something else than was asked for.
    #[error("the node sent {found} keys in place of {wanted}; whatever they are, they are spent")]
    OtherKeys {
        /// Keys received.
        found: usize,
        /// Keys asked for.
        wanted: usize,
    },
    // Misuse
    /// The file of `--output` cannot be made.
    #[error("--output {}: cannot create the file: {source}; no key was spent", .file.display())]
    Output {
        /// The file.
        file: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    // Nobody's fault
    /// The keys came, and could not be handed on.
    #[error("cannot write the keys to {to}: {source}; they are spent, get others")]
    Lost {
        /// The file, or standard output.
        to: String,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The node refused, or did not answer.
    #[error("cannot {what}: {}{}", said(.status), advice(.status.code()))]
    Refused {
        /// What was tried.
        what: String,
        /// The node's answer.
        status: Status,
    },
    /// No connection, or no profile.
    #[error(transparent)]
    Client(#[from] client::Error),
}

fn advice(code: Code) -> &'static str {
    // Not our enum: every other refusal says all there is to say.
    match code {
        Code::ResourceExhausted => {
            "; more come with every block: 'qkd key watch' shows how many there are"
        }
        Code::NotFound => "; each key leaves its node once, and one not fetched in time is dropped",
        Code::PermissionDenied => {
            "; is this the right profile, and is its application in [[sae]] of the node's configuration?"
        }
        Code::Unavailable => "; 'qkd status' says what the link is doing",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shortage_says_how_many_keys_there_are_and_how_to_wait() {
        let error = Error::Refused {
            what: "get 3 keys for a and b at kme-alice".to_owned(),
            status: Status::resource_exhausted("3 keys wanted, 1 of that size available"),
        };
        let said = error.to_string();
        assert!(
            said.starts_with(
                "cannot get 3 keys for a and b at kme-alice: 3 keys wanted, 1 of that size available; "
            ),
            "{said}"
        );
        assert!(said.contains("qkd key watch"), "{said}");
    }
}
