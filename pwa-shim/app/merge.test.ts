import type { CommentView, Meet, MeetView, Person, SocialView } from "@tourismo/client";
import { describe, expect, test } from "vitest";

import { answeredNow, commentsNow, feltNow, meetsNow } from "./merge.ts";

const me: Person = { account: "me", handle: "anna", displayName: "Anna" };
const ben: Person = { account: "ben", handle: "ben", displayName: "Ben" };
const nothing: SocialView = { follows: [], accepted: [], blocked: [], reactions: [], comments: [], answers: [] };
const fields = {
  title: "Sunday", text: "", place: "", position: null, startsAt: 1_000, endsAt: null, timeZone: "", capacity: null,
  visibility: "public" as const, cancelled: false,
};
const told: Meet = { ...ben, ...fields, id: "m" };

describe("what this person said since the relay told", () => {
  test("counts among the reactions", () => {
    const felt = { counts: { like: 2, wow: 0, road: 1, car: 0 }, mine: "like" as const };
    const says = (reactions: SocialView["reactions"]) => feltNow("d", felt, { ...nothing, reactions });
    expect(says([{ drive: "d", reaction: "wow" }])).toMatchObject({ mine: "wow", counts: { like: 1, wow: 1 } });
    expect(says([{ drive: "other", reaction: "wow" }])).toMatchObject({ mine: null, counts: { like: 1, wow: 0 } });
    expect(says([{ drive: "d", reaction: "like" }])).toEqual(felt);
    expect(feltNow("d", felt, undefined), "a phone that has not opened yet").toBe(felt);
    expect(feltNow("d", undefined, { ...nothing, reactions: [{ drive: "d", reaction: "car" }] }).counts.car).toBe(1);
  });

  test("is among the comments, once, and gone when it was taken back", () => {
    const theirs = { ...ben, id: "1", at: 5, text: "Where?", isMine: false };
    const ours = { ...me, id: "2", at: 7, text: "Here.", isMine: true };
    const own = (comments: Partial<CommentView>[]) => commentsNow([ours, theirs], comments as CommentView[], "d", me).map(({ id }) => id);
    expect(own([{ id: "2", drive: "d", at: 7 }, { id: "3", drive: "d", at: 4 }, { id: "4", drive: "other", at: 1 }])).toEqual(["3", "1", "2"]);
    expect(own([])).toEqual(["1"]);
  });

  test("counts among the answers to a meet", () => {
    const was = { answers: { going: 3, maybe: 1, no: 0 }, myAnswer: "maybe" as const };
    const going = answeredNow("m", was, { ...nothing, answers: [{ meet: "m", answer: "going", at: 2 }] });
    expect(going).toEqual({ mine: "going", counts: { going: 4, maybe: 0, no: 0 } });
    expect(answeredNow("m", was, nothing)).toEqual({ mine: null, counts: { going: 3, maybe: 0, no: 0 } });
  });
});

test("one's own meets are those of the phone, in the order in which they come", () => {
  const view = (id: string, startsAt: number, organisers: string[] = []): MeetView => ({ id, own: true, organisers, fields: { ...fields, title: `own ${id}`, startsAt } });
  const { coming, past } = meetsNow([told, { ...told, id: "c", title: "amended" }], [view("a", 500), view("b", -1e9), view("c", 2_000, ["ben"])], me, 900);
  expect(coming.map(({ title }) => title)).toEqual(["own a", "Sunday", "amended"]);
  expect(past.map(({ title, handle }) => [title, handle])).toEqual([["own b", "anna"]]);
});
