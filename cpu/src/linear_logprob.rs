//! Token log-prob of `hidden [N, D] x weight [V, D]^T` without logits in memory, forward and backward.
//!
//! Forward: tasks of (token chunk, run of vocabulary blocks). A block of 2048 columns of a chunk is multiplied into
//! scratch as `z[column][token]`, tokens in the lanes, reduced to one record per token and forgotten; records merge by
//! the fixed tree. Backward, vocabulary tile outermost: dz of a tile (logits computed again), then the tile's part of
//! grad_weight and of grad_hidden from it, as it lies. Every sum has the order of `truing_core::linear_logprob` and
//! `truing_core::record`; how much fits the workspace decides what runs side by side and what is computed twice, nothing
//! else.
use crate::gemm::{
    A, Ahead, Disjoint, Input, Kernel, LANES, Onto, Out, Panels, Pieces, Place, Reduction, WIDEST, across, product,
    scratch, sweep, sweep_panels, with_kernel,
};
use crate::lanes::{Isa, Sixteen, prefetch};
use crate::logprob::{self, BackwardInputs, Counted, Losses, Over, Totals, add_up, check_figures, check_upstream};
use crate::on_lanes;
use crate::parallel::{Context, Mode};
use crate::rows::{Begun, Cell, Terms, V, centre, clamp, exp, exp_parts, fma, splat};
use crate::sequence::check_space;
use core::ops::Range;
use truing_core::divergence::formula::{ratio, term};
use truing_core::dtype::{Dtype, Float, bf16, f16};
use truing_core::error::row;
use truing_core::linear_logprob::{BLOCK, Problem, Rounding, check_dtype};
use truing_core::logprob::{ExtraIds, Figures, Found, Rows, STATS, Target, TransformInputs, Upstream};
use truing_core::matrix::{Arena, Floats, FloatsMut, Layout, Matrix, MatrixMut, Split};
use truing_core::record::{self, CHAINS, Record, RowGrad, RowTransform, RowUpstream, Tree};
use truing_core::row_loss::RowLossInputs;
use truing_core::support::{Support, SupportFigures};
use truing_core::{Error, Result, Status, Value};

mod given;
mod listed;
mod more;
mod shard;
pub(crate) use given::{Fill, Given, Room, Tile, backward_given, given_need, raw_need, raw_rows};
pub use more::Asked;
use more::{Places, Seen};
pub use shard::{local, local_workspace};

/// What both directions read.
#[derive(Clone, Copy, Debug)]
pub struct Inputs<'a> {
    /// `[N, D]`: f32, bf16 or f16.
    pub hidden: Floats<'a>,
    /// `[V, D]`: f32, bf16 or f16.
    pub weight: Floats<'a>,
    /// Bias and row temperatures.
    pub transform: TransformInputs<'a>,
    /// Targets and mask.
    pub rows: Rows<'a>,
    /// Arrays of the row loss.
    pub row_loss: RowLossInputs<'a>,
    /// The columns of [`Figures::extra_logprobs`].
    pub extra_ids: Option<ExtraIds<'a>>,
    /// The support that log-probs are normalised over; lists of columns read the weights of these columns alone.
    pub over: Option<Over<'a>>,
}
impl<'a> Inputs<'a> {
    /// Without row loss, extra columns and support.
    pub fn new(hidden: Floats<'a>, weight: Floats<'a>, transform: TransformInputs<'a>, rows: Rows<'a>) -> Inputs<'a> {
        let row_loss = RowLossInputs::default();
        Inputs { hidden, weight, transform, rows, row_loss, extra_ids: None, over: None }
    }
}

/// Where the gradients go: f32 or the operand's own type, each only when given.
#[derive(Debug, Default)]
pub struct Grads<'a> {
    /// `[N, D]`; 0 in rows that are not read.
    pub hidden: Option<FloatsMut<'a>>,
    /// `[V, D]`
    pub weight: Option<FloatsMut<'a>>,
    /// `[V]`
    pub bias: Option<FloatsMut<'a>>,
    /// Add the finished gradient to what `hidden` holds.
    pub accumulate_hidden: bool,
    /// Add the finished gradients to what `weight` and `bias` hold.
    pub accumulate_weight: bool,
}

pub use truing_core::matrix::Workspace;

/// What `preferred` does not exceed as long as the minimum does not.
const PREFERRED: usize = 64 << 20;
/// Packed hidden states of a forward wave.
const PACKED: usize = 32 << 20;
/// Tokens whose logits of one block are a task's scratch: 2 MiB.
const CHUNK: usize = 240;
/// Columns of a task of the logits product in the backward, at most; then the reduction of grad_hidden takes a strip at a
/// time.
const STRIP: usize = 96;
/// Rows between panels of weights, so that these do not lie powers of two apart, in the same cache sets.
const GAP: usize = 1;
/// Lanes of weights that grad_hidden packs together, and the bytes that this takes of all workers.
const TOGETHER: (usize, usize) = (576, 16 << 20);
/// Columns that grad_hidden takes all rows through before the next ones.
const PART: usize = 1056;
/// Strips of a grad_weight task.
const STRIPS: usize = 5;
/// Target column of a row that has none.
const NO_COLUMN: u32 = u32::MAX;

/// Workspace of [`forward`] for operands of these types and the first figures, of which each is one sum of a row.
pub fn forward_workspace(context: &Context, problem: &Problem, hidden: Dtype, weight: Dtype) -> Workspace {
    forward_need(context, problem, hidden, weight, &Asked::default())
}
/// Workspace of [`forward`] and, but for what [`forward_loss`] adds, of the others for what [`Asked::forward`] says.
pub fn forward_need(context: &Context, problem: &Problem, hidden: Dtype, weight: Dtype, asked: &Asked) -> Workspace {
    let paired = hidden == Dtype::Bf16 && weight == Dtype::Bf16;
    let sizes = Sizes { asked: *asked, ..Sizes::new(context, problem, paired) };
    with_kernel!(context.isa(), paired, k => forward_sizes(k, &sizes))
}
/// Workspace of [`forward_loss`]; `loss`: it is asked for.
pub fn loss_need(
    context: &Context,
    problem: &Problem,
    hidden: Dtype,
    weight: Dtype,
    asked: &Asked,
    loss: bool,
) -> Workspace {
    plus(
        forward_need(context, problem, hidden, weight, asked),
        logprob::forward_workspace(problem.logprob(), loss).minimum,
    )
}
fn plus(w: Workspace, bytes: usize) -> Workspace {
    Workspace { minimum: Arena::sum([bytes, up(w.minimum)]), preferred: Arena::sum([bytes, up(w.preferred)]) }
}
fn up(bytes: usize) -> usize {
    Arena::need::<u8>(bytes)
}
fn forward_sizes<K: Kernel>(_: K, sizes: &Sizes) -> Workspace {
    if sizes.rows == 0 {
        return Workspace { minimum: 0, preferred: 0 };
    }
    let minimum = Waves::new::<K>(sizes, LANES, false).need::<K>(sizes);
    let preferred = Waves::new::<K>(sizes, Waves::widest::<K>(sizes), true).need::<K>(sizes);
    Workspace { minimum, preferred: preferred.max(minimum) }
}
/// Workspace of [`backward`] for operands of these types, whatever gradients are asked for, from those of the first figures.
pub fn backward_workspace(context: &Context, problem: &Problem, hidden: Dtype, weight: Dtype) -> Workspace {
    backward_need(context, problem, hidden, weight, &Asked::default())
}
/// Workspace of [`backward`] for what [`Asked::backward`] says.
pub fn backward_need(context: &Context, problem: &Problem, hidden: Dtype, weight: Dtype, asked: &Asked) -> Workspace {
    let paired = hidden == Dtype::Bf16 && weight == Dtype::Bf16;
    let sizes = Sizes { asked: *asked, ..Sizes::new(context, problem, paired) };
    with_kernel!(context.isa(), paired, k => backward_sizes(k, &sizes))
}
fn backward_sizes<K: Kernel>(k: K, sizes: &Sizes) -> Workspace {
    if sizes.rows == 0 {
        return Workspace { minimum: 0, preferred: 0 };
    }
    let Workspace { minimum, preferred } = forward_sizes(k, sizes);
    if sizes.asked.list > 0 {
        let (kept, need) = (Kept::need(sizes), listed::bytes::<K>(sizes));
        return Workspace {
            minimum: Arena::sum([kept, minimum.max(need)]),
            preferred: Arena::sum([kept, preferred.max(need)]),
        };
    }
    let least = [
        Pass { hidden: false, roomy: false, t: LANES, c: LANES * K::NV, ..Pass::weight(sizes, false) },
        Pass { roomy: false, ..Pass::hidden(sizes, LANES * K::NV) },
    ];
    let minimum = least.iter().fold(minimum, |m, p| m.max(p.need::<K>(sizes)));
    let preferred = preferred.max(Pass { hidden: true, ..Pass::weight(sizes, false) }.need::<K>(sizes));
    let kept = Kept::need(sizes);
    let preferred = preferred.min(PREFERRED).max(minimum);
    Workspace { minimum: Arena::sum([kept, minimum]), preferred: Arena::sum([kept, preferred]) }
}

/// A run of rows that goes through forward and backward by itself, for composites that know the upstream gradient of some
/// rows before others are read. The figures and gradients of all groups together have the bits of one call over all rows.
#[derive(Debug)]
pub struct Group<'a> {
    /// The rows, neighbours; other rows are neither read nor written.
    pub rows: Range<usize>,
    /// Live rows of the backwards that ran before this one. A backward with `before` > 0 goes on from the gradients of
    /// weight and bias in memory ([`Grads::continues`]) and, if it has any of the two, must not start inside a later
    /// reduction block: `before` is below [`BLOCK`] or a multiple of it.
    pub before: usize,
    /// The saved statistics serve the gradient of the log-prob alone: u and q1 may be missing from them.
    pub logprob_only: bool,
    /// The logits, if they are kept from forward to backward; without them the backward computes them again, with the
    /// same bits.
    pub logits: Option<Logits<'a>>,
}
/// Raw logits of the live rows of a group, and which rows these are. At most [`BLOCK`] rows.
#[derive(Debug)]
pub struct Logits<'a> {
    z: &'a mut [f32],
    live: &'a mut [usize],
    count: usize,
    /// The forward forms nothing but these.
    alone: bool,
    /// What the backward adds to dz, where and for which rows `z` lies; or nothing.
    extra: &'a mut [f32],
}
impl<'a> Logits<'a> {
    /// Bytes of the logits of up to `rows` live rows.
    pub fn need(context: &Context, problem: &Problem, hidden: Dtype, weight: Dtype, rows: usize) -> usize {
        let paired = hidden == Dtype::Bf16 && weight == Dtype::Bf16;
        let sizes = Sizes { rows, ..Sizes::new(context, problem, paired) };
        let floats = with_kernel!(context.isa(), paired, k => kept_floats(k, &sizes));
        Arena::sum([need::<f32>(floats), need::<usize>(rows)])
    }
    /// Room for the logits of up to `rows` live rows, [`BLOCK`] at most, cut off `arena`.
    pub fn new(
        context: &Context,
        problem: &Problem,
        hidden: Dtype,
        weight: Dtype,
        rows: usize,
        arena: &mut Arena<'a>,
    ) -> Result<Self> {
        let paired = hidden == Dtype::Bf16 && weight == Dtype::Bf16;
        let sizes = Sizes { rows, ..Sizes::new(context, problem, paired) };
        let floats = with_kernel!(context.isa(), paired, k => kept_floats(k, &sizes));
        Ok(Logits { z: arena.take(floats)?, live: arena.take(rows)?, count: 0, alone: false, extra: &mut [] })
    }
    /// Bytes with which forward and backward of a group of up to `rows` live rows, whose logits are kept, are fast.
    pub fn workspace(context: &Context, problem: &Problem, hidden: Dtype, weight: Dtype, rows: usize) -> usize {
        Self::need_for(context, problem, hidden, weight, rows, &Asked::default())
    }
    pub(crate) fn need_for(
        context: &Context,
        problem: &Problem,
        hidden: Dtype,
        weight: Dtype,
        rows: usize,
        asked: &Asked,
    ) -> usize {
        let paired = hidden == Dtype::Bf16 && weight == Dtype::Bf16;
        let sizes = Sizes { rows, asked: *asked, ..Sizes::new(context, problem, paired) };
        with_kernel!(context.isa(), paired, k => kept_sizes(k, &sizes))
    }
}
impl Logits<'_> {
    /// Moves the logits of the rows that are still live to where a group of these rows alone would have them.
    fn compact<K: Kernel>(&mut self, job: &Job<'_>, pass: &Pass, live: &[usize]) {
        if *live == self.live[..self.count] {
            return;
        }
        // rows only move down
        let there = !self.extra.is_empty();
        let (z, extra) = (Disjoint::new(&mut *self.z), Disjoint::new(&mut *self.extra));
        let both = [Some(&z), there.then_some(&extra)];
        let old = &self.live[..self.count];
        job.context.tasks(job.valid().div_ceil(STRIP), |_, task| {
            for j in task * STRIP..job.valid().min((task + 1) * STRIP) {
                let mut from = 0;
                for (to, row) in live.iter().enumerate() {
                    while old[from] != *row {
                        from += 1;
                    }
                    for z in both.iter().flatten() {
                        // SAFETY: column j belongs to this task, and one element is read before one is written.
                        unsafe {
                            let x = z.shared(pass.place::<K>(from, j), 1)[0];
                            z.piece(pass.place::<K>(to, j), 1)[0] = x;
                        }
                    }
                }
            }
        });
        self.live[..live.len()].copy_from_slice(live);
        self.count = live.len();
    }
}
fn kept_floats<K: Kernel>(_: K, sizes: &Sizes) -> usize {
    Pass::kept(sizes, true, true).all_dz::<K>(sizes.valid)
}
fn kept_sizes<K: Kernel>(k: K, sizes: &Sizes) -> usize {
    let backward = Arena::sum([Kept::need(sizes), Pass::kept(sizes, true, true).need::<K>(sizes)]);
    forward_sizes(k, sizes).preferred.max(backward)
}
impl Grads<'_> {
    /// A shorter borrow.
    pub fn reborrow(&mut self) -> Grads<'_> {
        Grads {
            hidden: self.hidden.as_mut().map(FloatsMut::reborrow),
            weight: self.weight.as_mut().map(FloatsMut::reborrow),
            bias: self.bias.as_mut().map(FloatsMut::reborrow),
            ..*self
        }
    }
    /// Whether weight and bias can be formed by several groups: f32 places that can hold running totals, or none.
    pub fn continues(&self) -> bool {
        let holds = |g: &Option<FloatsMut<'_>>| g.as_ref().is_none_or(|g| g.dtype() == Dtype::F32);
        (self.weight.is_none() && self.bias.is_none())
            || (!self.accumulate_weight && holds(&self.weight) && holds(&self.bias))
    }
}

fn check(problem: &Problem, inputs: &Inputs<'_>) -> Result<()> {
    problem.check_operands(&inputs.hidden, &inputs.weight)?;
    if let Some(bias) = &inputs.transform.bias {
        check_dtype("transform.bias", bias.dtype())?;
    }
    inputs.rows.check(problem.logprob())?;
    inputs.transform.check(problem.logprob(), &inputs.rows)?;
    inputs.over.map_or(Ok(()), |over| {
        over.check_shard(problem.logprob())?;
        over.support.check(problem.logprob(), &inputs.rows)
    })
}
const SETS: [&str; 3] = ["figures.out_support_size", "figures.out_support_bitmask", "figures.out_support_ids"];
fn check_forward(
    problem: &Problem,
    inputs: &Inputs<'_>,
    out: &Figures<'_>,
    sets: &SupportFigures<'_>,
    totals: &Totals<'_>,
) -> Result<()> {
    check(problem, inputs)?;
    let p = problem.logprob();
    if p.total() != p.vocab() {
        return Err(Error::invalid("shard.vocab_total", Value::Size(p.total()), Value::Size(p.vocab())));
    }
    check_figures(p, &inputs.rows, &inputs.row_loss, inputs.extra_ids.as_ref(), out, totals)?;
    sets.check(p, SETS)?;
    let given = sets.lse.is_some() || sets.log_kept_mass.is_some() || sets.size.is_some();
    if inputs.over.is_none() && (given || sets.bitmask.is_some() || sets.ids.is_some()) {
        let expected = Value::Text("no figures of a support without one");
        return Err(Error::invalid("support.kind", Value::Text("none"), expected));
    }
    Ok(())
}
/// Writes the figures that `out` asks for: those of [`crate::logprob::forward`] on the logits `z`, bit for bit. Errors:
/// shapes, element types (f64 is not offered), targets and extra ids out of range, temperatures and biases that are not
/// finite, arrays of the row loss outside their ranges, a workspace below the minimum; nothing is written then.
pub fn forward(
    context: &Context,
    problem: &Problem,
    inputs: Inputs<'_>,
    out: Figures<'_>,
    workspace: &mut [u8],
) -> Result<()> {
    forward_loss(context, problem, inputs, out, SupportFigures::default(), Totals::default(), workspace)
}
/// [`forward`] with the figures of the supports and what all rows have together.
pub fn forward_loss(
    context: &Context,
    problem: &Problem,
    inputs: Inputs<'_>,
    mut out: Figures<'_>,
    mut sets: SupportFigures<'_>,
    totals: Totals<'_>,
    workspace: &mut [u8],
) -> Result<()> {
    check_forward(problem, &inputs, &out, &sets, &totals)?;
    let loss = totals.loss.is_some();
    let asked = Asked::forward(problem, inputs.over.as_ref(), inputs.extra_ids.as_ref(), &out, &sets, loss);
    let (hidden, weight) = (inputs.hidden.dtype(), inputs.weight.dtype());
    check_space(workspace, loss_need(context, problem, hidden, weight, &asked, loss))?;
    let job = Job::new(context, problem, inputs, asked);
    let mut arena = Arena::new(workspace);
    let losses = if loss { Some(arena.take(problem.rows())?) } else { None };
    let space = rest(&mut arena)?;
    let mut group = Group { rows: 0..problem.rows(), before: 0, logprob_only: false, logits: None };
    add_up(job.rows, totals, losses, |mut losses| {
        with_kernel!(context.isa(), job.paired, k => {
            forward_on(k, &job, &mut group, &mut out, &mut sets, &mut losses, space)
        })
    })
}
/// What is left of a workspace.
pub(crate) fn rest<'a>(arena: &mut Arena<'a>) -> Result<&'a mut [u8]> {
    let bytes = arena.left() / Arena::ALIGN * Arena::ALIGN;
    arena.take::<u8>(bytes)
}
/// [`forward`] of the rows of a group; keeps their logits where the group has room for them. No extra columns, and no figures
/// of a support.
pub fn forward_group(
    context: &Context,
    problem: &Problem,
    inputs: Inputs<'_>,
    group: &mut Group<'_>,
    mut out: Figures<'_>,
    workspace: &mut [u8],
) -> Result<()> {
    let mut sets = SupportFigures::default();
    check_forward(problem, &inputs, &out, &sets, &Totals::default())?;
    let (hidden, weight) = (inputs.hidden.dtype(), inputs.weight.dtype());
    let asked = Asked::forward(problem, inputs.over.as_ref(), None, &out, &sets, false);
    check_space(workspace, forward_need(context, problem, hidden, weight, &asked))?;
    let job = Job::new(context, problem, inputs, asked);
    add_up(job.rows, Totals::default(), None, |mut losses| {
        with_kernel!(context.isa(), job.paired, k => {
            forward_on(k, &job, group, &mut out, &mut sets, &mut losses, workspace)
        })
    })
}
/// [`forward_group`] without figures: keeps the logits and forms no sums, for rows whose statistics are there.
pub(crate) fn keep_group(
    context: &Context,
    problem: &Problem,
    inputs: Inputs<'_>,
    group: &mut Group<'_>,
    workspace: &mut [u8],
) -> Result<()> {
    group.logits.iter_mut().for_each(|l| l.alone = true);
    forward_group(context, problem, inputs, group, Figures::default(), workspace)
}
fn forward_on<K: Kernel>(
    k: K,
    job: &Job<'_>,
    group: &mut Group<'_>,
    out: &mut Figures<'_>,
    sets: &mut SupportFigures<'_>,
    (losses, Counted(counters)): &mut Losses<'_>,
    workspace: &mut [u8],
) -> Result<()> {
    let sizes = Sizes::of(job, group);
    if sizes.rows == 0 {
        return Ok(());
    }
    let kept = Pass::kept(&sizes, true, true);
    let (z, kept_live, alone) = match &mut group.logits {
        Some(l) => (Disjoint::new(&mut *l.z), &mut *l.live, l.alone),
        None => (Disjoint::new(&mut [][..]), &mut [][..], false),
    };
    let mut kept_count = 0;
    // u and q1 are left out where nothing needs them; the other sums have the same bits either way
    let all = out.entropy.is_some() || out.log_sum_sq.is_some() || (out.stats.is_some() && !group.logprob_only);
    let waves = Waves::fit::<K>(&sizes, workspace.len())?;
    let mut arena = Arena::new(workspace);
    let live = arena.take::<usize>(waves.wave)?;
    let mut space = Space::<K>::new(&waves, &sizes, &mut arena)?;
    let (mut next, n) = (group.rows.start, group.rows.end);
    let nothing = &mut Found::default();
    let loss = losses.is_some();
    while next < n {
        let (first, mut count) = (next, 0);
        while next < n && count < waves.wave {
            if job.target(next) != Target::Ignored {
                live[count] = next;
                count += 1;
            }
            next += 1;
        }
        let mut done = first;
        let keep = Keep { z: &z, pass: &kept, first: kept_count, alone };
        if !kept_live.is_empty() {
            kept_live[kept_count..kept_count + count].copy_from_slice(&live[..count]);
            kept_count += count;
        }
        let keep = (!kept_live.is_empty()).then_some(keep);
        let mut write = |i: usize, seen: Option<&Seen<'_>>, found: &Found| {
            let (target, record) = match seen {
                None => {
                    sets.ignored(i);
                    (Target::Ignored, Record::EMPTY.conclude(Target::Ignored))
                }
                Some(seen) => {
                    let (target, mut record) = (job.target(i), seen.record);
                    let live = seen.words.iter().map(|w| w.count_ones()).sum::<u32>();
                    let size = if record.poisoned() { -1 } else { live as i32 };
                    let set = truing_core::support::Kept { words: seen.words, extra: None };
                    record.flags |= sets.put(i, size, &set, job.valid(), &|_| true);
                    let record = record.conclude(target);
                    sets.lse.iter_mut().for_each(|m| m.set(i, record.figures(target).lse));
                    let mass = if record.poisoned() { f32::NAN } else { record.log_share(&seen.whole) };
                    sets.log_kept_mass.iter_mut().for_each(|m| m.set(i, mass));
                    (target, record)
                }
            };
            let column = |k: usize, _| seen.map_or(0.0, |seen| seen.named[1 + k]);
            let value = job.rows.inputs.write(&record, target, found, &column, out, (i, i), loss);
            losses.iter_mut().for_each(|m| m.set(i, value));
            counters.add(record.flags);
        };
        records(k, job, &waves, &sizes, &mut space, &live[..count], keep, None, all, &mut |i, seen, found| {
            (done..i).for_each(|i| write(i, None, nothing));
            done = i + 1;
            write(i, Some(seen), found);
        });
        (done..next).for_each(|i| write(i, None, nothing));
    }
    if let Some(l) = &mut group.logits {
        l.count = kept_count;
    }
    Ok(())
}

/// The gradient of the reduced loss.
#[derive(Debug)]
pub struct Fused<'a> {
    /// Where the gradients go.
    pub grads: Grads<'a>,
    /// Gradient of the loss.
    pub upstream: f64,
    /// Host factor on it.
    pub scale: f64,
}
/// Rows of a group below which keeping its logits costs more than it saves.
pub(crate) const ENOUGH: usize = 140;
/// How the rows of a call are cut into groups whose logits are kept.
pub(crate) struct Cuts {
    /// Live rows of a group whose logits fit; 0: they are not kept.
    pub most: usize,
    /// Whether another group may follow the one with the first rows.
    pub several: bool,
    /// grad_weight or grad_bias is wanted: kept groups stay inside its first reduction block.
    pub weight: bool,
}
impl Cuts {
    /// What is behind the group that starts with unit `first` of `all`, with `before` live rows before it, and the most live
    /// rows that it has if its logits are kept, else 0. Without kept logits one group takes all that is left. `live` counts
    /// the live rows of a unit, `last` is the last unit that must be in one group with it.
    pub fn next(
        &self,
        first: usize,
        all: usize,
        before: usize,
        live: impl Fn(usize) -> usize,
        last: impl Fn(usize) -> usize,
    ) -> (usize, usize) {
        let (mut end, mut rows, mut open, mut counted) = (first, 0, first, 0);
        for s in first..all {
            counted += live(s);
            open = open.max(last(s));
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
    /// The most live rows of a group, at most `rows`, that fit `bytes` as all smaller groups do, `need` bytes for a group of so
    /// many; 0 where these would be too few of `live`. What a group needs does not only grow with its rows: the fewer panels a
    /// product takes side by side, the less room it wants.
    pub fn most(rows: usize, live: usize, need: impl Fn(usize) -> usize, bytes: usize) -> usize {
        let (rows, mut low) = (rows.min(BLOCK), 0);
        while low < rows && need(rows.min(low + LANES)) <= bytes {
            low = rows.min(low + LANES);
        }
        // of the rows of a vector each takes more
        while low < rows && low % LANES < LANES - 1 && need(low + 1) <= bytes {
            low += 1;
        }
        if low >= ENOUGH.min(live) { low } else { 0 }
    }
    /// Bytes for a group of up to `rows` rows: those of the largest of them.
    pub fn room(rows: usize, need: impl Fn(usize) -> usize) -> usize {
        let rows = rows.min(BLOCK);
        let of = |i: usize| need(rows.min((i + 1) * LANES));
        (0..rows.div_ceil(LANES).max(1)).map(of).max().unwrap_or(0)
    }
    /// Bytes worth asking for so that logits of `rows` rows can be kept, `need` bytes for a group of so many: with fewer
    /// than [`ENOUGH`] rows a group, the traffic of grad_weight is more than a tenth of the work.
    pub fn preferred(rows: usize, need: impl Fn(usize) -> usize) -> usize {
        let most = rows.min(BLOCK);
        Self::room(most, &need).min(PREFERRED).max(Self::room(most.min(ENOUGH), &need))
    }
    /// Refuses a call in which a group cannot keep its logits: too many rows, or not the bytes that `missing` names for a
    /// number of rows. For calls that must keep them, before anything is written; `units` as in [`Cuts::next`].
    pub fn all_kept(
        &self,
        all: usize,
        live: impl Fn(usize) -> usize + Copy,
        last: impl Fn(usize) -> usize + Copy,
        limit: &'static str,
        missing: impl Fn(usize) -> [usize; 2],
    ) -> Result<()> {
        let (mut first, mut before) = (0, 0);
        while first < all {
            let (end, most) = self.next(first, all, before, live, last);
            let rows: usize = (first..end).map(live).sum();
            if most == 0 && rows > 0 {
                if rows > BLOCK || (self.weight && before + rows > BLOCK) {
                    return Err(Error::shape("ref_head.hidden", Value::Size(before + rows), Value::Text(limit)));
                }
                let [got, expected] = missing(rows).map(Value::Size);
                return Err(Error::new(Status::WorkspaceTooSmall, "workspace_size", got, expected));
            }
            (first, before) = (end, before + rows);
        }
        Ok(())
    }
}
/// Workspace of [`forward_fused`]; `loss`, `stats`: they are outputs.
#[allow(clippy::too_many_arguments)]
pub fn fused_need(
    context: &Context,
    problem: &Problem,
    hidden: Dtype,
    weight: Dtype,
    asked: &Asked,
    loss: bool,
    stats: bool,
) -> Workspace {
    let own = Arena::sum([logprob::forward_workspace(problem.logprob(), loss).minimum, own_stats(problem, stats)]);
    let forward = forward_need(context, problem, hidden, weight, asked);
    let backward = backward_need(context, problem, hidden, weight, asked);
    let minimum = up(forward.minimum.max(backward.minimum));
    let mut preferred = up(forward.preferred.max(backward.preferred));
    if asked.list == 0 {
        let need = |rows| group_need(context, problem, (hidden, weight), rows, asked, minimum);
        preferred = preferred.max(Cuts::preferred(problem.rows(), need));
    }
    plus(Workspace { minimum, preferred }, own)
}
fn own_stats(problem: &Problem, given: bool) -> usize {
    if given { 0 } else { Arena::need::<f32>(problem.rows().saturating_mul(STATS)) }
}
/// Bytes of a group of up to `rows` live rows: kept logits, and what forward and backward need beside them.
fn group_need(
    context: &Context,
    problem: &Problem,
    (hidden, weight): (Dtype, Dtype),
    rows: usize,
    asked: &Asked,
    least: usize,
) -> usize {
    let products = Logits::need_for(context, problem, hidden, weight, rows, asked).max(least);
    Arena::sum([Logits::need(context, problem, hidden, weight, rows), up(products)])
}
/// [`forward_loss`], then the gradient of the reduced loss: what [`backward`] gives for `upstream.loss`. Groups of rows go
/// forward and backward one by one as far as the workspace can keep their logits: three products instead of four, with the
/// same bits.
#[allow(clippy::too_many_arguments)]
pub fn forward_fused(
    context: &Context,
    problem: &Problem,
    inputs: Inputs<'_>,
    mut out: Figures<'_>,
    mut sets: SupportFigures<'_>,
    totals: Totals<'_>,
    mut fused: Fused<'_>,
    workspace: &mut [u8],
) -> Result<()> {
    check_forward(problem, &inputs, &out, &sets, &totals)?;
    let upstream = Upstream { loss: Some(fused.upstream), scale: fused.scale, ..Upstream::default() };
    check_backward(problem, &inputs, None, &upstream, &fused.grads, None)?;
    let (n, loss, stats) = (problem.rows(), totals.loss.is_some(), out.stats.is_some());
    let asked = Asked::fused(problem, inputs.over.as_ref(), inputs.extra_ids.as_ref(), &out, &sets);
    let (hidden, weight) = (inputs.hidden.dtype(), inputs.weight.dtype());
    check_space(workspace, fused_need(context, problem, hidden, weight, &asked, loss, stats))?;
    let mut arena = Arena::new(workspace);
    let losses = if loss { Some(arena.take(n)?) } else { None };
    let stats = match out.stats.take() {
        Some(m) => m,
        None => MatrixMut::contiguous(arena.take(n * STATS)?, n, STATS)?,
    };
    let mut out = Figures { stats: Some(stats), ..out };
    let space = rest(&mut arena)?;
    let job = Job::new(context, problem, inputs, asked);
    let live = |i: usize| (job.target(i) != Target::Ignored) as usize;
    let grads = &mut fused.grads;
    let mut cuts = Cuts { most: 0, several: grads.continues(), weight: grads.weight.is_some() || grads.bias.is_some() };
    if asked.list == 0 {
        let least = backward_need(context, problem, hidden, weight, &asked).minimum;
        let least = up(least.max(forward_need(context, problem, hidden, weight, &asked).minimum));
        let need = |rows| group_need(context, problem, (hidden, weight), rows, &asked, least);
        cuts.most = Cuts::most(n, (0..n).map(live).sum(), need, space.len());
    }
    let upstream = Upstream { loss: job.rows.divided(upstream.loss), ..upstream };
    add_up(job.rows, totals, losses, |mut losses| {
        let (mut first, mut before) = (0, 0);
        // without rows too: gradients are written
        loop {
            let (end, most) = cuts.next(first, n, before, live, |i| i);
            let mut arena = Arena::new(&mut *space);
            let logits = match most {
                0 => None,
                rows => Some(Logits::new(context, problem, hidden, weight, rows, &mut arena)?),
            };
            let (mut group, space) =
                (Group { rows: first..end, before, logprob_only: false, logits }, rest(&mut arena)?);
            with_kernel!(context.isa(), job.paired, k => {
                forward_on(k, &job, &mut group, &mut out, &mut sets, &mut losses, space)
            })?;
            let stats = out.stats.as_ref().map(MatrixMut::view);
            let back =
                Back { rows: logprob::Back { job: job.rows, stats, from: 0, upstream, stream: false }, status: None };
            let grads = grads.reborrow();
            with_kernel!(context.isa(), job.paired, k => backward_on(k, &job, &mut group, back, grads, space))?;
            before += (first..end).map(live).sum::<usize>();
            first = end;
            if first == n {
                return Ok(());
            }
        }
    })
}

/// Writes the gradients of hidden, weight and bias from the upstream gradients of the figures, the chain
/// `dz_nj` of [`crate::logprob::backward`] times `weight` and `hidden`. `stats` are those of a forward with the same
/// inputs; without them the records are computed again, with the same bits. Rows that are ignored are not read, their
/// grad_hidden is 0; rows whose target is dead give 0, rows with a NaN or a `+inf` NaN. `status` gets the bits of the rows.
#[allow(clippy::too_many_arguments)]
pub fn backward(
    context: &Context,
    problem: &Problem,
    inputs: Inputs<'_>,
    stats: Option<Matrix<'_, f32>>,
    upstream: Upstream<'_>,
    grads: Grads<'_>,
    status: Option<MatrixMut<'_, u32>>,
    workspace: &mut [u8],
) -> Result<()> {
    let mut all = Group { rows: 0..problem.rows(), before: 0, logprob_only: false, logits: None };
    backward_group(context, problem, inputs, &mut all, stats, upstream, grads, status, workspace)
}
/// [`backward`] of the rows of a group, from its kept logits where it has them: those that a [`forward_group`] with the
/// same inputs has left. Rows that were live there may be ignored now, not the other way round. The logits are used up.
#[allow(clippy::too_many_arguments)]
pub fn backward_group(
    context: &Context,
    problem: &Problem,
    inputs: Inputs<'_>,
    group: &mut Group<'_>,
    stats: Option<Matrix<'_, f32>>,
    upstream: Upstream<'_>,
    grads: Grads<'_>,
    status: Option<MatrixMut<'_, u32>>,
    workspace: &mut [u8],
) -> Result<()> {
    check_backward(problem, &inputs, stats.as_ref(), &upstream, &grads, status.as_ref())?;
    if group.before > 0 && !grads.continues() {
        let expected = Value::Text("f32 places without accumulate for weight and bias of several groups");
        return Err(Error::invalid("grads.grad_weight_out", Value::Text("a place that holds no totals"), expected));
    }
    if grads.weight.is_some() || grads.bias.is_some() {
        let inside = group.before % BLOCK;
        let most = group.logits.as_ref().map_or(0, |l| l.count);
        if (inside > 0 && group.before > BLOCK) || inside + most > BLOCK {
            let expected = Value::Text("a group inside one reduction block, or in front of all but the first");
            return Err(Error::invalid("group.before", Value::Size(group.before), expected));
        }
    }
    let asked = Asked::backward(problem, inputs.over.as_ref(), &upstream, stats.is_some());
    let (hidden, weight) = (inputs.hidden.dtype(), inputs.weight.dtype());
    check_space(workspace, backward_need(context, problem, hidden, weight, &asked))?;
    let job = Job::new(context, problem, inputs, asked);
    let upstream = Upstream { loss: job.rows.divided(upstream.loss), ..upstream };
    let back = Back { rows: logprob::Back { job: job.rows, stats, from: 0, upstream, stream: false }, status };
    with_kernel!(context.isa(), job.paired, k => backward_on(k, &job, group, back, grads, workspace))
}
fn check_backward(
    problem: &Problem,
    inputs: &Inputs<'_>,
    stats: Option<&Matrix<'_, f32>>,
    upstream: &Upstream<'_>,
    grads: &Grads<'_>,
    status: Option<&MatrixMut<'_, u32>>,
) -> Result<()> {
    check(problem, inputs)?;
    let (n, d, v) = (problem.rows(), problem.hidden_size(), problem.vocab());
    let weight = inputs.weight.dtype();
    let bias = inputs.transform.bias.map_or(weight, |b| b.dtype());
    if let Some(g) = &grads.hidden {
        problem.check_grad("grad_hidden", (g.dtype(), g.layout()), inputs.hidden.dtype(), n, d)?;
    }
    if let Some(g) = &grads.weight {
        problem.check_grad("grad_weight", (g.dtype(), g.layout()), weight, v, d)?;
    }
    if let Some(g) = &grads.bias {
        problem.check_grad("grad_bias", (g.dtype(), g.layout()), bias, v, 1)?;
    }
    status.map_or(Ok(()), |s| s.layout().check("out_status", n, 1))?;
    let rows = BackwardInputs { transform: inputs.transform, rows: inputs.rows, row_loss: inputs.row_loss };
    check_upstream(problem.logprob(), &rows, stats, upstream)
}

/// A call's problem and inputs.
struct Job<'a> {
    context: &'a Context,
    problem: &'a Problem,
    inputs: Inputs<'a>,
    /// The part of it that is the logits form's.
    rows: logprob::Job<'a>,
    asked: Asked,
    /// Both operands are bf16.
    paired: bool,
    isa: Isa,
    softcap: bool,
    /// logit_scale / softcap
    inner: f32,
    /// No row transforms its logits.
    identity: bool,
}
impl<'a> Job<'a> {
    fn new(context: &'a Context, problem: &'a Problem, inputs: Inputs<'a>, asked: Asked) -> Self {
        let t = &problem.logprob().options().transform;
        let one = RowTransform::new(t, t.temperature);
        Job {
            context,
            problem,
            inputs,
            rows: logprob::Job::new(
                problem.logprob(),
                inputs.transform,
                inputs.rows,
                inputs.row_loss,
                inputs.extra_ids,
            ),
            asked,
            paired: inputs.hidden.dtype() == Dtype::Bf16 && inputs.weight.dtype() == Dtype::Bf16,
            isa: context.isa(),
            softcap: t.softcap != 0.0,
            inner: if let RowTransform::Softcap { inner, .. } = one { inner } else { 0.0 },
            identity: one == RowTransform::Plain
                && inputs.transform.bias.is_none()
                && inputs.transform.row_temperature.is_none(),
        }
    }
    fn target(&self, i: usize) -> Target {
        self.inputs.rows.target(i, self.problem.logprob().options())
    }
    fn transform(&self, i: usize) -> RowTransform {
        self.inputs.transform.row(self.problem.logprob(), i)
    }
    fn valid(&self) -> usize {
        self.problem.logprob().valid()
    }
    fn bias(&self, j: usize) -> Option<f32> {
        self.inputs.transform.bias.as_ref().map(|b| b.get(j) as f32)
    }
    /// Columns of a first block that is cut.
    fn cut(&self) -> usize {
        let skip = self.problem.logprob().start() % BLOCK;
        if skip > 0 { (BLOCK - skip).min(self.valid()) } else { 0 }
    }
    /// Runs of the first block alone.
    fn head(&self) -> usize {
        (self.cut() > 0) as usize
    }
    /// The first and the last columns at hand of block `b`, and how many columns of the block lie below them.
    fn block(&self, b: usize) -> (usize, usize, usize) {
        let cut = self.cut();
        if cut > 0 && b == 0 {
            return (0, cut, self.problem.logprob().start() % BLOCK);
        }
        let v0 = cut + (b - self.head()) * BLOCK;
        (v0, self.valid().min(v0 + BLOCK), 0)
    }
    /// The blocks of a run.
    fn run(&self, run: usize, levels: u32) -> (usize, usize) {
        let (head, cut) = (self.head(), self.cut());
        if run < head {
            return (0, 1);
        }
        let all = head + (self.valid() - cut).div_ceil(BLOCK);
        (head + ((run - head) << levels), all.min(head + ((run - head + 1) << levels)))
    }
    /// The target and the extra columns of row `i` among the columns at hand, by their places in `Places::named`.
    fn named(&self, i: usize) -> impl Iterator<Item = (usize, usize)> {
        let target = self.rows.local(self.target(i)).map(|y| (0, y));
        let ids = self.inputs.extra_ids.as_ref().filter(|_| self.asked.extra > 0);
        let problem = self.problem.logprob();
        let column = move |ids: &ExtraIds<'_>, k| Some((1 + k, problem.local(ids.get(i, k)?)?));
        let extra = ids.into_iter().flat_map(move |ids| (0..ids.cols()).filter_map(move |k| column(ids, k)));
        target.into_iter().chain(extra)
    }
    /// Class weight of a column at hand, 1 without class weights.
    fn class_weight(&self, j: usize) -> f32 {
        let start = self.problem.logprob().start();
        self.rows.class_weight().map_or(1.0, |c| c.get(start + j) as f32)
    }
    /// The gradient of column `j`, which the figures name, with respect to its raw logit `z`.
    fn named_gradient(&self, t: &RowTransform, record: &Record, g: &RowUpstream, z: f32, j: usize, own: f64) -> f32 {
        let x = self.at(t, z, j);
        if x == f32::NEG_INFINITY {
            return 0.0;
        }
        let dx = g.named(record, x, own, self.class_weight(j) as f64);
        (dx * t.slope((z + self.bias(j).unwrap_or(0.0)) as f64)) as f32
    }
    /// The target column of a live row, if it has one that is not padding.
    fn column(&self, i: usize) -> u32 {
        self.rows.local(self.target(i)).map_or(NO_COLUMN, |y| y as u32)
    }
}

/// What the sizes of buffers follow from.
struct Sizes {
    rows: usize,
    d: usize,
    valid: usize,
    threads: usize,
    paired: bool,
    asked: Asked,
    /// Columns of the first block of the whole vocabulary that lie below the first one at hand.
    skip: usize,
}
impl Sizes {
    fn new(context: &Context, problem: &Problem, paired: bool) -> Self {
        Sizes {
            rows: problem.rows(),
            d: problem.hidden_size(),
            valid: problem.logprob().valid(),
            threads: context.threads(),
            paired,
            asked: Asked::default(),
            skip: problem.logprob().start() % BLOCK,
        }
    }
    fn of(job: &Job<'_>, group: &Group<'_>) -> Self {
        let rows = group.logits.as_ref().map_or(group.rows.len(), |l| l.live.len());
        Sizes { rows, asked: job.asked, ..Sizes::new(job.context, job.problem, job.paired) }
    }
    /// Columns of a first block that is cut, 0 if it is whole.
    fn head(&self) -> usize {
        if self.skip > 0 { (BLOCK - self.skip).min(self.valid) } else { 0 }
    }
    /// Whole blocks, the last one ragged.
    fn blocks(&self) -> usize {
        (self.valid - self.head()).div_ceil(BLOCK)
    }
    fn len<K: Kernel>(&self) -> usize {
        K::In::len(self.d, self.paired)
    }
    /// Inputs of a worker's copy of weight rows.
    fn scratch<K: Kernel>(&self, roomy: bool) -> usize {
        let (like, least) = scratch::<K>(self.d, self.paired);
        if roomy { like } else { least }
    }
}
fn need<T>(n: usize) -> usize {
    Arena::need::<T>(n)
}

/// Constants of the transform of some rows, one lane each.
#[derive(Clone, Copy)]
struct Lanes<'a> {
    slope: &'a [f32],
    outer: &'a [f32],
}
/// The constants of a row's transform, in `slope` and `outer` of lane `i`.
fn set_transform(t: &RowTransform, i: usize, slope: &mut [f32], outer: &mut [f32]) {
    (slope[i], outer[i]) = match *t {
        RowTransform::Plain => (1.0, 0.0),
        RowTransform::Scale(a) => (a, 0.0),
        RowTransform::Softcap { outer, slope, .. } => (slope, outer),
    };
}
/// The transform of the rows in 16 lanes; a row without one scales by 1.
#[inline(always)]
fn lane_transform<S: Sixteen>(s: S, job: &Job<'_>, t: &Lanes<'_>, at: usize) -> RowTransform<V<S>> {
    let slope = V::load(s, t.slope, at, 1.0);
    if job.softcap {
        RowTransform::Softcap { inner: splat(s, job.inner), outer: V::load(s, t.outer, at, 0.0), slope }
    } else {
        RowTransform::Scale(slope)
    }
}

/// How the forward is cut.
#[derive(Clone, Copy)]
struct Waves {
    /// Rows packed at a time.
    wave: usize,
    /// Lanes of a panel.
    width: usize,
    /// Panels of a task.
    panels: usize,
    /// A task runs over `1 << levels` blocks.
    levels: u32,
    /// Runs of blocks.
    runs: usize,
    /// The scratch is not the smallest one.
    roomy: bool,
}
impl Waves {
    fn widest<K: Kernel>(sizes: &Sizes) -> usize {
        let row = sizes.len::<K>().max(1) * size_of::<K::In>() + sizes.asked.row(sizes.valid);
        let packed = PACKED / row / CHUNK * CHUNK;
        sizes.rows.next_multiple_of(LANES).min(packed.max(CHUNK))
    }
    fn new<K: Kernel>(sizes: &Sizes, wave: usize, roomy: bool) -> Self {
        let width = (LANES * K::NV).min(wave);
        let panels = wave.div_ceil(LANES * K::NV);
        let chunks = panels.div_ceil(across::<K>(sizes.len::<K>()));
        let blocks = sizes.blocks();
        // one thread keeps no records of runs; several get enough tasks to end together
        let mut levels = blocks.next_power_of_two().trailing_zeros();
        while sizes.threads > 1 && levels > 0 && chunks * blocks.div_ceil(1 << levels) < 6 * sizes.threads {
            levels -= 1;
        }
        // a first block that is cut is a run of its own
        let runs = (sizes.head() > 0) as usize + blocks.div_ceil(1 << levels);
        Waves { wave, width, panels: panels.div_ceil(chunks), levels, runs, roomy }
    }
    fn fit<K: Kernel>(sizes: &Sizes, bytes: usize) -> Result<Self> {
        let mut wave = Self::widest::<K>(sizes);
        loop {
            let waves = Self::new::<K>(sizes, wave, true);
            if waves.need::<K>(sizes) <= bytes {
                return Ok(waves);
            }
            if wave == LANES {
                return Ok(Self::new::<K>(sizes, LANES, false));
            }
            wave = (wave / 2 / LANES * LANES).max(LANES);
        }
    }
    /// Tokens of a task.
    fn chunk(&self) -> usize {
        self.panels * self.width
    }
    fn need<K: Kernel>(&self, sizes: &Sizes) -> usize {
        let (vectors, panels) = Panels::<K::In>::need(self.wave, sizes.len::<K>(), K::NV);
        let lanes = self.wave + WIDEST;
        Arena::sum([
            need::<usize>(self.wave),
            need::<f32>(lanes),
            need::<f32>(lanes),
            need::<[K::In; LANES]>(vectors),
            need::<u16>(panels),
            need::<[f32; STATS]>(self.runs * self.wave),
            need::<f32>(sizes.threads * BLOCK * self.chunk()),
            need::<K::In>(sizes.threads.saturating_mul(sizes.scratch::<K>(self.roomy))),
            need::<f32>(sizes.threads * 3 * self.chunk()),
            need::<[f32; STATS]>(sizes.threads * (self.levels as usize + 1) * self.chunk()),
            Places::need::<K>(self, sizes),
        ])
    }
}
/// The forward's pieces of the workspace.
struct Space<'a, K: Kernel> {
    slope: &'a mut [f32],
    outer: &'a mut [f32],
    panels: Panels<'a, K::In>,
    runs: &'a mut [[f32; STATS]],
    z: &'a mut [f32],
    scratch: &'a mut [K::In],
    state: &'a mut [f32],
    stack: &'a mut [[f32; STATS]],
    more: Places<'a>,
}
impl<'a, K: Kernel> Space<'a, K> {
    fn new(waves: &Waves, sizes: &Sizes, arena: &mut Arena<'a>) -> Result<Self> {
        let (vectors, panels) = Panels::<K::In>::need(waves.wave, sizes.len::<K>(), K::NV);
        let lanes = waves.wave + WIDEST;
        let (slope, outer) = (arena.take(lanes)?, arena.take(lanes)?);
        slope.fill(1.0);
        outer.fill(0.0);
        Ok(Space {
            slope,
            outer,
            panels: Panels::new(arena.take(vectors)?, arena.take(panels)?, sizes.len::<K>(), K::NV),
            runs: arena.take(waves.runs * waves.wave)?,
            z: arena.take(sizes.threads * BLOCK * waves.chunk())?,
            scratch: arena.take(sizes.threads * sizes.scratch::<K>(waves.roomy))?,
            state: arena.take(sizes.threads * 3 * waves.chunk())?,
            stack: arena.take(sizes.threads * (waves.levels as usize + 1) * waves.chunk())?,
            more: Places::new::<K>(waves, sizes, arena)?,
        })
    }
}

/// What a forward finds about a row goes there, in the order of the rows.
type Each<'a> = dyn FnMut(usize, &Seen<'_>, &Found) + 'a;

/// Calls `sink` for each of the live rows in order; at most a wave of them. The rank counts from the target's logit in
/// `stats` where it is given.
#[allow(clippy::too_many_arguments)]
fn records<K: Kernel>(
    k: K,
    job: &Job<'_>,
    waves: &Waves,
    sizes: &Sizes,
    space: &mut Space<'_, K>,
    live: &[usize],
    keep: Option<Keep<'_>>,
    stats: Option<&Matrix<'_, f32>>,
    all: bool,
    sink: &mut Each<'_>,
) {
    if live.is_empty() {
        return;
    }
    let (asked, alone) = (&job.asked, keep.as_ref().is_some_and(|keep| keep.alone));
    for (i, &row) in live.iter().enumerate() {
        set_transform(&job.transform(row), i, space.slope, space.outer);
    }
    // kept apart from `space`, which is cut into pieces
    let (slope, outer) = (core::mem::take(&mut space.slope), core::mem::take(&mut space.outer));
    let lanes = Lanes { slope: &*slope, outer: &*outer };
    if asked.list == 0 || asked.whole {
        space.panels.fill(job.context, &job.inputs.hidden, job.paired, live);
    }
    if asked.any() {
        space.more.named.fill(f32::NEG_INFINITY);
        space.more.inside.fill(1);
        space.more.ties.fill(0);
        space.more.tops.fill(0);
        let over = job.inputs.over.as_ref().map(|over| &over.support);
        if let Some(Support::Computed(filters)) = over {
            more::masks(k, job, space, live, filters);
        }
        let words = asked.mask(job.valid());
        for (i, &row) in live.iter().enumerate() {
            let made = &space.more.words[i * words..(i + 1) * words];
            let y = job.rows.local(job.target(row));
            space.more.inside[i] = match over {
                Some(Support::Bitmask(_) | Support::Computed(_)) => {
                    let set = truing_core::support::Kept { words: job.words(row, made), extra: None };
                    y.is_some_and(|y| set.has(y)) as u8
                }
                Some(Support::Lists(lists)) => y.is_some_and(|y| lists.walk(row, None).any(|j| j == y)) as u8,
                None => 1,
            };
        }
        if asked.needs.rank {
            match stats {
                Some(stats) => {
                    for (xy, &row) in space.more.xy.iter_mut().zip(live) {
                        *xy = Record::unpack(stats.row(row)).xy;
                    }
                }
                None if asked.list == 0 => more::targets(k, job, space, live, &lanes),
                None => {} // lists find it where they find the rest
            }
            for (i, &row) in live.iter().enumerate() {
                let keep = job.inputs.over.is_none_or(|over| over.outside == truing_core::support::Outside::Keep);
                if stats.is_none() && space.more.inside[i] == 0 && !keep {
                    space.more.xy[i] = f32::NEG_INFINITY;
                }
                debug_assert!(job.target(row) != Target::Ignored);
            }
        }
    }
    if asked.list == 0 {
        tiles(k, job, waves, space, live, keep, all, &lanes);
    } else {
        if asked.whole {
            let inputs = Inputs { over: None, ..job.inputs };
            let dense = Job::new(job.context, job.problem, inputs, Asked::default());
            tiles(k, &dense, waves, space, live, None, all, &lanes);
            for (to, run) in space.more.whole.iter_mut().zip(&*space.runs) {
                let x = Record::unpack_part(run);
                // the log-prob is that of the support
                let xy = if x.poisoned() { x.xy } else { f32::NEG_INFINITY };
                *to = Record { xy, ..x }.pack_part();
            }
        }
        listed::records(k, job, sizes, space, live, stats.is_some(), &lanes);
    }
    if alone {
        (space.slope, space.outer) = (slope, outer);
        return;
    }
    let (mut found, columns, head) = (Found::default(), 1 + asked.extra, job.head());
    let (words, top) = (asked.mask(job.valid()), asked.needs.top);
    for (i, &row) in live.iter().enumerate() {
        let joined = |all: &[[f32; STATS]], head: usize, runs: usize| {
            let (mut first, mut tree) = (Record::EMPTY, Tree::new());
            for run in 0..runs {
                let x = Record::unpack_part(&all[run * waves.wave + i]);
                if run < head { first = x } else { tree.push(x) }
            }
            let mut r = first.merge(tree.finish());
            if r.poisoned() && r.flags == 0 {
                r.flags = row::OVERFLOW; // finite logits that the transform takes beyond f32
            }
            r
        };
        let record = match asked.list {
            0 => joined(space.runs, head, waves.runs),
            _ => joined(space.runs, 0, 1),
        };
        let mut seen = Seen { record, whole: Record::EMPTY, named: &[], words: &[] };
        if asked.any() {
            let more = &space.more;
            if asked.whole {
                seen.whole = joined(more.whole, head, waves.runs);
            }
            seen.named = &more.named[i * columns..(i + 1) * columns];
            seen.words = &more.words[i * words..(i + 1) * words];
            // the filters say nothing about a bad row
            if !(asked.order && seen.record.poisoned()) {
                seen.record.flags |= job.outside(row, more.inside[i] != 0, seen.named[0]);
            }
            found.start(&asked.needs);
            for run in 0..waves.runs {
                let at = run * waves.wave + i;
                found.ties += more.ties[at];
                found.top.join(&more.tops[at * top..(at + 1) * top]);
            }
            found.top.finish(&seen.record);
        }
        sink(row, &seen, &found);
    }
    (space.slope, space.outer) = (slope, outer);
}
/// The records of the blocks of tiles, merged as far as runs go, and what else is asked for.
#[allow(clippy::too_many_arguments)]
fn tiles<K: Kernel>(
    k: K,
    job: &Job<'_>,
    waves: &Waves,
    space: &mut Space<'_, K>,
    live: &[usize],
    keep: Option<Keep<'_>>,
    all: bool,
    lanes: &Lanes<'_>,
) {
    let (weight, asked, start) = (&job.inputs.weight, &job.asked, job.problem.logprob().start());
    let (panels, threads, any) = (&space.panels, job.context.threads(), job.asked.any());
    let alone = keep.as_ref().is_some_and(|keep| keep.alone);
    let (chunk, ns, levels) = (waves.chunk(), space.scratch.len() / threads, waves.levels as usize + 1);
    let (z_all, scratch_all) = (Disjoint::new(&mut *space.z), Disjoint::new(&mut *space.scratch));
    let (state_all, stack_all) = (Disjoint::new(&mut *space.state), Disjoint::new(&mut *space.stack));
    let runs = Disjoint::new(&mut *space.runs);
    let more = &mut space.more;
    let (nr, np, n2) = (more.rows.len() / threads, more.spare.len() / threads, more.stack.len() / threads);
    let (named_all, words_all) = (Disjoint::new(&mut *more.named), Disjoint::new(&mut *more.words));
    let (tops_all, ties_all) = (Disjoint::new(&mut *more.tops), Disjoint::new(&mut *more.ties));
    let (whole_all, rows_all) = (Disjoint::new(&mut *more.whole), Disjoint::new(&mut *more.rows));
    let (spare_all, stack2_all) = (Disjoint::new(&mut *more.spare), Disjoint::new(&mut *more.stack));
    let (words, top, columns) = (asked.mask(job.valid()), asked.needs.top, 1 + asked.extra);
    let xys = &*more.xy;
    let place = Place { ld: waves.width, panel: BLOCK * waves.width };
    job.context.tasks(panels.count().div_ceil(waves.panels) * waves.runs, |worker, task| {
        // SAFETY: a worker runs one task at a time, and these pieces are its own.
        let (z, scratch, state, stack) = unsafe {
            (
                z_all.piece(worker * BLOCK * chunk, BLOCK * chunk),
                scratch_all.piece(worker * ns, ns),
                state_all.piece(worker * 3 * chunk, 3 * chunk),
                stack_all.piece(worker * levels * chunk, levels * chunk),
            )
        };
        // SAFETY: as above.
        let (rows, spare, stack2) = unsafe {
            (rows_all.piece(worker * nr, nr), spare_all.piece(worker * np, np), stack2_all.piece(worker * n2, n2))
        };
        let (c, run) = (task / waves.runs, task % waves.runs);
        let (p0, p1) = (c * waves.panels, panels.count().min((c + 1) * waves.panels));
        let n0 = p0 * LANES * K::NV;
        let live = &live[n0..live.len().min(p1 * LANES * K::NV)];
        // SAFETY: run `run` of the tokens of chunk `c` belongs to this task alone.
        let out = unsafe { runs.piece(run * waves.wave + n0, live.len()) };
        let mut found = Found::default();
        let (max, rest) = state.split_at_mut(chunk);
        let (first, largest) = rest.split_at_mut(chunk);
        let (b0, b1) = job.run(run, waves.levels);
        for b in b0..b1 {
            let (v0, v1, skip) = job.block(b);
            max.fill(f32::NEG_INFINITY);
            first.fill(0.0);
            largest.fill(f32::NEG_INFINITY);
            product(k, weight, job.paired, (v0, v1), panels, (p0, p1), scratch, z, place, |p, g0, rows, x| {
                let at = (p - p0) * place.ld;
                let n = place.ld.min((live.len() - at).next_multiple_of(LANES));
                let x = &mut x[..(rows - 1) * place.ld + n];
                job.round(x);
                if let Some(keep) = &keep {
                    keep.put::<K>(n0 + at, n, g0, x, place.ld);
                }
                if !asked.over && !alone {
                    let best = Best::new(max, first, largest, at, n);
                    raise(job, lanes, n0 + at, (v0, g0), x, place.ld, best);
                }
            });
            if alone {
                continue;
            }
            for (at, x) in (0..live.len()).step_by(place.ld).zip(z.chunks_exact_mut(place.panel)) {
                let n = place.ld.min((live.len() - at).next_multiple_of(LANES));
                let x = &mut x[..(v1 - v0) * place.ld];
                if asked.over {
                    if asked.whole {
                        let spare = &mut spare[..x.len()];
                        spare.copy_from_slice(x);
                        let best = Best::new(max, first, largest, at, n);
                        raise(
                            job,
                            lanes,
                            n0 + at,
                            (v0, v0),
                            &mut spare[..(v1 - v0 - 1) * place.ld + n],
                            place.ld,
                            best,
                        );
                        for i in (at..live.len().min(at + place.ld)).step_by(LANES) {
                            let some = live.len().min(i + LANES) - i;
                            let mut block = [Record::EMPTY; LANES];
                            let x = &spare[i - at..];
                            sums(
                                job.isa,
                                x,
                                place.ld,
                                &max[i..],
                                &first[i..],
                                (start + v0, skip),
                                all,
                                &mut block[..some],
                            );
                            for (lane, mut r) in block[..some].iter().copied().enumerate() {
                                if r.poisoned() {
                                    r.flags |= job.causes(x, place.ld, lane, max[i + lane], largest[i + lane]);
                                }
                                count(stack2, chunk, i + lane, b - b0, r);
                            }
                        }
                        max[at..at + n].fill(f32::NEG_INFINITY);
                        first[at..at + n].fill(0.0);
                        largest[at..at + n].fill(f32::NEG_INFINITY);
                    }
                    for (i, &row) in live.iter().enumerate().skip(at).take(place.ld) {
                        // SAFETY: these words of this token are the task's.
                        let made = unsafe { words_all.shared((n0 + i) * words, words) };
                        let set = job.set(row, job.words(row, made));
                        more::mask(&set, v0, v1 - v0, &mut x[i - at..], place.ld);
                    }
                    let best = Best::new(max, first, largest, at, n);
                    raise(job, lanes, n0 + at, (v0, v0), &mut x[..(v1 - v0 - 1) * place.ld + n], place.ld, best);
                }
                for i in (at..live.len().min(at + place.ld)).step_by(LANES) {
                    let x = &x[i - at..];
                    let live = &live[i..live.len().min(i + LANES)];
                    let mut block = [Record::EMPTY; LANES];
                    let at = (start + v0, skip);
                    sums(job.isa, x, place.ld, &max[i..], &first[i..], at, all, &mut block[..live.len()]);
                    let chunks = if any { more::turn(x, place.ld, skip, rows) } else { 0 };
                    for (lane, &row) in live.iter().enumerate() {
                        let mut r = block[lane];
                        if r.poisoned() {
                            r.flags |= job.causes(x, place.ld, lane, max[i + lane], largest[i + lane]);
                        }
                        let y = job.column(row) as usize;
                        if (v0..v1).contains(&y) && !r.poisoned() {
                            r.xy = x[(y - v0) * place.ld + lane] + 0.0;
                        }
                        if any {
                            let (token, at) = (n0 + i + lane, run * waves.wave + n0 + i + lane);
                            let b = &rows[lane * more::TURNED..].as_chunks::<32>().0[..chunks];
                            // SAFETY: the run of this token is the task's, and so are these words; every extra column
                            // and the target are in one block.
                            let (top, ties, mask) = unsafe {
                                (
                                    tops_all.piece(at * top, top),
                                    ties_all.piece(at, 1),
                                    words_all.piece(
                                        token * words + if words > 0 { v0 / 32 } else { 0 },
                                        if asked.words { chunks } else { 0 },
                                    ),
                                )
                            };
                            for (k, j) in job.named(row) {
                                if (v0..v1).contains(&j) {
                                    // SAFETY: as above.
                                    let to = unsafe { named_all.piece(token * columns + k, 1) };
                                    to[0] = x[(j - v0) * place.ld + lane] + 0.0;
                                }
                            }
                            found.ties = 0;
                            found.top.resume(top);
                            let xy = if asked.needs.rank { xys[token] } else { f32::NEG_INFINITY };
                            let mut seek = job.seek(row, asked.needs, xy, &mut found);
                            more::take(job.isa, b, start + v0 - skip, None, &mut seek, &mut r);
                            ties[0] += found.ties;
                            found.top.save(top);
                            for (to, x) in mask.iter_mut().zip(b) {
                                *to = more::live(x);
                            }
                        }
                        count(stack, chunk, i + lane, b - b0, r);
                    }
                }
            }
        }
        if alone {
            return;
        }
        close(stack, chunk, b1 - b0, out);
        if asked.whole {
            // SAFETY: as for `out`.
            close(stack2, chunk, b1 - b0, unsafe { whole_all.piece(run * waves.wave + n0, live.len()) });
        }
    });
}
/// The next record of token `i`, the binary counter of [`Tree`] with its levels in `stack`: `n` came before it.
fn count(stack: &mut [[f32; STATS]], chunk: usize, i: usize, n: usize, mut r: Record) {
    let mut level = 0;
    while n >> level & 1 == 1 {
        r = Record::unpack_part(&stack[level * chunk + i]).merge(r);
        level += 1;
    }
    stack[level * chunk + i] = r.pack_part();
}
/// The records of all tokens after `n` of each.
fn close(stack: &[[f32; STATS]], chunk: usize, n: usize, out: &mut [[f32; STATS]]) {
    let levels = stack.len() / chunk;
    for (i, out) in out.iter_mut().enumerate() {
        let mut r = None;
        for level in (0..levels).filter(|l| n >> l & 1 == 1) {
            let left = Record::unpack_part(&stack[level * chunk + i]);
            r = Some(r.map_or(left, |r| left.merge(r)));
        }
        *out = r.unwrap_or(Record::EMPTY).pack_part();
    }
}
/// Where a forward leaves its raw logits: row `first` of the kept ones is the first of the wave.
struct Keep<'a> {
    z: &'a Disjoint<'a, f32>,
    pass: &'a Pass,
    first: usize,
    /// Nothing else is formed.
    alone: bool,
}
impl Keep<'_> {
    /// Copies lanes `[n, n + lanes)` of the wave, columns from `g0` on. `first` and `n` are multiples of [`LANES`].
    fn put<K: Kernel>(&self, n: usize, lanes: usize, g0: usize, x: &[f32], ld: usize) {
        for (j, x) in x.chunks(ld).enumerate() {
            for (i, x) in x[..lanes].as_chunks::<LANES>().0.iter().enumerate() {
                let at = self.pass.place::<K>(self.first + n + i * LANES, g0 + j);
                // SAFETY: these columns of these rows belong to one task, and nobody reads them before it ends.
                if let Some(to) = unsafe { self.z.piece(at, LANES) }.first_chunk_mut() {
                    *to = *x;
                }
            }
        }
    }
}
impl Job<'_> {
    /// Why the block of a token is poisoned, whose largest logits are `max` with and `raw` without the transform; nothing if
    /// the transform left f32.
    #[cold]
    #[inline(never)]
    fn causes(&self, x: &[f32], ld: usize, lane: usize, max: f32, raw: f32) -> u32 {
        let nan = x[lane..].iter().step_by(ld).any(|x| x.is_nan());
        let inf = if self.identity { max } else { raw } == f32::INFINITY;
        (if nan { row::NAN_INPUT } else { 0 }) | if inf { row::INF_INPUT } else { 0 }
    }
}

/// Of some tokens, so far in a block: the largest transformed logit, its first column (from the block's first one on),
/// and with a transform the largest raw logit.
struct Best<'a> {
    max: &'a mut [f32],
    first: &'a mut [f32],
    top: &'a mut [f32],
}
impl<'a> Best<'a> {
    /// Of `n` tokens from `at` on.
    fn new(max: &'a mut [f32], first: &'a mut [f32], top: &'a mut [f32], at: usize, n: usize) -> Best<'a> {
        Best { max: &mut max[at..at + n], first: &mut first[at..at + n], top: &mut top[at..at + n] }
    }
}
/// Transforms the rows of `x` (columns from `g0` on; lanes are tokens from `n0` on) in place and raises the maxima.
fn raise(job: &Job<'_>, t: &Lanes<'_>, n0: usize, (v0, g0): (usize, usize), x: &mut [f32], ld: usize, best: Best<'_>) {
    on_lanes!(
        job.isa,
        s => if job.identity { raise_lanes::<_, true>(s, job, t, n0, (v0, g0), x, ld, best) }
            else { raise_lanes::<_, false>(s, job, t, n0, (v0, g0), x, ld, best) },
        raise_scalar(job, t, n0, (v0, g0), x, ld, best)
    )
}
#[inline(always)]
#[allow(clippy::too_many_arguments)]
fn raise_lanes<S: Sixteen, const IDENTITY: bool>(
    s: S,
    job: &Job<'_>,
    t: &Lanes<'_>,
    n0: usize,
    (v0, g0): (usize, usize),
    x: &mut [f32],
    ld: usize,
    best: Best<'_>,
) {
    for l in (0..best.max.len()).step_by(LANES) {
        let at = l..l + LANES;
        let t = lane_transform(s, job, t, n0 + l);
        let mut max = V::from_slice(s, &best.max[at.clone()]);
        let mut first = V::from_slice(s, &best.first[at.clone()]);
        let mut top = V::from_slice(s, &best.top[at.clone()]);
        for (j, x) in x.chunks_mut(ld).enumerate() {
            let x = &mut x[at.clone()];
            let z = V::from_slice(s, x);
            let mut y = z;
            if !IDENTITY {
                match job.bias(g0 + j) {
                    Some(f32::NEG_INFINITY) => y = splat(s, f32::NEG_INFINITY),
                    bias => {
                        let b = splat(s, bias.unwrap_or(0.0));
                        y = t.apply(z, if bias.is_some() { Some(b) } else { None });
                        top = top.simd_lt(z).select(z, top);
                    }
                }
                y.store_slice(x);
            }
            let above = max.simd_lt(y);
            max = above.select(y, max);
            first = above.select(splat(s, (g0 + j - v0) as f32), first);
        }
        max.store_slice(&mut best.max[at.clone()]);
        first.store_slice(&mut best.first[at.clone()]);
        top.store_slice(&mut best.top[at]);
    }
}
fn raise_scalar(
    job: &Job<'_>,
    t: &Lanes<'_>,
    n0: usize,
    (v0, g0): (usize, usize),
    x: &mut [f32],
    ld: usize,
    best: Best<'_>,
) {
    for l in 0..best.max.len() {
        let t = scalar_transform(job, t, n0 + l);
        for (j, x) in x[l..].iter_mut().step_by(ld).enumerate() {
            if !job.identity {
                let bias = job.bias(g0 + j);
                if bias != Some(f32::NEG_INFINITY) && *x > best.top[l] {
                    best.top[l] = *x;
                }
                *x = t.apply(*x, bias);
            }
            if *x > best.max[l] {
                (best.max[l], best.first[l]) = (*x, (g0 + j - v0) as f32);
            }
        }
    }
}
fn scalar_transform(job: &Job<'_>, t: &Lanes<'_>, at: usize) -> RowTransform {
    let (slope, outer) = (t.slope[at], t.outer[at]);
    if job.softcap { RowTransform::Softcap { inner: job.inner, outer, slope } } else { RowTransform::Scale(slope) }
}

/// Records of one block for up to 16 tokens: `x[j * ld + lane]`, transformed; column 0 is column `v0` of the whole vocabulary
/// and column `skip` of its block. Without `all` u and q1 are not formed.
#[allow(clippy::too_many_arguments)]
fn sums(isa: Isa, x: &[f32], ld: usize, max: &[f32], first: &[f32], v0: (usize, usize), all: bool, out: &mut [Record]) {
    on_lanes!(
        isa,
        s => if all { sums_lanes::<_, true>(s, x, ld, max, first, v0, out) }
            else { sums_lanes::<_, false>(s, x, ld, max, first, v0, out) },
        sums_scalar(x, ld, v0, out)
    )
}
#[inline(always)]
fn sums_lanes<S: Sixteen, const ALL: bool>(
    s: S,
    x: &[f32],
    ld: usize,
    max: &[f32],
    first: &[f32],
    (v0, skip): (usize, usize),
    out: &mut [Record],
) {
    let m = V::from_slice(s, &max[..LANES]) + splat(s, 0.0); // -0 becomes +0
    let centre = centre(s, m);
    let mut sums =
        Sums { r: [[0.0; LANES]; CHAINS], u: [[0.0; LANES]; CHAINS], q: [[0.0; LANES]; CHAINS], ties: [0; LANES] };
    const AHEAD: usize = 24; // columns
    let columns = x.len().div_ceil(ld);
    // four columns at a time are four neighbouring chains
    let edge = (skip.next_multiple_of(4) - skip).min(columns);
    let group = if S::ROOMY { (columns - edge) / 4 * 4 } else { 0 };
    for j in 0..edge {
        sums.add::<S, ALL, 1>(s, [V::from_slice(s, &x[j * ld..])], centre, (skip + j) % CHAINS);
    }
    for j in (edge..edge + group).step_by(4) {
        for i in 0..4 {
            // a block of the whole chunk lies in the third cache, and no hardware sees what comes next
            prefetch(x.as_ptr().wrapping_add((j + i + AHEAD) * ld), LANES, false);
        }
        let z = V::from_slice(s, &x[j * ld..]);
        let mut z = [z; 4];
        for i in 1..4 {
            z[i] = V::from_slice(s, &x[(j + i) * ld..]);
        }
        sums.add::<S, ALL, 4>(s, z, centre, (skip + j) % CHAINS);
    }
    for j in edge + group..columns {
        sums.add::<S, ALL, 1>(s, [V::from_slice(s, &x[j * ld..])], centre, (skip + j) % CHAINS);
    }
    let Sums { mut r, mut u, mut q, ties } = sums;
    combine(s, &mut r);
    if ALL {
        combine(s, &mut u);
        combine(s, &mut q);
    }
    let mut top = [0.0; LANES];
    m.store_slice(&mut top);
    for (i, out) in out.iter_mut().enumerate() {
        *out = record::seal(top[i], r[0][i], u[0][i], q[0][i], ties[i], v0 + first[i] as usize);
    }
}
/// The sums of a block of 16 tokens in the making: one accumulator a chain, column j in chain j % 32.
struct Sums {
    r: [[f32; LANES]; CHAINS],
    u: [[f32; LANES]; CHAINS],
    q: [[f32; LANES]; CHAINS],
    /// Columns with the maximum.
    ties: [u32; LANES],
}
impl Sums {
    /// Takes in N columns, the first in chain `l`.
    #[inline(always)]
    fn add<S: Sixteen, const ALL: bool, const N: usize>(&mut self, s: S, x: [V<S>; N], centre: V<S>, l: usize) {
        let terms = Terms::new(s, Begun::new(s, x, centre));
        for i in 0..N {
            let (r, u, q) = (&mut self.r[l + i], &mut self.u[l + i], &mut self.q[l + i]);
            let (mut vr, mut vu, mut vq) = (V::from_slice(s, r), V::from_slice(s, u), V::from_slice(s, q));
            let hit = terms.add::<ALL>(i, &mut vr, &mut vu, &mut vq);
            vr.store_slice(r);
            if ALL {
                vu.store_slice(u);
                vq.store_slice(q);
            }
            if terms.top {
                for (lane, n) in self.ties.iter_mut().enumerate() {
                    *n += hit >> lane & 1;
                }
            }
        }
    }
}
/// [`record::combine`] of 16 tokens; the sum is in chain 0.
#[inline(always)]
fn combine<S: Sixteen>(s: S, chains: &mut [[f32; LANES]; CHAINS]) {
    let mut w = CHAINS / 2;
    while w > 0 {
        let (a, b) = chains.split_at_mut(w);
        for i in 0..w {
            (V::from_slice(s, &a[i]) + V::from_slice(s, &b[i])).store_slice(&mut a[i]);
        }
        w /= 2;
    }
}
fn sums_scalar(x: &[f32], ld: usize, (v0, skip): (usize, usize), out: &mut [Record]) {
    let mut column = [f32::NEG_INFINITY; BLOCK];
    let n = x.len().div_ceil(ld);
    for (lane, out) in out.iter_mut().enumerate() {
        for (c, x) in column[skip..].iter_mut().zip(x[lane..].iter().step_by(ld)) {
            *c = *x;
        }
        *out = record::block(&column[..skip + n], v0 - skip);
    }
}

/// What the backward reads and writes besides the inputs and gradients.
struct Back<'a> {
    rows: logprob::Back<'a, f32>,
    status: Option<MatrixMut<'a, u32>>,
}
/// Per live row, kept through the whole backward: where it stands and the constants of its gradient.
struct Kept<'a> {
    live: &'a mut [usize],
    dx: &'a mut [f64],
    slope: &'a mut [f32],
    outer: &'a mut [f32],
    m: &'a mut [f32],
    c0: &'a mut [f32],
    c1: &'a mut [f32],
    target: &'a mut [u32],
    fill: &'a mut [u8],
    /// tau of smoothing, where there is any.
    tau: &'a mut [f32],
    /// Records and upstream gradients for the extra columns, where there are any.
    named: &'a mut [Named],
    /// Live rows.
    count: usize,
    /// Masks of supports that were computed.
    words: &'a mut [u32],
    upstream: Upstream<'a>,
}
/// What [`RowUpstream::named`] reads: m, r, u of the record, then the gradients of log-prob, lse, entropy, extra columns, tau
/// and its sum.
type Named = [f64; 9];
fn unpack_named(x: &Named) -> (Record, RowUpstream) {
    let [m, r, u, logprob, lse, entropy, extra, smooth, smooth_sum] = *x;
    let record = Record { m: m as f32, r: r as f32, u: u as f32, ..Record::EMPTY };
    (record, RowUpstream { logprob, lse, entropy, extra, smooth, smooth_sum, ..RowUpstream::default() })
}
/// Codes of [`Kept::fill`]: a row whose columns count, or all have one value.
const COLUMNS: u8 = 0;
const ZERO: u8 = 1;
const NAN: u8 = 2;
impl<'a> Kept<'a> {
    /// Lanes of tau, rows of [`Named`], words of a mask.
    fn more(sizes: &Sizes) -> [usize; 3] {
        let asked = &sizes.asked;
        let words = if asked.order { sizes.valid.div_ceil(32) } else { 0 };
        let lanes = if asked.smooth { sizes.rows.saturating_add(WIDEST) } else { 0 };
        [lanes, if asked.named { sizes.rows } else { 0 }, sizes.rows.saturating_mul(words)]
    }
    fn need(sizes: &Sizes) -> usize {
        let (rows, lanes) = (sizes.rows, sizes.rows.saturating_add(WIDEST));
        let sixfold = Arena::sum([need::<f32>(lanes); 6]); // with `target`, whose u32 are as wide
        let [tau, named, words] = Self::more(sizes);
        let more = Arena::sum([need::<f32>(tau), need::<Named>(named), need::<u32>(words)]);
        Arena::sum([need::<usize>(rows), need::<f64>(lanes), sixfold, need::<u8>(lanes), more])
    }
    fn new(sizes: &Sizes, upstream: Upstream<'a>, arena: &mut Arena<'a>) -> Result<Self> {
        let (rows, lanes) = (sizes.rows, sizes.rows + WIDEST);
        let live = arena.take(rows)?;
        let dx = arena.take(lanes)?;
        let mut f32s = |n: usize| {
            let x: &'a mut [f32] = arena.take(n)?;
            x.fill(0.0); // also the lanes behind the last row, whose results nobody uses
            Ok(x)
        };
        let [tau, named, words] = Self::more(sizes);
        let (slope, outer, m) = (f32s(lanes)?, f32s(lanes)?, f32s(lanes)?);
        let (c0, c1, tau) = (f32s(lanes)?, f32s(lanes)?, f32s(tau)?);
        let (target, fill) = (arena.take(lanes)?, arena.take(lanes)?);
        target.fill(NO_COLUMN);
        fill.fill(COLUMNS);
        let (named, words) = (arena.take(named)?, arena.take(words)?);
        Ok(Kept { live, dx, slope, outer, m, c0, c1, target, fill, tau, named, words, upstream, count: 0 })
    }
    fn set(&mut self, i: usize, job: &Job<'_>, row: usize, record: &Record, g: &RowUpstream) {
        set_transform(&job.transform(row), i, self.slope, self.outer);
        if let Some(x) = self.named.get_mut(i) {
            let [m, r, u] = [record.m, record.r, record.u].map(f64::from);
            *x = [m, r, u, g.logprob, g.lse, g.entropy, g.extra, g.smooth, g.smooth_sum];
        }
        match RowGrad::new(record, job.target(row), g) {
            RowGrad::Fill(x) => self.fill[i] = if x == 0.0 { ZERO } else { NAN },
            RowGrad::Columns(c) => {
                (self.m[i], self.c0[i], self.c1[i]) = (c.m, c.c0, c.c1);
                if let Some(tau) = self.tau.get_mut(i) {
                    *tau = c.tau;
                }
                self.target[i] = job.column(row);
                if let Some((_, dx)) = c.target {
                    self.dx[i] = dx;
                }
            }
        }
    }
    /// The mask of live row `i`, if it was made.
    fn words(&self, i: usize, count: usize) -> &[u32] {
        self.words.get(i * count..(i + 1) * count).unwrap_or_default()
    }
}

/// One way through the vocabulary: groups of rows, in each the tiles of columns, in each the blocks of rows, in each
/// the chunks that are packed at a time. grad_weight needs all rows of a group for each tile (`b` whole reduction
/// blocks), grad_hidden all columns for each group (`t` whole reduction blocks).
#[derive(Clone, Copy)]
struct Pass {
    weight: bool,
    hidden: bool,
    /// Rows of a group.
    g: usize,
    /// Columns of a tile.
    t: usize,
    /// Rows whose dz of a tile is in memory.
    b: usize,
    /// Rows packed at a time.
    c: usize,
    /// The totals of a grad_weight tile need a place of their own.
    total: bool,
    /// Lanes of weights that grad_hidden packs together.
    together: usize,
    roomy: bool,
    /// The logits are there: no hidden states are packed, no weights copied, and dz takes the place of the logits.
    kept: bool,
    /// dz is given tile by tile: no hidden states are packed and no weights copied either.
    given: bool,
}
impl Pass {
    fn tile(sizes: &Sizes) -> usize {
        sizes.valid.next_multiple_of(LANES).clamp(LANES, BLOCK) // a shard may be padding alone
    }
    fn lanes(sizes: &Sizes) -> usize {
        TOGETHER.0.min(TOGETHER.1 / (Self::tile(sizes) * size_of::<f32>() * sizes.threads))
    }
    fn weight(sizes: &Sizes, direct: bool) -> Pass {
        let b = sizes.rows.next_multiple_of(LANES).min(BLOCK);
        let (t, total) = (Self::tile(sizes), !direct && sizes.rows > b);
        let together = Self::lanes(sizes);
        let (roomy, kept, given) = (true, false, false);
        Pass { weight: true, hidden: false, g: sizes.rows, t, b, c: b, total, together, roomy, kept, given }
    }
    fn hidden(sizes: &Sizes, b: usize) -> Pass {
        Pass {
            weight: false,
            hidden: true,
            g: b,
            t: Self::tile(sizes),
            b,
            c: b,
            total: false,
            together: Self::lanes(sizes),
            roomy: true,
            kept: false,
            given: false,
        }
    }
    /// Both from kept logits of up to `sizes.rows` rows, at most a reduction block.
    fn kept(sizes: &Sizes, weight: bool, hidden: bool) -> Pass {
        Pass { weight, hidden, total: false, c: 0, kept: true, ..Self::weight(sizes, true) }
    }
    /// Columns of a strip of dz: what a task of the logits product writes.
    fn strip<K: Kernel>(&self) -> usize {
        (STRIP / K::MR * K::MR).min(self.t.next_multiple_of(K::MR))
    }
    /// Floats of a strip. dz lies as `[strip][panel of rows][column][row]`: every task of the three products walks through
    /// it in the order of memory.
    fn strip_len<K: Kernel>(&self) -> usize {
        let panel = LANES * K::NV;
        self.strip::<K>() * self.b.div_ceil(panel) * panel
    }
    /// Floats of dz, and room for a register tile whose last column reads past the last row.
    fn dz<K: Kernel>(&self) -> usize {
        self.t.div_ceil(self.strip::<K>()) * self.strip_len::<K>() + WIDEST
    }
    /// Floats of the dz of all tiles of `valid` columns, one behind the other.
    fn all_dz<K: Kernel>(&self, valid: usize) -> usize {
        let strips = |columns: usize| columns.div_ceil(self.strip::<K>());
        (valid / self.t.max(1) * strips(self.t) + strips(valid % self.t.max(1))).saturating_mul(self.strip_len::<K>())
            + WIDEST
    }
    /// Where dz of row `n` and column `j` lies among all tiles.
    fn place<K: Kernel>(&self, n: usize, j: usize) -> usize {
        let (strip, ld) = (self.strip::<K>(), LANES * K::NV);
        let (tile, j) = (j / self.t, j % self.t);
        let strips = tile * self.t.div_ceil(strip) + j / strip;
        strips * self.strip_len::<K>() + (n / ld * strip + j % strip) * ld + n % ld
    }
    /// Panels of hidden states that dz goes past at a time.
    fn across<K: Kernel>(&self) -> usize {
        if self.roomy { across::<K::F>(self.b) } else { 1 }
    }
    /// Panels of weights that are packed together.
    fn together<K: Kernel>(&self) -> usize {
        if self.roomy { (self.together / (LANES * K::F::NV)).max(1) } else { 1 }
    }
    /// Vectors of a worker's panels for a gradient product.
    fn panel<K: Kernel>(&self) -> usize {
        let weight = if self.weight { self.b * self.across::<K>() } else { 0 };
        let hidden = if self.hidden { (self.t + GAP) * self.together::<K>() } else { 0 };
        K::F::NV * weight.max(hidden)
    }
    /// Floats of a worker's part of a gradient: finished columns of grad_weight, or chains.
    fn local<K: Kernel>(&self) -> usize {
        STRIPS * self.strip::<K>() * LANES * K::F::NV
    }
    fn grad_hidden(&self, sizes: &Sizes) -> usize {
        if self.hidden { self.g.saturating_mul(sizes.d.next_multiple_of(LANES)) } else { 0 }
    }
    /// Inputs of a worker's copy of weight rows.
    fn scratch<K: Kernel>(&self, sizes: &Sizes) -> usize {
        if self.kept || self.given { 0 } else { sizes.scratch::<K>(self.roomy) }
    }
    fn totals(&self, sizes: &Sizes) -> usize {
        // the ones that sum up grad_bias stand behind the last column
        if self.total { self.t * (sizes.d + 1).next_multiple_of(LANES) } else { 0 }
    }
    fn need<K: Kernel>(&self, sizes: &Sizes) -> usize {
        let (vectors, panels) = Panels::<K::In>::need(self.c, sizes.len::<K>(), K::NV);
        Arena::sum([
            need::<[K::In; LANES]>(vectors),
            need::<u16>(panels),
            need::<f32>(if self.kept { 0 } else { self.dz::<K>() }),
            need::<f32>(self.grad_hidden(sizes)),
            need::<f32>(self.totals(sizes)),
            need::<K::In>(sizes.threads.saturating_mul(self.scratch::<K>(sizes))),
            need::<[f32; LANES]>(sizes.threads * self.panel::<K>()),
            need::<f32>(sizes.threads * self.local::<K>()),
        ])
    }
    /// The passes that give the wanted gradients in so many bytes. `direct`: grad_weight itself can hold running totals.
    fn plan<K: Kernel>(sizes: &Sizes, weight: bool, hidden: bool, direct: bool, bytes: usize) -> [Option<Pass>; 2] {
        let fits = |p: &Pass| p.need::<K>(sizes) <= bytes;
        // rows are packed in whole panels
        let panel = LANES * K::NV;
        let half = |c: usize| (c / 2 / panel * panel).max(panel);
        if weight && hidden {
            let mut p = Pass { hidden: true, ..Self::weight(sizes, direct) };
            loop {
                if fits(&p) {
                    return [Some(p), None];
                }
                if p.c > 4 * WIDEST {
                    p.c = half(p.c);
                } else if direct && p.g > BLOCK {
                    (p.g, p.c) = (((p.g - 1) / 2).next_multiple_of(BLOCK), p.b);
                } else {
                    break; // grad_weight and grad_hidden by themselves, logits computed once more
                }
            }
        }
        let weight = weight.then(|| {
            let mut p = Self::weight(sizes, direct);
            while !fits(&p) && p.roomy {
                if p.c > panel && (p.c * 2 * sizes.d > p.t * p.b || p.t == LANES) {
                    p.c = half(p.c);
                } else if p.t > LANES {
                    p.t = (p.t / 2 / LANES * LANES).max(LANES);
                } else {
                    p.roomy = false;
                }
            }
            p
        });
        let hidden = hidden.then(|| {
            let mut p = Self::hidden(sizes, sizes.rows.next_multiple_of(LANES).min(BLOCK));
            while !fits(&p) && p.roomy {
                if p.b > panel {
                    p = Self::hidden(sizes, half(p.b));
                } else {
                    p.roomy = false;
                }
            }
            p
        });
        [weight, hidden]
    }
}

fn backward_on<K: Kernel>(
    k: K,
    job: &Job<'_>,
    group: &mut Group<'_>,
    mut back: Back<'_>,
    mut grads: Grads<'_>,
    workspace: &mut [u8],
) -> Result<()> {
    let sizes = Sizes::of(job, group);
    let mut arena = Arena::new(workspace);
    let mut kept = if sizes.rows > 0 { Some(Kept::new(&sizes, back.rows.upstream, &mut arena)?) } else { None };
    let rest = rest(&mut arena)?;
    let mut count = 0;
    if let Some(kept) = &mut kept {
        for i in group.rows.clone() {
            if job.target(i) != Target::Ignored {
                kept.live[count] = i;
                count += 1;
            } else if let Some(status) = &mut back.status {
                status.set(i, row::IGNORED);
            }
        }
        kept.count = count;
        constants(k, job, &sizes, &mut back, kept, count, rest)?;
    }

    let direct = grads.continues();
    let wants_weight = grads.weight.is_some() || grads.bias.is_some();
    let mut out = Outputs::new(&mut grads, job.isa);
    if count > 0
        && let Some(kept) = &kept
    {
        let (plan, z) = match &mut group.logits {
            Some(logits) => {
                let p = Pass::kept(&sizes, wants_weight, out.hidden.is_some());
                logits.compact::<K>(job, &p, &kept.live[..count]);
                ([Some(p), None], Some((&mut *logits.z, &*logits.extra)))
            }
            None if job.valid() == 0 => ([None, None], None), // a shard of padding
            None if job.asked.list > 0 => {
                listed::backward(k, job, &sizes, kept, &group.rows, &mut out, rest)?;
                ([None, None], None)
            }
            None => (Pass::plan::<K>(&sizes, wants_weight, out.hidden.is_some(), direct, rest.len()), None),
        };
        let mut z = z;
        for p in plan.iter().flatten() {
            let z = z.as_mut().map(|(z, extra)| (&mut **z, *extra));
            pass(k, job, &sizes, p, kept, count, z, None, &group.rows, group.before, &mut out, rest)?;
        }
    }
    out.finish(job, count, &group.rows, group.before);
    Ok(())
}
/// The constants of every live row, from its saved statistics or from a forward.
fn constants<K: Kernel>(
    k: K,
    job: &Job<'_>,
    sizes: &Sizes,
    back: &mut Back<'_>,
    kept: &mut Kept<'_>,
    count: usize,
    rest: &mut [u8],
) -> Result<()> {
    let rows = back.rows;
    let mut settle = |kept: &mut Kept<'_>, i: usize, row: usize, record: Record, found: &Found| {
        let target = job.target(row);
        let record = record.conclude(target);
        if let Some(status) = &mut back.status {
            status.set(row, record.flags);
        }
        kept.set(i, job, row, &record, &rows.upstream(row, &record, target, found));
    };
    if let Some(stats) = &rows.stats {
        let nothing = &Found::default();
        for i in 0..count {
            let row = kept.live[i];
            settle(kept, i, row, Record::unpack(stats.row(row)), nothing);
        }
        if !job.asked.order {
            return Ok(());
        }
    }
    let waves = Waves::fit::<K>(sizes, rest.len())?;
    let mut arena = Arena::new(rest);
    let live = arena.take::<usize>(waves.wave)?;
    let mut space = Space::<K>::new(&waves, sizes, &mut arena)?;
    let all = rows.upstream.entropy.is_some();
    let words = if job.asked.order { job.valid().div_ceil(32) } else { 0 };
    for first in (0..count).step_by(waves.wave) {
        let some = waves.wave.min(count - first);
        live[..some].copy_from_slice(&kept.live[first..first + some]);
        if let (Some(_), Some(Over { support: Support::Computed(filters), .. })) = (&rows.stats, &job.inputs.over) {
            space.panels.fill(job.context, &job.inputs.hidden, job.paired, &live[..some]);
            more::masks(k, job, &mut space, &live[..some], filters);
            kept.words[first * words..(first + some) * words].copy_from_slice(&space.more.words[..some * words]);
            continue;
        }
        let mut i = first;
        records(k, job, &waves, sizes, &mut space, &live[..some], None, None, all, &mut |row, seen, found| {
            if job.asked.order {
                kept.words[i * words..(i + 1) * words].copy_from_slice(seen.words);
            }
            settle(kept, i, row, seen.record, found);
            i += 1;
        });
    }
    Ok(())
}

/// Where the gradients go.
struct Outputs<'a, 'b> {
    weight: Option<Sink<'b>>,
    bias: Option<Sink<'b>>,
    hidden: Option<FloatsMut<'a>>,
    accumulate_hidden: bool,
}
impl<'a> Outputs<'a, 'a> {
    fn new(grads: &'a mut Grads<'_>, isa: Isa) -> Self {
        let accumulate = grads.accumulate_weight;
        Outputs {
            weight: grads.weight.as_mut().and_then(|g| Sink::new(g, accumulate, isa)),
            bias: grads.bias.as_mut().and_then(|g| Sink::new(g, accumulate, isa)),
            hidden: grads.hidden.as_mut().map(FloatsMut::reborrow),
            accumulate_hidden: grads.accumulate_hidden,
        }
    }
}
impl Outputs<'_, '_> {
    /// Writes what none of the `count` live rows and no valid column reaches.
    fn finish(&mut self, job: &Job<'_>, count: usize, rows: &Range<usize>, before: usize) {
        if before == 0 {
            let first = if count > 0 { job.valid() } else { 0 };
            for sink in self.weight.iter().chain(&self.bias).filter(|sink| !sink.accumulate) {
                for j in first..sink.layout.rows() {
                    // SAFETY: one thread, and no other piece lives.
                    unsafe { sink.zero(j) };
                }
            }
        }
        if let (Some(g), false, true) = (&mut self.hidden, self.accumulate_hidden, count == 0 || job.valid() == 0) {
            for i in rows.clone() {
                put_row(job.isa, g, i, |g| g.fill(0.0), false);
            }
        }
    }
}
/// A matrix that tasks write at disjoint places.
struct Sink<'a> {
    data: SinkData<'a>,
    layout: Layout,
    accumulate: bool,
    isa: Isa,
}
enum SinkData<'a> {
    F32(Disjoint<'a, f32>),
    Bf16(Disjoint<'a, bf16>),
    F16(Disjoint<'a, f16>),
}
impl<'a> Sink<'a> {
    /// `None` for f64, which the checks have refused.
    fn new(m: &'a mut FloatsMut<'_>, accumulate: bool, isa: Isa) -> Option<Self> {
        let layout = m.layout();
        let data = match m {
            FloatsMut::F32(m) => SinkData::F32(Disjoint::new(m.data_mut())),
            FloatsMut::Bf16(m) => SinkData::Bf16(Disjoint::new(m.data_mut())),
            FloatsMut::F16(m) => SinkData::F16(Disjoint::new(m.data_mut())),
            FloatsMut::F64(_) => return None,
        };
        Some(Sink { data, layout, accumulate, isa })
    }
    /// All of an f32 matrix whose rows lie at one distance, and that.
    fn in_place(&self) -> Option<(&Disjoint<'a, f32>, usize)> {
        match &self.data {
            SinkData::F32(x) if self.layout.outer == 1 => Some((x, self.layout.inner_stride)),
            _ => None,
        }
    }
    /// Writes `x` at column `j` of row `i`, or adds it to what is there.
    ///
    /// # Safety
    /// No other task touches these elements meanwhile.
    unsafe fn put(&self, i: usize, j: usize, x: &[f32], add: bool) {
        let at = self.layout.offset(i) + j;
        // SAFETY: the caller's promise.
        unsafe {
            match &self.data {
                SinkData::F32(d) => put(d.piece(at, x.len()), x, add),
                SinkData::Bf16(d) => narrow(self.isa, d.piece(at, x.len()), x, add),
                SinkData::F16(d) => narrow(self.isa, d.piece(at, x.len()), x, add),
            }
        }
    }
    /// Reads from column `j` of row `i` on; only [`Grads::continues`] places are read.
    ///
    /// # Safety
    /// As for `put`.
    unsafe fn get(&self, i: usize, j: usize, x: &mut [f32]) {
        if let SinkData::F32(d) = &self.data {
            // SAFETY: the caller's promise.
            x.copy_from_slice(unsafe { d.shared(self.layout.offset(i) + j, x.len()) });
        }
    }
    /// Fills row `i` with 0.
    ///
    /// # Safety
    /// As for `put`.
    unsafe fn zero(&self, i: usize) {
        let cols = self.layout.cols;
        for j in (0..cols).step_by(WIDEST) {
            // SAFETY: the caller's promise.
            unsafe { self.put(i, j, &[0.0; WIDEST][..WIDEST.min(cols - j)], false) };
        }
    }
}
#[inline(always)]
fn put<E: Float>(to: &mut [E], x: &[f32], add: bool) {
    for (to, x) in to.iter_mut().zip(x) {
        *to = E::from_f32(if add { to.to_f32() + *x } else { *x });
    }
}
/// [`put`] of a 16-bit type, 32 values at a time.
fn narrow<E: Cell>(isa: Isa, to: &mut [E], x: &[f32], add: bool) {
    on_lanes!(isa, s => narrow_lanes(s, to, x, add), put(to, x, add))
}
#[inline(always)]
fn narrow_lanes<S: Sixteen, E: Cell>(s: S, to: &mut [E], x: &[f32], add: bool) {
    for (to, x) in to.chunks_mut(32).zip(x.chunks(32)) {
        let (mut wide, mut cells) = ([0.0; 32], [E::default(); 32]);
        wide[..x.len()].copy_from_slice(x);
        let mut v = f32::load(s, &wide);
        if add {
            cells[..to.len()].copy_from_slice(to);
            let old = E::load(s, &cells);
            v = [old[0] + v[0], old[1] + v[1]];
        }
        E::store(s, v, &mut cells);
        to.copy_from_slice(&cells[..to.len()]);
    }
}
/// Row `i` of a gradient in pieces: `f` fills each piece of up to [`WIDEST`] totals in turn.
fn put_row(isa: Isa, m: &mut FloatsMut<'_>, i: usize, mut f: impl FnMut(&mut [f32]), add: bool) {
    let mut x = [0.0; WIDEST];
    macro_rules! go {
        ($m:ident, $x:ident, $to:ident => $put:expr) => {
            for $to in $m.row_mut(i).chunks_mut(WIDEST) {
                let $x = &mut x[..$to.len()];
                f($x);
                $put
            }
        };
    }
    match m {
        FloatsMut::F32(m) => go!(m, x, to => put(to, x, add)),
        FloatsMut::Bf16(m) => go!(m, x, to => narrow(isa, to, x, add)),
        FloatsMut::F16(m) => go!(m, x, to => narrow(isa, to, x, add)),
        FloatsMut::F64(_) => {} // refused by the checks
    }
}

#[allow(clippy::too_many_arguments)]
fn pass<K: Kernel>(
    k: K,
    job: &Job<'_>,
    sizes: &Sizes,
    pass: &Pass,
    kept: &Kept<'_>,
    count: usize,
    logits: Option<(&mut [f32], &[f32])>,
    mut fill: Option<&mut Fill<'_>>,
    range: &Range<usize>,
    before: usize,
    out: &mut Outputs<'_, '_>,
    rest: &mut [u8],
) -> Result<()> {
    let mut arena = Arena::new(rest);
    let (d, valid, threads, len) = (sizes.d, sizes.valid, sizes.threads, sizes.len::<K>());
    let (vectors, np) = Panels::<K::In>::need(pass.c, len, K::NV);
    let mut panels = Panels::<K::In>::new(arena.take(vectors)?, arena.take(np)?, len, K::NV);
    // dz of a tile, or of all tiles one behind the other where the logits were kept
    let (z, extra) = match logits {
        Some(both) => both,
        None => (arena.take::<f32>(pass.dz::<K>())?, &[][..]),
    };
    let grad_hidden = arena.take::<f32>(pass.grad_hidden(sizes))?;
    let totals = arena.take::<f32>(pass.totals(sizes))?;
    let ns = pass.scratch::<K>(sizes);
    let scratch = Disjoint::new(arena.take::<K::In>(threads * ns)?);
    let (nb, nl) = (pass.panel::<K>(), pass.local::<K>());
    let buffers = Disjoint::new(arena.take::<[f32; LANES]>(threads * nb)?);
    let locals = Disjoint::new(arena.take::<f32>(threads * nl)?);
    let grad_hidden = Disjoint::new(grad_hidden);
    let totals = Disjoint::new(totals);
    let z = Disjoint::new(z);
    let kg = k.f32();
    let width = LANES * K::F::NV;
    let (hidden, weight) = (&job.inputs.hidden, &job.inputs.weight);

    // dz: strip s, panel p, column v, lane l at s * strip_len + p * panel_len + v * ld + l
    let (strip, strip_len, ld) = (pass.strip::<K>(), pass.strip_len::<K>(), LANES * K::NV);
    let panel_len = strip * ld;
    let place = Place { ld, panel: panel_len };
    let mut packed = (0, 0);
    // the reduction blocks of grad_weight count from the first row of the first group
    let inside = |n: usize| if pass.weight { (before + n) % BLOCK } else { 0 };
    let mut group = 0;
    while group < count {
        let l0 = group;
        let l1 = if count - l0 <= pass.g { count } else { l0 + pass.g - inside(l0) };
        group = l1;
        for v0 in (0..valid).step_by(pass.t) {
            let v1 = valid.min(v0 + pass.t);
            let z0 = if pass.kept { pass.place::<K>(0, v0) } else { 0 };
            let z_len = (v1 - v0).div_ceil(strip) * strip_len + WIDEST;
            let mut block = l0;
            while block < l1 {
                let n0 = block;
                let n1 = l1.min(n0 + pass.b.min(BLOCK - inside(n0)));
                block = n1;
                if pass.kept {
                    job.context.tasks((v1 - v0).div_ceil(strip), |_, task| {
                        let (a, b) = (v0 + task * strip, v1.min(v0 + (task + 1) * strip));
                        // SAFETY: the strip is the task's.
                        let z = unsafe { z.piece(z0 + task * strip_len, strip_len) };
                        for (first, x) in (n0..n1).step_by(ld).zip(z.chunks_exact_mut(panel_len)) {
                            let lanes = ld.min((n1 - first).next_multiple_of(LANES));
                            let x = &mut x[..(b - a - 1) * ld + lanes];
                            gradient(job, kept, first, lanes, a, x, ld);
                            if !extra.is_empty() {
                                let at = z0 + task * strip_len + (first - n0) / ld * panel_len;
                                add_extra(kept, first, x, &extra[at..at + x.len()], ld);
                            }
                        }
                    });
                }
                if let Some(fill) = &mut fill {
                    let round = job.context.mode() == Mode::Fast && job.paired;
                    let tile = Tile { context: job.context, z: &z, first: z0, strip, strip_len, ld, round };
                    fill(n0..n1, v0..v1, &tile)?;
                }
                let rows = if pass.kept || pass.given { n1..n1 } else { n0..n1 };
                for c0 in rows.step_by(pass.c.max(1)) {
                    let c1 = n1.min(c0 + pass.c);
                    if packed != (c0, c1) {
                        panels.fill(job.context, hidden, job.paired, &kept.live[c0..c1]);
                        packed = (c0, c1);
                    }
                    let panels = &panels;
                    // all strips past a few panels, then past the next ones
                    let (strips, some) = ((v1 - v0).div_ceil(strip), across::<K>(len));
                    job.context.tasks(strips * panels.count().div_ceil(some), |worker, task| {
                        let (task, p0) = (task % strips, task / strips * some);
                        let p1 = panels.count().min(p0 + some);
                        let (a, b) = (v0 + task * strip, v1.min(v0 + (task + 1) * strip));
                        let at = task * strip_len + ((c0 - n0) / ld + p0) * panel_len;
                        // SAFETY: the scratch is the worker's, these panels of the strip are the task's.
                        let (scratch, z) =
                            unsafe { (scratch.piece(worker * ns, ns), z.piece(at, (p1 - p0) * panel_len)) };
                        product(
                            k,
                            weight,
                            job.paired,
                            (a, b),
                            panels,
                            (p0, p1),
                            scratch,
                            z,
                            place,
                            |p, g0, rows, x| {
                                let first = c0 + p * ld;
                                let lanes = ld.min((c1 - first).next_multiple_of(LANES));
                                let x = &mut x[..(rows - 1) * ld + lanes];
                                job.round(x);
                                gradient(job, kept, first, lanes, g0, x, ld);
                            },
                        );
                    });
                }
                let last = n1 == l1;
                // lanes of the grad_weight panels: D columns, then one of ones for grad_bias
                let ones = out.bias.is_some() as usize;
                let w0 = if out.weight.is_some() { 0 } else { d / width };
                let w1 = if pass.weight { (d + ones).div_ceil(width) } else { w0 };
                let sub = STRIPS * strip;
                let subs = (v1 - v0).div_ceil(sub);
                // parts of the columns: enough tasks for every thread, and as few packings of hidden states as that allows
                let some = pass.across::<K>();
                let groups = (w1 - w0).div_ceil(some);
                let parts = (2 * threads).div_ceil(groups.max(1)).min(subs);
                let weight_tasks = groups * parts;
                // grad_hidden: enough pieces of rows for every thread, none too small for its panel
                let hp = if pass.hidden { d.div_ceil(width) } else { 0 };
                let groups_at_least = hp.div_ceil(pass.together::<K>()).max(threads.min(hp)).max(1);
                let together = hp.div_ceil(groups_at_least).max(1);
                let hidden_groups = hp.div_ceil(together);
                let pieces = threads.div_ceil(hidden_groups.max(1)).min((n1 - n0).div_ceil(128));
                let rows = (n1 - n0).div_ceil(pieces).next_multiple_of(ld);
                let pieces = (n1 - n0).div_ceil(rows);
                let out = &*out;
                let tasks = weight_tasks + hidden_groups * pieces;
                job.context.tasks(tasks, |worker, task| {
                    let task = (weight_tasks + task) % tasks; // the larger ones first
                    // SAFETY: the worker's own; nobody writes z while these tasks run.
                    let (b, local, z) =
                        unsafe { (buffers.piece(worker * nb, nb), locals.piece(worker * nl, nl), z.shared(z0, z_len)) };
                    if task < weight_tasks {
                        let (p0, part) = (w0 + task / parts * some, task % parts);
                        let p1 = w1.min(p0 + some);
                        let (c0, c1) = (part * subs / parts * sub, (v1 - v0).min((part + 1) * subs / parts * sub));
                        let row = |k: usize| (kept.fill[n0 + k] != ZERO).then_some(kept.live[n0 + k]);
                        let onto = if pass.total {
                            if n0 > l0 { Onto::Sum } else { Onto::Fresh }
                        } else {
                            if inside(n0) > 0 { Onto::Chain } else { Onto::Fresh }
                        };
                        let running = !pass.total && onto != Onto::Chain && before + n0 > 0;
                        let dz = |v: usize, k: usize| {
                            let at = |v: usize| v / strip * strip_len + v % strip * ld + k / ld * panel_len + k % ld;
                            let jump = panel_len * size_of::<f32>();
                            let later = z.as_ptr().wrapping_add(at(v + K::F::MR)).cast();
                            (
                                A::Rows(&z[at(v)..], ld, Pieces { len: ld, jump: panel_len }),
                                Ahead { at: later, jump, lines: 2 },
                            )
                        };
                        // whole panels go straight to where they belong
                        let mut first = p0;
                        if let Some(w) = out.weight.as_ref().filter(|_| !pass.total)
                            && let Some((x, ld)) = w.in_place()
                        {
                            first = p1.min(d / width).max(p0);
                            let onto = if w.accumulate || running { Onto::Sum } else { onto };
                            let len = (n1 - n0) * K::F::NV;
                            let b = &mut b[..(first - p0) * len];
                            if first > p0 {
                                let (len, nv) = (n1 - n0, K::F::NV);
                                let shape = Reduction { len, stride: len, first: p0 * width, nv, ones: None };
                                kg.pack(hidden, &row, shape, b);
                                // SAFETY: these columns of these rows belong to panels [p0, first) and this task.
                                let to = unsafe { Out::new(x, (v0 + c0) * ld + p0 * width, ld, width, onto) };
                                sweep_panels(kg, (c1 - c0, strip), |v| dz(c0 + v, 0), b, first - p0, to);
                            }
                        }
                        for p in first..p1 {
                            let nv = (d + ones - p * width).div_ceil(LANES).min(K::F::NV);
                            let lanes = nv * LANES;
                            let b = &mut b[..(n1 - n0) * nv];
                            let one = (ones == 1).then_some(d).and_then(|d| d.checked_sub(p * width));
                            let len = n1 - n0;
                            let shape = Reduction { len, stride: len, first: p * width, nv, ones: one };
                            kg.pack(hidden, &row, shape, b);
                            let own = lanes.min(d.saturating_sub(p * width));
                            for a0 in (c0..c1).step_by(sub) {
                                let a1 = c1.min(a0 + sub);
                                let to = if pass.total {
                                    // SAFETY: columns [a0, a1) of panel p are the task's.
                                    unsafe { totals.piece(p * width * pass.t + a0 * lanes, (a1 - a0) * lanes) }
                                } else {
                                    &mut local[..(a1 - a0) * lanes]
                                };
                                if onto == Onto::Chain {
                                    for (j, x) in (v0 + a0..v0 + a1).zip(to.chunks_exact_mut(lanes)) {
                                        // SAFETY: these columns of these rows belong to panel p and this task.
                                        unsafe {
                                            if let (Some(w), true) = (&out.weight, own > 0) {
                                                w.get(j, p * width, &mut x[..own]);
                                            }
                                            if let (Some(b), Some(one)) = (&out.bias, one.filter(|one| *one < lanes)) {
                                                b.get(j, 0, &mut x[one..one + 1]);
                                            }
                                        }
                                    }
                                }
                                let place = Disjoint::new(&mut *to);
                                // SAFETY: `place` stands for all of `to`.
                                let tile = unsafe { Out::new(&place, 0, lanes, lanes, onto) };
                                sweep(kg, (a1 - a0, strip), |v, k| dz(a0 + v, k), b, (nv, BLOCK), tile, &mut []);
                                if pass.total && !last {
                                    continue;
                                }
                                for (j, x) in (v0 + a0..v0 + a1).zip(to.chunks_exact(lanes)) {
                                    // SAFETY: these columns of these rows belong to panel p and this task.
                                    unsafe {
                                        if let (Some(w), true) = (&out.weight, own > 0) {
                                            w.put(j, p * width, &x[..own], w.accumulate || running);
                                        }
                                        if let (Some(b), Some(one)) = (&out.bias, one.filter(|one| *one < lanes)) {
                                            b.put(j, 0, &x[one..one + 1], b.accumulate || running);
                                        }
                                    }
                                }
                            }
                        }
                    } else {
                        let (group, piece) = ((task - weight_tasks) / pieces, (task - weight_tasks) % pieces);
                        let (r0, r1) = (piece * rows, (n1 - n0).min((piece + 1) * rows));
                        let (p0, p1) = (group * together, hp.min((group + 1) * together));
                        let stride = v1 - v0 + GAP;
                        let column = |k: usize| (job.bias(v0 + k) != Some(f32::NEG_INFINITY)).then_some(v0 + k);
                        let whole = (d / width).clamp(p0, p1) - p0;
                        let nv = K::F::NV;
                        let shape = Reduction { len: v1 - v0, stride, first: p0 * width, nv, ones: None };
                        kg.pack(weight, &column, shape, &mut b[..whole * stride * nv]);
                        for (p, b) in (p0..p1).zip(b.chunks_mut(stride * nv)) {
                            let nv = (d - p * width).div_ceil(LANES).min(K::F::NV);
                            let lanes = nv * LANES;
                            let b = &mut b[..(v1 - v0) * nv];
                            if p >= p0 + whole {
                                kg.pack(weight, &column, Reduction { first: p * width, nv, ..shape }, b);
                            }
                            let at = p * width * (l1 - l0) + (n0 - l0 + r0) * lanes;
                            // SAFETY: these rows of panel p are the task's.
                            let to = unsafe { grad_hidden.piece(at, (r1 - r0) * lanes) };
                            let onto = if v0 > 0 { Onto::Sum } else { Onto::Fresh };
                            let most = sub / ld * ld; // what the chains have room for
                            // dz of a panel of rows and the weights stay in the second cache
                            let strips = (v1 - v0).div_ceil(strip);
                            let part = strips.div_ceil((v1 - v0).div_ceil(PART)) * strip;
                            for (r0, to) in (r0..r1).step_by(most).zip(to.chunks_mut(most * lanes)) {
                                let dz = |r: usize, k: usize| {
                                    let r = r0 + r;
                                    let at = k / strip * strip_len + r / ld * panel_len;
                                    // the next panel, a share of it with every tile of this one
                                    let share = r % ld * strip + panel_len;
                                    let jump = strip_len * size_of::<f32>();
                                    let later = z.as_ptr().wrapping_add(at + share).cast();
                                    let z = A::Cols(&z[at + r % ld..], ld, Pieces { len: strip, jump: strip_len });
                                    (z, Ahead { at: later, jump, lines: 2 })
                                };
                                let place = Disjoint::new(to);
                                // SAFETY: `place` stands for all of `to`.
                                let tile = unsafe { Out::new(&place, 0, lanes, lanes, onto) };
                                sweep(kg, (most.min(r1 - r0), ld), dz, b, (nv, part), tile, local);
                            }
                        }
                    }
                });
            }
        }
        if let (true, Some(g)) = (pass.hidden, &mut out.hidden) {
            // the rows from this group's first to the next one's, those that are not live included
            let first = if l0 == 0 { range.start } else { kept.live[l0] };
            let end = if l1 == count { range.end } else { kept.live[l1] };
            // SAFETY: no task runs, so nobody writes it.
            let totals = unsafe { grad_hidden.shared(0, (l1 - l0) * d.next_multiple_of(LANES)) };
            let rows = g.reborrow().split(first).1.split(end - first).0;
            let (live, accumulate) = (&kept.live[l0..l1], out.accumulate_hidden);
            job.context.rows(end - first, ((1 << 16) / d).max(1), rows, |at, n, mut g| {
                let mut l = live.partition_point(|&i| i < first + at);
                for i in 0..n {
                    if live.get(l) != Some(&(first + at + i)) {
                        if !accumulate {
                            put_row(job.isa, &mut g, i, |x| x.fill(0.0), false);
                        }
                        continue;
                    }
                    let mut done = 0;
                    put_row(
                        job.isa,
                        &mut g,
                        i,
                        |x| {
                            // x is at most a panel of the widest kernel, and starts at a vector
                            for x in x.chunks_mut(LANES) {
                                let p = done / width;
                                let lanes = (d - p * width).div_ceil(LANES).min(K::F::NV) * LANES;
                                let at = p * width * live.len() + l * lanes + done % width;
                                x.copy_from_slice(&totals[at..at + x.len()]);
                                done += x.len();
                            }
                        },
                        accumulate,
                    );
                    l += 1;
                }
            });
        }
    }
    Ok(())
}

/// Adds `extra` to the dz of the rows from `first` on whose columns count.
fn add_extra(kept: &Kept<'_>, first: usize, x: &mut [f32], extra: &[f32], ld: usize) {
    for (x, extra) in x.chunks_mut(ld).zip(extra.chunks(ld)) {
        for ((x, extra), fill) in x.iter_mut().zip(extra).zip(&kept.fill[first..]) {
            *x = if *fill == COLUMNS { *x + *extra } else { *x };
        }
    }
}
/// Raw logits to dz, in place: columns from `g0` on, lanes are live rows from `first` on.
fn gradient(job: &Job<'_>, kept: &Kept<'_>, first: usize, lanes: usize, g0: usize, x: &mut [f32], ld: usize) {
    let columns = x.len().div_ceil(ld);
    if job.asked.over {
        let words = if job.asked.order { job.valid().div_ceil(32) } else { 0 };
        for (l, &row) in kept.live[first..].iter().enumerate().take(lanes.min(kept.count - first)) {
            let set = job.set(row, job.words(row, kept.words(first + l, words)));
            more::mask(&set, g0, columns, &mut x[l..], ld);
        }
    }
    if kept.upstream.extra_ids.is_some() {
        gradient_named(job, kept, first, lanes, g0, x, ld);
    } else {
        gradient_columns(job, kept, first, lanes, g0, x, ld);
    }
    for l in 0..lanes {
        if kept.fill[first + l] != COLUMNS {
            let fill = if kept.fill[first + l] == ZERO { 0.0 } else { f32::NAN };
            for x in x[l..].iter_mut().step_by(ld) {
                *x = fill;
            }
        }
    }
    if job.context.mode() == Mode::Fast && job.paired {
        more::rounded::<bf16>(job.isa, x);
    }
}
/// With extra columns, whose raw logits are set aside meanwhile.
#[inline(never)]
fn gradient_named(job: &Job<'_>, kept: &Kept<'_>, first: usize, lanes: usize, g0: usize, x: &mut [f32], ld: usize) {
    let Some(ids) = &kept.upstream.extra_ids else { return };
    let mut raw = [0.0; STRIP * WIDEST];
    let (problem, columns) = (job.problem.logprob(), x.len().div_ceil(ld));
    raw[..x.len()].copy_from_slice(x);
    gradient_columns(job, kept, first, lanes, g0, x, ld);
    let t = Lanes { slope: kept.slope, outer: kept.outer };
    for (l, &row) in kept.live[first..].iter().enumerate().take(lanes.min(kept.count - first)) {
        let t = scalar_transform(job, &t, first + l);
        let (record, g) = unpack_named(&kept.named[first + l]);
        for id in (0..ids.cols()).filter_map(|k| ids.get(row, k)) {
            let Some(j) = problem.local(id).and_then(|j| j.checked_sub(g0)).filter(|j| *j < columns) else { continue };
            let own = kept.target[first + l] as usize == g0 + j;
            let own = if own { g.logprob } else { 0.0 } + kept.upstream.extra(row, id);
            x[j * ld + l] = job.named_gradient(&t, &record, &g, raw[j * ld + l], g0 + j, own);
        }
    }
}
/// Every column as such, then the target.
fn gradient_columns(job: &Job<'_>, kept: &Kept<'_>, first: usize, lanes: usize, g0: usize, x: &mut [f32], ld: usize) {
    let columns = x.len().div_ceil(ld);
    // the target's own gradient does not cancel and needs its raw logit, which the pass over the lanes overwrites
    let mut own = [0.0; WIDEST];
    let at = |l: usize| (kept.target[first + l] as usize).checked_sub(g0).filter(|j| *j < columns);
    let t = Lanes { slope: kept.slope, outer: kept.outer };
    for (l, own) in own[..lanes].iter_mut().enumerate() {
        if let Some(j) = at(l) {
            let v = x[j * ld + l] + job.bias(g0 + j).unwrap_or(0.0);
            *own = (kept.dx[first + l] * scalar_transform(job, &t, first + l).slope(v as f64)) as f32;
        }
    }
    on_lanes!(
        job.isa,
        s => if job.identity && !job.asked.smooth { gradient_lanes::<_, true>(s, job, kept, first, lanes, g0, x, ld) }
            else { gradient_lanes::<_, false>(s, job, kept, first, lanes, g0, x, ld) },
        gradient_scalar(job, kept, first, lanes, g0, x, ld)
    );
    for l in 0..lanes {
        if let Some(j) = at(l) {
            x[j * ld + l] = own[l];
        }
    }
}
#[inline(always)]
#[allow(clippy::too_many_arguments)]
fn gradient_lanes<S: Sixteen, const IDENTITY: bool>(
    s: S,
    job: &Job<'_>,
    kept: &Kept<'_>,
    first: usize,
    lanes: usize,
    g0: usize,
    x: &mut [f32],
    ld: usize,
) {
    for l in (0..lanes).step_by(LANES) {
        let at = first + l..first + l + LANES;
        let t = lane_transform(s, job, &Lanes { slope: kept.slope, outer: kept.outer }, first + l);
        let m = V::from_slice(s, &kept.m[at.clone()]);
        let (c0, c1) = (V::from_slice(s, &kept.c0[at.clone()]), V::from_slice(s, &kept.c1[at.clone()]));
        let smooth = job.asked.smooth;
        let tau = if smooth { splat(s, 0.0) - V::from_slice(s, &kept.tau[at]) } else { splat(s, 0.0) };
        let group = if IDENTITY && S::ROOMY { x.len().div_ceil(ld) / 4 * 4 } else { 0 };
        for j in (0..group).step_by(4) {
            let mut d = [m; 4];
            for (i, d) in d.iter_mut().enumerate() {
                *d = clamp(s, V::from_slice(s, &x[(j + i) * ld + l..]) - m);
            }
            let [w, p] = exp_parts(s, d);
            for i in 0..4 {
                (w[i] * p[i] * fma(c1, d[i], c0)).store_slice(&mut x[(j + i) * ld + l..]);
            }
        }
        for (j, x) in x.chunks_mut(ld).enumerate().skip(group) {
            let x = &mut x[l..l + LANES];
            let z = V::from_slice(s, x);
            let (mut y, mut v) = (z, z);
            if !IDENTITY {
                match job.bias(g0 + j) {
                    Some(f32::NEG_INFINITY) => y = splat(s, f32::NEG_INFINITY),
                    Some(bias) => {
                        v = z + splat(s, bias);
                        y = t.apply(z, Some(splat(s, bias)));
                    }
                    None => y = t.apply(z, None),
                }
            }
            let d = clamp(s, y - m);
            let mut dz = exp(s, d) * fma(c1, d, c0);
            if !IDENTITY {
                if smooth {
                    dz = fma(tau, splat(s, job.class_weight(g0 + j)), dz);
                }
                let dead = y.simd_eq(splat(s, f32::NEG_INFINITY));
                dz = dead.select(splat(s, 0.0), dz * t.slope(v));
            }
            dz.store_slice(x);
        }
    }
}
fn gradient_scalar(job: &Job<'_>, kept: &Kept<'_>, first: usize, lanes: usize, g0: usize, x: &mut [f32], ld: usize) {
    for l in 0..lanes {
        let i = first + l;
        let t = if job.identity {
            RowTransform::Plain
        } else {
            scalar_transform(job, &Lanes { slope: kept.slope, outer: kept.outer }, i)
        };
        let (m, c0, c1) = (kept.m[i], kept.c0[i], kept.c1[i]);
        let tau = if job.asked.smooth { kept.tau[i] } else { 0.0 };
        let c = record::Columns { m, c0, c1, tau, target: None };
        for (j, x) in x[l..].iter_mut().step_by(ld).enumerate() {
            *x = match tau {
                0.0 => c.raw(&t, *x, job.bias(g0 + j)),
                _ => c.smoothed(&t, *x, job.bias(g0 + j), job.class_weight(g0 + j)),
            };
        }
    }
}

// ---- two heads over the same rows

/// One of two heads: its problem, its inputs and its saved statistics.
#[derive(Clone, Copy, Debug)]
pub struct Head<'a> {
    /// The problem.
    pub problem: &'a Problem,
    /// Hidden states, weight, transform and rows.
    pub inputs: Inputs<'a>,
    /// `[N, 12]`, saved by the forward.
    pub stats: Matrix<'a, f32>,
}
/// Constants of the rows in 16 lanes.
struct Sides {
    slope: [[f32; LANES]; 2],
    outer: [[f32; LANES]; 2],
    m: [[f32; LANES]; 2],
    scale: [[f32; LANES]; 2],
    gamma: [f32; LANES],
    factor: [f32; LANES],
    /// What log q, but for its maximum, is taken from in the gradient of KL(policy || reference).
    center: [f32; LANES],
    bad: [bool; LANES],
}
impl Sides {
    fn new(jobs: &[Job<'_>; 2], heads: &[Head<'_>; 2], rows: &[usize], way: Way<'_>) -> Sides {
        let zero = [0.0; LANES];
        let mut x = Sides {
            slope: [[1.0; LANES]; 2],
            outer: [zero; 2],
            m: [zero; 2],
            scale: [zero; 2],
            gamma: zero,
            factor: zero,
            center: zero,
            bad: [false; LANES],
        };
        for (l, &row) in rows.iter().enumerate() {
            let (mut log, mut entropy) = ([0.0; 2], [0.0; 2]);
            for h in 0..2 {
                let record = Record::unpack(heads[h].stats.row(row));
                set_transform(&jobs[h].transform(row), l, &mut x.slope[h], &mut x.outer[h]);
                x.m[h][l] = record.m;
                x.scale[h][l] = (1.0 / (1.0 + record.r as f64)) as f32;
                log[h] = truing_core::real::Real::log1p(record.r as f64);
                entropy[h] = log[h] - record.u as f64 / (1.0 + record.r as f64);
                x.bad[l] |= record.poisoned() || record.m == f32::NEG_INFINITY;
            }
            let gamma = if way.reverse { log[0] - log[1] } else { log[1] - log[0] };
            x.gamma[l] = gamma as f32;
            if let Some((factors, kl)) = way.gradient {
                x.factor[l] = -factors[row];
                // the cross entropy -sum p log q is the KL and the entropy of p
                // an infinite KL has factor 0, and nothing of it may reach the product
                let kl = if kl[row].is_infinite() { 0.0 } else { kl[row] };
                x.center[l] = (kl + entropy[0] - log[1]) as f32;
            }
        }
        x
    }
}
/// Columns whose terms are added up in f32 before they go to f64.
const RUN: usize = 32;
/// Which KL of two heads, and of what.
#[derive(Clone, Copy)]
struct Way<'a> {
    /// KL(policy || reference), not KL(reference || policy).
    reverse: bool,
    /// The gradient: factors and the KL, by row.
    gradient: Option<(&'a [f32], &'a [f64])>,
}
/// KL(reference || policy), or with `reverse` KL(policy || reference), of the rows whose logits both groups keep: `heads` and
/// `logits` are the policy's and the reference's, of the same element types. `kl` is indexed by row; NaN where a row of either
/// side has no distribution.
pub fn kept_kl(context: &Context, heads: [Head<'_>; 2], logits: [&mut Logits<'_>; 2], reverse: bool, kl: &mut [f64]) {
    let way = Way { reverse, gradient: None };
    let paired = heads[0].inputs.hidden.dtype() == Dtype::Bf16 && heads[0].inputs.weight.dtype() == Dtype::Bf16;
    with_kernel!(context.isa(), paired, k => two_heads(k, context, &heads, logits, way, kl));
}
/// Leaves a part of what `factors[row]` times the KL adds to dz to the backward of the policy's logits; those of the reference
/// are used up. Of KL(reference || policy): `- factor q`, the rest is that of `lse` with the same factors. Of
/// KL(policy || reference): `- factor p (log q + cross entropy)`, the rest is that of the entropy with `-factors`.
pub fn kept_kl_backward<'a>(
    context: &Context,
    heads: [Head<'_>; 2],
    policy: &mut Logits<'a>,
    mut reference: Logits<'a>,
    reverse: bool,
    factors: &[f32],
    kl: &[f64],
) {
    let paired = heads[0].inputs.hidden.dtype() == Dtype::Bf16 && heads[0].inputs.weight.dtype() == Dtype::Bf16;
    let way = Way { reverse, gradient: Some((factors, kl)) };
    let both = [&mut *policy, &mut reference];
    with_kernel!(context.isa(), paired, k => two_heads(k, context, &heads, both, way, &mut []));
    policy.extra = reference.z;
}
fn two_heads<K: Kernel>(
    _: K,
    context: &Context,
    heads: &[Head<'_>; 2],
    [policy, reference]: [&mut Logits<'_>; 2],
    way: Way<'_>,
    kl: &mut [f64],
) {
    let jobs = [0, 1].map(|h| Job::new(context, heads[h].problem, heads[h].inputs, Asked::default()));
    let sizes = Sizes { rows: policy.live.len(), ..Sizes::new(context, heads[0].problem, jobs[0].paired) };
    let pass = Pass::kept(&sizes, true, true);
    let (strip, ld, valid) = (pass.strip::<K>(), LANES * K::NV, jobs[0].valid());
    let (live, x, y) = (&policy.live[..policy.count], &*policy.z, Disjoint::new(&mut *reference.z));
    let kl = Disjoint::new(kl);
    context.tasks(live.len().div_ceil(LANES), |_, task| {
        let n0 = task * LANES;
        let rows = &live[n0..live.len().min(n0 + LANES)];
        let sides = Sides::new(&jobs, heads, rows, way);
        let mut sums = [0.0; LANES];
        let mut j = 0;
        while j < valid {
            // neighbouring columns of a strip, `ld` elements apart
            let inside = j % pass.t;
            let n = (strip - inside % strip).min(pass.t - inside).min(valid - j).min(RUN);
            let at = pass.place::<K>(n0, j);
            let len = (n - 1) * ld + LANES;
            columns(&jobs, &sides, way, j, (&x[at..at + len], &y, at, ld), &mut sums);
            j += n;
        }
        if way.gradient.is_none() {
            for (l, &row) in rows.iter().enumerate() {
                // SAFETY: the row belongs to this task.
                unsafe { kl.piece(row, 1)[0] = if sides.bad[l] { f64::NAN } else { sums[l] } };
            }
        }
    });
}
/// Columns from `j` on of the rows in 16 lanes: their part of the KL, or what [`kept_kl_backward`] leaves, times the slope of
/// the policy's transform, in the place of the reference's logits.
fn columns(
    jobs: &[Job<'_>; 2],
    sides: &Sides,
    way: Way<'_>,
    j: usize,
    (x, y, at, ld): (&[f32], &Disjoint<'_, f32>, usize, usize),
    sums: &mut [f64; LANES],
) {
    let mut part = [0.0; LANES];
    on_lanes!(
        jobs[0].isa,
        s => columns_lanes(s, jobs, sides, way, j, (x, y, at, ld), &mut part),
        columns_scalar(jobs, sides, way, j, (x, y, at, ld), &mut part)
    );
    sums.iter_mut().zip(part).for_each(|(sum, x)| *sum += x as f64);
}
#[inline(always)]
fn columns_lanes<S: Sixteen>(
    s: S,
    jobs: &[Job<'_>; 2],
    sides: &Sides,
    way: Way<'_>,
    first: usize,
    (x, y, at, ld): (&[f32], &Disjoint<'_, f32>, usize, usize),
    part: &mut [f32; LANES],
) {
    let zero = splat(s, 0.0);
    let dead = splat(s, f32::NEG_INFINITY);
    let (t0, t1) = (
        lane_transform(s, &jobs[0], &Lanes { slope: &sides.slope[0], outer: &sides.outer[0] }, 0),
        lane_transform(s, &jobs[1], &Lanes { slope: &sides.slope[1], outer: &sides.outer[1] }, 0),
    );
    let (m0, m1) = (V::from_slice(s, &sides.m[0]), V::from_slice(s, &sides.m[1]));
    let (scale0, scale1) = (V::from_slice(s, &sides.scale[0]), V::from_slice(s, &sides.scale[1]));
    let (gamma, factor) = (V::from_slice(s, &sides.gamma), V::from_slice(s, &sides.factor));
    let center = V::from_slice(s, &sides.center);
    let mut sum = zero;
    for (c, x) in x.chunks(ld).enumerate() {
        // SAFETY: these lanes of this column belong to the task that calls.
        let place = unsafe { y.piece(at + c * ld, LANES) };
        let (raw, mut z) = (V::from_slice(s, x), V::from_slice(s, place));
        let (mut p, mut slope) = (raw, splat(s, 1.0));
        if !jobs[0].identity {
            match jobs[0].bias(first + c) {
                Some(f32::NEG_INFINITY) => (p, slope) = (dead, zero),
                Some(bias) => (p, slope) = (t0.apply(raw, Some(splat(s, bias))), t0.slope(raw + splat(s, bias))),
                None => (p, slope) = (t0.apply(raw, None), t0.slope(raw)),
            }
        }
        if !jobs[1].identity {
            match jobs[1].bias(first + c) {
                Some(f32::NEG_INFINITY) => z = dead,
                Some(bias) => z = t1.apply(z, Some(splat(s, bias))),
                None => z = t1.apply(z, None),
            }
        }
        let q = exp(s, clamp(s, z - m1)) * scale1;
        let own = exp(s, clamp(s, p - m0)) * scale0;
        if way.gradient.is_some() {
            let g = if way.reverse { factor * own * ((z - m1) + center) } else { factor * q };
            let g = p.simd_eq(dead).select(zero, z.simd_eq(dead).select(zero, g * slope));
            // a KL that does not count may be one of rows that are no numbers
            factor.simd_eq(zero).select(zero, g).store_slice(place);
        } else if way.reverse {
            sum = sum + term(own, q, ratio(p, z, m0, m1) - gamma);
        } else {
            sum = sum + term(q, own, ratio(z, p, m1, m0) - gamma);
        }
    }
    sum.store_slice(part);
}
fn columns_scalar(
    jobs: &[Job<'_>; 2],
    sides: &Sides,
    way: Way<'_>,
    first: usize,
    (x, y, at, ld): (&[f32], &Disjoint<'_, f32>, usize, usize),
    part: &mut [f32; LANES],
) {
    let t =
        |h: usize, l: usize| scalar_transform(&jobs[h], &Lanes { slope: &sides.slope[h], outer: &sides.outer[h] }, l);
    let dead = f32::NEG_INFINITY;
    for (c, x) in x.chunks(ld).enumerate() {
        // SAFETY: as in the lanes.
        let place = unsafe { y.piece(at + c * ld, LANES) };
        for l in 0..LANES {
            let (raw, mut z) = (x[l], place[l]);
            let (mut p, mut slope) = (raw, 1.0);
            if !jobs[0].identity {
                match jobs[0].bias(first + c) {
                    Some(f32::NEG_INFINITY) => (p, slope) = (dead, 0.0),
                    bias => (p, slope) = (t(0, l).apply(raw, bias), t(0, l).slope(raw + bias.unwrap_or(0.0))),
                }
            }
            if !jobs[1].identity {
                match jobs[1].bias(first + c) {
                    Some(f32::NEG_INFINITY) => z = dead,
                    bias => z = t(1, l).apply(z, bias),
                }
            }
            let q = record::exp_row(record::clamp_row(z - sides.m[1][l])) * sides.scale[1][l];
            let own = record::exp_row(record::clamp_row(p - sides.m[0][l])) * sides.scale[0][l];
            let [m0, m1] = [sides.m[0][l], sides.m[1][l]];
            if way.gradient.is_some() {
                let g = match way.reverse {
                    true => sides.factor[l] * own * ((z - m1) + sides.center[l]),
                    false => sides.factor[l] * q,
                };
                place[l] = if p == dead || z == dead || sides.factor[l] == 0.0 { 0.0 } else { g * slope };
            } else if way.reverse {
                part[l] += term(own, q, ratio(p, z, m0, m1) - sides.gamma[l]);
            } else {
                part[l] += term(q, own, ratio(z, p, m1, m0) - sides.gamma[l]);
            }
        }
    }
}
