//! Public feeds in the forms that other programs read: Atom, JSON Feed, iCalendar, GPX.
//!
//! Pure functions from what a feed says to its text. None knows where it comes from or who may read it. What people wrote is
//! data in each of the forms: markup in it is text, and characters that a form cannot hold are left out.

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
    /// What all pages of it have in common.
    pub(crate) id: DocId,
    /// What it is called.
    pub(crate) title: String,
    /// Its page for people.
    pub(crate) home_url: String,
    /// This page of it.
    pub(crate) self_url: String,
    /// Where older items are.
    pub(crate) next_url: Option<String>,
    /// Drives newest first, meets by when they are.
    pub(crate) items: Vec<Item>,
}

/// A drive or a meet in a feed.
#[derive(Clone, Debug)]
pub(crate) struct Item {
    pub(crate) id: DocId,
    /// Its page for people.
    pub(crate) url: String,
    /// May be empty.
    pub(crate) title: String,
    /// A few words about it.
    pub(crate) text: String,
    /// Whose it is, as it may be shown.
    pub(crate) author: String,
    pub(crate) published_at: Timestamp,
    /// When it last changed; when it was published if it never did.
    pub(crate) updated_at: Timestamp,
    /// Where it is, if that is known.
    pub(crate) place: Option<Shape>,
}

/// Where something is, degrees.
#[derive(Clone, Debug)]
pub(crate) enum Shape {
    /// Longitude, latitude.
    Point([f64; 2]),
    /// At least two points of longitude, latitude.
    Line(Vec<[f64; 2]>),
}

impl Item {
    /// What to call it: most readers show nothing of an item without a title.
    fn shown_title(&self) -> &str {
        if self.title.trim().is_empty() { "Untitled" } else { &self.title }
    }
}

impl Channel {
    /// When it last changed, as far as its items tell.
    fn updated_at(&self) -> Timestamp {
        self.items.iter().map(|item| item.updated_at).max().unwrap_or_default()
    }
}

/// An instant as RFC 3339 has it, in UTC, to the second.
fn rfc3339(at: Timestamp) -> String {
    instant(at).strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// An instant as the clocks of a time zone show it, or those of UTC if there is no such zone.
pub(crate) fn clock_time(at: Timestamp, time_zone: &str) -> String {
    let (zone, name) = match TimeZone::get(time_zone) {
        Ok(zone) => (zone, time_zone),
        Err(_) => (TimeZone::UTC, "UTC"),
    };
    format!("{} ({name})", instant(at).to_zoned(zone).strftime("%A, %-d %B %Y, %H:%M"))
}

/// An instant to the second, whose year has four digits: what all of these forms need.
fn instant(at: Timestamp) -> Instant {
    let second = at.as_millis().div_euclid(1_000).clamp(0, Instant::MAX.as_second());
    Instant::from_second(second).unwrap_or(Instant::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What people write who want to break a reader.
    pub(super) const HOSTILE: &str = "<script>alert('1')</script> & \"]]>\" \u{1}\u{b}\u{fffe} \u{1f697}\nBEGIN:VEVENT";

    /// The same, as a reader may see it: without what XML cannot hold.
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
