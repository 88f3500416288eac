"""A complete driver for the core in one function: one connection, one thread, `select`.

This is all that a backend must do: pass on what arrived, write what is given out, keep the deadline, act on
the transport. Nothing here knows a rule of the protocol.
"""

import socket
from collections.abc import Callable
from select import select
from time import monotonic

from wscore import Connection, Event, Opened, Role, TransportAction


def drive(core: Connection, sock: socket.socket, react: Callable[[Event], None]) -> None:
    """Run core over a connected socket until the connection has ended; react gets every event."""
    sock.setblocking(False)
    unsent, shut = memoryview(b""), False
    while True:
        while (event := core.next_event()) is not None:
            react(event)
        if not unsent:  # asking again says: all before has left
            unsent = memoryview(b"".join(core.data_to_send(monotonic())))
        action = core.transport_action()
        if action is TransportAction.ABORT or (action is TransportAction.CLOSE and not unsent):
            return sock.close()
        if action is TransportAction.SHUTDOWN_WRITE and not unsent and not shut:
            sock.shutdown(socket.SHUT_WR)
            shut = True
        deadline = core.next_deadline()
        wait = None if deadline is None else max(deadline - monotonic(), 0.0)
        readable, writable, _ = select([sock] * core.wants_read, [sock] * bool(unsent), [], wait)
        try:
            if writable:
                unsent = unsent[sock.send(unsent) :]
                core.handle_progress(monotonic())
            if readable:
                data = sock.recv(65536)
                core.receive_data(data, monotonic()) if data else core.receive_eof(monotonic())
        except OSError:
            core.receive_eof(monotonic())
            unsent = memoryview(b"")
        core.handle_deadline(monotonic())


def ask(host: str, port: int, question: str) -> list[str | bytes]:
    """Open a connection, send a text, wait for one message, and close."""
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


if __name__ == "__main__":
    print(ask("127.0.0.1", 8765, "hello"))
