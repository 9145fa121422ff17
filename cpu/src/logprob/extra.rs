//! What is asked for now and then: sums over the live columns, ranks, the largest columns, gradients of smoothing and of
//! extra columns, the gradient of the bias. Each works on a block of transformed logits in L1, one function for all
//! options, which are branches of the block.
use super::*;
use crate::rows::tree;
use truing_core::logprob::pieces;
use truing_core::record::CHAINS;

/// The record of the columns in `kept`, of all without it, with whatever else is looked for; also how many of those in
/// `kept` are live. The lanes of [`LogitRow::sums`].
#[inline(never)]
pub(super) fn pass<S: Sixteen, T: Cell>(
    s: S,
    row: &LogitRow<'_, T>,
    start: usize,
    kept: Option<&Kept<'_>>,
    mode: Mode,
    seek: &mut Seek<'_>,
    scratch: &mut Scratch<T>,
) -> (Record, usize) {
    s.enter(
        #[inline(always)]
        || {
            let (mut head, mut tree, mut best, mut live) = (Record::EMPTY, Tree::new(), f32::NEG_INFINITY, 0);
            let mut fast = None;
            for piece in pieces(start, row.z.len()) {
                let n = load(s, row, piece, scratch);
                if let Some(kept) = kept {
                    live += mask(&mut scratch.x[..n], kept, piece.first as isize - piece.skip as isize);
                }
                let mut part = sums_of_block(s, &scratch.x[..n], piece.block, &mut best);
                if mode == Mode::Fast {
                    fast::part(s, &mut fast, row.z.len(), &scratch.x[..n], part.m, piece.block);
                }
                if seek.needs.any() {
                    more(s, &scratch.x[..n], piece.block, None, seek, &mut scratch.weight, &mut part);
                }
                if piece.skip > 0 { head = part } else { tree.push(part) }
            }
            (fast::replace(s, fast, head.merge(tree.finish())), live)
        },
    )
}
/// Makes the columns outside `kept` dead, the first of which is column `first` at hand; counts the live ones.
#[inline(always)]
pub(crate) fn mask(x: &mut [[f32; 32]], kept: &Kept<'_>, first: isize) -> usize {
    let mut live = 0;
    for (c, x) in x.iter_mut().enumerate() {
        let word = kept.bits(first + 32 * c as isize);
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
    live
}
/// The lanes of [`Seek::block`]; `weight` is scratch.
pub(crate) fn more<S: Sixteen>(
    s: S,
    b: &[[f32; 32]],
    first: usize,
    ids: Option<&[u32]>,
    seek: &mut Seek<'_>,
    weight: &mut Block,
    part: &mut Record,
) {
    if seek.needs.sums && !part.poisoned() && part.m > f32::NEG_INFINITY {
        if let Some(c) = &seek.class_weight {
            let n = (32 * b.len()).min(c.rows() - first.min(c.rows()));
            let weight = weight.as_flattened_mut();
            match ids {
                None => widen_bias(c, first, &mut weight[..n]),
                Some(ids) => weight.iter_mut().zip(ids).for_each(|(w, &j)| *w = c.get(j as usize) as f32),
            }
        }
        extend(s, b, seek.class_weight.map(|_| &*weight), part);
    }
    if seek.needs.rank {
        let (above, equal) = count(s, b, seek.xy);
        part.above = above;
        if seek.xy > f32::NEG_INFINITY {
            let own = match ids {
                None => seek.target.checked_sub(first),
                Some(ids) => ids.iter().position(|&j| j as usize == seek.target),
            };
            // the target is not its own tie
            let own = own.is_some_and(|y| b.as_flattened().get(y) == Some(&seek.xy));
            seek.found.ties += equal - own as u32;
        }
    }
    if seek.needs.top > 0 {
        largest_of(s, b, first, ids, seek.found);
    }
}
/// [`widen`], compiled once for an instruction set and a type.
#[inline(never)]
fn widen_block<S: Sixteen, T: Cell>(s: S, z: &[T], x: &mut Block, end: usize) -> usize {
    s.enter(
        #[inline(always)]
        || widen(s, z, x, end),
    )
}
/// The lanes of [`Record::extend`].
#[inline(never)]
fn extend<S: Sixteen>(s: S, b: &[[f32; 32]], class_weight: Option<&Block>, record: &mut Record) {
    s.enter(
        #[inline(always)]
        || {
            let (zero, one) = (splat(s, 0.0), splat(s, 1.0));
            let (m, low, dead) = (splat(s, record.m), splat(s, -f32::MAX), splat(s, f32::NEG_INFINITY));
            let (mut w1, mut n, mut wc, mut weight) = ([zero; 2], [zero; 2], [zero; 2], [zero; 2]);
            for (i, c) in b.iter().enumerate() {
                let x = f32::load(s, c);
                for j in 0..2 {
                    let live = dead.simd_lt(x[j]);
                    let a = x[j] - m;
                    let a = a.simd_lt(low).select(low, a);
                    w1[j] = w1[j] + live.select(a, zero);
                    n[j] = n[j] + live.select(one, zero);
                    if let Some(weights) = class_weight {
                        let c = f32::load(s, &weights[i]);
                        wc[j] = live.select(fma(c[j], a, wc[j]), wc[j]);
                        weight[j] = live.select(weight[j] + c[j], weight[j]);
                    }
                }
            }
            record.live = tree(s, n) as u32;
            (record.w1, record.wc, record.weight) = (tree(s, w1), tree(s, wc), tree(s, weight));
        },
    )
}
/// Columns above `xy`, and columns equal to it.
#[inline(never)]
fn count<S: Sixteen>(s: S, b: &[[f32; 32]], xy: f32) -> (u32, u32) {
    s.enter(
        #[inline(always)]
        || {
            let y = splat(s, xy);
            let (mut above, mut equal) = (0, 0);
            for c in b {
                let x = f32::load(s, c);
                for x in x {
                    above += y.simd_lt(x).bits().count_ones();
                    equal += x.simd_eq(y).bits().count_ones();
                }
            }
            (above, equal)
        },
    )
}
/// Pushes what can be among the largest columns.
#[inline(never)]
fn largest_of<S: Sixteen>(s: S, b: &[[f32; 32]], first: usize, ids: Option<&[u32]>, found: &mut Found) {
    s.enter(
        #[inline(always)]
        || {
            let mut limit = splat(s, found.top.limit());
            for (i, c) in b.iter().enumerate() {
                let x = f32::load(s, c);
                let mut hit = limit.simd_lt(x[0]).bits() | limit.simd_lt(x[1]).bits() << 16;
                if hit == 0 {
                    continue;
                }
                while hit != 0 {
                    let j = hit.trailing_zeros() as usize;
                    let place = CHAINS * i + j;
                    found.top.push(c[j], ids.map_or((first + place) as u32, |ids| ids[place]));
                    hit &= hit - 1;
                }
                limit = splat(s, found.top.limit());
            }
        },
    )
}

/// A row whose columns have gradients, block by block.
pub(super) struct Row<'a, F> {
    pub(super) back: &'a Back<'a, F>,
    /// Of the batch.
    pub(super) i: usize,
    pub(super) record: &'a Record<F>,
    pub(super) target: Target,
    pub(super) g: &'a RowUpstream,
    pub(super) c: &'a Columns<F>,
}
impl<F: RowFloat> Row<'_, F> {
    /// Class weight of a column, 1 without class weights.
    fn class_weight(&self, j: usize) -> F {
        let start = self.back.job.problem.start();
        self.back.job.class_weight().map_or(F::from_f64(1.0), |c| F::from_f64(c.get(start + j)))
    }
    /// Writes the gradients of the target and of the extra columns among the columns from `at` on.
    fn named<T: Float>(&self, row: &LogitRow<'_, T, F>, at: usize, dz: &mut [F]) {
        let (y, start) = (self.back.job.local(self.target), self.back.job.problem.start());
        let mut put = |j: usize| {
            if j < at || j - at >= dz.len() {
                return;
            }
            let x = row.column(j);
            dz[j - at] = if x == F::NEG_INF {
                F::ZERO
            } else {
                let own = if y == Some(j) { self.g.logprob } else { 0.0 } + self.back.upstream.extra(self.i, start + j);
                let dx = self.g.named(self.record, x, own, self.class_weight(j).to_f64());
                F::from_f64(dx * row.transform.slope(row.sum(j).to_f64()))
            };
        };
        if let Some(y) = y {
            put(y);
        }
        if let Some(ids) = &self.back.upstream.extra_ids {
            let problem = self.back.job.problem;
            (0..ids.cols()).filter_map(|k| problem.local(ids.get(self.i, k)?)).for_each(put);
        }
    }
    /// The gradient of the columns from `at` on, with respect to the raw logits `z` of the row. `raw`: as the lanes without
    /// smoothing and extra columns; the zeros of dead columns differ in their sign.
    pub(super) fn block_scalar<T: Float>(&self, z: &[T], at: usize, dz: &mut [F], raw: bool) {
        let row: LogitRow<'_, T, F> = self.back.job.row(self.i, z);
        for (j, dz) in dz.iter_mut().enumerate() {
            let (z, bias) = (F::of(row.z[at + j]), row.bias(at + j));
            *dz = if raw {
                self.c.raw(&row.transform, z, bias)
            } else {
                self.c.smoothed(&row.transform, z, bias, self.class_weight(at + j))
            };
        }
        self.named(&row, at, dz);
    }
}
impl Row<'_, f32> {
    /// [`Row::block_scalar`] of `n` columns in lanes, into `scratch.x`.
    pub(super) fn block<S: Sixteen, T: Cell>(&self, s: S, z: &[T], at: usize, n: usize, scratch: &mut Scratch<T>) {
        let row: LogitRow<'_, T> = self.back.job.row(self.i, z);
        widen_block(s, &row.z[at..at + n], &mut scratch.x, scratch.end);
        let class_weight = match self.back.job.class_weight() {
            Some(c) if self.c.tau != 0.0 => {
                let first = self.back.job.problem.start() + at;
                widen_bias(c, first, &mut scratch.weight.as_flattened_mut()[..n]);
                true
            }
            _ => false,
        };
        slopes(s, row.bias.as_ref(), &row.transform, at, n, scratch.buffers());
        transform(s, row.bias.as_ref(), &row.transform, at, n, scratch.buffers());
        let weight = if class_weight { Some(&scratch.weight) } else { None };
        smoothed(s, n, &mut scratch.x, &scratch.slope, weight, self.c);
        self.named(&row, at, &mut scratch.x.as_flattened_mut()[..n]);
    }
}
/// [`Columns::smoothed`] of `n` transformed logits in place.
#[inline(never)]
fn smoothed<S: Sixteen>(s: S, n: usize, x: &mut Block, slope: &Block, weight: Option<&Block>, c: &Columns) {
    s.enter(
        #[inline(always)]
        || {
            let (k, tau, zero, smooth) = (Constants::new(s, c), splat(s, -c.tau), splat(s, 0.0), c.tau != 0.0);
            for (i, x) in x[..n.div_ceil(32)].iter_mut().enumerate() {
                let (v, slope) = (f32::load(s, x), f32::load(s, &slope[i]));
                let w = match weight {
                    Some(weight) => f32::load(s, &weight[i]),
                    None => [splat(s, 1.0); 2],
                };
                let mut dz = k.some(s, v);
                for j in 0..2 {
                    let dead = v[j].simd_eq(splat(s, f32::NEG_INFINITY));
                    if smooth {
                        dz[j] = fma(tau, w[j], dz[j]);
                    }
                    dz[j] = dead.select(zero, dz[j] * slope[j]);
                }
                f32::store(s, dz, x);
            }
        },
    )
}

/// The gradient of the bias; see [`super::backward_bias`]. `masks` are the columns that count, all without them.
pub(super) fn bias_of<T: Cell>(
    context: &Context,
    back: Back<'_, f32>,
    z: Matrix<'_, T>,
    masks: Option<Matrix<'_, u32>>,
    out: MatrixMut<'_, f32>,
) {
    let isa = context.isa();
    context.rows(out.rows(), BLOCK, out, |first, n, out| {
        on_lanes!(
            isa,
            s => bias_rows(s, &back, &z, masks.as_ref(), first, n, out),
            bias_scalar(&back, &z, masks.as_ref(), first, n, out)
        )
    });
}
/// Sums over rows of the columns of a block: the blocks of rows so far, and the current one.
struct Sums<F> {
    total: [F; BLOCK],
    part: [F; BLOCK],
    rows: usize,
}
impl<F: RowFloat> Sums<F> {
    fn new() -> Self {
        Sums { total: [F::ZERO; BLOCK], part: [F::ZERO; BLOCK], rows: 0 }
    }
    #[inline(always)]
    fn add(&mut self, dz: &[F]) {
        if self.rows > 0 && self.rows.is_multiple_of(BLOCK) {
            self.close();
        }
        self.rows += 1;
        for (to, &dz) in self.part.iter_mut().zip(dz) {
            *to = *to + dz;
        }
    }
    /// The first block starts the total, later ones are added to it.
    fn close(&mut self) {
        let first = self.rows <= BLOCK;
        for (total, part) in self.total.iter_mut().zip(&mut self.part) {
            *total = if first { *part } else { *total + *part };
            *part = F::ZERO;
        }
    }
}
/// The sums of columns `first..first + n`; `row` gives the gradients of some columns of a row.
#[inline(always)]
fn bias_over<T: Float, F: RowFloat>(
    back: &Back<'_, F>,
    z: &Matrix<'_, T>,
    masks: Option<&Matrix<'_, u32>>,
    first: usize,
    n: usize,
    out: &mut MatrixMut<'_, F>,
    sums: &mut Sums<F>,
    mut block: impl FnMut(&Row<'_, F>, &[T], usize, usize, Option<Kept<'_>>, &mut Sums<F>),
) {
    let problem = back.job.problem;
    let (end, found) = (problem.valid().clamp(first, first + n), Found::default());
    for j in end..first + n {
        out.set(j - first, F::ZERO);
    }
    for at in (first..end).step_by(BLOCK) {
        let n = BLOCK.min(end - at);
        *sums = Sums::new();
        for i in 0..problem.rows() {
            let target = back.job.target(i);
            if target == Target::Ignored {
                continue;
            }
            let row: LogitRow<'_, T, F> = back.job.row(i, z.row(i));
            let kept = masks.map(|m| Kept { words: m.row(i), extra: None });
            let record = back.saved(i, &row, target, kept.as_ref()).expect("records have been made");
            let g = back.upstream(i, &record, target, &found);
            match RowGrad::new(&record, target, &g) {
                RowGrad::Fill(x) => sums.add(&[x; BLOCK][..n]),
                RowGrad::Columns(c) => {
                    block(&Row { back, i, record: &record, target, g: &g, c: &c }, z.row(i), at, n, kept, sums)
                }
            }
        }
        sums.close();
        for (j, &sum) in sums.total[..n].iter().enumerate() {
            out.set(at - first + j, sum);
        }
    }
}
pub(super) fn bias_scalar<T: Float, F: RowFloat>(
    back: &Back<'_, F>,
    z: &Matrix<'_, T>,
    masks: Option<&Matrix<'_, u32>>,
    first: usize,
    n: usize,
    mut out: MatrixMut<'_, F>,
) {
    let mut dz = [F::ZERO; BLOCK];
    bias_over(back, z, masks, first, n, &mut out, &mut Sums::new(), |row, z, at, n, kept, sums| {
        row.block_scalar(z, at, &mut dz[..n], false);
        if let Some(kept) = kept {
            over::clear(&kept, at, &mut dz[..n]);
        }
        sums.add(&dz[..n]);
    });
}
#[inline(always)]
fn bias_rows<S: Sixteen, T: Cell>(
    s: S,
    back: &Back<'_, f32>,
    z: &Matrix<'_, T>,
    masks: Option<&Matrix<'_, u32>>,
    first: usize,
    n: usize,
    mut out: MatrixMut<'_, f32>,
) {
    let mut scratch = Scratch::new(z.data().as_ptr_range().end);
    bias_over(back, z, masks, first, n, &mut out, &mut Sums::new(), |row, z, at, n, kept, sums| {
        row.block(s, z, at, n, &mut scratch);
        if let Some(kept) = kept {
            over::clear(&kept, at, &mut scratch.x.as_flattened_mut()[..n]);
        }
        sums.add(&scratch.x.as_flattened()[..n]);
    });
}
