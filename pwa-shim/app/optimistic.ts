// Applies the user's unsynced changes on top of fetched data, so that they count at once, also without signal.

import type {
  Answer,
  AnswerCounts,
  CommentView,
  DriveComment,
  Meet,
  MeetFields,
  MeetView,
  Person,
  QueryMeta,
  Reaction,
  ReactionCounts,
  SocialView,
  Timestamp,
} from "@tourismo/client";

/** The reactions to a drive, and the user's own. */
export interface ReactionState {
  counts: ReactionCounts;
  mine: Reaction | null;
}

/** The fetched reactions with the user's own reaction from this phone. */
export function withOwnReaction(
  drive: string,
  fetched: ReactionState | undefined,
  social: SocialView | undefined,
): ReactionState {
  const felt = fetched ?? { counts: { like: 0, wow: 0, road: 0, car: 0 }, mine: null };
  if (!social) return felt;
  const mine = social.reactions.find((one) => one.drive === drive)?.reaction ?? null;
  return { counts: recounted(felt.counts, felt.mine, mine), mine };
}

/** The comments on a drive, oldest first: those of others as fetched, the user's own from this phone. */
export function withOwnComments(
  fetched: DriveComment[],
  own: CommentView[] | undefined,
  drive: string,
  me: Person,
): DriveComment[] {
  const mine = own
    ?.filter((comment) => comment.drive === drive)
    .map(({ id, at, text }) => ({ ...me, id, at, text, isMine: true, isHidden: false }));
  const all = mine ? [...fetched.filter((comment) => comment.account !== me.account), ...mine] : [...fetched];
  return all.sort((a, b) => a.at - b.at);
}

/** The comments on the user's own drive, as the user removed some or showed them again. */
export function withHidden(
  comments: DriveComment[],
  social: SocialView | undefined,
  drive: string,
  isOwner: boolean,
): DriveComment[] {
  if (!social || !isOwner) return comments;
  const hidden = social.hidden.filter((one) => one.drive === drive);
  return comments.map((comment) => ({
    ...comment,
    isHidden: hidden.some((one) => one.comment === comment.id && one.account === comment.account),
  }));
}

/** The number of answers of each kind, and the user's own answer. */
export interface AnswerState {
  counts: AnswerCounts;
  mine: Answer | null;
}

/** The fetched answers to a meet with the user's own answer from this phone. */
export function withOwnAnswer(
  meet: string,
  fetched: { answers: AnswerCounts; myAnswer: Answer | null } | undefined,
  social: SocialView | undefined,
): AnswerState {
  const { answers, myAnswer } = fetched ?? { answers: { going: 0, maybe: 0, no: 0 }, myAnswer: null };
  if (!social) return { counts: answers, mine: myAnswer };
  const mine = ownAnswer(meet, social);
  return { counts: recounted(answers, myAnswer, mine), mine };
}

/** The user's answer to a meet. */
export function ownAnswer(meet: string, social: SocialView | undefined): Answer | null {
  return social?.answers.find((one) => one.meet === meet)?.answer ?? null;
}

/** A fetched meet. `changedAt` is there if this meet alone was fetched. */
type FetchedMeet = Meet & Partial<QueryMeta> & { changedAt?: Timestamp | null; organisers?: readonly string[] };

/**
 * A fetched meet with the user's later changes. A meet of the user that nobody else may change is complete on this phone.
 */
export function withOwnChanges(fetched: FetchedMeet | undefined, view: MeetView | undefined, me: Person): Meet | undefined {
  if (!view) return fetched;
  if (view.own && (!fetched || view.organisers.length === 0)) return { ...me, ...view.fields, id: view.id };
  if (!fetched) return undefined;
  const newest = newestIn(view);
  const mayChange = view.own || (fetched.organisers?.includes(me.account) ?? true);
  const isSince = (at: number): boolean => (view.isUnsent && at === newest) || (mayChange && !isKnown(fetched, at));
  const since = view.said.filter(([, at]) => isSince(at)).map(([field]) => [field, view.fields[field]]);
  return { ...fetched, ...(Object.fromEntries(since) as Partial<MeetFields>) };
}

/**
 * The fields of a meet that the user set and another organiser set afterwards, as far as the fetched meet shows. None while
 * changes of the user are not sent.
 */
export function overriddenFields(fetched: FetchedMeet, view: MeetView): (keyof MeetFields)[] {
  if (view.isUnsent || !isKnown(fetched, newestIn(view))) return [];
  const counts = (field: keyof MeetFields): boolean => JSON.stringify(fetched[field]) === JSON.stringify(view.fields[field]);
  return view.said.map(([field]) => field).filter((field) => !counts(field));
}

/**
 * Whether the fetched meet includes a change that was made at a time. Changes are dated after everything that their author saw,
 * by clocks that may be ahead, so that only `changedAt` of the relay is comparable. Without it, the time of the fetch must do,
 * unless the change is dated in the future.
 */
function isKnown({ changedAt, fetchedAt }: FetchedMeet, at: Timestamp): boolean {
  if (changedAt !== undefined && changedAt !== null) return at <= changedAt;
  return at <= (fetchedAt ?? -Infinity) || at > Date.now();
}

function newestIn(view: MeetView): Timestamp {
  return Math.max(...view.said.map(([, at]) => at));
}

/** Fetched meets and the user's own: upcoming ones with the next first, and past ones. */
export function withOwnMeets(
  fetched: readonly Meet[],
  fetchedAt: Timestamp,
  known: readonly MeetView[],
  me: Person,
  now: number,
): { coming: Meet[]; past: Meet[] } {
  const viewOf = (id: string): MeetView | undefined => known.find((view) => view.id === id);
  const named = fetched.flatMap((meet) => withOwnChanges({ ...meet, fetchedAt }, viewOf(meet.id), me) ?? []);
  const unheard = known.filter((view) => view.own && !fetched.some(({ id }) => id === view.id));
  const ours = unheard.flatMap((view) => withOwnChanges(undefined, view, me) ?? []);
  const all = [...named, ...ours].sort((a, b) => a.startsAt - b.startsAt);
  const isOver = (meet: Meet): boolean => (meet.endsAt ?? meet.startsAt + UNKNOWN_END_MS) < now;
  return { coming: all.filter((meet) => !isOver(meet)), past: all.filter(isOver).reverse() };
}

/** How long after its start a meet without an end counts as upcoming. */
const UNKNOWN_END_MS = 3 * 3_600_000;

function recounted<T extends string>(counts: Record<T, number>, before: T | null, after: T | null): Record<T, number> {
  if (before === after) return counts;
  const recounted = { ...counts };
  if (before) recounted[before] = Math.max(0, recounted[before] - 1);
  if (after) recounted[after] += 1;
  return recounted;
}
