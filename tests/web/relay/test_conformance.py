"""RFC 6455 frame by frame, against an echo behind the relay; the cases follow the Autobahn suite's sections 1 to 7."""

from __future__ import annotations

import itertools
import struct
from collections.abc import Callable, Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.web.relay.browser import Raw, frame
from tests.web.relay.conftest import LocalHost
from tests.web.relay.echo import Echo

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
SIZES = (0, 1, 125, 126, 127, 128, 65_535, 65_536)
VALID_CODES = (1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999)
INVALID_CODES = (0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999)
VALID_TEXTS = (
    b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5",
    b"\x00",
    b"\x7f",
    b"\xc2\x80",
    b"\xdf\xbf",
    b"\xe0\xa0\x80",
    b"\xed\x9f\xbf",
    b"\xee\x80\x80",
    b"\xef\xbf\xbd",
    b"\xef\xbf\xbe",  # no character, but UTF-8 all the same
    b"\xef\xbf\xbf",
    b"\xf0\x90\x80\x80",
    b"\xf4\x8f\xbf\xbf",
)
INVALID_TEXTS = (
    b"\x80",  # goes on with nothing
    b"\xbf",
    b"\xfe",  # in no UTF-8 at all
    b"\xff",
    b"\xc0\xaf",  # longer than need be
    b"\xc1\xbf",
    b"\xe0\x80\xaf",
    b"\xe0\x9f\xbf",
    b"\xf0\x80\x80\xaf",
    b"\xf0\x8f\xbf\xbf",
    b"\xed\xa0\x80",  # halves of surrogate pairs
    b"\xed\xad\xbf",
    b"\xed\xbf\xbf",
    b"\xed\xa0\x80\xed\xb0\x80",
    b"\xf4\x90\x80\x80",  # beyond U+10FFFF
    b"\xf7\xbf\xbf\xbf",
    b"\xf8\x88\x80\x80\x80",
    b"\xfc\x84\x80\x80\x80\x80",
    b"\xc3",  # cut off
    b"\xe2\x82",
    b"\xf0\x9f\x98",
    b"\xc3(",
    b"\xe2(\xa1",
    b"\xf0(\x8c\xbc",
)


@pytest.fixture
def echo(make_host: Callable[..., LocalHost]) -> LocalHost:
    return make_host(reader=Echo(), message_size=200_000)


@pytest.fixture
def raw(echo: LocalHost) -> Iterator[Raw]:
    with echo.raw() as raw:
        raw.open()
        yield raw


def _reserved(opcode: int, bits: int) -> bytes:
    start, *rest = frame(b"x", opcode)
    return bytes([start | bits << 4, *rest])


def _refused(raw: Raw, code: int) -> bool:
    """Whether nothing but the close comes, and then the end."""
    opcode, payload = raw.frame()
    assert (opcode, payload[:2]) == (CLOSE, struct.pack("!H", code)), (opcode, payload)
    return raw.at_end()


@pytest.mark.parametrize("opcode", [TEXT, BINARY])
@pytest.mark.parametrize("size", SIZES)
def test_a_message_of_any_size_comes_back(raw: Raw, opcode: int, size: int) -> None:
    raw.send(frame(b"*" * size, opcode))

    assert raw.frame() == (opcode, b"*" * size)


def test_a_message_comes_back_that_arrives_byte_by_byte(raw: Raw) -> None:
    for byte in frame(b"*" * 130, BINARY):
        raw.send(bytes([byte]))

    assert raw.frame() == (BINARY, b"*" * 130)


@pytest.mark.parametrize("payload", [b"", b"Hello", b"\x00\xff\xfe\xfd\xfc\xfb\x00\xff", b"\xfe" * 125])
def test_a_ping_is_answered_with_its_payload(raw: Raw, payload: bytes) -> None:
    raw.send(frame(payload, PING))

    assert raw.frame() == (PONG, payload)


def test_pings_are_answered_in_order_and_pongs_not_at_all(raw: Raw) -> None:
    raw.send(frame(b"nobody asked", PONG) + b"".join(frame(b"%d" % number, PING) for number in range(10)))

    assert [raw.frame() for _ in range(10)] == [(PONG, b"%d" % number) for number in range(10)]


@pytest.mark.parametrize("opcode", [PING, PONG, CLOSE])
def test_a_control_frame_over_125_bytes_is_refused(raw: Raw, opcode: int) -> None:
    raw.send(frame(b"\x03\xe8" + b"x" * 124, opcode))

    assert _refused(raw, 1002)


@pytest.mark.parametrize("opcode", [PING, PONG, CLOSE])
def test_a_control_frame_in_fragments_is_refused(raw: Raw, opcode: int) -> None:
    raw.send(frame(b"\x03\xe8", opcode, fin=False) + frame(b"", CONTINUATION))

    assert _refused(raw, 1002)


@pytest.mark.parametrize("opcode", [TEXT, BINARY, CLOSE, PING, PONG])
@pytest.mark.parametrize("bits", [1, 2, 3, 4, 5, 6, 7])
def test_reserved_bits_are_refused(raw: Raw, opcode: int, bits: int) -> None:
    raw.send(frame(b"before", TEXT) + _reserved(opcode, bits))

    assert raw.frame() == (TEXT, b"before")
    assert _refused(raw, 1002)


@pytest.mark.parametrize("opcode", [3, 4, 5, 6, 7, 11, 12, 13, 14, 15])
def test_reserved_opcodes_are_refused(raw: Raw, opcode: int) -> None:
    raw.send(frame(b"before", TEXT) + frame(b"", opcode) + frame(b"after", PING))

    assert raw.frame() == (TEXT, b"before")
    assert _refused(raw, 1002)


@pytest.mark.parametrize("opcode", [TEXT, BINARY])
def test_fragments_with_pings_between_are_one_message(raw: Raw, opcode: int) -> None:
    raw.send(frame(b"one, ", opcode, fin=False) + frame(b"1", PING) + frame(b"", CONTINUATION, fin=False))
    raw.send(frame(b"2", PING) + frame(b"two", CONTINUATION))

    assert [raw.frame() for _ in range(3)] == [(PONG, b"1"), (PONG, b"2"), (opcode, b"one, two")]


def test_a_message_of_empty_fragments_is_empty(raw: Raw) -> None:
    raw.send(frame(b"", TEXT, fin=False) + frame(b"", CONTINUATION, fin=False) + frame(b"", CONTINUATION))

    assert raw.frame() == (TEXT, b"")


@pytest.mark.parametrize("fin", [True, False])
@pytest.mark.parametrize("before", [b"", frame(b"whole", TEXT)])
def test_a_continuation_of_nothing_is_refused(raw: Raw, before: bytes, fin: bool) -> None:
    raw.send(before + frame(b"on", CONTINUATION, fin=fin))

    if before:
        assert raw.frame() == (TEXT, b"whole")
    assert _refused(raw, 1002)


@pytest.mark.parametrize("opcode", [TEXT, BINARY])
def test_a_message_inside_of_another_is_refused(raw: Raw, opcode: int) -> None:
    raw.send(frame(b"begun", TEXT, fin=False) + frame(b"another", opcode))

    assert _refused(raw, 1002)


def test_a_frame_without_mask_is_refused(raw: Raw) -> None:
    raw.send(b"\x81\x05Hello")

    assert _refused(raw, 1002)


@pytest.mark.parametrize(
    "size",
    [b"\xfe\x00\x05", b"\xff" + (5).to_bytes(8, "big"), b"\xff" + (65_535).to_bytes(8, "big"), b"\xff" + b"\xff" * 8],
)
def test_a_size_written_too_long_or_beyond_63_bits_is_refused(raw: Raw, size: bytes) -> None:
    raw.send(b"\x82" + size + b"\0\0\0\0Hello")

    assert _refused(raw, 1002)


@pytest.mark.parametrize("text", VALID_TEXTS)
def test_utf8_comes_back_also_when_each_byte_is_a_fragment(raw: Raw, text: bytes) -> None:
    parts = [frame(bytes([byte]), CONTINUATION, fin=False) for byte in text]
    raw.send(frame(text, TEXT) + frame(b"", TEXT, fin=False) + b"".join(parts) + frame(b"", CONTINUATION))

    assert [raw.frame(), raw.frame()] == [(TEXT, text)] * 2


@pytest.mark.parametrize("text", INVALID_TEXTS)
def test_what_is_no_utf8_is_refused(raw: Raw, text: bytes) -> None:
    raw.send(frame(b"\xce\xba" + text, TEXT))

    assert _refused(raw, 1007)


@pytest.mark.parametrize("text", INVALID_TEXTS)
def test_what_is_no_utf8_is_refused_although_it_comes_in_fragments(raw: Raw, text: bytes) -> None:
    parts = [frame(bytes([byte]), CONTINUATION, fin=False) for byte in text]
    raw.send(frame(b"\xce\xba", TEXT, fin=False) + b"".join(parts) + frame(b"", CONTINUATION))

    assert _refused(raw, 1007)


def test_what_can_become_no_utf8_is_refused_before_the_message_ends(raw: Raw) -> None:
    raw.send(frame(b"\xce\xba\xf4\x90", TEXT, fin=False))

    assert _refused(raw, 1007)


def test_what_can_become_no_utf8_is_refused_before_the_frame_ends(raw: Raw) -> None:
    raw.send(frame(b"\xce\xba\xf4\x90" + b"x" * 100, TEXT)[:20])

    assert _refused(raw, 1007)


def test_binary_need_not_be_utf8(raw: Raw) -> None:
    raw.send(frame(b"\xff\xfe\xed\xa0\x80", BINARY))

    assert raw.frame() == (BINARY, b"\xff\xfe\xed\xa0\x80")


@pytest.mark.parametrize("code", VALID_CODES)
def test_a_close_comes_back_with_its_code(raw: Raw, code: int) -> None:
    raw.send(frame(struct.pack("!H", code) + b"*" * 123, CLOSE))

    assert _refused(raw, code)


def test_a_close_without_a_code_is_answered(raw: Raw) -> None:
    raw.send(frame(b"", CLOSE))

    assert _refused(raw, 1000)


@pytest.mark.parametrize("code", INVALID_CODES)
def test_a_close_with_a_code_that_nobody_may_send_is_refused(raw: Raw, code: int) -> None:
    raw.send(frame(struct.pack("!H", code), CLOSE))

    assert _refused(raw, 1002)


def test_a_close_of_one_byte_is_refused(raw: Raw) -> None:
    raw.send(frame(b"\x03", CLOSE))

    assert _refused(raw, 1002)


def test_a_close_whose_reason_is_no_utf8_is_refused(raw: Raw) -> None:
    raw.send(frame(b"\x03\xe8\xce\xba\xed\xa0\x80", CLOSE))

    assert _refused(raw, 1007)


@pytest.mark.parametrize("after", [frame(b"late", TEXT), frame(b"late", PING), frame(b"\x03\xe8", CLOSE)])
def test_nothing_is_answered_after_a_close(raw: Raw, after: bytes) -> None:
    raw.send(frame(b"begun", TEXT, fin=False) + frame(b"\x03\xe8", CLOSE) + after)

    assert _refused(raw, 1000)


Sent = tuple[int, bytes, int]
SENT = st.one_of(
    st.tuples(st.just(TEXT), st.text(max_size=300).map(str.encode), st.integers(1, 5)),
    st.tuples(st.just(BINARY), st.binary(max_size=300), st.integers(1, 5)),
    st.tuples(st.just(PING), st.binary(max_size=125), st.just(1)),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sent=st.lists(SENT, max_size=20), pieces=st.lists(st.integers(1, 200), min_size=1, max_size=20))
def test_whatever_is_sent_however_it_is_cut_comes_back_in_order(
    echo: LocalHost, sent: list[Sent], pieces: list[int]
) -> None:
    stream = b"".join(part for opcode, payload, count in sent for part in _fragments(opcode, payload, count))
    with echo.raw() as raw:
        raw.open()
        for size in itertools.cycle(pieces):
            raw.send(stream[:size])
            stream = stream[size:]
            if not stream:
                break

        assert [raw.frame() for _ in sent] == [(PONG if opcode == PING else opcode, data) for opcode, data, _ in sent]


def _fragments(opcode: int, payload: bytes, count: int) -> Iterator[bytes]:
    step = len(payload) // count + 1
    parts = [payload[start : start + step] for start in range(0, len(payload), step)] or [b""]
    for number, part in enumerate(parts):
        yield frame(part, opcode if number == 0 else CONTINUATION, fin=number == len(parts) - 1)
