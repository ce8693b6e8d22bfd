// A text that is saved when its field or its screen is left. What is being typed stays, whatever the engine tells meanwhile.

import { useSavedDraft } from "../drafts.ts";

export function SavedText(props: {
  /** The name of its draft, which no other field has. */
  draft: string;
  label: string;
  name: string;
  value: string;
  maxLength: number;
  placeholder?: string;
  rows?: number;
  autocomplete?: "nickname" | "username";
  /** Saves it; says whether that was taken. */
  onSave: (value: string) => Promise<boolean>;
}) {
  const draft = useSavedDraft(props.draft, props.value, props.onSave);
  const { label, name, maxLength, placeholder, rows, autocomplete } = props;
  const common = { name, maxLength, placeholder, value: draft.text, onBlur: () => void draft.save() };
  const isName = autocomplete === "username";
  return (
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
