"""Which handler serves which path.

A pattern is a path as people write it, each of whose segments may be a parameter instead::

    router = Router()
    router.add("/chat", Chat)
    router.add("/room/{name}", Room)            # one segment, not empty: {"name": "blue room"}
    router.add("/user/{number:int}", User)      # decimal digits, at most 18: {"number": 42}
    router.add("/files/{rest:path}", Files)     # all that is left, slashes too; may be empty

The path of a request is cut at its slashes first, and only then is the percent-encoding of each segment
undone: "%2F" is a letter of a name and never a border. What is not encoded UTF-8 is not found, nor is a path
with a segment "." or "..", in any spelling: those are resolved before a path is sent (RFC 3986 section
5.2.4), and what sends them nevertheless wants to get out of a folder. A value can still hold any character:
a slash or a backslash, where a parameter is one segment, or a line end. The rest of a path holds the slashes
between its segments and no others, and does not begin with one.

Where several patterns fit, the first segment at which they differ decides: a literal comes before a number,
a number before a name, a name before the rest of the path. So the order of `Router.add` does not matter, and
two patterns that differ in the names of their parameters alone are an error.

The patterns form a tree, one level for each segment. A match visits each of its nodes at most once.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, TypeAlias, final
from urllib.parse import unquote_to_bytes

from wscore._endpoint import Handler

_PARAMETER: Final = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)(?::(int|path))?\}")
_NOT_LITERAL: Final = re.compile(r"[{}%?#\x00-\x1f\x7f]")
_ENCODED: Final = re.compile(r"(?:[!-$&-~]|%[0-9A-Fa-f]{2})*")
_INT: Final = re.compile(r"[0-9]{1,18}")  # fits into 64 bits; and no text may cost quadratic time
_DOTS: Final = (".", "..")

_Values: TypeAlias = tuple[str | int, ...]


class _Kind(Enum):
    """What a parameter takes, in the order in which they are tried."""

    INT = "int"
    NAME = None
    PATH = "path"


@final
@dataclass(frozen=True, slots=True)
class Route:
    """Where a path leads.

    Attributes:
        handler: what serves it.
        parameters: what was read from the path, by name, decoded.
        subprotocols: supported ones, in order of preference; None: the server's.
    """

    handler: Handler
    parameters: Mapping[str, str | int] = field(default_factory=dict)
    subprotocols: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class _Leaf:
    """What was added for one pattern."""

    pattern: str
    names: tuple[str, ...]
    handler: Handler
    subprotocols: tuple[str, ...] | None


@dataclass(slots=True)
class _Node:
    """What may follow a path so far."""

    literals: "dict[str, _Node]" = field(default_factory=dict)
    parameters: "dict[_Kind, _Node]" = field(default_factory=dict)
    leaf: _Leaf | None = None


@final
class Router:
    """Finds the handler for a path. Add all patterns before the server starts."""

    __slots__ = ("_leaves", "_root")

    def __init__(self) -> None:
        self._root = _Node()
        self._leaves: list[_Leaf] = []

    @property
    def handlers(self) -> tuple[Handler, ...]:
        """What has been added, in that order."""
        return tuple(leaf.handler for leaf in self._leaves)

    def add(self, pattern: str, handler: Handler, *, subprotocols: Sequence[str] | None = None) -> None:
        """Let handler serve the paths that pattern fits.

        Args:
            pattern: such as "/room/{name}", in plain text: not percent-encoded, without a query.
            handler: as ``serve`` takes it.
            subprotocols: supported on these paths, in order of preference; None: the server's.

        Raises:
            ValueError: not a pattern, or it fits the same paths as one that was added before.
            TypeError: subprotocols is one string.
        """
        if isinstance(subprotocols, str):
            raise TypeError("expected several subprotocols, not one string")
        steps, names = _parse(pattern)
        node = self._root
        for step in steps:
            if isinstance(step, str):
                node = node.literals.setdefault(step, _Node())
            else:
                node = node.parameters.setdefault(step, _Node())
        if node.leaf is not None:
            raise ValueError(f"{pattern!r} fits the same paths as {node.leaf.pattern!r}")
        chosen = None if subprotocols is None else tuple(subprotocols)
        node.leaf = _Leaf(pattern, names, handler, chosen)
        self._leaves.append(node.leaf)

    def match(self, path: str) -> Route | None:
        """Return where path leads; None: nowhere.

        Args:
            path: as it travelled, percent-encoded: the target of a request. A query does not count. Its
                `Request.path` would be decoded twice.
        """
        segments = _decode(path.partition("?")[0])
        found = None if segments is None else _find(self._root, segments, 0)
        if found is None:
            return None
        leaf, values = found
        return Route(leaf.handler, dict(zip(leaf.names, values, strict=True)), leaf.subprotocols)


def _parse(pattern: str) -> tuple[list[str | _Kind], tuple[str, ...]]:
    """Return the steps down the tree, and the names of the parameters."""
    if not pattern.startswith("/"):
        raise ValueError(f"expected a pattern that starts with a slash, not {pattern!r}")
    steps: list[str | _Kind] = []
    names: list[str] = []
    for segment in pattern[1:].split("/"):
        if _Kind.PATH in steps:
            raise ValueError(f"in {pattern!r} something follows the rest of the path")
        parameter = _PARAMETER.fullmatch(segment)
        if parameter is not None:
            names.append(parameter[1])
            steps.append(_Kind(parameter[2]))
        elif _NOT_LITERAL.search(segment) or segment in _DOTS:
            raise ValueError(
                f"in {pattern!r} the segment {segment!r} is neither plain text nor a parameter such as"
                " {name}, {name:int} or {name:path}"
            )
        else:
            steps.append(segment)
    if len(set(names)) < len(names):
        raise ValueError(f"in {pattern!r} two parameters have the same name")
    return steps, tuple(names)


def _decode(path: str) -> list[str] | None:
    """Return the segments of a path, decoded; None: no path that is ever found."""
    if not path.startswith("/") or not _ENCODED.fullmatch(path):
        return None
    try:
        segments = [unquote_to_bytes(segment).decode("utf-8") for segment in path[1:].split("/")]
    except UnicodeDecodeError:
        return None
    return None if any(segment in _DOTS for segment in segments) else segments


def _find(node: _Node, segments: list[str], depth: int) -> tuple[_Leaf, _Values] | None:
    """Return what fits the segments from depth on, and the values of its parameters from there."""
    if depth == len(segments):
        return None if node.leaf is None else (node.leaf, ())
    literal = node.literals.get(segments[depth])
    found = None if literal is None else _find(literal, segments, depth + 1)
    if found is not None:
        return found
    for kind in _Kind:
        child = node.parameters.get(kind)
        value = None if child is None else _read(kind, segments, depth)
        if child is not None and value is not None:
            after = len(segments) if kind is _Kind.PATH else depth + 1
            found = _find(child, segments, after)
            if found is not None:
                return found[0], (value, *found[1])
    return None


def _read(kind: _Kind, segments: list[str], depth: int) -> str | int | None:
    """Return what a parameter takes at depth; None: nothing that it may."""
    segment = segments[depth]
    if kind is _Kind.PATH:
        return _rest(segments[depth:])
    if kind is _Kind.INT:
        return int(segment) if _INT.fullmatch(segment) else None
    return segment or None


def _rest(segments: list[str]) -> str | None:
    """Return segments as one text; None: it would say something else than they did.

    A slash inside one could not be told from those between them, and with one at the beginning a path inside
    a folder becomes one from the root.
    """
    if any("/" in segment for segment in segments) or (segments[0] == "" and len(segments) > 1):
        return None
    return "/".join(segments)
