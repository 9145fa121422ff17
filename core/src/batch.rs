//! Numbers of a whole batch that losses take as constants. Many small operations share this stem: each is a pass or two
//! over one number a row, reads and writes f64, and runs in row order on the calling thread, so that its result depends on
//! the rows and the options alone. States are sums and counts, to be added over ranks before they are used.
use crate::catalog::{Param, numbers, param};
use crate::dtype::Element;
use crate::error::{Error, Result, Status, Value, row};
use crate::matrix::{Floats, FloatsMut, Ints, Mask, Matrix, MatrixMut};
use crate::preference::Labels;
use crate::real::Real;
use crate::sequence::{Segments, wide};

pub(crate) fn rows(field: &'static str, m: &Option<Floats<'_>>, n: usize) -> Result<()> {
    m.as_ref().map_or(Ok(()), |m| m.layout().check(field, n, 1))
}
pub(crate) fn masked(field: &'static str, m: &Option<Mask<'_>>, n: usize) -> Result<()> {
    m.as_ref().map_or(Ok(()), |m| m.layout().check(field, n, 1))
}
pub(crate) fn place(field: &'static str, m: &Option<FloatsMut<'_>>, n: usize) -> Result<()> {
    place_matrix(field, m, n, 1)
}
pub(crate) fn place_matrix(field: &'static str, m: &Option<FloatsMut<'_>>, n: usize, cols: usize) -> Result<()> {
    let Some(m) = m else { return Ok(()) };
    wide(field, m.dtype())?;
    m.layout().check(field, n, cols)
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
        masked("mask", &self.mask, n)?;
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
    /// Share of this batch in a moving average of the classes' means, in `[0, 1]`; 0: all rows so far count alike.
    /// [`Shift::Balanced`] only. Sum and count of the state decay together, so that the first batch has no bias.
    pub rate: f64,
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
        masked("mask", &self.mask, n)?;
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
        if !(0.0..=1.0).contains(&self.rate) {
            let legal = Value::Range { min: 0.0, max: 1.0, min_open: false, max_open: false };
            return Err(Error::invalid("rate", Value::Float(self.rate), legal));
        }
        if self.rate > 0.0 && self.mode != Shift::Balanced {
            let expected = Value::Text("0: only the balanced mean moves");
            return Err(Error::invalid("rate", Value::Float(self.rate), expected));
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
        numbers(&Self::PARAMS, given)
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
/// The weight of one pair from its means, of the log-probs and, in the form of TRL, of log sum_v p_v^2.
pub fn wpo(chosen: f64, rejected: f64, sums: Option<[f64; 2]>) -> f64 {
    use crate::real::Real;
    Real::exp(match sums {
        Some([a, b]) => (chosen - a) + (rejected - b),
        None => Real::min(chosen + rejected, 0.0),
    })
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

/// Rule of [`ItemNumbers`], with its checked numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ItemRule {
    /// p / (1 - p) of the probability p that a row is one of the desirable ones, or e^p of its logit, kept inside
    /// `[low, high]` (`saturated` where that acts): the weight of undesirable rows in `bco`. Jung et al. 2024,
    /// arXiv:2404.04656.
    DensityRatio {
        /// Smallest weight.
        low: f64,
        /// Largest weight.
        high: f64,
        /// The input is a logit.
        logits: bool,
    },
    /// alpha log(c - r) of the rewards of both answers, or alpha log(c / r): the margin of `odpo`. Equal rewards give
    /// -inf (the loss of the pair is 0), a chosen answer below the rejected one NaN and `degenerate`. Amini et al. 2024,
    /// arXiv:2402.10571.
    OdpoOffset {
        /// Factor.
        alpha: f64,
        /// The ratio of the rewards instead of their difference.
        ratio: bool,
    },
    /// beta (1 + weight (1 - e^(-slope (c - r)))), kept inside `[beta, (1 + weight) beta]` (`saturated` where that acts):
    /// the beta of a pair in `mm_dpo`, constant. Zhang et al. 2025, arXiv:2502.10391.
    MmBeta {
        /// beta without a gap of the rewards.
        beta: f64,
        /// How much it grows at most.
        weight: f64,
        /// How fast it grows.
        slope: f64,
    },
    /// max(0, lambda + step (loss - epsilon)): the multiplier of the constraint loss <= epsilon (primal-dual unlearning).
    DualStep {
        /// Step size.
        step: f64,
        /// What the loss may be.
        epsilon: f64,
    },
}
impl ItemRule {
    /// Parameters of [`ItemRule::DensityRatio`].
    pub const DENSITY_RATIO: [Param; 2] =
        [param("low", 0.5, "smallest weight").above(0.0), param("high", 10.0, "largest weight").above(0.0)];
    /// Parameters of [`ItemRule::OdpoOffset`].
    pub const ODPO_OFFSET: [Param; 1] = [param("alpha", 1.0, "factor of the logarithm").from(0.0)];
    /// Parameters of [`ItemRule::MmBeta`].
    pub const MM_BETA: [Param; 3] = [
        param("beta", 0.1, "beta of a pair whose rewards are equal").above(0.0),
        param("weight", 0.5, "how much beta grows at most, as a share of itself").from(0.0),
        param("slope", 0.5, "how fast it grows with the gap of the rewards").from(0.0),
    ];
    /// Parameters of [`ItemRule::DualStep`].
    pub const DUAL_STEP: [Param; 2] =
        [crate::catalog::required("step", "step size").from(0.0), param("epsilon", 0.0, "what the loss may be")];
    /// [`ItemRule::DensityRatio`] with checked numbers.
    pub fn density_ratio(given: &[f64], logits: bool) -> Result<Self> {
        let [low, high] = numbers(&Self::DENSITY_RATIO, given)?;
        if low > high {
            let legal = Value::Range { min: low, max: f64::INFINITY, min_open: false, max_open: true };
            return Err(Error::invalid("high", Value::Float(high), legal));
        }
        Ok(ItemRule::DensityRatio { low, high, logits })
    }
    /// [`ItemRule::OdpoOffset`] with checked numbers.
    pub fn odpo_offset(given: &[f64], ratio: bool) -> Result<Self> {
        let [alpha] = numbers(&Self::ODPO_OFFSET, given)?;
        Ok(ItemRule::OdpoOffset { alpha, ratio })
    }
    /// [`ItemRule::MmBeta`] with checked numbers.
    pub fn mm_beta(given: &[f64]) -> Result<Self> {
        let [beta, weight, slope] = numbers(&Self::MM_BETA, given)?;
        Ok(ItemRule::MmBeta { beta, weight, slope })
    }
    /// [`ItemRule::DualStep`] with checked numbers.
    pub fn dual_step(given: &[f64]) -> Result<Self> {
        let [step, epsilon] = numbers(&Self::DUAL_STEP, given)?;
        Ok(ItemRule::DualStep { step, epsilon })
    }
    /// The number of an item, and what is to be flagged.
    pub fn eval(&self, first: f64, second: f64) -> (f64, u32) {
        let kept = |x: f64, low: f64, high: f64| match x {
            x if x < low => (low, row::SATURATED),
            x if x > high => (high, row::SATURATED),
            x => (x, 0),
        };
        if first.is_nan() || second.is_nan() {
            return (f64::NAN, row::NAN_INPUT);
        }
        match *self {
            ItemRule::DensityRatio { low, high, logits } => {
                kept(if logits { Real::exp(first) } else { first / (1.0 - first) }, low, high)
            }
            ItemRule::OdpoOffset { alpha: 0.0, .. } => (0.0, 0),
            ItemRule::OdpoOffset { alpha, ratio } => {
                let d = first - second;
                let log = match ratio {
                    false if d.is_nan() => return (d, row::INF_INPUT),
                    false => Real::log(d),
                    true if !(first >= 0.0 && second >= 0.0) || (first == 0.0 && second == 0.0) => f64::NAN,
                    true if first.is_infinite() && second.is_infinite() => return (f64::NAN, row::INF_INPUT),
                    true => {
                        let q = first / second;
                        if (0.5..=2.0).contains(&q) {
                            Real::log1p(d / second)
                        } else if q > f64::MIN_POSITIVE && q < f64::INFINITY {
                            Real::log(q)
                        } else {
                            Real::log(first) - Real::log(second)
                        }
                    }
                };
                match alpha * log {
                    x if x.is_nan() => (x, row::DEGENERATE),
                    x if x.is_infinite() => (x, row::INFINITE),
                    x => (x, 0),
                }
            }
            ItemRule::MmBeta { beta, weight, slope } => {
                let d = first - second;
                if d.is_nan() {
                    return (d, row::INF_INPUT);
                }
                let grown = if slope == 0.0 || d == 0.0 { 0.0 } else { -Real::expm1(-slope * d) };
                let (x, mut bits) = kept(grown, 0.0, 1.0);
                if weight == 0.0 {
                    bits = 0;
                }
                (beta * (1.0 + weight * x), bits)
            }
            ItemRule::DualStep { step, epsilon } => {
                let moved = if step == 0.0 { first } else { first + step * (second - epsilon) };
                if moved.is_nan() { (moved, row::INF_INPUT) } else { (if moved > 0.0 { moved } else { 0.0 }, 0) }
            }
        }
    }
}
/// One number an item from one or two.
#[derive(Clone, Copy, Debug)]
pub struct ItemNumbers<'a> {
    /// `[n]`: probability or logit; reward of the chosen answer (or the gap itself, for `mm_beta`); multiplier.
    pub first: Floats<'a>,
    /// `[n]`: nothing; reward of the rejected answer; loss of the constraint.
    pub second: Option<Floats<'a>>,
    /// The rule.
    pub rule: ItemRule,
}
/// Results of [`ItemNumbers`].
#[derive(Debug, Default)]
pub struct ItemNumbersOut<'a> {
    /// `[n]`.
    pub value: Option<FloatsMut<'a>>,
    /// `[n]`, see [`ItemRule`].
    pub status: Option<MatrixMut<'a, u32>>,
}
impl ItemNumbers<'_> {
    /// Refuses shapes that do not fit, a second input that is missing or not read, probabilities outside `[0, 1]` and
    /// multipliers below 0.
    pub fn check(&self, out: &ItemNumbersOut<'_>) -> Result<()> {
        let n = self.first.rows();
        self.first.layout().check("first", n, 1)?;
        rows("second", &self.second, n)?;
        match (&self.second, self.rule) {
            (None, ItemRule::OdpoOffset { .. }) => return missing("second", "[n], rewards of the rejected answers"),
            (None, ItemRule::DualStep { .. }) => return missing("second", "[n], losses of the constraints"),
            (Some(_), ItemRule::DensityRatio { .. }) => return unread("second", "none: a weight has one input"),
            _ => {}
        }
        let legal = match self.rule {
            ItemRule::DensityRatio { logits: false, .. } => 0.0..=1.0,
            ItemRule::DualStep { .. } => 0.0..=f64::MAX,
            _ => f64::NEG_INFINITY..=f64::INFINITY,
        };
        if *legal.start() == 0.0 {
            for i in 0..n {
                if !legal.contains(&self.first.get(i)) {
                    let range = Value::Range { min: 0.0, max: *legal.end(), min_open: false, max_open: false };
                    return Err(Error::invalid("first", Value::Float(self.first.get(i)), range));
                }
            }
        }
        place("out_value", &out.value, n)?;
        place_of("out_status", &out.status, n)
    }
}

/// Weights of pairs whose rows belong to different heads (`mah_dpo`): row n of head i gets `alpha_i / |B_i|`, so that the
/// sum of the weighted losses is the alpha-weighted sum of the heads' means. A head without rows adds nothing.
#[derive(Clone, Copy, Debug)]
pub struct HeadWeights<'a> {
    /// `[n]`, head of a pair.
    pub head: Ints<'a>,
    /// `[n]`.
    pub mask: Option<Mask<'a>>,
    /// `[M]`, finite, >= 0; absent: each is 1 / M.
    pub alpha: Option<Floats<'a>>,
    /// M.
    pub heads: usize,
    /// 1 / (number of heads with rows) instead of `alpha`, as the authors' code has it.
    pub present_heads: bool,
}
/// Results of [`HeadWeights`].
#[derive(Debug)]
pub struct HeadWeightsOut<'a> {
    /// `[n]`, 0 where masked.
    pub weight: Option<FloatsMut<'a>>,
    /// `[M]`, live rows of a head. Always written: it is also where they are counted.
    pub counts: MatrixMut<'a, i64>,
    /// One word: `empty` where no row is live.
    pub status: Option<MatrixMut<'a, u32>>,
}
impl HeadWeights<'_> {
    /// Refuses shapes that do not fit, heads out of range and shares that are negative or not finite.
    pub fn check(&self, out: &HeadWeightsOut<'_>) -> Result<()> {
        let (n, m) = (self.head.rows(), self.heads);
        self.head.layout().check("head", n, 1)?;
        masked("mask", &self.mask, n)?;
        if self.present_heads && self.alpha.is_some() {
            return unread("alpha", "none: the heads with rows share equally");
        }
        rows("alpha", &self.alpha, m)?;
        for i in 0..n {
            let value = self.head.get(i);
            if self.mask.is_none_or(|x| x.live(i)) && !(0..m as i64).contains(&value) {
                let at = Value::At { value, index: i };
                return Err(Error::new(Status::OutOfRange, "head", at, Value::Below(0, m as i64)));
            }
        }
        if let Some(alpha) = &self.alpha {
            for i in 0..m {
                if !(0.0..f64::INFINITY).contains(&alpha.get(i)) {
                    let legal = Value::Range { min: 0.0, max: f64::INFINITY, min_open: false, max_open: true };
                    return Err(Error::invalid("alpha", Value::Float(alpha.get(i)), legal));
                }
            }
        }
        place("out_weight", &out.weight, n)?;
        out.counts.layout().check("out_counts", m, 1)?;
        place_of("out_status", &out.status, 1)
    }
}

/// Margins that are weighted sums of rewards (`modpo`): `sum_i w_i R_i` a side, and the partials of a loss with respect to
/// weights and rewards from those with respect to `margin_chosen - margin_rejected`. Zhou et al. 2023, arXiv:2310.03708.
#[derive(Clone, Copy, Debug)]
pub struct ModpoMargin<'a> {
    /// `[K]` as one row, or `[n, K]`.
    pub weights: Floats<'a>,
    /// `[n, K]`, rewards of the chosen answers.
    pub chosen: Floats<'a>,
    /// `[n, K]`.
    pub rejected: Floats<'a>,
    /// `[n]`, needed for the gradients.
    pub grad_margin: Option<Floats<'a>>,
}
/// Results of [`ModpoMargin`].
#[derive(Debug, Default)]
pub struct ModpoMarginOut<'a> {
    /// `[n]`.
    pub chosen: Option<FloatsMut<'a>>,
    /// `[n]`.
    pub rejected: Option<FloatsMut<'a>>,
    /// As the weights: with `[K]` summed over the items in order.
    pub grad_weights: Option<FloatsMut<'a>>,
    /// `[n, K]`; that of the rejected rewards is its negative.
    pub grad_chosen: Option<FloatsMut<'a>>,
}
impl ModpoMargin<'_> {
    /// The weights of item `i` are this row of them.
    #[inline(always)]
    pub fn weight_row(&self, i: usize) -> usize {
        if self.weights.rows() == 1 { 0 } else { i }
    }
    /// Refuses shapes that do not fit and gradients without `grad_margin`.
    pub fn check(&self, out: &ModpoMarginOut<'_>) -> Result<()> {
        let (n, k) = (self.chosen.rows(), self.chosen.cols());
        let shared = self.weights.rows() == 1;
        self.weights.layout().check("weights", if shared { 1 } else { n }, k)?;
        self.chosen.layout().check("chosen", n, k)?;
        self.rejected.layout().check("rejected", n, k)?;
        rows("grad_margin", &self.grad_margin, n)?;
        if self.grad_margin.is_none() && (out.grad_weights.is_some() || out.grad_chosen.is_some()) {
            return missing("grad_margin", "[n], as gradients are wanted");
        }
        place("out_margin_chosen", &out.chosen, n)?;
        place("out_margin_rejected", &out.rejected, n)?;
        let matrices =
            [("grad_weights_out", &out.grad_weights, self.weights.rows()), ("grad_chosen_out", &out.grad_chosen, n)];
        matrices.iter().try_for_each(|(field, m, rows)| place_matrix(field, m, *rows, k))
    }
}

/// A quantile of the live values by linear interpolation at position `level (n - 1)`: the threshold of the hard labels of
/// `confidence_ce`. Burns et al. 2023, arXiv:2312.09390.
#[derive(Clone, Copy, Debug)]
pub struct QuantileThreshold<'a> {
    /// `[n]`.
    pub values: Floats<'a>,
    /// `[n]`.
    pub mask: Option<Mask<'a>>,
    /// One number in `[0, 1]`, or `[n]` of which the mean over the live rows is the level: the position then comes from
    /// their sum, and is whole where that is.
    pub level: Floats<'a>,
}
/// Results of [`QuantileThreshold`].
#[derive(Debug, Default)]
pub struct QuantileThresholdOut<'a> {
    /// One number; NaN without a live value or with a NaN among them.
    pub threshold: Option<FloatsMut<'a>>,
    /// One word: `empty`, `nan_input`, or `inf_input` between unequal infinities.
    pub status: Option<MatrixMut<'a, u32>>,
}
impl QuantileThreshold<'_> {
    /// Refuses shapes that do not fit and levels outside `[0, 1]`.
    pub fn check(&self, out: &QuantileThresholdOut<'_>) -> Result<()> {
        let n = self.values.rows();
        self.values.layout().check("values", n, 1)?;
        masked("mask", &self.mask, n)?;
        if self.level.rows() != 1 {
            self.level.layout().check("level", n, 1)?;
        }
        for i in 0..self.level.rows() {
            let x = self.level.get(i);
            if (self.level.rows() == 1 || self.mask.is_none_or(|m| m.live(i))) && !(0.0..=1.0).contains(&x) {
                let legal = Value::Range { min: 0.0, max: 1.0, min_open: false, max_open: false };
                return Err(Error::invalid("level", Value::Float(x), legal));
            }
        }
        place("out_threshold", &out.threshold, 1)?;
        place_of("out_status", &out.status, 1)
    }
}

/// How [`AStarValue`] forms the value of a prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PromptValue {
    /// `beta (lse(r / beta) - log n)`.
    LogMeanExp,
    /// The mean (the authors' beta = 0).
    Mean,
    /// The largest.
    Max,
    /// 0 (the authors' beta < 0).
    Zero,
}
/// The optimal value of a prompt from the rewards of samples of the reference model (`a_star_po`). The partial with respect
/// to the rewards is `softmax(r / beta)`, or that of the other modes. Brantley et al. 2025, arXiv:2505.20686.
#[derive(Clone, Copy, Debug)]
pub struct AStarValue<'a> {
    /// `[N]`, rewards; a prompt is a segment.
    pub rewards: Floats<'a>,
    /// Prompts.
    pub segments: Segments<'a>,
    /// `[N]`.
    pub mask: Option<Mask<'a>>,
    /// The mode.
    pub mode: PromptValue,
    /// > 0, checked by [`AStarValue::params`].
    pub beta: f64,
}
/// Results of [`AStarValue`].
#[derive(Debug, Default)]
pub struct AStarValueOut<'a> {
    /// `[P]`; NaN without a live reward.
    pub value: Option<FloatsMut<'a>>,
    /// `[N]`, the partial of the prompt's value.
    pub share: Option<FloatsMut<'a>>,
    /// `[P]`: `empty`, `nan_input`, `inf_input`.
    pub status: Option<MatrixMut<'a, u32>>,
}
impl AStarValue<'_> {
    /// Parameters in their order.
    pub const PARAMS: [Param; 1] = [param("beta", 0.5, "temperature of the value").above(0.0)];
    /// The checked temperature.
    pub fn params(given: &[f64]) -> Result<f64> {
        numbers(&Self::PARAMS, given).map(|[beta]| beta)
    }
    /// Refuses shapes that do not fit.
    pub fn check(&self, out: &AStarValueOut<'_>) -> Result<()> {
        let (n, p) = (self.rewards.rows(), self.segments.sequences());
        self.rewards.layout().check("rewards", n, 1)?;
        self.segments.check(n)?;
        masked("mask", &self.mask, n)?;
        place("out_value", &out.value, p)?;
        place("out_share", &out.share, n)?;
        place_of("out_status", &out.status, p)
    }
}

/// Rewards of steps with the outcome of the whole behind them: step t of n gets `r_t + gamma^(n - t) z`. May exceed 1;
/// averages over rollouts are the caller's.
#[derive(Clone, Copy, Debug)]
pub struct HindsightTarget<'a> {
    /// `[N]`.
    pub rewards: Floats<'a>,
    /// Rollouts.
    pub segments: Segments<'a>,
    /// `[P]`, z.
    pub outcome: Floats<'a>,
    /// In `[0, 1]`, checked by [`HindsightTarget::params`].
    pub gamma: f64,
}
impl HindsightTarget<'_> {
    /// Parameters in their order.
    pub const PARAMS: [Param; 1] = [param("gamma", 0.9, "discount of the outcome a step").from(0.0).up_to(1.0)];
    /// The checked discount.
    pub fn params(given: &[f64]) -> Result<f64> {
        numbers(&Self::PARAMS, given).map(|[gamma]| gamma)
    }
    /// Refuses shapes that do not fit.
    pub fn check(&self, targets: &Option<FloatsMut<'_>>) -> Result<()> {
        let n = self.rewards.rows();
        self.rewards.layout().check("rewards", n, 1)?;
        self.segments.check(n)?;
        self.outcome.layout().check("outcome", self.segments.sequences(), 1)?;
        place("out_targets", targets, n)
    }
}

/// Indices of [`KlLengthOut::figures`]. k1 is `sum d`, k3 is `sum (e^-d - 1 + d)` over the live tokens of a sequence,
/// d = policy minus reference.
pub mod kl_figure {
    /// Sequences with a live token.
    pub const SEQUENCES: usize = 0;
    /// Live tokens.
    pub const TOKENS: usize = 1;
    /// Mean of k1 over the sequences.
    pub const K1_PER_SEQUENCE: usize = 2;
    /// Sum of k1 over the tokens of all sequences.
    pub const K1_PER_TOKEN: usize = 3;
    /// Mean over the sequences of the mean of k1 over their tokens.
    pub const K1_MEAN_OF_MEANS: usize = 4;
    /// As with k1.
    pub const K3_PER_SEQUENCE: usize = 5;
    /// As with k1.
    pub const K3_PER_TOKEN: usize = 6;
    /// As with k1.
    pub const K3_MEAN_OF_MEANS: usize = 7;
    /// Mean length.
    pub const LENGTH_MEAN: usize = 8;
    /// Standard deviation of the lengths, divisor n.
    pub const LENGTH_STD: usize = 9;
    /// The same with divisor n - 1; 0 for one sequence.
    pub const LENGTH_STD_SAMPLE: usize = 10;
    /// Shortest.
    pub const LENGTH_MIN: usize = 11;
    /// Longest.
    pub const LENGTH_MAX: usize = 12;
    /// Length of the array; the rest is 0.
    pub const COUNT: usize = 16;
}
/// KL to the reference by the sampled tokens (k1 and k3, Schulman 2020) and the lengths of answers: per sequence and
/// over the batch. Sequences without a live token count nowhere.
#[derive(Clone, Copy, Debug)]
pub struct KlLengthFigures<'a> {
    /// `[N]`, log-probs of the policy, or their differences to the reference.
    pub logps: Floats<'a>,
    /// `[N]`.
    pub ref_logps: Option<Floats<'a>>,
    /// Sequences.
    pub segments: Segments<'a>,
    /// `[N]`.
    pub mask: Option<Mask<'a>>,
    /// `[Q]`, in `[0, 1]`: quantiles of the lengths, linear interpolation.
    pub levels: Option<Floats<'a>>,
    /// `[H + 1]`, ascending: bin h counts the lengths in `[edge_h, edge_(h+1))`, the last one its upper edge too.
    pub edges: Option<Floats<'a>>,
}
/// Results of [`KlLengthFigures`].
#[derive(Debug, Default)]
pub struct KlLengthOut<'a> {
    /// `[B]`.
    pub k1: Option<FloatsMut<'a>>,
    /// `[B]`.
    pub k3: Option<FloatsMut<'a>>,
    /// `[B]`, live tokens.
    pub lengths: Option<MatrixMut<'a, i32>>,
    /// See [`kl_figure`]; NaN where there is no sequence to average over.
    pub figures: Option<&'a mut [f64; kl_figure::COUNT]>,
    /// `[Q]`.
    pub quantiles: Option<FloatsMut<'a>>,
    /// `[H]`.
    pub histogram: Option<MatrixMut<'a, i64>>,
    /// `[B]`: `empty`, `nan_input`, `inf_input`, `overflow`.
    pub status: Option<MatrixMut<'a, u32>>,
}
impl KlLengthFigures<'_> {
    /// Refuses shapes that do not fit, levels outside `[0, 1]`, edges that do not ascend, and results without their input.
    pub fn check(&self, out: &KlLengthOut<'_>) -> Result<()> {
        let (n, b) = (self.logps.rows(), self.segments.sequences());
        self.logps.layout().check("logps", n, 1)?;
        rows("ref_logps", &self.ref_logps, n)?;
        self.segments.check(n)?;
        masked("mask", &self.mask, n)?;
        if let Some(levels) = &self.levels {
            levels.layout().check("quantile_levels", levels.rows(), 1)?;
            for i in 0..levels.rows() {
                if !(0.0..=1.0).contains(&levels.get(i)) {
                    let legal = Value::Range { min: 0.0, max: 1.0, min_open: false, max_open: false };
                    return Err(Error::invalid("quantile_levels", Value::Float(levels.get(i)), legal));
                }
            }
        }
        if let Some(edges) = &self.edges {
            edges.layout().check("bin_edges", edges.rows(), 1)?;
            if edges.rows() < 2 {
                return Err(Error::shape("bin_edges", Value::Size(edges.rows()), Value::Text("at least 2 edges")));
            }
            for i in 1..edges.rows() {
                if !(edges.get(i - 1) < edges.get(i)) {
                    let ascending = Value::Text("edges that ascend");
                    return Err(Error::invalid("bin_edges", Value::Float(edges.get(i)), ascending));
                }
            }
        }
        let (levels, edges) = (self.levels.map_or(0, |m| m.rows()), self.edges.map_or(1, |m| m.rows()));
        if out.quantiles.is_some() && self.levels.is_none() {
            return missing("quantile_levels", "[Q], as quantiles are wanted");
        }
        if out.histogram.is_some() && self.edges.is_none() {
            return missing("bin_edges", "[H + 1], as a histogram is wanted");
        }
        place("out_k1", &out.k1, b)?;
        place("out_k3", &out.k3, b)?;
        place_of("out_lengths", &out.lengths, b)?;
        place("out_quantiles", &out.quantiles, levels)?;
        place_of("out_histogram", &out.histogram, edges - 1)?;
        place_of("out_status", &out.status, b)
    }
}

/// Centred hidden embedding similarity of two answers: `<H-, H+> - |H+|^2`, H the sum (or mean) of the final hidden states
/// over an answer's live rows. Large where raising the chosen answer's log-prob moves it least. A figure for choosing data,
/// without a gradient. Live rows run from the last position of the prompt to the one before the answer's last.
/// Razin et al. 2024, arXiv:2410.08847.
#[derive(Clone, Copy, Debug)]
pub struct Ches<'a> {
    /// `[N, D]`.
    pub hidden: Floats<'a>,
    /// Sequences.
    pub segments: Segments<'a>,
    /// `[N]`.
    pub mask: Option<Mask<'a>>,
    /// `[P]`, sequence of the chosen answer.
    pub chosen: Ints<'a>,
    /// `[P]`, of the rejected one.
    pub rejected: Ints<'a>,
    /// Means instead of sums.
    pub mean: bool,
}
/// Results of [`Ches`].
#[derive(Debug, Default)]
pub struct ChesOut<'a> {
    /// `[P]`; a side without a live row counts as 0.
    pub value: Option<FloatsMut<'a>>,
    /// `[P]`: `empty`, `nan_input` (or infinities that cancel), `overflow`.
    pub status: Option<MatrixMut<'a, u32>>,
}
impl Ches<'_> {
    /// Refuses shapes that do not fit and sequences out of range.
    pub fn check(&self, out: &ChesOut<'_>) -> Result<()> {
        let (n, s, p) = (self.hidden.rows(), self.segments.sequences(), self.chosen.rows());
        self.segments.check(n)?;
        masked("mask", &self.mask, n)?;
        self.chosen.layout().check("chosen_seq", p, 1)?;
        self.rejected.layout().check("rejected_seq", p, 1)?;
        for (field, m) in [("chosen_seq", &self.chosen), ("rejected_seq", &self.rejected)] {
            for index in 0..p {
                let value = m.get(index);
                if !(0..s as i64).contains(&value) {
                    let at = Value::At { value, index };
                    return Err(Error::new(Status::OutOfRange, field, at, Value::Below(0, s as i64)));
                }
            }
        }
        place("out_value", &out.value, p)?;
        place_of("out_status", &out.status, p)
    }
}
