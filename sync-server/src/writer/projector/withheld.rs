//! The one place where operators' decisions count: what a document shows to others, if its account is suspended or something
//! of it is hidden. Changes of a hidden item are stored and synced as before. `[O2]` `[O4]`

use tourismo_core::docs::Visibility;
use tourismo_core::docs::social::SocialRow;
use tourismo_core::id::DocId;

use super::{Derived, FoldTarget};
use crate::db::decisions::{Decisions, Withheld};
use crate::db::drives;
use crate::db::meets::MeetPart;
use crate::db::profiles::ProfileRecord;
use crate::db::sql::Connection;

/// Returns the rows without what is withheld.
pub(super) async fn without_withheld(
    reader: &mut Connection,
    subject: &FoldTarget,
    rows: Derived,
    decisions: &Decisions,
) -> Result<Derived, sqlx::Error> {
    let FoldTarget { id, owner, .. } = *subject;
    let Some(withheld) = decisions.of(&owner) else { return Ok(rows) };
    // A copy that was made since, under another link, is the same drive.
    let drive = match rows {
        Derived::Published(..) if !withheld.drives.is_empty() => drives::with_copy(reader, owner, id).await?,
        _ => None,
    };
    Ok(left(id, drive, rows, withheld))
}

/// Returns what others may see of rows. `drive` is the drive that names a copy.
fn left(id: DocId, drive: Option<DocId>, rows: Derived, withheld: &Withheld) -> Derived {
    let Withheld { is_suspended, meets, comments, .. } = withheld;
    match rows {
        Derived::Published(..) if *is_suspended || withheld.hides_copy(&id, drive) => Derived::Nothing,
        // An amendment counts for another account's meet.
        Derived::Meet(part) if *is_suspended && part.row.amends.is_some() => Derived::Nothing,
        Derived::Meet(part) if *is_suspended || meets.contains(&id) => Derived::Meet(Box::new(private(*part))),
        Derived::Profile(profile) if *is_suspended => Derived::Profile(unnamed(profile)),
        // Blocks protect others from the account, and the account from others.
        Derived::Social(SocialRow { blocked, unblocked, hidden, .. }) if *is_suspended => {
            Derived::Social(SocialRow { blocked, unblocked, hidden, ..SocialRow::default() })
        }
        Derived::Social(mut row) => {
            row.comments.retain(|(comment, _)| !comments.contains(comment));
            Derived::Social(row)
        }
        rows => rows,
    }
}

/// Returns a meet that only its owner sees.
fn private(mut part: MeetPart) -> MeetPart {
    part.row.fields.visibility = Visibility::Private;
    part.row.organisers = Vec::new();
    part
}

/// Returns a profile under which nobody is found, and that keeps its handle from others.
fn unnamed(profile: ProfileRecord) -> ProfileRecord {
    let ProfileRecord { account, doc, revision, handle, claimed_at, withheld_handle, .. } = profile;
    ProfileRecord {
        account,
        doc,
        revision,
        handle: String::new(),
        display_name: String::new(),
        bio: String::new(),
        // Lists show an account that approves its followers to those only, and here nobody is accepted.
        by_approval: true,
        claimed_at,
        withheld_handle: withheld_handle.or(Some(handle)),
    }
}

#[cfg(test)]
mod tests {
    use tourismo_core::docs::MeetFields;
    use tourismo_core::docs::meet::MeetRow;
    use tourismo_core::docs::social::Comment;
    use tourismo_core::id::AccountId;
    use tourismo_core::time::Timestamp;

    use super::*;

    const ID: DocId = DocId::from_bytes([1; 16]);
    const OTHER: DocId = DocId::from_bytes([2; 16]);
    const ACCOUNT: AccountId = AccountId::from_bytes([3; 16]);
    const AT: Timestamp = Timestamp(1_700_000_000_000);

    fn suspended() -> Withheld {
        Withheld { newest: 1, is_suspended: true, ..Withheld::default() }
    }

    #[test]
    fn o4_a_suspended_account_keeps_its_handle_and_its_blocks_and_shows_nothing() {
        let profile = ProfileRecord {
            account: ACCOUNT,
            doc: ID,
            revision: 1,
            handle: "dan".into(),
            display_name: "Dan".into(),
            bio: "Words".into(),
            by_approval: false,
            claimed_at: AT,
            withheld_handle: None,
        };
        let Derived::Profile(unnamed) = left(ID, None, Derived::Profile(profile), &suspended()) else { panic!() };
        assert_eq!((unnamed.handle, unnamed.display_name, unnamed.bio), (String::new(), String::new(), String::new()));
        assert_eq!((unnamed.withheld_handle.as_deref(), unnamed.by_approval), (Some("dan"), true));
        let row = SocialRow {
            follows: vec![(ACCOUNT, AT)],
            accepted: vec![ACCOUNT],
            blocked: vec![ACCOUNT],
            unblocked: vec![ACCOUNT],
            ..SocialRow::default()
        };
        let kept = SocialRow { blocked: vec![ACCOUNT], unblocked: vec![ACCOUNT], ..SocialRow::default() };
        assert_eq!(left(ID, None, Derived::Social(row), &suspended()), Derived::Social(kept));
    }

    #[test]
    fn o2_a_hidden_meet_is_private_and_a_hidden_comment_is_left_out_and_others_stay() {
        let fields = MeetFields { title: "Pass".into(), visibility: Visibility::Public, ..MeetFields::default() };
        let row = MeetRow { fields, organisers: vec![(ACCOUNT, true)], ..MeetRow::default() };
        let meet = Derived::Meet(Box::new(MeetPart { row, received_at: AT }));
        let hidden = Withheld { newest: 1, meets: [ID].into(), comments: [ID].into(), ..Withheld::default() };
        let Derived::Meet(part) = left(ID, None, meet.clone(), &hidden) else { panic!() };
        assert_eq!((part.row.fields.visibility, part.row.organisers.len()), (Visibility::Private, 0));
        assert_eq!(left(OTHER, None, meet.clone(), &hidden), meet);
        let comment = |text: &str| Comment { drive: OTHER, at: AT, text: text.into() };
        let row = SocialRow { comments: vec![(ID, comment("a")), (OTHER, comment("b"))], ..SocialRow::default() };
        let Derived::Social(row) = left(ID, None, Derived::Social(row), &hidden) else { panic!() };
        assert_eq!(row.comments, [(OTHER, comment("b"))]);
    }
}
