//! Atom (RFC 4287) with GeoRSS, in pages (RFC 5005).
//!
//! The crate `atom_syndication` (0.12) would add a second version of `quick-xml`, and `chrono` beside `jiff`, in place
//! of about 40 lines.

use super::xml::Xml;
use super::{Channel, Item, Shape, rfc3339};

/// The media type.
pub(crate) const CONTENT_TYPE: &str = "application/atom+xml; charset=utf-8";

/// Returns a page of a feed as Atom.
pub(crate) fn write(channel: &Channel) -> String {
    let mut xml = Xml::new();
    let names = [("xmlns", "http://www.w3.org/2005/Atom"), ("xmlns:georss", "http://www.georss.org/georss")];
    xml.nest("feed", &names, |xml| {
        xml.text("title", &channel.title);
        // All pages of a feed have the same id.
        xml.text("id", &format!("urn:uuid:{}", channel.id));
        xml.text("updated", &rfc3339(channel.updated_at()));
        xml.text("generator", "Tourismo");
        link(xml, "self", &channel.self_url, "application/atom+xml");
        link(xml, "alternate", &channel.home_url, "text/html");
        if let Some(next) = &channel.next_url {
            link(xml, "next", next, "application/atom+xml");
        }
        for item in &channel.items {
            xml.nest("entry", &[], |xml| entry(xml, item));
        }
    });
    xml.finish()
}

fn entry(xml: &mut Xml, item: &Item) {
    xml.text("title", item.shown_title());
    xml.text("id", &format!("urn:uuid:{}", item.id));
    xml.text("updated", &rfc3339(item.updated_at));
    xml.text("published", &rfc3339(item.published_at));
    xml.nest("author", &[], |xml| xml.text("name", &item.author));
    link(xml, "alternate", &item.url, "text/html");
    if !item.text.is_empty() {
        xml.text("summary", &item.text);
    }
    // GeoRSS has the latitude first.
    let pair = |[lon, lat]: &[f64; 2]| format!("{lat} {lon}");
    match &item.place {
        Some(Shape::Point(point)) => xml.text("georss:point", &pair(point)),
        Some(Shape::Line(line)) => xml.text("georss:line", &line.iter().map(pair).collect::<Vec<_>>().join(" ")),
        None => {}
    }
}

fn link(xml: &mut Xml, rel: &str, href: &str, mime_type: &str) {
    xml.empty("link", &[("rel", rel), ("type", mime_type), ("href", href)]);
}

#[cfg(test)]
mod tests {
    use super::super::tests::{SHOWN, channel};
    use super::*;

    #[test]
    fn a_reader_that_is_not_ours_sees_what_was_said_and_nothing_else() {
        let text = write(&channel());
        assert!(!text.contains("<script"), "{text}");
        let feed = feed_rs::parser::parse(text.as_bytes()).unwrap();
        assert_eq!(feed.feed_type, feed_rs::model::FeedType::Atom);
        assert_eq!(feed.title.unwrap().content, SHOWN);
        let rels: Vec<_> = feed.links.iter().map(|link| link.rel.as_deref().unwrap()).collect();
        assert_eq!(rels, ["self", "alternate", "next"]);
        assert_eq!(feed.links[2].href, "https://relay.example/v1/feed/public.atom?limit=3&after=abc");
        assert_eq!(feed.entries.len(), 3);
        let first = &feed.entries[0];
        assert_eq!(first.id, "urn:uuid:01010101-0101-0101-0101-010101010101");
        assert_eq!(first.title.as_ref().unwrap().content, SHOWN);
        assert_eq!(first.title.as_ref().unwrap().content_type.to_string(), "text/plain");
        assert_eq!(first.summary.as_ref().unwrap().content, SHOWN);
        assert_eq!(first.authors[0].name.as_deref(), Some("Dan <dan>"));
        assert_eq!(first.links[0].href, "https://relay.example/drives/1?a=1&b=2");
        assert_eq!(first.updated.unwrap().timestamp(), 1_790_000_000 - 3_600);
        let times =
            [feed.entries[1].published, feed.entries[1].updated, feed.updated].map(|at| at.unwrap().timestamp());
        assert_eq!(times, [1_790_000_000 - 7_200, 1_790_000_000, 1_790_000_000]);
        assert_eq!(feed.entries[1].title.as_ref().unwrap().content, "Untitled");
        assert!(text.contains("<georss:line>47 8.5 47.1 8.6</georss:line>"));
        assert!(text.contains("<georss:point>-47 8.5</georss:point>"));
    }

    #[test]
    fn a_feed_without_items_is_one_all_the_same() {
        let text = write(&Channel { items: vec![], next_url: None, ..channel() });
        assert_eq!(feed_rs::parser::parse(text.as_bytes()).unwrap().entries.len(), 0);
    }
}
