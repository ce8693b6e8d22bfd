// The PWA's entry. The PWA uses `@tourismo/client` through its public surface alone.

import { effect, untracked } from "@preact/signals";
import { render } from "preact";

import { App } from "./app.tsx";
import { openWhenNeeded } from "./engine.ts";
import { isOwn, route } from "./route.ts";
import { registerShell } from "./shell.ts";
import "./style/base.css";
import "./style/buttons.css";
import "./style/forms.css";
import "./style/lists.css";
import "./style/parts.css";
import "./style/people.css";
import "./style/roads.css";
import "./style/screens.css";
import "./style/record.css";

render(<App />, document.getElementById("app") as HTMLElement);
effect(() => {
  const isOwnScreen = isOwn(route.value);
  untracked(() => openWhenNeeded(isOwnScreen));
});
registerShell();
