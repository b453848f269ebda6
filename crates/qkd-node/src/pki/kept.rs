//! An authority that stays: whose key is on disk, so that it can sign again.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustls_pki_types::CertificateDer;

use super::authority::Authority;
use super::revoked::RevocationList;
use super::{AUTHORITY, CLOCK_SKEW, Kind, LabPki, Party, PkiError, REVOKED, names, replace, write};
use crate::secret_file;
use crate::tls::{self, Facts, now_seconds};

/// Names the files of a set that is being written; whoever finds it may remove them.
const UNFINISHED: &str = ".unfinished";

/// A folder as [`LabPki`] describes it, and the key of its authority (mode 0600).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptPki {
    pki: LabPki,
    authority_key: PathBuf,
}

/// What a new set is to be.
#[derive(Debug, Clone)]
pub struct NewSet {
    /// Who gets a certificate.
    pub parties: Vec<Party>,
    /// How long the certificates of parties are good for.
    pub validity: Duration,
    /// How long the authority is good for.
    pub authority_validity: Duration,
    /// Further files that everybody may read: name and text.
    pub public_files: Vec<(String, String)>,
}

/// What became of a set that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Made {
    /// It was made.
    New,
    /// It was there, whole and good.
    Present {
        /// Whose certificates were renewed, because less than a third of their life was left.
        renewed: Vec<String>,
    },
}

/// The first certificate of a file: its owner's.
fn first_certificate(file: &Path) -> Result<CertificateDer<'static>, PkiError> {
    let certificates = tls::read_certificates(file)?;
    let none = || PkiError::Revoked {
        file: file.to_path_buf(),
        reason: "there is no certificate".to_owned(),
    };
    certificates.into_iter().next().ok_or_else(none)
}

impl KeptPki {
    /// The set in `directory`, whose authority's key is in `authority_key`, or in `authority.key`
    /// beside the certificates.
    pub fn in_folder(directory: &Path, authority_key: Option<&Path>) -> Self {
        let pki = LabPki::in_folder(directory);
        let beside = || pki.files_of(AUTHORITY).private_key;
        let given = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
        Self {
            authority_key: authority_key.map_or_else(beside, given),
            pki,
        }
    }

    /// The folder and its files.
    pub fn files(&self) -> &LabPki {
        &self.pki
    }

    /// The private key of the authority.
    pub fn authority_key(&self) -> &Path {
        &self.authority_key
    }

    /// Makes the set.
    ///
    /// # Errors
    /// When a name is unfit, any of its files is there, or a file cannot be written.
    pub fn create(&self, set: &NewSet) -> Result<(), PkiError> {
        names::check(&set.parties)?;
        let _lock = self.open_for_change()?;
        self.remove_unfinished()?;
        if self.planned(set).iter().any(|(_, path)| path.exists()) {
            return Err(PkiError::Exists {
                directory: self.pki.directory().to_path_buf(),
            });
        }
        self.write(set)
    }

    /// Makes the set when none of its files is there; checks it when all are, and renews what has
    /// less than a third of its life left.
    ///
    /// # Errors
    /// When some files are there and some are not, when they do not belong together, carry other
    /// names, or cannot be written. Nothing is ever overwritten but what is renewed.
    pub fn create_if_absent(&self, set: &NewSet) -> Result<Made, PkiError> {
        names::check(&set.parties)?;
        let _lock = self.open_for_change()?;
        self.remove_unfinished()?;
        let planned = self.planned(set);
        let missing: Vec<_> = planned.iter().filter(|(_, path)| !path.exists()).collect();
        if missing.len() == planned.len() {
            self.write(set)?;
            return Ok(Made::New);
        }
        if !missing.is_empty() {
            return Err(PkiError::Incomplete {
                directory: self.pki.directory().to_path_buf(),
                missing: missing.iter().map(|(name, _)| name.clone()).collect(),
            });
        }
        self.check(set)
    }

    /// Makes a certificate, a key and, for a node, a store key for one more party.
    ///
    /// # Errors
    /// When the name is unfit or taken, the authority cannot sign, or a file cannot be written.
    pub fn issue(&self, party: &Party, validity: Duration) -> Result<Facts, PkiError> {
        let _lock = self.open_for_change()?;
        let mut all = Vec::new();
        for name in self.pki.party_names()? {
            if name == party.name {
                let file = self.pki.files_of(&name).certificate;
                return Err(PkiError::Taken { name, file });
            }
            all.push(self.party(&name)?);
        }
        all.push(party.clone());
        names::check(&all)?;
        let pair = self.authority()?.issue(party, validity)?;
        write::pair(&self.pki, &party.name, &pair)?;
        let store_key = self.pki.store_key_of(&party.name);
        match party.kind {
            Kind::Node if !store_key.exists() => secret_file::create_key(&store_key)?,
            Kind::Node | Kind::Application => {}
        }
        self.examine(&party.name)
    }

    /// Everybody who has a certificate in the folder, but the authority, by name.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn names(&self) -> Result<Vec<String>, PkiError> {
        self.pki.party_names()
    }

    /// Gives the party `name` a new key and a new certificate for the same names, good for
    /// `validity` or as long as the one before was. What reads the files gets the old pair, the new
    /// one, or, for a moment, a key that does not fit the certificate. Cut short at that moment, the
    /// renewal is finished by the next change of the set, or by
    /// [`finish_renewals`](Self::finish_renewals).
    ///
    /// # Errors
    /// When there is no such party, its files do not belong to this authority, or a file cannot be
    /// written; nothing is changed then.
    pub fn renew(&self, name: &str, validity: Option<Duration>) -> Result<Facts, PkiError> {
        let _lock = self.open_for_change()?;
        self.renew_locked(name, validity)
    }

    /// Puts the certificates of the parties `names` and those with the serial numbers `serials` (as
    /// hexadecimal digits) on the authority's list of revoked certificates, which is made when absent,
    /// and signs it anew. Nodes whose configuration names the list take those certificates no longer.
    /// Returns the serial numbers that the list has now.
    ///
    /// # Errors
    /// When there is no such party, a serial number is none, the authority cannot sign, or a file
    /// cannot be read or written; nothing is changed then.
    pub fn revoke(&self, names: &[String], serials: &[String]) -> Result<Vec<String>, PkiError> {
        let _lock = self.open_for_change()?;
        let authority = self.authority()?;
        let signs = first_certificate(&self.pki.authority())?;
        let subject = tls::issuer_and_subject(&signs).1;
        let mut list = RevocationList::read(&self.pki.revoked(), &subject)?;
        for name in names {
            let file = self.pki.files_of(name).certificate;
            let own = first_certificate(&file)?;
            if tls::issuer_and_subject(&own).0 != subject {
                let reason = "an authority signed it whose key is gone, so nobody can revoke it; take \
                              that authority out of authority.pem";
                return Err(PkiError::Revoked {
                    file,
                    reason: reason.to_owned(),
                });
            }
            list.add(&qkd_delivery::serial_of(&own))?;
        }
        for serial in serials {
            list.add(serial)?;
        }
        list.write(&self.pki.revoked(), &authority)?;
        Ok(list.serials())
    }

    /// Gives the authority a new key and certificate. The certificates that are in force stay in
    /// the file beside it, so that what they signed is good until it expires.
    ///
    /// # Errors
    /// When a file cannot be read or written.
    pub fn renew_authority(&self, validity: Duration) -> Result<(), PkiError> {
        let _lock = self.open_for_change()?;
        // Its key is at hand, or else this is the wrong folder.
        Authority::load(&self.pki.authority(), &self.authority_key)?;
        let path = self.pki.authority();
        let before = fs::read_to_string(&path).map_err(write::io(&path, "read the file"))?;
        let (authority, certificate) = Authority::generate(validity)?;
        let all = format!("{certificate}{}", tls::in_force(&before));
        let key = authority.key_pem();
        replace::authority(&self.pki, (&self.authority_key, key.as_bytes()), &all)
    }

    /// Finishes every renewal that was cut short between its two files, and removes what is left of
    /// those that were cut short before. Every change of the set does so first; a folder that is
    /// not there is none.
    ///
    /// # Errors
    /// When the folder is not private, or a file cannot be replaced or removed.
    pub fn finish_renewals(&self) -> Result<(), PkiError> {
        if self.pki.directory().exists() {
            self.open_for_change()?;
        }
        Ok(())
    }

    fn renew_locked(&self, name: &str, validity: Option<Duration>) -> Result<Facts, PkiError> {
        let facts = self.examine(name)?;
        let length = u64::try_from(facts.validity.length()).unwrap_or(0);
        let before = Duration::from_secs(length).saturating_sub(CLOCK_SKEW);
        let party = Party::of(name, &facts);
        let pair = self
            .authority()?
            .issue(&party, validity.unwrap_or(before))?;
        replace::pair(&self.pki, name, &pair)?;
        self.examine(name)
    }

    /// The authority, ready to sign something that others will accept.
    fn authority(&self) -> Result<Authority, PkiError> {
        let file = self.pki.authority();
        let authority = Authority::load(&file, &self.authority_key)?;
        match authority.facts.validity.fault_now() {
            None => Ok(authority),
            Some(fault) => Err(PkiError::AuthorityNotInForce {
                file,
                fault,
                directory: self.pki.directory().to_path_buf(),
            }),
        }
    }

    fn party(&self, name: &str) -> Result<Party, PkiError> {
        let file = self.pki.files_of(name).certificate;
        let certificates = tls::read_certificates(&file)?;
        Ok(Party::of(name, &tls::own_facts(&file, &certificates)?))
    }

    /// What a certificate says, once it is clear that it belongs to its key and to the authority.
    fn examine(&self, name: &str) -> Result<Facts, PkiError> {
        Ok(tls::examine(&self.pki.files_of(name))?)
    }

    /// The files of a set, and what to call them.
    fn planned(&self, set: &NewSet) -> Vec<(String, PathBuf)> {
        let mut paths = vec![self.pki.authority(), self.pki.pre_shared_key()];
        for party in &set.parties {
            let files = self.pki.files_of(&party.name);
            paths.extend([files.certificate, files.private_key]);
            match party.kind {
                Kind::Node => paths.push(self.pki.store_key_of(&party.name)),
                Kind::Application => {}
            }
        }
        let name = |path: &PathBuf| {
            path.file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned()
        };
        let mut planned: Vec<_> = paths.into_iter().map(|path| (name(&path), path)).collect();
        let key = self.authority_key.clone();
        planned.push((key.display().to_string(), key));
        planned
    }

    /// Writes a set whose files are not there. Cut short, it leaves a list of what to remove.
    fn write(&self, set: &NewSet) -> Result<(), PkiError> {
        let mut list: Vec<String> = self
            .planned(set)
            .into_iter()
            .map(|(name, _)| name)
            .collect();
        list.push(REVOKED.to_owned());
        list.extend(set.public_files.iter().map(|(name, _)| name.clone()));
        let unfinished = self.pki.directory().join(UNFINISHED);
        write::public(&unfinished, &list.join("\n"))?;
        write::sync_folder(self.pki.directory())?;
        let (authority, certificate) = Authority::generate(set.authority_validity)?;
        write::public(&self.pki.authority(), &certificate)?;
        secret_file::write_new(&self.authority_key, authority.key_pem().as_bytes())?;
        write::set(&self.pki, &authority, &set.parties, set.validity)?;
        RevocationList::default().write(&self.pki.revoked(), &authority)?;
        self.write_public_files(set)?;
        write::sync_folder(self.pki.directory())?;
        fs::remove_file(&unfinished).map_err(write::io(&unfinished, "remove the file"))?;
        write::sync_folder(self.pki.directory())
    }

    /// Writes those further files that are not there.
    fn write_public_files(&self, set: &NewSet) -> Result<(), PkiError> {
        for (name, text) in &set.public_files {
            let path = self.pki.directory().join(name);
            if !path.exists() {
                write::public(&path, text)?;
            }
        }
        Ok(())
    }

    /// Removes the files of a set that was never finished, and so never used.
    fn remove_unfinished(&self) -> Result<(), PkiError> {
        let unfinished = self.pki.directory().join(UNFINISHED);
        let Ok(list) = fs::read_to_string(&unfinished) else {
            return Ok(());
        };
        for name in list.lines().filter(|name| !name.is_empty()) {
            let path = self.pki.directory().join(name);
            match fs::remove_file(&path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(write::io(&path, "remove what an earlier run left")(error));
                }
                Ok(()) | Err(_) => {}
            }
        }
        fs::remove_file(&unfinished).map_err(write::io(&unfinished, "remove the file"))
    }

    /// Whether a set that is there is the one that was asked for; renews what is old.
    fn check(&self, set: &NewSet) -> Result<Made, PkiError> {
        let mut old = Vec::new();
        secret_file::read_pre_shared_key(&self.pki.pre_shared_key())?;
        for party in &set.parties {
            let facts = self.examine(&party.name)?;
            let file = self.pki.files_of(&party.name).certificate;
            let there = Party::of(&party.name, &facts);
            let wanted = [&party.name].into_iter().chain(&party.other_names);
            let carried =
                |name: &&String| facts.dns_names.contains(name) || there.other_names.contains(name);
            let lacking = wanted.clone().find(|name| !carried(name));
            let lacking = lacking.or((there.kind != party.kind).then_some(&party.name));
            if let Some(expected) = lacking {
                return Err(PkiError::OtherNames {
                    file,
                    found: facts.dns_names,
                    expected: expected.clone(),
                    kind: party.kind,
                });
            }
            match party.kind {
                Kind::Node => {
                    secret_file::read_store_key(&self.pki.store_key_of(&party.name))?;
                }
                Kind::Application => {}
            }
            if facts.validity.left(now_seconds()) < facts.validity.length() / 3 {
                old.push(party.name.clone());
            }
        }
        // A good set whose authority could not sign any more would fail at the first renewal.
        let authority = self.authority()?;
        // Sets of an earlier version have none.
        if !self.pki.revoked().exists() {
            RevocationList::default().write(&self.pki.revoked(), &authority)?;
        }
        for name in &old {
            self.renew_locked(name, None)?;
        }
        self.write_public_files(set)?;
        Ok(Made::Present { renewed: old })
    }

    /// Keeps other runs away from the folder, which is made when absent, until dropped. Whatever
    /// they could not finish is finished now.
    fn open_for_change(&self) -> Result<File, PkiError> {
        let lock = self.lock()?;
        replace::finish_authority(&self.pki, &self.authority_key)?;
        for name in self.pki.party_names()? {
            replace::finish_pair(&self.pki, &name)?;
        }
        Ok(lock)
    }

    fn lock(&self) -> Result<File, PkiError> {
        let folder = self.pki.directory();
        secret_file::ensure_private_folder(folder)?;
        let locked = File::open(folder).and_then(|file| file.lock().map(|()| file));
        locked.map_err(write::io(folder, "lock the folder"))
    }
}
