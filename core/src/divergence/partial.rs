//! Divergences on a few columns of each row, the support S: those that the teacher, the student or both rate highest, or
//! given ones, with what lies outside renormalised away or gathered in one more bucket.
use super::Problem;
use crate::error::{Error, Result, Value};
use crate::logprob::{Rows, Target};
use crate::matrix::{Floats, Ints, Matrix, MatrixMut, Split};
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
}
/// What happens outside S.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outside {
    /// Both sides are renormalised on S.
    Renormalise,
    /// One more bucket holds the rest of each side.
    Tail,
}
/// Settings of a partial divergence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Partial {
    /// Who chooses.
    pub chosen: Chosen,
    /// What happens outside.
    pub outside: Outside,
    /// Columns a side chooses, in `1..=512`; 0 with given ids.
    pub k: usize,
}
/// The teacher's numbers where there are no rows of logits: at the given ids.
#[derive(Clone, Copy, Debug)]
pub enum AtIds<'a> {
    /// `[N, K]`: log-probs of the whole softmax.
    Logprobs(Floats<'a>),
    /// `[N, K]`: logits, and `[N]` the log sum exp of the whole row, which [`Outside::Tail`] needs.
    Logits(Floats<'a>, Option<Matrix<'a, f32>>),
}
impl<'a> AtIds<'a> {
    /// The numbers.
    pub fn values(&self) -> Floats<'a> {
        match self {
            AtIds::Logprobs(x) | AtIds::Logits(x, _) => *x,
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
        if problem.options().kind == super::Kind::CosineLogits && self.outside == Outside::Tail {
            let expected = Value::Text("a kind of probabilities: a bucket has no logit");
            return Err(Error::invalid("options.kind", Value::Text("cosine_logits with `tail`"), expected));
        }
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
            if lse.is_none() && self.outside == Outside::Tail {
                let expected = Value::Text("the log sum exp of each row, which `tail` needs");
                return Err(Error::invalid("partial.teacher_lse", Value::Text("NULL"), expected));
            }
        }
        Ok(())
    }
    fn check_ids(&self, problem: &Problem, rows: &Rows<'_>, ids: &Ints<'_>) -> Result<()> {
        let most = problem.student().vocab().max(problem.teacher().vocab());
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
/// Id number `k` of row `i`.
#[inline]
pub fn id(ids: &Ints<'_>, i: usize, k: usize) -> i64 {
    match ids {
        Ints::I32(m) => m.row(i)[k] as i64,
        Ints::I64(m) => m.row(i)[k],
    }
}
/// Figures of a row of a partial divergence.
#[derive(Debug, Default)]
pub struct Figures<'a> {
    /// `[N]`: weight times soft D.
    pub values: Option<MatrixMut<'a, f32>>,
    /// `[N]`: the student's probability of S; with [`Outside::Tail`].
    pub student_mass: Option<MatrixMut<'a, f32>>,
    /// `[N]`: the teacher's.
    pub teacher_mass: Option<MatrixMut<'a, f32>>,
    /// `[N, most]`: S, -1 behind the last.
    pub support_ids: Option<MatrixMut<'a, i32>>,
    /// `[N]`: bits of [`crate::error::row`].
    pub status: Option<MatrixMut<'a, u32>>,
}
impl Split for Figures<'_> {
    fn split(self, row: usize) -> (Self, Self) {
        let (mut a, mut b) = (Figures::default(), Figures::default());
        (a.values, b.values) = self.values.split(row);
        (a.student_mass, b.student_mass) = self.student_mass.split(row);
        (a.teacher_mass, b.teacher_mass) = self.teacher_mass.split(row);
        (a.support_ids, b.support_ids) = self.support_ids.split(row);
        (a.status, b.status) = self.status.split(row);
        (a, b)
    }
}
impl Figures<'_> {
    /// Refuses places of the wrong shape, and masses that nothing computes.
    pub fn check(&self, rows: usize, most: usize, outside: Outside) -> Result<()> {
        self.values.as_ref().map_or(Ok(()), |m| m.layout().check("outputs.out_values", rows, 1))?;
        self.status.as_ref().map_or(Ok(()), |m| m.layout().check("outputs.out_status", rows, 1))?;
        self.support_ids.as_ref().map_or(Ok(()), |m| m.layout().check("outputs.out_support_ids", rows, most))?;
        for (field, m) in
            [("outputs.out_student_mass", &self.student_mass), ("outputs.out_teacher_mass", &self.teacher_mass)]
        {
            let Some(m) = m else { continue };
            m.layout().check(field, rows, 1)?;
            if outside != Outside::Tail {
                let expected = Value::Text("NULL without `tail`: the rest of the row is not read");
                return Err(Error::invalid(field, Value::Text("a tensor"), expected));
            }
        }
        Ok(())
    }
}
