"""Where a redirect leads: relative references, other schemes, and what is no address."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wscore._errors import WSCoreError
from wscore._http import Response
from wscore._url import Address, parse_url
from wscore.policy._plan import Plan, RedirectRefused, follow, plan_connection


def start_at(url: str) -> Plan:
    return plan_connection(url, redirects=1, environ={})


def redirect(location: str) -> Response:
    return Response(302, [("Location", location)])


# RFC 3986 sections 5.4.1 and 5.4.2, on ws:; references with a fragment or another scheme are left out.
REFERENCES = [
    ("g", "/b/c/g"),
    ("./g", "/b/c/g"),
    ("g/", "/b/c/g/"),
    ("/g", "/g"),
    ("?y", "/b/c/d;p?y"),
    ("g?y", "/b/c/g?y"),
    (";x", "/b/c/;x"),
    ("g;x", "/b/c/g;x"),
    ("g;x?y", "/b/c/g;x?y"),
    ("", "/b/c/d;p?q"),
    (".", "/b/c/"),
    ("./", "/b/c/"),
    ("..", "/b/"),
    ("../", "/b/"),
    ("../g", "/b/g"),
    ("../..", "/"),
    ("../../", "/"),
    ("../../g", "/g"),
    ("../../../g", "/g"),
    ("../../../../g", "/g"),
    ("/./g", "/g"),
    ("/../g", "/g"),
    ("g.", "/b/c/g."),
    (".g", "/b/c/.g"),
    ("g..", "/b/c/g.."),
    ("..g", "/b/c/..g"),
    ("./../g", "/b/g"),
    ("./g/.", "/b/c/g/"),
    ("g/./h", "/b/c/g/h"),
    ("g/../h", "/b/c/h"),
    ("g;x=1/./y", "/b/c/g;x=1/y"),
    ("g;x=1/../y", "/b/c/y"),
    ("g?y/./x", "/b/c/g?y/./x"),
    ("g?y/../x", "/b/c/g?y/../x"),
    ("g//h", "/b/c/g//h"),  # empty segments are segments
    ("/.//evil.example/", "//evil.example/"),  # and no authority
    ("?", "/b/c/d;p"),
]


@pytest.mark.parametrize(("reference", "target"), REFERENCES)
def test_a_relative_location_is_resolved(reference: str, target: str) -> None:
    plan = follow(start_at("ws://a:8080/b/c/d;p?q"), redirect(reference), {})
    assert plan is not None
    assert plan.address == Address("a", 8080, False, target)


def test_an_empty_location_keeps_a_target_without_a_query() -> None:
    plan = follow(start_at("wss://[::1]/b"), redirect(""), {})
    assert plan is not None
    assert plan.address == Address("::1", 443, True, "/b")


@pytest.mark.parametrize(
    ("location", "address"),
    [
        ("ws://b/x?y", Address("b", 80, False, "/x?y")),
        ("wss://b:81", Address("b", 81, True, "/")),
        ("http://b/", Address("b", 80, False, "/")),
        ("HTTPS://b/", Address("b", 443, True, "/")),
        ("https://b:80/", Address("b", 80, True, "/")),
        ("http://b:443/", Address("b", 443, False, "/")),
        ("//b/x", Address("b", 80, False, "/x")),
        ("https://[2001:db8::1]:9/", Address("2001:db8::1", 9, True, "/")),
        ("//user:pw@b/", Address("b", 80, False, "/")),
    ],
)
def test_an_absolute_location_is_read(location: str, address: Address) -> None:
    plan = follow(start_at("ws://a/"), redirect(location), {})
    assert plan is not None
    assert plan.address == address


UNUSABLE = [
    "ftp://b/",
    "ws+unix:///run/app.sock:/chat",
    "ws+unix:/run/app.sock",
    "unix:/run/app.sock",
    "file:///etc/passwd",
    "javascript:alert(1)",
    "ws:b",
    "ws:/b",
    "ws:///b",
    "///b",
    "http:",
    "//",
    "ws://b/#x",
    "#x",
    "?a#x",
    "ws://b:0/",
    "ws://b:99999/",
    "ws://b:x/",
    "ws://[::1/",
    "ws://a\\@b/",
    "ws://a\\b@c/",
    "/\\b/",
    "/a b",
    "/a\tb",
    "/\x80",
    "/\xe9",
    "ws://b\xfccher.example/",
    "ws://.b/",
]


@pytest.mark.parametrize("location", UNUSABLE, ids=ascii)
def test_an_unusable_location_is_refused(location: str) -> None:
    response = redirect(location)
    with pytest.raises(RedirectRefused, match="no address of a WebSocket") as caught:
        follow(start_at("ws://a/"), response, {})
    assert caught.value.response is response
    assert isinstance(caught.value, WSCoreError)
    assert str(caught.value).startswith("the redirect with HTTP status 302 is not followed: ")


@settings(max_examples=300, deadline=None)
@given(st.text(st.sampled_from("/\\.:?#@%[]abws0 \t\x80") | st.characters(max_codepoint=255), max_size=24))
def test_any_location_leads_to_an_address_or_is_refused(location: str) -> None:
    try:
        plan = follow(start_at("ws://a:81/b/c?d"), redirect(location), {})
    except RedirectRefused:
        return
    assert plan is not None
    authority, target = plan.address.authority, plan.address.target
    assert parse_url(f"{'wss' if plan.address.secure else 'ws'}://{authority}{target}") == plan.address
    absolute = ("//", "ws:", "wss:", "http:", "https:")
    assert authority == "a:81" or location.lower().startswith(absolute)
