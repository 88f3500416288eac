"""The modes in which a session groups what it sends: a closed set, with names for a command line."""

import pytest

import wscore
from support.build import only_pure
from wscore._batch import BatchMode


def test_the_modes_are_those_of_the_design_and_no_others() -> None:
    assert {mode.name: mode.value for mode in BatchMode} == {"AUTO": "auto", "OFF": "off", "ON": "on"}


def test_each_mode_is_found_by_its_value() -> None:
    for mode in BatchMode:
        assert BatchMode(mode.value) is mode


@only_pure("native code has no docstrings")
@pytest.mark.parametrize("mode", list(BatchMode))
def test_each_mode_is_described(mode: BatchMode) -> None:
    assert f"{mode.name}: " in (BatchMode.__doc__ or "")


def test_the_modes_are_public() -> None:
    assert wscore.BatchMode is BatchMode
