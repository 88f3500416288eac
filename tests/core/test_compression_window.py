"""T-C4: what we compress never refers farther back than was agreed on, nor into an earlier message where that
was excluded. A reader of deflate that is not zlib looks at every reference (see `support.deflate_reader`).
"""

import random
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from support.deflate_modules import MODULES, levels, two_ends
from support.deflate_reader import MessageReader
from support.deflate_writer import DeflateWriter
from support.deflated import TAIL, marked
from support.wire import BINARY, read_frames
from wscore import Closed, Config, Connection, PreparedMessage, Role, Violation
from wscore.testing import drain

pytestmark = pytest.mark.exhaustive

PLAIN = "permessage-deflate"


def phrases(chooser: random.Random, bits: int) -> Callable[[int], bytes]:
    """Return a source of data full of repetitions, most of them about as far back as the window reaches."""
    pool = [chooser.randbytes(chooser.randrange(8, 40)) for _ in range(2 ** (bits + 1) // 24)]

    def take(size: int) -> bytes:
        data = b""
        while len(data) < size:
            data += chooser.choice(pool)
            if chooser.random() < 0.1:
                data += data[-5:] * chooser.randrange(20)
        return data[:size]

    return take


def sizes(chooser: random.Random, bits: int, total: int) -> Iterator[int]:
    """Give sizes of messages: most are short, some longer than the window; so many bytes in all."""
    given = size = min(3 * 2**bits, 36_000)
    yield size
    while given < total:
        size = chooser.randrange(2, 400) if chooser.random() < 0.9 else chooser.randrange(2, 3 * 2**bits)
        given += size
        yield size


def send(core: Connection, data: bytes, chooser: random.Random) -> None:
    """Send a message in one of the ways that there are."""
    way = chooser.randrange(12)
    if way < 9:
        core.send_bytes(data, compress=True)
    elif way == 9:
        core.send_prepared(PreparedMessage(data, compress=True))
    else:
        cut = chooser.randrange(1, len(data))
        core.send_fragment(data[:cut], False)
        core.send_fragment(b"", False)
        core.send_fragment(data[cut:], True)


def payload_of(core: Connection) -> bytes:
    """Take the one message that a connection has to send, as it travels."""
    frames = read_frames(drain(core, 0.0).sent)
    assert frames[0][0] & 0x4F == 0x42 and all(first & 0x4F == 0 for first, _ in frames[1:])
    assert [first >> 7 for first, _ in frames] == [0] * (len(frames) - 1) + [1]
    return b"".join(payload for _, payload in frames)


def field(role: Role, bits: int, takeover: bool) -> str:
    """Return an answer that binds the compressor of a side."""
    side = role.value.lower()
    answer = f"{PLAIN}; {side}_max_window_bits={bits}"
    return answer if takeover else f"{answer}; {side}_no_context_takeover"


def check(role: Role, bits: int, takeover: bool, total: int, seed: int, **settings: Any) -> MessageReader:
    """Send messages of so many bytes in all and read each as a strict peer does; return what it has seen."""
    chooser = random.Random(seed)
    ends = two_ends(answer=field(role, bits, takeover), **settings)
    core = ends[0] if role is Role.CLIENT else ends[1]
    reader, source = MessageReader(takeover=takeover), phrases(chooser, bits)
    peer = zlib.decompressobj(-bits)
    for size in sizes(chooser, bits, total):
        data = source(size)
        send(core, data, chooser)
        payload = payload_of(core)
        assert reader.read(payload) == data
        assert reader.farthest <= 2**bits
        if not takeover:
            assert reader.into_history == 0
            peer = zlib.decompressobj(-bits)
        assert peer.decompress(payload + TAIL) == data  # and so says a decompressor with that window
    return reader


@pytest.mark.parametrize("module", MODULES)
@pytest.mark.parametrize("takeover", [True, False], ids=["takeover", "alone"])
@pytest.mark.parametrize("bits", [9, 10, 12, 15])
def test_no_reference_goes_beyond_the_window_or_into_a_message_it_may_not(
    module: Any, bits: int, takeover: bool
) -> None:
    for role in (Role.SERVER, Role.CLIENT):
        reader = check(role, bits, takeover, 2**bits + 20_000, bits, module=module)
        assert reader.farthest > 2 ** (bits - 2)  # the data would allow much more, and the window is used
        assert (reader.into_history > 0) is takeover


@pytest.mark.parametrize("module", MODULES)
def test_no_level_and_no_memory_level_goes_beyond_the_window(module: Any) -> None:
    for level in levels(module):
        for memory_level in (1, 5, 9):
            check(Role.SERVER, 9, True, 6000, 3, module=module, level=level, memory_level=memory_level)


def test_a_message_in_parts_may_refer_to_its_own_parts_without_takeover() -> None:
    server = two_ends(answer=field(Role.SERVER, 12, False))[1]
    reader = MessageReader(takeover=False)
    words = random.Random(1).randbytes(300)
    for _ in range(3):
        server.send_fragment(words, False)
        server.send_fragment(words, True)
        payload = payload_of(server)
        assert len(payload) < 400 and reader.read(payload) == words * 2
    assert reader.into_history == 0 and reader.farthest == 300


def test_our_wish_for_a_smaller_window_holds_where_the_answer_allows_more() -> None:
    source = phrases(random.Random(2), 12)
    for answer in (PLAIN, f"{PLAIN}; server_max_window_bits=15; client_max_window_bits=9"):
        ends = two_ends(answer=answer, server_max_window_bits=9, client_max_window_bits=9)
        for core in ends:
            reader = MessageReader()
            for size in (100, 9000, 100):
                data = source(size)
                core.send_bytes(data)
                assert reader.read(payload_of(core)) == data
            assert 0 < reader.farthest <= 512


def test_a_prepared_message_refers_to_nothing_and_nothing_refers_to_what_was_before_it() -> None:
    server = two_ends()[1]
    words = random.Random(4).randbytes(500)
    reader = MessageReader()
    for step in range(6):
        before = reader.into_history
        if step % 3 == 1:
            server.send_prepared(PreparedMessage(words))
        else:
            server.send_bytes(words)
        assert reader.read(payload_of(server)) == words
        # Behind a prepared message (1 and 4) a new context begins; so only 3 has something to refer to.
        assert (reader.into_history > before) is (step == 3)


def test_cut_frames_are_the_same_stream() -> None:
    server = two_ends(config=Config(fragment_size=100))[1]
    reader = MessageReader()
    data = phrases(random.Random(5), 12)(20_000)
    server.send_bytes(data)
    assert reader.read(payload_of(server)) == data


@pytest.mark.parametrize("module", MODULES)
@pytest.mark.parametrize("bits", [8, 9, 12, 14])
def test_a_peer_that_refers_beyond_its_window_is_told_so_by_modules_that_look(module: Any, bits: int) -> None:
    data = random.Random(bits).randbytes(2**15)
    for distance in (2**bits, 2**bits + 1, 2**15):
        _, server = two_ends(module, f"{PLAIN}; client_max_window_bits={bits}")
        server.receive_data(
            marked(Role.SERVER, DeflateWriter().stored(data).flush().done(), opcode=BINARY), 0.0
        )
        reference = DeflateWriter().fixed((5, distance)).flush().done()
        server.receive_data(marked(Role.SERVER, reference, opcode=BINARY), 0.0)
        first, second = drain(server, 0.0).events
        assert first == data
        # isal keeps 32 KiB whatever was agreed on; it follows the reference, and rightly.
        if distance == 2**bits or module.__name__ == "isal.isal_zlib":
            assert second == data[-distance:][:5]
        else:
            assert isinstance(second, Closed) and second.violation is Violation.COMPRESSED_DATA


@pytest.mark.slow
@pytest.mark.parametrize("module", MODULES)
@pytest.mark.parametrize("takeover", [True, False], ids=["takeover", "alone"])
def test_ten_thousand_messages_keep_to_the_window(module: Any, takeover: bool) -> None:
    chooser = random.Random(8)
    sent = 0
    while sent < 10_000:
        bits = chooser.choice([9, 9, 10, 10, 11, 12, 13])
        role = chooser.choice([Role.SERVER, Role.CLIENT])
        settings = {"level": chooser.choice(levels(module)), "memory_level": chooser.randrange(1, 10)}
        total = 2 ** (bits + 2)
        check(role, bits, takeover, total, sent, module=module, **settings)
        sent += sum(1 for _ in sizes(random.Random(sent), bits, total))
