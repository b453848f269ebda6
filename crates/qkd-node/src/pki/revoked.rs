//! The list of certificates that count no longer although they have not expired.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use rustls_pki_types::CertificateRevocationListDer;
use rustls_pki_types::pem::PemObject as _;
use x509_parser::prelude::{CertificateRevocationList, FromDer as _};

use super::authority::Authority;
use super::{PkiError, write};
use crate::tls::now_seconds;

/// Line that ends a list in PEM.
const PEM_END: &str = "-----END X509 CRL-----";

/// Serial numbers, each with the second of its revocation, counted from 1970.
#[derive(Debug, Default)]
pub(super) struct RevocationList {
    since: BTreeMap<Vec<u8>, i64>,
    /// Lists of authorities before this one, as they are: what they signed may still be in force, and
    /// nobody can sign them anew.
    earlier: String,
}

impl RevocationList {
    /// Reads the list of the authority called `subject` (DER) in `file`; an empty one when there is none.
    pub(super) fn read(file: &Path, subject: &[u8]) -> Result<Self, PkiError> {
        let pem = match fs::read_to_string(file) {
            Ok(pem) => pem,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(write::io(file, "read the file")(error)),
        };
        let unusable = |reason: String| PkiError::Revoked {
            file: file.to_path_buf(),
            reason: format!("this is no list of revoked certificates: {reason}"),
        };
        let mut all = Self::default();
        let pieces = pem.split_inclusive(PEM_END).map(str::trim);
        for piece in pieces.filter(|piece| !piece.is_empty()) {
            let der = CertificateRevocationListDer::from_pem_slice(piece.as_bytes())
                .map_err(|error| unusable(error.to_string()))?;
            let (_, list) = CertificateRevocationList::from_der(&der)
                .map_err(|error| unusable(error.to_string()))?;
            if list.issuer().as_raw() != subject {
                all.earlier.push_str(piece);
                all.earlier.push('\n');
                continue;
            }
            all.since
                .extend(list.iter_revoked_certificates().map(|revoked| {
                    let serial = revoked.raw_serial().to_vec();
                    (serial, revoked.revocation_date.timestamp())
                }));
        }
        Ok(all)
    }

    /// Adds a serial number, unless it is there.
    pub(super) fn add(&mut self, digits: &str) -> Result<(), PkiError> {
        let wrong = || PkiError::Serial {
            serial: digits.to_owned(),
        };
        let is_hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        if !is_hex || digits.is_empty() || digits.len() > 40 || digits.len() % 2 == 1 {
            return Err(wrong());
        }
        let pairs = (0..digits.len()).step_by(2).map(|at| &digits[at..at + 2]);
        let bytes = pairs.map(|pair| u8::from_str_radix(pair, 16));
        let serial = bytes.collect::<Result<_, _>>().map_err(|_| wrong())?;
        self.since.entry(serial).or_insert_with(now_seconds);
        Ok(())
    }

    /// The serial numbers as hexadecimal digits.
    pub(super) fn serials(&self) -> Vec<String> {
        let digits = |serial: &Vec<u8>| serial.iter().map(|byte| format!("{byte:02x}")).collect();
        self.since.keys().map(digits).collect()
    }

    /// Signs the list and puts it in the place of the one before: whoever reads it sees the one or the
    /// other.
    pub(super) fn write(&self, file: &Path, authority: &Authority) -> Result<(), PkiError> {
        let revoked: Vec<_> = self.since.clone().into_iter().collect();
        let pem = format!("{}{}", authority.revoke(&revoked)?, self.earlier);
        let beside = file.with_extension("crl.new");
        let written = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o644)
            .open(&beside)
            .and_then(|mut new: File| {
                new.write_all(pem.as_bytes())?;
                new.sync_all()
            });
        written.map_err(write::io(&beside, "write the file"))?;
        fs::rename(&beside, file).map_err(write::io(file, "replace the file"))?;
        match file.parent() {
            Some(folder) => write::sync_folder(folder),
            None => Ok(()),
        }
    }
}
