"""Rows 18, 31 to 35 and 63: what compression agrees on, and the contexts that follow from it."""

import random
import zlib

import pytest

from support.attacks import broken, received
from support.deflated import (
    RSV1,
    TAIL,
    WatchedZlib,
    deflate,
    deflating,
    fragments,
    inflate,
    marked,
)
from support.wire import (
    BINARY,
    CLOSE,
    REQUEST,
    RESPONSE,
    TEXT,
    connecting,
    from_peer,
    read_frames,
    status,
    the_end,
)
from wscore import (
    Closed,
    Config,
    Connection,
    Deflate,
    Limits,
    LocalProtocolError,
    Opened,
    RequestReceived,
    Role,
    State,
    Violation,
    WriteBufferFull,
)
from wscore.testing import drain

ROLES = list(Role)


@pytest.mark.parametrize("role", ROLES)
def test_row_18_contexts_are_made_when_they_are_needed(role: Role) -> None:
    """Cause: each connection had both contexts from its start. Correct: none before the first message."""
    watched = WatchedZlib()
    config = Config(compression=Deflate(zlib=watched))
    watched.settings.clear()
    connection = deflating(role, config)
    assert (watched.living, watched.settings) == (0, [])
    received(connection, from_peer(role, TEXT, b"plain"))
    connection.send_text("short")
    assert (watched.living, watched.settings) == (0, [])
    received(connection, marked(role, deflate(b"compressed")))
    assert watched.living == 1
    connection.send_text("long" * 100)
    assert watched.living == 2
    # zlib's words: no more than 2**bits to receive, and to send 2**(bits + 2) and 2**(memory + 9).
    (receiving, (_, _, sending, memory)) = watched.settings
    assert -receiving[0] <= 15 and -sending <= 12 and memory <= 5


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("end", ["close", "lost", "violation"])
def test_row_18_contexts_are_freed_with_the_connection(role: Role, end: str) -> None:
    """Cause: contexts lived as long as somebody held the object. Correct: they go when it has closed."""
    watched = WatchedZlib()
    connection = deflating(role, Config(compression=Deflate(zlib=watched)))
    received(connection, marked(role, deflate(b"x" * 1000)))
    connection.send_text("y" * 1000)
    assert watched.living == 2
    if end == "close":
        connection.close(now=0.0)
        received(connection, from_peer(role, CLOSE, status(1000)))
    elif end == "violation":
        received(connection, b"\xff\xff")
    connection.receive_eof(0.0)
    connection.receive_eof(0.0)
    drain(connection, 0.0)
    assert connection.state is State.CLOSED
    assert watched.living == 0


def test_row_18_without_takeover_nothing_is_held_between_messages() -> None:
    """Correct: what was agreed to be forgotten is."""
    watched = WatchedZlib()
    config = Config(compression=Deflate(zlib=watched))
    answer = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
    connection = deflating(Role.SERVER, config, answer)
    received(connection, marked(Role.SERVER, deflate(b"x" * 1000)))
    connection.send_text("y" * 1000)
    assert watched.living == 0


def offering(field: str, deflate: Deflate | None = None) -> Connection:
    """Return a server that has accepted a request with an offer."""
    connection = connecting(Role.SERVER, Config(compression=deflate or Deflate()))
    line = f"Sec-WebSocket-Extensions: {field}\r\n\r\n".encode("latin-1")
    connection.receive_data(REQUEST[:-2] + line, 0.0)
    if isinstance(connection.next_event(), RequestReceived):
        connection.accept(now=0.0)
        drain(connection, 0.0)
    return connection


def answered(field: str, deflate: Deflate | None = None) -> Connection:
    """Return a client whose server has answered its offer."""
    connection = connecting(Role.CLIENT, Config(compression=deflate or Deflate()))
    line = f"Sec-WebSocket-Extensions: {field}\r\n\r\n".encode("latin-1")
    connection.receive_data(RESPONSE[:-2] + line, 0.0)
    return connection


def test_row_31_a_window_of_8_bits_is_declined_by_a_server() -> None:
    """Cause: zlib takes 8 for an inflater and raises for a deflater: HTTP 500. Correct: the offer that asks
    us to compress so is declined, the next one is looked at."""
    assert offering("permessage-deflate; server_max_window_bits=8").extensions == ""
    connection = offering("permessage-deflate; server_max_window_bits=8, permessage-deflate")
    assert connection.state is State.OPEN
    assert connection.extensions.startswith("permessage-deflate")
    assert "=8" not in connection.extensions


def test_row_31_a_window_of_8_bits_of_the_peer_is_understood() -> None:
    """Correct: the other direction is no problem: we only inflate it."""
    connection = offering("permessage-deflate; client_max_window_bits=8")
    assert connection.state is State.OPEN
    payload = deflate(b"within 256 bytes " * 10, bits=9)
    assert received(connection, marked(Role.SERVER, payload)) == ["within 256 bytes " * 10]


def test_row_31_a_client_that_is_told_to_use_8_bits_does_not_compress() -> None:
    """Correct: messages go out as they are, which is always allowed."""
    connection = answered("permessage-deflate; client_max_window_bits=8")
    assert isinstance(connection.next_event(), Opened)
    connection.send_text("z" * 5000, compress=True)
    assert read_frames(drain(connection, 0.0).sent) == [(0x81, b"z" * 5000)]


BAD_PARAMETERS = [
    *(f"{side}_max_window_bits={value}" for side in ("server", "client") for value in (
        "7", "16", "0", "08", "015", "-9", '"+9"', '"9 "', "1e1", "9.0", "0x9", "9" * 20, "x", '""'
    )),
    "server_max_window_bits",
    "server_no_context_takeover=1",
    "client_no_context_takeover=true",
    "server_max_window_bits=10; server_max_window_bits=10",
    "client_max_window_bits; client_max_window_bits=9",
    "server_no_context_takeover; server_no_context_takeover",
    "unknown",
    "unknown=1",
    "Server_Max_Window_Bits=10",
]  # fmt: skip


@pytest.mark.parametrize("parameters", BAD_PARAMETERS)
def test_row_32_bad_parameters_are_declined_by_a_server(parameters: str) -> None:
    """Cause: a value that is no number, out of range or repeated crashed the handshake. Correct: the offer
    is declined, the connection opens; a malformed field is refused with 400."""
    connection = offering(f"permessage-deflate; {parameters}")
    assert connection.extensions == ""
    if connection.state is not State.OPEN:
        assert connection.closed is not None
        assert connection.closed.violation is Violation.INVALID_EXTENSIONS
        return
    connection = offering(f"permessage-deflate; {parameters}, permessage-deflate")
    assert connection.extensions.startswith("permessage-deflate")


@pytest.mark.parametrize("parameters", [*BAD_PARAMETERS, "client_max_window_bits"])
def test_row_32_bad_parameters_fail_a_client_cleanly(parameters: str) -> None:
    """Correct: no exception; one Closed, with the rule that was broken; nothing is sent."""
    connection = answered(f"permessage-deflate; {parameters}")
    output = drain(connection, 0.0)
    violation = the_end(output.events).violation
    assert violation in (Violation.EXTENSION_PARAMETERS, Violation.INVALID_EXTENSIONS)
    assert output.sent == b""


@pytest.mark.parametrize(
    "answer", ["permessage-deflate, permessage-deflate", "x-other", "permessage-deflate, x-other", ", ,"]
)
def test_row_32_an_answer_that_was_not_asked_for_fails_a_client(answer: str) -> None:
    """Correct: at most one extension, and one that was offered."""
    events = drain(answered(answer), 0.0).events
    assert len(events) == 1 and isinstance(events[0], Closed)


def test_row_32_an_answer_beyond_the_offer_fails_a_client_that_insists() -> None:
    """Correct: without a fallback the server must keep to what was asked."""
    strict = Deflate(server_max_window_bits=10, server_no_context_takeover=True, fallback=False)
    for answer in (
        "permessage-deflate",
        "permessage-deflate; server_no_context_takeover",
        "permessage-deflate; server_max_window_bits=10",
        "permessage-deflate; server_no_context_takeover; server_max_window_bits=11",
    ):
        assert broken(answered(answer, strict)) is Violation.EXTENSION_PARAMETERS
    good = "permessage-deflate; server_no_context_takeover; server_max_window_bits=9"
    assert isinstance(answered(good, strict).next_event(), Opened)


def test_row_33_connections_share_a_config_and_nothing_else() -> None:
    """Cause: what one connection agreed on was written into an object that all share. Correct: each has
    what it agreed on, whoever comes before, between or after."""
    shared = Deflate(server_max_window_bits=15, client_max_window_bits=15, threshold=0)
    before = repr(shared)
    plain = offering("permessage-deflate", shared)
    narrow = offering("permessage-deflate; server_max_window_bits=9; server_no_context_takeover", shared)
    none = offering("x-other", shared)
    again = offering("permessage-deflate", shared)
    assert plain.extensions == again.extensions
    assert "server_max_window_bits=9" in narrow.extensions
    assert none.extensions == ""
    assert repr(shared) == before
    block = random.Random(1).randbytes(2000)
    for connection, reaches in ((plain, True), (narrow, False), (again, True)):
        connection.send_bytes(block + block)
        [(first, payload)] = read_frames(drain(connection, 0.0).sent)
        assert first == 0x80 | RSV1 | BINARY
        assert inflate(payload) == block + block
        assert (len(payload) < 3000) is reaches, "only a window of 15 bits reaches back that far"
    none.send_bytes(block)
    assert read_frames(drain(none, 0.0).sent) == [(0x80 | BINARY, block)]


def _reach(payloads: list[bytes], bits: int) -> None:
    """Inflate in steps so small that a reference beyond the window and a step is an error."""
    inflater, step = zlib.decompressobj(-bits), 32
    for payload in payloads:
        rest = payload + TAIL
        while rest:
            inflater.decompress(rest, step)
            rest = inflater.unconsumed_tail


@pytest.mark.parametrize("bits", [9, 10, 11, 12, 13, 14, 15])
@pytest.mark.parametrize("role", ROLES)
def test_row_34_what_we_send_stays_within_the_window(role: Role, bits: int) -> None:
    """Cause: references further back than was agreed on. Correct: none; an inflater with just that window
    reads all of it."""
    side = role.value
    config = Config(
        compression=Deflate(server_max_window_bits=bits, client_max_window_bits=bits, threshold=0)
    )
    answer = f"permessage-deflate; {side}_max_window_bits={bits}"
    chooser = random.Random(bits)
    blocks = [chooser.randbytes(300) for _ in range(8)]
    connection = deflating(role, config, answer)
    payloads = []
    for _ in range(40):
        message = b"".join(chooser.choice(blocks) for _ in range(chooser.randint(1, 12)))
        connection.send_bytes(message)
        [(_, payload)] = read_frames(drain(connection, 0.0).sent)
        payloads.append(payload)
    _reach(payloads, bits)


@pytest.mark.parametrize("role", ROLES)
def test_row_34_we_forget_what_was_agreed_to_be_forgotten(role: Role) -> None:
    """Cause: no_context_takeover was agreed on and not honoured. Correct: each message stands alone."""
    side = role.value
    answer = f"permessage-deflate; {side}_no_context_takeover"
    connection = deflating(role, Config(compression=Deflate(threshold=0)), answer)
    for number in range(5):
        message = b"the same words again, " * 20 + b"%d" % number
        connection.send_bytes(message)
        [(_, payload)] = read_frames(drain(connection, 0.0).sent)
        assert inflate(payload) == message


@pytest.mark.parametrize("role", ROLES)
def test_row_34_a_peer_must_forget_what_was_agreed_to_be_forgotten(role: Role) -> None:
    """Correct: a message that refers into an earlier one is 1007, never wrong data."""
    peer = Role.CLIENT if role is Role.SERVER else Role.SERVER
    connection = deflating(role, answer=f"permessage-deflate; {peer.value}_no_context_takeover")
    compressor = zlib.compressobj(6, zlib.DEFLATED, -15)
    message = bytes(random.Random(5).choices(b"abcdefghij", k=200))
    first, second = (
        (compressor.compress(message) + compressor.flush(zlib.Z_SYNC_FLUSH)).removesuffix(TAIL)
        for _ in range(2)
    )
    assert len(second) < len(first) / 3
    assert received(connection, marked(role, first)) == [message.decode()]
    assert broken(connection, marked(role, second)) is Violation.COMPRESSED_DATA


@pytest.mark.parametrize("reference", range(1, 5))
def test_row_34_a_reference_beyond_the_beginning_is_refused(reference: int) -> None:
    """Correct: 1007 for a block that refers to what never was; here fixed Huffman codes, written by hand."""
    # BFINAL 0, BTYPE 01, one length code of 3 (257: 0000001), distance codes 0 to 3, end of block.
    bits = "0" + "10" + "0000001" + f"{reference - 1:05b}" + "0000000"
    bits += "0" * (-len(bits) % 8)
    payload = bytes(int(bits[at : at + 8][::-1], 2) for at in range(0, len(bits), 8))
    with pytest.raises(zlib.error):
        zlib.decompress(payload + TAIL, -15)
    for size in (1, 2, 100):
        connection = deflating(Role.CLIENT)
        assert broken(connection, *fragments(Role.CLIENT, payload, size)) is Violation.COMPRESSED_DATA


@pytest.mark.parametrize("role", ROLES)
def test_row_35_a_refused_message_does_not_move_the_compressor(role: Role) -> None:
    """Cause: the message was compressed, then not sent; all later ones referred to it. Correct: it is
    refused before it is compressed."""
    config = Config(compression=Deflate(threshold=0), limits=Limits(outbox_limit=4000))
    connection = deflating(role, config)
    chooser, expected, sent = random.Random(3), [], b""
    for _ in range(30):
        message = chooser.randbytes(500)
        try:
            connection.send_bytes(message)
            expected.append(message)
        except WriteBufferFull:
            with pytest.raises(TypeError):
                connection.send_text(None)  # type: ignore[arg-type]
            with pytest.raises(LocalProtocolError):
                connection.send_text("\ud800" * 300)
            with pytest.raises(LocalProtocolError):
                connection.send_fragment("text" * 200 + "\ud800", False)
            sent += drain(connection, 0.0).sent
            connection.send_bytes(message * 2)  # refers to itself and to nothing that was refused
            expected.append(message * 2)
    sent += drain(connection, 0.0).sent
    assert len(expected) == 30 and sent
    inflater = zlib.decompressobj(-15)
    assert [inflater.decompress(payload + TAIL) for _, payload in read_frames(sent)] == expected


@pytest.mark.parametrize("role", ROLES)
def test_row_63_contexts_are_never_shared(role: Role) -> None:
    """Cause: one zlib object in two threads. Correct: every connection and direction has its own."""
    watched = WatchedZlib()
    config = Config(compression=Deflate(zlib=watched, threshold=0))
    connections = [deflating(role, config) for _ in range(5)]
    watched.settings.clear()
    for connection in connections:
        received(connection, marked(role, deflate(b"x" * 50)))
        connection.send_text("y" * 50)
    assert len(watched.settings) == watched.living == 10
