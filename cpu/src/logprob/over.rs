//! Log-probs over a sampling support: the columns outside it count as dead.
use super::*;
use crate::support::{Need, Slot, Slots};
use truing_core::support::{Filters, Outside, Support, SupportFigures, in_column};

/// A support and what happens to targets outside it.
#[derive(Clone, Copy, Debug)]
pub struct Over<'a> {
    /// The columns.
    pub support: Support<'a>,
    /// Targets outside.
    pub outside: Outside,
}
/// The support of one row.
pub(super) struct Choice<'a> {
    pub(super) kept: Kept<'a>,
    /// The target, if it is in the support.
    y: Option<usize>,
    /// The record of the support, not yet concluded.
    pub(super) record: Record,
    /// Its live columns, -1 if the row is poisoned.
    pub(super) size: i32,
    flags: u32,
}
impl Choice<'_> {
    /// As [`LogitRow::complete`].
    #[inline(always)]
    fn complete<T: Cell>(&self, row: &LogitRow<'_, T>, x: Record) -> Record {
        let mut x = row.complete(x, self.y, |j| self.kept.has(j));
        x.flags |= self.flags;
        x
    }
}

/// How the sums of a row are made.
pub(super) trait Engine<T: Cell> {
    /// The record of all columns, the first of which is column `start` of the whole vocabulary.
    fn part(&mut self, row: &LogitRow<'_, T>, start: usize, seek: &mut Seek<'_>) -> Record;
    fn masked(&mut self, row: &LogitRow<'_, T>, start: usize, kept: &Kept<'_>, seek: &mut Seek<'_>) -> (Record, usize);
    fn listed(
        &mut self,
        row: &LogitRow<'_, T>,
        start: usize,
        list: impl Iterator<Item = usize> + Clone,
        seek: &mut Seek<'_>,
    ) -> (Record, usize);
    fn filter(&mut self, row: &LogitRow<'_, T>, filters: &Filters, slot: &mut Slot<'_>) -> Option<usize>;
    /// Makes the gradient of `n` columns from `at` on.
    fn gradient(&mut self, row: &extra::Row<'_, f32>, z: &[T], at: usize, n: usize);
    /// Stores it, 0 in the columns outside the support.
    fn store<G: Cell>(&mut self, kept: &Kept<'_>, at: usize, to: &mut [G]);
}
pub(super) struct Plain {
    dz: [f32; BLOCK],
}
impl Plain {
    pub(super) fn new() -> Plain {
        Plain { dz: [0.0; BLOCK] }
    }
}
impl<T: Cell> Engine<T> for Plain {
    fn part(&mut self, row: &LogitRow<'_, T>, start: usize, seek: &mut Seek<'_>) -> Record {
        row.sums(start, |_| true, seek).0
    }
    fn masked(&mut self, row: &LogitRow<'_, T>, start: usize, kept: &Kept<'_>, seek: &mut Seek<'_>) -> (Record, usize) {
        row.sums(start, |j| kept.has(j), seek)
    }
    fn listed(
        &mut self,
        row: &LogitRow<'_, T>,
        start: usize,
        list: impl Iterator<Item = usize> + Clone,
        seek: &mut Seek<'_>,
    ) -> (Record, usize) {
        row.sums_of_list(start, list, seek)
    }
    fn filter(&mut self, row: &LogitRow<'_, T>, filters: &Filters, slot: &mut Slot<'_>) -> Option<usize> {
        slot.filter_scalar(row, filters)
    }
    fn gradient(&mut self, row: &extra::Row<'_, f32>, z: &[T], at: usize, n: usize) {
        row.block_scalar(z, at, &mut self.dz[..n], false);
    }
    fn store<G: Cell>(&mut self, kept: &Kept<'_>, at: usize, to: &mut [G]) {
        clear(kept, at, &mut self.dz[..to.len()]);
        for (to, &dz) in to.iter_mut().zip(&self.dz) {
            *to = G::from_f32(dz);
        }
    }
}
pub(super) struct Lanes<'a, S, T> {
    pub(super) s: S,
    pub(super) scratch: &'a mut Scratch<T>,
}
impl<S: Sixteen, T: Cell> Engine<T> for Lanes<'_, S, T> {
    #[inline(always)]
    fn part(&mut self, row: &LogitRow<'_, T>, start: usize, seek: &mut Seek<'_>) -> Record {
        if seek.needs.any() || !start.is_multiple_of(BLOCK) || !plain(row) {
            return extra::pass(self.s, row, start, None, Mode::Portable, seek, self.scratch).0;
        }
        let x = sums(self.s, row, self.scratch, Mode::Portable, true, true);
        if x.m.abs() < f32::INFINITY { Record { k: x.k + start as u32, ..x } } else { x }
    }
    #[inline(always)]
    fn masked(&mut self, row: &LogitRow<'_, T>, start: usize, kept: &Kept<'_>, seek: &mut Seek<'_>) -> (Record, usize) {
        extra::pass(self.s, row, start, Some(kept), Mode::Portable, seek, self.scratch)
    }
    #[inline(always)]
    fn listed(
        &mut self,
        row: &LogitRow<'_, T>,
        start: usize,
        list: impl Iterator<Item = usize> + Clone,
        seek: &mut Seek<'_>,
    ) -> (Record, usize) {
        let (mut tree, mut columns, mut live, mut place) = (Tree::new(), list.clone(), 0, 0);
        let (mut best, mut ids) = (f32::NEG_INFINITY, [0; BLOCK]);
        loop {
            let (x, mut n) = (self.scratch.x.as_flattened_mut(), 0);
            while n < BLOCK {
                let Some(j) = columns.next() else { break };
                x[n] = row.at(j);
                ids[n] = (start + j) as u32;
                live += (x[n] != f32::NEG_INFINITY) as usize;
                n += 1;
            }
            let padded = n.next_multiple_of(32);
            x[n..padded].fill(f32::NEG_INFINITY);
            let mut part = sums_of_block(self.s, &self.scratch.x[..padded / 32], place, &mut best);
            if seek.needs.any() {
                let weight = &mut self.scratch.weight;
                extra::more(self.s, &self.scratch.x[..padded / 32], place, Some(&ids[..n]), seek, weight, &mut part);
            }
            tree.push(part);
            place += BLOCK;
            if n < BLOCK {
                return (in_column(tree.finish(), start, list), live);
            }
        }
    }
    #[inline(always)]
    fn filter(&mut self, row: &LogitRow<'_, T>, filters: &Filters, slot: &mut Slot<'_>) -> Option<usize> {
        slot.filter(self.s, row, filters, self.scratch)
    }
    #[inline(always)]
    fn gradient(&mut self, row: &extra::Row<'_, f32>, z: &[T], at: usize, n: usize) {
        row.block(self.s, z, at, n, self.scratch);
    }
    #[inline(always)]
    fn store<G: Cell>(&mut self, kept: &Kept<'_>, at: usize, to: &mut [G]) {
        clear(kept, at, &mut self.scratch.x.as_flattened_mut()[..to.len()]);
        narrow(self.s, &self.scratch.x, to);
    }
}
/// Sets the columns outside a mask to 0, the first of which is column `at`.
#[inline(always)]
pub(super) fn clear<F: RowFloat>(kept: &Kept<'_>, at: usize, dz: &mut [F]) {
    for (c, dz) in dz.chunks_mut(32).enumerate() {
        // a worker's piece of the bias begins at any column
        let word = kept.bits((at + 32 * c) as isize);
        if word == u32::MAX {
            continue;
        }
        for (l, dz) in dz.iter_mut().enumerate() {
            *dz = if word >> l & 1 == 1 { *dz } else { F::ZERO };
        }
    }
}

impl Over<'_> {
    /// Refuses filters that would need the columns of all shards.
    pub(crate) fn check_shard(&self, problem: &Problem) -> Result<()> {
        if problem.total() == problem.vocab() || !matches!(self.support, Support::Computed(_)) {
            return Ok(());
        }
        let expected = Value::Text("a given support in a shard: the filters need the columns of all");
        Err(Error::invalid("support.kind", Value::Text("filters"), expected))
    }
    pub(crate) fn need(&self) -> Need {
        match self.support {
            Support::Bitmask(_) => Need::None,
            Support::Lists(_) => Need::Mask,
            Support::Computed(_) => Need::Order,
        }
    }
    /// The caller's mask of row `i`.
    #[inline(always)]
    pub(crate) fn words(&self, i: usize) -> &[u32] {
        if let Support::Bitmask(m) = &self.support { m.row(i) } else { &[] }
    }
    /// Chooses the columns of row `i` and finds in them what `seek` needs, by the target's logit that it gives or the row's
    /// own; without it the record is left empty.
    #[inline(always)]
    #[allow(clippy::too_many_arguments)]
    pub(super) fn choose<'s, T: Cell>(
        &self,
        job: &Job<'_>,
        i: usize,
        row: &LogitRow<'_, T>,
        target: Target,
        engine: &mut impl Engine<T>,
        slot: &'s mut Slot<'_>,
        own: &'s [u32],
        seek: Option<(Needs, Option<f32>, &mut Found)>,
    ) -> Choice<'s> {
        let (y, start) = (job.local(target), job.problem.start());
        let (words, poisoned): (&[u32], bool) = match &self.support {
            Support::Bitmask(_) => (own, false),
            Support::Lists(lists) => {
                slot.words.fill(0);
                for j in lists.walk(i, None) {
                    slot.words[j / 32] |= 1 << (j % 32);
                }
                (&*slot.words, false)
            }
            Support::Computed(filters) => {
                let kept = engine.filter(row, filters, slot);
                slot.mark(kept.unwrap_or(0));
                (&*slot.words, kept.is_none())
            }
        };
        let mut kept = Kept { words, extra: None };
        if poisoned {
            seek.into_iter().for_each(|(_, _, found)| found.start(&Needs::default()));
            let record = row.complete(Record::poison(0), None, |_| true);
            return Choice { kept, y: None, record, size: -1, flags: 0 };
        }
        let live = y.filter(|&y| row.at(y) != f32::NEG_INFINITY);
        let mut inside = live.filter(|&y| kept.has(y));
        let mut flags = 0;
        // the shard that has the target says so
        let here = matches!(target, Target::Column(y) if (start..start + job.problem.vocab()).contains(&y));
        if inside.is_none() && here {
            flags = row::TARGET_OUTSIDE;
            if self.outside == Outside::Keep {
                (inside, kept.extra) = (live, live);
            }
        }
        let Some((needs, xy, found)) = seek else {
            return Choice { kept, y: inside, record: Record::EMPTY, size: 0, flags };
        };
        let mut seek = job.seek(row, inside, xy, needs, found);
        let (record, size) = match &self.support {
            Support::Lists(lists) => {
                let walk = lists.walk(i, kept.extra).take_while(|&j| j < row.z.len());
                engine.listed(row, start, walk, &mut seek)
            }
            _ => engine.masked(row, start, &kept, &mut seek),
        };
        seek.found.top.finish(&record);
        let choice = Choice { kept, y: inside, record, size: size as i32, flags };
        let size = if record.poisoned() { -1 } else { choice.size };
        Choice { record: choice.complete(row, record), size, ..choice }
    }
}

/// Bytes of workspace for [`forward_over`] and [`backward_over`]; `loss`: the forward's is asked for.
pub fn over_workspace(context: &Context, problem: &Problem, over: &Over<'_>, loss: bool) -> Workspace {
    let (own, slots) = (forward_workspace(problem, loss).minimum, Slots::workspace(context, problem, over.need()));
    Workspace { minimum: Arena::sum([own, slots.minimum]), preferred: Arena::sum([own, slots.preferred]) }
}
/// Bytes of workspace for [`forward_over_fused`] and [`backward_over`]; `loss`: the forward's is asked for, `stats`: they
/// have a place or are given, `bias`: its gradient is asked for, which takes a bit a column beside them.
pub fn over_fused_workspace(
    context: &Context,
    problem: &Problem,
    over: &Over<'_>,
    loss: bool,
    stats: bool,
    bias: bool,
) -> Workspace {
    let (own, slots) = (own_bytes(problem, loss, !stats, bias), Slots::workspace(context, problem, over.need()));
    Workspace { minimum: Arena::sum([own, slots.minimum]), preferred: Arena::sum([own, slots.preferred]) }
}
/// Without the scratch memory of the tasks; `stats`: they have to be kept here.
fn own_bytes(problem: &Problem, loss: bool, stats: bool, bias: bool) -> usize {
    let masks = problem.rows().saturating_mul(problem.vocab().div_ceil(32));
    let masks = if bias { Arena::need::<u32>(masks) } else { 0 };
    Arena::sum([forward_workspace(problem, loss).minimum, stats_bytes::<f32>(problem, stats), masks])
}
pub(super) const NAMES: [&str; 3] =
    ["figures.out_support_size", "figures.out_support_bitmask", "figures.out_support_ids"];

/// [`forward_loss`] over a support: every figure of `out` is that of the row whose columns outside the support are dead.
#[allow(clippy::too_many_arguments)]
pub fn forward_over(
    context: &Context,
    problem: &Problem,
    inputs: Inputs<'_>,
    over: Over<'_>,
    out: Figures<'_>,
    sets: SupportFigures<'_>,
    totals: Totals<'_>,
    workspace: &mut [u8],
) -> Result<()> {
    check_forward(problem, &inputs, &out, &totals)?;
    over.support.check(problem, &inputs.rows)?;
    sets.check(problem, NAMES)?;
    let loss = totals.loss.is_some();
    check_space(workspace, over_workspace(context, problem, &over, loss))?;
    let (own, rest) = workspace.split_at_mut(own_bytes(problem, loss, false, false));
    let job = Job::new(problem, inputs.transform, inputs.rows, inputs.row_loss, inputs.extra_ids);
    run_forward(context, job, inputs.logits, over, (out, sets), totals, &mut Arena::new(own), rest)
}
/// [`forward_over`], then the gradient of the reduced loss: what [`backward_over`] gives for `upstream.loss`.
#[allow(clippy::too_many_arguments)]
pub fn forward_over_fused(
    context: &Context,
    problem: &Problem,
    inputs: BackwardInputs<'_>,
    extra_ids: Option<ExtraIds<'_>>,
    over: Over<'_>,
    mut out: Figures<'_>,
    sets: SupportFigures<'_>,
    totals: Totals<'_>,
    fused: Fused<'_>,
    workspace: &mut [u8],
) -> Result<()> {
    let BackwardInputs { transform, rows, row_loss } = inputs;
    let forward = Inputs { logits: fused.grad.logits(), transform, rows, row_loss, extra_ids };
    check_forward(problem, &forward, &out, &totals)?;
    over.support.check(problem, &rows)?;
    sets.check(problem, NAMES)?;
    let upstream = Upstream { loss: Some(fused.upstream), scale: fused.scale, ..Upstream::default() };
    check_backward(problem, &inputs, None, &upstream, &fused.grad, fused.bias.as_ref(), None)?;
    let (loss, kept, bias) = (totals.loss.is_some(), out.stats.is_some(), fused.bias.is_some());
    check_space(workspace, over_fused_workspace(context, problem, &over, loss, kept, bias))?;
    let (own, rest) = workspace.split_at_mut(own_bytes(problem, loss, !kept, bias));
    let mut arena = Arena::new(own);
    let mut stats = match out.stats.take() {
        Some(m) => m,
        None => MatrixMut::contiguous(arena.take(problem.rows() * STATS)?, problem.rows(), STATS)?,
    };
    let out = Figures { stats: Some(stats.reborrow()), ..out };
    let job = Job::new(problem, transform, rows, row_loss, extra_ids);
    run_forward(context, job, fused.grad.logits(), over, (out, sets), totals, &mut arena, rest)?;
    let upstream = Upstream { loss: job.divided(upstream.loss), ..upstream };
    let back = Back { job, stats: Some(stats.view()), from: 0, upstream, stream: false };
    run_backward(context, back, over, fused.grad, None, fused.bias, &mut arena, rest)
}
/// The forward of checked inputs; `rest` is for the tasks.
#[allow(clippy::too_many_arguments)]
fn run_forward(
    context: &Context,
    job: Job<'_>,
    z: Floats<'_>,
    over: Over<'_>,
    (out, sets): (Figures<'_>, SupportFigures<'_>),
    totals: Totals<'_>,
    arena: &mut Arena<'_>,
    rest: &mut [u8],
) -> Result<()> {
    let loss = totals.loss.is_some();
    let slots = Slots::new(context, job.problem, over.need(), rest)?;
    let losses = if loss { Some(arena.take(job.problem.rows())?) } else { None };
    let wants = (Needs::figures(job.problem, &out, loss), loss);
    add_up(job, totals, losses, |places| match z {
        Floats::F32(z) => forward_of(context, job, z, over, ((out, places), sets), slots, wants),
        Floats::Bf16(z) => forward_of(context, job, z, over, ((out, places), sets), slots, wants),
        Floats::F16(z) => forward_of(context, job, z, over, ((out, places), sets), slots, wants),
        // refused
        Floats::F64(_) => {}
    });
    Ok(())
}
/// The backward of checked inputs, the gradient of the loss divided; `rest` is for the tasks.
#[allow(clippy::too_many_arguments)]
fn run_backward(
    context: &Context,
    back: Back<'_, f32>,
    over: Over<'_>,
    grad: Grad<'_>,
    status: Option<MatrixMut<'_, u32>>,
    bias: Option<MatrixMut<'_, f32>>,
    arena: &mut Arena<'_>,
    rest: &mut [u8],
) -> Result<()> {
    let (job, problem) = (back.job, back.job.problem);
    let mut own;
    let mut back = back; // of the place of its statistics
    if let Some(bias) = bias {
        let (n, words) = (problem.rows(), problem.vocab().div_ceil(32));
        if back.stats.is_none() {
            own = MatrixMut::contiguous(arena.take(n * STATS)?, n, STATS)?;
            let (out, sets) =
                (Figures { stats: Some(own.reborrow()), ..Figures::default() }, SupportFigures::default());
            run_forward(context, job, grad.logits(), over, (out, sets), Totals::default(), arena, rest)?;
            back.stats = Some(own.view());
        }
        let mut masks = MatrixMut::contiguous(arena.take(n * words)?, n, words)?;
        macro_rules! columns {
            ($z:expr) => {{
                let slots = Slots::new(context, problem, over.need(), rest)?;
                masks_of(context, job, $z, over, masks.reborrow(), slots);
                extra::bias_of(context, back, $z, Some(masks.view()), bias)
            }};
        }
        match grad.logits() {
            Floats::F32(z) => columns!(z),
            Floats::Bf16(z) => columns!(z),
            Floats::F16(z) => columns!(z),
            Floats::F64(_) => {}
        }
    }
    let slots = Slots::new(context, problem, over.need(), rest)?;
    with_pair!(grad, pair => backward_of(context, back, over, pair, status, slots));
    Ok(())
}
/// The supports as masks.
fn masks_of<T: Cell>(
    context: &Context,
    job: Job<'_>,
    z: Matrix<'_, T>,
    over: Over<'_>,
    masks: MatrixMut<'_, u32>,
    slots: Slots<'_>,
) {
    let isa = context.isa();
    let grain = slots.grain().unwrap_or(grain(job.problem));
    context.rows(job.problem.rows(), grain, (masks, slots), |first, n, (masks, slots)| {
        let mut slot = slots.one(job.problem);
        on_lanes!(isa, s => {
            let mut scratch = Scratch::new(z.data().as_ptr_range().end);
            mask_rows(&mut Lanes { s, scratch: &mut scratch }, &job, &over, &z, first, n, masks, &mut slot)
        }, mask_rows(&mut Plain::new(), &job, &over, &z, first, n, masks, &mut slot))
    });
}
#[inline(always)]
#[allow(clippy::too_many_arguments)]
fn mask_rows<T: Cell>(
    engine: &mut impl Engine<T>,
    job: &Job<'_>,
    over: &Over<'_>,
    z: &Matrix<'_, T>,
    first: usize,
    n: usize,
    mut masks: MatrixMut<'_, u32>,
    slot: &mut Slot<'_>,
) {
    for i in 0..n {
        let target = job.target(first + i);
        if target == Target::Ignored {
            continue;
        }
        let row = job.row(first + i, z.row(first + i));
        let choice = over.choose(job, first + i, &row, target, engine, slot, over.words(first + i), None);
        for (w, to) in masks.row_mut(i).iter_mut().enumerate() {
            *to = choice.kept.word(w);
        }
    }
}
type Out<'a> = (Places<'a, f32>, SupportFigures<'a>);
fn forward_of<T: Cell>(
    context: &Context,
    job: Job<'_>,
    z: Matrix<'_, T>,
    over: Over<'_>,
    out: Out<'_>,
    slots: Slots<'_>,
    wants: (Needs, bool),
) {
    let isa = context.isa();
    let grain = slots.grain().unwrap_or(grain(job.problem));
    context.rows(job.problem.rows(), grain, (out, slots), |first, n, (out, slots)| {
        let mut slot = slots.one(job.problem);
        on_lanes!(isa, s => {
            let mut scratch = Scratch::new(z.data().as_ptr_range().end);
            forward_rows(&mut Lanes { s, scratch: &mut scratch }, &job, &over, &z, first, n, out, &mut slot, wants)
        }, forward_rows(&mut Plain::new(), &job, &over, &z, first, n, out, &mut slot, wants))
    });
}
#[inline(always)]
#[allow(clippy::too_many_arguments)]
fn forward_rows<T: Cell>(
    engine: &mut impl Engine<T>,
    job: &Job<'_>,
    over: &Over<'_>,
    z: &Matrix<'_, T>,
    first: usize,
    n: usize,
    ((mut out, (mut losses, Counted(counters))), mut sets): Out<'_>,
    slot: &mut Slot<'_>,
    (needs, loss): (Needs, bool),
) {
    let (mass, mut found) = (sets.log_kept_mass.is_some(), Found::default());
    for i in 0..n {
        let target = job.target(first + i);
        let at = (first + i, i);
        if target == Target::Ignored {
            sets.ignored(i);
            found.start(&needs);
            let record = Record::EMPTY.conclude(target);
            let value = job.inputs.write(&record, target, &found, &|_, _| 0.0, &mut out, at, loss);
            losses.iter_mut().for_each(|m| m.set(i, value));
            counters.add(record.flags);
            continue;
        }
        let row = job.row(first + i, z.row(first + i));
        let choice = over.choose(
            job,
            first + i,
            &row,
            target,
            engine,
            slot,
            over.words(first + i),
            Some((needs, None, &mut found)),
        );
        let (kept, mut record) = (choice.kept, choice.record);
        record.flags |= sets.put(i, choice.size, &kept, job.problem.valid(), &|j| row.at(j) != f32::NEG_INFINITY);
        let record = record.conclude(target);
        if let Some(m) = &mut sets.lse {
            m.set(i, record.figures(target).lse);
        }
        if mass {
            let kept = if record.poisoned() {
                f32::NAN
            } else {
                record.log_share(&engine.part(&row, 0, &mut Seek::nothing(&mut Found::default())))
            };
            sets.log_kept_mass.iter_mut().for_each(|m| m.set(i, kept));
        }
        let column = |_, j: usize| if kept.has(j) { row.column(j) } else { f32::NEG_INFINITY };
        let value = job.inputs.write(&record, target, &found, &column, &mut out, at, loss);
        losses.iter_mut().for_each(|m| m.set(i, value));
        counters.add(record.flags);
    }
}

/// [`backward_bias`] over a support: columns outside it get 0. `stats` are those of [`forward_over`] with the same support.
#[allow(clippy::too_many_arguments)]
pub fn backward_over(
    context: &Context,
    problem: &Problem,
    inputs: BackwardInputs<'_>,
    over: Over<'_>,
    stats: Option<Matrix<'_, f32>>,
    mut upstream: Upstream<'_>,
    grad: Grad<'_>,
    status: Option<MatrixMut<'_, u32>>,
    bias: Option<MatrixMut<'_, f32>>,
    workspace: &mut [u8],
) -> Result<()> {
    over.check_shard(problem)?;
    check_backward(problem, &inputs, stats.as_ref(), &upstream, &grad, bias.as_ref(), status.as_ref())?;
    over.support.check(problem, &inputs.rows)?;
    // without the gradient of the bias a row makes its statistics when it needs them
    let (kept, some) = (stats.is_some() || bias.is_none(), bias.is_some());
    check_space(workspace, over_fused_workspace(context, problem, &over, false, kept, some))?;
    let (own, rest) = workspace.split_at_mut(own_bytes(problem, false, !kept, some));
    let job = Job::new(problem, inputs.transform, inputs.rows, inputs.row_loss, None);
    upstream.loss = job.divided(upstream.loss);
    let back = Back { job, stats, from: 0, upstream, stream: false };
    run_backward(context, back, over, grad, status, bias, &mut Arena::new(own), rest)
}
fn backward_of<P: Pair>(
    context: &Context,
    back: Back<'_, f32>,
    over: Over<'_>,
    pair: P,
    status: Option<MatrixMut<'_, u32>>,
    slots: Slots<'_>,
) {
    let (isa, problem) = (context.isa(), back.job.problem);
    let grain = slots.grain().unwrap_or(grain(problem));
    context.rows(problem.rows(), grain, ((pair, status), slots), |first, n, (out, slots)| {
        let mut slot = slots.one(problem);
        on_lanes!(isa, s => {
            let mut scratch = Scratch::new(out.0.end());
            backward_rows(&mut Lanes { s, scratch: &mut scratch }, &back, &over, first, n, out, &mut slot)
        }, backward_rows(&mut Plain::new(), &back, &over, first, n, out, &mut slot))
    });
}
#[inline(always)]
fn backward_rows<P: Pair>(
    engine: &mut impl Engine<P::Z>,
    back: &Back<'_, f32>,
    over: &Over<'_>,
    first: usize,
    n: usize,
    (mut pair, mut status): (P, Option<MatrixMut<'_, u32>>),
    slot: &mut Slot<'_>,
) {
    let (job, valid, needs) = (&back.job, back.job.problem.valid(), back.needs());
    let (shard, mut found) = (job.problem.total() != job.problem.vocab(), Found::default());
    for i in 0..n {
        let target = job.target(first + i);
        if target == Target::Ignored {
            let (record, none) = (Record::EMPTY.conclude(target), RowUpstream::default());
            settle(valid, &record, target, &none, i, &mut pair, &mut status);
            continue;
        }
        let row = job.row(first + i, Pair::logits(&pair, i));
        let saved = back.stored(first + i);
        let seek = if saved.is_none() { Some((needs, None, &mut found)) } else { None };
        let choice = over.choose(job, first + i, &row, target, engine, slot, over.words(first + i), seek);
        let record = match saved {
            // the causes of a poisoned row are among its saved flags, and the target may lie in another shard
            Some(x) if x.poisoned() || shard => x,
            Some(x) => choice.complete(&row, x),
            None => choice.record,
        };
        let (record, kept) = (record.conclude(target), choice.kept);
        let g = back.upstream(first + i, &record, target, &found);
        let Some(c) = settle(valid, &record, target, &g, i, &mut pair, &mut status) else { continue };
        for at in (0..valid).step_by(BLOCK) {
            let n = BLOCK.min(valid - at);
            if (at / 32..(at + n).div_ceil(32)).all(|w| kept.word(w) == 0) {
                Pair::gradient(&mut pair, i)[at..at + n].fill(P::G::default());
                continue;
            }
            let row = extra::Row { back, i: first + i, record: &record, target, g: &g, c: &c };
            engine.gradient(&row, Pair::logits(&pair, i), at, n);
            engine.store(&kept, at, &mut Pair::gradient(&mut pair, i)[at..at + n]);
        }
    }
}
