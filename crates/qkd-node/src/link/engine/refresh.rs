//! How a link refreshes its authentication keys: with bits of blocks that both key stores have.

use qkd_auth::{RefreshId, Rekey};
use qkd_bits::SecretBytes;
use qkd_keystore::BlockId;
use qkd_security::Spent;
use qkd_session::Time;
use qkd_wire::link::LinkMessage;

use super::super::{LinkEffect, LinkFault};
use super::{LinkEngine, Party};

/// Refreshes that wait at Alice for the one under way, which takes a round trip: blocks may come far
/// more often, and the authentication keys need no bits of each of them.
pub(super) const REFRESHES_WAITING_MAX: usize = 4;

/// Committed blocks whose refresh bits Bob keeps, as Alice may refresh with them: by the time that he
/// hears of a refresh, she has told him of no more commits since that block than wait for her store
/// at one time.
pub(super) const REFRESHES_KEPT_MAX: usize = 1024;

impl LinkEngine {
    /// Authentication keys change by the same commit as the key store. It is Alice who decides a
    /// block, so it is she who begins the refresh with it.
    pub(super) fn committed(
        &mut self,
        now: Time,
        block: BlockId,
        spent: Spent,
        effects: &mut Vec<LinkEffect>,
    ) -> Result<(), LinkFault> {
        // A block of an earlier session, settled at reconnection, leaves this channel alone.
        if block.session != self.session.0 {
            return Ok(());
        }
        self.patience.went_on(now);
        if let Some(mut report) = self.reports.remove(&block.block) {
            report.spent = Some(spent);
            self.tell(report, effects);
        }
        if let Some(refresh) = self.distilled.remove(&block.block) {
            self.keep(block.block, refresh);
        }
        match self.party {
            Party::Alice(_) => self.refresh(now, effects),
            Party::Bob(_) => Ok(()),
        }
    }

    /// Keeps the refresh bits of a committed block, unless a refresh has overtaken it: the oldest
    /// give way to the latest, which the peer refreshes with if it keeps fewer.
    fn keep(&mut self, block: u64, refresh: SecretBytes) {
        if block < self.next_refresh {
            return;
        }
        self.committed.insert(block, refresh);
        let max = match self.party {
            Party::Alice(_) => REFRESHES_WAITING_MAX,
            Party::Bob(_) => REFRESHES_KEPT_MAX,
        };
        while self.committed.len() > max {
            self.committed.pop_first();
        }
    }

    /// Alice begins the next refresh, when none is under way.
    fn refresh(&mut self, now: Time, effects: &mut Vec<LinkEffect>) -> Result<(), LinkFault> {
        if self.channel.staged().is_some() {
            return Ok(());
        }
        let Some((block, bits)) = self.committed.pop_first() else {
            return Ok(());
        };
        self.next_refresh = block + 1;
        let id = RefreshId {
            session: self.session.0,
            block,
        };
        let rekey = self.channel.stage(id, bits)?;
        self.switch_sending(now, rekey, effects)
    }

    pub(super) fn rekeyed(
        &mut self,
        now: Time,
        rekey: &Rekey,
        effects: &mut Vec<LinkEffect>,
    ) -> Result<(), LinkFault> {
        match &self.party {
            Party::Alice(_) => {
                self.channel.switch_receiving(rekey)?;
                self.refresh(now, effects)
            }
            Party::Bob(_) => {
                let block = rekey.id.block;
                let known = rekey.id.session == self.session.0 && block >= self.next_refresh;
                let bits = known.then(|| self.refresh_bits(block)).flatten();
                let bits = bits.ok_or(LinkFault::UnknownRefresh { block })?;
                let ours = self.channel.stage(rekey.id, bits)?;
                self.channel.switch_receiving(rekey)?;
                self.switch_sending(now, ours, effects)
            }
        }
    }

    /// Bob's bits for the refresh that Alice begins with a block; those that it overtakes are wiped.
    fn refresh_bits(&mut self, block: u64) -> Option<SecretBytes> {
        // Alice refreshes after her commit, of which the store here may not have told yet.
        let of_block = self.committed.remove(&block);
        let bits = of_block.or_else(|| self.distilled.remove(&block))?;
        self.next_refresh = block + 1;
        self.committed = self.committed.split_off(&self.next_refresh);
        Some(bits)
    }

    /// Says, as the last message of the last envelope of the old epoch, that the next envelope is
    /// of the new epoch.
    fn switch_sending(
        &mut self,
        now: Time,
        rekey: Rekey,
        effects: &mut Vec<LinkEffect>,
    ) -> Result<(), LinkFault> {
        self.say(now, LinkMessage::Rekey(rekey), effects)?;
        effects.extend(self.flush()?);
        Ok(self.channel.switch_sending()?)
    }
}
