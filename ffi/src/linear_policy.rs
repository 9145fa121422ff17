//! `truing_linear_policy_forward`: hidden states to policy loss and gradients.
use crate::abi::*;
use crate::boundary::{grad_scale, guard, sizes, unknown};
use crate::context::Lent;
use crate::linear_logprob::HeadTensors;
use crate::linear_preference::{RefHeadTensors, divergence, roundings};
use crate::logprob::{self, RowTensors};
use crate::policy::{Beside, PolicyPlaces, PolicyTensors, options, terms, upstream};
use crate::preference::TERMS;
use crate::sequence::segments;
use crate::support::SupportTensors;
use crate::tensor::{Call, Input};
use truing_core::catalog::MAX_PARAMS;
use truing_core::linear_policy::{Inputs, Options, Outputs, Phase, Problem};
use truing_core::policy::{Aggregate, Level, Mode, TermInputs};
use truing_core::{Error, Result, Value, policy};
use truing_cpu::linear_logprob::Grads;

const FLAGS: u64 = logprob::BACKWARD_FLAGS | TRUING_ACCUMULATE_HIDDEN | TRUING_ACCUMULATE_WEIGHT;

/// Policy loss of hidden states and a head, and the gradients of both, without a logits tensor; see
/// `truing_linear_policy_args`.
///
/// # Safety
/// `args` is NULL or points to `struct_size` readable bytes. What its fields describe is readable, what its outputs
/// describe and the workspace are writable, and nobody else writes to any of it during the call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_linear_policy_forward(args: *const truing_linear_policy_args) -> truing_status {
    guard("truing_linear_policy_forward", || {
        // SAFETY: this function's contract.
        unsafe {
            parse(args, |context, problem, inputs, outputs, grads, workspace| {
                truing_cpu::linear_policy::forward(context, problem, inputs, outputs, grads, workspace)
            })
        }
    })
}

/// Bytes of workspace for `truing_linear_policy_forward`.
///
/// # Safety
/// As for `truing_linear_policy_forward`; `minimum` and `preferred` are NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_linear_policy_forward_workspace_size(
    args: *const truing_linear_policy_args,
    minimum: *mut usize,
    preferred: *mut usize,
) -> truing_status {
    guard("truing_linear_policy_forward_workspace_size", || {
        // SAFETY: this function's contract.
        unsafe {
            parse(args, |context, problem, inputs, _, grads, _| {
                problem.linear().check_operands(&inputs.hidden, &inputs.weight)?;
                let (hidden, weight) = (inputs.hidden.dtype(), inputs.weight.dtype());
                let need = truing_cpu::linear_policy::workspace_for(context, problem, hidden, weight, &grads);
                sizes(minimum, preferred, (need.minimum, need.preferred))
            })
        }
    })
}

/// The one of two places for the same tensor that is given.
fn one<'a>(field: &'static str, a: &'a Input, b: &'a Input, expected: &'static str) -> Result<&'a Input> {
    match (a.is_some(), b.is_some()) {
        (true, true) => Err(Error::invalid(field, Value::Text("a tensor"), Value::Text(expected))),
        (true, false) => Ok(a),
        _ => Ok(b),
    }
}

/// # Safety
/// As for [`Call::open`].
unsafe fn parse(
    args: *const truing_linear_policy_args,
    run: impl FnOnce(&Lent, &Problem<'_>, &Inputs<'_>, Outputs<'_>, Grads<'_>, &mut [u8]) -> Result<()>,
) -> Result<()> {
    // SAFETY: this function's contract.
    let Call { args, context, tensors: mut t, workspace } = unsafe { Call::open(args, FLAGS) }?;
    let phase = match args.phase {
        TRUING_PHASE_SINGLE => Phase::Single,
        TRUING_PHASE_FIGURES => Phase::Figures,
        TRUING_PHASE_WITH_COEFFICIENTS => Phase::WithCoefficients,
        other => return unknown("phase", other, "TRUING_PHASE_*"),
    };
    let head = HeadTensors::parse(&mut t, &args.head)?;
    let support = SupportTensors::parse(&mut t, &args.support)?;
    let ref_head = RefHeadTensors::parse(&mut t, &args.ref_head, args.head.transform.n_valid_vocab)?;
    let rows = RowTensors::with_sequences(&mut t, &args.rows)?;
    let row_offsets = t.input("rows.cu_seqlens", args.rows.cu_seqlens)?;
    let mut place = [[0.0; MAX_PARAMS]; TERMS];
    // The loss is not evaluated in other phases, so it is not looked at.
    let losses = match phase {
        // SAFETY: the host arrays of a call are readable, by this function's contract.
        Phase::Single => Some(unsafe { terms(&args.inputs, &mut place) }?),
        _ => None,
    };
    let inputs = PolicyTensors::parse(&mut t, &args.inputs, losses.as_ref().map_or(&[], |(_, own)| own))?;
    let logp_coefficients = t.input("logp_coefficients", args.logp_coefficients)?;
    let entropy_coefficients = t.input("entropy_coefficients", args.entropy_coefficients)?;
    let kl_coefficients = t.input("kl_coefficients", args.kl_coefficients)?;
    let stats = logprob::stats(&mut t, args.stats, args.flags)?;
    let pair_stats = logprob::saved(&mut t, "pair_stats", args.pair_stats, args.flags)?;
    let grad_output = t.input("grad_output", args.grad_output)?;
    let grads = head.grads(&mut t, &args.grads, args.flags)?;
    let places = PolicyPlaces::parse(&mut t, &args.outputs)?;
    let logps = t.output("out_logps", args.out_logps)?;
    let entropy = t.output("out_entropy", args.out_entropy)?;
    let log_sum_sq = t.output("out_log_sum_sq", args.out_log_sum_sq)?;
    let out_stats = t.output("out_stats", args.out_stats)?;
    let out_pair_stats = t.output("out_pair_stats", args.out_pair_stats)?;
    let policy = match &losses {
        Some((terms, _)) => options(&args.inputs, terms, Beside::Heads)?,
        None => policy::Options::new(0, Level::Token, Aggregate::new(Mode::TokenMean)),
    };
    let mut options = Options {
        logprob: logprob::options(&args.head.transform, &args.rows, args.flags)?,
        policy,
        phase,
        reference: ref_head.options(&args.ref_head, &args.rows, args.flags)?,
        divergence: divergence("inputs.kl.divergence", args.inputs.kl.divergence)?,
        support: None,
    };

    let ok = &t.check()?;
    let offsets = one("inputs.cu_seqlens", &row_offsets, &inputs.cu_seqlens, "NULL beside rows.cu_seqlens")?;
    let (count, segments) = segments("rows.target", rows.dims(), offsets, ok)?;
    let shape = head.shape()?;
    let tokens = &head.tokens();
    let (hidden, weight) = head.operands(ok, tokens)?;
    options.support = match &support {
        Some(s) => s.view(ok, tokens).map(|over| Some((over.support, over.outside)))?,
        None => None,
    };
    options.policy.groups = if phase == Phase::Single { inputs.group_offsets.list(ok)? } else { None };
    let [own, reference] = roundings(&args.head, &args.ref_head)?;
    let problem = Problem::new(shape, segments, options)?.rounded(own, reference);
    let mut place = [TermInputs::default(); TERMS];
    let view = inputs.view(ok, tokens, count, &segments, &mut place)?;
    let mut rows = rows.view(ok, tokens)?;
    if rows.mask.is_some() && view.mask.is_some() {
        let expected = Value::Text("NULL beside rows.mask");
        return Err(Error::invalid("inputs.mask", Value::Text("a tensor"), expected));
    }
    rows.mask = rows.mask.or(view.mask);
    let inputs = Inputs {
        hidden,
        weight,
        transform: head.transform.view(ok, tokens)?,
        rows,
        policy: policy::Inputs {
            grad_output: upstream(&grad_output, &options.policy, ok, tokens)?,
            grad_scale: grad_scale(args.grad_scale, args.flags),
            ..view
        },
        ref_head: ref_head.view(ok, tokens)?,
        logp_coefficients: logp_coefficients.tokens(ok, tokens)?,
        entropy_coefficients: entropy_coefficients.tokens(ok, tokens)?,
        kl_coefficients: kl_coefficients.tokens(ok, tokens)?,
        stats: stats.rows(ok, tokens)?,
        pair_stats: pair_stats.rows(ok, tokens)?,
    };
    let outputs = Outputs {
        logps: logps.tokens(ok, tokens)?,
        entropy: entropy.tokens(ok, tokens)?,
        log_sum_sq: log_sum_sq.tokens(ok, tokens)?,
        stats: out_stats.rows(ok, tokens)?,
        pair_stats: out_pair_stats.rows(ok, tokens)?,
        policy: places.view(ok, tokens)?,
    };
    run(&context, &problem, &inputs, outputs, grads.view(ok, tokens)?, workspace.bytes(ok))
}
