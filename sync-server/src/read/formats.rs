//! Public feeds in formats of other programs: Atom, JSON Feed, iCalendar, GPX.
//!
//! Pure functions from the content of a feed to its text. They must not depend on its source or on authorization. Texts
//! of users are data in each format: markup in them is text, and characters that a format cannot contain are left out.

pub(crate) mod atom;
pub(crate) mod geojson;
pub(crate) mod gpx;
pub(crate) mod ics;
pub(crate) mod json_feed;
pub(crate) mod mvt;
pub(crate) mod track;
mod xml;

use jiff::Timestamp as Instant;
use jiff::tz::TimeZone;
use tourismo_core::id::DocId;
use tourismo_core::time::Timestamp;

/// A page of a feed.
#[derive(Clone, Debug)]
pub(crate) struct Channel {
    /// The id that all pages of the feed share.
    pub(crate) id: DocId,
    /// The title.
    pub(crate) title: String,
    /// The web page of the feed.
    pub(crate) home_url: String,
    /// The URL of this page of the feed.
    pub(crate) self_url: String,
    /// The URL of the page with older items.
    pub(crate) next_url: Option<String>,
    /// Drives newest first, meets by their times.
    pub(crate) items: Vec<Item>,
}

/// A drive or a meet in a feed.
#[derive(Clone, Debug)]
pub(crate) struct Item {
    pub(crate) id: DocId,
    /// Its web page.
    pub(crate) url: String,
    /// May be empty.
    pub(crate) title: String,
    /// A short description.
    pub(crate) text: String,
    /// The name of its owner as shown.
    pub(crate) author: String,
    pub(crate) published_at: Timestamp,
    /// The time of the last change, or of publishing.
    pub(crate) updated_at: Timestamp,
    /// The position, if known.
    pub(crate) place: Option<Shape>,
}

/// A position or line, degrees.
#[derive(Clone, Debug)]
pub(crate) enum Shape {
    /// Longitude, latitude.
    Point([f64; 2]),
    /// At least two points of longitude, latitude.
    Line(Vec<[f64; 2]>),
}

impl Item {
    /// Returns the title, or a default: most readers show nothing of an item without a title.
    fn shown_title(&self) -> &str {
        if self.title.trim().is_empty() { "Untitled" } else { &self.title }
    }
}

impl Channel {
    /// Returns the time of the latest change of its items.
    fn updated_at(&self) -> Timestamp {
        self.items.iter().map(|item| item.updated_at).max().unwrap_or_default()
    }
}

/// Returns a time as in RFC 3339, in UTC, to the second.
fn rfc3339(at: Timestamp) -> String {
    instant(at).strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Returns the local time in a time zone, or in UTC if the zone is unknown.
pub(crate) fn clock_time(at: Timestamp, time_zone: &str) -> String {
    let (zone, name) = match TimeZone::get(time_zone) {
        Ok(zone) => (zone, time_zone),
        Err(_) => (TimeZone::UTC, "UTC"),
    };
    format!("{} ({name})", instant(at).to_zoned(zone).strftime("%A, %-d %B %Y, %H:%M"))
}

/// Returns a time to the second with a year of four digits, which all of these formats require.
fn instant(at: Timestamp) -> Instant {
    let second = at.as_millis().div_euclid(1_000).clamp(0, Instant::MAX.as_second());
    Instant::from_second(second).unwrap_or(Instant::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A hostile text.
    pub(super) const HOSTILE: &str = "<script>alert('1')</script> & \"]]>\" \u{1}\u{b}\u{fffe} \u{1f697}\nBEGIN:VEVENT";

    /// The same text as a reader may see it: without characters that XML cannot contain.
    pub(super) const SHOWN: &str = "<script>alert('1')</script> & \"]]>\"  \u{1f697}\nBEGIN:VEVENT";

    pub(super) fn channel() -> Channel {
        let item = |number: u8, title: &str, place| Item {
            id: DocId::from_bytes([number; 16]),
            url: format!("https://relay.example/drives/{number}?a=1&b=2"),
            title: title.to_owned(),
            text: HOSTILE.to_owned(),
            author: "Dan <dan>".to_owned(),
            published_at: Timestamp(1_790_000_000_000 - i64::from(number) * 3_600_000),
            updated_at: Timestamp(1_790_000_000_000 - i64::from(number % 2) * 3_600_000),
            place,
        };
        Channel {
            id: DocId::from_bytes([9; 16]),
            title: HOSTILE.to_owned(),
            home_url: "https://relay.example/".to_owned(),
            self_url: "https://relay.example/v1/feed/public.atom?limit=3".to_owned(),
            next_url: Some("https://relay.example/v1/feed/public.atom?limit=3&after=abc".to_owned()),
            items: vec![
                item(1, HOSTILE, Some(Shape::Line(vec![[8.5, 47.0], [8.6, 47.1]]))),
                item(2, "", Some(Shape::Point([8.5, -47.0]))),
                item(3, "Plain", None),
            ],
        }
    }

    #[test]
    fn times_have_four_digits_of_a_year_whatever_they_are() {
        assert_eq!(rfc3339(Timestamp(1_790_000_000_123)), "2026-09-21T14:13:20Z");
        assert_eq!(rfc3339(Timestamp(i64::MAX)), "9999-12-30T22:00:00Z");
        assert_eq!(rfc3339(Timestamp(i64::MIN)), "1970-01-01T00:00:00Z");
    }

    #[test]
    fn a_time_is_told_as_clocks_there_show_it() {
        let at = Timestamp(1_790_000_000_000);
        assert_eq!(clock_time(at, "Europe/Zurich"), "Monday, 21 September 2026, 16:13 (Europe/Zurich)");
        assert_eq!(clock_time(at, "Nowhere/Land"), "Monday, 21 September 2026, 14:13 (UTC)");
        assert_eq!(clock_time(at, ""), "Monday, 21 September 2026, 14:13 (UTC)");
    }
}
