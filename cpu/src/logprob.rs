//! Token log-prob of logits `[N, V]`, forward and backward: one read of the logits each.
//!
//! The sums are those of [`truing_core::record`]. A block of 2048 columns is read twice, the second time from L1: first
//! its maximum, then its sums; the maximum of the next block runs in the shadow of the sums. With a transform the block
//! is transformed into L1 first, and also where more than the first sums is asked for (`logprob/extra.rs`).
//!
//! Rows of f64 logits run the plain form of [`truing_core`].
use crate::lanes::{Isa, Several, Sixteen, fence};
use crate::on_lanes;
use crate::parallel::{Context, Mode};
use crate::rows::{Begun, Cell, Terms, V, centre, clamp, exp_parts, fma, half_by_half, inside, prefetch, splat};
use crate::sequence::{Counters, check_space, overflow};
use truing_core::dtype::{Dtype, Element, Float};
use truing_core::error::row;
use truing_core::logprob::{
    ExtraIds, Figures, Found, LogitRow, Needs, Problem, RowInputs, Rows, STATS, Seek, Target, TransformInputs, Upstream,
};
use truing_core::matrix::{Arena, Floats, FloatsMut, Matrix, MatrixMut, Split, Workspace};
use truing_core::record::{self, BLOCK, Columns, Record, RowFloat, RowGrad, RowTransform, RowUpstream, Tree};
use truing_core::row_loss::{self, RowLossInputs};
use truing_core::support::Kept;
use truing_core::{Error, Result, Status, Value};

/// What the forward reads.
#[derive(Clone, Copy, Debug)]
pub struct Inputs<'a> {
    /// `[N, V]`: f32, bf16 or f16; f64 for figures in f64.
    pub logits: Floats<'a>,
    /// Bias and row temperatures.
    pub transform: TransformInputs<'a>,
    /// Targets and mask.
    pub rows: Rows<'a>,
    /// Arrays of the row loss.
    pub row_loss: RowLossInputs<'a>,
    /// The columns of [`Figures::extra_logprobs`].
    pub extra_ids: Option<ExtraIds<'a>>,
}
impl<'a> Inputs<'a> {
    /// Without row loss and extra columns.
    pub fn new(logits: Floats<'a>, transform: TransformInputs<'a>, rows: Rows<'a>) -> Inputs<'a> {
        Inputs { logits, transform, rows, row_loss: RowLossInputs::default(), extra_ids: None }
    }
}
/// What the backward reads besides the logits, which stand in [`Grad`].
#[derive(Clone, Copy, Debug, Default)]
pub struct BackwardInputs<'a> {
    /// Bias and row temperatures.
    pub transform: TransformInputs<'a>,
    /// Targets and mask.
    pub rows: Rows<'a>,
    /// Arrays of the row loss.
    pub row_loss: RowLossInputs<'a>,
}
/// Logits `[N, V]` and where their gradient goes: the logits' own type or f32.
#[derive(Debug)]
pub enum Grad<'a> {
    /// Reads the logits, writes the gradient elsewhere.
    Separate(Floats<'a>, FloatsMut<'a>),
    /// Overwrites the logits with their gradient.
    InPlace(FloatsMut<'a>),
    /// Reads the logits only: the gradient of the bias alone is wanted.
    Absent(Floats<'a>),
}
impl Grad<'_> {
    /// The logits.
    pub fn logits(&self) -> Floats<'_> {
        match self {
            Grad::Separate(z, _) | Grad::Absent(z) => *z,
            Grad::InPlace(z) => z.view(),
        }
    }
    fn reborrow(&mut self) -> Grad<'_> {
        match self {
            Grad::Separate(z, g) => Grad::Separate(*z, g.reborrow()),
            Grad::InPlace(z) => Grad::InPlace(z.reborrow()),
            Grad::Absent(z) => Grad::Absent(*z),
        }
    }
}
/// What a forward writes about all rows together.
#[derive(Debug, Default)]
pub struct Totals<'a> {
    /// One number, f32 or f64: the row losses after their reduction, summed in f64 in the order of the rows; 0 if no row
    /// counts.
    pub loss: Option<FloatsMut<'a>>,
    /// How many rows have each status bit; `EMPTY` if no row counts for the loss.
    pub counters: Option<&'a mut [i64; row::BITS]>,
}
/// The gradient of the reduced loss.
#[derive(Debug)]
pub struct Fused<'a, F = f32> {
    /// Logits and the place of their gradient.
    pub grad: Grad<'a>,
    /// `[V]`: gradient of the bias.
    pub bias: Option<MatrixMut<'a, F>>,
    /// Gradient of the loss.
    pub upstream: f64,
    /// Host factor on it.
    pub scale: f64,
}

/// Runs `$run` with the logits and the place of their gradient as the [`Pair`] `$pair`; not where no gradient is wanted.
macro_rules! with_pair {
    ($grad:expr, $pair:ident => $run:expr) => {{
        macro_rules! apart {
            ($z:expr, $g:expr) => {{
                let $pair = Apart { z: $z, first: 0, g: $g };
                $run
            }};
        }
        macro_rules! same {
            ($g:expr) => {{
                let $pair = Same($g);
                $run
            }};
        }
        match $grad {
            Grad::Separate(Floats::F32(z), FloatsMut::F32(g)) => apart!(z, g),
            Grad::Separate(Floats::Bf16(z), FloatsMut::Bf16(g)) => apart!(z, g),
            Grad::Separate(Floats::Bf16(z), FloatsMut::F32(g)) => apart!(z, g),
            Grad::Separate(Floats::F16(z), FloatsMut::F16(g)) => apart!(z, g),
            Grad::Separate(Floats::F16(z), FloatsMut::F32(g)) => apart!(z, g),
            Grad::InPlace(FloatsMut::F32(g)) => same!(g),
            Grad::InPlace(FloatsMut::Bf16(g)) => same!(g),
            Grad::InPlace(FloatsMut::F16(g)) => same!(g),
            // not wanted, or refused
            Grad::Absent(_) | Grad::Separate(..) | Grad::InPlace(FloatsMut::F64(_)) => {}
        }
    }};
}
pub(crate) mod extra;
mod fast;
mod over;
pub(crate) mod shard;
pub use over::{Over, backward_over, forward_over, forward_over_fused, over_fused_workspace, over_workspace};
pub(crate) use shard::check_starts;
pub(crate) use shard::load;
pub use shard::{Finish, Local, LocalPass, finish, finish_workspace, local, local_workspace};

/// Elements that are worth a task.
const GRAIN: usize = 1 << 16;
/// Bytes of a gradient from which on it goes past the cache: nobody finds it there any more.
pub(crate) const CACHE: usize = 16 << 20;

fn grain(problem: &Problem) -> usize {
    (GRAIN / problem.vocab().max(1)).max(1)
}
pub(crate) fn refuse(field: &'static str, got: Dtype, expected: &'static str) -> Error {
    Error::new(Status::UnsupportedDtype, field, Value::Dtype(got), Value::Text(expected))
}
pub(crate) fn no_target(expected: &'static str) -> Error {
    Error::invalid("rows.target", Value::Text("NULL"), Value::Text(expected))
}

/// Bytes of workspace of [`forward_loss`]; `loss`: it is asked for.
pub fn forward_workspace(problem: &Problem, loss: bool) -> Workspace {
    let bytes = if loss { Arena::need::<f64>(problem.rows()) } else { 0 };
    Workspace { minimum: bytes, preferred: bytes }
}
/// Bytes of workspace of [`forward_fused`]; `loss`, `stats`: they are outputs.
pub fn fused_workspace<F: RowFloat>(problem: &Problem, loss: bool, stats: bool) -> Workspace {
    let bytes = Arena::sum([forward_workspace(problem, loss).minimum, stats_bytes::<F>(problem, !stats)]);
    Workspace { minimum: bytes, preferred: bytes }
}
/// Bytes of workspace of [`backward_bias`]; `stats`: they are given, `bias`: its gradient is asked for.
pub fn backward_workspace<F: RowFloat>(problem: &Problem, stats: bool, bias: bool) -> Workspace {
    let bytes = stats_bytes::<F>(problem, bias && !stats);
    Workspace { minimum: bytes, preferred: bytes }
}
fn stats_bytes<F: RowFloat>(problem: &Problem, needed: bool) -> usize {
    if needed { Arena::need::<F>(problem.rows().saturating_mul(STATS)) } else { 0 }
}

/// What a row is computed in: f32, and f64 for f64 logits.
pub trait Rowed: sealed::Rows {}
impl Rowed for f32 {}
impl Rowed for f64 {}
mod sealed {
    use super::*;
    /// The kernels of a type; shapes and types have been checked.
    #[allow(private_interfaces)] // nothing of it can be named outside
    pub trait Rows: RowFloat + Sync {
        /// Whether logits of this type are computed in it.
        fn takes(dtype: Dtype) -> bool;
        /// [`super::forward`] over the rows.
        fn forward(context: &Context, job: Job<'_>, z: Floats<'_>, out: Places<'_, Self>, needs: Wants);
        /// [`super::backward`] over the rows.
        fn backward(context: &Context, back: Back<'_, Self>, grad: Grad<'_>, status: Option<MatrixMut<'_, u32>>);
        /// Both: the gradient of a few rows is made while their logits are in a cache. `back` has no statistics yet; the
        /// forward writes them.
        fn fused(context: &Context, back: Back<'_, Self>, grad: Grad<'_>, out: Places<'_, Self>, wants: Wants);
        /// The gradient of the bias over the columns.
        fn bias(context: &Context, back: Back<'_, Self>, z: Floats<'_>, out: MatrixMut<'_, Self>);
    }
}
/// Figures, losses and where the status bits are counted.
type Places<'a, F> = (Figures<'a, F>, Losses<'a>);
pub(crate) type Losses<'a> = (Option<MatrixMut<'a, f64>>, Counted<'a>);
#[derive(Clone, Copy)]
pub(crate) struct Counted<'a>(pub(crate) &'a Counters);
impl Split for Counted<'_> {
    fn split(self, _: usize) -> (Self, Self) {
        (self, self)
    }
}
/// What the rows of a forward are read for.
#[derive(Clone, Copy)]
struct Wants {
    /// u and q1. They are left out where nothing needs them; the other sums have the same bits either way.
    all: bool,
    /// k.
    column: bool,
    more: Needs,
    loss: bool,
}
impl Wants {
    fn new<F: RowFloat>(problem: &Problem, out: &Figures<'_, F>, loss: bool) -> Wants {
        let column = out.argmax.is_some() || out.is_top1.is_some() || out.stats.is_some();
        Wants { all: Wants::all(out), column, more: Needs::figures(problem, out, loss), loss }
    }
    fn all<F: RowFloat>(out: &Figures<'_, F>) -> bool {
        out.entropy.is_some() || out.log_sum_sq.is_some() || out.stats.is_some()
    }
}

/// Writes the figures that `out` asks for. Errors: shapes, element types, targets and extra ids out of range, temperatures
/// and biases that are not finite (`-inf` is a legal bias), arrays of the row loss outside their ranges; nothing is written
/// then.
pub fn forward<F: Rowed>(context: &Context, problem: &Problem, inputs: Inputs<'_>, out: Figures<'_, F>) -> Result<()> {
    forward_loss(context, problem, inputs, out, Totals::default(), &mut [])
}
/// [`forward`] with what all rows have together.
pub fn forward_loss<F: Rowed>(
    context: &Context,
    problem: &Problem,
    inputs: Inputs<'_>,
    out: Figures<'_, F>,
    totals: Totals<'_>,
    workspace: &mut [u8],
) -> Result<()> {
    check_forward(problem, &inputs, &out, &totals)?;
    check_space(workspace, forward_workspace(problem, totals.loss.is_some()))?;
    let job = Job::new(problem, inputs.transform, inputs.rows, inputs.row_loss, inputs.extra_ids).of(context);
    run_forward(context, job, inputs.logits, out, totals, &mut Arena::new(workspace))
}
/// [`forward_loss`], then the gradient of the reduced loss: what [`backward`] gives for `upstream.loss`.
#[allow(clippy::too_many_arguments)]
pub fn forward_fused<F: Rowed>(
    context: &Context,
    problem: &Problem,
    inputs: BackwardInputs<'_>,
    extra_ids: Option<ExtraIds<'_>>,
    mut out: Figures<'_, F>,
    totals: Totals<'_>,
    mut fused: Fused<'_, F>,
    workspace: &mut [u8],
) -> Result<()> {
    let BackwardInputs { transform, rows, row_loss } = inputs;
    let forward = Inputs { logits: fused.grad.logits(), transform, rows, row_loss, extra_ids };
    check_forward(problem, &forward, &out, &totals)?;
    let upstream = Upstream { loss: Some(fused.upstream), scale: fused.scale, ..Upstream::default() };
    check_backward(problem, &inputs, None, &upstream, &fused.grad, fused.bias.as_ref(), None)?;
    check_space(workspace, fused_workspace::<F>(problem, totals.loss.is_some(), out.stats.is_some()))?;
    let mut arena = Arena::new(workspace);
    let all = Wants::all(&out);
    let mut stats = match out.stats.take() {
        Some(m) => m,
        None => MatrixMut::contiguous(arena.take(problem.rows() * STATS)?, problem.rows(), STATS)?,
    };
    let out = Figures { stats: Some(stats.reborrow()), ..out };
    let job = Job::new(problem, transform, rows, row_loss, extra_ids).of(context);
    if fused.bias.is_some() || F::DTYPE == Dtype::F64 || few(context, problem) {
        run_forward(context, job, fused.grad.logits(), out, totals, &mut arena)?;
        return run_backward(
            context,
            job,
            Some(stats.view()),
            upstream,
            fused.grad,
            fused.bias.take(),
            None,
            &mut arena,
        );
    }
    let loss = totals.loss.is_some();
    let wants = Wants { all, ..Wants::new(problem, &out, loss) };
    let losses = if loss { Some(arena.take(problem.rows())?) } else { None };
    let upstream = Upstream { loss: job.divided(upstream.loss), ..upstream };
    let back = Back { job, stats: None, from: 0, upstream, stream: false };
    add_up(job, totals, losses, |places| F::fused(context, back, fused.grad, (out, places), wants));
    Ok(())
}

/// Writes d/d logits of the figures' upstream gradients:
/// `dz_j = [g_lp (1[j=t] - p_j) + g_lse p_j - g_H p_j (a_j - u/(1+r)) + sum_i g_i (1[j=id_i] - p_j)] dx_j/dz_j`, and that of
/// the row loss (see [`truing_core::row_loss`]).
/// `stats` are those of a forward with the same options; without them the records are computed again, with the same
/// bits. Rows that are ignored, and rows whose target is dead, get 0; rows with a NaN or a `+inf` NaN; padding columns 0.
/// `status` gets the bits of the rows.
pub fn backward<F: Rowed>(
    context: &Context,
    problem: &Problem,
    inputs: BackwardInputs<'_>,
    stats: Option<Matrix<'_, F>>,
    upstream: Upstream<'_, F>,
    grad: Grad<'_>,
    status: Option<MatrixMut<'_, u32>>,
) -> Result<()> {
    backward_bias(context, problem, inputs, stats, upstream, grad, status, None, &mut [])
}
/// [`backward`] with the gradient of the bias `[V]`: the sum over the rows that are not ignored, in their order, in blocks
/// of [`BLOCK`] rows whose sums are added in order; the linear form's rule.
#[allow(clippy::too_many_arguments)]
pub fn backward_bias<F: Rowed>(
    context: &Context,
    problem: &Problem,
    inputs: BackwardInputs<'_>,
    stats: Option<Matrix<'_, F>>,
    upstream: Upstream<'_, F>,
    grad: Grad<'_>,
    status: Option<MatrixMut<'_, u32>>,
    bias: Option<MatrixMut<'_, F>>,
    workspace: &mut [u8],
) -> Result<()> {
    check_backward(problem, &inputs, stats.as_ref(), &upstream, &grad, bias.as_ref(), status.as_ref())?;
    check_space(workspace, backward_workspace::<F>(problem, stats.is_some(), bias.is_some()))?;
    let job = Job::new(problem, inputs.transform, inputs.rows, inputs.row_loss, None).of(context);
    run_backward(context, job, stats, upstream, grad, bias, status, &mut Arena::new(workspace))
}

fn check_forward<F: Rowed>(
    problem: &Problem,
    inputs: &Inputs<'_>,
    out: &Figures<'_, F>,
    totals: &Totals<'_>,
) -> Result<()> {
    inputs.logits.layout().check("logits", problem.rows(), problem.vocab())?;
    check_logits::<F>(inputs.logits.dtype())?;
    if problem.total() != problem.vocab() {
        return Err(Error::invalid("shard.vocab_total", Value::Size(problem.total()), Value::Size(problem.vocab())));
    }
    inputs.transform.check(problem, &inputs.rows)?;
    check_figures(problem, &inputs.rows, &inputs.row_loss, inputs.extra_ids.as_ref(), out, totals)
}
/// The checks of rows and figures that the linear form and shards share.
pub(crate) fn check_figures<F: Rowed>(
    problem: &Problem,
    rows: &Rows<'_>,
    row_loss: &RowLossInputs<'_>,
    extra_ids: Option<&ExtraIds<'_>>,
    out: &Figures<'_, F>,
    totals: &Totals<'_>,
) -> Result<()> {
    out.check(problem.rows(), extra_ids.map(ExtraIds::cols))?;
    if out.needs_target() && rows.target.is_none() {
        return Err(no_target("targets, which out_logprob and the other figures of the target need"));
    }
    let options = &problem.options().row_loss;
    if let Some(loss) = &totals.loss {
        loss.layout().check("figures.out_loss", 1, 1)?;
        if !matches!(loss.dtype(), Dtype::F32 | Dtype::F64) {
            return Err(refuse("figures.out_loss", loss.dtype(), "f32 or f64"));
        }
        options.check_reduces("figures.out_loss")?;
        if rows.target.is_none() {
            return Err(no_target("targets, which out_loss needs"));
        }
    }
    if options.scales() && rows.target.is_none() {
        return Err(no_target("targets, which row_loss.token_scaling needs"));
    }
    rows.check(problem)?;
    row_loss.check(problem, rows)?;
    extra_ids.map_or(Ok(()), |ids| ids.check("figures.extra_ids", problem, rows))
}
fn check_logits<F: Rowed>(dtype: Dtype) -> Result<()> {
    match (F::DTYPE, F::takes(dtype)) {
        (_, true) => Ok(()),
        (Dtype::F32, _) => Err(refuse("logits", dtype, "f32, bf16 or f16")),
        _ => Err(refuse("logits", dtype, "f64")),
    }
}
fn check_backward<F: Rowed>(
    problem: &Problem,
    inputs: &BackwardInputs<'_>,
    stats: Option<&Matrix<'_, F>>,
    upstream: &Upstream<'_, F>,
    grad: &Grad<'_>,
    bias: Option<&MatrixMut<'_, F>>,
    status: Option<&MatrixMut<'_, u32>>,
) -> Result<()> {
    let (n, v) = (problem.rows(), problem.vocab());
    let z = grad.logits();
    z.layout().check("logits", n, v)?;
    check_logits::<F>(z.dtype())?;
    if let Grad::Separate(_, g) = grad {
        g.layout().check("grad_logits", n, v)?;
        if g.dtype() != z.dtype() && g.dtype() != F::DTYPE {
            return Err(refuse("grad_logits", g.dtype(), "the type of the logits or f32"));
        }
    }
    if let Some(s) = status {
        s.layout().check("out_status", n, 1)?;
    }
    if let Some(b) = bias {
        b.layout().check("grad_bias_out", v, 1)?;
    }
    if problem.total() != v && z.dtype() == Dtype::F64 {
        return Err(refuse("logits", Dtype::F64, "f32, bf16 or f16 in a shard"));
    }
    check_upstream(problem, inputs, stats, upstream)
}
/// The checks of a backward that the linear form shares.
pub(crate) fn check_upstream<F: Rowed>(
    problem: &Problem,
    inputs: &BackwardInputs<'_>,
    stats: Option<&Matrix<'_, F>>,
    upstream: &Upstream<'_, F>,
) -> Result<()> {
    if let Some(s) = stats {
        s.layout().check("stats", problem.rows(), STATS)?;
    } else if problem.total() != problem.vocab() {
        let expected = Value::Text("the statistics of finish: a shard alone cannot compute them");
        return Err(Error::invalid("stats", Value::Text("none"), expected));
    }
    upstream.check(problem.rows())?;
    if let (Some(expected), None) = (upstream.needs_target(), inputs.rows.target) {
        return Err(no_target(expected));
    }
    if upstream.loss.is_some() {
        problem.options().row_loss.check_reduces("upstream.grad_loss")?;
    }
    inputs.rows.check(problem)?;
    inputs.transform.check(problem, &inputs.rows)?;
    inputs.row_loss.check(problem, &inputs.rows)?;
    upstream.extra_ids.map_or(Ok(()), |ids| ids.check("upstream.extra_ids", problem, &inputs.rows))
}

/// The forward of checked inputs.
fn run_forward<F: Rowed>(
    context: &Context,
    job: Job<'_>,
    z: Floats<'_>,
    out: Figures<'_, F>,
    totals: Totals<'_>,
    arena: &mut Arena<'_>,
) -> Result<()> {
    let loss = totals.loss.is_some();
    let wants = Wants::new(job.problem, &out, loss);
    let losses = if loss { Some(arena.take(job.problem.rows())?) } else { None };
    add_up(job, totals, losses, |places| F::forward(context, job, z, (out, places), wants));
    Ok(())
}
/// Writes what the rows, which `go` goes through, have together.
pub(crate) fn add_up<R>(
    job: Job<'_>,
    totals: Totals<'_>,
    losses: Option<&mut [f64]>,
    go: impl FnOnce(Losses<'_>) -> R,
) -> R {
    let (counters, n) = (Counters::new(), job.problem.rows());
    let mut losses = losses.map(MatrixMut::vector);
    let result = go((losses.as_mut().map(MatrixMut::reborrow), Counted(&counters)));
    if let (Some(mut place), Some(losses)) = (totals.loss, losses) {
        let divisor = job.divisor();
        // rows that do not count hold 0
        let sum = (0..n).fold(0.0, |sum, i| sum + losses.get(i));
        let value = divisor.map_or(0.0, |z| sum / z);
        place.set(0, value);
        counters.add(overflow(value, &place) | if divisor.is_none() { row::EMPTY } else { 0 });
    }
    counters.write(totals.counters);
    result
}
/// The backward of checked inputs.
#[allow(clippy::too_many_arguments)]
fn run_backward<F: Rowed>(
    context: &Context,
    job: Job<'_>,
    stats: Option<Matrix<'_, F>>,
    mut upstream: Upstream<'_, F>,
    mut grad: Grad<'_>,
    bias: Option<MatrixMut<'_, F>>,
    status: Option<MatrixMut<'_, u32>>,
    arena: &mut Arena<'_>,
) -> Result<()> {
    upstream.loss = job.divided(upstream.loss);
    let mut back = Back { job, stats, from: 0, upstream, stream: false };
    let mut own;
    if let Some(bias) = bias {
        if stats.is_none() {
            let n = job.problem.rows();
            own = MatrixMut::contiguous(arena.take(n * STATS)?, n, STATS)?;
            let out = Figures { stats: Some(own.reborrow()), ..Figures::default() };
            run_forward(context, job, grad.logits(), out, Totals::default(), arena)?;
            back.stats = Some(own.view());
        }
        F::bias(context, back, grad.logits(), bias);
    }
    F::backward(context, back, grad.reborrow(), status);
    Ok(())
}
#[allow(private_interfaces)]
impl sealed::Rows for f32 {
    fn takes(dtype: Dtype) -> bool {
        matches!(dtype, Dtype::F32 | Dtype::Bf16 | Dtype::F16)
    }
    fn forward(context: &Context, job: Job<'_>, z: Floats<'_>, out: Places<'_, f32>, wants: Wants) {
        match z {
            Floats::F32(z) => forward_of(context, job, z, out, wants),
            Floats::Bf16(z) => forward_of(context, job, z, out, wants),
            Floats::F16(z) => forward_of(context, job, z, out, wants),
            // refused
            Floats::F64(_) => {}
        }
    }
    fn backward(context: &Context, back: Back<'_, f32>, grad: Grad<'_>, status: Option<MatrixMut<'_, u32>>) {
        with_pair!(grad, pair => backward_of(context, back, pair, status))
    }
    fn fused(context: &Context, back: Back<'_, f32>, grad: Grad<'_>, out: Places<'_, f32>, wants: Wants) {
        with_pair!(grad, pair => fused_of(context, back, pair, out, wants))
    }
    fn bias(context: &Context, back: Back<'_, f32>, z: Floats<'_>, out: MatrixMut<'_, f32>) {
        match z {
            Floats::F32(z) => extra::bias_of(context, back, z, None, out),
            Floats::Bf16(z) => extra::bias_of(context, back, z, None, out),
            Floats::F16(z) => extra::bias_of(context, back, z, None, out),
            Floats::F64(_) => {}
        }
    }
}
#[allow(private_interfaces)]
impl sealed::Rows for f64 {
    fn takes(dtype: Dtype) -> bool {
        dtype == Dtype::F64
    }
    fn forward(context: &Context, job: Job<'_>, z: Floats<'_>, out: Places<'_, f64>, wants: Wants) {
        if let Floats::F64(z) = z {
            context.rows(job.problem.rows(), grain(job.problem), out, |first, n, out| {
                forward_scalar(&job, &|i| z.row(i), first, n, out, wants)
            });
        }
    }
    fn backward(context: &Context, back: Back<'_, f64>, grad: Grad<'_>, status: Option<MatrixMut<'_, u32>>) {
        let pair = match grad {
            Grad::Separate(Floats::F64(z), FloatsMut::F64(g)) => Double::Apart(Apart { z, first: 0, g }),
            Grad::InPlace(FloatsMut::F64(g)) => Double::Same(g),
            _ => return,
        };
        let problem = back.job.problem;
        context.rows(problem.rows(), grain(problem), (pair, status), |first, n, (pair, status)| {
            backward_scalar(&back, first, n, pair, status)
        });
    }
    fn fused(_: &Context, _: Back<'_, f64>, _: Grad<'_>, _: Places<'_, f64>, _: Wants) {
        unreachable!("f64 rows run forward and backward one after the other")
    }
    fn bias(context: &Context, back: Back<'_, f64>, z: Floats<'_>, out: MatrixMut<'_, f64>) {
        if let Floats::F64(z) = z {
            context.rows(out.rows(), BLOCK, out, |first, n, out| extra::bias_scalar(&back, &z, None, first, n, out));
        }
    }
}

/// What both directions read besides the logits.
#[derive(Clone, Copy)]
pub(crate) struct Job<'a> {
    pub(crate) problem: &'a Problem,
    pub(crate) transform: TransformInputs<'a>,
    pub(crate) rows: Rows<'a>,
    pub(crate) inputs: RowInputs<'a>,
    /// How whole rows are summed up.
    pub(crate) mode: Mode,
}
impl<'a> Job<'a> {
    pub(crate) fn new(
        problem: &'a Problem,
        transform: TransformInputs<'a>,
        rows: Rows<'a>,
        row_loss: RowLossInputs<'a>,
        extra_ids: Option<ExtraIds<'a>>,
    ) -> Self {
        Job { problem, transform, rows, inputs: RowInputs { problem, row_loss, extra_ids }, mode: Mode::Portable }
    }
    /// In the mode of a context.
    fn of(self, context: &Context) -> Self {
        Job { mode: context.mode(), ..self }
    }
    #[inline(always)]
    pub(crate) fn target(&self, i: usize) -> Target {
        self.rows.target(i, self.problem.options())
    }
    /// Where the target lies among the columns at hand that can be live.
    #[inline(always)]
    pub(crate) fn local(&self, target: Target) -> Option<usize> {
        if let Target::Column(y) = target { self.problem.local(y) } else { None }
    }
    #[inline(always)]
    pub(crate) fn row<'b, T, F: RowFloat>(&'b self, i: usize, z: &'b [T]) -> LogitRow<'b, T, F> {
        let transform = self.transform.row(self.problem, i);
        LogitRow { z: &z[..self.problem.valid()], bias: self.transform.bias, transform }
    }
    /// What the reduction divides by.
    fn divisor(&self) -> Option<f64> {
        self.problem.options().row_loss.divisor(self.problem, &self.rows, self.class_weight())
    }
    /// The gradient of the sum of the losses from that of the reduced loss.
    pub(crate) fn divided(&self, loss: Option<f64>) -> Option<f64> {
        loss.map(|g| self.divisor().map_or(0.0, |z| g / z))
    }
    pub(crate) fn class_weight(&self) -> Option<&Floats<'a>> {
        self.inputs.row_loss.class_weight.as_ref()
    }
    /// What a pass over a row looks for; `y` is the target, if it is a column at hand, `xy` its logit where the row's own is
    /// not what counts.
    fn seek<'b, T: Float, F: RowFloat>(
        &self,
        row: &LogitRow<'_, T, F>,
        y: Option<usize>,
        xy: Option<F>,
        needs: Needs,
        found: &'b mut Found<F>,
    ) -> Seek<'b, F>
    where
        'a: 'b,
    {
        found.start(&needs);
        Seek {
            needs,
            class_weight: self.class_weight().copied(),
            target: y.map_or(usize::MAX, |y| self.problem.start() + y),
            xy: xy.unwrap_or_else(|| y.map_or(F::NEG_INF, |y| row.column(y))),
            found,
        }
    }
}
/// Whether a row's logits are used as they are.
#[inline(always)]
fn plain<T>(row: &LogitRow<'_, T>) -> bool {
    row.bias.is_none() && row.transform == RowTransform::Plain
}

/// Buffers of a task, each on cache lines of its own.
#[repr(C, align(64))]
pub(crate) struct Scratch<T> {
    /// A block of transformed logits, or of their gradient.
    pub(crate) x: Block,
    /// The slope of the transform at them.
    slope: Block,
    /// The biases of a block.
    bias: Block,
    /// The class weights of a block.
    pub(crate) weight: Block,
    /// The ragged last block, padded with `-inf`.
    last: [[T; 32]; BLOCK / 32],
    /// Where the logits end, for prefetches.
    end: usize,
}
pub(crate) type Block = [[f32; 32]; BLOCK / 32];
impl<T: Cell> Scratch<T> {
    #[inline(always)]
    pub(crate) fn new(end: *const T) -> Self {
        let zero = [[0.0; 32]; BLOCK / 32];
        let last = [[T::NEG_INF; 32]; BLOCK / 32];
        Scratch { last, x: zero, slope: zero, bias: zero, weight: zero, end: end.addr() }
    }
}

fn forward_of<T: Cell>(context: &Context, job: Job<'_>, z: Matrix<'_, T>, out: Places<'_, f32>, wants: Wants) {
    let isa = context.isa();
    if !wants.more.any() && job.transform.bias.is_none() && job.mode == Mode::Portable && few(context, job.problem) {
        return forward_parts(context, &job, z, out, wants);
    }
    context.rows(job.problem.rows(), grain(job.problem), out, |first, n, out| {
        let mut scratch = Scratch::new(z.data().as_ptr_range().end);
        forward_piece(isa, &job, &|i| z.row(i), first, n, out, wants, &mut scratch)
    });
}
/// Columns that are worth a task where rows are few.
const PART: usize = 8 * BLOCK;
/// Most parts of a row.
const PARTS: usize = 64;
/// Columns of a part of a row of so many.
fn part(columns: usize) -> usize {
    let mut part = PART;
    while part * PARTS < columns {
        part *= 2;
    }
    part
}
/// Whether there are so few rows that more threads work where the parts of one go side by side than where whole rows do.
fn few(context: &Context, problem: &Problem) -> bool {
    2 * problem.rows() <= context.threads().min(problem.valid().div_ceil(part(problem.valid())))
}
/// Rows one after the other, each in parts side by side.
fn forward_parts<T: Cell>(context: &Context, job: &Job<'_>, z: Matrix<'_, T>, mut out: Places<'_, f32>, wants: Wants) {
    let found = Found::default();
    for i in 0..job.problem.rows() {
        let (target, row) = (job.target(i), job.row(i, z.row(i)));
        let record = match target {
            Target::Ignored => Record::EMPTY.conclude(target),
            _ => row.conclude(record_in_parts(context, &row, wants.all, wants.column), target),
        };
        settle_forward(job, &record, target, &found, &row, &mut out, (i, i), wants.loss);
    }
}
/// The record of a row without a bias in `portable`: whole nodes of its tree side by side, and so the same bits.
fn record_in_parts<T: Cell>(context: &Context, row: &LogitRow<'_, T>, all: bool, column: bool) -> Record {
    let (isa, columns) = (context.isa(), part(row.z.len()));
    let (n, mut parts) = (row.z.len().div_ceil(columns), [[0.0; STATS]; PARTS]);
    let places = MatrixMut::contiguous(parts[..n].as_flattened_mut(), n, STATS).expect("of this shape");
    context.rows(n, 1, places, |first, n, mut places| {
        let mut scratch = Scratch::new(row.z.as_ptr_range().end);
        for j in 0..n {
            let at = (first + j) * columns;
            let part = LogitRow { z: &row.z[at..row.z.len().min(at + columns)], ..*row };
            let x = whole_record(isa, &part, &mut scratch, Mode::Portable, all, column);
            places.row_mut(j).copy_from_slice(&Record { k: x.k + at as u32, ..x }.pack_part());
        }
    });
    let mut tree = Tree::new();
    for part in &parts[..n] {
        tree.push_run(Record::unpack_part(part), (columns / BLOCK).trailing_zeros());
    }
    tree.finish()
}
/// The record of all columns at hand.
#[inline(never)]
fn whole_record<T: Cell>(
    isa: Isa,
    row: &LogitRow<'_, T>,
    scratch: &mut Scratch<T>,
    mode: Mode,
    all: bool,
    column: bool,
) -> Record {
    on_lanes!(
        isa,
        s => sums(s, row, scratch, mode, all, column),
        row.sums(0, |_| true, &mut Seek::nothing(&mut Found::default())).0
    )
}
/// `n` rows from `first` on; `z` gives the logits of a row of the batch.
#[inline(never)]
fn forward_piece<'z, T: Cell>(
    isa: Isa,
    job: &Job<'_>,
    z: &dyn Fn(usize) -> &'z [T],
    first: usize,
    n: usize,
    out: Places<'_, f32>,
    wants: Wants,
    scratch: &mut Scratch<T>,
) {
    on_lanes!(
        isa,
        s => forward_rows(s, job, z, first, n, out, wants, scratch),
        forward_scalar(job, z, first, n, out, wants)
    )
}
/// Bytes of logits that are still in the second cache when their gradient is made.
const NEAR: usize = 1 << 18;
/// Most rows whose statistics are kept between the two.
const ROWS: usize = 64;
fn fused_of<P: Pair>(context: &Context, mut back: Back<'_, f32>, pair: P, out: Places<'_, f32>, wants: Wants) {
    let (isa, problem) = (context.isa(), back.job.problem);
    back.stream = large::<P::G>(problem);
    let few = (NEAR / problem.vocab().saturating_mul(size_of::<P::Z>()).max(1)).clamp(1, ROWS);
    context.rows(problem.rows(), grain(problem), (out, pair), |mut first, mut n, mut rest| {
        let (mut scratch, mut kept) = (Scratch::new(rest.1.end()), [[0.0; STATS]; ROWS]);
        while n > 0 {
            let k = few.min(n);
            let (((figures, places), pair), behind) = rest.split(k);
            let mut stats = figures.stats.expect("the forward writes them");
            let out = (Figures { stats: Some(stats.reborrow()), ..figures }, places);
            forward_piece(isa, &back.job, &|i| Pair::logits(&pair, i - first), first, k, out, wants, &mut scratch);
            for (i, kept) in kept[..k].iter_mut().enumerate() {
                kept.copy_from_slice(stats.row(i));
            }
            let stats = Matrix::contiguous(kept[..k].as_flattened(), k, STATS).expect("of this shape");
            let back = Back { stats: Some(stats), from: first, ..back };
            backward_piece(isa, &back, first, k, pair, None, &mut scratch);
            (first, n, rest) = (first + k, n - k, behind);
        }
    });
}
fn forward_scalar<'z, T: Float + 'z, F: RowFloat>(
    job: &Job<'_>,
    z: &dyn Fn(usize) -> &'z [T],
    first: usize,
    n: usize,
    out: Places<'_, F>,
    wants: Wants,
) {
    let (mut found, mut out) = (Found::default(), out);
    for i in 0..n {
        let (target, row) = (job.target(first + i), job.row(first + i, z(first + i)));
        let record = match target {
            Target::Ignored => {
                found.start(&Needs::default());
                Record::EMPTY.conclude(target)
            }
            _ => row.scan(target, &mut job.seek(&row, job.local(target), None, wants.more, &mut found)),
        };
        settle_forward(job, &record, target, &found, &row, &mut out, (first + i, i), wants.loss);
    }
}
/// Writes what a row's record and the rest that was found say.
#[allow(clippy::too_many_arguments)]
fn settle_forward<T: Float, F: RowFloat>(
    job: &Job<'_>,
    record: &Record<F>,
    target: Target,
    found: &Found<F>,
    row: &LogitRow<'_, T, F>,
    (figures, (losses, Counted(counters))): &mut Places<'_, F>,
    (at, i): (usize, usize),
    loss: bool,
) {
    let value = job.inputs.write(record, target, found, &|_, j| row.column(j), figures, (at, i), loss);
    if let Some(m) = losses {
        m.set(i, value);
    }
    counters.add(record.flags);
}
#[inline(always)]
fn forward_rows<'z, S: Sixteen, T: Cell>(
    s: S,
    job: &Job<'_>,
    z: &dyn Fn(usize) -> &'z [T],
    first: usize,
    n: usize,
    out: Places<'_, f32>,
    wants: Wants,
    scratch: &mut Scratch<T>,
) {
    let (mut found, mut out) = (Found::default(), out);
    for i in 0..n {
        let (target, row) = (job.target(first + i), job.row(first + i, z(first + i)));
        let record = if target == Target::Ignored {
            found.start(&Needs::default());
            Record::EMPTY.conclude(target)
        } else if wants.more.any() {
            let mut seek = job.seek(&row, job.local(target), None, wants.more, &mut found);
            let (x, _) = extra::pass(s, &row, 0, None, job.mode, &mut seek, scratch);
            row.finish(x, target, &mut found)
        } else {
            row.conclude(sums(s, &row, scratch, job.mode, wants.all, wants.column), target)
        };
        settle_forward(job, &record, target, &found, &row, &mut out, (first + i, i), wants.loss);
    }
}

/// The record of a row without the target; `k` is right only with `column`. Compiled once for an instruction set and a
/// type: both directions call it.
#[inline(never)]
fn sums<S: Sixteen, T: Cell>(
    s: S,
    row: &LogitRow<'_, T>,
    scratch: &mut Scratch<T>,
    mode: Mode,
    all: bool,
    column: bool,
) -> Record {
    s.enter(
        #[inline(always)]
        || {
            // as RowTransform::apply: such a factor takes an infinity to itself
            let factor = match row.transform {
                _ if row.bias.is_some() => None,
                RowTransform::Plain => Some(1.0),
                RowTransform::Scale(a) if a.is_normal() => Some(a),
                _ => None,
            };
            let Some(a) = factor else { return read_transformed(s, row, scratch, mode, all) };
            let (plain, fast) = (row.transform == RowTransform::Plain, mode == Mode::Fast);
            let x = match (plain, all) {
                (true, true) => read::<S, T, true, false>(s, row.z, 1.0, fast, scratch),
                (true, false) => read::<S, T, false, false>(s, row.z, 1.0, fast, scratch),
                (false, _) => read::<S, T, true, true>(s, row.z, a, fast, scratch),
            };
            if column && x.m.abs() < f32::INFINITY { find(s, row.z, a, x) } else { x }
        },
    )
}
/// SCALED: of the columns times `a`. Rounding keeps their order, so that their maximum is that of the raw ones times `a`.
/// `fast`: in that mode, if it takes the row.
#[inline(always)]
fn read<S: Sixteen, T: Cell, const ALL: bool, const SCALED: bool>(
    s: S,
    z: &[T],
    a: f32,
    fast: bool,
    scratch: &mut Scratch<T>,
) -> Record {
    if fast && let Some(x) = fast::read::<S, T, ALL, SCALED>(s, z, a, scratch) {
        return x;
    }
    let full = z.len() / BLOCK;
    let last = padded(&z[full * BLOCK..], &mut scratch.last);
    let blocks = z.len().div_ceil(BLOCK);
    let mut tree = Tree::new();
    let mut b: &[[T; 32]] = if full > 0 { z[..BLOCK].as_chunks().0 } else { last };
    let mut m = T::max_new(s);
    for p in b {
        T::max_add(s, &mut m, p);
    }
    for i in 0..blocks {
        let next: &[[T; 32]] = if i + 1 < full {
            z[(i + 1) * BLOCK..(i + 2) * BLOCK].as_chunks().0
        } else if i + 1 < blocks {
            last
        } else {
            &[]
        };
        let top = T::max_get(s, m);
        let top = if SCALED { top * a + 0.0 } else { top };
        let (x, next_max) = block::<S, T, ALL, SCALED>(s, b, top, a, i * BLOCK, next, scratch.end);
        tree.push(x);
        (b, m) = (next, next_max);
    }
    tree.finish()
}
/// The last columns of a row in chunks of 32, where they lie or padded with `-inf`.
#[inline(always)]
fn padded<'a, T: Cell>(tail: &'a [T], last: &'a mut [[T; 32]; BLOCK / 32]) -> &'a [[T; 32]] {
    if tail.len().is_multiple_of(32) {
        return tail.as_chunks().0;
    }
    let padded = tail.len().next_multiple_of(32);
    let flat = last.as_flattened_mut();
    flat[..tail.len()].copy_from_slice(tail);
    flat[tail.len()..padded].fill(T::NEG_INF);
    &last[..padded / 32]
}
/// The sums of a block in the making.
struct Sums<S: Sixteen> {
    r: [V<S>; 2],
    u: [V<S>; 2],
    q: [V<S>; 2],
    /// Columns with the maximum.
    ties: u32,
}
impl<S: Sixteen> Sums<S> {
    /// Takes in N / 2 times 32 columns; vector i belongs to accumulator i % 2.
    #[inline(always)]
    fn add<const ALL: bool, const N: usize>(&mut self, s: S, begun: Begun<S, N>) {
        let terms = Terms::new(s, begun);
        for i in 0..N {
            let j = i % 2;
            self.ties += terms.add::<ALL>(i, &mut self.r[j], &mut self.u[j], &mut self.q[j]).count_ones();
        }
    }
}
/// Starts on 32 columns.
#[inline(always)]
fn begin<S: Sixteen, T: Cell, const SCALED: bool>(s: S, c: &[T; 32], (m, a): (V<S>, V<S>)) -> Begun<S, 2> {
    let z = T::take(s, c);
    Begun::new(s, if SCALED { [z[0] * a, z[1] * a] } else { z }, m)
}
/// Starts on 64 columns.
#[inline(always)]
fn begin_pair<S: Sixteen, T: Cell, const SCALED: bool>(s: S, c: &[[T; 32]; 2], (m, a): (V<S>, V<S>)) -> Begun<S, 4> {
    let ([z0, z1], [z2, z3]) = (T::take(s, &c[0]), T::take(s, &c[1]));
    Begun::new(s, if SCALED { [z0 * a, z1 * a, z2 * a, z3 * a] } else { [z0, z1, z2, z3] }, m)
}
/// The sums of block `b`, now in L1, and the maximum of `next`, which this brings in and which is no longer. `k` is the
/// block's first column.
#[inline(always)]
fn block<S: Sixteen, T: Cell, const ALL: bool, const SCALED: bool>(
    s: S,
    b: &[[T; 32]],
    m: f32,
    a: f32,
    first: usize,
    next: &[[T; 32]],
    end: usize,
) -> (Record, T::Max<S>) {
    let zero = [splat(s, 0.0); 2];
    let of = (centre(s, splat(s, m)), splat(s, a));
    let mut sums = Sums { r: zero, u: zero, q: zero, ties: 0 };
    let mut next_max = T::max_new(s);
    // The block after the next, which may lie in the next row, its halves side by side: two pages keep memory busier than one.
    let far = 2 * BLOCK;
    let more = inside(b, far, end);
    let none = (&[][..], b, &[][..], next);
    let (pairs, last, next_pairs, next_last) = match (b.as_chunks::<2>(), next.as_chunks::<2>()) {
        ((pairs, last), (next_pairs, next_last)) if S::ROOMY => (pairs, last, next_pairs, next_last),
        _ => none,
    };
    if let Some((pair, rest)) = pairs.split_first() {
        let (front, back) = b.split_at(pairs.len());
        prefetch(&front[0], far, more);
        prefetch(&back[0], far, more);
        let mut begun = begin_pair::<S, T, SCALED>(s, pair, of);
        for (((i, pair), front), back) in rest.iter().enumerate().zip(&front[1..]).zip(&back[1..]) {
            prefetch(front, far, more);
            prefetch(back, far, more);
            if let Some([c, d]) = next_pairs.get(i) {
                T::max_add(s, &mut next_max, c);
                T::max_add(s, &mut next_max, d);
            }
            let following = begin_pair::<S, T, SCALED>(s, pair, of);
            sums.add::<ALL, 4>(s, begun);
            begun = following;
        }
        if let Some([c, d]) = next_pairs.get(rest.len()) {
            T::max_add(s, &mut next_max, c);
            T::max_add(s, &mut next_max, d);
        }
        sums.add::<ALL, 4>(s, begun);
    }
    for (i, c) in last.iter().enumerate() {
        prefetch(half_by_half(b, if S::ROOMY { b.len() - 1 } else { i }), far, more);
        if let Some(c) = next_last.get(i) {
            T::max_add(s, &mut next_max, c);
        }
        sums.add::<ALL, 2>(s, begin::<S, T, SCALED>(s, c, of));
    }
    for c in next_last.iter().skip(last.len()) {
        T::max_add(s, &mut next_max, c);
    }
    let Sums { r, u, q, ties } = sums;
    let (u, q) = if ALL { (T::sum(s, u), T::sum(s, q)) } else { (0.0, 0.0) };
    (record::seal(m, T::sum(s, r), u, q, ties, first), next_max)
}
/// Sets `k`: the first column of the winning block that times `a` is the maximum.
#[inline(always)]
pub(crate) fn find<S: Sixteen, T: Cell>(s: S, z: &[T], a: f32, x: Record) -> Record {
    let first = x.k as usize;
    let b = &z[first..z.len().min(first + BLOCK)];
    let (chunks, rest) = b.as_chunks::<32>();
    let (mv, av) = (splat(s, x.m), splat(s, a));
    for (i, c) in chunks.iter().enumerate() {
        let z = T::load(s, c);
        let hit = (z[0] * av).simd_eq(mv).bits() | (z[1] * av).simd_eq(mv).bits() << 16;
        if hit != 0 {
            return Record { k: (first + 32 * i) as u32 + hit.trailing_zeros(), ..x };
        }
    }
    let mut k = first + 32 * chunks.len();
    for z in rest {
        if z.to_f32() * a == x.m {
            break;
        }
        k += 1;
    }
    Record { k: k as u32, ..x }
}
/// Biases of the columns from `first` on, as f32.
#[inline(always)]
fn widen_bias(bias: &Floats<'_>, first: usize, out: &mut [f32]) {
    #[inline(always)]
    fn go<T: Float>(m: &Matrix<'_, T>, first: usize, out: &mut [f32]) {
        let near = m.layout().outer == 1 && m.layout().inner_stride == 1;
        let data = if near { &m.data()[first..first + out.len()] } else { &[] };
        for (j, x) in out.iter_mut().enumerate() {
            *x = if near { data[j].to_f32() } else { m.get(first + j).to_f32() };
        }
    }
    match bias {
        Floats::F32(m) => go(m, first, out),
        Floats::Bf16(m) => go(m, first, out),
        Floats::F16(m) => go(m, first, out),
        Floats::F64(m) => go(m, first, out),
    }
}
#[inline(never)]
fn read_transformed<S: Sixteen, T: Cell>(
    s: S,
    row: &LogitRow<'_, T>,
    scratch: &mut Scratch<T>,
    mode: Mode,
    all: bool,
) -> Record {
    s.enter(
        #[inline(always)]
        || {
            let mut tree = Tree::new();
            let (mut best, mut fast, mut k) = (f32::NEG_INFINITY, None, 0);
            for first in (0..row.z.len()).step_by(BLOCK) {
                let z = &row.z[first..row.z.len().min(first + BLOCK)];
                let (n, m) = if row.bias.is_some() {
                    let n = widen(s, z, &mut scratch.x, scratch.end);
                    transform(s, row.bias.as_ref(), &row.transform, first, z.len(), scratch.buffers());
                    (n, largest_of(s, &scratch.x[..n]))
                } else {
                    widen_transformed(s, z, &row.transform, &mut scratch.x, scratch.end)
                };
                let b = &scratch.x[..n];
                if mode == Mode::Fast {
                    fast::part(s, &mut fast, row.z.len(), b, m, first);
                    if m > best && m < f32::INFINITY {
                        best = m;
                        k = first as u32 + find(s, b.as_flattened(), 1.0, Record { m, k: 0, ..Record::EMPTY }).k;
                    }
                    continue;
                }
                tree.push(if all {
                    sums_at::<S, true>(s, b, m, first, &mut best)
                } else {
                    sums_at::<S, false>(s, b, m, first, &mut best)
                });
            }
            if mode == Mode::Portable {
                return tree.finish();
            }
            match fast::finish(s, &fast) {
                Some(x) => Record { k, ..x },
                None => read_transformed(s, row, scratch, Mode::Portable, all),
            }
        },
    )
}
/// [`widen`] and [`transform`] without a bias, which keep the core busier in one loop than in two; the block's maximum.
#[inline(always)]
fn widen_transformed<S: Sixteen, T: Cell>(s: S, z: &[T], t: &RowTransform, x: &mut Block, end: usize) -> (usize, f32) {
    match *t {
        RowTransform::Softcap { inner, outer, slope } => {
            widen_by(s, z, RowTransform::Softcap { inner, outer, slope }, x, end)
        }
        // out of the ordinary
        RowTransform::Scale(_) | RowTransform::Plain => {
            let n = widen(s, z, x, end);
            unbiased(s, *t, &mut x[..n]);
            (n, largest_of(s, &x[..n]))
        }
    }
}
#[inline(always)]
fn widen_by<S: Sixteen, T: Cell>(s: S, z: &[T], t: RowTransform, x: &mut Block, end: usize) -> (usize, f32) {
    let mut m = [splat(s, f32::NEG_INFINITY); 2];
    let (chunks, rest) = z.as_chunks::<32>();
    let more = inside(chunks, BLOCK, end);
    let four = if S::ROOMY { chunks.len() / 2 * 2 } else { 0 };
    for (i, (c, x)) in chunks[..four].as_chunks::<2>().0.iter().zip(x.as_chunks_mut::<2>().0).enumerate() {
        prefetch(half_by_half(chunks, 2 * i), BLOCK, more);
        prefetch(half_by_half(chunks, 2 * i + 1), BLOCK, more);
        let ([z0, z1], [z2, z3]) = (T::load(s, &c[0]), T::load(s, &c[1]));
        let Several([z0, z1, z2, z3]) = t.apply(Several([z0, z1, z2, z3]), None);
        m = [m[0].larger(z0).larger(z2), m[1].larger(z1).larger(z3)];
        f32::store(s, [z0, z1], &mut x[0]);
        f32::store(s, [z2, z3], &mut x[1]);
    }
    for (i, (c, x)) in chunks.iter().zip(x.iter_mut()).enumerate().skip(four) {
        prefetch(half_by_half(chunks, i), BLOCK, more);
        apply_into(s, c, t, x, &mut m);
    }
    let mut n = chunks.len();
    if !rest.is_empty() {
        let mut padded = [T::NEG_INF; 32];
        padded[..rest.len()].copy_from_slice(rest);
        apply_into(s, &padded, t, &mut x[n], &mut m);
        n += 1;
    }
    (n, f32::max_get(s, m))
}
#[inline(always)]
fn apply_into<S: Sixteen, T: Cell>(s: S, c: &[T; 32], t: RowTransform, x: &mut [f32; 32], m: &mut [V<S>; 2]) {
    let Several(v) = t.apply(Several(T::load(s, c)), None);
    *m = [m[0].larger(v[0]), m[1].larger(v[1])];
    f32::store(s, v, x);
}
/// The maximum of a block, `+0` if it is a zero.
#[inline(always)]
fn largest_of<S: Sixteen>(s: S, b: &[[f32; 32]]) -> f32 {
    let mut m = f32::max_new(s);
    for p in b {
        f32::max_add(s, &mut m, p);
    }
    f32::max_get(s, m)
}
/// The record of a block in L1; `k` is set where its maximum is above `best`, which it then becomes.
#[inline(never)]
pub(crate) fn sums_of_block<S: Sixteen>(s: S, b: &[[f32; 32]], first: usize, best: &mut f32) -> Record {
    s.enter(
        #[inline(always)]
        || sums_at::<S, true>(s, b, largest_of(s, b), first, best),
    )
}
/// The same of a block with the maximum `m`; ALL: with u and q1.
#[inline(never)]
fn sums_at<S: Sixteen, const ALL: bool>(s: S, b: &[[f32; 32]], m: f32, first: usize, best: &mut f32) -> Record {
    s.enter(
        #[inline(always)]
        || {
            let end = b.as_ptr_range().end.addr();
            let (mut x, _) = block::<S, f32, ALL, false>(s, b, m, 1.0, first, &[], end);
            if x.m > *best {
                *best = x.m;
                if x.m < f32::INFINITY {
                    x.k = first as u32 + find(s, b.as_flattened(), 1.0, Record { k: 0, ..x }).k;
                }
            }
            x
        },
    )
}
/// Widens at most a block, padded with `-inf` to chunks of 32 columns; returns their number.
#[inline(always)]
pub(crate) fn widen<S: Sixteen, T: Cell>(s: S, z: &[T], x: &mut Block, end: usize) -> usize {
    let (chunks, rest) = z.as_chunks::<32>();
    let more = inside(chunks, BLOCK, end);
    for (i, (c, x)) in chunks.iter().zip(x.iter_mut()).enumerate() {
        prefetch(half_by_half(chunks, i), BLOCK, more);
        f32::store(s, T::load(s, c), x);
    }
    if rest.is_empty() {
        return chunks.len();
    }
    let mut padded = [T::NEG_INF; 32];
    padded[..rest.len()].copy_from_slice(rest);
    f32::store(s, T::load(s, &padded), &mut x[chunks.len()]);
    chunks.len() + 1
}
/// Rounds a block of f32 to where it belongs.
#[inline(always)]
pub(crate) fn narrow<S: Sixteen, G: Cell>(s: S, x: &Block, g: &mut [G]) {
    let (chunks, rest) = g.as_chunks_mut::<32>();
    let n = chunks.len();
    for (c, x) in chunks.iter_mut().zip(x) {
        G::store(s, f32::load(s, x), c);
    }
    if !rest.is_empty() {
        let mut last = [G::NEG_INF; 32];
        G::store(s, f32::load(s, &x[n]), &mut last);
        rest.copy_from_slice(&last[..rest.len()]);
    }
}
/// What [`transform`] works on: logits, slopes, biases.
pub(crate) type Buffers<'a> = (&'a mut Block, &'a mut Block, &'a mut Block);
impl<T> Scratch<T> {
    #[inline(always)]
    pub(crate) fn buffers(&mut self) -> Buffers<'_> {
        (&mut self.x, &mut self.slope, &mut self.bias)
    }
}
/// Transforms `n` widened logits from column `first` on in place.
#[inline(never)]
pub(crate) fn transform<S: Sixteen>(
    s: S,
    bias: Option<&Floats<'_>>,
    t: &RowTransform,
    first: usize,
    n: usize,
    (x, _, b): Buffers<'_>,
) {
    s.enter(
        #[inline(always)]
        || {
            if let Some(bias) = bias {
                widen_bias(bias, first, &mut b.as_flattened_mut()[..n]);
            }
            let x = &mut x[..n.div_ceil(32)];
            // a loop each, so that what the options decide is decided outside
            match (bias, *t) {
                (Some(_), t) => {
                    for (x, b) in x.iter_mut().zip(&*b) {
                        let (z, b) = (f32::load(s, x), f32::load(s, b));
                        f32::store(s, t.apply(Several(z), Some(Several(b))).0, x);
                    }
                }
                (None, RowTransform::Plain) => {}
                (None, RowTransform::Scale(a)) => unbiased(s, RowTransform::Scale(a), x),
                (None, RowTransform::Softcap { inner, outer, slope }) => {
                    unbiased(s, RowTransform::Softcap { inner, outer, slope }, x)
                }
            }
        },
    )
}
#[inline(always)]
fn unbiased<S: Sixteen>(s: S, t: RowTransform, x: &mut [[f32; 32]]) {
    for x in x {
        let z = f32::load(s, x);
        f32::store(s, t.apply(Several(z), None).0, x);
    }
}
/// The gradient of a transformed block with respect to its raw logits, in place of the raw logits.
#[inline(never)]
fn gradient<S: Sixteen>(
    s: S,
    bias: Option<&Floats<'_>>,
    t: &RowTransform,
    first: usize,
    n: usize,
    (x, slope, b): Buffers<'_>,
    c: &Columns,
) {
    slopes(s, bias, t, first, n, (&mut *x, &mut *slope, &mut *b));
    transform(s, bias, t, first, n, (&mut *x, &mut *slope, &mut *b));
    s.enter(
        #[inline(always)]
        || {
            let k = Constants::new(s, c);
            for (x, slope) in x[..n.div_ceil(32)].iter_mut().zip(&*slope) {
                let (v, slope) = (f32::load(s, x), f32::load(s, slope));
                let mut dz = k.some(s, v);
                for j in 0..2 {
                    let dead = v[j].simd_eq(splat(s, f32::NEG_INFINITY));
                    dz[j] = dead.select(splat(s, 0.0), dz[j] * slope[j]);
                }
                f32::store(s, dz, x);
            }
        },
    )
}
/// The slopes of `n` raw logits, beside them.
#[inline(never)]
pub(crate) fn slopes<S: Sixteen>(
    s: S,
    bias: Option<&Floats<'_>>,
    t: &RowTransform,
    first: usize,
    n: usize,
    (x, slope, b): Buffers<'_>,
) {
    s.enter(
        #[inline(always)]
        || {
            if let Some(bias) = bias {
                widen_bias(bias, first, &mut b.as_flattened_mut()[..n]);
            }
            for ((x, slope), b) in x[..n.div_ceil(32)].iter().zip(slope).zip(&*b) {
                let (mut v, b) = (f32::load(s, x), f32::load(s, b));
                if bias.is_some() {
                    v = [v[0] + b[0], v[1] + b[1]];
                }
                f32::store(s, t.slope(Several(v)).0, slope);
            }
        },
    )
}

/// Logits and their gradient, row by row.
trait Pair: Split + Send {
    type Z: Cell;
    type G: Cell;
    /// Logits of row `i` of this piece.
    fn logits(&self, i: usize) -> &[Self::Z];
    /// Gradient of row `i` of this piece, to write to.
    fn gradient(&mut self, i: usize) -> &mut [Self::G];
    /// Where the logits end.
    fn end(&self) -> *const Self::Z;
    /// Of a piece of one row the columns below `column` and the others.
    fn cut(self, column: usize) -> (Self, Self);
    /// The gradient of the first `n` columns of row `i` where there is no transform. STREAM: past the cache.
    fn plain<S: Sixteen, const STREAM: bool>(&mut self, s: S, i: usize, n: usize, k: &Constants<S>);
}
/// What the plain form needs of [`Pair`].
trait PlainPair<F>: Split + Send {
    type Z: Float;
    type G: Float;
    /// Logits of row `i` of this piece.
    fn logits(&self, i: usize) -> &[Self::Z];
    /// Gradient of row `i` of this piece, to write to.
    fn gradient(&mut self, i: usize) -> &mut [Self::G];
}
impl<P: Pair> PlainPair<f32> for P {
    type Z = P::Z;
    type G = P::G;
    fn logits(&self, i: usize) -> &[P::Z] {
        Pair::logits(self, i)
    }
    fn gradient(&mut self, i: usize) -> &mut [P::G] {
        Pair::gradient(self, i)
    }
}
/// f64 logits and their gradient.
enum Double<'a> {
    Apart(Apart<'a, f64, f64>),
    Same(MatrixMut<'a, f64>),
}
impl Split for Double<'_> {
    fn split(self, row: usize) -> (Self, Self) {
        match self {
            Double::Apart(x) => {
                let (a, b) = x.split(row);
                (Double::Apart(a), Double::Apart(b))
            }
            Double::Same(x) => {
                let (a, b) = x.split(row);
                (Double::Same(a), Double::Same(b))
            }
        }
    }
}
impl PlainPair<f64> for Double<'_> {
    type Z = f64;
    type G = f64;
    fn logits(&self, i: usize) -> &[f64] {
        match self {
            Double::Apart(x) => x.z.row(x.first + i),
            Double::Same(x) => x.row(i),
        }
    }
    fn gradient(&mut self, i: usize) -> &mut [f64] {
        match self {
            Double::Apart(x) => x.g.row_mut(i),
            Double::Same(x) => x.row_mut(i),
        }
    }
}
struct Apart<'a, T, G> {
    z: Matrix<'a, T>,
    first: usize,
    g: MatrixMut<'a, G>,
}
impl<T: Element, G: Element> Split for Apart<'_, T, G> {
    fn split(self, row: usize) -> (Self, Self) {
        let Apart { z, first, g } = self;
        let (a, b) = g.split(row);
        (Apart { z, first, g: a }, Apart { z, first: first + row, g: b })
    }
}
impl<T: Cell, G: Cell> Pair for Apart<'_, T, G> {
    type Z = T;
    type G = G;
    #[inline(always)]
    fn logits(&self, i: usize) -> &[T] {
        self.z.row(self.first + i)
    }
    #[inline(always)]
    fn gradient(&mut self, i: usize) -> &mut [G] {
        self.g.row_mut(i)
    }
    #[inline(always)]
    fn end(&self) -> *const T {
        self.z.data().as_ptr_range().end
    }
    fn cut(self, column: usize) -> (Self, Self) {
        let (z0, z1) = self.z.row(self.first).split_at(column);
        let [z0, z1] = [z0, z1].map(|z| Matrix::contiguous(z, 1, z.len()).expect("a row"));
        let (g0, g1) = self.g.cut(column);
        (Apart { z: z0, first: 0, g: g0 }, Apart { z: z1, first: 0, g: g1 })
    }
    #[inline(always)]
    fn plain<S: Sixteen, const STREAM: bool>(&mut self, s: S, i: usize, n: usize, k: &Constants<S>) {
        let (end, z, g) = (Pair::end(self).addr(), &self.z.row(self.first + i)[..n], &mut self.g.row_mut(i)[..n]);
        // only whole lines go past the cache
        let head = if STREAM { g.as_ptr().align_offset(64).min(n) } else { 0 };
        let ((z, z_rest), (g, g_rest)) = (z.split_at(head), g.split_at_mut(head));
        k.few(s, z, g);
        let ((a, z_rest), (b, g_rest)) = (z_rest.as_chunks::<32>(), g_rest.as_chunks_mut::<32>());
        let group = pages(size_of::<T>().max(size_of::<G>()));
        for (a, b) in a.chunks(group).zip(b.chunks_mut(group)) {
            let (columns, half) = (32 * a.len(), a.len() / 2);
            let more = inside(a, columns, end);
            let ((a0, a1), (b0, b1)) = (a.split_at(half), b.split_at_mut(half));
            for ((a0, a1), (b0, b1)) in a0.iter().zip(a1).zip(b0.iter_mut().zip(&mut *b1)) {
                prefetch(a0, columns, more);
                prefetch(a1, columns, more);
                let [x, y] = k.both(s, order::<S, T, G>(s, a0), order::<S, T, G>(s, a1));
                G::put::<S, STREAM>(s, x, b0);
                G::put::<S, STREAM>(s, y, b1);
            }
            if let ([.., a], [.., b], 1) = (a1, b1, a.len() % 2) {
                G::put::<S, STREAM>(s, k.some(s, order::<S, T, G>(s, a)), b);
            }
        }
        k.few(s, z_rest, g_rest);
    }
}
/// Chunks of 32 columns in two pages of numbers of `size` bytes. A gradient goes over both side by side: memory is then busier
/// than with one page after the other.
const fn pages(size: usize) -> usize {
    2 * 4096 / (32 * size)
}
/// Logits in the order in which [`Cell::put`] takes their gradient: that of [`Cell::take`] where both are of one type, the
/// only one of its size among those of the gradients; else the natural one, which is that of f32.
#[inline(always)]
fn order<S: Sixteen, T: Cell, G: Cell>(s: S, z: &[T; 32]) -> [V<S>; 2] {
    if size_of::<T>() == size_of::<G>() { T::take(s, z) } else { T::load(s, z) }
}
struct Same<'a, T>(MatrixMut<'a, T>);
impl<T: Element> Split for Same<'_, T> {
    fn split(self, row: usize) -> (Self, Self) {
        let (a, b) = self.0.split(row);
        (Same(a), Same(b))
    }
}
impl<T: Cell> Pair for Same<'_, T> {
    type Z = T;
    type G = T;
    #[inline(always)]
    fn logits(&self, i: usize) -> &[T] {
        self.0.row(i)
    }
    #[inline(always)]
    fn gradient(&mut self, i: usize) -> &mut [T] {
        self.0.row_mut(i)
    }
    #[inline(always)]
    fn end(&self) -> *const T {
        let n = self.0.rows();
        if n == 0 { core::ptr::null() } else { self.0.row(n - 1).as_ptr_range().end }
    }
    fn cut(self, column: usize) -> (Self, Self) {
        let (a, b) = self.0.cut(column);
        (Same(a), Same(b))
    }
    #[inline(always)]
    fn plain<S: Sixteen, const STREAM: bool>(&mut self, s: S, i: usize, n: usize, k: &Constants<S>) {
        let end = Pair::end(self).addr();
        let (a, rest) = self.0.row_mut(i)[..n].as_chunks_mut::<32>();
        for a in a.chunks_mut(pages(size_of::<T>())) {
            let (columns, half, odd) = (32 * a.len(), a.len() / 2, a.len() % 2);
            let more = inside(a, columns, end);
            let (a0, a1) = a.split_at_mut(half);
            for (a0, a1) in a0.iter_mut().zip(&mut *a1) {
                prefetch(a0, columns, more);
                prefetch(a1, columns, more);
                let [x, y] = k.both(s, T::take(s, a0), T::take(s, a1));
                T::put::<S, false>(s, x, a0);
                T::put::<S, false>(s, y, a1);
            }
            if let ([.., a], 1) = (a1, odd) {
                T::put::<S, false>(s, k.some(s, T::take(s, a)), a);
            }
        }
        let mut x = [T::NEG_INF; 32];
        x[..rest.len()].copy_from_slice(rest);
        let dz = k.some(s, T::load(s, &x));
        T::store(s, dz, &mut x);
        rest.copy_from_slice(&x[..rest.len()]);
    }
}

/// [`Columns`] in lanes.
struct Constants<S: Sixteen> {
    m: V<S>,
    c0: V<S>,
    c1: V<S>,
}
impl<S: Sixteen> Constants<S> {
    #[inline(always)]
    fn new(s: S, c: &Columns) -> Self {
        Constants { m: splat(s, c.m), c0: splat(s, c.c0), c1: splat(s, c.c1) }
    }
    /// Of N vectors side by side.
    #[inline(always)]
    fn some<const N: usize>(&self, s: S, x: [V<S>; N]) -> [V<S>; N] {
        let mut d = x;
        for i in 0..N {
            d[i] = x[i] - self.m;
        }
        for i in 0..N {
            d[i] = clamp(s, d[i]);
        }
        let [w, p] = exp_parts(s, d);
        for i in 0..N {
            d[i] = w[i] * p[i] * fma(self.c1, d[i], self.c0);
        }
        d
    }
    /// Of twice 32 columns, side by side where there is room for it.
    #[inline(always)]
    fn both(&self, s: S, a: [V<S>; 2], b: [V<S>; 2]) -> [[V<S>; 2]; 2] {
        if !S::ROOMY {
            return [self.some(s, a), self.some(s, b)];
        }
        let d = self.some(s, [a[0], a[1], b[0], b[1]]);
        [[d[0], d[1]], [d[2], d[3]]]
    }
    /// Of fewer than 32 columns.
    #[inline(always)]
    fn few<T: Cell, G: Cell>(&self, s: S, z: &[T], g: &mut [G]) {
        if z.is_empty() {
            return;
        }
        let (mut x, mut y) = ([T::NEG_INF; 32], [G::NEG_INF; 32]);
        x[..z.len()].copy_from_slice(z);
        G::store(s, self.some(s, T::load(s, &x)), &mut y);
        g.copy_from_slice(&y[..g.len()]);
    }
}

fn backward_of<P: Pair>(context: &Context, mut back: Back<'_, f32>, pair: P, status: Option<MatrixMut<'_, u32>>) {
    let (isa, problem) = (context.isa(), back.job.problem);
    back.stream = large::<P::G>(problem);
    let known = back.stats.is_some() || !back.needs().any();
    if known && back.job.transform.bias.is_none() && back.upstream.extra.is_none() && few(context, problem) {
        return backward_parts(context, back, pair, status);
    }
    context.rows(problem.rows(), grain(problem), (pair, status), |first, n, (pair, status)| {
        let mut scratch = Scratch::new(pair.end());
        backward_piece(isa, &back, first, n, pair, status, &mut scratch)
    });
}
/// Rows one after the other, the columns of each side by side: as many vocabulary shards, whose gradients have the bits of the
/// row's.
fn backward_parts<P: Pair>(
    context: &Context,
    back: Back<'_, f32>,
    mut pair: P,
    mut status: Option<MatrixMut<'_, u32>>,
) {
    let (isa, whole) = (context.isa(), back.job.problem);
    let columns = part(whole.valid());
    for i in 0..whole.rows() {
        let (one, rest) = pair.split(1);
        pair = rest;
        let (target, row) = (back.job.target(i), back.job.row(i, Pair::logits(&one, 0)));
        let all = back.upstream.entropy.is_some();
        let record = if target == Target::Ignored {
            Record::EMPTY.conclude(target)
        } else if let Some(x) = back.saved(i, &row, target, None) {
            x
        } else if back.job.mode == Mode::Portable {
            row.conclude(record_in_parts(context, &row, all, false), target)
        } else {
            let mut scratch = Scratch::new(Pair::end(&one));
            row.conclude(whole_record(isa, &row, &mut scratch, back.job.mode, all, false), target)
        };
        if let Some(m) = &mut status {
            m.set(i, record.flags);
        }
        let stats = record.pack();
        let stats = Matrix::contiguous(&stats, 1, STATS).expect("of this shape");
        let parts = InParts { pair: one, columns };
        context.rows(whole.vocab().div_ceil(columns), 1, parts, |first, n, InParts { pair: mut rest, .. }| {
            for part in first..first + n {
                let (at, left) = (part * columns, Pair::logits(&rest, 0).len());
                let (pair, behind) = rest.cut(columns.min(left));
                rest = behind;
                let n = Pair::logits(&pair, 0).len();
                let shard = Problem::shard(whole.rows(), n, *whole.options(), whole.start() + at, whole.total());
                let problem = &shard.expect("columns of a checked problem");
                let job = Job { problem, inputs: RowInputs { problem, ..back.job.inputs }, ..back.job };
                let back = Back { job, stats: Some(stats), from: i, ..back };
                let mut scratch = Scratch::new(Pair::end(&pair));
                backward_piece(isa, &back, i, 1, pair, None, &mut scratch);
            }
        });
    }
}
/// A row, cut between parts of so many columns.
struct InParts<P> {
    pair: P,
    columns: usize,
}
impl<P: Pair> Split for InParts<P> {
    fn split(self, part: usize) -> (Self, Self) {
        let InParts { pair, columns } = self;
        let (a, b) = pair.cut(part * columns);
        (InParts { pair: a, columns }, InParts { pair: b, columns })
    }
}
/// `n` rows from `first` on, all of a piece.
#[inline(never)]
fn backward_piece<P: Pair>(
    isa: Isa,
    back: &Back<'_, f32>,
    first: usize,
    n: usize,
    pair: P,
    status: Option<MatrixMut<'_, u32>>,
    scratch: &mut Scratch<P::Z>,
) {
    on_lanes!(
        isa,
        s => backward_rows(s, back, first, n, pair, status, scratch),
        backward_scalar(back, first, n, pair, status)
    )
}
/// Whether the gradient goes past the cache.
fn large<G>(problem: &Problem) -> bool {
    problem.rows().saturating_mul(problem.vocab()).saturating_mul(size_of::<G>()) > CACHE
}
/// What the backward reads; the gradient of the reduced loss has been divided.
#[derive(Clone, Copy)]
pub(crate) struct Back<'a, F> {
    pub(crate) job: Job<'a>,
    pub(crate) stats: Option<Matrix<'a, F>>,
    /// The row of the batch that their first one is of.
    pub(crate) from: usize,
    pub(crate) upstream: Upstream<'a, F>,
    /// The gradient is larger than a cache.
    pub(crate) stream: bool,
}
impl<F: RowFloat> Back<'_, F> {
    /// What the record of a row needs besides its sums, where it is computed again.
    pub(crate) fn needs(&self) -> Needs {
        let of_loss = self.upstream.of_loss();
        Needs::loss(self.job.problem.options(), of_loss, of_loss)
    }
    /// The saved record of row `i`, whatever the target was.
    #[inline(always)]
    fn stored(&self, i: usize) -> Option<Record<F>> {
        let x = Record::unpack(self.stats.as_ref()?.row(i - self.from));
        Some(Record { flags: x.flags & !row::TARGET_NEG_INF, ..x })
    }
    /// The saved record of row `i`, completed for this call's target; `kept` are the columns that count, all without it.
    #[inline(always)]
    fn saved<T: Float>(
        &self,
        i: usize,
        row: &LogitRow<'_, T, F>,
        target: Target,
        kept: Option<&Kept<'_>>,
    ) -> Option<Record<F>> {
        let x = self.stored(i)?;
        if self.job.problem.total() != self.job.problem.vocab() {
            // the target may lie in another shard
            return Some(x.conclude(target));
        }
        let Some(kept) = kept else { return Some(row.conclude(x, target)) };
        // the causes of a poisoned row are among its saved flags
        let x =
            if x.poisoned() { x } else { row.complete(x, self.job.local(target).filter(|&y| kept.has(y)), |_| true) };
        Some(x.conclude(target))
    }
    /// The gradients of the figures of row `i`, those of the loss folded in.
    #[inline(always)]
    pub(crate) fn upstream(&self, i: usize, record: &Record<F>, target: Target, found: &Found<F>) -> RowUpstream {
        let g = self.upstream.row(i);
        if !self.upstream.of_loss() || target == Target::Ignored {
            return g;
        }
        let options = &self.job.problem.options().row_loss;
        let scale = match self.stats {
            // the largest columns are not at hand
            Some(_) if options.needs_top() => record.scale,
            _ => self.job.inputs.scale(i, record, target, found),
        };
        self.job.inputs.terms(record, scale, target).fold(record, g)
    }
    /// Whether columns need more than [`Columns::at`].
    fn extra(&self, c: &Columns<F>) -> bool {
        self.upstream.extra.is_some() || c.tau != F::ZERO
    }
}
/// Writes what does not come from the columns one by one; returns the constants of those that do.
#[inline(always)]
fn settle<F: RowFloat, P: PlainPair<F>>(
    valid: usize,
    record: &Record<F>,
    target: Target,
    upstream: &RowUpstream,
    i: usize,
    pair: &mut P,
    status: &mut Option<MatrixMut<'_, u32>>,
) -> Option<Columns<F>> {
    if let Some(m) = status {
        m.set(i, record.flags);
    }
    pair.gradient(i)[valid..].fill(P::G::default());
    match RowGrad::new(record, target, upstream) {
        RowGrad::Columns(c) => Some(c),
        RowGrad::Fill(x) => {
            pair.gradient(i)[..valid].fill(x.to());
            None
        }
    }
}
#[inline(always)]
fn backward_rows<S: Sixteen, P: Pair>(
    s: S,
    back: &Back<'_, f32>,
    first: usize,
    n: usize,
    mut pair: P,
    mut status: Option<MatrixMut<'_, u32>>,
    scratch: &mut Scratch<P::Z>,
) {
    let (valid, needs) = (back.job.problem.valid(), back.needs());
    let (all, mut found) = (back.upstream.entropy.is_some(), Found::default());
    for i in 0..n {
        let target = back.job.target(first + i);
        if target == Target::Ignored {
            let (record, none) = (Record::EMPTY.conclude(target), RowUpstream::default());
            settle(valid, &record, target, &none, i, &mut pair, &mut status);
            continue;
        }
        let row = back.job.row(first + i, Pair::logits(&pair, i));
        let record = match back.saved(first + i, &row, target, None) {
            Some(x) => x,
            None if needs.any() => {
                let mut seek = back.job.seek(&row, back.job.local(target), None, needs, &mut found);
                let (x, _) = extra::pass(s, &row, 0, None, back.job.mode, &mut seek, scratch);
                row.finish(x, target, &mut found)
            }
            None => row.conclude(sums(s, &row, scratch, back.job.mode, all, false), target),
        };
        let (is_plain, t, bias) = (plain(&row), row.transform, back.job.transform.bias);
        let own = back.job.local(target);
        let v = own.map_or(0.0, |y| row.sum(y));
        let g = back.upstream(first + i, &record, target, &found);
        let Some(c) = settle(valid, &record, target, &g, i, &mut pair, &mut status) else { continue };
        if back.extra(&c) {
            for at in (0..valid).step_by(BLOCK) {
                let n = BLOCK.min(valid - at);
                let row = extra::Row { back, i: first + i, record: &record, target, g: &g, c: &c };
                row.block(s, Pair::logits(&pair, i), at, n, scratch);
                narrow(s, &scratch.x, &mut Pair::gradient(&mut pair, i)[at..at + n]);
            }
            continue;
        }
        if is_plain && back.stream {
            pair.plain::<S, true>(s, i, valid, &Constants::new(s, &c));
        } else if is_plain {
            pair.plain::<S, false>(s, i, valid, &Constants::new(s, &c));
        } else {
            for at in (0..valid).step_by(BLOCK) {
                let n = BLOCK.min(valid - at);
                widen(s, &Pair::logits(&pair, i)[at..at + n], &mut scratch.x, scratch.end);
                gradient(s, bias.as_ref(), &t, at, n, scratch.buffers(), &c);
                narrow(s, &scratch.x, &mut Pair::gradient(&mut pair, i)[at..at + n]);
            }
        }
        if let (Some((_, dz)), Some(y)) = (c.target(&t, v), own) {
            Pair::gradient(&mut pair, i)[y] = P::G::from_f32(dz);
        }
    }
    if back.stream {
        fence();
    }
}
fn backward_scalar<F: RowFloat, P: PlainPair<F>>(
    back: &Back<'_, F>,
    first: usize,
    n: usize,
    mut pair: P,
    mut status: Option<MatrixMut<'_, u32>>,
) {
    let (valid, needs) = (back.job.problem.valid(), back.needs());
    let (mut found, mut dz) = (Found::default(), [F::ZERO; BLOCK]);
    for i in 0..n {
        let target = back.job.target(first + i);
        if target == Target::Ignored {
            let (record, none) = (Record::EMPTY.conclude(target), RowUpstream::default());
            settle(valid, &record, target, &none, i, &mut pair, &mut status);
            continue;
        }
        let row = back.job.row(first + i, pair.logits(i));
        let record = match back.saved(first + i, &row, target, None) {
            Some(x) => x,
            None => row.scan(target, &mut back.job.seek(&row, back.job.local(target), None, needs, &mut found)),
        };
        let g = back.upstream(first + i, &record, target, &found);
        let Some(c) = settle(valid, &record, target, &g, i, &mut pair, &mut status) else { continue };
        for at in (0..valid).step_by(BLOCK) {
            let n = BLOCK.min(valid - at);
            let row = extra::Row { back, i: first + i, record: &record, target, g: &g, c: &c };
            row.block_scalar(pair.logits(i), at, &mut dz[..n], !back.extra(&c));
            for (to, &dz) in pair.gradient(i)[at..at + n].iter_mut().zip(&dz) {
                *to = dz.to();
            }
        }
    }
}
