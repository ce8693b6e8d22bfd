// What the relay told, brought up to date with what this phone's person said since: that counts at once, also with no signal.

import type {
  AnswerView,
  CommentView,
  DriveComment,
  Meet,
  MeetView,
  Person,
  Reaction,
  ReactionCounts,
  SocialView,
} from "@tourismo/client";

/** What people feel about a drive, with what this person feels as the phone has it. */
export function reactionsNow<T extends { id: string; reactions: ReactionCounts; mine: Reaction | null }>(
  drive: T,
  social: SocialView | undefined,
): T {
  if (!social) return drive;
  const mine = social.reactions.find((one) => one.drive === drive.id)?.reaction ?? null;
  if (mine === drive.mine) return drive;
  const reactions = { ...drive.reactions };
  if (drive.mine) reactions[drive.mine] = Math.max(0, reactions[drive.mine] - 1);
  if (mine) reactions[mine] += 1;
  return { ...drive, reactions, mine };
}

/** The comments on a drive, oldest first: what others wrote as the relay told, one's own as the phone has them. */
export function commentsNow(told: DriveComment[], own: CommentView[] | undefined, drive: string, me: Person): DriveComment[] {
  if (!own) return told;
  const mine = own.filter((comment) => comment.drive === drive).map(({ id, at, text }) => ({ id, at, text, by: me, mine: true }));
  const theirs = told.filter((comment) => !comment.mine && comment.by.account !== me.account);
  return [...theirs, ...mine].sort((a, b) => a.at - b.at);
}

/** A meet with this person's answer as the phone has it. */
export function answerNow(meet: Meet, answers: AnswerView[] | undefined): Meet {
  if (!answers) return meet;
  const mine = answers.find((one) => one.meet === meet.id)?.answer ?? null;
  if (mine === meet.mine) return meet;
  const by = (answer: "going" | "maybe"): number => Number(mine === answer) - Number(meet.mine === answer);
  return { ...meet, mine, going: Math.max(0, meet.going + by("going")), maybe: Math.max(0, meet.maybe + by("maybe")) };
}

/** One's own meet as the phone has it. Where others may change it, too, what the relay told of it counts. */
export function ownMeetNow(view: MeetView, told: Meet | undefined, me: Person): Meet {
  if (told && view.organisers.length > 0) return told;
  const unknown = { changedAt: 0, going: 0, maybe: 0, mine: null };
  return { ...unknown, ...told, ...view.fields, id: view.id, organiser: told?.organiser ?? me, mayEdit: true };
}

/** Meets as the relay told them and one's own, those to come first, each with one's answer. */
export function meetsNow(
  told: Meet[],
  own: MeetView[],
  social: SocialView | undefined,
  me: Person,
  now: number,
): { coming: Meet[]; past: Meet[] } {
  const mine = own.filter((view) => view.own);
  const others = told.filter(({ id }) => !mine.some((view) => view.id === id));
  const all = [...others, ...mine.map((view) => ownMeetNow(view, told.find(({ id }) => id === view.id), me))]
    .map((meet) => answerNow(meet, social?.answers))
    .sort((a, b) => a.startsAt - b.startsAt);
  const isPast = (meet: Meet): boolean => (meet.endsAt ?? meet.startsAt + 3 * 3_600_000) < now;
  return { coming: all.filter((meet) => !isPast(meet)), past: all.filter(isPast).reverse() };
}
