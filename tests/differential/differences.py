"""Where other parsers read a stream in another way than wscore, and why wscore is right.

A row says which parsers differ, in what, why wscore does as it does, and how to recognise the difference.
The last is narrow on purpose: it looks at what the stream really holds at that place, as the plain reading
has it, and at what the peer made of it. The first row that applies counts, so the order matters: what a
peer does not check stands before what it says in other words. What no row explains fails the test, and so
does a row that a deep run never needed.
"""

from dataclasses import dataclass

from differential.predicates import (
    Predicate,
    after_empty_payload,
    after_final_block,
    after_no_padding,
    another_rule,
    bad_gateway,
    close_in_message,
    control_counted,
    cut_off,
    deflate_error_as,
    early_deflate,
    interleaved,
    interrupter_counted,
    late_deflate,
    late_surrogate,
    late_text,
    limit_excluded,
    output_held_back,
    payload_before_order,
    sign_bit,
    streams_as_size,
    unchecked,
    waits,
    window,
    window_by_luck,
    wire_counted,
)

ALL = ("aiohttp", "websockets", "ws", "wsproto")


@dataclass(frozen=True)
class Difference:
    """One row.

    Attributes:
        id: its name.
        peers: who differs.
        what: they do.
        why: wscore is right, or may do as it does.
        applies: recognises it.
    """

    id: str
    peers: tuple[str, ...]
    what: str
    why: str
    applies: Predicate


DIFFERENCES: tuple[Difference, ...] = (
    Difference(
        "mask-not-required",
        ("aiohttp",),
        "reads unmasked frames as a server",
        "RFC 6455 5.1: the server MUST close the connection",
        unchecked("UNMASKED_FRAME"),
    ),
    Difference(
        "mask-allowed",
        ("aiohttp",),
        "reads masked frames as a client",
        "RFC 6455 5.1: a client MUST close the connection",
        unchecked("MASKED_FRAME"),
    ),
    Difference(
        "long-length-form",
        ("aiohttp", "websockets", "ws"),
        "takes a length that is not in its shortest form",
        "RFC 6455 5.2: the minimal number of bytes MUST be used",
        unchecked("LONG_LENGTH_FORM"),
    ),
    Difference(
        "rsv1-of-control",
        ("aiohttp",),
        "ignores RSV1 of a control frame, once permessage-deflate is agreed on",
        "RFC 7692 6: the bit belongs to the first frame of a data message",
        unchecked("RESERVED_BITS"),
    ),
    Difference(
        "message-in-empty-message",
        ("aiohttp",),
        "takes a whole message inside one that has no payload yet",
        "RFC 6455 5.4: fragments of messages MUST NOT be interleaved",
        unchecked("MESSAGE_INTERRUPTED"),
    ),
    Difference(
        "close-code-of-nobody",
        ("aiohttp",),
        "takes the Close codes 1006 and those from 5000 on",
        "RFC 6455 7.4.1 and 7.4.2: 1006 MUST NOT be sent; the ranges end at 4999",
        unchecked("CLOSE_CODE"),
    ),
    Difference(
        "no-limit-of-fragments",
        ("aiohttp", "websockets", "wsproto"),
        "does not count a message's fragments, or counts up to thousands",
        "RFC 6455 10.4: limits against a message of many small fragments",
        unchecked("TOO_MANY_FRAGMENTS"),
    ),
    Difference(
        "no-limit-of-empty-fragments",
        ALL,
        "does not count empty fragments in a row",
        "RFC 6455 10.4: byte limits do not bound them",
        unchecked("TOO_MANY_EMPTY_FRAGMENTS"),
    ),
    Difference(
        "no-limit-of-size",
        ("wsproto",),
        "has no limit of a message's size",
        "RFC 6455 10.4: implementations MUST protect themselves",
        unchecked("MESSAGE_TOO_BIG"),
    ),
    Difference(
        "no-limit-of-streams",
        ("ws",),
        "starts DEFLATE anew as often as the sender ends it",
        "RFC 6455 10.4: each end costs its sender two bytes, and the receiver a new context",
        unchecked("TOO_MANY_STREAMS"),
    ),
    Difference(
        "looks-when-all-is-there",
        ALL,
        "waits for the rest of a frame that is wrong already",
        "RFC 6455 7.1.7 leaves the moment open; what will be refused need not be stored",
        waits,
    ),
    Difference(
        "text-checked-at-the-end",
        ("aiohttp", "websockets", "ws"),
        "checks a fragmented text when it is complete, and so may find another fault first",
        "RFC 6455 8.1 leaves the moment open; the earliest is the cheapest",
        late_text,
    ),
    Difference(
        "surrogate-seen-late",
        ("wsproto",),
        "sees a surrogate at its third octet, when a fragment ends before that",
        "RFC 3629 4: the second octet is impossible already",
        late_surrogate,
    ),
    Difference(
        "deflate-checked-at-the-end",
        ("aiohttp", "websockets", "ws"),
        "inflates, or checks what it inflated, when more of the message is there",
        "RFC 6455 7.1.7 leaves the moment open; a limit that counts late does not limit",
        late_deflate,
    ),
    Difference(
        "deflate-checked-as-it-comes",
        ("wsproto",),
        "inflates every few bytes of a frame that is not complete, and fails at once",
        "RFC 6455 7.1.7 leaves the moment open; in blocks the outcome does not depend on TCP segments",
        early_deflate,
    ),
    Difference(
        "sign-bit-as-size",
        ("aiohttp", "websockets", "ws"),
        "reports a length with its most significant bit set as too big, 1009",
        "RFC 6455 5.2: the bit MUST be 0, which is a matter of protocol, 1002",
        sign_bit,
    ),
    Difference(
        "another-rule-of-the-same-frame",
        ("aiohttp", "websockets", "ws"),
        "names another of several rules that one frame breaks",
        "RFC 6455 7.4.1 gives no order; wscore names the one whose byte comes first",
        another_rule,
    ),
    Difference(
        "payload-before-order",
        ("websockets", "wsproto"),
        "inflates a frame that may not stand there, or has a reserved bit, before it says so",
        "RFC 6455 5.4: the header breaks the rule; its payload must not reach the context",
        payload_before_order,
    ),
    Difference(
        "deflate-fault-as-protocol-error",
        ("websockets",),
        "reports malformed compressed data as 1002",
        "RFC 6455 7.4.1: data that does not fit its type is 1007",
        deflate_error_as(1002),
    ),
    Difference(
        "deflate-fault-as-lost-connection",
        ("aiohttp",),
        "lets zlib's error through; its sessions report 1006 and close with 1000",
        "RFC 6455 7.4.1: data that does not fit its type is 1007",
        deflate_error_as(1006),
    ),
    Difference(
        "streams-as-size",
        ("aiohttp",),
        "reports too many ended streams as a size, 1009",
        "RFC 6455 7.4.1: the message is not big; it violates a policy, 1008",
        streams_as_size,
    ),
    Difference(
        "close-in-a-message",
        ("websockets",),
        "refuses a Close between the fragments of a message, 1002",
        "RFC 6455 5.4 and 5.5: control frames MAY stand there, and Close is one",
        close_in_message,
    ),
    Difference(
        "bad-gateway-unknown",
        ("wsproto",),
        "refuses the Close code 1014",
        "RFC 6455 7.4.2: it is in the IANA registry, as 1012 and 1013 are",
        bad_gateway,
    ),
    Difference(
        "limit-excluded",
        ("aiohttp",),
        "refuses a message that has just the size of the limit",
        "a limit is what is allowed; a matter of definition",
        limit_excluded,
    ),
    Difference(
        "limit-counts-the-wire",
        ("aiohttp", "websockets", "ws"),
        "holds the limit against the compressed size as well",
        "RFC 7692 7.2: data that does not compress is longer on the wire; the message is what is limited",
        wire_counted,
    ),
    Difference(
        "held-back-output-as-overflow",
        ("websockets",),
        "takes any output that comes with the tail of a long frame for too much, whatever the limit",
        "RFC 7692 7.2.2: the tail is a part of the data; the message is smaller than the limit",
        output_held_back,
    ),
    Difference(
        "limit-counts-controls",
        ("websockets",),
        "takes a control frame for a part of the message around it, when it compares sizes",
        "RFC 6455 5.4 and 5.5: a control frame is a message by itself, of at most 125 bytes",
        control_counted,
    ),
    Difference(
        "limit-counts-the-interrupter",
        ("aiohttp", "websockets"),
        "adds a message that begins inside another one to that one's size, and reports the sum, 1009",
        "RFC 6455 5.4: it may not begin there, 1002",
        interrupter_counted,
    ),
    Difference(
        "interleaved-control-ends-compression",
        ("wsproto",),
        "forgets that a message is compressed when a control frame comes between its fragments",
        "RFC 7692 6: the mark on the first frame is valid for the whole message",
        interleaved,
    ),
    Difference(
        "not-padded-final-block",
        ("ws", "websockets", "wsproto", "aiohttp"),
        "has another context after a message that ends with its final block, without the empty one",
        "RFC 7692 7.2.3.4: the stream has ended, and what follows begins a new one",
        after_no_padding,
    ),
    Difference(
        "final-block",
        ("websockets", "ws", "wsproto"),
        "loses the data behind a final block: in the message, or in all later ones",
        "RFC 7692 7.2.3.4: a sender may end its DEFLATE stream",
        after_final_block,
    ),
    Difference(
        "empty-compressed-payload",
        ALL,
        "inflates four octets for a compressed message that has none, and is out of step from then on",
        "RFC 7692 7.2.3.6: an empty message has one octet; with none there is nothing to inflate",
        after_empty_payload,
    ),
    Difference(
        "cut-off-block",
        ALL,
        "does not see that a message ends inside a block, where contexts are not taken over",
        "RFC 7692 7.2.1: it ends with an empty block; what was cut off is not what was sent",
        cut_off,
    ),
    Difference(
        "window-not-kept",
        ("aiohttp",),
        "takes references out of the agreed window, or into a context that was not to be taken over",
        "RFC 7692 7.1.1 and 7.1.2: the sender MUST NOT; how much is seen depends on how the data was cut",
        window,
    ),
    Difference(
        "window-noticed",
        ("wsproto",),
        "sees references out of the agreed window that wscore does not see",
        "RFC 7692 7.2.2 obliges nobody to look; whether zlib sees them depends on how its input is cut",
        window_by_luck,
    ),
)
