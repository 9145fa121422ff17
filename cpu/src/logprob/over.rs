//! Log-probs over a sampling support: the columns outside it count as dead.
use super::*;
use crate::support::{Need, Slot};
use truing_core::error::row;
use truing_core::matrix::Workspace;
use truing_core::support::{Filters, Kept, Outside, Support, SupportFigures, in_column};

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
    size: i32,
    flags: u32,
}
impl Choice<'_> {
    /// As [`LogitRow::complete`].
    #[inline(always)]
    pub(super) fn complete<T: Cell>(&self, row: &LogitRow<'_, T>, x: Record) -> Record {
        let mut x = row.complete(x, self.y, |j| self.kept.has(j));
        x.flags |= self.flags;
        x
    }
}

/// How the sums of a row are made.
pub(super) trait Engine<T: Cell> {
    fn whole(&mut self, row: &LogitRow<'_, T>) -> Record;
    fn masked(&mut self, row: &LogitRow<'_, T>, kept: &Kept<'_>) -> (Record, usize);
    fn listed(&mut self, row: &LogitRow<'_, T>, list: impl Iterator<Item = usize> + Clone) -> (Record, usize);
    fn filter(&mut self, row: &LogitRow<'_, T>, filters: &Filters, slot: &mut Slot<'_>) -> Option<usize>;
}
pub(super) struct Plain;
impl<T: Cell> Engine<T> for Plain {
    fn whole(&mut self, row: &LogitRow<'_, T>) -> Record {
        row.sums(0, |_| true).0
    }
    fn masked(&mut self, row: &LogitRow<'_, T>, kept: &Kept<'_>) -> (Record, usize) {
        row.sums(0, |j| kept.has(j))
    }
    fn listed(&mut self, row: &LogitRow<'_, T>, list: impl Iterator<Item = usize> + Clone) -> (Record, usize) {
        row.sums_of_list(list)
    }
    fn filter(&mut self, row: &LogitRow<'_, T>, filters: &Filters, slot: &mut Slot<'_>) -> Option<usize> {
        slot.filter_scalar(row, filters)
    }
}
pub(super) struct Lanes<'a, S, T> {
    pub(super) s: S,
    pub(super) scratch: &'a mut Scratch<T>,
}
impl<S: Simd, T: Cell> Engine<T> for Lanes<'_, S, T> {
    #[inline(always)]
    fn whole(&mut self, row: &LogitRow<'_, T>) -> Record {
        sums(self.s, row, self.scratch, false, false)
    }
    #[inline(always)]
    fn masked(&mut self, row: &LogitRow<'_, T>, kept: &Kept<'_>) -> (Record, usize) {
        masked(self.s, row, kept, self.scratch)
    }
    #[inline(always)]
    fn listed(&mut self, row: &LogitRow<'_, T>, list: impl Iterator<Item = usize> + Clone) -> (Record, usize) {
        let (mut tree, mut columns, mut live, mut place) = (Tree::new(), list.clone(), 0, 0);
        let mut best = f32::NEG_INFINITY;
        loop {
            let (x, mut n) = (self.scratch.x.as_flattened_mut(), 0);
            while n < BLOCK {
                let Some(j) = columns.next() else { break };
                x[n] = row.at(j);
                live += (x[n] != f32::NEG_INFINITY) as usize;
                n += 1;
            }
            let padded = n.next_multiple_of(32);
            x[n..padded].fill(f32::NEG_INFINITY);
            tree.push(sums_of_block(self.s, &self.scratch.x[..padded / 32], place, &mut best));
            place += BLOCK;
            if n < BLOCK {
                return (in_column(tree.finish(), list), live);
            }
        }
    }
    #[inline(always)]
    fn filter(&mut self, row: &LogitRow<'_, T>, filters: &Filters, slot: &mut Slot<'_>) -> Option<usize> {
        slot.filter(self.s, row, filters, self.scratch)
    }
}
/// The record of the columns in a mask and how many of them are live.
#[inline(never)]
fn masked<S: Simd, T: Cell>(s: S, row: &LogitRow<'_, T>, kept: &Kept<'_>, scratch: &mut Scratch<T>) -> (Record, usize) {
    s.vectorize(
        #[inline(always)]
        || {
            let (mut tree, mut best, mut live) = (Tree::new(), f32::NEG_INFINITY, 0);
            for piece in truing_core::logprob::pieces(0, row.z.len()) {
                let n = load(s, row, piece, scratch);
                for (c, x) in scratch.x[..n].iter_mut().enumerate() {
                    let word = kept.word(piece.first / 32 + c);
                    if word == 0 {
                        *x = [f32::NEG_INFINITY; 32];
                        continue;
                    }
                    let mut count = 0u32;
                    for (l, x) in x.iter_mut().enumerate() {
                        *x = if word >> l & 1 == 1 { *x } else { f32::NEG_INFINITY };
                        count += (*x != f32::NEG_INFINITY) as u32;
                    }
                    live += count as usize;
                }
                tree.push(sums_of_block(s, &scratch.x[..n], piece.block, &mut best));
            }
            (tree.finish(), live)
        },
    )
}
/// Sets the columns outside a mask to 0.
#[inline(always)]
pub(super) fn clear<G: Cell>(kept: &Kept<'_>, g: &mut [G]) {
    for (c, g) in g.chunks_mut(32).enumerate() {
        let word = kept.word(c);
        if word == u32::MAX {
            continue;
        }
        if word == 0 {
            g.fill(G::default());
            continue;
        }
        for (l, g) in g.iter_mut().enumerate() {
            *g = if word >> l & 1 == 1 { *g } else { G::default() };
        }
    }
}

impl Over<'_> {
    fn need(&self) -> Need {
        match self.support {
            Support::Bitmask(_) => Need::None,
            Support::Lists(_) => Need::Mask,
            Support::Computed(_) => Need::Order,
        }
    }
    /// The caller's mask of row `i`.
    #[inline(always)]
    pub(super) fn words(&self, i: usize) -> &[u32] {
        if let Support::Bitmask(m) = &self.support { m.row(i) } else { &[] }
    }
    /// Chooses the columns of row `i`; without `sums` the record is left empty.
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
        sums: bool,
    ) -> Choice<'s> {
        let y = job.local(target);
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
            let record = row.complete(Record::poison(0), None, |_| true);
            return Choice { kept, y: None, record, size: -1, flags: 0 };
        }
        let live = y.filter(|&y| row.at(y) != f32::NEG_INFINITY);
        let mut inside = live.filter(|&y| kept.has(y));
        let mut flags = 0;
        if inside.is_none() && matches!(target, Target::Column(_)) {
            flags = row::TARGET_OUTSIDE;
            if self.outside == Outside::Keep {
                (inside, kept.extra) = (live, live);
            }
        }
        let (record, size) = match &self.support {
            _ if !sums => (Record::EMPTY, 0),
            Support::Lists(lists) => {
                let walk = lists.walk(i, kept.extra).take_while(|&j| j < row.z.len());
                engine.listed(row, walk)
            }
            _ => engine.masked(row, &kept),
        };
        let choice = Choice { kept, y: inside, record, size: size as i32, flags };
        let size = if record.poisoned() { -1 } else { choice.size };
        Choice { record: choice.complete(row, record), size, ..choice }
    }
}

/// Bytes of workspace for [`forward_over`] and [`backward_over`].
pub fn over_workspace(context: &Context, problem: &Problem, over: &Over<'_>) -> Workspace {
    Slots::workspace(context, problem, over.need())
}
const NAMES: [&str; 3] = ["figures.out_support_size", "figures.out_support_bitmask", "figures.out_support_ids"];

/// [`forward`] over a support: every figure of `out` is that of the row whose columns outside the support are dead.
pub fn forward_over(
    context: &Context,
    problem: &Problem,
    inputs: Inputs<'_>,
    over: Over<'_>,
    out: Figures<'_>,
    sets: SupportFigures<'_>,
    workspace: &mut [u8],
) -> Result<()> {
    check_forward(problem, &inputs, &out)?;
    over.support.check(problem, &inputs.rows)?;
    sets.check(problem, NAMES)?;
    let slots = Slots::new(context, problem, over.need(), workspace)?;
    let job = Job { problem, transform: inputs.transform, rows: inputs.rows };
    match inputs.logits {
        Floats::F32(z) => forward_of(context, job, z, over, out, sets, slots),
        Floats::Bf16(z) => forward_of(context, job, z, over, out, sets, slots),
        Floats::F16(z) => forward_of(context, job, z, over, out, sets, slots),
        Floats::F64(_) => {}
    }
    Ok(())
}
fn forward_of<T: Cell>(
    context: &Context,
    job: Job<'_>,
    z: Matrix<'_, T>,
    over: Over<'_>,
    out: Figures<'_>,
    sets: SupportFigures<'_>,
    slots: Slots<'_>,
) {
    let isa = context.isa();
    let grain = slots.grain().unwrap_or(grain(job.problem));
    context.rows(job.problem.rows(), grain, ((out, sets), slots), |first, n, (out, slots)| {
        let mut slot = slots.one(job.problem);
        on_isa!(isa, s => {
            let mut scratch = Scratch::new();
            forward_rows(&mut Lanes { s, scratch: &mut scratch }, &job, &over, &z, first, n, out, &mut slot)
        }, forward_rows(&mut Plain, &job, &over, &z, first, n, out, &mut slot))
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
    (mut out, mut sets): (Figures<'_>, SupportFigures<'_>),
    slot: &mut Slot<'_>,
) {
    let mass = sets.log_kept_mass.is_some();
    for i in 0..n {
        let target = job.target(first + i);
        if target == Target::Ignored {
            sets.put(i, -1, &Kept::NONE, 0, |_| false);
            sets.lse.iter_mut().for_each(|m| m.set(i, 0.0));
            sets.log_kept_mass.iter_mut().for_each(|m| m.set(i, 0.0));
            record::write(&Record::EMPTY.conclude(target), target, &mut out, i);
            continue;
        }
        let row = job.row(first + i, z.row(first + i));
        let choice = over.choose(job, first + i, &row, target, engine, slot, over.words(first + i), true);
        let (kept, mut record) = (choice.kept, choice.record);
        record.flags |= sets.put(i, choice.size, &kept, job.problem.valid(), |j| row.at(j) != f32::NEG_INFINITY);
        let record = record.conclude(target);
        if let Some(m) = &mut sets.lse {
            m.set(i, record.figures(target).lse);
        }
        if mass {
            let kept = if record.poisoned() { f32::NAN } else { record.log_share(&engine.whole(&row)) };
            sets.log_kept_mass.iter_mut().for_each(|m| m.set(i, kept));
        }
        record::write(&record, target, &mut out, i);
    }
}

/// [`backward`] over a support: columns outside it get 0. `stats` are those of [`forward_over`] with the same support.
#[allow(clippy::too_many_arguments)]
pub fn backward_over(
    context: &Context,
    problem: &Problem,
    inputs: BackwardInputs<'_>,
    over: Over<'_>,
    stats: Option<Matrix<'_, f32>>,
    upstream: Upstream<'_>,
    grad: Grad<'_>,
    status: Option<MatrixMut<'_, u32>>,
    workspace: &mut [u8],
) -> Result<()> {
    if problem.total() != problem.vocab() {
        let expected = Value::Text("no support together with a shard");
        return Err(Error::invalid("support.kind", Value::Text("a support"), expected));
    }
    let slots = Slots::new(context, problem, over.need(), workspace)?;
    backward_all(context, problem, inputs, Some(over), stats, upstream, grad, status, slots)
}
