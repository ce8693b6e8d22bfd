// A drive while it is recorded or paused.

import type { RecordingView } from "@tourismo/client";
import { useEffect, useState } from "preact/hooks";

import { give, status, units } from "../engine.ts";
import { clock, distance, duration, height, inGaps } from "../format.ts";
import { Badge } from "../parts/badge.tsx";
import { FigureBox } from "../parts/figures.tsx";
import { Gauge } from "../parts/gauge.tsx";
import { HoldButton } from "../parts/hold-button.tsx";
import { BackIcon, FlagIcon, PauseIcon, PlayIcon } from "../parts/icons.tsx";
import { Trace } from "../parts/trace.tsx";
import { href } from "../route.ts";
import { wordsOfNotRecording, wordsOfSafety, wordsOfSignal } from "../words.ts";
import { finish } from "./record.tsx";

export function LiveDrive({ view }: { view: RecordingView }) {
  const isPaused = view.state === "paused";
  const problem = wordsOfNotRecording(view);
  // A speed of a while ago is none.
  const isMeasuring = !isPaused && problem === undefined && (view.signal.type === "good" || view.signal.type === "inaccurate");
  const signal = wordsOfSignal(view.signal);
  const safety = wordsOfSafety(view, status.value?.storage ?? { type: "saved" });
  const elapsed = useElapsed(view.startedAt);
  return (
    <section
      class={isPaused ? "record live paused" : "record live"}
      data-testid="live"
      data-fixes={view.stats.fixes}
      data-recorded={view.stats.fixes + view.stats.refused}
      data-saved={view.taken - view.unsaved}
    >
      <Resumed view={view} />
      <h1 class="unseen">{isPaused ? "A drive is paused" : problem === undefined ? "A drive is being recorded" : "Nothing is being recorded"}</h1>
      <div class="live-states">
        <a class="leave" href={href({ screen: "drives" })} aria-label="Leave this screen; the recording goes on">
          <BackIcon />
        </a>
        {problem === undefined ? <Badge words={isPaused ? { tone: "plain", text: "Paused" } : signal} /> : null}
        <span data-testid="safety">
          <Badge words={safety} />
        </span>
      </div>
      {problem === undefined ? null : (
        <div class="alert" role="alert" data-testid="not-recording">
          <p>
            <strong>Nothing is being recorded.</strong> {problem}
          </p>
        </div>
      )}
      {(!isPaused && problem === undefined && signal.detail) || safety.detail ? <p class="hint live-detail">{safety.detail ?? signal.detail}</p> : null}
      <div class="live-dial">
        <Gauge speedMps={isMeasuring ? view.speedMps : null} units={units()} note={isPaused ? "Paused" : undefined} />
      </div>
      <div class="live-figures">
        <div class="figures">
          <FigureBox figure={distance(view.stats.distanceM, units())} label="Distance" besides={inGaps(view.stats, units())} />
          <FigureBox figure={{ value: duration(elapsed), unit: "" }} label="Elapsed" />
          <FigureBox figure={{ value: duration(view.stats.movingMs), unit: "" }} label="Moving time" />
          <FigureBox figure={height(view.stats.ascentM, units())} label="Ascent" />
        </div>
        <Trace />
      </div>
      <p class="hint live-note">Keep Tourismo open on screen while you drive.</p>
      <div class="controls">
        <HoldButton class="button big" hint="Hold to finish" onHeld={() => void finish(view)}>
          <FlagIcon /> Finish
        </HoldButton>
        {isPaused ? (
          <button type="button" class="button big primary" onClick={() => void give((tourismo) => tourismo.resumeDrive())}>
            <PlayIcon /> Resume
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

/** That the drive went on by itself, or when somebody said so, and how to take that back. */
function Resumed({ view }: { view: RecordingView }) {
  if (!view.canUndoResume || view.leftOffAt === null) return null;
  return (
    <div class="resumed" role="status" data-testid="resumed">
      <p>
        <strong>Drive resumed.</strong> Nothing was recorded from {clock(view.leftOffAt)} until Tourismo was opened again.
      </p>
      <button type="button" class="button small" data-testid="undo" onClick={() => void give((tourismo) => tourismo.undoResume())}>
        Undo
      </button>
    </div>
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
