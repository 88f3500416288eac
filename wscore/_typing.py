"""`typing.override` for Python 3.11, which does not have it yet; at run time it does nothing."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing_extensions import override
else:

    def override(method):
        """Mark a method that replaces one of a base class."""
        return method


__all__ = ["override"]
