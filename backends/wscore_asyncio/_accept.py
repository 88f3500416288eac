"""Accepting connections on a listening socket, in a task.

asyncio's own servers are not used: short of descriptors they log a traceback for every place in the backlog,
or, on uvloop, drop connections and say nothing; and they make a transport before anybody can be turned away.
"""

import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final, final

from wscore_sockets import PAUSE, is_out_of_resources

from ._link import Link
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
        listener.setblocking(False)
        self._loop = asyncio.get_running_loop()
        self._listener = listener
        self._welcome = welcome
        self._stopping = False
        self._said = False  # that accepting pauses
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
            if is_out_of_resources(error):
                await self._pause(error)
            return  # otherwise: it was gone before it was accepted
        self._said = False
        link = self._welcome(sock, address)
        if link is None:
            sock.close()
            return
        arriving = self._loop.create_task(self._introduce(link, sock))
        self._arriving.add(arriving)
        arriving.add_done_callback(self._arriving.discard)

    async def _introduce(self, link: Link, sock: socket.socket) -> None:
        """Give the link its transport."""
        try:
            await self._loop.connect_accepted_socket(lambda: link, sock)
        except Exception as error:
            log.error("a connection is dropped: %s", error)
            sock.close()
            link.connection_lost(error)

    async def _pause(self, error: OSError) -> None:
        """Wait a little for resources to come back; say so once."""
        if not self._said:
            log.error("accepting pauses until there are resources again: %s", error)
        self._said = True
        await asyncio.sleep(PAUSE)

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
