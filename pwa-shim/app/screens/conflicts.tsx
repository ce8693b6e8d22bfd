// What several devices said of a drive at the same time: every value is shown, and the person settles it.

import type { DriveConflict, DriveView } from "@tourismo/client";

import { nameOf } from "../car-name.ts";
import { cars, give } from "../engine.ts";
import { wordsOfVisibility } from "../words.ts";

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
      <p class="hint">Your devices said different things while they did not hear of each other. The first is shown until you choose.</p>
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
          name: carName(car),
          choose: () => void give((tourismo) => tourismo.editDrive(drive.id, { car })),
        })),
      };
    case "visibility":
      return {
        question: "Who may see this drive?",
        choices: conflict.values.map((visibility) => ({
          name: wordsOfVisibility(visibility),
          choose: () => void give((tourismo) => tourismo.publishDrive(drive.id, visibility)),
        })),
      };
    default:
      return conflict satisfies never;
  }
}

function carName(car: string | null): string {
  if (car === null) return "None of mine";
  const found = cars.value.find(({ id }) => id === car);
  return found ? nameOf(found.fields) : "A car that is not here yet";
}
