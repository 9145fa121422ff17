//! The row record: what a row of logits, or any set of its columns, is reduced to. Every figure and every gradient of a
//! row follows from it, and records of parts of a row (blocks, shards on other machines) merge into the row's.
//!
//! x are the transformed logits, m their maximum, k its first column, a_j = x_j - m:
//!
//! | field | value |
//! |---|---|
//! | `r` | sum over j != k of e^a_j |
//! | `u` | sum of e^a_j a_j |
//! | `q1` | sum over j != k of e^(2 a_j) |
//! | `xy` | x of the target, `-inf` if it is not in the set |
//!
//! The maximum's own 1 is in neither `r` nor `q1`: with it inside, a token of log-prob -4e-7 would be wrong by 20 %.
//!
//! # Order of the sums
//!
//! This is the definition that every kernel implements, bit for bit. [`block`] is its plain form.
//!
//! 1. A row is cut into blocks of [`BLOCK`] columns, at global columns that are multiples of `BLOCK`. Columns that are
//!    missing from the last block, and dead ones, count as `-inf`.
//! 2. m is the maximum of the block, `+0` if it is a zero. For each column d = max(x - m, [`EXP_LOW`]), e = [`exp_row`]`(d)`.
//! 3. Chain l of [`CHAINS`] takes the columns l, l + 32, l + 64, .. of the block in this order, from +0:
//!    `r += e` and `q1 = fma(e, e, q1)` unless x == m, `u = fma(e, d, u)` always.
//! 4. [`combine`] adds the chains: l and l + 16, then l and l + 8, l + 4, l + 2, l + 1.
//! 5. The number of columns with x == m, less one, is added to `r` and `q1` as one f32.
//! 6. A block with a NaN or with m = +inf is [`Record::poison`]; a block without a live column is [`Record::EMPTY`].
//! 7. [`Tree`] merges the blocks: level n joins blocks [i 2^n, (i + 1) 2^n), missing ones are skipped.
use crate::error::row;
use crate::logprob::{Figures, STATS, Target, Transform};
use crate::real::Real;

/// Columns of a block.
pub const BLOCK: usize = 2048;
/// Partial sums of a block.
pub const CHAINS: usize = 32;

/// Below this difference [`exp_row`] is 0 (-127 ln 2; the smallest normal number is e^-87.34).
pub const EXP_LOW: f32 = -88.02969;
/// Bits of 2^(j/8) with exponent 0, less j << 20, so that adding (8 n + j) << 20 gives the bits of 2^(n + j/8).
pub const EXP_TABLE: [u32; 8] =
    [0x00000000, 0xfffb95c2, 0xfff837f0, 0xfff5fed7, 0xfff504f3, 0xfff5672a, 0xfff744fd, 0xfffac0c7];
/// The constants of [`exp_row`]: 8 log2 e; what rounds to an integer and adds the exponent's bias; -ln 2 / 8; the
/// coefficients of f^3 and f^2 (smallest largest relative error of 1 + f + f^2 (c2 + c3 f) over abs(f) <= ln 2 / 16,
/// 0.44 x 2^-24).
pub const EXP_CONSTANTS: [f32; 5] =
    [core::f32::consts::LOG2_E * 8.0, 12582912.0 + 127.0 * 8.0, -core::f32::consts::LN_2 / 8.0, 0.16670546, 0.5000659];

/// max(d, [`EXP_LOW`]); NaN stays.
#[inline(always)]
pub fn clamp_row(d: f32) -> f32 {
    if d < EXP_LOW { EXP_LOW } else { d }
}
/// e^d for [`EXP_LOW`] <= d <= 88 and NaN, the exponential of every row sum: d = (8 n + j) ln 2 / 8 + f, a table of 8
/// (one permutation of a 256-bit vector) and a polynomial of degree 3 in f. Error 1.2 ulp near 0 and 0.03 ulp more for
/// each factor of two; exactly 1 at 0 and exactly 0 at `EXP_LOW`. Between `EXP_LOW` and -87.34 the result is denormal and
/// only its size is right.
#[inline(always)]
pub fn exp_row(d: f32) -> f32 {
    let [scale, magic, step, c3, c2] = EXP_CONSTANTS;
    let t = d.fma(scale, magic);
    let f = (t - magic).fma(step, d);
    let i = t.to_bits();
    let power = f32::from_bits(EXP_TABLE[(i % 8) as usize].wrapping_add(i << 20));
    let p = (f * f).fma(f.fma(c3, c2), f);
    power.fma(p, power)
}
/// Sum of the chains of a block, in the fixed order.
#[inline(always)]
pub fn combine(mut chains: [f32; CHAINS]) -> f32 {
    let mut w = CHAINS / 2;
    while w > 0 {
        for i in 0..w {
            chains[i] += chains[i + w];
        }
        w /= 2;
    }
    chains[0]
}

/// What a set of columns is reduced to.
#[derive(Clone, Copy, Debug)]
pub struct Record {
    /// Largest transformed logit; `-inf` if no column is live, `+inf` if the record is poisoned.
    pub m: f32,
    /// Sum of the exponentials without the maximum's own 1.
    pub r: f32,
    /// Sum of e^a a.
    pub u: f32,
    /// Sum of e^(2a) without the maximum's own 1.
    pub q1: f32,
    /// Transformed logit of the target, `-inf` if it is not in the set.
    pub xy: f32,
    /// First column with the maximum, counted over the whole vocabulary.
    pub k: u32,
    /// Columns larger than the target; counted only where the rank is asked for.
    pub above: u32,
    /// Live columns; counted only where smoothing or the mean logit is asked for.
    pub live: u32,
    /// Bits of [`crate::error::row`].
    pub flags: u32,
}
impl Record {
    /// The record of no columns.
    pub const EMPTY: Record = Record {
        m: f32::NEG_INFINITY,
        r: 0.0,
        u: 0.0,
        q1: 0.0,
        xy: f32::NEG_INFINITY,
        k: 0,
        above: 0,
        live: 0,
        flags: 0,
    };

    /// The one record of every set with a NaN or a `+inf`; it wins each merge.
    pub const fn poison(flags: u32) -> Record {
        let nan = f32::NAN;
        Record { m: f32::INFINITY, r: nan, u: nan, q1: nan, xy: nan, k: 0, above: 0, live: 0, flags }
    }
    /// Whether a NaN or a `+inf` is among the columns.
    #[inline(always)]
    pub fn poisoned(&self) -> bool {
        // also true for a NaN
        !(self.m < f32::INFINITY && self.r < f32::INFINITY)
    }
    /// Record of the columns of `self` and `b`; all columns of `self` lie below those of `b`.
    #[inline(always)]
    pub fn merge(self, b: Record) -> Record {
        let flags = self.flags | b.flags;
        if self.poisoned() || b.poisoned() {
            return Record::poison(flags);
        }
        let (mut w, l) = if b.m > self.m { (b, self) } else { (self, b) };
        // a side without a live column would give d * 0 with d = -inf
        if l.m != f32::NEG_INFINITY {
            let d = clamp_row(l.m - w.m);
            let c = exp_row(d);
            let all = 1.0 + l.r;
            w.r += c * all;
            w.u += c * (l.u + d * all);
            w.q1 += c * c * (1.0 + l.q1);
        }
        w.xy = if b.xy > self.xy { b.xy } else { self.xy };
        w.above = self.above.wrapping_add(b.above); // what a caller hands back may hold anything
        w.live = self.live.wrapping_add(b.live);
        w.flags = flags;
        w
    }
    /// The record of a whole row with its flags: what [`Record::figures`], [`Record::pack`] and [`RowGrad::new`] take.
    #[inline]
    pub fn conclude(self, target: Target) -> Record {
        if target == Target::Ignored {
            return Record { flags: row::IGNORED, ..Record::EMPTY };
        }
        if self.poisoned() {
            return Record::poison(self.flags);
        }
        let mut x = self;
        if x.m == f32::NEG_INFINITY {
            x.flags |= row::ALL_NEG_INF;
        } else if matches!(target, Target::Column(_)) && x.xy == f32::NEG_INFINITY {
            x.flags |= row::TARGET_NEG_INF;
        } else if x.xy > f32::NEG_INFINITY && x.xy - x.m == f32::NEG_INFINITY {
            // the log-prob is beyond f32
            x.flags |= row::OVERFLOW;
        }
        x
    }
    /// The saved statistics of a row: {m, r, u, q1, xy, k, above, flags, live, 0, 0, 0}, whole numbers as their bits.
    #[inline]
    pub fn pack(&self) -> [f32; STATS] {
        let bits = f32::from_bits;
        let &Record { m, r, u, q1, xy, k, above, live, flags } = self;
        [m, r, u, q1, xy, bits(k), bits(above), bits(flags), bits(live), 0.0, 0.0, 0.0]
    }
    /// The inverse of [`Record::pack`].
    #[inline]
    pub fn unpack(stats: &[f32]) -> Record {
        let [k, above, flags, live] = [stats[5], stats[6], stats[7], stats[8]].map(f32::to_bits);
        Record { m: stats[0], r: stats[1], u: stats[2], q1: stats[3], xy: stats[4], k, above, live, flags }
    }
    /// log of the part of the mass of `all` that this record's columns, some of those of `all`, hold; at most 0.
    #[inline]
    pub fn log_share(&self, all: &Record) -> f32 {
        if all.poisoned() {
            return f32::NAN;
        }
        let [a, b] = [self, all].map(|x| (x.m as f64, (x.r as f64).log1p()));
        let share = (a.0 - b.0) + (a.1 - b.1);
        if share > 0.0 { 0.0 } else { share as f32 }
    }
    /// Figures of a row, formed in f64 and rounded once. With L = log1p(r), t = xy - m:
    /// logprob t - L, lse m + L, entropy L - u / (1 + r), log sum p^2 = log1p(q1) - 2 L.
    #[inline(always)]
    pub fn figures(&self, target: Target) -> Row {
        let nan = f32::NAN;
        if target == Target::Ignored {
            let status = row::IGNORED;
            return Row {
                logprob: 0.0,
                lse: 0.0,
                max: 0.0,
                argmax: -1,
                entropy: 0.0,
                log_sum_sq: 0.0,
                is_top1: 0,
                status,
            };
        }
        let status = self.flags;
        let bad =
            Row { logprob: nan, lse: nan, max: nan, argmax: -1, entropy: nan, log_sum_sq: nan, is_top1: 0, status };
        if self.poisoned() {
            return bad;
        }
        if self.m == f32::NEG_INFINITY {
            return Row { lse: self.m, max: self.m, ..bad };
        }
        let [m, r, u, q1, xy] = [self.m, self.r, self.u, self.q1, self.xy].map(f64::from);
        let l = r.log1p();
        Row {
            logprob: ((xy - m) - l) as f32,
            lse: (m + l) as f32,
            max: self.m,
            argmax: self.k as i32,
            entropy: (l - u / (1.0 + r)) as f32,
            log_sum_sq: (q1.log1p() - 2.0 * l) as f32,
            is_top1: (target == Target::Column(self.k as usize)) as u8,
            status,
        }
    }
}

/// Figures of one row; see [`Figures`].
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)]
pub struct Row {
    pub logprob: f32,
    pub lse: f32,
    pub max: f32,
    pub argmax: i32,
    pub entropy: f32,
    pub log_sum_sq: f32,
    pub is_top1: u8,
    pub status: u32,
}

/// Writes what is asked for about row `i` of `out`. `record` has been through [`Record::conclude`].
#[inline(always)]
pub fn write(record: &Record, target: Target, out: &mut Figures<'_>, i: usize) {
    let x = record.figures(target);
    macro_rules! put {
        ($($f:ident)*) => {$( if let Some(m) = &mut out.$f { m.set(i, x.$f) } )*};
    }
    put!(logprob lse max argmax entropy log_sum_sq is_top1 status);
    if let Some(m) = &mut out.stats {
        m.row_mut(i).copy_from_slice(&record.pack());
    }
}

/// Merges records of neighbouring blocks, or of equal aligned runs of 2^n blocks, in ascending order.
#[derive(Clone, Debug)]
pub struct Tree {
    /// 2^31 columns are 2^20 blocks.
    stack: [Record; 22],
    depth: usize,
    count: usize,
}
impl Default for Tree {
    fn default() -> Self {
        Tree::new()
    }
}
impl Tree {
    /// No records yet.
    #[inline(always)]
    pub const fn new() -> Tree {
        Tree { stack: [Record::EMPTY; 22], depth: 0, count: 0 }
    }
    /// The next record. At most 2^21.
    #[inline(always)]
    pub fn push(&mut self, x: Record) {
        self.push_run(x, 0);
    }
    /// The record of the next 2^`level` ones; their number so far is a multiple of it.
    #[inline(always)]
    pub fn push_run(&mut self, mut x: Record, level: u32) {
        for _ in 0..(self.count >> level).trailing_ones() {
            self.depth -= 1;
            x = self.stack[self.depth].merge(x);
        }
        self.stack[self.depth] = x;
        self.depth += 1;
        self.count += 1 << level;
    }
    /// The record of all of them.
    #[inline(always)]
    pub fn finish(mut self) -> Record {
        if self.depth == 0 {
            return Record::EMPTY;
        }
        while self.depth > 1 {
            self.depth -= 1;
            self.stack[self.depth - 1] = self.stack[self.depth - 1].merge(self.stack[self.depth]);
        }
        self.stack[0]
    }
}

/// How the records of shards join. Shard i holds the columns `[starts[i], starts[i + 1])`.
///
/// Where every shard is a node of the tree of the whole row (it starts at a multiple of 2^n blocks and holds 2^n of them, the
/// last one at most 2^n), the tree goes on from there and gives the bits of the unsharded row. Otherwise the records are the
/// leaves of a tree of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Join {
    nodes: bool,
}
impl Join {
    /// `starts` ascends from 0.
    pub fn new(starts: impl Iterator<Item = usize> + Clone) -> Join {
        let mut ends = starts.clone().skip(1).peekable();
        let mut nodes = true;
        for start in starts {
            let Some(end) = ends.next() else { break };
            let blocks = (end - start).div_ceil(BLOCK);
            let run = blocks.next_power_of_two();
            nodes &= start.is_multiple_of(run * BLOCK) && (ends.peek().is_none() || end - start == run * BLOCK);
        }
        Join { nodes }
    }
    /// Adds the record of the next shard, of `columns` columns.
    #[inline]
    pub fn push(self, tree: &mut Tree, x: Record, columns: usize) {
        let level = if self.nodes { columns.div_ceil(BLOCK).next_power_of_two().trailing_zeros() } else { 0 };
        tree.push_run(x, level);
    }
}
impl Record {
    /// The record of all shards: where one has a NaN or a `+inf`, a `OVERFLOW` of another is none of the row's.
    pub fn joined(self) -> Record {
        if self.poisoned() {
            let raw = row::NAN_INPUT | row::INF_INPUT;
            let flags = if self.flags & raw != 0 { self.flags & !row::OVERFLOW } else { self.flags };
            return Record::poison(flags);
        }
        self
    }
}

/// The record of one block of at most [`BLOCK`] transformed logits, dead ones `-inf`; `first` is the column of `x[0]`.
/// A poisoned one carries no flags. `xy` is not set. This is the definition, and the path of instruction sets without
/// fused multiply-add.
pub fn block(x: &[f32], first: usize) -> Record {
    debug_assert!(x.len() <= BLOCK && first.is_multiple_of(BLOCK));
    let (mut m, mut k) = (f32::NEG_INFINITY, 0);
    for (j, &x) in x.iter().enumerate() {
        if x > m {
            (m, k) = (x, j);
        }
    }
    m += 0.0; // -0 becomes +0
    let centre = if m == f32::NEG_INFINITY { 0.0 } else { m };
    let (mut r, mut u, mut q1, mut ties) = ([0.0f32; CHAINS], [0.0f32; CHAINS], [0.0f32; CHAINS], 0u32);
    for (j, &x) in x.iter().enumerate() {
        let l = j % CHAINS;
        let d = clamp_row(x - centre);
        let e = exp_row(d);
        u[l] = e.fma(d, u[l]);
        if x == m {
            ties += 1;
        } else {
            r[l] += e;
            q1[l] = e.fma(e, q1[l]);
        }
    }
    seal(m, combine(r), combine(u), combine(q1), ties, first + k)
}
/// The record of a block from its maximum, its combined chains and the number of columns with the maximum.
#[inline(always)]
pub fn seal(m: f32, r: f32, u: f32, q1: f32, ties: u32, k: usize) -> Record {
    if r.is_nan() || m == f32::INFINITY {
        return Record::poison(0);
    }
    if m == f32::NEG_INFINITY {
        return Record::EMPTY;
    }
    let more = ties as f32 - 1.0;
    Record { m, r: r + more, u, q1: q1 + more, k: k as u32, ..Record::EMPTY }
}

/// The transform of one row: its constants are formed in f64 and rounded once.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum RowTransform {
    /// x = z + bias.
    Plain,
    /// x = a (z + bias), a = logit_scale / temperature.
    Scale(f32),
    /// x = outer tanh(inner (z + bias)).
    Softcap {
        /// logit_scale / softcap.
        inner: f32,
        /// softcap / temperature.
        outer: f32,
        /// logit_scale / temperature, the slope at 0.
        slope: f32,
    },
}
impl RowTransform {
    /// Of a row with this temperature.
    pub fn new(t: &Transform, temperature: f64) -> RowTransform {
        let slope = (t.logit_scale / temperature) as f32;
        if t.softcap != 0.0 {
            let (inner, outer) = ((t.logit_scale / t.softcap) as f32, (t.softcap / temperature) as f32);
            RowTransform::Softcap { inner, outer, slope }
        } else if slope == 1.0 {
            RowTransform::Plain
        } else {
            RowTransform::Scale(slope)
        }
    }
    /// Transformed logit. A dead column (raw logit or bias `-inf`) is `-inf` whatever else it holds; a raw `+inf` stays.
    #[inline(always)]
    pub fn apply<R: Real>(&self, z: R, bias: Option<R>) -> R {
        let v = match bias {
            Some(b) => z + b,
            None => z,
        };
        let x = match *self {
            RowTransform::Plain => v,
            RowTransform::Scale(a) => v * z.lit(a as f64),
            RowTransform::Softcap { inner, outer, .. } => (v * z.lit(inner as f64)).tanh() * z.lit(outer as f64),
        };
        let (inf, dead) = (z.lit(f64::INFINITY), z.lit(f64::NEG_INFINITY));
        let x = inf.select_le(z, inf, x);
        let x = z.select_le(dead, dead, x);
        match bias {
            Some(b) => b.select_le(dead, dead, x),
            None => x,
        }
    }
    /// dx/dz at v = z + bias of a live column: the slope times sech^2 w = 4 e / (1 + e)^2, e = e^(-2 |w|), w = inner v.
    #[inline(always)]
    pub fn slope<R: Real>(&self, v: R) -> R {
        match *self {
            RowTransform::Plain => v.lit(1.0),
            RowTransform::Scale(a) => v.lit(a as f64),
            RowTransform::Softcap { inner, slope, .. } => {
                let e = ((v * v.lit(inner as f64)).abs() * v.lit(-2.0)).exp();
                let s = v.lit(1.0) + e;
                v.lit(slope as f64) * (v.lit(4.0) * e / (s * s))
            }
        }
    }
}

/// Gradients of a scalar with respect to the figures of one row, the host factor included.
#[derive(Clone, Copy, Debug, Default)]
pub struct RowUpstream {
    /// Of the log-prob.
    pub logprob: f64,
    /// Of the lse.
    pub lse: f64,
    /// Of the entropy.
    pub entropy: f64,
}

/// The gradient of a row with respect to its transformed logits.
#[derive(Clone, Copy, Debug)]
pub enum RowGrad {
    /// Every column has this value: 0 if the row is ignored, has no live column or a dead target, NaN if it is poisoned.
    Fill(f32),
    /// See [`Columns`].
    Columns(Columns),
}
/// dx_j = p_j (c0 + c1 a_j), p_j = e^a_j `scale`, and its own value at the target.
///
/// This is g_lp (1[j = y] - p_j) + p_j [g_lse - g_H (a_j - u / (1 + r))] with the constants gathered in f64.
#[derive(Clone, Copy, Debug)]
pub struct Columns {
    /// Maximum of the row.
    pub m: f32,
    /// 1 / (1 + r)
    pub scale: f32,
    /// g_lse - g_lp + g_H u / (1 + r)
    pub c0: f32,
    /// -g_H
    pub c1: f32,
    /// Column and gradient of the target: there 1 - p must not cancel.
    pub target: Option<(usize, f64)>,
}
impl Columns {
    /// Gradient with respect to the transformed logit of a column other than the target.
    #[inline(always)]
    pub fn at(&self, x: f32) -> f32 {
        let d = clamp_row(x - self.m);
        let p = exp_row(d) * self.scale;
        p * self.c1.fma(d, self.c0)
    }
    /// Gradient with respect to the raw logit of a column other than the target.
    #[inline(always)]
    pub fn raw(&self, transform: &RowTransform, z: f32, bias: Option<f32>) -> f32 {
        if *transform == RowTransform::Plain && bias.is_none() {
            return self.at(z);
        }
        let x = transform.apply(z, bias);
        if x == f32::NEG_INFINITY { 0.0 } else { self.at(x) * transform.slope(z + bias.unwrap_or(0.0)) }
    }
    /// Gradient of the target with respect to the raw logit, `v` its raw logit and bias.
    #[inline]
    pub fn target(&self, transform: &RowTransform, v: f32) -> Option<(usize, f32)> {
        self.target.map(|(y, dx)| (y, (dx * transform.slope(v as f64)) as f32))
    }
}
impl RowGrad {
    /// `record` has been through [`Record::conclude`] with the same target.
    pub fn new(record: &Record, target: Target, g: &RowUpstream) -> RowGrad {
        if target == Target::Ignored {
            return RowGrad::Fill(0.0);
        }
        if record.poisoned() {
            return RowGrad::Fill(f32::NAN);
        }
        if record.flags & (row::TARGET_NEG_INF | row::ALL_NEG_INF) != 0 {
            return RowGrad::Fill(0.0);
        }
        let [m, r, u, xy] = [record.m, record.r, record.u, record.xy].map(f64::from);
        let sum = 1.0 + r;
        let mean = u / sum;
        let target = match target {
            Target::Column(y) => {
                let d = xy - m;
                let logprob = d - r.log1p();
                let p = Real::exp(logprob);
                let rest = if d == 0.0 { r / sum } else { -logprob.expm1() };
                let spread = if p == 0.0 { 0.0 } else { g.entropy * p * (d - mean) };
                Some((y, g.logprob * rest + g.lse * p - spread))
            }
            _ => None,
        };
        // a factor beyond f32 would turn a column of probability 0 into inf * 0
        let top = f32::MAX as f64;
        let c0 = g.lse - g.logprob + g.entropy * mean;
        let c0 = if c0.is_finite() { c0.clamp(-top, top) as f32 } else { c0 as f32 };
        RowGrad::Columns(Columns { m: record.m, scale: (1.0 / sum) as f32, c0, c1: -g.entropy as f32, target })
    }
}
