"""When to connect again: lengths drawn by lot, Retry-After, and what is worth another attempt."""

import calendar
import errno
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wscore._errors import (
    ConnectionLost,
    HandshakeRefused,
    InvalidURL,
    LocalProtocolError,
    RemoteProtocolError,
    TimedOut,
    WSCoreError,
)
from wscore._http import Response
from wscore._timers import Timer
from wscore._violations import Violation
from wscore.policy._backoff import Backoff, parse_retry_after, should_retry
from wscore.policy._proxy import ProxyRefused


def never_lucky() -> float:
    return 0.0


def delays(backoff: Backoff, count: int, now: float = 0.0) -> list[float]:
    return [backoff.delay(now) for _ in range(count)]


def test_the_bound_doubles_up_to_the_maximum() -> None:
    backoff = Backoff(chance=never_lucky)
    assert delays(backoff, 9) == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0, 60.0]


def test_the_bounds_can_be_chosen() -> None:
    backoff = Backoff(0.5, 3.0, 5.0, chance=never_lucky)
    assert delays(backoff, 4) == [0.5, 1.5, 4.5, 5.0]
    assert delays(Backoff(2.0, 1.0, 2.0, chance=never_lucky), 3) == [2.0, 2.0, 2.0]


def test_lengths_are_drawn_below_the_bound() -> None:
    draws = iter([0.0, 0.25, 0.5, 0.75])
    backoff = Backoff(8.0, 1.0, 8.0, chance=lambda: next(draws))
    assert delays(backoff, 4) == [8.0, 6.0, 4.0, 2.0]


@given(st.lists(st.floats(0, 1, exclude_max=True), min_size=1, max_size=200))
def test_a_length_is_positive_and_never_exceeds_the_maximum(draws: list[float]) -> None:
    rest = iter(draws)
    backoff = Backoff(chance=lambda: next(rest))
    assert all(0 < length <= 60.0 for length in delays(backoff, len(draws)))


def test_a_stable_connection_lets_the_bound_fall_back() -> None:
    backoff = Backoff(stable_after=30.0, chance=never_lucky)
    delays(backoff, 3)
    backoff.connected(100.0)
    backoff.lost(130.0)
    assert delays(backoff, 2, 130.0) == [1.0, 2.0]


def test_a_connection_that_is_soon_dropped_counts_as_a_failure() -> None:
    backoff = Backoff(stable_after=30.0, chance=never_lucky)
    seen = []
    for start in range(0, 300, 100):
        backoff.connected(float(start))
        backoff.lost(start + 29.9)
        seen.append(backoff.delay(start + 29.9))
    assert seen == [1.0, 2.0, 4.0]


def test_a_lost_connection_counts_once() -> None:
    backoff = Backoff(stable_after=30.0, chance=never_lucky)
    backoff.connected(0.0)
    backoff.lost(1.0)
    delays(backoff, 2, 1.0)
    backoff.lost(1000.0)  # there was none any more
    assert backoff.delay(1000.0) == 4.0


def test_a_connection_not_reported_lost_ends_with_the_next_delay() -> None:
    backoff = Backoff(stable_after=30.0, chance=never_lucky)
    delays(backoff, 3)
    backoff.connected(100.0)
    assert backoff.delay(130.0) == 1.0
    assert backoff.delay(1000.0) == 2.0


def test_with_no_time_asked_for_each_connection_is_stable() -> None:
    backoff = Backoff(stable_after=0.0, chance=never_lucky)
    delays(backoff, 3)
    backoff.connected(5.0)
    assert backoff.delay(5.0) == 1.0


def test_what_the_server_asks_for_is_waited_and_the_lot_comes_on_top() -> None:
    backoff = Backoff(chance=lambda: 0.5)
    assert backoff.delay(0.0, 120.0) == 120.5
    assert backoff.delay(0.0, 0.0) == 1.0
    assert backoff.delay(0.0, None) == 2.0


@pytest.mark.parametrize(
    "settings",
    [
        {"initial": 0.0},
        {"initial": -1.0},
        {"initial": 61.0},
        {"initial": float("nan")},
        {"maximum": float("inf")},
        {"factor": 0.9},
        {"factor": float("inf")},
        {"factor": float("nan")},
        {"stable_after": -1.0},
        {"stable_after": float("inf")},
    ],
)
def test_settings_out_of_range_are_refused(settings: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must be"):
        Backoff(**settings, chance=never_lucky)


# Retry-After. RFC 9110 section 5.6.7 has the example; it is 784,111,777 seconds after the start of 1970.

EXAMPLE = "Sun, 06 Nov 1994 08:49:37 GMT"
MOMENT = 784_111_777.0


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0.0),
        ("000", 0.0),
        ("120", 120.0),  # RFC 9110 section 10.2.3
        ("0120", 120.0),
        ("3600", 3600.0),
        ("3601", 3600.0),
        ("999999999", 3600.0),
        ("1" + "0" * 100_000, 3600.0),
    ],
    ids=lambda value: str(value)[:12],
)
def test_seconds_are_read(value: str, seconds: float) -> None:
    assert parse_retry_after(value, MOMENT) == seconds


@pytest.mark.parametrize(
    ("wall", "seconds"),
    [(MOMENT, 0.0), (MOMENT - 90.5, 90.5), (MOMENT + 1, 0.0), (MOMENT - 3600, 3600.0), (0.0, 3600.0)],
)
def test_a_date_is_read(wall: float, seconds: float) -> None:
    assert parse_retry_after(EXAMPLE, wall) == seconds


@pytest.mark.parametrize(
    ("value", "moment"),
    [
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
        ("Tue, 29 Feb 2000 12:00:00 GMT", 951_825_600),
        ("Wed, 01 Mar 2000 00:00:00 GMT", 951_868_800),
        ("Sat, 31 Dec 2016 23:59:60 GMT", 1_483_228_800),  # a leap second
        ("Fri, 31 Dec 9999 23:59:59 GMT", 253_402_300_799),
        ("Mon, 01 Mar 2100 00:00:00 GMT", 4_107_542_400),  # 2100 is no leap year
    ],
)
def test_the_calendar_is_right(value: str, moment: int) -> None:
    assert parse_retry_after(value, float(moment) - 5) == 5.0


DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@given(st.integers(1, 9999), st.integers(1, 12), st.integers(1, 31), st.integers(0, 86_399))
def test_any_day_is_placed_as_the_standard_library_does(year: int, month: int, day: int, second: int) -> None:
    clock = f"{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}"
    value = f"{DAYS[second % 7]}, {day:02} {MONTHS[month - 1]} {year:04} {clock} GMT"
    if day > calendar.monthrange(year, month)[1]:
        assert parse_retry_after(value, 0.0) is None
    else:
        wall = calendar.timegm((year, month, day, 0, 0, second, 0, 0, 0))
        assert parse_retry_after(value, wall - 7.0) == 7.0


@pytest.mark.parametrize(
    "value",
    [
        "",
        " 1",
        "-1",
        "+1",
        "1.5",
        "1_0",
        "1e3",
        "\u0661",
        "\xb2",
        "120\n",
        "soon",
        "Sunday, 06-Nov-94 08:49:37 GMT",  # obsolete formats
        "Sun Nov  6 08:49:37 1994",
        "Sun, 06 Nov 1994 08:49:37 UTC",
        "Sun, 06 Nov 1994 08:49:37 GMT\n",
        "Sun, 06 Nov 1994 24:00:00 GMT",
        "Sun, 06 Nov 1994 08:60:00 GMT",
        "Sun, 06 Nov 1994 08:00:61 GMT",
        "Sun, 6 Nov 1994 08:49:37 GMT",
        "Sun, 00 Nov 1994 08:49:37 GMT",
        "Sun, 31 Nov 1994 08:49:37 GMT",
        "Mon, 29 Feb 2100 00:00:00 GMT",
        "Sun, 06 nov 1994 08:49:37 GMT",
        "Sun, 06 Foo 1994 08:49:37 GMT",
        "Foo, 06 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 0000 08:49:37 GMT",
        "Sun, \u0660\u0666 Nov 1994 08:49:37 GMT",
    ],
    ids=ascii,
)
def test_anything_else_says_nothing(value: str) -> None:
    assert parse_retry_after(value, MOMENT) is None


@given(st.text(max_size=40), st.floats(-1e12, 1e12))
def test_no_value_makes_the_wait_negative_or_endless(value: str, wall: float) -> None:
    seconds = parse_retry_after(value, wall)
    assert seconds is None or 0 <= seconds <= 3600


# Which errors are worth another attempt.


class SSLCertVerificationError(OSError, ValueError):
    """Named as the standard library's, and with the same bases."""


class MyCertificateError(SSLCertVerificationError):
    """A kind of it."""


def refused(status: int) -> HandshakeRefused:
    return HandshakeRefused(Response(status))


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.EHOSTUNREACH, "no route"),
        ConnectionRefusedError(),
        ConnectionResetError(),
        FileNotFoundError(),  # a Unix socket whose server restarts
        TimeoutError(),
        TimedOut(Timer.OPEN),
        ConnectionLost(),
        *(refused(status) for status in (429, 500, 501, 502, 503, 504, 599)),
        ProxyRefused(Response(503)),
    ],
    ids=repr,
)
def test_what_may_pass_is_tried_again(error: Exception) -> None:
    assert should_retry(error)


@pytest.mark.parametrize(
    "error",
    [
        *(refused(status) for status in (200, 302, 400, 401, 403, 404, 408, 426, 428, 430, 499, 600)),
        ProxyRefused(Response(407)),
        InvalidURL("bad"),
        LocalProtocolError("bad"),
        RemoteProtocolError(Violation.WEBSOCKET_ACCEPT),
        WSCoreError("other"),
        SSLCertVerificationError("certificate has expired"),
        MyCertificateError("host name mismatch"),
        ValueError("bad"),
        TypeError("bad"),
        KeyboardInterrupt(),
    ],
    ids=repr,
)
def test_what_stays_wrong_is_not_tried_again(error: BaseException) -> None:
    assert not should_retry(error)


def test_the_names_meant_are_those_of_the_standard_library() -> None:
    ssl: Any = pytest.importorskip("ssl")
    assert not should_retry(ssl.SSLCertVerificationError("certificate has expired"))
    assert not should_retry(ssl.CertificateError("host name mismatch"))
    assert should_retry(ssl.SSLError("handshake failure"))
