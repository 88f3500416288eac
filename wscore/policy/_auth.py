"""Who is there? Basic authentication (RFC 7617), as a server asks for it and as a client answers.

``Authorization: Basic dXNlcjpwYXNz`` is the user, a colon and the password in Base64: anybody who reads along
has them, so it is only worth something over TLS. `basic_auth` makes a function for ``process_request``::

    authenticate = basic_auth({"alice": "correct horse"})
    serve(handler, process_request=authenticate)

It returns a 401 response, or an `Accept` with the user, whom the session then knows.

How long the answer takes must tell nothing. A comparison that ends at the first difference gives a password
away letter by letter, and one that is not made at all shows that there is no such user. So user and password
go into one digest, always of the same length, and that is compared with every one that is allowed, in a time
that does not depend on where they differ: unknown users, wrong passwords and right ones take the same way.

RFC 7617 leaves the encoding open; here it is UTF-8 in both directions, and the server says so.
"""

import re
from binascii import a2b_base64, b2a_base64
from collections.abc import Callable, Mapping
from hashlib import sha256
from hmac import compare_digest
from typing import Final, TypeAlias

from wscore._http import Request, Response

from ._accept import Accept

Check: TypeAlias = Callable[[str, str], bool]
Authenticate: TypeAlias = Callable[[Request], Accept | Response]

# Section 2 wants token68; of that, what is whole Base64 with its padding. Blocks of four: nothing backtracks.
_BASIC: Final = re.compile(
    r"[Bb][Aa][Ss][Ii][Cc] +"
    r"((?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?)"
)
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
_REALM: Final = re.compile(r"[ -~]*")


def basic_auth(credentials: Mapping[str, str] | Check, realm: str = "restricted") -> Authenticate:
    """Make a function that lets in only who knows a user name and its password (RFC 7617).

    Args:
        credentials: the passwords of all users, which are copied; every request is compared with each, which
            is meant for a few hundred. Or a function of user and password that returns whether they are
            right: see that it takes as long for users that it does not know.
        realm: what they are for, in ASCII; programs show it to their users.

    Returns:
        A function of the request. It returns an `Accept` with the user for the right credentials, and
        otherwise the response to be sent: status 401, which asks for them. It raises TypeError when
        ``credentials`` returned anything but a bool: a coroutine would let everybody in.

    Raises:
        ValueError: a user with a colon; a control character; a realm outside ASCII. Nothing is repeated.
    """
    if not _REALM.fullmatch(realm):
        raise ValueError("expected a realm of visible ASCII characters and spaces")
    quoted = realm.replace("\\", "\\\\").replace('"', '\\"')
    challenge = ("WWW-Authenticate", f'Basic realm="{quoted}", charset="UTF-8"')
    refusal = Response(401, [challenge], b"user name and password, please\n")
    is_right = _check_of(credentials) if isinstance(credentials, Mapping) else credentials

    def authenticate(request: Request) -> Accept | Response:
        # RFC 9110 section 5.3: the field is no list; of two, neither is believed.
        values = request.headers.get_all("authorization")
        pair = parse_basic(values[0]) if len(values) == 1 else None
        if pair is None:
            return refusal
        answer: object = is_right(*pair)
        if not isinstance(answer, bool):
            raise TypeError(f"the function that checks credentials must return a bool, not {type(answer)}")
        return Accept(user=pair[0]) if answer else refusal

    return authenticate


def basic_authorization(user: str, password: str) -> str:
    """Make the value of an Authorization or Proxy-Authorization field (RFC 7617 section 2).

    Raises:
        ValueError: a colon in the user name; a control character or half a surrogate pair in either.
            Nothing is repeated.
    """
    return "Basic " + b2a_base64(_joined(user, password), newline=False).decode("ascii")


def parse_basic(value: str) -> tuple[str, str] | None:
    """Read the value of an Authorization field.

    Returns:
        User and password; either may be empty. None: another scheme, not Base64 with its padding, not UTF-8,
        no colon or a control character in it (RFC 7617 section 2).
    """
    match = _BASIC.fullmatch(value)
    if match is None:
        return None
    try:
        text = a2b_base64(match[1]).decode("utf-8")
    except UnicodeDecodeError:
        return None
    user, colon, password = text.partition(":")
    return None if not colon or _CONTROL.search(text) else (user, password)


def _check_of(credentials: Mapping[str, str]) -> Check:
    """Make a function that compares with all credentials, however early one fits."""
    allowed = [_digest(user, password) for user, password in credentials.items()]

    def is_right(user: str, password: str) -> bool:
        given = _digest(user, password)
        found = False
        for digest in allowed:
            found |= compare_digest(given, digest)
        return found

    return is_right


def _digest(user: str, password: str) -> bytes:
    """Return 32 bytes that stand for the pair; its length does not show in them."""
    return sha256(_joined(user, password)).digest()


def _joined(user: str, password: str) -> bytes:
    """Return user and password as they travel; the first colon ends the user."""
    if ":" in user:
        raise ValueError("a user name with a colon cannot be sent")
    if _CONTROL.search(user) or _CONTROL.search(password):
        raise ValueError("a user name or password with a control character cannot be sent")
    try:
        return f"{user}:{password}".encode()
    except UnicodeEncodeError:  # its text repeats the password
        raise ValueError("a user name or password with half a surrogate pair cannot be sent") from None
