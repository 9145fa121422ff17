"""The preference losses beside the code of TRL, value and gradient in f64. Usage: trainers.py LIBRARY

TRL's own functions run on tensors of ours: a trainer's loss reads a handful of settings of its object, which a bare
object with these settings stands in for.
"""

import sys
from types import SimpleNamespace
from unittest.mock import MagicMock

import numpy as np
import truing

truing.load(sys.argv[1])
try:
    import torch
    import trl
    from trl import DPOTrainer
except ImportError as missing:
    print(f"SKIPPED 1: {missing.name} is not installed, no loss is compared with TRL's")
    print("trainers.py: 0 checks")
    sys.exit()

B, T = 6, 9
rng = np.random.default_rng(3)
# a leading position without a log-prob, as TRL's masks have it
lengths = rng.integers(1, T + 1, size=2 * B)
mask = torch.zeros(2 * B, T + 1, dtype=torch.long)
for i, n in enumerate(lengths):
    mask[i, 1 : 1 + n] = 1
tokens = torch.tensor(rng.normal(size=(2 * B, T)) - 1.5, dtype=torch.float64) * mask[:, 1:]
ref = torch.tensor(rng.normal(size=2 * B) * 2 - 1.5 * lengths)
squares = torch.tensor(-np.abs(rng.normal(size=(2 * B, T))), dtype=torch.float64)
checks = 0


def near(what, got, want, tolerance=1e-12):
    global checks
    got, want = np.asarray(got, dtype=float), np.asarray(want, dtype=float)
    error = np.max(np.abs(got - want) / (1 + np.abs(want)))
    assert error <= tolerance, f"{what}: off by {error}"
    checks += 1


def accelerator():
    fake = MagicMock()
    fake.device = "cpu"
    fake.gather = fake.gather_for_metrics = lambda x: x
    return fake


def dpo_trainer(loss_type, beta, label_smoothing=0.0, dtype=torch.float64, **settings):
    """Loss and gradient of the tokens by TRL's DPOTrainer."""
    logps = tokens.to(dtype).clone().requires_grad_()
    outputs = SimpleNamespace(
        log_probs=logps, log_sum_sq_probs=squares, entropy=torch.zeros(2 * B, T), mean_logits=torch.zeros(2 * B, T),
        is_top1=torch.zeros(2 * B, T, dtype=torch.bool), aux_loss=None,
    )  # fmt: skip
    own = dict(
        model=SimpleNamespace(training=False), accelerator=accelerator(), aux_loss_enabled=False, ld_alpha=None,
        precompute_ref_logps=True, f_divergence_type="reverse_kl", f_alpha_divergence_coef=0.5, beta=beta,
        label_smoothing=label_smoothing, loss_types=[loss_type], loss_weights=[1.0], use_weighting=False,
        args=SimpleNamespace(discopop_tau=0.05, gradient_checkpointing_kwargs=None), _metrics=MagicMock(),
        _total_train_tokens=0, _tp_size=1,
    )  # fmt: skip
    own.update(settings)
    inputs = dict(
        completion_mask=mask, input_ids=torch.zeros(2 * B, T + 1, dtype=torch.long),
        attention_mask=torch.ones(2 * B, T + 1), ref_chosen_logps=ref[:B].to(dtype),
        ref_rejected_logps=ref[B:].to(dtype),
    )  # fmt: skip
    loss = DPOTrainer._compute_loss(SimpleNamespace(**own), lambda **_: outputs, inputs, False)
    loss.backward()
    return loss.item(), logps.grad.numpy()


def ours(name, params, **more):
    """Loss and gradient of the tokens here."""
    logps = tokens.numpy()
    seen = mask[:, 1:].numpy().astype("u1")
    score = dict(score="sum", mask=seen)
    ld = more.pop("ld", None)
    if ld is not None:
        shared = np.minimum(lengths[:B], lengths[B:]).astype("i4")
        score.update(score="ld", ld_alpha=ld, ld_prefix=np.concatenate([shared, shared]))
    policy = truing.sequence(logps, counts=True, **score)
    reference = more.pop("reference", ref.numpy())
    if ld is not None and reference is not None:
        score["ld_policy_only"] = False
    out = truing.preference(name, policy.scores, reference, params=params, reduction="mean", layout="stacked",
                            lengths=policy.counts if more.pop("divide", False) else None, **more)  # fmt: skip
    grad = truing.sequence_backward(out.grad_scores, logps, **score)
    return float(out.loss), grad.grad_logps


def compare(what, theirs, own, tolerance=1e-12):
    near(what, own[0], theirs[0], tolerance)
    near(what + " gradient", own[1] * mask[:, 1:].numpy(), theirs[1] * mask[:, 1:].numpy(), max(tolerance, 2e-7))


smooth = dict(label_smoothing=0.1)
for beta in (0.1, 0.7):
    p = dict(beta=beta)
    compare("sigmoid", dpo_trainer("sigmoid", beta), ours("dpo", p))
    compare("hinge", dpo_trainer("hinge", beta), ours("hinge", p))
    # TRL counts the tokens of the unshifted mask: the same number, as no completion starts at position 0
    compare("ipo", dpo_trainer("ipo", beta), ours("ipo", p, divide=True))
    compare("sigmoid_norm", dpo_trainer("sigmoid_norm", beta), ours("dpo_ln", p, divide=True))
    compare("exo_pair", dpo_trainer("exo_pair", beta, **smooth), ours("exo_pair", dict(p, **smooth)), 1e-6)
    compare("nca_pair", dpo_trainer("nca_pair", beta), ours("nca_pair", p))
    compare("robust", dpo_trainer("robust", beta, **smooth), ours("robust_dpo", dict(p, **smooth)))
    compare("bco_pair", dpo_trainer("bco_pair", beta), ours("bco_pair", p))
    compare("sppo_hard", dpo_trainer("sppo_hard", beta), ours("sppo", p))
    compare("apo_zero", dpo_trainer("apo_zero", beta), ours("apo_zero", p))
    compare("apo_down", dpo_trainer("apo_down", beta), ours("apo_down", p))
    compare("discopop", dpo_trainer("discopop", beta), ours("discopop", dict(p, tau=0.05)), 1e-10)
    # maps
    for divergence, settings in (
        ("forward_kl", dict(map="forward_kl")),
        ("js_divergence", dict(map="js")),
        ("alpha_divergence", dict(map="alpha", map_alpha=0.5)),
    ):
        # TRL's alpha map knows no f64, and its coefficient is 1 - alpha
        dtype = torch.float32 if divergence == "alpha_divergence" else torch.float64
        theirs = dpo_trainer("sigmoid", beta, f_divergence_type=divergence, dtype=dtype)
        compare(divergence, theirs, ours("dpo", p, **settings), 1e-5 if dtype == torch.float32 else 1e-10)
    # length-desensitised scores; the reference is precomputed there, so given here
    compare("ld", dpo_trainer("sigmoid", beta, ld_alpha=0.4), ours("dpo", p, ld=0.4))
    # optimal transport
    scores = tokens.sum(1).numpy()
    order = truing.aot_sort(scores[:B], scores[B:], ref.numpy()[:B], ref.numpy()[B:], pairing="unpaired")
    pairs = dict(chosen_seq=order.u_order, rejected_seq=order.v_order + np.int32(B))
    out = truing.preference("dpo", scores, ref.numpy(), params=dict(p, **smooth), reduction="mean", **pairs)
    loss, grad = dpo_trainer("aot_unpaired", beta, **smooth)
    near("aot_unpaired", out.loss, loss)
    near("aot_unpaired gradient", out.grad_scores[:, None] * mask[:, 1:].numpy(), grad * mask[:, 1:].numpy())
    order = truing.aot_sort(scores[:B], scores[B:], ref.numpy()[:B], ref.numpy()[B:], pairing="paired", difference=True)
    out = truing.preference("dpo", np.concatenate([order.difference, np.zeros(B)]), params=dict(p, **smooth),
                            reduction="mean", layout="stacked")  # fmt: skip
    near("aot", out.loss, dpo_trainer("aot", beta, **smooth)[0])
    # weights by the policy's own probabilities
    means = [(x * mask[:, 1:]).sum(1).numpy() / lengths for x in (tokens, squares)]
    weight = truing.wpo_weight(means[0][:B], means[0][B:], means[1][:B], means[1][B:], form="trl").weight
    compare("wpo", dpo_trainer("sigmoid", beta, use_weighting=True), ours("dpo", p, item_weight=weight))
    # the NLL of the chosen answers beside the loss
    near("sft", dpo_trainer("sft", beta)[0], -tokens[:B].sum().item() / lengths[:B].sum())

try:
    from trl.experimental.cpo import CPOTrainer
    from trl.experimental.orpo import ORPOTrainer
except ImportError:
    print("SKIPPED 2: this TRL has neither a CPO nor an ORPO trainer")
else:
    mean = torch.tensor(-np.abs(rng.normal(size=2 * B)) - 0.05)
    for what, settings, name, params in (
        ("cpo sigmoid", dict(loss_type="sigmoid", beta=0.3), "cpo", dict(beta=0.3)),
        ("cpo hinge", dict(loss_type="hinge", beta=0.3), "hinge", dict(beta=0.3)),
        ("cpo ipo", dict(loss_type="ipo", beta=0.3), "ipo_sum", dict(beta=0.3)),
        ("simpo", dict(loss_type="simpo", beta=2.0, simpo_gamma=0.5), "simpo", dict(beta=2.0, gamma=0.5)),
        ("alphapo", dict(loss_type="simpo", beta=2.0, simpo_gamma=0.5, alpha=0.25), "alphapo",
         dict(beta=2.0, gamma=0.5, alpha=0.25)),
    ):  # fmt: skip
        own = SimpleNamespace(**dict(dict(alpha=0.0, label_smoothing=0.0, simpo_gamma=0.0, accelerator=accelerator()), **settings))
        x = mean.clone().requires_grad_()
        losses, *_ = CPOTrainer.cpo_loss(own, x[:B], x[B:])
        losses.mean().backward()
        got = truing.preference(name, mean.numpy(), reduction="mean", layout="stacked", losses=True, params=params)
        near(what, got.losses, losses.detach())
        near(what + " gradient", got.grad_scores, x.grad)
    x = mean.clone().requires_grad_()
    losses, *_ = ORPOTrainer.odds_ratio_loss(SimpleNamespace(beta=0.2, accelerator=accelerator()), x[:B], x[B:])
    (-losses.mean()).backward()
    got = truing.preference("orpo", mean.numpy(), reduction="mean", layout="stacked", losses=True,
                            params=dict(lam=0.2, nll_weight=0.0))  # fmt: skip
    near("orpo", got.losses, -losses.detach(), 2e-6)
    near("orpo gradient", got.grad_scores, x.grad, 2e-6)
# ---- rows: KTO and its form without a baseline
label = rng.random(2 * B) < 0.5
label[:2] = True, False
shift_mask = mask[:, 1:].numpy().astype("u1")


def outputs_of(logps):
    """What TRL's patched models return."""
    zeros = torch.zeros(2 * B, T)
    return SimpleNamespace(
        log_probs=logps, entropy=zeros, mean_logits=zeros, is_top1=zeros.bool(), label_mask=mask[:, 1:].bool(), aux_loss=None,
        logits=None,
    )  # fmt: skip


from trl import KTOTrainer, RewardTrainer, SFTTrainer

for kind in ("kto", "apo_zero_unpaired"):
    for beta, shift in ((0.1, 0.8), (0.5, -0.8)):
        logps = tokens.clone().requires_grad_()
        ref_kl = torch.zeros(2 * B, dtype=torch.float64)
        kl = torch.tensor(rng.normal(size=2 * B) + shift)
        own = SimpleNamespace(
            model=SimpleNamespace(training=False), accelerator=accelerator(), aux_loss_enabled=False, precompute_ref_logps=True,
            calculate_KL=kind == "kto", loss_type=kind, beta=beta, desirable_weight=1.25, undesirable_weight=0.5,
            _compute_kl_logps=lambda model, batch: kl, _metrics=MagicMock(), _total_train_tokens=0, _tp_size=1,
        )  # fmt: skip
        inputs = dict(
            label=torch.tensor(label), completion_mask=mask, input_ids=torch.zeros(2 * B, T + 1, dtype=torch.long),
            attention_mask=torch.ones(2 * B, T + 1), ref_logps=ref, ref_KL_logps=ref_kl,
        )  # fmt: skip
        loss = KTOTrainer._compute_loss(own, lambda **_: outputs_of(logps), inputs, False)
        loss.backward()
        # the baseline by the operation
        baseline = truing.kto_baseline(kl.numpy(), ref_kl.numpy()).baseline
        score = dict(score="sum", mask=shift_mask)
        policy = truing.sequence(tokens.numpy(), **score)
        out = truing.preference(
            kind, policy.scores, ref.numpy(), reduction="mean", label=label,
            params=dict(beta=beta, desirable_weight=1.25, undesirable_weight=0.5),
            **(dict(baseline=baseline) if kind == "kto" else {}),
        )  # fmt: skip
        grad = truing.sequence_backward(out.grad_scores, tokens.numpy(), **score).grad_logps
        compare(kind, (loss.item(), logps.grad.numpy()), (float(out.loss), grad))

# ---- reward models
for center in (None, 0.01, 0.3):
    for margin in (None, torch.tensor(rng.normal(size=B))):
        rewards = torch.tensor(rng.normal(size=(2 * B, 1)) * 3).requires_grad_()
        own = SimpleNamespace(
            model=SimpleNamespace(training=False), accelerator=accelerator(), _metrics=MagicMock(), _total_train_tokens=0,
            args=SimpleNamespace(center_rewards_coefficient=center),
        )  # fmt: skip
        inputs = {} if margin is None else {"margin": margin}
        loss = RewardTrainer.compute_loss(own, lambda **_: SimpleNamespace(logits=rewards), inputs)
        loss.backward()
        out = truing.preference(
            "bt" if center is None else "bt_center", rewards.detach().numpy()[:, 0], reduction="mean", layout="stacked",
            params=None if center is None else dict(center=center), margin_chosen=None if margin is None else margin.numpy(),
        )  # fmt: skip
        near("reward model", out.loss, loss.item())
        near("reward model gradient", out.grad_scores, rewards.grad[:, 0])

# ---- A*-PO
try:
    from trl.experimental.a2po import A2POTrainer
except ImportError:
    print("SKIPPED 1: this TRL has no A2PO trainer")
else:
    scores = tokens.sum(1).clone().requires_grad_()
    samples = rng.normal(size=(2 * B, 4))
    values = 0.5 * np.log(np.exp(samples / 0.5).mean(1))
    rewards = torch.tensor(rng.random(2 * B))
    own = SimpleNamespace(
        model=SimpleNamespace(training=False), args=SimpleNamespace(beta2=0.02), _metrics=MagicMock(),
        _get_sequence_logps=lambda *_: scores,
    )  # fmt: skip
    inputs = dict(input_ids=None, attention_mask=None, logits_to_keep=None, ref_logps=ref, rewards=rewards, v_star=torch.tensor(values))
    loss = A2POTrainer.compute_loss(own, None, inputs)
    loss.backward()
    value = truing.a_star_value(samples.reshape(-1), cu_seqlens=np.arange(0, 8 * B + 1, 4), beta=0.5, mode="log_mean_exp").value
    out = truing.preference("a_star_po", scores.detach().numpy(), ref.numpy(), reduction="mean", params=dict(beta2=0.02),
                            baseline=rewards.numpy() - value)  # fmt: skip
    near("a2po", out.loss, loss.item())
    near("a2po gradient", out.grad_scores, scores.grad)

# ---- NLL and DFT of fine-tuning, over given log-probs and from logits
for kind in ("nll", "dft"):
    logps = (tokens.float() - 0.1 * mask[:, 1:]).clamp(max=0).requires_grad_()
    own = SimpleNamespace(
        model=SimpleNamespace(training=False), accelerator=accelerator(), aux_loss_enabled=False, compute_loss_func=None,
        label_smoother=None, args=SimpleNamespace(loss_type=kind, average_tokens_across_devices=False), _metrics=MagicMock(),
        _total_train_tokens=0, _tp_size=1,
    )  # fmt: skip
    loss = SFTTrainer.compute_loss(own, lambda **_: outputs_of(logps), dict(labels=None, attention_mask=torch.ones(1)))
    loss.backward()
    out = truing.policy(kind, logps.detach().numpy(), mask=shift_mask, level="token", aggregate="token_mean")
    near(kind, out.loss, loss.item(), 1e-6)
    near(kind + " gradient", out.grad_logps, logps.grad * mask[:, 1:], 1e-6)

# ---- triple preference optimisation: two answers and a gold one, whose NLL is a side term; the logits are the hidden states of
# a head that is the identity
try:
    from trl.experimental.tpo import TPOTrainer
except ImportError:
    print("SKIPPED 1: this TRL has no TPO trainer")
else:
    V = 11
    lengths3 = rng.integers(1, T + 1, size=3 * B)
    mask3 = torch.zeros(3 * B, T + 1, dtype=torch.long)
    for i, n in enumerate(lengths3):
        mask3[i, 1 : 1 + n] = 1
    ids = torch.tensor(rng.integers(0, V, size=(3 * B, T + 1)))
    for kind, name, params, mean in (
        ("sigmoid", "cpo", dict(beta=0.3, label_smoothing=0.1), False),
        ("hinge", "hinge", dict(beta=0.3), False),
        ("ipo", "ipo", dict(beta=0.3), False),
        ("tpo-l", "simpo", dict(beta=0.3, gamma=0.5, label_smoothing=0.1), True),
    ):
        logits = torch.tensor(rng.normal(size=(3 * B, T + 1, V)), dtype=torch.float32, requires_grad=True)
        own = SimpleNamespace(
            model=SimpleNamespace(training=False), accelerator=accelerator(), loss_type=kind, tpo_alpha=0.7, beta=0.3,
            label_smoothing=0.1, tpo_l_gamma=0.5, _metrics=MagicMock(), _total_train_tokens=0, _tp_size=1,
        )  # fmt: skip
        inputs = dict(completion_mask=mask3, input_ids=ids, attention_mask=torch.ones(3 * B, T + 1))
        loss = TPOTrainer._compute_loss(own, lambda **_: SimpleNamespace(logits=logits), inputs, False)
        loss.backward()
        reference = dict(ref_scores=np.zeros(3 * B)) if name in ("hinge", "ipo") else {}
        out = truing.linear_preference(
            name, logits.detach().numpy()[:, :-1], np.eye(V, dtype="f4"), ids.numpy()[:, 1:], mask=mask3.numpy()[:, 1:].astype("u1"),
            phase="single", reduction="mean", layout="stacked", params=params, grad_weight=False, side_coef=0.7,
            side_scope="anchor", side_divisor="pooled", **(dict(score="mean", divisor="tokens") if mean else dict(score="sum")),
            **reference,
        )  # fmt: skip
        near(f"tpo {kind}", out.loss, loss.item(), 2e-6)
        near(f"tpo {kind} gradient", out.grad_hidden, logits.grad[:, :-1], 2e-6)
print(f"trainers.py: {checks} checks against TRL {trl.__version__}")
