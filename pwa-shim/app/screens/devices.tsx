// The devices of an account. A new device shows its code; a device of the account answers with another code. Codes are links.

import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { AutosavedText } from "../components/autosaved-text.tsx";
import { BringBack } from "../components/bring-back.tsx";
import { BackIcon } from "../components/icons.tsx";
import { MemberList } from "../components/member-list.tsx";
import { showNotice } from "../components/notice.tsx";
import { QrCode } from "../components/qr-code.tsx";
import { QrScanner } from "../components/qr-scanner.tsx";
import { ShareLink } from "../components/share-link.tsx";
import { defaultDeviceName } from "../device-name.ts";
import { everything, save } from "../download.ts";
import { account, recording, relay, run, status, succeeds } from "../engine.ts";
import { type PairingCode, pairingLink, parsePairingCode } from "../pairing-code.ts";
import { useRelayQuery } from "../relay-query.ts";
import { go, href } from "../route.ts";

/** `code` is the code of the link that opened this screen. */
export function DevicesScreen({ code }: { code?: string }) {
  const brought = code === undefined ? undefined : parsePairingCode(code);
  // A device with data belongs to its account and cannot join another one.
  const isNew = status.value?.documents === 0 && recording.value === null;
  const cards = [<AddDevice key="in" brought={brought} />, <JoinAccount key="new" isNew={isNew} brought={brought} />];
  return (
    <section class="page devices-page">
      <a class="back" href={href({ screen: "settings" })}>
        <BackIcon /> You
      </a>
      <header class="page-head">
        <h1>Your devices</h1>
      </header>
      <p class="lead">All your devices show the same drives, cars and settings. They sync when there is signal.</p>
      {code !== undefined && brought === undefined ? <p class="hint">The opened link contains no complete code.</p> : null}
      {status.value?.link.type === "rejected" && status.value.link.code === "revoked" ? <Removed /> : null}
      {isNew ? null : <Devices />}
      {isNew && brought?.type !== "link" ? cards.reverse() : cards}
      {isNew ? <BringBack /> : null}
    </section>
  );
}

/** On a device that was removed from its account. */
function Removed() {
  async function download(): Promise<void> {
    const file = await run(everything);
    if (file) save(file, "tourismo.json");
  }
  return (
    <div class="card form" role="status" data-testid="removed">
      <h2>This device was removed</h2>
      <p>
        Another device of yours removed it from the account. Everything that is on it stays here, and nothing new comes or goes.
        If that was a mistake, use this app in another browser profile and add that one to the account.
      </p>
      <div class="controls">
        <button type="button" class="button primary" onClick={() => void download()}>
          Download everything on this device
        </button>
      </div>
    </div>
  );
}

/** The devices of the account. */
function Devices() {
  const { data } = useRelayQuery("own devices", () => relay.ownDevices());
  if (!account.value) return null;
  const { device, devices } = account.value;
  const own = devices.find(({ key }) => key === device);
  return (
    <div class="card form" data-testid="named-devices">
      <AutosavedText
        draft="device name"
        label="This device is called"
        name="device"
        maxLength={100}
        placeholder={defaultDeviceName()}
        value={own?.name ?? ""}
        onSave={name}
      />
      <MemberList known={data?.items ?? []} />
      <p class="hint">
        <a href={href({ screen: "recovery" })}>Recovery words</a> bring your account back if all devices are lost, and so does a
        passkey.
      </p>
    </div>
  );
}

function name(text: string): Promise<boolean> {
  return succeeds((tourismo) => tourismo.nameDevice(text));
}

/** Gives this device a name if it has none, so that the others can list it. */
async function nameOnce(): Promise<void> {
  const { device, devices } = account.value ?? {};
  if (!devices?.some(({ key }) => key === device)) await name(defaultDeviceName());
}

/** For a device of the account. */
function AddDevice({ brought }: { brought: PairingCode | undefined }) {
  const device = useSignal(brought?.type === "link" ? brought.device : undefined);
  const answer = useSignal<{ link: string; check: string } | undefined>(undefined);

  async function addDevice(key: Uint8Array): Promise<void> {
    const grant = await run((tourismo) => tourismo.grantDevice(key));
    const checked = grant && (await run((tourismo) => tourismo.checkGrant(grant)));
    if (!checked) return;
    answer.value = { link: pairingLink({ type: "join", grant, of: ownName() }), check: checked.check };
    await nameOnce();
  }

  function take(code: PairingCode): void {
    if (code.type === "link") device.value = code.device;
    else showNotice("This is an answer code. Use it on the new device.");
  }

  return (
    <div class="card form" data-testid="let-in">
      <h2>Add another device</h2>
      {answer.value !== undefined ? (
        <>
          <p>
            Show this answer to the new device, or send it there. It adds that device, and no other, to your account
            {ownName() ? `, ${ownName()}` : ""}.
          </p>
          <Shown link={answer.value.link} what="The answer" />
          <Check check={answer.value.check} />
          <p class="hint">The new device asks before it joins. It must show the same number.</p>
        </>
      ) : device.value !== undefined ? (
        <>
          <p>
            The other device will see and change all your data: drives, places, cars. Continue only if it is yours and you got the
            code from it.
          </p>
          <div class="controls">
            <button type="button" class="button" onClick={() => (device.value = undefined)}>
              Cancel
            </button>
            <button type="button" class="button primary" onClick={() => device.value && void addDevice(device.value)}>
              Add it
            </button>
          </div>
        </>
      ) : (
        <>
          <p class="hint">
            On the other device open {location.host}, then You, then Your devices. Scan the code that it shows with the camera of
            this phone, or paste it here:
          </p>
          <CodeInput label="The new device's code" onCode={take} />
        </>
      )}
    </div>
  );
}

/** The name of this account, shown on the other device. */
function ownName(): string {
  const { displayName = "", handle = "" } = account.value?.profile ?? {};
  if (handle === "") return displayName;
  return displayName === "" ? `@${handle}` : `${displayName} (@${handle})`;
}

/** The number that both devices show. */
function Check({ check }: { check: string }) {
  return (
    <p class="join-check" data-testid="join-check">
      {check}
    </p>
  );
}

/** For a new device. */
function JoinAccount({ isNew, brought }: { isNew: boolean; brought: PairingCode | undefined }) {
  const own = useSignal<string | undefined>(undefined);
  const answer = useSignal<{ grant: Uint8Array; of: string | undefined; check: string } | undefined>(undefined);
  useEffect(() => {
    void run((tourismo) => tourismo.device()).then((device) => {
      if (device) own.value = pairingLink({ type: "link", device });
    });
    if (isNew && brought?.type === "join") void ask(brought);
  }, []);

  /** The device joins only after the user has compared the numbers. */
  async function ask(code: Extract<PairingCode, { type: "join" }>): Promise<void> {
    const checked = await run((tourismo) => tourismo.checkGrant(code.grant));
    if (checked) answer.value = { grant: code.grant, of: code.of, check: checked.check };
  }

  async function join(grant: Uint8Array): Promise<void> {
    const done = await succeeds((tourismo) => tourismo.joinAccount(grant));
    if (!done) return;
    await nameOnce();
    showNotice("This device is in. Your drives are coming as fast as the signal allows.");
    go({ screen: "drives" });
  }

  function take(code: PairingCode): void {
    if (code.type === "join") void ask(code);
    else showNotice("That is a new device's code. It belongs on the device that is in.");
  }

  if (!isNew) {
    return (
      <div class="card form" data-testid="not-new">
        <h2>Join another account</h2>
        <p class="hint">
          Only a device without data can join another account. This one holds data of its own account, which is never mixed with
          another. If the other device is empty, add that one above.
        </p>
      </div>
    );
  }
  return (
    <div class="card form" data-testid="be-let-in">
      <h2>This device is new</h2>
      {answer.value !== undefined ? (
        <>
          <p>
            The answer adds this device to the account of {answer.value.of ?? "a person without a name"}. The name is not
            verified: continue only if your other device shows this number, too.
          </p>
          <Check check={answer.value.check} />
          <p class="hint">Then all devices of that account show the same data.</p>
          <div class="controls">
            <button type="button" class="button" onClick={() => (answer.value = undefined)}>
              Cancel
            </button>
            <button type="button" class="button primary" onClick={() => answer.value && void join(answer.value.grant)}>
              Join the account
            </button>
          </div>
        </>
      ) : (
        <>
          <p class="hint">1. Scan this code with the device that has your drives, or send it there.</p>
          {own.value === undefined ? null : <Shown link={own.value} what="The code" />}
          <p class="hint">2. That device shows an answer. Scan or paste it here:</p>
          <CodeInput label="The answer" onCode={take} />
        </>
      )}
    </div>
  );
}

function Shown({ link, what }: { link: string; what: string }) {
  return (
    <div class="shown-code">
      <QrCode link={link} label={`${what} as QR code`} />
      <input type="text" readOnly value={link} aria-label={`${what} as text`} onFocus={(event) => event.currentTarget.select()} />
      <ShareLink link={link} what={what} />
    </div>
  );
}

/** Reads a code: pasted, or scanned with the camera. */
function CodeInput({ label, onCode }: { label: string; onCode: (code: PairingCode) => void }) {
  const isWrong = useSignal(false);
  function take(text: string): void {
    const code = parsePairingCode(text);
    isWrong.value = code === undefined && text.trim() !== "";
    if (code) onCode(code);
  }
  return (
    <>
      <label class="field">
        <span>{label}</span>
        <input
          type="text"
          name="code"
          autocomplete="off"
          autocapitalize="none"
          spellcheck={false}
          placeholder="Paste it here"
          onInput={(event) => take(event.currentTarget.value)}
        />
      </label>
      {isWrong.value ? <p class="hint">This is not a complete code.</p> : null}
      <QrScanner onFound={take} />
    </>
  );
}
