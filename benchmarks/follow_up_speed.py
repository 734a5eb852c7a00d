"""Follow-up likelihood against lm-eval's log-likelihood requests: the same follow-ups, contexts and model, on the CPU.

    PYTHONPATH=.peers python -m benchmarks.follow_up_speed [--tokens 160] [--contexts 4] [--dtype float32]

Contexts are chats of the embedded log, each ending with a reply, cut to about `--tokens` tokens; after each, 20
follow-ups.
Both run in this process on the same model object, in turn, several rounds; the ratio is the median of the rounds'.
Seconds are those of the processor, all threads together, so that other work on the machine counts little; with
OMP_NUM_THREADS=1 no thread waits for another.
benchmarks/peers.py says how to have lm-eval.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import polars as pl

from benchmarks.peers import import_peer
from turnabout.core.conversations import build_exchanges, add_histories
from turnabout.core.messages import Message
from turnabout.follow_ups import load_phrases
from turnabout.generation.local.generator import LocalGenerator
from turnabout.models.checkpoints import Checkpoint, load_embedded
from turnabout.sources.chitchat import Chitchat

BACKBONE = "smollm2-135m-instruct"
N_FOLLOW_UPS = 20
BATCH_SIZE = 8


def main() -> None:
    cli = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cli.add_argument("--tokens", type=int, default=160, help="length of a context")
    cli.add_argument("--contexts", type=int, default=4)
    cli.add_argument("--rounds", type=int, default=3)
    cli.add_argument("--their-batch", type=int, default=8, help="requests that lm-eval reads at once")
    cli.add_argument("--dtype", choices=["float32", "bfloat16"], default="float32")
    given = cli.parse_args()
    if import_peer("lm_eval") is None:
        return
    checkpoint = load_embedded(BACKBONE, given.dtype)
    contexts = load_contexts(checkpoint, given.contexts, given.tokens)
    phrases = load_phrases(2)
    turns = [*phrases.positive[: N_FOLLOW_UPS // 2], *phrases.negative[: N_FOLLOW_UPS // 2]]
    user = LocalGenerator(checkpoint, "user", BATCH_SIZE)

    def ours() -> list[float]:
        return [scored.logp for of_context in user.score(contexts, [turns] * len(contexts)) for scored in of_context]

    theirs = build_lm_eval_scorer(checkpoint, contexts, turns, given.their_batch)
    rounds = [(measure_time(ours), measure_time(theirs)) for _ in range(given.rounds)]
    lengths = [len(checkpoint.chat.encode_prompt(context, "user")) for context in contexts]
    apart = max(abs(a - b) for (_, mine), (_, other) in rounds for a, b in zip(mine, other, strict=True))
    ratios = sorted(other / mine for (mine, _), (other, _) in rounds)
    middle, n_contexts = statistics.median, len(contexts)
    print(f"{n_contexts} contexts of {min(lengths)} to {max(lengths)} tokens, {len(turns)} follow-ups, {given.dtype}")
    print(f"ours: {middle(mine for (mine, _), _ in rounds) / n_contexts:.2f} processor s per context")
    took = middle(other for _, (other, _) in rounds) / n_contexts
    print(f"lm-eval, batches of {given.their_batch}: {took:.2f} processor s per context")
    told = ", ".join(f"{ratio:.1f}" for ratio in ratios)
    print(f"ours is {middle(ratios):.1f} times as fast (rounds: {told}); sums differ by {apart:.1e} nats at most")


def load_contexts(checkpoint: Checkpoint, n_contexts: int, n_tokens: int) -> list[list[Message]]:
    """The newest messages before and with a reply in as many long chats, about `n_tokens` tokens each."""
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
    """lm-eval's sums for every follow-up after every context, as it would be asked for them."""
    from lm_eval.api.instance import Instance
    from lm_eval.models.huggingface import HFLM

    chat = checkpoint.chat
    lm = HFLM(pretrained=checkpoint.model, tokenizer=checkpoint.tokenizer, batch_size=batch_size)
    end = chat.tokenizer.decode([chat.end_of_turn_id])
    heads = [chat.tokenizer.decode(chat.encode_prompt(context, "user")) for context in contexts]
    pairs = [(head, turn + end) for head in heads for turn in turns]
    requests = [Instance("loglikelihood", {}, pair, i) for i, pair in enumerate(pairs)]
    return lambda: [logp for logp, _ in lm.loglikelihood(requests, disable_tqdm=True)]


def measure_time(work: Callable[[], list[float]]) -> tuple[float, list[float]]:
    """Processor seconds of one run, and what it gave."""
    began = time.process_time()
    result = work()
    return time.process_time() - began, result


if __name__ == "__main__":
    main()
