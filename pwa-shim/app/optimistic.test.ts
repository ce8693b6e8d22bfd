import type { CommentView, Meet, MeetView, Person, SocialView } from "@tourismo/client";
import { describe, expect, test } from "vitest";

import { overriddenFields, withOwnAnswer, withOwnChanges, withOwnComments, withOwnMeets, withOwnReaction } from "./optimistic.ts";

const me: Person = { account: "me", handle: "anna", displayName: "Anna" };
const ben: Person = { account: "ben", handle: "ben", displayName: "Ben" };
const nothing: SocialView = { follows: [], accepted: [], blocked: [], reactions: [], comments: [], answers: [], hidden: [] };
const fields = {
  title: "Sunday",
  text: "",
  place: "",
  position: null,
  startsAt: 1_000,
  endsAt: null,
  timeZone: "",
  capacity: null,
  visibility: "public" as const,
  cancelled: false,
};
const fetched: Meet = { ...ben, ...fields, id: "m" };

describe("unsynced changes of the user", () => {
  test("count among the reactions", () => {
    const felt = { counts: { like: 2, wow: 0, road: 1, car: 0 }, mine: "like" as const };
    const says = (reactions: SocialView["reactions"]) => withOwnReaction("d", felt, { ...nothing, reactions });
    expect(says([{ drive: "d", reaction: "wow" }])).toMatchObject({ mine: "wow", counts: { like: 1, wow: 1 } });
    expect(says([{ drive: "other", reaction: "wow" }])).toMatchObject({ mine: null, counts: { like: 1, wow: 0 } });
    expect(says([{ drive: "d", reaction: "like" }])).toEqual(felt);
    expect(withOwnReaction("d", felt, undefined), "a phone that has not opened yet").toBe(felt);
    expect(withOwnReaction("d", undefined, { ...nothing, reactions: [{ drive: "d", reaction: "car" }] }).counts.car).toBe(1);
  });

  test("are among the comments, once, and gone when they are removed", () => {
    const theirs = { ...ben, id: "1", at: 5, text: "Where?", isMine: false, isHidden: false };
    const ours = { ...me, id: "2", at: 7, text: "Here.", isMine: true, isHidden: false };
    const own = (comments: Partial<CommentView>[]) =>
      withOwnComments([ours, theirs], comments as CommentView[], "d", me).map(({ id }) => id);
    expect(
      own([
        { id: "2", drive: "d", at: 7 },
        { id: "3", drive: "d", at: 4 },
        { id: "4", drive: "other", at: 1 },
      ]),
    ).toEqual(["3", "1", "2"]);
    expect(own([])).toEqual(["1"]);
  });

  test("count among the answers to a meet", () => {
    const was = { answers: { going: 3, maybe: 1, no: 0 }, myAnswer: "maybe" as const };
    const going = withOwnAnswer("m", was, { ...nothing, answers: [{ meet: "m", answer: "going", at: 2 }] });
    expect(going).toEqual({ mine: "going", counts: { going: 4, maybe: 0, no: 0 } });
    expect(withOwnAnswer("m", was, nothing)).toEqual({ mine: null, counts: { going: 3, maybe: 0, no: 0 } });
  });
});

describe("meets", () => {
  const view = (id: string, change: Partial<MeetView["fields"]>, rest: Partial<MeetView> = {}): MeetView => ({
    id,
    own: true,
    organisers: [],
    said: [],
    isUnsent: false,
    fields: { ...fields, ...change },
    ...rest,
  });

  test("of the user come from the phone, in the order of their start", () => {
    const own = [view("a", { title: "own a", startsAt: 500 }), view("b", { title: "own b", startsAt: -1e9 })];
    const amended = view("c", { title: "own c", startsAt: 2_000 }, { organisers: ["ben"], said: [["title", 10]] });
    const { coming, past } = withOwnMeets([fetched, { ...fetched, id: "c", title: "amended" }], 50, [...own, amended], me, 900);
    expect(coming.map(({ title }) => title)).toEqual(["own a", "Sunday", "amended"]);
    expect(past.map(({ title, handle }) => [title, handle])).toEqual([["own b", "anna"]]);
  });

  test("of others show a change of a co-organiser at once, and only that", () => {
    const amendment = view(
      "m",
      { place: "The other car park", title: "", cancelled: false },
      { own: false, said: [["place", 70]] },
    );
    const at = (fetchedAt: number, isUnsent: boolean) =>
      withOwnChanges({ ...fetched, fetchedAt }, { ...amendment, isUnsent }, me);
    expect(at(60, true)).toMatchObject({ title: "Sunday", place: "The other car park", handle: "ben" });
    expect(at(60, false), "fetched before").toMatchObject({ place: "The other car park" });
    expect(at(80, true), "fetched since, and not sent").toMatchObject({ place: "The other car park" });
    expect(at(80, false), "fetched since").toMatchObject({ place: "" });
    expect(withOwnChanges(undefined, amendment, me)).toBeUndefined();
  });

  test("whose organiser's clock is ahead show a change of a co-organiser until the organiser changes it again", () => {
    const ahead = Date.now() + 86_400_000;
    // The change is dated after the organiser's, and the clock of this phone is behind.
    const said = view(
      "m",
      { place: "Below", startsAt: 7 },
      {
        own: false,
        said: [
          ["place", ahead + 1],
          ["startsAt", ahead + 1],
        ],
      },
    );
    const relay = (changedAt: number, place: string, startsAt: number) => ({
      ...fetched,
      place,
      startsAt,
      organisers: ["me"],
      changedAt,
      fetchedAt: Date.now(),
    });
    const before = relay(ahead, "Above", 1_000);
    expect(withOwnChanges(before, said, me), "the relay has not heard of it").toMatchObject({ place: "Below", startsAt: 7 });
    expect(overriddenFields(before, said)).toEqual([]);
    const counts = relay(ahead + 1, "Below", 7);
    expect(withOwnChanges(counts, said, me)).toMatchObject({ place: "Below", startsAt: 7 });
    expect(overriddenFields(counts, said)).toEqual([]);
    const again = relay(ahead + 9, "Above", 7);
    expect(withOwnChanges(again, said, me), "the owner's later change counts").toMatchObject({ place: "Above", startsAt: 7 });
    expect(overriddenFields(again, said)).toEqual(["place"]);
    expect(overriddenFields(again, { ...said, isUnsent: true }), "a change is not sent yet").toEqual([]);
    expect(withOwnChanges({ ...before, organisers: [] }, said, me), "they may not any more").toMatchObject({ place: "Above" });
  });

  test("with co-organisers show the later changes of their organiser", () => {
    const own = view(
      "m",
      { title: "Monday" },
      {
        organisers: ["ben"],
        said: [
          ["title", 70],
          ["place", 10],
        ],
        isUnsent: true,
      },
    );
    expect(withOwnChanges({ ...fetched, fetchedAt: 60, place: "Ben's garage" }, own, me)).toMatchObject({
      title: "Monday",
      place: "Ben's garage",
    });
  });
});
