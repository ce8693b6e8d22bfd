// Which browser this is, as far as its settings look otherwise.

export type BrowserName = "safari" | "firefox" | "samsung" | "chromium";

/** From what a browser says of itself. On iPhones and iPads all are Safari underneath, settings included. */
export function nameOfBrowser(userAgent: string): BrowserName {
  if (/iPhone|iPad|iPod/.test(userAgent)) return "safari";
  if (/SamsungBrowser/.test(userAgent)) return "samsung";
  if (/Firefox/.test(userAgent)) return "firefox";
  if (/Chrom(e|ium)/.test(userAgent)) return "chromium";
  return /Safari/.test(userAgent) ? "safari" : "chromium";
}
