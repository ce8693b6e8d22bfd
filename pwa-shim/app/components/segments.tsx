// A choice between two or three views of one screen.

interface Segment<T extends string> {
  value: T;
  label: string;
}

export function Segments<T extends string>(props: {
  label: string;
  segments: Segment<T>[];
  chosen: T;
  onChoose: (value: T) => void;
}) {
  return (
    <div class="segments" role="tablist" aria-label={props.label}>
      {props.segments.map(({ value, label }) => (
        <button
          key={value}
          type="button"
          role="tab"
          class="segment"
          aria-selected={value === props.chosen}
          onClick={() => props.onChoose(value)}
        >
          {label}
        </button>
      ))}
    </div>
  );
}
