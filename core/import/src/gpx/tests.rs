//! Reading GPX files of other programs, and broken ones.

use std::path::Path;

use proptest::prelude::*;
use tourismo_core::time::Timestamp;

use super::*;
use crate::testing;
use crate::write::gpx::write;

const NAMESPACES: &str = "xmlns=\"http://www.topografix.com/GPX/1/1\" xmlns:x=\"urn:x\" \
                          xmlns:g=\"http://www.garmin.com/xmlschemas/TrackPointExtension/v2\" \
                          xmlns:osmand=\"https://osmand.net\"";
const NINE: i64 = 1_717_232_400_000;

/// A file of these track points.
fn gpx(points: &[String]) -> String {
    format!("<gpx {NAMESPACES}><trk><name>Pass</name><trkseg>\n{}\n</trkseg></trk></gpx>", points.join("\n"))
}

/// A track point at a second after nine, with texts before and after its time.
fn point(second: u32, before: &str, after: &str) -> String {
    let time = format!("<time>2024-06-01T09:{:02}:{:02}Z</time>", second / 60, second % 60);
    format!("<trkpt lat=\"46.5\" lon='10.4'>{before}{time}{after}</trkpt>")
}

fn points(count: u32) -> Vec<String> {
    (0..count).map(|second| point(second, "<ele>1200</ele>", "")).collect()
}

#[track_caller]
fn check(text: &str) -> GpxFile {
    read(text.as_bytes()).expect("GPX")
}

fn only(text: &str) -> Fix {
    check(&gpx(&[text.to_owned()])).fixes[0]
}

fn problems(file: &GpxFile) -> Vec<String> {
    file.problems.iter().map(Problem::to_string).collect()
}

#[test]
fn a_written_drive_reads_back_as_it_was() {
    let mut fixes = testing::drive(NINE + 250, 180);
    fixes[5].altitude_m = None;
    fixes[6].speed_mps = None;
    let file = check(&write("Stelvio <east> & back", &fixes));
    let name = Some("Stelvio <east> & back".to_owned());
    assert_eq!(file, GpxFile { name, point_count: fixes.len(), fixes, ..GpxFile::default() });
}

#[test]
fn speed_and_course_are_found_wherever_programs_write_them() {
    let [speed, course] = ["speed>12.5</", "course>90</"];
    for after in [
        format!(
            "<extensions><g:TrackPointExtension><g:{speed}g:speed><g:{course}g:course></g:TrackPointExtension></extensions>"
        ),
        // This prefix is not declared.
        format!(
            "<extensions><ns3:TrackPointExtension><ns3:{speed}ns3:speed><ns3:{course}ns3:course></ns3:TrackPointExtension></extensions>"
        ),
        format!("<extensions><osmand:{speed}osmand:speed><osmand:{course}osmand:course></extensions>"),
        format!("<extensions><{speed}speed><{course}course></extensions>"),
        format!("<{course}course><{speed}speed>"),
    ] {
        let fix = only(&point(0, "", &after));
        assert_eq!((fix.speed_mps, fix.heading_deg), (Some(12.5), Some(90.0)), "{after}");
    }
}

#[test]
fn what_extensions_say_never_replaces_what_the_point_says() {
    let own = "<ele>1200</ele><speed>9</speed>";
    for inner in [
        "<x:lap><x:time>0</x:time><x:ele>3</x:ele><x:speed>99</x:speed></x:lap>",
        "<x:lap><x:time>2020-01-01T00:00:00Z</x:time></x:lap><x:time>2020-01-01T00:00:00Z</x:time>",
        "<time>2020-01-01T00:00:00Z</time><ele>3</ele><speed>99</speed>",
        "<lap><time>2020-01-01T00:00:00Z</time><ele>3</ele><speed>99</speed></lap>",
        "<g:TrackPointExtension><g:speed>99</g:speed><g:time>2020-01-01T00:00:00Z</g:time></g:TrackPointExtension>",
    ] {
        let extensions = format!("<extensions>{inner}</extensions>");
        for text in [point(7, own, &extensions), point(7, &format!("{extensions}{own}"), "")] {
            let fix = only(&text);
            let expected = (Timestamp(NINE + 7_000), Some(1200.0), Some(9.0));
            assert_eq!((fix.fixed_at, fix.altitude_m, fix.speed_mps), expected, "{text}");
        }
    }
    let fix = only(&point(7, "", "<extensions><x:speed>99</x:speed><x:ele>3</x:ele></extensions><x:ele>3</x:ele>"));
    assert_eq!((fix.speed_mps, fix.altitude_m), (None, None), "nobody knows the units of x");
    let file = check(&gpx(&[
        "<trkpt lat='1' lon='2'><extensions><time>2024-06-01T09:00:00Z</time></extensions></trkpt>".to_owned(),
    ]));
    assert_eq!(problems(&file), ["line 2: a track point has no time; it is left out"]);
}

#[test]
fn gpx_is_read_with_a_prefix_in_version_1_0_and_without_a_namespace() {
    let body = "<P:trk><P:trkseg><P:trkpt lat='1' lon='2'><P:time>2024-06-01T09:00:00Z</P:time><P:speed>3</P:speed>\
                </P:trkpt></P:trkseg></P:trk>";
    for text in [
        format!("<P:gpx xmlns:P='http://www.topografix.com/GPX/1/1'>{body}</P:gpx>"),
        format!("<gpx xmlns='http://www.topografix.com/GPX/1/0'>{}</gpx>", body.replace("P:", "")),
        format!("<gpx>{}</gpx>", body.replace("P:", "")),
    ] {
        assert_eq!(check(&text).fixes.len(), 1, "{text}");
        assert_eq!(check(&text).fixes[0].speed_mps, Some(3.0), "{text}");
    }
}

#[test]
fn one_bad_point_costs_one_point_and_is_reported_with_its_line() {
    for (bad, reason) in [
        ("<trkpt lat='46.5' lon='10.4'><ele>1</ele></trkpt>", "a track point has no time; it is left out"),
        ("<trkpt lat='46.5' lon='10.4'/>", "a track point has no time; it is left out"),
        ("<trkpt lat='46.5' lon='10.4'><time/></trkpt>", "a track point has no time; it is left out"),
        ("<trkpt lat='46.5' lon='10.4'><time></time></trkpt>", "a track point has no time; it is left out"),
        (
            "<trkpt lat='46.5' lon='10.4'><time>noon</time></trkpt>",
            "a track point has a time that cannot be read; it is left out",
        ),
        ("<trkpt lat='x' lon='2'></trkpt>", "a track point has no position; it is left out"),
        ("<trkpt lat='NaN' lon='2'></trkpt>", "a track point has no position; it is left out"),
        ("<trkpt/>", "a track point has no position; it is left out"),
        (
            "<trkpt lat='99' lon='2'><time>2024-06-01T09:00:00Z</time></trkpt>",
            "a track point is left out: latitude or longitude is out of range",
        ),
        (
            "<trkpt lat='9' lon='2'><time>1924-06-01T09:00:00Z</time></trkpt>",
            "a track point is left out: the time is not between 1970 and 2200",
        ),
    ] {
        for place in [0, 5, 9] {
            let mut all = points(10);
            all[place] = bad.to_owned();
            let file = check(&gpx(&all));
            assert_eq!((file.fixes.len(), file.point_count), (9, 10), "{bad}");
            assert_eq!(problems(&file), [format!("line {}: {reason}", place + 2)]);
        }
    }
}

#[test]
fn a_value_that_cannot_be_read_costs_that_value() {
    let mut all = points(3);
    all[1] = point(1, "<ele>1200,5</ele><speed>3</speed>", "");
    let file = check(&gpx(&all));
    assert_eq!(file.fixes.iter().map(|fix| fix.altitude_m).collect::<Vec<_>>(), [Some(1200.0), None, Some(1200.0)]);
    assert_eq!(file.fixes[1].speed_mps, Some(3.0));
    let reason = "line 3: a track point has a value of ele that is not a number; the value is left out";
    assert_eq!(problems(&file), [reason]);
}

#[test]
fn a_file_that_breaks_off_keeps_what_stands_before() {
    let whole = gpx(&points(10));
    let place = whole.match_indices("<trkpt").nth(7).unwrap().0;
    let file = check(&whole[..place + 20]);
    assert_eq!((file.fixes.len(), file.problem_count), (7, 1));
    assert!(problems(&file)[0].starts_with("line 9: the file is not XML from here on"), "{:?}", file.problems);
    let file = check(&whole[..place]);
    assert_eq!((file.fixes.len(), problems(&file)), (7, vec!["line 9: the file is cut short".to_owned()]));
    let file = check(&whole.replacen("</ele>", "</el>", 3).replacen("</el>", "</ele>", 2));
    assert_eq!((file.fixes.len(), file.problems[0].line), (2, 4));
}

#[test]
fn encodings_are_decoded() {
    let text = gpx(&points(4)).replace("Pass", "Überetsch");
    let declared = |encoding: &str| format!("<?xml version=\"1.0\" encoding=\"{encoding}\"?>\n{text}");
    let bytes_of = |text: String| text.chars().map(|character| character as u8).collect::<Vec<u8>>();
    let utf16 = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    for bytes in [
        bytes_of(declared("ISO-8859-1")),
        bytes_of(declared("windows-1252")),
        [&[0xff, 0xfe][..], &utf16(&declared("UTF-16"))].concat(),
        utf16(&declared("UTF-16")),
        declared("UTF-8").into_bytes(),
    ] {
        let file = read(&bytes).unwrap();
        assert_eq!((file.name.as_deref(), file.fixes.len(), file.problem_count), (Some("Überetsch"), 4, 0));
    }
    let file = read(&bytes_of(text)).unwrap();
    assert_eq!((file.name.as_deref(), file.fixes.len()), (Some("\u{fffd}beretsch"), 4));
    assert_eq!(problems(&file), ["line 1: some characters are not in the file's encoding"]);
    assert_eq!(
        refusal(b"<?xml version='1.0' encoding='klingon'?><gpx/>"),
        "the file's encoding \"klingon\" is unknown"
    );
}

#[test]
fn a_document_type_is_skipped_and_no_entity_of_its_own_is_expanded() {
    assert_eq!(check(&format!("<?xml version='1.0'?>\n<!DOCTYPE gpx>\n{}", gpx(&points(3)))).fixes.len(), 3);
    let bomb = "<!DOCTYPE gpx [<!ENTITY a \"1\"><!ENTITY b \"&a;&a;&a;\"><!ENTITY c SYSTEM 'file:///etc/passwd'>]>";
    let all = [point(0, "<ele>&b;</ele>", ""), "<trkpt lat='&a;' lon='2'></trkpt>".to_owned(), point(2, "", "")];
    let file = check(&format!("{bomb}{}", gpx(&all).replace("Pass", "&c; &lt;&#65;")));
    assert_eq!(file.name.as_deref(), Some("&c; <A"));
    assert_eq!((file.fixes.len(), file.fixes[0].altitude_m, file.problem_count), (2, None, 2));
}

#[test]
fn points_are_in_the_order_of_time_and_those_of_one_time_in_that_of_the_file() {
    let mut all = points(120);
    all.reverse();
    let file = check(&gpx(&all));
    assert!(file.is_reordered && file.fixes.len() == 120);
    assert!(file.fixes.windows(2).all(|pair| pair[1].fixed_at - 1_000 == pair[0].fixed_at));
    let at = |second, ele: u32| point(second, &format!("<ele>{ele}</ele>"), "");
    let file = check(&gpx(&[at(5, 1), at(3, 2), at(5, 3), at(3, 4)]));
    let altitudes: Vec<_> = file.fixes.iter().filter_map(|fix| fix.altitude_m).collect();
    assert_eq!(altitudes, [2.0, 4.0, 1.0, 3.0]);
    assert!(!check(&gpx(&points(3))).is_reordered);
}

fn refusal(bytes: &[u8]) -> String {
    read(bytes).unwrap_err().to_string()
}

#[test]
fn what_is_no_gpx_is_refused_with_its_reason() {
    for text in ["", "<html></html>", "A letter, not a drive.", "<gpx/><gpx/>", "\u{ff}\u{fe}\0"] {
        assert_eq!(refusal(text.as_bytes()), "the file is not GPX", "{text}");
    }
    assert_eq!(refusal(b"<gpx><trk>"), "the file is cut short");
    assert!(refusal(b"<gpx>\n</trk>").starts_with("line 2: the file is not XML"));
    assert!(matches!(read(&vec![b' '; MAX_BYTES + 1]), Err(GpxError::TooLarge { .. })));
    let deep = format!("<gpx>{}", "<a>".repeat(100_000));
    assert!(refusal(deep.as_bytes()).starts_with("line 1: the file is not XML"));
}

#[test]
fn of_many_problems_the_first_are_told_and_all_are_counted() {
    let file = check(&gpx(&vec!["<trkpt/>".to_owned(); 5_000]));
    assert_eq!((file.fixes.len(), file.point_count, file.problem_count), (0, 5_000, 5_000));
    assert_eq!(file.problems.len(), MAX_PROBLEMS);
}

/// Pieces of GPX in any order, and noise between them.
fn pieces() -> impl Strategy<Value = Vec<u8>> {
    let known = [
        "<?xml version='1.0' encoding='ISO-8859-1'?>",
        "<gpx>",
        "</gpx>",
        "<gpx xmlns='a' xmlns:b='c'>",
        "<trk>",
        "</trk>",
        "<trkseg>",
        "</trkseg>",
        "<trkpt lat='1' lon='2'>",
        "<trkpt lat=",
        "</trkpt>",
        "<time>",
        "</time>",
        "<ele>",
        "</ele>",
        "2024-06-01T09:00:00Z",
        "1e999",
        "&a;",
        "&#0;",
        "&",
        "<![CDATA[",
        "]]>",
        "<!--",
        "-->",
        "<!DOCTYPE gpx [",
        "]>",
        "<extensions>",
        "</extensions>",
        "<b:TrackPointExtension>",
        "<b:speed>3</b:speed>",
        "\u{feff}",
        "\n",
    ];
    let piece = prop_oneof![
        9 => proptest::sample::select(known.to_vec()).prop_map(|text| text.as_bytes().to_vec()),
        1 => proptest::collection::vec(any::<u8>(), 0..8),
    ];
    proptest::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

fn check_any(bytes: &[u8]) {
    if let Ok(file) = read(bytes) {
        assert!(file.fixes.len() <= file.point_count && file.problems.len() <= file.problem_count);
        assert!(file.point_count <= bytes.len() / 6, "no point comes from nothing");
        assert!(file.fixes.is_sorted_by_key(|fix| fix.fixed_at));
        assert!(file.fixes.len() == file.point_count || file.problem_count > 0, "what is left out is reported");
        assert!(file.name.as_ref().is_none_or(|name| name.len() <= 3 * bytes.len()));
        let again = check(&write("drive", &file.fixes));
        assert_eq!((again.fixes, again.problem_count), (file.fixes, 0));
    }
}

proptest! {
    #[test]
    fn any_bytes_give_a_report_or_an_error(bytes in pieces(), noise in proptest::collection::vec(any::<u8>(), 0..200)) {
        check_any(&bytes);
        check_any(&noise);
    }

    #[test]
    fn a_file_with_any_byte_changed_gives_a_report_or_an_error(place in 0..1_200_usize, byte in any::<u8>(), wide in any::<bool>()) {
        let text = gpx(&points(8));
        let mut bytes = if wide { text.encode_utf16().flat_map(u16::to_be_bytes).collect() } else { text.into_bytes() };
        let place = place % bytes.len();
        bytes[place] = byte;
        check_any(&bytes);
    }
}

/// Returns the files in this folder beside the repository; none if it does not exist, which is printed.
#[expect(clippy::print_stdout, reason = "says whether there was anything to check")]
fn beside(folder: &str) -> Vec<(String, Vec<u8>)> {
    let mut above = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().map(|above| above.join("shared").join(folder));
    let folder = above.find(|folder| folder.is_dir()).unwrap_or_default();
    let Ok(files) = folder.read_dir() else {
        println!("no files beside the repository: nothing to check");
        return Vec::new();
    };
    let mut paths: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "gpx"));
    paths.sort();
    paths
        .iter()
        .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read(path).unwrap()))
        .collect()
}

#[test]
fn files_that_failed_elsewhere_lose_no_point_that_has_a_time() {
    for (name, bytes) in beside("cases/gpx") {
        let file = read(&bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
        let lost = match name.as_str() {
            "g02-first-and-last-without-time.gpx" => 2,
            "g03-one-empty-time.gpx" => 1,
            _ => 0,
        };
        assert_eq!(file.fixes.len() + lost, file.point_count, "{name}: {:?}", file.problems);
        assert!(file.point_count >= 100 && file.fixes.iter().all(|fix| fix.fixed_at > Timestamp(NINE)), "{name}");
    }
}

#[test]
fn files_of_other_programs_are_read_whole() {
    for (name, bytes) in beside("tracks/import") {
        let file = read(&bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(file.problem_count, file.point_count - file.fixes.len(), "{name}: {:?}", file.problems);
        // OpenTracks writes pauses as latitudes beyond the poles.
        let pauses = if name.starts_with("opentracks") { 2 } else { 0 };
        assert_eq!(file.problem_count, pauses, "{name}: {:?}", file.problems);
        assert!(file.fixes.iter().any(|fix| fix.altitude_m.is_some()), "{name}");
    }
}
