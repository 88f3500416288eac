"""The parsers of the differential test that live in this process, each reduced to the normal form.

Each is driven as its own library drives it: frames are put together the way its backend does, and an
error becomes the close code that its backend would send. Nothing here corrects what it thinks is wrong.
"""

from collections.abc import Callable
from importlib.util import find_spec

from differential.cases import Case
from differential.grammar import MAX_EMPTY, MAX_FRAGMENTS
from differential.outcomes import Outcome, Trace, failed
from wscore import (
    Closed,
    Config,
    Connection,
    Deflate,
    Event,
    Limits,
    PingReceived,
    PongReceived,
    Role,
    Timeouts,
)

Parser = Callable[[Case], Trace]
_CONTROLS_KEPT = 16  # of those that wait for the application
_DEFLATE = Deflate(server_max_window_bits=15, client_max_window_bits=15)


# wscore itself.


def read_by_wscore(case: Case) -> Trace:
    """Read with wscore."""
    trace = _read_by_wscore(case, case.segments())
    if trace is None:  # so many controls in a segment that some were dropped: look more often
        data = case.data
        trace = _read_by_wscore(case, [data[start : start + 32] for start in range(0, len(data), 32)])
    assert trace is not None
    return trace


def _read_by_wscore(case: Case, segments: list[bytes]) -> Trace | None:
    connection = Connection.established(
        case.role, _config(case.limit), extensions=_extensions(case), now=0.0, entropy=bytes
    )
    trace, stats, seen = Trace(), connection.stats, 0
    for segment in segments:
        connection.receive_data(segment, 0.0)
        if stats.pings_received + stats.pongs_received - seen > _CONTROLS_KEPT:
            return None
        seen = stats.pings_received + stats.pongs_received
        while (event := connection.next_event()) is not None:
            _note(trace, event)
        connection.data_to_send(0.0)
    while (event := connection.next_event()) is not None:
        _note(trace, event)
    return trace


def _note(trace: Trace, event: Event) -> None:
    """Write down one event."""
    if isinstance(event, str):
        trace.items.append(("text", event))
    elif isinstance(event, bytes):
        trace.items.append(("binary", event))
    elif isinstance(event, PingReceived):
        trace.items.append(("ping", event.payload))
    elif isinstance(event, PongReceived):
        trace.items.append(("pong", event.payload))
    elif isinstance(event, Closed):
        trace.outcome = _outcome(event)


def _outcome(closed: Closed) -> Outcome:
    if closed.violation is not None:
        assert closed.sent is not None and closed.sent.code == closed.violation.close_code
        return failed(closed.sent.code, closed.violation.name)
    assert closed.received is not None
    return Outcome("closed", closed.received.code, closed.received.reason)


_CONFIGS: dict[int, Config] = {}


def _config(limit: int) -> Config:
    if limit not in _CONFIGS:
        _CONFIGS[limit] = Config(
            limits=Limits(
                max_message_size=limit,
                max_fragments=MAX_FRAGMENTS,
                max_empty_fragments=MAX_EMPTY,
                max_control_rate=None,
            ),
            timeouts=Timeouts(open=None, close=None, keepalive=None, write_stall=None),
            compression=_DEFLATE,
            control_events=True,
        )
    return _CONFIGS[limit]


def _extensions(case: Case) -> str:
    """Write the agreement as a response would."""
    if case.agreed is None:
        return ""
    sender = "client" if case.role is Role.SERVER else "server"
    bits = "" if case.agreed.bits == 15 else f"; {sender}_max_window_bits={case.agreed.bits}"
    alone = "" if case.agreed.takeover else f"; {sender}_no_context_takeover"
    return f"permessage-deflate{bits}{alone}"


# The others, imported when they are wanted.


def _websockets() -> Parser:
    from differential.adapter_websockets import read_by_websockets

    return read_by_websockets


def _wsproto() -> Parser:
    from differential.adapter_wsproto import read_by_wsproto

    return read_by_wsproto


def _aiohttp() -> Parser:
    from differential.adapter_aiohttp import read_by_aiohttp

    return read_by_aiohttp


_IN_PROCESS: dict[str, Callable[[], Parser]] = {
    "aiohttp": _aiohttp,
    "websockets": _websockets,
    "wsproto": _wsproto,
}
IN_PROCESS = tuple(_IN_PROCESS)


def parser_of(peer: str) -> Parser | None:
    """Return the parser of a peer that lives in this process; None: it is not installed."""
    return _IN_PROCESS[peer]() if find_spec(peer) else None
