//! Losses over rows of few logits: classes of a judge, rewards of process steps, objectives of a prompt. Rows are
//! evaluated in f64 and rounded once; a row's results depend on that row and the options alone.
//!
//! p = softmax(z), log p = z - max - log sum e^(z - max). A class at -inf has p = 0 and adds nothing; a NaN or a +inf makes
//! its row NaN. Targets are constants.
use crate::batch::{masked, missing, place, place_matrix, place_of, unread};
use crate::catalog::{Param, numbers, param};
use crate::error::{Error, Result, Status, Value};
use crate::matrix::{Floats, FloatsMut, Ints, Mask, MatrixMut};
use crate::preference::Reduction;
use crate::sequence::{Segments, factor};

/// What a row of logits is judged by.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rule {
    /// `-sum t log p`, the cross entropy of a process reward model at its step: dz = p sum t - t.
    PrmCe,
    /// Ranked probability score of ordered classes: `sum_(k < K) c_k^2 / n`, c the difference of the cumulated
    /// probabilities, n = K - 1, or 1 with `sum`. 0 for one class. Epstein 1969.
    Rps {
        /// n = 1.
        sum: bool,
    },
    /// Brier score: `sum (p - t)^2 / n`, n = K, or 1 with `sum` (the one of the literature, 0 to 2). Brier 1950.
    Brier {
        /// n = 1.
        sum: bool,
    },
    /// Cross entropy to `(1 - c) t + c hard`, hard = class 0 where p_0 >= threshold, else class 1: confidence of the
    /// student against weak labels. Two classes. Burns et al. 2023, arXiv:2312.09390 (c = 0: their plain loss).
    ConfidenceCe {
        /// c, in `[0, 1]`.
        confidence: f64,
    },
    /// Cross entropy to softmax(b log p + a log t), which is constant: the product of student and weak labels.
    ProductTarget {
        /// b
        own: f64,
        /// a
        label: f64,
    },
    /// `(max z - mean z)^2`: flattens a row (primal-dual unlearning). No target; -inf is left out of the mean. Needs no
    /// exponential.
    PduFlatten,
}
impl Rule {
    /// Parameters of [`Rule::ConfidenceCe`].
    pub const CONFIDENCE_CE: [Param; 1] =
        [crate::catalog::required("confidence", "share of the hard label").from(0.0).up_to(1.0)];
    /// Parameters of [`Rule::ProductTarget`].
    pub const PRODUCT_TARGET: [Param; 2] = [
        param("own", 1.0, "power of the student's probabilities").from(0.0),
        param("label", 1.0, "power of the labels").from(0.0),
    ];
    /// [`Rule::ConfidenceCe`] with a checked number.
    pub fn confidence_ce(given: &[f64]) -> Result<Self> {
        numbers(&Self::CONFIDENCE_CE, given).map(|[confidence]| Rule::ConfidenceCe { confidence })
    }
    /// [`Rule::ProductTarget`] with checked numbers.
    pub fn product_target(given: &[f64]) -> Result<Self> {
        numbers(&Self::PRODUCT_TARGET, given).map(|[own, label]| Rule::ProductTarget { own, label })
    }
}

/// How rows become one loss. `mean` divides by the live rows, `normaliser` (0: off) replaces every divisor.
#[derive(Clone, Copy, Debug)]
pub struct Total<'a> {
    /// `none`: no loss, and the upstream gradient may be one number a row.
    pub reduction: Reduction,
    /// Finite and > 0, or 0.
    pub normaliser: f64,
    /// One number, or `[N]` without a reduction; absent: 1.
    pub grad_output: Option<Floats<'a>>,
    /// Host factor of the gradients, finite.
    pub grad_scale: f64,
}
impl Total<'_> {
    fn check(&self, n: usize, loss: &Option<FloatsMut<'_>>) -> Result<()> {
        if self.reduction == Reduction::WeightedMean {
            let expected = Value::Text("none, sum or mean: the rows have no weights");
            return Err(Error::invalid("reduction", Value::Text("weighted_mean"), expected));
        }
        let none = self.reduction == Reduction::None;
        let positive = self.normaliser > 0.0 && self.normaliser < f64::INFINITY;
        if self.normaliser != 0.0 && (none || !positive) {
            let expected = Value::Text("0, or a finite number above 0 with a reduction");
            return Err(Error::invalid("normaliser", Value::Float(self.normaliser), expected));
        }
        match &self.grad_output {
            Some(each) if none && each.rows() != 1 => each.layout().check("grad_output", n, 1)?,
            one => {
                factor(*one, 1.0)?;
            }
        }
        factor(None, self.grad_scale)?;
        match loss {
            Some(_) if none => unread("out_loss", "none with reduction `none`"),
            loss => place("out_loss", loss, 1),
        }
    }
    /// The divisor of `live` rows.
    pub fn divisor(&self, live: usize) -> f64 {
        match self.reduction {
            _ if self.normaliser != 0.0 => self.normaliser,
            Reduction::Mean => live as f64,
            _ => 1.0,
        }
    }
    /// The upstream factor of row `i`.
    pub fn upstream(&self, i: usize) -> f64 {
        let each = self.grad_output.map_or(1.0, |g| g.get(if g.rows() == 1 { 0 } else { i }));
        each * self.grad_scale
    }
}

/// Rows of logits and what they are judged by.
#[derive(Clone, Copy, Debug)]
pub struct Classes<'a> {
    /// `[N, V]`.
    pub logits: Floats<'a>,
    /// `[K]`, columns that are the classes, all different; absent: all columns. Other columns get gradient 0.
    pub columns: Option<Ints<'a>>,
    /// `[N, K]`, target distribution, or any weights >= 0.
    pub targets: Option<Floats<'a>>,
    /// `[N]`, target class; instead of `targets`.
    pub ids: Option<Ints<'a>>,
    /// One number in `[0, 1]`, for [`Rule::ConfidenceCe`].
    pub threshold: Option<Floats<'a>>,
    /// `[N]`.
    pub mask: Option<Mask<'a>>,
    /// The rule.
    pub rule: Rule,
    /// From rows to a loss.
    pub total: Total<'a>,
}
/// Results of [`Classes`].
#[derive(Debug, Default)]
pub struct ClassesOut<'a> {
    /// One number.
    pub loss: Option<FloatsMut<'a>>,
    /// `[N]`.
    pub losses: Option<FloatsMut<'a>>,
    /// `[N, K]`, the target that the loss has used.
    pub targets: Option<FloatsMut<'a>>,
    /// `[N, V]`, any float type.
    pub grad_logits: Option<FloatsMut<'a>>,
    /// `[N]`, bits of [`crate::error::row`].
    pub status: Option<MatrixMut<'a, u32>>,
}
impl Classes<'_> {
    /// K.
    pub fn classes(&self) -> usize {
        self.columns.map_or(self.logits.cols(), |c| c.rows())
    }
    /// Column of class `k`.
    #[inline(always)]
    pub fn column(&self, k: usize) -> usize {
        self.columns.map_or(k, |c| c.get(k) as usize)
    }
    /// Whether row `i` is live.
    #[inline(always)]
    pub fn live(&self, i: usize) -> bool {
        self.mask.is_none_or(|m| m.live(i))
    }
    /// Refuses shapes that do not fit, targets that are missing, doubled or negative, and classes out of range.
    pub fn check(&self, out: &ClassesOut<'_>) -> Result<()> {
        let (n, v, k) = (self.logits.rows(), self.logits.cols(), self.classes());
        self.logits.layout().check("logits", n, v)?;
        masked("mask", &self.mask, n)?;
        let range = |field, value: i64, index: usize, n: usize| {
            if (0..n as i64).contains(&value) {
                return Ok(());
            }
            Err(Error::new(Status::OutOfRange, field, Value::At { value, index }, Value::Below(0, n as i64)))
        };
        if let Some(c) = &self.columns {
            c.layout().check("columns", k, 1)?;
            for i in 0..k {
                range("columns", c.get(i), i, v)?;
                if (0..i).any(|j| c.get(j) == c.get(i)) {
                    let at = Value::At { value: c.get(i), index: i };
                    return Err(Error::invalid("columns", at, Value::Text("columns that differ")));
                }
            }
        }
        let none = self.rule == Rule::PduFlatten;
        match (&self.targets, &self.ids) {
            (Some(_), _) if none => return unread("targets", "none: the rule has no target"),
            (_, Some(_)) if none => return unread("target_ids", "none: the rule has no target"),
            (Some(_), Some(_)) => return unread("target_ids", "none beside targets"),
            (None, None) if !none => return missing("targets", "[N, K], or target_ids [N]"),
            (Some(t), None) => {
                t.layout().check("targets", n, k)?;
                for i in (0..n).filter(|&i| self.live(i)) {
                    for j in 0..k {
                        let x = t.at(i, j);
                        if !(0.0..f64::INFINITY).contains(&x) {
                            let legal = Value::Range { min: 0.0, max: f64::INFINITY, min_open: false, max_open: true };
                            return Err(Error::invalid("targets", Value::Float(x), legal));
                        }
                    }
                }
            }
            (None, Some(ids)) => {
                ids.layout().check("target_ids", n, 1)?;
                for i in (0..n).filter(|&i| self.live(i)) {
                    range("target_ids", ids.get(i), i, k)?;
                }
            }
            (None, None) => {}
        }
        match (&self.threshold, self.rule) {
            (None, Rule::ConfidenceCe { .. }) => return missing("threshold", "one number, where class 0 is hard"),
            (Some(_), Rule::ConfidenceCe { .. }) if k != 2 => {
                return Err(Error::shape("logits", Value::Size(k), Value::Text("2 classes")));
            }
            (Some(t), Rule::ConfidenceCe { .. }) => {
                t.layout().check("threshold", 1, 1)?;
                if !(0.0..=1.0).contains(&t.get(0)) {
                    let legal = Value::Range { min: 0.0, max: 1.0, min_open: false, max_open: false };
                    return Err(Error::invalid("threshold", Value::Float(t.get(0)), legal));
                }
            }
            (Some(_), _) => return unread("threshold", "none: only confidence_ce has one"),
            (None, _) => {}
        }
        self.total.check(n, &out.loss)?;
        if out.targets.is_some() && none {
            return unread("out_targets", "none: the rule has no target");
        }
        place("out_losses", &out.losses, n)?;
        place_matrix("out_targets", &out.targets, n, k)?;
        out.grad_logits.as_ref().map_or(Ok(()), |m| m.layout().check("grad_logits_out", n, v))?;
        place_of("out_status", &out.status, n)
    }
}

/// Squared error of a process reward model: the mean over the live steps of a sample, then the mean over the samples that
/// have one (a mean of means).
#[derive(Clone, Copy, Debug)]
pub struct PrmMse<'a> {
    /// `[N]`, predicted values of the steps.
    pub predictions: Floats<'a>,
    /// `[N]`.
    pub targets: Floats<'a>,
    /// Samples.
    pub segments: Segments<'a>,
    /// `[N]`, labelled steps.
    pub mask: Option<Mask<'a>>,
    /// From samples to a loss.
    pub total: Total<'a>,
}
/// Results of [`PrmMse`].
#[derive(Debug, Default)]
pub struct PrmMseOut<'a> {
    /// One number.
    pub loss: Option<FloatsMut<'a>>,
    /// `[B]`, means of the samples.
    pub losses: Option<FloatsMut<'a>>,
    /// `[N]`, any float type.
    pub grad_predictions: Option<FloatsMut<'a>>,
    /// `[B]`: `empty`, `nan_input`, `overflow`.
    pub status: Option<MatrixMut<'a, u32>>,
}
impl PrmMse<'_> {
    /// Refuses shapes that do not fit.
    pub fn check(&self, out: &PrmMseOut<'_>) -> Result<()> {
        let (n, b) = (self.predictions.rows(), self.segments.sequences());
        self.predictions.layout().check("predictions", n, 1)?;
        self.targets.layout().check("targets", n, 1)?;
        self.segments.check(n)?;
        masked("mask", &self.mask, n)?;
        self.total.check(b, &out.loss)?;
        place("out_losses", &out.losses, b)?;
        out.grad_predictions.as_ref().map_or(Ok(()), |m| m.layout().check("grad_predictions_out", n, 1))?;
        place_of("out_status", &out.status, b)
    }
}

/// Which way round [`Orchestrator`] measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// KL(target || w).
    TargetToWeights,
    /// KL(w || target).
    WeightsToTarget,
}
/// Weights of K objectives that depend on the prompt (preference orchestrator): the target weights softmax(r / T) of the
/// preferred answer's rewards, the KL between them and w = softmax(s), and the combination `J = sum w q`.
#[derive(Clone, Copy, Debug)]
pub struct Orchestrator<'a> {
    /// `[B, K]`, rewards of the preferred answer, from which the target is formed.
    pub rewards: Option<Floats<'a>>,
    /// `[B, K]`, logarithms of the target weights; instead of `rewards`.
    pub log_target: Option<Floats<'a>>,
    /// `[B, K]`, s.
    pub scores: Option<Floats<'a>>,
    /// `[B, K]`, q: rewards or losses of the objectives.
    pub values: Option<Floats<'a>>,
    /// The direction of the KL.
    pub direction: Direction,
    /// T > 0, checked by [`Orchestrator::params`].
    pub temperature: f64,
}
/// Results of [`Orchestrator`].
#[derive(Debug, Default)]
pub struct OrchestratorOut<'a> {
    /// `[B, K]`, log target weights.
    pub log_target: Option<FloatsMut<'a>>,
    /// `[B, K]`, w; also the partial of `combined` with respect to the values.
    pub weights: Option<FloatsMut<'a>>,
    /// `[B]`.
    pub kl: Option<FloatsMut<'a>>,
    /// `[B]`, J.
    pub combined: Option<FloatsMut<'a>>,
    /// `[B, K]`, dKL/ds.
    pub grad_kl: Option<FloatsMut<'a>>,
    /// `[B, K]`, dJ/ds = w (q - J); with respect to w it is q.
    pub grad_combined: Option<FloatsMut<'a>>,
    /// `[B]`, bits of [`crate::error::row`].
    pub status: Option<MatrixMut<'a, u32>>,
}
impl Orchestrator<'_> {
    /// Parameters in their order.
    pub const PARAMS: [Param; 1] = [param("temperature", 0.1, "temperature of the target weights").above(0.0)];
    /// The checked temperature.
    pub fn params(given: &[f64]) -> Result<f64> {
        numbers(&Self::PARAMS, given).map(|[t]| t)
    }
    /// `[B, K]`, of the first tensor that is given.
    pub fn shape(&self) -> Option<[usize; 2]> {
        let first = self.rewards.or(self.log_target).or(self.scores).or(self.values)?;
        Some([first.rows(), first.cols()])
    }
    /// Refuses shapes that do not fit and results without what they need.
    pub fn check(&self, out: &OrchestratorOut<'_>) -> Result<()> {
        let Some([b, k]) = self.shape() else {
            return missing("rewards", "a tensor [B, K]: rewards, log_target, scores or values");
        };
        if self.rewards.is_some() && self.log_target.is_some() {
            return unread("log_target", "none beside rewards");
        }
        let inputs = [
            ("rewards", &self.rewards),
            ("log_target", &self.log_target),
            ("scores", &self.scores),
            ("values", &self.values),
        ];
        for (field, m) in inputs {
            m.as_ref().map_or(Ok(()), |m| m.layout().check(field, b, k))?;
        }
        let target = self.rewards.is_some() || self.log_target.is_some();
        let kl = out.kl.is_some() || out.grad_kl.is_some();
        let combined = out.combined.is_some() || out.grad_combined.is_some();
        if (out.log_target.is_some() || kl) && !target {
            return missing("rewards", "[B, K], or log_target: the target is wanted");
        }
        if (kl || combined || out.weights.is_some()) && self.scores.is_none() {
            return missing("scores", "[B, K]: the weights are wanted");
        }
        if combined && self.values.is_none() {
            return missing("values", "[B, K]: the combination is wanted");
        }
        let places = [
            ("out_log_target", &out.log_target, k),
            ("out_weights", &out.weights, k),
            ("out_kl", &out.kl, 1),
            ("out_combined", &out.combined, 1),
            ("grad_scores_kl_out", &out.grad_kl, k),
            ("grad_scores_combined_out", &out.grad_combined, k),
        ];
        places.iter().try_for_each(|(field, m, cols)| place_matrix(field, m, b, *cols))?;
        place_of("out_status", &out.status, b)
    }
}
