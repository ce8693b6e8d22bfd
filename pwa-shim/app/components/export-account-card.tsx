// Saves everything of the account as one file, without network.

import { cancelExport, exportEverything, exportState } from "../exporting.ts";
import { href } from "../route.ts";

export function ExportAccountCard() {
  return (
    <div class="card form" data-testid="export-account">
      <h2>Your data</h2>
      <Shown />
      <p class="hint">
        One zip archive with all drives and every position, cars, logbooks, meets, settings and follows. It contains your private
        places. <a href={href({ screen: "import" })}>Import</a> reads it again, also in another account.
      </p>
    </div>
  );
}

function Shown() {
  const state = exportState.value;
  const button = (
    <button type="button" class="button" onClick={() => void exportEverything()}>
      Export everything
    </button>
  );
  switch (state.type) {
    case "idle":
      return button;
    case "exporting":
      return (
        <>
          <p role="status">Writing the archive</p>
          <progress max={1} value={state.share} aria-label="Writing the archive" />
          <button type="button" class="button" onClick={cancelExport}>
            Cancel
          </button>
        </>
      );
    case "done":
      return (
        <>
          <p role="status">
            The archive is in your downloads.
            {state.missing > 0
              ? ` ${state.missing} of ${state.missing + state.documents} parts are not in it, because not all of them is on this phone. Connect to the server and export again.`
              : ""}
          </p>
          {button}
        </>
      );
    case "failed":
      return (
        <>
          <p class="failed">{state.why}</p>
          {button}
        </>
      );
    default:
      return state satisfies never;
  }
}
