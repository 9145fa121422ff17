//! `truing_divergence_*`: divergences of two rows of logits and their gradients.
use crate::abi::*;
use crate::boundary::{array, factor, grad_scale, guard, idle, sizes, unavailable, unknown};
use crate::logprob::{BACKWARD_FLAGS, FORWARD_FLAGS, RowTensors, options, stats};
use crate::tensor::{Call, Checked, Input, Leading, Output, Tensors};
use truing_core::divergence::partial::{AtIds, Chosen, Figures as PartialFigures, Outside, Partial};
use truing_core::divergence::{Figures, Kind, Limits, Options, Problem, Teacher, Upstream, name_side};
use truing_core::logprob::{self, TransformInputs};
use truing_core::matrix::{Floats, Ints, Matrix, Workspace};
use truing_core::preference::Reduction;
use truing_core::{Error, Result, Value};
use truing_cpu::divergence::{self as kernel, Finish, Inputs, LocalPass, PartialShards, PartialTeacher, Totals};
use truing_cpu::logprob::Grad;

const FLAGS: u64 = FORWARD_FLAGS | TRUING_TEMPERATURE_SQUARED | TRUING_HAS_SOFT_WEIGHT | TRUING_CLAMP_AT_ZERO;

/// Values and figures of every row pair, their reduction and its gradients; see `truing_divergence_forward_args`.
///
/// # Safety
/// As for `truing_logprob_forward`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_divergence_forward(args: *const truing_divergence_forward_args) -> truing_status {
    guard("truing_divergence_forward", || {
        // SAFETY: this function's contract.
        let forward = unsafe { Forward::open(args) }?;
        #[cfg(feature = "cuda")]
        if forward.call.tensors.on_device() {
            return forward.on_device(false).map(|_| ());
        }
        forward.run()
    })
}

/// Gradients of both sides' logits, given those of the values, of the reduced loss and of the student's log-probs; see
/// `truing_divergence_backward_args`. No workspace on the CPU.
///
/// # Safety
/// As for `truing_logprob_forward`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_divergence_backward(args: *const truing_divergence_backward_args) -> truing_status {
    guard("truing_divergence_backward", || {
        // SAFETY: this function's contract.
        let backward = unsafe { Backward::open(args) }?;
        #[cfg(feature = "cuda")]
        if backward.call.tensors.on_device() {
            return backward.on_device(false).map(|_| ());
        }
        backward.run()
    })
}
const BACKWARD: u64 = FLAGS | BACKWARD_FLAGS;

/// Bytes of workspace for `truing_divergence_forward`: 0 without `outputs.out_loss` on the CPU; of a device's memory for CUDA
/// tensors.
///
/// # Safety
/// As for `truing_divergence_forward`; `minimum` and `preferred` are NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_divergence_forward_workspace_size(
    args: *const truing_divergence_forward_args,
    minimum: *mut usize,
    preferred: *mut usize,
) -> truing_status {
    guard("truing_divergence_forward_workspace_size", || {
        // SAFETY: this function's contract.
        let forward = unsafe { Forward::open(args) }?;
        let need = kernel::forward_workspace(&forward.problem, forward.outputs.loss.is_some());
        #[cfg(feature = "cuda")]
        if forward.call.tensors.on_device() {
            let need = forward.on_device(true)?;
            // SAFETY: this function's contract.
            return unsafe { sizes(minimum, preferred, (need.minimum, need.preferred)) };
        }
        forward.call.tensors.check()?;
        // SAFETY: this function's contract.
        unsafe { sizes(minimum, preferred, (need.minimum, need.preferred)) }
    })
}

/// Bytes of workspace for `truing_divergence_backward`: 0 on the CPU; of a device's memory for CUDA tensors.
///
/// # Safety
/// As for `truing_divergence_backward`; `minimum` and `preferred` are NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_divergence_backward_workspace_size(
    args: *const truing_divergence_backward_args,
    minimum: *mut usize,
    preferred: *mut usize,
) -> truing_status {
    guard("truing_divergence_backward_workspace_size", || {
        // SAFETY: this function's contract.
        let backward = unsafe { Backward::open(args) }?;
        #[cfg(feature = "cuda")]
        if backward.call.tensors.on_device() {
            let need = backward.on_device(true)?;
            // SAFETY: this function's contract.
            return unsafe { sizes(minimum, preferred, (need.minimum, need.preferred)) };
        }
        backward.call.tensors.check()?;
        // SAFETY: this function's contract.
        unsafe { sizes(minimum, preferred, (0, 0)) }
    })
}

/// What the columns of one vocabulary shard contribute; see `truing_divergence_local_args`. No workspace on the CPU.
///
/// # Safety
/// As for `truing_logprob_forward`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_divergence_local(args: *const truing_divergence_local_args) -> truing_status {
    guard("truing_divergence_local", || {
        // SAFETY: this function's contract.
        let local = unsafe { LocalCall::open(args) }?;
        #[cfg(feature = "cuda")]
        if local.call.tensors.on_device() {
            return local.on_device(false).map(|_| ());
        }
        local.run()
    })
}
/// A shard's part whose fields have been read.
struct LocalCall {
    call: Call<truing_divergence_local_args>,
    sides: Sides,
    ids: Option<Input>,
    stats: Input,
    records: Output,
    at_ids: [Output; 2],
    status: Output,
    problem: Problem,
    tokens: Leading,
}
impl LocalCall {
    /// # Safety
    /// As for [`Call::anywhere`].
    unsafe fn open(args: *const truing_divergence_local_args) -> Result<LocalCall> {
        // SAFETY: this function's contract.
        let mut call = unsafe { Call::anywhere(args, SHARD_FLAGS) }?;
        let (args, t) = (&call.args, &mut call.tensors);
        let ids = given_ids(t, &args.partial, &args.options)?;
        if args.shard.vocab_end == 0 {
            return Err(Error::invalid("shard.vocab_end", Value::Int(0), Value::Text("the columns of a shard")));
        }
        let transforms = [&args.student_transform, &args.teacher_transform];
        let none = core::ptr::null();
        let given = [args.student, args.teacher];
        let sides = Sides::parse(t, given, transforms, &args.rows, args.row_weight, [none; 2])?;
        let stats = t.input("stats", args.stats)?;
        let records = t.output("out_records", args.out_records)?;
        let student_at_ids = t.output("out_student_at_ids", args.out_student_at_ids)?;
        let teacher_at_ids = t.output("out_teacher_at_ids", args.out_teacher_at_ids)?;
        with_ids("out_records", records.is_some(), ids.is_none() || args.options.hard_weight != 0.0)?;
        with_ids("out_student_at_ids", student_at_ids.is_some(), ids.is_some())?;
        with_ids("out_teacher_at_ids", teacher_at_ids.is_some(), ids.is_some())?;
        let status = t.output("out_status", args.out_status)?;
        let (problem, tokens) = sides.problem(transforms, &args.rows, args.flags, &args.options, &args.shard)?;
        let at_ids = [student_at_ids, teacher_at_ids];
        Ok(LocalCall { sides, ids, stats, records, at_ids, status, problem, tokens, call })
    }
    fn run(self) -> Result<()> {
        let LocalCall { call, sides, ids, stats, records, at_ids: [student_at_ids, teacher_at_ids], status, .. } = self;
        let Call { args, context, tensors, .. } = call;
        let (ok, tokens, problem) = (&tensors.check()?, &self.tokens, &self.problem);
        let pass = local_pass(args.local_pass, stats.rows(ok, tokens)?)?;
        let (logits, inputs) = (sides.logits(ok, tokens)?, sides.inputs(ok, tokens)?);
        if let Some(ids) = &ids {
            once(args.local_pass)?;
            let ids = ids.rows(ok, tokens)?.expect("required");
            let student = student_at_ids.rows(ok, tokens)?.expect("required");
            let teacher = teacher_at_ids.rows(ok, tokens)?.expect("required");
            let (out, records, status) = ([student, teacher], records.rows(ok, tokens)?, status.tokens(ok, tokens)?);
            return kernel::partial_local(&context, problem, &GIVEN, ids, logits, inputs, out, records, status);
        }
        let records = records.rows(ok, tokens)?.expect("required");
        kernel::local(&context, problem, logits, inputs, pass, records, status.tokens(ok, tokens)?)
    }
    /// Runs, or says what workspace that takes.
    #[cfg(feature = "cuda")]
    fn on_device(self, measure: bool) -> Result<Workspace> {
        use truing_cuda::divergence as device;
        let LocalCall { call, sides, ids, stats, records, at_ids: [student_at_ids, teacher_at_ids], status, .. } = self;
        let Call { args, context, tensors, workspace } = call;
        let (ok, tokens, problem) = (&tensors.check()?, &self.tokens, &self.problem);
        let stats: Option<truing_cuda::Tensor> = stats.rows(ok, tokens)?;
        let ((inputs, _), space) = (sides.on_device(ok, tokens, false)?, workspace.space(ok));
        let status = status.tokens(ok, tokens)?;
        if let Some(ids) = &ids {
            once(args.local_pass)?;
            let call = device_given(ids.rows(ok, tokens)?, None);
            let student = student_at_ids.rows(ok, tokens)?.expect("required");
            let teacher = teacher_at_ids.rows(ok, tokens)?.expect("required");
            if !measure {
                context.launch(ok, |kernels, stream| {
                    // SAFETY: as for the forward.
                    unsafe {
                        device::local_partial(kernels, stream, problem, &call, &inputs, [student, teacher], status)
                    }
                })?;
            }
            return Ok(Workspace { minimum: 0, preferred: 0 });
        }
        let pass = match local_pass_of(args.local_pass, stats.is_some())? {
            false => device::LocalPass::Records,
            true => device::LocalPass::Values(stats.expect("checked")),
        };
        let out = device::Local { records: records.rows(ok, tokens)?.expect("required"), status };
        let need = device::local_workspace(problem);
        if !measure {
            context.launch(ok, |kernels, stream| {
                // SAFETY: as for the forward.
                unsafe { device::local(kernels, stream, problem, &inputs, pass, &out, space) }
            })?;
        }
        Ok(need)
    }
}
/// Given ids, each side renormalised on them, on a device.
#[cfg(feature = "cuda")]
fn device_given(
    ids: Option<truing_cuda::Tensor>,
    stats: Option<truing_cuda::Tensor>,
) -> truing_cuda::divergence::PartialCall<'static> {
    use truing_cuda::divergence::{PartialCall, PartialTeacher};
    PartialCall { partial: &GIVEN, teacher: PartialTeacher::Rows, reference: None, ids, stats }
}
/// Which round it is.
pub(crate) fn local_pass(pass: truing_local_pass, stats: Option<Matrix<'_, f32>>) -> Result<LocalPass<'_>> {
    Ok(match local_pass_of(pass, stats.is_some())? {
        false => LocalPass::Records,
        true => LocalPass::Values(stats.expect("checked")),
    })
}
/// Whether it is that of the values, which has statistics.
fn local_pass_of(pass: truing_local_pass, stats: bool) -> Result<bool> {
    match (pass, stats) {
        (TRUING_LOCAL_RECORDS, false) => Ok(false),
        (TRUING_LOCAL_VALUES, true) => Ok(true),
        (TRUING_LOCAL_RECORDS, true) => {
            let expected = Value::Text("NULL with TRUING_LOCAL_RECORDS");
            Err(Error::invalid("stats", Value::Text("a tensor"), expected))
        }
        (TRUING_LOCAL_VALUES, false) => {
            let expected = Value::Text("the statistics of truing_divergence_finish");
            Err(Error::invalid("stats", Value::Text("NULL"), expected))
        }
        (other, _) => unknown("local_pass", other, "TRUING_LOCAL_RECORDS or TRUING_LOCAL_VALUES"),
    }
}
/// What goes with the ids of a support, or with whole rows.
pub(crate) fn with_ids(field: &'static str, given: bool, wanted: bool) -> Result<()> {
    match (given, wanted) {
        (true, false) => {
            let expected = Value::Text(
                "NULL: whole rows have records, those of partial.ids have logits at ids, and records with a hard_weight",
            );
            Err(Error::invalid(field, Value::Text("a tensor"), expected))
        }
        (false, true) => Err(Error::invalid(field, Value::Text("NULL"), Value::Text("a pointer"))),
        _ => Ok(()),
    }
}
/// A support is exchanged in one round.
pub(crate) fn once(pass: truing_local_pass) -> Result<()> {
    if pass == TRUING_LOCAL_RECORDS {
        Ok(())
    } else {
        unknown("local_pass", pass, "TRUING_LOCAL_RECORDS with partial.ids")
    }
}
/// The support over shards.
pub(crate) const GIVEN: Partial = Partial {
    chosen: Chosen::Given,
    outside: Outside::Renormalise,
    k: 0,
    tail_floor: 0.0,
    outside_logprob: -100.0,
    log_prob_floor: 0.0,
    value_clamp: 0.0,
    clamp_at_zero: false,
};
/// The ids of a support over shards: those of the caller, each side renormalised on them. None: whole rows.
pub(crate) fn given_ids(
    t: &mut Tensors,
    f: &truing_partial,
    options: &truing_divergence_options,
) -> Result<Option<Input>> {
    match options.teacher_form {
        TRUING_TEACHER_TOPK_LOGPROBS | TRUING_TEACHER_TOPK_LOGITS | TRUING_TEACHER_SAMPLES => {
            return unknown("options.teacher_form", options.teacher_form, "TRUING_TEACHER_LOGITS over shards");
        }
        _ => {}
    }
    if f.support == 0 {
        no_partial(f)?;
        return Ok(None);
    }
    if f.support != TRUING_PARTIAL_GIVEN {
        return unknown("partial.support", f.support, "TRUING_PARTIAL_GIVEN over shards");
    }
    if f.outside != TRUING_OUTSIDE_RENORMALISE {
        return unknown("partial.outside", f.outside, "TRUING_OUTSIDE_RENORMALISE over shards");
    }
    unavailable!("partial", f; teacher_values, teacher_lse, reference, k, tail_floor, outside_logprob, log_prob_floor,
        value_clamp);
    Ok(Some(t.required("partial.ids", f.ids)?))
}
/// Whole rows.
fn no_partial(f: &truing_partial) -> Result<()> {
    unavailable!("partial", f; support, ids, teacher_values, teacher_lse, reference, k, outside, tail_floor,
        outside_logprob, log_prob_floor, value_clamp);
    Ok(())
}
pub(crate) const SHARD_FLAGS: u64 = FORWARD_FLAGS | TRUING_HAS_SOFT_WEIGHT;

/// Bytes of workspace for `truing_divergence_local`: 0 on the CPU; of a device's memory for CUDA tensors.
///
/// # Safety
/// As for `truing_divergence_local`; `minimum` and `preferred` are NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_divergence_local_workspace_size(
    args: *const truing_divergence_local_args,
    minimum: *mut usize,
    preferred: *mut usize,
) -> truing_status {
    guard("truing_divergence_local_workspace_size", || {
        // SAFETY: this function's contract.
        let local = unsafe { LocalCall::open(args) }?;
        #[cfg(feature = "cuda")]
        if local.call.tensors.on_device() {
            let need = local.on_device(true)?;
            // SAFETY: this function's contract.
            return unsafe { sizes(minimum, preferred, (need.minimum, need.preferred)) };
        }
        local.call.tensors.check()?;
        // SAFETY: this function's contract.
        unsafe { sizes(minimum, preferred, (0, 0)) }
    })
}

/// Figures of the rows from what all shards contribute; see `truing_divergence_finish_args`.
///
/// # Safety
/// As for `truing_logprob_forward`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_divergence_finish(args: *const truing_divergence_finish_args) -> truing_status {
    guard("truing_divergence_finish", || {
        // SAFETY: this function's contract.
        unsafe { FinishCall::open(args) }?.run()
    })
}

/// Bytes of workspace for `truing_divergence_finish`: 0 without `outputs.out_loss` on the CPU; of a device's memory for CUDA
/// tensors.
///
/// # Safety
/// As for `truing_divergence_finish`; `minimum` and `preferred` are NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_divergence_finish_workspace_size(
    args: *const truing_divergence_finish_args,
    minimum: *mut usize,
    preferred: *mut usize,
) -> truing_status {
    guard("truing_divergence_finish_workspace_size", || {
        // SAFETY: this function's contract.
        let need = unsafe { FinishCall::open(args) }?.need()?;
        // SAFETY: this function's contract.
        unsafe { sizes(minimum, preferred, (need.minimum, need.preferred)) }
    })
}

/// Distance of sorted probabilities; see `truing_uld_args`.
///
/// # Safety
/// As for `truing_logprob_forward`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_uld(args: *const truing_uld_args) -> truing_status {
    guard("truing_uld", || {
        // SAFETY: this function's contract.
        let call = unsafe { UldCall::open(args) }?;
        #[cfg(feature = "cuda")]
        if call.call.tensors.on_device() {
            return call.on_device(false).map(|_| ());
        }
        call.run()
    })
}

/// Bytes of workspace for `truing_uld`: 16 a column of both sides, at best as much for every thread, a bit more a column with matched
/// ids, and 8 a row with `out_loss`. On CUDA of a device's memory, at best for 128 rows.
///
/// # Safety
/// As for `truing_uld`; `minimum` and `preferred` are NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_uld_workspace_size(
    args: *const truing_uld_args,
    minimum: *mut usize,
    preferred: *mut usize,
) -> truing_status {
    guard("truing_uld_workspace_size", || {
        // SAFETY: this function's contract.
        let call = unsafe { UldCall::open(args) }?;
        #[cfg(feature = "cuda")]
        if call.call.tensors.on_device() {
            let need = call.on_device(true)?;
            // SAFETY: this function's contract.
            return unsafe { sizes(minimum, preferred, (need.minimum, need.preferred)) };
        }
        let (matched, loss) = (call.matched[0].is_some(), call.outputs[1].is_some());
        let need = kernel::uld_workspace(&call.call.context, &call.problem, matched, loss);
        call.call.tensors.check()?;
        // SAFETY: this function's contract.
        unsafe { sizes(minimum, preferred, (need.minimum, need.preferred)) }
    })
}

/// A distance of sorted probabilities whose fields have been read.
struct UldCall {
    call: Call<truing_uld_args>,
    sides: Sides,
    outputs: [Output; 3],
    upstream: [Input; 2],
    k: usize,
    matched: [Input; 2],
    scale: [Input; 2],
    grad_scale: Output,
    problem: Problem,
    tokens: Leading,
}
impl UldCall {
    /// # Safety
    /// As for [`Call::anywhere`].
    unsafe fn open(args: *const truing_uld_args) -> Result<UldCall> {
        // SAFETY: this function's contract.
        let mut call = unsafe { Call::anywhere(args, FORWARD_FLAGS | TRUING_HAS_GRAD_SCALE) }?;
        let (args, t) = (&call.args, &mut call.tensors);
        let transforms = [&args.student_transform, &args.teacher_transform];
        let mut sides = Sides::parse(
            t,
            [args.student, args.teacher],
            transforms,
            &args.rows,
            args.row_weight,
            [args.grad_student_out, args.grad_teacher_out],
        )?;
        let outputs = [
            t.output("out_values", args.out_values)?,
            t.output("out_loss", args.out_loss)?,
            t.output("out_status", args.out_status)?,
        ];
        let upstream = [t.input("grad_values", args.grad_values)?, t.input("grad_loss", args.grad_loss)?];
        let matched = Self::matched(t, args)?;
        let scale = [t.input("student_scale", args.student_scale)?, t.input("teacher_scale", args.teacher_scale)?];
        let grad_scale = t.output("grad_student_scale_out", args.grad_student_scale_out)?;
        if !sides.grads.iter().any(Output::is_some) && !grad_scale.is_some() {
            let expected = "NULL or 0 without a place for a gradient";
            idle("grad_values", &args.grad_values, expected)?;
            idle("grad_loss", &args.grad_loss, expected)?;
            idle("grad_scale", &args.grad_scale, expected)?;
        }
        sides.in_place(t);
        let k = usize::try_from(args.k)
            .map_err(|_| Error::invalid("k", Value::Int(args.k), Value::Text("a number of columns, or 0")))?;
        let own = truing_divergence_options {
            kind: TRUING_DIVERGENCE_FORWARD_KL,
            teacher_form: TRUING_TEACHER_LOGITS,
            aggregate: args.aggregate,
            ..truing_divergence_options::ZERO
        };
        let shard = &truing_shard::ZERO;
        let (problem, tokens) = sides
            .problem(transforms, &args.rows, args.flags, &own, shard)
            .map_err(|e| Error { field: e.field.strip_prefix("options.").unwrap_or(e.field), ..e })?;
        Ok(UldCall { sides, outputs, upstream, k, matched, scale, grad_scale, problem, tokens, call })
    }
    /// Both lists of ids, or neither and nothing that needs them.
    fn matched(t: &mut Tensors, f: &truing_uld_args) -> Result<[Input; 2]> {
        let student = t.input("matched_student_ids", f.matched_student_ids)?;
        if student.is_some() {
            return Ok([student, t.required("matched_teacher_ids", f.matched_teacher_ids)?]);
        }
        const OFF: &str = "0 or NULL without matched_student_ids";
        idle("matched_teacher_ids", &f.matched_teacher_ids, OFF)?;
        idle("matched_beta", &f.matched_beta, OFF)?;
        idle("matched_weight", &f.matched_weight, OFF)?;
        idle("unmatched_weight", &f.unmatched_weight, OFF)?;
        Ok([student, t.input("matched_teacher_ids", f.matched_teacher_ids)?])
    }
    fn run(self) -> Result<()> {
        let Call { args, context, tensors, workspace } = self.call;
        let (ok, tokens) = (&tensors.check()?, &self.tokens);
        let inputs = self.sides.inputs(ok, tokens)?;
        let [values, loss, status] = self.outputs;
        let [grad_values, grad_loss] = self.upstream;
        let upstream = Upstream {
            values: grad_values.tokens(ok, tokens)?,
            loss: grad_loss.scalar::<Floats<'_>>(ok)?.map(|g| g.get(0)),
            scale: grad_scale(args.grad_scale, args.flags),
            ..Upstream::default()
        };
        let totals = Totals { loss: loss.scalar(ok)?, counters: None };
        let (values, status) = (values.tokens(ok, tokens)?, status.tokens(ok, tokens)?);
        let [student, teacher] = &self.matched;
        let matched = match (student.list(ok)?, teacher.list(ok)?) {
            (Some(student), Some(teacher)) => Some(kernel::Matched {
                ids: [student, teacher],
                beta: args.matched_beta,
                weights: [args.matched_weight, args.unmatched_weight],
            }),
            _ => None,
        };
        let [student, teacher] = &self.scale;
        let how = kernel::Uld { k: self.k, matched, scale: [student.tokens(ok, tokens)?, teacher.tokens(ok, tokens)?] };
        let grad_scale = self.grad_scale.tokens(ok, tokens)?;
        let (grads, workspace) = (self.sides.view(ok, tokens)?, workspace.bytes(ok));
        let problem = &self.problem;
        kernel::uld(&context, problem, how, grads, grad_scale, inputs, values, status, totals, upstream, workspace)
    }
    /// Runs, or says what workspace that takes.
    #[cfg(feature = "cuda")]
    fn on_device(self, measure: bool) -> Result<Workspace> {
        use truing_cuda::divergence as device;
        let Call { args, context, tensors, workspace } = self.call;
        let (ok, tokens, problem) = (&tensors.check()?, &self.tokens, &self.problem);
        let ((inputs, grads), space) = (self.sides.on_device(ok, tokens, false)?, workspace.space(ok));
        let [values, loss, status] = self.outputs;
        let [grad_values, grad_loss] = self.upstream;
        let upstream = device::Upstream {
            values: grad_values.tokens(ok, tokens)?,
            loss: grad_loss.scalar(ok)?.map_or(device::Loss::None, device::Loss::At),
            scale: grad_scale(args.grad_scale, args.flags),
            ..device::Upstream::default()
        };
        let out = device::UldOut {
            values: values.tokens(ok, tokens)?,
            status: status.tokens(ok, tokens)?,
            loss: loss.scalar(ok)?,
            grads,
            grad_scale: self.grad_scale.tokens(ok, tokens)?,
        };
        let [student, teacher] = &self.matched;
        let matched = match (student.list(ok)?, teacher.list(ok)?) {
            (Some(student), Some(teacher)) => Some(device::Matched {
                ids: [student, teacher],
                beta: args.matched_beta,
                weights: [args.matched_weight, args.unmatched_weight],
            }),
            _ => None,
        };
        let [student, teacher] = &self.scale;
        let how = device::Uld { k: self.k, matched, scale: [student.tokens(ok, tokens)?, teacher.tokens(ok, tokens)?] };
        let need = device::uld_workspace(problem, &how, &out, &upstream);
        if !measure {
            context.launch(ok, |kernels, stream| {
                // SAFETY: as for the forward; a gradient is its own logits or apart from them.
                unsafe { device::uld(kernels, stream, problem, &how, &inputs, &out, &upstream, space) }
            })?;
        }
        Ok(need)
    }
}

/// A finish whose fields have been read.
pub(crate) struct FinishCall {
    call: Call<truing_divergence_finish_args>,
    records: Input,
    /// Ids of a support and both sides' logits there, in the place of the records.
    ids: Option<Input>,
    at_ids: [Input; 2],
    starts: Input,
    rows: RowTensors,
    row_weight: Input,
    outputs: OutputTensors,
    values: bool,
    /// With a vocabulary of one column: the true one is in the starts.
    problem: Problem,
    plain: logprob::Options,
}
impl FinishCall {
    /// # Safety
    /// As for [`Call::open`].
    pub(crate) unsafe fn open(args: *const truing_divergence_finish_args) -> Result<FinishCall> {
        // SAFETY: this function's contract.
        let mut call = unsafe { Call::anywhere(args, SHARD_FLAGS) }?;
        let (args, t) = (&call.args, &mut call.tensors);
        let ids = given_ids(t, &args.partial, &args.options)?;
        const RECORDS: &str = "3 dimensions, [shards, N, 16], or 17 with a hard_weight, 12 with that and ids";
        const AT_IDS: &str = "3 dimensions, [shards, N, K]";
        let records = t.input("records", args.records)?;
        let student_at_ids = t.input("student_at_ids", args.student_at_ids)?;
        let teacher_at_ids = t.input("teacher_at_ids", args.teacher_at_ids)?;
        with_ids("records", records.is_some(), ids.is_none() || args.options.hard_weight != 0.0)?;
        with_ids("student_at_ids", student_at_ids.is_some(), ids.is_some())?;
        with_ids("teacher_at_ids", teacher_at_ids.is_some(), ids.is_some())?;
        let (records, at_ids) = match &ids {
            None => (records.ndim(3, 3, RECORDS)?, [student_at_ids, teacher_at_ids]),
            Some(_) => {
                once(args.local_pass)?;
                let records = if records.is_some() { records.ndim(3, 3, RECORDS)? } else { records };
                (records, [student_at_ids.ndim(3, 3, AT_IDS)?, teacher_at_ids.ndim(3, 3, AT_IDS)?])
            }
        };
        let starts = t.required("shard_starts", args.shard_starts)?;
        let rows = RowTensors::parse(t, &args.rows)?;
        let row_weight = t.input("row_weight", args.row_weight)?;
        let outputs = OutputTensors::parse_shards(t, &args.outputs, ids.is_some())?;
        let values = match args.local_pass {
            TRUING_LOCAL_RECORDS => false,
            TRUING_LOCAL_VALUES => true,
            other => return unknown("local_pass", other, "TRUING_LOCAL_RECORDS or TRUING_LOCAL_VALUES"),
        };
        let plain = options(&truing_transform::ZERO, &args.rows, args.flags)?;
        // SAFETY: the contract of `Call::open`.
        let own = unsafe { divergence_options(&args.options, args.flags) }?;
        let parts = if ids.is_some() { &at_ids[0] } else { &records };
        let side = logprob::Problem::new(parts.dims()[1], 1, plain)?;
        let problem = Problem::new(side, side, own)?;
        Ok(FinishCall { records, ids, at_ids, starts, rows, row_weight, outputs, values, problem, plain, call })
    }
    pub(crate) fn need(self) -> Result<Workspace> {
        #[cfg(feature = "cuda")]
        if self.call.tensors.on_device() {
            return self.on_device(true);
        }
        let loss = self.outputs.loss.is_some();
        let need = match &self.ids {
            Some(_) => kernel::partial_finish_workspace(&self.problem, self.at_ids[0].dims()[2], loss),
            None => kernel::forward_workspace(&self.problem, loss),
        };
        self.call.tensors.check()?;
        Ok(need)
    }
    /// Runs, or says what workspace that takes.
    #[cfg(feature = "cuda")]
    fn on_device(self, measure: bool) -> Result<Workspace> {
        use truing_cuda::divergence as device;
        let Call { context, tensors, workspace, .. } = self.call;
        let (ok, problem) = (&tensors.check()?, &self.problem);
        let parts = if self.ids.is_some() { &self.at_ids[0] } else { &self.records };
        let [shards, n, _] = *parts.dims() else { unreachable!("3 dimensions") };
        let (tokens, all) = (&Leading::new(&[n]), &Leading::new(&[shards, n]));
        let starts: truing_cuda::Tensor = self.starts.list(ok)?.expect("required");
        if starts.layout.rows() != shards + 1 {
            return Err(Error::shape("shard_starts", Value::Size(starts.layout.rows()), Value::Size(shards + 1)));
        }
        let (target, mask) = self.rows.on_device(ok, tokens)?;
        let (row_weight, space) = (self.row_weight.tokens(ok, tokens)?, workspace.space(ok));
        let (figures, few) = self.outputs.on_device(ok, tokens)?;
        if let Some(ids) = &self.ids {
            let [student, teacher] = &self.at_ids;
            let call = device_given(ids.rows(ok, tokens)?, None);
            let at_ids = [student.rows(ok, all)?.expect("required"), teacher.rows(ok, all)?.expect("required")];
            let (x, rows) = (device::PartialShards { at_ids, starts }, [target, mask, row_weight]);
            let need = device::partial_finish_workspace(problem, &call, &few);
            if !measure {
                context.launch(ok, |kernels, stream| {
                    // SAFETY: as for the forward.
                    unsafe { device::finish_partial(kernels, stream, problem, &call, &x, rows, &few, space) }
                })?;
            }
            return Ok(need);
        }
        let records = self.records.rows(ok, all)?.expect("required");
        let x = device::Finish { records, values: self.values, starts, target, mask, row_weight };
        let need = device::finish_workspace(problem, &x, &figures);
        if !measure {
            context.launch(ok, |kernels, stream| {
                // SAFETY: as for the forward.
                unsafe { device::finish(kernels, stream, problem, &x, &figures, space) }
            })?;
        }
        Ok(need)
    }
    pub(crate) fn run(self) -> Result<()> {
        #[cfg(feature = "cuda")]
        if self.call.tensors.on_device() {
            return self.on_device(false).map(|_| ());
        }
        let Call { context, tensors, workspace, .. } = self.call;
        let ok = &tensors.check()?;
        let parts = if self.ids.is_some() { &self.at_ids[0] } else { &self.records };
        let [shards, n, _] = *parts.dims() else { unreachable!("3 dimensions") };
        let (tokens, all) = (&Leading::new(&[n]), &Leading::new(&[shards, n]));
        let starts: Ints<'_> = self.starts.list(ok)?.expect("required");
        if starts.rows() != shards + 1 {
            return Err(Error::shape("shard_starts", Value::Size(starts.rows()), Value::Size(shards + 1)));
        }
        let vocab = usize::try_from(starts.get(shards)).unwrap_or(0);
        let side = logprob::Problem::new(n, vocab, self.plain)?;
        let problem = Problem::new(side, side, *self.problem.options())?;
        let (figures, few, totals) = self.outputs.view(ok, tokens)?;
        if let Some(ids) = &self.ids {
            let [student, teacher] = &self.at_ids;
            let x = PartialShards {
                at_ids: [student.rows(ok, all)?.expect("required"), teacher.rows(ok, all)?.expect("required")],
                records: self.records.rows(ok, all)?,
                starts,
                ids: ids.rows(ok, tokens)?.expect("required"),
                rows: self.rows.view(ok, tokens)?,
                row_weight: self.row_weight.tokens(ok, tokens)?,
            };
            return kernel::partial_finish(&context, &problem, &GIVEN, x, few, totals, workspace.bytes(ok));
        }
        let x = Finish {
            records: self.records.rows(ok, all)?.expect("required"),
            values: self.values,
            starts,
            rows: self.rows.view(ok, tokens)?,
            row_weight: self.row_weight.tokens(ok, tokens)?,
        };
        kernel::finish(&context, &problem, x, figures, totals, workspace.bytes(ok))
    }
}

/// A backward whose fields have been read.
struct Backward {
    call: Call<truing_divergence_backward_args>,
    sides: Sides,
    few: Option<PartialTensors>,
    saved: Input,
    values: Input,
    loss: Input,
    logprob: Input,
    status: Output,
    problem: Problem,
    tokens: Leading,
}
impl Backward {
    /// # Safety
    /// As for [`Call::anywhere`].
    unsafe fn open(args: *const truing_divergence_backward_args) -> Result<Backward> {
        // SAFETY: this function's contract.
        let mut call = unsafe { Call::anywhere(args, BACKWARD) }?;
        let (args, t) = (&call.args, &mut call.tensors);
        let mut sides = Sides::parse(
            t,
            [args.student, args.teacher],
            [&args.student_transform, &args.teacher_transform],
            &args.rows,
            args.row_weight,
            [args.grad_student_out, args.grad_teacher_out],
        )?;
        if !sides.grads.iter().any(Output::is_some) {
            let expected = Value::Text("a place for a gradient, here or in grad_teacher_out");
            return Err(Error::invalid("grad_student_out", Value::Text("NULL"), expected));
        }
        let few = {
            let teacher = ("teacher", sides.logits[1].is_some());
            PartialTensors::parse(t, &args.partial, &args.options, args.flags, teacher)?
        };
        if few.is_some() {
            if args.shard.vocab_end == 0 {
                idle("stats", &args.stats, "NULL with a partial support: there are none but over shards")?;
            }
            idle("grad_student_logprob", &args.grad_student_logprob, "NULL with a partial support")?;
        }
        let saved = stats(t, args.stats, args.flags)?;
        let values = t.input("grad_values", args.grad_values)?;
        let loss = t.input("grad_loss", args.grad_loss)?;
        let logprob = t.input("grad_student_logprob", args.grad_student_logprob)?;
        let status = t.output("out_status", args.out_status)?;
        sides.in_place(t);
        let transforms = [&args.student_transform, &args.teacher_transform];
        let (problem, tokens) = sides.problem(transforms, &args.rows, args.flags, &args.options, &args.shard)?;
        Ok(Backward { sides, few, saved, values, loss, logprob, status, problem, tokens, call })
    }
    fn run(self) -> Result<()> {
        let Call { args, context, tensors, .. } = self.call;
        let (ok, tokens) = (&tensors.check()?, &self.tokens);
        let upstream = Upstream {
            values: self.values.tokens(ok, tokens)?,
            student_logprob: self.logprob.tokens(ok, tokens)?,
            loss: self.loss.scalar::<Floats<'_>>(ok)?.map(|g| g.get(0)),
            scale: grad_scale(args.grad_scale, args.flags),
        };
        let (stats, status) = (self.saved.rows(ok, tokens)?, self.status.tokens(ok, tokens)?);
        let inputs = self.sides.inputs(ok, tokens)?;
        if let Some(few) = self.few {
            let PartialViews { settings, ids, at, reference } = few.view(ok, tokens)?;
            let [student, rows] = self.sides.places(ok, tokens)?;
            if args.shard.vocab_end != 0 {
                let missing = |field| Error::invalid(field, Value::Text("NULL"), Value::Text("a pointer, over shards"));
                let stats = stats.ok_or(missing("stats"))?;
                let ids = ids.ok_or(missing("partial.ids"))?;
                let grads = [student.expect("required"), rows.ok_or(missing("teacher"))?];
                return kernel::partial_shard(
                    &context,
                    &self.problem,
                    &settings,
                    grads,
                    ids,
                    inputs,
                    stats,
                    upstream,
                    status,
                );
            }
            let teacher = PartialTensors::teacher(at, rows);
            let out = PartialFigures { status, ..PartialFigures::default() };
            let totals = Totals::default();
            let student = student.expect("required");
            return kernel::partial(
                &context,
                &self.problem,
                &settings,
                student,
                teacher,
                reference,
                ids,
                inputs,
                out,
                totals,
                upstream,
                &mut [],
            );
        }
        kernel::backward(&context, &self.problem, self.sides.view(ok, tokens)?, inputs, stats, upstream, status)
    }
    /// Runs, or says what workspace that takes.
    #[cfg(feature = "cuda")]
    fn on_device(self, measure: bool) -> Result<Workspace> {
        use truing_cuda::divergence as device;
        let Call { args, context, tensors, workspace } = self.call;
        let (ok, tokens, problem) = (&tensors.check()?, &self.tokens, &self.problem);
        let upstream = device::Upstream {
            values: self.values.tokens(ok, tokens)?,
            student_logprob: self.logprob.tokens(ok, tokens)?,
            loss: self.loss.scalar(ok)?.map_or(device::Loss::None, device::Loss::At),
            scale: grad_scale(args.grad_scale, args.flags),
        };
        let (stats, status) = (self.saved.rows(ok, tokens)?, self.status.tokens(ok, tokens)?);
        let at_ids = self.few.as_ref().is_some_and(|few| few.logits.is_some());
        let ((inputs, grads), space) = (self.sides.on_device(ok, tokens, at_ids)?, workspace.space(ok));
        if let Some(few) = &self.few {
            let call = device::PartialCall { stats, ..few.on_device(ok, tokens)? };
            if args.shard.vocab_end != 0 && stats.is_none() {
                return Err(Error::invalid("stats", Value::Text("NULL"), Value::Text("a pointer, over shards")));
            }
            let out = device::PartialFigures { status, ..device::PartialFigures::default() };
            let need = device::partial_workspace(problem, &call, &out, &upstream, &grads);
            if !measure {
                context.launch(ok, |kernels, stream| {
                    // SAFETY: as for the forward; a gradient is its own logits or apart from them.
                    unsafe {
                        use device::backward_partial;
                        backward_partial(kernels, stream, problem, &call, &inputs, &upstream, &grads, status, space)
                    }
                })?;
            }
            return Ok(need);
        }
        let need = device::backward_workspace(problem, stats.is_some(), &upstream);
        if !measure {
            context.launch(ok, |kernels, stream| {
                // SAFETY: as above.
                unsafe { device::backward(kernels, stream, problem, &inputs, stats, &upstream, &grads, status, space) }
            })?;
        }
        Ok(need)
    }
}

/// A forward whose fields have been read.
struct Forward {
    call: Call<truing_divergence_forward_args>,
    sides: Sides,
    outputs: OutputTensors,
    few: Option<PartialTensors>,
    grad_loss: Input,
    problem: Problem,
    tokens: Leading,
}
impl Forward {
    /// # Safety
    /// As for [`Call::anywhere`].
    unsafe fn open(args: *const truing_divergence_forward_args) -> Result<Forward> {
        // SAFETY: this function's contract.
        let mut call = unsafe { Call::anywhere(args, FLAGS | TRUING_HAS_GRAD_SCALE) }?;
        let (args, t) = (&call.args, &mut call.tensors);
        let mut sides = Sides::parse(
            t,
            [args.student, args.teacher],
            [&args.student_transform, &args.teacher_transform],
            &args.rows,
            args.row_weight,
            [args.grad_student_out, args.grad_teacher_out],
        )?;
        let few = {
            let teacher = ("teacher", sides.logits[1].is_some());
            PartialTensors::parse(t, &args.partial, &args.options, args.flags, teacher)?
        };
        let outputs = OutputTensors::parse(t, &args.outputs, few.is_some())?;
        let grad_loss = t.input("grad_loss", args.grad_loss)?;
        if !sides.grads.iter().any(Output::is_some) {
            let expected = "NULL or 0 without grad_student_out and grad_teacher_out";
            idle("grad_loss", &args.grad_loss, expected)?;
            idle("grad_scale", &args.grad_scale, expected)?;
        }
        sides.in_place(t);
        let transforms = [&args.student_transform, &args.teacher_transform];
        let (problem, tokens) =
            sides.problem(transforms, &args.rows, args.flags, &args.options, &truing_shard::ZERO)?;
        Ok(Forward { sides, outputs, few, grad_loss, problem, tokens, call })
    }
    fn run(self) -> Result<()> {
        let wanted = self.sides.grads.iter().any(Output::is_some);
        let Call { args, context, tensors, workspace } = self.call;
        let (ok, tokens) = (&tensors.check()?, &self.tokens);
        let inputs = self.sides.inputs(ok, tokens)?;
        let (figures, partial, totals) = self.outputs.view(ok, tokens)?;
        let upstream = if wanted {
            let scale = grad_scale(args.grad_scale, args.flags);
            if !scale.is_finite() {
                return Err(Error::invalid("grad_scale", Value::Float(scale), Value::Text("a finite number")));
            }
            Some(scale * self.grad_loss.scalar::<Floats<'_>>(ok)?.map_or(1.0, |g| g.get(0)))
        } else {
            None
        };
        let workspace = workspace.bytes(ok);
        if let Some(few) = self.few {
            let PartialViews { settings, ids, at, reference } = few.view(ok, tokens)?;
            let [student, rows] = self.sides.places(ok, tokens)?;
            let teacher = PartialTensors::teacher(at, rows);
            let (student, upstream) = (student.expect("required"), Upstream { loss: upstream, ..Upstream::default() });
            return kernel::partial(
                &context,
                &self.problem,
                &settings,
                student,
                teacher,
                reference,
                ids,
                inputs,
                partial,
                totals,
                upstream,
                workspace,
            );
        }
        let grads = self.sides.view(ok, tokens)?;
        kernel::forward_fused(&context, &self.problem, grads, inputs, figures, totals, upstream, workspace)
    }
    /// Runs, or says what workspace that takes.
    #[cfg(feature = "cuda")]
    fn on_device(self, measure: bool) -> Result<Workspace> {
        use truing_cuda::divergence as device;
        let wanted = self.sides.grads.iter().any(Output::is_some);
        let Call { args, context, tensors, workspace } = self.call;
        let (ok, tokens, problem) = (&tensors.check()?, &self.tokens, &self.problem);
        let at_ids = self.few.as_ref().is_some_and(|few| few.logits.is_some());
        let ((inputs, grads), space) = (self.sides.on_device(ok, tokens, at_ids)?, workspace.space(ok));
        let loss = match self.grad_loss.scalar(ok)? {
            _ if !wanted => device::Loss::None,
            Some(x) => device::Loss::At(x),
            None => device::Loss::One,
        };
        let scale = grad_scale(args.grad_scale, args.flags);
        let upstream = device::Upstream { loss, scale, ..device::Upstream::default() };
        let (figures, partial) = self.outputs.on_device(ok, tokens)?;
        if let Some(few) = &self.few {
            let call = few.on_device(ok, tokens)?;
            let need = device::partial_workspace(problem, &call, &partial, &upstream, &grads);
            if !measure {
                context.launch(ok, |kernels, stream| {
                    // SAFETY: the contract of `Call::anywhere`; `check` has found nothing that overlaps an output or the
                    // workspace.
                    unsafe {
                        use device::forward_partial;
                        forward_partial(kernels, stream, problem, &call, &inputs, &partial, &upstream, &grads, space)
                    }
                })?;
            }
            return Ok(need);
        }
        let need = match wanted {
            true => device::fused_workspace(problem, &figures, &upstream),
            false => device::forward_workspace(problem, &figures),
        };
        if !measure {
            context.launch(ok, |kernels, stream| {
                // SAFETY: as above.
                unsafe {
                    match wanted {
                        true => {
                            device::forward_fused(kernels, stream, problem, &inputs, &figures, &upstream, &grads, space)
                        }
                        false => device::forward(kernels, stream, problem, &inputs, &figures, space),
                    }
                }
            })?;
        }
        Ok(need)
    }
}

/// The tensors of both sides: the student, then the teacher.
pub(crate) struct Sides {
    logits: [Input; 2],
    bias: [Input; 2],
    row_temperature: [Input; 2],
    rows: RowTensors,
    row_weight: Input,
    grads: [Output; 2],
    in_place: [bool; 2],
    dims: [[usize; 3]; 2],
    ndim: [usize; 2],
}
impl Sides {
    pub(crate) fn parse(
        t: &mut Tensors,
        [student, teacher]: [*const truing_tensor; 2],
        [own, other]: [&truing_transform; 2],
        rows: &truing_rows,
        row_weight: *const truing_tensor,
        [grad_student, grad_teacher]: [*const truing_tensor; 2],
    ) -> Result<Sides> {
        unavailable!("student_transform", own; logit_round);
        unavailable!("teacher_transform", other; logit_round);
        // a teacher that is NULL is refused where it is needed
        let logits = [t.required("student", student)?, t.input("teacher", teacher)?];
        let (mut dims, mut ndim) = ([[1; 3]; 2], [0; 2]);
        for side in 0..2 {
            let of = if logits[side].is_some() { side } else { 0 };
            ndim[side] = logits[of].dims().len();
            dims[side][..ndim[side]].copy_from_slice(logits[of].dims());
        }
        Ok(Sides {
            logits,
            bias: [t.input("student_transform.bias", own.bias)?, t.input("teacher_transform.bias", other.bias)?],
            row_temperature: [
                t.input("student_transform.row_temperature", own.row_temperature)?,
                t.input("teacher_transform.row_temperature", other.row_temperature)?,
            ],
            rows: RowTensors::parse(t, rows)?,
            row_weight: t.input("row_weight", row_weight)?,
            grads: [t.output("grad_student_out", grad_student)?, t.output("grad_teacher_out", grad_teacher)?],
            in_place: [false; 2],
            dims,
            ndim,
        })
    }
    pub(crate) fn in_place(&mut self, t: &mut Tensors) {
        for side in 0..2 {
            self.in_place[side] = t.in_place(&mut self.logits[side], &self.grads[side]);
        }
    }
    fn problem(
        &self,
        transforms: [&truing_transform; 2],
        rows: &truing_rows,
        flags: u64,
        divergence: &truing_divergence_options,
        shard: &truing_shard,
    ) -> Result<(Problem, Leading)> {
        let (student, teacher, tokens) = self.problems(transforms, rows, flags, shard)?;
        // SAFETY: the contract of `Call::open`.
        let options = unsafe { divergence_options(divergence, flags) }?;
        Ok((Problem::new(student, teacher, options)?, tokens))
    }
    /// Those of student and teacher.
    pub(crate) fn problems(
        &self,
        transforms: [&truing_transform; 2],
        rows: &truing_rows,
        flags: u64,
        shard: &truing_shard,
    ) -> Result<(logprob::Problem, logprob::Problem, Leading)> {
        let side = |side: usize| {
            let dims = &self.dims[side][..self.ndim[side]];
            let problem = options(transforms[side], rows, flags)
                .and_then(|options| crate::logprob::problem(dims, options, shard));
            problem.map_err(|e| name_side(e, side == 1))
        };
        let (student, tokens) = side(0)?;
        Ok((student, side(1)?.0, tokens))
    }
    /// Dimensions of the rows.
    pub(crate) fn rows_of(&self) -> &[usize] {
        &self.dims[0][..self.ndim[0] - 1]
    }
    /// The logits of both sides, neither of them in place.
    pub(crate) fn logits<'a>(&self, ok: &'a Checked, tokens: &Leading) -> Result<[Floats<'a>; 2]> {
        let [student, teacher] = &self.logits;
        let missing = Error::invalid("teacher", Value::Text("NULL"), Value::Text("a pointer"));
        Ok([student.rows(ok, tokens)?.expect("required"), teacher.rows(ok, tokens)?.ok_or(missing)?])
    }
    pub(crate) fn inputs<'a>(&self, ok: &'a Checked, tokens: &Leading) -> Result<Inputs<'a>> {
        let side = |side: usize| -> Result<TransformInputs<'a>> {
            Ok(TransformInputs {
                bias: self.bias[side].list(ok)?,
                row_temperature: self.row_temperature[side].tokens(ok, tokens)?,
            })
        };
        Ok(Inputs {
            student: side(0)?,
            teacher: side(1)?,
            rows: self.rows.view(ok, tokens)?,
            row_weight: self.row_weight.tokens(ok, tokens)?,
        })
    }
    /// Both sides, which must be there.
    pub(crate) fn view<'a>(self, ok: &'a Checked, tokens: &Leading) -> Result<[Grad<'a>; 2]> {
        let [student, teacher] = self.places(ok, tokens)?;
        let missing = Error::invalid("teacher", Value::Text("NULL"), Value::Text("a pointer"));
        Ok([student.ok_or(missing)?, teacher.ok_or(missing)?])
    }
    /// What the device reads, and where gradients go; `at_ids`: the teacher has no rows.
    #[cfg(feature = "cuda")]
    pub(crate) fn on_device(
        self,
        ok: &Checked,
        tokens: &Leading,
        at_ids: bool,
    ) -> Result<(truing_cuda::divergence::Inputs, truing_cuda::divergence::Grads)> {
        use truing_cuda::divergence::{Grads, Inputs, Side};
        let n = self.rows_of().iter().product();
        let [student, teacher] = self.grads;
        let places: [Option<truing_cuda::Tensor>; 2] = [student.rows(ok, tokens)?, teacher.rows(ok, tokens)?];
        let side = |i: usize| -> Result<Side> {
            let logits = if self.in_place[i] { places[i] } else { self.logits[i].rows(ok, tokens)? };
            let missing = Error::invalid("teacher", Value::Text("NULL"), Value::Text("a pointer"));
            let none = truing_cuda::Tensor::contiguous(0, truing_core::Dtype::F32, n, 1);
            let logits = logits.or((i == 1 && at_ids).then_some(none));
            Ok(Side {
                bias: self.bias[i].list(ok)?,
                row_temperature: self.row_temperature[i].tokens(ok, tokens)?,
                ..Side::new(logits.ok_or(missing)?)
            })
        };
        let (target, mask) = self.rows.on_device(ok, tokens)?;
        let row_weight = self.row_weight.tokens(ok, tokens)?;
        let inputs = Inputs { student: side(0)?, teacher: side(1)?, target, mask, row_weight };
        Ok((inputs, Grads { student: places[0], teacher: places[1] }))
    }
    fn places<'a>(self, ok: &'a Checked, tokens: &Leading) -> Result<[Option<Grad<'a>>; 2]> {
        let side = |logits: &Input, grad: Output, in_place: bool| -> Result<Option<Grad<'a>>> {
            Ok(match (logits.rows(ok, tokens)?, grad.rows(ok, tokens)?) {
                (_, Some(g)) if in_place => Some(Grad::InPlace(g)),
                (Some(z), Some(g)) => Some(Grad::Separate(z, g)),
                (Some(z), None) => Some(Grad::Absent(z)),
                (None, None) => None,
                (None, Some(_)) => {
                    let expected = Value::Text("NULL without rows of teacher logits");
                    return Err(Error::invalid("grad_teacher_out", Value::Text("a tensor"), expected));
                }
            })
        };
        let [student, teacher] = self.grads;
        Ok([side(&self.logits[0], student, self.in_place[0])?, side(&self.logits[1], teacher, self.in_place[1])?])
    }
}

/// The tensors of a partial divergence.
pub(crate) struct PartialTensors {
    settings: Partial,
    ids: Input,
    values: Input,
    lse: Input,
    reference: Input,
    /// What the values are; none: the teacher has rows.
    logits: Option<Form>,
}
/// Numbers of a teacher at ids.
#[derive(Clone, Copy)]
enum Form {
    Logprobs,
    Logits,
    Counts,
}
/// What [`PartialTensors`] describe.
pub(crate) struct PartialViews<'a> {
    pub(crate) settings: Partial,
    pub(crate) ids: Option<Ints<'a>>,
    pub(crate) at: Option<AtIds<'a>>,
    pub(crate) reference: Option<Floats<'a>>,
}
impl PartialTensors {
    /// `teacher`: the field of its rows, and whether they are there.
    pub(crate) fn parse(
        t: &mut Tensors,
        f: &truing_partial,
        options: &truing_divergence_options,
        flags: u64,
        (field, rows): (&'static str, bool),
    ) -> Result<Option<PartialTensors>> {
        let logits = match options.teacher_form {
            TRUING_TEACHER_TOPK_LOGPROBS => Some(Form::Logprobs),
            TRUING_TEACHER_TOPK_LOGITS => Some(Form::Logits),
            TRUING_TEACHER_SAMPLES => Some(Form::Counts),
            TRUING_TEACHER_LOGITS | TRUING_TEACHER_LOGPROBS | TRUING_TEACHER_PROBS => None,
            other => return unknown("options.teacher_form", other, "TRUING_TEACHER_*"),
        };
        if logits.is_some() == rows {
            let (got, expected) = match logits {
                Some(_) => ("a tensor", "NULL with values at ids"),
                None => ("NULL", "a pointer"),
            };
            return Err(Error::invalid(field, Value::Text(got), Value::Text(expected)));
        }
        if f.support == 0 {
            const OFF: &str = "0 or NULL without a support";
            idle("partial.ids", &f.ids, OFF)?;
            idle("partial.teacher_values", &f.teacher_values, OFF)?;
            idle("partial.teacher_lse", &f.teacher_lse, OFF)?;
            idle("partial.k", &f.k, OFF)?;
            idle("partial.outside", &f.outside, OFF)?;
            idle("partial.reference", &f.reference, OFF)?;
            idle("partial.tail_floor", &f.tail_floor, OFF)?;
            idle("partial.outside_logprob", &f.outside_logprob, OFF)?;
            idle("partial.log_prob_floor", &f.log_prob_floor, OFF)?;
            idle("partial.value_clamp", &f.value_clamp, OFF)?;
            crate::boundary::flags(flags, !TRUING_CLAMP_AT_ZERO)?;
            if logits.is_some() {
                return unknown("partial.support", 0, "TRUING_PARTIAL_GIVEN with values at ids");
            }
            return Ok(None);
        }
        let k = usize::try_from(f.k)
            .map_err(|_| Error::invalid("partial.k", Value::Int(f.k), Value::Text("a number of columns, or 0")))?;
        let settings = Partial {
            chosen: match f.support {
                TRUING_PARTIAL_TEACHER => Chosen::Teacher,
                TRUING_PARTIAL_STUDENT => Chosen::Student,
                TRUING_PARTIAL_UNION => Chosen::Union,
                TRUING_PARTIAL_GIVEN => Chosen::Given,
                TRUING_PARTIAL_REFERENCE => Chosen::Reference,
                other => return unknown("partial.support", other, "TRUING_PARTIAL_*"),
            },
            outside: match f.outside {
                TRUING_OUTSIDE_RENORMALISE => Outside::Renormalise,
                TRUING_OUTSIDE_TAIL => Outside::Tail,
                TRUING_OUTSIDE_ZERO => Outside::Zero,
                TRUING_OUTSIDE_RAW => Outside::Raw,
                other => return unknown("partial.outside", other, "TRUING_OUTSIDE_*"),
            },
            k,
            tail_floor: f.tail_floor,
            outside_logprob: if f.outside_logprob == 0.0 { -100.0 } else { f.outside_logprob },
            log_prob_floor: f.log_prob_floor,
            value_clamp: f.value_clamp,
            clamp_at_zero: flags & TRUING_CLAMP_AT_ZERO != 0,
        };
        match logits {
            Some(Form::Logits) => {}
            Some(_) => idle("partial.teacher_lse", &f.teacher_lse, "NULL without logits at ids")?,
            None => {
                idle("partial.teacher_values", &f.teacher_values, "NULL with rows of the teacher")?;
                idle("partial.teacher_lse", &f.teacher_lse, "NULL with rows of the teacher")?;
            }
        }
        let values = if logits.is_some() {
            t.required("partial.teacher_values", f.teacher_values)?
        } else {
            t.input("partial.teacher_values", f.teacher_values)?
        };
        let (ids, lse) = (t.input("partial.ids", f.ids)?, t.input("partial.teacher_lse", f.teacher_lse)?);
        let reference = t.input("partial.reference", f.reference)?;
        Ok(Some(PartialTensors { settings, ids, values, lse, reference, logits }))
    }
    pub(crate) fn view<'a>(&self, ok: &'a Checked, tokens: &Leading) -> Result<PartialViews<'a>> {
        let values: Option<Floats<'a>> = self.values.rows(ok, tokens)?;
        let at = match (self.logits, values) {
            (Some(Form::Logits), Some(x)) => Some(AtIds::Logits(x, self.lse.tokens(ok, tokens)?)),
            (Some(Form::Logprobs), Some(x)) => Some(AtIds::Logprobs(x)),
            (Some(Form::Counts), Some(x)) => Some(AtIds::Counts(x)),
            _ => None,
        };
        let (ids, reference) = (self.ids.rows(ok, tokens)?, self.reference.rows(ok, tokens)?);
        Ok(PartialViews { settings: self.settings, ids, at, reference })
    }
    /// The same on a device.
    #[cfg(feature = "cuda")]
    fn on_device(&self, ok: &Checked, tokens: &Leading) -> Result<truing_cuda::divergence::PartialCall<'_>> {
        use truing_cuda::divergence::{PartialCall, PartialTeacher};
        let values = self.values.rows(ok, tokens)?;
        let teacher = match (self.logits, values) {
            (Some(Form::Logits), Some(x)) => PartialTeacher::Logits(x, self.lse.tokens(ok, tokens)?),
            (Some(Form::Logprobs), Some(x)) => PartialTeacher::Logprobs(x),
            (Some(Form::Counts), Some(x)) => PartialTeacher::Counts(x),
            _ => PartialTeacher::Rows,
        };
        let (ids, reference) = (self.ids.rows(ok, tokens)?, self.reference.rows(ok, tokens)?);
        Ok(PartialCall { partial: &self.settings, teacher, reference, ids, stats: None })
    }
    fn teacher<'a>(at: Option<AtIds<'a>>, rows: Option<Grad<'a>>) -> PartialTeacher<'a> {
        match (at, rows) {
            (Some(at), _) => PartialTeacher::At(at),
            (None, rows) => PartialTeacher::Rows(rows.expect("checked")),
        }
    }
}

/// The settings of a divergence.
///
/// # Safety
/// `params` is NULL or points to `num_params` readable numbers.
pub(crate) unsafe fn divergence_options(f: &truing_divergence_options, flags: u64) -> Result<Options> {
    let kind = match Kind::find(f.kind) {
        Some(kind) => kind,
        None => return unknown("options.kind", f.kind, "TRUING_DIVERGENCE_*"),
    };
    let most = usize::from(kind.info().param.is_some());
    if f.num_params > most {
        return Err(Error::invalid("options.num_params", Value::Size(f.num_params), Value::Below(0, most as i64 + 1)));
    }
    // SAFETY: this function's contract.
    let params = unsafe { array("options.params", f.params, f.num_params) }?;
    if f.soft_weight != 0.0 && f.soft_weight.is_nan() {
        return Err(Error::invalid("options.soft_weight", Value::Float(f.soft_weight), Value::Text("a finite number")));
    }
    let a = &f.aggregate;
    idle("options.aggregate.max_length", &a.max_length, "0: there are no modes over sequences here")?;
    idle("options.aggregate.count_empty", &a.count_empty, "0: there are no modes over sequences here")?;
    if a.denominator != TRUING_DENOMINATOR_ORIGINAL {
        crate::boundary::unserved("options.aggregate.denominator", &a.denominator)?;
    }
    Ok(Options {
        kind,
        param: params.first().copied().unwrap_or(f64::NAN),
        limits: match (f.limits, kind) {
            (0 | TRUING_JSD_PEER, _) => Limits::Peer,
            (TRUING_JSD_CONTINUOUS, Kind::Jsd) => Limits::Continuous,
            (TRUING_JSD_SCALED, Kind::Jsd) => Limits::Scaled,
            (other, _) => return unknown("options.limits", other, "TRUING_JSD_*, for jsd alone"),
        },
        teacher: match f.teacher_form {
            // values at ids are part of the support
            TRUING_TEACHER_LOGITS
            | TRUING_TEACHER_TOPK_LOGPROBS
            | TRUING_TEACHER_TOPK_LOGITS
            | TRUING_TEACHER_SAMPLES => Teacher::Logits,
            TRUING_TEACHER_LOGPROBS => Teacher::Logprobs,
            TRUING_TEACHER_PROBS => Teacher::Probs,
            other => {
                return unknown("options.teacher_form", other, "TRUING_TEACHER_*");
            }
        },
        hard_weight: f.hard_weight,
        hard_dft: match f.hard_scaling {
            TRUING_SCALING_NONE => false,
            TRUING_SCALING_DFT => true,
            other => return unknown("options.hard_scaling", other, "TRUING_SCALING_DFT or none"),
        },
        soft_weight: if flags & TRUING_HAS_SOFT_WEIGHT != 0 { f.soft_weight } else { factor(f.soft_weight) },
        teacher_target_shift: f.teacher_target_shift,
        temperature_squared: flags & TRUING_TEMPERATURE_SQUARED != 0,
        reduction: match a.mode {
            0 => None,
            TRUING_AGGREGATE_TOKEN_MEAN => Some(Reduction::Mean),
            TRUING_AGGREGATE_TOKEN_SUM => Some(Reduction::Sum),
            TRUING_AGGREGATE_WEIGHTED_MEAN => Some(Reduction::WeightedMean),
            TRUING_AGGREGATE_NONE => Some(Reduction::None),
            other => {
                return unknown("options.aggregate.mode", other, "token_mean, token_sum, weighted_mean, none, or 0");
            }
        },
        normaliser: a.normaliser,
    })
}

/// The tensors of the outputs.
pub(crate) struct OutputTensors {
    figures: [Output; 9],
    partial: [Output; 5],
    few: bool,
    stats: Output,
    status: Output,
    loss: Output,
    counters: Output,
}
impl OutputTensors {
    /// Over shards the rows of a support have statistics.
    fn parse_shards(t: &mut Tensors, f: &truing_divergence_outputs, partial: bool) -> Result<OutputTensors> {
        let none = truing_divergence_outputs { out_stats: core::ptr::null(), ..*f };
        let mut outputs = OutputTensors::parse(t, if partial { &none } else { f }, partial)?;
        if partial {
            outputs.stats = t.output("outputs.out_stats", f.out_stats)?;
        }
        Ok(outputs)
    }
    pub(crate) fn parse(t: &mut Tensors, f: &truing_divergence_outputs, partial: bool) -> Result<OutputTensors> {
        macro_rules! idle_outputs {
            ($why:literal: $($field:ident)*) => { $( idle(concat!("outputs.", stringify!($field)), &f.$field, $why)?; )* };
        }
        if partial {
            idle_outputs!("NULL with a partial support": out_student_entropy out_teacher_entropy out_cross_entropy
                out_reverse_cross_entropy out_student_logprob out_teacher_logprob out_student_rank out_teacher_rank
                out_stats);
        } else {
            idle_outputs!("NULL without a partial support": out_student_mass out_teacher_mass out_overlap out_overlap_sum
                out_support_ids);
        }
        macro_rules! outputs {
            ($($field:ident)*) => { [$( t.output(concat!("outputs.", stringify!($field)), f.$field)? ),*] };
        }
        let [stats, status, loss, counters] = outputs!(out_stats out_status out_loss out_counters);
        let figures = outputs!(out_values out_student_entropy out_teacher_entropy out_cross_entropy
            out_reverse_cross_entropy out_student_logprob out_teacher_logprob out_student_rank out_teacher_rank);
        let few_outputs = outputs!(out_student_mass out_teacher_mass out_overlap out_overlap_sum out_support_ids);
        Ok(OutputTensors { figures, partial: few_outputs, few: partial, stats, status, loss, counters })
    }
    /// Refuses all but `out_status`.
    pub(crate) fn only_status(why: &'static str, f: &truing_divergence_outputs) -> Result<()> {
        macro_rules! idle_outputs {
            ($($field:ident)*) => { $( idle(concat!("outputs.", stringify!($field)), &f.$field, why)?; )* };
        }
        idle_outputs!(out_values out_loss out_student_entropy out_teacher_entropy out_cross_entropy
            out_reverse_cross_entropy out_student_logprob out_teacher_logprob out_student_rank out_teacher_rank out_stats
            out_counters out_student_mass out_teacher_mass out_overlap out_overlap_sum out_support_ids);
        Ok(())
    }
    /// Whether the reduced loss, and whether the statistics are wanted.
    pub(crate) fn wanted(&self) -> [bool; 2] {
        [self.loss.is_some(), self.stats.is_some()]
    }
    /// Of whole rows, or of partial ones.
    pub(crate) fn view<'a>(
        self,
        ok: &'a Checked,
        tokens: &Leading,
    ) -> Result<(Figures<'a>, PartialFigures<'a>, Totals<'a>)> {
        let [values, hs, ht, cross, reverse, student, teacher, rank_s, rank_t] = self.figures;
        let totals = Totals { loss: self.loss.scalar(ok)?, counters: self.counters.array(ok)? };
        if self.few {
            let [student, teacher, overlap, overlap_sum, ids] = self.partial;
            let figures = PartialFigures {
                values: values.tokens(ok, tokens)?,
                student_mass: student.tokens(ok, tokens)?,
                teacher_mass: teacher.tokens(ok, tokens)?,
                overlap: overlap.tokens(ok, tokens)?,
                overlap_sum: overlap_sum.tokens(ok, tokens)?,
                support_ids: ids.rows(ok, tokens)?,
                stats: self.stats.rows(ok, tokens)?,
                status: self.status.tokens(ok, tokens)?,
            };
            return Ok((Figures::default(), figures, totals));
        }
        let figures = Figures {
            values: values.tokens(ok, tokens)?,
            student_entropy: hs.tokens(ok, tokens)?,
            teacher_entropy: ht.tokens(ok, tokens)?,
            cross_entropy: cross.tokens(ok, tokens)?,
            reverse_cross_entropy: reverse.tokens(ok, tokens)?,
            student_logprob: student.tokens(ok, tokens)?,
            teacher_logprob: teacher.tokens(ok, tokens)?,
            student_rank: rank_s.tokens(ok, tokens)?,
            teacher_rank: rank_t.tokens(ok, tokens)?,
            stats: self.stats.rows(ok, tokens)?,
            status: self.status.tokens(ok, tokens)?,
        };
        Ok((figures, PartialFigures::default(), totals))
    }
    #[cfg(feature = "cuda")]
    fn on_device(
        self,
        ok: &Checked,
        tokens: &Leading,
    ) -> Result<(truing_cuda::divergence::Figures, truing_cuda::divergence::PartialFigures)> {
        use truing_cuda::divergence as device;
        let [values, hs, ht, cross, reverse, student, teacher, rank_s, rank_t] = self.figures;
        let total = device::Total { loss: self.loss.scalar(ok)?, counters: self.counters.list(ok)? };
        if self.few {
            let [student, teacher, overlap, overlap_sum, ids] = self.partial;
            let figures = device::PartialFigures {
                values: values.tokens(ok, tokens)?,
                student_mass: student.tokens(ok, tokens)?,
                teacher_mass: teacher.tokens(ok, tokens)?,
                overlap: overlap.tokens(ok, tokens)?,
                overlap_sum: overlap_sum.tokens(ok, tokens)?,
                support_ids: ids.rows(ok, tokens)?,
                stats: self.stats.rows(ok, tokens)?,
                status: self.status.tokens(ok, tokens)?,
                total,
            };
            return Ok((device::Figures::default(), figures));
        }
        let figures = device::Figures {
            values: values.tokens(ok, tokens)?,
            student_entropy: hs.tokens(ok, tokens)?,
            teacher_entropy: ht.tokens(ok, tokens)?,
            cross_entropy: cross.tokens(ok, tokens)?,
            reverse_cross_entropy: reverse.tokens(ok, tokens)?,
            student_logprob: student.tokens(ok, tokens)?,
            teacher_logprob: teacher.tokens(ok, tokens)?,
            student_rank: rank_s.tokens(ok, tokens)?,
            teacher_rank: rank_t.tokens(ok, tokens)?,
            stats: self.stats.rows(ok, tokens)?,
            status: self.status.tokens(ok, tokens)?,
            total,
        };
        Ok((figures, device::PartialFigures::default()))
    }
}
