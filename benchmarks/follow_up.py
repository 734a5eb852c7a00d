"""Accuracy of the miner `follow_up` against people's ratings of replies.

    python -m benchmarks.follow_up [--data DIR] [--replies N]

It measures how well follow-up likelihood under the embedded model separates good replies from bad ones. Replies rated
1 to 3 of 5 are bad. Equal numbers of bad and good replies are drawn, by hash. Intervals are bootstraps over people.
"""

import argparse
import time
from pathlib import Path

import polars as pl

from benchmarks import development
from benchmarks.mining import ScoredCases, print_table
from turnabout.core.conversations import REPLY_KEY, rank_by_hash
from turnabout.feedback.base import LanguageModel
from turnabout.feedback.fitting import examples_to_exchanges
from turnabout.feedback.miners.follow_up import FollowUp
from turnabout.generation.local.generator import LocalGenerator
from turnabout.models.checkpoints import load_embedded

MAX_BAD_RATING = 3


def load_rated_replies(folder: Path, n_replies: int) -> pl.DataFrame:
    """Return one row per rated reply: `previous_user`, `reply`, `user`, `bad`.

    Half of the replies are bad where there are enough.
    """
    turns = pl.read_parquet(folder / "ifllm.parquet")
    replies = pl.concat(
        turns.select("user", previous_user="user_query", reply=f"response_{n}", stars=f"likert_{n}") for n in (1, 2)
    )
    known = replies.drop_nulls().unique(["previous_user", "reply"], keep="first", maintain_order=True)
    marked = known.with_columns(bad=pl.col("stars") <= MAX_BAD_RATING).sort(rank_by_hash(0, "previous_user", "reply"))
    return pl.concat(marked.filter(pl.col("bad") == bad).head(n_replies // 2) for bad in (True, False))


def score_replies(replies: pl.DataFrame) -> pl.Series:
    """Return the miner's score of every reply, from -1 to 1.

    Small scores are not dropped.
    """
    checkpoint = load_embedded("smollm2-135m-instruct")
    writer = LocalGenerator(checkpoint, "assistant", 8)
    miner = FollowUp(least=1e-12).with_model(LanguageModel(writer, checkpoint, 8, seed=0))
    exchanges = examples_to_exchanges(replies.with_columns(follow_up=pl.lit(None, pl.String)))
    scored = exchanges.select(REPLY_KEY).join(miner.mine(exchanges), on=REPLY_KEY, how="left", maintain_order="left")
    return scored["score"].fill_null(0.0)


def main() -> None:
    """Score the replies and print AUC, beside that of the replies' length."""
    cli = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cli.add_argument("--data", type=Path, default=None)
    cli.add_argument("--replies", type=int, default=100)
    options = cli.parse_args()
    folder = development.find_folder(options.data)
    if folder is None:
        print("skipped: no development data; set TURNABOUT_DEVELOPMENT_DATA or give --data")
        return
    replies = load_rated_replies(folder, options.replies)
    began = time.perf_counter()
    scores = score_replies(replies)
    seconds, nats = (time.perf_counter() - began) / replies.height, scores.arctanh().to_numpy()
    print(f"{seconds:.2f} s per reply; reward {nats.mean():.2f} ± {nats.std():.2f} nats per token")
    bad, people = replies["bad"].to_numpy(), replies["user"].to_list()
    rows = [
        ScoredCases("follow_up", -scores.to_numpy(), bad, people),
        ScoredCases("the reply's length", -replies["reply"].str.len_chars().to_numpy(), bad, people),
    ]
    print_table("IFLLM: replies rated 1 to 3 of 5 against those rated 4 or 5", rows)


if __name__ == "__main__":
    main()
