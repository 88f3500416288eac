"""Opening handshakes on asyncio: what the application decides, plain or awaited, and what can go wrong."""

import asyncio
import socket
from collections.abc import Callable
from typing import Any

import pytest

import wscore_asyncio
from support.looped import descriptors, echo, eventually, soon, turns, url_of
from support.raw import RawListener, dial
from support.wire import REQUEST
from wscore import (
    ConnectionLost,
    Endpoint,
    HandshakeRefused,
    InvalidURL,
    LocalProtocolError,
    RemoteProtocolError,
    Request,
    Response,
)
from wscore.policy import Accept
from wscore_asyncio import Session, connect, serve


def _decide(request: Request) -> Response | Accept | None:
    match request.path:
        case "/no":
            return Response(403, [("X-Why", "because")], b"no")
        case "/user":
            return Accept(user="somebody", headers=[("X-Hello", "you")])
        case "/raise":
            raise ValueError
        case "/wrong":
            return "nonsense"  # type: ignore[return-value]
        case _:
            return None


async def _decide_later(request: Request) -> Response | Accept | None:
    await asyncio.sleep(0)
    return _decide(request)


@pytest.mark.parametrize("process_request", [_decide, _decide_later])
async def test_process_request_may_be_plain_or_a_coroutine_function(
    process_request: Callable[..., Any],
) -> None:
    users = []

    async def handler(session: Session) -> None:
        users.append(session.user)
        await echo(session)

    async with serve(handler, "127.0.0.1", process_request=process_request) as server:
        with pytest.raises(HandshakeRefused) as refused:
            await soon(connect(url_of(server) + "no"))
        assert refused.value.response.status == 403 and refused.value.response.body == b"no"
        assert refused.value.response.headers.get("x-why") == "because"
        for path in ("raise", "wrong"):
            with pytest.raises(HandshakeRefused) as refused:
                await soon(connect(url_of(server) + path))
            assert refused.value.response.status == 500
        for path in ("", "user"):
            async with connect(url_of(server) + path) as session:
                await session.send("hello")
                assert await soon(session.recv()) == "hello"
                assert session.response.headers.get("x-hello") == ("you" if path else None)
        assert users == [None, "somebody"]
        with dial(server.port) as peer:  # RFC 9110 section 15.5.22
            peer.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            assert (await asyncio.to_thread(peer.read_head)).startswith(b"HTTP/1.1 426 ")


async def test_a_decision_that_nobody_waits_for_any_more_is_cancelled() -> None:
    cancelled = asyncio.Event()
    asked = asyncio.Event()

    async def think(request: Request) -> None:
        asked.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    async with serve(echo, "127.0.0.1", process_request=think) as server:
        with dial(server.port) as peer:
            peer.send(REQUEST)
            await soon(asked.wait())
            peer.reset()
        await soon(cancelled.wait())


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"", ConnectionLost),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", HandshakeRefused),
        (b"HTTP/1.1 101 Switching Protocols\r\n\r\n", RemoteProtocolError),
        (b"SSH-2.0-OpenSSH_9.6\r\n\r\n", RemoteProtocolError),
    ],
)
async def test_what_a_server_answers_wrongly_is_told(answer: bytes, error: type[Exception]) -> None:
    with RawListener() as listener:
        opening = asyncio.ensure_future(soon(connect(listener.url)))
        peer = await asyncio.to_thread(listener.accept)
        await asyncio.to_thread(peer.read_head)
        peer.send(answer)
        peer.close()
        with pytest.raises(error):
            await opening


async def test_a_reset_before_the_answer_is_told() -> None:
    with RawListener() as listener:
        for _ in range(5):
            opening = asyncio.ensure_future(soon(connect(listener.url)))
            (await asyncio.to_thread(listener.accept)).reset()
            with pytest.raises((ConnectionResetError, ConnectionLost, BrokenPipeError)):
                await opening


async def test_what_cannot_be_asked_for_is_told_before_anything_happens() -> None:
    with pytest.raises(InvalidURL):
        connect("http://localhost/")
    with pytest.raises(LocalProtocolError):
        await connect("ws://127.0.0.1:1/", subprotocols=["not a token"])
    with pytest.raises(ConnectionRefusedError):
        await connect(f"ws://127.0.0.1:{_unused_port()}/")
    with pytest.raises(TypeError):
        connect("ws://127.0.0.1:1/", 5)  # type: ignore[arg-type]


def _unused_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


async def test_a_socket_that_was_handed_over_is_used_and_closed_also_when_opening_fails() -> None:
    def fail() -> Endpoint:
        raise ValueError("no endpoint today")

    async with serve(echo, "127.0.0.1") as server:
        async with connect(url_of(server)):
            pass  # the first one leaves uvloop with a descriptor of its own
        await eventually(lambda: not server.sessions)
        await turns()
        before = descriptors()
        sock = socket.create_connection(("127.0.0.1", server.port))
        async with connect("ws://elsewhere.example/", sock=sock) as session:
            assert session.request.host == "elsewhere.example"
            await session.send("hello")
            assert await soon(session.recv()) == "hello"
        sock = socket.create_connection(("127.0.0.1", server.port))
        with pytest.raises(ValueError, match="today"):
            await connect("ws://elsewhere.example/", Endpoint.factory(fail), sock=sock)
        assert sock.fileno() == -1
        await eventually(lambda: descriptors() <= before)


async def test_unix_sockets_and_sockets_that_listen_already_are_served(tmp_path: Any) -> None:
    path = str(tmp_path / "socket")
    async with serve(echo, unix=path) as server:
        assert server.port == 0
        async with connect("ws://localhost/", unix=path) as session:
            await session.send("hello")
            assert await soon(session.recv()) == "hello"
            session.abort()
    listener = socket.create_server(("127.0.0.1", 0))
    async with serve(echo, sockets=[listener]) as server, connect(url_of(server)) as session:
        await session.send("hello")
        assert await soon(session.recv()) == "hello"
    assert listener.fileno() == -1


async def test_a_server_that_cannot_listen_leaves_nothing_open() -> None:
    async with serve(echo, "127.0.0.1") as server:
        before = descriptors()
        with pytest.raises(OSError, match="in use"):
            await serve(echo, ["127.0.0.2", "127.0.0.1"], server.port)
        assert descriptors() <= before


async def test_the_example_in_the_docstring_runs() -> None:
    doc = wscore_asyncio.__doc__
    assert doc is not None
    code = doc.partition("::\n")[2].partition("\nA handler may")[0]
    lines = ["async def example():", *code.splitlines()]
    names: dict[str, Any] = {"wscore_asyncio": wscore_asyncio}
    said: list[object] = []
    text = "\n".join(lines).replace("8765", str(_unused_port()))
    text = text.replace("await server.serve_forever()", "await client()")
    server_part, _, client_part = text.rpartition("    async with wscore_asyncio.connect")
    client = "async def client():\n    async with wscore_asyncio.connect" + client_part
    exec(server_part, names)
    exec(client, {**names, "print": said.append}, names)
    await soon(names["example"]())
    assert said == ["hello"]
