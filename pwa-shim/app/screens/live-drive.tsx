// The drive that is recorded or paused.

import type { RecordingView } from "@tourismo/client";
import { useEffect, useState } from "preact/hooks";
import { Badge } from "../components/badge.tsx";
import { StatBox } from "../components/drive-stats.tsx";
import { Gauge } from "../components/gauge.tsx";
import { HoldButton } from "../components/hold-button.tsx";
import { BackIcon, FlagIcon, PauseIcon, PlayIcon } from "../components/icons.tsx";
import { LiveLine } from "../components/live-line.tsx";
import { run, status, units } from "../engine.ts";
import { clock, distance, duration, height, inGaps } from "../format.ts";
import { describeNotRecording, describeSafety, describeSignal } from "../messages.ts";
import { href } from "../route.ts";
import { finish } from "./record.tsx";

export function LiveDrive({ view }: { view: RecordingView }) {
  const isPaused = view.state === "paused";
  const problem = describeNotRecording(view);
  // An old speed is not shown.
  const isMeasuring = !isPaused && problem === undefined && (view.signal.type === "good" || view.signal.type === "inaccurate");
  const signal = describeSignal(view.signal);
  const safety = describeSafety(view, status.value?.storage ?? { type: "saved" });
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
      <h1 class="unseen">
        {isPaused ? "A drive is paused" : problem === undefined ? "A drive is being recorded" : "Nothing is being recorded"}
      </h1>
      <div class="live-states">
        <a class="leave" href={href({ screen: "drives" })} aria-label="Leave this screen; the recording goes on">
          <BackIcon />
        </a>
        {problem === undefined ? <Badge message={isPaused ? { tone: "plain", text: "Paused" } : signal} /> : null}
        <span data-testid="safety">
          <Badge message={safety} />
        </span>
      </div>
      {problem === undefined ? null : (
        <div class="alert" role="alert" data-testid="not-recording">
          <p>
            <strong>Nothing is being recorded.</strong> {problem}
          </p>
        </div>
      )}
      {(!isPaused && problem === undefined && signal.detail) || safety.detail ? (
        <p class="hint live-detail">{safety.detail ?? signal.detail}</p>
      ) : null}
      <div class="live-dial">
        <Gauge speedMps={isMeasuring ? view.speedMps : null} units={units()} note={isPaused ? "Paused" : undefined} />
      </div>
      <div class="live-figures">
        <div class="figures">
          <StatBox quantity={distance(view.stats.distanceM, units())} label="Distance" note={inGaps(view.stats, units())} />
          <StatBox quantity={{ value: duration(elapsed), unit: "" }} label="Elapsed" />
          <StatBox quantity={{ value: duration(view.stats.movingMs), unit: "" }} label="Moving time" />
          <StatBox quantity={height(view.stats.ascentM, units())} label="Ascent" />
        </div>
        <LiveLine />
      </div>
      <p class="hint live-note">Keep Tourismo open on screen while you drive.</p>
      <div class="controls">
        <HoldButton class="button big" hint="Hold to finish" onHeld={() => void finish(view)}>
          <FlagIcon /> Finish
        </HoldButton>
        {isPaused ? (
          <button type="button" class="button big primary" onClick={() => void run((tourismo) => tourismo.resumeDrive())}>
            <PlayIcon /> Resume
          </button>
        ) : (
          <button type="button" class="button big" onClick={() => void run((tourismo) => tourismo.pauseDrive())}>
            <PauseIcon /> Pause
          </button>
        )}
      </div>
    </section>
  );
}

/** Says that the drive was resumed, and offers to undo it. */
function Resumed({ view }: { view: RecordingView }) {
  if (!view.canUndoResume || view.leftOffAt === null) return null;
  return (
    <div class="resumed" role="status" data-testid="resumed">
      <p>
        <strong>Drive resumed.</strong> Nothing was recorded from {clock(view.leftOffAt)} until Tourismo was opened again.
      </p>
      <button type="button" class="button small" data-testid="undo" onClick={() => void run((tourismo) => tourismo.undoResume())}>
        Undo
      </button>
    </div>
  );
}

/** Milliseconds since an instant, updated every second. */
function useElapsed(since: number): number {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 1000);
    return () => clearInterval(timer);
  }, []);
  return Math.max(0, now - since);
}
