//! Token distribution shift of two rows of logits: [`truing_core::tds_rows`]. Each row is read twice: its records first, then,
//! while it may still be in the cache, the sums that need both.
use crate::lanes::Sixteen;
use crate::logprob::{Block, Job, Scratch, refuse, sums_of_block, transform, widen};
use crate::on_lanes;
use crate::parallel::Context;
use crate::rows::{Cell, clamp, exp, splat, tree};
use core::sync::atomic::{AtomicI64, Ordering};
use truing_core::dtype::Dtype;
use truing_core::error::row;
use truing_core::logprob::{Found, LogitRow, Piece, Problem, Rows, Seek, Target, TransformInputs, pieces};
use truing_core::matrix::Floats;
use truing_core::record::{BLOCK, Record, RowTransform, Tree};
use truing_core::row_loss::RowLossInputs;
use truing_core::tds_rows::{Constants, Figures, Row, Sums};
use truing_core::{Error, Result, Value};

/// One model's rows.
#[derive(Clone, Copy, Debug)]
pub struct Side<'a> {
    /// `[T, V]`: f32, bf16 or f16.
    pub logits: Floats<'a>,
    /// Bias and row temperatures.
    pub transform: TransformInputs<'a>,
}
/// A side with its problem.
#[derive(Clone, Copy)]
struct Half<'a> {
    job: Job<'a>,
    z: Floats<'a>,
}
macro_rules! with_row {
    ($half:expr, $i:expr, $row:ident => $body:expr) => {
        match &$half.z {
            Floats::F32(z) => {
                let $row: LogitRow<'_, _> = $half.job.row($i, z.row($i));
                $body
            }
            Floats::Bf16(z) => {
                let $row: LogitRow<'_, _> = $half.job.row($i, z.row($i));
                $body
            }
            Floats::F16(z) => {
                let $row: LogitRow<'_, _> = $half.job.row($i, z.row($i));
                $body
            }
            Floats::F64(_) => unreachable!("refused before"),
        }
    };
}
impl<'a> Half<'a> {
    fn new(problem: &'a Problem, side: &Side<'a>, rows: Rows<'a>) -> Half<'a> {
        Half { job: Job::new(problem, side.transform, rows, RowLossInputs::default(), None), z: side.logits }
    }
    /// The record of row `i` from that of its sums; `y` as in the whole vocabulary.
    fn conclude(&self, i: usize, x: Record, y: usize) -> Record {
        with_row!(self, i, row => row.conclude(x, Target::Column(y)))
    }
}

/// The figures of every row. `base` and `aligned` are problems of the same rows and columns; `rows` says which rows count
/// and what their tokens are: without targets, the largest column of the aligned row. `counts` gets the number of rows of
/// the classes unshifted, marginal, shifted and invalid.
pub fn tds_rows(
    context: &Context,
    problems: [&Problem; 2],
    [base, aligned]: [Side<'_>; 2],
    rows: Rows<'_>,
    out: Figures<'_>,
    counts: Option<&mut [i64; 4]>,
) -> Result<()> {
    let (n, v) = (problems[0].rows(), problems[0].vocab());
    base.logits.layout().check("base", n, v)?;
    aligned.logits.layout().check("aligned", n, v)?;
    out.check(n)?;
    for (field, z) in [("base", base.logits), ("aligned", aligned.logits)] {
        if z.dtype() == Dtype::F64 {
            return Err(refuse(field, Dtype::F64, "f32, bf16 or f16"));
        }
    }
    if problems[1].rows() != n || problems[1].vocab() != v || problems.iter().any(|p| p.total() != v) {
        return Err(Error::invalid("aligned", Value::Text("another problem"), Value::Text("that of the base")));
    }
    rows.check(problems[0])?;
    for (problem, side, names) in [
        (problems[0], &base, ["base_transform.bias", "base_transform.row_temperature"]),
        (problems[1], &aligned, ["aligned_transform.bias", "aligned_transform.row_temperature"]),
    ] {
        side.transform.check(problem, &rows).map_err(|e| Error {
            field: match e.field {
                "transform.bias" => names[0],
                "transform.row_temperature" => names[1],
                other => other,
            },
            ..e
        })?;
    }
    let call = Call {
        base: Half::new(problems[0], &base, rows),
        aligned: Half::new(problems[1], &aligned, rows),
        divergence: out.divergence(),
    };
    let classes: [AtomicI64; 4] = Default::default();
    let (isa, grain) = (context.isa(), ((1 << 15) / v.max(1)).max(1));
    context.rows(n, grain, out, |first, n, out| {
        on_lanes!(isa, s => run(&mut Lanes { s, scratch: Scratch::new(core::ptr::null()), y: ZERO }, &call, first, n, out, &classes),
            run(&mut Plain { x: [0.0; BLOCK], y: [0.0; BLOCK] }, &call, first, n, out, &classes))
    });
    if let Some(counts) = counts {
        *counts = classes.map(AtomicI64::into_inner);
    }
    Ok(())
}
#[derive(Clone, Copy)]
struct Call<'a> {
    base: Half<'a>,
    aligned: Half<'a>,
    divergence: bool,
}
#[inline(always)]
fn run(
    engine: &mut impl Engine,
    call: &Call<'_>,
    first: usize,
    n: usize,
    mut out: Figures<'_>,
    classes: &[AtomicI64; 4],
) {
    for i in 0..n {
        let x = figures(engine, call, first + i);
        out.put(i, &x);
        classes[x.class().min(3) as usize].fetch_add(1, Ordering::Relaxed);
    }
}
#[inline(always)]
fn figures(engine: &mut impl Engine, call: &Call<'_>, i: usize) -> Row {
    let target = call.base.job.target(i);
    if target == Target::Ignored {
        return Row::without(0.0, row::IGNORED);
    }
    let (base, aligned) = (engine.record(&call.base, i), engine.record(&call.aligned, i));
    let y = if let Target::Column(y) = target { y } else { aligned.k as usize };
    let (base, aligned) = (call.base.conclude(i, base, y), call.aligned.conclude(i, aligned, y));
    if let Some(bad) = Row::bad(&base, &aligned) {
        return bad;
    }
    let (c, mut sums) = (Constants::new(&base, &aligned), Sums::default());
    let valid = call.base.job.problem.valid().max(call.aligned.job.problem.valid());
    for piece in pieces(0, valid) {
        sums.add(engine.terms(call, &c, i, piece));
    }
    Row::new(&base, &aligned, y, &sums)
}

/// How the sums of a row are made.
trait Engine {
    fn record(&mut self, half: &Half<'_>, i: usize) -> Record;
    fn terms(&mut self, call: &Call<'_>, c: &Constants, i: usize, piece: Piece) -> [f32; 5];
}
struct Plain {
    x: [f32; BLOCK],
    y: [f32; BLOCK],
}
fn fill(half: &Half<'_>, i: usize, piece: Piece, x: &mut [f32; BLOCK]) {
    with_row!(half, i, row => for (l, x) in x.iter_mut().enumerate() {
        let j = piece.first + l;
        *x = if j < row.z.len() { row.at(j) } else { f32::NEG_INFINITY };
    })
}
impl Engine for Plain {
    fn record(&mut self, half: &Half<'_>, i: usize) -> Record {
        with_row!(half, i, row => row.sums(0, |_| true, &mut Seek::nothing(&mut Found::default())).0)
    }
    fn terms(&mut self, call: &Call<'_>, c: &Constants, i: usize, piece: Piece) -> [f32; 5] {
        fill(&call.base, i, piece, &mut self.x);
        fill(&call.aligned, i, piece, &mut self.y);
        c.block(&self.y, &self.x, call.divergence)
    }
}
const ZERO: Block = [[0.0; 32]; BLOCK / 32];
struct Lanes<S> {
    s: S,
    scratch: Scratch<f32>,
    y: Block,
}
impl<S: Sixteen> Lanes<S> {
    /// The transformed logits of a piece, dead columns behind the valid ones, in the scratch; chunks of 32.
    #[inline(always)]
    fn load(&mut self, half: &Half<'_>, i: usize, piece: Piece) -> usize {
        let s = self.s;
        let (n, t) = with_row!(half, i, row => {
            let end = row.z.len().min(piece.first + piece.n).max(piece.first.min(row.z.len()));
            let z = &row.z[piece.first.min(row.z.len())..end];
            widen(s, z, &mut self.scratch.x, row.z.as_ptr_range().end.addr());
            (z.len(), row.transform)
        });
        let bias = half.job.transform.bias;
        if n > 0 && (bias.is_some() || t != RowTransform::Plain) {
            transform(s, bias.as_ref(), &t, piece.first, n, self.scratch.buffers());
        }
        let padded = piece.n.next_multiple_of(32);
        self.scratch.x.as_flattened_mut()[n..padded].fill(f32::NEG_INFINITY);
        padded / 32
    }
}
impl<S: Sixteen> Engine for Lanes<S> {
    #[inline(always)]
    fn record(&mut self, half: &Half<'_>, i: usize) -> Record {
        let (mut tree, mut best) = (Tree::new(), f32::NEG_INFINITY);
        for piece in pieces(0, half.job.problem.valid()) {
            let n = self.load(half, i, piece);
            tree.push(sums_of_block(self.s, &self.scratch.x[..n], piece.block, &mut best));
        }
        tree.finish()
    }
    #[inline(always)]
    fn terms(&mut self, call: &Call<'_>, c: &Constants, i: usize, piece: Piece) -> [f32; 5] {
        let n = self.load(&call.aligned, i, piece);
        self.y[..n].copy_from_slice(&self.scratch.x[..n]);
        self.load(&call.base, i, piece);
        block(self.s, c, &self.y[..n], &self.scratch.x[..n], call.divergence)
    }
}
/// [`Constants::block`].
#[inline(never)]
fn block<S: Sixteen>(s: S, c: &Constants, y: &[[f32; 32]], x: &[[f32; 32]], divergence: bool) -> [f32; 5] {
    s.enter(
        #[inline(always)]
        || {
            let zero = splat(s, 0.0);
            let (one, xy) = (splat(s, 1.0), splat(s, c.xy));
            let mut sums = [[zero; 2]; 5];
            for (y, x) in y.iter().zip(x) {
                let (y, x) = (f32::load(s, y), f32::load(s, x));
                for l in 0..2 {
                    if divergence {
                        let t = exp(s, clamp(s, y[l] - splat(s, c.mt))) * splat(s, c.scale_t);
                        let p = exp(s, clamp(s, x[l] - splat(s, c.mp))) * splat(s, c.scale_p);
                        let [f, r, d] = c.terms(y[l], x[l], t, p);
                        sums[0][l] = sums[0][l] + f;
                        sums[1][l] = sums[1][l] + r;
                        sums[2][l] = sums[2][l] + d;
                    }
                    sums[3][l] = sums[3][l] + xy.simd_lt(x[l]).select(one, zero);
                    sums[4][l] = sums[4][l] + x[l].simd_eq(xy).select(one, zero);
                }
            }
            [tree(s, sums[0]), tree(s, sums[1]), tree(s, sums[2]), tree(s, sums[3]), tree(s, sums[4])]
        },
    )
}
