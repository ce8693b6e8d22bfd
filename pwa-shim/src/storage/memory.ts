// A storage in memory, for engines outside a browser. Engines can share a disk like tabs share a database.

import type { KeyRange, Space, StoredEntry, StoreOp } from "../generated/types.ts";
import { Fenced, type ShellName, type Storage } from "../storage.ts";

/** The data of a storage. It outlives the engines that use it. */
export class MemoryDisk {
  readonly spaces = new Map<Space, Map<string, Uint8Array>>();
  readonly shell = new Map<ShellName, unknown>();
  owner: string | undefined;

  entries(space: Space): Map<string, Uint8Array> {
    let entries = this.spaces.get(space);
    if (!entries) this.spaces.set(space, (entries = new Map()));
    return entries;
  }
}

export class MemoryStorage implements Storage {
  readonly #disk: MemoryDisk;
  #owner: string | undefined;

  constructor(disk = new MemoryDisk()) {
    this.#disk = disk;
  }

  async claim(owner: string): Promise<void> {
    this.#owner = this.#disk.owner = owner;
  }

  async loadSpaces(spaces: readonly Space[]): Promise<StoredEntry[]> {
    return spaces.flatMap((space) => this.#select(space, () => true));
  }

  async load(ranges: readonly KeyRange[]): Promise<StoredEntry[]> {
    return ranges.flatMap((range) => this.#select(range.space, within(range)));
  }

  async store(ops: readonly StoreOp[]): Promise<void> {
    if (this.#disk.owner !== this.#owner) throw new Fenced();
    for (const op of ops) {
      const entries = this.#disk.entries(op.space);
      switch (op.type) {
        case "put":
          entries.set(hex(op.key), op.value.slice());
          break;
        case "delete":
          for (const key of [...entries.keys()].filter(within(op))) entries.delete(key);
          break;
        default:
          op satisfies never;
      }
    }
  }

  async get(name: ShellName): Promise<unknown> {
    return this.#disk.shell.get(name);
  }

  async put(name: ShellName, value: unknown): Promise<void> {
    this.#disk.shell.set(name, value);
  }

  close(): void {}

  #select(space: Space, wanted: (key: string) => boolean): StoredEntry[] {
    const entries = this.#disk.entries(space);
    const keys = [...entries.keys()].filter(wanted).sort();
    return keys.map((key) => ({ space, key: bytes(key), value: (entries.get(key) as Uint8Array).slice() }));
  }
}

// Hexadecimal text sorts like the bytes.
function hex(key: Uint8Array): string {
  return Array.from(key, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function bytes(key: string): Uint8Array {
  return Uint8Array.from(key.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}

function within(range: KeyRange): (key: string) => boolean {
  const [from, to] = [hex(range.from), hex(range.to)];
  return (key) => from <= key && key <= to;
}
