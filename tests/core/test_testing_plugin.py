"""The fixtures for pytest, as a project sees them that uses the plugin."""

from textwrap import dedent

import pytest

pytest_plugins = ["pytester"]

# Where the package is installed pytest has found the plugin already, under the name of its entry point.
PLUGIN = ("-p", "no:wscore", "-p", "wscore.testing.plugin", "-p", "no:cacheprovider")


def run(pytester: pytest.Pytester, code: str, **outcomes: int) -> pytest.RunResult:
    """Run a test module of code; it must have these outcomes."""
    pytester.makepyfile(dedent(code))
    result = pytester.runpytest_inprocess(*PLUGIN)
    result.assert_outcomes(**outcomes)
    return result


def test_pairs_are_open_and_share_the_clock_of_the_test(pytester: pytest.Pytester) -> None:
    run(
        pytester,
        """
        from wscore import Config, State

        def test_it(ws_pair, virtual_clock):
            near, far = ws_pair(), ws_pair(Config(agent="far"), Config(agent="side"), latency=1.0)
            assert near.clock is far.clock is virtual_clock
            assert virtual_clock.now == 2.0
            assert near.client.state is near.server.state is far.client.state is State.OPEN
            assert b"User-Agent: far" in far.client_wire and b"Server: side" in far.server_wire
            far.client.send_text("hello")
            near.advance(0.99)
            assert far.server_events[-1] != "hello"
            near.advance(0.01)
            assert far.server_events[-1] == "hello"

        def test_each_test_has_its_own_clock(virtual_clock):
            assert virtual_clock.now == 0.0
        """,
        passed=2,
    )


def test_a_pair_takes_all_that_a_request_and_a_link_take(pytester: pytest.Pytester) -> None:
    run(
        pytester,
        """
        def test_it(ws_pair):
            pair = ws_pair(
                url="ws://localhost/chat", headers={"X-A": "b"}, subprotocols=["c"], half_close=False,
                latency=0.1, jitter=0.2, split=(1, 3), bandwidth=1e6, capacity=1000, seed=5,
            )
            assert pair.server.request.target == "/chat"
            assert pair.server.request.headers["x-a"] == "b"
            assert pair.client.subprotocol == "c"
            for link in (pair.to_server, pair.to_client):
                assert (link.latency, link.jitter, link.split) == (0.1, 0.2, (1, 3))
                assert (link.bandwidth, link.capacity) == (1e6, 1000)
        """,
        passed=1,
    )


def test_a_pair_that_does_not_open_fails_the_test_and_says_why(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
        from wscore import Config, Limits

        def test_it(ws_pair):
            ws_pair(server=Config(limits=Limits(max_headers=1)))
        """,
        failed=1,
    )
    result.stdout.fnmatch_lines(["*AssertionError: the pair did not open: the client is *TOO_MANY_HEADERS*"])
