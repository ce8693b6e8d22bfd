// Several devices of one person. The new one shows its code, the one that is in answers with another; each is a link.

import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";

import { type Code, linkOf, readCode } from "../codes.ts";
import { guessedName } from "../device-name.ts";
import { account, give, isDone, recording, status } from "../engine.ts";
import { BackIcon } from "../parts/icons.tsx";
import { showNotice } from "../parts/notice.tsx";
import { QrCode } from "../parts/qr.tsx";
import { SavedText } from "../parts/saved-text.tsx";
import { Scan } from "../parts/scan.tsx";
import { ShareLink } from "../parts/share.tsx";
import { go, href } from "../route.ts";

/** `code` is what a link brought that was opened. */
export function DevicesScreen({ code }: { code?: string }) {
  const brought = code === undefined ? undefined : readCode(code);
  // Whatever is on this device belongs to the account that it has.
  const isNew = status.value?.documents === 0 && recording.value === null;
  const cards = [<LetIn key="in" brought={brought} />, <BeLetIn key="new" isNew={isNew} brought={brought} />];
  return (
    <section class="page devices-page">
      <a class="back" href={href({ screen: "settings" })}>
        <BackIcon /> You
      </a>
      <header class="page-head">
        <h1>Your devices</h1>
      </header>
      <p class="lead">All your devices show the same drives, cars and settings. What one records, the others get when there is signal.</p>
      {code !== undefined && brought === undefined ? <p class="hint">The link that was opened holds no whole code.</p> : null}
      {isNew ? null : <Devices />}
      {isNew && brought?.type !== "link" ? cards.reverse() : cards}
    </section>
  );
}

/** The devices that have names. */
function Devices() {
  if (!account.value) return null;
  const { device, devices } = account.value;
  const own = devices.find(({ key }) => key === device);
  const others = devices.filter(({ key }) => key !== device);
  return (
    <div class="card form" data-testid="named-devices">
      <SavedText
        draft="device name"
        label="This device is called"
        name="device"
        maxLength={100}
        placeholder={guessedName()}
        value={own?.name ?? ""}
        onSave={name}
      />
      {others.length === 0 ? null : <p class="hint">In the account, too: {others.map(({ name }) => name).join(", ")}.</p>}
    </div>
  );
}

function name(text: string): Promise<boolean> {
  return isDone((tourismo) => tourismo.nameDevice(text));
}

/** Names this device if nobody did, so that the others can list it. */
async function nameOnce(): Promise<void> {
  const { device, devices } = account.value ?? {};
  if (!devices?.some(({ key }) => key === device)) await name(guessedName());
}

/** For the device that is in. */
function LetIn({ brought }: { brought: Code | undefined }) {
  const device = useSignal(brought?.type === "link" ? brought.device : undefined);
  const answer = useSignal<{ link: string; check: string } | undefined>(undefined);

  async function letIn(key: Uint8Array): Promise<void> {
    const grant = await give((tourismo) => tourismo.grantDevice(key));
    const checked = grant && (await give((tourismo) => tourismo.checkGrant(grant)));
    if (!checked) return;
    answer.value = { link: linkOf({ type: "join", grant, of: ownName() }), check: checked.check };
    await nameOnce();
  }

  function take(code: Code): void {
    if (code.type === "link") device.value = code.device;
    else showNotice("That is an answer. It belongs on the new device.");
  }

  return (
    <div class="card form" data-testid="let-in">
      <h2>Let another device in</h2>
      {answer.value !== undefined ? (
        <>
          <p>
            Show this answer to the new device, or send it there. It is of use to that device alone, and lets it into your
            account, {ownName() || "which has no name yet"}.
          </p>
          <Shown link={answer.value.link} what="The answer" />
          <Check check={answer.value.check} />
          <p class="hint">The new device asks before it enters. It must show the same number.</p>
        </>
      ) : device.value !== undefined ? (
        <>
          <p>
            The other device will see and change everything of yours: drives, places, cars. Go on only if it is yours and its
            code came from itself.
          </p>
          <div class="controls">
            <button type="button" class="button" onClick={() => (device.value = undefined)}>
              Cancel
            </button>
            <button type="button" class="button primary" onClick={() => device.value && void letIn(device.value)}>
              Let it in
            </button>
          </div>
        </>
      ) : (
        <>
          <p class="hint">
            Open {location.host} on the other device, there You, then Your devices. Scan the code that it shows with this
            phone's camera, or bring it here:
          </p>
          <Take label="The new device's code" onCode={take} />
        </>
      )}
    </div>
  );
}

/** What this account calls itself, for the people at another device. */
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

/** For the device that is new. */
function BeLetIn({ isNew, brought }: { isNew: boolean; brought: Code | undefined }) {
  const own = useSignal<string | undefined>(undefined);
  const answer = useSignal<{ grant: Uint8Array; of: string | undefined; check: string } | undefined>(undefined);
  useEffect(() => {
    void give((tourismo) => tourismo.device()).then((device) => {
      if (device) own.value = linkOf({ type: "link", device });
    });
    if (isNew && brought?.type === "join") void ask(brought);
  }, []);

  /** Nothing is entered before the person has compared the numbers. */
  async function ask(code: Extract<Code, { type: "join" }>): Promise<void> {
    const checked = await give((tourismo) => tourismo.checkGrant(code.grant));
    if (checked) answer.value = { grant: code.grant, of: code.of, check: checked.check };
  }

  async function join(grant: Uint8Array): Promise<void> {
    const done = await isDone((tourismo) => tourismo.joinAccount(grant));
    if (!done) return;
    await nameOnce();
    showNotice("This device is in. Your drives are coming as fast as the signal allows.");
    go({ screen: "drives" });
  }

  function take(code: Code): void {
    if (code.type === "join") void ask(code);
    else showNotice("That is a new device's code. It belongs on the device that is in.");
  }

  if (!isNew) {
    return (
      <div class="card form" data-testid="not-new">
        <h2>Enter another account</h2>
        <p class="hint">
          Only a device that holds nothing can. What is on this one belongs to the account that it has: it stays here, and is
          not mixed into another. If the other device is the empty one, let that one in above.
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
            The answer lets this device into the account of {answer.value.of ?? "somebody who gives no name"}. Anybody can
            write a name: go on only if your other device shows this number, too.
          </p>
          <Check check={answer.value.check} />
          <p class="hint">From then on this device shows what the others of that account show, and they show what it records.</p>
          <div class="controls">
            <button type="button" class="button" onClick={() => (answer.value = undefined)}>
              Cancel
            </button>
            <button type="button" class="button primary" onClick={() => answer.value && void join(answer.value.grant)}>
              Enter the account
            </button>
          </div>
        </>
      ) : (
        <>
          <p class="hint">1. Read this code with the camera of the device that holds your drives, or send it there.</p>
          {own.value === undefined ? null : <Shown link={own.value} what="The code" />}
          <p class="hint">2. That device answers with a code of its own. Bring it here:</p>
          <Take label="The answer" onCode={take} />
        </>
      )}
    </div>
  );
}

function Shown({ link, what }: { link: string; what: string }) {
  return (
    <div class="shown-code">
      <QrCode link={link} label={`${what}, to be scanned`} />
      <input type="text" readOnly value={link} aria-label={`${what} as text`} onFocus={(event) => event.currentTarget.select()} />
      <ShareLink link={link} what={what} />
    </div>
  );
}

/** Takes a code by pasting or, where that is possible, by the camera. */
function Take({ label, onCode }: { label: string; onCode: (code: Code) => void }) {
  const isWrong = useSignal(false);
  function take(text: string): void {
    const code = readCode(text);
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
      {isWrong.value ? <p class="hint">That is no code, or not all of it.</p> : null}
      <Scan onFound={take} />
    </>
  );
}
