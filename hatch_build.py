"""The compiled build: mypyc over the core's hot modules and one C file, where that is possible.

The same sources make two builds, and nothing but speed tells them apart. A wheel is compiled when CPython
builds it and a C compiler is there; otherwise it is pure Python, and one line says why. ``WSCORE_PURE=1``
asks for pure Python, ``WSCORE_COMPILED=1`` makes it an error when compiling is not possible. Editable
installs are always pure, or edits would have no effect.

Sources are copied to a temporary folder and compiled there, in a process of its own, so no extension module
ever lies in the source tree, where it would hide the module beside it.
"""

import os
import platform
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

REQUIREMENTS = ["mypy>=2.4,<2.5", "setuptools>=80"]

# What runs for every frame, every read or every write. Dataclasses stay interpreted, and so does the table
# `_violations`, whose members have attributes of their own; neither is at work while all goes well. Sessions
# stay so, too: native objects take no weak references. And so does what has generators or coroutines: native
# ones pass exceptions on in a way that Python 3.12 and later warn of. `wscore_selectors/_signals`
# is there to be interpreted.
COMPILED = (
    "wscore/_batch.py",
    "wscore/_client_handshake.py",
    "wscore/_codes.py",
    "wscore/_connection.py",
    "wscore/_decoding.py",
    "wscore/_delivery.py",
    "wscore/_ending.py",
    "wscore/_entropy.py",
    "wscore/_flood.py",
    "wscore/_frames.py",
    "wscore/_grammar.py",
    "wscore/_handshake.py",
    "wscore/_head.py",
    "wscore/_inbox.py",
    "wscore/_keepalive.py",
    "wscore/_lifecycle.py",
    "wscore/_mask.py",
    "wscore/_messages.py",
    "wscore/_opening.py",
    "wscore/_origin.py",
    "wscore/_outbox.py",
    "wscore/_prepared.py",
    "wscore/_receiver.py",
    "wscore/_sender.py",
    "wscore/_server_handshake.py",
    "wscore/_stats.py",
    "wscore/_timers.py",
    "wscore/_utf8.py",
    "wscore/_watch.py",
    "wscore_asyncio/_link.py",
    "wscore_selectors/_link.py",
    "wscore_selectors/_loop.py",
    "wscore_selectors/_reactor.py",
    "wscore_selectors/_timers.py",
)
GROUP = "wscore._compiled"  # the one library that all of these share
MASK = "wscore._xor"  # the C file's module


class CompiledBuild(BuildHookInterface[Any]):
    """Adds extension modules to the wheel."""

    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        """Ask for a compiler's front end only where it will be used."""
        return [] if why_pure() else REQUIREMENTS

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, and say what became of it."""
        if version == "editable" or self.target_name != "wheel":
            return
        reason = why_pure()
        if not reason:
            self._folder = Path(tempfile.mkdtemp(prefix="wscore-"))
            reason = compile_into(self._folder, Path(self.root))
        if not reason:
            built = [path for path in self._folder.glob("wscore*/*") if path.suffix in (".so", ".pyd")]
            build_data["force_include"] |= {
                str(path): path.relative_to(self._folder).as_posix() for path in built
            }
            build_data["pure_python"] = False
            build_data["infer_tag"] = True
            return
        if os.environ.get("WSCORE_COMPILED") == "1":
            raise RuntimeError(f"wscore cannot be compiled: {reason}")
        self.app.display_warning(f"wscore is built in pure Python: {reason}")

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove what is in the wheel by now."""
        if hasattr(self, "_folder"):
            shutil.rmtree(self._folder, ignore_errors=True)


def why_pure() -> str:
    """Return why nothing will be compiled; "" if it will."""
    if os.environ.get("WSCORE_PURE") == "1":
        return "WSCORE_PURE=1 asks for it"
    if platform.python_implementation() != "CPython":
        return "this is not CPython"
    if sys.platform != "win32" and shutil.which((sysconfig.get_config_var("CC") or "cc").split()[0]) is None:
        return "there is no C compiler"
    if not (Path(sysconfig.get_path("include")) / "Python.h").exists():
        return "the headers of Python are not installed"
    return ""


def compile_into(folder: Path, root: Path) -> str:
    """Compile a copy of the sources in folder; return what went wrong, "" if nothing did."""
    for package in [root / "wscore", *(root / "backends").glob("wscore_*")]:
        shutil.copytree(package, folder / package.name, ignore=shutil.ignore_patterns("__pycache__"))
    command = [sys.executable, str(Path(__file__).resolve())]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return ""
    return f"the compiler failed: {(done.stderr or done.stdout).strip()[-2000:]}"


def main() -> None:
    """Compile the copy in the working directory, in place."""
    from mypyc.build import mypycify
    from setuptools import Extension, setup

    optimised = ["/O2"] if sys.platform == "win32" else ["-O3", "-fno-math-errno"]
    modules = mypycify(
        ["--ignore-missing-imports", "--follow-imports=silent", *COMPILED],
        group_name=GROUP,
        opt_level="3",
    )
    xor = Extension(MASK, ["wscore/_xor.c"], extra_compile_args=optimised)
    setup(name="wscore", packages=[], ext_modules=[*modules, xor], script_args=["build_ext", "--inplace"])


if __name__ == "__main__":
    main()
