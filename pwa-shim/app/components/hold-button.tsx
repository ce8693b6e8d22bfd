// A button that must be held, so that a bump does not end a drive. Space and Enter work, too.

import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";

const HOLD_MS = 900;

export function HoldButton(props: { onHeld: () => void; class: string; children: ComponentChildren; hint: string }) {
  const [isHeld, setHeld] = useState(false);
  const [wasTapped, setTapped] = useState(false);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  useEffect(() => () => clearTimeout(timer.current), []);

  function begin(): void {
    if (timer.current !== undefined) return;
    setHeld(true);
    timer.current = setTimeout(() => {
      end();
      setTapped(false);
      navigator.vibrate?.(40);
      props.onHeld();
    }, HOLD_MS);
  }

  function end(): void {
    if (timer.current === undefined) return;
    clearTimeout(timer.current);
    timer.current = undefined;
    setHeld(false);
    setTapped(true);
  }

  const isHoldKey = (event: KeyboardEvent): boolean => event.key === " " || event.key === "Enter";
  return (
    <button
      type="button"
      class={`${props.class} hold-button ${isHeld ? "held" : ""}`}
      style={{ "--hold-ms": `${HOLD_MS}ms` }}
      onPointerDown={begin}
      onPointerUp={end}
      onPointerLeave={end}
      onPointerCancel={end}
      onContextMenu={(event) => event.preventDefault()}
      onKeyDown={(event) => {
        if (!isHoldKey(event)) return;
        event.preventDefault();
        begin();
      }}
      onKeyUp={(event) => isHoldKey(event) && end()}
      onBlur={end}
    >
      <span class="hold-fill" />
      <span class="hold-label">{wasTapped && !isHeld ? props.hint : props.children}</span>
    </button>
  );
}
