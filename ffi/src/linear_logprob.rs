//! `truing_linear_logprob_*`: hidden states and a head to figures and back, without a logits tensor.
use crate::abi::*;
use crate::boundary::{guard, sizes, unavailable};
use crate::logprob::{
    BACKWARD_FLAGS, FORWARD_FLAGS, FigureTensors, RowTensors, TransformTensors, UpstreamTensors, options, row_loss,
    stats, support,
};
use crate::support::support_figures;
use crate::tensor::{Call, Checked, Input, Leading, Output, Tensors};
use truing_core::linear_logprob::Problem;
use truing_core::matrix::Floats;
use truing_core::{Error, Result, Value};
use truing_cpu::linear_logprob::{Grads, Inputs};

const ACCUMULATE: u64 = TRUING_ACCUMULATE_HIDDEN | TRUING_ACCUMULATE_WEIGHT;

/// Figures of every row of `hidden x weight^T`; see `truing_linear_logprob_forward_args`.
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
        let (call, head, rows) = unsafe { open_forward(args) }?;
        let Call { args, context, tensors: mut t, workspace } = call;
        support_figures(&args.figures)?;
        let figures = FigureTensors::common(&mut t, &args.figures)?;

        let ok = &t.check()?;
        let problem = head.problem(&args.head, &args.rows, args.flags)?;
        let tokens = &head.tokens();
        let inputs = head.inputs(&rows, ok, tokens)?;
        truing_cpu::linear_logprob::forward(
            &context,
            &problem,
            inputs,
            figures.view(ok, tokens)?.0,
            workspace.bytes(ok),
        )
    })
}

/// Gradients of hidden, weight and bias, given the gradients of the figures; see `truing_linear_logprob_backward_args`.
///
/// # Safety
/// As for `truing_linear_logprob_forward`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_linear_logprob_backward(
    args: *const truing_linear_logprob_backward_args,
) -> truing_status {
    guard("truing_linear_logprob_backward", || {
        // SAFETY: this function's contract.
        let (call, head, rows) = unsafe { open_backward(args) }?;
        let Call { args, context, tensors: mut t, workspace } = call;
        let stats = stats(&mut t, args.stats, args.flags)?;
        let upstream = UpstreamTensors::common(&mut t, &args.upstream, args.flags)?;
        let grads = head.grads(&mut t, &args.grads, args.flags)?;
        let status = t.output("out_status", args.out_status)?;

        let ok = &t.check()?;
        let problem = head.problem(&args.head, &args.rows, args.flags)?;
        let tokens = &head.tokens();
        let inputs = head.inputs(&rows, ok, tokens)?;
        truing_cpu::linear_logprob::backward(
            &context,
            &problem,
            inputs,
            stats.rows(ok, tokens)?,
            upstream.view(ok, tokens)?,
            grads.view(ok, tokens)?,
            status.tokens(ok, tokens)?,
            workspace.bytes(ok),
        )
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
        let (call, head, _) = unsafe { open_forward(args) }?;
        let Call { args, context, tensors: t, .. } = call;
        let ok = &t.check()?;
        let problem = head.problem(&args.head, &args.rows, args.flags)?;
        let (hidden, weight) = head.operands(ok, &head.tokens())?;
        problem.check_operands(&hidden, &weight)?;
        let need = truing_cpu::linear_logprob::forward_workspace(&context, &problem, hidden.dtype(), weight.dtype());
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
        let (call, head, _) = unsafe { open_backward(args) }?;
        let Call { args, context, tensors: t, .. } = call;
        let ok = &t.check()?;
        let problem = head.problem(&args.head, &args.rows, args.flags)?;
        let (hidden, weight) = head.operands(ok, &head.tokens())?;
        problem.check_operands(&hidden, &weight)?;
        let need = truing_cpu::linear_logprob::backward_workspace(&context, &problem, hidden.dtype(), weight.dtype());
        // SAFETY: this function's contract.
        unsafe { sizes(minimum, preferred, (need.minimum, need.preferred)) }
    })
}

/// # Safety
/// As for [`Call::open`].
unsafe fn open_forward(
    args: *const truing_linear_logprob_forward_args,
) -> Result<(Call<truing_linear_logprob_forward_args>, HeadTensors, RowTensors)> {
    // SAFETY: this function's contract.
    let mut call = unsafe { Call::open(args, FORWARD_FLAGS) }?;
    let args = &call.args;
    unavailable!(args; grads.grad_hidden_out, grads.grad_weight_out, grads.grad_bias_out, grad_loss, grad_scale);
    support(&args.support)?;
    row_loss(&args.row_loss)?;
    let head = HeadTensors::parse(&mut call.tensors, &args.head)?;
    let rows = RowTensors::parse(&mut call.tensors, &args.rows)?;
    Ok((call, head, rows))
}

/// # Safety
/// As for [`Call::open`].
unsafe fn open_backward(
    args: *const truing_linear_logprob_backward_args,
) -> Result<(Call<truing_linear_logprob_backward_args>, HeadTensors, RowTensors)> {
    // SAFETY: this function's contract.
    let mut call = unsafe { Call::open(args, BACKWARD_FLAGS | ACCUMULATE) }?;
    let args = &call.args;
    unavailable!(args; shard.vocab_start, shard.vocab_end, shard.vocab_total);
    support(&args.support)?;
    row_loss(&args.row_loss)?;
    let head = HeadTensors::parse(&mut call.tensors, &args.head)?;
    let rows = RowTensors::parse(&mut call.tensors, &args.rows)?;
    Ok((call, head, rows))
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
        unavailable!("head", head; index);
        let transform = &head.transform;
        unavailable!("transform", transform; logit_round);
        Ok(HeadTensors {
            hidden: t.required("head.hidden", head.hidden)?,
            weight: t.required("head.weight", head.weight)?.ndim(2, 2, "2 dimensions, [V, D]")?,
            transform: TransformTensors::parse(t, transform)?,
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
    fn problem(&self, head: &truing_head, rows: &truing_rows, flags: u64) -> Result<Problem> {
        let [n, d, v] = self.shape()?;
        Problem::new(n, d, v, options(&head.transform, rows, flags)?)
    }
    /// Hidden states and weight.
    pub(crate) fn operands<'a>(&self, ok: &'a Checked, tokens: &Leading) -> Result<(Floats<'a>, Floats<'a>)> {
        Ok((self.hidden.rows(ok, tokens)?.expect("required"), self.weight.matrix(ok)?.expect("required")))
    }
    fn inputs<'a>(&self, rows: &RowTensors, ok: &'a Checked, tokens: &Leading) -> Result<Inputs<'a>> {
        let (hidden, weight) = self.operands(ok, tokens)?;
        Ok(Inputs { hidden, weight, transform: self.transform.view(ok, tokens)?, rows: rows.view(ok, tokens)? })
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
