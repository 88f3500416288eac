"""Accepting connections on a listening socket, in a task.

asyncio's own servers are not used: short of descriptors they log a traceback for every place in the backlog,
or, on uvloop, drop connections and say nothing; and they make a transport before anybody can be turned away.
"""

import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final, final

from wscore_sockets import PAUSE, Shortage

from ._link import Link, as_protocol
from ._session import log

_AT_ONCE: Final = 32  # connections accepted before others have their turn


@final
class Acceptor:
    """Accepts until it is stopped.

    Args:
        listener: a listening socket; closed in the end.
        welcome: called with each new socket and its peer's address; returns what is to drive it, or None to
            have it dropped.
    """

    def __init__(self, listener: socket.socket, welcome: Callable[[socket.socket, Any], Link | None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._listener = listener
        self._welcome = welcome
        self._stopping = False
        self._shortage = Shortage(log.error)
        self._arriving: set[asyncio.Task[None]] = set()
        self._task = self._loop.create_task(self._run(), name="wscore accepts")

    async def _run(self) -> None:
        while not self._stopping:
            for _ in range(_AT_ONCE):
                await self._accept()
                if self._stopping:
                    break
            else:
                await asyncio.sleep(0)

    async def _accept(self) -> None:
        """Wait for one connection, and let it begin."""
        try:
            sock, address = await self._loop.sock_accept(self._listener)
        except OSError as error:
            if self._shortage.begins(error):
                await asyncio.sleep(PAUSE)
            return
        self._shortage.ends()
        link = self._try_to_welcome(sock, address)
        if link is None:
            sock.close()
            return
        arriving = self._loop.create_task(self._introduce(link, sock))
        self._arriving.add(arriving)
        arriving.add_done_callback(self._arriving.discard)

    def _try_to_welcome(self, sock: socket.socket, address: Any) -> Link | None:
        """Let a connection in, or log why not: whatever happens to one, others must be accepted."""
        try:
            return self._welcome(sock, address)
        except Exception as error:
            log.error("a connection is dropped: %s", error)
            return None

    async def _introduce(self, link: Link, sock: socket.socket) -> None:
        """Give the link its transport."""
        try:
            await self._loop.connect_accepted_socket(lambda: as_protocol(link), sock)
        except Exception as error:
            log.error("a connection is dropped: %s", error)
            sock.close()
            link.connection_lost(error)

    async def stop(self) -> None:
        """Accept no more, and close what listens; where that was cut short, calling it again completes it.

        What the loop has accepted in this very turn is still let in: to cancel at once would lose it.
        """
        self._stopping = True
        with suppress(NotImplementedError, RuntimeError, ValueError):  # loops that wait otherwise; closed
            self._loop.remove_reader(self._listener)
        await asyncio.sleep(0)
        self._task.cancel()
        await asyncio.wait([self._task])
        self._listener.close()
