//! Token log-prob of logits `[N, V]`, forward and backward: one read of the logits each.
//!
//! The sums are those of [`truing_core::record`]. A block of 2048 columns is read twice, the second time from L1: first
//! its maximum, then its sums; the maximum of the next block runs in the shadow of the sums. With a transform the block
//! is transformed into L1 first.
use crate::lanes::{L32, simd};
use crate::on_isa;
use crate::parallel::Context;
use crate::rows::{Cell, V, clamp, exp, fma, prefetch, splat, tree};
use crate::support::{self, Slots};
use simd::{Simd, prelude::*};
use truing_core::dtype::{Dtype, Element, Float};
use truing_core::logprob::{Figures, LogitRow, Problem, Rows, Target, TransformInputs, Upstream};
use truing_core::matrix::{Floats, FloatsMut, Matrix, MatrixMut, Split};
use truing_core::record::{self, BLOCK, Columns, Record, RowGrad, RowTransform, Tree};
use truing_core::{Error, Result, Status, Value};

/// What the forward reads.
#[derive(Clone, Copy, Debug)]
pub struct Inputs<'a> {
    /// `[N, V]`: f32, bf16 or f16.
    pub logits: Floats<'a>,
    /// Bias and row temperatures.
    pub transform: TransformInputs<'a>,
    /// Targets and mask.
    pub rows: Rows<'a>,
}
/// What the backward reads besides the logits, which stand in [`Grad`].
#[derive(Clone, Copy, Debug, Default)]
pub struct BackwardInputs<'a> {
    /// Bias and row temperatures.
    pub transform: TransformInputs<'a>,
    /// Targets and mask.
    pub rows: Rows<'a>,
}
/// Logits `[N, V]` and where their gradient goes: the logits' own type or f32.
#[derive(Debug)]
pub enum Grad<'a> {
    /// Reads the logits, writes the gradient elsewhere.
    Separate(Floats<'a>, FloatsMut<'a>),
    /// Overwrites the logits with their gradient.
    InPlace(FloatsMut<'a>),
}

mod over;
mod shard;
pub use over::{Over, backward_over, forward_over, over_workspace};
pub(crate) use shard::load;
pub use shard::{Finish, Local, finish, local};

/// Elements that are worth a task.
const GRAIN: usize = 1 << 16;
/// Columns by which a prefetch runs ahead of the maximum pass (half as many lose, up to eight times as many are alike).
const AHEAD: usize = 2048;

fn grain(problem: &Problem) -> usize {
    (GRAIN / problem.vocab().max(1)).max(1)
}
pub(crate) fn refuse(field: &'static str, got: Dtype, expected: &'static str) -> Error {
    Error::new(Status::UnsupportedDtype, field, Value::Dtype(got), Value::Text(expected))
}

/// Writes the figures that `out` asks for. Errors: shapes, element types, targets out of range, temperatures and biases
/// that are not finite (`-inf` is a legal bias); nothing is written then.
pub fn forward(context: &Context, problem: &Problem, inputs: Inputs<'_>, out: Figures<'_>) -> Result<()> {
    check_forward(problem, &inputs, &out)?;
    let Inputs { transform, rows, .. } = inputs;
    match inputs.logits {
        Floats::F32(z) => forward_of(context, Job { problem, transform, rows }, z, out),
        Floats::Bf16(z) => forward_of(context, Job { problem, transform, rows }, z, out),
        Floats::F16(z) => forward_of(context, Job { problem, transform, rows }, z, out),
        Floats::F64(_) => {}
    }
    Ok(())
}

fn check_forward(problem: &Problem, inputs: &Inputs<'_>, out: &Figures<'_>) -> Result<()> {
    inputs.logits.layout().check("logits", problem.rows(), problem.vocab())?;
    out.check(problem.rows())?;
    if out.needs_target() && inputs.rows.target.is_none() {
        let expected = Value::Text("targets, which out_logprob and out_is_top1 need");
        return Err(Error::invalid("rows.target", Value::Text("NULL"), expected));
    }
    if inputs.logits.dtype() == Dtype::F64 {
        return Err(refuse("logits", Dtype::F64, "f32, bf16 or f16"));
    }
    inputs.rows.check(problem)?;
    inputs.transform.check(problem, &inputs.rows)
}

/// Writes d/d logits of the figures' upstream gradients:
/// `dz_j = [g_lp (1[j=t] - p_j) + g_lse p_j - g_H p_j (a_j - u/(1+r))] dx_j/dz_j`.
/// `stats` are those of a forward with the same options; without them the records are computed again, with the same
/// bits. Rows that are ignored, and rows whose target is dead, get 0; rows with a NaN or a `+inf` NaN; padding columns 0.
/// `status` gets the bits of the rows.
pub fn backward(
    context: &Context,
    problem: &Problem,
    inputs: BackwardInputs<'_>,
    stats: Option<Matrix<'_, f32>>,
    upstream: Upstream<'_>,
    grad: Grad<'_>,
    status: Option<MatrixMut<'_, u32>>,
) -> Result<()> {
    backward_all(context, problem, inputs, None, stats, upstream, grad, status, Slots::none())
}
#[allow(clippy::too_many_arguments)]
fn backward_all(
    context: &Context,
    problem: &Problem,
    inputs: BackwardInputs<'_>,
    over: Option<Over<'_>>,
    stats: Option<Matrix<'_, f32>>,
    upstream: Upstream<'_>,
    grad: Grad<'_>,
    status: Option<MatrixMut<'_, u32>>,
    slots: Slots<'_>,
) -> Result<()> {
    let (n, v) = (problem.rows(), problem.vocab());
    let (z, g) = match &grad {
        Grad::Separate(z, g) => {
            z.layout().check("logits", n, v)?;
            g.layout().check("grad_logits", n, v)?;
            (z.dtype(), g.dtype())
        }
        Grad::InPlace(z) => {
            z.layout().check("logits", n, v)?;
            (z.dtype(), z.dtype())
        }
    };
    if z == Dtype::F64 {
        return Err(refuse("logits", z, "f32, bf16 or f16"));
    }
    if g != z && g != Dtype::F32 {
        return Err(refuse("grad_logits", g, "the type of the logits or f32"));
    }
    if let Some(s) = &stats {
        s.layout().check("stats", n, truing_core::logprob::STATS)?;
    }
    if let Some(s) = &status {
        s.layout().check("out_status", n, 1)?;
    }
    if let Some(over) = &over {
        over.support.check(problem, &inputs.rows)?;
    }
    if stats.is_none() && problem.total() != v {
        let expected = Value::Text("the statistics of finish: a shard alone cannot compute them");
        return Err(Error::invalid("stats", Value::Text("none"), expected));
    }
    upstream.check(n)?;
    if upstream.logprob.is_some() && inputs.rows.target.is_none() {
        let expected = Value::Text("targets, which grad_logprob needs");
        return Err(Error::invalid("rows.target", Value::Text("NULL"), expected));
    }
    inputs.rows.check(problem)?;
    inputs.transform.check(problem, &inputs.rows)?;
    let job = Job { problem, transform: inputs.transform, rows: inputs.rows };
    macro_rules! apart {
        ($z:expr, $g:expr) => {
            backward_of(context, Back { job, over, stats, upstream }, Apart { z: $z, first: 0, g: $g }, status, slots)
        };
    }
    macro_rules! same {
        ($g:expr) => {
            backward_of(context, Back { job, over, stats, upstream }, Same($g), status, slots)
        };
    }
    match grad {
        Grad::Separate(Floats::F32(z), FloatsMut::F32(g)) => apart!(z, g),
        Grad::Separate(Floats::Bf16(z), FloatsMut::Bf16(g)) => apart!(z, g),
        Grad::Separate(Floats::Bf16(z), FloatsMut::F32(g)) => apart!(z, g),
        Grad::Separate(Floats::F16(z), FloatsMut::F16(g)) => apart!(z, g),
        Grad::Separate(Floats::F16(z), FloatsMut::F32(g)) => apart!(z, g),
        Grad::InPlace(FloatsMut::F32(g)) => same!(g),
        Grad::InPlace(FloatsMut::Bf16(g)) => same!(g),
        Grad::InPlace(FloatsMut::F16(g)) => same!(g),
        // refused above
        Grad::Separate(..) | Grad::InPlace(FloatsMut::F64(_)) => {}
    }
    Ok(())
}

/// What both directions read besides the logits.
#[derive(Clone, Copy)]
pub(crate) struct Job<'a> {
    pub(crate) problem: &'a Problem,
    pub(crate) transform: TransformInputs<'a>,
    pub(crate) rows: Rows<'a>,
}
impl Job<'_> {
    #[inline(always)]
    pub(crate) fn target(&self, i: usize) -> Target {
        self.rows.target(i, self.problem.options())
    }
    /// Where the target lies among the columns at hand that can be live.
    #[inline(always)]
    fn local(&self, target: Target) -> Option<usize> {
        if let Target::Column(y) = target { self.problem.local(y) } else { None }
    }
    #[inline(always)]
    pub(crate) fn row<'a, T>(&'a self, i: usize, z: &'a [T]) -> LogitRow<'a, T> {
        let transform = self.transform.row(self.problem, i);
        LogitRow { z: &z[..self.problem.valid()], bias: self.transform.bias, transform }
    }
}
/// Whether a row's logits are used as they are.
#[inline(always)]
fn plain<T>(row: &LogitRow<'_, T>) -> bool {
    row.bias.is_none() && row.transform == RowTransform::Plain
}

/// Buffers of a task.
pub(crate) struct Scratch<T> {
    /// The ragged last block, padded with `-inf`.
    last: [[T; 32]; BLOCK / 32],
    /// A block of transformed logits, or of their gradient.
    pub(crate) x: Block,
    /// The slope of the transform at them.
    slope: Block,
    /// The biases of a block.
    bias: Block,
}
pub(crate) type Block = [[f32; 32]; BLOCK / 32];
impl<T: Cell> Scratch<T> {
    #[inline(always)]
    pub(crate) fn new() -> Self {
        let zero = [[0.0; 32]; BLOCK / 32];
        Scratch { last: [[T::NEG_INF; 32]; BLOCK / 32], x: zero, slope: zero, bias: zero }
    }
}

fn forward_of<T: Cell>(context: &Context, job: Job<'_>, z: Matrix<'_, T>, out: Figures<'_>) {
    // u and q1 are left out where nothing needs them; the other sums have the same bits either way
    let all = out.entropy.is_some() || out.log_sum_sq.is_some() || out.stats.is_some();
    let column = out.argmax.is_some() || out.is_top1.is_some() || out.stats.is_some();
    let isa = context.isa();
    context.rows(job.problem.rows(), grain(job.problem), out, |first, n, out| {
        on_isa!(isa, s => forward_rows(s, &job, &z, first, n, out, all, column), forward_scalar(&job, &z, first, n, out))
    });
}
fn forward_scalar<T: Cell>(job: &Job<'_>, z: &Matrix<'_, T>, first: usize, n: usize, mut out: Figures<'_>) {
    for i in 0..n {
        let target = job.target(first + i);
        let record = match target {
            Target::Ignored => Record::EMPTY.conclude(target),
            _ => job.row(first + i, z.row(first + i)).record(target),
        };
        record::write(&record, target, &mut out, i);
    }
}
#[inline(always)]
#[allow(clippy::too_many_arguments)]
fn forward_rows<S: Simd, T: Cell>(
    s: S,
    job: &Job<'_>,
    z: &Matrix<'_, T>,
    first: usize,
    n: usize,
    mut out: Figures<'_>,
    all: bool,
    column: bool,
) {
    let mut scratch = Scratch::new();
    for i in 0..n {
        let target = job.target(first + i);
        let record = if target == Target::Ignored {
            Record::EMPTY.conclude(target)
        } else {
            let row = job.row(first + i, z.row(first + i));
            row.conclude(sums(s, &row, &mut scratch, all, column), target)
        };
        record::write(&record, target, &mut out, i);
    }
}

/// The record of a row without the target; `k` is right only with `column`. Compiled once for an instruction set and a
/// type: both directions call it.
#[inline(never)]
fn sums<S: Simd, T: Cell>(s: S, row: &LogitRow<'_, T>, scratch: &mut Scratch<T>, all: bool, column: bool) -> Record {
    s.vectorize(
        #[inline(always)]
        || {
            if !plain(row) {
                return read_transformed(s, row, scratch);
            }
            let x = if all { read::<S, T, true>(s, row.z, scratch) } else { read::<S, T, false>(s, row.z, scratch) };
            if column && x.m.abs() < f32::INFINITY { find(s, row.z, x) } else { x }
        },
    )
}
#[inline(always)]
fn read<S: Simd, T: Cell, const ALL: bool>(s: S, z: &[T], scratch: &mut Scratch<T>) -> Record {
    let full = z.len() / BLOCK;
    let tail = &z[full * BLOCK..];
    let last: &[[T; 32]] = if tail.len().is_multiple_of(32) {
        tail.as_chunks().0
    } else {
        let padded = tail.len().next_multiple_of(32);
        let flat = scratch.last.as_flattened_mut();
        flat[..tail.len()].copy_from_slice(tail);
        flat[tail.len()..padded].fill(T::NEG_INF);
        &scratch.last[..padded / 32]
    };
    let blocks = z.len().div_ceil(BLOCK);
    let mut tree = Tree::new();
    let mut b: &[[T; 32]] = if full > 0 { z[..BLOCK].as_chunks().0 } else { last };
    let mut m = T::max_new(s);
    for p in b {
        T::max_add(s, &mut m, p);
    }
    for i in 0..blocks {
        let next: &[[T; 32]] = if i + 1 < full {
            z[(i + 1) * BLOCK..(i + 2) * BLOCK].as_chunks().0
        } else if i + 1 < blocks {
            last
        } else {
            &[]
        };
        let (x, next_max) = block::<S, T, ALL>(s, b, T::max_get(s, m), i * BLOCK, next);
        tree.push(x);
        (b, m) = (next, next_max);
    }
    tree.finish()
}
/// The sums of block `b`, now in L1, and the maximum of `next`, which this brings in. `k` is the block's first column.
#[inline(always)]
fn block<S: Simd, T: Cell, const ALL: bool>(
    s: S,
    b: &[[T; 32]],
    m: f32,
    first: usize,
    next: &[[T; 32]],
) -> (Record, T::Max<S>) {
    let zero = splat(s, 0.0);
    let (mv, one) = (splat(s, if m == f32::NEG_INFINITY { 0.0 } else { m }), splat(s, 1.0));
    let (mut r, mut n, mut u, mut q) = ([zero; 2], [zero; 2], [zero; 2], [zero; 2]);
    let mut next_max = T::max_new(s);
    for (i, c) in b.iter().enumerate() {
        prefetch(c, BLOCK + AHEAD); // runs on into the next row
        if i < next.len() {
            T::max_add(s, &mut next_max, &next[i]);
        }
        let z = T::load(s, c);
        for j in 0..2 {
            let d = clamp(s, z[j] - mv);
            let e = exp(s, d);
            let below = z[j].simd_ne(mv); // false for the maximum and its ties, true for a NaN
            // adding +0 changes no bit, and selecting 0 is one `and` where a select of two vectors is two operations
            let masked = below.select(e, zero);
            r[j] = r[j] + masked;
            n[j] = n[j] + below.select(one, zero);
            if ALL {
                u[j] = fma(e, d, u[j]);
                q[j] = fma(masked, masked, q[j]);
            }
        }
    }
    let ties = (32 * b.len()) as u32 - tree(n) as u32;
    let (u, q) = if ALL { (tree(u), tree(q)) } else { (0.0, 0.0) };
    (record::seal(m, tree(r), u, q, ties, first), next_max)
}
/// Sets `k`: the first column of the winning block with the maximum.
#[inline(always)]
fn find<S: Simd, T: Cell>(s: S, z: &[T], x: Record) -> Record {
    let first = x.k as usize;
    let b = &z[first..z.len().min(first + BLOCK)];
    let (chunks, rest) = b.as_chunks::<32>();
    let mv = splat(s, x.m);
    for (i, c) in chunks.iter().enumerate() {
        let z = T::load(s, c);
        let hit = z[0].simd_eq(mv).to_bitmask() | z[1].simd_eq(mv).to_bitmask() << 16;
        if hit != 0 {
            return Record { k: (first + 32 * i) as u32 + hit.trailing_zeros(), ..x };
        }
    }
    let mut k = first + 32 * chunks.len();
    for z in rest {
        if z.to_f32() == x.m {
            break;
        }
        k += 1;
    }
    Record { k: k as u32, ..x }
}
/// Biases of the columns from `first` on, as f32.
#[inline(always)]
fn widen_bias(bias: &Floats<'_>, first: usize, out: &mut [f32]) {
    #[inline(always)]
    fn go<T: Float>(m: &Matrix<'_, T>, first: usize, out: &mut [f32]) {
        let near = m.layout().outer == 1 && m.layout().inner_stride == 1;
        let data = if near { &m.data()[first..first + out.len()] } else { &[] };
        for (j, x) in out.iter_mut().enumerate() {
            *x = if near { data[j].to_f32() } else { m.get(first + j).to_f32() };
        }
    }
    match bias {
        Floats::F32(m) => go(m, first, out),
        Floats::Bf16(m) => go(m, first, out),
        Floats::F16(m) => go(m, first, out),
        Floats::F64(m) => go(m, first, out),
    }
}
#[inline(always)]
fn read_transformed<S: Simd, T: Cell>(s: S, row: &LogitRow<'_, T>, scratch: &mut Scratch<T>) -> Record {
    let mut tree = Tree::new();
    let mut best = f32::NEG_INFINITY;
    for first in (0..row.z.len()).step_by(BLOCK) {
        let z = &row.z[first..row.z.len().min(first + BLOCK)];
        let n = widen(s, z, &mut scratch.x);
        transform(s, row.bias.as_ref(), &row.transform, first, z.len(), scratch.buffers());
        let x = sums_of_block(s, &scratch.x[..n], first, &mut best);
        tree.push(x);
    }
    tree.finish()
}
/// The record of a block in L1; `k` is set where its maximum is above `best`, which it then becomes.
#[inline(never)]
pub(crate) fn sums_of_block<S: Simd>(s: S, b: &[[f32; 32]], first: usize, best: &mut f32) -> Record {
    s.vectorize(
        #[inline(always)]
        || {
            let mut m = f32::max_new(s);
            for p in b {
                f32::max_add(s, &mut m, p);
            }
            let (mut x, _) = block::<S, f32, true>(s, b, f32::max_get(s, m), first, &[]);
            if x.m > *best {
                *best = x.m;
                if x.m < f32::INFINITY {
                    x.k = first as u32 + find(s, b.as_flattened(), Record { k: 0, ..x }).k;
                }
            }
            x
        },
    )
}
/// Widens at most a block, padded with `-inf` to chunks of 32 columns; returns their number.
#[inline(always)]
pub(crate) fn widen<S: Simd, T: Cell>(s: S, z: &[T], x: &mut Block) -> usize {
    let (chunks, rest) = z.as_chunks::<32>();
    for (c, x) in chunks.iter().zip(x.iter_mut()) {
        prefetch(c, AHEAD);
        f32::store(s, T::load(s, c), x);
    }
    if rest.is_empty() {
        return chunks.len();
    }
    let mut padded = [T::NEG_INF; 32];
    padded[..rest.len()].copy_from_slice(rest);
    f32::store(s, T::load(s, &padded), &mut x[chunks.len()]);
    chunks.len() + 1
}
/// Rounds a block of f32 to where it belongs.
#[inline(always)]
fn narrow<S: Simd, G: Cell>(s: S, x: &Block, g: &mut [G]) {
    let (chunks, rest) = g.as_chunks_mut::<32>();
    let n = chunks.len();
    for (c, x) in chunks.iter_mut().zip(x) {
        G::store(s, f32::load(s, x), c);
    }
    if !rest.is_empty() {
        let mut last = [G::NEG_INF; 32];
        G::store(s, f32::load(s, &x[n]), &mut last);
        rest.copy_from_slice(&last[..rest.len()]);
    }
}
/// What [`transform`] works on: logits, slopes, biases.
pub(crate) type Buffers<'a> = (&'a mut Block, &'a mut Block, &'a mut Block);
impl<T> Scratch<T> {
    #[inline(always)]
    pub(crate) fn buffers(&mut self) -> Buffers<'_> {
        (&mut self.x, &mut self.slope, &mut self.bias)
    }
}
/// Transforms `n` widened logits from column `first` on in place.
#[inline(never)]
pub(crate) fn transform<S: Simd>(
    s: S,
    bias: Option<&Floats<'_>>,
    t: &RowTransform,
    first: usize,
    n: usize,
    (x, _, b): Buffers<'_>,
) {
    s.vectorize(
        #[inline(always)]
        || {
            if let Some(bias) = bias {
                widen_bias(bias, first, &mut b.as_flattened_mut()[..n]);
            }
            for (x, b) in x[..n.div_ceil(32)].iter_mut().zip(&*b) {
                for j in 0..2 {
                    let at = 16 * j..16 * j + 16;
                    let z = L32::<S>::new(V::from_slice(s, &x[at.clone()]));
                    let b = L32::<S>::new(V::from_slice(s, &b[at.clone()]));
                    t.apply(z, bias.map(|_| b)).0.store_slice(&mut x[at]);
                }
            }
        },
    )
}
/// The gradient of a transformed block with respect to its raw logits, in place of the raw logits.
#[inline(never)]
fn gradient<S: Simd>(
    s: S,
    bias: Option<&Floats<'_>>,
    t: &RowTransform,
    first: usize,
    n: usize,
    (x, slope, b): Buffers<'_>,
    c: &Columns,
) {
    slopes(s, bias, t, first, n, (&mut *x, &mut *slope, &mut *b));
    transform(s, bias, t, first, n, (&mut *x, &mut *slope, &mut *b));
    s.vectorize(
        #[inline(always)]
        || {
            let k = Constants::new(s, c);
            for (x, slope) in x[..n.div_ceil(32)].iter_mut().zip(&*slope) {
                let (v, slope) = (f32::load(s, x), f32::load(s, slope));
                let mut dz = v;
                for j in 0..2 {
                    let dead = v[j].simd_eq(splat(s, f32::NEG_INFINITY));
                    dz[j] = dead.select(splat(s, 0.0), k.one(s, v[j]) * slope[j]);
                }
                f32::store(s, dz, x);
            }
        },
    )
}
#[inline(never)]
fn slopes<S: Simd>(
    s: S,
    bias: Option<&Floats<'_>>,
    t: &RowTransform,
    first: usize,
    n: usize,
    (x, slope, b): Buffers<'_>,
) {
    s.vectorize(
        #[inline(always)]
        || {
            if let Some(bias) = bias {
                widen_bias(bias, first, &mut b.as_flattened_mut()[..n]);
            }
            for ((x, slope), b) in x[..n.div_ceil(32)].iter().zip(slope).zip(&*b) {
                let (mut v, b) = (f32::load(s, x), f32::load(s, b));
                if bias.is_some() {
                    v = [v[0] + b[0], v[1] + b[1]];
                }
                let v = [t.slope(L32::<S>::new(v[0])).0, t.slope(L32::<S>::new(v[1])).0];
                f32::store(s, v, slope);
            }
        },
    )
}

/// Logits and their gradient, row by row.
trait Pair: Split + Send {
    type Z: Cell;
    type G: Cell;
    /// Logits of row `i` of this piece.
    fn logits(&self, i: usize) -> &[Self::Z];
    /// Gradient of row `i` of this piece, to write to.
    fn gradient(&mut self, i: usize) -> &mut [Self::G];
    /// The gradient of the first `n` columns of row `i` where there is no transform.
    fn plain<S: Simd>(&mut self, s: S, i: usize, n: usize, k: &Constants<S>);
}
struct Apart<'a, T, G> {
    z: Matrix<'a, T>,
    first: usize,
    g: MatrixMut<'a, G>,
}
impl<T: Element, G: Element> Split for Apart<'_, T, G> {
    fn split(self, row: usize) -> (Self, Self) {
        let Apart { z, first, g } = self;
        let (a, b) = g.split(row);
        (Apart { z, first, g: a }, Apart { z, first: first + row, g: b })
    }
}
impl<T: Cell, G: Cell> Pair for Apart<'_, T, G> {
    type Z = T;
    type G = G;
    #[inline(always)]
    fn logits(&self, i: usize) -> &[T] {
        self.z.row(self.first + i)
    }
    #[inline(always)]
    fn gradient(&mut self, i: usize) -> &mut [G] {
        self.g.row_mut(i)
    }
    #[inline(always)]
    fn plain<S: Simd>(&mut self, s: S, i: usize, n: usize, k: &Constants<S>) {
        let z = &self.z.row(self.first + i)[..n];
        let ((a, a_rest), (b, b_rest)) = (z.as_chunks::<32>(), self.g.row_mut(i)[..n].as_chunks_mut::<32>());
        for (a, b) in a.iter().zip(b) {
            G::store(s, k.both(s, T::load(s, a)), b);
        }
        let (mut x, mut y) = ([T::NEG_INF; 32], [G::NEG_INF; 32]);
        x[..a_rest.len()].copy_from_slice(a_rest);
        G::store(s, k.both(s, T::load(s, &x)), &mut y);
        b_rest.copy_from_slice(&y[..b_rest.len()]);
    }
}
struct Same<'a, T>(MatrixMut<'a, T>);
impl<T: Element> Split for Same<'_, T> {
    fn split(self, row: usize) -> (Self, Self) {
        let (a, b) = self.0.split(row);
        (Same(a), Same(b))
    }
}
impl<T: Cell> Pair for Same<'_, T> {
    type Z = T;
    type G = T;
    #[inline(always)]
    fn logits(&self, i: usize) -> &[T] {
        self.0.row(i)
    }
    #[inline(always)]
    fn gradient(&mut self, i: usize) -> &mut [T] {
        self.0.row_mut(i)
    }
    #[inline(always)]
    fn plain<S: Simd>(&mut self, s: S, i: usize, n: usize, k: &Constants<S>) {
        let (a, rest) = self.0.row_mut(i)[..n].as_chunks_mut::<32>();
        for a in a {
            let dz = k.both(s, T::load(s, a));
            T::store(s, dz, a);
        }
        let mut x = [T::NEG_INF; 32];
        x[..rest.len()].copy_from_slice(rest);
        let dz = k.both(s, T::load(s, &x));
        T::store(s, dz, &mut x);
        rest.copy_from_slice(&x[..rest.len()]);
    }
}

/// [`Columns`] in lanes.
struct Constants<S: Simd> {
    m: V<S>,
    scale: V<S>,
    c0: V<S>,
    c1: V<S>,
}
impl<S: Simd> Constants<S> {
    #[inline(always)]
    fn new(s: S, c: &Columns) -> Self {
        Constants { m: splat(s, c.m), scale: splat(s, c.scale), c0: splat(s, c.c0), c1: splat(s, c.c1) }
    }
    #[inline(always)]
    fn one(&self, s: S, x: V<S>) -> V<S> {
        let d = clamp(s, x - self.m);
        let p = exp(s, d) * self.scale;
        p * fma(self.c1, d, self.c0)
    }
    #[inline(always)]
    fn both(&self, s: S, x: [V<S>; 2]) -> [V<S>; 2] {
        [self.one(s, x[0]), self.one(s, x[1])]
    }
}

fn backward_of<P: Pair>(
    context: &Context,
    back: Back<'_>,
    pair: P,
    status: Option<MatrixMut<'_, u32>>,
    slots: Slots<'_>,
) {
    let (isa, rows) = (context.isa(), back.job.problem.rows());
    let grain = slots.grain().unwrap_or(grain(back.job.problem));
    context.rows(rows, grain, ((pair, status), slots), |first, n, ((pair, status), slots)| {
        on_isa!(isa, s => backward_rows(s, &back, first, n, pair, status, slots), backward_scalar(&back, first, n, pair, status, slots))
    });
}
#[derive(Clone, Copy)]
struct Back<'a> {
    job: Job<'a>,
    over: Option<Over<'a>>,
    stats: Option<Matrix<'a, f32>>,
    upstream: Upstream<'a>,
}
impl Back<'_> {
    /// The saved record of row `i`, completed for this call's target.
    #[inline(always)]
    fn saved<T: Cell>(&self, i: usize, row: &LogitRow<'_, T>, target: Target) -> Option<Record> {
        let stats = self.stats.as_ref()?;
        let mut x = Record::unpack(stats.row(i));
        x.flags &= !truing_core::error::row::TARGET_NEG_INF;
        if self.job.problem.total() != self.job.problem.vocab() {
            // the target may lie in another shard
            return Some(x.conclude(target));
        }
        Some(row.conclude(x, target))
    }
    #[inline(always)]
    fn rows<'a, T>(&'a self, i: usize, z: &'a [T]) -> LogitRow<'a, T> {
        self.job.row(i, z)
    }
    /// The record of a row over its support, from the statistics if there are any.
    #[inline(always)]
    fn over<'s, T: Cell>(
        &self,
        over: &Over<'_>,
        i: usize,
        row: &LogitRow<'_, T>,
        target: Target,
        engine: &mut impl over::Engine<T>,
        slot: &'s mut support::Slot<'_>,
        own: &'s [u32],
    ) -> (Record, truing_core::support::Kept<'s>) {
        let choice = over.choose(&self.job, i, row, target, engine, slot, own, self.stats.is_none());
        let x = match &self.stats {
            Some(stats) => {
                let mut x = Record::unpack(stats.row(i));
                x.flags &= !truing_core::error::row::TARGET_NEG_INF;
                // the causes of a poisoned row are among its saved flags
                if x.poisoned() { x } else { choice.complete(row, x) }
            }
            None => choice.record,
        };
        (x.conclude(target), choice.kept)
    }
}
/// Writes what does not come from the columns one by one; returns the constants of those that do.
#[inline(always)]
fn settle<P: Pair>(
    back: &Back<'_>,
    record: &Record,
    target: Target,
    i: usize,
    first: usize,
    pair: &mut P,
    status: &mut Option<MatrixMut<'_, u32>>,
) -> Option<Columns> {
    let valid = back.job.problem.valid();
    if let Some(m) = status {
        m.set(i, record.flags);
    }
    pair.gradient(i)[valid..].fill(P::G::default());
    match RowGrad::new(record, target, &back.upstream.row(first + i)) {
        RowGrad::Columns(c) => Some(c),
        RowGrad::Fill(x) => {
            pair.gradient(i)[..valid].fill(P::G::from_f32(x));
            None
        }
    }
}
#[inline(always)]
fn backward_rows<S: Simd, P: Pair>(
    s: S,
    back: &Back<'_>,
    first: usize,
    n: usize,
    mut pair: P,
    mut status: Option<MatrixMut<'_, u32>>,
    slots: Slots<'_>,
) {
    let valid = back.job.problem.valid();
    let all = back.upstream.entropy.is_some();
    let (mut scratch, mut slot) = (Scratch::new(), slots.one(back.job.problem));
    for i in 0..n {
        let target = back.job.target(first + i);
        if target == Target::Ignored {
            settle(back, &Record::EMPTY.conclude(target), target, i, first, &mut pair, &mut status);
            continue;
        }
        let row = back.rows(first + i, pair.logits(i));
        let (record, kept) = match &back.over {
            Some(over) => {
                let own = over.words(first + i);
                let mut engine = over::Lanes { s, scratch: &mut scratch };
                let (x, kept) = back.over(over, first + i, &row, target, &mut engine, &mut slot, own);
                (x, Some(kept))
            }
            None => match back.saved(first + i, &row, target) {
                Some(x) => (x, None),
                None => (row.conclude(sums(s, &row, &mut scratch, all, false), target), None),
            },
        };
        let (is_plain, t, bias) = (plain(&row), row.transform, back.job.transform.bias);
        let v = back.job.local(target).map_or(0.0, |y| row.sum(y));
        let Some(c) = settle(back, &record, target, i, first, &mut pair, &mut status) else { continue };
        if is_plain {
            pair.plain(s, i, valid, &Constants::new(s, &c));
        } else {
            for at in (0..valid).step_by(BLOCK) {
                let n = BLOCK.min(valid - at);
                widen(s, &pair.logits(i)[at..at + n], &mut scratch.x);
                gradient(s, bias.as_ref(), &t, at, n, scratch.buffers(), &c);
                narrow(s, &scratch.x, &mut pair.gradient(i)[at..at + n]);
            }
        }
        if let Some(kept) = kept {
            over::clear(&kept, &mut pair.gradient(i)[..valid]);
        }
        if let (Some((_, dz)), Some(y)) = (c.target(&t, v), back.job.local(target)) {
            pair.gradient(i)[y] = P::G::from_f32(dz);
        }
    }
}
fn backward_scalar<P: Pair>(
    back: &Back<'_>,
    first: usize,
    n: usize,
    mut pair: P,
    mut status: Option<MatrixMut<'_, u32>>,
    slots: Slots<'_>,
) {
    let valid = back.job.problem.valid();
    let mut slot = slots.one(back.job.problem);
    for i in 0..n {
        let target = back.job.target(first + i);
        if target == Target::Ignored {
            settle(back, &Record::EMPTY.conclude(target), target, i, first, &mut pair, &mut status);
            continue;
        }
        let row = back.rows(first + i, pair.logits(i));
        let (record, kept) = match &back.over {
            Some(over) => {
                let own = over.words(first + i);
                let (x, kept) = back.over(over, first + i, &row, target, &mut over::Plain, &mut slot, own);
                (x, Some(kept))
            }
            None => (back.saved(first + i, &row, target).unwrap_or_else(|| row.record(target)), None),
        };
        let (transform, bias) = (row.transform, back.job.transform.bias);
        let v = back.job.local(target).map_or(0.0, |y| row.sum(y));
        let Some(c) = settle(back, &record, target, i, first, &mut pair, &mut status) else { continue };
        for j in 0..valid {
            let dz = c.raw(&transform, pair.logits(i)[j].to_f32(), bias.map(|b| b.get(j) as f32));
            pair.gradient(i)[j] = P::G::from_f32(dz);
        }
        if let Some(kept) = kept {
            over::clear(&kept, &mut pair.gradient(i)[..valid]);
        }
        if let (Some((_, dz)), Some(y)) = (c.target(&transform, v), back.job.local(target)) {
            pair.gradient(i)[y] = P::G::from_f32(dz);
        }
    }
}
