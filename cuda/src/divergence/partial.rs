//! Divergences on a few columns of each row, as `truing_cpu::divergence::partial` has them, and what all rows have together.
//! `kernels/divergence_partial.cu` says how.
//!
//! Given ids that the CPU refuses (outside the vocabulary, twice in a row) make their row NaN, flagged `OUT_OF_RANGE`, and so
//! do counts that are no finite numbers >= 0.
use super::*;
use crate::logprob::extra;
use truing_core::divergence::Kind;
use truing_core::divergence::partial::{AtIds, Chosen, Outside, Partial};
use truing_core::error::row;
use truing_core::matrix::{Floats, Ints, Matrix};

pub(crate) const FILE: File =
    File { name: c"divergence_partial.cu", text: include_str!("../../kernels/divergence_partial.cu") };
pub(super) const HEAD: &CStr = c"truing_partial_head";
pub(super) const JOIN: &CStr = c"truing_partial_join";
pub(super) const RANKS: &CStr = c"truing_partial_ranks";

/// `truing_partial_args` of the kernels.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(super) struct PartialArgs {
    d: Args,
    ids: View,
    values: View,
    teacher_lse: View,
    short_stats: View,
    short_status: View,
    own_stats: View,
    out_values: View,
    out_mass: [View; 2],
    out_overlap: View,
    out_overlap_sum: View,
    out_support_ids: View,
    out_stats: View,
    out_status: View,
    out_at_ids: [View; 2],
    at_ids: [View; 2],
    starts: View,
    grad_loss: View,
    status: View,
    out_loss: View,
    out_counters: View,
    out_rank: [View; 2],
    tops: [u64; 3],
    x: [u64; 2],
    g: [u64; 2],
    own: [u64; 2],
    picked: u64,
    given: u64,
    states: u64,
    rest: [u64; 2],
    live: u64,
    factors: u64,
    short_losses: u64,
    divisor: u64,
    pub(super) head: u64,
    pub(super) body: u64,
    pub(super) joined: u64,
    pub(super) laid: [u64; 2],
    pub(super) head_flags: u64,
    normaliser: f64,
    tail_floor: f64,
    outside_logprob: f64,
    log_prob_floor: f64,
    value_clamp: f64,
    chosen: u32,
    outside: u32,
    teacher: u32,
    top: u32,
    columns: u32,
    width: u32,
    most: u32,
    pub(super) parts: u32,
    clamp_at_zero: u32,
    cross: u32,
    reduction: u32,
    loss_gradient: u32,
    fused: u32,
    pub(super) skip: u32,
    pub(super) words: u32,
    shards: u32,
    given_stats: u32,
    gradients: u32,
}
/// Bytes of the arguments, for the test that compares them with the kernels' own.
pub const PARTIAL_ARGS: usize = size_of::<PartialArgs>();
impl PartialArgs {
    pub(super) fn new(d: Args) -> PartialArgs {
        let none = View::NONE;
        PartialArgs {
            d,
            ids: none,
            values: none,
            teacher_lse: none,
            short_stats: none,
            short_status: none,
            own_stats: none,
            out_values: none,
            out_mass: [none; 2],
            out_overlap: none,
            out_overlap_sum: none,
            out_support_ids: none,
            out_stats: none,
            out_status: none,
            out_at_ids: [none; 2],
            at_ids: [none; 2],
            starts: none,
            grad_loss: none,
            status: none,
            out_loss: none,
            out_counters: none,
            out_rank: [none; 2],
            tops: [0; 3],
            x: [0; 2],
            g: [0; 2],
            own: [0; 2],
            picked: 0,
            given: 0,
            states: 0,
            rest: [0; 2],
            live: 0,
            factors: 0,
            short_losses: 0,
            divisor: 0,
            head: 0,
            body: 0,
            joined: 0,
            laid: [0; 2],
            head_flags: 0,
            normaliser: 0.0,
            tail_floor: 0.0,
            outside_logprob: 0.0,
            log_prob_floor: 0.0,
            value_clamp: 0.0,
            chosen: 0,
            outside: 0,
            teacher: 0,
            top: 0,
            columns: 0,
            width: 0,
            most: 0,
            parts: 0,
            clamp_at_zero: 0,
            cross: 0,
            reduction: 0,
            loss_gradient: 0,
            fused: 0,
            skip: 0,
            words: 0,
            shards: 0,
            given_stats: 0,
            gradients: 0,
        }
    }
    /// Where the ranks in the sides go.
    pub(super) fn ranks(&mut self, places: [Option<Tensor>; 2]) {
        self.out_rank = places.map(View::of);
    }
}
/// Warps of a block of threads, `TRUING_ROW_WARPS` of the kernels.
const ROW_WARPS: usize = 4;
/// A warp for each task.
fn over_tasks(tasks: usize) -> Grid {
    Grid::new(tasks.div_ceil(ROW_WARPS).min(i32::MAX as usize) as u32, 32 * ROW_WARPS as u32)
}
/// The records of the block that a shard begins inside before those of the others.
///
/// # Safety
/// As for [`Kernel::launch`].
pub(super) unsafe fn join(go: &Launch<'_>, kernel: Kernel, args: &PartialArgs) -> Result<()> {
    let grid = cover("student", go.rows.saturating_mul(args.parts as usize), 128)?;
    // SAFETY: the caller's promise.
    unsafe { kernel.launch(go.device, go.stream, Grid::new(grid, 128), args) }
}
/// The same rows with both sides as f32 matrices `[N, width]` without gaps, taken as they lie.
pub(super) fn laid_out(args: &Args, sides: [u64; 2], n: usize, width: usize) -> Args {
    let mut args = *args;
    for (side, at) in args.side.iter_mut().zip(sides) {
        let t = logprob::Transform::default();
        *side = SideArgs {
            logits: View::of(Some(Tensor::contiguous(at, Dtype::F32, n, width))),
            grad: View::NONE,
            bias: View::NONE,
            temperature: View::NONE,
            shifted: View::NONE,
            logit_scale: t.logit_scale,
            softcap: t.softcap,
            fixed_temperature: t.temperature,
            transform: Transform::of(&t),
            vocab: width as u32,
            valid: width as u32,
            shift: 0.0,
            numbers: 0,
        };
    }
    args
}

/// What all rows have together.
#[derive(Clone, Copy, Debug, Default)]
pub struct Total {
    /// One number, f32 or f64: the values after their reduction.
    pub loss: Option<Tensor>,
    /// `[32]`, i64: how many rows have each status bit; `EMPTY` if no row counts for the loss.
    pub counters: Option<Tensor>,
}
/// The launches that make it.
pub(super) struct TotalPlan {
    args: PartialArgs,
    divides: bool,
    adds: bool,
}
impl Total {
    /// Bytes of workspace; `status`: the caller keeps it; `gradient`: that of the loss is given.
    pub(super) fn need(&self, problem: &Problem, status: bool, gradient: bool) -> usize {
        if self.loss.is_none() && self.counters.is_none() && !gradient {
            return 0;
        }
        Arena::sum(self.sizes(problem.rows(), status))
    }
    fn sizes(&self, n: usize, status: bool) -> [usize; 3] {
        [
            Arena::need::<[f64; 2]>(1),
            if self.loss.is_some() { Arena::need::<f64>(n) } else { 0 },
            if self.counters.is_some() && !status { Arena::need::<u32>(n) } else { 0 },
        ]
    }
    pub(super) fn check(&self, problem: &Problem) -> Result<()> {
        self.counters.as_ref().map_or(Ok(()), |x| x.check_out("outputs.out_counters", row::BITS, 1, &I64))?;
        let Some(loss) = &self.loss else { return Ok(()) };
        loss.check_out("outputs.out_loss", 1, 1, &WIDE)?;
        problem.check_reduces("outputs.out_loss")
    }
    /// Says in `args` where the rows leave what is added up, and where gradients find what the loss gives.
    pub(super) fn plan(
        &self,
        problem: &Problem,
        args: &mut Args,
        at: u64,
        status: Option<Tensor>,
        loss: &Loss,
        scale: f64,
        fused: bool,
    ) -> TotalPlan {
        let (n, options) = (problem.rows(), problem.options());
        let [first, losses, _] = self.sizes(n, status.is_some()).map(|x| x as u64);
        if self.loss.is_some() {
            args.losses = at + first;
        }
        let own = Tensor::contiguous(at + first + losses, Dtype::U32, n, 1);
        let status = status.or(self.counters.map(|_| own));
        args.out_status = View::of(status);
        if loss.wanted() {
            args.given = at + 8;
        }
        let mut all = PartialArgs::new(Args { grad_scale: scale, ..*args });
        (all.out_loss, all.out_counters, all.status) = (View::of(self.loss), View::of(self.counters), View::of(status));
        (all.grad_loss, all.loss_gradient) = (View::of(loss.tensor()), loss.wanted() as u32);
        (all.divisor, all.fused, all.normaliser) = (at, fused as u32, options.normaliser);
        all.reduction = match options.reduction {
            Some(Reduction::Mean) => 1,
            Some(Reduction::WeightedMean) => 2,
            _ => 0,
        };
        let adds = self.loss.is_some() || self.counters.is_some();
        TotalPlan { args: all, divides: self.loss.is_some() || loss.wanted(), adds }
    }
}
impl TotalPlan {
    pub(super) fn kernels(&self, go: &Launch<'_>) -> Result<[Kernel; 2]> {
        Ok([go.kernel(FILE, c"truing_partial_divisor")?, go.kernel(FILE, c"truing_partial_total")?])
    }
    /// What the reduction divides by, before gradients.
    ///
    /// # Safety
    /// As for [`Kernel::launch`].
    pub(super) unsafe fn divisor(&self, go: &Launch<'_>, kernels: &[Kernel; 2]) -> Result<()> {
        if !self.divides {
            return Ok(());
        }
        // SAFETY: the caller's promise.
        unsafe { kernels[0].launch(go.device, go.stream, Grid::new(1, 256), &self.args) }
    }
    /// The sums, behind the rows.
    ///
    /// # Safety
    /// As for [`Kernel::launch`].
    pub(super) unsafe fn total(&self, go: &Launch<'_>, kernels: &[Kernel; 2]) -> Result<()> {
        if !self.adds {
            return Ok(());
        }
        // SAFETY: the caller's promise.
        unsafe { kernels[1].launch(go.device, go.stream, Grid::new(1, 256), &self.args) }
    }
}

/// The teacher of a partial divergence.
#[derive(Clone, Copy, Debug)]
pub enum PartialTeacher {
    /// Rows of logits, [`Inputs::teacher`], which nobody looks at otherwise.
    Rows,
    /// `[N, K]` at the given ids: log-probs of the whole softmax.
    Logprobs(Tensor),
    /// `[N, K]`: logits; and `[N]`, f32, the log sum exp of the whole row.
    Logits(Tensor, Option<Tensor>),
    /// `[N, K]`: how often each id was drawn.
    Counts(Tensor),
}
impl PartialTeacher {
    fn values(&self) -> Option<Tensor> {
        match self {
            PartialTeacher::Rows => None,
            PartialTeacher::Logprobs(x) | PartialTeacher::Logits(x, _) | PartialTeacher::Counts(x) => Some(*x),
        }
    }
}
/// What describes the few columns.
#[derive(Clone, Copy, Debug)]
pub struct PartialCall<'a> {
    /// Settings.
    pub partial: &'a Partial,
    /// The teacher.
    pub teacher: PartialTeacher,
    /// `[N, V]`: the rows whose largest columns [`Chosen::Reference`] takes.
    pub reference: Option<Tensor>,
    /// `[N, K]`, i32 or i64, of [`Chosen::Given`].
    pub ids: Option<Tensor>,
    /// `[N, 16]` of [`finish_partial`], where the sides are shards: for gradients.
    pub stats: Option<Tensor>,
}
/// Where figures go, see [`truing_core::divergence::partial::Figures`].
#[derive(Clone, Copy, Debug, Default)]
#[allow(missing_docs)]
pub struct PartialFigures {
    pub values: Option<Tensor>,
    pub student_mass: Option<Tensor>,
    pub teacher_mass: Option<Tensor>,
    pub overlap: Option<Tensor>,
    pub overlap_sum: Option<Tensor>,
    /// `[N, most]`, i32
    pub support_ids: Option<Tensor>,
    /// `[N, 16]`
    pub stats: Option<Tensor>,
    /// u32
    pub status: Option<Tensor>,
    /// What all rows have together.
    pub total: Total,
}

/// Places in the workspace, in this order.
mod place {
    pub const TOPS: usize = 0;
    pub const X: usize = 3;
    pub const OWN: usize = 5;
    pub const PICKED: usize = 7;
    pub const GIVEN: usize = 8;
    pub const STATES: usize = 9;
    pub const REST: usize = 10;
    pub const LIVE: usize = 12;
    pub const FACTORS: usize = 13;
    pub const STATS: usize = 14;
    pub const STATUS: usize = 15;
    pub const LOSSES: usize = 16;
    pub const COLUMNS: usize = 17;
    pub const ROWS: usize = 18;
    pub const BLOCKS: usize = 19;
    pub const TOTAL: usize = 20;
    pub const ALL: usize = 21;
}
/// Bytes of `truing_partial_row`.
const ROW: usize = 176;
/// What a call needs.
struct Plan {
    /// Columns of S at most, of a short row, of the lists of the largest.
    most: usize,
    width: usize,
    top: usize,
    /// Which lists there are: of student, teacher, reference.
    lists: [bool; 3],
    /// Blocks of the longer side.
    parts: usize,
    open: bool,
    sizes: [usize; place::ALL],
}
impl Plan {
    fn new(problem: &Problem, call: &PartialCall<'_>, out: &PartialFigures, grads: &Grads, loss: bool) -> Plan {
        let (n, partial) = (problem.rows(), call.partial);
        let columns = call.ids.map_or(0, |x| x.layout.cols);
        let most = match partial.chosen {
            Chosen::Given => columns,
            Chosen::Union => 2 * partial.k,
            _ => partial.k,
        };
        let tail = partial.outside == Outside::Tail;
        let open = matches!(partial.outside, Outside::Zero | Outside::Raw);
        let overlap = out.overlap.is_some() || out.overlap_sum.is_some();
        let given = partial.chosen == Chosen::Given;
        let chosen = |all: &[Chosen]| all.contains(&partial.chosen);
        let lists = [
            overlap || chosen(&[Chosen::Student, Chosen::Union]),
            overlap && !given || chosen(&[Chosen::Teacher, Chosen::Union]),
            partial.chosen == Chosen::Reference,
        ];
        let (top, width) = (if given { columns } else { partial.k }, most + usize::from(tail));
        let parts = problem.student().vocab().max(problem.teacher().vocab()).div_ceil(BLOCK);
        let wanted = [grads.student.is_some(), grads.teacher.is_some()];
        let (any, rest) = (wanted[0] || wanted[1], partial.outside != Outside::Renormalise);
        let hard = problem.options().hard_weight != 0.0;
        let rows = matches!(call.teacher, PartialTeacher::Rows);
        let size = |some: bool, bytes: usize| if some { Arena::need::<u8>(n.saturating_mul(bytes)) } else { 0 };
        let mut sizes = [0; place::ALL];
        for i in 0..3 {
            sizes[place::TOPS + i] = size(lists[i], 8 * top);
        }
        for (i, has) in [true, rows].into_iter().enumerate() {
            sizes[place::X + i] = size(true, 4 * width);
            sizes[place::OWN + i] = size(wanted[i], 8 * most);
            sizes[place::REST + i] = size((rest || i == 0 && hard) && has, 32 * parts);
        }
        sizes[place::PICKED] = size(true, 4 * most);
        sizes[place::GIVEN] = size(true, 4 * most);
        sizes[place::STATES] = size(true, ROW);
        sizes[place::LIVE] = size(true, 1);
        sizes[place::FACTORS] = size(any, 8);
        let short = !open && call.stats.is_none();
        sizes[place::STATS] = size(short, 4 * STATS);
        sizes[place::STATUS] = size(short, 4);
        sizes[place::LOSSES] = size(short, 8);
        sizes[place::COLUMNS] = size(any && !open, COLUMNS);
        sizes[place::ROWS] = size(short, STATE);
        sizes[place::BLOCKS] = size(short, PIECE);
        sizes[place::TOTAL] = out.total.need(problem, out.status.is_some(), loss);
        Plan { most, width, top, lists, parts, open, sizes }
    }
    fn workspace(&self) -> Workspace {
        let bytes = Arena::sum(self.sizes);
        Workspace { minimum: bytes, preferred: bytes }
    }
    /// From sizes to addresses; 0 for what is not there.
    fn at(&self, mut data: u64) -> [u64; place::ALL] {
        self.sizes.map(|size| {
            data += size as u64;
            if size == 0 { 0 } else { data - size as u64 }
        })
    }
}
/// Bytes of workspace of [`forward_partial`] and [`backward_partial`].
pub fn partial_workspace(
    problem: &Problem,
    call: &PartialCall<'_>,
    out: &PartialFigures,
    upstream: &Upstream,
    grads: &Grads,
) -> Workspace {
    Plan::new(problem, call, out, grads, upstream.loss.wanted()).workspace()
}
/// Enqueues the figures that `out` asks for, and the gradients of the reduced loss where there are places for them.
///
/// # Safety
/// As for [`forward`].
#[allow(clippy::too_many_arguments)]
pub unsafe fn forward_partial(
    context: &Context,
    stream: Stream,
    problem: &Problem,
    call: &PartialCall<'_>,
    inputs: &Inputs,
    out: &PartialFigures,
    upstream: &Upstream,
    grads: &Grads,
    workspace: Space,
) -> Result<()> {
    // SAFETY: the caller's promise.
    unsafe { run(context, stream, problem, call, inputs, out, upstream, grads, workspace, true, None) }
}
/// Enqueues the gradients, given those of the values and of the reduced loss.
///
/// # Safety
/// As for [`forward`].
#[allow(clippy::too_many_arguments)]
pub unsafe fn backward_partial(
    context: &Context,
    stream: Stream,
    problem: &Problem,
    call: &PartialCall<'_>,
    inputs: &Inputs,
    upstream: &Upstream,
    grads: &Grads,
    status: Option<Tensor>,
    workspace: Space,
) -> Result<()> {
    let out = PartialFigures { status, ..PartialFigures::default() };
    // SAFETY: the caller's promise.
    unsafe { run(context, stream, problem, call, inputs, &out, upstream, grads, workspace, false, None) }
}
/// What all shards have at the given ids.
#[derive(Clone, Copy, Debug)]
pub struct PartialShards {
    /// `[S * N, K]`, f32, student and teacher: row i of shard s of [`local_partial`] at s N + i.
    pub at_ids: [Tensor; 2],
    /// `[S + 1]`, i32 or i64: the first column of each shard, then V.
    pub starts: Tensor,
}
fn no_logits(n: usize) -> Tensor {
    Tensor::contiguous(0, Dtype::F32, n, 1)
}
/// Bytes of workspace of [`finish_partial`].
pub fn partial_finish_workspace(problem: &Problem, call: &PartialCall<'_>, out: &PartialFigures) -> Workspace {
    Plan::new(problem, call, out, &Grads::default(), false).workspace()
}
/// Enqueues the figures of the rows from what all shards have at the given ids: those of [`forward_partial`], and statistics
/// for [`backward_partial`]. `inputs` has the rows, no logits; how many columns there are says `starts`.
///
/// # Safety
/// As for [`forward`].
#[allow(clippy::too_many_arguments)]
pub unsafe fn finish_partial(
    context: &Context,
    stream: Stream,
    problem: &Problem,
    call: &PartialCall<'_>,
    shards: &PartialShards,
    rows: [Option<Tensor>; 3],
    out: &PartialFigures,
    workspace: Space,
) -> Result<()> {
    let n = problem.rows();
    problem.check_shard_on_ids()?;
    check_given(call)?;
    let starts = shards.starts.layout.rows();
    if !(2..=1 << 20).contains(&starts) {
        let expected = Value::Text("2 to 2^20 elements, one more than shards");
        return Err(Error::shape("shard_starts", Value::Size(starts), expected));
    }
    shards.starts.check("shard_starts", starts, 1, &IDS)?;
    let columns = call.ids.map_or(0, |x| x.layout.cols);
    for (field, x) in [("student_at_ids", &shards.at_ids[0]), ("teacher_at_ids", &shards.at_ids[1])] {
        x.check(field, (starts - 1).saturating_mul(n), columns, &F32)?;
    }
    let of_columns =
        [("outputs.out_support_ids", out.support_ids.is_some()), ("outputs.out_overlap", out.overlap.is_some())];
    if let Some((field, _)) = of_columns.iter().find(|x| x.1) {
        return Err(Error::invalid(field, Value::Text("a tensor"), Value::Text("NULL over shards")));
    }
    let [target, mask, row_weight] = rows;
    let inputs = Inputs { target, mask, row_weight, ..Inputs::new(no_logits(n), no_logits(n)) };
    let (upstream, grads) = (Upstream::default(), Grads::default());
    let shards = Some(shards);
    // SAFETY: the caller's promise.
    unsafe { run(context, stream, problem, call, &inputs, out, &upstream, &grads, workspace, true, shards) }
}
/// Enqueues the transformed logits of student and teacher at the given ids, `[N, K]` each, f32: `-inf` where an id is not among
/// the columns of the shard, and in rows that are not read. No workspace.
///
/// # Safety
/// As for [`forward`].
#[allow(clippy::too_many_arguments)]
pub unsafe fn local_partial(
    context: &Context,
    stream: Stream,
    problem: &Problem,
    call: &PartialCall<'_>,
    inputs: &Inputs,
    [student, teacher]: [Tensor; 2],
    status: Option<Tensor>,
) -> Result<()> {
    let (n, columns) = (problem.rows(), call.ids.map_or(0, |x| x.layout.cols));
    check_problem(problem)?;
    problem.check_shard_on_ids()?;
    check_given(call)?;
    check_call(problem, call)?;
    check_inputs(problem, inputs)?;
    student.check_out("out_student_at_ids", n, columns, &F32)?;
    teacher.check_out("out_teacher_at_ids", n, columns, &F32)?;
    status.as_ref().map_or(Ok(()), |x| x.check_out("out_status", n, 1, &U32))?;
    if n == 0 {
        return Ok(());
    }
    let device = Device::current()?;
    let kernel = context.kernel(&device, stream, FILE, c"truing_partial_local")?;
    let mut args = PartialArgs::new(arguments(problem, inputs));
    (args.ids, args.columns) = (View::of(call.ids), columns as u32);
    args.out_at_ids = [View::of(Some(student)), View::of(Some(teacher))];
    args.out_status = View::of(status);
    // SAFETY: the caller's promise; the arguments have been checked.
    unsafe { kernel.launch(&device, stream, over_tasks(n), &args) }
}
/// Over shards only columns that the caller names, each side renormalised on them.
fn check_given(call: &PartialCall<'_>) -> Result<()> {
    let refuse = |field, expected| Err(Error::invalid(field, Value::Text("another"), Value::Text(expected)));
    if call.partial.chosen != Chosen::Given {
        return refuse("partial.support", "given ids over shards");
    }
    if call.partial.outside != Outside::Renormalise {
        return refuse("partial.outside", "renormalise over shards");
    }
    if !matches!(call.teacher, PartialTeacher::Rows) {
        return refuse("options.teacher_form", "logits over shards");
    }
    Ok(())
}
/// What core says of the settings, and the shapes of what lies on the device.
fn check_call(problem: &Problem, call: &PartialCall<'_>) -> Result<()> {
    let (n, partial) = (problem.rows(), call.partial);
    let columns = call.ids.map_or(0, |x| x.layout.cols);
    // of the same columns, but without rows, as the host cannot look at them
    let none = |of: &logprob::Problem| logprob::Problem::new(0, of.vocab(), *of.options());
    let own = Problem::new(none(problem.student())?, none(problem.teacher())?, *problem.options())?;
    let ids = Ints::I64(Matrix::contiguous(&[], 0, columns)?);
    let width = call.teacher.values().map_or(0, |x| x.layout.cols);
    let (values, lse) = (Floats::F32(Matrix::contiguous(&[], 0, width)?), Matrix::vector(&[]));
    let at = match &call.teacher {
        PartialTeacher::Rows => None,
        PartialTeacher::Logprobs(_) => Some(AtIds::Logprobs(values)),
        PartialTeacher::Logits(_, given) => Some(AtIds::Logits(values, given.map(|_| lse))),
        PartialTeacher::Counts(_) => Some(AtIds::Counts(values)),
    };
    partial.check(&own, &logprob::Rows::default(), call.ids.map(|_| &ids), at.as_ref())?;
    call.ids.as_ref().map_or(Ok(()), |x| x.check("partial.ids", n, columns, &IDS))?;
    call.teacher.values().map_or(Ok(()), |x| x.check("partial.teacher_values", n, columns, &FLOATS))?;
    if let PartialTeacher::Logits(_, Some(lse)) = &call.teacher {
        lse.check("partial.teacher_lse", n, 1, &F32)?;
    }
    match (&call.reference, partial.chosen == Chosen::Reference) {
        (None, true) => {
            let expected = Value::Text("logits, which the support `reference` needs");
            Err(Error::invalid("partial.reference", Value::Text("NULL"), expected))
        }
        (Some(_), false) => {
            let expected = Value::Text("NULL without the support `reference`");
            Err(Error::invalid("partial.reference", Value::Text("a tensor"), expected))
        }
        (Some(z), true) => z.check("partial.reference", n, problem.student().vocab(), &LOGITS),
        _ => Ok(()),
    }
}
fn check_partial_figures(problem: &Problem, call: &PartialCall<'_>, out: &PartialFigures, most: usize) -> Result<()> {
    let n = problem.rows();
    let all = [
        ("outputs.out_values", &out.values, 1, &F32),
        ("outputs.out_status", &out.status, 1, &U32),
        ("outputs.out_support_ids", &out.support_ids, most, &I32),
        ("outputs.out_stats", &out.stats, STATS, &F32),
        ("outputs.out_overlap", &out.overlap, 1, &F32),
        ("outputs.out_student_mass", &out.student_mass, 1, &F32),
        ("outputs.out_teacher_mass", &out.teacher_mass, 1, &F32),
        ("outputs.out_overlap_sum", &out.overlap_sum, 1, &F32),
    ];
    const OF_WHOLE_ROWS: usize = 5; // the first of them
    for (i, (field, x, cols, dtypes)) in all.into_iter().enumerate() {
        let Some(x) = x else { continue };
        x.check_out(field, n, cols, dtypes)?;
        if i >= OF_WHOLE_ROWS && call.partial.outside == Outside::Renormalise {
            let expected = Value::Text("NULL with `renormalise`: the rest of the row is not read");
            return Err(Error::invalid(field, Value::Text("a tensor"), expected));
        }
    }
    out.total.check(problem)
}
/// # Safety
/// As for [`forward`].
#[allow(clippy::too_many_arguments)]
unsafe fn run(
    context: &Context,
    stream: Stream,
    problem: &Problem,
    call: &PartialCall<'_>,
    inputs: &Inputs,
    out: &PartialFigures,
    upstream: &Upstream,
    grads: &Grads,
    workspace: Space,
    fused: bool,
    shards: Option<&PartialShards>,
) -> Result<()> {
    let (n, options, partial) = (problem.rows(), problem.options(), call.partial);
    let rows = matches!(call.teacher, PartialTeacher::Rows);
    if options.teacher_target_shift != 0.0 || options.teacher != Teacher::Logits {
        let expected = Value::Text("NULL or 0 with a shift of the target or a teacher of other numbers");
        return Err(Error::invalid("partial.support", Value::Text("a support"), expected));
    }
    check_problem(problem)?;
    if shards.is_none() {
        if call.stats.is_some() {
            check_given(call)?;
            problem.check_shard_on_ids()?;
        }
        check_shards(problem, call.stats.is_some(), Some(upstream).filter(|_| call.stats.is_some()))?;
        check_side(problem, &inputs.student, false)?;
        // a teacher at ids has no rows
        match call.teacher {
            PartialTeacher::Rows => check_side(problem, &inputs.teacher, true)?,
            PartialTeacher::Logits(..) => check_transform(problem, &inputs.teacher, true)?,
            _ => {
                let Side { bias, row_temperature, .. } = &inputs.teacher;
                let set = problem.teacher().options().transform != logprob::Transform::default();
                check_no_logits("teacher_transform", set || bias.is_some() || row_temperature.is_some())?;
            }
        }
    }
    check_rows(problem, inputs)?;
    check_call(problem, call)?;
    let plan = Plan::new(problem, call, out, grads, upstream.loss.wanted());
    check_partial_figures(problem, call, out, plan.most)?;
    check_gradients(problem, inputs, upstream, grads)?;
    if grads.teacher.is_some() && (plan.open || !rows) {
        let expected = Value::Text("NULL with `zero` and `raw`, and without rows of teacher logits");
        return Err(Error::invalid("grad_teacher_out", Value::Text("a tensor"), expected));
    }
    call.stats.as_ref().map_or(Ok(()), |x| x.check("stats", n, STATS, &F32))?;
    workspace.check(plan.workspace().minimum)?;
    if n == 0 && plan.sizes[place::TOTAL] == 0 {
        return Ok(());
    }
    let device = Device::current()?;
    let program = program(&problem.choice().form);
    let go = Launch { context, stream, device: &device, rows: n, program };
    let kernel = |name| go.kernel(FILE, name);
    let [pick, rest, fill] = [c"truing_partial_pick", c"truing_partial_rest", c"truing_partial_fill"].map(kernel);
    let [finish, scatter] = [c"truing_partial_finish", c"truing_partial_scatter"].map(kernel);
    let (pick, rest, fill, finish, scatter) = (pick?, rest?, fill?, finish?, scatter?);
    let kernels = if plan.open { None } else { Some(go.kernels()?) };

    let at = plan.at(workspace.data);
    let mut d = arguments(problem, inputs);
    let total = out.total.plan(problem, &mut d, at[place::TOTAL], out.status, &upstream.loss, upstream.scale, fused);
    let of_all = if plan.sizes[place::TOTAL] > 0 { Some(total.kernels(&go)?) } else { None };
    // the loss reaches the rows through their factors
    d.given = 0;
    let places = problem.choice().order([grads.student, grads.teacher]);
    (d.side[0].grad, d.side[1].grad) = (View::of(places[0]), View::of(places[1]));
    if !rows {
        d.side[1 - d.student as usize].logits = View::NONE;
    }
    (d.grad_values, d.grad_scale) = (View::of(upstream.values), upstream.scale);
    let any = grads.student.is_some() || grads.teacher.is_some();
    let status = d.out_status;
    let mut args = PartialArgs::new(d);
    args.ids = View::of(call.ids);
    args.values = View::of(call.teacher.values());
    if let PartialTeacher::Logits(_, lse) = &call.teacher {
        args.teacher_lse = View::of(*lse);
    }
    let own = |place: usize, dtype, cols| Some(Tensor::contiguous(at[place], dtype, n, cols));
    if plan.sizes[place::STATS] > 0 {
        args.short_stats = View::of(own(place::STATS, Dtype::F32, STATS));
        args.short_status = View::of(own(place::STATUS, Dtype::U32, 1));
    }
    args.own_stats = View::of(call.stats);
    (args.out_values, args.out_mass) = (View::of(out.values), [View::of(out.student_mass), View::of(out.teacher_mass)]);
    (args.out_overlap, args.out_overlap_sum) = (View::of(out.overlap), View::of(out.overlap_sum));
    (args.out_support_ids, args.out_stats) = (View::of(out.support_ids), View::of(out.stats));
    args.out_status = status;
    if let Some(shards) = shards {
        args.at_ids = shards.at_ids.map(|x| View::of(Some(x)));
        args.starts = View::of(Some(shards.starts));
        args.shards = shards.starts.layout.rows() as u32 - 1;
    }
    args.tops = [0, 1, 2].map(|i| at[place::TOPS + i]);
    args.x = [0, 1].map(|i| at[place::X + i]);
    args.g = args.x;
    args.own = [0, 1].map(|i| at[place::OWN + i]);
    (args.picked, args.given, args.states) = (at[place::PICKED], at[place::GIVEN], at[place::STATES]);
    args.rest = [0, 1].map(|i| at[place::REST + i]);
    (args.live, args.factors) = (at[place::LIVE], at[place::FACTORS]);
    (args.short_losses, args.divisor) = (at[place::LOSSES], at[place::TOTAL]);
    (args.tail_floor, args.outside_logprob) = (partial.tail_floor, partial.outside_logprob);
    (args.log_prob_floor, args.value_clamp) = (partial.log_prob_floor, partial.value_clamp);
    args.chosen = match partial.chosen {
        Chosen::Given => 0,
        Chosen::Teacher => 1,
        Chosen::Student => 2,
        Chosen::Union => 3,
        Chosen::Reference => 4,
    };
    args.outside = match partial.outside {
        Outside::Renormalise => 0,
        Outside::Tail => 1,
        Outside::Zero => 2,
        Outside::Raw => 3,
    };
    args.teacher = match call.teacher {
        PartialTeacher::Rows => 0,
        PartialTeacher::Logprobs(_) => 1,
        PartialTeacher::Logits(..) => 2,
        PartialTeacher::Counts(_) => 3,
    };
    (args.top, args.columns) = (plan.top as u32, call.ids.map_or(0, |x| x.layout.cols as u32));
    (args.width, args.most, args.parts) = (plan.width as u32, plan.most as u32, plan.parts as u32);
    args.clamp_at_zero = partial.clamp_at_zero as u32;
    args.cross = (options.kind == Kind::CrossEntropy) as u32;
    (args.loss_gradient, args.given_stats) = (upstream.loss.wanted() as u32, call.stats.is_some() as u32);
    args.gradients = any as u32;
    args.d.form = match problem.choice().form {
        Form::TwoWay { forward, reverse } => [forward, reverse],
        _ if !plan.open => args.d.form,
        _ if problem.choice().student_first => [0.0, 1.0],
        _ => [1.0, 0.0],
    };
    // the short rows: a mask says which there are, and what they count for is settled behind them
    let mut short = laid_out(&d, args.x, n, plan.width);
    if !problem.choice().student_first {
        short.side.swap(0, 1);
    }
    (short.target, short.weight, short.has_ignore) = (View::NONE, View::NONE, 0);
    short.mask = View::of(own(place::LIVE, Dtype::U8, 1));
    (short.hard_weight, short.soft_weight, short.squared, short.dft) = (0.0, 1.0, 0, 0);
    (short.grad_values, short.grad_logprob, short.grad_scale) = (View::NONE, View::NONE, 1.0);
    (short.out_status, short.out_stats) = (args.short_status, args.short_stats);
    (short.losses, short.states, short.blocks) = (at[place::LOSSES], at[place::ROWS], at[place::BLOCKS]);
    (short.columns, short.given, short.each) = (at[place::COLUMNS], at[place::FACTORS], 1);
    (short.parts, short.lanes, short.total) = (1, 1, plan.width as u32);
    // SAFETY: the caller's promise; the arguments have been checked.
    unsafe {
        if let Some(kernels) = &of_all {
            total.divisor(&go, kernels)?;
        }
        if n > 0 {
            if call.stats.is_none() && shards.is_none() {
                for (i, wanted) in plan.lists.into_iter().enumerate() {
                    let side = if i == 1 { inputs.teacher } else { inputs.student };
                    let logits = if i == 2 { call.reference.unwrap_or(side.logits) } else { side.logits };
                    if wanted {
                        let of = if i == 1 { problem.teacher() } else { problem.student() };
                        let same = of.options().ignore_index == problem.student().options().ignore_index;
                        let base = crate::logprob::Inputs {
                            logits,
                            bias: side.bias,
                            row_temperature: side.row_temperature,
                            target: inputs.target.filter(|_| same),
                            mask: inputs.mask,
                        };
                        extra::largest(context, stream, &device, of, &base, plan.top, args.tops[i])?;
                    }
                }
            }
            pick.launch(&device, stream, over_tasks(n), &args)?;
            if partial.outside != Outside::Renormalise || options.hard_weight != 0.0 {
                rest.launch(&device, stream, over_tasks(n.saturating_mul(2 * plan.parts)), &args)?;
            }
            fill.launch(&device, stream, over_tasks(n), &args)?;
            if let Some(kernels) = &kernels {
                if call.stats.is_none() {
                    go.values(kernels, &mut short, 1, any || out.stats.is_some())?;
                }
                if any {
                    let mut back = short;
                    back.stats = if call.stats.is_some() { args.own_stats } else { args.short_stats };
                    back.out_status = View::NONE;
                    for (i, side) in back.side.iter_mut().enumerate() {
                        let of = if i == d.student as usize { 0 } else { 1 };
                        if [grads.student, grads.teacher][of].is_some() {
                            side.grad = side.logits;
                        }
                    }
                    go.gradients(kernels, &back, plan.width)?;
                }
            }
            finish.launch(&device, stream, over_tasks(n), &args)?;
        }
        if let Some(kernels) = &of_all {
            total.total(&go, kernels)?;
        }
        if n > 0 && any {
            scatter.launch(&device, stream, over_tasks(n.saturating_mul(2 * plan.parts)), &args)?;
        }
    }
    Ok(())
}
