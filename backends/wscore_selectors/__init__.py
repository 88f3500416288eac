"""WebSocket clients and servers in one thread: callbacks on the stdlib's selectors, on the wscore core.

::

    class Echo(wscore.Endpoint):
        def on_message(self, session, message):
            session.send(message)

    reactor = wscore_selectors.Reactor()
    reactor.serve(Echo(), "127.0.0.1", 8765)
    reactor.connect("ws://example.com/feed", Reader)
    reactor.run_until_signal()

Nothing waits but the reactor: a hook that takes long keeps everybody waiting. Other threads reach it by
`Reactor.call_soon_threadsafe` alone. It can also be driven from inside another loop: watch
`Reactor.fileno`, and call ``run_once(0)`` when that is readable or `Reactor.next_deadline` has come.
"""

from ._client import Dialing
from ._reactor import Reactor
from ._reconnect import Reconnecting
from ._server import Server
from ._session import Session, broadcast
from ._timers import TimerHandle

__all__ = ["Dialing", "Reactor", "Reconnecting", "Server", "Session", "TimerHandle", "broadcast"]
