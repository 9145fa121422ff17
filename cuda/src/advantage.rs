//! Advantages and returns on a device, with the bits of the CPU: `kernels/advantage.cu` says how, and
//! [`truing_core::advantage`] what.
//!
//! What the host cannot look at without waiting is judged on the device: a group with an infinite reward, a negative length
//! or offsets that do not cut the rows is NaN with the status `OUT_OF_RANGE` (with several objectives: every row), and so are
//! the whitened values of negative counts or broken states. A row of a group that does not exist is NaN; tokens of a sequence
//! whose offsets are wrong are not written. A mean over such a sequence is NaN, and so are weights of least norm of a matrix
//! that has none and the step of a coefficient that is none.
use crate::driver::{Device, Grid, Stream};
use crate::plan::{Dtypes, F64, FLOATS, IDS, MASK, Space, Tensor, U32, View, WIDE, cover};
use crate::program::{Context, File};
pub use crate::sequence::Layout;
use core::ffi::CStr;
use truing_core::advantage::{self as spec, Distill, DistillFlags};
use truing_core::advantage::{
    Alignment, Baseline, BatchStep, EpsKind, GaeParams, Granularity, GroupOptions, MAX_OBJECTIVES, Masks, Order, Rule,
    Scale, Single, StdKind,
};
use truing_core::catalog;
use truing_core::matrix::{Arena, Floats, Matrix, Workspace};
use truing_core::real::Real;
use truing_core::sequence::Segments;
use truing_core::{Error, Result, Value};

pub(crate) const FILE: File = File { name: c"advantage.cu", text: include_str!("../kernels/advantage.cu") };
const THREADS: usize = 128;
/// Threads of a block that reads the whole batch, and values that whitening adds up together.
const READERS: usize = 1024;
/// Threads of the block that writes whitened values.
const WRITERS: usize = 256;
/// Threads of the block that finds weights of least norm; `TRUING_SOLVERS` of the kernels.
const SOLVERS: usize = 256;
/// Numbers of a source of rewards; `TRUING_WHOLE` of the kernels.
const WHOLE: usize = 8;

/// Which rows belong together; see [`truing_core::advantage::Groups`].
#[derive(Clone, Copy, Debug)]
pub enum Groups {
    /// `[G + 1]`, i32 or i64.
    Offsets(Tensor),
    /// `[B]`, i32 or i64. Each group looks for its rows among all: offsets are quicker where there are many.
    Ids {
        /// In `[0, groups)`.
        ids: Tensor,
        /// G.
        groups: usize,
    },
}
impl Groups {
    fn count(&self) -> usize {
        match self {
            Groups::Offsets(x) => x.layout.rows().saturating_sub(1),
            Groups::Ids { groups, .. } => *groups,
        }
    }
    fn check(&self, rows: usize) -> Result<()> {
        match self {
            Groups::Offsets(x) if x.layout.rows() == 0 || (x.layout.rows() == 1 && rows > 0) => {
                Err(Error::shape("group_offsets", x.layout.shape(), Value::Text("[G + 1]")))
            }
            Groups::Offsets(x) => x.check("group_offsets", x.layout.rows(), 1, &IDS),
            Groups::Ids { ids, .. } => ids.check("group_ids", rows, 1, &IDS),
        }
    }
    fn views(&self) -> (View, View) {
        match *self {
            Groups::Offsets(x) => (View::of(Some(x)), View::NONE),
            Groups::Ids { ids, .. } => (View::NONE, View::of(Some(ids))),
        }
    }
}

/// `truing_group_args` of the kernels.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
struct GroupArgs {
    rewards: View,
    lengths: View,
    offsets: View,
    ids: View,
    weights: View,
    out_advantages: View,
    out_mean: View,
    out_std: View,
    out_status: View,
    out_combined: View,
    whole: u64,
    combined: u64,
    wrong: u64,
    grad_advantages: View,
    grad_weights: View,
    grads: u64,
    sums: u64,
    totals: u64,
    columns: u64,
    rows: i64,
    groups: i64,
    objectives: i64,
    eps: f64,
    f_norm: f64,
    batch_eps: f64,
    baseline: u32,
    scale: u32,
    population: u32,
    skip_zero: u32,
    raw: u32,
    becomes: u32,
    batch_step: u32,
    sum_first: u32,
    of_row: u32,
    reserved: u32,
}
/// What becomes of a group's advantages; see the kernels.
const RESULTS: u32 = 0;
const ROWS_OF_ALL: u32 = 1;
const ADDED: u32 = 2;
/// Bytes of the arguments, for the test that compares them with the kernels' own: groups, GAE, whitening, rewards,
/// distillation, baselines of tokens, objectives.
pub const ARGS: [usize; 7] = [
    size_of::<GroupArgs>(),
    size_of::<GaeArgs>(),
    size_of::<WhitenArgs>(),
    size_of::<RewardArgs>(),
    size_of::<DistillArgs>(),
    size_of::<BaselineArgs>(),
    size_of::<ObjectiveArgs>(),
];

fn exactly(bytes: usize) -> Workspace {
    Workspace { minimum: bytes, preferred: bytes }
}
/// Where scratch arrays of these sizes begin.
fn places<const N: usize>(space: Space, sizes: [usize; N]) -> [u64; N] {
    let mut at = space.data;
    sizes.map(|bytes| {
        at += bytes as u64;
        at - bytes as u64
    })
}
/// Launches kernels of this file with one argument.
struct Queue<'a> {
    context: &'a Context,
    device: Device,
    stream: Stream,
}
impl<'a> Queue<'a> {
    fn new(context: &'a Context, stream: Stream) -> Result<Queue<'a>> {
        Ok(Queue { context, device: Device::current()?, stream })
    }
    /// # Safety
    /// As for [`crate::driver::Kernel::launch`].
    unsafe fn launch<A: Copy>(&self, name: &'static CStr, grid: u32, threads: usize, args: &A) -> Result<()> {
        if grid == 0 {
            return Ok(());
        }
        let kernel = self.context.kernel(&self.device, self.stream, FILE, name)?;
        // SAFETY: the caller's promise.
        unsafe { kernel.launch(&self.device, self.stream, Grid::new(grid, threads as u32), args) }
    }
}
fn outputs(all: &[(&'static str, &Option<Tensor>, usize, &Dtypes)]) -> Result<()> {
    all.iter().try_for_each(|(field, x, rows, dtypes)| match x {
        Some(x) => x.check_out(field, *rows, 1, dtypes),
        None => Ok(()),
    })
}
fn inputs(all: &[(&'static str, &Option<Tensor>, usize, &Dtypes)]) -> Result<()> {
    all.iter().try_for_each(|(field, x, rows, dtypes)| match x {
        Some(x) => x.check(field, *rows, 1, dtypes),
        None => Ok(()),
    })
}
fn missing(field: &'static str, expected: &'static str) -> Error {
    Error::invalid(field, Value::Text("nothing"), Value::Text(expected))
}
fn unread(field: &'static str, expected: &'static str) -> Error {
    Error::invalid(field, Value::Text("a tensor"), Value::Text(expected))
}

/// See [`truing_core::advantage::GroupAdvantage`].
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)]
pub struct GroupAdvantage {
    /// `[B]`: f32, bf16, f16 or f64.
    pub rewards: Tensor,
    pub groups: Groups,
    /// `[B]`, i32 or i64.
    pub lengths: Option<Tensor>,
    pub options: GroupOptions,
}
/// Where results go, f64 or f32.
#[derive(Clone, Copy, Debug, Default)]
#[allow(missing_docs)]
pub struct GroupAdvantageOut {
    /// `[B]`.
    pub advantages: Option<Tensor>,
    /// `[G]`, as the next two.
    pub mean: Option<Tensor>,
    pub std: Option<Tensor>,
    /// u32.
    pub status: Option<Tensor>,
}
/// Whether the whole batch counts for each group.
fn whole(o: &GroupOptions) -> bool {
    o.baseline == Baseline::Batch || matches!(o.scale, Scale::BatchStd | Scale::NonzeroShare)
}
fn check_groups(
    rewards: &Tensor,
    cols: usize,
    groups: &Groups,
    lengths: &Option<Tensor>,
    o: &GroupOptions,
) -> Result<()> {
    let n = rewards.layout.rows();
    rewards.check("rewards", n, cols, &FLOATS)?;
    groups.check(n)?;
    match lengths {
        None if o.baseline == Baseline::LengthWeighted => {
            Err(missing("lengths", "[B]: the baseline is weighted by them"))
        }
        Some(_) if o.baseline != Baseline::LengthWeighted => {
            Err(unread("lengths", "none: only opo's baseline reads them"))
        }
        _ => inputs(&[("lengths", lengths, n, &IDS)]),
    }
}
fn group_args(rewards: Tensor, groups: &Groups, lengths: Option<Tensor>, o: &GroupOptions) -> GroupArgs {
    let (offsets, ids) = groups.views();
    GroupArgs {
        rewards: View::of(Some(rewards)),
        lengths: View::of(lengths),
        offsets,
        ids,
        weights: View::NONE,
        out_advantages: View::NONE,
        out_mean: View::NONE,
        out_std: View::NONE,
        out_status: View::NONE,
        out_combined: View::NONE,
        whole: 0,
        combined: 0,
        wrong: 0,
        grad_advantages: View::NONE,
        grad_weights: View::NONE,
        grads: 0,
        sums: 0,
        totals: 0,
        columns: 0,
        rows: rewards.layout.rows() as i64,
        groups: groups.count() as i64,
        objectives: 1,
        eps: o.eps,
        f_norm: o.f_norm,
        batch_eps: 0.0,
        baseline: o.baseline as u32,
        scale: o.scale as u32,
        population: (o.std_kind == StdKind::Population) as u32,
        skip_zero: (o.eps_kind == EpsKind::SkipZero) as u32,
        raw: (o.single == Single::Raw) as u32,
        becomes: RESULTS,
        batch_step: BatchStep::None as u32,
        sum_first: 0,
        of_row: 0,
        reserved: 0,
    }
}
/// A warp for each group and a thread for each row.
fn grid(groups: &Groups, rows: usize) -> Result<u32> {
    cover("rewards", groups.count().saturating_mul(32).max(rows), THREADS)
}
/// Scratch memory of [`group_advantage`].
pub fn group_advantage_workspace(x: &GroupAdvantage) -> Workspace {
    exactly(if whole(&x.options) { Arena::need::<f64>(WHOLE) } else { 0 })
}
/// Enqueues advantages and group statistics.
///
/// # Safety
/// As for [`crate::logprob::forward`].
pub unsafe fn group_advantage(
    context: &Context,
    stream: Stream,
    x: &GroupAdvantage,
    out: &GroupAdvantageOut,
    space: Space,
) -> Result<()> {
    check_groups(&x.rewards, 1, &x.groups, &x.lengths, &x.options)?;
    let (n, g) = (x.rewards.layout.rows(), x.groups.count());
    outputs(&[
        ("out_advantages", &out.advantages, n, &WIDE),
        ("out_mean", &out.mean, g, &WIDE),
        ("out_std", &out.std, g, &WIDE),
        ("out_status", &out.status, g, &U32),
    ])?;
    space.check(group_advantage_workspace(x).minimum)?;
    let args = GroupArgs {
        out_advantages: View::of(out.advantages),
        out_mean: View::of(out.mean),
        out_std: View::of(out.std),
        out_status: View::of(out.status),
        whole: space.data,
        ..group_args(x.rewards, &x.groups, x.lengths, &x.options)
    };
    let queue = Queue::new(context, stream)?;
    // SAFETY: the caller's promise; the arguments have been checked.
    unsafe {
        if whole(&x.options) {
            queue.launch(c"truing_group_batch", 1, READERS, &args)?;
        }
        queue.launch(c"truing_group_advantage", grid(&x.groups, n)?, THREADS, &args)
    }
}

/// Weights of objectives, f32, bf16, f16 or f64; see [`truing_core::advantage::Weights`].
#[derive(Clone, Copy, Debug)]
pub enum Weights {
    /// `[K]`.
    Shared(Tensor),
    /// `[B, K]`.
    OfRow(Tensor),
}
/// See [`truing_core::advantage::MultiObjective`].
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)]
pub struct MultiObjective {
    /// `[B, K]`.
    pub rewards: Tensor,
    pub weights: Option<Weights>,
    pub groups: Groups,
    pub lengths: Option<Tensor>,
    pub options: GroupOptions,
    pub order: Order,
    pub batch_step: BatchStep,
    pub batch_eps: f64,
}
/// Where results go, `[B]`.
#[derive(Clone, Copy, Debug, Default)]
#[allow(missing_docs)]
pub struct MultiObjectiveOut {
    /// f64 or f32, as the next.
    pub advantages: Option<Tensor>,
    pub combined: Option<Tensor>,
    /// u32.
    pub status: Option<Tensor>,
}
/// Upstream gradient and where the weights' goes.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)]
pub struct MultiObjectiveGrad {
    /// `[B]`: f32, bf16, f16 or f64.
    pub grad_advantages: Tensor,
    /// `[K]`, or `[B, K]` where the weights are: f64 or f32.
    pub grad_weights: Tensor,
}
fn multi_sizes(x: &MultiObjective) -> [usize; 3] {
    let (n, k) = (x.rewards.layout.rows(), x.rewards.layout.cols);
    // what rows are combined to has moments of its own
    [Arena::need::<f64>(k.saturating_add(1).saturating_mul(WHOLE)), Arena::need::<f64>(n), Arena::need::<u32>(1)]
}
/// What the gradient needs besides.
fn grad_sizes(x: &MultiObjective) -> [usize; 4] {
    let (n, k, g) = (x.rewards.layout.rows(), x.rewards.layout.cols, x.groups.count());
    let [grads, sums, columns] = match x.order {
        Order::SumFirst => [n, g.saturating_mul(2), 0],
        Order::NormaliseFirst => [0, 0, n.saturating_mul(k)],
    };
    [grads, sums, 2, columns].map(Arena::need::<f64>)
}
/// Scratch memory of [`multi_objective`].
pub fn multi_objective_workspace(x: &MultiObjective) -> Workspace {
    exactly(Arena::sum(multi_sizes(x)))
}
/// Scratch memory of [`multi_objective_backward`]: of the order NORMALISE_FIRST 8 bytes for each reward more.
pub fn multi_objective_backward_workspace(x: &MultiObjective) -> Workspace {
    exactly(Arena::sum(multi_sizes(x)).saturating_add(Arena::sum(grad_sizes(x))))
}
/// What both directions read.
fn multi_args(x: &MultiObjective) -> Result<GroupArgs> {
    let (n, k) = (x.rewards.layout.rows(), x.rewards.layout.cols);
    check_groups(&x.rewards, k, &x.groups, &x.lengths, &x.options)?;
    let weights = match x.weights {
        None => View::NONE,
        Some(Weights::Shared(w)) => {
            w.check("weights", k, 1, &FLOATS)?;
            View::shared(w)
        }
        Some(Weights::OfRow(w)) => {
            w.check("weights", n, k, &FLOATS)?;
            View::of(Some(w))
        }
    };
    Ok(GroupArgs {
        weights,
        objectives: k as i64,
        batch_eps: x.batch_eps,
        becomes: ROWS_OF_ALL,
        batch_step: x.batch_step as u32,
        sum_first: (x.order == Order::SumFirst) as u32,
        of_row: matches!(x.weights, Some(Weights::OfRow(_))) as u32,
        ..group_args(x.rewards, &x.groups, x.lengths, &x.options)
    })
}
/// Enqueues what the rows' advantages of each objective are added up to.
///
/// # Safety
/// As for [`crate::logprob::forward`].
unsafe fn normalise(queue: &Queue<'_>, x: &MultiObjective, args: &GroupArgs) -> Result<()> {
    let each = GroupArgs { becomes: ADDED, ..*args };
    // SAFETY: the caller's promise.
    unsafe {
        if whole(&x.options) {
            queue.launch(c"truing_group_batch", cover("rewards", x.rewards.layout.cols, 1)?, READERS, &each)?;
        }
        queue.launch(c"truing_group_advantage", grid(&x.groups, x.rewards.layout.rows())?, THREADS, &each)
    }
}
/// Enqueues advantages of rows with several rewards.
///
/// # Safety
/// As for [`crate::logprob::forward`].
pub unsafe fn multi_objective(
    context: &Context,
    stream: Stream,
    x: &MultiObjective,
    out: &MultiObjectiveOut,
    space: Space,
) -> Result<()> {
    let n = x.rewards.layout.rows();
    let args = multi_args(x)?;
    outputs(&[
        ("out_advantages", &out.advantages, n, &WIDE),
        ("out_combined", &out.combined, n, &WIDE),
        ("out_status", &out.status, n, &U32),
    ])?;
    space.check(multi_objective_workspace(x).minimum)?;
    let [whole_of, combined, wrong] = places(space, multi_sizes(x));
    let args = GroupArgs {
        out_advantages: View::of(out.advantages),
        out_status: View::of(out.status),
        out_combined: View::of(out.combined),
        whole: whole_of,
        combined,
        wrong,
        ..args
    };
    if n == 0 {
        return Ok(());
    }
    let queue = Queue::new(context, stream)?;
    // SAFETY: the caller's promise; the arguments have been checked.
    unsafe {
        queue.launch(c"truing_group_rows", 1, READERS, &args)?;
        if x.order == Order::SumFirst {
            if whole(&x.options) {
                queue.launch(c"truing_group_batch", 1, READERS, &args)?;
            }
            return queue.launch(c"truing_group_advantage", grid(&x.groups, n)?, THREADS, &args);
        }
        normalise(&queue, x, &args)?;
        if x.batch_step != BatchStep::None {
            queue.launch(c"truing_group_batch", 1, READERS, &args)?;
        }
        queue.launch(c"truing_group_write", cover("rewards", n, THREADS)?, THREADS, &args)
    }
}
/// Enqueues the gradient of the objectives' weights: NaN where an advantage would be, as no row stands apart in it.
///
/// # Safety
/// As for [`crate::logprob::forward`].
pub unsafe fn multi_objective_backward(
    context: &Context,
    stream: Stream,
    x: &MultiObjective,
    grad: &MultiObjectiveGrad,
    space: Space,
) -> Result<()> {
    let (n, k, o) = (x.rewards.layout.rows(), x.rewards.layout.cols, &x.options);
    let args = multi_args(x)?;
    let sums = x.order == Order::SumFirst;
    let without = |field, got: u32, legal| Err(Error::invalid(field, Value::Int(got.into()), Value::Text(legal)));
    if sums && matches!(o.baseline, Baseline::LengthWeighted | Baseline::BestOfGroup) {
        return without("baseline", o.baseline as u32, "NONE, GROUP, LEAVE_ONE_OUT or BATCH in a backward");
    }
    if sums && !matches!(o.scale, Scale::None | Scale::GroupStd | Scale::BatchStd) {
        return without("scale", o.scale as u32, "NONE, GROUP_STD or BATCH_STD in a backward");
    }
    grad.grad_advantages.check("grad_advantages", n, 1, &FLOATS)?;
    let (rows, cols) = if args.of_row == 1 { (n, k) } else { (k, 1) };
    grad.grad_weights.check_out("grad_weights_out", rows, cols, &WIDE)?;
    space.check(multi_objective_backward_workspace(x).minimum)?;
    let [whole_of, combined, wrong] = places(space, multi_sizes(x));
    let behind = Space { data: space.data + Arena::sum(multi_sizes(x)) as u64, ..space };
    let [grads, sums_of, totals, columns] = places(behind, grad_sizes(x));
    let own = (k * WHOLE * size_of::<f64>()) as u64;
    let first = GroupArgs {
        whole: whole_of,
        combined,
        wrong,
        grad_advantages: View::of(Some(grad.grad_advantages)),
        grad_weights: View::of(Some(grad.grad_weights)),
        grads,
        sums: sums_of,
        totals,
        columns: if sums { 0 } else { columns },
        ..args
    };
    let args = GroupArgs { whole: whole_of + own, ..first };
    let queue = Queue::new(context, stream)?;
    // SAFETY: the caller's promise; the arguments have been checked.
    unsafe {
        queue.launch(c"truing_group_rows", 1, READERS, &args)?;
        if !sums {
            normalise(&queue, x, &first)?;
        }
        if !sums || whole(o) {
            queue.launch(c"truing_group_batch", 1, READERS, &args)?;
        }
        if sums {
            let warps = x.groups.count().saturating_mul(32);
            queue.launch(c"truing_group_slopes", cover("rewards", warps, THREADS)?, THREADS, &args)?;
        }
        if if sums { whole(o) } else { x.batch_step != BatchStep::None } {
            queue.launch(c"truing_group_totals", 1, READERS, &args)?;
        }
        queue.launch(c"truing_group_weights", cover("weights", k, 1)?, READERS, &args)
    }
}

/// `truing_gae_args` of the kernels.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
struct GaeArgs {
    rewards: View,
    values: View,
    value_end: View,
    baseline: View,
    mask: View,
    offsets: View,
    out_advantages: View,
    out_returns: View,
    out_status: View,
    grad_advantages: View,
    grad_returns: View,
    grad_rewards: View,
    grad_values: View,
    grad_value_end: View,
    tokens: i64,
    sequences: i64,
    width: i64,
    gamma: f64,
    lambda_policy: f64,
    lambda_value: f64,
    length_alpha: f64,
    masks: u32,
    by_length: u32,
}
/// See [`truing_core::advantage::Gae`].
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)]
pub struct Gae {
    pub layout: Layout,
    /// `[N]`: f32, bf16, f16 or f64, as the next three; absent in a backward.
    pub rewards: Option<Tensor>,
    pub values: Option<Tensor>,
    /// `[B]`, as the next.
    pub value_end: Option<Tensor>,
    pub baseline: Option<Tensor>,
    /// `[N]`: u8, i32 or i64.
    pub mask: Option<Tensor>,
    pub masks: Masks,
    pub params: GaeParams,
}
/// Where results go.
#[derive(Clone, Copy, Debug, Default)]
#[allow(missing_docs)]
pub struct GaeOut {
    /// `[N]`, f64 or f32, as the next.
    pub advantages: Option<Tensor>,
    pub returns: Option<Tensor>,
    /// `[B]`, u32.
    pub status: Option<Tensor>,
}
/// What a backward reads and writes.
#[derive(Clone, Copy, Debug, Default)]
#[allow(missing_docs)]
pub struct GaeGrad {
    /// `[N]`: f32, bf16, f16 or f64, as the next.
    pub grad_advantages: Option<Tensor>,
    pub grad_returns: Option<Tensor>,
    /// `[N]`, f64 or f32, as the next.
    pub grad_rewards: Option<Tensor>,
    pub grad_values: Option<Tensor>,
    /// `[B]`.
    pub grad_value_end: Option<Tensor>,
}
/// Width of padded sequences, else 0 and the offsets.
fn cut(layout: &Layout) -> Result<(i64, Option<Tensor>)> {
    layout.check()?;
    match *layout {
        Layout::Padded { sequences, width } => {
            Segments::Padded { sequences, width }.check(layout.tokens())?;
            Ok((width as i64, None))
        }
        Layout::Packed { offsets, .. } => Ok((0, Some(offsets))),
    }
}
fn gae_args(x: &Gae) -> Result<GaeArgs> {
    let (n, b) = (x.layout.tokens(), x.layout.sequences());
    let (width, offsets) = cut(&x.layout)?;
    inputs(&[
        ("rewards", &x.rewards, n, &FLOATS),
        ("values", &x.values, n, &FLOATS),
        ("mask", &x.mask, n, &MASK),
        ("value_end", &x.value_end, b, &FLOATS),
        ("baseline", &x.baseline, b, &FLOATS),
    ])?;
    Ok(GaeArgs {
        rewards: View::of(x.rewards),
        values: View::of(x.values),
        value_end: View::of(x.value_end),
        baseline: View::of(x.baseline),
        mask: View::of(x.mask),
        offsets: View::of(offsets),
        out_advantages: View::NONE,
        out_returns: View::NONE,
        out_status: View::NONE,
        grad_advantages: View::NONE,
        grad_returns: View::NONE,
        grad_rewards: View::NONE,
        grad_values: View::NONE,
        grad_value_end: View::NONE,
        tokens: n as i64,
        sequences: b as i64,
        width,
        gamma: x.params.gamma,
        lambda_policy: x.params.lambda_policy,
        lambda_value: x.params.lambda_value,
        length_alpha: x.params.length_alpha.unwrap_or(0.0),
        masks: x.masks as u32,
        by_length: x.params.length_alpha.is_some() as u32,
    })
}
/// Enqueues advantages and returns of every sequence.
///
/// # Safety
/// As for [`crate::logprob::forward`].
pub unsafe fn gae(context: &Context, stream: Stream, x: &Gae, out: &GaeOut) -> Result<()> {
    let (n, b) = (x.layout.tokens(), x.layout.sequences());
    if x.rewards.is_none() {
        return Err(missing("rewards", "[N] or [B, T]"));
    }
    if x.baseline.is_some() && x.values.is_some() {
        return Err(unread("baseline", "none with values, which are the baseline"));
    }
    let args = gae_args(x)?;
    outputs(&[
        ("out_advantages", &out.advantages, n, &WIDE),
        ("out_returns", &out.returns, n, &WIDE),
        ("out_status", &out.status, b, &U32),
    ])?;
    let args = GaeArgs {
        out_advantages: View::of(out.advantages),
        out_returns: View::of(out.returns),
        out_status: View::of(out.status),
        ..args
    };
    let grid = cover("rewards", b.saturating_mul(32), THREADS)?;
    // SAFETY: the caller's promise; the arguments have been checked.
    unsafe { Queue::new(context, stream)?.launch(c"truing_gae_forward", grid, THREADS, &args) }
}
/// Enqueues the gradients of rewards and values.
///
/// # Safety
/// As for [`crate::logprob::forward`].
pub unsafe fn gae_backward(context: &Context, stream: Stream, x: &Gae, grad: &GaeGrad) -> Result<()> {
    let (n, b) = (x.layout.tokens(), x.layout.sequences());
    let args = gae_args(x)?;
    inputs(&[
        ("grad_advantages", &grad.grad_advantages, n, &FLOATS),
        ("grad_returns", &grad.grad_returns, n, &FLOATS),
    ])?;
    outputs(&[
        ("grad_rewards_out", &grad.grad_rewards, n, &WIDE),
        ("grad_values_out", &grad.grad_values, n, &WIDE),
        ("grad_value_end_out", &grad.grad_value_end, b, &WIDE),
    ])?;
    let args = GaeArgs {
        grad_advantages: View::of(grad.grad_advantages),
        grad_returns: View::of(grad.grad_returns),
        grad_rewards: View::of(grad.grad_rewards),
        grad_values: View::of(grad.grad_values),
        grad_value_end: View::of(grad.grad_value_end),
        ..args
    };
    let grid = cover("grad_advantages", b.saturating_mul(32), THREADS)?;
    // SAFETY: the caller's promise; the arguments have been checked.
    unsafe { Queue::new(context, stream)?.launch(c"truing_gae_backward", grid, THREADS, &args) }
}

/// `truing_whiten_args` of the kernels.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
struct WhitenArgs {
    values: View,
    mask: View,
    counts: View,
    states: View,
    out_values: View,
    out_state: View,
    out_moments: View,
    out_status: View,
    parts: u64,
    totals: u64,
    marks: u64,
    rows: i64,
    many: i64,
    ranks: i64,
    eps: f64,
    population: u32,
    eps_kind: u32,
    keep_mean: u32,
    reserved: u32,
}
/// See [`truing_core::advantage::Whiten`].
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)]
pub struct Whiten {
    /// `[n]`: f32, bf16, f16 or f64.
    pub values: Tensor,
    /// `[n]`: u8, i32 or i64.
    pub mask: Option<Tensor>,
    /// `[n]`, i32 or i64.
    pub counts: Option<Tensor>,
    /// `[ranks, 3]`, f64.
    pub states: Option<Tensor>,
    pub std_kind: StdKind,
    pub eps_kind: EpsKind,
    pub keep_mean: bool,
    pub eps: f64,
}
/// Where results go.
#[derive(Clone, Copy, Debug, Default)]
#[allow(missing_docs)]
pub struct WhitenOut {
    /// `[n]`, f64 or f32.
    pub values: Option<Tensor>,
    /// `[3]`, f64.
    pub state: Option<Tensor>,
    /// `[2]`, f64 or f32.
    pub moments: Option<Tensor>,
    /// One word, u32.
    pub status: Option<Tensor>,
}
fn whiten_sizes(rows: usize) -> [usize; 3] {
    let many = rows.div_ceil(READERS);
    [Arena::need::<f64>(3 * many), Arena::need::<f64>(4), Arena::need::<u32>(many)]
}
/// Scratch memory of [`whiten`].
pub fn whiten_workspace(x: &Whiten) -> Workspace {
    exactly(Arena::sum(whiten_sizes(x.values.layout.rows())))
}
/// Enqueues standardised values and their moments.
///
/// # Safety
/// As for [`crate::logprob::forward`].
pub unsafe fn whiten(context: &Context, stream: Stream, x: &Whiten, out: &WhitenOut, space: Space) -> Result<()> {
    let n = x.values.layout.rows();
    x.values.check("values", n, 1, &FLOATS)?;
    inputs(&[("mask", &x.mask, n, &MASK), ("counts", &x.counts, n, &IDS)])?;
    let ranks = x.states.map_or(0, |s| s.layout.rows());
    x.states.as_ref().map_or(Ok(()), |s| s.check("states", ranks, 3, &F64))?;
    outputs(&[
        ("out_values", &out.values, n, &WIDE),
        ("out_state", &out.state, 3, &F64),
        ("out_moments", &out.moments, 2, &WIDE),
        ("out_status", &out.status, 1, &U32),
    ])?;
    space.check(whiten_workspace(x).minimum)?;
    let many = n.div_ceil(READERS);
    let [parts, totals, marks] = places(space, whiten_sizes(n));
    let args = WhitenArgs {
        values: View::of(Some(x.values)),
        mask: View::of(x.mask),
        counts: View::of(x.counts),
        states: View::of(x.states),
        out_values: View::of(out.values),
        out_state: View::of(out.state),
        out_moments: View::of(out.moments),
        out_status: View::of(out.status),
        parts,
        totals,
        marks,
        rows: n as i64,
        many: many as i64,
        ranks: ranks as i64,
        eps: x.eps,
        population: (x.std_kind == StdKind::Population) as u32,
        eps_kind: x.eps_kind as u32,
        keep_mean: x.keep_mean as u32,
        reserved: 0,
    };
    let queue = Queue::new(context, stream)?;
    // SAFETY: the caller's promise; the arguments have been checked.
    unsafe {
        queue.launch(c"truing_whiten_parts", cover("values", n, READERS)?, READERS, &args)?;
        queue.launch(c"truing_whiten_join", 1, 32, &args)?;
        if out.values.is_none() {
            return Ok(());
        }
        queue.launch(c"truing_whiten_values", cover("values", n, WRITERS)?, WRITERS, &args)
    }
}

/// `truing_reward_args` of the kernels.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
struct RewardArgs {
    old: View,
    reference: View,
    rewards: View,
    mask: View,
    offsets: View,
    out_rewards: View,
    out_kl: View,
    out_status: View,
    tokens: i64,
    sequences: i64,
    width: i64,
    coef: f64,
    clamp: f64,
    low: f64,
    high: f64,
    estimator: u32,
    by_sequence: u32,
}
/// See [`truing_core::advantage::TokenReward`].
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)]
pub struct TokenReward {
    pub layout: Layout,
    /// `[N]`: f32, bf16, f16 or f64, as the next two.
    pub old: Tensor,
    pub reference: Tensor,
    /// `[B]`.
    pub rewards: Option<Tensor>,
    /// `[N]`: u8, i32 or i64.
    pub mask: Option<Tensor>,
    pub by_sequence: bool,
    pub estimator: u32,
    pub params: [f64; 4],
}
/// Where results go.
#[derive(Clone, Copy, Debug, Default)]
#[allow(missing_docs)]
pub struct TokenRewardOut {
    /// `[N]`, or `[B]` by sequence: f64 or f32, as the next.
    pub rewards: Option<Tensor>,
    /// `[B]`, as the next.
    pub kl: Option<Tensor>,
    /// u32.
    pub status: Option<Tensor>,
}
/// Enqueues rewards of tokens or sequences.
///
/// # Safety
/// As for [`crate::logprob::forward`].
pub unsafe fn token_reward(context: &Context, stream: Stream, x: &TokenReward, out: &TokenRewardOut) -> Result<()> {
    let (n, b) = (x.layout.tokens(), x.layout.sequences());
    let (width, offsets) = cut(&x.layout)?;
    inputs(&[
        ("old", &Some(x.old), n, &FLOATS),
        ("ref", &Some(x.reference), n, &FLOATS),
        ("rewards", &x.rewards, b, &FLOATS),
        ("mask", &x.mask, n, &MASK),
    ])?;
    if catalog::info(x.estimator).is_none_or(|i| i.kind != catalog::Kind::Estimator) {
        let legal = Value::Text("an entry of the estimator kind");
        return Err(Error::invalid("estimator", Value::Int(x.estimator.into()), legal));
    }
    outputs(&[
        ("out_rewards", &out.rewards, if x.by_sequence { b } else { n }, &WIDE),
        ("out_kl", &out.kl, b, &WIDE),
        ("out_status", &out.status, b, &U32),
    ])?;
    let [coef, clamp, low, high] = x.params;
    let args = RewardArgs {
        old: View::of(Some(x.old)),
        reference: View::of(Some(x.reference)),
        rewards: View::of(x.rewards),
        mask: View::of(x.mask),
        offsets: View::of(offsets),
        out_rewards: View::of(out.rewards),
        out_kl: View::of(out.kl),
        out_status: View::of(out.status),
        tokens: n as i64,
        sequences: b as i64,
        width,
        coef,
        clamp,
        low,
        high,
        estimator: x.estimator,
        by_sequence: x.by_sequence as u32,
    };
    let grid = cover("old", b.saturating_mul(32), THREADS)?;
    // SAFETY: the caller's promise; the arguments have been checked.
    unsafe { Queue::new(context, stream)?.launch(c"truing_reward_tokens", grid, THREADS, &args) }
}
/// See [`truing_core::advantage::LagrangianAdvantage`]; a multiplier that is NaN makes the results NaN.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)]
pub struct LagrangianAdvantage {
    /// `[N]`: f32, bf16, f16 or f64, as the next.
    pub reward_advantages: Tensor,
    pub cost_advantages: Tensor,
    /// `[N]`: u8, i32 or i64.
    pub mask: Option<Tensor>,
    /// One number, as the next.
    pub log_lambda: Tensor,
    pub mean_cost: Option<Tensor>,
    pub cost_limit: f64,
}
/// Where results go.
#[derive(Clone, Copy, Debug, Default)]
#[allow(missing_docs)]
pub struct LagrangianAdvantageOut {
    /// `[N]`: f64 or f32.
    pub advantages: Option<Tensor>,
    /// One number, f64 or f32.
    pub grad_log_lambda: Option<Tensor>,
}
/// Enqueues advantages under a multiplier, and the multiplier's gradient.
///
/// # Safety
/// As for [`crate::logprob::forward`].
pub unsafe fn lagrangian_advantage(
    context: &Context,
    stream: Stream,
    x: &LagrangianAdvantage,
    out: &LagrangianAdvantageOut,
) -> Result<()> {
    let n = x.reward_advantages.layout.rows();
    inputs(&[
        ("reward_advantages", &Some(x.reward_advantages), n, &FLOATS),
        ("cost_advantages", &Some(x.cost_advantages), n, &FLOATS),
        ("mask", &x.mask, n, &MASK),
        ("log_lambda", &Some(x.log_lambda), 1, &FLOATS),
        ("mean_cost", &x.mean_cost, 1, &FLOATS),
    ])?;
    if !x.cost_limit.is_finite() {
        return Err(Error::invalid("cost_limit", Value::Float(x.cost_limit), Value::Text("a finite number")));
    }
    if out.grad_log_lambda.is_some() && x.mean_cost.is_none() {
        return Err(missing("mean_cost", "one number, for the gradient of log lambda"));
    }
    outputs(&[("out_advantages", &out.advantages, n, &WIDE), ("grad_log_lambda_out", &out.grad_log_lambda, 1, &WIDE)])?;
    let args = RewardArgs {
        old: View::of(Some(x.reward_advantages)),
        reference: View::of(Some(x.cost_advantages)),
        rewards: View::of(Some(x.log_lambda)),
        mask: View::of(x.mask),
        offsets: View::of(x.mean_cost),
        out_rewards: View::of(out.advantages),
        out_kl: View::of(out.grad_log_lambda),
        out_status: View::NONE,
        tokens: n as i64,
        sequences: 0,
        width: 0,
        coef: x.cost_limit,
        clamp: 0.0,
        low: 0.0,
        high: 0.0,
        estimator: 0,
        by_sequence: 0,
    };
    let grid = cover("reward_advantages", n.max(1), WRITERS)?;
    // SAFETY: the caller's promise; the arguments have been checked.
    unsafe { Queue::new(context, stream)?.launch(c"truing_reward_lagrangian", grid, WRITERS, &args) }
}
/// `truing_distill_args` of the kernels.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
struct DistillArgs {
    student: View,
    teacher: View,
    advantages: View,
    token_rewards: View,
    mask: View,
    offsets: View,
    out_advantages: View,
    out_status: View,
    tokens: i64,
    sequences: i64,
    width: i64,
    p: [f64; 2],
    form: u32,
    estimator: u32,
    by_sequence: u32,
    missing_zero: u32,
    negative_only: u32,
    per_length: u32,
    position_power: u32,
    reserved: u32,
}
/// See [`truing_core::advantage::DistillAdvantage`]; a missing teacher value that does not count as 0 makes its token NaN.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)]
pub struct DistillAdvantage {
    pub layout: Layout,
    /// `[N]`: f32, bf16, f16 or f64, as the next three.
    pub student: Tensor,
    pub teacher: Tensor,
    /// `[N]`, or `[B]` by sequence.
    pub advantages: Option<Tensor>,
    pub token_rewards: Option<Tensor>,
    /// `[N]`: u8, i32 or i64.
    pub mask: Option<Tensor>,
    pub by_sequence: bool,
    pub form: Distill,
    pub estimator: u32,
    pub flags: DistillFlags,
}
/// Where results go.
#[derive(Clone, Copy, Debug, Default)]
#[allow(missing_docs)]
pub struct DistillAdvantageOut {
    /// `[N]`: f64 or f32.
    pub advantages: Option<Tensor>,
    /// `[B]`, u32.
    pub status: Option<Tensor>,
}
/// Enqueues advantages from a teacher.
///
/// # Safety
/// As for [`crate::logprob::forward`].
pub unsafe fn distill_advantage(
    context: &Context,
    stream: Stream,
    x: &DistillAdvantage,
    out: &DistillAdvantageOut,
) -> Result<()> {
    let (n, b) = (x.layout.tokens(), x.layout.sequences());
    let (width, offsets) = cut(&x.layout)?;
    // what core says of the form, of no token: the host cannot look at them
    let none = Floats::F64(Matrix::vector(&[]));
    let own = spec::DistillAdvantage {
        segments: Segments::Padded { sequences: 0, width: 1 },
        student: none,
        teacher: none,
        advantages: x.advantages.map(|_| truing_core::policy::Advantage::Token(none)),
        token_rewards: x.token_rewards.map(|_| none),
        mask: None,
        form: x.form,
        estimator: x.estimator,
        flags: x.flags,
    };
    own.check(&spec::DistillAdvantageOut::default())?;
    inputs(&[
        ("student", &Some(x.student), n, &FLOATS),
        ("teacher", &Some(x.teacher), n, &FLOATS),
        ("advantages", &x.advantages, if x.by_sequence { b } else { n }, &FLOATS),
        ("token_rewards", &x.token_rewards, n, &FLOATS),
        ("mask", &x.mask, n, &MASK),
    ])?;
    outputs(&[("out_advantages", &out.advantages, n, &WIDE), ("out_status", &out.status, b, &U32)])?;
    let (form, p) = match x.form {
        Distill::Opd { coef, clamp } => (0, [coef, clamp]),
        Distill::IwOpd { gain } => (1, [gain, 0.0]),
        Distill::Rlsd { mix, eps } => (2, [mix, eps]),
        Distill::MiniLlm { gamma } => (3, [gamma, 0.0]),
    };
    let args = DistillArgs {
        student: View::of(Some(x.student)),
        teacher: View::of(Some(x.teacher)),
        advantages: View::of(x.advantages),
        token_rewards: View::of(x.token_rewards),
        mask: View::of(x.mask),
        offsets: View::of(offsets),
        out_advantages: View::of(out.advantages),
        out_status: View::of(out.status),
        tokens: n as i64,
        sequences: b as i64,
        width,
        p,
        form,
        estimator: x.estimator,
        by_sequence: x.by_sequence as u32,
        missing_zero: x.flags.missing_zero as u32,
        negative_only: x.flags.negative_only as u32,
        per_length: x.flags.per_length as u32,
        position_power: x.flags.position_power as u32,
        reserved: 0,
    };
    let grid = cover("student", b.saturating_mul(32), THREADS)?;
    // SAFETY: the caller's promise; the arguments have been checked.
    unsafe { Queue::new(context, stream)?.launch(c"truing_distill_tokens", grid, THREADS, &args) }
}

/// `truing_baseline_args` of the kernels.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
struct BaselineArgs {
    rewards: View,
    logps: View,
    log_sum_sq: View,
    weights: View,
    outcome: View,
    mask: View,
    cu_seqlens: View,
    offsets: View,
    ids: View,
    out_advantages: View,
    out_baseline: View,
    out_status: View,
    to_go: u64,
    path: u64,
    means: u64,
    moments: u64,
    reach: u64,
    state: u64,
    tokens: i64,
    rows: i64,
    width: i64,
    groups: i64,
    eps: f64,
    coef: [f64; 2],
    live_index: u32,
    keep_tail: u32,
}
impl BaselineArgs {
    fn new(layout: &Layout, groups: &Groups) -> Result<BaselineArgs> {
        let (width, cu_seqlens) = cut(layout)?;
        let (offsets, ids) = groups.views();
        Ok(BaselineArgs {
            rewards: View::NONE,
            logps: View::NONE,
            log_sum_sq: View::NONE,
            weights: View::NONE,
            outcome: View::NONE,
            mask: View::NONE,
            cu_seqlens: View::of(cu_seqlens),
            offsets,
            ids,
            out_advantages: View::NONE,
            out_baseline: View::NONE,
            out_status: View::NONE,
            to_go: 0,
            path: 0,
            means: 0,
            moments: 0,
            reach: 0,
            state: 0,
            tokens: layout.tokens() as i64,
            rows: layout.sequences() as i64,
            width,
            groups: groups.count() as i64,
            eps: 0.0,
            coef: [0.0; 2],
            live_index: 0,
            keep_tail: 0,
        })
    }
}
/// See [`truing_core::advantage::OptimalTokenBaseline`]. A row of a group that does not exist is NaN with the status
/// `OUT_OF_RANGE`.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)]
pub struct OptimalTokenBaseline {
    pub layout: Layout,
    /// `[N]`: f32, bf16, f16 or f64, as the next three.
    pub rewards: Tensor,
    pub logps: Tensor,
    pub log_sum_sq: Tensor,
    pub importance_weight: Option<Tensor>,
    /// `[N]`: u8, i32 or i64.
    pub mask: Option<Tensor>,
    /// Of rows.
    pub groups: Groups,
    pub alignment: Alignment,
    pub keep_tail: bool,
    pub eps: f64,
}
/// Where results go.
#[derive(Clone, Copy, Debug, Default)]
#[allow(missing_docs)]
pub struct OptimalTokenBaselineOut {
    /// `[N]`: f64 or f32, as the next.
    pub advantages: Option<Tensor>,
    pub baseline: Option<Tensor>,
    /// `[B]`, u32.
    pub status: Option<Tensor>,
}
fn baseline_sizes(layout: &Layout) -> [usize; 4] {
    let (token, row) = (Arena::need::<f64>(layout.tokens()), Arena::need::<u32>(layout.sequences()));
    [token, token, row, row]
}
/// Scratch memory of [`optimal_token_baseline`]: 16 bytes a token.
pub fn optimal_token_baseline_workspace(x: &OptimalTokenBaseline) -> Workspace {
    exactly(Arena::sum(baseline_sizes(&x.layout)))
}
/// Enqueues rewards to go minus the best baseline of each position. With the positions of a group's rows each token reads
/// the group: rows of a group times tokens.
///
/// # Safety
/// As for [`crate::logprob::forward`].
pub unsafe fn optimal_token_baseline(
    context: &Context,
    stream: Stream,
    x: &OptimalTokenBaseline,
    out: &OptimalTokenBaselineOut,
    space: Space,
) -> Result<()> {
    let (n, b) = (x.layout.tokens(), x.layout.sequences());
    let args = BaselineArgs::new(&x.layout, &x.groups)?;
    inputs(&[
        ("rewards", &Some(x.rewards), n, &FLOATS),
        ("logps", &Some(x.logps), n, &FLOATS),
        ("log_sum_sq", &Some(x.log_sum_sq), n, &FLOATS),
        ("importance_weight", &x.importance_weight, n, &FLOATS),
        ("mask", &x.mask, n, &MASK),
    ])?;
    x.groups.check(b)?;
    outputs(&[
        ("out_advantages", &out.advantages, n, &WIDE),
        ("out_baseline", &out.baseline, n, &WIDE),
        ("out_status", &out.status, b, &U32),
    ])?;
    space.check(optimal_token_baseline_workspace(x).minimum)?;
    let [to_go, path, reach, state] = places(space, baseline_sizes(&x.layout));
    let args = BaselineArgs {
        rewards: View::of(Some(x.rewards)),
        logps: View::of(Some(x.logps)),
        log_sum_sq: View::of(Some(x.log_sum_sq)),
        weights: View::of(x.importance_weight),
        mask: View::of(x.mask),
        out_advantages: View::of(out.advantages),
        out_baseline: View::of(out.baseline),
        out_status: View::of(out.status),
        to_go,
        path,
        reach,
        state,
        eps: x.eps,
        live_index: (x.alignment == Alignment::LiveIndex) as u32,
        keep_tail: x.keep_tail as u32,
        ..args
    };
    let queue = Queue::new(context, stream)?;
    let grid = cover("rewards", b.saturating_mul(32), THREADS)?;
    // SAFETY: the caller's promise; the arguments have been checked.
    unsafe {
        queue.launch(c"truing_baseline_rows", grid, THREADS, &args)?;
        queue.launch(c"truing_baseline_tokens", grid, THREADS, &args)
    }
}
/// See [`truing_core::advantage::PrimeAdvantage`]. A group with a reward that is not finite, or of one row, is NaN with the
/// status `OUT_OF_RANGE`, and so is a row of no group.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)]
pub struct PrimeAdvantage {
    pub layout: Layout,
    /// `[N]`: f32, bf16, f16 or f64, as the next.
    pub process_rewards: Option<Tensor>,
    /// `[B]`.
    pub outcome: Option<Tensor>,
    /// `[N]`: u8, i32 or i64.
    pub mask: Option<Tensor>,
    /// Of rows, of two at least.
    pub groups: Groups,
    pub coef: [f64; 2],
}
/// Where results go.
#[derive(Clone, Copy, Debug, Default)]
#[allow(missing_docs)]
pub struct PrimeAdvantageOut {
    /// `[N]`: f64 or f32.
    pub returns: Option<Tensor>,
    /// `[B]`, u32.
    pub status: Option<Tensor>,
}
fn prime_sizes(x: &PrimeAdvantage) -> [usize; 3] {
    let (b, g) = (x.layout.sequences(), x.groups.count());
    [Arena::need::<f64>(b.saturating_mul(2)), Arena::need::<f64>(g.saturating_mul(8)), Arena::need::<u32>(b)]
}
/// Scratch memory of [`prime_advantage`].
pub fn prime_advantage_workspace(x: &PrimeAdvantage) -> Workspace {
    exactly(Arena::sum(prime_sizes(x)))
}
/// Enqueues returns of process rewards and outcomes.
///
/// # Safety
/// As for [`crate::logprob::forward`].
pub unsafe fn prime_advantage(
    context: &Context,
    stream: Stream,
    x: &PrimeAdvantage,
    out: &PrimeAdvantageOut,
    space: Space,
) -> Result<()> {
    let (n, b) = (x.layout.tokens(), x.layout.sequences());
    let args = BaselineArgs::new(&x.layout, &x.groups)?;
    if x.process_rewards.is_none() && x.outcome.is_none() {
        return Err(missing("process_rewards", "[N] or [B, T], or an outcome"));
    }
    inputs(&[
        ("process_rewards", &x.process_rewards, n, &FLOATS),
        ("outcome", &x.outcome, b, &FLOATS),
        ("mask", &x.mask, n, &MASK),
    ])?;
    x.groups.check(b)?;
    outputs(&[("out_returns", &out.returns, n, &WIDE), ("out_status", &out.status, b, &U32)])?;
    space.check(prime_advantage_workspace(x).minimum)?;
    let [means, moments, state] = places(space, prime_sizes(x));
    let args = BaselineArgs {
        rewards: View::of(x.process_rewards),
        outcome: View::of(x.outcome),
        mask: View::of(x.mask),
        out_advantages: View::of(out.returns),
        out_status: View::of(out.status),
        means,
        moments,
        state,
        coef: x.coef,
        ..args
    };
    let queue = Queue::new(context, stream)?;
    let warps = |n: usize| cover("process_rewards", n.saturating_mul(32), THREADS);
    // SAFETY: the caller's promise; the arguments have been checked.
    unsafe {
        queue.launch(c"truing_baseline_means", warps(b)?, THREADS, &args)?;
        queue.launch(c"truing_baseline_groups", warps(x.groups.count())?, THREADS, &args)?;
        queue.launch(c"truing_baseline_returns", warps(b)?, THREADS, &args)
    }
}

/// `truing_objective_args` of the kernels.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
struct ObjectiveArgs {
    values: View,
    logps: View,
    anchor: View,
    mask: View,
    offsets: View,
    out: View,
    out_weights: View,
    out_status: View,
    rows: i64,
    columns: i64,
    tokens: i64,
    sequences: i64,
    width: i64,
    p: [f64; 4],
    form: u32,
    reserved: u32,
}
impl ObjectiveArgs {
    const NONE: ObjectiveArgs = ObjectiveArgs {
        values: View::NONE,
        logps: View::NONE,
        anchor: View::NONE,
        mask: View::NONE,
        offsets: View::NONE,
        out: View::NONE,
        out_weights: View::NONE,
        out_status: View::NONE,
        rows: 0,
        columns: 0,
        tokens: 0,
        sequences: 0,
        width: 0,
        p: [0.0; 4],
        form: 0,
        reserved: 0,
    };
}
/// As many objectives as there may be.
fn objectives(field: &'static str, n: usize) -> Result<()> {
    if (1..=MAX_OBJECTIVES).contains(&n) {
        return Ok(());
    }
    Err(Error::shape(field, Value::Size(n), Value::Below(1, MAX_OBJECTIVES as i64 + 1)))
}
fn table(field: &'static str, x: &Option<Tensor>, rows: usize, cols: usize) -> Result<()> {
    x.as_ref().map_or(Ok(()), |x| x.check_out(field, rows, cols, &WIDE))
}
/// See [`truing_core::advantage::PamaScalars`]; offsets are read where sequences are averaged over.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)]
pub struct PamaScalars {
    pub layout: Layout,
    /// `[n, N]`: f32, bf16, f16 or f64, as the next two.
    pub advantages: Tensor,
    /// `[N]`, as the next.
    pub logps: Tensor,
    pub anchor: Tensor,
    /// `[N]`: u8, i32 or i64.
    pub mask: Option<Tensor>,
    pub granularity: Granularity,
    pub clip_high: f64,
}
/// Enqueues mean clipped advantages, `[n, 1]`, `[n, B]` or `[n, N]`: f64 or f32.
///
/// # Safety
/// As for [`crate::logprob::forward`].
pub unsafe fn pama_scalars(context: &Context, stream: Stream, x: &PamaScalars, out: &Option<Tensor>) -> Result<()> {
    let (n, b, rows) = (x.layout.tokens(), x.layout.sequences(), x.advantages.layout.rows());
    inputs(&[("logps", &Some(x.logps), n, &FLOATS)])?;
    let (width, offsets) = cut(&x.layout)?;
    inputs(&[("anchor", &Some(x.anchor), n, &FLOATS), ("mask", &x.mask, n, &MASK)])?;
    x.advantages.check("advantages", rows, n, &FLOATS)?;
    let columns = match x.granularity {
        Granularity::Batch => 1,
        Granularity::Sequence => b,
        Granularity::Token => n,
    };
    table("out_scalars", out, rows, columns)?;
    if out.is_none() {
        return Ok(());
    }
    let args = ObjectiveArgs {
        values: View::of(Some(x.advantages)),
        logps: View::of(Some(x.logps)),
        anchor: View::of(Some(x.anchor)),
        mask: View::of(x.mask),
        offsets: View::of(offsets),
        out: View::of(*out),
        rows: rows as i64,
        columns: columns as i64,
        tokens: n as i64,
        sequences: b as i64,
        width,
        p: [Real::log1p(x.clip_high), 0.0, 0.0, 0.0],
        form: x.granularity as u32,
        ..ObjectiveArgs::NONE
    };
    let (name, threads) = match x.granularity {
        Granularity::Token => (c"truing_objective_tokens", rows.saturating_mul(n)),
        _ => (c"truing_objective_sums", rows.saturating_mul(columns).saturating_mul(32)),
    };
    let grid = cover("advantages", threads, THREADS)?;
    // SAFETY: the caller's promise; the arguments have been checked.
    unsafe { Queue::new(context, stream)?.launch(name, grid, THREADS, &args) }
}
/// Where [`interval_weights`] go.
#[derive(Clone, Copy, Debug, Default)]
#[allow(missing_docs)]
pub struct IntervalWeightsOut {
    /// `[m]`: f64 or f32.
    pub value: Option<Tensor>,
    /// `[n, m]`: f64 or f32.
    pub weights: Option<Tensor>,
    /// `[m]`, u32.
    pub status: Option<Tensor>,
}
/// Enqueues the least element of every column of `scalars`, `[n, m]`; see [`truing_core::advantage::IntervalWeights`].
///
/// # Safety
/// As for [`crate::logprob::forward`].
pub unsafe fn interval_weights(
    context: &Context,
    stream: Stream,
    scalars: Tensor,
    out: &IntervalWeightsOut,
) -> Result<()> {
    let (n, m) = (scalars.layout.rows(), scalars.layout.cols);
    objectives("scalars", n)?;
    scalars.check("scalars", n, m, &FLOATS)?;
    outputs(&[("out_value", &out.value, m, &WIDE)])?;
    table("out_weights", &out.weights, n, m)?;
    outputs(&[("out_status", &out.status, m, &U32)])?;
    let args = ObjectiveArgs {
        values: View::of(Some(scalars)),
        out: View::of(out.value),
        out_weights: View::of(out.weights),
        out_status: View::of(out.status),
        rows: n as i64,
        columns: m as i64,
        ..ObjectiveArgs::NONE
    };
    let grid = cover("scalars", m, THREADS)?;
    // SAFETY: the caller's promise; the arguments have been checked.
    unsafe { Queue::new(context, stream)?.launch(c"truing_objective_interval", grid, THREADS, &args) }
}
/// See [`truing_core::advantage::GramMatrix`].
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)]
pub struct GramMatrix {
    /// `[n, N]`: f32, bf16, f16 or f64.
    pub values: Tensor,
    /// `[N]`: u8, i32 or i64.
    pub mask: Option<Tensor>,
    pub unit_rows: bool,
}
/// Enqueues mean products of all pairs of rows, `[n, n]`: f64 or f32. Each pair reads both of its rows.
///
/// # Safety
/// As for [`crate::logprob::forward`].
pub unsafe fn gram_matrix(context: &Context, stream: Stream, x: &GramMatrix, gram: Tensor) -> Result<()> {
    let (n, tokens) = (x.values.layout.rows(), x.values.layout.cols);
    objectives("values", n)?;
    x.values.check("values", n, tokens, &FLOATS)?;
    inputs(&[("mask", &x.mask, tokens, &MASK)])?;
    gram.check_out("out_gram", n, n, &WIDE)?;
    let args = ObjectiveArgs {
        values: View::of(Some(x.values)),
        mask: View::of(x.mask),
        out: View::of(Some(gram)),
        rows: n as i64,
        tokens: tokens as i64,
        form: x.unit_rows as u32,
        ..ObjectiveArgs::NONE
    };
    let grid = cover("values", n * n * 32, THREADS)?;
    // SAFETY: the caller's promise; the arguments have been checked.
    unsafe { Queue::new(context, stream)?.launch(c"truing_objective_gram", grid, THREADS, &args) }
}
/// Where [`min_norm_weights`] go, f64 or f32.
#[derive(Clone, Copy, Debug, Default)]
#[allow(missing_docs)]
pub struct MinNormWeightsOut {
    /// `[n]`.
    pub weights: Option<Tensor>,
    /// One number.
    pub value: Option<Tensor>,
}
/// Enqueues weights of least norm; see [`truing_core::advantage::MinNormWeights`].
///
/// # Safety
/// As for [`crate::logprob::forward`].
pub unsafe fn min_norm_weights(
    context: &Context,
    stream: Stream,
    gram: Tensor,
    tolerance: f64,
    out: &MinNormWeightsOut,
) -> Result<()> {
    let n = gram.layout.rows();
    objectives("gram", n)?;
    gram.check("gram", n, n, &FLOATS)?;
    outputs(&[("out_weights", &out.weights, n, &WIDE), ("out_value", &out.value, 1, &WIDE)])?;
    let args = ObjectiveArgs {
        values: View::of(Some(gram)),
        out: View::of(out.value),
        out_weights: View::of(out.weights),
        rows: n as i64,
        p: [tolerance, 0.0, 0.0, 0.0],
        ..ObjectiveArgs::NONE
    };
    // SAFETY: the caller's promise; the arguments have been checked.
    unsafe { Queue::new(context, stream)?.launch(c"truing_objective_weights", 1, SOLVERS, &args) }
}
/// Where a step of a coefficient goes: one number each.
#[derive(Clone, Copy, Debug, Default)]
#[allow(missing_docs)]
pub struct ControllerOut {
    /// f64 or f32, as the next.
    pub coef: Option<Tensor>,
    pub applied: Option<Tensor>,
    /// u32.
    pub status: Option<Tensor>,
}
/// Enqueues one step of a coefficient; see [`truing_core::advantage::Controller`]. A coefficient that is none has the status
/// `OUT_OF_RANGE`.
///
/// # Safety
/// As for [`crate::logprob::forward`].
pub unsafe fn controller(
    context: &Context,
    stream: Stream,
    measured: Tensor,
    coef: Tensor,
    rule: Rule,
    out: &ControllerOut,
) -> Result<()> {
    inputs(&[("measured", &Some(measured), 1, &FLOATS), ("coef", &Some(coef), 1, &FLOATS)])?;
    outputs(&[
        ("out_coef", &out.coef, 1, &WIDE),
        ("out_applied", &out.applied, 1, &WIDE),
        ("out_status", &out.status, 1, &U32),
    ])?;
    let (form, p) = match rule {
        Rule::Kl { target, batch, horizon } => (0, [target, batch, horizon, 0.0]),
        Rule::Entropy { target, step, minimum, maximum } => (1, [target, step, minimum, maximum]),
    };
    let args = ObjectiveArgs {
        logps: View::of(Some(measured)),
        anchor: View::of(Some(coef)),
        out: View::of(out.coef),
        out_weights: View::of(out.applied),
        out_status: View::of(out.status),
        p,
        form,
        ..ObjectiveArgs::NONE
    };
    // SAFETY: the caller's promise; the arguments have been checked.
    unsafe { Queue::new(context, stream)?.launch(c"truing_objective_coefficient", 1, 32, &args) }
}
