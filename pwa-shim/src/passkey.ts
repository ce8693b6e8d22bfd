// Passkeys as recovery keys: the WebAuthn extension `prf` gives 32 bytes that only the passkey and this origin can give again.
//
// The user handle of the passkey is the account id, so that an empty device finds the account without asking anybody.

import { TourismoError } from "./errors.ts";
import type { AccountId } from "./generated/types.ts";

/** What a passkey gives on the same origin, each time: the account and the secret of its recovery key. */
export interface PasskeyRecovery {
  account: AccountId;
  /** 32 bytes: pass them to `enrolRecovery` or `recoverAccount`, and do not store them. */
  secret: Uint8Array;
}

/** The input of the extension; browsers hash it with a prefix of their own. */
const PRF_INPUT = new TextEncoder().encode("tourismo recovery passkey v1");

/** The result of the extension (WebAuthn, section 10.1.4). */
interface PrfResults {
  prf?: { enabled?: boolean; results?: { first?: BufferSource } };
}

/**
 * Creates a passkey for an account on this origin, and resolves to the secret of its recovery key. The browser asks the user. Rejects
 * with `passkey_cancelled` if the user does not agree, and with `passkey_unsupported` if the browser or the passkey gives no secrets.
 */
export async function createPasskey(account: AccountId, name: string): Promise<Uint8Array> {
  const created = await ask(() =>
    credentials().create({
      publicKey: {
        rp: { name: "Tourismo" },
        user: { id: bytesOf(account), name, displayName: name },
        challenge: challenge(),
        // Ed25519, ECDSA with P-256, RSA: the signature is not used.
        pubKeyCredParams: [-8, -7, -257].map((alg) => ({ type: "public-key", alg })),
        authenticatorSelection: { residentKey: "required", userVerification: "required" },
        extensions: extensions(),
      },
    }),
  );
  const results = created.getClientExtensionResults() as PrfResults;
  const secret = secretIn(results);
  if (secret) return secret;
  if (results.prf?.enabled !== true) throw unsupported();
  // Some authenticators give the secret only when the passkey is used.
  return (await get([{ type: "public-key", id: created.rawId }])).secret;
}

/** Asks the user for a passkey of this origin. Rejects like `createPasskey`. */
export function readPasskey(): Promise<PasskeyRecovery> {
  return get([]);
}

/** Returns whether this browser may have passkeys; whether they give secrets shows when one is created. */
export function mayHavePasskeys(): boolean {
  return typeof PublicKeyCredential === "function" && typeof navigator.credentials?.create === "function";
}

async function get(allowCredentials: PublicKeyCredentialDescriptor[]): Promise<PasskeyRecovery> {
  const used = await ask(() =>
    credentials().get({
      publicKey: { challenge: challenge(), allowCredentials, userVerification: "required", extensions: extensions() },
    }),
  );
  const secret = secretIn(used.getClientExtensionResults() as PrfResults);
  const handle = (used.response as AuthenticatorAssertionResponse).userHandle;
  if (!secret || handle?.byteLength !== 16) throw unsupported();
  return { account: idOf(new Uint8Array(handle)), secret };
}

function credentials(): CredentialsContainer {
  if (!mayHavePasskeys()) throw unsupported();
  return navigator.credentials;
}

/** The user decides in a dialog of the browser, which reports every refusal alike. */
async function ask(dialog: () => Promise<Credential | null>): Promise<PublicKeyCredential> {
  let answer: Credential | null;
  try {
    answer = await dialog();
  } catch (thrown) {
    if (thrown instanceof TourismoError) throw thrown;
    const isUnsupported = thrown instanceof DOMException && ["NotSupportedError", "ConstraintError"].includes(thrown.name);
    if (isUnsupported) throw unsupported();
    throw TourismoError.from(thrown, "passkey_cancelled");
  }
  if (!answer) throw new TourismoError("passkey_cancelled", "the browser gave no passkey");
  return answer as PublicKeyCredential;
}

function extensions(): AuthenticationExtensionsClientInputs {
  return { prf: { eval: { first: PRF_INPUT } } } as AuthenticationExtensionsClientInputs;
}

function secretIn({ prf }: PrfResults): Uint8Array | undefined {
  const first = prf?.results?.first;
  if (!first) return undefined;
  const bytes = ArrayBuffer.isView(first)
    ? new Uint8Array(first.buffer, first.byteOffset, first.byteLength)
    : new Uint8Array(first);
  return bytes.length === 32 ? bytes.slice() : undefined;
}

/** Nobody verifies the signature: the secret is the proof. */
function challenge(): Uint8Array<ArrayBuffer> {
  return crypto.getRandomValues(new Uint8Array(32));
}

function unsupported(): TourismoError {
  return new TourismoError("passkey_unsupported", "this browser or passkey gives no secrets (WebAuthn prf): use recovery words");
}

/** The bytes of a UUID. */
function bytesOf(account: AccountId): Uint8Array<ArrayBuffer> {
  const digits = account.replaceAll("-", "").match(/../g) ?? [];
  return Uint8Array.from(digits, (pair) => Number.parseInt(pair, 16));
}

/** The UUID of bytes. */
function idOf(bytes: Uint8Array): AccountId {
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}
