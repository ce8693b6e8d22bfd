// A text field that saves when the user leaves it or its screen. Updates from the engine do not replace typed text.

import { useAutosave } from "../drafts.ts";

export function AutosavedText(props: {
  /** The name of its draft, unique to this field. */
  draft: string;
  label: string;
  name: string;
  value: string;
  maxLength: number;
  placeholder?: string;
  rows?: number;
  autocomplete?: "nickname" | "username";
  /** Saves the text and returns whether it was saved. */
  onSave: (value: string) => Promise<boolean>;
}) {
  const draft = useAutosave(props.draft, props.value, props.onSave);
  const { label, name, maxLength, placeholder, rows, autocomplete } = props;
  const common = { name, maxLength, placeholder, value: draft.text, onBlur: () => void draft.save() };
  const isName = autocomplete === "username";
  return (
    // biome-ignore lint/a11y/noLabelWithoutControl: it has an input or a textarea.
    <label class="field">
      <span>{label}</span>
      {rows === undefined ? (
        <input
          type="text"
          {...common}
          autocomplete={autocomplete}
          autocapitalize={isName ? "none" : undefined}
          onInput={(event) => draft.set(event.currentTarget.value)}
        />
      ) : (
        <textarea {...common} rows={rows} onInput={(event) => draft.set(event.currentTarget.value)} />
      )}
    </label>
  );
}
