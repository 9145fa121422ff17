//! Operations over the numbers of a batch; see `truing_core::batch` for why they share a file.
use crate::abi::*;
use crate::boundary::{array, guard, no_workspace, sizes, unknown};
use crate::tensor::Call;
use truing_core::Result;
use truing_core::batch::{
    AotSort, AotSortOut, BcoShift, BcoShiftOut, BetaDpoStats, BetaDpoStatsOut, KtoBaseline, KtoBaselineOut, Pairing,
    Shift, WpoWeight, WpoWeightOut,
};

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
        let nonzero_only = match args.nonzero_only {
            0 => false,
            1 => true,
            other => return unknown("nonzero_only", other, "0 or 1"),
        };

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
    if args.num_params > BetaDpoStats::PARAMS.len() {
        return unknown("num_params", args.num_params.try_into().unwrap_or(u32::MAX), "0 to 4");
    }
    // SAFETY: this function's contract.
    let params = BetaDpoStats::params(unsafe { array("params", args.params, args.num_params) }?)?;

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
