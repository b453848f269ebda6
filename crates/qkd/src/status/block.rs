//! `qkd status --block`: every figure that one block's key was made from.

use qkd_wire::proto::node::node_client::NodeClient;
use qkd_wire::proto::node::{BlockReport, GetStatusRequest, WatchBlocksRequest};
use serde::Serialize;
use tonic::Code;

use super::Error;
use crate::account::{self, Item};
use crate::client::{self, Connected, answer, within};
use crate::output::one_line;
use crate::words::{counted, grouped};

/// The account of one block; its serialized fields are what `--json` promises.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Account {
    /// Always `block`.
    pub kind: &'static str,
    /// The node that tells it.
    pub node: String,
    /// Number of the block in the node's present life, from 1.
    pub number: u64,
    /// Its session, 16 hexadecimal digits.
    pub session: String,
    /// Its number in that session.
    pub block: u64,
    /// `key` or `aborted`.
    pub outcome: String,
    /// Why it was aborted; `null` with a key.
    pub abort: Option<String>,
    /// The same, or what came out, in a sentence.
    pub text: String,
    /// The theorem that its length comes from.
    pub theorem: String,
    /// What the node's monitors said about it, a sentence each.
    pub alarms: Vec<String>,
    /// Every figure that the node knows of it.
    pub figures: Vec<Item>,
}

/// Asks for block `wanted`, or for the last one.
///
/// # Errors
/// When the node does not answer, or has no such block.
pub async fn account(connected: &Connected, wanted: Option<u64>) -> Result<Account, Error> {
    let node = &connected.node;
    let mut client = NodeClient::new(connected.channel.clone());
    let finished = match within(client.get_status(GetStatusRequest {})).await {
        Ok(status) => status.blocks_attempted,
        Err(status) if status.code() == Code::Unimplemented => {
            let text = format!("{node} is no end of a link: it has no blocks");
            return Err(Error::NoBlock(text));
        }
        Err(status) => {
            let what = format!("ask {node} for its status");
            return Err(client::Error::Refused { what, status }.into());
        }
    };
    if finished == 0 {
        let text = format!("{node} has finished no block since it was started");
        return Err(Error::NoBlock(text));
    }
    let number = wanted.unwrap_or(finished);
    if number > finished {
        let blocks = counted(finished, "block");
        let text = format!("{node} has finished {blocks}: there is no number {number} yet");
        return Err(Error::NoBlock(text));
    }
    let request = WatchBlocksRequest {
        after: number - 1,
        figures: true,
    };
    let what = format!("ask {node} for block {number}");
    let mut reports = answer(what.clone(), client.watch_blocks(request)).await?;
    let next = async { reports.message().await.map(tonic::Response::new) };
    match answer(what, next).await? {
        Some(report) if report.number == number => Ok(Account::new(node, report)),
        Some(report) => Err(Error::NoBlock(format!(
            "{node} remembers its blocks from number {} on: number {number} is forgotten",
            report.number
        ))),
        None => Err(Error::NoBlock(format!(
            "{node} stopped before it told of block {number}"
        ))),
    }
}

impl Account {
    fn new(node: &str, report: BlockReport) -> Self {
        Self {
            kind: "block",
            node: node.to_owned(),
            number: report.number,
            session: format!("{:016x}", report.session),
            block: report.block,
            outcome: report.outcome,
            abort: Some(report.abort_reason).filter(|reason| !reason.is_empty()),
            text: report.text,
            theorem: report.theorem,
            alarms: report.alarms.into_iter().map(|alarm| alarm.text).collect(),
            figures: report.figures.into_iter().map(Item::from).collect(),
        }
    }

    /// The JSON object, one line.
    pub fn json(&self) -> String {
        // Every field is a number, a text, or made of them: none of them can be refused.
        serde_json::to_string(self).unwrap_or_else(|_| r#"{"kind":"block"}"#.to_owned())
    }

    /// For people.
    pub fn lines(&self) -> Vec<String> {
        let (number, block) = (grouped(self.number), grouped(self.block));
        let mut lines = vec![
            one_line(&format!(
                "{}: number {number}, block {block} of session {}: {}",
                self.node, self.session, self.text
            )),
            one_line(&format!("Lengths are those of theorem {}.", self.theorem)),
        ];
        let alarms = self.alarms.iter();
        lines.extend(alarms.map(|alarm| one_line(&format!("Alarm of {alarm}."))));
        lines.extend(account::lines(&self.figures));
        lines.push(
            "Authentication by HMAC is computational: it has no part in these probabilities."
                .to_owned(),
        );
        lines
    }
}

#[cfg(test)]
mod tests {
    use qkd_wire::proto::node::Figure;

    use super::*;

    fn report() -> BlockReport {
        let figure = |name: &str, value, unit: &str| Figure {
            name: name.to_owned(),
            meaning: format!("what {name} says"),
            value,
            unit: unit.to_owned(),
        };
        BlockReport {
            number: 3,
            session: 0xabcd,
            block: 2,
            outcome: "key".to_owned(),
            text: "412,345 secret bits\u{1b}[2J".to_owned(),
            theorem: "wiesemann2024".to_owned(),
            figures: vec![
                figure("sifted_bits", 1e6, "bits"),
                figure("phase_error_rate", 0.03125, ""),
            ],
            ..BlockReport::default()
        }
    }

    #[test]
    fn the_json_object_of_a_block_has_exactly_the_promised_fields() {
        let account = Account::new("kme-bob", report());
        let expected = serde_json::json!({
            "kind": "block", "node": "kme-bob", "number": 3, "session": "000000000000abcd",
            "block": 2, "outcome": "key", "abort": null, "text": "412,345 secret bits\u{1b}[2J",
            "theorem": "wiesemann2024", "alarms": [],
            "figures": [
                {"name": "sifted_bits", "meaning": "what sifted_bits says", "value": 1_000_000,
                 "unit": "bits"},
                {"name": "phase_error_rate", "meaning": "what phase_error_rate says",
                 "value": 0.03125, "unit": ""},
            ],
        });
        let json: serde_json::Value = serde_json::from_str(&account.json()).unwrap();
        assert_eq!(json, expected);
        assert!(!account.json().contains('\n'));
    }

    #[test]
    fn a_person_reads_every_figure_with_its_meaning_and_no_word_steers_the_terminal() {
        let lines = Account::new("kme-bob", report()).lines();
        let title = "kme-bob: number 3, block 2 of session 000000000000abcd: 412,345 secret bits";
        assert!(lines[0].starts_with(title), "{lines:?}");
        let phase = lines.iter().find(|line| line.contains("0.03125"));
        assert!(phase.is_some_and(|line| line.contains("what phase_error_rate says")));
        assert!(lines.iter().all(|line| !line.contains(char::is_control)));
    }
}
