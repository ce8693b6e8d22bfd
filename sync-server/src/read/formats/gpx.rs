//! GPX 1.1: a published drive for other maps. Times are left out, because the time of day is private.

use std::fmt::Write;

use super::track::{Steps, Track};
use super::xml::Xml;

/// The media type.
pub(crate) const CONTENT_TYPE: &str = "application/gpx+xml; charset=utf-8";

/// The number of fixes that are written in one step.
const FIXES_PER_STEP: usize = 256;

/// The position of the segments in a document without any.
const AFTER_SEGMENTS: &str = "</trk>";

/// A document while it is being written: one track, one segment for each part.
#[derive(Debug)]
pub(crate) struct Gpx {
    track: Track,
    head: String,
    tail: String,
    at: At,
}

/// The position up to which it is written.
#[derive(Clone, Copy, Debug)]
enum At {
    Head,
    /// A fix of a segment.
    Segment(usize, usize),
    End,
}

impl Gpx {
    /// Creates a document of a drive.
    pub(crate) fn new(title: &str, author: &str, url: &str, track: Track) -> Gpx {
        let mut xml = Xml::new();
        let names = [("version", "1.1"), ("creator", "Tourismo"), ("xmlns", "http://www.topografix.com/GPX/1/1")];
        xml.nest("gpx", &names, |xml| {
            xml.nest("metadata", &[], |xml| {
                xml.text("name", title);
                xml.nest("author", &[], |xml| xml.text("name", author));
                xml.empty("link", &[("href", url)]);
            });
            xml.nest("trk", &[], |xml| xml.text("name", title));
        });
        // Texts are escaped, so nothing else in the document looks like this.
        let document = xml.finish();
        let (head, tail) = document.split_at(document.rfind(AFTER_SEGMENTS).unwrap_or(document.len()));
        Gpx { track, head: head.to_owned(), tail: tail.to_owned(), at: At::Head }
    }
}

impl Steps for Gpx {
    fn step(&mut self, text: &mut String) -> bool {
        self.at = match self.at {
            At::Head => {
                text.push_str(&self.head);
                At::Segment(0, 0)
            }
            At::Segment(segment, from) => match self.track.0.get(segment) {
                None => {
                    text.push_str(&self.tail);
                    At::End
                }
                Some(part) => {
                    if from == 0 {
                        text.push_str("<trkseg>");
                    }
                    for fix in part.fixes.iter().skip(from).take(FIXES_PER_STEP) {
                        let (lat, lon) = (fix.lat_deg(), fix.lon_deg());
                        let written = match fix.altitude_m() {
                            Some(altitude_m) => write!(
                                text,
                                r#"<trkpt lat="{lat:.6}" lon="{lon:.6}"><ele>{altitude_m:.1}</ele></trkpt>"#
                            ),
                            None => write!(text, r#"<trkpt lat="{lat:.6}" lon="{lon:.6}"/>"#),
                        };
                        written.expect("writing to a String cannot fail");
                    }
                    let next = from + FIXES_PER_STEP;
                    if next < part.fixes.len() {
                        At::Segment(segment, next)
                    } else {
                        text.push_str("</trkseg>");
                        At::Segment(segment + 1, 0)
                    }
                }
            },
            At::End => return false,
        };
        true
    }

    fn begin_again(&mut self) {
        self.at = At::Head;
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{HOSTILE, SHOWN};
    use super::super::track::{pieces, tests::made};
    use super::*;

    #[test]
    fn a_reader_that_is_not_ours_sees_every_point_and_no_time() {
        let track = Track::of_parts(&made(&[2, 1, 10_000]));
        let url = "https://relay.example/drives/1?a&b";
        let written: Vec<String> = pieces(Gpx::new(HOSTILE, "Dan <dan></trk>", url, track)).collect();
        assert!(written.len() > 5, "it is never one text");
        let text = written.concat();
        assert!(!text.contains("<time"));
        let gpx = gpx::read(text.as_bytes()).unwrap();
        let metadata = gpx.metadata.unwrap();
        assert_eq!(metadata.name.as_deref(), Some(SHOWN));
        assert_eq!(metadata.author.unwrap().name.as_deref(), Some("Dan <dan></trk>"));
        assert_eq!(metadata.links[0].href, url);
        let segments = &gpx.tracks[0].segments;
        assert_eq!(segments.iter().map(|segment| segment.points.len()).collect::<Vec<_>>(), [2, 1, 10_000]);
        let points: Vec<_> = segments.iter().flat_map(|segment| &segment.points).take(3).collect();
        assert_eq!((points[0].point().y(), points[0].point().x()), (47.0, -8.5));
        assert_eq!(points.iter().map(|point| point.elevation).collect::<Vec<_>>(), [Some(400.0), None, Some(298.0)]);
    }
}
