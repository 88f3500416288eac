"""The shapes that a handler has, and the hooks of an endpoint."""

from dataclasses import replace
from typing import Any

import pytest

from support.deliveries import (
    LOST,
    OPENED,
    Backend,
    ControlRecorder,
    FragmentRecorder,
    Recorder,
)
from wscore import (
    Config,
    Endpoint,
    Handler,
    config_for,
    endpoint_for,
)


class Pinged(Endpoint):
    """Hears of pings alone."""

    def on_ping(self, session: object, payload: bytes) -> None:
        """Take note."""


class Ponged(Endpoint):
    """Hears of pongs alone."""

    def on_pong(self, session: object, payload: bytes) -> None:
        """Take note."""


class Streamed(Endpoint):
    """Hears of parts and of pings."""

    def on_fragment(self, session: object, data: str | bytes, final: bool) -> None:
        """Take note."""

    def on_ping(self, session: object, payload: bytes) -> None:
        """Take note."""


def a_function(session: object) -> None:
    """Be a handler of the fourth shape."""


def test_a_class_gives_every_connection_an_instance_of_its_own() -> None:
    first, second = endpoint_for(Recorder), endpoint_for(Recorder)
    assert isinstance(first, Recorder) and isinstance(second, Recorder)
    assert first is not second


def test_an_instance_serves_every_connection() -> None:
    endpoint = Endpoint()
    assert endpoint_for(endpoint) is endpoint_for(endpoint) is endpoint


def test_a_factory_makes_the_endpoint_of_each_connection() -> None:
    made: list[Endpoint] = []

    def make() -> Endpoint:
        made.append(Recorder())
        return made[-1]

    factory = Endpoint.factory(make)
    assert made == []
    assert [endpoint_for(factory), endpoint_for(factory)] == made
    assert made[0] is not made[1]


def test_a_function_serves_as_it_is() -> None:
    assert endpoint_for(a_function) is a_function


HANDLERS: list[tuple[Handler, bool]] = [
    (Endpoint, False),
    (Recorder(), False),
    (a_function, False),
    (Pinged, True),
    (Ponged, True),
    (ControlRecorder(), True),
    (Endpoint.factory(Recorder), True),  # nobody knows before it has made one
]


@pytest.mark.parametrize("config", [None, Config(agent="mine"), Config(control_events=True)])
@pytest.mark.parametrize(("handler", "hears"), HANDLERS)
def test_control_events_are_asked_for_by_handlers_that_hear_of_them(
    handler: Handler, hears: bool, config: Config | None
) -> None:
    base = config or Config()
    assert config_for(handler, config) == replace(base, control_events=base.control_events or hears)


@pytest.mark.parametrize("config", [None, Config(agent="mine"), Config(stream=True)])
@pytest.mark.parametrize(
    ("handler", "streams", "hears"),
    [
        (Endpoint, False, False),
        (Recorder(), False, False),
        (a_function, False, False),
        (FragmentRecorder, True, False),
        (FragmentRecorder(), True, False),
        (Streamed, True, True),
        (Streamed(), True, True),
        (Pinged, False, True),
    ],
)
def test_messages_stream_for_handlers_that_take_them_in_parts(
    handler: Handler, streams: bool, hears: bool, config: Config | None
) -> None:
    base = config or Config()
    if base.stream and not streams and handler is not a_function:
        with pytest.raises(TypeError, match="on_fragment"):
            config_for(handler, config)
        return
    assert config_for(handler, config) == replace(base, stream=base.stream or streams, control_events=hears)


class NoEndpoint:
    """A class that has hooks and is none."""

    def on_message(self, session: object, message: str | bytes) -> None:
        """Never be called."""


@pytest.mark.parametrize("handler", [str, "echo", 5, None, NoEndpoint, NoEndpoint()])
def test_what_has_none_of_the_four_shapes_is_refused(handler: Any) -> None:
    with pytest.raises(TypeError, match="Endpoint"):
        config_for(handler, None)


def test_the_hooks_of_an_endpoint_do_nothing_by_themselves() -> None:
    backend = Backend()
    backend.deliver(Endpoint(), OPENED, "x", LOST)
    assert (backend.closes, backend.reports) == ([], [])
