//! Off-policy corrections on a device, with the bits of the CPU: `kernels/correction.cu` says how, and
//! [`truing_core::correction`] what.
//!
//! What the host cannot look at without waiting is judged on the device: where some offsets do not cut the tokens, figures and
//! divided weights are NaN, such a sequence is not kept, and its tokens are not written. [`Missing::Error`], which would have
//! to wait, is refused.
use crate::driver::{Device, Grid, Stream};
use crate::plan::{Dtypes, F64, FLOATS, I64, MASK, Space, Tensor, U8, U32, View, WIDE, cover};
pub use crate::policy::Each;
use crate::program::{Context, File};
pub use crate::sequence::Layout;
use core::ffi::CStr;
use truing_core::correction::{self as spec, Missing, Normalise, Span, Statistic, WeightAction, WeightLevel};
use truing_core::matrix::{Arena, Floats, Matrix, Workspace};
use truing_core::real::Real;
use truing_core::sequence::Segments;
use truing_core::{Error, Result, Value};

pub(crate) const FILE: File = File { name: c"correction.cu", text: include_str!("../kernels/correction.cu") };
const THREADS: usize = 128;
/// Threads of the block that adds up.
const ADDERS: usize = 512;

/// `truing_correction_args` of the kernels.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
struct Args {
    old: View,
    sampler: View,
    advantage: View,
    mask: View,
    keep: View,
    offsets: View,
    out_weights: View,
    out_keep: View,
    out_status: View,
    out_statistics: View,
    out_sequence_keep: View,
    out_statistic: View,
    out_rejected: View,
    weights: u64,
    sums: u64,
    divisor: u64,
    tokens: i64,
    sequences: i64,
    width: i64,
    low: f64,
    high: f64,
    delta: f64,
    decay: f64,
    safety: f64,
    level: u32,
    action: u32,
    drops: u32,
    normalise: u32,
    token_weight: u32,
    statistic: u32,
    advantage_of_sequence: u32,
}
/// Bytes of the arguments, for the test that compares them with the kernels' own.
pub const ARGS: usize = size_of::<Args>();
impl Args {
    fn new(layout: &Layout, [old, sampler]: [Tensor; 2], mask: Option<Tensor>) -> Result<Args> {
        layout.check()?;
        let (width, offsets) = match *layout {
            Layout::Padded { sequences, width } => {
                Segments::Padded { sequences, width }.check(layout.tokens())?;
                (width as i64, None)
            }
            Layout::Packed { offsets, .. } => (0, Some(offsets)),
        };
        Ok(Args {
            old: View::of(Some(old)),
            sampler: View::of(Some(sampler)),
            advantage: View::NONE,
            mask: View::of(mask),
            keep: View::NONE,
            offsets: View::of(offsets),
            out_weights: View::NONE,
            out_keep: View::NONE,
            out_status: View::NONE,
            out_statistics: View::NONE,
            out_sequence_keep: View::NONE,
            out_statistic: View::NONE,
            out_rejected: View::NONE,
            weights: 0,
            sums: 0,
            divisor: 0,
            tokens: layout.tokens() as i64,
            sequences: layout.sequences() as i64,
            width,
            low: 0.0,
            high: 0.0,
            delta: 0.0,
            decay: 0.0,
            safety: 0.0,
            level: 0,
            action: 0,
            drops: 0,
            normalise: 0,
            token_weight: 0,
            statistic: 0,
            advantage_of_sequence: 0,
        })
    }
}
/// Launches kernels of this file with one argument.
struct Queue<'a> {
    context: &'a Context,
    device: Device,
    stream: Stream,
    args: &'a Args,
}
impl Queue<'_> {
    /// # Safety
    /// As for [`crate::driver::Kernel::launch`].
    unsafe fn launch(&self, name: &'static CStr, threads: usize, block: usize) -> Result<()> {
        if threads == 0 {
            return Ok(());
        }
        let kernel = self.context.kernel(&self.device, self.stream, FILE, name)?;
        let grid = Grid::new(cover("old", threads, block)?, block as u32);
        // SAFETY: the caller's promise.
        unsafe { kernel.launch(&self.device, self.stream, grid, self.args) }
    }
}
type Fields<'a, const K: usize> = [(&'static str, &'a Option<Tensor>, usize, &'a Dtypes); K];
fn inputs<const K: usize>(all: Fields<'_, K>) -> Result<()> {
    all.into_iter().try_for_each(|(field, x, rows, dtypes)| x.map_or(Ok(()), |x| x.check(field, rows, 1, dtypes)))
}
fn outputs<const K: usize>(all: Fields<'_, K>) -> Result<()> {
    all.into_iter().try_for_each(|(field, x, rows, dtypes)| x.map_or(Ok(()), |x| x.check_out(field, rows, 1, dtypes)))
}
fn waits(missing: Missing) -> Result<()> {
    if missing == Missing::Error {
        let (got, expected) = (Value::Text("error"), Value::Text("one or zero: a device does not wait for its tokens"));
        return Err(Error::invalid("missing", got, expected));
    }
    Ok(())
}
/// No tokens and no sequence: what core judges is the rest.
const NONE: Segments<'static> = Segments::Padded { sequences: 0, width: 1 };
fn nothing<'a>() -> Floats<'a> {
    Floats::F64(Matrix::vector(&[]))
}

/// See [`truing_core::correction::ImportanceWeight`].
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)]
pub struct ImportanceWeight {
    pub layout: Layout,
    /// `[N]`: f32, bf16, f16 or f64, as the next.
    pub old: Tensor,
    pub sampler: Tensor,
    /// `[N]`: u8, i32 or i64.
    pub mask: Option<Tensor>,
    pub low: f64,
    pub high: f64,
    pub level: WeightLevel,
    pub action: WeightAction,
    pub missing: Missing,
    pub normalise: Normalise,
    pub token_weight: bool,
}
/// Where results go.
#[derive(Clone, Copy, Debug, Default)]
#[allow(missing_docs)]
pub struct ImportanceWeightOut {
    /// `[N]`: f64 or f32.
    pub weights: Option<Tensor>,
    /// `[N]`, u8.
    pub keep: Option<Tensor>,
    /// `[8]`, f64.
    pub statistics: Option<Tensor>,
    /// `[N]`, u32.
    pub status: Option<Tensor>,
}
/// Whether something is added up over the batch.
fn adds(x: &ImportanceWeight, out: &ImportanceWeightOut) -> bool {
    x.normalise != Normalise::Off || out.statistics.is_some()
}
fn weight_sizes(x: &ImportanceWeight, out: &ImportanceWeightOut) -> [usize; 3] {
    match adds(x, out) {
        true => [x.layout.tokens(), x.layout.sequences().saturating_mul(3), 1].map(Arena::need::<f64>),
        false => [0; 3],
    }
}
/// Scratch memory of [`importance_weight`]: 8 bytes a token where weights are divided or figures wanted.
pub fn importance_weight_workspace(x: &ImportanceWeight, out: &ImportanceWeightOut) -> Workspace {
    let bytes = Arena::sum(weight_sizes(x, out));
    Workspace { minimum: bytes, preferred: bytes }
}
/// Enqueues weights, what is within the bounds, figures.
///
/// # Safety
/// As for [`crate::logprob::forward`].
pub unsafe fn importance_weight(
    context: &Context,
    stream: Stream,
    x: &ImportanceWeight,
    out: &ImportanceWeightOut,
    space: Space,
) -> Result<()> {
    let (n, b) = (x.layout.tokens(), x.layout.sequences());
    let args = Args::new(&x.layout, [x.old, x.sampler], x.mask)?;
    let own = spec::ImportanceWeight {
        segments: NONE,
        old: nothing(),
        sampler: nothing(),
        mask: None,
        low: x.low,
        high: x.high,
        level: x.level,
        action: x.action,
        missing: x.missing,
        normalise: x.normalise,
        token_weight: x.token_weight,
    };
    own.check(&spec::ImportanceWeightOut::default())?;
    waits(x.missing)?;
    inputs([
        ("old", &Some(x.old), n, &FLOATS),
        ("sampler", &Some(x.sampler), n, &FLOATS),
        ("mask", &x.mask, n, &MASK),
    ])?;
    outputs([
        ("out_weights", &out.weights, n, &WIDE),
        ("out_keep", &out.keep, n, &U8),
        ("out_statistics", &out.statistics, 8, &F64),
        ("out_status", &out.status, n, &U32),
    ])?;
    space.check(importance_weight_workspace(x, out).minimum)?;
    let [weights, sums, _] = weight_sizes(x, out).map(|x| x as u64);
    let adds = adds(x, out);
    let at = |offset: u64| if adds { space.data + offset } else { 0 };
    let [low, high] = own.log_bounds();
    let args = Args {
        out_weights: View::of(out.weights),
        out_keep: View::of(out.keep),
        out_status: View::of(out.status),
        out_statistics: View::of(out.statistics),
        weights: at(0),
        sums: at(weights),
        divisor: at(weights + sums),
        low,
        high,
        level: x.level as u32,
        action: x.action as u32,
        drops: (x.missing == Missing::Zero) as u32,
        normalise: x.normalise as u32,
        token_weight: x.token_weight as u32,
        ..args
    };
    let queue = Queue { context, device: Device::current()?, stream, args: &args };
    // SAFETY: the caller's promise; the arguments have been checked.
    unsafe {
        queue.launch(c"truing_correction_weights", b.saturating_mul(32), THREADS)?;
        if adds {
            queue.launch(c"truing_correction_totals", ADDERS, ADDERS)?;
        }
        if x.normalise != Normalise::Off && out.weights.is_some() {
            queue.launch(c"truing_correction_divide", n, THREADS)?;
        }
    }
    Ok(())
}

/// See [`truing_core::correction::RejectionMask`].
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)]
pub struct RejectionMask {
    pub layout: Layout,
    /// `[N]`: f32, bf16, f16 or f64, as the next.
    pub old: Tensor,
    pub sampler: Tensor,
    /// `[N]`: u8, i32 or i64, as the next.
    pub mask: Option<Tensor>,
    pub keep: Option<Tensor>,
    pub statistic: Statistic,
    pub span: Span,
    pub low: f64,
    pub high: f64,
    pub missing: Missing,
}
/// Where results go.
#[derive(Clone, Copy, Debug, Default)]
#[allow(missing_docs)]
pub struct RejectionMaskOut {
    /// `[N]`, u8.
    pub keep: Option<Tensor>,
    /// `[B]`, u8.
    pub sequence_keep: Option<Tensor>,
    /// `[N]` for tokens, `[B]` for sequences: f64 or f32.
    pub statistic: Option<Tensor>,
    /// One number, i64.
    pub rejected: Option<Tensor>,
}
/// Enqueues which tokens and sequences are kept.
///
/// # Safety
/// As for [`crate::logprob::forward`].
pub unsafe fn rejection_mask(
    context: &Context,
    stream: Stream,
    x: &RejectionMask,
    out: &RejectionMaskOut,
) -> Result<()> {
    let (n, b) = (x.layout.tokens(), x.layout.sequences());
    let args = Args::new(&x.layout, [x.old, x.sampler], x.mask)?;
    let own = spec::RejectionMask {
        segments: NONE,
        old: nothing(),
        sampler: nothing(),
        mask: None,
        keep: None,
        statistic: x.statistic,
        span: x.span,
        low: x.low,
        high: x.high,
        missing: x.missing,
    };
    own.check(&spec::RejectionMaskOut::default())?;
    waits(x.missing)?;
    inputs([
        ("old", &Some(x.old), n, &FLOATS),
        ("sampler", &Some(x.sampler), n, &FLOATS),
        ("mask", &x.mask, n, &MASK),
        ("keep", &x.keep, n, &MASK),
    ])?;
    outputs([
        ("out_keep", &out.keep, n, &U8),
        ("out_sequence_keep", &out.sequence_keep, b, &U8),
        ("out_statistic", &out.statistic, if x.span == Span::Token { n } else { b }, &WIDE),
        ("out_rejected", &out.rejected, 1, &I64),
    ])?;
    let [low, high] = own.bounds();
    let args = Args {
        keep: View::of(x.keep),
        out_keep: View::of(out.keep),
        out_sequence_keep: View::of(out.sequence_keep),
        out_statistic: View::of(out.statistic),
        out_rejected: View::of(out.rejected),
        low,
        high,
        level: x.span as u32,
        drops: (x.missing == Missing::Zero) as u32,
        statistic: x.statistic as u32,
        ..args
    };
    let queue = Queue { context, device: Device::current()?, stream, args: &args };
    // SAFETY: the caller's promise; the arguments have been checked.
    unsafe {
        if out.rejected.is_some() {
            queue.launch(c"truing_correction_clear", 1, 32)?;
        }
        queue.launch(c"truing_correction_reject", b.saturating_mul(32), THREADS)
    }
}

/// See [`truing_core::correction::OffPolicySequenceMask`].
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)]
pub struct OffPolicySequenceMask {
    pub layout: Layout,
    /// `[N]`: f32, bf16, f16 or f64, as the next.
    pub logps: Tensor,
    pub behaviour: Tensor,
    /// `[B]`.
    pub advantage: Tensor,
    /// `[N]`: u8, i32 or i64.
    pub mask: Option<Tensor>,
    pub delta: f64,
}
/// Where results go.
#[derive(Clone, Copy, Debug, Default)]
#[allow(missing_docs)]
pub struct OffPolicySequenceMaskOut {
    /// `[B]`, u8.
    pub keep: Option<Tensor>,
    /// `[B]`: f64 or f32.
    pub mean: Option<Tensor>,
}
/// Enqueues which sequences are kept.
///
/// # Safety
/// As for [`crate::logprob::forward`].
pub unsafe fn off_policy_sequence_mask(
    context: &Context,
    stream: Stream,
    x: &OffPolicySequenceMask,
    out: &OffPolicySequenceMaskOut,
) -> Result<()> {
    let (n, b) = (x.layout.tokens(), x.layout.sequences());
    let args = Args::new(&x.layout, [x.logps, x.behaviour], x.mask)?;
    let own = spec::OffPolicySequenceMask {
        segments: NONE,
        logps: nothing(),
        behaviour: nothing(),
        advantage: nothing(),
        mask: None,
        delta: x.delta,
    };
    own.check(&spec::OffPolicySequenceMaskOut::default())?;
    inputs([
        ("logps", &Some(x.logps), n, &FLOATS),
        ("behaviour", &Some(x.behaviour), n, &FLOATS),
        ("advantage", &Some(x.advantage), b, &FLOATS),
        ("mask", &x.mask, n, &MASK),
    ])?;
    outputs([("out_keep", &out.keep, b, &U8), ("out_mean", &out.mean, b, &WIDE)])?;
    let args = Args {
        advantage: View::of(Some(x.advantage)),
        out_keep: View::of(out.keep),
        out_statistic: View::of(out.mean),
        delta: x.delta,
        ..args
    };
    let queue = Queue { context, device: Device::current()?, stream, args: &args };
    // SAFETY: the caller's promise; the arguments have been checked.
    unsafe { queue.launch(c"truing_correction_moved", b.saturating_mul(32), THREADS) }
}

/// See [`truing_core::correction::FipoWeight`].
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)]
pub struct FipoWeight {
    pub layout: Layout,
    /// `[N]`: f32, bf16, f16 or f64, as the next.
    pub logps: Tensor,
    pub old: Tensor,
    /// `[N]` or `[B]`.
    pub advantage: Each,
    /// `[N]`: u8, i32 or i64.
    pub mask: Option<Tensor>,
    /// Checked by [`truing_core::correction::FipoWeight::params`].
    pub params: [f64; 4],
    pub high_only: bool,
}
/// Where results go.
#[derive(Clone, Copy, Debug, Default)]
#[allow(missing_docs)]
pub struct FipoWeightOut {
    /// `[N]`: f64 or f32.
    pub weights: Option<Tensor>,
    /// `[N]`, u32.
    pub status: Option<Tensor>,
}
/// Enqueues weights.
///
/// # Safety
/// As for [`crate::logprob::forward`].
pub unsafe fn fipo_weight(context: &Context, stream: Stream, x: &FipoWeight, out: &FipoWeightOut) -> Result<()> {
    let (n, b) = (x.layout.tokens(), x.layout.sequences());
    let args = Args::new(&x.layout, [x.logps, x.old], x.mask)?;
    inputs([("logps", &Some(x.logps), n, &FLOATS), ("old", &Some(x.old), n, &FLOATS), ("mask", &x.mask, n, &MASK)])?;
    x.advantage.check("advantage", n, b, &FLOATS)?;
    outputs([("out_weights", &out.weights, n, &WIDE), ("out_status", &out.status, n, &U32)])?;
    let [half_life, clip, delta, safety] = x.params;
    let [low, high] = match clip == 0.0 {
        true => [f64::NEG_INFINITY, f64::INFINITY],
        false => [if x.high_only { 0.0 } else { Real::log1p(-clip) }, Real::log1p(clip)],
    };
    let advantage = Some(x.advantage);
    let args = Args {
        advantage: Each::view(&advantage),
        advantage_of_sequence: Each::of_sequences(&advantage),
        out_weights: View::of(out.weights),
        out_status: View::of(out.status),
        low,
        high,
        delta: Real::log(delta),
        decay: Real::exp(-core::f64::consts::LN_2 / half_life),
        safety: Real::log(safety),
        ..args
    };
    let queue = Queue { context, device: Device::current()?, stream, args: &args };
    // SAFETY: the caller's promise; the arguments have been checked.
    unsafe { queue.launch(c"truing_correction_follow", b.saturating_mul(32), THREADS) }
}
