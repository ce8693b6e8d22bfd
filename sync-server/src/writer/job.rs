//! The jobs of the writer. Each owns the typed reply to its sender.

use tokio::sync::{OwnedSemaphorePermit, oneshot};
use tourismo_core::id::{AccountId, DeviceKey};
use tourismo_core::membership::Statement;
use tourismo_core::session::relay::ChangeOutcome;
use tourismo_core::wire::Grant;

use super::fair_queue::{Owner, SHARE};
use super::projector::Step;
use super::{
    Admitted, Compaction, Examined, InboxAct, InboxResult, InvitationAct, NewDecision, Pusher, ROWS_OF_A_CHANGE,
    Unavailable,
};
use crate::db::decisions::{Decision, Item};
use crate::db::inbox::TAKEN_AT_ONCE;
use crate::db::invitations::{CodeHash, Invitation};
use crate::db::reports::{NewReport, Reported};
use crate::db::roads::RoadUpdate;

/// The bytes whose writing takes as long as a small change.
const BYTES_OF_A_CHANGE: usize = 16 << 10;

/// Returns the number of small changes whose storing takes as long as that of this one.
pub(super) fn cost(change: &Examined) -> usize {
    1 + change.offer.chunk.0.len() / BYTES_OF_A_CHANGE
}

/// Receives the answer to a job.
pub(super) type Answer<T> = oneshot::Receiver<Result<T, Unavailable>>;

/// The reply of a job: its result is held back until it is on disk.
#[derive(Debug)]
pub(super) struct Reply<T> {
    sender: oneshot::Sender<Result<T, Unavailable>>,
    result: Option<T>,
}

impl<T> Reply<T> {
    /// Creates a reply and its receiver.
    pub(super) fn new() -> (Reply<T>, Answer<T>) {
        let (sender, answer) = oneshot::channel();
        (Reply { sender, result: None }, answer)
    }

    /// Stores the result until the commit of the transaction.
    pub(super) fn hold(&mut self, result: T) {
        self.result = Some(result);
    }

    /// Sends the result if it is on disk, otherwise [`Unavailable`].
    fn send(self, is_on_disk: bool) {
        let result = self.result.filter(|_| is_on_disk).ok_or(Unavailable);
        // A client that disconnected meanwhile gets no answer.
        drop(self.sender.send(result));
    }
}

#[derive(Debug)]
pub(super) enum Job {
    Admit {
        account: AccountId,
        device: DeviceKey,
        grant: Option<Grant>,
        reply: Reply<Admitted>,
    },
    /// Stores membership statements of this device of the account.
    Declare {
        account: AccountId,
        device: DeviceKey,
        statements: Vec<Statement>,
        reply: Reply<()>,
    },
    Commit {
        pusher: Pusher,
        changes: Vec<Examined>,
        reply: Reply<Vec<ChangeOutcome>>,
        _bytes: OwnedSemaphorePermit,
    },
    Vouch {
        account: AccountId,
        actor_prefix: [u8; 8],
        reply: Reply<()>,
    },
    Ping(Reply<()>),
    Compact {
        step: Compaction,
        reply: Reply<bool>,
    },
    /// Writes rows that were derived in the background.
    WriteRows {
        steps: Vec<Step>,
        reply: Reply<()>,
    },
    ApplyRoads {
        update: RoadUpdate,
        reply: Reply<()>,
    },
    /// Stores a decision of an operator.
    Decide {
        decision: NewDecision,
        reply: Reply<Decision>,
    },
    /// Closes the reports about an item.
    Dismiss {
        item: Item,
        reply: Reply<u64>,
    },
    /// Makes or revokes an invitation.
    Invite {
        act: InvitationAct,
        reply: Reply<Option<Invitation>>,
    },
    /// Lets an account in by a code.
    Redeem {
        hash: CodeHash,
        account: AccountId,
        reply: Reply<bool>,
    },
    Report {
        report: NewReport,
        reply: Reply<Reported>,
    },
    /// Changes the inbox of an account.
    Inbox {
        account: AccountId,
        act: InboxAct,
        reply: Reply<InboxResult>,
    },
    Stop,
}

impl Job {
    /// Returns the owner of the queue in which it waits.
    pub(super) fn owner(&self) -> Owner {
        match self {
            Job::Admit { account, .. }
            | Job::Declare { account, .. }
            | Job::Vouch { account, .. }
            | Job::Inbox { account, .. } => Owner::Account(*account),
            Job::Commit { pusher, .. } => Owner::Account(pusher.account),
            Job::Ping(_) | Job::Stop => Owner::Relay,
            Job::Compact { .. } => Owner::Snapshots,
            Job::WriteRows { .. } => Owner::Rows,
            Job::ApplyRoads { .. } => Owner::Roads,
            Job::Decide { .. } | Job::Dismiss { .. } | Job::Invite { .. } => Owner::Operators,
            Job::Report { .. } | Job::Redeem { .. } => Owner::Strangers,
        }
    }

    /// Returns its number of changes, or the number of changes that could be stored in the time that it takes.
    pub(super) fn changes(&self) -> usize {
        match self {
            Job::Commit { changes, .. } => changes.iter().map(cost).sum(),
            Job::Inbox { act: InboxAct::Post { fixes, .. }, .. } => 1 + fixes.len() / ROWS_OF_A_CHANGE,
            Job::Inbox { act: InboxAct::Take(_), .. } => 1 + TAKEN_AT_ONCE as usize / ROWS_OF_A_CHANGE,
            Job::Inbox { act: InboxAct::Open(_) | InboxAct::Close | InboxAct::Claim(_), .. } => 1,
            Job::WriteRows { steps, .. } => steps.iter().map(Step::rows).sum::<usize>().div_ceil(ROWS_OF_A_CHANGE),
            Job::Compact { .. } | Job::ApplyRoads { .. } | Job::Decide { .. } => SHARE,
            Job::Dismiss { .. } | Job::Invite { .. } | Job::Redeem { .. } | Job::Report { .. } => 1,
            Job::Admit { .. } | Job::Declare { .. } | Job::Vouch { .. } | Job::Ping(_) | Job::Stop => 0,
        }
    }

    /// Sends the reply.
    pub(super) fn reply(self, is_on_disk: bool) {
        match self {
            Job::Admit { reply, .. } => reply.send(is_on_disk),
            Job::Commit { reply, .. } => reply.send(is_on_disk),
            Job::Compact { reply, .. } => reply.send(is_on_disk),
            Job::Ping(reply)
            | Job::Declare { reply, .. }
            | Job::Vouch { reply, .. }
            | Job::WriteRows { reply, .. }
            | Job::ApplyRoads { reply, .. } => reply.send(is_on_disk),
            Job::Decide { reply, .. } => reply.send(is_on_disk),
            Job::Dismiss { reply, .. } => reply.send(is_on_disk),
            Job::Report { reply, .. } => reply.send(is_on_disk),
            Job::Invite { reply, .. } => reply.send(is_on_disk),
            Job::Redeem { reply, .. } => reply.send(is_on_disk),
            Job::Inbox { reply, .. } => reply.send(is_on_disk),
            Job::Stop => {}
        }
    }
}
