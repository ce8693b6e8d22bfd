// The attack on one's own profile: where others would look for a private place, and what to change. It needs no network.

import { useSignal } from "@preact/signals";
import type { LookView, PlaceView } from "@tourismo/client";

import { account, run, units } from "../engine.ts";
import { adviceAbout, describeLook } from "../messages.ts";
import { PlaceMap } from "./place-map.tsx";

export function AttackProfile() {
  const looks = useSignal<LookView[] | undefined>(undefined);
  const isBusy = useSignal(false);

  async function attack(): Promise<void> {
    isBusy.value = true;
    await run(async (tourismo) => {
      looks.value = await tourismo.attackProfile();
    });
    isBusy.value = false;
  }

  return (
    <div class="card form" data-testid="attack">
      <h2>Attack my profile</h2>
      <p class="hint">
        Looks for your places in the drives that others see, as somebody would who knows how the app hides them, but neither your
        places nor the streets. Somebody who knows the streets finds more: fewer public drives from one place tell less.
      </p>
      <button type="button" class="button wide" disabled={isBusy.value} onClick={() => void attack()}>
        {isBusy.value ? "Looking…" : "Attack my profile"}
      </button>
      {looks.value?.length === 0 ? <p class="hint">Too few drives are public to look for a place.</p> : null}
      {looks.value?.map((look, index) => (
        <Look key={index} look={look} />
      ))}
    </div>
  );
}

/** One area with its map. The circle has the size of the land that is searched first. */
function Look({ look }: { look: LookView }) {
  const place: PlaceView | undefined = account.value?.places.find(({ id }) => id === look.place);
  const zone = { center: look.position, radiusM: Math.sqrt(look.searchedM2 / Math.PI) };
  return (
    <div class="form" data-testid="look">
      <p>{describeLook(look, place, units())}</p>
      <p class="hint">{adviceAbout(look, place)}</p>
      <PlaceMap position={place?.position ?? look.position} zone={zone} />
    </div>
  );
}
