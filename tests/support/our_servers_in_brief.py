"""What every client of others must find at our server whatever backend runs it: the short table.

How much the core does is shown by the long table (`our_server_suite`), which one backend runs. Here each of
the others shows that it brings bytes to the core and back: in both directions, in all sizes, with and
without TLS, to the end of the connection. A test module imports all of these tests and brings a fixture
``dial``, the client; the fixture ``driver`` is in the folder's conftest.
"""

from contextlib import suppress
from queue import SimpleQueue
from typing import Any, final

import pytest

from wscore import (
    Closed,
    CloseError,
    Config,
    Deflate,
    Endpoint,
    Handler,
    Limits,
    Request,
    Response,
    Side,
    Violation,
)
from wscore._typing import override

from .certificates import Certificates
from .conformance.facade import Driver, Serving
from .eventually import PATIENCE, background
from .stranger_cases import (
    BIG,
    CLOSES,
    COMPRESSIBLE,
    FRAGMENTED,
    MESSAGES,
    MUCH,
    NEGOTIATIONS,
    PINGS,
    REFUSALS,
)
from .strangers import Dial, Ended, Fragmenter, Refused, end_of

_SIXTEEN = pytest.param(BIG, marks=pytest.mark.slow, id="sixteen")
SIZES = pytest.mark.parametrize("size", [pytest.param(MUCH, id="two"), _SIXTEEN])


class Echo(Endpoint):
    """Sends everything back."""

    @override
    def on_message(self, session: Any, message: str | bytes) -> None:
        session.send(message)


@final
class Obedient(Echo):
    """Does what a message says: "close CODE REASON", or "flood" and then close; and keeps how it ended."""

    def __init__(self, ends: SimpleQueue[Closed]) -> None:
        self._ends = ends

    @override
    def on_message(self, session: Any, message: str | bytes) -> None:
        match str(message).split(" ", 2):
            case ["close", code, reason]:
                raise CloseError(int(code), reason)
            case ["flood"]:
                for number in range(100):
                    session.send(bytes([number]) * 20000)
                raise CloseError(1000)
            case _:
                super().on_message(session, message)

    @override
    def on_close(self, session: Any, code: int, reason: str) -> None:
        self._ends.put(session.closed)


def watched() -> tuple[Handler, SimpleQueue[Closed]]:
    """Make a handler, and a queue for how its sessions end."""
    ends: SimpleQueue[Closed] = SimpleQueue()
    return Endpoint.factory(lambda: Obedient(ends)), ends


def test_each_backend_echoes_messages_in_order(dial: Dial, driver: Driver) -> None:
    with driver.serve(Serving(endpoint=Echo)) as served, dial(served.url) as client:
        for message in MESSAGES.values():
            client.send(message)
        assert [client.recv() for _ in MESSAGES] == list(MESSAGES.values())


@SIZES
def test_each_backend_echoes_mebibytes(dial: Dial, driver: Driver, size: int) -> None:
    message = bytes(range(256)) * (size // 256)
    serving = Serving(endpoint=Echo, config=Config(limits=Limits(max_message_size=BIG)))
    with driver.serve(serving) as served, dial(served.url, max_size=BIG) as client:
        client.send(message)
        assert client.recv() == message


def test_each_backend_echoes_compressed_messages(dial: Dial, driver: Driver) -> None:
    serving = Serving(endpoint=Echo, config=Config(compression=Deflate()))
    with driver.serve(serving) as served, dial(served.url, deflate=True) as client:
        assert client.compressed
        for message in COMPRESSIBLE.values():
            client.send(message)
            assert client.recv() == message


def test_each_backend_echoes_fragments_as_one_message(dial: Dial, driver: Driver) -> None:
    with driver.serve(Serving(endpoint=Echo)) as served, dial(served.url) as client:
        assert isinstance(client, Fragmenter)
        for parts in FRAGMENTED.values():
            client.send_fragments(parts)
            assert client.recv() == type(parts[0])().join(parts)  # type: ignore[arg-type]  # all str or bytes


def test_each_backend_answers_pings(dial: Dial, driver: Driver) -> None:
    with driver.serve(Serving(endpoint=Echo)) as served, dial(served.url) as client:
        for payload in PINGS.values():
            client.ping(payload)
        client.send("still here")
        assert client.recv() == "still here"


def test_each_backend_has_its_pings_answered(dial: Dial, driver: Driver) -> None:
    with driver.serve(Serving()) as served, dial(served.url) as client:
        session = served.accept()
        for payload in PINGS.values():
            pinging = background(lambda: (session.ping(payload), session.send("answered")))  # noqa: B023
            assert client.recv() == "answered"
            pinging.result()


def test_each_backend_answers_a_close_with_the_same_code(dial: Dial, driver: Driver) -> None:
    handler, ends = watched()
    with driver.serve(Serving(endpoint=handler)) as served:
        for code, reason in CLOSES.values():
            with dial(served.url) as client:
                client.close(code, reason)
                assert end_of(client)[0] == code
            closed = ends.get(timeout=PATIENCE)
            assert (closed.code, closed.reason, closed.clean) == (code, reason, True)
            assert closed.initiator is Side.REMOTE


def test_each_backend_closes_with_a_code_and_a_reason(dial: Dial, driver: Driver) -> None:
    handler, ends = watched()
    with driver.serve(Serving(endpoint=handler)) as served:
        for code, reason in CLOSES.values():
            with dial(served.url) as client:
                client.send(f"close {code} {reason}")
                assert end_of(client) == (code, reason)
            closed = ends.get(timeout=PATIENCE)
            assert closed.clean and closed.initiator is Side.LOCAL


def test_each_backend_sends_everything_before_its_close(dial: Dial, driver: Driver) -> None:
    handler, _ = watched()
    with driver.serve(Serving(endpoint=handler)) as served, dial(served.url) as client:
        client.send("flood")
        assert [client.recv() for _ in range(100)] == [bytes([number]) * 20000 for number in range(100)]
        assert end_of(client) == (1000, "")


def test_each_backend_agrees_on_a_subprotocol(dial: Dial, driver: Driver) -> None:
    for row in (NEGOTIATIONS["one in common"], NEGOTIATIONS["only one"]):
        with (
            driver.serve(Serving(endpoint=Echo, subprotocols=row.supported)) as served,
            dial(served.url, subprotocols=row.offered) as client,
        ):
            assert client.subprotocol == row.chosen


def test_each_backend_refuses_in_words_that_arrive(dial: Dial, driver: Driver) -> None:
    refusals = iter(REFUSALS.values())

    def refuse(request: Request) -> Response:
        refusal = next(refusals)
        return Response(refusal.status, [refusal.header], refusal.body)

    with driver.serve(Serving(endpoint=Echo, process_request=refuse)) as served:
        for refusal in REFUSALS.values():
            with pytest.raises(Refused) as refused, dial(served.url):
                pass
            assert refused.value.status == refusal.status
            assert refused.value.body in (refusal.body, None)


def test_each_backend_ends_a_message_over_the_limit_with_1009(dial: Dial, driver: Driver) -> None:
    handler, ends = watched()
    serving = Serving(endpoint=handler, config=Config(limits=Limits(max_message_size=1024)))
    with driver.serve(serving) as served, dial(served.url) as client:
        with suppress(Ended):  # our Close may reach it while it sends
            client.send(b"x" * MUCH)
        assert end_of(client) == (1009, Violation.MESSAGE_TOO_BIG.sentence)
        assert ends.get(timeout=PATIENCE).violation is Violation.MESSAGE_TOO_BIG


def test_each_backend_speaks_tls_to_the_end(dial: Dial, driver: Driver, certificates: Certificates) -> None:
    handler, ends = watched()
    big = bytes(range(256)) * (MUCH // 256)
    config = Config(limits=Limits(max_message_size=BIG))
    serving = Serving(endpoint=handler, config=config, ssl=certificates.server_context())
    with driver.serve(serving) as served:
        with dial(served.url, ssl=certificates.client_context(), max_size=BIG) as client:
            for message in (*MESSAGES.values(), big):
                client.send(message)
                assert client.recv() == message
            client.close(3001, "enough")
            assert end_of(client)[0] == 3001
        closed = ends.get(timeout=PATIENCE)
    assert (closed.code, closed.reason, closed.clean) == (3001, "enough", True)


def test_each_backend_shuts_down_with_1001(dial: Dial, driver: Driver) -> None:
    with driver.serve(Serving(endpoint=Echo)) as served, dial(served.url) as client:
        client.send("open")
        assert client.recv() == "open"
        stopped = background(lambda: served.shutdown(reason="good night"))
        assert end_of(client) == (1001, "good night")
        stopped.result()
