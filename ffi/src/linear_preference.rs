//! `truing_linear_preference_forward`: hidden states to preference loss and gradients.
use crate::abi::*;
use crate::boundary::{element_size, grad_scale, guard, idle, sizes, unknown};
use crate::context::Lent;
use crate::linear_logprob::{HeadTensors, rounding};
use crate::logprob::{self, RowTensors, support};
use crate::preference::{GroupTensors, OutputTensors, TERMS, terms};
use crate::sequence::{self, SCORE_FLAGS, segments};
use crate::tensor::{Call, Checked, Input, Leading, Tensors};
use truing_core::catalog::MAX_PARAMS;
use truing_core::linear_logprob::Rounding;
use truing_core::linear_preference::{
    Divergence, Inputs, Options, Outputs, Phase, Problem, RefHead, Scope, SideDivisor, SideTerm, Wpo,
};
use truing_core::logprob::{Transform, TransformInputs};
use truing_core::preference::Items;
use truing_core::{Error, Result, Value};
use truing_cpu::linear_logprob::Grads;

const FLAGS: u64 = crate::preference::FLAGS
    | logprob::BACKWARD_FLAGS
    | SCORE_FLAGS
    | TRUING_ACCUMULATE_HIDDEN
    | TRUING_ACCUMULATE_WEIGHT;

/// Preference loss of hidden states and a head, and the gradients of both, without a logits tensor; see
/// `truing_linear_preference_args`.
///
/// # Safety
/// `args` is NULL or points to `struct_size` readable bytes. What its fields describe is readable, what its outputs
/// describe and the workspace are writable, and nobody else writes to any of it during the call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_linear_preference_forward(args: *const truing_linear_preference_args) -> truing_status {
    guard("truing_linear_preference_forward", || {
        // SAFETY: this function's contract.
        unsafe {
            parse(args, |context, problem, inputs, outputs, grads, workspace| {
                truing_cpu::linear_preference::forward(context, problem, inputs, outputs, grads, workspace)
            })
        }
    })
}

/// Bytes of workspace for `truing_linear_preference_forward`.
///
/// # Safety
/// As for `truing_linear_preference_forward`; `minimum` and `preferred` are NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_linear_preference_forward_workspace_size(
    args: *const truing_linear_preference_args,
    minimum: *mut usize,
    preferred: *mut usize,
) -> truing_status {
    guard("truing_linear_preference_forward_workspace_size", || {
        // SAFETY: this function's contract.
        unsafe {
            parse(args, |context, problem, inputs, _, grads, _| {
                problem.linear().check_operands(&inputs.hidden, &inputs.weight)?;
                let need = truing_cpu::linear_preference::workspace_for(
                    context,
                    problem,
                    inputs.hidden.dtype(),
                    inputs.weight.dtype(),
                    &grads,
                );
                sizes(minimum, preferred, (need.minimum, need.preferred))
            })
        }
    })
}

/// # Safety
/// As for [`Call::open`].
unsafe fn parse(
    args: *const truing_linear_preference_args,
    run: impl FnOnce(&Lent, &Problem<'_>, &Inputs<'_>, Outputs<'_>, Grads<'_>, &mut [u8]) -> Result<()>,
) -> Result<()> {
    // SAFETY: this function's contract.
    let Call { args, context, tensors: mut t, workspace } = unsafe { Call::open(args, FLAGS) }?;
    let transform = &args.head.transform;
    support(&args.support)?;
    element_size::<truing_preference_term>("extra_term_size", args.extra_term_size)?;
    let phase = match args.phase {
        TRUING_PHASE_SINGLE => Phase::Single,
        TRUING_PHASE_FIGURES => Phase::Figures,
        TRUING_PHASE_WITH_COEFFICIENTS => Phase::WithCoefficients,
        other => return unknown("phase", other, "TRUING_PHASE_*"),
    };
    let head = HeadTensors::parse(&mut t, &args.head)?;
    let rows = RowTensors::with_sequences(&mut t, &args.rows)?;
    let cu_seqlens = t.input("rows.cu_seqlens", args.rows.cu_seqlens)?;
    let token_weights = t.input("score.token_weights", args.score.token_weights)?;
    let ld_prefix = t.input("score.ld_prefix", args.score.ld_prefix)?;
    let ref_head = RefHeadTensors::parse(&mut t, &args.ref_head, transform.n_valid_vocab)?;
    let side_mask = t.input("side_term.mask", args.side_term.mask)?;
    let ref_logps = t.input("ref_logps", args.ref_logps)?;
    let ref_scores = t.input("ref_scores", args.ref_scores)?;
    let groups = GroupTensors::parse(&mut t, &args.groups)?;
    let score_coefficients = t.input("score_coefficients", args.score_coefficients)?;
    let kl_coefficients = t.input("kl_coefficients", args.kl_coefficients)?;
    let stats = logprob::stats(&mut t, args.stats, args.flags)?;
    let pair_stats = logprob::saved(&mut t, "pair_stats", args.pair_stats, args.flags)?;
    let grad_output = t.input("grad_output", args.grad_output)?;
    let grads = head.grads(&mut t, &args.grads, args.flags)?;
    let logps = t.output("out_logps", args.out_logps)?;
    let scores = t.output("out_scores", args.out_scores)?;
    let counts = t.output("out_counts", args.out_counts)?;
    let out_ref_scores = t.output("out_ref_scores", args.out_ref_scores)?;
    let out_kl = t.output("out_kl", args.out_kl)?;
    let out_side = t.output("out_side_term", args.out_side_term)?;
    let out_stats = t.output("out_stats", args.out_stats)?;
    let out_pair_stats = t.output("out_pair_stats", args.out_pair_stats)?;
    let row_status = t.output("out_row_status", args.out_row_status)?;
    let outputs = OutputTensors::parse(&mut t, &args.items, &args.outputs)?;
    let options = Options {
        logprob: logprob::options(&args.head.transform, &args.rows, args.flags)?,
        score: sequence::options(&args.score, args.flags)?,
        skip_flagged: args.flags & TRUING_SKIP_FLAGGED != 0,
        phase,
        side: side(&args.side_term)?,
        reference: ref_head.options(&args.ref_head, &args.rows, args.flags)?,
        kl: match phase {
            Phase::Single => false,
            Phase::Figures => out_kl.is_some() || out_pair_stats.is_some(),
            Phase::WithCoefficients => kl_coefficients.is_some(),
        },
        wpo: match args.wpo {
            0 => None,
            TRUING_WPO_TRL => Some(Wpo::Trl),
            TRUING_WPO_PLAIN => Some(Wpo::Plain),
            other => return unknown("wpo", other, "0 or TRUING_WPO_*"),
        },
    };

    let ok = &t.check()?;
    let mut params = [[0.0; MAX_PARAMS]; TERMS];
    let terms = match phase {
        // SAFETY: the host arrays of a call are readable, by this function's contract.
        Phase::Single => Some(unsafe { terms(&args.loss, args.extra_terms, args.num_extra_terms, &mut params) }?),
        // The terms are not evaluated, so they are not looked at.
        _ => None,
    };
    let terms = terms.as_ref().map_or(&[][..], |t| t.get());
    let items = match terms {
        [] => Items::Rows,
        terms => groups.items(terms, options.side.is_some_and(|side| side.scope == Scope::Anchor), ok)?,
    };
    let (_, segments) = segments("rows.target", rows.dims(), &cu_seqlens, ok)?;
    let shape = head.shape()?;
    let tokens = &head.tokens();
    let (hidden, weight) = head.operands(ok, tokens)?;
    let [own, reference] = roundings(&args.head, &args.ref_head)?;
    let problem = Problem::new(shape, segments, items, terms, options)?.rounded(own, reference);
    let inputs = Inputs {
        hidden,
        weight,
        transform: head.transform.view(ok, tokens)?,
        rows: rows.view(ok, tokens)?,
        token_weights: token_weights.tokens(ok, tokens)?,
        ld_prefix: ld_prefix.list(ok)?,
        ref_logps: ref_logps.tokens(ok, tokens)?,
        ref_scores: ref_scores.list(ok)?,
        ref_head: ref_head.view(ok, tokens)?,
        side_mask: side_mask.tokens(ok, tokens)?,
        groups: groups.view(ok)?,
        score_coefficients: score_coefficients.list(ok)?,
        kl_coefficients: kl_coefficients.list(ok)?,
        stats: stats.rows(ok, tokens)?,
        pair_stats: pair_stats.rows(ok, tokens)?,
        grad_output: grad_output.list(ok)?,
        grad_scale: grad_scale(args.grad_scale, args.flags),
    };
    let outputs = Outputs {
        logps: logps.tokens(ok, tokens)?,
        scores: scores.list(ok)?,
        counts: counts.list(ok)?,
        ref_scores: out_ref_scores.list(ok)?,
        kl: out_kl.list(ok)?,
        side: out_side.scalar(ok)?,
        stats: out_stats.rows(ok, tokens)?,
        pair_stats: out_pair_stats.rows(ok, tokens)?,
        row_status: row_status.tokens(ok, tokens)?,
        preference: outputs.view(ok)?,
    };
    run(&context, &problem, &inputs, outputs, grads.view(ok, tokens)?, workspace.bytes(ok))
}

/// The tensors of a reference head.
pub(crate) struct RefHeadTensors {
    hidden: Input,
    weight: Input,
    bias: Input,
    row_temperature: Input,
}
impl RefHeadTensors {
    /// `n_valid_vocab`: that of the policy's head.
    pub(crate) fn parse(t: &mut Tensors, head: &truing_head, n_valid_vocab: i64) -> Result<RefHeadTensors> {
        let transform = &head.transform;
        if head.hidden.is_null() {
            let nothing = "0 or NULL without ref_head.hidden";
            idle("ref_head.weight", &head.weight, nothing)?;
            idle("ref_head.transform.bias", &transform.bias, nothing)?;
            idle("ref_head.transform.row_temperature", &transform.row_temperature, nothing)?;
            idle("ref_head.transform.temperature", &transform.temperature, nothing)?;
            idle("ref_head.transform.logit_scale", &transform.logit_scale, nothing)?;
            idle("ref_head.transform.softcap", &transform.softcap, nothing)?;
            idle("ref_head.transform.logit_round", &transform.logit_round, nothing)?;
        }
        if transform.n_valid_vocab != n_valid_vocab {
            idle("ref_head.transform.n_valid_vocab", &transform.n_valid_vocab, "0, or that of the policy's head")?;
        }
        Ok(RefHeadTensors {
            hidden: t.input("ref_head.hidden", head.hidden)?,
            weight: t.input("ref_head.weight", head.weight)?.ndim(2, 2, "2 dimensions, [V, D]")?,
            bias: t.input("ref_head.transform.bias", transform.bias)?,
            row_temperature: t.input("ref_head.transform.row_temperature", transform.row_temperature)?,
        })
    }
    /// Its hidden size and transform.
    pub(crate) fn options(
        &self,
        head: &truing_head,
        rows: &truing_rows,
        flags: u64,
    ) -> Result<Option<(usize, Transform)>> {
        match self.hidden.dims() {
            [] => Ok(None),
            dims => Ok(Some((dims[dims.len() - 1], logprob::options(&head.transform, rows, flags)?.transform))),
        }
    }
    /// The data.
    pub(crate) fn view<'a>(&self, ok: &'a Checked, tokens: &Leading) -> Result<Option<RefHead<'a>>> {
        match (self.hidden.rows(ok, tokens)?, self.weight.matrix(ok)?) {
            (Some(hidden), Some(weight)) => {
                let (bias, row_temperature) = (self.bias.list(ok)?, self.row_temperature.tokens(ok, tokens)?);
                Ok(Some(RefHead { hidden, weight, transform: TransformInputs { bias, row_temperature } }))
            }
            (Some(_), None) => {
                let expected = Value::Text("[V, D] beside ref_head.hidden");
                Err(Error::invalid("ref_head.weight", Value::Text("NULL"), expected))
            }
            (None, _) => Ok(None),
        }
    }
}

/// What the logits of the policy's head and of the reference's are rounded to.
pub(crate) fn roundings(head: &truing_head, ref_head: &truing_head) -> Result<[Rounding; 2]> {
    Ok([
        rounding("transform.logit_round", head.transform.logit_round)?,
        rounding("ref_head.transform.logit_round", ref_head.transform.logit_round)?,
    ])
}

/// The KL of two heads' rows; 0 is none.
pub(crate) fn divergence(field: &'static str, kind: truing_divergence_kind) -> Result<Option<Divergence>> {
    match kind {
        0 => Ok(None),
        TRUING_DIVERGENCE_FORWARD_KL => Ok(Some(Divergence::Forward)),
        TRUING_DIVERGENCE_REVERSE_KL => Ok(Some(Divergence::Reverse)),
        other => unknown(field, other, "TRUING_DIVERGENCE_FORWARD_KL or TRUING_DIVERGENCE_REVERSE_KL"),
    }
}
/// The side term that a struct asks for; a `coef` of 0 is none.
fn side(t: &truing_side_term) -> Result<Option<SideTerm>> {
    if t.coef == 0.0 {
        idle("side_term.mask", &t.mask, "NULL without a coef")?;
        idle("side_term.normaliser", &t.normaliser, "0 without a coef")?;
        idle("side_term.divisor", &t.divisor, "0 without a coef")?;
        idle("side_term.scope", &t.scope, "0 without a coef")?;
        idle("side_term.divergence", &t.divergence, "0 without a coef")?;
        return Ok(None);
    }
    if t.divisor != TRUING_SIDE_DIVISOR_EXTERNAL {
        idle("side_term.normaliser", &t.normaliser, "0 without TRUING_SIDE_DIVISOR_EXTERNAL")?;
    }
    Ok(Some(SideTerm {
        coef: t.coef,
        scope: match t.scope {
            TRUING_SIDE_CHOSEN => Scope::Chosen,
            TRUING_SIDE_ANCHOR => Scope::Anchor,
            TRUING_SIDE_MASKED => Scope::Masked,
            other => return unknown("side_term.scope", other, "TRUING_SIDE_CHOSEN, ANCHOR or MASKED"),
        },
        divisor: match t.divisor {
            TRUING_SIDE_DIVISOR_POOLED => SideDivisor::Pooled,
            TRUING_SIDE_DIVISOR_ROW_MEAN => SideDivisor::RowMean,
            TRUING_SIDE_DIVISOR_EXTERNAL => SideDivisor::External(t.normaliser),
            TRUING_SIDE_DIVISOR_ITEM_SUM => SideDivisor::ItemSum,
            other => return unknown("side_term.divisor", other, "TRUING_SIDE_DIVISOR_*"),
        },
        divergence: divergence("side_term.divergence", t.divergence)?,
    }))
}
