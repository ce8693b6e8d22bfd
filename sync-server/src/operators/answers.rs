//! The bodies of the operators' endpoints, which the command `admin` reads, too.

use serde::{Deserialize, Serialize};
use tourismo_core::id::{AccountId, DocId};
use tourismo_core::time::Timestamp;

use crate::db::decisions::{Decision, Item, Target};
use crate::db::invitations::Invitation;
use crate::db::reports::ReportReason;

/// The kind of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum TargetName {
    Person,
    Drive,
    Meet,
    Comment,
}

/// An item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ItemBody {
    pub(crate) target: TargetName,
    /// By which others find it: an account, a published drive, a meet; of a comment its own id.
    pub(crate) id: DocId,
    /// Whose it is. Needed for a comment.
    #[serde(default)]
    pub(crate) account: Option<AccountId>,
    /// The drive of a comment.
    #[serde(default)]
    pub(crate) drive: Option<DocId>,
}

/// What an item shows to others.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Shown {
    /// The handle of its owner.
    pub(crate) handle: Option<String>,
    /// A title, a comment, or a name with what its account says about itself. Absent if nothing is shown.
    pub(crate) text: Option<String>,
}

/// An open report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ReportBody {
    pub(crate) number: u64,
    pub(crate) at: Timestamp,
    #[serde(flatten)]
    pub(crate) item: ItemBody,
    pub(crate) shown: Shown,
    pub(crate) reason: String,
    pub(crate) text: String,
    /// The account of the reporter; absent for an anonymous report.
    pub(crate) reporter: Option<AccountId>,
}

/// A page of open reports, the newest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ReportsBody {
    pub(crate) reports: Vec<ReportBody>,
}

/// A decision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DecisionBody {
    pub(crate) number: u64,
    pub(crate) at: Timestamp,
    #[serde(flatten)]
    pub(crate) item: ItemBody,
    pub(crate) is_hidden: bool,
    pub(crate) reason: String,
}

/// A page of decisions, the newest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DecisionsBody {
    pub(crate) decisions: Vec<DecisionBody>,
}

/// A decision to be made, about an item or about that of a report.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DecideBody {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) report: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) item: Option<ItemBody>,
    pub(crate) is_hidden: bool,
    /// Shown to the owner.
    pub(crate) reason: String,
}

/// The number of closed reports.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct ClosedBody {
    pub(crate) closed: u64,
}

/// What an account uses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AccountBody {
    pub(crate) account: AccountId,
    pub(crate) handle: Option<String>,
    pub(crate) is_suspended: bool,
    pub(crate) devices: u64,
    pub(crate) documents: u64,
    pub(crate) changes: u64,
    pub(crate) bytes: u64,
    pub(crate) founded_at: Timestamp,
}

/// The accounts that use most.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct AccountsBody {
    pub(crate) accounts: Vec<AccountBody>,
}

/// An invitation to be made.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct NewInvitationBody {
    #[serde(default)]
    pub(crate) note: String,
    /// How many accounts it lets in.
    #[serde(default = "one")]
    pub(crate) uses: u32,
    /// For how many days.
    #[serde(default = "thirty")]
    pub(crate) days: u32,
}

fn one() -> u32 {
    1
}

fn thirty() -> u32 {
    30
}

/// An invitation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct InvitationBody {
    pub(crate) number: u64,
    pub(crate) created_at: Timestamp,
    pub(crate) expires_at: Timestamp,
    pub(crate) uses: u32,
    pub(crate) used: u64,
    pub(crate) is_revoked: bool,
    pub(crate) note: String,
    /// Only in the answer that made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) code: Option<String>,
}

/// The newest invitations.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct InvitationsBody {
    pub(crate) invitations: Vec<InvitationBody>,
}

impl InvitationBody {
    pub(super) fn new(invitation: Invitation, used: u64, code: Option<String>) -> InvitationBody {
        let Invitation { number, created_at, expires_at, uses, revoked_at, note } = invitation;
        InvitationBody { number, created_at, expires_at, uses, used, is_revoked: revoked_at.is_some(), note, code }
    }
}

impl From<Target> for TargetName {
    fn from(target: Target) -> TargetName {
        match target {
            Target::Account => TargetName::Person,
            Target::Drive => TargetName::Drive,
            Target::Meet => TargetName::Meet,
            Target::Comment => TargetName::Comment,
        }
    }
}

impl From<Item> for ItemBody {
    fn from(item: Item) -> ItemBody {
        let Item { account, target, item, link } = item;
        let (id, drive) = match target {
            Target::Account | Target::Drive | Target::Meet => (link, None),
            Target::Comment => (item, Some(link)),
        };
        ItemBody { target: target.into(), id, account: Some(account), drive }
    }
}

impl From<Decision> for DecisionBody {
    fn from(decision: Decision) -> DecisionBody {
        let Decision { number, decided_at, item, is_hidden, reason } = decision;
        DecisionBody { number, at: decided_at, item: item.into(), is_hidden, reason }
    }
}

impl ReportReason {
    /// Returns the name in the API.
    pub(crate) fn name(self) -> &'static str {
        match self {
            ReportReason::Spam => "spam",
            ReportReason::Harassment => "harassment",
            ReportReason::Danger => "danger",
            ReportReason::Private => "private",
            ReportReason::Illegal => "illegal",
            ReportReason::Other => "other",
        }
    }
}
