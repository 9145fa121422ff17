//! Token distribution shift on a device, with the bits of the CPU: `kernels/tds_rows.cu` says how, and
//! [`truing_core::tds_rows`] what.
//!
//! What the host cannot look at without waiting is judged on the device: a token outside the vocabulary makes its row NaN,
//! flagged `OUT_OF_RANGE`; temperatures and biases as for [`crate::logprob`].
use crate::divergence::{self, Inputs, STATE, Side, THREADS, WARPS, arguments, check_side};
use crate::driver::{Device, Grid, Kernel, Stream};
use crate::plan::{Dtypes, F32, I32, I64, IDS, MASK, Space, Tensor, U8, U32, View, cover};
use crate::program::{Context, File};
use core::ffi::CStr;
use truing_core::divergence::{Options, Problem};
use truing_core::logprob;
use truing_core::matrix::{Arena, Workspace};
use truing_core::{Error, Result, Value};

pub(crate) const FILE: File = File { name: c"tds_rows.cu", text: include_str!("../kernels/tds_rows.cu") };

/// Where figures go, `[N]` each; see [`truing_core::tds_rows::Figures`].
#[derive(Clone, Copy, Debug, Default)]
#[allow(missing_docs)]
pub struct Figures {
    /// i32, as the next three
    pub rank: Option<Tensor>,
    pub ties: Option<Tensor>,
    pub eta: Option<Tensor>,
    pub eta_max: Option<Tensor>,
    /// f32, as the next three
    pub logp_base: Option<Tensor>,
    pub logp_aligned: Option<Tensor>,
    pub kl_aligned_base: Option<Tensor>,
    pub kl_base_aligned: Option<Tensor>,
    /// u8
    pub class: Option<Tensor>,
    /// u32
    pub status: Option<Tensor>,
    /// `[4]`, i64: rows of the classes unshifted, marginal, shifted and invalid.
    pub counts: Option<Tensor>,
}
/// Tokens, i32 or i64 (absent: the largest column of each aligned row), and mask, u8, i32 or i64; `[N]` each.
#[derive(Clone, Copy, Debug, Default)]
#[allow(missing_docs)]
pub struct Rows {
    pub target: Option<Tensor>,
    pub mask: Option<Tensor>,
}

/// `truing_tds_args` of the kernels.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
struct Args {
    d: divergence::Args,
    /// rank, ties, eta, eta_max, logp_base, logp_aligned, kl_aligned_base, kl_base_aligned, class, status, counts
    out: [View; 11],
    sums: u64,
    divergence: u32,
    reserved: u32,
}
/// Bytes of the arguments, for the test that compares them with the kernels' own.
pub const ARGS: usize = size_of::<Args>();
/// Bytes of a block's sums, and of its records.
const SUMS: usize = 32;
const PIECE: usize = 64;

/// The base is the student, so that side 0 of the arguments is the aligned model. Refuses rows of two sizes.
fn pair(problems: [&logprob::Problem; 2]) -> Result<Problem> {
    let [base, aligned] = problems;
    let whole = |p: &logprob::Problem| p.total() == p.vocab();
    if (base.rows(), base.vocab()) != (aligned.rows(), aligned.vocab()) || !(whole(base) && whole(aligned)) {
        return Err(Error::invalid("aligned", Value::Text("another problem"), Value::Text("that of the base")));
    }
    Problem::new(*base, *aligned, Options::default())
}
fn sizes(problem: &Problem) -> [usize; 3] {
    let (n, tasks) = (problem.rows(), problem.rows().saturating_mul(divergence::parts(problem)));
    [Arena::need::<[u8; STATE]>(n), Arena::need::<[u8; PIECE]>(tasks), Arena::need::<[u8; SUMS]>(tasks)]
}
/// Bytes of workspace of [`tds_rows`]; problems of base and aligned.
pub fn tds_rows_workspace(problems: [&logprob::Problem; 2]) -> Result<Workspace> {
    let bytes = Arena::sum(sizes(&pair(problems)?));
    Ok(Workspace { minimum: bytes, preferred: bytes })
}
/// Enqueues the figures of every row. Problems and sides of base and aligned.
///
/// # Safety
/// As for [`crate::logprob::forward`].
pub unsafe fn tds_rows(
    context: &Context,
    stream: Stream,
    problems: [&logprob::Problem; 2],
    [base, aligned]: [Side; 2],
    rows: Rows,
    out: &Figures,
    space: Space,
) -> Result<()> {
    let problem = pair(problems)?;
    for side in problems {
        side.options().check_common("nothing: this is not on CUDA yet")?;
    }
    check_side(&problem, &base, false).map_err(rename)?;
    check_side(&problem, &aligned, true).map_err(rename)?;
    let n = problem.rows();
    rows.target.as_ref().map_or(Ok(()), |x| x.check("rows.target", n, 1, &IDS))?;
    rows.mask.as_ref().map_or(Ok(()), |x| x.check("rows.mask", n, 1, &MASK))?;
    let all: [(&'static str, &Option<Tensor>, usize, &Dtypes); 11] = [
        ("out_rank", &out.rank, n, &I32),
        ("out_ties", &out.ties, n, &I32),
        ("out_eta", &out.eta, n, &I32),
        ("out_eta_max", &out.eta_max, n, &I32),
        ("out_logp_base", &out.logp_base, n, &F32),
        ("out_logp_aligned", &out.logp_aligned, n, &F32),
        ("out_kl_aligned_base", &out.kl_aligned_base, n, &F32),
        ("out_kl_base_aligned", &out.kl_base_aligned, n, &F32),
        ("out_class", &out.class, n, &U8),
        ("out_status", &out.status, n, &U32),
        ("out_counts", &out.counts, 4, &I64),
    ];
    for (field, x, rows, dtypes) in all {
        x.as_ref().map_or(Ok(()), |x| x.check_out(field, rows, 1, dtypes))?;
    }
    space.check(Arena::sum(sizes(&problem)))?;
    let inputs = Inputs { student: base, teacher: aligned, target: rows.target, mask: rows.mask, row_weight: None };
    let mut args = Args {
        d: arguments(&problem, &inputs),
        out: all.map(|(_, x, ..)| View::of(*x)),
        sums: 0,
        divergence: (out.kl_aligned_base.is_some() || out.kl_base_aligned.is_some()) as u32,
        reserved: 0,
    };
    let [states, blocks, _] = sizes(&problem).map(|x| x as u64);
    args.d.states = space.data;
    args.d.blocks = space.data + states;
    args.sums = space.data + states + blocks;
    let device = Device::current()?;
    let kernel = |name: &'static CStr| context.kernel(&device, stream, FILE, name);
    // every kernel is there before the first is launched
    let [blocks, merged, sums, finish] = [
        kernel(c"truing_tds_blocks")?,
        kernel(c"truing_tds_rows")?,
        kernel(c"truing_tds_sums")?,
        kernel(c"truing_tds_finish")?,
    ];
    // a warp that has a task left takes it when the grid has no room for more
    let tasks = n.saturating_mul(divergence::parts(&problem)).div_ceil(WARPS).min(i32::MAX as usize) as u32;
    let of_tasks = Grid::new(tasks, 32 * WARPS as u32);
    // counters are cleared where there is no row, too
    let lanes = cover("base", n.saturating_mul(args.d.lanes as usize).max(1), THREADS)?;
    let go = |kernel: Kernel, grid: Grid| {
        if grid.blocks == 0 {
            return Ok(());
        }
        // SAFETY: the caller's promise; the arguments have been checked.
        unsafe { kernel.launch(&device, stream, grid, &args) }
    };
    go(blocks, of_tasks)?;
    go(merged, Grid::new(lanes, THREADS as u32))?;
    go(sums, of_tasks)?;
    go(finish, Grid::new(cover("base", n, THREADS)?, THREADS as u32))
}
/// The names of a divergence's sides as those of this call.
fn rename(e: Error) -> Error {
    macro_rules! names {
        ($($f:literal)*) => {
            match e.field {
                "student" => "base",
                "teacher" => "aligned",
                $(
                    concat!("student_transform.", $f) => concat!("base_transform.", $f),
                    concat!("teacher_transform.", $f) => concat!("aligned_transform.", $f),
                )*
                other => other,
            }
        };
    }
    Error { field: names!("bias" "row_temperature"), ..e }
}
