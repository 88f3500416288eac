"""What may stand in a log line: no secrets, no control characters, no more than a line.

Logs travel further than connections: to files, to other machines, to people who answer questions. So what
authenticates somebody is replaced by "..." before a head or an address is logged. And what a peer wrote must
not be able to end the line and forge another one, or to give orders to a terminal: it is escaped and cut.

The names decide what is a secret. A secret under a harmless name, or in a path, is not recognised.
"""

import re
from typing import Final
from urllib.parse import unquote

from wscore._handshake import HeadersLike
from wscore._http import Headers

HIDDEN: Final = "..."

_ADDRESS_FIELDS: Final = frozenset({"content-location", "location", "referer"})
# A field or a parameter is secret if one of these words is in its name, as in "accessToken" ...
_SECRET_PARTS: Final = (
    *("apikey", "authorization", "cookie", "credential", "jwt", "passphrase", "passwd", "password"),
    *("secret", "session", "signature", "ticket", "token"),
)
# ... or if it has one of these as a whole word: "key", "api_key", "X-Key", but not "keyboard".
_SECRET_WORDS: Final = frozenset({"auth", "bearer", "code", "key", "otp", "pass", "pin", "pwd", "sid", "sig"})

_USER_INFO: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*:)?//[^/?#]*@")
_DELIMITER: Final = re.compile(r"([?&;#])")
_NAME: Final = re.compile(r"(?:^|[?&;#])([^=?&;#]*)=")
_HUMP: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_NO_LETTERS: Final = re.compile(r"[^a-z]+")


def redact_headers(headers: HeadersLike) -> Headers:
    """Return header fields without what authenticates somebody.

    The values of Authorization, Proxy-Authorization, Cookie, Set-Cookie and of all fields that are called
    key, token or the like become "..."; addresses, as in Location, are treated by `redact_target`.
    """
    return Headers((name, _redact_field(name.lower(), value)) for name, value in Headers(headers))


def _redact_field(name: str, value: str) -> str:
    if _is_secret(name) and not name.startswith("sec-websocket-"):  # its key is none that opens anything
        return HIDDEN
    return redact_target(value) if name in _ADDRESS_FIELDS else value


def redact_target(target: str) -> str:
    """Return a request target, or a whole address, without what authenticates somebody.

    The values of parameters that are called token, key, password, secret, signature or the like become
    "...", and so does the user information in front of a host.
    """
    whole = _USER_INFO.match(target)
    if whole is not None:
        target = f"{whole[1] or ''}//{HIDDEN}@{target[whole.end() :]}"
    path, *pieces = _DELIMITER.split(target)
    parts = [path]
    hiding = False
    for mark, piece in zip(pieces[::2], pieces[1::2], strict=True):
        if hiding and mark in "?;":  # not between parameters, for most servers: the rest of the secret
            continue
        name, equals, value = piece.partition("=")
        hiding = bool(equals) and (_is_secret(name) or _holds_secret(value))
        parts.append(f"{mark}{name}={HIDDEN}" if hiding else mark + piece)
    return "".join(parts)


def _holds_secret(value: str) -> bool:
    """Tell whether a value is an address with a secret parameter, encoded to fit in: "/ws%3Fkey%3D1"."""
    return "%" in value and any(_is_secret(name) for name in _NAME.findall(unquote(value)))


def _is_secret(name: str) -> bool:
    """Judge the name of a field or a parameter, percent-encoded or not, in any case."""
    words = _NO_LETTERS.sub(" ", _HUMP.sub(" ", unquote(name)).lower()).split()
    if not _SECRET_WORDS.isdisjoint(words):
        return True
    letters = "".join(words)
    return any(part in letters for part in _SECRET_PARTS)


def printable(text: str, limit: int = 200) -> str:
    r"""Return text as visible ASCII characters and blanks on one line.

    Control characters, backslashes and all beyond ASCII are escaped as in Python source: "\n", "\u2028".

    Args:
        text: anything, of any length.
        limit: the most characters to return; "..." ends what had to be cut.
    """
    start = _escape(text[: limit + 1])  # escaping never makes it shorter
    if len(start) <= limit:
        return start
    kept = ""
    for character in text[:limit]:
        escaped = _escape(character)
        if len(kept) + len(escaped) + len(HIDDEN) > limit:
            break
        kept += escaped
    return (kept + HIDDEN)[:limit]


def _escape(text: str) -> str:
    # Not the codec "unicode_escape", which is imported on first use: there may be no descriptor for that.
    return "".join(
        character if " " <= character <= "~" and character != "\\" else ascii(character)[1:-1]
        for character in text
    )
