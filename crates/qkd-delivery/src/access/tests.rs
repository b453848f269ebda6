//! The gate in front of a store that counts and waits.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use qkd_bits::SecretBytes;

use super::*;

fn sae(name: &str) -> SaeId {
    SaeId::new(name).unwrap()
}

/// A log that fails on demand and counts what it was told.
#[derive(Default)]
struct Log {
    is_full: AtomicBool,
    fails_late: AtomicBool,
    granted: AtomicUsize,
}

impl Audit for Log {
    fn check(&self) -> Result<(), String> {
        match self.is_full.load(Ordering::Relaxed) {
            true => Err("no room".to_owned()),
            false => Ok(()),
        }
    }

    fn granted<'a>(&'a self, grant: &Grant<'_>) -> Written<'a> {
        let number = grant.key_ids.len();
        Box::pin(async move {
            if self.fails_late.load(Ordering::Relaxed) {
                return Err("the disk broke".to_owned());
            }
            self.granted.fetch_add(number, Ordering::Relaxed);
            Ok(())
        })
    }

    fn refused(&self, _: &Rejection<'_>) {}
}

fn access(quota: SaeQuota) -> (Access, Arc<Log>) {
    let log = Arc::new(Log::default());
    (Access::new(quota, BTreeMap::new(), log.clone()), log)
}

/// One key for `who`, of a store that takes `busy` over it.
async fn one_key(access: &Access, who: &SaeId, busy: Duration) -> Result<usize, Error> {
    let visit = Visit {
        api: Api::Grpc,
        call: "GetKey",
        caller: who,
        partners: &[],
        origin: &Origin::default(),
        number: 1,
        limit: Duration::from_secs(60),
    };
    let ask = async {
        tokio::time::sleep(busy).await;
        let key = SecretBytes::from(vec![7; 32]);
        let key_id = KeyId::from_bytes([1; 16]);
        Ok(vec![DeliveredKey { key_id, key }])
    };
    access.keys(&visit, ask).await.map(|keys| keys.len())
}

/// The clock of these tests stands still but for the waits themselves.
#[tokio::test(start_paused = true)]
async fn under_a_storm_of_one_the_others_get_their_fair_share() {
    let (access, _) = access(SaeQuota::default());
    let busy = Duration::from_millis(100);
    let served = |name: &'static str, clients: usize| {
        let access = access.clone();
        async move {
            let count = Arc::new(AtomicUsize::new(0));
            for _ in 0..clients {
                let (access, count) = (access.clone(), count.clone());
                tokio::spawn(async move {
                    let who = sae(name);
                    while one_key(&access, &who, busy).await.is_ok() {
                        count.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
            count
        }
    };
    let storm = served("storm", 20 * TURNS_MAX).await;
    let calm = served("calm", TURNS_MAX).await;
    tokio::time::sleep(Duration::from_secs(20)).await;
    let [storm, calm] = [storm, calm].map(|count| count.load(Ordering::Relaxed));
    let fair = (storm + calm) / 2;
    assert!(
        storm + calm >= TURNS_MAX * 190,
        "{storm} + {calm}: no turn is wasted"
    );
    assert!(calm * 10 >= fair * 9, "{calm} of a fair share of {fair}");
}

#[tokio::test(start_paused = true)]
async fn who_takes_too_much_is_told_when_to_come_again_and_gets_it_then() {
    let (access, log) = access(SaeQuota {
        keys_per_second_max: NonZeroU32::new(2),
        keys_burst_max: NonZeroU32::new(3).unwrap(),
        requests_open_max: 1,
        ..SaeQuota::default()
    });
    let a = sae("a");
    for _ in 0..3 {
        assert_eq!(one_key(&access, &a, Duration::ZERO).await, Ok(1));
    }
    let over = one_key(&access, &a, Duration::ZERO).await.unwrap_err();
    let Error::OverQuota {
        quota, retry_after, ..
    } = over
    else {
        panic!("{over}");
    };
    assert_eq!(quota, OverQuota::KeysPerSecond { max: 2 });
    assert_eq!(retry_after, Duration::from_millis(500));
    tokio::time::sleep(retry_after).await;
    assert_eq!(one_key(&access, &a, Duration::ZERO).await, Ok(1));
    assert_eq!(log.granted.load(Ordering::Relaxed), 4);
    // One request at once, until it is over.
    let open = access.enter(&a).unwrap_or_else(|error| panic!("{error}"));
    assert!(access.enter(&a).is_err());
    drop(open);
    assert!(access.enter(&a).is_ok());
}

#[tokio::test(start_paused = true)]
async fn without_a_line_in_the_log_no_key_leaves_and_the_store_is_not_even_asked() {
    let (access, log) = access(SaeQuota::default());
    let a = sae("a");
    log.is_full.store(true, Ordering::Relaxed);
    let visit = Visit {
        api: Api::Etsi014,
        call: "enc_keys",
        caller: &a,
        partners: &[],
        origin: &Origin::default(),
        number: 1,
        limit: Duration::from_secs(1),
    };
    let asked = access.keys(&visit, async { panic!("the store was asked") });
    let Err(error) = asked.await else {
        panic!("keys without a log");
    };
    assert!(matches!(error, Error::Audit { .. }), "{error}");
    log.is_full.store(false, Ordering::Relaxed);
    log.fails_late.store(true, Ordering::Relaxed);
    let error = one_key(&access, &a, Duration::ZERO).await.unwrap_err();
    assert!(matches!(error, Error::Audit { .. }), "{error}");
    log.fails_late.store(false, Ordering::Relaxed);
    assert_eq!(one_key(&access, &a, Duration::ZERO).await, Ok(1));
}

#[tokio::test(start_paused = true)]
async fn a_master_whose_keys_nobody_fetches_burns_no_more_for_a_while() {
    let (access, _) = access(SaeQuota::default());
    let (a, b) = (sae("a"), sae("b"));
    let asked = AtomicUsize::new(0);
    let origin = Origin::default();
    let visit = |caller| Visit {
        api: Api::Grpc,
        call: "GetKey",
        caller,
        partners: &[],
        origin: &origin,
        number: 1,
        limit: Duration::from_secs(1),
    };
    let ask = || async {
        asked.fetch_add(1, Ordering::Relaxed);
        Err(RequestError::TooManyUnfetched.into())
    };
    for _ in 0..10 {
        let error = access.keys(&visit(&a), ask()).await.err().unwrap();
        let over = OverQuota::Unfetched;
        assert!(
            matches!(error, Error::OverQuota { quota, .. } if quota == over),
            "{error}"
        );
    }
    assert_eq!(asked.load(Ordering::Relaxed), 1);
    assert_eq!(one_key(&access, &b, Duration::ZERO).await, Ok(1));
    tokio::time::sleep(REFUSED_FOR).await;
    assert_eq!(one_key(&access, &a, Duration::ZERO).await, Ok(1));
}
