//! Fixes as bytes, to pass many of them to the core and back at once.
//!
//! Each fix takes [`BYTES_PER_FIX`] bytes: eight IEEE 754 doubles, little endian, as a `Float64Array` has them: `fixed_at` in
//! milliseconds, latitude, longitude, accuracy, altitude, accuracy of the altitude, heading, speed. NaN stands for an
//! absent value. `recorded_at` is not part of it, because files do not have it: it equals `fixed_at` when the bytes are read.

use super::Fix;
use crate::time::Timestamp;

/// The number of bytes of a fix.
pub const BYTES_PER_FIX: usize = 64;

/// Writes fixes as bytes.
pub fn pack<'a>(fixes: impl IntoIterator<Item = &'a Fix>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for fix in fixes {
        let optional = [fix.accuracy_m, fix.altitude_m, fix.altitude_accuracy_m, fix.heading_deg, fix.speed_mps];
        let values = [fix.fixed_at.as_millis() as f64, fix.lat_deg, fix.lon_deg].into_iter();
        for value in values.chain(optional.map(|value| value.unwrap_or(f64::NAN))) {
            bytes.extend_from_slice(&value.to_le_bytes());
        }
    }
    bytes
}

/// Reads fixes from bytes. An incomplete fix at the end is left out. Values are not checked: [`Fix::quantised`] does that. NaN as
/// the time becomes a time before 1970, which is invalid.
pub fn unpack(bytes: &[u8]) -> impl Iterator<Item = Fix> + Clone {
    bytes.chunks_exact(BYTES_PER_FIX).map(|fix| {
        let mut values = [0.0; 8];
        for (value, bytes) in values.iter_mut().zip(fix.as_chunks::<8>().0) {
            *value = f64::from_le_bytes(*bytes);
        }
        let [at_ms, lat_deg, lon_deg, accuracy_m, altitude_m, altitude_accuracy_m, heading_deg, speed_mps] = values;
        let known = |value: f64| (!value.is_nan()).then_some(value);
        let fixed_at = Timestamp(if at_ms.is_nan() { -1 } else { at_ms as i64 });
        Fix {
            fixed_at,
            recorded_at: fixed_at,
            lat_deg,
            lon_deg,
            accuracy_m: known(accuracy_m),
            altitude_m: known(altitude_m),
            altitude_accuracy_m: known(altitude_accuracy_m),
            heading_deg: known(heading_deg),
            speed_mps: known(speed_mps),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packed_fixes_are_unpacked_as_they_were() {
        let full = Fix {
            fixed_at: Timestamp(1_700_000_000_123),
            recorded_at: Timestamp(1_700_000_000_123),
            lat_deg: 46.528_611,
            lon_deg: -10.454_321,
            accuracy_m: Some(4.0),
            altitude_m: Some(-2.5),
            altitude_accuracy_m: Some(7.0),
            heading_deg: Some(359.0),
            speed_mps: Some(27.3),
        };
        let bare = Fix {
            accuracy_m: None,
            altitude_m: None,
            altitude_accuracy_m: None,
            heading_deg: None,
            speed_mps: None,
            ..full
        };
        let bytes = pack(&[full, bare]);
        assert_eq!(bytes.len(), 2 * BYTES_PER_FIX);
        assert!(unpack(&bytes).eq([full, bare]));
        assert_eq!(unpack(&bytes[1..]).count(), 1, "what is no whole fix is left out");
    }

    #[test]
    fn bytes_that_are_no_fix_make_one_that_is_refused() {
        for bytes in [[0xff; BYTES_PER_FIX], [0x7f; BYTES_PER_FIX]] {
            let fix = unpack(&bytes).next().unwrap();
            assert!(fix.quantised().is_err(), "{fix:?}");
        }
    }
}
