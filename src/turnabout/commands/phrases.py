"""Choose the follow-ups that tell good from bad replies in your own logs, as a set that params.yaml can name.

Reads what people of the training and validation splits made of replies (`data/feedback.parquet`) and scores the
follow-ups of a set after those replies with the trained user model.
"""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

    from turnabout.params import Params


def add_arguments(options: argparse.ArgumentParser) -> None:
    """The new set, and what it is chosen from and on."""
    options.add_argument("name", help="name of the new set, such as ours")
    options.add_argument("--of", default="six_dimensions", help="set to choose from (%(default)s)")
    options.add_argument("--keep", type=int, default=3, help="follow-ups kept per sign and dimension (%(default)s)")
    options.add_argument("--replies", type=int, default=100, help="most replies of each kind (%(default)s)")


def execute(name: str, of: str, keep: int, replies: int) -> int:
    """Write the set and say how well its follow-ups sort the replies that they were chosen on."""
    from turnabout.core.io import write_text
    from turnabout.core.messages import Message
    from turnabout.errors import ConfigError
    from turnabout.follow_ups.likelihood import compute_phrase_logps
    from turnabout.follow_ups.phrases import SETS_FOLDER, load_phrases, read_phrase_set
    from turnabout.follow_ups.selection import format_set, select_phrases, measure_discrimination
    from turnabout.generation.local.generator import LocalGenerator
    from turnabout.intents.wording import FALLBACK
    from turnabout.models.checkpoints import load_checkpoint
    from turnabout.params import load_params
    from turnabout.pipeline.project import find_root

    dimensions, version = read_phrase_set(of)
    if not name.isidentifier() or name == of:
        raise ConfigError(f"phrases: '{name}' cannot be the name of a set made of '{of}'; use letters, digits and _")
    load_phrases(keep, of)  # tells at once where a set has not so many
    root = find_root(Path.cwd())
    params = load_params(root / "params.yaml")
    judged = judged_replies_of(root, params, replies)
    user = LocalGenerator(load_checkpoint(root / "models" / "user", params.backbone.dtype), "user", params.build_pairs.batch_size)
    fit, most = user.checkpoint.chat.keep_newest, params.build_pairs.max_prompt_tokens
    contexts: list[list[Message]] = [
        [*fit(prompt, most), {"role": "assistant", "content": reply}]
        for prompt, reply in judged.select("prompt", "reply").iter_rows()
    ]
    phrases = load_phrases(min(len(texts) for each in dimensions.values() for texts in each.values()), of)
    logps = compute_phrase_logps(user, contexts, phrases, [FALLBACK] * len(contexts))
    satisfied = (judged["label"] == "sat").to_list()
    found = measure_discrimination(logps, satisfied, phrases)
    kept = select_phrases(dimensions, found, keep)
    counts = f"{sum(satisfied)} replies that satisfied and {len(satisfied) - sum(satisfied)} that did not"
    write_text(format_set(kept, version, f"Chosen from {of}, version {version}, on {counts}."), SETS_FOLDER / f"{name}.yaml")
    for dimension, texts in kept.items():
        for text in [text for of_sign in texts.values() for text in of_sign]:
            print(f"{found[text]:.2f}  {dimension}: {text}")
    print(f"Share of {counts} that each sorts the right way round, where 0.5 is chance. Written to")
    print(f"{SETS_FOLDER / f'{name}.yaml'}; name it in params.yaml: build_pairs: {{rule: follow_up, phrases: {name}}}")
    return 0


def judged_replies_of(root: Path, params: "Params", most: int) -> "pl.DataFrame":
    """At most `most` replies that satisfied and as many that did not, chosen by hash; sorted."""
    import polars as pl

    from turnabout.core import schemas
    from turnabout.core.conversations import rank_by_hash
    from turnabout.core.io import read_frame
    from turnabout.feedback.judged_replies import select_judged_replies

    data = root / "data"
    judged = select_judged_replies(
        read_frame(data / "messages", schemas.MESSAGES),
        read_frame(data / "splits.parquet", schemas.SPLITS),
        read_frame(data / "feedback.parquet", schemas.FEEDBACK),
        params.augment.weak,
    )
    keys = ["conversation_id", "reply_index"]
    mixed = judged.sort(rank_by_hash(params.seed, *keys))
    return pl.concat(mixed.filter(label=label).head(most) for label in ("sat", "dsat")).sort(keys)
