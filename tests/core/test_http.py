"""Heads as values: a multi-map of fields, requests and responses."""

import dataclasses
from collections import OrderedDict
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import pytest

from wscore._http import Headers, Request, Response

FIELDS = [("Host", "example.com:8080"), ("X-Tag", "one"), ("x-tag", "two"), ("Origin", "https://example.com")]


@pytest.mark.parametrize("name", ["x-tag", "X-TAG", "X-Tag"])
def test_names_are_found_without_case(name: str) -> None:
    headers = Headers(FIELDS)
    assert headers.get_all(name) == ["one", "two"]
    assert headers.get(name) == "one"
    assert headers[name] == "one"
    assert name in headers


def test_what_is_absent() -> None:
    headers = Headers(FIELDS)
    assert headers.get_all("cookie") == []
    assert headers.get("cookie") is None
    assert headers.get("cookie", "none") == "none"
    assert "cookie" not in headers
    assert 7 not in headers
    with pytest.raises(KeyError, match="cookie"):
        headers["cookie"]


def test_order_and_spelling_stay() -> None:
    headers = Headers(FIELDS)
    assert list(headers) == FIELDS
    assert len(headers) == 4
    assert list(Headers(headers)) == FIELDS
    assert list(Headers()) == [] and len(Headers()) == 0


def test_a_later_change_of_the_source_changes_nothing() -> None:
    source = list(FIELDS)
    headers = Headers(source)
    source.clear()
    assert list(headers) == FIELDS


@pytest.mark.parametrize("kind", [dict, MappingProxyType, OrderedDict])
def test_headers_can_be_a_mapping(kind: Callable[[dict[str, str]], Mapping[str, str]]) -> None:
    source = {"Retry-After": "1", "X-Tag": "one"}
    headers = Headers(kind(source))
    assert list(headers) == [("Retry-After", "1"), ("X-Tag", "one")]
    assert headers == Headers(list(source.items()))
    response = Response(503, kind(source))
    assert response.headers == headers
    source.clear()
    assert len(headers) == len(response.headers) == 2


@pytest.mark.parametrize("items", ["X-A: 1", [("X-A",)], [("X-A", "1", "2")], 7])
def test_headers_of_another_shape_are_refused(items: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        Headers(items)


def test_headers_are_values() -> None:
    assert Headers(FIELDS) == Headers(tuple(FIELDS))
    assert hash(Headers(FIELDS)) == hash(Headers(iter(FIELDS)))
    assert Headers(FIELDS) != Headers(FIELDS[::-1])
    assert Headers(FIELDS) != FIELDS
    assert repr(Headers([("a", "b")])) == "Headers([('a', 'b')])"


def test_only_ascii_letters_have_a_case() -> None:
    assert "\u212aey" not in Headers([("key", "value")])  # the Kelvin sign is not a k


@pytest.mark.parametrize(
    ("target", "path", "query"),
    [
        ("/", "/", ""),
        ("/chat", "/chat", ""),
        ("/chat?room=1", "/chat", "room=1"),
        ("/chat?", "/chat", ""),
        ("/a%20b/%C3%BC?q=%20", "/a b/ü", "q=%20"),
        ("/a%3Fb?c?d", "/a?b", "c?d"),
        ("/%ff%zz", "/\ufffd%zz", ""),  # what is no text is replaced, and nothing raises
        ("/a+b", "/a+b", ""),
    ],
)
def test_a_target_is_a_path_and_a_query(target: str, path: str, query: str) -> None:
    request = Request("GET", target, Headers())
    assert (request.path, request.query) == (path, query)


def test_a_request_names_its_host_and_origin() -> None:
    request = Request("GET", "/", Headers(FIELDS))
    assert request.host == "example.com:8080"
    assert request.origin == "https://example.com"
    assert request.subprotocols == ()
    assert request.is_upgrade


def test_a_request_may_lack_both() -> None:
    request = Request("GET", "/", Headers())
    assert request.host == ""
    assert request.origin is None


def test_a_response_takes_any_pairs_as_headers() -> None:
    # A caller may write pairs; what is kept can be looked up.
    response = Response(404, [("Retry-After", "1")], b"no")
    assert isinstance(response.headers, Headers)
    assert response.headers["retry-after"] == "1"
    assert response == Response(404, Headers([("Retry-After", "1")]), b"no")
    assert response.reason == ""


def test_a_response_keeps_headers_as_they_are() -> None:
    headers = Headers(FIELDS)
    assert Response(200, headers).headers is headers
    assert Response(204).headers == Headers()
    assert Response(204).body == b""


@pytest.mark.parametrize("value", [Request("GET", "/", Headers(FIELDS)), Response(101, Headers(FIELDS))])
def test_requests_and_responses_do_not_change(value: Request | Response) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        value.headers = Headers()  # type: ignore[misc]
    assert not hasattr(value, "__dict__")
    assert hash(value) == hash(dataclasses.replace(value))
