//! iCalendar (RFC 5545): meets for calendars that subscribe to them.
//!
//! The crate `icalendar` (0.17) is used in the tests only: its writer adds `DTSTAMP` and a random `UID` to each
//! component, also to `VTIMEZONE`, where RFC 5545 does not allow them and where they would change every ETag.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use jiff::Timestamp as Instant;
use jiff::tz::{Dst, Offset, TimeZone};
use tourismo_core::id::DocId;
use tourismo_core::time::Timestamp;

use super::instant;

/// The media type.
pub(crate) const CONTENT_TYPE: &str = "text/calendar; charset=utf-8";

/// Maximum number of octets of a line (RFC 5545, section 3.1).
const MAX_LINE: usize = 75;

/// A meet in a calendar.
#[derive(Clone, Debug)]
pub(crate) struct CalendarEvent {
    pub(crate) id: DocId,
    /// Grows with every edit.
    pub(crate) sequence: u64,
    pub(crate) edited_at: Timestamp,
    pub(crate) title: String,
    pub(crate) text: String,
    /// The name of the place; may be empty.
    pub(crate) place: String,
    /// Longitude, latitude, degrees.
    pub(crate) position: Option<[f64; 2]>,
    pub(crate) starts_at: Timestamp,
    pub(crate) ends_at: Option<Timestamp>,
    /// Its IANA name; times are in UTC if the zone is unknown.
    pub(crate) time_zone: String,
    pub(crate) is_cancelled: bool,
    /// Its web page.
    pub(crate) url: String,
}

/// Returns a calendar of meets.
pub(crate) fn write(title: &str, events: &[CalendarEvent]) -> String {
    let mut ics = Ics::default();
    ics.line("BEGIN", "VCALENDAR");
    ics.line("VERSION", "2.0");
    ics.line("PRODID", "-//Tourismo//Tourismo//EN");
    ics.line("METHOD", "PUBLISH");
    ics.text("X-WR-CALNAME", title);
    let mut zones = Zones::default();
    events.iter().for_each(|event| zones.add(event));
    zones.write(&mut ics);
    events.iter().for_each(|event| write_event(&mut ics, event, &zones));
    ics.line("END", "VCALENDAR");
    ics.0
}

fn write_event(ics: &mut Ics, event: &CalendarEvent, zones: &Zones) {
    ics.line("BEGIN", "VEVENT");
    ics.line("UID", &format!("{}@tourismo", event.id));
    ics.line("SEQUENCE", &event.sequence.to_string());
    ics.line("DTSTAMP", &utc(instant(event.edited_at)));
    ics.time("DTSTART", event.starts_at, zones.of(event));
    // An event must end after its start, or have no end.
    if let Some(ends_at) = event.ends_at.filter(|ends_at| *ends_at > event.starts_at) {
        ics.time("DTEND", ends_at, zones.of(event));
    }
    ics.text("SUMMARY", &event.title);
    if !event.text.is_empty() {
        ics.text("DESCRIPTION", &event.text);
    }
    if !event.place.is_empty() {
        ics.text("LOCATION", &event.place);
    }
    if let Some([lon, lat]) = event.position {
        ics.line("GEO", &format!("{lat:.6};{lon:.6}"));
    }
    ics.line("URL", &event.url);
    ics.line("STATUS", if event.is_cancelled { "CANCELLED" } else { "CONFIRMED" });
    ics.line("END", "VEVENT");
}

/// The time zones of events, with the times at which their offsets from UTC are needed.
#[derive(Default)]
struct Zones(BTreeMap<String, (TimeZone, BTreeSet<Instant>)>);

impl Zones {
    fn add(&mut self, event: &CalendarEvent) {
        let Ok(zone) = TimeZone::get(&event.time_zone) else { return };
        let (_, instants) = self.0.entry(event.time_zone.clone()).or_insert_with(|| (zone, BTreeSet::new()));
        instants.insert(instant(event.starts_at));
        instants.extend(event.ends_at.map(instant));
    }

    fn of(&self, event: &CalendarEvent) -> Option<(&str, &TimeZone)> {
        self.0.get_key_value(&event.time_zone).map(|(name, (zone, _))| (name.as_str(), zone))
    }

    /// Writes each zone with the observances that contain the events.
    fn write(&self, ics: &mut Ics) {
        for (name, (zone, instants)) in &self.0 {
            ics.line("BEGIN", "VTIMEZONE");
            ics.line("TZID", name);
            let mut observances: BTreeSet<_> = instants.iter().map(|at| Observance::at(zone, *at)).collect();
            // Some calendars refuse a zone without standard time, so the one before summer time is written, too.
            let first = observances.first().filter(|_| observances.iter().all(|observance| observance.is_daylight));
            let standard = first.map(|first| Observance::at(zone, just_after(first.began, -1)));
            observances.extend(standard.filter(|standard| !standard.is_daylight));
            observances.iter().for_each(|observance| observance.write(ics));
            ics.line("END", "VTIMEZONE");
        }
    }
}

/// A period during which a zone has one offset from UTC.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Observance {
    began: Instant,
    from: Offset,
    to: Offset,
    is_daylight: bool,
}

impl Observance {
    fn at(zone: &TimeZone, at: Instant) -> Observance {
        match zone.preceding(just_after(at, 1)).next() {
            Some(transition) => Observance {
                began: transition.timestamp(),
                from: zone.to_offset(just_after(transition.timestamp(), -1)),
                to: transition.offset(),
                is_daylight: transition.dst() == Dst::Yes,
            },
            None => {
                let offset = zone.to_offset(at);
                Observance { began: Instant::UNIX_EPOCH, from: offset, to: offset, is_daylight: false }
            }
        }
    }

    fn write(&self, ics: &mut Ics) {
        let kind = if self.is_daylight { "DAYLIGHT" } else { "STANDARD" };
        ics.line("BEGIN", kind);
        ics.line("DTSTART", &self.from.to_datetime(self.began).strftime("%Y%m%dT%H%M%S").to_string());
        ics.line("TZOFFSETFROM", &offset(self.from));
        ics.line("TZOFFSETTO", &offset(self.to));
        ics.line("END", kind);
    }
}

/// Returns a time this number of seconds after another, or before it.
fn just_after(at: Instant, seconds: i64) -> Instant {
    Instant::from_second(at.as_second() + seconds).unwrap_or(at)
}

fn offset(offset: Offset) -> String {
    let seconds = offset.seconds();
    let sign = if seconds < 0 { '-' } else { '+' };
    let (minutes, rest) = (seconds.abs() / 60, seconds.abs() % 60);
    let seconds = if rest == 0 { String::new() } else { format!("{rest:02}") };
    format!("{sign}{:02}{:02}{seconds}", minutes / 60, minutes % 60)
}

fn utc(at: Instant) -> String {
    at.strftime("%Y%m%dT%H%M%SZ").to_string()
}

/// Content lines while they are being written.
#[derive(Default)]
struct Ics(String);

impl Ics {
    fn time(&mut self, name: &str, at: Timestamp, zone: Option<(&str, &TimeZone)>) {
        let at = instant(at);
        match zone {
            Some((id, zone)) => {
                let local = zone.to_datetime(at).strftime("%Y%m%dT%H%M%S").to_string();
                self.line(&format!("{name};TZID={id}"), &local);
            }
            None => self.line(name, &utc(at)),
        }
    }

    /// Writes a line whose value is a text of a user (RFC 5545, section 3.3.11).
    fn text(&mut self, name: &str, text: &str) {
        let mut escaped = String::with_capacity(text.len());
        for c in text.chars() {
            match c {
                '\\' | ';' | ',' => escaped.extend(['\\', c]),
                '\n' => escaped.push_str("\\n"),
                c if c.is_control() => {}
                c => escaped.push(c),
            }
        }
        self.line(name, &escaped);
    }

    /// Writes a line, folded at its maximum length; never within a character.
    fn line(&mut self, name: &str, value: &str) {
        let mut octets = 0;
        let mut line = String::new();
        write!(line, "{name}:{value}").expect("writing to a String cannot fail");
        for c in line.chars() {
            if octets + c.len_utf8() > MAX_LINE {
                self.0.push_str("\r\n ");
                octets = 1;
            }
            octets += c.len_utf8();
            self.0.push(c);
        }
        self.0.push_str("\r\n");
    }
}

#[cfg(test)]
mod tests {
    use icalendar::{Calendar, CalendarComponent, Component, EventLike};

    use super::super::tests::HOSTILE;
    use super::*;

    /// 2026-07-01 10:00 UTC.
    const SUMMER: Timestamp = Timestamp(1_782_900_000_000);
    const MONTH_MS: i64 = 30 * 86_400_000;

    fn event() -> CalendarEvent {
        CalendarEvent {
            id: DocId::from_bytes([1; 16]),
            sequence: 7,
            edited_at: SUMMER - MONTH_MS,
            title: "Coffee; cars, and \\ more".to_owned(),
            text: format!("{HOSTILE}{}", "ü".repeat(200)),
            place: "Pass, top".to_owned(),
            position: Some([8.5, 47.0]),
            starts_at: SUMMER,
            ends_at: Some(SUMMER + 3_600_000),
            time_zone: "Europe/Zurich".to_owned(),
            is_cancelled: false,
            url: "https://relay.example/meets/1".to_owned(),
        }
    }

    fn read(events: &[CalendarEvent]) -> (String, Vec<icalendar::Event>) {
        let text = write("Meets", events);
        let calendar: Calendar = text.parse().unwrap();
        let events = calendar.components.into_iter().filter_map(|component| match component {
            CalendarComponent::Event(event) => Some(event),
            _ => None,
        });
        (text, events.collect())
    }

    #[test]
    fn a_calendar_that_is_not_ours_sees_what_was_said() {
        let (text, events) = read(&[event()]);
        assert!(text.split("\r\n").all(|line| line.len() <= MAX_LINE), "{text}");
        assert_eq!(events.len(), 1, "what people write begins no event");
        let read = &events[0];
        assert_eq!(read.get_uid(), Some("01010101-0101-0101-0101-010101010101@tourismo"));
        assert_eq!(read.get_sequence(), Some(7));
        assert_eq!(read.get_summary(), Some("Coffee; cars, and \\ more"));
        let shown: String = event().text.chars().filter(|c| *c == '\n' || !c.is_control()).collect();
        assert_eq!(read.get_description(), Some(shown.as_str()));
        assert_eq!(read.get_location(), Some("Pass, top"));
        assert_eq!(read.property_value("DTSTART"), Some("20260701T120000"));
        assert_eq!(read.property_value("DTEND"), Some("20260701T130000"));
        assert_eq!(read.properties()["DTSTART"].params()["TZID"].value(), "Europe/Zurich");
        assert_eq!(read.property_value("STATUS"), Some("CONFIRMED"));
    }

    #[test]
    fn a_cancelled_meet_says_so_under_the_same_name() {
        let cancelled = CalendarEvent { is_cancelled: true, sequence: 8, ..event() };
        let (_, events) = read(&[cancelled]);
        assert_eq!(events[0].property_value("STATUS"), Some("CANCELLED"));
        assert_eq!(events[0].get_uid(), Some("01010101-0101-0101-0101-010101010101@tourismo"));
    }

    #[test]
    fn a_zone_is_described_for_every_time_that_is_in_it() {
        let winter = CalendarEvent { starts_at: SUMMER + 6 * MONTH_MS, ends_at: None, ..event() };
        let (text, _) = read(&[event(), winter.clone(), winter]);
        let due = "BEGIN:VTIMEZONE\r\nTZID:Europe/Zurich\r\n\
                   BEGIN:DAYLIGHT\r\nDTSTART:20260329T020000\r\nTZOFFSETFROM:+0100\r\nTZOFFSETTO:+0200\r\nEND:DAYLIGHT\r\n\
                   BEGIN:STANDARD\r\nDTSTART:20261025T030000\r\nTZOFFSETFROM:+0200\r\nTZOFFSETTO:+0100\r\nEND:STANDARD\r\n\
                   END:VTIMEZONE\r\n";
        assert!(text.contains(due), "{text}");
        let summer = read(&[event()]).0;
        assert!(summer.contains("BEGIN:STANDARD\r\nDTSTART:20251026T030000\r\n"), "also in summer alone: {summer}");
        let kathmandu = CalendarEvent { time_zone: "Asia/Kathmandu".to_owned(), ..event() };
        assert!(read(&[kathmandu]).0.contains("TZOFFSETTO:+0545"));
    }

    #[test]
    fn a_zone_that_nobody_knows_and_an_end_before_the_start_harm_nothing() {
        for time_zone in ["", "Mars/Olympus", "../../etc/passwd", "UTC\r\nEND:VCALENDAR"] {
            let odd = CalendarEvent { time_zone: time_zone.to_owned(), ends_at: Some(SUMMER - 1), ..event() };
            let (text, events) = read(&[odd]);
            assert!(text.contains("\r\nDTSTART:20260701T100000Z\r\n"), "{text}");
            assert_eq!((events.len(), events[0].property_value("DTEND")), (1, None));
        }
    }
}
