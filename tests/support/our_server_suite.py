"""What every client of others must find at our server.

A test module imports all of these tests and brings a fixture ``dial``, the client; see `strangers`.
"""

import ssl
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from queue import SimpleQueue
from threading import Event

import pytest

from wscore import Closed, Config, Deflate, Endpoint, Limits, Request, Response, Side, Violation
from wscore_threading import Server, Session, serve

from .certificates import Certificates, make_certificates
from .stranger_cases import (
    BIG,
    CLOSES,
    COMPRESSIBLE,
    DEFLATES,
    FRAGMENTED,
    MEBIBYTE,
    MESSAGES,
    ORIGINS,
    OUR_NEGOTIATIONS,
    PINGS,
    REFUSALS,
    Negotiation,
    OriginRow,
    Refusal,
)
from .strangers import PATIENCE, Dial, Ended, Fragmenter, Refused, end_of

HOST = "127.0.0.1"


def url_of(server: Server, scheme: str = "ws") -> str:
    """Return where server listens."""
    return f"{scheme}://{HOST}:{server.port}/"


def echo(session: Session) -> None:
    """Handler: send every message back."""
    for message in session:
        session.send(message)


class Watched:
    """A handler that runs another one, and keeps how its sessions ended."""

    def __init__(self, handler: Callable[[Session], object]) -> None:
        self._handler = handler
        self._ends: SimpleQueue[Closed | None] = SimpleQueue()

    def __call__(self, session: Session) -> None:
        try:
            self._handler(session)
        finally:
            self._ends.put(session.closed)

    def end(self) -> Closed:
        """Wait for the handler and return how its session ended."""
        closed = self._ends.get(timeout=PATIENCE)
        assert closed is not None
        return closed


def with_limit(size: int) -> Config:
    """Accept messages up to size."""
    return Config(limits=Limits(max_message_size=size))


@pytest.mark.parametrize("message", MESSAGES.values(), ids=MESSAGES)
def test_a_message_comes_back_as_it_was_sent(dial: Dial, message: str | bytes) -> None:
    with serve(echo, HOST) as server, dial(url_of(server)) as client:
        client.send(message)
        assert client.recv() == message


def test_messages_come_back_in_order(dial: Dial) -> None:
    with serve(echo, HOST) as server, dial(url_of(server)) as client:
        for _ in range(20):
            for message in MESSAGES.values():
                client.send(message)
            assert [client.recv() for _ in MESSAGES] == list(MESSAGES.values())


@pytest.mark.parametrize("deflate", [False, True], ids=["uncompressed", "compression offered"])
def test_sixteen_mebibytes_come_back(dial: Dial, deflate: bool) -> None:
    message = bytes(range(256)) * (BIG // 256)
    with (
        serve(echo, HOST, config=with_limit(BIG)) as server,
        dial(url_of(server), max_size=BIG, deflate=deflate) as client,
    ):
        client.send(message)
        assert client.recv() == message


def test_compression_is_declined_and_messages_come_as_they_are(dial: Dial) -> None:
    offers: SimpleQueue[str | None] = SimpleQueue()

    def handler(session: Session) -> None:
        offers.put(session.request.headers.get("Sec-WebSocket-Extensions"))
        assert session.response.headers.get("Sec-WebSocket-Extensions") is None
        echo(session)

    with serve(handler, HOST) as server, dial(url_of(server), deflate=True) as client:
        assert "permessage-deflate" in str(offers.get(timeout=PATIENCE))
        assert not client.compressed
        for message in MESSAGES.values():
            client.send(message)
            assert client.recv() == message


@pytest.mark.parametrize("deflate", DEFLATES.values(), ids=DEFLATES)
def test_compressed_messages_come_back_as_they_were_sent(dial: Dial, deflate: Deflate) -> None:
    def handler(session: Session) -> None:
        assert session.extensions.startswith("permessage-deflate")
        echo(session)

    with (
        serve(handler, HOST, config=Config(compression=deflate)) as server,
        dial(url_of(server), deflate=True) as client,
    ):
        assert client.compressed
        for message in COMPRESSIBLE.values():
            client.send(message)
            assert client.recv() == message


@pytest.mark.parametrize("parts", FRAGMENTED.values(), ids=FRAGMENTED)
def test_fragments_come_back_as_one_message(dial: Dial, parts: list[str] | list[bytes]) -> None:
    with serve(echo, HOST) as server, dial(url_of(server)) as client:
        assert isinstance(client, Fragmenter)
        client.send_fragments(parts)
        assert client.recv() == type(parts[0])().join(parts)  # type: ignore[arg-type]  # all str or all bytes


@pytest.mark.parametrize("payload", PINGS.values(), ids=PINGS)
def test_its_ping_is_answered_with_the_same_payload(dial: Dial, payload: bytes) -> None:
    with serve(echo, HOST) as server, dial(url_of(server)) as client:
        client.ping(payload)
        client.send("still here")
        assert client.recv() == "still here"


def test_its_ping_is_answered_while_the_handler_is_busy(dial: Dial) -> None:
    done = Event()

    def busy(session: Session) -> None:
        assert done.wait(PATIENCE)

    with serve(busy, HOST) as server, dial(url_of(server)) as client:
        client.ping(b"are you there?")
        done.set()
        assert end_of(client) == (1000, "")


@pytest.mark.parametrize("payload", PINGS.values(), ids=PINGS)
def test_it_answers_our_ping(dial: Dial, payload: bytes) -> None:
    def handler(session: Session) -> None:
        assert 0.0 <= session.ping(payload, PATIENCE) < PATIENCE
        session.send("answered")

    with serve(handler, HOST) as server, dial(url_of(server)) as client:
        assert client.recv() == "answered"


def test_its_pings_and_unasked_pongs_are_shown_to_an_endpoint(dial: Dial) -> None:
    class Mirror(Endpoint):
        def on_ping(self, session: Session, payload: bytes) -> None:
            session.send(b"ping " + payload)

        def on_pong(self, session: Session, payload: bytes) -> None:
            session.send(b"pong " + payload)

    with serve(Mirror, HOST) as server, dial(url_of(server)) as client:
        client.pong(b"unasked")
        assert client.recv() == b"pong unasked"
        client.ping(b"asked")
        assert client.recv() == b"ping asked"


@pytest.mark.parametrize(("code", "reason"), CLOSES.values(), ids=CLOSES)
def test_its_close_is_answered_with_the_same_code(dial: Dial, code: int, reason: str) -> None:
    handler = Watched(echo)
    with serve(handler, HOST) as server, dial(url_of(server)) as client:
        client.close(code, reason)
        assert end_of(client)[0] == code  # not every client tells the reason of an answer
        closed = handler.end()
    assert (closed.code, closed.reason) == (code, reason)
    assert closed.clean and closed.initiator is Side.REMOTE and closed.violation is None


@pytest.mark.parametrize(("code", "reason"), CLOSES.values(), ids=CLOSES)
def test_our_close_reaches_it(dial: Dial, code: int, reason: str) -> None:
    handler = Watched(lambda session: session.close(code, reason))
    with serve(handler, HOST) as server, dial(url_of(server)) as client:
        assert end_of(client) == (code, reason)
        closed = handler.end()
    assert closed.sent is not None and (closed.sent.code, closed.sent.reason) == (code, reason)
    assert closed.clean and closed.initiator is Side.LOCAL


def test_what_we_sent_before_our_close_arrives(dial: Dial) -> None:
    messages = [bytes([number]) * 20000 for number in range(100)]

    def handler(session: Session) -> None:
        for message in messages:
            session.send(message)

    with serve(handler, HOST) as server, dial(url_of(server)) as client:
        assert [client.recv() for _ in messages] == messages
        assert end_of(client) == (1000, "")


def test_shutting_down_closes_with_1001(dial: Dial) -> None:
    with serve(echo, HOST) as server, dial(url_of(server)) as client, ThreadPoolExecutor(1) as pool:
        client.send("open")
        assert client.recv() == "open"
        stopped = pool.submit(server.shutdown, reason="good night")
        assert end_of(client) == (1001, "good night")
        stopped.result(PATIENCE)


@pytest.mark.parametrize("row", OUR_NEGOTIATIONS.values(), ids=OUR_NEGOTIATIONS)
def test_a_subprotocol_is_agreed_on(dial: Dial, row: Negotiation) -> None:
    def handler(session: Session) -> None:
        session.send(str(session.subprotocol))

    with (
        serve(handler, HOST, subprotocols=row.supported) as server,
        dial(url_of(server), subprotocols=row.offered) as client,
    ):
        assert client.recv() == str(row.chosen)
        assert client.subprotocol == row.chosen


@pytest.mark.parametrize("row", ORIGINS.values(), ids=ORIGINS)
def test_only_allowed_origins_pass(dial: Dial, row: OriginRow) -> None:
    with serve(echo, HOST, config=Config(origins=row.rule)) as server:
        origin = None if row.origin is None else row.origin.format(f"{HOST}:{server.port}")
        if row.passes:
            with dial(url_of(server), origin=origin) as client:
                client.send("in")
                assert client.recv() == "in"
        else:
            with pytest.raises(Refused) as refused, dial(url_of(server), origin=origin):
                pass
            assert refused.value.status == 403


@pytest.mark.parametrize("refusal", REFUSALS.values(), ids=REFUSALS)
def test_a_refusal_reaches_it(dial: Dial, refusal: Refusal) -> None:
    def refuse(request: Request) -> Response:
        return Response(refusal.status, [refusal.header], refusal.body)

    name, value = refusal.header
    with (
        serve(echo, HOST, process_request=refuse) as server,
        pytest.raises(Refused) as refused,
        dial(url_of(server)),
    ):
        pass
    assert refused.value.status == refusal.status
    assert refused.value.headers.get(name.lower()) == value
    assert refused.value.body in (refusal.body, None)


@pytest.mark.parametrize("size", [1025, 70000, BIG], ids=["one byte", "a frame", "much"])
def test_a_message_over_our_limit_ends_with_1009(dial: Dial, size: int) -> None:
    handler = Watched(echo)
    with serve(handler, HOST, config=with_limit(1024)) as server, dial(url_of(server)) as client:
        with suppress(Ended):  # our Close may reach it while it sends
            client.send(b"x" * size)
        assert end_of(client) == (1009, Violation.MESSAGE_TOO_BIG.sentence)
        assert handler.end().violation is Violation.MESSAGE_TOO_BIG


def test_a_message_of_exactly_our_limit_passes(dial: Dial) -> None:
    with serve(echo, HOST, config=with_limit(1024)) as server, dial(url_of(server)) as client:
        client.send(b"x" * 1024)
        assert client.recv() == b"x" * 1024


def test_a_message_over_its_limit_ends_with_1009(dial: Dial) -> None:
    def handler(session: Session) -> None:
        session.send(b"x" * 5000)
        session.recv(PATIENCE)

    watched = Watched(handler)
    with serve(watched, HOST) as server, dial(url_of(server), max_size=1024) as client:
        end_of(client)
        closed = watched.end()
    assert closed.code == 1009
    assert closed.initiator is Side.REMOTE


def test_over_tls_everything_arrives_and_both_sides_close(dial: Dial, certificates: Certificates) -> None:
    handler = Watched(echo)
    trust = certificates.client_context()
    big = bytes(range(256)) * (BIG // 1024)
    with serve(handler, HOST, ssl=certificates.server_context(), config=with_limit(BIG)) as server:
        with dial(url_of(server, "wss"), ssl=trust, max_size=BIG) as client:
            for message in (*MESSAGES.values(), big):
                client.send(message)
                assert client.recv() == message
            client.ping(b"encrypted")
            client.close(3001, "enough")
            assert end_of(client)[0] == 3001
        assert handler.end().reason == "enough"


def test_over_tls_our_close_reaches_it(dial: Dial, certificates: Certificates) -> None:
    def handler(session: Session) -> None:
        assert session.is_secure
        session.send(b"x" * MEBIBYTE)
        session.close(3002, "that was all")

    watched = Watched(handler)
    with (
        serve(watched, HOST, ssl=certificates.server_context()) as server,
        dial(url_of(server, "wss"), ssl=certificates.client_context()) as client,
    ):
        assert client.recv() == b"x" * MEBIBYTE
        assert end_of(client) == (3002, "that was all")
        assert watched.end().clean


def test_a_client_that_does_not_trust_us_leaves_and_the_next_one_is_served(
    dial: Dial, certificates: Certificates
) -> None:
    stranger = make_certificates().client_context()
    with serve(echo, HOST, ssl=certificates.server_context()) as server:
        with pytest.raises(ssl.SSLCertVerificationError), dial(url_of(server, "wss"), ssl=stranger):
            pass
        with dial(url_of(server, "wss"), ssl=certificates.client_context()) as client:
            client.send("trusted")
            assert client.recv() == "trusted"


def test_many_clients_at_once_get_their_own_messages(dial: Dial) -> None:
    with serve(echo, HOST) as server, ExitStack() as stack, ThreadPoolExecutor(16) as pool:
        clients = [stack.enter_context(dial(url_of(server))) for _ in range(16)]

        def talk(number: int) -> None:
            for turn in range(30):
                clients[number].send(f"{turn} of {number}")
                assert clients[number].recv() == f"{turn} of {number}"

        assert list(pool.map(talk, range(16), timeout=2 * PATIENCE)) == [None] * 16
        assert len(server.sessions) == 16
