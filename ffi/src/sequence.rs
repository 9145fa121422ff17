//! `truing_sequence_*`: token values to sequence scores and back.
use crate::abi::*;
use crate::boundary::{grad_scale, guard, idle, no_workspace, unknown};
use crate::tensor::{Call, Checked, Input, Leading};
use truing_core::sequence::{Divisor, Grads, Inputs, Options, Outputs, Problem, Score, Segments, Upstream, Weights};
use truing_core::{Error, Result, Value};

pub(crate) const SCORE_FLAGS: u64 = TRUING_HAS_CLAMP | TRUING_LD_POLICY_ONLY;
const FLAGS: u64 = TRUING_STRICT | SCORE_FLAGS;
const BACKWARD_FLAGS: u64 = FLAGS | TRUING_HAS_GRAD_SCALE;

/// Scores and counts of sequences, `sum`, `mean` or `ld` over their live tokens; see `truing_sequence_forward_args`.
/// No workspace.
///
/// # Safety
/// `args` is NULL or points to `struct_size` readable bytes. What its fields describe is readable, what its outputs
/// describe is writable, and nobody else writes to any of it during the call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_sequence_forward(args: *const truing_sequence_forward_args) -> truing_status {
    guard("truing_sequence_forward", || {
        // SAFETY: this function's contract.
        let Call { args, context, tensors: mut t, .. } = unsafe { Call::anywhere(args, FLAGS) }?;
        let logps = t.required("logps", args.logps)?;
        let ref_logps = t.input("ref_logps", args.ref_logps)?;
        let mask = t.input("mask", args.mask)?;
        let cu_seqlens = t.input("cu_seqlens", args.cu_seqlens)?;
        let token_weights = t.input("score.token_weights", args.score.token_weights)?;
        let ld_prefix = t.input("score.ld_prefix", args.score.ld_prefix)?;
        let scores = t.output("out_scores", args.out_scores)?;
        let counts = t.output("out_counts", args.out_counts)?;
        let first = t.output("out_first", args.out_first)?;
        let last = t.output("out_last", args.out_last)?;
        let status = t.output("out_status", args.out_status)?;
        let counters = t.output("out_counters", args.out_counters)?;
        let options = options(&args.score, args.flags)?;

        let ok = &t.check()?;
        let tokens = &Leading::new(logps.dims());
        #[cfg(feature = "cuda")]
        if ok.device().is_some() {
            let layout = layout("logps", logps.dims(), &cu_seqlens, ok)?;
            let inputs = on_device([&logps, &ref_logps, &mask, &token_weights], &ld_prefix, ok, tokens)?;
            let outputs = truing_cuda::sequence::Outputs {
                scores: scores.list(ok)?,
                counts: counts.list(ok)?,
                first: first.list(ok)?,
                last: last.list(ok)?,
                status: status.list(ok)?,
                counters: counters.list(ok)?,
            };
            return context.launch(ok, |kernels, stream| {
                // SAFETY: the contract of `Call::anywhere`; `check` has found nothing that overlaps an output.
                unsafe { truing_cuda::sequence::forward(kernels, stream, layout, &options, &inputs, &outputs) }
            });
        }
        let (count, segments) = segments("logps", logps.dims(), &cu_seqlens, ok)?;
        let inputs = Inputs {
            logps: logps.tokens(ok, tokens)?.expect("required"),
            ref_logps: ref_logps.tokens(ok, tokens)?,
            weights: Weights {
                mask: mask.tokens(ok, tokens)?,
                token_weights: token_weights.tokens(ok, tokens)?,
                ld_prefix: ld_prefix.list(ok)?,
            },
        };
        let outputs = Outputs {
            scores: scores.list(ok)?,
            counts: counts.list(ok)?,
            first: first.list(ok)?,
            last: last.list(ok)?,
            status: status.list(ok)?,
        };
        let problem = Problem::new(count, segments, options)?;
        truing_cpu::sequence::forward(&context, &problem, &inputs, outputs, counters.array(ok)?)
    })
}

/// Gradients of the token values; see `truing_sequence_backward_args`. No workspace.
///
/// # Safety
/// As for `truing_sequence_forward`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_sequence_backward(args: *const truing_sequence_backward_args) -> truing_status {
    guard("truing_sequence_backward", || {
        // SAFETY: this function's contract.
        let Call { args, context, tensors: mut t, .. } = unsafe { Call::anywhere(args, BACKWARD_FLAGS) }?;
        let logps = t.input("logps", args.logps)?;
        let ref_logps = t.input("ref_logps", args.ref_logps)?;
        let mask = t.input("mask", args.mask)?;
        let cu_seqlens = t.input("cu_seqlens", args.cu_seqlens)?;
        let token_weights = t.input("score.token_weights", args.score.token_weights)?;
        let ld_prefix = t.input("score.ld_prefix", args.score.ld_prefix)?;
        let grad_scores = t.required("grad_scores", args.grad_scores)?;
        let grad_output = t.input("grad_output", args.grad_output)?;
        let grad_logps = t.output("grad_logps_out", args.grad_logps_out)?;
        let grad_ref_logps = t.output("grad_ref_logps_out", args.grad_ref_logps_out)?;
        let options = options(&args.score, args.flags)?;

        let ok = &t.check()?;
        // Whatever is given says how the tokens lie.
        let tokens = [logps.dims(), mask.dims(), token_weights.dims(), grad_logps.dims(), grad_ref_logps.dims()];
        let dims = tokens.into_iter().find(|d| !d.is_empty()).unwrap_or(&[]);
        let tokens = &Leading::new(dims);
        #[cfg(feature = "cuda")]
        if ok.device().is_some() {
            let layout = layout("grad_logps_out", dims, &cu_seqlens, ok)?;
            let inputs = on_device([&logps, &ref_logps, &mask, &token_weights], &ld_prefix, ok, tokens)?;
            let grads = truing_cuda::sequence::Grads {
                grad_scores: grad_scores.list(ok)?.expect("required"),
                grad_output: grad_output.scalar(ok)?,
                grad_scale: grad_scale(args.grad_scale, args.flags),
                logps: grad_logps.tokens(ok, tokens)?,
                ref_logps: grad_ref_logps.tokens(ok, tokens)?,
            };
            return context.launch(ok, |kernels, stream| {
                // SAFETY: as for the forward.
                unsafe { truing_cuda::sequence::backward(kernels, stream, layout, &options, &inputs, &grads) }
            });
        }
        let (count, segments) = segments("grad_logps_out", dims, &cu_seqlens, ok)?;
        let upstream = Upstream {
            logps: logps.tokens(ok, tokens)?,
            ref_logps: ref_logps.tokens(ok, tokens)?,
            weights: Weights {
                mask: mask.tokens(ok, tokens)?,
                token_weights: token_weights.tokens(ok, tokens)?,
                ld_prefix: ld_prefix.list(ok)?,
            },
            grad_scores: grad_scores.list(ok)?.expect("required"),
            grad_output: grad_output.scalar(ok)?,
            grad_scale: grad_scale(args.grad_scale, args.flags),
        };
        let grads = Grads { logps: grad_logps.tokens(ok, tokens)?, ref_logps: grad_ref_logps.tokens(ok, tokens)? };
        let problem = Problem::new(count, segments, options)?;
        truing_cpu::sequence::backward(&context, &problem, &upstream, grads)
    })
}

/// Bytes of workspace for `truing_sequence_forward`: 0.
///
/// # Safety
/// As for `truing_sequence_forward`; `minimum` and `preferred` are NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_sequence_forward_workspace_size(
    args: *const truing_sequence_forward_args,
    minimum: *mut usize,
    preferred: *mut usize,
) -> truing_status {
    // SAFETY: this function's contract.
    guard("truing_sequence_forward_workspace_size", || unsafe { no_workspace(args, FLAGS, minimum, preferred) })
}

/// Bytes of workspace for `truing_sequence_backward`: 0.
///
/// # Safety
/// As for `truing_sequence_backward`; `minimum` and `preferred` are NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_sequence_backward_workspace_size(
    args: *const truing_sequence_backward_args,
    minimum: *mut usize,
    preferred: *mut usize,
) -> truing_status {
    // SAFETY: this function's contract.
    guard("truing_sequence_backward_workspace_size", || unsafe {
        no_workspace(args, BACKWARD_FLAGS, minimum, preferred)
    })
}

/// What both directions read of their tokens.
#[cfg(feature = "cuda")]
fn on_device(
    [logps, ref_logps, mask, token_weights]: [&Input; 4],
    ld_prefix: &Input,
    ok: &Checked,
    tokens: &Leading,
) -> Result<truing_cuda::sequence::Inputs> {
    Ok(truing_cuda::sequence::Inputs {
        logps: logps.tokens(ok, tokens)?,
        ref_logps: ref_logps.tokens(ok, tokens)?,
        mask: mask.tokens(ok, tokens)?,
        token_weights: token_weights.tokens(ok, tokens)?,
        ld_prefix: ld_prefix.list(ok)?,
    })
}

/// How the tokens of a tensor with these dimensions form sequences: `[B, T]`, or `[N]` with offsets.
pub(crate) fn segments<'a>(
    field: &'static str,
    dims: &[usize],
    cu: &Input,
    ok: &'a Checked,
) -> Result<(usize, Segments<'a>)> {
    Ok(match cut(field, dims, cu.list(ok)?)? {
        Cut::Packed(n, cu) => (n, Segments::Packed(cu)),
        Cut::Padded([sequences, width]) => (sequences * width, Segments::Padded { sequences, width }),
    })
}
/// The same on a device.
#[cfg(feature = "cuda")]
pub(crate) fn layout(
    field: &'static str,
    dims: &[usize],
    cu: &Input,
    ok: &Checked,
) -> Result<truing_cuda::sequence::Layout> {
    use truing_cuda::sequence::Layout;
    Ok(match cut(field, dims, cu.list(ok)?)? {
        Cut::Packed(tokens, offsets) => Layout::Packed { tokens, offsets },
        Cut::Padded([sequences, width]) => Layout::Padded { sequences, width },
    })
}
enum Cut<C> {
    Packed(usize, C),
    Padded([usize; 2]),
}
fn cut<C>(field: &'static str, dims: &[usize], cu: Option<C>) -> Result<Cut<C>> {
    match (dims, cu) {
        (&[n], Some(cu)) => Ok(Cut::Packed(n, cu)),
        (&[sequences, width], None) => Ok(Cut::Padded([sequences, width])),
        (&[_], None) => Err(Error::invalid(
            "cu_seqlens",
            Value::Text("NULL"),
            Value::Text("offsets [B + 1], as the tokens are [N]"),
        )),
        (&[_, _], Some(_)) => {
            Err(Error::invalid("cu_seqlens", Value::Text("offsets"), Value::Text("NULL, as the tokens are [B, T]")))
        }
        _ => Err(Error::shape(field, Value::Int(dims.len() as i64), Value::Text("1 dimension, [N], or 2, [B, T]"))),
    }
}

/// The score that a struct asks for.
pub(crate) fn options(s: &truing_score, flags: u64) -> Result<Options> {
    let score = match (s.kind, s.divisor) {
        (TRUING_SCORE_SUM, 0) => Score::Sum,
        (TRUING_SCORE_MEAN, TRUING_DIVISOR_TOKENS) => Score::Mean(Divisor::Tokens),
        (TRUING_SCORE_MEAN, TRUING_DIVISOR_WEIGHTS) => Score::Mean(Divisor::Weights),
        (TRUING_SCORE_MEAN, TRUING_DIVISOR_EXTERNAL) => Score::Mean(Divisor::External(s.normaliser)),
        (TRUING_SCORE_MEAN, other) => {
            return unknown("score.divisor", other, "TRUING_DIVISOR_*: a mean names its divisor");
        }
        (TRUING_SCORE_LD, 0) => Score::Ld { alpha: s.ld_alpha, policy_only: flags & TRUING_LD_POLICY_ONLY != 0 },
        (TRUING_SCORE_SUM | TRUING_SCORE_LD, other) => {
            return unknown("score.divisor", other, "0: only a mean divides");
        }
        (other, _) => return unknown("score.kind", other, "TRUING_SCORE_*"),
    };
    if !matches!(score, Score::Mean(Divisor::External(_))) {
        idle("score.normaliser", &s.normaliser, "0 without the divisor TRUING_DIVISOR_EXTERNAL")?;
    }
    if s.kind != TRUING_SCORE_LD {
        idle("score.ld_alpha", &s.ld_alpha, "0 without TRUING_SCORE_LD")?;
        idle("flags", &(flags & TRUING_LD_POLICY_ONLY), "no TRUING_LD_POLICY_ONLY without TRUING_SCORE_LD")?;
    }
    let clamp = (flags & TRUING_HAS_CLAMP != 0).then_some((s.clamp_low, s.clamp_high));
    if clamp.is_none() {
        idle("score.clamp_low", &s.clamp_low, "0 without TRUING_HAS_CLAMP")?;
        idle("score.clamp_high", &s.clamp_high, "0 without TRUING_HAS_CLAMP")?;
    }
    Ok(Options { score, clamp })
}
