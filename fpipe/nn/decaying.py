"""Which parameters the usual recipe keeps from weight decay."""

from __future__ import annotations

from typing import Any

_BIASES = ("*.bias", "*_bias", "*.bias_k", "*.bias_v")
_NORMS = (
    "*layer_norm*.weight",
    "*batch_norm*.weight",
    "*group_norm*.weight",
    "*normalization.weight",
    "*.norm?.weight",
)
_TOKENS = ("*tokenizer*.weight*", "*embedding*.weight*", "*cls_token*.weight")


def no_decay() -> dict[str, dict[str, Any]]:
    """Return the parameter group without weight decay of the usual recipe.

    Biases, the weights of normalizations, embeddings, tokenizers and the class token decay to
    nothing that means anything; the recipe keeps them as they are. They are told by name:
    nodes that were given an ``id`` of another kind need a pattern of their own, as in
    ``groups={"my_norm.*": {"weight_decay": 0.0}} | nn.no_decay()``.

    Example:
        >>> from fpipe import nn
        >>> decayed = nn.optimizer("adamw", weight_decay=0.1, groups=nn.no_decay())
        >>> groups = decayed.nodes[0].op.optimizer
        >>> groups.group_of(("linear.bias", "linear.weight", "layer_norm.weight"))
        (0, 1, 0)

    Source:
        Gorishniy et al. 2021, the training of the FT-Transformer.
    """
    return {"|".join((*_BIASES, *_NORMS, *_TOKENS)): {"weight_decay": 0.0}}
