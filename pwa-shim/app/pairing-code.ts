// The codes that pair two devices, and the links that carry them. A link opens this app on its screen for devices, so that the
// phone's camera app can scan it and a message can carry it.

/** The key of a device that wants to join an account, or the grant for it. `of` is the name of the account. */
export type PairingCode = { type: "link"; device: Uint8Array } | { type: "join"; grant: Uint8Array; of?: string };

const KEY_BYTES = 32;

/** Between a grant and the name of the account. It is not a character of base64url. */
const SEPARATOR = "~";

/** The link for a code, to the app at `base`. */
export function pairingLink(code: PairingCode, base: string = location.href): string {
  const key = base64UrlOf(code.type === "link" ? code.device : code.grant);
  const text = code.type === "join" && code.of ? `${key}${SEPARATOR}${base64UrlOf(new TextEncoder().encode(code.of))}` : key;
  return new URL(`#/${code.type}/${text}`, new URL("/", base)).href;
}

/** Parses a pasted or scanned text: a link, or the code at its end. */
export function parsePairingCode(pasted: string): PairingCode | undefined {
  const [text = "", called] = (pasted.trim().split("/").at(-1) ?? "").split(SEPARATOR);
  const bytes = bytesOf(text);
  if (!bytes || bytes.length < KEY_BYTES) return undefined;
  // A grant is longer than a key.
  return bytes.length === KEY_BYTES ? { type: "link", device: bytes } : { type: "join", grant: bytes, ...accountName(called) };
}

/** The name of the account without control characters. It is not verified. */
function accountName(text: string | undefined): { of?: string } {
  const bytes = text === undefined ? undefined : bytesOf(text);
  const name =
    bytes &&
    new TextDecoder()
      .decode(bytes)
      .replaceAll(/[\p{Cc}\p{Cf}\ufffd]/gu, "")
      .trim()
      .slice(0, 150);
  return name ? { of: name } : {};
}

function base64UrlOf(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replaceAll("=", "");
}

function bytesOf(base64Url: string): Uint8Array | undefined {
  try {
    const text = atob(base64Url.replaceAll("-", "+").replaceAll("_", "/"));
    return Uint8Array.from(text, (char) => char.charCodeAt(0));
  } catch {
    return undefined;
  }
}
