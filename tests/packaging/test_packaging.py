"""What a user gets: the distributions are built from a copy of the sources and looked at from outside.

The sources are copied first, because a build may leave files behind and must not find any. The wheel is
installed into an environment of its own, and questions are put to that environment's interpreter in
isolated mode, so that nothing of this source tree can answer them.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tomllib
import venv
import zipfile
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path, PurePosixPath

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = {
    "wscore",
    "wscore_asyncio",
    "wscore_cli",
    "wscore_selectors",
    "wscore_sockets",
    "wscore_threading",
    "wscore_tls",
}
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
EXTENSIONS = (".so", ".pyd")
NOT_SOURCES = shutil.ignore_patterns(
    ".git", ".tox", "*venv", "dist", "__pycache__", ".*_cache", ".hypothesis"
)


@dataclass(frozen=True)
class Distributions:
    """The two files that a release consists of."""

    sdist: Path
    wheel: Path


def run(program: str | Path, *arguments: str | Path, cwd: Path, **settings: str) -> str:
    """Run a program in cwd, with settings in its environment; return its output, or fail with all it said."""
    command = [str(program), *map(str, arguments)]
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "WSCORE"))}
    clean |= settings
    done = subprocess.run(
        command, cwd=cwd, env=clean, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, f"{command} exited with {done.returncode}:\n{done.stdout}\n{done.stderr}"
    return done.stdout


def contents(wheel: Path) -> dict[str, str]:
    """Return the digest of every file in a wheel that was not compiled, by name."""
    with zipfile.ZipFile(wheel) as archive:
        return {
            name: hashlib.sha256(archive.read(name)).hexdigest()
            for name in archive.namelist()
            if not name.endswith((*EXTENSIONS, "/RECORD", "/WHEEL"))
        }


def compiled(wheel: Path) -> set[str]:
    """Return the names of the modules in a wheel that were compiled."""
    with zipfile.ZipFile(wheel) as archive:
        return {name.partition(".")[0] for name in archive.namelist() if name.endswith(EXTENSIONS)}


@pytest.fixture(scope="module")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> Distributions:
    """Build both distributions from a copy of the sources, each from the tree itself."""
    folder = tmp_path_factory.mktemp("build")
    shutil.copytree(ROOT, folder / "sources", ignore=NOT_SOURCES)
    dist, sources = folder / "dist", folder / "sources"
    run(sys.executable, "-m", "build", "--sdist", "--wheel", "--outdir", dist, ".", cwd=sources)
    (sdist,) = dist.glob("*.tar.gz")
    (wheel,) = dist.glob("*.whl")
    return Distributions(sdist, wheel)


@pytest.fixture(scope="module")
def unpacked(distributions: Distributions, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Unpack the source distribution; return its one folder."""
    folder = tmp_path_factory.mktemp("sdist")
    with tarfile.open(distributions.sdist) as archive:
        archive.extractall(folder, filter="data")
    return folder / f"python_wscore-{VERSION}"


@pytest.fixture(scope="module")
def environment(distributions: Distributions, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the wheel, and what it requires, into a new environment; return its folder of programs."""
    folder = tmp_path_factory.mktemp("installed")
    venv.create(folder, with_pip=True)
    programs = folder / ("Scripts" if sys.platform == "win32" else "bin")
    pip = ["-m", "pip", "--disable-pip-version-check", "--no-input"]
    run(programs / "python", *pip, "install", distributions.wheel, cwd=folder)
    return programs


def ask(environment: Path, code: str) -> str:
    """Run code with the environment's interpreter, away from any source tree; return what it prints."""
    return run(environment / "python", "-I", "-W", "error", "-c", code, cwd=environment)


def test_the_wheel_holds_the_packages_and_nothing_else(distributions: Distributions) -> None:
    names = {PurePosixPath(name).parts[0] for name in contents(distributions.wheel)}
    assert names == PACKAGES | {f"python_wscore-{VERSION}.dist-info"}


@pytest.mark.parametrize("package", sorted(PACKAGES))
def test_each_package_says_that_it_is_typed(distributions: Distributions, package: str) -> None:
    assert f"{package}/py.typed" in contents(distributions.wheel)


def test_the_wheel_holds_every_file_of_the_packages(distributions: Distributions) -> None:
    roots = [ROOT, ROOT / "backends"]
    expected = {
        path.relative_to(root).as_posix()
        for root in roots
        for package in PACKAGES
        for path in (root / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    packed = {name for name in contents(distributions.wheel) if not name.startswith("python_wscore-")}
    assert packed == expected
    assert any(name.endswith(".html") for name in packed), "the page of the command line is missing"


def test_the_licence_travels_with_both(distributions: Distributions, unpacked: Path) -> None:
    assert f"python_wscore-{VERSION}.dist-info/licenses/LICENSE" in contents(distributions.wheel)
    assert (unpacked / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()


def test_every_package_can_be_imported(environment: Path) -> None:
    names = sorted(PACKAGES)
    assert ask(environment, f"import {', '.join(names)}; print('imported')").strip() == "imported"


def test_the_second_source_root_is_not_a_package(environment: Path) -> None:
    code = "try:\n import backends\nexcept ModuleNotFoundError as error:\n print(error.name)"
    assert ask(environment, code).strip() == "backends"


def test_h11_is_all_that_is_installed_besides(environment: Path) -> None:
    code = "from importlib.metadata import distributions; print(*sorted(d.name for d in distributions()))"
    assert set(ask(environment, code).split()) - {"pip", "setuptools", "wheel"} == {"h11", "python-wscore"}


@pytest.mark.parametrize("command", [["wscore"], ["python", "-I", "-m", "wscore_cli"]])
def test_the_command_tells_its_version(environment: Path, command: list[str]) -> None:
    printed = run(environment / command[0], *command[1:], "--version", cwd=environment)
    assert VERSION in printed.split()


def test_the_source_distribution_brings_its_tests_and_documentation(unpacked: Path) -> None:
    for part in ("docs/index.md", "README.md", "CHANGELOG.md", "LICENSE", "tox.ini"):
        assert (unpacked / part).read_bytes() == (ROOT / part).read_bytes()
    tests = {path.relative_to(ROOT).as_posix() for path in (ROOT / "tests").rglob("*.py")}
    assert tests == {path.relative_to(unpacked).as_posix() for path in (unpacked / "tests").rglob("*.py")}


def test_the_source_distribution_builds_the_same_wheel(
    distributions: Distributions, unpacked: Path, tmp_path: Path
) -> None:
    run(sys.executable, "-m", "build", "--wheel", "--outdir", tmp_path, ".", cwd=unpacked)
    (wheel,) = tmp_path.glob("*.whl")
    assert contents(wheel) == contents(distributions.wheel)


# The two builds.


def build(sources: Path, folder: Path, **settings: str) -> Path:
    """Build a wheel."""
    run(sys.executable, "-m", "build", "--wheel", "--outdir", folder, ".", cwd=sources, **settings)
    (wheel,) = folder.glob("*.whl")
    return wheel


def test_where_there_is_a_compiler_the_core_is_compiled(distributions: Distributions) -> None:
    names = compiled(distributions.wheel)
    assert {"wscore/_connection", "wscore/_frames", "wscore/_xor", "wscore_asyncio/_link"} <= names
    assert all(name.split("/")[0] in PACKAGES for name in names)
    assert not distributions.wheel.name.endswith("-none-any.whl")


def test_the_command_says_that_it_is_compiled(environment: Path) -> None:
    assert run(environment / "wscore", "--version", cwd=environment).strip().endswith("(compiled)")


@pytest.mark.parametrize(
    "settings", [{"PATH": "/nowhere"}, {"WSCORE_PURE": "1"}], ids=["no compiler", "asked"]
)
def test_otherwise_it_is_pure_python_and_says_so(
    unpacked: Path, tmp_path: Path, settings: dict[str, str]
) -> None:
    wheel = build(unpacked, tmp_path, **settings)
    assert wheel.name.endswith("-py3-none-any.whl") and not compiled(wheel)
    code = "import sys; sys.path.insert(0, sys.argv[1]); import wscore; print(wscore.BUILD)"
    h11 = Path(find_spec("h11").origin).parents[1]  # type: ignore[union-attr,arg-type]
    printed = run(
        sys.executable, "-I", "-c", f"import sys; sys.path.append({str(h11)!r}); {code}", wheel, cwd=tmp_path
    )
    assert printed.strip() == "pure Python"


def test_where_compiling_is_a_must_its_absence_is_an_error(unpacked: Path, tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="there is no C compiler"):
        build(unpacked, tmp_path, PATH="/nowhere", WSCORE_COMPILED="1")
