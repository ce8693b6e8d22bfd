//! What others read is a function of what is shown: private deeds and exact times leave no trace in it.

use std::collections::BTreeMap;

use tourismo_test_kit::http::Answer;
use tourismo_tests::home_attack::people::Person;
use tourismo_tests::home_attack::relayed::{self, Publisher};

use super::support::PATIENCE;

const HOUR_MS: i64 = 3_600_000;

/// The answers by path: status, headers and body as a text. The time of the answer itself is left out.
fn comparable(answers: &[(String, Answer)]) -> BTreeMap<&str, String> {
    let text = |answer: &Answer| {
        let headers = answer.headers.iter().filter(|(name, _)| name != "date");
        let headers: Vec<String> = headers.map(|(name, value)| format!("{name}: {value}")).collect();
        format!("{}\n{}\n\n{}", answer.status, headers.join("\n"), answer.text())
    };
    answers.iter().map(|(path, answer)| (path.as_str(), text(answer))).collect()
}

#[tokio::test]
async fn private_deeds_of_an_account_change_no_answer_to_others() -> anyhow::Result<()> {
    let (relay, _folder) = relayed::relay().await?;
    let person = Person::random(3, 6);
    let mut publisher = Publisher::open(&person, 3, relay.addr())?;
    for number in 0..4 {
        publisher.record(&person.drives[number], number, true).await?;
    }
    let before = publisher.read(&person, PATIENCE).await?;
    assert!(before.shown.len() >= 2, "only {} drives are public", before.shown.len());
    // The account records, and keeps it to itself.
    for number in 4..6 {
        publisher.record(&person.drives[number], number, false).await?;
    }
    let after = publisher.read(&person, PATIENCE).await?;
    assert!(after.places.len() >= before.places.len());
    assert_eq!(comparable(&after.answers), comparable(&before.answers));
    relay.shutdown().await;
    Ok(())
}

/// Every time in an answer that is no time of a shown position.
fn stated_times(body: &str) -> Vec<String> {
    let mut times = Vec::new();
    for (at, _) in body.match_indices("At\":") {
        let number: String = body[at + 4..].chars().take_while(char::is_ascii_digit).collect();
        times.extend(number.parse::<i64>().ok().filter(|time| time % HOUR_MS != 0).map(|time| time.to_string()));
    }
    for tag in ["<published>", "<updated>", "date_published\":\"", "date_modified\":\""] {
        let texts = body.match_indices(tag).map(|(at, _)| body[at + tag.len()..].chars().take(20).collect::<String>());
        times.extend(texts.filter(|text| text.starts_with("20") && !text[13..].starts_with(":00:00")));
    }
    times
}

#[tokio::test]
async fn times_of_making_editing_and_publishing_are_full_hours_for_others() -> anyhow::Result<()> {
    let (relay, _folder) = relayed::relay().await?;
    let person = Person::random(3, 3);
    let read = relayed::publish(&person, 3, relay.addr(), PATIENCE).await?;
    for (path, answer) in &read.answers {
        let exact = stated_times(&answer.text());
        assert!(exact.is_empty(), "{path}: {exact:?}");
        assert!(answer.headers.iter().all(|(name, _)| name != "last-modified"), "{path}");
    }
    relay.shutdown().await;
    Ok(())
}
