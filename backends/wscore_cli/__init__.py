"""wscore on the command line: an echo server to look at, and a client to type into.

Two commands, made for the moments in which a WebSocket must be *seen*:

- ``wscore serve`` runs an echo server; a browser that opens the same address gets a page which talks to it;
- ``wscore connect URL`` sends each line of its input as a text message and prints what comes back.

The program keeps three promises to whoever scripts it. Standard output is data only: prompts and notices go
to standard error. Whatever comes from the network is printed with its control characters escaped, so that
no peer can drive the terminal. And what goes wrong is said in one sentence, never in a traceback, with
an exit status: 0 all well, 1 it failed or the connection did not end cleanly, 2 wrong usage, 130 a client
that was interrupted twice.

It uses only what every user of the library can use: `wscore`, its backends, and nothing private.
"""

import sys
from collections.abc import Sequence
from typing import assert_never

from ._arguments import ConnectOptions, ServeOptions, parse
from ._connect import connect
from ._failures import CommandError
from ._serve import serve
from ._text import one_line

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program.

    Args:
        argv: the arguments without the program's name; None takes them from ``sys.argv``.

    Returns:
        The exit status, also for ``--help`` (0) and for wrong usage (2).
    """
    try:
        options = parse(argv)
    except SystemExit as stop:  # argparse has printed help, the version or what is wrong
        return stop.code if isinstance(stop.code, int) else 2
    try:
        match options:
            case ServeOptions():
                return serve(options)
            case ConnectOptions():
                return connect(options)
            case _:
                assert_never(options)
    except CommandError as error:
        print(f"wscore: {one_line(str(error), limit=500)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:  # pressed again while a clean end was under way
        return 130
