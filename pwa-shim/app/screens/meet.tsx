// One meet: when, where, who comes, and one's own answer.

import type { Answer, Attendee, Meet } from "@tourismo/client";
import { useEffect } from "preact/hooks";

import { give, me, meets, relay, social } from "../engine.ts";
import { clock, longDay } from "../format.ts";
import { answerNow, ownMeetNow } from "../merge.ts";
import { Badge } from "../parts/badge.tsx";
import { BackIcon } from "../parts/icons.tsx";
import { PersonLink, nameOfPerson } from "../parts/person.tsx";
import { PlaceMap } from "../parts/place-map.tsx";
import { ShareLink } from "../parts/share.tsx";
import { Age, ListEnd } from "../parts/told.tsx";
import { href } from "../route.ts";
import { useTold, useToldList } from "../told.ts";
import { wordsOfAnswer, wordsOfVisibility } from "../words.ts";

export function MeetScreen({ id }: { id: string }) {
  const { told, failed, reload } = useTold(`meet ${id}`, () => relay.meet(id));
  useEffect(() => relay.onMeet(id, reload), [id]);
  const own = meets.value.find((view) => view.own && view.id === id);
  const known = own ? ownMeetNow(own, told, me()) : told;
  return (
    <section class="page">
      <a class="back" href={href({ screen: "meets" })}>
        <BackIcon /> Meets
      </a>
      <Age told={told} />
      {known ? (
        <Shown meet={answerNow(known, social.value?.answers)} isOwn={own !== undefined} />
      ) : (
        <p class="opening">{failed ?? "Asking the relay…"}</p>
      )}
    </section>
  );
}

function Shown({ meet, isOwn }: { meet: Meet; isOwn: boolean }) {
  return (
    <>
      <header class="page-head">
        <div>
          <h1 class={meet.cancelled ? "cancelled" : ""}>{meet.title}</h1>
          <p class="row-line">
            by <a href={href({ screen: "person", name: meet.organiser.handle || meet.organiser.account })}>{nameOfPerson(meet.organiser)}</a>
          </p>
        </div>
      </header>
      {meet.cancelled ? <Badge words={{ tone: "bad", text: "It does not take place" }} /> : null}
      <div class="drive-columns">
        <div class="drive-shown">
          <dl class="facts card">
            <dt>When</dt>
            <dd>{when(meet)}</dd>
            <dt>Where</dt>
            <dd>{meet.place || (meet.position ? "On the map" : "Not said yet")}</dd>
            <dt>Who sees it</dt>
            <dd>{wordsOfVisibility(meet.visibility)}</dd>
            <dt>Room for</dt>
            <dd>{meet.capacity === null ? "Everybody" : `${meet.capacity}, ${Math.max(0, meet.capacity - meet.going)} left`}</dd>
          </dl>
          {meet.position ? <PlaceMap position={meet.position} /> : null}
          {meet.text ? <p class="said">{meet.text}</p> : null}
        </div>
        <div class="drive-told">
          {meet.cancelled ? null : <Rsvp meet={meet} />}
          <Coming meet={meet} />
          {meet.mayEdit ? (
            <a class="button" href={href({ screen: "editMeet", id: meet.id })}>
              Change it
            </a>
          ) : null}
          {isOwn && !meet.cancelled ? <CancelButton meet={meet} /> : null}
          <Calendar meet={meet} />
        </div>
      </div>
    </>
  );
}

function when(meet: Meet): string {
  const end = meet.endsAt;
  const isOneDay = end !== null && new Date(end).toDateString() === new Date(meet.startsAt).toDateString();
  const until = end === null ? "" : isOneDay ? ` – ${clock(end)}` : ` – ${longDay(end)}, ${clock(end)}`;
  const here = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const elsewhere = meet.timeZone !== "" && meet.timeZone !== here ? ` (your time; it is in ${meet.timeZone})` : "";
  return `${longDay(meet.startsAt)}, ${clock(meet.startsAt)}${until}${elsewhere}`;
}

const ANSWERS: Answer[] = ["going", "maybe", "no"];

function Rsvp({ meet }: { meet: Meet }) {
  const say = (answer: Answer): void => void give((tourismo) => tourismo.rsvp(meet.id, meet.mine === answer ? null : answer));
  return (
    <div class="segments" role="group" aria-label="Do you come?">
      {ANSWERS.map((answer) => (
        <button key={answer} type="button" class="segment" aria-pressed={meet.mine === answer} onClick={() => say(answer)}>
          {wordsOfAnswer(answer).text}
        </button>
      ))}
    </div>
  );
}

function Coming({ meet }: { meet: Meet }) {
  const list = useToldList(`attendees ${meet.id}`, async (page) => {
    const { people, ...rest } = await relay.attendees(meet.id, page);
    return { ...rest, items: people };
  });
  const theirs = list.items.filter(({ account }) => account !== me().account);
  return (
    <section class="card comments" aria-label="Who comes">
      <h2>
        {meet.going} going{meet.maybe > 0 ? `, ${meet.maybe} maybe` : ""}
      </h2>
      <ul class="list">
        {meet.mine ? (
          <li>
            <PersonLink person={me()} detail="you">
              <Badge words={wordsOfAnswer(meet.mine)} />
            </PersonLink>
          </li>
        ) : null}
        {theirs.map((person) => (
          <li key={person.account}>
            <PersonLink person={person} detail={inCommon(person)}>
              {person.answer ? <Badge words={wordsOfAnswer(person.answer)} /> : null}
            </PersonLink>
          </li>
        ))}
      </ul>
      {theirs.length > 0 || list.state === "asking" ? (
        <ListEnd list={list} empty="" older="More people" />
      ) : list.state === "ready" ? (
        <p class="hint">Nobody else has answered yet.</p>
      ) : (
        <p class="hint">Who else comes is told with signal.</p>
      )}
    </section>
  );
}

function inCommon(person: Attendee): string {
  if (person.iFollow) return "you follow them";
  if (person.inCommon === 0) return "";
  return person.inCommon === 1 ? "1 person in common" : `${person.inCommon} people in common`;
}

function CancelButton({ meet }: { meet: Meet }) {
  function cancel(): void {
    if (confirm("Cancel this meet? Everybody who sees it is told.")) void give((tourismo) => tourismo.cancelMeet(meet.id));
  }
  return (
    <button type="button" class="button quiet danger" onClick={cancel}>
      Cancel this meet
    </button>
  );
}

function Calendar({ meet }: { meet: Meet }) {
  if (meet.visibility === "private" || meet.visibility === "followers") return null;
  const address = relay.calendarOf(meet.id);
  return (
    <section class="card form" aria-label="Calendar">
      <h2>In your calendar</h2>
      <p class="hint">A calendar that subscribes to this address follows whatever changes.</p>
      <a class="button" href={address.replace(/^https?:/, "webcal:")}>
        Subscribe
      </a>
      <ShareLink link={address} what="The calendar's address" />
    </section>
  );
}
