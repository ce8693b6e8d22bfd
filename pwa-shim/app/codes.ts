// The codes that two devices show each other when one lets the other in, and the links that carry them.
//
// A link opens this very app at the right place, so that a phone's own camera can read it, and a message can carry it.

/** What a code says: which device wants to be let in, or the grant that lets it in. `of` is what the account calls itself. */
export type Code = { type: "link"; device: Uint8Array } | { type: "join"; grant: Uint8Array; of?: string };

const KEY_BYTES = 32;

/** Between a grant and what the account calls itself; no character of base64url. */
const SEPARATOR = "~";

/** The link that carries a code, to the app at `base`. */
export function linkOf(code: Code, base: string = location.href): string {
  const key = base64UrlOf(code.type === "link" ? code.device : code.grant);
  const text = code.type === "join" && code.of ? `${key}${SEPARATOR}${base64UrlOf(new TextEncoder().encode(code.of))}` : key;
  return new URL(`#/${code.type}/${text}`, new URL("/", base)).href;
}

/** The code in what a person pasted or a camera read: a link, or what stands at its end. */
export function readCode(pasted: string): Code | undefined {
  const [text = "", called] = (pasted.trim().split("/").at(-1) ?? "").split(SEPARATOR);
  const bytes = bytesOf(text);
  if (!bytes || bytes.length < KEY_BYTES) return undefined;
  // Grants are much longer than keys.
  return bytes.length === KEY_BYTES ? { type: "link", device: bytes } : { type: "join", grant: bytes, ...nameOf(called) };
}

/** What an account calls itself, as far as that can be shown: nobody vouches for it. */
function nameOf(text: string | undefined): { of?: string } {
  const bytes = text === undefined ? undefined : bytesOf(text);
  const name = bytes && new TextDecoder().decode(bytes).replaceAll(/[\p{Cc}\p{Cf}\ufffd]/gu, "").trim().slice(0, 150);
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
