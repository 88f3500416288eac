"""The specs of the vector format: how bytes and texts, also long ones, are written down in JSON.

A bytes spec is hex digits, or an object that says how the bytes are made; a text spec is text, or an object
in the same way.
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
