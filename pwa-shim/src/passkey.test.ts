import { afterEach, expect, test, vi } from "vitest";

import { createPasskey, mayHavePasskeys, readPasskey } from "./passkey.ts";

const ACCOUNT = "eefcce6a-c1ed-8b15-9455-eba28767f435";
const SECRET = new Uint8Array(32).fill(7);
const HANDLE = Uint8Array.from([0xee, 0xfc, 0xce, 0x6a, 0xc1, 0xed, 0x8b, 0x15, 0x94, 0x55, 0xeb, 0xa2, 0x87, 0x67, 0xf4, 0x35]);

/** A browser whose dialogs answer this. */
function browser(dialogs: { create?: () => unknown; get?: () => unknown }) {
  const create = vi.fn(async (_: CredentialCreationOptions) => dialogs.create?.() ?? null);
  const get = vi.fn(async (_: CredentialRequestOptions) => dialogs.get?.() ?? null);
  vi.stubGlobal("PublicKeyCredential", class {});
  vi.stubGlobal("navigator", { credentials: { create, get } });
  return { create, get };
}

function credential(prf: object | undefined, userHandle: Uint8Array | null = HANDLE): unknown {
  return {
    rawId: Uint8Array.of(1).buffer,
    response: { userHandle: userHandle?.slice().buffer },
    getClientExtensionResults: () => ({ prf }),
  };
}

const given = { results: { first: SECRET.slice().buffer } };

afterEach(() => vi.unstubAllGlobals());

test("a new passkey has the account as its user and gives its secret", async () => {
  const { create, get } = browser({ create: () => credential({ enabled: true, ...given }) });
  expect(await createPasskey(ACCOUNT, "@anna")).toEqual(SECRET);
  const options = create.mock.calls[0]?.[0].publicKey;
  expect(new Uint8Array(options?.user.id as ArrayBuffer)).toEqual(HANDLE);
  expect(options?.authenticatorSelection).toEqual({ residentKey: "required", userVerification: "required" });
  expect(get).not.toHaveBeenCalled();
});

test("a passkey that gives its secret only when it is used is used at once", async () => {
  const { get } = browser({ create: () => credential({ enabled: true }), get: () => credential(given) });
  expect(await createPasskey(ACCOUNT, "@anna")).toEqual(SECRET);
  expect(get.mock.calls[0]?.[0].publicKey?.allowCredentials).toHaveLength(1);
});

test("a passkey tells its account", async () => {
  browser({ get: () => credential(given) });
  expect(await readPasskey()).toEqual({ account: ACCOUNT, secret: SECRET });
});

test("a passkey without secrets, or without an account, is not supported", async () => {
  const unsupported = { code: "passkey_unsupported" };
  browser({ create: () => credential(undefined), get: () => credential(undefined) });
  await expect(createPasskey(ACCOUNT, "@anna")).rejects.toMatchObject(unsupported);
  await expect(readPasskey()).rejects.toMatchObject(unsupported);
  browser({ get: () => credential(given, null) });
  await expect(readPasskey()).rejects.toMatchObject(unsupported);
  browser({ get: () => credential({ results: { first: new Uint8Array(16).buffer } }) });
  await expect(readPasskey()).rejects.toMatchObject(unsupported);
  vi.unstubAllGlobals();
  vi.stubGlobal("navigator", {});
  expect(mayHavePasskeys()).toBe(false);
  await expect(readPasskey()).rejects.toMatchObject(unsupported);
});

test("a user who does not agree is told apart from a browser that cannot", async () => {
  const refuse = (name: string) => () => {
    throw new DOMException("refused", name);
  };
  browser({ get: refuse("NotAllowedError"), create: refuse("NotSupportedError") });
  await expect(readPasskey()).rejects.toMatchObject({ code: "passkey_cancelled" });
  await expect(createPasskey(ACCOUNT, "@anna")).rejects.toMatchObject({ code: "passkey_unsupported" });
});
