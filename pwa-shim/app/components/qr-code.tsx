// A link as a QR code. The encoder is loaded when the first one is shown.

import { useEffect, useState } from "preact/hooks";

export function QrCode({ link, label }: { link: string; label: string }) {
  const [modules, setModules] = useState<boolean[][]>([]);
  useEffect(() => {
    let wanted = true;
    void import("qr").then(({ encodeQR }) => {
      if (wanted) setModules(encodeQR(link, "raw", { ecc: "low", border: 3 }));
    });
    return () => void (wanted = false);
  }, [link]);
  // One path of unit squares: black on white in either colour scheme, or cameras do not read it.
  const path = modules.flatMap((row, y) => row.map((isDark, x) => (isDark ? `M${x} ${y}h1v1h-1z` : ""))).join("");
  const size = Math.max(1, modules.length);
  return (
    <svg class="qr" role="img" aria-label={label} viewBox={`0 0 ${size} ${size}`} shape-rendering="crispEdges">
      <path d={path} />
    </svg>
  );
}
