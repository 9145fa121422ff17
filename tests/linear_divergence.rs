//! Divergences of two heads: against 60 digits, and bit for bit against the logits formed by the products, `divergence` on
//! them and the products of the gradients; the same for every workspace, thread count and instruction set; refusals; memory.
use std::sync::Mutex;
use truing_core::divergence::partial::{AtIds, Chosen, Figures as PartialFigures, Outside, Partial};
use truing_core::divergence::{Figures, Kind, Limits, Options, STATS, Teacher as Numbers, Upstream};
use truing_core::error::row;
use truing_core::linear_divergence::{Problem, Side};
use truing_core::linear_logprob::{self, Rounding};
use truing_core::logprob::{self, Rows, Transform, TransformInputs};
use truing_core::matrix::{Floats, Ints, Layout, Mask, Matrix, MatrixMut};
use truing_core::preference::Reduction;
use truing_core::{Dtype, Error, Status};
use truing_cpu::divergence::{self as rowwise, Finish, LocalPass, PartialShards, PartialTeacher, Totals};
use truing_cpu::linear_divergence::{
    Asked, Fused, Head, Inputs, Support, Teacher, backward, forward, local, partial, partial_local, workspace,
};
use truing_cpu::linear_logprob::Grads;
use truing_cpu::logprob::Grad;
use truing_cpu::{Context, Isa, gemm};
use truing_tests::{
    Bits, Cases, Counting, Data, Random, context, contexts, hash, numbers, product, same, transpose, with_scratch,
};

#[global_allocator]
static ALLOCATOR: Counting = Counting;
/// Tests of this file run one at a time, so that the counts are those of the call that is measured.
static ALONE: Mutex<()> = Mutex::new(());

/// One side's data.
#[derive(Clone, Debug)]
struct Model {
    d: usize,
    v: usize,
    hidden: Data,
    weight: Data,
    bias: Option<Vec<f32>>,
    temperature: Option<Vec<f32>>,
    transform: Transform,
    valid: usize,
    rounding: Rounding,
}
impl Model {
    fn new(r: &mut Random, n: usize, d: usize, v: usize, kind: [usize; 2]) -> Model {
        Model {
            d,
            v,
            hidden: Data::new(kind[0], &r.normals(n * d, 1.0)),
            weight: Data::new(kind[1], &r.normals(v * d, 1.5 / (d as f64).sqrt())),
            bias: None,
            temperature: None,
            transform: Transform::default(),
            valid: 0,
            rounding: Rounding::None,
        }
    }
    fn options(&self) -> logprob::Options {
        logprob::Options { transform: self.transform, n_valid_vocab: self.valid, ..logprob::Options::default() }
    }
    fn inputs(&self) -> TransformInputs<'_> {
        TransformInputs {
            bias: self.bias.as_ref().map(|b| Matrix::vector(b).into()),
            row_temperature: self.temperature.as_ref().map(|t| Matrix::vector(t)),
        }
    }
    fn head(&self, n: usize) -> Head<'_> {
        Head {
            hidden: self.hidden.view(Layout::contiguous(n, self.d)),
            weight: self.weight.view(Layout::contiguous(self.v, self.d)),
            transform: self.inputs(),
        }
    }
    fn problem(&self, n: usize) -> linear_logprob::Problem {
        linear_logprob::Problem::new(n, self.d, self.v, self.options()).unwrap().rounded(self.rounding)
    }
    /// The logits by the rule of the products.
    fn logits(&self, n: usize) -> Vec<f32> {
        let mut out = vec![0.0; n * self.v];
        let head = self.head(n);
        gemm::rows_by_rows(Isa::Scalar, &head.hidden, &head.weight, &mut out);
        match self.rounding {
            Rounding::None => out,
            Rounding::Bf16 => Data::new(1, &out).wide(),
            Rounding::F16 => Data::new(2, &out).wide(),
        }
    }
}
/// What a test varies.
#[derive(Clone, Debug)]
struct Case {
    n: usize,
    sides: [Model; 2],
    /// The teacher as rows of logits in memory.
    rows: Option<Data>,
    target: Option<Vec<i32>>,
    mask: Option<Vec<u8>>,
    weight: Option<Vec<f32>>,
    options: Options,
    upstream: Option<[Vec<f32>; 2]>,
    loss: Option<f64>,
}
impl Case {
    fn new(seed: u64, n: usize, d: [usize; 2], v: [usize; 2], kinds: [[usize; 2]; 2], options: Options) -> Case {
        let mut r = Random(seed);
        let sides = [0, 1].map(|side| Model::new(&mut r, n, d[side], v[side], kinds[side]));
        Case { n, sides, rows: None, target: None, mask: None, weight: None, options, upstream: None, loss: Some(0.75) }
    }
    /// With everything that a call can have.
    fn full(mut self, seed: u64) -> Case {
        let mut r = Random(seed);
        let (n, v) = (self.n, self.sides[0].v);
        for side in &mut self.sides {
            let mut bias = r.normals(side.v, 0.3);
            bias[side.v / 3] = f32::NEG_INFINITY;
            side.bias = Some(bias);
            side.valid = side.v - side.v / 8;
        }
        self.sides[0].temperature = Some((0..n).map(|_| r.between(0.5, 2.0) as f32).collect());
        self.sides[1].transform = Transform { softcap: 3.0, temperature: 0.8, ..Transform::default() };
        self.target = Some((0..n).map(|_| r.below(v) as i32).collect());
        self.mask = Some((0..n).map(|_| (r.below(4) > 0) as u8).collect());
        self.weight = Some((0..n).map(|i| if i % 7 == 3 { 0.0 } else { r.between(0.1, 2.0) as f32 }).collect());
        self.options = Options { hard_weight: 0.25, soft_weight: 0.5, temperature_squared: true, ..self.options };
        self.upstream = Some([r.normals(n, 1.0), r.normals(n, 0.3)]);
        self
    }
    fn problem(&self) -> Problem {
        let teacher = match &self.rows {
            None => Side::Head(self.sides[1].problem(self.n)),
            Some(_) => Side::Rows(logprob::Problem::new(self.n, self.sides[1].v, self.sides[1].options()).unwrap()),
        };
        Problem::new(self.sides[0].problem(self.n), teacher, self.options).unwrap()
    }
    fn teacher_rows(&self) -> Option<Floats<'_>> {
        self.rows.as_ref().map(|x| x.view(Layout::contiguous(self.n, self.sides[1].v)))
    }
    fn inputs(&self) -> Inputs<'_> {
        let teacher = match self.teacher_rows() {
            None => Teacher::Head(self.sides[1].head(self.n)),
            Some(logits) => Teacher::Rows(rowwise::Side { logits, transform: self.sides[1].inputs() }),
        };
        let (rows, row_weight) = (self.rows(), self.weight.as_ref().map(|w| Matrix::vector(w)));
        Inputs { student: self.sides[0].head(self.n), teacher, rows, row_weight }
    }
    fn rows(&self) -> Rows<'_> {
        Rows {
            target: self.target.as_ref().map(|t| Ints::I32(Matrix::vector(t))),
            mask: self.mask.as_ref().map(|m| Mask::U8(Matrix::vector(m))),
            ..Rows::default()
        }
    }
    fn live(&self, i: usize) -> bool {
        self.mask.as_ref().is_none_or(|m| m[i] != 0) && self.weight.as_ref().is_none_or(|w| w[i] != 0.0)
    }
    fn upstream(&self) -> Upstream<'_> {
        let vector = |k: usize| self.upstream.as_ref().map(|x| Matrix::vector(&x[k]));
        Upstream { values: vector(0), student_logprob: vector(1), loss: self.loss, scale: 1.0 }
    }
}
const FIGURES: usize = 9;
/// Figures and gradients, filled with values that no kernel writes.
#[derive(Clone, Debug)]
struct Out {
    figures: Vec<Vec<f32>>,
    stats: Vec<f32>,
    status: Vec<u32>,
    loss: f64,
    counters: [i64; 32],
    /// Hidden, weight, bias of student and teacher.
    grads: [[Data; 3]; 2],
}
impl Out {
    fn new(case: &Case, kinds: [usize; 3]) -> Out {
        let grads = [0, 1].map(|side| {
            let m = &case.sides[side];
            let sizes = [case.n * m.d, m.v * m.d, m.v];
            [0, 1, 2].map(|k| Data::new(kinds[k], &(0..sizes[k]).map(|i| (i % 5) as f32 - 2.0).collect::<Vec<_>>()))
        });
        let n = case.n;
        let (figures, stats) = (vec![vec![7.5; n]; FIGURES], vec![7.5; n * STATS]);
        Out { figures, stats, status: vec![1 << 31; n], loss: 7.5, counters: [77; 32], grads }
    }
    fn places(&mut self, case: &Case) -> (Figures<'_>, Totals<'_>, [Grads<'_>; 2]) {
        let n = case.n;
        let [a, b, c, d, e, f, g, ..] = &mut self.figures[..] else { unreachable!() };
        let [m0, m1] = [case.sides[0].v, case.sides[1].v];
        let some = case.target.is_some();
        let figures = Figures {
            values: Some(MatrixMut::vector(a)),
            student_entropy: Some(MatrixMut::vector(b)),
            teacher_entropy: Some(MatrixMut::vector(c)),
            cross_entropy: Some(MatrixMut::vector(d)),
            reverse_cross_entropy: Some(MatrixMut::vector(e)),
            student_logprob: some.then(|| MatrixMut::vector(f)),
            teacher_logprob: some.then(|| MatrixMut::vector(g)),
            stats: Some(MatrixMut::contiguous(&mut self.stats, n, STATS).unwrap()),
            status: Some(MatrixMut::vector(&mut self.status)),
            ..Figures::default()
        };
        let [gs, gt] = &mut self.grads;
        let teacher = if case.rows.is_none() { side(gt, n, case.sides[1].d, m1) } else { Grads::default() };
        let grads = [side(gs, n, case.sides[0].d, m0), teacher];
        let loss = MatrixMut::vector(std::slice::from_mut(&mut self.loss)).into();
        (figures, Totals { loss: Some(loss), counters: Some(&mut self.counters) }, grads)
    }
    fn same(&self, what: &str, want: &Out) {
        for (k, (a, b)) in self.figures.iter().zip(&want.figures).enumerate() {
            same(&format!("{what}: figure {k}"), a, b);
        }
        same(&format!("{what}: stats"), &self.stats, &want.stats);
        same(&format!("{what}: status"), &self.status, &want.status);
        assert_eq!(self.loss.to_bits(), want.loss.to_bits(), "{what}: loss");
        assert_eq!(self.counters, want.counters, "{what}: counters");
        self.same_grads(what, want);
    }
    fn same_grads(&self, what: &str, want: &Out) {
        for side in 0..2 {
            for (k, name) in ["hidden", "weight", "bias"].into_iter().enumerate() {
                let (got, want) = (self.grads[side][k].wide(), want.grads[side][k].wide());
                same(&format!("{what}: gradient of side {side}'s {name}"), &got, &want);
            }
        }
    }
}
fn side(g: &mut [Data; 3], n: usize, d: usize, v: usize) -> Grads<'_> {
    let [hidden, weight, bias] = g;
    Grads {
        hidden: Some(hidden.view_mut(Layout::contiguous(n, d))),
        weight: Some(weight.view_mut(Layout::contiguous(v, d))),
        bias: Some(bias.view_mut(Layout::contiguous(v, 1))),
        ..Grads::default()
    }
}
/// What the parts give one by one: the logits, `divergence` on them, the products of the gradients.
fn parts(c: &Context, case: &Case, kinds: [usize; 3], accumulate: bool) -> Out {
    let (n, widths) = (case.n, [case.sides[0].v, case.sides[1].v]);
    let mut out = Out::new(case, kinds);
    let z = [case.sides[0].logits(n), case.sides[1].logits(n)];
    let views = [
        Matrix::contiguous(&z[0], n, widths[0]).unwrap().into(),
        case.teacher_rows().unwrap_or_else(|| Matrix::contiguous(&z[1], n, widths[1]).unwrap().into()),
    ];
    let problem = *case.problem().divergence();
    let inputs = rowwise::Inputs {
        student: case.sides[0].inputs(),
        teacher: case.sides[1].inputs(),
        rows: case.rows(),
        row_weight: case.weight.as_ref().map(|w| Matrix::vector(w)),
    };
    let (figures, totals, _) = out.places(case);
    with_scratch(rowwise::forward_workspace(&problem, true).minimum, |w| {
        rowwise::forward(c, &problem, views, inputs, figures, totals, w).unwrap();
    });
    let mut dz = widths.map(|v| vec![0f32; n * v]);
    let [ds, dt] = &mut dz;
    let student = Grad::Separate(views[0], MatrixMut::contiguous(ds, n, widths[0]).unwrap().into());
    let teacher = match case.rows {
        None => Grad::Separate(views[1], MatrixMut::contiguous(dt, n, widths[1]).unwrap().into()),
        Some(_) => Grad::Absent(views[1]),
    };
    let stats = Matrix::contiguous(&out.stats, n, STATS).unwrap();
    rowwise::backward(c, &problem, [student, teacher], inputs, Some(stats), case.upstream(), None).unwrap();
    chain(case, &dz, kinds, accumulate, &mut out);
    out
}
/// The products of the gradients of the logits, put or added into what `out` holds.
fn chain(case: &Case, dz: &[Vec<f32>; 2], kinds: [usize; 3], accumulate: bool, out: &mut Out) {
    let (n, before) = (case.n, out.grads.clone());
    let live: Vec<usize> = (0..n).filter(|&i| case.live(i)).collect();
    for side in 0..(if case.rows.is_none() { 2 } else { 1 }) {
        let m = &case.sides[side];
        let pick = |x: &[f32], cols: usize| -> Vec<f32> {
            live.iter().flat_map(|&i| x[i * cols..(i + 1) * cols].to_vec()).collect()
        };
        let (dz, hidden) = (pick(&dz[side], m.v), pick(&m.hidden.wide(), m.d));
        let valid = if m.valid == 0 { m.v } else { m.valid };
        // columns beyond the valid ones take no part in the order of the sums
        let dz_valid: Vec<f32> = dz.chunks(m.v).flat_map(|r| r[..valid].to_vec()).collect();
        let (count, weight) = (live.len(), m.weight.wide());
        let mut grad_hidden = vec![0f32; n * m.d];
        let some = product(&dz_valid, &transpose(&weight[..valid * m.d], m.d), valid);
        for (k, &i) in live.iter().enumerate() {
            grad_hidden[i * m.d..(i + 1) * m.d].copy_from_slice(&some[k * m.d..(k + 1) * m.d]);
        }
        let mut grad_weight = vec![0f32; m.v * m.d];
        let mut grad_bias = vec![0f32; m.v];
        if count > 0 {
            let turned = transpose(&dz_valid, valid);
            grad_weight[..valid * m.d].copy_from_slice(&product(&turned, &transpose(&hidden, m.d), count));
            grad_bias[..valid].copy_from_slice(&product(&turned, &vec![1.0; count], count));
        }
        for (k, total) in [grad_hidden, grad_weight, grad_bias].into_iter().enumerate() {
            let old = before[side][k].wide();
            let rows = |x: usize| x / m.d;
            let sum: Vec<f32> = total
                .iter()
                .zip(&old)
                .enumerate()
                .map(|(i, (&x, &old))| match k {
                    0 if accumulate && live.binary_search(&rows(i)).is_err() => old,
                    _ if accumulate && (k == 0 || i / (if k == 1 { m.d } else { 1 }) < valid) && count > 0 => old + x,
                    _ if accumulate => old,
                    _ => x,
                })
                .collect();
            out.grads[side][k] = Data::new(kinds[k], &sum);
        }
    }
}
#[derive(Clone, Copy, Debug, PartialEq)]
enum Way {
    Fused,
    Stats,
    Again,
}
fn flagged(mut grads: [Grads<'_>; 2], accumulate: bool) -> [Grads<'_>; 2] {
    grads.iter_mut().for_each(|g| (g.accumulate_hidden, g.accumulate_weight) = (accumulate, accumulate));
    grads
}
/// The call itself, with `share` of the workspace from the minimum (0) to the preferred (1).
fn call(c: &Context, case: &Case, kinds: [usize; 3], accumulate: bool, way: Way, share: f64) -> Out {
    let (problem, inputs) = (case.problem(), case.inputs());
    let mut out = Out::new(case, kinds);
    let bytes = |asked: &Asked| {
        let need = workspace(c, &problem, inputs.dtypes(), asked);
        assert!(need.minimum <= need.preferred, "{need:?}");
        let most = need.minimum + ((need.preferred - need.minimum) as f64 * share) as usize;
        most / 64 * 64
    };
    let (figures, totals, grads) = out.places(case);
    if way == Way::Fused {
        let grads = flagged(grads, accumulate);
        let asked = Asked::new(&grads, true, true);
        with_scratch(bytes(&asked), |w| {
            let fused = Fused { upstream: case.upstream(), grads };
            forward(c, &problem, &inputs, figures, totals, fused, w).unwrap();
        });
        return out;
    }
    let asked = Asked::new(&Default::default(), true, true);
    with_scratch(bytes(&asked), |w| {
        forward(c, &problem, &inputs, figures, totals, Fused::default(), w).unwrap();
    });
    let (stats, status) = (out.stats.clone(), out.status.clone());
    let stats = (way == Way::Stats).then(|| Matrix::contiguous(&stats, case.n, STATS).unwrap());
    let mut again = vec![0u32; case.n];
    let grads = flagged(out.places(case).2, accumulate);
    let asked = Asked::new(&grads, false, stats.is_some());
    with_scratch(bytes(&asked), |w| {
        let place = Some(MatrixMut::vector(&mut again));
        backward(c, &problem, &inputs, stats, case.upstream(), grads, place, w).unwrap();
    });
    same("status of the backward", &again, &status);
    out
}

fn options(kind: Kind, param: f64) -> Options {
    Options { kind, param, reduction: Some(Reduction::Mean), ..Options::default() }
}
/// Every kind, with a parameter that is not its default.
const KINDS: [(Kind, f64); 17] = [
    (Kind::ForwardKl, f64::NAN),
    (Kind::ReverseKl, f64::NAN),
    (Kind::MixedKl, 0.3),
    (Kind::Jeffreys, f64::NAN),
    (Kind::Jsd, 0.2),
    (Kind::SkewKl, 0.4),
    (Kind::SkewReverseKl, 0.4),
    (Kind::Renyi, 0.5),
    (Kind::Alpha, 0.25),
    (Kind::Hellinger2, f64::NAN),
    (Kind::Chi2, f64::NAN),
    (Kind::Chi2Reverse, f64::NAN),
    (Kind::Tvd, f64::NAN),
    (Kind::CosineProbs, f64::NAN),
    (Kind::CosineLogits, f64::NAN),
    (Kind::CrossEntropy, f64::NAN),
    (Kind::ReverseCrossEntropy, f64::NAN),
];
/// All ways of a case give the bits of the parts.
fn judge(contexts: &[Context], case: &Case, kinds: [usize; 3], accumulate: bool, cases: &mut Cases) {
    let want = parts(&contexts[0], case, kinds, accumulate);
    let some = (0..case.n).any(|i| case.live(i));
    assert!(!some || want.figures[0].iter().any(|&x| x > 0.0 && x.is_finite()), "infinite values prove little");
    for c in contexts {
        for (way, share) in [(Way::Fused, 1.0), (Way::Fused, 0.4), (Way::Stats, 0.0), (Way::Again, 0.7)] {
            let got = call(c, case, kinds, accumulate, way, share);
            let (kind, isa, threads) = (case.options.kind, c.isa().name(), c.threads());
            got.same(&format!("{kind:?} {way:?}, {share} of the workspace, {isa}, {threads} threads"), &want);
            cases.ran();
        }
    }
}
fn all_contexts() -> Vec<Context> {
    let mut all = contexts();
    all.push(context(Isa::detect(), 3));
    all
}

/// Every kind, whole rows with every option, on both sides heads of other sizes.
#[test]
fn bits_of_kinds() {
    let (_alone, mut cases, contexts) = (ALONE.lock().unwrap(), Cases::default(), all_contexts());
    for (i, (kind, param)) in KINDS.into_iter().enumerate() {
        // infinite where one side alone has a column
        let one = matches!(i, 0..=3 | 10 | 11 | 15 | 16);
        // a smaller teacher, a larger one
        let v = if one {
            [70, 70]
        } else if i % 2 == 0 {
            [80, 60]
        } else {
            [60, 80]
        };
        let kinds = [[0, 0], if i % 3 == 0 { [1, 1] } else { [0, 2] }];
        let case = Case::new(i as u64, 21, [19, 8], v, kinds, options(kind, param));
        let case = if i % 4 == 3 { case } else { case.full(i as u64 + 100) };
        judge(&contexts, &case, [0; 3], false, &mut cases);
    }
    cases.finish("linear divergences, kinds", 17 * 12);
}
/// Stored types, places that hold no totals, rounded logits, teachers in memory, rows without a teacher's logits.
#[test]
fn bits_of_forms() {
    let (_alone, mut cases, contexts) = (ALONE.lock().unwrap(), Cases::default(), all_contexts());
    let new = |seed, kinds, kind| Case::new(seed, 21, [24, 40], [70, 70], kinds, options(kind, f64::NAN)).full(seed);
    for accumulate in [false, true] {
        for (kinds, grads) in
            [([[1, 1], [1, 1]], [1, 1, 1]), ([[2, 0], [1, 2]], [0, 0, 0]), ([[2, 2], [0, 0]], [0, 0, 0])]
        {
            let mut case = new(7, kinds, Kind::Jsd);
            for m in &mut case.sides {
                // their gradients have the type of the operand
                m.bias = if grads[2] == 0 { m.bias.take() } else { None };
            }
            judge(&contexts, &case, grads, accumulate, &mut cases);
        }
    }
    let mut case = new(8, [[1, 1], [0, 0]], Kind::ReverseKl);
    (case.sides[0].rounding, case.sides[1].rounding) = (Rounding::Bf16, Rounding::F16);
    judge(&contexts, &case, [0; 3], false, &mut cases);
    for (numbers, kind) in [(Numbers::Logits, 1), (Numbers::Logits, 0), (Numbers::Logprobs, 0), (Numbers::Probs, 2)] {
        let mut case = new(9 + kind as u64, [[1, 0], [0, 0]], Kind::SkewKl);
        let mut r = Random(5);
        let rows: Vec<f32> = r.normals(case.n * 70, 1.0);
        let rows: Vec<f32> = match numbers {
            Numbers::Logits => rows,
            Numbers::Logprobs => rows.iter().map(|x| x - 5.0).collect(),
            Numbers::Probs => rows.iter().map(|x| x.abs() / 60.0).collect(),
        };
        case.rows = Some(Data::new(kind, &rows));
        case.options.teacher = numbers;
        case.options.teacher_target_shift = if numbers == Numbers::Logits { -2.0 } else { 0.0 };
        if numbers != Numbers::Logits {
            (case.sides[1].bias, case.sides[1].transform) = (None, Transform::default());
        }
        judge(&contexts, &case, [0; 3], false, &mut cases);
    }
    cases.finish("linear divergences, forms", 11 * 12);
}
/// More rows than a reduction block, more columns than one, groups that end inside; and no live row at all.
#[test]
fn bits_of_blocks() {
    let (_alone, mut cases) = (ALONE.lock().unwrap(), Cases::default());
    let contexts = [context(Isa::detect(), 0), context(Isa::detect(), 2)];
    for (i, kind) in [Kind::Tvd, Kind::CosineProbs].into_iter().enumerate() {
        let case = Case::new(i as u64, 3600, [5, 3], [16, 11], [[0; 2]; 2], options(kind, f64::NAN)).full(3);
        judge(&contexts, &case, [0; 3], i == 1, &mut cases);
        let case = Case::new(i as u64, 18, [5, 3], [2300, 4200], [[0; 2]; 2], options(kind, f64::NAN)).full(4);
        judge(&contexts, &case, [0; 3], i == 0, &mut cases);
    }
    let mut case = Case::new(1, 5, [5, 3], [40, 33], [[0; 2]; 2], options(Kind::Jsd, 0.5));
    case.mask = Some(vec![0; 5]);
    judge(&contexts, &case, [0; 3], false, &mut cases);
    judge(&contexts, &case, [0; 3], true, &mut cases);
    cases.finish("linear divergences, blocks", 6 * 8);
}

/// Shards of both heads cut between blocks of columns: values, statistics and gradients of weights and biases have the bits of
/// the whole heads, those of hidden states add up; for every context and workspace, every second kind with a term of the target.
#[test]
fn shards() {
    let (_alone, mut cases, contexts) = (ALONE.lock().unwrap(), Cases::default(), all_contexts());
    let (n, v, cuts) = (18, 2600, [0usize, 2048, 2600]);
    for (number, (kind, param)) in KINDS.into_iter().enumerate() {
        if kind == Kind::CosineProbs {
            continue; // refused
        }
        let mut case = Case::new(number as u64, n, [5, 3], [v, v], [[0, 0], [1, 1]], options(kind, param));
        case = case.full(number as u64 + 50);
        case.options = Options { temperature_squared: false, ..case.options };
        case.upstream = None;
        if number % 2 == 0 {
            (case.options.hard_weight, case.target) = (0.0, None);
        }
        let want = call(&contexts[0], &case, [0; 3], false, Way::Fused, 1.0);
        assert!(want.figures[0].iter().any(|&x| x > 0.0 && x.is_finite()), "{kind:?}: infinite values prove little");
        let piece = |m: &Model, s: usize| -> Model {
            let (a, b) = (cuts[s], cuts[s + 1]);
            let weight = Data::new(m.weight.kind(), &m.weight.wide()[a * m.d..b * m.d]);
            Model { v: b - a, weight, bias: m.bias.as_ref().map(|x| x[a..b].to_vec()), ..m.clone() }
        };
        let parts: Vec<Case> = (0..2)
            .map(|s| {
                let sides = [0, 1].map(|side| piece(&case.sides[side], s));
                Case { sides, ..case.clone() }
            })
            .collect();
        let problem = |s: usize| {
            let [a, b] = [0, 1].map(|side| {
                let m = &parts[s].sides[side];
                linear_logprob::Problem::shard(n, m.d, m.v, m.options(), cuts[s], v).unwrap()
            });
            Problem::new(a, Side::Head(b), case.options).unwrap()
        };
        let late = matches!(kind, Kind::Renyi | Kind::Alpha | Kind::Hellinger2 | Kind::Chi2 | Kind::Chi2Reverse);
        let twice = matches!(kind, Kind::Jsd | Kind::SkewKl | Kind::SkewReverseKl | Kind::Tvd | Kind::CosineLogits)
            || matches!(kind, Kind::CrossEntropy | Kind::ReverseCrossEntropy);
        let (all, starts) = (*case.problem().divergence(), cuts.map(|x| x as i64));
        for c in &contexts {
            for share in [0.0, 1.0] {
                let what = format!("{kind:?} in shards, {share} of the workspace, {}, {}", c.isa().name(), c.threads());
                let bytes = |need: truing_core::matrix::Workspace| {
                    let more = (need.preferred - need.minimum) as f64 * share;
                    (need.minimum + more as usize) / 64 * 64
                };
                let mut got = Out::new(&case, [0; 3]);
                for second in [false, true] {
                    if second && !(late || twice) {
                        continue;
                    }
                    let width = all.shard_record();
                    let mut records = vec![0f32; 2 * n * width];
                    for (s, place) in records.chunks_mut(n * width).enumerate() {
                        let (p, inputs) = (problem(s), parts[s].inputs());
                        let pass = match second {
                            true => LocalPass::Values(Matrix::contiguous(&got.stats, n, STATS).unwrap()),
                            false => LocalPass::Records,
                        };
                        let place = MatrixMut::contiguous(place, n, width).unwrap();
                        let need = workspace(c, &p, inputs.dtypes(), &Asked::default());
                        with_scratch(bytes(need), |w| local(c, &p, &inputs, pass, place, None, w)).unwrap();
                    }
                    let x = Finish {
                        records: Matrix::contiguous(&records, 2 * n, width).unwrap(),
                        values: second,
                        starts: Matrix::vector(&starts).into(),
                        rows: case.rows(),
                        row_weight: case.weight.as_ref().map(|w| Matrix::vector(w)),
                    };
                    let figures = Figures {
                        values: (second == twice).then(|| MatrixMut::vector(&mut got.figures[0])),
                        stats: Some(MatrixMut::contiguous(&mut got.stats, n, STATS).unwrap()),
                        ..Figures::default()
                    };
                    rowwise::finish(c, &all, x, figures, Totals::default(), &mut []).unwrap();
                }
                same(&format!("{what}: values"), &got.figures[0], &want.figures[0]);
                same(&format!("{what}: statistics"), &got.stats, &want.stats);
                let mut hidden = [0, 1].map(|side| vec![0f32; n * case.sides[side].d]);
                for s in 0..2 {
                    let (p, part) = (problem(s), &parts[s]);
                    let mut out = Out::new(part, [0; 3]);
                    let stats = Some(Matrix::contiguous(&got.stats, n, STATS).unwrap());
                    let grads = out.places(part).2;
                    let need = workspace(c, &p, part.inputs().dtypes(), &Asked::new(&grads, false, true));
                    with_scratch(bytes(need), |w| {
                        backward(c, &p, &part.inputs(), stats, case.upstream(), grads, None, w).unwrap();
                    });
                    for side in 0..2 {
                        let (d, [h, w, b]) = (case.sides[side].d, &out.grads[side]);
                        let (whole, bias) = (want.grads[side][1].wide(), want.grads[side][2].wide());
                        same(&format!("{what}: weight"), &w.wide(), &whole[cuts[s] * d..cuts[s + 1] * d]);
                        same(&format!("{what}: bias"), &b.wide(), &bias[cuts[s]..cuts[s + 1]]);
                        hidden[side].iter_mut().zip(h.wide()).for_each(|(sum, x)| *sum += x);
                    }
                }
                for side in 0..2 {
                    let whole = want.grads[side][0].wide();
                    let most = whole.iter().fold(0f32, |m, g| m.max(g.abs()));
                    for (a, b) in hidden[side].iter().zip(&whole) {
                        assert!((a - b).abs() <= 4e-6 * most, "{what}: hidden {a} {b} of {most}");
                    }
                }
                cases.ran();
            }
        }
        // what shards refuse, by name
        let (p, inputs, grads) = (problem(0), parts[0].inputs(), Default::default());
        let e = forward(&contexts[0], &p, &inputs, Figures::default(), Totals::default(), Fused::default(), &mut []);
        assert_eq!(e.unwrap_err().field, "shard.vocab_total");
        let e = backward(&contexts[0], &p, &inputs, None, case.upstream(), grads, None, &mut []);
        assert_eq!(e.unwrap_err().field, "stats");
    }
    cases.finish("linear divergences, shards", 16 * 3 * 2);
}

/// The teacher of a call on a support, beside heads and rows.
#[derive(Clone, Copy, Debug, PartialEq)]
enum AtForm {
    None,
    Logprobs,
    Logits,
    Counts,
}
/// A support.
#[derive(Clone, Debug)]
struct On {
    settings: Partial,
    ids: Option<Vec<i32>>,
    reference: Option<Vec<f32>>,
    form: AtForm,
    values: Vec<f32>,
    lse: Vec<f32>,
}
impl On {
    /// `k` columns that `chosen` chooses; the teacher of `case` unless `form` has numbers.
    fn new(r: &mut Random, case: &Case, chosen: Chosen, outside: Outside, k: usize, form: AtForm) -> On {
        let (n, v) = (case.n, case.sides[0].v);
        let given = chosen == Chosen::Given;
        let ids =
            given.then(|| (0..n * k).map(|j| if j % k == 2 { -1 } else { (j % k * 5 + j / k % 5) as i32 }).collect());
        let reference = (chosen == Chosen::Reference).then(|| r.normals(n * v, 1.0));
        let values = match form {
            AtForm::Counts => (0..n * k).map(|_| r.below(4) as f32).collect(),
            _ => r.normals(n * k, 1.0).iter().map(|x| x - 4.0).collect(),
        };
        let settings = Partial { chosen, outside, k: if given { 0 } else { k }, ..Partial::default() };
        On { settings, ids, reference, form, values, lse: (0..n).map(|_| r.between(1.0, 2.0) as f32).collect() }
    }
    fn ids(&self, n: usize) -> Option<Ints<'_>> {
        self.ids.as_ref().map(|ids| Matrix::contiguous(ids, n, ids.len() / n).unwrap().into())
    }
    fn reference(&self, n: usize) -> Option<Floats<'_>> {
        self.reference.as_ref().map(|z| Matrix::contiguous(z, n, z.len() / n).unwrap().into())
    }
    fn at(&self, n: usize) -> Option<AtIds<'_>> {
        let values = || Matrix::contiguous(&self.values, n, self.values.len() / n).unwrap().into();
        match self.form {
            AtForm::None => None,
            AtForm::Logprobs => Some(AtIds::Logprobs(values())),
            AtForm::Logits => Some(AtIds::Logits(values(), Some(Matrix::vector(&self.lse)))),
            AtForm::Counts => Some(AtIds::Counts(values())),
        }
    }
    fn support(&self, n: usize) -> Support<'_> {
        Support { partial: &self.settings, ids: self.ids(n), reference: self.reference(n) }
    }
}
impl Case {
    fn problem_on(&self, on: &On) -> Problem {
        if on.form == AtForm::None {
            return self.problem();
        }
        let rows = logprob::Problem::new(self.n, self.sides[0].v, self.sides[1].options()).unwrap();
        Problem::new(self.sides[0].problem(self.n), Side::Rows(rows), self.options).unwrap()
    }
    fn inputs_on<'a>(&'a self, on: &'a On) -> Inputs<'a> {
        let inputs = self.inputs();
        let teacher = on.at(self.n).map_or(inputs.teacher, |at| Teacher::AtIds(at, self.sides[1].inputs()));
        Inputs { teacher, ..inputs }
    }
}
/// Places of the figures on a support: those of [`Out`] that it has, and the ids, masses and overlap as further figures.
fn few_figures<'a>(out: &'a mut Out, ids: &'a mut [i32], on: &On) -> (PartialFigures<'a>, Totals<'a>) {
    let (n, most) = (out.status.len(), ids.len() / out.status.len());
    let whole = on.settings.outside != Outside::Renormalise;
    let [a, b, c, d, e, ..] = &mut out.figures[..] else { unreachable!() };
    let figures = PartialFigures {
        values: Some(MatrixMut::vector(a)),
        student_mass: whole.then(|| MatrixMut::vector(b)),
        teacher_mass: whole.then(|| MatrixMut::vector(c)),
        overlap: Some(MatrixMut::vector(d)),
        overlap_sum: whole.then(|| MatrixMut::vector(e)),
        support_ids: Some(MatrixMut::contiguous(ids, n, most).unwrap()),
        status: Some(MatrixMut::vector(&mut out.status)),
        ..PartialFigures::default()
    };
    let loss = MatrixMut::vector(std::slice::from_mut(&mut out.loss)).into();
    (figures, Totals { loss: Some(loss), counters: Some(&mut out.counters) })
}
/// What the parts give on a support.
fn parts_on(c: &Context, case: &Case, on: &On, accumulate: bool) -> (Out, Vec<i32>) {
    let (n, widths) = (case.n, [case.sides[0].v, case.sides[1].v]);
    let mut out = Out::new(case, [0; 3]);
    let mut ids = vec![77; n * on.settings.most(on.ids(n).as_ref())];
    let z = [case.sides[0].logits(n), case.sides[1].logits(n)];
    let mut dz = widths.map(|v| vec![0f32; n * v]);
    let problem = *case.problem_on(on).divergence();
    let inputs = rowwise::Inputs {
        student: case.sides[0].inputs(),
        teacher: case.sides[1].inputs(),
        rows: case.rows(),
        row_weight: case.weight.as_ref().map(|w| Matrix::vector(w)),
    };
    let [ds, dt] = &mut dz;
    let view = |z, v| Matrix::contiguous(z, n, v).unwrap().into();
    let student = Grad::Separate(view(&z[0], widths[0]), MatrixMut::contiguous(ds, n, widths[0]).unwrap().into());
    let open = matches!(on.settings.outside, Outside::Zero | Outside::Raw);
    let teacher = match (on.at(n), case.teacher_rows()) {
        (Some(at), _) => PartialTeacher::At(at),
        (_, Some(rows)) => PartialTeacher::Rows(Grad::Absent(rows)),
        _ if open => PartialTeacher::Rows(Grad::Absent(view(&z[1], widths[1]))),
        _ => {
            let place = MatrixMut::contiguous(dt, n, widths[1]).unwrap().into();
            PartialTeacher::Rows(Grad::Separate(view(&z[1], widths[1]), place))
        }
    };
    let (figures, totals) = few_figures(&mut out, &mut ids, on);
    let upstream = Upstream { student_logprob: None, ..case.upstream() };
    let (settings, reference, given) = (&on.settings, on.reference(n), on.ids(n));
    with_scratch(rowwise::forward_workspace(&problem, true).minimum, |w| {
        rowwise::partial(
            c, &problem, settings, student, teacher, reference, given, inputs, figures, totals, upstream, w,
        )
        .unwrap();
    });
    let untouched = out.grads[1].clone();
    chain(case, &dz, [0; 3], accumulate, &mut out);
    if open || on.form != AtForm::None {
        out.grads[1] = untouched;
    }
    (out, ids)
}
/// The call on a support, figures and gradients together or the gradients alone.
fn call_on(c: &Context, case: &Case, on: &On, accumulate: bool, alone: bool, share: f64) -> (Out, Vec<i32>) {
    let (problem, inputs, n) = (case.problem_on(on), case.inputs_on(on), case.n);
    let mut out = Out::new(case, [0; 3]);
    let mut ids = vec![77; n * on.settings.most(on.ids(n).as_ref())];
    let teacher = on.form == AtForm::None && matches!(on.settings.outside, Outside::Renormalise | Outside::Tail);
    let upstream = Upstream { student_logprob: None, ..case.upstream() };
    let mut go = |out: &mut Out, figures: bool, gradients: bool| {
        let mut held = out.clone();
        let (few, totals) = few_figures(&mut held, &mut ids, on);
        let (few, totals) = if figures { (few, totals) } else { Default::default() };
        let places = flagged(out.places(case).2, accumulate);
        let [gs, gt] = places;
        let grads = match gradients {
            true => [gs, if teacher { gt } else { Grads::default() }],
            false => Default::default(),
        };
        let asked = Asked::new(&grads, figures, true).on(&on.support(n));
        let need = workspace(c, &problem, inputs.dtypes(), &asked);
        let bytes = need.minimum + ((need.preferred - need.minimum) as f64 * share) as usize;
        with_scratch(bytes / 64 * 64, |w| {
            let fused = Fused { upstream, grads };
            partial(c, &problem, on.support(n), &inputs, None, few, totals, fused, w).unwrap();
        });
        held.grads = out.grads.clone();
        *out = held;
    };
    if alone {
        go(&mut out, true, false);
        go(&mut out, false, true);
    } else {
        go(&mut out, true, true);
    }
    (out, ids)
}
fn judge_on(contexts: &[Context], case: &Case, on: &On, accumulate: bool, cases: &mut Cases) {
    let (want, ids) = parts_on(&contexts[0], case, on, accumulate);
    assert!(want.figures[0].iter().any(|&x| x != 0.0 && x.is_finite()), "infinite values prove little: {on:?}");
    for c in contexts {
        for (alone, share) in [(false, 1.0), (false, 0.0), (true, 0.5)] {
            let (got, found) = call_on(c, case, on, accumulate, alone, share);
            let (s, isa, threads) = (&on.settings, c.isa().name(), c.threads());
            let what =
                format!("{:?} {s:?} {:?}, {share} of the workspace, {isa}, {threads}", case.options.kind, on.form);
            got.same(&what, &want);
            assert_eq!(found, ids, "{what}");
            cases.ran();
        }
    }
}
/// Every kind on a support: whoever chooses it, whatever happens outside, from two heads, rows in memory and numbers at ids, with a
/// term of the target; the bits of the logits form and of the products, also over more rows than a reduction block.
#[test]
fn bits_of_supports() {
    let (_alone, mut cases, contexts) = (ALONE.lock().unwrap(), Cases::default(), all_contexts());
    let choices = [Chosen::Given, Chosen::Teacher, Chosen::Student, Chosen::Union, Chosen::Reference];
    for (i, (kind, param)) in KINDS.into_iter().enumerate() {
        let mut case = Case::new(i as u64, 21, [19, 8], [70, 70], [[0, 0], [0, i % 3]], options(kind, param));
        case = if i % 3 == 2 { case } else { case.full(i as u64 + 100) };
        for side in &mut case.sides {
            // dead columns of one side alone make many kinds infinite
            side.bias = side.bias.take().map(|b| b.iter().map(|b| b.max(-1.0)).collect());
            side.valid = 0;
        }
        let tail = i % 2 == 1 && kind != Kind::CosineLogits;
        let outside = if tail { Outside::Tail } else { Outside::Renormalise };
        let mut r = Random(i as u64 + 7);
        let on = On::new(&mut r, &case, choices[i % 5], outside, 6, AtForm::None);
        judge_on(&contexts, &case, &on, i % 4 == 1, &mut cases);
        let at = [AtForm::Logprobs, AtForm::Logits][i % 2];
        let on = On::new(&mut r, &case, Chosen::Given, outside, 9, at);
        if at == AtForm::Logprobs {
            (case.sides[1].bias, case.sides[1].temperature, case.sides[1].transform) =
                (None, None, Transform::default());
        }
        judge_on(&contexts, &case, &on, false, &mut cases);
    }
    for (i, kind) in [Kind::ForwardKl, Kind::ReverseKl, Kind::MixedKl, Kind::CrossEntropy].into_iter().enumerate() {
        let mut case =
            Case::new(i as u64, 21, [19, 8], [70, 70], [[1, 1], [1, 1]], options(kind, f64::NAN)).full(i as u64);
        // gradients of a head in bf16 have the type of the operand or f32
        case.sides.iter_mut().for_each(|side| side.bias = None);
        let mut r = Random(i as u64);
        let outside = [Outside::Zero, Outside::Raw][i % 2];
        let mut on = On::new(&mut r, &case, choices[1 + i], outside, 5, AtForm::None);
        on.settings.log_prob_floor = if i == 1 { -3.0 } else { 0.0 };
        judge_on(&contexts, &case, &on, i == 2, &mut cases);
        if kind == Kind::CrossEntropy {
            (case.sides[1].temperature, case.sides[1].transform) = (None, Transform::default());
            let on = On::new(&mut r, &case, Chosen::Given, Outside::Raw, 7, AtForm::Counts);
            judge_on(&contexts, &case, &on, false, &mut cases);
        }
    }
    // the teacher's rows in memory; more rows than a block, more columns than one
    let contexts = [context(Isa::detect(), 0), context(Isa::detect(), 2)];
    let mut case = Case::new(5, 18, [5, 3], [2300, 2300], [[0; 2]; 2], options(Kind::Jsd, 0.3)).full(5);
    let mut r = Random(3);
    let on = On::new(&mut r, &case, Chosen::Union, Outside::Tail, 40, AtForm::None);
    judge_on(&contexts, &case, &on, true, &mut cases);
    case.rows = Some(Data::new(2, &r.normals(18 * 2300, 1.0)));
    judge_on(&contexts, &case, &on, false, &mut cases);
    for (i, (kind, outside)) in [(Kind::Jsd, Outside::Tail), (Kind::ReverseKl, Outside::Zero)].into_iter().enumerate() {
        let case = Case::new(i as u64, 3000, [5, 3], [16, 16], [[0; 2]; 2], options(kind, f64::NAN)).full(3);
        let on = On::new(&mut r, &case, Chosen::Student, outside, 4, AtForm::None);
        judge_on(&contexts, &case, &on, i == 1, &mut cases);
    }
    cases.finish("linear divergences, supports", (17 * 2 + 5) * 9 + 4 * 6);
}

/// Given ids over shards of both heads: what each has there, the figures from all of them, the gradients of weights and biases in
/// the bits of whole heads.
#[test]
fn shards_on_ids() {
    let (_alone, mut cases, contexts) = (ALONE.lock().unwrap(), Cases::default(), all_contexts());
    let (n, k) = (18, 7);
    for (number, (kind, param)) in KINDS.into_iter().enumerate() {
        if kind == Kind::CosineProbs {
            continue; // refused
        }
        // the first kinds without a term of the target, the others with one, in shards that are nodes of the rows' tree
        let hard = number >= 5;
        let (v, cuts) = if hard { (2300, [0usize, 2048, 2300]) } else { (60, [0, 23, 60]) };
        let mut case = Case::new(number as u64, n, [5, 3], [v, v], [[0, 0], [1, 1]], options(kind, param));
        case = case.full(number as u64 + 50);
        case.options = Options { temperature_squared: false, ..case.options };
        (case.options.hard_weight, case.target) = if hard { (0.75, case.target) } else { (0.0, None) };
        case.upstream = None;
        for side in &mut case.sides {
            side.bias = side.bias.take().map(|b| b.iter().map(|b| b.max(-1.0)).collect());
            side.valid = 0;
        }
        let on = On::new(&mut Random(1), &case, Chosen::Given, Outside::Renormalise, k, AtForm::None);
        let (want, _) = call_on(&contexts[0], &case, &on, false, false, 1.0);
        let parts: Vec<Case> = (0..2)
            .map(|s| {
                let piece = |m: &Model| -> Model {
                    let (a, b) = (cuts[s], cuts[s + 1]);
                    let weight = Data::new(m.weight.kind(), &m.weight.wide()[a * m.d..b * m.d]);
                    Model { v: b - a, weight, bias: m.bias.as_ref().map(|x| x[a..b].to_vec()), ..m.clone() }
                };
                Case { sides: [piece(&case.sides[0]), piece(&case.sides[1])], ..case.clone() }
            })
            .collect();
        let problem = |s: usize| {
            let [a, b] = [0, 1].map(|side| {
                let m = &parts[s].sides[side];
                linear_logprob::Problem::shard(n, m.d, m.v, m.options(), cuts[s], v).unwrap()
            });
            Problem::new(a, Side::Head(b), case.options).unwrap()
        };
        let (all, starts, ids) = (*case.problem().divergence(), cuts.map(|x| x as i64), on.ids(n).unwrap());
        for c in &contexts {
            for share in [0.0, 1.0] {
                let what =
                    format!("{kind:?} on ids in shards, {share} of the workspace, {}, {}", c.isa().name(), c.threads());
                let bytes = |need: truing_core::matrix::Workspace| {
                    (need.minimum + ((need.preferred - need.minimum) as f64 * share) as usize) / 64 * 64
                };
                let mut at_ids = [vec![7.5f32; 2 * n * k], vec![7.5f32; 2 * n * k]];
                let mut records = vec![7.5f32; 2 * n * 12];
                for s in 0..2 {
                    let (p, inputs) = (problem(s), parts[s].inputs());
                    let [a, b] = &mut at_ids;
                    let out = [a, b].map(|m| MatrixMut::contiguous(&mut m[s * n * k..][..n * k], n, k).unwrap());
                    let need = workspace(c, &p, inputs.dtypes(), &Asked::default());
                    let place =
                        hard.then(|| MatrixMut::contiguous(&mut records[s * n * 12..][..n * 12], n, 12).unwrap());
                    with_scratch(bytes(need), |w| {
                        partial_local(c, &p, &on.settings, ids, &inputs, out, place, None, w)
                    })
                    .unwrap();
                }
                let mut got = Out::new(&case, [0; 3]);
                let width = all.stats_on_ids();
                let mut stats = vec![7.5f32; n * width];
                let x = PartialShards {
                    at_ids: at_ids.each_ref().map(|m| Matrix::contiguous(m, 2 * n, k).unwrap()),
                    records: hard.then(|| Matrix::contiguous(&records, 2 * n, 12).unwrap()),
                    starts: Matrix::vector(&starts).into(),
                    ids,
                    rows: case.rows(),
                    row_weight: case.weight.as_ref().map(|w| Matrix::vector(w)),
                };
                let figures = PartialFigures {
                    values: Some(MatrixMut::vector(&mut got.figures[0])),
                    stats: Some(MatrixMut::contiguous(&mut stats, n, width).unwrap()),
                    status: Some(MatrixMut::vector(&mut got.status)),
                    ..PartialFigures::default()
                };
                let loss = MatrixMut::vector(std::slice::from_mut(&mut got.loss)).into();
                let totals = Totals { loss: Some(loss), counters: None };
                with_scratch(rowwise::partial_finish_workspace(&all, k, true).minimum, |w| {
                    rowwise::partial_finish(c, &all, &on.settings, x, figures, totals, w).unwrap();
                });
                same(&format!("{what}: values"), &got.figures[0], &want.figures[0]);
                same(&format!("{what}: status"), &got.status, &want.status);
                assert_eq!(got.loss.to_bits(), want.loss.to_bits(), "{what}");
                let mut hidden = [0, 1].map(|side| vec![0f32; n * case.sides[side].d]);
                for s in 0..2 {
                    let (p, part, inputs) = (problem(s), &parts[s], parts[s].inputs());
                    let mut out = Out::new(part, [0; 3]);
                    let stats = Some(Matrix::contiguous(&stats, n, width).unwrap());
                    let grads = out.places(part).2;
                    let asked = Asked::new(&grads, false, true).on(&on.support(n));
                    let need = workspace(c, &p, inputs.dtypes(), &asked);
                    with_scratch(bytes(need), |w| {
                        let (fused, none) = (Fused { upstream: case.upstream(), grads }, Totals::default());
                        let figures = PartialFigures::default();
                        partial(c, &p, on.support(n), &inputs, stats, figures, none, fused, w).unwrap();
                    });
                    for side in 0..2 {
                        let (d, [h, w, b]) = (case.sides[side].d, &out.grads[side]);
                        let (whole, bias) = (want.grads[side][1].wide(), want.grads[side][2].wide());
                        same(&format!("{what}: weight"), &w.wide(), &whole[cuts[s] * d..cuts[s + 1] * d]);
                        same(&format!("{what}: bias"), &b.wide(), &bias[cuts[s]..cuts[s + 1]]);
                        hidden[side].iter_mut().zip(h.wide()).for_each(|(sum, x)| *sum += x);
                    }
                }
                for side in 0..2 {
                    let whole = want.grads[side][0].wide();
                    let most = whole.iter().fold(0f32, |m, g| m.max(g.abs()));
                    for (a, b) in hidden[side].iter().zip(&whole) {
                        assert!((a - b).abs() <= 4e-6 * most, "{what}: hidden {a} {b} of {most}");
                    }
                }
                cases.ran();
            }
        }
    }
    cases.finish("linear divergences, ids over shards", 16 * 3 * 2);
}

/// `golden/linear_divergence.txt`, 60 digits from an independent script.
#[test]
fn golden() {
    let (_alone, mut cases, contexts) = (ALONE.lock().unwrap(), Cases::default(), contexts());
    let (mut case, mut worst) = (None::<Case>, [0f64; 2]);
    for line in include_str!("golden/linear_divergence.txt").lines() {
        if let Some(about) = line.strip_prefix("case ") {
            let [seed, n, d0, d1, v0, v1, cap0, cap1, t0, t1, soft, hard] = numbers(about)[..] else {
                panic!("{line}")
            };
            let (seed, n, d, v) = (seed as u32, n as usize, [d0 as usize, d1 as usize], [v0 as usize, v1 as usize]);
            let grid = |k: u32, count: usize, m: u32, over: f32| -> Vec<f32> {
                (0..count).map(|i| ((hash(seed + k, i as u32) % m) as f32 - (m / 2) as f32) / over).collect()
            };
            let own = Options { hard_weight: hard, soft_weight: soft, ..options(Kind::ForwardKl, f64::NAN) };
            let own = Options { reduction: Some(Reduction::Sum), ..own };
            let mut x = Case::new(1, n, d, v, [[0; 2]; 2], own);
            for (side, m) in x.sides.iter_mut().enumerate() {
                let k = 2 * side as u32;
                m.hidden = Data::new(0, &grid(k, n * d[side], 33, 8.0));
                m.weight = Data::new(0, &grid(k + 1, v[side] * d[side], 33, 16.0));
                m.bias = Some(grid(4 + side as u32, v[side], 17, 16.0));
                let (softcap, temperature) = ([cap0, cap1][side], [t0, t1][side]);
                m.transform = Transform { softcap, temperature, ..Transform::default() };
            }
            x.weight = Some((0..n as u32).map(|i| (hash(seed + 6, i) % 4 + 1) as f32 / 4.0).collect());
            x.target = Some((0..n as u32).map(|i| (hash(seed + 7, i) % v[0] as u32) as i32).collect());
            x.loss = Some(1.0);
            case = Some(x);
            continue;
        }
        let parts: Vec<&str> = line.split(" | ").collect();
        let [name, param, limits] = parts[0].split(' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
        let case = case.as_mut().unwrap();
        case.options.kind = Kind::ALL.iter().find(|k| k.name == name).unwrap().kind;
        case.options.limits = if limits == "scaled" { Limits::Scaled } else { Limits::Peer };
        case.options.param = param.parse().unwrap();
        // a divergence that divides by small probabilities passes rounding of the logits on
        let bound = if name.starts_with("chi2") || name == "alpha" || name == "renyi" { 2e-4 } else { 2e-5 };
        for c in &contexts {
            let out = call(c, case, [0; 3], false, Way::Fused, 1.0);
            let want = numbers(parts[1]);
            for (got, want) in out.figures[0].iter().zip(&want) {
                let error = (*got as f64 - want).abs() / want.abs().max(1e-3);
                assert!(
                    got.is_infinite() && want.is_infinite() || error <= bound,
                    "{line}: got {got:e}, expected {want:e}"
                );
                worst[0] = if want.is_finite() { worst[0].max(error / bound) } else { worst[0] };
            }
            for side in 0..2 {
                let want = numbers(parts[2 + side]);
                let got: Vec<f32> = out.grads[side].iter().flat_map(|g| g.wide()).collect();
                assert_eq!(got.len(), want.len());
                let most = want.iter().fold(1e-3, |m: f64, x| m.max(x.abs()));
                for (got, want) in got.iter().zip(&want) {
                    let error = (*got as f64 - want).abs() / most;
                    assert!(error <= bound, "{line}: side {side}, got {got:e}, expected {want:e}");
                    worst[1] = worst[1].max(error / bound);
                }
            }
            cases.ran();
        }
    }
    println!("values within {:.3} of the bounds, gradients within {:.3}", worst[0], worst[1]);
    cases.finish("golden chains", 2 * 112);
}

/// Named errors, and nothing written.
#[test]
fn refusals() {
    let (_alone, mut cases) = (ALONE.lock().unwrap(), Cases::default());
    let c = Context::default();
    let base = Case::new(3, 4, [5, 3], [20, 20], [[0; 2]; 2], options(Kind::ForwardKl, f64::NAN)).full(3);
    let mut refused =
        |case: &Case, change: &dyn Fn(&mut Inputs<'_>), bytes: Option<usize>, status: Status, field: &str| {
            let (problem, mut inputs) = (case.problem(), case.inputs());
            change(&mut inputs);
            let mut out = Out::new(case, [0; 3]);
            let canary = out.clone();
            let (figures, totals, grads) = out.places(case);
            let asked = Asked::new(&grads, true, true);
            let bytes = bytes.unwrap_or(workspace(&c, &problem, case.inputs().dtypes(), &asked).minimum);
            let fused = Fused { upstream: case.upstream(), grads };
            let e: Error =
                with_scratch(bytes, |w| forward(&c, &problem, &inputs, figures, totals, fused, w)).expect_err(field);
            assert_eq!((e.status, e.field), (status, field), "{e}");
            out.same(field, &canary);
            cases.ran();
        };
    refused(
        &base,
        &|x| x.student.hidden = Matrix::vector(&[0f32; 3]).into(),
        None,
        Status::ShapeMismatch,
        "student.hidden",
    );
    refused(
        &base,
        &|x| x.student.weight = Matrix::contiguous(&[0f64; 20], 4, 5).unwrap().into(),
        None,
        Status::UnsupportedDtype,
        "student.weight",
    );
    refused(
        &base,
        &|x| x.student.transform.bias = Some(Matrix::vector(&[f32::NAN; 20]).into()),
        None,
        Status::InvalidArgument,
        "student.transform.bias",
    );
    refused(
        &base,
        &|x| {
            if let Teacher::Head(h) = &mut x.teacher {
                h.hidden = Matrix::contiguous(&[0f32; 8], 4, 2).unwrap().into();
            }
        },
        None,
        Status::ShapeMismatch,
        "teacher.hidden",
    );
    refused(
        &base,
        &|x| {
            if let Teacher::Head(h) = &mut x.teacher {
                h.transform.bias = Some(Matrix::vector(&[f32::NAN; 20]).into());
            }
        },
        None,
        Status::InvalidArgument,
        "teacher.transform.bias",
    );
    refused(&base, &|x| x.row_weight = Some(Matrix::vector(&[-1.0; 4])), None, Status::InvalidArgument, "row_weight");
    refused(&base, &|x| x.rows.target = None, None, Status::InvalidArgument, "rows.target");
    refused(
        &base,
        &|x| x.rows.target = Some(Ints::I32(Matrix::vector(&[20; 4]))),
        None,
        Status::OutOfRange,
        "rows.target",
    );
    refused(&base, &|_| (), Some(64), Status::WorkspaceTooSmall, "workspace_size");
    refused(
        &base,
        &|x| {
            x.teacher = Teacher::Rows(rowwise::Side {
                logits: Matrix::contiguous(&[0f32; 80], 4, 20).unwrap().into(),
                transform: TransformInputs::default(),
            });
        },
        None,
        Status::InvalidArgument,
        "teacher",
    );
    let mut other = base.clone();
    other.upstream = Some([vec![0.0; 3], vec![0.0; 4]]);
    refused(&other, &|_| (), None, Status::ShapeMismatch, "grad_values");
    let mut other = base.clone();
    other.options.reduction = None;
    refused(&other, &|_| (), None, Status::InvalidArgument, "options.aggregate.mode");
    // what the problem itself refuses
    let [s, t] = [base.sides[0].problem(4), base.sides[1].problem(5)];
    let field = |teacher, o| Problem::new(s, teacher, o).expect_err("refused").field;
    assert_eq!(field(Side::Head(t), base.options), "teacher.hidden");
    let numbers = Options { teacher: Numbers::Probs, ..base.options };
    assert_eq!(field(Side::Head(base.sides[1].problem(4)), numbers), "options.teacher_form");
    cases.finish("linear divergences, refusals", 12);
}

/// A row that is bad on one side alone is NaN and flagged, the others do not notice.
#[test]
fn bad_rows() {
    let (_alone, mut cases) = (ALONE.lock().unwrap(), Cases::default());
    for side in 0..2 {
        let mut case = Case::new(3, 20, [5, 3], [20, 20], [[0; 2]; 2], options(Kind::ReverseKl, f64::NAN));
        let clean = call(&Context::default(), &case, [0; 3], false, Way::Fused, 1.0);
        let d = case.sides[side].d;
        let mut hidden = case.sides[side].hidden.wide();
        hidden[7 * d] = f32::NAN;
        case.sides[side].hidden = Data::new(0, &hidden);
        let out = call(&Context::default(), &case, [0; 3], false, Way::Fused, 1.0);
        assert!(out.figures[0][7].is_nan() && out.status[7] & row::NAN_INPUT != 0);
        for s in 0..2 {
            let (d, got, want) = (case.sides[s].d, out.grads[s][0].wide(), clean.grads[s][0].wide());
            for i in (0..20).filter(|&i| i != 7) {
                same("another row's gradient", &got[i * d..(i + 1) * d], &want[i * d..(i + 1) * d]);
                assert_eq!(out.figures[0][i].key(), clean.figures[0][i].key());
            }
            assert!(got[7 * d..8 * d].iter().all(|x| x.is_nan()));
            cases.ran();
        }
    }
    cases.finish("linear divergences, bad rows", 4);
}

/// No call allocates, and the sizes are what they are said to be.
#[test]
fn memory() {
    let _alone = ALONE.lock().unwrap();
    let c = Context::default();
    let case = Case::new(3, 64, [32, 16], [900, 800], [[0; 2]; 2], options(Kind::Jsd, 0.5)).full(4);
    let (problem, inputs) = (case.problem(), case.inputs());
    let mut out = Out::new(&case, [0; 3]);
    let (figures, totals, grads) = out.places(&case);
    let need = workspace(&c, &problem, inputs.dtypes(), &Asked::new(&grads, true, true));
    with_scratch(need.preferred, |w| {
        let before = Counting::allocations();
        let fused = Fused { upstream: case.upstream(), grads };
        forward(&c, &problem, &inputs, figures, totals, fused, w).unwrap();
        assert_eq!(Counting::allocations(), before, "a call allocated");
    });
    // distilling 8192 tokens into a vocabulary of 128256: 64 MiB or 140 rows of both sides, whichever is larger
    let [s, t] = [2048, 4096].map(|d| linear_logprob::Problem::new(8192, d, 128256, Default::default()).unwrap());
    let problem = Problem::new(s, Side::Head(t), options(Kind::ForwardKl, f64::NAN)).unwrap();
    let wide = |x: usize| x as f64 / (1 << 20) as f64;
    let forward = workspace(&c, &problem, [[Dtype::Bf16; 2]; 2], &Asked::new(&Default::default(), true, true));
    println!(
        "128256 columns, forward: {:.1} MiB at least, {:.1} at best",
        wide(forward.minimum),
        wide(forward.preferred)
    );
    assert!(wide(forward.minimum) < 20.0 && wide(forward.preferred) < 150.0);
}
