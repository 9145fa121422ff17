//! Preference losses over f64 lanes and threads. See [`truing_core::preference`].
//!
//! Values and partials of the items go to the workspace (any thread, each item on its own); sums and the scatter to
//! sequences then run in item order on the calling thread, so threads change no bit.
use crate::lanes::{L64, simd::Simd};
use crate::on_isa;
use crate::parallel::Context;
use crate::sequence::{Counters, check_space, overflow};
use truing_core::catalog::{
    self, About, Entry, ListVisitor, MAX_PARAMS, PairVisitor, Reward, UnpairedVisitor, lits, slot, with_list,
    with_pair, with_unpaired,
};
use truing_core::dtype::Element;
use truing_core::error::row;
use truing_core::losses::map::{Alpha, Mapped, ScoreMap, js};
use truing_core::losses::{Anchor, ListLoss, Member, Pair, PairLoss, Side, Unpaired, UnpairedLoss};
use truing_core::matrix::Workspace;
use truing_core::matrix::{Arena, Floats, FloatsMut, Matrix, MatrixMut, Split};
use truing_core::preference::{Inputs, Items, Outputs, Problem, Reduction, Term, each, stat};
use truing_core::real::Real;
use truing_core::{Result, catalog::Kind};

/// Lanes of f64.
const W: usize = 8;
/// Items that are worth a task.
const GRAIN: usize = 2048;
/// Status bits that leave an item in the sum with `skip_flagged`.
const KEPT: u32 = row::IGNORED | row::SATURATED;
/// Slots whose partial is one number an item: the margin of a pair, the baseline of a row. They share a place.
const SECOND: u64 = slot::MARGIN | slot::BASELINE;

/// Scratch memory of a call: 8 bytes a sequence twice (three times with KL), 32 bytes an item (more with KL, margin, anchor,
/// map).
pub fn workspace(_: &Context, problem: &Problem<'_>) -> Workspace {
    let (s, n) = (problem.sequences(), problem.count());
    let partials = if problem.items().kind() == Kind::List { problem.rewards() } else { n };
    let f = Arena::need::<f64>;
    let mut bytes = Arena::sum([f(s), f(s), f(n), f(partials), Arena::need::<u32>(n), Arena::need::<u32>(n)]);
    if problem.items().kind() == Kind::Pair {
        bytes = Arena::sum([bytes, f(n)]);
    }
    if problem.reads(slot::KL) {
        bytes = Arena::sum([bytes, f(s), f(n), f(n)]);
    }
    if problem.differentiates(SECOND) {
        bytes = Arena::sum([bytes, f(n), f(n)]);
    }
    if problem.differentiates(slot::ANCHOR) {
        bytes = Arena::sum([bytes, f(n)]);
    }
    if problem.maps() {
        bytes = Arena::sum([bytes, f(n), f(n), f(n)]);
    }
    Workspace { minimum: bytes, preferred: bytes }
}

/// Loss, rewards and partials of all terms. `workspace` holds at least [`workspace`] bytes, 64-byte aligned.
pub fn forward(
    context: &Context,
    problem: &Problem<'_>,
    inputs: &Inputs<'_>,
    out: Outputs<'_>,
    scratch: &mut [u8],
) -> Result<()> {
    inputs.check(problem)?;
    out.check(problem)?;
    check_space(scratch, workspace(context, problem))?;
    run(context, problem, inputs, out, scratch)
}

/// What the evaluation of one term writes, an element an item (`b` is empty but for pairs; `a` holds members of lists).
struct Partials<'a> {
    value: &'a mut [f64],
    a: &'a mut [f64],
    b: &'a mut [f64],
    kl_a: &'a mut [f64],
    kl_b: &'a mut [f64],
    margin: &'a mut [f64],
    anchor: &'a mut [f64],
    /// The mapped difference and its partials, empty without a map.
    map: [&'a mut [f64]; 3],
    now: &'a mut [u32],
}
fn cut<T>(x: &mut [T], at: usize) -> (&mut [T], &mut [T]) {
    let at = at.min(x.len());
    x.split_at_mut(at)
}
impl Partials<'_> {
    fn split_at(self, row: usize, members: usize) -> (Self, Self) {
        let (v, w) = cut(self.value, row);
        let (a, x) = cut(self.a, members);
        let (b, y) = cut(self.b, row);
        let (ka, kx) = cut(self.kl_a, row);
        let (kb, ky) = cut(self.kl_b, row);
        let (m, n) = cut(self.margin, row);
        let (e, f) = cut(self.anchor, row);
        let [d, ga, gb] = self.map;
        let ((d, dx), (ga, gx), (gb, gy)) = (cut(d, row), cut(ga, row), cut(gb, row));
        let (s, t) = cut(self.now, row);
        (
            Partials { value: v, a, b, kl_a: ka, kl_b: kb, margin: m, anchor: e, map: [d, ga, gb], now: s },
            Partials { value: w, a: x, b: y, kl_a: kx, kl_b: ky, margin: n, anchor: f, map: [dx, gx, gy], now: t },
        )
    }
    fn reborrow(&mut self) -> Partials<'_> {
        Partials {
            value: &mut *self.value,
            a: &mut *self.a,
            b: &mut *self.b,
            kl_a: &mut *self.kl_a,
            kl_b: &mut *self.kl_b,
            margin: &mut *self.margin,
            anchor: &mut *self.anchor,
            map: {
                let [d, a, b] = &mut self.map;
                [&mut **d, &mut **a, &mut **b]
            },
            now: &mut *self.now,
        }
    }
}
/// Cut between items; members of lists follow their lists.
struct ByItem<'a> {
    partials: Partials<'a>,
    items: Items<'a>,
    first: usize,
}
impl Split for ByItem<'_> {
    fn split(self, row: usize) -> (Self, Self) {
        let (items, second) = (self.items, self.first + row);
        let (a, b) = self.partials.split_at(row, items.offset(second) - items.offset(self.first));
        (ByItem { partials: a, items, first: self.first }, ByItem { partials: b, items, first: second })
    }
}

/// What a term reads.
#[derive(Clone, Copy)]
struct Feed<'a> {
    problem: &'a Problem<'a>,
    inputs: &'a Inputs<'a>,
    /// `[S]`: score, divided and minus reference as the term wants it.
    x: &'a [f64],
    /// The entry applies the weights itself.
    weighs: bool,
}
impl Feed<'_> {
    /// Evaluated at all: live, and its weight is not 0.
    #[inline(always)]
    fn evaluated(&self, i: usize) -> bool {
        self.inputs.groups.live(i) && self.weight(i) != 0.0
    }
    /// The factor of the item behind its entry.
    #[inline(always)]
    fn weight(&self, i: usize) -> f64 {
        if self.weighs { 1.0 } else { each(&self.inputs.groups.item_weight, i, 1.0) }
    }
    /// Pairs have a beta of their own.
    fn betas(&self, about: &About) -> bool {
        about.reads(slot::BETA) && self.inputs.groups.item_beta.is_some()
    }
    #[inline(always)]
    fn length(&self, s: usize) -> f64 {
        self.inputs.lengths.map_or(0.0, |l| l.get(s) as f64)
    }
    #[inline(always)]
    fn kl(&self, s: usize) -> f64 {
        self.inputs.kl.map_or(0.0, |k| k.get(s))
    }
}

/// Eight pairs. Ends and items that are not evaluated have scores of 0.
#[derive(Default)]
struct Block {
    scores: [[f64; W]; 2],
    length: [[f64; W]; 2],
    kl: [[f64; W]; 2],
    margin: [[f64; W]; 2],
    anchor: [f64; W],
    shift: [f64; W],
    beta: [f64; W],
}
impl Block {
    /// Not inlined: entries and instruction sets share it.
    #[inline(never)]
    fn fill(&mut self, feed: &Feed<'_>, about: &About, first: usize, n: usize) {
        let (s, groups) = (feed.problem.sequences(), &feed.inputs.groups);
        let plain = n == W && groups.item_mask.is_none() && groups.item_weight.is_none();
        match feed.problem.items() {
            Items::Stacked if plain => {
                self.scores[0].copy_from_slice(&feed.x[first..first + W]);
                self.scores[1].copy_from_slice(&feed.x[s / 2 + first..s / 2 + first + W]);
            }
            Items::Interleaved if plain => {
                let x = &feed.x[2 * first..2 * first + 2 * W];
                for j in 0..W {
                    (self.scores[0][j], self.scores[1][j]) = (x[2 * j], x[2 * j + 1]);
                }
            }
            items => {
                self.scores = [[0.0; W]; 2];
                for j in 0..n {
                    if plain || feed.evaluated(first + j) {
                        let (c, r) = items.pair(first + j, s);
                        (self.scores[0][j], self.scores[1][j]) = (feed.x[c], feed.x[r]);
                    }
                }
            }
        }
        if about.reads(slot::LENGTH | slot::KL | slot::ANCHOR) {
            for j in 0..n {
                if plain || feed.evaluated(first + j) {
                    let (c, r) = feed.problem.items().pair(first + j, s);
                    for (k, q) in [c, r].into_iter().enumerate() {
                        self.length[k][j] = feed.length(q);
                        self.kl[k][j] = feed.kl(q);
                    }
                    if about.reads(slot::ANCHOR) {
                        self.anchor[j] = feed.problem.items().anchor(first + j, s).map_or(0.0, |e| feed.x[e]);
                    }
                }
            }
        }
        let given = groups.margin_chosen.is_some() || groups.margin_rejected.is_some();
        if about.reads(slot::MARGIN) && (given || about.margins != [0.0; 2]) {
            for j in 0..n {
                self.margin[0][j] = each(&groups.margin_chosen, first + j, about.margins[0]);
                self.margin[1][j] = each(&groups.margin_rejected, first + j, about.margins[1]);
            }
        }
        if about.reads(slot::SHIFT) && groups.shift.is_some() {
            for j in 0..n {
                self.shift[j] = each(&groups.shift, first + j, 0.0);
            }
        }
        if feed.betas(about) {
            for j in 0..n {
                self.beta[j] = each(&groups.item_beta, first + j, 0.0);
            }
        }
    }
    /// The mapped difference in place of the scores; lengths are in it.
    fn mapped(&mut self, difference: &[f64]) {
        self.scores[0][..difference.len()].copy_from_slice(difference);
        (self.scores[1], self.length) = ([0.0; W], [[1.0; W]; 2]);
    }
    fn pair(&self, j: usize) -> Pair<f64> {
        let side = |k: usize| Side {
            logp: self.scores[k][j],
            ref_logp: 0.0,
            len: self.length[k][j],
            kl: self.kl[k][j],
            margin: self.margin[k][j],
        };
        let anchor = Anchor { logp: self.anchor[j], ref_logp: 0.0 };
        Pair { chosen: side(0), rejected: side(1), anchor, shift: self.shift[j] }
    }
    /// 1 / T of both sides, 0 without tokens.
    fn shares(&self) -> [[f64; W]; 2] {
        let mut out = [[0.0; W]; 2];
        for k in 0..2 {
            for j in 0..W {
                out[k][j] = if self.length[k][j] > 0.0 { 1.0 / self.length[k][j] } else { 0.0 };
            }
        }
        out
    }
}

struct PairCall<'a> {
    context: &'a Context,
    feed: Feed<'a>,
    term: &'a Term<'a>,
    first: usize,
    out: Partials<'a>,
}
impl PairVisitor for PairCall<'_> {
    type Out = Result<()>;
    fn visit<E: PairLoss<N>, const N: usize>(mut self) -> Result<()> {
        let p = catalog::resolve_variant::<E, N>(self.term.variant, self.term.params)?;
        if !self.term.map.is_identity() {
            map_scores(&mut self);
        }
        let (feed, about, first, out) = (&self.feed, &const { E::ABOUT }, self.first, &mut self.out);
        on_isa!(
            self.context.isa(),
            s => pair_lanes::<_, E::Base, N>(s, &p, feed, about, first, out),
            pair_scalar::<E::Base, N>(&p, feed, about, first, out)
        );
        if !self.term.map.is_identity() {
            let [_, chosen, rejected] = &self.out.map;
            for (partials, slopes) in [(&mut self.out.a, chosen), (&mut self.out.b, rejected)] {
                partials.iter_mut().zip(&**slopes).for_each(|(x, g)| *x = if *g == 0.0 { *g } else { times(*x, *g) });
            }
        }
        Ok(())
    }
}
/// Evaluates `E` with the slots of `about`, which may be a preset of it.
#[inline(always)]
fn pair_lanes<S: Simd, E: PairLoss<N>, const N: usize>(
    s: S,
    p: &[f64; N],
    feed: &Feed<'_>,
    about: &About,
    first: usize,
    out: &mut Partials<'_>,
) {
    let mut block = Block::default();
    let zero = L64::splat(s, 0.0);
    let (betas, mapped) = (feed.betas(about), out.map[0].len());
    for at in (0..out.value.len()).step_by(W) {
        let n = W.min(out.value.len() - at);
        block.fill(feed, about, first + at, n);
        if mapped > 0 {
            block.mapped(&out.map[0][at..at + n]);
        }
        let mut chosen =
            Side { logp: L64::load(s, &block.scores[0], 0, 0.0), ref_logp: zero, len: zero, kl: zero, margin: zero };
        let mut rejected = Side { logp: L64::load(s, &block.scores[1], 0, 0.0), ..chosen };
        if E::ABOUT.reads(slot::LENGTH) {
            (chosen.len, rejected.len) =
                (L64::load(s, &block.length[0], 0, 0.0), L64::load(s, &block.length[1], 0, 0.0));
        }
        if E::ABOUT.reads(slot::KL) {
            (chosen.kl, rejected.kl) = (L64::load(s, &block.kl[0], 0, 0.0), L64::load(s, &block.kl[1], 0, 0.0));
        }
        if E::ABOUT.reads(slot::MARGIN) {
            (chosen.margin, rejected.margin) =
                (L64::load(s, &block.margin[0], 0, 0.0), L64::load(s, &block.margin[1], 0, 0.0));
        }
        let anchor = Anchor { logp: L64::load(s, &block.anchor, 0, 0.0), ref_logp: zero };
        let shift = L64::load(s, &block.shift, 0, 0.0);
        let mut q = lits(zero, p);
        if betas && N > 0 {
            q[0] = L64::load(s, &block.beta, 0, 0.0);
        }
        let y = E::eval(Pair { chosen, rejected, anchor, shift }, q);
        y.value.store(out.value, at);
        y.chosen.logp.store(out.a, at);
        y.rejected.logp.store(out.b, at);
        if E::ABOUT.differentiates(slot::KL) && about.differentiates(slot::KL) {
            y.chosen.kl.store(out.kl_a, at);
            y.rejected.kl.store(out.kl_b, at);
        }
        if E::ABOUT.differentiates(slot::MARGIN) && about.differentiates(slot::MARGIN) {
            y.chosen.margin.store(out.margin, at);
        }
        if E::ABOUT.differentiates(slot::ANCHOR) && about.differentiates(slot::ANCHOR) {
            y.anchor.store(out.anchor, at);
        }
    }
}
fn pair_scalar<E: PairLoss<N>, const N: usize>(
    p: &[f64; N],
    feed: &Feed<'_>,
    about: &About,
    first: usize,
    out: &mut Partials<'_>,
) {
    let (mut block, mut p) = (Block::default(), *p);
    let (betas, mapped) = (feed.betas(about), out.map[0].len());
    for at in (0..out.value.len()).step_by(W) {
        let n = W.min(out.value.len() - at);
        block.fill(feed, about, first + at, n);
        if mapped > 0 {
            block.mapped(&out.map[0][at..at + n]);
        }
        for j in 0..n {
            if betas && N > 0 {
                p[0] = block.beta[j];
            }
            let (i, y) = (at + j, E::eval(block.pair(j), p));
            out.value[i] = y.value;
            (out.a[i], out.b[i]) = (y.chosen.logp, y.rejected.logp);
            if about.differentiates(slot::KL) {
                (out.kl_a[i], out.kl_b[i]) = (y.chosen.kl, y.rejected.kl);
            }
            if about.differentiates(slot::MARGIN) {
                out.margin[i] = y.chosen.margin;
            }
            if about.differentiates(slot::ANCHOR) {
                out.anchor[i] = y.anchor;
            }
        }
    }
}

/// The map of a term over the pairs of a call, into `out.map`.
fn map_scores(call: &mut PairCall<'_>) {
    let (isa, map, about) = (call.context.isa(), call.term.map, call.term.about());
    let (feed, first, out) = (&call.feed, call.first, &mut call.out);
    let mut block = Block::default();
    for at in (0..out.value.len()).step_by(W) {
        let n = W.min(out.value.len() - at);
        block.fill(feed, about, first + at, n);
        let shares = about.reads(slot::LENGTH).then(|| block.shares());
        let mut to = [[0.0; W]; 3];
        on_isa!(isa, s => map_lanes(s, map, &block.scores, &shares, &mut to), {
            for j in 0..W {
                let shares = shares.map(|s| [s[0][j], s[1][j]]);
                let m = map_one(map, block.scores[0][j], block.scores[1][j], shares);
                (to[0][j], to[1][j], to[2][j]) = (m.difference, m.chosen, m.rejected);
            }
        });
        for k in 0..3 {
            out.map[k][at..at + n].copy_from_slice(&to[k][..n]);
        }
    }
}
#[inline(always)]
fn map_lanes<S: Simd>(s: S, map: ScoreMap, x: &[[f64; W]; 2], shares: &Option<[[f64; W]; 2]>, to: &mut [[f64; W]; 3]) {
    let (a, b) = (L64::load(s, &x[0], 0, 0.0), L64::load(s, &x[1], 0, 0.0));
    #[allow(clippy::manual_map)] // a closure over lanes loses the instruction set
    let shares = match shares {
        Some(v) => Some([L64::load(s, &v[0], 0, 0.0), L64::load(s, &v[1], 0, 0.0)]),
        None => None,
    };
    let m = map_one(map, a, b, shares);
    m.difference.store(&mut to[0], 0);
    m.chosen.store(&mut to[1], 0);
    m.rejected.store(&mut to[2], 0);
}
#[inline(always)]
fn map_one<R: Real>(map: ScoreMap, a: R, b: R, shares: Option<[R; 2]>) -> Mapped<R> {
    match map {
        ScoreMap::Js => js(a, b, shares),
        ScoreMap::Alpha { alpha, max_exponent } => {
            Alpha { alpha: a.lit(alpha), max_exponent: a.lit(max_exponent) }.difference(a, b, shares)
        }
        ScoreMap::Identity => Mapped { difference: a - b, chosen: a.lit(1.0), rejected: a.lit(1.0) },
    }
}
/// The partial of the first term's learned parameter, summed over its items.
struct LearnedCall<'a> {
    feed: Feed<'a>,
    term: &'a Term<'a>,
    now: &'a [u32],
    /// Factor of an item.
    factor: &'a dyn Fn(usize) -> f64,
    to: &'a mut MatrixMut<'a, f64>,
}
impl PairVisitor for LearnedCall<'_> {
    type Out = Result<()>;
    fn visit<E: PairLoss<N>, const N: usize>(self) -> Result<()> {
        let Some(k) = E::Base::learns(self.term.variant) else { return Ok(()) };
        let mut p = catalog::resolve_variant::<E, N>(self.term.variant, self.term.params)?;
        let (mut block, mut sum) = (Block::default(), 0.0);
        let (about, skip) = (&const { E::ABOUT }, self.feed.problem.options().skip_flagged);
        let betas = self.feed.betas(about);
        for at in (0..self.now.len()).step_by(W) {
            let n = W.min(self.now.len() - at);
            block.fill(&self.feed, about, at, n);
            for j in 0..n {
                let (i, bits) = (at + j, self.now[at + j]);
                if bits & row::IGNORED != 0 || (skip && bits & !KEPT != 0) || !self.feed.evaluated(i) {
                    continue;
                }
                if betas && N > 0 {
                    p[0] = block.beta[j];
                }
                sum += times(E::Base::learned(block.pair(j), p), (self.factor)(i));
            }
        }
        self.to.set(k, sum);
        Ok(())
    }
}
fn with_beta<E: Entry<N>, const N: usize>(params: &[f64], beta: f64) -> Result<[f64; N]> {
    let mut all = [f64::NAN; MAX_PARAMS];
    all[..params.len()].copy_from_slice(params);
    all[0] = beta;
    catalog::resolve::<E, N>(&all[..N])
}

struct RowCall<'a> {
    context: &'a Context,
    feed: Feed<'a>,
    params: &'a [f64],
    first: usize,
    out: Partials<'a>,
}
impl RowCall<'_> {
    #[inline(always)]
    fn read(&self, i: usize) -> Unpaired<f64> {
        let (f, g) = (&self.feed, &self.feed.inputs.groups);
        let on = f.evaluated(i);
        Unpaired {
            logp: if on { f.x[i] } else { 0.0 },
            ref_logp: 0.0,
            len: f.length(i),
            label: g.label.map_or(0.0, |l| if l.desirable(i) { 1.0 } else { -1.0 }),
            weight: each(&g.item_weight, i, 1.0),
            baseline: each(&g.baseline, i, 0.0),
            shift: each(&g.shift, i, 0.0),
        }
    }
}
impl UnpairedVisitor for RowCall<'_> {
    type Out = Result<()>;
    fn visit<E: UnpairedLoss<N>, const N: usize>(mut self) -> Result<()> {
        let p = catalog::resolve::<E, N>(self.params)?;
        if E::ABOUT.reads(slot::BETA) && self.feed.inputs.groups.item_beta.is_some() {
            for i in 0..self.out.value.len() {
                if self.feed.evaluated(self.first + i) {
                    let beta = each(&self.feed.inputs.groups.item_beta, self.first + i, 0.0);
                    let y = E::eval(self.read(self.first + i), with_beta::<E, N>(self.params, beta)?);
                    (self.out.value[i], self.out.a[i]) = (y.value, y.logp);
                    if E::ABOUT.differentiates(slot::BASELINE) {
                        self.out.margin[i] = y.baseline;
                    }
                }
            }
            return Ok(());
        }
        on_isa!(self.context.isa(), s => row_lanes::<_, E, N>(s, &p, &mut self), row_scalar::<E, N>(&p, &mut self));
        Ok(())
    }
}
#[inline(always)]
fn row_lanes<S: Simd, E: UnpairedLoss<N>, const N: usize>(s: S, p: &[f64; N], call: &mut RowCall<'_>) {
    let mut x = [[0.0; W]; 7];
    for at in (0..call.out.value.len()).step_by(W) {
        for j in 0..W.min(call.out.value.len() - at) {
            let r = call.read(call.first + at + j);
            (x[0][j], x[1][j], x[2][j]) = (r.logp, r.len, r.label);
            (x[3][j], x[4][j], x[5][j]) = (r.weight, r.baseline, r.shift);
        }
        let y = E::eval(
            Unpaired {
                logp: L64::load(s, &x[0], 0, 0.0),
                ref_logp: L64::splat(s, 0.0),
                len: L64::load(s, &x[1], 0, 0.0),
                label: L64::load(s, &x[2], 0, 0.0),
                weight: L64::load(s, &x[3], 0, 0.0),
                baseline: L64::load(s, &x[4], 0, 0.0),
                shift: L64::load(s, &x[5], 0, 0.0),
            },
            lits(L64::splat(s, 0.0), p),
        );
        y.value.store(call.out.value, at);
        y.logp.store(call.out.a, at);
        if E::ABOUT.differentiates(slot::BASELINE) {
            y.baseline.store(call.out.margin, at);
        }
    }
}
fn row_scalar<E: UnpairedLoss<N>, const N: usize>(p: &[f64; N], call: &mut RowCall<'_>) {
    for i in 0..call.out.value.len() {
        let y = E::eval(call.read(call.first + i), *p);
        (call.out.value[i], call.out.a[i]) = (y.value, y.logp);
        if E::ABOUT.differentiates(slot::BASELINE) {
            call.out.margin[i] = y.baseline;
        }
    }
}

struct ListCall<'a> {
    feed: Feed<'a>,
    params: &'a [f64],
    first: usize,
    out: Partials<'a>,
}
impl ListVisitor for ListCall<'_> {
    type Out = Result<()>;
    fn visit<E: ListLoss<N>, const N: usize>(self) -> Result<()> {
        let p = catalog::resolve::<E, N>(self.params)?;
        let (feed, items, groups) = (&self.feed, self.feed.problem.items(), &self.feed.inputs.groups);
        let base = items.offset(self.first);
        for i in 0..self.out.value.len() {
            let (from, to) = (items.offset(self.first + i), items.offset(self.first + i + 1));
            let grad = &mut self.out.a[from - base..to - base];
            if from == to || !feed.evaluated(self.first + i) {
                (self.out.value[i], _) = (0.0, grad.fill(0.0));
                continue;
            }
            let p = match &groups.item_beta {
                Some(_) if E::ABOUT.reads(slot::BETA) => {
                    with_beta::<E, N>(self.params, each(&groups.item_beta, self.first + i, 0.0))?
                }
                _ => p,
            };
            let member = |k: usize| {
                let s = items.member(from + k);
                let target = groups.list_targets.map_or(0.0, |t| t.get(from + k));
                Member { logp: feed.x[s], ref_logp: 0.0, len: feed.length(s), target }
            };
            self.out.value[i] = E::eval(member, p, grad);
        }
        Ok(())
    }
}

/// Sequences of item `i` that a term with these slots reads, in the order in which their partials are added.
#[inline(always)]
fn sequences(problem: &Problem<'_>, reads: u64, i: usize, mut f: impl FnMut(usize)) {
    match problem.items() {
        Items::Rows => f(i),
        items @ Items::Lists { .. } => (items.offset(i)..items.offset(i + 1)).for_each(|m| f(items.member(m))),
        items => {
            let (c, r) = items.pair(i, problem.sequences());
            f(c);
            f(r);
            if reads & slot::ANCHOR != 0 {
                items.anchor(i, problem.sequences()).into_iter().for_each(f);
            }
        }
    }
}

/// Zeros what is not evaluated, makes NaN complete, and says what is wrong with an item.
fn flags(feed: &Feed<'_>, term: &Term<'_>, first: usize, out: &mut Partials<'_>) {
    let (problem, inputs, items) = (feed.problem, feed.inputs, feed.problem.items());
    let list = items.kind() == Kind::List;
    let base = items.offset(first);
    let about = term.about();
    for i in 0..out.value.len() {
        let item = first + i;
        let members = if list { items.offset(item) - base..items.offset(item + 1) - base } else { i..i + 1 };
        let mut status = 0;
        if !feed.evaluated(item) {
            out.value[i] = 0.0;
            out.a[members].fill(0.0);
            for m in [&mut *out.b, out.kl_a, out.kl_b, out.margin, out.anchor] {
                if let Some(x) = m.get_mut(i) {
                    *x = 0.0;
                }
            }
            out.now[i] = if inputs.groups.live(item) { 0 } else { row::IGNORED };
            continue;
        }
        let (mut nan, mut infinite, mut undefined, mut any) = (false, false, false, false);
        sequences(problem, about.inputs, item, |s| {
            any = true;
            let raw = inputs.scores.get(s);
            let reference = if about.reads(slot::REF) { inputs.ref_scores.map_or(0.0, |r| r.get(s)) } else { 0.0 };
            let kl = if about.reads(slot::KL) { feed.kl(s) } else { 0.0 };
            nan |= raw.is_nan() || reference.is_nan() || kl.is_nan();
            infinite |= raw.is_infinite() || reference.is_infinite() || kl.is_infinite();
            undefined |= feed.x[s].is_nan();
            if about.below_zero && feed.x[s] >= 0.0 {
                status |= row::SATURATED;
            }
            if inputs.lengths.is_some_and(|l| l.get(s) == 0) {
                status |= row::EMPTY;
            }
            if let Some(m) = inputs.sequence_status {
                status |= m.get(s) & !row::IGNORED;
            }
        });
        if !any {
            status |= row::EMPTY;
        }
        let mut unmarked = false;
        if about.reads(slot::MARGIN) {
            let g = &inputs.groups;
            let margin = [each(&g.margin_chosen, item, 0.0), each(&g.margin_rejected, item, 0.0)];
            unmarked = margin[0].is_nan() || margin[1].is_nan();
            infinite |= margin[0].is_infinite() || margin[1].is_infinite();
        }
        if about.reads(slot::SHIFT) {
            nan |= each(&inputs.groups.shift, item, 0.0).is_nan();
        }
        if about.reads(slot::BASELINE) {
            nan |= each(&inputs.groups.baseline, item, 0.0).is_nan();
        }
        let (mut broken, mut beyond) = (out.value[i].is_nan(), out.value[i].is_infinite());
        for &g in &out.a[members.clone()] {
            (broken, beyond) = (broken | g.is_nan(), beyond | g.is_infinite());
        }
        for m in [&*out.b, out.kl_a, out.kl_b, out.margin, out.anchor] {
            if let Some(g) = m.get(i) {
                (broken, beyond) = (broken | g.is_nan(), beyond | g.is_infinite());
            }
        }
        // a margin that the entry selects away may be NaN
        nan |= unmarked && broken;
        if broken {
            out.value[i] = f64::NAN;
            out.a[members].fill(f64::NAN);
            for m in [&mut *out.b, out.kl_a, out.kl_b, out.margin, out.anchor] {
                if let Some(x) = m.get_mut(i) {
                    *x = f64::NAN;
                }
            }
        }
        if nan {
            status |= row::NAN_INPUT;
        } else if undefined || broken {
            status |= row::INF_INPUT;
        } else if infinite {
            status |= row::INFINITE;
        } else if beyond {
            status |= row::OVERFLOW;
        }
        out.now[i] = status;
    }
}
/// No item has anything to flag but for what its value and partials show: all scores are finite, everything is
/// evaluated, nothing is lowered, and nobody gives lengths or status.
fn plain(feed: &Feed<'_>, about: &About) -> bool {
    if about.below_zero && !feed.x.iter().all(|&x| x < 0.0) {
        return false;
    }
    let (inputs, g) = (feed.inputs, &feed.inputs.groups);
    let all = g.item_mask.is_none() && g.item_weight.is_none();
    let unmarked = inputs.lengths.is_none() && inputs.sequence_status.is_none() && inputs.kl.is_none();
    let unmoved = g.margin_chosen.is_none() && g.margin_rejected.is_none() && g.shift.is_none();
    feed.problem.items().kind() == Kind::Pair && all && unmarked && unmoved && finite([feed.x])
}
fn finite<const K: usize>(parts: [&[f64]; K]) -> bool {
    // x - x is 0 for a finite x and NaN for any other
    let mut sum = [0.0; W];
    for x in parts {
        let mut blocks = x.chunks_exact(W);
        for block in &mut blocks {
            for j in 0..W {
                sum[j] += block[j] - block[j];
            }
        }
        for &x in blocks.remainder() {
            sum[0] += x - x;
        }
    }
    sum == [0.0; W]
}

/// Eight chains over items in order, joined by a fixed tree.
#[derive(Clone, Copy, Default)]
struct Sum([f64; W]);
impl Sum {
    #[inline(always)]
    fn add(&mut self, i: usize, x: f64) {
        self.0[i % W] += x;
    }
    /// Items from a multiple of the chains on.
    fn add_all(&mut self, x: &[f64]) {
        let (blocks, rest) = x.as_chunks::<W>();
        for block in blocks {
            for j in 0..W {
                self.0[j] += block[j];
            }
        }
        rest.iter().enumerate().for_each(|(j, x)| self.0[j] += x);
    }
    fn total(self) -> f64 {
        let s = self.0;
        ((s[0] + s[4]) + (s[2] + s[6])) + ((s[1] + s[5]) + (s[3] + s[7]))
    }
}

#[derive(Clone, Copy)]
struct Totals {
    live: usize,
    weight: f64,
    loss: f64,
}

/// Bits of an item whose inputs explain results that are not finite.
const EXPLAINED: u32 = row::NAN_INPUT | row::INF_INPUT | row::INFINITE;

/// Writes a result of an item; one that does not fit, and that the inputs do not explain, is an overflow.
fn write(place: &mut Option<FloatsMut<'_>>, i: usize, x: f64, status: &mut u32) {
    if let Some(m) = place {
        if !x.is_finite() && *status & EXPLAINED == 0 {
            *status |= row::OVERFLOW;
        }
        *status |= overflow(x, m);
        m.set(i, x);
    }
}
/// [`write`] for every item: at once where the place is f64 without gaps and all is finite.
fn write_all(place: &mut Option<FloatsMut<'_>>, value: impl Fn(usize) -> f64, status: &mut [u32]) {
    if let Some(FloatsMut::F64(m)) = place
        && (m.layout().outer, m.layout().inner_stride) == (1, 1)
    {
        let to = &mut m.data_mut()[..status.len()];
        to.iter_mut().enumerate().for_each(|(i, to)| *to = value(i));
        if finite([to]) {
            return;
        }
    }
    (0..status.len()).for_each(|i| write(place, i, value(i), &mut status[i]));
}
/// `x * factor`, and x itself where it is 0, whatever the factor is.
#[inline(always)]
fn times(x: f64, factor: f64) -> f64 {
    if x == 0.0 { x } else { x * factor }
}

/// The elements of an f64 vector without gaps.
fn dense<'a>(m: &Floats<'a>) -> Option<&'a [f64]> {
    match m {
        Floats::F64(m) if m.layout().outer == 1 && m.layout().inner_stride == 1 => m.data().get(..m.rows()),
        _ => None,
    }
}

/// Score stage of a term.
fn stage(context: &Context, problem: &Problem<'_>, inputs: &Inputs<'_>, term: &Term<'_>, x: &mut [f64]) {
    let divides = problem.divides(term);
    let reference = if term.about().reads(slot::REF) { inputs.ref_scores } else { None };
    let n = x.len();
    context.rows(n, 4 * GRAIN, MatrixMut::vector(x), |first, rows, mut x| {
        if let (Some(s), false) = (dense(&inputs.scores), divides) {
            let (x, s) = (x.data_mut(), &s[first..first + rows]);
            match reference.as_ref().map(dense) {
                None => return x.copy_from_slice(s),
                Some(Some(r)) => {
                    for ((x, s), r) in x.iter_mut().zip(s).zip(&r[first..first + rows]) {
                        *x = s - r;
                    }
                    return;
                }
                Some(None) => {}
            }
        }
        for i in 0..rows {
            let s = first + i;
            let mut v = inputs.scores.get(s) - reference.map_or(0.0, |r| r.get(s));
            if divides {
                let length = inputs.lengths.map_or(0, |l| l.get(s));
                v = if length > 0 { v / length as f64 } else { 0.0 };
            }
            x.set(i, v);
        }
    });
}

/// Pairs that [`swift`] has in hand at a time.
const CHUNK: usize = 256;
/// A vector without gaps.
#[derive(Clone, Copy)]
enum Dense<'a> {
    F32(&'a [f32]),
    F64(&'a [f64]),
}
impl<'a> Dense<'a> {
    fn of(m: &Floats<'a>) -> Option<Dense<'a>> {
        fn all<'a, T: Element>(m: &Matrix<'a, T>) -> Option<&'a [T]> {
            let whole = m.layout().outer == 1 && m.layout().inner_stride == 1;
            if whole { m.data().get(..m.rows()) } else { None }
        }
        match m {
            Floats::F32(m) => all(m).map(Dense::F32),
            Floats::F64(m) => all(m).map(Dense::F64),
            _ => None,
        }
    }
    /// Puts the sequences of a side into its place, or takes them from what is there.
    fn bring(self, ways: [Way; 2], first: usize, n: usize, sides: &mut [[f64; CHUNK]; 2], minus: bool) {
        fn of<T: Copy + Into<f64>>(x: &[T], way: Way, first: usize, to: &mut [f64], minus: bool) {
            let x = &x[way.at + first * way.step..];
            match (way.step, minus) {
                (1, false) => to.iter_mut().zip(x).for_each(|(to, x)| *to = (*x).into()),
                (1, true) => to.iter_mut().zip(x).for_each(|(to, x)| *to -= (*x).into()),
                (_, false) => to.iter_mut().zip(x.iter().step_by(2)).for_each(|(to, x)| *to = (*x).into()),
                (_, true) => to.iter_mut().zip(x.iter().step_by(2)).for_each(|(to, x)| *to -= (*x).into()),
            }
        }
        for (way, to) in ways.into_iter().zip(sides) {
            match self {
                Dense::F32(x) => of(x, way, first, &mut to[..n], minus),
                Dense::F64(x) => of(x, way, first, &mut to[..n], minus),
            }
        }
    }
}
/// Where a side's sequence of pair i lies: `at + i * step`, the step 1 or 2.
#[derive(Clone, Copy)]
struct Way {
    at: usize,
    step: usize,
}
/// Writes `x` to a place, which has no gaps; whether all of it is finite there. `None` takes everything.
fn send(place: &mut Option<FloatsMut<'_>>, way: Way, first: usize, x: &[f64]) -> bool {
    /// `narrow`: the element, and whether it is finite.
    fn of<T: Copy>(to: &mut [T], way: Way, first: usize, x: &[f64], narrow: impl Fn(f64) -> (T, bool)) -> bool {
        let (to, mut all) = (&mut to[way.at + first * way.step..], true);
        let mut put = |to: &mut T, x: &f64| {
            let (y, finite) = narrow(*x);
            (*to, all) = (y, all & finite);
        };
        if way.step == 1 {
            to.iter_mut().zip(x).for_each(|(to, x)| put(to, x));
        } else {
            to.iter_mut().step_by(2).zip(x).for_each(|(to, x)| put(to, x));
        }
        all
    }
    match place {
        None => true,
        Some(FloatsMut::F64(m)) => of(m.data_mut(), way, first, x, |x| (x, x.is_finite())),
        Some(FloatsMut::F32(m)) => of(m.data_mut(), way, first, x, |x| (x as f32, (x as f32).is_finite())),
        Some(_) => false,
    }
}

/// A chunk of pairs and what an entry makes of it: scores less the reference's, values, partials.
struct SwiftCall<'a> {
    context: &'a Context,
    term: &'a Term<'a>,
    n: usize,
    x: &'a [[f64; CHUNK]; 2],
    value: &'a mut [f64; CHUNK],
    partials: &'a mut [[f64; CHUNK]; 2],
}
impl PairVisitor for SwiftCall<'_> {
    type Out = Option<()>;
    fn visit<E: PairLoss<N>, const N: usize>(mut self) -> Option<()> {
        let p = catalog::resolve_variant::<E, N>(self.term.variant, self.term.params).ok()?;
        on_isa!(self.context.isa(), s => swift_lanes::<_, E::Base, N>(s, &p, &mut self), None)
    }
}
#[inline(always)]
fn swift_lanes<S: Simd, E: PairLoss<N>, const N: usize>(s: S, p: &[f64; N], call: &mut SwiftCall<'_>) -> Option<()> {
    let zero = L64::splat(s, 0.0);
    let q = lits(zero, p);
    for at in (0..call.n).step_by(W) {
        let chosen =
            Side { logp: L64::load(s, &call.x[0], at, 0.0), ref_logp: zero, len: zero, kl: zero, margin: zero };
        let rejected = Side { logp: L64::load(s, &call.x[1], at, 0.0), ..chosen };
        let anchor = Anchor { logp: zero, ref_logp: zero };
        let y = E::eval(Pair { chosen, rejected, anchor, shift: zero }, q);
        y.value.store(call.value, at);
        y.chosen.logp.store(&mut call.partials[0], at);
        y.rejected.logp.store(&mut call.partials[1], at);
    }
    Some(())
}
/// A call over plain pairs in which nothing is to be flagged: one pass, with the bits of [`run`], without its arrays.
/// `None`: this is no such call; places may have been written then.
fn swift(context: &Context, problem: &Problem<'_>, inputs: &Inputs<'_>, out: &mut Outputs<'_>) -> Option<()> {
    let ([term], options, n) = (problem.terms(), problem.options(), problem.count()) else { return None };
    let ways = match problem.items() {
        Items::Stacked => [Way { at: 0, step: 1 }, Way { at: n, step: 1 }],
        Items::Interleaved => [Way { at: 0, step: 2 }, Way { at: 1, step: 2 }],
        _ => return None,
    };
    let (about, groups) = (term.about(), &inputs.groups);
    let own = slot::LENGTH | slot::KL | slot::ANCHOR;
    let given = groups.item_mask.is_some()
        || groups.item_weight.is_some()
        || groups.item_beta.is_some()
        || groups.margin_chosen.is_some()
        || groups.margin_rejected.is_some()
        || groups.shift.is_some();
    let wanted = out.grad_kl.is_some()
        || out.grad_margin.is_some()
        || out.grad_baseline.is_some()
        || out.grad_margin_chosen.is_some()
        || out.grad_margin_rejected.is_some()
        || out.grad_params.is_some()
        || out.aux.is_some();
    let reduced = term.reduction != Reduction::None && !options.accumulate;
    if given || wanted || !reduced || n == 0 || about.inputs & own != 0 || about.margins != [0.0; 2] {
        return None;
    }
    // a length of 0 is flagged
    let flagged = inputs.lengths.is_some() && (out.status.is_some() || out.counters.is_some());
    let marked = inputs.sequence_status.is_some() || flagged;
    if problem.divides(term) || !term.map.is_identity() || marked {
        return None;
    }
    let divisor = match term.reduction {
        _ if term.normaliser != 0.0 => term.normaliser,
        Reduction::Sum => 1.0,
        // all weights are 1
        _ => n as f64,
    };
    let scale = term.weight / divisor;
    let factor = scale * inputs.grad_scale * inputs.grad_output.map_or(1.0, |g| g.get(0));
    if scale == 0.0 || factor == 0.0 || !factor.is_finite() {
        return None;
    }
    let rewards = out.reward_chosen.is_some() || out.reward_rejected.is_some() || out.statistics.is_some();
    let info = catalog::info(term.id).expect("checked by Problem::new");
    if rewards && info.about.reward != Reward::Scaled {
        return None;
    }
    let beta = own_beta(info, term);
    let reference = match &inputs.ref_scores {
        Some(r) if about.reads(slot::REF) => Some(Dense::of(r)?),
        _ => None,
    };
    let scores = Dense::of(&inputs.scores)?;
    for place in [&out.losses, &out.reward_chosen, &out.reward_rejected, &out.grad_scores].into_iter().flatten() {
        let whole = match place {
            FloatsMut::F32(m) => (m.layout().outer, m.layout().inner_stride) == (1, 1),
            FloatsMut::F64(m) => (m.layout().outer, m.layout().inner_stride) == (1, 1),
            _ => false,
        };
        if !whole {
            return None;
        }
    }
    let item = Way { at: 0, step: 1 };
    let (mut x, mut partials, mut value) = ([[0.0; CHUNK]; 2], [[0.0; CHUNK]; 2], [0.0; CHUNK]);
    let (mut sum, mut sums, mut correct) = (Sum::default(), [Sum::default(); 2], 0);
    for first in (0..n).step_by(CHUNK) {
        let len = CHUNK.min(n - first);
        scores.bring(ways, first, len, &mut x, false);
        if let Some(reference) = reference {
            reference.bring(ways, first, len, &mut x, true);
        }
        let [a, b] = [&x[0][..len], &x[1][..len]];
        if !finite([a, b]) || about.below_zero && !a.iter().chain(b).all(|&x| x < 0.0) {
            return None;
        }
        let (x_of, value_of, partials_of) = (&x, &mut value, &mut partials);
        let call = SwiftCall { context, term, n: len, x: x_of, value: value_of, partials: partials_of };
        with_pair(term.id, call)??;
        let [ga, gb] = &mut partials;
        if !finite([&value[..len], &ga[..len], &gb[..len]]) {
            return None;
        }
        sum.add_all(&value[..len]);
        if !send(&mut out.losses, item, first, &value[..len]) {
            return None;
        }
        if out.grad_scores.is_some() {
            for (g, way) in [ga, gb].into_iter().zip(ways) {
                let g = &mut g[..len];
                g.iter_mut().for_each(|g| *g = 0.0 + factor * *g);
                if !send(&mut out.grad_scores, way, first, g) {
                    return None;
                }
            }
        }
        if rewards {
            for x in &mut x {
                x[..len].iter_mut().for_each(|x| *x = beta * (*x + 0.0));
            }
            let [c, r] = [&x[0][..len], &x[1][..len]];
            sums[0].add_all(c);
            sums[1].add_all(r);
            correct += c.iter().zip(r).map(|(c, r)| (c > r) as usize).sum::<usize>();
            if !send(&mut out.reward_chosen, item, first, c) || !send(&mut out.reward_rejected, item, first, r) {
                return None;
            }
        }
    }
    let total = sum.total();
    let loss = term.weight * (total / divisor);
    if !loss.is_finite() {
        return None;
    }
    if let Some(m) = &mut out.loss {
        if overflow(loss, m) != 0 {
            return None;
        }
        m.set(0, loss);
    }
    if let Some(to) = &mut out.statistics {
        **to = [0.0; stat::COUNT];
        for (k, x) in [(stat::ITEMS, n as f64), (stat::WEIGHT_SUM, n as f64), (stat::LOSS_SUM, total)] {
            to[k] = x;
        }
        to[stat::DIVISOR] = divisor;
        to[stat::REWARD_CHOSEN_SUM] = sums[0].total();
        to[stat::REWARD_REJECTED_SUM] = sums[1].total();
        to[stat::CORRECT] = correct as f64;
    }
    if let Some(m) = &mut out.status {
        (0..n).for_each(|i| m.set(i, 0));
    }
    if let Some(to) = &mut out.counters {
        to.fill(0);
    }
    Some(())
}
/// The factor of a term's rewards: its parameter of that name.
fn own_beta(info: &catalog::Info, term: &Term<'_>) -> f64 {
    let named = info.params.first().is_some_and(|p| p.name.starts_with("beta"));
    if named { info.params_from(term.variant, term.params).unwrap_or_default()[0] } else { 1.0 }
}

/// [`forward`] without its checks, for forms that have made them.
pub(crate) fn run(
    context: &Context,
    problem: &Problem<'_>,
    inputs: &Inputs<'_>,
    mut out: Outputs<'_>,
    scratch: &mut [u8],
) -> Result<()> {
    if swift(context, problem, inputs, &mut out).is_some() {
        return Ok(());
    }
    let (s, n, items) = (problem.sequences(), problem.count(), *problem.items());
    let kind = items.kind();
    let members = if kind == Kind::List { problem.rewards() } else { n };
    let (kls, margins) = (problem.reads(slot::KL), problem.differentiates(SECOND));
    let (anchors, maps) = (problem.differentiates(slot::ANCHOR), if problem.maps() { n } else { 0 });
    let mut out_margin = out.grad_margin.take().or(out.grad_baseline.take());
    // entries see the difference of the margins alone
    let mut of_sides = [(out.grad_margin_chosen.take(), 1.0), (out.grad_margin_rejected.take(), -1.0)];
    let by_margin = out_margin.is_some() || of_sides.iter().any(|(m, _)| m.is_some());
    let mut arena = Arena::new(scratch);
    let x = arena.take::<f64>(s)?;
    let grad = arena.take::<f64>(s)?;
    let mut partials = Partials {
        value: arena.take(n)?,
        a: arena.take(members)?,
        now: arena.take(n)?,
        b: arena.take(if kind == Kind::Pair { n } else { 0 })?,
        kl_a: arena.take(if kls { n } else { 0 })?,
        kl_b: arena.take(if kls { n } else { 0 })?,
        margin: arena.take(if margins { n } else { 0 })?,
        anchor: arena.take(if anchors { n } else { 0 })?,
        map: [arena.take(maps)?, arena.take(maps)?, arena.take(maps)?],
    };
    let grad_kl = arena.take::<f64>(if kls { s } else { 0 })?;
    let grad_margin = arena.take::<f64>(if margins { n } else { 0 })?;
    let status = arena.take::<u32>(n)?;
    status.fill(0);
    grad.fill(0.0);
    grad_kl.fill(0.0);
    grad_margin.fill(0.0);

    let unreduced = problem.terms()[0].reduction == Reduction::None;
    let mut loss = 0.0;
    let (mut empty, mut seen) = (false, 0);
    let mut statistics = [0.0; stat::COUNT];
    for (k, term) in problem.terms().iter().enumerate() {
        stage(context, problem, inputs, term, x);
        let feed = Feed { problem, inputs, x, weighs: term.about().reads(slot::WEIGHT) };
        let plain = plain(&feed, term.about());
        // partials that another term has and this one has not
        if !term.about().differentiates(slot::KL) {
            partials.kl_a.fill(0.0);
            partials.kl_b.fill(0.0);
        }
        if !term.about().differentiates(SECOND) {
            partials.margin.fill(0.0);
        }
        if !term.about().differentiates(slot::ANCHOR) {
            partials.anchor.fill(0.0);
        }
        let piece = ByItem { partials: partials.reborrow(), items, first: 0 };
        context.rows(n, GRAIN, piece, |first, _, piece| {
            let mut out = piece.partials;
            if term.map.is_identity() {
                out.map = [&mut [], &mut [], &mut []];
            }
            let params = term.params;
            let found = match kind {
                Kind::Pair => with_pair(term.id, PairCall { context, feed, term, first, out: out.reborrow() }),
                Kind::Unpaired => with_unpaired(term.id, RowCall { context, feed, params, first, out: out.reborrow() }),
                _ => with_list(term.id, ListCall { feed, params, first, out: out.reborrow() }),
            };
            debug_assert!(found.is_some_and(|r| r.is_ok()), "checked by Problem::new");
            if plain && finite([&*out.value, out.a, out.b, out.margin, out.anchor]) {
                out.now.fill(0);
            } else {
                flags(&feed, term, first, &mut out);
            }
        });
        let plain = plain && partials.now.iter().all(|&bits| bits == 0);
        let totals = reduce(&feed, &partials, plain);
        let mut divisor = match term.reduction {
            Reduction::None | Reduction::Sum => 1.0,
            Reduction::Mean => totals.live as f64,
            Reduction::WeightedMean => totals.weight,
        };
        if term.normaliser != 0.0 {
            divisor = term.normaliser;
        }
        let nothing = totals.live == 0 || divisor == 0.0;
        empty |= nothing;
        let scale = if nothing { 0.0 } else { term.weight / divisor };
        if scale != 0.0 {
            loss += term.weight * (totals.loss / divisor);
        }
        if k == 0 {
            statistics[stat::ITEMS] = totals.live as f64;
            statistics[stat::WEIGHT_SUM] = totals.weight;
            statistics[stat::LOSS_SUM] = totals.loss;
            statistics[stat::DIVISOR] = divisor;
        }
        for (all, now) in status.iter_mut().zip(&*partials.now) {
            *all |= now;
            seen |= now;
        }
        if k == 0 {
            first_outputs(&feed, term, &partials, plain, &mut out, status, &mut statistics);
        }
        if let (0, Some(to)) = (k, &mut out.grad_params) {
            (0..to.rows()).for_each(|k| to.set(k, 0.0));
            let single = inputs.grad_output.map_or(1.0, |g| if g.rows() == 1 { g.get(0) } else { 1.0 });
            let factor = |i: usize| {
                let upstream = if unreduced { each(&inputs.grad_output, i, 1.0) } else { single };
                scale * inputs.grad_scale * upstream * feed.weight(i)
            };
            let (now, mut to) = (&*partials.now, to.reborrow());
            let call = LearnedCall { feed, term, now, factor: &factor, to: &mut to };
            let found = if kind == Kind::Pair { with_pair(term.id, call) } else { None };
            debug_assert!(found.is_none_or(|r| r.is_ok()), "checked by Problem::new");
        }
        if scale != 0.0 && (out.grad_scores.is_some() || out.grad_kl.is_some() || by_margin) {
            let margins = if by_margin { &mut *grad_margin } else { &mut [] };
            scatter(&feed, term, &partials, unreduced, plain, scale, grad, grad_kl, margins);
        }
    }
    let mut beyond = !loss.is_finite() && seen & (EXPLAINED | row::OVERFLOW) == 0;
    let accumulate = problem.options().accumulate;
    if let Some(m) = &mut out.loss {
        beyond |= overflow(loss, m) != 0;
        if accumulate { m.add(0, loss) } else { m.set(0, loss) }
    }
    grad_flags(problem, inputs, [(&*grad, &out.grad_scores), (&*grad_kl, &out.grad_kl)], x, status);
    for m in out_margin.iter().chain(of_sides.iter().flat_map(|(m, _)| m)) {
        for (i, &g) in grad_margin.iter().enumerate() {
            let own = !g.is_finite() && status[i] & EXPLAINED == 0 && finite_upstream(inputs, i);
            status[i] |= if own { row::OVERFLOW } else { overflow(g, m) };
        }
    }
    narrow(grad, &mut out.grad_scores, accumulate);
    match &mut out.grad_kl {
        Some(m) if !kls && !accumulate => (0..s).for_each(|i| m.set(i, 0.0)),
        m => narrow(grad_kl, m, accumulate),
    }
    for (m, sign) in &mut of_sides {
        let Some(m) = m else { continue };
        for i in 0..n {
            let g = grad_margin.get(i).copied().unwrap_or(0.0);
            m.set(i, if g == 0.0 { 0.0 } else { *sign * g });
        }
    }
    match &mut out_margin {
        Some(m) if !margins => (0..n).for_each(|i| m.set(i, 0.0)),
        m => narrow(grad_margin, m, false),
    }
    if let Some(to) = out.statistics {
        *to = statistics;
    }
    if let Some(m) = &mut out.status {
        status.iter().enumerate().for_each(|(i, &bits)| m.set(i, bits));
    }
    if let Some(to) = out.counters {
        let counters = Counters::new();
        status.iter().for_each(|&bits| counters.add(bits));
        counters.write(Some(to));
        to[row::OVERFLOW.trailing_zeros() as usize] += beyond as i64;
        to[row::EMPTY.trailing_zeros() as usize] += empty as i64;
    }
    Ok(())
}
/// Whether the factor of the gradient that item `i` sees is finite.
fn finite_upstream(inputs: &Inputs<'_>, i: usize) -> bool {
    inputs.grad_output.is_none_or(|g| g.get(if g.rows() == 1 { 0 } else { i }).is_finite())
}
/// Adds `overflow` to the items whose sequences have a gradient that does not fit its place, unless something else
/// explains it. `mark` is scratch, an element a sequence.
fn grad_flags(
    problem: &Problem<'_>,
    inputs: &Inputs<'_>,
    grads: [(&[f64], &Option<FloatsMut<'_>>); 2],
    mark: &mut [f64],
    status: &mut [u32],
) {
    let reads = if problem.reads(slot::ANCHOR) { slot::ANCHOR } else { 0 };
    for (grad, place) in grads {
        let Some(m) = place else { continue };
        let limit = if m.dtype() == truing_core::Dtype::F32 { f32::MAX as f64 } else { f64::MAX };
        if grad.iter().all(|g| g.abs() <= limit) {
            continue;
        }
        mark.fill(0.0);
        for (i, _) in status.iter().enumerate().filter(|(_, bits)| *bits & EXPLAINED != 0) {
            sequences(problem, reads, i, |s| mark[s] = 1.0);
        }
        for (i, bits) in status.iter_mut().enumerate() {
            if !inputs.groups.live(i) || each(&inputs.groups.item_weight, i, 1.0) == 0.0 {
                continue;
            }
            let own = finite_upstream(inputs, i);
            sequences(problem, reads, i, |s| {
                if overflow(grad[s], m) != 0 || (own && !grad[s].is_finite() && mark[s] == 0.0) {
                    *bits |= row::OVERFLOW;
                }
            });
        }
    }
}
fn narrow(from: &[f64], to: &mut Option<FloatsMut<'_>>, accumulate: bool) {
    match to {
        Some(m) if accumulate => from.iter().enumerate().for_each(|(i, &x)| m.add(i, x)),
        Some(FloatsMut::F64(m)) if m.layout().outer == 1 && m.layout().inner_stride == 1 => {
            m.data_mut()[..from.len()].copy_from_slice(from);
        }
        Some(m) => from.iter().enumerate().for_each(|(i, &x)| m.set(i, x)),
        None => {}
    }
}
fn reduce(feed: &Feed<'_>, partials: &Partials<'_>, plain: bool) -> Totals {
    if plain {
        let mut loss = Sum::default();
        loss.add_all(partials.value);
        let live = partials.value.len();
        return Totals { live, weight: live as f64, loss: loss.total() };
    }
    let (mut live, mut weight, mut loss) = (0, Sum::default(), Sum::default());
    let skip = feed.problem.options().skip_flagged;
    for (i, (&value, &now)) in partials.value.iter().zip(&*partials.now).enumerate() {
        if now & row::IGNORED != 0 || (skip && now & !KEPT != 0) {
            continue;
        }
        let w = feed.weight(i);
        live += 1;
        weight.add(i, w);
        loss.add(i, if w == 0.0 { 0.0 } else { w * value });
    }
    Totals { live, weight: weight.total(), loss: loss.total() }
}

/// Losses, rewards and their figures: of the first term.
fn first_outputs(
    feed: &Feed<'_>,
    term: &Term<'_>,
    partials: &Partials<'_>,
    plain: bool,
    out: &mut Outputs<'_>,
    status: &mut [u32],
    statistics: &mut [f64; stat::COUNT],
) {
    let rewards = out.reward_chosen.is_some() || out.reward_rejected.is_some();
    if !rewards && out.losses.is_none() && out.statistics.is_none() && out.aux.is_none() {
        return;
    }
    let (problem, inputs, n) = (feed.problem, feed.inputs, partials.value.len());
    let info = catalog::info(term.id).expect("checked by Problem::new");
    let named = info.params.first().is_some_and(|p| p.name.starts_with("beta"));
    let params = info.params_from(term.variant, term.params).unwrap_or_default();
    let own = own_beta(info, term);
    let (reads_kl, reads_beta) = (info.about.reads(slot::KL), named && info.about.reads(slot::BETA));
    let skip = problem.options().skip_flagged;
    let (mut sums, mut correct) = ([Sum::default(); 2], 0);
    let betas = reads_beta && inputs.groups.item_beta.is_some();
    if plain && !betas && !reads_kl && info.about.reward == Reward::Scaled && out.aux.is_none() {
        // what the loop below does, without its questions
        let reward = |i: usize, side: usize| {
            let (chosen, rejected) = problem.items().pair(i, problem.sequences());
            own * (feed.x[if side == 0 { chosen } else { rejected }] + 0.0)
        };
        write_all(&mut out.losses, |i| partials.value[i], status);
        write_all(&mut out.reward_chosen, |i| reward(i, 0), status);
        write_all(&mut out.reward_rejected, |i| reward(i, 1), status);
        for i in 0..n {
            let (c, r) = (reward(i, 0), reward(i, 1));
            sums[0].add(i, c);
            sums[1].add(i, r);
            correct += (c > r) as usize;
        }
        statistics[stat::REWARD_CHOSEN_SUM] = sums[0].total();
        statistics[stat::REWARD_REJECTED_SUM] = sums[1].total();
        statistics[stat::CORRECT] = correct as f64;
        return;
    }
    for i in 0..n {
        let status = &mut status[i];
        write(&mut out.losses, i, partials.value[i], status);
        write(&mut out.aux, i, -partials.a.get(i).copied().unwrap_or(0.0) / own, status);
        let beta = if reads_beta { each(&inputs.groups.item_beta, i, own) } else { own };
        let on = feed.evaluated(i);
        let counted = on && !(skip && partials.now[i] & !KEPT != 0);
        let reward = |s: usize| {
            let kl = if reads_kl { feed.kl(s) } else { 0.0 };
            if on { beta * (feed.x[s] + kl) } else { 0.0 }
        };
        match problem.items() {
            Items::Rows => {
                let r = reward(i);
                write(&mut out.reward_chosen, i, r, status);
                if counted {
                    let desirable = inputs.groups.label.is_none_or(|l| l.desirable(i));
                    sums[1 - desirable as usize].add(i, r);
                }
            }
            items @ Items::Lists { .. } => {
                for m in items.offset(i)..items.offset(i + 1) {
                    let r = if on { reward(items.member(m)) } else { 0.0 };
                    write(&mut out.reward_chosen, m, r, status);
                    if counted {
                        sums[0].add(m, r);
                    }
                }
            }
            items => {
                let (mut c, mut r) = (0.0, 0.0);
                if on {
                    let (chosen, rejected) = items.pair(i, problem.sequences());
                    (c, r) = (reward(chosen), reward(rejected));
                    if info.about.reward == Reward::Objective {
                        let g = &inputs.groups;
                        c = (c - each(&g.margin_chosen, i, 0.0)) / params[1];
                        r = (r - each(&g.margin_rejected, i, 0.0)) / params[1];
                    }
                }
                write(&mut out.reward_chosen, i, c, status);
                write(&mut out.reward_rejected, i, r, status);
                if counted {
                    sums[0].add(i, c);
                    sums[1].add(i, r);
                    correct += (c > r) as usize;
                }
            }
        }
    }
    statistics[stat::REWARD_CHOSEN_SUM] = sums[0].total();
    statistics[stat::REWARD_REJECTED_SUM] = sums[1].total();
    statistics[stat::CORRECT] = correct as f64;
}

/// Adds a term's partials to the sequences, in item order.
#[allow(clippy::too_many_arguments)]
fn scatter(
    feed: &Feed<'_>,
    term: &Term<'_>,
    partials: &Partials<'_>,
    unreduced: bool,
    plain: bool,
    scale: f64,
    grad: &mut [f64],
    grad_kl: &mut [f64],
    grad_margin: &mut [f64],
) {
    let (problem, inputs) = (feed.problem, feed.inputs);
    let (skip, divides, s) = (problem.options().skip_flagged, problem.divides(term), problem.sequences());
    let kl = term.about().differentiates(slot::KL);
    let margin = !grad_margin.is_empty() && term.about().differentiates(SECOND);
    let anchor = term.about().differentiates(slot::ANCHOR);
    let one = scale * inputs.grad_scale;
    let single = inputs.grad_output.map_or(1.0, |g| if g.rows() == 1 { g.get(0) } else { 1.0 });
    // d score / d sum of the mean that the score stage formed
    let chain = |g: f64, s: usize| match divides {
        true if feed.length(s) > 0.0 => g / feed.length(s),
        true => 0.0,
        false => g,
    };
    let c = one * single;
    if plain
        && !unreduced
        && !divides
        && !kl
        && !margin
        && !anchor
        && c != 0.0
        && c.is_finite()
        && matches!(problem.items(), Items::Stacked)
    {
        // what the loop below does, without its questions
        let (chosen, rejected) = grad.split_at_mut(s / 2);
        for (grad, partial) in [(chosen, &*partials.a), (rejected, &*partials.b)] {
            grad.iter_mut().zip(partial).for_each(|(g, x)| *g += c * x);
        }
        return;
    }
    for i in 0..partials.value.len() {
        let now = partials.now[i];
        if now & row::IGNORED != 0 || (skip && now & !KEPT != 0) {
            continue;
        }
        let upstream = if unreduced { each(&inputs.grad_output, i, 1.0) } else { single };
        let weight = feed.weight(i);
        let c = one * upstream * weight;
        if c == 0.0 || weight == 0.0 {
            continue;
        }
        match problem.items() {
            Items::Rows => {
                grad[i] += chain(times(partials.a[i], c), i);
                if margin {
                    grad_margin[i] += times(partials.margin[i], c);
                }
            }
            items @ Items::Lists { .. } => {
                for m in items.offset(i)..items.offset(i + 1) {
                    let s = items.member(m);
                    grad[s] += chain(times(partials.a[m], c), s);
                }
            }
            items => {
                let (chosen, rejected) = items.pair(i, s);
                grad[chosen] += chain(times(partials.a[i], c), chosen);
                grad[rejected] += chain(times(partials.b[i], c), rejected);
                if let (true, Some(e)) = (anchor, items.anchor(i, s)) {
                    grad[e] += chain(times(partials.anchor[i], c), e);
                }
                if kl {
                    grad_kl[chosen] += times(partials.kl_a[i], c);
                    grad_kl[rejected] += times(partials.kl_b[i], c);
                }
                if margin {
                    grad_margin[i] += times(partials.margin[i], c);
                }
            }
        }
    }
}
