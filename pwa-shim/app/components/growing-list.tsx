// A long list of which only the beginning is drawn, and more as the user scrolls: a list of thousands must not delay its first rows.

import { type Signal, signal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";

/** The number of rows that are drawn at first, and that are added. */
const ROWS = 60;
/** How far below the screen rows are added. */
const AHEAD = "1200px";

interface Drawn {
  content: string;
  rows: Signal<number>;
}

/** The drawn rows by the name of the list, so that a screen to which the user goes back is as long as it was. */
const lists = new Map<string, Drawn>();

export function GrowingList<T>(props: {
  name: string;
  /** What the list shows. Other content begins with few rows again. */
  content: string;
  class: string;
  items: readonly T[];
  children: (item: T) => ComponentChildren;
}) {
  const count = rowsOf(props.name, props.content);
  const end = useRef<HTMLLIElement>(null);
  const hasMore = props.items.length > count.value;
  useEffect(() => {
    if (!hasMore || !end.current) return;
    const seen = new IntersectionObserver(
      (entries) => {
        if (entries.some(({ isIntersecting }) => isIntersecting)) count.value += ROWS;
      },
      { rootMargin: `0px 0px ${AHEAD} 0px` },
    );
    seen.observe(end.current);
    return () => seen.disconnect();
    // Observed again after each addition: the end may still be on the screen.
  }, [hasMore, count.value, props.content]);
  return (
    <ul class={props.class}>
      {props.items.slice(0, count.value).map(props.children)}
      {hasMore ? <li key="end" ref={end} aria-hidden="true" /> : null}
    </ul>
  );
}

function rowsOf(name: string, content: string): Signal<number> {
  let drawn = lists.get(name);
  if (drawn?.content !== content) {
    drawn = { content, rows: signal(ROWS) };
    lists.set(name, drawn);
  }
  return drawn.rows;
}
