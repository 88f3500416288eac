"""A complete driver for the core in one function: one connection, one thread, `select`.

This is all that a backend must do: pass on what arrived, write what is given out, keep the deadline, act on
the transport. Nothing here knows a rule of the protocol.
"""

import socket
from collections.abc import Callable
from contextlib import suppress
from select import select
from time import monotonic

from wscore import Connection, ConnectionClosed, Event, Opened, RequestReceived, Role, TransportAction
from wscore_sockets import drop


def drive(core: Connection, sock: socket.socket, react: Callable[[Event], None]) -> None:
    """Run core over a connected socket until the connection has ended; react gets every event."""
    sock.setblocking(False)
    unsent, shut = memoryview(b""), False
    with sock:
        while True:
            while core.writable and (event := core.next_event()) is not None:
                with suppress(ConnectionClosed):  # react has met the end before its event
                    react(event)
            if not unsent:  # asking again says: all before has left
                unsent = memoryview(b"".join(core.data_to_send(monotonic())))
            if core.writable and core.events_waiting:  # what has left has made room for replies
                continue
            action, deadline = core.transport_action(), core.next_deadline()
            if action is TransportAction.ABORT:
                return drop(sock)
            if action is TransportAction.CLOSE:
                return
            with suppress(OSError):  # whatever is wrong with it, reading will tell
                if action is TransportAction.SHUTDOWN_WRITE and not shut:
                    shut = True
                    sock.shutdown(socket.SHUT_WR)
            wait = None if deadline is None else max(deadline - monotonic(), 0.0)
            readable, writable, _ = select([sock] * core.wants_read, [sock] * bool(unsent), [], wait)
            try:
                if writable:
                    unsent = unsent[sock.send(unsent) :]
                    core.handle_progress(monotonic())
            except BlockingIOError:
                pass  # not writable after all
            except OSError:
                unsent = memoryview(b"")  # the peer is gone; what it sent before is still to be read
            try:
                if readable:
                    data = sock.recv(65536)
                    core.receive_data(data, monotonic()) if data else core.receive_eof(monotonic())
            except BlockingIOError:
                pass  # not readable after all
            except OSError:
                core.receive_eof(monotonic())
            core.handle_deadline(monotonic())


def ask(host: str, port: int, question: str) -> list[str | bytes]:
    """Be a client: open a connection, send a text, wait for one message, and close."""
    core = Connection(Role.CLIENT, now=monotonic())
    core.send_request(f"ws://{host}:{port}/", now=monotonic())
    answers: list[str | bytes] = []

    def react(event: Event) -> None:
        if isinstance(event, Opened):
            core.send_text(question)
        elif isinstance(event, (str, bytes)):
            answers.append(event)
            core.close(now=monotonic())

    drive(core, socket.create_connection((host, port)), react)
    return answers


def echo(sock: socket.socket) -> None:
    """Be a server for one accepted connection: send every message back."""
    core = Connection(Role.SERVER, now=monotonic())

    def react(event: Event) -> None:
        if isinstance(event, RequestReceived):
            if event.request.is_upgrade:
                core.accept(now=monotonic())
            else:
                core.respond(426, now=monotonic())
        elif isinstance(event, str):
            core.send_text(event)
        elif isinstance(event, bytes):
            core.send_bytes(event)

    drive(core, sock, react)


if __name__ == "__main__":
    print(ask("127.0.0.1", 8765, "hello"))
