// Comments on a drive. Its owner can remove those of others, and show them again.

import type { DriveComment } from "@tourismo/client";

import { useDraft } from "../drafts.ts";
import { me, relay, run, social } from "../engine.ts";
import { clock, day } from "../format.ts";
import { withHidden, withOwnComments } from "../optimistic.ts";
import { useRelayList } from "../relay-query.ts";
import { nameOfPerson } from "./person.tsx";
import { ReportButton } from "./report.tsx";

export function Comments({ drive, owner }: { drive: string; owner: string }) {
  const list = useRelayList(`comments ${drive}`, async (page) => {
    const { comments, ...rest } = await relay.comments(drive, page);
    return { ...rest, items: comments };
  });
  const { value: draft, set, clear } = useDraft(`comment ${drive}`, { text: "" });
  const shown = withHidden(
    withOwnComments(list.items, social.value?.comments, drive, me()),
    social.value,
    drive,
    owner === me().account,
  );

  async function post(event: Event): Promise<void> {
    event.preventDefault();
    const id = await run((tourismo) => tourismo.comment(drive, draft.text.trim()));
    if (id !== undefined) clear();
  }

  return (
    <section class="card comments" aria-label="Comments">
      <h2>Comments</h2>
      {shown.length === 0 ? (
        <p class="hint">{list.state === "ready" ? "No comments yet." : "Comments of others need a connection."}</p>
      ) : null}
      {list.more ? (
        <button type="button" class="button" onClick={list.more}>
          Earlier comments
        </button>
      ) : null}
      <ul class="comment-list">
        {shown.map((comment) => (
          <li key={comment.id} class="comment" data-testid="comment">
            <p class="row-line">
              {comment.isMine ? "You" : nameOfPerson(comment)} · {day(comment.at)}, {clock(comment.at)}
            </p>
            <p class={comment.isHidden ? "text cancelled" : "text"}>{comment.text}</p>
            {comment.isMine ? (
              <button
                type="button"
                class="link"
                onClick={() => void run((tourismo) => tourismo.removeComment(drive, comment.id))}
              >
                Delete
              </button>
            ) : (
              <>
                {owner === me().account ? <HideButton drive={drive} comment={comment} /> : null}
                <ReportButton about={{ target: "comment", id: comment.id, account: comment.account, drive }} />
              </>
            )}
          </li>
        ))}
      </ul>
      <form class="say" onSubmit={(event) => void post(event)}>
        <input
          type="text"
          aria-label="Your comment"
          placeholder="Add a comment"
          maxLength={2_000}
          value={draft.text}
          onInput={(event) => set({ text: event.currentTarget.value })}
        />
        <button type="submit" class="button" disabled={draft.text.trim() === ""}>
          Post
        </button>
      </form>
    </section>
  );
}

function HideButton({ drive, comment }: { drive: string; comment: DriveComment }) {
  const toggle = (): void =>
    void run((tourismo) => (comment.isHidden ? tourismo.showComment(drive, comment) : tourismo.hideComment(drive, comment)));
  return (
    <button type="button" class="link" onClick={toggle}>
      {comment.isHidden ? "Removed. Show again" : "Remove from my drive"}
    </button>
  );
}
