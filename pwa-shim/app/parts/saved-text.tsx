// A text that is saved when its field is left. What is being typed stays, whatever the engine tells meanwhile.

import { useSignal } from "@preact/signals";

export function SavedText(props: {
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
  const draft = useSignal<string | undefined>(undefined);
  async function save(): Promise<void> {
    const typed = draft.value;
    if (typed === undefined) return;
    const isTaken = typed.trim() === props.value || (await props.onSave(typed.trim()));
    // What was refused stays, to be mended.
    if (isTaken && draft.value === typed) draft.value = undefined;
  }
  const { label, name, maxLength, placeholder, rows, autocomplete } = props;
  const common = { name, maxLength, placeholder, value: draft.value ?? props.value, onBlur: () => void save() };
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
          onInput={(event) => (draft.value = event.currentTarget.value)}
        />
      ) : (
        <textarea {...common} rows={rows} onInput={(event) => (draft.value = event.currentTarget.value)} />
      )}
    </label>
  );
}
