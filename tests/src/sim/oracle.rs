//! The conditions at the end of a run: all phones and relays agree, and everything promised is there.

use std::collections::BTreeMap;

use automerge::Automerge;
use tourismo_core::docs::automerge_doc;
use tourismo_core::id::{AccountId, DocId};
use tourismo_core::projection::{self, DocumentRow};
use tourismo_core::replica::views::{DriveSync, DriveView, LinkStatus, StorageStatus};
use tourismo_core::wire::DocKind;

use crate::sim::Network;
use crate::sim::network::HOME;

impl Network {
    /// Returns whether a phone has nothing left to store, send or receive, or why not.
    pub fn is_settled(&self, phone: usize) -> Result<(), String> {
        let Some(replica) = &self.phones[phone].replica else { return Err("the app does not run".to_owned()) };
        let status = replica.status();
        if status.storage != StorageStatus::Saved || status.link != LinkStatus::UpToDate || status.unsent_changes > 0 {
            return Err(format!("{status:?}"));
        }
        if !self.phones[phone].conn.and_then(|conn| self.connections.get(conn)).is_some_and(|conn| conn.is_whole()) {
            return Err("its connection is dead, and it does not know".to_owned());
        }
        match replica.drives().into_iter().find(|drive| !matches!(drive.sync, DriveSync::OnRelay { .. })) {
            Some(drive) => Err(format!("drive {}: {:?}", drive.id, drive.sync)),
            None => Ok(()),
        }
    }

    /// Acknowledged changes must be in the relay's log, also after a crash.
    pub(super) fn check_acknowledged(&mut self) {
        let lost =
            self.reference.acknowledged.iter().find(|(relay, hash)| !self.relays[*relay].disk.has(hash)).copied();
        if let Some((_, hash)) = lost {
            self.report_broken(format!("what was acknowledged is on the relay's disk: {hash}"));
        }
    }

    /// Returns the accounts with the phones that are in.
    pub(super) fn accounts(&self) -> BTreeMap<AccountId, Vec<usize>> {
        let mut accounts: BTreeMap<AccountId, Vec<usize>> = BTreeMap::new();
        for phone in (0..self.phones.len()).filter(|phone| !self.is_out(*phone)) {
            accounts.entry(self.account(phone)).or_default().push(phone);
        }
        accounts
    }

    /// Checks all conditions that must hold once all phones are settled.
    pub(super) fn check_end(&mut self) {
        self.reference.close();
        self.check_acknowledged();
        for found in [self.check_phone_rows(), self.check_relay_rows(), self.check_links()] {
            if let Err(broken) = found {
                self.report_broken(broken);
            }
        }
        for (account, phones) in self.accounts() {
            for found in [
                self.check_views(account, &phones),
                self.check_promises(account, &phones),
                self.check_tracks(account),
                self.check_holdings(account, &phones),
            ] {
                if let Err(broken) = found {
                    self.report_broken(broken);
                }
            }
        }
    }

    /// Returns the loaded documents of an account on the relay.
    pub(super) fn loaded(&self, account: AccountId) -> Result<BTreeMap<DocId, (DocKind, Automerge)>, String> {
        let load = |(id, (kind, chunks)): (DocId, (DocKind, Vec<&[u8]>))| {
            let doc =
                automerge_doc::load(&[0; 16], chunks).map_err(|_| format!("what the relay has can be read: {id}"))?;
            Ok((id, (kind, doc)))
        };
        self.relays[HOME].documents(&account).into_iter().map(load).collect()
    }

    /// A phone has nothing of other accounts, and nothing that the relay lacks.
    fn check_holdings(&self, account: AccountId, phones: &[usize]) -> Result<(), String> {
        for phone in phones {
            for (doc, _) in self.phones[*phone].disk.changes() {
                if self.reference.owners.get(&doc).is_some_and(|owner| *owner != account) {
                    return Err(format!("nobody holds what is another account's: phone {phone}, document {doc}"));
                }
            }
            let hashes = self.phones[*phone].disk.hashes();
            if let Some(hash) = hashes.iter().find(|hash| !self.relays[HOME].disk.has(hash)) {
                return Err(format!("the relay has whatever a phone has in the end: phone {phone}, {hash}"));
            }
        }
        Ok(())
    }

    /// Done commands had an effect.
    fn check_promises(&self, account: AccountId, phones: &[usize]) -> Result<(), String> {
        let replica = self.replica(phones[0]);
        let is_ours = |id: &&DocId| self.reference.owners.get(id) == Some(&account);
        let drives: BTreeMap<DocId, DriveView> = replica.drives().into_iter().map(|view| (view.id, view)).collect();
        let is_gone = |id: &&DocId| is_ours(id) && !drives.contains_key(id) && !self.reference.deleted.contains(id);
        // A deletion that was not settled may have happened.
        let is_deleted = |id: &DocId| {
            self.relay_row(&account, id).is_some_and(|row| matches!(row, DocumentRow::Drive(f) if f.deleted))
        };
        if let Some(id) = self.reference.started.iter().filter(is_gone).find(|id| !is_deleted(id)) {
            return Err(format!("a drive that was started is there: {id}"));
        }
        if let Some(id) = self.reference.deleted.iter().find(|id| drives.contains_key(id)) {
            return Err(format!("a drive that was deleted is gone: {id}"));
        }
        if let Some(id) =
            self.reference.finished.iter().find(|id| drives.get(id).is_some_and(|drive| drive.ended_at.is_none()))
        {
            return Err(format!("a drive that was finished has an end: {id}"));
        }
        let cars: Vec<DocId> = replica.cars().into_iter().map(|car| car.id).collect();
        if let Some(id) = self.reference.cars.iter().find(|id| is_ours(id) && !cars.contains(id)) {
            return Err(format!("a car that was put is there: {id}"));
        }
        // Changes of a phone before and after it was put back are merged like those of two phones.
        if phones.len() == 1 && !self.reference.has_copies && self.reference.thieves.is_empty() {
            for (id, titles) in &self.reference.titles {
                if let Some(drive) = drives.get(id)
                    && !titles.iter().any(|(_, title)| *title == drive.title)
                {
                    return Err(format!(
                        "a title that was saved stays: drive {id} has {:?} of {titles:?}",
                        drive.title
                    ));
                }
            }
        }
        Ok(())
    }

    fn relay_row(&self, account: &AccountId, id: &DocId) -> Option<DocumentRow> {
        let documents = self.relays[HOME].documents(account);
        let (kind, chunks) = documents.get(id)?;
        projection::fold(*kind, &automerge_doc::load(&[0; 16], chunks.iter().copied()).ok()?)
    }
}
