"""What our client must find at every server of others whatever backend runs it: the short table.

See `our_servers_in_brief`. A test module imports all of these tests and brings a fixture ``play``.
"""

import ssl
from queue import SimpleQueue

import pytest

from wscore import Config, ConnectionClosed, Deflate, HandshakeRefused, Limits, Side, Violation

from .certificates import Certificates, make_certificates
from .conformance.facade import Driver, wait_closed
from .our_servers_in_brief import SIZES
from .stranger_cases import (
    BIG,
    CLOSES,
    COMPRESSIBLE,
    FRAGMENTED,
    MESSAGES,
    MUCH,
    NEGOTIATIONS,
    PINGS,
    REFUSALS_OF_OTHERS,
)
from .strangers import PATIENCE, Fragmenter, Play, Stranger, echo, end_of


def test_each_backend_gets_its_messages_back_in_order(play: Play, driver: Driver) -> None:
    with play(echo) as place, driver.connect(f"ws://{place}") as session:
        for message in MESSAGES.values():
            session.send(message)
        assert [session.recv() for _ in MESSAGES] == list(MESSAGES.values())


@SIZES
def test_each_backend_gets_mebibytes_back(play: Play, driver: Driver, size: int) -> None:
    message = bytes(range(256)) * (size // 256)
    config = Config(limits=Limits(max_message_size=BIG))
    with play(echo, max_size=BIG) as place, driver.connect(f"ws://{place}", config=config) as session:
        session.send(message)
        assert session.recv() == message


def test_each_backend_gets_compressed_messages_back(play: Play, driver: Driver) -> None:
    config = Config(compression=Deflate())
    with play(echo) as place, driver.connect(f"ws://{place}", config=config) as session:
        assert session.native.extensions.startswith("permessage-deflate")
        for message in COMPRESSIBLE.values():
            session.send(message)
            assert session.recv() == message


def test_each_backend_receives_fragments_as_one_message(play: Play, driver: Driver) -> None:
    def script(server: Stranger) -> None:
        assert isinstance(server, Fragmenter)
        for parts in FRAGMENTED.values():
            server.send_fragments(parts)

    with play(script) as place, driver.connect(f"ws://{place}") as session:
        for parts in FRAGMENTED.values():
            assert session.recv() == type(parts[0])().join(parts)  # type: ignore[arg-type]  # all str or bytes


def test_each_backend_pings_and_answers_pings(play: Play, driver: Driver) -> None:
    def script(server: Stranger) -> None:
        for payload in PINGS.values():
            server.ping(payload)
        server.send("answered")
        end_of(server)

    with play(script) as place, driver.connect(f"ws://{place}") as session:
        assert session.recv() == "answered"
        for payload in PINGS.values():
            assert 0.0 <= session.ping(payload) < PATIENCE


def test_each_backend_closes_with_a_code_and_a_reason(play: Play, driver: Driver) -> None:
    ends: SimpleQueue[tuple[int, str]] = SimpleQueue()
    with play(lambda server: ends.put(end_of(server))) as place:
        for code, reason in CLOSES.values():
            session = driver.connect(f"ws://{place}")
            session.close(code, reason)
            assert ends.get(timeout=PATIENCE) == (code, reason)
            closed = wait_closed(session)
            assert closed.clean and closed.initiator is Side.LOCAL


def test_each_backend_hears_a_close_behind_the_messages(play: Play, driver: Driver) -> None:
    for code, reason in CLOSES.values():

        def script(server: Stranger) -> None:
            server.send("one")
            server.send("two")
            server.close(code, reason)  # noqa: B023  # it is over before the next turn

        with play(script) as place, driver.connect(f"ws://{place}") as session:
            assert session.rest() == ["one", "two"]
            closed = wait_closed(session)
        assert (closed.code, closed.reason, closed.clean) == (code, reason, True)
        assert closed.initiator is Side.REMOTE


def test_each_backend_agrees_on_a_subprotocol(play: Play, driver: Driver) -> None:
    for row in (NEGOTIATIONS["one in common"], NEGOTIATIONS["only one"]):
        with (
            play(echo, subprotocols=row.supported) as place,
            driver.connect(f"ws://{place}", subprotocols=row.offered) as session,
        ):
            assert session.native.subprotocol == row.chosen


def test_each_backend_raises_a_refusal(play: Play, driver: Driver) -> None:
    for refusal in REFUSALS_OF_OTHERS.values():
        with play(echo, refusal=refusal) as place, pytest.raises(HandshakeRefused) as refused:
            driver.connect(f"ws://{place}")
        response = refused.value.response
        assert response.status == refusal.status
        assert response.headers.get(refusal.header[0]) == refusal.header[1]
        assert response.body == refusal.body


def test_each_backend_ends_a_message_over_the_limit_with_1009(play: Play, driver: Driver) -> None:
    ends: SimpleQueue[tuple[int, str]] = SimpleQueue()

    def script(server: Stranger) -> None:
        server.send(b"x" * 70000)
        ends.put(end_of(server))

    config = Config(limits=Limits(max_message_size=1024))
    with play(script) as place, driver.connect(f"ws://{place}", config=config) as session:
        with pytest.raises(ConnectionClosed) as end:
            session.recv()
        assert end.value.closed.violation is Violation.MESSAGE_TOO_BIG
        assert ends.get(timeout=PATIENCE) == (1009, Violation.MESSAGE_TOO_BIG.sentence)


def test_each_backend_speaks_tls_to_the_end(play: Play, driver: Driver, certificates: Certificates) -> None:
    messages = (*MESSAGES.values(), bytes(range(256)) * (MUCH // 256))

    def script(server: Stranger) -> None:
        for _ in messages:
            server.send(server.recv())
        server.close(3002, "that was all")

    config = Config(limits=Limits(max_message_size=BIG))
    trust = certificates.client_context()
    with (
        play(script, ssl=certificates.server_context(), max_size=BIG) as place,
        driver.connect(f"wss://{place}", ssl=trust, config=config) as session,
    ):
        for message in messages:
            session.send(message)
            assert session.recv() == message
        assert session.rest() == []
        closed = wait_closed(session)
    assert (closed.code, closed.reason, closed.clean) == (3002, "that was all", True)


def test_each_backend_leaves_whom_it_does_not_trust(
    play: Play, driver: Driver, certificates: Certificates
) -> None:
    trust = make_certificates().client_context()
    with play(echo, ssl=certificates.server_context()) as place, pytest.raises(ssl.SSLCertVerificationError):
        driver.connect(f"wss://{place}", ssl=trust)
