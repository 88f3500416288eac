"""Paths lead to handlers: literals, parameters, their order, and paths that lead nowhere."""

from itertools import permutations, product
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.measure import calls
from wscore import Endpoint
from wscore.policy._router import Route, Router


def here(session: object) -> None:
    """A handler."""


def there(session: object) -> None:
    """Another."""


class Room(Endpoint):
    """A third."""


def routing(*patterns: str) -> Router:
    """Return a router with an endpoint of its own for each pattern, which has its name."""
    router = Router()
    for pattern in patterns:
        router.add(pattern, Endpoint.factory(type(pattern, (Endpoint,), {})))
    return router


def leads(router: Router, path: str) -> tuple[str, dict[str, str | int]] | None:
    """Return the pattern that path fits and what was read from it."""
    route = router.match(path)
    if route is None:
        return None
    return type(route.handler.make()).__name__, dict(route.parameters)  # type: ignore[union-attr]


# One pattern.


@pytest.mark.parametrize(
    ("pattern", "path", "parameters"),
    [
        ("/", "/", {}),
        ("/chat", "/chat", {}),
        ("/chat/", "/chat/", {}),
        ("/a//b", "/a//b", {}),
        ("/chat", "/chat?room=1", {}),
        ("/chat", "/ch%61t", {}),  # RFC 3986 section 6.2.2.2: the same path
        ("/café menu", "/caf%C3%A9%20menu", {}),
        ("/a&b=c;d", "/a&b=c;d", {}),
        ("/room/{name}", "/room/blue", {"name": "blue"}),
        ("/room/{name}", "/room/blue%20room", {"name": "blue room"}),
        ("/room/{name}", "/room/%e2%82%ac", {"name": "€"}),
        ("/room/{name}", "/room/a%2Fb", {"name": "a/b"}),
        ("/room/{name}", "/room/%253F", {"name": "%3F"}),  # decoded once
        ("/room/{name}", "/room/a+b", {"name": "a+b"}),  # a plus is no space outside of forms
        ("/room/{name}", "/room/...", {"name": "..."}),
        ("/room/{name}", "/room/x?name=y/z", {"name": "x"}),
        ("/room/{name}/log", "/room/log/log", {"name": "log"}),
        ("/{a}/{b}", "/1/2", {"a": "1", "b": "2"}),
        ("/{_a1}", "/x", {"_a1": "x"}),
        ("/user/{n:int}", "/user/42", {"n": 42}),
        ("/user/{n:int}", "/user/007", {"n": 7}),
        ("/user/{n:int}", "/user/%34%32", {"n": 42}),
        ("/user/{n:int}", "/user/999999999999999999", {"n": 999_999_999_999_999_999}),
        ("/files/{rest:path}", "/files/a", {"rest": "a"}),
        ("/files/{rest:path}", "/files/a/b%20c/d.txt", {"rest": "a/b c/d.txt"}),
        ("/files/{rest:path}", "/files/", {"rest": ""}),
        ("/files/{rest:path}", "/files/a//b/", {"rest": "a//b/"}),
        ("/{rest:path}", "/", {"rest": ""}),
        ("/{who}/{n:int}/{rest:path}", "/me/3/a/b", {"who": "me", "n": 3, "rest": "a/b"}),
    ],
)
def test_a_path_that_fits(pattern: str, path: str, parameters: dict[str, str | int]) -> None:
    assert leads(routing(pattern), path) == (pattern, parameters)


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        *(("/", ""), ("/", "//"), ("/", "*"), ("/chat", "chat"), ("/chat", "http://h/chat")),
        *(("/chat", "/chat/"), ("/chat/", "/chat"), ("/chat", "/Chat"), ("/chat", "/chatter")),
        *(("/chat", "//chat"), ("/chat", "/chat/more"), ("/chat/more", "/chat"), ("/a/b", "/a%2Fb")),
        *(("/room/{name}", "/room/"), ("/room/{name}", "/room"), ("/room/{name}", "/room/a/b")),
        *(("/user/{n:int}", f"/user/{text}") for text in ("", "a", "-1", "+1", "1.0", "1_0", "0x1", "%201")),
        *(("/user/{n:int}", f"/user/{quote(digits)}") for digits in ("\u0664\u0662", "\uff11", "1" * 19)),
        *(("/files/{rest:path}", "/files"), ("/files/{rest:path}", "/file/a")),
    ],
)
def test_a_path_that_does_not_fit(pattern: str, path: str) -> None:
    assert routing(pattern).match(path) is None


ANYWHERE = ("/{one}", "/{one}/{two}", "/{one}/{two}/{three}", "/files/{rest:path}")


@pytest.mark.parametrize(
    "path",
    [
        *("/%", "/%4", "/%4g", "/a%", "/%zz", "/%+1", "/%u0041", "/% 41", "/%\uff11\uff11"),
        *("/%ff", "/%c3", "/%c0%af", "/%ed%a0%80", "/%f5%80%80%80", "/%c3/%a9"),  # not UTF-8 (RFC 3629)
        *("/caf\u00e9", "/\u20ac", "/a b", "/a\n", "/a\x00", "/a\x7f"),  # not encoded
    ],
)
def test_what_is_not_encoded_well_is_not_found(path: str) -> None:
    assert routing(*ANYWHERE).match(path) is None


@pytest.mark.parametrize("dots", [".", "..", "%2e", "%2E%2e", ".%2e", "%2E."])
def test_segments_of_dots_lead_nowhere(dots: str) -> None:
    """RFC 3986 section 5.2.4: they are removed before a path is sent."""
    router = routing(*ANYWHERE)
    for path in (f"/{dots}", f"/a/{dots}", f"/{dots}/a", f"/files/{dots}/etc", f"/files/a/{dots}"):
        assert router.match(path) is None
    assert router.match(f"/files/x{dots}") is not None


@pytest.mark.parametrize("path", ["/files//etc/passwd", "/files//", "/files/a%2Fb", "/files/a/%2fetc"])
def test_the_rest_of_a_path_stays_in_its_folder(path: str) -> None:
    assert routing("/files/{rest:path}").match(path) is None


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_any_name_arrives_as_it_was_written(name: str) -> None:
    found = leads(routing("/room/{name}"), "/room/" + quote(name, safe=""))
    assert found == (None if name in (".", "..") else ("/room/{name}", {"name": name}))


@given(st.text() | st.text("/%2eEfF.a?").map("/".__add__))
def test_no_path_raises(path: str) -> None:
    route = routing(*ANYWHERE, "/{n:int}").match(path)
    assert route is None or path.startswith("/")


# Several patterns.


@pytest.mark.parametrize(
    ("path", "pattern"),
    [
        ("/new", "/new"),
        ("/42", "/{n:int}"),
        ("/newer", "/{name}"),
        ("/new/x", "/new/{name}"),
        ("/other/x", "/{rest:path}"),
        ("/42/x", "/{rest:path}"),
        ("/new/x/y", "/{rest:path}"),
        ("/", "/{rest:path}"),
    ],
)
def test_what_is_more_exact_wins_in_any_order(path: str, pattern: str) -> None:
    for patterns in permutations(["/new", "/{n:int}", "/{name}", "/{rest:path}", "/new/{name}"]):
        found = leads(routing(*patterns), path)
        assert found is not None and found[0] == pattern


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/room/x", ("/room/{b}", {"b": "x"})),  # the first segment that differs decides
        ("/hall/x", ("/{a}/x", {"a": "hall"})),
        ("/room/x/y", ("/room/x/y", {})),
        ("/room/x/z", ("/{n}/x/z", {"n": "room"})),  # the exact way is a dead end: back, and on
        ("/7/x/z", ("/{n}/x/z", {"n": "7"})),
        ("/7/x/k", ("/{i:int}/x/k", {"i": 7})),
        ("/room/q/z", None),
    ],
)
def test_a_way_that_leads_nowhere_is_left_again(path: str, expected: object) -> None:
    router = routing("/{a}/x", "/room/{b}", "/room/x/y", "/{n}/x/z", "/{i:int}/x/k")
    assert leads(router, path) == expected


def test_the_same_place_may_have_another_name_in_another_pattern() -> None:
    router = routing("/{user}/log", "/{room}/map")
    assert leads(router, "/a/log") == ("/{user}/log", {"user": "a"})
    assert leads(router, "/a/map") == ("/{room}/map", {"room": "a"})


def names(way: tuple[str, ...]) -> list[str]:
    """Give each parameter a name of its own."""
    return [segment.replace("%s", f"p{depth}") for depth, segment in enumerate(way)]


def test_the_work_of_a_match_is_bounded_by_the_patterns() -> None:
    """Each node is visited once, however many ways lead almost to the end of a path."""
    small, large = (
        routing(*(f"/{'/'.join(names(way))}/end" for way in product(["0", "{%s}", "{%s:int}"], repeat=depth)))
        for depth in (3, 5)
    )
    few, many = calls(lambda: small.match("/0/0/0/ENE")), calls(lambda: large.match("/0/0/0/0/0/ENE"))
    assert many < few * 11  # 3 + 9 + 27 nodes with as many leaves as the last; 9 times that and a little
    assert calls(lambda: large.match("/0" * 2000)) < many + 2000 * 12  # decoding


# What is found.


def test_a_route_has_the_handler_and_its_subprotocols() -> None:
    router = Router()
    router.add("/a", here)
    router.add("/b/{x}", Room, subprotocols=["v2", "v1"])
    router.add("/c", here, subprotocols=())
    assert router.match("/a") == Route(here)
    assert router.match("/b/1") == Route(Room, {"x": "1"}, ("v2", "v1"))
    assert router.match("/c") == Route(here, {}, ())


def test_handlers_come_in_the_order_of_their_patterns() -> None:
    router = Router()
    assert not router.handlers
    router.add("/b", there)
    router.add("/a", here)
    router.add("/c", there)
    assert router.handlers == (there, here, there)


def test_parameters_of_one_match_are_not_those_of_another() -> None:
    router = routing("/{name}")
    first, second = router.match("/a"), router.match("/b")
    assert first is not None and second is not None
    assert (first.parameters, second.parameters) == ({"name": "a"}, {"name": "b"})


# Mistakes.


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("/", "/"),
        ("/chat", "/chat"),
        ("/{a}", "/{b}"),
        ("/{a:int}/x", "/{b:int}/x"),
        ("/x/{a:path}", "/x/{b:path}"),
        ("/{a}/{b}", "/{b}/{a}"),
    ],
)
def test_patterns_that_fit_the_same_paths_are_an_error(first: str, second: str) -> None:
    router = routing(first)
    with pytest.raises(ValueError, match="fits the same paths as") as caught:
        router.add(second, here)
    assert str(caught.value) == f"{second!r} fits the same paths as {first!r}"
    assert len(router.handlers) == 1


@pytest.mark.parametrize(
    ("pattern", "problem"),
    [
        ("", "starts with a slash"),
        ("chat", "starts with a slash"),
        ("{rest:path}", "starts with a slash"),
        *((pattern, "two parameters") for pattern in ("/{a}/{a}", "/{a}/{a:int}", "/{a}/x/{a:path}")),
        *((pattern, "follows") for pattern in ("/{a:path}/x", "/{a:path}/", "/{a:path}/{b}")),
        *((f"/{segment}", "neither") for segment in ("{", "}", "{}", "x{a}", "{a}x", "{a}{b}", "{{a}}")),
        *((f"/{segment}", "neither") for segment in ("{1}", "{a-b}", "{a:}", "{a:float}", "{é}", "{ a }")),
        *((f"/{segment}", "neither") for segment in ("a%20b", "%", "a?b", "a#b", "a\n", "\x00", "\x7f")),
        *((f"/{segment}", "neither") for segment in (".", "..", "../x", "x/.")),
    ],
)
def test_what_is_no_pattern_is_an_error(pattern: str, problem: str) -> None:
    router = Router()
    with pytest.raises(ValueError, match=problem) as caught:
        router.add(pattern, here)
    assert repr(pattern) in str(caught.value)
    assert router.handlers == ()


def test_subprotocols_are_several() -> None:
    with pytest.raises(TypeError, match="not one string"):
        Router().add("/", here, subprotocols="chat")
