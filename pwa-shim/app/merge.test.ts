import type { CommentView, Meet, MeetView, Person, SocialView } from "@tourismo/client";
import { describe, expect, test } from "vitest";

import { answerNow, commentsNow, meetsNow, reactionsNow } from "./merge.ts";

const me: Person = { account: "me", handle: "anna", displayName: "Anna" };
const ben: Person = { account: "ben", handle: "ben", displayName: "Ben" };
const nothing: SocialView = { follows: [], accepted: [], blocked: [], reactions: [], comments: [], answers: [] };
const told: Meet = {
  id: "m", title: "Sunday", text: "", place: "", position: null, startsAt: 1_000, endsAt: null, timeZone: "", capacity: null,
  visibility: "public", cancelled: false, organiser: ben, changedAt: 1, going: 3, maybe: 1, mine: "maybe", mayEdit: false,
};

describe("what this person said since the relay told", () => {
  test("counts among the reactions", () => {
    const drive = { id: "d", reactions: { like: 2, wow: 0, road: 1, car: 0 }, mine: "like" as const };
    const says = (reactions: SocialView["reactions"]) => reactionsNow(drive, { ...nothing, reactions });
    expect(says([{ drive: "d", reaction: "wow" }])).toMatchObject({ mine: "wow", reactions: { like: 1, wow: 1 } });
    expect(says([{ drive: "other", reaction: "wow" }])).toMatchObject({ mine: null, reactions: { like: 1, wow: 0 } });
    expect(says([{ drive: "d", reaction: "like" }])).toBe(drive);
    expect(reactionsNow(drive, undefined), "a phone that has not opened yet").toBe(drive);
  });

  test("is among the comments, once, and gone when it was taken back", () => {
    const theirs = { id: "1", by: ben, at: 5, text: "Where?", mine: false };
    const ours = { id: "2", by: me, at: 7, text: "Here.", mine: true };
    const own = (comments: Partial<CommentView>[]) => commentsNow([theirs, ours], comments as CommentView[], "d", me).map(({ id }) => id);
    expect(own([{ id: "2", drive: "d", at: 7 }, { id: "3", drive: "d", at: 4 }, { id: "4", drive: "other", at: 1 }])).toEqual(["3", "1", "2"]);
    expect(own([])).toEqual(["1"]);
  });

  test("counts among the answers to a meet", () => {
    const going = answerNow(told, [{ meet: "m", answer: "going", at: 2 }]);
    expect(going).toMatchObject({ mine: "going", going: 4, maybe: 0 });
    expect(answerNow(told, [])).toMatchObject({ mine: null, going: 3, maybe: 0 });
  });
});

test("one's own meets are those of the phone, in the order in which they come", () => {
  const view = (id: string, startsAt: number, organisers: string[] = []): MeetView => ({ id, own: true, organisers, fields: { ...told, title: `own ${id}`, startsAt } });
  const { coming, past } = meetsNow([told, { ...told, id: "c", title: "amended" }], [view("a", 500), view("b", -1e9), view("c", 2_000, ["ben"])], nothing, me, 900);
  expect(coming.map(({ title }) => title)).toEqual(["own a", "Sunday", "amended"]);
  expect(past.map(({ title, mayEdit }) => [title, mayEdit])).toEqual([["own b", true]]);
});
