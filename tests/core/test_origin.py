"""Which pages may connect: Origin against Host, and against an allow-list."""

import re

import pytest

from wscore._config import ANY_ORIGIN, SAME_ORIGIN
from wscore._origin import origin_allowed, same_origin

# (origin, Host, is it the same server). RFC 6454 section 6.2 leaves out a default port, so must we.
SAME = [
    # Ports.
    ("http://example.com", "example.com", True),
    ("https://example.com", "example.com", True),
    ("http://example.com", "example.com:80", True),
    ("https://example.com", "example.com:443", True),
    ("http://example.com:80", "example.com", True),
    ("https://example.com:443", "example.com", True),
    ("http://example.com:8080", "example.com:8080", True),
    ("https://example.com:8443", "example.com:8443", True),
    ("http://example.com", "example.com:443", False),
    ("https://example.com", "example.com:80", False),
    ("http://example.com:443", "example.com", False),
    ("https://example.com:80", "example.com", False),
    ("http://example.com:8080", "example.com", False),
    ("http://example.com", "example.com:8080", False),
    ("http://example.com:8080", "example.com:8081", False),
    ("http://example.com:80", "example.com:8080", False),
    ("http://example.com:", "example.com", False),
    ("http://example.com:800000", "example.com:800000", True),  # absurd, but alike: no other server
    # The schemes of sockets are written by programs that are not browsers.
    ("ws://example.com", "example.com:80", True),
    ("wss://example.com", "example.com:443", True),
    # Case: ASCII letters alone.
    ("HTTP://EXAMPLE.com", "example.COM", True),
    ("https://xn--BCHER-kva.example", "XN--bcher-KVA.example", True),
    ("http://\xc0.example", "\xe0.example", False),
    ("http://\xe0.example", "\xe0.example", True),
    # A trailing dot names the same host.
    ("http://example.com.", "example.com", True),
    ("http://example.com", "example.com.", True),
    ("http://example.com.:8080", "example.com:8080", True),
    ("http://example.com..", "example.com", False),
    # Addresses.
    ("http://127.0.0.1", "127.0.0.1", True),
    ("http://127.0.0.1:9001", "127.0.0.1:9001", True),
    ("http://127.0.0.1", "localhost", False),
    ("http://[::1]", "[::1]", True),
    ("http://[::1]", "[::1]:80", True),
    ("https://[::1]:8443", "[::1]:8443", True),
    ("http://[::1]:8080", "[::1]", False),
    ("http://[2001:DB8::1]", "[2001:db8::1]", True),
    ("http://[::1]", "[::2]", False),
    # From nowhere.
    ("null", "null", False),
    ("null", "example.com", False),
    ("", "example.com", False),
    ("", "", False),
    ("file://", "example.com", False),
    ("file:///home/page.html", "example.com", False),
    ("data:text/html,x", "example.com", False),
    ("chrome-extension://example.com", "example.com", False),
    ("example.com", "example.com", False),
    ("//example.com", "example.com", False),
    ("http:example.com", "example.com", False),
    ("http:/example.com", "example.com", False),
    # Neighbours in name.
    ("http://evil-example.com", "example.com", False),
    ("http://example.com.evil.example", "example.com", False),
    ("http://evil.example/example.com", "example.com", False),
    ("http://example.com/evil.example", "example.com", False),
    ("http://sub.example.com", "example.com", False),
    ("http://example.com", "sub.example.com", False),
    ("http://example.co", "example.com", False),
    ("http://example.comm", "example.com", False),
    # An origin is a scheme, a host and a port, and no more.
    ("http://example.com/", "example.com", False),
    ("http://example.com?x", "example.com", False),
    ("http://example.com#x", "example.com", False),
    ("http://user@example.com", "example.com", False),
    ("http://evil.example\\@example.com", "example.com", False),
    ("http://evil.example example.com", "example.com", False),
    ("http://example.com http://evil.example", "example.com", False),
    ("http://example.com, http://evil.example", "example.com", False),
    (" http://example.com", "example.com", False),
    ("http://example.com\n", "example.com", False),
    ("http://\n", "\n", False),
]


@pytest.mark.parametrize(("origin", "host", "same"), SAME)
def test_an_origin_is_compared_with_the_host(origin: str, host: str, same: bool) -> None:
    assert same_origin(origin, host) is same
    assert origin_allowed(origin, host, SAME_ORIGIN) is same


def test_long_schemes_are_not_schemes() -> None:
    assert not same_origin("http\u017f://example.com", "example.com")  # a long s is not an s
    assert not same_origin("xhttp://example.com", "example.com")


@pytest.mark.parametrize("allowed", [SAME_ORIGIN, ANY_ORIGIN, (), ("https://example.com",)])
def test_a_request_without_origin_is_from_no_browser_and_passes(allowed: str | tuple[str, ...]) -> None:
    assert origin_allowed(None, "example.com", allowed)


@pytest.mark.parametrize("origin", ["null", "https://evil.example", "", "anything"])
def test_any_origin_means_any(origin: str) -> None:
    assert origin_allowed(origin, "example.com", ANY_ORIGIN)


@pytest.mark.parametrize("origin", ["https://example.com", "null", "", "any-origin", "same-origin"])
def test_an_empty_list_allows_no_browser(origin: str) -> None:
    assert not origin_allowed(origin, "example.com", ())


# (entry, origin, are they one origin). RFC 6454 section 5: scheme, host and port, all three the same.
ENTRIES = [
    # A default port is the same whether it is written or not, on either side.
    ("https://example.com", "https://example.com", True),
    ("https://example.com:443", "https://example.com", True),
    ("https://example.com", "https://example.com:443", True),
    ("https://example.com:0443", "https://example.com", True),
    ("http://example.com:80", "http://example.com", True),
    ("http://example.com", "http://example.com:80", True),
    ("http://example.com:443", "http://example.com:443", True),
    ("https://example.com:80", "https://example.com", False),
    ("https://example.com", "https://example.com:80", False),
    ("http://example.com:443", "http://example.com", False),
    ("https://example.com:8443", "https://example.com", False),
    ("https://example.com", "https://example.com:8443", False),
    ("https://[::1]:443", "https://[::1]", True),
    ("https://[::1]", "https://[::1]:8443", False),
    ("https://[2001:DB8::1]", "https://[2001:db8::1]:443", True),
    # Another scheme is another origin, also where the ports meet.
    ("http://example.com:443", "https://example.com", False),
    ("https://example.com:80", "http://example.com", False),
    ("wss://example.com", "https://example.com", False),
    ("http://example.com", "https://example.com", False),
    # One slash at the end of an entry and a dot at the end of a host do not count; no more than one does.
    ("https://example.com/", "https://example.com", True),
    ("https://example.com:443/", "https://example.com", True),
    ("https://example.com.", "https://example.com", True),
    ("https://example.com", "https://example.com.", True),
    ("https://example.com//", "https://example.com", False),
    ("https://example.com..", "https://example.com", False),
    # Case.
    ("HTTPS://EXAMPLE.COM", "https://example.com", True),
    ("https://example.com", "hTTps://eXample.com:443", True),
    # What is no origin of this shape is compared as it stands.
    ("null", "null", True),
    ("null", "NULL", True),
    ("null", "https://null", False),
    ("", "", True),
    ("", "https://example.com", False),
    ("example.com", "https://example.com", False),
    ("chrome-extension://abcdef", "chrome-extension://abcdef", True),
    ("chrome-extension://abcdef", "chrome-extension://abcdefg", False),
    ("https://example.com/chat", "https://example.com", False),
    ("https://example.com", "https://example.com/chat", False),
    ("https://*.example.com", "https://a.example.com", False),
    ("https://user@example.com", "https://example.com", False),
]


@pytest.mark.parametrize(("entry", "origin", "same"), ENTRIES)
def test_an_entry_is_compared_as_an_origin(entry: str, origin: str, same: bool) -> None:
    assert origin_allowed(origin, "irrelevant.example", (entry,)) is same
    assert origin_allowed(origin, "irrelevant.example", ("https://first.example", entry)) is same


@pytest.mark.parametrize("character", ["\xe9", "\u20ac", "\ud800", "\0", "?"])
def test_an_origin_of_any_characters_is_compared_and_raises_nothing(character: str) -> None:
    origin = f"https://example.com{character}"
    assert not origin_allowed(origin, "example.com", SAME_ORIGIN)
    assert not origin_allowed(origin, "example.com", ("https://example.com",))


LIST = ("https://example.com", "https://Example.org:8443/", re.compile(r"https://[a-z]+\.example\.net"))


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        ("https://example.com", True),
        ("HTTPS://EXAMPLE.COM", True),
        ("https://example.org:8443", True),
        ("http://example.com", False),
        ("https://example.com:8443", False),
        ("https://example.org", False),
        ("https://example.com.evil.example", False),
        ("https://evil.example/https://example.com", False),
        ("https://evilexample.com", False),
        ("https://example.comm", False),
        ("https://example.co", False),
        ("https://example.com/", False),
        ("null", False),
        ("", False),
        # A pattern must match wholly, and says itself what it thinks of case.
        ("https://a.example.net", True),
        ("https://a.example.net.evil.example", False),
        ("https://a.example.net:8443", False),
        ("https://evil.example/https://a.example.net", False),
        ("xhttps://a.example.net", False),
        ("https://a.b.example.net", False),
        ("https://aXexample.net", False),
        ("https://a.example.net\n", False),
        ("https://A.example.net", False),
    ],
)
def test_an_allow_list_is_exact(origin: str, allowed: bool) -> None:
    assert origin_allowed(origin, "irrelevant.example", LIST) is allowed


@pytest.mark.parametrize("pattern", [r"https://a\.example$", r"https://a\.example|x"])
def test_a_careless_pattern_lets_nothing_more_in(pattern: str) -> None:
    allowed = (re.compile(pattern),)
    assert origin_allowed("https://a.example", "h", allowed)
    assert not origin_allowed("https://a.example.evil.example", "h", allowed)
    assert not origin_allowed("https://evil.example/https://a.example", "h", allowed)


def test_null_passes_only_where_it_is_listed() -> None:
    assert origin_allowed("null", "example.com", ("null",))
    assert not origin_allowed("null", "example.com", ("https://example.com",))


def test_a_list_does_not_include_the_own_host_by_itself() -> None:
    assert not origin_allowed("https://example.com", "example.com", ("https://other.example",))
