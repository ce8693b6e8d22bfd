//! A synthetic community on a real relay, uploaded by real phones: the relay's answers equal the generator's data.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use tourismo_core::docs::{Answer, Reaction};
use tourismo_core::id::DocId;
use tourismo_core::time::Timestamp;
use tourismo_tests::replay::people::{Made, People, SocialPlan};

use super::support::{PATIENCE, Relay, read_token};

/// A community on a relay, with the generator that made it.
struct Loaded {
    relay: Relay,
    crowd: People,
    made: Vec<Made>,
    talk: SocialPlan,
    /// A read token of each person.
    tokens: Vec<String>,
}

fn has_some_waiting(crowd: &People) -> bool {
    let talk = crowd.talk(&[]);
    let followers = |person| (0..crowd.people).filter(|by| talk.of(*by).follows.contains(&person)).count();
    let is_partly_let_in = |person: u64| (1..followers(person)).contains(&talk.of(person).accepts.len());
    (0..crowd.people).any(is_partly_let_in)
}

impl Loaded {
    async fn new() -> anyhow::Result<Loaded> {
        let relay = Relay::start().await?;
        let crowd = |seed| People {
            seed,
            people: 9,
            drives: 11,
            until: Timestamp(1_790_000_000_000),
            relay: relay.url(),
            patience: PATIENCE,
        };
        // Few people require approval, and most of these approve everybody; the test needs a seed with open requests.
        let crowd = (1..).map(crowd).find(has_some_waiting).expect("seeds do not end");
        eprintln!("seed {}", crowd.seed);
        let mut made = Vec::new();
        for person in 0..crowd.people {
            made.push(crowd.load(person).await?.1);
        }
        let talk = crowd.talk(&made);
        let mut tokens = Vec::new();
        for person in 0..crowd.people {
            talk.speak(person).await?;
            tokens.push(read_token(crowd.key(person), &crowd.relay).await?);
        }
        Ok(Loaded { relay, crowd, made, talk, tokens })
    }

    fn people(&self) -> std::ops::Range<u64> {
        0..self.crowd.people
    }

    fn handle(&self, person: u64) -> String {
        self.crowd.profile(person).handle
    }

    /// All items of a list, page by page, as read by a person.
    async fn all(&self, person: u64, path: &str, items: &str) -> anyhow::Result<Vec<Value>> {
        let (mut all, mut after) = (Vec::new(), String::new());
        loop {
            let mark = if path.contains('?') { '&' } else { '?' };
            let url = format!("/v1/{path}{mark}limit=4{after}");
            let page = self.relay.json_for(&self.tokens[person as usize], &url).await?;
            all.extend(page[items].as_array().cloned().unwrap_or_default());
            match page["next"].as_str() {
                Some(next) => after = format!("&after={next}"),
                None => return Ok(all),
            }
        }
    }

    /// The followers of this person, by handle.
    fn followers(&self, person: u64) -> BTreeSet<String> {
        let asks = self.crowd.profile(person).by_approval;
        let counts = |by: &u64| {
            self.talk.of(*by).follows.contains(&person) && (!asks || self.talk.of(person).accepts.contains(by))
        };
        self.people().filter(counts).map(|by| self.handle(by)).collect()
    }

    fn published(&self, people: impl Iterator<Item = u64>) -> BTreeSet<String> {
        let drives = people.flat_map(|person| self.made[person as usize].drives.iter().flatten());
        drives.map(DocId::to_string).collect()
    }

    /// All reactions to a drive, by handle.
    fn reactions(&self, drive: DocId) -> BTreeMap<String, (Reaction, Option<&'static str>)> {
        let words = |by: u64| self.talk.of(by).words.iter().map(move |word| (by, word));
        let about = self.people().flat_map(words).filter(|(_, (of, ..))| *of == drive);
        about.map(|(by, (_, reaction, comment))| (self.handle(by), (*reaction, *comment))).collect()
    }
}

fn names(items: &[Value]) -> BTreeSet<String> {
    items.iter().map(|item| item["handle"].as_str().unwrap_or_default().to_owned()).collect()
}

fn ids(items: &[Value]) -> BTreeSet<String> {
    items.iter().map(|item| item["id"].as_str().unwrap_or_default().to_owned()).collect()
}

fn counts<'r>(reactions: impl Iterator<Item = &'r Reaction> + Clone) -> Value {
    let count = |of| reactions.clone().filter(|reaction| **reaction == of).count();
    json!({
        "like": count(Reaction::Like), "wow": count(Reaction::Wow), "road": count(Reaction::Road), "car": count(Reaction::Car),
    })
}

fn answer_name(answer: Answer) -> &'static str {
    match answer {
        Answer::Going => "going",
        Answer::Maybe => "maybe",
        Answer::No => "no",
    }
}

#[tokio::test]
async fn what_is_read_of_a_community_is_what_its_maker_says() -> anyhow::Result<()> {
    let all = Loaded::new().await?;
    let (mut followed, mut reacted, mut commented, mut answered, mut waiting) = (0, 0, 0, 0, 0);
    for person in all.people() {
        let handle = all.handle(person);
        let says = all.talk.of(person);
        let about = all.relay.json_for(&all.tokens[person as usize], &format!("/v1/people/{handle}")).await?;
        assert_eq!(about["account"], all.crowd.account(person).to_string());

        // Read as the person: for others, the lists of an account that requires approval are shorter.
        let followers = all.followers(person);
        assert_eq!(
            names(&all.all(person, &format!("people/{handle}/followers"), "people").await?),
            followers,
            "of {handle}"
        );
        let following = says.follows.iter().map(|of| all.handle(*of)).collect();
        assert_eq!(
            names(&all.all(person, &format!("people/{handle}/following"), "people").await?),
            following,
            "of {handle}"
        );
        let requests = all.all(person, "me/requests", "people").await?;
        let wanted = all.people().filter(|by| all.talk.of(*by).follows.contains(&person)).map(|by| all.handle(by));
        assert_eq!(
            names(&requests),
            wanted.filter(|by| !followers.contains(by)).collect(),
            "{handle} is to accept them"
        );
        (followed, waiting) = (followed + followers.len(), waiting + requests.len());

        // The person's drives, and those that are visible to them.
        let drives = all.all(0, &format!("people/{handle}/drives"), "drives").await?;
        assert_eq!(ids(&drives), all.published([person].into_iter()), "drives of {handle}");
        assert_eq!(all.all(person, "me/drives", "drives").await?.len(), all.made[person as usize].drives.len());
        let cars = all.all(0, &format!("people/{handle}/cars"), "cars").await?;
        assert_eq!(cars.len(), all.all(person, "me/cars", "cars").await?.len());
        let home = all.all(person, "me/feed", "items").await?;
        let meets = says.follows.iter().flat_map(|of| &all.made[*of as usize].meets).map(|(_, meet)| meet.to_string());
        let mut due = all.published(says.follows.iter().copied());
        due.extend(meets);
        assert_eq!(ids(&home), due, "the home feed of {handle}");
        assert_eq!(home.len(), due.len(), "nothing comes twice");
    }

    // Reactions and comments of drives, in lists and in full.
    let feed = all.all(0, "feed/public", "drives").await?;
    assert_eq!(ids(&feed), all.published(all.people()));
    assert!(feed.is_sorted_by_key(|drive| std::cmp::Reverse(drive["startedAt"].as_i64())), "the newest first");
    for drive in &feed {
        let id = drive["id"].as_str().unwrap_or_default();
        let said = all.reactions(id.parse()?);
        let felt = counts(said.values().map(|(reaction, _)| reaction));
        let comments: BTreeMap<&str, &str> =
            said.iter().filter_map(|(by, (_, text))| Some((by.as_str(), (*text)?))).collect();
        let mine = said.get(&all.handle(0)).map(|(reaction, _)| reaction.name());
        assert_eq!(
            (&drive["reactions"], &drive["comments"], &drive["mine"]),
            (&felt, &json!(comments.len()), &json!(mine))
        );
        let listed = all.all(0, &format!("drives/{id}/reactions"), "reactions").await?;
        let listed: BTreeMap<_, _> =
            listed.iter().map(|item| (item["handle"].as_str(), item["reaction"].as_str())).collect();
        assert_eq!(listed, said.iter().map(|(by, (reaction, _))| (Some(by.as_str()), Some(reaction.name()))).collect());
        let written = all.all(0, &format!("drives/{id}/comments"), "comments").await?;
        let written: BTreeMap<_, _> =
            written.iter().filter_map(|it| Some((it["handle"].as_str()?, it["text"].as_str()?))).collect();
        assert_eq!(written, comments);
        (reacted, commented) = (reacted + said.len(), commented + comments.len());
    }

    // The answers to each meet, and whom of them the person follows.
    let me = 0;
    for (_, meet) in all.made.iter().flat_map(|made| &made.meets) {
        let attendees = all.all(me, &format!("meets/{meet}/attendees"), "attendees").await?;
        let mut due = BTreeMap::new();
        for by in all.people() {
            let answer = all.talk.of(by).answers.iter().find(|(of, _)| of == meet).map(|(_, answer)| *answer);
            let Some(answer) = answer.filter(|answer| *answer != Answer::No) else { continue };
            let (mine, theirs) = (&all.talk.of(me).follows, &all.talk.of(by).follows);
            due.insert(
                all.handle(by),
                (answer_name(answer), mine.contains(&by), mine.intersection(theirs).count() as u64),
            );
        }
        let seen = |item: &Value| {
            let (answer, is_followed) =
                (item["answer"].as_str().unwrap_or_default().to_owned(), item["isFollowed"] == true);
            (
                item["handle"].as_str().unwrap_or_default().to_owned(),
                (answer, is_followed, item["followedInCommon"].as_u64()),
            )
        };
        let due: BTreeMap<_, _> = due
            .into_iter()
            .map(|(by, (answer, is_followed, common))| (by, (answer.to_owned(), is_followed, Some(common))))
            .collect();
        assert_eq!(attendees.iter().map(seen).collect::<BTreeMap<_, _>>(), due, "who comes to {meet}");
        answered += due.len();
    }
    let sums = [followed, waiting, reacted, commented, answered];
    assert!(sums.iter().all(|sum| *sum > 0), "there is something of everything: {sums:?}");
    Ok(())
}
