// A small chart of bars, one for each period. A bar can be a button.

export interface Bar {
  /** A name for screen readers and the tooltip. */
  title: string;
  /** A short text below the bar; may be empty. */
  label: string;
  value: number;
  onChoose?: () => void;
}

export function BarChart({ label, top, bars }: { label: string; top: string; bars: readonly Bar[] }) {
  const greatest = Math.max(...bars.map(({ value }) => value), 1);
  return (
    <figure class="bars" aria-label={label}>
      <figcaption>{top}</figcaption>
      <ol>
        {bars.map((bar) => (
          <li key={bar.title}>
            <button type="button" title={bar.title} disabled={bar.onChoose === undefined} onClick={bar.onChoose}>
              <span class="unseen">{bar.title}</span>
              <span class="bar" style={{ height: `${(100 * bar.value) / greatest}%` }} />
            </button>
            <span class="bar-label" aria-hidden="true">
              {bar.label}
            </span>
          </li>
        ))}
      </ol>
    </figure>
  );
}
