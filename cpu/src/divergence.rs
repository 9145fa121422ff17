//! Divergences of two rows of logits: [`truing_core::divergence`], values, gradients, or both in one visit of each row.
//!
//! A row pair is read block by block, both sides transformed into L1. Kinds that divide by the chain rule finish a block
//! there ([`Joint`]), the others read the pair once for its records and once more for the sums; gradients read it again. What
//! is read again comes from the cache where the pair fits it.
//!
//! The joint pass looks a block ahead: the largest and the smallest column of the next block are found beside the
//! exponentials of this one, and the block behind that is asked for beside the terms. A block whose columns all lie near its
//! maximum needs no clamp and has no dead column, which saves a fifth of its instructions.
use crate::lanes::{self, Several, Sixteen};
use crate::logprob::{Block, Buffers, CACHE, Grad, Job, find, narrow, refuse, slopes, sums_of_block, transform, widen};
use crate::on_lanes;
use crate::parallel::{Context, Mode};
use crate::rows::{
    Begun, Cell, Terms, V, centre, clamp, exp, exp_parts, half_by_half, inside, largest, prefetch, splat, stream_out,
};
use crate::sequence::{Counters, check_space, overflow};
use core::ops::Range;
use truing_core::divergence::formula::{self, Column, Formula, Pair, Pass, Sums};
use truing_core::divergence::{
    Figures, Form, Joint, Kind, Outcome, Problem, Row, STATS, Saved, Teacher, Upstream, bad, name_side,
};
use truing_core::dtype::{Dtype, Float, bf16, f16};
use truing_core::error::row;
use truing_core::logprob::{self, LogitRow, Piece, Rows, Target, TransformInputs, pieces};
use truing_core::matrix::{Arena, Floats, FloatsMut, Matrix, MatrixMut, Split, Workspace};
use truing_core::real::Real;
use truing_core::record::{BLOCK, EXP_LOW, Node, Record, RowTransform, Tree, clamp_row, exp_row, seal};
use truing_core::row_loss::{RowLossInputs, Top};
use truing_core::sequence::Segments;
use truing_core::{Error, Result, Value, with_formula};

use joining::Joining;

mod fast;
mod joining;
mod partial;
mod shard;
mod uld;
pub(crate) use partial::{
    AtIdsOfShard, Few, Rest, check_given, check_records, kept_columns, local_at_ids, partial_rows,
};
pub use partial::{
    PartialShards, PartialTeacher, partial, partial_finish, partial_finish_workspace, partial_local, partial_shard,
};
pub use shard::{Finish, LocalPass, finish, local};
pub(crate) use shard::{Parts, local_rows};
pub use uld::{Matched, Uld, uld, uld_workspace};

/// One model's rows.
#[derive(Clone, Copy, Debug)]
pub struct Side<'a> {
    /// `[N, V]`: f32, bf16 or f16.
    pub logits: Floats<'a>,
    /// Bias and row temperatures.
    pub transform: TransformInputs<'a>,
}
/// What a call reads besides the logits.
#[derive(Clone, Copy, Debug, Default)]
pub struct Inputs<'a> {
    /// The student's bias and row temperatures.
    pub student: TransformInputs<'a>,
    /// The teacher's.
    pub teacher: TransformInputs<'a>,
    /// Targets and mask.
    pub rows: Rows<'a>,
    /// `[N]`, finite, >= 0; a row with 0 is not read.
    pub row_weight: Option<Matrix<'a, f32>>,
}
/// What a forward writes about all rows together.
#[derive(Debug, Default)]
pub struct Totals<'a> {
    /// One number, f32 or f64: the values after their reduction, summed in f64 in the order of the rows; 0 if none counts.
    pub loss: Option<FloatsMut<'a>>,
    /// How many rows have each status bit; `EMPTY` if no row counts for the loss.
    pub counters: Option<&'a mut [i64; row::BITS]>,
}

/// Bytes of workspace of a forward; `loss`: it is asked for.
pub fn forward_workspace(problem: &Problem, loss: bool) -> Workspace {
    let bytes = if loss { Arena::need::<f64>(problem.rows()) } else { 0 };
    Workspace { minimum: bytes, preferred: bytes }
}
/// Writes the figures that `out` asks for. Errors: shapes, element types, targets out of range, temperatures and biases that
/// are not finite, weights of read rows that are not finite and >= 0; nothing is written then.
pub fn forward(
    context: &Context,
    problem: &Problem,
    logits: [Floats<'_>; 2],
    inputs: Inputs<'_>,
    out: Figures<'_>,
    totals: Totals<'_>,
    workspace: &mut [u8],
) -> Result<()> {
    let grads = logits.map(Grad::Absent);
    forward_fused(context, problem, grads, inputs, out, totals, None, workspace)
}
/// [`forward`], and the gradients of the reduced loss in the same visit of each row, given that of the loss itself. Student
/// and teacher are two places: an output may be its own logits, nothing else.
#[allow(clippy::too_many_arguments)]
pub fn forward_fused(
    context: &Context,
    problem: &Problem,
    grads: [Grad<'_>; 2],
    inputs: Inputs<'_>,
    out: Figures<'_>,
    totals: Totals<'_>,
    upstream: Option<f64>,
    workspace: &mut [u8],
) -> Result<()> {
    check(problem, &grads, &inputs, false)?;
    out.check(problem.rows(), inputs.rows.target.is_some())?;
    check_loss(problem, &totals)?;
    if upstream.is_some() {
        problem.check_reduces("grad_loss")?;
    }
    check_space(workspace, forward_workspace(problem, totals.loss.is_some()))?;
    let divisor = problem.divisor(&inputs.rows, inputs.row_weight.as_ref());
    let upstream = Upstream { loss: upstream.map(|g| divisor.map_or(0.0, |z| g / z)), ..Upstream::default() };
    let call = Call { mode: context.mode(), ..Call::new(problem, &inputs) };
    let call = call.asked(&out, upstream, upstream.loss.is_some());
    let (counters, n) = (Counters::new(), problem.rows());
    let mut arena = Arena::new(workspace);
    let mut losses = match &totals.loss {
        Some(_) => Some(MatrixMut::vector(arena.take::<f64>(n)?)),
        None => None,
    };
    run(context, &call, grads, out, losses.as_mut().map(MatrixMut::reborrow), &counters);
    conclude_loss(totals, losses, divisor, &counters);
    Ok(())
}
/// Writes the gradients of both sides' logits, given those of the figures. `stats` are those of a forward with the same
/// options; without them the rows are computed again, with the same bits. Rows that are ignored, that have an infinite value
/// or no direction, and with a term of the target rows whose target is dead, get 0; rows with a NaN, a `+inf` or no live
/// column on either side NaN; padding columns 0. `status` gets the bits of the rows.
#[allow(clippy::too_many_arguments)]
pub fn backward(
    context: &Context,
    problem: &Problem,
    grads: [Grad<'_>; 2],
    inputs: Inputs<'_>,
    stats: Option<Matrix<'_, f32>>,
    upstream: Upstream<'_>,
    status: Option<MatrixMut<'_, u32>>,
) -> Result<()> {
    let shard = problem.student().total() != problem.student().vocab();
    check(problem, &grads, &inputs, shard)?;
    if shard {
        problem.check_shard()?;
        let missing = |field, got, expected| Err(Error::invalid(field, Value::Text(got), Value::Text(expected)));
        if stats.is_none() {
            return missing("stats", "NULL", "the statistics of finish, which a shard needs");
        }
        if upstream.student_logprob.is_some() {
            return missing("grad_student_logprob", "a tensor", "NULL over shards");
        }
    }
    if let Some(s) = stats {
        s.layout().check("stats", problem.rows(), STATS)?;
    }
    if let Some(s) = &status {
        s.layout().check("out_status", problem.rows(), 1)?;
    }
    upstream.check(problem.rows())?;
    if upstream.student_logprob.is_some() && inputs.rows.target.is_none() {
        return Err(crate::logprob::no_target("targets, which grad_student_logprob needs"));
    }
    if upstream.loss.is_some() {
        problem.check_reduces("grad_loss")?;
    }
    let divisor = || problem.divisor(&inputs.rows, inputs.row_weight.as_ref());
    let upstream = Upstream { loss: upstream.loss.map(|g| divisor().map_or(0.0, |z| g / z)), ..upstream };
    let call = Call { stats, upstream, moments: true, mode: context.mode(), ..Call::new(problem, &inputs) };
    let out = Figures { status, ..Figures::default() };
    run(context, &call, grads, out, None, &Counters::new());
    Ok(())
}
/// KL to a reference and log ratio of the targets, summed per sequence.
#[derive(Debug, Default)]
pub struct SequenceFigures<'a> {
    /// `[B]`: sum of log p - log q of the targets, p the policy, q the reference.
    pub log_ratio: Option<MatrixMut<'a, f64>>,
    /// `[B]`: sum of KL(q || p).
    pub kl: Option<MatrixMut<'a, f64>>,
    /// `[B]`: tokens that count.
    pub counts: Option<MatrixMut<'a, i32>>,
    /// `[N, 16]`, for the backward.
    pub stats: Option<MatrixMut<'a, f32>>,
    /// `[B]`: bits of [`truing_core::error::row`] of the tokens that count; `EMPTY` where none does.
    pub status: Option<MatrixMut<'a, u32>>,
}
/// Bytes of workspace of [`sequence_kl`] and [`sequence_kl_backward`].
pub fn sequence_kl_workspace(problem: &Problem) -> Workspace {
    let n = problem.rows();
    let bytes = Arena::sum([Arena::need::<f64>(n.saturating_mul(2)), Arena::need::<u32>(n)]);
    Workspace { minimum: bytes, preferred: bytes }
}
fn check_sequences(problem: &Problem, segments: &Segments<'_>, rows: &Rows<'_>) -> Result<()> {
    segments
        .check(problem.rows())
        .map_err(|e| Error { field: if e.field == "logps" { "policy" } else { "rows.cu_seqlens" }, ..e })?;
    if rows.target.is_none() {
        return Err(crate::logprob::no_target("targets, which the log ratio needs"));
    }
    Ok(())
}
/// The sequential KL of token-level DPO: student is the policy, teacher the reference, `problem` of
/// [`truing_core::divergence::Kind::ForwardKl`] without weights. Sums of f64 in the order of the tokens.
pub fn sequence_kl(
    context: &Context,
    problem: &Problem,
    segments: Segments<'_>,
    logits: [Floats<'_>; 2],
    inputs: Inputs<'_>,
    mut out: SequenceFigures<'_>,
    workspace: &mut [u8],
) -> Result<()> {
    let (n, b) = (problem.rows(), segments.sequences());
    check(problem, &logits.map(Grad::Absent), &inputs, false)?;
    check_sequences(problem, &segments, &inputs.rows)?;
    let column = |m: Option<truing_core::matrix::Layout>, field| m.map_or(Ok(()), |l| l.check(field, b, 1));
    column(out.log_ratio.as_ref().map(MatrixMut::layout), "out_log_ratio")?;
    column(out.kl.as_ref().map(MatrixMut::layout), "out_kl")?;
    column(out.counts.as_ref().map(MatrixMut::layout), "out_counts")?;
    column(out.status.as_ref().map(MatrixMut::layout), "out_status")?;
    let figures = Figures { stats: out.stats.take(), ..Figures::default() };
    figures.check(n, true).map_err(|e| Error { field: "out_stats", ..e })?;
    check_space(workspace, sequence_kl_workspace(problem))?;
    let mut arena = Arena::new(workspace);
    let mut pairs = MatrixMut::contiguous(arena.take::<f64>(2 * n)?, n, 2)?;
    let mut status = MatrixMut::vector(arena.take::<u32>(n)?);
    let figures = Figures { status: Some(status.reborrow()), ..figures };
    let moments = figures.stats.is_some();
    let call = Call { moments, ..Call::new(problem, &inputs) };
    run(context, &call, logits.map(Grad::Absent), figures, Some(pairs.reborrow()), &Counters::new());
    for i in 0..b {
        let (mut m, mut kl, mut count, mut flags) = (0.0, 0.0, 0, 0);
        for t in segments.range(i) {
            if status.get(t) & row::IGNORED == 0 {
                let [value, ratio] = *pairs.row(t) else { unreachable!("two columns") };
                (m, kl, count, flags) = (m + ratio, kl + value, count + 1, flags | status.get(t));
            }
        }
        let flags = if count == 0 { row::EMPTY } else { flags };
        macro_rules! put {
            ($($f:ident: $x:expr),*) => {$( if let Some(p) = &mut out.$f { p.set(i, $x) } )*};
        }
        put!(log_ratio: m, kl: kl, counts: count, status: flags);
    }
    Ok(())
}
/// The gradient of the policy's logits, given those of both sums of every sequence; an absent one is 0.
#[allow(clippy::too_many_arguments)]
pub fn sequence_kl_backward(
    context: &Context,
    problem: &Problem,
    segments: Segments<'_>,
    policy: Grad<'_>,
    reference: Floats<'_>,
    inputs: Inputs<'_>,
    stats: Option<Matrix<'_, f32>>,
    [log_ratio, kl]: [Option<Matrix<'_, f64>>; 2],
    workspace: &mut [u8],
) -> Result<()> {
    let (n, b) = (problem.rows(), segments.sequences());
    check_sequences(problem, &segments, &inputs.rows)?;
    for (field, m) in [("grad_log_ratio", &log_ratio), ("grad_kl", &kl)] {
        m.as_ref().map_or(Ok(()), |m| m.layout().check(field, b, 1))?;
    }
    check_space(workspace, sequence_kl_workspace(problem))?;
    let mut arena = Arena::new(workspace);
    let (values, logprobs) = (arena.take::<f32>(n)?, arena.take::<f32>(n)?);
    for i in 0..b {
        let at = |m: &Option<Matrix<'_, f64>>| m.as_ref().map_or(0.0, |m| m.get(i) as f32);
        values[segments.range(i)].fill(at(&kl));
        logprobs[segments.range(i)].fill(at(&log_ratio));
    }
    let upstream = Upstream {
        values: Some(Matrix::vector(values)),
        student_logprob: Some(Matrix::vector(logprobs)),
        ..Upstream::default()
    };
    backward(context, problem, [policy, Grad::Absent(reference)], inputs, stats, upstream, None)
}
fn problems(problem: &Problem) -> [&logprob::Problem; 2] {
    [problem.student(), problem.teacher()]
}
fn job<'a>(problem: &'a logprob::Problem, transform: TransformInputs<'a>, rows: Rows<'a>) -> Job<'a> {
    Job::new(problem, transform, rows, RowLossInputs::default(), None)
}
fn check(problem: &Problem, grads: &[Grad<'_>; 2], inputs: &Inputs<'_>, shard: bool) -> Result<()> {
    check_sides(problem, &[Some(&grads[0]), Some(&grads[1])], inputs, shard)?;
    if problem.options().teacher != Teacher::Logits {
        let given = inputs.teacher.bias.is_some() || inputs.teacher.row_temperature.is_some();
        let wanted = !matches!(grads[1], Grad::Absent(_));
        if given || wanted {
            let field = if given { "teacher_transform" } else { "grad_teacher_out" };
            let expected = Value::Text("nothing: the teacher has no logits");
            return Err(Error::invalid(field, Value::Text("a tensor"), expected));
        }
    }
    check_target(problem, &inputs.rows)
}
fn check_target(problem: &Problem, rows: &Rows<'_>) -> Result<()> {
    match problem.needs_target() {
        Some(expected) if rows.target.is_none() => Err(crate::logprob::no_target(expected)),
        _ => Ok(()),
    }
}

/// Shapes and types of the sides that there are, rows, transforms and weights. `shard`: the sides may be shards.
fn check_sides<'a, G: core::borrow::Borrow<Grad<'a>>>(
    problem: &Problem,
    grads: &[Option<G>; 2],
    inputs: &Inputs<'_>,
    shard: bool,
) -> Result<()> {
    let n = problem.rows();
    let sides = [("student", "grad_student_out", inputs.student), ("teacher", "grad_teacher_out", inputs.teacher)];
    inputs.rows.check(problem.student())?;
    for (i, (field, grad, transform)) in sides.into_iter().enumerate() {
        let side = problems(problem)[i];
        transform.check(side, &inputs.rows).map_err(|e| name_side(e, i == 1))?;
        let Some(place) = &grads[i] else { continue };
        let z = place.borrow().logits();
        z.layout().check(field, n, side.vocab())?;
        if z.dtype() == Dtype::F64 {
            return Err(refuse(field, Dtype::F64, "f32, bf16 or f16"));
        }
        if let Grad::Separate(_, g) = place.borrow() {
            g.layout().check(grad, n, side.vocab())?;
            if g.dtype() != z.dtype() && g.dtype() != Dtype::F32 {
                return Err(refuse(grad, g.dtype(), "the type of the logits or f32"));
            }
        }
        if side.start() != problem.student().start() {
            return Err(Error::invalid(
                "shard.vocab_start",
                Value::Size(side.start()),
                Value::Size(problem.student().start()),
            ));
        }
        if side.total() != side.vocab() && !shard {
            return Err(Error::invalid("shard.vocab_total", Value::Size(side.total()), Value::Size(side.vocab())));
        }
    }
    problem.check_weight(&inputs.rows, inputs.row_weight.as_ref())
}
pub(crate) fn check_loss(problem: &Problem, totals: &Totals<'_>) -> Result<()> {
    let Some(loss) = &totals.loss else { return Ok(()) };
    loss.layout().check("outputs.out_loss", 1, 1)?;
    if !matches!(loss.dtype(), Dtype::F32 | Dtype::F64) {
        return Err(refuse("outputs.out_loss", loss.dtype(), "f32 or f64"));
    }
    problem.check_reduces("outputs.out_loss")
}
/// Writes what all rows have together.
pub(crate) fn conclude_loss(
    totals: Totals<'_>,
    losses: Option<MatrixMut<'_, f64>>,
    divisor: Option<f64>,
    counters: &Counters,
) {
    if let (Some(mut place), Some(losses)) = (totals.loss, losses) {
        // rows that do not count hold 0
        let sum = (0..losses.rows()).fold(0.0, |sum, i| sum + losses.get(i));
        let value = divisor.map_or(0.0, |z| sum / z);
        place.set(0, value);
        counters.add(overflow(value, &place) | if divisor.is_none() { row::EMPTY } else { 0 });
    }
    counters.write(totals.counters);
}

/// What all rows share.
#[derive(Clone, Copy)]
pub(crate) struct Call<'a> {
    pub(crate) problem: &'a Problem,
    /// Student, teacher. With `stats` they may be of some columns alone, the same ones of both as far as they go.
    pub(crate) jobs: [Job<'a>; 2],
    pub(crate) weight: Option<Matrix<'a, f32>>,
    pub(crate) stats: Option<Matrix<'a, f32>>,
    /// `[N, 2]`: b at the column of the largest a, a at that of the largest b, where the columns at hand may lack them.
    pub(crate) others: Option<Matrix<'a, f32>>,
    pub(crate) upstream: Upstream<'a>,
    /// The means of the weights are needed.
    pub(crate) moments: bool,
    /// The cross entropies of t under p and of p under t are.
    pub(crate) cross: [bool; 2],
    /// Ranks in the student and in the teacher are.
    pub(crate) ranks: [bool; 2],
    /// Entropies are.
    pub(crate) entropy: bool,
    /// How the rows of both sides are summed up.
    pub(crate) mode: Mode,
}
impl<'a> Call<'a> {
    /// Values alone.
    pub(crate) fn new(problem: &'a Problem, inputs: &Inputs<'a>) -> Call<'a> {
        let [student, teacher] = problems(problem);
        Call {
            problem,
            jobs: [job(student, inputs.student, inputs.rows), job(teacher, inputs.teacher, inputs.rows)],
            weight: inputs.row_weight,
            stats: None,
            others: None,
            upstream: Upstream::default(),
            moments: false,
            cross: [false; 2],
            ranks: [false; 2],
            entropy: false,
            mode: Mode::Portable,
        }
    }
    /// What `out` asks for, and the gradients where `upstream` is given.
    pub(crate) fn asked(self, out: &Figures<'_>, upstream: Upstream<'a>, gradients: bool) -> Call<'a> {
        Call {
            upstream,
            moments: out.stats.is_some() || gradients,
            cross: [out.cross_entropy.is_some(), out.reverse_cross_entropy.is_some()],
            ranks: [out.student_rank.is_some(), out.teacher_rank.is_some()],
            entropy: out.student_entropy.is_some() || out.teacher_entropy.is_some(),
            ..self
        }
    }
    /// Row `at` of a side, whose memory may be asked for up to `end`.
    #[inline(always)]
    fn view<'b>(&'b self, of: usize, at: usize, raw: Raw<'b>, end: usize, target: Target) -> View<'b> {
        let view = View::new(&self.jobs[of], at, raw);
        let teacher = of == 1;
        View {
            probs: teacher && self.problem.options().teacher == Teacher::Probs,
            shift: if teacher { self.shift(target) } else { None },
            end: view.end.max(end),
            ..view
        }
    }
    #[inline(always)]
    pub(crate) fn target(&self, i: usize) -> Target {
        self.problem.target(&self.jobs[0].rows, self.weight.as_ref(), i)
    }
    /// Columns of a block that any side has.
    #[inline(always)]
    fn valid(&self) -> usize {
        self.jobs[0].problem.valid().max(self.jobs[1].problem.valid())
    }
    /// What the teacher's target gains.
    #[inline(always)]
    fn shift(&self, target: Target) -> Option<(usize, f32)> {
        let shift = self.problem.options().teacher_target_shift;
        if shift == 0.0 { None } else { self.jobs[1].local(target).map(|y| (y, shift as f32)) }
    }
    /// Weight of the row, factor of D in its value.
    fn factors(&self, i: usize) -> [f64; 2] {
        let options = self.problem.options();
        let weight = self.weight.as_ref().map_or(1.0, |w| w.get(i) as f64);
        let t = self.jobs[0].problem.options().transform.temperature;
        let t = self.jobs[0].transform.row_temperature.map_or(t, |t| t.get(i) as f64);
        let square = if options.temperature_squared { t * t } else { 1.0 };
        [weight, weight * options.soft_weight * square]
    }
    /// Factor of -log p of the target beside its weight.
    fn hard(&self, logprob: f64) -> f64 {
        let options = self.problem.options();
        options.hard_weight * if options.hard_dft { Real::exp(logprob) } else { 1.0 }
    }
}

/// Raw logits of one row.
#[derive(Clone, Copy)]
pub(crate) enum Raw<'a> {
    F32(&'a [f32]),
    Bf16(&'a [bf16]),
    F16(&'a [f16]),
}
macro_rules! with_raw {
    ($raw:expr, $z:ident => $body:expr) => {
        match $raw {
            Raw::F32($z) => $body,
            Raw::Bf16($z) => $body,
            Raw::F16($z) => $body,
        }
    };
}
impl<'a> Raw<'a> {
    #[inline(always)]
    pub(crate) fn of(z: &Floats<'a>, i: usize) -> Raw<'a> {
        match z {
            Floats::F32(z) => Raw::F32(z.row(i)),
            Floats::Bf16(z) => Raw::Bf16(z.row(i)),
            Floats::F16(z) => Raw::F16(z.row(i)),
            Floats::F64(_) => unreachable!("refused before"),
        }
    }
}
/// One side of one row.
#[derive(Clone, Copy)]
pub(crate) struct View<'a> {
    job: &'a Job<'a>,
    i: usize,
    raw: Raw<'a>,
    /// The numbers are probabilities.
    probs: bool,
    /// Added to a column.
    shift: Option<(usize, f32)>,
    /// Up to where memory may be asked for.
    end: usize,
}
impl<'a> View<'a> {
    pub(crate) fn new(job: &'a Job<'a>, i: usize, raw: Raw<'a>) -> View<'a> {
        let end = with_raw!(raw, z => z.as_ptr_range().end.addr());
        View { job, i, raw, probs: false, shift: None, end }
    }
    #[inline(always)]
    fn valid(&self) -> usize {
        self.job.problem.valid()
    }
    fn transform(&self) -> RowTransform {
        self.job.transform.row(self.job.problem, self.i)
    }
    /// Transformed logit of a column, `-inf` beyond the valid ones.
    pub(crate) fn at(&self, j: usize) -> f32 {
        if j >= self.valid() {
            return f32::NEG_INFINITY;
        }
        let x = with_raw!(self.raw, z => {
            let row: LogitRow<'_, _> = self.job.row(self.i, z);
            row.column(j)
        });
        let x = if self.probs { Real::log(x) } else { x };
        match self.shift {
            Some((y, shift)) if y == j => x + shift,
            _ => x,
        }
    }
    /// Slope of the transform at a column.
    fn slope(&self, j: usize) -> f64 {
        let transform: RowTransform = self.transform();
        let v = with_raw!(self.raw, z => {
            let row: LogitRow<'_, _> = self.job.row(self.i, z);
            row.sum(j)
        });
        transform.slope(v as f64)
    }
    /// The record of the columns at hand from that of their sums: with the flags that they show.
    fn complete(&self, x: Record) -> Record {
        let mut x = with_raw!(self.raw, z => {
            let row: LogitRow<'_, _> = self.job.row(self.i, z);
            row.complete(x, None, |_| true)
        });
        if self.probs && x.flags & row::OVERFLOW != 0 {
            // the logarithm of a negative number
            x.flags ^= row::OVERFLOW | row::NAN_INPUT;
        }
        x
    }
    /// The record of the whole row from that of its sums, with the logit of column `y` and its flags.
    pub(crate) fn conclude(&self, x: Record, target: Target, y: Option<usize>) -> Record {
        let mut x = self.complete(x);
        x.xy = y.map_or(f32::NEG_INFINITY, |y| self.at(y));
        x.conclude(target)
    }
}

/// How blocks of a row pair are worked on; side 0 is a, side 1 is b of the form.
pub(crate) trait Engine {
    /// Transformed logits of a piece of a side, dead columns behind the valid ones; the slopes beside them if asked for.
    fn load(&mut self, side: usize, view: &View<'_>, piece: Piece, slopes: bool);
    /// The record of the loaded piece of a side, its column set where it is above all before.
    fn record(&mut self, side: usize, piece: Piece, best: &mut f32) -> Record;
    /// [`Engine::load`] and [`Engine::record`]; `all`: with u and q1.
    fn read(&mut self, side: usize, view: &View<'_>, piece: Piece, best: &mut f32, all: bool) -> Record;
    /// The sums of a piece of both sides.
    fn sums(&mut self, form: &Form, k: &Pair, views: [&View<'_>; 2], piece: Piece, pass: Pass) -> Sums;
    /// The joint record of a piece of both sides, for a form that divides by the chain rule. `next`: the piece of the same
    /// rows that the following call is for.
    fn joint(
        &mut self,
        form: &Form,
        views: [&View<'_>; 2],
        piece: Piece,
        next: Option<Piece>,
        best: &mut [f32; 2],
        see: See,
    ) -> Joint;
    /// Joins the records that wait.
    fn join(&mut self, joining: &mut Joining) {
        joining.one_by_one();
    }
    /// The joint record of a row pair in the mode `fast`, if it is one for it.
    fn fast(&self, _: &Form, _: [&View<'_>; 2]) -> Option<Joint> {
        None
    }
    /// Puts the logits of pi in the place of a.
    fn powers(&mut self, k: &Pair, piece: Piece);
    /// log sum a^alpha b^(1 - alpha) inside a piece.
    fn log_power(&mut self, views: [&View<'_>; 2], piece: Piece, found: Option<(&Pair, &Sums)>) -> f64 {
        let Some((k, _)) = found else { return f64::NEG_INFINITY };
        self.load(0, views[0], piece, false);
        self.load(1, views[1], piece, false);
        self.powers(k, piece);
        let x = self.record(0, piece, &mut { f32::INFINITY });
        if x.poisoned() { f64::INFINITY } else { x.m as f64 + x.log_sum() }
    }
    /// Number of columns of a side above `x`.
    fn above(&mut self, side: usize, piece: Piece, x: f32) -> u32;
    /// Puts the gradients of the raw logits in the places of both sides, `hard` times the probability subtracted from that
    /// of side `student`.
    fn gradients(&mut self, how: &How<'_>, piece: Piece, slopes: [bool; 2]);
    /// Writes the gradients of raw logits that need no slope where they belong, in one visit: both sides of one type, whole
    /// chunks of 32 columns, each side from where it lies or from its place.
    fn pass(&mut self, how: &How<'_>, piece: Piece, from: [Option<Direct<'_>>; 2], to: [Goal<'_>; 2]);
    /// Whether there is [`Engine::pass`].
    const PASSES: bool;
    /// Pushes the columns of a side.
    fn top(&mut self, side: usize, piece: Piece, top: &mut Top<f32>);
    /// Sets a column of the block of a side.
    fn put(&mut self, side: usize, j: usize, x: f32);
    /// Puts e^(x - m) (first + second (x - m)), times the slope, in the place of x.
    fn spread(&mut self, side: usize, piece: Piece, m: f32, factors: [f32; 2], slopes: bool);
    /// Writes `n` columns of a side where they belong.
    fn store(&mut self, side: usize, g: Cut<'_>);
}
/// How the gradients of the columns of a row pair are formed.
pub(crate) struct How<'a> {
    form: &'a Form,
    k: &'a Pair,
    /// A side, and what its probabilities lose times this.
    hard: Option<(usize, f32)>,
    /// The mode `fast`.
    fast: bool,
}
/// What a joint record holds besides the values.
#[derive(Clone, Copy)]
pub(crate) struct See {
    /// u and q1 of both sides.
    entropy: bool,
    /// The means of the weights.
    moments: bool,
}
/// Where the gradient of a piece of a row goes.
pub(crate) enum Cut<'a> {
    F32(&'a mut [f32]),
    Bf16(&'a mut [bf16]),
    F16(&'a mut [f16]),
}

/// Where the gradient of a piece goes, if it is wanted, and whether past the caches.
pub(crate) struct Goal<'a> {
    cut: Option<Cut<'a>>,
    stream: bool,
}
/// Logits of a side and where their gradient goes, for some rows.
pub(crate) enum Place<'a> {
    Read(Floats<'a>, usize),
    Apart(Floats<'a>, usize, FloatsMut<'a>),
    Same(FloatsMut<'a>),
    Live(Live<'a>),
}
/// Rows of a group that are read, one behind the other without the rest; their gradients take their place if wanted.
pub(crate) struct Live<'a> {
    pub(crate) z: MatrixMut<'a, f32>,
    /// Which rows they are, ascending.
    pub(crate) live: &'a [usize],
    /// The first row of this piece.
    pub(crate) first: usize,
    pub(crate) wanted: bool,
}
impl Live<'_> {
    /// Where row `i` of the piece lies.
    #[inline(always)]
    fn at(&self, i: usize) -> Option<usize> {
        self.live.binary_search(&(self.first + i)).ok()
    }
}
impl Split for Live<'_> {
    fn split(self, row: usize) -> (Self, Self) {
        let second = self.first + row;
        let at = self.live.partition_point(|&i| i < second);
        let (a, b) = self.z.split(at);
        let (before, after) = self.live.split_at(at);
        (Live { z: a, live: before, ..self }, Live { z: b, live: after, first: second, ..self })
    }
}
impl<'a> From<Grad<'a>> for Place<'a> {
    fn from(grad: Grad<'a>) -> Place<'a> {
        match grad {
            Grad::Absent(z) => Place::Read(z, 0),
            Grad::Separate(z, g) => Place::Apart(z, 0, g),
            Grad::InPlace(g) => Place::Same(g),
        }
    }
}
impl Split for Place<'_> {
    fn split(self, row: usize) -> (Self, Self) {
        match self {
            Place::Read(z, first) => (Place::Read(z, first), Place::Read(z, first + row)),
            Place::Apart(z, first, g) => {
                let (a, b) = g.split(row);
                (Place::Apart(z, first, a), Place::Apart(z, first + row, b))
            }
            Place::Same(g) => {
                let (a, b) = g.split(row);
                (Place::Same(a), Place::Same(b))
            }
            Place::Live(x) => {
                let (a, b) = x.split(row);
                (Place::Live(a), Place::Live(b))
            }
        }
    }
}
impl<'a> Place<'a> {
    /// A row that no gradient replaces.
    #[inline(always)]
    fn apart(&self, i: usize) -> Option<Raw<'a>> {
        match self {
            Place::Read(z, first) | Place::Apart(z, first, _) => Some(Raw::of(z, first + i)),
            Place::Same(_) | Place::Live(_) => None,
        }
    }
    #[inline(always)]
    fn raw(&self, i: usize) -> Raw<'_> {
        match self {
            Place::Read(z, first) | Place::Apart(z, first, _) => Raw::of(z, first + i),
            Place::Same(FloatsMut::F32(g)) => Raw::F32(g.row(i)),
            Place::Same(FloatsMut::Bf16(g)) => Raw::Bf16(g.row(i)),
            Place::Same(FloatsMut::F16(g)) => Raw::F16(g.row(i)),
            Place::Same(FloatsMut::F64(_)) => unreachable!("refused before"),
            Place::Live(x) => Raw::F32(x.at(i).map_or(&[], |at| x.z.row(at))),
        }
    }
    /// Where logits that are only read end: the rows that follow are read next.
    #[inline(always)]
    fn end(&self) -> usize {
        match self {
            Place::Read(z, _) | Place::Apart(z, ..) => match z {
                Floats::F32(z) => z.data().as_ptr_range().end.addr(),
                Floats::Bf16(z) => z.data().as_ptr_range().end.addr(),
                Floats::F16(z) => z.data().as_ptr_range().end.addr(),
                Floats::F64(z) => z.data().as_ptr_range().end.addr(),
            },
            Place::Same(_) | Place::Live(_) => 0,
        }
    }
    fn wanted(&self) -> bool {
        match self {
            Place::Read(..) => false,
            Place::Live(x) => x.wanted,
            _ => true,
        }
    }
    /// Type of the gradient, if it is wanted.
    fn dtype(&self) -> Option<Dtype> {
        match self {
            Place::Read(..) => None,
            Place::Live(x) => x.wanted.then_some(Dtype::F32),
            Place::Apart(_, _, g) | Place::Same(g) => Some(g.dtype()),
        }
    }
    /// Whether the gradient of so many columns goes past the caches.
    fn streams(&self, columns: usize) -> bool {
        matches!(self, Place::Apart(_, _, g) if columns.saturating_mul(g.dtype().size()) > CACHE)
    }
    /// The gradient of row `i` from column `first` on, `n` columns.
    #[inline(always)]
    fn gradient(&mut self, i: usize, first: usize, n: usize) -> Option<Cut<'_>> {
        let g = match self {
            Place::Read(..) => return None,
            Place::Live(x) => {
                let at = if x.wanted { x.at(i) } else { None };
                return at.map(|at| Cut::F32(&mut x.z.row_mut(at)[first..first + n]));
            }
            Place::Apart(_, _, g) | Place::Same(g) => g,
        };
        Some(match g {
            FloatsMut::F32(g) => Cut::F32(&mut g.row_mut(i)[first..first + n]),
            FloatsMut::Bf16(g) => Cut::Bf16(&mut g.row_mut(i)[first..first + n]),
            FloatsMut::F16(g) => Cut::F16(&mut g.row_mut(i)[first..first + n]),
            FloatsMut::F64(_) => unreachable!("refused before"),
        })
    }
    fn fill(&mut self, i: usize, first: usize, n: usize, x: f64) {
        match self.gradient(i, first, n) {
            None => {}
            Some(Cut::F32(g)) => g.fill(f32::from_f64(x)),
            Some(Cut::Bf16(g)) => g.fill(bf16::from_f64(x)),
            Some(Cut::F16(g)) => g.fill(f16::from_f64(x)),
        }
    }
}

/// Elements of a pair that are worth a task.
const GRAIN: usize = 1 << 15;
fn run(
    context: &Context,
    call: &Call<'_>,
    grads: [Grad<'_>; 2],
    out: Figures<'_>,
    losses: Option<MatrixMut<'_, f64>>,
    counters: &Counters,
) {
    let work = Work { places: grads.map(Place::from), out, losses, others: None };
    run_rows(context, call, 0..call.problem.rows(), work, counters);
}
/// The rows of a range, whose outputs `work` begins with.
pub(crate) fn run_rows(context: &Context, call: &Call<'_>, rows: Range<usize>, work: Work<'_>, counters: &Counters) {
    let (isa, grain) = (context.isa(), (GRAIN / call.valid().max(1)).max(1));
    context.rows(rows.len(), grain, work, |first, n, mut work| {
        let first = rows.start + first;
        on_lanes!(isa, s => work.run(&mut Lanes::new(s), call, first, n, counters), work.run(&mut Plain::new(), call, first, n, counters))
    });
}
/// Some rows and their outputs.
pub(crate) struct Work<'a> {
    pub(crate) places: [Place<'a>; 2],
    pub(crate) out: Figures<'a>,
    pub(crate) losses: Option<MatrixMut<'a, f64>>,
    /// Where [`Call::others`] goes.
    pub(crate) others: Option<MatrixMut<'a, f32>>,
}
impl Split for Work<'_> {
    fn split(self, row: usize) -> (Self, Self) {
        let [student, teacher] = self.places;
        let (student, teacher) = (student.split(row), teacher.split(row));
        let (out, losses, others) = (self.out.split(row), self.losses.split(row), self.others.split(row));
        let a = Work { places: [student.0, teacher.0], out: out.0, losses: losses.0, others: others.0 };
        (a, Work { places: [student.1, teacher.1], out: out.1, losses: losses.1, others: others.1 })
    }
}
impl Work<'_> {
    #[inline(always)]
    fn run(&mut self, engine: &mut impl Engine, call: &Call<'_>, first: usize, n: usize, counters: &Counters) {
        for i in 0..n {
            let target = call.target(first + i);
            let (x, value) = match (&call.stats, target) {
                (_, Target::Ignored) => (Row::without(0.0, row::IGNORED), [0.0; 2]),
                (Some(stats), _) => {
                    let saved = Saved::unpack(stats.row(first + i));
                    (Row { saved, status: saved.flags, ..Row::without(0.0, 0) }, [0.0; 2])
                }
                (None, _) => {
                    let views = self.views(call, first + i, i, target);
                    figures(engine, call, first + i, &views, target)
                }
            };
            self.out.put(i, &x);
            if let Some(m) = &mut self.losses {
                let place = m.row_mut(i);
                let n = place.len();
                place.copy_from_slice(&value[..n]);
            }
            counters.add(x.status);
            if self.others.is_some() && target != Target::Ignored {
                let views = self.views(call, first + i, i, target);
                let (k, [a, b]) = (x.saved.k, call.problem.choice().order([&views[0], &views[1]]));
                let found = [b.at(k[0] as usize), a.at(k[1] as usize)];
                self.others.iter_mut().for_each(|m| m.row_mut(i).copy_from_slice(&found));
            }
            if self.places[0].wanted() || self.places[1].wanted() {
                self.gradients(engine, call, first + i, i, target, &x.saved);
            }
        }
    }
    /// Student and teacher of row `at` of the batch, row `i` of this piece.
    #[inline(always)]
    fn views<'b>(&'b self, call: &'b Call<'_>, at: usize, i: usize, target: Target) -> [View<'b>; 2] {
        [0, 1].map(|of| call.view(of, at, self.places[of].raw(i), self.places[of].end(), target))
    }
    #[inline(always)]
    fn gradients<E: Engine>(
        &mut self,
        engine: &mut E,
        call: &Call<'_>,
        at: usize,
        i: usize,
        target: Target,
        saved: &Saved,
    ) {
        let choice = call.problem.choice();
        let widths = [call.jobs[0].problem.vocab(), call.jobs[1].problem.vocab()];
        let up = &call.upstream;
        let g = |m: &Option<Matrix<'_, f32>>| m.as_ref().map_or(0.0, |m| m.get(at) as f64 * up.scale);
        let g_value = g(&up.values) + up.loss.map_or(0.0, |g| g * up.scale);
        let mut fill = saved.fill();
        let (mut factor, mut hard) = (0.0, 0.0);
        if fill.is_none() {
            let [weight, soft] = call.factors(at);
            factor = g_value * soft;
            let logprob = saved.logprob as f64;
            hard = g(&up.student_logprob) - g_value * weight * call.hard(logprob);
            if hard != 0.0 && saved.flags & row::TARGET_NEG_INF != 0 {
                fill = Some(0.0);
            }
        }
        if let Some(x) = fill {
            for (place, width) in self.places.iter_mut().zip(widths) {
                place.fill(i, 0, width, x as f64);
            }
            return;
        }
        let normalised = call.problem.normalised();
        let mut k = saved.pair(&choice.form, normalised, factor);
        let student = choice.student();
        let own = {
            let views = self.views(call, at, i, target);
            let ordered = choice.order([&views[0], &views[1]]);
            match &call.others {
                Some(others) => {
                    let [b, a] = *others.row(at) else { unreachable!("two columns") };
                    with_formula!(choice.form, F => k.anchor::<F>([k.m[0], b], [a, k.m[1]]));
                }
                None => saved.anchor(&choice.form, &mut k, |j| [ordered[0].at(j as usize), ordered[1].at(j as usize)]),
            }
            match call.jobs[0].local(target) {
                Some(y) if hard != 0.0 => {
                    // the target's own: 1 - p must not cancel
                    let (xa, xb) = (ordered[0].at(y), ordered[1].at(y));
                    let c = k.plain(xa, xb);
                    let g = with_formula!(choice.form, F => F::gradient(&k, &c))[student];
                    let (m, r, x) = (k.m[student] as f64, saved.r[student] as f64, views[0].at(y) as f64);
                    let logprob = (x - m) - r.log1p();
                    let rest = if x == m { r / (1.0 + r) } else { -logprob.expm1() };
                    Some((y, (g as f64 + hard * rest) * views[0].slope(y)))
                }
                _ => None,
            }
        };
        let sides = choice.order([0, 1]);
        let hard = (hard != 0.0).then_some((student, hard as f32));
        let fast = call.mode == Mode::Fast && fast::gives(&choice.form, &k, saved.value, call.valid());
        let how = How { form: &choice.form, k: &k, hard, fast };
        let apart = sides.map(|of| {
            let (raw, end) = (self.places[of].apart(i)?, self.places[of].end());
            Some(call.view(of, at, raw, end, target))
        });
        let dtypes = sides.map(|of| self.places[of].dtype());
        let all = |dtype| dtypes.iter().all(|x| x.is_none_or(|x| x == dtype));
        let streams = sides.map(|of| self.places[of].streams(call.problem.rows().saturating_mul(call.valid())));
        for piece in pieces(0, call.valid()) {
            let n = sides.map(|of| valid_of(&call.jobs[of], piece));
            let mut from = apart.map(|view| view.and_then(|view| view.direct(piece)));
            let words = all(Dtype::Bf16) && from.iter().all(|x| matches!(x, Some(Direct::Bf16(_))));
            let mut slopes = [false; 2];
            let pass = {
                let views = self.views(call, at, i, target);
                for (side, &of) in sides.iter().enumerate() {
                    slopes[side] = self.places[of].wanted() && views[of].transform() != RowTransform::Plain;
                }
                let whole = n == [piece.n; 2] && piece.n.is_multiple_of(32);
                let pass = E::PASSES && whole && slopes == [false; 2] && (words || all(Dtype::F32));
                for (side, &of) in sides.iter().enumerate() {
                    if !(pass && (words || matches!(from[side], Some(Direct::F32(_))))) {
                        from[side] = None;
                        engine.load(side, &views[of], piece, slopes[side]);
                    }
                }
                pass
            };
            if pass {
                let [student, teacher] = &mut self.places;
                let places = choice.order([student, teacher]);
                let mut goals = places
                    .into_iter()
                    .zip(streams)
                    .map(|(place, stream)| Goal { cut: place.gradient(i, piece.first, piece.n), stream });
                let to = [goals.next().unwrap(), goals.next().unwrap()];
                engine.pass(&how, piece, from, to);
                continue;
            }
            engine.gradients(&how, piece, slopes);
            for (side, &of) in sides.iter().enumerate() {
                if let Some(g) = self.places[of].gradient(i, piece.first.min(widths[of]), n[side]) {
                    engine.store(side, g);
                }
            }
        }
        if streams != [false; 2] {
            lanes::fence();
        }
        for (of, width) in widths.into_iter().enumerate() {
            let valid = call.jobs[of].problem.valid();
            self.places[of].fill(i, valid, width - valid, 0.0);
        }
        if let Some((y, g)) = own {
            self.places[0].fill(i, y, 1, g);
        }
    }
}
/// Valid columns of a piece on a side.
#[inline(always)]
fn valid_of(job: &Job<'_>, piece: Piece) -> usize {
    job.problem.valid().saturating_sub(piece.first).min(piece.n)
}
/// The record of a side of a row without its target; `start` is the column of the whole vocabulary that comes first.
#[inline(always)]
pub(crate) fn record(engine: &mut impl Engine, side: usize, view: &View<'_>, start: usize, all: bool) -> Record {
    let (mut tree, mut best) = (Tree::<Record>::new(), f32::NEG_INFINITY);
    for piece in pieces(start, view.valid()) {
        tree.push(engine.read(side, view, piece, &mut best, all));
    }
    tree.finish()
}
/// The sums of a row pair, a before b.
#[inline(always)]
fn sums(engine: &mut impl Engine, form: &Form, k: &Pair, views: [&View<'_>; 2], pass: Pass) -> Sums {
    let mut tree = Tree::<Sums>::new();
    for piece in pieces(0, views[0].valid().max(views[1].valid())) {
        tree.push(engine.sums(form, k, views, piece, pass));
    }
    tree.finish()
}
/// The joint record of a row pair, a before b.
#[inline(always)]
fn joint(engine: &mut impl Engine, form: &Form, views: [&View<'_>; 2], start: usize, see: See) -> Joint {
    let (mut joining, mut best) = (Joining::new(form, see.moments), [f32::NEG_INFINITY; 2]);
    let mut ahead = pieces(start, views[0].valid().max(views[1].valid()));
    let mut following = ahead.next();
    while let Some(piece) = following {
        following = ahead.next();
        let x = engine.joint(form, views, piece, following, &mut best, see);
        if joining.push(x) {
            engine.join(&mut joining);
        }
    }
    engine.join(&mut joining);
    joining.finish()
}
/// The figures of a row, and in f64 its value and log p - log t of its target.
#[inline(always)]
fn figures(
    engine: &mut impl Engine,
    call: &Call<'_>,
    i: usize,
    views: &[View<'_>; 2],
    target: Target,
) -> (Row, [f64; 2]) {
    let choice = call.problem.choice();
    let form = &choice.form;
    let y = if let Target::Column(y) = target { Some(y) } else { None };
    let ordered = choice.order([&views[0], &views[1]]);
    let (exact, late, chain) = with_formula!(*form, F => (F::EXACT, F::LATE, F::CHAIN));
    let see = See { entropy: call.entropy, moments: call.moments && !late && chain };
    // what does not divide by the chain rule takes the masses of both sides as 1
    let fits = !exact && (chain || call.problem.normalised() == [false; 2]);
    let fast = if call.mode == Mode::Fast && fits { engine.fast(form, ordered) } else { None };
    let together = match fast {
        Some(mut x) => {
            for side in if call.entropy { 0..2 } else { 0..0 } {
                let Record { u, q1, .. } = record(engine, side, ordered[side], 0, true);
                x.sides[side] = Record { u, q1, ..x.sides[side] };
            }
            Some(x)
        }
        None if chain || exact => Some(joint(engine, first_form(form), ordered, 0, see)),
        None => None,
    };
    let [student, teacher] = match &together {
        Some(x) => choice.order(x.sides),
        None => [0, 1].map(|side| record(engine, side, &views[side], 0, call.entropy)),
    };
    let student = views[0].conclude(student, target, y);
    let teacher = views[1].conclude(teacher, Target::None, y);
    let flags = student.flags | teacher.flags;
    if bad(&student) || bad(&teacher) {
        return (bad_row(flags), [f64::NAN; 2]);
    }
    let [a, b] = choice.order([&student, &teacher]);
    let normalised = call.problem.normalised();
    let mut k = Pair::new(form, [a.m, b.m], [a.r, b.r], normalised);
    let columns = [a.k, b.k];
    let pass = Pass { value: true, moments: call.moments && !late };
    let other = [ordered[1].at(columns[0] as usize), ordered[0].at(columns[1] as usize)];
    let (found, mut mean) = match &together {
        Some(x) => {
            let values = k.gather(x, normalised);
            if exact {
                let (found, mean, _) = values_of(engine, form, &k, other, ordered, pass);
                (found, mean)
            } else {
                (form.outcome(values), x.mean)
            }
        }
        None => {
            let (found, mean, error) = values_of(engine, form, &k, other, ordered, pass);
            if *form != Form::CosineLogits {
                k.refine(error);
            }
            (found, mean)
        }
    };
    let mut saved = Saved {
        m: k.m,
        r: [a.r, b.r],
        k: columns,
        gamma: k.gamma,
        mean: [0.0; 2],
        x: found.x.map(|x| x as f32),
        logprob: 0.0,
        value: found.value as f32,
        flags,
    };
    if !matches!(form, Form::CosineProbs | Form::CosineLogits) {
        saved.x[2..].copy_from_slice(&other);
    }
    if late && call.moments && !found.degenerate && found.value.is_finite() {
        k.x = saved.x;
        saved.anchor(form, &mut k, |j| [ordered[0].at(j as usize), ordered[1].at(j as usize)]);
        mean = sums(engine, form, &k, ordered, Pass { value: false, moments: true }).moments;
    }
    saved.mean = mean;
    if found.degenerate {
        saved.flags |= row::DEGENERATE;
    }
    if found.value.is_nan() {
        saved.flags |= row::OVERFLOW;
    }
    if saved.value == f32::INFINITY {
        saved.flags |= why_infinite(form, ordered);
    }
    let plain = |x: &Record| (x.xy as f64 - x.m as f64) - x.log_sum();
    let [weight, soft] = call.factors(i);
    let (mut value, mut logprob) = (0.0, 0.0);
    if soft != 0.0 {
        value += soft * found.value;
    }
    if y.is_some() {
        logprob = plain(&student);
        let hard = weight * call.hard(logprob);
        if hard != 0.0 {
            value -= hard * logprob;
        }
    }
    saved.logprob = logprob as f32;
    let normalised = call.problem.options().teacher != Teacher::Logits;
    let cross = |engine: &mut _, order: [usize; 2]| {
        cross_entropy(engine, [&views[0], &views[1]], [&student, &teacher], order, normalised)
    };
    let mut x = Row {
        values: value as f32,
        student_entropy: student.figures(Target::None).entropy,
        teacher_entropy: teacher.figures(Target::None).entropy,
        cross_entropy: 0.0,
        reverse_cross_entropy: 0.0,
        student_logprob: saved.logprob,
        teacher_logprob: match y {
            Some(_) if normalised => teacher.xy,
            Some(_) => plain(&teacher) as f32,
            None => 0.0,
        },
        student_rank: 0,
        teacher_rank: 0,
        status: saved.flags,
        saved,
    };
    if call.cross[0] {
        x.cross_entropy = cross(engine, [1, 0]);
    }
    if call.cross[1] {
        x.reverse_cross_entropy = cross(engine, [0, 1]);
    }
    if call.ranks[0] {
        x.student_rank = rank(engine, &views[0], teacher.k as usize);
    }
    if call.ranks[1] {
        x.teacher_rank = rank(engine, &views[1], student.k as usize);
    }
    let ratio = if y.is_some() { logprob - plain(&teacher) } else { 0.0 };
    (x, [value, ratio])
}
fn bad_row(flags: u32) -> Row {
    let mut x = Row::without(f32::NAN, flags);
    x.saved.value = f32::NAN;
    x
}
/// -sum of the first of `order` times the log of the second, of student (0) and teacher (1).
#[inline(always)]
fn cross_entropy(
    engine: &mut impl Engine,
    views: [&View<'_>; 2],
    records: [&Record; 2],
    [a, b]: [usize; 2],
    normalised: bool,
) -> f32 {
    let form = Form::CrossEntropy;
    let of = |x: usize| normalised && x == 1;
    let k = Pair::new(&form, [records[a].m, records[b].m], [records[a].r, records[b].r], [of(a), of(b)]);
    let s = sums(engine, &form, &k, [views[a], views[b]], Pass { value: true, moments: false });
    form.finish(&k, &s).value as f32
}
/// Columns of a side above its column `j`.
#[inline(always)]
fn rank(engine: &mut impl Engine, view: &View<'_>, j: usize) -> i32 {
    let (x, mut above) = (view.at(j), 0);
    for piece in pieces(0, view.valid()) {
        engine.load(0, view, piece, false);
        above += engine.above(0, piece, x);
    }
    above as i32
}
/// Whose joint records give the exact gamma of a form that needs it before its values.
fn first_form(form: &Form) -> &Form {
    if with_formula!(*form, F => F::EXACT) { &Form::Kl } else { form }
}
/// The value of a row pair whose gamma is known, the means of its weights, the sum of a - b.
#[inline(always)]
fn values_of(
    engine: &mut impl Engine,
    form: &Form,
    k: &Pair,
    other: [f32; 2],
    views: [&View<'_>; 2],
    pass: Pass,
) -> (Outcome, [f32; 2], f32) {
    let mut k = *k;
    with_formula!(form, F => k.anchor::<F>([k.m[0], other[0]], [other[1], k.m[1]]));
    let s = sums(engine, form, &k, views, pass);
    (form.finish(&k, &s), s.moments, s.delta)
}
/// Why D is infinite: by its definition, or beyond the type.
#[cold]
#[inline(never)]
fn why_infinite(form: &Form, [a, b]: [&View<'_>; 2]) -> u32 {
    let [left, right] = form.infinite();
    let dead = f32::NEG_INFINITY;
    let n = a.valid().max(b.valid());
    let exact = match form {
        // no column is live on both sides
        Form::Power { alpha, .. } if *alpha < 1.0 && *alpha > 0.0 => true,
        _ => (0..n).any(|j| {
            let (a, b) = (a.at(j) == dead, b.at(j) == dead);
            left && b && !a || right && a && !b
        }),
    };
    if exact { row::INFINITE } else { row::OVERFLOW }
}

/// Value by value, the plain form of [`truing_core`].
pub(crate) struct Plain {
    x: [[f32; BLOCK]; 2],
    slope: [[f32; BLOCK]; 2],
}
impl Plain {
    pub(crate) fn new() -> Plain {
        Plain { x: [[0.0; BLOCK]; 2], slope: [[0.0; BLOCK]; 2] }
    }
    /// Both sides.
    pub(crate) fn blocks(&self) -> [&[f32; BLOCK]; 2] {
        [&self.x[0], &self.x[1]]
    }
}
impl Engine for Plain {
    fn load(&mut self, side: usize, view: &View<'_>, piece: Piece, slopes: bool) {
        let valid = view.valid();
        with_raw!(view.raw, z => {
            let row: LogitRow<'_, _> = view.job.row(view.i, z);
            for (l, (x, slope)) in self.x[side].iter_mut().zip(&mut self.slope[side]).enumerate() {
                // columns before the piece count as missing
                let j = if l < piece.skip { valid } else { piece.first + l - piece.skip };
                *x = if j >= valid { f32::NEG_INFINITY } else if view.probs { Real::log(row.at(j)) } else { row.at(j) };
                if slopes && j < valid {
                    *slope = row.transform.slope(row.sum(j));
                }
            }
        });
        if let Some((y, shift)) = view.shift
            && (piece.first..piece.first + BLOCK).contains(&y)
        {
            self.x[side][y - piece.first] += shift;
        }
    }
    fn record(&mut self, side: usize, piece: Piece, _: &mut f32) -> Record {
        truing_core::record::block(&self.x[side], piece.block)
    }
    fn read(&mut self, side: usize, view: &View<'_>, piece: Piece, best: &mut f32, _: bool) -> Record {
        self.load(side, view, piece, false);
        self.record(side, piece, best)
    }
    fn sums(&mut self, form: &Form, k: &Pair, views: [&View<'_>; 2], piece: Piece, pass: Pass) -> Sums {
        self.load(0, views[0], piece, false);
        self.load(1, views[1], piece, false);
        let [a, b] = &self.x;
        with_formula!(form, F => formula::sums::<F>(k, a, b, pass))
    }
    fn joint(
        &mut self,
        form: &Form,
        views: [&View<'_>; 2],
        piece: Piece,
        _: Option<Piece>,
        best: &mut [f32; 2],
        see: See,
    ) -> Joint {
        let mut sides = [Record::EMPTY; 2];
        for side in 0..2 {
            sides[side] = self.read(side, views[side], piece, &mut best[side], see.entropy);
        }
        let [a, b] = &self.x;
        let mut other = [f32::NEG_INFINITY; 2];
        let found = Joint::pair(form, &sides).map(|mut k| {
            if see.moments {
                let at = |x: &[f32; BLOCK], m| x.iter().position(|&x| x == m).expect("its maximum");
                other = [b[at(a, k.m[0])], a[at(b, k.m[1])]];
                with_formula!(form, F => k.anchor::<F>([k.m[0], other[0]], [other[1], k.m[1]]));
            }
            let pass = Pass { value: true, moments: see.moments };
            (k, with_formula!(form, F => formula::sums::<F>(&k, a, b, pass)))
        });
        let found = found.as_ref().map(|(k, s)| (k, s));
        Joint::of_block(form, sides, found, other, || self.log_power(views, piece, found))
    }
    fn powers(&mut self, k: &Pair, _: Piece) {
        let [a, b] = &mut self.x;
        formula::powers(k, a, b);
    }
    fn above(&mut self, side: usize, _: Piece, x: f32) -> u32 {
        self.x[side].iter().filter(|&&z| z > x).count() as u32
    }
    fn gradients(&mut self, how: &How<'_>, _: Piece, slopes: [bool; 2]) {
        let [a, b] = &mut self.x;
        with_formula!(how.form, F => formula::gradients::<F>(how.k, a, b, how.hard));
        for side in 0..2 {
            if slopes[side] {
                for (x, slope) in self.x[side].iter_mut().zip(&self.slope[side]) {
                    *x = if *x == 0.0 { 0.0 } else { *x * slope };
                }
            }
        }
    }
    const PASSES: bool = false;
    fn pass(&mut self, _: &How<'_>, _: Piece, _: [Option<Direct<'_>>; 2], _: [Goal<'_>; 2]) {
        unreachable!("the scalar form has one way")
    }
    fn top(&mut self, side: usize, piece: Piece, top: &mut Top<f32>) {
        push(&self.x[side][..piece.n], piece.first, top);
    }
    fn put(&mut self, side: usize, j: usize, x: f32) {
        self.x[side][j] = x;
    }
    fn spread(&mut self, side: usize, _: Piece, m: f32, [first, second]: [f32; 2], slopes: bool) {
        for (x, slope) in self.x[side].iter_mut().zip(&self.slope[side]) {
            let d = clamp_row(*x - m);
            *x = exp_row(d) * (first + second * d);
            *x = if slopes && *x != 0.0 {
                *x * slope
            } else if slopes {
                0.0
            } else {
                *x
            };
        }
    }
    fn store(&mut self, side: usize, g: Cut<'_>) {
        fn go<T: Float>(x: &[f32], g: &mut [T]) {
            for (g, &x) in g.iter_mut().zip(x) {
                *g = T::from_f32(x);
            }
        }
        match g {
            Cut::F32(g) => go(&self.x[side], g),
            Cut::Bf16(g) => go(&self.x[side], g),
            Cut::F16(g) => go(&self.x[side], g),
        }
    }
}

/// Over lanes.
#[repr(C, align(64))]
pub(crate) struct Lanes<S> {
    /// Of each side.
    scratch: [Scratch; 2],
    /// Exponentials of each side.
    exp: [Block; 2],
    /// What [`Engine::joint`] saw of the piece of each side that comes next.
    seen: [Option<Ends>; 2],
    s: S,
}
/// What a side is worked on in.
#[repr(C, align(64))]
struct Scratch {
    /// A block of transformed logits, or of their gradient.
    x: Block,
    /// The slope of the transform at them.
    slope: Block,
    /// The biases of a block.
    bias: Block,
    /// A block as f32 and the one that comes next, by turns.
    wide: [Block; 2],
}
impl Scratch {
    #[inline(always)]
    fn new() -> Scratch {
        let zero = [[0.0; 32]; BLOCK / 32];
        Scratch { x: zero, slope: zero, bias: zero, wide: [zero; 2] }
    }
    #[inline(always)]
    fn buffers(&mut self) -> Buffers<'_> {
        (&mut self.x, &mut self.slope, &mut self.bias)
    }
}
impl<S: Sixteen> Lanes<S> {
    #[inline(always)]
    pub(crate) fn new(s: S) -> Lanes<S> {
        let exp = [[[0.0; 32]; BLOCK / 32]; 2];
        Lanes { scratch: [Scratch::new(), Scratch::new()], exp, seen: [None; 2], s }
    }
    /// A piece of both sides in f32: where it lies if it needs no work, else in the scratch. A formula and more a column: a
    /// widening loop before them costs little, code for each other type much.
    #[inline(always)]
    fn sources<'a>(&'a mut self, [a, b]: [&View<'a>; 2], piece: Piece) -> [Source<'a>; 2] {
        let direct = [a.direct(piece), b.direct(piece)];
        for (i, view) in [a, b].into_iter().enumerate() {
            if !matches!(direct[i], Some(Direct::F32(_))) {
                self.load(i, view, piece, false);
            }
        }
        let n = chunks(piece);
        let of = |i: usize| match direct[i] {
            Some(Direct::F32(x)) => x,
            _ => Source { x: &self.scratch[i].x[..n], ahead: false },
        };
        [of(0), of(1)]
    }
    /// The instruction set.
    #[inline(always)]
    pub(crate) fn token(&self) -> S {
        self.s
    }
    /// Both sides of a piece, in chunks of 32.
    #[inline(always)]
    pub(crate) fn pair(&self, piece: Piece) -> [&[[f32; 32]]; 2] {
        let n = chunks(piece);
        [&self.scratch[0].x[..n], &self.scratch[1].x[..n]]
    }
}
/// Runs a body with what makes the gradients: by the formula of the form, or in the mode `fast` without cases. `$wanted`: those of
/// a are.
macro_rules! with_maker {
    ($how:expr, $s:expr, $wanted:expr, $of:ident => $body:expr) => {{
        let How { form, k, hard, fast } = *$how;
        match (fast, k.c[1] != 0.0 || k.e[0] != 0.0, $wanted) {
            (false, ..) => with_formula!(form, F => {
                let $of = Exact::<'_, F> { k, hard, form: core::marker::PhantomData };
                $body
            }),
            (true, ..) if matches!(form, Form::Jsd { .. }) => {
                let $of = fast::jsd::Gradients::<S>::new($s, k, hard);
                $body
            }
            (true, true, true) => {
                let $of = fast::Gradients::<S, true, true>::new($s, k, hard);
                $body
            }
            (true, true, false) => {
                let $of = fast::Gradients::<S, true, false>::new($s, k, hard);
                $body
            }
            (true, false, true) => {
                let $of = fast::Gradients::<S, false, true>::new($s, k, hard);
                $body
            }
            (true, false, false) => {
                let $of = fast::Gradients::<S, false, false>::new($s, k, hard);
                $body
            }
        }
    }};
}

/// Chunks of 32 columns of the block of a piece.
#[inline(always)]
fn chunks(piece: Piece) -> usize {
    (piece.skip + piece.n).div_ceil(32)
}
/// Transformed logits of a piece of a side.
#[derive(Clone, Copy)]
pub(crate) struct Source<'a, T = f32> {
    x: &'a [[T; 32]],
    /// They come from memory, and the block behind them should be asked for.
    ahead: bool,
}
/// A piece that is read as it lies.
#[derive(Clone, Copy)]
pub(crate) enum Direct<'a> {
    F32(Source<'a, f32>),
    Bf16(Source<'a, bf16>),
}
impl<'a> View<'a> {
    /// A piece that is read as it lies.
    #[inline(always)]
    fn direct(&self, piece: Piece) -> Option<Direct<'a>> {
        #[inline(always)]
        fn of<T>(z: &[T], piece: Piece, end: usize) -> Option<Source<'_, T>> {
            let x = z.get(piece.first..piece.first + piece.n)?.as_chunks().0;
            Some(Source { x, ahead: inside(x, BLOCK, end) })
        }
        let shifted = self.shift.is_some_and(|(y, _)| (piece.first..piece.first + piece.n).contains(&y));
        let whole = piece.skip == 0 && piece.n.is_multiple_of(32);
        let plain = self.job.transform.bias.is_none() && self.transform() == RowTransform::Plain;
        if self.probs || shifted || !whole || !plain {
            return None;
        }
        match self.raw {
            Raw::F32(z) => of(&z[..self.valid()], piece, self.end).map(Direct::F32),
            Raw::Bf16(z) => of(&z[..self.valid()], piece, self.end).map(Direct::Bf16),
            Raw::F16(_) => None,
        }
    }
}
/// N vectors of columns from their transformed logits.
#[inline(always)]
fn columns<S: Sixteen, const N: usize>(s: S, k: &Pair, x: [[V<S>; N]; 2]) -> Column<Several<S, N>> {
    let mut e = x;
    for side in 0..2 {
        let m = splat(s, k.m[side]);
        for i in 0..N {
            e[side][i] = clamp(s, x[side][i] - m);
        }
        let [power, p] = exp_parts(s, e[side]);
        for i in 0..N {
            e[side][i] = power[i] * p[i];
        }
    }
    k.column([Several(x[0]), Several(x[1])], [Several(e[0]), Several(e[1])])
}
/// A column from its transformed logits.
#[inline(always)]
pub(crate) fn column<S: Sixteen>(s: S, k: &Pair, x: [V<S>; 2]) -> Column<V<S>> {
    let a = exp(s, clamp(s, x[0] - splat(s, k.m[0])));
    let b = exp(s, clamp(s, x[1] - splat(s, k.m[1])));
    k.column(x, [a, b])
}
impl<S: Sixteen> Engine for Lanes<S> {
    #[inline(always)]
    fn load(&mut self, side: usize, view: &View<'_>, piece: Piece, slope: bool) {
        let (s, scratch) = (self.s, &mut self.scratch[side]);
        let first = piece.first.min(view.valid());
        let n = valid_of(view.job, piece);
        with_raw!(view.raw, z => {
            let z = &z[..view.valid()];
            widen(s, &z[first..first + n], &mut scratch.x, z.as_ptr_range().end.addr());
        });
        let (t, bias) = (view.transform(), view.job.transform.bias);
        if n > 0 && (bias.is_some() || t != RowTransform::Plain) {
            if slope {
                slopes(s, bias.as_ref(), &t, piece.first, n, scratch.buffers());
            }
            transform(s, bias.as_ref(), &t, piece.first, n, scratch.buffers());
        }
        if view.probs {
            logarithms(s, &mut scratch.x);
        }
        let (x, skip) = (scratch.x.as_flattened_mut(), piece.skip);
        if skip > 0 {
            x.copy_within(..n, skip);
            x[..skip].fill(f32::NEG_INFINITY);
        }
        x[skip + n..(skip + piece.n).next_multiple_of(32)].fill(f32::NEG_INFINITY);
        if let Some((y, shift)) = view.shift
            && (first..first + n).contains(&y)
        {
            x[skip + y - first] += shift;
        }
    }
    #[inline(always)]
    fn record(&mut self, side: usize, piece: Piece, best: &mut f32) -> Record {
        sums_of_block(self.s, self.pair(piece)[side], piece.block, best)
    }
    #[inline(always)]
    fn read(&mut self, side: usize, view: &View<'_>, piece: Piece, best: &mut f32, all: bool) -> Record {
        if all {
            self.load(side, view, piece, false);
            return self.record(side, piece, best);
        }
        let (s, direct) = (self.s, view.direct(piece));
        if direct.is_none() {
            self.load(side, view, piece, false);
        }
        match direct {
            Some(Direct::F32(x)) => exps(s, x, piece.block, best),
            Some(Direct::Bf16(x)) => exps(s, x, piece.block, best),
            None => {
                let x = Source { x: &self.scratch[side].x[..chunks(piece)], ahead: false };
                exps(s, x, piece.block, best)
            }
        }
    }
    #[inline(always)]
    fn sums(&mut self, form: &Form, k: &Pair, views: [&View<'_>; 2], piece: Piece, pass: Pass) -> Sums {
        let s = self.s;
        let x = self.sources(views, piece);
        with_formula!(form, F => sums_block::<S, F>(s, k, x, pass))
    }
    #[inline(always)]
    fn joint(
        &mut self,
        form: &Form,
        views: [&View<'_>; 2],
        piece: Piece,
        next: Option<Piece>,
        best: &mut [f32; 2],
        see: See,
    ) -> Joint {
        let (s, seen) = (self.s, self.seen);
        let direct = views.map(|x| x.direct(piece));
        for i in 0..2 {
            if !matches!((direct[i], seen[i]), (Some(Direct::F32(_)), _) | (Some(Direct::Bf16(_)), Some(_))) {
                self.load(i, views[i], piece, false);
            }
        }
        let (turn, n) = (piece.block / BLOCK % 2, chunks(piece));
        let [a, b] = &mut self.scratch;
        let [(xa, wide_a), (xb, wide_b)] =
            [(a, direct[0], seen[0]), (b, direct[1], seen[1])].map(|(x, direct, seen)| {
                let [even, odd] = &mut x.wide;
                let (now, then) = if turn == 0 { (even, odd) } else { (odd, even) };
                let x = match direct {
                    Some(Direct::F32(x)) => x.x,
                    Some(Direct::Bf16(_)) if seen.is_some() => &now[..n],
                    _ => &x.x[..n],
                };
                (x, then)
            });
        let x = [xa, xb];
        let (mut ends, wide) = ([Ends::NONE; 2], [wide_a, wide_b]);
        for i in 0..2 {
            ends[i] = seen[i].unwrap_or_else(|| ends_of(s, x[i]));
        }
        let next = [0, 1].map(|i| next.and_then(|next| views[i].direct(next)));
        let near = ends[0].near() && ends[1].near();
        let mut sides = [Record::EMPTY; 2];
        for i in 0..2 {
            let (m, exp, wide, best) = (ends[i].top, &mut self.exp[i], &mut *wide[i], &mut best[i]);
            let block = Ahead { x: x[i], m, first: piece.block };
            let found = match (next[i], near) {
                (Some(Direct::Bf16(next)), true) => exps_ahead::<S, bf16, true>(s, block, exp, next.x, wide, best),
                (Some(Direct::Bf16(next)), false) => exps_ahead::<S, bf16, false>(s, block, exp, next.x, wide, best),
                (Some(Direct::F32(next)), true) => exps_ahead::<S, f32, true>(s, block, exp, next.x, wide, best),
                (Some(Direct::F32(next)), false) => exps_ahead::<S, f32, false>(s, block, exp, next.x, wide, best),
                (None, true) => exps_ahead::<S, f32, true>(s, block, exp, &[], wide, best),
                (None, false) => exps_ahead::<S, f32, false>(s, block, exp, &[], wide, best),
            };
            sides[i] = found.0;
            self.seen[i] = next[i].map(|_| found.1);
        }
        // at the end of a row the next one begins behind it, if it is not padded
        let asks = [0, 1].map(|i| {
            let (at, skip) = if next[i].is_some() { (next[i], 0) } else { (direct[i], BLOCK) };
            match at {
                Some(Direct::F32(x)) => Ask::behind(x.x, skip, views[i].end),
                Some(Direct::Bf16(x)) => Ask::behind(x.x, skip, views[i].end),
                None => Ask::NOTHING,
            }
        });
        let (found, other) = joint_block(s, form, x, &self.exp, &sides, near, asks, see);
        if see.entropy {
            for side in 0..2 {
                // the same m and r, and what the entropy takes
                let k = sides[side].k;
                sides[side] = Record { k, ..sums_of_block(s, x[side], piece.block, &mut { f32::INFINITY }) };
            }
        }
        let found = found.as_ref().map(|(k, s)| (k, s));
        Joint::of_block(form, sides, found, other, || self.log_power(views, piece, found))
    }
    #[inline(always)]
    fn join(&mut self, joining: &mut Joining) {
        joining.side_by_side(self.s);
    }
    fn fast(&self, form: &Form, views: [&View<'_>; 2]) -> Option<Joint> {
        fast::joint(self.s, form, views)
    }
    #[inline(always)]
    fn powers(&mut self, k: &Pair, piece: Piece) {
        let [a, b] = &mut self.scratch;
        powers(self.s, k, &mut a.x[..chunks(piece)], &b.x);
    }
    #[inline(always)]
    fn above(&mut self, side: usize, piece: Piece, x: f32) -> u32 {
        let (s, mut n) = (self.s, 0);
        let x = splat(s, x);
        for z in self.pair(piece)[side] {
            let z = f32::load(s, z);
            n += x.simd_lt(z[0]).bits().count_ones() + x.simd_lt(z[1]).bits().count_ones();
        }
        n
    }
    #[inline(always)]
    fn gradients(&mut self, how: &How<'_>, piece: Piece, slopes: [bool; 2]) {
        let n = piece.n.div_ceil(32);
        let [a, b] = &mut self.scratch;
        let x = [&mut a.x[..n], &mut b.x[..n]];
        with_maker!(how, self.s, true, of => gradient_block(self.s, &of, x));
        for side in 0..2 {
            if slopes[side] {
                let (x, slope, _) = self.scratch[side].buffers();
                scale(self.s, &mut x[..n], slope);
            }
        }
    }
    const PASSES: bool = true;
    #[inline(always)]
    fn pass(&mut self, how: &How<'_>, piece: Piece, from: [Option<Direct<'_>>; 2], [a, b]: [Goal<'_>; 2]) {
        let (s, past, wanted) = (self.s, [a.stream, b.stream], a.cut.is_some());
        if let [Some(Direct::Bf16(x)), Some(Direct::Bf16(y))] = from {
            let words = |goal| match goal {
                Some(Cut::Bf16(g)) => g,
                _ => <&mut [bf16]>::default(),
            };
            let (from, to) = ([x, y], [words(a.cut), words(b.cut)]);
            return with_maker!(how, s, wanted, of => pass_piece(s, &of, from, to, past, &mut self.exp));
        }
        let of = |side: usize| match from[side] {
            Some(Direct::F32(x)) => x,
            _ => Source { x: &self.scratch[side].x[..chunks(piece)], ahead: false },
        };
        let numbers = |goal| match goal {
            Some(Cut::F32(g)) => g,
            _ => <&mut [f32]>::default(),
        };
        let (from, to) = ([of(0), of(1)], [numbers(a.cut), numbers(b.cut)]);
        with_maker!(how, s, wanted, of => pass_piece(s, &of, from, to, past, &mut self.exp))
    }
    #[inline(always)]
    fn top(&mut self, side: usize, piece: Piece, top: &mut Top<f32>) {
        push(&self.scratch[side].x.as_flattened()[..piece.n], piece.first, top);
    }
    #[inline(always)]
    fn put(&mut self, side: usize, j: usize, x: f32) {
        self.scratch[side].x.as_flattened_mut()[j] = x;
    }
    #[inline(always)]
    fn spread(&mut self, side: usize, piece: Piece, m: f32, factors: [f32; 2], slopes: bool) {
        let (n, (x, slope, _)) = (piece.n.div_ceil(32), self.scratch[side].buffers());
        spread_block(self.s, &mut x[..n], m, factors);
        if slopes {
            scale(self.s, &mut x[..n], slope);
        }
    }
    #[inline(always)]
    fn store(&mut self, side: usize, g: Cut<'_>) {
        let (s, x) = (self.s, &self.scratch[side].x);
        match g {
            Cut::F32(g) => narrow(s, x, g),
            Cut::Bf16(g) => narrow(s, x, g),
            Cut::F16(g) => narrow(s, x, g),
        }
    }
}
/// Constants and sums of a block with these records, and the logits of b at the largest column of a and of a at that of b.
#[inline(always)]
fn joint_block<S: Sixteen>(
    s: S,
    form: &Form,
    [a, b]: [&[[f32; 32]]; 2],
    exp: &[Block; 2],
    sides: &[Record; 2],
    near: bool,
    asks: [Ask; 2],
    see: See,
) -> (Option<(Pair, Sums)>, [f32; 2]) {
    let mut other = [f32::NEG_INFINITY; 2];
    let mut k = Joint::pair(form, sides);
    if let Some(k) = &mut k
        && see.moments
    {
        let [ka, kb] = [column_of(s, a, k.m[0]), column_of(s, b, k.m[1])];
        other = [b.as_flattened()[ka], a.as_flattened()[kb]];
        with_formula!(form, F => k.anchor::<F>([k.m[0], other[0]], [other[1], k.m[1]]));
    }
    let (x, exp) = ([a, b], [&exp[0], &exp[1]]);
    let found = k.map(|k| {
        let sums = with_formula!(form, F => if near {
            chain_block::<S, F, true>(s, &k, x, exp, asks, see.moments)
        } else {
            chain_block::<S, F, false>(s, &k, x, exp, asks, see.moments)
        });
        (k, sums)
    });
    (found, other)
}
/// The first column with the value `m`.
#[inline(never)]
fn column_of<S: Sixteen>(s: S, x: &[[f32; 32]], m: f32) -> usize {
    s.enter(
        #[inline(always)]
        || find(s, x.as_flattened(), 1.0, Record { m, k: 0, ..Record::EMPTY }).k as usize,
    )
}
/// Asks for a piece of the block behind a block, its halves side by side: all of it then waits in the second cache, and its
/// maximum, which is the first to be taken, does not stand still at every line. The first cache is full.
#[inline(always)]
fn ask<T>(x: Source<'_, T>, step: usize) {
    if x.ahead {
        lanes::prefetch(half_by_half(x.x, step).as_ptr().wrapping_add(BLOCK), 32, true);
    }
}
/// m and r of a block, as [`sums_of_block`] has them.
#[inline(never)]
fn exps<S: Sixteen, T: Cell>(s: S, x: Source<'_, T>, first: usize, best: &mut f32) -> Record {
    s.enter(
        #[inline(always)]
        || {
            let b = x.x;
            let mut m = T::max_new(s);
            for p in b {
                T::max_add(s, &mut m, p);
            }
            let m = T::max_get(s, m);
            let mut sums = Mass::new(s, m);
            let (pairs, last) = if S::ROOMY { b.as_chunks::<2>() } else { (&[][..], b) };
            for (i, [p, q]) in pairs.iter().enumerate() {
                ask(x, 2 * i);
                ask(x, 2 * i + 1);
                let ([z0, z1], [z2, z3]) = (T::take(s, p), T::take(s, q));
                sums.add::<4, false>(s, [z0, z1, z2, z3]);
            }
            for (i, p) in last.iter().enumerate() {
                ask(x, 2 * pairs.len() + i);
                sums.add::<2, false>(s, T::take(s, p));
            }
            let mut x = seal(m, T::sum(s, sums.r), 0.0, 0.0, sums.ties, first);
            above(s, b, &mut x, first, best);
            x
        },
    )
}
/// r of a block in the making, and how many columns have the maximum.
struct Mass<S: Sixteen> {
    m: V<S>,
    r: [V<S>; 2],
    ties: u32,
}
impl<S: Sixteen> Mass<S> {
    #[inline(always)]
    fn new(s: S, m: f32) -> Self {
        Mass { m: centre(s, splat(s, m)), r: [splat(s, 0.0); 2], ties: 0 }
    }
    /// Takes in the columns `x`; NEAR: none of them needs [`clamp`].
    #[inline(always)]
    fn add<const N: usize, const NEAR: bool>(&mut self, s: S, x: [V<S>; N]) -> Terms<S, N> {
        let begun = if NEAR { Begun::near(s, x, self.m) } else { Begun::new(s, x, self.m) };
        let (t, zero) = (Terms::<S, N>::new(s, begun), splat(s, 0.0));
        for i in 0..N {
            self.ties += t.add::<false>(i, &mut self.r[i % 2], &mut { zero }, &mut { zero }).count_ones();
        }
        t
    }
}
/// Sets the column of the record of a block whose maximum is above `best`, which it then becomes.
#[inline(always)]
fn above<S: Sixteen, T: Cell>(s: S, b: &[[T; 32]], x: &mut Record, first: usize, best: &mut f32) {
    if x.m > *best {
        *best = x.m;
        if x.m < f32::INFINITY {
            x.k = first as u32 + find(s, b.as_flattened(), 1.0, Record { k: 0, ..*x }).k;
        }
    }
}
/// Largest and smallest column of a block. A NaN may or may not be seen; the sums see it.
#[derive(Clone, Copy)]
struct Ends {
    top: f32,
    low: f32,
}
impl Ends {
    const NONE: Ends = Ends { top: f32::NEG_INFINITY, low: f32::INFINITY };
    /// No column needs [`clamp`]: then none is dead either, and every difference of two columns is small.
    #[inline(always)]
    fn near(&self) -> bool {
        self.low - self.top >= EXP_LOW
    }
}
/// [`Ends`] in the making.
struct Extremes<S: Sixteen> {
    top: [V<S>; 2],
    low: [V<S>; 2],
}
impl<S: Sixteen> Extremes<S> {
    #[inline(always)]
    fn new(s: S) -> Self {
        Extremes { top: [splat(s, f32::NEG_INFINITY); 2], low: [splat(s, f32::INFINITY); 2] }
    }
    #[inline(always)]
    fn add(&mut self, x: [V<S>; 2]) {
        for i in 0..2 {
            self.top[i] = self.top[i].larger(x[i]);
            self.low[i] = self.low[i].smaller(x[i]);
        }
    }
    #[inline(always)]
    fn finish(self, s: S) -> Ends {
        let low = -self.low[0].smaller(self.low[1]);
        Ends { top: largest(s, self.top), low: -s.fold_larger(low.0) }
    }
}
#[inline(never)]
fn ends_of<S: Sixteen>(s: S, x: &[[f32; 32]]) -> Ends {
    s.enter(
        #[inline(always)]
        || {
            let mut ends = Extremes::new(s);
            for x in x {
                ends.add(f32::load(s, x));
            }
            ends.finish(s)
        },
    )
}
/// A block with its maximum, `first` its first column.
struct Ahead<'a> {
    x: &'a [[f32; 32]],
    m: f32,
    first: usize,
}
/// m and r of a block, its exponentials to `exp`; the ends of the next one, which goes to `wide` if it is no f32. NEAR: no
/// column needs [`clamp`].
#[inline(never)]
fn exps_ahead<S: Sixteen, T: Cell, const NEAR: bool>(
    s: S,
    block: Ahead<'_>,
    exp: &mut Block,
    next: &[[T; 32]],
    wide: &mut Block,
    best: &mut f32,
) -> (Record, Ends) {
    s.enter(
        #[inline(always)]
        || {
            let (b, mut ends, mut sums) = (block.x, Extremes::new(s), Mass::new(s, block.m));
            let (n, more) = (b.len().min(exp.len()), next.len().min(wide.len()));
            let pairs = if S::ROOMY { n / 2 } else { 0 };
            for i in 0..pairs {
                let (p, e) = (&b[2 * i..2 * i + 2], &mut exp[2 * i..2 * i + 2]);
                for i in 2 * i..more.min(2 * i + 2) {
                    see(s, &next[i], &mut wide[i], &mut ends);
                }
                let t = sums.add::<4, NEAR>(s, take_two(s, &p[0], &p[1]));
                f32::store(s, [t.exp(0), t.exp(1)], &mut e[0]);
                f32::store(s, [t.exp(2), t.exp(3)], &mut e[1]);
            }
            for i in 2 * pairs..n {
                if i < more {
                    see(s, &next[i], &mut wide[i], &mut ends);
                }
                let t = sums.add::<2, NEAR>(s, f32::take(s, &b[i]));
                f32::store(s, [t.exp(0), t.exp(1)], &mut exp[i]);
            }
            for i in n..more {
                see(s, &next[i], &mut wide[i], &mut ends);
            }
            let mut x = seal(block.m, f32::sum(s, sums.r), 0.0, 0.0, sums.ties, block.first);
            above(s, b, &mut x, block.first, best);
            (x, ends.finish(s))
        },
    )
}
/// 32 columns of the next block.
#[inline(always)]
fn see<S: Sixteen, T: Cell>(s: S, p: &[T; 32], wide: &mut [f32; 32], ends: &mut Extremes<S>) {
    let x = T::load(s, p);
    ends.add(x);
    if T::DTYPE != Dtype::F32 {
        f32::store(s, x, wide);
    }
}
/// What is asked for beside the terms of a block, two lines for each of its chunks of 32 columns: one of each half, since
/// memory is busier with two pages than with one.
#[derive(Clone, Copy)]
struct Ask {
    from: *const u8,
    /// Bytes of 16 columns.
    step: usize,
    chunks: usize,
}
impl Ask {
    const NOTHING: Ask = Ask { from: core::ptr::null(), step: 0, chunks: 0 };
    /// The block that lies `skip` columns behind another one.
    #[inline(always)]
    fn behind<T>(x: &[[T; 32]], skip: usize, end: usize) -> Ask {
        let chunks = if inside(x, skip + BLOCK, end) { BLOCK / 32 } else { 0 };
        let from = x.as_ptr_range().end.wrapping_add(skip / 32);
        Ask { from: from.cast(), step: 16 * size_of::<T>(), chunks }
    }
    #[inline(always)]
    fn lines(&self, chunk: usize) {
        if chunk < self.chunks {
            let p = self.from.wrapping_add(chunk * self.step);
            lanes::prefetch(p, 1, true);
            lanes::prefetch(p.wrapping_add(BLOCK / 32 * self.step), 1, true);
        }
    }
}
/// Sums of a block in the making.
struct Adding<S: Sixteen>([[V<S>; 2]; 8]);
impl<S: Sixteen> Adding<S> {
    #[inline(always)]
    fn new(s: S) -> Self {
        Adding([[splat(s, 0.0); 2]; 8])
    }
    /// N / 2 chunks.
    #[inline(always)]
    fn add<F: Formula, const N: usize>(&mut self, k: &Pair, c: &Column<Several<S, N>>, pass: Pass) {
        let delta = if pass.value {
            let (x, delta) = F::sums_and_delta(k, c);
            for i in 0..F::SUMS {
                self.plus(i, x[i]);
            }
            delta
        } else {
            c.delta()
        };
        self.plus(5, delta);
        if pass.moments {
            let v = F::weighted(k, c);
            for i in 0..2 {
                if F::WEIGHTS[i] {
                    self.plus(6 + i, v[i]);
                }
            }
        }
    }
    #[inline(always)]
    fn plus<const N: usize>(&mut self, i: usize, x: Several<S, N>) {
        for l in 0..N {
            self.0[i][l % 2] = self.0[i][l % 2] + x.0[l];
        }
    }
    #[inline(always)]
    fn finish<F: Formula>(self, s: S) -> Sums {
        let mut out = Sums::EMPTY;
        for i in 0..F::SUMS {
            out.value[i] = f32::sum(s, self.0[i]);
        }
        out.delta = f32::sum(s, self.0[5]);
        out.moments = [f32::sum(s, self.0[6]), f32::sum(s, self.0[7])];
        out
    }
}
/// [`formula::sums`].
#[inline(never)]
fn sums_block<S: Sixteen, F: Formula>(s: S, k: &Pair, [a, b]: [Source<'_>; 2], pass: Pass) -> Sums {
    s.enter(
        #[inline(always)]
        || {
            let mut sums = Adding::new(s);
            let n = a.x.len().min(b.x.len());
            let four = if S::ROOMY { n / 2 * 2 } else { 0 };
            for i in (0..four).step_by(2) {
                let (p, q) = (&a.x[i..i + 2], &b.x[i..i + 2]);
                for step in [i, i + 1] {
                    ask(a, step);
                    ask(b, step);
                }
                sums.add::<F, 4>(k, &columns(s, k, [take_two(s, &p[0], &p[1]), take_two(s, &q[0], &q[1])]), pass);
            }
            for i in four..n {
                let (p, q) = (&a.x[i], &b.x[i]);
                ask(a, i);
                ask(b, i);
                sums.add::<F, 2>(k, &columns(s, k, [f32::take(s, p), f32::take(s, q)]), pass);
            }
            sums.finish::<F>(s)
        },
    )
}
/// The same of values, with the exponentials at hand. NEAR: both sides are [`Ends::near`].
#[inline(never)]
fn chain_block<S: Sixteen, F: Formula, const NEAR: bool>(
    s: S,
    k: &Pair,
    [a, b]: [&[[f32; 32]]; 2],
    [ea, eb]: [&Block; 2],
    asks: [Ask; 2],
    moments: bool,
) -> Sums {
    s.enter(
        #[inline(always)]
        || {
            let mut sums = Adding::new(s);
            let pass = Pass { value: true, moments: moments && F::DELTA };
            for (i, (((a, b), ea), eb)) in a.iter().zip(b).zip(ea).zip(eb).enumerate() {
                asks[0].lines(i);
                asks[1].lines(i);
                let x = [Several(f32::take(s, a)), Several(f32::take(s, b))];
                let e = [Several(f32::take(s, ea)), Several(f32::take(s, eb))];
                let c = if NEAR { k.finite_column(x, e) } else { k.column(x, e) };
                sums.add::<F, 2>(k, &c, pass);
            }
            sums.finish::<F>(s)
        },
    )
}
/// [`formula::powers`].
#[inline(never)]
fn powers<S: Sixteen>(s: S, k: &Pair, a: &mut [[f32; 32]], b: &Block) {
    s.enter(
        #[inline(always)]
        || {
            let (e, rest) = (splat(s, k.p[0]), splat(s, k.p[1]));
            for (a, b) in a.iter_mut().zip(b) {
                let (x, y) = (f32::load(s, a), f32::load(s, b));
                let p0 = formula::power(&column(s, k, [x[0], y[0]]), e, rest);
                let p1 = formula::power(&column(s, k, [x[1], y[1]]), e, rest);
                f32::store(s, [p0, p1], a);
            }
        },
    )
}
/// Makes gradients of columns.
pub(crate) trait Maker<S: Sixteen> {
    /// Of N vectors of both sides.
    fn make<const N: usize>(&self, s: S, x: [[V<S>; N]; 2]) -> [[V<S>; N]; 2];
}
/// [`formula::gradients`].
struct Exact<'a, F> {
    k: &'a Pair,
    hard: Option<(usize, f32)>,
    form: core::marker::PhantomData<F>,
}
impl<S: Sixteen, F: Formula> Maker<S> for Exact<'_, F> {
    #[inline(always)]
    fn make<const N: usize>(&self, s: S, x: [[V<S>; N]; 2]) -> [[V<S>; N]; 2] {
        let c = columns(s, self.k, x);
        let mut g = F::gradient(self.k, &c);
        if let Some((side, h)) = self.hard {
            g[side] = g[side] - c.p[side] * c.d.lit(h as f64);
        }
        let (zero, dead) = (c.d.lit(0.0), c.d.lit(f64::NEG_INFINITY));
        [c.x[0].select_le(dead, zero, g[0]).0, c.x[1].select_le(dead, zero, g[1]).0]
    }
}
/// The gradients of a block in the place of its columns.
#[inline(never)]
fn gradient_block<S: Sixteen>(s: S, of: &impl Maker<S>, [a, b]: [&mut [[f32; 32]]; 2]) {
    s.enter(
        #[inline(always)]
        || {
            for (a, b) in a.iter_mut().zip(b) {
                let [ga, gb] = of.make(s, [f32::load(s, a), f32::load(s, b)]);
                f32::store(s, ga, a);
                f32::store(s, gb, b);
            }
        },
    )
}
/// [`pass_block`] of a piece. Only whole lines go past the caches: what lies across them is made on a desk and goes on from there.
#[inline(always)]
fn pass_piece<S: Sixteen, T: Cell>(
    s: S,
    of: &impl Maker<S>,
    from: [Source<'_, T>; 2],
    to: [&mut [T]; 2],
    mut past: [bool; 2],
    [desk_a, desk_b]: &mut [Block; 2],
) {
    let [a, b] = to;
    let [across_a, across_b] = [&*a, &*b].map(|to| to.as_ptr().align_offset(64) != 0);
    let across = [past[0] && across_a, past[1] && across_b];
    past = [past[0] && !across_a, past[1] && !across_b];
    let (n, desks) = ([a.len(), b.len()], [desk_a, desk_b].map(|x| bytemuck::cast_slice_mut(x.as_flattened_mut())));
    let [desk_a, desk_b]: [&mut [T]; 2] = desks;
    {
        let to_a = if across[0] { &mut desk_a[..n[0]] } else { &mut *a };
        let to_b = if across[1] { &mut desk_b[..n[1]] } else { &mut *b };
        pass_block(s, of, from, [to_a.as_chunks_mut().0, to_b.as_chunks_mut().0], past);
    }
    if across[0] {
        stream_out(s, &desk_a[..n[0]], a);
    }
    if across[1] {
        stream_out(s, &desk_b[..n[1]], b);
    }
}
/// [`gradient_block`] from where the columns lie to where the gradients go, an empty slice if they are not wanted; `past` the
/// caches.
#[inline(never)]
fn pass_block<S: Sixteen, T: Cell>(
    s: S,
    of: &impl Maker<S>,
    [a, b]: [Source<'_, T>; 2],
    [to_a, to_b]: [&mut [[T; 32]]; 2],
    past: [bool; 2],
) {
    s.enter(
        #[inline(always)]
        || {
            // two pages of each side: memory is busier with them than with one
            let n = a.x.len().min(b.x.len());
            let half = if S::ROOMY { n / 2 } else { 0 };
            for i in 0..half {
                let j = half + i;
                for at in [i, j] {
                    prefetch(&a.x[at], BLOCK, a.ahead);
                    prefetch(&b.x[at], BLOCK, b.ahead);
                }
                let x = [take_two(s, &a.x[i], &a.x[j]), take_two(s, &b.x[i], &b.x[j])];
                let [ga, gb] = of.make(s, x);
                if j < to_a.len() {
                    put(s, past[0], [ga[0], ga[1]], &mut to_a[i]);
                    put(s, past[0], [ga[2], ga[3]], &mut to_a[j]);
                }
                if j < to_b.len() {
                    put(s, past[1], [gb[0], gb[1]], &mut to_b[i]);
                    put(s, past[1], [gb[2], gb[3]], &mut to_b[j]);
                }
            }
            for i in 2 * half..n {
                prefetch(&a.x[i], BLOCK, a.ahead);
                prefetch(&b.x[i], BLOCK, b.ahead);
                let [ga, gb] = of.make(s, [T::take(s, &a.x[i]), T::take(s, &b.x[i])]);
                if let Some(to) = to_a.get_mut(i) {
                    put(s, past[0], ga, to);
                }
                if let Some(to) = to_b.get_mut(i) {
                    put(s, past[1], gb, to);
                }
            }
        },
    )
}
/// Two chunks.
#[inline(always)]
fn take_two<S: Sixteen, T: Cell>(s: S, x: &[T; 32], y: &[T; 32]) -> [V<S>; 4] {
    let ([a, b], [c, d]) = (T::take(s, x), T::take(s, y));
    [a, b, c, d]
}
#[inline(always)]
fn put<S: Sixteen, T: Cell>(s: S, past: bool, x: [V<S>; 2], to: &mut [T; 32]) {
    if past { T::put::<S, true>(s, x, to) } else { T::put::<S, false>(s, x, to) }
}
/// Pushes columns that are larger than what is there already.
fn push(x: &[f32], first: usize, top: &mut Top<f32>) {
    for (l, &x) in x.iter().enumerate() {
        if x > top.limit() {
            top.push(x, (first + l) as u32);
        }
    }
}
#[inline(never)]
fn spread_block<S: Sixteen>(s: S, x: &mut [[f32; 32]], m: f32, [first, second]: [f32; 2]) {
    s.enter(
        #[inline(always)]
        || {
            let (m, first, second) = (splat(s, m), splat(s, first), splat(s, second));
            for x in x.iter_mut() {
                let v = f32::load(s, x);
                let (a, b) = (clamp(s, v[0] - m), clamp(s, v[1] - m));
                f32::store(s, [exp(s, a) * (first + second * a), exp(s, b) * (first + second * b)], x);
            }
        },
    )
}
/// x slope, 0 where x is 0: a slope of a dead column may be anything.
#[inline(never)]
fn scale<S: Sixteen>(s: S, x: &mut [[f32; 32]], slope: &Block) {
    s.enter(
        #[inline(always)]
        || {
            let zero = splat(s, 0.0);
            for (x, slope) in x.iter_mut().zip(slope) {
                let (mut v, slope) = (f32::load(s, x), f32::load(s, slope));
                for l in 0..2 {
                    v[l] = v[l].simd_eq(zero).select(zero, v[l] * slope[l]);
                }
                f32::store(s, v, x);
            }
        },
    )
}
#[inline(never)]
fn logarithms<S: Sixteen>(s: S, x: &mut Block) {
    s.enter(
        #[inline(always)]
        || {
            for x in x.iter_mut() {
                let v = f32::load(s, x);
                f32::store(s, [v[0].log(), v[1].log()], x);
            }
        },
    )
}
