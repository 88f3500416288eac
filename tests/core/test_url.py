"""ws:// and wss:// addresses (RFC 6455 section 3)."""

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wscore._errors import InvalidURL
from wscore._url import Address, parse_url

L63 = "x" * 63
N253 = ".".join([L63, L63, L63, "y" * 61])

GOOD = [
    ("ws://example.com", Address("example.com", 80, False, "/")),
    ("wss://example.com", Address("example.com", 443, True, "/")),
    ("ws://example.com/", Address("example.com", 80, False, "/")),
    ("ws://example.com:8080/chat?room=1", Address("example.com", 8080, False, "/chat?room=1")),
    ("wss://example.com:80/", Address("example.com", 80, True, "/")),
    ("ws://example.com:/x", Address("example.com", 80, False, "/x")),  # RFC 3986 3.2.3: an empty port
    ("ws://example.com:00080/", Address("example.com", 80, False, "/")),
    ("ws://example.com:1/", Address("example.com", 1, False, "/")),
    ("ws://example.com:65535/", Address("example.com", 65_535, False, "/")),
    ("ws://example.com?room=1", Address("example.com", 80, False, "/?room=1")),
    ("ws://example.com/?a=/b?c", Address("example.com", 80, False, "/?a=/b?c")),
    ("WSS://example.com/", Address("example.com", 443, True, "/")),
    ("ws://127.0.0.1:9001/", Address("127.0.0.1", 9001, False, "/")),
    ("ws://[::1]/", Address("::1", 80, False, "/")),
    ("wss://[2001:DB8::1]:8443/", Address("2001:DB8::1", 8443, True, "/")),
    ("ws://[::ffff:192.0.2.1]:80/", Address("::ffff:192.0.2.1", 80, False, "/")),
    ("ws://my_host-1.local/", Address("my_host-1.local", 80, False, "/")),
    ("ws://example.com./", Address("example.com.", 80, False, "/")),
    # RFC 3987 section 3.1: text becomes UTF-8 and is percent-encoded; what is encoded stays.
    ("ws://h/ü?ü=ß", Address("h", 80, False, "/%C3%BC?%C3%BC=%C3%9F")),
    ("ws://h/%2F%23%zz", Address("h", 80, False, "/%2F%23%zz")),
    ('ws://h/"<>^`{|}', Address("h", 80, False, "/%22%3C%3E%5E%60%7B%7C%7D")),
    ("ws://h/\u2028\x85", Address("h", 80, False, "/%E2%80%A8%C2%85")),
    # RFC 3986 section 3.3: pchar, and "/"; none of them is encoded.
    ("ws://h/a-._~!$&'()*+,;=:@/b", Address("h", 80, False, "/a-._~!$&'()*+,;=:@/b")),
    ("ws://h//evil.example/", Address("h", 80, False, "//evil.example/")),
    # RFC 3492 section 7 and RFC 5891: labels outside ASCII.
    ("ws://bücher.example/", Address("xn--bcher-kva.example", 80, False, "/")),
    ("ws://bücher.example:8080/", Address("xn--bcher-kva.example", 8080, False, "/")),
    # RFC 1035 section 2.3.4: labels of 1 to 63 characters, names of 253 in all as they are written.
    ("ws://h/", Address("h", 80, False, "/")),
    (f"ws://{L63}/", Address(L63, 80, False, "/")),
    (f"ws://{L63}.example/", Address(f"{L63}.example", 80, False, "/")),
    (f"ws://{N253}/", Address(N253, 80, False, "/")),
    (f"ws://{N253}.:81/", Address(f"{N253}.", 81, False, "/")),  # the dot at the end is the root's
    (f"ws://{'a.' * 126}a/", Address("a." * 126 + "a", 80, False, "/")),
]


@pytest.mark.parametrize(
    ("url", "expected"), GOOD, ids=[url.encode("unicode_escape").decode() for url, _ in GOOD]
)
def test_an_address_is_read(url: str, expected: Address) -> None:
    assert parse_url(url) == expected


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.com",
        "//example.com/",
        "http://example.com/",
        "https://example.com/",
        "wsx://example.com/",
        "ws:/example.com/",
        "ws:example.com",
        "ws://",
        "ws:///chat",
        "ws://:80/",
        "ws://?x",
        # RFC 6455 section 3: no fragment identifiers.
        "ws://example.com/#",
        "ws://example.com/#part",
        "ws://example.com#part",
        # Ports.
        "ws://example.com:0/",
        "ws://example.com:65536/",
        "ws://example.com:-1/",
        "ws://example.com:+80/",
        "ws://example.com:8_0/",
        "ws://example.com:80:90/",
        "ws://example.com:http/",
        "ws://example.com:\uff18\uff10/",
        # Another host than the one a reader sees.
        "ws://user@example.com/",
        "ws://user:secret@example.com/",
        "ws://good.example@evil.example/",
        "ws://good.example\\@evil.example/",
        "ws://example.com\\evil/",
        "ws://exa%6dple.com/",
        "ws://example.com\u2100/",  # account-of sign: decomposes to "a/c"
        "ws://example.com\uff0fevil/",  # fullwidth solidus
        # Brackets.
        "ws://[::1/",
        "ws://::1/",
        "ws://[::1]x/",
        "ws://x[::1]/",
        "ws://[]/",
        "ws://[fe80::1%25eth0]/",
        # Hosts.
        "ws://exa mple.com/",
        "ws://exa!mple.com/",
        "ws://example\u3000.com/",
        "ws://" + "ü" * 64 + "/",  # RFC 1035: a label has at most 63 bytes
        "ws://ü..example/",
        f"ws://{L63}x/",
        f"ws://example.{L63}x/",
        f"ws://{L63}x.example/",
        f"ws://{N253}y/",
        f"ws://{N253}y.:81/",
        f"ws://{'a.' * 126}aa/",
        "ws://./",
        "ws://../",
        "ws://.example/",
        "ws://a..example/",
        "ws://example../",
        "wss://" + "a" * 10_000 + "/",
        "ws://\ud800/",
        "ws://example.com/\ud800",
        "ws://example.com/?\udfff",
        # Second lines.
        "ws://example.com/\r\nX: y",
        "ws://example.com/\n",
        " ws://example.com/",
        "ws://example.com/ ",
        "ws://example.com/a b",
        "ws://example.com/\t",
        "ws://example.com/\x00",
        "ws://example.com/\x7f",
        "w\ts://example.com/",
    ],
)
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(InvalidURL):
        parse_url(url)


@pytest.mark.parametrize("byte", [*range(0x21), 0x7F])
def test_no_blank_and_no_control_character_passes_anywhere(byte: int) -> None:
    for url in (f"ws://ho{chr(byte)}st/", f"ws://host/pa{chr(byte)}th", f"ws://host/?{chr(byte)}"):
        with pytest.raises(InvalidURL, match="spaces, control characters"):
            parse_url(url)


@pytest.mark.parametrize("value", [b"ws://example.com/", None, 7, Address("h", 80, False, "/")])
def test_only_text_is_an_address(value: object) -> None:
    with pytest.raises(InvalidURL, match=type(value).__name__):
        parse_url(value)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("address", "authority"),
    [
        (Address("example.com", 80, False, "/"), "example.com"),
        (Address("example.com", 443, True, "/"), "example.com"),
        (Address("example.com", 443, False, "/"), "example.com:443"),
        (Address("example.com", 80, True, "/"), "example.com:80"),
        (Address("example.com", 8080, False, "/"), "example.com:8080"),
        (Address("::1", 80, False, "/"), "[::1]"),
        (Address("::1", 8080, False, "/"), "[::1]:8080"),
    ],
)
def test_the_authority_is_what_the_host_field_says(address: Address, authority: str) -> None:
    assert address.authority == authority  # RFC 9110 section 7.2


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=30))
def test_whatever_is_read_can_stand_in_a_request_line(text: str) -> None:
    try:
        address = parse_url("ws://h/" + text)
    except InvalidURL:
        return
    assert address.host == "h"
    assert address.target.startswith("/")
    assert all(0x21 <= ord(char) <= 0x7E and char != "#" for char in address.target)
    # What was encoded once is not encoded again.
    assert parse_url("ws://h" + address.target).target == address.target


def test_an_address_is_a_value() -> None:
    address = parse_url("ws://example.com/chat")
    with pytest.raises(dataclasses.FrozenInstanceError):
        address.host = "evil.example"  # type: ignore[misc]
    assert not hasattr(address, "__dict__")
    assert hash(address) == hash(Address("example.com", 80, False, "/chat"))
