"""Tests of loading models by name."""

from pathlib import Path

import pytest

from turnabout.errors import ModelError
from turnabout.models.loading import open_model, open_user


def test_folder_is_opened_under_its_name(user_folder: Path) -> None:
    opened = open_user(str(user_folder))
    assert opened.name == "user"


def test_open_user_refuses_a_model_that_cannot_end(tiny_checkpoint: Path) -> None:
    with pytest.raises(ModelError, match=r"is no user model: .* name a folder that stage train_user wrote"):
        open_user(str(tiny_checkpoint))


def test_missing_folder_names_the_stage_to_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelError, match=r"models/user: neither .* run the stage that writes it"):
        open_model("models/user")


def test_unknown_name_lists_the_embedded_names() -> None:
    with pytest.raises(ModelError, match=r"^'no/such-model' is neither an embedded name \["):
        open_model("no/such-model")
