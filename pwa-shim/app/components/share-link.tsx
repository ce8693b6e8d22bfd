// Buttons that copy a link and open the share sheet of the device.

import { showNotice } from "./notice.tsx";

export function ShareLink({ link, what }: { link: string; what: string }) {
  async function copy(): Promise<void> {
    try {
      await navigator.clipboard.writeText(link);
      showNotice(`${what} is copied.`);
    } catch {
      showNotice("This browser does not allow copying. Select the text and copy it.");
    }
  }

  // Cancelling the share sheet is not an error.
  const share = (): void => void navigator.share({ url: link }).catch(() => {});
  return (
    <div class="controls">
      <button type="button" class="button" onClick={() => void copy()}>
        Copy {what.charAt(0).toLowerCase() + what.slice(1)}
      </button>
      {"share" in navigator ? (
        <button type="button" class="button" onClick={share}>
          Send
        </button>
      ) : null}
    </div>
  );
}
