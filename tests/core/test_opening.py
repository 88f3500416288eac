"""The opening handshake as a connection uses it: one part, whichever side this is."""

from collections.abc import Callable

import pytest

from support.handshakes import ACCEPT, NONCE, head, minus, plus, read_message, request, response
from support.run_length import NAME, RunLength
from wscore import (
    Config,
    Headers,
    HeadersLike,
    Limits,
    LocalProtocolError,
    Opened,
    Refused,
    Request,
    RequestReceived,
    Response,
    Role,
    Violation,
    parse_url,
)
from wscore._negotiation import NOTHING, Agreement
from wscore._opening import Opening
from wscore.testing import repeatable_entropy

ADDRESS = parse_url("ws://example.com/chat")


def client_side(*subprotocols: str) -> Opening:
    """Return a client's opening that has sent its request."""
    opening = Opening(Role.CLIENT, Config(agent=None))
    opening.start(ADDRESS, (), subprotocols, repeatable_entropy(NONCE))
    return opening


def server_side(data: bytes = request(), config: Config | None = None) -> Opening:
    """Return a server's opening with a request that waits for its answer."""
    opening = Opening(Role.SERVER, config or Config())
    assert isinstance(opening.receive(data), RequestReceived)
    return opening


def test_nothing_is_known_at_first() -> None:
    for role in Role:
        opening = Opening(role, Config())
        assert (opening.request, opening.response, opening.subprotocol) == (None, None, None)


# The client.


def test_a_client_starts_and_is_opened() -> None:
    opening = Opening(Role.CLIENT, Config(agent=None))
    sent = opening.start(ADDRESS, (), ("chat",), repeatable_entropy(NONCE))
    assert sent == plus(b"Sec-WebSocket-Protocol: chat")
    assert opening.request is not None and opening.request.subprotocols == ("chat",)
    answer = response(b"Sec-WebSocket-Protocol: chat")
    assert opening.receive(answer[:50]) is None
    opened = opening.receive(answer[50:] + b"frames")
    assert isinstance(opened, Opened)
    assert (opened.request, opened.response, opened.subprotocol) == (
        opening.request,
        opening.response,
        "chat",
    )
    assert opening.subprotocol == "chat"
    assert opened.response.status == 101
    assert opening.take_rest() == b"frames"


def test_a_client_is_refused() -> None:
    opening = client_side()
    refused = opening.receive(head(b"HTTP/1.1 401 No", [b"Content-Length: 2"]) + b"no")
    assert isinstance(refused, Refused)
    assert (refused.response.status, refused.response.body) == (401, b"no")
    assert opening.response == refused.response


def test_a_client_hears_that_the_stream_ended_inside_a_refusal() -> None:
    opening = client_side()
    assert opening.receive(head(b"HTTP/1.1 401 No", []) + b"half a bo") is None
    refused = opening.finish()
    assert isinstance(refused, Refused) and refused.response.body == b"half a bo"
    assert opening.response == refused.response


@pytest.mark.parametrize("data", [b"", b"HTTP/1.1 401", response()])
def test_a_client_hears_nothing_of_an_end_outside_a_refusal(data: bytes) -> None:
    opening = client_side()
    opening.receive(data)
    assert opening.finish() is None


def test_a_client_names_a_broken_rule_and_answers_nothing() -> None:
    opening = client_side()
    assert opening.receive(response(drop=b"upgrade")) is Violation.UPGRADE_HEADER
    assert opening.refuse(Violation.UPGRADE_HEADER) == b""
    assert opening.response is None


@pytest.mark.parametrize(
    "command",
    [lambda opening: opening.accept(None, ()), lambda opening: opening.respond(403, (), b"")],
    ids=["accept", "respond"],
)
def test_a_client_answers_no_request(command: Callable[[Opening], object]) -> None:
    with pytest.raises(LocalProtocolError):
        command(client_side())


# The server.


def test_a_server_accepts() -> None:
    opening = server_side(plus(b"Sec-WebSocket-Protocol: chat") + b"fra")
    assert opening.receive(b"mes") is None
    sent, opened = opening.accept("chat", {"X-Name": "y"})
    message = read_message(sent)
    assert message.values(b"sec-websocket-accept") == [ACCEPT]
    assert message.values(b"x-name") == [b"y"]
    assert (opened.request, opened.response, opened.subprotocol) == (
        opening.request,
        opening.response,
        "chat",
    )
    assert opening.subprotocol == "chat"
    assert opened.response.headers["x-name"] == "y"
    assert opening.take_rest() == b"frames"


@pytest.mark.parametrize(
    "headers",
    [
        [("X-A", "1"), ("X-A", "2")],
        iter([("X-A", "1"), ("X-A", "2")]),
        Headers([("X-A", "1"), ("X-A", "2")]),
    ],
    ids=["pairs", "iterator", "Headers"],
)
def test_a_server_responds_and_remembers_what(headers: HeadersLike) -> None:
    opening = server_side(minus(b"upgrade"))
    message = read_message(opening.respond(404, headers, b"not here"))
    assert (message.status, message.body) == (404, b"not here")
    assert message.values(b"x-a") == [b"1", b"2"]
    assert opening.response is not None
    assert (opening.response.status, opening.response.body) == (404, b"not here")
    assert opening.response.headers.get_all("x-a") == ["1", "2"]


def test_a_server_takes_a_mapping_of_headers() -> None:
    opening = server_side()
    assert read_message(opening.respond(404, {"X-A": "1"}, b"")).values(b"x-a") == [b"1"]
    assert opening.response is not None and opening.response.headers["x-a"] == "1"


COMMANDS: dict[str, Callable[[Opening], object]] = {
    "accept": lambda opening: opening.accept(None, ()),
    "respond": lambda opening: opening.respond(403, (), b""),
}
MISTAKES: dict[str, Callable[[Opening], object]] = {
    "accept": lambda opening: opening.accept("other", ()),
    "accept, a header": lambda opening: opening.accept(None, [("a b", "c")]),
    "respond": lambda opening: opening.respond(101, (), b""),
    "respond, a header": lambda opening: opening.respond(403, [("a b", "c")], b""),
}


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS.keys())
def test_a_server_answers_only_a_request_that_waits(command: Callable[[Opening], object]) -> None:
    opening = Opening(Role.SERVER, Config())
    with pytest.raises(LocalProtocolError, match="no request waits"):
        command(opening)
    assert isinstance(opening.receive(request()), RequestReceived)
    command(opening)


@pytest.mark.parametrize("first", COMMANDS.values(), ids=COMMANDS.keys())
@pytest.mark.parametrize("second", COMMANDS.values(), ids=COMMANDS.keys())
def test_a_server_answers_once(
    first: Callable[[Opening], object], second: Callable[[Opening], object]
) -> None:
    opening = server_side()
    first(opening)
    response_given = opening.response
    with pytest.raises(LocalProtocolError, match="no request waits"):
        second(opening)
    assert opening.response == response_given


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES.keys())
@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS.keys())
def test_a_mistake_leaves_the_request_waiting(
    mistake: Callable[[Opening], object], command: Callable[[Opening], object]
) -> None:
    opening = server_side()
    with pytest.raises(LocalProtocolError):
        mistake(opening)
    assert (opening.response, opening.subprotocol) == (None, None)
    command(opening)
    assert opening.response is not None


def test_a_server_hands_a_request_out_once() -> None:
    opening = Opening(Role.SERVER, Config())
    assert opening.receive(request()[:-1]) is None
    assert isinstance(opening.receive(request()[-1:]), RequestReceived)
    assert opening.receive(b"more") is None


def test_a_server_refuses_a_broken_rule() -> None:
    opening = Opening(Role.SERVER, Config())
    assert opening.receive(request(b"GET / HTTP/1.0")) is Violation.HTTP_VERSION
    assert read_message(opening.refuse(Violation.HTTP_VERSION)).status == 505
    assert opening.request is None


def test_a_request_that_was_refused_after_it_was_handed_out_waits_no_more() -> None:
    opening = server_side(config=Config(limits=Limits(early_data=2)))
    assert not opening.overflow
    assert opening.receive(b"abc") is None
    assert opening.overflow
    assert read_message(opening.refuse(Violation.EARLY_DATA)).status == 400
    for command in COMMANDS.values():
        with pytest.raises(LocalProtocolError, match="no request waits"):
            command(opening)


def test_a_server_sends_no_request_and_has_none_to_finish() -> None:
    opening = server_side()
    with pytest.raises(LocalProtocolError, match="only a client"):
        opening.start(ADDRESS, (), (), repeatable_entropy())
    assert opening.finish() is None


@pytest.mark.parametrize("role", Role)
def test_the_rest_is_taken_once(role: Role) -> None:
    opening = client_side() if role is Role.CLIENT else server_side()
    opening.receive(b"x" if role is Role.SERVER else response() + b"x")
    assert [opening.take_rest(), opening.take_rest()] == [b"x", b""]


# Extensions.

FIELD = b"Sec-WebSocket-Extensions: " + NAME.encode()


def test_what_the_server_agrees_to_is_in_use_on_both_sides() -> None:
    ours, theirs = RunLength(), RunLength()
    client, server = (
        Opening(role, Config(agent=None, compression=extension))
        for role, extension in ((Role.CLIENT, ours), (Role.SERVER, theirs))
    )
    sent = client.start(ADDRESS, (), (), repeatable_entropy(NONCE))
    assert read_message(sent).values(b"sec-websocket-extensions") == [NAME.encode()]
    assert isinstance(server.receive(sent), RequestReceived)
    assert server.agreement == client.agreement == NOTHING
    head_sent, opened = server.accept(None, ())
    assert read_message(head_sent).values(b"sec-websocket-extensions") == [NAME.encode()]
    opened_too = client.receive(head_sent)
    assert isinstance(opened_too, Opened)
    assert opened.extensions == opened_too.extensions == NAME
    for opening, extension in ((client, ours), (server, theirs)):
        assert opening.agreement == Agreement(extension.made[0], NAME)
        assert len(extension.made) == 1
        assert opening.take_codec() is extension.made[0]
        assert opening.take_codec() is None  # it is handed over, and only its name stays
        assert opening.agreement == Agreement(None, NAME)


def test_where_nothing_is_agreed_on_nothing_is_in_use() -> None:
    opening = server_side(plus(FIELD))
    sent, opened = opening.accept(None, ())
    assert read_message(sent).values(b"sec-websocket-extensions") == []
    assert (opening.agreement, opened.extensions) == (NOTHING, "")


# A handshake that took place elsewhere.


@pytest.mark.parametrize("role", Role)
def test_a_handshake_that_took_place_elsewhere_is_taken_as_it_was(role: Role) -> None:
    opening = Opening(role, Config())
    request_made, answer = Request("GET", "/", Headers()), Response(101)
    agreement = Agreement(None, "x-own")
    opened = opening.skip(request_made, answer, "chat", agreement)
    assert opened == Opened(request_made, answer, "chat", "x-own")
    assert (opening.request, opening.response) == (request_made, answer)
    assert (opening.subprotocol, opening.agreement) == ("chat", agreement)
    assert not opening.overflow
    assert opening.finish() is None
    for command in COMMANDS.values():
        with pytest.raises(LocalProtocolError, match="no request waits"):
            command(opening)
    with pytest.raises(LocalProtocolError, match="only a client" if role is Role.SERVER else "already"):
        opening.start(ADDRESS, (), (), repeatable_entropy())
    assert opening.take_rest() == b""
