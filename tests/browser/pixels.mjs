// What a map shows, as a person sees it: where the pixels of its lines are.

/** The colour of a drive's line on a light map, and of what is drawn dashed because it stays hidden. */
export const ROUTE = [0xd8, 0x41, 0x1b];

/** How far each channel of a pixel may be from a colour: lines are smoothed at their edges. */
const TOLERANCE = 24;

/**
 * Waits until the map is drawn and says where it has pixels of a colour: their box as shares of the map's width and height,
 * and whether there is one in every column or in every row between its edges. Nothing if there is none.
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
