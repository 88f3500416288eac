"""When to connect again, and when not to.

A server that restarts loses all its clients in the same moment. If they all come back at once it falls over
again; so each waits a while, longer after each failure, and draws the length by lot: "full jitter", anything
between nothing and a bound that doubles. Only a connection that has lasted shows that the server is well
again: one that is accepted and dropped at once counts as a failure, and the bound goes on growing.

::

    backoff = Backoff(chance=random.random)
    while True:
        try:
            session = connect(...)
        except Exception as error:
            if not should_retry(error):
                raise
            retry_after = ...                   # parse_retry_after, where there is a response
        else:
            backoff.connected(now())
            ...                                 # use it until it ends
            backoff.lost(now())
            retry_after = None
        wait(backoff.delay(now(), retry_after))

A server may say how long to wait (Retry-After, RFC 9110 section 10.2.3). That is obeyed, up to an hour, and
what was drawn comes on top: all its clients were told the same.
"""

import re
from collections.abc import Callable
from math import inf
from typing import Final, final

from wscore._errors import ConnectionLost, HandshakeRefused, TimedOut

from ._proxy import ProxyRefused

LONGEST_RETRY_AFTER: Final = 3600.0

_DAY: Final = 86_400
_SECONDS: Final = re.compile(r"[0-9]+", re.ASCII)
# RFC 9110 section 5.6.7; the two obsolete formats are not read.
_FIXDATE: Final = re.compile(
    r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), ([0-9]{2}) ([A-Z][a-z]{2}) ([0-9]{4}) "
    r"([01][0-9]|2[0-3]):([0-5][0-9]):([0-5][0-9]|60) GMT"
)
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_DAYS_BEFORE: Final = (0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365)
# By their names, since this package knows no TLS: a certificate does not become valid by trying again.
_HOPELESS: Final = frozenset({"SSLCertVerificationError", "CertificateError"})


@final
class Backoff:
    """How long to wait before the next attempt.

    Args:
        initial: the bound of the first wait, in seconds.
        factor: by what the bound grows with each wait.
        maximum: what it never exceeds, in seconds.
        stable_after: how long a connection must have lasted for the bound to fall back, in seconds.
        chance: draws a number in [0, 1): ``random.random``.

    Raises:
        ValueError: a setting out of range.
    """

    __slots__ = ("_bound", "_chance", "_factor", "_initial", "_maximum", "_opened_at", "_stable_after")

    def __init__(
        self,
        initial: float = 1.0,
        factor: float = 2.0,
        maximum: float = 60.0,
        stable_after: float = 30.0,
        *,
        chance: Callable[[], float],
    ) -> None:
        if not 0 < initial <= maximum < inf:
            raise ValueError("initial must be a positive number of seconds, and maximum not less")
        if not 1 <= factor < inf or not 0 <= stable_after < inf:
            raise ValueError("factor must be at least 1 and stable_after at least 0")
        self._initial: float = initial
        self._factor: float = factor
        self._maximum: float = maximum
        self._stable_after: float = stable_after
        self._chance: Callable[[], float] = chance
        self._bound: float = initial
        self._opened_at: float | None = None

    def connected(self, now: float) -> None:
        """Take note that the opening handshake is complete."""
        self._opened_at = now

    def lost(self, now: float) -> None:
        """Take note that the connection has ended; harmless if there was none."""
        if self._opened_at is not None and now - self._opened_at >= self._stable_after:
            self._bound = self._initial
        self._opened_at = None

    def delay(self, now: float, retry_after: float | None = None) -> float:
        """Return how many seconds to wait before the next attempt; each call counts as a failure.

        Args:
            now: a connection that was not reported as `lost` is taken to end here.
            retry_after: what the server asked for, in seconds: it is waited in any case.
        """
        self.lost(now)
        drawn = self._bound * (1 - self._chance())
        self._bound = min(self._bound * self._factor, self._maximum)
        return drawn + (retry_after or 0.0)


def parse_retry_after(value: str, wall: float) -> float | None:
    """Read a Retry-After field (RFC 9110 section 10.2.3).

    Args:
        value: a number of seconds, or a date like "Sun, 06 Nov 1994 08:49:37 GMT".
        wall: the time of day, in seconds since 1970, UTC.

    Returns:
        Seconds from now: 0 for a date that has passed, at most 3,600; None: it is neither.
    """
    if _SECONDS.fullmatch(value):
        digits = value.lstrip("0")[:9]  # more would be over the limit anyway
        return min(float(digits or 0), LONGEST_RETRY_AFTER)
    moment = _read_date(value)
    return None if moment is None else min(max(moment - wall, 0.0), LONGEST_RETRY_AFTER)


def _read_date(value: str) -> int | None:
    """Return the seconds since 1970 of an IMF-fixdate; None: it is none."""
    match = _FIXDATE.fullmatch(value)
    if match is None or match[2] not in _MONTHS:
        return None
    day, year, hour, minute, second = (int(match[group]) for group in (1, 3, 4, 5, 6))
    month = _MONTHS.index(match[2])
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    length = _DAYS_BEFORE[month + 1] - _DAYS_BEFORE[month] + (leap and month == 1)
    if year == 0 or not 1 <= day <= length:
        return None
    past = year - 1
    days = past * 365 + past // 4 - past // 100 + past // 400 - 719_162  # 719,162 days before 1970
    days += _DAYS_BEFORE[month] + (leap and month > 1) + day - 1
    return days * _DAY + hour * 3600 + minute * 60 + second


def should_retry(error: BaseException) -> bool:
    """Tell whether another attempt may succeed where one has failed with error.

    It may after trouble with the network or the name service, a timeout, a lost connection, and when the
    server, or a proxy, has too much to do or is broken: status 429 or 5xx. It will not where the certificate
    is wrong, the address, what we sent, or what the server speaks.
    """
    if any(kind.__name__ in _HOPELESS for kind in type(error).__mro__):
        return False
    if isinstance(error, (HandshakeRefused, ProxyRefused)):
        status = error.response.status
        return status == 429 or 500 <= status < 600
    return isinstance(error, (OSError, TimedOut, ConnectionLost))


def asked_to_wait(error: BaseException, wall: float) -> float | None:
    """Return the seconds that a refusal asks to wait for in its Retry-After field; None: it does not ask.

    Args:
        error: what kept a connection from opening.
        wall: the time of day, in seconds since 1970, UTC.
    """
    if not isinstance(error, (HandshakeRefused, ProxyRefused)):
        return None
    value = error.response.headers.get("retry-after")
    return None if value is None else parse_retry_after(value, wall)
