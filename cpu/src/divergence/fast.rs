//! Kullback-Leibler divergences of a row pair in the mode `fast`: one visit of every column, one exponential of each side; for a
//! Jensen-Shannon divergence a second visit of as many.
//!
//! As in `logprob/fast.rs`, the columns of a side are measured from an [`Origin`] beside its largest column so far, and a piece of
//! columns with a larger one is summed up again. With r = (x_a - m_a) - (x_b - m_b) the divergence is
//! `KL(a || b) = sum a r - (l_a - l_b)`, l the log sum exp less the maximum: right to a few units of rounding of the terms, not
//! relative to a small value as in the mode `portable`. 0 for equal rows. A row pair with a dead column, one more than 88 below
//! the maximum, or an offset that costs digits is none for this mode.
use super::*;
use crate::rows::{Origin, PIECE, Peak, SHORT, fma};

pub(super) mod jsd;

/// The largest maximum: from there on x_a - x_b would lose digits.
const FAR: f32 = 1024.0;
/// The fewest columns: of one alone p_s - p_t must be 0, and a few cost nothing.
const FEWEST: usize = 32;

/// The chains of a row pair, 32 of each sum, in the order of the columns' type.
#[derive(Clone, Copy)]
struct Chains<S: Sixteen> {
    /// Exponentials of a and b, without those of the maxima.
    r: [[V<S>; 2]; 2],
    /// Exponentials of a and b times x_a - x_b less that of the maxima, all of them.
    t: [[V<S>; 2]; 2],
}
impl<S: Sixteen> Chains<S> {
    #[inline(always)]
    fn new(s: S) -> Self {
        Chains { r: [[splat(s, 0.0); 2]; 2], t: [[splat(s, 0.0); 2]; 2] }
    }
}
struct Both<S: Sixteen> {
    sides: [Peak<S>; 2],
    /// Of the blocks before this one.
    total: Chains<S>,
    block: Chains<S>,
    /// The smallest columns of each side.
    least: [V<S>; 2],
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
                let r = fma(w[side][i], p[side][i], sums.r[side][i]);
                if TOP {
                    // no lane without a column hits
                    let column = if LAST { x[side][i] / self.live[i] } else { x[side][i] };
                    let hit = column.simd_eq(hits[side]);
                    self.sides[side].ties += hit.bits().count_ones();
                    sums.r[side][i] = hit.select(sums.r[side][i], r);
                } else {
                    sums.r[side][i] = r;
                }
                if BOTH || side == 0 {
                    sums.t[side][i] = fma(w[side][i] * p[side][i], d, sums.t[side][i]);
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
    /// `low`: the smallest columns of a piece. One whose exponential would be no number is nothing for this mode.
    #[inline(always)]
    fn far(&mut self, low: [V<S>; 2]) {
        for side in 0..2 {
            self.least[side] = self.least[side].smaller(low[side]);
            self.odd |= low[side].simd_lt(self.sides[side].low).any();
        }
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
                    *x = Peak::new(s, m, first);
                    self.odd |= !(m.abs() <= FAR);
                    hits[side] = splat(s, m);
                }
                let moved = splat(s, old - (self.sides[0].m - self.sides[1].m));
                for side in 0..2 {
                    // of all columns, those with a maximum that stays among them
                    let kept = self.sides[side].ties as f64 * Origin::<S>::own(self.sides[side].m);
                    let mut lanes = [0.0; 16];
                    lanes[0] = own[side] as f32;
                    self.total.r[side][0] = self.total.r[side][0] + V::from_slice(s, &lanes);
                    lanes[0] = kept as f32;
                    let (kept, by) = ([V::from_slice(s, &lanes), splat(s, 0.0)], splat(s, by[side] as f32));
                    let (total, block) = (&mut self.total, &mut self.block);
                    for i in 0..2 {
                        total.t[side][i] = fma(total.r[side][i] + kept[i], moved, total.t[side][i]) * by;
                        block.t[side][i] = fma(block.r[side][i], moved, block.t[side][i]) * by;
                        total.r[side][i] = total.r[side][i] * by;
                        block.r[side][i] = block.r[side][i] * by;
                    }
                }
                // what was near the old maximum may be far from this one
                let (_, low) = self.piece::<T, BOTH, SCALED, true, LAST>(s, piece, factors, [false; 2], hits);
                self.far(low);
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
            self.far(low);
            if self.sides[0].rises(s, top[0]) || self.sides[1].rises(s, top[1]) {
                self.rise::<T, BOTH, SCALED, LAST>(s, top, before, piece, factors, first);
            }
            i = to;
        }
        for side in 0..2 {
            for i in 0..2 {
                self.total.r[side][i] = self.total.r[side][i] + self.block.r[side][i];
                self.total.t[side][i] = self.total.t[side][i] + self.block.t[side][i];
            }
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
) -> Option<Found> {
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
            let (sides, live) = ([Peak::new(s, m[0], 0), Peak::new(s, m[1], 0)], [splat(s, 1.0); 2]);
            let (zero, least) = (Chains::new(s), [splat(s, f32::INFINITY); 2]);
            let mut row = Both { sides, total: zero, block: zero, least, odd: false, live };
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
                let (last, live) = last::<S, T, SCALED>(s, x, factors);
                row.live = f32::load(s, &live);
                let [a, b] = [last[0], last[1]].map(|x| [x]);
                row.block::<f32, BOTH, false, true>(s, [&a, &b], [1.0; 2], whole / BLOCK * BLOCK, [0; 2]);
            }
            row.finish::<T>(s)
        },
    )
}
/// The columns behind the last 32 of both sides in the type's order, and 1 where there is one, 0 where the last is repeated.
#[inline(always)]
fn last<S: Sixteen, T: Cell, const SCALED: bool>(s: S, x: [&[T]; 2], factors: [f32; 2]) -> ([[f32; 32]; 2], [f32; 32]) {
    let (n, mut order, mut columns) = (x[0].len(), [0.0; 32], [T::from_f32(0.0); 32]);
    for (j, x) in columns.iter_mut().enumerate() {
        *x = T::from_f32(j as f32);
    }
    f32::store(s, T::take(s, &columns), &mut order);
    let (mut last, mut live) = ([[0.0; 32]; 2], [0.0; 32]);
    for (i, j) in order.into_iter().enumerate() {
        let at = n / 32 * 32 + j as usize;
        live[i] = if at < n { 1.0 } else { 0.0 };
        for side in 0..2 {
            let z = x[side][at.min(n - 1)].to_f32();
            last[side][i] = if SCALED { z * factors[side] } else { z };
        }
    }
    (last, live)
}
/// What a visit of a row pair finds.
struct Found {
    /// The records, `k` the first column of a block.
    sides: [Record; 2],
    /// Means of r under a and under b.
    mean: [f64; 2],
    /// All columns have an exponential beside the maxima.
    near: bool,
}
impl<S: Sixteen> Both<S> {
    /// None if the row pair is none for this mode.
    #[inline(always)]
    fn finish<T: Cell>(&self, s: S) -> Option<Found> {
        let (mut sides, mut mean, mut near) = ([Record::EMPTY; 2], [0.0; 2], true);
        for side in 0..2 {
            let (x, own) = (&self.sides[side], Origin::<S>::own(self.sides[side].m));
            let r = T::sum(s, self.total.r[side]) as f64 / own + (x.ties as f64 - 1.0);
            mean[side] = T::sum(s, self.total.t[side]) as f64 / own / (1.0 + r);
            if self.odd || x.ties == 0 || !(0.0..f64::INFINITY).contains(&r) || !mean[side].is_finite() {
                return None;
            }
            sides[side] = Record { m: x.m, r: r as f32, k: x.k as u32, ..Record::EMPTY };
            near &= !self.least[side].simd_lt(x.low).any();
        }
        Some(Found { sides, mean, near })
    }
}
/// The joint record of a whole row pair, a before b, of one of this mode's divergences; none if the row pair is none for it.
pub(super) fn joint<S: Sixteen>(s: S, form: &Form, views: [&View<'_>; 2]) -> Option<Joint> {
    let both = match *form {
        Form::Kl | Form::Jsd { .. } => false,
        Form::TwoWay { .. } => true,
        _ => return None,
    };
    let n = views[0].valid();
    let plain = |x: &View<'_>| !x.probs && x.shift.is_none() && x.job.transform.bias.is_none();
    if !(FEWEST..=SHORT).contains(&n) || n != views[1].valid() || !views.into_iter().all(plain) {
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
    macro_rules! with_rows {
        ($x:ident => $run:expr) => {
            match (views[0].raw, views[1].raw) {
                (Raw::F32(a), Raw::F32(b)) => {
                    let $x = [&a[..n], &b[..n]];
                    $run
                }
                (Raw::Bf16(a), Raw::Bf16(b)) => {
                    let $x = [&a[..n], &b[..n]];
                    $run
                }
                (Raw::F16(a), Raw::F16(b)) => {
                    let $x = [&a[..n], &b[..n]];
                    $run
                }
                _ => return None,
            }
        };
    }
    let found = with_rows!(x => pick(s, x, factors, ends, both, scaled));
    let Found { mut sides, mean, near } = found?;
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
    let other = [at[0][1], at[1][0]];
    let (value, means) = match *form {
        Form::Jsd { .. } if !near => return None,
        Form::Jsd { beta, scale } => {
            let mut k = Pair::new(form, [sides[0].m, sides[1].m], [sides[0].r, sides[1].r], [false; 2]);
            let to = with_rows!(x => match scaled {
                false => jsd::means::<_, _, false>(s, x, factors, ends, &sides, k.p),
                true => jsd::means::<_, _, true>(s, x, factors, ends, &sides, k.p),
            });
            k.anchor::<formula::Jsd>([k.m[0], other[0]], [other[1], k.m[1]]);
            let value = [beta * scale * to[0], (1.0 - beta) * scale * to[1]];
            if !(value[0] + value[1] >= jsd::LEAST) {
                return None;
            }
            (value, [to[0] - k.w[0] as f64, to[1] - k.w[1] as f64])
        }
        Form::TwoWay { forward, reverse } => {
            let value = [forward * (mean[0] - gamma).max(0.0), reverse * (gamma - mean[1]).max(0.0)];
            (value, [mean[0] - ra, rb - mean[1]])
        }
        _ => ([(mean[0] - gamma).max(0.0), 0.0], [mean[0] - ra, 0.0]),
    };
    Some(Joint::of_values(form, sides, gamma, value, means, other))
}
fn pick<S: Sixteen, T: Cell>(
    s: S,
    x: [&[T]; 2],
    factors: [f32; 2],
    ends: [usize; 2],
    both: bool,
    scaled: bool,
) -> Option<Found> {
    match (both, scaled) {
        (false, false) => read::<S, T, false, false>(s, x, factors, ends),
        (false, true) => read::<S, T, false, true>(s, x, factors, ends),
        (true, false) => read::<S, T, true, false>(s, x, factors, ends),
        (true, true) => read::<S, T, true, true>(s, x, factors, ends),
    }
}

/// Whether this mode gives the gradients of a form with the constants `k` and the value `value` over so many columns.
pub(super) fn gives(form: &Form, k: &Pair, value: f32, columns: usize) -> bool {
    let of = match form {
        Form::Kl | Form::TwoWay { .. } => true,
        Form::Jsd { .. } => value as f64 >= jsd::LEAST,
        _ => false,
    };
    of && columns >= FEWEST && k.m.iter().all(|m| m.abs() <= FAR)
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
            let finite = splat(s, f32::MIN);
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
