"""Reads a relay with a client that was generated from its OpenAPI description; prints what it read as JSON."""

import json
import sys

from generated import AuthenticatedClient, Client
from generated.api.drives import drive
from generated.api.feed import public
from generated.api.feeds import public_json_feed
from generated.api.me import home_feed, own_drives, own_stats
from generated.api.people import person
from generated.api.roads import search_roads

relay, token, drive_id = sys.argv[1:]
anybody = Client(base_url=relay)
anna = AuthenticatedClient(base_url=relay, token=token)

feed = public.sync(client=anybody, limit=1)
rest = public.sync(client=anybody, limit=1, after=feed.next_)
feature = drive.sync(drive_id, client=anybody)
refusal = drive.sync("00000000-0000-0000-0000-000000000000", client=anybody)
print(json.dumps({
    "titles": [item.title for page in (feed, rest) for item in page.drives],
    "distanceM": feed.drives[0].stats.distance_m,
    "lines": len(feature.geometry.coordinates),
    "parts": [len(part.elapsed_ms) for part in feature.properties.parts],
    "refusal": refusal.error.code,
    "jsonFeed": [item.title for item in public_json_feed.sync(client=anybody).items],
    "home": [item.kind for item in home_feed.sync(client=anna).items],
    "own": [item.title for item in own_drives.sync(client=anna).drives],
    "months": [month.drives for month in own_stats.sync(client=anna).months],
    "person": person.sync("anna", client=anybody).handle,
    "roads": len(search_roads.sync(client=anybody, bbox="0,0,1,1").features),
    "unauthorized": own_drives.sync(client=anybody).error.code,
}))
