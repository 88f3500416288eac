"""What a server answers to a request: every decision from the parsed head to the bytes of the answer."""

from collections.abc import Awaitable, Callable, Coroutine, Generator
from typing import Any

import pytest

from support.handshakes import GET, REQUEST_FIELDS, assert_refused, head, instead, plus, read_message, server
from wscore import (
    Closed,
    Config,
    Endpoint,
    Fragment,
    Handler,
    Opened,
    Request,
    Response,
    State,
)
from wscore.policy._accept import Accept
from wscore.policy._gate import SERVER_FULL, Gate, Verdict
from wscore.policy._router import Router

PLAIN = head(GET, [b"Host: example.com"])
OFFERED = plus(b"Sec-WebSocket-Protocol: chat, superchat")


class Chat(Endpoint):
    """Takes whole messages."""


class Streamed(Endpoint):
    """Takes messages in parts."""

    def on_fragment(self, session: object, data: str | bytes, final: bool) -> None:
        """Take note."""


class Pinged(Endpoint):
    """Hears of pings."""

    def on_ping(self, session: object, payload: bytes) -> None:
        """Take note."""


def serve(session: object) -> None:
    """Be a handler that is a function."""


class Reports(list[tuple[str, BaseException | None]]):
    """What a gate has reported."""

    def __call__(self, sentence: str, error: BaseException | None) -> None:
        self.append((sentence, error))


def gate_of(handler: Handler | Router = serve, **settings: Any) -> Gate:
    """Return a gate that must not report anything."""

    def report(sentence: str, error: BaseException | None) -> None:
        raise AssertionError(sentence) from error

    return Gate(handler, **{"report": report, **settings})


def request_of(data: bytes) -> Request:
    """Return the request that a connection makes of data."""
    [received] = server().feed([data]).requests()
    return received.request


UPGRADE = request_of(plus())


def finish(coroutine: Coroutine[Any, None, Verdict]) -> Verdict:
    """Run a coroutine that waits for nothing."""
    with pytest.raises(StopIteration) as ended:
        coroutine.send(None)
    verdict: Verdict = ended.value.value
    return verdict


Decide = Callable[..., Verdict]
DECIDE: list[Decide] = [Gate.decide, lambda *args, **named: finish(Gate.decide_awaiting(*args, **named))]
BOTH = pytest.mark.parametrize("decide", DECIDE, ids=["blocking", "awaiting"])


def status_of(verdict: Verdict) -> int:
    assert isinstance(verdict, Response)
    return verdict.status


# Without a word from the application.


@BOTH
def test_an_upgrade_is_accepted_for_the_servers_handler(decide: Decide) -> None:
    gate = gate_of(Chat)
    assert gate.asks is False
    assert decide(gate, UPGRADE) == Accept(handler=Chat)


@BOTH
def test_a_plain_request_is_told_to_upgrade(decide: Decide) -> None:
    verdict = decide(gate_of(), request_of(PLAIN))
    assert status_of(verdict) == 426
    run = server().feed([PLAIN])
    gate_of().answer(run.connection, request_of(PLAIN), verdict, 0.0)
    assert_refused(run.take(), 426)
    assert read_message(run.sent).values(b"upgrade") == [b"websocket"]  # RFC 9110 section 15.5.22


@BOTH
def test_a_server_that_is_shutting_down_refuses_and_says_when_to_come_again(decide: Decide) -> None:
    def unasked(request: Request) -> None:
        raise AssertionError

    gate = gate_of(process_request=unasked)
    assert gate.closing is False
    gate.closing = True
    verdict = decide(gate, UPGRADE, full=True)
    assert status_of(verdict) == 503 and verdict.headers == Response(503, {"Retry-After": "1"}).headers


@BOTH
def test_a_full_server_refuses_and_says_when_to_come_again(decide: Decide) -> None:
    def unasked(request: Request) -> None:
        raise AssertionError

    gate = gate_of(process_request=unasked, hosts=["elsewhere.example"])
    verdict = decide(gate, UPGRADE, full=True)
    assert verdict is SERVER_FULL and status_of(verdict) == 503
    assert SERVER_FULL.headers["Retry-After"] == "5"


# Hosts.

HOSTS = ("example.com", "Other.Example.", "[::1]", "192.0.2.1")


@BOTH
@pytest.mark.parametrize(
    "host",
    [
        "example.com",
        "EXAMPLE.com:8080",
        "example.com.",  # the root is named: the same name
        "example.com.:80",
        "other.example",
        "[::1]",
        "[::1]:8080",
        "192.0.2.1:80",
    ],
)
def test_a_host_that_is_served_here_is_let_in_with_any_port(decide: Decide, host: str) -> None:
    request = request_of(instead(b"Host: " + host.encode()))
    assert decide(gate_of(hosts=HOSTS), request) == Accept(handler=serve)


@BOTH
@pytest.mark.parametrize(
    "host",
    ["example.org", "www.example.com", "com", "[::2]", "[::1]:80:80", "example.com..", "192.0.2.10:80", "h"],
)
def test_a_request_for_another_host_is_misdirected(decide: Decide, host: str) -> None:
    """RFC 9110 section 15.5.20; what rebinds a name to our address comes with the wrong name."""
    request = Request("GET", "/", Response(0, {"Host": host}).headers)
    assert status_of(decide(gate_of(hosts=HOSTS), request)) == 421
    assert decide(gate_of(hosts=None), request) == Accept(handler=serve)
    assert status_of(decide(gate_of(hosts=()), request)) == 421


def test_a_plain_request_for_another_host_is_misdirected_too() -> None:
    assert status_of(gate_of(hosts=["a.example"]).decide(request_of(PLAIN))) == 421


# The application's say.


@BOTH
@pytest.mark.parametrize("data", [plus(), PLAIN])
def test_the_application_sees_every_request_and_may_answer_it(decide: Decide, data: bytes) -> None:
    seen = []
    answer = Response(200, body=b"fine\n")

    def process_request(request: Request) -> Response:
        seen.append(request)
        return answer

    gate = gate_of(process_request=process_request)
    assert gate.asks is True
    assert decide(gate, request_of(data)) is answer
    assert seen == [request_of(data)]


@BOTH
def test_an_application_without_an_opinion_leaves_it_to_the_server(decide: Decide) -> None:
    gate = gate_of(Chat, process_request=lambda request: None)
    assert decide(gate, UPGRADE) == Accept(handler=Chat)
    assert status_of(decide(gate, request_of(PLAIN))) == 426


@BOTH
def test_the_application_may_say_how_to_accept(decide: Decide) -> None:
    chosen = Accept(handler=Chat(), subprotocol="chat", headers={"X": "y"}, user=5, path_parameters={"a": 1})
    assert decide(gate_of(process_request=lambda request: chosen), UPGRADE) == chosen


@BOTH
def test_what_the_application_leaves_open_is_filled_in(decide: Decide) -> None:
    gate = gate_of(Chat, process_request=lambda request: Accept(user="alice"))
    assert decide(gate, UPGRADE) == Accept(handler=Chat, user="alice")


@BOTH
def test_a_plain_request_is_not_upgraded_whatever_the_application_says(decide: Decide) -> None:
    assert status_of(decide(gate_of(process_request=lambda request: Accept()), request_of(PLAIN))) == 426


@BOTH
def test_an_application_that_raises_is_reported_and_its_client_told_nothing(decide: Decide) -> None:
    boom, reports = ValueError("secret"), Reports()

    def process_request(request: Request) -> None:
        raise boom

    verdict = decide(gate_of(process_request=process_request, report=reports), UPGRADE)
    assert status_of(verdict) == 500
    assert isinstance(verdict, Response) and b"secret" not in verdict.body
    assert reports == [("process_request raised", boom)]


@BOTH
def test_an_exception_that_stops_the_program_is_not_swallowed(decide: Decide) -> None:
    def process_request(request: Request) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        decide(gate_of(process_request=process_request), UPGRADE)


@BOTH
@pytest.mark.parametrize("result", [True, False, 0, 200, "no", (), {}, Response, Accept, object()])
def test_an_answer_of_another_kind_lets_nobody_in(decide: Decide, result: Any) -> None:
    reports = Reports()
    gate = gate_of(process_request=lambda request: result, report=reports)
    assert status_of(decide(gate, UPGRADE)) == 500
    assert reports == [("process_request must return an Accept, a Response or None", None)]


@BOTH
def test_a_server_that_shuts_down_while_the_application_thinks_refuses(decide: Decide) -> None:
    def process_request(request: Request) -> Accept:
        gate.closing = True
        return Accept()

    gate = gate_of(process_request=process_request)
    assert status_of(decide(gate, UPGRADE)) == 503


# Functions that must be awaited.


class Once:
    """An awaitable that is no coroutine: suspends once, then gives a result."""

    def __init__(self, result: Verdict | None = None) -> None:
        self.result = result

    def __await__(self) -> Generator[str, None, Verdict | None]:
        yield "suspended"
        return self.result


def test_what_the_application_returns_is_awaited() -> None:
    answer = Response(403)
    gate = gate_of(process_request=lambda request: Once(answer))
    deciding = gate.decide_awaiting(UPGRADE)
    assert deciding.send(None) == "suspended"
    assert finish(deciding) is answer


def test_a_coroutine_function_of_the_application_is_awaited() -> None:
    async def process_request(request: Request) -> Verdict | None:
        return await Once(Accept(user=request.target))

    deciding = gate_of(Chat, process_request=process_request).decide_awaiting(UPGRADE)
    assert deciding.send(None) == "suspended"
    assert finish(deciding) == Accept(handler=Chat, user="/chat")


def test_what_is_raised_while_it_is_awaited_is_reported() -> None:
    boom, reports = ValueError("boom"), Reports()
    gate = gate_of(process_request=lambda request: Once(), report=reports)
    deciding = gate.decide_awaiting(UPGRADE)
    deciding.send(None)
    with pytest.raises(StopIteration) as ended:
        deciding.throw(boom)
    assert status_of(ended.value.value) == 500
    assert reports == [("process_request raised", boom)]


def test_who_is_cancelled_while_it_is_awaited_is_not_held_up() -> None:
    deciding = gate_of(process_request=lambda request: Once()).decide_awaiting(UPGRADE)
    deciding.send(None)
    deciding.close()


def test_a_server_that_shuts_down_while_the_answer_is_awaited_refuses() -> None:
    gate = gate_of(process_request=lambda request: Once(Accept()))
    deciding = gate.decide_awaiting(UPGRADE)
    deciding.send(None)
    gate.closing = True
    assert status_of(finish(deciding)) == 503


async def never_run(request: Request) -> Verdict | None:
    """Be a coroutine function where nobody awaits."""
    raise AssertionError


@pytest.mark.parametrize("process_request", [never_run, lambda request: Once()])
def test_where_nobody_awaits_a_coroutine_lets_nobody_in(
    process_request: Callable[[Request], Awaitable[Verdict | None]],
) -> None:
    reports = Reports()
    gate = gate_of(process_request=process_request, report=reports)
    assert status_of(gate.decide(UPGRADE)) == 500
    assert [error for _, error in reports] == [None]  # and no warning of a coroutine that was never awaited


# Routes.


def routed() -> Router:
    router = Router()
    router.add("/chat", Chat)
    router.add("/room/{name}", serve, subprotocols=["superchat", "other"])
    return router


def asking(target: str, *subprotocols: str) -> Request:
    return Request("GET", target, Response(0, {"Host": "h"}).headers, subprotocols)


@BOTH
def test_the_path_leads_to_a_handler_and_says_its_parameters(decide: Decide) -> None:
    gate = gate_of(routed())
    assert decide(gate, asking("/chat")) == Accept(handler=Chat)
    assert decide(gate, asking("/chat?room=%zz")) == Accept(handler=Chat)
    found = decide(gate, asking("/room/a%20b%2Fc"))
    assert isinstance(found, Accept)
    assert (found.handler, found.path_parameters) == (serve, {"name": "a b/c"})


@BOTH
@pytest.mark.parametrize("target", ["/", "/chat/", "/room/", "/room/a/b", "/Chat"])
def test_a_path_that_leads_nowhere_is_not_found(decide: Decide, target: str) -> None:
    assert status_of(decide(gate_of(routed()), asking(target))) == 404


@BOTH
def test_the_application_is_asked_before_the_router(decide: Decide) -> None:
    gate = gate_of(routed(), process_request=lambda request: Response(403))
    assert status_of(decide(gate, asking("/nowhere"))) == 403


@BOTH
def test_a_handler_that_the_application_chose_needs_no_route(decide: Decide) -> None:
    gate = gate_of(routed(), process_request=lambda request: Accept(handler=serve))
    assert decide(gate, asking("/nowhere")) == Accept(handler=serve)


@BOTH
def test_parameters_of_the_application_stand_beside_those_of_the_path(decide: Decide) -> None:
    said = Accept(path_parameters={"name": "mine", "seat": 5})
    found = decide(gate_of(routed(), process_request=lambda request: said), asking("/room/blue"))
    assert isinstance(found, Accept) and found.path_parameters == {"name": "mine", "seat": 5}


@BOTH
@pytest.mark.parametrize(
    ("target", "offered", "said", "expected"),
    [
        ("/room/a", ("chat", "superchat"), None, "superchat"),  # the route's own list
        ("/room/a", ("chat",), None, ""),  # and not the server's
        ("/room/a", ("chat", "superchat"), "chat", "chat"),
        ("/room/a", ("chat", "superchat"), "", ""),
        ("/chat", ("chat", "superchat"), None, None),  # left to the server's
    ],
)
def test_a_route_may_have_subprotocols_of_its_own(
    decide: Decide, target: str, offered: tuple[str, ...], said: str | None, expected: str | None
) -> None:
    gate = gate_of(routed(), subprotocols=["chat"], process_request=lambda request: Accept(subprotocol=said))
    verdict = decide(gate, asking(target, *offered))
    assert isinstance(verdict, Accept) and verdict.subprotocol == expected


# The handler that the application chose must get its messages.


@pytest.mark.parametrize(
    ("own", "config", "chosen", "fits"),
    [
        (Chat, None, Chat(), True),
        (Chat, None, serve, True),
        (Chat, None, Endpoint.factory(Chat), True),
        (Chat, None, Streamed, False),
        (Streamed, None, Chat, False),
        (Streamed, None, Streamed(), True),
        (Streamed, None, serve, True),
        (serve, Config(stream=True), Streamed, True),
        (Chat, None, 5, False),
        (Chat, None, str, False),
    ],
)
def test_a_chosen_handler_that_would_miss_its_messages_is_a_fault_of_the_application(
    own: Handler, config: Config | None, chosen: Any, fits: bool
) -> None:
    reports = Reports()
    gate = gate_of(own, config=config, process_request=lambda request: Accept(handler=chosen), report=reports)
    verdict = gate.decide(UPGRADE)
    if fits:
        assert (verdict, reports) == (Accept(handler=chosen), [])
    else:
        assert status_of(verdict) == 500
        assert len(reports) == 1 and "chose a handler" in reports[0][0]


# What is answered.


def answered(verdict: Verdict, data: bytes = OFFERED, **settings: Any) -> Any:
    """Return a connection that has got data, and to whose request the verdict was said."""
    run = server().feed([data])
    [received] = run.requests()
    gate_of(**settings).answer(run.connection, received.request, verdict, 0.0)
    return run.take()


@pytest.mark.parametrize(
    ("supported", "said", "agreed"),
    [
        ((), None, None),
        (("superchat", "chat"), None, "superchat"),  # the server's order
        (("other",), None, None),
        (("superchat",), "chat", "chat"),
        (("superchat",), "", None),
    ],
)
def test_an_acceptance_becomes_101(supported: tuple[str, ...], said: str | None, agreed: str | None) -> None:
    verdict = Accept(handler=serve, subprotocol=said, headers=[("X-One", "1"), ("X-One", "2")])
    run = answered(verdict, subprotocols=supported)
    message = read_message(run.sent)
    assert message.status == 101 and message.values(b"x-one") == [b"1", b"2"]
    assert message.values(b"sec-websocket-protocol") == ([] if agreed is None else [agreed.encode()])
    assert run.connection.state is State.OPEN and run.connection.subprotocol == agreed
    assert isinstance(run.events[-1], Opened)


def test_a_refusal_becomes_a_response() -> None:
    run = answered(Response(403, {"X-Why": "because"}, b"not you\n"))
    assert_refused(run, 403)
    message = read_message(run.sent)
    assert (message.body, message.values(b"x-why")) == (b"not you\n", [b"because"])


@pytest.mark.parametrize(
    "verdict",
    [
        Accept(subprotocol="never-offered"),
        Accept(headers={"Sec-WebSocket-Accept": "mine"}),
        Accept(headers={"X": "a\r\nSet-Cookie: b"}),
        Accept(headers=5),  # type: ignore[arg-type]
        Response(101),
        Response(600),
        Response(200, {"Content-Length": "5"}),
        Response(403, {"X": "\u2028"}),
        Response(403, body="text"),  # type: ignore[arg-type]
        Response(204, body=b"a body"),
        Response("403"),  # type: ignore[arg-type]
    ],
)
def test_what_may_not_be_sent_becomes_500_and_a_report(verdict: Verdict) -> None:
    reports = Reports()
    run = answered(verdict, report=reports)
    assert_refused(run, 500)
    [(sentence, error)] = reports
    assert sentence == "process_request returned what may not be sent" and error is not None


def test_who_has_left_meanwhile_is_answered_nothing() -> None:
    for verdict in (Accept(), Response(403)):
        run = server().feed([plus()])
        run.connection.receive_eof(0.0)
        run.connection.handle_deadline(100.0)
        gate_of().answer(run.connection, UPGRADE, verdict, 100.0)
        assert run.take().sent == b"" and isinstance(run.events[-1], Closed)


def test_who_has_broken_a_rule_meanwhile_gets_no_second_answer() -> None:
    run = server().feed([plus(), bytes(100_000)])  # more than may wait behind a request
    gate_of().answer(run.connection, UPGRADE, Accept(), 0.0)
    assert_refused(run.take(), 400)


# The Config of connections whose handler is known only after the request.


def test_the_config_fits_the_handler() -> None:
    assert gate_of(serve).config == Config()
    assert gate_of(Chat, config=Config(agent="mine")).config == Config(agent="mine")
    assert gate_of(Streamed).config == Config(stream=True)
    assert gate_of(Pinged).config == Config(control_events=True)


def test_handlers_that_the_application_chooses_may_hear_of_pings() -> None:
    assert gate_of(Streamed, process_request=lambda request: None).config == Config(
        stream=True, control_events=True
    )
    assert gate_of(routed(), process_request=lambda request: None).config == Config(control_events=True)


def router_of(*handlers: Handler) -> Router:
    router = Router()
    for number, handler in enumerate(handlers):
        router.add(f"/{number}", handler)
    return router


@pytest.mark.parametrize(
    ("handlers", "config", "expected"),
    [
        ([Chat, serve], None, Config()),
        ([Chat, Pinged], None, Config(control_events=True)),
        ([Streamed, Streamed()], None, Config(stream=True)),
        ([Streamed, serve], Config(stream=True), Config(stream=True)),
        ([Chat], Config(agent="mine"), Config(agent="mine")),
    ],
)
def test_the_config_fits_every_handler_behind_a_router(
    handlers: list[Handler], config: Config | None, expected: Config
) -> None:
    assert gate_of(router_of(*handlers), config=config).config == expected


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"handler": 5}, "expected an Endpoint or a function"),
        ({"handler": router_of()}, "no routes"),
        ({"handler": router_of(Streamed, Chat)}, "on_fragment"),
        ({"handler": router_of(Streamed, serve)}, "on_fragment"),
        ({"subprotocols": "chat"}, "not one string"),
        ({"hosts": "example.com"}, "not one string"),
    ],
)
def test_settings_that_make_no_sense_are_refused_at_once(settings: dict[str, Any], problem: str) -> None:
    with pytest.raises(TypeError, match=problem):
        gate_of(**settings)


# All together.


def test_a_connection_with_the_config_of_the_gate_gives_its_handler_what_it_takes() -> None:
    gate = gate_of(Streamed)
    run = server(gate.config).feed([head(GET, REQUEST_FIELDS)])
    [received] = run.requests()
    verdict = gate.decide(received.request)
    gate.answer(run.connection, received.request, verdict, 0.0)
    assert isinstance(verdict, Accept) and verdict.handler is Streamed
    run.feed([b"\x81\x82\0\0\0\0hi"])
    assert run.events[-1] == Fragment("hi", True)
