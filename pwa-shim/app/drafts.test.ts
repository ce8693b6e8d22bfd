import { describe, expect, test } from "vitest";

import { draftOf, saveDraft } from "./drafts.ts";

interface Fields {
  title: string;
  notes: string;
}

describe("a draft", () => {
  test("keeps typed text when another device changes the form, and shows the change in other fields", () => {
    draftOf<Fields>("news", { title: "", notes: "" }).set({ title: "Over the p" });
    expect(draftOf<Fields>("news", { title: "Pass", notes: "from elsewhere" }).value).toEqual({
      title: "Over the p",
      notes: "from elsewhere",
    });
  });

  test("is there when the user comes back to the form, and not in another form", () => {
    draftOf<Fields>("left", { title: "", notes: "" }).set({ notes: "half a word" });
    expect(draftOf<Fields>("left", { title: "", notes: "" }).value.notes).toBe("half a word");
    expect(draftOf<Fields>("other", { title: "", notes: "" }).isChanged).toBe(false);
  });

  test("is gone once it is saved", () => {
    const draft = draftOf<Fields>("saved", { title: "", notes: "" });
    draft.set({ title: "Pass" });
    draft.clear();
    expect(draftOf<Fields>("saved", { title: "Pass", notes: "" })).toMatchObject({ value: { title: "Pass" }, isChanged: false });
  });
});

describe("an autosaved text", () => {
  const typed = (form: string): string | undefined => draftOf<{ text?: string }>(form, {}).value.text;

  test("is saved once, trimmed", async () => {
    const saved: string[] = [];
    const onSave = async (text: string): Promise<boolean> => saved.push(text) > 0;
    draftOf("text", { text: "" }).set({ text: " Pass " });
    await Promise.all([saveDraft("text", "", onSave)]);
    await saveDraft("text", "Pass", onSave);
    expect([saved, typed("text")]).toEqual([["Pass"], undefined]);
  });

  test("is not saved if it is unchanged", async () => {
    draftOf("same", { text: "Pass" }).set({ text: "Pass" });
    await saveDraft("same", "Pass", () => Promise.reject(new Error("nobody asked")));
    expect(typed("same")).toBeUndefined();
  });

  test("stays if it is refused", async () => {
    draftOf("refused", { text: "" }).set({ text: "@" });
    await saveDraft("refused", "", async () => false);
    expect(typed("refused")).toBe("@");
  });

  test("stays if more is typed while it is saved", async () => {
    draftOf("more", { text: "" }).set({ text: "Pa" });
    let end = (_: boolean): void => {};
    const saving = saveDraft("more", "", () => new Promise((resolve) => (end = resolve)));
    draftOf("more", { text: "" }).set({ text: "Pass" });
    end(true);
    await saving;
    expect(typed("more")).toBe("Pass");
  });
});
