//! Looks for the homes of made people in what the core publishes of their drives.
//!
//! The attackers know the rules and the streets and see every public drive; they lack only the secrets of the places. What
//! they find is written to PRIVACY.md, and a test fails when they find more.

pub mod attackers;
pub mod people;
pub mod relayed;
pub mod streets;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use tourismo_core::fix::Fix;
use tourismo_core::geodesy::Position;
use tourismo_core::privacy::RedactError;
use tourismo_core::privacy::places::{Place, ZoneSize, unknown_stops};
use tourismo_core::privacy::stops::stops;
use tourismo_core::privacy::zones::Zone;

use self::attackers::{Attack, Evidence, Found};
use self::people::{Person, Shown, new_place, stretch};
use self::streets::{distance_m, unit};
use crate::sim::SimRng;

/// What an attacker has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Setting {
    /// Five public drives.
    Five,
    /// Twenty public drives.
    Twenty,
    /// Twenty drives, published before and after the zone was enlarged.
    Enlarged,
    /// Twenty drives, published by two devices that had each found the home by itself, and again after they met.
    TwoDevices,
    /// Twenty drives with large zones.
    Large,
    /// Twenty drives of people who prefer some streets for good.
    Preferences,
    /// Twenty drives without their first and last 300 m, as versions without places showed them.
    Ends,
    /// Twenty drives, as a relay answers them after a phone published each as soon as it was recorded.
    Relayed,
}

impl Setting {
    /// All settings that need no relay.
    pub const ALL: [Setting; 7] = [
        Setting::Five,
        Setting::Twenty,
        Setting::Enlarged,
        Setting::TwoDevices,
        Setting::Large,
        Setting::Preferences,
        Setting::Ends,
    ];

    fn name(self) -> &'static str {
        match self {
            Setting::Five => "5 drives",
            Setting::Twenty => "20 drives",
            Setting::Enlarged => "20 drives, seen before and after the zone was enlarged",
            Setting::TwoDevices => "20 drives of two devices that had not met, and again after they met",
            Setting::Large => "20 drives, large zones",
            Setting::Preferences => "20 drives of people who prefer some streets",
            Setting::Ends => "20 drives of which only the first and last 300 m were hidden, as before",
            Setting::Relayed => "20 drives, read from a relay",
        }
    }
}

/// The figures of an attack over all people.
#[derive(Clone, Copy, Debug, Default)]
pub struct Figures {
    /// The parts of the people whose home is within 25, 50, 100 and 250 m of the best guess.
    pub within: [f64; 4],
    /// The median of the land that is searched, square metres.
    pub median_m2: f64,
    /// How many people.
    pub people: usize,
}

/// Everything that was measured.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// What each attack found in each setting.
    pub found: BTreeMap<(Setting, Attack), Figures>,
    /// The part of the drives of more than 5 km of which nothing is left to publish.
    pub lost: f64,
    /// The part of the drives with a stay at home in the middle that show anything within 250 m of it, by kind of stay.
    pub stays_shown: BTreeMap<&'static str, f64>,
    /// What is hidden of a drive at the home's end, metres along the way, on average.
    pub hidden_m: f64,
    /// What redaction costs for each fix and place, nanoseconds.
    pub cost_ns: f64,
}

const DRIVES: usize = 20;

/// Attacks so many people.
pub fn measure(people: u64, attacks: &[Attack], settings: &[Setting]) -> Report {
    let mut found: BTreeMap<(Setting, Attack), Vec<Found>> = BTreeMap::new();
    let mut stays: BTreeMap<&'static str, (u32, u32)> = BTreeMap::new();
    let (mut lost, mut long, mut hidden_m, mut ends, mut spent_ns, mut looks) = (0, 0, 0.0, 0.0, 0.0, 0.0);
    for seed in 0..people {
        let person = Person::random(seed, DRIVES);
        let places = person.places(seed, &[]);
        let began = Instant::now();
        let shown = person.shown(&places);
        spent_ns += began.elapsed().as_nanos() as f64;
        looks += person.drives.iter().map(|drive| drive.fixes.len() * places.len()).sum::<usize>() as f64;
        for (drive, shown) in person.drives.iter().zip(&shown) {
            long += u32::from(way_m(&person, &drive.fixes) > 5_000.0);
            lost += u32::from(way_m(&person, &drive.fixes) > 5_000.0 && matches!(shown, Err(RedactError::NothingLeft)));
            if let Ok(shown) = shown {
                let end = if shown.is_outbound { shown.points[0] } else { shown.points[shown.points.len() - 1] };
                (hidden_m, ends) = (hidden_m + distance_m(end, person.home_at()), ends + 1.0);
            }
        }
        let shown: Vec<Shown> = shown.into_iter().flatten().collect();
        let other = settings.contains(&Setting::Preferences).then(|| Person::with_preferences(seed, DRIVES));
        let other_shown =
            other.as_ref().map(|other| other.shown(&other.places(seed, &[])).into_iter().flatten().collect());
        let other_shown: Vec<Shown> = other_shown.unwrap_or_default();
        for setting in settings {
            let (subject, shown) = match (setting, &other) {
                (Setting::Preferences, Some(other)) => (other, &other_shown),
                _ => (&person, &shown),
            };
            let sets = sets(subject, seed, *setting, &places, shown);
            let evidence: Vec<(Evidence<'_>, ZoneSize)> =
                sets.iter().filter_map(|(shown, size)| Some((Evidence::of(subject, shown)?, *size))).collect();
            // The other attacks are about zones.
            let applies = |attack: &&Attack| {
                *setting != Setting::Ends || matches!(attack, Attack::Circle | Attack::StreetDistance)
            };
            for attack in attacks.iter().filter(|_| !evidence.is_empty()).filter(applies) {
                found.entry((*setting, *attack)).or_default().push(Evidence::attack(&evidence, *attack));
            }
        }
        for (kind, is_shown) in stays_shown(&person, seed, &places) {
            let counted = stays.entry(kind).or_default();
            *counted = (counted.0 + u32::from(is_shown), counted.1 + 1);
        }
    }
    Report {
        found: found.into_iter().map(|(key, found)| (key, figures(&found))).collect(),
        lost: f64::from(lost) / f64::from(long.max(1)),
        stays_shown: stays.into_iter().map(|(kind, (shown, all))| (kind, f64::from(shown) / f64::from(all))).collect(),
        hidden_m: hidden_m / f64::max(ends, 1.0),
        cost_ns: spent_ns / f64::max(looks, 1.0),
    }
}

/// Attacks so many people by what a relay answers of the drives that their phones published.
///
/// # Errors
/// If a phone or the relay refuses anything.
pub async fn measure_relayed(
    people: u64,
    attacks: &[Attack],
    patience: Duration,
) -> anyhow::Result<BTreeMap<(Setting, Attack), Figures>> {
    let mut found: BTreeMap<(Setting, Attack), Vec<Found>> = BTreeMap::new();
    let (relay, _folder) = relayed::relay().await?;
    for seed in 0..people {
        let person = Person::random(seed, DRIVES);
        let shown = relayed::publish(&person, seed, relay.addr(), patience).await?.shown;
        let Some(evidence) = Evidence::of(&person, &shown) else { continue };
        let sets = [(evidence, ZoneSize::Standard)];
        for attack in attacks {
            found.entry((Setting::Relayed, *attack)).or_default().push(Evidence::attack(&sets, *attack));
        }
    }
    relay.shutdown().await;
    Ok(found.into_iter().map(|(key, found)| (key, figures(&found))).collect())
}

/// The sets of public drives that an attacker has seen, each with the size of the zones.
fn sets(
    person: &Person,
    seed: u64,
    setting: Setting,
    places: &[Place],
    shown: &[Shown],
) -> Vec<(Vec<Shown>, ZoneSize)> {
    let with_size = |size| places.iter().map(|place| Place { size, ..*place }).collect::<Vec<Place>>();
    let redacted = |places: &[Place]| person.shown(places).into_iter().flatten().collect::<Vec<Shown>>();
    match setting {
        Setting::Ends => vec![(person.shown_but_ends(), ZoneSize::Standard)],
        Setting::Five => vec![(shown.iter().take(5).cloned().collect(), ZoneSize::Standard)],
        Setting::Twenty | Setting::Preferences | Setting::Relayed => vec![(shown.to_vec(), ZoneSize::Standard)],
        Setting::Large => vec![(redacted(&with_size(ZoneSize::Large)), ZoneSize::Large)],
        Setting::Enlarged => {
            vec![(shown.to_vec(), ZoneSize::Standard), (redacted(&with_size(ZoneSize::Large)), ZoneSize::Large)]
        }
        Setting::TwoDevices => {
            let other = person.places(seed + 1_000_000, &[]);
            let (ours, theirs) = (shown.iter().step_by(2).cloned().collect(), redacted(&other));
            let both: Vec<Place> = places.iter().chain(&other).copied().collect();
            // The drives of both hide both zones in the end; what an attacker had saved before shows one.
            let theirs = theirs.into_iter().skip(1).step_by(2).chain(redacted(&both)).collect();
            vec![(ours, ZoneSize::Standard), (theirs, ZoneSize::Standard)]
        }
    }
}

/// Drives from one far place to another with a stay at home in the middle, and drives from home whose first position is
/// wrong: whether anything near the home is shown.
fn stays_shown(person: &Person, seed: u64, places: &[Place]) -> Vec<(&'static str, bool)> {
    let mut rng = SimRng::new(seed + 7);
    let [there, back] = [&person.drives[1].fixes, &person.drives[0].fixes];
    let mut kinds = Vec::new();
    for (kind, stay_s, is_known, measures) in [
        ("20 minutes at home", 1_200, true, true),
        ("20 minutes at a home that no other drive knows", 1_200, false, true),
        ("a night without measurements", 36_000, false, false),
        ("two minutes at a known home", 120, true, true),
    ] {
        let mut fixes = there.clone();
        let last = fixes[fixes.len() - 1];
        let steps = if measures { stay_s } else { 0 };
        for second in 1..=steps {
            let at = last.fixed_at + second * 1_000;
            fixes.push(Fix { fixed_at: at, recorded_at: at, ..last });
        }
        let begins = last.fixed_at + (stay_s + 5) * 1_000;
        fixes.extend(back.iter().map(|fix| {
            let at = begins + fix.fixed_at.millis_since(back[0].fixed_at);
            Fix { fixed_at: at, recorded_at: at, ..*fix }
        }));
        let mut places = if is_known { places.to_vec() } else { Vec::new() };
        for position in unknown_stops(&stops(&fixes), &places) {
            places.push(new_place(position, &mut rng));
        }
        kinds.push((kind, is_near_shown(person, &fixes, &places, (&last).into())));
    }
    for (kind, off_m) in [("first position 500 m off", 500.0), ("first position 2 km off", 2_000.0)] {
        let (fixes, home) = with_wrong_first(person, back, off_m, &mut rng);
        // No other drive knows the home.
        let found = unknown_stops(&stops(&fixes), &[]);
        let places: Vec<Place> = found.into_iter().map(|position| new_place(position, &mut rng)).collect();
        kinds.push((kind, is_near_shown(person, &fixes, &places, home)));
    }
    kinds
}

/// A drive from home of which the first position is so far off, in any direction, and where the home is.
fn with_wrong_first(person: &Person, drive: &[Fix], off_m: f64, rng: &mut SimRng) -> (Vec<Fix>, Position) {
    let mut fixes = drive.to_vec();
    let home = Position::from(&fixes[0]);
    let (east_m, north_m) = person.plane.project_m(home);
    let (sin, cos) = libm::sincos(unit(rng) * std::f64::consts::TAU);
    let wrong = person.plane.unproject(east_m + off_m * sin, north_m + off_m * cos);
    let wrong = Fix { lat_deg: wrong.lat_deg, lon_deg: wrong.lon_deg, ..fixes[0] };
    fixes[0] = wrong.quantised().expect("it is on earth");
    (fixes, home)
}

/// The part of the drives with a first position so far off that would show something within 250 m of the home if a drive
/// stopped only at its first and last position: the fault that [`Report::stays_shown`] is to find.
pub fn shown_if_first_positions_were_trusted(people: u64, off_m: f64) -> f64 {
    let is_shown = |seed: u64| {
        let (person, mut rng) = (Person::random(seed, 2), SimRng::new(seed + 7));
        let (fixes, home) = with_wrong_first(&person, &person.drives[0].fixes, off_m, &mut rng);
        let ends = [&fixes[0], &fixes[fixes.len() - 1]];
        let zones: Vec<Zone> = ends.into_iter().filter_map(|end| new_place(end.into(), &mut rng).zone()).collect();
        let home = person.plane.project_m(home);
        let is_near = |fix: &&Fix| distance_m(person.plane.project_m((*fix).into()), home) < 250.0;
        fixes.iter().filter(is_near).any(|fix| !zones.iter().any(|zone| zone.holds(Position::from(fix).into())))
    };
    (0..people).filter(|seed| is_shown(*seed)).count() as f64 / people.max(1) as f64
}

/// Whether anything within 250 m of a position is shown of a drive.
fn is_near_shown(person: &Person, fixes: &[Fix], places: &[Place], of: Position) -> bool {
    let of = person.plane.project_m(of);
    tourismo_core::privacy::redact(&stretch(fixes), places)
        .is_ok_and(|shown| shown.fixes.iter().any(|fix| distance_m(person.plane.project_m(fix.into()), of) < 250.0))
}

fn way_m(person: &Person, fixes: &[Fix]) -> f64 {
    let points: Vec<_> = fixes.iter().step_by(5).map(|fix| person.plane.project_m(fix.into())).collect();
    points.windows(2).map(|pair| distance_m(pair[0], pair[1])).sum()
}

fn figures(found: &[Found]) -> Figures {
    let part =
        |within_m: f64| found.iter().filter(|found| found.off_m <= within_m).count() as f64 / found.len().max(1) as f64;
    let mut searched: Vec<f64> = found.iter().map(|found| found.searched_m2).collect();
    searched.sort_by(f64::total_cmp);
    Figures {
        within: [25.0, 50.0, 100.0, 250.0].map(part),
        median_m2: searched.get(searched.len() / 2).copied().unwrap_or_default(),
        people: found.len(),
    }
}

/// The report as Markdown.
pub fn table(report: &Report) -> String {
    let name = |attack: Attack| match attack {
        Attack::Circle => "circle through the shown ends",
        Attack::StreetDistance => "distances along the streets",
        Attack::Inversion => "inversion of the rules",
        Attack::Route => "inversion of the rules, and routes",
    };
    let percent = |part: f64| format!("{:.0} %", 100.0 * part);
    let mut lines = vec![
        "| what the attacker has | attack | within 25 m | 50 m | 100 m | 250 m | median land searched |".to_owned(),
        "|---|---|--:|--:|--:|--:|--:|".to_owned(),
    ];
    let people = report.found.values().map(|figures| figures.people).max().unwrap_or_default();
    for ((setting, attack), Figures { within, median_m2, people: of_setting }) in &report.found {
        let [a, b, c, d] = within.map(percent);
        let fewer = if *of_setting < people { format!(" ({of_setting} people)") } else { String::new() };
        lines.push(format!(
            "| {}{fewer} | {} | {a} | {b} | {c} | {d} | {} m² |",
            setting.name(),
            name(*attack),
            thousands((median_m2 / 100.0).round() as u64 * 100)
        ));
    }
    lines.push(String::new());
    lines.push(format!(
        "{people} people with {DRIVES} drives each. Drives of more than 5 km of which nothing is left to publish: {:.1} %. \
         Distance from the home to the first shown position: {:.0} m on average.",
        100.0 * report.lost,
        report.hidden_m
    ));
    lines.push(String::new());
    lines.push("| drive | shows something within 250 m of the home |".to_owned());
    lines.push("|---|--:|".to_owned());
    lines.extend(report.stays_shown.iter().map(|(kind, part)| format!("| {kind} | {} |", percent(*part))));
    lines.join("\n")
}

/// A number with a comma between thousands.
fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let parts = digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy);
    parts.collect::<Vec<_>>().join(",")
}
