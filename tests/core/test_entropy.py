"""The pool of random bytes: never the same bytes twice, neither in threads nor after fork."""

import itertools
import os
import sys
import threading

import pytest

from wscore import _entropy
from wscore._entropy import EntropyPool, system_entropy


class Counter:
    """Stands for the operating system: gives blocks whose bytes tell where they came from."""

    def __init__(self) -> None:
        self.asked: list[int] = []
        self._numbers = itertools.count(1)

    def urandom(self, size: int) -> bytes:
        number = next(self._numbers)  # one step: no two threads get the same
        self.asked.append(size)
        return b"".join((number << 16 | index).to_bytes(4, "big") for index in range(size // 4))


@pytest.fixture
def counter(monkeypatch: pytest.MonkeyPatch) -> Counter:
    counter = Counter()
    monkeypatch.setattr(os, "urandom", counter.urandom)
    return counter


@pytest.mark.parametrize("size", [0, 1, 4, 16, 255, 256])
def test_as_many_bytes_come_as_were_asked_for(size: int) -> None:
    pool = EntropyPool()
    assert len(pool.take(size)) == size
    assert len(pool.take(size)) == size


def test_keys_are_drawn_64_at_a_time_and_none_is_given_twice(counter: Counter) -> None:
    pool = EntropyPool()
    keys = [pool.take(4) for _ in range(640)]
    assert counter.asked == [256] * 10
    assert len(set(keys)) == 640


def test_every_byte_of_a_block_is_part_of_one_key(counter: Counter) -> None:
    pool = EntropyPool()
    keys = {pool.take(4) for _ in range(64)}
    assert counter.asked == [256]
    assert keys == {(1 << 16 | index).to_bytes(4, "big") for index in range(64)}


@pytest.mark.parametrize("size", [0, 8, 16, 252, 256, 1024])
def test_other_sizes_come_straight_from_the_operating_system(counter: Counter, size: int) -> None:
    pool = EntropyPool()
    pool.take(4)
    assert len(pool.take(size)) == size
    pool.take(4)
    assert counter.asked == [256, size]


def test_a_forgotten_pool_asks_the_operating_system_again(counter: Counter) -> None:
    pool = EntropyPool()
    before = pool.take(4)
    pool.forget()
    after = pool.take(4)
    assert counter.asked == [256, 256]
    assert before != after


def test_two_pools_share_nothing(counter: Counter) -> None:
    one, other = EntropyPool(), EntropyPool()
    assert one.take(4) != other.take(4)
    assert counter.asked == [256, 256]


def test_a_thread_that_comes_in_between_gets_other_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    # The moment of danger is the call to the operating system, with the pool empty: there, another
    # thread takes a key, too, and leaves its own rest.
    pool, blocks, between = EntropyPool(), Counter(), list[bytes]()

    def urandom(size: int) -> bytes:
        block = blocks.urandom(size)
        if len(blocks.asked) == 1:
            between.append(pool.take(4))
        return block

    monkeypatch.setattr(os, "urandom", urandom)
    keys = [pool.take(4)]
    assert len(pool._keys) == 63  # of two rests one is dropped: threads cannot make the pool grow
    keys += between + [pool.take(4) for _ in range(200)]
    assert len(set(keys)) == 202


def test_threads_never_get_the_same_bytes(counter: Counter) -> None:
    pool, start = EntropyPool(), threading.Barrier(4)
    taken: list[list[bytes]] = [[] for _ in range(4)]

    def work(own: list[bytes]) -> None:
        start.wait()
        own.extend(pool.take(4) for _ in range(5_000))

    threads = [threading.Thread(target=work, args=(own,)) for own in taken]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    keys = [key for own in taken for key in own]
    # Two threads that ask at once get two blocks with two numbers, so equal keys mean shared bytes.
    assert len(keys) == 20_000
    assert {len(key) for key in keys} == {4}
    duplicates = len(keys) - len(set(keys))
    assert duplicates == 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_child_process_never_repeats_its_parents_bytes() -> None:
    while not _entropy._pool._keys:  # it is filled before the fork
        system_entropy(4)
    readable, writable = os.pipe()
    child = os.fork()
    if child == 0:  # in the child: report and leave at once, past all of pytest
        try:
            os.write(writable, b"".join(system_entropy(4) for _ in range(4)))
        finally:
            os._exit(0)
    os.close(writable)
    own = b"".join(system_entropy(4) for _ in range(4))
    with os.fdopen(readable, "rb") as pipe:
        of_child = pipe.read()
    assert os.waitpid(child, 0)[1] == 0
    assert len(of_child) == len(own) == 16
    assert of_child != own


def test_the_default_source_is_the_operating_systems(counter: Counter) -> None:
    _entropy._pool.forget()
    try:
        assert system_entropy(8) == (1 << 16).to_bytes(4, "big") + (1 << 16 | 1).to_bytes(4, "big")
    finally:
        _entropy._pool.forget()  # nothing predictable may stay behind
