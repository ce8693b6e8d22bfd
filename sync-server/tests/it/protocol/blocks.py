"""Encodes fixes into the blocks of a track and decodes them, as described in "Blocks" of PROTOCOL.md."""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """A fix in integer units: milliseconds, micro-degrees, 0.1 m/s, degrees, 0.1 m and metres."""

    fixed_at: int
    lat: int
    lon: int
    speed: int | None = None
    heading: int | None = None
    altitude: int | None = None
    accuracy: int | None = None
    altitude_accuracy: int | None = None


class Probability:
    def __init__(self, of_true: int = 1 << 15, weight: int = 0):
        self.of_true, self.weight = of_true, weight

    def share(self, width: int) -> int:
        return (width >> 12) * max(self.of_true >> 4, 1)

    def observe(self, bit: bool) -> None:
        step = (2 << 16) // (2 * self.weight + 3)
        if bit:
            self.of_true += ((0xFFFF - self.of_true) * step) >> 16
        else:
            self.of_true -= (self.of_true * step) >> 16
        self.weight = min(self.weight + 1, 63)


class Encoder:
    def __init__(self):
        self.out, self.low, self.width = bytearray(), 0, 0xFFFFFFFF

    def raise_low(self, by: int) -> None:
        self.low += by
        if self.low >> 32:
            self.low &= 0xFFFFFFFF
            at = len(self.out) - 1
            while self.out[at] == 0xFF:
                self.out[at] = 0
                at -= 1
            self.out[at] += 1

    def refill(self) -> None:
        while self.width < 1 << 24:
            self.out.append(self.low >> 24)
            self.low = (self.low << 8) & 0xFFFFFFFF
            self.width = (self.width << 8) & 0xFFFFFFFF

    def code(self, probability: Probability, bit: bool) -> bool:
        share = probability.share(self.width)
        if bit:
            self.width = share
        else:
            self.raise_low(share)
            self.width -= share
        probability.observe(bit)
        self.refill()
        return bit

    def plain(self, value: int, bits: int) -> int:
        for index in reversed(range(bits)):
            self.width >>= 1
            if value >> index & 1:
                self.raise_low(self.width)
            self.refill()
        return value

    def finish(self) -> bytes:
        if self.low:
            self.raise_low(-self.low % (1 << 24))
            self.out.append(self.low >> 24)
        return bytes(self.out)


class Decoder:
    def __init__(self, data: bytes):
        self.data, self.read, self.offset, self.width = data, 0, 0, 0xFFFFFFFF
        for _ in range(4):
            self.next_byte()

    def next_byte(self) -> None:
        byte = self.data[self.read] if self.read < len(self.data) else 0
        self.read += 1
        self.offset = self.offset << 8 | byte

    def refill(self) -> None:
        while self.width < 1 << 24:
            self.next_byte()
            self.width <<= 8

    def code(self, probability: Probability, _bit: bool) -> bool:
        share = probability.share(self.width)
        bit = self.offset < share
        if bit:
            self.width = share
        else:
            self.offset -= share
            self.width -= share
        probability.observe(bit)
        self.refill()
        return bit

    def plain(self, _value: int, bits: int) -> int:
        value = 0
        for _ in range(bits):
            self.width >>= 1
            bit = self.offset >= self.width
            if bit:
                self.offset -= self.width
            value = value << 1 | bit
            self.refill()
        return value


def half_octave(value: int) -> int:
    if value < 2:
        return value
    octave = value.bit_length() - 1
    return 2 * octave + (value >> (octave - 1) & 1)


def longer_than(context: int) -> list[Probability]:
    if context < 2:
        mean_x16 = 1 + 2 * context
    else:
        mean_x16 = ((5 + 2 * (context % 2)) << (context // 2)) // 2
    ratio = (mean_x16 << 16) // (mean_x16 + 16)
    row = []
    for length in range(16):
        row.append(Probability(max(ratio, 1 << 13), 6))
        if length > 0:
            ratio = (ratio * ratio) >> 16
    return row


class Residual:
    """The adaptive model of one kind of signed number."""

    def __init__(self, mean: int):
        self.mean = mean << 6
        self.is_longer = [longer_than(context) for context in range(24)]
        self.is_negative = [Probability() for _ in range(3)]
        self.below_leading = [[Probability(3 << 13, 4) for _ in range(3)] for _ in range(16)]
        self.last_sign = 0

    def code(self, coder, residual: int) -> int:
        magnitude = abs(residual)
        is_longer = self.is_longer[min(half_octave(self.mean >> 3), 23)]
        length = 0
        while length < 16 and coder.code(is_longer[length], magnitude.bit_length() > length):
            length += 1
        coded = self.magnitude(coder, magnitude, length) if length else 0
        negative = coded != 0 and coder.code(self.is_negative[self.last_sign], residual < 0)
        self.last_sign = 0 if coded == 0 else 2 if negative else 1
        seen = min(coded << 6, 4 * self.mean + 512)
        self.mean += (seen >> 2) - (self.mean >> 2)
        return -coded if negative else coded

    def magnitude(self, coder, magnitude: int, length: int) -> int:
        if length == 16:
            bits = min(max(coder.plain(magnitude.bit_length(), 6), 1), 44)
            return 1 << (bits - 1) | coder.plain(magnitude & ((1 << (bits - 1)) - 1), bits - 1)
        models, coded, below = self.below_leading[length], 1, length - 1
        for place in list(reversed(range(below)))[:2]:
            model = models[coded - 1]
            coded = coded << 1 | coder.code(model, magnitude >> place & 1 == 1)
        rest = max(below - 2, 0)
        return coded << rest | coder.plain(magnitude & ((1 << rest) - 1), rest)


def wrapped(value: int, span: int) -> int:
    return (value + span // 2) % span - span // 2


def in_range(coder, value: int, least: int, most: int) -> int:
    return coder.plain(value - least, (most - least).bit_length()) + least


def three_quarters(change: int) -> int:
    """Rounded towards zero."""
    return change * 3 // 4 if change >= 0 else -(-change * 3 // 4)


class Optional:
    """The model of an optional value of a fix."""

    def __init__(self, least: int, most: int, mean: int, span: int | None = None):
        self.least, self.most, self.span = least, most, span
        self.is_present = [Probability(), Probability()]
        self.was_present, self.last, self.change = True, 0, None
        self.residual = Residual(mean)

    def nearest(self, change: int) -> int:
        return wrapped(change, self.span) if self.span else change

    def code(self, coder, value: int | None) -> int | None:
        self.was_present = coder.code(self.is_present[self.was_present], value is not None)
        if not self.was_present:
            return None
        value = value or 0
        if self.change is None:
            self.change = 0
            value = in_range(coder, value, self.least, self.most)
        else:
            predicted = self.last + three_quarters(self.change)
            value = predicted + self.residual.code(coder, self.nearest(value - predicted))
            value = value % self.span if self.span else value
            self.change = self.nearest(value - self.last)
        self.last = value
        return value


TURN = 360_000_001


class PredictorV1:
    """The coder of rows in version 1."""

    def __init__(self):
        self.row: Row | None = None
        self.steps, self.intervals, self.row_speed = (0, 0), [1000] * 3, 0
        self.interval, self.latitude, self.longitude = Residual(0), Residual(8), Residual(8)
        self.speed = Optional(0, 10_000, 3)
        self.heading = Optional(0, 359, 2, span=360)
        self.altitude = Optional(-200_000, 200_000, 3)
        self.accuracy = Optional(0, 1_000_000, 1)
        self.altitude_accuracy = Optional(0, 1_000_000, 1)
        self.delay, self.last_delay = Residual(32), 0

    def code_delay(self, coder, delay: int) -> int:
        self.last_delay += self.delay.code(coder, delay - self.last_delay)
        return self.last_delay

    def scaled(self, step: int, interval: int, speed: int) -> int:
        way = min(max(interval, 0), 1 << 20) * (speed + 10)
        last_way = min(max(self.intervals[0], 1), 1 << 20) * (self.row_speed + 10)
        return (step * way + last_way // 2) // last_way

    def code(self, coder, row: Row) -> Row:
        speed = self.speed.code(coder, row.speed)
        heading = self.heading.code(coder, row.heading)
        last = self.row
        if last is None:
            fixed_at = coder.plain(row.fixed_at, 43)
            lat = in_range(coder, row.lat, -90_000_000, 90_000_000)
            lon = in_range(coder, row.lon, -180_000_000, 180_000_000)
        else:
            usual = sorted(self.intervals)[1]
            interval = usual + self.interval.code(coder, row.fixed_at - last.fixed_at - usual)
            known = min(max(self.speed.last, 0), 10_000)
            predicted = min(max(last.lat + self.scaled(self.steps[0], interval, known), -90_000_000), 90_000_000)
            lat = predicted + self.latitude.code(coder, row.lat - predicted)
            predicted = last.lon + self.scaled(self.steps[1], interval, known)
            lon = wrapped(predicted + self.longitude.code(coder, wrapped(row.lon - predicted, TURN)), TURN)
            fixed_at = last.fixed_at + interval
            self.steps = (lat - last.lat, wrapped(lon - last.lon, TURN))
            self.intervals = [interval, *self.intervals[:2]]
        altitude = self.altitude.code(coder, row.altitude)
        accuracy = self.accuracy.code(coder, row.accuracy)
        altitude_accuracy = self.altitude_accuracy.code(coder, row.altitude_accuracy)
        self.row = Row(fixed_at, lat, lon, speed, heading, altitude, accuracy, altitude_accuracy)
        self.row_speed = self.speed.last
        return self.row


class Grid:
    """A residual model of a value that a recorder may round to tens."""

    def __init__(self, mean: int):
        self.count, self.is_on_grid, self.last = 0, Probability(0xF000, 4), 0
        self.fine, self.coarse = Residual(mean), Residual(1)

    def code_near(self, coder, value: int, predicted: int) -> int:
        if self.count == 6 and coder.code(self.is_on_grid, value % 10 == 0):
            predicted = (predicted + 5) // 10
            value = (predicted + self.coarse.code(coder, value // 10 - predicted)) * 10
        else:
            value = predicted + self.fine.code(coder, value - predicted)
        if value % 10:
            self.count = 0
        elif value != self.last:
            self.count = min(self.count + 1, 6)
        self.last = value
        return value


class Plain(Residual):
    def code_near(self, coder, value: int, predicted: int) -> int:
        return predicted + self.code(coder, value - predicted)


class Column:
    """A value that is predicted from the last one plus three quarters of its last change."""

    def __init__(self, least: int, most: int, model, span: int | None = None):
        self.least, self.most, self.model, self.span = least, most, model, span
        self.last, self.change = 0, None

    def nearest(self, change: int) -> int:
        return wrapped(change, self.span) if self.span else change

    def code(self, coder, value: int | None) -> int:
        value = value or 0
        if self.change is None:
            self.change = 0
            self.last = in_range(coder, value, self.least, self.most)
            return self.last
        predicted = self.last + three_quarters(self.change)
        value = self.model.code_near(coder, predicted + self.nearest(value - predicted), predicted)
        value = value % self.span if self.span else value
        self.change, self.last = self.nearest(value - self.last), value
        return value


class FewValues:
    """A field with few distinct values, such as an accuracy."""

    def __init__(self):
        self.seen: list[int] = []
        self.is_farther = [[Probability() for _ in range(8)] for _ in range(4)]
        self.last_place, self.residual = 0, Residual(2)

    def code(self, coder, value: int | None) -> int:
        value = value or 0
        if not self.seen:
            self.seen = [in_range(coder, value, 0, 1_000_000)]
            return self.seen[0]
        place = self.seen.index(value) if value in self.seen else 8
        coded = 0
        while coded < len(self.seen) and coder.code(self.is_farther[self.last_place][coded], place > coded):
            coded += 1
        if coded < len(self.seen):
            self.last_place = min(coded, 2)
            value = self.seen.pop(coded)
        else:
            self.last_place = coded if coded < 2 else 3
            value = self.seen[0] + self.residual.code(coder, value - self.seen[0])
        self.seen = [value, *self.seen][:8]
        return value


class Rhythm:
    """The times between rows."""

    def __init__(self):
        self.intervals, self.were_whole = [1000] * 3, 3
        self.is_whole = [Probability() for _ in range(4)]
        self.is_longer = [Probability(1 << 12, 2) for _ in range(7)]
        self.seconds, self.millis = Residual(0), Residual(4)

    def code(self, coder, interval: int) -> int:
        usual = max(sorted(self.intervals)[1], 1)
        is_whole = coder.code(self.is_whole[self.were_whole], interval % 1000 == 0)
        self.were_whole = (self.were_whole << 1 | is_whole) & 3
        if is_whole:
            seconds = (usual + 500) // 1000
            interval = (seconds + self.seconds.code(coder, interval // 1000 - seconds)) * 1000
        else:
            beats, wanted = 1, (interval + usual // 2) // usual
            while beats < 8 and coder.code(self.is_longer[beats - 1], wanted > beats):
                beats += 1
            interval = beats * usual + self.millis.code(coder, interval - beats * usual)
        self.intervals = [interval, *self.intervals[:2]]
        return interval


def cosine(degrees: int) -> int:
    return math.floor(16_384 * math.cos(math.radians(degrees)) + 0.5) if degrees % 180 != 90 else 0


def towards_zero(value: int, by: int) -> int:
    return value // by if value >= 0 else -(-value // by)


class PredictorV2:
    """The coder of rows in version 2."""

    def __init__(self):
        self.row: Row | None = None
        self.is_same, self.were_present = Probability(), [True] * 5
        self.is_present = [[Probability(), Probability()] for _ in range(5)]
        self.rhythm, self.latitude, self.longitude = Rhythm(), Grid(8), Grid(8)
        self.speed = Column(0, 10_000, Plain(3))
        self.heading = Column(0, 359, Plain(2), span=360)
        self.altitude = Column(-200_000, 200_000, Grid(3))
        self.accuracy, self.altitude_accuracy = FewValues(), FewValues()
        self.step, self.step_ms, self.known_speed, self.errors = (0, 0), 1000, 0, [0, 0, 0]
        self.delay, self.last_delay = Residual(32), 0

    code_delay = PredictorV1.code_delay

    def presence(self, coder, row: Row) -> list[bool]:
        values = [row.speed, row.heading, row.altitude, row.accuracy, row.altitude_accuracy]
        wanted = [value is not None for value in values]
        if not coder.code(self.is_same, wanted == self.were_present):
            pairs = zip(self.is_present, self.were_present, wanted)
            self.were_present = [coder.code(models[was], now) for models, was, now in pairs]
        return self.were_present

    def scaled(self, step: int, interval: int, speed: int) -> int:
        way = min(max(interval, 0), 1 << 20) * (speed + 10)
        last_way = min(max(self.step_ms, 1), 1 << 20) * (self.known_speed + 10)
        return (step * way + last_way // 2) // last_way

    def reckoned(self, interval: int, speed: int, heading: int) -> tuple[int, int]:
        last = self.row
        velocities = [(speed, heading), (speed, heading)]
        if last.speed is not None and last.heading is not None:
            velocities[0] = last.speed, last.heading
        north = sum(speed * cosine(heading) for speed, heading in velocities)
        east = sum(speed * cosine(heading - 90) for speed, heading in velocities)
        interval = min(max(interval, 0), 1 << 20)
        parallel = max(cosine(towards_zero(last.lat, 1_000_000)), 128)
        return towards_zero(north * interval, 2224 << 14), towards_zero(east * interval, 2224 * parallel)

    def code(self, coder, row: Row) -> Row:
        has_speed, has_heading, has_altitude, has_accuracy, has_altitude_accuracy = self.presence(coder, row)
        speed = self.speed.code(coder, row.speed) if has_speed else None
        heading = self.heading.code(coder, row.heading) if has_heading else None
        last = self.row
        if last is None:
            fixed_at = coder.plain(row.fixed_at, 43)
            lat = in_range(coder, row.lat, -90_000_000, 90_000_000)
            lon = in_range(coder, row.lon, -180_000_000, 180_000_000)
        else:
            interval = self.rhythm.code(coder, row.fixed_at - last.fixed_at)
            fixed_at = last.fixed_at + interval
            known = self.known_speed if speed is None else speed
            again = self.scaled(self.step[0], interval, known), self.scaled(self.step[1], interval, known)
            ways = [again] * 3
            best = 0
            if has_speed and has_heading:
                reckoned = self.reckoned(interval, speed, heading)
                mean = tuple(a + towards_zero(r - a, 2) for a, r in zip(again, reckoned))
                ways = [again, reckoned, mean]
                of_again, of_reckoned, of_mean = self.errors
                if not (of_again <= of_mean and of_again <= of_reckoned):
                    best = 1 if of_reckoned < of_mean else 2
            predicted = min(max(last.lat + ways[best][0], -90_000_000), 90_000_000)
            lat = self.latitude.code_near(coder, row.lat, predicted)
            predicted = wrapped(last.lon + ways[best][1], TURN)
            nearest = predicted + wrapped(row.lon - predicted, TURN)
            lon = wrapped(self.longitude.code_near(coder, nearest, predicted), TURN)
            self.step, self.step_ms = (lat - last.lat, wrapped(lon - last.lon, TURN)), interval
            if has_speed and has_heading:
                for index, way in enumerate(ways):
                    missed = min(abs(self.step[0] - way[0]) + abs(self.step[1] - way[1]), 1 << 16)
                    self.errors[index] += missed - (self.errors[index] >> 4)
        if has_speed:
            self.known_speed = speed
        altitude = self.altitude.code(coder, row.altitude) if has_altitude else None
        accuracy = self.accuracy.code(coder, row.accuracy) if has_accuracy else None
        altitude_accuracy = None
        if has_altitude_accuracy:
            altitude_accuracy = self.altitude_accuracy.code(coder, row.altitude_accuracy)
        self.row = Row(fixed_at, lat, lon, speed, heading, altitude, accuracy, altitude_accuracy)
        return self.row


PREDICTORS = {1: PredictorV1, 2: PredictorV2}
BLOCKS_PER_KEY = {1: 10, 2: 16}


def varint(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def pack(chunks: list[list[Row]], delay: int, version: int) -> list[bytes]:
    """The blocks of one recorder session, one for each list of consecutive fixes."""
    blocks: list[bytes] = []
    for index, rows in enumerate(chunks):
        position = index % BLOCKS_PER_KEY[version]
        if position == 0:
            predictor = PREDICTORS[version]()
        block = bytes([version << 4 | position])
        if position > 0:
            block += (zlib.crc32(blocks[-1]) & 0xFFFF).to_bytes(2, "little")
        block += varint(len(rows) << 1)
        coder = Encoder()
        if rows:
            predictor.code_delay(coder, delay)
            for row in rows:
                predictor.code(coder, row)
        block += coder.finish()
        blocks.append(block.ljust(-(-len(rows) // 8), b"\0"))
    return blocks


def unpack(blocks: list[bytes]) -> list[Row]:
    """The fixes of blocks without side streams."""
    rows: list[Row] = []
    before = b""
    for block in blocks:
        position, at = block[0] & 15, 1
        if position == 0:
            predictor = PREDICTORS[block[0] >> 4]()
        else:
            assert int.from_bytes(block[1:3], "little") == zlib.crc32(before) & 0xFFFF, "a block is missing"
            at = 3
        count = shift = 0
        while True:
            byte = block[at]
            count |= (byte & 0x7F) << shift
            at, shift = at + 1, shift + 7
            if byte < 0x80:
                break
        assert count & 1 == 0, "this block has a side stream"
        coder = Decoder(block[at:])
        if count:
            predictor.code_delay(coder, 0)
            rows += [predictor.code(coder, Row(0, 0, 0)) for _ in range(count >> 1)]
        before = block
    return rows
