"""What our client must find at every server of others.

A test module imports all of these tests and brings a fixture ``play``, the server; see `strangers`.
"""

import ssl
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from queue import SimpleQueue

import pytest

from wscore import (
    Config,
    ConnectionClosed,
    Deflate,
    Endpoint,
    HandshakeRefused,
    Limits,
    LocalProtocolError,
    Side,
    Violation,
)
from wscore_threading import Session, connect

from .certificates import Certificates, make_certificates
from .stranger_cases import (
    BIG,
    CLOSES,
    COMPRESSIBLE,
    DEFLATES,
    FRAGMENTED,
    MEBIBYTE,
    MESSAGES,
    NEGOTIATIONS,
    PINGS,
    REFUSALS_OF_OTHERS,
    Negotiation,
    Refusal,
)
from .strangers import PATIENCE, Fragmenter, Play, Stranger, echo, end_of


def with_limit(size: int) -> Config:
    """Accept messages up to size."""
    return Config(limits=Limits(max_message_size=size))


@pytest.mark.parametrize("message", MESSAGES.values(), ids=MESSAGES)
def test_a_message_comes_back_as_we_sent_it(play: Play, message: str | bytes) -> None:
    with play(echo) as place, connect(f"ws://{place}") as session:
        session.send(message)
        assert session.recv(PATIENCE) == message


def test_messages_come_back_in_order(play: Play) -> None:
    with play(echo) as place, connect(f"ws://{place}") as session:
        for _ in range(20):
            for message in MESSAGES.values():
                session.send(message)
            assert [session.recv(PATIENCE) for _ in MESSAGES] == list(MESSAGES.values())


def test_sixteen_mebibytes_come_back_uncompressed(play: Play) -> None:
    message = bytes(range(256)) * (BIG // 256)
    with play(echo, max_size=BIG) as place, connect(f"ws://{place}", config=with_limit(BIG)) as session:
        assert session.response.headers.get("Sec-WebSocket-Extensions") is None
        session.send(message)
        assert session.recv(PATIENCE) == message


@pytest.mark.parametrize("deflate", DEFLATES.values(), ids=DEFLATES)
def test_compressed_messages_come_back_as_we_sent_them(play: Play, deflate: Deflate) -> None:
    with (
        play(echo) as place,
        connect(f"ws://{place}", config=Config(compression=deflate)) as session,
    ):
        assert session.extensions.startswith("permessage-deflate")
        for message in COMPRESSIBLE.values():
            session.send(message)
            assert session.recv(PATIENCE) == message


@pytest.mark.parametrize("parts", FRAGMENTED.values(), ids=FRAGMENTED)
def test_fragments_arrive_as_one_message(play: Play, parts: list[str] | list[bytes]) -> None:
    def script(server: Stranger) -> None:
        assert isinstance(server, Fragmenter)
        server.send_fragments(parts)

    with play(script) as place, connect(f"ws://{place}") as session:
        whole = type(parts[0])().join(parts)  # type: ignore[arg-type]  # all str or all bytes
        assert session.recv(PATIENCE) == whole


@pytest.mark.parametrize("payload", PINGS.values(), ids=PINGS)
def test_it_answers_our_ping(play: Play, payload: bytes) -> None:
    with play(echo) as place, connect(f"ws://{place}") as session:
        latency = session.ping(payload, PATIENCE)
        assert latency == session.latency
        assert 0.0 <= latency < PATIENCE


@pytest.mark.parametrize("payload", PINGS.values(), ids=PINGS)
def test_its_ping_is_answered_while_we_wait_for_a_message(play: Play, payload: bytes) -> None:
    def script(server: Stranger) -> None:
        server.ping(payload)
        server.send("answered")

    with play(script) as place, connect(f"ws://{place}") as session:
        assert session.recv(PATIENCE) == "answered"


def test_its_ping_is_answered_while_we_do_something_else(play: Play) -> None:
    answered: SimpleQueue[bool] = SimpleQueue()

    def script(server: Stranger) -> None:
        server.ping(b"are you there?")
        answered.put(True)

    with play(script) as place, connect(f"ws://{place}"):
        assert answered.get(timeout=PATIENCE)


def test_its_pings_and_unasked_pongs_are_shown_to_an_endpoint(play: Play) -> None:
    seen: SimpleQueue[tuple[str, bytes]] = SimpleQueue()

    class Observer(Endpoint):
        def on_ping(self, session: Session, payload: bytes) -> None:
            seen.put(("ping", payload))

        def on_pong(self, session: Session, payload: bytes) -> None:
            seen.put(("pong", payload))

    def script(server: Stranger) -> None:
        server.ping(b"asked")
        server.pong(b"unasked")
        end_of(server)

    with play(script) as place, connect(f"ws://{place}", Observer):
        assert seen.get(timeout=PATIENCE) == ("ping", b"asked")
        assert seen.get(timeout=PATIENCE) == ("pong", b"unasked")


@pytest.mark.parametrize(("code", "reason"), CLOSES.values(), ids=CLOSES)
def test_our_close_reaches_it_and_is_answered(play: Play, code: int, reason: str) -> None:
    ends: SimpleQueue[tuple[int, str]] = SimpleQueue()
    with play(lambda server: ends.put(end_of(server))) as place:
        session = connect(f"ws://{place}")
        session.close(code, reason)
        assert ends.get(timeout=PATIENCE) == (code, reason)
    closed = session.closed
    assert closed is not None and closed.clean
    assert closed.initiator is Side.LOCAL


@pytest.mark.parametrize(("code", "reason"), CLOSES.values(), ids=CLOSES)
def test_its_close_reaches_us_behind_its_messages(play: Play, code: int, reason: str) -> None:
    def script(server: Stranger) -> None:
        server.send("one")
        server.send("two")
        server.close(code, reason)
        ends.put(end_of(server)[0])  # not every server tells the reason of an answer

    ends: SimpleQueue[int] = SimpleQueue()
    with play(script) as place:
        with connect(f"ws://{place}") as session:
            assert list(session) == ["one", "two"]
            with pytest.raises(ConnectionClosed) as end:
                session.send("too late")
        assert ends.get(timeout=PATIENCE) == code
    closed = end.value.closed
    assert (closed.code, closed.reason) == (code, reason)
    assert closed.clean and closed.initiator is Side.REMOTE


def test_what_we_sent_before_our_close_arrives(play: Play) -> None:
    messages = [bytes([number]) * 20000 for number in range(100)]
    received: SimpleQueue[list[str | bytes]] = SimpleQueue()

    def script(server: Stranger) -> None:
        received.put([server.recv() for _ in messages])
        end_of(server)

    with play(script) as place:
        with connect(f"ws://{place}") as session:
            for message in messages:
                session.send(message)
        assert received.get(timeout=PATIENCE) == messages


def test_after_our_close_nothing_may_be_sent_but_its_messages_still_arrive(play: Play) -> None:
    spoken: SimpleQueue[bool] = SimpleQueue()

    def script(server: Stranger) -> None:
        server.send("last words")
        spoken.put(True)
        end_of(server)

    with play(script) as place, connect(f"ws://{place}") as session:
        assert spoken.get(timeout=PATIENCE)
        session.close(wait=False)
        with pytest.raises((LocalProtocolError, ConnectionClosed)):
            session.send("more")
        assert list(session) == ["last words"]


@pytest.mark.parametrize("row", NEGOTIATIONS.values(), ids=NEGOTIATIONS)
def test_a_subprotocol_is_agreed_on(play: Play, row: Negotiation) -> None:
    def script(server: Stranger) -> None:
        server.send(str(server.subprotocol))
        end_of(server)

    with (
        play(script, subprotocols=row.supported) as place,
        connect(f"ws://{place}", subprotocols=row.offered) as session,
    ):
        assert session.recv(PATIENCE) == str(row.chosen)
        assert session.subprotocol == row.chosen


@pytest.mark.parametrize("refusal", REFUSALS_OF_OTHERS.values(), ids=REFUSALS_OF_OTHERS)
def test_its_refusal_is_raised_with_status_header_and_body(play: Play, refusal: Refusal) -> None:
    name, value = refusal.header
    with play(echo, refusal=refusal) as place, pytest.raises(HandshakeRefused) as refused:
        connect(f"ws://{place}")
    response = refused.value.response
    assert response.status == refusal.status
    assert response.headers.get(name) == value
    assert response.body == refusal.body


@pytest.mark.parametrize("size", [1025, 70000, MEBIBYTE], ids=["one byte", "a frame", "much"])
def test_a_message_over_our_limit_ends_with_1009(play: Play, size: int) -> None:
    ends: SimpleQueue[tuple[int, str]] = SimpleQueue()

    def script(server: Stranger) -> None:
        server.send(b"x" * size)
        ends.put(end_of(server))

    with play(script) as place, connect(f"ws://{place}", config=with_limit(1024)) as session:
        with pytest.raises(ConnectionClosed) as end:
            session.recv(PATIENCE)
        assert end.value.closed.violation is Violation.MESSAGE_TOO_BIG
        assert ends.get(timeout=PATIENCE) == (1009, Violation.MESSAGE_TOO_BIG.sentence)


@pytest.mark.parametrize("size", [1025, BIG], ids=["one byte", "much"])
def test_a_message_over_its_limit_ends_with_1009(play: Play, size: int) -> None:
    with play(echo, max_size=1024) as place, connect(f"ws://{place}") as session:
        with suppress(ConnectionClosed):  # its Close may reach us while we send
            session.send(b"x" * size)
        with pytest.raises(ConnectionClosed) as end:
            session.recv(PATIENCE)
    assert end.value.closed.code == 1009
    assert end.value.closed.initiator is Side.REMOTE


def test_over_tls_everything_arrives_and_it_sees_our_close(play: Play, certificates: Certificates) -> None:
    ends: SimpleQueue[tuple[int, str]] = SimpleQueue()
    messages = (*MESSAGES.values(), bytes(range(256)) * (BIG // 1024))

    def script(server: Stranger) -> None:
        for _ in messages:
            server.send(server.recv())
        ends.put(end_of(server))

    with (
        play(script, ssl=certificates.server_context(), max_size=BIG) as place,
        connect(f"wss://{place}", ssl=certificates.client_context(), config=with_limit(BIG)) as session,
    ):
        assert session.is_secure
        for message in messages:
            session.send(message)
            assert session.recv(PATIENCE) == message
        session.close(3001, "enough")
        assert ends.get(timeout=PATIENCE) == (3001, "enough")


def test_over_tls_its_close_reaches_us(play: Play, certificates: Certificates) -> None:
    def script(server: Stranger) -> None:
        server.send("secret")
        server.close(3002, "that was all")

    with (
        play(script, ssl=certificates.server_context()) as place,
        connect(f"wss://{place}", ssl=certificates.client_context()) as session,
    ):
        assert list(session) == ["secret"]
        assert session.closed is not None
        assert (session.closed.code, session.closed.reason, session.closed.clean) == (
            3002,
            "that was all",
            True,
        )


def test_a_certificate_of_an_unknown_authority_is_not_accepted(
    play: Play, certificates: Certificates
) -> None:
    trust = make_certificates().client_context()
    with (
        play(echo, ssl=certificates.server_context()) as place,
        pytest.raises(ssl.SSLCertVerificationError),
    ):
        connect(f"wss://{place}", ssl=trust)


def test_without_a_context_only_the_authorities_of_the_system_count(
    play: Play, certificates: Certificates
) -> None:
    with (
        play(echo, ssl=certificates.server_context()) as place,
        pytest.raises(ssl.SSLCertVerificationError),
    ):
        connect(f"wss://{place}")


def test_a_certificate_for_another_name_is_not_accepted(play: Play, certificates: Certificates) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificates.authority.issue_cert("other.example").configure_cert(context)
    with play(echo, ssl=context) as place, pytest.raises(ssl.SSLCertVerificationError) as refused:
        connect(f"wss://{place}", ssl=certificates.client_context())
    assert "127.0.0.1" in str(refused.value)


def test_many_sessions_at_once_get_their_own_messages(play: Play) -> None:
    with play(echo) as place:
        # All are open before the first one speaks.
        sessions = [connect(f"ws://{place}") for _ in range(16)]

        def talk(number: int) -> None:
            with sessions[number] as session:
                for turn in range(30):
                    session.send(f"{turn} of {number}")
                    assert session.recv(PATIENCE) == f"{turn} of {number}"

        with ThreadPoolExecutor(16) as pool:
            assert list(pool.map(talk, range(16), timeout=2 * PATIENCE)) == [None] * 16
