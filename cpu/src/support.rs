//! Which columns the filters of [`truing_core::support`] keep.
//!
//! A row is transformed into the workspace once. Its columns are gathered from the maximum down in steps of distance and
//! sorted as far as the filters ask, so that a filter that cuts early sees few of them.
use crate::lanes::Sixteen;
use crate::logprob::{Inputs, Job, Scratch, load, refuse};
use crate::on_lanes;
use crate::parallel::Context;
use crate::rows::{Cell, V, clamp, exp, splat};
use truing_core::dtype::Dtype;
use truing_core::error::row;
use truing_core::logprob::{LogitRow, Problem, Target, pieces};
use truing_core::matrix::{Arena, Floats, Matrix, MatrixMut, Split, Workspace};
use truing_core::record::{BLOCK, Record};
use truing_core::row_loss::RowLossInputs;
use truing_core::support::{Filters, Kept, SupportFigures, Total, key, value};
use truing_core::{Error, Result, Status, Value};

/// Scratch memory of one task at a time, cut along with the rows.
#[derive(Debug)]
pub(crate) struct Slots<'a> {
    bytes: &'a mut [u8],
    /// Bytes of one, 0 for none.
    slot: usize,
    rows: usize,
    grain: usize,
}
/// What a task works on.
pub(crate) struct Slot<'a> {
    /// Transformed logits, to a multiple of 32.
    x: &'a mut [f32],
    /// See [`key`].
    keys: &'a mut [u64],
    /// A mask.
    pub(crate) words: &'a mut [u32],
}
/// What the rows of a call need of a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// Nothing.
    None,
    /// A mask.
    Mask,
    /// A mask and an order.
    Order,
}
/// Pieces into which [`Context::rows`] cuts.
fn leaves(rows: usize, grain: usize) -> usize {
    if rows <= grain { 1 } else { leaves(rows / 2, grain) + leaves(rows - rows / 2, grain) }
}
impl<'a> Slots<'a> {
    pub(crate) fn none() -> Slots<'a> {
        Slots { bytes: &mut [], slot: 0, rows: 0, grain: 0 }
    }
    fn bytes(problem: &Problem, need: Need) -> usize {
        let v = problem.vocab();
        let mask = Arena::need::<u32>(v.div_ceil(32));
        match need {
            Need::None => 0,
            Need::Mask => mask,
            Need::Order => Arena::sum([mask, Arena::need::<f32>(v.next_multiple_of(BLOCK)), Arena::need::<u64>(v)]),
        }
    }
    /// The fewest rows of a task for which `slots` are enough.
    fn grain_for(rows: usize, threads: usize, slots: usize) -> usize {
        let mut grain = rows.div_ceil(threads).max(1);
        while leaves(rows, grain) > slots.max(1) {
            grain *= 2;
        }
        grain
    }
    pub(crate) fn workspace(context: &Context, problem: &Problem, need: Need) -> Workspace {
        Self::room(context, problem.rows(), Self::bytes(problem, need))
    }
    /// Bytes for tasks that need `slot` each: at least for one, at best for all that run at a time.
    pub(crate) fn room(context: &Context, rows: usize, slot: usize) -> Workspace {
        let slot = if rows > 0 { slot } else { 0 };
        let all = leaves(rows, Self::grain_for(rows, context.threads(), usize::MAX));
        Workspace { minimum: slot, preferred: slot.saturating_mul(all) / Arena::ALIGN * Arena::ALIGN }
    }
    pub(crate) fn new(context: &Context, problem: &Problem, need: Need, bytes: &'a mut [u8]) -> Result<Slots<'a>> {
        Self::cut(context, problem.rows(), Self::bytes(problem, need), bytes)
    }
    /// For tasks that need `slot` bytes each.
    pub(crate) fn cut(context: &Context, rows: usize, slot: usize, bytes: &'a mut [u8]) -> Result<Slots<'a>> {
        let slot = Self::room(context, rows, slot).minimum;
        if slot == 0 {
            return Ok(Slots::none());
        }
        if bytes.len() < slot {
            let (have, need) = (Value::Size(bytes.len()), Value::Size(slot));
            return Err(Error::new(Status::WorkspaceTooSmall, "workspace_size", have, need));
        }
        // what is cut off must be whole and aligned; a bad pointer is named before any output is written
        Arena::new(&mut *bytes).take::<u64>(1)?;
        let grain = Self::grain_for(rows, context.threads(), bytes.len() / slot);
        Ok(Slots { bytes, slot, rows, grain })
    }
    /// Rows of a task, if there is scratch memory.
    pub(crate) fn grain(&self) -> Option<usize> {
        (self.slot > 0).then_some(self.grain)
    }
    /// The memory of a task.
    pub(crate) fn memory(self) -> &'a mut [u8] {
        self.bytes
    }
    /// The slot of a task; empty pieces where the call needs none.
    pub(crate) fn one(self, problem: &Problem) -> Slot<'a> {
        let (v, mut arena) = (problem.vocab(), Arena::new(self.bytes));
        let order = self.slot > Self::bytes(problem, Need::Mask);
        let n = |some: bool, n: usize| if some { n } else { 0 };
        Slot {
            words: arena.take(n(self.slot > 0, v.div_ceil(32))).unwrap_or_default(),
            x: arena.take(n(order, v.next_multiple_of(BLOCK))).unwrap_or_default(),
            keys: arena.take(n(order, v)).unwrap_or_default(),
        }
    }
}
impl Split for Slots<'_> {
    fn split(self, row: usize) -> (Self, Self) {
        let Slots { bytes, slot, rows, grain } = self;
        let at = if slot == 0 { 0 } else { slot * leaves(row, grain) };
        let (a, b) = bytes.split_at_mut(at);
        let rest = rows.saturating_sub(row);
        (Slots { bytes: a, slot, rows: row.min(rows), grain }, Slots { bytes: b, slot, rows: rest, grain })
    }
}
impl<'a> Slot<'a> {
    /// Of these places: `x` to a multiple of a block, a key and a bit a column.
    pub(crate) fn new(x: &'a mut [f32], keys: &'a mut [u64], words: &'a mut [u32]) -> Slot<'a> {
        Slot { x, keys, words }
    }
    /// Sets the mask to the first `n` columns of the order.
    pub(crate) fn mark(&mut self, n: usize) {
        self.words.fill(0);
        for &k in &self.keys[..n] {
            let j = k as u32 as usize;
            self.words[j / 32] |= 1 << (j % 32);
        }
    }
    /// [`LogitRow::filter`] value by value.
    pub(crate) fn filter_scalar<T: Cell>(&mut self, row: &LogitRow<'_, T>, filters: &Filters) -> Option<usize> {
        row.filter(filters, self.keys)
    }
    /// [`LogitRow::filter`].
    #[inline(always)]
    pub(crate) fn filter<S: Sixteen, T: Cell>(
        &mut self,
        s: S,
        row: &LogitRow<'_, T>,
        filters: &Filters,
        scratch: &mut Scratch<T>,
    ) -> Option<usize> {
        let m = transformed(s, row, scratch, self.x)?;
        if m == f32::NEG_INFINITY {
            return Some(0);
        }
        let x = &self.x[..row.z.len().next_multiple_of(32)];
        let total = if filters.needs_total() { total(s, x, m) } else { 0.0 };
        let mut order = Order { x, m, keys: self.keys, found: 0, sorted: 0, step: 0, above: f32::INFINITY };
        let n = filters.keep(total, |i| order.get(s, i));
        if n < usize::MAX {
            return Some(n);
        }
        while order.step <= STEPS.len() {
            order.gather(s);
        }
        Some(order.found)
    }
}
/// Writes the transformed logits, `-inf` to a multiple of 32, and returns the largest; `None` if the row is poisoned.
#[inline(never)]
fn transformed<S: Sixteen, T: Cell>(
    s: S,
    row: &LogitRow<'_, T>,
    scratch: &mut Scratch<T>,
    out: &mut [f32],
) -> Option<f32> {
    s.enter(
        #[inline(always)]
        || {
            let (mut m, mut nan) = (f32::max_new(s), 0u32);
            for piece in pieces(0, row.z.len()) {
                let n = load(s, row, piece, scratch);
                for (x, out) in scratch.x[..n].iter().zip(out[piece.first..].as_chunks_mut::<32>().0) {
                    f32::max_add(s, &mut m, x);
                    let v = f32::load(s, x);
                    nan |= !(v[0].simd_eq(v[0]).bits() & v[1].simd_eq(v[1]).bits()) & 0xffff;
                    f32::store(s, v, out);
                }
            }
            let m = f32::max_get(s, m);
            (nan == 0 && m < f32::INFINITY).then_some(m)
        },
    )
}
/// [`Total`] of a row.
#[inline(never)]
fn total<S: Sixteen>(s: S, x: &[f32], m: f32) -> f64 {
    s.enter(
        #[inline(always)]
        || {
            let (mut sum, mv) = (Total::default(), splat(s, m));
            for x in x.as_chunks::<16>().0 {
                let mut e = [0.0; 16];
                exp(s, clamp(s, V::from_slice(s, x) - mv)).store_slice(&mut e);
                for e in e.as_chunks::<8>().0 {
                    sum.add(e);
                }
            }
            sum.get()
        },
    )
}
/// Distances from the maximum at which columns are gathered; then all that are live.
const STEPS: [f32; 13] = [1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0, 24.0, 32.0, 48.0, 64.0, 96.0];
/// Columns that are sorted at once, at first.
const SORTED: usize = 256;

/// The order of a row, made as far as it is asked for.
struct Order<'a> {
    x: &'a [f32],
    m: f32,
    /// `..found` are the columns gathered, `..sorted` of them in order, none behind them before one of them.
    keys: &'a mut [u64],
    found: usize,
    sorted: usize,
    step: usize,
    /// All columns from here on are gathered.
    above: f32,
}
impl Order<'_> {
    #[inline(always)]
    fn get<S: Sixteen>(&mut self, s: S, i: usize) -> Option<f32> {
        while i >= self.sorted {
            if self.sorted < self.found {
                let n = self.sorted.max(SORTED);
                let rest = &mut self.keys[self.sorted..self.found];
                if rest.len() > 2 * n {
                    rest.select_nth_unstable(n);
                    rest[..n].sort_unstable();
                    self.sorted += n;
                } else {
                    rest.sort_unstable();
                    self.sorted = self.found;
                }
            } else if self.step <= STEPS.len() {
                self.gather(s);
            } else {
                return None;
            }
        }
        Some(value(self.keys[i]))
    }
    /// The columns down to the next distance.
    #[inline(never)]
    fn gather<S: Sixteen>(&mut self, s: S) {
        let least = STEPS.get(self.step).map_or(f32::MIN, |&d| self.m - d);
        self.step += 1;
        let (above, x, keys) = (self.above, self.x, &mut *self.keys);
        let mut found = self.found;
        s.enter(
            #[inline(always)]
            || {
                let (lo, hi) = (splat(s, least), splat(s, above));
                for (c, x) in x.as_chunks::<16>().0.iter().enumerate() {
                    let v = V::from_slice(s, x);
                    let mut hit = lo.simd_le(v).bits() & v.simd_lt(hi).bits();
                    while hit != 0 {
                        let l = hit.trailing_zeros() as usize;
                        hit &= hit - 1;
                        keys[found] = key(x[l], 16 * c + l);
                        found += 1;
                    }
                }
            },
        );
        (self.found, self.above) = (found, least);
    }
}

/// Bytes of workspace for [`support_mask`].
pub fn support_mask_workspace(context: &Context, problem: &Problem) -> Workspace {
    Slots::workspace(context, problem, Need::Order)
}
const NAMES: [&str; 3] = ["out_size", "out_bitmask", "out_ids"];

/// Writes what the filters keep of every row: `bitmask`, `ids` and `size` of `out`, and the bits of the rows. The targets in
/// `inputs.rows` only say which rows are ignored. A row with a NaN or a `+inf` keeps nothing and has size -1.
pub fn support_mask(
    context: &Context,
    problem: &Problem,
    inputs: Inputs<'_>,
    filters: &Filters,
    out: SupportFigures<'_>,
    status: Option<MatrixMut<'_, u32>>,
    workspace: &mut [u8],
) -> Result<()> {
    inputs.logits.layout().check("logits", problem.rows(), problem.vocab())?;
    out.check(problem, NAMES)?;
    status.as_ref().map_or(Ok(()), |m| m.layout().check("out_status", problem.rows(), 1))?;
    inputs.rows.check(problem)?;
    inputs.transform.check(problem, &inputs.rows)?;
    let slots = Slots::new(context, problem, Need::Order, workspace)?;
    let job = Job::new(problem, inputs.transform, inputs.rows, RowLossInputs::default(), None);
    match inputs.logits {
        Floats::F32(z) => mask_of(context, job, z, filters, out, status, slots),
        Floats::Bf16(z) => mask_of(context, job, z, filters, out, status, slots),
        Floats::F16(z) => mask_of(context, job, z, filters, out, status, slots),
        Floats::F64(_) => return Err(refuse("logits", Dtype::F64, "f32, bf16 or f16")),
    }
    Ok(())
}
fn mask_of<T: Cell>(
    context: &Context,
    job: Job<'_>,
    z: Matrix<'_, T>,
    filters: &Filters,
    out: SupportFigures<'_>,
    status: Option<MatrixMut<'_, u32>>,
    slots: Slots<'_>,
) {
    let (isa, problem) = (context.isa(), job.problem);
    let grain = slots.grain().unwrap_or(1);
    context.rows(problem.rows(), grain, ((out, status), slots), |first, n, ((mut out, mut status), slots)| {
        let (mut scratch, mut slot) = (Scratch::new(z.data().as_ptr_range().end), slots.one(problem));
        for i in 0..n {
            let target = job.target(first + i);
            if target == Target::Ignored {
                out.put(i, -1, &Kept::NONE, 0, &|_| false);
                status.iter_mut().for_each(|m| m.set(i, row::IGNORED));
                continue;
            }
            let row = job.row(first + i, z.row(first + i));
            let kept =
                on_lanes!(isa, s => slot.filter(s, &row, filters, &mut scratch), slot.filter_scalar(&row, filters));
            let mut flags = match kept {
                None => row.complete(Record::poison(0), None, |_| true).flags,
                Some(0) => row::ALL_NEG_INF,
                Some(_) => 0,
            };
            slot.mark(kept.unwrap_or(0));
            let set = Kept { words: slot.words, extra: None };
            flags |= out.put(i, kept.map_or(-1, |n| n as i32), &set, problem.valid(), &|_| true);
            status.iter_mut().for_each(|m| m.set(i, flags));
        }
    });
}
