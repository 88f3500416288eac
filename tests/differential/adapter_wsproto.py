"""The parser of wsproto in the differential test: a connection behind the handshake; parts of messages are
joined as its documentation tells its users to.
"""

from wsproto.connection import Connection, ConnectionState, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Event, Message, Ping, Pong, TextMessage
from wsproto.extensions import Extension, PerMessageDeflate

from differential.cases import Case
from differential.outcomes import Outcome, Trace, failed
from wscore import Role


def read_by_wsproto(case: Case) -> Trace:
    """Read with wsproto."""
    kind = ConnectionType.SERVER if case.role is Role.SERVER else ConnectionType.CLIENT
    connection = Connection(kind, _extensions(case))
    trace, parts = Trace(), list[str | bytes]()
    for segment in case.segments():
        try:
            connection.receive_data(segment)
            for event in connection.events():
                _take(trace, parts, connection, event)
        except Exception as error:
            trace.outcome = Outcome("raised", detail=type(error).__name__)
        if trace.ended:
            break
    return trace


def _extensions(case: Case) -> list[Extension]:
    if case.agreed is None:
        return []
    if case.role is Role.SERVER:
        deflate = PerMessageDeflate(
            client_max_window_bits=case.agreed.bits, client_no_context_takeover=not case.agreed.takeover
        )
    else:
        deflate = PerMessageDeflate(
            server_max_window_bits=case.agreed.bits, server_no_context_takeover=not case.agreed.takeover
        )
    deflate.finalize("permessage-deflate")  # so it is in use
    return [deflate]


def _take(trace: Trace, parts: list[str | bytes], connection: Connection, event: Event) -> None:
    """Write down one event."""
    if isinstance(event, Message):
        parts.append(event.data if isinstance(event.data, str) else bytes(event.data))
        if event.message_finished:
            trace.items.append(_join(event, parts))
            parts.clear()
    elif isinstance(event, Ping):
        trace.items.append(("ping", bytes(event.payload)))
    elif isinstance(event, Pong):
        trace.items.append(("pong", bytes(event.payload)))
    elif isinstance(event, CloseConnection):
        # A rule that was broken is reported as if it were the peer's Close, but the state has not moved.
        if connection.state is ConnectionState.OPEN:
            trace.outcome = failed(int(event.code))
        else:
            trace.outcome = Outcome("closed", int(event.code), event.reason or "")


def _join(event: Event, parts: list[str | bytes]) -> tuple[str, str | bytes]:
    if isinstance(event, TextMessage):
        return "text", "".join(part for part in parts if isinstance(part, str))
    assert isinstance(event, BytesMessage)
    return "binary", b"".join(part for part in parts if isinstance(part, bytes))
