//! Writes a drive as a GPX file.

use std::fmt::Write;

use quick_xml::escape::escape;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tourismo_core::fix::Fix;

/// Writes a drive as GPX 1.1 with speed and course in Garmin's TrackPointExtension v2 and the accuracies in OpenTracks'.
///
/// # Panics
/// If the year of a fix cannot be written in RFC 3339 (before 0 or after 9999).
pub fn write(name: &str, fixes: &[Fix]) -> String {
    let mut xml = String::with_capacity(300 * fixes.len() + 600);
    xml.push_str(concat!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n",
        "<gpx version=\"1.1\" creator=\"Tourismo\" xmlns=\"http://www.topografix.com/GPX/1/1\" ",
        "xmlns:gpxtpx=\"http://www.garmin.com/xmlschemas/TrackPointExtension/v2\" ",
        "xmlns:opentracks=\"http://opentracksapp.com/xmlschemas/v1\">\n"
    ));
    let mut put = |text: std::fmt::Arguments<'_>| xml.write_fmt(text).expect("writing to a String cannot fail");
    put(format_args!("<trk><name>{}</name><trkseg>\n", escape(name)));
    for fix in fixes {
        let millis = i128::from(fix.fixed_at.as_millis());
        let time = OffsetDateTime::from_unix_timestamp_nanos(millis * 1_000_000).ok();
        let time = time.and_then(|time| time.format(&Rfc3339).ok()).expect("fixes are measured in years 0 to 9999");
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
    put(format_args!("</trkseg></trk></gpx>\n"));
    xml
}
