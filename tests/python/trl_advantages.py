"""Advantages of TRL's trainers, by their own lines: the text between two statements of a method is run on tensors made
here, and the library with the named options must give the same numbers. Usage: trl_advantages.py LIBRARY"""

import inspect
import sys
import textwrap
import types

import numpy as np
import truing

truing.load(sys.argv[1])
try:
    import torch
    from trl.experimental.iw_opd.iw_opd_trainer import IWOPDTrainer
    from trl.trainer.grpo_trainer import GRPOTrainer
    from trl.trainer.rloo_trainer import RLOOTrainer
except ImportError as e:
    print(f"SKIPPED 1: {e}, the numbers of TRL are not compared")
    print("trl_advantages.py: 0 checks")
    sys.exit()

checks = 0
r = np.random.default_rng(3)


def lines(method, first, last):
    """The statements of `method` from the one that starts with `first` to the one that starts with `last`."""
    text = inspect.getsource(method).split("\n")
    start = next(i for i, line in enumerate(text) if line.strip().startswith(first))
    end = next(i for i in range(start, len(text)) if text[i].strip().startswith(last))
    return compile(textwrap.dedent("\n".join(text[start : end + 1])), f"{method.__qualname__}", "exec")


def run(code, method, **names):
    """Runs them as in the method: with the names of its module."""
    space = dict(sys.modules[method.__module__].__dict__, **names)
    exec(code, space)
    return space


def close(got, want, words, tolerance=2e-6):
    global checks
    checks += 1
    error = np.max(np.abs(np.asarray(got, "f8") - np.asarray(want, "f8")))
    assert error <= tolerance, f"{words}: off by {error}"


def rewards(n, k, missing):
    x = r.normal(size=(n, k)).astype("f4")
    if missing:
        x[1] = np.nan
        x[4, 0] = np.nan
        x[8:11] = np.nan
    return x


end = "advantages = torch.nan_to_num"
grpo = lines(GRPOTrainer._generate_and_score_completions, "unscorable_mask =", end)
rloo = lines(RLOOTrainer._generate_and_score_completions, "unscorable_mask =", end)
size = 4
for n in (16, 40):
    offsets = np.arange(0, n + 1, size)
    for missing in (False, True):
        x, w = rewards(n, 3, missing), r.uniform(0.2, 2, 3).astype("f4")
        tensors = dict(rewards_per_func=torch.from_numpy(x), num_generations=size, device="cpu", mode="train")
        for order in ("sum_then_normalize", "normalize_then_sum"):
            for scale, preset in (("group", "grpo"), ("batch", "grpo_batch_std"), ("none", "dr_grpo")):
                me = types.SimpleNamespace(multi_objective_aggregation=order, scale_rewards=scale,
                                           reward_weights=torch.from_numpy(w), reward_funcs=[None] * 3)  # fmt: skip
                want = run(grpo, GRPOTrainer._generate_and_score_completions, self=me, **tensors)["advantages"]
                if order == "sum_then_normalize":
                    got = truing.multi_objective_advantage(x, w, offsets, order="sum_first", preset=preset)
                else:
                    got = truing.multi_objective_advantage(x, w, offsets, order="normalise_first", preset="grpo",
                                                           batch_step="standardise")  # fmt: skip
                close(got.advantages, want, f"GRPO {order} {scale} {missing}")
        for beta in (0.0, 0.05):
            for normalise in (False, True):
                old, ref = (-3 * r.random((n, 7)).astype("f4") for _ in range(2))
                mask = (r.random((n, 7)) < 0.8).astype("i8")
                me = types.SimpleNamespace(reward_weights=torch.from_numpy(w), reward_clip_range=(-1.5, 1.5), beta=beta,
                                           normalize_advantages=normalise, accelerator=types.SimpleNamespace(process_index=0))  # fmt: skip
                space = run(rloo, RLOOTrainer._generate_and_score_completions, self=me, gather=lambda t: t,
                            old_per_token_logps=torch.from_numpy(old), ref_per_token_logps=torch.from_numpy(ref),
                            completion_mask=torch.from_numpy(mask), prompts=[None] * n, **tensors)  # fmt: skip
                total = truing.multi_objective_advantage(x, w, offsets, order="sum_first", preset="raw", combined=True)
                scored = truing.token_reward(old, ref, total.combined, estimator="k1", level="sequence", coef=beta,
                                             mask=mask, reward_min=-1.5, reward_max=1.5)  # fmt: skip
                a = truing.group_advantage(scored.rewards, offsets, preset="rloo").advantages
                if normalise:
                    live = np.isfinite(scored.rewards).reshape(-1, size)
                    # a group with one scored row has no advantage, and TRL leaves it out as well
                    live = (live & (live.sum(1, keepdims=True) > 1)).reshape(-1).astype("u1")
                    a = truing.whiten(a, mask=live, std_kind="unbiased", eps_kind="add", eps=1e-4).values
                close(a, space["advantages"], f"RLOO {beta} {normalise} {missing}")

iw = lines(IWOPDTrainer._compute_iw_opd_loss, "a_opd = (safe", "advantages = weights * a_opd")
for gain in (0.5, 1.5):
    student, teacher = (-4 * r.random((5, 9)).astype("f4") for _ in range(2))
    mask = (r.random((5, 9)) < 0.8).astype("u1")
    live = torch.from_numpy(mask).bool()
    space = run(iw, IWOPDTrainer._compute_iw_opd_loss, self=types.SimpleNamespace(iw_opd_gamma=gain, iw_opd_epsilon=1e-8),
                safe_teacher_logprobs=torch.from_numpy(teacher), safe_rollout_logprobs=torch.from_numpy(student), valid_mask=live)  # fmt: skip
    got = truing.distill_advantage("iw_opd", student, teacher, mask=mask, params={"gain": gain}).advantages
    close(got, space["advantages"], f"IW-OPD {gain}")
print(f"trl_advantages.py: {checks} checks, the numbers of TRL")
