"""How to recognise the known differences between wscore and other parsers: one function each.

Each looks at what the stream really holds where the two differ, as the plain reading has it, and at what
the peer made of it. They are used, and justified, by the table in `differential.differences`.
"""

from collections.abc import Callable
from dataclasses import replace

from differential.cases import Case
from differential.compare import Disagreement
from differential.deflate import Agreed
from differential.grammar import CLOSE
from differential.reading import Reading, code_of

Predicate = Callable[[Disagreement], bool]


# What a peer does not check at all.


def _always(d: Disagreement) -> bool:
    return True


def _form_of_short_control(d: Disagreement) -> bool:
    """A control frame whose long form holds a length that would have been allowed."""
    return d.fault is not None and "LONG_LENGTH_FORM" in d.rules and d.fault.length <= 125


def _interrupts_nothing(d: Disagreement) -> bool:
    """A whole message inside another one that has no payload yet."""
    around = d.reading.open_message
    return d.fault is not None and d.fault.final and around is not None and around.wire_size == 0


def _rsv1_of_control(d: Disagreement) -> bool:
    return d.fault is not None and d.case.agreed is not None and d.fault.first & 0x78 == 0x48


def _code_of_nobody(d: Disagreement) -> bool:
    code = int.from_bytes(d.fault.payload[:2], "big") if d.fault else 0
    return code == 1006 or code >= 5000


_UNCHECKED: dict[str, dict[str, Predicate]] = {
    "aiohttp": {
        "UNMASKED_FRAME": _always,
        "MASKED_FRAME": _always,
        "LONG_LENGTH_FORM": _always,
        "RESERVED_BITS": _rsv1_of_control,
        "MESSAGE_INTERRUPTED": _interrupts_nothing,
        "CLOSE_CODE": _code_of_nobody,
        "TOO_MANY_FRAGMENTS": _always,
        "TOO_MANY_EMPTY_FRAGMENTS": _always,
    },
    "websockets": {
        "LONG_LENGTH_FORM": _always,
        "LONG_CONTROL": _form_of_short_control,
        "TOO_MANY_FRAGMENTS": _always,
        "TOO_MANY_EMPTY_FRAGMENTS": _always,
    },
    "ws": {"LONG_LENGTH_FORM": _always, "TOO_MANY_EMPTY_FRAGMENTS": _always, "TOO_MANY_STREAMS": _always},
    "wsproto": {
        "MESSAGE_TOO_BIG": _always,
        "TOO_MANY_FRAGMENTS": _always,
        "TOO_MANY_EMPTY_FRAGMENTS": _always,
    },
}


def unchecked(rule: str) -> Predicate:
    """The peer knows neither this rule nor any other that the frame breaks; it reads on, whatever comes."""

    def applies(d: Disagreement) -> bool:
        known = _UNCHECKED[d.peer]
        return d.fault is not None and rule in d.rules and all(r in known and known[r](d) for r in d.rules)

    return applies


# What a peer finds later, or calls by another code.


def waits(d: Disagreement) -> bool:
    """The stream ends inside the frame, and the peer looks at it when all of it, or its header, is there."""
    return d.fault is not None and d.same_place and d.theirs.outcome.kind == "open" and not d.fault.complete


def late_text(d: Disagreement) -> bool:
    """The message goes on; only controls come out until it is complete, or another rule is broken."""
    marked = d.message is not None and d.message.marked
    return not marked and _late(d, {"INVALID_UTF8"})


def late_surrogate(d: Disagreement) -> bool:
    """What there is of the text ends in the first two octets of a surrogate."""
    message = d.message
    if message is None or not message.text or not _late(d, {"INVALID_UTF8"}):
        return False
    tail = b"".join(message.parts)[-2:]
    return len(tail) == 2 and tail[0] == 0xED and tail[1] >= 0xA0


def late_deflate(d: Disagreement) -> bool:
    """The same for the faults of compressed data."""
    marked = d.message is not None and d.message.marked
    return marked and _late(d, {"INVALID_UTF8", "COMPRESSED_DATA", "MESSAGE_TOO_BIG", "TOO_MANY_STREAMS"})


def _late(d: Disagreement, rules: set[str]) -> bool:
    if d.fault is None or not d.rules <= rules or (d.fault.complete and d.fault.final):
        return False
    return all(kind in ("ping", "pong") for kind, _ in d.more)


def early_deflate(d: Disagreement) -> bool:
    """The stream ends inside a compressed frame; what there is of it is wrong already."""
    waiting = d.ours.outcome.kind == "open" and not d.reading.frames[-1].complete
    return d.same_place and waiting and d.they_failed == 1007 and bool(Reading(d.case, block=1).rules)


def another_rule(d: Disagreement) -> bool:
    """The frame breaks several rules, and the peer names another one."""
    rules = d.rules | d.reading.frames[-1].later if d.rules else set()
    return d.same_place and len(rules) > 1 and d.they_failed in {code_of(rule) for rule in rules}


def sign_bit(d: Disagreement) -> bool:
    return d.same_place and "LENGTH_SIGN_BIT" in d.rules and d.they_failed == 1009


def payload_before_order(d: Disagreement) -> bool:
    """A data frame with a wrong header, whose payload is bad, or inflates to too much, as well."""
    misplaced = bool(d.rules & {"MESSAGE_INTERRUPTED", "UNEXPECTED_CONTINUATION", "RESERVED_BITS"})
    return d.same_place and misplaced and d.case.agreed is not None and d.they_failed in (1007, 1009)


def deflate_error_as(code: int) -> Predicate:
    def applies(d: Disagreement) -> bool:
        found = d.fault is not None and "COMPRESSED_DATA" in d.rules | d.fault.later
        return found and d.same_place and d.they_failed == code

    return applies


def streams_as_size(d: Disagreement) -> bool:
    """aiohttp allows fewer of them as well; how many is its own affair, but not less than a hundred."""
    return d.they_failed == 1009 and d.message is not None and d.message.streams > 100


# Close frames.


def close_in_message(d: Disagreement) -> bool:
    open_message = d.reading.open_message is not None
    return d.same_place and d.ours.outcome.kind == "closed" and open_message and d.they_failed == 1002


def bad_gateway(d: Disagreement) -> bool:
    last = d.reading.frames[-1]
    code = last.payload[:2] if last.opcode == CLOSE and last.complete else b""
    return d.same_place and code == (1014).to_bytes(2, "big") and d.they_failed == 1002


# Limits.


def limit_excluded(d: Disagreement) -> bool:
    if d.they_failed != 1009:
        return False
    if d.fault is not None and d.fault.length == d.case.limit:
        return True
    return d.message is not None and not d.message.marked and d.message.size == d.case.limit


def wire_counted(d: Disagreement) -> bool:
    message = d.message
    if d.they_failed != 1009:
        return False
    if d.fault is not None and d.case.agreed is not None and d.fault.length >= d.case.limit:
        return True  # a frame that is wrong in other ways
    return message is not None and message.marked and max(message.wire_size, message.peak) >= d.case.limit


def control_counted(d: Disagreement) -> bool:
    frames = [frame for frame in d.reading.frames if frame.item == d.at or frame is d.reading.frames[-1]]
    return d.they_failed == 1009 and any(f.opcode >= CLOSE and f.length > f.room for f in frames)


def output_held_back(d: Disagreement) -> bool:
    """The last octets of the output came with the tail, and they fit."""
    message = d.message
    long = message is not None and message.marked and message.complete and message.wire_size >= 2044
    return d.they_failed == 1009 and long


def interrupter_counted(d: Disagreement) -> bool:
    """The frame would not fit into the message that it interrupts."""
    around = d.reading.open_message
    if d.fault is None or around is None or "MESSAGE_INTERRUPTED" not in d.rules:
        return False
    size = max(around.size, around.wire_size) + d.fault.length
    return d.same_place and d.they_failed == 1009 and size >= d.case.limit


# permessage-deflate.


def after_final_block(d: Disagreement) -> bool:
    return any(message.streams for message in d.compressed)


def after_no_padding(d: Disagreement) -> bool:
    return any(not message.padded for message in d.compressed)


def after_empty_payload(d: Disagreement) -> bool:
    return any(message.complete and not message.any_input for message in d.compressed)


def interleaved(d: Disagreement) -> bool:
    return any(message.interleaved for message in d.compressed)


def cut_off(d: Disagreement) -> bool:
    return d.fault is not None and d.message is not None and d.message.cut_off


def window(d: Disagreement) -> bool:
    """wscore fails for a reference out of the window; with the greatest one it could have read on."""
    if d.fault is None or d.rules != {"COMPRESSED_DATA"}:
        return False
    greatest = Reading(_with_greatest_window(d.case))
    return len(greatest.items) > len(d.ours.items) or "COMPRESSED_DATA" not in greatest.rules


def window_by_luck(d: Disagreement) -> bool:
    """The sender does refer too far back, and how the segments fell shows it to the peer."""
    marked = d.message is not None and d.message.marked
    return d.case.misuse and marked and d.they_failed in (1002, 1006, 1007)


def _with_greatest_window(case: Case) -> Case:
    return replace(case, agreed=Agreed(15, takeover=True))
