//! From hidden states to a preference loss and its gradients. See [`truing_core::linear_preference`].
//!
//! Memory beyond inputs and outputs is the workspace alone: 62 bytes a row and 28 a sequence for what is kept between
//! the steps, and the largest of what the three steps need (the products' share depends on D and the threads, never on
//! N x V). 512 rows, D = 576, V = 49152, f32, one thread: at least about 1 MB. A call allocates nothing; a thread pool takes
//! a few words of its own.
//!
//! With a larger workspace the call goes through groups of whole items, all of whose scores come from the group's rows,
//! and keeps the f32 logits of a group between its forward and its backward: three products instead of four, the same bits.
//! One group takes all rows, with logits kept if they fit, where items of different places share sequences (`Stacked` pairs
//! do), where flagged items are left out (the divisor needs every score), or where grad_weight or grad_bias cannot hold
//! running totals (16 bits, `accumulate`). Rows behind the first reduction block of grad_weight take the four products.
use crate::linear_logprob::{self as linear, Grads, Group, Logits};
use crate::parallel::Context;
use crate::sequence::check_space;
use crate::{preference, sequence};
use truing_core::dtype::Dtype;
use truing_core::error::row;
use truing_core::linear_logprob::{BLOCK, Problem as Linear};
use truing_core::linear_preference::{Inputs, Outputs, Phase, Problem};
use truing_core::logprob::{Figures, Rows, STATS, Upstream};
use truing_core::matrix::Workspace;
use truing_core::matrix::{Arena, Floats, FloatsMut, Mask, Matrix, MatrixMut};
use truing_core::preference::Items;
use truing_core::{Error, Result, Value, preference as core_preference, sequence as core_sequence};

/// What is asked for so that logits can be kept, or as many bytes as this number of rows needs where that is more: with
/// fewer rows a group, the traffic of grad_weight is more than a tenth of the work.
const PREFERRED: usize = 64 << 20;
const ROWS: usize = 140;

fn kept(problem: &Problem<'_>) -> usize {
    let (n, s) = (problem.linear().rows(), problem.sequence().sequences());
    // logps, coefficients, row status, saved statistics, two masks; scores, their gradients, counts, status, ends of items
    let (n4, s4) = (Arena::need::<u32>(n), Arena::need::<u32>(s));
    let masks = Arena::need::<u8>(n).saturating_mul(2);
    let rows = Arena::sum([n4, n4, n4, Arena::need::<f32>(n.saturating_mul(STATS)), masks]);
    Arena::sum([rows, Arena::need::<f64>(s), Arena::need::<f64>(s), s4, s4, s4])
}
/// Bytes of a group of up to `rows` live rows: kept logits, and what the steps need beside them, `least` at least.
fn group_need(context: &Context, p: &Linear, [hidden, weight]: [Dtype; 2], rows: usize, least: usize) -> usize {
    let products = Logits::workspace(context, p, hidden, weight, rows);
    let steps = products.max(least.next_multiple_of(Arena::ALIGN));
    Arena::sum([Logits::need(context, p, hidden, weight, rows), steps])
}
/// What is worth asking for so that a composite whose steps need `least` bytes can keep logits.
pub(crate) fn kept_preferred(context: &Context, p: &Linear, dtypes: [Dtype; 2], least: usize) -> usize {
    let most = p.rows().min(BLOCK);
    let need = |rows| group_need(context, p, dtypes, rows, least);
    need(most).min(PREFERRED).max(need(most.min(ROWS)))
}
/// Live rows of a group whose logits fit beside the steps into `bytes`; 0: too few to be worth it, of `live` in all.
pub(crate) fn kept_rows(
    context: &Context,
    p: &Linear,
    dtypes: [Dtype; 2],
    least: usize,
    bytes: usize,
    live: usize,
) -> usize {
    let fits = |rows: usize| group_need(context, p, dtypes, rows, least) <= bytes;
    let (mut low, mut high) = (0, p.rows().min(BLOCK));
    while low < high {
        let middle = (low + high).div_ceil(2);
        (low, high) = if fits(middle) { (middle, high) } else { (low, middle - 1) };
    }
    // a group of fewer rows than that costs more than it saves
    if low >= ROWS.min(live) { low } else { 0 }
}
/// Scratch memory of a call for operands of these types; every size from the minimum on gives the same bits.
pub fn workspace(context: &Context, problem: &Problem<'_>, hidden: Dtype, weight: Dtype) -> Workspace {
    let forward = linear::forward_workspace(context, problem.linear(), hidden, weight);
    let backward = linear::backward_workspace(context, problem.linear(), hidden, weight);
    let loss = problem.preference().map_or(0, |p| preference::workspace(context, p).minimum);
    let up = |x: usize| x.next_multiple_of(Arena::ALIGN);
    let kept = kept(problem);
    let mut preferred = forward.preferred.max(backward.preferred).max(loss);
    if problem.phase() == Phase::Single {
        let least = backward.minimum.max(loss);
        preferred = preferred.max(kept_preferred(context, problem.linear(), [hidden, weight], least));
    }
    Workspace {
        minimum: Arena::sum([kept, up(forward.minimum.max(backward.minimum).max(loss))]),
        preferred: Arena::sum([kept, up(preferred)]),
    }
}

/// How the sequences are cut into groups.
pub(crate) struct Cuts<'a> {
    /// Of a sequence that is the first of an item: the last of its items' sequences; else itself.
    pub(crate) last: &'a mut [u32],
    /// Live rows of a group whose logits fit; 0: they are not kept.
    pub(crate) most: usize,
    /// Whether another group may follow the one with the first rows.
    pub(crate) several: bool,
    /// grad_weight or grad_bias is wanted: kept groups stay inside its first reduction block.
    pub(crate) weight: bool,
}
impl Cuts<'_> {
    fn items(&mut self, problem: &core_preference::Problem<'_>, inputs: &core_preference::Groups<'_>) {
        for (s, last) in self.last.iter_mut().enumerate() {
            *last = s as u32;
        }
        let mut join = |a: usize, b: usize| {
            let first = &mut self.last[a.min(b)];
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
    /// The sequence behind the group that starts at `first`, with `before` live rows before it, and the most live rows
    /// that it has if its logits are kept, else 0. Without kept logits one group takes all that is left.
    pub(crate) fn next(&self, first: usize, before: usize, live: impl Fn(usize) -> usize) -> (usize, usize) {
        let all = self.last.len();
        let (mut end, mut rows, mut open, mut counted) = (first, 0, first, 0);
        for s in first..all {
            counted += live(s);
            open = open.max(self.last[s] as usize);
            if counted > self.most || (self.weight && before + counted > BLOCK) {
                break;
            }
            if open == s {
                (end, rows) = (s + 1, counted);
            }
        }
        // rows of later groups would not find the totals of this reduction block
        if end == first || (end < all && !self.several) { (all, 0) } else { (end, rows) }
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
    check_space(scratch, workspace(context, problem, hidden, weight))?;
    let (n, s) = (problem.linear().rows(), problem.sequence().sequences());
    let mut arena = Arena::new(scratch);
    let live = arena.take::<u8>(n)?;
    let read = arena.take::<u8>(n)?;
    let logps = arena.take::<f32>(n)?;
    let coefficients = arena.take::<f32>(n)?;
    let row_status = arena.take::<u32>(n)?;
    let stats = arena.take::<f32>(n * STATS)?;
    let scores = arena.take::<f64>(s)?;
    let grad_scores = arena.take::<f64>(s)?;
    let counts = arena.take::<i32>(s)?;
    let sequence_status = arena.take::<u32>(s)?;
    let last = arena.take::<u32>(s)?;
    let rest = arena.left() / Arena::ALIGN * Arena::ALIGN;
    let rest = arena.take::<u8>(rest)?;

    for (i, x) in live.iter_mut().enumerate() {
        *x = inputs.live(problem, i) as u8;
    }
    let live = &*live;
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
    let mut cuts =
        Cuts { last, most: 0, several: grads.continues(), weight: grads.weight.is_some() || grads.bias.is_some() };
    if let (Some(p), true) = (problem.preference(), wanted) {
        cuts.items(p, &inputs.groups);
        // leaving out flagged items needs every score before the first coefficient
        cuts.several &= !p.options().skip_flagged;
        let least = linear::backward_workspace(context, problem.linear(), hidden, weight).minimum;
        let least = least.max(preference::workspace(context, p).minimum);
        let count = live.iter().filter(|&&x| x != 0).count();
        cuts.most = kept_rows(context, problem.linear(), [hidden, weight], least, rest.len(), count);
    }
    let segments = problem.sequence().segments();
    // rows whose turn has not come
    logps.fill(0.0);
    row_status.fill(0);
    let (mut first, mut before) = (0, 0);
    loop {
        let count = |b: usize| segments.range(b).filter(|&i| live[i] != 0).count();
        let (end, most) = cuts.next(first, before, count);
        let rows = if first < s { segments.start(first) } else { 0 }..if end < s { segments.start(end) } else { n };
        let mut arena = Arena::new(&mut *rest);
        let logits = match most {
            0 => None,
            rows => Some(Logits::new(context, problem.linear(), hidden, weight, rows, &mut arena)?),
        };
        let mut group = Group { rows: rows.clone(), before, logits };
        let bytes = arena.left() / Arena::ALIGN * Arena::ALIGN;
        let space = arena.take::<u8>(bytes)?;

        let mut kept_stats = inputs.stats;
        if problem.phase() != Phase::WithCoefficients {
            let figures = Figures {
                logprob: Some(MatrixMut::vector(logps)),
                stats: Some(MatrixMut::contiguous(stats, n, STATS)?),
                status: Some(MatrixMut::vector(row_status)),
                ..Figures::default()
            };
            linear::forward_group(context, problem.linear(), products(inputs, live), &mut group, figures, space)?;
            let tokens = core_sequence::Inputs {
                logps: Floats::F32(Matrix::vector(logps)),
                ref_logps: inputs.ref_logps,
                weights,
            };
            let places = core_sequence::Outputs {
                scores: Some(FloatsMut::F64(MatrixMut::vector(scores))),
                counts: Some(MatrixMut::vector(counts)),
                status: Some(MatrixMut::vector(sequence_status)),
                ..core_sequence::Outputs::default()
            };
            sequence::forward(context, problem.sequence(), &tokens, places, None)?;
            for (b, bits) in sequence_status.iter_mut().enumerate() {
                for i in segments.range(b) {
                    *bits |= row_status[i] & !row::IGNORED;
                }
            }
            kept_stats = Some(Matrix::contiguous(stats, n, STATS)?);
        }
        let done = end == s;
        let mut factor = (None, 1.0);
        match (problem.preference(), &inputs.score_coefficients) {
            (Some(p), _) => {
                // the items of later groups are evaluated on scores without their tokens, and again when these are there
                let all = if done { core::mem::take(&mut out.preference) } else { Default::default() };
                let mut place = all.grad_scores;
                let own = (wanted || place.is_some()).then(|| FloatsMut::F64(MatrixMut::vector(grad_scores)));
                let places = core_preference::Outputs { grad_scores: own, ..all };
                let mut given = core_preference::Inputs::new(Floats::F64(Matrix::vector(scores)));
                (given.ref_scores, given.lengths) = (inputs.ref_scores, Some(Matrix::vector(counts)));
                (given.groups, given.grad_output, given.grad_scale) =
                    (inputs.groups, inputs.grad_output, inputs.grad_scale);
                given.sequence_status = Some(Matrix::vector(sequence_status));
                preference::run(context, p, &given, places, space)?;
                if let Some(m) = &mut place {
                    grad_scores.iter().enumerate().for_each(|(b, &g)| m.set(b, g));
                }
            }
            (None, Some(c)) => {
                grad_scores.iter_mut().enumerate().for_each(|(b, g)| *g = c.get(b));
                factor = (inputs.grad_output, inputs.grad_scale);
            }
            (None, None) => {}
        }
        if wanted {
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
            // a row whose coefficient is 0 is not read either
            for (x, (&live, &g)) in read.iter_mut().zip(live.iter().zip(&*coefficients)) {
                *x = (live != 0 && g != 0.0) as u8;
            }
            let upstream = Upstream { logprob: Some(Matrix::vector(coefficients)), ..Upstream::default() };
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
        copy(counts, &mut out.counts);
        copy(row_status, &mut out.row_status);
        if let Some(m) = &mut out.stats {
            (0..n).for_each(|i| m.row_mut(i).copy_from_slice(&stats[i * STATS..(i + 1) * STATS]));
        }
    }
    Ok(())
}
fn products<'a>(inputs: &Inputs<'a>, live: &'a [u8]) -> linear::Inputs<'a> {
    linear::Inputs {
        hidden: inputs.hidden,
        weight: inputs.weight,
        transform: inputs.transform,
        rows: Rows { target: inputs.rows.target, mask: Some(Mask::U8(Matrix::vector(live))), ..Rows::default() },
    }
}
pub(crate) fn copy<T: truing_core::dtype::Element>(from: &[T], to: &mut Option<MatrixMut<'_, T>>) {
    if let Some(m) = to {
        from.iter().enumerate().for_each(|(i, &x)| m.set(i, x));
    }
}
