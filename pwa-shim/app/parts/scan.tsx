// Reads a QR code by the camera, where the browser can read them. Elsewhere the phone's own camera app opens the link.

import { useEffect, useRef, useState } from "preact/hooks";

import { showNotice } from "./notice.tsx";

const LOOK_EVERY_MS = 250;

/** What is used of a browser interface that TypeScript does not know. */
interface Detector {
  detect(source: HTMLVideoElement): Promise<{ rawValue: string }[]>;
}

const BarcodeDetector = (globalThis as { BarcodeDetector?: new (options: { formats: string[] }) => Detector })
  .BarcodeDetector;

/** A button that opens the camera; nothing, if this browser reads no codes. */
export function Scan({ onFound }: { onFound: (text: string) => void }) {
  const [isOpen, setOpen] = useState(false);
  if (BarcodeDetector === undefined || navigator.mediaDevices === undefined) return null;
  if (!isOpen) {
    return (
      <button type="button" class="button" onClick={() => setOpen(true)}>
        Scan it
      </button>
    );
  }
  const found = (text: string): void => {
    setOpen(false);
    onFound(text);
  };
  return <Camera detector={new BarcodeDetector({ formats: ["qr_code"] })} onFound={found} onClose={() => setOpen(false)} />;
}

function Camera(props: { detector: Detector; onFound: (text: string) => void; onClose: () => void }) {
  const picture = useRef<HTMLVideoElement>(null);
  useEffect(() => {
    let stream: MediaStream | undefined;
    let timer: ReturnType<typeof setTimeout> | undefined;
    let wanted = true;

    async function look(video: HTMLVideoElement): Promise<void> {
      const [code] = await props.detector.detect(video).catch(() => []);
      if (!wanted) return;
      if (code) props.onFound(code.rawValue);
      else timer = setTimeout(() => void look(video), LOOK_EVERY_MS);
    }

    async function begin(): Promise<void> {
      stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
      const video = picture.current;
      if (!wanted || !video) return end();
      video.srcObject = stream;
      await video.play();
      await look(video);
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
