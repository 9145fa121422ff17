//! From final hidden states to a preference loss and the gradients of hidden states and head, in one call; no logits in
//! memory.
//!
//! `hidden [N, D] x weight [V, D]^T` -> token log-probs ([`crate::linear_logprob`]) -> sequence scores
//! ([`crate::sequence`]) -> loss ([`crate::preference`]) -> d loss / d score -> d loss / d log-prob (f32) -> gradients of
//! hidden, weight and bias. A row that is masked, ignored, or whose coefficient is exactly 0 is not read by the products.
//!
//! Losses that need the whole batch first run in two calls: [`Phase::Figures`] gives scores and statistics, the caller
//! forms d loss / d score, [`Phase::WithCoefficients`] gives the gradients.
use crate::error::{Error, Result, Status, Value};
use crate::logprob::{self, Rows, STATS, Target, TransformInputs};
use crate::matrix::{Floats, Ints, Matrix, MatrixMut};
use crate::preference::{self, Groups, Items, Term};
use crate::sequence::{self, Score, Segments, factor};
use crate::{catalog, linear_logprob};

/// What a call does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u32)]
pub enum Phase {
    /// Loss and gradients.
    #[default]
    Single = 1,
    /// Log-probs, scores, counts, statistics; terms are not evaluated.
    Figures = 2,
    /// Gradients from the caller's d loss / d score; terms are not evaluated.
    WithCoefficients = 3,
}

/// Settings of a call.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Of the logits.
    pub logprob: logprob::Options,
    /// From tokens to scores.
    pub score: sequence::Options,
    /// Flagged items leave sum and divisor.
    pub skip_flagged: bool,
    /// What the call does.
    pub phase: Phase,
}

/// A checked problem: what is asked, without the data.
#[derive(Clone, Copy, Debug)]
pub struct Problem<'a> {
    linear: linear_logprob::Problem,
    sequence: sequence::Problem<'a>,
    preference: Option<preference::Problem<'a>>,
    phase: Phase,
}
impl<'a> Problem<'a> {
    /// Checks the options. `shape` is `[N, D, V]`; `items` and `terms` are looked at in phase `single` only.
    pub fn new(
        shape: [usize; 3],
        segments: Segments<'a>,
        items: Items<'a>,
        terms: &'a [Term<'a>],
        options: Options,
    ) -> Result<Problem<'a>> {
        let [rows, hidden_size, vocab] = shape;
        options.logprob.check_common("nothing: the loss has no use for it")?;
        let linear = linear_logprob::Problem::new(rows, hidden_size, vocab, options.logprob)?;
        let sequence = sequence::Problem::new(rows, segments, options.score)?;
        if options.phase == Phase::WithCoefficients && options.score.clamp.is_some() {
            let got = Value::Text("a clamp in phase with_coefficients");
            return Err(Error::invalid(
                "score.clamp_low",
                got,
                Value::Text("none: the log-probs are not formed there"),
            ));
        }
        let preference = match options.phase {
            Phase::Single => {
                let score = match options.score.score {
                    Score::Mean(_) => catalog::Score::Mean,
                    Score::Sum | Score::Ld { .. } => catalog::Score::Sum,
                };
                let settings = preference::Options { score: Some(score), skip_flagged: options.skip_flagged };
                let problem = preference::Problem::new(segments.sequences(), items, terms, settings)?;
                for t in terms {
                    if t.about().reads(catalog::slot::KL) {
                        return Err(Error::invalid(
                            "loss.id",
                            Value::Text(t.about().name),
                            Value::Text("an entry without the kl slot: its KL needs the reference's head"),
                        ));
                    }
                }
                Some(problem)
            }
            _ => None,
        };
        Ok(Problem { linear, sequence, preference, phase: options.phase })
    }
    /// Log-probs of the rows.
    pub const fn linear(&self) -> &linear_logprob::Problem {
        &self.linear
    }
    /// Scores of the sequences.
    pub const fn sequence(&self) -> &sequence::Problem<'a> {
        &self.sequence
    }
    /// Loss of the items, in phase `single`.
    pub const fn preference(&self) -> Option<&preference::Problem<'a>> {
        self.preference.as_ref()
    }
    /// What the call does.
    pub const fn phase(&self) -> Phase {
        self.phase
    }
}

/// The data of a call.
#[derive(Clone, Copy, Debug)]
pub struct Inputs<'a> {
    /// `[N, D]`.
    pub hidden: Floats<'a>,
    /// `[V, D]`.
    pub weight: Floats<'a>,
    /// Bias and row temperatures.
    pub transform: TransformInputs<'a>,
    /// Targets and mask.
    pub rows: Rows<'a>,
    /// `[N]`, see [`sequence::Weights::token_weights`].
    pub token_weights: Option<Matrix<'a, f32>>,
    /// `[S]`, see [`sequence::Weights::ld_prefix`].
    pub ld_prefix: Option<Ints<'a>>,
    /// `[N]`, reference log-probs of the tokens; the score is that of the difference. Not with `ref_scores`.
    pub ref_logps: Option<Floats<'a>>,
    /// `[S]`, reference scores of the same kind as the call's score.
    pub ref_scores: Option<Floats<'a>>,
    /// Masks, weights, margins, labels of the items.
    pub groups: Groups<'a>,
    /// `[S]`, d loss / d score, phase `with_coefficients`.
    pub score_coefficients: Option<Matrix<'a, f64>>,
    /// `[N, 12]` of the first phase, phase `with_coefficients`; absent: computed again.
    pub stats: Option<Matrix<'a, f32>>,
    /// Factor of the gradients, one number; absent: 1.
    pub grad_output: Option<Floats<'a>>,
    /// Host factor of the gradients, finite.
    pub grad_scale: f64,
}
impl<'a> Inputs<'a> {
    /// Hidden states, head and targets, nothing else.
    pub fn new(hidden: Floats<'a>, weight: Floats<'a>, target: Ints<'a>) -> Self {
        Inputs {
            hidden,
            weight,
            transform: TransformInputs::default(),
            rows: Rows { target: Some(target), ..Rows::default() },
            token_weights: None,
            ld_prefix: None,
            ref_logps: None,
            ref_scores: None,
            groups: Groups::default(),
            score_coefficients: None,
            stats: None,
            grad_output: None,
            grad_scale: 1.0,
        }
    }
    /// Whether row `i` is live.
    #[inline(always)]
    pub fn live(&self, problem: &Problem<'_>, i: usize) -> bool {
        self.rows.target(i, problem.linear.logprob().options()) != Target::Ignored
    }
    /// Shapes, values, targets, indices.
    pub fn check(&self, problem: &Problem<'_>) -> Result<()> {
        let (n, s) = (problem.linear.rows(), problem.sequence.sequences());
        problem.linear.check_operands(&self.hidden, &self.weight)?;
        if self.rows.target.is_none() {
            return Err(Error::invalid("rows.target", Value::Text("nothing"), Value::Text("[N] token ids")));
        }
        self.rows.check(problem.linear.logprob())?;
        self.transform.check(problem.linear.logprob(), &self.rows)?;
        if let Some(r) = &self.ref_logps {
            r.layout().check("ref_logps", n, 1)?;
        }
        if problem.sequence.options().clamp.is_some() && self.ref_logps.is_none() {
            return Err(Error::invalid(
                "ref_logps",
                Value::Text("nothing"),
                Value::Text("token reference with a clamp"),
            ));
        }
        factor(self.grad_output, self.grad_scale)?;
        let unwanted = |field, expected| Err(Error::invalid(field, Value::Text("a tensor"), Value::Text(expected)));
        if self.ref_logps.is_some() && self.ref_scores.is_some() {
            return unwanted("ref_scores", "none beside ref_logps");
        }
        match (&self.score_coefficients, problem.phase) {
            (Some(c), Phase::WithCoefficients) => c.layout().check("score_coefficients", s, 1)?,
            (None, Phase::WithCoefficients) => {
                let expected = Value::Text("[S] in phase with_coefficients");
                return Err(Error::invalid("score_coefficients", Value::Text("nothing"), expected));
            }
            (Some(_), _) => return unwanted("score_coefficients", "none but in phase with_coefficients"),
            (None, _) => {}
        }
        match (&self.stats, problem.phase) {
            (Some(m), Phase::WithCoefficients) => m.layout().check("stats", n, STATS)?,
            (Some(_), _) => return unwanted("stats", "none but in phase with_coefficients"),
            (None, _) => {}
        }
        let Some(p) = &problem.preference else { return Ok(()) };
        for t in p.terms() {
            let reads = t.about().reads(catalog::slot::REF);
            if reads && self.ref_logps.is_none() && self.ref_scores.is_none() {
                return Err(Error::invalid(
                    "ref_scores",
                    Value::Text("nothing"),
                    Value::Text("[S] (or ref_logps): a term reads them"),
                ));
            }
            if !reads && self.ref_logps.is_some() {
                return unwanted("ref_logps", "none: a term takes no reference (give ref_scores)");
            }
        }
        Ok(())
    }
}

/// Results besides the gradients, each only where a place is given.
#[derive(Debug, Default)]
pub struct Outputs<'a> {
    /// `[N]`, log-probs of the targets, nats.
    pub logps: Option<MatrixMut<'a, f32>>,
    /// `[S]`, scores; with `ref_logps` those of the difference.
    pub scores: Option<MatrixMut<'a, f64>>,
    /// `[S]`, live tokens.
    pub counts: Option<MatrixMut<'a, i32>>,
    /// `[N, 12]`, for the phase `with_coefficients`.
    pub stats: Option<MatrixMut<'a, f32>>,
    /// `[N]`, bits of [`crate::error::row`].
    pub row_status: Option<MatrixMut<'a, u32>>,
    /// Loss, rewards, item status; phase `single`.
    pub preference: preference::Outputs<'a>,
}
impl Outputs<'_> {
    /// Refuses places of the wrong shape and places that the phase does not fill.
    pub fn check(&self, problem: &Problem<'_>) -> Result<()> {
        let (n, s) = (problem.linear.rows(), problem.sequence.sequences());
        self.logps.as_ref().map_or(Ok(()), |m| m.layout().check("out_logps", n, 1))?;
        self.scores.as_ref().map_or(Ok(()), |m| m.layout().check("out_scores", s, 1))?;
        self.counts.as_ref().map_or(Ok(()), |m| m.layout().check("out_counts", s, 1))?;
        self.stats.as_ref().map_or(Ok(()), |m| m.layout().check("out_stats", n, STATS))?;
        self.row_status.as_ref().map_or(Ok(()), |m| m.layout().check("out_row_status", n, 1))?;
        let figures = self.logps.is_some() || self.scores.is_some() || self.counts.is_some() || self.stats.is_some();
        let refuse = |field, expected| {
            Err(Error::new(Status::InvalidArgument, field, Value::Text("a tensor"), Value::Text(expected)))
        };
        if problem.phase == Phase::WithCoefficients && figures {
            return refuse("out_logps", "no figures in phase with_coefficients");
        }
        let o = &self.preference;
        match &problem.preference {
            Some(p) => o.check(p),
            None => {
                let reals = [
                    &o.loss,
                    &o.losses,
                    &o.reward_chosen,
                    &o.reward_rejected,
                    &o.grad_scores,
                    &o.grad_kl,
                    &o.grad_margin,
                ];
                let given = reals.iter().any(|m| m.is_some());
                if given || o.statistics.is_some() || o.status.is_some() || o.counters.is_some() {
                    return refuse("outputs", "no loss but in phase single");
                }
                Ok(())
            }
        }
    }
}
