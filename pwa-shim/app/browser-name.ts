// The kind of browser, for instructions about its settings.

export type BrowserName = "safari" | "firefox" | "samsung" | "chromium";

/** The browser of a user agent. On iPhones and iPads every browser is Safari with the settings of Safari. */
export function nameOfBrowser(userAgent: string): BrowserName {
  if (/iPhone|iPad|iPod/.test(userAgent)) return "safari";
  if (/SamsungBrowser/.test(userAgent)) return "samsung";
  if (/Firefox/.test(userAgent)) return "firefox";
  if (/Chrom(e|ium)/.test(userAgent)) return "chromium";
  return /Safari/.test(userAgent) ? "safari" : "chromium";
}
