"""The distillation loss of TRL's GOLD trainer across vocabularies: `ULDLoss` run on tensors of our own, value and gradient.

Needs torch and trl (1.16). Usage: trl_gold.py LIBRARY
"""

import types

from peer import start

ULDLoss = start(
    "trl_gold.py", "loss across vocabularies is compared with TRL's", "trl.experimental.gold.gold_trainer", "ULDLoss"
)
import torch  # noqa: E402
import truing  # noqa: E402

N, V, W = 7, 31, 40
TEMPERATURES = 1.5, 0.75
own, other = torch.randperm(V)[:20], torch.randperm(W)[:20]
checks = 0


def theirs(z, t, groups, hybrid, beta, weights, strategy):
    """The loss of one sequence: `groups` of rows of the student stand for one row of the teacher each."""
    config = types.SimpleNamespace(
        uld_crossentropy_weight=0.0, uld_distillation_weight=1.0, uld_student_temperature=TEMPERATURES[0],
        uld_teacher_temperature=TEMPERATURES[1], uld_skip_student_eos=False, uld_skip_teacher_eos=False,
        use_extended_uld=True, uld_token_merge_strategy=strategy, uld_use_hybrid_loss=hybrid,
        uld_hybrid_matched_weight=weights and weights[0], uld_hybrid_unmatched_weight=weights and weights[1], beta=beta,
    )  # fmt: skip
    # tokens are their own ids, but those that have a partner
    names = {f"student {i}": i for i in range(V)}, {f"teacher {i}": i for i in range(W)}
    for i, (a, b) in enumerate(zip(own.tolist(), other.tolist(), strict=True)):
        del names[0][f"student {a}"], names[1][f"teacher {b}"]
        names[0][f"both {i}"], names[1][f"both {i}"] = a, b
    tokenizers = [types.SimpleNamespace(get_vocab=lambda n=n: n) for n in names]
    loss = ULDLoss(config, *tokenizers)
    # as its loop over a batch does it
    p = torch.softmax(z / TEMPERATURES[0], -1)
    q = torch.softmax(t / TEMPERATURES[1], -1)
    p = loss._merge_probabilities_with_alignment_groups(p, groups, tokens.tolist())
    if hybrid:
        return loss._compute_hybrid_uld_loss(p, q)
    sort = lambda x: x.sort(dim=-1, descending=True).values  # noqa: E731
    p, q = sort(p), sort(q)
    return (torch.nn.functional.pad(p, (0, W - V)) - q).abs().sum() / p.size(0)


for case, (hybrid, beta, weights, strategy) in enumerate(
    (h, b, w, s)
    for h, b in [(False, 0.5), (True, 0.0), (True, 0.3), (True, 0.5), (True, 1.0)]
    for w in [None, (1.0, 1.0), (0.25, 2.0), (1.0, 0.0), (0.0, 1.0)][: 5 if h else 1]
    for s in ("observed", "bayesian")
):
    # no probability below the 1e-8 at which TRL floors them
    z, t = torch.randn(N + 3, V).requires_grad_(), torch.randn(N, W)
    tokens = z.argmax(-1)
    rows = iter(range(N + 3))
    groups = [[next(rows) for _ in range(size)] for size in (1, 3, 1, 1, 2, 1, 1)]
    loss = theirs(z, t, groups, hybrid, beta, weights, strategy)
    (want,) = torch.autograd.grad(loss, z)

    # ours: the base row of each group, the other tokens' probabilities as its scale
    base = [g[-1 if strategy == "bayesian" else 0] for g in groups]
    further = [[i for i in g if i != b] for g, b in zip(groups, base, strict=True)]
    logps = torch.log_softmax(z / TEMPERATURES[0], -1)[torch.arange(N + 3), tokens]
    scale = torch.stack([logps[g].sum().exp() if g else torch.ones(()) for g in further])
    settings = dict(matched=(own, other), matched_beta=beta, matched_weights=weights) if hybrid else {}
    out = truing.uld(
        z.detach()[base].contiguous(), t, student_transform=dict(temperature=TEMPERATURES[0]), aggregate="token_mean",
        teacher_transform=dict(temperature=TEMPERATURES[1]), student_scale=scale.detach().contiguous(), grad_loss=1.0,
        grad_student=True, grad_student_scale=True, **settings,
    )  # fmt: skip
    (got,) = torch.autograd.grad((scale * out.grad_student_scale).sum(), z)
    got[base] += out.grad_student
    for ours, there in ((torch.as_tensor(out.loss).double().reshape(()), loss.detach().double()), (got, want)):
        checks += ours.numel()
        error = (ours - there).abs().max().item()
        assert error <= 2e-6 * (1 + there.abs().max().item()), f"{case} {hybrid} {beta} {weights} {strategy}: off by {error}"

print(f"trl_gold.py: {checks} checks")
