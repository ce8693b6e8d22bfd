"""A client of the sync protocol, written from PROTOCOL.md alone: identity, documents, connection, reads over HTTP."""

from __future__ import annotations

import base64
import hmac
import json
import os
import time
import urllib.error
import urllib.request
import uuid
from hashlib import sha256

import cbor2
from automerge import core
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from websockets.sync.client import connect

SETTINGS, PROFILE, CAR, DRIVE, TRACK, PUBLISHED, SOCIAL, MEET = range(8)
HELLO, CHALLENGE, PROOF, WELCOME, CATCH_UP, ENTRIES, PUSH, CAUGHT_UP, FETCH, ACK, COMPARE, NACK = range(12)
FETCHED, DIFFERENCES, PONG, PING, BYE = 13, 15, 28, 29, 30

MAX_CHANGES, MAX_BYTES = 1000, 256 << 10
"""The number of bytes in one push of this client."""


def uuid8(data: bytes) -> bytes:
    """The first 16 bytes as a UUID with version 8 and the variant of RFC 9562."""
    data = bytearray(data[:16])
    data[6] = data[6] & 0x0F | 0x80
    data[8] = data[8] & 0x3F | 0x80
    return bytes(data)


def uuid7() -> bytes:
    data = bytearray(int(time.time() * 1000).to_bytes(6, "big") + os.urandom(10))
    data[6] = data[6] & 0x0F | 0x70
    data[8] = data[8] & 0x3F | 0x80
    return bytes(data)


def only(account: bytes, name: str) -> bytes:
    """The id of a document of a kind of which an account has only one."""
    return uuid8(sha256(b"tourismo only " + name.encode() + account).digest())


def bound(account: bytes, part: bytes) -> bytes:
    """[B1]"""
    return uuid8(part + sha256(b"tourismo bound id v1" + account + part).digest())


def copy_of(account: bytes, drive: bytes, renewals: int = 0) -> bytes:
    """The id of the published copy of a drive. [B2]"""
    digest = sha256(b"tourismo published copy v1" + drive + renewals.to_bytes(4, "big")).digest()
    return bound(account, digest[:6])


def join_check(account: bytes, device: bytes, granted_by: bytes) -> str:
    """The digits that two people compare. [H8]"""
    digest = sha256(b"tourismo join check v1" + account + device + granted_by).digest()
    return f"{int.from_bytes(digest[:5], 'big') % 10**12:012}"


CLAIMS = ("grant", "enrol", "revoke", "object")


def statement(account: bytes, claim: str, subject: bytes, by, accepts=None, keeps: list[bytes] = []) -> tuple[list, bytes]:
    """A membership statement and its identifier. [G1] `by` signs, `accepts` is the recovery key that is enrolled."""
    keeps = sorted(keeps)
    signed = b"tourismo " + claim.encode() + b" v1" + account + subject + b"".join(keeps)
    fields: list = [CLAIMS.index(claim)]
    if claim == "enrol":
        fields.append(accepts.sign(b"tourismo accept v1" + account + subject))
    if claim == "revoke":
        fields.append(keeps)
    signer = by.public_key().public_bytes_raw()
    return [fields, subject, signer, by.sign(signed)], sha256(signed + signer).digest()


def membership_digest(identifiers: list[bytes]) -> bytes:
    """[G5]"""
    return sha256(b"tourismo membership v1" + b"".join(sorted(identifiers))).digest()[:16] if identifiers else bytes(16)


def recovery_key(secret: bytes) -> Ed25519PrivateKey:
    """The recovery key of the entropy of twelve words. [G7]"""
    extracted = hmac.digest(bytes(32), secret, "sha256")
    return Ed25519PrivateKey.from_private_bytes(hmac.digest(extracted, b"tourismo recovery words v1\x01", "sha256"))


def entry(what: str, thing: bytes) -> str:
    return f"{what} {uuid.UUID(bytes=thing)}"


class Document:
    """An Automerge document, changed by one actor of this device and by the changes that the relay sends."""

    def __init__(self, doc: bytes, kind: int, device: bytes):
        self.id, self.kind = doc, kind
        # Eight bytes of the device, and random ones for each document. [P10] [P12]
        self.automerge = core.Document(sha256(device).digest()[:8] + os.urandom(8))
        self.acknowledged: set[bytes] = set()
        self.deps_of: dict[bytes, list[bytes]] = {}

    def heads_at_relay(self) -> list[bytes]:
        below = {dep for hash in self.acknowledged for dep in self.deps_of[hash]}
        return sorted(self.acknowledged - below)

    def changes(self) -> list:
        return self.automerge.get_changes([])

    def unsent(self) -> list:
        return [change for change in self.changes() if change.hash not in self.acknowledged]

    def note(self) -> None:
        self.deps_of.update({change.hash: change.deps for change in self.changes()})

    def take_in(self, chunks: list[bytes]) -> None:
        """Applies changes and snapshots from the relay, which count as acknowledged."""
        own = {change.hash for change in self.unsent()}
        actor = self.automerge.get_actor()
        self.automerge = core.Document.load(b"".join([self.automerge.save(), *chunks]))
        self.automerge.set_actor(actor)
        self.note()
        self.acknowledged |= self.deps_of.keys() - own

    def put(self, *path_and_value, kind=None) -> None:
        """Sets the value at a path of keys in one change, and creates missing maps."""
        *path, key, value = path_and_value
        with self.automerge.transaction() as change:
            self.put_in(change, core.ROOT, [*path, key], value, kind)
        self.note()

    def put_all(self, values: dict) -> None:
        """Sets many values of the root in one change: bytes, texts, integers, booleans and maps of them."""
        with self.automerge.transaction() as change:
            for key, value in values.items():
                self.put_in(change, core.ROOT, [key], value)
        self.note()

    def put_in(self, change, place, path, value, kind=None) -> None:
        *path, key = path
        for step in path:
            found = change.get(place, step)
            place = found[1] if found else change.put_object(place, step, core.ObjType.Map)
        if isinstance(value, Text):
            text = change.put_object(place, key, core.ObjType.Text)
            for index, character in enumerate(value):
                change.insert(text, index, core.ScalarType.Str, character)
        elif isinstance(value, dict):
            made = change.put_object(place, key, core.ObjType.Map)
            for inner, inner_value in value.items():
                self.put_in(change, made, [inner], inner_value)
        else:
            change.put(place, key, SCALARS[type(value)], value)

    def read(self, place=core.ROOT):
        """The document as Python values."""
        out = {}
        for key in self.automerge.keys(place):
            value, child = self.automerge.get(place, key)
            if value == core.ObjType.Map:
                out[key] = self.read(child)
            elif value == core.ObjType.Text:
                out[key] = self.automerge.text(child)
            else:
                # This package returns bytes as a list of numbers.
                out[key] = bytes(value[1]) if value[0] == core.ScalarType.Bytes else value[1]
        return out


class Text(str):
    """A text as an Automerge `Text`, so that edits of several devices merge."""


SCALARS = {
    bytes: core.ScalarType.Bytes,
    str: core.ScalarType.Str,
    int: core.ScalarType.Int,
    bool: core.ScalarType.Boolean,
}


class Device:
    """A device of an account with its documents."""

    def __init__(self, seed: bytes | None = None):
        self.key = Ed25519PrivateKey.from_private_bytes(seed or os.urandom(32))
        self.public = self.key.public_key().public_bytes_raw()
        self.account = uuid8(sha256(b"tourismo account" + self.public).digest())
        self.grant = None
        self.documents: dict[bytes, Document] = {}
        self.epoch, self.cursor, self.relay = None, 0, None

    def grant_to(self, device: bytes) -> list[bytes]:
        """Signs a grant for a device. [H5]"""
        return [self.public, self.key.sign(b"tourismo grant v1" + self.account + device)]

    def proof(self, relay: bytes, nonce: bytes, origin: str) -> bytes:
        """[H3]"""
        told = relay + nonce + self.account + self.public + origin.encode()
        return self.key.sign(b"tourismo proof v2" + told)

    def enter(self, account: bytes, grant: list[bytes]) -> None:
        self.account, self.grant = account, grant

    def document(self, doc: bytes, kind: int) -> Document:
        if doc not in self.documents:
            self.documents[doc] = Document(doc, kind, self.public)
        return self.documents[doc]

    def digest(self) -> bytes:
        total = 0
        for document in self.documents.values():
            if heads := document.heads_at_relay():
                data = b"tourismo doc heads" + document.id + b"".join(heads)
                total += int.from_bytes(sha256(data).digest(), "little")
        return (total % 2**256).to_bytes(32, "little")

    def sync(self, url: str, fetch: bool = False) -> None:
        """Connects, catches up, fetches the tracks if requested, pushes everything, and disconnects."""
        with Connection(url, self) as connection:
            connection.handshake()
            connection.catch_up()
            if fetch:
                for document in [document for document in self.documents.values() if document.kind == TRACK]:
                    connection.fetch(document)
            connection.push()

    def token(self, origin: str, expires_at: int) -> str:
        """A read token. [R1]"""
        expiry = expires_at.to_bytes(8, "big")
        told = self.account + self.public + expiry
        signed = b"tourismo read v2" + self.relay + told + origin.encode()
        token = told + self.key.sign(signed) + origin.encode()
        return base64.urlsafe_b64encode(token).rstrip(b"=").decode()

    def get(self, url: str, path: str):
        """Reads as this account: the status and the body."""
        # The relay's clock counts; its time is known from the last connection. [R2]
        token = self.token(url, self.relay_clock + 3_600_000)
        return read(url, path, {"Authorization": f"Bearer {token}"})


def read(url: str, path: str, headers: dict | None = None):
    try:
        with urllib.request.urlopen(urllib.request.Request(url + path, headers=headers or {})) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as refusal:
        return refusal.code, json.load(refusal)


class Ended(Exception):
    """The relay ended the connection with this code."""


class Connection:
    check = staticmethod(lambda _message: None)
    """Called with every message in both directions."""

    def __init__(self, url: str, device: Device):
        self.origin, self.device = url, device
        self.socket = connect(url.replace("http", "ws", 1) + "/v1/sync", max_size=1 << 20)

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *_) -> None:
        self.socket.close()

    def say(self, *message) -> None:
        data = cbor2.dumps(message)
        self.check(data)
        self.socket.send(data)

    def hear(self, *tags: int) -> list:
        while True:
            data = self.socket.recv(timeout=30)
            self.check(data)
            message = cbor2.loads(data)
            if message[0] == PING:
                self.say(PONG)
            elif message[0] == BYE:
                raise Ended(message[1])
            elif message[0] in tags:
                return message
            else:
                raise ValueError(f"{message} is not allowed at this point")

    def handshake(self) -> None:
        device = self.device
        self.say(HELLO, [2], device.account, device.public)
        _, protocol, device.relay, nonce = self.hear(CHALLENGE)
        assert protocol == 2
        self.say(PROOF, device.proof(device.relay, nonce, self.origin), device.grant, self.origin)
        _, epoch, head, _, _, device.relay_clock = self.hear(WELCOME)
        if device.epoch != epoch:
            device.epoch, device.cursor = epoch, head if device.cursor else 0

    def catch_up(self) -> None:
        device = self.device
        self.say(CATCH_UP, device.cursor, device.digest())
        while True:
            message = self.hear(ENTRIES, CAUGHT_UP)
            if message[0] == CAUGHT_UP:
                _, device.cursor, digest = message
                if digest != device.digest():
                    self.compare()
                    assert digest == device.digest(), "a comparison leaves no difference"
                return
            self.take_in(message)

    def take_in(self, entries: list) -> None:
        _, entries, self.device.cursor = entries
        for doc, kind, _received_at, (body, *fields) in entries:
            document = self.device.document(doc, kind)
            if body in (0, 2):
                document.take_in(fields[-1:])
            elif body == 1:
                hash, deps, _bytes = fields
                document.deps_of[hash] = deps
                document.acknowledged.add(hash)
            else:
                heads, _changes, _bytes = fields
                document.deps_of.update({head: [] for head in heads})
                document.acknowledged.update(heads)

    def compare(self) -> None:
        """Compares all documents, and fetches those that differ. [D1] [D2]"""
        documents = self.device.documents
        # The heads of a document with unacknowledged changes are empty.
        told = [[doc, [] if documents[doc].unsent() else documents[doc].heads_at_relay()] for doc in sorted(documents)]
        self.say(COMPARE, bytes(16), b"\xff" * 16, [[doc, heads] for doc, heads in told if heads])
        differing, is_last = {}, False
        while not is_last:
            _, page, is_last = self.hear(DIFFERENCES)
            for doc, kind, _heads, hashes in page:
                differing.setdefault(doc, (kind, set()))[1].update(hashes)
        for doc, (kind, hashes) in differing.items():
            if kind is None:
                documents[doc].acknowledged = set()
            else:
                document = self.device.document(doc, kind)
                self.fetch(document)
                document.acknowledged = hashes

    def fetch(self, document: Document) -> None:
        self.say(FETCH, document.id)
        chunks, goes_on, is_last = [], False, False
        while not is_last:
            _, doc, page, is_last, next_goes_on = self.hear(FETCHED)
            assert doc == document.id
            if goes_on:
                chunks[-1] += page.pop(0)
            chunks += page
            goes_on = next_goes_on
        document.take_in(chunks)

    def push(self) -> None:
        """Pushes the unacknowledged changes in batches, and waits until all are acknowledged. [P1] [P2] [P3]"""
        documents = self.device.documents.values()
        waiting = [(document, change) for document in documents for change in document.unsent()]
        page: dict[bytes, tuple[Document, list]] = {}
        size = 0
        for document, change in waiting:
            if page and (len(page) == MAX_CHANGES or size + len(change.raw_bytes) > MAX_BYTES):
                self.push_page(page)
                page, size = {}, 0
            page[change.hash] = document, [document.id, document.kind, change.raw_bytes]
            size += len(change.raw_bytes)
        if page:
            self.push_page(page)

    def push_page(self, page: dict) -> None:
        self.say(PUSH, [offer for _, offer in page.values()])
        while page:
            message = self.hear(ACK, NACK, ENTRIES)
            if message[0] == ENTRIES:
                self.take_in(message)
            elif message[0] == NACK:
                raise ValueError(f"change {message[1]} of push {message[2]} was refused with code {message[3]}")
            else:
                _, hashes, self.device.cursor = message
                for hash in hashes:
                    page.pop(hash)[0].acknowledged.add(hash)
