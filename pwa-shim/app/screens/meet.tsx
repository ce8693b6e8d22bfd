// One meet: when, where, who comes, and one's own answer.

import type { Answer, Attendee, Meet, MeetFields, MeetView, Timestamp } from "@tourismo/client";
import { useEffect } from "preact/hooks";

import { give, me, meets, relay, social } from "../engine.ts";
import { clockIn, longDay } from "../format.ts";
import { type Answered, answeredNow, meetNow, overruledIn } from "../merge.ts";
import { Badge } from "../parts/badge.tsx";
import { HoldButton } from "../parts/hold-button.tsx";
import { BackIcon } from "../parts/icons.tsx";
import { Organisers } from "../parts/organisers.tsx";
import { PersonLink, nameOfPerson } from "../parts/person.tsx";
import { PlaceMap } from "../parts/place-map.tsx";
import { ShareLink } from "../parts/share.tsx";
import { Age, ListEnd } from "../parts/told.tsx";
import { go, href } from "../route.ts";
import { isTimeZone, nameOfTimeZone, ownTimeZone } from "../time-zone.ts";
import { type ToldList, useTold, useToldList } from "../told.ts";
import { wordsOfAnswer, wordsOfField, wordsOfVisibility } from "../words.ts";
import { fieldsOf } from "./meet-form.tsx";

export function MeetScreen({ id }: { id: string }) {
  const { told, failed, reload } = useTold(`meet ${id}`, () => relay.meet(id));
  const attendees = useToldList(`attendees ${id}`, async (page) => {
    const { attendees, ...rest } = await relay.attendees(id, page);
    return { ...rest, items: attendees };
  });
  // The counts and the list below them say the same.
  const reloadAll = (): void => {
    reload();
    attendees.reload();
  };
  useEffect(() => relay.onMeet(id, reloadAll), [id]);
  const view = meets.value.find((view) => view.id === id);
  const own = view?.own ? view : undefined;
  const known = meetNow(told, view, me());
  return (
    <section class="page">
      <a class="back" href={href({ screen: "meets" })}>
        <BackIcon /> Meets
      </a>
      <Age told={told} />
      {known ? (
        <Shown
          meet={known}
          answered={answeredNow(id, told, social.value)}
          attendees={attendees}
          own={own}
          changedAt={told?.changedAt ?? null}
          overruled={told && view ? overruledIn(told, view) : []}
          mayNoMore={told !== undefined && view !== undefined && !view.own && !told.organisers.includes(me().account)}
          mayEdit={own !== undefined || (told?.organisers.includes(me().account) ?? false)}
        />
      ) : (
        <p class="opening">{failed ?? "Loading…"}</p>
      )}
    </section>
  );
}

interface ShownProps {
  meet: Meet;
  answered: Answered;
  attendees: ToldList<Attendee>;
  own: MeetView | undefined;
  changedAt: Timestamp | null;
  overruled: (keyof MeetFields)[];
  mayNoMore: boolean;
  mayEdit: boolean;
}

function Shown({ meet, answered, attendees, own, changedAt, overruled, mayNoMore, mayEdit }: ShownProps) {
  const left = Math.max(0, (meet.capacity ?? 0) - answered.counts.going);
  return (
    <>
      <header class="page-head">
        <div>
          <h1 class={meet.cancelled ? "cancelled" : ""}>{meet.title}</h1>
          <p class="row-line">
            by <a href={href({ screen: "person", name: meet.handle || meet.account })}>{nameOfPerson(meet)}</a>
          </p>
        </div>
      </header>
      {mayNoMore ? (
        <p class="hint bad" data-testid="may-no-more">You may not change this meet any more. What you changed does not count.</p>
      ) : overruled.length > 0 ? (
        <p class="hint" data-testid="overruled">
          Another organiser changed after you: {overruled.map(wordsOfField).join(", ")}. Theirs counts.
        </p>
      ) : null}
      {meet.cancelled ? <Badge words={{ tone: "bad", text: "Cancelled" }} /> : null}
      <div class="columns">
        <div class="column">
          <dl class="facts card">
            <dt>When</dt>
            <dd>{when(meet)}</dd>
            <dt>Where</dt>
            <dd>{meet.place || (meet.position ? "On the map" : "Not said yet")}</dd>
            <dt>Who can see this</dt>
            <dd>{wordsOfVisibility(meet.visibility)}</dd>
            {meet.capacity === null ? null : (
              <>
                <dt>Places</dt>
                <dd>
                  {left} of {meet.capacity} places left
                </dd>
              </>
            )}
          </dl>
          {meet.position ? <PlaceMap position={meet.position} /> : null}
          {meet.text ? <p class="said">{meet.text}</p> : null}
        </div>
        <div class="column">
          {meet.cancelled ? null : <Rsvp meet={meet.id} mine={answered.mine} />}
          <Coming list={attendees} answered={answered} />
          {mayEdit ? (
            <a class="button" href={href({ screen: "editMeet", id: meet.id })}>
              Edit
            </a>
          ) : null}
          {own && !meet.cancelled ? <CancelButton meet={meet} seenAt={changedAt} /> : null}
          {own ? <Organisers meet={own.id} organisers={own.organisers} /> : null}
          {own ? <OwnLink meet={meet} seenAt={changedAt} /> : null}
          <Calendar meet={meet} />
        </div>
      </div>
    </>
  );
}

/** By the clocks of the place, and by those of this device if they show something else. */
function when({ startsAt, endsAt, timeZone }: Meet): string {
  const zone = isTimeZone(timeZone) ? timeZone : ownTimeZone();
  const there = span(startsAt, endsAt, zone);
  const here = span(startsAt, endsAt, ownTimeZone());
  return there === here ? there : `${there}, ${nameOfTimeZone(zone)} time. For you: ${here}.`;
}

function span(startsAt: number, endsAt: number | null, zone: string): string {
  const [day, lastDay] = [longDay(startsAt, zone), endsAt === null ? undefined : longDay(endsAt, zone)];
  const until = endsAt === null ? "" : ` – ${lastDay === day ? "" : `${lastDay}, `}${clockIn(zone, endsAt)}`;
  return `${day}, ${clockIn(zone, startsAt)}${until}`;
}

const ANSWERS: Answer[] = ["going", "maybe", "no"];

function Rsvp({ meet, mine }: { meet: string; mine: Answer | null }) {
  const say = (answer: Answer): void => void give((tourismo) => tourismo.rsvp(meet, mine === answer ? null : answer));
  return (
    <div class="segments" role="group" aria-label="Do you come?">
      {ANSWERS.map((answer) => (
        <button key={answer} type="button" class="segment" aria-pressed={mine === answer} onClick={() => say(answer)}>
          {wordsOfAnswer(answer).text}
        </button>
      ))}
    </div>
  );
}

function Coming({ list, answered: { counts, mine } }: { list: ToldList<Attendee>; answered: Answered }) {
  const theirs = list.items.filter(({ account }) => account !== me().account);
  return (
    <section class="card comments" aria-label="Who comes">
      <h2>
        {counts.going} going{counts.maybe > 0 ? `, ${counts.maybe} maybe` : ""}
      </h2>
      <ul class="list">
        {mine ? (
          <li>
            <PersonLink person={me()} detail="you">
              <Badge words={wordsOfAnswer(mine)} />
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
        <p class="hint">
          {counts.going + counts.maybe > (mine === "going" || mine === "maybe" ? 1 : 0)
            ? "The others show themselves only to followers whom they accepted."
            : "Nobody else has answered yet."}
        </p>
      ) : (
        <p class="hint">Others who answered are shown when there is signal.</p>
      )}
    </section>
  );
}

function inCommon(person: Attendee): string {
  if (person.isFollowed) return "you follow them";
  if (person.followedInCommon === 0) return "";
  return person.followedInCommon === 1 ? "1 person in common" : `${person.followedInCommon} people in common`;
}

function CancelButton({ meet, seenAt }: { meet: Meet; seenAt: Timestamp | null }) {
  function cancel(): void {
    if (confirm("Cancel this meet? Everybody who sees it is told.")) void give((tourismo) => tourismo.cancelMeet(meet.id, seenAt));
  }
  return (
    <button type="button" class="button quiet danger" onClick={cancel}>
      Cancel this meet
    </button>
  );
}

/** The link to one's own meet, and another one in its place. */
function OwnLink({ meet, seenAt }: { meet: Meet; seenAt: Timestamp | null }) {
  const link = new URL(href({ screen: "meet", id: meet.id }), location.href).href;
  async function renew(): Promise<void> {
    const id = await give((tourismo) => tourismo.renewMeetLink(meet.id, fieldsOf(meet), seenAt));
    if (id) go({ screen: "meet", id });
  }
  return (
    <section class="card form" aria-label="Link">
      <h2>Link</h2>
      <ShareLink link={link} what="The link" />
      <HoldButton class="button" hint="Hold to make a new link" onHeld={() => void renew()}>
        New link
      </HoldButton>
      <p class="hint">
        A new link takes the place of the old one, which then shows nothing to anybody. Everybody has to answer again, and to
        subscribe again in their calendar. Who else may change the meet stays.
      </p>
    </section>
  );
}

function Calendar({ meet }: { meet: Meet }) {
  if (meet.visibility === "private" || meet.visibility === "followers") return null;
  const address = relay.calendarOf(meet.id);
  return (
    <section class="card form" aria-label="Calendar">
      <h2>In your calendar</h2>
      <p class="hint">Your calendar updates if the meet changes.</p>
      <a class="button" href={address.replace(/^https?:/, "webcal:")}>
        Subscribe
      </a>
      <ShareLink link={address} what="The calendar's address" />
    </section>
  );
}
