"""Tools to test what is built on the core: no socket, no thread, no waiting.

- `Pair`: a client and a server joined back to back on a virtual `Clock`. Bytes travel when you say so, time
  passes when you say so, and the events of both sides are kept in lists. Each direction is a `Link`, which
  can be slow, cut the stream in pieces, or fail in every way that TCP can.
- `ScriptedPeer`: one connection, and a peer that is a script: it says and expects frames, wrong ones, too.
  `Frame` writes any of them, `Head` is an HTTP head that came.
- `drain`: takes every output of one connection.
- `cuttings`: one stream, cut in every way that has broken a parser before; `feed`: a connection that must
  give the same whichever way it was cut.
- `repeatable_entropy`: a source of "random" bytes that gives the same ones in every run.

The module `wscore.testing.plugin` has fixtures for pytest. Nothing else here knows a test framework: what
goes wrong is an AssertionError that says what was expected and what came.

::

    >>> pair = Pair()
    >>> pair.open()
    >>> pair.client.send_text("hello")
    >>> pair.exchange()
    >>> pair.server_events[-1]
    'hello'
"""

from ._clock import Clock, Timed
from ._cutting import cuttings, feed
from ._drain import Output, drain, repeatable_entropy
from ._frame import Frame
from ._head import Head
from ._link import Link
from ._pair import Pair
from ._script import ScriptedPeer

__all__ = [
    "Clock",
    "Frame",
    "Head",
    "Link",
    "Output",
    "Pair",
    "ScriptedPeer",
    "Timed",
    "cuttings",
    "drain",
    "feed",
    "repeatable_entropy",
]
