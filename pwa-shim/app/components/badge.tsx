// A state in a few words, with a dot whose colour says how serious it is.

import type { Message } from "../messages.ts";

export function Badge({ message }: { message: Message }) {
  return <span class={`badge tone-${message.tone}`}>{message.text}</span>;
}

/** The badge with an explanation below it. */
export function StatusMessage({ message }: { message: Message }) {
  return (
    <div class="state">
      <Badge message={message} />
      {message.detail === undefined ? null : <p class="hint">{message.detail}</p>}
    </div>
  );
}
