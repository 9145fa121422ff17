//! From final hidden states to a policy loss and the gradients of hidden states and head, in one call; no logits in memory.
//!
//! `hidden [N, D] x weight [V, D]^T` -> token log-probs and entropies ([`crate::linear_logprob`]) -> loss
//! ([`crate::policy`]) -> d loss / d log-prob and d loss / d entropy (f32) -> gradients of hidden, weight and bias. A row
//! that is masked, ignored, or whose coefficients are exactly 0 (clipped tokens) is not read by the products.
//!
//! A reference head over the same rows ([`Options::reference`]) gives its log-probs inside; with [`Options::divergence`] both
//! heads' logits of a group of sequences are kept side by side, 8 bytes a live row and column, and the KL term is exact.
//!
//! With a sampling support ([`Options::support`]) log-probs and entropies are those of the kept columns, of both heads.
//!
//! The denominators follow from the masks, so one call ([`Phase::Single`]) serves every entry. What selects by the log-probs,
//! entropies or divergences of the call itself (`top_entropy_mask`, `cov_select`) runs in two: [`Phase::Figures`] gives them,
//! the caller selects and forms the coefficients ([`crate::policy`] on the figures), [`Phase::WithCoefficients`] gives the
//! gradients.
use crate::catalog::slot;
use crate::error::{Error, Result, Value};
use crate::linear_logprob::Rounding;
pub use crate::linear_preference::{Divergence, PAIR_STATS, Phase, RefHead};
use crate::linear_preference::{check_saved, reference};
use crate::logprob::{self, Rows, STATS, Target, TransformInputs};
use crate::matrix::{Floats, Ints, Mask, Matrix, MatrixMut};
use crate::policy::Estimator;
use crate::sequence::{Segments, factor};
use crate::support::{Outside, Support};
use crate::{linear_logprob, policy};

/// Settings of a call.
#[derive(Clone, Copy, Debug)]
pub struct Options<'a> {
    /// Of the logits.
    pub logprob: logprob::Options,
    /// Of the loss; looked at in phase `single` only.
    pub policy: policy::Options<'a>,
    /// What the call does.
    pub phase: Phase,
    /// A reference head over the same rows: its hidden size, and the transform of its logits. Its log-probs are the loss's
    /// `reference`, or where that is given the KL term's. In other phases than `single` for a divergence only.
    pub reference: Option<(usize, logprob::Transform)>,
    /// The KL term is the exact divergence of the two heads' rows, [`Estimator::GIVEN`].
    pub divergence: Option<Divergence>,
    /// The columns that log-probs and entropies are normalised over, and what happens to targets outside; those of the policy,
    /// for the log-probs of a reference head too. Not beside a divergence.
    pub support: Option<(Support<'a>, Outside)>,
}

/// A checked problem: what is asked, without the data.
#[derive(Clone, Copy, Debug)]
pub struct Problem<'a> {
    linear: linear_logprob::Problem,
    segments: Segments<'a>,
    policy: Option<policy::Problem<'a>>,
    phase: Phase,
    reference: Option<linear_logprob::Problem>,
    divergence: Option<Divergence>,
    support: Option<(Support<'a>, Outside)>,
}
impl<'a> Problem<'a> {
    /// Checks the options. `shape` is `[N, D, V]`.
    pub fn new(shape: [usize; 3], segments: Segments<'a>, options: Options<'a>) -> Result<Problem<'a>> {
        let [rows, hidden_size, vocab] = shape;
        let linear = linear_logprob::Problem::new(rows, hidden_size, vocab, options.logprob)?;
        segments.check(rows)?;
        let policy = match options.phase {
            Phase::Single => Some(policy::Problem::new(rows, segments, options.policy)?),
            _ => None,
        };
        let refuse = |field, got, expected| Err(Error::invalid(field, Value::Text(got), Value::Text(expected)));
        if options.reference.is_some() && policy.is_none() && options.divergence.is_none() {
            return refuse("ref_head", "a head", "none but in phase single or with a divergence");
        }
        if let Some(p) = &policy {
            let given = p.options().kl.is_some_and(|kl| kl.id == Estimator::GIVEN);
            if given != options.divergence.is_some() {
                return refuse("inputs.kl.divergence", "an estimator beside it", "one of the two");
            }
        }
        if options.divergence.is_some() && options.reference.is_none() {
            return refuse("ref_head", "nothing", "the head that the divergence is taken to");
        }
        if options.support.is_some() && options.divergence.is_some() {
            return refuse("support.kind", "a support", "none beside a divergence to the reference head");
        }
        let reference = options.reference.map(|of| reference([rows, vocab], options.logprob, of)).transpose()?;
        let Options { phase, divergence, support, .. } = options;
        Ok(Problem { linear, segments, policy, phase, reference, divergence, support })
    }
    /// The same problem with rounded logits: what those of the policy's head and those of the reference's are rounded to.
    pub fn rounded(self, policy: Rounding, reference: Rounding) -> Problem<'a> {
        let reference = self.reference.map(|p| p.rounded(reference));
        Problem { linear: self.linear.rounded(policy), reference, ..self }
    }
    /// Log-probs of the rows.
    pub const fn linear(&self) -> &linear_logprob::Problem {
        &self.linear
    }
    /// Log-probs of the rows under the reference head.
    pub const fn reference(&self) -> Option<&linear_logprob::Problem> {
        self.reference.as_ref()
    }
    /// The exact divergence of the KL term.
    pub const fn divergence(&self) -> Option<Divergence> {
        self.divergence
    }
    /// The columns that log-probs are normalised over.
    pub const fn support(&self) -> Option<&(Support<'a>, Outside)> {
        self.support.as_ref()
    }
    /// The filters of the policy whose columns the reference head shares.
    pub fn shared_filters(&self) -> bool {
        matches!(self.support, Some((Support::Computed(_), _))) && self.reference.is_some()
    }
    /// How the rows form sequences.
    pub const fn segments(&self) -> &Segments<'a> {
        &self.segments
    }
    /// The loss, in phase `single`.
    pub const fn policy(&self) -> Option<&policy::Problem<'a>> {
        self.policy.as_ref()
    }
    /// What the call does.
    pub const fn phase(&self) -> Phase {
        self.phase
    }
    /// The loss has an entropy bonus.
    pub fn bonus(&self) -> bool {
        self.policy.is_some_and(|p| p.options().bonus.is_some())
    }
    /// An entry reads the entropy of the most probable tokens.
    pub fn topk_entropy(&self) -> bool {
        self.policy.is_some_and(|p| p.reads(slot::ENTROPY))
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
    /// Everything about the loss. Its log-probs, entropies and mask are the call's own: what stands there is not looked at.
    pub policy: policy::Inputs<'a>,
    /// The reference's head, of the same element types with a divergence.
    pub ref_head: Option<RefHead<'a>>,
    /// `[N]`, d loss / d log-prob, phase `with_coefficients`.
    pub logp_coefficients: Option<Matrix<'a, f32>>,
    /// `[N]`, d loss / d entropy, phase `with_coefficients`.
    pub entropy_coefficients: Option<Matrix<'a, f32>>,
    /// `[N]`, d loss / d divergence, phase `with_coefficients` with a divergence.
    pub kl_coefficients: Option<Matrix<'a, f32>>,
    /// `[N, 12]` of the first phase, phase `with_coefficients`; absent: computed again.
    pub stats: Option<Matrix<'a, f32>>,
    /// `[N, 16]` of the first phase, phase `with_coefficients` with a divergence, in the place of `stats`.
    pub pair_stats: Option<Matrix<'a, f32>>,
}
impl<'a> Inputs<'a> {
    /// Hidden states, head, targets and what the loss reads beside them.
    pub fn new(hidden: Floats<'a>, weight: Floats<'a>, target: Ints<'a>, policy: policy::Inputs<'a>) -> Self {
        Inputs {
            hidden,
            weight,
            transform: TransformInputs::default(),
            rows: Rows { target: Some(target), ..Rows::default() },
            policy,
            ref_head: None,
            logp_coefficients: None,
            entropy_coefficients: None,
            kl_coefficients: None,
            stats: None,
            pair_stats: None,
        }
    }
    /// Whether row `i` is live.
    #[inline(always)]
    pub fn live(&self, problem: &Problem<'_>, i: usize) -> bool {
        self.rows.target(i, problem.linear.logprob().options()) != Target::Ignored
    }
    /// What the loss is fed with, from the call's own log-probs, entropies (of all tokens, of the most probable ones) and live
    /// rows, the reference's log-probs and the divergence.
    pub fn loss<'b>(
        &self,
        logps: &'b [f32],
        entropy: Option<&'b [f32]>,
        topk_entropy: Option<&'b [f32]>,
        live: &'b [u8],
        reference: Option<&'b [f32]>,
        kl: Option<&'b [f32]>,
    ) -> policy::Inputs<'b>
    where
        'a: 'b,
    {
        let reference = reference.map(|r| Floats::F32(Matrix::vector(r)));
        let of_loss = self.policy.reference.or(reference);
        // where the loss has a teacher of its own
        let of_kl = self.policy.kl_reference.or(if self.policy.reference.is_some() { reference } else { None });
        policy::Inputs {
            reference: of_loss,
            kl_reference: if kl.is_some() { self.policy.kl_reference } else { of_kl },
            kl: kl.map(|kl| Floats::F32(Matrix::vector(kl))),
            logps: Floats::F32(Matrix::vector(logps)),
            entropy: entropy.map(|h| Floats::F32(Matrix::vector(h))),
            topk_entropy: topk_entropy.map(|h| Floats::F32(Matrix::vector(h))),
            mask: Some(Mask::U8(Matrix::vector(live))),
            ..self.policy
        }
    }
    /// Shapes, values, targets; not those of the loss.
    pub fn check(&self, problem: &Problem<'_>) -> Result<()> {
        let n = problem.linear.rows();
        problem.linear.check_operands(&self.hidden, &self.weight)?;
        if self.rows.target.is_none() {
            return Err(Error::invalid("rows.target", Value::Text("nothing"), Value::Text("[N] token ids")));
        }
        self.rows.check(problem.linear.logprob())?;
        self.transform.check(problem.linear.logprob(), &self.rows)?;
        if let Some((support, _)) = &problem.support {
            support.check(problem.linear.logprob(), &self.rows)?;
        }
        match (&self.ref_head, &problem.reference) {
            (None, None) => {}
            (Some(head), Some(reference)) => {
                head.check(reference, &self.rows)?;
                if problem.divergence.is_some() {
                    head.check_beside([reference, &problem.linear], [&self.hidden, &self.weight])?;
                }
                if self.policy.kl_reference.is_some() {
                    let expected = Value::Text("none beside a reference head");
                    return Err(Error::invalid("inputs.kl_ref", Value::Text("a tensor"), expected));
                }
            }
            (head, _) => {
                let got = Value::Text(if head.is_some() { "tensors" } else { "nothing" });
                return Err(Error::invalid("ref_head.hidden", got, Value::Text("as the options say")));
            }
        }
        if problem.policy.is_none() {
            factor(self.policy.grad_output, self.policy.grad_scale)?;
        }
        if self.policy.terms.iter().any(|t| t.mask.is_some()) {
            let expected = Value::Text("none: the log-probs are those of the live rows");
            return Err(Error::invalid("inputs.extra_terms.mask", Value::Text("a tensor"), expected));
        }
        let coefficients = [
            ("logp_coefficients", &self.logp_coefficients),
            ("entropy_coefficients", &self.entropy_coefficients),
            ("kl_coefficients", &self.kl_coefficients),
        ];
        let second = problem.phase == Phase::WithCoefficients;
        for (field, m) in coefficients {
            let Some(m) = m else { continue };
            if !second {
                let expected = Value::Text("none but in phase with_coefficients");
                return Err(Error::invalid(field, Value::Text("a tensor"), expected));
            }
            m.layout().check(field, n, 1)?;
        }
        let keeps = problem.divergence.is_some();
        if second && keeps != self.kl_coefficients.is_some() {
            let got = Value::Text(if keeps { "nothing" } else { "a tensor" });
            return Err(Error::invalid("kl_coefficients", got, Value::Text("[N] with a divergence, else none")));
        }
        if second && !keeps && self.logp_coefficients.is_none() && self.entropy_coefficients.is_none() {
            let expected = Value::Text("[N] (or entropy_coefficients) in phase with_coefficients");
            return Err(Error::invalid("logp_coefficients", Value::Text("nothing"), expected));
        }
        check_saved([&self.stats, &self.pair_stats], n, second, keeps)
    }
}

/// Results besides the gradients, each only where a place is given.
#[derive(Debug, Default)]
pub struct Outputs<'a> {
    /// `[N]`, log-probs of the targets, nats.
    pub logps: Option<MatrixMut<'a, f32>>,
    /// `[N]`, nats.
    pub entropy: Option<MatrixMut<'a, f32>>,
    /// `[N]`, log of the sum of p^2.
    pub log_sum_sq: Option<MatrixMut<'a, f32>>,
    /// `[N, 12]`, for the phase `with_coefficients`.
    pub stats: Option<MatrixMut<'a, f32>>,
    /// `[N, 16]`, both heads, for the phase `with_coefficients` with a divergence.
    pub pair_stats: Option<MatrixMut<'a, f32>>,
    /// Loss and figures, phase `single`; the divergence in [`policy::Outputs::kl`] in phase `figures` too. Its token status holds that of the rows too; its gradients of log-probs and
    /// entropies are the coefficients of the products.
    pub policy: policy::Outputs<'a>,
}
impl Outputs<'_> {
    /// Refuses places of the wrong shape and places that the phase does not fill.
    pub fn check(&self, problem: &Problem<'_>) -> Result<()> {
        let n = problem.linear.rows();
        self.logps.as_ref().map_or(Ok(()), |m| m.layout().check("out_logps", n, 1))?;
        self.entropy.as_ref().map_or(Ok(()), |m| m.layout().check("out_entropy", n, 1))?;
        self.log_sum_sq.as_ref().map_or(Ok(()), |m| m.layout().check("out_log_sum_sq", n, 1))?;
        self.stats.as_ref().map_or(Ok(()), |m| m.layout().check("out_stats", n, STATS))?;
        self.pair_stats.as_ref().map_or(Ok(()), |m| m.layout().check("out_pair_stats", n, PAIR_STATS))?;
        let figures =
            self.logps.is_some() || self.entropy.is_some() || self.log_sum_sq.is_some() || self.stats.is_some();
        let figures = figures || self.pair_stats.is_some();
        let refuse = |field, expected| Err(Error::invalid(field, Value::Text("a tensor"), Value::Text(expected)));
        if problem.phase == Phase::WithCoefficients && figures {
            return refuse("out_logps", "no figures in phase with_coefficients");
        }
        if self.pair_stats.is_some() && problem.divergence.is_none() {
            return refuse("out_pair_stats", "none without a divergence to a reference head");
        }
        let o = &self.policy;
        match &problem.policy {
            Some(p) => o.check(p),
            None => {
                o.token_status.as_ref().map_or(Ok(()), |m| m.layout().check("outputs.out_token_status", n, 1))?;
                let floats = o.loss.is_some() || o.values.is_some();
                o.kl.as_ref().map_or(Ok(()), |m| m.layout().check("outputs.out_kl", n, 1))?;
                let kl = o.kl.is_some() && (problem.divergence.is_none() || problem.phase != Phase::Figures);
                let given = kl || o.grad_logps.is_some() || o.grad_entropy.is_some() || o.grad_log_z.is_some();
                let rest = o.terms.is_some() || o.statistics.is_some() || o.counters.is_some();
                if floats || given || rest || o.sequence_status.is_some() {
                    return refuse("outputs", "no loss but in phase single");
                }
                Ok(())
            }
        }
    }
}
