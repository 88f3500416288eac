"""Run the Autobahn test suite against our servers and our clients: python run.py [BACKEND..] [CASE..]

The suite plays the peer: as a fuzzing client against `echo_server`, then as a fuzzing server against
`echo_client`. It is no part of this project. The environment variable WSCORE_AUTOBAHN names a folder with
three programs that bring it along:

- ``setup.sh FOLDER`` installs the suite into an environment, which AUTOBAHN_VENV names from then on;
- ``run-server URL REPORTS [CASE..]`` runs it against a server and leaves ``index.json`` in REPORTS;
- ``run-client COMMAND REPORTS [CASE..]`` does so for a client, which COMMAND starts.

A BACKEND is ``threading``, ``asyncio``, ``uvloop`` or ``selectors``; none: all but uvloop, in turn.
A CASE is ``7.1.5``, ``6.*``, ``fast`` (all but sections 9, 12 and 13; the default) or ``all``. A verdict
other than OK must be listed in expected.json with the reason for it. The exit status is 0 when all is as
expected, 1 when something is not, and 2 when the suite is not there or could not be run.
"""

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
WORK = Path(os.environ.get("TOX_WORK_DIR", ROOT / ".tox"))
AGENT = "wscore"
BAD = {"FAILED", "FAILED BY CLIENT", "UNCLEAN", "WRONG CODE"}  # what the suite's runner fails for
BACKENDS = ("threading", "asyncio", "selectors", "uvloop")
TIMEOUT = 1800  # seconds for one role, all cases

ELSEWHERE = """\
autobahn: there is no suite in {folder}.

WSCORE_AUTOBAHN names the folder that holds setup.sh, run-server and run-client. Without it, run the suite
from its official container image, crossbario/autobahn-testsuite.

Our server (the suite is the fuzzing client):

    python tests/autobahn/echo_server.py 9001
    mkdir -p reports && cat > reports/fuzzingclient.json <<'END'
    {{"outdir": "/reports/server", "cases": ["*"],
      "servers": [{{"agent": "wscore", "url": "ws://127.0.0.1:9001"}}]}}
    END
    docker run --rm --network host -v "$PWD/reports:/reports" crossbario/autobahn-testsuite \\
        wstest -m fuzzingclient -s /reports/fuzzingclient.json

Our client (the suite is the fuzzing server):

    mkdir -p reports && cat > reports/fuzzingserver.json <<'END'
    {{"url": "ws://127.0.0.1:9002", "outdir": "/reports/client", "cases": ["*"]}}
    END
    docker run --rm --network host -v "$PWD/reports:/reports" crossbario/autobahn-testsuite \\
        wstest -m fuzzingserver -s /reports/fuzzingserver.json
    python tests/autobahn/echo_client.py ws://127.0.0.1:9002 wscore

Then open reports/server/index.html and reports/client/index.html.
"""


class Expectations:
    """What expected.json says about one role: which verdicts other than OK are right, and why.

    The file maps "both", "server" and "client" to lists of {"cases": [..], "verdict": .., "reason": ..}.
    """

    def __init__(self, role: str, document: Mapping[str, list[dict[str, object]]]) -> None:
        self._verdicts: dict[str, set[str]] = {}
        for entry in [*document.get("both", []), *document.get(role, [])]:
            cases, verdict, reason = entry["cases"], entry["verdict"], entry["reason"]
            assert isinstance(cases, list), "cases is a list of case names"
            assert isinstance(verdict, str), "a verdict is a word of the suite"
            assert reason, "every exception has a reason"
            for case in cases:
                self._verdicts.setdefault(case, set()).add(verdict)

    def failures(self) -> list[str]:
        """Name the cases that are expected to fail: the suite's own runner must let them pass."""
        return [case for case, verdicts in self._verdicts.items() if verdicts & BAD]

    def allows(self, case: str, verdict: str) -> bool:
        """Tell whether this verdict is all right for this case."""
        if verdict == "OK":
            return True
        section = case.split(".")
        patterns = [case, *(".".join([*section[:depth], "*"]) for depth in range(1, len(section)))]
        return any(verdict in self._verdicts.get(pattern, ()) for pattern in patterns)


def judge(expected: Expectations, reports: Path) -> list[str]:
    """Compare the verdicts in a folder of reports with what is expected; return the differences."""
    try:
        index = json.loads((reports / "index.json").read_text("utf-8"))
    except (OSError, ValueError):
        return ["the suite left no report"]
    differences: list[str] = []
    for case, result in sorted(index.get(AGENT, {}).items()):
        verdicts = {"behaviour": result["behavior"], "close behaviour": result["behaviorClose"]}
        if verdicts["behaviour"] == "UNIMPLEMENTED":  # the case did not begin: how it closed says nothing
            del verdicts["close behaviour"]
        differences += [
            f"case {case}: {what} is {verdict}"
            for what, verdict in verdicts.items()
            if not expected.allows(case, verdict)
        ]
    return differences


@contextmanager
def echo_server(backend: str) -> Iterator[str]:
    """Run the echo server of a backend on a free port; give its address."""
    command = [sys.executable, str(HERE / "echo_server.py"), "0", backend]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None, "a pipe was asked for"
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


def run_role(suite: Path, role: str, backend: str, peer: str, cases: list[str]) -> list[str]:
    """Run one role's cases against a peer (an address, or a command); return what is not as expected."""
    path = HERE / "expected.json"
    expected = Expectations(role, json.loads(path.read_text("utf-8")) if path.exists() else {})
    reports = WORK / "autobahn-reports" / backend / role
    options = ["--agent", AGENT, "--timeout", str(TIMEOUT)]
    options += [word for case in expected.failures() for word in ("--allow", case)]
    command = [str(suite / f"run-{role}"), peer, str(reports), *cases, *options]
    environment = os.environ | {"AUTOBAHN_VENV": str(WORK / "autobahn-suite")}
    status = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, check=False).returncode
    differences = judge(expected, reports)
    if status:
        differences.append(f"run-{role} exited with {status}")
    return [f"{backend}, {role}: {difference}" for difference in differences]


def run_backend(suite: Path, backend: str, cases: list[str]) -> list[str]:
    """Run both roles of a backend; return what is not as expected."""
    with echo_server(backend) as address:
        differences = run_role(suite, "server", backend, address, cases)
    client = shlex.join([sys.executable, str(HERE / "echo_client.py")]) + " {url} {agent} " + backend
    return differences + run_role(suite, "client", backend, client, cases)


def main(arguments: list[str]) -> int:
    """Set the suite up, run both roles of each backend, say what is not as expected."""
    backends = [word for word in arguments if word in BACKENDS] or [*BACKENDS[:-1]]
    cases = [word for word in arguments if word not in BACKENDS] or ["fast"]
    suite = Path(os.environ.get("WSCORE_AUTOBAHN") or ROOT.parent / "shared" / "autobahn").resolve()
    if not (suite / "setup.sh").is_file():
        print(ELSEWHERE.format(folder=suite))
        return 2
    if subprocess.run([suite / "setup.sh", WORK / "autobahn-suite"], check=False).returncode:
        print("autobahn: the suite could not be set up", file=sys.stderr)
        return 2
    differences = [difference for backend in backends for difference in run_backend(suite, backend, cases)]
    for difference in differences:
        print(f"NOT AS EXPECTED: {difference}")
    print("autobahn:", f"{len(differences)} differences" if differences else "all as expected")
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
