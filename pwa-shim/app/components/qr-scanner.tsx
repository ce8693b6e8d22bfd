// Scans a QR code with the camera. The decoder is loaded when the camera is opened: few browsers have one.

import { useEffect, useRef, useState } from "preact/hooks";
import type { BarcodeDetector } from "qr/decode.js";

import { showNotice } from "./notice.tsx";

const LOOK_EVERY_MS = 250;

/** A button that opens the camera; nothing if this page has no access to cameras. */
export function QrScanner({ onFound }: { onFound: (text: string) => void }) {
  const [isOpen, setOpen] = useState(false);
  if (navigator.mediaDevices === undefined) return null;
  if (!isOpen) {
    return (
      <button type="button" class="button" onClick={() => setOpen(true)}>
        Scan
      </button>
    );
  }
  const found = (text: string): void => {
    setOpen(false);
    onFound(text);
  };
  return <Camera onFound={found} onClose={() => setOpen(false)} />;
}

function Camera(props: { onFound: (text: string) => void; onClose: () => void }) {
  const picture = useRef<HTMLVideoElement>(null);
  useEffect(() => {
    let stream: MediaStream | undefined;
    let timer: ReturnType<typeof setTimeout> | undefined;
    let wanted = true;

    async function look(video: HTMLVideoElement, detector: BarcodeDetector): Promise<void> {
      const [code] = await detector.detect(video).catch(() => []);
      if (!wanted) return;
      if (code) props.onFound(code.rawValue);
      else timer = setTimeout(() => void look(video, detector), LOOK_EVERY_MS);
    }

    async function begin(): Promise<void> {
      stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
      const { BarcodeDetector } = await import("qr/decode.js");
      const video = picture.current;
      if (!wanted || !video) return end();
      video.srcObject = stream;
      await video.play();
      await look(video, new BarcodeDetector({ formats: ["qr_code"] }));
    }

    function end(): void {
      wanted = false;
      clearTimeout(timer);
      for (const track of stream?.getTracks() ?? []) track.stop();
    }

    begin().catch(() => {
      if (!wanted) return;
      showNotice("The camera cannot be used here. Paste the code.");
      props.onClose();
    });
    return end;
  }, []);
  return (
    <div class="camera">
      <video ref={picture} muted playsInline />
      <button type="button" class="button" onClick={props.onClose}>
        Close the camera
      </button>
    </div>
  );
}
