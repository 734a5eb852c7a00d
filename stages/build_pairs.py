"""Stage: logs, feedback and a policy in, one arm of preference pairs out."""

from pathlib import Path
from typing import Any

from stages._command import command
from stages._models import open_author, open_generator
from turnabout.core import schemas
from turnabout.core.io import read_frame, write_frame, write_json
from turnabout.generation import Generator
from turnabout.generation.local.generator import LocalGenerator
from turnabout.generation.unopened import NOBODY
from turnabout.models import checkpoints
from turnabout.params import BuildPairs, load_params
from turnabout.preferences import Material, Rule
from turnabout.preferences.base import NOTHING_MORE
from turnabout.quality import screened, summary

#: Tables of other stages that a rule may read, by file name.
TABLES = {
    "critiques": schemas.CRITIQUES,
    "hindsights": schemas.HINDSIGHTS,
    "preferences": schemas.PREFERENCES,
    "ratings": schemas.RATINGS,
    "refinements": schemas.REFINEMENTS,
}


def main(
    arm: str,
    messages: Path,
    splits: Path,
    feedback: Path,
    policy: Path,
    model: Path,
    reads: Path,
    pairs: Path,
    metrics: Path,
    params: Path = Path("params.yaml"),
) -> None:
    loaded = load_params(params)
    settings, dtype, rule = loaded.build_pairs, loaded.backbone.dtype, loaded.arm(arm).pairs
    writer, judge = opened(rule, settings, policy, model, dtype)
    material = Material(
        read_frame(messages, schemas.MESSAGES),
        read_frame(splits, schemas.SPLITS),
        read_frame(feedback, schemas.FEEDBACK),
        what_it_reads(reads, dtype),
        writer,
        checkpoints.load_chat(policy),
        settings.max_prompt_tokens,
        settings.max_new_tokens,
        settings.batch_size,
        loaded.seed,
        judge,
    )
    judged = screened(
        rule.pairs(material),
        material.messages,
        settings.quality,
        lambda: writer.checkpoint if isinstance(writer, LocalGenerator) else checkpoints.load(policy, dtype),
        settings.batch_size,
        loaded.seed,
    )
    write_frame(judged.pairs, pairs, schemas.PAIRS)
    write_json(summary(judged, material.messages, loaded.seed), metrics)


def opened(rule: Rule, settings: BuildPairs, policy: Path, model: Path, dtype: str) -> tuple[Generator, Generator]:
    """The policy and the judge, each only where the rule asks it; one that is both is opened once."""
    writer: Generator = NOBODY
    if "policy" in rule.needs:
        writer = open_generator(policy, dtype, "assistant", settings.batch_size)
    if "judge" not in rule.needs:
        return writer, NOBODY
    if writer is not NOBODY and settings.judge.generator == "local" and policy == model:
        return writer, writer
    return writer, open_author(settings.judge, model, dtype, settings.batch_size)


def what_it_reads(path: Path, dtype: str) -> Any:
    """The output an arm `reads`, by what it names: a model's checkpoint, a table, or None for no more than the logs."""
    if path.as_posix() == NOTHING_MORE:
        return None
    if path.suffix != ".parquet":
        return checkpoints.load(path, dtype)
    return read_frame(path, schemas.PAIRS if path.parent.name == "pairs" else TABLES[path.stem])


if __name__ == "__main__":
    command(main)
