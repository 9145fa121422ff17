//! Losses over rows of classes: the functions of `truing_class_rows_args`, `truing_prm_mse` and
//! `truing_preference_orchestrator`.
use crate::abi::*;
use crate::boundary::{grad_scale, guard, idle, no_workspace, numbers, sizes, unknown};
use crate::sequence::segments;
use crate::tensor::{Call, Leading};
use truing_core::Result;
use truing_core::classes::{
    Classes, ClassesOut, Direction, Orchestrator, OrchestratorOut, PrmMse, PrmMseOut, Rule, Total,
};
use truing_core::preference::Reduction;

const FLAGS: u64 = TRUING_STRICT | TRUING_HAS_GRAD_SCALE;

/// Cross entropy of a process reward model at its steps; see `truing_class_rows_args`.
///
/// # Safety
/// `args` is NULL or points to `struct_size` readable bytes; the host array `params` is readable. What its fields describe is
/// readable, what its outputs describe and the workspace are writable, and nobody else writes to any of it during the call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_prm_ce(args: *const truing_class_rows_args) -> truing_status {
    guard("truing_prm_ce", || {
        // SAFETY: this function's contract.
        unsafe { rows(args, |_, form| formless(form, Rule::PrmCe), truing_cpu::classes::classes) }
    })
}

/// Ranked probability score of ordered classes; see `truing_class_rows_args`.
///
/// # Safety
/// As for `truing_prm_ce`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_rps(args: *const truing_class_rows_args) -> truing_status {
    guard("truing_rps", || {
        // SAFETY: this function's contract.
        unsafe { rows(args, |_, form| Ok(Rule::Rps { sum: summed(form)? }), truing_cpu::classes::classes) }
    })
}

/// Brier score of classes; see `truing_class_rows_args`.
///
/// # Safety
/// As for `truing_prm_ce`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_brier(args: *const truing_class_rows_args) -> truing_status {
    guard("truing_brier", || {
        // SAFETY: this function's contract.
        unsafe { rows(args, |_, form| Ok(Rule::Brier { sum: summed(form)? }), truing_cpu::classes::classes) }
    })
}

/// Cross entropy to weak labels mixed with the student's own hard ones; see `truing_class_rows_args`.
///
/// # Safety
/// As for `truing_prm_ce`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_confidence_ce(args: *const truing_class_rows_args) -> truing_status {
    guard("truing_confidence_ce", || {
        // SAFETY: this function's contract.
        unsafe { rows(args, |given, form| formless(form, Rule::confidence_ce(given)?), truing_cpu::classes::classes) }
    })
}

/// Cross entropy to the product of the student's and the weak labels; see `truing_class_rows_args`.
///
/// # Safety
/// As for `truing_prm_ce`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_product_target(args: *const truing_class_rows_args) -> truing_status {
    guard("truing_product_target", || {
        // SAFETY: this function's contract.
        unsafe { rows(args, |given, form| formless(form, Rule::product_target(given)?), truing_cpu::classes::classes) }
    })
}

/// Squared gap between the largest logit and the mean; see `truing_class_rows_args`. No workspace.
///
/// # Safety
/// As for `truing_prm_ce`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_pdu_flatten(args: *const truing_class_rows_args) -> truing_status {
    guard("truing_pdu_flatten", || {
        // SAFETY: this function's contract.
        unsafe { rows(args, |_, form| formless(form, Rule::PduFlatten), truing_cpu::classes::classes) }
    })
}

/// Bytes of workspace for `truing_prm_ce`.
///
/// # Safety
/// As for `truing_prm_ce`; `minimum` and `preferred` are NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_prm_ce_workspace_size(
    args: *const truing_class_rows_args,
    minimum: *mut usize,
    preferred: *mut usize,
) -> truing_status {
    guard("truing_prm_ce_workspace_size", || {
        // SAFETY: this function's contract.
        unsafe {
            rows(
                args,
                |_, form| formless(form, Rule::PrmCe),
                |_, x, _, _| {
                    let need = truing_cpu::classes::classes_workspace(x);
                    sizes(minimum, preferred, (need.minimum, need.preferred))
                },
            )
        }
    })
}

/// Bytes of workspace for `truing_rps`.
///
/// # Safety
/// As for `truing_rps`; `minimum` and `preferred` are NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_rps_workspace_size(
    args: *const truing_class_rows_args,
    minimum: *mut usize,
    preferred: *mut usize,
) -> truing_status {
    guard("truing_rps_workspace_size", || {
        // SAFETY: this function's contract.
        unsafe {
            rows(
                args,
                |_, form| Ok(Rule::Rps { sum: summed(form)? }),
                |_, x, _, _| {
                    let need = truing_cpu::classes::classes_workspace(x);
                    sizes(minimum, preferred, (need.minimum, need.preferred))
                },
            )
        }
    })
}

/// Bytes of workspace for `truing_brier`.
///
/// # Safety
/// As for `truing_brier`; `minimum` and `preferred` are NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_brier_workspace_size(
    args: *const truing_class_rows_args,
    minimum: *mut usize,
    preferred: *mut usize,
) -> truing_status {
    guard("truing_brier_workspace_size", || {
        // SAFETY: this function's contract.
        unsafe {
            rows(
                args,
                |_, form| Ok(Rule::Brier { sum: summed(form)? }),
                |_, x, _, _| {
                    let need = truing_cpu::classes::classes_workspace(x);
                    sizes(minimum, preferred, (need.minimum, need.preferred))
                },
            )
        }
    })
}

/// Bytes of workspace for `truing_confidence_ce`.
///
/// # Safety
/// As for `truing_confidence_ce`; `minimum` and `preferred` are NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_confidence_ce_workspace_size(
    args: *const truing_class_rows_args,
    minimum: *mut usize,
    preferred: *mut usize,
) -> truing_status {
    guard("truing_confidence_ce_workspace_size", || {
        // SAFETY: this function's contract.
        unsafe {
            rows(
                args,
                |given, form| formless(form, Rule::confidence_ce(given)?),
                |_, x, _, _| {
                    let need = truing_cpu::classes::classes_workspace(x);
                    sizes(minimum, preferred, (need.minimum, need.preferred))
                },
            )
        }
    })
}

/// Bytes of workspace for `truing_product_target`.
///
/// # Safety
/// As for `truing_product_target`; `minimum` and `preferred` are NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_product_target_workspace_size(
    args: *const truing_class_rows_args,
    minimum: *mut usize,
    preferred: *mut usize,
) -> truing_status {
    guard("truing_product_target_workspace_size", || {
        // SAFETY: this function's contract.
        unsafe {
            rows(
                args,
                |given, form| formless(form, Rule::product_target(given)?),
                |_, x, _, _| {
                    let need = truing_cpu::classes::classes_workspace(x);
                    sizes(minimum, preferred, (need.minimum, need.preferred))
                },
            )
        }
    })
}

/// Bytes of workspace for `truing_pdu_flatten`.
///
/// # Safety
/// As for `truing_pdu_flatten`; `minimum` and `preferred` are NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_pdu_flatten_workspace_size(
    args: *const truing_class_rows_args,
    minimum: *mut usize,
    preferred: *mut usize,
) -> truing_status {
    guard("truing_pdu_flatten_workspace_size", || {
        // SAFETY: this function's contract.
        unsafe {
            rows(
                args,
                |_, form| formless(form, Rule::PduFlatten),
                |_, x, _, _| {
                    let need = truing_cpu::classes::classes_workspace(x);
                    sizes(minimum, preferred, (need.minimum, need.preferred))
                },
            )
        }
    })
}

fn formless(form: truing_class_form, rule: Rule) -> Result<Rule> {
    idle("form", &form, "0: this operation has one form").map(|()| rule)
}
fn summed(form: truing_class_form) -> Result<bool> {
    match form {
        TRUING_CLASS_MEAN => Ok(false),
        TRUING_CLASS_SUM => Ok(true),
        other => unknown("form", other, "TRUING_CLASS_*"),
    }
}
fn reduction(value: truing_reduction) -> Result<Reduction> {
    match value {
        TRUING_REDUCE_NONE => Ok(Reduction::None),
        TRUING_REDUCE_SUM => Ok(Reduction::Sum),
        TRUING_REDUCE_MEAN => Ok(Reduction::Mean),
        other => unknown("reduction", other, "TRUING_REDUCE_NONE, TRUING_REDUCE_SUM or TRUING_REDUCE_MEAN"),
    }
}

/// # Safety
/// As for [`Call::open`]; the host array `params` is readable.
unsafe fn rows(
    args: *const truing_class_rows_args,
    rule: impl FnOnce(&[f64], truing_class_form) -> Result<Rule>,
    run: impl FnOnce(&truing_cpu::Context, &Classes<'_>, ClassesOut<'_>, &mut [u8]) -> Result<()>,
) -> Result<()> {
    // SAFETY: this function's contract.
    let Call { args, context, tensors: mut t, workspace } = unsafe { Call::open(args, FLAGS) }?;
    let logits = t.required("logits", args.logits)?;
    let columns = t.input("columns", args.columns)?;
    let targets = t.input("targets", args.targets)?;
    let target_ids = t.input("target_ids", args.target_ids)?;
    let threshold = t.input("threshold", args.threshold)?;
    let mask = t.input("mask", args.mask)?;
    let grad_output = t.input("grad_output", args.grad_output)?;
    let loss = t.output("out_loss", args.out_loss)?;
    let losses = t.output("out_losses", args.out_losses)?;
    let out_targets = t.output("out_targets", args.out_targets)?;
    let grad_logits = t.output("grad_logits_out", args.grad_logits_out)?;
    let status = t.output("out_status", args.out_status)?;
    // SAFETY: this function's contract.
    let rule = rule(unsafe { numbers(args.params, args.num_params) }?, args.form)?;
    if !matches!(rule, Rule::ConfidenceCe { .. } | Rule::ProductTarget { .. }) {
        idle("num_params", &args.num_params, "0: this operation has no numbers")?;
    }
    let reduction = reduction(args.reduction)?;

    let ok = &t.check()?;
    let x = Classes {
        logits: logits.matrix(ok)?.expect("required"),
        columns: columns.list(ok)?,
        targets: targets.matrix(ok)?,
        ids: target_ids.list(ok)?,
        threshold: threshold.scalar(ok)?,
        mask: mask.list(ok)?,
        rule,
        total: Total {
            reduction,
            normaliser: args.normaliser,
            grad_output: grad_output.list(ok)?,
            grad_scale: grad_scale(args.grad_scale, args.flags),
        },
    };
    let out = ClassesOut {
        loss: loss.scalar(ok)?,
        losses: losses.list(ok)?,
        targets: out_targets.matrix(ok)?,
        grad_logits: grad_logits.matrix(ok)?,
        status: status.list(ok)?,
    };
    run(&context, &x, out, workspace.bytes(ok))
}

/// Squared error of a process reward model; see `truing_prm_mse_args`. No workspace.
///
/// # Safety
/// As for `truing_prm_ce`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_prm_mse(args: *const truing_prm_mse_args) -> truing_status {
    guard("truing_prm_mse", || {
        // SAFETY: this function's contract.
        let Call { args, tensors: mut t, .. } = unsafe { Call::open(args, FLAGS) }?;
        let predictions = t.required("predictions", args.predictions)?;
        let targets = t.required("targets", args.targets)?;
        let cu_seqlens = t.input("cu_seqlens", args.cu_seqlens)?;
        let mask = t.input("mask", args.mask)?;
        let grad_output = t.input("grad_output", args.grad_output)?;
        let loss = t.output("out_loss", args.out_loss)?;
        let losses = t.output("out_losses", args.out_losses)?;
        let grad_predictions = t.output("grad_predictions_out", args.grad_predictions_out)?;
        let status = t.output("out_status", args.out_status)?;
        let reduction = reduction(args.reduction)?;

        let ok = &t.check()?;
        let (_, segments) = segments("predictions", predictions.dims(), &cu_seqlens, ok)?;
        let tokens = &Leading::new(predictions.dims());
        let x = PrmMse {
            predictions: predictions.tokens(ok, tokens)?.expect("required"),
            targets: targets.tokens(ok, tokens)?.expect("required"),
            segments,
            mask: mask.tokens(ok, tokens)?,
            total: Total {
                reduction,
                normaliser: args.normaliser,
                grad_output: grad_output.list(ok)?,
                grad_scale: grad_scale(args.grad_scale, args.flags),
            },
        };
        let out = PrmMseOut {
            loss: loss.scalar(ok)?,
            losses: losses.list(ok)?,
            grad_predictions: grad_predictions.tokens(ok, tokens)?,
            status: status.list(ok)?,
        };
        truing_cpu::classes::prm_mse(&x, out)
    })
}

/// Bytes of workspace for `truing_prm_mse`: 0.
///
/// # Safety
/// As for `truing_prm_mse`; `minimum` and `preferred` are NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_prm_mse_workspace_size(
    args: *const truing_prm_mse_args,
    minimum: *mut usize,
    preferred: *mut usize,
) -> truing_status {
    // SAFETY: this function's contract.
    guard("truing_prm_mse_workspace_size", || unsafe { no_workspace(args, FLAGS, minimum, preferred) })
}

/// Weights of objectives by prompt, their target, KL and combination; see `truing_preference_orchestrator_args`.
///
/// # Safety
/// As for `truing_prm_ce`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_preference_orchestrator(
    args: *const truing_preference_orchestrator_args,
) -> truing_status {
    guard("truing_preference_orchestrator", || {
        // SAFETY: this function's contract.
        unsafe { objectives(args, truing_cpu::classes::orchestrator) }
    })
}

/// Bytes of workspace for `truing_preference_orchestrator`.
///
/// # Safety
/// As for `truing_preference_orchestrator`; `minimum` and `preferred` are NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_preference_orchestrator_workspace_size(
    args: *const truing_preference_orchestrator_args,
    minimum: *mut usize,
    preferred: *mut usize,
) -> truing_status {
    guard("truing_preference_orchestrator_workspace_size", || {
        // SAFETY: this function's contract.
        unsafe {
            objectives(args, |x, _, _| {
                let need = truing_cpu::classes::orchestrator_workspace(x);
                sizes(minimum, preferred, (need.minimum, need.preferred))
            })
        }
    })
}

/// # Safety
/// As for [`Call::open`]; the host array `params` is readable.
unsafe fn objectives(
    args: *const truing_preference_orchestrator_args,
    run: impl FnOnce(&Orchestrator<'_>, OrchestratorOut<'_>, &mut [u8]) -> Result<()>,
) -> Result<()> {
    // SAFETY: this function's contract.
    let Call { args, tensors: mut t, workspace, .. } = unsafe { Call::open(args, FLAGS) }?;
    let rewards = t.input("rewards", args.rewards)?;
    let log_target = t.input("log_target", args.log_target)?;
    let scores = t.input("scores", args.scores)?;
    let values = t.input("values", args.values)?;
    let out_log_target = t.output("out_log_target", args.out_log_target)?;
    let weights = t.output("out_weights", args.out_weights)?;
    let kl = t.output("out_kl", args.out_kl)?;
    let combined = t.output("out_combined", args.out_combined)?;
    let grad_kl = t.output("grad_scores_kl_out", args.grad_scores_kl_out)?;
    let grad_combined = t.output("grad_scores_combined_out", args.grad_scores_combined_out)?;
    let status = t.output("out_status", args.out_status)?;
    let direction = match args.direction {
        TRUING_DIRECTION_TARGET_TO_WEIGHTS => Direction::TargetToWeights,
        TRUING_DIRECTION_WEIGHTS_TO_TARGET => Direction::WeightsToTarget,
        0 if !kl.is_some() && !grad_kl.is_some() => Direction::TargetToWeights,
        other => return unknown("direction", other, "TRUING_DIRECTION_*"),
    };
    if args.rewards.is_null() {
        idle("num_params", &args.num_params, "0 without rewards")?;
    }
    // SAFETY: this function's contract.
    let temperature = Orchestrator::params(unsafe { numbers(args.params, args.num_params) }?)?;

    let ok = &t.check()?;
    let x = Orchestrator {
        rewards: rewards.matrix(ok)?,
        log_target: log_target.matrix(ok)?,
        scores: scores.matrix(ok)?,
        values: values.matrix(ok)?,
        direction,
        temperature,
    };
    let out = OrchestratorOut {
        log_target: out_log_target.matrix(ok)?,
        weights: weights.matrix(ok)?,
        kl: kl.list(ok)?,
        combined: combined.list(ok)?,
        grad_kl: grad_kl.matrix(ok)?,
        grad_combined: grad_combined.matrix(ok)?,
        status: status.list(ok)?,
    };
    run(&x, out, workspace.bytes(ok))
}
