"""`turnabout fit-miner`: the weights it writes are those of a miner, and test people are left out."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from tests.source_tree import ROOT
from turnabout.cli import main
from turnabout.core import schemas
from turnabout.core.io import read_json, write_frame
from turnabout.feedback.miners import reaction_features
from turnabout.feedback.miners.learned import load_weights


@pytest.mark.slow
def test_labels_become_weights_that_the_miner_loads(
    tmp_path: Path,
    messages: Callable[..., pl.DataFrame],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(reaction_features, "encode_sentences", lambda texts: np.zeros((len(texts), 384)))
    (tmp_path / "dvc.yaml").touch()
    shutil.copy(ROOT / "params.yaml", tmp_path)
    names = [f"c{i:02}" for i in range(41)]
    log, splits, labels = [], [], []
    for i, name in enumerate(names):
        follow_up = f"rubbish number {i}" if i % 2 else f"fine number {i}"
        log.append(messages(name, f"question {i}", f"answer {i}", follow_up, user=f"u{i}"))
        splits.append((name, f"u{i}", "test" if i == 40 else "train"))
        labels.append(f"{name},1,{'dsat' if i % 2 else 'none'},,ann")
    write_frame(pl.concat(log), tmp_path / "data" / "messages" / "part-00.parquet", schemas.MESSAGES)
    write_frame(pl.DataFrame(splits, schemas.SPLITS, orient="row"), tmp_path / "data/splits.parquet", schemas.SPLITS)
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels" / "feedback.csv").write_text(
        "\n".join(["conversation_id,reply_index,label,category,annotator", *labels])
    )
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        main(["fit-miner"])
    assert ended.value.code == 0
    figures = read_json(tmp_path / "metrics" / "fit_miner.json")
    assert (figures["n_examples"], figures["n_reactions"], figures["auc"]) == (40, 20, 1.0)
    assert "complaint" in load_weights(str(tmp_path / "labels" / "miner.safetensors")).categories
    assert "{miner: learned, weights: labels/miner.safetensors}" in capsys.readouterr().out
