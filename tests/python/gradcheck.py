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
print(f"gradcheck.py: {checks} checks")
