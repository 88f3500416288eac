"""Listening sockets: every address of every host on one port, paths that are free, stale or in use, and
sockets that a service manager hands over.

Where a host must have addresses that this machine has not, the resolver is told what to say; the sockets are
real all the same.
"""

import errno
import json
import os
import select
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from support.eventually import PATIENCE
from wscore_sockets import inherited_sockets, listen, open_listeners

UNIX = getattr(socket, "AF_UNIX", None)
needs_unix = pytest.mark.skipif(UNIX is None, reason="the system has no unix sockets")
needs_reuse_port = pytest.mark.skipif(not hasattr(socket, "SO_REUSEPORT"), reason="no such option")

FOREIGN, ALSO_FOREIGN = "192.0.2.77", "198.51.100.77"  # RFC 5737: nobody's
NO_FAMILY = 9999


def has_ipv6() -> bool:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason="the machine has no IPv6")


class Listening(ExitStack):
    """Listens, and closes everything at the end."""

    def __call__(self, *args: Any, **named: Any) -> list[socket.socket]:
        return [self.enter_context(sock) for sock in listen(*args, **named)]


@pytest.fixture
def listening() -> Iterator[Listening]:
    with Listening() as stack:
        yield stack


class Resolver(dict[str, list[tuple[int, tuple[Any, ...]]]]):
    """Says which addresses names have."""

    def __call__(
        self, host: str, port: int, **settings: Any
    ) -> list[tuple[int, socket.SocketKind, int, str, tuple[Any, ...]]]:
        assert settings == {"type": socket.SOCK_STREAM, "flags": socket.AI_PASSIVE}
        return [
            (family, socket.SOCK_STREAM, 6, "", (address[0], port, *address[1:]))
            for family, address in self[host]
        ]


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> Resolver:
    resolver = Resolver()
    monkeypatch.setattr(socket, "getaddrinfo", resolver)
    return resolver


def v4(address: str) -> tuple[int, tuple[Any, ...]]:
    return socket.AF_INET, (address,)


def port_of(listener: socket.socket) -> int:
    port: int = listener.getsockname()[1]
    return port


def hosts_of(listeners: list[socket.socket]) -> list[str]:
    return [listener.getsockname()[0] for listener in listeners]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return port_of(probe)


def assert_serves(listener: socket.socket) -> None:
    """Check that a listener takes a connection and does not block before one comes."""
    with pytest.raises(BlockingIOError):
        listener.accept()
    with socket.socket(listener.family) as client:
        client.settimeout(PATIENCE)
        client.connect(listener.getsockname())
        assert select.select([listener], [], [], PATIENCE)[0]
        accepted, _ = listener.accept()
        accepted.close()


def assert_free(host: str, port: int) -> None:
    """Check that nobody has stayed behind on a port."""
    socket.create_server((host, port)).close()


# Addresses.


def test_a_host_is_listened_on(listening: Listening) -> None:
    [listener] = listening("127.0.0.1")
    assert hosts_of([listener]) == ["127.0.0.1"] and port_of(listener) > 0
    assert_serves(listener)


def test_a_port_is_listened_on(listening: Listening) -> None:
    port = free_port()
    [listener] = listening("127.0.0.1", port)
    assert port_of(listener) == port


def test_all_interfaces_are_listened_on_where_no_host_is_named(listening: Listening) -> None:
    listeners = listening()
    assert set(hosts_of(listeners)) <= {"0.0.0.0", "::"}
    assert len({port_of(listener) for listener in listeners}) == 1


@needs_ipv6
def test_several_hosts_are_listened_on_at_the_same_port_that_the_system_chose(listening: Listening) -> None:
    first, second = listening(["127.0.0.1", "::1"])
    assert hosts_of([first, second]) == ["127.0.0.1", "::1"]
    assert port_of(first) == port_of(second) > 0
    assert_serves(first)
    assert_serves(second)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has all of 127.0.0.0/8")
def test_every_address_of_a_name_is_listened_on_at_the_same_port(
    listening: Listening, resolver: Resolver
) -> None:
    resolver["here"] = [v4("127.0.0.1"), v4("127.0.0.2"), v4("127.0.0.1")]
    resolver["there"] = [v4("127.0.0.2"), v4("127.0.0.3")]
    listeners = listening(["here", "there"])
    assert hosts_of(listeners) == ["127.0.0.1", "127.0.0.2", "127.0.0.3"]
    assert len({port_of(listener) for listener in listeners}) == 1


@pytest.mark.parametrize("port", ["any", "fixed"])
def test_an_address_that_two_hosts_share_is_listened_on_once(listening: Listening, port: str) -> None:
    number = 0 if port == "any" else free_port()
    listeners = listening(["127.0.0.1", "localhost", "127.0.0.1"], number)
    assert hosts_of(listeners).count("127.0.0.1") == 1


@pytest.mark.parametrize("other", [v4(FOREIGN), (NO_FAMILY, ("x",))], ids=["address", "family"])
def test_what_a_name_has_and_this_machine_has_not_is_left_out(
    listening: Listening, resolver: Resolver, other: tuple[int, tuple[Any, ...]]
) -> None:
    resolver["name"] = [other, v4("127.0.0.1")]
    assert hosts_of(listening("name")) == ["127.0.0.1"]


def test_a_host_is_served_by_an_address_that_it_shares(listening: Listening, resolver: Resolver) -> None:
    resolver["first"] = [v4("127.0.0.1")]
    resolver["second"] = [v4("127.0.0.1"), v4(FOREIGN)]
    assert hosts_of(listening(["first", "second"])) == ["127.0.0.1"]


@pytest.mark.parametrize(
    "addresses",
    [[v4(FOREIGN)], [v4(FOREIGN), v4(ALSO_FOREIGN)], [v4(FOREIGN), (NO_FAMILY, ("x",))]],
    ids=["one", "two", "two kinds"],
)
def test_a_host_none_of_whose_addresses_this_machine_has_is_an_error(
    resolver: Resolver, addresses: list[tuple[int, tuple[Any, ...]]]
) -> None:
    port = free_port()
    resolver["here"], resolver["name"] = [v4("127.0.0.1")], addresses
    with pytest.raises(OSError, match=r"no address of name|cannot assign|Cannot assign") as raised:
        listen(["here", "name"], port)
    assert raised.value.errno == errno.EADDRNOTAVAIL
    assert_free("127.0.0.1", port)


def test_the_interface_of_a_link_local_address_is_kept(
    listening: Listening, resolver: Resolver, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolver["here"] = [(socket.AF_INET6, ("fe80::1", 0, 3))]
    asked: list[tuple[Any, ...]] = []
    create = socket.create_server

    def create_server(address: tuple[Any, ...], **settings: Any) -> socket.socket:
        asked.append((address, settings["family"]))
        return create(("127.0.0.1", 0))

    monkeypatch.setattr(socket, "create_server", create_server)
    listening("here")
    assert asked == [(("fe80::1", 0, 0, 3), socket.AF_INET6)]


def test_no_host_at_all_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="at least one host"):
        listen([])


# Ports in use.


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has all of 127.0.0.0/8")
def test_a_port_in_use_is_an_error_and_leaves_nothing_behind(resolver: Resolver) -> None:
    resolver["one"], resolver["two"] = [v4("127.0.0.2")], [v4("127.0.0.1")]
    with socket.create_server(("127.0.0.1", 0)) as taken:
        with pytest.raises(OSError, match=r"[Aa]ddress already in use") as raised:
            listen(["one", "two"], port_of(taken))
        assert raised.value.errno == errno.EADDRINUSE
        assert_free("127.0.0.2", port_of(taken))


class Busy:
    """Stands for `socket.create_server`: so many ports chosen by the system are taken on 127.0.0.2."""

    def __init__(self, times: int) -> None:
        self.left = times
        self.tried: list[int] = []
        self._create = socket.create_server

    def __call__(self, address: tuple[str, int], **settings: Any) -> socket.socket:
        if address[0] == "127.0.0.2":
            self.tried.append(address[1])
            self.left -= 1
            if self.left >= 0:
                raise OSError(errno.EADDRINUSE, "taken")
        return self._create(address, **settings)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has all of 127.0.0.0/8")
def test_the_system_chooses_again_when_its_choice_is_taken_on_another_address(
    listening: Listening, resolver: Resolver, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolver["here"] = [v4("127.0.0.1"), v4("127.0.0.2")]
    busy = Busy(3)
    monkeypatch.setattr(socket, "create_server", busy)
    first, second = listening("here")
    assert port_of(first) == port_of(second) == busy.tried[-1]
    assert len(busy.tried) == 4
    for port in busy.tried[:-1]:
        if port != busy.tried[-1]:
            assert_free("127.0.0.1", port)  # what was given up was closed


def test_the_system_does_not_choose_for_ever(resolver: Resolver, monkeypatch: pytest.MonkeyPatch) -> None:
    resolver["here"] = [v4("127.0.0.1"), v4("127.0.0.2")]
    busy = Busy(10**6)
    monkeypatch.setattr(socket, "create_server", busy)
    with pytest.raises(OSError, match="taken"):
        listen("here")
    assert 2 <= len(busy.tried) <= 100


@needs_reuse_port
def test_several_may_listen_on_one_port_if_all_say_so(listening: Listening) -> None:
    [first] = listening("127.0.0.1", reuse_port=True)
    [second] = listening("127.0.0.1", port_of(first), reuse_port=True)
    assert port_of(first) == port_of(second)
    with pytest.raises(OSError, match=r"[Aa]ddress already in use"):
        listen("127.0.0.1", port_of(first))


def test_a_system_without_shared_ports_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(socket, "SO_REUSEPORT", raising=False)
    with pytest.raises(ValueError, match="several processes"):
        listen("127.0.0.1", reuse_port=True)


# Paths.


def at(path: Path, *, backlog: int = 10, kind: int = socket.SOCK_STREAM) -> socket.socket:
    """Return a socket that is bound to a path; a stream listens."""
    assert UNIX is not None
    sock = socket.socket(UNIX, kind)
    sock.bind(str(path))
    if kind == socket.SOCK_STREAM:
        sock.listen(backlog)
    return sock


@needs_unix
def test_a_path_is_listened_on(listening: Listening, tmp_path: Path) -> None:
    [listener] = listening(unix=str(tmp_path / "socket"))
    assert (listener.family, listener.getsockname()) == (UNIX, str(tmp_path / "socket"))
    assert_serves(listener)


@needs_unix
def test_a_path_whose_listener_is_dead_is_listened_on_anew(listening: Listening, tmp_path: Path) -> None:
    path = tmp_path / "socket"
    at(path).close()
    assert path.is_socket()
    [listener] = listening(unix=str(path))
    assert_serves(listener)


def assert_in_use(path: Path) -> None:
    with pytest.raises(OSError, match=r"[Aa]ddress already in use") as raised:
        listen(unix=str(path))
    assert raised.value.errno == errno.EADDRINUSE


@needs_unix
def test_a_path_whose_listener_is_alive_is_left_to_it(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    with at(path) as alive:
        assert_in_use(path)
        alive.settimeout(PATIENCE)
        alive.accept()[0].close()  # that was our question
        alive.setblocking(False)
        assert_serves(alive)


@needs_unix
@pytest.mark.skipif(sys.platform != "linux", reason="others refuse when the backlog is full")
def test_a_path_whose_listener_is_alive_and_behind_is_left_to_it_without_waiting(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    assert UNIX is not None
    with ExitStack() as stack:
        stack.enter_context(at(path, backlog=0))
        clients = [stack.enter_context(socket.socket(UNIX)) for _ in range(3)]
        for client in clients:
            client.setblocking(False)
        outcomes = [client.connect_ex(str(path)) for client in clients]
        assert outcomes[-1] == errno.EAGAIN  # there is no room for another connection
        assert_in_use(path)
        assert path.is_socket()


@needs_unix
def test_a_path_that_is_no_socket_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "precious"
    path.write_text("data")
    assert_in_use(path)
    assert path.read_text() == "data"


@needs_unix
def test_a_path_with_a_socket_of_another_kind_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "datagrams"
    with at(path, kind=socket.SOCK_DGRAM):
        with pytest.raises(OSError, match=r"."):
            listen(unix=str(path))
        assert path.is_socket()


@needs_unix
def test_a_path_that_cannot_be_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        listen(unix=str(tmp_path / "missing" / "socket"))
    with pytest.raises(OSError, match="too long"):
        listen(unix="/" + "x" * 500)


@needs_unix
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has abstract names")
def test_an_abstract_name_is_listened_on(listening: Listening) -> None:
    name = f"\0wscore-test-{os.getpid()}"
    [listener] = listening(unix=name)
    assert listener.getsockname() == name.encode()
    assert_serves(listener)


def test_a_system_without_unix_sockets_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delattr(socket, "AF_UNIX", raising=False)
    with pytest.raises(OSError, match="no unix sockets") as raised:
        listen(unix=str(tmp_path / "socket"))
    assert raised.value.errno == errno.EAFNOSUPPORT


# Sockets that were handed over.


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"LISTEN_FDS": "1"},
        {"LISTEN_PID": str(os.getpid())},
        {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "0"},
        {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "-1"},
        {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": ""},
        {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "x"},
        {"LISTEN_PID": "self", "LISTEN_FDS": "1"},
        {"LISTEN_PID": str(os.getpid() + 1), "LISTEN_FDS": "1"},  # meant for another process
    ],
)
def test_without_a_service_manager_nothing_is_handed_over(
    environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert inherited_sockets(environ) == []
    for name in ("LISTEN_PID", "LISTEN_FDS"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    assert inherited_sockets() == []


# What sd_listen_fds(3) says: the sockets are the descriptors from 3 on, and LISTEN_PID is whom they are for.
MANAGER = """
import fcntl, os, sys
given = [fcntl.fcntl(int(each), fcntl.F_DUPFD, 20) for each in sys.argv[2:]]
for number, each in enumerate(given, 3):
    os.dup2(each, number)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(given)))
os.execv(sys.executable, [sys.executable, "-P", "-c", sys.argv[1]])
"""
SERVICE = """
import json, select
from wscore_sockets import inherited_sockets
sockets = inherited_sockets()
print(json.dumps([
    (sock.fileno(), int(sock.family), sock.getsockname(), sock.getblocking(), sock.get_inheritable())
    for sock in sockets
]), flush=True)
for sock in sockets:
    assert select.select([sock], [], [], 60)[0]
    connection, _ = sock.accept()
    connection.sendall(b"hello from the service")
    connection.close()
"""
CONFUSED = """
from wscore_sockets import inherited_sockets
try:
    inherited_sockets()
except OSError as error:
    print(error.errno)
"""

needs_processes = pytest.mark.skipif(sys.platform == "win32", reason="descriptors are not handed over there")


def start(program: str, *given: int) -> subprocess.Popen[str]:
    """Start a program as a service manager does, with these descriptors."""
    return subprocess.Popen(
        [sys.executable, "-P", "-c", MANAGER, program, *map(str, given)],
        pass_fds=given,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        stdout=subprocess.PIPE,
        text=True,
    )


@needs_processes
def test_a_service_gets_the_sockets_that_were_opened_for_it(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    with socket.create_server(("127.0.0.1", 0)) as tcp, at(path) as unix:
        process = start(SERVICE, tcp.fileno(), unix.fileno())
        places = [(tcp.family, tcp.getsockname()), (unix.family, str(path))]
    with process:
        try:
            assert process.stdout is not None
            shown = json.loads(process.stdout.readline())
            assert shown == [
                [number, int(family), list(place) if isinstance(place, tuple) else place, False, False]
                for number, (family, place) in enumerate(places, 3)
            ]
            for family, place in places:
                with socket.socket(family) as client:
                    client.settimeout(PATIENCE)
                    client.connect(place)
                    assert client.recv(100) == b"hello from the service"
            assert process.wait(PATIENCE) == 0
        finally:
            process.kill()


@needs_processes
def test_what_is_handed_over_and_is_no_socket_is_an_error(tmp_path: Path) -> None:
    with (tmp_path / "file").open("w") as file:
        process = start(CONFUSED, file.fileno())
    with process:
        try:
            output, _ = process.communicate(timeout=PATIENCE)
        finally:
            process.kill()
    assert int(output) == errno.ENOTSOCK


def test_a_server_that_was_given_no_sockets_at_all_says_so() -> None:
    with pytest.raises(ValueError, match="no socket to listen on"):
        open_listeners([], None, 0, unix=None, backlog=5, reuse_port=False)


def test_sockets_that_a_server_was_given_take_the_place_of_an_address() -> None:
    options: dict[str, Any] = {"unix": None, "backlog": 5, "reuse_port": False}
    with ExitStack() as stack:
        given = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        assert open_listeners([given], FOREIGN, 1, **options) == [given]
        assert not given.getblocking()
        opened = [stack.enter_context(each) for each in open_listeners(None, "127.0.0.1", 0, **options)]
        assert [each.getsockname()[0] for each in opened] == ["127.0.0.1"]
