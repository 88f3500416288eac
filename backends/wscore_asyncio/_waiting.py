"""Waiting for what a link sees; cancelled, a wait has changed nothing.

Apart from the link, which is compiled: native coroutines pass exceptions on in a way that newer Pythons warn
of.
"""

import asyncio

from wscore import Ping

from ._link import Link


async def for_events(link: Link) -> None:
    """Wait until the core may have an event."""
    future = link.expect_events()
    try:
        await future
    finally:
        link.reader = None


async def for_room(link: Link) -> None:
    """Wait until the core has room for output, and let the loop turn once in any case."""
    await asyncio.sleep(0)
    while not link.core.writable:
        await _to_be_woken(link)


async def for_pong(link: Link, ping: Ping) -> None:
    """Wait until ping is answered or the connection has ended."""
    while ping.latency is None and link.core.closed is None:
        entry = ping, asyncio.get_running_loop().create_future()
        link.pings.append(entry)
        try:
            await entry[1]
        finally:
            if entry in link.pings:
                link.pings.remove(entry)


async def until_over(link: Link) -> None:
    """Wait until the transport is gone, which the core bounds."""
    while not link.is_over:
        await _to_be_woken(link)


async def _to_be_woken(link: Link) -> None:
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    link.waiting.append(future)
    try:
        await future
    finally:
        if future in link.waiting:
            link.waiting.remove(future)
