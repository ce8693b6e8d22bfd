//! JSON Feed 1.1 (jsonfeed.org), with GeoJSON geometries in an extension.

use serde::Serialize;
use utoipa::ToSchema;

use super::{Channel, Item, Shape, rfc3339};

/// The media type.
pub(crate) const CONTENT_TYPE: &str = "application/feed+json; charset=utf-8";

/// A page of a feed as JSON Feed 1.1.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct JsonFeed {
    /// The version of the format: a URL.
    version: &'static str,
    title: String,
    home_page_url: String,
    feed_url: String,
    /// The next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_url: Option<String>,
    items: Vec<JsonFeedItem>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct JsonFeedItem {
    /// A URN.
    id: String,
    url: String,
    title: String,
    content_text: String,
    /// RFC 3339.
    #[schema(format = DateTime)]
    date_published: String,
    /// RFC 3339.
    #[schema(format = DateTime)]
    date_modified: String,
    authors: [JsonFeedAuthor; 1],
    #[serde(rename = "_tourismo", skip_serializing_if = "Option::is_none")]
    place: Option<JsonFeedPlace>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct JsonFeedAuthor {
    name: String,
}

/// An extension with the position.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct JsonFeedPlace {
    /// The URL that explains the extension.
    about: &'static str,
    geometry: JsonFeedGeometry,
}

/// A GeoJSON geometry: `[longitude, latitude]` in degrees, or a list of these.
#[derive(Debug, Serialize, ToSchema)]
#[serde(tag = "type", content = "coordinates")]
pub(crate) enum JsonFeedGeometry {
    Point([f64; 2]),
    LineString(Vec<[f64; 2]>),
}

/// Returns a page of a feed as JSON Feed.
pub(crate) fn write(channel: &Channel) -> String {
    let feed = JsonFeed {
        version: "https://jsonfeed.org/version/1.1",
        title: channel.title.clone(),
        home_page_url: channel.home_url.clone(),
        feed_url: channel.self_url.clone(),
        next_url: channel.next_url.clone(),
        items: channel.items.iter().map(item).collect(),
    };
    serde_json::to_string(&feed).expect("texts and finite numbers are JSON")
}

fn item(item: &Item) -> JsonFeedItem {
    let geometry = |shape: &Shape| match shape {
        Shape::Point(point) => JsonFeedGeometry::Point(*point),
        Shape::Line(line) => JsonFeedGeometry::LineString(line.clone()),
    };
    let about = "https://datatracker.ietf.org/doc/html/rfc7946";
    JsonFeedItem {
        id: format!("urn:uuid:{}", item.id),
        url: item.url.clone(),
        title: item.shown_title().to_owned(),
        content_text: item.text.clone(),
        date_published: rfc3339(item.published_at),
        date_modified: rfc3339(item.updated_at),
        authors: [JsonFeedAuthor { name: item.author.clone() }],
        place: item.place.as_ref().map(|shape| JsonFeedPlace { about, geometry: geometry(shape) }),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

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
