//! Which application is served by which key-management entity: configuration, alike on both sides.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{PoisonError, RwLock};

use qkd_keystore::SaeId;

use crate::Error;

/// The name of a key-management entity: opaque, 1 to 256 bytes of UTF-8.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KmeId(String);

impl KmeId {
    /// Bytes that a name may have at most.
    pub const BYTES_MAX: usize = 256;

    /// A name.
    ///
    /// # Errors
    /// [`Error::KmeName`] when it is empty or longer than [`BYTES_MAX`](Self::BYTES_MAX).
    pub fn new(name: impl Into<String>) -> Result<Self, Error> {
        let name = name.into();
        if name.is_empty() || name.len() > Self::BYTES_MAX {
            return Err(Error::KmeName { bytes: name.len() });
        }
        Ok(Self(name))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KmeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One of the two key-management entities of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kme {
    /// The one this program is.
    Local,
    /// The one at the other end.
    Peer,
}

/// Where each application is served.
///
/// Applications may come and go while calls are answered: a call asks anew.
#[derive(Debug)]
pub struct Directory {
    local: KmeId,
    peer: KmeId,
    places: RwLock<BTreeMap<SaeId, Kme>>,
}

impl Directory {
    /// A directory of the applications at both ends.
    ///
    /// # Errors
    /// [`Error::DuplicateSae`] when one application is listed twice.
    pub fn new(
        local: KmeId,
        peer: KmeId,
        saes: impl IntoIterator<Item = (SaeId, Kme)>,
    ) -> Result<Self, Error> {
        Ok(Self {
            local,
            peer,
            places: RwLock::new(places(saes)?),
        })
    }

    /// Replaces the applications at both ends. Who is not among them is nobody from now on.
    ///
    /// # Errors
    /// [`Error::DuplicateSae`] when one application is listed twice; nothing is changed then.
    pub fn replace(&self, saes: impl IntoIterator<Item = (SaeId, Kme)>) -> Result<(), Error> {
        let places = places(saes)?;
        *self.places.write().unwrap_or_else(PoisonError::into_inner) = places;
        Ok(())
    }

    /// The name of this entity.
    pub fn local(&self) -> &KmeId {
        &self.local
    }

    /// The name of the entity at the other end.
    pub fn peer(&self) -> &KmeId {
        &self.peer
    }

    /// Who serves an application; nothing when it is not listed.
    pub fn place(&self, sae: &SaeId) -> Option<Kme> {
        // Places are replaced whole, so a panic cannot leave half of them.
        let places = self.places.read().unwrap_or_else(PoisonError::into_inner);
        places.get(sae).copied()
    }

    /// That a caller is one of this entity's own applications.
    ///
    /// # Errors
    /// [`Error::NotServedHere`].
    pub fn check_caller(&self, caller: &SaeId) -> Result<(), Error> {
        match self.place(caller) {
            Some(Kme::Local) => Ok(()),
            Some(Kme::Peer) | None => Err(Error::NotServedHere {
                caller: caller.clone(),
                kme: self.local.clone(),
            }),
        }
    }

    /// That an application a caller names is at the other end of the link.
    ///
    /// # Errors
    /// [`Error::UnknownSae`] or [`Error::SameSide`].
    pub fn check_partner(&self, sae: &SaeId) -> Result<(), Error> {
        match self.place(sae) {
            Some(Kme::Peer) => Ok(()),
            Some(Kme::Local) => Err(Error::SameSide { sae: sae.clone() }),
            None => Err(Error::UnknownSae { sae: sae.clone() }),
        }
    }
}

fn places(saes: impl IntoIterator<Item = (SaeId, Kme)>) -> Result<BTreeMap<SaeId, Kme>, Error> {
    let mut places = BTreeMap::new();
    for (sae, kme) in saes {
        if places.insert(sae.clone(), kme).is_some() {
            return Err(Error::DuplicateSae { sae });
        }
    }
    Ok(places)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sae(name: &str) -> SaeId {
        SaeId::new(name).unwrap()
    }

    fn directory(saes: &[(&str, Kme)]) -> Result<Directory, Error> {
        let kme = |name| KmeId::new(name).unwrap();
        let saes = saes.iter().map(|&(name, kme)| (sae(name), kme));
        Directory::new(kme("kme-alice"), kme("kme-bob"), saes)
    }

    #[test]
    fn only_own_applications_call_and_only_the_other_ends_are_partners() {
        let directory = directory(&[("a", Kme::Local), ("b", Kme::Peer)]).unwrap();
        assert_eq!(directory.check_caller(&sae("a")), Ok(()));
        assert!(directory.check_caller(&sae("b")).is_err());
        assert!(directory.check_caller(&sae("c")).is_err());
        assert_eq!(directory.check_partner(&sae("b")), Ok(()));
        assert!(matches!(
            directory.check_partner(&sae("a")),
            Err(Error::SameSide { .. })
        ));
        assert!(matches!(
            directory.check_partner(&sae("c")),
            Err(Error::UnknownSae { .. })
        ));
    }

    #[test]
    fn an_application_at_both_ends_is_refused() {
        let result = directory(&[("a", Kme::Local), ("a", Kme::Peer)]);
        let duplicate = Error::DuplicateSae { sae: sae("a") };
        assert_eq!(result.err(), Some(duplicate.clone()));
        let directory = directory(&[("a", Kme::Local)]).unwrap();
        let twice = [(sae("a"), Kme::Local), (sae("a"), Kme::Peer)];
        assert_eq!(directory.replace(twice), Err(duplicate));
        assert_eq!(directory.check_caller(&sae("a")), Ok(()));
    }

    #[test]
    fn who_is_taken_out_is_nobody_with_the_next_call() {
        let directory = directory(&[("a", Kme::Local), ("b", Kme::Peer)]).unwrap();
        directory
            .replace([(sae("b"), Kme::Peer), (sae("c"), Kme::Local)])
            .unwrap();
        assert!(directory.check_caller(&sae("a")).is_err());
        assert_eq!(directory.check_caller(&sae("c")), Ok(()));
        assert_eq!(directory.check_partner(&sae("b")), Ok(()));
    }

    #[test]
    fn entity_names_are_bounded() {
        assert!(KmeId::new("").is_err());
        assert!(KmeId::new("k".repeat(257)).is_err());
        assert!(KmeId::new("k".repeat(256)).is_ok());
    }
}
