//! JSON Feed 1.1 (jsonfeed.org), with GeoJSON geometries in an extension.

use serde_json::{Value, json};

use super::{Channel, Item, Shape, rfc3339};

/// What the form is called.
pub(crate) const CONTENT_TYPE: &str = "application/feed+json; charset=utf-8";

/// A page of a feed as JSON Feed.
pub(crate) fn write(channel: &Channel) -> String {
    let mut feed = json!({
        "version": "https://jsonfeed.org/version/1.1",
        "title": channel.title,
        "home_page_url": channel.home_url,
        "feed_url": channel.self_url,
        "items": channel.items.iter().map(item).collect::<Vec<_>>(),
    });
    if let Some(next) = &channel.next_url {
        feed["next_url"] = next.as_str().into();
    }
    feed.to_string()
}

fn item(item: &Item) -> Value {
    let mut value = json!({
        "id": format!("urn:uuid:{}", item.id),
        "url": item.url,
        "title": item.shown_title(),
        "content_text": item.text,
        "date_published": rfc3339(item.published_at),
        "date_modified": rfc3339(item.updated_at),
        "authors": [{ "name": item.author }],
    });
    if let Some(place) = &item.place {
        let geometry = match place {
            Shape::Point(point) => json!({ "type": "Point", "coordinates": point }),
            Shape::Line(line) => json!({ "type": "LineString", "coordinates": line }),
        };
        value["_tourismo"] = json!({ "about": "https://datatracker.ietf.org/doc/html/rfc7946", "geometry": geometry });
    }
    value
}

#[cfg(test)]
mod tests {
    use super::super::tests::{HOSTILE, channel};
    use super::*;

    #[test]
    fn a_reader_that_is_not_ours_sees_what_was_said() {
        let text = write(&channel());
        let feed = feed_rs::parser::parse(text.as_bytes()).unwrap();
        assert_eq!(feed.feed_type, feed_rs::model::FeedType::JSON);
        assert_eq!(feed.title.unwrap().content, HOSTILE);
        let first = &feed.entries[0];
        assert_eq!(first.id, "urn:uuid:01010101-0101-0101-0101-010101010101");
        assert_eq!(first.title.as_ref().unwrap().content, HOSTILE);
        assert_eq!(first.content.as_ref().unwrap().content_type.to_string(), "text/plain");
        assert_eq!(first.published.unwrap().timestamp(), 1_790_000_000 - 3_600);
        assert_eq!(first.authors[0].name.as_deref(), Some("Dan <dan>"));
        assert_eq!(feed.entries.len(), 3);
    }

    #[test]
    fn places_are_geometries_and_the_next_page_is_named() {
        let feed: Value = serde_json::from_str(&write(&channel())).unwrap();
        assert_eq!(feed["items"][0]["_tourismo"]["geometry"]["type"], "LineString");
        assert_eq!(feed["items"][1]["_tourismo"]["geometry"]["coordinates"], json!([8.5, -47.0]));
        assert_eq!(feed["items"][2].get("_tourismo"), None);
        assert_eq!(feed["next_url"], "https://relay.example/v1/feed/public.atom?limit=3&after=abc");
    }
}
