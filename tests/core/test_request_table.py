"""The tables of good and of bad requests: the outcome is exact, however a request is cut.

Nothing that comes behind a refused request is parsed, and nothing more is said about it.
"""

import pytest

from support import bad_requests, good_requests
from support.handshakes import (
    ACCEPT,
    KEY,
    SECOND_REQUEST,
    Expected,
    Rows,
    assert_refused,
    client_frame,
    read_message,
    server,
)
from wscore import Closed, ConnectionClosed, Headers, Opcode, Opened, State, TransportAction
from wscore.testing import cuttings


def listed(groups: dict[str, tuple[Expected, Rows]]) -> list[pytest.ParameterSet]:
    """Return all rows of a table, with their names."""
    return [
        pytest.param(expected, data, id=f"{group}-{name}")
        for group, (expected, rows) in groups.items()
        for name, data in rows.items()
    ]


VERSIONS, METHODS = bad_requests.GROUPS["version"][1], bad_requests.GROUPS["method"][1]
GOOD, BAD = listed(good_requests.GROUPS), listed(bad_requests.GROUPS)


def test_the_table_is_long_enough_to_mean_something() -> None:
    assert len(GOOD + BAD) >= 200
    assert len({row.values[1] for row in GOOD + BAD}) == len(GOOD + BAD), "two rows are the same request"


@pytest.mark.parametrize(("expected", "data"), GOOD)
def test_a_good_request_is_handed_out_and_answered_however_it_is_cut(expected: Expected, data: bytes) -> None:
    for pieces in cuttings(data):
        run = server().feed(pieces)
        assert len(run.events) == 1, run.events
        (received,) = run.requests()
        assert (run.sent, run.connection.state) == (b"", State.CONNECTING)
        assert received.request.is_upgrade is (expected.status == 101)
        if expected.status == 101:
            run.connection.accept(now=0.0)
            assert isinstance(run.take().events[-1], Opened)
            message = read_message(run.sent)
            assert (message.status, message.body) == (101, b"")
            if b"Sec-WebSocket-Key: " + KEY in data:
                assert message.values(b"sec-websocket-accept") == [ACCEPT]
            run.feed([client_frame(Opcode.TEXT, b"hello")])
            assert run.events[-1] == "hello"
        else:
            run.connection.respond(expected.status, now=0.0)
            assert_refused(run.take(), expected.status)


@pytest.mark.parametrize(("expected", "data"), BAD)
def test_a_bad_request_is_refused_once_and_nothing_behind_it_is_parsed(
    expected: Expected, data: bytes
) -> None:
    for pieces in cuttings(data + SECOND_REQUEST):
        run = server().feed(pieces)
        closed = Closed(1006, "", clean=False, violation=expected.violation)
        assert run.events == [closed]
        assert_refused(run, expected.status, has_body=not data.startswith(b"HEAD "))
        assert run.connection.closed == closed
        assert run.connection.request is None
        sent = run.sent
        run.feed([SECOND_REQUEST, bytes(65536), client_frame(Opcode.TEXT, b"hello")])
        assert (run.events, run.sent) == ([closed], sent)
        assert run.connection.wants_read, "a backend must read on, or RST destroys the answer"
        with pytest.raises(ConnectionClosed):
            run.connection.accept(now=0.0)
        run.connection.receive_eof(0.0)
        assert run.take().action is TransportAction.CLOSE
        assert (run.events, run.sent, run.connection.state) == ([closed], sent, State.CLOSED)


@pytest.mark.parametrize("data", VERSIONS.values(), ids=VERSIONS.keys())
def test_a_refused_version_is_told_which_one_is_spoken(data: bytes) -> None:
    message = read_message(server().feed([data]).sent)
    assert message.values(b"sec-websocket-version") == [b"13"]  # RFC 6455 section 4.4
    assert message.values(b"upgrade") == [b"websocket"]  # RFC 9110 section 15.5.22
    assert {option.lower() for option in message.values(b"connection")[0].split(b", ")} == {
        b"close",
        b"upgrade",
    }


@pytest.mark.parametrize("data", METHODS.values(), ids=METHODS.keys())
def test_a_refused_method_is_told_which_one_is_allowed(data: bytes) -> None:
    message = read_message(server().feed([data]).sent)
    assert message.values(b"allow") == [b"GET"]  # RFC 9110 section 15.5.6


def test_what_a_request_said_is_handed_out_byte_for_byte_and_in_order() -> None:
    run = server().feed([good_requests.GROUPS["good"][1]["obs-text in a value"]])
    headers = run.requests()[0].request.headers
    assert headers == Headers(
        [
            ("host", "example.com"),
            ("upgrade", "websocket"),
            ("connection", "Upgrade"),
            ("sec-websocket-key", KEY.decode()),
            ("sec-websocket-version", "13"),
            ("x-name", "Andr\xe9 \x80\x85\xa0\xff"),
        ]
    )
