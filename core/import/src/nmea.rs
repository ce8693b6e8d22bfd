//! Logs of NMEA 0183 sentences: RMC has the date, GGA the altitude.
//!
//! Own code, because a drive needs two kinds of sentences. The crate `nmea` reads many more and depends on two parsers.

use tourismo_core::fix::Fix;
use tourismo_core::time::Timestamp;

use crate::found::{Draft, FileError};
use crate::numbers::{bare_fix, days_since_1970, number_of, time_of_day};

const DAY_MS: i64 = 86_400_000;
const MPS_PER_KNOT: f64 = 1852.0 / 3600.0;

/// A log that is being read.
#[derive(Default)]
struct Reading {
    draft: Draft,
    /// The day of the last RMC sentence, days since 1970.
    day: Option<i64>,
    /// The time of the day of the sentences that belong to `fix`.
    time_ms: Option<i64>,
    fix: Option<Fix>,
    altitude_m: Option<f64>,
}

/// Reads a log.
pub(crate) fn read(bytes: &[u8]) -> Result<Vec<Draft>, FileError> {
    let mut reading = Reading::default();
    let (mut damaged, mut first) = (0, 0);
    for (index, line) in bytes.split(|byte| matches!(byte, b'\n' | b'\r')).enumerate() {
        let Some(start) = line.iter().position(|byte| *byte == b'$') else { continue };
        let sentence = str::from_utf8(&line[start + 1..]).ok().and_then(checked);
        match sentence {
            Some(sentence) => reading.take(sentence),
            None => {
                damaged += 1;
                first = if damaged == 1 { index + 1 } else { first };
            }
        }
    }
    reading.flush();
    let note = || format!("{damaged} sentences are damaged, the first in line {first}");
    reading.draft.note_many(damaged, note);
    Ok(vec![reading.draft])
}

/// Returns a sentence without its checksum; none if the checksum differs.
fn checked(sentence: &str) -> Option<&str> {
    let Some((sentence, checksum)) = sentence.split_once('*') else { return Some(sentence) };
    let sum = sentence.bytes().fold(0, |sum, byte| sum ^ byte);
    (u8::from_str_radix(checksum.trim(), 16) == Ok(sum)).then_some(sentence)
}

impl Reading {
    fn take(&mut self, sentence: &str) {
        let mut fields = sentence.split(',');
        let kind = fields.next().unwrap_or_default();
        let fields: Vec<&str> = fields.take(12).collect();
        let field = |index: usize| fields.get(index).copied().unwrap_or_default();
        let Some(time_ms) = time_of_day(field(0)) else { return };
        match kind.get(kind.len().saturating_sub(3)..) {
            Some("RMC") => {
                self.begin(time_ms);
                self.draft.points += 1;
                self.day = day(field(8)).or(self.day);
                let (Some(day), "A") = (self.day, field(1)) else { return };
                let (Some(lat_deg), Some(lon_deg)) = (degrees(field(2), field(3)), degrees(field(4), field(5))) else {
                    return;
                };
                self.fix = Some(Fix {
                    speed_mps: number_of(field(6)).map(|knots| knots * MPS_PER_KNOT),
                    heading_deg: number_of(field(7)),
                    ..bare_fix(Timestamp(day * DAY_MS + time_ms), lat_deg, lon_deg)
                });
            }
            Some("GGA") => {
                self.begin(time_ms);
                self.altitude_m = number_of(field(8)).filter(|_| field(5) != "0");
            }
            Some(_) | None => {}
        }
    }

    /// Begins with the sentences of a time of the day.
    fn begin(&mut self, time_ms: i64) {
        if self.time_ms != Some(time_ms) {
            self.flush();
            self.time_ms = Some(time_ms);
        }
    }

    fn flush(&mut self) {
        let altitude_m = self.altitude_m.take();
        if let Some(fix) = self.fix.take() {
            let index = self.draft.points;
            self.draft.add(Fix { altitude_m, ..fix }, || format!("position {index}"));
        }
    }
}

/// Reads `ddmmyy` of this century as days since 1970.
fn day(text: &str) -> Option<i64> {
    let number: i64 = text.parse().ok()?;
    days_since_1970(2000 + number % 100, number / 100 % 100, number / 10_000)
}

/// Reads degrees and minutes, `dddmm.mmmm`.
fn degrees(text: &str, hemisphere: &str) -> Option<f64> {
    let number = number_of(text)?;
    let whole = (number / 100.0).trunc();
    let degrees = whole + (number - whole * 100.0) / 60.0;
    match hemisphere {
        "N" | "E" => Some(degrees),
        "S" | "W" => Some(-degrees),
        _ => None,
    }
}
