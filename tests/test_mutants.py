"""Each seeded fault still has its place in the code, and the tests that should find it."""

from __future__ import annotations

import pytest

from tests.mutants.faults import Fault, code_of, load

FAULTS, CODE = load(), code_of()


def test_faults_have_names_of_their_own() -> None:
    assert len({fault.id for fault in FAULTS}) == len(FAULTS) >= 40


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.id)
def test_a_fault_has_one_place_and_its_tests(fault: Fault) -> None:
    """After a change of the code or of tests, change `tests/mutants/faults.toml` with it."""
    places = [str(path) for path, _ in fault.places(CODE)]

    assert len(places) == 1, f"{fault.find!r} is in {places}"
    assert not fault.pattern.search(fault.instead)
    assert fault.missing_tests() == []
