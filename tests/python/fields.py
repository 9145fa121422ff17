"""No field of any struct is silently ignored: garbage in it is refused by its name, and reserved bytes must be 0.

Pure ctypes; walks the structs of `truing/_abi.py`. Usage: fields.py LIBRARY
"""

import ctypes
import math
import sys

from truing import _abi

lib = ctypes.CDLL(sys.argv[1])
for name, (result, arguments) in _abi.FUNCTIONS.items():
    function = getattr(lib, name)
    function.restype, function.argtypes = result, arguments

TENSOR = ctypes.POINTER(_abi.truing_tensor)
keep = []


def tensor(code, bits, *shape):
    """A tensor of zeros."""
    n = max(1, math.prod(shape))
    memory = ctypes.create_string_buffer(n * bits // 8 + 64)
    dims = (ctypes.c_int64 * max(1, len(shape)))(*shape)
    t = _abi.truing_tensor(data=(ctypes.addressof(memory) + 63) & ~63, ndim=len(shape), shape=dims)
    t.device.device_type = _abi.TRUING_DEVICE_CPU
    t.dtype.code, t.dtype.bits, t.dtype.lanes = code, bits, 1
    keep.extend([memory, dims, t])
    return ctypes.pointer(t)


F32, F64 = (_abi.TRUING_DTYPE_FLOAT, 32), (_abi.TRUING_DTYPE_FLOAT, 64)
I32, I64 = (_abi.TRUING_DTYPE_INT, 32), (_abi.TRUING_DTYPE_INT, 64)


def garbage():
    """A tensor that no field takes: of no known element type."""
    t = tensor(*F32, 3)
    t.contents.dtype.code = 77
    return t


def logprob_forward(a):
    a.logits, a.rows.target, a.figures.out_logprob = tensor(*F32, 3, 7), tensor(*I32, 3), tensor(*F32, 3)


def logprob_backward(a):
    a.logits, a.rows.target, a.grad_logits_out = tensor(*F32, 3, 7), tensor(*I32, 3), tensor(*F32, 3, 7)


def logprob_local(a):
    a.logits, a.rows.target, a.out_records = tensor(*F32, 3, 7), tensor(*I32, 3), tensor(*F32, 3, 12)
    a.shard.vocab_start, a.shard.vocab_end, a.shard.vocab_total = 5, 12, 20
    a.local_pass = _abi.TRUING_LOCAL_RECORDS


def logprob_finish(a):
    a.records, a.rows.target, a.figures.out_logprob = tensor(*F32, 2, 3, 12), tensor(*I32, 3), tensor(*F32, 3)
    a.shard_starts = tensor(_abi.TRUING_DTYPE_INT, 64, 3)
    starts = ctypes.cast(a.shard_starts.contents.data, ctypes.POINTER(ctypes.c_int64))
    starts[0], starts[1], starts[2] = 0, 5, 20


def support_mask(a):
    a.logits, a.out_bitmask = tensor(*F32, 3, 7), tensor(_abi.TRUING_DTYPE_UINT, 32, 3, 1)
    a.support.kind, a.support.preset = _abi.TRUING_SUPPORT_COMPUTED, _abi.TRUING_FILTER_HF
    a.support.top_k = 2


def logprob_over(a):
    logprob_forward(a)
    a.support.kind, a.support.preset = _abi.TRUING_SUPPORT_COMPUTED, _abi.TRUING_FILTER_HF


def tds_rows(a):
    a.base, a.aligned, a.out_rank = tensor(*F32, 3, 7), tensor(*F32, 3, 7), tensor(*I32, 3)


def divergence_forward(a):
    a.student, a.teacher, a.outputs.out_values = tensor(*F32, 3, 7), tensor(*F32, 3, 9), tensor(*F32, 3)
    a.options.kind, a.options.teacher_form = _abi.TRUING_DIVERGENCE_JEFFREYS, _abi.TRUING_TEACHER_LOGITS


def divergence_partial(a):
    divergence_forward(a)
    a.teacher, a.options.teacher_form = None, _abi.TRUING_TEACHER_TOPK_LOGITS
    a.partial.support, a.partial.outside = _abi.TRUING_PARTIAL_GIVEN, _abi.TRUING_OUTSIDE_RENORMALISE
    a.partial.ids, a.partial.teacher_values = tensor(*I32, 3, 1), tensor(*F32, 3, 1)


def divergence_backward(a):
    a.student, a.teacher, a.grad_student_out = tensor(*F32, 3, 7), tensor(*F32, 3, 7), tensor(*F32, 3, 7)
    a.options.kind, a.options.teacher_form = _abi.TRUING_DIVERGENCE_JEFFREYS, _abi.TRUING_TEACHER_LOGITS


def uld(a):
    a.student, a.teacher, a.out_values = tensor(*F32, 3, 7), tensor(*F32, 3, 9), tensor(*F32, 3)


def uld_of_pairs(a):
    uld(a)
    a.matched_student_ids, a.matched_teacher_ids = tensor(*I32, 1), tensor(*I32, 1)


def tilt(a):
    a.logps, a.rewards, a.alpha, a.out_kl = tensor(*F32, 3, 7), tensor(*F32, 3, 7), tensor(*F32, 3), tensor(*F64, 3)


def tilt_solve(a):
    a.logps, a.rewards, a.target, a.out_alpha = tensor(*F32, 3, 7), tensor(*F32, 3, 7), tensor(*F32, 3), tensor(*F64, 3)


def renyi(a):
    a.first, a.second, a.out_values, a.order = tensor(*F32, 3, 7), tensor(*F32, 3, 7), tensor(*F64, 3), 2.0


def best_of_n(a):
    a.logps, a.rewards, a.out_kl, a.n = tensor(*F32, 3, 7), tensor(*F32, 3, 7), tensor(*F64, 3), 4.0


def best_of_n_kl(a):
    a.logps, a.out_kl, a.n = tensor(*F32, 3), tensor(*F64, 3), 4.0


def divergence_local(a):
    a.student, a.options.kind = tensor(*F32, 3, 7), _abi.TRUING_DIVERGENCE_JEFFREYS
    a.options.teacher_form = _abi.TRUING_TEACHER_LOGITS
    a.teacher, a.out_records = tensor(*F32, 3, 7), tensor(*F32, 3, 16)
    a.shard.vocab_start, a.shard.vocab_end, a.shard.vocab_total = 0, 7, 20
    a.local_pass = _abi.TRUING_LOCAL_RECORDS


def divergence_finish(a):
    a.records, a.shard_starts = tensor(*F32, 2, 3, 16), tensor(*I64, 3)
    starts = ctypes.cast(a.shard_starts.contents.data, ctypes.POINTER(ctypes.c_int64))
    starts[0], starts[1], starts[2] = 0, 5, 20
    a.options.kind, a.options.teacher_form = _abi.TRUING_DIVERGENCE_JEFFREYS, _abi.TRUING_TEACHER_LOGITS
    a.local_pass, a.outputs.out_values = _abi.TRUING_LOCAL_RECORDS, tensor(*F32, 3)


def sequence_kl_forward(a):
    a.policy, a.ref, a.rows.target = tensor(*F32, 2, 3, 7), tensor(*F32, 2, 3, 7), tensor(*I32, 2, 3)
    a.out_kl = tensor(*F64, 2)


def sequence_kl_backward(a):
    a.policy, a.ref, a.rows.target = tensor(*F32, 2, 3, 7), tensor(*F32, 2, 3, 7), tensor(*I32, 2, 3)
    a.grad_kl, a.grad_policy_out = tensor(*F64, 2), tensor(*F32, 2, 3, 7)


def linear_logprob_forward(a):
    a.head.hidden, a.head.weight, a.rows.target = tensor(*F32, 3, 4), tensor(*F32, 7, 4), tensor(*I32, 3)
    a.figures.out_logprob = tensor(*F32, 3)


def linear_logprob_backward(a):
    a.head.hidden, a.head.weight, a.rows.target = tensor(*F32, 3, 4), tensor(*F32, 7, 4), tensor(*I32, 3)
    a.grads.grad_weight_out = tensor(*F32, 7, 4)


def linear_logprob_local(a):
    a.head.hidden, a.head.weight, a.rows.target = tensor(*F32, 3, 4), tensor(*F32, 7, 4), tensor(*I32, 3)
    a.out_records, a.local_pass = tensor(*F32, 3, 12), _abi.TRUING_LOCAL_RECORDS
    a.shard.vocab_start, a.shard.vocab_end, a.shard.vocab_total = 5, 12, 20


def sequence_forward(a):
    a.logps, a.out_scores, a.score.kind = tensor(*F32, 2, 3), tensor(*F64, 2), _abi.TRUING_SCORE_SUM


def sequence_backward(a):
    a.grad_scores, a.grad_logps_out, a.score.kind = tensor(*F64, 2), tensor(*F32, 2, 3), _abi.TRUING_SCORE_SUM


def preference_forward(a):
    a.scores, a.ref_scores, a.outputs.out_loss = tensor(*F64, 4), tensor(*F64, 4), tensor(*F64)
    a.loss.id, a.loss.reduction, a.groups.layout = 1001, _abi.TRUING_REDUCE_MEAN, _abi.TRUING_LAYOUT_STACKED


def linear_preference_forward(a):
    a.head.hidden, a.head.weight, a.rows.target = tensor(*F32, 6, 4), tensor(*F32, 7, 4), tensor(*I32, 2, 3)
    a.ref_scores, a.outputs.out_loss = tensor(*F64, 2), tensor(*F64)
    a.score.kind, a.phase = _abi.TRUING_SCORE_SUM, _abi.TRUING_PHASE_SINGLE
    a.loss.id, a.loss.reduction, a.groups.layout = 1001, _abi.TRUING_REDUCE_MEAN, _abi.TRUING_LAYOUT_STACKED


def policy_forward(a):
    a.logps, a.inputs.advantage, a.grad_logps_out = tensor(*F32, 2, 3), tensor(*F32, 2), tensor(*F32, 2, 3)
    a.inputs.loss.id, a.inputs.level = 4001, _abi.TRUING_LEVEL_TOKEN
    a.inputs.aggregate.mode = _abi.TRUING_AGGREGATE_TOKEN_MEAN


def kto_baseline(a):
    a.scores, a.out_baseline = tensor(*F64, 4), tensor(*F64)


def bco_shift(a):
    a.rewards, a.out_shift, a.mode = tensor(*F64, 4), tensor(*F64), _abi.TRUING_SHIFT_POOLED


def aot_sort(a):
    a.chosen, a.rejected, a.out_u_order, a.pairing = tensor(*F64, 4), tensor(*F64, 4), tensor(*I32, 4), _abi.TRUING_AOT_UNPAIRED


def beta_dpo_stats(a):
    a.gaps, a.uniforms, a.out_beta = tensor(*F64, 0), tensor(*F64, 0), tensor(*F64)


def wpo_weight(a):
    a.chosen, a.rejected, a.out_weight, a.form = tensor(*F64, 4), tensor(*F64, 4), tensor(*F64, 4), _abi.TRUING_WPO_PLAIN


def linear_divergence_forward(a):
    a.student.hidden, a.student.weight = tensor(*F32, 6, 4), tensor(*F32, 7, 4)
    a.teacher.hidden, a.teacher.weight = tensor(*F32, 6, 3), tensor(*F32, 9, 3)
    a.outputs.out_values, a.phase = tensor(*F32, 6), _abi.TRUING_PHASE_FIGURES
    a.options.kind, a.options.teacher_form = _abi.TRUING_DIVERGENCE_FORWARD_KL, _abi.TRUING_TEACHER_LOGITS


def linear_divergence_local(a):
    a.student.hidden, a.student.weight = tensor(*F32, 6, 4), tensor(*F32, 7, 4)
    a.teacher.hidden, a.teacher.weight = tensor(*F32, 6, 3), tensor(*F32, 7, 3)
    a.options.kind, a.options.teacher_form = _abi.TRUING_DIVERGENCE_JEFFREYS, _abi.TRUING_TEACHER_LOGITS
    a.shard.vocab_start, a.shard.vocab_end, a.shard.vocab_total = 0, 7, 20
    a.out_records, a.local_pass = tensor(*F32, 6, 16), _abi.TRUING_LOCAL_RECORDS


def linear_policy_forward(a):
    a.head.hidden, a.head.weight, a.rows.target = tensor(*F32, 6, 4), tensor(*F32, 7, 4), tensor(*I32, 2, 3)
    a.inputs.advantage, a.outputs.out_loss, a.phase = tensor(*F32, 2), tensor(*F64), _abi.TRUING_PHASE_SINGLE
    a.inputs.loss.id, a.inputs.level = 4001, _abi.TRUING_LEVEL_TOKEN
    a.inputs.aggregate.mode = _abi.TRUING_AGGREGATE_TOKEN_MEAN


def importance_weight(a):
    a.old, a.sampler, a.out_weights = tensor(*F32, 2, 3), tensor(*F32, 2, 3), tensor(*F32, 2, 3)
    a.level, a.action = _abi.TRUING_WEIGHT_LEVEL_TOKEN, _abi.TRUING_WEIGHT_TRUNCATE
    a.missing = _abi.TRUING_MISSING_ONE


def rejection_mask(a):
    a.old, a.sampler, a.out_keep = tensor(*F32, 2, 3), tensor(*F32, 2, 3), tensor(_abi.TRUING_DTYPE_UINT, 8, 2, 3)
    a.statistic, a.span, a.missing = _abi.TRUING_REJECTION_K3, _abi.TRUING_SPAN_TOKEN, _abi.TRUING_MISSING_ONE


def off_policy_sequence_mask(a):
    a.logps, a.behaviour, a.advantage = tensor(*F32, 2, 3), tensor(*F32, 2, 3), tensor(*F32, 2)


def top_entropy_mask(a):
    a.entropy, a.share = tensor(*F32, 2, 3), 0.5


def cov_select(a):
    a.logps, a.advantage, a.form = tensor(*F32, 2, 3), tensor(*F32, 2), _abi.TRUING_COV_KL


def m2po_mask(a):
    a.old, a.proximal, a.threshold = tensor(*F32, 2, 3), tensor(*F32, 2, 3), 0.5


def fipo_weight(a):
    a.logps, a.old, a.advantage = tensor(*F32, 2, 3), tensor(*F32, 2, 3), tensor(*F32, 2)


def items(form):
    def fill(a):
        a.first, a.out_value, a.form = tensor(*F64, 4), tensor(*F64, 4), form
        if form != _abi.TRUING_ITEM_PROBABILITY:
            a.second = tensor(*F64, 4)

    return fill


def dual_step(a):
    a.first, a.second, a.out_value = tensor(*F64, 4), tensor(*F64, 4), tensor(*F64, 4)
    number(a, 0.5)


def number(a, x):
    array = (ctypes.c_double * 1)(x)
    keep.append(array)
    a.params, a.num_params = array, 1


def head_weights(a):
    a.head, a.out_counts = tensor(*I32, 4), tensor(_abi.TRUING_DTYPE_INT, 64, 2)


def modpo_margin(a):
    a.weights, a.chosen, a.rejected, a.grad_margin = tensor(*F64, 3), tensor(*F64, 4, 3), tensor(*F64, 4, 3), tensor(*F64, 4)


def quantile_threshold(a):
    a.values, a.level, a.out_threshold = tensor(*F64, 4), tensor(*F64), tensor(*F64)


def a_star_value(a):
    a.rewards, a.out_value, a.mode = tensor(*F64, 4, 3), tensor(*F64, 4), _abi.TRUING_VALUE_LOG_MEAN_EXP


def hindsight_target(a):
    a.rewards, a.outcome, a.out_targets = tensor(*F64, 4, 3), tensor(*F64, 4), tensor(*F64, 4, 3)


def kl_length_figures(a):
    a.logps, a.out_k1 = tensor(*F64, 4, 3), tensor(*F64, 4)


def ches(a):
    a.hidden, a.chosen_seq, a.rejected_seq = tensor(*F32, 4, 3, 5), tensor(*I32, 2), tensor(*I32, 2)
    a.out_value, a.score_kind = tensor(*F64, 2), _abi.TRUING_SCORE_MEAN


def class_rows(form):
    def fill(a):
        a.logits, a.targets, a.out_losses = tensor(*F32, 4, 2), tensor(*F32, 4, 2), tensor(*F64, 4)
        a.reduction, a.form = _abi.TRUING_REDUCE_MEAN, form

    return fill


def confidence_ce(a):
    class_rows(0)(a)
    a.threshold = tensor(*F64)
    number(a, 0.5)


def pdu_flatten(a):
    a.logits, a.out_losses, a.reduction = tensor(*F32, 4, 2), tensor(*F64, 4), _abi.TRUING_REDUCE_MEAN


def prm_mse(a):
    a.predictions, a.targets, a.out_losses = tensor(*F32, 4, 3), tensor(*F32, 4, 3), tensor(*F64, 4)
    a.reduction = _abi.TRUING_REDUCE_MEAN


def orchestrator(a):
    a.rewards, a.scores, a.values = tensor(*F32, 4, 3), tensor(*F32, 4, 3), tensor(*F32, 4, 3)
    a.out_kl, a.direction = tensor(*F64, 4), _abi.TRUING_DIRECTION_TARGET_TO_WEIGHTS


def groups(a):
    a.group_offsets = tensor(*I32, 2)
    ctypes.cast(a.group_offsets.contents.data, ctypes.POINTER(ctypes.c_int32))[1] = 2


def group_advantage(a):
    groups(a)
    a.rewards, a.out_advantages, a.preset = tensor(*F64, 2), tensor(*F64, 2), _abi.TRUING_ADVANTAGE_GRPO


def pass_k_advantage(a):
    groups(a)
    a.rewards, a.out_advantages = tensor(*F64, 2), tensor(*F64, 2)


def multi_objective_advantage_forward(a):
    groups(a)
    a.rewards, a.out_advantages, a.preset = tensor(*F64, 2, 3), tensor(*F64, 2), _abi.TRUING_ADVANTAGE_GRPO
    a.order = _abi.TRUING_ORDER_NORMALISE_FIRST


def multi_objective_advantage_backward(a):
    groups(a)
    a.rewards, a.preset, a.order = tensor(*F64, 2, 3), _abi.TRUING_ADVANTAGE_GRPO, _abi.TRUING_ORDER_SUM_FIRST
    a.grad_advantages, a.grad_weights_out = tensor(*F64, 2), tensor(*F64, 3)


def gae_forward(a):
    a.rewards, a.values, a.out_returns, a.masks = tensor(*F32, 2, 3), tensor(*F32, 2, 3), tensor(*F32, 2, 3), _abi.TRUING_MASKS_CARRY


def gae_backward(a):
    a.grad_advantages, a.grad_values_out, a.masks = tensor(*F32, 2, 3), tensor(*F32, 2, 3), _abi.TRUING_MASKS_CARRY


def discounted_return_forward(a):
    a.rewards, a.out_returns, a.masks = tensor(*F32, 2, 3), tensor(*F32, 2, 3), _abi.TRUING_MASKS_CARRY


def discounted_return_backward(a):
    a.grad_returns, a.grad_rewards_out, a.masks = tensor(*F32, 2, 3), tensor(*F32, 2, 3), _abi.TRUING_MASKS_CARRY


def whiten(a):
    a.values, a.out_values = tensor(*F32, 2, 3), tensor(*F32, 2, 3)
    a.std_kind, a.eps_kind = _abi.TRUING_STD_UNBIASED, _abi.TRUING_EPS_VARIANCE_ADD


def optimal_token_baseline(a):
    groups(a)
    a.rewards, a.logps, a.log_sum_sq, a.out_advantages = (tensor(*F32, 2, 3) for _ in range(4))
    a.alignment = _abi.TRUING_ALIGNMENT_POSITION


def prime_advantage(a):
    groups(a)
    a.process_rewards, a.out_returns = tensor(*F32, 2, 3), tensor(*F32, 2, 3)


def distill_advantage(a):
    a.student, a.teacher, a.out_advantages = (tensor(*F32, 2, 3) for _ in range(3))
    a.form = _abi.TRUING_DISTILL_OPD


def lagrangian_advantage(a):
    a.reward_advantages, a.cost_advantages, a.out_advantages = (tensor(*F32, 2, 3) for _ in range(3))
    a.log_lambda = tensor(*F64)


def pama_scalars(a):
    a.advantages, a.logps, a.anchor = tensor(*F32, 2, 6), tensor(*F32, 2, 3), tensor(*F32, 2, 3)
    a.out_scalars, a.granularity = tensor(*F64, 2, 1), _abi.TRUING_GRANULARITY_BATCH


def interval_weights(a):
    a.scalars, a.out_value = tensor(*F64, 2, 3), tensor(*F64, 3)


def gram_matrix(a):
    a.values, a.out_gram = tensor(*F32, 2, 6), tensor(*F64, 2, 2)


def min_norm_weights(a):
    a.gram, a.out_weights = tensor(*F64, 2, 2), tensor(*F64, 2)


def token_reward(a):
    a.old, a.ref_logps, a.out_rewards = (tensor(*F32, 2, 3) for _ in range(3))
    a.estimator, a.level = 6001, _abi.TRUING_LEVEL_TOKEN
    a.params, a.num_params = (ctypes.c_double * 1)(0.1), 1


def controller(a):
    a.measured, a.coef, a.out_coef = tensor(*F64), tensor(*F64), tensor(*F64)
    a.params, a.num_params = (ctypes.c_double * 2)(0.1, 0.05), 2


CALLS = {
    "logprob_forward": (_abi.truing_logprob_forward_args, logprob_forward),
    "logprob_backward": (_abi.truing_logprob_backward_args, logprob_backward),
    "logprob_local": (_abi.truing_logprob_local_args, logprob_local),
    "logprob_finish": (_abi.truing_logprob_finish_args, logprob_finish),
    "support_mask": (_abi.truing_support_mask_args, support_mask),
    "logprob_forward over a support": (_abi.truing_logprob_forward_args, logprob_over),
    "tds_rows": (_abi.truing_tds_rows_args, tds_rows),
    "divergence_forward": (_abi.truing_divergence_forward_args, divergence_forward),
    "divergence_forward on a support": (_abi.truing_divergence_forward_args, divergence_partial),
    "uld": (_abi.truing_uld_args, uld),
    "uld of pairs": (_abi.truing_uld_args, uld_of_pairs),
    "tilt": (_abi.truing_tilt_args, tilt),
    "tilt_solve": (_abi.truing_tilt_args, tilt_solve),
    "renyi_array": (_abi.truing_renyi_args, renyi),
    "renyi_cross_entropy": (_abi.truing_renyi_args, renyi),
    "best_of_n_exact": (_abi.truing_best_of_n_args, best_of_n),
    "best_of_n_kl_estimate": (_abi.truing_best_of_n_kl_args, best_of_n_kl),
    "divergence_local": (_abi.truing_divergence_local_args, divergence_local),
    "divergence_finish": (_abi.truing_divergence_finish_args, divergence_finish),
    "divergence_backward": (_abi.truing_divergence_backward_args, divergence_backward),
    "sequence_kl_forward": (_abi.truing_sequence_kl_args, sequence_kl_forward),
    "sequence_kl_backward": (_abi.truing_sequence_kl_args, sequence_kl_backward),
    "linear_logprob_forward": (_abi.truing_linear_logprob_forward_args, linear_logprob_forward),
    "linear_logprob_backward": (_abi.truing_linear_logprob_backward_args, linear_logprob_backward),
    "linear_logprob_local": (_abi.truing_linear_logprob_local_args, linear_logprob_local),
    "linear_logprob_finish": (_abi.truing_linear_logprob_finish_args, logprob_finish),
    "sequence_forward": (_abi.truing_sequence_forward_args, sequence_forward),
    "sequence_backward": (_abi.truing_sequence_backward_args, sequence_backward),
    "preference_forward": (_abi.truing_preference_forward_args, preference_forward),
    "linear_preference_forward": (_abi.truing_linear_preference_args, linear_preference_forward),
    "policy_forward": (_abi.truing_policy_forward_args, policy_forward),
    "kto_baseline": (_abi.truing_kto_baseline_args, kto_baseline),
    "bco_shift": (_abi.truing_bco_shift_args, bco_shift),
    "aot_sort": (_abi.truing_aot_sort_args, aot_sort),
    "beta_dpo_stats": (_abi.truing_beta_dpo_stats_args, beta_dpo_stats),
    "wpo_weight": (_abi.truing_wpo_weight_args, wpo_weight),
    "linear_divergence_forward": (_abi.truing_linear_divergence_args, linear_divergence_forward),
    "linear_divergence_local": (_abi.truing_linear_divergence_local_args, linear_divergence_local),
    "linear_divergence_finish": (_abi.truing_linear_divergence_finish_args, divergence_finish),
    "linear_policy_forward": (_abi.truing_linear_policy_args, linear_policy_forward),
    "importance_weight": (_abi.truing_importance_weight_args, importance_weight),
    "rejection_mask": (_abi.truing_rejection_mask_args, rejection_mask),
    "off_policy_sequence_mask": (_abi.truing_off_policy_sequence_mask_args, off_policy_sequence_mask),
    "top_entropy_mask": (_abi.truing_top_entropy_mask_args, top_entropy_mask),
    "cov_select": (_abi.truing_cov_select_args, cov_select),
    "m2po_mask": (_abi.truing_m2po_mask_args, m2po_mask),
    "fipo_weight": (_abi.truing_fipo_weight_args, fipo_weight),
    "density_ratio": (_abi.truing_item_numbers_args, items(_abi.TRUING_ITEM_PROBABILITY)),
    "odpo_offset": (_abi.truing_item_numbers_args, items(_abi.TRUING_ITEM_DIFFERENCE)),
    "mm_beta": (_abi.truing_item_numbers_args, items(0)),
    "pdu_dual_step": (_abi.truing_item_numbers_args, dual_step),
    "head_weights": (_abi.truing_head_weights_args, head_weights),
    "modpo_margin": (_abi.truing_modpo_margin_args, modpo_margin),
    "quantile_threshold": (_abi.truing_quantile_threshold_args, quantile_threshold),
    "a_star_value": (_abi.truing_a_star_value_args, a_star_value),
    "hindsight_target": (_abi.truing_hindsight_target_args, hindsight_target),
    "kl_length_figures": (_abi.truing_kl_length_figures_args, kl_length_figures),
    "ches": (_abi.truing_ches_args, ches),
    "prm_ce": (_abi.truing_class_rows_args, class_rows(0)),
    "rps": (_abi.truing_class_rows_args, class_rows(_abi.TRUING_CLASS_MEAN)),
    "brier": (_abi.truing_class_rows_args, class_rows(_abi.TRUING_CLASS_SUM)),
    "confidence_ce": (_abi.truing_class_rows_args, confidence_ce),
    "product_target": (_abi.truing_class_rows_args, class_rows(0)),
    "pdu_flatten": (_abi.truing_class_rows_args, pdu_flatten),
    "prm_mse": (_abi.truing_prm_mse_args, prm_mse),
    "preference_orchestrator": (_abi.truing_preference_orchestrator_args, orchestrator),
    "group_advantage": (_abi.truing_group_advantage_args, group_advantage),
    "pass_k_advantage": (_abi.truing_group_advantage_args, pass_k_advantage),
    "multi_objective_advantage_forward": (_abi.truing_multi_objective_advantage_args, multi_objective_advantage_forward),
    "multi_objective_advantage_backward": (_abi.truing_multi_objective_advantage_args, multi_objective_advantage_backward),
    "gae_forward": (_abi.truing_gae_args, gae_forward),
    "gae_backward": (_abi.truing_gae_args, gae_backward),
    "discounted_return_forward": (_abi.truing_gae_args, discounted_return_forward),
    "discounted_return_backward": (_abi.truing_gae_args, discounted_return_backward),
    "whiten": (_abi.truing_whiten_args, whiten),
    "optimal_token_baseline": (_abi.truing_optimal_token_baseline_args, optimal_token_baseline),
    "prime_advantage": (_abi.truing_prime_advantage_args, prime_advantage),
    "distill_advantage": (_abi.truing_distill_advantage_args, distill_advantage),
    "lagrangian_advantage": (_abi.truing_lagrangian_advantage_args, lagrangian_advantage),
    "pama_scalars": (_abi.truing_pama_scalars_args, pama_scalars),
    "interval_weights": (_abi.truing_interval_weights_args, interval_weights),
    "gram_matrix": (_abi.truing_gram_matrix_args, gram_matrix),
    "min_norm_weights": (_abi.truing_min_norm_weights_args, min_norm_weights),
    "token_reward": (_abi.truing_token_reward_args, token_reward),
    "kl_controller": (_abi.truing_controller_args, controller),
    "entropy_controller": (_abi.truing_controller_args, controller),
}
# Every number is a legal K: none, some or all columns; a seed; a place among all tokens.
ANY = {"support.top_k", "seed", "first_token", "k"}
# Read by the common head, checked elsewhere; context is a handle and cannot be checked.
HEAD = {"struct_size", "context", "workspace", "workspace_size"}


def leaves(struct, prefix=""):
    for name, kind in struct._fields_:
        path = prefix + name
        if isinstance(kind, type) and issubclass(kind, ctypes.Structure):
            yield from leaves(kind, path + ".")
        else:
            yield path, kind


def put(args, path, value):
    *groups, name = path.split(".")
    for group in groups:
        args = getattr(args, group)
    setattr(args, name, value)


def values(path, kind):
    """Values that no field takes."""
    if path.endswith("flags"):
        return [1 << 63 if kind is ctypes.c_uint64 else 1 << 31]
    if kind is TENSOR:
        return [garbage()]
    if kind is ctypes.c_void_p:
        return [8]
    if kind is ctypes.c_double:
        return [math.nan]
    if issubclass(kind, ctypes.Array):
        return [kind(1), kind(*([0] * (kind._length_ - 1) + [1]))]
    if issubclass(kind, ctypes._Pointer):
        array = (kind._type_ * 1)()
        keep.append(array)
        return [ctypes.cast(array, kind)]
    return [0x7FFF] if kind in (ctypes.c_uint32, ctypes.c_int32) else [0x7FFFFFFFFFFF]


def call(name, args):
    name = name.partition(" ")[0]
    minimum, preferred = ctypes.c_size_t(), ctypes.c_size_t()
    sizes = getattr(lib, f"truing_{name}_workspace_size")(ctypes.byref(args), ctypes.byref(minimum), ctypes.byref(preferred))
    memory = ctypes.create_string_buffer(preferred.value + 128)
    args.workspace, args.workspace_size = (ctypes.addressof(memory) + 63) & ~63, preferred.value
    status = getattr(lib, "truing_" + name)(ctypes.byref(args))
    return sizes, status, lib.truing_last_error().decode()


checks, ignored = 0, []
for name, (struct, fill) in CALLS.items():
    args = struct(struct_size=ctypes.sizeof(struct))
    fill(args)
    sizes, status, message = call(name, args)
    assert sizes == status == 0, (name, message)
    checks += 1
    for path, kind in leaves(struct):
        if path in HEAD or path in ANY and (path[:8] != "support." or args.support.kind == _abi.TRUING_SUPPORT_COMPUTED):
            continue
        for value in values(path, kind):
            args = struct(struct_size=ctypes.sizeof(struct))
            fill(args)
            put(args, path, value)
            sizes, status, message = call(name, args)
            leaf = path.rpartition(".")[2]
            checks += 1
            # Named itself or, where fields only make sense together, by its group.
            # A pointer to an array says nothing without its length, which is checked on its own.
            if issubclass(kind, ctypes._Pointer) and kind is not TENSOR and status == 0:
                continue
            if status == 0:
                ignored.append(f"{name}: {path}")
            elif leaf not in message and path.rpartition(".")[0] + "." not in message:
                ignored.append(f"{name}: {path} is refused as {message!r}")
if ignored:
    sys.exit("ignored or misnamed:\n  " + "\n  ".join(ignored))
print(f"fields.py: {checks} checks, every field in {len(CALLS)} calls")
