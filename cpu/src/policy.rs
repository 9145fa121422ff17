//! Policy losses over f32 lanes and threads. See [`truing_core::policy`].
//!
//! A sequence belongs to one task and is worked off in tiles of `TILE` tokens: read, entry, estimator, figures, write.
//! Its sums go to the workspace, sixteen f64 chains by position joined by a fixed tree; the sums of all sequences are
//! then added in order on the calling thread. Neither threads nor instruction sets change a bit.
use crate::lanes::{L32, Sixteen};
use crate::on_lanes;
use crate::parallel::Context;
use crate::sequence::{Counters, Cut, check_space, grain, overflow};
use core::ops::Range;
use truing_core::Result;
use truing_core::catalog::{
    self, EstimatorVisitor, Kind, SequenceVisitor, TokenVisitor, lits, slot, with_estimator, with_sequence, with_token,
};
use truing_core::error::row;
use truing_core::losses::{Estimate, KlEstimator, Reduction, Sequence, SequenceLoss, Token, TokenLoss};
use truing_core::matrix::Workspace;
use truing_core::matrix::{Arena, Floats, FloatsMut, Layout, Mask, Matrix, MatrixMut, Split};
use truing_core::policy::{
    Advantage, CountEmpty, Estimator, EstimatorWeight, Inputs, Mode, Outputs, Problem, TokenOutputs, clip_bounds, stat,
    weighted,
};
use truing_core::real::Real;

/// Lanes of f32.
const W: usize = 16;
/// Tokens of a tile.
const TILE: usize = 256;
/// Tokens that are worth a task.
const GRAIN: usize = 4096;
/// f64 sums of a sequence.
const SUMS: usize = 12;
const MAIN: usize = 0;
const KL: usize = 1;
const CLIP: usize = 2; // low, high, dual
const RATIO: usize = 5;
const LEAST: usize = 6;
const MOST: usize = 7;
const K1: usize = 8;
const K3: usize = 9;
const VALUE: usize = 10; // of a sequence entry

/// Scratch memory of a call: 100 bytes a sequence.
pub fn workspace(_: &Context, problem: &Problem<'_>) -> Workspace {
    let b = problem.sequences();
    let bytes = Arena::sum([Arena::need::<f64>(b.saturating_mul(SUMS)), Arena::need::<u32>(b)]);
    Workspace { minimum: bytes, preferred: bytes }
}

type Column = [f32; TILE];
/// Tokens of one sequence. Dead tokens and the end hold 0 everywhere.
struct Tile {
    n: usize,
    /// Some token in front of the rounded-up end is dead or missing.
    holes: bool,
    /// There is no `old`: the ratio is 1.
    detached: bool,
    live: [bool; TILE],
    logp: Column,
    old: Column,
    reference: Column,
    advantage: Column,
    value: Column,
    grad: Column,
    kl: Column,
    kl_grad: Column,
    x: Column,
    ratio: Column,
    k3: Column,
    /// The gradient as it is written.
    written: Column,
}
impl Tile {
    fn new() -> Tile {
        let c = [0.0; TILE];
        Tile {
            n: 0,
            holes: false,
            detached: false,
            live: [false; TILE],
            logp: c,
            old: c,
            reference: c,
            advantage: c,
            value: c,
            grad: c,
            kl: c,
            kl_grad: c,
            x: c,
            ratio: c,
            k3: c,
            written: c,
        }
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
fn read(m: &Floats<'_>, start: usize, live: &[bool; TILE], holes: bool, n: usize, to: &mut Column) {
    if let Floats::F32(m) = m
        && let Some(from) = dense(m, start, n)
    {
        if live[..n].iter().all(|&x| x) {
            to[..n].copy_from_slice(from);
        } else {
            // A masked token is not read, not even to be dropped: its page may not exist.
            for t in 0..n {
                to[t] = if live[t] { from[t] } else { 0.0 };
            }
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
    if holes {
        clear(live, to, n.next_multiple_of(W));
    }
}
/// 0 where nothing is live.
#[inline(always)]
fn clear(live: &[bool; TILE], x: &mut Column, n: usize) {
    for (x, &live) in x[..n].iter_mut().zip(&live[..n]) {
        *x = if live { *x } else { 0.0 };
    }
}
/// Live tokens of a range.
pub(crate) fn count(mask: &Option<Mask<'_>>, range: Range<usize>) -> usize {
    match mask {
        None => range.len(),
        Some(Mask::U8(m)) => match dense(m, range.start, range.len()) {
            Some(m) => m.iter().filter(|&&x| x != 0).count(),
            None => range.filter(|&i| m.get(i) != 0).count(),
        },
        Some(m) => range.filter(|&i| m.live(i)).count(),
    }
}

/// Which slots besides `logp` the loss or the KL term reads.
#[derive(Clone, Copy)]
struct Reads {
    old: bool,
    reference: bool,
    advantage: bool,
}
/// What a task reads.
#[derive(Clone, Copy)]
struct Call<'a> {
    context: &'a Context,
    problem: &'a Problem<'a>,
    inputs: &'a Inputs<'a>,
    counts: &'a [u32],
    /// Weight of a token but for L_b, and whether L_b divides.
    base: f64,
    by_length: bool,
    estimator: Option<Estimator>,
    bounds: Option<[f64; 4]>,
    reads: Reads,
    statistics: bool,
    counters: &'a Counters,
}
impl Call<'_> {
    /// Weight of a token of sequence `b`.
    #[inline(always)]
    fn weight(&self, b: usize) -> f64 {
        if self.by_length { self.base / self.counts[b].max(1) as f64 } else { self.base }
    }
    fn fill(&self, b: usize, tokens: Range<usize>, tile: &mut Tile) {
        let n = tokens.len();
        (tile.n, tile.holes, tile.detached) = (n, !n.is_multiple_of(W), self.inputs.old.is_none());
        tile.live[n..].fill(false);
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
                tile.holes |= tile.live[..n].contains(&false);
            }
        }
        let (start, holes) = (tokens.start, tile.holes);
        read(&self.inputs.logps, start, &tile.live, holes, n, &mut tile.logp);
        match &self.inputs.old {
            Some(old) => read(old, start, &tile.live, holes, n, &mut tile.old),
            None => tile.old = tile.logp,
        }
        if let Some(r) = &self.inputs.reference {
            read(r, start, &tile.live, holes, n, &mut tile.reference);
        }
        match &self.inputs.advantage {
            Some(Advantage::Token(a)) => read(a, start, &tile.live, holes, n, &mut tile.advantage),
            Some(Advantage::Sequence(a)) => {
                let a = a.get(b) as f32;
                for t in 0..tile.padded() {
                    tile.advantage[t] = if tile.live[t] { a } else { 0.0 };
                }
            }
            None => {}
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
/// `logp` and `old` for an entry that reads their difference: 0 for an infinite logp that is its own `old`.
#[inline(always)]
fn ends<R: Real>(logp: R, old: R, detached: bool) -> (R, R) {
    if !detached {
        return (logp, old);
    }
    let same = logp.lit(f64::INFINITY).select_le(logp.abs(), logp.lit(0.0), logp);
    (same, same)
}
#[inline(always)]
fn token_lanes<S: Sixteen, E: TokenLoss<N>, const N: usize>(s: S, p: &[f64; N], tile: &mut Tile) {
    let zero = L32::splat(s, 0.0);
    let p = lits(zero, p);
    let own = tile.detached && E::ABOUT.reads(slot::OLD);
    for at in (0..tile.padded()).step_by(W) {
        let (logp, old) = ends(L32::load(s, &tile.logp, at, 0.0), L32::load(s, &tile.old, at, 0.0), own);
        let x = Token {
            logp,
            old,
            ref_logp: L32::load(s, &tile.reference, at, 0.0),
            sampler: zero,
            advantage: finite_only(L32::load(s, &tile.advantage, at, 0.0)),
            entropy: zero,
            flag: zero,
        };
        let y = E::eval(x, p);
        y.value.store(&mut tile.value, at);
        y.logp.store(&mut tile.grad, at);
    }
}
fn token_scalar<E: TokenLoss<N>, const N: usize>(p: &[f64; N], tile: &mut Tile) {
    let p = lits(0.0f32, p);
    let own = tile.detached && E::ABOUT.reads(slot::OLD);
    for i in 0..tile.padded() {
        let (logp, old) = ends(tile.logp[i], tile.old[i], own);
        let x = Token {
            logp,
            old,
            ref_logp: tile.reference[i],
            sampler: 0.0,
            advantage: finite_only(tile.advantage[i]),
            entropy: 0.0,
            flag: 0.0,
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

#[inline(always)]
fn kl_one<R: Real, E: KlEstimator<N>, const N: usize>(
    x: Estimate<R>,
    detached: bool,
    p: [R; N],
    how: &Estimator,
) -> [R; 2] {
    const K3_ID: u32 = <truing_core::losses::K3 as catalog::Entry<0>>::ABOUT.id;
    let logs = (log_ratio(x.logp, x.old, detached), x.ref_logp - x.logp, x.ref_logp - x.old);
    let y = weighted(E::eval(x, p), E::ABOUT.id == K3_ID, logs, how.weight, how.gradient);
    [y.value, y.logp]
}
#[inline(always)]
fn kl_lanes<S: Sixteen, E: KlEstimator<N>, const N: usize>(s: S, how: &Estimator, tile: &mut Tile) {
    let p = lits(L32::splat(s, 0.0), &[0.0; N]);
    for at in (0..tile.padded()).step_by(W) {
        let x = Estimate {
            logp: L32::load(s, &tile.logp, at, 0.0),
            ref_logp: L32::load(s, &tile.reference, at, 0.0),
            old: L32::load(s, &tile.old, at, 0.0),
        };
        let [value, grad] = kl_one::<_, E, N>(x, tile.detached, p, how);
        value.store(&mut tile.kl, at);
        grad.store(&mut tile.kl_grad, at);
    }
}
fn kl_scalar<E: KlEstimator<N>, const N: usize>(how: &Estimator, tile: &mut Tile) {
    for i in 0..tile.padded() {
        let x = Estimate { logp: tile.logp[i], ref_logp: tile.reference[i], old: tile.old[i] };
        [tile.kl[i], tile.kl_grad[i]] = kl_one::<_, E, N>(x, tile.detached, [0.0; N], how);
    }
}
struct Kl<'a> {
    context: &'a Context,
    how: &'a Estimator,
    tile: &'a mut Tile,
}
impl EstimatorVisitor for Kl<'_> {
    type Out = ();
    fn visit<E: KlEstimator<N>, const N: usize>(self) {
        on_lanes!(self.context.isa(), s => kl_lanes::<_, E, N>(s, self.how, self.tile), kl_scalar::<E, N>(self.how, self.tile));
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
            clip: [0.0; 3],
            least: f32::INFINITY,
            most: f32::NEG_INFINITY,
            status: 0,
        }
    }
}
/// x - x is 0 for a finite x and NaN for any other.
#[inline(always)]
fn spoil(sum: &mut [f32; W], x: &Column, n: usize) {
    for block in x[..n].as_chunks::<W>().0 {
        for j in 0..W {
            sum[j] += block[j] - block[j];
        }
    }
}
/// Adds values up; says whether everything that is read or follows from it is finite.
#[inline(always)]
fn sums(tile: &mut Tile, reads: Reads, kl: bool, acc: &mut Acc) -> bool {
    let n = tile.padded();
    if tile.holes {
        for x in [&mut tile.value, &mut tile.grad, &mut tile.kl, &mut tile.kl_grad] {
            clear(&tile.live, x, n);
        }
    }
    add(&mut acc.main, &tile.value, n);
    let mut spoiled = [0.0; W];
    for x in [&tile.logp, &tile.value, &tile.grad] {
        spoil(&mut spoiled, x, n);
    }
    // an advantage that is not finite makes the value NaN
    for (read, x) in [(reads.old, &tile.old), (reads.reference, &tile.reference)] {
        if read {
            spoil(&mut spoiled, x, n);
        }
    }
    if kl {
        add(&mut acc.kl, &tile.kl, n);
        spoil(&mut spoiled, &tile.kl, n);
        spoil(&mut spoiled, &tile.kl_grad, n);
    }
    spoiled == [0.0; W]
}
#[inline(always)]
fn figures(tile: &mut Tile, bounds: &Option<[f32; 4]>, acc: &mut Acc) {
    let n = tile.padded();
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
/// The gradient, rounded once. Dead tokens hold 0 in front of the factor and keep it.
#[inline(always)]
fn scale_grad(tile: &mut Tile, kl: bool, coef: f64, scale: f64) -> bool {
    let n = tile.padded();
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
    let mut spoiled = [0.0; W];
    spoil(&mut spoiled, &tile.written, n);
    spoiled == [0.0; W]
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
    let inputs = [tile.logp[i], read(reads.old, &tile.old), read(reads.reference, &tile.reference)];
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
    status: Option<MatrixMut<'a, u32>>,
}
impl Split for Piece<'_> {
    fn split(self, row: usize) -> (Self, Self) {
        let (ta, tb) = self.tokens.split(row);
        let (sa, sb) = self.sums.split(row);
        let (va, vb) = self.values.split(row);
        let (ua, ub) = self.status.split(row);
        (Piece { tokens: ta, sums: sa, values: va, status: ua }, Piece { tokens: tb, sums: sb, values: vb, status: ub })
    }
}

/// What evaluates the loss of a tile; for sequence entries the value and chain of a whole sequence.
enum Main<'a> {
    Tile(&'a (dyn Fn(&mut Tile) + Sync)),
    Sequence(&'a (dyn Fn(&mut Whole<'_>) + Sync)),
}
/// A sequence for a sequence entry: what the entry reads, and what it says.
struct Whole<'a> {
    call: &'a Call<'a>,
    b: usize,
    advantage: f64,
    /// Value of the sequence; F'(C) dC/dc_t; C.
    value: f64,
    chain: f64,
    c: f64,
    /// Where not `None`: writes c'_t of the tokens from here on.
    map: Option<(usize, &'a mut [f64; TILE], usize)>,
}

struct TokenRun<'a> {
    call: Call<'a>,
    piece: Piece<'a>,
}
impl TokenVisitor for TokenRun<'_> {
    type Out = Result<()>;
    fn visit<E: TokenLoss<N>, const N: usize>(self) -> Result<()> {
        let p = catalog::resolve::<E, N>(self.call.problem.options().params)?;
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
        let p = catalog::resolve::<E, N>(self.call.problem.options().params)?;
        let token = |w: &Whole<'_>, i: usize| {
            let inputs = w.call.inputs;
            let logp = inputs.logps.get(i);
            let (logp, old) = ends(logp, inputs.old.map_or(logp, |m| m.get(i)), inputs.old.is_none());
            Token {
                logp,
                old,
                ref_logp: inputs.reference.map_or(0.0, |m| m.get(i)),
                sampler: 0.0,
                advantage: w.advantage,
                entropy: 0.0,
                flag: 0.0,
            }
        };
        let eval = |w: &mut Whole<'_>| {
            if let Some((start, to, n)) = w.map.take() {
                for t in 0..n {
                    let i = start + t;
                    let live = w.call.inputs.mask.is_none_or(|m| m.live(i));
                    to[t] = if live { E::map(token(w, i), p).logp } else { 0.0 };
                }
                w.map = Some((start, to, n));
                return;
            }
            let tokens = w.call.problem.segments().range(w.b);
            let mut c = 0.0;
            for i in tokens {
                if w.call.inputs.mask.is_none_or(|m| m.live(i)) {
                    c += E::map(token(w, i), p).value;
                }
            }
            let len = w.call.counts[w.b] as f64;
            let inner = if E::REDUCTION == Reduction::Mean { 1.0 / len.max(1.0) } else { 1.0 };
            if E::REDUCTION == Reduction::Mean {
                c /= len.max(1.0);
            }
            let y = E::eval(Sequence { c, len, advantage: w.advantage, log_z: 0.0 }, p);
            (w.value, w.chain, w.c) = (y.value, y.c * inner, c);
        };
        sequences(&self.call, self.piece, &Main::Sequence(&eval));
        Ok(())
    }
}

/// All sequences of a task.
fn sequences(call: &Call<'_>, mut piece: Piece<'_>, main: &Main<'_>) {
    let segments = *call.problem.segments();
    let first = piece.tokens.first;
    let mut tile = Tile::new();
    let layout = piece.tokens.out.grad_logps.as_ref().map(|m| m.layout());
    let isa = call.context.isa();
    let factor = call.inputs.factor();
    let coef = call.estimator.map_or(0.0, |k| k.coef);
    let own = call.problem.info().kind == Kind::Estimator;
    // sequence entries clip the ratio of the sequence
    let token_bounds = match main {
        Main::Tile(_) => call.bounds.map(|b| b.map(|x| x as f32)),
        Main::Sequence(_) => None,
    };
    for b in first..first + piece.sums.rows() {
        let tokens = segments.range(b);
        let base = tokens.start - segments.start(first);
        let mut acc = Acc::new();
        let scale = if factor == 0.0 { 0.0 } else { times(call.weight(b), factor) };
        let mut whole = match main {
            Main::Sequence(eval) => {
                let mut w = Whole { call, b, advantage: advantage(call, b), value: 0.0, chain: 0.0, c: 0.0, map: None };
                if call.counts[b] > 0 {
                    eval(&mut w);
                }
                Some(w)
            }
            Main::Tile(_) => None,
        };
        for at in (0..tokens.len()).step_by(TILE) {
            let n = TILE.min(tokens.len() - at);
            call.fill(b, tokens.start + at..tokens.start + at + n, &mut tile);
            if let Main::Tile(eval) = main {
                eval(&mut tile);
            } else {
                tile.value.fill(0.0);
                tile.grad.fill(0.0);
            }
            if let Some(how) = &call.estimator {
                with_estimator(how.id, Kl { context: call.context, how, tile: &mut tile });
            }
            if own {
                (tile.value, tile.grad) = (tile.kl, tile.kl_grad);
            }
            let kl = call.estimator.is_some() && !own;
            let plain = on_lanes!(isa, s => { let _ = s; sums(&mut tile, call.reads, kl || own, &mut acc) }, sums(&mut tile, call.reads, kl || own, &mut acc));
            let chained = whole.as_ref().map(|w| (w.value, w.chain));
            let mut broken = !plain || chained.is_some_and(|(v, g)| !(v.is_finite() && g.is_finite()));
            if call.statistics {
                on_lanes!(isa, s => ratio_lanes(s, &mut tile), ratio_scalar(&mut tile));
                on_lanes!(isa, s => { let _ = s; figures(&mut tile, &token_bounds, &mut acc) }, figures(&mut tile, &token_bounds, &mut acc));
            }
            let out = &mut piece.tokens.out;
            if let (Some(m), Some(layout)) = (&mut out.grad_logps, layout) {
                if let (Some(w), Main::Sequence(eval)) = (&mut whole, main) {
                    // the value stands for each live token, so its derivative counts as often
                    let chain = w.chain * call.counts[b] as f64;
                    let mut map = [0.0; TILE];
                    w.map = None;
                    let mut inner = Whole { map: Some((tokens.start + at, &mut map, n)), ..*w };
                    eval(&mut inner);
                    for t in 0..n {
                        let k = if coef != 0.0 { coef * tile.kl_grad[t] as f64 } else { 0.0 };
                        let on = tile.live[t] && scale != 0.0;
                        let g = if on { times(chain * map[t] + k, scale) as f32 } else { 0.0 };
                        tile.written[t] = g;
                        broken |= !g.is_finite();
                    }
                } else if scale == 0.0 {
                    tile.written.fill(0.0);
                } else {
                    let with = kl && coef != 0.0;
                    broken |= !on_lanes!(isa, s => { let _ = s; scale_grad(&mut tile, with, coef, scale) }, scale_grad(&mut tile, with, coef, scale));
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
            // neither the factor nor another token of the sequence is to blame
            let blame = call.inputs.grad_output.is_none_or(|g| g.get(0).is_finite())
                && chained.is_none_or(|(_, g)| g.is_finite());
            if broken || tile.holes || out.status.is_some() {
                for t in 0..n {
                    let status = match tile.live[t] {
                        false => row::IGNORED,
                        true if broken => classify(call, &tile, b, tokens.start + at, t, blame),
                        true => 0,
                    };
                    acc.status |= status & !row::IGNORED;
                    call.counters.add(status);
                    if let Some(m) = &mut out.status {
                        m.set(base + at + t, status);
                    }
                }
            }
        }
        let of_tokens = acc.status;
        if let Some(w) = &whole
            && call.counts[b] > 0
        {
            // the tokens may all be finite and their reduced value still not be
            let undefined = row::NAN_INPUT | row::INF_INPUT;
            if w.value.is_nan() || w.chain.is_nan() {
                if acc.status & undefined == 0 {
                    acc.status |= if w.advantage.is_nan() { row::NAN_INPUT } else { row::INF_INPUT };
                }
            } else if (w.value.is_infinite() || w.chain.is_infinite()) && acc.status & (undefined | row::INFINITE) == 0
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
        sums[KL] = join(acc.kl);
        sums[VALUE] = match &whole {
            // a sequence's value stands for each of its live tokens
            Some(w) if w.value != 0.0 => w.value * (weight * call.counts[b] as f64),
            Some(_) => 0.0,
            None => times(sums[MAIN], weight),
        };
        sums[CLIP..CLIP + 3].copy_from_slice(&acc.clip);
        if let (Some(w), Some([low, high, roof, dual])) = (&whole, call.bounds) {
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
        call.counters.add(acc.status & !of_tokens);
        if let Some(m) = &mut piece.status {
            m.set(local, acc.status);
        }
    }
}
/// Advantage of a sequence: given, or the mean of its live tokens'. Infinite becomes NaN.
fn advantage(call: &Call<'_>, b: usize) -> f64 {
    let a = match &call.inputs.advantage {
        None => 0.0,
        Some(Advantage::Sequence(a)) => a.get(b),
        Some(Advantage::Token(a)) => {
            let live = |i: &usize| call.inputs.mask.is_none_or(|m| m.live(*i));
            let sum: f64 = call.problem.segments().range(b).filter(live).map(|i| a.get(i)).sum();
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
    let (b, segments) = (problem.sequences(), *problem.segments());
    let mut arena = Arena::new(scratch);
    let sums = arena.take::<f64>(b * SUMS)?;
    let counts = arena.take::<u32>(b)?;
    let (mut tokens, mut nonempty) = (0, 0);
    for (k, c) in counts.iter_mut().enumerate() {
        *c = count(&inputs.mask, segments.range(k)) as u32;
        tokens += *c as u64;
        nonempty += (*c > 0) as u64;
    }
    let a = problem.options().aggregate;
    let rows = if a.count_empty == Some(CountEmpty::Nonempty) { nonempty } else { b as u64 } as f64;
    let own = match a.mode {
        Mode::TokenMean => tokens as f64,
        Mode::TokenSum => 1.0,
        Mode::SeqMeanTokenSumNorm => rows * a.max_length,
        Mode::SeqMeanTokenMean | Mode::SeqMeanTokenSum | Mode::SeqMean => rows,
    };
    let denominator = if a.normaliser != 0.0 { a.normaliser } else { own };
    let nothing = tokens == 0 || denominator == 0.0;
    let counters = Counters::new();
    let (info, options, estimator) = (problem.info(), problem.options(), problem.estimator());
    let call = Call {
        context,
        problem,
        inputs,
        counts,
        base: if nothing { 0.0 } else { 1.0 / denominator },
        by_length: matches!(a.mode, Mode::SeqMeanTokenMean | Mode::SeqMean),
        estimator,
        bounds: clip_bounds(info, options.params),
        reads: Reads {
            old: info.about.reads(slot::OLD) || estimator.is_some_and(|k| k.weight == EstimatorWeight::Ratio),
            reference: info.about.reads(slot::REF) || estimator.is_some(),
            advantage: info.about.reads(slot::ADVANTAGE),
        },
        statistics: out.statistics.is_some(),
        counters: &counters,
    };
    let sequence = info.kind == Kind::Sequence;
    let (token_values, values) = if sequence { (None, out.values) } else { (out.values, None) };
    let places =
        TokenOutputs { values: token_values, kl: out.kl, grad_logps: out.grad_logps, status: out.token_status };
    let piece = Piece {
        tokens: Cut { segments, first: 0, out: places },
        sums: MatrixMut::contiguous(sums, b, SUMS)?,
        values,
        status: out.sequence_status,
    };
    context.rows(b, grain(b, problem.tokens(), GRAIN), piece, |_, _, piece| {
        let found = match info.kind {
            Kind::Token => with_token(info.about.id, TokenRun { call, piece }),
            Kind::Sequence => with_sequence(info.about.id, SequenceRun { call, piece }),
            _ => {
                sequences(&call, piece, &Main::Tile(&|_| {}));
                Some(Ok(()))
            }
        };
        debug_assert!(found.is_some_and(|r| r.is_ok()), "checked by Problem::new");
    });

    let coef = options.kl.map_or(0.0, |k| k.coef);
    let (mut main, mut kl, mut kl_sum) = (0.0, 0.0, 0.0);
    let mut s = [0.0; stat::COUNT];
    (s[stat::LOG_RATIO_MIN], s[stat::LOG_RATIO_MAX]) = (f64::INFINITY, f64::NEG_INFINITY);
    for (k, x) in sums.chunks_exact(SUMS).enumerate() {
        main += x[VALUE];
        if coef != 0.0 {
            kl += times(x[KL], call.weight(k));
        }
        kl_sum += x[KL];
        for (to, from) in [
            (stat::CLIP_LOW, CLIP),
            (stat::CLIP_HIGH, CLIP + 1),
            (stat::CLIP_DUAL, CLIP + 2),
            (stat::RATIO_SUM, RATIO),
            (stat::K1_SUM, K1),
            (stat::K3_SUM, K3),
            (stat::LOSS_SUM, MAIN),
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
    let loss = main + kl_term;
    let mut seen = [0; row::BITS];
    counters.write(Some(&mut seen));
    let count = |bit: u32| seen[bit.trailing_zeros() as usize];
    let known = [row::NAN_INPUT, row::INF_INPUT, row::INFINITE, row::OVERFLOW].iter().any(|&bit| count(bit) > 0);
    let mut beyond = !loss.is_finite() && !known;
    if let Some(mut m) = out.loss {
        beyond |= overflow(loss, &m) != 0;
        m.set(0, loss);
    }
    if let Some(to) = out.terms {
        *to = [main, kl_term, 0.0];
    }
    if let Some(to) = out.statistics {
        (s[stat::TOKENS], s[stat::KEPT_TOKENS], s[stat::SEQUENCES]) = (tokens as f64, tokens as f64, nonempty as f64);
        (s[stat::KL_SUM], s[stat::DENOMINATOR]) = (kl_sum, denominator);
        *to = s;
    }
    if let Some(to) = out.counters {
        *to = seen;
        to[row::OVERFLOW.trailing_zeros() as usize] += beyond as i64;
        to[row::EMPTY.trailing_zeros() as usize] += nothing as i64;
    }
    Ok(())
}
