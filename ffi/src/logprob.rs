//! `truing_logprob_*`: rows of logits to figures and back. The parsing of transforms, rows, figures and upstream
//! gradients is shared with the linear form.
use crate::abi::*;
use crate::boundary::{factor, grad_scale, guard, idle, sizes, unavailable, unknown};
use crate::support::{SupportFigureTensors, SupportTensors};
use crate::tensor::{Call, Checked, Input, Leading, Output, Tensors};
use truing_core::dtype::Element;
use truing_core::logprob::{ExtraIds, Figures, Options, Problem, Rows, Transform, TransformInputs, Upstream};
use truing_core::matrix::{Floats, Ints, Workspace};
use truing_core::row_loss::{Reduction, RowLoss, RowLossInputs, Scaling, Smoothing};
use truing_core::sequence::Segments;
use truing_core::{Dtype, Error, Result, Status, Value};
use truing_cpu::logprob::{
    self as kernel, BackwardInputs, Finish, Fused, Grad, Inputs, Local, LocalPass, Over, Rowed, Totals,
};
#[cfg(feature = "cuda")]
use truing_cuda::logprob::extra as device;

pub(crate) const FORWARD_FLAGS: u64 = TRUING_HAS_IGNORE_INDEX | TRUING_STRICT;
pub(crate) const LOCAL_FLAGS: u64 = FORWARD_FLAGS | TRUING_RECORD_SUMS;
const ROUND: &str = "0: only a linear form makes logits";
pub(crate) const BACKWARD_FLAGS: u64 = FORWARD_FLAGS | TRUING_RECOMPUTE | TRUING_HAS_GRAD_SCALE;

/// Figures of every row of `logits`: log-prob of the target, lse, entropy and the rest of `truing_figures`, the loss of the
/// rows and its gradient; see `truing_logprob_forward_args`. f64 logits give f64 figures, at reference speed. With CUDA
/// tensors `grad_bias_out`, `TRUING_SUPPORT_COMPUTED` and f64 are refused so far; ids, lists and factors of a row that are out
/// of their ranges make the row NaN, with `out_status` saying so.
///
/// # Safety
/// `args` is NULL or points to `struct_size` readable bytes. What its fields describe is readable, what its outputs
/// describe and the workspace are writable, and nobody else writes to any of it during the call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_logprob_forward(args: *const truing_logprob_forward_args) -> truing_status {
    guard("truing_logprob_forward", || {
        // SAFETY: this function's contract.
        let forward = unsafe { Forward::open(args) }?;
        match forward.inputs.common.over {
            #[cfg(feature = "cuda")]
            _ if forward.call.tensors.on_device() => forward.run_on_device(),
            Some(_) => forward.run_over(),
            None if forward.double() => forward.run::<f64>(),
            None => forward.run::<f32>(),
        }
    })
}

/// Gradient of the logits and of the bias, given the gradients of the figures and of the loss; see
/// `truing_logprob_backward_args`. `grad_logits_out` may be `logits` itself.
///
/// # Safety
/// As for `truing_logprob_forward`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_logprob_backward(args: *const truing_logprob_backward_args) -> truing_status {
    guard("truing_logprob_backward", || {
        // SAFETY: this function's contract.
        let backward = unsafe { Backward::open(args) }?;
        match backward.inputs.common.over {
            #[cfg(feature = "cuda")]
            _ if backward.call.tensors.on_device() => backward.run_on_device(),
            Some(_) => backward.run_over(),
            None if backward.double() => backward.run::<f64>(),
            None => backward.run::<f32>(),
        }
    })
}

/// Bytes of workspace for `truing_logprob_forward`: 0 without `figures.out_loss`, a gradient and a support; of a device's memory
/// for CUDA tensors, 32 for each 2048 columns of a row (64 with smoothing, ranks or a support), and what lists and losses of rows take.
///
/// # Safety
/// As for `truing_logprob_forward`; `minimum` and `preferred` are NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_logprob_forward_workspace_size(
    args: *const truing_logprob_forward_args,
    minimum: *mut usize,
    preferred: *mut usize,
) -> truing_status {
    guard("truing_logprob_forward_workspace_size", || {
        // SAFETY: this function's contract.
        let need = unsafe { Forward::open(args) }?.need()?;
        // SAFETY: this function's contract.
        unsafe { sizes(minimum, preferred, (need.minimum, need.preferred)) }
    })
}

/// Bytes of workspace for `truing_logprob_backward`: 0 without `grad_bias_out` and a support; of a device's memory for CUDA
/// tensors, 32 a row and, without `stats`, 32 for each 2048 columns of it.
///
/// # Safety
/// As for `truing_logprob_backward`; `minimum` and `preferred` are NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_logprob_backward_workspace_size(
    args: *const truing_logprob_backward_args,
    minimum: *mut usize,
    preferred: *mut usize,
) -> truing_status {
    guard("truing_logprob_backward_workspace_size", || {
        // SAFETY: this function's contract.
        let need = unsafe { Backward::open(args) }?.need()?;
        // SAFETY: this function's contract.
        unsafe { sizes(minimum, preferred, (need.minimum, need.preferred)) }
    })
}

/// What the columns of one vocabulary shard contribute; see `truing_logprob_local_args`.
///
/// # Safety
/// As for `truing_logprob_forward`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_logprob_local(args: *const truing_logprob_local_args) -> truing_status {
    guard("truing_logprob_local", || {
        // SAFETY: this function's contract.
        let call = unsafe { ShardCall::open(args) }?;
        #[cfg(feature = "cuda")]
        if call.call.tensors.on_device() {
            return call.run_on_device();
        }
        let ShardCall { call, logits, inputs: BackwardTensors { transform, common }, local, problem, tokens } = call;
        let Call { args, context, tensors, workspace } = call;
        let (ok, tokens) = (&tensors.check()?, &tokens);
        let (pass, out, extra_ids) = local.view(&args.shard, ok, tokens)?;
        let inputs = Inputs {
            logits: logits.rows(ok, tokens)?.expect("required"),
            transform: transform.view(ok, tokens)?,
            rows: common.rows.view(ok, tokens)?,
            row_loss: common.row_loss.view(ok, tokens)?,
            extra_ids,
        };
        kernel::local(&context, &problem, inputs, common.over(ok, tokens)?, pass, out, workspace.bytes(ok))
    })
}

/// Bytes of workspace for `truing_logprob_local`: 0 without lists of ids.
///
/// # Safety
/// As for `truing_logprob_local`; `minimum` and `preferred` are NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_logprob_local_workspace_size(
    args: *const truing_logprob_local_args,
    minimum: *mut usize,
    preferred: *mut usize,
) -> truing_status {
    guard("truing_logprob_local_workspace_size", || {
        // SAFETY: this function's contract.
        let ShardCall { call, logits, inputs, local, problem, tokens } = unsafe { ShardCall::open(args) }?;
        let ok = &call.tensors.check()?;
        #[cfg(feature = "cuda")]
        if ok.device().is_some() {
            let (inputs, pass, out) = ShardCall::on_device(&logits, &inputs, local, &call.args.shard, ok, &tokens)?;
            let need = device::local_workspace(&problem, &inputs, &pass, &out);
            // SAFETY: this function's contract.
            return unsafe { sizes(minimum, preferred, (need.minimum, need.preferred)) };
        }
        #[cfg(not(feature = "cuda"))]
        let _ = (logits, local);
        let need = kernel::local_workspace(&call.context, &problem, inputs.common.over(ok, &tokens)?.as_ref());
        // SAFETY: this function's contract.
        unsafe { sizes(minimum, preferred, (need.minimum, need.preferred)) }
    })
}

/// Figures of the rows from what all shards contribute; see `truing_logprob_finish_args`.
///
/// # Safety
/// As for `truing_logprob_forward`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_logprob_finish(args: *const truing_logprob_finish_args) -> truing_status {
    guard("truing_logprob_finish", || {
        // SAFETY: this function's contract.
        unsafe { FinishCall::open(args) }?.run()
    })
}

/// Bytes of workspace for `truing_logprob_finish`: 0 without `figures.out_loss`.
///
/// # Safety
/// As for `truing_logprob_finish`; `minimum` and `preferred` are NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_logprob_finish_workspace_size(
    args: *const truing_logprob_finish_args,
    minimum: *mut usize,
    preferred: *mut usize,
) -> truing_status {
    guard("truing_logprob_finish_workspace_size", || {
        // SAFETY: this function's contract.
        let need = unsafe { FinishCall::open(args) }?.need()?;
        // SAFETY: this function's contract.
        unsafe { sizes(minimum, preferred, (need.minimum, need.preferred)) }
    })
}

/// A local call whose fields have been read.
struct ShardCall {
    call: Call<truing_logprob_local_args>,
    logits: Input,
    inputs: BackwardTensors,
    local: LocalTensors,
    problem: Problem,
    tokens: Leading,
}
impl ShardCall {
    /// # Safety
    /// As for [`Call::open`].
    unsafe fn open(args: *const truing_logprob_local_args) -> Result<Self> {
        // SAFETY: this function's contract.
        let mut call = unsafe { Call::anywhere(args, LOCAL_FLAGS) }?;
        let (args, t) = (&call.args, &mut call.tensors);
        idle("transform.logit_round", &args.transform.logit_round, ROUND)?;
        let logits = t.required("logits", args.logits)?;
        let transform = TransformTensors::parse(t, &args.transform)?;
        let common = Common::parse(t, &args.transform, &args.rows, &args.support, &args.row_loss, 0, args.flags)?;
        let local = local_tensors!(t, args);
        let (problem, tokens) = problem(logits.dims(), common.options, &args.shard)?;
        Ok(ShardCall { logits, inputs: BackwardTensors { transform, common }, local, problem, tokens, call })
    }
    /// What a device reads and writes.
    #[cfg(feature = "cuda")]
    fn on_device(
        logits: &Input,
        inputs: &BackwardTensors,
        local: LocalTensors,
        shard: &truing_shard,
        ok: &Checked,
        tokens: &Leading,
    ) -> Result<(device::Inputs, device::LocalPass, device::Local)> {
        let inputs = inputs.on_device(logits.rows(ok, tokens)?.expect("required"), ok, tokens)?;
        let pass = match local.pass(shard, local.stats.rows(ok, tokens)?)? {
            Round::Records => device::LocalPass::Records { sums: local.sums },
            Round::Counts(stats) => device::LocalPass::Counts(stats),
        };
        let out = device::Local {
            records: local.records.rows(ok, tokens)?,
            support_records: local.support_records.rows(ok, tokens)?,
            topk_ids: local.topk_ids.rows(ok, tokens)?,
            topk_logits: local.topk_logits.rows(ok, tokens)?,
            extra_ids: local.extra_ids.shared(ok, tokens)?,
            extra_logits: local.extra_logits.rows(ok, tokens)?,
            counts: local.counts.rows(ok, tokens)?,
            status: local.status.tokens(ok, tokens)?,
        };
        Ok((inputs, pass, out))
    }
    #[cfg(feature = "cuda")]
    fn run_on_device(self) -> Result<()> {
        let ShardCall { call, logits, inputs, local, problem, tokens } = self;
        let Call { args, context, tensors, workspace } = call;
        let ok = &tensors.check()?;
        let (inputs, pass, out) = ShardCall::on_device(&logits, &inputs, local, &args.shard, ok, &tokens)?;
        let space = workspace.space(ok);
        context.launch(ok, |kernels, stream| {
            // SAFETY: as for the forward.
            unsafe { device::local(kernels, stream, &problem, &inputs, &pass, &out, space) }
        })
    }
}

/// The tensors of a local call of either family.
pub(crate) struct LocalTensors {
    pub(crate) pass: truing_local_pass,
    pub(crate) sums: bool,
    pub(crate) stats: Input,
    pub(crate) extra_ids: Input,
    pub(crate) records: Output,
    pub(crate) support_records: Output,
    pub(crate) topk_ids: Output,
    pub(crate) topk_logits: Output,
    pub(crate) extra_logits: Output,
    pub(crate) counts: Output,
    pub(crate) status: Output,
}
/// Reads the fields that the two structs of local calls share.
macro_rules! local_tensors {
    ($t:expr, $args:expr) => {
        $crate::logprob::LocalTensors {
            pass: $args.local_pass,
            sums: $args.flags & TRUING_RECORD_SUMS != 0,
            stats: $t.input("stats", $args.stats)?,
            extra_ids: $t.input("extra_ids", $args.extra_ids)?,
            records: $t.output("out_records", $args.out_records)?,
            support_records: $t.output("out_support_records", $args.out_support_records)?,
            topk_ids: $t.output("out_topk_ids", $args.out_topk_ids)?,
            topk_logits: $t.output("out_topk_logits", $args.out_topk_logits)?,
            extra_logits: $t.output("out_extra_logits", $args.out_extra_logits)?,
            counts: $t.output("out_counts", $args.out_counts)?,
            status: $t.output("out_status", $args.out_status)?,
        }
    };
}
pub(crate) use local_tensors;
impl LocalTensors {
    /// The round, what it writes and the extra columns.
    pub(crate) fn view<'a>(
        self,
        shard: &truing_shard,
        ok: &'a Checked,
        tokens: &Leading,
    ) -> Result<(LocalPass<'a>, Local<'a>, Option<ExtraIds<'a>>)> {
        let pass = match self.pass(shard, self.stats.rows(ok, tokens)?)? {
            Round::Records => LocalPass::Records { sums: self.sums },
            Round::Counts(stats) => LocalPass::Counts(stats),
        };
        let out = Local {
            records: self.records.rows(ok, tokens)?,
            support_records: self.support_records.rows(ok, tokens)?,
            topk_ids: self.topk_ids.rows(ok, tokens)?,
            topk_logits: self.topk_logits.rows(ok, tokens)?,
            extra_logits: self.extra_logits.rows(ok, tokens)?,
            counts: self.counts.rows(ok, tokens)?,
            status: self.status.tokens(ok, tokens)?,
        };
        Ok((pass, out, self.extra_ids.shared(ok, tokens)?.map(ExtraIds)))
    }
    /// Which round it is, with the statistics of the second.
    fn pass<T>(&self, shard: &truing_shard, stats: Option<T>) -> Result<Round<T>> {
        if shard.vocab_end == 0 {
            return Err(Error::invalid("shard.vocab_end", Value::Int(0), Value::Text("the columns of a shard")));
        }
        let unwanted = |some: bool, field, expected| match some {
            true => Err(Error::invalid(field, Value::Text("a tensor"), Value::Text(expected))),
            false => Ok(()),
        };
        let missing = |field, expected| Err(Error::invalid(field, Value::Text("NULL"), Value::Text(expected)));
        match self.pass {
            TRUING_LOCAL_RECORDS => {
                unwanted(self.stats.is_some(), "stats", "NULL with TRUING_LOCAL_RECORDS")?;
                if !self.records.is_some() {
                    return missing("out_records", "the place of the records");
                }
                Ok(Round::Records)
            }
            TRUING_LOCAL_COUNTS => {
                unwanted(self.sums, "flags", "no TRUING_RECORD_SUMS with TRUING_LOCAL_COUNTS")?;
                match stats {
                    Some(stats) => Ok(Round::Counts(stats)),
                    None => missing("stats", "the statistics of finish"),
                }
            }
            other => unknown("local_pass", other, "TRUING_LOCAL_RECORDS or TRUING_LOCAL_COUNTS"),
        }
    }
}
/// A round, see [`LocalPass`].
enum Round<T> {
    Records,
    Counts(T),
}

/// A finish whose fields have been read.
pub(crate) struct FinishCall {
    call: Call<truing_logprob_finish_args>,
    common: Common,
    records: Input,
    support_records: Input,
    starts: Input,
    topk_ids: Input,
    topk_logits: Input,
    extra_logits: Input,
    counts: Input,
    figures: FigureTensors,
    sets: SupportFigureTensors,
}
impl FinishCall {
    /// # Safety
    /// As for [`Call::open`].
    pub(crate) unsafe fn open(args: *const truing_logprob_finish_args) -> Result<Self> {
        // SAFETY: this function's contract.
        let mut call = unsafe { Call::anywhere(args, FORWARD_FLAGS) }?;
        let (args, t) = (&call.args, &mut call.tensors);
        const THERE: &str = "NULL: the records hold transformed logits";
        idle("transform.logit_round", &args.transform.logit_round, "0: the records hold transformed logits")?;
        idle("transform.bias", &args.transform.bias, THERE)?;
        idle("transform.row_temperature", &args.transform.row_temperature, THERE)?;
        const SHAPE: &str = "3 dimensions, [shards, N, columns]";
        let records = t.required("records", args.records)?.ndim(3, 3, "3 dimensions, [shards, N, 12]")?;
        let support_records = t.input("support_records", args.support_records)?.ndim(3, 3, SHAPE)?;
        let starts = t.required("shard_starts", args.shard_starts)?;
        let topk_ids = t.input("topk_ids", args.topk_ids)?.ndim(3, 3, SHAPE)?;
        let topk_logits = t.input("topk_logits", args.topk_logits)?.ndim(3, 3, SHAPE)?;
        let extra_logits = t.input("extra_logits", args.extra_logits)?.ndim(3, 3, SHAPE)?;
        let counts = t.input("counts", args.counts)?;
        let (columns, none) = (args.figures.entropy_k, &truing_support::ZERO);
        let common = Common::parse(t, &args.transform, &args.rows, none, &args.row_loss, columns, args.flags)?;
        let figures = FigureTensors::parse(t, &args.figures)?;
        let sets = SupportFigureTensors::parse(t, &args.figures, support_records.is_some())?;
        Ok(FinishCall {
            common,
            records,
            support_records,
            starts,
            topk_ids,
            topk_logits,
            extra_logits,
            counts,
            figures,
            sets,
            call,
        })
    }
    pub(crate) fn need(self) -> Result<Workspace> {
        let loss = self.figures.loss.is_some();
        #[cfg(feature = "cuda")]
        if self.call.tensors.on_device() {
            let ok = &self.call.tensors.check()?;
            let n = self.records.dims()[1];
            let problem = Problem::new(n, i32::MAX as usize, self.common.options)?;
            let (tokens, all) = (&Leading::new(&[n]), &Leading::new(&[self.records.dims()[0], n]));
            let tensors = (self.records, self.support_records, self.starts, self.counts);
            let lists = (self.topk_ids, self.topk_logits, self.extra_logits);
            let inputs = FinishCall::on_device(tensors, lists, &self.common, ok, tokens, all)?;
            return Ok(device::finish_workspace(&problem, &inputs, &self.figures.on_device(self.sets, ok, tokens)?));
        }
        Ok(kernel::finish_workspace(&Problem::new(self.records.dims()[1], 1, Options::default())?, loss))
    }
    /// What a device reads.
    #[cfg(feature = "cuda")]
    fn on_device(
        (records, support_records, starts, counts): (Input, Input, Input, Input),
        (topk_ids, topk_logits, extra_logits): (Input, Input, Input),
        common: &Common,
        ok: &Checked,
        tokens: &Leading,
        all: &Leading,
    ) -> Result<device::Finish> {
        let Common { rows, row_loss, .. } = common;
        Ok(device::Finish {
            records: records.rows(ok, all)?.expect("required"),
            support_records: support_records.rows(ok, all)?,
            starts: starts.list(ok)?.expect("required"),
            target: rows.target.tokens(ok, tokens)?,
            mask: rows.mask.tokens(ok, tokens)?,
            segments: rows.segments_on_device(ok, tokens)?,
            class_weight: row_loss.class_weight.list(ok)?,
            external_scale: row_loss.external_scale.tokens(ok, tokens)?,
            topk_ids: topk_ids.rows(ok, all)?,
            topk_logits: topk_logits.rows(ok, all)?,
            extra_logits: extra_logits.rows(ok, all)?,
            counts: counts.rows(ok, tokens)?,
        })
    }
    #[cfg(feature = "cuda")]
    fn run_on_device(self) -> Result<()> {
        let Call { context, tensors, workspace, .. } = self.call;
        let ok = &tensors.check()?;
        let [shards, n, _] = *self.records.dims() else { unreachable!("3 dimensions") };
        let (tokens, all) = (&Leading::new(&[n]), &Leading::new(&[shards, n]));
        let problem = Problem::new(n, i32::MAX as usize, self.common.options)?;
        let tensors = (self.records, self.support_records, self.starts, self.counts);
        let lists = (self.topk_ids, self.topk_logits, self.extra_logits);
        let inputs = FinishCall::on_device(tensors, lists, &self.common, ok, tokens, all)?;
        if inputs.starts.layout.rows() != shards + 1 {
            let (got, expected) = (Value::Size(inputs.starts.layout.rows()), Value::Size(shards + 1));
            return Err(Error::shape("shard_starts", got, expected));
        }
        let (figures, space) = (self.figures.on_device(self.sets, ok, tokens)?, workspace.space(ok));
        context.launch(ok, |kernels, stream| {
            // SAFETY: as for the forward.
            unsafe { device::finish(kernels, stream, &problem, &inputs, &figures, space) }
        })
    }
    pub(crate) fn run(self) -> Result<()> {
        #[cfg(feature = "cuda")]
        if self.call.tensors.on_device() {
            return self.run_on_device();
        }
        let Call { context, tensors, workspace, .. } = self.call;
        let ok = &tensors.check()?;
        let [shards, n, _] = *self.records.dims() else { unreachable!("3 dimensions") };
        let (tokens, all) = (&Leading::new(&[n]), &Leading::new(&[shards, n]));
        let starts: Ints<'_> = self.starts.list(ok)?.expect("required");
        if starts.rows() != shards + 1 {
            let (got, expected) = (Value::Size(starts.rows()), Value::Size(shards + 1));
            return Err(Error::shape("shard_starts", got, expected));
        }
        let vocab = usize::try_from(starts.get(shards)).unwrap_or(0);
        let problem = Problem::new(n, vocab, self.common.options)?;
        let (figures, totals, extra_ids) = self.figures.view(ok, tokens)?;
        let inputs = Finish {
            records: self.records.rows(ok, all)?.expect("required"),
            support_records: self.support_records.rows(ok, all)?,
            starts,
            rows: self.common.rows.view(ok, tokens)?,
            row_loss: self.common.row_loss.view(ok, tokens)?,
            extra_ids,
            topk_ids: self.topk_ids.rows(ok, all)?,
            topk_logits: self.topk_logits.rows(ok, all)?,
            extra_logits: self.extra_logits.rows(ok, all)?,
            counts: self.counts.rows(ok, tokens)?,
        };
        let sets = self.sets.view(ok, tokens)?;
        kernel::finish(&context, &problem, inputs, figures, sets, totals, workspace.bytes(ok))
    }
}

/// A forward whose fields have been read.
struct Forward {
    call: Call<truing_logprob_forward_args>,
    grad: GradTensors,
    dtype: Dtype,
    problem: Problem,
    tokens: Leading,
    inputs: BackwardTensors,
    figures: FigureTensors,
    sets: SupportFigureTensors,
    grad_bias: Output,
    grad_loss: Input,
}
impl Forward {
    /// # Safety
    /// As for [`Call::open`].
    unsafe fn open(args: *const truing_logprob_forward_args) -> Result<Self> {
        // SAFETY: this function's contract.
        let mut call = unsafe { Call::anywhere(args, FORWARD_FLAGS | TRUING_HAS_GRAD_SCALE) }?;
        let (args, t) = (&call.args, &mut call.tensors);
        idle("transform.logit_round", &args.transform.logit_round, ROUND)?;
        let mut logits = t.required("logits", args.logits)?;
        let dtype = logits.dtype().expect("required");
        let transform = TransformTensors::parse(t, &args.transform)?;
        let columns = args.figures.entropy_k;
        let common = Common::parse(t, &args.transform, &args.rows, &args.support, &args.row_loss, columns, args.flags)?;
        let figures = FigureTensors::parse(t, &args.figures)?;
        let sets = SupportFigureTensors::parse(t, &args.figures, common.over.is_some())?;
        if common.over.is_some() {
            single(dtype)?;
        }
        let grad_logits = t.output("grad_logits_out", args.grad_logits_out)?;
        let grad_bias = t.output("grad_bias_out", args.grad_bias_out)?;
        let grad_loss = t.input("grad_loss", args.grad_loss)?;
        if !grad_logits.is_some() && !grad_bias.is_some() {
            let expected = "NULL or 0 without grad_logits_out and grad_bias_out";
            idle("grad_loss", &args.grad_loss, expected)?;
            idle("grad_scale", &args.grad_scale, expected)?;
        }
        let (problem, tokens) = problem(logits.dims(), common.options, &truing_shard::ZERO)?;
        let in_place = t.in_place(&mut logits, &grad_logits);
        Ok(Forward {
            grad: GradTensors { logits, grad: grad_logits, in_place },
            dtype,
            problem,
            tokens,
            inputs: BackwardTensors { transform, common },
            figures,
            sets,
            grad_bias,
            grad_loss,
            call,
        })
    }
    fn double(&self) -> bool {
        self.dtype == Dtype::F64
    }
    fn fused(&self) -> bool {
        self.grad.grad.is_some() || self.grad_bias.is_some()
    }
    fn need(self) -> Result<Workspace> {
        let (loss, stats, fused) = (self.figures.loss.is_some(), self.figures.stats.is_some(), self.fused());
        let (double, bias) = (self.double(), self.grad_bias.is_some());
        let ok = &self.call.tensors.check()?;
        #[cfg(feature = "cuda")]
        if ok.device().is_some() {
            let (logits, grad) = self.grad.on_device(ok, &self.tokens)?;
            let inputs = self.inputs.on_device(logits, ok, &self.tokens)?;
            let out = self.figures.on_device(self.sets, ok, &self.tokens)?;
            return Ok(device::forward_workspace(&self.problem, &inputs, &out, grad.is_some() || bias));
        }
        if let Some(over) = self.inputs.common.over(ok, &self.tokens)? {
            let (context, problem) = (&self.call.context, &self.problem);
            return Ok(match fused {
                true => kernel::over_fused_workspace(context, problem, &over, loss, stats, bias),
                false => kernel::over_workspace(context, problem, &over, loss),
            });
        }
        Ok(match (fused, double) {
            (false, _) => kernel::forward_workspace(&self.problem, loss),
            (true, false) => kernel::fused_workspace::<f32>(&self.problem, loss, stats),
            (true, true) => kernel::fused_workspace::<f64>(&self.problem, loss, stats),
        })
    }
    fn run<F: Rowed + Element>(self) -> Result<()> {
        let fused = self.fused();
        let Call { args, context, tensors, workspace } = self.call;
        let (ok, tokens, problem) = (&tensors.check()?, &self.tokens, &self.problem);
        let inputs = self.inputs.view(ok, tokens)?;
        let (figures, totals, extra_ids) = self.figures.view::<F>(ok, tokens)?;
        let (grad, workspace) = (self.grad.view(ok, tokens)?, workspace.bytes(ok));
        if !fused {
            let BackwardInputs { transform, rows, row_loss } = inputs;
            let inputs = Inputs { logits: grad.logits(), transform, rows, row_loss, extra_ids };
            return kernel::forward_loss(&context, problem, inputs, figures, totals, workspace);
        }
        let (upstream, scale) = loss_gradient(&self.grad_loss, args.grad_scale, args.flags, ok)?;
        let fused = Fused { grad, bias: self.grad_bias.list(ok)?, upstream, scale };
        kernel::forward_fused(&context, problem, inputs, extra_ids, figures, totals, fused, workspace)
    }
    fn run_over(self) -> Result<()> {
        let fused = self.fused();
        let Call { args, context, tensors, workspace } = self.call;
        let (ok, tokens, problem) = (&tensors.check()?, &self.tokens, &self.problem);
        let inputs = self.inputs.view(ok, tokens)?;
        let over = self.inputs.common.over(ok, tokens)?.expect("there is a support");
        let (figures, totals, extra_ids) = self.figures.view(ok, tokens)?;
        let sets = self.sets.view(ok, tokens)?;
        let (grad, workspace) = (self.grad.view(ok, tokens)?, workspace.bytes(ok));
        if !fused {
            let BackwardInputs { transform, rows, row_loss } = inputs;
            let inputs = Inputs { logits: grad.logits(), transform, rows, row_loss, extra_ids };
            return kernel::forward_over(&context, problem, inputs, over, figures, sets, totals, workspace);
        }
        let (upstream, scale) = loss_gradient(&self.grad_loss, args.grad_scale, args.flags, ok)?;
        let fused = Fused { grad, bias: self.grad_bias.list(ok)?, upstream, scale };
        kernel::forward_over_fused(&context, problem, inputs, extra_ids, over, figures, sets, totals, fused, workspace)
    }
    #[cfg(feature = "cuda")]
    fn run_on_device(self) -> Result<()> {
        let wanted = self.fused();
        let Call { args, context, tensors, workspace } = self.call;
        let (ok, tokens, problem) = (&tensors.check()?, &self.tokens, &self.problem);
        let (logits, grad) = self.grad.on_device(ok, tokens)?;
        let inputs = self.inputs.on_device(logits, ok, tokens)?;
        let (figures, space) = (self.figures.on_device(self.sets, ok, tokens)?, workspace.space(ok));
        let (upstream, scale) = (self.grad_loss.scalar(ok)?, grad_scale(args.grad_scale, args.flags));
        let bias = self.grad_bias.list(ok)?;
        let fused = wanted.then_some(device::Fused { grad, bias, upstream, scale });
        context.launch(ok, |kernels, stream| {
            // SAFETY: the contract of `Call::anywhere`; `check` has found nothing that overlaps an output or the workspace, and
            // the gradient is the logits themselves or apart from them.
            unsafe { device::forward(kernels, stream, problem, &inputs, &figures, fused.as_ref(), space) }
        })
    }
}

/// A backward whose fields have been read.
struct Backward {
    call: Call<truing_logprob_backward_args>,
    dtype: Dtype,
    problem: Problem,
    tokens: Leading,
    inputs: BackwardTensors,
    stats: Input,
    upstream: UpstreamTensors,
    grad: GradTensors,
    grad_bias: Output,
    status: Output,
}
impl Backward {
    /// # Safety
    /// As for [`Call::open`].
    unsafe fn open(args: *const truing_logprob_backward_args) -> Result<Self> {
        // SAFETY: this function's contract.
        let mut call = unsafe { Call::anywhere(args, BACKWARD_FLAGS) }?;
        let (args, t) = (&call.args, &mut call.tensors);
        idle("transform.logit_round", &args.transform.logit_round, ROUND)?;
        let mut logits = t.required("logits", args.logits)?;
        let dtype = logits.dtype().expect("required");
        let transform = TransformTensors::parse(t, &args.transform)?;
        let common = Common::parse(t, &args.transform, &args.rows, &args.support, &args.row_loss, 0, args.flags)?;
        let stats = stats(t, args.stats, args.flags)?;
        let upstream = UpstreamTensors::parse(t, &args.upstream, args.flags)?;
        let grad_logits = t.required_output("grad_logits_out", args.grad_logits_out)?;
        if common.over.is_some() {
            single(dtype)?;
        }
        let grad_bias = t.output("grad_bias_out", args.grad_bias_out)?;
        let status = t.output("out_status", args.out_status)?;
        let (problem, tokens) = problem(logits.dims(), common.options, &args.shard)?;
        if problem.total() != problem.vocab() {
            single(dtype)?;
        }
        let in_place = t.in_place(&mut logits, &grad_logits);
        Ok(Backward {
            dtype,
            problem,
            tokens,
            inputs: BackwardTensors { transform, common },
            stats,
            upstream,
            grad: GradTensors { logits, grad: grad_logits, in_place },
            grad_bias,
            status,
            call,
        })
    }
    fn double(&self) -> bool {
        self.dtype == Dtype::F64
    }
    fn need(self) -> Result<Workspace> {
        let (stats, bias, double) = (self.stats.is_some(), self.grad_bias.is_some(), self.double());
        let ok = &self.call.tensors.check()?;
        #[cfg(feature = "cuda")]
        if ok.device().is_some() {
            let (logits, _) = self.grad.on_device(ok, &self.tokens)?;
            let inputs = self.inputs.on_device(logits, ok, &self.tokens)?;
            let upstream = self.upstream.on_device(ok, &self.tokens)?;
            return Ok(device::backward_workspace(&self.problem, &inputs, stats, &upstream, bias));
        }
        if let Some(over) = self.inputs.common.over(ok, &self.tokens)? {
            let (context, kept) = (&self.call.context, stats || !bias);
            return Ok(kernel::over_fused_workspace(context, &self.problem, &over, false, kept, bias));
        }
        Ok(match double {
            false => kernel::backward_workspace::<f32>(&self.problem, stats, bias),
            true => kernel::backward_workspace::<f64>(&self.problem, stats, bias),
        })
    }
    fn run<F: Rowed + Element>(self) -> Result<()> {
        let Call { context, tensors, workspace, .. } = self.call;
        let (ok, tokens) = (&tensors.check()?, &self.tokens);
        kernel::backward_bias::<F>(
            &context,
            &self.problem,
            self.inputs.view(ok, tokens)?,
            self.stats.rows(ok, tokens)?,
            self.upstream.view(ok, tokens)?,
            self.grad.view(ok, tokens)?,
            self.status.tokens(ok, tokens)?,
            self.grad_bias.list(ok)?,
            workspace.bytes(ok),
        )
    }
    fn run_over(self) -> Result<()> {
        let Call { context, tensors, workspace, .. } = self.call;
        let (ok, tokens) = (&tensors.check()?, &self.tokens);
        kernel::backward_over(
            &context,
            &self.problem,
            self.inputs.view(ok, tokens)?,
            self.inputs.common.over(ok, tokens)?.expect("there is a support"),
            self.stats.rows(ok, tokens)?,
            self.upstream.view(ok, tokens)?,
            self.grad.view(ok, tokens)?,
            self.status.tokens(ok, tokens)?,
            self.grad_bias.list(ok)?,
            workspace.bytes(ok),
        )
    }
    #[cfg(feature = "cuda")]
    fn run_on_device(self) -> Result<()> {
        let Call { context, tensors, workspace, .. } = self.call;
        let (ok, tokens, problem) = (&tensors.check()?, &self.tokens, &self.problem);
        let (logits, grad) = self.grad.on_device(ok, tokens)?;
        let grad = grad.expect("required");
        let inputs = self.inputs.on_device(logits, ok, tokens)?;
        let (stats, upstream) = (self.stats.rows(ok, tokens)?, self.upstream.on_device(ok, tokens)?);
        let (status, space) = (self.status.tokens(ok, tokens)?, workspace.space(ok));
        let bias = self.grad_bias.list(ok)?;
        context.launch(ok, |kernels, stream| {
            // SAFETY: as for the forward; the gradient is the logits themselves or apart from them.
            unsafe { device::backward(kernels, stream, problem, &inputs, stats, &upstream, grad, bias, status, space) }
        })
    }
}
/// What both read besides the logits.
struct BackwardTensors {
    transform: TransformTensors,
    common: Common,
}
impl BackwardTensors {
    fn view<'a>(&self, ok: &'a Checked, tokens: &Leading) -> Result<BackwardInputs<'a>> {
        Ok(BackwardInputs {
            transform: self.transform.view(ok, tokens)?,
            rows: self.common.rows.view(ok, tokens)?,
            row_loss: self.common.row_loss.view(ok, tokens)?,
        })
    }
    #[cfg(feature = "cuda")]
    fn on_device(&self, logits: truing_cuda::Tensor, ok: &Checked, tokens: &Leading) -> Result<device::Inputs> {
        let Common { rows, over, row_loss, .. } = &self.common;
        let (target, mask) = (rows.target.tokens(ok, tokens)?, rows.mask.tokens(ok, tokens)?);
        let base = truing_cuda::logprob::Inputs {
            bias: self.transform.bias.list(ok)?,
            row_temperature: self.transform.row_temperature.tokens(ok, tokens)?,
            mask,
            ..truing_cuda::logprob::Inputs::new(logits, target)
        };
        Ok(device::Inputs {
            base,
            segments: rows.segments_on_device(ok, tokens)?,
            class_weight: row_loss.class_weight.list(ok)?,
            external_scale: row_loss.external_scale.tokens(ok, tokens)?,
            support: over.as_ref().map(|over| over.on_device(ok, tokens)).transpose()?,
        })
    }
}
/// Logits and the place of their gradient.
struct GradTensors {
    logits: Input,
    grad: Output,
    in_place: bool,
}
impl GradTensors {
    fn view<'a>(self, ok: &'a Checked, tokens: &Leading) -> Result<Grad<'a>> {
        let logits = || self.logits.rows(ok, tokens).map(|z| z.expect("required"));
        Ok(match self.grad.rows(ok, tokens)? {
            Some(grad) if self.in_place => Grad::InPlace(grad),
            Some(grad) => Grad::Separate(logits()?, grad),
            None => Grad::Absent(logits()?),
        })
    }
    /// Logits and the place of their gradient, which may be the same.
    #[cfg(feature = "cuda")]
    fn on_device(self, ok: &Checked, tokens: &Leading) -> Result<(truing_cuda::Tensor, Option<truing_cuda::Tensor>)> {
        let grad = self.grad.rows(ok, tokens)?;
        let logits = if self.in_place { grad } else { self.logits.rows(ok, tokens)? };
        Ok((logits.expect("required"), grad))
    }
}

/// The checked problem of logits with these dimensions, and how its rows lie.
pub(crate) fn problem(dims: &[usize], options: Options, shard: &truing_shard) -> Result<(Problem, Leading)> {
    let (n, v) = match *dims {
        [n, v] => (n, v),
        [b, t, v] => (b * t, v),
        _ => {
            return Err(Error::shape(
                "logits",
                Value::Int(dims.len() as i64),
                Value::Text("2 dimensions, [N, V], or 3, [B, T, V]"),
            ));
        }
    };
    let tokens = Leading::new(&dims[..dims.len() - 1]);
    let (start, total) = columns(v, shard)?;
    Ok((Problem::shard(n, v, options, start, total)?, tokens))
}
/// The first of the `v` columns of a shard and all columns of the vocabulary. A shard of zeros is all of it.
pub(crate) fn columns(v: usize, shard: &truing_shard) -> Result<(usize, usize)> {
    let &truing_shard { vocab_start, vocab_end, vocab_total, .. } = shard;
    if (vocab_start, vocab_end, vocab_total) == (0, 0, 0) {
        return Ok((0, v));
    }
    let column = |field, x: i64| {
        let expected = Value::Text("a number of columns");
        usize::try_from(x).map_err(|_| Error::invalid(field, Value::Int(x), expected))
    };
    let start = column("shard.vocab_start", vocab_start)?;
    let total = column("shard.vocab_total", vocab_total)?;
    if vocab_end.checked_sub(vocab_start) != Some(v as i64) {
        let expected = Value::Text("vocab_start and the columns at hand");
        return Err(Error::invalid("shard.vocab_end", Value::Int(vocab_end), expected));
    }
    Ok((start, total))
}

/// The settings in a transform and in the rows.
pub(crate) fn options(transform: &truing_transform, rows: &truing_rows, flags: u64) -> Result<Options> {
    let n_valid_vocab = usize::try_from(transform.n_valid_vocab).map_err(|_| {
        Error::invalid(
            "transform.n_valid_vocab",
            Value::Int(transform.n_valid_vocab),
            Value::Text("a number of columns, or 0"),
        )
    })?;
    let ignore_index = (flags & TRUING_HAS_IGNORE_INDEX != 0).then_some(rows.ignore_index);
    if ignore_index.is_none() {
        idle("rows.ignore_index", &rows.ignore_index, "0 without TRUING_HAS_IGNORE_INDEX")?;
    }
    Ok(Options {
        transform: Transform {
            logit_scale: factor(transform.logit_scale),
            softcap: transform.softcap,
            temperature: factor(transform.temperature),
        },
        n_valid_vocab,
        ignore_index,
        ..Options::default()
    })
}
fn shift(rows: &truing_rows) -> Result<usize> {
    usize::try_from(rows.shift)
        .map_err(|_| Error::invalid("rows.shift", Value::Int(rows.shift), Value::Text("a number of rows >= 0")))
}

/// What every form of the log-prob reads about its rows.
pub(crate) struct Common {
    pub(crate) rows: RowTensors,
    /// `None` is the whole vocabulary.
    pub(crate) over: Option<SupportTensors>,
    pub(crate) row_loss: RowLossTensors,
    pub(crate) options: Options,
}
impl Common {
    #[allow(clippy::too_many_arguments)]
    pub(crate) fn parse(
        t: &mut Tensors,
        transform: &truing_transform,
        rows: &truing_rows,
        support: &truing_support,
        row_loss: &truing_row_loss,
        entropy_k: i64,
        flags: u64,
    ) -> Result<Self> {
        let mut options = options(transform, rows, flags)?;
        options.shift = shift(rows)?;
        options.row_loss = row_loss_options(row_loss)?;
        options.entropy_k = usize::try_from(entropy_k).map_err(|_| {
            let expected = Value::Text("a number of columns, or 0");
            Error::invalid("figures.entropy_k", Value::Int(entropy_k), expected)
        })?;
        Ok(Common {
            rows: RowTensors::with_shift(t, rows)?,
            over: SupportTensors::parse(t, support)?,
            row_loss: RowLossTensors::parse(t, row_loss)?,
            options,
        })
    }
    pub(crate) fn over<'a>(&self, ok: &'a Checked, tokens: &Leading) -> Result<Option<Over<'a>>> {
        self.over.as_ref().map(|over| over.view(ok, tokens)).transpose()
    }
}
/// Upstream gradient and host factor of a fused gradient of the loss.
pub(crate) fn loss_gradient(grad_loss: &Input, scale: f64, flags: u64, ok: &Checked) -> Result<(f64, f64)> {
    let upstream = grad_loss.scalar::<Floats<'_>>(ok)?.map_or(1.0, |g| g.get(0));
    let scale = grad_scale(scale, flags);
    if !scale.is_finite() {
        return Err(Error::invalid("grad_scale", Value::Float(scale), Value::Text("a finite number")));
    }
    Ok((upstream, scale))
}

/// The tensors of a transform.
pub(crate) struct TransformTensors {
    bias: Input,
    row_temperature: Input,
}
impl TransformTensors {
    pub(crate) fn parse(t: &mut Tensors, f: &truing_transform) -> Result<Self> {
        Ok(TransformTensors {
            bias: t.input("transform.bias", f.bias)?,
            row_temperature: t.input("transform.row_temperature", f.row_temperature)?,
        })
    }
    pub(crate) fn view<'a>(&self, ok: &'a Checked, tokens: &Leading) -> Result<TransformInputs<'a>> {
        Ok(TransformInputs { bias: self.bias.list(ok)?, row_temperature: self.row_temperature.tokens(ok, tokens)? })
    }
    /// Bias and temperatures on a device.
    #[cfg(feature = "cuda")]
    pub(crate) fn on_device(
        &self,
        ok: &Checked,
        tokens: &Leading,
    ) -> Result<(Option<truing_cuda::Tensor>, Option<truing_cuda::Tensor>)> {
        Ok((self.bias.list(ok)?, self.row_temperature.tokens(ok, tokens)?))
    }
}

/// The tensors of `truing_rows`.
pub(crate) struct RowTensors {
    target: Input,
    mask: Input,
    /// Read by the log-prob of logits; the chain of the linear form has its own.
    cu_seqlens: Input,
    shifted: bool,
}
impl RowTensors {
    /// For forms without packed sequences.
    pub(crate) fn parse(t: &mut Tensors, f: &truing_rows) -> Result<Self> {
        unavailable!("rows", f; cu_seqlens);
        RowTensors::with_sequences(t, f)
    }
    /// For forms that read `cu_seqlens` themselves.
    pub(crate) fn with_sequences(t: &mut Tensors, f: &truing_rows) -> Result<Self> {
        unavailable!("rows", f; shift);
        RowTensors::with_shift(t, &truing_rows { cu_seqlens: core::ptr::null(), ..*f })
    }
    /// With all fields.
    fn with_shift(t: &mut Tensors, f: &truing_rows) -> Result<Self> {
        Ok(RowTensors {
            target: t.input("rows.target", f.target)?,
            mask: t.input("rows.mask", f.mask)?,
            cu_seqlens: t.input("rows.cu_seqlens", f.cu_seqlens)?,
            shifted: f.shift != 0,
        })
    }
    /// Dimensions of the target.
    pub(crate) fn dims(&self) -> &[usize] {
        self.target.dims()
    }
    /// Target and mask on a device.
    #[cfg(feature = "cuda")]
    pub(crate) fn on_device(
        &self,
        ok: &Checked,
        tokens: &Leading,
    ) -> Result<(Option<truing_cuda::Tensor>, Option<truing_cuda::Tensor>)> {
        Ok((self.target.tokens(ok, tokens)?, self.mask.tokens(ok, tokens)?))
    }
    pub(crate) fn view<'a>(&self, ok: &'a Checked, tokens: &Leading) -> Result<Rows<'a>> {
        let (target, mask) = (self.target.tokens(ok, tokens)?, self.mask.tokens(ok, tokens)?);
        let segments = match self.sequences(self.cu_seqlens.list(ok)?, tokens)? {
            Some(Cut::Packed(cu)) => Some(Segments::Packed(cu)),
            Some(Cut::Padded(sequences, width)) => Some(Segments::Padded { sequences, width }),
            None => None,
        };
        Ok(Rows { target, mask, segments })
    }
    #[cfg(feature = "cuda")]
    fn segments_on_device(&self, ok: &Checked, tokens: &Leading) -> Result<Option<device::Segments>> {
        Ok(match self.sequences(self.cu_seqlens.list(ok)?, tokens)? {
            Some(Cut::Packed(cu)) => Some(device::Segments::Packed(cu)),
            Some(Cut::Padded(_, width)) => Some(device::Segments::Padded { width }),
            None => None,
        })
    }
    /// What the sequences are cut by.
    fn sequences<T>(&self, cu: Option<T>, tokens: &Leading) -> Result<Option<Cut<T>>> {
        Ok(match (cu, tokens.batch()) {
            (Some(_), Some([b, t])) => {
                let (got, expected) =
                    (Value::Shape([b as i64, t as i64, 0], 2), Value::Text("rows [N] with cu_seqlens"));
                return Err(Error::shape("rows.cu_seqlens", got, expected));
            }
            (Some(cu), None) => Some(Cut::Packed(cu)),
            (None, Some([sequences, width])) if self.shifted => Some(Cut::Padded(sequences, width)),
            (None, _) => None,
        })
    }
}
/// Offsets, or the number of sequences and their length.
enum Cut<T> {
    Packed(T),
    Padded(usize, usize),
}

/// The tensors of `truing_row_loss`.
pub(crate) struct RowLossTensors {
    class_weight: Input,
    external_scale: Input,
}
impl RowLossTensors {
    fn parse(t: &mut Tensors, f: &truing_row_loss) -> Result<Self> {
        Ok(RowLossTensors {
            class_weight: t.input("row_loss.class_weight", f.class_weight)?,
            external_scale: t.input("row_loss.external_scale", f.external_scale)?,
        })
    }
    pub(crate) fn view<'a>(&self, ok: &'a Checked, tokens: &Leading) -> Result<RowLossInputs<'a>> {
        Ok(RowLossInputs {
            class_weight: self.class_weight.list(ok)?,
            external_scale: self.external_scale.tokens(ok, tokens)?,
        })
    }
}
/// The settings of a row loss.
fn row_loss_options(f: &truing_row_loss) -> Result<RowLoss> {
    Ok(RowLoss {
        label_smoothing: f.label_smoothing,
        smoothing: match f.smoothing_form {
            0 => None,
            TRUING_SMOOTHING_TORCH => Some(Smoothing::Torch),
            TRUING_SMOOTHING_MEGATRON => Some(Smoothing::Megatron),
            other => return unknown("row_loss.smoothing_form", other, "TRUING_SMOOTHING_*, or 0 without smoothing"),
        },
        z_loss: f.z_loss,
        scaling: match f.token_scaling {
            TRUING_SCALING_NONE => Scaling::None,
            TRUING_SCALING_DFT => Scaling::Dft,
            TRUING_SCALING_CHORD_PHI => Scaling::ChordPhi,
            TRUING_SCALING_EAFT => Scaling::Eaft,
            TRUING_SCALING_EAFT_RAW => Scaling::EaftRaw,
            TRUING_SCALING_EXTERNAL => Scaling::External,
            other => return unknown("row_loss.token_scaling", other, "TRUING_SCALING_*"),
        },
        eaft_alpha: factor(f.eaft_alpha),
        reduction: match f.reduction {
            0 => None,
            TRUING_REDUCE_NONE => Some(Reduction::None),
            TRUING_REDUCE_SUM => Some(Reduction::Sum),
            TRUING_REDUCE_MEAN => Some(Reduction::Mean),
            TRUING_REDUCE_WEIGHTED_MEAN => Some(Reduction::WeightedMean),
            other => return unknown("row_loss.reduction", other, "TRUING_REDUCE_*, or 0 without a reduced loss"),
        },
        normaliser: f.normaliser,
    })
}

/// The tensors of `truing_figures`.
pub(crate) struct FigureTensors {
    logprob: Output,
    lse: Output,
    max: Output,
    argmax: Output,
    entropy: Output,
    log_sum_sq: Output,
    mean_logit: Output,
    is_top1: Output,
    rank: Output,
    ties: Output,
    topk_ids: Output,
    topk_logprobs: Output,
    topk_entropy: Output,
    extra_ids: Input,
    extra_logprobs: Output,
    token_scale: Output,
    row_loss: Output,
    pub(crate) loss: Output,
    stats: Output,
    status: Output,
    counters: Output,
}
impl FigureTensors {
    pub(crate) fn parse(t: &mut Tensors, f: &truing_figures) -> Result<Self> {
        Ok(FigureTensors {
            logprob: t.output("figures.out_logprob", f.out_logprob)?,
            lse: t.output("figures.out_lse", f.out_lse)?,
            max: t.output("figures.out_max", f.out_max)?,
            argmax: t.output("figures.out_argmax", f.out_argmax)?,
            entropy: t.output("figures.out_entropy", f.out_entropy)?,
            log_sum_sq: t.output("figures.out_log_sum_sq", f.out_log_sum_sq)?,
            mean_logit: t.output("figures.out_mean_logit", f.out_mean_logit)?,
            is_top1: t.output("figures.out_is_top1", f.out_is_top1)?,
            rank: t.output("figures.out_rank", f.out_rank)?,
            ties: t.output("figures.out_ties", f.out_ties)?,
            topk_ids: t.output("figures.out_topk_ids", f.out_topk_ids)?,
            topk_logprobs: t.output("figures.out_topk_logprobs", f.out_topk_logprobs)?,
            topk_entropy: t.output("figures.out_topk_entropy", f.out_topk_entropy)?,
            extra_ids: t.input("figures.extra_ids", f.extra_ids)?,
            extra_logprobs: t.output("figures.out_extra_logprobs", f.out_extra_logprobs)?,
            token_scale: t.output("figures.out_token_scale", f.out_token_scale)?,
            row_loss: t.output("figures.out_row_loss", f.out_row_loss)?,
            loss: t.output("figures.out_loss", f.out_loss)?,
            stats: t.output("figures.out_stats", f.out_stats)?,
            status: t.output("figures.out_status", f.out_status)?,
            counters: t.output("figures.out_counters", f.out_counters)?,
        })
    }
    pub(crate) fn view<'a, F: Element>(
        self,
        ok: &'a Checked,
        tokens: &Leading,
    ) -> Result<(Figures<'a, F>, Totals<'a>, Option<ExtraIds<'a>>)> {
        let figures = Figures {
            logprob: self.logprob.tokens(ok, tokens)?,
            lse: self.lse.tokens(ok, tokens)?,
            max: self.max.tokens(ok, tokens)?,
            argmax: self.argmax.tokens(ok, tokens)?,
            entropy: self.entropy.tokens(ok, tokens)?,
            log_sum_sq: self.log_sum_sq.tokens(ok, tokens)?,
            mean_logit: self.mean_logit.tokens(ok, tokens)?,
            is_top1: self.is_top1.tokens(ok, tokens)?,
            rank: self.rank.tokens(ok, tokens)?,
            ties: self.ties.tokens(ok, tokens)?,
            topk_ids: self.topk_ids.rows(ok, tokens)?,
            topk_logprobs: self.topk_logprobs.rows(ok, tokens)?,
            topk_entropy: self.topk_entropy.tokens(ok, tokens)?,
            extra_logprobs: self.extra_logprobs.rows(ok, tokens)?,
            token_scale: self.token_scale.tokens(ok, tokens)?,
            row_loss: self.row_loss.tokens(ok, tokens)?,
            stats: self.stats.rows(ok, tokens)?,
            status: self.status.tokens(ok, tokens)?,
        };
        let totals = Totals { loss: self.loss.scalar(ok)?, counters: self.counters.array(ok)? };
        Ok((figures, totals, self.extra_ids.shared(ok, tokens)?.map(ExtraIds)))
    }
    #[cfg(feature = "cuda")]
    fn on_device(self, sets: SupportFigureTensors, ok: &Checked, tokens: &Leading) -> Result<device::Figures> {
        let base = truing_cuda::logprob::Figures {
            logprob: self.logprob.tokens(ok, tokens)?,
            lse: self.lse.tokens(ok, tokens)?,
            max: self.max.tokens(ok, tokens)?,
            argmax: self.argmax.tokens(ok, tokens)?,
            entropy: self.entropy.tokens(ok, tokens)?,
            log_sum_sq: self.log_sum_sq.tokens(ok, tokens)?,
            is_top1: self.is_top1.tokens(ok, tokens)?,
            stats: self.stats.rows(ok, tokens)?,
            status: self.status.tokens(ok, tokens)?,
        };
        Ok(device::Figures {
            base,
            mean_logit: self.mean_logit.tokens(ok, tokens)?,
            rank: self.rank.tokens(ok, tokens)?,
            ties: self.ties.tokens(ok, tokens)?,
            topk_ids: self.topk_ids.rows(ok, tokens)?,
            topk_logprobs: self.topk_logprobs.rows(ok, tokens)?,
            topk_entropy: self.topk_entropy.tokens(ok, tokens)?,
            extra_ids: self.extra_ids.shared(ok, tokens)?,
            extra_logprobs: self.extra_logprobs.rows(ok, tokens)?,
            token_scale: self.token_scale.tokens(ok, tokens)?,
            row_loss: self.row_loss.tokens(ok, tokens)?,
            loss: self.loss.scalar(ok)?,
            counters: self.counters.list(ok)?,
            ..sets.on_device(ok, tokens)?
        })
    }
}

/// The tensors of `truing_row_upstream`.
pub(crate) struct UpstreamTensors {
    logprob: Input,
    lse: Input,
    entropy: Input,
    extra: Input,
    extra_ids: Input,
    row_loss: Input,
    loss: Input,
    scale: f64,
}
impl UpstreamTensors {
    pub(crate) fn parse(t: &mut Tensors, upstream: &truing_row_upstream, flags: u64) -> Result<Self> {
        Ok(UpstreamTensors {
            logprob: t.input("upstream.grad_logprob", upstream.grad_logprob)?,
            lse: t.input("upstream.grad_lse", upstream.grad_lse)?,
            entropy: t.input("upstream.grad_entropy", upstream.grad_entropy)?,
            extra: t.input("upstream.grad_extra", upstream.grad_extra)?,
            extra_ids: t.input("upstream.extra_ids", upstream.extra_ids)?,
            row_loss: t.input("upstream.grad_row_loss", upstream.grad_row_loss)?,
            loss: t.input("upstream.grad_loss", upstream.grad_loss)?,
            scale: grad_scale(upstream.grad_scale, flags),
        })
    }
    pub(crate) fn view<'a, F: Element>(&self, ok: &'a Checked, tokens: &Leading) -> Result<Upstream<'a, F>> {
        Ok(Upstream {
            logprob: self.logprob.tokens(ok, tokens)?,
            lse: self.lse.tokens(ok, tokens)?,
            entropy: self.entropy.tokens(ok, tokens)?,
            extra: self.extra.rows(ok, tokens)?,
            extra_ids: self.extra_ids.shared(ok, tokens)?.map(ExtraIds),
            row_loss: self.row_loss.tokens(ok, tokens)?,
            loss: self.loss.scalar::<Floats<'_>>(ok)?.map(|g| g.get(0)),
            scale: self.scale,
        })
    }
    #[cfg(feature = "cuda")]
    fn on_device(&self, ok: &Checked, tokens: &Leading) -> Result<device::Upstream> {
        let base = truing_cuda::logprob::Upstream {
            logprob: self.logprob.tokens(ok, tokens)?,
            lse: self.lse.tokens(ok, tokens)?,
            entropy: self.entropy.tokens(ok, tokens)?,
            scale: self.scale,
        };
        Ok(device::Upstream {
            base,
            extra: self.extra.rows(ok, tokens)?,
            extra_ids: self.extra_ids.shared(ok, tokens)?,
            row_loss: self.row_loss.tokens(ok, tokens)?,
            loss: self.loss.scalar(ok)?,
        })
    }
}

/// Saved statistics, left out where the caller wants them recomputed.
pub(crate) fn stats(t: &mut Tensors, stats: *const truing_tensor, flags: u64) -> Result<Input> {
    saved(t, "stats", stats, flags)
}
/// Saved statistics, unless they are to be computed again.
pub(crate) fn saved(t: &mut Tensors, field: &'static str, x: *const truing_tensor, flags: u64) -> Result<Input> {
    t.input(field, if flags & TRUING_RECOMPUTE == 0 { x } else { core::ptr::null() })
}

/// Refuses the logits that only a whole row without a support may have.
fn single(dtype: Dtype) -> Result<()> {
    if dtype != Dtype::F64 {
        return Ok(());
    }
    let expected = Value::Text("f32, bf16 or f16 with a support or a shard");
    Err(Error::new(Status::UnsupportedDtype, "logits", Value::Dtype(dtype), expected))
}

/// Refuses a sampling support.
pub(crate) fn support(support: &truing_support) -> Result<()> {
    unavailable!("support", support;
        kind, bitmask, ids, id_offsets, top_p, min_p, top_k,
        preset, ties, top_p_edge, target_outside);
    Ok(())
}
