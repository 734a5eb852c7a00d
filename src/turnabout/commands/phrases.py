"""Choose follow-ups that tell good from bad replies in your own logs.

Reads the decisions on replies of the training and validation splits (data/feedback.parquet), scores the follow-ups of a
set after those replies with the trained user model, and writes the best to follow_ups/NAME.yaml, a new set that
params.yaml can name.

Example: turnabout phrases ours --of six_dimensions --keep 3
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import polars as pl
    from numpy.typing import NDArray

    from turnabout.core.messages import Message
    from turnabout.follow_ups import Phrases
    from turnabout.generation import Generator
    from turnabout.params import Params

#: Number of replies that the user model reads between two updates of the progress bar.
REPLIES_PER_UPDATE = 8


def add_arguments(options: argparse.ArgumentParser) -> None:
    """Add the name of the new set, the set to choose from, and the sizes."""
    options.epilog = "example: turnabout phrases ours --of six_dimensions --keep 3"
    options.add_argument("name", metavar="NAME", help="name of the new set, such as ours")
    options.add_argument(
        "--of", default="six_dimensions", metavar="SET", help="set to choose from (default: %(default)s)"
    )
    options.add_argument(
        "--keep",
        type=int,
        default=3,
        metavar="N",
        help="follow-ups to keep per sign and dimension (default: %(default)s)",
    )
    options.add_argument(
        "--replies",
        type=int,
        default=100,
        metavar="N",
        help="maximum number of replies of each kind (default: %(default)s)",
    )


def execute(*, name: str, of: str, keep: int, replies: int) -> int:
    """Write the set, print the AUC of its follow-ups, return status 0."""
    from turnabout.core.io import write_text
    from turnabout.follow_ups.phrases import count_per_dimension, load_phrases, read_phrase_set
    from turnabout.follow_ups.selection import format_set, measure_discrimination, select_phrases
    from turnabout.generation.local.generator import LocalGenerator
    from turnabout.models.checkpoints import load_checkpoint
    from turnabout.params import load_params
    from turnabout.pipeline.project import find_root

    root = find_root(Path.cwd())
    dimensions, version = read_phrase_set(of, root)
    target = locate_new_set(name, of, root)
    load_phrases(keep, of, root)  # raises an error at once where the set has fewer
    params = load_params(root / "params.yaml")
    judged = load_judged_replies(root, params, replies)
    checkpoint = load_checkpoint(root / "models" / "user", params.backbone.dtype)
    user = LocalGenerator(checkpoint, "user", params.build_pairs.batch_size)
    max_tokens = params.build_pairs.max_prompt_tokens
    contexts: list[list[Message]] = []
    for prompt, reply in judged.select("prompt", "reply").iter_rows():
        contexts.append([*checkpoint.chat.keep_newest(prompt, max_tokens), {"role": "assistant", "content": reply}])
    phrases = load_phrases(count_per_dimension(dimensions), of, root)
    logps = score_phrases(user, contexts, phrases)
    satisfied = (judged["label"] == "sat").to_list()
    auc_by_phrase = measure_discrimination(logps, satisfied, phrases)
    selected = select_phrases(dimensions, auc_by_phrase, keep)
    counts = f"{sum(satisfied)} replies that satisfied and {len(satisfied) - sum(satisfied)} that did not"
    write_text(format_set(selected, version, f"Chosen from {of}, version {version}, on {counts}."), target)
    for dimension, texts_by_sign in selected.items():
        for text in (*texts_by_sign["positive"], *texts_by_sign["negative"]):
            print(f"{auc_by_phrase[text]:.2f}  {dimension}: {text}")
    print(f"The figures are AUCs on {counts}: the share of pairs that a follow-up sorts right; 0.5 is chance.")
    print(
        f"Written to {target.relative_to(root)}; name it in an arm of params.yaml: "
        f"pairs: {{rule: follow_up, phrases: {name}, phrases_per_dimension: {keep}}}"
    )
    return 0


def locate_new_set(name: str, of: str, root: Path) -> Path:
    """Return the file of the new set in the project's folder.

    Raises `ConfigError` for a name that no new set can have. A set that was made before is overwritten.
    """
    from turnabout.errors import ConfigError
    from turnabout.follow_ups.phrases import PROJECT_FOLDER, list_set_files

    if not name.isidentifier() or name == of:
        raise ConfigError(f"phrases: '{name}' cannot be the name of a set made of '{of}'; use letters, digits and _")
    target = root / PROJECT_FOLDER / f"{name}.yaml"
    if list_set_files(root).get(name, target) != target:
        raise ConfigError(f"phrases: '{name}' cannot be the name of a new set: a set that ships has it")
    return target


def score_phrases(
    user: "Generator", contexts: "Sequence[Sequence[Message]]", phrases: "Phrases"
) -> "NDArray[np.float64]":
    """Score every follow-up after every context, with a progress bar.

    Returns the likelihoods of `compute_phrase_logps`.
    """
    import numpy as np
    from tqdm import tqdm

    from turnabout.follow_ups.likelihood import compute_phrase_logps
    from turnabout.intents.wording import FALLBACK

    n_phrases = len(phrases.positive) + len(phrases.negative)
    parts = [np.zeros((0, n_phrases))]
    with tqdm(total=len(contexts), desc=f"scoring {n_phrases} follow-ups", unit="reply", mininterval=1) as bar:
        for start in range(0, len(contexts), REPLIES_PER_UPDATE):
            group = contexts[start : start + REPLIES_PER_UPDATE]
            parts.append(compute_phrase_logps(user, group, phrases, [FALLBACK] * len(group)))
            bar.update(len(group))
    return np.concatenate(parts)


def load_judged_replies(root: Path, params: "Params", max_per_label: int) -> "pl.DataFrame":
    """Load at most `max_per_label` replies of each label, sorted.

    They are chosen by a hash.
    """
    import polars as pl

    from turnabout.core import schemas
    from turnabout.core.conversations import REPLY_KEY, rank_by_hash
    from turnabout.core.io import read_frame
    from turnabout.feedback.judged_replies import select_judged_replies

    data = root / "data"
    judged = select_judged_replies(
        read_frame(data / "messages", schemas.MESSAGES),
        read_frame(data / "splits.parquet", schemas.SPLITS),
        read_frame(data / "feedback.parquet", schemas.FEEDBACK),
        params.augment.weak,
    )
    ranked = judged.sort(rank_by_hash(params.seed, *REPLY_KEY))
    return pl.concat(ranked.filter(label=label).head(max_per_label) for label in ("sat", "dsat")).sort(REPLY_KEY)
