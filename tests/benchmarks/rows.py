"""The rows of the targets: who does what, which figure counts, and the bound that it must keep.

A check without a bound is there to be seen. The work of a row is measured once for all rows that use it.

Rates decide where the contestant's processor is the bottleneck. Where the generator does about as much as a
contestant (handshakes, broadcasts, big messages), a rate would measure both, so messages per second of the
contestant's processor time decide. P13 measures clients that echo what a server sends: a client's work for
each message, receiving one and sending one, is the same whoever begins.
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from benchmarks import wire
from benchmarks.echoing import Echo
from benchmarks.figures import Work
from benchmarks.judging import Check
from benchmarks.processes import Contestant
from benchmarks.works import Broadcast, CoreAlone, Growth, Handshakes, Idle

ROWS: Final = tuple(f"P{number}" for number in range(1, 15))

ASYNCIO: Final = Contestant("wscore-asyncio")
STOCK: Final = Contestant("wscore-asyncio-stock")
AWAIT: Final = Contestant("wscore-await")
SELECTORS: Final = Contestant("wscore-selectors")
THREADING: Final = Contestant("wscore-threading")
CORE: Final = Contestant("wscore")

RAW: Final = Contestant("raw")
PICOWS: Final = Contestant("picows")
PICOWS_STR: Final = Contestant("picows-str")
PICOWS_FASTNET: Final = Contestant("picows-aiofastnet")
WEBSOCKETS: Final = Contestant("websockets")
WEBSOCKETS_SYNC: Final = Contestant("websockets-sync")
WSPROTO: Final = Contestant("wsproto")
AIOHTTP: Final = Contestant("aiohttp")
TORNADO: Final = Contestant("tornado")

_KIB: Final = 1024

PING_10: Final = Echo("ping-pong, 10 connections")
PING_100: Final = Echo("ping-pong, 100 connections", connections=100)
PIPELINED: Final = Echo("64 in flight, 10 connections", in_flight=64)
BINARY_64K: Final = Echo("64 KiB binary", connections=4, size=64 * _KIB, opcode=wire.BINARY)
BINARY_1M: Final = Echo("1 MiB binary", connections=4, size=1024 * _KIB, opcode=wire.BINARY)
TEXT_64K: Final = Echo("64 KiB text", connections=4, size=64 * _KIB)
TEXT_1M: Final = Echo("1 MiB text", connections=4, size=1024 * _KIB)
CORE_ALONE: Final = CoreAlone("the core alone")
IDLE: Final = Idle("idle connection")
HANDSHAKES: Final = Handshakes("opening handshakes")
BROADCAST: Final = Broadcast("broadcast to 1,000")
BROADCAST_COMPRESSED: Final = Broadcast("broadcast to 1,000, compressed", compressed=True)
COMPRESSED: Final = Echo("JSON 1 KiB compressed, 64 in flight", in_flight=64, compressed=True)
GROWTH: Final = (
    Growth(
        "1,000 and 2,000 connections",
        Echo("n", connections=1000),
        Echo("2n", connections=2000),
        opening=True,
    ),
    Growth(
        "10,000 and 20,000 messages at once",
        Echo("n", connections=1, in_flight=10_000),
        Echo("2n", connections=1, in_flight=20_000),
    ),
    Growth(
        "messages of 512 KiB and 1 MiB",
        Echo("n", connections=2, size=512 * _KIB, opcode=wire.BINARY),
        Echo("2n", connections=2, size=1024 * _KIB, opcode=wire.BINARY),
        blocks=400,
    ),
)

_PURE_LIMIT: Final = 1500.0  # nanoseconds
_COMPILED_LIMIT: Final = 300.0


def checks(rows: Iterable[str], *, build: str) -> list[Check]:
    """Return the checks of these rows.

    Args:
        rows: names.
        build: of wscore: "compiled" or "pure".
    """
    made = [*_ping_pong(), *_pipelined(), *_coroutines(), *_threads(), *_big(), *_core(build)]
    made += [*_pure(build), *_memory(), *_openings(), *_broadcasts(), *_deflate(), *_clients(), *_growth()]
    wanted = set(rows)
    return sorted((check for check in made if check.row in wanted), key=lambda check: int(check.row[1:]))


def _shown(row: str, work: Work, metric: str, ours: Contestant, *peers: Contestant) -> list[Check]:
    return [Check(row, work, metric, ours, peer) for peer in peers]


def _ping_pong() -> list[Check]:
    made: list[Check] = []
    for work in (PING_10, PING_100):
        made += [
            Check("P1", work, "cpu", ASYNCIO, PICOWS, at_most=1.0),
            Check("P1", work, "cpu", ASYNCIO, RAW, at_most=1.3),
            Check("P2", work, "cpu", SELECTORS, PICOWS, at_most=0.9),
        ]
    made += _shown("P1", PING_10, "cpu", ASYNCIO, PICOWS_FASTNET, WEBSOCKETS, AIOHTTP, TORNADO)
    return [*made, *_shown("P1", PING_10, "cpu", STOCK, PICOWS)]


def _pipelined() -> list[Check]:
    return [
        Check("P3", PIPELINED, "rate", ASYNCIO, PICOWS, at_least=6.0),
        Check("P3", PIPELINED, "rate", ASYNCIO, WEBSOCKETS, at_least=25.0),
        *_shown("P3", PIPELINED, "rate", ASYNCIO, PICOWS_FASTNET, AIOHTTP, TORNADO, RAW),
        *_shown("P3", PIPELINED, "rate", SELECTORS, PICOWS, RAW),
    ]


def _coroutines() -> list[Check]:
    return [
        Check("P4", PING_10, "rate", AWAIT, WEBSOCKETS, at_least=1.8),
        Check("P4", PIPELINED, "rate", AWAIT, WEBSOCKETS, at_least=10.0),
        *_shown("P4", PING_10, "rate", AWAIT, AIOHTTP),
        *_shown("P4", PIPELINED, "rate", AWAIT, AIOHTTP),
    ]


def _threads() -> list[Check]:
    return [
        Check("P5", PING_10, "rate", THREADING, WEBSOCKETS_SYNC, at_least=2.0),
        Check("P5", PIPELINED, "rate", THREADING, WEBSOCKETS_SYNC, at_least=4.0),
    ]


def _big(row: str = "P6", *, client: bool = False) -> list[Check]:
    made: list[Check] = []
    for work in (BINARY_64K, BINARY_1M):
        work = _turned(work) if client else work
        made.append(Check(row, work, "capacity", ASYNCIO, PICOWS, at_least=1.0))
        made.append(Check(row, work, "capacity", ASYNCIO, RAW, at_least=0.7))
        made += _shown(row, work, "rate", ASYNCIO, PICOWS, RAW)
    for work in (TEXT_64K, TEXT_1M):
        work = _turned(work) if client else work
        made.append(Check(row, work, "capacity", ASYNCIO, PICOWS_STR, at_least=1.0))
        made += _shown(row, work, "rate", ASYNCIO, PICOWS_STR)
    return made


def _turned(work: Echo) -> Echo:
    """Return the same work for clients."""
    return replace(work, title=f"client: {work.title}", client=True)


def _core(build: str) -> list[Check]:
    limit = _PURE_LIMIT if build == "pure" else _COMPILED_LIMIT
    made = [
        Check("P7", CORE_ALONE, "block", CORE, at_most=limit),
        Check("P7", CORE_ALONE, "core_rate", CORE, WEBSOCKETS, at_least=12.0),
        Check("P7", CORE_ALONE, "core_rate", CORE, WSPROTO, at_least=40.0),
        *_shown("P7", CORE_ALONE, "single", CORE, WEBSOCKETS, WSPROTO),
    ]
    if build != "pure":
        made.insert(1, Check("P7", CORE_ALONE, "block", replace(CORE, pure=True), at_most=_PURE_LIMIT))
    return made


def _pure(build: str) -> list[Check]:
    """P3 and P4 ahead of every peer; for P4, of those that are used with ``await`` or callbacks alike."""
    asyncio, coroutine = (replace(each, pure=build != "pure") for each in (ASYNCIO, AWAIT))
    peers = (PICOWS, WEBSOCKETS, AIOHTTP, TORNADO)
    made = [Check("P8", PIPELINED, "rate", asyncio, peer, at_least=1.0) for peer in peers]
    for work in (PING_10, PIPELINED):
        made += [Check("P8", work, "rate", coroutine, peer, at_least=1.0) for peer in peers[1:]]
    return [*made, Check("P8", PING_10, "capacity", asyncio, WEBSOCKETS, at_least=2.0)]


def _memory() -> list[Check]:
    compressing = [replace(each, compress="zlib") for each in (SELECTORS, ASYNCIO)]
    return [
        Check("P9", IDLE, "kib", SELECTORS, at_most=4.0),
        Check("P9", IDLE, "kib", ASYNCIO, at_most=6.0),
        Check("P9", IDLE, "kib", STOCK, at_most=9.0),
        *(Check("P9", IDLE, "kib", each, at_most=10.0) for each in compressing),
        *_shown("P9", IDLE, "kib", ASYNCIO, WEBSOCKETS, AIOHTTP, PICOWS, RAW),
    ]


def _openings() -> list[Check]:
    return [
        Check("P10", HANDSHAKES, "capacity", ASYNCIO, WEBSOCKETS, at_least=1.5),
        *_shown("P10", HANDSHAKES, "capacity", ASYNCIO, PICOWS, AIOHTTP),
        *_shown("P10", HANDSHAKES, "rate", ASYNCIO, WEBSOCKETS),
        *_shown("P10", HANDSHAKES, "capacity", SELECTORS, WEBSOCKETS),
    ]


def _broadcasts() -> list[Check]:
    ours, theirs = (replace(each, compress="zlib") for each in (ASYNCIO, WEBSOCKETS))
    return [
        Check("P11", BROADCAST, "cpu", ASYNCIO, RAW, at_most=1.15),
        Check("P11", BROADCAST, "capacity", ASYNCIO, WEBSOCKETS, at_least=1.3),
        Check("P11", BROADCAST_COMPRESSED, "capacity", ours, theirs, at_least=5.0),
        *_shown("P11", BROADCAST, "cpu", SELECTORS, RAW),
    ]


def _deflate() -> list[Check]:
    zlib, isal, zlib_ng = (replace(ASYNCIO, compress=module) for module in ("zlib", "isal", "zlib-ng"))
    websockets = replace(WEBSOCKETS, compress="zlib")
    return [
        Check("P12", COMPRESSED, "rate", zlib, websockets, at_least=2.0),
        Check("P12", COMPRESSED, "rate", isal, websockets, at_least=4.0),
        Check("P12", COMPRESSED, "rate", zlib_ng, websockets, at_least=4.0),
        *_shown("P12", COMPRESSED, "rate", zlib, replace(AIOHTTP, compress="zlib")),
        *_shown("P12", COMPRESSED, "rate", isal, replace(AIOHTTP, compress="isal")),
    ]


def _clients() -> list[Check]:
    made: list[Check] = []
    for work in (_turned(PING_10), _turned(PING_100)):
        made.append(Check("P13", work, "cpu", ASYNCIO, PICOWS, at_most=1.0))
        made.append(Check("P13", work, "cpu", ASYNCIO, RAW, at_most=1.3))
    made += _shown("P13", _turned(PING_10), "cpu", SELECTORS, PICOWS)
    work = _turned(PIPELINED)
    made.append(Check("P13", work, "rate", ASYNCIO, PICOWS, at_least=6.0))
    made.append(Check("P13", work, "rate", ASYNCIO, WEBSOCKETS, at_least=25.0))
    return made + _big("P13", client=True)


def _growth() -> list[Check]:
    return [
        Check("P14", work, "growth", ours, at_most=2.2) for work in GROWTH for ours in (ASYNCIO, SELECTORS)
    ]
