"""No request is ever seen behind another one, however the first is framed (RFC 9112 section 11.2)."""

import pytest

from support.handshakes import SECOND_REQUEST, Run, assert_refused, head, minus, request, server
from support.smuggling_rows import REFUSED
from wscore import Closed, Config, Limits, State, Violation
from wscore.testing import cuttings


def one_outcome(run: Run) -> Closed:
    """Return the one event of a refused connection."""
    (closed,) = run.events
    assert isinstance(closed, Closed)
    return closed


def test_the_table_is_long_enough_to_mean_something() -> None:
    assert len(REFUSED) >= 60
    assert len({stream for _, stream in REFUSED.values()}) == len(REFUSED), "two rows are the same stream"


@pytest.mark.parametrize(("status", "stream"), REFUSED.values(), ids=REFUSED.keys())
def test_a_request_that_carries_another_is_refused_and_the_other_is_never_seen(
    status: int, stream: bytes
) -> None:
    whole = one_outcome(server().feed([stream])).violation
    for pieces in cuttings(stream, count=8):
        run = server().feed(pieces)
        assert one_outcome(run).violation is whole
        assert_refused(run, status)
        assert b"/second" not in run.sent, "what was refused is not repeated"


def test_a_request_behind_one_that_was_accepted_is_read_as_frames() -> None:
    run = server().feed([request() + SECOND_REQUEST])
    run.connection.accept(now=0.0)
    run.take()
    assert len(run.requests()) == 1
    closed = run.events[-1]
    # "G" is 0x47: reserved bits are set, of an opcode that is reserved.
    assert isinstance(closed, Closed) and closed.violation is Violation.RESERVED_BITS


@pytest.mark.parametrize("first", [request(), minus(b"upgrade")], ids=["upgrade", "plain HTTP"])
@pytest.mark.parametrize("when", ["before the answer", "after the answer", "both"])
def test_a_request_behind_one_that_was_responded_to_is_discarded(first: bytes, when: str) -> None:
    run = server().feed([first + SECOND_REQUEST if when != "after the answer" else first])
    run.connection.respond(403, now=0.0)
    run.take()
    sent = run.sent
    if when != "before the answer":
        run.feed([SECOND_REQUEST])
    assert len(run.requests()) == 1
    assert run.events[-1] == Closed(1006, "", clean=False)
    assert run.sent == sent
    assert_refused(run, 403)


def test_a_request_that_trickles_in_behind_a_refusal_is_discarded_byte_by_byte() -> None:
    run = server().feed([request(b"GET /chat HTTP/1.0")])
    sent = run.sent
    run.feed(bytes([byte]) for byte in SECOND_REQUEST)
    assert (len(run.events), run.sent, run.connection.state) == (1, sent, State.DRAINING)


@pytest.mark.parametrize("limit", [{"max_line": 20}, {"max_headers": 2}, {"max_head": 40}])
def test_a_refusal_is_sent_whatever_limits_are_set_for_the_peer(limit: dict[str, int]) -> None:
    run = server(Config(limits=Limits(**limit))).feed([request() + SECOND_REQUEST])
    assert_refused(run, 431)


def test_the_answer_to_head_has_no_body() -> None:
    # RFC 9110 section 9.3.2: a body behind it would be read as the next response.
    run = server().feed([head(b"HEAD / HTTP/1.1", [b"Host: example.com"])])
    answer, end, body = run.sent.partition(b"\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 405 ") and end
    assert body == b""
