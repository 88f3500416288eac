"""What a server says yes with: nothing special, unless it is said."""

from dataclasses import FrozenInstanceError

import pytest

from wscore.policy._accept import Accept


def test_by_default_everything_is_left_to_the_server() -> None:
    accept = Accept()
    assert (accept.handler, accept.subprotocol, accept.user) == (None, None, None)
    assert list(accept.headers) == [] and dict(accept.path_parameters) == {}


def test_two_of_them_share_nothing_that_could_change() -> None:
    with pytest.raises(TypeError):
        Accept().path_parameters["id"] = 1  # type: ignore[index]
    with pytest.raises(FrozenInstanceError):
        Accept().user = "root"  # type: ignore[misc]


def test_its_parts_are_named_where_it_is_made() -> None:
    with pytest.raises(TypeError):
        Accept(None)  # type: ignore[call-arg]
