"""Where a client's output goes: messages to standard output, all else to standard error.

With a person at a terminal both end up on one screen, together with the line that is being typed. A
message that arrives meanwhile is put above that line: save the cursor, make room with one inserted row,
print, restore, step down. What does not fit on one row is printed over the line instead, and the prompt
anew; the terminal still holds what was typed. These control sequences go to standard error, like the
prompt, so standard output is only ever data.
"""

import os
import shutil
import sys
import threading
import unicodedata
from typing import Final, TextIO

from ._text import message_text

_PROMPT: Final = "> "
_CLEAR_ROW: Final = "\r\x1b[K"
_ABOVE: Final = ("\x1b7\n\x1b[A\x1b[L", "\x1b8\x1b[B")
_INSTEAD: Final = (_CLEAR_ROW, _PROMPT)
_TAB: Final = 8


class Screen:
    """Prints for one connection; safe to use from any thread.

    Attributes:
        interactive: a person sits at a terminal that understands control sequences.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        streams: tuple[TextIO | None, ...] = (sys.stdin, sys.stdout, sys.stderr)  # None: started without
        self.interactive = (
            os.name == "posix"
            and os.environ.get("TERM", "dumb") != "dumb"
            and all(stream is not None and stream.isatty() for stream in streams)
        )

    def message(self, message: str | bytes) -> None:
        """Print one message.

        Raises:
            OSError: nobody reads standard output any more.
        """
        text = message_text(message)
        before, after = ("", "")
        if self.interactive:
            before, after = _ABOVE if _fits_one_row(text) else _INSTEAD
        with self._lock:
            _note(before)
            print(text, flush=True)
            _note(after)

    def prompt(self) -> None:
        """Ask for a line, if there is somebody to ask."""
        if self.interactive:
            with self._lock:
                _note(_PROMPT)

    def notice(self, text: str) -> None:
        """Print one line about the connection; with a person it takes the place of the prompt."""
        with self._lock:
            _note(f"{_CLEAR_ROW if self.interactive else ''}wscore: {text}\n")


def _note(text: str) -> None:
    """Write to standard error; that nobody reads it must not disturb the connection."""
    try:
        sys.stderr.write(text)
        sys.stderr.flush()
    except (OSError, ValueError, AttributeError):
        pass


def _fits_one_row(text: str) -> bool:
    """Tell whether text takes less than one row of the terminal; wide characters take two columns."""
    columns = shutil.get_terminal_size().columns
    if len(text) >= columns or "\n" in text:
        return False
    widths = (_TAB if char == "\t" else 1 + (unicodedata.east_asian_width(char) in "WF") for char in text)
    return sum(widths) < columns
