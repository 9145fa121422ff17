//! From hidden states to a preference loss and its gradients. See [`truing_core::linear_preference`].
//!
//! Memory beyond inputs and outputs is the workspace alone: 61 bytes a row and 24 a sequence for what is kept between
//! the steps, and the largest of what the three steps need (the products' share depends on D and the threads, never on
//! N x V). 512 rows, D = 576, V = 49152, f32, one thread: at least about 1 MB, fastest with 7.3 MB; the logits alone would
//! be 100 MB. A call allocates nothing; a thread pool takes a few words of its own.
use crate::linear_logprob::{self as linear, Grads};
use crate::parallel::Context;
use crate::sequence::check_space;
use crate::{preference, sequence};
use truing_core::dtype::Dtype;
use truing_core::error::row;
use truing_core::linear_preference::{Inputs, Outputs, Phase, Problem};
use truing_core::logprob::{Figures, Rows, STATS, Upstream};
use truing_core::matrix::Workspace;
use truing_core::matrix::{Arena, Floats, FloatsMut, Mask, Matrix, MatrixMut};
use truing_core::{Error, Result, Value, preference as core_preference, sequence as core_sequence};

fn kept(problem: &Problem<'_>) -> usize {
    let (n, s) = (problem.linear().rows(), problem.sequence().sequences());
    // mask, logps, coefficients, row status, saved statistics; scores, their gradients, counts, status
    let (n4, s4) = (Arena::need::<u32>(n), Arena::need::<u32>(s));
    let rows = Arena::sum([n4, n4, n4, Arena::need::<f32>(n.saturating_mul(STATS)), Arena::need::<u8>(n)]);
    Arena::sum([rows, Arena::need::<f64>(s), Arena::need::<f64>(s), s4, s4])
}
/// Scratch memory of a call for operands of these types; every size from the minimum on gives the same bits.
pub fn workspace(context: &Context, problem: &Problem<'_>, hidden: Dtype, weight: Dtype) -> Workspace {
    let forward = linear::forward_workspace(context, problem.linear(), hidden, weight);
    let backward = linear::backward_workspace(context, problem.linear(), hidden, weight);
    let loss = problem.preference().map_or(0, |p| preference::workspace(context, p).minimum);
    let up = |x: usize| x.next_multiple_of(Arena::ALIGN);
    let kept = kept(problem);
    Workspace {
        minimum: Arena::sum([kept, up(forward.minimum.max(backward.minimum).max(loss))]),
        preferred: Arena::sum([kept, up(forward.preferred.max(backward.preferred).max(loss))]),
    }
}

fn check_grads(problem: &Problem<'_>, inputs: &Inputs<'_>, grads: &Grads<'_>) -> Result<()> {
    let p = problem.linear();
    let (n, d, v) = (p.rows(), p.hidden_size(), p.vocab());
    let own = inputs.weight.dtype();
    let places = [
        ("grads.grad_hidden_out", &grads.hidden, inputs.hidden.dtype(), n, d),
        ("grads.grad_weight_out", &grads.weight, own, v, d),
        ("grads.grad_bias_out", &grads.bias, inputs.transform.bias.map_or(own, |b| b.dtype()), v, 1),
    ];
    for (field, g, own, rows, cols) in places {
        let Some(g) = g else { continue };
        p.check_grad(field, (g.dtype(), g.layout()), own, rows, cols)?;
        if problem.phase() == Phase::Figures {
            return Err(Error::invalid(field, Value::Text("a tensor"), Value::Text("none in phase figures")));
        }
    }
    Ok(())
}

/// Loss, figures and gradients, as the phase says. `scratch` holds at least the minimum of [`workspace`], 64-byte
/// aligned. Nothing is written when an error is returned.
pub fn forward(
    context: &Context,
    problem: &Problem<'_>,
    inputs: &Inputs<'_>,
    mut out: Outputs<'_>,
    grads: Grads<'_>,
    scratch: &mut [u8],
) -> Result<()> {
    inputs.check(problem)?;
    out.check(problem)?;
    check_grads(problem, inputs, &grads)?;
    check_space(scratch, workspace(context, problem, inputs.hidden.dtype(), inputs.weight.dtype()))?;
    let (n, s) = (problem.linear().rows(), problem.sequence().sequences());
    let mut arena = Arena::new(scratch);
    let live = arena.take::<u8>(n)?;
    let logps = arena.take::<f32>(n)?;
    let coefficients = arena.take::<f32>(n)?;
    let row_status = arena.take::<u32>(n)?;
    let stats = arena.take::<f32>(n * STATS)?;
    let scores = arena.take::<f64>(s)?;
    let grad_scores = arena.take::<f64>(s)?;
    let counts = arena.take::<i32>(s)?;
    let sequence_status = arena.take::<u32>(s)?;
    let rest = arena.left() / Arena::ALIGN * Arena::ALIGN;
    let rest = arena.take::<u8>(rest)?;

    for (i, x) in live.iter_mut().enumerate() {
        *x = inputs.live(problem, i) as u8;
    }
    let weights = core_sequence::Weights {
        mask: Some(Mask::U8(Matrix::vector(live))),
        token_weights: inputs.token_weights,
        ld_prefix: inputs.ld_prefix,
    };
    weights.check(problem.sequence())?;
    if let Some(p) = problem.preference() {
        counts.fill(0);
        let mut probe = core_preference::Inputs::new(Floats::F64(Matrix::vector(scores)));
        (probe.ref_scores, probe.lengths) = (inputs.ref_scores, Some(Matrix::vector(counts)));
        (probe.groups, probe.grad_output, probe.grad_scale) = (inputs.groups, inputs.grad_output, inputs.grad_scale);
        probe.check(p)?;
    }

    let wanted = grads.hidden.is_some() || grads.weight.is_some() || grads.bias.is_some();
    let mut kept_stats = inputs.stats;
    if problem.phase() != Phase::WithCoefficients {
        let figures = Figures {
            logprob: Some(MatrixMut::vector(logps)),
            stats: Some(MatrixMut::contiguous(stats, n, STATS)?),
            status: Some(MatrixMut::vector(row_status)),
            ..Figures::default()
        };
        linear::forward(context, problem.linear(), products(inputs, live), figures, rest)?;
        let tokens =
            core_sequence::Inputs { logps: Floats::F32(Matrix::vector(logps)), ref_logps: inputs.ref_logps, weights };
        let places = core_sequence::Outputs {
            scores: Some(FloatsMut::F64(MatrixMut::vector(scores))),
            counts: Some(MatrixMut::vector(counts)),
            status: Some(MatrixMut::vector(sequence_status)),
            ..core_sequence::Outputs::default()
        };
        sequence::forward(context, problem.sequence(), &tokens, places, None)?;
        for (b, bits) in sequence_status.iter_mut().enumerate() {
            for i in problem.sequence().segments().range(b) {
                *bits |= row_status[i] & !row::IGNORED;
            }
        }
        copy(logps, &mut out.logps);
        copy(scores, &mut out.scores);
        copy(counts, &mut out.counts);
        copy(row_status, &mut out.row_status);
        if let Some(m) = &mut out.stats {
            (0..n).for_each(|i| m.row_mut(i).copy_from_slice(&stats[i * STATS..(i + 1) * STATS]));
        }
        kept_stats = Some(Matrix::contiguous(stats, n, STATS)?);
    }
    let mut factor = (None, 1.0);
    match (problem.preference(), &inputs.score_coefficients) {
        (Some(p), _) => {
            let mut place = out.preference.grad_scores.take();
            let own = (wanted || place.is_some()).then(|| FloatsMut::F64(MatrixMut::vector(grad_scores)));
            let places = core_preference::Outputs { grad_scores: own, ..out.preference };
            let mut given = core_preference::Inputs::new(Floats::F64(Matrix::vector(scores)));
            (given.ref_scores, given.lengths) = (inputs.ref_scores, Some(Matrix::vector(counts)));
            (given.groups, given.grad_output, given.grad_scale) =
                (inputs.groups, inputs.grad_output, inputs.grad_scale);
            given.sequence_status = Some(Matrix::vector(sequence_status));
            preference::run(context, p, &given, places, rest)?;
            if let Some(m) = &mut place {
                grad_scores.iter().enumerate().for_each(|(b, &g)| m.set(b, g));
            }
        }
        (None, Some(c)) => {
            grad_scores.iter_mut().enumerate().for_each(|(b, g)| *g = c.get(b));
            factor = (inputs.grad_output, inputs.grad_scale);
        }
        (None, None) => return Ok(()),
    }
    if !wanted {
        return Ok(());
    }
    let clamped = problem.sequence().options().clamp.is_some();
    let upstream = core_sequence::Upstream {
        logps: clamped.then_some(Floats::F32(Matrix::vector(logps))),
        ref_logps: if clamped { inputs.ref_logps } else { None },
        weights,
        grad_scores: Floats::F64(Matrix::vector(grad_scores)),
        grad_output: factor.0,
        grad_scale: factor.1,
    };
    let place = core_sequence::Grads { logps: Some(MatrixMut::vector(coefficients)), ref_logps: None };
    sequence::backward(context, problem.sequence(), &upstream, place)?;
    for (x, &g) in live.iter_mut().zip(&*coefficients) {
        *x = (*x != 0 && g != 0.0) as u8;
    }
    let upstream = Upstream { logprob: Some(Matrix::vector(coefficients)), ..Upstream::default() };
    let status = if problem.phase() == Phase::WithCoefficients { out.row_status } else { None };
    // a row whose coefficient is 0 is not read either
    linear::backward(context, problem.linear(), products(inputs, live), kept_stats, upstream, grads, status, rest)
}
fn products<'a>(inputs: &Inputs<'a>, live: &'a [u8]) -> linear::Inputs<'a> {
    linear::Inputs {
        hidden: inputs.hidden,
        weight: inputs.weight,
        transform: inputs.transform,
        rows: Rows { target: inputs.rows.target, mask: Some(Mask::U8(Matrix::vector(live))), ..Rows::default() },
    }
}
fn copy<T: truing_core::dtype::Element>(from: &[T], to: &mut Option<MatrixMut<'_, T>>) {
    if let Some(m) = to {
        from.iter().enumerate().for_each(|(i, &x)| m.set(i, x));
    }
}
