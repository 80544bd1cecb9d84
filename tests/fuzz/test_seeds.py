"""Everything that fuzzing started from or once found, read again: only our own errors may come out."""

from pathlib import Path

import pytest

from tests.fuzz import hdf5
from tests.fuzz.checksums import mended
from tests.fuzz.targets import TARGETS, kept_inputs


@pytest.mark.parametrize("name", TARGETS)
def test_seeds_are_read_or_refused(name: str, tmp_path: Path) -> None:
    assert kept_inputs(name)
    for data in (*TARGETS[name].starts(), *kept_inputs(name)):
        TARGETS[name].run(data, tmp_path)


def test_checksums_are_put_right_as_hdf5_makes_them() -> None:
    for data in hdf5.bases():
        assert mended(data) == data
        place = data.find(b"OHDR")
        if place >= 0:
            damaged = bytearray(data)
            damaged[place + 9] ^= 1  # a time, which nothing depends on
            assert mended(bytes(damaged)) != bytes(damaged)
