"""Memory of one loss over a large vocabulary, against transformers.

    python -m benchmarks.logits_memory

Ours computes the logits in parts. The loss covers 1,000 targets over 262,144 vocabulary tokens. Each side runs in a
process of its own, on the same random model and tokens; the loss and its gradient must agree.
"""

import json
import resource
import subprocess
import sys
import time
from typing import Any

TOKENS, VOCABULARY, WIDTH = 1_001, 262_144, 128


def measure_step(side: str) -> dict[str, Any]:
    """Return loss, gradient norm, seconds and memory of one step.

    Memory is in 10⁶ bytes, without that of the model.
    """
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    from turnabout.models.chat_format import EncodedChat
    from turnabout.models.logps import compute_token_logps, pad_rows

    torch.manual_seed(1)
    shape: dict[str, Any] = {
        "hidden_size": WIDTH,
        "intermediate_size": 2 * WIDTH,
        "num_hidden_layers": 1,
        "num_attention_heads": 4,
    }
    model = LlamaForCausalLM(LlamaConfig(vocab_size=VOCABULARY, tie_word_embeddings=True, **shape))
    ids = torch.randint(VOCABULARY, (TOKENS,)).tolist()
    # Memory of gradients is not part of the comparison.
    sum((weight.sum() for weight in model.parameters()), torch.tensor(0.0)).backward()
    model.zero_grad(set_to_none=False)
    before, began = read_peak_mb(), time.perf_counter()
    if side == "turnabout":
        loss = -compute_token_logps(model, pad_rows([EncodedChat(ids, [True] * TOKENS)])).sum() / (TOKENS - 1)
    else:
        loss = model(input_ids=torch.tensor([ids]), labels=torch.tensor([ids])).loss
    loss.backward()
    norm = torch.cat([weight.grad.flatten() for weight in model.parameters() if weight.grad is not None]).norm()
    seconds = time.perf_counter() - began
    return {"loss": loss.item(), "gradient": norm.item(), "seconds": seconds, "mb": read_peak_mb() - before}


def read_peak_mb() -> float:
    """Return the peak memory of this process in 10⁶ bytes.

    Linux counts in units of 1,024 bytes.
    """
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6


def main() -> None:
    """Measure both sides, check that they agree, and print the ratios."""
    results = {}
    for side in ("transformers", "turnabout"):
        done = subprocess.run([sys.executable, "-m", __spec__.name, side], capture_output=True, text=True, check=True)
        results[side] = json.loads(done.stdout)
        print("{:<13} {mb:6.0f} MB  {seconds:5.1f} s  loss {loss:.5f}".format(side, **results[side]))
    theirs, ours = results.values()
    for name in ("loss", "gradient"):
        assert abs(ours[name] - theirs[name]) < 1e-4 * theirs[name], f"{name} differs: {theirs[name]} and {ours[name]}"
    less, longer = theirs["mb"] / ours["mb"], ours["seconds"] / theirs["seconds"]
    print(f"memory: {less:.1f} times less; time: {longer:.1f} times theirs")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(measure_step(sys.argv[1])))
    else:
        main()
