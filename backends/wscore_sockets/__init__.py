"""What every backend does to sockets, apart from waiting for them: options, listening, connecting, dropping.

Nothing here knows of WebSockets. `dial` blocks, for backends that wait in threads; `begin_connecting` and
`finish_connecting` are for those that wait otherwise. The functions hide what differs between operating
systems, and what is easily forgotten.
"""

from ._connecting import begin_connecting, finish_connecting
from ._dial import dial, dial_unix, look_up
from ._listen import inherited_sockets, listen
from ._options import PAUSE, drop, is_out_of_resources, tune

__all__ = [
    "PAUSE",
    "begin_connecting",
    "dial",
    "dial_unix",
    "drop",
    "finish_connecting",
    "inherited_sockets",
    "is_out_of_resources",
    "listen",
    "look_up",
    "tune",
]
