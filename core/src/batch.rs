//! Numbers of a whole batch that losses take as constants. Many small operations share this stem: each is a pass or two
//! over one number a row, reads and writes f64, and runs in row order on the calling thread, so that its result depends on
//! the rows and the options alone. States are sums and counts, to be added over ranks before they are used.
use crate::catalog::{Param, param};
use crate::dtype::Element;
use crate::error::{Error, Result, Value};
use crate::matrix::{Floats, FloatsMut, Mask, Matrix, MatrixMut};
use crate::preference::Labels;
use crate::sequence::wide;

pub(crate) fn rows(field: &'static str, m: &Option<Floats<'_>>, n: usize) -> Result<()> {
    m.as_ref().map_or(Ok(()), |m| m.layout().check(field, n, 1))
}
pub(crate) fn place(field: &'static str, m: &Option<FloatsMut<'_>>, n: usize) -> Result<()> {
    let Some(m) = m else { return Ok(()) };
    wide(field, m.dtype())?;
    m.layout().check(field, n, 1)
}
pub(crate) fn place_of<T: Element>(field: &'static str, m: &Option<MatrixMut<'_, T>>, n: usize) -> Result<()> {
    m.as_ref().map_or(Ok(()), |m| m.layout().check(field, n, 1))
}
pub(crate) fn missing<T>(field: &'static str, expected: &'static str) -> Result<T> {
    Err(Error::invalid(field, Value::Text("nothing"), Value::Text(expected)))
}
pub(crate) fn unread<T>(field: &'static str, expected: &'static str) -> Result<T> {
    Err(Error::invalid(field, Value::Text("a tensor"), Value::Text(expected)))
}
/// A state given by the caller: finite, and nothing negative at the places of `counts`.
fn state(m: &Option<Matrix<'_, f64>>, n: usize, counts: &[usize]) -> Result<()> {
    let Some(m) = m else { return Ok(()) };
    m.layout().check("state", n, 1)?;
    for i in 0..n {
        let x = m.get(i);
        if !x.is_finite() || (counts.contains(&i) && x < 0.0) {
            let legal = Value::Text("what this operation wrote: finite, counts and deviations not negative");
            return Err(Error::invalid("state", Value::Float(x), legal));
        }
    }
    Ok(())
}

/// The baseline of `kto`: the mean of `scores - ref_scores` of mismatched prompts and answers over the live rows, at least
/// 0. Over ranks or micro-batches: add sums and counts, then max(0, sum / count). Ethayarajh et al. 2024,
/// arXiv:2402.01306; TRL divides by the rows, HALOs by the rows that are not 0.
#[derive(Clone, Copy, Debug)]
pub struct KtoBaseline<'a> {
    /// `[n]`, nats.
    pub scores: Floats<'a>,
    /// `[n]`; absent: the scores are differences already.
    pub ref_scores: Option<Floats<'a>>,
    /// `[n]`.
    pub mask: Option<Mask<'a>>,
    /// The baseline divides by the rows whose difference is not 0.
    pub nonzero_only: bool,
}
/// Results of [`KtoBaseline`], each one number.
#[derive(Debug, Default)]
pub struct KtoBaselineOut<'a> {
    /// Sum over the live rows.
    pub sum: Option<FloatsMut<'a>>,
    /// Live rows.
    pub count: Option<MatrixMut<'a, i64>>,
    /// Live rows that are not 0.
    pub nonzero: Option<MatrixMut<'a, i64>>,
    /// `max(0, sum / count)`, 0 without a row, NaN with a NaN row.
    pub baseline: Option<FloatsMut<'a>>,
}
impl KtoBaseline<'_> {
    /// Refuses shapes that do not fit.
    pub fn check(&self, out: &KtoBaselineOut<'_>) -> Result<()> {
        let n = self.scores.rows();
        self.scores.layout().check("scores", n, 1)?;
        rows("ref_scores", &self.ref_scores, n)?;
        self.mask.map_or(Ok(()), |m| m.layout().check("mask", n, 1))?;
        place("out_sum", &out.sum, 1)?;
        place_of("out_count", &out.count, 1)?;
        place_of("out_nonzero", &out.nonzero, 1)?;
        place("out_baseline", &out.baseline, 1)
    }
}

/// What the mean of [`BcoShift`] runs over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shift {
    /// Half the sum of the means of both classes. State: sum and count of the desirable rows, of the others.
    Balanced,
    /// The mean of all rows so far (the BCO trainer of TRL). State: sum and count.
    Pooled,
    /// The mean of the batches' means (LLaMA-Factory). State: sum of means, number of batches with a row.
    PerStep,
}
/// The shift of `bco` and `bco_pair`: a running mean of rewards, this batch included. Jung et al. 2024, arXiv:2404.04656.
#[derive(Clone, Copy, Debug)]
pub struct BcoShift<'a> {
    /// `[n]`, beta times the log ratio. Absent: nothing is added, as for evaluation.
    pub rewards: Option<Floats<'a>>,
    /// `[n]`, for [`Shift::Balanced`] only.
    pub label: Option<Labels<'a>>,
    /// `[n]`.
    pub mask: Option<Mask<'a>>,
    /// `[4]`, what the last call wrote; absent: all 0.
    pub state: Option<Matrix<'a, f64>>,
    /// The mean.
    pub mode: Shift,
}
/// Results of [`BcoShift`].
#[derive(Debug, Default)]
pub struct BcoShiftOut<'a> {
    /// One number; without a row of one class the other's mean, without any row 0.
    pub shift: Option<FloatsMut<'a>>,
    /// `[4]`, unused places 0.
    pub state: Option<MatrixMut<'a, f64>>,
    /// One word: `empty` where a class (or everything) has no row.
    pub status: Option<MatrixMut<'a, u32>>,
}
impl BcoShift<'_> {
    /// Refuses shapes that do not fit, labels that are missing or not read, and a broken state.
    pub fn check(&self, out: &BcoShiftOut<'_>) -> Result<()> {
        let n = self.rewards.as_ref().map_or(0, |m| m.rows());
        rows("rewards", &self.rewards, n)?;
        self.mask.map_or(Ok(()), |m| m.layout().check("mask", n, 1))?;
        match &self.label {
            None if self.mode == Shift::Balanced && self.rewards.is_some() => {
                return missing("label", "[n]: the balanced mean goes by class");
            }
            Some(_) if self.mode != Shift::Balanced => {
                return unread("label", "none: only the balanced mean goes by class");
            }
            Some(label) => label.check("label", n)?,
            None => {}
        }
        state(&self.state, 4, &[1, 3])?;
        place("out_shift", &out.shift, 1)?;
        place_of("out_state", &out.state, 4)?;
        place_of("out_status", &out.status, 1)
    }
}

/// How [`AotSort`] forms the two samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pairing {
    /// u = chosen - rejected under the policy, v the same under the reference.
    Paired,
    /// u = log ratio of the chosen, v of the rejected, in equal number.
    Unpaired,
}
/// Two samples in ascending order, for `dpo` on the differences of equal ranks (alignment via optimal transport): pair k is
/// `u_order[k]` against `v_order[k]`. Equal values keep their order; NaN stands last. Melnyk et al. 2024, arXiv:2406.05882.
#[derive(Clone, Copy, Debug)]
pub struct AotSort<'a> {
    /// `[n]`, nats.
    pub chosen: Floats<'a>,
    /// `[n]`.
    pub rejected: Floats<'a>,
    /// `[n]`; needed for pairs, where absent the scores are log ratios already.
    pub ref_chosen: Option<Floats<'a>>,
    /// `[n]`, with `ref_chosen`.
    pub ref_rejected: Option<Floats<'a>>,
    /// The samples.
    pub pairing: Pairing,
}
/// Results of [`AotSort`].
#[derive(Debug, Default)]
pub struct AotSortOut<'a> {
    /// `[n]`, index of the k-th smallest u.
    pub u_order: Option<MatrixMut<'a, i32>>,
    /// `[n]`, of the k-th smallest v.
    pub v_order: Option<MatrixMut<'a, i32>>,
    /// `[n]`, their differences.
    pub difference: Option<FloatsMut<'a>>,
    /// `[n]` by rank: `nan_input`, or `inf_input` where equal infinities meet.
    pub status: Option<MatrixMut<'a, u32>>,
}
impl AotSort<'_> {
    /// n.
    pub fn rows(&self) -> usize {
        self.chosen.rows()
    }
    /// u and v of row `i`.
    #[inline(always)]
    pub fn samples(&self, i: usize) -> [f64; 2] {
        let reference = |m: &Option<Floats<'_>>| m.as_ref().map_or(0.0, |m| m.get(i));
        let (c, r) = (self.chosen.get(i), self.rejected.get(i));
        let (rc, rr) = (reference(&self.ref_chosen), reference(&self.ref_rejected));
        match self.pairing {
            Pairing::Paired => [c - r, rc - rr],
            Pairing::Unpaired => [c - rc, r - rr],
        }
    }
    /// Refuses shapes that do not fit and half a reference.
    pub fn check(&self, out: &AotSortOut<'_>) -> Result<()> {
        let n = self.rows();
        if n > i32::MAX as usize {
            return Err(Error::shape("chosen", Value::Size(n), Value::Text("up to 2^31 - 1 rows")));
        }
        self.chosen.layout().check("chosen", n, 1)?;
        self.rejected.layout().check("rejected", n, 1)?;
        let references = [
            ("ref_chosen", &self.ref_chosen, &self.ref_rejected),
            ("ref_rejected", &self.ref_rejected, &self.ref_chosen),
        ];
        for (field, own, other) in references {
            rows(field, own, n)?;
            if own.is_none() && (other.is_some() || self.pairing == Pairing::Paired) {
                return missing(field, "[n], as the pairs and the other side's reference need it");
            }
        }
        place_of("out_u_order", &out.u_order, n)?;
        place_of("out_v_order", &out.v_order, n)?;
        place("out_difference", &out.difference, n)?;
        place_of("out_status", &out.status, n)
    }
}

/// Which rows `beta_dpo` keeps and the beta that it uses, from the gaps of the whole batch. With M and D the running mean
/// and (sample) deviation, this batch included: kept are the floor(n (1 - rho)) rows with the largest
/// -(g - M)^2 / (2 D^2) + Gumbel noise, beta = max(1e-3, beta (1 + alpha (mean of the kept g - M))).
/// Wu et al. 2024, arXiv:2407.08639.
#[derive(Clone, Copy, Debug)]
pub struct BetaDpoStats<'a> {
    /// `[n]`, log ratio of the chosen minus that of the rejected, finite.
    pub gaps: Floats<'a>,
    /// `[n]`, uniform in (0, 1): the draw is the caller's.
    pub uniforms: Floats<'a>,
    /// `[2]`, M and D, what the last call wrote; absent: 0.
    pub state: Option<Matrix<'a, f64>>,
    /// Checked by [`BetaDpoStats::params`].
    pub params: [f64; 4],
}
/// Results of [`BetaDpoStats`].
#[derive(Debug, Default)]
pub struct BetaDpoStatsOut<'a> {
    /// `[n]`, 1 where a row is kept.
    pub keep: Option<MatrixMut<'a, u8>>,
    /// One number.
    pub beta: Option<FloatsMut<'a>>,
    /// `[2]`, M and D.
    pub state: Option<MatrixMut<'a, f64>>,
    /// One word: `degenerate` where one row has no deviation and D stays, `empty` where no row is kept.
    pub status: Option<MatrixMut<'a, u32>>,
}
impl BetaDpoStats<'_> {
    /// Parameters in their order.
    pub const PARAMS: [Param; 4] = [
        param("beta", 0.1, "beta without adjustment").above(0.0),
        param("alpha", 0.6, "how far the gaps move beta; the authors' configuration has 0").from(0.0),
        param("rho", 0.2, "share of the rows that is dropped").from(0.0).up_to(1.0),
        param("gamma", 0.9, "share of the running figures that is kept").from(0.0).up_to(1.0),
    ];
    /// The checked parameters; a missing tail and NaN mean default.
    pub fn params(given: &[f64]) -> Result<[f64; 4]> {
        if given.len() > 4 {
            return Err(Error::invalid("num_params", Value::Size(given.len()), Value::Below(0, 5)));
        }
        let mut all = [0.0; 4];
        for (k, (to, param)) in all.iter_mut().zip(&Self::PARAMS).enumerate() {
            *to = param.check(given.get(k).copied().unwrap_or(f64::NAN))?;
        }
        Ok(all)
    }
    /// Refuses shapes that do not fit, gaps that are not finite and numbers that no uniform draw gives.
    pub fn check(&self, out: &BetaDpoStatsOut<'_>) -> Result<()> {
        let n = self.gaps.rows();
        self.gaps.layout().check("gaps", n, 1)?;
        self.uniforms.layout().check("uniforms", n, 1)?;
        for i in 0..n {
            if !self.gaps.get(i).is_finite() {
                return Err(Error::invalid("gaps", Value::Float(self.gaps.get(i)), Value::Text("finite gaps")));
            }
            let u = self.uniforms.get(i);
            if !(u > 0.0 && u < 1.0) {
                let legal = Value::Range { min: 0.0, max: 1.0, min_open: true, max_open: true };
                return Err(Error::invalid("uniforms", Value::Float(u), legal));
            }
        }
        state(&self.state, 2, &[1])?;
        place_of("out_keep", &out.keep, n)?;
        place("out_beta", &out.beta, 1)?;
        place_of("out_state", &out.state, 2)?;
        place_of("out_status", &out.status, 1)
    }
}

/// Weight of a pair by the policy's own probability of both answers (WPO), constant: e^(c + r), c and r the mean log-probs,
/// at most 1; or, with the means of log sum_v p_v^2 given, the form of TRL: each mean minus its own, not capped.
/// Zhou et al. 2024, arXiv:2406.11827.
#[derive(Clone, Copy, Debug)]
pub struct WpoWeight<'a> {
    /// `[n]`, mean log-prob of the chosen answer's tokens.
    pub chosen: Floats<'a>,
    /// `[n]`, of the rejected one's.
    pub rejected: Floats<'a>,
    /// `[n]`, mean of log sum_v p_v^2 over the chosen answer's tokens.
    pub chosen_log_sum_sq: Option<Floats<'a>>,
    /// `[n]`, over the rejected one's.
    pub rejected_log_sum_sq: Option<Floats<'a>>,
    /// The form of TRL.
    pub trl: bool,
}
/// Results of [`WpoWeight`].
#[derive(Debug, Default)]
pub struct WpoWeightOut<'a> {
    /// `[n]`.
    pub weight: Option<FloatsMut<'a>>,
    /// `[n]`: `nan_input`, `inf_input` or `overflow`.
    pub status: Option<MatrixMut<'a, u32>>,
}
impl WpoWeight<'_> {
    /// Refuses shapes that do not fit and sums of squares that are missing or not read.
    pub fn check(&self, out: &WpoWeightOut<'_>) -> Result<()> {
        let n = self.chosen.rows();
        self.chosen.layout().check("chosen", n, 1)?;
        self.rejected.layout().check("rejected", n, 1)?;
        let sums = [("chosen_log_sum_sq", &self.chosen_log_sum_sq), ("rejected_log_sum_sq", &self.rejected_log_sum_sq)];
        for (field, m) in sums {
            rows(field, m, n)?;
            match m {
                None if self.trl => return missing(field, "[n], as the form is that of TRL"),
                Some(_) if !self.trl => return unread(field, "none: only the form of TRL reads it"),
                _ => {}
            }
        }
        place("out_weight", &out.weight, n)?;
        place_of("out_status", &out.status, n)
    }
}
