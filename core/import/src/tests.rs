//! What is read of files as other programs write them, and of broken and hostile ones.

use std::io::{Cursor, Write};
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;
use tourismo_core::fix::{Fix, packed};
use tourismo_core::id::{AccountId, DocId};
use tourismo_core::kind::DocKind;
use tourismo_core::time::Timestamp;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use crate::testing::drive;
use crate::write::account::AccountWriter;
use crate::write::{ExportFormat, write};
use crate::{FileError, Found, FoundDrive, Import};

/// 2024-06-01T09:00:00Z.
const NINE: i64 = 1_717_232_400_000;
const FORMATS: [ExportFormat; 4] = [ExportFormat::Gpx, ExportFormat::GeoJson, ExportFormat::Csv, ExportFormat::Fit];

fn found(name: &str, bytes: &[u8]) -> Vec<Found> {
    Import::new(name, Cursor::new(bytes)).collect()
}

#[track_caller]
fn only(bytes: &[u8]) -> FoundDrive {
    match <[Found; 1]>::try_from(found("file", bytes)) {
        Ok([Found::Drive(drive)]) => drive,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn refusal(bytes: &[u8]) -> FileError {
    match <[Found; 1]>::try_from(found("file", bytes)) {
        Ok([Found::Refused(refused)]) => refused.error,
        other => panic!("{other:?}"),
    }
}

fn fixes(drive: &FoundDrive) -> Vec<Fix> {
    packed::unpack(&drive.fixes).collect()
}

fn archive(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in files {
        zip.start_file(*name, SimpleFileOptions::default()).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn a_drive_that_was_written_is_read_back_with_everything_that_its_format_has() {
    let drive = drive(NINE, 200);
    for parts in [&[&drive[..]][..], &[&drive[..120], &drive[120..]]] {
        for format in FORMATS {
            let bytes = write(format, "Pass & valley", parts);
            let read = only(&bytes);
            let expected: Vec<Fix> = match format {
                ExportFormat::Fit => {
                    drive.iter().map(|fix| Fix { heading_deg: None, altitude_accuracy_m: None, ..*fix }).collect()
                }
                ExportFormat::Gpx | ExportFormat::GeoJson | ExportFormat::Csv => drive.clone(),
            };
            let rounded: Vec<Fix> = match format {
                // Fifths of a metre.
                ExportFormat::Fit => expected
                    .iter()
                    .zip(fixes(&read))
                    .map(|(fix, read)| Fix { altitude_m: read.altitude_m, ..*fix })
                    .collect(),
                ExportFormat::Gpx | ExportFormat::GeoJson | ExportFormat::Csv => expected,
            };
            assert_eq!(fixes(&read), rounded, "{format:?}");
            assert_eq!(
                (read.problem_count, read.points, read.is_reordered),
                (0, 200, false),
                "{format:?}: {:?}",
                read.problems
            );
            let title = matches!(format, ExportFormat::Gpx | ExportFormat::GeoJson).then_some("Pass & valley");
            assert_eq!(read.title, title.unwrap_or_default(), "{format:?}");
        }
    }
}

#[test]
fn the_source_of_a_drive_does_not_depend_on_its_file() {
    let fixes = drive(NINE, 60);
    let gpx = write(ExportFormat::Gpx, "Pass", &[&fixes]);
    let plain = only(&gpx);
    let zipped =
        archive(&[("a/b.gpx", &gpx), ("c.gpx.gz", &gzip(&gpx)), ("d.csv", &write(ExportFormat::Csv, "", &[&fixes]))]);
    let inside = found("all.zip", &zipped);
    assert_eq!(inside.len(), 3);
    for (found, name) in inside.into_iter().zip(["a/b.gpx", "c.gpx.gz", "d.csv"]) {
        let Found::Drive(drive) = found else { panic!("{found:?}") };
        assert_eq!((drive.file.as_str(), &drive.source), (name, &plain.source));
    }
    assert_ne!(only(&write(ExportFormat::Gpx, "Pass", &[&fixes[1..]])).source, plain.source);
}

#[test]
fn an_archive_of_strava_gives_each_activity_its_name_and_kind() {
    let fixes = drive(NINE, 60);
    // Strava's own TCX begins with spaces.
    let tcx = "          <?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<TrainingCenterDatabase><Activities><Activity Sport=\"Biking\"><Lap><Track>\
        <Trackpoint><Time>2024-06-01T09:00:00Z</Time><Position><LatitudeDegrees>46.5</LatitudeDegrees><LongitudeDegrees>10.4</LongitudeDegrees></Position><AltitudeMeters>1800</AltitudeMeters></Trackpoint>\
        <Trackpoint><Time>2024-06-01T09:00:01Z</Time><HeartRateBpm><Value>120</Value></HeartRateBpm></Trackpoint>\
        <Trackpoint><Time>2024-06-01T09:00:02Z</Time><Position><LatitudeDegrees>46.5002</LatitudeDegrees><LongitudeDegrees>10.4</LongitudeDegrees></Position><Extensions><TPX><Speed>11.5</Speed></TPX></Extensions></Trackpoint>\
        </Track></Lap></Activity></Activities></TrainingCenterDatabase>";
    let table = "Aktivitäts-ID,Datum,Name,Art,Beschreibung,Dateiname\n1,x,\"Stelvio, früh\",Fahrt,,activities/1.fit.gz\n2,x,Run,Lauf,\"a\nb\",activities/2.tcx.gz\n3,x,No file,Fahrt,,\n";
    let zipped = archive(&[
        ("profile.csv", b"Athlete ID,Email\n1,a@b.example\n"),
        ("activities.csv", table.as_bytes()),
        ("activities/1.fit.gz", &gzip(&write(ExportFormat::Fit, "", &[&fixes]))),
        ("activities/2.tcx.gz", &gzip(tcx.as_bytes())),
        ("media/a.jpg", &[0xff, 0xd8, 0xff, 0xe0]),
    ]);
    let found = found("export.zip", &zipped);
    let [Found::Drive(first), Found::Drive(second), Found::Ignored { files: 2 }] = &found[..] else {
        panic!("{found:?}")
    };
    assert_eq!((first.title.as_str(), first.kind.as_str()), ("Stelvio, früh", "Fahrt"));
    assert_eq!((second.title.as_str(), second.kind.as_str()), ("Run", "Lauf"));
    let read = self::fixes(second);
    assert_eq!(
        read.iter().map(|fix| (fix.altitude_m, fix.speed_mps)).collect::<Vec<_>>(),
        [(Some(1800.0), None), (None, Some(11.5))]
    );
}

#[test]
fn each_format_is_known_by_its_content() {
    let kml = "<?xml version='1.0'?><!-- <gpx> --><kml xmlns='http://www.opengis.net/kml/2.2'><Document><Placemark><name>Pass</name><gx:Track>\
        <when>2024-06-01T09:00:00Z</when><when>2024-06-01T09:00:01Z</when><gx:coord>10.4 46.5 1800</gx:coord><gx:coord>10.4001 46.5001 1801</gx:coord>\
        </gx:Track></Placemark></Document></kml>";
    let rmc = |second: u32, checksum: &str| {
        format!(
            "$GPGGA,09000{second}.000,4630.000,N,01024.000,E,1,9,0.8,1800.5,M,,,,*{checksum}\r\n$GPRMC,09000{second}.000,A,4630.0{second},N,01024.000,E,19.44,87.0,010624,,,A\r\n"
        )
    };
    let sum = |second: u32| {
        let text = format!("GPGGA,09000{second}.000,4630.000,N,01024.000,E,1,9,0.8,1800.5,M,,,,");
        format!("{:02X}", text.bytes().fold(0, |sum, byte| sum ^ byte))
    };
    let nmea = [rmc(0, &sum(0)), rmc(1, &sum(1)), "$GPRMC,broken*00\r\n".to_owned()].concat();
    let race_chrono = "This file is created using RaceChrono v9\nFormat,3\nSession title,\"Ring, lap 3\"\n\n\
        timestamp,fragment_id,accuracy,altitude,bearing,latitude,longitude,speed\nunix time,,m,m,deg,deg,deg,km/h\n,100: gps,,,,,,\n\
        1717232400.000,0,3,1800,87,46.5,10.4,36\n1717232400.100,0,3,1800,87,46.50001,10.4,36\n";
    let vbo = "File created on 01/06/2024 at 09:00:00\n\n[header]\nsatellites\n[column names]\nsats time lat long velocity heading height\n[data]\n\
        009 090000.00 +02790.000000 -00624.000000 036.000 087.0 +1800.0\n009 090000.10 +02790.001000 -00624.000000 036.000 087.0 +1800.0\n";
    let points = r#"{"type":"FeatureCollection","features":[
        {"type":"Feature","geometry":{"type":"Point","coordinates":[10.4,46.5,1800]},"properties":{"time":"2024-06-01T09:00:00Z","phenomenons":{"GPS Speed":{"value":36,"unit":"km/h"}}}},
        {"type":"Feature","geometry":{"type":"Point","coordinates":[10.4,46.5001]},"properties":{"time":"2024-06-01T09:00:01Z"}}]}"#;
    let kmz = archive(&[("doc.kml", kml.as_bytes()), ("images/a.png", b"png")]);
    for (name, bytes, speed_mps, problems) in [
        ("KML", kml.as_bytes(), None, 0),
        ("NMEA", nmea.as_bytes(), Some(10.0), 1),
        ("RaceChrono", race_chrono.as_bytes(), Some(10.0), 0),
        ("VBO", vbo.as_bytes(), Some(10.0), 0),
        ("GeoJSON", points.as_bytes(), Some(10.0), 0),
    ] {
        let drive = only(bytes);
        let read = fixes(&drive);
        assert_eq!((read.len(), drive.problem_count), (2, problems), "{name}: {:?}", drive.problems);
        assert_eq!((read[0].fixed_at.as_millis(), read[0].lat_deg, read[0].lon_deg), (NINE, 46.5, 10.4), "{name}");
        assert_eq!(read[0].speed_mps, speed_mps, "{name}");
        assert!(read[0].altitude_m.is_some_and(|altitude_m| (1800.0..1801.0).contains(&altitude_m)), "{name}");
    }
    assert!(
        matches!(&found("a.kmz", &kmz)[..], [Found::Drive(drive), Found::Ignored { files: 1 }] if drive.title == "Pass")
    );
}

/// Locations of a day: at home, a drive of ten minutes at 15 m/s with a stop of two, at work, and a walk.
fn location_history(write: impl Fn(i64, f64, f64) -> String) -> String {
    let mut at_s = 0;
    let mut lat_deg = 46.5;
    let mut locations = Vec::new();
    let mut put = |steps: i64, every_s: i64, mps: f64| {
        for _ in 0..steps {
            at_s += every_s;
            lat_deg += every_s as f64 * mps / 111_200.0;
            locations.push(write(NINE + at_s * 1000, lat_deg, 10.4));
        }
    };
    put(60, 120, 0.0);
    put(10, 30, 15.0);
    put(2, 60, 0.0);
    put(10, 30, 15.0);
    put(60, 120, 0.0);
    put(20, 60, 1.2);
    locations.join(",")
}

#[test]
fn a_location_history_of_google_gives_the_drives_in_it() {
    let iso = |ms: i64| crate::numbers::iso(Timestamp(ms));
    let e7 = |degrees: f64| (degrees * 1e7).round();
    let records = location_history(|ms, lat, lon| {
        let (at, lat, lon) = (iso(ms), e7(lat), e7(lon));
        format!(
            r#"{{"latitudeE7":{lat},"longitudeE7":{lon},"accuracy":12,"activity":[{{"activity":[{{"type":"IN_VEHICLE","confidence":80}}]}}],"source":"WIFI","timestamp":"{at}"}}"#
        )
    });
    let old = location_history(|ms, lat, lon| {
        format!(r#"{{"timestampMs":"{ms}","latitudeE7":{},"longitudeE7":{},"accuracy":12}}"#, e7(lat), e7(lon))
    });
    let android = location_history(|ms, lat, lon| {
        let at = iso(ms);
        format!(
            r#"{{"startTime":"{at}","endTime":"{at}","timelinePath":[{{"point":"{lat:.7}°, {lon:.7}°","time":"{at}"}}]}}"#
        )
    });
    let signals = location_history(|ms, lat, lon| {
        let at = iso(ms);
        format!(
            r#"{{"position":{{"LatLng":"{lat:.7}°, {lon:.7}°","accuracyMeters":9,"timestamp":"{at}"}}}},{{"wifiScan":{{}}}}"#
        )
    });
    let ios = location_history(|ms, lat, lon| {
        let at = iso(ms - 120_000);
        format!(
            r#"{{"startTime":"{at}","endTime":"{at}","timelinePath":[{{"point":"geo:{lat:.7},{lon:.7}","durationMinutesOffsetFromStartTime":"2"}}]}}"#
        )
    });
    for (name, text, kind) in [
        ("Records.json", format!("{{\"locations\":[{records}]}}"), "Driving"),
        ("Location History.json", format!("{{\n  \"locations\" : [ {old} ]}}"), ""),
        ("Timeline of Android", format!("{{\"semanticSegments\":[{android}],\"rawSignals\":[]}}"), ""),
        ("signals of Android", format!("{{\"rawSignals\":[{signals}],\"userLocationProfile\":{{}}}}"), ""),
        ("Timeline of iOS", format!("[{ios}]"), ""),
    ] {
        let drive = match <[Found; 1]>::try_from(found(name, text.as_bytes())) {
            Ok([Found::Drive(drive)]) => drive,
            other => panic!("{name}: {other:?}"),
        };
        assert_eq!((drive.kind.as_str(), drive.problem_count), (kind, 0), "{name}");
        assert!((8_900.0..9_100.0).contains(&drive.distance_m), "{name}: {} m", drive.distance_m);
        assert_eq!(drive.ended_at.millis_since(drive.started_at), 720_000, "{name}");
    }
    let mut locations: Vec<&str> = old.split_inclusive('}').map(|location| location.trim_start_matches(',')).collect();
    locations.reverse();
    let newest_first = only(format!("{{\"locations\":[{}]}}", locations.join(",")).as_bytes());
    assert!(newest_first.is_reordered && (8_900.0..9_100.0).contains(&newest_first.distance_m), "{newest_first:?}");
    let cut = format!("{{\"locations\":[{}", &records[..records.len() * 2 / 3]);
    assert_eq!(only(cut.as_bytes()).problem_count, 1, "what stands before the damage is read");
    let home = r#"{"locations":[{"latitudeE7":465000000,"longitudeE7":104000000,"timestampMs":"1717232400000"}]}"#;
    assert_eq!(refusal(home.as_bytes()), FileError::NoPositions);
}

#[test]
fn a_location_history_may_be_larger_than_other_files() {
    let padding = "x".repeat(8_000);
    let day = location_history(|ms, lat, lon| {
        let (lat, lon) = ((lat * 1e7).round(), (lon * 1e7).round());
        format!(r#"{{"timestampMs":"{ms}","latitudeE7":{lat},"longitudeE7":{lon},"x":"{padding}"}}"#)
    });
    let days = crate::MAX_BYTES / day.len() + 1;
    let text = format!("{{\"locations\":[{}]}}", vec![day; days].join(","));
    let drives = found("Records.json", text.as_bytes());
    assert!(drives.iter().all(|found| matches!(found, Found::Drive(_))));
    assert_eq!(drives.len(), days);
    // Stored, because so much padding would be a bomb.
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let stored = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    for (name, bytes) in [("Takeout/Location History/Records.json", text.as_bytes()), ("Takeout/a.html", b"<html>")] {
        zip.start_file(name, stored).unwrap();
        zip.write_all(bytes).unwrap();
    }
    let found = found("takeout.zip", &zip.finish().unwrap().into_inner());
    assert_eq!(found.len(), days + 1, "and one other file");
}

#[test]
fn one_file_with_several_tracks_is_several_drives_and_parts_without_times_are_refused() {
    let track = |name: &str, hour: u32| {
        let point = |second| {
            format!("<trkpt lat='46.5{second}' lon='10.4'><time>2024-06-01T{hour:02}:00:0{second}Z</time></trkpt>")
        };
        format!("<trk><name>{name}</name><type>cycling</type><trkseg>{}{}</trkseg></trk>", point(1), point(2))
    };
    let route = "<trk><trkseg><trkpt lat='46.5' lon='10.4'/><trkpt lat='46.6' lon='10.4'/></trkseg></trk>";
    let gpx = format!("<gpx>{}{}{route}</gpx>", track("Up", 9), track("Down", 11));
    let found = found("a.gpx", gpx.as_bytes());
    let [Found::Drive(up), Found::Drive(down), Found::Refused(refused)] = &found[..] else { panic!("{found:?}") };
    assert_eq!((up.title.as_str(), down.title.as_str(), up.kind.as_str()), ("Up", "Down", "cycling"));
    assert_eq!(refused.error, FileError::NoTimes);
}

#[test]
fn what_is_no_drive_is_refused_with_its_reason_and_the_others_are_read() {
    assert_eq!(refusal(b""), FileError::Empty);
    for bytes in [&b"A letter, not a drive."[..], b"<html></html>", b"{\"a\":1}", &[0xff; 300], b"PK\x03"] {
        assert_eq!(refusal(bytes), FileError::UnknownFormat, "{bytes:?}");
    }
    assert_eq!(refusal(b"<gpx></gpx>"), FileError::NoPositions);
    let kml = b"<kml><Placemark><LineString><coordinates>1,2 3,4</coordinates></LineString></Placemark></kml>";
    assert_eq!(refusal(kml), FileError::NoTimes);
    let fit = write(ExportFormat::Fit, "", &[&drive(NINE, 60)]);
    assert_eq!(refusal(&fit[..20]), FileError::NoPositions);
    let damaged =
        [&b"PK\x03\x04"[..], &[0; 40], b"<gpx", &[0x1f, 0x8b, 8, 0, 1], b"{\"type\":\"Feature\"", b"time,lat,lon\n"];
    for bytes in damaged {
        let error = refusal(bytes);
        assert!(!matches!(error, FileError::Empty | FileError::TooLarge), "{bytes:?}: {error:?}");
    }
    let gpx = write(ExportFormat::Gpx, "", &[&drive(NINE, 60)]);
    let zipped =
        archive(&[("a.gpx", &gpx[..gpx.len() / 2]), ("b.gpx", b"<gpx>"), ("c.fit", b"GIF89a"), ("d.gpx", &gpx)]);
    let found = found("a.zip", &zipped);
    let [Found::Drive(half), Found::Refused(refused), Found::Drive(whole), Found::Ignored { files: 1 }] = &found[..]
    else {
        panic!("{found:?}")
    };
    assert!(half.problem_count == 1 && whole.problem_count == 0 && refused.file == "b.gpx");
    let cut = &zipped[..zipped.len() - 30];
    assert!(matches!(refusal(cut), FileError::Damaged { .. }));
}

#[test]
fn bombs_are_refused_alone() {
    let zeros = vec![b' '; 80 << 20];
    let gpx = write(ExportFormat::Gpx, "", &[&drive(NINE, 60)]);
    assert_eq!(refusal(&gzip(&zeros)), FileError::Bomb);
    let zipped = archive(&[("bomb.gpx", &zeros), ("drive.gpx", &gpx), ("bomb.gz", &gzip(&zeros))]);
    let found = found("a.zip", &zipped);
    let [Found::Refused(first), Found::Drive(_), Found::Refused(last)] = &found[..] else { panic!("{found:?}") };
    assert_eq!((&first.error, &last.error), (&FileError::Bomb, &FileError::Bomb));
    let mut nested = gpx;
    for _ in 0..6 {
        nested = archive(&[("inner.zip", &nested)]);
    }
    assert!(
        matches!(&self::found("a.zip", &nested)[..], [Found::Refused(refused)] if refused.error == FileError::Bomb)
    );
    let lols = "<!DOCTYPE gpx [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;\">]><kml><name>&b;</name></kml>";
    assert_eq!(refusal(lols.as_bytes()), FileError::NoPositions);
    let deep = format!("<kml>{}", "<Folder>".repeat(1_000_000));
    assert_eq!(refusal(deep.as_bytes()), FileError::NoPositions);
    let deep = format!("{{\"type\":\"Feature\",\"geometry\":{}", "[".repeat(1_000_000));
    assert!(matches!(refusal(deep.as_bytes()), FileError::Damaged { .. }));
}

#[test]
fn an_archive_may_be_larger_than_its_list_of_files() {
    let (video, gpx) = (vec![0xff; 40 << 20], write(ExportFormat::Gpx, "", &[&drive(NINE, 60)]));
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let stored = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    for (name, bytes) in [("a.mp4", &video), ("b.mp4", &video), ("c.gpx", &gpx)] {
        zip.start_file(name, stored).unwrap();
        zip.write_all(bytes).unwrap();
    }
    let zipped = zip.finish().unwrap().into_inner();
    let found = found("a.zip", &zipped);
    assert!(matches!(&found[..], [Found::Drive(_), Found::Ignored { files: 2 }]), "{:?}", found.first());
}

/// An archive of an account with a drive, its car and other files.
fn account_archive(fixes: &[Fix]) -> Vec<u8> {
    let [drive, car, settings] = [3, 2, 1].map(|byte| DocId::from_bytes([byte; 16]));
    let mut writer = AccountWriter::new();
    let mut bytes = Vec::new();
    writer.add_document(DocKind::Drive, &drive, b"a drive", Some(b"its track")).unwrap();
    writer.add_gpx(&drive, "Pass: up/down\u{e9}", Timestamp(NINE), &[fixes]).unwrap();
    bytes.extend(writer.take());
    writer.add_document(DocKind::Car, &car, b"a car", None).unwrap();
    writer.add_document(DocKind::Settings, &settings, b"settings", None).unwrap();
    writer.add_inbox(1, "anna's phone", fixes).unwrap();
    writer.add_json("drives", "[]").unwrap();
    bytes.extend(writer.take());
    assert!(!bytes.is_empty() && writer.take().is_empty(), "bytes are given out as they are made");
    bytes.extend(writer.finish(AccountId::from_bytes([9; 16]), Timestamp(NINE), vec![car]).unwrap());
    bytes
}

#[test]
fn an_archive_of_an_account_gives_its_documents_in_the_order_of_an_import() {
    let fixes = drive(NINE, 60);
    let archive = account_archive(&fixes);
    let found = found("a.zip", &archive);
    let documents = found.iter().map(|found| match found {
        Found::Document(document) => {
            (document.kind, document.bytes.as_slice(), document.track.as_deref().map(Vec::as_slice))
        }
        other => panic!("{other:?}"),
    });
    let expected = [
        (DocKind::Settings, b"settings".as_slice(), None),
        (DocKind::Car, b"a car".as_slice(), None),
        (DocKind::Drive, b"a drive".as_slice(), Some(b"its track".as_slice())),
    ];
    assert!(documents.eq(expected));
    let mut zip = zip::ZipArchive::new(Cursor::new(&archive)).unwrap();
    let names: Vec<String> = zip.file_names().map(|name| name.unwrap().into_owned()).collect();
    let id = DocId::from_bytes([3; 16]);
    let gpx = format!("gpx/2024-06-01 Pass up down\u{e9} {id}.gpx");
    for name in [gpx.as_str(), "json/drives.json", "inbox/1 anna s phone.gpx"] {
        assert!(names.iter().any(|listed| listed == name), "{name}: {names:?}");
    }
    let mut bytes = Vec::new();
    std::io::copy(&mut zip.by_name(&gpx).unwrap(), &mut bytes).unwrap();
    assert_eq!(self::fixes(&only(&bytes)), fixes);
    let mut writer = AccountWriter::new();
    assert!(writer.add_document(DocKind::Published, &id, b"", None).is_err());
}

#[test]
fn an_archive_of_a_later_version_is_refused_and_one_without_a_manifest_is_read_like_any_other() {
    let gpx = write(ExportFormat::Gpx, "", &[&drive(NINE, 60)]);
    let manifest = |version: u32| {
        let account = AccountId::from_bytes([9; 16]);
        format!(
            r#"{{"format":"tourismo account","version":{version},"account":"{account}","exportedAt":"","missing":[]}}"#
        )
    };
    let car = format!("documents/car/{}.automerge", DocId::from_bytes([2; 16]));
    let of = |manifest: &str| archive(&[("gpx/a.gpx", &gpx), (&car, b"a car"), ("tourismo.json", manifest.as_bytes())]);
    assert!(matches!(&found("a.zip", &of(&manifest(1)))[..], [Found::Document(_)]));
    assert_eq!(refusal(&of(&manifest(2))), FileError::NewerVersion);
    for other in ["", "{}", r#"{"format":"other","version":9}"#] {
        assert!(matches!(&found("a.zip", &of(other))[..], [Found::Drive(_), Found::Ignored { files: 2 }]), "{other}");
    }
    let drive = format!("documents/drive/{}.automerge", DocId::from_bytes([3; 16]));
    let without = archive(&[(&drive, b"a drive"), ("tourismo.json", manifest(1).as_bytes())]);
    assert!(matches!(refusal(&without), FileError::Damaged { .. }), "the track is missing");
}

/// Files of every format, small enough to change their bytes one by one.
fn samples() -> Vec<Vec<u8>> {
    let drive = drive(NINE, 6);
    let mut samples: Vec<Vec<u8>> =
        FORMATS.iter().map(|format| write(*format, "Pass", &[&drive[..3], &drive[3..]])).collect();
    let gpx = samples[0].clone();
    samples.push(archive(&[("a.gpx", &gpx), ("activities.csv", b"a,b,c,d,e\n1,2,3,4,activities/1.fit\n")]));
    samples.push(gzip(&gpx));
    samples.push(account_archive(&drive));
    samples.push(
        b"<kml><Placemark><Track><when>2024-06-01T09:00:00Z</when><coord>1 2 3</coord></Track></Placemark></kml>"
            .to_vec(),
    );
    samples.push(b"<TrainingCenterDatabase><Activity Sport='a'><Trackpoint><Time>2024-06-01T09:00:00Z</Time><Position><LatitudeDegrees>1</LatitudeDegrees></Position></Trackpoint></Activity></TrainingCenterDatabase>".to_vec());
    samples.push(b"$GPRMC,090000,A,4630.0,N,01024.0,E,1,2,010624*00\n$GPGGA,090000,,,,,1,,,5\n".to_vec());
    samples.push(
        b"File created on 01/06/2024\n[column names]\ntime lat long\n[data]\n090000 2790 -624\n090001 2790 -624\n"
            .to_vec(),
    );
    samples
}

fn check_any(bytes: &[u8]) {
    for found in found("any", bytes) {
        if let Found::Drive(drive) = found {
            let fixes = fixes(&drive);
            assert!(fixes.len() >= 2 && fixes.is_sorted_by_key(|fix| fix.fixed_at));
            assert!(fixes.len() <= drive.points as usize && drive.problems.len() <= drive.problem_count as usize);
            // The recorder refuses those at 0, 0.
            if fixes.iter().all(|fix| fix.quantised().is_ok()) {
                assert_eq!(only(&write(ExportFormat::Csv, "", &[&fixes])).source, drive.source);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_bytes_give_drives_or_a_refusal(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        check_any(&bytes);
    }

    #[test]
    fn a_file_with_bytes_changed_moved_or_cut_gives_drives_or_a_refusal(
        sample in 0..11_usize,
        changes in proptest::collection::vec((any::<u16>(), any::<u8>()), 0..4),
        (cut, copied) in (any::<u16>(), any::<bool>()),
    ) {
        let mut bytes = samples().swap_remove(sample);
        for (place, byte) in changes {
            let place = usize::from(place) % bytes.len();
            bytes[place] = byte;
        }
        let cut = usize::from(cut) % bytes.len();
        if copied {
            let tail = bytes[cut..].to_vec();
            bytes.extend(tail);
        } else {
            bytes.truncate(cut.max(1));
        }
        check_any(&bytes);
    }
}

/// The files in this folder beside the repository; none if it is not there, which the output says.
#[expect(clippy::print_stdout, reason = "says whether there was anything to check")]
fn beside(folder: &str) -> Vec<(String, Vec<u8>)> {
    let mut above = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().map(|above| above.join("shared").join(folder));
    let folder = above.find(|folder| folder.is_dir()).unwrap_or_default();
    let Ok(files) = folder.read_dir() else {
        println!("no files beside the repository: nothing to check");
        return Vec::new();
    };
    let mut paths: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    paths.sort();
    paths
        .iter()
        .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read(path).unwrap()))
        .collect()
}

#[test]
#[expect(clippy::print_stdout, reason = "says what was read")]
fn files_of_other_programs_are_read() {
    for (name, bytes) in beside("tracks/import") {
        let found = found(&name, &bytes);
        let [Found::Drive(drive)] = &found[..] else { panic!("{name}: {found:?}") };
        // OpenTracks writes where a recording was paused as latitudes beyond the poles.
        let pauses = if name.starts_with("opentracks") { 2 } else { 0 };
        assert_eq!(drive.problem_count, pauses, "{name}: {:?}", drive.problems);
        assert!(drive.distance_m > 10.0 && fixes(drive).iter().any(|fix| fix.altitude_m.is_some()), "{name}");
        println!("{name}: {} {} {} fixes {:.1} km", drive.title, drive.kind, drive.points, drive.distance_m / 1000.0);
    }
    for (name, bytes) in beside("tracks/aracaju").into_iter().take(5) {
        assert!(matches!(&found(&name, &bytes)[..], [Found::Drive(_)]), "{name}");
    }
}
