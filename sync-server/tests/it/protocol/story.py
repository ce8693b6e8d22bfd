"""Two devices of Anna and one of Ben record, sync, publish and follow. Prints what they read."""

import json
import math
import re
import sys
import time
import uuid
from hashlib import sha256

import cbor2
from blocks import Row, pack, unpack
from client import CAR, DRIVE, ENTRIES, PROFILE, PROOF, PUBLISHED, SOCIAL, TRACK
from client import Connection, Device, Ended, Text, copy_of, entry, join_check, membership_digest, only, read
from client import recovery_key, statement, uuid7
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pycddl import Schema

url, protocol = sys.argv[1:]
now = int(time.time() * 1000)
HOUR = 3_600_000
started_at = now - 2 * HOUR



def examples() -> dict[str, str]:
    """The examples in PROTOCOL.md."""
    device = Device(seed=bytes([1] * 32))
    other = Device(seed=bytes([2] * 32))
    relay, nonce, origin = bytes([4] * 16), bytes([5] * 32), "https://relay.example"
    drive = bytes([7] * 16)
    grant = device.grant_to(other.public)
    device.relay = relay
    device.document(drive, DRIVE).acknowledged = {bytes([8] * 32), bytes([9] * 32)}
    device.documents[drive].deps_of = {bytes([8] * 32): [], bytes([9] * 32): []}
    rows = [
        Row(1_700_000_000_000, 46_528_611, 10_454_322, 167, 359, 27_573, 5),
        Row(1_700_000_001_000, 46_528_761, 10_454_325, 171, 1, 27_570, 5),
        Row(1_700_000_003_020, 46_529_071, 10_454_301),
    ]
    blocks = {version: [block.hex() for block in pack([rows[:2], rows[2:]], 120, version)] for version in (1, 2)}
    keys = [Ed25519PrivateKey.from_private_bytes(bytes([number] * 32)) for number in range(6)]
    public = [key.public_key().public_bytes_raw() for key in keys]
    granted, granted_id = statement(device.account, "grant", public[2], keys[1])
    enrolled, enrolled_id = statement(device.account, "enrol", public[3], keys[1], accepts=keys[3])
    revoked, _ = statement(device.account, "revoke", public[2], keys[1], keeps=[public[4], public[5]])
    words = recovery_key(bytes([7] * 16)).public_key().public_bytes_raw()
    return {
        "public key": device.public.hex(),
        "account": device.account.hex(),
        "actor prefix": device.document(drive, DRIVE).automerge.get_actor()[:8].hex(),
        "profile": only(device.account, "profile").hex(),
        "published copy": copy_of(device.account, drive).hex(),
        "`Hello`": cbor2.dumps([0, [2], device.account, device.public]).hex(),
        "signature of the proof": device.proof(relay, nonce, origin).hex(),
        "grant": cbor2.dumps(grant).hex(),
        "`grant` (G1)": cbor2.dumps(granted).hex(),
        "`enrol` of the key `03…03` (G1)": cbor2.dumps(enrolled).hex(),
        "`revoke` of the second device, which keeps `04…04` and `05…05` (G1)": cbor2.dumps(revoked).hex(),
        "membership digest of the `grant` and the `enrol` (G5)": membership_digest([granted_id, enrolled_id]).hex(),
        "recovery key of the twelve words of 16 bytes `07…07` (G7)": words.hex(),
        "its lookup (G8)": sha256(b"tourismo recovery lookup v1" + words).hexdigest(),
        "digits": join_check(device.account, other.public, device.public),
        "digest": device.digest().hex(),
        "read token": device.token(origin, 1_700_000_000_000),
        "key block, version 1": blocks[1][0],
        "next block, version 1": blocks[1][1],
        "key block, version 2": blocks[2][0],
        "next block, version 2": blocks[2][1],
    }


# A drive of ten minutes to the north at 20 m/s, in blocks of half a minute.
recorded = [
    Row(
        fixed_at=started_at + 1000 * second,
        lat=46_500_000 + 180 * second + second % 3,
        lon=10_400_000 + round(3000 * math.sin(second / 60)),
        speed=200 + second % 5,
        heading=(355 + second // 40) % 360,
        altitude=12_000 + 3 * second if second % 9 else None,
        accuracy=5 + second // 97 % 3,
        altitude_accuracy=3 if second > 300 else None,
    )
    for second in range(600)
]
chunks = [recorded[at : at + 30] for at in range(0, 600, 30)]
# The first and the last 50 seconds (about 1,000 m) are hidden; the shown part begins at a full hour.
shown = recorded[50:550]
shift = shown[0].fixed_at - shown[0].fixed_at // HOUR * HOUR
shown = [Row(row.fixed_at - shift, row.lat, row.lon, row.speed, altitude=row.altitude) for row in shown]


def uuid_text(data: bytes) -> str:
    return str(uuid.UUID(bytes=data))


# Every message must match the grammar in PROTOCOL.md, and so must the CBOR values in documents.
with open(protocol, encoding="utf-8") as text:
    messages, values = re.findall(r"```cddl\n(.*?)```", text.read(), re.DOTALL)
# The validator fails on choices between an array and another type, so that each alternative is checked separately.
_, of_messages, types, of_bodies = re.sub(r"[\w-]+: [\w-]+ / null", "any", messages).split("\n\n")
_, of_bodies = of_bodies.split("\n", 1)


def schema(rule: str) -> Schema:
    return Schema("\n".join([f"root = {rule}", values, of_messages, types, of_bodies, "body = any"]))


def by_tag(rules: str) -> dict[int, Schema]:
    """The rules of messages, by the number at the start of the array."""
    found = re.findall(r"^([\w-]+) *= \[(\d+)", rules, re.MULTILINE)
    return {int(tag): schema(rule) for rule, tag in found}


message_schemas, body_schemas = by_tag(of_messages), by_tag(of_bodies)


def check(data: bytes) -> None:
    tag, *fields = cbor2.loads(data)
    message_schemas[tag].validate_cbor(data)
    if tag == PROOF and fields[1] is not None:
        schema("grant").validate_cbor(cbor2.dumps(fields[1]))
    if tag == ENTRIES:
        for *_, body in fields[0]:
            body_schemas[body[0]].validate_cbor(cbor2.dumps(body))


Connection.check = staticmethod(check)


def held(rule: str, value: list) -> bytes:
    """Checks a CBOR value by a rule of the grammar, and returns its encoding."""
    data = cbor2.dumps(value)
    schema(rule).validate_cbor(data)
    return data


# Anna's first device records without a connection.
anna = Device()
car, drive, track = uuid7(), uuid7(), uuid7()
copy = copy_of(anna.account, drive)
anna.document(only(anna.account, "profile"), PROFILE).put_all({"handle": "anna", "displayName": "Anna"})
anna.document(car, CAR).put_all({"make": "Mazda", "model": "MX-5", "year": 1999})
document = anna.document(track, TRACK)
document.put_all({"rec": {}, "back": {}})
for index, block in enumerate(pack(chunks, delay=120, version=2)):
    document.put("rec", document.automerge.get_actor().hex(), f"{index:04}", block)
document = anna.document(drive, DRIVE)
document.put_all(
    {"title": Text("Über den Paß"), "notes": Text(""), "startedAt": started_at, "track": track, "car": car}
)
# distance, gaps, duration, in motion, mean and greatest speed, ascent, descent, fixes, refused, gaps
stats = [12_000.0, 0.0, 599_000, 599_000, 20.0, 20.4, 180.0, 0.0, 600, 0, 0]
document.put_all({"endedAt": started_at + 599_000, "stats": held("stats", stats)})
anna.sync(url)

# A second device joins with a grant and receives everything.
second = Device()
second.enter(anna.account, anna.grant_to(second.public))
second.sync(url, fetch=True)
assert second.digest() == anna.digest()
for doc, document in anna.documents.items():
    assert second.documents[doc].read() == document.read(), doc
blocks = second.documents[track].read()["rec"]
(blocks,) = [[session[key] for key in sorted(session)] for session in blocks.values()]
assert unpack(blocks) == recorded

# It loses a document, compares, and receives it again.
del second.documents[drive]
second.sync(url)
assert second.documents[drive].read() == anna.documents[drive].read()

# It publishes the drive; the first device receives the change.
second.document(copy, PUBLISHED).put_all(
    {
        "title": "Pass",
        "car": "Mazda MX-5",
        "visibility": "followers",
        "startedAt": shown[0].fixed_at,
        "b": {f"{index:04}": block for index, block in enumerate(pack([shown], delay=0, version=1))},
    }
)
second.documents[drive].put_all({"published": copy, "renewed": held("renewed", [0, copy]), "visibility": "followers"})
second.sync(url)
anna.sync(url)
assert anna.documents[copy].read() == second.documents[copy].read()



def until(device, path, is_shown=lambda body: True):
    """Repeats a read until the change is visible, which may be shortly after its acknowledgement. [P13]"""
    while True:
        status, value = device.get(url, path)
        if status == 200 and is_shown(value):
            return value
        time.sleep(0.05)


place = f"/v1/drives/{uuid_text(copy)}"
own_drives = until(anna, "/v1/me/drives", lambda page: page["drives"] and page["drives"][0]["published"])
until(anna, place)

# Ben, who does not follow, does not see it; then he follows, and Anna accepts him.
ben = Device()
ben.document(only(ben.account, "profile"), PROFILE).put_all({"handle": "ben"})
ben.sync(url)
not_followed, _ = ben.get(url, place)
ben.document(only(ben.account, "social"), SOCIAL).put(entry("follow", anna.account), now)
digit = f"{copy[15] & 15:x}"
ben.document(only(ben.account, f"social {digit}"), SOCIAL).put_all(
    {entry("react", copy): "road", entry("comment", uuid7()): held("comment", [copy, now, "What a road"])}
)
ben.sync(url)
anna.document(only(anna.account, "social"), SOCIAL).put(entry("accept", ben.account), True)
anna.sync(url)

# A device without a grant is refused.
stranger = Device()
stranger.enter(anna.account, [stranger.public, stranger.key.sign(b"tourismo grant v1" + anna.account)])
try:
    stranger.sync(url)
    refused_with = None
except Ended as ended:
    refused_with = ended.args[0]


print(
    json.dumps(
        {
            "account": uuid_text(anna.account),
            "drive": uuid_text(drive),
            "copy": uuid_text(copy),
            "car": uuid_text(car),
            "track": uuid_text(track),
            "follower": uuid_text(ben.account),
            "startedAt": started_at,
            "blocks": [block.hex() for block in blocks],
            "rows": [[row.fixed_at, row.lat, row.lon, row.speed, row.heading, row.altitude] for row in recorded],
            "shown": [[row.lon / 1e6, row.lat / 1e6] for row in shown],
            "strangerRefusedWith": refused_with,
            "notFollowed": not_followed,
            "withoutToken": read(url, place)[0],
            "ownDrives": own_drives,
            "profile": until(second, "/v1/me/profile", lambda profile: profile["handleState"] == "held"),
            "published": until(ben, place),
            "home": until(ben, "/v1/me/feed", lambda page: page["items"]),
            "comments": until(anna, f"{place}/comments", lambda page: page["comments"]),
            "examples": examples(),
        }
    )
)
