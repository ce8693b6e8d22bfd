// What the user deleted in the last 30 days: it can be restored, or erased at once.

import type { DeletedView } from "@tourismo/client";

import { HoldButton } from "../components/hold-button.tsx";
import { BackIcon } from "../components/icons.tsx";
import { deleted, run } from "../engine.ts";
import { day } from "../format.ts";
import { describeDeletedKind } from "../messages.ts";
import { href } from "../route.ts";

export function DeletedScreen() {
  return (
    <section class="page">
      <a class="back" href={href({ screen: "drives" })}>
        <BackIcon /> Drives
      </a>
      <header class="page-head">
        <h1>Recently deleted</h1>
      </header>
      <p class="hint">
        {deleted.value.length === 0
          ? "Nothing. Deleted drives, cars and meets stay here for 30 days."
          : "Nobody else sees these. After 30 days they are erased from all your devices and from the server."}
      </p>
      <ul class="list">
        {deleted.value.map((one) => (
          <li key={one.id}>
            <DeletedRow one={one} />
          </li>
        ))}
      </ul>
    </section>
  );
}

function DeletedRow({ one }: { one: DeletedView }) {
  const { id, kind, name, startedAt, eraseAt } = one;
  const details = [
    describeDeletedKind(kind),
    startedAt === null ? "" : day(startedAt),
    eraseAt === null ? "" : `erased on ${day(eraseAt)}`,
  ];
  return (
    <div class="row" data-testid="deleted">
      <div class="row-main">
        <h2>{name || describeDeletedKind(kind)}</h2>
        <p class="row-line">{details.filter(Boolean).join(" · ")}</p>
        <p class="row-states">
          <button type="button" class="button small" onClick={() => void run((tourismo) => tourismo.restore(id))}>
            Restore
          </button>
          <HoldButton
            class="button small danger"
            hint="Hold to erase it for good"
            onHeld={() => void run((tourismo) => tourismo.erase(id))}
          >
            Erase now
          </HoldButton>
        </p>
      </div>
    </div>
  );
}
