"""Every rule that a peer can break, one member each.

A member knows what follows from it: the close code that goes out once frames flow, or the HTTP
status that refuses an opening handshake; the clause that was broken; and one sentence of at most 60
bytes, which is also the close reason, so that no text of the peer and no detail of this program ever
travels back. A client cannot answer a bad response with a status: it just leaves (``status`` None).

Detection is spread over the parts that own the rules; this table only names the outcomes.
"""

from enum import Enum


class Violation(Enum):
    """A rule that the peer broke.

    Attributes:
        close_code: what the Close frame carries; None while the handshake is not complete.
        status: the HTTP status that a server refuses with; None where no status can be sent.
        clause: the document and section that states the rule.
        sentence: what the peer did; lower case, at most 60 bytes.
    """

    close_code: int | None
    status: int | None
    clause: str
    sentence: str

    def __init__(self, close_code: int | None, status: int | None, clause: str, sentence: str) -> None:
        self.close_code = close_code
        self.status = status
        self.clause = clause
        self.sentence = sentence

    # Frames.
    RESERVED_BITS = (1002, None, "RFC 6455 5.2", "reserved bit set without an extension")
    RESERVED_OPCODE = (1002, None, "RFC 6455 5.2", "reserved opcode")
    FRAGMENTED_CONTROL = (1002, None, "RFC 6455 5.5", "control frame is fragmented")
    LONG_CONTROL = (1002, None, "RFC 6455 5.5", "control frame longer than 125 bytes")
    UNMASKED_FRAME = (1002, None, "RFC 6455 5.1", "frame from a client is not masked")
    MASKED_FRAME = (1002, None, "RFC 6455 5.1", "frame from a server is masked")
    LONG_LENGTH_FORM = (1002, None, "RFC 6455 5.2", "payload length not in its shortest form")
    LENGTH_SIGN_BIT = (1002, None, "RFC 6455 5.2", "most significant bit of the length is set")
    UNEXPECTED_CONTINUATION = (1002, None, "RFC 6455 5.4", "continuation without a message to continue")
    MESSAGE_INTERRUPTED = (1002, None, "RFC 6455 5.4", "new message before the last one was finished")

    # Messages.
    FRAME_TOO_BIG = (1009, None, "RFC 6455 10.4", "frame exceeds the limit")
    MESSAGE_TOO_BIG = (1009, None, "RFC 6455 10.4", "message exceeds the limit")
    TOO_MANY_FRAGMENTS = (1008, None, "RFC 6455 10.4", "message has too many fragments")
    TOO_MANY_EMPTY_FRAGMENTS = (1008, None, "RFC 6455 10.4", "too many empty fragments in a row")
    CONTROL_FLOOD = (1008, None, "RFC 6455 10.4", "too many control frames")
    INVALID_UTF8 = (1007, None, "RFC 6455 8.1", "text is not valid UTF-8")
    COMPRESSED_DATA = (1007, None, "RFC 7692 7.2.2", "compressed data is malformed")
    TOO_MANY_STREAMS = (1008, None, "RFC 6455 10.4", "too many compressed streams in a message")

    # Close frames.
    CLOSE_PAYLOAD = (1002, None, "RFC 6455 5.5.1", "close frame with a payload of one byte")
    CLOSE_CODE = (1002, None, "RFC 6455 7.4", "close code that must not be sent")
    CLOSE_REASON_UTF8 = (1007, None, "RFC 6455 5.5.1", "close reason is not valid UTF-8")

    # Any HTTP head: a server refuses, a client leaves.
    LINE_TOO_LONG = (None, 431, "RFC 6585 5", "header line exceeds the limit")
    HEAD_TOO_LARGE = (None, 431, "RFC 6585 5", "head exceeds the limit")
    TOO_MANY_HEADERS = (None, 431, "RFC 6585 5", "too many header lines")
    BARE_LF = (None, 400, "RFC 9112 2.2", "line ends without CR")
    OBS_FOLD = (None, 400, "RFC 9112 5.2", "header line is folded")
    MALFORMED_HEAD = (None, 400, "RFC 9112 2.1", "malformed HTTP head")
    DUPLICATE_HEADER = (None, 400, "RFC 9110 5.3", "header that must be single is repeated")
    INVALID_SUBPROTOCOLS = (None, 400, "RFC 6455 11.3.4", "malformed or too many subprotocols")
    INVALID_EXTENSIONS = (None, 400, "RFC 6455 9.1", "malformed or too many extensions")

    # A request.
    TARGET_TOO_LONG = (None, 414, "RFC 9112 3", "request line exceeds the limit")
    HTTP_VERSION = (None, 505, "RFC 6455 4.1", "HTTP version other than 1.1")
    METHOD = (None, 405, "RFC 6455 4.1", "method other than GET")
    REQUEST_BODY = (None, 400, "RFC 6455 4.1", "request announces a body or an expectation")
    INVALID_TARGET = (None, 400, "RFC 9112 3.2", "malformed request target")
    INVALID_HOST = (None, 400, "RFC 9112 3.2", "missing or malformed Host")
    CONNECTION_HEADER = (None, 400, "RFC 6455 4.2.1", "Connection does not name Upgrade")
    WEBSOCKET_VERSION = (None, 426, "RFC 6455 4.4", "WebSocket version other than 13")
    WEBSOCKET_KEY = (None, 400, "RFC 6455 4.2.1", "missing or malformed Sec-WebSocket-Key")
    ORIGIN = (None, 403, "RFC 6455 10.2", "origin is not allowed")
    EARLY_DATA = (None, 400, "RFC 6455 4.1", "too much data before the handshake was answered")

    # A response.
    RESPONSE_VERSION = (None, None, "RFC 6455 4.1", "response of an HTTP version other than 1.1")
    RESPONSE_BODY = (None, None, "RFC 9110 15.2", "101 response announces a body")
    UPGRADE_HEADER = (None, None, "RFC 6455 4.1", "Upgrade is not websocket")
    RESPONSE_CONNECTION = (None, None, "RFC 6455 4.1", "response without Connection: Upgrade")
    WEBSOCKET_ACCEPT = (None, None, "RFC 6455 4.1", "missing or wrong Sec-WebSocket-Accept")
    UNOFFERED_SUBPROTOCOL = (None, None, "RFC 6455 4.1", "subprotocol that was not offered")
    UNOFFERED_EXTENSION = (None, None, "RFC 6455 4.1", "extension that was not offered")
    EXTENSION_PARAMETERS = (None, None, "RFC 7692 7.1", "extension parameters that were not offered")
    TOO_MANY_INFORMATIONAL = (None, None, "RFC 9110 15.2", "too many informational responses")
