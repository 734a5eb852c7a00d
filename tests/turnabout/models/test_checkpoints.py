"""Tests of checkpoints: names, pinned weights, and missing models."""

import hashlib
import json
import shutil
from pathlib import Path

import pytest

from turnabout.errors import ModelError
from turnabout.models import checkpoints
from turnabout.models.checkpoints import (
    EMBEDDED,
    EmbeddedWeights,
    check_backbone,
    hash_folder,
    load_chat,
    load_checkpoint,
    pin_backbone,
    write_manifest,
)


def test_folder_is_pinned_by_its_hash_and_loads_by_manifest(tiny_checkpoint: Path, tmp_path: Path) -> None:
    manifest = pin_backbone(str(tiny_checkpoint))
    assert (manifest["origin"], len(manifest["sha256"])) == ("folder", 64)
    write_manifest(manifest, tmp_path / "backbone")
    loaded = load_checkpoint(tmp_path / "backbone", "float32")
    assert (loaded.name, loaded.model.config.hidden_size) == (str(tiny_checkpoint), 32)


def test_folder_changed_after_pinning_is_refused(tiny_checkpoint: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(tiny_checkpoint, tmp_path / "copy")
    write_manifest(pin_backbone(str(copy)), tmp_path / "backbone")
    (copy / "generation_config.json").write_text("{}")
    with pytest.raises(ModelError, match="has changed since it was pinned; run `dvc repro --force backbone`"):
        load_checkpoint(tmp_path / "backbone", "float32")


def test_embedded_weights_of_another_hash_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TURNABOUT_CACHE", str(tmp_path))
    pieces = (("turnabout", "__init__.py"), ("turnabout", "errors.py"))
    monkeypatch.setitem(checkpoints.EMBEDDED, "wrong", EmbeddedWeights(pieces, "0" * 64, "none", "make install"))
    joined = b"".join((Path(checkpoints.__file__).parents[1] / file).read_bytes() for _, file in pieces)
    sha256 = hashlib.sha256(joined).hexdigest()
    with pytest.raises(ModelError, match=rf"'wrong': SHA-256 is {sha256}, must be 0{{64}}; reinstall \['turnabout'\]"):
        pin_backbone("wrong")


def test_package_with_weights_is_never_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TURNABOUT_CACHE", str(tmp_path / "cache"))
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "weights_with_a_missing_runtime").mkdir()
    (tmp_path / "weights_with_a_missing_runtime" / "__init__.py").write_text("import no_such_runtime")
    (tmp_path / "weights_with_a_missing_runtime" / "x.gguf").write_bytes(b"GGUF")
    pieces = (("weights_with_a_missing_runtime", "x.gguf"),)
    monkeypatch.setitem(checkpoints.EMBEDDED, "carried", EmbeddedWeights(pieces, "0" * 64, "none", "make install"))
    with pytest.raises(ModelError, match=f"SHA-256 is {hashlib.sha256(b'GGUF').hexdigest()}"):
        pin_backbone("carried")


def test_missing_package_of_weights_names_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TURNABOUT_CACHE", str(tmp_path))
    pieces = (("turnabout", "errors.py"), ("no_such_package", "x.gguf"))
    monkeypatch.setitem(checkpoints.EMBEDDED, "absent", EmbeddedWeights(pieces, "0" * 64, "none", "make something"))
    with pytest.raises(ModelError, match="'no_such_package' is not installed; run `make something`"):
        pin_backbone("absent")


def test_unknown_name_lists_the_embedded_names(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(
        ModelError, match=rf"'no/such-model' is neither an embedded name {sorted(EMBEDDED)}".replace("[", r"\[")
    ):
        pin_backbone("no/such-model")


def test_folder_without_weights_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"holds no \*.safetensors"):
        pin_backbone(str(tmp_path))
    with pytest.raises(ModelError, match="neither a manifest, a checkpoint nor an adapter"):
        load_checkpoint(tmp_path)


def test_hash_folder_depends_on_the_base_of_an_adapter(tmp_path: Path) -> None:
    base, adapter = tmp_path / "base", tmp_path / "adapter"
    for folder, name in ((base, "manifest.json"), (adapter, "adapter.bin")):
        folder.mkdir()
        (folder / name).write_text("{}")
    (adapter / "base.json").write_text(json.dumps({"base": str(base)}))
    before = hash_folder(adapter)
    (base / "manifest.json").write_text('{"sha256": "other"}')
    assert hash_folder(adapter) != before


def test_load_chat_equals_the_chat_format_of_the_model(tiny_checkpoint: Path, tmp_path: Path) -> None:
    (tmp_path / "base.json").write_text(json.dumps({"base": str(tiny_checkpoint)}))
    frames = [
        load_checkpoint(tiny_checkpoint, "float32").chat.frame,
        load_chat(tiny_checkpoint).frame,
        load_chat(tmp_path).frame,
    ]
    assert frames[0] == frames[1] == frames[2]


def test_folder_without_a_tokenizer_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ModelError, match="its tokenizer cannot be loaded"):
        load_chat(tmp_path)


def test_hub_id_is_pinned_by_the_cache_where_the_hub_is_out_of_reach(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # the layout of huggingface_hub: refs/main names the commit of a snapshot
    commit, cache = "0123456789abcdef0123456789abcdef01234567", tmp_path / "models--some--model"
    snapshot = cache / "snapshots" / commit
    snapshot.mkdir(parents=True)
    (snapshot / "config.json").write_text("{}")
    (cache / "refs").mkdir()
    (cache / "refs" / "main").write_text(commit)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    assert pin_backbone("some/model") == {"name": "some/model", "origin": "hub", "revision": commit}
    check_backbone("some/model")
    with pytest.raises(ModelError, match="the Hub gave no answer"):
        check_backbone("some/other")


def test_check_backbone_accepts_unpacked_weights_without_their_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    absent = EMBEDDED["smollm2-135m-instruct"]._replace(pieces=(("no_such_module", "a.gguf"),), sha256="ab" * 32)
    monkeypatch.setitem(EMBEDDED, "absent", absent)
    monkeypatch.setenv("TURNABOUT_CACHE", str(tmp_path))
    with pytest.raises(ModelError, match="the package 'no_such_module' is not installed; run `make install`"):
        check_backbone("absent")
    (tmp_path / "absent-abababababab").mkdir()
    (tmp_path / "absent-abababababab" / "config.json").write_text("{}")
    check_backbone("absent")
