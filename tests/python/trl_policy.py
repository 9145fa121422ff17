"""Numbers of TRL's GRPO trainer by named options: value and gradient of its loss, run on tensors of our own.

Needs torch and trl (1.16). Usage: trl_policy.py LIBRARY
"""

import types

from peer import start

GRPOTrainer = start(
    "trl_policy.py", "policy loss is compared with TRL's", "trl.trainer.grpo_trainer", "GRPOTrainer"
)
import torch  # noqa: E402
import trl  # noqa: E402
import truing  # noqa: E402

B, T, LENGTH = 6, 17, 40
mask = torch.rand(B, T) < 0.8
mask[:, 0] = True
logps = -3 * torch.rand(B, T)
near = lambda size: (logps + size * torch.randn(B, T)).clamp(max=0)  # noqa: E731
old, ref, sampler = near(0.3), near(0.5), near(0.2)
entropy, advantage = 2 * torch.rand(B, T), torch.randn(B)
correction = truing.importance_weight(
    old, sampler, mask=mask.to(torch.uint8), level="token", action="truncate", missing="one", high=2.0
).weights
correction_of_masked = torch.where(mask, correction, torch.ones(()))  # TRL does not mask this sum


def theirs(loss_type, **settings):
    """Value, gradient of the log-probs, gradient of the entropies."""
    s = dict(
        level="token", low=0.2, high=0.2, delta=None, beta=0.0, bias=True, top=1.0, coef=0.0, off_policy=None, vllm=False
    )
    s.update(settings)
    same = lambda x, **_: x  # noqa: E731
    accelerator = types.SimpleNamespace(
        gather=same, reduce=same, gather_for_metrics=same, num_processes=1, sync_gradients=True,
        pad_across_processes=lambda x, **_: x,
    )  # fmt: skip
    args = types.SimpleNamespace(
        use_bias_correction_kl=s["bias"], delta=s["delta"], sapo_temperature_pos=1.0, sapo_temperature_neg=1.05,
        vespo_k_pos=2.0, vespo_lambda_pos=3.0, vespo_k_neg=3.0, vespo_lambda_neg=2.0, steps_per_generation=1,
    )  # fmt: skip
    l, h = logps.clone().requires_grad_(), entropy.clone().requires_grad_()
    trainer = types.SimpleNamespace(
        _get_per_token_logps_and_entropies=lambda *a, **k: (l, h, None), aux_loss_enabled=False, args=args,
        top_entropy_quantile=s["top"], off_policy_mask_threshold=s["off_policy"], importance_sampling_level=s["level"],
        beta=s["beta"], loss_type=loss_type, epsilon_low=s["low"], epsilon_high=s["high"], use_vllm=s["vllm"],
        vllm_importance_sampling_correction=s["vllm"], current_gradient_accumulation_steps=1, max_completion_length=LENGTH,
        accelerator=accelerator, _entropy_bonus_enabled=s["coef"] > 0, use_adaptive_entropy=False, entropy_coef=s["coef"],
        _metrics={"train": __import__("collections").defaultdict(list)}, model=types.SimpleNamespace(training=True),
        get_off_policy_mask=GRPOTrainer.get_off_policy_mask, get_gamma_weights=GRPOTrainer.get_gamma_weights,
    )  # fmt: skip
    trainer.get_high_entropy_mask = types.MethodType(GRPOTrainer.get_high_entropy_mask, trainer)
    trainer.model.training = True
    inputs = dict(
        prompt_ids=torch.zeros(B, 1, dtype=torch.long), prompt_mask=torch.ones(B, 1, dtype=torch.long),
        completion_ids=torch.zeros(B, T, dtype=torch.long), completion_mask=mask.float(), advantages=advantage,
        old_per_token_logps=old, ref_per_token_logps=ref, sampling_per_token_logps=sampler,
        num_items_in_batch=mask.sum(),
    )  # fmt: skip
    if s["vllm"]:
        inputs["importance_sampling_ratio"] = correction_of_masked
    loss = GRPOTrainer._compute_loss(trainer, trainer.model, inputs)
    loss.backward()
    return loss.detach(), l.grad, torch.zeros_like(h) if h.grad is None else h.grad


MODES = {
    "grpo": dict(aggregate="seq_mean_token_mean", count_empty="all"),
    "sapo": dict(aggregate="seq_mean_token_mean", count_empty="all"),
    "dr_grpo": dict(aggregate="seq_mean_token_sum_norm", max_length=LENGTH, count_empty="all"),
    # the entry itself multiplies by the length
    "luspo": dict(aggregate="seq_mean", count_empty="all"),
}


def ours(loss_type, **settings):
    s = dict(level="token", low=0.2, high=0.2, delta=None, beta=0.0, bias=True, top=1.0, coef=0.0, off_policy=None, vllm=False)
    s.update(settings)
    sequence = s["level"] == "sequence"
    entry = {"sapo": "sapo", "cispo": "cispo", "vespo": "vespo", "luspo": "luspo" if sequence else "ppo_clip"}
    name, more = entry.get(loss_type, "gspo" if sequence else "ppo_clip"), {}
    mode = MODES.get(loss_type, dict(aggregate="token_mean"))
    if name == "cispo":
        more = dict(variant=1, params=dict(clip_high=s["high"]))
    elif name in ("ppo_clip", "gspo", "luspo"):
        more = dict(params=dict(clip_low=s["low"], clip_high=s["high"], delta=s["delta"]))
    if s["beta"]:
        weight = "one" if not s["bias"] else "ratio_sequence" if sequence else "ratio"
        more.update(kl="k3", kl_weight=weight, kl_gradient="pathwise", kl_coef=s["beta"], ref=ref)
    live = mask.to(torch.uint8)
    if s["top"] < 1:
        more["entropy_mask"] = truing.top_entropy_mask(entropy, mask=live, share=s["top"]).keep
    if s["coef"]:
        more.update(entropy_coef=s["coef"], entropy_aggregate="token_mean", entropy_denominator="kept", grad_entropy=True)
    if s["off_policy"] is not None:
        more["sequence_keep"] = truing.off_policy_sequence_mask(logps, sampler, advantage, mask=live, delta=s["off_policy"]).keep
    if s["vllm"]:
        more["importance_weight"] = correction
    level = "sequence" if sequence or name == "vespo" else "token"
    out = truing.policy(name, logps, old, level=level, advantage=advantage, mask=live, entropy=entropy, **mode, **more)
    return out.loss, out.grad_logps, getattr(out, "grad_entropy", torch.zeros(B, T))


CASES = [
    ("grpo", {}), ("bnpo", {}), ("dr_grpo", {}), ("dapo", dict(high=0.28)), ("dapo", dict(delta=1.3)),
    ("dapo", dict(delta=1.1, beta=0.1)), ("grpo", dict(beta=0.04)), ("grpo", dict(beta=0.04, bias=False)),
    ("cispo", dict(high=0.2)), ("cispo", dict(high=5.0, beta=0.1)), ("sapo", {}), ("sapo", dict(beta=0.1)),
    ("grpo", dict(level="sequence", low=0.02, high=0.03)), ("grpo", dict(level="sequence", beta=0.1)),
    ("sapo", dict(level="sequence")), ("cispo", dict(level="sequence", high=1.0)),
    ("luspo", dict(level="sequence", low=0.02, high=0.03)), ("vespo", {}), ("vespo", dict(vllm=True)),
    ("dapo", dict(vllm=True)), ("dapo", dict(vllm=True, beta=0.1, level="sequence")), ("dapo", dict(top=0.3)),
    ("dapo", dict(top=0.3, coef=0.1, beta=0.1)), ("grpo", dict(coef=0.05)), ("dapo", dict(off_policy=0.0, beta=0.1)),
    ("dr_grpo", dict(off_policy=-0.05, vllm=True, top=0.5, coef=0.2)),
]  # fmt: skip
checks = 0
for loss_type, settings in CASES:
    want, got = theirs(loss_type, **settings), ours(loss_type, **settings)
    for name, a, b in zip(("loss", "gradient", "entropies"), got, want):
        a, b = torch.as_tensor(a, dtype=torch.float64), b.double()
        size = b.abs().max().clamp(min=1e-3)
        assert ((a - b).abs() <= 1e-5 * size).all(), (loss_type, settings, name, a, b)
        checks += a.numel()
print(f"trl_policy.py: {checks} checks of {len(CASES)} settings against trl {trl.__version__}")
