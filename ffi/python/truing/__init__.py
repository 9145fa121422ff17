"""Truing: log-probs, preference and policy losses, advantages and their gradients, over numpy, torch and DLPack tensors without a
copy. Pure ctypes over the C library; formulas and defaults are the library's own."""

from . import losses
from ._error import Error
from ._library import SERIAL, Context, find, open_library
from ._ops import (
    aot_sort,
    bco_shift,
    beta_dpo_stats,
    discounted_return,
    distill_advantage,
    entropy_controller,
    gae,
    gae_backward,
    gram_matrix,
    group_advantage,
    interval_weights,
    kl_controller,
    kto_baseline,
    lagrangian_advantage,
    linear_logprob,
    linear_logprob_backward,
    linear_preference,
    logprob,
    logprob_backward,
    logprob_finish,
    logprob_local,
    min_norm_weights,
    multi_objective_advantage,
    multi_objective_advantage_backward,
    optimal_token_baseline,
    pama_scalars,
    policy,
    preference,
    prime_advantage,
    sequence,
    sequence_backward,
    support_mask,
    tds_rows,
    token_reward,
    whiten,
    wpo_weight,
)
from ._tensor import tensor

__all__ = [
    "Context", "Error", "SERIAL", "aot_sort", "bco_shift", "beta_dpo_stats", "discounted_return",
    "distill_advantage", "entropy_controller", "gae", "gae_backward", "gram_matrix", "group_advantage",
    "interval_weights", "kl_controller", "kto_baseline", "lagrangian_advantage", "linear_logprob",
    "linear_logprob_backward", "linear_preference", "load", "logprob", "logprob_backward", "logprob_finish",
    "logprob_local", "losses", "min_norm_weights", "multi_objective_advantage", "multi_objective_advantage_backward",
    "optimal_token_baseline", "pama_scalars", "policy", "preference", "prime_advantage", "sequence",
    "sequence_backward", "support_mask", "tds_rows", "tensor", "token_reward", "whiten", "wpo_weight",
]  # fmt: skip


def load(path):
    """Uses the library at `path` instead of the one inside the package, and builds :mod:`truing.losses` from it."""
    open_library(path)
    losses.build()


if find() is not None:
    load(find())
