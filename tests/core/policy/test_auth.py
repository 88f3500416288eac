"""Basic authentication: who is let in, what is asked for, and what a field may look like (RFC 7617)."""

import re
from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wscore._http import Headers, Request, Response
from wscore.policy._accept import Accept
from wscore.policy._auth import basic_auth, basic_authorization, parse_basic

USERS = {"Aladdin": "open sesame", "alice": "", "": "nobody", "jürgen": "pass:wört €"}


def asking(*values: str) -> Request:
    """Return a request with so many Authorization fields."""
    return Request("GET", "/", Headers([("Host", "h"), *(("authorization", value) for value in values)]))


def encoded(text: bytes | str) -> str:
    return "Basic " + b64encode(text.encode() if isinstance(text, str) else text).decode()


# The field.


@pytest.mark.parametrize(
    ("user", "password", "value"),
    [
        ("Aladdin", "open sesame", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="),  # RFC 7617 section 2
        ("test", "123£", "Basic dGVzdDoxMjPCow=="),  # section 2.1
        ("", "", "Basic Og=="),
        ("a", "b:c", "Basic YTpiOmM="),
        ("ab", "c>?\xff", "Basic YWI6Yz4/w78="),  # the alphabet with + and /, not that of addresses
    ],
)
def test_user_and_password_are_written_and_read(user: str, password: str, value: str) -> None:
    assert basic_authorization(user, password) == value
    assert parse_basic(value) == (user, password)


printable = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters=[*map(chr, range(32)), "\x7f"])
)


@given(printable.filter(lambda user: ":" not in user), printable)
def test_what_is_written_is_read_again(user: str, password: str) -> None:
    value = basic_authorization(user, password)
    assert re.fullmatch(r"Basic [A-Za-z0-9+/]+=*", value)
    assert parse_basic(value) == (user, password)


@pytest.mark.parametrize(
    ("user", "password", "problem"),
    [
        ("hunt:er", "x", "colon"),
        ("hunter\n", "x", "control"),
        ("x", "hunter\x00", "control"),
        ("x", "hunter\x7f", "control"),
        ("x", "hunter\ud800", "surrogate"),
        ("hunter\udfff", "x", "surrogate"),
    ],
)
def test_what_cannot_be_sent_is_an_error_that_repeats_nothing(user: str, password: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem) as caught:
        basic_authorization(user, password)
    assert type(caught.value) is ValueError
    assert "hunt" not in str(caught.value) and caught.value.__suppress_context__ == (problem == "surrogate")
    with pytest.raises(ValueError, match=problem):
        basic_auth({"good": "one", user: password})


@pytest.mark.parametrize("scheme", ["Basic ", "basic ", "BASIC ", "bAsIc    "])
def test_the_scheme_has_no_case_and_some_spaces_behind_it(scheme: str) -> None:
    assert parse_basic(scheme + "YTpi") == ("a", "b")


@pytest.mark.parametrize(
    "value",
    [
        *("", "Basic", "Basic ", "BasicYTpi", "Bearer YTpi", "XBasic YTpi", "Basic\tYTpi", " Basic YTpi"),
        *("Ba\u017fic YTpi", "Basic YTpi ", "Basic YTpi\n", "Basic YTpi, Basic YTpi", "Basic realm=YTpi"),
        # Base64 that is none, or not in its one spelling (RFC 4648 section 4).
        *("Basic YTp", "Basic YTpi=", "Basic YTpi====", "Basic YTo", "Basic YTo=\n", "Basic Y", "Basic Y==="),
        *(
            "Basic =",
            "Basic ====",
            "Basic YT=i",
            "Basic YT==YTpi",
            "Basic YTp\u0456",
            "Basic Y-_i",
            "Basic Y Tpi",
        ),
        encoded("no colon"),
        encoded(""),
        encoded(b"J\xfcrgen:x"),  # ISO 8859-1
        encoded(b"a:\xed\xa0\x80"),  # half a surrogate pair
        encoded("a:b\x00"),
        encoded("a\r\nb:c"),
        encoded("a\x7f:b"),
        encoded("a:\x1f"),
    ],
)
def test_anything_else_is_nobody(value: str) -> None:
    assert parse_basic(value) is None


@given(st.text() | st.text("Basic YTpi=+/\n", min_size=1) | st.binary().map(encoded))
def test_reading_never_raises(value: str) -> None:
    pair = parse_basic(value)
    assert pair is None or parse_basic(basic_authorization(*pair)) == pair


# Who is let in.


@pytest.mark.parametrize(("user", "password"), USERS.items())
def test_users_with_their_passwords_go_on_and_are_known(user: str, password: str) -> None:
    assert basic_auth(USERS)(asking(basic_authorization(user, password))) == Accept(user=user)


@pytest.mark.parametrize(
    "value",
    [
        *(encoded("Aladdin:open sesam"), encoded("Aladdin:open sesame "), encoded("Aladdin:Open sesame")),
        *(encoded("Aladdin:"), encoded("Aladdin:nobody"), encoded("aladdin:open sesame")),
        *(encoded("bob:open sesame"), encoded("bob:"), encoded(":"), encoded("alice:x"), "Bearer open"),
        encoded("Aladdin"),
        encoded(b"j\xfcrgen:x"),
    ],
)
def test_all_others_get_401(value: str) -> None:
    refusal = basic_auth(USERS)(asking(value))
    assert isinstance(refusal, Response) and refusal.status == 401


def test_who_says_nothing_is_asked() -> None:
    """RFC 9110 section 11.6.1: a 401 has a challenge; RFC 7617 section 2.1: which names the encoding."""
    assert basic_auth(USERS, "the chat")(asking()) == Response(
        401,
        [("WWW-Authenticate", 'Basic realm="the chat", charset="UTF-8"')],
        b"user name and password, please\n",
    )


def test_of_two_answers_neither_is_believed() -> None:
    good = basic_authorization("Aladdin", "open sesame")
    refusal = basic_auth(USERS)(asking(good, good))
    assert isinstance(refusal, Response) and refusal.status == 401


def test_nobody_is_let_in_where_there_is_nobody() -> None:
    for value in (encoded(":"), encoded("a:b")):
        assert isinstance(basic_auth({})(asking(value)), Response)


def test_the_place_in_the_list_makes_no_difference() -> None:
    check = basic_auth({str(number): f"p{number}" for number in range(5)})
    asked = [check(asking(encoded(f"{pair // 5}:p{pair % 5}"))) for pair in range(25)]
    allowed = [pair for pair, answer in enumerate(asked) if isinstance(answer, Accept)]
    assert allowed == [0, 6, 12, 18, 24]


def test_later_changes_to_the_mapping_change_nothing() -> None:
    users = dict(USERS)
    check = basic_auth(users)
    users.clear()
    assert check(asking(encoded("Aladdin:open sesame"))) == Accept(user="Aladdin")


# The challenge.


@pytest.mark.parametrize(
    ("realm", "quoted"),
    [("restricted", '"restricted"'), ('a "b" \\c', r'"a \"b\" \\c"'), ("", '""'), (" ~", '" ~"')],
)
def test_the_realm_is_a_quoted_string(realm: str, quoted: str) -> None:
    refusal = basic_auth(USERS, realm)(asking())
    assert isinstance(refusal, Response)
    assert refusal.headers["WWW-Authenticate"] == f'Basic realm={quoted}, charset="UTF-8"'


def test_without_a_name_the_realm_is_restricted() -> None:
    refusal = basic_auth(USERS)(asking())
    assert isinstance(refusal, Response) and 'realm="restricted"' in refusal.headers["WWW-Authenticate"]


@pytest.mark.parametrize("realm", ["a\r\nSet-Cookie: x=y", "a\n", "\x00", "\x7f", "Büro", "\u2028"])
def test_a_realm_cannot_split_a_response(realm: str) -> None:
    with pytest.raises(ValueError, match="realm"):
        basic_auth(USERS, realm)


# A function that knows.


def test_a_function_is_asked_about_user_and_password() -> None:
    asked = []

    def knows(user: str, password: str) -> bool:
        asked.append((user, password))
        return password == "yes"

    check = basic_auth(knows)
    assert check(asking(encoded("a:yes"))) == Accept(user="a")
    refusal = check(asking(encoded("a:no")))
    assert isinstance(refusal, Response) and refusal.status == 401
    assert asked == [("a", "yes"), ("a", "no")]


def test_a_function_is_not_asked_about_nobody() -> None:
    def unasked(user: str, password: str) -> bool:
        raise AssertionError

    for request in (asking(), asking("Bearer x"), asking(encoded("a:b"), encoded("a:b"))):
        assert isinstance(basic_auth(unasked)(request), Response)


@pytest.mark.parametrize("answer", [None, 0, 1, "yes", object()])
def test_an_answer_that_is_neither_true_nor_false_lets_nobody_in(answer: object) -> None:
    """A coroutine is true as well: an ``async def`` here must not open the door."""

    def unclear(user: str, password: str) -> bool:
        return answer  # type: ignore[return-value]

    with pytest.raises(TypeError, match="must return a bool"):
        basic_auth(unclear)(asking(encoded("a:b")))
