//! Writes a drive as a FIT activity: a file id, a record for each fix, and a lap, a session and an activity at the end.
//!
//! FIT has whole seconds, so only the first fix of each second is written. Coordinates are in semicircles, 180° / 2^31. There is
//! no heading and no accuracy of the altitude.

use tourismo_core::fix::Fix;
use tourismo_core::geodesy::{Position, distance_m};

use crate::fit::{EPOCH_S, RECORD, SEMICIRCLE_DEG, SESSION, crc};

const FILE_ID: u16 = 0;
const LAP: u16 = 19;
const ACTIVITY: u16 = 34;
/// The sport "driving".
const DRIVING: u8 = 24;
/// Base types: an enumeration, unsigned numbers of 8, 16 and 32 bits, a signed one of 32.
const ENUM: u8 = 0x00;
const U8: u8 = 0x02;
const U16: u8 = 0x84;
const S32: u8 = 0x85;
const U32: u8 = 0x86;

/// A field: its number, its length and its base type.
type Field = (u8, u8, u8);

const RECORD_FIELDS: [Field; 7] =
    [(253, 4, U32), (0, 4, S32), (1, 4, S32), (78, 4, U32), (73, 4, U32), (31, 1, U8), (5, 4, U32)];

/// Writes a drive.
pub fn write(parts: &[&[Fix]]) -> Vec<u8> {
    let mut file = File::default();
    let all = || parts.iter().flat_map(|part| part.iter());
    let seconds = |fix: &Fix| u32::try_from(fix.fixed_at.as_millis().div_euclid(1000) - EPOCH_S).unwrap_or(0);
    let (started_s, ended_s) = (all().next().map_or(0, seconds), all().last().map_or(0, seconds));
    file.define(FILE_ID, &[(0, 1, ENUM), (1, 2, U16), (2, 2, U16), (4, 4, U32)]);
    // File type 4 is an activity, manufacturer 255 is "development".
    file.data(&[&[4], &255_u16.to_le_bytes(), &0_u16.to_le_bytes(), &started_s.to_le_bytes()]);
    file.define(RECORD, &RECORD_FIELDS);
    let (mut way_m, mut last_s) = (0.0, None);
    for part in parts {
        let mut before: Option<Position> = None;
        for fix in *part {
            let place = Position::from(fix);
            way_m += before.replace(place).map_or(0.0, |before| distance_m(before, place));
            let at_s = seconds(fix);
            if last_s.replace(at_s) == Some(at_s) {
                continue;
            }
            let semicircles = |degrees: f64| ((degrees / SEMICIRCLE_DEG).round() as i32).to_le_bytes();
            let scaled = |value: Option<f64>, scale: f64, offset: f64| {
                value.map_or(u32::MAX, |value| ((value + offset) * scale).round() as u32).to_le_bytes()
            };
            file.data(&[
                &at_s.to_le_bytes(),
                &semicircles(fix.lat_deg),
                &semicircles(fix.lon_deg),
                &scaled(fix.altitude_m, 5.0, 500.0),
                &scaled(fix.speed_mps, 1000.0, 0.0),
                &[fix.accuracy_m.map_or(u8::MAX, |metres| metres.min(254.0) as u8)],
                &scaled(Some(way_m), 100.0, 0.0),
            ]);
        }
    }
    let elapsed_ms = ended_s.saturating_sub(started_s).saturating_mul(1000).to_le_bytes();
    let way_cm = ((way_m * 100.0).round() as u32).to_le_bytes();
    let span = [(253, 4, U32), (2, 4, U32), (7, 4, U32), (8, 4, U32), (9, 4, U32)];
    file.define(LAP, &span);
    file.data(&[&ended_s.to_le_bytes(), &started_s.to_le_bytes(), &elapsed_ms, &elapsed_ms, &way_cm]);
    file.define(SESSION, &[span[0], span[1], span[2], span[3], span[4], (5, 1, ENUM), (25, 2, U16), (26, 2, U16)]);
    let session: [&[u8]; 8] = [
        &ended_s.to_le_bytes(),
        &started_s.to_le_bytes(),
        &elapsed_ms,
        &elapsed_ms,
        &way_cm,
        &[DRIVING],
        &0_u16.to_le_bytes(),
        &1_u16.to_le_bytes(),
    ];
    file.data(&session);
    file.define(ACTIVITY, &[(253, 4, U32), (0, 4, U32), (1, 2, U16), (2, 1, ENUM)]);
    file.data(&[&ended_s.to_le_bytes(), &elapsed_ms, &1_u16.to_le_bytes(), &[0]]);
    file.finish()
}

/// The records of a file.
#[derive(Default)]
struct File(Vec<u8>);

impl File {
    /// Defines the layout of the data messages that follow: little endian, local type 0.
    fn define(&mut self, message: u16, fields: &[Field]) {
        let [low, high] = message.to_le_bytes();
        self.0.extend([0x40, 0, 0, low, high, fields.len() as u8]);
        self.0.extend(fields.iter().flat_map(|&(number, size, kind)| [number, size, kind]));
    }

    fn data(&mut self, values: &[&[u8]]) {
        self.0.push(0);
        values.iter().for_each(|value| self.0.extend_from_slice(value));
    }

    /// Returns the file with header and checksums.
    fn finish(self) -> Vec<u8> {
        let mut bytes = vec![14, 0x10];
        bytes.extend(2100_u16.to_le_bytes());
        bytes.extend((self.0.len() as u32).to_le_bytes());
        bytes.extend(b".FIT");
        bytes.extend(crc(&bytes).to_le_bytes());
        bytes.extend(self.0);
        let checksum = crc(&bytes);
        bytes.extend(checksum.to_le_bytes());
        bytes
    }
}
