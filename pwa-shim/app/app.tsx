// The frame around every screen: the navigation, and what is shown while the engine opens or after it failed.

import type { ComponentType } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { CarIcon, FeedIcon, MeetIcon, PeopleIcon, RoadIcon, SettingsIcon, WheelIcon } from "./components/icons.tsx";
import { Notice } from "./components/notice.tsx";
import { engine, openEngine, recording } from "./engine.ts";
import { describeError } from "./messages.ts";
import { href, isPublic, type PublicRoute, type Route, route, type Screen as ScreenName, titleOf } from "./route.ts";
import { CarScreen } from "./screens/car.tsx";
import { DevicesScreen } from "./screens/devices.tsx";
import { DriveScreen } from "./screens/drive.tsx";
import { DrivesScreen } from "./screens/drives.tsx";
import { FeedScreen } from "./screens/feed.tsx";
import { FollowsScreen } from "./screens/follows.tsx";
import { GarageScreen } from "./screens/garage.tsx";
import { ImportScreen } from "./screens/import.tsx";
import { InboxScreen } from "./screens/inbox.tsx";
import { MeetScreen } from "./screens/meet.tsx";
import { EditMeetScreen, NewMeetScreen } from "./screens/meet-form.tsx";
import { MeetsScreen } from "./screens/meets.tsx";
import { PeopleScreen } from "./screens/people.tsx";
import { PersonScreen } from "./screens/person.tsx";
import { PlacesScreen } from "./screens/places.tsx";
import { PublicDriveScreen } from "./screens/public-drive.tsx";
import { RecordScreen } from "./screens/record.tsx";
import { RecoveryScreen } from "./screens/recovery.tsx";
import { RoadScreen } from "./screens/road.tsx";
import { RoadsScreen } from "./screens/roads.tsx";
import { SettingsScreen } from "./screens/settings.tsx";
import { TotalsScreen } from "./screens/totals.tsx";
import { hasNewVersion, switchVersion } from "./shell.ts";

export function App() {
  const main = useRef<HTMLElement>(null);
  const { value: at } = route;
  const isFirst = useRef(true);
  useEffect(() => {
    document.title = `${titleOf(at)} · Tourismo`;
    // A screen reader announces the new screen: the element that had the focus is gone.
    if (!isFirst.current) main.current?.focus({ preventScroll: true });
    isFirst.current = false;
  }, [at]);
  return (
    <>
      <main class={isLive() ? "screen alone" : "screen"} tabIndex={-1} ref={main}>
        <UpdateBanner />
        <Screen />
      </main>
      {isLive() ? null : <Navigation />}
      <Notice />
    </>
  );
}

/** Whether a drive is recorded and shown: the controls that end or pause it get the whole screen. */
function isLive(): boolean {
  const state = recording.value?.state;
  return route.value.screen === "record" && (state === "active" || state === "paused");
}

function Screen() {
  const at = route.value;
  // Public data needs no engine.
  if (isPublic(at)) return <PublicScreen at={at} />;
  switch (engine.value.type) {
    case "closed":
    case "opening":
      return <p class="opening">Opening…</p>;
    case "failed":
      return <EngineFailed why={describeError(engine.value.why)} />;
    case "open":
      return <OwnScreen at={at} />;
    default:
      return engine.value satisfies never;
  }
}

function PublicScreen({ at }: { at: PublicRoute }) {
  switch (at.screen) {
    case "feed":
      return <FeedScreen />;
    case "roads":
      return <RoadsScreen />;
    case "road":
      return <RoadScreen key={at.id} id={at.id} />;
    case "publicDrive":
      return <PublicDriveScreen key={at.id} id={at.id} />;
    case "person":
      return <PersonScreen key={at.name} name={at.name} />;
    case "followers":
    case "following":
    case "inCommon":
      return <FollowsScreen key={`${at.screen} ${at.name}`} name={at.name} which={at.screen} />;
    case "meet":
      return <MeetScreen key={at.id} id={at.id} />;
    default:
      return at satisfies never;
  }
}

function OwnScreen({ at }: { at: Exclude<Route, PublicRoute> }) {
  switch (at.screen) {
    case "record":
      return <RecordScreen />;
    case "invite":
      return <RecordScreen invitation={at.code} />;
    case "drives":
      return <DrivesScreen />;
    case "import":
      return <ImportScreen />;
    case "totals":
      return <TotalsScreen />;
    case "drive":
      return <DriveScreen key={at.id} id={at.id} />;
    case "people":
      return <PeopleScreen />;
    case "meets":
      return <MeetsScreen />;
    case "newMeet":
      return <NewMeetScreen />;
    case "editMeet":
      return <EditMeetScreen key={at.id} id={at.id} />;
    case "garage":
      return <GarageScreen />;
    case "car":
      return <CarScreen key={at.id} id={at.id} />;
    case "settings":
      return <SettingsScreen />;
    case "places":
      return <PlacesScreen />;
    case "inbox":
      return <InboxScreen />;
    case "recovery":
      return <RecoveryScreen />;
    case "devices":
      return <DevicesScreen />;
    case "link":
    case "join":
      return <DevicesScreen key={at.code} code={at.code ?? ""} />;
    default:
      return at satisfies never;
  }
}

function EngineFailed({ why }: { why: string }) {
  return (
    <section class="card failed">
      <h1>Tourismo cannot start</h1>
      <p>{why}</p>
      <button type="button" class="button primary" onClick={() => void openEngine()}>
        Try again
      </button>
    </section>
  );
}

/** A new version is offered when no drive is being recorded. */
function UpdateBanner() {
  if (!hasNewVersion() || recording.value !== null) return null;
  return (
    <button type="button" class="banner" onClick={switchVersion}>
      A new version is ready. <strong>Update now</strong>
    </button>
  );
}

interface Tab {
  to: Route;
  label: string;
  icon: ComponentType;
  screens: ScreenName[];
  /** On a narrow screen another tab leads there. */
  isWide?: boolean;
  /** On a narrow screen this tab leads to these, too. */
  onNarrow?: ScreenName[];
}

const PEOPLE: ScreenName[] = ["people", "person", "followers", "following", "inCommon"];

const TABS: Tab[] = [
  { to: { screen: "drives" }, label: "Drives", icon: RoadIcon, screens: ["drives", "drive", "import", "totals"] },
  {
    to: { screen: "feed" },
    label: "Discover",
    icon: FeedIcon,
    screens: ["feed", "roads", "road", "publicDrive"],
    onNarrow: PEOPLE,
  },
  { to: { screen: "record" }, label: "Record", icon: WheelIcon, screens: ["record"] },
  { to: { screen: "meets" }, label: "Meets", icon: MeetIcon, screens: ["meets", "meet", "newMeet", "editMeet"] },
  { to: { screen: "garage" }, label: "Garage", icon: CarIcon, screens: ["garage", "car"], isWide: true },
  { to: { screen: "people" }, label: "People", icon: PeopleIcon, screens: PEOPLE, isWide: true },
  {
    to: { screen: "settings" },
    label: "You",
    icon: SettingsIcon,
    screens: ["settings", "places", "inbox", "devices", "recovery", "link", "join"],
    onNarrow: ["garage", "car"],
  },
];

function Navigation() {
  const isRecording = recording.value?.state === "active" && recording.value.notRecording === null;
  return (
    <nav class="navigation" aria-label="Screens">
      <span class="brand" aria-hidden="true">
        Tourismo
      </span>
      {TABS.map(({ to, label, icon: Icon, screens, isWide, onNarrow }) => (
        <a
          key={label}
          href={href(to)}
          class={to.screen === "record" ? `tab record-tab ${isRecording ? "live" : ""}` : isWide ? "tab only-wide" : "tab"}
          aria-current={
            screens.includes(route.value.screen) ? "page" : onNarrow?.includes(route.value.screen) ? "true" : undefined
          }
        >
          <Icon />
          <span>{label}</span>
        </a>
      ))}
    </nav>
  );
}
