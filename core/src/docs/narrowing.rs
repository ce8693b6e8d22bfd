//! Reads from a change alone what it narrows: blocks, withdrawals, approval of followers, narrower visibilities.
//!
//! A relay that cannot read a document keeps showing what it read last. Changes that narrow visibility count
//! nevertheless, in the order in which they arrive; changes that widen it do not. `[P13]`

use automerge::legacy::{Key, ObjectId, Op, OpType};
use automerge::{Change, ScalarValue};

use crate::change::ScannedChange;
use crate::docs::meet::MeetRow;
use crate::docs::social::{self, HiddenComment, SocialKey, SocialRow};
use crate::docs::{LinkRenewal, ProfileFields, Visibility, meet};
use crate::id::AccountId;
use crate::wire::DocKind;

/// Maximum number of operations of a change that is examined. A phone makes one statement in a change.
const MAX_OPS: u64 = 1_000;

/// A change that narrows what others see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Narrowing {
    /// The drive or meet has at most this visibility.
    ShowAtMost(Visibility),
    /// Followers must be accepted.
    AskAboutFollowers,
    /// An account is blocked.
    Block(AccountId),
    /// A statement about an account, a drive or a meet is removed.
    TakeBack(SocialKey),
    /// A comment is removed from the own drive.
    Hide(HiddenComment),
    /// The link of the meet is renewed: earlier links show nothing.
    Renew(LinkRenewal),
}

/// Returns what a change to a document of this kind narrows, in its order. `scanned` is the result of scanning `chunk`.
pub fn narrowings(kind: DocKind, scanned: &ScannedChange, chunk: &[u8]) -> Vec<Narrowing> {
    if scanned.ops > MAX_OPS {
        return Vec::new();
    }
    let Ok(change) = Change::from_bytes(chunk.to_vec()) else { return Vec::new() };
    let of = |op: &Op| match (&op.obj, &op.key) {
        (ObjectId::Root, Key::Map(key)) => narrowing(kind, key, &op.action),
        (ObjectId::Root | ObjectId::Id(_), _) => None,
    };
    change.decode().operations.iter().filter_map(of).collect()
}

fn narrowing(kind: DocKind, key: &str, action: &OpType) -> Option<Narrowing> {
    let value = match action {
        OpType::Put(value) => Some(value),
        _ => None,
    };
    match kind {
        DocKind::Published if key == "visibility" => {
            let name = value.and_then(ScalarValue::as_str).unwrap_or_default();
            Some(Narrowing::ShowAtMost(Visibility::from_name(name)))
        }
        DocKind::Meet => {
            let visibility = meet::visibility_in(key, value).map(Narrowing::ShowAtMost);
            visibility.or_else(|| LinkRenewal::in_value(key, value).map(Narrowing::Renew))
        }
        DocKind::Profile if key == "byApproval" => {
            (value.and_then(ScalarValue::as_bool) == Some(true)).then_some(Narrowing::AskAboutFollowers)
        }
        DocKind::Social => {
            let subject = SocialKey::from_key(key)?;
            match (subject, value.and_then(ScalarValue::as_bool)) {
                (SocialKey::Block(account), Some(true)) => Some(Narrowing::Block(account)),
                // Removing one of these widens visibility.
                (SocialKey::Block(_), _) => None,
                (SocialKey::Hide(key), _) => Some(Narrowing::Hide(social::hidden_in(*key.as_bytes(), value?)?)),
                (subject, None) if value.is_none() => Some(Narrowing::TakeBack(subject)),
                _ => None,
            }
        }
        DocKind::Published | DocKind::Profile | DocKind::Settings | DocKind::Car | DocKind::Drive | DocKind::Track => {
            None
        }
    }
}

/// Applies a narrowing to social statements.
pub fn narrow_social(row: &mut SocialRow, narrowing: &Narrowing) {
    match narrowing {
        Narrowing::Block(account) => {
            if let Err(place) = row.blocked.binary_search(account)
                && row.blocked.len() < social::MAX_ENTRIES
            {
                row.blocked.insert(place, *account);
            }
        }
        Narrowing::TakeBack(subject) => match subject {
            SocialKey::Follow(account) => row.follows.retain(|(followee, _)| followee != account),
            SocialKey::Accept(account) => row.accepted.retain(|accepted| accepted != account),
            SocialKey::Block(_) | SocialKey::Hide(_) => {}
            SocialKey::React(drive) => row.reactions.retain(|(of, _)| of != drive),
            SocialKey::Comment(id) => row.comments.retain(|(comment, _)| comment != id),
            SocialKey::Rsvp(meet) => row.rsvps.retain(|(of, ..)| of != meet),
        },
        Narrowing::Hide(hidden) => {
            if let Err(place) = row.hidden.binary_search(hidden)
                && row.hidden.len() < social::MAX_ENTRIES
            {
                row.hidden.insert(place, *hidden);
            }
        }
        Narrowing::ShowAtMost(_) | Narrowing::AskAboutFollowers | Narrowing::Renew(_) => {}
    }
}

/// Applies a narrowing to a profile.
pub fn narrow_profile(fields: &mut ProfileFields, narrowing: &Narrowing) {
    fields.by_approval |= *narrowing == Narrowing::AskAboutFollowers;
}

/// Applies a narrowing to the content of a meet's document.
pub fn narrow_meet(row: &mut MeetRow, narrowing: &Narrowing) {
    match narrowing {
        Narrowing::ShowAtMost(visibility) => row.fields.visibility = row.fields.visibility.narrower(*visibility),
        Narrowing::Renew(renewed) => row.renewed = row.renewed.max(Some(*renewed)),
        Narrowing::AskAboutFollowers | Narrowing::Block(_) | Narrowing::TakeBack(_) | Narrowing::Hide(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use automerge::Automerge;

    use super::*;
    use crate::admission::scan_candidate;
    use crate::docs::automerge_doc::{self, EditError, NewChange};
    use crate::docs::published::{self, PublishedFields};
    use crate::docs::social::SocialEntry;
    use crate::docs::{MeetFields, Reaction, profile};
    use crate::id::DocId;
    use crate::time::Timestamp;

    const ANNA: AccountId = AccountId::from_bytes([1; 16]);
    const DRIVE: DocId = DocId::from_bytes([2; 16]);
    const AT: Timestamp = Timestamp(1_700_000_000_000);

    fn of(kind: DocKind, made: Result<Option<NewChange>, EditError>) -> Vec<Narrowing> {
        let chunk = made.unwrap().expect("it changes something").chunk;
        narrowings(kind, &scan_candidate(&chunk).unwrap(), &chunk)
    }

    #[test]
    fn p13_words_that_narrow_are_read_off_the_change_and_no_others() {
        let mut doc = automerge_doc::new(&[1; 16]);
        let said = |doc: &mut Automerge, word| of(DocKind::Social, social::put(doc, &word));
        assert_eq!(said(&mut doc, SocialEntry::Block(ANNA)), [Narrowing::Block(ANNA)]);
        assert_eq!(said(&mut doc, SocialEntry::Follow(ANNA, AT)), []);
        assert_eq!(said(&mut doc, SocialEntry::Accept(ANNA)), []);
        assert_eq!(said(&mut doc, SocialEntry::React(DRIVE, Reaction::Like)), []);
        for subject in [SocialKey::Follow(ANNA), SocialKey::Accept(ANNA), SocialKey::React(DRIVE)] {
            let taken_back = of(DocKind::Social, social::remove(&mut doc, &subject));
            assert_eq!(taken_back, [Narrowing::TakeBack(subject)]);
        }
        assert_eq!(of(DocKind::Social, social::remove(&mut doc, &SocialKey::Block(ANNA))), [], "that shows more");
        let hidden = HiddenComment { drive: DRIVE, account: ANNA, comment: DRIVE };
        let hide = of(DocKind::Social, social::put(&mut doc, &SocialEntry::Hide(hidden)));
        assert_eq!(hide, [Narrowing::Hide(hidden)]);
        let shown = of(DocKind::Social, social::remove(&mut doc, &SocialKey::Hide(hidden.key())));
        assert_eq!(shown, [], "that shows more");
    }

    #[test]
    fn p13_what_is_withdrawn_and_who_asks_about_followers_is_read_off_the_change() {
        let mut doc = automerge_doc::new(&[1; 16]);
        let fields = PublishedFields {
            utc_offset: None,
            title: "Pass".to_owned(),
            car: String::new(),
            started_at: AT,
            visibility: Visibility::Public,
            blocks: vec![vec![1]],
        };
        let at_most = |visibility| [Narrowing::ShowAtMost(visibility)];
        assert_eq!(of(DocKind::Published, published::create(&mut doc, &fields)), at_most(Visibility::Public));
        for visibility in [Visibility::Followers, Visibility::Private] {
            let narrower = published::change(&mut doc, "Pass", "", visibility);
            assert_eq!(of(DocKind::Published, narrower), at_most(visibility));
        }
        let mut doc = automerge_doc::new(&[1; 16]);
        let mut fields = ProfileFields { by_approval: true, ..ProfileFields::default() };
        assert_eq!(of(DocKind::Profile, profile::put(&mut doc, &fields)), [Narrowing::AskAboutFollowers]);
        fields.by_approval = false;
        assert_eq!(of(DocKind::Profile, profile::put(&mut doc, &fields)), []);
        let mut doc = automerge_doc::new(&[1; 16]);
        let public =
            MeetFields { title: "Pass".into(), starts_at: AT, visibility: Visibility::Public, ..Default::default() };
        assert_eq!(of(DocKind::Meet, meet::put(&mut doc, AT, None, None, &public)), at_most(Visibility::Public));
        let private = MeetFields { visibility: Visibility::Private, ..public.clone() };
        assert_eq!(
            of(DocKind::Meet, meet::put(&mut doc, AT, None, Some(&public), &private)),
            at_most(Visibility::Private)
        );
        let mut row = MeetRow { fields: private.clone(), ..MeetRow::default() };
        narrow_meet(&mut row, &Narrowing::ShowAtMost(Visibility::Public));
        assert_eq!(row.fields.visibility, Visibility::Private, "nothing shows more");
        let mut renew = || of(DocKind::Meet, meet::renew(&mut doc, &ANNA, AT, &private));
        let (first, second) = (renew(), renew());
        for renewal in [&second, &first] {
            renewal.iter().for_each(|renewal| narrow_meet(&mut row, renewal));
            assert_eq!(row.renewed.map(Narrowing::Renew).as_slice(), second, "no earlier link comes back");
        }
    }

    #[test]
    fn p13_what_was_read_last_becomes_narrower() {
        let mut row = SocialRow { follows: vec![(ANNA, AT)], accepted: vec![ANNA], ..SocialRow::default() };
        narrow_social(&mut row, &Narrowing::Block(ANNA));
        narrow_social(&mut row, &Narrowing::Block(ANNA));
        narrow_social(&mut row, &Narrowing::TakeBack(SocialKey::Accept(ANNA)));
        assert_eq!((row.blocked, row.accepted, row.follows), (vec![ANNA], vec![], vec![(ANNA, AT)]));
    }
}
