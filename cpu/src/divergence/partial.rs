//! Divergences on a few columns: the columns are gathered into a short row, which runs through the kernels of whole rows; the
//! rest of a side is one more column, whose logit is the log sum exp of what it holds.
use super::*;
use truing_core::divergence::Options;
use truing_core::divergence::partial::{AtIds, Chosen, Figures as PartialFigures, Outside, Partial, id};
use truing_core::matrix::Ints;
use truing_core::row_loss::{MOST, Top};

/// The teacher of a partial divergence.
#[derive(Debug)]
pub enum PartialTeacher<'a> {
    /// Rows of logits, and where their gradient goes.
    Rows(Grad<'a>),
    /// Numbers at the given ids.
    At(AtIds<'a>),
}
/// Most columns of a short row.
const WIDTH: usize = 2 * MOST + 1;

/// Values and gradients of divergences on a support. `upstream`: the gradients of the values and of the reduced loss, where
/// gradients are asked for; a hard-label term, a shift of the teacher's target and other forms of the teacher's rows have no
/// place here. A row without a column in its support has value 0 and no gradient, flagged `EMPTY`.
#[allow(clippy::too_many_arguments)]
pub fn partial(
    context: &Context,
    problem: &Problem,
    partial: &Partial,
    student: Grad<'_>,
    teacher: PartialTeacher<'_>,
    ids: Option<Ints<'_>>,
    inputs: Inputs<'_>,
    out: PartialFigures<'_>,
    totals: Totals<'_>,
    upstream: Upstream<'_>,
    workspace: &mut [u8],
) -> Result<()> {
    let (n, options) = (problem.rows(), problem.options());
    if options.hard_weight != 0.0 || options.teacher_target_shift != 0.0 || options.teacher != Teacher::Logits {
        let expected = Value::Text("NULL or 0 with a term of the target or a teacher of other numbers");
        return Err(Error::invalid("partial.support", Value::Text("a support"), expected));
    }
    let (at, teacher) = match teacher {
        PartialTeacher::Rows(grad) => (None, Some(grad)),
        PartialTeacher::At(at) => (Some(at), None),
    };
    let mut grads = [Some(student), teacher];
    check_sides(problem, &grads, &inputs)?;
    partial.check(problem, &inputs.rows, ids.as_ref(), at.as_ref())?;
    let most = partial.most(ids.as_ref());
    out.check(n, most, partial.outside)?;
    check_loss(problem, &totals)?;
    upstream.check(n)?;
    if upstream.loss.is_some() {
        problem.check_reduces("grad_loss")?;
    }
    check_space(workspace, forward_workspace(problem, totals.loss.is_some()))?;
    let divisor = problem.divisor(&inputs.rows, inputs.row_weight.as_ref());
    let upstream = Upstream { loss: upstream.loss.map(|g| divisor.map_or(0.0, |z| g / z)), ..upstream };
    let few = Few { call: Call { upstream, ..Call::new(problem, &inputs) }, partial, at, ids };
    let counters = Counters::new();
    let mut losses = match &totals.loss {
        Some(_) => Some(MatrixMut::vector(Arena::new(workspace).take::<f64>(n)?)),
        None => None,
    };
    let (isa, grain) = (context.isa(), (GRAIN / few.call.valid().max(1)).max(1));
    let [student, teacher] = grads.each_mut().map(|g| g.take().map(Place::from));
    let outputs = ((student, teacher), (out, losses.as_mut().map(MatrixMut::reborrow)));
    context.rows(n, grain, outputs, |first, n, ((student, teacher), (out, losses))| {
        let mut work = Rest { places: [student, teacher], out, losses };
        on_lanes!(isa, s => work.run(&mut Lanes::new(s), &few, first, n, &counters), work.run(&mut Plain::new(), &few, first, n, &counters))
    });
    conclude_loss(totals, losses, divisor, &counters);
    Ok(())
}
/// A row of its own and the place of its gradient.
fn short_place<'a>(x: &'a [f32], g: &'a mut [f32]) -> Place<'a> {
    let n = x.len();
    let z = Floats::F32(Matrix::contiguous(x, 1, n).expect("so long"));
    Place::Apart(z, 0, FloatsMut::F32(MatrixMut::contiguous(g, 1, n).expect("so long")))
}
struct Few<'a> {
    call: Call<'a>,
    partial: &'a Partial,
    at: Option<AtIds<'a>>,
    ids: Option<Ints<'a>>,
}
struct Rest<'a> {
    places: [Option<Place<'a>>; 2],
    out: PartialFigures<'a>,
    losses: Option<MatrixMut<'a, f64>>,
}
/// What a row gathers.
struct Gathered {
    ids: [u32; 2 * MOST],
    len: usize,
    /// Logits of S and behind them that of the rest, of student and teacher.
    x: [[f32; WIDTH]; 2],
    /// Maximum and 1 + r of the columns outside S.
    rest: [(f32, f64); 2],
    mass: [f32; 2],
}
impl Rest<'_> {
    #[inline(always)]
    fn run(&mut self, engine: &mut impl Engine, few: &Few<'_>, first: usize, n: usize, counters: &Counters) {
        let mut top = [Top::<f32>::default(), Top::<f32>::default()];
        for i in 0..n {
            let at = first + i;
            let (flags, value, row) = match few.call.target(at) {
                Target::Ignored => (row::IGNORED, 0.0, None),
                _ => {
                    let row = self.gather(engine, few, at, i, &mut top);
                    if row.len == 0 { (row::EMPTY, 0.0, None) } else { (0, 0.0, Some(row)) }
                }
            };
            let (mut flags, mut value) = (flags, value);
            if let Some(row) = &row {
                (flags, value) = self.short(engine, few, at, i, row);
            } else {
                self.fill(few, i, 0.0);
            }
            macro_rules! put {
                ($($f:ident: $x:expr),*) => {$( if let Some(m) = &mut self.out.$f { m.set(i, $x) } )*};
            }
            let mass = row.as_ref().map_or([0.0; 2], |row| row.mass);
            put!(values: value as f32, student_mass: mass[0], teacher_mass: mass[1], status: flags);
            if let Some(m) = &mut self.out.support_ids {
                for (k, place) in m.row_mut(i).iter_mut().enumerate() {
                    *place = row.as_ref().filter(|row| k < row.len).map_or(-1, |row| row.ids[k] as i32);
                }
            }
            if let Some(m) = &mut self.losses {
                m.set(i, value);
            }
            counters.add(flags);
        }
    }
    fn fill(&mut self, few: &Few<'_>, i: usize, x: f64) {
        for (place, job) in self.places.iter_mut().zip(&few.call.jobs) {
            if let Some(place) = place {
                place.fill(i, 0, job.problem.vocab(), x);
            }
        }
    }
    /// One side of a row; none of a teacher at ids.
    fn view<'b>(&'b self, few: &'b Few<'_>, side: usize, at: usize, i: usize) -> Option<View<'b>> {
        self.places[side].as_ref().map(|place| View::new(&few.call.jobs[side], at, place.raw(i)))
    }
    #[inline(always)]
    fn gather(
        &self,
        engine: &mut impl Engine,
        few: &Few<'_>,
        at: usize,
        i: usize,
        top: &mut [Top<f32>; 2],
    ) -> Gathered {
        let mut row = Gathered {
            ids: [0; 2 * MOST],
            len: 0,
            x: [[f32::NEG_INFINITY; WIDTH]; 2],
            rest: [(0.0, 0.0); 2],
            mass: [0.0; 2],
        };
        let views = [self.view(few, 0, at, i), self.view(few, 1, at, i)];
        let mut given = [0usize; MOST];
        let order: &[usize] = match few.partial.chosen {
            Chosen::Given => {
                let ids = few.ids.as_ref().expect("checked");
                for k in 0..ids.layout().cols {
                    if let Ok(j) = u32::try_from(id(ids, at, k)) {
                        (row.ids[row.len], given[row.len]) = (j, k);
                        row.len += 1;
                    }
                }
                &[]
            }
            Chosen::Teacher => &[1],
            Chosen::Student => &[0],
            Chosen::Union => &[1, 0],
        };
        for &side in order {
            let view = views[side].as_ref().expect("rows of both sides");
            top[side].start(few.partial.k);
            for piece in pieces(0, view.valid()) {
                engine.load(0, view, piece, false);
                engine.top(0, piece, &mut top[side]);
            }
            top[side].finish(&Record::EMPTY);
            for k in 0..top[side].len() {
                let (_, j) = top[side].get(k).expect("there are so many");
                if !row.ids[..row.len].contains(&j) {
                    row.ids[row.len] = j;
                    row.len += 1;
                }
            }
        }
        for side in 0..2 {
            let (ids, x) = (&row.ids[..row.len], &mut row.x[side]);
            let Some(view) = &views[side] else {
                let at_ids = few.at.as_ref().expect("no rows");
                let values = at_ids.values();
                for (x, &k) in x.iter_mut().zip(&given[..row.len]) {
                    *x = match &values {
                        Floats::F32(m) => m.row(at)[k],
                        Floats::Bf16(m) => m.row(at)[k].to_f32(),
                        Floats::F16(m) => m.row(at)[k].to_f32(),
                        Floats::F64(m) => m.row(at)[k] as f32,
                    };
                }
                if few.partial.outside == Outside::Tail {
                    let lse = match at_ids {
                        AtIds::Logits(_, Some(lse)) => lse.get(at) as f64,
                        _ => 0.0,
                    };
                    let mut sum = 0.0;
                    for x in &mut x[..row.len] {
                        let l = *x as f64 - lse;
                        *x = l as f32;
                        sum += Real::exp(l);
                    }
                    // what the log-probs leave of 1
                    let left = if sum < 1.0 {
                        1.0 - sum
                    } else if sum.is_nan() {
                        sum
                    } else {
                        0.0
                    };
                    x[row.len] = Real::log(left) as f32;
                    row.mass[side] = (1.0 - left) as f32;
                }
                continue;
            };
            for (x, &j) in x.iter_mut().zip(ids) {
                *x = view.at(j as usize);
            }
            if few.partial.outside == Outside::Tail {
                let (mut tree, mut best) = (Tree::<Record>::new(), f32::NEG_INFINITY);
                for piece in pieces(0, view.valid()) {
                    engine.load(0, view, piece, false);
                    for &j in ids {
                        if (piece.first..piece.first + piece.n).contains(&(j as usize)) {
                            engine.put(0, j as usize - piece.first, f32::NEG_INFINITY);
                        }
                    }
                    tree.push(engine.record(0, piece, &mut best));
                }
                let rest = tree.finish();
                let m = x[..row.len].iter().fold(rest.m, |m, &x| if x > m { x } else { m });
                if m > f32::NEG_INFINITY {
                    let mut sum = 0.0;
                    for x in &mut x[..row.len] {
                        *x -= m;
                        sum += Real::exp(*x as f64);
                    }
                    let tail = (rest.m as f64 - m as f64) + rest.log_sum();
                    x[row.len] = if rest.poisoned() { f32::NAN } else { tail as f32 };
                    row.mass[side] = (sum / (sum + Real::exp(tail))) as f32;
                }
                row.rest[side] = (rest.m, 1.0 + rest.r as f64);
            }
        }
        row
    }
    /// The divergence of the gathered columns; flags and value.
    #[inline(always)]
    fn short(&mut self, engine: &mut impl Engine, few: &Few<'_>, at: usize, i: usize, row: &Gathered) -> (u32, f64) {
        let tail = few.partial.outside == Outside::Tail;
        let n = row.len + usize::from(tail);
        let options = few.call.problem.options();
        let side = logprob::Problem::new(1, n, logprob::Options::default()).expect("a short row");
        let own = Options { kind: options.kind, param: options.param, limits: options.limits, ..Options::default() };
        let problem = Problem::new(side, side, own).expect("checked before");
        let inputs = Inputs::default();
        let [_, soft] = few.call.factors(at);
        let up = &few.call.upstream;
        let g = up.values.as_ref().map_or(0.0, |m| m.get(at) as f64 * up.scale) + up.loss.map_or(0.0, |g| g * up.scale);
        let wanted = [0, 1].map(|side| self.places[side].as_ref().is_some_and(Place::wanted));
        let any = wanted[0] || wanted[1];
        let upstream = Upstream { loss: Some(g * soft), ..Upstream::default() };
        let call = Call { upstream, moments: any, ..Call::new(&problem, &inputs) };
        let mut grads = [[0f32; WIDTH]; 2];
        let [gs, gt] = &mut grads;
        let mut work = Work {
            places: [short_place(&row.x[0][..n], &mut gs[..n]), short_place(&row.x[1][..n], &mut gt[..n])],
            out: Figures::default(),
            losses: None,
        };
        let (x, [value, _]) = {
            let views = work.views(&call, 0, 0, Target::None);
            figures(engine, &call, 0, &views, Target::None)
        };
        if any {
            work.gradients(engine, &call, 0, 0, Target::None, &x.saved);
        }
        let value = if soft == 0.0 { 0.0 } else { soft * value };
        for side in 0..2 {
            if !wanted[side] {
                continue;
            }
            self.scatter(engine, few, side, at, i, row, &grads[side][..n], x.saved.fill());
        }
        (x.status, value)
    }
    /// Writes the gradient of a side from that of its short row.
    #[inline(always)]
    fn scatter(
        &mut self,
        engine: &mut impl Engine,
        few: &Few<'_>,
        side: usize,
        at: usize,
        i: usize,
        row: &Gathered,
        g: &[f32],
        fill: Option<f32>,
    ) {
        let width = few.call.jobs[side].problem.vocab();
        if let Some(x) = fill {
            let place = self.places[side].as_mut().expect("wanted");
            return place.fill(i, 0, width, x as f64);
        }
        let (ids, valid) = (&row.ids[..row.len], few.call.jobs[side].problem.valid());
        let mut own = [0f64; 2 * MOST];
        let view = self.view(few, side, at, i).expect("wanted");
        for (own, (&j, &g)) in own.iter_mut().zip(ids.iter().zip(g)) {
            let j = j as usize;
            *own = if j < valid && g != 0.0 { g as f64 * view.slope(j) } else { 0.0 };
        }
        let (m, sum) = row.rest[side];
        if few.partial.outside == Outside::Tail && m > f32::NEG_INFINITY {
            let factor = (g[row.len] as f64 / sum) as f32;
            for piece in pieces(0, valid) {
                {
                    let view = self.view(few, side, at, i).expect("wanted");
                    let slopes = view.transform() != RowTransform::Plain;
                    engine.load(0, &view, piece, slopes);
                    engine.spread(0, piece, m, factor, slopes);
                }
                let place = self.places[side].as_mut().expect("wanted");
                engine.store(0, place.gradient(i, piece.first, piece.n).expect("wanted"));
            }
            let place = self.places[side].as_mut().expect("wanted");
            place.fill(i, valid, width - valid, 0.0);
        } else {
            let place = self.places[side].as_mut().expect("wanted");
            place.fill(i, 0, width, 0.0);
        }
        let place = self.places[side].as_mut().expect("wanted");
        for (&j, &x) in ids.iter().zip(&own) {
            if (j as usize) < valid {
                place.fill(i, j as usize, 1, x);
            }
        }
    }
}
