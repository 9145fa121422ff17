//! From hidden states to a policy loss and its gradients. See [`truing_core::linear_policy`].
//!
//! Built like [`crate::linear_preference`]: with a workspace above the minimum the call goes through groups of whole
//! sequences and keeps the f32 logits of a group between its forward and its backward, three products instead of four with
//! the same bits. The loss of all sequences is evaluated after each group, those of later groups on log-probs that are not
//! there yet; only what belongs to the group is used, and the last evaluation is that of everything.
use crate::linear_logprob::{self as linear, Cuts, ENOUGH, Grads, Group, Logits};
use crate::linear_preference::{PREFERRED, check_grads, copy};
use crate::parallel::Context;
use crate::policy;
use crate::sequence::check_space;
use truing_core::Result;
use truing_core::dtype::Dtype;
use truing_core::error::row;
use truing_core::linear_logprob::BLOCK;
use truing_core::linear_policy::{Inputs, Outputs, Phase, Problem};
use truing_core::logprob::{Figures, Rows, STATS, Upstream};
use truing_core::matrix::{Arena, Mask, Matrix, MatrixMut, Workspace};
use truing_core::policy as core_policy;

fn kept(problem: &Problem<'_>) -> usize {
    let n = problem.linear().rows();
    // log-probs, entropies, log sum p^2, both coefficients, row status; saved statistics; two masks
    let rows = Arena::need::<f32>(n).saturating_mul(6);
    let masks = Arena::need::<u8>(n).saturating_mul(2);
    Arena::sum([rows, Arena::need::<f32>(n.saturating_mul(STATS)), masks])
}
fn loss(context: &Context, problem: &Problem<'_>) -> usize {
    problem.policy().map_or(0, |p| policy::workspace(context, p).minimum)
}
/// Bytes of a group of up to `rows` live rows: kept logits, and what the steps need beside them.
fn group_need(context: &Context, problem: &Problem<'_>, [hidden, weight]: [Dtype; 2], rows: usize) -> usize {
    let p = problem.linear();
    let least = linear::backward_workspace(context, p, hidden, weight).minimum.max(loss(context, problem));
    let products = Logits::workspace(context, p, hidden, weight, rows);
    let steps = products.max(least.next_multiple_of(Arena::ALIGN));
    Arena::sum([Logits::need(context, p, hidden, weight, rows), steps])
}
/// Scratch memory of a call for operands of these types; every size from the minimum on gives the same bits.
pub fn workspace(context: &Context, problem: &Problem<'_>, hidden: Dtype, weight: Dtype) -> Workspace {
    let forward = linear::forward_workspace(context, problem.linear(), hidden, weight);
    let backward = linear::backward_workspace(context, problem.linear(), hidden, weight);
    let (loss, kept) = (loss(context, problem), kept(problem));
    let up = |x: usize| x.next_multiple_of(Arena::ALIGN);
    let mut preferred = forward.preferred.max(backward.preferred).max(loss);
    if problem.phase() == Phase::Single {
        let most = problem.linear().rows().min(BLOCK);
        let need = |rows| group_need(context, problem, [hidden, weight], rows);
        preferred = preferred.max(need(most).min(PREFERRED)).max(need(most.min(ENOUGH)));
    }
    Workspace {
        minimum: Arena::sum([kept, up(forward.minimum.max(backward.minimum).max(loss))]),
        preferred: Arena::sum([kept, up(preferred)]),
    }
}

/// Loss, figures and gradients, as the phase says. `scratch` holds at least the minimum of [`workspace`], 64-byte
/// aligned. Nothing is written when an error is returned.
pub fn forward(
    context: &Context,
    problem: &Problem<'_>,
    inputs: &Inputs<'_>,
    mut out: Outputs<'_>,
    mut grads: Grads<'_>,
    scratch: &mut [u8],
) -> Result<()> {
    inputs.check(problem)?;
    out.check(problem)?;
    let (hidden, weight) = (inputs.hidden.dtype(), inputs.weight.dtype());
    let bias = inputs.transform.bias.map(|b| b.dtype());
    check_grads(problem.linear(), problem.phase(), [hidden, weight], bias, &grads)?;
    check_space(scratch, workspace(context, problem, hidden, weight))?;
    let (n, s) = (problem.linear().rows(), problem.segments().sequences());
    let mut arena = Arena::new(scratch);
    let (live, read) = (arena.take::<u8>(n)?, arena.take::<u8>(n)?);
    let (logps, entropy, log_sum_sq) = (arena.take::<f32>(n)?, arena.take::<f32>(n)?, arena.take::<f32>(n)?);
    let (coefficients, of_entropy) = (arena.take::<f32>(n)?, arena.take::<f32>(n)?);
    let row_status = arena.take::<u32>(n)?;
    let stats = arena.take::<f32>(n * STATS)?;
    let rest = arena.left() / Arena::ALIGN * Arena::ALIGN;
    let rest = arena.take::<u8>(rest)?;

    for (i, x) in live.iter_mut().enumerate() {
        *x = inputs.live(problem, i) as u8;
    }
    let live = &*live;
    let second = problem.phase() == Phase::WithCoefficients;
    let bonus = problem.bonus();
    // rows whose turn has not come
    logps.fill(0.0);
    entropy.fill(0.0);
    row_status.fill(0);
    if let Some(p) = problem.policy() {
        inputs.loss(logps, bonus.then_some(&*entropy), live).check(p)?;
    }

    let wanted = grads.hidden.is_some() || grads.weight.is_some() || grads.bias.is_some();
    let by_entropy = bonus || inputs.entropy_coefficients.is_some();
    let weighs = grads.weight.is_some() || grads.bias.is_some();
    let mut cuts = Cuts { most: 0, several: grads.continues(), weight: weighs };
    if problem.phase() == Phase::Single && wanted {
        let count = live.iter().filter(|&&x| x != 0).count();
        cuts.most = Cuts::most(n, count, |rows| group_need(context, problem, [hidden, weight], rows) <= rest.len());
    }
    let segments = problem.segments();
    let (mut first, mut before) = (0, 0);
    loop {
        let count = |b: usize| segments.range(b).filter(|&i| live[i] != 0).count();
        let (end, most) = cuts.next(first, s, before, count, |b| b);
        let rows = if first < s { segments.start(first) } else { 0 }..if end < s { segments.start(end) } else { n };
        let mut arena = Arena::new(&mut *rest);
        let logits = match most {
            0 => None,
            rows => Some(Logits::new(context, problem.linear(), hidden, weight, rows, &mut arena)?),
        };
        let mut group = Group { rows: rows.clone(), before, logprob_only: out.stats.is_none() && !bonus, logits };
        let bytes = arena.left() / Arena::ALIGN * Arena::ALIGN;
        let space = arena.take::<u8>(bytes)?;

        let mut kept_stats = inputs.stats;
        if !second {
            let figures = Figures {
                logprob: Some(MatrixMut::vector(logps)),
                entropy: (bonus || out.entropy.is_some()).then(|| MatrixMut::vector(entropy)),
                log_sum_sq: out.log_sum_sq.is_some().then(|| MatrixMut::vector(log_sum_sq)),
                stats: Some(MatrixMut::contiguous(stats, n, STATS)?),
                status: Some(MatrixMut::vector(row_status)),
                ..Figures::default()
            };
            linear::forward_group(context, problem.linear(), products(inputs, live), &mut group, figures, space)?;
            kept_stats = Some(Matrix::contiguous(stats, n, STATS)?);
        }
        let done = end == s;
        if let Some(p) = problem.policy() {
            let given = inputs.loss(logps, bonus.then_some(&*entropy), live);
            let all = if done { core::mem::take(&mut out.policy) } else { Default::default() };
            let (mut place, mut place_of_entropy, mut status) = (all.grad_logps, all.grad_entropy, all.token_status);
            let places = core_policy::Outputs {
                grad_logps: (wanted || place.is_some()).then(|| MatrixMut::vector(coefficients)),
                grad_entropy: bonus.then(|| MatrixMut::vector(of_entropy)),
                token_status: status.as_mut().map(|m| m.reborrow()),
                ..all
            };
            policy::forward(context, p, &given, places, space)?;
            if done {
                copy(coefficients, &mut place);
                copy(of_entropy, &mut place_of_entropy);
                if let Some(m) = &mut status {
                    for (i, bits) in row_status.iter().enumerate() {
                        m.set(i, m.get(i) | bits);
                    }
                }
            }
        } else if second {
            let factor = inputs.policy.factor();
            let scaled = |g: f32| if g == 0.0 || factor == 0.0 { 0.0 } else { (g as f64 * factor) as f32 };
            for i in 0..n {
                coefficients[i] = inputs.logp_coefficients.map_or(0.0, |m| scaled(m.get(i)));
                of_entropy[i] = inputs.entropy_coefficients.map_or(0.0, |m| scaled(m.get(i)));
            }
        }
        if wanted {
            // a row whose coefficients are 0 is not read either
            for (i, x) in read.iter_mut().enumerate() {
                *x = (live[i] != 0 && (coefficients[i] != 0.0 || (by_entropy && of_entropy[i] != 0.0))) as u8;
            }
            let upstream = Upstream {
                logprob: Some(Matrix::vector(coefficients)),
                entropy: by_entropy.then(|| Matrix::vector(of_entropy)),
                ..Upstream::default()
            };
            let status = if second { out.policy.token_status.as_mut().map(|m| m.reborrow()) } else { None };
            let places = Grads {
                hidden: grads.hidden.as_mut().map(|g| g.reborrow()),
                weight: grads.weight.as_mut().map(|g| g.reborrow()),
                bias: grads.bias.as_mut().map(|g| g.reborrow()),
                ..grads
            };
            linear::backward_group(
                context,
                problem.linear(),
                products(inputs, read),
                &mut group,
                kept_stats,
                upstream,
                places,
                status,
                space,
            )?;
            before += read[rows].iter().filter(|&&x| x != 0).count();
        }
        if done {
            break;
        }
        first = end;
    }
    if !second {
        copy(logps, &mut out.logps);
        copy(entropy, &mut out.entropy);
        copy(log_sum_sq, &mut out.log_sum_sq);
        if problem.phase() == Phase::Figures {
            for (i, bits) in row_status.iter_mut().enumerate() {
                *bits |= if live[i] == 0 { row::IGNORED } else { 0 };
            }
            copy(row_status, &mut out.policy.token_status);
        }
        if let Some(m) = &mut out.stats {
            (0..n).for_each(|i| m.row_mut(i).copy_from_slice(&stats[i * STATS..(i + 1) * STATS]));
        }
    }
    Ok(())
}
fn products<'a>(inputs: &Inputs<'a>, live: &'a [u8]) -> linear::Inputs<'a> {
    let rows = Rows { target: inputs.rows.target, mask: Some(Mask::U8(Matrix::vector(live))), ..Rows::default() };
    linear::Inputs::new(inputs.hidden, inputs.weight, inputs.transform, rows)
}
