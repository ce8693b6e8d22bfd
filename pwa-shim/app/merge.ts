// What the relay told, brought up to date with what this phone's person said since: that counts at once, also with no signal.

import type {
  Answer,
  AnswerCounts,
  CommentView,
  DriveComment,
  Meet,
  MeetFields,
  MeetView,
  Person,
  Reaction,
  ReactionCounts,
  SocialView,
  Timestamp,
  Told,
} from "@tourismo/client";

/** What people feel about a drive. */
export interface Felt {
  counts: ReactionCounts;
  mine: Reaction | null;
}

/** What people feel about a drive, with what this person feels as the phone has it. */
export function feltNow(drive: string, told: Felt | undefined, social: SocialView | undefined): Felt {
  const felt = told ?? { counts: { like: 0, wow: 0, road: 0, car: 0 }, mine: null };
  if (!social) return felt;
  const mine = social.reactions.find((one) => one.drive === drive)?.reaction ?? null;
  return { counts: recounted(felt.counts, felt.mine, mine), mine };
}

/** The comments on a drive, oldest first: what others wrote as the relay told, one's own as the phone has them. */
export function commentsNow(told: DriveComment[], own: CommentView[] | undefined, drive: string, me: Person): DriveComment[] {
  const mine = own?.filter((comment) => comment.drive === drive).map(({ id, at, text }) => ({ ...me, id, at, text, isMine: true }));
  const all = mine ? [...told.filter((comment) => comment.account !== me.account), ...mine] : [...told];
  return all.sort((a, b) => a.at - b.at);
}

/** How many answered what, and what one answered oneself. */
export interface Answered {
  counts: AnswerCounts;
  mine: Answer | null;
}

/** What was answered to a meet, with this person's answer as the phone has it. */
export function answeredNow(
  meet: string,
  told: { answers: AnswerCounts; myAnswer: Answer | null } | undefined,
  social: SocialView | undefined,
): Answered {
  const { answers, myAnswer } = told ?? { answers: { going: 0, maybe: 0, no: 0 }, myAnswer: null };
  if (!social) return { counts: answers, mine: myAnswer };
  const mine = answerTo(meet, social);
  return { counts: recounted(answers, myAnswer, mine), mine };
}

/** What one answered to a meet. */
export function answerTo(meet: string, social: SocialView | undefined): Answer | null {
  return social?.answers.find((one) => one.meet === meet)?.answer ?? null;
}

/** A meet as the relay told it, and when; `changedAt` where it was asked about this one alone. */
type ToldMeet = Meet & Partial<Told> & { changedAt?: Timestamp | null; organisers?: readonly string[] };

/**
 * A meet as the relay told it, with what this phone's account said of it since. One's own, which nobody else may change, is
 * known without the relay.
 */
export function meetNow(told: ToldMeet | undefined, view: MeetView | undefined, me: Person): Meet | undefined {
  if (!view) return told;
  if (view.own && (!told || view.organisers.length === 0)) return { ...me, ...view.fields, id: view.id };
  if (!told) return undefined;
  const newest = newestIn(view);
  const mayChange = view.own || (told.organisers?.includes(me.account) ?? true);
  const isSince = (at: number): boolean => (view.isUnsent && at === newest) || (mayChange && !isKnown(told, at));
  const since = view.said.filter(([, at]) => isSince(at)).map(([field]) => [field, view.fields[field]]);
  return { ...told, ...(Object.fromEntries(since) as Partial<MeetFields>) };
}

/**
 * The fields of a meet that this account said and that do not count as it said them, as far as the relay told: another
 * organiser set them after it. None while something of it is on its way.
 */
export function overruledIn(told: ToldMeet, view: MeetView): (keyof MeetFields)[] {
  if (view.isUnsent || !isKnown(told, newestIn(view))) return [];
  const counts = (field: keyof MeetFields): boolean => JSON.stringify(told[field]) === JSON.stringify(view.fields[field]);
  return view.said.map(([field]) => field).filter((field) => !counts(field));
}

/**
 * Whether the relay knew what was said at a time when it told of the meet. Who says something says it after all that they
 * saw, by clocks that may be ahead: only the relay's word for when it was changed last can be compared with that. Where that
 * is missing, this phone's clock must do, but for a time that is still to come.
 */
function isKnown({ changedAt, toldAt }: ToldMeet, at: Timestamp): boolean {
  if (changedAt !== undefined && changedAt !== null) return at <= changedAt;
  return at <= (toldAt ?? -Infinity) || at > Date.now();
}

function newestIn(view: MeetView): Timestamp {
  return Math.max(...view.said.map(([, at]) => at));
}

/** Meets as the relay told them and one's own as the phone has them: those to come, the next first, and those that are over. */
export function meetsNow(
  told: readonly Meet[],
  toldAt: Timestamp,
  known: readonly MeetView[],
  me: Person,
  now: number,
): { coming: Meet[]; past: Meet[] } {
  const viewOf = (id: string): MeetView | undefined => known.find((view) => view.id === id);
  const named = told.flatMap((meet) => meetNow({ ...meet, toldAt }, viewOf(meet.id), me) ?? []);
  const unheard = known.filter((view) => view.own && !told.some(({ id }) => id === view.id));
  const ours = unheard.flatMap((view) => meetNow(undefined, view, me) ?? []);
  const all = [...named, ...ours].sort((a, b) => a.startsAt - b.startsAt);
  const isOver = (meet: Meet): boolean => (meet.endsAt ?? meet.startsAt + UNKNOWN_END_MS) < now;
  return { coming: all.filter((meet) => !isOver(meet)), past: all.filter(isOver).reverse() };
}

/** How long a meet is shown among those to come if nobody said when it ends. */
const UNKNOWN_END_MS = 3 * 3_600_000;

function recounted<T extends string>(counts: Record<T, number>, before: T | null, after: T | null): Record<T, number> {
  if (before === after) return counts;
  const recounted = { ...counts };
  if (before) recounted[before] = Math.max(0, recounted[before] - 1);
  if (after) recounted[after] += 1;
  return recounted;
}
