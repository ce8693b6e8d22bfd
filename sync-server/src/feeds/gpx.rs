//! GPX 1.1: a published drive for other maps. Times are left out: the hour of the day is nobody's business.

use tourismo_core::track::parts::Part;

use super::xml::Xml;

/// What the form is called.
pub(crate) const CONTENT_TYPE: &str = "application/gpx+xml; charset=utf-8";

/// A drive as GPX: one track, one segment for each part.
pub(crate) fn write(title: &str, author: &str, url: &str, parts: &[Part]) -> String {
    let mut xml = Xml::new();
    let names = [("version", "1.1"), ("creator", "Tourismo"), ("xmlns", "http://www.topografix.com/GPX/1/1")];
    xml.nest("gpx", &names, |xml| {
        xml.nest("metadata", &[], |xml| {
            xml.text("name", title);
            xml.nest("author", &[], |xml| xml.text("name", author));
            xml.empty("link", &[("href", url)]);
        });
        xml.nest("trk", &[], |xml| {
            xml.text("name", title);
            for part in parts {
                xml.nest("trkseg", &[], |xml| segment(xml, part));
            }
        });
    });
    xml.finish()
}

fn segment(xml: &mut Xml, part: &Part) {
    for fix in &part.fixes {
        let (lat, lon) = (degrees(fix.lat_deg), degrees(fix.lon_deg));
        let place = [("lat", lat.as_str()), ("lon", lon.as_str())];
        match fix.altitude_m {
            Some(altitude_m) => xml.nest("trkpt", &place, |xml| xml.text("ele", &format!("{altitude_m:.1}"))),
            None => xml.empty("trkpt", &place),
        }
    }
}

/// Six decimals are a tenth of a metre.
fn degrees(value: f64) -> String {
    format!("{value:.6}")
}

#[cfg(test)]
mod tests {
    use tourismo_core::fix::Fix;
    use tourismo_core::time::Timestamp;

    use super::super::tests::{HOSTILE, SHOWN};
    use super::*;

    #[test]
    fn a_reader_that_is_not_ours_sees_every_point_and_no_time() {
        let fix = |second: i64, altitude_m| Fix {
            fixed_at: Timestamp(1_790_000_000_000 + second * 1_000),
            recorded_at: Timestamp(1_790_000_000_000 + second * 1_000),
            lat_deg: 47.0 + second as f64 * 0.001,
            lon_deg: -8.5,
            accuracy_m: None,
            altitude_m,
            altitude_accuracy_m: None,
            heading_deg: None,
            speed_mps: None,
        };
        let part = |fixes| Part { fixes, after: None };
        let parts = [part(vec![fix(0, Some(400.04)), fix(1, None)]), part(vec![fix(90, Some(-3.0))])];
        let text = write(HOSTILE, "Dan <dan>", "https://relay.example/drives/1?a&b", &parts);
        assert!(!text.contains("<time"));
        let gpx = gpx::read(text.as_bytes()).unwrap();
        let metadata = gpx.metadata.unwrap();
        assert_eq!(metadata.name.as_deref(), Some(SHOWN));
        assert_eq!(metadata.author.unwrap().name.as_deref(), Some("Dan <dan>"));
        assert_eq!(metadata.links[0].href, "https://relay.example/drives/1?a&b");
        let segments = &gpx.tracks[0].segments;
        assert_eq!(segments.iter().map(|segment| segment.points.len()).collect::<Vec<_>>(), [2, 1]);
        let points: Vec<_> = segments.iter().flat_map(|segment| &segment.points).collect();
        assert_eq!((points[0].point().y(), points[0].point().x()), (47.0, -8.5));
        assert_eq!(points.iter().map(|point| point.elevation).collect::<Vec<_>>(), [Some(400.0), None, Some(-3.0)]);
    }
}
