"""Make mutants: small mistakes, one at a time, that a good test notices.

What functions do is changed as mutmut changes it. Of that tool only the operators are used: its own runs take
many times as long, and it leaves out every method with a decorator, which here are the overriding ones. What
it never touches is changed by rules of our own: a constant of a module becomes a little more or less, and of
a table each entry is dropped, each leads to every other member of its enum, and each missing one is added.

A mutant is never written to a file: `Mutant.install` changes the running program, in a process that is made
for it and ends with it. A function keeps its identity and gets other code, so it does not matter who has
imported it before.
"""

import ast
import difflib
import inspect
import re
from collections.abc import Callable, Iterator
from contextlib import chdir
from dataclasses import dataclass
from enum import Enum
from importlib import import_module
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FunctionType, ModuleType
from typing import Any

_DECORATOR = re.compile(r"^( +)@(override|property)$", re.MULTILINE)
_HIDDEN = re.compile(r"^( +)# hidden: @(override|property)$", re.MULTILINE)
_CODEC = re.compile(r"utf-8", re.IGNORECASE)  # in capitals it names the same codec: no mutant
_COMMENT = re.compile(r" {2}# .*$")
_SETTINGS = '[tool.mutmut]\nsource_paths = ["."]\n'


@dataclass(frozen=True, slots=True)
class Mutant:
    """One mistake."""

    module: str
    place: str  # the function or the constant that has it
    change: tuple[str, ...]  # the lines that differ, as in a diff
    install: Callable[[], None]
    render: Callable[[], str] | None = None  # the whole module as it would be; of functions alone


@dataclass(frozen=True, slots=True)
class Function:
    """A function as it stands in its module, without decorators."""

    place: str
    source: str
    mutated: dict[str, Callable[[], str]]  # the source of each mutant, and what renders the whole module


def make_mutants(name: str) -> tuple[list[Mutant], dict[str, Callable[[], None]]]:
    """Make the mutants of a module of wscore.

    Returns:
        The mutants, and for each place that is a function what makes it tell when it is called: it adds its
        place to the set `REACHED` then.
    """
    module = import_module(f"wscore.{name}")
    mutants: list[Mutant] = []
    probes: dict[str, Callable[[], None]] = {}
    for function in _mutate_functions(Path(str(module.__file__))):
        target = _find(module, function.place)
        for source, render in function.mutated.items():
            change = _difference(function.source, source)
            mutants.append(Mutant(name, function.place, change, _Replacement(target, source), render))
        probes[function.place] = _Replacement(target, _with_probe(function))
    for place, change, install in _mutate_constants(module):
        mutants.append(Mutant(name, place, change, install))
    return mutants, probes


# Functions.

REACHED: set[str] = set()


@dataclass(frozen=True, slots=True)
class _Replacement:
    """Gives a function the code of another source."""

    target: FunctionType
    source: str

    def __call__(self) -> None:
        names = self.target.__globals__ | {"__reached__": REACHED}
        made: dict[str, Any] = {}
        exec(compile(self.source, "<mutant>", "exec"), names, made)
        function = made[self.target.__name__]
        self.target.__globals__.setdefault("__reached__", REACHED)
        self.target.__code__ = function.__code__
        self.target.__defaults__ = function.__defaults__
        self.target.__kwdefaults__ = function.__kwdefaults__


def _with_probe(function: Function) -> str:
    """Return the source with a first statement that tells of the call."""
    tree = ast.parse(function.source)
    definition = tree.body[0]
    assert isinstance(definition, ast.FunctionDef)
    definition.body[:0] = ast.parse(f"__reached__.add({function.place!r})").body
    return ast.unparse(tree)


def _find(module: ModuleType, place: str) -> FunctionType:
    """Return the function at a place, also that of a property."""
    found: Any = module
    for part in place.split("."):
        found = inspect.getattr_static(found, part)
    if isinstance(found, property):
        found = found.fget
    assert isinstance(found, FunctionType), place
    return found


def _mutate_functions(file: Path) -> Iterator[Function]:
    """Let mutmut's operators loose on each function of a file."""
    tools: Any = import_module("mutmut.mutation.file_mutation")
    text = _DECORATOR.sub(r"\1# hidden: @\2", file.read_text("utf-8"))
    with TemporaryDirectory() as folder, chdir(folder):
        Path("pyproject.toml").write_text(_SETTINGS, "utf-8")
        tree, mutations, *_ = tools.create_mutations(file.name, text)
    by_function = tools.group_by_top_level_node(mutations)
    for place, node in _walk_functions(tree):
        source = tree.code_for_node(node)
        seen = {_CODEC.sub("utf-8", source)}
        function = Function(place, source.lstrip("\n"), {})
        for mutation in by_function.get(node, ()):
            mutated = tools.deep_replace(node, mutation.original_node, mutation.mutated_node)
            other = tree.code_for_node(mutated)
            if _CODEC.sub("utf-8", other) not in seen:
                seen.add(other)
                function.mutated[other.lstrip("\n")] = _Rendering(tools.deep_replace, tree, node, mutated)
        if function.mutated:
            yield function


@dataclass(frozen=True, slots=True)
class _Rendering:
    """Gives the whole module with one function replaced."""

    replace: Any
    tree: Any
    old: Any
    new: Any

    def __call__(self) -> str:
        return _HIDDEN.sub(r"\1@\2", self.replace(self.tree, self.old, self.new).code)


def _walk_functions(tree: Any) -> Iterator[tuple[str, Any]]:
    """Yield the functions of a parsed module and the methods of its classes."""
    for node in tree.body:
        if type(node).__name__ == "FunctionDef":
            yield node.name.value, node
        elif type(node).__name__ == "ClassDef":
            for child in node.body.body:
                if type(child).__name__ == "FunctionDef":
                    yield f"{node.name.value}.{child.name.value}", child


def _difference(old: str, new: str) -> tuple[str, ...]:
    """Return the lines that differ, each with its sign, without indentation and comments."""
    lines = list(difflib.unified_diff(old.splitlines(), new.splitlines(), n=0, lineterm=""))[2:]
    bare = (_COMMENT.sub("", line) for line in lines if not line.startswith("@@"))
    return tuple(f"{line[0]} {line[1:].strip()}" for line in bare)


# Constants and tables.

Change = tuple[str, tuple[str, ...], Callable[[], None]]


def _mutate_constants(module: ModuleType) -> Iterator[Change]:
    for statement in ast.parse(Path(str(module.__file__)).read_text("utf-8")).body:
        if not isinstance(statement, ast.AnnAssign) or not isinstance(statement.target, ast.Name):
            continue
        name = statement.target.id
        value = getattr(module, name)
        if isinstance(value, dict):
            yield from _mutate_table(name, value)
        else:
            for other in _other_values(value):
                yield name, (f"- {value!r}", f"+ {other!r}"), _Rebinding(module, name, other)


@dataclass(frozen=True, slots=True)
class _Rebinding:
    """Gives a constant of a module another value; those who have imported it keep the old one."""

    module: ModuleType
    name: str
    value: object

    def __call__(self) -> None:
        setattr(self.module, self.name, self.value)


def _other_values(value: object) -> list[object]:
    match value:
        case int():
            return [value - 1, value + 1]
        case str():
            return [value + "x"]
        case bytes():
            return [value + b"\x00", value[1:]]
        case tuple():
            return [value[:place] + value[place + 1 :] for place in range(len(value))]
        case re.Pattern():
            parts = value.pattern.split("|")
            return [re.compile("|".join(parts[:place] + parts[place + 1 :])) for place in range(len(parts))]
        case _:
            return []


def _mutate_table(name: str, table: dict[Any, Any]) -> Iterator[Change]:
    members = {member for value in table.values() if isinstance(value, Enum) for member in type(value)}
    for key, value in table.items():
        yield name, (f"- {key}: {value}",), _Removal(table, key)
        for other in sorted(members - {value}, key=str):
            yield name, (f"- {key}: {value}", f"+ {key}: {other}"), _Entry(table, key, other)
    for key in _missing_keys(table):
        for other in sorted(members, key=str):
            yield name, (f"+ {key}: {other}",), _Entry(table, key, other)


def _missing_keys(table: dict[Any, Any]) -> list[Any]:
    """Return what could be a key and is none, where the keys are tuples of members of enums."""
    key = next(iter(table))
    if not isinstance(key, tuple) or not all(isinstance(part, Enum) for part in key):
        return []
    enums: list[list[Enum]] = [list(part.__class__) for part in key]
    return [other for other in product(*enums) if other not in table]


@dataclass(frozen=True, slots=True)
class _Removal:
    table: dict[Any, Any]
    key: Any

    def __call__(self) -> None:
        del self.table[self.key]


@dataclass(frozen=True, slots=True)
class _Entry:
    table: dict[Any, Any]
    key: Any
    value: Any

    def __call__(self) -> None:
        self.table[self.key] = self.value
