"""The specs of the vector format: how bytes and texts, also long ones, are written down in JSON.

A bytes spec is hex digits, or an object that says how the bytes are made; a text spec is text, or an object
in the same way. Bytes that were sent are compared with a spec in which a list of lines may stand for a head.
"""

from typing import Any


def octets(spec: Any) -> bytes:
    """Turn a bytes spec into bytes."""
    match spec:
        case str():
            return bytes.fromhex(spec)
        case list():
            return b"".join(map(octets, spec))
        case {"text": text}:
            return characters(text).encode("utf-8")
        case {"lines": lines}:
            return b"".join(line.encode("utf-8") + b"\r\n" for line in lines)
        case {"repeat": unit, "count": count}:
            return octets(unit) * int(count)
        case {"masked": payload, "key": key}:
            plain, mask = octets(payload), bytes.fromhex(key)
            return bytes(octet ^ mask[index % 4] for index, octet in enumerate(plain))
        case _:
            raise ValueError(f"not a bytes spec: {spec!r:.80}")


def characters(spec: Any) -> str:
    """Turn a text spec into text."""
    match spec:
        case str():
            return spec
        case list():
            return "".join(map(characters, spec))
        case {"repeat": unit, "count": count}:
            return characters(unit) * int(count)
        case _:
            raise ValueError(f"not a text spec: {spec!r:.80}")


def same_bytes(spec: Any, actual: bytes) -> bool:
    """Compare what was sent with a spec, in which heads are compared as HTTP compares them."""
    for part in spec if isinstance(spec, list) else [spec]:
        if isinstance(part, dict) and "head" in part:
            head, end, actual = actual.partition(b"\r\n\r\n")
            if not end or _fields(head.decode("latin-1").split("\r\n")) != _fields(part["head"]):
                return False
            continue
        expected = octets(part)
        if not actual.startswith(expected):
            return False
        actual = actual[len(expected) :]
    return not actual


def _fields(lines: list[str]) -> tuple[str, list[tuple[str, str]]]:
    """Return a head so that equal heads are equal: no reason phrase, no case and no order of names."""
    start = lines[0][:12] if lines[0].startswith("HTTP/") else lines[0]
    pairs = [line.partition(": ") for line in lines[1:]]
    return start, sorted(((name.lower(), value) for name, _, value in pairs), key=lambda pair: pair[0])
