//! Token log-prob of logits `[N, V]` on a device, forward and backward, with the bits of the CPU. `kernels/logprob.cu`
//! says how.
//!
//! What the host cannot look at without waiting is judged on the device: a target outside the vocabulary makes its row NaN,
//! flagged `OUT_OF_RANGE`; a row temperature that is not finite and above 0, and a bias that is NaN or `+inf`, make the rows
//! that they meet NaN, flagged `OVERFLOW`. What is asked for now and then is in [`extra`], and f64 logits are.
use crate::driver::{Device, Grid, Kernel, Stream};
use crate::plan::{self, F32, FLOATS, I32, IDS, LOGITS, MASK, Space, Tensor, U8, U32, View, cover};
use crate::program::{Context, File};
use core::ffi::CStr;
use truing_core::logprob::{Problem, STATS};
use truing_core::matrix::{Arena, Workspace};
use truing_core::record::BLOCK;
use truing_core::{Dtype, Error, Result, Status, Value};

mod double;
pub mod extra;
pub use double::ARGS as DOUBLE_ARGS;
pub(crate) use double::FILE as DOUBLE;

pub(crate) const FILE: File = File { name: c"logprob.cu", text: include_str!("../kernels/logprob.cu") };

/// What both directions read.
#[derive(Clone, Copy, Debug)]
pub struct Inputs {
    /// `[N, V]`: f32, bf16 or f16.
    pub logits: Tensor,
    /// `[V]`: finite or `-inf` (a dead column).
    pub bias: Option<Tensor>,
    /// `[N]`, f32, replaces the temperature.
    pub row_temperature: Option<Tensor>,
    /// `[N]`: i32 or i64; needed by every figure of the target.
    pub target: Option<Tensor>,
    /// `[N]`: u8, i32 or i64; a row with 0 is not read.
    pub mask: Option<Tensor>,
}
impl Inputs {
    /// Logits and targets alone.
    pub fn new(logits: Tensor, target: Option<Tensor>) -> Inputs {
        Inputs { logits, bias: None, row_temperature: None, target, mask: None }
    }
}
/// Where figures go, `[N]` each; see [`truing_core::logprob::Figures`].
#[derive(Clone, Copy, Debug, Default)]
#[allow(missing_docs)]
pub struct Figures {
    pub logprob: Option<Tensor>,
    pub lse: Option<Tensor>,
    pub max: Option<Tensor>,
    /// i32
    pub argmax: Option<Tensor>,
    pub entropy: Option<Tensor>,
    pub log_sum_sq: Option<Tensor>,
    /// u8
    pub is_top1: Option<Tensor>,
    /// `[N, 12]`, for the backward.
    pub stats: Option<Tensor>,
    /// u32
    pub status: Option<Tensor>,
}
/// Gradients of a scalar with respect to the figures, `[N]` each, f32; an absent one counts as 0.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)]
pub struct Upstream {
    pub logprob: Option<Tensor>,
    pub lse: Option<Tensor>,
    pub entropy: Option<Tensor>,
    /// Host factor on all of them.
    pub scale: f64,
}
impl Default for Upstream {
    fn default() -> Upstream {
        Upstream { logprob: None, lse: None, entropy: None, scale: 1.0 }
    }
}

/// `truing_logprob_args` of the kernels.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
struct Args {
    logits: View,
    grad: View,
    target: View,
    mask: View,
    bias: View,
    temperature: View,
    stats: View,
    grad_logprob: View,
    grad_lse: View,
    grad_entropy: View,
    out_logprob: View,
    out_lse: View,
    out_max: View,
    out_argmax: View,
    out_entropy: View,
    out_log_sum_sq: View,
    out_is_top1: View,
    out_stats: View,
    out_status: View,
    blocks: u64,
    columns: u64,
    rows: i64,
    ignore_index: i64,
    logit_scale: f64,
    softcap: f64,
    grad_scale: f64,
    transform: Transform,
    vocab: u32,
    valid: u32,
    chunk: u32,
    parts: u32,
    lanes: u32,
    has_ignore: u32,
    all: u32,
    share: u32,
    cluster: u32,
    run: u32,
    buffers: u32,
}
/// `truing_transform`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Transform {
    kind: u32,
    inner: f32,
    outer: f32,
    slope: f32,
}
impl Transform {
    /// The constants of core, rounded once.
    pub(crate) fn of(t: &truing_core::logprob::Transform) -> Transform {
        let slope = (t.logit_scale / t.temperature) as f32;
        if t.softcap != 0.0 {
            let (inner, outer) = ((t.logit_scale / t.softcap) as f32, (t.softcap / t.temperature) as f32);
            return Transform { kind: 2, inner, outer, slope };
        }
        Transform { kind: (slope != 1.0) as u32, inner: slope, outer: slope, slope }
    }
}
/// Bytes of `truing_part` and of `truing_columns`.
const PIECE: usize = 32;
/// Bytes of the arguments, for the test that compares them with the kernels' own.
pub const ARGS: usize = size_of::<Args>();
/// Warps of a block of threads (`TRUING_WARPS` of the kernels), and about how many such blocks fit on a multiprocessor.
const WARPS: usize = 4;
const RESIDENT: usize = 6;
const THREADS: usize = 128;

fn parts(problem: &Problem) -> usize {
    problem.valid().div_ceil(BLOCK)
}
fn parts_bytes(problem: &Problem) -> usize {
    Arena::need::<[u8; PIECE]>(problem.rows().saturating_mul(parts(problem)))
}
fn columns_bytes(problem: &Problem) -> usize {
    Arena::need::<[u8; PIECE]>(problem.rows())
}
/// Bytes of workspace of [`forward`].
pub fn forward_workspace(problem: &Problem) -> Workspace {
    let bytes = parts_bytes(problem);
    Workspace { minimum: bytes, preferred: bytes }
}
/// Bytes of workspace of [`backward`]; `stats`: they are given.
pub fn backward_workspace(problem: &Problem, stats: bool) -> Workspace {
    let bytes = Arena::sum([columns_bytes(problem), if stats { 0 } else { parts_bytes(problem) }]);
    Workspace { minimum: bytes, preferred: bytes }
}

/// Enqueues the figures that `out` asks for.
///
/// # Safety
/// Every array lies in memory that the current context's device reads and writes, with the extent its layout names, until
/// `stream` has passed the call; outputs and workspace overlap nothing.
pub unsafe fn forward(
    context: &Context,
    stream: Stream,
    problem: &Problem,
    inputs: &Inputs,
    out: &Figures,
    workspace: Space,
) -> Result<()> {
    check_inputs(problem, inputs)?;
    check_figures(problem, inputs, out, &F32)?;
    workspace.check(forward_workspace(problem).minimum)?;
    if problem.rows() == 0 {
        return Ok(());
    }
    let device = Device::current()?;
    let mut args = arguments(problem, inputs);
    args.blocks = workspace.data;
    args.all = (out.entropy.is_some() || out.log_sum_sq.is_some() || out.stats.is_some()) as u32;
    (args.out_logprob, args.out_lse, args.out_max) = (View::of(out.logprob), View::of(out.lse), View::of(out.max));
    (args.out_argmax, args.out_entropy) = (View::of(out.argmax), View::of(out.entropy));
    (args.out_log_sum_sq, args.out_is_top1) = (View::of(out.log_sum_sq), View::of(out.is_top1));
    (args.out_stats, args.out_status) = (View::of(out.stats), View::of(out.status));
    let go = Launch { context, stream, device: &device, problem };
    if let Some(whole) = go.whole(inputs, None) {
        // SAFETY: the caller's promise; the arguments have been checked.
        return unsafe { go.over_clusters(whole, &args) };
    }
    let kernels = (go.blocks(inputs, &args)?, go.kernel(c"truing_logprob_rows")?);
    // SAFETY: the caller's promise; the arguments have been checked.
    unsafe {
        go.over_blocks(kernels.0, parts(problem), &args)?;
        go.over_rows(kernels.1, &args)
    }
}

/// Enqueues d/d logits of the figures' upstream gradients; see `truing_cpu::logprob::backward`. `grad`: the type of the
/// logits or f32; it may be the logits themselves. `stats` are those of a forward with the same options; without them the
/// records are computed again, with the same bits.
///
/// # Safety
/// As for [`forward`].
pub unsafe fn backward(
    context: &Context,
    stream: Stream,
    problem: &Problem,
    inputs: &Inputs,
    stats: Option<Tensor>,
    upstream: &Upstream,
    grad: Tensor,
    status: Option<Tensor>,
    workspace: Space,
) -> Result<()> {
    let (n, dtype) = (problem.rows(), inputs.logits.dtype);
    check_inputs(problem, inputs)?;
    check_grad(problem, inputs, grad)?;
    if let Some(s) = &stats {
        s.check("stats", n, STATS, &F32)?;
    }
    check_upstream(n, inputs, upstream, &F32)?;
    status.as_ref().map_or(Ok(()), |x| x.check_out("out_status", n, 1, &U32))?;
    workspace.check(backward_workspace(problem, stats.is_some()).minimum)?;
    if n == 0 {
        return Ok(());
    }
    let device = Device::current()?;
    let mut args = arguments(problem, inputs);
    args.columns = workspace.data;
    args.blocks = workspace.data + columns_bytes(problem) as u64;
    args.all = upstream.entropy.is_some() as u32;
    (args.grad, args.stats, args.out_status) = (View::of(Some(grad)), View::of(stats), View::of(status));
    (args.grad_logprob, args.grad_lse) = (View::of(upstream.logprob), View::of(upstream.lse));
    (args.grad_entropy, args.grad_scale) = (View::of(upstream.entropy), upstream.scale);
    let go = Launch { context, stream, device: &device, problem };
    if let (None, Some(whole)) = (stats, go.whole(inputs, Some(grad.dtype))) {
        // SAFETY: the caller's promise; the arguments have been checked.
        return unsafe { go.over_clusters(whole, &args) };
    }
    let (blocks, rows) = (go.blocks(inputs, &args)?, go.kernel(c"truing_logprob_rows")?);
    let columns = go.kernel(grad_kernel(dtype, grad.dtype))?;
    // SAFETY: the caller's promise; the arguments have been checked.
    unsafe {
        if stats.is_none() {
            go.over_blocks(blocks, parts(problem), &args)?;
            go.over_rows(rows, &args)?;
        } else {
            args.lanes = 1; // nothing is merged
            go.over_rows(rows, &args)?;
        }
        go.over_blocks(columns, problem.vocab().div_ceil(BLOCK), &args)
    }
}

/// The kernel of gradients of a type.
fn grad_kernel(dtype: Dtype, grad: Dtype) -> &'static CStr {
    match (dtype, grad) {
        (Dtype::F32, _) => c"truing_logprob_grad_f32",
        (Dtype::Bf16, Dtype::F32) => c"truing_logprob_grad_bf16_f32",
        (Dtype::Bf16, _) => c"truing_logprob_grad_bf16",
        (_, Dtype::F32) => c"truing_logprob_grad_f16_f32",
        _ => c"truing_logprob_grad_f16",
    }
}
/// Whether logits are not what counts as they lie there.
fn transformed(t: &Transform, inputs: &Inputs) -> bool {
    t.kind != 0 || inputs.bias.is_some() || inputs.row_temperature.is_some()
}
/// A launch of whole rows.
struct Whole {
    name: &'static CStr,
    grid: Grid,
    share: u32,
    run: u32,
    buffers: u32,
}
/// Bytes of `truing_whole_state`.
const STATE: usize = SLOTS * (8 + 8 + PIECE + PARTS * PIECE);
/// Rows and blocks of a row that these hold (`TRUING_WHOLE_SLOTS`, `TRUING_WHOLE_PARTS`).
const SLOTS: usize = 4;
const PARTS: usize = 128;
/// Most blocks of threads of a cluster, and rows that it takes one behind the other.
const CLUSTER: usize = 8;
const RUN: usize = 32;
/// Where and with what a call launches.
struct Launch<'a> {
    context: &'a Context,
    stream: Stream,
    device: &'a Device,
    problem: &'a Problem,
}
impl Launch<'_> {
    fn kernel(&self, name: &'static CStr) -> Result<Kernel> {
        self.context.kernel(self.device, self.stream, FILE, name)
    }
    /// How clusters take the rows in one launch, where that was measured to be faster (an H200, `cuda/gpu-check.md`): a
    /// row or a few, and gradients of some 32000 columns; `grad`: the gradient's type.
    fn whole(&self, inputs: &Inputs, grad: Option<Dtype>) -> Option<Whole> {
        let (rows, parts, size) =
            (self.problem.rows(), self.problem.vocab().div_ceil(BLOCK), inputs.logits.dtype.size());
        if self.device.major < 9
            || transformed(&Transform::of(&self.problem.options().transform), inputs)
            || parts > PARTS
        {
            return None;
        }
        let wide = parts.div_ceil(parts.div_ceil(CLUSTER).max(8));
        let few = rows == 1 || rows.saturating_mul(wide) <= self.device.multiprocessors as usize;
        let (cluster, run, buffers) = match (few, grad) {
            (true, _) => (wide, 1, 1),
            (false, Some(_)) if (13..=16).contains(&parts) => (if size == 4 { 2 } else { 1 }, RUN, 3),
            _ => return None,
        };
        let share = parts.div_ceil(cluster);
        let shared = STATE + buffers * share * (BLOCK * size + 16);
        let blocks = rows.div_ceil(run).checked_mul(cluster).filter(|&n| n <= i32::MAX as usize)?;
        let most = if size == 4 { 12 } else { 16 }; // warps that have a block, of the kernels' bounds
        (share <= most && shared <= self.device.shared as usize).then(|| Whole {
            name: match (inputs.logits.dtype, grad.unwrap_or(inputs.logits.dtype)) {
                (Dtype::F32, _) => c"truing_logprob_whole_f32",
                (Dtype::Bf16, Dtype::F32) => c"truing_logprob_whole_bf16_f32",
                (Dtype::Bf16, _) => c"truing_logprob_whole_bf16",
                (_, Dtype::F32) => c"truing_logprob_whole_f16_f32",
                _ => c"truing_logprob_whole_f16",
            },
            grid: Grid {
                blocks: blocks as u32,
                threads: 32 * (share as u32 + 1),
                cluster: cluster as u32,
                shared: shared as u32,
            },
            share: share as u32,
            run: run as u32,
            buffers: buffers as u32,
        })
    }
    /// # Safety
    /// As for [`Kernel::launch`].
    unsafe fn over_clusters(&self, whole: Whole, args: &Args) -> Result<()> {
        let Whole { name, grid, share, run, buffers } = whole;
        let kernel = self.kernel(name)?;
        // SAFETY: the caller's promise.
        unsafe {
            kernel.launch(self.device, self.stream, grid, &Args { share, cluster: grid.cluster, run, buffers, ..*args })
        }
    }
    fn blocks(&self, inputs: &Inputs, args: &Args) -> Result<Kernel> {
        let transformed = transformed(&args.transform, inputs);
        self.kernel(match (inputs.logits.dtype, transformed) {
            (Dtype::F32, false) => c"truing_logprob_blocks_f32",
            (Dtype::Bf16, false) => c"truing_logprob_blocks_bf16",
            (_, false) => c"truing_logprob_blocks_f16",
            (Dtype::F32, true) => c"truing_logprob_transformed_f32",
            (Dtype::Bf16, true) => c"truing_logprob_transformed_bf16",
            (_, true) => c"truing_logprob_transformed_f16",
        })
    }
    /// Warps for the `parts` blocks of every row: each takes as many neighbouring ones as leave every place of the device
    /// four turns, up to eight, and all of a row about as many.
    ///
    /// # Safety
    /// As for [`Kernel::launch`].
    unsafe fn over_blocks(&self, kernel: Kernel, parts: usize, args: &Args) -> Result<()> {
        let (rows, places) = (self.problem.rows(), self.device.multiprocessors.max(1) as usize * RESIDENT * WARPS);
        let most = (rows.saturating_mul(parts) / (4 * places)).clamp(1, 8);
        let chunk = parts.div_ceil(parts.div_ceil(most));
        let warps = rows.saturating_mul(parts.div_ceil(chunk));
        // a warp that has a task left takes it when the grid has no room for more
        let grid = warps.div_ceil(WARPS).min(i32::MAX as usize) as u32;
        let args = Args { chunk: chunk as u32, ..*args };
        // SAFETY: the caller's promise.
        unsafe { kernel.launch(self.device, self.stream, Grid::new(grid, 32 * WARPS as u32), &args) }
    }
    /// `args.lanes` lanes for each row.
    ///
    /// # Safety
    /// As for [`Kernel::launch`].
    unsafe fn over_rows(&self, kernel: Kernel, args: &Args) -> Result<()> {
        let grid = cover("logits", self.problem.rows().saturating_mul(args.lanes as usize), THREADS)?;
        // SAFETY: the caller's promise.
        unsafe { kernel.launch(self.device, self.stream, Grid::new(grid, THREADS as u32), args) }
    }
}
fn no_target(expected: &'static str) -> Error {
    Error::invalid("rows.target", Value::Text("NULL"), Value::Text(expected))
}
fn check_inputs(problem: &Problem, inputs: &Inputs) -> Result<()> {
    if problem.total() != problem.vocab() {
        return Err(Error::invalid("shard.vocab_total", Value::Size(problem.total()), Value::Size(problem.vocab())));
    }
    problem.options().check_common("nothing: `extra` has it")?;
    check_rows(problem, inputs, &LOGITS)
}
fn check_rows(problem: &Problem, inputs: &Inputs, dtypes: &plan::Dtypes) -> Result<()> {
    let (n, v) = (problem.rows(), problem.vocab());
    inputs.logits.check("logits", n, v, dtypes)?;
    let optional = [
        ("transform.bias", &inputs.bias, v, &FLOATS),
        ("transform.row_temperature", &inputs.row_temperature, n, &F32),
        ("rows.target", &inputs.target, n, &IDS),
        ("rows.mask", &inputs.mask, n, &MASK),
    ];
    for (field, x, rows, dtypes) in optional {
        x.as_ref().map_or(Ok(()), |x| x.check(field, rows, 1, dtypes))?;
    }
    Ok(())
}
fn check_grad(problem: &Problem, inputs: &Inputs, grad: Tensor) -> Result<()> {
    grad.check_out("grad_logits", problem.rows(), problem.vocab(), &LOGITS)?;
    let z = inputs.logits;
    if grad.dtype != z.dtype && grad.dtype != Dtype::F32 {
        let expected = Value::Text("the type of the logits or f32");
        return Err(Error::new(Status::UnsupportedDtype, "grad_logits", Value::Dtype(grad.dtype), expected));
    }
    check_apart(&z, &grad)
}
fn check_apart(z: &Tensor, grad: &Tensor) -> Result<()> {
    let ((a, b), (c, d)) = (z.range(), grad.range());
    if z != grad && a < d && c < b {
        let expected = Value::Text("the logits themselves or memory apart from them");
        return Err(Error::new(Status::Aliasing, "grad_logits", Value::Text("a part of the logits"), expected));
    }
    Ok(())
}
fn check_upstream(n: usize, inputs: &Inputs, upstream: &Upstream, dtypes: &plan::Dtypes) -> Result<()> {
    let all = [
        ("upstream.grad_logprob", &upstream.logprob),
        ("upstream.grad_lse", &upstream.lse),
        ("upstream.grad_entropy", &upstream.entropy),
    ];
    for (field, x) in all {
        x.as_ref().map_or(Ok(()), |x| x.check(field, n, 1, dtypes))?;
    }
    if !upstream.scale.is_finite() {
        let expected = Value::Text("a finite number");
        return Err(Error::invalid("upstream.grad_scale", Value::Float(upstream.scale), expected));
    }
    if upstream.logprob.is_some() && inputs.target.is_none() {
        return Err(no_target("targets, which grad_logprob needs"));
    }
    Ok(())
}
/// `real`: the type of what is no whole number.
fn check_figures(problem: &Problem, inputs: &Inputs, out: &Figures, real: &plan::Dtypes) -> Result<()> {
    let all: [(_, &Option<Tensor>, usize, &plan::Dtypes); 9] = [
        ("figures.out_logprob", &out.logprob, 1, real),
        ("figures.out_lse", &out.lse, 1, real),
        ("figures.out_max", &out.max, 1, real),
        ("figures.out_argmax", &out.argmax, 1, &I32),
        ("figures.out_entropy", &out.entropy, 1, real),
        ("figures.out_log_sum_sq", &out.log_sum_sq, 1, real),
        ("figures.out_is_top1", &out.is_top1, 1, &U8),
        ("figures.out_stats", &out.stats, STATS, real),
        ("figures.out_status", &out.status, 1, &U32),
    ];
    for (field, x, cols, dtypes) in all {
        x.as_ref().map_or(Ok(()), |x| x.check_out(field, problem.rows(), cols, dtypes))?;
    }
    if (out.logprob.is_some() || out.is_top1.is_some()) && inputs.target.is_none() {
        return Err(no_target("targets, which out_logprob and the other figures of the target need"));
    }
    Ok(())
}
fn arguments(problem: &Problem, inputs: &Inputs) -> Args {
    let (options, none) = (problem.options(), View::NONE);
    let parts = parts(problem) as u32;
    Args {
        logits: View::of(Some(inputs.logits)),
        grad: none,
        target: View::of(inputs.target),
        mask: View::of(inputs.mask),
        bias: View::of(inputs.bias),
        temperature: View::of(inputs.row_temperature),
        stats: none,
        grad_logprob: none,
        grad_lse: none,
        grad_entropy: none,
        out_logprob: none,
        out_lse: none,
        out_max: none,
        out_argmax: none,
        out_entropy: none,
        out_log_sum_sq: none,
        out_is_top1: none,
        out_stats: none,
        out_status: none,
        blocks: 0,
        columns: 0,
        rows: problem.rows() as i64,
        ignore_index: options.ignore_index.unwrap_or(0),
        logit_scale: options.transform.logit_scale,
        softcap: options.transform.softcap,
        grad_scale: 1.0,
        transform: Transform::of(&options.transform),
        vocab: problem.vocab() as u32,
        valid: problem.valid() as u32,
        chunk: 1,
        parts,
        lanes: parts.next_power_of_two().min(32),
        has_ignore: options.ignore_index.is_some() as u32,
        all: 0,
        share: 0,
        cluster: 0,
        run: 1,
        buffers: 1,
    }
}
