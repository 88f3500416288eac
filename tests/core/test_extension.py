"""The interface for extensions, tried with two that somebody else might write: one turns messages round and
can do so only when they are complete, the other (`support.run_length`) is a run-length coding.
"""

from collections.abc import Sequence
from typing import Any, Final, final

import pytest

from support.run_length import RunLength
from support.wire import BINARY, TEXT, from_peer, read_frames, the_end
from wscore import (
    Codec,
    Config,
    Connection,
    Deflate,
    Event,
    Extension,
    ExtensionOffer,
    Fragment,
    Limits,
    PreparedMessage,
    Role,
    Violation,
)
from wscore._typing import override
from wscore.testing import Pair, drain, repeatable_entropy

MARKED: Final = 0xC0


@final
class Mirror(Extension):
    """Turns round the octets of messages of at most so many, so that each side must hold them all.

    Args:
        longest: of a message; what both can do is agreed on.
    """

    name = "x-mirror"

    def __init__(self, longest: int = 1000) -> None:
        self.longest = longest

    @override
    def offers(self) -> Sequence[ExtensionOffer]:
        """Offer what we can do."""
        return [ExtensionOffer(self.name, (("longest", str(self.longest)),))]

    @override
    def accept(self, offer: ExtensionOffer) -> ExtensionOffer | None:
        """Take the smaller."""
        longest = _longest(offer)
        if longest is None:
            return None
        return ExtensionOffer(self.name, (("longest", str(min(longest, self.longest))),))

    @override
    def codec(self, answer: ExtensionOffer, role: Role) -> "MirrorCodec | None":
        """Make the codec, unless the answer allows more than was offered."""
        longest = _longest(answer)
        return MirrorCodec(longest) if longest is not None and longest <= self.longest else None


def _longest(offer: ExtensionOffer) -> int | None:
    """Read the only parameter."""
    match offer.parameters:
        case (("longest", str(value)),) if value.isascii() and value.isdigit() and len(value) < 6:
            return int(value)
        case _:
            return None


@final
class MirrorCodec(Codec):
    """One connection's share."""

    def __init__(self, longest: int) -> None:
        self.pending = False
        self._longest = longest
        self._out: list[bytes] = []
        self._in = b""

    @override
    def wants(self, size: int, choice: bool | None) -> bool:
        """Turn round what is short enough."""
        return choice is not False and size <= self._longest

    @override
    def encode(self, data: bytes, *, final: bool) -> bytes:
        """Give nothing before the message is complete."""
        self._out.append(data)
        if not final:
            return b""
        whole, self._out = b"".join(self._out), []
        return whole[::-1]

    @override
    def decode(self, data: bytes, limit: int) -> bytes | Violation:
        """Gather."""
        self._in += data
        return self._give(limit) if self.pending else b""

    @override
    def finish(self, limit: int) -> bytes | Violation:
        """Turn round what was gathered."""
        if len(self._in) > self._longest:
            return Violation.COMPRESSED_DATA
        self._in = self._in[::-1]
        return self._give(limit)

    @override
    def end_message(self) -> Violation | None:
        """There is nothing to be done."""
        assert not self._in and not self.pending
        return None

    def _give(self, limit: int) -> bytes:
        given, self._in = self._in[:limit], self._in[limit:]
        self.pending = bool(self._in)
        return given


def pair(
    client: tuple[Extension, ...],
    server: tuple[Extension, ...],
    *,
    limits: Limits | None = None,
    stream: bool = False,
) -> Pair:
    """Return two ends whose handshake is done, without events so far."""
    limits = limits or Limits()
    joined = Pair(
        Config(compression=client, limits=limits, stream=stream),
        Config(compression=server, limits=limits, stream=stream),
    )
    joined.open()
    joined.client_events.clear()
    joined.server_events.clear()
    return joined


def established(
    extension: Extension, answer: str, role: Role = Role.CLIENT, limits: Limits | None = None
) -> Connection:
    """Return an open connection, drained."""
    connection = Connection.established(
        role,
        Config(compression=extension, limits=limits or Limits()),
        extensions=answer,
        now=0.0,
        entropy=repeatable_entropy(),
    )
    drain(connection, 0.0)
    return connection


def receive(connection: Connection, *frames: bytes) -> list[Event]:
    """Let frames arrive."""
    connection.receive_data(b"".join(frames), 0.0)
    return drain(connection, 0.0).events


def marked(payload: bytes, *, opcode: int = BINARY, final: bool = True) -> bytes:
    """Write a server's frame with RSV1."""
    return bytes([(0x80 if final else 0) | 0x40 | opcode, len(payload)]) + payload


def test_an_extension_is_negotiated_with_its_parameters() -> None:
    joined = pair((Mirror(500),), (Mirror(300),))
    assert joined.client.extensions == joined.server.extensions == "x-mirror; longest=300"


def test_of_several_the_clients_first_that_the_server_has_is_used() -> None:
    joined = pair((RunLength(), Mirror(), Deflate()), (Deflate(), Mirror()))
    assert joined.client.extensions == "x-mirror; longest=1000"
    joined = pair((RunLength(), Deflate()), (Mirror(), RunLength()))
    assert joined.server.extensions == "x-run-length"
    joined = pair((RunLength(),), (Mirror(), Deflate()))
    assert joined.server.extensions == joined.client.extensions == ""


@pytest.mark.parametrize("extension", [Mirror(), RunLength()], ids=["mirror", "run-length"])
@pytest.mark.parametrize("stream", [False, True])
def test_messages_of_every_kind_travel_both_ways(extension: Extension, stream: bool) -> None:
    joined = pair((extension,), (extension,), stream=stream)
    long = "long " * 300
    for sender, events in ((joined.client, joined.server_events), (joined.server, joined.client_events)):
        sender.send_text("snow \u2603\u2603")
        sender.send_bytes(b"\x00\x01" * 50)
        sender.send_text("")
        sender.send_text(long)
        sender.send_text("plain", compress=False)
        sender.send_prepared(PreparedMessage("prepared"))
        sender.send_fragment("in ", False)
        sender.send_fragment("three ", False)
        sender.send_fragment("parts", True)
        joined.exchange()
        expected: list[object] = [
            "snow \u2603\u2603",
            b"\x00\x01" * 50,
            "",
            long,
            "plain",
            "prepared",
            "in three parts",
        ]
        if not stream:
            assert events == expected
            continue
        messages: list[object] = []
        parts: list[str | bytes] = []
        for event in events:
            assert isinstance(event, Fragment)
            parts.append(event.data)
            if event.final:
                empty: str | bytes = "" if isinstance(parts[0], str) else b""
                messages.append(empty.join(parts))  # type: ignore[arg-type]
                parts = []
        assert messages == expected


def test_what_travels_is_what_the_codec_made_and_carries_the_mark() -> None:
    server = established(Mirror(10), "x-mirror; longest=10", Role.SERVER)
    server.send_text("abc")
    server.send_bytes(b"longer than ten")
    server.send_text("def", compress=False)
    assert read_frames(drain(server, 0.0).sent) == [
        (MARKED | TEXT, b"cba"),
        (0x80 | BINARY, b"longer than ten"),
        (0x80 | TEXT, b"def"),
    ]


def test_parts_for_which_a_codec_gives_nothing_yet_are_still_frames_of_the_message() -> None:
    server = established(Mirror(), "x-mirror; longest=1000", Role.SERVER)
    client = established(Mirror(), "x-mirror; longest=1000")
    for part in ("ab", "cd", ""):
        server.send_fragment(part, not part)
    sent = drain(server, 0.0).sent
    assert read_frames(sent)[0][0] == 0x40 | TEXT and read_frames(sent)[-1] == (0x80, b"dcba")
    assert receive(client, sent) == ["abcd"]


def test_a_codec_that_holds_everything_back_gives_it_in_steps() -> None:
    client = established(Mirror(99_999), "x-mirror; longest=99999")
    payload = bytes(range(250)) * 400  # more than one step of output
    header = b"\xc2\x7f" + len(payload[:90_000]).to_bytes(8, "big")
    assert receive(client, header, payload[:90_000]) == [payload[:90_000][::-1]]


def test_control_frames_never_carry_the_mark_and_pass_between_parts() -> None:
    client = established(Mirror(), "x-mirror; longest=1000")
    frames = [marked(b"cb", final=False), from_peer(Role.CLIENT, 9, b"ping"), from_peer(Role.CLIENT, 0, b"a")]
    client.receive_data(b"".join(frames), 0.0)
    output = drain(client, 0.0)
    assert output.events == [b"abc"]
    assert read_frames(output.sent) == [(0x8A, b"ping")]


def test_what_a_codec_finds_wrong_ends_the_connection() -> None:
    client = established(Mirror(5), "x-mirror; longest=5")
    closed = the_end(receive(client, marked(b"123456")))
    assert closed.violation is Violation.COMPRESSED_DATA
    assert closed.sent is not None and closed.sent.code == 1007


def test_limits_and_utf8_hold_for_what_was_decoded() -> None:
    limits = Limits(max_message_size=100)
    client = established(RunLength(), "x-run-length", limits=limits)
    assert receive(client, marked(b"\x64x")) == [b"x" * 100]
    closed = the_end(receive(client, marked(b"\x65x")))
    assert closed.violation is Violation.MESSAGE_TOO_BIG
    client = established(Mirror(), "x-mirror; longest=1000")
    assert receive(client, marked(b"\x83\x98\xe2", opcode=TEXT)) == ["\u2603"]
    assert the_end(receive(client, marked(b"\xe2\x98\x83", opcode=TEXT))).violation is Violation.INVALID_UTF8


def test_a_client_fails_on_an_answer_that_the_extension_does_not_allow() -> None:
    joined = pair((Mirror(10),), (Mirror(10),))
    assert joined.client.extensions == "x-mirror; longest=10"
    greedy = Mirror(10)
    client = Connection(
        Role.CLIENT, Config(compression=greedy), now=0.0, entropy=repeatable_entropy(b"the sample nonce")
    )
    client.send_request("ws://localhost/", now=0.0)
    response = (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
        b"Sec-WebSocket-Extensions: x-mirror; longest=11\r\n\r\n"
    )
    assert the_end(receive(client, response)).violation is Violation.EXTENSION_PARAMETERS


def test_codecs_share_nothing_between_connections() -> None:
    extension = RunLength()
    config = Config(compression=extension)
    pairs = [Pair(config, config) for _ in range(3)]
    for joined in pairs:
        joined.open()
    assert len(extension.made) == len(set(map(id, extension.made))) == 6
    pairs[0].client.send_fragment("half a message", False)
    pairs[1].client.send_text("another connection's")
    for joined in pairs:
        joined.exchange()
    assert pairs[1].server_events[-1] == "another connection's"


# What the small interface gives to a codec that says nothing about prepared messages.


def test_a_codec_that_does_not_say_otherwise_encodes_prepared_messages_like_others() -> None:
    codec = MirrorCodec(10)
    assert codec.alone() is None
    codec.sent_alone()  # never called then, and harmless
    with pytest.raises(NotImplementedError):
        codec.encode_alone(b"x")


def test_an_extension_must_be_complete() -> None:
    class Half(Extension):
        name = "x-half"

    class HalfCodec(Codec):
        pass

    kinds: tuple[Any, ...] = (Half, HalfCodec)
    for kind in kinds:
        with pytest.raises(TypeError, match="abstract"):
            kind()
