//! A peer who holds the key and lies: whatever it says instead of the truth, both stores hold equal keys
//! or none, nobody waits for ever, and nothing grows without measure.
//!
//! The lies are made from the descriptors of the messages: every field of every message, turned over,
//! emptied, as large as it can be, missing, twice, and with what another message says there; sealed as
//! the liar's own. `QKD_LIES=all` tells all of them, and takes a minute; without it a part of them is
//! told, drawn by a fixed seed.

mod case;
#[path = "../../../../../../tests/support/fields.rs"]
mod fields;
mod leakage;
mod light;
mod seen;
mod table;
mod town;

use std::collections::{BTreeMap, BTreeSet};
use std::env;

use prost_reflect::DynamicMessage;
use prost_reflect::prost::Message as _;
use qkd_keystore::Side;

use case::{
    Fate, Instead, Lie, Said, changes, fate_of, grafted, honest_day, judged, kind_of,
    means_the_same, places,
};
use fields::{Change, Site, fields_of, link_type, sites, specimens};
use table::{Verdict, verdicts};
use town::{Town, Trick};

/// Of so many lies one is told where not all of them are.
const SAMPLED: usize = 29;

/// The lies that are told: all, or every so many of them from one on that the seed says.
fn told(lies: Vec<Lie>, seed: usize) -> Vec<Lie> {
    match env::var("QKD_LIES") {
        Ok(which) if which == "all" => lies,
        _ => lies
            .into_iter()
            .skip(seed % SAMPLED)
            .step_by(SAMPLED)
            .collect(),
    }
}

/// What messages of its kind say elsewhere.
fn others(said: &[Said], kind: &str) -> Vec<DynamicMessage> {
    let of_kind = said.iter().filter(|said| said.kind == kind);
    let mut others: Vec<_> = of_kind.map(|said| said.message.clone()).collect();
    let made_up = specimens(&link_type("LinkMessage")).into_iter();
    others.extend(made_up.filter(|message| kind_of(message) == kind));
    others
}

/// Every change of every field of what is said on an honest day, and of what could stand where nothing
/// does.
fn field_lies(said: &[Said]) -> Vec<Lie> {
    let mut lies = Vec::new();
    for (at, here) in places(said) {
        let kind = &here.kind;
        let others = others(said, kind);
        let of_honest = changes(&here.message, &others);
        let named: BTreeSet<String> = of_honest.iter().map(|(field, ..)| field.clone()).collect();
        let of_grafted = changes(&grafted(&here.message), &others).into_iter();
        let new = of_grafted.filter(|(field, ..)| !named.contains(field));
        for (field, change, bytes) in of_honest.into_iter().chain(new) {
            if !means_the_same(&here.message, &bytes) {
                lies.push(Lie {
                    at,
                    kind: kind.clone(),
                    field,
                    how: format!("{change:?}"),
                    with: Instead::These(vec![bytes]),
                });
            }
        }
    }
    lies
}

/// Messages that nobody has asked for, as they are and with every change of every field, said by each
/// side at some time of the day.
fn unasked_lies(said: &[Said]) -> Vec<Lie> {
    let usual: BTreeSet<&str> = said.iter().map(|said| said.kind.as_str()).collect();
    let mut lies = Vec::new();
    for message in specimens(&link_type("LinkMessage")) {
        let kind = kind_of(&message);
        let mut versions = vec![(String::new(), "unasked".to_owned(), message.encode_to_vec())];
        if !usual.contains(kind.as_str()) {
            let changed = changes(&message, &[]).into_iter();
            versions.extend(changed.map(|(field, how, bytes)| (field, format!("{how:?}"), bytes)));
        }
        for from in [Side::Alice, Side::Bob] {
            let own = said
                .iter()
                .enumerate()
                .filter(|(_, said)| said.from == from);
            let own: Vec<usize> = own.map(|(at, _)| at).collect();
            for at in [
                own[1],
                own[own.len() / 3],
                own[own.len() / 2],
                own[own.len() - 2],
            ] {
                for (field, how, bytes) in &versions {
                    let with = vec![said[at].message.encode_to_vec(), bytes.clone()];
                    lies.push(Lie {
                        at,
                        kind: kind.clone(),
                        field: field.clone(),
                        how: how.clone(),
                        with: Instead::These(with),
                    });
                }
            }
        }
    }
    lies
}

fn field_names(lies: &[Lie]) -> BTreeSet<String> {
    let named = lies.iter().filter(|lie| !lie.field.is_empty());
    named.map(|lie| lie.field.clone()).collect()
}

fn end_as_the_table_says(lies: &[Lie], honest: &str) {
    let wrong = against_the_table(lies, honest);
    assert!(
        wrong.is_empty(),
        "{} of {}:\n{}",
        wrong.len(),
        lies.len(),
        wrong.join("\n")
    );
}

/// Tells the lies, and returns those that became what the table does not say.
fn against_the_table(lies: &[Lie], honest: &str) -> Vec<String> {
    let verdicts = verdicts();
    let mut wrong = Vec::new();
    for lie in lies {
        let name = format!("{} {} of {} at {}", lie.how, lie.field, lie.kind, lie.at);
        let (fate, seen) = fate_of(lie, honest);
        let (delivered, differ) = seen.delivered();
        let verdict = verdicts.get(lie.field.as_str()).copied();
        let unheard = fate == Fate::Unnoticed;
        if unheard && verdict == Some(Verdict::Caught) {
            wrong.push(format!("{name}: nobody noticed"));
        }
        if differ > 0 && !matches!(verdict, Some(Verdict::OwnKeys(_))) {
            wrong.push(format!(
                "{name}: {differ} of {delivered} delivered keys differ, {fate:?}"
            ));
        }
    }
    wrong
}

#[test]
fn every_field_of_every_message_has_its_lies_and_its_verdict() {
    let (_, said) = honest_day();
    let all = fields_of(&link_type("LinkMessage"));
    let mut lied_about = field_names(&field_lies(&said));
    lied_about.extend(field_names(&unasked_lies(&said)));
    let silent: Vec<_> = all.symmetric_difference(&lied_about).collect();
    assert!(
        silent.is_empty(),
        "fields that nobody lies about: {silent:?}"
    );
    let judged: BTreeSet<String> = verdicts().keys().map(|name| (*name).to_owned()).collect();
    let unjudged: Vec<_> = all.symmetric_difference(&judged).collect();
    assert!(
        unjudged.is_empty(),
        "fields without a verdict, or verdicts without a field: {unjudged:?}"
    );
}

#[test]
fn on_an_honest_day_the_accounts_count_every_bit_that_was_said() {
    let (honest, _) = honest_day();
    honest.assert_leakage_paid();
    honest.assert_accounts_are_exact();
}

#[test]
fn lies_about_single_fields_are_caught_or_harmless_as_the_table_says() {
    let (honest, said) = honest_day();
    let lies = told(field_lies(&said), 5);
    end_as_the_table_says(&lies, &honest.summary());
}

#[test]
fn what_nobody_asked_for_changes_no_key() {
    let (honest, said) = honest_day();
    let lies = told(unasked_lies(&said), 7);
    end_as_the_table_says(&lies, &honest.summary());
}

/// Messages that are kept back, said twice or too late, for each kind at some places of the day.
fn order_lies(said: &[Said]) -> Vec<Lie> {
    let mut lies = Vec::new();
    for (at, said) in places(said) {
        let bytes = said.message.encode_to_vec();
        for (how, with) in [
            ("dropped", Instead::These(Vec::new())),
            ("twice", Instead::These(vec![bytes.clone(); 2])),
            ("later by one", Instead::Later(1)),
            ("later by ten", Instead::Later(10)),
        ] {
            lies.push(Lie {
                at,
                kind: said.kind.clone(),
                field: String::new(),
                how: how.to_owned(),
                with,
            });
        }
    }
    lies
}

#[test]
fn messages_that_are_dropped_doubled_or_late_are_noticed_in_time() {
    let (honest, said) = honest_day();
    let honest = honest.summary();
    for lie in told(order_lies(&said), 1) {
        let (fate, seen) = fate_of(&lie, &honest);
        let name = format!("{} {} at {}", lie.kind, lie.how, lie.at);
        assert_eq!(seen.delivered().1, 0, "{name}: {fate:?}");
    }
}

/// The first message of a kind, kept back: its block, or its key, waits for it.
fn fate_without(kind: &str) -> Fate {
    let (honest, said) = honest_day();
    let lie = order_lies(&said).into_iter();
    let mut lie = lie.filter(|lie| lie.kind == kind && lie.how == "dropped");
    let lie = lie.next().unwrap_or_else(|| panic!("nobody says {kind}"));
    fate_of(&lie, &honest.summary()).0
}

#[test]
fn a_peer_who_owes_a_block_its_next_word_is_not_waited_for_for_ever() {
    for kind in [
        "session.disclosure",
        "session.parities",
        "session.verified",
        "store.prepared",
    ] {
        let fate = fate_without(kind);
        let Fate::Refused(words) = &fate else {
            panic!("{kind} dropped: {fate:?}");
        };
        assert!(
            words.contains("has not gone on for 31 s"),
            "{kind}: {words}"
        );
    }
}

/// An envelope on its way.
type Wired = qkd_wire::proto::link::Envelope;

/// What somebody without the key does to one envelope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tampering {
    Drop,
    Twice,
    Swap,
    Later,
    Flip,
    Reflect,
    CutTag,
}

impl Tampering {
    const ALL: [Self; 7] = [
        Self::Drop,
        Self::Twice,
        Self::Swap,
        Self::Later,
        Self::Flip,
        Self::Reflect,
        Self::CutTag,
    ];

    /// Does it to the envelope with this number.
    fn at(self, place: usize) -> Trick {
        let mut number = 0;
        // What is held back, and how many envelopes of its sender go before it.
        let mut held: Option<(Side, Wired, usize)> = None;
        Box::new(move |from, envelope| {
            let to = from.peer();
            let envelope = super::on_the_wire(&envelope);
            let here = number == place;
            number += 1;
            let mut arrives = vec![(to, envelope.clone())];
            if here {
                match self {
                    Self::Drop => arrives.clear(),
                    Self::Twice => arrives.push((to, envelope)),
                    Self::Swap => held = arrives.pop().map(|(_, envelope)| (from, envelope, 1)),
                    Self::Later => held = arrives.pop().map(|(_, envelope)| (from, envelope, 3)),
                    Self::Flip => {
                        let mut payload = arrives[0].1.payload.to_vec();
                        match payload.last_mut() {
                            Some(byte) => *byte ^= 1,
                            None => payload.push(0),
                        }
                        arrives[0].1.payload = payload.into();
                    }
                    Self::Reflect => arrives.push((from, envelope)),
                    Self::CutTag => arrives[0].1.tag.truncate(place % 32),
                }
                return arrives;
            }
            match held.take() {
                Some((of, late, 1)) if of == from => arrives.push((to, late)),
                Some((of, late, more)) if of == from => held = Some((of, late, more - 1)),
                other => held = other,
            }
            arrives
        })
    }

    /// Whether the receiver still gets everything in its order.
    fn is_idle(self) -> bool {
        matches!(self, Self::Twice | Self::Reflect)
    }
}

/// What somebody without the key does to any envelope is counted, and costs a session at most.
#[test]
fn every_envelope_dropped_doubled_swapped_late_altered_or_reflected_costs_a_session_at_most() {
    let (honest, _) = honest_day();
    let (all, honest) = (honest.envelopes, honest.summary());
    let lies = env::var("QKD_LIES").is_ok_and(|which| which == "all");
    let (from, step) = if lies { (0, 1) } else { (3, 61) };
    for place in (from..all - 40).step_by(step) {
        for tampering in Tampering::ALL {
            let mut town = Town::new(None, Some(tampering.at(place)));
            town.live();
            let rejected = town.rejected();
            let (fate, seen) = judged(&mut town, &honest);
            let name = format!("{tampering:?} envelope {place} of {all}");
            assert_eq!(seen.delivered().1, 0, "{name}");
            assert!(rejected > 0, "{name}: nothing was rejected, {fate:?}");
            match fate {
                Fate::Unnoticed => assert!(tampering.is_idle(), "{name}"),
                Fate::Refused(words) => {
                    assert!(!tampering.is_idle(), "{name}: {words}");
                    assert!(words.contains("no genuine envelope for"), "{name}: {words}");
                }
                Fate::Quarantined(_) | Fate::Failed | Fate::Alarmed => panic!("{name}: {fate:?}"),
            }
        }
    }
}

/// The fields that one who lies all day lies about, and what both sides then say of each block.
#[test]
fn who_lies_all_day_makes_no_key_and_no_endless_talk() {
    let (honest, said) = honest_day();
    let honest = honest.summary();
    let mut fates = BTreeMap::new();
    for (kind, field, change) in [
        ("session.parities", "parities.bits.packed", Change::Flip),
        ("session.parities", "parities.bits.packed", Change::Zero),
        ("session.comparison", "comparison.bits.packed", Change::Flip),
        ("session.comparison", "comparison.bits.packed", Change::Zero),
        ("session.verification", "verification.tag", Change::Flip),
        (
            "session.verification",
            "verification.hash_key",
            Change::Zero,
        ),
        (
            "session.disclosure",
            "disclosure.bases.packed",
            Change::Flip,
        ),
        (
            "session.amplification",
            "amplification.seed.packed",
            Change::Flip,
        ),
        ("store.prepared", "prepared.check", Change::Flip),
    ] {
        let (at, first) = said
            .iter()
            .enumerate()
            .find(|(_, said)| said.kind == kind)
            .expect("said");
        let sites = sites(&first.message);
        let site: &Site = sites
            .iter()
            .find(|site| site.name() == field)
            .expect("there");
        let lie = Lie {
            at,
            kind: kind.to_owned(),
            field: field.to_owned(),
            how: format!("{change:?}"),
            with: Instead::FromNowOn(site.clone(), change),
        };
        let (fate, seen) = fate_of(&lie, &honest);
        assert_eq!(
            seen.delivered(),
            (0, 0),
            "{kind} {field} {change:?}: {fate:?}"
        );
        assert_ne!(fate, Fate::Unnoticed, "{kind} {field} {change:?}");
        fates.insert(format!("{kind} {field} {change:?}"), fate);
    }
}
