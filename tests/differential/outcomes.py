"""The normal form to which the differential test reduces what any parser made of a stream.

Items in order: messages and control frames; then one outcome. How a message was cut into frames, when it
was handed out, and in which words a failure was reported are not part of it.
"""

from dataclasses import dataclass, field

from wscore._typing import override

Item = tuple[str, str | bytes]  # "text", "binary", "ping" or "pong", and its payload


@dataclass(frozen=True, slots=True)
class Outcome:
    """Where the parser stood when the stream had been read.

    Attributes:
        kind: "open": it waits for more; "closed": by the peer's Close; "failed": the peer broke a rule;
            "raised": an error left the parser that its callers are not told about.
        code: of the peer's Close, 1005 when it had none; or of the Close that reports the failure.
        detail: the peer's reason; the name of the rule, which is not compared; or of the exception.
    """

    kind: str
    code: int = 0
    detail: str = ""

    def same(self, other: "Outcome") -> bool:
        """Compare, but for the name of the rule."""
        if self.kind != other.kind or self.code != other.code:
            return False
        return self.kind == "failed" or self.detail == other.detail


OPEN = Outcome("open")


def failed(code: int, rule: str = "") -> Outcome:
    """The peer broke a rule."""
    return Outcome("failed", code, rule)


@dataclass(slots=True)
class Trace:
    """What came of one stream."""

    items: list[Item] = field(default_factory=list)
    outcome: Outcome = OPEN

    @property
    def ended(self) -> bool:
        """Tell whether nothing can come any more."""
        return self.outcome is not OPEN

    def same(self, other: "Trace") -> bool:
        """Compare."""
        return self.items == other.items and self.outcome.same(other.outcome)

    @override
    def __str__(self) -> str:
        items = [f"{kind} {_short(data)}" for kind, data in self.items]
        if len(items) > 12:
            items[6:-5] = [f"… {len(items) - 11} more …"]
        outcome = self.outcome
        return ", ".join([*items, f"{outcome.kind} {outcome.code or ''} {outcome.detail}".strip()])


def _short(data: str | bytes) -> str:
    return repr(data) if len(data) <= 40 else f"{data[:30]!r}…({len(data)})"
