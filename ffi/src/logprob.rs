//! `truing_logprob_*`: rows of logits to figures and back. The parsing of transforms, rows, figures and upstream
//! gradients is shared with the linear form.
use crate::abi::*;
use crate::boundary::{factor, grad_scale, guard, idle, no_workspace, sizes, unavailable, unknown};
use crate::support::{SupportFigureTensors, SupportTensors, support_figures};
use crate::tensor::{Call, Checked, Input, Leading, Output, Tensors};
use truing_core::logprob::{Figures, Options, Problem, Rows, Transform, TransformInputs, Upstream};
use truing_core::matrix::Ints;
use truing_core::{Error, Result, Value};
use truing_cpu::Context;
use truing_cpu::logprob::{BackwardInputs, Finish, Grad, Inputs, Local};

pub(crate) const FORWARD_FLAGS: u64 = TRUING_HAS_IGNORE_INDEX | TRUING_STRICT;
pub(crate) const BACKWARD_FLAGS: u64 = FORWARD_FLAGS | TRUING_RECOMPUTE | TRUING_HAS_GRAD_SCALE;

/// Figures of every row of `logits`: log-prob of the target, lse, entropy and the rest of `truing_figures`; see
/// `truing_logprob_forward_args`. No workspace.
///
/// # Safety
/// `args` is NULL or points to `struct_size` readable bytes. What its fields describe is readable, what its outputs
/// describe is writable, and nobody else writes to any of it during the call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_logprob_forward(args: *const truing_logprob_forward_args) -> truing_status {
    guard("truing_logprob_forward", || {
        // SAFETY: this function's contract.
        let Call { args, context, tensors: mut t, workspace } = unsafe { Call::open(args, FORWARD_FLAGS) }?;
        unavailable!(args; transform.logit_round, grad_logits_out, grad_bias_out, grad_loss, grad_scale);
        row_loss(&args.row_loss)?;
        let logits = t.required("logits", args.logits)?;
        let transform = TransformTensors::parse(&mut t, &args.transform)?;
        let rows = RowTensors::parse(&mut t, &args.rows)?;
        let over = SupportTensors::parse(&mut t, &args.support)?;
        let figures = FigureTensors::parse(&mut t, &args.figures)?;
        let sets = SupportFigureTensors::parse(&mut t, &args.figures, over.is_some())?;

        let ok = &t.check()?;
        let options = options(&args.transform, &args.rows, args.flags)?;
        let (problem, tokens) = problem(logits.dims(), options, &truing_shard::ZERO)?;
        let tokens = &tokens;
        let inputs = Inputs {
            logits: logits.rows(ok, tokens)?.expect("required"),
            transform: transform.view(ok, tokens)?,
            rows: rows.view(ok, tokens)?,
        };
        let figures = figures.view(ok, tokens)?;
        match over {
            None => truing_cpu::logprob::forward(&context, &problem, inputs, figures),
            Some(over) => {
                let (over, sets, workspace) = (over.view(ok, tokens)?, sets.view(ok, tokens)?, workspace.bytes(ok));
                truing_cpu::logprob::forward_over(&context, &problem, inputs, over, figures, sets, workspace)
            }
        }
    })
}

/// Gradient of the logits, given the gradients of log-prob, lse and entropy; see `truing_logprob_backward_args`.
/// `grad_logits_out` may be `logits` itself. No workspace.
///
/// # Safety
/// As for `truing_logprob_forward`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_logprob_backward(args: *const truing_logprob_backward_args) -> truing_status {
    guard("truing_logprob_backward", || {
        // SAFETY: this function's contract.
        let Call { args, context, tensors: mut t, workspace } = unsafe { Call::open(args, BACKWARD_FLAGS) }?;
        unavailable!(args; transform.logit_round, grad_bias_out);
        row_loss(&args.row_loss)?;
        let mut logits = t.required("logits", args.logits)?;
        let transform = TransformTensors::parse(&mut t, &args.transform)?;
        let rows = RowTensors::parse(&mut t, &args.rows)?;
        let over = SupportTensors::parse(&mut t, &args.support)?;
        let stats = stats(&mut t, args.stats, args.flags)?;
        let upstream = UpstreamTensors::parse(&mut t, &args.upstream, args.flags)?;
        let grad_logits = t.required_output("grad_logits_out", args.grad_logits_out)?;
        let status = t.output("out_status", args.out_status)?;
        let options = options(&args.transform, &args.rows, args.flags)?;
        let (problem, tokens) = problem(logits.dims(), options, &args.shard)?;
        let tokens = &tokens;
        let in_place = t.in_place(&mut logits, &grad_logits);

        let ok = &t.check()?;
        let inputs = BackwardInputs { transform: transform.view(ok, tokens)?, rows: rows.view(ok, tokens)? };
        let grad_logits = grad_logits.rows(ok, tokens)?.expect("required");
        let grad = match in_place {
            true => Grad::InPlace(grad_logits),
            false => Grad::Separate(logits.rows(ok, tokens)?.expect("required"), grad_logits),
        };
        let (stats, upstream) = (stats.rows(ok, tokens)?, upstream.view(ok, tokens)?);
        let status = status.tokens(ok, tokens)?;
        match over {
            None => truing_cpu::logprob::backward(&context, &problem, inputs, stats, upstream, grad, status),
            Some(over) => {
                let (over, workspace) = (over.view(ok, tokens)?, workspace.bytes(ok));
                truing_cpu::logprob::backward_over(
                    &context, &problem, inputs, over, stats, upstream, grad, status, workspace,
                )
            }
        }
    })
}

/// Bytes of workspace for `truing_logprob_forward`: 0 without a support.
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
        let call = unsafe { Call::open(args, FORWARD_FLAGS) }?;
        let a = call.args;
        let options = options(&a.transform, &a.rows, a.flags);
        let need = over_workspace(call.tensors, &call.context, a.logits, options, &a.support)?;
        // SAFETY: this function's contract.
        unsafe { sizes(minimum, preferred, need) }
    })
}

/// Bytes of workspace for `truing_logprob_backward`: 0 without a support.
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
        let call = unsafe { Call::open(args, BACKWARD_FLAGS) }?;
        let a = call.args;
        let options = options(&a.transform, &a.rows, a.flags);
        let need = over_workspace(call.tensors, &call.context, a.logits, options, &a.support)?;
        // SAFETY: this function's contract.
        unsafe { sizes(minimum, preferred, need) }
    })
}

/// Records of the columns of one vocabulary shard; see `truing_logprob_local_args`. No workspace.
///
/// # Safety
/// As for `truing_logprob_forward`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_logprob_local(args: *const truing_logprob_local_args) -> truing_status {
    guard("truing_logprob_local", || {
        // SAFETY: this function's contract.
        let Call { args, context, tensors: mut t, .. } = unsafe { Call::open(args, FORWARD_FLAGS) }?;
        unavailable!(args; transform.logit_round, stats, extra_ids, out_support_records, out_topk_ids, out_topk_logits,
            out_extra_logits, out_counts);
        support(&args.support)?;
        row_loss(&args.row_loss)?;
        match args.local_pass {
            TRUING_LOCAL_RECORDS => {}
            TRUING_LOCAL_COUNTS => {
                return unknown("local_pass", args.local_pass, "TRUING_LOCAL_RECORDS: not available in this version");
            }
            other => return unknown("local_pass", other, "TRUING_LOCAL_RECORDS"),
        }
        if args.shard.vocab_end == 0 {
            return Err(Error::invalid("shard.vocab_end", Value::Int(0), Value::Text("the columns of a shard")));
        }
        let logits = t.required("logits", args.logits)?;
        let transform = TransformTensors::parse(&mut t, &args.transform)?;
        let rows = RowTensors::parse(&mut t, &args.rows)?;
        let records = t.required_output("out_records", args.out_records)?;
        let status = t.output("out_status", args.out_status)?;

        let ok = &t.check()?;
        let options = options(&args.transform, &args.rows, args.flags)?;
        let (problem, tokens) = problem(logits.dims(), options, &args.shard)?;
        let tokens = &tokens;
        let inputs = Inputs {
            logits: logits.rows(ok, tokens)?.expect("required"),
            transform: transform.view(ok, tokens)?,
            rows: rows.view(ok, tokens)?,
        };
        let out = Local { records: records.rows(ok, tokens)?, status: status.tokens(ok, tokens)? };
        truing_cpu::logprob::local(&context, &problem, inputs, out)
    })
}

/// Figures of the rows from the records of all shards; see `truing_logprob_finish_args`. No workspace.
///
/// # Safety
/// As for `truing_logprob_forward`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_logprob_finish(args: *const truing_logprob_finish_args) -> truing_status {
    guard("truing_logprob_finish", || {
        // SAFETY: this function's contract.
        let Call { args, context, tensors: mut t, .. } = unsafe { Call::open(args, FORWARD_FLAGS) }?;
        unavailable!(args; transform.logit_round, support_records, topk_ids, topk_logits, extra_logits, counts);
        idle("transform.bias", &args.transform.bias, "NULL: the records hold transformed logits")?;
        idle(
            "transform.row_temperature",
            &args.transform.row_temperature,
            "NULL: the records hold transformed logits",
        )?;
        support_figures(&args.figures)?;
        row_loss(&args.row_loss)?;
        let records = t.required("records", args.records)?.ndim(3, 3, "3 dimensions, [shards, N, 12]")?;
        let starts = t.required("shard_starts", args.shard_starts)?;
        let rows = RowTensors::parse(&mut t, &args.rows)?;
        let figures = FigureTensors::parse(&mut t, &args.figures)?;

        let ok = &t.check()?;
        let [shards, n, _] = *records.dims() else { unreachable!("3 dimensions") };
        let starts: Ints<'_> = starts.list(ok)?.expect("required");
        let last = starts.rows().checked_sub(1).map_or(0, |i| starts.get(i));
        if starts.rows() != shards + 1 {
            let (got, expected) = (Value::Size(starts.rows()), Value::Size(shards + 1));
            return Err(Error::shape("shard_starts", got, expected));
        }
        let vocab = usize::try_from(last).unwrap_or(0);
        let problem = Problem::new(n, vocab, options(&args.transform, &args.rows, args.flags)?)?;
        let tokens = &Leading::new(&[n]);
        let records = records.rows(ok, &Leading::new(&[shards, n]))?.expect("required");
        let inputs = Finish { records, starts, rows: rows.view(ok, tokens)? };
        truing_cpu::logprob::finish(&context, &problem, inputs, figures.view(ok, tokens)?)
    })
}

/// Bytes of workspace for `truing_logprob_local`: 0.
///
/// # Safety
/// As for `truing_logprob_local`; `minimum` and `preferred` are NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_logprob_local_workspace_size(
    args: *const truing_logprob_local_args,
    minimum: *mut usize,
    preferred: *mut usize,
) -> truing_status {
    // SAFETY: this function's contract.
    guard("truing_logprob_local_workspace_size", || unsafe { no_workspace(args, FORWARD_FLAGS, minimum, preferred) })
}

/// Bytes of workspace for `truing_logprob_finish`: 0.
///
/// # Safety
/// As for `truing_logprob_finish`; `minimum` and `preferred` are NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_logprob_finish_workspace_size(
    args: *const truing_logprob_finish_args,
    minimum: *mut usize,
    preferred: *mut usize,
) -> truing_status {
    // SAFETY: this function's contract.
    guard("truing_logprob_finish_workspace_size", || unsafe { no_workspace(args, FORWARD_FLAGS, minimum, preferred) })
}

/// Bytes that a support takes.
fn over_workspace(
    mut t: Tensors,
    context: &Context,
    logits: *const truing_tensor,
    options: Result<Options>,
    support: &truing_support,
) -> Result<(usize, usize)> {
    let Some(over) = SupportTensors::parse(&mut t, support)? else { return Ok((0, 0)) };
    let logits = t.required("logits", logits)?;
    let ok = &t.check()?;
    let (problem, tokens) = problem(logits.dims(), options?, &truing_shard::ZERO)?;
    let need = truing_cpu::logprob::over_workspace(context, &problem, &over.view(ok, &tokens)?);
    Ok((need.minimum, need.preferred))
}

/// The checked problem of logits with these dimensions, and how its rows lie. A shard of zeros is the whole vocabulary.
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
    let &truing_shard { vocab_start, vocab_end, vocab_total, .. } = shard;
    if (vocab_start, vocab_end, vocab_total) == (0, 0, 0) {
        return Ok((Problem::new(n, v, options)?, tokens));
    }
    let column = |field, x: i64| {
        let expected = Value::Text("a number of columns");
        usize::try_from(x).map_err(|_| Error::invalid(field, Value::Int(x), expected))
    };
    let start = column("shard.vocab_start", vocab_start)?;
    let total = column("shard.vocab_total", vocab_total)?;
    if vocab_end.checked_sub(vocab_start) != Some(v as i64) {
        let expected = Value::Text("vocab_start and the columns of the logits");
        return Err(Error::invalid("shard.vocab_end", Value::Int(vocab_end), expected));
    }
    Ok((Problem::shard(n, v, options, start, total)?, tokens))
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
    })
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
}

/// The tensors of `truing_rows`, `cu_seqlens` left to the forms that read it.
pub(crate) struct RowTensors {
    target: Input,
    mask: Input,
}
impl RowTensors {
    pub(crate) fn parse(t: &mut Tensors, f: &truing_rows) -> Result<Self> {
        unavailable!("rows", f; cu_seqlens);
        RowTensors::with_sequences(t, f)
    }
    /// For forms that read `cu_seqlens`.
    pub(crate) fn with_sequences(t: &mut Tensors, f: &truing_rows) -> Result<Self> {
        unavailable!("rows", f; shift);
        Ok(RowTensors { target: t.input("rows.target", f.target)?, mask: t.input("rows.mask", f.mask)? })
    }
    /// Dimensions of the target.
    pub(crate) fn dims(&self) -> &[usize] {
        self.target.dims()
    }
    pub(crate) fn view<'a>(&self, ok: &'a Checked, tokens: &Leading) -> Result<Rows<'a>> {
        Ok(Rows { target: self.target.tokens(ok, tokens)?, mask: self.mask.tokens(ok, tokens)? })
    }
}

/// The tensors of `truing_figures`.
pub(crate) struct FigureTensors {
    logprob: Output,
    lse: Output,
    max: Output,
    argmax: Output,
    entropy: Output,
    log_sum_sq: Output,
    is_top1: Output,
    stats: Output,
    status: Output,
}
impl FigureTensors {
    pub(crate) fn parse(t: &mut Tensors, figures: &truing_figures) -> Result<Self> {
        unavailable!("figures", figures;
            out_mean_logit, out_rank, out_ties, out_topk_ids, out_topk_logprobs,
            out_topk_entropy, extra_ids, out_extra_logprobs,
            out_token_scale, out_row_loss, out_loss, out_counters, entropy_k);
        let f = figures;
        Ok(FigureTensors {
            logprob: t.output("figures.out_logprob", f.out_logprob)?,
            lse: t.output("figures.out_lse", f.out_lse)?,
            max: t.output("figures.out_max", f.out_max)?,
            argmax: t.output("figures.out_argmax", f.out_argmax)?,
            entropy: t.output("figures.out_entropy", f.out_entropy)?,
            log_sum_sq: t.output("figures.out_log_sum_sq", f.out_log_sum_sq)?,
            is_top1: t.output("figures.out_is_top1", f.out_is_top1)?,
            stats: t.output("figures.out_stats", f.out_stats)?,
            status: t.output("figures.out_status", f.out_status)?,
        })
    }
    pub(crate) fn view<'a>(self, ok: &'a Checked, tokens: &Leading) -> Result<Figures<'a>> {
        Ok(Figures {
            logprob: self.logprob.tokens(ok, tokens)?,
            lse: self.lse.tokens(ok, tokens)?,
            max: self.max.tokens(ok, tokens)?,
            argmax: self.argmax.tokens(ok, tokens)?,
            entropy: self.entropy.tokens(ok, tokens)?,
            log_sum_sq: self.log_sum_sq.tokens(ok, tokens)?,
            is_top1: self.is_top1.tokens(ok, tokens)?,
            stats: self.stats.rows(ok, tokens)?,
            status: self.status.tokens(ok, tokens)?,
        })
    }
}

/// The tensors of `truing_row_upstream`.
pub(crate) struct UpstreamTensors {
    logprob: Input,
    lse: Input,
    entropy: Input,
    scale: f64,
}
impl UpstreamTensors {
    pub(crate) fn parse(t: &mut Tensors, upstream: &truing_row_upstream, flags: u64) -> Result<Self> {
        unavailable!("upstream", upstream; grad_extra, grad_row_loss, grad_loss, extra_ids);
        Ok(UpstreamTensors {
            logprob: t.input("upstream.grad_logprob", upstream.grad_logprob)?,
            lse: t.input("upstream.grad_lse", upstream.grad_lse)?,
            entropy: t.input("upstream.grad_entropy", upstream.grad_entropy)?,
            scale: grad_scale(upstream.grad_scale, flags),
        })
    }
    pub(crate) fn view<'a>(&self, ok: &'a Checked, tokens: &Leading) -> Result<Upstream<'a>> {
        Ok(Upstream {
            logprob: self.logprob.tokens(ok, tokens)?,
            lse: self.lse.tokens(ok, tokens)?,
            entropy: self.entropy.tokens(ok, tokens)?,
            scale: self.scale,
        })
    }
}

/// Saved statistics, left out where the caller wants them recomputed.
pub(crate) fn stats(t: &mut Tensors, stats: *const truing_tensor, flags: u64) -> Result<Input> {
    let given = if flags & TRUING_RECOMPUTE == 0 { stats } else { core::ptr::null() };
    t.input("stats", given)
}

/// Refuses a sampling support.
pub(crate) fn support(support: &truing_support) -> Result<()> {
    unavailable!("support", support;
        kind, bitmask, ids, id_offsets, top_p, min_p, top_k,
        preset, ties, top_p_edge, target_outside);
    Ok(())
}

/// Refuses options of the row loss.
pub(crate) fn row_loss(row_loss: &truing_row_loss) -> Result<()> {
    unavailable!("row_loss", row_loss;
        class_weight, external_scale, label_smoothing, z_loss, eaft_alpha,
        normaliser, smoothing_form, token_scaling, reduction);
    Ok(())
}
