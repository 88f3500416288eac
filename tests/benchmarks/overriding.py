"""`typing.override` for Python 3.11, without loading any package: what a peer loads is to be its own."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing_extensions import override
else:

    def override(method):
        """Mark a method that replaces one of a base class."""
        return method


__all__ = ["override"]
