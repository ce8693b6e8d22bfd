// The PWA's entry. The PWA uses `@tourismo/client` through its public surface alone.

import { render } from "preact";

import { App } from "./app.tsx";
import { openEngine } from "./engine.ts";
import { registerShell } from "./shell.ts";
import "./style/base.css";
import "./style/parts.css";
import "./style/screens.css";

render(<App />, document.getElementById("app") as HTMLElement);
void openEngine();
registerShell();
