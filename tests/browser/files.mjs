// Files to import: drives as GPX, and zip archives.

import { crc32 } from "node:zlib";

/** The number of positions of a drive of `gpx`. */
export const FIXES = 120;

/** A drive of two minutes at 20 m/s, on a day and a road of its own. */
export function gpx(name, index) {
  const point = (second) => {
    const lat = 46.5 + index * 0.05 + (second * 20) / 111_320;
    const time = new Date(Date.UTC(2024, 5, 1, 9, 0, second) + index * 86_400_000).toISOString();
    return (
      `<trkpt lat="${lat.toFixed(6)}" lon="10.4"><ele>1800</ele><time>${time}</time><extensions>` +
      "<g:TrackPointExtension><g:speed>20</g:speed></g:TrackPointExtension>" +
      "<o:accuracy_horizontal>5</o:accuracy_horizontal></extensions></trkpt>"
    );
  };
  const spaces =
    'xmlns="http://www.topografix.com/GPX/1/1" xmlns:g="http://www.garmin.com/xmlschemas/TrackPointExtension/v2" ' +
    'xmlns:o="http://opentracksapp.com/xmlschemas/v1"';
  const points = Array.from({ length: FIXES }, (_, second) => point(second)).join("\n");
  return `<gpx ${spaces}><trk>${name && `<name>${name}</name>`}<trkseg>${points}</trkseg></trk></gpx>`;
}

/** A zip archive whose files are not compressed. */
export function zip(files) {
  const [parts, list] = [[], []];
  let at = 0;
  for (const [name, content] of Object.entries(files)) {
    const [path, bytes] = [Buffer.from(name), Buffer.from(content)];
    const common = Buffer.alloc(26);
    common.writeUInt16LE(20, 0);
    common.writeUInt32LE(crc32(bytes), 10);
    common.writeUInt32LE(bytes.length, 14);
    common.writeUInt32LE(bytes.length, 18);
    common.writeUInt16LE(path.length, 22);
    const tail = Buffer.alloc(14);
    tail.writeUInt32LE(at, 10);
    parts.push(Buffer.from("PK\x03\x04"), common, path, bytes);
    list.push(Buffer.from("PK\x01\x02\x14\x00"), common, tail, path);
    at += 4 + common.length + path.length + bytes.length;
  }
  const directory = Buffer.concat(list);
  const end = Buffer.alloc(22);
  end.write("PK\x05\x06");
  end.writeUInt16LE(Object.keys(files).length, 8);
  end.writeUInt16LE(Object.keys(files).length, 10);
  end.writeUInt32LE(directory.length, 12);
  end.writeUInt32LE(at, 16);
  return Buffer.concat([...parts, directory, end]);
}
