"""Gradients of the preference losses under torch.autograd.gradcheck in f64. Usage: gradcheck.py LIBRARY"""

import sys

import numpy as np
import truing

truing.load(sys.argv[1])
try:
    import torch
except ImportError:
    print("SKIPPED 1: torch is not installed, torch.autograd.gradcheck is not run")
    print("gradcheck.py: 0 checks")
    sys.exit()

rng = np.random.default_rng(11)
ref = rng.normal(size=8) * 3 - 20
lengths = np.array([3, 5, 8, 2, 7, 7, 1, 4], "i4")
pairs = dict(layout="interleaved")
cases = [
    ("dpo", dict(beta=0.3, **pairs)),
    ("dpo", dict(beta=0.3, label_smoothing=0.1, **pairs)),
    ("ipo", dict(beta=0.5, lengths=lengths, **pairs)),
    ("simpo", dict(lengths=lengths, score_kind="sum", **pairs)),
    ("plackett_luce", dict(beta=0.2, list_offsets=np.array([0, 3, 4, 8], "i4"))),
]
checks = 0
for name, options in cases:
    for reduction in ("sum", "mean"):

        class Loss(torch.autograd.Function):
            @staticmethod
            def forward(ctx, scores):
                given = dict(options, reduction=reduction)
                if name != "simpo":
                    given["ref_scores"] = torch.from_numpy(ref)
                given = {k: torch.from_numpy(v) if isinstance(v, np.ndarray) else v for k, v in given.items()}
                out = getattr(truing.losses, name)(scores.detach(), **given)
                ctx.save_for_backward(out.grad_scores)
                return torch.as_tensor(out.loss, dtype=torch.float64).reshape(())

            @staticmethod
            def backward(ctx, grad):
                return grad * ctx.saved_tensors[0]

        scores = torch.from_numpy(rng.normal(size=8) * 3 - 20).requires_grad_()
        assert torch.autograd.gradcheck(Loss.apply, scores, eps=1e-6, atol=1e-5, rtol=1e-3, nondet_tol=0.0), name
        checks += 1

# cross entropy of logits in f64 against torch's: value and gradient
for smoothing in (0.0, 0.2):
    for weighted in (False, True):
        for reduction, name in (("sum", "sum"), ("weighted_mean", "mean")):
            z = torch.from_numpy(rng.normal(size=(7, 33)) * 3).requires_grad_()
            y = torch.from_numpy(rng.integers(0, 33, 7))
            y[2] = -100
            w = torch.from_numpy(rng.uniform(0, 2, 33)) if weighted else None
            want = torch.nn.functional.cross_entropy(z, y, weight=w, label_smoothing=smoothing, reduction=name)
            want.backward()
            out = truing.logprob(
                z.detach(), y, ignore_index=-100, class_weight=w, label_smoothing=smoothing,
                smoothing_form="torch" if smoothing else None, reduction=reduction, grad_logits=True,
            )  # fmt: skip
            assert abs(out.loss - want.item()) <= 1e-13 * abs(want.item()), (smoothing, weighted, reduction, out.loss, want)
            assert torch.max(torch.abs(out.grad_logits - z.grad)) <= 1e-15 + 1e-13 * torch.max(torch.abs(z.grad))
            checks += 1
print(f"gradcheck.py: {checks} checks")
