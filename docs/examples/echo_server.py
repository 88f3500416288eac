"""An echo server: run it, and open http://127.0.0.1:8765/ or connect any WebSocket client."""

import wscore_threading
from wscore import Request, Response


def echo(session: wscore_threading.Session) -> None:
    """Send every message back; the loop ends with the connection."""
    for message in session:
        session.send(message)


def hello(request: Request) -> Response | None:
    """Answer a browser that asks for a page; let WebSocket requests pass."""
    if request.is_upgrade:
        return None
    return Response(200, {"Content-Type": "text/plain"}, b"Connect here with a WebSocket.\n")


if __name__ == "__main__":
    with wscore_threading.serve(echo, "127.0.0.1", 8765, process_request=hello) as server:
        print(f"listening on ws://127.0.0.1:{server.port}")
        server.serve_until_signal()
