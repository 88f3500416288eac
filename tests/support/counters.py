"""The counters of `Stats`, by name: a compiled class has no ``__slots__`` to ask."""

from wscore import Stats


def counters() -> list[str]:
    """Return the names of all plain counters."""
    found = Stats()
    return [name for name in dir(found) if not name.startswith("_") and type(getattr(found, name)) is int]
