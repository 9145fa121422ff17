"""Truing: log-probs, preference and policy losses and their gradients, over numpy, torch and DLPack tensors without a
copy. Pure ctypes over the C library; formulas and defaults are the library's own."""

from . import losses
from ._error import Error
from ._library import SERIAL, Context, find, open_library
from ._ops import (
    aot_sort,
    bco_shift,
    beta_dpo_stats,
    cov_select,
    fipo_weight,
    importance_weight,
    kto_baseline,
    linear_logprob,
    linear_logprob_backward,
    linear_policy,
    linear_preference,
    logprob,
    logprob_backward,
    logprob_finish,
    logprob_local,
    m2po_mask,
    off_policy_sequence_mask,
    policy,
    preference,
    rejection_mask,
    sequence,
    sequence_backward,
    support_mask,
    tds_rows,
    top_entropy_mask,
    wpo_weight,
)
from ._tensor import tensor

__all__ = [
    "SERIAL", "Context", "Error", "aot_sort", "bco_shift", "beta_dpo_stats", "cov_select", "fipo_weight",
    "importance_weight", "kto_baseline", "linear_logprob", "linear_logprob_backward", "linear_policy",
    "linear_preference", "load", "logprob", "logprob_backward", "logprob_finish", "logprob_local", "losses",
    "m2po_mask", "off_policy_sequence_mask", "policy", "preference", "rejection_mask", "sequence",
    "sequence_backward", "support_mask", "tds_rows", "tensor", "top_entropy_mask", "wpo_weight",
]  # fmt: skip


def load(path):
    """Uses the library at `path` instead of the one inside the package, and builds :mod:`truing.losses` from it."""
    open_library(path)
    losses.build()


if find() is not None:
    load(find())
