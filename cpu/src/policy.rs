//! Policy losses over f32 lanes and threads. See [`truing_core::policy`].
//!
//! A sequence belongs to one task and is worked off in tiles of `TILE` tokens: read, entry, estimator, figures, write.
//! Its sums go to the workspace, sixteen f64 chains by position joined by a fixed tree; the sums of all sequences are
//! then added in order on the calling thread. Neither threads nor instruction sets change a bit.
use crate::lanes::{L32, Sixteen};
use crate::linear_preference::copy;
use crate::on_lanes;
use crate::parallel::Context;
use crate::sequence::{Counters, Cut, check_space, grain, overflow};
use core::marker::PhantomData;
use core::ops::Range;
use truing_core::Result;
use truing_core::catalog::{
    self, EstimatorVisitor, Kind, ListVisitor, Score, SequenceVisitor, TokenVisitor, lits, slot, with_estimator,
    with_list, with_sequence, with_token,
};
use truing_core::error::row;
use truing_core::losses::{
    Estimate, KlEstimator, ListLoss, MapOut, Member, Reduction, Sequence, SequenceLoss, SequenceOut, Token, TokenLoss,
};
use truing_core::matrix::Workspace;
use truing_core::matrix::{Arena, Floats, FloatsMut, Layout, Mask, Matrix, MatrixMut, Split};
use truing_core::policy::{
    Advantage, Aggregate, CountEmpty, Denominator, Each, Estimator, EstimatorWeight, Inputs, KlStage, Mode, Outputs,
    Problem, RatioSource, Ratios, TokenOutputs, Weighted, clamped, clip_bounds, stat, weighted,
};
use truing_core::real::Real;

/// Lanes of f32.
const W: usize = 16;
/// Tokens of a tile.
const TILE: usize = 256;
/// Tokens that are worth a task.
const GRAIN: usize = 4096;
/// f64 sums of a sequence.
const SUMS: usize = 18;
const MAIN: usize = 0;
const KL: usize = 1;
const CLIP: usize = 2; // low, high, dual
const RATIO: usize = 5;
const LEAST: usize = 6;
const MOST: usize = 7;
const K1: usize = 8;
const K3: usize = 9;
const VALUE: usize = 10; // of the loss, times its weights
const TERM: usize = 11; // of the KL, times its weights
const ENTROPY: usize = 12;
const BONUS: usize = 13;
const WEIGHT: usize = 14;
const WEIGHT_SQ: usize = 15;
const KEPT: usize = 16;

/// Scratch memory of a call: 156 bytes a sequence, 208 with a list entry; with further terms 12 bytes a token and 8 a
/// sequence more.
pub fn workspace(_: &Context, problem: &Problem<'_>) -> Workspace {
    let (n, b) = (problem.tokens(), problem.sequences());
    let counts = Arena::need::<u32>(b);
    let mut bytes = Arena::sum([Arena::need::<f64>(b.saturating_mul(SUMS)), counts, counts, counts]);
    if problem.groups() > 0 {
        let f = Arena::need::<f64>(b);
        bytes = Arena::sum([bytes, f, f, f, f, f, f, counts]);
    }
    if !problem.options().terms.is_empty() {
        let each = Arena::need::<u32>(n);
        bytes = Arena::sum([bytes, each, each, each, counts, counts]);
    }
    Workspace { minimum: bytes, preferred: bytes }
}

type Column = [f32; TILE];
type Marks = [bool; TILE];
/// Tokens of one sequence. Dead tokens and the end hold 0 everywhere.
struct Tile {
    n: usize,
    /// Some token in front of the rounded-up end is dead or missing.
    holes: bool,
    /// There is no `old`: the ratio is 1.
    detached: bool,
    /// The entry reads `topk_entropy`.
    topk: bool,
    live: Marks,
    /// Tokens of the loss, the KL term, the entropy bonus: live ones that are not dropped.
    on: Marks,
    kl_on: Marks,
    bonus_on: Marks,
    logp: Column,
    old: Column,
    reference: Column,
    /// For the KL term alone.
    kl_reference: Column,
    sampler: Column,
    advantage: Column,
    entropy: Column,
    topk_entropy: Column,
    flag: Column,
    value: Column,
    grad: Column,
    kl: Column,
    kl_grad: Column,
    kl_shared: Column,
    x: Column,
    ratio: Column,
    k3: Column,
    /// Runs of 16 tokens: how many are live, where not all are.
    runs: [u8; TILE / W],
    full: bool,
    /// Weights of the loss, 1 without.
    weight: [f64; TILE],
    /// Importance weights, 1 without.
    importance: [f64; TILE],
    /// Values and partials of a sequence entry that is evaluated for each token.
    own: [[f64; 2]; TILE],
    /// c_t and c'_t of a sequence entry; anything where a token is dead.
    mapped: [[f64; TILE]; 2],
    /// The gradient as it is written.
    written: Column,
}
impl Tile {
    fn new() -> Tile {
        let (c, m, one) = ([0.0; TILE], [false; TILE], [1.0; TILE]);
        Tile {
            n: 0,
            holes: false,
            detached: false,
            topk: false,
            live: m,
            on: m,
            kl_on: m,
            bonus_on: m,
            logp: c,
            old: c,
            reference: c,
            kl_reference: c,
            sampler: c,
            advantage: c,
            entropy: c,
            topk_entropy: c,
            flag: c,
            value: c,
            grad: c,
            kl: c,
            kl_grad: c,
            kl_shared: c,
            x: c,
            ratio: c,
            k3: c,
            runs: [0; TILE / W],
            full: false,
            weight: one,
            importance: one,
            own: [[0.0; 2]; TILE],
            mapped: [[0.0; TILE]; 2],
            written: c,
        }
    }
    /// The entropy that the entry reads.
    #[inline(always)]
    fn entropy(&self) -> &Column {
        if self.topk { &self.topk_entropy } else { &self.entropy }
    }
    /// Tokens, rounded up to full vectors.
    #[inline(always)]
    fn padded(&self) -> usize {
        self.n.next_multiple_of(W)
    }
}

/// Neighbouring elements as a slice, where they are neighbours.
pub(crate) fn dense<'a, T: truing_core::dtype::Element>(m: &Matrix<'a, T>, start: usize, n: usize) -> Option<&'a [T]> {
    let l = m.layout();
    let one = l.inner_stride == 1 && (l.outer == 1 || (n > 0 && start / l.inner == (start + n - 1) / l.inner));
    if one { m.data().get(l.offset(start)..l.offset(start) + n) } else { None }
}
/// `runs`: how many tokens of each run of 16 are live; `full`: all of the `n`.
fn read(m: &Floats<'_>, start: usize, live: &Marks, (runs, full): (&[u8; TILE / W], bool), n: usize, to: &mut Column) {
    if let Floats::F32(m) = m
        && let Some(from) = dense(m, start, n)
    {
        if full {
            to[..n].copy_from_slice(from);
        } else {
            // A masked token is not read, not even to be dropped: its page may not exist. Masks have long runs, which are
            // copied as arrays: a copy of any length is a call.
            let (whole, rest) = from.as_chunks::<W>();
            let (places, last) = to.split_at_mut(whole.len() * W);
            let (marks, live) = live.split_at(whole.len() * W);
            let some = |to: &mut [f32], from: &[f32], live: &[bool]| {
                for ((to, x), &live) in to.iter_mut().zip(from).zip(live) {
                    *to = if live { *x } else { 0.0 };
                }
            };
            let marks = marks.as_chunks::<W>().0;
            for (((to, from), live), run) in places.as_chunks_mut::<W>().0.iter_mut().zip(whole).zip(marks).zip(runs) {
                match *run as usize {
                    0 => *to = [0.0; W],
                    W => *to = *from,
                    _ => some(to, from, live),
                }
            }
            some(last, rest, live);
        }
    } else {
        for t in 0..n {
            to[t] = if live[t] {
                match m {
                    Floats::F32(m) => m.get(start + t),
                    Floats::Bf16(m) => m.get(start + t).to_f32(),
                    Floats::F16(m) => m.get(start + t).to_f32(),
                    Floats::F64(m) => m.get(start + t) as f32,
                }
            } else {
                0.0
            };
        }
    }
    to[n..n.next_multiple_of(W)].fill(0.0);
}
/// 0 where nothing is marked.
#[inline(always)]
fn clear(marks: &Marks, x: &mut Column, n: usize) {
    for (x, marks) in x[..n].as_chunks_mut::<W>().0.iter_mut().zip(marks.as_chunks::<W>().0) {
        if *marks != [true; W] {
            for j in 0..W {
                x[j] = if marks[j] { x[j] } else { 0.0 };
            }
        }
    }
}
/// Live tokens of a range.
pub(crate) fn count(mask: &Option<Mask<'_>>, range: Range<usize>) -> usize {
    match mask {
        None => range.len(),
        Some(Mask::U8(m)) => match dense(m, range.start, range.len()) {
            // bytes that add up in bytes
            Some(m) => m.chunks(255).map(|m| m.iter().map(|&x| (x != 0) as u8).sum::<u8>() as usize).sum(),
            None => range.filter(|&i| m.get(i) != 0).count(),
        },
        Some(m) => range.filter(|&i| m.live(i)).count(),
    }
}

/// What is read besides `logp`.
#[derive(Clone, Copy)]
struct Reads {
    old: bool,
    reference: bool,
    /// By the KL term, where that is not `reference` and `old`.
    kl_reference: bool,
    sampler: bool,
    advantage: bool,
    entropy: bool,
    topk_entropy: bool,
    flag: bool,
}
/// What drops tokens and weighs them.
#[derive(Clone, Copy)]
struct Stages {
    /// Some live token may be dropped from the loss, the KL term or the bonus.
    drops: bool,
    /// The KL term and the bonus leave rejected tokens out, as the denominator of the loss does.
    shrinks: bool,
    /// The loss has weights; so has the KL term.
    weighs: bool,
    kl_weighs: bool,
    /// The importance weight goes into the entry itself.
    inside: bool,
}
/// How sums become means: the weight of a token but for L_b, and whether L_b divides.
#[derive(Clone, Copy)]
struct Mean {
    base: f64,
    by_length: bool,
    denominator: f64,
    nothing: bool,
}
impl Mean {
    /// Of `tokens` tokens in `nonempty` of `all` sequences, whose weights add up to `weights`.
    fn of(a: &Aggregate, tokens: u64, nonempty: u64, all: usize, weights: f64) -> Mean {
        let rows = if a.count_empty == Some(CountEmpty::Nonempty) { nonempty } else { all as u64 } as f64;
        let own = match a.mode {
            Mode::WeightedMean if a.denominator == Denominator::Weights => weights,
            Mode::TokenMean | Mode::WeightedMean => tokens as f64,
            Mode::TokenSum | Mode::None => 1.0,
            Mode::SeqMeanTokenSumNorm => rows * a.max_length,
            Mode::SeqMeanTokenMean | Mode::SeqMeanTokenSum | Mode::SeqMean => rows,
        };
        let denominator = if a.normaliser != 0.0 { a.normaliser } else { own };
        let nothing = tokens == 0 || denominator == 0.0;
        let by_length = matches!(a.mode, Mode::SeqMeanTokenMean | Mode::SeqMean);
        Mean { base: if nothing { 0.0 } else { 1.0 / denominator }, by_length, denominator, nothing }
    }
    /// Weight of a token of a sequence with so many.
    #[inline(always)]
    fn weight(&self, length: u32) -> f64 {
        if self.by_length { self.base / length.max(1) as f64 } else { self.base }
    }
}
/// What a task reads.
#[derive(Clone, Copy)]
struct Call<'a> {
    context: &'a Context,
    problem: &'a Problem<'a>,
    inputs: &'a Inputs<'a>,
    /// Live tokens of each sequence; those that its means divide by.
    counts: &'a [u32],
    lengths: &'a [u32],
    bonus_lengths: &'a [u32],
    mean: Mean,
    /// Of the entropy bonus, with its coefficient.
    bonus: Option<(f64, Mean)>,
    stages: Stages,
    estimator: Option<Estimator>,
    bounds: Option<[f64; 4]>,
    reads: Reads,
    /// A token entry with or without a KL estimate and nothing else: which tokens are on matters where there are holes only.
    elementwise: bool,
    /// What a sequence entry reads of a token is in the tile as it was given.
    exact: bool,
    /// Factor of the gradient.
    factor: f64,
    /// A further one for each value of the loss.
    upstream: Option<Floats<'a>>,
    statistics: bool,
    counters: &'a Counters,
}
impl Call<'_> {
    /// Weight of a token of sequence `b`.
    #[inline(always)]
    fn weight(&self, b: usize) -> f64 {
        self.mean.weight(self.lengths[b])
    }
    fn fill(&self, b: usize, tokens: Range<usize>, tile: &mut Tile) {
        let n = tokens.len();
        (tile.n, tile.holes, tile.detached) = (n, !n.is_multiple_of(W), self.inputs.old.is_none());
        tile.live[n..n.next_multiple_of(W)].fill(false);
        let mut full = true;
        match &self.inputs.mask {
            None => tile.live[..n].fill(true),
            Some(m) => {
                let bytes = match m {
                    Mask::U8(m) => dense(m, tokens.start, n),
                    _ => None,
                };
                match bytes {
                    Some(m) => tile.live.iter_mut().zip(m).for_each(|(to, &x)| *to = x != 0),
                    None => (0..n).for_each(|t| tile.live[t] = m.live(tokens.start + t)),
                }
                for (run, live) in tile.runs.iter_mut().zip(tile.live[..n.next_multiple_of(W)].as_chunks::<W>().0) {
                    *run = live.iter().map(|&x| x as u8).sum();
                }
                full = tile.runs[..n.div_ceil(W)].iter().map(|&x| x as usize).sum::<usize>() == n;
                tile.holes |= !full;
            }
        }
        let start = tokens.start;
        tile.full = full;
        let runs = (&tile.runs, full);
        read(&self.inputs.logps, start, &tile.live, runs, n, &mut tile.logp);
        match &self.inputs.old {
            Some(old) => read(old, start, &tile.live, runs, n, &mut tile.old),
            None => tile.old = tile.logp,
        }
        if let Some(r) = &self.inputs.reference {
            read(r, start, &tile.live, runs, n, &mut tile.reference);
        }
        match &self.inputs.advantage {
            Some(Advantage::Token(a)) => read(a, start, &tile.live, runs, n, &mut tile.advantage),
            Some(Advantage::Sequence(a)) => {
                let a = a.get(b) as f32;
                for t in 0..tile.padded() {
                    tile.advantage[t] = if tile.live[t] { a } else { 0.0 };
                }
            }
            None => {}
        }
        if let Some(how) = &self.estimator {
            if let Some(r) = &self.inputs.kl_reference {
                read(r, start, &tile.live, runs, n, &mut tile.kl_reference);
            }
            if let Some(r) = &self.inputs.sampler
                && how.ratio_source == RatioSource::Sampler
            {
                read(r, start, &tile.live, runs, n, &mut tile.sampler);
            }
        }
        if let Some(h) = &self.inputs.entropy {
            read(h, start, &tile.live, runs, n, &mut tile.entropy);
        }
        if let (Some(h), true) = (&self.inputs.topk_entropy, self.reads.topk_entropy) {
            tile.topk = true;
            read(h, start, &tile.live, runs, n, &mut tile.topk_entropy);
        }
        if self.reads.flag {
            tile.flag.fill(1.0);
        }
        if let (Some(flag), true) = (&self.inputs.flag, self.reads.flag) {
            for t in 0..n {
                let set = match flag {
                    Each::Token(m) => tile.live[t] && m.get(start + t) != 0,
                    Each::Sequence(m) => m.get(b) != 0,
                };
                tile.flag[t] = set as u32 as f32;
            }
        }
        if self.stages.drops {
            let i = self.inputs;
            for t in 0..n {
                let on = tile.live[t];
                let entropy = on && i.entropy_mask.is_none_or(|m| m.get(start + t) != 0);
                let kept = on && i.kept(b, start + t);
                let kl = on && i.kl_mask.is_none_or(|m| m.get(start + t) != 0);
                tile.on[t] = kept && entropy;
                tile.kl_on[t] = kl && (kept || !self.stages.shrinks);
                tile.bonus_on[t] = entropy && (kept || !self.stages.shrinks);
            }
            for marks in [&mut tile.on, &mut tile.kl_on, &mut tile.bonus_on] {
                marks[n..].fill(false);
            }
        } else if tile.holes
            || self.stages.weighs
            || self.bonus.is_some()
            || !self.elementwise
            || self.inputs.kl.is_some()
        {
            (tile.on, tile.kl_on, tile.bonus_on) = (tile.live, tile.live, tile.live);
        }
        if let Some(w) = &self.inputs.importance {
            for t in 0..n {
                tile.importance[t] = match w {
                    _ if !tile.live[t] => 0.0,
                    Each::Token(m) => m.get(start + t),
                    Each::Sequence(m) => m.get(b),
                };
            }
        }
        if self.stages.weighs {
            for t in 0..n {
                let w = self.inputs.token_weights.map_or(1.0, |m| if tile.on[t] { m.get(start + t) } else { 0.0 });
                let factor = if self.stages.inside { 1.0 } else { tile.importance[t] };
                tile.weight[t] = if tile.on[t] { w * factor } else { 0.0 };
            }
        }
    }
}

/// Sixteen chains by position, joined by a fixed tree.
type Chains = [f64; W];
fn join(mut s: Chains) -> f64 {
    for half in [8, 4, 2, 1] {
        for i in 0..half {
            s[i] += s[i + half];
        }
    }
    s[0]
}
#[inline(always)]
fn add(chains: &mut Chains, x: &Column, n: usize) {
    for block in x[..n].as_chunks::<W>().0 {
        for j in 0..W {
            chains[j] += block[j] as f64;
        }
    }
}

/// logp - old; 0 for an infinite logp that is its own `old`.
#[inline(always)]
fn log_ratio<R: Real>(logp: R, old: R, detached: bool) -> R {
    let x = logp - old;
    if detached { logp.lit(f64::INFINITY).select_le(logp.abs(), logp.lit(0.0), x) } else { x }
}
#[inline(always)]
fn token_lanes<S: Sixteen, E: TokenLoss<N>, const N: usize>(s: S, p: &[f64; N], tile: &mut Tile) {
    let zero = L32::splat(s, 0.0);
    let p = lits(zero, p);
    for at in (0..tile.padded()).step_by(W) {
        let (logp, old) = (L32::load(s, &tile.logp, at, 0.0), L32::load(s, &tile.old, at, 0.0));
        let x = Token {
            logp,
            log_ratio: log_ratio(logp, old, tile.detached),
            old,
            ref_logp: L32::load(s, &tile.reference, at, 0.0),
            sampler: zero,
            advantage: finite_only(L32::load(s, &tile.advantage, at, 0.0)),
            entropy: L32::load(s, tile.entropy(), at, 0.0),
            flag: L32::load(s, &tile.flag, at, 0.0),
            importance: zero,
        };
        let y = E::eval(x, p);
        y.value.store(&mut tile.value, at);
        y.logp.store(&mut tile.grad, at);
    }
}
fn token_scalar<E: TokenLoss<N>, const N: usize>(p: &[f64; N], tile: &mut Tile) {
    let p = lits(0.0f32, p);
    for i in 0..tile.padded() {
        let (logp, old) = (tile.logp[i], tile.old[i]);
        let x = Token {
            logp,
            log_ratio: log_ratio(logp, old, tile.detached),
            old,
            ref_logp: tile.reference[i],
            sampler: 0.0,
            advantage: finite_only(tile.advantage[i]),
            entropy: tile.entropy()[i],
            flag: tile.flag[i],
            importance: 0.0,
        };
        let y = E::eval(x, p);
        (tile.value[i], tile.grad[i]) = (y.value, y.logp);
    }
}
/// NaN for infinities: a non-finite advantage makes the token NaN.
#[inline(always)]
fn finite_only<R: Real>(x: R) -> R {
    x.abs().select_lt(x.lit(f64::INFINITY), x, x - x)
}

/// `shared`: the log of the sequence's ratio, where there is one.
#[inline(always)]
fn kl_one<R: Real, E: KlEstimator<N>, const N: usize>(
    x: Estimate<R>,
    kl: &Kl<'_>,
    shared: R,
    p: [R; N],
) -> Weighted<R> {
    const K3_ID: u32 = <truing_core::losses::K3 as catalog::Entry<0>>::ABOUT.id;
    if kl.plain {
        // what the stage around it gives
        let y = E::eval(x, p);
        return Weighted { value: y.value, logp: y.logp, shared: x.logp.lit(0.0) };
    }
    let (how, z) = (kl.how, x.ref_logp - x.logp);
    let own = log_ratio(x.logp, x.old, kl.detached);
    let at = Ratios { x: if kl.shared.is_some() { shared } else { own }, z, apart: x.ref_logp - x.old };
    // beyond the clamp the estimate is that of a policy at the clamp
    let inner = clamped(z, how);
    let seen = match how.input_clamp {
        Some((a, _)) => {
            let far = |at: R, own: R| z.lit(a).select_lt(z.abs(), at, own);
            Estimate { logp: far(-inner, x.logp), ref_logp: far(z.lit(0.0), x.ref_logp), ..x }
        }
        None => x,
    };
    weighted(E::eval(seen, p), E::ABOUT.id == K3_ID, at, how)
}
#[inline(always)]
fn kl_lanes<S: Sixteen, E: KlEstimator<N>, const N: usize>(s: S, kl: &Kl<'_>, tile: &mut Tile) {
    let zero = L32::splat(s, 0.0);
    let p = lits(zero, &[0.0; N]);
    for at in (0..tile.padded()).step_by(W) {
        let x = Estimate {
            logp: L32::load(s, &tile.logp, at, 0.0),
            ref_logp: L32::load(s, kl.reference(tile), at, 0.0),
            old: L32::load(s, kl.old(tile), at, 0.0),
        };
        let shared = L32::splat(s, kl.shared.unwrap_or(0.0));
        let y = kl_one::<_, E, N>(x, kl, shared, p);
        y.value.store(&mut tile.kl, at);
        y.logp.store(&mut tile.kl_grad, at);
        if kl.shared.is_some() {
            y.shared.store(&mut tile.kl_shared, at);
        }
    }
}
fn kl_scalar<E: KlEstimator<N>, const N: usize>(kl: &Kl<'_>, tile: &mut Tile) {
    for i in 0..tile.padded() {
        let x = Estimate { logp: tile.logp[i], ref_logp: kl.reference(tile)[i], old: kl.old(tile)[i] };
        let y = kl_one::<_, E, N>(x, kl, kl.shared.unwrap_or(0.0), [0.0; N]);
        (tile.kl[i], tile.kl_grad[i]) = (y.value, y.logp);
        if kl.shared.is_some() {
            tile.kl_shared[i] = y.shared;
        }
    }
}
/// What the estimates of a sequence share.
#[derive(Clone, Copy)]
struct Kl<'a> {
    context: &'a Context,
    how: &'a Estimator,
    /// The estimate as it is, without weight, clamps and another gradient.
    plain: bool,
    detached: bool,
    /// There is a reference of its own.
    apart: bool,
    /// Log of the sequence's ratio, for the weight `ratio_sequence`.
    shared: Option<f32>,
}
struct KlTile<'a, 'b>(&'a Kl<'b>, &'a mut Tile);
impl EstimatorVisitor for KlTile<'_, '_> {
    type Out = ();
    fn visit<E: KlEstimator<N>, const N: usize>(self) {
        let (kl, tile) = (self.0, self.1);
        on_lanes!(kl.context.isa(), s => kl_lanes::<_, E, N>(s, kl, tile), kl_scalar::<E, N>(kl, tile));
    }
}
impl Kl<'_> {
    /// What the policy is compared with.
    #[inline(always)]
    fn reference<'t>(&self, tile: &'t Tile) -> &'t Column {
        if self.apart { &tile.kl_reference } else { &tile.reference }
    }
    /// What the ratio is against.
    #[inline(always)]
    fn old<'t>(&self, tile: &'t Tile) -> &'t Column {
        if self.how.ratio_source == RatioSource::Sampler { &tile.sampler } else { &tile.old }
    }
    fn eval(&self, tile: &mut Tile) {
        with_estimator(self.how.id, KlTile(self, tile));
    }
}

/// x, e^x and e^x - 1 - x of every token.
#[inline(always)]
fn ratio_lanes<S: Sixteen>(s: S, tile: &mut Tile) {
    for at in (0..tile.padded()).step_by(W) {
        let x = log_ratio(L32::load(s, &tile.logp, at, 0.0), L32::load(s, &tile.old, at, 0.0), tile.detached);
        x.store(&mut tile.x, at);
        x.exp().store(&mut tile.ratio, at);
        x.exp_rem().store(&mut tile.k3, at);
    }
}
fn ratio_scalar(tile: &mut Tile) {
    for i in 0..tile.padded() {
        let x = log_ratio(tile.logp[i], tile.old[i], tile.detached);
        // the library's exponential, not the platform's
        (tile.x[i], tile.ratio[i], tile.k3[i]) = (x, Real::exp(x), x.exp_rem());
    }
}

/// Chains of one sequence.
#[derive(Clone, Copy)]
struct Acc {
    main: Chains,
    kl: Chains,
    ratio: Chains,
    k1: Chains,
    k3: Chains,
    entropy: Chains,
    bonus: Chains,
    /// Loss and KL term times their weights; importance weights and their squares; values of a sequence entry that is
    /// evaluated for each token, without and with weights.
    weighted: Chains,
    kl_weighted: Chains,
    importance: [f64; 2],
    own: [f64; 2],
    kept: u32,
    clip: [f64; 3],
    least: f32,
    most: f32,
    status: u32,
}
impl Acc {
    fn new() -> Acc {
        let c = [0.0; W];
        Acc {
            main: c,
            kl: c,
            ratio: c,
            k1: c,
            k3: c,
            entropy: c,
            bonus: c,
            weighted: c,
            kl_weighted: c,
            importance: [0.0; 2],
            own: [0.0; 2],
            kept: 0,
            clip: [0.0; 3],
            least: f32::INFINITY,
            most: f32::NEG_INFINITY,
            status: 0,
        }
    }
}
/// x - x is 0 for a finite x and NaN for any other.
#[inline(always)]
fn spoil<const K: usize>(sum: &mut [f32; W], xs: [&Column; K], n: usize) {
    for block in 0..(n / W).min(TILE / W) {
        let mut own = [0.0; W];
        for x in xs {
            let x = &x.as_chunks::<W>().0[block];
            for j in 0..W {
                own[j] += x[j] - x[j];
            }
        }
        for j in 0..W {
            sum[j] += own[j];
        }
    }
}
/// Adds values up; says whether everything that is read or follows from it is finite.
#[inline(always)]
fn sums(call: &Call<'_>, tile: &mut Tile, kl: bool, acc: &mut Acc) -> bool {
    let (n, reads) = (tile.padded(), call.reads);
    if tile.holes || call.stages.drops {
        for x in [&mut tile.value, &mut tile.grad] {
            clear(&tile.on, x, n);
        }
        for x in [&mut tile.kl, &mut tile.kl_grad] {
            clear(&tile.kl_on, x, n);
        }
    }
    add(&mut acc.main, &tile.value, n);
    let mut spoiled = [0.0; W];
    // all together, a column once more in the place of one that is not read; an advantage that is not finite makes the value
    // NaN
    let of = |read: bool, x| if read { x } else { &tile.logp };
    let usual = [&tile.logp, &tile.value, &tile.grad, of(reads.old, &tile.old), of(reads.reference, &tile.reference)];
    match kl {
        true => {
            let [a, b, c, d, e] = usual;
            spoil(&mut spoiled, [a, b, c, d, e, &tile.kl, &tile.kl_grad], n);
        }
        false => spoil(&mut spoiled, usual, n),
    }
    for (read, x) in [
        (reads.kl_reference, &tile.kl_reference),
        (reads.sampler, &tile.sampler),
        (reads.entropy, &tile.entropy),
        (reads.topk_entropy, &tile.topk_entropy),
    ] {
        if read {
            spoil(&mut spoiled, [x], n);
        }
    }
    if kl {
        add(&mut acc.kl, &tile.kl, n);
    }
    if call.stages.drops && reads.advantage {
        // the value of a dropped token does not tell
        spoil(&mut spoiled, [&tile.advantage], n);
    }
    if call.bonus.is_some() {
        for t in 0..n {
            acc.bonus[t % W] += if tile.bonus_on[t] { tile.entropy[t] as f64 } else { 0.0 };
        }
    }
    if call.stages.weighs {
        for t in 0..tile.n {
            acc.weighted[t % W] += weighed(tile.value[t] as f64, tile.weight[t]);
        }
    }
    if kl && call.stages.kl_weighs {
        for t in 0..tile.n {
            acc.kl_weighted[t % W] += weighed(tile.kl[t] as f64, tile.importance[t]);
        }
    }
    spoiled == [0.0; W]
}
#[inline(always)]
fn figures(call: &Call<'_>, tile: &mut Tile, bounds: &Option<[f32; 4]>, acc: &mut Acc) {
    let n = tile.padded();
    if call.inputs.entropy.is_some() {
        add(&mut acc.entropy, &tile.entropy, n);
    }
    if call.inputs.importance.is_some() {
        for t in 0..tile.n {
            let w = tile.importance[t];
            acc.importance[0] += w;
            acc.importance[1] += w * w;
        }
    }
    clear(&tile.live, &mut tile.ratio, n);
    clear(&tile.live, &mut tile.k3, n);
    add(&mut acc.ratio, &tile.ratio, n);
    add(&mut acc.k3, &tile.k3, n);
    // without bounds nothing is beyond them
    let [low, high, roof, dual] = bounds.unwrap_or([f32::NEG_INFINITY, f32::INFINITY, f32::INFINITY, f32::INFINITY]);
    let (mut least, mut most) = ([f32::INFINITY; W], [f32::NEG_INFINITY; W]);
    let mut clip = [[0u32; W]; 3];
    let (x, a, live) =
        (tile.x[..n].as_chunks::<W>().0, tile.advantage[..n].as_chunks::<W>().0, tile.live[..n].as_chunks::<W>().0);
    for ((x, a), live) in x.iter().zip(a).zip(live) {
        for j in 0..W {
            let (x, a, on) = (x[j], a[j], live[j]);
            acc.k1[j] -= x as f64;
            least[j] = if on && x < least[j] { x } else { least[j] };
            most[j] = if on && x > most[j] { x } else { most[j] };
            clip[0][j] += (on && a < 0.0 && x < low) as u32;
            clip[1][j] += (on && a > 0.0 && x > high) as u32;
            clip[2][j] += (on && a < 0.0 && (if x < roof { x } else { roof }) > dual) as u32;
        }
    }
    for j in 0..W {
        acc.least = if least[j] < acc.least { least[j] } else { acc.least };
        acc.most = if most[j] > acc.most { most[j] } else { acc.most };
        for k in 0..3 {
            acc.clip[k] += clip[k][j] as f64;
        }
    }
}
/// `x * factor`, and x itself where it is 0, whatever the factor is.
#[inline(always)]
fn times(x: f64, factor: f64) -> f64 {
    if x == 0.0 { x } else { x * factor }
}
/// `x * weight`; what has the weight 0 is selected away, whatever it is.
#[inline(always)]
fn weighed(x: f64, weight: f64) -> f64 {
    if weight == 0.0 && !x.is_finite() { 0.0 } else { times(x, weight) }
}
/// The gradient of a token before the factor; `kl_coef`: that of the KL term, if it is there.
#[inline(always)]
fn unscaled(call: &Call<'_>, tile: &Tile, t: usize, kl_coef: Option<f64>, shared: f64) -> f64 {
    let g = if call.stages.weighs { weighed(tile.grad[t] as f64, tile.weight[t]) } else { tile.grad[t] as f64 };
    let k = match kl_coef {
        Some(coef) => coef * kl_grad(call, tile, t, shared),
        None if tile.live[t] => shared,
        None => 0.0,
    };
    g + k
}
/// The gradient, rounded once. Dead tokens hold 0 in front of the factor and keep it. `kl`: with the KL term. `shared`: what
/// the ratio of the sequence adds to the estimate's gradient at each live token.
#[inline(always)]
fn scale_grad(call: &Call<'_>, tile: &mut Tile, start: usize, kl: bool, shared: f64, scale: f64) -> bool {
    let n = tile.padded();
    let coef = call.estimator.map_or(0.0, |k| k.coef);
    let kl_coef = kl.then_some(coef);
    if let Some(upstream) = &call.upstream {
        for t in 0..n {
            // an element of a masked token is not read
            let g = if tile.live[t] {
                times(times(unscaled(call, tile, t, kl_coef, shared), upstream.get(start + t)), scale)
            } else {
                0.0
            };
            tile.written[t] = g as f32;
        }
    } else if call.stages.weighs || (kl && call.stages.kl_weighs) || shared != 0.0 {
        for t in 0..n {
            tile.written[t] = times(unscaled(call, tile, t, kl_coef, shared), scale) as f32;
        }
    } else {
        let (grad, kl_grad, to) = (&tile.grad[..n], &tile.kl_grad[..n], &mut tile.written[..n]);
        if kl {
            for ((to, &g), &k) in to.iter_mut().zip(grad).zip(kl_grad) {
                *to = times(g as f64 + coef * k as f64, scale) as f32;
            }
        } else {
            for (to, &g) in to.iter_mut().zip(grad) {
                *to = times(g as f64, scale) as f32;
            }
        }
    }
    let mut spoiled = [0.0; W];
    spoil(&mut spoiled, [&tile.written], n);
    spoiled == [0.0; W]
}
/// The gradient of a sequence entry, rounded once: `chain` times c'_t, or where the entry is evaluated for each token what
/// that gave. `kl` and `shared`: see [`scale_grad`].
#[inline(always)]
fn sequence_grad(call: &Call<'_>, tile: &mut Tile, each: bool, chain: f64, kl: bool, shared: f64, scale: f64) -> bool {
    let n = tile.padded();
    let coef = call.estimator.map_or(0.0, |k| k.coef);
    if each || (kl && call.stages.kl_weighs) {
        for t in 0..n {
            let k = if kl { coef * kl_grad(call, tile, t, shared) } else { 0.0 };
            let g = match each {
                true if call.stages.weighs => weighed(tile.own[t][1], tile.weight[t]),
                true => tile.own[t][1],
                false => chained(chain, tile.mapped[1][t]),
            };
            tile.written[t] = if tile.live[t] { times(g + k, scale) as f32 } else { 0.0 };
        }
    } else if kl {
        for t in 0..n {
            let g = chained(chain, tile.mapped[1][t]) + coef * (tile.kl_grad[t] as f64 + shared);
            tile.written[t] = if tile.live[t] { times(g, scale) as f32 } else { 0.0 };
        }
    } else {
        for t in 0..n {
            let g = chained(chain, tile.mapped[1][t]) + 0.0;
            tile.written[t] = if tile.live[t] { times(g, scale) as f32 } else { 0.0 };
        }
    }
    if scale == 0.0 {
        tile.written.fill(0.0);
    }
    let mut spoiled = [0.0; W];
    spoil(&mut spoiled, [&tile.written], n);
    spoiled == [0.0; W]
}
/// A chain of 0 is 0, whatever it multiplies.
#[inline(always)]
fn chained(chain: f64, slope: f64) -> f64 {
    if chain == 0.0 { chain } else { chain * slope }
}
/// Gradient of the KL term of token `t`, without coefficient.
#[inline(always)]
fn kl_grad(call: &Call<'_>, tile: &Tile, t: usize, shared: f64) -> f64 {
    let k = tile.kl_grad[t] as f64;
    let k = if call.stages.kl_weighs { weighed(k, tile.importance[t]) } else { k };
    if tile.live[t] { k + shared } else { k }
}
/// Bits of token `i` of the tile that starts at `start`, a live one of sequence `b`. `own`: where its written gradient is
/// not finite, that comes from the token itself.
fn classify(call: &Call<'_>, tile: &Tile, b: usize, start: usize, i: usize, own: bool) -> u32 {
    let reads = call.reads;
    // as it is stored: a finite one may be beyond f32
    let advantage = match &call.inputs.advantage {
        Some(Advantage::Sequence(a)) if reads.advantage => a.get(b),
        Some(Advantage::Token(a)) if reads.advantage => a.get(start + i),
        _ => 0.0,
    };
    let read = |reads: bool, x: &Column| if reads { x[i] } else { 0.0 };
    let inputs = [
        tile.logp[i],
        read(reads.old, &tile.old),
        read(reads.reference, &tile.reference),
        read(reads.kl_reference, &tile.kl_reference),
        read(reads.sampler, &tile.sampler),
        read(reads.entropy, &tile.entropy),
        read(reads.topk_entropy, &tile.topk_entropy),
        read(call.inputs.kl.is_some(), &tile.kl),
    ];
    let undefined = reads.old && log_ratio(tile.logp[i], tile.old[i], tile.detached).is_nan();
    let outputs = [tile.value[i], tile.grad[i], tile.kl[i], tile.kl_grad[i]];
    if advantage.is_nan() || inputs.iter().any(|x| x.is_nan()) {
        row::NAN_INPUT
    } else if advantage.is_infinite() || undefined || outputs.iter().any(|x| x.is_nan()) {
        row::INF_INPUT
    } else if inputs.iter().any(|x| x.is_infinite()) {
        row::INFINITE
    } else if outputs.iter().any(|x| x.is_infinite()) || (own && !tile.written[i].is_finite()) {
        row::OVERFLOW
    } else {
        0
    }
}

/// Elements from `start` on of a vector, as a slice where they are neighbours.
fn dense_mut<'a>(m: &'a mut MatrixMut<'_, f32>, layout: Layout, start: usize, n: usize) -> Option<&'a mut [f32]> {
    if layout.outer == 1 && layout.inner_stride == 1 { m.data_mut().get_mut(start..start + n) } else { None }
}

/// Outputs of a task.
struct Piece<'a> {
    tokens: Cut<'a, TokenOutputs<'a>>,
    sums: MatrixMut<'a, f64>,
    values: Option<FloatsMut<'a>>,
    grad_log_z: Option<MatrixMut<'a, f32>>,
    status: Option<MatrixMut<'a, u32>>,
}
impl Split for Piece<'_> {
    fn split(self, row: usize) -> (Self, Self) {
        let (ta, tb) = self.tokens.split(row);
        let (sa, sb) = self.sums.split(row);
        let (va, vb) = self.values.split(row);
        let (za, zb) = self.grad_log_z.split(row);
        let (ua, ub) = self.status.split(row);
        (
            Piece { tokens: ta, sums: sa, values: va, grad_log_z: za, status: ua },
            Piece { tokens: tb, sums: sb, values: vb, grad_log_z: zb, status: ub },
        )
    }
}

/// What evaluates the loss: of a tile, or of a whole sequence.
enum Main<'a> {
    Tile(&'a (dyn Fn(&mut Tile) + Sync)),
    Sequence(&'a dyn SequenceEntry),
}
/// A sequence entry with its constants.
trait SequenceEntry {
    /// It is evaluated for each token.
    fn each(&self) -> bool;
    /// What it says of sequence `b`, by way of a tile.
    fn whole(&self, call: &Call<'_>, b: usize, tile: &mut Tile) -> Whole;
    /// c_t and c'_t of the tokens of a tile that starts at `start`, into its `mapped`.
    fn map(&self, call: &Call<'_>, b: usize, start: usize, advantage: f64, tile: &mut Tile);
    /// The sequence function.
    fn eval(&self, x: Sequence<f64>) -> SequenceOut<f64>;
}
struct OfSequence<E, const N: usize>([f64; N], PhantomData<E>);
impl<E: SequenceLoss<N>, const N: usize> OfSequence<E, N> {
    fn token(&self, call: &Call<'_>, b: usize, i: usize, advantage: f64) -> MapOut<f64> {
        let inputs = call.inputs;
        let (logp, detached) = (inputs.logps.get(i), inputs.old.is_none());
        let old = inputs.old.map_or(logp, |m| m.get(i));
        let x = Token {
            logp,
            log_ratio: log_ratio(logp, old, detached),
            old,
            ref_logp: inputs.reference.map_or(0.0, |m| m.get(i)),
            sampler: 0.0,
            advantage,
            entropy: 0.0,
            flag: 0.0,
            importance: match inputs.importance {
                Some(Each::Token(m)) if call.stages.inside => m.get(i),
                Some(Each::Sequence(m)) if call.stages.inside => m.get(b),
                _ => 1.0,
            },
        };
        E::map(x, self.0)
    }
    /// The maps of a tile's tokens from its columns.
    #[inline(always)]
    fn columns(&self, advantage: f64, tile: &mut Tile) {
        let [values, slopes] = &mut tile.mapped;
        for t in 0..tile.n {
            let [logp, old, ref_logp] = [&tile.logp, &tile.old, &tile.reference].map(|x| x[t] as f64);
            let log_ratio = log_ratio(logp, old, tile.detached);
            let (sampler, entropy, flag, importance) = (0.0, 0.0, 0.0, 1.0);
            let x = Token { logp, log_ratio, old, ref_logp, sampler, advantage, entropy, flag, importance };
            let y = E::map(x, self.0);
            (values[t], slopes[t]) = (y.value, y.logp);
        }
    }
    /// The reduced map of a sequence and the sum of its log ratios.
    fn reduce(&self, call: &Call<'_>, b: usize, advantage: f64, tile: &mut Tile) -> [f64; 2] {
        let (mut c, mut ratio) = (0.0, 0.0);
        let (inputs, all) = (call.inputs, call.problem.segments().range(b));
        for start in all.clone().step_by(TILE) {
            call.fill(b, start..all.end.min(start + TILE), tile);
            self.map(call, b, start, advantage, tile);
            for t in 0..tile.n {
                c = if tile.live[t] { c + tile.mapped[0][t] } else { c };
            }
            if let (Some(old), true) = (&inputs.old, E::ABOUT.reads(slot::LOG_Z)) {
                for t in (0..tile.n).filter(|&t| tile.live[t]) {
                    ratio += inputs.logps.get(start + t) - old.get(start + t);
                }
            }
        }
        [if E::REDUCTION == Reduction::Mean { c / (call.counts[b] as f64).max(1.0) } else { c }, ratio]
    }
    /// dC/dc_t of sequence `b`, the same for all its tokens.
    fn inner(&self, call: &Call<'_>, b: usize) -> f64 {
        if E::REDUCTION == Reduction::Mean { 1.0 / (call.counts[b] as f64).max(1.0) } else { 1.0 }
    }
}
impl<E: SequenceLoss<N>, const N: usize> SequenceEntry for OfSequence<E, N> {
    fn each(&self) -> bool {
        E::EACH
    }
    fn whole(&self, call: &Call<'_>, b: usize, tile: &mut Tile) -> Whole {
        let advantage = advantage(call, b);
        let log_z = call.inputs.log_z.map_or(0.0, |m| m.get(b));
        let mut w = Whole { advantage, log_z, ..Whole::default() };
        if call.counts[b] > 0 {
            let [c, log_ratio] = self.reduce(call, b, advantage, tile);
            w.c = c;
            if !E::EACH {
                let len = call.counts[b] as f64;
                let y = self.eval(Sequence { c, logp: 0.0, log_ratio, len, advantage, flag: 0.0, log_z });
                (w.value, w.slope, w.grad_log_z) = (y.value, y.slope * self.inner(call, b), y.log_z);
            }
        }
        w
    }
    fn map(&self, call: &Call<'_>, b: usize, start: usize, advantage: f64, tile: &mut Tile) {
        if call.exact && !call.stages.inside {
            let isa = call.context.isa();
            return on_lanes!(isa, s => { let _ = s; self.columns(advantage, tile) }, self.columns(advantage, tile));
        }
        for t in (0..tile.n).filter(|&t| tile.live[t]) {
            let y = self.token(call, b, start + t, advantage);
            (tile.mapped[0][t], tile.mapped[1][t]) = (y.value, y.logp);
        }
    }
    fn eval(&self, x: Sequence<f64>) -> SequenceOut<f64> {
        E::eval(x, self.0)
    }
}
/// A list entry: targets, shares of the value and partials of all sequences. The value of a group is its first member's.
struct OfLists<'a> {
    targets: &'a [f64],
    values: &'a [f64],
    slopes: &'a [f64],
}
impl SequenceEntry for OfLists<'_> {
    fn each(&self) -> bool {
        false
    }
    fn whole(&self, _: &Call<'_>, b: usize, _: &mut Tile) -> Whole {
        Whole { advantage: self.targets[b], value: self.values[b], slope: self.slopes[b], ..Whole::default() }
    }
    fn map(&self, _: &Call<'_>, _: usize, _: usize, _: f64, tile: &mut Tile) {
        tile.mapped[1].fill(1.0);
    }
    fn eval(&self, _: Sequence<f64>) -> SequenceOut<f64> {
        unreachable!("it is evaluated once a group")
    }
}
/// What a sequence entry says of one sequence.
#[derive(Default)]
struct Whole {
    advantage: f64,
    log_z: f64,
    c: f64,
    /// Value, F'(C) dC/dc_t, partial with respect to log_z; 0 for an entry that is evaluated for each token.
    value: f64,
    slope: f64,
    grad_log_z: f64,
}

struct TokenRun<'a> {
    call: Call<'a>,
    piece: Piece<'a>,
}
impl TokenVisitor for TokenRun<'_> {
    type Out = Result<()>;
    fn visit<E: TokenLoss<N>, const N: usize>(self) -> Result<()> {
        let options = self.call.problem.options();
        let p = catalog::resolve_variant::<E, N>(options.variant, options.params)?;
        let isa = self.call.context.isa();
        let eval =
            |tile: &mut Tile| on_lanes!(isa, s => token_lanes::<_, E, N>(s, &p, tile), token_scalar::<E, N>(&p, tile));
        sequences(&self.call, self.piece, &Main::Tile(&eval));
        Ok(())
    }
}
struct SequenceRun<'a> {
    call: Call<'a>,
    piece: Piece<'a>,
}
impl SequenceVisitor for SequenceRun<'_> {
    type Out = Result<()>;
    fn visit<E: SequenceLoss<N>, const N: usize>(self) -> Result<()> {
        let options = self.call.problem.options();
        let p = catalog::resolve_variant::<E, N>(options.variant, options.params)?;
        sequences(&self.call, self.piece, &Main::Sequence(&OfSequence::<E, N>(p, PhantomData)));
        Ok(())
    }
}

/// A list entry on all groups, on the calling thread.
struct ListRun<'a, 'b, 'c> {
    call: &'a Call<'b>,
    /// Scores of the policy and of the reference, partials of the members of a group.
    members: [&'a mut [f64]; 3],
    /// Which sequences they are.
    at: &'a mut [u32],
    /// As in [`OfLists`].
    targets: &'a mut [f64],
    values: &'a mut [f64],
    slopes: &'a mut [f64],
    out: Option<FloatsMut<'c>>,
}
impl ListVisitor for ListRun<'_, '_, '_> {
    type Out = Result<()>;
    fn visit<E: ListLoss<N>, const N: usize>(self) -> Result<()> {
        let ListRun { call, members: [scores, refs, grads], at, targets, values, slopes, mut out } = self;
        let (problem, inputs) = (call.problem, call.inputs);
        let p = catalog::resolve::<E, N>(problem.options().params)?;
        let groups = problem.options().groups.expect("checked by Problem::new");
        let mean = E::ABOUT.scores == Score::Mean.bit();
        for x in [&mut *targets, &mut *values, &mut *slopes] {
            x.fill(0.0);
        }
        for g in 0..problem.groups() {
            let mut n = 0;
            for b in groups.get(g) as usize..groups.get(g + 1) as usize {
                if call.counts[b] == 0 || inputs.sequence_keep.is_some_and(|m| m.get(b) == 0) {
                    continue;
                }
                let (mut own, mut other) = (0.0, 0.0);
                for i in problem.segments().range(b).filter(|&i| inputs.live(i)) {
                    own += inputs.logps.get(i);
                    other += inputs.old.map_or(0.0, |m| m.get(i));
                }
                let len = if mean { call.counts[b] as f64 } else { 1.0 };
                (scores[n], at[n], targets[b]) = (own / len, b as u32, advantage(call, b));
                refs[n] = if inputs.old.is_some() { other / len } else { scores[n] };
                if inputs.old.is_none() && own.is_infinite() && E::ABOUT.reads(slot::REF) {
                    (scores[n], refs[n]) = (0.0, 0.0); // it is its own reference
                }
                n += 1;
            }
            let mut value = 0.0;
            if n > 0 {
                let member = |k: usize| Member {
                    logp: scores[k],
                    ref_logp: if E::ABOUT.reads(slot::REF) { refs[k] } else { 0.0 },
                    len: call.counts[at[k] as usize] as f64,
                    target: targets[at[k] as usize],
                };
                value = E::eval(member, p, &mut grads[..n]);
                let nan = |x: &[f64]| x[..n].iter().any(|x| x.is_nan());
                let missing = at[..n].iter().any(|&b| targets[b as usize].is_nan());
                let given = nan(scores) || missing || (E::ABOUT.reads(slot::REF) && nan(refs));
                // one NaN makes all of the group NaN
                let spoiled = given || value.is_nan() || nan(grads);
                value = if spoiled { f64::NAN } else { value };
                let factor = call.upstream.map_or(1.0, |u| u.get(g));
                values[at[0] as usize] = value;
                for k in 0..n {
                    let b = at[k] as usize;
                    let len = if mean { call.counts[b] as f64 } else { 1.0 };
                    targets[b] = if given { f64::NAN } else { targets[b] };
                    slopes[b] = if spoiled { f64::NAN } else { times(grads[k] / len, factor) };
                }
            }
            if let Some(m) = &mut out {
                m.set(g, value);
            }
        }
        Ok(())
    }
}

/// Log of the ratio of sequence `b` for the weight `ratio_sequence`, and the sum of what its derivative multiplies, over
/// the number of live tokens.
fn shared_ratio(call: &Call<'_>, b: usize, tile: &mut Tile, mut kl: Kl<'_>) -> [f64; 2] {
    let tokens = call.problem.segments().range(b);
    let len = call.counts[b].max(1) as f64;
    let own = call.problem.info().kind == Kind::Estimator;
    let mut x = [0.0; W];
    for at in (0..tokens.len()).step_by(TILE) {
        let n = TILE.min(tokens.len() - at);
        call.fill(b, tokens.start + at..tokens.start + at + n, tile);
        for t in (0..n).filter(|&t| tile.live[t]) {
            x[t % W] += log_ratio(tile.logp[t] as f64, kl.old(tile)[t] as f64, kl.detached);
        }
    }
    let mean = join(x) / len;
    kl.shared = Some(mean as f32);
    let mut sum = [0.0; W];
    for at in (0..tokens.len()).step_by(TILE) {
        let n = TILE.min(tokens.len() - at);
        call.fill(b, tokens.start + at..tokens.start + at + n, tile);
        kl.eval(tile);
        for t in 0..n {
            let v = tile.kl_shared[t] as f64;
            sum[t % W] += match own {
                true if !tile.on[t] => 0.0,
                true if call.stages.weighs => weighed(v, tile.weight[t]),
                false if !tile.kl_on[t] => 0.0,
                false if call.stages.kl_weighs => weighed(v, tile.importance[t]),
                _ => v,
            };
        }
    }
    [mean, join(sum) / len]
}

/// All sequences of a task.
fn sequences(call: &Call<'_>, mut piece: Piece<'_>, main: &Main<'_>) {
    let segments = *call.problem.segments();
    let first = piece.tokens.first;
    let mut tile = Tile::new();
    let layout = piece.tokens.out.grad_logps.as_ref().map(|m| m.layout());
    let isa = call.context.isa();
    let factor = call.factor;
    let coef = call.estimator.map_or(0.0, |k| k.coef);
    let info = call.problem.info();
    let own = info.kind == Kind::Estimator;
    // a value that counts once, not for each of its tokens
    let once =
        info.kind == Kind::List || (info.kind == Kind::Sequence && call.problem.options().aggregate.mode == Mode::None);
    // sequence entries clip the ratio of the sequence, but for the one whose map clips
    let by_token = matches!(main, Main::Tile(_)) || info.about.id == truing_core::losses::GMPO_ID;
    let token_bounds = if by_token { call.bounds.map(|b| b.map(|x| x as f32)) } else { None };
    for b in first..first + piece.sums.rows() {
        let tokens = segments.range(b);
        let base = tokens.start - segments.start(first);
        let mut acc = Acc::new();
        acc.kept = if call.stages.drops { 0 } else { call.counts[b] };
        let mut scale = if factor == 0.0 { 0.0 } else { times(call.weight(b), factor) };
        if let (Some(u), Kind::Sequence) = (&call.upstream, info.kind) {
            scale = if call.counts[b] > 0 { times(scale, u.get(b)) } else { 0.0 };
        }
        let mut whole = match main {
            Main::Sequence(entry) => Some(entry.whole(call, b, &mut tile)),
            Main::Tile(_) => None,
        };
        let (mut shared, mut estimates) = (0.0, None);
        if let Some(how) = &call.estimator {
            let detached = match how.ratio_source {
                RatioSource::Old => call.inputs.old.is_none(),
                RatioSource::Sampler => false,
            };
            let apart = call.inputs.kl_reference.is_some();
            let alone = Estimator {
                coef: how.coef,
                stage: how.stage,
                ratio_source: how.ratio_source,
                ..Estimator::new(how.id)
            };
            let mut kl = Kl { context: call.context, how, plain: *how == alone, detached, apart, shared: None };
            if how.weight == EstimatorWeight::RatioSequence {
                let [x, sum] = shared_ratio(call, b, &mut tile, kl);
                (kl.shared, shared) = (Some(x as f32), sum);
            }
            estimates = Some(kl);
        }
        // the weights of the tokens for which the value of the sequence stands
        let mut weights = call.counts[b] as f64;
        if once {
            weights = (call.counts[b] > 0) as u8 as f64;
            if matches!(main, Main::Sequence(e) if e.each()) {
                scale /= call.counts[b].max(1) as f64;
            }
        } else if matches!(main, Main::Sequence(e) if !e.each()) && (call.stages.weighs || call.stages.drops) {
            weights = 0.0;
            for at in (0..tokens.len()).step_by(TILE) {
                let n = TILE.min(tokens.len() - at);
                call.fill(b, tokens.start + at..tokens.start + at + n, &mut tile);
                for t in (0..n).filter(|&t| tile.on[t]) {
                    weights += if call.stages.weighs { tile.weight[t] } else { 1.0 };
                }
            }
        }
        for at in (0..tokens.len()).step_by(TILE) {
            let n = TILE.min(tokens.len() - at);
            let start = tokens.start + at;
            call.fill(b, start..start + n, &mut tile);
            if let Main::Tile(eval) = main {
                eval(&mut tile);
            } else {
                tile.value.fill(0.0);
                tile.grad.fill(0.0);
            }
            if let Some(given) = &call.inputs.kl {
                read(given, start, &tile.live, (&tile.runs, tile.full), n, &mut tile.kl);
            } else if let Some(kl) = &estimates {
                kl.eval(&mut tile);
            }
            if own {
                (tile.value, tile.grad) = (tile.kl, tile.kl_grad);
            }
            let kl = call.estimator.is_some() && !own;
            let plain = on_lanes!(isa, s => { let _ = s; sums(call, &mut tile, kl || own, &mut acc) }, sums(call, &mut tile, kl || own, &mut acc));
            if call.stages.drops {
                acc.kept += tile.on[..n].iter().map(|&x| x as u32).sum::<u32>();
            }
            let mut broken = !plain;
            if let (Some(w), Main::Sequence(entry)) = (&whole, main) {
                broken |= !(w.value.is_finite() && w.slope.is_finite()) || (entry.each() && !w.c.is_finite());
                if entry.each() {
                    broken |= !each(call, *entry, w, b, start, &mut tile, &mut acc);
                }
            }
            if call.statistics {
                on_lanes!(isa, s => ratio_lanes(s, &mut tile), ratio_scalar(&mut tile));
                on_lanes!(isa, s => { let _ = s; figures(call, &mut tile, &token_bounds, &mut acc) }, figures(call, &mut tile, &token_bounds, &mut acc));
            }
            let out = &mut piece.tokens.out;
            if let (Some(m), Some(layout)) = (&mut out.grad_logps, layout) {
                let shared = if own || (kl && coef != 0.0) { shared } else { 0.0 };
                if let (Some(w), Main::Sequence(entry)) = (&whole, main) {
                    // the value stands for each of its tokens, so its derivative counts as often
                    let chain = if weights == 0.0 { 0.0 } else { w.slope * weights };
                    if !entry.each() {
                        entry.map(call, b, start, w.advantage, &mut tile);
                    }
                    let (with, each) = (kl && coef != 0.0, entry.each());
                    broken |= !on_lanes!(isa, s => { let _ = s; sequence_grad(call, &mut tile, each, chain, with, shared, scale) }, sequence_grad(call, &mut tile, each, chain, with, shared, scale));
                } else if scale == 0.0 {
                    tile.written.fill(0.0);
                } else {
                    let with = kl && coef != 0.0;
                    broken |= !on_lanes!(isa, s => { let _ = s; scale_grad(call, &mut tile, start, with, shared, scale) }, scale_grad(call, &mut tile, start, with, shared, scale));
                }
                match dense_mut(m, layout, base + at, n) {
                    Some(to) => to.copy_from_slice(&tile.written[..n]),
                    None => (0..n).for_each(|t| m.set(base + at + t, tile.written[t])),
                }
            }
            if let (Some(m), None) = (&mut out.values, &whole) {
                (0..n).for_each(|t| m.set(base + at + t, tile.value[t] as f64));
            }
            if let Some(m) = &mut out.kl {
                (0..n).for_each(|t| m.set(base + at + t, tile.kl[t]));
            }
            if let Some(m) = &mut out.grad_kl {
                for t in 0..n {
                    let k = if call.stages.kl_weighs { times(coef, tile.importance[t]) } else { coef };
                    // of a sequence or a list it is in the scale
                    let upstream = match (&call.upstream, main) {
                        (Some(u), Main::Tile(_)) if tile.kl_on[t] => u.get(start + t),
                        _ => 1.0,
                    };
                    let g = if tile.kl_on[t] && scale != 0.0 { times(times(k, upstream), scale) as f32 } else { 0.0 };
                    broken |= !g.is_finite();
                    m.set(base + at + t, g);
                }
            }
            if let (Some(m), Some((coef, mean))) = (&mut out.grad_entropy, call.bonus) {
                let g = times(mean.weight(call.bonus_lengths[b]), -coef * factor) as f32;
                (0..n).for_each(|t| m.set(base + at + t, if tile.bonus_on[t] { g } else { 0.0 }));
            }
            // neither the factor nor another token of the sequence is to blame
            let blame = call.factor.is_finite()
                && (info.kind != Kind::Sequence || scale.is_finite())
                && whole.as_ref().is_none_or(|w| w.slope.is_finite());
            let token_blame = |t: usize| match (&call.upstream, main) {
                (Some(u), Main::Tile(_)) => u.get(start + t).is_finite(),
                _ => true,
            };
            // without either the tokens have no bits to report
            if broken || out.status.is_some() {
                for t in 0..n {
                    let status = match tile.live[t] {
                        false => row::IGNORED,
                        true if broken => classify(call, &tile, b, start, t, blame && token_blame(t)),
                        true => 0,
                    };
                    acc.status |= status & !row::IGNORED;
                    call.counters.add(status & !row::IGNORED);
                    if let Some(m) = &mut out.status {
                        m.set(base + at + t, status);
                    }
                }
            }
        }
        call.counters.ignore(tokens.len() - call.counts[b] as usize);
        let of_tokens = acc.status;
        if let (Some(w), Main::Sequence(entry)) = (&mut whole, main)
            && call.counts[b] > 0
        {
            if entry.each() {
                w.value = acc.own[0] / acc.kept.max(1) as f64;
            }
            // the tokens may all be finite and their reduced value still not be
            let undefined = row::NAN_INPUT | row::INF_INPUT;
            let each = entry.each();
            if w.value.is_nan() || w.slope.is_nan() || (each && w.c.is_nan()) {
                if acc.status & undefined == 0 {
                    let given = w.advantage.is_nan() || w.log_z.is_nan();
                    acc.status |= if given { row::NAN_INPUT } else { row::INF_INPUT };
                }
            } else if (w.value.is_infinite() || w.slope.is_infinite()) && acc.status & (undefined | row::INFINITE) == 0
            {
                acc.status |= row::OVERFLOW;
            }
        }
        if call.counts[b] == 0 {
            acc.status |= row::EMPTY;
        }
        let local = b - first;
        let sums = piece.sums.row_mut(local);
        sums.fill(0.0);
        let weight = call.weight(b);
        sums[MAIN] = match &whole {
            Some(w) => w.value,
            None => join(acc.main),
        };
        (sums[KL], sums[ENTROPY]) = (join(acc.kl), join(acc.entropy));
        sums[TERM] = if call.stages.kl_weighs { join(acc.kl_weighted) } else { sums[KL] };
        sums[VALUE] = match (&whole, main) {
            (Some(_), Main::Sequence(entry)) if entry.each() => times(acc.own[1], weight),
            // a sequence's value stands for each of its tokens
            (Some(w), _) if w.value != 0.0 && weights != 0.0 => w.value * (weight * weights),
            (Some(_), _) => 0.0,
            (None, _) => times(if call.stages.weighs { join(acc.weighted) } else { sums[MAIN] }, weight),
        };
        if let Some((_, mean)) = call.bonus {
            sums[BONUS] = times(join(acc.bonus), mean.weight(call.bonus_lengths[b]));
        }
        ([sums[WEIGHT], sums[WEIGHT_SQ]], sums[KEPT]) = (acc.importance, acc.kept as f64);
        sums[CLIP..CLIP + 3].copy_from_slice(&acc.clip);
        if let (Some(w), Some([low, high, roof, dual]), false) = (&whole, call.bounds, by_token) {
            let (a, c) = (w.advantage, w.c);
            let f = |x: bool| x as u32 as f64;
            let live = call.counts[b] > 0;
            sums[CLIP] = f(live && a < 0.0 && c < low);
            sums[CLIP + 1] = f(live && a > 0.0 && c > high);
            sums[CLIP + 2] = f(live && a < 0.0 && c.min(roof) > dual);
        }
        (sums[RATIO], sums[K1], sums[K3]) = (join(acc.ratio), join(acc.k1), join(acc.k3));
        (sums[LEAST], sums[MOST]) = (acc.least as f64, acc.most as f64);
        if let (Some(m), Some(w)) = (&mut piece.values, &whole) {
            acc.status |= overflow(w.value, m);
            m.set(local, w.value);
        }
        if let (Some(m), Some(w)) = (&mut piece.grad_log_z, &whole) {
            let g = if w.grad_log_z == 0.0 || weights == 0.0 { 0.0 } else { w.grad_log_z * weights };
            let g = times(g, scale);
            acc.status |= if g.is_finite() && !(g as f32).is_finite() { row::OVERFLOW } else { 0 };
            m.set(local, g as f32);
        }
        call.counters.add(acc.status & !of_tokens);
        if let Some(m) = &mut piece.status {
            m.set(local, acc.status);
        }
    }
}
/// An entry that is evaluated for each token, on a tile; says whether all that follows is finite.
fn each(
    call: &Call<'_>,
    entry: &dyn SequenceEntry,
    w: &Whole,
    b: usize,
    start: usize,
    tile: &mut Tile,
    acc: &mut Acc,
) -> bool {
    let mut plain = true;
    for t in 0..tile.n {
        tile.own[t] = [0.0; 2];
        if tile.on[t] {
            let advantage = match &call.inputs.advantage {
                Some(Advantage::Token(a)) => a.get(start + t),
                _ => w.advantage,
            };
            let y = entry.eval(Sequence {
                c: w.c,
                logp: call.inputs.logps.get(start + t),
                log_ratio: 0.0,
                len: call.counts[b] as f64,
                advantage: finite_only(advantage),
                flag: tile.flag[t] as f64,
                log_z: w.log_z,
            });
            tile.own[t] = [y.value, y.slope];
            plain &= y.value.is_finite() && y.slope.is_finite();
            acc.own[0] += y.value;
            acc.own[1] += if call.stages.weighs { weighed(y.value, tile.weight[t]) } else { y.value };
        }
    }
    plain
}
/// Advantage of a sequence: given, or the mean of its live tokens'. Infinite becomes NaN.
fn advantage(call: &Call<'_>, b: usize) -> f64 {
    let a = match &call.inputs.advantage {
        None => 0.0,
        Some(Advantage::Sequence(a)) => a.get(b),
        Some(Advantage::Token(a)) => {
            let range = call.problem.segments().range(b);
            let (at, n) = (range.start, range.len());
            let numbers = if let Floats::F32(a) = a { dense(a, at, n) } else { None };
            let mask = if let Some(Mask::U8(m)) = &call.inputs.mask { dense(m, at, n) } else { None };
            let sum: f64 = match (numbers, mask) {
                (Some(a), None) if call.inputs.mask.is_none() => a.iter().map(|&a| a as f64).sum(),
                (Some(a), Some(m)) => a.iter().zip(m).filter(|(_, m)| **m != 0).map(|(&a, _)| a as f64).sum(),
                _ => range.filter(|&i| call.inputs.live(i)).map(|i| a.get(i)).sum(),
            };
            sum / call.counts[b].max(1) as f64
        }
    };
    a + (a - a)
}

/// Loss, figures and gradient. `workspace` holds at least [`workspace`] bytes, 64-byte aligned.
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
    let terms = problem.options().terms;
    let mut arena = Arena::new(scratch);
    if terms.is_empty() {
        return one(context, problem, inputs, out, arena);
    }
    let (n, b) = (problem.tokens(), problem.sequences());
    let (status, of_term) = (arena.take::<u32>(n)?, arena.take::<u32>(n)?);
    let (sequence_status, of_sequence) = (arena.take::<u32>(b)?, arena.take::<u32>(b)?);
    let grad = arena.take::<f32>(n)?;
    let bytes = arena.left() / Arena::ALIGN * Arena::ALIGN;
    let space = arena.take::<u8>(bytes)?;
    let Outputs { loss, terms: mut place, mut grad_logps, mut token_status, counters, .. } = out;
    let mut place_of_sequences = out.sequence_status;
    let mut put = |k: usize, x: f64| {
        if let Some(m) = &mut place {
            m.set(k, x);
        }
    };
    let mut parts = [0.0; 3];
    let mut empty = [0; row::BITS];
    let places = Outputs {
        values: out.values,
        kl: out.kl,
        terms: Some(MatrixMut::vector(&mut parts)),
        grad_logps: grad_logps.as_mut().map(|m| m.reborrow()),
        grad_entropy: out.grad_entropy,
        grad_kl: out.grad_kl,
        grad_log_z: out.grad_log_z,
        statistics: out.statistics,
        token_status: Some(MatrixMut::vector(status)),
        sequence_status: Some(MatrixMut::vector(sequence_status)),
        counters: Some(&mut empty),
        ..Outputs::default()
    };
    one(context, problem, inputs, places, Arena::new(&mut *space))?;
    (0..3).for_each(|k| put(k, parts[k]));
    let mut total = parts[0] + parts[1] + parts[2];
    // terms without a denominator: what their counters hold beyond the sequences that are empty
    let empties = |of: &[u32]| of.iter().filter(|&&bits| bits & row::EMPTY != 0).count() as i64;
    let at = row::EMPTY.trailing_zeros() as usize;
    let mut nothing = empty[at] - empties(sequence_status);
    for (k, (term, own)) in terms.iter().zip(inputs.terms).enumerate() {
        let places = Outputs {
            terms: Some(MatrixMut::vector(&mut parts)),
            grad_logps: grad_logps.is_some().then(|| MatrixMut::vector(grad)),
            token_status: Some(MatrixMut::vector(of_term)),
            sequence_status: Some(MatrixMut::vector(of_sequence)),
            counters: Some(&mut empty),
            ..Outputs::default()
        };
        one(context, &problem.term(term), &inputs.term(own, term.weight), places, Arena::new(&mut *space))?;
        nothing += empty[at] - empties(of_sequence);
        let value = if term.weight == 0.0 { 0.0 } else { times(parts[0], term.weight) };
        put(3 + k, value);
        total += value;
        for (i, (all, &bits)) in status.iter_mut().zip(&*of_term).enumerate() {
            // a token that one of them reads is not ignored
            *all = ((*all | bits) & !row::IGNORED) | (*all & bits & row::IGNORED);
            if let Some(m) = &mut grad_logps
                && bits & row::IGNORED == 0
                && term.weight != 0.0
            {
                let (a, b) = (m.get(i), grad[i]);
                m.set(i, a + b);
                *all |= if a.is_finite() && b.is_finite() && !(a + b).is_finite() { row::OVERFLOW } else { 0 };
            }
        }
        sequence_status.iter_mut().zip(&*of_sequence).for_each(|(all, bits)| *all |= bits);
    }
    let seen = Counters::new();
    for k in 0..b {
        let mut of_tokens = 0;
        for i in problem.segments().range(k) {
            seen.add(status[i]);
            of_tokens |= status[i] & !row::IGNORED;
        }
        sequence_status[k] |= of_tokens;
        seen.add(sequence_status[k] & !of_tokens);
    }
    let mut counted = [0; row::BITS];
    seen.write(Some(&mut counted));
    counted[at] += nothing;
    finish(total, loss, &mut counted, counters);
    copy(status, &mut token_status);
    copy(sequence_status, &mut place_of_sequences);
    Ok(())
}
/// Writes loss and counters; a loss that overflows by itself or does not fit its place adds to `overflow`.
fn finish(
    loss: f64,
    place: Option<FloatsMut<'_>>,
    seen: &mut [i64; row::BITS],
    counters: Option<&mut [i64; row::BITS]>,
) {
    let count = |bit: u32| seen[bit.trailing_zeros() as usize];
    let known = [row::NAN_INPUT, row::INF_INPUT, row::INFINITE, row::OVERFLOW].iter().any(|&bit| count(bit) > 0);
    let mut beyond = !loss.is_finite() && !known;
    if let Some(mut m) = place {
        beyond |= overflow(loss, &m) != 0;
        m.set(0, loss);
    }
    seen[row::OVERFLOW.trailing_zeros() as usize] += beyond as i64;
    if let Some(to) = counters {
        *to = *seen;
    }
}
/// The main loss with its KL term and bonus.
fn one(
    context: &Context,
    problem: &Problem<'_>,
    inputs: &Inputs<'_>,
    mut out: Outputs<'_>,
    mut arena: Arena<'_>,
) -> Result<()> {
    let (b, segments) = (problem.sequences(), *problem.segments());
    let sums = arena.take::<f64>(b * SUMS)?;
    let (counts, lengths, bonus_lengths) = (arena.take::<u32>(b)?, arena.take::<u32>(b)?, arena.take::<u32>(b)?);
    let (info, options, estimator) = (problem.info(), problem.options(), problem.estimator());
    let list = info.kind == Kind::List;
    let rejects = inputs.keep.is_some() || inputs.sequence_keep.is_some();
    let stages = Stages {
        drops: rejects || inputs.entropy_mask.is_some() || inputs.kl_mask.is_some(),
        shrinks: options.aggregate.denominator == Denominator::Kept,
        inside: info.about.reads(slot::IMPORTANCE),
        weighs: inputs.token_weights.is_some() || (inputs.importance.is_some() && !info.about.reads(slot::IMPORTANCE)),
        kl_weighs: inputs.importance.is_some() && estimator.is_some_and(|k| k.stage == KlStage::BeforeWeight),
    };
    let (mut tokens, mut nonempty) = (0, 0);
    for (k, c) in counts.iter_mut().enumerate() {
        *c = count(&inputs.mask, segments.range(k)) as u32;
        tokens += *c as u64;
        nonempty += (*c > 0) as u64;
    }
    // what the denominators count
    let weigh = |i: usize| inputs.token_weights.map_or(1.0, |m| m.get(i));
    let mean = |lengths: &mut [u32], a: &Aggregate, counted: Option<&dyn Fn(usize, usize) -> bool>| {
        lengths.copy_from_slice(counts);
        let (mut all, mut some, mut weights) = (0, 0, 0.0);
        for (k, c) in lengths.iter_mut().enumerate() {
            let live = |i: &usize| inputs.live(*i);
            if let Some(counted) = counted {
                *c = segments.range(k).filter(live).filter(|&i| counted(k, i)).count() as u32;
            }
            if a.denominator == Denominator::Weights {
                weights += segments.range(k).filter(live).map(weigh).sum::<f64>();
            }
            all += *c as u64;
            some += (*c > 0) as u64;
        }
        Mean::of(a, all, some, b, weights)
    };
    let of_loss: &dyn Fn(usize, usize) -> bool = &|k, i| inputs.kept(k, i);
    let of_bonus: &dyn Fn(usize, usize) -> bool =
        &|k, i| (inputs.kept(k, i) || !stages.shrinks) && inputs.entropy_mask.is_none_or(|m| m.get(i) != 0);
    let mut main = mean(lengths, &options.aggregate, (rejects && stages.shrinks).then_some(of_loss));
    if list {
        // one value a group, whose sequences share it
        let member = |b: usize| counts[b] > 0 && inputs.sequence_keep.is_none_or(|m| m.get(b) != 0);
        let groups = options.groups.expect("checked by Problem::new");
        let of = |g: usize| (groups.get(g)..groups.get(g + 1)).any(|b| member(b as usize));
        let some = (0..problem.groups()).filter(|&g| of(g)).count() as u64;
        main = Mean::of(&options.aggregate, tokens, some, problem.groups(), 0.0);
        main.by_length = false;
    }
    let bonus = options.bonus.map(|b| {
        let own = stages.drops && b.aggregate.denominator == Denominator::Kept;
        (b.coef, mean(bonus_lengths, &b.aggregate, own.then_some(of_bonus)))
    });
    let (denominator, nothing) = (main.denominator, main.nothing);
    let counters = Counters::new();
    let upstream = inputs.upstream(problem);
    let ratio = estimator.filter(|k| k.reads_ratio());
    let by = |source| ratio.is_some_and(|k: Estimator| k.ratio_source == source);
    let call = Call {
        context,
        problem,
        inputs,
        counts,
        lengths,
        bonus_lengths,
        mean: main,
        bonus,
        stages,
        estimator,
        bounds: clip_bounds(info, options),
        reads: Reads {
            old: info.about.reads(slot::OLD) || by(RatioSource::Old) || (list && info.about.reads(slot::REF)),
            reference: (info.about.reads(slot::REF) && info.kind != Kind::Estimator && !list)
                || (estimator.is_some() && inputs.kl.is_none() && inputs.kl_reference.is_none()),
            kl_reference: estimator.is_some() && inputs.kl_reference.is_some(),
            sampler: by(RatioSource::Sampler),
            advantage: info.about.reads(slot::ADVANTAGE) || info.about.reads(slot::LIST_TARGET),
            entropy: (info.about.reads(slot::ENTROPY) && inputs.topk_entropy.is_none()) || options.bonus.is_some(),
            topk_entropy: info.about.reads(slot::ENTROPY) && inputs.topk_entropy.is_some(),
            flag: info.about.reads(slot::FLAG),
        },
        exact: [Some(&inputs.logps), inputs.old.as_ref(), inputs.reference.as_ref()]
            .into_iter()
            .flatten()
            .all(|m| !matches!(m, Floats::F64(_))),
        elementwise: info.kind == Kind::Token && estimator.is_none_or(|k| k.weight != EstimatorWeight::RatioSequence),
        factor: if upstream.is_some() { inputs.grad_scale } else { inputs.factor() },
        upstream,
        statistics: out.statistics.is_some(),
        counters: &counters,
    };
    let (token_values, values, list_values) = match info.kind {
        Kind::Sequence => (None, out.values, None),
        Kind::List => (None, None, out.values),
        _ => (out.values, None, None),
    };
    let mut lists = None;
    if list {
        let (scores, refs, grads) = (arena.take::<f64>(b)?, arena.take::<f64>(b)?, arena.take::<f64>(b)?);
        let [targets, values, slopes] = [arena.take::<f64>(b)?, arena.take::<f64>(b)?, arena.take::<f64>(b)?];
        let members = [scores, refs, grads];
        let at = arena.take::<u32>(b)?;
        let (call, out) = (&call, list_values);
        let found = with_list(info.about.id, ListRun { call, members, at, targets, values, slopes, out });
        found.expect("checked by Problem::new")?;
        lists = Some(OfLists { targets, values, slopes });
    }
    let lists = &lists;
    let places = TokenOutputs {
        values: token_values,
        kl: out.kl,
        grad_logps: out.grad_logps,
        grad_entropy: out.grad_entropy,
        grad_kl: out.grad_kl,
        status: out.token_status,
    };
    let piece = Piece {
        tokens: Cut { segments, first: 0, out: places },
        sums: MatrixMut::contiguous(sums, b, SUMS)?,
        values,
        grad_log_z: out.grad_log_z,
        status: out.sequence_status,
    };
    context.rows(b, grain(b, problem.tokens(), GRAIN), piece, |_, _, piece| {
        let found = match info.kind {
            Kind::Token => with_token(info.about.id, TokenRun { call, piece }),
            Kind::Sequence => with_sequence(info.about.id, SequenceRun { call, piece }),
            Kind::List => {
                let lists = lists.as_ref().expect("they were evaluated");
                sequences(&call, piece, &Main::Sequence(lists));
                Some(Ok(()))
            }
            _ => {
                sequences(&call, piece, &Main::Tile(&|_| {}));
                Some(Ok(()))
            }
        };
        debug_assert!(found.is_some_and(|r| r.is_ok()), "checked by Problem::new");
    });

    let coef = options.kl.map_or(0.0, |k| k.coef);
    let (mut main, mut kl, mut kl_sum, mut entropy) = (0.0, 0.0, 0.0, 0.0);
    let mut s = [0.0; stat::COUNT];
    (s[stat::LOG_RATIO_MIN], s[stat::LOG_RATIO_MAX]) = (f64::INFINITY, f64::NEG_INFINITY);
    for (k, x) in sums.chunks_exact(SUMS).enumerate() {
        main += x[VALUE];
        if coef != 0.0 {
            kl += times(x[TERM], call.weight(k));
        }
        kl_sum += x[KL];
        entropy += x[BONUS];
        for (to, from) in [
            (stat::CLIP_LOW, CLIP),
            (stat::CLIP_HIGH, CLIP + 1),
            (stat::CLIP_DUAL, CLIP + 2),
            (stat::RATIO_SUM, RATIO),
            (stat::K1_SUM, K1),
            (stat::K3_SUM, K3),
            (stat::LOSS_SUM, MAIN),
            (stat::KEPT_TOKENS, KEPT),
            (stat::ENTROPY_SUM, ENTROPY),
            (stat::WEIGHT_SUM, WEIGHT),
            (stat::WEIGHT_SQ_SUM, WEIGHT_SQ),
        ] {
            s[to] += x[from];
        }
        if counts[k] > 0 {
            s[stat::LOG_RATIO_MIN] = s[stat::LOG_RATIO_MIN].min(x[LEAST]);
            s[stat::LOG_RATIO_MAX] = s[stat::LOG_RATIO_MAX].max(x[MOST]);
        }
    }
    if nothing {
        (main, kl) = (0.0, 0.0);
    }
    if tokens == 0 {
        (s[stat::LOG_RATIO_MIN], s[stat::LOG_RATIO_MAX]) = (0.0, 0.0);
    }
    let kl_term = if coef != 0.0 { coef * kl } else { 0.0 };
    let bonus_term = call.bonus.map_or(0.0, |(coef, mean)| if mean.nothing { 0.0 } else { -coef * entropy });
    let loss = main + kl_term + bonus_term;
    let mut seen = [0; row::BITS];
    counters.write(Some(&mut seen));
    if let Some(m) = &mut out.terms {
        [main, kl_term, bonus_term].into_iter().enumerate().for_each(|(k, x)| m.set(k, x));
    }
    if let Some(to) = out.statistics {
        (s[stat::TOKENS], s[stat::SEQUENCES]) = (tokens as f64, nonempty as f64);
        (s[stat::KL_SUM], s[stat::DENOMINATOR]) = (kl_sum, denominator);
        *to = s;
    }
    seen[row::EMPTY.trailing_zeros() as usize] += nothing as i64;
    // nothing is aggregated, so nothing overflows by itself
    let loss = if options.aggregate.mode == Mode::None { 0.0 } else { loss };
    finish(loss, out.loss, &mut seen, out.counters);
    Ok(())
}
