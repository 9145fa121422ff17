//! Token distribution shift of two rows of logits: [`truing_core::tds_rows`]. Each row is read twice: its records first, then,
//! while it may still be in the cache, the sums that need both.
use crate::divergence::{Engine, Lanes, Plain, Raw, View, column, record};
use crate::lanes::Sixteen;
use crate::logprob::{Job, refuse};
use crate::on_lanes;
use crate::parallel::Context;
use crate::rows::{Cell, splat, tree};
use core::sync::atomic::{AtomicI64, Ordering};
use truing_core::dtype::Dtype;
use truing_core::error::row;
use truing_core::logprob::{Piece, Problem, Rows, Target, pieces};
use truing_core::matrix::Floats;
use truing_core::row_loss::RowLossInputs;
use truing_core::tds_rows::{Constants, Figures, Row, Sums};
use truing_core::{Error, Result, Value};

pub use crate::divergence::Side;

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
        on_lanes!(isa, s => run(&mut Lanes::new(s), &call, first, n, out, &classes),
            run(&mut Plain::new(), &call, first, n, out, &classes))
    });
    if let Some(counts) = counts {
        *counts = classes.map(AtomicI64::into_inner);
    }
    Ok(())
}
/// The records of a side, its logits and its targets.
#[derive(Clone, Copy)]
struct Half<'a> {
    job: Job<'a>,
    z: Floats<'a>,
}
impl<'a> Half<'a> {
    fn new(problem: &'a Problem, side: &Side<'a>, rows: Rows<'a>) -> Half<'a> {
        Half { job: Job::new(problem, side.transform, rows, RowLossInputs::default(), None), z: side.logits }
    }
    #[inline(always)]
    fn view(&self, i: usize) -> View<'_> {
        View::new(&self.job, i, Raw::of(&self.z, i))
    }
}
#[derive(Clone, Copy)]
struct Call<'a> {
    base: Half<'a>,
    aligned: Half<'a>,
    divergence: bool,
}
#[inline(always)]
fn run(
    engine: &mut impl Shift,
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
/// a is the aligned side, b the base.
#[inline(always)]
fn figures(engine: &mut impl Shift, call: &Call<'_>, i: usize) -> Row {
    let target = call.base.job.target(i);
    if target == Target::Ignored {
        return Row::without(0.0, row::IGNORED);
    }
    let (a, b) = (call.aligned.view(i), call.base.view(i));
    let (aligned, base) = (record(engine, 0, &a, 0, false), record(engine, 1, &b, 0, false));
    let y = if let Target::Column(y) = target { y } else { aligned.k as usize };
    let base = b.conclude(base, Target::Column(y), Some(y));
    let aligned = a.conclude(aligned, Target::Column(y), Some(y));
    if let Some(bad) = Row::bad(&base, &aligned) {
        return bad;
    }
    let (c, mut sums) = (Constants::new(&base, &aligned), Sums::default());
    let valid = call.base.job.problem.valid().max(call.aligned.job.problem.valid());
    for piece in pieces(0, valid) {
        engine.load(0, &a, piece, false);
        engine.load(1, &b, piece, false);
        sums.add(engine.terms(&c, piece, call.divergence));
    }
    Row::new(&base, &aligned, y, &sums)
}

/// The sums of a block.
trait Shift: Engine {
    fn terms(&mut self, c: &Constants, piece: Piece, divergence: bool) -> [f32; 5];
}
impl Shift for Plain {
    fn terms(&mut self, c: &Constants, _: Piece, divergence: bool) -> [f32; 5] {
        let [y, x] = self.blocks();
        c.block(y, x, divergence)
    }
}
impl<S: Sixteen> Shift for Lanes<S> {
    #[inline(always)]
    fn terms(&mut self, c: &Constants, piece: Piece, divergence: bool) -> [f32; 5] {
        let [y, x] = self.pair(piece);
        block(self.token(), c, y, x, divergence)
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
                        let [f, r, d] = Constants::terms(&column(s, &c.pair, [y[l], x[l]]));
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
