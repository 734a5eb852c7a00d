"""LoRA on a checkpoint (Hu et al. 2021, arXiv 2106.09685): few weights to train beside frozen ones."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from turnabout.errors import ModelError
from turnabout.models.checkpoints import Checkpoint

if TYPE_CHECKING:
    from peft import PeftModel


def new_adapter(policy: Checkpoint, rank: int, seed: int, tokens: Sequence[int] = ()) -> "PeftModel":
    """A LoRA adapter on every linear layer, α = 2·rank, that changes nothing yet.

    The rows of `tokens` in the input and the output embedding are trained as well, and no other rows of them.
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
        trainable_token_indices=_rows_of(policy, tokens) if tokens else None,
    )
    adapter = get_peft_model(policy.model, config)
    # What is saved names no place of this machine, and is not compared with the vocabulary that is found there.
    adapter.peft_config["default"].base_model_name_or_path = ""
    return adapter


def _rows_of(policy: Checkpoint, tokens: Sequence[int]) -> dict[str, list[int]]:
    """The tokens by the name of each embedding; peft ties those whose weights are tied."""
    model: Any = policy.model
    layers = {id(layer): layer for layer in (model.get_input_embeddings(), model.get_output_embeddings())}
    if getattr(model.get_output_embeddings(), "bias", None) is not None:
        raise ModelError(
            f"{policy.name}: its output layer has a bias, which peft leaves out where a new token is trained; "
            "set train_user.lora_rank: null"
        )
    return {name: list(tokens) for name, layer in model.named_modules() if id(layer) in layers}
