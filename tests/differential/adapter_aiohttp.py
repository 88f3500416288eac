"""The parser of aiohttp in the differential test: its reader, compiled or not, as it is installed.

It knows neither the role nor what was agreed on for permessage-deflate beyond its use.
"""

from types import SimpleNamespace
from typing import Any, cast

from aiohttp import WSMsgType
from aiohttp._websocket.models import WebSocketError
from aiohttp._websocket.reader import WebSocketDataQueue, WebSocketReader

from differential.cases import Case
from differential.outcomes import Outcome, Trace, failed

_NEVER_PAUSED = 2**26
_ABNORMAL = 1006  # what its sessions report when the reader failed with any other error
_NO_CODE = 1005

_KINDS = {
    WSMsgType.TEXT: "text",
    WSMsgType.BINARY: "binary",
    WSMsgType.PING: "ping",
    WSMsgType.PONG: "pong",
}


def read_by_aiohttp(case: Case) -> Trace:
    """Read with aiohttp."""
    protocol = cast(Any, SimpleNamespace(_reading_paused=False))
    queue = WebSocketDataQueue(protocol, _NEVER_PAUSED, loop=cast(Any, None))
    reader = WebSocketReader(queue, case.limit, case.agreed is not None, True)
    trace = Trace()
    for segment in case.segments():
        reader.feed_data(segment)
        while queue._buffer and not trace.ended:
            _take(trace, queue._buffer.popleft()[0])
        error = queue.exception()
        if error is not None and not trace.ended:
            trace.outcome = failed(error.code if isinstance(error, WebSocketError) else _ABNORMAL)
        if trace.ended:
            break
    return trace


def _take(trace: Trace, message: Any) -> None:
    """Write down one message; the first Close ends the session."""
    if message.type is WSMsgType.CLOSE:
        trace.outcome = Outcome("closed", message.data or _NO_CODE, message.extra or "")
        return
    data = message.data
    trace.items.append((_KINDS[message.type], data if isinstance(data, str) else bytes(data)))
