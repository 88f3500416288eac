"""Nothing that a caller passes becomes a second line, a second header or another host on the wire.

Every string that travels in a head meets every poison. A refused call raises, emits nothing and changes
nothing: the correct call that follows emits what it would have emitted on a fresh connection.
"""

from collections.abc import Callable

import pytest

from support.handshakes import NONCE, Run, plus, read_message, server
from wscore import (
    Address,
    Config,
    Connection,
    InvalidURL,
    LocalProtocolError,
    Role,
    State,
    WSCoreError,
    parse_url,
)
from wscore.testing import Pair, repeatable_entropy

CONTROLS = {
    "CR": "a\rb",
    "LF": "a\nb",
    "CR at the end": "a\r",
    "LF at the end": "a\n",
    "a header line": "a\r\nX-Injected: y",
    "a whole response": "a\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
    "NUL": "a\x00b",
    "a vertical tab": "a\x0bb",
    "a form feed": "a\x0cb",
    "a file separator": "a\x1cb",
    "escape": "a\x1b[31mb",
    "DEL": "a\x7fb",
}
FOREIGN = {
    "a snowman": "a\u2603b",
    "a line separator": "a\u2028b",
    "full-width CR": "a\uff0db",
    "a Kelvin sign": "\u212a",
    "a character whose low bytes are CR LF": "a\u0d0ab",
    "a lone surrogate": "a\ud800b",
}
TOO_LONG = {"very much": "a" * 100_000}
NEL = {"NEL": "a\x85b", "obs-text": "a\xe9b"}  # bytes that some readers split at; harmless inside a value
NO_TOKENS = {"nothing": "", "a blank": "a b", "a colon": "a:b", "a comma": "a,b", "a semicolon": "a;b"}

IN_VALUES = CONTROLS | FOREIGN | TOO_LONG
IN_NAMES = IN_VALUES | NEL | NO_TOKENS

ADDRESS = parse_url("ws://example.com/chat")


def ask(connection: Connection, poison: str, where: str) -> None:
    """Send a request with poison somewhere."""
    address, headers, subprotocols = ADDRESS, [("X-Good", "x")], ["chat"]
    match where:
        case "header name":
            headers.append((poison, "x"))
        case "header value":
            headers.append(("X", poison))
        case "subprotocol":
            subprotocols.append(poison)
        case "target":
            address = Address("example.com", 80, False, "/" + poison)
        case "host":
            address = Address(poison, 80, False, "/")
        case _:
            assert where == "nowhere"
    connection.send_request(address, headers=headers, subprotocols=subprotocols, now=0.0)


def answer(connection: Connection, poison: str, where: str) -> None:
    """Answer the request with poison somewhere."""
    match where:
        case "accept, header name":
            connection.accept(subprotocol="chat", headers=[("X-Good", "x"), (poison, "x")], now=0.0)
        case "accept, header value":
            connection.accept(subprotocol="chat", headers=[("X-Good", "x"), ("X", poison)], now=0.0)
        case "accept, subprotocol":
            connection.accept(subprotocol=poison, now=0.0)
        case "respond, header name":
            connection.respond(302, headers=[("X-Good", "x"), (poison, "x")], now=0.0)
        case _:
            assert where == "respond, header value"
            connection.respond(302, headers=[("X-Good", "x"), ("Location", poison)], body=b"x", now=0.0)


def cases(*groups: tuple[dict[str, str], tuple[str, ...]]) -> list[object]:
    """Let every poison of a group meet every place of it."""
    return [
        pytest.param(poison, where, id=f"{where}-{name}")
        for poisons, places in groups
        for name, poison in poisons.items()
        for where in places
    ]


def fresh_client(config: Config | None = None) -> Run:
    return Run(Connection(Role.CLIENT, config, now=0.0, entropy=repeatable_entropy(NONCE)))


def waiting_server(config: Config | None = None) -> Run:
    return server(config).feed([plus(b"Sec-WebSocket-Protocol: chat, superchat")])


@pytest.mark.parametrize(
    ("poison", "where"),
    cases(
        (IN_NAMES, ("header name", "subprotocol")),
        (IN_VALUES, ("header value",)),
        (IN_VALUES | NEL | {"a blank": "a b"}, ("target", "host")),
        ({"a path": "a/b", "a user": "a@b", "brackets": "[::1]", "nothing": ""}, ("host",)),
    ),
)
def test_a_client_refuses_to_send_it_and_nothing_has_changed(poison: str, where: str) -> None:
    reference, run = fresh_client(), fresh_client()
    with pytest.raises(LocalProtocolError):
        ask(run.connection, poison, where)
    assert (run.take().sent, run.events, run.connection.request) == (b"", [], None)
    assert run.connection.buffered_amount == 0
    for each in (reference, run):
        ask(each.connection, "x", "nowhere")
    assert run.take().sent == reference.take().sent != b""


@pytest.mark.parametrize(
    ("poison", "where"),
    cases(
        (IN_NAMES, ("accept, header name", "accept, subprotocol", "respond, header name")),
        (IN_VALUES, ("accept, header value", "respond, header value")),
    ),
)
def test_a_server_refuses_to_send_it_and_nothing_has_changed(poison: str, where: str) -> None:
    reference, run = waiting_server(), waiting_server()
    with pytest.raises(LocalProtocolError):
        answer(run.connection, poison, where)
    assert (run.take().sent, len(run.events), run.connection.response) == (b"", 1, None)
    assert run.connection.state is State.CONNECTING
    assert run.connection.buffered_amount == 0
    for each in (reference, run):
        each.connection.accept(subprotocol="superchat", now=0.0)
    assert run.take().sent == reference.take().sent != b""


@pytest.mark.parametrize("value", NEL.values(), ids=NEL.keys())
def test_obs_text_travels_in_a_value_as_the_one_byte_that_it_is(value: str) -> None:
    run = fresh_client()
    run.connection.send_request(ADDRESS, headers={"X": value}, now=0.0)
    assert read_message(run.take().sent).values(b"x") == [value.encode("latin-1")]
    for where in ("accept, header value", "respond, header value"):
        run = waiting_server()
        answer(run.connection, value, where)
        assert value.encode("latin-1") in [field for _, field in read_message(run.take().sent).fields]


@pytest.mark.parametrize("poison", [*CONTROLS.values(), "a b", "a\\b"])
@pytest.mark.parametrize(
    "url", ["ws://{}/", "ws://example.com/{}", "ws://example.com/?{}", "ws://{}.example.com:80/"]
)
def test_an_address_with_it_is_invalid_and_nothing_has_changed(poison: str, url: str) -> None:
    run = fresh_client()
    with pytest.raises(InvalidURL):
        run.connection.send_request(url.format(poison), now=0.0)
    assert (run.take().sent, run.connection.request) == (b"", None)
    ask(run.connection, "x", "nowhere")
    assert run.take().sent.startswith(b"GET /chat HTTP/1.1\r\nHost: example.com\r\n")


@pytest.mark.parametrize("poison", [*(FOREIGN | NEL).values()])
def test_text_outside_ascii_in_an_address_is_encoded_or_refused(poison: str) -> None:
    for url in (f"ws://example.com/{poison}", f"ws://example.com/?{poison}", f"ws://{poison}.example.com/"):
        run = fresh_client()
        try:
            run.connection.send_request(url, now=0.0)
        except WSCoreError:
            assert run.take().sent == b""
            continue
        message = read_message(run.take().sent)
        assert message.start_line.isascii() and len(message.start_line.split(b" ")) == 3
        assert message.values(b"host")[0].isascii()


@pytest.mark.parametrize(
    "url", ["ws://example.com/{}", "ws://example.com/?{}", "ws://{}/", "ws://{}.example.com/"]
)
def test_an_address_that_is_very_long_is_refused(url: str) -> None:
    run = fresh_client()
    with pytest.raises((LocalProtocolError, InvalidURL)):
        run.connection.send_request(url.format("a" * 100_000), now=0.0)
    assert run.take().sent == b""


@pytest.mark.parametrize("agent", IN_VALUES.values(), ids=IN_VALUES.keys())
def test_an_agent_that_may_not_be_sent_is_refused_and_never_by_what_a_peer_does(agent: str) -> None:
    try:
        config = Config(agent=agent)
    except ValueError:
        return  # at once: the best place
    client = fresh_client(config)
    with pytest.raises(LocalProtocolError):
        client.connection.send_request(ADDRESS, now=0.0)
    run = waiting_server(config)
    commands: list[Callable[[], None]] = [
        lambda: run.connection.accept(now=0.0),
        lambda: run.connection.respond(403, now=0.0),
    ]
    for command in commands:
        with pytest.raises(LocalProtocolError):
            command()
    assert (client.take().sent, run.take().sent) == (b"", b"")
    refused = server(config).feed([b"POST / HTTP/1.1\r\nHost: h\r\n\r\n"])  # the third law: this never raises
    assert read_message(refused.sent).status == 405


@pytest.mark.parametrize("reason", ["x" * 124, "\u2603" * 42, "a" * 100_000, "\ud800", b"bytes", None])
def test_a_close_reason_that_may_not_travel_is_refused_and_nothing_has_changed(reason: object) -> None:
    error = LocalProtocolError if isinstance(reason, str) else TypeError
    pair = Pair()
    pair.open()
    for connection in (pair.client, pair.server):
        with pytest.raises(error):
            connection.close(1000, reason, now=0.0)  # type: ignore[arg-type]
        assert connection.state is State.OPEN
        assert connection.buffered_amount == 0
    pair.client.close(1000, "bye", now=0.0)
    pair.exchange()
    closed = pair.server.closed
    assert closed is not None and (closed.code, closed.reason, closed.clean) == (1000, "bye", True)


def test_a_close_reason_may_be_any_text() -> None:
    # RFC 6455 section 5.5.1: UTF-8 inside a frame, where no character can end anything.
    pair = Pair()
    pair.open()
    pair.client.close(1000, reason := "a\r\nX: y\x00\x0b\x85\u2028\u2603", now=0.0)
    pair.exchange()
    assert pair.server.closed is not None and pair.server.closed.reason == reason


@pytest.mark.parametrize(
    "status", [0, -1, 99, 100, 101, 199, 600, 1000, 2**70, "200\r\nX: y", 403.0, None, True]
)
def test_a_status_that_ends_no_handshake_is_refused_and_nothing_has_changed(status: object) -> None:
    run = waiting_server()
    with pytest.raises(LocalProtocolError if isinstance(status, int) else TypeError):
        run.connection.respond(status, now=0.0)  # type: ignore[arg-type]
    assert run.take().sent == b""
    run.connection.respond(403, now=0.0)
    assert read_message(run.take().sent).status == 403
