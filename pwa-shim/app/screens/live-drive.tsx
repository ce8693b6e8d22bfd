// A drive while it is recorded or paused.

import type { RecordingView } from "@tourismo/client";
import { useEffect, useState } from "preact/hooks";

import { give, status, units } from "../engine.ts";
import { distance, duration, height } from "../format.ts";
import { Badge } from "../parts/badge.tsx";
import { FigureBox } from "../parts/figures.tsx";
import { Gauge } from "../parts/gauge.tsx";
import { HoldButton } from "../parts/hold-button.tsx";
import { FlagIcon, PauseIcon, PlayIcon } from "../parts/icons.tsx";
import { Trace } from "../parts/trace.tsx";
import { wordsOfSafety, wordsOfSignal } from "../words.ts";
import { finish } from "./record.tsx";

export function LiveDrive({ view }: { view: RecordingView }) {
  const isPaused = view.state === "paused";
  // A speed of a while ago is none.
  const isMeasuring = !isPaused && (view.signal.type === "good" || view.signal.type === "inaccurate");
  const signal = wordsOfSignal(view.signal);
  const safety = wordsOfSafety(view, status.value?.storage ?? { type: "saved" });
  const elapsed = useElapsed(view.startedAt);
  return (
    <section
      class={isPaused ? "record live paused" : "record live"}
      data-testid="live"
      data-fixes={view.stats.fixes}
      data-saved={view.taken - view.unsaved}
    >
      <h1 class="unseen">{isPaused ? "A drive is paused" : "A drive is being recorded"}</h1>
      <div class="live-states">
        <Badge words={isPaused ? { tone: "plain", text: "Paused" } : signal} />
        <span data-testid="safety">
          <Badge words={safety} />
        </span>
      </div>
      {(!isPaused && signal.detail) || safety.detail ? <p class="hint live-detail">{safety.detail ?? signal.detail}</p> : null}
      <div class="live-dial">
        <Gauge speedMps={isMeasuring ? view.speedMps : null} units={units()} note={isPaused ? "Paused" : undefined} />
      </div>
      <div class="live-figures">
        <div class="figures">
          <FigureBox figure={distance(view.stats.distanceM, units())} label="Distance" />
          <FigureBox figure={{ value: duration(elapsed), unit: "" }} label="Elapsed" />
          <FigureBox figure={{ value: duration(view.stats.movingMs), unit: "" }} label="In motion" />
          <FigureBox figure={height(view.stats.ascentM, units())} label="Climbed" />
        </div>
        <Trace />
      </div>
      <p class="hint live-note">Keep this page in view: with the screen off, a browser measures nothing.</p>
      <div class="controls">
        <HoldButton class="button big" hint="Hold to finish" onHeld={() => void finish(view.drive)}>
          <FlagIcon /> Finish
        </HoldButton>
        {isPaused ? (
          <button type="button" class="button big primary" onClick={() => void give((tourismo) => tourismo.resumeDrive())}>
            <PlayIcon /> Go on
          </button>
        ) : (
          <button type="button" class="button big" onClick={() => void give((tourismo) => tourismo.pauseDrive())}>
            <PauseIcon /> Pause
          </button>
        )}
      </div>
    </section>
  );
}

/** Milliseconds since a moment, every second anew. */
function useElapsed(since: number): number {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 1000);
    return () => clearInterval(timer);
  }, []);
  return Math.max(0, now - since);
}
