"""One stream, cut in every way that has broken a parser before."""

from collections.abc import Callable, Iterator

from wscore import Connection

from ._chance import Chance
from ._drain import Output, drain


def cuttings(data: bytes, *, seed: int = 0, count: int = 3) -> Iterator[list[bytes]]:
    """Cut data whole, byte by byte, and count times at random places.

    Args:
        data: the stream.
        seed: of the random cuts; the same seed gives the same cuts.
        count: how many random cuttings to give.
    """
    yield [data]
    yield [data[index : index + 1] for index in range(len(data))]
    chance = Chance(seed)
    for _ in range(count):
        places = chance.places(len(data), 12)
        yield [
            data[start:end]
            for start, end in zip([0, *places], [*places, len(data)], strict=True)
            if start < end
        ]


def feed(
    make: Callable[[], Connection], data: bytes, now: float = 0.0, *, seed: int = 0, count: int = 3
) -> Output:
    """Feed data to fresh connections, each time cut another way, and return what all of them gave.

    Args:
        make: makes a connection in the state to start from, always the same one.
        data: what the peer sends.
        now: the time.
        seed, count: of the random cuts; see `cuttings`.

    Raises:
        AssertionError: one way to cut data gave something else than data as a whole.
    """
    outputs: list[Output] = []
    for pieces in cuttings(data, seed=seed, count=count):
        connection = make()
        for piece in pieces:
            connection.receive_data(piece, now)
        outputs.append(drain(connection, now))
        if outputs[-1] != outputs[0]:
            sizes = [len(piece) for piece in pieces]
            raise AssertionError(f"cut into {sizes}, data gave {outputs[-1]}, not {outputs[0]}")
    return outputs[0]
