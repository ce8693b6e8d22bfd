import { describe, expect, test } from "vitest";

import { openTourismo, Tourismo, type WorkerLike } from "./client.ts";
import type { TourismoError } from "./errors.ts";
import type { CarFields, DriveView } from "./generated/types.ts";
import type { FromWorker, PageRequest, Reply, RequestResult, ToWorker } from "./messages.ts";
import { settle } from "./testing/tabs.ts";

/** A worker whose replies come from the test. */
class TestWorker implements WorkerLike {
  onmessage: ((event: MessageEvent<FromWorker>) => void) | null = null;
  onerror: ((event: ErrorEvent) => void) | null = null;
  asked: { request: number; ask: PageRequest }[] = [];

  postMessage(message: ToWorker): void {
    if (message.type === "ask") this.asked.push(message);
  }

  terminate(): void {}

  say(message: FromWorker): void {
    this.onmessage?.({ data: message } as MessageEvent<FromWorker>);
  }

  /** Resolves the oldest request. */
  answer(result: RequestResult): void {
    this.reply({ ok: true, result });
  }

  reply(reply: Reply): void {
    const { request } = this.asked.shift() as { request: number };
    this.say({ type: "reply", request, reply });
  }
}

function open() {
  const worker = new TestWorker();
  return { worker, tourismo: new Tourismo(worker) };
}

const drives = (...titles: string[]) => titles.map((title) => ({ title })) as DriveView[];

test("an engine needs a page", async () => {
  await expect(openTourismo()).rejects.toMatchObject({ name: "TourismoError", code: "unsupported" });
});

describe("a command", () => {
  test("that cannot be cloned to the worker is refused", async () => {
    const { worker, tourismo } = open();
    worker.postMessage = (message) => void structuredClone(message);
    const refused = tourismo.putCar({ make: () => "Lancia" } as never);
    await expect(refused).rejects.toMatchObject({ name: "TourismoError", code: "invalid" });
  });

  test("resolves when it is done", async () => {
    const { worker, tourismo } = open();
    const started = tourismo.startDrive();
    worker.answer({ type: "done", doc: "0190-drive" });
    expect(await started).toBe("0190-drive");
  });

  test("sets a reaction, a follow and an answer to a meet", async () => {
    const { worker, tourismo } = open();
    void tourismo.react("0190-copy", "wow");
    void tourismo.block("anna");
    void tourismo.rsvp("0190-meet", null);
    expect(worker.asked.map(({ ask }) => ask.type === "command" && ask.command)).toEqual([
      { type: "react", drive: "0190-copy", reaction: "wow" },
      { type: "relate", account: "anna", relation: "block", holds: true },
      { type: "rsvp", meet: "0190-meet", answer: null },
    ]);
  });

  test("for a token resolves to it", async () => {
    const { worker, tourismo } = open();
    const made = tourismo.token();
    worker.answer({ type: "token", token: Uint8Array.of(1), expiresAt: 7 });
    expect(await made).toEqual({ token: Uint8Array.of(1), expiresAt: 7 });
  });

  test("rejects with the code of the refusal", async () => {
    const { worker, tourismo } = open();
    const paused = tourismo.pauseDrive();
    worker.answer({ type: "refused", code: "not_recording" });
    await expect(paused).rejects.toMatchObject({ name: "TourismoError", code: "not_recording" });
  });

  test("with an invalid field rejects with its name, what it accepts and the size of its value, without its content", async () => {
    const { worker, tourismo } = open();
    const fields = { make: "M".repeat(200), model: "secret", year: 99_999 } as CarFields;
    const put = tourismo.putCar(fields);
    worker.answer({ type: "invalid", field: "make", expected: "at most 100 characters" });
    await expect(put).rejects.toMatchObject({
      code: "invalid",
      message: "putCar was refused: make: at most 100 characters, got 200 characters",
    });
    const again = tourismo.putCar(fields);
    worker.answer({ type: "invalid", field: "year", expected: "1880 to 2200" });
    await expect(again).rejects.toThrow("putCar was refused: year: 1880 to 2200, got 99999");
  });

  test("rejects with the storage failure", async () => {
    const { worker, tourismo } = open();
    const finished = tourismo.finishDrive();
    worker.answer({ type: "notStored", failure: "quotaExceeded" });
    await expect(finished).rejects.toMatchObject({ code: "not_stored", storageFailure: "quotaExceeded" });
  });

  test.each([
    [{ title: "Pass" }, { title: "Pass", notes: null }],
    [
      { notes: "", car: null },
      { title: null, notes: "", car: null },
    ],
  ])("to edit says only what shall change: %j", (change, said) => {
    const { worker, tourismo } = open();
    tourismo.editDrive("0190-drive", change).catch(() => {});
    expect(worker.asked[0]?.ask).toEqual({ type: "command", command: { type: "editDrive", drive: "0190-drive", ...said } });
  });

  test("to join an account rejects with the problem of the grant", async () => {
    const { worker, tourismo } = open();
    const joined = tourismo.joinAccount(Uint8Array.of(1));
    worker.answer({ type: "refused", code: "bad_grant" });
    await expect(joined).rejects.toMatchObject({ code: "bad_grant" });
  });

  test("rejects when the worker fails, when it cannot be loaded and when the engine is closed", async () => {
    for (const [code, end] of [
      ["core_failed", (worker: TestWorker) => worker.say({ type: "failed", code: "core_failed", message: "" })],
      ["core_failed", (worker: TestWorker) => worker.onerror?.({ message: "404" } as ErrorEvent)],
      ["closed", (_: TestWorker, tourismo: Tourismo) => tourismo.close()],
    ] as const) {
      const { worker, tourismo } = open();
      const failures: TourismoError[] = [];
      tourismo.onFailed((why) => failures.push(why));
      const paused = tourismo.pauseDrive();
      end(worker, tourismo);
      await expect(paused).rejects.toMatchObject({ code });
      await expect(tourismo.pauseDrive()).rejects.toMatchObject({ code });
      expect(failures.map((why) => why.code)).toEqual(code === "closed" ? [] : [code]);
    }
  });
});

describe("a live query", () => {
  test("reads once at a time, and once more if the view changed meanwhile", async () => {
    const { worker, tourismo } = open();
    const seen: string[][] = [];
    tourismo.subscribe("drives", (view) => seen.push(view.map(({ title }) => title)));
    for (let i = 0; i < 3; i++) worker.say({ type: "changed", topics: ["drives", "status"] });
    expect(worker.asked).toHaveLength(1);
    worker.answer(drives("old"));
    await settle();
    expect(worker.asked).toHaveLength(1);
    worker.answer(drives("new", "old"));
    await settle();
    expect(seen).toEqual([["old"], ["new", "old"]]);
    expect(worker.asked).toHaveLength(0);
  });

  test("calls a second subscriber with the latest view", async () => {
    const { worker, tourismo } = open();
    tourismo.subscribe("drives", () => {});
    worker.answer(drives("old"));
    await settle();
    const seen: DriveView[][] = [];
    tourismo.subscribe("drives", (view) => seen.push(view));
    expect(seen).toEqual([drives("old")]);
    expect(worker.asked).toHaveLength(0);
  });

  test("without subscribers reads nothing, and reads again for the next subscriber", async () => {
    const { worker, tourismo } = open();
    const stop = tourismo.subscribe("drives", () => {});
    worker.answer(drives("old"));
    await settle();
    stop();
    worker.say({ type: "changed", topics: ["drives"] });
    expect(worker.asked).toHaveLength(0);
    tourismo.subscribe("drives", () => {});
    expect(worker.asked).toHaveLength(1);
  });
});
