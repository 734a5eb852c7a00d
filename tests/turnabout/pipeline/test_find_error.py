"""The error of a stage in the end of its log."""

import pytest

from turnabout.pipeline.repro import find_error

DVC = "ERROR: failed to reproduce 'ingest': failed to run: python -m stages.ingest, exited with 1"
HEAD = "stage ingest ended with status 255; the end of its log:\nRunning stage 'ingest':\n> python -m stages.ingest\n"


@pytest.mark.parametrize(
    ("log", "error"),
    [
        (f"{HEAD}DataError: no log\n{DVC}", "DataError: no log"),
        (
            f"{HEAD}DataError: rejected:\n2 × broken\nand 3 others\n{DVC}",
            "DataError: rejected:\n2 × broken\nand 3 others",
        ),
        (f"{HEAD}BudgetExceeded: spent\n{DVC}", "BudgetExceeded: spent"),
        (f"{HEAD}KeyError: 'a'\nDuring handling:\ntorch.OutOfMemoryError: full\n{DVC}", "torch.OutOfMemoryError: full"),
        (f"{HEAD}no such luck\n{DVC}", "no such luck"),
        (
            f"{HEAD}ERROR: failed to reproduce 'a': output 'b' does not exist",
            "failed to reproduce 'a': output 'b' does not exist",
        ),
        ("the run was cancelled", "the run was cancelled"),
    ],
)
def test_find_error_returns_the_error_without_what_dvc_adds(log: str, error: str) -> None:
    assert find_error(log) == error
