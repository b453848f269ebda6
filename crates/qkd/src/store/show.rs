//! What a store holds, for people and for programs.

use std::fmt::Write as _;
use std::path::Path;

use qkd_keystore::{BlockId, Inspection};
use serde_json::{Value, json};

use crate::output::one_line;
use crate::words::grouped;

/// Findings that are listed; a store damaged in more places is told by their number.
const FINDINGS_SHOWN_MAX: usize = 20;

/// How a store is, in one word.
pub fn state(found: &Inspection) -> &'static str {
    match (found.is_whole(), &found.quarantine) {
        (false, _) => "damaged",
        (true, Some(_)) => "quarantined",
        (true, None) => "sound",
    }
}

/// A table of lines.
pub fn table(path: &Path, found: &Inspection) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = writeln!(
        text,
        "{}: the key store of {}, {}",
        path.display(),
        found.side,
        state(found)
    );
    if let Some(reason) = &found.quarantine {
        let _ = writeln!(text, "  quarantined because: {}", one_line(reason));
    }
    let history = found.history.map(|history| history.to_string());
    let rows = [
        ("records", grouped(found.records)),
        ("history", history.unwrap_or_else(|| "the first".to_owned())),
        ("times opened", grouped(found.boot_epoch)),
        ("blocks committed", grouped(found.commits)),
        ("runs spent at most", grouped(found.spent.runs)),
        ("blocks with key left", grouped(found.committed_blocks)),
        ("bits free here", grouped(found.free_bits)),
        ("bits free at the peer", grouped(found.peer_free_bits)),
        ("bits held, all in all", grouped(found.material_bits)),
        ("keys waiting here", grouped(found.waiting_keys)),
        (
            "assignments unsettled",
            grouped(found.unsettled_assignments),
        ),
        ("blocks in doubt", blocks(&found.in_doubt)),
        ("blocks abandoned", blocks(&found.abandoned)),
    ];
    for (name, value) in rows {
        let _ = writeln!(text, "  {name:<22} {value}");
    }
    let findings = found.findings.iter().take(FINDINGS_SHOWN_MAX);
    for finding in findings {
        let _ = writeln!(text, "  wrong: {}", one_line(&finding.to_string()));
    }
    let more = found.findings.len().saturating_sub(FINDINGS_SHOWN_MAX);
    if more > 0 {
        let _ = writeln!(text, "  and {} more", grouped(more as u64));
    }
    text
}

/// The same as one object.
pub fn json(path: &Path, found: &Inspection) -> Value {
    let findings = found.findings.iter();
    json!({
        "store": path,
        "state": state(found),
        "side": found.side.to_string(),
        "quarantine": found.quarantine,
        "records": found.records,
        "history": found.history.map(|history| history.to_string()),
        "boot_epoch": found.boot_epoch,
        "commits": found.commits,
        "spent": {
            "runs": found.spent.runs,
            "secrecy": found.spent.secrecy,
            "correctness": found.spent.correctness,
        },
        "committed_blocks": found.committed_blocks,
        "available_bits": found.free_bits,
        "peer_available_bits": found.peer_free_bits,
        "material_bits": found.material_bits,
        "waiting_keys": found.waiting_keys,
        "unsettled_assignments": found.unsettled_assignments,
        "in_doubt": names(&found.in_doubt),
        "abandoned": names(&found.abandoned),
        "findings": findings.map(ToString::to_string).collect::<Vec<_>>(),
    })
}

/// Blocks as they are typed.
pub fn names(blocks: &[BlockId]) -> Vec<String> {
    blocks.iter().map(ToString::to_string).collect()
}

fn blocks(blocks: &[BlockId]) -> String {
    match blocks {
        [] => "0".to_owned(),
        some => format!("{}: {}", some.len(), names(some).join(" ")),
    }
}
