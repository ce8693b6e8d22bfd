// Public drives of everybody, from the relay.

import { useSignal } from "@preact/signals";
import type { FeedDrive } from "@tourismo/client";
import { useEffect } from "preact/hooks";

import { relay, units } from "../engine.ts";
import { day, distance, roughDuration, titleOf } from "../format.ts";
import { Sketch } from "../parts/sketch.tsx";
import { href } from "../route.ts";
import { wordsOfError } from "../words.ts";

export function FeedScreen() {
  const shown = useSignal<FeedDrive[]>([]);
  const next = useSignal<string | null>(null);
  const state = useSignal<"loading" | "ready" | { failed: string }>("loading");

  async function load(after: string | null): Promise<void> {
    state.value = "loading";
    try {
      const page = await relay.publicFeed(after === null ? {} : { after });
      shown.value = after === null ? page.drives : [...shown.value, ...page.drives];
      next.value = page.next;
      state.value = "ready";
    } catch (thrown) {
      state.value = { failed: wordsOfError(thrown) };
    }
  }

  useEffect(() => {
    const reload = (): void => void load(null);
    reload();
    addEventListener("online", reload);
    return () => removeEventListener("online", reload);
  }, []);

  return (
    <section class="page">
      <header class="page-head">
        <h1>Discover</h1>
      </header>
      {typeof state.value === "object" ? (
        <div class="empty" data-testid="feed-failed">
          <p>{state.value.failed}</p>
          <p class="hint">The feed lives on the relay. Your own drives are here all the same.</p>
          <button type="button" class="button" onClick={() => void load(null)}>
            Try again
          </button>
        </div>
      ) : null}
      {state.value === "ready" && shown.value.length === 0 ? (
        <p class="empty">Nobody has published a drive yet. Yours could be the first.</p>
      ) : null}
      <ul class="list cards">
        {shown.value.map((drive) => (
          <li key={drive.id}>
            <FeedCard drive={drive} />
          </li>
        ))}
      </ul>
      {next.value !== null && state.value === "ready" ? (
        <button type="button" class="button wide" onClick={() => void load(next.value)}>
          Older drives
        </button>
      ) : null}
      {state.value === "loading" ? <p class="opening">Asking the relay…</p> : null}
    </section>
  );
}

function FeedCard({ drive }: { drive: FeedDrive }) {
  const { value, unit } = distance(drive.stats.distanceM, units());
  return (
    <a class="row feed-row" href={href({ screen: "public", id: drive.id })} data-testid="feed-drive">
      <Sketch parts={drive.line.parts} />
      <div class="row-main">
        <h2>{titleOf(drive)}</h2>
        <p class="row-line">{drive.displayName || drive.handle || "A driver"}</p>
        <p class="row-line">{day(drive.startedAt)}</p>
      </div>
      <div class="row-figure">
        <span class="figure-value">
          {value}
          <span class="figure-unit">{unit}</span>
        </span>
        <span class="figure-label">{roughDuration(drive.stats.movingMs)}</span>
      </div>
    </a>
  );
}
