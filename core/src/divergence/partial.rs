//! Divergences on a few columns of each row, the support S: those that the teacher, the student or both rate highest, or
//! given ones, with what lies outside renormalised away or gathered in one more bucket.
use super::{Kind, Problem};
use crate::error::{Error, Result, Value};
use crate::logprob::{Rows, Target};
use crate::matrix::{Floats, Ints, Matrix, MatrixMut, Split};
use crate::real::Real;
use crate::row_loss::MOST;

/// Who chooses S; the choice is a constant of the gradient.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chosen {
    /// The caller.
    Given,
    /// The teacher's largest.
    Teacher,
    /// The student's largest.
    Student,
    /// The largest of both, the teacher's first.
    Union,
    /// The largest of a third row.
    Reference,
}
/// What happens outside S.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outside {
    /// Both sides are renormalised on S.
    Renormalise,
    /// One more bucket holds the rest of each side.
    Tail,
    /// The teacher has the log-prob [`Partial::outside_logprob`] there in KL(p || t), and t = 0 in KL(t || p). The log-probs are
    /// those of the whole softmax; KL and cross entropy only, which may then be negative.
    Zero,
    /// The same, and nothing is added outside.
    Raw,
}
/// Settings of a partial divergence.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Partial {
    /// Who chooses.
    pub chosen: Chosen,
    /// What happens outside.
    pub outside: Outside,
    /// Columns a side chooses, in `1..=512`; 0 with given ids.
    pub k: usize,
    /// Floor of both probabilities of the bucket of [`Outside::Tail`], in `[0, 1e-6]`; 0: exact. Where it acts on the student
    /// the columns outside have no gradient.
    pub tail_floor: f64,
    /// See [`Outside::Zero`]; finite and negative.
    pub outside_logprob: f64,
    /// Both log-probs on S are raised to it with [`Outside::Zero`] and [`Outside::Raw`]; a column whose student is raised keeps
    /// its value and gives no gradient. Finite and negative; 0 is off.
    pub log_prob_floor: f64,
    /// The value of a row is clamped to +- this, with the same two; a row at it has no gradient. 0 is off.
    pub value_clamp: f64,
    /// The value of a row is at least 0; a row at it has no gradient.
    pub clamp_at_zero: bool,
}
impl Default for Partial {
    fn default() -> Self {
        Partial {
            chosen: Chosen::Given,
            outside: Outside::Renormalise,
            k: 0,
            tail_floor: 0.0,
            outside_logprob: -100.0,
            log_prob_floor: 0.0,
            value_clamp: 0.0,
            clamp_at_zero: false,
        }
    }
}
/// The teacher's numbers where there are no rows of logits: at the given ids.
#[derive(Clone, Copy, Debug)]
pub enum AtIds<'a> {
    /// `[N, K]`: log-probs of the whole softmax.
    Logprobs(Floats<'a>),
    /// `[N, K]`: logits, before the teacher's transform, and `[N]` the log sum exp of the whole transformed row, which all but
    /// [`Outside::Renormalise`] need.
    Logits(Floats<'a>, Option<Matrix<'a, f32>>),
    /// `[N, K]`: how often each id was drawn from the teacher, t is its share. Cross entropy with [`Outside::Raw`].
    Counts(Floats<'a>),
}
impl<'a> AtIds<'a> {
    /// The numbers.
    pub fn values(&self) -> Floats<'a> {
        match self {
            AtIds::Logprobs(x) | AtIds::Logits(x, _) | AtIds::Counts(x) => *x,
        }
    }
}
impl Partial {
    /// Checks settings and arrays; `teacher` where there are rows of its logits.
    pub fn check(
        &self,
        problem: &Problem,
        rows: &Rows<'_>,
        ids: Option<&Ints<'_>>,
        at: Option<&AtIds<'_>>,
    ) -> Result<()> {
        let n = problem.rows();
        if problem.options().kind == Kind::CosineLogits && self.outside == Outside::Tail {
            let expected = Value::Text("a kind of probabilities: a bucket has no logit");
            return Err(Error::invalid("options.kind", Value::Text("cosine_logits with `tail`"), expected));
        }
        self.check_numbers(problem)?;
        match (self.chosen, ids) {
            (Chosen::Given, None) => {
                let expected = Value::Text("ids, which the support `given` needs");
                return Err(Error::invalid("partial.ids", Value::Text("NULL"), expected));
            }
            (Chosen::Given, Some(_)) if self.k != 0 => {
                return Err(Error::invalid("partial.k", Value::Size(self.k), Value::Text("0 with given ids")));
            }
            (Chosen::Given, Some(ids)) => {
                let cols = ids.layout().cols;
                ids.layout().check("partial.ids", n, cols)?;
                if cols == 0 || cols > MOST {
                    return Err(Error::shape("partial.ids", Value::Size(cols), Value::Text("1 to 512 columns")));
                }
                self.check_ids(problem, rows, ids)?;
            }
            (_, Some(_)) => {
                let expected = Value::Text("NULL where a side chooses");
                return Err(Error::invalid("partial.ids", Value::Text("a tensor"), expected));
            }
            (_, None) if self.k == 0 || self.k > MOST => {
                return Err(Error::invalid("partial.k", Value::Size(self.k), Value::Below(1, MOST as i64 + 1)));
            }
            _ => {}
        }
        let Some(at) = at else { return Ok(()) };
        if self.chosen != Chosen::Given {
            let expected = Value::Text("given ids with values of the teacher at ids");
            return Err(Error::invalid("partial.support", Value::Text("a side's choice"), expected));
        }
        let cols = ids.map_or(0, |ids| ids.layout().cols);
        at.values().layout().check("partial.teacher_values", n, cols)?;
        if let AtIds::Logits(_, lse) = at {
            lse.as_ref().map_or(Ok(()), |m| m.layout().check("partial.teacher_lse", n, 1))?;
            if lse.is_none() && self.outside != Outside::Renormalise {
                let expected = Value::Text("the log sum exp of each row, which every rule but `renormalise` needs");
                return Err(Error::invalid("partial.teacher_lse", Value::Text("NULL"), expected));
            }
        }
        if let AtIds::Counts(counts) = at {
            if problem.options().kind != Kind::CrossEntropy || self.outside != Outside::Raw {
                let expected = Value::Text("cross_entropy and outside `raw` with counts");
                return Err(Error::invalid("options.teacher_form", Value::Text("samples"), expected));
            }
            for i in (0..n).filter(|&i| rows.target(i, problem.student().options()) != Target::Ignored) {
                for k in 0..cols {
                    let x = counts.at(i, k);
                    if !(0.0..f64::INFINITY).contains(&x) {
                        let legal = Value::Range { min: 0.0, max: f64::INFINITY, min_open: false, max_open: true };
                        return Err(Error::invalid("partial.teacher_values", Value::Float(x), legal));
                    }
                }
            }
        }
        Ok(())
    }
    fn check_numbers(&self, problem: &Problem) -> Result<()> {
        let invalid = |field, x, expected| Err(Error::invalid(field, Value::Float(x), Value::Text(expected)));
        let open = matches!(self.outside, Outside::Zero | Outside::Raw);
        let kind = problem.options().kind;
        if open && !matches!(kind, Kind::ForwardKl | Kind::ReverseKl | Kind::MixedKl | Kind::CrossEntropy) {
            let expected = Value::Text("forward_kl, reverse_kl, mixed_kl or cross_entropy with `zero` and `raw`");
            return Err(Error::invalid("options.kind", Value::Text(kind.info().name), expected));
        }
        if !(0.0..=1e-6).contains(&self.tail_floor) || self.tail_floor != 0.0 && self.outside != Outside::Tail {
            return invalid("partial.tail_floor", self.tail_floor, "0, or up to 1e-6 with `tail`");
        }
        let negative = |x: f64| x < 0.0 && x.is_finite();
        if !negative(self.outside_logprob) {
            return invalid("partial.outside_logprob", self.outside_logprob, "a negative number");
        }
        if self.log_prob_floor != 0.0 && !(open && negative(self.log_prob_floor)) {
            return invalid(
                "partial.log_prob_floor",
                self.log_prob_floor,
                "0, or a negative number with `zero` or `raw`",
            );
        }
        if self.value_clamp != 0.0 && !(open && self.value_clamp > 0.0 && self.value_clamp.is_finite()) {
            return invalid("partial.value_clamp", self.value_clamp, "0, or a positive number with `zero` or `raw`");
        }
        if self.clamp_at_zero && !open {
            let expected = Value::Text("no TRUING_CLAMP_AT_ZERO without `zero` or `raw`");
            return Err(Error::invalid("flags", Value::Text("TRUING_CLAMP_AT_ZERO"), expected));
        }
        Ok(())
    }
    fn check_ids(&self, problem: &Problem, rows: &Rows<'_>, ids: &Ints<'_>) -> Result<()> {
        let most = problem.student().total().max(problem.teacher().total());
        let mut sorted = [0u32; MOST];
        for i in 0..problem.rows() {
            if rows.target(i, problem.student().options()) == Target::Ignored {
                continue;
            }
            let mut n = 0;
            for k in 0..ids.layout().cols {
                match id(ids, i, k) {
                    -1 => {}
                    x if x < 0 || x >= most as i64 => {
                        return Err(super::out_of_range("partial.ids", x, i * ids.layout().cols + k, most));
                    }
                    x => {
                        sorted[n] = x as u32;
                        n += 1;
                    }
                }
            }
            sorted[..n].sort_unstable();
            if let Some(pair) = sorted[..n].windows(2).find(|w| w[0] == w[1]) {
                let got = Value::At { value: pair[0] as i64, index: i };
                return Err(Error::invalid("partial.ids", got, Value::Text("ids that differ within a row")));
            }
        }
        Ok(())
    }
    /// Most columns of S.
    pub fn most(&self, ids: Option<&Ints<'_>>) -> usize {
        match self.chosen {
            Chosen::Given => ids.map_or(0, |ids| ids.layout().cols),
            Chosen::Union => 2 * self.k,
            _ => self.k,
        }
    }
}
/// What a divergence on S with the log-probs of the whole softmax is, in f64.
#[derive(Clone, Copy, Debug)]
pub struct Open<'a> {
    /// Settings.
    pub partial: &'a Partial,
    /// Of the kind: factors of KL(t || p), or of the cross entropy, and of KL(p || t).
    pub factors: [f64; 2],
    /// The first factor is of the cross entropy.
    pub cross: bool,
    /// Of the student's columns outside S: the maximum m and e^m over the sum of exponentials of the whole row, the sums of
    /// e^(x - m) and of e^(x - m) (x - m), the log-prob of m.
    pub rest: Rest,
}
/// See [`Open::rest`].
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)]
pub struct Rest {
    pub scale: f64,
    pub sum: f64,
    pub moment: f64,
    pub logprob: f64,
}
impl Rest {
    /// No column.
    pub const NONE: Rest = Rest { scale: 0.0, sum: 0.0, moment: 0.0, logprob: f64::NEG_INFINITY };
}
impl Open<'_> {
    /// The value, given `n` columns whose log-probs of student and teacher `at` gives; the gradients with respect to the
    /// student's logits go to `g`, that of a column outside S is its probability times (first + second (x - m)).
    /// Nothing is written where a clamp acts: the gradient is 0, and the third result is false.
    pub fn row(&self, n: usize, at: impl Fn(usize) -> [f64; 2], g: &mut [f64]) -> (f64, [f64; 2], bool) {
        let p = self.partial;
        let low = if p.log_prob_floor < 0.0 { p.log_prob_floor } else { f64::NEG_INFINITY };
        let raise = |l: f64| if l < low { low } else { l };
        let [forward, reverse] = self.factors;
        // sum of t over the columns that have a gradient, sum of p c
        let (mut value, mut mass, mut mean) = (0.0, 0.0, 0.0);
        let active = |l: f64| l > low || low == f64::NEG_INFINITY;
        let c = |lp: f64, lt: f64| raise(lp) - raise(lt) + 1.0;
        for k in 0..n {
            let [own_p, own_t] = at(k);
            let (lp, lt) = (raise(own_p), raise(own_t));
            let (p, t) = (Real::exp(lp), Real::exp(lt));
            if forward != 0.0 && t > 0.0 {
                value += forward * if self.cross { -t * lp } else { t * (lt - lp) };
            }
            if reverse != 0.0 && p > 0.0 {
                value += reverse * (p * (lp - lt));
            }
            if active(own_p) {
                mass += t;
                if reverse != 0.0 && p > 0.0 {
                    mean += p * c(own_p, own_t);
                }
            }
        }
        let zero = p.outside == Outside::Zero && reverse != 0.0;
        let r = &self.rest;
        if zero && r.scale > 0.0 {
            let outside = r.scale * r.sum;
            let entropic = r.scale * (r.moment + r.sum * r.logprob);
            value += reverse * (entropic - p.outside_logprob * outside);
            mean += entropic + (1.0 - p.outside_logprob) * outside;
        }
        let mut clamped = false;
        if p.clamp_at_zero && value < 0.0 {
            (value, clamped) = (0.0, true);
        }
        if p.value_clamp > 0.0 && (value > p.value_clamp || value < -p.value_clamp) {
            (value, clamped) = (if value > 0.0 { p.value_clamp } else { -p.value_clamp }, true);
        }
        if clamped || !value.is_finite() {
            return (value, [0.0; 2], false);
        }
        for k in 0..n {
            let [lp, lt] = at(k);
            let (p, on) = (Real::exp(lp), active(lp));
            let own = if on && reverse != 0.0 && p > 0.0 { c(lp, lt) } else { 0.0 };
            let t = if on { Real::exp(raise(lt)) } else { 0.0 };
            g[k] = forward * (mass * p - t) + if reverse != 0.0 { reverse * p * (own - mean) } else { 0.0 };
        }
        let (mut first, mut second) = (forward * mass - reverse * mean, 0.0);
        if zero {
            first += reverse * (r.logprob - p.outside_logprob + 1.0);
            second = reverse;
        }
        (value, [first, second], true)
    }
}
/// Id number `k` of row `i`.
#[inline]
pub fn id(ids: &Ints<'_>, i: usize, k: usize) -> i64 {
    match ids {
        Ints::I32(m) => m.row(i)[k] as i64,
        Ints::I64(m) => m.row(i)[k],
    }
}
/// What the term of the target takes from the student's whole row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OfTarget {
    /// Largest logit outside S.
    pub m: f32,
    /// log sum exp of the row; `-inf` without a live column, NaN with a NaN or a `+inf`.
    pub lse: f64,
    /// log p of the target.
    pub logprob: f64,
    /// Bits of [`crate::error::row`] of the columns outside S.
    pub flags: u32,
}
impl OfTarget {
    /// Numbers of [`OfTarget::pack`].
    pub const WIDTH: usize = 6;
    /// m, and the words of what is wider.
    pub fn pack(&self) -> [f32; Self::WIDTH] {
        let word = |x: u64| f32::from_bits(x as u32);
        let [lse, logprob] = [self.lse, self.logprob].map(f64::to_bits);
        [self.m, word(lse), word(lse >> 32), word(logprob), word(logprob >> 32), f32::from_bits(self.flags)]
    }
    /// The inverse of [`OfTarget::pack`].
    pub fn unpack(x: &[f32]) -> OfTarget {
        let wide = |i: usize| f64::from_bits(x[i].to_bits() as u64 | (x[i + 1].to_bits() as u64) << 32);
        OfTarget { m: x[0], lse: wide(1), logprob: wide(3), flags: x[5].to_bits() }
    }
}
/// Figures of a row of a partial divergence.
#[derive(Debug, Default)]
pub struct Figures<'a> {
    /// `[N]`: weight (soft D + hard (-log p of the target in the whole row)).
    pub values: Option<MatrixMut<'a, f32>>,
    /// `[N]`: the student's probability of S; not with [`Outside::Renormalise`].
    pub student_mass: Option<MatrixMut<'a, f32>>,
    /// `[N]`: the teacher's.
    pub teacher_mass: Option<MatrixMut<'a, f32>>,
    /// `[N]`: common ids of the teacher's and the student's k largest columns over the number of the teacher's; given ids are
    /// the teacher's, and k is their number.
    pub overlap: Option<MatrixMut<'a, f32>>,
    /// `[N]`: -sum t (log t - log p) over the common ids, of whole rows; not with [`Outside::Renormalise`].
    pub overlap_sum: Option<MatrixMut<'a, f32>>,
    /// `[N, most]`: S, -1 behind the last.
    pub support_ids: Option<MatrixMut<'a, i32>>,
    /// `[N, 16]`: statistics of the row of S, with which shards form their part of the gradients; with a term of the target
    /// `[N, 22]`, [`OfTarget`] behind them.
    pub stats: Option<MatrixMut<'a, f32>>,
    /// `[N]`: bits of [`crate::error::row`].
    pub status: Option<MatrixMut<'a, u32>>,
}
impl Split for Figures<'_> {
    fn split(self, row: usize) -> (Self, Self) {
        let (mut a, mut b) = (Figures::default(), Figures::default());
        (a.values, b.values) = self.values.split(row);
        (a.student_mass, b.student_mass) = self.student_mass.split(row);
        (a.teacher_mass, b.teacher_mass) = self.teacher_mass.split(row);
        (a.overlap, b.overlap) = self.overlap.split(row);
        (a.overlap_sum, b.overlap_sum) = self.overlap_sum.split(row);
        (a.stats, b.stats) = self.stats.split(row);
        (a.support_ids, b.support_ids) = self.support_ids.split(row);
        (a.status, b.status) = self.status.split(row);
        (a, b)
    }
}
impl Figures<'_> {
    /// Refuses places of the wrong shape, and masses that nothing computes; `stats`: numbers of a row of them.
    pub fn check(&self, rows: usize, most: usize, outside: Outside, stats: usize) -> Result<()> {
        self.values.as_ref().map_or(Ok(()), |m| m.layout().check("outputs.out_values", rows, 1))?;
        self.status.as_ref().map_or(Ok(()), |m| m.layout().check("outputs.out_status", rows, 1))?;
        self.support_ids.as_ref().map_or(Ok(()), |m| m.layout().check("outputs.out_support_ids", rows, most))?;
        self.stats.as_ref().map_or(Ok(()), |m| m.layout().check("outputs.out_stats", rows, stats))?;
        self.overlap.as_ref().map_or(Ok(()), |m| m.layout().check("outputs.out_overlap", rows, 1))?;
        let of_whole_rows = [
            ("outputs.out_student_mass", &self.student_mass),
            ("outputs.out_teacher_mass", &self.teacher_mass),
            ("outputs.out_overlap_sum", &self.overlap_sum),
        ];
        for (field, m) in of_whole_rows {
            let Some(m) = m else { continue };
            m.layout().check(field, rows, 1)?;
            if outside == Outside::Renormalise {
                let expected = Value::Text("NULL with `renormalise`: the rest of the row is not read");
                return Err(Error::invalid(field, Value::Text("a tensor"), expected));
            }
        }
        Ok(())
    }
}
