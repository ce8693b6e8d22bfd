// A state in a few words, with a dot that says how much it should worry.

import type { Words } from "../words.ts";

export function Badge({ words }: { words: Words }) {
  return <span class={`badge tone-${words.tone}`}>{words.text}</span>;
}

/** The same with what it means. */
export function State({ words }: { words: Words }) {
  return (
    <div class="state">
      <Badge words={words} />
      {words.detail === undefined ? null : <p class="hint">{words.detail}</p>}
    </div>
  );
}
