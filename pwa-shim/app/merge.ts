// What the relay told, brought up to date with what this phone's person said since: that counts at once, also with no signal.

import type {
  Answer,
  AnswerCounts,
  CommentView,
  DriveComment,
  Meet,
  MeetView,
  Person,
  Reaction,
  ReactionCounts,
  SocialView,
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

/** One's own meet as the phone has it. Where others may change it, too, what the relay told of it counts. */
export function ownMeetNow(view: MeetView, told: Meet | undefined, me: Person): Meet {
  return told && view.organisers.length > 0 ? told : { ...me, ...view.fields, id: view.id };
}

/** Meets as the relay told them and one's own as the phone has them: those to come, the next first, and those that are over. */
export function meetsNow(told: Meet[], own: MeetView[], me: Person, now: number): { coming: Meet[]; past: Meet[] } {
  const mine = own.filter((view) => view.own);
  const others = told.filter(({ id }) => !mine.some((view) => view.id === id));
  const ours = mine.map((view) => ownMeetNow(view, told.find(({ id }) => id === view.id), me));
  const all = [...others, ...ours].sort((a, b) => a.startsAt - b.startsAt);
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
