//! Vocabulary shards: what the columns that a device holds contribute, and the values of the rows from all of them. Kinds that
//! divide by the chain rule need one exchange, for their values; the others one of the records and one of the sums. The means
//! of the weights, which gradients read, come with the last exchange, of Renyi, alpha, Hellinger and chi-squared with a second.
use super::*;
use truing_core::matrix::Ints;
use truing_core::record::Join;

/// Which round of a sharded call.
#[derive(Clone, Copy, Debug)]
pub enum LocalPass<'a> {
    /// The joint records.
    Records,
    /// Sums with both normalisers, given the `[N, 16]` statistics of the first [`finish`].
    Values(Matrix<'a, f32>),
}
/// What a form's first exchange brings.
fn first(form: &Form) -> (&Form, bool) {
    let (chain, exact) = with_formula!(*form, F => (F::CHAIN, F::EXACT));
    (first_form(form), chain || exact)
}
/// Writes the records of a shard's columns, and their status bits as far as they show; both sides of `problem` are shards with
/// the same first column. A record has 16 numbers, and with a term of the target one more in either pass: the student's
/// transformed logit of it, `-inf` where another shard has that column. Errors: as [`forward`], and what shards do not serve,
/// by name.
pub fn local(
    context: &Context,
    problem: &Problem,
    logits: [Floats<'_>; 2],
    inputs: Inputs<'_>,
    pass: LocalPass<'_>,
    records: MatrixMut<'_, f32>,
    status: Option<MatrixMut<'_, u32>>,
) -> Result<()> {
    let n = problem.rows();
    problem.check_shard()?;
    check_sides(problem, &[Some(&Grad::Absent(logits[0])), Some(&Grad::Absent(logits[1]))], &inputs, true)?;
    check_target(problem, &inputs.rows)?;
    records.layout().check("out_records", n, problem.shard_record())?;
    status.as_ref().map_or(Ok(()), |m| m.layout().check("out_status", n, 1))?;
    if let LocalPass::Values(stats) = &pass {
        stats.layout().check("stats", n, STATS)?;
    }
    let places = logits.map(|z| Place::Read(z, 0));
    local_rows(context, &Call::new(problem, &inputs), 0..n, pass, Parts { places, records, status });
    Ok(())
}
/// The rows of a range, whose logits and outputs `work` begins with.
pub(crate) fn local_rows(context: &Context, call: &Call<'_>, rows: Range<usize>, pass: LocalPass<'_>, work: Parts<'_>) {
    let (isa, grain) = (context.isa(), (GRAIN / call.valid().max(1)).max(1));
    context.rows(rows.len(), grain, work, |first, n, mut work| {
        let first = rows.start + first;
        on_lanes!(isa, s => work.run(&mut Lanes::new(s), call, &pass, first, n), work.run(&mut Plain::new(), call, &pass, first, n))
    });
}
/// Some rows of a shard and their outputs.
pub(crate) struct Parts<'a> {
    pub(crate) places: [Place<'a>; 2],
    pub(crate) records: MatrixMut<'a, f32>,
    pub(crate) status: Option<MatrixMut<'a, u32>>,
}
impl Split for Parts<'_> {
    fn split(self, row: usize) -> (Self, Self) {
        let [student, teacher] = self.places;
        let (student, teacher) = (student.split(row), teacher.split(row));
        let (records, status) = (self.records.split(row), self.status.split(row));
        let a = Parts { places: [student.0, teacher.0], records: records.0, status: status.0 };
        (a, Parts { places: [student.1, teacher.1], records: records.1, status: status.1 })
    }
}
impl Parts<'_> {
    #[inline(always)]
    fn run(&mut self, engine: &mut impl Engine, call: &Call<'_>, pass: &LocalPass<'_>, at: usize, n: usize) {
        let choice = call.problem.choice();
        let start = call.jobs[0].problem.start();
        for i in 0..n {
            let (row, mut y) = (at + i, f32::NEG_INFINITY);
            let target = call.target(row);
            let (record, flags) = if target == Target::Ignored {
                let empty = Record { flags: row::IGNORED, ..Record::EMPTY };
                (Joint::of_sides(&choice.form, [empty; 2], [0.0; 2]).pack(), row::IGNORED)
            } else {
                let [student, teacher] = [0, 1].map(|side| View::new(&call.jobs[side], row, self.places[side].raw(i)));
                let views = choice.order([&student, &teacher]);
                if call.problem.shard_record() > STATS {
                    y = call.jobs[0].local(target).map_or(y, |j| student.at(j));
                }
                match pass {
                    LocalPass::Records => {
                        let x = joint_of(engine, &choice.form, views, start);
                        (x.pack(), x.sides[0].flags | x.sides[1].flags)
                    }
                    LocalPass::Values(stats) => {
                        let saved = Saved::unpack(stats.row(row));
                        (values(engine, &choice.form, views, start, &saved), saved.flags)
                    }
                }
            };
            let (own, of_target) = self.records.row_mut(i).split_at_mut(STATS);
            own.copy_from_slice(&record);
            of_target.fill(y);
            self.status.iter_mut().for_each(|m| m.set(i, flags));
        }
    }
}
/// The joint record of the columns at hand.
#[inline(always)]
fn joint_of(engine: &mut impl Engine, form: &Form, views: [&View<'_>; 2], start: usize) -> Joint {
    let (own, together) = first(form);
    let late = with_formula!(*form, F => F::LATE || F::EXACT);
    let columns = views[0].valid().max(views[1].valid());
    let mut x = if together {
        joint(engine, own, views, start, See { entropy: true, moments: !late })
    } else {
        let sides = [0, 1].map(|side| record(engine, side, views[side], start, true));
        Joint::of_sides(own, sides, [f32::NEG_INFINITY; 2])
    };
    for side in 0..2 {
        let k = x.sides[side].k as usize;
        x.sides[side] = views[side].complete(x.sides[side]);
        let local = k.wrapping_sub(start);
        x.other[side] = if x.sides[side].m > f32::NEG_INFINITY && local < columns {
            views[1 - side].at(local)
        } else {
            f32::NEG_INFINITY
        };
    }
    x
}
/// The sums of the columns at hand with the statistics of the whole row, which stand before them.
#[inline(always)]
fn values(engine: &mut impl Engine, form: &Form, views: [&View<'_>; 2], start: usize, saved: &Saved) -> [f32; STATS] {
    let (chain, late) = with_formula!(*form, F => (F::CHAIN, F::LATE));
    let mut sums = Sums::EMPTY;
    if saved.fill().is_none() && (!chain || late) {
        let mut k = saved.pair(form, [false; 2], 0.0);
        saved.anchor(form, &mut k, |_| [f32::NEG_INFINITY; 2]);
        let pass = Pass { value: !chain, moments: !chain || late };
        let mut tree = Tree::<Sums>::new();
        for piece in pieces(start, views[0].valid().max(views[1].valid())) {
            tree.push(engine.sums(form, &k, views, piece, pass));
        }
        sums = tree.finish();
    }
    let word = f32::from_bits;
    let [v0, v1, v2, v3, v4] = sums.value;
    let [ma, mb] = if chain && !late { saved.mean } else { sums.moments };
    let own = match form {
        Form::CosineLogits => [v0, v1, v2, v3, v4],
        _ if chain => [saved.value, saved.x[0], ma, mb, 0.0],
        _ => [v0, sums.delta, ma, mb, 0.0],
    };
    let (Saved { m, r, k, gamma, x, flags, .. }, [a, b, c, d, e]) = (*saved, own);
    // a row without figures
    let m = if saved.value.is_nan() { [f32::NAN; 2] } else { m };
    [m[0], r[0], word(k[0]), m[1], r[1], word(k[1]), gamma, x[2], x[3], a, b, c, d, e, 0.0, word(flags)]
}
/// The inverse of what [`values`] writes: the statistics, and the sums.
fn unpack(form: &Form, x: &[f32]) -> (Saved, Sums) {
    let chain = with_formula!(*form, F => F::CHAIN);
    let mut sums = Sums::EMPTY;
    let mut saved = Saved {
        m: [x[0], x[3]],
        r: [x[1], x[4]],
        k: [x[2].to_bits(), x[5].to_bits()],
        gamma: x[6],
        flags: x[15].to_bits(),
        ..Saved::default()
    };
    saved.x[2..].copy_from_slice(&x[7..9]);
    match form {
        Form::CosineLogits => sums.value.copy_from_slice(&x[9..14]),
        _ => {
            if chain {
                (saved.value, saved.x[0]) = (x[9], x[10]);
            } else {
                (sums.value[0], sums.delta) = (x[9], x[10]);
            }
            sums.moments = [x[11], x[12]];
            // where they are not made anew every shard hands on the row's
            saved.mean = sums.moments;
        }
    }
    (saved, sums)
}

/// What [`finish`] reads.
#[derive(Clone, Copy, Debug)]
pub struct Finish<'a> {
    /// `[S * N, 16]`, or `[S * N, 17]` with a term of the target: row i of shard s at s N + i, in the order of the shards.
    pub records: Matrix<'a, f32>,
    /// They come from [`LocalPass::Values`].
    pub values: bool,
    /// `[S + 1]`: the first column of each shard, then V.
    pub starts: Ints<'a>,
    /// Targets and mask, as in [`local`].
    pub rows: Rows<'a>,
    /// As in [`local`].
    pub row_weight: Option<Matrix<'a, f32>>,
}
/// Joins the records of all shards ([`Join`]) and writes the figures of the rows: values, entropies, statistics and status. After
/// the first exchange a kind that reads twice has no values, but statistics for the second; entropies come with the first.
pub fn finish(
    context: &Context,
    problem: &Problem,
    x: Finish<'_>,
    out: Figures<'_>,
    totals: Totals<'_>,
    workspace: &mut [u8],
) -> Result<()> {
    let (n, form) = (problem.rows(), &problem.choice().form);
    problem.check_shard()?;
    let shards = crate::logprob::check_starts(x.starts, problem.student().vocab())?;
    x.records.layout().check("records", shards * n, problem.shard_record())?;
    x.rows.check(problem.student())?;
    check_target(problem, &x.rows)?;
    problem.check_weight(&x.rows, x.row_weight.as_ref())?;
    out.check(n, x.rows.target.is_some())?;
    check_loss(problem, &totals)?;
    let unwanted = |some: bool, field, expected| match some {
        true => Err(Error::invalid(field, Value::Text("a tensor"), Value::Text(expected))),
        false => Ok(()),
    };
    const NONE: &str = "NULL over shards";
    unwanted(out.cross_entropy.is_some(), "outputs.out_cross_entropy", NONE)?;
    unwanted(out.reverse_cross_entropy.is_some(), "outputs.out_reverse_cross_entropy", NONE)?;
    unwanted(out.student_logprob.is_some(), "outputs.out_student_logprob", NONE)?;
    unwanted(out.teacher_logprob.is_some(), "outputs.out_teacher_logprob", NONE)?;
    unwanted(out.student_rank.is_some(), "outputs.out_student_rank", NONE)?;
    unwanted(out.teacher_rank.is_some(), "outputs.out_teacher_rank", NONE)?;
    if x.values {
        const FIRST: &str = "NULL in the pass of the values: it comes with the records";
        unwanted(out.student_entropy.is_some(), "outputs.out_student_entropy", FIRST)?;
        unwanted(out.teacher_entropy.is_some(), "outputs.out_teacher_entropy", FIRST)?;
    } else if !with_formula!(*form, F => F::CHAIN) {
        const LATER: &str = "NULL in the first pass of a kind that reads twice";
        unwanted(out.values.is_some(), "outputs.out_values", LATER)?;
        unwanted(totals.loss.is_some(), "outputs.out_loss", LATER)?;
    }
    check_space(workspace, forward_workspace(problem, totals.loss.is_some()))?;
    let divisor = problem.divisor(&x.rows, x.row_weight.as_ref());
    let counters = Counters::new();
    let mut losses = match &totals.loss {
        Some(_) => Some(MatrixMut::vector(Arena::new(workspace).take::<f64>(n)?)),
        None => None,
    };
    let start = |i: usize| x.starts.get(i) as usize;
    let join = Join::new((0..shards + 1).map(start));
    let columns = |shard: usize| start(shard + 1) - start(shard);
    let inputs = Inputs { rows: x.rows, row_weight: x.row_weight, ..Inputs::default() };
    let call = Call::new(problem, &inputs);
    let outputs = (out, losses.as_mut().map(MatrixMut::reborrow));
    context.rows(n, (GRAIN / (256 * shards)).max(1), outputs, |first, rows, (mut out, mut losses)| {
        for i in 0..rows {
            let at = first + i;
            let part = |shard: usize| x.records.row(shard * n + at);
            let target = match call.target(at) {
                // without a term of it the target is not read
                Target::Column(_) if problem.shard_record() == STATS => Target::None,
                target => target,
            };
            // the shards that do not have the column say `-inf`
            let of_target = |shard: usize| part(shard).get(STATS).copied().unwrap_or(f32::NEG_INFINITY);
            let y = (0..shards).map(of_target).fold(f32::NEG_INFINITY, |y, x| if x > y { x } else { y });
            let (row, value) = if target == Target::Ignored {
                (Row::without(0.0, row::IGNORED), 0.0)
            } else if x.values {
                let mut tree = Tree::<Sums>::new();
                for shard in 0..shards {
                    join.push(&mut tree, unpack(form, part(shard)).1, columns(shard));
                }
                after_values(&call, at, unpack(form, part(0)).0, tree.finish(), y)
            } else {
                let mut tree = Tree::<Joint>::new();
                for shard in 0..shards {
                    join.push(&mut tree, Joint::unpack(first_form(form), part(shard)), columns(shard));
                }
                after_records(&call, at, &tree.finish(), (target, y))
            };
            out.put(i, &row);
            losses.iter_mut().for_each(|m| m.set(i, value));
            counters.add(row.status);
        }
    });
    conclude_loss(totals, losses, divisor, &counters);
    Ok(())
}
/// The row, and its weighted value in f64; `y` is the student's logit of the target where there is a term of it.
fn weighted(call: &Call<'_>, at: usize, mut saved: Saved, value: f64, y: f32, mut row: Row) -> (Row, f64) {
    let [weight, soft] = call.factors(at);
    let mut sum = 0.0;
    if soft != 0.0 {
        sum += soft * value;
    }
    if call.problem.shard_record() > STATS {
        let student = call.problem.choice().student();
        let logprob = (y as f64 - saved.m[student] as f64) - (saved.r[student] as f64).log1p();
        let hard = weight * call.hard(logprob);
        if hard != 0.0 {
            sum -= hard * logprob;
        }
        saved.logprob = logprob as f32;
    }
    (row.values, row.saved, row.status) = (sum as f32, saved, saved.flags);
    (row, sum)
}
/// `of_target`: the target, and the student's logit of it.
fn after_records(call: &Call<'_>, at: usize, x: &Joint, of_target: (Target, f32)) -> (Row, f64) {
    let choice = call.problem.choice();
    let form = &choice.form;
    let (target, y) = of_target;
    let student = choice.student();
    let [a, b] = [0, 1].map(|i| match x.sides[i].joined() {
        side if i == student => Record { xy: y, ..side }.conclude(target),
        side => side.conclude(Target::None),
    });
    let flags = a.flags | b.flags;
    if bad(&a) || bad(&b) {
        return (bad_row(flags), f64::NAN);
    }
    let (chain, exact) = with_formula!(*form, F => (F::CHAIN, F::EXACT));
    let mut k = Pair::new(form, [a.m, b.m], [a.r, b.r], [false; 2]);
    let values = if chain || exact { k.gather(x, [false; 2]) } else { [0.0; 2] };
    let found = if chain { form.outcome(values) } else { Outcome { value: 0.0, x: [0.0; 4], degenerate: false } };
    let mut saved = Saved {
        m: k.m,
        r: [a.r, b.r],
        k: [a.k, b.k],
        gamma: k.gamma,
        mean: x.mean,
        x: found.x.map(|x| x as f32),
        logprob: 0.0,
        value: found.value as f32,
        flags,
    };
    saved.x[2..].copy_from_slice(&x.other);
    infinite(&mut saved);
    let [student, teacher] = choice.order([&a, &b]).map(|x| x.figures(Target::None).entropy);
    let row = Row { student_entropy: student, teacher_entropy: teacher, ..Row::without(0.0, 0) };
    weighted(call, at, saved, found.value, y, row)
}
/// A value beyond all numbers: the columns are elsewhere, so that both reasons are one.
fn infinite(saved: &mut Saved) {
    if saved.value == f32::INFINITY {
        saved.flags |= row::INFINITE;
    }
}
fn after_values(call: &Call<'_>, at: usize, mut saved: Saved, sums: Sums, y: f32) -> (Row, f64) {
    let form = &call.problem.choice().form;
    let bad = saved.m.iter().any(|m| !m.is_finite());
    if bad {
        return (bad_row(saved.flags), f64::NAN);
    }
    let (chain, exact, late) = with_formula!(*form, F => (F::CHAIN, F::EXACT, F::LATE));
    let mut value = saved.value as f64;
    if !chain {
        let mut k = saved.pair(form, [false; 2], 0.0);
        let found = form.finish(&k, &sums);
        if !exact && *form != Form::CosineLogits {
            k.refine(sums.delta);
        }
        value = found.value;
        saved.gamma = k.gamma;
        (saved.x[0], saved.x[1]) = (found.x[0] as f32, found.x[1] as f32);
        if *form == Form::CosineLogits {
            saved.x = found.x.map(|x| x as f32);
        }
        if found.degenerate {
            saved.flags |= row::DEGENERATE;
        }
        saved.value = value as f32;
        infinite(&mut saved);
    }
    if !chain || late {
        saved.mean = sums.moments;
    }
    weighted(call, at, saved, value, y, Row::without(0.0, 0))
}
