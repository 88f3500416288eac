"""Parameters of permessage-deflate, as offers and answers have them (RFC 7692 section 7.1)."""

from typing import Any

from wscore import ExtensionOffer

Parameter = tuple[str, str | None]
Settings = dict[str, Any]  # of `Deflate`

SERVER_ALONE: Parameter = ("server_no_context_takeover", None)
CLIENT_ALONE: Parameter = ("client_no_context_takeover", None)
FREE: Settings = {"server_max_window_bits": 15, "client_max_window_bits": 15}  # nothing is wished for


def server_bits(bits: object) -> Parameter:
    """Name the server's window."""
    return "server_max_window_bits", str(bits)


def client_bits(bits: object = None) -> Parameter:
    """Name the client's window, or only say that the server may."""
    return "client_max_window_bits", None if bits is None else str(bits)


def offer(*parameters: Parameter) -> ExtensionOffer:
    """Return an offer, or an answer, with parameters."""
    return ExtensionOffer("permessage-deflate", parameters)
