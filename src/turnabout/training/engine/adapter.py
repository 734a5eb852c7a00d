"""LoRA adapters on a checkpoint: few trained weights beside frozen ones.

Hu et al. 2021 (arXiv 2106.09685).
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from turnabout.errors import ModelError
from turnabout.models.checkpoints import Checkpoint

if TYPE_CHECKING:
    from peft import PeftModel


def create_adapter(policy: Checkpoint, rank: int, seed: int, trained_tokens: Sequence[int] = ()) -> "PeftModel":
    """Return a LoRA adapter on every linear layer, with α = 2·rank.

    Before training it changes no output. The rows of `trained_tokens` in the input and the output embedding are trained
    as well; all other rows stay frozen.
    """
    import torch
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(seed)
    config = LoraConfig(
        r=rank,
        lora_alpha=2 * rank,
        lora_dropout=0.0,
        target_modules="all-linear",
        task_type="CAUSAL_LM",
        trainable_token_indices=_list_tokens_by_embedding(policy, trained_tokens) if trained_tokens else None,
    )
    adapter = get_peft_model(policy.model, config)
    # Without a path, the saved configuration is independent of this machine, and peft does not compare the vocabulary
    # with that of a model it finds at the path.
    adapter.peft_config["default"].base_model_name_or_path = ""
    return adapter


def _list_tokens_by_embedding(policy: Checkpoint, tokens: Sequence[int]) -> dict[str, list[int]]:
    """Return the tokens under the name of each embedding layer.

    Peft ties layers whose weights are tied. Raises `ModelError` for an output layer with a bias.
    """
    model: Any = policy.model
    layers = {id(layer): layer for layer in (model.get_input_embeddings(), model.get_output_embeddings())}
    if getattr(model.get_output_embeddings(), "bias", None) is not None:
        raise ModelError(
            f"{policy.name}: its output layer has a bias, which peft drops when it trains a new token; "
            "set train_user.lora_rank: null"
        )
    return {name: list(tokens) for name, layer in model.named_modules() if id(layer) in layers}
