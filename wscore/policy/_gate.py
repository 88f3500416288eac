"""What a server answers to a request: every decision between the parsed head and the 101.

The core has checked by then that the request is well formed and that its Origin may connect. The gate goes
on, in this order: is the server still taking connections (503), does the request name a host that is served
here (421, RFC 9110 section 15.5.20), what does the application's ``process_request`` say, is it an upgrade at
all (426), does the router know the path (404), which handler and subprotocol is it to be.

A backend calls `Gate.decide`, or awaits `Gate.decide_awaiting` where the application's function may be a
coroutine function, and hands the verdict to `Gate.answer`. Nothing here raises for what the application's
function did: the client gets 500, and ``report`` says why.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from inspect import isawaitable
from typing import Final, TypeAlias, final

from wscore._config import Config
from wscore._connection import Connection
from wscore._endpoint import Handler, config_for
from wscore._errors import ConnectionClosed, LocalProtocolError
from wscore._handshake import select_subprotocol
from wscore._http import Request, Response

from ._accept import Accept
from ._router import Router

Verdict: TypeAlias = Accept | Response
ProcessRequest: TypeAlias = Callable[[Request], Verdict | None]
ProcessRequestAwaiting: TypeAlias = Callable[[Request], Verdict | Awaitable[Verdict | None] | None]
Report: TypeAlias = Callable[[str, BaseException | None], object]

_UPGRADE_REQUIRED: Final = Response(426, (), b"this is a WebSocket server\n")
_PLAIN_YES: Final = Accept()
_CLOSING: Final = Response(503, [("Retry-After", "1")], b"the server is shutting down\n")
SERVER_FULL: Final = Response(503, [("Retry-After", "5")], b"the server has no room for more connections\n")
_BROKEN: Final = Response(500, (), b"internal error\n")
_MISDIRECTED: Final = Response(421, (), b"this host is not served here\n")
_NOT_FOUND: Final = Response(404, (), b"nothing is here\n")


@final
class Gate:
    """The decisions of one server about requests.

    Args:
        handler: what serves connections, or a `Router` that finds it by the path.
        config: for its connections; None: the defaults.
        subprotocols: supported ones, in order of preference.
        process_request: the application's say; see `Verdict`.
        hosts: names that are served here, without ports, an IPv6 address in brackets; None: any.
        report: takes a sentence, and what the application's function raised, for the log.

    Attributes:
        config: for new connections, with the events that the handlers have hooks for.
        asks: the application has a say: `decide` calls its function.
        closing: requests are refused from now on.

    Raises:
        TypeError: handler is none; handlers that stream and such that do not behind one router; one string
            for several subprotocols or hosts.
    """

    def __init__(
        self,
        handler: Handler | Router,
        *,
        config: Config | None = None,
        subprotocols: Sequence[str] = (),
        process_request: ProcessRequestAwaiting | None = None,
        hosts: Sequence[str] | None = None,
        report: Report,
    ) -> None:
        if isinstance(subprotocols, str) or isinstance(hosts, str):
            raise TypeError("expected several subprotocols or hosts, not one string")
        self._handler = handler
        self.config = _common_config(handler, config, chosen_later=process_request is not None)
        self._usual = Accept(handler=None if isinstance(handler, Router) else handler)
        self._subprotocols = tuple(subprotocols)
        self._process_request = process_request
        self.asks = process_request is not None
        self._hosts = None if hosts is None else frozenset(host.lower().removesuffix(".") for host in hosts)
        self._report = report
        self.closing = False

    def decide(self, request: Request, *, full: bool = False) -> Verdict:
        """Return what to answer; a ``process_request`` that returns an awaitable is the caller's mistake.

        Args:
            request: a well-formed one.
            full: there is no room for another connection.
        """
        verdict = self._before(request, full=full)
        if verdict is not None:
            return verdict
        try:
            result = None if self._process_request is None else self._process_request(request)
        except Exception as error:
            return self._broken("process_request raised", error)
        return self._after(request, result)

    async def decide_awaiting(self, request: Request, *, full: bool = False) -> Verdict:
        """As `decide`, and await what ``process_request`` returns if that is awaitable."""
        verdict = self._before(request, full=full)
        if verdict is not None:
            return verdict
        try:
            result = None if self._process_request is None else self._process_request(request)
            if isawaitable(result):
                result = await result
        except Exception as error:
            return self._broken("process_request raised", error)
        return self._after(request, result)

    def answer(self, core: Connection, request: Request, verdict: Verdict, now: float) -> None:
        """Tell the core; the client gets 500 for a verdict that may not be sent. Then drain."""
        try:
            if isinstance(verdict, Accept):
                subprotocol = self._subprotocol(request, verdict)
                core.accept(subprotocol=subprotocol, headers=verdict.headers, now=now)
            else:
                core.respond(verdict.status, headers=verdict.headers, body=verdict.body, now=now)
        except ConnectionClosed:
            pass  # it went away meanwhile
        except (LocalProtocolError, TypeError) as error:
            self._broken("process_request returned what may not be sent", error)
            core.respond(_BROKEN.status, body=_BROKEN.body, now=now)

    def _before(self, request: Request, *, full: bool) -> Response | None:
        """Return a refusal that the application need not be asked about."""
        if self.closing:
            return _CLOSING
        if full:
            return SERVER_FULL
        if self._hosts is not None and _name_of(request.host) not in self._hosts:
            return _MISDIRECTED
        return None

    def _after(self, request: Request, result: object) -> Verdict:
        """Return what to answer, the application having been asked."""
        if self.closing:
            return _CLOSING
        if isinstance(result, Response):
            return result
        if not isinstance(result, Accept | None):
            if isawaitable(result) and hasattr(result, "close"):
                result.close()  # a coroutine that nobody will run
            return self._broken("process_request must return an Accept, a Response or None", None)
        if not request.is_upgrade:
            return _UPGRADE_REQUIRED
        return self._find_handler(request, result or _PLAIN_YES)

    def _find_handler(self, request: Request, accept: Accept) -> Verdict:
        """Fill in what serves the connection."""
        if accept.handler is not None:
            return self._check_chosen(accept, accept.handler)
        if not isinstance(self._handler, Router):
            return self._usual if accept is _PLAIN_YES else replace(accept, handler=self._handler)
        route = self._handler.match(request.target.partition("?")[0])
        if route is None:
            return _NOT_FOUND
        if accept.subprotocol is None and route.subprotocols is not None:
            chosen = select_subprotocol(request.subprotocols, route.subprotocols)
            accept = replace(accept, subprotocol=chosen or "")
        parameters = {**route.parameters, **accept.path_parameters}
        return replace(accept, handler=route.handler, path_parameters=parameters)

    def _check_chosen(self, accept: Accept, handler: Handler) -> Verdict:
        """Refuse a handler of the application's choice that would not get its messages."""
        try:
            fits = config_for(handler, self.config).stream is self.config.stream
        except TypeError as error:
            return self._broken("process_request chose a handler that cannot serve here", error)
        if not fits:
            return self._broken(
                "process_request chose a handler with the hook on_fragment; others have none", None
            )
        return accept

    def _subprotocol(self, request: Request, accept: Accept) -> str | None:
        if accept.subprotocol is None:
            return select_subprotocol(request.subprotocols, self._subprotocols)
        return accept.subprotocol or None

    def _broken(self, sentence: str, error: BaseException | None) -> Response:
        self._report(sentence, error)
        return _BROKEN


def _name_of(host: str) -> str:
    """Return the name in a Host field, without its port."""
    name, colon, port = host.rpartition(":")
    return (name if colon and not port.endswith("]") else host).lower().removesuffix(".")


def _common_config(handler: Handler | Router, config: Config | None, *, chosen_later: bool) -> Config:
    """Return the Config for connections whose handler is known only after the request."""
    if not isinstance(handler, Router):
        own = config_for(handler, config)
        return replace(own, control_events=True) if chosen_later else own
    configs = [config_for(each, config) for each in handler.handlers]
    if not configs:
        raise TypeError("the router has no routes")
    if len({each.stream for each in configs}) > 1:
        raise TypeError("behind one router either all endpoints have the hook on_fragment, or none")
    wanted = chosen_later or any(each.control_events for each in configs)
    return replace(configs[0], control_events=wanted)
