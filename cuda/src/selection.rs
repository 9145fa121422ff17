//! Selections of tokens on a device, with the bits of the CPU: `kernels/selection.cu` says how, and
//! [`truing_core::correction`] what. Where some offsets do not cut the tokens, such tokens are not selected.
use crate::driver::{Device, Grid, Stream};
use crate::plan::{FLOATS, I64, MASK, Space, Tensor, U8, U32, View, WIDE, cover};
pub use crate::policy::Each;
use crate::program::{Context, File};
pub use crate::sequence::Layout;
use core::ffi::CStr;
use truing_core::Result;
use truing_core::correction::{self as spec, CovForm};
use truing_core::matrix::{Arena, Floats, Matrix, Workspace};
use truing_core::policy;
use truing_core::real::Real;
use truing_core::sequence::Segments;

pub(crate) const FILE: File = File { name: c"selection.cu", text: include_str!("../kernels/selection.cu") };
/// Threads of a block; `TRUING_BINS` of the kernels.
const THREADS: usize = 256;
/// `TRUING_ADDERS`, `TRUING_SCANNERS`.
const ADDERS: u32 = 512;
const SCANNERS: u32 = 1024;
/// What lists the tokens that are picked; `TRUING_LISTING`.
const LISTING: u32 = 9;
/// `TRUING_TOP_ENTROPY` and those behind it.
const TOP_ENTROPY: u32 = 1;
const COV_KL: u32 = 2;
const COV_CLIP: u32 = 3;
const M2PO: u32 = 4;

/// `truing_selection_args` of the kernels.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
struct Args {
    values: View,
    other: View,
    noise: View,
    advantage: View,
    mask: View,
    offsets: View,
    out_keep: View,
    out_flag: View,
    out_indices: View,
    out_count: View,
    out_number: View,
    out_status: View,
    /// keys, places, starts, found, numbers, advantages, picked
    scratch: [u64; 9],
    tokens: i64,
    sequences: i64,
    width: i64,
    blocks: i64,
    chunk: i64,
    share: f64,
    threshold: f64,
    cov_low: f64,
    cov_high: f64,
    low: f64,
    high: f64,
    seed: u64,
    first_token: u64,
    what: u32,
    pass: u32,
    advantage_of_sequence: u32,
}
/// Bytes of the arguments, for the test that compares them with the kernels' own.
pub const ARGS: usize = size_of::<Args>();

/// Tokens of a block: as many as keep the device busy, and not so few that their counts outweigh them.
fn chunk(n: usize) -> usize {
    n.div_ceil(128).next_multiple_of(THREADS).max(4 * THREADS)
}
/// Blocks that pass over the tokens: one at least, which finds nothing where there is nothing.
fn blocks(n: usize) -> usize {
    n.div_ceil(chunk(n)).max(1)
}
/// Sizes of the scratch arrays, in the order of the arguments. `cov`: with those of [`cov_select`].
fn sizes(n: usize, cov: bool) -> [usize; 9] {
    let (each, few) = (Arena::need::<u64>(n), Arena::need::<u64>(4));
    let own = if cov { [each, Arena::need::<u32>(n)] } else { [0; 2] };
    [each, each, each, each, Arena::need::<u64>(THREADS * blocks(n)), few, few, own[0], own[1]]
}
fn space_of(n: usize, cov: bool) -> Workspace {
    let bytes = Arena::sum(sizes(n, cov));
    Workspace { minimum: bytes, preferred: bytes }
}
impl Args {
    fn new(what: u32, n: usize, [values, other]: [Option<Tensor>; 2], mask: Option<Tensor>, space: Space) -> Args {
        let cov = what == COV_KL || what == COV_CLIP;
        let mut at = space.data;
        let scratch = sizes(n, cov).map(|bytes| {
            at += bytes as u64;
            if bytes == 0 { 0 } else { at - bytes as u64 }
        });
        Args {
            values: View::of(values),
            other: View::of(other),
            noise: View::NONE,
            advantage: View::NONE,
            mask: View::of(mask),
            offsets: View::NONE,
            out_keep: View::NONE,
            out_flag: View::NONE,
            out_indices: View::NONE,
            out_count: View::NONE,
            out_number: View::NONE,
            out_status: View::NONE,
            scratch,
            tokens: n as i64,
            sequences: 0,
            width: 0,
            blocks: blocks(n) as i64,
            chunk: chunk(n) as i64,
            share: 0.0,
            threshold: 0.0,
            cov_low: 0.0,
            cov_high: 0.0,
            low: 0.0,
            high: 0.0,
            seed: 0,
            first_token: 0,
            what,
            pass: 0,
            advantage_of_sequence: 0,
        }
    }
}
/// Launches the kernels of one call.
struct Queue<'a> {
    context: &'a Context,
    device: Device,
    stream: Stream,
}
impl Queue<'_> {
    /// # Safety
    /// As for [`crate::driver::Kernel::launch`].
    unsafe fn launch(&self, name: &'static CStr, grid: u32, block: u32, args: &Args) -> Result<()> {
        if grid == 0 {
            return Ok(());
        }
        let kernel = self.context.kernel(&self.device, self.stream, FILE, name)?;
        // SAFETY: the caller's promise.
        unsafe { kernel.launch(&self.device, self.stream, Grid::new(grid, block), args) }
    }
    /// A thread for each token.
    ///
    /// # Safety
    /// As for [`Queue::launch`].
    unsafe fn each(&self, name: &'static CStr, args: &Args) -> Result<()> {
        // SAFETY: the caller's promise.
        unsafe { self.launch(name, cover("mask", args.tokens as usize, THREADS)?, THREADS as u32, args) }
    }
    /// # Safety
    /// As for [`Queue::launch`].
    unsafe fn pass(&self, pass: u32, args: &Args) -> Result<()> {
        let (args, blocks) = (&Args { pass, ..*args }, args.blocks as u32);
        // SAFETY: the caller's promise.
        unsafe {
            self.launch(c"truing_selection_count", blocks, THREADS as u32, args)?;
            self.launch(c"truing_selection_scan", 1, SCANNERS, args)?;
            self.launch(c"truing_selection_move", blocks, THREADS as u32, args)
        }
    }
    /// Candidates, sorted.
    ///
    /// # Safety
    /// As for [`Queue::launch`].
    unsafe fn sort(&self, args: &Args) -> Result<()> {
        // SAFETY: the caller's promise.
        (0..LISTING).try_for_each(|pass| unsafe { self.pass(pass, args) })
    }
}
type Fields<'a, const K: usize> = [(&'static str, &'a Option<Tensor>, usize, &'a crate::plan::Dtypes); K];
fn inputs<const K: usize>(all: Fields<'_, K>) -> Result<()> {
    all.into_iter().try_for_each(|(field, x, rows, dtypes)| x.map_or(Ok(()), |x| x.check(field, rows, 1, dtypes)))
}
fn outputs<const K: usize>(all: Fields<'_, K>) -> Result<()> {
    all.into_iter().try_for_each(|(field, x, rows, dtypes)| x.map_or(Ok(()), |x| x.check_out(field, rows, 1, dtypes)))
}
/// No token: what core judges is the rest.
fn nothing<'a>() -> Floats<'a> {
    Floats::F64(Matrix::vector(&[]))
}

/// See [`truing_core::correction::TopEntropyMask`].
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)]
pub struct TopEntropyMask {
    /// `[N]`: f32, bf16, f16 or f64.
    pub entropy: Tensor,
    /// `[N]`: u8, i32 or i64.
    pub mask: Option<Tensor>,
    pub share: f64,
}
/// Where results go.
#[derive(Clone, Copy, Debug, Default)]
#[allow(missing_docs)]
pub struct TopEntropyMaskOut {
    /// `[N]`, u8.
    pub keep: Option<Tensor>,
    /// One number: f64 or f32.
    pub threshold: Option<Tensor>,
    /// One word, u32.
    pub status: Option<Tensor>,
}
/// Scratch memory of [`top_entropy_mask`]: 32 bytes a token and some.
pub fn top_entropy_mask_workspace(x: &TopEntropyMask) -> Workspace {
    space_of(x.entropy.layout.rows(), false)
}
/// Enqueues which tokens are kept.
///
/// # Safety
/// As for [`crate::logprob::forward`].
pub unsafe fn top_entropy_mask(
    context: &Context,
    stream: Stream,
    x: &TopEntropyMask,
    out: &TopEntropyMaskOut,
    space: Space,
) -> Result<()> {
    let n = x.entropy.layout.rows();
    let own = spec::TopEntropyMask { entropy: nothing(), mask: None, share: x.share };
    own.check(&spec::TopEntropyMaskOut::default())?;
    inputs([("entropy", &Some(x.entropy), n, &FLOATS), ("mask", &x.mask, n, &MASK)])?;
    outputs([
        ("out_keep", &out.keep, n, &U8),
        ("out_threshold", &out.threshold, 1, &WIDE),
        ("out_status", &out.status, 1, &U32),
    ])?;
    space.check(top_entropy_mask_workspace(x).minimum)?;
    let args = Args {
        out_keep: View::of(out.keep),
        out_number: View::of(out.threshold),
        out_status: View::of(out.status),
        share: 1.0 - x.share,
        ..Args::new(TOP_ENTROPY, n, [Some(x.entropy), None], x.mask, space)
    };
    let queue = Queue { context, device: Device::current()?, stream };
    // SAFETY: the caller's promise; the arguments have been checked.
    unsafe {
        queue.sort(&args)?;
        queue.launch(c"truing_selection_quantile", 1, 32, &args)?;
        queue.each(c"truing_selection_above", &args)
    }
}

/// See [`truing_core::correction::CovSelect`].
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)]
pub struct CovSelect {
    pub layout: Layout,
    /// `[N]`: f32, bf16, f16 or f64, as the next two.
    pub logps: Tensor,
    pub old: Option<Tensor>,
    pub noise: Option<Tensor>,
    /// `[N]` or `[B]`.
    pub advantage: Each,
    /// `[N]`: u8, i32 or i64.
    pub mask: Option<Tensor>,
    /// Checked by [`truing_core::correction::CovSelect::params`].
    pub params: [f64; 5],
    pub seed: u64,
    pub first_token: u64,
    pub form: CovForm,
}
/// Where results go.
#[derive(Clone, Copy, Debug, Default)]
#[allow(missing_docs)]
pub struct CovSelectOut {
    /// `[N]`, i64.
    pub indices: Option<Tensor>,
    /// One number, i64.
    pub count: Option<Tensor>,
    /// `[N]`, u8, as the next.
    pub flag: Option<Tensor>,
    pub keep: Option<Tensor>,
}
/// Scratch memory of [`cov_select`]: 44 bytes a token and some.
pub fn cov_select_workspace(x: &CovSelect) -> Workspace {
    space_of(x.layout.tokens(), true)
}
/// Enqueues which tokens are selected.
///
/// # Safety
/// As for [`crate::logprob::forward`].
pub unsafe fn cov_select(
    context: &Context,
    stream: Stream,
    x: &CovSelect,
    out: &CovSelectOut,
    space: Space,
) -> Result<()> {
    let (n, b) = (x.layout.tokens(), x.layout.sequences());
    x.layout.check()?;
    let (width, offsets) = match x.layout {
        Layout::Padded { sequences, width } => {
            Segments::Padded { sequences, width }.check(n)?;
            (width as i64, None)
        }
        Layout::Packed { offsets, .. } => (0, Some(offsets)),
    };
    let own = spec::CovSelect {
        segments: Segments::Padded { sequences: 0, width: 1 },
        logps: nothing(),
        old: x.old.map(|_| nothing()),
        noise: x.noise.map(|_| nothing()),
        advantage: policy::Each::Token(nothing()),
        mask: None,
        params: x.params,
        seed: x.seed,
        first_token: x.first_token,
        form: x.form,
    };
    own.check(&spec::CovSelectOut::default())?;
    inputs([
        ("logps", &Some(x.logps), n, &FLOATS),
        ("old", &x.old, n, &FLOATS),
        ("noise", &x.noise, n, &FLOATS),
        ("mask", &x.mask, n, &MASK),
    ])?;
    x.advantage.check("advantage", n, b, &FLOATS)?;
    outputs([
        ("out_indices", &out.indices, n, &I64),
        ("out_count", &out.count, 1, &I64),
        ("out_flag", &out.flag, n, &U8),
        ("out_keep", &out.keep, n, &U8),
    ])?;
    space.check(cov_select_workspace(x).minimum)?;
    let [share, cov_low, cov_high, clip_low, clip_high] = x.params;
    let advantage = Some(x.advantage);
    let what = if x.form == CovForm::Kl { COV_KL } else { COV_CLIP };
    let args = Args {
        noise: View::of(x.noise),
        advantage: Each::view(&advantage),
        advantage_of_sequence: Each::of_sequences(&advantage),
        offsets: View::of(offsets),
        out_keep: View::of(out.keep),
        out_flag: View::of(out.flag),
        out_indices: View::of(out.indices),
        out_count: View::of(out.count),
        sequences: b as i64,
        width,
        share,
        cov_low,
        cov_high,
        low: if clip_low >= 1.0 { f64::NEG_INFINITY } else { Real::log1p(-clip_low) },
        high: Real::log1p(clip_high),
        seed: x.seed,
        first_token: x.first_token,
        ..Args::new(what, n, [Some(x.logps), x.old], x.mask, space)
    };
    let queue = Queue { context, device: Device::current()?, stream };
    // SAFETY: the caller's promise; the arguments have been checked.
    unsafe {
        if offsets.is_some() {
            queue.each(c"truing_selection_clear", &args)?;
        }
        let warps = cover("logps", b.saturating_mul(32), THREADS)?;
        queue.launch(c"truing_selection_read", warps, THREADS as u32, &args)?;
        queue.launch(c"truing_selection_means", 1, ADDERS, &args)?;
        queue.sort(&args)?;
        queue.each(c"truing_selection_pick", &args)?;
        queue.pass(LISTING, &args)
    }
}

/// See [`truing_core::correction::M2poMask`].
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)]
pub struct M2poMask {
    /// `[N]`: f32, bf16, f16 or f64, as the next.
    pub old: Tensor,
    pub proximal: Tensor,
    /// `[N]`: u8, i32 or i64.
    pub mask: Option<Tensor>,
    pub threshold: f64,
}
/// Where results go.
#[derive(Clone, Copy, Debug, Default)]
#[allow(missing_docs)]
pub struct M2poMaskOut {
    /// `[N]`, u8.
    pub keep: Option<Tensor>,
    /// One number: f64 or f32.
    pub moment: Option<Tensor>,
    /// One number, i64.
    pub dropped: Option<Tensor>,
}
/// Scratch memory of [`m2po_mask`]: 32 bytes a token and some.
pub fn m2po_mask_workspace(x: &M2poMask) -> Workspace {
    space_of(x.old.layout.rows(), false)
}
/// Enqueues which tokens are kept.
///
/// # Safety
/// As for [`crate::logprob::forward`].
pub unsafe fn m2po_mask(
    context: &Context,
    stream: Stream,
    x: &M2poMask,
    out: &M2poMaskOut,
    space: Space,
) -> Result<()> {
    let n = x.old.layout.rows();
    let own = spec::M2poMask { old: nothing(), proximal: nothing(), mask: None, threshold: x.threshold };
    own.check(&spec::M2poMaskOut::default())?;
    inputs([
        ("old", &Some(x.old), n, &FLOATS),
        ("proximal", &Some(x.proximal), n, &FLOATS),
        ("mask", &x.mask, n, &MASK),
    ])?;
    outputs([
        ("out_keep", &out.keep, n, &U8),
        ("out_moment", &out.moment, 1, &WIDE),
        ("out_dropped", &out.dropped, 1, &I64),
    ])?;
    space.check(m2po_mask_workspace(x).minimum)?;
    let args = Args {
        out_keep: View::of(out.keep),
        out_number: View::of(out.moment),
        out_count: View::of(out.dropped),
        threshold: x.threshold,
        ..Args::new(M2PO, n, [Some(x.old), Some(x.proximal)], x.mask, space)
    };
    let queue = Queue { context, device: Device::current()?, stream };
    // SAFETY: the caller's promise; the arguments have been checked.
    unsafe {
        queue.sort(&args)?;
        queue.launch(c"truing_selection_moment", 1, THREADS as u32, &args)?;
        queue.each(c"truing_selection_drop", &args)
    }
}
