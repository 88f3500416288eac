"""What the server answers to plain HTTP: the page for browsers, and a health check.

The page is one file without outside resources, and its policy says so: nothing may load but the two inline
blocks whose hashes are in the header, nothing may be contacted but the server itself. So text that a
peer sends, or an error in the page, cannot become code.
"""

import base64
import hashlib
import re
from functools import cache
from importlib import resources
from typing import Final

from wscore import Headers, Request, Response

_PLAIN: Final = ("Content-Type", "text/plain; charset=utf-8")
_COMMON: Final = (
    ("Cache-Control", "no-store"),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
)


def respond(request: Request) -> Response | None:
    """Answer a plain request; None lets a WebSocket handshake go on, on any path."""
    if request.is_upgrade:
        return None
    match request.path:
        case "/":
            return _page()
        case "/healthz":
            return Response(200, Headers([_PLAIN, *_COMMON]), b"ok")
        case _:
            return Response(404, Headers([_PLAIN, *_COMMON]), b"not found; the page is at /\n")


@cache
def _page() -> Response:
    """Read the page once and write its policy."""
    text = resources.files(__package__).joinpath("page.html").read_text(encoding="utf-8")
    text = text.replace("\r\n", "\n")  # a checkout may have changed them, and a browser hashes LF
    headers = [
        ("Content-Type", "text/html; charset=utf-8"),
        ("Content-Security-Policy", _policy(text)),
        *_COMMON,
    ]
    return Response(200, Headers(headers), text.encode())


def _policy(page: str) -> str:
    """Allow exactly the page's own style and script, by hash, and connections to its own server."""
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src {_hash(page, 'script')}",
            f"style-src {_hash(page, 'style')}",
            "img-src data:",  # the icon
            "connect-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        )
    )


def _hash(page: str, element: str) -> str:
    """Return the CSP source for the text of the page's only such element."""
    (text,) = re.findall(f"<{element}>(.*?)</{element}>", page, re.DOTALL)
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
