//! Divergences of two heads: `hidden [N, D] x weight [V, D]^T` on both sides, logits never in memory; checked problem.
//!
//! The logits are those of [`crate::linear_logprob`], each side with its own hidden size and vocabulary; values, figures and
//! the gradients dx, dy of the logits are those of [`crate::divergence`] on them, bit for bit. The gradients go one step
//! further, of either side: `grad_hidden[n] = sum over j of dx[n][j] * weight[j]`,
//! `grad_weight[j] = sum over n of dx[n][j] * hidden[n]`, `grad_bias[j] = sum over n of dx[n][j]`, n over the live rows, in
//! the order of [`crate::linear_logprob`]. The teacher may be given as rows in memory instead.
//!
//! Both heads may hold a part of their vocabularies, the same columns: records, values and statistics of the rows then come
//! as those of [`crate::divergence`] do, and the gradients of the hidden states are partial sums.
//!
//! A call on a support ([`crate::divergence::partial`]) has the figures and the dx, dy of that on the logits; its teacher may
//! also be numbers at ids.
use crate::divergence::{self, Teacher};
use crate::error::{Error, Result, Value};
use crate::{linear_logprob, logprob};

/// The teacher's side.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Side {
    /// A head.
    Head(linear_logprob::Problem),
    /// Rows of numbers in memory; or numbers at ids, which count over so many columns.
    Rows(logprob::Problem),
}
impl Side {
    /// The rows of numbers, given or formed.
    pub const fn rows(&self) -> &logprob::Problem {
        match self {
            Side::Head(p) => p.logprob(),
            Side::Rows(p) => p,
        }
    }
    /// Which argument it is.
    pub const fn argument(&self) -> Argument {
        match self {
            Side::Head(_) => Argument::Teacher,
            Side::Rows(_) => Argument::Rows,
        }
    }
    /// The head.
    pub const fn head(&self) -> Option<&linear_logprob::Problem> {
        match self {
            Side::Head(p) => Some(p),
            Side::Rows(_) => None,
        }
    }
}

/// A checked problem: both sides and what is asked, without the data.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Problem {
    rows: divergence::Problem,
    student: linear_logprob::Problem,
    teacher: Side,
}
impl Problem {
    /// Checks the options. Both sides have the same rows, and whole vocabularies or shards that begin at the same column;
    /// targets count over the student's.
    pub fn new(student: linear_logprob::Problem, teacher: Side, options: divergence::Options) -> Result<Problem> {
        let (own, other) = (student.logprob(), teacher.rows());
        if own.start() != other.start() {
            return Err(Error::invalid("shard.vocab_start", Value::Size(other.start()), Value::Size(own.start())));
        }
        if teacher.head().is_some() && options.teacher != Teacher::Logits {
            let expected = Value::Text("logits, which a head gives");
            return Err(Error::invalid("options.teacher_form", Value::Text("other numbers"), expected));
        }
        let rows = divergence::Problem::new(*own, *teacher.rows(), options).map_err(|e| match (e.field, &teacher) {
            ("teacher", Side::Head(_)) => Error { field: "teacher.hidden", ..e },
            _ => name_side(e, teacher.argument()),
        })?;
        Ok(Problem { rows, student, teacher })
    }
    /// N.
    pub const fn rows(&self) -> usize {
        self.rows.rows()
    }
    /// A side has but a part of its vocabulary.
    pub fn shard(&self) -> bool {
        [self.student.logprob(), self.teacher.rows()].iter().any(|p| p.total() != p.vocab())
    }
    /// Refuses shards where whole vocabularies are needed.
    pub fn check_whole(&self) -> Result<()> {
        let total = self.student.logprob().total();
        if self.shard() {
            let expected = Value::Text("0: whole vocabularies, or gradients of a shard from stats");
            return Err(Error::invalid("shard.vocab_total", Value::Size(total), expected));
        }
        Ok(())
    }
    /// The divergence of the rows of logits.
    pub const fn divergence(&self) -> &divergence::Problem {
        &self.rows
    }
    /// The student's head.
    pub const fn student(&self) -> &linear_logprob::Problem {
        &self.student
    }
    /// The teacher.
    pub const fn teacher(&self) -> &Side {
        &self.teacher
    }
    /// Student and teacher, as far as they have heads.
    pub const fn heads(&self) -> [Option<&linear_logprob::Problem>; 2] {
        [Some(&self.student), self.teacher.head()]
    }
}

/// Which argument of a call an error is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Argument {
    /// The student's head.
    Student,
    /// The teacher's head.
    Teacher,
    /// The teacher's rows in memory.
    Rows,
}
/// Names a field as the call does: `head.hidden` of the student is `student.hidden`.
pub fn name_side(e: Error, of: Argument) -> Error {
    macro_rules! names {
        ($side:literal $grads:literal $($f:literal)*) => {
            match e.field {
                "head.hidden" => concat!($side, ".hidden"),
                "head.weight" => concat!($side, ".weight"),
                "grad_hidden" => concat!($grads, ".grad_hidden_out"),
                "grad_weight" => concat!($grads, ".grad_weight_out"),
                "grad_bias" => concat!($grads, ".grad_bias_out"),
                $( concat!("transform.", $f) | concat!($side, "_transform.", $f) => concat!($side, ".transform.", $f), )*
                other => other,
            }
        };
    }
    macro_rules! of_side {
        ($side:literal $grads:literal) => {
            names!($side $grads "bias" "row_temperature" "logit_scale" "softcap" "temperature" "n_valid_vocab"
                "logit_round")
        };
    }
    let field = match of {
        Argument::Student => of_side!("student" "student_grads"),
        Argument::Teacher => of_side!("teacher" "teacher_grads"),
        Argument::Rows => {
            let named = divergence::name_side(e, true).field;
            if named == "teacher" { "teacher_rows" } else { named }
        }
    };
    Error { field, ..e }
}
