"""One connection after another: the pauses, what is said of them, and when it ends."""

from wscore import HandshakeRefused, InvalidURL, Response
from wscore.policy._backoff import Backoff, should_retry
from wscore.policy._retries import Retries


def retries_of(said: list[str]) -> Retries:
    backoff = Backoff(1.0, 2.0, 60.0, stable_after=30.0, chance=lambda: 0.0)
    return Retries(backoff, should_retry, said.append)


def test_the_pauses_grow_until_a_connection_has_lasted() -> None:
    retries = retries_of([])
    assert retries.failed(OSError("down"), 0.0, 0.0) == 1.0
    assert retries.failed(OSError("down"), 1.0, 0.0) == 2.0
    retries.opened(10.0)
    assert retries.ended(11.0) == 4.0  # it was dropped at once
    retries.opened(20.0)
    assert retries.ended(50.0) == 1.0


def test_each_pause_after_a_failure_is_announced_with_its_reason() -> None:
    said: list[str] = []
    retries = retries_of(said)
    retries.failed(OSError("no\nroute"), 0.0, 0.0)
    retries.ended(1.0)
    assert said == [r"connecting again in 1.0 s: no\nroute"]


def test_what_the_server_asks_for_is_waited_on_top() -> None:
    refused = HandshakeRefused(Response(503, [("Retry-After", "7")], b""))
    assert retries_of([]).failed(refused, 0.0, 0.0) == 8.0


def test_a_hopeless_error_ends_it_without_a_word() -> None:
    said: list[str] = []
    assert retries_of(said).failed(InvalidURL("no address"), 0.0, 0.0) is None
    assert said == []
