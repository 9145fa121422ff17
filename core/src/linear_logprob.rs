//! Token log-prob of `hidden [N, D] x weight [V, D]^T`, logits never in memory: checked problem.
//!
//! `z[n][j] = sum over d of hidden[n][d] * weight[j][d]`, from there on everything is [`crate::logprob`] on `z`: the same
//! record, figures and gradients, bit for bit. The gradients go one step further:
//! `grad_hidden[n] = sum over j of dz[n][j] * weight[j]`, `grad_weight[j] = sum over n of dz[n][j] * hidden[n]`,
//! `grad_bias[j] = sum over n of dz[n][j]`, n over the live rows.
//!
//! Order of every sum: the reduction is cut at multiples of [`BLOCK`]; in a block one chain of fused multiply-adds from
//! +0 in index order; the first block's result starts the total, later ones are added in index order. When hidden and
//! weight are both bf16 the logits go by neighbour pairs (2i, 2i + 1), odd element first, as the bf16 dot product of
//! current x86 does: denormal inputs count as zero, and so does every step that is tiny after rounding.
//!
//! A column is masked by a bias of `-inf` or by `n_valid_vocab`, and its weights are then not read. Infinite weights are no
//! mask: the products of the backward meet 0 * inf.
use crate::dtype::Dtype;
use crate::error::{Error, Result, Status, Value};
use crate::logprob;
use crate::matrix::{Floats, Layout};

/// Elements of a reduction block.
pub const BLOCK: usize = 2048;

/// What logits are rounded to before their transforms, as a sampler's head does that runs in this type; gradients pass
/// straight through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rounding {
    /// f32 as it is.
    #[default]
    None,
    /// To bf16.
    Bf16,
    /// To f16.
    F16,
}

/// A checked problem: what is asked, without the data.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Problem {
    logprob: logprob::Problem,
    hidden_size: usize,
    rounding: Rounding,
}
impl Problem {
    /// Checks the options. `rows` may be 0; with rows, `hidden_size` must be at least 1 and `vocab` in `1..=i32::MAX`.
    pub fn new(rows: usize, hidden_size: usize, vocab: usize, options: logprob::Options) -> Result<Problem> {
        Problem::shard(rows, hidden_size, vocab, options, 0, vocab)
    }
    /// As [`Problem::new`] for the columns `[start, start + vocab)` of a vocabulary of `total`, as in
    /// [`logprob::Problem::shard`]. The gradient of the hidden states is then a partial sum.
    pub fn shard(
        rows: usize,
        hidden_size: usize,
        vocab: usize,
        options: logprob::Options,
        start: usize,
        total: usize,
    ) -> Result<Problem> {
        if rows > 0 && hidden_size == 0 {
            return Err(Error::shape("head.hidden", Value::Shape([rows as i64, 0, 0], 2), Value::Text("D >= 1")));
        }
        if rows > 0 && (vocab == 0 || vocab > i32::MAX as usize) {
            let shape = Value::Shape([vocab as i64, hidden_size as i64, 0], 2);
            return Err(Error::shape("head.weight", shape, Value::Text("1 <= V <= 2^31 - 1")));
        }
        let logprob = logprob::Problem::shard(rows, vocab, options, start, total)?;
        Ok(Problem { logprob, hidden_size, rounding: Rounding::None })
    }
    /// The same problem with rounded logits.
    pub const fn rounded(self, rounding: Rounding) -> Problem {
        Problem { rounding, ..self }
    }
    /// What the logits are rounded to.
    pub const fn rounding(&self) -> Rounding {
        self.rounding
    }
    /// N.
    pub const fn rows(&self) -> usize {
        self.logprob.rows()
    }
    /// D.
    pub const fn hidden_size(&self) -> usize {
        self.hidden_size
    }
    /// V.
    pub const fn vocab(&self) -> usize {
        self.logprob.vocab()
    }
    /// The problem that is left once the logits are there.
    pub const fn logprob(&self) -> &logprob::Problem {
        &self.logprob
    }
    /// Shapes and types of the two operands.
    pub fn check_operands(&self, hidden: &Floats, weight: &Floats) -> Result<()> {
        check_dtype("head.hidden", hidden.dtype())?;
        check_dtype("head.weight", weight.dtype())?;
        hidden.layout().check("head.hidden", self.rows(), self.hidden_size)?;
        weight.layout().check("head.weight", self.vocab(), self.hidden_size)
    }
    /// Shape and type of a gradient: f32, or the type of the operand that it belongs to.
    pub fn check_grad(
        &self,
        field: &'static str,
        grad: (Dtype, Layout),
        own: Dtype,
        rows: usize,
        cols: usize,
    ) -> Result<()> {
        let (dtype, layout) = grad;
        if dtype != Dtype::F32 && dtype != own {
            return Err(Error::new(
                Status::UnsupportedDtype,
                field,
                Value::Dtype(dtype),
                Value::Text("f32 or the type of its operand"),
            ));
        }
        layout.check(field, rows, cols)
    }
}

/// The operand types of the products.
pub fn check_dtype(field: &'static str, dtype: Dtype) -> Result<()> {
    match dtype {
        Dtype::F32 | Dtype::Bf16 | Dtype::F16 => Ok(()),
        _ => Err(Error::new(Status::UnsupportedDtype, field, Value::Dtype(dtype), Value::Text("f32, bf16 or f16"))),
    }
}
