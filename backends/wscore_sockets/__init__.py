"""What every backend does to sockets, apart from waiting for them: options, listening, connecting, dropping.

`dial` blocks, for backends that wait in threads; `stream_to` is for those that wait otherwise. `Opening`
holds what a client was asked for. The functions hide what differs between operating systems, and what is
easily forgotten.
"""

from ._connecting import Wait, begin_connecting, connect_to_one, finish_connecting, names_of, path_of_unix
from ._dial import dial, dial_for, dial_unix, look_up, perform
from ._listen import inherited_sockets, listen, open_listeners
from ._opening import Opening, Way
from ._options import PAUSE, Shortage, drop, is_out_of_resources, tune
from ._proxies import TUNNEL_READ, Tunnel, socks_errors, socks_proxy
from ._story import Dialed, Exchange, LookUp, Socks, Step, Story, stream_to

__all__ = [
    "PAUSE",
    "TUNNEL_READ",
    "Dialed",
    "Exchange",
    "LookUp",
    "Opening",
    "Shortage",
    "Socks",
    "Step",
    "Story",
    "Tunnel",
    "Wait",
    "Way",
    "begin_connecting",
    "connect_to_one",
    "dial",
    "dial_for",
    "dial_unix",
    "drop",
    "finish_connecting",
    "inherited_sockets",
    "is_out_of_resources",
    "listen",
    "look_up",
    "names_of",
    "open_listeners",
    "path_of_unix",
    "perform",
    "socks_errors",
    "socks_proxy",
    "stream_to",
    "tune",
]
