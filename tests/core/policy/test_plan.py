"""What a client is going to do: addresses, fields and redirects, and which credentials go where.

The chains are walked as a client would: each plan becomes the very bytes that would leave, and they are
searched for what must not be in them.
"""

from base64 import b64encode
from collections.abc import Mapping
from typing import Any, Final

import pytest

from wscore._codes import Role
from wscore._connection import Connection
from wscore._errors import InvalidURL, LocalProtocolError
from wscore._http import Response
from wscore._url import Address, parse_url
from wscore.policy._plan import Plan, RedirectRefused, follow, plan_connection
from wscore.policy._proxy import ConnectTunnel, Proxy
from wscore.testing import drain, repeatable_entropy

NOTHING: Final[Mapping[str, str]] = {}


def plan_for(url: str, **settings: Any) -> Plan:
    return plan_connection(url, **{"environ": NOTHING, **settings})


def redirect(location: str, status: int = 302) -> Response:
    return Response(status, [("Location", location)])


def request_of(plan: Plan) -> bytes:
    """Return the opening request that a plan leads to, as bytes."""
    client = Connection(Role.CLIENT, now=0.0, entropy=repeatable_entropy())
    client.send_request(plan.address, headers=plan.headers, now=0.0)
    return drain(client, 0.0).sent


def url_of(address: Address) -> str:
    return f"{'wss' if address.secure else 'ws'}://{address.authority}{address.target}"


# Planning


@pytest.mark.parametrize(
    ("url", "address", "value"),
    [
        # RFC 7617 section 2: the example of the RFC.
        (
            "ws://Aladdin:open%20sesame@example.com/chat",
            Address("example.com", 80, False, "/chat"),
            "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==",
        ),
        # RFC 7617 section 2.1: UTF-8, the second example.
        (
            "wss://test:123%C2%A3@[::1]:8443?x=@",
            Address("::1", 8443, True, "/?x=@"),
            "Basic dGVzdDoxMjPCow==",
        ),
        ("ws://test:123£@h", Address("h", 80, False, "/"), "Basic dGVzdDoxMjPCow=="),
        ("ws://u:a%3Ab%40c:d@h/", Address("h", 80, False, "/"), "Basic " + b64encode(b"u:a:b@c:d").decode()),
        ("ws://user@h/", Address("h", 80, False, "/"), "Basic dXNlcjo="),
        ("ws://:pw@h/", Address("h", 80, False, "/"), "Basic OnB3"),
    ],
)
def test_user_information_becomes_basic_credentials(url: str, address: Address, value: str) -> None:
    plan = plan_for(url)
    assert plan.address == address
    assert plan.headers == (("Authorization", value),)


@pytest.mark.parametrize("url", ["ws://h/", "ws://@h/", "ws://h/a@b", "ws://h/?a://b@c", "ws://h?u:p@x"])
def test_no_user_information_is_no_field(url: str) -> None:
    assert plan_for(url).headers == ()
    assert plan_for(url).address.host == "h"


def test_the_callers_own_authorization_wins() -> None:
    plan = plan_for("ws://user:pw@h/", headers={"AUTHORIZATION": "Bearer x"})
    assert plan.headers == (("AUTHORIZATION", "Bearer x"),)


@pytest.mark.parametrize(
    "url",
    [
        "ws://user:hunter%2@h/",  # not percent-encoding
        "ws://user:hunter2%FF@h/",  # not UTF-8
        "ws://user:hunter2%0D%0A@h/",  # RFC 7617 section 2: no control characters
        "ws://us\\er:hunter2@h/",
        "ws://us er:hunter2@h/",
        "ws://user:hunter2@evil@h/",
        "ws://user:hunter2\x00@h/",
        "ws://us%3Aer:hunter2@h/",  # RFC 7617 section 2: no colon in the user-id
        "ws://user:hunter/2@h/",
        "ws://user:hunter#2@h/",
        "ws://user:hunter?2@h/",
        "ws://user:hunter2@/",
        "ws://user:hunter2@h:0/",
        "http://user:hunter2@h/",
    ],
)
def test_a_bad_address_is_refused_without_telling_the_password(url: str) -> None:
    with pytest.raises(InvalidURL) as caught:
        plan_for(url)
    assert "hunter" not in str(caught.value)


@pytest.mark.parametrize("url", ["", "http://h/", "ws://", "ws://h:x/"])
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(InvalidURL):
        plan_for(url)


@pytest.mark.parametrize("url", [7, None, b"ws://u:p@h/"])
def test_an_address_is_text(url: Any) -> None:
    with pytest.raises(TypeError):
        plan_for(url)


def test_header_fields_are_pairs_or_a_mapping() -> None:
    wrong: Any = 7
    with pytest.raises(TypeError):
        plan_for("ws://h/", headers=wrong)


def test_fields_and_origin_are_kept_in_order() -> None:
    plan = plan_for("ws://h/", headers=[("X-A", "1"), ("x-a", "2")], origin="https://example.com")
    assert plan.headers == (("X-A", "1"), ("x-a", "2"), ("Origin", "https://example.com"))
    assert b"\r\nOrigin: https://example.com\r\n" in request_of(plan)


@pytest.mark.parametrize(
    "settings",
    [
        {"headers": {"X-A": "1\r\nX-B: 2"}},
        {"headers": {"X A": "1"}},
        {"headers": {"Cookie ": "1"}},
        {"origin": "a\nb"},
        {"origin": "https://a", "headers": {"ORIGIN": "https://b"}},
        {"proxy": "http://p:1", "fixed": True},
    ],
)
def test_what_may_not_be_sent_is_refused_before_anything_is_connected(settings: dict[str, Any]) -> None:
    with pytest.raises(LocalProtocolError):
        plan_for("ws://h/", **settings)


@pytest.mark.parametrize("count", [-1, 6, 50])
def test_at_most_five_redirects_can_be_asked_for(count: int) -> None:
    with pytest.raises(ValueError, match="0 to 5"):
        plan_for("ws://h/", redirects=count)
    assert plan_for("ws://h/", redirects=5).redirects == 5


ENVIRON = {"ws_proxy": "http://plain:1", "wss_proxy": "http://tls:2", "no_proxy": "direct.example"}


@pytest.mark.parametrize(
    ("url", "proxy", "expected"),
    [
        ("ws://h/", True, Proxy("http", "plain", 1)),
        ("wss://h/", True, Proxy("http", "tls", 2)),
        ("ws://direct.example/", True, None),
        ("ws://h/", None, None),
        ("ws://h/", False, None),
        ("ws://h/", "socks5h://own:3", Proxy("socks5h", "own", 3)),
        ("ws://direct.example/", "socks5h://own:3", Proxy("socks5h", "own", 3)),
    ],
)
def test_the_proxy_is_named_or_comes_from_the_environment(
    url: str, proxy: Any, expected: Proxy | None
) -> None:
    assert plan_for(url, proxy=proxy, environ=ENVIRON).proxy == expected


def test_a_stream_of_ones_own_has_no_proxy() -> None:
    assert plan_for("ws://h/", environ=ENVIRON, fixed=True).proxy is None
    assert plan_for("ws://h/", environ=ENVIRON, fixed=True, proxy=False).proxy is None


def test_an_unusable_proxy_is_refused() -> None:
    with pytest.raises(InvalidURL):
        plan_for("ws://h/", proxy="nonsense")


def test_a_plan_shows_no_secrets() -> None:
    plan = plan_for(
        "wss://user:hunter2@h:81/a?token=hunter3&x=1",
        headers={"Cookie": "hunter4", "X-Tag": "seen"},
        proxy="http://p:hunter5@proxy:1",
        redirects=2,
    )
    assert "hunter" not in repr(plan)
    assert repr(plan).startswith(
        "Plan('wss://h:81/a?token=...&x=1', headers=[('Cookie', '...'), ('X-Tag', 'seen'"
    )
    assert repr(plan).endswith("redirects=2, followed=0)")


# Following


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_followed(status: int) -> None:
    plan = follow(plan_for("ws://h/", redirects=2), redirect("/other", status), NOTHING)
    assert plan == Plan(Address("h", 80, False, "/other"), redirects=1, followed=1, environment=True)


@pytest.mark.parametrize("status", [200, 204, 300, 304, 305, 306, 309, 400, 401, 404, 429, 500, 503])
def test_other_answers_are_no_redirects(status: int) -> None:
    assert follow(plan_for("ws://h/", redirects=5), redirect("/other", status), NOTHING) is None


def test_a_redirect_without_location_is_none() -> None:
    assert follow(plan_for("ws://h/", redirects=5), Response(302), NOTHING) is None


@pytest.mark.parametrize("location", ["/other", "ws://elsewhere/", "\\", "http://a b/"])
def test_no_redirect_is_followed_by_default(location: str) -> None:
    assert follow(plan_for("wss://h/"), redirect(location), NOTHING) is None


def test_two_locations_are_refused_unless_they_are_one() -> None:
    plan = plan_for("ws://h/", redirects=1)
    with pytest.raises(RedirectRefused, match="several"):
        follow(plan, Response(302, [("Location", "/a"), ("location", "/b")]), NOTHING)
    assert follow(plan, Response(302, [("Location", "/a"), ("location", "/a")]), NOTHING) is not None


@pytest.mark.parametrize(
    ("proxy", "location", "expected"),
    [
        (True, "wss://h/", Proxy("http", "tls", 2)),
        (True, "/other", Proxy("http", "plain", 1)),
        (True, "//direct.example/", None),
        (False, "wss://h/", None),
        ("http://own:3", "wss://h/", Proxy("http", "own", 3)),
        ("http://own:3", "//direct.example/", Proxy("http", "own", 3)),
    ],
)
def test_the_environment_is_asked_again_for_each_redirect(
    proxy: Any, location: str, expected: Proxy | None
) -> None:
    start = plan_for("ws://h/", proxy=proxy, redirects=1, environ=ENVIRON)
    plan = follow(start, redirect(location), ENVIRON)
    assert plan is not None
    assert plan.proxy == expected
    assert plan.environment is (proxy is True)


# Chains. A world says what each address answers: another Location; no entry: it upgrades.

BASIC = b64encode(b"alice:hunter2").decode()
PROXY_BASIC = b64encode(b"bob:hunter3").decode()
SECRETS = [
    ("Authorization", "Bearer secret-one"),
    ("X-Tag", "public"),
    ("authorization", "Bearer secret-two"),
    ("AUTHORIZATION", "Bearer secret-three"),
    ("Cookie", "id=secret-four"),
    ("cookie", "id=secret-five"),
    ("Proxy-Authorization", "Basic secret-six"),
    ("proxy-authorization", "Basic secret-seven"),
]
NEEDLES = (b"secret-", b"hunter", BASIC.encode(), PROXY_BASIC.encode())

Capture = tuple[str, bytes]


def walk(
    plan: Plan | None, world: dict[str, str], environ: Mapping[str, str] = NOTHING
) -> tuple[list[Capture], RedirectRefused | None]:
    """Go from plan to plan; return what each peer was sent, and what ended the way other than an upgrade."""
    captures: list[Capture] = []
    while plan is not None:
        if plan.proxy is not None:
            captures.append(("proxy", ConnectTunnel(plan.address, plan.proxy).request))
        url = url_of(plan.address)
        captures.append((url.removesuffix(plan.address.target), request_of(plan)))
        answer = redirect(world[url]) if url in world else Response(404)
        try:
            plan = follow(plan, answer, environ)
        except RedirectRefused as error:
            return captures, error
    return captures, None


def places(captures: list[Capture]) -> list[str]:
    return [place for place, _ in captures]


def leaks(captures: list[Capture], allowed: str) -> list[Capture]:
    """Return what holds a secret and went elsewhere than to the allowed place."""
    return [
        (place, data) for place, data in captures if place != allowed and any(one in data for one in NEEDLES)
    ]


CROSSINGS = [
    ("another host", "wss://a.example/", "wss://b.example/"),
    ("another port", "wss://a.example/", "wss://a.example:444/"),
    ("another scheme", "ws://a.example/", "wss://a.example/"),
    ("another scheme, the same port", "ws://a.example:443/", "wss://a.example:443/"),
    ("a subdomain", "wss://a.example/", "wss://x.a.example/"),
    ("the domain above", "wss://x.a.example/", "wss://a.example/"),
    ("the host with a dot", "wss://a.example/", "wss://a.example./"),
    ("an HTTP address", "wss://a.example/", "https://b.example/"),
    ("no scheme", "wss://a.example/", "//b.example/"),
    ("what looks like the same", "wss://a.example/", "wss://a.example@b.example/"),
    ("an IPv6 address", "wss://[::1]/", "wss://[::2]/"),
]


@pytest.mark.parametrize(
    ("start", "location"), [case[1:] for case in CROSSINGS], ids=[c[0] for c in CROSSINGS]
)
@pytest.mark.parametrize("own", [True, False], ids=["fields", "user information"])
def test_no_credential_goes_to_another_origin(start: str, location: str, own: bool) -> None:
    url = start if own else start.replace("://", "://alice:hunter2@")
    headers = SECRETS if own else [("X-Tag", "public")]
    captures, refusal = walk(plan_for(url, headers=headers, redirects=5), {start: location})
    first, second = captures
    assert refusal is None
    assert leaks(captures, start.removesuffix("/")) == []
    assert all(value.encode() in first[1] for _, value in SECRETS) or not own
    assert own or BASIC.encode() in first[1]
    assert first[0] != second[0]
    assert b"public" in second[1]  # what is no credential does go along


@pytest.mark.parametrize(
    ("start", "location"),
    [
        ("wss://a.example/", "/other"),
        ("wss://a.example/", "other?x"),
        ("wss://a.example/", "wss://a.example:443/other"),
        ("wss://a.example:443/", "https://A.EXAMPLE/other"),
        ("ws://a.example/", "http://a.example:80/other"),
        ("ws://a.example:8080/", "//a.example:8080/other"),
    ],
)
def test_credentials_go_along_within_an_origin(start: str, location: str) -> None:
    world = {url_of(parse_url(start)): location}
    captures, _ = walk(plan_for(start, headers=SECRETS, redirects=1), world)
    assert len(captures) == 2
    assert all(value.encode() in captures[1][1] for _, value in SECRETS)


def test_credentials_do_not_come_back_with_the_way_back() -> None:
    world = {"wss://a.example/": "wss://b.example/", "wss://b.example/": "wss://a.example/in"}
    plan = plan_for("wss://alice:hunter2@a.example/", headers=SECRETS[4:], redirects=5)
    captures, _ = walk(plan, world)
    assert places(captures) == ["wss://a.example", "wss://b.example", "wss://a.example"]
    assert leaks(captures[1:], "") == []
    assert leaks(captures[:1], "") != []


@pytest.mark.parametrize("location", ["wss://alice:hunter2@a.example/in", "wss://alice:hunter2@b.example/"])
def test_user_information_in_a_location_is_sent_to_nobody(location: str) -> None:
    captures, refusal = walk(plan_for("wss://a.example/", redirects=1), {"wss://a.example/": location})
    assert refusal is None
    assert len(captures) == 2
    assert leaks(captures, "") == []


@pytest.mark.parametrize(
    "location", ["ws://a.example/", "http://a.example/", "ws://b.example:443/", "WS://b/"]
)
@pytest.mark.parametrize("start", ["wss://a.example/", "ws://c.example/"])
def test_tls_is_never_left(start: str, location: str) -> None:
    world = {"ws://c.example/": "wss://a.example/", "wss://a.example/": location}
    captures, refusal = walk(plan_for(start, headers=SECRETS, redirects=5), world)
    assert refusal is not None
    assert "from wss:// to ws://" in str(refusal)
    assert places(captures)[-1] == "wss://a.example"
    assert leaks(captures, start.removesuffix("/")) == []


@pytest.mark.parametrize("allowed", [1, 2, 5])
def test_a_long_chain_ends_after_what_was_allowed(allowed: int) -> None:
    world = {f"wss://h{number}.example/": f"wss://h{number + 1}.example/" for number in range(50)}
    captures, refusal = walk(plan_for("wss://h0.example/", headers=SECRETS, redirects=allowed), world)
    assert refusal is not None
    assert f"{allowed} have been followed" in str(refusal)
    assert len(captures) == allowed + 1
    assert leaks(captures, "wss://h0.example") == []


@pytest.mark.parametrize("location", ["", "/", "wss://a.example/", "//a.example"])
def test_a_loop_ends(location: str) -> None:
    captures, refusal = walk(plan_for("wss://a.example/", redirects=5), {"wss://a.example/": location})
    assert refusal is not None
    assert len(captures) == 6


@pytest.mark.parametrize("location", ["ws://other/", "wss://localhost/", "http://localhost:8080/"])
def test_a_unix_socket_is_not_left_for_another_origin(location: str) -> None:
    plan = plan_for("ws://localhost/", headers=SECRETS, redirects=5, fixed=True)
    captures, refusal = walk(plan, {"ws://localhost/": location})
    assert refusal is not None
    assert "elsewhere than the stream" in str(refusal)
    assert len(captures) == 1


def test_a_unix_socket_is_kept_within_an_origin() -> None:
    plan = plan_for("ws://localhost/", headers=SECRETS, redirects=5, fixed=True)
    following = follow(plan, redirect("/other"), ENVIRON)
    assert following is not None
    assert following.fixed
    assert following.proxy is None
    assert following.headers == tuple(SECRETS)


def test_credentials_of_a_proxy_go_to_the_proxy_alone() -> None:
    environ = {"wss_proxy": "http://bob:hunter3@proxy.example:3128"}
    world = {"ws://a.example/": "wss://b.example/", "wss://b.example/": "wss://c.example/"}
    captures, refusal = walk(plan_for("ws://a.example/", environ=environ, redirects=5), world, environ)
    assert refusal is None
    expected = ["ws://a.example", "proxy", "wss://b.example", "proxy", "wss://c.example"]
    assert places(captures) == expected
    assert leaks(captures, "proxy") == []
    assert [PROXY_BASIC.encode() in data for place, data in captures if place == "proxy"] == [True, True]


def test_credentials_of_the_server_do_not_go_to_the_proxy() -> None:
    plan = plan_for("wss://alice:hunter2@a.example/", headers=SECRETS[4:], proxy="http://proxy.example:1")
    captures, _ = walk(plan, {})
    assert places(captures) == ["proxy", "wss://a.example"]
    assert leaks(captures, "wss://a.example") == []
