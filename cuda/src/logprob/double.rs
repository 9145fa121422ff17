//! f64 logits, for reference: figures of a row, their statistics and gradients, all f64. `kernels/logprob_f64.cu` says how.
use super::{Figures, Inputs, Upstream};
use crate::driver::{Device, Grid, Stream};
use crate::plan::{F64, Space, Tensor, U32, View, cover};
use crate::program::{Context, File};
use core::ffi::CStr;
use truing_core::logprob::{Problem, STATS};
use truing_core::matrix::{Arena, Workspace};
use truing_core::record::BLOCK;
use truing_core::{Error, Result, Status, Value};

pub(crate) const FILE: File = File { name: c"logprob_f64.cu", text: include_str!("../../kernels/logprob_f64.cu") };

/// `truing_double_args` of the kernels.
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
    fixed_temperature: f64,
    grad_scale: f64,
    vocab: u32,
    valid: u32,
    parts: u32,
    has_ignore: u32,
}
/// Bytes of the arguments, for the test that compares them with the kernels' own.
pub const ARGS: usize = size_of::<Args>();
/// Bytes of a record, and of `truing_double_columns`.
const PIECE: usize = 48;
/// Warps of a block of threads (`TRUING_DOUBLES` of the kernels), and threads of one that merges.
const WARPS: usize = 2;
const THREADS: usize = 128;

fn parts(problem: &Problem) -> usize {
    problem.valid().div_ceil(BLOCK)
}
fn bytes(problem: &Problem, of_row: usize) -> usize {
    Arena::need::<[u8; PIECE]>(problem.rows().saturating_mul(of_row))
}
/// Bytes of workspace of [`forward`].
pub(super) fn forward_workspace(problem: &Problem) -> Workspace {
    let bytes = bytes(problem, parts(problem));
    Workspace { minimum: bytes, preferred: bytes }
}
/// Bytes of workspace of [`backward`]; `stats`: they are given.
pub(super) fn backward_workspace(problem: &Problem, stats: bool) -> Workspace {
    let bytes = Arena::sum([bytes(problem, 1), if stats { 0 } else { bytes(problem, parts(problem)) }]);
    Workspace { minimum: bytes, preferred: bytes }
}
/// As [`super::forward`].
///
/// # Safety
/// As there.
pub(super) unsafe fn forward(
    context: &Context,
    stream: Stream,
    problem: &Problem,
    inputs: &Inputs,
    out: &Figures,
    workspace: Space,
) -> Result<()> {
    super::check_rows(problem, inputs, &F64)?;
    super::check_figures(problem, inputs, out, &F64)?;
    workspace.check(forward_workspace(problem).minimum)?;
    let mut args = arguments(problem, inputs);
    args.blocks = workspace.data;
    (args.out_logprob, args.out_lse, args.out_max) = (View::of(out.logprob), View::of(out.lse), View::of(out.max));
    (args.out_argmax, args.out_entropy) = (View::of(out.argmax), View::of(out.entropy));
    (args.out_log_sum_sq, args.out_is_top1) = (View::of(out.log_sum_sq), View::of(out.is_top1));
    (args.out_stats, args.out_status) = (View::of(out.stats), View::of(out.status));
    // SAFETY: the caller's promise; the arguments have been checked.
    unsafe { run(context, stream, problem, &args, true, false) }
}
/// As [`super::backward`].
///
/// # Safety
/// As there.
#[allow(clippy::too_many_arguments)]
pub(super) unsafe fn backward(
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
    let n = problem.rows();
    super::check_rows(problem, inputs, &F64)?;
    grad.check_out("grad_logits", n, problem.vocab(), &F64)?;
    super::check_apart(&inputs.logits, &grad)?;
    if let Some(s) = &stats {
        s.check("stats", n, STATS, &F64)?;
    }
    super::check_upstream(n, inputs, upstream, &F64)?;
    status.as_ref().map_or(Ok(()), |x| x.check_out("out_status", n, 1, &U32))?;
    workspace.check(backward_workspace(problem, stats.is_some()).minimum)?;
    let mut args = arguments(problem, inputs);
    args.columns = workspace.data;
    args.blocks = workspace.data + bytes(problem, 1) as u64;
    (args.grad, args.stats, args.out_status) = (View::of(Some(grad)), View::of(stats), View::of(status));
    (args.grad_logprob, args.grad_lse) = (View::of(upstream.logprob), View::of(upstream.lse));
    (args.grad_entropy, args.grad_scale) = (View::of(upstream.entropy), upstream.scale);
    // SAFETY: as above.
    unsafe { run(context, stream, problem, &args, stats.is_none(), true) }
}
/// # Safety
/// As for [`forward`].
unsafe fn run(
    context: &Context,
    stream: Stream,
    problem: &Problem,
    args: &Args,
    records: bool,
    gradient: bool,
) -> Result<()> {
    let n = problem.rows();
    if n == 0 {
        return Ok(());
    }
    let device = Device::current()?;
    let kernel = |name: &'static CStr| context.kernel(&device, stream, FILE, name);
    let (blocks, rows) = (kernel(c"truing_double_blocks")?, kernel(c"truing_double_rows")?);
    let grad = kernel(c"truing_double_grad")?;
    // a warp that has a task left takes it when the grid has no room for more
    let tasks = |parts: usize| {
        let grid = n.saturating_mul(parts).div_ceil(WARPS).min(i32::MAX as usize) as u32;
        Grid::new(grid, 32 * WARPS as u32)
    };
    // SAFETY: the caller's promise.
    unsafe {
        if records {
            blocks.launch(&device, stream, tasks(parts(problem)), args)?;
        }
        let grid = cover("logits", n.saturating_mul(32), THREADS)?;
        rows.launch(&device, stream, Grid::new(grid, THREADS as u32), args)?;
        if gradient { grad.launch(&device, stream, tasks(problem.vocab().div_ceil(BLOCK)), args) } else { Ok(()) }
    }
}
/// What else is asked for of such rows.
pub(super) fn refused() -> Error {
    let expected = Value::Text("f32, bf16 or f16: of f64 there are figures of a row, statistics and their gradients");
    Error::new(Status::UnsupportedDtype, "logits", Value::Dtype(truing_core::Dtype::F64), expected)
}
fn arguments(problem: &Problem, inputs: &Inputs) -> Args {
    let (options, none) = (problem.options(), View::NONE);
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
        fixed_temperature: options.transform.temperature,
        grad_scale: 1.0,
        vocab: problem.vocab() as u32,
        valid: problem.valid() as u32,
        parts: parts(problem) as u32,
        has_ignore: options.ignore_index.is_some() as u32,
    }
}
