//! Mapbox Vector Tiles 2.1 (github.com/mapbox/vector-tile-spec), as far as lines with three properties need them.
//!
//! A tile is one protobuf message with five kinds of fields; crates for it would add a protobuf runtime and a code
//! generator.

/// A line with its properties.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Line {
    /// In units of the layer, from its upper left corner; may be outside of it.
    pub(crate) points: Vec<[i32; 2]>,
    pub(crate) id: String,
    pub(crate) score: u8,
    pub(crate) length_m: u32,
}

/// The names of the properties, in the order of [`Line`].
const KEYS: [&str; 3] = ["id", "score", "lengthM"];

/// Returns a tile with one layer; an empty one without lines.
pub(crate) fn layer(name: &str, extent: u32, lines: &[Line]) -> Vec<u8> {
    let lines: Vec<&Line> = lines.iter().filter(|line| line.points.len() > 1).collect();
    if lines.is_empty() {
        return Vec::new();
    }
    let mut layer = Vec::new();
    bytes(&mut layer, 1, name.as_bytes());
    for (index, line) in lines.iter().enumerate() {
        let first = (KEYS.len() * index) as u64;
        let mut feature = Vec::new();
        // Pairs of the indices of a key and a value.
        let tags: Vec<u64> = (0..KEYS.len() as u64).flat_map(|key| [key, first + key]).collect();
        packed(&mut feature, 2, &tags);
        number(&mut feature, 3, LINESTRING);
        packed(&mut feature, 4, &geometry(&line.points));
        bytes(&mut layer, 2, &feature);
    }
    KEYS.iter().for_each(|key| bytes(&mut layer, 3, key.as_bytes()));
    for line in lines {
        let mut value = Vec::new();
        bytes(&mut value, 1, line.id.as_bytes());
        bytes(&mut layer, 4, &value);
        for unsigned in [line.score.into(), line.length_m.into()] {
            let mut value = Vec::new();
            number(&mut value, 5, unsigned);
            bytes(&mut layer, 4, &value);
        }
    }
    number(&mut layer, 5, extent.into());
    number(&mut layer, 15, 2);
    let mut tile = Vec::new();
    bytes(&mut tile, 3, &layer);
    tile
}

/// The type of a geometry.
const LINESTRING: u64 = 2;

/// Returns the commands of a line: one move, and one that draws all segments by their differences (spec 4.3).
fn geometry(points: &[[i32; 2]]) -> Vec<u64> {
    const MOVE_TO: u64 = 1;
    const LINE_TO: u64 = 2;
    let zigzag = |value: i32| u64::from(((value << 1) ^ (value >> 31)) as u32);
    let mut commands = Vec::with_capacity(2 * points.len() + 2);
    let mut last = [0; 2];
    for (index, point) in points.iter().enumerate() {
        match index {
            0 => commands.push(1 << 3 | MOVE_TO),
            1 => commands.push((points.len() as u64 - 1) << 3 | LINE_TO),
            _ => {}
        }
        commands.extend((0..2).map(|axis| zigzag(point[axis].wrapping_sub(last[axis]))));
        last = *point;
    }
    commands
}

fn varint(message: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        message.push(value as u8 | 0x80);
        value >>= 7;
    }
    message.push(value as u8);
}

fn number(message: &mut Vec<u8>, field: u64, value: u64) {
    varint(message, field << 3);
    varint(message, value);
}

fn bytes(message: &mut Vec<u8>, field: u64, value: &[u8]) {
    varint(message, field << 3 | 2);
    varint(message, value.len() as u64);
    message.extend(value);
}

fn packed(message: &mut Vec<u8>, field: u64, values: &[u64]) {
    let mut all = Vec::new();
    values.iter().for_each(|value| varint(&mut all, *value));
    bytes(message, field, &all);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_written_as_the_specification_shows_it() {
        // Spec 4.3.5.4: a line through (2, 2), (2, 10), (10, 10).
        assert_eq!(geometry(&[[2, 2], [2, 10], [10, 10]]), [9, 4, 4, 18, 0, 16, 16, 0]);
    }

    #[test]
    fn a_tile_has_the_golden_bytes() {
        let line = Line { points: vec![[2, 2], [2, 10]], id: "a-b".into(), score: 90, length_m: 300 };
        let expected = [
            26, 72, 10, 5, b'r', b'o', b'a', b'd', b's', 18, 18, 18, 6, 0, 0, 1, 1, 2, 2, 24, 2, 34, 6, 9, 4, 4, 10, 0,
            16, 26, 2, b'i', b'd', 26, 5, b's', b'c', b'o', b'r', b'e', 26, 7, b'l', b'e', b'n', b'g', b't', b'h',
            b'M', 34, 5, 10, 3, b'a', b'-', b'b', 34, 2, 40, 90, 34, 3, 40, 172, 2, 40, 128, 32, 120, 2,
        ];
        let tile = layer("roads", 4096, &[line]);
        assert_eq!(tile[2..], expected[2..]);
        assert_eq!((tile[0], usize::from(tile[1])), (26, tile.len() - 2));
        assert!(layer("roads", 4096, &[]).is_empty());
    }
}
