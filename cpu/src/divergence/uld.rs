//! The distance of sorted probabilities, for models of different vocabularies: D = sum of |p_(i) - q_(i)|, p and q each in
//! descending order, the shorter one padded with 0. With k > 0 the k largest of each and the difference of what is left: a
//! lower bound. Boizard et al. 2024, arXiv:2402.12030 (ULD). In f64; a row belongs to one thread. What a row costs is the sort
//! of both sides, by digits of their keys (three passes of 11, 11 and 10 bits), and then one exponential a column.
//!
//! Columns that mean the same on both sides may be named ([`Matched`]): they are compared one by one, and only the others are
//! sorted (GOLD). A row of either side may count for less than a whole distribution ([`Uld::scale`]).
use super::*;
use crate::lanes::Isa;
use crate::logprob::{Scratch, load};
use crate::support::Slots;
use core::cell::RefCell;
use truing_core::divergence::uld::{check_pairs, pair_weights};
use truing_core::matrix::Ints;
use truing_core::record::RowFloat;

/// Pairs of columns with the same text: D = w_m J + w_u U. U is the distance of the other columns' sorted probabilities, which
/// are not renormalised. J sums the pairs' terms of the Jensen-Shannon divergence, beta t log(t / M) + (1 - beta) p log(p / M)
/// with M = beta t + (1 - beta) p; t log(t / p) at beta = 0 and p log(p / t) at beta = 1. It may be negative: these columns do
/// not sum to 1. TRL's GOLD, without its floor of the pairs' probabilities at 1e-8.
#[derive(Clone, Copy, Debug)]
pub struct Matched<'a> {
    /// `[M]` columns of student and teacher, M >= 1; a column stands once at most.
    pub ids: [Ints<'a>; 2],
    /// In `[0, 1]`.
    pub beta: f64,
    /// w_m, w_u: finite and >= 0; both 0 are M over the teacher's number of columns, and 1 less that.
    pub weights: [f64; 2],
}
/// What is compared, and how.
#[derive(Clone, Copy, Debug, Default)]
pub struct Uld<'a> {
    /// Columns that count one by one, the largest; 0: all.
    pub k: usize,
    /// Columns that are not sorted.
    pub matched: Option<Matched<'a>>,
    /// `[N]`, positive and finite: factors of the probabilities of the student's and the teacher's rows, those of the further
    /// tokens where several of one side stand for one of the other.
    pub scale: [Option<Matrix<'a, f32>>; 2],
}
/// Marks of the columns of a side.
fn words(side: &logprob::Problem) -> usize {
    side.vocab().div_ceil(64)
}
/// Bytes of a task: 16 a column of either side.
fn slot(problem: &Problem) -> usize {
    let [s, t] = problems(problem).map(|p| Arena::need::<u64>(p.vocab()));
    Arena::sum([s, s, t, t])
}
/// Bytes of workspace: 16 a column of either side, at best as much for every thread, and 8 a row with a loss; with pairs a bit
/// more a column.
pub fn uld_workspace(context: &Context, problem: &Problem, matched: bool, loss: bool) -> Workspace {
    let [a, b] = problems(problem).map(|p| if matched { Arena::need::<u64>(words(p)) } else { 0 });
    let shared = Arena::sum([a, b, forward_workspace(problem, loss).minimum]);
    let Workspace { minimum, preferred } = Slots::room(context, problem.rows(), slot(problem));
    Workspace { minimum: Arena::sum([shared, minimum]), preferred: Arena::sum([shared, preferred]) }
}
impl Matched<'_> {
    /// Refuses what is not a pairing, and marks the columns.
    fn check(&self, problem: &Problem, marks: &mut [&mut [u64]; 2]) -> Result<()> {
        check_pairs(self.ids.map(|ids| ids.rows()), self.beta, self.weights)?;
        let m = self.ids[0].rows();
        for (side, field) in ["matched_student_ids", "matched_teacher_ids"].into_iter().enumerate() {
            let columns = problems(problem)[side].valid();
            marks[side].fill(0);
            for i in 0..m {
                let id = self.ids[side].get(i);
                if id < 0 || id >= columns as i64 {
                    return Err(truing_core::divergence::out_of_range(field, id, i, columns));
                }
                let (word, bit) = (&mut marks[side][id as usize / 64], 1 << (id % 64));
                if *word & bit != 0 {
                    let got = Value::At { value: id, index: i };
                    return Err(Error::invalid(field, got, Value::Text("ids that differ")));
                }
                *word |= bit;
            }
        }
        Ok(())
    }
    /// log(t / M) and log(p / M) of eight pairs, whose log(t / p) are `d`.
    fn middles(&self, isa: Isa, d: &[f64; 8]) -> [[f64; 8]; 2] {
        let (mut e, w, rest) = ([[0.0; 8]; 2], self.beta, 1.0 - self.beta);
        if w > 0.0 && rest > 0.0 {
            on_lanes!(isa, s => middles_on(s, d, [w, rest], &mut e), for (i, d) in d.iter().enumerate() {
                (e[0][i], e[1][i]) = (formula::mix(*d, w, rest), formula::mix(-*d, rest, w));
            });
        }
        e
    }
    /// A pair's term, and of each side p W = x + p y, W the slope of the term in the side's scaled probability. `l` are the
    /// logarithms of those, `scaled` the probabilities themselves, `scale` their factors, `e` its [`Matched::middles`].
    #[inline(always)]
    fn term(&self, l: [f64; 2], scaled: [f64; 2], scale: [f64; 2], e: [f64; 2]) -> (f64, [Weight; 2]) {
        let ([p, t], d, beta) = (scaled, l[1] - l[0], self.beta);
        let live = [l[0] > f64::NEG_INFINITY, l[1] > f64::NEG_INFINITY];
        let plain = |y| Weight { x: 0.0, y };
        // a log(a / b), b's weight is - a / b
        let one_way = |a: f64, e: f64, live: bool, factor: f64| match live {
            true => (a * e, plain(e + 1.0), Weight { x: -a / factor, y: 0.0 }),
            false => (0.0, plain(0.0), plain(0.0)),
        };
        if beta == 0.0 {
            let (value, own, other) = one_way(t, d, live[1], scale[0]);
            return (if live[1] && !live[0] { f64::INFINITY } else { value }, [other, own]);
        }
        if beta == 1.0 {
            let (value, own, other) = one_way(p, -d, live[0], scale[1]);
            return (if live[0] && !live[1] { f64::INFINITY } else { value }, [own, other]);
        }
        let part = |a: f64, e: f64, share: f64, live: bool| match live {
            true => (share * (a * e), plain(share * e)),
            false => (0.0, plain(0.0)),
        };
        let ((a, teacher), (b, student)) = (part(t, e[0], beta, live[1]), part(p, e[1], 1.0 - beta, live[0]));
        (a + b, [student, teacher])
    }
}
/// p W as x + p y.
#[derive(Clone, Copy)]
struct Weight {
    x: f64,
    y: f64,
}
/// Values `[N]`, their reduction, and with `upstream` the gradients of both sides and of the student's scale. Of the options of
/// `problem` the reduction alone counts. A row with a NaN or a `+inf`, or without a live column on a side, gives NaN; one whose
/// value is infinite (a pair at beta = 0 or 1 of which one column is dead) has gradients 0.
#[allow(clippy::too_many_arguments)]
pub fn uld(
    context: &Context,
    problem: &Problem,
    how: Uld<'_>,
    grads: [Grad<'_>; 2],
    grad_scale: Option<MatrixMut<'_, f32>>,
    inputs: Inputs<'_>,
    values: Option<MatrixMut<'_, f32>>,
    status: Option<MatrixMut<'_, u32>>,
    totals: Totals<'_>,
    upstream: Upstream<'_>,
    workspace: &mut [u8],
) -> Result<()> {
    let n = problem.rows();
    check(problem, &grads, &inputs, false)?;
    values.as_ref().map_or(Ok(()), |m| m.layout().check("out_values", n, 1))?;
    status.as_ref().map_or(Ok(()), |m| m.layout().check("out_status", n, 1))?;
    for (scale, field) in how.scale.iter().zip(["student_scale", "teacher_scale"]) {
        let Some(scale) = scale else { continue };
        scale.layout().check(field, n, 1)?;
        for i in 0..n {
            let x = scale.get(i) as f64;
            if problem.target(&inputs.rows, inputs.row_weight.as_ref(), i) != Target::Ignored
                && !(x > 0.0 && x < f64::INFINITY)
            {
                let legal = Value::Range { min: 0.0, max: f64::INFINITY, min_open: true, max_open: true };
                return Err(Error::invalid(field, Value::Float(x), legal));
            }
        }
    }
    if let Some(g) = &grad_scale {
        g.layout().check("grad_student_scale_out", n, 1)?;
        if how.scale[0].is_none() {
            let expected = Value::Text("NULL without student_scale");
            return Err(Error::invalid("grad_student_scale_out", Value::Text("a tensor"), expected));
        }
    }
    let unprefixed = |e: Error| match e.field {
        "outputs.out_loss" => Error { field: "out_loss", ..e },
        "options.aggregate.mode" => Error { field: "aggregate.mode", ..e },
        _ => e,
    };
    check_loss(problem, &totals).map_err(unprefixed)?;
    upstream.check(n)?;
    if upstream.loss.is_some() {
        problem.check_reduces("grad_loss").map_err(unprefixed)?;
    }
    let (matched, wants_loss) = (how.matched.is_some(), totals.loss.is_some());
    let space = uld_workspace(context, problem, matched, wants_loss);
    check_space(workspace, space)?;
    let divisor = problem.divisor(&inputs.rows, inputs.row_weight.as_ref());
    let loss = upstream.loss.map_or(0.0, |g| divisor.map_or(0.0, |z| g / z));
    let one = Slots::room(context, n, slot(problem)).minimum;
    let (shared, rest) = workspace.split_at_mut(space.minimum - one);
    let mut arena = Arena::new(shared);
    let mut marks: [&mut [u64]; 2] = [&mut [], &mut []];
    let mut weights = [0.0, 1.0];
    if let Some(matched) = &how.matched {
        marks = [arena.take::<u64>(words(problem.student()))?, arena.take::<u64>(words(problem.teacher()))?];
        matched.check(problem, &mut marks)?;
        weights = pair_weights(matched.weights, matched.ids[0].rows(), problem.teacher().valid());
    }
    let mut losses = match &totals.loss {
        Some(_) => Some(MatrixMut::vector(arena.take::<f64>(n)?)),
        None => None,
    };
    let slots = Slots::cut(context, n, slot(problem), rest)?;
    let (call, counters) = (Call::new(problem, &inputs), Counters::new());
    let compared = Compared { how: &how, marks: marks.each_ref().map(|m| &**m), weights, isa: context.isa() };
    let [student, teacher] = grads.map(Place::from);
    let figures = ((grad_scale, values), (status, losses.as_mut().map(MatrixMut::reborrow)));
    let grain = slots.grain().unwrap_or(1);
    context.rows(n, grain, (((student, teacher), figures), slots), |first, n, ((places, figures), slots)| {
        let (mut places, mut arena) = ([places.0, places.1], Arena::new(slots.memory()));
        let ((mut grad_scale, mut values), (mut status, mut losses)) = figures;
        let mut sides = problems(problem).map(|p| Side {
            keys: arena.take(p.vocab()).unwrap_or_default(),
            other: arena.take(p.vocab()).unwrap_or_default(),
        });
        for at in 0..n {
            let i = first + at;
            let (mut value, mut slope, mut flags) = (0.0, 0.0, row::IGNORED);
            let [weight, _] = call.factors(i);
            if call.target(i) == Target::Ignored {
                for (place, side) in places.iter_mut().zip(problems(problem)) {
                    place.fill(at, 0, side.vocab(), 0.0);
                }
            } else {
                let g = upstream.values.as_ref().map_or(0.0, |m| m.get(i) as f64) + loss;
                let g = g * upstream.scale * weight;
                (value, slope, flags) = compared.row(&call, &mut places, &mut sides, i, at, g);
                value *= weight;
            }
            grad_scale.iter_mut().for_each(|m| m.set(at, slope as f32));
            values.iter_mut().for_each(|m| m.set(at, value as f32));
            status.iter_mut().for_each(|m| m.set(at, flags));
            losses.iter_mut().for_each(|m| m.set(at, value));
            counters.add(flags);
        }
    });
    conclude_loss(totals, losses, divisor, &counters);
    Ok(())
}
/// Scratch memory for a row of a side.
struct Side<'a> {
    /// The columns, see [`RowFloat::key`]: those that are sorted, then those that have a partner, in the order of the pairs.
    keys: &'a mut [u64],
    /// Keys on their way, then the bits of the probabilities in the order of the keys.
    other: &'a mut [u64],
}
/// Rows below this are sorted by comparison: it costs less than to clear and to add up the counts of the digits.
const FEW: usize = 256;
impl Side<'_> {
    /// Sorts the first `n` of `all` columns, which come in their order: the largest first, equal ones by column. With `kept`
    /// below `n` so many, and the others behind them in their order.
    fn sort(&mut self, kept: usize, n: usize, all: usize) {
        if kept < n || n >= FEW {
            if kept < n {
                by_rank(&self.keys[..n], &mut self.other[..n], kept);
            } else {
                by_digits(&mut self.keys[..n], &mut self.other[..n]);
            }
            self.other[n..all].copy_from_slice(&self.keys[n..all]);
            core::mem::swap(&mut self.keys, &mut self.other);
        }
        if kept < n || n < FEW {
            self.keys[..kept].sort_unstable_by(|a, b| b.cmp(a));
        }
    }
    /// Puts the probabilities of `all` columns beside the keys, whose largest value is `top`; returns the sum of their
    /// exponentials, in the order of the keys.
    fn probabilities(&mut self, isa: Isa, all: usize, top: f64) -> f64 {
        let p: &mut [f64] = bytemuck::cast_slice_mut(&mut self.other[..all]);
        for (p, key) in p.iter_mut().zip(&self.keys[..all]) {
            *p = f32::unkey(*key).0 as f64 - top;
        }
        on_lanes!(isa, s => exponentials(s, p), p.iter_mut().for_each(|x| *x = Real::exp(*x)));
        let mut sum = 0.0;
        for e in &*p {
            sum += *e;
        }
        p.iter_mut().for_each(|p| *p /= sum);
        sum
    }
}
/// The `kept` largest into the front of `to`, the others behind them, both in the order in which they come: what is summed over
/// them is then a function of the row alone, however the least of the largest is found. Keys differ.
fn by_rank(from: &[u64], to: &mut [u64], kept: usize) {
    to.copy_from_slice(from);
    let (_, limit, _) = to.select_nth_unstable_by(kept, |a, b| b.cmp(a));
    let (limit, mut first, mut rest) = (*limit, 0, kept);
    for key in from {
        let at = if *key > limit { &mut first } else { &mut rest };
        to[*at] = *key;
        *at += 1;
    }
}
/// Descending by value into `to`; equal values stay in their order. `from` is used up.
fn by_digits(from: &mut [u64], to: &mut [u64]) {
    const SHIFTS: [u32; 3] = [32, 43, 54];
    let digit = |key: u64, shift: u32| (key >> shift) as usize & 2047;
    let mut starts = [[0u32; 2048]; 3];
    for key in &*from {
        for (starts, shift) in starts.iter_mut().zip(SHIFTS) {
            starts[digit(*key, shift)] += 1;
        }
    }
    let (mut from, mut to) = (from, to);
    for (starts, shift) in starts.iter_mut().zip(SHIFTS) {
        let mut before = 0;
        for start in starts.iter_mut().rev() {
            before += core::mem::replace(start, before);
        }
        for key in &*from {
            let start = &mut starts[digit(*key, shift)];
            to[*start as usize] = *key;
            *start += 1;
        }
        core::mem::swap(&mut from, &mut to);
    }
}
#[inline(never)]
fn exponentials<S: Sixteen>(s: S, x: &mut [f64]) {
    s.enter(
        #[inline(always)]
        || {
            let (whole, rest) = x.as_chunks_mut::<8>();
            for x in whole {
                s.store_f64(s.load_f64(x).exp(), x);
            }
            for x in rest {
                *x = Real::exp(*x);
            }
        },
    )
}
#[inline(never)]
fn middles_on<S: Sixteen>(s: S, d: &[f64; 8], [w, rest]: [f64; 2], e: &mut [[f64; 8]; 2]) {
    s.enter(
        #[inline(always)]
        || {
            let d = s.load_f64(d);
            let (w, rest) = (d.lit(w), d.lit(rest));
            s.store_f64(formula::mix(d, w, rest), &mut e[0]);
            s.store_f64(formula::mix(-d, rest, w), &mut e[1]);
        },
    )
}
/// Writes the keys of a row's valid columns in their order; returns the largest value, or nothing if there is a NaN or a
/// `+inf`.
fn keys(isa: Isa, view: &View<'_>, keys: &mut [u64]) -> Option<f32> {
    fn of<T: Cell>(isa: Isa, row: &LogitRow<'_, T>, keys: &mut [u64]) -> [u32; 2] {
        on_lanes!(isa, s => keys_on(s, row, keys), {
            for (j, key) in keys.iter_mut().enumerate() {
                *key = row.at(j).key(j as u32);
            }
            bounds(keys)
        })
    }
    let [low, high] = match view.raw {
        Raw::F32(z) => of(isa, &view.job.row(view.i, z), keys),
        Raw::Bf16(z) => of(isa, &view.job.row(view.i, z), keys),
        Raw::F16(z) => of(isa, &view.job.row(view.i, z), keys),
    };
    (low == DEAD && high < word(f32::INFINITY.key(0))).then_some(f32::unkey((high as u64) << 32).0)
}
/// The part of a key that holds the value.
fn word(key: u64) -> u32 {
    (key >> 32) as u32
}
/// The word of `-inf`; only a NaN with a sign lies below.
const DEAD: u32 = 0x007f_ffff;
/// The least and the largest word, `-inf` among them.
#[inline(always)]
fn bounds(keys: &[u64]) -> [u32; 2] {
    let [mut low, mut high] = [DEAD; 2];
    for key in keys {
        let word = (*key >> 32) as u32;
        (low, high) = (low.min(word), high.max(word));
    }
    [low, high]
}
#[inline(never)]
fn keys_on<S: Sixteen, T: Cell>(s: S, row: &LogitRow<'_, T>, keys: &mut [u64]) -> [u32; 2] {
    let mut scratch = Scratch::new(row.z.as_ptr_range().end);
    s.enter(
        #[inline(always)]
        || {
            let [mut low, mut high] = [DEAD; 2];
            for piece in pieces(0, row.z.len()) {
                load(s, row, piece, &mut scratch);
                let keys = &mut keys[piece.first..][..piece.n];
                for (j, (key, x)) in keys.iter_mut().zip(scratch.x.as_flattened()).enumerate() {
                    *key = x.key((piece.first + j) as u32);
                }
                let [l, h] = bounds(keys);
                (low, high) = (low.min(l), high.max(h));
            }
            [low, high]
        },
    )
}
/// Puts the gradients of the columns `keys` in their places, `dx` of them by their place among the keys and their key.
fn scatter<T: Float>(to: &mut [T], keys: &[u64], slope: f64, dx: impl Fn(usize, u64) -> f64) {
    for (at, key) in keys.iter().enumerate() {
        let dx = dx(at, *key);
        to[f32::unkey(*key).1 as usize] = T::from_f64(if dx == 0.0 { 0.0 } else { dx * slope });
    }
}
/// What the rows share.
struct Compared<'a> {
    how: &'a Uld<'a>,
    /// A bit for each column of a side that has a partner.
    marks: [&'a [u64]; 2],
    weights: [f64; 2],
    isa: Isa,
}
impl Compared<'_> {
    /// The value of row `i`, row `own` of the places; `g` times the gradient of the student's scale, and the flags; the
    /// gradients of the logits are written where they are wanted, times `g`.
    fn row(
        &self,
        call: &Call<'_>,
        places: &mut [Place<'_>; 2],
        sides: &mut [Side<'_>; 2],
        i: usize,
        own: usize,
        g: f64,
    ) -> (f64, f64, u32) {
        let matched = self.how.matched.as_ref();
        let pairs = matched.map_or(0, |m| m.ids[0].rows());
        let scale = self.how.scale.each_ref().map(|m| m.as_ref().map_or(1.0, |m| m.get(i) as f64));
        let (mut flags, mut top, mut sum, mut lens, mut first) = (0, [0f32; 2], [0f64; 2], [0; 2], [0; 2]);
        for (side, to) in sides.iter_mut().enumerate() {
            let view = View::new(&call.jobs[side], i, places[side].raw(own));
            let valid = view.valid();
            let read = if pairs == 0 { &mut to.keys[..valid] } else { &mut to.other[..valid] };
            match keys(self.isa, &view, read) {
                None => flags |= view.complete(Record::poison(0)).flags,
                Some(f32::NEG_INFINITY) => flags |= row::ALL_NEG_INF,
                Some(m) => top[side] = m,
            }
            lens[side] = valid - pairs;
            if let Some(m) = matched {
                let mut n = 0;
                for (j, key) in to.other[..valid].iter().enumerate() {
                    if self.marks[side][j / 64] >> (j % 64) & 1 == 0 {
                        to.keys[n] = *key;
                        n += 1;
                    }
                }
                // those that have a partner stand behind the others
                for pair in 0..pairs {
                    to.keys[n + pair] = to.other[m.ids[side].get(pair) as usize];
                }
            }
        }
        if flags != 0 {
            for (place, job) in places.iter_mut().zip(&call.jobs) {
                place.fill(own, 0, job.problem.vocab(), f64::NAN);
            }
            return (f64::NAN, f64::NAN, flags);
        }
        for (side, of) in sides.iter_mut().enumerate() {
            let (n, k) = (lens[side], self.how.k);
            let all = n + pairs;
            of.sort(if k == 0 { n } else { k.min(n) }, n, all);
            sum[side] = of.probabilities(self.isa, all, top[side] as f64);
            // the first of the largest
            let largest = |key: &u64| f32::unkey(*key).0 == top[side];
            first[side] = of.keys[..all].iter().position(largest).unwrap_or(0);
        }
        let sides = &*sides;
        let keys = sides.each_ref().map(|side| &*side.keys);
        let probs = sides.each_ref().map(|side| bytemuck::cast_slice::<u64, f64>(side.other));
        let p = |side: usize, at: usize| probs[side][at];
        // of the columns that are sorted, and with the row's scale
        let sorted = |side: usize, at: usize| if at < lens[side] { p(side, at) } else { 0.0 };
        let apart = |at: usize| scale[0] * sorted(0, at) - scale[1] * sorted(1, at);
        // without branches: it is as good as random which side is ahead
        let sign = |x: f64| ((x > 0.0) as i32 - (x < 0.0) as i32) as f64;
        let (log_sum, log_scale) = (sum.map(Real::log), scale.map(Real::log));
        let [matched_weight, unmatched_weight] = self.weights;
        // of a pair, with its factor
        let none = (0.0, [Weight { x: 0.0, y: 0.0 }; 2]);
        // eight at a time: they are asked for one after the other
        let eight = RefCell::new((usize::MAX, [none; 8]));
        let term = |pair: usize| {
            let Some(m) = matched.filter(|_| matched_weight > 0.0) else { return none };
            let (mut eight, group) = (eight.borrow_mut(), pair / 8);
            if eight.0 != group {
                let (first, n) = (8 * group, (pairs - 8 * group).min(8));
                let (mut l, mut scaled, mut d) = ([[0.0; 2]; 8], [[0.0; 2]; 8], [0.0; 8]);
                for side in 0..2 {
                    let from = lens[side] + first;
                    for i in 0..n {
                        let x = f32::unkey(keys[side][from + i]).0 as f64 - top[side] as f64;
                        l[i][side] = log_scale[side] + (x - log_sum[side]);
                        scaled[i][side] = scale[side] * probs[side][from + i];
                    }
                }
                for i in 0..n {
                    d[i] = l[i][1] - l[i][0];
                }
                let e = m.middles(self.isa, &d);
                for i in 0..n {
                    let (value, [s, t]) = m.term(l[i], scaled[i], scale, [e[0][i], e[1][i]]);
                    let weighted = |w: Weight| Weight { x: matched_weight * w.x, y: matched_weight * w.y };
                    eight.1[i] = (matched_weight * value, [weighted(s), weighted(t)]);
                }
                eight.0 = group;
            }
            eight.1[pair % 8]
        };
        let most = lens[0].max(lens[1]);
        let ranked = if self.how.k == 0 { most } else { self.how.k.min(most) };
        let tail = [0, 1].map(|side| (ranked..lens[side]).map(|at| p(side, at)).sum::<f64>());
        let rest = scale[0] * tail[0] - scale[1] * tail[1];
        // of the column at a place among the keys
        let weight = |side: usize, at: usize| {
            if at >= lens[side] {
                return term(at - lens[side]).1[side];
            }
            let s = sign(if at < ranked { apart(at) } else { rest });
            Weight { x: 0.0, y: unmatched_weight * if side == 0 { s } else { -s } }
        };
        // weights are taken relative to the largest column's: a nearly certain row would lose its gradient otherwise
        let anchor = [0, 1].map(|side| {
            if pairs == 0 {
                return 0.0;
            }
            let Weight { x, y } = weight(side, first[side]);
            x / p(side, first[side]) + y
        });
        let (mut unmatched, mut terms, mut mean) = (0.0, 0.0, [0.0; 2]);
        for at in 0..ranked {
            let d = apart(at);
            unmatched += d.abs();
            mean[0] += (unmatched_weight * sign(d) - anchor[0]) * sorted(0, at);
            mean[1] += (unmatched_weight * -sign(d) - anchor[1]) * sorted(1, at);
        }
        unmatched += rest.abs();
        mean[0] += (unmatched_weight * sign(rest) - anchor[0]) * tail[0];
        mean[1] += (unmatched_weight * -sign(rest) - anchor[1]) * tail[1];
        for pair in 0..pairs {
            let (value, weights) = term(pair);
            terms += value;
            for side in 0..2 {
                let at = lens[side] + pair;
                if at != first[side] {
                    mean[side] += weights[side].x + (weights[side].y - anchor[side]) * p(side, at);
                }
            }
        }
        let value = unmatched_weight * unmatched + terms;
        let infinite = value == f64::INFINITY;
        for side in 0..2 {
            if !places[side].wanted() {
                continue;
            }
            let (valid, width) = (lens[side] + pairs, call.jobs[side].problem.vocab());
            if infinite {
                places[side].fill(own, 0, width, 0.0);
                continue;
            }
            let g = g * scale[side];
            let dx = |at: usize, key: u64| {
                if f32::unkey(key).0 == f32::NEG_INFINITY {
                    0.0
                } else if pairs > 0 && at == first[side] {
                    g * p(side, at) * -mean[side]
                } else {
                    let Weight { x, y } = weight(side, at);
                    g * p(side, at) * (y - anchor[side] - mean[side]) + g * x
                }
            };
            let keys = &keys[side][..valid];
            match View::new(&call.jobs[side], i, places[side].raw(own)).transform() {
                RowTransform::Softcap { .. } => {
                    for (at, key) in keys.iter().enumerate() {
                        let (dx, j) = (dx(at, *key), f32::unkey(*key).1 as usize);
                        // the raw logit is read before its place is written
                        let slope = View::new(&call.jobs[side], i, places[side].raw(own)).slope(j);
                        places[side].fill(own, j, 1, if dx == 0.0 { 0.0 } else { dx * slope });
                    }
                }
                even => {
                    let slope = even.slope(0.0);
                    match places[side].gradient(own, 0, width) {
                        Some(Cut::F32(to)) => scatter(to, keys, slope, dx),
                        Some(Cut::Bf16(to)) => scatter(to, keys, slope, dx),
                        Some(Cut::F16(to)) => scatter(to, keys, slope, dx),
                        None => {}
                    }
                }
            }
            places[side].fill(own, valid, width - valid, 0.0);
        }
        if infinite { (value, 0.0, row::INFINITE) } else { (value, g * (anchor[0] + mean[0]), 0) }
    }
}
