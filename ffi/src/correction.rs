//! Off-policy corrections and selections of tokens; see `truing_core::correction`.
use crate::abi::*;
use crate::boundary::{guard, no_workspace, numbers, sizes, unknown, yes};
use crate::policy::level;
#[cfg(feature = "cuda")]
use crate::policy::level_on_device;
use crate::sequence::segments;
use crate::tensor::{Call, Checked, Input, Leading};
use truing_core::correction::{
    self as spec, CovForm, CovSelect, FipoWeight, Missing, Normalise, Span, Statistic, WeightAction, WeightLevel,
};
use truing_core::matrix::Workspace;
use truing_core::policy::{Advantage, Each, Level};
use truing_core::sequence::Segments;
use truing_core::{Error, Result, Value};
use truing_cpu::correction;

const FLAGS: u64 = TRUING_STRICT;

fn missing(given: truing_missing) -> Result<Missing> {
    Ok(match given {
        TRUING_MISSING_ONE => Missing::One,
        TRUING_MISSING_ZERO => Missing::Zero,
        TRUING_MISSING_ERROR => Missing::Error,
        other => return unknown("missing", other, "TRUING_MISSING_*"),
    })
}
fn advantages<'a>(
    given: &Input,
    ok: &'a Checked,
    tokens: &Leading,
    count: usize,
    segments: &Segments<'_>,
) -> Result<Advantage<'a>> {
    let absent = Error::invalid("advantage", Value::Text("NULL"), Value::Text("a tensor"));
    let found = match level(("advantage", None), 0, given.dims(), count, segments)? {
        Level::Token => given.tokens(ok, tokens)?.map(Each::Token),
        Level::Sequence => given.list(ok)?.map(Each::Sequence),
    };
    found.ok_or(absent)
}

#[cfg(feature = "cuda")]
fn advantages_on_device(
    given: &Input,
    ok: &Checked,
    tokens: &Leading,
    layout: &truing_cuda::sequence::Layout,
) -> Result<truing_cuda::policy::Each> {
    use truing_cuda::policy::Each;
    Ok(match level_on_device(("advantage", None), 0, given.dims(), layout)? {
        Level::Token => Each::Token(given.tokens(ok, tokens)?.expect("required")),
        Level::Sequence => Each::Sequence(given.list(ok)?.expect("required")),
    })
}

/// Where the bytes of workspace go, if only those are asked for.
type Measure = Option<(*mut usize, *mut usize)>;
/// Runs a call, or writes the bytes of workspace that it needs.
///
/// # Safety
/// As for [`sizes`].
unsafe fn run_or_measure(measure: Measure, need: Workspace, run: impl FnOnce() -> Result<()>) -> Result<()> {
    match measure {
        // SAFETY: this function's contract.
        Some((minimum, preferred)) => unsafe { sizes(minimum, preferred, (need.minimum, need.preferred)) },
        None => run(),
    }
}
// In what follows `x!` and `out!` are the inputs and the outputs of a call, of the CPU (`spec`) or of a device: the structs of
// both have the same fields, but for what says which tokens belong to which sequence.

/// Importance weights and what is within their bounds; see `truing_importance_weight_args`.
///
/// # Safety
/// `args` is NULL or points to `struct_size` readable bytes. What its fields describe is readable, what its outputs and the
/// workspace describe is writable, and nobody else writes to any of it during the call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_importance_weight(args: *const truing_importance_weight_args) -> truing_status {
    guard("truing_importance_weight", || {
        // SAFETY: this function's contract.
        unsafe { weights(args, None) }
    })
}
/// Bytes of workspace for `truing_importance_weight`.
///
/// # Safety
/// As for `truing_importance_weight`; `minimum` and `preferred` are NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_importance_weight_workspace_size(
    args: *const truing_importance_weight_args,
    minimum: *mut usize,
    preferred: *mut usize,
) -> truing_status {
    guard("truing_importance_weight_workspace_size", || {
        // SAFETY: this function's contract.
        unsafe { weights(args, Some((minimum, preferred))) }
    })
}
/// Runs, or writes the bytes of workspace that it needs.
///
/// # Safety
/// As for [`Call::anywhere`] and [`sizes`].
unsafe fn weights(args: *const truing_importance_weight_args, measure: Measure) -> Result<()> {
    // SAFETY: this function's contract.
    let Call { args, context, tensors: mut t, workspace } = unsafe { Call::anywhere(args, FLAGS) }?;
    let old = t.required("old", args.old)?;
    let sampler = t.required("sampler", args.sampler)?;
    let mask = t.input("mask", args.mask)?;
    let cu_seqlens = t.input("cu_seqlens", args.cu_seqlens)?;
    let out_weights = t.output("out_weights", args.out_weights)?;
    let keep = t.output("out_keep", args.out_keep)?;
    let statistics = t.output("out_statistics", args.out_statistics)?;
    let status = t.output("out_status", args.out_status)?;

    let ok = &t.check()?;
    let tokens = &Leading::new(old.dims());
    let level = match args.level {
        TRUING_WEIGHT_LEVEL_TOKEN => WeightLevel::Token,
        TRUING_WEIGHT_LEVEL_SEQUENCE_SUM => WeightLevel::SequenceSum,
        TRUING_WEIGHT_LEVEL_SEQUENCE_MEAN => WeightLevel::SequenceMean,
        other => return unknown("level", other, "TRUING_WEIGHT_LEVEL_*"),
    };
    let action = match args.action {
        TRUING_WEIGHT_RAW => WeightAction::Raw,
        TRUING_WEIGHT_TRUNCATE => WeightAction::Truncate,
        TRUING_WEIGHT_MASK => WeightAction::Mask,
        other => return unknown("action", other, "TRUING_WEIGHT_RAW, _TRUNCATE or _MASK"),
    };
    let missing = missing(args.missing)?;
    let normalise = match args.normalise {
        0 => Normalise::Off,
        TRUING_NORMALISE_TOKEN_MEAN => Normalise::TokenMean,
        TRUING_NORMALISE_SEQUENCE_MEAN => Normalise::SequenceMean,
        other => return unknown("normalise", other, "TRUING_NORMALISE_*, or 0: off"),
    };
    let (low, high, token_weight) = (args.low, args.high, yes("token_weight", args.token_weight)?);
    macro_rules! x {
        ($floor:ident, $cut:ident) => {
            $floor::ImportanceWeight {
                $cut,
                old: old.tokens(ok, tokens)?.expect("required"),
                sampler: sampler.tokens(ok, tokens)?.expect("required"),
                mask: mask.tokens(ok, tokens)?,
                low,
                high,
                level,
                action,
                missing,
                normalise,
                token_weight,
            }
        };
    }
    macro_rules! out {
        ($floor:ident, $numbers:ident) => {
            $floor::ImportanceWeightOut {
                weights: out_weights.tokens(ok, tokens)?,
                keep: keep.tokens(ok, tokens)?,
                statistics: statistics.$numbers(ok)?,
                status: status.tokens(ok, tokens)?,
            }
        };
    }
    #[cfg(feature = "cuda")]
    if ok.device().is_some() {
        use truing_cuda::correction as device;
        let layout = crate::sequence::layout("old", old.dims(), &cu_seqlens, ok)?;
        let (x, out) = (x!(device, layout), out!(device, list));
        let (need, space) = (device::importance_weight_workspace(&x, &out), workspace.space(ok));
        let run = || {
            context.launch(ok, |kernels, stream| {
                // SAFETY: the contract of `Call::anywhere`; `check` has found nothing that overlaps an output or the workspace.
                unsafe { device::importance_weight(kernels, stream, &x, &out, space) }
            })
        };
        // SAFETY: this function's contract.
        return unsafe { run_or_measure(measure, need, run) };
    }
    #[cfg(not(feature = "cuda"))]
    let _ = context;
    let (_, segments) = segments("old", old.dims(), &cu_seqlens, ok)?;
    let x = x!(spec, segments);
    let run = || correction::importance_weight(&x, out!(spec, array), workspace.bytes(ok));
    // SAFETY: this function's contract.
    unsafe { run_or_measure(measure, correction::importance_weight_workspace(&x), run) }
}

/// Tokens that one criterion keeps; see `truing_rejection_mask_args`. No workspace.
///
/// # Safety
/// As for `truing_importance_weight`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_rejection_mask(args: *const truing_rejection_mask_args) -> truing_status {
    guard("truing_rejection_mask", || {
        // SAFETY: this function's contract.
        let Call { args, context, tensors: mut t, .. } = unsafe { Call::anywhere(args, FLAGS) }?;
        let old = t.required("old", args.old)?;
        let sampler = t.required("sampler", args.sampler)?;
        let mask = t.input("mask", args.mask)?;
        let keep = t.input("keep", args.keep)?;
        let cu_seqlens = t.input("cu_seqlens", args.cu_seqlens)?;
        let out_keep = t.output("out_keep", args.out_keep)?;
        let sequence_keep = t.output("out_sequence_keep", args.out_sequence_keep)?;
        let statistic = t.output("out_statistic", args.out_statistic)?;
        let rejected = t.output("out_rejected", args.out_rejected)?;

        let ok = &t.check()?;
        let tokens = &Leading::new(old.dims());
        let bounded = match args.statistic {
            TRUING_REJECTION_RATIO => Statistic::Ratio,
            TRUING_REJECTION_K1 => Statistic::K1,
            TRUING_REJECTION_K2 => Statistic::K2,
            TRUING_REJECTION_K3 => Statistic::K3,
            TRUING_REJECTION_BINARY_KL => Statistic::BinaryKl,
            TRUING_REJECTION_TV => Statistic::Tv,
            other => return unknown("statistic", other, "TRUING_REJECTION_*"),
        };
        let span = match args.span {
            TRUING_SPAN_TOKEN => Span::Token,
            TRUING_SPAN_SEQUENCE_SUM => Span::SequenceSum,
            TRUING_SPAN_SEQUENCE_MEAN => Span::SequenceMean,
            TRUING_SPAN_SEQUENCE_MAX => Span::SequenceMax,
            other => return unknown("span", other, "TRUING_SPAN_*"),
        };
        let (low, high, missing, by_token) = (args.low, args.high, missing(args.missing)?, span == Span::Token);
        macro_rules! x {
            ($floor:ident, $cut:ident) => {
                $floor::RejectionMask {
                    $cut,
                    old: old.tokens(ok, tokens)?.expect("required"),
                    sampler: sampler.tokens(ok, tokens)?.expect("required"),
                    mask: mask.tokens(ok, tokens)?,
                    keep: keep.tokens(ok, tokens)?,
                    statistic: bounded,
                    span,
                    low,
                    high,
                    missing,
                }
            };
        }
        macro_rules! out {
            ($floor:ident) => {
                $floor::RejectionMaskOut {
                    keep: out_keep.tokens(ok, tokens)?,
                    sequence_keep: sequence_keep.list(ok)?,
                    statistic: if by_token { statistic.tokens(ok, tokens)? } else { statistic.list(ok)? },
                    rejected: rejected.scalar(ok)?,
                }
            };
        }
        #[cfg(feature = "cuda")]
        if ok.device().is_some() {
            use truing_cuda::correction as device;
            let layout = crate::sequence::layout("old", old.dims(), &cu_seqlens, ok)?;
            let (x, out) = (x!(device, layout), out!(device));
            return context.launch(ok, |kernels, stream| {
                // SAFETY: the contract of `Call::anywhere`; `check` has found nothing that overlaps an output.
                unsafe { device::rejection_mask(kernels, stream, &x, &out) }
            });
        }
        #[cfg(not(feature = "cuda"))]
        let _ = context;
        let (_, segments) = segments("old", old.dims(), &cu_seqlens, ok)?;
        correction::rejection_mask(&x!(spec, segments), out!(spec))
    })
}

/// Sequences that are kept; see `truing_off_policy_sequence_mask_args`. No workspace.
///
/// # Safety
/// As for `truing_importance_weight`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_off_policy_sequence_mask(
    args: *const truing_off_policy_sequence_mask_args,
) -> truing_status {
    guard("truing_off_policy_sequence_mask", || {
        // SAFETY: this function's contract.
        let Call { args, context, tensors: mut t, .. } = unsafe { Call::anywhere(args, FLAGS) }?;
        let logps = t.required("logps", args.logps)?;
        let behaviour = t.required("behaviour", args.behaviour)?;
        let advantage = t.required("advantage", args.advantage)?;
        let mask = t.input("mask", args.mask)?;
        let cu_seqlens = t.input("cu_seqlens", args.cu_seqlens)?;
        let keep = t.output("out_keep", args.out_keep)?;
        let mean = t.output("out_mean", args.out_mean)?;

        let ok = &t.check()?;
        let tokens = &Leading::new(logps.dims());
        macro_rules! x {
            ($floor:ident, $cut:ident) => {
                $floor::OffPolicySequenceMask {
                    $cut,
                    logps: logps.tokens(ok, tokens)?.expect("required"),
                    behaviour: behaviour.tokens(ok, tokens)?.expect("required"),
                    advantage: advantage.list(ok)?.expect("required"),
                    mask: mask.tokens(ok, tokens)?,
                    delta: args.delta,
                }
            };
        }
        macro_rules! out {
            ($floor:ident) => {
                $floor::OffPolicySequenceMaskOut { keep: keep.list(ok)?, mean: mean.list(ok)? }
            };
        }
        #[cfg(feature = "cuda")]
        if ok.device().is_some() {
            use truing_cuda::correction as device;
            let layout = crate::sequence::layout("logps", logps.dims(), &cu_seqlens, ok)?;
            let (x, out) = (x!(device, layout), out!(device));
            return context.launch(ok, |kernels, stream| {
                // SAFETY: the contract of `Call::anywhere`; `check` has found nothing that overlaps an output.
                unsafe { device::off_policy_sequence_mask(kernels, stream, &x, &out) }
            });
        }
        #[cfg(not(feature = "cuda"))]
        let _ = context;
        let (_, segments) = segments("logps", logps.dims(), &cu_seqlens, ok)?;
        correction::off_policy_sequence_mask(&x!(spec, segments), out!(spec))
    })
}

/// Tokens with the largest entropies; see `truing_top_entropy_mask_args`.
///
/// # Safety
/// As for `truing_importance_weight`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_top_entropy_mask(args: *const truing_top_entropy_mask_args) -> truing_status {
    guard("truing_top_entropy_mask", || {
        // SAFETY: this function's contract.
        unsafe { top_entropy(args, None) }
    })
}
/// Bytes of workspace for `truing_top_entropy_mask`.
///
/// # Safety
/// As for `truing_top_entropy_mask`; `minimum` and `preferred` are NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_top_entropy_mask_workspace_size(
    args: *const truing_top_entropy_mask_args,
    minimum: *mut usize,
    preferred: *mut usize,
) -> truing_status {
    guard("truing_top_entropy_mask_workspace_size", || {
        // SAFETY: this function's contract.
        unsafe { top_entropy(args, Some((minimum, preferred))) }
    })
}
/// Runs, or writes the bytes of workspace that it needs.
///
/// # Safety
/// As for [`Call::anywhere`] and [`sizes`].
unsafe fn top_entropy(args: *const truing_top_entropy_mask_args, measure: Measure) -> Result<()> {
    // SAFETY: this function's contract.
    let Call { args, context, tensors: mut t, workspace } = unsafe { Call::anywhere(args, FLAGS) }?;
    let entropy = t.required("entropy", args.entropy)?;
    let mask = t.input("mask", args.mask)?;
    let keep = t.output("out_keep", args.out_keep)?;
    let threshold = t.output("out_threshold", args.out_threshold)?;
    let status = t.output("out_status", args.out_status)?;

    let ok = &t.check()?;
    let tokens = &Leading::new(entropy.dims());
    macro_rules! x {
        ($floor:ident) => {
            $floor::TopEntropyMask {
                entropy: entropy.tokens(ok, tokens)?.expect("required"),
                mask: mask.tokens(ok, tokens)?,
                share: args.share,
            }
        };
    }
    macro_rules! out {
        ($floor:ident) => {
            $floor::TopEntropyMaskOut {
                keep: keep.tokens(ok, tokens)?,
                threshold: threshold.scalar(ok)?,
                status: status.scalar(ok)?,
            }
        };
    }
    #[cfg(feature = "cuda")]
    if ok.device().is_some() {
        use truing_cuda::selection as device;
        let x = x!(device);
        let (need, space) = (device::top_entropy_mask_workspace(&x), workspace.space(ok));
        let run = || {
            let out = out!(device);
            context.launch(ok, |kernels, stream| {
                // SAFETY: the contract of `Call::anywhere`; `check` has found nothing that overlaps an output or the workspace.
                unsafe { device::top_entropy_mask(kernels, stream, &x, &out, space) }
            })
        };
        // SAFETY: this function's contract.
        return unsafe { run_or_measure(measure, need, run) };
    }
    #[cfg(not(feature = "cuda"))]
    let _ = context;
    let x = x!(spec);
    let run = || correction::top_entropy_mask(&x, out!(spec), workspace.bytes(ok));
    // SAFETY: this function's contract.
    unsafe { run_or_measure(measure, correction::top_entropy_mask_workspace(&x), run) }
}

/// Tokens by the covariance of advantage and log-prob; see `truing_cov_select_args`.
///
/// # Safety
/// As for `truing_importance_weight`; the host array `params` is readable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_cov_select(args: *const truing_cov_select_args) -> truing_status {
    guard("truing_cov_select", || {
        // SAFETY: this function's contract.
        unsafe { cov(args, None) }
    })
}
/// Bytes of workspace for `truing_cov_select`.
///
/// # Safety
/// As for `truing_cov_select`; `minimum` and `preferred` are NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_cov_select_workspace_size(
    args: *const truing_cov_select_args,
    minimum: *mut usize,
    preferred: *mut usize,
) -> truing_status {
    guard("truing_cov_select_workspace_size", || {
        // SAFETY: this function's contract.
        unsafe { cov(args, Some((minimum, preferred))) }
    })
}
/// Runs, or writes the bytes of workspace that it needs.
///
/// # Safety
/// As for [`Call::anywhere`] and [`sizes`]; the host array `params` is readable.
unsafe fn cov(args: *const truing_cov_select_args, measure: Measure) -> Result<()> {
    // SAFETY: this function's contract.
    let Call { args, context, tensors: mut t, workspace } = unsafe { Call::anywhere(args, FLAGS) }?;
    let logps = t.required("logps", args.logps)?;
    let old = t.input("old", args.old)?;
    let noise = t.input("noise", args.noise)?;
    let advantage = t.required("advantage", args.advantage)?;
    let mask = t.input("mask", args.mask)?;
    let cu_seqlens = t.input("cu_seqlens", args.cu_seqlens)?;
    let indices = t.output("out_indices", args.out_indices)?;
    let found = t.output("out_count", args.out_count)?;
    let flag = t.output("out_flag", args.out_flag)?;
    let keep = t.output("out_keep", args.out_keep)?;
    // SAFETY: this function's contract.
    let params = CovSelect::params(unsafe { numbers(args.params, args.num_params) }?)?;
    let from_zero = Error::invalid("first_token", Value::Int(args.first_token), Value::Text("0 or more"));

    let ok = &t.check()?;
    let tokens = &Leading::new(logps.dims());
    let first_token = args.first_token.try_into().map_err(|_| from_zero)?;
    let form = match args.form {
        TRUING_COV_KL => CovForm::Kl,
        TRUING_COV_CLIP => CovForm::Clip,
        other => return unknown("form", other, "TRUING_COV_*"),
    };
    macro_rules! x {
        ($floor:ident, $cut:ident, $advantage:expr) => {
            $floor::CovSelect {
                $cut,
                logps: logps.tokens(ok, tokens)?.expect("required"),
                old: old.tokens(ok, tokens)?,
                noise: noise.tokens(ok, tokens)?,
                advantage: $advantage,
                mask: mask.tokens(ok, tokens)?,
                params,
                seed: args.seed,
                first_token,
                form,
            }
        };
    }
    macro_rules! out {
        ($floor:ident) => {
            $floor::CovSelectOut {
                indices: indices.tokens(ok, tokens)?,
                count: found.scalar(ok)?,
                flag: flag.tokens(ok, tokens)?,
                keep: keep.tokens(ok, tokens)?,
            }
        };
    }
    #[cfg(feature = "cuda")]
    if ok.device().is_some() {
        use truing_cuda::selection as device;
        let layout = crate::sequence::layout("logps", logps.dims(), &cu_seqlens, ok)?;
        let x = x!(device, layout, advantages_on_device(&advantage, ok, tokens, &layout)?);
        let (need, space) = (device::cov_select_workspace(&x), workspace.space(ok));
        let run = || {
            let out = out!(device);
            context.launch(ok, |kernels, stream| {
                // SAFETY: the contract of `Call::anywhere`; `check` has found nothing that overlaps an output or the workspace.
                unsafe { device::cov_select(kernels, stream, &x, &out, space) }
            })
        };
        // SAFETY: this function's contract.
        return unsafe { run_or_measure(measure, need, run) };
    }
    #[cfg(not(feature = "cuda"))]
    let _ = context;
    let (count, segments) = segments("logps", logps.dims(), &cu_seqlens, ok)?;
    let x = x!(spec, segments, advantages(&advantage, ok, tokens, count, &segments)?);
    let run = || correction::cov_select(&x, out!(spec), workspace.bytes(ok));
    // SAFETY: this function's contract.
    unsafe { run_or_measure(measure, correction::cov_select_workspace(&x), run) }
}

/// Tokens left of those that moved most; see `truing_m2po_mask_args`.
///
/// # Safety
/// As for `truing_importance_weight`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_m2po_mask(args: *const truing_m2po_mask_args) -> truing_status {
    guard("truing_m2po_mask", || {
        // SAFETY: this function's contract.
        unsafe { m2po(args, None) }
    })
}
/// Bytes of workspace for `truing_m2po_mask`.
///
/// # Safety
/// As for `truing_m2po_mask`; `minimum` and `preferred` are NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_m2po_mask_workspace_size(
    args: *const truing_m2po_mask_args,
    minimum: *mut usize,
    preferred: *mut usize,
) -> truing_status {
    guard("truing_m2po_mask_workspace_size", || {
        // SAFETY: this function's contract.
        unsafe { m2po(args, Some((minimum, preferred))) }
    })
}
/// Runs, or writes the bytes of workspace that it needs.
///
/// # Safety
/// As for [`Call::anywhere`] and [`sizes`].
unsafe fn m2po(args: *const truing_m2po_mask_args, measure: Measure) -> Result<()> {
    // SAFETY: this function's contract.
    let Call { args, context, tensors: mut t, workspace } = unsafe { Call::anywhere(args, FLAGS) }?;
    let old = t.required("old", args.old)?;
    let proximal = t.required("proximal", args.proximal)?;
    let mask = t.input("mask", args.mask)?;
    let keep = t.output("out_keep", args.out_keep)?;
    let moment = t.output("out_moment", args.out_moment)?;
    let dropped = t.output("out_dropped", args.out_dropped)?;

    let ok = &t.check()?;
    let tokens = &Leading::new(old.dims());
    macro_rules! x {
        ($floor:ident) => {
            $floor::M2poMask {
                old: old.tokens(ok, tokens)?.expect("required"),
                proximal: proximal.tokens(ok, tokens)?.expect("required"),
                mask: mask.tokens(ok, tokens)?,
                threshold: args.threshold,
            }
        };
    }
    macro_rules! out {
        ($floor:ident) => {
            $floor::M2poMaskOut {
                keep: keep.tokens(ok, tokens)?,
                moment: moment.scalar(ok)?,
                dropped: dropped.scalar(ok)?,
            }
        };
    }
    #[cfg(feature = "cuda")]
    if ok.device().is_some() {
        use truing_cuda::selection as device;
        let x = x!(device);
        let (need, space) = (device::m2po_mask_workspace(&x), workspace.space(ok));
        let run = || {
            let out = out!(device);
            context.launch(ok, |kernels, stream| {
                // SAFETY: the contract of `Call::anywhere`; `check` has found nothing that overlaps an output or the workspace.
                unsafe { device::m2po_mask(kernels, stream, &x, &out, space) }
            })
        };
        // SAFETY: this function's contract.
        return unsafe { run_or_measure(measure, need, run) };
    }
    #[cfg(not(feature = "cuda"))]
    let _ = context;
    let x = x!(spec);
    let run = || correction::m2po_mask(&x, out!(spec), workspace.bytes(ok));
    // SAFETY: this function's contract.
    unsafe { run_or_measure(measure, correction::m2po_mask_workspace(&x), run) }
}

/// Weights by what follows; see `truing_fipo_weight_args`. No workspace.
///
/// # Safety
/// As for `truing_importance_weight`; the host array `params` is readable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_fipo_weight(args: *const truing_fipo_weight_args) -> truing_status {
    guard("truing_fipo_weight", || {
        // SAFETY: this function's contract.
        let Call { args, context, tensors: mut t, .. } = unsafe { Call::anywhere(args, FLAGS) }?;
        let logps = t.required("logps", args.logps)?;
        let old = t.required("old", args.old)?;
        let advantage = t.required("advantage", args.advantage)?;
        let mask = t.input("mask", args.mask)?;
        let cu_seqlens = t.input("cu_seqlens", args.cu_seqlens)?;
        let weights = t.output("out_weights", args.out_weights)?;
        let status = t.output("out_status", args.out_status)?;
        // SAFETY: this function's contract.
        let params = FipoWeight::params(unsafe { numbers(args.params, args.num_params) }?)?;

        let ok = &t.check()?;
        let tokens = &Leading::new(logps.dims());
        let high_only = yes("high_only", args.high_only)?;
        macro_rules! x {
            ($floor:ident, $cut:ident, $advantage:expr) => {
                $floor::FipoWeight {
                    $cut,
                    logps: logps.tokens(ok, tokens)?.expect("required"),
                    old: old.tokens(ok, tokens)?.expect("required"),
                    advantage: $advantage,
                    mask: mask.tokens(ok, tokens)?,
                    params,
                    high_only,
                }
            };
        }
        macro_rules! out {
            ($floor:ident) => {
                $floor::FipoWeightOut { weights: weights.tokens(ok, tokens)?, status: status.tokens(ok, tokens)? }
            };
        }
        #[cfg(feature = "cuda")]
        if ok.device().is_some() {
            use truing_cuda::correction as device;
            let layout = crate::sequence::layout("logps", logps.dims(), &cu_seqlens, ok)?;
            let x = x!(device, layout, advantages_on_device(&advantage, ok, tokens, &layout)?);
            let out = out!(device);
            return context.launch(ok, |kernels, stream| {
                // SAFETY: the contract of `Call::anywhere`; `check` has found nothing that overlaps an output.
                unsafe { device::fipo_weight(kernels, stream, &x, &out) }
            });
        }
        #[cfg(not(feature = "cuda"))]
        let _ = context;
        let (count, segments) = segments("logps", logps.dims(), &cu_seqlens, ok)?;
        let x = x!(spec, segments, advantages(&advantage, ok, tokens, count, &segments)?);
        correction::fipo_weight(&x, out!(spec))
    })
}

/// Bytes of workspace for `truing_rejection_mask`: 0.
///
/// # Safety
/// As for `truing_rejection_mask`; `minimum` and `preferred` are NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_rejection_mask_workspace_size(
    args: *const truing_rejection_mask_args,
    minimum: *mut usize,
    preferred: *mut usize,
) -> truing_status {
    // SAFETY: this function's contract.
    guard("truing_rejection_mask_workspace_size", || unsafe { no_workspace(args, FLAGS, minimum, preferred) })
}

/// Bytes of workspace for `truing_off_policy_sequence_mask`: 0.
///
/// # Safety
/// As for `truing_off_policy_sequence_mask`; `minimum` and `preferred` are NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_off_policy_sequence_mask_workspace_size(
    args: *const truing_off_policy_sequence_mask_args,
    minimum: *mut usize,
    preferred: *mut usize,
) -> truing_status {
    // SAFETY: this function's contract.
    guard("truing_off_policy_sequence_mask_workspace_size", || unsafe { no_workspace(args, FLAGS, minimum, preferred) })
}

/// Bytes of workspace for `truing_fipo_weight`: 0.
///
/// # Safety
/// As for `truing_fipo_weight`; `minimum` and `preferred` are NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_fipo_weight_workspace_size(
    args: *const truing_fipo_weight_args,
    minimum: *mut usize,
    preferred: *mut usize,
) -> truing_status {
    // SAFETY: this function's contract.
    guard("truing_fipo_weight_workspace_size", || unsafe { no_workspace(args, FLAGS, minimum, preferred) })
}
