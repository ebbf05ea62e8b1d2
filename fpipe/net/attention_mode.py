"""Attention of foreign code without fused kernels."""

from __future__ import annotations

import inspect
from typing import Any

import torch
from torch.nn import functional
from torch.overrides import TorchFunctionMode


class PlainAttention(TorchFunctionMode):
    """While active in this thread, compute attention that drops out with plain operations.

    A GPU has fused kernels for attention that draw by themselves and take no generator, and
    torch's own switch that turns them off is one for all threads. On the CPU torch uses none
    where something is dropped. Torch's transformer layers leave out their own fused kernel while
    such a mode is active.
    """

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run one function."""
        del types
        kwargs = dict(kwargs or {})
        if func is functional.scaled_dot_product_attention:
            return _attention(*args, **kwargs)
        if func is functional.multi_head_attention_forward:
            return _multi_head(*args, **kwargs)
        return func(*args, **kwargs)


def _attention(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attn_mask: torch.Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    **others: Any,
) -> torch.Tensor:
    if not dropout_p:
        return functional.scaled_dot_product_attention(
            query, key, value, attn_mask, dropout_p, is_causal, **others
        )
    plain = torch.ops.aten._scaled_dot_product_attention_math  # noqa: SLF001
    found: torch.Tensor = plain(query, key, value, attn_mask, dropout_p, is_causal, None, **others)[
        0
    ]
    return found


def _multi_head(*args: Any, **kwargs: Any) -> Any:
    """Ask for the weights where torch drops out: it has them only without a fused kernel."""
    given = _MULTI_HEAD.bind(*args, **kwargs).arguments
    drops = bool(given["dropout_p"]) and given.get("training", True)
    if not drops or given.get("need_weights", True):
        return functional.multi_head_attention_forward(*args, **kwargs)
    out, _ = functional.multi_head_attention_forward(**{**given, "need_weights": True})
    return out, None


_MULTI_HEAD = inspect.signature(functional.multi_head_attention_forward)
