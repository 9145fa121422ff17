//! Kullback-Leibler divergences of a row pair in the mode `fast`: one visit of every column, one exponential of each side.
//!
//! As in `logprob/fast.rs`, the columns of a side are measured from an [`Origin`] beside its largest column so far, and a piece of
//! columns with a larger one is summed up again. With r = (x_a - m_a) - (x_b - m_b) the divergence is
//! `KL(a || b) = sum a r - (l_a - l_b)`, l the log sum exp less the maximum: right to a few units of rounding of the terms, not
//! relative to a small value as in the mode `portable`. 0 for equal rows. A row pair with a dead column, one more than 88 below
//! the maximum, or an offset that costs digits is none for this mode.
use super::*;
use crate::rows::{Origin, PIECE, SHORT, fma};

/// The largest maximum: from there on x_a - x_b would lose digits.
const FAR: f32 = 1024.0;

/// The chains of a row pair.
#[derive(Clone, Copy)]
struct Chains<S: Sixteen> {
    /// Exponentials of a and b, without those of the maxima.
    r: [V<S>; 2],
    /// Exponentials of a and b times x_a - x_b less that of the maxima, all of them.
    t: [V<S>; 2],
}
impl<S: Sixteen> Chains<S> {
    #[inline(always)]
    fn new(s: S) -> Self {
        Chains { r: [splat(s, 0.0); 2], t: [splat(s, 0.0); 2] }
    }
}
/// A side of a row pair on its way.
struct Side<S: Sixteen> {
    /// The largest column so far, the first of the block with it, and how many have it in the piece where it was found, 0 before.
    m: f32,
    k: usize,
    ties: u32,
    of: Origin<S>,
    low: f32,
}
impl<S: Sixteen> Side<S> {
    #[inline(always)]
    fn new(s: S, m: f32) -> Self {
        Side { m, k: 0, ties: 0, of: Origin::new(s, m), low: Origin::<S>::low(m) }
    }
    /// Whether the largest columns of a piece are above the maximum, or may be its place.
    #[inline(always)]
    fn rises(&self, s: S, top: V<S>) -> bool {
        let m = splat(s, self.m);
        m.simd_lt(top).any() || self.ties == 0 && m.simd_le(top).any()
    }
}
struct Both<S: Sixteen> {
    sides: [Side<S>; 2],
    /// Of the blocks before this one.
    total: Chains<S>,
    block: Chains<S>,
    /// Nothing for this mode.
    odd: bool,
    /// 1 in the lanes that hold a column, 0 in the others; for the last few columns.
    live: [V<S>; 2],
}
/// Ends of the columns of a piece, of each side.
type Seen<S> = ([V<S>; 2], [V<S>; 2]);
impl<S: Sixteen> Both<S> {
    /// 32 columns of both sides, LAST: fewer. TOP: the columns with a maximum of `hits` are counted and stay outside `r`.
    #[inline(always)]
    fn add<const BOTH: bool, const TOP: bool, const LAST: bool>(
        &mut self,
        s: S,
        x: [[V<S>; 2]; 2],
        seen: &mut Seen<S>,
        hits: [V<S>; 2],
    ) {
        let apart = splat(s, self.sides[0].m - self.sides[1].m);
        let (mut w, mut p) = (x, x);
        for side in 0..2 {
            for i in 0..2 {
                seen.0[side] = seen.0[side].larger(x[side][i]);
                seen.1[side] = seen.1[side].smaller(x[side][i]);
            }
            [w[side], p[side]] = self.sides[side].of.exp_parts(s, x[side]);
            if LAST {
                for i in 0..2 {
                    w[side][i] = w[side][i] * self.live[i];
                }
            }
        }
        let sums = &mut self.block;
        for i in 0..2 {
            let d = (x[0][i] - x[1][i]) - apart;
            for side in 0..2 {
                let r = fma(w[side][i], p[side][i], sums.r[side]);
                if TOP {
                    // no lane without a column hits
                    let column = if LAST { x[side][i] / self.live[i] } else { x[side][i] };
                    let hit = column.simd_eq(hits[side]);
                    self.sides[side].ties += hit.bits().count_ones();
                    sums.r[side] = hit.select(sums.r[side], r);
                } else {
                    sums.r[side] = r;
                }
                if BOTH || side == 0 {
                    sums.t[side] = fma(w[side][i] * p[side][i], d, sums.t[side]);
                }
            }
        }
    }
    /// Chunks of both halves of a block.
    #[inline(always)]
    fn piece<T: Cell, const BOTH: bool, const SCALED: bool, const TOP: bool, const LAST: bool>(
        &mut self,
        s: S,
        [a, b]: [[&[[T; 32]]; 2]; 2],
        factors: [V<S>; 2],
        more: [bool; 2],
        hits: [V<S>; 2],
    ) -> Seen<S> {
        let mut seen = ([splat(s, f32::NEG_INFINITY); 2], [splat(s, f32::INFINITY); 2]);
        for ((a0, a1), (b0, b1)) in a[0].iter().zip(a[1]).zip(b[0].iter().zip(b[1])) {
            if !TOP {
                prefetch(a0, BLOCK, more[0]);
                prefetch(a1, BLOCK, more[0]);
                prefetch(b0, BLOCK, more[1]);
                prefetch(b1, BLOCK, more[1]);
            }
            self.add::<BOTH, TOP, LAST>(s, both::<S, T, SCALED>(s, a0, b0, factors), &mut seen, hits);
            self.add::<BOTH, TOP, LAST>(s, both::<S, T, SCALED>(s, a1, b1, factors), &mut seen, hits);
        }
        for (a, b) in a[1][a[0].len()..].iter().zip(&b[1][b[0].len()..]) {
            self.add::<BOTH, TOP, LAST>(s, both::<S, T, SCALED>(s, a, b, factors), &mut seen, hits);
        }
        seen
    }
    /// A piece with a larger column of a side: the sums move to it, the piece starts again from `before`.
    #[inline(never)]
    fn rise<T: Cell, const BOTH: bool, const SCALED: bool, const LAST: bool>(
        &mut self,
        s: S,
        top: [V<S>; 2],
        before: Chains<S>,
        piece: [[&[[T; 32]]; 2]; 2],
        factors: [V<S>; 2],
        first: usize,
    ) {
        s.enter(
            #[inline(always)]
            || {
                self.block = before;
                let (old, mut hits) = (self.sides[0].m - self.sides[1].m, [splat(s, f32::NAN); 2]);
                let (mut by, mut own) = ([1.0; 2], [0.0; 2]);
                for side in 0..2 {
                    let x = &mut self.sides[side];
                    if !x.rises(s, top[side]) {
                        continue;
                    }
                    let m = s.fold_larger(top[side].0) + 0.0;
                    // what had been the maximum is a column like others
                    own[side] = x.ties as f64 * Origin::<S>::own(x.m);
                    by[side] = Origin::<S>::move_to(x.m, m);
                    *x = Side { k: first, ..Side::new(s, m) };
                    self.odd |= !(m.abs() <= FAR);
                    hits[side] = splat(s, m);
                }
                let moved = splat(s, old - (self.sides[0].m - self.sides[1].m));
                for side in 0..2 {
                    // of all columns, those with a maximum that stays among them
                    let kept = self.sides[side].ties as f64 * Origin::<S>::own(self.sides[side].m);
                    let mut lanes = [0.0; 16];
                    lanes[0] = own[side] as f32;
                    self.total.r[side] = self.total.r[side] + V::from_slice(s, &lanes);
                    lanes[0] = kept as f32;
                    let (kept, by) = (V::from_slice(s, &lanes), splat(s, by[side] as f32));
                    let (total, block) = (&mut self.total, &mut self.block);
                    total.t[side] = fma(total.r[side] + kept, moved, total.t[side]) * by;
                    block.t[side] = fma(block.r[side], moved, block.t[side]) * by;
                    total.r[side] = total.r[side] * by;
                    block.r[side] = block.r[side] * by;
                }
                self.piece::<T, BOTH, SCALED, true, LAST>(s, piece, factors, [false; 2], hits);
            },
        )
    }
    /// A block of both sides, whose first column is `first`.
    #[inline(always)]
    fn block<T: Cell, const BOTH: bool, const SCALED: bool, const LAST: bool>(
        &mut self,
        s: S,
        x: [&[[T; 32]]; 2],
        factors: [f32; 2],
        first: usize,
        ends: [usize; 2],
    ) {
        let factors = [splat(s, factors[0]), splat(s, factors[1])];
        let more = [inside(x[0], BLOCK, ends[0]), inside(x[1], BLOCK, ends[1])];
        let (n, half) = (x[0].len(), x[0].len() / 2);
        let mut i = 0;
        while i < n - half {
            let to = if i + PIECE < half { i + PIECE } else { n - half };
            let piece = [
                [&x[0][i..to.min(half)], &x[0][half + i..half + to]],
                [&x[1][i..to.min(half)], &x[1][half + i..half + to]],
            ];
            let before = self.block;
            let (top, low) = self.piece::<T, BOTH, SCALED, false, LAST>(s, piece, factors, more, [splat(s, 0.0); 2]);
            for side in 0..2 {
                self.odd |= low[side].simd_lt(splat(s, self.sides[side].low)).any();
            }
            if self.sides[0].rises(s, top[0]) || self.sides[1].rises(s, top[1]) {
                self.rise::<T, BOTH, SCALED, LAST>(s, top, before, piece, factors, first);
            }
            i = to;
        }
        for side in 0..2 {
            self.total.r[side] = self.total.r[side] + self.block.r[side];
            self.total.t[side] = self.total.t[side] + self.block.t[side];
        }
        self.block = Chains::new(s);
    }
}
#[inline(always)]
fn both<S: Sixteen, T: Cell, const SCALED: bool>(s: S, a: &[T; 32], b: &[T; 32], factors: [V<S>; 2]) -> [[V<S>; 2]; 2] {
    let ([a0, a1], [b0, b1]) = (T::take(s, a), T::take(s, b));
    if SCALED { [[a0 * factors[0], a1 * factors[0]], [b0 * factors[1], b1 * factors[1]]] } else { [[a0, a1], [b0, b1]] }
}
/// The joint record of a whole row pair, a before b, each times a factor if SCALED; `k` of its sides is the first column of a
/// block. BOTH: for KL(b || a) too.
#[inline(never)]
fn read<S: Sixteen, T: Cell, const BOTH: bool, const SCALED: bool>(
    s: S,
    x: [&[T]; 2],
    factors: [f32; 2],
    ends: [usize; 2],
) -> Option<([Record; 2], [f64; 2])> {
    s.enter(
        #[inline(always)]
        || {
            let mut m = [0.0; 2];
            for side in 0..2 {
                let first = x[side].len().min(BLOCK);
                let (chunks, rest) = x[side][..first].as_chunks::<32>();
                let mut max = T::max_new(s);
                for p in chunks {
                    T::max_add(s, &mut max, p);
                }
                let mut last = [T::NEG_INF; 32];
                last[..rest.len()].copy_from_slice(rest);
                T::max_add(s, &mut max, &last);
                m[side] = T::max_get(s, max);
                if SCALED {
                    m[side] = m[side] * factors[side] + 0.0;
                }
                if !(m[side].abs() <= FAR) {
                    return None;
                }
            }
            let (sides, live) = ([Side::new(s, m[0]), Side::new(s, m[1])], [splat(s, 1.0); 2]);
            let mut row = Both { sides, total: Chains::new(s), block: Chains::new(s), odd: false, live };
            let n = x[0].len();
            let whole = n / 32 * 32;
            let chunks = [x[0][..whole].as_chunks::<32>().0, x[1][..whole].as_chunks::<32>().0];
            for (i, (a, b)) in chunks[0].chunks(BLOCK / 32).zip(chunks[1].chunks(BLOCK / 32)).enumerate() {
                row.block::<T, BOTH, SCALED, false>(s, [a, b], factors, i * BLOCK, ends);
                if row.odd {
                    return None;
                }
            }
            if n > whole {
                // the lanes behind the last column repeat it
                let (mut last, mut lanes) = ([[0.0; 32]; 2], [0.0; 32]);
                for j in 0..32 {
                    let at = (whole + j).min(n - 1);
                    lanes[j] = if whole + j < n { 1.0 } else { 0.0 };
                    for side in 0..2 {
                        let z = x[side][at].to_f32();
                        last[side][j] = if SCALED { z * factors[side] } else { z };
                    }
                }
                row.live = f32::load(s, &lanes);
                let [a, b] = [last[0], last[1]].map(|x| [x]);
                row.block::<f32, BOTH, false, true>(s, [&a, &b], [1.0; 2], whole / BLOCK * BLOCK, [0; 2]);
            }
            row.finish(s)
        },
    )
}
impl<S: Sixteen> Both<S> {
    /// Records of both sides and the means of r under a and b; none if the row pair is none for this mode.
    #[inline(always)]
    fn finish(&self, s: S) -> Option<([Record; 2], [f64; 2])> {
        let (mut records, mut mean) = ([Record::EMPTY; 2], [0.0; 2]);
        for side in 0..2 {
            let (x, own) = (&self.sides[side], Origin::<S>::own(self.sides[side].m));
            let r = s.fold(self.total.r[side].0) as f64 / own + (x.ties as f64 - 1.0);
            mean[side] = s.fold(self.total.t[side].0) as f64 / own / (1.0 + r);
            if self.odd || x.ties == 0 || !(r < f64::INFINITY) || !mean[side].is_finite() {
                return None;
            }
            records[side] = Record { m: x.m, r: r as f32, k: x.k as u32, ..Record::EMPTY };
        }
        Some((records, mean))
    }
}
/// The joint record of a whole row pair, a before b, of a Kullback-Leibler divergence or two; none if it is none for this mode.
pub(super) fn joint<S: Sixteen>(s: S, form: &Form, views: [&View<'_>; 2]) -> Option<Joint> {
    let (weights, both) = match *form {
        Form::Kl => ([1.0, 0.0], false),
        Form::TwoWay { forward, reverse } => ([forward, reverse], true),
        _ => return None,
    };
    let n = views[0].valid();
    let plain = |x: &View<'_>| !x.probs && x.shift.is_none() && x.job.transform.bias.is_none();
    if n > SHORT || n != views[1].valid() || !views.into_iter().all(plain) {
        return None;
    }
    let mut factors = [1.0; 2];
    for (factor, view) in factors.iter_mut().zip(views) {
        *factor = match view.transform() {
            RowTransform::Plain => 1.0,
            RowTransform::Scale(a) if a.is_normal() => a,
            _ => return None,
        };
    }
    let (scaled, ends) = (factors != [1.0; 2], [views[0].end, views[1].end]);
    let found = match (views[0].raw, views[1].raw) {
        (Raw::F32(a), Raw::F32(b)) => pick(s, [&a[..n], &b[..n]], factors, ends, both, scaled),
        (Raw::Bf16(a), Raw::Bf16(b)) => pick(s, [&a[..n], &b[..n]], factors, ends, both, scaled),
        (Raw::F16(a), Raw::F16(b)) => pick(s, [&a[..n], &b[..n]], factors, ends, both, scaled),
        _ => None,
    };
    let (mut sides, mean) = found?;
    let mut at = [[0.0; 2]; 2];
    for side in 0..2 {
        let (factor, k) = (factors[side], &mut sides[side]);
        *k = match views[side].raw {
            Raw::F32(z) => find(s, &z[..n], factor, *k),
            Raw::Bf16(z) => find(s, &z[..n], factor, *k),
            Raw::F16(z) => find(s, &z[..n], factor, *k),
        };
        at[side] = views.map(|x| x.at(sides[side].k as usize));
    }
    let gamma = sides[0].log_sum() - sides[1].log_sum();
    // r at the largest columns of a and b
    let apart = sides[0].m as f64 - sides[1].m as f64;
    let [ra, rb] = at.map(|[a, b]| (a as f64 - b as f64) - apart);
    let value = [weights[0] * (mean[0] - gamma).max(0.0), weights[1] * (gamma - mean[1]).max(0.0)];
    let means = [mean[0] - ra, if both { rb - mean[1] } else { 0.0 }];
    Some(Joint::of_values(form, sides, gamma, value, means, [at[0][1], at[1][0]]))
}
fn pick<S: Sixteen, T: Cell>(
    s: S,
    x: [&[T]; 2],
    factors: [f32; 2],
    ends: [usize; 2],
    both: bool,
    scaled: bool,
) -> Option<([Record; 2], [f64; 2])> {
    match (both, scaled) {
        (false, false) => read::<S, T, false, false>(s, x, factors, ends),
        (false, true) => read::<S, T, false, true>(s, x, factors, ends),
        (true, false) => read::<S, T, true, false>(s, x, factors, ends),
        (true, true) => read::<S, T, true, true>(s, x, factors, ends),
    }
}

/// Whether this mode gives the gradients of a form with the constants `k`.
pub(super) fn gives(form: &Form, k: &Pair) -> bool {
    matches!(form, Form::Kl | Form::TwoWay { .. }) && k.m.iter().all(|m| m.abs() <= FAR)
}
/// Gradients of the Kullback-Leibler divergences from the probabilities as they are:
/// `a: c_0 a (r - r_k - mean_a) + e_0 (a - b)`, `b: c_1 b (r_k - r - mean_b) + e_1 (a - b)`. TWO: c_1 and e_0 are not 0. A: those
/// of a are wanted, else they may be anything.
pub(super) struct Gradients<S: Sixteen, const TWO: bool, const A: bool> {
    of: [Origin<S>; 2],
    low: [V<S>; 2],
    scale: [V<S>; 2],
    /// Difference of the maxima.
    apart: V<S>,
    /// r_k + mean_a, r_k - mean_b.
    means: [V<S>; 2],
    c: [V<S>; 2],
    e: [V<S>; 2],
    /// What the probabilities of a side lose.
    hard: Option<(usize, f32)>,
}
impl<S: Sixteen, const TWO: bool, const A: bool> Gradients<S, TWO, A> {
    #[inline(always)]
    pub(super) fn new(s: S, k: &Pair, hard: Option<(usize, f32)>) -> Self {
        let own = |side: usize| (k.scale[side] as f64 / Origin::<S>::own(k.m[side])) as f32;
        let (m, [a, b]) = (k.m, [own(0), own(1)]);
        Gradients {
            of: [Origin::new(s, m[0]), Origin::new(s, m[1])],
            low: [splat(s, Origin::<S>::low(m[0])), splat(s, Origin::<S>::low(m[1]))],
            scale: [splat(s, a), splat(s, b)],
            apart: splat(s, m[0] - m[1]),
            means: [splat(s, k.w[0] + k.mean[0]), splat(s, -k.w[1] - k.mean[1])],
            c: [splat(s, k.c[0]), splat(s, k.c[1])],
            e: [splat(s, k.e[0]), splat(s, k.e[1])],
            hard,
        }
    }
}
impl<S: Sixteen, const TWO: bool, const A: bool> Maker<S> for Gradients<S, TWO, A> {
    #[inline(always)]
    fn make<const N: usize>(&self, s: S, x: [[V<S>; N]; 2]) -> [[V<S>; N]; 2] {
        let (mut z, mut p) = (x, x);
        for side in 0..2 {
            for i in 0..N {
                z[side][i] = self.low[side].larger(x[side][i]);
            }
            let [w, q] = self.of[side].exp_parts(s, z[side]);
            for i in 0..N {
                p[side][i] = w[i] * q[i] * self.scale[side];
            }
        }
        let mut g = p;
        for i in 0..N {
            let ([a, b], apart) = ([p[0][i], p[1][i]], p[0][i] - p[1][i]);
            g[1][i] = apart * self.e[1];
            // where a side is dead its weight is 0, and the other one's value is infinite or its weight is 0 too
            let finite = splat(s, -3e38);
            if TWO {
                let r = (finite.larger(x[0][i]) - z[1][i]) - self.apart;
                g[1][i] = fma(b * (self.means[1] - r), self.c[1], g[1][i]);
            }
            if A {
                let r = (z[0][i] - finite.larger(x[1][i])) - self.apart;
                let own = a * (r - self.means[0]);
                g[0][i] = if TWO { fma(own, self.c[0], apart * self.e[0]) } else { own * self.c[0] };
            }
            if let Some((side, h)) = self.hard {
                g[side][i] = g[side][i] - p[side][i] * splat(s, h);
            }
        }
        g
    }
}
