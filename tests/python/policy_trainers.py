"""Numbers of verl, OpenRLHF, AReaL and ms-swift by named options: values and gradients of their policy and value losses, KL
penalties, corrections, rewards and advantages, run on tensors of our own. Usage: policy_trainers.py LIBRARY

Needs torch and the files of verl (0.9.1), OpenRLHF (0.11.2), AReaL (1.0.4) and ms-swift (4.6.0):
`pip install --no-deps verl openrlhf areal ms-swift`. Only their functions run, so what their trainers import beside (ray,
deepspeed, tensordict, omegaconf) may be missing, and nothing stands in its place.
"""

import ast
import importlib.machinery
import importlib.metadata
import importlib.util
import sys
import textwrap
import types
from unittest.mock import MagicMock

try:
    import torch
except ImportError:
    print("SKIPPED 4: torch is not installed, no number is compared with a trainer's")
    print("policy_trainers.py: 0 checks")
    sys.exit(0)
import numpy as np
import truing

truing.load(sys.argv[1])
torch.manual_seed(0)


def folder(name):
    """Where a package lies that is not imported."""
    found = importlib.util.find_spec(name)
    if found is None:
        print(f"SKIPPED 1: {name} is not installed, no number is compared with its")
    return found and found.submodule_search_locations[0]


def read(name, path):
    """A module by its file, without the package around it."""
    loader = importlib.machinery.SourceFileLoader(name, path)
    module = importlib.util.module_from_spec(importlib.machinery.ModuleSpec(name, loader, origin=path))
    sys.modules[name] = module
    loader.exec_module(module)
    return module


def functions(path, names, **space):
    """Some functions or methods of a file that as a whole imports too much."""
    text = open(path).read()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef) and node.name in names:
            node.returns, node.decorator_list = None, []
            for argument in node.args.args:
                argument.annotation = None
            exec(compile(ast.Module([node], []), path, "exec"), space)
    return types.SimpleNamespace(**{name: space[name] for name in names})


def lines(path, method, first, last):
    """The lines of a method from the one that starts with `first` to the one that starts with `last`, and what follows that
    one at a deeper indent."""
    text = open(path).read()
    nodes = (n for n in ast.walk(ast.parse(text)) if isinstance(n, ast.FunctionDef) and n.name == method)
    found = ast.get_source_segment(text, next(nodes)).split("\n")
    start = next(i for i, line in enumerate(found) if line.strip().startswith(first))
    end = next(i for i in range(start, len(found)) if found[i].strip().startswith(last))
    return compile(textwrap.dedent("\n".join(found[start : end + 1])), f"{path}, {method}", "exec")


def package(name, **members):
    module = types.ModuleType(name)
    module.__path__ = []
    vars(module).update(members)
    sys.modules[name] = module


def absent(*names):
    """What may be missing."""
    for name in names:
        if name not in sys.modules and ("." in name or importlib.util.find_spec(name) is None):
            sys.modules[name] = MagicMock()


class Settings(types.SimpleNamespace):
    def get(self, name, default):
        return getattr(self, name, default)


checks = 0


def close(got, want, words, tolerance=1e-5):
    global checks
    got, want = np.asarray(got, "f8"), np.asarray(want, "f8")
    error = np.max(np.abs(got - want)) / max(np.max(np.abs(want)), 1e-3)
    assert error <= tolerance, f"{words}: off by {error}"
    checks += want.size


B, T = 8, 21
mask = (torch.rand(B, T) < 0.8).float()
mask[:, 0], mask[3] = 1, 0
logps = -3 * torch.rand(B, T)
near = lambda size: (logps + size * torch.randn(B, T)).clamp(max=0)  # noqa: E731
old, ref, weights = near(0.4), near(0.5), 0.5 + torch.rand(B, T)
each, whole = torch.randn(B, T), torch.randn(B, 1).expand(B, T).contiguous()
live = mask.to(torch.uint8)
MODES = {
    "token-mean": dict(aggregate="token_mean"),
    "token-sum": dict(aggregate="token_sum"),
    "seq-mean-token-sum": dict(aggregate="seq_mean_token_sum", count_empty="nonempty"),
    "seq-mean-token-sum-norm": dict(aggregate="seq_mean_token_sum_norm", count_empty="nonempty", max_length=T),
    "seq-mean-token-mean": dict(aggregate="seq_mean_token_mean", count_empty="nonempty"),
}
wide = dict(level="sequence", advantage=whole)
clips = dict(clip_low=0.15, clip_high=0.25)
values, estimate, returns = torch.randn(B, T), torch.randn(B, T), torch.randn(B, T)


def of_verl():
    """Of verl's file of algorithms."""
    place = folder("verl")
    if not place:
        return
    absent("omegaconf", "tensordict", "transformers")
    package("verl")
    package("verl.utils")
    package("verl.utils.device", get_device_name=lambda: "cpu", get_torch_device=lambda: torch.cpu)
    package("verl.utils.import_utils", deprecated=lambda *_: lambda f: f)
    groups = read("verl.utils.groupwise", f"{place}/utils/groupwise.py")
    package("verl.utils", as_torch_index=groups.as_torch_index, group_mean_std=groups.group_mean_std)
    sys.modules["verl.utils"].torch_functional = read("verl.utils.torch_functional", f"{place}/utils/torch_functional.py")
    package("verl.trainer")
    package("verl.trainer.config", AlgoConfig=type("AlgoConfig", (dict,), {}))
    package("verl.workers")
    package("verl.workers.config", ActorConfig=Settings)
    verl = read("verl.trainer.ppo.core_algos", f"{place}/trainer/ppo/core_algos.py")
    LOSSES = [
        ("vanilla", "ppo_clip", dict(params=dict(clips, dual_clip=1.4), advantage=each)),
        ("dppo_tv", "dppo_tv", dict(params=dict(delta_low=0.15, delta_high=0.25, ratio_max=1.4), advantage=each)),
        ("dppo_kl", "dppo_kl", dict(params=dict(delta_low=0.15, delta_high=0.25, ratio_max=1.4), advantage=each)),
        ("gspo", "gspo_token", dict(params=clips, level="sequence", advantage=each)),
        ("sapo", "sapo", dict(params=dict(tau_pos=1.0, tau_neg=1.05), advantage=each)),
        ("gpg", "reinforce", dict(advantage=each)),
        ("kl_cov", "kl_cov", dict(params=dict(coef=0.7), advantage=each)),
        ("geo_mean", "gmpo", dict(wide, params=clips)),
        ("dro", "dro", dict(params=dict(tau=0.3), advantage=each)),
        ("cispo", "cispo", dict(variant=3, params=clips, advantage=each)),
    ]  # fmt: skip
    for theirs, name, more in LOSSES:
        for mode, aggregate in MODES.items():
            for corrected in (False, True):
                if theirs == "geo_mean" and (mode != "token-mean" or corrected) or theirs == "sapo" and mode != "seq-mean-token-mean":
                    continue
                share = 0.1
                actor = Settings(clip_ratio=0.2, clip_ratio_low=0.15, clip_ratio_high=0.25, clip_ratio_c=1.4, tau_pos=1.0, tau_neg=1.05,
                              policy_loss=Settings(kl_cov_ratio=share, ppo_kl_coef=0.7, dro_beta=0.3), global_batch_info={})  # fmt: skip
                l, advantage = logps.clone().requires_grad_(), more["advantage"]
                loss, metrics = verl.get_policy_loss_fn(theirs)(old, l, advantage, mask, mode, actor, weights if corrected else None)
                loss.backward()
                call = dict(level="token", mask=live, statistics=True, **aggregate)
                call.update(more)
                if theirs == "geo_mean":  # the mean over all rows
                    call.update(aggregate="seq_mean", count_empty="all", advantage=whole[:, 0].contiguous())
                if theirs == "kl_cov":
                    call["flag"] = truing.cov_select(logps, advantage, mask=live, share=share, form="kl").flag
                if corrected:
                    call["importance_weight"] = weights
                out = truing.policy(name, logps, old, **call)
                close(out.loss, loss.detach(), f"{theirs} {mode} {corrected}")
                close(out.grad_logps, l.grad, f"{theirs} {mode} {corrected}, gradient")
                if theirs == "vanilla":
                    s, n = out.statistics, float(mask.sum())
                    close([(s[3] + s[4]) / n, s[9] / n, s[5] / n],
                          [metrics["actor/" + k] for k in ("pg_clipfrac", "ppo_kl", "pg_clipfrac_lower")], "figures")  # fmt: skip

    clamp = dict(kl_input_clamp=20.0, kl_input_clamp_mode="zero_gradient", kl_output_clamp=10.0)
    for theirs, name, more in [("kl", "k1", {}), ("abs", "abs", {}), ("mse", "k2", {}), ("low_var_kl", "k3", clamp), ("k3+", "k3", clamp)]:
        l = logps.clone().requires_grad_()
        loss = verl.agg_loss(verl.kl_penalty(l, ref, theirs), mask, "token-mean")
        loss.backward()
        gradient = "straight_through" if theirs.endswith("+") else "pathwise"
        out = truing.policy(name, logps, level="token", aggregate="token_mean", ref=ref, mask=live, kl=name, kl_weight="one",
                            kl_gradient=gradient, kl_coef=0.0, **more)  # fmt: skip
        close(out.loss, loss.detach(), theirs)
        close(out.grad_logps, l.grad, theirs + " gradient")

    v = values.clone().requires_grad_()
    loss, _ = verl.compute_value_loss(v, returns, estimate, mask, 0.5)
    loss.backward()
    out = truing.policy("value_mse", values, estimate, level="token", aggregate="token_mean", ref=returns, mask=live, params=dict(clip=0.5))
    close(out.loss, loss.detach(), "value loss")
    close(out.grad_logps, v.grad, "value loss, gradient")

    # ---- advantages
    whitening = dict(std_kind="unbiased", eps_kind="variance_add", eps=1e-8, mask=live)
    reward = torch.randn(B, T) * mask
    for gamma, lam in ((1.0, 1.0), (0.97, 0.9)):
        advantages, sums = verl.compute_gae_advantage_return(reward, values, mask, gamma, lam)
        got = truing.gae(reward, values, masks="carry", mask=live, gamma=gamma, lambda_policy=lam)
        close(got.returns, sums * mask, "gae returns")
        close(truing.whiten(got.advantages, **whitening).values, advantages * mask, "gae advantages")
        advantages, sums = verl.compute_reinforce_plus_plus_outcome_advantage(reward, mask, config=types.SimpleNamespace(gamma=gamma))
        got = truing.discounted_return(reward, masks="carry", mask=live, gamma=gamma)
        close(got.returns, sums * mask, "returns")
        close(truing.whiten(got.returns, **whitening).values, advantages * mask, "reinforce++")
    score = (reward.sum(1)).double().numpy()
    ids = np.array([0, 0, 0, 1, 1, 2, 2, 2])
    offsets = np.array([0, 3, 5, 8])
    lengths = mask.sum(1).long().numpy()
    rows = lambda x: (np.asarray(x)[:, None] * mask.numpy())  # noqa: E731


    def group(words, theirs, got):
        close(rows(got), theirs[0], words)


    group("grpo", verl.compute_grpo_outcome_advantage(reward, mask, ids), truing.group_advantage(score, offsets, preset="grpo", eps=1e-6).advantages)
    group("dr_grpo", verl.compute_grpo_outcome_advantage(reward, mask, ids, norm_adv_by_std_in_grpo=False),
          truing.group_advantage(score, offsets, preset="dr_grpo").advantages)  # fmt: skip
    for norm in (True, False):
        group("grpo_passk", verl.compute_grpo_passk_outcome_advantage(reward, mask, ids, config=dict(norm_adv_by_std_in_grpo=norm)),
              truing.pass_k_advantage(score, offsets, scale=None if norm else "none").advantages)  # fmt: skip
    group("rloo", verl.compute_rloo_outcome_advantage(reward, mask, ids), truing.group_advantage(score, offsets, preset="rloo").advantages)
    group("opo", verl.compute_opo_outcome_advantage(reward, mask, ids), truing.group_advantage(score, offsets, preset="opo", lengths=lengths).advantages)
    group("gpg", verl.compute_gpg_outcome_advantage(reward, mask, ids), truing.group_advantage(score, offsets, preset="gpg").advantages)
    centred = truing.group_advantage(score, offsets, preset="dr_grpo").advantages
    plus = verl.compute_reinforce_plus_plus_baseline_outcome_advantage(reward, mask, ids)
    group("reinforce++ baseline", plus, truing.whiten(centred, counts=lengths, std_kind="unbiased", eps_kind="variance_add", eps=1e-8).values * (lengths > 0))
    two = torch.randn(B, 2)
    theirs = verl.compute_gdpo_outcome_advantage(
        reward, mask, ids, config=dict(gdpo_reward_keys=["a", "b"], gdpo_reward_weights=[0.5, 2.0]),
        non_tensor_batch=dict(a=two[:, 0].numpy(), b=two[:, 1].numpy()),
        batch=dict(prompts=torch.zeros(B, 1), attention_mask=torch.cat([torch.ones(B, 1), mask], 1).long()))  # fmt: skip
    sums = truing.multi_objective_advantage(two, np.array([0.5, 2.0]), offsets, order="normalise_first", preset="grpo", eps=1e-6).advantages
    group("gdpo", theirs, truing.whiten(sums, counts=lengths, std_kind="unbiased", eps_kind="variance_add", eps=1e-8).values)
    greedy = torch.randn(B)
    remax = verl.compute_remax_outcome_advantage(reward, greedy, mask)
    got = truing.discounted_return(reward, masks="carry", mask=live, baseline=greedy)
    close(got.advantages, remax[0] * mask, "remax")
    sum_sq = (2 * old).exp() + 0.3 * torch.rand(B, T) * (1 - old.exp()) ** 2
    for function, alignment in ((verl.compute_optimal_token_baseline_advantage, "position"), (verl.compute_multi_turn_optimal_token_baseline_advantage, "live_index")):
        full = torch.zeros(B, T)
        for b, n in enumerate((21, 14, 9, 5, 21, 3, 17, 12)):
            full[b, :n] = 1
        for w in (None, weights):
            theirs = function(reward * full, full, ids, old, sum_sq, w)
            got = truing.optimal_token_baseline(reward * full, old, sum_sq.log(), offsets, alignment=alignment,
                                                mask=full.to(torch.uint8), importance_weight=w)  # fmt: skip
            close(got.advantages, theirs[0] * full, f"optimal token baseline, {alignment}")
    for kl in (0.01, 0.1, 1.0):
        controller = verl.AdaptiveKLController(0.2, 0.1, 10000)
        controller.update(kl, 64)
        close(truing.kl_controller(kl, 0.2, batch=64.0, target=0.1, horizon=10000.0).coef, controller.value, "kl controller", 1e-12)


def of_openrlhf():
    """Of OpenRLHF's losses and experience maker."""
    place = folder("openrlhf")
    if not place:
        return
    absent("deepspeed", "ray", "openrlhf.trainer.ppo_utils.experience", "openrlhf.trainer.ppo_utils.length_penalty",
           "openrlhf.trainer.ray.launcher", "openrlhf.utils.logging_utils", "openrlhf.utils.seqlen_balancing")  # fmt: skip
    for name in ("openrlhf", "openrlhf.models", "openrlhf.trainer", "openrlhf.trainer.ppo_utils", "openrlhf.trainer.ray", "openrlhf.utils"):
        package(name)
    utils = read("openrlhf.models.utils", f"{place}/models/utils.py")
    losses = read("openrlhf.models.loss", f"{place}/models/loss.py")
    maker = read("openrlhf.trainer.ppo_utils.experience_maker", f"{place}/trainer/ppo_utils/experience_maker.py").RemoteExperienceMaker
    rollout, full = near(0.6), mask.clone()
    full[3, :4] = 1  # it divides by the tokens of every sequence
    live = full.to(torch.uint8)
    modes = {True: dict(aggregate="token_mean"), False: MODES["seq-mean-token-mean"]}
    weigh = dict(mask=live, missing="one", low=0.7, high=1.3)
    for name, settings, more in [
        ("ppo_clip", {}, {}),
        ("ppo_clip", dict(dual_clip=1.4), {}),
        ("gspo", dict(policy_loss_type="gspo"), dict(level="sequence")),
        ("ppo_clip", dict(is_correction_level="token"), dict(level="token", action="mask")),
        ("ppo_clip", dict(is_correction_level="token", is_correction_mode="clip"), dict(level="token", action="truncate")),
        ("ppo_clip", dict(is_correction_level="seq"), dict(level="sequence_mean", action="mask", token_weight=True)),
        ("ppo_clip", dict(is_correction_level="token", is_correction_gating="binary_kl"), dict(statistic="binary_kl", span="token")),
        ("ppo_clip", dict(is_correction_level="seq", is_correction_gating="tv"), dict(statistic="tv", span="sequence_mean")),
    ]:
        gate = settings.get("is_correction_gating", "ratio")
        band = (0.7, 1.3) if gate == "ratio" else (0.0, 0.05)
        for by_token in (True, False) if name == "ppo_clip" else (False,):
            loss_of = losses.PolicyLoss(0.15, 0.25, token_level_loss=by_token, is_correction_threshold=band, **settings)
            advantage = each if name == "ppo_clip" else whole
            l = logps.clone().requires_grad_()
            loss, _, kl, _, _ = loss_of(l, old, advantage, full, rollout)
            loss.backward()
            call = dict(level="token", params=dict(clips, dual_clip=settings.get("dual_clip")), mask=live, statistics=True, **modes[by_token])
            if name == "gspo":
                call.update(level="sequence", aggregate="seq_mean")
            elif gate != "ratio":
                call["keep"] = truing.rejection_mask(old, rollout, mask=live, missing="one", high=0.05, **more).keep
                call["importance_weight"] = truing.importance_weight(old, rollout, mask=live, level="token", action="raw", missing="one").weights
            elif more:
                call["importance_weight"] = truing.importance_weight(old, rollout, **weigh, **more).weights
            out = truing.policy(name, logps, old, advantage=advantage, **call)
            words = f"OpenRLHF {name} {settings} {by_token}"
            close(out.loss, loss.detach(), words)
            close(out.grad_logps, l.grad, words + ", gradient")
            close(out.statistics[9] / out.statistics[0], kl, words + ", kl")
    for name in ("k1", "k2", "k3"):
        for straight in (False, True):
            l = logps.clone().requires_grad_()
            loss = utils.masked_mean(utils.compute_approx_kl(l, ref, old, name, straight), full)
            loss.backward()
            how = dict(kl_gradient="straight_through_ratio", kl_ratio_max=10.0) if straight else dict(kl_gradient="pathwise")
            out = truing.policy(name, logps, old, level="token", aggregate="token_mean", ref=ref, mask=live, kl=name, kl_weight="one",
                                kl_coef=0.0, kl_output_clamp=10.0, **how)  # fmt: skip
            close(out.loss, loss.detach(), f"OpenRLHF {name} {straight}")
            close(out.grad_logps, l.grad, f"OpenRLHF {name} {straight}, gradient")
    for clip in (None, 0.5):
        v = values.clone().requires_grad_()
        loss = losses.ValueLoss(clip)(v, estimate, returns, full)
        loss.backward()
        out = truing.policy("value_mse", values, estimate, level="token", aggregate="token_mean", ref=returns, mask=live, params=dict(clip=clip))
        close(out.loss, loss.detach(), "OpenRLHF value loss")
        close(out.grad_logps, v.grad, "OpenRLHF value loss, gradient")
    outcome = 20 * torch.randn(B)
    for name in ("k1", "k3"):
        theirs = utils.compute_reward(outcome, 0.01, utils.compute_approx_kl(old, ref, kl_estimator=name), full, (-10.0, 10.0))
        got = truing.token_reward(old, ref, outcome, estimator=name, level="token", coef=0.01, mask=live, kl_clamp=10.0, reward_min=-10.0, reward_max=10.0)
        close(got.rewards, theirs * full, f"OpenRLHF reward {name}")
    reward = torch.randn(B, T)
    for gamma, lam in ((1.0, 1.0), (0.97, 0.9)):
        a, r = maker.get_advantages_and_returns(None, values, reward, full, gamma, lam)
        got = truing.gae(reward, values, masks="zero", mask=live, gamma=gamma, lambda_policy=lam)
        close(got.advantages, a * full, "OpenRLHF gae")
        close(got.returns, r * full, "OpenRLHF gae returns")
        close(truing.discounted_return(reward, masks="zero", mask=live, gamma=gamma).returns,
              maker.get_cumulative_returns(None, reward, full, gamma) * full, "OpenRLHF returns")  # fmt: skip


def of_areal():
    """Of AReaL's losses."""
    place = folder("areal")
    if not place:
        return
    package("areal.api")
    package("areal.utils")
    package("areal.api.cli_args", RejectionSamplingConfig=Settings)
    package("areal.utils.data", KLEstimator=None)
    areal = read("areal.utils.functional.functional", f"{place}/utils/functional/functional.py")
    names = ("_apply_m2po_masking", "_get_m2po_loss_mask")
    m2po = functions(f"{place}/trainer/ppo/actor.py", names, torch=torch)._apply_m2po_masking
    some, behaviour = mask.bool(), near(0.6)
    weigh = dict(mask=live, missing="one", high=1.3)
    for name, level in (("ppo_clip", "token"), ("gspo", "sequence")):
        for action in (None, "clamp", "mask"):
            l = logps.clone().requires_grad_()
            config = action and Settings(level="token", action=action, metric="ratio", agg="mean", upper=1.3, lower=None)
            loss, _ = areal.ppo_actor_loss_fn(l, old, behaviour, each, 0.15, some, 0.25, 1.4, config, level)
            if name == "gspo" and action == "mask":
                continue  # its ratio is then the mean over what is left
            loss.backward()
            call = dict(level=level, aggregate="token_mean", params=dict(clips, dual_clip=1.4), advantage=each, mask=live)
            if action == "mask":
                call["keep"] = truing.rejection_mask(old, behaviour, statistic="ratio", span="token", **weigh).keep
            if action:
                how = "truncate" if action == "clamp" else "mask"
                call["importance_weight"] = truing.importance_weight(old, behaviour, level="token", action=how, **weigh).weights
            out = truing.policy(name, logps, old, **call)
            close(out.loss, loss.detach(), f"AReaL {name} {action}")
            close(out.grad_logps, l.grad, f"AReaL {name} {action}, gradient")
    for name, level in (("sapo", "token"), ("sapo", "sequence")):
        l = logps.clone().requires_grad_()
        loss, _ = areal.sapo_loss_fn(l, old, each, 1.0, 1.05, some, level)
        loss.backward()
        out = truing.policy(name, logps, old, level=level, aggregate="token_mean", advantage=each, mask=live)
        close(out.loss, loss.detach(), f"AReaL sapo {level}")
        close(out.grad_logps, l.grad, f"AReaL sapo {level}, gradient")
    for theirs, name in (("mse", "value_mse"), ("huber", "value_huber")):
        v = (20 * values).requires_grad_()
        loss, _ = areal.ppo_critic_loss_fn(v, estimate, returns, 5.0, some, theirs)
        loss.backward()
        out = truing.policy(name, v.detach(), estimate, level="token", aggregate="token_mean", ref=returns, mask=live, params=dict(clip=5.0))
        close(out.loss, loss.detach(), f"AReaL {name}")
        close(out.grad_logps, v.grad, f"AReaL {name}, gradient")
    for threshold in (1e-3, 0.02, 10.0):
        keep = truing.m2po_mask(behaviour, old, mask=live, threshold=threshold).keep
        close(keep, m2po(behaviour, old, some, threshold), f"M2PO {threshold}")


def of_swift():
    """Of the loss of ms-swift's GRPO trainer, by its own lines."""
    place = folder("swift")
    if not place:
        return
    some = mask.clone()
    some[3, :4] = 1  # a sequence without tokens is a member of `real` there
    live = some.to(torch.uint8)
    path = f"{place}/rlhf_trainers/grpo_trainer.py"
    estimate_kl = lines(path, "_compute_loss_and_metrics", "safe_ratio =", "per_token_kl = torch.clamp")
    compute = lines(path, "_compute_loss_and_metrics", "log_ratio = per_token_logps", "raise ValueError(f'Unknown loss type")
    fipo = functions(path, ("_compute_fipo_influence",), torch=torch)._compute_fipo_influence
    aggregates = {"bnpo": MODES["token-mean"], "dr_grpo": dict(aggregate="seq_mean_token_sum_norm", count_empty="all", max_length=40.0)}
    every = dict(aggregate="seq_mean_token_mean", count_empty="all")
    window = dict(aggregate="token_mean", normaliser=77.0)
    k3 = dict(kl="k3", kl_weight="one", kl_gradient="pathwise", kl_coef=0.04, kl_input_clamp=20.0, kl_input_clamp_mode="zero_gradient",
              kl_output_clamp=10.0, ref=ref)  # fmt: skip
    cases = [(kind, level, beta, rollout) for kind in ("grpo", "bnpo", "dr_grpo", "dapo", "cispo", "sapo", "fipo")
             for level in ("token", "sequence", "sequence_token") for beta in (0.0, 0.04) for rollout in (False, True)
             if level == "token" or kind == "grpo"]  # fmt: skip
    for kind, level, beta, rollout in cases + [("real", "token", 0.0, False)]:
        me = types.SimpleNamespace(
            importance_sampling_level=level, _has_teacher=False, loss_type=kind, off_policy_sequence_mask_delta=None,
            epsilon_low=0.15, epsilon_high=0.25, tau_pos=1.0, tau_neg=1.05, args=types.SimpleNamespace(delta=1.5), beta=beta,
            rollout_importance_sampling_mode="token_truncate", max_completion_length=40, num_generations=4, real_tau=0.5,
            accelerator=types.SimpleNamespace(num_processes=1), _undo_gradient_accumulation_scaling=lambda x: x,
            fipo_gamma=2 ** (-1 / 8), fipo_clip_range=0.2, fipo_clip_high_only=True, fipo_safety_threshold=1.2,
        )  # fmt: skip
        me._compute_fipo_influence = types.MethodType(fipo, me)
        l = logps.clone().requires_grad_()
        space = dict(
            torch=torch, self=me, per_token_logps=l, old_per_token_logps=old, completion_mask=some.bool(), advantages=whole,
            ref_per_token_logps=ref, per_token_kl=None, entropy_mask=None, rollout_is_weights=weights if rollout else None,
            grpo_batch=types.SimpleNamespace(num_items_in_batch=77.0), WINDOW_NORMALIZED_LOSS_TYPES=("cispo", "dapo", "fipo"),
        )  # fmt: skip
        if beta:
            exec(estimate_kl, space)
        exec(compute, space)
        space["loss"].backward()
        call = dict(level="token", advantage=whole, mask=live)
        call.update(aggregates.get(kind, every if kind in ("grpo", "sapo", "real") else window), **(k3 if beta else {}))
        params = dict(clips, delta=1.5)
        name = {"cispo": "cispo", "sapo": "sapo", "real": "real"}.get(kind, "ppo_clip")
        if level != "token":
            name, call["level"] = ("gspo" if level == "sequence" else "gspo_token"), "sequence"
        if kind == "fipo":
            call["token_weights"] = truing.fipo_weight(logps, old, whole, mask=live, half_life=8.0, clip=0.2, delta=1.5, safety=1.2,
                                                       high_only=True).weights  # fmt: skip
        if kind in ("cispo", "sapo"):
            params = dict(clip_high=0.25) if kind == "cispo" else {}
            call["variant"] = 1 if kind == "cispo" else None
        if rollout:
            call.update(importance_weight=weights, **(dict(kl_stage="before_weight") if beta else {}))
        if kind == "real":
            call.update(level="sequence", aggregate="seq_mean", group_offsets=np.array([0, 4, 8]), advantage=whole[:, 0].contiguous())
            params = dict(tau=0.5)
        out = truing.policy(name, logps, old, params=params, **call)
        close(out.loss, space["loss"].detach(), f"ms-swift {kind} {level} {beta} {rollout}")
        close(out.grad_logps, l.grad, f"ms-swift {kind} {level} {beta} {rollout}, gradient")


of_verl()
of_openrlhf()
of_areal()
of_swift()
print(f"policy_trainers.py: {checks} checks")
