//! The sums of a row in the mode `fast`: one visit of every column.
//!
//! Columns are measured from an [`Origin`] beside the largest column so far. A piece of 512 columns that turns out to hold a
//! larger one is summed up again from there, and the sums in front of it move with it: a row of random logits does so ln(V / 2048)
//! times. The maximum's own 1 stays outside the sums here too. A result depends on the row and the instruction set alone; it
//! differs from the mode `portable` by the rounding of the sums.
use super::*;
use crate::rows::{Origin, PIECE, Peak, SHORT};

/// The chains of a row, 32 of each sum.
#[derive(Clone, Copy)]
struct Chains<S: Sixteen> {
    r: [V<S>; 2],
    u: [V<S>; 2],
    q: [V<S>; 2],
}
impl<S: Sixteen> Chains<S> {
    #[inline(always)]
    fn new(s: S) -> Self {
        let zero = [splat(s, 0.0); 2];
        Chains { r: zero, u: zero, q: zero }
    }
}
/// A row on its way to its record.
pub(super) struct Row<S: Sixteen> {
    peak: Peak<S>,
    /// Of the blocks before this one.
    total: Chains<S>,
    block: Chains<S>,
    /// Nothing for this mode: too long, too far from 0, a NaN or a `+inf`.
    odd: bool,
}
impl<S: Sixteen> Row<S> {
    /// Of a row with so many columns; `m` is the largest of its first block.
    #[inline(always)]
    pub(super) fn new(s: S, columns: usize, m: f32) -> Self {
        let odd = columns > SHORT || !(m.abs() < Origin::<S>::FAR || m == f32::NEG_INFINITY);
        Row { peak: Peak::new(s, m, 0), total: Chains::new(s), block: Chains::new(s), odd }
    }
    /// Adds N vectors of columns. TOP: those that have the maximum are counted, and not added.
    #[inline(always)]
    fn add<const ALL: bool, const TOP: bool, const N: usize>(&mut self, s: S, x: [V<S>; N], top: &mut [V<S>; 2]) {
        let mut z = x;
        for i in 0..N {
            if !TOP {
                top[i % 2] = top[i % 2].larger(x[i]);
            }
            z[i] = self.peak.low.larger(x[i]);
        }
        let [power, p] = self.peak.of.exp_parts(s, z);
        let (m, sums) = (splat(s, self.peak.m), &mut self.block);
        for i in 0..N {
            let j = i % 2;
            let hit = x[i].simd_eq(m);
            if TOP {
                self.peak.ties += hit.bits().count_ones();
            }
            let r = fma(power[i], p[i], sums.r[j]);
            sums.r[j] = if TOP { hit.select(sums.r[j], r) } else { r };
            if ALL {
                let e = power[i] * p[i];
                sums.u[j] = fma(e, z[i] - m, sums.u[j]);
                let q = fma(e, e, sums.q[j]);
                sums.q[j] = if TOP { hit.select(sums.q[j], q) } else { q };
            }
        }
    }
    /// Adds chunks of both halves of a block; the largest columns of each lane.
    #[inline(always)]
    fn piece<T: Cell, const ALL: bool, const SCALED: bool, const TOP: bool>(
        &mut self,
        s: S,
        [front, back]: [&[[T; 32]]; 2],
        a: f32,
        more: bool,
    ) -> V<S> {
        let (mut top, a) = ([splat(s, f32::NEG_INFINITY); 2], splat(s, a));
        for (p, q) in front.iter().zip(back) {
            if !TOP {
                prefetch(p, 2 * BLOCK, more);
                prefetch(q, 2 * BLOCK, more);
            }
            let ([x0, x1], [x2, x3]) = (taken::<S, T, SCALED>(s, p, a), taken::<S, T, SCALED>(s, q, a));
            if S::ROOMY {
                self.add::<ALL, TOP, 4>(s, [x0, x1, x2, x3], &mut top);
            } else {
                self.add::<ALL, TOP, 2>(s, [x0, x1], &mut top);
                self.add::<ALL, TOP, 2>(s, [x2, x3], &mut top);
            }
        }
        // an odd chunk in the middle
        for p in &back[front.len()..] {
            self.add::<ALL, TOP, 2>(s, taken::<S, T, SCALED>(s, p, a), &mut top);
        }
        top[0].larger(top[1])
    }
    /// A piece with a larger column: the sums of the row move to it, the piece starts again from `before`.
    #[inline(never)]
    fn rise<T: Cell, const ALL: bool, const SCALED: bool>(
        &mut self,
        s: S,
        top: V<S>,
        before: Chains<S>,
        piece: [&[[T; 32]]; 2],
        a: f32,
        first: usize,
    ) {
        s.enter(
            #[inline(always)]
            || {
                let (old, m) = (self.peak, s.fold_larger(top.0) + 0.0);
                self.block = before;
                if old.m > f32::NEG_INFINITY {
                    // what had been the maximum is a column like others
                    let own = Origin::<S>::own(old.m);
                    let mut lanes = [0.0; 16];
                    lanes[0] = (old.ties as f64 * own) as f32;
                    self.total.r[0] = self.total.r[0] + V::from_slice(s, &lanes);
                    lanes[0] = (old.ties as f64 * own * own) as f32;
                    self.total.q[0] = self.total.q[0] + V::from_slice(s, &lanes);
                    let by = Origin::<S>::move_to(old.m, m);
                    let (d, by, square) = (splat(s, old.m - m), splat(s, by as f32), splat(s, (by * by) as f32));
                    for c in [&mut self.total, &mut self.block] {
                        for j in 0..2 {
                            c.u[j] = fma(c.r[j], d, c.u[j]) * by;
                            c.r[j] = c.r[j] * by;
                            c.q[j] = c.q[j] * square;
                        }
                    }
                }
                self.odd |= !(m.abs() < Origin::<S>::FAR);
                self.peak = Peak::new(s, m, first);
                self.piece::<T, ALL, SCALED, true>(s, piece, a, false);
            },
        )
    }
    /// Adds a block, whose first column is `first`; `a` is a factor of its columns, if SCALED. Asks for what lies two blocks
    /// behind it if it ends before `end`.
    #[inline(always)]
    fn block<T: Cell, const ALL: bool, const SCALED: bool>(
        &mut self,
        s: S,
        b: &[[T; 32]],
        a: f32,
        first: usize,
        end: usize,
    ) {
        let (front, back) = b.split_at(b.len() / 2);
        let more = inside(b, 2 * BLOCK, end);
        let mut i = 0;
        while i < back.len() {
            let to = i + PIECE;
            let piece = if to < front.len() { [&front[i..to], &back[i..to]] } else { [&front[i..], &back[i..]] };
            let before = self.block;
            let top = self.piece::<T, ALL, SCALED, false>(s, piece, a, more);
            if self.peak.rises(s, top) {
                self.rise::<T, ALL, SCALED>(s, top, before, piece, a, first);
            } else if self.peak.m == f32::NEG_INFINITY {
                // nothing is live yet; a NaN may be there
                self.odd |= !(T::sum(s, self.block.r) < f32::INFINITY);
                self.block = before;
            }
            i = if to < front.len() { to } else { back.len() };
        }
        for j in 0..2 {
            self.total.r[j] = self.total.r[j] + self.block.r[j];
            if ALL {
                self.total.u[j] = self.total.u[j] + self.block.u[j];
                self.total.q[j] = self.total.q[j] + self.block.q[j];
            }
        }
        self.block = Chains::new(s);
    }
    /// The record, `k` the first column of its block; none if the row is nothing for this mode. T: the order of the columns.
    #[inline(always)]
    fn finish<T: Cell>(&self, s: S) -> Option<Record> {
        let [r, u, q] = [self.total.r, self.total.u, self.total.q].map(|x| T::sum(s, x) as f64);
        if self.odd || !(r < f64::INFINITY) {
            return None;
        }
        let Peak { m, k, ties, .. } = self.peak;
        if ties == 0 {
            return Some(Record::EMPTY);
        }
        let (own, more) = (Origin::<S>::own(m), ties as f64 - 1.0);
        let (r, u, q1) = (r / own + more, u / own, q / (own * own) + more);
        Some(Record { m, r: r as f32, u: u as f32, q1: q1 as f32, k: k as u32, ..Record::EMPTY })
    }
}
/// Adds a block of transformed columns with the maximum `m` to a row of so many, which begins with the first of them. Compiled
/// once for an instruction set.
#[inline(never)]
pub(super) fn part<S: Sixteen>(s: S, row: &mut Option<Row<S>>, columns: usize, b: &[[f32; 32]], m: f32, first: usize) {
    s.enter(
        #[inline(always)]
        || {
            if row.is_none() {
                *row = Some(Row::new(s, columns, m));
            }
            if let Some(row) = row {
                row.block::<f32, true, false>(s, b, 1.0, first, 0);
            }
        },
    )
}
/// The record of a row of transformed columns, if it is one for this mode.
#[inline(always)]
pub(super) fn finish<S: Sixteen>(s: S, row: &Option<Row<S>>) -> Option<Record> {
    match row {
        Some(row) => row.finish::<f32>(s),
        None => None,
    }
}
/// `x` with the sums of a row of transformed columns, where it is one for this mode.
#[inline(always)]
pub(super) fn replace<S: Sixteen>(s: S, row: Option<Row<S>>, x: Record) -> Record {
    match finish(s, &row) {
        Some(Record { r, u, q1, .. }) => Record { r, u, q1, ..x },
        None => x,
    }
}
/// The record of a row whose columns times `a` count, if SCALED; none if it is nothing for this mode.
#[inline(always)]
pub(super) fn read<S: Sixteen, T: Cell, const ALL: bool, const SCALED: bool>(
    s: S,
    z: &[T],
    a: f32,
    scratch: &mut Scratch<T>,
) -> Option<Record> {
    let full = z.len() / BLOCK * BLOCK;
    let (blocks, last) = (z[..full].as_chunks::<32>().0, padded(&z[full..], &mut scratch.last));
    let mut m = T::max_new(s);
    for p in if full > 0 { &blocks[..BLOCK / 32] } else { last } {
        T::max_add(s, &mut m, p);
    }
    let m = T::max_get(s, m);
    let mut row = Row::new(s, z.len(), if SCALED { m * a + 0.0 } else { m });
    for (i, b) in blocks.chunks(BLOCK / 32).enumerate() {
        row.block::<T, ALL, SCALED>(s, b, a, i * BLOCK, scratch.end);
        if row.odd {
            return None;
        }
    }
    row.block::<T, ALL, SCALED>(s, last, a, full, scratch.end);
    row.finish::<T>(s)
}
#[inline(always)]
fn taken<S: Sixteen, T: Cell, const SCALED: bool>(s: S, p: &[T; 32], a: V<S>) -> [V<S>; 2] {
    let [x, y] = T::take(s, p);
    if SCALED { [x * a, y * a] } else { [x, y] }
}
