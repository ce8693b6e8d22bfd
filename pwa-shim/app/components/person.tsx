// A person in a list: initial, name, handle.

import type { Person } from "@tourismo/client";
import type { ComponentChildren } from "preact";

import { href } from "../route.ts";

/** The name of a person for display. */
export function nameOfPerson({ displayName, handle }: { displayName: string | null; handle: string | null }): string {
  return displayName || handle || "A driver";
}

export function PersonLink({ person, detail, children }: { person: Person; detail?: string; children?: ComponentChildren }) {
  const name = nameOfPerson(person);
  return (
    <div class="row person-row" data-testid="person">
      <a class="person" href={href({ screen: "person", name: person.handle || person.account })}>
        <span class="initial" aria-hidden="true">
          {Array.from(name)[0]?.toUpperCase()}
        </span>
        <span class="row-main">
          <strong class="person-name">{name}</strong>
          <span class="row-line">{[person.handle ? `@${person.handle}` : "", detail].filter(Boolean).join(" · ")}</span>
        </span>
      </a>
      {children}
    </div>
  );
}
