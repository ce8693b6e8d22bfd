// The pixels of lines on a map.

/** The colours on a light map: of the line of a drive, and of the dashed line of its hidden parts. */
export const ROUTE = [0xd8, 0x41, 0x1b];

/** The tolerance of each channel: lines are antialiased. */
const TOLERANCE = 24;

/**
 * Waits until the map is drawn. Resolves to the bounds of the pixels of a colour as shares of the map's width and height, and to
 * whether every column or every row within the bounds has one; to `undefined` if there are none.
 */
export async function drawnOn(map, colour = ROUTE) {
  await map.and(map.page().locator("[data-drawn]")).waitFor({ timeout: 60_000 });
  await map.scrollIntoViewIfNeeded();
  const png = (await map.screenshot()).toString("base64");
  return map.page().evaluate(
    async ({ png, colour, tolerance }) => {
      const bytes = Uint8Array.from(atob(png), (char) => char.charCodeAt(0));
      const image = await createImageBitmap(new Blob([bytes], { type: "image/png" }));
      const { width, height } = image;
      const canvas = new OffscreenCanvas(width, height).getContext("2d");
      canvas.drawImage(image, 0, 0);
      const { data } = canvas.getImageData(0, 0, width, height);
      const [columns, rows] = [new Set(), new Set()];
      for (let i = 0; i < width * height; i++) {
        if (!colour.every((value, channel) => Math.abs(data[4 * i + channel] - value) <= tolerance)) continue;
        columns.add(i % width);
        rows.add(Math.floor(i / width));
      }
      if (columns.size === 0) return undefined;
      const span = (set) => [Math.min(...set), Math.max(...set)];
      const [[left, right], [top, bottom]] = [span(columns), span(rows)];
      const isWhole = columns.size === right - left + 1 || rows.size === bottom - top + 1;
      return { left: left / width, right: right / width, top: top / height, bottom: bottom / height, isWhole };
    },
    { png, colour, tolerance: TOLERANCE },
  );
}
