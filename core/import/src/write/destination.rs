//! Writes a place or a road as a GPX file, for a navigation app.

use std::fmt::Write;

use serde::Deserialize;

use super::text::xml_text;

/// A place to go to, or a road with its line.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Destination {
    /// The title of the file.
    pub name: String,
    /// Further text; may be empty.
    pub description: String,
    /// The address of a page about it; may be empty.
    pub link: String,
    /// The place, or the start of the road: longitude and latitude, degrees.
    pub position: [f64; 2],
    /// The line of the road, likewise; empty for a place.
    pub line: Vec<[f64; 2]>,
}

/// A position is not on the globe.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[error("{lon_deg}, {lat_deg} is not a longitude of -180 to 180 and a latitude of -90 to 90")]
pub struct OffTheGlobe {
    /// The longitude, degrees.
    pub lon_deg: f64,
    /// The latitude, degrees.
    pub lat_deg: f64,
}

/// Writes a waypoint, and the line as a track without times: GPX 1.1. Navigation apps follow the line as it is, whereas they
/// compute a way of their own between the points of a route.
///
/// # Errors
/// [`OffTheGlobe`] for the first such position.
pub fn write(destination: &Destination) -> Result<String, OffTheGlobe> {
    let Destination { name, description, link, position, line } = destination;
    for &[lon_deg, lat_deg] in std::iter::once(position).chain(line) {
        if !(lon_deg.abs() <= 180.0 && lat_deg.abs() <= 90.0) {
            return Err(OffTheGlobe { lon_deg, lat_deg });
        }
    }
    let mut xml = String::with_capacity(60 * line.len() + 600);
    xml.push_str(concat!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n",
        "<gpx version=\"1.1\" creator=\"Tourismo\" xmlns=\"http://www.topografix.com/GPX/1/1\">\n"
    ));
    let mut put = |text: std::fmt::Arguments<'_>| xml.write_fmt(text).expect("writing to a String cannot fail");
    let [lon_deg, lat_deg] = position;
    let name = xml_text(name);
    put(format_args!("<wpt lat=\"{lat_deg}\" lon=\"{lon_deg}\"><name>{name}</name>"));
    if !description.is_empty() {
        put(format_args!("<desc>{}</desc>", xml_text(description)));
    }
    if !link.is_empty() {
        put(format_args!("<link href=\"{}\"/>", xml_text(link)));
    }
    put(format_args!("</wpt>\n"));
    if !line.is_empty() {
        put(format_args!("<trk><name>{name}</name><trkseg>\n"));
        for [lon_deg, lat_deg] in line {
            put(format_args!("<trkpt lat=\"{lat_deg}\" lon=\"{lon_deg}\"/>\n"));
        }
        put(format_args!("</trkseg></trk>\n"));
    }
    put(format_args!("</gpx>\n"));
    Ok(xml)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_waypoint_with_text_and_link() {
        let place = Destination {
            name: "Cars & <coffee>\u{b}".to_owned(),
            description: "Sunday, 10:00".to_owned(),
            link: "https://relay.example/#/meets/1?a=\"b\"&c".to_owned(),
            position: [10.4, 46.5],
            line: Vec::new(),
        };
        let xml = write(&place).unwrap();
        let waypoint = "<wpt lat=\"46.5\" lon=\"10.4\"><name>Cars &amp; &lt;coffee&gt;</name><desc>Sunday, 10:00</desc>\
                        <link href=\"https://relay.example/#/meets/1?a=&quot;b&quot;&amp;c\"/></wpt>\n</gpx>\n";
        assert!(xml.ends_with(waypoint), "{xml}");
    }

    #[test]
    fn a_road_is_a_waypoint_and_a_track_with_its_line() {
        let road = Destination {
            name: "Road".to_owned(),
            position: [10.4, 46.5],
            line: vec![[10.4, 46.5], [10.41, 46.51]],
            ..Destination::default()
        };
        let xml = write(&road).unwrap();
        let (file, tracks) = crate::gpx::read_tracks(xml.as_bytes()).unwrap();
        assert_eq!((tracks.len(), tracks[0].point_count, tracks[0].name.as_deref()), (1, 2, Some("Road")), "{file:?}");
        assert!(xml.contains("<wpt lat=\"46.5\" lon=\"10.4\"><name>Road</name></wpt>"), "{xml}");
    }

    #[test]
    fn a_position_that_is_not_on_the_globe_is_refused() {
        for position in [[200.0, 0.0], [0.0, -91.0], [f64::NAN, 0.0], [0.0, f64::INFINITY]] {
            assert!(write(&Destination { position, ..Destination::default() }).is_err());
            assert!(write(&Destination { line: vec![position], ..Destination::default() }).is_err());
        }
    }
}
