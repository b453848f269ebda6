//! What somebody with a certificate may try: to be somebody else, and to guess.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicUsize, Ordering};

use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};

use super::*;
use crate::{Access, Audit, Fault, Grant, Rejection, SaeQuota, Written};

/// A log that counts refusals by whose fault they are.
#[derive(Default)]
struct Counts {
    identity: AtomicUsize,
    request: AtomicUsize,
    quota: AtomicUsize,
}

impl Audit for Counts {
    fn check(&self) -> Result<(), String> {
        Ok(())
    }

    fn granted<'a>(&'a self, _: &Grant<'_>) -> Written<'a> {
        Box::pin(async { Ok(()) })
    }

    fn refused(&self, refusal: &Rejection<'_>) {
        let count = match refusal.fault {
            Fault::Identity => &self.identity,
            Fault::Request => &self.request,
            Fault::Quota => &self.quota,
            Fault::Unavailable => return,
        };
        count.fetch_add(1, Ordering::Relaxed);
    }
}

fn certificate(common_name: &str) -> Vec<u8> {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params
        .distinguished_name
        .push(DnType::CommonName, common_name);
    let key = KeyPair::generate().unwrap();
    params.self_signed(&key).unwrap().der().to_vec()
}

#[tokio::test]
async fn a_name_that_only_looks_like_another_is_another_and_each_attempt_is_logged() {
    let link = link(8);
    let counts = Arc::new(Counts::default());
    let access = Access::new(SaeQuota::default(), BTreeMap::new(), counts.clone());
    let alice = link.alice.clone().behind(access);
    let names = [
        "A",
        "a ",
        " a",
        "a\0",
        "a\0b",
        "*",
        "a*",
        "а",
        "ａ",
        "a\u{301}",
        "a.",
        "a\n",
        "\u{200b}a",
        "a,CN=b",
        "a/b",
        "%61",
        "",
    ];
    for name in names {
        let caller = IdentityRule::CommonName.identify(&certificate(name));
        let caller = caller.as_ref().map(|sae| sae.as_str());
        let caller = caller.map_err(Clone::clone);
        let (status, _) = said(&alice, caller, ("GET", ENC), "").await;
        assert_eq!(status, 401, "{name:?}");
    }
    assert_eq!(counts.identity.load(Ordering::Relaxed), names.len());
    let caller = IdentityRule::CommonName
        .identify(&certificate("a"))
        .unwrap();
    assert_eq!(
        said(&alice, Ok(caller.as_str()), ("GET", ENC), "").await.0,
        200
    );
}

#[tokio::test]
async fn who_guesses_identities_of_keys_hits_none_and_is_slowed_down() {
    let link = link(8);
    let mine = keys(get(&link.alice, "a", ENC).await);
    let counts = Arc::new(Counts::default());
    let quota = SaeQuota {
        keys_per_second_max: NonZeroU32::new(10),
        keys_burst_max: NonZeroU32::new(50).unwrap(),
        ..SaeQuota::default()
    };
    let access = Access::new(quota, BTreeMap::new(), counts.clone());
    let bob = link.bob.clone().behind(access);
    let mut guess = qkd_bits::SecretRng::from_seed([3; 32]);
    for _ in 0..2000 {
        let key_id = KeyId::random(&mut guess);
        let path = format!("{DEC}?key_ID={key_id}");
        let (status, _) = said(&bob, Ok("b"), ("GET", &path), "").await;
        assert!(matches!(status, 400 | 429), "{status}");
    }
    let unknown = counts.request.load(Ordering::Relaxed);
    assert!(
        (50..200).contains(&unknown),
        "{unknown} guesses were looked at"
    );
    assert_eq!(unknown + counts.quota.load(Ordering::Relaxed), 2000);
    // Another application is not concerned, and the key was touched by no guess.
    let path = format!("{DEC}?key_ID={}", mine[0].0);
    assert!(keys(get(&link.bob, "b", &path).await) == mine);
}
