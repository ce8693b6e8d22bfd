//! Statements of an account about other accounts, drives and meets. Others see only what the relay derives from them.
//!
//! One document has the accounts that the account follows, accepts and blocks. Statements about drives and meets are in
//! sixteen more documents, by the last hexadecimal digit of the drive's or meet's id, so that none of them grows
//! without bound. Each statement has a key of its own, `"<prefix> <id>"`, so that concurrent statements about different
//! things never conflict. Of two concurrent values of one key one counts, and a value wins over its removal.

use automerge::{Automerge, ScalarValue};
use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::docs::automerge_doc::{self, EditError, NewChange, NewEntry};
use crate::id::{AccountId, DocId};
use crate::time::Timestamp;

/// Maximum number of entries of one prefix that are read from one document.
pub const MAX_ENTRIES: usize = 10_000;

/// Maximum number of characters of a comment.
pub const MAX_COMMENT: usize = 2_000;

/// A reaction to a published drive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, Encode, Decode)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
#[cbor(index_only)]
pub enum Reaction {
    /// Applause.
    #[n(0)]
    Like,
    /// Astonishment.
    #[n(1)]
    Wow,
    /// Praise of the road.
    #[n(2)]
    Road,
    /// Praise of the car.
    #[n(3)]
    Car,
}

/// An answer to a meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, Encode, Decode)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
#[cbor(index_only)]
pub enum Answer {
    /// The account attends.
    #[n(0)]
    Going,
    /// The account may attend.
    #[n(1)]
    Maybe,
    /// The account does not attend.
    #[n(2)]
    No,
}

/// A relation to another account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub enum Relation {
    /// It follows the other account.
    Follow,
    /// It accepts the other account as a follower.
    Accept,
    /// It blocks the other account: neither sees anything of the other.
    Block,
}

/// A statement.
#[derive(Clone, Debug, PartialEq)]
pub enum SocialEntry<'a> {
    /// Follows an account, since this time.
    Follow(AccountId, Timestamp),
    /// Accepts an account as a follower.
    Accept(AccountId),
    /// Blocks an account.
    Block(AccountId),
    /// Reacts to the published copy of a drive.
    React(DocId, Reaction),
    /// Comments, under this id.
    Comment(DocId, &'a Comment),
    /// Answers a meet, at this time.
    Rsvp(DocId, Answer, Timestamp),
    /// Removes a comment from the own drive: nobody else sees it.
    Hide(HiddenComment),
}

/// The subject of a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SocialKey {
    /// Whether the account follows another one.
    Follow(AccountId),
    /// Whether it accepts another one as a follower.
    Accept(AccountId),
    /// Whether it blocks another one.
    Block(AccountId),
    /// Its reaction to a published drive.
    React(DocId),
    /// Its comment with this id.
    Comment(DocId),
    /// Its answer to a meet.
    Rsvp(DocId),
    /// Whether it removed a comment from its drive: see [`HiddenComment::key`].
    Hide(DocId),
}

/// A comment on the published copy of a drive.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Comment {
    /// The copy.
    #[n(0)]
    pub drive: DocId,
    /// When it was written.
    #[n(1)]
    pub at: Timestamp,
    /// 1 to 2,000 characters.
    #[n(2)]
    pub text: String,
}

/// A comment that the owner of a drive removed from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub struct HiddenComment {
    /// The published copy.
    #[n(0)]
    pub drive: DocId,
    /// The author of the comment.
    #[n(1)]
    pub account: AccountId,
    /// The comment.
    #[n(2)]
    pub comment: DocId,
}

impl HiddenComment {
    /// Returns the id of its key: authors may use the same ids for their comments.
    pub fn key(&self) -> DocId {
        DocId::only(&self.account, &format!("hidden {}", self.comment))
    }
}

/// The content of one social document.
#[derive(Clone, Debug, Default, PartialEq, Encode, Decode)]
pub struct SocialRow {
    /// The followed accounts with the time since when, ascending by account.
    #[n(0)]
    pub follows: Vec<(AccountId, Timestamp)>,
    /// The accepted followers, ascending.
    #[n(1)]
    pub accepted: Vec<AccountId>,
    /// The blocked accounts, ascending.
    #[n(2)]
    pub blocked: Vec<AccountId>,
    /// The reactions, ascending by published copy.
    #[n(3)]
    pub reactions: Vec<(DocId, Reaction)>,
    /// The comments, ascending by id.
    #[n(4)]
    pub comments: Vec<(DocId, Comment)>,
    /// The answers with their times, ascending by meet.
    #[n(5)]
    pub rsvps: Vec<(DocId, Answer, Timestamp)>,
    /// Accounts that were blocked before, ascending. Their follow counts only after they are accepted again.
    #[n(6)]
    #[cbor(default)]
    pub unblocked: Vec<AccountId>,
    /// Comments of others that are removed from the own drives, ascending.
    #[n(7)]
    #[cbor(default)]
    pub hidden: Vec<HiddenComment>,
}

impl SocialRow {
    /// Removes the relations to an account.
    pub fn remove_relations_to(&mut self, account: &AccountId) {
        self.follows.retain(|(other, _)| other != account);
        for list in [&mut self.accepted, &mut self.blocked, &mut self.unblocked] {
            list.retain(|other| other != account);
        }
    }
}

impl Reaction {
    /// All reactions, in the order in which screens offer them.
    pub const ALL: [Reaction; 4] = [Reaction::Like, Reaction::Wow, Reaction::Road, Reaction::Car];

    /// Returns the name that documents use.
    pub fn name(self) -> &'static str {
        match self {
            Reaction::Like => "like",
            Reaction::Wow => "wow",
            Reaction::Road => "road",
            Reaction::Car => "car",
        }
    }
}

impl SocialKey {
    /// Returns the prefix and the id of the key in the document.
    fn key(&self) -> (&'static str, &[u8; 16]) {
        match self {
            SocialKey::Follow(account) => (FOLLOW, account.as_bytes()),
            SocialKey::Accept(account) => (ACCEPT, account.as_bytes()),
            SocialKey::Block(account) => (BLOCK, account.as_bytes()),
            SocialKey::React(drive) => (REACT, drive.as_bytes()),
            SocialKey::Comment(comment) => (COMMENT, comment.as_bytes()),
            SocialKey::Rsvp(meet) => (RSVP, meet.as_bytes()),
            SocialKey::Hide(key) => (HIDE, key.as_bytes()),
        }
    }

    /// Returns the subject of a key in the document, if it is the key of a statement.
    pub fn from_key(key: &str) -> Option<SocialKey> {
        let (prefix, id) = automerge_doc::entry_of(key)?;
        Some(match prefix {
            FOLLOW => SocialKey::Follow(AccountId::from_bytes(id)),
            ACCEPT => SocialKey::Accept(AccountId::from_bytes(id)),
            BLOCK => SocialKey::Block(AccountId::from_bytes(id)),
            REACT => SocialKey::React(DocId::from_bytes(id)),
            COMMENT => SocialKey::Comment(DocId::from_bytes(id)),
            RSVP => SocialKey::Rsvp(DocId::from_bytes(id)),
            HIDE => SocialKey::Hide(DocId::from_bytes(id)),
            _ => return None,
        })
    }
}

const FOLLOW: &str = "follow";
const ACCEPT: &str = "accept";
const BLOCK: &str = "block";
const REACT: &str = "react";
const COMMENT: &str = "comment";
const RSVP: &str = "rsvp";
const HIDE: &str = "hide";

/// Returns the id of the document with an account's statements about accounts.
pub fn people(account: &AccountId) -> DocId {
    DocId::only(account, "social")
}

/// Returns the id of the document with an account's statements about a published copy or a meet.
pub fn about(account: &AccountId, thing: &DocId) -> DocId {
    DocId::only(account, &format!("social {:x}", thing.as_bytes()[15] & 0xf))
}

/// Makes a change with a statement; none if the document has it already.
///
/// # Errors
/// [`EditError`] if Automerge refuses.
pub fn put(doc: &mut Automerge, word: &SocialEntry<'_>) -> Result<Option<NewChange>, EditError> {
    let cbor = |bytes| ScalarValue::Bytes(bytes);
    let (subject, value) = match word {
        SocialEntry::Follow(account, since) => (SocialKey::Follow(*account), ScalarValue::Int(since.as_millis())),
        SocialEntry::Accept(account) => (SocialKey::Accept(*account), ScalarValue::Boolean(true)),
        SocialEntry::Block(account) => (SocialKey::Block(*account), ScalarValue::Boolean(true)),
        SocialEntry::React(drive, reaction) => (SocialKey::React(*drive), ScalarValue::Str(reaction.name().into())),
        SocialEntry::Comment(id, comment) => {
            (SocialKey::Comment(*id), cbor(minicbor::to_vec(comment).expect("writing to memory cannot fail")))
        }
        SocialEntry::Rsvp(meet, answer, at) => {
            (SocialKey::Rsvp(*meet), cbor(minicbor::to_vec((answer, at)).expect("writing to memory cannot fail")))
        }
        SocialEntry::Hide(hidden) => {
            (SocialKey::Hide(hidden.key()), cbor(minicbor::to_vec(hidden).expect("writing to memory cannot fail")))
        }
    };
    set(doc, &subject, Some(value))
}

/// Makes changes with the relations of another row to accounts to which this document has no relation.
///
/// # Errors
/// [`EditError`] if Automerge refuses.
pub fn put_relations(doc: &mut Automerge, row: &SocialRow) -> Result<Vec<NewChange>, EditError> {
    let here = read(doc);
    let is_new = |account: &AccountId| {
        let lists = [&here.accepted, &here.blocked, &here.unblocked];
        !lists.iter().any(|list| list.contains(account)) && here.follows.iter().all(|(known, _)| known != account)
    };
    let flag = |prefix: &'static str, accounts: &[AccountId], holds: bool| -> Vec<NewEntry> {
        let new = accounts.iter().filter(|account| is_new(account));
        new.map(|account| (prefix, *account.as_bytes(), ScalarValue::Boolean(holds))).collect()
    };
    let follows = row.follows.iter().filter(|(account, _)| is_new(account));
    let follows = follows.map(|(account, since)| (FOLLOW, *account.as_bytes(), ScalarValue::Int(since.as_millis())));
    let entries = follows.chain(flag(ACCEPT, &row.accepted, true)).chain(flag(BLOCK, &row.blocked, true)).chain(flag(
        BLOCK,
        &row.unblocked,
        false,
    ));
    automerge_doc::put_entries(doc, entries.collect::<Vec<_>>())
}

/// Makes a change that removes a statement; none if there is none.
///
/// # Errors
/// [`EditError`] if Automerge refuses.
pub fn remove(doc: &mut Automerge, subject: &SocialKey) -> Result<Option<NewChange>, EditError> {
    set(doc, subject, None)
}

fn set(doc: &mut Automerge, subject: &SocialKey, value: Option<ScalarValue>) -> Result<Option<NewChange>, EditError> {
    let (prefix, id) = subject.key();
    let value = match (subject, value) {
        // The entry stays as `false`: the account must be accepted before it follows again.
        (SocialKey::Block(account), None) if read(doc).blocked.contains(account) => Some(ScalarValue::Boolean(false)),
        (SocialKey::Block(_), None) => return Ok(None),
        (_, value) => value,
    };
    automerge_doc::edit(doc, |edit| edit.entry(prefix, id, value))
}

/// Reads the statements. Invalid ones are left out.
pub fn read(doc: &Automerge) -> SocialRow {
    let entries = |prefix| automerge_doc::entries(doc, prefix, MAX_ENTRIES).into_iter();
    let accounts = |prefix, due| {
        let is_due = move |(_, value): &([u8; 16], ScalarValue)| value.as_bool() == Some(due);
        entries(prefix).filter(is_due).map(|(id, _)| AccountId::from_bytes(id)).collect()
    };
    let follow = |(id, value): ([u8; 16], ScalarValue)| {
        let since = value.as_i64().map(Timestamp).filter(automerge_doc::is_sane)?;
        Some((AccountId::from_bytes(id), since))
    };
    let reaction = |(id, value): ([u8; 16], ScalarValue)| {
        let reaction = Reaction::ALL.into_iter().find(|reaction| Some(reaction.name()) == value.as_str())?;
        Some((DocId::from_bytes(id), reaction))
    };
    let comment = |(id, value): ([u8; 16], ScalarValue)| {
        let comment: Comment = minicbor::decode(value.as_bytes()?).ok()?;
        let comment = Comment { text: automerge_doc::shown(&comment.text, MAX_COMMENT), ..comment };
        (automerge_doc::is_sane(&comment.at) && !comment.text.is_empty()).then_some((DocId::from_bytes(id), comment))
    };
    let rsvp = |(id, value): ([u8; 16], ScalarValue)| {
        let (answer, at): (Answer, Timestamp) = minicbor::decode(value.as_bytes()?).ok()?;
        automerge_doc::is_sane(&at).then_some((DocId::from_bytes(id), answer, at))
    };
    let mut hidden: Vec<HiddenComment> = entries(HIDE).filter_map(|(id, value)| hidden_in(id, &value)).collect();
    hidden.sort_unstable();
    SocialRow {
        follows: entries(FOLLOW).filter_map(follow).collect(),
        accepted: accounts(ACCEPT, true),
        blocked: accounts(BLOCK, true),
        unblocked: accounts(BLOCK, false),
        reactions: entries(REACT).filter_map(reaction).collect(),
        comments: entries(COMMENT).filter_map(comment).collect(),
        rsvps: entries(RSVP).filter_map(rsvp).collect(),
        hidden,
    }
}

/// Reads a removed comment from its entry. The key must be that of the value.
pub(super) fn hidden_in(id: [u8; 16], value: &ScalarValue) -> Option<HiddenComment> {
    let hidden: HiddenComment = minicbor::decode(value.as_bytes()?).ok()?;
    (hidden.key().as_bytes() == &id).then_some(hidden)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ANNA: AccountId = AccountId::from_bytes([1; 16]);
    const DRIVE: DocId = DocId::from_bytes([2; 16]);
    const AT: Timestamp = Timestamp(1_700_000_000_000);
    const HIDDEN: HiddenComment = HiddenComment { drive: DRIVE, account: ANNA, comment: DRIVE };

    fn apply_entry(doc: &mut Automerge, key: &str, value: ScalarValue) {
        let (prefix, id) = key.split_once(' ').expect("a prefix and an id");
        let id: DocId = id.parse().unwrap();
        automerge_doc::edit(doc, |edit| edit.entry(prefix, id.as_bytes(), Some(value))).unwrap();
    }

    #[test]
    fn what_is_said_is_read_and_what_is_taken_back_is_not() {
        let mut doc = automerge_doc::new(&[1; 16]);
        let comment = Comment { drive: DRIVE, at: AT, text: "What a view.\nWhere?".to_owned() };
        let words = [
            SocialEntry::Follow(ANNA, AT),
            SocialEntry::Accept(ANNA),
            SocialEntry::Block(ANNA),
            SocialEntry::React(DRIVE, Reaction::Road),
            SocialEntry::Comment(DRIVE, &comment),
            SocialEntry::Rsvp(DRIVE, Answer::Maybe, AT),
            SocialEntry::Hide(HIDDEN),
        ];
        for word in &words {
            assert!(put(&mut doc, word).unwrap().is_some());
            assert!(put(&mut doc, word).unwrap().is_none(), "{word:?} is said");
        }
        let row = SocialRow {
            follows: vec![(ANNA, AT)],
            accepted: vec![ANNA],
            blocked: vec![ANNA],
            reactions: vec![(DRIVE, Reaction::Road)],
            comments: vec![(DRIVE, comment.clone())],
            rsvps: vec![(DRIVE, Answer::Maybe, AT)],
            unblocked: vec![],
            hidden: vec![HIDDEN],
        };
        assert_eq!(read(&doc), row);
        for subject in [
            SocialKey::Follow(ANNA),
            SocialKey::Accept(ANNA),
            SocialKey::Block(ANNA),
            SocialKey::React(DRIVE),
            SocialKey::Comment(DRIVE),
            SocialKey::Rsvp(DRIVE),
            SocialKey::Hide(HIDDEN.key()),
        ] {
            assert!(remove(&mut doc, &subject).unwrap().is_some());
            assert!(remove(&mut doc, &subject).unwrap().is_none(), "{subject:?} is taken back");
        }
        assert_eq!(read(&doc), SocialRow { unblocked: vec![ANNA], ..SocialRow::default() }, "but that one was blocked");
    }

    #[test]
    fn unknown_and_hostile_words_stay_in_the_document_and_are_not_shown() {
        let mut doc = automerge_doc::new(&[1; 16]);
        let long = Comment { drive: DRIVE, at: AT, text: format!("<b>\u{202e}{}", "x".repeat(9_000)) };
        let early = Comment { at: Timestamp(i64::MIN), ..long.clone() };
        let empty = Comment { text: "\u{7}".to_owned(), ..long.clone() };
        let id = |byte: u8| DocId::from_bytes([byte; 16]);
        for (key, value) in [
            (format!("follow {ANNA}"), ScalarValue::Int(i64::MAX)),
            (format!("accept {ANNA}"), ScalarValue::Int(1)),
            (format!("react {DRIVE}"), ScalarValue::Str("adore".into())),
            (format!("rsvp {DRIVE}"), ScalarValue::Bytes(vec![0x82, 9, 0])),
            (format!("comment {}", id(3)), ScalarValue::Bytes(minicbor::to_vec(&early).unwrap())),
            (format!("comment {}", id(4)), ScalarValue::Bytes(minicbor::to_vec(&empty).unwrap())),
            (format!("comment {}", id(5)), ScalarValue::Bytes(minicbor::to_vec(&long).unwrap())),
            (format!("comment {}", id(6)), ScalarValue::Bytes(vec![0xff; 100])),
            (format!("hide {}", id(7)), ScalarValue::Bytes(minicbor::to_vec(HIDDEN).unwrap())),
        ] {
            apply_entry(&mut doc, &key, value);
        }
        let text = format!("<b>{}", "x".repeat(MAX_COMMENT - 3));
        let comments = vec![(id(5), Comment { text, ..long })];
        assert_eq!(read(&doc), SocialRow { comments, ..SocialRow::default() });
        assert_eq!(automerge_doc::string(&doc, &format!("react {DRIVE}")), "adore");
        let once = automerge_doc::edit(&mut doc, |edit| edit.string(&format!("react {}", "A".repeat(32)), "like"));
        assert!(once.is_ok() && read(&doc).reactions.is_empty(), "an id has one spelling");
    }

    #[test]
    fn what_is_said_of_one_thing_is_in_one_document_of_sixteen() {
        let of =
            |last: u8| about(&ANNA, &DocId::from_bytes([[7; 15].as_slice(), &[last]].concat().try_into().unwrap()));
        let mut docs: Vec<DocId> = (0..=u8::MAX).map(of).collect();
        docs.sort();
        docs.dedup();
        assert_eq!(docs.len(), 16);
        assert!(of(0x21) == of(0xf1) && !docs.contains(&people(&ANNA)));
    }

    fn test_entry(number: u8, thing: u8, at: i64) -> SocialEntry<'static> {
        let (account, drive) = (AccountId::from_bytes([thing; 16]), DocId::from_bytes([thing; 16]));
        match number {
            0 => SocialEntry::Follow(account, Timestamp(at)),
            1 => SocialEntry::Accept(account),
            2 => SocialEntry::Block(account),
            3 => SocialEntry::React(drive, Reaction::ALL[at as usize % 4]),
            _ => SocialEntry::Rsvp(drive, [Answer::Going, Answer::Maybe, Answer::No][at as usize % 3], Timestamp(at)),
        }
    }

    fn test_key(word: &SocialEntry<'_>) -> SocialKey {
        match word {
            SocialEntry::Follow(account, _) => SocialKey::Follow(*account),
            SocialEntry::Accept(account) => SocialKey::Accept(*account),
            SocialEntry::Block(account) => SocialKey::Block(*account),
            SocialEntry::React(drive, _) => SocialKey::React(*drive),
            SocialEntry::Comment(id, _) => SocialKey::Comment(*id),
            SocialEntry::Rsvp(meet, ..) => SocialKey::Rsvp(*meet),
            SocialEntry::Hide(hidden) => SocialKey::Hide(hidden.key()),
        }
    }

    proptest! {
        #[test]
        fn two_devices_that_speak_at_the_same_time_show_the_same_afterwards(
            steps in prop::collection::vec((0..2_usize, any::<bool>(), 0..5_u8, 0..4_u8, 0..9_i64, any::<bool>()), 0..40),
        ) {
            let mut docs = [automerge_doc::new(&[1; 16]), automerge_doc::new(&[2; 16])];
            for (device, speaks, number, thing, at, meets) in steps {
                let word = test_entry(number, thing, at);
                if speaks {
                    put(&mut docs[device], &word).unwrap();
                } else {
                    remove(&mut docs[device], &test_key(&word)).unwrap();
                }
                if meets {
                    let other = docs[1 - device].clone();
                    automerge_doc::merge(&mut docs[device], &other).unwrap();
                }
            }
            let [mut one, mut other] = docs;
            let before = one.clone();
            automerge_doc::merge(&mut one, &other).unwrap();
            automerge_doc::merge(&mut other, &before).unwrap();
            prop_assert_eq!(read(&one), read(&other));
        }
    }
}
