//! Divergences between the rows of two models: KL both ways and their mixtures, Jensen-Shannon, skewed KL, Renyi, alpha,
//! Hellinger, chi-squared, total variation, cosine, cross entropy; values and gradients of both sides.
//!
//! t = softmax of the teacher's transformed logits, p of the student's, each over its own vocabulary: a column beyond it has
//! probability 0. "forward" has the teacher first. The formulas stand in [`formula`], written once for a and b in the order
//! of the definition; [`Choice`] says which form a kind is and which side comes first.
//!
//! # How a row is computed
//!
//! 1. The records of both sides ([`crate::record`]): maxima m, their columns k, r.
//! 2. The sums of the value over blocks of [`crate::record::BLOCK`] columns. With d = log a - log b every term is >= 0 and of
//!    second order in d where the rows are nearly alike. A common error e of all d, which the f32 normalisers leave, shows in
//!    the sum of a - b, which is 0 (s = 1 - e^-e): it is taken out of the value, where it has second order, and out of gamma
//!    for the gradients, where it would have first ([`refine`]). Kinds that divide by the chain rule are finished block by
//!    block, with the block's own normalisers, and joined by the tree ([`Joint`]): a row is read once. For the others the
//!    records come first.
//! 3. Gradients p_j (w_j - sum p w) use weights relative to the largest column's, w_j - w_k: a nearly certain row would lose
//!    them otherwise.
use crate::error::{Error, Result, Status, Value, row};
use crate::logprob::{self, Rows, Target};
use crate::matrix::{Matrix, MatrixMut, Split};
use crate::preference::Reduction;
use crate::real::Real;
use crate::record::{Node, Record};
use crate::with_formula;

pub mod formula;
mod joint;
pub mod partial;
pub mod uld;
use formula::{Pair, Sums};
pub use joint::{Halves, Joint};

/// Columns of the saved statistics of a row.
pub const STATS: usize = 16;

/// What is computed; the numbers are those of the C ABI (`TRUING_DIVERGENCE_*`). A parameter stands behind its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Kind {
    /// KL(t || p)
    ForwardKl = 1,
    /// KL(p || t)
    ReverseKl = 2,
    /// omega KL(t || p) + (1 - omega) KL(p || t); omega in `[0, 1]`, 1/2
    MixedKl = 3,
    /// KL(t || p) + KL(p || t)
    Jeffreys = 4,
    /// beta KL(t || M) + (1 - beta) KL(p || M), M = beta t + (1 - beta) p; beta in `[0, 1]`, 1/2
    Jsd = 5,
    /// KL(t || lambda t + (1 - lambda) p); lambda in `[0, 1)`, 0.1
    SkewKl = 6,
    /// KL(p || lambda p + (1 - lambda) t); lambda in `[0, 1)`, 0.1
    SkewReverseKl = 7,
    /// log(sum t^alpha p^(1 - alpha)) / (alpha - 1); alpha in `(0, 64]`, required
    Renyi = 8,
    /// (1 - sum t^alpha p^(1 - alpha)) / (alpha (1 - alpha)); alpha in `[-8, 8]`, required
    Alpha = 9,
    /// 1 - sum sqrt(t p)
    Hellinger2 = 10,
    /// sum (t - p)^2 / p
    Chi2 = 11,
    /// sum (p - t)^2 / t
    Chi2Reverse = 12,
    /// sum |t - p| / 2
    Tvd = 13,
    /// 1 - <t, p> / (|t| |p|)
    CosineProbs = 14,
    /// 1 - <y, x> / (|y| |x|) of the transformed logits, columns dead on either side left out
    CosineLogits = 15,
    /// -sum t log p
    CrossEntropy = 16,
    /// -sum p log t
    ReverseCrossEntropy = 17,
}
/// A kind in tables and messages.
#[derive(Clone, Copy, Debug)]
pub struct Info {
    /// The kind.
    pub kind: Kind,
    /// Its name.
    pub name: &'static str,
    /// Name and default of its parameter.
    pub param: Option<(&'static str, Option<f64>)>,
}
macro_rules! kinds {
    ($($kind:ident $name:literal $param:expr;)*) => {
        impl Kind {
            /// All of them, in the order of their numbers.
            pub const ALL: [Info; 17] = [$( Info { kind: Kind::$kind, name: $name, param: $param } ),*];
        }
    };
}
kinds! {
    ForwardKl "forward_kl" None;
    ReverseKl "reverse_kl" None;
    MixedKl "mixed_kl" Some(("omega", Some(0.5)));
    Jeffreys "jeffreys" None;
    Jsd "jsd" Some(("beta", Some(0.5)));
    SkewKl "skew_kl" Some(("lambda", Some(0.1)));
    SkewReverseKl "skew_reverse_kl" Some(("lambda", Some(0.1)));
    Renyi "renyi" Some(("alpha", None));
    Alpha "alpha" Some(("alpha", None));
    Hellinger2 "hellinger2" None;
    Chi2 "chi2" None;
    Chi2Reverse "chi2_reverse" None;
    Tvd "tvd" None;
    CosineProbs "cosine_probs" None;
    CosineLogits "cosine_logits" None;
    CrossEntropy "cross_entropy" None;
    ReverseCrossEntropy "reverse_cross_entropy" None;
}
impl Kind {
    /// The kind with this number.
    pub fn find(id: u32) -> Option<Kind> {
        Kind::ALL.iter().map(|x| x.kind).find(|&k| k as u32 == id)
    }
    /// Name and parameter.
    pub fn info(self) -> &'static Info {
        &Kind::ALL[self as usize - 1]
    }
}
/// [`Kind::Jsd`] at beta = 0 and 1, where it tends to 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Limits {
    /// forward_kl at 0 and reverse_kl at 1, as trainers have it.
    #[default]
    Peer,
    /// 0 with zero gradient.
    Continuous,
    /// Divided by beta (1 - beta) everywhere, which tends to those two.
    Scaled,
}
/// What the teacher's numbers are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Teacher {
    /// Logits.
    #[default]
    Logits,
    /// Log-probs, used without a normaliser of their own.
    Logprobs,
    /// Probabilities; 0 is dead.
    Probs,
}
/// A divergence as it is computed, for sides a and b.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Form {
    /// KL(a || b)
    Kl,
    /// forward KL(a || b) + reverse KL(b || a)
    TwoWay {
        /// Factor of KL(a || b).
        forward: f64,
        /// Factor of KL(b || a).
        reverse: f64,
    },
    /// Jensen-Shannon with weight beta of a, times scale.
    Jsd {
        /// Weight of a.
        beta: f64,
        /// Factor.
        scale: f64,
    },
    /// KL(a || lambda a + (1 - lambda) b)
    Skew {
        /// Weight of a.
        lambda: f64,
    },
    /// From sum a^alpha b^(1 - alpha): Renyi's or Amari's.
    Power {
        /// Exponent of a.
        alpha: f64,
        /// log(sum) / (alpha - 1), else (1 - sum) / (alpha (1 - alpha)).
        renyi: bool,
    },
    /// 1 - sum sqrt(a b)
    Hellinger2,
    /// sum (a - b)^2 / b
    Chi2,
    /// sum |a - b| / 2
    Tvd,
    /// Cosine distance of a and b.
    CosineProbs,
    /// Cosine distance of the transformed logits.
    CosineLogits,
    /// -sum a log b
    CrossEntropy,
    /// 0
    Zero,
}
/// A kind with its parameter: the form, and whether the student is a.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Choice {
    /// The form.
    pub form: Form,
    /// a is the student, b the teacher; else the other way round.
    pub student_first: bool,
}
impl Choice {
    /// Checks the parameter: NaN means the default.
    pub fn new(kind: Kind, param: f64, limits: Limits) -> Result<Choice> {
        const FIELD: &str = "options.params";
        let info = kind.info();
        let x = match info.param {
            Some((name, None)) if param.is_nan() => {
                return Err(Error::invalid(FIELD, Value::Text("nothing"), Value::Text(name)));
            }
            Some((_, Some(default))) if param.is_nan() => default,
            _ => param,
        };
        let range = |min: f64, max: f64, min_open: bool, max_open: bool| {
            let ok = (x > min || !min_open && x == min) && (x < max || !max_open && x == max);
            let legal = Value::Range { min, max, min_open, max_open };
            if ok { Ok(()) } else { Err(Error::invalid(FIELD, Value::Float(x), legal)) }
        };
        const NEAR: f64 = 1.0 / 1024.0;
        let apart = |from: f64| {
            if x == from || (x - from).abs() >= NEAR {
                return Ok(());
            }
            Err(Error::invalid(
                FIELD,
                Value::Float(x),
                Value::Text("0 and 1 themselves, or 2^-10 and more away from them"),
            ))
        };
        let choice = |form, student_first| Ok(Choice { form, student_first });
        match kind {
            Kind::ForwardKl => choice(Form::Kl, false),
            Kind::ReverseKl => choice(Form::Kl, true),
            Kind::MixedKl => {
                range(0.0, 1.0, false, false)?;
                match x {
                    1.0 => choice(Form::Kl, false),
                    0.0 => choice(Form::Kl, true),
                    _ => choice(Form::TwoWay { forward: x, reverse: 1.0 - x }, false),
                }
            }
            Kind::Jeffreys => choice(Form::TwoWay { forward: 1.0, reverse: 1.0 }, false),
            Kind::Jsd => {
                range(0.0, 1.0, false, false)?;
                match (limits, x == 0.0 || x == 1.0) {
                    (Limits::Continuous, true) => choice(Form::Zero, false),
                    (_, true) => choice(Form::Kl, x == 1.0),
                    (Limits::Scaled, false) => choice(Form::Jsd { beta: x, scale: 1.0 / (x * (1.0 - x)) }, false),
                    (_, false) => choice(Form::Jsd { beta: x, scale: 1.0 }, false),
                }
            }
            Kind::SkewKl | Kind::SkewReverseKl => {
                range(0.0, 1.0, false, true)?;
                let form = if x == 0.0 { Form::Kl } else { Form::Skew { lambda: x } };
                choice(form, kind == Kind::SkewReverseKl)
            }
            Kind::Renyi => {
                range(0.0, 64.0, true, false)?;
                apart(1.0)?;
                if x == 1.0 { choice(Form::Kl, false) } else { choice(Form::Power { alpha: x, renyi: true }, false) }
            }
            Kind::Alpha => {
                range(-8.0, 8.0, false, false)?;
                apart(0.0)?;
                apart(1.0)?;
                match x {
                    1.0 => choice(Form::Kl, false),
                    0.0 => choice(Form::Kl, true),
                    _ => choice(Form::Power { alpha: x, renyi: false }, false),
                }
            }
            Kind::Hellinger2 => choice(Form::Hellinger2, false),
            Kind::Chi2 => choice(Form::Chi2, false),
            Kind::Chi2Reverse => choice(Form::Chi2, true),
            Kind::Tvd => choice(Form::Tvd, false),
            Kind::CosineProbs => choice(Form::CosineProbs, false),
            Kind::CosineLogits => choice(Form::CosineLogits, false),
            Kind::CrossEntropy => choice(Form::CrossEntropy, false),
            Kind::ReverseCrossEntropy => choice(Form::CrossEntropy, true),
        }
    }
    /// Which of a (0) and b (1) is the student.
    #[inline(always)]
    pub fn student(&self) -> usize {
        if self.student_first { 0 } else { 1 }
    }
    /// The student's and the teacher's as a's and b's, and back.
    #[inline(always)]
    pub fn order<T>(&self, [student, teacher]: [T; 2]) -> [T; 2] {
        if self.student_first { [student, teacher] } else { [teacher, student] }
    }
}

/// The error e of gamma that s, the sum of a - b, shows: -log(1 - s); none where it is too large to be one of rounding.
#[inline(always)]
pub fn refine(s: f64) -> Option<f64> {
    let e = -(-s).log1p();
    (e.abs() < 1e-3).then_some(e)
}
/// What an error of gamma adds to a KL.
#[inline(always)]
fn excess(s: f64) -> f64 {
    refine(s).map_or(0.0, |e| e.h())
}
/// The value of a row before weights.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outcome {
    /// D >= 0, or NaN.
    pub value: f64,
    /// [`Pair::x`]
    pub x: [f64; 4],
    /// A direction is undefined: D is 0 with zero gradient.
    pub degenerate: bool,
}
impl Form {
    /// [`Pair::p`]
    pub fn params(&self) -> [f32; 2] {
        let pair = |x: f64| [x as f32, (1.0 - x) as f32];
        match *self {
            Form::TwoWay { forward, reverse } => [forward as f32, reverse as f32],
            Form::Jsd { beta, .. } => pair(beta),
            Form::Skew { lambda } => pair(lambda),
            Form::Power { alpha, .. } => pair(alpha),
            _ => [0.0; 2],
        }
    }
    /// D from the sums of all columns, of a form that does not divide by the chain rule.
    pub fn finish(&self, k: &Pair, sums: &Sums) -> Outcome {
        let (s, sum) = (sums.delta as f64, sums.value[0] as f64);
        let mut x = [0.0; 4];
        let value = match *self {
            Form::Jsd { beta, scale } => (sum - beta * (1.0 - beta) * excess(s)) * scale,
            Form::Skew { lambda } => sum - (1.0 - lambda) * (1.0 - lambda) * excess(s),
            Form::Tvd => sum,
            Form::Kl | Form::TwoWay { .. } | Form::Power { .. } | Form::Hellinger2 | Form::Chi2 => {
                return self.outcome(self.parts(sums));
            }
            Form::CrossEntropy => k.l[1] as f64 + sum,
            Form::Zero => 0.0,
            Form::CosineProbs | Form::CosineLogits => {
                let [apart, product, aa, bb, ab] = sums.value.map(f64::from);
                let root = |x: f64| if x > 0.0 { Real::exp(0.5 * Real::log(x)) } else { x };
                let (n, m) = (root(aa), root(bb));
                if n == 0.0 || m == 0.0 {
                    return Outcome { value: 0.0, x, degenerate: true };
                }
                let q = product / (n + m);
                // each where it has the smaller terms
                let value = if apart < 2.0 * n * m { (apart - q * q) / (2.0 * n * m) } else { 1.0 - ab / (n * m) };
                x = [if value > 0.0 { value } else { 0.0 }, n, m, q];
                value
            }
        };
        // sums of terms >= 0 less what rounding added
        let value = if value < 0.0 { 0.0 } else { value };
        Outcome { value, x, degenerate: false }
    }
    /// The values of a kind that divides by the chain rule, from the sums of its columns: without what an error of gamma adds.
    #[inline(always)]
    pub fn parts(&self, sums: &Sums) -> [f64; 2] {
        let (s, [x, y]) = (sums.delta as f64, [sums.value[0] as f64, sums.value[1] as f64]);
        match *self {
            Form::Kl => [x - excess(s), 0.0],
            Form::TwoWay { forward, reverse } => [x - forward * excess(s), y - reverse * excess(-s)],
            Form::Power { alpha, .. } => [x - alpha * (1.0 - alpha) * excess(s), 0.0],
            Form::Hellinger2 => [x - 0.25 * excess(s), 0.0],
            Form::Chi2 => [x - 2.0 * excess(s), 0.0],
            _ => [x, 0.0],
        }
    }
    /// D from the values of such a kind, as [`Joint`] has them.
    pub fn outcome(&self, [x, y]: [f64; 2]) -> Outcome {
        let mut found = [0.0; 4];
        let value = match *self {
            Form::Power { alpha, renyi } => {
                found[0] = y;
                if renyi { found[0] / (alpha - 1.0) } else { x / (alpha * (1.0 - alpha)) }
            }
            _ => x + y,
        };
        // sums of terms >= 0 less what rounding added
        let value = if value < 0.0 { 0.0 } else { value };
        Outcome { value, x: found, degenerate: false }
    }
    /// Factors of the weighted terms and of a - b in the gradients of D; see [`formula::Formula`].
    pub fn factors(&self, x: &[f64; 4]) -> [[f64; 2]; 2] {
        let none = [0.0; 2];
        match *self {
            Form::Kl | Form::CrossEntropy => [[1.0, 0.0], [0.0, -1.0]],
            Form::TwoWay { forward, reverse } => [[forward, reverse], [reverse, -forward]],
            Form::Jsd { beta, scale } => [[beta * scale, (1.0 - beta) * scale], none],
            Form::Skew { lambda } => [[1.0, 1.0 - lambda], none],
            Form::Power { alpha, renyi: true } => [[alpha / (alpha - 1.0), -1.0], none],
            Form::Power { alpha, renyi: false } => {
                let a = Real::exp(x[0]);
                [[a / (alpha - 1.0), -a / alpha], none]
            }
            Form::Hellinger2 => [[-0.5; 2], none],
            Form::Chi2 => [[2.0, -1.0], none],
            Form::Tvd => [[0.5, -0.5], none],
            Form::CosineProbs | Form::CosineLogits => [[1.0; 2], none],
            Form::Zero => [none, none],
        }
    }
    /// Whether D is infinite where b is dead and a is not, and the other way round.
    pub fn infinite(&self) -> [bool; 2] {
        match *self {
            Form::Kl | Form::Chi2 | Form::CrossEntropy => [true, false],
            Form::TwoWay { .. } => [true, true],
            Form::Power { alpha, .. } => [alpha > 1.0, alpha < 0.0],
            _ => [false, false],
        }
    }
}
impl Node for Sums {
    const EMPTY: Sums = Sums { value: [0.0; 5], delta: 0.0, moments: [0.0; 2] };
    #[inline(always)]
    fn merge(self, b: Sums) -> Sums {
        let mut x = self;
        for i in 0..5 {
            x.value[i] += b.value[i];
        }
        x.delta += b.delta;
        for i in 0..2 {
            x.moments[i] += b.moments[i];
        }
        x
    }
}
impl Pair {
    /// Of the maxima and the sums of a and b; a normalised side holds log-probs already.
    #[inline(always)] // every block's: with the instruction set of the kernel
    pub fn new(form: &Form, m: [f32; 2], r: [f32; 2], normalised: [bool; 2]) -> Pair {
        let mut k = Pair { m, p: form.params(), ..Pair::default() };
        let mut l = [0.0; 2];
        for i in 0..2 {
            (l[i], k.scale[i]) = if normalised[i] {
                (-(m[i] as f64), Real::exp(m[i] as f64) as f32)
            } else {
                ((r[i] as f64).log1p(), (1.0 / (1.0 + r[i] as f64)) as f32)
            };
            k.l[i] = l[i] as f32;
        }
        k.gamma = (l[0] - l[1]) as f32;
        k
    }
    /// Takes the error of gamma out that the sum of a - b shows.
    pub fn refine(&mut self, s: f32) {
        if let Some(e) = refine(s as f64) {
            self.gamma = (self.gamma as f64 + e) as f32;
        }
    }
    /// Takes gamma and the values from the joint record of the row.
    pub fn gather(&mut self, x: &Joint, normalised: [bool; 2]) -> [f64; 2] {
        let mut log = [0.0; 2];
        for i in 0..2 {
            if normalised[i] {
                log[i] = x.sides[i].m as f64 + x.sides[i].log_sum();
            }
        }
        self.gamma = x.gamma;
        // log-probs that are rounded sum to nearly 1: that is no mass of its own
        if log.iter().all(|l| l.abs() < 1e-3) {
            return x.value.map(f64::from);
        }
        self.gamma = (x.gamma as f64 - (log[0] - log[1])) as f32;
        x.scaled(log)
    }
    /// Sets what belongs to the largest columns: their transformed logits, of a and b each.
    pub fn anchor<F: formula::Formula>(&mut self, at_a: [f32; 2], at_b: [f32; 2]) {
        let c = [self.plain(at_a[0], at_a[1]), self.plain(at_b[0], at_b[1])];
        self.r = [c[0].r, c[1].r];
        [self.w, self.s, self.t] = F::anchors(self, [&c[0], &c[1]]);
    }
}

/// Settings of a call.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Options {
    /// What is computed.
    pub kind: Kind,
    /// Its parameter; NaN: the default.
    pub param: f64,
    /// [`Kind::Jsd`] at its ends.
    pub limits: Limits,
    /// What the teacher's numbers are.
    pub teacher: Teacher,
    /// Factor of -log p of the target, finite; 0 is off.
    pub hard_weight: f64,
    /// The hard-label term has p of the target as a further constant factor.
    pub hard_dft: bool,
    /// Factor of the divergence, finite.
    pub soft_weight: f64,
    /// Added to the teacher's transformed logit of the target: finite or `-inf`.
    pub teacher_target_shift: f64,
    /// The divergence and its gradients times the square of the student's temperature.
    pub temperature_squared: bool,
    /// How the rows become one number.
    pub reduction: Option<Reduction>,
    /// Replaces the divisor of the reduction, finite and > 0; 0 is off.
    pub normaliser: f64,
}
impl Default for Options {
    fn default() -> Self {
        Options {
            kind: Kind::ForwardKl,
            param: f64::NAN,
            limits: Limits::Peer,
            teacher: Teacher::Logits,
            hard_weight: 0.0,
            hard_dft: false,
            soft_weight: 1.0,
            teacher_target_shift: 0.0,
            temperature_squared: false,
            reduction: None,
            normaliser: 0.0,
        }
    }
}
/// A checked problem: both sides and what is asked.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Problem {
    student: logprob::Problem,
    teacher: logprob::Problem,
    options: Options,
    choice: Choice,
}
impl Problem {
    /// Checks the options. Both sides have the same rows; targets count over the student's vocabulary.
    pub fn new(student: logprob::Problem, teacher: logprob::Problem, options: Options) -> Result<Problem> {
        if student.rows() != teacher.rows() {
            return Err(Error::shape("teacher", Value::Size(teacher.rows()), Value::Size(student.rows())));
        }
        let finite = Value::Text("a finite number");
        for (field, x) in [("options.hard_weight", options.hard_weight), ("options.soft_weight", options.soft_weight)] {
            if !x.is_finite() {
                return Err(Error::invalid(field, Value::Float(x), finite));
            }
        }
        if options.hard_dft && options.hard_weight == 0.0 {
            let expected = Value::Text("none without hard_weight");
            return Err(Error::invalid("options.hard_scaling", Value::Text("dft"), expected));
        }
        let shift = options.teacher_target_shift;
        if !(shift < f64::INFINITY) {
            let expected = Value::Text("a finite number or -inf");
            return Err(Error::invalid("options.teacher_target_shift", Value::Float(shift), expected));
        }
        if shift != 0.0 && options.teacher != Teacher::Logits {
            let expected = Value::Text("0 without teacher logits");
            return Err(Error::invalid("options.teacher_target_shift", Value::Float(shift), expected));
        }
        let t = teacher.options().transform;
        if options.teacher != Teacher::Logits && t != logprob::Transform::default() {
            let expected = Value::Text("nothing: the teacher has no logits");
            return Err(Error::invalid("teacher_transform", Value::Text("a transform"), expected));
        }
        let z = options.normaliser;
        if z != 0.0 && !(z > 0.0 && z < f64::INFINITY) {
            let positive = Value::Range { min: 0.0, max: f64::INFINITY, min_open: true, max_open: true };
            return Err(Error::invalid("options.aggregate.normaliser", Value::Float(z), positive));
        }
        if z != 0.0 && matches!(options.reduction, None | Some(Reduction::None)) {
            let expected = Value::Text("0 without a reduction");
            return Err(Error::invalid("options.aggregate.normaliser", Value::Float(z), expected));
        }
        let choice = Choice::new(options.kind, options.param, options.limits)?;
        Ok(Problem { student, teacher, options, choice })
    }
    /// N.
    pub const fn rows(&self) -> usize {
        self.student.rows()
    }
    /// The student's side.
    pub const fn student(&self) -> &logprob::Problem {
        &self.student
    }
    /// The teacher's side.
    pub const fn teacher(&self) -> &logprob::Problem {
        &self.teacher
    }
    /// The settings.
    pub const fn options(&self) -> &Options {
        &self.options
    }
    /// What is computed.
    pub const fn choice(&self) -> &Choice {
        &self.choice
    }
    /// Which of a and b hold log-probs.
    pub fn normalised(&self) -> [bool; 2] {
        self.choice.order([false, self.options.teacher != Teacher::Logits])
    }
    /// Refuses what vocabulary shards do not serve: shifts of the target, teachers of other numbers, and kinds whose gradient
    /// would need logits of another shard.
    pub fn check_shard(&self) -> Result<()> {
        let o = &self.options;
        let refuse = |field, got, expected| Err(Error::invalid(field, Value::Text(got), Value::Text(expected)));
        if o.teacher_target_shift != 0.0 {
            return refuse("options.teacher_target_shift", "a shift", "0 over shards");
        }
        if o.teacher != Teacher::Logits {
            return refuse("options.teacher_form", "other numbers", "logits over shards");
        }
        if o.temperature_squared {
            return refuse("flags", "TRUING_TEMPERATURE_SQUARED", "the caller's own factor over shards");
        }
        if o.kind == Kind::CosineProbs {
            return refuse("options.kind", "cosine_probs", "another kind over shards");
        }
        Ok(())
    }
    /// [`Problem::check_shard`] of a device where shards hand on what they have at a few ids: it does not form the term of the
    /// target there.
    pub fn check_shard_on_ids(&self) -> Result<()> {
        if self.options.hard_weight != 0.0 {
            let expected = Value::Text("0 on ids over shards of a device");
            return Err(Error::invalid("options.hard_weight", Value::Text("a term of the target"), expected));
        }
        self.check_shard()
    }
    /// Numbers of a shard's record of a row: [`STATS`], and behind them, where there is a term of the target, the student's
    /// transformed logit of it.
    pub fn shard_record(&self) -> usize {
        STATS + usize::from(self.options.hard_weight != 0.0)
    }
    /// Numbers of a row's statistics where shards hand on what they have at a few ids: [`STATS`], and behind them, where there
    /// is a term of the target, [`partial::OfTarget`].
    pub fn stats_on_ids(&self) -> usize {
        STATS + if self.options.hard_weight != 0.0 { partial::OfTarget::WIDTH } else { 0 }
    }
    /// Refuses to form one number, or the gradient of one, without a reduction.
    pub fn check_reduces(&self, field: &'static str) -> Result<()> {
        match self.options.reduction {
            None => {
                let expected = Value::Text("a mode, which the loss of all rows needs");
                Err(Error::invalid("options.aggregate.mode", Value::Text("none"), expected))
            }
            Some(Reduction::None) => {
                Err(Error::invalid(field, Value::Text("a tensor"), Value::Text("NULL with aggregate mode `none`")))
            }
            Some(_) => Ok(()),
        }
    }
    /// What the sum of the values is divided by: the number of rows that are read, or the sum of their weights; none if it
    /// is 0.
    pub fn divisor(&self, rows: &Rows<'_>, weight: Option<&Matrix<'_, f32>>) -> Option<f64> {
        if self.options.normaliser != 0.0 {
            return Some(self.options.normaliser);
        }
        let count = |f: fn(f64) -> f64| {
            let mut sum = 0.0;
            for i in 0..self.rows() {
                if self.target(rows, weight, i) != Target::Ignored {
                    sum += f(weight.map_or(1.0, |w| w.get(i) as f64));
                }
            }
            (sum > 0.0).then_some(sum)
        };
        match self.options.reduction {
            Some(Reduction::Mean) => count(|_| 1.0),
            Some(Reduction::WeightedMean) => count(|w| w),
            _ => Some(1.0),
        }
    }
    /// The target of row `i`; a row with weight 0 is not read.
    #[inline(always)]
    pub fn target(&self, rows: &Rows<'_>, weight: Option<&Matrix<'_, f32>>, i: usize) -> Target {
        match rows.target(i, self.student.options()) {
            Target::Ignored => Target::Ignored,
            _ if weight.is_some_and(|w| w.get(i) == 0.0) => Target::Ignored,
            target => target,
        }
    }
    /// Refuses weights of read rows that are not finite and >= 0.
    pub fn check_weight(&self, rows: &Rows<'_>, weight: Option<&Matrix<'_, f32>>) -> Result<()> {
        let Some(w) = weight else { return Ok(()) };
        w.layout().check("row_weight", self.rows(), 1)?;
        for i in 0..self.rows() {
            let x = w.get(i);
            if rows.target(i, self.student.options()) != Target::Ignored && !(0.0..f32::INFINITY).contains(&x) {
                let legal = Value::Range { min: 0.0, max: f64::INFINITY, min_open: false, max_open: true };
                return Err(Error::invalid("row_weight", Value::Float(x as f64), legal));
            }
        }
        Ok(())
    }
    /// Whether the target of a row is read.
    pub fn needs_target(&self) -> Option<&'static str> {
        if self.options.hard_weight != 0.0 {
            Some("targets, which hard_weight needs")
        } else if self.options.teacher_target_shift != 0.0 {
            Some("targets, which teacher_target_shift needs")
        } else {
            None
        }
    }
}

/// Figures of a row, nats; each is computed only when its place is given and changes no other figure's bits.
#[derive(Debug, Default)]
pub struct Figures<'a> {
    /// `[N]`: weight (soft D + hard (-log p of the target)).
    pub values: Option<MatrixMut<'a, f32>>,
    /// Entropy of the student.
    pub student_entropy: Option<MatrixMut<'a, f32>>,
    /// Entropy of the teacher.
    pub teacher_entropy: Option<MatrixMut<'a, f32>>,
    /// -sum t log p
    pub cross_entropy: Option<MatrixMut<'a, f32>>,
    /// -sum p log t
    pub reverse_cross_entropy: Option<MatrixMut<'a, f32>>,
    /// log p of the target.
    pub student_logprob: Option<MatrixMut<'a, f32>>,
    /// log t of the target, `teacher_target_shift` included.
    pub teacher_logprob: Option<MatrixMut<'a, f32>>,
    /// Student columns larger than that of the teacher's argmax.
    pub student_rank: Option<MatrixMut<'a, i32>>,
    /// Teacher columns larger than that of the student's argmax.
    pub teacher_rank: Option<MatrixMut<'a, i32>>,
    /// `[N, 16]`, for the backward.
    pub stats: Option<MatrixMut<'a, f32>>,
    /// Bits of [`crate::error::row`].
    pub status: Option<MatrixMut<'a, u32>>,
}
macro_rules! vectors {
    ($m:ident) => {
        $m!(values student_entropy teacher_entropy cross_entropy reverse_cross_entropy student_logprob teacher_logprob
            student_rank teacher_rank status)
    };
}
impl Split for Figures<'_> {
    fn split(self, row: usize) -> (Self, Self) {
        let (mut a, mut b) = (Figures::default(), Figures::default());
        macro_rules! cut {
            ($($f:ident)*) => {$( (a.$f, b.$f) = self.$f.split(row); )*};
        }
        vectors!(cut);
        (a.stats, b.stats) = self.stats.split(row);
        (a, b)
    }
}
impl Figures<'_> {
    /// Refuses places of the wrong shape, and figures of a target without targets.
    pub fn check(&self, rows: usize, target: bool) -> Result<()> {
        macro_rules! check {
            ($($f:ident)*) => {$(
                self.$f.as_ref().map_or(Ok(()), |m| m.layout().check(concat!("outputs.out_", stringify!($f)), rows, 1))?;
            )*};
        }
        vectors!(check);
        self.stats.as_ref().map_or(Ok(()), |m| m.layout().check("outputs.out_stats", rows, STATS))?;
        if !target && (self.student_logprob.is_some() || self.teacher_logprob.is_some()) {
            let expected = Value::Text("targets, which the log-probs of the target need");
            return Err(Error::invalid("rows.target", Value::Text("NULL"), expected));
        }
        Ok(())
    }
    /// Writes row `i`.
    pub fn put(&mut self, i: usize, x: &Row) {
        macro_rules! put {
            ($($f:ident)*) => {$( if let Some(m) = &mut self.$f { m.set(i, x.$f) } )*};
        }
        vectors!(put);
        if let Some(m) = &mut self.stats {
            m.row_mut(i).copy_from_slice(&x.saved.pack());
        }
    }
}
/// Figures of one row; see [`Figures`].
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)]
pub struct Row {
    pub values: f32,
    pub student_entropy: f32,
    pub teacher_entropy: f32,
    pub cross_entropy: f32,
    pub reverse_cross_entropy: f32,
    pub student_logprob: f32,
    pub teacher_logprob: f32,
    pub student_rank: i32,
    pub teacher_rank: i32,
    pub status: u32,
    pub saved: Saved,
}
impl Row {
    /// A row without figures: `x` stands for each real one.
    pub fn without(x: f32, status: u32) -> Row {
        Row {
            values: x,
            student_entropy: x,
            teacher_entropy: x,
            cross_entropy: x,
            reverse_cross_entropy: x,
            student_logprob: x,
            teacher_logprob: x,
            student_rank: -1,
            teacher_rank: -1,
            status,
            saved: Saved { flags: status, ..Saved::default() },
        }
    }
}

/// What the backward needs of a row: [`Figures::stats`].
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Saved {
    /// Maxima of a and b.
    pub m: [f32; 2],
    /// Their sums of exponentials without the maximum.
    pub r: [f32; 2],
    /// Columns of the maxima.
    pub k: [u32; 2],
    /// gamma without its error.
    pub gamma: f32,
    /// Means of the weights.
    pub mean: [f32; 2],
    /// [`Pair::x`]; but of the cosines the last two are the other side's transformed logits at the columns of the maxima.
    pub x: [f32; 4],
    /// log p of the target.
    pub logprob: f32,
    /// D.
    pub value: f32,
    /// Bits of [`crate::error::row`].
    pub flags: u32,
}
impl Saved {
    /// The 16 numbers of a row, whole ones as their bits.
    pub fn pack(&self) -> [f32; STATS] {
        let Saved { m, r, k, gamma, mean, x, logprob, value, flags } = *self;
        let word = f32::from_bits;
        let [ka, kb, flags] = [word(k[0]), word(k[1]), word(flags)];
        [m[0], m[1], r[0], r[1], ka, kb, gamma, mean[0], mean[1], x[0], x[1], x[2], x[3], logprob, value, flags]
    }
    /// The inverse of [`Saved::pack`].
    pub fn unpack(s: &[f32]) -> Saved {
        Saved {
            m: [s[0], s[1]],
            r: [s[2], s[3]],
            k: [s[4].to_bits(), s[5].to_bits()],
            gamma: s[6],
            mean: [s[7], s[8]],
            x: [s[9], s[10], s[11], s[12]],
            logprob: s[13],
            value: s[14],
            flags: s[15].to_bits(),
        }
    }
    /// The constants of the row's gradients, without anchors; `factor` is that of D.
    pub fn pair(&self, form: &Form, normalised: [bool; 2], factor: f64) -> Pair {
        let mut k = Pair::new(form, self.m, self.r, normalised);
        (k.gamma, k.mean, k.x) = (self.gamma, self.mean, self.x);
        let [c, e] = form.factors(&self.x.map(f64::from));
        (k.c, k.e) = (c.map(|x| (x * factor) as f32), e.map(|x| (x * factor) as f32));
        k
    }
    /// Sets what belongs to the columns of the maxima; `at` gives the transformed logits of a and b at a column, which only
    /// the cosines need.
    pub fn anchor(&self, form: &Form, k: &mut Pair, at: impl Fn(u32) -> [f32; 2]) {
        let columns = match form {
            Form::CosineProbs | Form::CosineLogits => self.k.map(at),
            _ => [[self.m[0], self.x[2]], [self.x[3], self.m[1]]],
        };
        with_formula!(form, F => k.anchor::<F>(columns[0], columns[1]));
    }
    /// What the whole row of both gradients is where it does not come from the columns: NaN for a row without figures, 0
    /// for an ignored one and for one without a direction.
    pub fn fill(&self) -> Option<f32> {
        // x_0 is log sum a^alpha b^(1 - alpha): without a common column the gradient is 0
        let apart = self.value == f32::INFINITY || self.x[0] == f32::NEG_INFINITY;
        if apart || self.flags & (row::IGNORED | row::DEGENERATE) != 0 {
            return Some(0.0);
        }
        if self.value.is_nan() {
            return Some(f32::NAN);
        }
        None
    }
}
/// Whether a side leaves the row without figures: a NaN, a `+inf` or no live column.
pub fn bad(x: &Record) -> bool {
    x.poisoned() || x.m == f32::NEG_INFINITY
}
/// Gradients of a scalar with respect to the figures of all rows, absent ones 0.
#[derive(Clone, Copy, Debug)]
pub struct Upstream<'a> {
    /// `[N]`, d/d values.
    pub values: Option<Matrix<'a, f32>>,
    /// `[N]`, d/d student's log-prob of the target.
    pub student_logprob: Option<Matrix<'a, f32>>,
    /// d/d reduced loss.
    pub loss: Option<f64>,
    /// Host factor on all of them.
    pub scale: f64,
}
impl Default for Upstream<'_> {
    fn default() -> Self {
        Upstream { values: None, student_logprob: None, loss: None, scale: 1.0 }
    }
}
impl Upstream<'_> {
    /// Refuses vectors of the wrong length and a factor that is not finite.
    pub fn check(&self, rows: usize) -> Result<()> {
        for (field, m) in [("grad_values", &self.values), ("grad_student_logprob", &self.student_logprob)] {
            m.as_ref().map_or(Ok(()), |m| m.layout().check(field, rows, 1))?;
        }
        if !self.scale.is_finite() {
            return Err(Error::invalid("grad_scale", Value::Float(self.scale), Value::Text("a finite number")));
        }
        Ok(())
    }
}
/// Names an argument of a side as the call does: `transform.bias` of the student is `student_transform.bias`.
pub fn name_side(e: Error, teacher: bool) -> Error {
    macro_rules! names {
        ($($f:literal)*) => {
            match e.field {
                "logits" => if teacher { "teacher" } else { "student" },
                $( concat!("transform.", $f) => if teacher { concat!("teacher_transform.", $f) } else { concat!("student_transform.", $f) }, )*
                other => other,
            }
        };
    }
    let field = names!("bias" "row_temperature" "logit_scale" "softcap" "temperature" "n_valid_vocab");
    Error { field, ..e }
}
/// Refuses a target beyond a vocabulary, as [`Rows::check`] does.
pub fn out_of_range(field: &'static str, value: i64, index: usize, columns: usize) -> Error {
    Error::new(Status::OutOfRange, field, Value::At { value, index }, Value::Below(0, columns as i64))
}
