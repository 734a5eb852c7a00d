"""Stage mine: the table and the figures that it writes, labels, and the gate."""

from pathlib import Path

import polars as pl
import pytest
import yaml

from stages.mine import main
from tests.source_tree import ROOT
from turnabout.core import schemas
from turnabout.core.io import read_frame, read_json, write_frame
from turnabout.errors import DataError
from turnabout.generation.scripted import ScriptedGenerator

PARAMS = ROOT / "params.yaml"


@pytest.fixture
def run(tmp_path):
    """`run(messages)` writes the messages, runs the stage and returns feedback and figures."""

    def run(messages: pl.DataFrame):
        write_frame(messages, tmp_path / "messages.parquet", schemas.MESSAGES)
        paths = [tmp_path / name for name in ("messages.parquet", "feedback.parquet", "mine.json")]
        people = messages.filter(role="user").unique("conversation_id")
        splits = people.with_columns(
            split=pl.when(conversation_id="c20").then(pl.lit("test")).otherwise(pl.lit("train"))
        )
        write_frame(splits, tmp_path / "splits.parquet", schemas.SPLITS)
        main(*paths, labels=tmp_path / "labels", splits=tmp_path / "splits.parquet", params=PARAMS)
        return read_frame(tmp_path / "feedback.parquet", schemas.FEEDBACK), read_json(tmp_path / "mine.json")

    return run


def test_complaint_is_mined_with_its_reply_and_evidence(run, messages):
    feedback, figures = run(messages("c1", "Where is it warm?", "In winter.", "That's not what I asked.", "Sorry."))
    assert feedback.select("conversation_id", "reply_index", "evidence_index", "label", "category", "miner").rows() == [
        ("c1", 1, 2, "dsat", "complaint", "ensemble"),
        ("c1", 1, 2, "dsat", "complaint", "rules"),
    ]
    assert (figures["n_exchanges"], figures["share_of_exchanges_with_signal"]) == (2, 0.5)


def test_log_without_feedback_warns_and_writes_an_empty_table(run, messages, capsys):
    feedback, figures = run(messages("c1", "I swim", "I run"))
    assert feedback.is_empty()
    assert figures["warnings"][0].startswith("no feedback found in 1 exchanges")
    assert f"warning: {figures['warnings'][0]}" in capsys.readouterr().err


def test_log_in_a_language_that_no_miner_hears_warns(run, messages, capsys):
    german = [messages(f"d{i}", "Wo ist es warm?", "Im Süden.", "Danke, perfekt!", language="de") for i in range(3)]
    english = messages("e", "Where is it warm?", "In the south.", "Thanks, perfect!", language="en")
    _, figures = run(pl.concat([*german, english]))
    warning = figures["warnings"][0]
    assert warning.startswith(
        "75 % of the conversations are in languages in which no miner of mine.miners finds feedback"
    )
    assert ": de 75 %; add 'rubric' with a multilingual model as mine.generator, or 'learned' with weights" in warning
    assert f"warning: {warning}" in capsys.readouterr().err


def test_same_messages_give_the_same_bytes(run, messages, tmp_path):
    log = pl.concat(messages(name, "swim?", "Lake.", "Thanks!", "Bye", "Perfect.", "?") for name in "ba")
    run(log)
    first = (tmp_path / "feedback.parquet").read_bytes()
    run(log.sample(fraction=1, shuffle=True, seed=1))
    assert (tmp_path / "feedback.parquet").read_bytes() == first


def write_labels(folder: Path, labels: list[str]) -> None:
    """Write ann's labels of the first exchanges of conversations c00, c01, …, and a sample that holds them all."""
    names = [f"c{i:02},1" for i in range(len(labels))]
    n = len(labels)
    sample = [f"{name},1,silent,{n},{n}" for name in names]
    lines = [f"{name},{label},,ann" for name, label in zip(names, labels, strict=True)]
    folder.mkdir(exist_ok=True)
    (folder / "sample.csv").write_text(
        "\n".join(["conversation_id,reply_index,draw,stratum,n_stratum,n_drawn", *sample])
    )
    (folder / "feedback.csv").write_text("\n".join(["conversation_id,reply_index,label,category,annotator", *lines]))


def complaints(messages, n: int) -> pl.DataFrame:
    return pl.concat(messages(f"c{i:02}", "swim?", "Lake.", "That's wrong.", user=f"u{i}") for i in range(n))


def test_accuracy_is_unknown_without_labels(run, messages, capsys):
    _, figures = run(complaints(messages, 2))
    assert "accuracy" not in figures
    assert figures["warnings"] == [
        "accuracy unknown on this log: let people judge a sample of it with `turnabout label`"
    ]


def test_labels_of_missing_exchanges_are_left_out_and_counted(run, messages, tmp_path):
    write_labels(tmp_path / "labels", ["dsat"] * 21)
    _, figures = run(complaints(messages, 20))
    assert (figures["accuracy"]["n_labels"], figures["n_labels_left_out"]) == (20, 1)
    assert figures["warnings"] == [
        "1 of 21 labels left out: their exchanges are no longer in the log, in the test split, or not in "
        "labels/sample.csv"
    ]


def test_labels_of_the_test_split_are_left_out(run, messages, tmp_path):
    write_labels(tmp_path / "labels", ["dsat"] * 20 + ["none"])  # c20 is in the test split
    _, figures = run(complaints(messages, 21))
    assert (figures["accuracy"]["n_labels"], figures["n_labels_left_out"]) == (20, 1)
    assert figures["accuracy"]["decisions"]["dsat"]["precision"]["value"] == 1.0


def test_labels_give_the_accuracy(run, messages, tmp_path):
    write_labels(tmp_path / "labels", ["dsat"] * 20)
    _, figures = run(complaints(messages, 20))
    precision = figures["accuracy"]["decisions"]["dsat"]["precision"]
    assert (precision["value"], precision["n"], figures["warnings"]) == (1.0, 20, [])


def test_imprecise_feedback_stops_the_stage_after_writing(run, messages, tmp_path):
    write_labels(tmp_path / "labels", ["dsat", "none"] * 10)
    with pytest.raises(
        DataError, match=r"precision of 'dsat' is 0\.50 \[0\.30, 0\.70\].*mine.min_precision asks for 0.5"
    ):
        run(complaints(messages, 20))
    assert read_json(tmp_path / "mine.json")["accuracy"]["decisions"]["dsat"]["precision"]["value"] == 0.5
    assert read_frame(tmp_path / "feedback.parquet", schemas.FEEDBACK).height == 40


def test_log_in_parts_gives_the_bytes_of_one_file(run, messages, tmp_path):
    log = complaints(messages, 6)
    run(log)
    whole = (tmp_path / "feedback.parquet").read_bytes()
    for i in range(3):
        write_frame(log[6 * i : 6 * i + 6], tmp_path / "parts" / f"part-0{i}.parquet", schemas.MESSAGES)
    main(tmp_path / "parts", tmp_path / "feedback.parquet", tmp_path / "mine.json", labels=tmp_path, params=PARAMS)
    assert (tmp_path / "feedback.parquet").read_bytes() == whole


def test_unusable_answers_of_the_model_are_counted_with_a_warning(messages, tmp_path, monkeypatch, capsys):
    generator = ScriptedGenerator(lambda _: "What a lovely day.")
    monkeypatch.setattr("turnabout.generation.registry.Local.open", lambda *_: generator)
    monkeypatch.setattr("turnabout.models.checkpoints.load_checkpoint", lambda *_: None)
    params = yaml.safe_load(PARAMS.read_text())
    params["mine"]["miners"] = [{"miner": "rubric", "retries": 0}]
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params))
    write_frame(complaints(messages, 3), tmp_path / "messages.parquet", schemas.MESSAGES)
    paths = [tmp_path / name for name in ("messages.parquet", "feedback.parquet", "mine.json")]
    main(*paths, labels=tmp_path, params=tmp_path / "params.yaml")
    assert read_json(tmp_path / "mine.json")["failed_by_miner"] == {"rubric": {"not JSON": 3}}
    assert "warning: no usable answers for 'rubric': {'not JSON': 3}" in capsys.readouterr().err
