"""Log lines: no secrets in them, no control characters, no more than a line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wscore._http import Headers
from wscore.policy._redact import printable, redact_headers, redact_target

SECRET_FIELDS = [
    *("Authorization", "Proxy-Authorization", "Cookie", "Set-Cookie", "AUTHORIZATION", "cookie"),
    *("X-Api-Key", "Api-Key", "ApiKey", "X-Auth-Token", "X-Access-Token", "X-CSRF-Token", "X-Session-Id"),
    *("X-Amz-Security-Token", "X-Hub-Signature-256", "Client-Secret"),
]
OPEN_FIELDS = [
    *("Host", "Upgrade", "Connection", "Origin", "User-Agent", "Server", "Date", "Accept-Language"),
    *("Sec-WebSocket-Key", "Sec-WebSocket-Accept", "Sec-WebSocket-Protocol", "Sec-WebSocket-Extensions"),
    *("Sec-WebSocket-Version", "WWW-Authenticate", "Retry-After", "Content-Length", "X-Forwarded-For"),
]


@pytest.mark.parametrize("name", SECRET_FIELDS)
def test_fields_that_authenticate_are_hidden(name: str) -> None:
    redacted = redact_headers([("X-A", "1"), (name, "hunter2"), (name, "hunter3")])
    assert list(redacted) == [("X-A", "1"), (name, "..."), (name, "...")]


@pytest.mark.parametrize("name", OPEN_FIELDS)
def test_other_fields_stay(name: str) -> None:
    assert redact_headers({name: "value, a=b; token=c"})[name] == "value, a=b; token=c"


def test_headers_come_in_any_shape() -> None:
    expected = Headers([("Cookie", "...")])
    for headers in ({"Cookie": "a"}, [("Cookie", "a")], Headers([("Cookie", "a")]), iter([("Cookie", "a")])):
        assert redact_headers(headers) == expected
    assert redact_headers(()) == Headers()


@pytest.mark.parametrize("name", ["Location", "referer", "Content-Location"])
def test_addresses_in_fields_are_redacted(name: str) -> None:
    redacted = redact_headers({name: "https://user:pw@h/a?token=x&y=z"})
    assert redacted[name] == "https://...@h/a?token=...&y=z"


SECRET_NAMES = [
    *(
        "token",
        "access_token",
        "accessToken",
        "ACCESS_TOKEN",
        "id-token",
        "refreshtoken",
        "xtoken",
        "csrfToken",
    ),
    *("key", "api_key", "apiKey", "signingKey", "apikey", "APIKEY", "X-Amz-Key", "key2", "private.key"),
    *("password", "passwd", "pass", "pwd", "passphrase", "new_password"),
    *("secret", "client_secret", "signature", "X-Amz-Signature", "sig", "X-Goog-Credential"),
    *(
        "auth",
        "Authorization",
        "bearer",
        "jwt",
        "code",
        "otp",
        "pin",
        "ticket",
        "sid",
        "session",
        "PHPSESSION",
    ),
    *("%74oken", "to%6Ben", "a%5Btoken%5D", "a[token]", "cookie"),
]


@pytest.mark.parametrize("name", SECRET_NAMES)
def test_parameters_that_authenticate_are_hidden(name: str) -> None:
    assert redact_target(f"/chat?{name}=hunter2") == f"/chat?{name}=..."
    assert redact_target(f"/chat?a=1&{name}=hunter2&b=2") == f"/chat?a=1&{name}=...&b=2"
    assert redact_target(f"/chat?{name}=") == f"/chat?{name}=..."


@pytest.mark.parametrize(
    "target",
    [
        "",
        "/",
        "/chat",
        "/token=1/key",
        "/chat?",
        "/chat?token",
        "/chat?token&room=1",
        "/chat?room=1&user=bob&keyboard=de&author=x&monkey=1&passage=2&decode=1&residue=3&authority=4",
        "/chat?q=token",
        "/chat?=token",
        "/chat?a=b=c&&;#",
        "/chat?q=100%25",
        "/chat?next=%2Froom%3Fid%3D1",
        "ws://h/a@b?c=d",
        "*",
    ],
)
def test_what_is_no_secret_stays(target: str) -> None:
    expected = (
        target if target != "//user@host/x" else "//...@host/x"
    )  # it may be an address without a scheme
    assert redact_target(target) == expected


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("ws://user:pw@h:81/?x=1", "ws://...@h:81/?x=1"),
        ("//user:pw@h/x", "//...@h/x"),  # it may be an address without a scheme
        ("wss://user@h", "wss://...@h"),
        ("wss://a@b@h/", "wss://...@h/"),
        ("https://h/?token=1#x", "https://h/?token=...#x"),
        ("/#access_token=hunter2", "/#access_token=..."),
        ("/a;token=hunter2/b", "/a;token=..."),
        ("/a?token=x;y&b=1", "/a?token=...&b=1"),
        ("/a?token=x?y;z=1&b=1", "/a?token=...&b=1"),
        ("/a?token=x&token=y", "/a?token=...&token=..."),
        ("/a?token=x=y==", "/a?token=..."),
        ("/a?b=1;token=x", "/a?b=1;token=..."),
        ("/a?next=/b?token=x", "/a?next=/b?token=..."),
        ("/a?next=%2Fb%3Ftoken%3Dhunter2", "/a?next=..."),
        ("/a?next=%2Fb%3Fc%3D1%26token%3Dhunter2&d=1", "/a?next=...&d=1"),
        ("/a?next=token%3Dhunter2", "/a?next=..."),
    ],
)
def test_secrets_are_found_where_they_hide(target: str, expected: str) -> None:
    assert redact_target(target) == expected


@given(
    st.text(st.sampled_from("/?&;#=%ab2"), max_size=12),
    st.sampled_from("?&;#"),
    st.sampled_from(["token", "%74oken", "apiKey"]),
    st.text(st.sampled_from("/?;=%xy"), max_size=12),
)
def test_a_secret_never_gets_through(before: str, mark: str, name: str, after: str) -> None:
    target = f"{before}{mark}{name}=hunter2{after}hunter2"
    assert "hunter2" not in redact_target(target)


@pytest.mark.parametrize("piece", ["?", ";", "&", "=", "?token=", "&a=%3Fb%3D", "%", "//@", "a", "A1"])
def test_a_target_of_any_length_is_read_in_one_go(piece: str) -> None:
    target = "/" + piece * (100_000 // len(piece))
    assert len(redact_target(target)) <= len(target) * 4


# printable


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("GET /chat?a=b HTTP/1.1", "GET /chat?a=b HTTP/1.1"),
        ("a\r\nINFO forged", "a\\r\\nINFO forged"),
        ("\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m"),
        ("\x00\x07\x08\t\x7f", "\\x00\\x07\\x08\\t\\x7f"),
        ("\x9b31m\x85\u2028\u202e", "\\x9b31m\\x85\\u2028\\u202e"),
        ("\xe9\u20ac\U0001f600", "\\xe9\\u20ac\\U0001f600"),
        ("\ud800", "\\ud800"),
        ("a\\nb", "a\\\\nb"),  # not to be confused with a line end
        ("\"quoted' ~", "\"quoted' ~"),
    ],
    ids=ascii,
)
def test_text_becomes_one_visible_line(text: str, expected: str) -> None:
    assert printable(text) == expected


@pytest.mark.parametrize(
    ("text", "limit", "expected"),
    [
        ("abcdefgh", 8, "abcdefgh"),
        ("abcdefghi", 8, "abcde..."),
        ("abc\n\n", 7, "abc\\n\\n"),
        ("abc\n\nd", 7, "abc..."[:7]),
        ("ab\n\n\n", 7, "ab\\n..."),
        ("\u2028\u2028", 11, "\\u2028..."),  # an escape is never cut in two
        ("\u2028\u2028", 8, "..."),
        ("abcd", 3, "..."),
        ("abcd", 2, ".."),
        ("a", 0, ""),
        ("", 0, ""),
        ("\n", 1, "."),
    ],
    ids=ascii,
)
def test_what_is_too_long_is_cut(text: str, limit: int, expected: str) -> None:
    assert printable(text, limit) == expected


def test_the_default_limit_is_two_hundred() -> None:
    assert printable("a" * 200) == "a" * 200
    assert printable("a" * 201) == "a" * 197 + "..."


@given(st.text(), st.integers(0, 300))
def test_any_text_is_printable_ascii_within_the_limit(text: str, limit: int) -> None:
    line = printable(text, limit)
    assert len(line) <= limit
    assert line.isascii()
    assert line.isprintable()


@pytest.mark.parametrize("character", ["\x00", "\n", "\x1b", "\U0010ffff", "a"], ids=ascii)
def test_a_mebibyte_of_anything_is_a_short_line(character: str) -> None:
    line = printable(character * 1_048_576)
    assert len(line) <= 200
    assert line.endswith("...")
