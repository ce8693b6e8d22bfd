//! Logs of Racelogic's VBOX: minutes of arc, longitudes positive to the west, times of the day in UTC.

use tourismo_core::fix::Fix;
use tourismo_core::time::Timestamp;

use crate::found::{Draft, FileError};
use crate::numbers::{bare_fix, days_since_1970, number_of, time_of_day};

const DAY_MS: i64 = 86_400_000;

/// Reads a log.
pub(crate) fn read(bytes: &[u8]) -> Result<Vec<Draft>, FileError> {
    let text = String::from_utf8_lossy(bytes);
    let (mut section, mut names) = (String::new(), Vec::<String>::new());
    let (mut day, mut before_ms) = (created(&text), None);
    let mut draft = Draft::default();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if let Some(name) = line.strip_prefix('[') {
            section = name.trim_end_matches(']').to_lowercase();
            continue;
        }
        match section.as_str() {
            "column names" if !line.is_empty() => {
                names = line.split_whitespace().map(str::to_lowercase).collect();
            }
            "data" if !line.is_empty() => {
                draft.points += 1;
                let cells: Vec<&str> = line.split_whitespace().collect();
                let cell = |name: &str| cells.get(names.iter().position(|one| one == name)?).copied();
                let Some(time_ms) = cell("time").and_then(time_of_day) else {
                    draft.without_time += 1;
                    draft.note(|| format!("line {}: it has no time", index + 1));
                    continue;
                };
                if before_ms.is_some_and(|before_ms| time_ms < before_ms - DAY_MS / 2) {
                    day = day.map(|day| day + 1);
                }
                before_ms = Some(time_ms);
                let minutes = |name: &str| cell(name).and_then(number_of).map(|minutes| minutes / 60.0);
                let (Some(day), Some(lat_deg), Some(west_deg)) = (day, minutes("lat"), minutes("long")) else {
                    draft.without_time += usize::from(day.is_none());
                    draft.note(|| format!("line {}: it has no position, or the log no date", index + 1));
                    continue;
                };
                let fix = Fix {
                    altitude_m: cell("height").and_then(number_of),
                    heading_deg: cell("heading").and_then(number_of),
                    speed_mps: cell("velocity").and_then(number_of).map(|kmh| kmh / 3.6),
                    ..bare_fix(Timestamp(day * DAY_MS + time_ms), lat_deg, -west_deg)
                };
                draft.add(fix, || format!("line {}", index + 1));
            }
            _ => {}
        }
    }
    Ok(vec![draft])
}

/// Reads the day of "File created on 14/06/2024 at 09:05:00" as days since 1970.
fn created(text: &str) -> Option<i64> {
    let (_, rest) = text.split_once("File created on ")?;
    let mut numbers = rest.split(|character: char| !character.is_ascii_digit()).map(str::parse::<i64>);
    let (day, month, year) = (numbers.next()?.ok()?, numbers.next()?.ok()?, numbers.next()?.ok()?);
    days_since_1970(year, month, day)
}
