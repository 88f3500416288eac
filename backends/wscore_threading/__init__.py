"""WebSocket clients and servers that block: one thread per connection, on the wscore core.

::

    def echo(session):
        for message in session:
            session.send(message)

    with wscore_threading.serve(echo, "127.0.0.1", 8765) as server:
        server.serve_forever()

    with wscore_threading.connect("ws://127.0.0.1:8765") as session:
        session.send("hello")
        print(session.recv())

A handler may also be an `wscore.Endpoint` with hooks. Threads: one per connection of a server, one that
accepts, and one per process that keeps time; a client without hooks has none of its own.
"""

from ._client import connect
from ._reconnect import reconnect
from ._server import Server, serve
from ._session import Session, broadcast

__all__ = ["Server", "Session", "broadcast", "connect", "reconnect", "serve"]
