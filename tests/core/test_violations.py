"""The table of rules that a peer can break."""

import re

import pytest

from wscore._codes import may_travel
from wscore._violations import Violation

ALL = list(Violation)


@pytest.mark.parametrize("violation", ALL, ids=lambda violation: violation.name)
def test_a_sentence_can_stand_in_a_close_frame_and_in_a_log(violation: Violation) -> None:
    sentence = violation.sentence
    assert 0 < len(sentence.encode("ascii")) <= 60
    assert sentence.isprintable()
    assert sentence == sentence.strip()
    assert not sentence.endswith(".")
    # One lower-case sentence: capitals only in names that are written so everywhere.
    words = re.findall(r"[A-Za-z0-9-]+", sentence)
    names = {"CR", "GET", "Host", "HTTP", "UTF-8", "Upgrade", "Connection", "WebSocket"}
    assert all(word.islower() or word.isdigit() or word in names or word.startswith("Sec-") for word in words)


@pytest.mark.parametrize("violation", ALL, ids=lambda violation: violation.name)
def test_a_clause_names_a_document_and_a_section(violation: Violation) -> None:
    assert re.fullmatch(r"RFC [0-9]{4} [0-9]+(\.[0-9]+)*", violation.clause)


@pytest.mark.parametrize("violation", ALL, ids=lambda violation: violation.name)
def test_a_rule_is_answered_by_a_close_code_or_a_status_but_never_both(violation: Violation) -> None:
    assert violation.close_code is None or violation.status is None
    assert violation.close_code is None or may_travel(violation.close_code)


def test_the_outcomes_are_a_closed_set() -> None:
    assert {v.status for v in ALL} == {None, 400, 403, 405, 414, 426, 431, 505}
    assert {v.close_code for v in ALL} == {None, 1002, 1007, 1008, 1009}


def test_no_two_members_are_one() -> None:
    assert len(Violation.__members__) == len(ALL)
    assert len({v.sentence for v in ALL}) == len(ALL)


def _named(*names: str) -> set[Violation]:
    return {Violation[name] for name in names}


# What the documents demand, rule by rule; every member stands in exactly one row.
@pytest.mark.parametrize(
    ("close_code", "status", "expected"),
    [
        # RFC 6455 sections 5 and 7.4.1: a broken frame is a protocol error.
        (
            1002,
            None,
            _named("RESERVED_BITS", "RESERVED_OPCODE", "FRAGMENTED_CONTROL", "LONG_CONTROL", "UNMASKED_FRAME")
            | _named("MASKED_FRAME", "LONG_LENGTH_FORM", "LENGTH_SIGN_BIT", "UNEXPECTED_CONTINUATION")
            | _named("MESSAGE_INTERRUPTED", "CLOSE_PAYLOAD", "CLOSE_CODE"),
        ),
        # Section 8.1: data that is not consistent with the type of the message.
        (1007, None, _named("INVALID_UTF8", "CLOSE_REASON_UTF8", "COMPRESSED_DATA")),
        # Section 7.4.1: a policy, and a message that is too big to process.
        (
            1008,
            None,
            _named("TOO_MANY_FRAGMENTS", "TOO_MANY_EMPTY_FRAGMENTS", "CONTROL_FLOOD", "TOO_MANY_STREAMS"),
        ),
        (1009, None, _named("FRAME_TOO_BIG", "MESSAGE_TOO_BIG")),
        # RFC 9110 section 15.5, RFC 6585 section 5, RFC 6455 section 4.4.
        (
            None,
            400,
            _named("BARE_LF", "OBS_FOLD", "MALFORMED_HEAD", "DUPLICATE_HEADER", "INVALID_SUBPROTOCOLS")
            | _named("INVALID_EXTENSIONS", "REQUEST_BODY", "INVALID_TARGET", "INVALID_HOST")
            | _named("CONNECTION_HEADER", "WEBSOCKET_KEY", "EARLY_DATA"),
        ),
        (None, 403, _named("ORIGIN")),
        (None, 405, _named("METHOD")),
        (None, 414, _named("TARGET_TOO_LONG")),
        (None, 426, _named("WEBSOCKET_VERSION")),
        (None, 431, _named("LINE_TOO_LONG", "HEAD_TOO_LARGE", "TOO_MANY_HEADERS")),
        (None, 505, _named("HTTP_VERSION")),
        # A client cannot answer a response.
        (
            None,
            None,
            _named("RESPONSE_VERSION", "RESPONSE_BODY", "UPGRADE_HEADER", "RESPONSE_CONNECTION")
            | _named("WEBSOCKET_ACCEPT", "UNOFFERED_SUBPROTOCOL", "UNOFFERED_EXTENSION")
            | _named("EXTENSION_PARAMETERS", "TOO_MANY_INFORMATIONAL"),
        ),
    ],
)
def test_each_rule_has_the_outcome_that_its_document_demands(
    close_code: int | None, status: int | None, expected: set[Violation]
) -> None:
    assert {v for v in ALL if (v.close_code, v.status) == (close_code, status)} == expected
