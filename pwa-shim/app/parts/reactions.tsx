// What people feel about a drive, and the buttons to say what one feels oneself.

import type { Reaction, ReactionCounts } from "@tourismo/client";
import type { ComponentType } from "preact";

import { give } from "../engine.ts";
import { CarIcon, HeartIcon, RoadIcon, StarIcon } from "./icons.tsx";

const REACTIONS: { reaction: Reaction; label: string; icon: ComponentType }[] = [
  { reaction: "like", label: "Like", icon: HeartIcon },
  { reaction: "wow", label: "Wow", icon: StarIcon },
  { reaction: "road", label: "What a road", icon: RoadIcon },
  { reaction: "car", label: "What a car", icon: CarIcon },
];

export function ReactionBar({ drive }: { drive: { id: string; reactions: ReactionCounts; mine: Reaction | null } }) {
  const say = (reaction: Reaction): void =>
    void give((tourismo) => tourismo.react(drive.id, drive.mine === reaction ? null : reaction));
  return (
    <div class="reactions" role="group" aria-label="What you feel about it">
      {REACTIONS.map(({ reaction, label, icon: Icon }) => (
        <button
          key={reaction}
          type="button"
          class="reaction"
          aria-label={label}
          aria-pressed={drive.mine === reaction}
          title={label}
          onClick={() => say(reaction)}
        >
          <Icon />
          <span class="reaction-count">{drive.reactions[reaction]}</span>
        </button>
      ))}
    </div>
  );
}

/** The sums alone, for lists. */
export function ReactionSums({ reactions, comments }: { reactions: ReactionCounts; comments: number }) {
  const sum = Object.values(reactions).reduce((all, one) => all + one, 0);
  const parts = [
    sum > 0 ? `${sum} ${sum === 1 ? "reaction" : "reactions"}` : "",
    comments > 0 ? `${comments} ${comments === 1 ? "comment" : "comments"}` : "",
  ].filter(Boolean);
  return parts.length > 0 ? <p class="row-line">{parts.join(" · ")}</p> : null;
}
