"""Tools to test what is built on the core: no socket, no thread, no waiting.

- `Pair`: a client and a server joined back to back on one virtual clock. Bytes travel when you say so,
  time passes when you say so, and the events of both sides are kept in lists.
- `drain`: takes every output of one connection.
- `cuttings`: one stream, cut in every way that has broken a parser before; `feed`: a connection that must
  give the same whichever way it was cut.
- `repeatable_entropy`: a source of "random" bytes that gives the same ones in every run.

::

    >>> pair = Pair()
    >>> pair.open()
    >>> pair.client.send_text("hello")
    >>> pair.exchange()
    >>> pair.server_events[-1]
    'hello'
"""

from ._cutting import cuttings, feed
from ._drain import Output, drain, repeatable_entropy
from ._pair import Pair

__all__ = ["Output", "Pair", "cuttings", "drain", "feed", "repeatable_entropy"]
