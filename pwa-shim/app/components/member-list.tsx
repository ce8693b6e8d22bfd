// The devices of the account: their names, their last connections, what may be on them only, and removing one.

import { signal, useSignal } from "@preact/signals";
import type { MemberView, OwnDevice } from "@tourismo/client";

import { account, drives, members, recording, succeeds } from "../engine.ts";
import { clock, day, titleOf } from "../format.ts";
import { showNotice } from "./notice.tsx";

/** A device as phone and relay know it. */
interface Device {
  key: string;
  name: string;
  seenAt: number | null;
  isRemoved: boolean;
  /** The devices that it let in, by key. */
  granted: readonly string[];
}

/** The keys that this page removed: the relay's list may be older. */
const removed = signal<ReadonlySet<string>>(new Set());

export function MemberList({ known }: { known: readonly OwnDevice[] }) {
  const view = members.value;
  if (!account.value || !view) return null;
  const { device, devices: named } = account.value;
  const all = joined(view.devices, known, named).filter(({ key, isRemoved }) => !isRemoved && !removed.value.has(key));
  return (
    <>
      <ul class="plain member-list" data-testid="members">
        {all.map((one) => (
          <Member key={one.key} device={one} isThis={one.key === device} others={all} />
        ))}
      </ul>
      {all.length > 1 ? <UnfinishedElsewhere /> : null}
    </>
  );
}

/** The devices that the phone knows from statements and the relay from connections. The relay decides who is in. */
function joined(
  members: readonly MemberView[],
  known: readonly OwnDevice[],
  named: readonly { key: string; name: string }[],
): Device[] {
  const keys = [...new Set([...members.map(({ key }) => key), ...known.map(({ key }) => key)])];
  return keys.map((key) => {
    const atRelay = known.find((one) => one.key === key);
    const here = members.find((one) => one.key === key);
    return {
      key,
      name: named.find((one) => one.key === key)?.name || `Device ${key.slice(0, 6)}`,
      seenAt: atRelay?.seenAt ?? null,
      isRemoved: atRelay ? atRelay.removedAt !== null : (here?.isRemoved ?? false),
      granted: [
        ...new Set([...(here?.granted ?? []), ...known.filter(({ grantedBy }) => grantedBy === key).map((one) => one.key)]),
      ],
    };
  });
}

function Member({ device, isThis, others }: { device: Device; isThis: boolean; others: readonly Device[] }) {
  const isAsked = useSignal(false);
  const letIn = others.filter(({ key }) => device.granted.includes(key)).map(({ name }) => name);
  async function remove(): Promise<void> {
    if (!(await succeeds((tourismo) => tourismo.removeKey(device.key)))) return;
    removed.value = new Set([...removed.value, device.key]);
    showNotice(`${device.name} is removed from your account.`);
  }
  return (
    <li data-testid="member">
      <strong>{device.name}</strong>
      {isThis
        ? " · this device"
        : device.seenAt === null
          ? ""
          : ` · last connected ${day(device.seenAt)}, ${clock(device.seenAt)}`}
      {isThis ? null : !isAsked.value ? (
        <div class="controls">
          <button type="button" class="button" onClick={() => (isAsked.value = true)}>
            Remove
          </button>
        </div>
      ) : (
        <>
          <p class="hint">
            {device.name} loses access within a second, for good. It keeps its data. Drives that were recorded on it after its
            last connection are on that device only.
          </p>
          {letIn.length > 0 ? (
            <p class="hint bad">
              It added {letIn.join(", ")} to your account. Remove {letIn.length > 1 ? "these devices" : "that device"}, too, if
              you do not know {letIn.length > 1 ? "them" : "it"}.
            </p>
          ) : null}
          <div class="controls">
            <button type="button" class="button" onClick={() => (isAsked.value = false)}>
              Keep it
            </button>
            <button type="button" class="button danger" onClick={() => void remove()}>
              Remove {device.name}
            </button>
          </div>
        </>
      )}
    </li>
  );
}

/** Drives that another device records, or did not finish: the rest of each is on that device only. */
function UnfinishedElsewhere() {
  const unfinished = (drives.value ?? []).filter(({ id, endedAt }) => endedAt === null && id !== recording.value?.drive);
  if (unfinished.length === 0) return null;
  return (
    <p class="hint" data-testid="unfinished-elsewhere">
      Not finished on another device: {unfinished.map((drive) => titleOf(drive)).join(", ")}. What was recorded after its last
      connection is on that device only.
    </p>
  );
}
