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
//! | `w1` | sum of a_j over the live columns |
//! | `live` | number of live columns |
//! | `wc`, `weight` | with class weights c: sum of c_j a_j and of c_j over the live columns |
//!
//! The last four are summed up only for a row loss with label smoothing and for the mean logit. The maximum's own 1 is in neither `r` nor `q1`: with it inside, a token of log-prob -4e-7 would be wrong by 20 %.
//!
//! # Order of the sums
//!
//! This is the definition that every kernel implements, bit for bit. [`block`] is its plain form.
//!
//! 1. A row is cut into blocks of [`BLOCK`] columns, at global columns that are multiples of `BLOCK`. Columns that are
//!    missing from the last block, and dead ones, count as `-inf`.
//! 2. m is the maximum of the block, `+0` if it is a zero. For each column d = max(x - m, [`EXP_LOW`]),
//!    (w, p) = [`exp_parts`]`(d)`, e = w p = [`exp_row`]`(d)`.
//! 3. Chain l of [`CHAINS`] takes the columns l, l + 32, l + 64, .. of the block in this order, from +0:
//!    `r = fma(w, p, r)` and `q1 = fma(e, e, q1)` unless x == m, `u = fma(e, d, u)` always.
//! 4. [`combine`] adds the chains: l and l + 16, then l and l + 8, l + 4, l + 2, l + 1.
//! 5. The number of columns with x == m, less one, is added to `r` and `q1` as one f32.
//! 6. A block with a NaN or with m = +inf is [`Record::poison`]; a block without a live column is [`Record::EMPTY`].
//! 7. [`Tree`] merges the blocks: level n joins blocks [i 2^n, (i + 1) 2^n), missing ones are skipped.
//!
//! [`Record::extend`] is the plain form of the last four fields; its chains and its tree are those of `r`.
//!
//! Rows of f64 logits are computed in f64 throughout, by the same rules with the exponential of [`Real`]: reference
//! quality, not speed.
use crate::dtype::Float;
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
/// The constants of [`exp_parts`]: 8 log2 e; what rounds to an integer and adds the exponent's bias; -ln 2 / 8; the
/// coefficients of f^3 and f^2 (smallest largest relative error of 1 + f + f^2 (c2 + c3 f) over abs(f) <= ln 2 / 16,
/// 0.44 x 2^-24).
pub const EXP_CONSTANTS: [f32; 5] =
    [core::f32::consts::LOG2_E * 8.0, 12582912.0 + 127.0 * 8.0, -core::f32::consts::LN_2 / 8.0, 0.16670546, 0.5000659];

/// max(d, [`EXP_LOW`]); NaN stays.
#[inline(always)]
pub fn clamp_row(d: f32) -> f32 {
    if d < EXP_LOW { EXP_LOW } else { d }
}
/// e^d = w p for [`EXP_LOW`] <= d <= 88 and NaN, the exponential of every row sum: d = (8 n + j) ln 2 / 8 + f, w = 2^(n + j/8)
/// from a table of 8 (one permutation of a 256-bit vector), p a polynomial of degree 3 in f. Their product has an error of
/// 1.5 ulp near 0 and 0.03 ulp more for each factor of two; exactly 1 at 0 and exactly 0 at `EXP_LOW`. Between `EXP_LOW`
/// and -87.34 w is denormal and only the size of the result is right. A sum takes `fma(w, p, sum)`: one rounding less.
#[inline(always)]
pub fn exp_parts(d: f32) -> [f32; 2] {
    let [scale, magic, step, c3, c2] = EXP_CONSTANTS;
    let t = d.fma(scale, magic);
    let f = (t - magic).fma(step, d);
    let i = t.to_bits();
    let power = f32::from_bits(EXP_TABLE[(i % 8) as usize].wrapping_add(i << 20));
    let p = f.fma(c3, c2).fma(f, 1.0).fma(f, 1.0);
    [power, p]
}
/// The product of [`exp_parts`]: 2 ulp near 0.
#[inline(always)]
pub fn exp_row(d: f32) -> f32 {
    let [w, p] = exp_parts(d);
    w * p
}
/// What rows are computed in: f32, and f64 for f64 logits.
pub trait RowFloat: Real + Float + Constant<Self> + Constant<f64> {
    /// Plus infinity.
    const INF: Self;
    /// A NaN.
    const NAN: Self;
    /// Zero.
    const ZERO: Self;
    /// The largest finite number.
    const MAX: Self;
    /// [`clamp_row`] of f32, the same at the end of the exponential of f64.
    fn clamp_row(self) -> Self;
    /// [`exp_parts`] of f32, ([`Real::exp`], 1) of f64.
    fn exp_parts(self) -> [Self; 2];
    /// Their product.
    #[inline(always)]
    fn exp_row(self) -> Self {
        let [w, p] = self.exp_parts();
        w * p
    }
    /// A whole number as a bit pattern.
    fn from_word(x: u32) -> Self;
    /// The inverse of [`RowFloat::from_word`].
    fn word(self) -> u32;
    /// A stored number: exact, or rounded once where f64 becomes f32.
    fn of<T: Float>(x: T) -> Self;
    /// Rounded once.
    fn to<T: Float>(self) -> T;
    /// Sorts like (value descending, column ascending) when sorted in descending order.
    type Key: Copy + Ord + Default + core::fmt::Debug;
    /// Of a value that is no NaN; `-0` counts as `+0`.
    fn key(self, column: u32) -> Self::Key;
    /// The inverse of [`RowFloat::key`].
    fn unkey(key: Self::Key) -> (Self, u32);
}
macro_rules! row_float {
    ($t:ident, $u:ident, $key:ident, $clamp:expr, $exp:expr, $to:ident, $from:ident) => {
        impl RowFloat for $t {
            const INF: $t = $t::INFINITY;
            const NAN: $t = $t::NAN;
            const ZERO: $t = 0.0;
            const MAX: $t = $t::MAX;
            #[inline(always)]
            fn clamp_row(self) -> $t {
                $clamp(self)
            }
            #[inline(always)]
            fn exp_parts(self) -> [$t; 2] {
                $exp(self)
            }
            #[inline(always)]
            fn from_word(x: u32) -> $t {
                $t::from_bits(x as $u)
            }
            #[inline(always)]
            fn word(self) -> u32 {
                self.to_bits() as u32
            }
            #[inline(always)]
            fn of<T: Float>(x: T) -> $t {
                x.$to()
            }
            #[inline(always)]
            fn to<T: Float>(self) -> T {
                T::$from(self)
            }
            type Key = $key;
            #[inline(always)]
            fn key(self, column: u32) -> $key {
                let b = (self + 0.0).to_bits();
                let b = if b >> ($u::BITS - 1) == 1 { !b } else { b | 1 << ($u::BITS - 1) };
                (b as $key) << 32 | !column as $key
            }
            #[inline(always)]
            fn unkey(key: $key) -> ($t, u32) {
                let b = (key >> 32) as $u;
                let b = if b >> ($u::BITS - 1) == 1 { b & !(1 << ($u::BITS - 1)) } else { !b };
                ($t::from_bits(b), !(key as u32))
            }
        }
    };
}
row_float!(f32, u32, u64, clamp_row, exp_parts, to_f32, from_f32);
row_float!(
    f64,
    u64,
    u128,
    |d: f64| if d < -746.0 { -746.0 } else { d },
    |d: f64| [Real::exp(d), 1.0],
    to_f64,
    from_f64
);

/// Sum of the chains of a block, in the fixed order.
#[inline(always)]
pub fn combine<F: RowFloat>(mut chains: [F; CHAINS]) -> F {
    let mut w = CHAINS / 2;
    while w > 0 {
        for i in 0..w {
            chains[i] = chains[i] + chains[i + w];
        }
        w /= 2;
    }
    chains[0]
}

/// What a set of columns is reduced to.
#[derive(Clone, Copy, Debug)]
pub struct Record<F = f32> {
    /// Largest transformed logit; `-inf` if no column is live, `+inf` if the record is poisoned.
    pub m: F,
    /// Sum of the exponentials without the maximum's own 1.
    pub r: F,
    /// Sum of e^a a.
    pub u: F,
    /// Sum of e^(2a) without the maximum's own 1.
    pub q1: F,
    /// Transformed logit of the target, `-inf` if it is not in the set.
    pub xy: F,
    /// First column with the maximum, counted over the whole vocabulary.
    pub k: u32,
    /// Columns larger than the target; counted only where the rank is asked for.
    pub above: u32,
    /// Live columns; counted only where smoothing or the mean logit is asked for.
    pub live: u32,
    /// Bits of [`crate::error::row`].
    pub flags: u32,
    /// Sum of a; see [`Record::extend`].
    pub w1: F,
    /// Sum of c a, with class weights c.
    pub wc: F,
    /// Sum of c.
    pub weight: F,
    /// Factor omega of the row loss, where it has one; set when the row is complete.
    pub scale: F,
}
impl<F: RowFloat> Record<F> {
    /// The record of no columns.
    pub const EMPTY: Record<F> = Record {
        m: F::NEG_INF,
        r: F::ZERO,
        u: F::ZERO,
        q1: F::ZERO,
        xy: F::NEG_INF,
        k: 0,
        above: 0,
        live: 0,
        flags: 0,
        w1: F::ZERO,
        wc: F::ZERO,
        weight: F::ZERO,
        scale: F::ZERO,
    };

    /// The one record of every set with a NaN or a `+inf`; it wins each merge.
    pub const fn poison(flags: u32) -> Record<F> {
        Record { m: F::INF, r: F::NAN, u: F::NAN, q1: F::NAN, xy: F::NAN, flags, ..Record::EMPTY }
    }
    /// Whether a NaN or a `+inf` is among the columns.
    #[inline(always)]
    pub fn poisoned(&self) -> bool {
        // also true for a NaN
        !(self.m < F::INF && self.r < F::INF)
    }
    /// Sums up `w1` and `live`, with class weights also `wc` and `weight`, of the block that `self` is the record of.
    pub fn extend(&mut self, x: &[F], class_weight: Option<&[F]>) {
        if self.poisoned() || self.m == F::NEG_INF {
            return;
        }
        let zero = [F::ZERO; CHAINS];
        let (mut w1, mut wc, mut weight) = (zero, zero, zero);
        for (j, &x) in x.iter().enumerate().filter(|(_, x)| **x > F::NEG_INF) {
            let l = j % CHAINS;
            let a = distance(x, self.m);
            self.live += 1;
            w1[l] = w1[l] + a;
            if let Some(c) = class_weight {
                wc[l] = c[j].fma(a, wc[l]);
                weight[l] = weight[l] + c[j];
            }
        }
        (self.w1, self.wc, self.weight) = (combine(w1), combine(wc), combine(weight));
    }
    /// Record of the columns of `self` and `b`; all columns of `self` lie below those of `b`.
    #[inline(always)]
    pub fn merge(self, b: Record<F>) -> Record<F> {
        let flags = self.flags | b.flags;
        if self.poisoned() || b.poisoned() {
            return Record::poison(flags);
        }
        let (mut w, l) = if b.m > self.m { (b, self) } else { (self, b) };
        // a side without a live column would give d * 0 with d = -inf
        if l.m != F::NEG_INF {
            let d = (l.m - w.m).clamp_row();
            let c = d.exp_row();
            let all = l.r.lit(1.0) + l.r;
            w.r = w.r + c * all;
            w.u = w.u + c * (l.u + d * all);
            w.q1 = w.q1 + c * c * (l.r.lit(1.0) + l.q1);
            let d = distance(l.m, w.m);
            w.w1 = w.w1 + (l.w1 + F::from_f64(l.live as f64) * d);
            w.wc = w.wc + (l.wc + l.weight * d);
            w.weight = w.weight + l.weight;
        }
        w.xy = if b.xy > self.xy { b.xy } else { self.xy };
        w.above = self.above.wrapping_add(b.above); // what a caller hands back may hold anything
        w.live = self.live.wrapping_add(b.live);
        w.flags = flags;
        w
    }
    /// The record of a whole row with its flags: what [`Record::figures`], [`Record::pack`] and [`RowGrad::new`] take.
    #[inline]
    pub fn conclude(self, target: Target) -> Record<F> {
        if target == Target::Ignored {
            return Record { flags: row::IGNORED, ..Record::EMPTY };
        }
        if self.poisoned() {
            return Record::poison(self.flags);
        }
        let mut x = self;
        if x.m == F::NEG_INF {
            x.flags |= row::ALL_NEG_INF;
        } else if matches!(target, Target::Column(_)) && x.xy == F::NEG_INF {
            x.flags |= row::TARGET_NEG_INF;
        } else if x.xy > F::NEG_INF && x.xy - x.m == F::NEG_INF {
            // the log-prob is beyond the type
            x.flags |= row::OVERFLOW;
        }
        x
    }
    /// The saved statistics of a row: {m, r, u, q1, xy, k, above, flags, live, weight, scale, 0}, whole numbers as their
    /// bits.
    #[inline]
    pub fn pack(&self) -> [F; STATS] {
        let word = F::from_word;
        let &Record { m, r, u, q1, xy, k, above, live, flags, weight, scale, .. } = self;
        [m, r, u, q1, xy, word(k), word(above), word(flags), word(live), weight, scale, F::ZERO]
    }
    /// The inverse of [`Record::pack`].
    #[inline]
    pub fn unpack(stats: &[F]) -> Record<F> {
        Record {
            m: stats[0],
            r: stats[1],
            u: stats[2],
            q1: stats[3],
            xy: stats[4],
            k: stats[5].word(),
            above: stats[6].word(),
            flags: stats[7].word(),
            live: stats[8].word(),
            weight: stats[9],
            scale: stats[10],
            ..Record::EMPTY
        }
    }
    /// The record of a part of a row (blocks, a shard), which is not complete: as [`Record::pack`], with w1 and wc in the
    /// places of `scale` and of the 0.
    #[inline]
    pub fn pack_part(&self) -> [F; STATS] {
        let mut x = self.pack();
        (x[10], x[11]) = (self.w1, self.wc);
        x
    }
    /// The inverse of [`Record::pack_part`].
    #[inline]
    pub fn unpack_part(part: &[F]) -> Record<F> {
        Record { w1: part[10], wc: part[11], scale: F::ZERO, ..Record::unpack(part) }
    }
    /// L = log(1 + r), in f64.
    #[inline(always)]
    pub fn log_sum(&self) -> f64 {
        self.r.to_f64().log1p()
    }
    /// Log-prob of a column with the transformed logit `x`, in f64: x - m - L; NaN if the row has none.
    #[inline(always)]
    pub fn logprob_of(&self, x: F) -> f64 {
        if self.poisoned() || self.m == F::NEG_INF {
            return f64::NAN;
        }
        (x.to_f64() - self.m.to_f64()) - self.log_sum()
    }
    /// log of the part of the mass of `all` that this record's columns, some of those of `all`, hold; at most 0.
    #[inline]
    pub fn log_share(&self, all: &Record<F>) -> F {
        if all.poisoned() {
            return F::NAN;
        }
        let [a, b] = [self, all].map(|x| (x.m.to_f64(), x.log_sum()));
        let share = (a.0 - b.0) + (a.1 - b.1);
        F::from_f64(if share > 0.0 { 0.0 } else { share })
    }
    /// Figures of a row, formed in f64 and rounded once. With L = log1p(r), t = xy - m:
    /// logprob t - L, lse m + L, entropy L - u / (1 + r), log sum p^2 = log1p(q1) - 2 L, mean logit m + w1 / live.
    #[inline(always)]
    pub fn figures(&self, target: Target) -> Row<F> {
        let nan = F::NAN;
        if target == Target::Ignored {
            let (zero, status) = (F::ZERO, row::IGNORED);
            return Row {
                logprob: zero,
                lse: zero,
                max: zero,
                argmax: -1,
                entropy: zero,
                log_sum_sq: zero,
                mean_logit: zero,
                is_top1: 0,
                rank: -1,
                status,
            };
        }
        let status = self.flags;
        let bad = Row {
            logprob: nan,
            lse: nan,
            max: nan,
            argmax: -1,
            entropy: nan,
            log_sum_sq: nan,
            mean_logit: nan,
            is_top1: 0,
            rank: -1,
            status,
        };
        if self.poisoned() {
            return bad;
        }
        if self.m == F::NEG_INF {
            return Row { lse: self.m, max: self.m, ..bad };
        }
        let [m, r, u, q1, xy] = [self.m, self.r, self.u, self.q1, self.xy].map(F::to_f64);
        let l = r.log1p();
        let put = F::from_f64;
        Row {
            logprob: put((xy - m) - l),
            lse: put(m + l),
            max: self.m,
            argmax: self.k as i32,
            entropy: put(l - u / (1.0 + r)),
            log_sum_sq: put(q1.log1p() - 2.0 * l),
            mean_logit: put(m + self.w1.to_f64() / self.live as f64),
            is_top1: (target == Target::Column(self.k as usize)) as u8,
            rank: self.above as i32,
            status,
        }
    }
}
/// a = x - m of two live logits, finite.
#[inline(always)]
pub fn distance<F: RowFloat>(x: F, m: F) -> F {
    let a = x - m;
    if a < -F::MAX { -F::MAX } else { a }
}

/// Figures of one row; see [`Figures`].
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)]
pub struct Row<F = f32> {
    pub logprob: F,
    pub lse: F,
    pub max: F,
    pub argmax: i32,
    pub entropy: F,
    pub log_sum_sq: F,
    pub mean_logit: F,
    pub is_top1: u8,
    pub rank: i32,
    pub status: u32,
}

/// Writes what is asked for about row `i` of `out` and follows from the record alone. `record` has been through
/// [`Record::conclude`].
#[inline(always)]
pub fn write<F: RowFloat>(record: &Record<F>, target: Target, out: &mut Figures<'_, F>, i: usize) {
    let x = record.figures(target);
    macro_rules! put {
        ($($f:ident)*) => {$( if let Some(m) = &mut out.$f { m.set(i, x.$f) } )*};
    }
    put!(logprob lse max argmax entropy log_sum_sq mean_logit is_top1 rank status);
    if let Some(m) = &mut out.stats {
        m.row_mut(i).copy_from_slice(&record.pack());
    }
}

/// What a tree adds up: sums of a block that can be joined with those of its neighbour.
pub trait Node: Copy {
    /// Of no columns.
    const EMPTY: Self;
    /// Of the columns of `self` and, above them, those of `b`.
    fn merge(self, b: Self) -> Self;
}
impl<F: RowFloat> Node for Record<F> {
    const EMPTY: Record<F> = Record::EMPTY;
    #[inline(always)]
    fn merge(self, b: Record<F>) -> Record<F> {
        Record::merge(self, b)
    }
}
/// Merges records of neighbouring blocks, or of equal aligned runs of 2^n blocks, in ascending order.
#[derive(Clone, Debug)]
pub struct Tree<T = Record> {
    /// 2^31 columns are 2^20 blocks.
    stack: [T; 22],
    depth: usize,
    count: usize,
}
impl<T: Node> Default for Tree<T> {
    fn default() -> Self {
        Tree::new()
    }
}
impl<T: Node> Tree<T> {
    /// No records yet.
    #[inline(always)]
    pub const fn new() -> Tree<T> {
        Tree { stack: [T::EMPTY; 22], depth: 0, count: 0 }
    }
    /// The next record. At most 2^21.
    #[inline(always)]
    pub fn push(&mut self, x: T) {
        self.push_run(x, 0);
    }
    /// The record of the next 2^`level` ones; their number so far is a multiple of it.
    #[inline(always)]
    pub fn push_run(&mut self, mut x: T, level: u32) {
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
    pub fn finish(mut self) -> T {
        if self.depth == 0 {
            return T::EMPTY;
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
    pub fn push<T: Node>(self, tree: &mut Tree<T>, x: T, columns: usize) {
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
pub fn block<F: RowFloat>(x: &[F], first: usize) -> Record<F> {
    debug_assert!(x.len() <= BLOCK && first.is_multiple_of(BLOCK));
    let (mut m, mut k) = (F::NEG_INF, 0);
    for (j, &x) in x.iter().enumerate() {
        if x > m {
            (m, k) = (x, j);
        }
    }
    m = m + F::ZERO; // -0 becomes +0
    let centre = if m == F::NEG_INF { F::ZERO } else { m };
    let zero = [F::ZERO; CHAINS];
    let (mut r, mut u, mut q1, mut ties) = (zero, zero, zero, 0u32);
    for (j, &x) in x.iter().enumerate() {
        let l = j % CHAINS;
        let d = (x - centre).clamp_row();
        let [w, p] = d.exp_parts();
        let e = w * p;
        u[l] = e.fma(d, u[l]);
        if x == m {
            ties += 1;
        } else {
            r[l] = w.fma(p, r[l]);
            q1[l] = e.fma(e, q1[l]);
        }
    }
    seal(m, combine(r), combine(u), combine(q1), ties, first + k)
}
/// The record of a block from its maximum, its combined chains and the number of columns with the maximum.
#[inline(always)]
pub fn seal<F: RowFloat>(m: F, r: F, u: F, q1: F, ties: u32, k: usize) -> Record<F> {
    if !(r <= F::INF) || m == F::INF {
        return Record::poison(0);
    }
    if m == F::NEG_INF {
        return Record::EMPTY;
    }
    let more = F::from_f64(ties as f64 - 1.0);
    Record { m, r: r + more, u, q1: q1 + more, k: k as u32, ..Record::EMPTY }
}

/// A constant that arithmetic over `R` uses: an f32, or a vector with one of each lane's row.
pub trait Constant<R>: Copy {
    /// As a value beside `like`.
    fn beside(self, like: R) -> R;
}
impl<R: Real> Constant<R> for f32 {
    #[inline(always)]
    fn beside(self, like: R) -> R {
        like.lit(self as f64)
    }
}
impl<R: Real> Constant<R> for f64 {
    #[inline(always)]
    fn beside(self, like: R) -> R {
        like.lit(self)
    }
}
/// The transform of one row, or of the rows in the lanes of a vector: its constants are formed in f64 and rounded once.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum RowTransform<C = f32> {
    /// x = z + bias.
    Plain,
    /// x = a (z + bias), a = logit_scale / temperature.
    Scale(C),
    /// x = outer tanh(inner (z + bias)).
    Softcap {
        /// logit_scale / softcap.
        inner: C,
        /// softcap / temperature.
        outer: C,
        /// logit_scale / temperature, the slope at 0.
        slope: C,
    },
}
impl<F: RowFloat> RowTransform<F> {
    /// Of a row with this temperature.
    pub fn new(t: &Transform, temperature: f64) -> RowTransform<F> {
        let slope = F::from_f64(t.logit_scale / temperature);
        if t.softcap != 0.0 {
            let (inner, outer) = (F::from_f64(t.logit_scale / t.softcap), F::from_f64(t.softcap / temperature));
            RowTransform::Softcap { inner, outer, slope }
        } else if slope == F::from_f64(1.0) {
            RowTransform::Plain
        } else {
            RowTransform::Scale(slope)
        }
    }
}
impl<C: Copy> RowTransform<C> {
    /// Transformed logit. A dead column (raw logit or bias `-inf`) is `-inf` whatever else it holds; a raw `+inf` stays.
    #[inline(always)]
    pub fn apply<R: Real>(&self, z: R, bias: Option<R>) -> R
    where
        C: Constant<R>,
    {
        let v = match bias {
            Some(b) => z + b,
            None => z,
        };
        let x = match *self {
            RowTransform::Plain => v,
            RowTransform::Scale(a) => v * a.beside(z),
            RowTransform::Softcap { inner, outer, .. } => (v * inner.beside(z)).tanh() * outer.beside(z),
        };
        let (inf, dead) = (z.lit(f64::INFINITY), z.lit(f64::NEG_INFINITY));
        let x = inf.select_le(z.abs(), z, x);
        match bias {
            Some(b) => b.select_le(dead, dead, x),
            None => x,
        }
    }
    /// dx/dz at v = z + bias of a live column: the slope times sech^2 w = 4 e / (1 + e)^2, e = e^(-2 |w|), w = inner v.
    #[inline(always)]
    pub fn slope<R: Real>(&self, v: R) -> R
    where
        C: Constant<R>,
    {
        match *self {
            RowTransform::Plain => v.lit(1.0),
            RowTransform::Scale(a) => a.beside(v),
            RowTransform::Softcap { inner, slope, .. } => {
                let e = ((v * inner.beside(v)).abs() * v.lit(-2.0)).exp();
                let s = v.lit(1.0) + e;
                slope.beside(v) * (v.lit(4.0) * e / (s * s))
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
    /// Sum of those of the log-probs of extra columns.
    pub extra: f64,
    /// Of the row loss; [`crate::row_loss::Terms::fold`] turns it into the others.
    pub loss: f64,
    /// tau: what each live column loses by smoothing, times its class weight.
    pub smooth: f64,
    /// tau times the sum of the class weights (without them, of the live columns).
    pub smooth_sum: f64,
    /// Class weight of the target, 1 without class weights.
    pub class_weight: f64,
}
impl RowUpstream {
    /// Gradient with respect to a transformed logit x that the figures name: `own` is the gradient of the log-prob of this
    /// column, however often it is named, `class_weight` its weight. In f64: 1 - p must not cancel.
    pub fn named<F: RowFloat>(&self, record: &Record<F>, x: F, own: f64, class_weight: f64) -> f64 {
        let [m, r, u, x] = [record.m, record.r, record.u, x].map(F::to_f64);
        let sum = 1.0 + r;
        let mean = u / sum;
        let d = x - m;
        let logprob = d - r.log1p();
        let p = Real::exp(logprob);
        let rest = if d == 0.0 { r / sum } else { -logprob.expm1() };
        let spread = if p == 0.0 { 0.0 } else { self.entropy * p * (d - mean) };
        let others = if own == self.logprob { self.extra } else { (self.logprob + self.extra) - own };
        let mut dx = own * rest + (self.lse - others) * p - spread;
        if self.smooth != 0.0 {
            dx += self.smooth_sum * p - self.smooth * class_weight;
        }
        dx
    }
}

/// The gradient of a row with respect to its transformed logits.
#[derive(Clone, Copy, Debug)]
pub enum RowGrad<F = f32> {
    /// Every column has this value: 0 if the row is ignored, has no live column or a dead target, NaN if it is poisoned.
    Fill(F),
    /// See [`Columns`].
    Columns(Columns<F>),
}
/// dx_j = e^a_j (c0 + c1 a_j) - tau c_j, and its own value at the target.
///
/// This is g_lp (1[j = y] - p_j) + p_j [g_lse - g_H (a_j - u / (1 + r))] + tau (W p_j - c_j) with the constants, 1 / (1 + r)
/// among them, gathered in f64; the c_j are class weights, 1 without them.
#[derive(Clone, Copy, Debug)]
pub struct Columns<F = f32> {
    /// Maximum of the row.
    pub m: F,
    /// (g_lse - g_lp + g_H u / (1 + r) + tau W, less the gradients of extra columns) / (1 + r)
    pub c0: F,
    /// -g_H / (1 + r)
    pub c1: F,
    /// tau of smoothing; 0 without it.
    pub tau: F,
    /// Column and gradient of the target: there 1 - p must not cancel. Wrong where the target is an extra column too.
    pub target: Option<(usize, f64)>,
}
impl<F: RowFloat> Columns<F> {
    /// Gradient with respect to the transformed logit of a column other than the target, without smoothing.
    #[inline(always)]
    pub fn at(&self, x: F) -> F {
        let d = (x - self.m).clamp_row();
        d.exp_row() * self.c1.fma(d, self.c0)
    }
    /// Gradient with respect to the raw logit of a column other than the target, without smoothing.
    #[inline(always)]
    pub fn raw(&self, transform: &RowTransform<F>, z: F, bias: Option<F>) -> F {
        if *transform == RowTransform::Plain && bias.is_none() {
            return self.at(z);
        }
        let x = transform.apply(z, bias);
        if x == F::NEG_INF { F::ZERO } else { self.at(x) * transform.slope(z + bias.unwrap_or(F::ZERO)) }
    }
    /// [`Columns::raw`] with smoothing; `class_weight` is 1 where there are none.
    #[inline(always)]
    pub fn smoothed(&self, transform: &RowTransform<F>, z: F, bias: Option<F>, class_weight: F) -> F {
        let x = transform.apply(z, bias);
        if x == F::NEG_INF {
            return F::ZERO;
        }
        (-self.tau).fma(class_weight, self.at(x)) * transform.slope(z + bias.unwrap_or(F::ZERO))
    }
    /// Gradient of the target with respect to the raw logit, `v` its raw logit and bias.
    #[inline]
    pub fn target(&self, transform: &RowTransform<F>, v: F) -> Option<(usize, F)> {
        self.target.map(|(y, dx)| (y, F::from_f64(dx * transform.slope(v.to_f64()))))
    }
}
impl<F: RowFloat> RowGrad<F> {
    /// `record` has been through [`Record::conclude`] with the same target; `g` through [`crate::row_loss::Terms::fold`] if
    /// there is a row loss.
    pub fn new(record: &Record<F>, target: Target, g: &RowUpstream) -> RowGrad<F> {
        if target == Target::Ignored {
            return RowGrad::Fill(F::ZERO);
        }
        if record.poisoned() {
            return RowGrad::Fill(F::NAN);
        }
        if record.flags & (row::TARGET_NEG_INF | row::ALL_NEG_INF) != 0 {
            return RowGrad::Fill(F::ZERO);
        }
        let [r, u] = [record.r, record.u].map(F::to_f64);
        let sum = 1.0 + r;
        let mean = u / sum;
        let target = match target {
            Target::Column(y) => Some((y, g.named(record, record.xy, g.logprob, g.class_weight))),
            _ => None,
        };
        let mut c0 = g.lse - g.logprob + g.entropy * mean;
        if g.smooth != 0.0 || g.extra != 0.0 {
            c0 += g.smooth_sum - g.extra;
        }
        // a factor beyond the type would turn a column of probability 0 into inf * 0
        let (c0, top) = (c0 / sum, F::MAX.to_f64());
        let c0 = F::from_f64(if c0.is_finite() { c0.clamp(-top, top) } else { c0 });
        let (c1, tau) = (F::from_f64(-g.entropy / sum), F::from_f64(g.smooth));
        RowGrad::Columns(Columns { m: record.m, c0, c1, tau, target })
    }
}
