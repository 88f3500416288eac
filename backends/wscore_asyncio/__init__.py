"""WebSocket clients and servers on asyncio, or uvloop, on the wscore core.

::

    async def echo(session):
        async for message in session:
            await session.send(message)

    async with wscore_asyncio.serve(echo, "127.0.0.1", 8765) as server:
        await server.serve_forever()

    async with wscore_asyncio.connect("ws://127.0.0.1:8765") as session:
        await session.send("hello")
        print(await session.recv())

A handler may also be an `wscore.Endpoint` with hooks. Plain hooks are called straight from the read path and
cost no task; hooks may be coroutine functions, too: then a task per session awaits them one by one.
"""

from ._client import connect
from ._reconnect import reconnect
from ._server import Server, serve
from ._session import Session, broadcast

__all__ = ["Server", "Session", "broadcast", "connect", "reconnect", "serve"]
