"""Moments for signals. This module is never compiled, and that is all it is for.

Python runs the handler of a signal in the main thread, between two instructions of its interpreter. A loop
that is compiled has no such moments while nobody's hooks are called; and a signal that the system has shown
to another thread does not even interrupt the wait.
"""


def heed() -> None:
    """Let the handlers of signals that have come run, as they do whenever the interpreter is at work."""
