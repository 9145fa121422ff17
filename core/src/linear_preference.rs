//! From final hidden states to a preference loss and the gradients of hidden states and head, in one call; no logits in
//! memory.
//!
//! `hidden [N, D] x weight [V, D]^T` -> token log-probs ([`crate::linear_logprob`]) -> sequence scores
//! ([`crate::sequence`]) -> loss ([`crate::preference`]) -> d loss / d score -> d loss / d log-prob (f32) -> gradients of
//! hidden, weight and bias. A row that is masked, ignored, or whose coefficient is exactly 0 is not read by the products.
//!
//! A reference head over the same rows gives the scores' reference, and where a term, the side term or [`Options::kl`] asks for
//! it the divergence of both heads' rows with its gradient.
//!
//! Losses that need the whole batch first run in two calls: [`Phase::Figures`] gives scores, divergences and statistics, the
//! caller forms d loss / d score and d loss / d KL, [`Phase::WithCoefficients`] gives the gradients.
use crate::error::{Error, Result, Status, Value};
use crate::linear_logprob::Rounding;
use crate::logprob::{self, Rows, STATS, Target, TransformInputs};
use crate::matrix::{Floats, FloatsMut, Ints, Mask, Matrix, MatrixMut};
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

/// Floats of the saved statistics of a row of both heads: those of the policy ([`STATS`]), then m and r of the reference and
/// the two halves of the divergence.
pub const PAIR_STATS: usize = STATS + 4;
/// Saved statistics of the policy, and of both heads, of `n` rows: in the second phase only, the latter where both heads'
/// rows are `kept` side by side and in the place of the former.
pub(crate) fn check_saved(
    [stats, pair_stats]: [&Option<Matrix<'_, f32>>; 2],
    n: usize,
    second: bool,
    kept: bool,
) -> Result<()> {
    let unwanted = |field, expected| Err(Error::invalid(field, Value::Text("a tensor"), Value::Text(expected)));
    match (stats, pair_stats) {
        (Some(_), _) if !second => unwanted("stats", "none but in phase with_coefficients"),
        (_, Some(_)) if !second => unwanted("pair_stats", "none but in phase with_coefficients"),
        (_, Some(_)) if !kept => unwanted("pair_stats", "none without a divergence to a reference head"),
        (Some(_), _) if kept => unwanted("stats", "none with a divergence, whose pair_stats hold them"),
        (Some(m), _) => m.layout().check("stats", n, STATS),
        (None, Some(m)) => m.layout().check("pair_stats", n, PAIR_STATS),
        (None, None) => Ok(()),
    }
}

/// The exact KL of policy and reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Divergence {
    /// KL(reference || policy)
    Forward = 1,
    /// KL(policy || reference)
    Reverse = 2,
}
/// What a pair's weight is formed from ([`crate::batch::WpoWeight`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Wpo {
    /// The means of log-prob minus log of the sum of p^2, as in TRL.
    Trl = 1,
    /// The means of the log-probs, at most 1.
    Plain = 2,
}

/// Which tokens a side term runs over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Scope {
    /// Those of the chosen sequence of each live pair, or of each live desirable row.
    Chosen = 1,
    /// Those of the third sequence of each live pair.
    Anchor = 2,
    /// All of the mask, whatever items there are.
    Masked = 3,
}
/// What a side term divides by. A sequence of several items counts as often.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum SideDivisor {
    /// All its tokens.
    Pooled,
    /// Each sequence by its tokens, then by the sequences that have one.
    RowMean,
    /// A number of the caller (accumulation, other ranks), finite and > 0.
    External(f64),
    /// The live items (sequences that have a token, for [`Scope::Masked`]).
    ItemSum,
}
/// A further term over tokens: `coef sum -log p(y) / divisor`, the NLL beside a preference loss (`cpo`, `orpo`, `rpo`, `tpo`;
/// `xpo` with a negative factor; the retained tokens of `grad_diff`), or the same of the divergence to the reference head.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SideTerm {
    /// Finite, either sign, not 0.
    pub coef: f64,
    /// Its tokens.
    pub scope: Scope,
    /// What it divides by.
    pub divisor: SideDivisor,
    /// In the place of -log p(y): the KL of both heads' rows.
    pub divergence: Option<Divergence>,
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
    /// A further term over tokens, phase `single`.
    pub side: Option<SideTerm>,
    /// A reference head over the same rows: its hidden size, and the transform of its logits. In phase `with_coefficients`
    /// for the KL only.
    pub reference: Option<(usize, logprob::Transform)>,
    /// KL(reference || policy) of the sequences beside the scores, in the phases that evaluate no terms; in phase `single`
    /// the terms say whether it is formed.
    pub kl: bool,
    /// Pairs are weighted by the policy's own probabilities of both answers, constant, beside the weights of the items;
    /// phase `single`.
    pub wpo: Option<Wpo>,
}

/// A checked problem: what is asked, without the data.
#[derive(Clone, Copy, Debug)]
pub struct Problem<'a> {
    linear: linear_logprob::Problem,
    reference: Option<linear_logprob::Problem>,
    side: Option<SideTerm>,
    sequence: sequence::Problem<'a>,
    preference: Option<preference::Problem<'a>>,
    phase: Phase,
    divergence: Option<Divergence>,
    wpo: Option<Wpo>,
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
        let refuse = |field, got, expected| Err(Error::invalid(field, Value::Text(got), Value::Text(expected)));
        let reference = match options.reference {
            None => None,
            Some(_) if options.phase == Phase::WithCoefficients && !options.kl => {
                return refuse("ref_head", "a head", "none in phase with_coefficients but for kl_coefficients");
            }
            Some(of) => Some(reference([rows, vocab], options.logprob, of)?),
        };
        let side = options.side.filter(|side| side.coef != 0.0);
        if let Some(side) = &side {
            let positive = |z: f64| z > 0.0 && z < f64::INFINITY;
            if options.phase != Phase::Single {
                return refuse("side_term", "a term", "none but in phase single");
            }
            if !side.coef.is_finite() {
                let got = Value::Float(side.coef);
                return Err(Error::invalid("side_term.coef", got, Value::Text("a finite number")));
            }
            if let SideDivisor::External(z) = side.divisor
                && !positive(z)
            {
                let legal = Value::Range { min: 0.0, max: f64::INFINITY, min_open: true, max_open: true };
                return Err(Error::invalid("side_term.normaliser", Value::Float(z), legal));
            }
            if side.scope == Scope::Chosen && items.kind() == catalog::Kind::List {
                return refuse(
                    "side_term.scope",
                    "chosen sequences of lists",
                    "pairs, rows, or all tokens of the mask",
                );
            }
            if side.scope == Scope::Anchor && !items.anchored() {
                return refuse("side_term.scope", "anchors", "pairs with a third sequence");
            }
            if side.divergence.is_some() && reference.is_none() {
                return refuse("ref_head", "nothing", "the head that the divergence of the side term is taken to");
            }
        }
        if options.wpo.is_some() && options.phase != Phase::Single {
            return refuse("wpo", "weights", "none but in phase single");
        }
        if options.wpo.is_some() && items.kind() != catalog::Kind::Pair {
            return refuse("wpo", "rows or lists", "pairs");
        }
        let mut divergence = side.and_then(|side| side.divergence);
        if options.phase != Phase::Single && options.kl {
            if reference.is_none() {
                return refuse("ref_head", "nothing", "the head that the KL is taken to");
            }
            divergence = Some(Divergence::Forward);
        }
        let preference = match options.phase {
            Phase::Single => {
                let score = match options.score.score {
                    Score::Mean(_) => catalog::Score::Mean,
                    Score::Sum | Score::Ld { .. } => catalog::Score::Sum,
                };
                let anchored = side.is_some_and(|side| side.scope == Scope::Anchor);
                let settings = preference::Options {
                    score: Some(score),
                    skip_flagged: options.skip_flagged,
                    anchored,
                    accumulate: false,
                };
                let problem = preference::Problem::new(segments.sequences(), items, terms, settings)?;
                if let Some(t) = terms.iter().find(|t| t.about().reads(catalog::slot::KL)) {
                    if reference.is_none() {
                        let expected = Value::Text("an entry without the kl slot, or a reference head");
                        return Err(Error::invalid("loss.id", Value::Text(t.about().name), expected));
                    }
                    if options.score.score != Score::Sum || options.score.clamp.is_some() {
                        return refuse("score.kind", "another score", "plain sums beside a KL");
                    }
                    if divergence == Some(Divergence::Reverse) {
                        return refuse("side_term.divergence", "reverse_kl", "forward_kl, which a term reads");
                    }
                    divergence = Some(Divergence::Forward);
                }
                Some(problem)
            }
            _ => None,
        };
        let (phase, wpo) = (options.phase, options.wpo);
        Ok(Problem { linear, reference, side, sequence, preference, phase, divergence, wpo })
    }
    /// The same problem with rounded logits: what those of the policy's head and those of the reference's are rounded to.
    pub fn rounded(self, policy: Rounding, reference: Rounding) -> Problem<'a> {
        let reference = self.reference.map(|p| p.rounded(reference));
        Problem { linear: self.linear.rounded(policy), reference, ..self }
    }
    /// Log-probs of the rows under the reference head.
    pub const fn reference(&self) -> Option<&linear_logprob::Problem> {
        self.reference.as_ref()
    }
    /// Some term reads the KL to the reference.
    pub fn reads_kl(&self) -> bool {
        self.preference.is_some_and(|p| p.reads(catalog::slot::KL))
    }
    /// What both heads' rows are compared by, where they are: for terms that read the KL, the side term, or the figures.
    pub const fn divergence(&self) -> Option<Divergence> {
        self.divergence
    }
    /// The scores are those of the difference to the reference head: not where only the side term reads it.
    pub fn by_head(&self) -> bool {
        let reads = self.preference.is_none_or(|p| p.reads(catalog::slot::REF));
        self.reference.is_some() && (reads || self.side.is_none_or(|side| side.divergence.is_none()))
    }
    /// How pairs are weighted.
    pub const fn wpo(&self) -> Option<Wpo> {
        self.wpo
    }
    /// The further term over tokens.
    pub const fn side(&self) -> Option<&SideTerm> {
        self.side.as_ref()
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

/// The reference's side of [`Inputs`]: hidden states of the same rows, its head, the inputs of its transform.
#[derive(Clone, Copy, Debug)]
pub struct RefHead<'a> {
    /// `[N, D']`.
    pub hidden: Floats<'a>,
    /// `[V, D']`.
    pub weight: Floats<'a>,
    /// Bias and row temperatures.
    pub transform: TransformInputs<'a>,
}

/// The problem of the reference's log-probs: a hidden size and a transform beside the policy's options; `[N, V]`.
pub(crate) fn reference(
    [rows, vocab]: [usize; 2],
    own: logprob::Options,
    (size, transform): (usize, logprob::Transform),
) -> Result<linear_logprob::Problem> {
    let own = logprob::Options { transform, ..own };
    linear_logprob::Problem::new(rows, size, vocab, own).map_err(of_reference)
}
fn of_reference(e: Error) -> Error {
    match e.field {
        "head.hidden" | "hidden" => Error { field: "ref_head.hidden", ..e },
        "head.weight" => Error { field: "ref_head.weight", ..e },
        field if field.starts_with("transform.") => Error { field: "ref_head.transform", ..e },
        _ => e,
    }
}
impl RefHead<'_> {
    /// Shapes and values.
    pub(crate) fn check(&self, reference: &linear_logprob::Problem, rows: &Rows<'_>) -> Result<()> {
        reference.check_operands(&self.hidden, &self.weight).map_err(of_reference)?;
        self.transform.check(reference.logprob(), rows).map_err(of_reference)
    }
    /// What keeping both heads' logits side by side asks for: the reference's and the policy's problem, the policy's operands.
    pub(crate) fn check_beside(&self, problems: [&linear_logprob::Problem; 2], own: [&Floats<'_>; 2]) -> Result<()> {
        let types = [
            ("ref_head.hidden", self.hidden.dtype(), own[0].dtype()),
            ("ref_head.weight", self.weight.dtype(), own[1].dtype()),
        ];
        for (field, got, own) in types {
            if got != own {
                return Err(Error::new(Status::UnsupportedDtype, field, Value::Dtype(got), Value::Dtype(own)));
            }
        }
        let [got, own] = problems.map(|p| p.logprob().valid());
        match got == own {
            true => Ok(()),
            false => Err(Error::invalid("ref_head.transform", Value::Size(got), Value::Size(own))),
        }
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
    /// The reference's head, of the same element types where a term reads the KL. Not with `ref_logps` or `ref_scores`.
    pub ref_head: Option<RefHead<'a>>,
    /// `[N]`, tokens of the side term, which may be more than those of the score; absent: the same.
    pub side_mask: Option<Mask<'a>>,
    /// Masks, weights, margins, labels of the items.
    pub groups: Groups<'a>,
    /// `[S]`, d loss / d score, phase `with_coefficients`.
    pub score_coefficients: Option<Matrix<'a, f64>>,
    /// `[S]`, d loss / d KL, phase `with_coefficients` with [`Options::kl`].
    pub kl_coefficients: Option<Matrix<'a, f64>>,
    /// `[N, 12]` of the first phase, phase `with_coefficients`; absent: computed again.
    pub stats: Option<Matrix<'a, f32>>,
    /// `[N, 16]` of the first phase, phase `with_coefficients` with the KL, in the place of `stats`.
    pub pair_stats: Option<Matrix<'a, f32>>,
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
            ref_head: None,
            side_mask: None,
            groups: Groups::default(),
            score_coefficients: None,
            kl_coefficients: None,
            stats: None,
            pair_stats: None,
            grad_output: None,
            grad_scale: 1.0,
        }
    }
    /// Whether row `i` is live.
    #[inline(always)]
    pub fn live(&self, problem: &Problem<'_>, i: usize) -> bool {
        self.rows.target(i, problem.linear.logprob().options()) != Target::Ignored
    }
    /// Whether row `i` is a token of the side term's mask.
    #[inline(always)]
    pub fn beside(&self, problem: &Problem<'_>, i: usize) -> bool {
        self.side_rows().target(i, problem.linear.logprob().options()) != Target::Ignored
    }
    fn side_rows(&self) -> Rows<'a> {
        Rows { mask: self.side_mask.or(self.rows.mask), ..self.rows }
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
        if let Some(mask) = &self.side_mask {
            mask.layout().check("side_term.mask", n, 1)?;
            if problem.side.is_none() {
                let expected = Value::Text("none without a side term");
                return Err(Error::invalid("side_term.mask", Value::Text("a tensor"), expected));
            }
            self.side_rows().check(problem.linear.logprob())?;
            self.transform.check(problem.linear.logprob(), &self.side_rows())?;
        }
        match (&self.ref_head, &problem.reference) {
            (None, None) => {}
            (Some(head), Some(reference)) => {
                head.check(reference, &self.rows)?;
                if self.ref_logps.is_some() || self.ref_scores.is_some() {
                    let expected = Value::Text("none beside a reference head");
                    let field = if self.ref_logps.is_some() { "ref_logps" } else { "ref_scores" };
                    return Err(Error::invalid(field, Value::Text("a tensor"), expected));
                }
                if problem.divergence.is_some() {
                    head.check_beside([reference, &problem.linear], [&self.hidden, &self.weight])?;
                }
                if problem.reads_kl() && self.token_weights.is_some() {
                    let expected = Value::Text("none beside a KL, whose tokens have no weights");
                    return Err(Error::invalid("score.token_weights", Value::Text("a tensor"), expected));
                }
            }
            (head, _) => {
                let got = Value::Text(if head.is_some() { "tensors" } else { "nothing" });
                return Err(Error::invalid("ref_head.hidden", got, Value::Text("as the options say")));
            }
        }
        if let Some(r) = &self.ref_logps {
            r.layout().check("ref_logps", n, 1)?;
        }
        let by_token = self.ref_logps.is_some() || problem.by_head();
        if problem.sequence.options().clamp.is_some() && !by_token {
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
            (None, Phase::WithCoefficients) if self.kl_coefficients.is_none() => {
                let expected = Value::Text("[S] (or kl_coefficients) in phase with_coefficients");
                return Err(Error::invalid("score_coefficients", Value::Text("nothing"), expected));
            }
            (Some(_), _) => return unwanted("score_coefficients", "none but in phase with_coefficients"),
            (None, _) => {}
        }
        let (second, keeps) = (problem.phase == Phase::WithCoefficients, problem.divergence.is_some());
        if let Some(c) = &self.kl_coefficients {
            c.layout().check("kl_coefficients", s, 1)?;
        }
        if (second && keeps) != self.kl_coefficients.is_some() {
            let got = Value::Text(if self.kl_coefficients.is_some() { "a tensor" } else { "nothing" });
            let expected = Value::Text("[S] in phase with_coefficients with a reference head, else none");
            return Err(Error::invalid("kl_coefficients", got, expected));
        }
        check_saved([&self.stats, &self.pair_stats], n, second, keeps)?;
        let Some(p) = &problem.preference else { return Ok(()) };
        for t in p.terms() {
            let reads = t.about().reads(catalog::slot::REF);
            if reads && !by_token && self.ref_scores.is_none() {
                return Err(Error::invalid(
                    "ref_scores",
                    Value::Text("nothing"),
                    Value::Text("[S] (or ref_logps): a term reads them"),
                ));
            }
            if !reads && by_token {
                let field = if self.ref_head.is_some() { "ref_head.hidden" } else { "ref_logps" };
                return unwanted(field, "none: a term takes no reference (give ref_scores)");
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
    /// `[S]`, scores of the reference; with `ref_logps` or a reference head.
    pub ref_scores: Option<MatrixMut<'a, f64>>,
    /// `[S]`, the divergence summed over the live tokens: KL(reference || policy) where a term reads it.
    pub kl: Option<MatrixMut<'a, f64>>,
    /// One number, the side term before its factor.
    pub side: Option<FloatsMut<'a>>,
    /// `[N, 12]`, for the phase `with_coefficients`.
    pub stats: Option<MatrixMut<'a, f32>>,
    /// `[N, 16]`, both heads, for the phase `with_coefficients` with the KL.
    pub pair_stats: Option<MatrixMut<'a, f32>>,
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
        self.ref_scores.as_ref().map_or(Ok(()), |m| m.layout().check("out_ref_scores", s, 1))?;
        self.kl.as_ref().map_or(Ok(()), |m| m.layout().check("out_kl", s, 1))?;
        self.pair_stats.as_ref().map_or(Ok(()), |m| m.layout().check("out_pair_stats", n, PAIR_STATS))?;
        for (field, given) in [("out_kl", self.kl.is_some()), ("out_pair_stats", self.pair_stats.is_some())] {
            if given && problem.divergence.is_none() {
                let expected = Value::Text("none: nothing reads the KL");
                return Err(Error::invalid(field, Value::Text("a tensor"), expected));
            }
        }
        if let Some(m) = &self.side {
            sequence::wide("out_side_term", m.dtype())?;
            m.layout().check("out_side_term", 1, 1)?;
            if problem.side.is_none() {
                let expected = Value::Text("none without a side term");
                return Err(Error::invalid("out_side_term", Value::Text("a tensor"), expected));
            }
        }
        self.stats.as_ref().map_or(Ok(()), |m| m.layout().check("out_stats", n, STATS))?;
        self.row_status.as_ref().map_or(Ok(()), |m| m.layout().check("out_row_status", n, 1))?;
        let figures = self.logps.is_some() || self.scores.is_some() || self.counts.is_some() || self.stats.is_some();
        let figures = figures || self.ref_scores.is_some() || self.kl.is_some() || self.pair_stats.is_some();
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
                    &o.grad_margin_chosen,
                    &o.grad_margin_rejected,
                    &o.grad_baseline,
                    &o.aux,
                ];
                let given = reals.iter().any(|m| m.is_some());
                if given
                    || o.grad_params.is_some()
                    || o.statistics.is_some()
                    || o.status.is_some()
                    || o.counters.is_some()
                {
                    return refuse("outputs", "no loss but in phase single");
                }
                Ok(())
            }
        }
    }
}
