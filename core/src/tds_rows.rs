//! Token distribution shift: how far the next-token distribution of an aligned model has moved from that of its base, row by
//! row (URIAL, arXiv:2312.01552).
//!
//! t = softmax of the aligned row, p of the base row, y the token: eta = 1 + the number of base columns larger than y's;
//! KL(t || p) and KL(p || t) over the whole vocabulary, each the sum of terms that are never negative: with d = log t - log p,
//! F(t, p, d) = t d + p - t, written t h(d) where |d| < 1/2, h(d) = d + e^-d - 1. A common error c of all d changes the sum by
//! h(-c); it shows in the sum of t - p, which is 0, and is taken out. So a KL of 1e-13 keeps its digits.
//!
//! Each block of [`BLOCK`] columns gives f32 sums by [`CHAINS`] chains and [`combine`]; blocks add up in f64 in ascending order.
use crate::divergence::formula::{Column, Pair, term};
use crate::divergence::{Form, refine};
use crate::error::{Result, row};
use crate::logprob::Target;
use crate::matrix::{MatrixMut, Split};
use crate::real::Real;
use crate::record::{BLOCK, CHAINS, Record, combine};

/// Class of a row: eta = 1.
pub const UNSHIFTED: u8 = 0;
/// Class of a row: eta is 2 or 3.
pub const MARGINAL: u8 = 1;
/// Class of a row: eta > 3.
pub const SHIFTED: u8 = 2;
/// Class of a row without a rank.
pub const INVALID: u8 = 255;

/// Where the figures go, each `[T]` and computed only when its place is given.
#[derive(Debug, Default)]
pub struct Figures<'a> {
    /// Base columns larger than the token's; -1 where the row has none.
    pub rank: Option<MatrixMut<'a, i32>>,
    /// Other base columns equal to it.
    pub ties: Option<MatrixMut<'a, i32>>,
    /// rank + 1
    pub eta: Option<MatrixMut<'a, i32>>,
    /// eta + ties
    pub eta_max: Option<MatrixMut<'a, i32>>,
    /// Log-prob of the token, base model.
    pub logp_base: Option<MatrixMut<'a, f32>>,
    /// The same, aligned model.
    pub logp_aligned: Option<MatrixMut<'a, f32>>,
    /// KL(aligned || base), nats.
    pub kl_aligned_base: Option<MatrixMut<'a, f32>>,
    /// KL(base || aligned), nats.
    pub kl_base_aligned: Option<MatrixMut<'a, f32>>,
    /// [`UNSHIFTED`], [`MARGINAL`], [`SHIFTED`] or [`INVALID`].
    pub class: Option<MatrixMut<'a, u8>>,
    /// Bits of [`crate::error::row`].
    pub status: Option<MatrixMut<'a, u32>>,
}
macro_rules! each {
    ($m:ident) => { $m!(rank ties eta eta_max logp_base logp_aligned kl_aligned_base kl_base_aligned class status) };
}
impl Split for Figures<'_> {
    fn split(self, row: usize) -> (Self, Self) {
        let (mut a, mut b) = (Figures::default(), Figures::default());
        macro_rules! cut {
            ($($f:ident)*) => {$( (a.$f, b.$f) = self.$f.split(row); )*};
        }
        each!(cut);
        (a, b)
    }
}
impl Figures<'_> {
    /// Refuses places of the wrong shape.
    pub fn check(&self, rows: usize) -> Result<()> {
        macro_rules! check {
            ($($f:ident)*) => {$( self.$f.as_ref().map_or(Ok(()), |m| m.layout().check(concat!("out_", stringify!($f)), rows, 1))?; )*};
        }
        each!(check);
        Ok(())
    }
    /// Whether a divergence is asked for.
    pub fn divergence(&self) -> bool {
        self.kl_aligned_base.is_some() || self.kl_base_aligned.is_some()
    }
    /// Writes the figures of row `i`.
    pub fn put(&mut self, i: usize, x: &Row) {
        let eta = x.rank + 1;
        macro_rules! put {
            ($($f:ident: $x:expr),*) => {$( if let Some(m) = &mut self.$f { m.set(i, $x) } )*};
        }
        put!(rank: x.rank, ties: x.ties, eta: eta, eta_max: eta + x.ties, logp_base: x.logp_base,
            logp_aligned: x.logp_aligned, kl_aligned_base: x.kl_aligned_base, kl_base_aligned: x.kl_base_aligned,
            class: x.class(), status: x.status);
    }
}

/// Figures of a row; see [`Figures`].
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)]
pub struct Row {
    pub rank: i32,
    pub ties: i32,
    pub logp_base: f32,
    pub logp_aligned: f32,
    pub kl_aligned_base: f32,
    pub kl_base_aligned: f32,
    pub status: u32,
}
impl Row {
    /// A row that has no figures: `x` stands for each real one.
    pub fn without(x: f32, status: u32) -> Row {
        Row { rank: -1, ties: 0, logp_base: x, logp_aligned: x, kl_aligned_base: x, kl_base_aligned: x, status }
    }
    /// Its class.
    pub fn class(&self) -> u8 {
        match self.rank {
            0 => UNSHIFTED,
            1 | 2 => MARGINAL,
            3.. => SHIFTED,
            _ => INVALID,
        }
    }
    /// The figures from both concluded records and the sums over all blocks. A side with a NaN, a `+inf` or no live column
    /// leaves none.
    pub fn new(base: &Record, aligned: &Record, y: usize, sums: &Sums) -> Row {
        let mut status = base.flags | aligned.flags;
        if let Some(bad) = Row::bad(base, aligned) {
            return bad;
        }
        let s = sums.delta;
        let refined = |sum: f64, s: f64| {
            let kl = refine(s).map_or(sum, |error| sum - error.h());
            if kl > 0.0 || kl.is_nan() { kl as f32 } else { 0.0 }
        };
        let (kl_aligned_base, kl_base_aligned) = (refined(sums.forward, s), refined(sums.reverse, -s));
        if kl_aligned_base == f32::INFINITY || kl_base_aligned == f32::INFINITY {
            status |= row::INFINITE;
        }
        let target = Target::Column(y);
        Row {
            rank: sums.above as i32,
            // the token itself is no tie; where it is dead in the base, nothing equals it
            ties: if base.xy == f32::NEG_INFINITY { 0 } else { sums.equal as i32 - 1 },
            logp_base: base.figures(target).logprob,
            logp_aligned: aligned.figures(target).logprob,
            kl_aligned_base,
            kl_base_aligned,
            status,
        }
    }
    /// The row without figures that a bad side leaves.
    pub fn bad(base: &Record, aligned: &Record) -> Option<Row> {
        let bad = [base, aligned].iter().any(|x| x.poisoned() || x.m == f32::NEG_INFINITY);
        bad.then(|| Row::without(f32::NAN, base.flags | aligned.flags))
    }
}

/// What a row's blocks add up to.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sums {
    /// Of F(t, p, d).
    pub forward: f64,
    /// Of F(p, t, -d).
    pub reverse: f64,
    /// Of t - p.
    pub delta: f64,
    /// Base columns above the token.
    pub above: u64,
    /// Base columns equal to it.
    pub equal: u64,
}
impl Sums {
    /// Adds the sums of the next block: forward, reverse, delta, above, equal.
    #[inline]
    pub fn add(&mut self, x: [f32; 5]) {
        self.forward += x[0] as f64;
        self.reverse += x[1] as f64;
        self.delta += x[2] as f64;
        self.above += x[3] as u64;
        self.equal += x[4] as u64;
    }
}

/// Constants of a row: a is the aligned side, b the base.
#[derive(Clone, Copy, Debug)]
pub struct Constants {
    /// Both sides.
    pub pair: Pair,
    /// The token's logit in the base row.
    pub xy: f32,
}
impl Constants {
    /// Of two records that are not bad.
    pub fn new(base: &Record, aligned: &Record) -> Constants {
        let pair = Pair::new(&Form::Kl, [aligned.m, base.m], [aligned.r, base.r], [false; 2]);
        Constants { pair, xy: base.xy }
    }
    /// [F(t, p, d), F(p, t, -d), t - p] of a column.
    #[inline(always)]
    pub fn terms<R: Real>(c: &Column<R>) -> [R; 3] {
        let [t, p] = c.p;
        [term(t, p, c.d), term(p, t, -c.d), c.delta()]
    }
    /// The sums of a block: the plain form of the kernel. Shorter sides end in dead columns.
    pub fn block(&self, y: &[f32; BLOCK], x: &[f32; BLOCK], divergence: bool) -> [f32; 5] {
        let mut sums = [[0.0f32; CHAINS]; 5];
        for j in 0..BLOCK {
            let (y, x, l) = (y[j], x[j], j % CHAINS);
            if divergence {
                for (sum, term) in sums.iter_mut().zip(Constants::terms(&self.pair.plain(y, x))) {
                    sum[l] += term;
                }
            }
            sums[3][l] += if x > self.xy { 1.0 } else { 0.0 };
            sums[4][l] += if x == self.xy { 1.0 } else { 0.0 };
        }
        sums.map(combine)
    }
}
