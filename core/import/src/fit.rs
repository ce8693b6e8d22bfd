//! Activities as FIT files (Garmin, Wahoo, Strava and others).
//!
//! Own code, because the libraries carry the whole profile of the format: `fitparser` has 106,000 lines of it, which would be
//! several times this module's limit as WebAssembly. A drive needs six fields of one message.

use tourismo_core::fix::Fix;
use tourismo_core::time::Timestamp;

use crate::found::{Draft, FileError};
use crate::numbers::bare_fix;

/// 1989-12-31T00:00:00Z, from which FIT counts seconds.
pub(crate) const EPOCH_S: i64 = 631_065_600;
/// Degrees of a semicircle.
pub(crate) const SEMICIRCLE_DEG: f64 = 180.0 / 2_147_483_648.0;
/// Numbers of messages.
pub(crate) const SESSION: u16 = 18;
pub(crate) const RECORD: u16 = 20;

/// A field of a message: its number, its length, and whether it is a signed number.
#[derive(Clone, Copy)]
struct Field {
    number: u8,
    size: usize,
    is_signed: bool,
}

/// The layout of data messages of a local type.
#[derive(Clone, Default)]
struct Definition {
    message: u16,
    is_big_endian: bool,
    fields: Vec<Field>,
    /// Bytes of developer fields after them.
    further: usize,
}

/// Reads a file: a drive for each of the FIT files that it consists of.
pub(crate) fn read(bytes: &[u8]) -> Result<Vec<Draft>, FileError> {
    let (mut drafts, mut rest) = (Vec::new(), bytes);
    while let Some(header) = rest.first().map(|size| usize::from(*size)) {
        let is_header = header >= 12 && rest.len() >= header && rest.get(8..12) == Some(b".FIT");
        if !is_header {
            match drafts.last_mut() {
                None => return Err(FileError::damaged("it has no header")),
                Some(last) => {
                    Draft::note(last, || "there are bytes after the end of the file".to_owned());
                    break;
                }
            }
        }
        let declared = rest.get(4..8).and_then(|size| size.try_into().ok()).map_or(0, u32::from_le_bytes) as usize;
        let content = &rest[header..];
        let is_whole = declared.checked_add(2).is_some_and(|end| end <= content.len());
        let records = &content[..declared.min(content.len())];
        let mut draft = messages(records);
        if !is_whole {
            draft.note(|| "the file is cut short".to_owned());
        } else if crc(&rest[..header + declared + 2]) != 0 {
            draft.note(|| "the checksum differs: some of it may be damaged".to_owned());
        }
        drafts.push(draft);
        rest = if is_whole { &content[declared + 2..] } else { &[] };
    }
    Ok(drafts)
}

/// Reads all messages of one file.
fn messages(bytes: &[u8]) -> Draft {
    let mut draft = Draft::default();
    if let Err(broken) = read_messages(&mut draft, Reader { bytes }) {
        draft.note(|| broken.to_owned());
    }
    draft
}

/// Reads messages until the end, or until a fault, which it returns.
fn read_messages(draft: &mut Draft, mut reader: Reader<'_>) -> Result<(), &'static str> {
    const CUT_SHORT: &str = "the file is cut short";
    let mut definitions: [Option<Definition>; 16] = Default::default();
    let mut last_s = 0_u32;
    while let Some(header) = reader.byte() {
        let is_compressed = header & 0x80 != 0;
        let local = usize::from(if is_compressed { header >> 5 & 3 } else { header & 15 });
        if !is_compressed && header & 0x40 != 0 {
            definitions[local] = Some(reader.definition(header & 0x20 != 0).ok_or(CUT_SHORT)?);
            continue;
        }
        let definition = definitions[local].as_ref();
        let definition = definition.ok_or("a message has no definition; what follows is left out")?;
        let values = reader.values(definition).ok_or(CUT_SHORT)?;
        if is_compressed {
            // The five low bits of a time not before the last one.
            let offset = u32::from(header & 31);
            last_s = last_s.wrapping_add(offset.wrapping_sub(last_s) & 31);
        } else if let Some(at_s) = values.get(253) {
            last_s = at_s as u32;
        }
        match definition.message {
            RECORD => record(draft, last_s, &values),
            SESSION => {
                draft.kind = draft.kind.take().or_else(|| values.get(5).map(sport));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Adds the position of a record, if it has one.
fn record(draft: &mut Draft, at_s: u32, values: &Values) {
    let (Some(lat), Some(lon)) = (values.get(0), values.get(1)) else { return };
    draft.points += 1;
    let index = draft.points;
    if at_s == 0 {
        draft.without_time += 1;
        return draft.note(|| format!("position {index}: it has no time"));
    }
    let scaled = |number: u8, wide: u8| values.get(wide).or(values.get(number)).map(|value| value as f64);
    let fixed_at = Timestamp((EPOCH_S + i64::from(at_s)) * 1000);
    let fix = Fix {
        altitude_m: scaled(2, 78).map(|value| value / 5.0 - 500.0),
        speed_mps: scaled(6, 73).map(|value| value / 1000.0),
        accuracy_m: values.get(31).map(|value| value as f64),
        ..bare_fix(fixed_at, lat as f64 * SEMICIRCLE_DEG, lon as f64 * SEMICIRCLE_DEG)
    };
    draft.add(fix, || format!("position {index}"));
}

/// The known values of a message by field number.
struct Values(Vec<(u8, i64)>);

impl Values {
    fn get(&self, number: u8) -> Option<i64> {
        self.0.iter().find(|(of, _)| *of == number).map(|(_, value)| *value)
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.bytes.split_first()?;
        self.bytes = rest;
        Some(*first)
    }

    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.bytes.split_at_checked(count)?;
        self.bytes = rest;
        Some(taken)
    }

    fn definition(&mut self, has_further: bool) -> Option<Definition> {
        let head = self.take(5)?;
        let is_big_endian = head[1] == 1;
        let message =
            if is_big_endian { u16::from_be_bytes([head[2], head[3]]) } else { u16::from_le_bytes([head[2], head[3]]) };
        let fields = self.take(usize::from(head[4]) * 3)?.as_chunks::<3>().0.iter().map(|&[number, size, kind]| {
            // The base types of signed integers: of 8, 16, 32 and 64 bits.
            Field { number, size: usize::from(size), is_signed: matches!(kind & 0x1f, 0x01 | 0x03 | 0x05 | 0x0e) }
        });
        let mut definition = Definition { message, is_big_endian, fields: fields.collect(), further: 0 };
        if has_further {
            let count = usize::from(self.byte()?) * 3;
            definition.further =
                self.take(count)?.as_chunks::<3>().0.iter().map(|further| usize::from(further[1])).sum();
        }
        Some(definition)
    }

    /// Returns the values of a data message. The largest number of a type stands for an unknown value.
    fn values(&mut self, definition: &Definition) -> Option<Values> {
        let mut values = Values(Vec::new());
        for field in &definition.fields {
            let bytes = self.take(field.size)?;
            if !matches!(field.size, 1 | 2 | 4) {
                continue;
            }
            let shift = |number: u32, byte: &u8| number << 8 | u32::from(*byte);
            let number =
                if definition.is_big_endian { bytes.iter().fold(0, shift) } else { bytes.iter().rev().fold(0, shift) };
            let bits = 8 * field.size as u32;
            let unknown = if field.is_signed { u32::MAX >> (33 - bits) } else { u32::MAX >> (32 - bits) };
            if number != unknown {
                let signed = i64::from((number << (32 - bits)) as i32 >> (32 - bits));
                values.0.push((field.number, if field.is_signed { signed } else { i64::from(number) }));
            }
        }
        self.take(definition.further)?;
        Some(values)
    }
}

/// Returns the name of a sport.
fn sport(number: i64) -> String {
    match number {
        1 => "Running",
        2 => "Cycling",
        5 => "Swimming",
        11 => "Walking",
        13 => "Alpine skiing",
        17 => "Hiking",
        22 => "Motorcycling",
        24 => "Driving",
        _ => return format!("FIT sport {number}"),
    }
    .to_owned()
}

/// Returns the checksum of FIT, CRC-16/ARC. It is 0 for bytes that end with their own checksum.
pub(crate) fn crc(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, byte| {
        (0..8).fold(crc ^ u16::from(*byte), |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xa001 } else { crc >> 1 })
    })
}
