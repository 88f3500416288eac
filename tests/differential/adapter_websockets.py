"""The parser of websockets in the differential test: its protocol object, and messages as its backends
assemble them: fragments are joined, and decoded when the last one is there.
"""

import logging

from websockets.client import ClientProtocol
from websockets.extensions.permessage_deflate import PerMessageDeflate
from websockets.frames import Frame, Opcode
from websockets.protocol import OPEN as STATE_OPEN
from websockets.protocol import Protocol
from websockets.server import ServerProtocol
from websockets.uri import parse_uri

from differential.cases import Case
from differential.outcomes import OPEN, Outcome, Trace, failed
from wscore import Role

_URI = parse_uri("ws://localhost/")
_CONTROLS = {Opcode.PING: "ping", Opcode.PONG: "pong"}
_LOGGER = logging.getLogger("differential.adapter_websockets")
_LOGGER.disabled = True
_INVALID_TEXT = 1007


def read_by_websockets(case: Case) -> Trace:
    """Read with websockets."""
    protocol = _protocol(case)
    trace, frames = Trace(), list[Frame]()
    for segment in case.segments():
        protocol.receive_data(segment)
        for event in protocol.events_received():
            assert isinstance(event, Frame)
            _take(trace, frames, event)
            if trace.ended:
                return trace
        trace.outcome = _outcome(protocol)
        protocol.data_to_send()
        if trace.ended:
            break
    return trace


def _protocol(case: Case) -> Protocol:
    protocol: Protocol
    if case.role is Role.SERVER:
        protocol = ServerProtocol(state=STATE_OPEN, max_size=case.limit, logger=_LOGGER)
    else:
        protocol = ClientProtocol(_URI, state=STATE_OPEN, max_size=case.limit, logger=_LOGGER)
    if case.agreed is not None:
        protocol.extensions = [PerMessageDeflate(not case.agreed.takeover, False, case.agreed.bits, 15)]
    return protocol


def _take(trace: Trace, frames: list[Frame], frame: Frame) -> None:
    """Take a frame as the assembler of its backends does."""
    if frame.opcode in _CONTROLS:
        trace.items.append((_CONTROLS[frame.opcode], bytes(frame.data)))
        return
    if frame.opcode is Opcode.CLOSE:
        return  # the protocol knows
    frames.append(frame)
    if not frame.fin:
        return
    data = b"".join(part.data for part in frames)
    is_text = frames[0].opcode is Opcode.TEXT
    frames.clear()
    try:
        trace.items.append(("text", data.decode()) if is_text else ("binary", data))
    except UnicodeDecodeError:
        trace.outcome = failed(_INVALID_TEXT)


def _outcome(protocol: Protocol) -> Outcome:
    if protocol.parser_exc is not None:
        assert protocol.close_sent is not None
        return failed(int(protocol.close_sent.code))
    if protocol.close_rcvd is not None:
        return Outcome("closed", int(protocol.close_rcvd.code), protocol.close_rcvd.reason)
    return OPEN
