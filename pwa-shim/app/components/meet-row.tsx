// A meet in a list: its day as a calendar page, title, time, place and the user's answer.

import type { Meet } from "@tourismo/client";

import { social } from "../engine.ts";
import { clockIn, longDay } from "../format.ts";
import { describeAnswer } from "../messages.ts";
import { ownAnswer } from "../optimistic.ts";
import { href } from "../route.ts";
import { isTimeZone, ownTimeZone } from "../time-zone.ts";
import { Badge } from "./badge.tsx";

export function MeetRow({ meet }: { meet: Meet }) {
  const answer = ownAnswer(meet.id, social.value);
  const at = new Date(meet.startsAt);
  const timeZone = isTimeZone(meet.timeZone) ? meet.timeZone : ownTimeZone();
  const month = at.toLocaleDateString(undefined, { month: "short", timeZone });
  return (
    <a class="row meet-row" href={href({ screen: "meet", id: meet.id })} data-testid="meet">
      <span class="calendar-page" role="img" aria-label={longDay(meet.startsAt, timeZone)}>
        <span class="calendar-month">{month}</span>
        <span class="calendar-day">{at.toLocaleDateString(undefined, { day: "numeric", timeZone })}</span>
      </span>
      <div class="row-main">
        <h2 class={meet.cancelled ? "cancelled" : ""}>{meet.title}</h2>
        <p class="row-line">
          {clockIn(timeZone, meet.startsAt)}
          {meet.place ? ` · ${meet.place}` : ""}
        </p>
        <p class="row-states">
          {meet.cancelled ? <Badge message={{ tone: "bad", text: "Cancelled" }} /> : null}
          {answer ? <Badge message={describeAnswer(answer)} /> : null}
        </p>
      </div>
    </a>
  );
}
