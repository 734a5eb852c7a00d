"""Stage: build the preference pairs of one arm."""

from pathlib import Path
from typing import Any

from stages._command import command
from stages._models import open_checkpoint_generator, open_configured_model
from turnabout.augment import AUGMENTERS
from turnabout.core import schemas
from turnabout.core.io import read_frame, write_frame, write_json
from turnabout.generation import Generator
from turnabout.generation.local.generator import LocalGenerator
from turnabout.generation.unopened import UNOPENED
from turnabout.models import checkpoints
from turnabout.models.checkpoints import Checkpoint
from turnabout.params import BuildPairs, load_params
from turnabout.preferences import Rule, RuleContext
from turnabout.preferences.base import LOGS_ONLY
from turnabout.preferences.cut_off import CutOffCounter
from turnabout.quality import screen_pairs, summarise_pairs
from turnabout.quality.length_limit import drop_long_pairs

#: Schemas of the tables that a rule may read, by file name.
TABLES = {name: augmenter.table_schema for name, augmenter in AUGMENTERS.items()}


def main(
    arm: str,
    *,
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
    """Build, screen and write the pairs of one arm."""
    loaded = load_params(params)
    settings, dtype, rule = loaded.build_pairs, loaded.backbone.dtype, loaded.get_arm(arm).pairs
    generator, judge = open_models(rule, settings, policy=policy, model=model, dtype=dtype)
    counter = CutOffCounter(generator)
    context = RuleContext(
        messages=read_frame(messages, schemas.MESSAGES),
        splits=read_frame(splits, schemas.SPLITS),
        feedback=read_frame(feedback, schemas.FEEDBACK),
        extra_input=read_extra_input(reads, dtype),
        policy=counter,
        chat=checkpoints.load_chat(policy),
        max_prompt_tokens=settings.max_prompt_tokens,
        max_new_tokens=settings.max_new_tokens,
        batch_size=settings.batch_size,
        seed=loaded.seed,
        judge=judge,
    )

    def open_policy() -> Checkpoint:
        """Return the checkpoint of the policy, which the rule may have opened."""
        if isinstance(generator, LocalGenerator):
            return generator.checkpoint
        return checkpoints.load_checkpoint(policy, dtype)

    candidates = rule.build_pairs(context)
    counter.check_share(settings.max_cut_off, settings.max_new_tokens)
    max_length = loaded.train_assistant.max_length
    screened = screen_pairs(
        drop_long_pairs(candidates, context.chat, max_length),
        settings.quality,
        messages=context.messages,
        open_policy=open_policy,
        batch_size=settings.batch_size,
        seed=loaded.seed,
    )
    write_frame(screened.pairs, pairs, schemas.PAIRS)
    counts = {"n_replies": counter.n_replies, "n_replies_cut_off": counter.n_cut_off}
    write_json({**summarise_pairs(screened, context.messages, loaded.seed), **counts}, metrics)


def open_models(
    rule: Rule, settings: BuildPairs, *, policy: Path, model: Path, dtype: str
) -> tuple[Generator, Generator]:
    """Return the policy and the judge, opened only if the rule needs them.

    A model that has both roles is opened once.
    """
    generator: Generator = UNOPENED
    if "policy" in rule.needs:
        generator = open_checkpoint_generator(policy, dtype, "assistant", settings.batch_size)
    if "judge" not in rule.needs:
        return generator, UNOPENED
    if generator is not UNOPENED and settings.judge.backend == "local" and policy == model:
        return generator, generator
    return generator, open_configured_model(settings.judge, model, dtype, settings.batch_size)


def read_extra_input(path: Path, dtype: str) -> Any:
    """Return what an arm `reads`: a checkpoint, a table, or None (`LOGS_ONLY`)."""
    if path.as_posix() == LOGS_ONLY:
        return None
    if path.suffix != ".parquet":
        return checkpoints.load_checkpoint(path, dtype)
    return read_frame(path, schemas.PAIRS if path.parent.name == "pairs" else TABLES[path.stem])


if __name__ == "__main__":
    command(main)
