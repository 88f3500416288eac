"""nginx and HAProxy as reverse proxies, each started for one server, and set up as its manual tells.

The proxy gets a socket that listens already, so nobody has to wait for it or to guess a free port. Both keep
connections to the server for the next request: what a server leaves open behind a request, another client's
request would meet. And both say in ``X-Seen`` which request they have understood: what reaches the server
without that has been smuggled through.
"""

import os
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from .eventually import PATIENCE, eventually

_NGINX: Final = """
daemon off;
worker_processes 1;
{user}
error_log stderr crit;
pid {folder}/nginx.pid;
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    keepalive_timeout 100ms;
    client_header_timeout {idle}ms;
    client_body_timeout {idle}ms;
    client_max_body_size 1m;
    upstream server {{ server 127.0.0.1:{port}; keepalive 4; }}
    server {{
        listen 127.0.0.1:{place};
        location / {{
            proxy_pass http://server;
            proxy_http_version 1.1;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection "upgrade";
            proxy_set_header Host $http_host;
            proxy_set_header X-Seen $request_uri;
            proxy_read_timeout {idle}ms;
            proxy_send_timeout {idle}ms;
        }}
    }}
}}
"""

_HAPROXY: Final = """
global
    maxconn 256
defaults
    mode http
    timeout connect 5s
    timeout client {idle}ms
    timeout server {idle}ms
    timeout tunnel {idle}ms
    timeout http-request {idle}ms
    timeout http-keep-alive 100ms
    http-reuse always
frontend here
    bind fd@{descriptor}
    http-request set-header X-Seen %[pathq]
    default_backend there
backend there
    server one 127.0.0.1:{port}
"""


def _start_nginx(port: int, folder: Path, listener: socket.socket, idle: int) -> subprocess.Popen[bytes]:
    config = folder / "nginx.conf"
    place = listener.getsockname()[1]
    # Only root may say who the workers are, and root's temporary files are for root alone.
    user = "" if os.geteuid() else "user root;"
    config.write_text(_NGINX.format(user=user, folder=folder, port=port, place=place, idle=idle))
    # How nginx hands its sockets to a new version of itself: it recognises them by their address.
    environment = {**os.environ, "NGINX": f"{listener.fileno()};"}
    return _start(["nginx", "-p", str(folder), "-c", str(config)], folder, listener, environment)


def _start_haproxy(port: int, folder: Path, listener: socket.socket, idle: int) -> subprocess.Popen[bytes]:
    config = folder / "haproxy.cfg"
    config.write_text(_HAPROXY.format(port=port, descriptor=listener.fileno(), idle=idle))
    return _start(["haproxy", "-db", "-q", "-f", str(config)], folder, listener, os.environ)


def _start(
    command: list[str], folder: Path, listener: socket.socket, environment: Mapping[str, str]
) -> subprocess.Popen[bytes]:
    program = _find(command[0])
    assert program is not None
    with (folder / "output").open("wb") as output:
        return subprocess.Popen(
            [program, *command[1:]],
            env=environment,
            pass_fds=[listener.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )


def _find(name: str) -> str | None:
    """Find a program that may be where only the administrator looks."""
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")


_STARTERS: Final[dict[str, Callable[[int, Path, socket.socket, int], subprocess.Popen[bytes]]]] = {
    "nginx": _start_nginx,
    "haproxy": _start_haproxy,
}
PROXIES: Final = tuple(_STARTERS)


def why_not(name: str) -> str | None:
    """Tell why a proxy cannot be run; None: it can."""
    return None if _find(name) else f"no {name} on this machine: apt-get install {name}"


@contextmanager
def proxy_before(name: str, port: int, folder: Path, *, idle: float = PATIENCE) -> Iterator[int]:
    """Run a proxy before the server on port; the value is the proxy's port.

    Args:
        idle: seconds that it waits for either side while nothing moves.
    """
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listener:
        listener.setblocking(False)  # nginx takes that for granted
        process = _STARTERS[name](port, folder, listener, round(idle * 1000))
        try:
            yield listener.getsockname()[1]
        finally:
            process.terminate()
            process.wait(PATIENCE)


def wait_until_unused(port: int) -> None:
    """Wait until no connection to a server's port is open on the server's side, as Linux tells."""
    eventually(lambda: not _open_connections(port))


_ESTABLISHED, _FIN_WAIT_1, _FIN_WAIT_2, _CLOSE_WAIT, _LAST_ACK = "01", "04", "05", "08", "09"


def _open_connections(port: int) -> list[str]:
    """Return the connections whose own end has this port, and which are not over."""
    going_on = {_ESTABLISHED, _FIN_WAIT_1, _FIN_WAIT_2, _CLOSE_WAIT, _LAST_ACK}
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    rows = [line.split() for line in lines]
    return [row[2] for row in rows if row[1].endswith(f":{port:04X}") and row[3] in going_on]
