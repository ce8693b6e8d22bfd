// @vitest-environment happy-dom
import "./testing/setup.ts";
import { cleanup, fireEvent, render, screen, waitFor } from "@testing-library/preact";
import { type QueryMeta, TourismoError } from "@tourismo/client";
import { afterEach, beforeEach, expect, test } from "vitest";

import { ListEnd, StaleNotice } from "./components/query-status.tsx";
import { type RelayList, useRelayList } from "./relay-query.ts";
import { openFakeEngine } from "./testing/engine.ts";

type Answer = { items: string[]; next: string | null } & QueryMeta;

let answer: (after: string | undefined) => Promise<Answer>;
let asked: (string | undefined)[];
let list: RelayList<string>;
let key = 0;

function List({ name }: { name: string }) {
  list = useRelayList(name, ({ after }) => {
    asked.push(after);
    return answer(after);
  });
  return (
    <>
      <StaleNotice meta={list.meta} />
      <ul>
        {list.items.map((item) => (
          <li key={item}>{item}</li>
        ))}
      </ul>
      <ListEnd list={list} empty="Nothing." older="Older" />
    </>
  );
}

const items = (): (string | null)[] => screen.queryAllByRole("listitem").map(({ textContent }) => textContent);
const page = (items: string[], next: string | null, isStale = false): Answer => ({ items, next, fetchedAt: Date.now(), isStale });

beforeEach(() => {
  openFakeEngine();
  asked = [];
  key += 1;
});
afterEach(cleanup);

test("a list is read page by page, and a reload reads as many pages as are shown", async () => {
  answer = async (after) => (after === undefined ? page(["a", "b"], "b") : page(["c"], null));
  render(<List name={`pages ${key}`} />);
  await waitFor(() => expect(items()).toEqual(["a", "b"]));
  fireEvent.click(screen.getByText("Older"));
  await waitFor(() => expect(items()).toEqual(["a", "b", "c"]));
  expect(screen.queryByText("Older")).toBeNull();
  list.reload();
  await waitFor(() => expect(asked).toEqual([undefined, "b", undefined, "b"]));
});

test("what the relay does not have any more is not shown, also when the user comes back", async () => {
  answer = async () => page(["withdrawn"], null);
  render(<List name={`gone ${key}`} />);
  await waitFor(() => expect(items()).toEqual(["withdrawn"]));
  answer = () => Promise.reject(new TourismoError("not_on_relay"));
  list.reload();
  await screen.findByText("It does not exist, or you may not see it.");
  expect(items()).toEqual([]);
  cleanup();
  render(<List name={`gone ${key}`} />);
  expect(items()).toEqual([]);
});

test("a screen shows its last answer at once when the user comes back", async () => {
  answer = async () => page(["a"], null);
  render(<List name={`back ${key}`} />);
  await waitFor(() => expect(items()).toEqual(["a"]));
  cleanup();
  answer = () => new Promise(() => {});
  render(<List name={`back ${key}`} />);
  expect(items()).toEqual(["a"]);
});

test("stale data says when it was fetched, and is read again when the phone is online", async () => {
  answer = async () => page(["a"], null, true);
  render(<List name={`stale ${key}`} />);
  await waitFor(() => expect(screen.getByTestId("age").textContent).toMatch(/^No connection\. Last updated at \d/));
  answer = async () => page(["b"], null);
  dispatchEvent(new Event("online"));
  await waitFor(() => expect(items()).toEqual(["b"]));
  expect(screen.queryByTestId("age")).toBeNull();
});

test("a failure says why and offers to try again", async () => {
  answer = () => Promise.reject(new TourismoError("relay_unreachable"));
  render(<List name={`failure ${key}`} />);
  await screen.findByText("The server cannot be reached.");
  answer = async () => page([], null);
  fireEvent.click(screen.getByText("Try again"));
  await screen.findByText("Nothing.");
});
