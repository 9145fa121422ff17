"""Preference losses from hidden states beside Liger's, value and both gradients in f32. Usage: liger.py LIBRARY

Liger's own fused functions run on the tensors that ours get, not compiled, on the CPU.
"""

import sys

import numpy as np
import truing

truing.load(sys.argv[1])
try:
    import torch
    from liger_kernel import chunked_loss
except ImportError as missing:
    print(f"SKIPPED 1: {missing.name} is not installed, no loss is compared with Liger's")
    print("liger.py: 0 checks")
    sys.exit()

B, T, D, V = 3, 7, 12, 41
generator = torch.Generator().manual_seed(5)
IGNORED = -100
checks = 0


def normal(*shape, scale=1.0):
    return scale * torch.randn(*shape, generator=generator)


hidden, ref_hidden = normal(2 * B, T, D), normal(2 * B, T, D)
weight, ref_weight = normal(V, D, scale=0.6), normal(V, D, scale=0.6)
bias, ref_bias = normal(V, scale=0.3), normal(V, scale=0.3)
target = torch.randint(V, (2 * B, T), generator=generator)
for i, n in enumerate((7, 3, 5, 1, 6, 2)):
    target[i, n:] = IGNORED
desirable = torch.tensor([True, False, True, True, False, False])


def near(what, got, want, tolerance):
    global checks
    got, want = np.asarray(got, dtype=float), np.asarray(want, dtype=float)
    error = np.max(np.abs(got - want)) / (1e-3 + np.max(np.abs(want)))
    assert error <= tolerance, f"{what}: off by {error}"
    checks += 1


def compare(what, name, params, theirs, *, mean, tolerance=3e-5, alpha=0.0, **more):
    """`theirs` gets weight, hidden states and bias that require gradients."""
    w, h, b = (x.clone().requires_grad_() for x in (weight, hidden, bias))
    loss = theirs(w, h, b)[0]
    (1.5 * loss).backward()
    score = dict(score="mean", divisor="tokens") if mean else dict(score="sum")
    side = dict(side_coef=alpha, side_scope="chosen", side_divisor="pooled") if alpha else {}
    got = truing.linear_preference(
        name, hidden, weight, target, phase="single", reduction="mean", params=params, bias=bias, grad_bias=True,
        grad_scale=1.5, ignore_index=IGNORED, **score, **side, **more,
    )  # fmt: skip
    near(what, float(got.loss), loss.item(), tolerance)
    near(what + " grad_hidden", got.grad_hidden, h.grad, tolerance)
    near(what + " grad_weight", got.grad_weight, w.grad, tolerance)
    near(what + " grad_bias", got.grad_bias, b.grad, tolerance)


stacked, reference = dict(layout="stacked"), dict(ref_hidden=ref_hidden, ref_weight=ref_weight, ref_bias=ref_bias)
heads = (ref_hidden, ref_weight, ref_bias)
# `sigmoid` ignores its label smoothing; `exo_pair` forms a sum that cancels
for kind, name, params, tolerance in (
    ("sigmoid", "dpo", {}, 3e-5), ("hinge", "hinge", {}, 3e-5), ("exo_pair", "exo_pair", {"label_smoothing": 0.1}, 1e-4),
    ("nca_pair", "nca_pair", {}, 3e-5), ("robust", "robust_dpo", {"label_smoothing": 0.1}, 3e-5),
    ("bco_pair", "bco_pair", {}, 3e-5), ("sppo_hard", "sppo", {}, 3e-5), ("apo_zero", "apo_zero", {}, 3e-5),
    ("apo_down", "apo_down", {}, 3e-5), ("discopop", "discopop", {"tau": 0.05}, 1e-4),
):  # fmt: skip
    for beta in (0.1, 0.5):
        for mean in (False, True):
            smoothing = params.get("label_smoothing", 0.0)
            own = chunked_loss.LigerFusedLinearDPOLoss(
                ignore_index=IGNORED, beta=beta, compiled=False, average_log_prob=mean, loss_type=kind, label_smoothing=smoothing
            )
            compare(
                f"{kind}, beta {beta}, {'means' if mean else 'sums'}", name, dict(params, beta=beta),
                lambda w, h, b: own(w, h, target, b, *heads), mean=mean, tolerance=tolerance, **stacked, **reference,
            )  # fmt: skip
own = chunked_loss.LigerFusedLinearDPOLoss(ignore_index=IGNORED, compiled=False, compute_nll_loss=True, alpha=0.7)
compare("sigmoid with NLL", "dpo", {"beta": 0.1}, lambda w, h, b: own(w, h, target, b, *heads), mean=False, alpha=0.7, **stacked, **reference)

for smoothing in (0.0, 0.1):
    own = chunked_loss.LigerFusedLinearCPOLoss(ignore_index=IGNORED, beta=0.3, alpha=0.8, label_smoothing=smoothing, compiled=False)
    compare("cpo", "cpo", {"beta": 0.3, "label_smoothing": smoothing}, lambda w, h, b: own(w, h, target, b), mean=False, alpha=0.8, **stacked)
    own = chunked_loss.LigerFusedLinearSimPOLoss(
        ignore_index=IGNORED, beta=2.0, gamma=0.6, alpha=0.4, label_smoothing=smoothing, compute_nll_loss=True, compiled=False
    )
    compare("simpo", "simpo", {"beta": 2.0, "gamma": 0.6, "label_smoothing": smoothing},
            lambda w, h, b: own(w, h, target, b), mean=True, alpha=0.4, **stacked)  # fmt: skip
own = chunked_loss.LigerFusedLinearORPOLoss(ignore_index=IGNORED, beta=0.2, compute_nll_loss=True, compiled=False)
compare("orpo", "orpo", {"lam": 0.2, "nll_weight": 0.0}, lambda w, h, b: own(w, h, target, b), mean=True, alpha=1.0, **stacked)

for baseline in (0.0, 0.4):
    for mean in (False, True):
        own = chunked_loss.LigerFusedLinearKTOLoss(ignore_index=IGNORED, beta=0.3, compiled=False, use_ref_model=True, average_log_prob=mean)
        kl = torch.tensor(baseline)  # one number: a vector would meet every chunk whole
        for name in ("kto", "apo_zero_unpaired") if baseline == 0.0 else ("kto",):
            rows = dict(label=desirable) if name == "apo_zero_unpaired" else dict(label=desirable, baseline=torch.tensor(baseline))
            compare(name, name, {"beta": 0.3}, lambda w, h, b: own(h, w, target, b, desirable, *heads, kl), mean=mean, **rows, **reference)
print(f"liger.py: {checks} checks against Liger")
