// A meet: time, place, attendees, and the user's answer.

import type { Answer, Attendee, Destination, Meet, MeetFields, MeetView, Timestamp } from "@tourismo/client";
import { useEffect } from "preact/hooks";
import { Badge } from "../components/badge.tsx";
import { DestinationLinks } from "../components/destination-links.tsx";
import { HiddenNotice } from "../components/hidden-notice.tsx";
import { HoldButton } from "../components/hold-button.tsx";
import { BackIcon } from "../components/icons.tsx";
import { Organisers } from "../components/organisers.tsx";
import { nameOfPerson, PersonLink } from "../components/person.tsx";
import { PlaceMap } from "../components/place-map.tsx";
import { ListEnd, StaleNotice } from "../components/query-status.tsx";
import { ReportButton } from "../components/report.tsx";
import { ShareLink } from "../components/share-link.tsx";
import { me, meets, relay, run, social } from "../engine.ts";
import { clockIn, longDay } from "../format.ts";
import { describeAnswer, describeMeetField, describeVisibility } from "../messages.ts";
import { type AnswerState, overriddenFields, withOwnAnswer, withOwnChanges } from "../optimistic.ts";
import { type RelayList, useRelayList, useRelayQuery } from "../relay-query.ts";
import { go, href } from "../route.ts";
import { isTimeZone, nameOfTimeZone, ownTimeZone } from "../time-zone.ts";
import { fieldsOf } from "./meet-form.tsx";

export function MeetScreen({ id }: { id: string }) {
  const { data, failed, reload } = useRelayQuery(`meet ${id}`, () => relay.meet(id));
  const attendees = useRelayList(`attendees ${id}`, async (page) => {
    const { attendees, ...rest } = await relay.attendees(id, page);
    return { ...rest, items: attendees };
  });
  // Counts and list must match.
  const reloadAll = (): void => {
    reload();
    attendees.reload();
  };
  useEffect(() => relay.onMeet(id, reloadAll), [id]);
  const view = meets.value.find((view) => view.id === id);
  const own = view?.own ? view : undefined;
  const known = withOwnChanges(data, view, me());
  return (
    <section class="page">
      <a class="back" href={href({ screen: "meets" })}>
        <BackIcon /> Meets
      </a>
      <StaleNotice meta={data} />
      {known ? (
        <Shown
          meet={known}
          answered={withOwnAnswer(id, data, social.value)}
          attendees={attendees}
          own={own}
          changedAt={data?.changedAt ?? null}
          overridden={data && view ? overriddenFields(data, view) : []}
          isRemoved={data !== undefined && view !== undefined && !view.own && !data.organisers.includes(me().account)}
          mayEdit={own !== undefined || (data?.organisers.includes(me().account) ?? false)}
        />
      ) : (
        <p class="opening">{failed ?? "Loading…"}</p>
      )}
    </section>
  );
}

interface ShownProps {
  meet: Meet;
  answered: AnswerState;
  attendees: RelayList<Attendee>;
  own: MeetView | undefined;
  changedAt: Timestamp | null;
  overridden: (keyof MeetFields)[];
  isRemoved: boolean;
  mayEdit: boolean;
}

function Shown({ meet, answered, attendees, own, changedAt, overridden, isRemoved, mayEdit }: ShownProps) {
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
      {isRemoved ? (
        <p class="hint bad" data-testid="may-no-more">
          You are no longer a co-organiser. Your changes do not count.
        </p>
      ) : overridden.length > 0 ? (
        <p class="hint" data-testid="overridden">
          Another organiser changed this after you: {overridden.map(describeMeetField).join(", ")}. Their version counts.
        </p>
      ) : null}
      {own ? <HiddenNotice ids={[own.id, meet.id]} /> : null}
      {meet.cancelled ? <Badge message={{ tone: "bad", text: "Cancelled" }} /> : null}
      <div class="columns">
        <div class="column">
          <dl class="facts card">
            <dt>When</dt>
            <dd>{timesOf(meet)}</dd>
            <dt>Where</dt>
            <dd>{meet.place || (meet.position ? "On the map" : "Not set")}</dd>
            <dt>Who can see this</dt>
            <dd>{describeVisibility(meet.visibility)}</dd>
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
          {meet.position ? <DestinationLinks destination={destinationOf(meet, meet.position)} /> : null}
          {meet.text ? <p class="text">{meet.text}</p> : null}
        </div>
        <div class="column">
          {meet.cancelled ? null : <Rsvp meet={meet.id} mine={answered.mine} />}
          <Attendees list={attendees} answered={answered} />
          {mayEdit ? (
            <a class="button" href={href({ screen: "editMeet", id: meet.id })}>
              Edit
            </a>
          ) : null}
          {own && !meet.cancelled ? <CancelButton meet={meet} seenAt={changedAt} /> : null}
          {own ? <Organisers meet={own.id} organisers={own.organisers} /> : null}
          {own ? <OwnLink meet={meet} seenAt={changedAt} /> : null}
          <Calendar meet={meet} />
          {meet.account === me().account ? null : <ReportButton about={{ target: "meet", id: meet.id }} />}
        </div>
      </div>
    </>
  );
}

function destinationOf(meet: Meet, position: [number, number]): Destination {
  const name = meet.place && meet.place !== meet.title ? `${meet.title}, ${meet.place}` : meet.title;
  return { name, description: timesOf(meet), link: linkTo(meet), position, line: [] };
}

function linkTo(meet: Meet): string {
  return new URL(href({ screen: "meet", id: meet.id }), location.href).href;
}

/** The local time at the place, and that of this device if it differs. */
function timesOf({ startsAt, endsAt, timeZone }: Meet): string {
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
  const reply = (answer: Answer): void => void run((tourismo) => tourismo.rsvp(meet, mine === answer ? null : answer));
  return (
    <div class="segments" role="group" aria-label="Your answer">
      {ANSWERS.map((answer) => (
        <button key={answer} type="button" class="segment" aria-pressed={mine === answer} onClick={() => reply(answer)}>
          {describeAnswer(answer).text}
        </button>
      ))}
    </div>
  );
}

function Attendees({ list, answered: { counts, mine } }: { list: RelayList<Attendee>; answered: AnswerState }) {
  const theirs = list.items.filter(({ account }) => account !== me().account);
  return (
    <section class="card comments" aria-label="Attendees">
      <h2>
        {counts.going} going{counts.maybe > 0 ? `, ${counts.maybe} maybe` : ""}
      </h2>
      <ul class="list">
        {mine ? (
          <li>
            <PersonLink person={me()} detail="you">
              <Badge message={describeAnswer(mine)} />
            </PersonLink>
          </li>
        ) : null}
        {theirs.map((person) => (
          <li key={person.account}>
            <PersonLink person={person} detail={inCommon(person)}>
              {person.answer ? <Badge message={describeAnswer(person.answer)} /> : null}
            </PersonLink>
          </li>
        ))}
      </ul>
      {theirs.length > 0 || list.state === "loading" ? (
        <ListEnd list={list} empty="" older="More people" />
      ) : list.state === "ready" ? (
        <p class="hint">
          {counts.going + counts.maybe > (mine === "going" || mine === "maybe" ? 1 : 0)
            ? "The others are visible only to their accepted followers."
            : "Nobody else has answered yet."}
        </p>
      ) : (
        <p class="hint">The list of attendees needs a connection.</p>
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
    if (confirm("Cancel this meet? Everyone who can see it sees that it is cancelled."))
      void run((tourismo) => tourismo.cancelMeet(meet.id, seenAt));
  }
  return (
    <button type="button" class="button quiet danger" onClick={cancel}>
      Cancel this meet
    </button>
  );
}

/** The link to a meet of the user, and a button that replaces it. */
function OwnLink({ meet, seenAt }: { meet: Meet; seenAt: Timestamp | null }) {
  async function renew(): Promise<void> {
    const id = await run((tourismo) => tourismo.renewMeetLink(meet.id, fieldsOf(meet), seenAt));
    if (id) go({ screen: "meet", id });
  }
  return (
    <section class="card form" aria-label="Link">
      <h2>Link</h2>
      <ShareLink link={linkTo(meet)} what="The link" />
      <HoldButton class="button" hint="Hold to make a new link" onHeld={() => void renew()}>
        New link
      </HoldButton>
      <p class="hint">
        A new link replaces the old one, which then shows nothing. Everyone must answer again and subscribe again in their
        calendar. Co-organisers stay.
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
      <ShareLink link={address} what="The calendar address" />
    </section>
  );
}
