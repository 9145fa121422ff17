//! Token distribution shift: how far the next-token distribution of an aligned model has moved from that of its base, row by
//! row (URIAL, arXiv:2312.01552).
//!
//! t = softmax of the aligned row, p of the base row, y the token: eta = 1 + the number of base columns larger than y's;
//! KL(t || p) and KL(p || t) over the whole vocabulary, each the sum of terms that are never negative: with d = log t - log p,
//! F(t, p, d) = t d + p - t, written t h(d) where |d| < 1/2, h(d) = d + e^-d - 1. A common error c of all d changes the sum by
//! h(-c); it shows in the sum of t - p, which is 0, and is taken out. So a KL of 1e-13 keeps its digits.
//!
//! Each block of [`BLOCK`] columns gives f32 sums by [`CHAINS`] chains and [`combine`]; blocks add up in f64 in ascending order.
use crate::error::{Result, row};
use crate::logprob::Target;
use crate::matrix::{MatrixMut, Split};
use crate::real::Real;
use crate::record::{BLOCK, CHAINS, Record, clamp_row, combine, exp_row};

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
            let shift = -(-s).log1p();
            let kl = if shift.abs() < 1e-3 { sum - shift.h() } else { sum };
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

/// Constants of a row.
#[derive(Clone, Copy, Debug)]
pub struct Constants {
    /// Maximum of the aligned row.
    pub mt: f32,
    /// 1 / (1 + r) of it.
    pub scale_t: f32,
    /// Maximum of the base row.
    pub mp: f32,
    /// 1 / (1 + r) of it.
    pub scale_p: f32,
    /// log1p(r) of the aligned row less that of the base row.
    pub gamma: f32,
    /// The token's logit in the base row.
    pub xy: f32,
}
impl Constants {
    /// Of two records that are not bad.
    pub fn new(base: &Record, aligned: &Record) -> Constants {
        let [t, p] = [aligned, base].map(|x| x.r as f64);
        Constants {
            mt: aligned.m,
            scale_t: (1.0 / (1.0 + t)) as f32,
            mp: base.m,
            scale_p: (1.0 / (1.0 + p)) as f32,
            gamma: (t.log1p() - p.log1p()) as f32,
            xy: base.xy,
        }
    }
    /// Whether logits are subtracted before their maxima: exact for rows that are nearly alike, while the other way is for
    /// rows with different offsets.
    #[inline(always)]
    pub fn near(&self) -> bool {
        (self.mt - self.mp).abs() <= 1.0
    }
    /// [F(t, p, d), F(p, t, -d), t - p] of a column with the logits `y` (aligned) and `x` (base) and the probabilities t
    /// and p.
    #[inline(always)]
    pub fn terms<R: Real>(&self, y: R, x: R, t: R, p: R) -> [R; 3] {
        let (zero, half, top) = (y.lit(0.0), y.lit(0.5), y.lit(f32::MAX as f64));
        let (mt, mp) = (y.lit(self.mt as f64), y.lit(self.mp as f64));
        let b = if self.near() { (y - x) - (mt - mp) } else { (y - mt) - (x - mp) };
        let d = b - y.lit(self.gamma as f64);
        // -inf belongs to a dead column, whose terms are chosen below
        let d = d.select_lt(-top, -top, top.select_lt(d, top, d));
        let size = d.abs();
        #[inline(always)]
        fn far<R: Real>(a: R, b: R, e: R) -> R {
            a * e + (b - a)
        }
        let (near_f, near_r) = (t * d.h(), p * (-d).h());
        let forward = size.select_lt(half, near_f, far(t, p, d));
        let reverse = size.select_lt(half, near_r, far(p, t, -d));
        let part = -(-size).expm1();
        let delta = zero.select_lt(d, t * part, -(p * part));
        let dead = y.lit(f64::NEG_INFINITY);
        let inf = y.lit(f64::INFINITY);
        // dead in the base: F(t, 0) is infinite, F(0, t) = t; dead in the aligned row: the same the other way; in both: 0
        let forward = x.select_le(dead, y.select_le(dead, zero, inf), y.select_le(dead, p, forward));
        let reverse = x.select_le(dead, y.select_le(dead, zero, t), y.select_le(dead, inf, reverse));
        let delta = x.select_le(dead, y.select_le(dead, zero, t), y.select_le(dead, -p, delta));
        [forward, reverse, delta]
    }
    /// The sums of a block: the plain form of the kernel. Shorter sides end in dead columns.
    pub fn block(&self, y: &[f32; BLOCK], x: &[f32; BLOCK], divergence: bool) -> [f32; 5] {
        let mut sums = [[0.0f32; CHAINS]; 5];
        for j in 0..BLOCK {
            let (y, x, l) = (y[j], x[j], j % CHAINS);
            if divergence {
                let t = exp_row(clamp_row(y - self.mt)) * self.scale_t;
                let p = exp_row(clamp_row(x - self.mp)) * self.scale_p;
                for (sum, term) in sums.iter_mut().zip(self.terms(y, x, t, p)) {
                    sum[l] += term;
                }
            }
            sums[3][l] += if x > self.xy { 1.0 } else { 0.0 };
            sums[4][l] += if x == self.xy { 1.0 } else { 0.0 };
        }
        sums.map(combine)
    }
}
