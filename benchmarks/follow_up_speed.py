"""Speed of follow-up likelihood on the CPU, against lm-eval.

    PYTHONPATH=.peers python -m benchmarks.follow_up_speed [--tokens 160] [--contexts 4] [--dtype float32]

Both score the same follow-ups after the same contexts with the same model. Contexts are chats of the embedded log, each
ending with a reply and cut to about `--tokens` tokens; 20 follow-ups are scored after each. Both sides run in this
process on the same model object, in turn, for several rounds; the ratio is the median over rounds. Seconds are
processor seconds, summed over threads, so that other work on the machine counts little; with OMP_NUM_THREADS=1 no
thread waits for another. benchmarks/peers.py says how to install lm-eval.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import polars as pl

from benchmarks.peers import import_peer
from turnabout.core.conversations import add_histories, build_exchanges
from turnabout.core.messages import Message
from turnabout.follow_ups import load_phrases
from turnabout.generation.local.generator import LocalGenerator
from turnabout.models.checkpoints import Checkpoint, load_embedded
from turnabout.sources.chitchat import Chitchat

BACKBONE = "smollm2-135m-instruct"
N_FOLLOW_UPS = 20
BATCH_SIZE = 8


def main() -> None:
    """Measure both sides in turn and print the ratio and the largest difference."""
    cli = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cli.add_argument("--tokens", type=int, default=160, help="length of a context")
    cli.add_argument("--contexts", type=int, default=4)
    cli.add_argument("--rounds", type=int, default=3)
    cli.add_argument("--their-batch", type=int, default=8, help="requests that lm-eval reads at once")
    cli.add_argument("--dtype", choices=["float32", "bfloat16"], default="float32")
    options = cli.parse_args()
    if import_peer("lm_eval") is None:
        return
    checkpoint = load_embedded(BACKBONE, options.dtype)
    contexts = load_contexts(checkpoint, options.contexts, options.tokens)
    phrases = load_phrases(2)
    turns = [*phrases.positive[: N_FOLLOW_UPS // 2], *phrases.negative[: N_FOLLOW_UPS // 2]]
    user = LocalGenerator(checkpoint, "user", BATCH_SIZE)

    def score_follow_ups() -> list[float]:
        logps = []
        for scores in user.score(contexts, [turns] * len(contexts)):
            logps += [score.logp for score in scores]
        return logps

    score_with_lm_eval = build_lm_eval_scorer(checkpoint, contexts, turns, options.their_batch)
    own_seconds, peer_seconds, differences = [], [], []
    for _ in range(options.rounds):
        seconds, own_logps = measure_time(score_follow_ups)
        own_seconds.append(seconds)
        seconds, peer_logps = measure_time(score_with_lm_eval)
        peer_seconds.append(seconds)
        differences += [abs(own - peer) for own, peer in zip(own_logps, peer_logps, strict=True)]
    lengths = [len(checkpoint.chat.encode_prompt(context, "user")) for context in contexts]
    ratios = sorted(peer / own for own, peer in zip(own_seconds, peer_seconds, strict=True))
    n_contexts = len(contexts)
    print(f"{n_contexts} contexts of {min(lengths)} to {max(lengths)} tokens, {len(turns)} follow-ups, {options.dtype}")
    print(f"ours: {statistics.median(own_seconds) / n_contexts:.2f} processor s per context")
    peer_median = statistics.median(peer_seconds) / n_contexts
    print(f"lm-eval, batches of {options.their_batch}: {peer_median:.2f} processor s per context")
    by_round = ", ".join(f"{ratio:.1f}" for ratio in ratios)
    print(
        f"ours is {statistics.median(ratios):.1f} times as fast (rounds: {by_round}); "
        f"sums differ by {max(differences):.1e} nats at most"
    )


def load_contexts(checkpoint: Checkpoint, n_contexts: int, n_tokens: int) -> list[list[Message]]:
    """Return the newest messages up to a reply of long chats.

    Each context has about `n_tokens` tokens.
    """
    log = Chitchat(format="chitchat")
    messages = next(iter(log.read_batches(log.list_pieces()[0]))).messages
    last = build_exchanges(messages).group_by("conversation_id", maintain_order=True).last()
    wanted = last.select("conversation_id", before=pl.col("reply_index") + 1)
    contexts = []
    for prompt in add_histories(messages, wanted)["prompt"].to_list():
        cut = checkpoint.chat.keep_newest(prompt, n_tokens)
        if len(checkpoint.chat.encode_prompt(cut, "user")) >= 0.8 * n_tokens:
            contexts.append(cut)
        if len(contexts) == n_contexts:
            break
    return contexts


def build_lm_eval_scorer(
    checkpoint: Checkpoint, contexts: list[list[Message]], turns: list[str], batch_size: int
) -> Callable[[], list[float]]:
    """Return a function that scores all follow-ups with lm-eval.

    It scores every follow-up after every context.
    """
    from lm_eval.api.instance import Instance
    from lm_eval.models.huggingface import HFLM

    chat = checkpoint.chat
    lm = HFLM(pretrained=checkpoint.model, tokenizer=checkpoint.tokenizer, batch_size=batch_size)
    end = str(chat.tokenizer.decode([chat.end_of_turn_id]))
    heads = [chat.tokenizer.decode(chat.encode_prompt(context, "user")) for context in contexts]
    pairs = [(head, turn + end) for head in heads for turn in turns]
    requests = [Instance("loglikelihood", {}, pair, i) for i, pair in enumerate(pairs)]
    return lambda: [logp for logp, _ in lm.loglikelihood(requests, disable_tqdm=True)]


def measure_time(work: Callable[[], list[float]]) -> tuple[float, list[float]]:
    """Return processor seconds of one run, and its result."""
    began = time.process_time()
    result = work()
    return time.process_time() - began, result


if __name__ == "__main__":
    main()
