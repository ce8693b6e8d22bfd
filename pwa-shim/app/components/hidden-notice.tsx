// What the operators of the server hide of the user, with their reasons.

import type { HiddenItem } from "@tourismo/client";
import { account, relay } from "../engine.ts";
import { useRelayQuery } from "../relay-query.ts";

function useHidden(): HiddenItem[] {
  const { data } = useRelayQuery("own decisions", () => relay.ownDecisions());
  return account.value === undefined ? [] : (data?.items ?? []);
}

/** Says that one thing of the user is hidden: by the ids of its document and of its link. */
export function HiddenNotice({ ids }: { ids: (string | null | undefined)[] }) {
  const items = useHidden();
  const found = items.find((item) => item.target !== "account" && item.target !== "comment" && isOneOf(item, ids));
  const suspension = items.find(({ target }) => target === "account");
  if (found) return <Hidden title="Hidden from others" what="Only you see this." reason={found.reason} />;
  return suspension ? <Suspended reason={suspension.reason} /> : null;
}

const TITLES = {
  account: "Your account is suspended",
  drive: "A drive is hidden",
  meet: "A meet is hidden",
  comment: "A comment is hidden",
};

/** Says that the account is suspended, or that comments of it are hidden. */
export function HiddenOfAccount() {
  const items = useHidden();
  const suspension = items.find(({ target }) => target === "account");
  const others = items.filter(({ target }) => target !== "account");
  return (
    <>
      {suspension ? <Suspended reason={suspension.reason} /> : null}
      {others.map((item) => (
        <Hidden
          key={`${item.target} ${item.document}`}
          title={TITLES[item.target ?? "drive"]}
          what="Others do not see it."
          reason={item.reason}
        />
      ))}
    </>
  );
}

function isOneOf(item: HiddenItem, ids: (string | null | undefined)[]): boolean {
  return ids.includes(item.document) || ids.includes(item.link);
}

function Suspended({ reason }: { reason: string }) {
  return (
    <Hidden
      title="Your account is suspended"
      what="Others see nothing of you. Your devices still sync, and you can export everything."
      reason={reason}
    />
  );
}

function Hidden({ title, what, reason }: { title: string; what: string; reason: string }) {
  return (
    <div class="card form" role="status" data-testid="hidden-by-operator">
      <h2>{title}</h2>
      <p class="hint bad">{what} An operator of this server decided so:</p>
      <p class="text">{reason}</p>
    </div>
  );
}
