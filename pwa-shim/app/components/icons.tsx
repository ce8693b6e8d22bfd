// Icons, drawn as strokes on a grid of 24. They are decoration: whatever bears one has words, too.

import type { ComponentChildren } from "preact";

function Icon({ children }: { children: ComponentChildren }) {
  return (
    <svg class="icon" viewBox="0 0 24 24" aria-hidden="true">
      {children}
    </svg>
  );
}

export const RoadIcon = () => (
  <Icon>
    <path d="M8 3 4 21M16 3l4 18M12 4v2.5M12 10.5V13M12 17v3" />
  </Icon>
);

export const FeedIcon = () => (
  <Icon>
    <circle cx="12" cy="12" r="9" />
    <path d="M3 12h18M12 3c3 3 3 15 0 18M12 3c-3 3-3 15 0 18" />
  </Icon>
);

export const WheelIcon = () => (
  <Icon>
    <circle cx="12" cy="12" r="9" />
    <circle cx="12" cy="12" r="2.2" />
    <path d="M3.4 10.2c5.4-1.6 11.8-1.6 17.2 0M11 14l-2 6.4M13 14l2 6.4" />
  </Icon>
);

export const CarIcon = () => (
  <Icon>
    <path d="M3 16v-3.2l2.6-1L8 7.6h7l3.2 4 2.8 1V16h-2M8.6 16h6.8" />
    <circle cx="6.8" cy="16.4" r="1.9" />
    <circle cx="17.2" cy="16.4" r="1.9" />
  </Icon>
);

export const SettingsIcon = () => (
  <Icon>
    <path d="M4 7h9M17 7h3M4 17h3M11 17h9" />
    <circle cx="15" cy="7" r="2" />
    <circle cx="9" cy="17" r="2" />
  </Icon>
);

export const FilterIcon = () => (
  <Icon>
    <path d="M4 6h16M7 12h10M10 18h4" />
  </Icon>
);

export const BackIcon = () => (
  <Icon>
    <path d="m14 5-7 7 7 7" />
  </Icon>
);

export const PauseIcon = () => (
  <Icon>
    <path d="M9 5v14M15 5v14" />
  </Icon>
);

export const PlayIcon = () => (
  <Icon>
    <path d="M8 5v14l11-7z" />
  </Icon>
);

export const FlagIcon = () => (
  <Icon>
    <path d="M6 21V4h12l-3 4 3 4H6" />
  </Icon>
);

export const PlusIcon = () => (
  <Icon>
    <path d="M12 5v14M5 12h14" />
  </Icon>
);

export const HeartIcon = () => (
  <Icon>
    <path d="M12 20C5 15 3 11.5 3 8.7A4.6 4.6 0 0 1 12 6.5a4.6 4.6 0 0 1 9 2.2C21 11.5 19 15 12 20z" />
  </Icon>
);

export const StarIcon = () => (
  <Icon>
    <path d="m12 3 2.6 6 6.4.5-4.9 4.2 1.5 6.3-5.6-3.4L6.4 20l1.5-6.3L3 9.5 9.4 9z" />
  </Icon>
);

export const MeetIcon = () => (
  <Icon>
    <rect x="3.5" y="5" width="17" height="15.5" rx="3" />
    <path d="M3.5 10h17M8 3v4M16 3v4" />
  </Icon>
);

export const PeopleIcon = () => (
  <Icon>
    <circle cx="9" cy="8.5" r="3.5" />
    <path d="M2.5 20c.6-4 3-6 6.5-6s5.9 2 6.5 6M15.5 5.4a3.5 3.5 0 0 1 0 6.2M18 14.6c2 .8 3.1 2.6 3.5 5.4" />
  </Icon>
);

export const CommentIcon = () => (
  <Icon>
    <path d="M4 5.5h16v11H11l-4.5 4v-4H4z" />
  </Icon>
);

export const PlaceIcon = () => (
  <Icon>
    <circle cx="12" cy="12" r="6" />
    <circle cx="12" cy="12" r="1.2" />
    <path d="M12 2.5V6M12 18v3.5M2.5 12H6M18 12h3.5" />
  </Icon>
);
