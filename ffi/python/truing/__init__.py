"""Truing: log-probs, preference and policy losses, advantages and their gradients, over numpy, torch and DLPack tensors without a
copy. Pure ctypes over the C library; formulas and defaults are the library's own."""

from . import losses
from ._error import Error
from ._library import SERIAL, Context, find, open_library, prepare
from ._ops import (
    a_star_value,
    aot_sort,
    bco_shift,
    best_of_n_exact,
    best_of_n_kl_estimate,
    beta_dpo_stats,
    brier,
    ches,
    confidence_ce,
    cov_select,
    density_ratio,
    discounted_return,
    distill_advantage,
    divergence,
    divergence_backward,
    divergence_finish,
    divergence_local,
    entropy_controller,
    fipo_weight,
    gae,
    gae_backward,
    gram_matrix,
    group_advantage,
    head_weights,
    hindsight_target,
    importance_weight,
    interval_weights,
    kl_controller,
    kl_length_figures,
    kto_baseline,
    lagrangian_advantage,
    linear_divergence,
    linear_divergence_local,
    linear_logprob,
    linear_logprob_backward,
    linear_logprob_local,
    linear_policy,
    linear_preference,
    logprob,
    logprob_backward,
    logprob_finish,
    logprob_local,
    m2po_mask,
    min_norm_weights,
    mm_beta,
    modpo_margin,
    multi_objective_advantage,
    multi_objective_advantage_backward,
    odpo_offset,
    off_policy_sequence_mask,
    optimal_token_baseline,
    pama_scalars,
    pdu_dual_step,
    pdu_flatten,
    policy,
    preference,
    preference_orchestrator,
    prime_advantage,
    prm_ce,
    prm_mse,
    product_target,
    quantile_threshold,
    rejection_mask,
    renyi_array,
    renyi_cross_entropy,
    rps,
    sequence,
    sequence_backward,
    sequence_kl,
    sequence_kl_backward,
    support_mask,
    tds_rows,
    tilt,
    tilt_solve,
    token_reward,
    top_entropy_mask,
    uld,
    whiten,
    wpo_weight,
)
from ._tensor import tensor

__all__ = [
    "SERIAL", "Context", "Error", "a_star_value", "aot_sort", "bco_shift", "best_of_n_exact", "best_of_n_kl_estimate", "beta_dpo_stats",
    "brier", "ches", "confidence_ce", "cov_select", "density_ratio", "discounted_return", "distill_advantage",
    "divergence", "divergence_backward", "divergence_finish", "divergence_local", "entropy_controller", "fipo_weight",
    "gae", "gae_backward", "gram_matrix", "group_advantage", "head_weights", "hindsight_target", "importance_weight",
    "interval_weights", "kl_controller", "kl_length_figures", "kto_baseline", "lagrangian_advantage",
    "linear_divergence", "linear_divergence_local", "linear_logprob", "linear_logprob_backward", "linear_logprob_local", "linear_policy",
    "linear_preference", "load", "logprob", "logprob_backward", "logprob_finish", "logprob_local", "losses", "m2po_mask", "min_norm_weights",
    "mm_beta", "modpo_margin", "multi_objective_advantage", "multi_objective_advantage_backward", "odpo_offset",
    "off_policy_sequence_mask", "optimal_token_baseline", "pama_scalars", "pdu_dual_step", "pdu_flatten", "policy",
    "preference", "preference_orchestrator", "prepare", "prime_advantage", "prm_ce", "prm_mse", "product_target",
    "quantile_threshold", "rejection_mask", "renyi_array", "renyi_cross_entropy", "rps", "sequence",
    "sequence_backward", "sequence_kl", "sequence_kl_backward", "support_mask", "tds_rows", "tensor", "tilt",
    "tilt_solve", "token_reward", "top_entropy_mask", "uld", "whiten", "wpo_weight",
]  # fmt: skip


def load(path):
    """Uses the library at `path` instead of the one inside the package, and builds :mod:`truing.losses` from it."""
    open_library(path)
    losses.build()


if find() is not None:
    load(find())
