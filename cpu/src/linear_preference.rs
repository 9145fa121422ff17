//! From hidden states to a preference loss and its gradients. See [`truing_core::linear_preference`].
//!
//! Memory beyond inputs and outputs is the workspace alone: 62 bytes a row and 28 a sequence for what is kept between
//! the steps, and the largest of what the three steps need (the products' share depends on D and the threads, never on
//! N x V). 512 rows, D = 576, V = 49152, f32, one thread: at least about 1 MB. A call allocates nothing; a thread pool takes
//! a few words of its own.
//!
//! With a larger workspace the call goes through groups of whole items, all of whose scores come from the group's rows,
//! and keeps the f32 logits of a group between its forward and its backward: three products instead of four, the same bits.
//! A KL to a reference head needs the logits of both heads side by side: its groups always keep them, 8 bytes a row and
//! column, of an item at a time where its sequences are neighbours (of a sequence, where no term is evaluated), else of all
//! rows.
//!
//! One group takes all rows, with logits kept if they fit, where items of different places share sequences (`Stacked` pairs
//! do), where the divisor needs every score (flagged items are left out, or it is the sum of the policy's own weights), or
//! where grad_weight or grad_bias cannot hold
//! running totals (16 bits, `accumulate`). Rows behind the first reduction block of grad_weight take the four products.
use crate::linear_logprob::{self as linear, Asked, Cuts, Grads, Group, Head, Logits};
use crate::parallel::Context;
use crate::sequence::check_space;
use crate::{preference, sequence};
use truing_core::batch::wpo;
use truing_core::dtype::Dtype;
use truing_core::error::row;
use truing_core::linear_logprob::Problem as Linear;
use truing_core::linear_preference::{
    Divergence, Inputs, Outputs, PAIR_STATS, Phase, Problem, RefHead, Scope, SideDivisor, Wpo,
};
use truing_core::logprob::{Figures, Rows, STATS, Upstream};
use truing_core::matrix::Workspace;
use truing_core::matrix::{Arena, Floats, FloatsMut, Mask, Matrix, MatrixMut};
use truing_core::preference::{Items, Reduction};
use truing_core::record::Record;
use truing_core::{Error, Result, Value, preference as core_preference, sequence as core_sequence};

fn kept(problem: &Problem<'_>) -> usize {
    let (n, s) = (problem.linear().rows(), problem.sequence().sequences());
    // logps, coefficients, row status, saved statistics, two masks; scores, their gradients, counts, status, ends of items
    let (n4, s4) = (Arena::need::<u32>(n), Arena::need::<u32>(s));
    let masks = Arena::need::<u8>(n).saturating_mul(3);
    let stats = Arena::need::<f32>(n.saturating_mul(STATS));
    let rows = Arena::sum([n4, n4, n4, stats, masks]);
    let s8 = Arena::need::<f64>(s);
    let plain = Arena::sum([rows, s8, s8, s8, s4, s4, s4]);
    // log-probs and status of the reference; with a KL its statistics, the KL, its factors and what they add to the gradient
    // of the entropy, the KL and its factors of sequences
    let reference = if problem.reference().is_some() { Arena::sum([n4, n4]) } else { 0 };
    let n8 = Arena::need::<f64>(n);
    let kl = if problem.divergence().is_some() { Arena::sum([stats, n8, n4, n4, s8, s8]) } else { 0 };
    // log sum p^2, means of both figures, weights of pairs
    let items = Arena::need::<f64>(problem.preference().map_or(0, |p| p.count()));
    let weights = if problem.wpo().is_some() { Arena::sum([n4, s8, s8, items]) } else { 0 };
    Arena::sum([plain, reference, kl, weights])
}
/// Whether groups of rows may follow each other: leaving out flagged items, and the sum of the policy's own weights, need every
/// score before the first coefficient.
fn several(problem: &Problem<'_>) -> bool {
    problem.preference().is_none_or(|p| {
        let sums = p.terms().iter().any(|t| t.reduction == Reduction::WeightedMean && t.normaliser == 0.0);
        !(p.options().skip_flagged || (problem.wpo().is_some() && sums))
    })
}
/// Rows of the largest group of whole items, as far as the form of the items tells.
fn largest(problem: &Problem<'_>) -> usize {
    let segments = problem.sequence().segments();
    let (s, n) = (segments.sequences(), problem.linear().rows());
    let width = match problem.preference().map(|p| p.items()) {
        Some(Items::Interleaved) => 2,
        Some(Items::Threes) => 3,
        // without terms every sequence is on its own
        Some(Items::Rows) | None => 1,
        _ => return n,
    };
    let start = |b: usize| if b < s { segments.start(b) } else { n };
    (0..s).step_by(width).map(|b| start(b + width) - start(b)).max().unwrap_or(0)
}
/// Bytes of a group of up to `rows` live rows: kept logits, those of a `beside` head too, and what the steps need beside
/// them, `least` at least. `asked` of the rows of the first head.
pub(crate) fn group_need(
    context: &Context,
    own: &Linear,
    beside: Option<&Linear>,
    [hidden, weight]: [Dtype; 2],
    rows: usize,
    asked: &Asked,
    least: usize,
) -> usize {
    let mut steps = least.next_multiple_of(Arena::ALIGN);
    let mut kept = [0; 2];
    for (p, kept) in [Some(own), beside].into_iter().flatten().zip(&mut kept) {
        steps = steps.max(Logits::need_for(context, p, hidden, weight, rows, asked));
        *kept = Logits::need(context, p, hidden, weight, rows);
    }
    Arena::sum([kept[0], kept[1], steps])
}
/// Bytes that a step needs at least, whatever is kept; `loss`: those of the loss.
pub(crate) fn least(
    context: &Context,
    own: &Linear,
    reference: Option<&Linear>,
    [hidden, weight]: [Dtype; 2],
    asked: &Asked,
    loss: usize,
) -> usize {
    let backward = linear::backward_need(context, own, hidden, weight, asked).minimum;
    // the reference may have other types where its logits are not kept
    let reference = reference.map_or(0, |r| {
        let all = [Dtype::F32, Dtype::Bf16].map(|d| linear::forward_need(context, r, d, d, asked).minimum);
        all[0].max(all[1])
    });
    backward.max(loss).max(reference)
}
/// Bytes of a step at least, and of a group of a number of rows.
fn needs<'a>(
    context: &'a Context,
    problem: &'a Problem<'_>,
    dtypes: [Dtype; 2],
) -> (usize, impl Fn(usize) -> usize + 'a) {
    let loss = problem.preference().map_or(0, |p| preference::workspace(context, p).minimum);
    let least = least(context, problem.linear(), problem.reference(), dtypes, &Asked::default(), loss);
    let beside = problem.reference().filter(|_| problem.divergence().is_some());
    (least, move |rows| group_need(context, problem.linear(), beside, dtypes, rows, &Asked::default(), least))
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
    let forward = linear::forward_workspace(context, problem.linear(), hidden, weight);
    let backward = linear::backward_workspace(context, problem.linear(), hidden, weight);
    let (least, need) = needs(context, problem, [hidden, weight]);
    let up = |x: usize| x.next_multiple_of(Arena::ALIGN);
    let kept = kept(problem);
    let mut minimum = forward.minimum.max(least);
    let mut preferred = forward.preferred.max(backward.preferred).max(least);
    let keeps = problem.divergence().is_some();
    if keeps || problem.phase() == Phase::Single {
        let rows = problem.linear().rows();
        preferred = preferred.max(Cuts::preferred(rows, &need));
        if keeps {
            let group = if grads.continues() && several(problem) { largest(problem) } else { rows };
            minimum = minimum.max(Cuts::room(group, &need));
            preferred = preferred.max(Cuts::room(rows, &need));
        }
    }
    Workspace { minimum: Arena::sum([kept, up(minimum)]), preferred: Arena::sum([kept, up(preferred.max(minimum))]) }
}

/// Of a sequence that is the first of an item: the last of its items' sequences; else itself.
fn last_of_items(last: &mut [u32], problem: &core_preference::Problem<'_>, inputs: &core_preference::Groups<'_>) {
    for (s, last) in last.iter_mut().enumerate() {
        *last = s as u32;
    }
    let mut join = |a: usize, b: usize| {
        let first = &mut last[a.min(b)];
        *first = (*first).max(a.max(b) as u32);
    };
    let (s, items) = (problem.sequences(), problem.items());
    for i in (0..problem.count()).filter(|&i| inputs.live(i)) {
        match items {
            Items::Rows => {}
            Items::Lists { .. } => {
                let members = items.offset(i)..items.offset(i + 1);
                members.clone().skip(1).for_each(|m| join(items.member(m - 1), items.member(m)));
            }
            _ => {
                let (chosen, rejected) = items.pair(i, s);
                join(chosen, rejected);
                if let Some(anchor) = items.anchor(i, s) {
                    join(rejected, anchor);
                }
            }
        }
    }
}

/// Refuses gradients of the wrong shape or type, and any in phase `figures`.
pub(crate) fn check_grads(
    p: &Linear,
    phase: Phase,
    [hidden, weight]: [Dtype; 2],
    bias: Option<Dtype>,
    grads: &Grads<'_>,
) -> Result<()> {
    let (n, d, v) = (p.rows(), p.hidden_size(), p.vocab());
    let places = [
        ("grads.grad_hidden_out", &grads.hidden, hidden, n, d),
        ("grads.grad_weight_out", &grads.weight, weight, v, d),
        ("grads.grad_bias_out", &grads.bias, bias.unwrap_or(weight), v, 1),
    ];
    for (field, g, own, rows, cols) in places {
        let Some(g) = g else { continue };
        p.check_grad(field, (g.dtype(), g.layout()), own, rows, cols)?;
        if phase == Phase::Figures {
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
    mut grads: Grads<'_>,
    scratch: &mut [u8],
) -> Result<()> {
    inputs.check(problem)?;
    out.check(problem)?;
    let (hidden, weight) = (inputs.hidden.dtype(), inputs.weight.dtype());
    let bias = inputs.transform.bias.map(|b| b.dtype());
    check_grads(problem.linear(), problem.phase(), [hidden, weight], bias, &grads)?;
    if out.ref_scores.is_some() {
        let by_token = inputs.ref_head.is_some() || inputs.ref_logps.is_some();
        if !by_token || problem.sequence().options().clamp.is_some() {
            let expected = Value::Text("none without log-probs of the reference, or with a clamp");
            return Err(Error::invalid("out_ref_scores", Value::Text("a tensor"), expected));
        }
    }
    check_space(scratch, workspace_for(context, problem, hidden, weight, &grads))?;
    let (n, s) = (problem.linear().rows(), problem.sequence().sequences());
    let whole = scratch.len();
    let mut arena = Arena::new(scratch);
    let live = arena.take::<u8>(n)?;
    let read = arena.take::<u8>(n)?;
    let logps = arena.take::<f32>(n)?;
    let coefficients = arena.take::<f32>(n)?;
    let row_status = arena.take::<u32>(n)?;
    let stats = arena.take::<f32>(n * STATS)?;
    let scored = arena.take::<u8>(n)?;
    let scores = arena.take::<f64>(s)?;
    let grad_scores = arena.take::<f64>(s)?;
    let side_factors = arena.take::<f64>(s)?;
    let counts = arena.take::<i32>(s)?;
    let sequence_status = arena.take::<u32>(s)?;
    let last = arena.take::<u32>(s)?;
    let keeps = problem.divergence().is_some();
    let reverse = problem.divergence() == Some(Divergence::Reverse);
    let second = problem.phase() == Phase::WithCoefficients;
    let count = |on: bool, n: usize| if on { n } else { 0 };
    let ref_logps = arena.take::<f32>(count(inputs.ref_head.is_some(), n))?;
    let ref_status = arena.take::<u32>(count(inputs.ref_head.is_some(), n))?;
    let ref_stats = arena.take::<f32>(count(keeps, n * STATS))?;
    let kl_rows = arena.take::<f64>(count(keeps, n))?;
    let (kl_factors, to_entropy) = (arena.take::<f32>(count(keeps, n))?, arena.take::<f32>(count(keeps, n))?);
    let kl = arena.take::<f64>(count(keeps, s))?;
    let grad_kl = arena.take::<f64>(count(keeps, s))?;
    let weighs = problem.wpo().is_some();
    let log_sum_sq = arena.take::<f32>(count(weighs, n))?;
    let mut means = [arena.take::<f64>(count(weighs, s))?, arena.take::<f64>(count(weighs, s))?];
    let item_weights = arena.take::<f64>(count(weighs, problem.preference().map_or(0, |p| p.count())))?;
    let rest = arena.left() / Arena::ALIGN * Arena::ALIGN;
    let rest = arena.take::<u8>(rest)?;

    let beside = problem.side().is_some() && inputs.side_mask.is_some();
    for (i, (x, scored)) in live.iter_mut().zip(&mut *scored).enumerate() {
        *scored = inputs.live(problem, i) as u8;
        *x = *scored | (beside && inputs.beside(problem, i)) as u8;
    }
    let (live, scored) = (&*live, &*scored);
    let weights = core_sequence::Weights {
        mask: Some(Mask::U8(Matrix::vector(scored))),
        token_weights: inputs.token_weights,
        ld_prefix: inputs.ld_prefix,
    };
    weights.check(problem.sequence())?;
    if let Some(p) = problem.preference() {
        counts.fill(0);
        let mut probe = core_preference::Inputs::new(Floats::F64(Matrix::vector(scores)));
        (probe.ref_scores, probe.lengths) = (inputs.ref_scores, Some(Matrix::vector(counts)));
        (probe.groups, probe.grad_output, probe.grad_scale) = (inputs.groups, inputs.grad_output, inputs.grad_scale);
        probe.kl = problem.reads_kl().then_some(Floats::F64(Matrix::vector(kl)));
        probe.check(p)?;
        side_terms(problem, inputs, scored, side_factors);
    }

    let wanted = grads.hidden.is_some() || grads.weight.is_some() || grads.bias.is_some();
    let (_, need) = needs(context, problem, [hidden, weight]);
    let mut cuts = Cuts { most: 0, several: grads.continues(), weight: grads.weight.is_some() || grads.bias.is_some() };
    if keeps || (problem.preference().is_some() && wanted) {
        match problem.preference() {
            Some(p) => {
                last_of_items(last, p, &inputs.groups);
                cuts.several &= several(problem);
            }
            None => last.iter_mut().enumerate().for_each(|(b, last)| *last = b as u32),
        }
        // a group of few rows costs more than it saves, unless logits must be kept
        let enough = if keeps { 0 } else { live.iter().filter(|&&x| x != 0).count() };
        cuts.most = Cuts::most(n, enough, &need, rest.len());
    }
    let segments = problem.sequence().segments();
    let in_sequence = |b: usize| segments.range(b).filter(|&i| live[i] != 0).count();
    if keeps {
        let limit = "at most 2048 live rows a call with a KL to the reference head";
        let missing = |rows: usize| [whole, whole - rest.len() + Cuts::room(rows, &need)];
        cuts.all_kept(s, in_sequence, |b| last[b] as usize, limit, missing)?;
    }
    if let (Some(head), Some(reference), false) = (&inputs.ref_head, problem.reference(), keeps) {
        let figures = Figures {
            logprob: Some(MatrixMut::vector(ref_logps)),
            status: Some(MatrixMut::vector(ref_status)),
            ..Figures::default()
        };
        linear::forward(context, reference, ref_products(inputs, head, scored), figures, rest)?;
    }
    // rows whose turn has not come
    logps.fill(0.0);
    row_status.fill(0);
    if keeps {
        ref_logps.fill(0.0);
        ref_status.fill(0);
        kl_rows.fill(0.0);
        kl.fill(0.0);
        to_entropy.fill(0.0);
        ref_stats.fill(0.0);
    }
    log_sum_sq.fill(0.0);
    if let Some(saved) = &inputs.pair_stats {
        for i in (0..n).filter(|&i| live[i] != 0) {
            let to = i * STATS..(i + 1) * STATS;
            kl_rows[i] = saved_pair(saved.row(i), [&mut stats[to.clone()], &mut ref_stats[to]]);
        }
    }
    let (mut first, mut before, mut item_loss) = (0, 0, [0.0]);
    loop {
        let (end, most) = cuts.next(first, s, before, in_sequence, |b| last[b] as usize);
        let rows = if first < s { segments.start(first) } else { 0 }..if end < s { segments.start(end) } else { n };
        let mut arena = Arena::new(&mut *rest);
        let logits = match most {
            0 => None,
            rows => Some(Logits::new(context, problem.linear(), hidden, weight, rows, &mut arena)?),
        };
        let logprob_only = out.stats.is_none() && out.pair_stats.is_none() && !reverse;
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
            linear::keep_group(context, problem.linear(), products(inputs, live), &mut group, space)?;
            if let (Some(head), Some(reference)) = (&inputs.ref_head, problem.reference()) {
                linear::keep_group(context, reference, ref_products(inputs, head, live), &mut ref_group, space)?;
            }
            kept_stats = Some(Matrix::contiguous(stats, n, STATS)?);
        } else if !second || keeps {
            let figures = Figures {
                logprob: Some(MatrixMut::vector(logps)),
                log_sum_sq: (problem.wpo() == Some(Wpo::Trl)).then(|| MatrixMut::vector(log_sum_sq)),
                stats: Some(MatrixMut::contiguous(stats, n, STATS)?),
                status: Some(MatrixMut::vector(row_status)),
                ..Figures::default()
            };
            linear::forward_group(context, problem.linear(), products(inputs, live), &mut group, figures, space)?;
            if let (Some(head), Some(reference), true) = (&inputs.ref_head, problem.reference(), keeps) {
                let figures = Figures {
                    logprob: Some(MatrixMut::vector(ref_logps)),
                    stats: Some(MatrixMut::contiguous(ref_stats, n, STATS)?),
                    status: Some(MatrixMut::vector(ref_status)),
                    ..Figures::default()
                };
                // the same rows as the policy's, so that both lie alike
                let ref_inputs = ref_products(inputs, head, live);
                linear::forward_group(context, reference, ref_inputs, &mut ref_group, figures, space)?;
                // the second phase too: a row whose divergence is infinite has no gradient of it
                if let (Some(own), Some(other)) = (&mut group.logits, &mut ref_group.logits) {
                    let both = [products(inputs, live), ref_inputs];
                    let heads = heads([problem.linear(), reference], both, [stats, ref_stats])?;
                    linear::kept_kl(context, heads, [own, other], reverse, kl_rows);
                }
                for b in first..end {
                    kl[b] = 0.0;
                    segments.range(b).filter(|&i| scored[i] != 0).for_each(|i| kl[b] += kl_rows[i]);
                }
            }
            kept_stats = Some(Matrix::contiguous(stats, n, STATS)?);
        }
        if !second {
            let by_token = token_reference(problem, inputs, ref_logps);
            let tokens =
                core_sequence::Inputs { logps: Floats::F32(Matrix::vector(logps)), ref_logps: by_token, weights };
            let places = core_sequence::Outputs {
                scores: Some(FloatsMut::F64(MatrixMut::vector(scores))),
                counts: Some(MatrixMut::vector(counts)),
                status: Some(MatrixMut::vector(sequence_status)),
                ..core_sequence::Outputs::default()
            };
            sequence::forward(context, problem.sequence(), &tokens, places, None)?;
            // a reference that only the side term reads is none of the items' business
            let reads = problem.by_head() || problem.reads_kl();
            for (b, bits) in sequence_status.iter_mut().enumerate() {
                for i in segments.range(b).filter(|&i| scored[i] != 0) {
                    *bits |= row_status[i] & !row::IGNORED;
                    if reads {
                        *bits |= ref_status.get(i).map_or(0, |x| x & !row::IGNORED);
                    }
                    if problem.reads_kl() && kl_rows[i].is_infinite() {
                        *bits |= row::INFINITE;
                    }
                }
            }
        }
        if let (Some(form), Some(p)) = (problem.wpo(), problem.preference()) {
            for (mean, x) in means.iter_mut().zip([&*logps, &*log_sum_sq]) {
                for (b, mean) in mean.iter_mut().enumerate() {
                    let (mut sum, mut tokens) = (0.0, 0);
                    for i in segments.range(b).filter(|&i| scored[i] != 0) {
                        (sum, tokens) = (sum + x[i] as f64, tokens + 1);
                    }
                    *mean = if tokens > 0 { sum / tokens as f64 } else { 0.0 };
                }
            }
            for (i, weight) in item_weights.iter_mut().enumerate() {
                if !inputs.groups.live(i) {
                    *weight = 0.0;
                    continue;
                }
                let (c, r) = p.items().pair(i, s);
                let sums = (form == Wpo::Trl).then(|| [means[1][c], means[1][r]]);
                let given = core_preference::each(&inputs.groups.item_weight, i, 1.0);
                *weight = if given == 0.0 { 0.0 } else { given * wpo(means[0][c], means[0][r], sums) };
            }
        }
        let done = end == s;
        let mut factor = (None, 1.0);
        match problem.preference() {
            Some(p) => {
                // the items of later groups are evaluated on scores without their tokens, and again when these are there
                let all = if done { core::mem::take(&mut out.preference) } else { Default::default() };
                let mut place = all.grad_scores;
                let own = (wanted || place.is_some()).then(|| FloatsMut::F64(MatrixMut::vector(grad_scores)));
                let (mut place_kl, mut place_loss) = (all.grad_kl, all.loss);
                let kl_place = problem.reads_kl().then(|| FloatsMut::F64(MatrixMut::vector(grad_kl)));
                // the loss of the items, to which the side term comes
                let of_items =
                    (done && place_loss.is_some()).then(|| FloatsMut::F64(MatrixMut::vector(&mut item_loss)));
                let places = core_preference::Outputs { grad_scores: own, grad_kl: kl_place, loss: of_items, ..all };
                let mut given = core_preference::Inputs::new(Floats::F64(Matrix::vector(scores)));
                (given.ref_scores, given.lengths) = (inputs.ref_scores, Some(Matrix::vector(counts)));
                (given.groups, given.grad_output, given.grad_scale) =
                    (inputs.groups, inputs.grad_output, inputs.grad_scale);
                given.sequence_status = Some(Matrix::vector(sequence_status));
                given.kl = problem.reads_kl().then_some(Floats::F64(Matrix::vector(kl)));
                if weighs {
                    given.groups.item_weight = Some(Floats::F64(Matrix::vector(item_weights)));
                }
                preference::run(context, p, &given, places, space)?;
                if let Some(m) = &mut place_kl {
                    let reads = problem.reads_kl();
                    (0..s).for_each(|b| m.set(b, if reads { grad_kl[b] } else { 0.0 }));
                }
                if done {
                    let value = |i: usize| match keeps && problem.side().is_some_and(|t| t.divergence.is_some()) {
                        true => kl_rows[i],
                        false => -(logps[i] as f64),
                    };
                    let side = side_value(problem, inputs, value, scored, side_factors);
                    if let Some(m) = &mut out.side {
                        m.set(0, side);
                    }
                    if let Some(m) = &mut place_loss {
                        m.set(0, item_loss[0] + problem.side().map_or(0.0, |t| t.coef * side));
                    }
                }
                if let Some(m) = &mut place {
                    grad_scores.iter().enumerate().for_each(|(b, &g)| m.set(b, g));
                }
            }
            None if second => {
                let of = |c: &Option<Matrix<'_, f64>>, b: usize| c.map_or(0.0, |c| c.get(b));
                grad_scores.iter_mut().enumerate().for_each(|(b, g)| *g = of(&inputs.score_coefficients, b));
                factor = (inputs.grad_output, inputs.grad_scale);
                let upstream = inputs.grad_output.map_or(1.0, |g| g.get(0)) * inputs.grad_scale;
                for (b, g) in grad_kl.iter_mut().enumerate() {
                    let c = of(&inputs.kl_coefficients, b);
                    *g = if c == 0.0 || upstream == 0.0 { 0.0 } else { c * upstream };
                }
            }
            None => {}
        }
        if wanted {
            let clamped = problem.sequence().options().clamp.is_some();
            let by_token = token_reference(problem, inputs, ref_logps);
            let upstream = core_sequence::Upstream {
                logps: clamped.then_some(Floats::F32(Matrix::vector(logps))),
                ref_logps: if clamped { by_token } else { None },
                weights,
                grad_scores: Floats::F64(Matrix::vector(grad_scores)),
                grad_output: factor.0,
                grad_scale: factor.1,
            };
            let place = core_sequence::Grads { logps: Some(MatrixMut::vector(coefficients)), ref_logps: None };
            sequence::backward(context, problem.sequence(), &upstream, place)?;
            let of_kl = problem.reads_kl() || second;
            for b in 0..count(keeps, s) {
                let g = if of_kl { grad_kl[b] as f32 } else { 0.0 };
                segments.range(b).for_each(|i| kl_factors[i] = if scored[i] != 0 { g } else { 0.0 });
            }
            if let Some(side) = problem.side() {
                let upstream = inputs.grad_output.map_or(1.0, |g| g.get(0)) * inputs.grad_scale;
                // the NLL falls with the log-prob
                let (to, sign) = match side.divergence {
                    Some(_) => (&mut *kl_factors, 1.0),
                    None => (&mut *coefficients, -1.0),
                };
                for b in 0..s {
                    let g = sign * (side.coef * side_factors[b] * upstream);
                    if side_factors[b] != 0.0 && g != 0.0 {
                        for i in segments.range(b).filter(|&i| on_side(problem, inputs, scored, i)) {
                            to[i] = (to[i] as f64 + g) as f32;
                        }
                    }
                }
            }
            // an infinite divergence has gradient 0
            kl_factors.iter_mut().zip(&*kl_rows).filter(|(_, kl)| kl.is_infinite()).for_each(|(g, _)| *g = 0.0);
            // a row whose coefficients are 0 is not read either
            for (i, x) in read.iter_mut().enumerate() {
                let kl = kl_factors.get(i).copied().unwrap_or(0.0);
                *x = (live[i] != 0 && (coefficients[i] != 0.0 || kl != 0.0)) as u8;
            }
            if let (Some(head), Some(reference), Some(own), Some(other)) =
                (&inputs.ref_head, problem.reference(), &mut group.logits, ref_group.logits.take())
            {
                let both = [products(inputs, live), ref_products(inputs, head, live)];
                let heads = heads([problem.linear(), reference], both, [stats, ref_stats])?;
                linear::kept_kl_backward(context, heads, own, other, reverse, kl_factors, kl_rows);
            }
            // c d KL(q || p) / dz = c (p - q): the first part is that of lse, the second lies beside the logits; the other
            // way round the first is that of minus the entropy
            to_entropy.iter_mut().zip(&*kl_factors).for_each(|(to, g)| *to = -g);
            let upstream = Upstream {
                logprob: Some(Matrix::vector(coefficients)),
                lse: (keeps && !reverse).then_some(Matrix::vector(kl_factors)),
                entropy: reverse.then_some(Matrix::vector(to_entropy)),
                ..Upstream::default()
            };
            let status = match problem.phase() {
                Phase::WithCoefficients => out.row_status.as_mut().map(|m| m.reborrow()),
                _ => None,
            };
            let places = Grads {
                hidden: grads.hidden.as_mut().map(|g| g.reborrow()),
                weight: grads.weight.as_mut().map(|g| g.reborrow()),
                bias: grads.bias.as_mut().map(|g| g.reborrow()),
                ..grads
            };
            let inputs = products(inputs, read);
            linear::backward_group(
                context,
                problem.linear(),
                inputs,
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
    if problem.phase() != Phase::WithCoefficients {
        copy(logps, &mut out.logps);
        copy(scores, &mut out.scores);
        copy(kl, &mut out.kl);
        if let Some(m) = &mut out.ref_scores {
            // the scores of the reference alone, by the same weights
            let logps = match (&inputs.ref_head, inputs.ref_logps, inputs.ref_scores) {
                (Some(_), _, _) => Some(Floats::F32(Matrix::vector(ref_logps))),
                (None, logps, _) => logps,
            };
            if let Some(logps) = logps {
                let alone = core_sequence::Inputs { logps, ref_logps: None, weights };
                let places = core_sequence::Outputs {
                    scores: Some(FloatsMut::F64(m.reborrow())),
                    ..core_sequence::Outputs::default()
                };
                sequence::forward(context, problem.sequence(), &alone, places, None)?;
            }
        }
        copy(counts, &mut out.counts);
        for (i, bits) in row_status.iter_mut().enumerate() {
            *bits |= of_reference(i, ref_status, kl_rows);
        }
        copy(row_status, &mut out.row_status);
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
/// What the log-probs of the score are taken against, token by token; `logps` are those of the reference head.
fn token_reference<'a>(problem: &Problem<'_>, inputs: &Inputs<'a>, logps: &'a [f32]) -> Option<Floats<'a>> {
    if problem.by_head() { Some(Floats::F32(Matrix::vector(logps))) } else { inputs.ref_logps }
}
/// Row `i` is a token of the side term.
fn on_side(problem: &Problem<'_>, inputs: &Inputs<'_>, scored: &[u8], i: usize) -> bool {
    if inputs.side_mask.is_some() { inputs.beside(problem, i) } else { scored[i] != 0 }
}
/// What each sequence's sum of NLL is multiplied by, but for `coef`: how often it stands in the scope, over the divisor.
fn side_terms(problem: &Problem<'_>, inputs: &Inputs<'_>, scored: &[u8], factors: &mut [f64]) {
    factors.fill(0.0);
    let (Some(side), Some(p)) = (problem.side(), problem.preference()) else { return };
    let segments = problem.sequence().segments();
    let tokens = |b: usize| segments.range(b).filter(|&i| on_side(problem, inputs, scored, i)).count() as f64;
    let mut items = 0.0;
    match side.scope {
        Scope::Masked => {
            for (b, factor) in factors.iter_mut().enumerate() {
                if tokens(b) > 0.0 {
                    (*factor, items) = (1.0, items + 1.0);
                }
            }
        }
        scope => {
            for i in (0..p.count()).filter(|&i| inputs.groups.live(i)) {
                let b = match p.items() {
                    Items::Rows if inputs.groups.label.is_some_and(|l| !l.desirable(i)) => continue,
                    Items::Rows => i,
                    pairs if scope == Scope::Anchor => match pairs.anchor(i, p.sequences()) {
                        Some(b) => b,
                        None => continue,
                    },
                    pairs => pairs.pair(i, p.sequences()).0,
                };
                factors[b] += 1.0;
                items += 1.0;
            }
        }
    }
    let mut sum = 0.0;
    for (b, factor) in factors.iter().enumerate().filter(|(_, f)| **f > 0.0) {
        sum += match side.divisor {
            SideDivisor::RowMean => factor * (tokens(b) > 0.0) as u8 as f64,
            _ => factor * tokens(b),
        };
    }
    for (b, factor) in factors.iter_mut().enumerate().filter(|(_, f)| **f > 0.0) {
        let divisor = match side.divisor {
            SideDivisor::Pooled => sum,
            SideDivisor::RowMean => sum * tokens(b),
            SideDivisor::External(z) => z,
            SideDivisor::ItemSum => items,
        };
        *factor = if tokens(b) > 0.0 { *factor / divisor } else { 0.0 };
    }
}
/// The side term before its factor.
fn side_value(
    problem: &Problem<'_>,
    inputs: &Inputs<'_>,
    value: impl Fn(usize) -> f64,
    scored: &[u8],
    factors: &[f64],
) -> f64 {
    let segments = problem.sequence().segments();
    let mut total = 0.0;
    for (b, &factor) in factors.iter().enumerate().filter(|(_, f)| **f != 0.0) {
        let mut sum = 0.0;
        segments.range(b).filter(|&i| on_side(problem, inputs, scored, i)).for_each(|i| sum += value(i));
        total += factor * sum;
    }
    total
}
/// Status bits of row `i` that come from the reference head, as far as there is one.
pub(crate) fn of_reference(i: usize, status: &[u32], kl: &[f64]) -> u32 {
    let infinite = kl.get(i).is_some_and(|kl| kl.is_infinite());
    status.get(i).map_or(0, |bits| bits & !row::IGNORED) | if infinite { row::INFINITE } else { 0 }
}
/// Saved statistics of both heads of a row and the divergence in one.
pub(crate) fn save_pair([own, other]: [&[f32]; 2], kl: f64, to: &mut [f32]) {
    let (other, bits) = (Record::<f32>::unpack(other), kl.to_bits());
    to[..STATS].copy_from_slice(own);
    let rest = [other.m, other.r, f32::from_bits((bits >> 32) as u32), f32::from_bits(bits as u32)];
    to[STATS..PAIR_STATS].copy_from_slice(&rest);
}
/// The inverse of [`save_pair`], as far as the gradients read it.
pub(crate) fn saved_pair(from: &[f32], [own, other]: [&mut [f32]; 2]) -> f64 {
    own.copy_from_slice(&from[..STATS]);
    let [m, r, high, low] = [0, 1, 2, 3].map(|k| from[STATS + k]);
    other.copy_from_slice(&Record { m, r, ..Record::EMPTY }.pack());
    f64::from_bits((high.to_bits() as u64) << 32 | low.to_bits() as u64)
}
/// Both heads with their saved statistics.
pub(crate) fn heads<'a>(
    problems: [&'a Linear; 2],
    inputs: [linear::Inputs<'a>; 2],
    [own, other]: [&'a [f32]; 2],
) -> Result<[Head<'a>; 2]> {
    let stats = |x, p: &Linear| Matrix::contiguous(x, p.rows(), STATS);
    let all = [stats(own, problems[0])?, stats(other, problems[1])?];
    Ok([0, 1].map(|i| Head { problem: problems[i], inputs: inputs[i], stats: all[i] }))
}
fn ref_products<'a>(inputs: &Inputs<'a>, head: &RefHead<'a>, live: &'a [u8]) -> linear::Inputs<'a> {
    linear::Inputs { hidden: head.hidden, weight: head.weight, transform: head.transform, ..products(inputs, live) }
}
fn products<'a>(inputs: &Inputs<'a>, live: &'a [u8]) -> linear::Inputs<'a> {
    let rows = Rows { target: inputs.rows.target, mask: Some(Mask::U8(Matrix::vector(live))), ..Rows::default() };
    linear::Inputs::new(inputs.hidden, inputs.weight, inputs.transform, rows)
}
pub(crate) fn copy<T: truing_core::dtype::Element>(from: &[T], to: &mut Option<MatrixMut<'_, T>>) {
    if let Some(m) = to {
        from.iter().enumerate().for_each(|(i, &x)| m.set(i, x));
    }
}
