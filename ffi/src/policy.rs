//! `truing_policy_forward`: token log-probs to policy loss, figures and gradients.
use crate::abi::*;
use crate::boundary::{element_size, grad_scale, guard, idle, sizes, unavailable, unknown};
use crate::context::Lent;
use crate::preference::params;
use crate::sequence::segments;
use crate::tensor::{Call, Leading};
use truing_core::catalog::MAX_PARAMS;
use truing_core::policy::{
    Advantage, Aggregate, CountEmpty, Estimator, EstimatorGradient, EstimatorWeight, Inputs, Level, Mode, Options,
    Outputs, Problem,
};
use truing_core::sequence::Segments;
use truing_core::{Error, Result, Value};

const FLAGS: u64 = TRUING_STRICT | TRUING_HAS_GRAD_SCALE;

/// Loss, figures and gradients of token log-probs; see `truing_policy_forward_args`.
///
/// # Safety
/// `args` is NULL or points to `struct_size` readable bytes. What its fields describe is readable, what its outputs
/// describe is writable, and nobody else writes to any of it during the call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_policy_forward(args: *const truing_policy_forward_args) -> truing_status {
    guard("truing_policy_forward", || {
        // SAFETY: this function's contract.
        unsafe {
            parse(args, |context, problem, inputs, outputs, workspace| {
                truing_cpu::policy::forward(context, problem, inputs, outputs, workspace)
            })
        }
    })
}

/// Bytes of workspace for `truing_policy_forward`.
///
/// # Safety
/// As for `truing_policy_forward`; `minimum` and `preferred` are NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_policy_forward_workspace_size(
    args: *const truing_policy_forward_args,
    minimum: *mut usize,
    preferred: *mut usize,
) -> truing_status {
    guard("truing_policy_forward_workspace_size", || {
        // SAFETY: this function's contract.
        unsafe {
            parse(args, |context, problem, _, _, _| {
                let need = truing_cpu::policy::workspace(context, problem);
                sizes(minimum, preferred, (need.minimum, need.preferred))
            })
        }
    })
}

/// # Safety
/// As for [`Call::open`].
unsafe fn parse(
    args: *const truing_policy_forward_args,
    run: impl FnOnce(&Lent, &Problem<'_>, &Inputs<'_>, Outputs<'_>, &mut [u8]) -> Result<()>,
) -> Result<()> {
    // SAFETY: this function's contract.
    let Call { args, context, tensors: mut t, workspace } = unsafe { Call::open(args, FLAGS) }?;
    let inputs = &args.inputs;
    unavailable!(args; entropy, grad_entropy_out, outputs.grad_log_z_out);
    unavailable!("inputs", inputs; sampler, kl_ref, flag, log_z, keep, sequence_keep, entropy_mask, kl_mask, token_weights,
        importance_weight, group_offsets, extra_terms, num_extra_terms, entropy_coef);
    element_size::<truing_policy_term>("inputs.extra_term_size", inputs.extra_term_size)?;
    let bonus = &inputs.entropy_aggregate;
    unavailable!("inputs.entropy_aggregate", bonus; normaliser, max_length, mode, count_empty, denominator);
    let mut place = [0.0; MAX_PARAMS];
    // SAFETY: the host array of a loss is readable, by this function's contract.
    let options = unsafe { options(inputs, &mut place) }?;
    let logps = t.required("logps", args.logps)?;
    let old = t.input("inputs.old", inputs.old)?;
    let reference = t.input("inputs.ref", inputs.r#ref)?;
    let advantage = t.input("inputs.advantage", inputs.advantage)?;
    let mask = t.input("inputs.mask", inputs.mask)?;
    let cu_seqlens = t.input("inputs.cu_seqlens", inputs.cu_seqlens)?;
    let grad_output = t.input("grad_output", args.grad_output)?;
    let loss = t.output("outputs.out_loss", args.outputs.out_loss)?;
    let values = t.output("outputs.out_values", args.outputs.out_values)?;
    let kl = t.output("outputs.out_kl", args.outputs.out_kl)?;
    let terms = t.output("outputs.out_terms", args.outputs.out_terms)?;
    let statistics = t.output("outputs.out_statistics", args.outputs.out_statistics)?;
    let token_status = t.output("outputs.out_token_status", args.outputs.out_token_status)?;
    let sequence_status = t.output("outputs.out_sequence_status", args.outputs.out_sequence_status)?;
    let counters = t.output("outputs.out_counters", args.outputs.out_counters)?;
    let grad_logps = t.output("grad_logps_out", args.grad_logps_out)?;

    let ok = &t.check()?;
    let (count, segments) = segments("logps", logps.dims(), &cu_seqlens, ok)?;
    let tokens = &Leading::new(logps.dims());
    if !advantage.is_some() {
        idle("inputs.advantage_level", &inputs.advantage_level, "0 without an advantage")?;
    }
    let advantage = match advantage_level(
        ["inputs.advantage", "inputs.advantage_level"],
        inputs.advantage_level,
        advantage.dims(),
        count,
        &segments,
    )? {
        Level::Token => advantage.tokens(ok, tokens)?.map(Advantage::Token),
        Level::Sequence => advantage.list(ok)?.map(Advantage::Sequence),
    };
    let inputs = Inputs {
        logps: logps.tokens(ok, tokens)?.expect("required"),
        old: old.tokens(ok, tokens)?,
        reference: reference.tokens(ok, tokens)?,
        advantage,
        mask: mask.tokens(ok, tokens)?,
        grad_output: grad_output.scalar(ok)?,
        grad_scale: grad_scale(args.grad_scale, args.flags),
    };
    let outputs = Outputs {
        loss: loss.scalar(ok)?,
        values: if values.dims().len() == 2 { values.tokens(ok, tokens)? } else { values.list(ok)? },
        kl: kl.tokens(ok, tokens)?,
        terms: terms.array(ok)?,
        grad_logps: grad_logps.tokens(ok, tokens)?,
        statistics: statistics.array(ok)?,
        token_status: token_status.tokens(ok, tokens)?,
        sequence_status: sequence_status.list(ok)?,
        counters: counters.array(ok)?,
    };
    let problem = Problem::new(count, segments, options)?;
    run(&context, &problem, &inputs, outputs, workspace.bytes(ok))
}

/// Whether an advantage of these dimensions is `[N]` or `[B]`. Padded tokens are told by the number of dimensions, packed
/// ones by the number of elements; where that is both and not every sequence is one token long, the caller must say.
pub(crate) fn advantage_level(
    fields: [&'static str; 2],
    given: truing_level,
    dims: &[usize],
    tokens: usize,
    segments: &Segments<'_>,
) -> Result<Level> {
    match given {
        0 => {}
        TRUING_LEVEL_TOKEN => return Ok(Level::Token),
        TRUING_LEVEL_SEQUENCE => return Ok(Level::Sequence),
        other => return unknown(fields[1], other, "TRUING_LEVEL_*, or 0: by the shape"),
    }
    let by = |token| if token { Level::Token } else { Level::Sequence };
    let Segments::Packed(cu) = segments else { return Ok(by(dims.len() == 2)) };
    let [n] = *dims else { return Ok(by(dims.len() == 2)) };
    if n == tokens && cu.rows() == tokens + 1 && (0..tokens).any(|i| cu.get(i).checked_add(1) != Some(cu.get(i + 1))) {
        let got = Value::Text("one element a token and one a sequence");
        return Err(Error::invalid(fields[0], got, Value::Text("advantage_level, where N is B")));
    }
    Ok(by(n == tokens))
}

/// The settings of a call.
///
/// # Safety
/// The parameters of the loss are readable.
unsafe fn options<'a>(inputs: &truing_policy_inputs, place: &'a mut [f64; MAX_PARAMS]) -> Result<Options<'a>> {
    let loss = &inputs.loss;
    unavailable!("inputs.loss", loss; variant, weight, normaliser, map, map_alpha, map_max_exponent, reduction, score_kind, flags);
    // SAFETY: this function's contract.
    let params = unsafe { params(loss, place) }?;
    Ok(Options {
        loss: loss.id,
        params,
        kl: estimator(&inputs.kl)?,
        aggregate: aggregate(&inputs.aggregate)?,
        level: match inputs.level {
            TRUING_LEVEL_TOKEN => Level::Token,
            TRUING_LEVEL_SEQUENCE => Level::Sequence,
            other => return unknown("inputs.level", other, "TRUING_LEVEL_*"),
        },
    })
}

fn estimator(kl: &truing_estimator) -> Result<Option<Estimator>> {
    unavailable!("inputs.kl", kl; input_clamp_mode, ratio_source, stage, divergence, input_clamp, output_clamp, ratio_max);
    if kl.id == 0 {
        if kl.weight != 0 || kl.gradient != 0 || kl.coef != 0.0 {
            return Err(Error::invalid(
                "inputs.kl.id",
                Value::Int(0),
                Value::Text("an estimator, as other fields of kl are set"),
            ));
        }
        return Ok(None);
    }
    Ok(Some(Estimator {
        id: kl.id,
        weight: match kl.weight {
            TRUING_ESTIMATOR_ONE => EstimatorWeight::One,
            TRUING_ESTIMATOR_SCORE => EstimatorWeight::Score,
            TRUING_ESTIMATOR_RATIO => EstimatorWeight::Ratio,
            other => return unknown("inputs.kl.weight", other, "TRUING_ESTIMATOR_ONE, _SCORE or _RATIO"),
        },
        gradient: match kl.gradient {
            TRUING_GRADIENT_PATHWISE => EstimatorGradient::Pathwise,
            TRUING_GRADIENT_STRAIGHT_THROUGH => EstimatorGradient::StraightThrough,
            other => return unknown("inputs.kl.gradient", other, "TRUING_GRADIENT_PATHWISE or _STRAIGHT_THROUGH"),
        },
        coef: kl.coef,
    }))
}

fn aggregate(a: &truing_aggregate) -> Result<Aggregate> {
    let denominator = if a.denominator == TRUING_DENOMINATOR_ORIGINAL { 0 } else { a.denominator };
    crate::boundary::unserved("inputs.aggregate.denominator", &denominator)?;
    Ok(Aggregate {
        mode: match a.mode {
            TRUING_AGGREGATE_TOKEN_MEAN => Mode::TokenMean,
            TRUING_AGGREGATE_SEQ_MEAN_TOKEN_MEAN => Mode::SeqMeanTokenMean,
            TRUING_AGGREGATE_SEQ_MEAN_TOKEN_SUM => Mode::SeqMeanTokenSum,
            TRUING_AGGREGATE_SEQ_MEAN_TOKEN_SUM_NORM => Mode::SeqMeanTokenSumNorm,
            TRUING_AGGREGATE_TOKEN_SUM => Mode::TokenSum,
            TRUING_AGGREGATE_SEQ_MEAN => Mode::SeqMean,
            other => {
                return unknown("inputs.aggregate.mode", other, "TRUING_AGGREGATE_*, weighted_mean and none excepted");
            }
        },
        normaliser: a.normaliser,
        max_length: a.max_length,
        count_empty: match a.count_empty {
            0 => None,
            TRUING_COUNT_ALL => Some(CountEmpty::All),
            TRUING_COUNT_NONEMPTY => Some(CountEmpty::Nonempty),
            other => {
                return unknown("inputs.aggregate.count_empty", other, "TRUING_COUNT_*, or 0 for the token_ modes");
            }
        },
    })
}
