// Conflicts of a drive: fields that several devices set to different values while they were apart. The user chooses one.

import type { DriveConflict, DriveView } from "@tourismo/client";

import { carName } from "../car-name.ts";
import { cars, run } from "../engine.ts";
import { describeVisibility } from "../messages.ts";

interface Choice {
  name: string;
  choose: () => void;
}

export function Conflicts({ drive }: { drive: DriveView }) {
  return (
    <>
      {drive.conflicts.map((conflict) => (
        <Conflict key={conflict.field} {...shownOf(drive, conflict)} />
      ))}
    </>
  );
}

function Conflict({ question, choices }: { question: string; choices: Choice[] }) {
  return (
    <div class="card form conflict" data-testid="conflict">
      <h2>{question}</h2>
      <p class="hint">Two of your devices set different values. The first one counts until you choose.</p>
      <div class="choices">
        {choices.map(({ name, choose }) => (
          <button key={name} type="button" class="button" onClick={choose}>
            {name}
          </button>
        ))}
      </div>
    </div>
  );
}

function shownOf(drive: DriveView, conflict: DriveConflict): { question: string; choices: Choice[] } {
  switch (conflict.field) {
    case "car":
      return {
        question: "Which car was it?",
        choices: conflict.values.map((car) => ({
          name: shownName(car),
          choose: () => void run((tourismo) => tourismo.editDrive(drive.id, { car })),
        })),
      };
    case "visibility":
      return {
        question: "Who may see this drive?",
        choices: conflict.values.map((visibility) => ({
          name: describeVisibility(visibility),
          choose: () => void run((tourismo) => tourismo.publishDrive(drive.id, visibility)),
        })),
      };
    default:
      return conflict satisfies never;
  }
}

function shownName(car: string | null): string {
  if (car === null) return "None of mine";
  const found = cars.value.find(({ id }) => id === car);
  return found ? carName(found.fields) : "A car that is not synced yet";
}
