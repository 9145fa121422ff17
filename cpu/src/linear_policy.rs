//! From hidden states to a policy loss and its gradients. See [`truing_core::linear_policy`].
//!
//! Built like [`crate::linear_preference`]: with a workspace above the minimum the call goes through groups of whole
//! sequences and keeps the f32 logits of a group between its forward and its backward, three products instead of four with
//! the same bits. The loss of all sequences is evaluated after each group, those of later groups on log-probs that are not
//! there yet; only what belongs to the group is used, and the last evaluation is that of everything.
use crate::linear_logprob::{self as linear, Asked, Cuts, Grads, Group, Logits};
use crate::linear_preference::{check_grads, copy, group_need, heads, least, of_reference, save_pair, saved_pair};
use crate::logprob::{Over, Totals};
use crate::parallel::Context;
use crate::policy;
use crate::sequence::check_space;
use truing_core::Result;
use truing_core::dtype::Dtype;
use truing_core::error::row;
use truing_core::linear_policy::{Divergence, Inputs, Outputs, Phase, Problem, RefHead};
use truing_core::logprob::{Figures, Rows, STATS, Upstream};
use truing_core::matrix::{Arena, Mask, Matrix, MatrixMut, Workspace};
use truing_core::policy as core_policy;
use truing_core::support::{Support, SupportFigures};

fn kept(problem: &Problem<'_>) -> usize {
    let n = problem.linear().rows();
    // log-probs, entropies, log sum p^2, both coefficients, row status, entropies for an entry; saved statistics; two masks
    let rows = Arena::need::<f32>(n).saturating_mul(6 + problem.topk_entropy() as usize);
    let masks = Arena::need::<u8>(n).saturating_mul(2);
    let stats = Arena::need::<f32>(n.saturating_mul(STATS));
    // log-probs and status of the reference; with a divergence its statistics, the KL in f64 and f32, its coefficients
    let reference = if problem.reference().is_some() { Arena::need::<f32>(n).saturating_mul(2) } else { 0 };
    let kl = match problem.divergence() {
        Some(_) => Arena::sum([stats, Arena::need::<f64>(n), Arena::need::<f32>(n).saturating_mul(4)]),
        None => 0,
    };
    let sets = Arena::need::<u32>(n.saturating_mul(words(problem)));
    Arena::sum([rows, stats, masks, reference, kl, sets])
}
/// Of a row: the policy's columns as a mask, where filters choose them for a reference head too.
fn words(problem: &Problem<'_>) -> usize {
    if problem.shared_filters() { problem.linear().vocab().div_ceil(32) } else { 0 }
}
/// Lists of columns read single rows of the weight, so that there are no tiles to keep.
fn keeps_logits(problem: &Problem<'_>) -> bool {
    !matches!(problem.support(), Some((Support::Lists(_), _)))
}
fn over<'a>(problem: &Problem<'a>) -> Option<Over<'a>> {
    problem.support().map(|&(support, outside)| Over { support, outside })
}
/// What forward and backward are asked for beyond the first figures.
fn asked(problem: &Problem<'_>) -> Asked {
    let topk_entropy = problem.topk_entropy().then(|| MatrixMut::vector(&mut []));
    let (figures, sets) = (Figures { topk_entropy, ..Figures::default() }, SupportFigures::default());
    Asked::forward(problem.linear(), over(problem).as_ref(), None, &figures, &sets, false)
}
/// The same of the visit that finds the columns for a reference head.
fn asked_masks(problem: &Problem<'_>) -> Asked {
    let sets = SupportFigures { bitmask: Some(MatrixMut::vector(&mut [])), ..SupportFigures::default() };
    Asked::forward(problem.linear(), over(problem).as_ref(), None, &Figures::default(), &sets, false)
}
/// Bytes of a step at least, and of a group of a number of rows.
fn needs<'a>(
    context: &'a Context,
    problem: &'a Problem<'_>,
    dtypes: [Dtype; 2],
) -> (usize, impl Fn(usize) -> usize + 'a) {
    let loss = problem.policy().map_or(0, |p| policy::workspace(context, p).minimum);
    let asked = asked(problem);
    let least = least(context, problem.linear(), problem.reference(), dtypes, &asked, loss);
    let beside = problem.reference().filter(|_| problem.divergence().is_some());
    (least, move |rows| group_need(context, problem.linear(), beside, dtypes, rows, &asked, least))
}
/// Of a sequence: the last that must be in one group with it. Coefficients of a list read the log-probs of all its members.
fn last_of_list(problem: &Problem<'_>, b: usize) -> usize {
    let Some(groups) = problem.policy().and_then(|p| p.options().groups) else { return b };
    let (mut low, mut high) = (0, groups.rows());
    // the first offset behind b
    while low < high {
        let middle = low + (high - low) / 2;
        (low, high) = if groups.get(middle) as usize <= b { (middle + 1, high) } else { (low, middle) };
    }
    if low == 0 || low == groups.rows() { b } else { groups.get(low) as usize - 1 }
}
/// Rows of the largest group that cannot be cut.
fn largest(problem: &Problem<'_>) -> usize {
    let (segments, mut most, mut b) = (problem.segments(), 0, 0);
    while b < segments.sequences() {
        let last = last_of_list(problem, b);
        most = most.max(segments.range(last).end - segments.range(b).start);
        b = last + 1;
    }
    most
}
/// Scratch memory of a call for operands of these types and gradients that several groups of rows can form
/// ([`Grads::continues`]); every size from the minimum on gives the same bits.
pub fn workspace(context: &Context, problem: &Problem<'_>, hidden: Dtype, weight: Dtype) -> Workspace {
    workspace_for(context, problem, hidden, weight, &Grads::default())
}
/// [`workspace`] for these gradients. With a divergence all rows must be one group where `grads` cannot be formed by several.
pub fn workspace_for(
    context: &Context,
    problem: &Problem<'_>,
    hidden: Dtype,
    weight: Dtype,
    grads: &Grads<'_>,
) -> Workspace {
    let asked = asked(problem);
    let forward = linear::forward_need(context, problem.linear(), hidden, weight, &asked);
    let backward = linear::backward_need(context, problem.linear(), hidden, weight, &asked);
    let ((least, need), kept) = (needs(context, problem, [hidden, weight]), kept(problem));
    let up = |x: usize| x.next_multiple_of(Arena::ALIGN);
    let mut minimum = forward.minimum.max(least);
    if problem.shared_filters() {
        let masks = linear::forward_need(context, problem.linear(), hidden, weight, &asked_masks(problem));
        minimum = minimum.max(masks.minimum);
    }
    let mut preferred = forward.preferred.max(backward.preferred).max(least);
    if problem.divergence().is_some() || (problem.phase() == Phase::Single && keeps_logits(problem)) {
        preferred = preferred.max(Cuts::preferred(problem.linear().rows(), &need));
        if problem.divergence().is_some() {
            let rows = problem.linear().rows();
            minimum = minimum.max(Cuts::room(if grads.continues() { largest(problem) } else { rows }, &need));
        }
    }
    Workspace { minimum: Arena::sum([kept, up(minimum)]), preferred: Arena::sum([kept, up(preferred.max(minimum))]) }
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
    check_space(scratch, workspace_for(context, problem, hidden, weight, &grads))?;
    let (n, s) = (problem.linear().rows(), problem.segments().sequences());
    let whole = scratch.len();
    let mut arena = Arena::new(scratch);
    let (live, read) = (arena.take::<u8>(n)?, arena.take::<u8>(n)?);
    let (logps, entropy, log_sum_sq) = (arena.take::<f32>(n)?, arena.take::<f32>(n)?, arena.take::<f32>(n)?);
    let (coefficients, of_entropy) = (arena.take::<f32>(n)?, arena.take::<f32>(n)?);
    let topk_entropy = arena.take::<f32>(if problem.topk_entropy() { n } else { 0 })?;
    let row_status = arena.take::<u32>(n)?;
    let stats = arena.take::<f32>(n * STATS)?;
    let keeps = problem.divergence().is_some();
    let reverse = problem.divergence() == Some(Divergence::Reverse);
    let count = |on: bool, n: usize| if on { n } else { 0 };
    let ref_logps = arena.take::<f32>(count(inputs.ref_head.is_some(), n))?;
    let ref_status = arena.take::<u32>(count(inputs.ref_head.is_some(), n))?;
    let ref_stats = arena.take::<f32>(count(keeps, n * STATS))?;
    let kl_rows = arena.take::<f64>(count(keeps, n))?;
    let (kl, of_kl) = (arena.take::<f32>(count(keeps, n))?, arena.take::<f32>(count(keeps, n))?);
    let (to_lse, to_entropy) = (arena.take::<f32>(count(keeps, n))?, arena.take::<f32>(count(keeps, n))?);
    let width = words(problem);
    let sets = arena.take::<u32>(n * width)?;
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
    topk_entropy.fill(0.0);
    row_status.fill(0);
    for x in [&mut *ref_logps, kl, of_kl, to_lse, to_entropy] {
        x.fill(0.0);
    }
    ref_status.fill(0);
    kl_rows.fill(0.0);
    let has_reference = inputs.ref_head.is_some();
    if let Some(p) = problem.policy() {
        let (reference, kl) = (has_reference.then_some(&*ref_logps), keeps.then_some(&*kl));
        let [entropy, topk] = [bonus.then_some(&*entropy), problem.topk_entropy().then_some(&*topk_entropy)];
        inputs.loss(logps, entropy, topk, live, reference, kl).check(p)?;
    }
    if let Some(saved) = &inputs.pair_stats {
        for i in (0..n).filter(|&i| live[i] != 0) {
            let to = i * STATS..(i + 1) * STATS;
            kl_rows[i] = saved_pair(saved.row(i), [&mut stats[to.clone()], &mut ref_stats[to]]);
        }
    }

    let weighs = grads.weight.is_some() || grads.bias.is_some();
    let wanted = grads.hidden.is_some() || weighs;
    let by_entropy = bonus || inputs.entropy_coefficients.is_some();
    let (_, need) = needs(context, problem, [hidden, weight]);
    let mut cuts = Cuts { most: 0, several: grads.continues(), weight: weighs };
    if keeps || (problem.phase() == Phase::Single && wanted && keeps_logits(problem)) {
        // a group of few rows costs more than it saves, unless logits must be kept
        let enough = if keeps { 0 } else { live.iter().filter(|&&x| x != 0).count() };
        cuts.most = Cuts::most(n, enough, &need, rest.len());
    }
    let segments = problem.segments();
    let in_sequence = |b: usize| segments.range(b).filter(|&i| live[i] != 0).count();
    let last = |b: usize| last_of_list(problem, b);
    if keeps {
        let limit = "at most 2048 live rows a call with a divergence to the reference head";
        let missing = |rows: usize| [whole, whole - rest.len() + Cuts::room(rows, &need)];
        cuts.all_kept(s, in_sequence, last, limit, missing)?;
    }
    if problem.shared_filters() {
        let bitmask = Some(MatrixMut::contiguous(&mut *sets, n, width)?);
        let (sets, none) = (SupportFigures { bitmask, ..SupportFigures::default() }, Totals::default());
        let own = products(problem, inputs, live);
        linear::forward_loss(context, problem.linear(), own, Figures::default(), sets, none, rest)?;
    }
    let sets = Matrix::contiguous(&*sets, n, width)?;
    let ref_products = |head, live| ref_products(problem, inputs, head, live, sets);
    if let (Some(head), Some(reference), false) = (&inputs.ref_head, problem.reference(), keeps) {
        let figures = Figures {
            logprob: Some(MatrixMut::vector(ref_logps)),
            status: Some(MatrixMut::vector(ref_status)),
            ..Figures::default()
        };
        linear::forward(context, reference, ref_products(head, live), figures, rest)?;
    }
    let (mut first, mut before) = (0, 0);
    loop {
        let (end, most) = cuts.next(first, s, before, in_sequence, last);
        let rows = if first < s { segments.start(first) } else { 0 }..if end < s { segments.start(end) } else { n };
        let mut arena = Arena::new(&mut *rest);
        let logits = match most {
            0 => None,
            rows => Some(Logits::new(context, problem.linear(), hidden, weight, rows, &mut arena)?),
        };
        // the gradient of KL(policy || reference) reads the policy's entropy
        let logprob_only = out.stats.is_none() && out.pair_stats.is_none() && !by_entropy && !reverse;
        let mut group = Group { rows: rows.clone(), before, logprob_only, logits };
        let ref_logits = match (problem.reference(), keeps) {
            (Some(reference), true) => Some(Logits::new(context, reference, hidden, weight, most, &mut arena)?),
            _ => None,
        };
        let mut ref_group = Group { rows: rows.clone(), before: 0, logprob_only: true, logits: ref_logits };
        let bytes = arena.left() / Arena::ALIGN * Arena::ALIGN;
        let space = arena.take::<u8>(bytes)?;

        let mut kept_stats = inputs.stats;
        if inputs.pair_stats.is_some() {
            linear::keep_group(context, problem.linear(), products(problem, inputs, live), &mut group, space)?;
            if let (Some(head), Some(reference)) = (&inputs.ref_head, problem.reference()) {
                let ref_inputs = ref_products(head, live);
                linear::keep_group(context, reference, ref_inputs, &mut ref_group, space)?;
            }
            kept_stats = Some(Matrix::contiguous(stats, n, STATS)?);
        } else if !second || keeps {
            let figures = Figures {
                logprob: Some(MatrixMut::vector(logps)),
                entropy: (bonus || out.entropy.is_some()).then(|| MatrixMut::vector(entropy)),
                topk_entropy: problem.topk_entropy().then(|| MatrixMut::vector(topk_entropy)),
                log_sum_sq: out.log_sum_sq.is_some().then(|| MatrixMut::vector(log_sum_sq)),
                stats: Some(MatrixMut::contiguous(stats, n, STATS)?),
                status: Some(MatrixMut::vector(row_status)),
                ..Figures::default()
            };
            let own = products(problem, inputs, live);
            linear::forward_group(context, problem.linear(), own, &mut group, figures, space)?;
            if let (Some(head), Some(reference), true) = (&inputs.ref_head, problem.reference(), keeps) {
                let figures = Figures {
                    logprob: Some(MatrixMut::vector(ref_logps)),
                    stats: Some(MatrixMut::contiguous(ref_stats, n, STATS)?),
                    status: Some(MatrixMut::vector(ref_status)),
                    ..Figures::default()
                };
                // the same rows as the policy's, so that both lie alike
                let ref_inputs = ref_products(head, live);
                linear::forward_group(context, reference, ref_inputs, &mut ref_group, figures, space)?;
                // the second phase too: a row whose divergence is infinite has no gradient of it
                if let (Some(own_logits), Some(other)) = (&mut group.logits, &mut ref_group.logits) {
                    let both = [own, ref_inputs];
                    let heads = heads([problem.linear(), reference], both, [stats, ref_stats])?;
                    linear::kept_kl(context, heads, [own_logits, other], reverse, kl_rows);
                }
                rows.clone().filter(|&i| live[i] != 0).for_each(|i| kl[i] = kl_rows[i] as f32);
            }
            kept_stats = Some(Matrix::contiguous(stats, n, STATS)?);
        }
        let done = end == s;
        if let Some(p) = problem.policy() {
            let (reference, divergence) = (has_reference.then_some(&*ref_logps), keeps.then_some(&*kl));
            let [entropy, topk] = [bonus.then_some(&*entropy), problem.topk_entropy().then_some(&*topk_entropy)];
            let given = inputs.loss(logps, entropy, topk, live, reference, divergence);
            let all = if done { core::mem::take(&mut out.policy) } else { Default::default() };
            let (mut place, mut place_of_entropy, mut status) = (all.grad_logps, all.grad_entropy, all.token_status);
            let places = core_policy::Outputs {
                grad_logps: (wanted || place.is_some()).then(|| MatrixMut::vector(coefficients)),
                grad_entropy: bonus.then(|| MatrixMut::vector(of_entropy)),
                grad_kl: keeps.then(|| MatrixMut::vector(of_kl)),
                token_status: status.as_mut().map(|m| m.reborrow()),
                ..all
            };
            policy::forward(context, p, &given, places, space)?;
            if done {
                copy(coefficients, &mut place);
                copy(of_entropy, &mut place_of_entropy);
                if let Some(m) = &mut status {
                    for (i, bits) in row_status.iter().enumerate() {
                        m.set(i, m.get(i) | bits | of_reference(i, ref_status, kl_rows));
                    }
                }
            }
        } else if second {
            let factor = inputs.policy.factor();
            let scaled = |g: f32| if g == 0.0 || factor == 0.0 { 0.0 } else { (g as f64 * factor) as f32 };
            for i in 0..n {
                coefficients[i] = inputs.logp_coefficients.map_or(0.0, |m| scaled(m.get(i)));
                of_entropy[i] = inputs.entropy_coefficients.map_or(0.0, |m| scaled(m.get(i)));
                of_kl
                    .get_mut(i)
                    .into_iter()
                    .for_each(|g| *g = inputs.kl_coefficients.map_or(0.0, |m| scaled(m.get(i))));
            }
        }
        if wanted {
            // an infinite divergence has gradient 0
            of_kl.iter_mut().zip(&*kl_rows).filter(|(_, kl)| kl.is_infinite()).for_each(|(g, _)| *g = 0.0);
            // a row whose coefficients are 0 is not read either
            for (i, x) in read.iter_mut().enumerate() {
                let kl = of_kl.get(i).copied().unwrap_or(0.0);
                let some = coefficients[i] != 0.0 || (by_entropy && of_entropy[i] != 0.0) || kl != 0.0;
                *x = (live[i] != 0 && some) as u8;
            }
            if let (Some(head), Some(reference), Some(own), Some(other)) =
                (&inputs.ref_head, problem.reference(), &mut group.logits, ref_group.logits.take())
            {
                let both = [products(problem, inputs, live), ref_products(head, live)];
                let heads = heads([problem.linear(), reference], both, [stats, ref_stats])?;
                linear::kept_kl_backward(context, heads, own, other, reverse, of_kl, kl_rows);
            }
            // what the divergence adds beside what lies with the logits is the gradient of lse, or of minus the entropy
            for (i, &g) in of_kl.iter().enumerate() {
                to_lse[i] = if reverse { 0.0 } else { g };
                to_entropy[i] = (if by_entropy { of_entropy[i] } else { 0.0 }) - if reverse { g } else { 0.0 };
            }
            let upstream = Upstream {
                logprob: Some(Matrix::vector(coefficients)),
                entropy: match keeps {
                    true => (by_entropy || reverse).then(|| Matrix::vector(to_entropy)),
                    false => by_entropy.then(|| Matrix::vector(of_entropy)),
                },
                lse: (keeps && !reverse).then(|| Matrix::vector(to_lse)),
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
                products(problem, inputs, read),
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
                *bits |= of_reference(i, ref_status, kl_rows);
                *bits |= if live[i] == 0 { row::IGNORED } else { 0 };
            }
            copy(row_status, &mut out.policy.token_status);
            copy(kl, &mut out.policy.kl);
        }
        if let Some(m) = &mut out.pair_stats {
            for i in 0..n {
                let from = i * STATS..(i + 1) * STATS;
                match live[i] {
                    0 => m.row_mut(i).fill(0.0),
                    _ => save_pair([&stats[from.clone()], &ref_stats[from]], kl_rows[i], m.row_mut(i)),
                }
            }
        }
        if let Some(m) = &mut out.stats {
            (0..n).for_each(|i| m.row_mut(i).copy_from_slice(&stats[i * STATS..(i + 1) * STATS]));
        }
    }
    Ok(())
}
fn ref_products<'a>(
    problem: &Problem<'a>,
    inputs: &Inputs<'a>,
    head: &RefHead<'a>,
    live: &'a [u8],
    sets: Matrix<'a, u32>,
) -> linear::Inputs<'a> {
    let RefHead { hidden, weight, transform } = *head;
    let mut own = linear::Inputs { hidden, weight, transform, ..products(problem, inputs, live) };
    if problem.shared_filters() {
        own.over = own.over.map(|over| Over { support: Support::Bitmask(sets), ..over });
    }
    own
}
fn products<'a>(problem: &Problem<'a>, inputs: &Inputs<'a>, live: &'a [u8]) -> linear::Inputs<'a> {
    let rows = Rows { target: inputs.rows.target, mask: Some(Mask::U8(Matrix::vector(live))), ..Rows::default() };
    let own = linear::Inputs::new(inputs.hidden, inputs.weight, inputs.transform, rows);
    linear::Inputs { over: over(problem), ..own }
}
