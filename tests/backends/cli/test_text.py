"""What the network says, made fit for a terminal."""

import pytest

from wscore_cli import _text


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("plain", "plain"),
        ("", ""),
        ("two\nlines\tand a tab", "two\nlines\tand a tab"),
        ("\x1b[2J\x07", "\\x1b[2J\\x07"),
        ("over\rwritten", "over\\x0dwritten"),
        ("\x7f\x80\x9b31m", "\\x7f\\x80\\x9b31m"),
        ("\u202etxet\u2066\u2028", "\\u202etxet\\u2066\\u2028"),
        ("Grüße, 世界 😀 \xa0", "Grüße, 世界 😀 \xa0"),
        ("back\\slash \\x1b", "back\\slash \\x1b"),
        (b"", "binary: "),
        (b"\x00\xffA", "binary: 00ff41"),
    ],
)
def test_a_message_keeps_its_text_and_loses_its_control(message: str | bytes, shown: str) -> None:
    assert _text.message_text(message) == shown


def test_one_line_stays_one_line_and_short() -> None:
    assert _text.one_line("a\nb\tc\x1b") == "a\\x0ab\\x09c\\x1b"
    assert _text.one_line("x" * 300) == "x" * 200 + "…"
    assert _text.one_line("x" * 200) == "x" * 200


@pytest.mark.parametrize(
    ("code", "shown"),
    [(1000, "1000 (normal closure)"), (1006, "1006 (abnormal closure)"), (3456, "3456"), (1016, "1016")],
)
def test_a_close_code_has_its_name(code: int, shown: str) -> None:
    assert _text.code_text(code) == shown


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        (("127.0.0.1", 8765), "127.0.0.1:8765"),
        (("::1", 8765, 0, 0), "[::1]:8765"),
        ("/run/\x1bsocket", "/run/\\x1bsocket"),
        (None, "unknown address"),
    ],
)
def test_an_address_is_shown_as_people_write_it(address: object, shown: str) -> None:
    assert _text.address_text(address) == shown
