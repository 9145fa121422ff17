//! `truing_sequence_kl_*`: log ratio and KL to a reference, summed per sequence, and back.
use crate::abi::*;
use crate::boundary::{guard, idle, sizes};
use crate::divergence::Sides;
use crate::logprob::FORWARD_FLAGS;
use crate::sequence::segments;
use crate::tensor::{Call, Input, Leading, Output};
use truing_core::divergence::{Options, Problem};
use truing_core::sequence::Segments;
use truing_core::{Error, Result};
use truing_cpu::divergence::{self as kernel, SequenceFigures};

/// Sums of log p - log q of the targets and of KL(q || p) per sequence, p the policy and q the reference; see
/// `truing_sequence_kl_args`. Reads no `grad_*` and no `stats`.
///
/// # Safety
/// As for `truing_logprob_forward`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_sequence_kl_forward(args: *const truing_sequence_kl_args) -> truing_status {
    guard("truing_sequence_kl_forward", || {
        // SAFETY: this function's contract.
        let open = unsafe { Open::new(args, false) }?;
        #[cfg(feature = "cuda")]
        if open.call.tensors.on_device() {
            return open.on_device(false, false).map(|_| ()).map_err(rename);
        }
        open.forward().map_err(rename)
    })
}
/// Gradient of the policy's logits, given those of the sums of every sequence; see `truing_sequence_kl_args`. Writes no
/// `out_*`. `grad_policy_out` may be `policy` itself.
///
/// # Safety
/// As for `truing_logprob_forward`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_sequence_kl_backward(args: *const truing_sequence_kl_args) -> truing_status {
    guard("truing_sequence_kl_backward", || {
        // SAFETY: this function's contract.
        let open = unsafe { Open::new(args, true) }?;
        #[cfg(feature = "cuda")]
        if open.call.tensors.on_device() {
            return open.on_device(true, false).map(|_| ()).map_err(rename);
        }
        open.backward().map_err(rename)
    })
}
/// Bytes of workspace for `truing_sequence_kl_forward`.
///
/// # Safety
/// As for `truing_sequence_kl_forward`; `minimum` and `preferred` are NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_sequence_kl_forward_workspace_size(
    args: *const truing_sequence_kl_args,
    minimum: *mut usize,
    preferred: *mut usize,
) -> truing_status {
    guard("truing_sequence_kl_forward_workspace_size", || {
        // SAFETY: this function's contract.
        unsafe {
            let need = Open::new(args, false)?.need(false).map_err(rename)?;
            sizes(minimum, preferred, (need, need))
        }
    })
}
/// Bytes of workspace for `truing_sequence_kl_backward`.
///
/// # Safety
/// As for `truing_sequence_kl_backward`; `minimum` and `preferred` are NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_sequence_kl_backward_workspace_size(
    args: *const truing_sequence_kl_args,
    minimum: *mut usize,
    preferred: *mut usize,
) -> truing_status {
    guard("truing_sequence_kl_backward_workspace_size", || {
        // SAFETY: this function's contract.
        unsafe {
            let need = Open::new(args, true)?.need(true).map_err(rename)?;
            sizes(minimum, preferred, (need, need))
        }
    })
}

/// A call whose fields have been read.
struct Open {
    call: Call<truing_sequence_kl_args>,
    sides: Sides,
    cu_seqlens: Input,
    given: [Input; 3],
    figures: [Output; 5],
    problem: Problem,
    tokens: Leading,
}
impl Open {
    /// # Safety
    /// As for [`Call::anywhere`].
    unsafe fn new(args: *const truing_sequence_kl_args, backward: bool) -> Result<Open> {
        // SAFETY: this function's contract.
        let mut call = unsafe { Call::anywhere(args, FORWARD_FLAGS) }?;
        let (args, t) = (&call.args, &mut call.tensors);
        if backward {
            const NONE: &str = "NULL in the backward";
            idle("out_log_ratio", &args.out_log_ratio, NONE)?;
            idle("out_kl", &args.out_kl, NONE)?;
            idle("out_counts", &args.out_counts, NONE)?;
            idle("out_stats", &args.out_stats, NONE)?;
            idle("out_status", &args.out_status, NONE)?;
            crate::boundary::pointer("grad_policy_out", args.grad_policy_out)?;
        } else {
            const NONE: &str = "NULL in the forward";
            idle("grad_log_ratio", &args.grad_log_ratio, NONE)?;
            idle("grad_kl", &args.grad_kl, NONE)?;
            idle("stats", &args.stats, NONE)?;
            idle("grad_policy_out", &args.grad_policy_out, NONE)?;
        }
        let rows = truing_rows { cu_seqlens: core::ptr::null(), ..args.rows };
        let transforms = [&args.policy_transform, &args.ref_transform];
        let grads = [args.grad_policy_out, core::ptr::null()];
        let sides = Sides::parse(t, [args.policy, args.r#ref], transforms, &rows, core::ptr::null(), grads);
        let mut sides = sides.map_err(rename)?;
        let cu_seqlens = t.input("rows.cu_seqlens", args.rows.cu_seqlens)?;
        let given = [
            t.input("grad_log_ratio", args.grad_log_ratio)?,
            t.input("grad_kl", args.grad_kl)?,
            t.input("stats", args.stats)?,
        ];
        let figures = [
            t.output("out_log_ratio", args.out_log_ratio)?,
            t.output("out_kl", args.out_kl)?,
            t.output("out_counts", args.out_counts)?,
            t.output("out_stats", args.out_stats)?,
            t.output("out_status", args.out_status)?,
        ];
        sides.in_place(t);
        let (student, teacher, tokens) =
            sides.problems(transforms, &rows, args.flags, &truing_shard::ZERO).map_err(rename)?;
        let problem = Problem::new(student, teacher, Options::default()).map_err(rename)?;
        Ok(Open { sides, cu_seqlens, given, figures, problem, tokens, call })
    }
    fn need(self, backward: bool) -> Result<usize> {
        #[cfg(feature = "cuda")]
        if self.call.tensors.on_device() {
            return self.on_device(backward, true);
        }
        #[cfg(not(feature = "cuda"))]
        let _ = backward;
        self.call.tensors.check()?;
        Ok(kernel::sequence_kl_workspace(&self.problem).minimum)
    }
    /// Runs, or says what workspace that takes.
    #[cfg(feature = "cuda")]
    fn on_device(self, backward: bool, measure: bool) -> Result<usize> {
        use truing_cuda::divergence as device;
        let Call { context, tensors, workspace, .. } = self.call;
        let (ok, tokens, problem) = (&tensors.check()?, &self.tokens, &self.problem);
        let layout = crate::sequence::layout("policy", self.sides.rows_of(), &self.cu_seqlens, ok)?;
        let [log_ratio, kl, stats] = &self.given;
        let (upstream, stats) = ([log_ratio.list(ok)?, kl.list(ok)?], stats.rows(ok, tokens)?);
        let need = device::sequence_kl_workspace(problem, backward, stats.is_some()).minimum;
        let ((inputs, grads), space) = (self.sides.on_device(ok, tokens, false)?, workspace.space(ok));
        let [log_ratio, kl, counts, saved, status] = self.figures;
        let out = device::SequenceFigures {
            log_ratio: log_ratio.list(ok)?,
            kl: kl.list(ok)?,
            counts: counts.list(ok)?,
            stats: saved.rows(ok, tokens)?,
            status: status.list(ok)?,
        };
        if !measure {
            context.launch(ok, |kernels, stream| {
                // SAFETY: the contract of `Call::anywhere`; `check` has found nothing that overlaps an output or the workspace.
                unsafe {
                    use device::{sequence_kl, sequence_kl_backward};
                    match grads.student {
                        Some(grad) if backward => sequence_kl_backward(
                            kernels, stream, problem, layout, &inputs, stats, upstream, grad, space,
                        ),
                        _ => sequence_kl(kernels, stream, problem, layout, &inputs, &out, space),
                    }
                }
            })?;
        }
        Ok(need)
    }
    fn forward(self) -> Result<()> {
        let Call { context, tensors, workspace, .. } = self.call;
        let (ok, tokens) = (&tensors.check()?, &self.tokens);
        let (_, segments): (_, Segments<'_>) = segments("policy", self.sides.rows_of(), &self.cu_seqlens, ok)?;
        let inputs = self.sides.inputs(ok, tokens)?;
        let [log_ratio, kl, counts, stats, status] = self.figures;
        let out = SequenceFigures {
            log_ratio: log_ratio.list(ok)?,
            kl: kl.list(ok)?,
            counts: counts.list(ok)?,
            stats: stats.rows(ok, tokens)?,
            status: status.list(ok)?,
        };
        let logits = self.sides.logits(ok, tokens)?;
        kernel::sequence_kl(&context, &self.problem, segments, logits, inputs, out, workspace.bytes(ok))
    }
    fn backward(self) -> Result<()> {
        let Call { context, tensors, workspace, .. } = self.call;
        let (ok, tokens) = (&tensors.check()?, &self.tokens);
        let (_, segments): (_, Segments<'_>) = segments("policy", self.sides.rows_of(), &self.cu_seqlens, ok)?;
        let inputs = self.sides.inputs(ok, tokens)?;
        let [log_ratio, kl, stats] = &self.given;
        let upstream = [log_ratio.list(ok)?, kl.list(ok)?];
        let stats = stats.rows(ok, tokens)?;
        let [policy, reference] = self.sides.view(ok, tokens)?;
        let (bytes, problem) = (workspace.bytes(ok), &self.problem);
        let reference = reference.logits();
        kernel::sequence_kl_backward(&context, problem, segments, policy, reference, inputs, stats, upstream, bytes)
    }
}
/// The names of a divergence's sides as those of this call.
fn rename(e: Error) -> Error {
    macro_rules! names {
        ($($f:literal)*) => {
            match e.field {
                "student" => "policy",
                "teacher" => "ref",
                "grad_student_out" => "grad_policy_out",
                "cu_seqlens" => "rows.cu_seqlens",
                $(
                    concat!("student_transform.", $f) => concat!("policy_transform.", $f),
                    concat!("teacher_transform.", $f) => concat!("ref_transform.", $f),
                )*
                other => other,
            }
        };
    }
    let field = names!("bias" "row_temperature" "logit_scale" "softcap" "temperature" "n_valid_vocab" "logit_round");
    Error { field, ..e }
}
