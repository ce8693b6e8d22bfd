// The entry of the PWA. The PWA uses only the public API of `@tourismo/client`.

import { effect, untracked } from "@preact/signals";
import { render } from "preact";

import { App } from "./app.tsx";
import { openWhenNeeded } from "./engine.ts";
import { takeLaunchFiles } from "./launch-files.ts";
import { isPublic, route } from "./route.ts";
import { registerShell } from "./shell.ts";
import "./style/base.css";
import "./style/buttons.css";
import "./style/forms.css";
import "./style/lists.css";
import "./style/components.css";
import "./style/people.css";
import "./style/import.css";
import "./style/roads.css";
import "./style/search.css";
import "./style/screens.css";
import "./style/record.css";

render(<App />, document.getElementById("app") as HTMLElement);
effect(() => {
  const needsAccount = !isPublic(route.value);
  untracked(() => openWhenNeeded(needsAccount));
});
registerShell();
takeLaunchFiles();
