//! Writes a drive as a GPX file.

use std::fmt::Write;

use tourismo_core::fix::Fix;

use super::text::xml_text;
use crate::numbers::iso;

/// Writes a drive as GPX 1.1 with speed and course in Garmin's TrackPointExtension v2 and the accuracies in OpenTracks'.
pub fn write(name: &str, fixes: &[Fix]) -> String {
    write_parts(name, &[fixes])
}

/// The same with a segment for each part: between two parts is a gap.
pub fn write_parts(name: &str, parts: &[&[Fix]]) -> String {
    let count: usize = parts.iter().map(|part| part.len()).sum();
    let mut xml = String::with_capacity(300 * count + 600);
    xml.push_str(concat!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n",
        "<gpx version=\"1.1\" creator=\"Tourismo\" xmlns=\"http://www.topografix.com/GPX/1/1\" ",
        "xmlns:gpxtpx=\"http://www.garmin.com/xmlschemas/TrackPointExtension/v2\" ",
        "xmlns:opentracks=\"http://opentracksapp.com/xmlschemas/v1\">\n"
    ));
    let mut put = |text: std::fmt::Arguments<'_>| xml.write_fmt(text).expect("writing to a String cannot fail");
    put(format_args!("<trk><name>{}</name>", xml_text(name)));
    for part in parts {
        put(format_args!("<trkseg>\n"));
        part.iter().for_each(|fix| put_point(&mut put, fix));
        put(format_args!("</trkseg>"));
    }
    put(format_args!("</trk></gpx>\n"));
    xml
}

fn put_point(put: &mut impl FnMut(std::fmt::Arguments<'_>), fix: &Fix) {
    let time = iso(fix.fixed_at);
    put(format_args!("<trkpt lat=\"{}\" lon=\"{}\">", fix.lat_deg, fix.lon_deg));
    if let Some(altitude_m) = fix.altitude_m {
        put(format_args!("<ele>{altitude_m}</ele>"));
    }
    put(format_args!("<time>{time}</time><extensions>"));
    if fix.speed_mps.is_some() || fix.heading_deg.is_some() {
        put(format_args!("<gpxtpx:TrackPointExtension>"));
        if let Some(speed_mps) = fix.speed_mps {
            put(format_args!("<gpxtpx:speed>{speed_mps}</gpxtpx:speed>"));
        }
        if let Some(heading_deg) = fix.heading_deg {
            put(format_args!("<gpxtpx:course>{heading_deg}</gpxtpx:course>"));
        }
        put(format_args!("</gpxtpx:TrackPointExtension>"));
    }
    if let Some(accuracy_m) = fix.accuracy_m {
        put(format_args!("<opentracks:accuracy_horizontal>{accuracy_m}</opentracks:accuracy_horizontal>"));
    }
    if let Some(accuracy_m) = fix.altitude_accuracy_m {
        put(format_args!("<opentracks:accuracy_vertical>{accuracy_m}</opentracks:accuracy_vertical>"));
    }
    put(format_args!("</extensions></trkpt>\n"));
}
