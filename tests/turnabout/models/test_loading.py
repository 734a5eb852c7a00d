"""Models by name: folders, what is no user model, and what does not exist."""

from pathlib import Path

import pytest

from turnabout.errors import ModelError
from turnabout.models.loading import open_model, open_user


def test_a_folder_opens_under_its_name(user_folder: Path) -> None:
    opened = open_user(str(user_folder))
    assert opened.name == "user"


def test_a_model_that_cannot_leave_is_no_user_model(tiny_checkpoint: Path) -> None:
    with pytest.raises(ModelError, match=r"is no user model: .* name a folder that stage train_user wrote"):
        open_user(str(tiny_checkpoint))


def test_a_stage_that_has_not_run_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelError, match=r"models/user: neither .* run the stage that writes it"):
        open_model("models/user")


def test_an_unknown_name_is_told_without_the_stage_that_would_pin_it() -> None:
    with pytest.raises(ModelError, match=r"^'no/such-model' is no embedded name \["):
        open_model("no/such-model")
