//! `truing_linear_logprob_*`: hidden states and a head to figures and back, without a logits tensor.
use crate::abi::*;
use crate::boundary::{guard, idle, sizes, unknown};
use crate::logprob::{
    BACKWARD_FLAGS, Common, FORWARD_FLAGS, FigureTensors, FinishCall, LOCAL_FLAGS, LocalTensors, TransformTensors,
    UpstreamTensors, columns, local_tensors, loss_gradient, stats,
};
use crate::support::SupportFigureTensors;
use crate::tensor::{Call, Checked, Input, Leading, Output, Tensors};
use truing_core::linear_logprob::{Problem, Rounding};
use truing_core::matrix::{Floats, Workspace};
use truing_core::{Error, Result, Value};
use truing_cpu::linear_logprob::{self as kernel, Asked, Fused, Grads, Inputs};

const ACCUMULATE: u64 = TRUING_ACCUMULATE_HIDDEN | TRUING_ACCUMULATE_WEIGHT;

/// Figures of every row of `hidden x weight^T`, the loss of the rows and its gradients; see
/// `truing_linear_logprob_forward_args`.
///
/// # Safety
/// `args` is NULL or points to `struct_size` readable bytes. What its fields describe is readable, what its outputs
/// describe and the workspace are writable, and nobody else writes to any of it during the call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_linear_logprob_forward(
    args: *const truing_linear_logprob_forward_args,
) -> truing_status {
    guard("truing_linear_logprob_forward", || {
        // SAFETY: this function's contract.
        unsafe { Forward::open(args) }?.run()
    })
}

/// Gradients of hidden, weight and bias, given the gradients of the figures and of the loss; see
/// `truing_linear_logprob_backward_args`.
///
/// # Safety
/// As for `truing_linear_logprob_forward`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_linear_logprob_backward(
    args: *const truing_linear_logprob_backward_args,
) -> truing_status {
    guard("truing_linear_logprob_backward", || {
        // SAFETY: this function's contract.
        unsafe { Backward::open(args) }?.run()
    })
}

/// Bytes of workspace for `truing_linear_logprob_forward`.
///
/// # Safety
/// As for `truing_linear_logprob_forward`; `minimum` and `preferred` are NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_linear_logprob_forward_workspace_size(
    args: *const truing_linear_logprob_forward_args,
    minimum: *mut usize,
    preferred: *mut usize,
) -> truing_status {
    guard("truing_linear_logprob_forward_workspace_size", || {
        // SAFETY: this function's contract.
        let need = unsafe { Forward::open(args) }?.need()?;
        // SAFETY: this function's contract.
        unsafe { sizes(minimum, preferred, (need.minimum, need.preferred)) }
    })
}

/// Bytes of workspace for `truing_linear_logprob_backward`.
///
/// # Safety
/// As for `truing_linear_logprob_backward`; `minimum` and `preferred` are NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_linear_logprob_backward_workspace_size(
    args: *const truing_linear_logprob_backward_args,
    minimum: *mut usize,
    preferred: *mut usize,
) -> truing_status {
    guard("truing_linear_logprob_backward_workspace_size", || {
        // SAFETY: this function's contract.
        let need = unsafe { Backward::open(args) }?.need()?;
        // SAFETY: this function's contract.
        unsafe { sizes(minimum, preferred, (need.minimum, need.preferred)) }
    })
}

/// What the columns of one vocabulary shard of the weight contribute; see `truing_linear_logprob_local_args`.
///
/// # Safety
/// As for `truing_linear_logprob_forward`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_linear_logprob_local(args: *const truing_linear_logprob_local_args) -> truing_status {
    guard("truing_linear_logprob_local", || {
        // SAFETY: this function's contract.
        let Shard { call, head, common, local, problem } = unsafe { Shard::open(args) }?;
        let Call { args, context, tensors, workspace } = call;
        let (ok, tokens) = (&tensors.check()?, &head.tokens());
        let (pass, out, extra_ids) = local.view(&args.shard, ok, tokens)?;
        let inputs = Inputs { extra_ids, ..head.inputs(&common, ok, tokens)? };
        kernel::local(&context, &problem, inputs, pass, out, workspace.bytes(ok))
    })
}

/// Bytes of workspace for `truing_linear_logprob_local`.
///
/// # Safety
/// As for `truing_linear_logprob_local`; `minimum` and `preferred` are NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_linear_logprob_local_workspace_size(
    args: *const truing_linear_logprob_local_args,
    minimum: *mut usize,
    preferred: *mut usize,
) -> truing_status {
    guard("truing_linear_logprob_local_workspace_size", || {
        // SAFETY: this function's contract.
        let Shard { call, head, common, local, problem } = unsafe { Shard::open(args) }?;
        let (ok, tokens) = (&call.tensors.check()?, &head.tokens());
        let (pass, out, extra_ids) = local.view(&call.args.shard, ok, tokens)?;
        let inputs = head.inputs(&common, ok, tokens)?;
        problem.check_operands(&inputs.hidden, &inputs.weight)?;
        let asked = Asked::local(&problem, inputs.over.as_ref(), extra_ids.as_ref(), &pass, &out);
        let (hidden, weight) = (inputs.hidden.dtype(), inputs.weight.dtype());
        let need = kernel::local_workspace(&call.context, &problem, hidden, weight, &asked);
        // SAFETY: this function's contract.
        unsafe { sizes(minimum, preferred, (need.minimum, need.preferred)) }
    })
}

/// Figures of the rows from what all shards contribute: `truing_logprob_finish` under the name of this family.
///
/// # Safety
/// As for `truing_linear_logprob_forward`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_linear_logprob_finish(args: *const truing_linear_logprob_finish_args) -> truing_status {
    guard("truing_linear_logprob_finish", || {
        // SAFETY: this function's contract.
        unsafe { FinishCall::open(args) }?.run()
    })
}

/// Bytes of workspace for `truing_linear_logprob_finish`: 0 without `figures.out_loss`.
///
/// # Safety
/// As for `truing_linear_logprob_finish`; `minimum` and `preferred` are NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_linear_logprob_finish_workspace_size(
    args: *const truing_linear_logprob_finish_args,
    minimum: *mut usize,
    preferred: *mut usize,
) -> truing_status {
    guard("truing_linear_logprob_finish_workspace_size", || {
        // SAFETY: this function's contract.
        let need = unsafe { FinishCall::open(args) }?.need()?;
        // SAFETY: this function's contract.
        unsafe { sizes(minimum, preferred, (need.minimum, need.preferred)) }
    })
}

/// A forward whose fields have been read.
struct Forward {
    call: Call<truing_linear_logprob_forward_args>,
    head: HeadTensors,
    common: Common,
    figures: FigureTensors,
    sets: SupportFigureTensors,
    grads: GradTensors,
    grad_loss: Input,
    problem: Problem,
}
impl Forward {
    /// # Safety
    /// As for [`Call::open`].
    unsafe fn open(args: *const truing_linear_logprob_forward_args) -> Result<Self> {
        // SAFETY: this function's contract.
        let mut call = unsafe { Call::open(args, FORWARD_FLAGS | TRUING_HAS_GRAD_SCALE | ACCUMULATE) }?;
        let (args, t) = (&call.args, &mut call.tensors);
        let head = HeadTensors::parse(t, &args.head)?;
        let (transform, columns) = (&args.head.transform, args.figures.entropy_k);
        let common = Common::parse(t, transform, &args.rows, &args.support, &args.row_loss, columns, args.flags)?;
        let figures = FigureTensors::parse(t, &args.figures)?;
        let sets = SupportFigureTensors::parse(t, &args.figures, common.over.is_some())?;
        let grads = head.grads(t, &args.grads, args.flags)?;
        let grad_loss = t.input("grad_loss", args.grad_loss)?;
        if !grads.any() {
            const EXPECTED: &str = "NULL or 0 without a gradient";
            idle("grad_loss", &args.grad_loss, EXPECTED)?;
            idle("grad_scale", &args.grad_scale, EXPECTED)?;
            idle("flags", &(args.flags & ACCUMULATE), "no TRUING_ACCUMULATE_* without a gradient")?;
        }
        let problem = head.problem(&args.head, &common, &truing_shard::ZERO)?;
        Ok(Forward { head, common, figures, sets, grads, grad_loss, problem, call })
    }
    fn need(self) -> Result<Workspace> {
        let (ok, tokens, context) = (&self.call.tensors.check()?, &self.head.tokens(), &self.call.context);
        let inputs = self.head.inputs(&self.common, ok, tokens)?;
        self.problem.check_operands(&inputs.hidden, &inputs.weight)?;
        let (figures, totals, extra_ids) = self.figures.view(ok, tokens)?;
        let sets = self.sets.view(ok, tokens)?;
        let (p, over, extra, loss) = (&self.problem, inputs.over.as_ref(), extra_ids.as_ref(), totals.loss.is_some());
        let (hidden, weight) = (inputs.hidden.dtype(), inputs.weight.dtype());
        if self.grads.any() {
            let asked = Asked::fused(p, over, extra, &figures, &sets);
            return Ok(kernel::fused_need(context, p, hidden, weight, &asked, loss, figures.stats.is_some()));
        }
        let asked = Asked::forward(p, over, extra, &figures, &sets, loss);
        Ok(kernel::loss_need(context, p, hidden, weight, &asked, loss))
    }
    fn run(self) -> Result<()> {
        let Call { args, context, tensors, workspace } = self.call;
        let (ok, tokens, problem) = (&tensors.check()?, &self.head.tokens(), &self.problem);
        let (figures, totals, extra_ids) = self.figures.view(ok, tokens)?;
        let (sets, workspace) = (self.sets.view(ok, tokens)?, workspace.bytes(ok));
        let inputs = Inputs { extra_ids, ..self.head.inputs(&self.common, ok, tokens)? };
        if !self.grads.any() {
            return kernel::forward_loss(&context, problem, inputs, figures, sets, totals, workspace);
        }
        let (upstream, scale) = loss_gradient(&self.grad_loss, args.grad_scale, args.flags, ok)?;
        let fused = Fused { grads: self.grads.view(ok, tokens)?, upstream, scale };
        kernel::forward_fused(&context, problem, inputs, figures, sets, totals, fused, workspace)
    }
}

/// A backward whose fields have been read.
struct Backward {
    call: Call<truing_linear_logprob_backward_args>,
    head: HeadTensors,
    common: Common,
    stats: Input,
    upstream: UpstreamTensors,
    grads: GradTensors,
    status: Output,
    problem: Problem,
}
impl Backward {
    /// # Safety
    /// As for [`Call::open`].
    unsafe fn open(args: *const truing_linear_logprob_backward_args) -> Result<Self> {
        // SAFETY: this function's contract.
        let mut call = unsafe { Call::open(args, BACKWARD_FLAGS | ACCUMULATE) }?;
        let (args, t) = (&call.args, &mut call.tensors);
        let head = HeadTensors::parse(t, &args.head)?;
        let transform = &args.head.transform;
        let common = Common::parse(t, transform, &args.rows, &args.support, &args.row_loss, 0, args.flags)?;
        let stats = stats(t, args.stats, args.flags)?;
        let upstream = UpstreamTensors::parse(t, &args.upstream, args.flags)?;
        let grads = head.grads(t, &args.grads, args.flags)?;
        let status = t.output("out_status", args.out_status)?;
        let problem = head.problem(&args.head, &common, &args.shard)?;
        Ok(Backward { head, common, stats, upstream, grads, status, problem, call })
    }
    fn need(self) -> Result<Workspace> {
        let (ok, tokens) = (&self.call.tensors.check()?, &self.head.tokens());
        let inputs = self.head.inputs(&self.common, ok, tokens)?;
        self.problem.check_operands(&inputs.hidden, &inputs.weight)?;
        let upstream = self.upstream.view(ok, tokens)?;
        let asked = Asked::backward(&self.problem, inputs.over.as_ref(), &upstream, self.stats.is_some());
        let (hidden, weight) = (inputs.hidden.dtype(), inputs.weight.dtype());
        Ok(kernel::backward_need(&self.call.context, &self.problem, hidden, weight, &asked))
    }
    fn run(self) -> Result<()> {
        let Call { context, tensors, workspace, .. } = self.call;
        let (ok, tokens) = (&tensors.check()?, &self.head.tokens());
        kernel::backward(
            &context,
            &self.problem,
            self.head.inputs(&self.common, ok, tokens)?,
            self.stats.rows(ok, tokens)?,
            self.upstream.view(ok, tokens)?,
            self.grads.view(ok, tokens)?,
            self.status.tokens(ok, tokens)?,
            workspace.bytes(ok),
        )
    }
}

/// A local call whose fields have been read.
struct Shard {
    call: Call<truing_linear_logprob_local_args>,
    head: HeadTensors,
    common: Common,
    local: LocalTensors,
    problem: Problem,
}
impl Shard {
    /// # Safety
    /// As for [`Call::open`].
    unsafe fn open(args: *const truing_linear_logprob_local_args) -> Result<Self> {
        // SAFETY: this function's contract.
        let mut call = unsafe { Call::open(args, LOCAL_FLAGS) }?;
        let (args, t) = (&call.args, &mut call.tensors);
        let head = HeadTensors::parse(t, &args.head)?;
        let transform = &args.head.transform;
        let common = Common::parse(t, transform, &args.rows, &args.support, &args.row_loss, 0, args.flags)?;
        let local = local_tensors!(t, args);
        let problem = head.problem(&args.head, &common, &args.shard)?;
        Ok(Shard { head, common, local, problem, call })
    }
}

/// What the logits of a head are rounded to.
pub(crate) fn rounding(field: &'static str, kind: truing_rounding) -> Result<Rounding> {
    match kind {
        TRUING_ROUND_NONE => Ok(Rounding::None),
        TRUING_ROUND_BF16 => Ok(Rounding::Bf16),
        TRUING_ROUND_F16 => Ok(Rounding::F16),
        other => unknown(field, other, "TRUING_ROUND_*"),
    }
}

/// The tensors of `truing_head`.
pub(crate) struct HeadTensors {
    hidden: Input,
    weight: Input,
    /// Those of its transform.
    pub(crate) transform: TransformTensors,
}
impl HeadTensors {
    pub(crate) fn parse(t: &mut Tensors, head: &truing_head) -> Result<Self> {
        Ok(HeadTensors {
            hidden: t.required("head.hidden", head.hidden)?,
            weight: t.required("head.weight", head.weight)?.ndim(2, 2, "2 dimensions, [V, D]")?,
            transform: TransformTensors::parse(t, &head.transform)?,
        })
    }
    /// `[N, D, V]`.
    pub(crate) fn shape(&self) -> Result<[usize; 3]> {
        let (n, d) = match *self.hidden.dims() {
            [n, d] => (n, d),
            [b, t, d] => (b * t, d),
            ref dims => {
                let expected = Value::Text("2 dimensions, [N, D], or 3, [B, T, D]");
                return Err(Error::shape("head.hidden", Value::Int(dims.len() as i64), expected));
            }
        };
        Ok([n, d, self.weight.dims()[0]])
    }
    /// How the rows lie, once [`HeadTensors::shape`] has passed.
    pub(crate) fn tokens(&self) -> Leading {
        let dims = self.hidden.dims();
        Leading::new(&dims[..dims.len() - 1])
    }
    fn problem(&self, head: &truing_head, common: &Common, shard: &truing_shard) -> Result<Problem> {
        let [n, d, v] = self.shape()?;
        let (start, total) = columns(v, shard)?;
        let rounding = rounding("transform.logit_round", head.transform.logit_round)?;
        Ok(Problem::shard(n, d, v, common.options, start, total)?.rounded(rounding))
    }
    /// Hidden states and weight.
    pub(crate) fn operands<'a>(&self, ok: &'a Checked, tokens: &Leading) -> Result<(Floats<'a>, Floats<'a>)> {
        Ok((self.hidden.rows(ok, tokens)?.expect("required"), self.weight.matrix(ok)?.expect("required")))
    }
    fn inputs<'a>(&'a self, common: &'a Common, ok: &'a Checked, tokens: &Leading) -> Result<Inputs<'a>> {
        let (hidden, weight) = self.operands(ok, tokens)?;
        Ok(Inputs {
            row_loss: common.row_loss.view(ok, tokens)?,
            over: common.over(ok, tokens)?,
            ..Inputs::new(hidden, weight, self.transform.view(ok, tokens)?, common.rows.view(ok, tokens)?)
        })
    }
    /// The places of the gradients.
    pub(crate) fn grads(&self, t: &mut Tensors, grads: &truing_head_grads, flags: u64) -> Result<GradTensors> {
        Ok(GradTensors {
            hidden: t.output("grads.grad_hidden_out", grads.grad_hidden_out)?,
            weight: t.output("grads.grad_weight_out", grads.grad_weight_out)?,
            bias: t.output("grads.grad_bias_out", grads.grad_bias_out)?,
            accumulate_hidden: flags & TRUING_ACCUMULATE_HIDDEN != 0,
            accumulate_weight: flags & TRUING_ACCUMULATE_WEIGHT != 0,
        })
    }
}

/// The tensors of `truing_head_grads`.
pub(crate) struct GradTensors {
    hidden: Output,
    weight: Output,
    bias: Output,
    accumulate_hidden: bool,
    accumulate_weight: bool,
}
impl GradTensors {
    fn any(&self) -> bool {
        self.hidden.is_some() || self.weight.is_some() || self.bias.is_some()
    }
    pub(crate) fn view<'a>(self, ok: &'a Checked, tokens: &Leading) -> Result<Grads<'a>> {
        Ok(Grads {
            hidden: self.hidden.rows(ok, tokens)?,
            weight: self.weight.matrix(ok)?,
            bias: self.bias.list(ok)?,
            accumulate_hidden: self.accumulate_hidden,
            accumulate_weight: self.accumulate_weight,
        })
    }
}
