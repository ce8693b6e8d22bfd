//! Attackers find no more of the homes of made people than PRIVACY.md says.

use std::collections::BTreeSet;

use tourismo_core::geodesy::{Position, distance_m};
use tourismo_tests::home_attack::attackers::Attack;
use tourismo_tests::home_attack::people::Person;
use tourismo_tests::home_attack::{Setting, measure, relayed, shown_if_first_positions_were_trusted};

use super::support::PATIENCE;

#[test]
fn attackers_who_know_the_rules_and_the_streets_find_few_homes() {
    let report = measure(25, &Attack::ALL, &[Setting::Twenty]);
    for ((_, attack), figures) in &report.found {
        eprintln!("{attack:?}: {figures:?}");
        // What they found when this was written: people and drives are the same in each run.
        let most = match attack {
            Attack::Circle => [0.0, 0.0, 0.08, 0.24],
            Attack::StreetDistance => [0.0, 0.0, 0.04, 0.16],
            Attack::Inversion => [0.0, 0.0, 0.04, 0.16],
            Attack::Route => [0.0, 0.0, 0.0, 0.24],
        };
        let is_no_more = figures.within.iter().zip(most).all(|(found, most)| *found <= most + 1e-9);
        assert!(is_no_more && figures.median_m2 >= 80_000.0, "{attack:?}: {figures:?}");
    }
    assert!(report.lost <= 0.0, "nothing is left of {:.3} of the drives of more than 5 km", report.lost);
}

#[test]
fn the_same_attackers_find_most_homes_where_only_the_ends_of_drives_are_hidden() {
    let report = measure(15, &[Attack::StreetDistance], &[Setting::Ends, Setting::Twenty]);
    let [before, after] =
        [Setting::Ends, Setting::Twenty].map(|setting| report.found[&(setting, Attack::StreetDistance)]);
    eprintln!("{before:?} {after:?}");
    assert!(before.within[2] >= 0.5, "{before:?}");
    assert!(after.within[2] <= before.within[2] / 2.0 && after.median_m2 > 10.0 * before.median_m2, "{after:?}");
}

#[test]
fn a_wrong_first_position_shows_nothing_near_a_home_and_would_if_it_were_trusted() {
    let report = measure(10, &[], &[]);
    for (kind, off_m) in [("first position 500 m off", 500.0), ("first position 2 km off", 2_000.0)] {
        assert_eq!(report.stays_shown.get(kind), Some(&0.0), "{kind}");
        let trusted = shown_if_first_positions_were_trusted(40, off_m);
        assert!(trusted > 0.3, "{kind}: the attack finds the fault in {trusted}");
    }
    assert!(report.stays_shown.values().all(|shown| *shown == 0.0), "{:?}", report.stays_shown);
}

/// Every position in an answer: pairs of coordinates in JSON, and attributes in GPX.
fn positions(body: &str) -> Vec<Position> {
    let number = |text: &str| text.split(['"', ',', ']', '[']).next().and_then(|text| text.trim().parse::<f64>().ok());
    // A corner of a box is no position of a drive.
    let arrays = body.match_indices('[').filter(|(at, _)| !body[..*at].ends_with("\"bbox\":"));
    let in_json = arrays.filter_map(|(at, _)| {
        let (lon, rest) = body[at + 1..].split_once(',')?;
        Some(Position { lon_deg: lon.trim().parse().ok()?, lat_deg: number(rest)? })
    });
    let in_gpx = body.split("lat=\"").skip(1).filter_map(|text| {
        let (lat, rest) = text.split_once('"')?;
        Some(Position { lat_deg: lat.parse().ok()?, lon_deg: number(rest.split_once("lon=\"")?.1)? })
    });
    in_json.chain(in_gpx).collect()
}

#[tokio::test]
async fn the_relay_shows_nothing_inside_a_zone_also_of_drives_that_were_published_before_the_place_was_known()
-> anyhow::Result<()> {
    let (relay, _folder) = relayed::relay().await?;
    for seed in [0, 3] {
        let person = Person::random(seed, 12);
        let read = relayed::publish(&person, seed, relay.addr(), PATIENCE).await?;
        assert!(read.shown.len() >= 8, "only {} drives of person {seed} are public", read.shown.len());
        let home = person.plane.unproject(person.home_at().0, person.home_at().1);
        let at = |[lon_deg, lat_deg]: [f64; 2]| Position { lat_deg, lon_deg };
        assert!(read.places.iter().any(|place| distance_m(at(place.position), home) < 250.0), "the home was found");
        // The attack of the phone itself looks at the hole around the home, too.
        let home_found = read.places.iter().find(|place| distance_m(at(place.position), home) < 250.0);
        let look = read.looks.iter().find(|look| look.place == home_found.map(|place| place.id));
        let look = look.unwrap_or_else(|| panic!("{:?}", read.looks));
        assert!(look.ends >= 8 && look.searched_m2 > 100_000.0 && look.off_m.is_some(), "{look:?}");
        let (mut seen, mut kinds) = (0, BTreeSet::new());
        for (path, answer) in &read.answers {
            let body = String::from_utf8(answer.body.clone())?;
            for position in positions(&body) {
                for zone in read.places.iter().filter_map(|place| place.zone) {
                    let off_m = distance_m(at(zone.center), position);
                    assert!(off_m > zone.radius_m - 1.0, "{path}: {position:?} is {off_m:.0} m from a centre");
                }
                seen += 1;
                kinds.insert(path.ends_with("gpx"));
            }
            let headers = answer.headers.iter().map(|(name, value)| format!("{name}: {value}\n")).collect::<String>();
            for id in read.places.iter().map(|place| place.id.to_string()) {
                assert!(!body.contains(&id) && !headers.contains(&id), "{path} contains the id of a place");
            }
            if answer.header("content-type").contains("geo+json") {
                let started_at = answer.json()["properties"]["startedAt"].as_i64();
                assert_eq!(started_at.map(|at| at % 3_600_000), Some(0), "{path}: a full hour");
            }
        }
        assert!(seen > 3_000 && kinds.len() == 2, "{seen} positions were read");
    }
    relay.shutdown().await;
    Ok(())
}
