//! Operations over the numbers of a batch; see `truing_core::batch` for why they share a file.
use crate::abi::*;
use crate::boundary::{guard, idle, no_workspace, numbers, sizes, unknown, yes};
use crate::sequence::segments;
use crate::tensor::{Call, Leading};
use truing_core::Result;
use truing_core::batch::{
    AStarValue, AStarValueOut, AotSort, AotSortOut, BcoShift, BcoShiftOut, BetaDpoStats, BetaDpoStatsOut, Ches,
    ChesOut, HeadWeights, HeadWeightsOut, HindsightTarget, ItemNumbers, ItemNumbersOut, ItemRule, KlLengthFigures,
    KlLengthOut, KtoBaseline, KtoBaselineOut, ModpoMargin, ModpoMarginOut, Pairing, PromptValue, QuantileThreshold,
    QuantileThresholdOut, Shift, WpoWeight, WpoWeightOut,
};
use truing_core::matrix::MatrixMut;

const FLAGS: u64 = TRUING_STRICT;

/// Sum, counts and mean of the KL rows that `kto` takes as its baseline; see `truing_kto_baseline_args`. No workspace.
///
/// # Safety
/// `args` is NULL or points to `struct_size` readable bytes. What its fields describe is readable, what its outputs
/// describe is writable, and nobody else writes to any of it during the call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_kto_baseline(args: *const truing_kto_baseline_args) -> truing_status {
    guard("truing_kto_baseline", || {
        // SAFETY: this function's contract.
        let Call { args, tensors: mut t, .. } = unsafe { Call::open(args, FLAGS) }?;
        let scores = t.required("scores", args.scores)?;
        let ref_scores = t.input("ref_scores", args.ref_scores)?;
        let mask = t.input("mask", args.mask)?;
        let sum = t.output("out_sum", args.out_sum)?;
        let count = t.output("out_count", args.out_count)?;
        let nonzero = t.output("out_nonzero", args.out_nonzero)?;
        let baseline = t.output("out_baseline", args.out_baseline)?;
        let nonzero_only = yes("nonzero_only", args.nonzero_only)?;

        let ok = &t.check()?;
        let x = KtoBaseline {
            scores: scores.list(ok)?.expect("required"),
            ref_scores: ref_scores.list(ok)?,
            mask: mask.list(ok)?,
            nonzero_only,
        };
        let out = KtoBaselineOut {
            sum: sum.scalar(ok)?,
            count: count.scalar(ok)?,
            nonzero: nonzero.scalar(ok)?,
            baseline: baseline.scalar(ok)?,
        };
        truing_cpu::batch::kto_baseline(&x, out)
    })
}

/// Running mean of rewards that `bco` takes as its shift; see `truing_bco_shift_args`. No workspace.
///
/// # Safety
/// As for `truing_kto_baseline`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_bco_shift(args: *const truing_bco_shift_args) -> truing_status {
    guard("truing_bco_shift", || {
        // SAFETY: this function's contract.
        let Call { args, tensors: mut t, .. } = unsafe { Call::open(args, FLAGS) }?;
        let rewards = t.input("rewards", args.rewards)?;
        let label = t.input("label", args.label)?;
        let mask = t.input("mask", args.mask)?;
        let state = t.input("state", args.state)?;
        let shift = t.output("out_shift", args.out_shift)?;
        let out_state = t.output("out_state", args.out_state)?;
        let status = t.output("out_status", args.out_status)?;
        let mode = match args.mode {
            TRUING_SHIFT_BALANCED => Shift::Balanced,
            TRUING_SHIFT_POOLED => Shift::Pooled,
            TRUING_SHIFT_PER_STEP => Shift::PerStep,
            other => return unknown("mode", other, "TRUING_SHIFT_*"),
        };

        let ok = &t.check()?;
        let x = BcoShift {
            rewards: rewards.list(ok)?,
            label: label.list(ok)?,
            mask: mask.list(ok)?,
            state: state.list(ok)?,
            mode,
            rate: args.rate,
        };
        let out = BcoShiftOut { shift: shift.scalar(ok)?, state: out_state.list(ok)?, status: status.scalar(ok)? };
        truing_cpu::batch::bco_shift(&x, out)
    })
}

/// Order of two samples, for `dpo` on the differences of equal ranks; see `truing_aot_sort_args`.
///
/// # Safety
/// As for `truing_kto_baseline`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_aot_sort(args: *const truing_aot_sort_args) -> truing_status {
    guard("truing_aot_sort", || {
        // SAFETY: this function's contract.
        unsafe { aot(args, truing_cpu::batch::aot_sort) }
    })
}

/// Bytes of workspace for `truing_aot_sort`.
///
/// # Safety
/// As for `truing_aot_sort`; `minimum` and `preferred` are NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_aot_sort_workspace_size(
    args: *const truing_aot_sort_args,
    minimum: *mut usize,
    preferred: *mut usize,
) -> truing_status {
    guard("truing_aot_sort_workspace_size", || {
        // SAFETY: this function's contract.
        unsafe {
            aot(args, |x, _, _| {
                let need = truing_cpu::batch::aot_sort_workspace(x);
                sizes(minimum, preferred, (need.minimum, need.preferred))
            })
        }
    })
}

/// # Safety
/// As for [`Call::open`].
unsafe fn aot(
    args: *const truing_aot_sort_args,
    run: impl FnOnce(&AotSort<'_>, AotSortOut<'_>, &mut [u8]) -> Result<()>,
) -> Result<()> {
    // SAFETY: this function's contract.
    let Call { args, tensors: mut t, workspace, .. } = unsafe { Call::open(args, FLAGS) }?;
    let chosen = t.required("chosen", args.chosen)?;
    let rejected = t.required("rejected", args.rejected)?;
    let ref_chosen = t.input("ref_chosen", args.ref_chosen)?;
    let ref_rejected = t.input("ref_rejected", args.ref_rejected)?;
    let u_order = t.output("out_u_order", args.out_u_order)?;
    let v_order = t.output("out_v_order", args.out_v_order)?;
    let difference = t.output("out_difference", args.out_difference)?;
    let status = t.output("out_status", args.out_status)?;
    let pairing = match args.pairing {
        TRUING_AOT_PAIRED => Pairing::Paired,
        TRUING_AOT_UNPAIRED => Pairing::Unpaired,
        other => return unknown("pairing", other, "TRUING_AOT_*"),
    };

    let ok = &t.check()?;
    let x = AotSort {
        chosen: chosen.list(ok)?.expect("required"),
        rejected: rejected.list(ok)?.expect("required"),
        ref_chosen: ref_chosen.list(ok)?,
        ref_rejected: ref_rejected.list(ok)?,
        pairing,
    };
    let out = AotSortOut {
        u_order: u_order.list(ok)?,
        v_order: v_order.list(ok)?,
        difference: difference.list(ok)?,
        status: status.list(ok)?,
    };
    run(&x, out, workspace.bytes(ok))
}

/// Rows that `beta_dpo` keeps and the beta that it uses; see `truing_beta_dpo_stats_args`.
///
/// # Safety
/// As for `truing_kto_baseline`; the host array `params` is readable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_beta_dpo_stats(args: *const truing_beta_dpo_stats_args) -> truing_status {
    guard("truing_beta_dpo_stats", || {
        // SAFETY: this function's contract.
        unsafe { beta_dpo(args, truing_cpu::batch::beta_dpo_stats) }
    })
}

/// Bytes of workspace for `truing_beta_dpo_stats`.
///
/// # Safety
/// As for `truing_beta_dpo_stats`; `minimum` and `preferred` are NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_beta_dpo_stats_workspace_size(
    args: *const truing_beta_dpo_stats_args,
    minimum: *mut usize,
    preferred: *mut usize,
) -> truing_status {
    guard("truing_beta_dpo_stats_workspace_size", || {
        // SAFETY: this function's contract.
        unsafe {
            beta_dpo(args, |x, _, _| {
                let need = truing_cpu::batch::beta_dpo_stats_workspace(x);
                sizes(minimum, preferred, (need.minimum, need.preferred))
            })
        }
    })
}

/// # Safety
/// As for [`Call::open`]; the host array `params` is readable.
unsafe fn beta_dpo(
    args: *const truing_beta_dpo_stats_args,
    run: impl FnOnce(&BetaDpoStats<'_>, BetaDpoStatsOut<'_>, &mut [u8]) -> Result<()>,
) -> Result<()> {
    // SAFETY: this function's contract.
    let Call { args, tensors: mut t, workspace, .. } = unsafe { Call::open(args, FLAGS) }?;
    let gaps = t.required("gaps", args.gaps)?;
    let uniforms = t.required("uniforms", args.uniforms)?;
    let state = t.input("state", args.state)?;
    let keep = t.output("out_keep", args.out_keep)?;
    let beta = t.output("out_beta", args.out_beta)?;
    let out_state = t.output("out_state", args.out_state)?;
    let status = t.output("out_status", args.out_status)?;
    // SAFETY: this function's contract.
    let params = BetaDpoStats::params(unsafe { numbers(args.params, args.num_params) }?)?;

    let ok = &t.check()?;
    let x = BetaDpoStats {
        gaps: gaps.list(ok)?.expect("required"),
        uniforms: uniforms.list(ok)?.expect("required"),
        state: state.list(ok)?,
        params,
    };
    let out = BetaDpoStatsOut {
        keep: keep.list(ok)?,
        beta: beta.scalar(ok)?,
        state: out_state.list(ok)?,
        status: status.scalar(ok)?,
    };
    run(&x, out, workspace.bytes(ok))
}

/// Weights of pairs by the policy's own probabilities; see `truing_wpo_weight_args`. No workspace.
///
/// # Safety
/// As for `truing_kto_baseline`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_wpo_weight(args: *const truing_wpo_weight_args) -> truing_status {
    guard("truing_wpo_weight", || {
        // SAFETY: this function's contract.
        let Call { args, tensors: mut t, .. } = unsafe { Call::open(args, FLAGS) }?;
        let chosen = t.required("chosen", args.chosen)?;
        let rejected = t.required("rejected", args.rejected)?;
        let chosen_log_sum_sq = t.input("chosen_log_sum_sq", args.chosen_log_sum_sq)?;
        let rejected_log_sum_sq = t.input("rejected_log_sum_sq", args.rejected_log_sum_sq)?;
        let weight = t.output("out_weight", args.out_weight)?;
        let status = t.output("out_status", args.out_status)?;
        let trl = match args.form {
            TRUING_WPO_TRL => true,
            TRUING_WPO_PLAIN => false,
            other => return unknown("form", other, "TRUING_WPO_*"),
        };

        let ok = &t.check()?;
        let x = WpoWeight {
            chosen: chosen.list(ok)?.expect("required"),
            rejected: rejected.list(ok)?.expect("required"),
            chosen_log_sum_sq: chosen_log_sum_sq.list(ok)?,
            rejected_log_sum_sq: rejected_log_sum_sq.list(ok)?,
            trl,
        };
        truing_cpu::batch::wpo_weight(&x, WpoWeightOut { weight: weight.list(ok)?, status: status.list(ok)? })
    })
}

/// Bytes of workspace for `truing_kto_baseline`: 0.
///
/// # Safety
/// As for `truing_kto_baseline`; `minimum` and `preferred` are NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_kto_baseline_workspace_size(
    args: *const truing_kto_baseline_args,
    minimum: *mut usize,
    preferred: *mut usize,
) -> truing_status {
    // SAFETY: this function's contract.
    guard("truing_kto_baseline_workspace_size", || unsafe { no_workspace(args, FLAGS, minimum, preferred) })
}

/// Bytes of workspace for `truing_bco_shift`: 0.
///
/// # Safety
/// As for `truing_bco_shift`; `minimum` and `preferred` are NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_bco_shift_workspace_size(
    args: *const truing_bco_shift_args,
    minimum: *mut usize,
    preferred: *mut usize,
) -> truing_status {
    // SAFETY: this function's contract.
    guard("truing_bco_shift_workspace_size", || unsafe { no_workspace(args, FLAGS, minimum, preferred) })
}

/// Bytes of workspace for `truing_wpo_weight`: 0.
///
/// # Safety
/// As for `truing_wpo_weight`; `minimum` and `preferred` are NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_wpo_weight_workspace_size(
    args: *const truing_wpo_weight_args,
    minimum: *mut usize,
    preferred: *mut usize,
) -> truing_status {
    // SAFETY: this function's contract.
    guard("truing_wpo_weight_workspace_size", || unsafe { no_workspace(args, FLAGS, minimum, preferred) })
}

/// Weights of undesirable rows in `bco`; see `truing_item_numbers_args`. No workspace.
///
/// # Safety
/// As for `truing_kto_baseline`; the host array `params` is readable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_density_ratio(args: *const truing_item_numbers_args) -> truing_status {
    guard("truing_density_ratio", || {
        // SAFETY: this function's contract.
        unsafe {
            items(args, |given, form| match form {
                TRUING_ITEM_PROBABILITY => ItemRule::density_ratio(given, false),
                TRUING_ITEM_LOGIT => ItemRule::density_ratio(given, true),
                other => unknown("form", other, "TRUING_ITEM_PROBABILITY or TRUING_ITEM_LOGIT"),
            })
        }
    })
}

/// Margins of `odpo` from rewards; see `truing_item_numbers_args`. No workspace.
///
/// # Safety
/// As for `truing_kto_baseline`; the host array `params` is readable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_odpo_offset(args: *const truing_item_numbers_args) -> truing_status {
    guard("truing_odpo_offset", || {
        // SAFETY: this function's contract.
        unsafe {
            items(args, |given, form| match form {
                TRUING_ITEM_DIFFERENCE => ItemRule::odpo_offset(given, false),
                TRUING_ITEM_RATIO => ItemRule::odpo_offset(given, true),
                other => unknown("form", other, "TRUING_ITEM_DIFFERENCE or TRUING_ITEM_RATIO"),
            })
        }
    })
}

/// Betas of `mm_dpo` from rewards; see `truing_item_numbers_args`. No workspace.
///
/// # Safety
/// As for `truing_kto_baseline`; the host array `params` is readable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_mm_beta(args: *const truing_item_numbers_args) -> truing_status {
    guard("truing_mm_beta", || {
        // SAFETY: this function's contract.
        unsafe { items(args, |given, form| formless(form, ItemRule::mm_beta(given)?)) }
    })
}

/// One step of the multiplier of a constraint; see `truing_item_numbers_args`. No workspace.
///
/// # Safety
/// As for `truing_kto_baseline`; the host array `params` is readable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_pdu_dual_step(args: *const truing_item_numbers_args) -> truing_status {
    guard("truing_pdu_dual_step", || {
        // SAFETY: this function's contract.
        unsafe { items(args, |given, form| formless(form, ItemRule::dual_step(given)?)) }
    })
}

/// # Safety
/// As for [`Call::open`]; the host array `params` is readable.
unsafe fn items(
    args: *const truing_item_numbers_args,
    rule: impl FnOnce(&[f64], truing_item_form) -> Result<ItemRule>,
) -> Result<()> {
    // SAFETY: this function's contract.
    let Call { args, tensors: mut t, .. } = unsafe { Call::open(args, FLAGS) }?;
    let first = t.required("first", args.first)?;
    let second = t.input("second", args.second)?;
    let value = t.output("out_value", args.out_value)?;
    let status = t.output("out_status", args.out_status)?;
    // SAFETY: this function's contract.
    let rule = rule(unsafe { numbers(args.params, args.num_params) }?, args.form)?;

    let ok = &t.check()?;
    let x = ItemNumbers { first: first.list(ok)?.expect("required"), second: second.list(ok)?, rule };
    truing_cpu::batch::item_numbers(&x, ItemNumbersOut { value: value.list(ok)?, status: status.list(ok)? })
}
/// Refuses a form where there is no choice.
fn formless(form: truing_item_form, rule: ItemRule) -> Result<ItemRule> {
    idle("form", &form, "0: this operation has one form").map(|()| rule)
}

/// Weights of the rows of several heads; see `truing_head_weights_args`. No workspace.
///
/// # Safety
/// As for `truing_kto_baseline`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_head_weights(args: *const truing_head_weights_args) -> truing_status {
    guard("truing_head_weights", || {
        // SAFETY: this function's contract.
        let Call { args, tensors: mut t, .. } = unsafe { Call::open(args, FLAGS) }?;
        let head = t.required("head", args.head)?;
        let mask = t.input("mask", args.mask)?;
        let alpha = t.input("alpha", args.alpha)?;
        let weight = t.output("out_weight", args.out_weight)?;
        let counts = t.required_output("out_counts", args.out_counts)?;
        let status = t.output("out_status", args.out_status)?;
        let present_heads = yes("present_heads", args.present_heads)?;

        let ok = &t.check()?;
        let counts = counts.list::<MatrixMut<'_, i64>>(ok)?.expect("required");
        let x = HeadWeights {
            head: head.list(ok)?.expect("required"),
            mask: mask.list(ok)?,
            alpha: alpha.list(ok)?,
            heads: counts.rows(),
            present_heads,
        };
        let out = HeadWeightsOut { weight: weight.list(ok)?, counts, status: status.scalar(ok)? };
        truing_cpu::batch::head_weights(&x, out)
    })
}

/// Margins of `modpo` and their gradients; see `truing_modpo_margin_args`. No workspace.
///
/// # Safety
/// As for `truing_kto_baseline`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_modpo_margin(args: *const truing_modpo_margin_args) -> truing_status {
    guard("truing_modpo_margin", || {
        // SAFETY: this function's contract.
        let Call { args, tensors: mut t, .. } = unsafe { Call::open(args, FLAGS) }?;
        let weights = t.required("weights", args.weights)?;
        let chosen = t.required("chosen", args.chosen)?;
        let rejected = t.required("rejected", args.rejected)?;
        let grad_margin = t.input("grad_margin", args.grad_margin)?;
        let margin_chosen = t.output("out_margin_chosen", args.out_margin_chosen)?;
        let margin_rejected = t.output("out_margin_rejected", args.out_margin_rejected)?;
        let grad_weights = t.output("grad_weights_out", args.grad_weights_out)?;
        let grad_chosen = t.output("grad_chosen_out", args.grad_chosen_out)?;

        let ok = &t.check()?;
        // weights [K] are one row
        let one = weights.dims().len() == 1;
        let shape = &Leading::new(&[1]);
        let x = ModpoMargin {
            weights: if one { weights.shared(ok, shape)? } else { weights.matrix(ok)? }.expect("required"),
            chosen: chosen.matrix(ok)?.expect("required"),
            rejected: rejected.matrix(ok)?.expect("required"),
            grad_margin: grad_margin.list(ok)?,
        };
        let out = ModpoMarginOut {
            chosen: margin_chosen.list(ok)?,
            rejected: margin_rejected.list(ok)?,
            grad_weights: if one { grad_weights.shared(ok, shape)? } else { grad_weights.matrix(ok)? },
            grad_chosen: grad_chosen.matrix(ok)?,
        };
        truing_cpu::batch::modpo_margin(&x, out)
    })
}

/// A quantile of a batch; see `truing_quantile_threshold_args`.
///
/// # Safety
/// As for `truing_kto_baseline`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_quantile_threshold(args: *const truing_quantile_threshold_args) -> truing_status {
    guard("truing_quantile_threshold", || {
        // SAFETY: this function's contract.
        unsafe { quantile(args, truing_cpu::batch::quantile_threshold) }
    })
}

/// Bytes of workspace for `truing_quantile_threshold`.
///
/// # Safety
/// As for `truing_quantile_threshold`; `minimum` and `preferred` are NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_quantile_threshold_workspace_size(
    args: *const truing_quantile_threshold_args,
    minimum: *mut usize,
    preferred: *mut usize,
) -> truing_status {
    guard("truing_quantile_threshold_workspace_size", || {
        // SAFETY: this function's contract.
        unsafe {
            quantile(args, |x, _, _| {
                let need = truing_cpu::batch::quantile_threshold_workspace(x);
                sizes(minimum, preferred, (need.minimum, need.preferred))
            })
        }
    })
}

/// # Safety
/// As for [`Call::open`].
unsafe fn quantile(
    args: *const truing_quantile_threshold_args,
    run: impl FnOnce(&QuantileThreshold<'_>, QuantileThresholdOut<'_>, &mut [u8]) -> Result<()>,
) -> Result<()> {
    // SAFETY: this function's contract.
    let Call { args, tensors: mut t, workspace, .. } = unsafe { Call::open(args, FLAGS) }?;
    let values = t.required("values", args.values)?;
    let mask = t.input("mask", args.mask)?;
    let level = t.required("level", args.level)?;
    let threshold = t.output("out_threshold", args.out_threshold)?;
    let status = t.output("out_status", args.out_status)?;

    let ok = &t.check()?;
    let x = QuantileThreshold {
        values: values.list(ok)?.expect("required"),
        mask: mask.list(ok)?,
        level: level.list(ok)?.expect("required"),
    };
    let out = QuantileThresholdOut { threshold: threshold.scalar(ok)?, status: status.scalar(ok)? };
    run(&x, out, workspace.bytes(ok))
}

/// Values of prompts from samples of the reference model; see `truing_a_star_value_args`. No workspace.
///
/// # Safety
/// As for `truing_kto_baseline`; the host array `params` is readable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_a_star_value(args: *const truing_a_star_value_args) -> truing_status {
    guard("truing_a_star_value", || {
        // SAFETY: this function's contract.
        let Call { args, tensors: mut t, .. } = unsafe { Call::open(args, FLAGS) }?;
        let rewards = t.required("rewards", args.rewards)?;
        let cu_seqlens = t.input("cu_seqlens", args.cu_seqlens)?;
        let mask = t.input("mask", args.mask)?;
        let value = t.output("out_value", args.out_value)?;
        let share = t.output("out_share", args.out_share)?;
        let status = t.output("out_status", args.out_status)?;
        let mode = match args.mode {
            TRUING_VALUE_LOG_MEAN_EXP => PromptValue::LogMeanExp,
            TRUING_VALUE_MEAN => PromptValue::Mean,
            TRUING_VALUE_MAX => PromptValue::Max,
            TRUING_VALUE_ZERO => PromptValue::Zero,
            other => return unknown("mode", other, "TRUING_VALUE_*"),
        };
        // SAFETY: this function's contract.
        let given = unsafe { numbers(args.params, args.num_params) }?;
        if mode != PromptValue::LogMeanExp {
            idle("num_params", &args.num_params, "0: only TRUING_VALUE_LOG_MEAN_EXP has a beta")?;
        }
        let beta = AStarValue::params(given)?;

        let ok = &t.check()?;
        let (_, segments) = segments("rewards", rewards.dims(), &cu_seqlens, ok)?;
        let tokens = &Leading::new(rewards.dims());
        let x = AStarValue {
            rewards: rewards.tokens(ok, tokens)?.expect("required"),
            segments,
            mask: mask.tokens(ok, tokens)?,
            mode,
            beta,
        };
        let out = AStarValueOut { value: value.list(ok)?, share: share.tokens(ok, tokens)?, status: status.list(ok)? };
        truing_cpu::batch::a_star_value(&x, out)
    })
}

/// Targets of steps with the outcome behind them; see `truing_hindsight_target_args`. No workspace.
///
/// # Safety
/// As for `truing_kto_baseline`; the host array `params` is readable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_hindsight_target(args: *const truing_hindsight_target_args) -> truing_status {
    guard("truing_hindsight_target", || {
        // SAFETY: this function's contract.
        let Call { args, tensors: mut t, .. } = unsafe { Call::open(args, FLAGS) }?;
        let rewards = t.required("rewards", args.rewards)?;
        let cu_seqlens = t.input("cu_seqlens", args.cu_seqlens)?;
        let outcome = t.required("outcome", args.outcome)?;
        let targets = t.output("out_targets", args.out_targets)?;
        // SAFETY: this function's contract.
        let given = unsafe { numbers(args.params, args.num_params) }?;
        let gamma = HindsightTarget::params(given)?;

        let ok = &t.check()?;
        let (_, segments) = segments("rewards", rewards.dims(), &cu_seqlens, ok)?;
        let tokens = &Leading::new(rewards.dims());
        let x = HindsightTarget {
            rewards: rewards.tokens(ok, tokens)?.expect("required"),
            segments,
            outcome: outcome.list(ok)?.expect("required"),
            gamma,
        };
        truing_cpu::batch::hindsight_target(&x, targets.tokens(ok, tokens)?)
    })
}

/// KL by sampled tokens and lengths of a batch; see `truing_kl_length_figures_args`.
///
/// # Safety
/// As for `truing_kto_baseline`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_kl_length_figures(args: *const truing_kl_length_figures_args) -> truing_status {
    guard("truing_kl_length_figures", || {
        // SAFETY: this function's contract.
        unsafe { kl_length(args, truing_cpu::batch::kl_length_figures) }
    })
}

/// Bytes of workspace for `truing_kl_length_figures`.
///
/// # Safety
/// As for `truing_kl_length_figures`; `minimum` and `preferred` are NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_kl_length_figures_workspace_size(
    args: *const truing_kl_length_figures_args,
    minimum: *mut usize,
    preferred: *mut usize,
) -> truing_status {
    guard("truing_kl_length_figures_workspace_size", || {
        // SAFETY: this function's contract.
        unsafe {
            kl_length(args, |x, _, _| {
                let need = truing_cpu::batch::kl_length_figures_workspace(x);
                sizes(minimum, preferred, (need.minimum, need.preferred))
            })
        }
    })
}

/// # Safety
/// As for [`Call::open`].
unsafe fn kl_length(
    args: *const truing_kl_length_figures_args,
    run: impl FnOnce(&KlLengthFigures<'_>, KlLengthOut<'_>, &mut [u8]) -> Result<()>,
) -> Result<()> {
    // SAFETY: this function's contract.
    let Call { args, tensors: mut t, workspace, .. } = unsafe { Call::open(args, FLAGS) }?;
    let logps = t.required("logps", args.logps)?;
    let ref_logps = t.input("ref_logps", args.ref_logps)?;
    let cu_seqlens = t.input("cu_seqlens", args.cu_seqlens)?;
    let mask = t.input("mask", args.mask)?;
    let quantile_levels = t.input("quantile_levels", args.quantile_levels)?;
    let bin_edges = t.input("bin_edges", args.bin_edges)?;
    let k1 = t.output("out_k1", args.out_k1)?;
    let k3 = t.output("out_k3", args.out_k3)?;
    let lengths = t.output("out_lengths", args.out_lengths)?;
    let figures = t.output("out_figures", args.out_figures)?;
    let quantiles = t.output("out_quantiles", args.out_quantiles)?;
    let histogram = t.output("out_histogram", args.out_histogram)?;
    let status = t.output("out_status", args.out_status)?;

    let ok = &t.check()?;
    let (_, segments) = segments("logps", logps.dims(), &cu_seqlens, ok)?;
    let tokens = &Leading::new(logps.dims());
    let x = KlLengthFigures {
        logps: logps.tokens(ok, tokens)?.expect("required"),
        ref_logps: ref_logps.tokens(ok, tokens)?,
        segments,
        mask: mask.tokens(ok, tokens)?,
        levels: quantile_levels.list(ok)?,
        edges: bin_edges.list(ok)?,
    };
    let out = KlLengthOut {
        k1: k1.list(ok)?,
        k3: k3.list(ok)?,
        lengths: lengths.list(ok)?,
        figures: figures.array(ok)?,
        quantiles: quantiles.list(ok)?,
        histogram: histogram.list(ok)?,
        status: status.list(ok)?,
    };
    run(&x, out, workspace.bytes(ok))
}

/// Similarity of the hidden states of both answers of pairs; see `truing_ches_args`.
///
/// # Safety
/// As for `truing_kto_baseline`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_ches(args: *const truing_ches_args) -> truing_status {
    guard("truing_ches", || {
        // SAFETY: this function's contract.
        unsafe { similarity(args, truing_cpu::batch::ches) }
    })
}

/// Bytes of workspace for `truing_ches`.
///
/// # Safety
/// As for `truing_ches`; `minimum` and `preferred` are NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_ches_workspace_size(
    args: *const truing_ches_args,
    minimum: *mut usize,
    preferred: *mut usize,
) -> truing_status {
    guard("truing_ches_workspace_size", || {
        // SAFETY: this function's contract.
        unsafe {
            similarity(args, |x, _, _| {
                let need = truing_cpu::batch::ches_workspace(x);
                sizes(minimum, preferred, (need.minimum, need.preferred))
            })
        }
    })
}

/// # Safety
/// As for [`Call::open`].
unsafe fn similarity(
    args: *const truing_ches_args,
    run: impl FnOnce(&Ches<'_>, ChesOut<'_>, &mut [u8]) -> Result<()>,
) -> Result<()> {
    // SAFETY: this function's contract.
    let Call { args, tensors: mut t, workspace, .. } = unsafe { Call::open(args, FLAGS) }?;
    let hidden = t.required("hidden", args.hidden)?;
    let cu_seqlens = t.input("cu_seqlens", args.cu_seqlens)?;
    let mask = t.input("mask", args.mask)?;
    let chosen_seq = t.required("chosen_seq", args.chosen_seq)?;
    let rejected_seq = t.required("rejected_seq", args.rejected_seq)?;
    let value = t.output("out_value", args.out_value)?;
    let status = t.output("out_status", args.out_status)?;
    let mean = match args.score_kind {
        TRUING_SCORE_SUM => false,
        TRUING_SCORE_MEAN => true,
        other => return unknown("score_kind", other, "TRUING_SCORE_SUM or TRUING_SCORE_MEAN"),
    };

    let ok = &t.check()?;
    let dims = hidden.dims();
    let (_, segments) = segments("hidden", &dims[..dims.len().saturating_sub(1)], &cu_seqlens, ok)?;
    let tokens = &Leading::new(&dims[..dims.len() - 1]);
    let x = Ches {
        hidden: hidden.rows(ok, tokens)?.expect("required"),
        segments,
        mask: mask.tokens(ok, tokens)?,
        chosen: chosen_seq.list(ok)?.expect("required"),
        rejected: rejected_seq.list(ok)?.expect("required"),
        mean,
    };
    run(&x, ChesOut { value: value.list(ok)?, status: status.list(ok)? }, workspace.bytes(ok))
}

/// Bytes of workspace for `truing_density_ratio`: 0.
///
/// # Safety
/// As for `truing_density_ratio`; `minimum` and `preferred` are NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_density_ratio_workspace_size(
    args: *const truing_item_numbers_args,
    minimum: *mut usize,
    preferred: *mut usize,
) -> truing_status {
    // SAFETY: this function's contract.
    guard("truing_density_ratio_workspace_size", || unsafe { no_workspace(args, FLAGS, minimum, preferred) })
}

/// Bytes of workspace for `truing_odpo_offset`: 0.
///
/// # Safety
/// As for `truing_odpo_offset`; `minimum` and `preferred` are NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_odpo_offset_workspace_size(
    args: *const truing_item_numbers_args,
    minimum: *mut usize,
    preferred: *mut usize,
) -> truing_status {
    // SAFETY: this function's contract.
    guard("truing_odpo_offset_workspace_size", || unsafe { no_workspace(args, FLAGS, minimum, preferred) })
}

/// Bytes of workspace for `truing_mm_beta`: 0.
///
/// # Safety
/// As for `truing_mm_beta`; `minimum` and `preferred` are NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_mm_beta_workspace_size(
    args: *const truing_item_numbers_args,
    minimum: *mut usize,
    preferred: *mut usize,
) -> truing_status {
    // SAFETY: this function's contract.
    guard("truing_mm_beta_workspace_size", || unsafe { no_workspace(args, FLAGS, minimum, preferred) })
}

/// Bytes of workspace for `truing_pdu_dual_step`: 0.
///
/// # Safety
/// As for `truing_pdu_dual_step`; `minimum` and `preferred` are NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_pdu_dual_step_workspace_size(
    args: *const truing_item_numbers_args,
    minimum: *mut usize,
    preferred: *mut usize,
) -> truing_status {
    // SAFETY: this function's contract.
    guard("truing_pdu_dual_step_workspace_size", || unsafe { no_workspace(args, FLAGS, minimum, preferred) })
}

/// Bytes of workspace for `truing_head_weights`: 0.
///
/// # Safety
/// As for `truing_head_weights`; `minimum` and `preferred` are NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_head_weights_workspace_size(
    args: *const truing_head_weights_args,
    minimum: *mut usize,
    preferred: *mut usize,
) -> truing_status {
    // SAFETY: this function's contract.
    guard("truing_head_weights_workspace_size", || unsafe { no_workspace(args, FLAGS, minimum, preferred) })
}

/// Bytes of workspace for `truing_modpo_margin`: 0.
///
/// # Safety
/// As for `truing_modpo_margin`; `minimum` and `preferred` are NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_modpo_margin_workspace_size(
    args: *const truing_modpo_margin_args,
    minimum: *mut usize,
    preferred: *mut usize,
) -> truing_status {
    // SAFETY: this function's contract.
    guard("truing_modpo_margin_workspace_size", || unsafe { no_workspace(args, FLAGS, minimum, preferred) })
}

/// Bytes of workspace for `truing_a_star_value`: 0.
///
/// # Safety
/// As for `truing_a_star_value`; `minimum` and `preferred` are NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_a_star_value_workspace_size(
    args: *const truing_a_star_value_args,
    minimum: *mut usize,
    preferred: *mut usize,
) -> truing_status {
    // SAFETY: this function's contract.
    guard("truing_a_star_value_workspace_size", || unsafe { no_workspace(args, FLAGS, minimum, preferred) })
}

/// Bytes of workspace for `truing_hindsight_target`: 0.
///
/// # Safety
/// As for `truing_hindsight_target`; `minimum` and `preferred` are NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_hindsight_target_workspace_size(
    args: *const truing_hindsight_target_args,
    minimum: *mut usize,
    preferred: *mut usize,
) -> truing_status {
    // SAFETY: this function's contract.
    guard("truing_hindsight_target_workspace_size", || unsafe { no_workspace(args, FLAGS, minimum, preferred) })
}
