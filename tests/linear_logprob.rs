//! The linear form against the logits form: figures, statistics, status and gradients equal, bit for bit, those of
//! `cpu::logprob` on the logits written out by the rule of the products, whatever the threads, workspace, instruction
//! set, outputs and position of a row; and against f64.
use truing_core::dtype::{Dtype, bf16};
use truing_core::error::row;
use truing_core::linear_logprob::Problem;
use truing_core::logprob::{self, Figures, Options, Rows, STATS, Transform, TransformInputs, Upstream};
use truing_core::matrix::{Floats, Layout, Matrix, MatrixMut};
use truing_core::{Status, Value};
use truing_cpu::linear_logprob::{Grads, Inputs, backward, backward_workspace, forward, forward_workspace};
use truing_cpu::{Context, Isa, gemm};
use truing_tests::{Cases, Counting, Data, Random, U, context, product, same, transpose, with_scratch};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// One set of inputs.
struct Case {
    name: String,
    n: usize,
    d: usize,
    v: usize,
    options: Options,
    hidden: Data,
    hidden_layout: Layout,
    weight: Data,
    weight_layout: Layout,
    bias: Option<Data>,
    temperature: Option<Vec<f32>>,
    target: Vec<i32>,
    mask: Option<Vec<u8>>,
    upstream: [Vec<f32>; 3],
    scale: f64,
}
impl Case {
    /// `what`: 0 no transform, 1 temperature, 2 softcap, scale, bias with dead columns and row temperatures.
    fn new(
        random: &mut Random,
        (n, d, v): (usize, usize, usize),
        kinds: (usize, usize),
        what: usize,
        layout: usize,
    ) -> Case {
        let transform = match what {
            0 => Transform::default(),
            1 => Transform { temperature: 0.7, ..Transform::default() },
            _ => Transform { logit_scale: 1.5, softcap: 5.0, temperature: 0.9 },
        };
        let options = Options {
            transform,
            n_valid_vocab: if what == 2 && v > 4 { v - v / 5 } else { 0 },
            ignore_index: Some(-100),
            ..Options::default()
        };
        // the first T of the T + 1 tokens of each sequence do not collapse into one stride
        let hidden_layout = match layout {
            1 if n % 2 == 0 => Layout::batched(2, n / 2, d, (n / 2 + 1) * (d + 1), d + 1),
            1 => Layout::strided(n, d, d + 3),
            _ => Layout::contiguous(n, d),
        };
        let weight_layout = if layout == 1 { Layout::strided(v, d, d + 1) } else { Layout::contiguous(v, d) };
        let mut make = |l: Layout, size: f64| -> Vec<f32> {
            // what lies between the rows must not be read
            let mut x = vec![f32::NAN; l.extent().unwrap()];
            for i in 0..l.rows() {
                x[l.offset(i)..][..l.cols].fill_with(|| (random.normal() * size) as f32);
            }
            x
        };
        let mut hidden = make(hidden_layout, 2.0);
        let weight = Data::new(kinds.1, &make(weight_layout, 1.5 / (d as f64).sqrt()));
        let mask = (n > 2).then(|| (0..n).map(|i| (i % 7 != 2) as u8).collect::<Vec<_>>());
        let mut target: Vec<i32> = (0..n).map(|_| random.below(v) as i32).collect();
        for i in 0..n {
            if i % 11 == 5 {
                target[i] = -100;
            }
            if i % 7 == 2 {
                target[i] = 1 << 30; // masked: may be anything
            }
            if n > 2 && (i % 7 == 2 || i % 11 == 5) {
                hidden[hidden_layout.offset(i)..][..d].fill(f32::NAN);
            }
        }
        let bias = (what == 2).then(|| {
            let b: Vec<f32> =
                (0..v).map(|j| if j % 9 == 4 { f32::NEG_INFINITY } else { random.normal() as f32 }).collect();
            Data::new(kinds.0, &b)
        });
        let temperature = (what == 2).then(|| (0..n).map(|i| [1.0, 0.5, 2.0][i % 3]).collect());
        let mut up = || random.normals(n, 1.0);
        let upstream = [up(), up(), up()];
        let name = format!("{n}x{d}x{v} types {kinds:?} transform {what} layout {layout}");
        let hidden = Data::new(kinds.0, &hidden);
        Case {
            name,
            n,
            d,
            v,
            options,
            hidden,
            hidden_layout,
            weight,
            weight_layout,
            bias,
            temperature,
            target,
            mask,
            upstream,
            scale: 0.25,
        }
    }
    fn problem(&self) -> Problem {
        Problem::new(self.n, self.d, self.v, self.options).unwrap()
    }
    fn transform(&self) -> TransformInputs<'_> {
        TransformInputs {
            bias: self.bias.as_ref().map(|b| b.view(Layout::contiguous(self.v, 1))),
            row_temperature: self.temperature.as_ref().map(|t| Matrix::vector(t)),
        }
    }
    fn rows(&self) -> Rows<'_> {
        Rows {
            target: Some(Matrix::vector(&self.target).into()),
            mask: self.mask.as_ref().map(|m| Matrix::vector(m).into()),
            ..Rows::default()
        }
    }
    fn inputs(&self) -> Inputs<'_> {
        let (hidden, weight) = (self.hidden.view(self.hidden_layout), self.weight.view(self.weight_layout));
        Inputs::new(hidden, weight, self.transform(), self.rows())
    }
    fn upstream(&self) -> Upstream<'_> {
        let at = |i: usize| Some(Matrix::vector(&self.upstream[i]));
        Upstream { logprob: at(0), lse: at(1), entropy: at(2), scale: self.scale, ..Upstream::default() }
    }
    fn dtypes(&self) -> (Dtype, Dtype) {
        (self.hidden.dtype(), self.weight.dtype())
    }
    fn live(&self) -> Vec<usize> {
        (0..self.n).filter(|&i| self.target[i] != -100 && self.mask.as_ref().is_none_or(|m| m[i] != 0)).collect()
    }
    /// Logits by the rule, row-major.
    fn logits(&self) -> Vec<f32> {
        let mut z = vec![0.0; self.n * self.v];
        gemm::rows_by_rows(
            Isa::Scalar,
            &self.hidden.view(self.hidden_layout),
            &self.weight.view(self.weight_layout),
            &mut z,
        );
        z
    }
}

#[derive(Clone, PartialEq)]
struct Out {
    floats: [Vec<f32>; 6],
    argmax: Vec<i32>,
    top1: Vec<u8>,
    status: Vec<u32>,
}
impl Out {
    fn new(n: usize) -> Out {
        let f = || vec![7.5; n];
        let floats = [f(), f(), f(), f(), f(), vec![7.5; n * STATS]];
        Out { floats, argmax: vec![77; n], top1: vec![77; n], status: vec![77; n] }
    }
    fn figures(&mut self) -> Figures<'_> {
        let n = self.argmax.len();
        let [logprob, lse, max, entropy, log_sum_sq, stats] = &mut self.floats;
        Figures {
            logprob: Some(MatrixMut::vector(logprob)),
            lse: Some(MatrixMut::vector(lse)),
            max: Some(MatrixMut::vector(max)),
            argmax: Some(MatrixMut::vector(&mut self.argmax)),
            entropy: Some(MatrixMut::vector(entropy)),
            log_sum_sq: Some(MatrixMut::vector(log_sum_sq)),
            is_top1: Some(MatrixMut::vector(&mut self.top1)),
            stats: Some(MatrixMut::contiguous(stats, n, STATS).unwrap()),
            status: Some(MatrixMut::vector(&mut self.status)),
            ..Figures::default()
        }
    }
    fn same(&self, what: &str, want: &Out) {
        for (i, name) in ["logprob", "lse", "max", "entropy", "log_sum_sq", "stats"].iter().enumerate() {
            same(&format!("{what}: {name}"), &self.floats[i], &want.floats[i]);
        }
        same(&format!("{what}: argmax"), &self.argmax, &want.argmax);
        same(&format!("{what}: is_top1"), &self.top1, &want.top1);
        same(&format!("{what}: status"), &self.status, &want.status);
    }
}
fn run_forward(c: &Context, case: &Case, bytes: usize, out: Figures<'_>) {
    with_scratch(bytes, |space| forward(c, &case.problem(), case.inputs(), out, space)).unwrap()
}
struct Gradients {
    hidden: Data,
    weight: Data,
    bias: Data,
    status: Vec<u32>,
}
/// `types` of the gradients, every element `start` before.
fn run_backward(
    c: &Context,
    case: &Case,
    bytes: usize,
    stats: Option<&[f32]>,
    types: [usize; 3],
    start: f32,
    accumulate: bool,
) -> Gradients {
    let (n, d, v) = (case.n, case.d, case.v);
    let mut g = Gradients {
        hidden: Data::new(types[0], &vec![start; case.hidden_layout.extent().unwrap()]),
        weight: Data::new(types[1], &vec![start; case.weight_layout.extent().unwrap()]),
        bias: Data::new(types[2], &vec![start; v]),
        status: vec![77; n],
    };
    let grads = Grads {
        hidden: Some(g.hidden.view_mut(case.hidden_layout)),
        weight: Some(g.weight.view_mut(case.weight_layout)),
        bias: Some(g.bias.view_mut(Layout::contiguous(v, 1))),
        accumulate_hidden: accumulate,
        accumulate_weight: accumulate,
    };
    let stats = stats.map(|s| Matrix::contiguous(s, n, STATS).unwrap());
    let status = Some(MatrixMut::vector(&mut g.status));
    with_scratch(bytes, |space| {
        backward(c, &case.problem(), case.inputs(), stats, case.upstream(), grads, status, space)
    })
    .unwrap();
    assert_eq!(d, case.hidden_layout.cols);
    g
}
fn dense(x: &Data, l: Layout) -> Vec<f32> {
    let x = x.wide();
    (0..l.rows()).flat_map(|i| x[l.offset(i)..][..l.cols].to_vec()).collect()
}
/// What the logits form and the products say: figures, then grad_hidden, grad_weight, grad_bias in f32.
fn expected(case: &Case) -> (Out, [Vec<f32>; 3]) {
    let (n, d, v) = (case.n, case.d, case.v);
    let c = context(Isa::Scalar, 0);
    let problem = logprob::Problem::new(n, v, case.options).unwrap();
    let z = case.logits();
    let view = Floats::from(Matrix::contiguous(&z, n, v).unwrap());
    let mut out = Out::new(n);
    let inputs = truing_cpu::logprob::Inputs::new(view, case.transform(), case.rows());
    truing_cpu::logprob::forward(&c, &problem, inputs, out.figures()).unwrap();
    let mut dz = vec![0.0; n * v];
    let inputs =
        truing_cpu::logprob::BackwardInputs { transform: case.transform(), rows: case.rows(), ..Default::default() };
    let grad = truing_cpu::logprob::Grad::Separate(view, MatrixMut::contiguous(&mut dz, n, v).unwrap().into());
    truing_cpu::logprob::backward(&c, &problem, inputs, None, case.upstream(), grad, None).unwrap();
    let (h, w) = (dense(&case.hidden, case.hidden_layout), dense(&case.weight, case.weight_layout));
    let live = case.live();
    let valid = problem.valid();
    let pick = |x: &[f32], cols: usize, rows: &[usize], take: usize| -> Vec<f32> {
        rows.iter().flat_map(|i| x[i * cols..i * cols + take].to_vec()).collect()
    };
    let mut grads = [vec![0.0; n * d], vec![0.0; v * d], vec![0.0; v]];
    if !live.is_empty() {
        let dz_live = pick(&dz, v, &live, valid);
        let gh = product(&dz_live, &transpose(&w[..valid * d], d), valid);
        for (l, &i) in live.iter().enumerate() {
            grads[0][i * d..][..d].copy_from_slice(&gh[l * d..][..d]);
        }
        let by_column = transpose(&dz_live, valid);
        let gw = product(&by_column, &transpose(&pick(&h, d, &live, d), d), live.len());
        grads[1][..valid * d].copy_from_slice(&gw);
        let gb = product(&by_column, &vec![1.0; live.len()], live.len());
        grads[2][..valid].copy_from_slice(&gb);
    }
    (out, grads)
}
/// `x` in this type and back, after adding it to `start`.
fn rounded(kind: usize, x: &[f32], start: Option<f32>) -> Vec<f32> {
    let x: Vec<f32> = x.iter().map(|x| if let Some(s) = start { s + x } else { *x }).collect();
    Data::new(kind, &x).wide()
}

fn check(case: &Case, contexts: &[Context], cases: &mut Cases) {
    let (want, grads) = expected(case);
    let problem = case.problem();
    let (th, tw) = case.dtypes();
    let own = [case.hidden.kind(), case.weight.kind(), case.bias.as_ref().map_or(case.weight.kind(), |b| b.kind())];
    for (at, c) in contexts.iter().enumerate() {
        let what = |x: &str| format!("{} on {} x {} {x}", case.name, c.isa().name(), c.threads());
        let f = forward_workspace(c, &problem, th, tw);
        let b = backward_workspace(c, &problem, th, tw);
        assert!(f.minimum <= f.preferred && b.minimum <= b.preferred);
        for (size, part) in [(0, 0.0), (1, 1.0), (2, [0.02, 0.1, 0.4][at % 3])] {
            let bytes = |w: truing_cpu::linear_logprob::Workspace| {
                w.minimum + ((w.preferred - w.minimum) as f64 * part) as usize
            };
            let mut got = Out::new(case.n);
            run_forward(c, case, bytes(f), got.figures());
            got.same(&what(&format!("forward, workspace {size}")), &want);
            cases.ran();
            let (types, start, accumulate) = match (at + size) % 3 {
                0 => ([0; 3], f32::NAN, false),
                1 => (own, f32::NAN, false),
                _ => (if at % 2 == 0 { [0; 3] } else { own }, 0.5, true),
            };
            let stats = ((at + size) % 2 == 0).then_some(&want.floats[5][..]);
            let g = run_backward(c, case, bytes(b), stats, types, start, accumulate);
            let what = |x: &str| what(&format!("{x}, workspace {size}, types {types:?}, saved {}", stats.is_some()));
            let start = accumulate.then_some(start);
            same(&what("grad_hidden"), &dense(&g.hidden, case.hidden_layout), &rounded(types[0], &grads[0], start));
            same(&what("grad_weight"), &dense(&g.weight, case.weight_layout), &rounded(types[1], &grads[1], start));
            same(&what("grad_bias"), &g.bias.wide(), &rounded(types[2], &grads[2], start));
            same(&what("status"), &g.status, &want.status);
            cases.ran();
        }
    }
}

/// Every instruction set and number of threads in turn.
fn contexts() -> Vec<Context> {
    let all: Vec<Isa> = Isa::available().collect();
    let mut out: Vec<Context> = vec![];
    for (i, isa) in all.iter().enumerate() {
        for threads in [0, 1, 2, 3, 7].into_iter().skip(if i + 1 == all.len() { 0 } else { 2 }) {
            out.push(context(*isa, threads));
        }
    }
    out.insert(0, context(Isa::Scalar, 0));
    out
}

#[test]
fn equals_the_logits_form() {
    let mut random = Random(3);
    let mut cases = Cases::default();
    let all = contexts();
    let vocabularies = [1, 2, 15, 17, 2047, 2048, 2049, 4200];
    for (at, &v) in vocabularies.iter().enumerate() {
        for what in 0..3 {
            let n = [1, 5, 18, 50][(at + what) % 4];
            let d = [1, 7, 33, 50][(at + 2 * what) % 4];
            let kinds = [(0, 0), (1, 1), (2, 2), (0, 1), (1, 0), (2, 0), (1, 2), (2, 1), (0, 2)][(3 * at + what) % 9];
            let case = Case::new(&mut random, (n, d, v), kinds, what, (at + what) % 2);
            check(&case, &all, &mut cases);
        }
    }
    println!("instruction sets not on this machine are skipped: {} of 6 ran", Isa::available().count());
    cases.finish("linear form against logits form", 24 * all.len() * 6);
}

/// Long reductions: hidden states beyond a block, more live rows than a block, several waves and groups.
#[test]
fn equals_the_logits_form_beyond_a_block() {
    let mut random = Random(4);
    let mut cases = Cases::default();
    let best = Isa::detect();
    let some = [context(best, 0), context(best, 2), context(Isa::Avx2, 3)];
    for (shape, kinds, what) in [
        ((20, 2500, 60), (0, 0), 0),
        ((33, 4097, 40), (1, 1), 2),
        ((5200, 20, 70), (0, 0), 1),
        ((5200, 9, 33), (1, 1), 2),
        ((400, 60, 2100), (0, 1), 0),
        ((300, 40, 12400), (1, 1), 0),
    ] {
        check(&Case::new(&mut random, shape, kinds, what, 0), &some, &mut cases);
    }
    cases.finish("beyond a block", 6 * 3 * 6);
}

/// Each output alone, and gradients of a part of the figures or into a part of the places, have the bits of all together.
#[test]
fn optional_outputs_change_nothing() {
    let mut random = Random(5);
    let mut cases = Cases::default();
    for (kinds, what) in [((0, 0), 0), ((1, 1), 2)] {
        let case = Case::new(&mut random, (23, 31, 2100), kinds, what, 0);
        let (want, _) = expected(&case);
        for isa in Isa::available() {
            let c = context(isa, 2);
            let (th, tw) = case.dtypes();
            let bytes = forward_workspace(&c, &case.problem(), th, tw).preferred;
            for one in 0..9 {
                let (mut got, fresh) = (Out::new(case.n), Out::new(case.n));
                let all = got.figures();
                let mut f = Figures::default();
                match one {
                    0 => f.logprob = all.logprob,
                    1 => f.lse = all.lse,
                    2 => f.max = all.max,
                    3 => f.entropy = all.entropy,
                    4 => f.log_sum_sq = all.log_sum_sq,
                    5 => f.stats = all.stats,
                    6 => f.argmax = all.argmax,
                    7 => f.is_top1 = all.is_top1,
                    _ => f.status = all.status,
                }
                run_forward(&c, &case, bytes, f);
                for i in 0..6 {
                    same("alone", &got.floats[i], if i == one { &want.floats[i] } else { &fresh.floats[i] });
                }
                same("argmax alone", &got.argmax, if one == 6 { &want.argmax } else { &fresh.argmax });
                same("is_top1 alone", &got.top1, if one == 7 { &want.top1 } else { &fresh.top1 });
                same("status alone", &got.status, if one == 8 { &want.status } else { &fresh.status });
                cases.ran();
            }
            let b = backward_workspace(&c, &case.problem(), th, tw);
            let all = run_backward(&c, &case, b.preferred, None, [0; 3], 0.0, false);
            for (one, bytes) in (1..8).flat_map(|one| [(one, b.minimum), (one, b.preferred)]) {
                let mut g = [vec![0.0; case.n * case.d], vec![0.0; case.v * case.d], vec![0.0; case.v]];
                let [h, w, bias] = &mut g;
                let grads = Grads {
                    hidden: (one & 1 > 0).then(|| MatrixMut::contiguous(h, case.n, case.d).unwrap().into()),
                    weight: (one & 2 > 0).then(|| MatrixMut::contiguous(w, case.v, case.d).unwrap().into()),
                    bias: (one & 4 > 0).then(|| MatrixMut::vector(bias).into()),
                    ..Grads::default()
                };
                with_scratch(bytes, |s| {
                    backward(&c, &case.problem(), case.inputs(), None, case.upstream(), grads, None, s)
                })
                .unwrap();
                for (i, want) in [&all.hidden, &all.weight, &all.bias].iter().enumerate() {
                    let want = if one >> i & 1 > 0 { want.wide() } else { vec![0.0; g[i].len()] };
                    same("gradient alone", &g[i], &want);
                }
                cases.ran();
            }
        }
    }
    cases.finish("optional outputs", 2 * 23 * Isa::available().count());
}

/// A row's figures and grad_hidden do not depend on the rows around it.
#[test]
fn a_row_depends_on_itself() {
    let mut random = Random(6);
    let mut cases = Cases::default();
    let c = context(Isa::detect(), 2);
    for (kinds, what) in [((0, 0), 0), ((1, 1), 2), ((2, 0), 1)] {
        let mut case = Case::new(&mut random, (61, 30, 2300), kinds, what, 0);
        let (th, tw) = case.dtypes();
        let mut all = Out::new(case.n);
        run_forward(&c, &case, forward_workspace(&c, &case.problem(), th, tw).preferred, all.figures());
        let bytes = backward_workspace(&c, &case.problem(), th, tw).preferred;
        let g = run_backward(&c, &case, bytes, None, [0; 3], 0.0, false).hidden.wide();
        let hidden = case.hidden.wide();
        let (target, mask, temperature, upstream) =
            (case.target.clone(), case.mask.clone(), case.temperature.clone(), case.upstream.clone());
        for i in [0, 1, 17, 48, 60] {
            case.n = 1;
            case.hidden_layout = Layout::contiguous(1, case.d);
            case.hidden = Data::new(kinds.0, &hidden[i * case.d..(i + 1) * case.d]);
            case.target = vec![target[i]];
            case.mask = mask.as_ref().map(|m| vec![m[i]]);
            case.temperature = temperature.as_ref().map(|t| vec![t[i]]);
            case.upstream = [0, 1, 2].map(|k| vec![upstream[k][i]]);
            let mut one = Out::new(1);
            run_forward(&c, &case, forward_workspace(&c, &case.problem(), th, tw).preferred, one.figures());
            for k in 0..5 {
                same("a row alone", &one.floats[k], &all.floats[k][i..=i]);
            }
            same("stats alone", &one.floats[5], &all.floats[5][i * STATS..(i + 1) * STATS]);
            let bytes = backward_workspace(&c, &case.problem(), th, tw).minimum;
            let got = run_backward(&c, &case, bytes, None, [0; 3], 0.0, false).hidden.wide();
            same("grad_hidden alone", &got, &g[i * case.d..(i + 1) * case.d]);
            cases.ran();
        }
    }
    cases.finish("rows alone", 15);
}

/// NaN, infinities, dead columns, dead targets: the logits form's figures and status; other rows are untouched.
#[test]
fn hostile_rows_stay_alone() {
    let mut random = Random(7);
    let mut cases = Cases::default();
    for (kinds, what) in [((0, 0), 0), ((1, 1), 1), ((0, 0), 2), ((2, 1), 2)] {
        let mut case = Case::new(&mut random, (24, 12, 2100), kinds, what, 0);
        case.mask = None;
        case.target = (0..24).map(|i| i * 31).collect();
        let mut h = case.hidden.wide();
        for (i, x) in h.iter_mut().enumerate() {
            *x = match i / case.d {
                3 if i % case.d == 5 => f32::NAN,
                4 if i % case.d == 2 => f32::INFINITY, // both signs of infinity among the logits
                _ if x.is_nan() => 0.25,
                _ => *x,
            };
        }
        case.hidden = Data::new(kinds.0, &h);
        if case.bias.is_some() {
            case.target[7] = 4; // a dead column
            case.target[8] = case.v as i32 - 1; // padding
        }
        let (want, grads) = expected(&case);
        for isa in Isa::available() {
            let c = context(isa, 2);
            let (th, tw) = case.dtypes();
            let mut got = Out::new(case.n);
            run_forward(&c, &case, forward_workspace(&c, &case.problem(), th, tw).preferred, got.figures());
            got.same(&format!("{} hostile {}", case.name, isa.name()), &want);
            let b = backward_workspace(&c, &case.problem(), th, tw);
            for bytes in [b.minimum, b.preferred] {
                let g = run_backward(&c, &case, bytes, None, [0; 3], 0.0, false);
                same("hostile grad_hidden", &g.hidden.wide(), &grads[0]);
                same("hostile grad_weight", &g.weight.wide(), &grads[1]);
                same("hostile grad_bias", &g.bias.wide(), &grads[2]);
            }
            cases.ran();
        }
        assert_eq!(want.status[3] & row::NAN_INPUT, row::NAN_INPUT);
        assert!(want.status[4] & (row::INF_INPUT | row::NAN_INPUT) != 0);
        if case.bias.is_some() {
            assert_eq!([want.status[7], want.status[8]], [row::TARGET_NEG_INF; 2]);
        }
        assert_eq!(want.status[5], 0);
    }
    cases.finish("hostile rows", 4 * Isa::available().count());
}

/// f64 on the same inputs, within the bounds of the accuracy table.
#[test]
fn agrees_with_f64() {
    let mut random = Random(8);
    let mut worst = [0f64; 5];
    for (kinds, what) in [((0, 0), 0), ((1, 1), 1), ((2, 2), 2), ((0, 0), 2)] {
        let case = Case::new(&mut random, (37, 50, 4500), kinds, what, 0);
        let (n, d, v) = (case.n, case.d, case.v);
        let c = context(Isa::detect(), 2);
        let (th, tw) = case.dtypes();
        let mut got = Out::new(n);
        run_forward(&c, &case, forward_workspace(&c, &case.problem(), th, tw).preferred, got.figures());
        let bytes = backward_workspace(&c, &case.problem(), th, tw).preferred;
        let g = run_backward(&c, &case, bytes, Some(&got.floats[5]), [0; 3], 0.0, false);
        let (h, w) = (case.hidden.wide(), case.weight.wide());
        let bias = case.bias.as_ref().map(|b| b.wide());
        let valid = case.problem().logprob().valid();
        let t = case.options.transform;
        let norm = |x: &[f32]| x.iter().map(|x| (*x as f64).powi(2)).sum::<f64>().sqrt();
        let widest = (0..v).map(|j| norm(&w[j * d..][..d])).fold(0.0, f64::max);
        let mut gh = vec![(0f64, 0f64); n * d]; // value and bound
        let mut gw = vec![(0f64, 0f64); v * d];
        for i in case.live() {
            let temperature = case.temperature.as_ref().map_or(t.temperature, |x| x[i] as f64);
            let h = &h[i * d..][..d];
            let mut x = vec![f64::NEG_INFINITY; valid];
            let mut slope = vec![0.0; valid];
            for j in 0..valid {
                let b = bias.as_ref().map_or(0.0, |b| b[j] as f64);
                if b == f64::NEG_INFINITY {
                    continue;
                }
                let z: f64 = h.iter().zip(&w[j * d..][..d]).map(|(a, b)| *a as f64 * *b as f64).sum();
                let s = t.logit_scale * (z + b);
                let capped = if t.softcap > 0.0 { t.softcap * (s / t.softcap).tanh() } else { s };
                x[j] = capped / temperature;
                slope[j] = t.logit_scale / temperature
                    * if t.softcap > 0.0 { 1.0 - (s / t.softcap).tanh().powi(2) } else { 1.0 };
            }
            let steep = t.logit_scale / temperature;
            let logit = 4.0 * U * norm(h) * widest * steep;
            let m = x.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let sum: f64 = x.iter().map(|x| (x - m).exp()).sum();
            let (l, y) = (sum.ln(), case.target[i] as usize);
            let entropy = l - x.iter().filter(|x| x.is_finite()).map(|x| (x - m).exp() / sum * (x - m)).sum::<f64>();
            let tm = if y < valid { x[y] - m } else { f64::NEG_INFINITY };
            if tm == f64::NEG_INFINITY {
                assert_eq!(got.floats[0][i], f32::NEG_INFINITY);
                continue;
            }
            let mut judge =
                |k: usize, got: f32, want: f64, bound: f64| worst[k] = worst[k].max((got as f64 - want).abs() / bound);
            // the softcap adds the 3 ulp of its tanh to each logit
            let cap = if t.softcap > 0.0 { 4.0 * U * t.softcap / temperature } else { 2.0 * U * m.abs() };
            judge(0, got.floats[0][i], tm - l, 4.0 * U * (tm.abs() + l + 1.0) + 2.0 * (logit + cap));
            judge(1, got.floats[1][i], m + l, 4.0 * U * (l + 1.0) + U * m.abs() + logit + cap);
            let big = 1.0 + (valid as f64).ln();
            judge(2, got.floats[3][i], entropy, 8.0 * U * big + 2.0 * big * (logit + cap));
            let [a, b, e] = [0, 1, 2].map(|k| case.upstream[k][i] as f64 * case.scale);
            for j in 0..valid {
                if x[j] == f64::NEG_INFINITY {
                    continue;
                }
                let p = (x[j] - m).exp() / sum;
                let dx = a * ((j == y) as u8 as f64 - p) + p * (b - e * ((x[j] - m).exp().ln() - (l - entropy)));
                let dz = dx * slope[j];
                let most = (a.abs() + b.abs() + e.abs() * big) * steep;
                let off = (8.0 * U + 4.0 * (logit + cap)) * most * (p + (j == y) as u8 as f64);
                for k in 0..d {
                    let (hk, wk) = (h[k] as f64, w[j * d + k] as f64);
                    let (to, by) = (&mut gh[i * d + k], &mut gw[j * d + k]);
                    (to.0, to.1) = (to.0 + dz * wk, to.1 + (2.0 * U * dz.abs() + off) * wk.abs());
                    (by.0, by.1) = (by.0 + dz * hk, by.1 + (2.0 * U * dz.abs() + off) * hk.abs());
                }
            }
        }
        for (k, (got, want)) in [(&g.hidden, &gh), (&g.weight, &gw)].into_iter().enumerate() {
            for (got, (value, bound)) in got.wide().iter().zip(want) {
                if *bound > 0.0 {
                    worst[3 + k] = worst[3 + k].max((*got as f64 - value).abs() / bound);
                } else {
                    assert_eq!(*got, 0.0);
                }
            }
        }
    }
    println!("worst shares of the bounds: logprob, lse, entropy, grad_hidden, grad_weight {worst:.3?}");
    assert!(worst.iter().all(|e| *e <= 1.0));
    assert!(worst.iter().all(|e| *e > 1e-4), "a bound that nothing comes near is no bound: {worst:?}");
}

/// Central differences of the forward along random directions.
#[test]
fn finite_differences() {
    let mut random = Random(9);
    let mut cases = Cases::default();
    let c = context(Isa::detect(), 0);
    for what in 0..3 {
        let mut case = Case::new(&mut random, (9, 20, 300), (0, 0), what, 0);
        case.mask = None;
        case.target = (0..9).map(|i| if case.bias.is_some() { 27 * i } else { 7 * i }).collect();
        let h: Vec<f32> = case.hidden.wide().iter().map(|x| if x.is_nan() { 0.5 } else { *x }).collect();
        let w = case.weight.wide();
        case.hidden = Data::F32(h.clone());
        let bytes = backward_workspace(&c, &case.problem(), Dtype::F32, Dtype::F32).preferred;
        let g = run_backward(&c, &case, bytes, None, [0; 3], 0.0, false);
        let value = |case: &Case| -> f64 {
            let mut out = Out::new(case.n);
            let bytes = forward_workspace(&c, &case.problem(), Dtype::F32, Dtype::F32).preferred;
            run_forward(&c, case, bytes, out.figures());
            (0..case.n)
                .map(|i| {
                    (0..3)
                        .map(|k| case.scale * case.upstream[k][i] as f64 * out.floats[[0, 1, 3][k]][i] as f64)
                        .sum::<f64>()
                })
                .sum()
        };
        for side in 0..2 {
            let (x, grad) = if side == 0 { (&h, g.hidden.wide()) } else { (&w, g.weight.wide()) };
            let along = random.normals(x.len(), 1.0);
            let eps = 1.0 / 256.0f32;
            let mut at = |sign: f32| {
                let moved: Vec<f32> = x.iter().zip(&along).map(|(x, a)| x + sign * eps * a).collect();
                if side == 0 {
                    case.hidden = Data::F32(moved)
                } else {
                    case.weight = Data::F32(moved)
                };
                let f = value(&case);
                (case.hidden, case.weight) = (Data::F32(h.clone()), Data::F32(w.clone()));
                f
            };
            let slope = (at(1.0) - at(-1.0)) / (2.0 * eps as f64);
            let want: f64 = grad.iter().zip(&along).map(|(g, a)| *g as f64 * *a as f64).sum();
            let size: f64 = grad.iter().zip(&along).map(|(g, a)| (*g as f64 * *a as f64).abs()).sum();
            assert!((slope - want).abs() <= 2e-3 * size, "transform {what}, side {side}: {slope} {want} {size}");
            cases.ran();
        }
    }
    cases.finish("finite differences", 6);
}

/// A refused call names what is wrong and writes nothing.
#[test]
fn errors_come_before_any_write() {
    let mut random = Random(10);
    let mut cases = Cases::default();
    let c = Context::default();
    let case = Case::new(&mut random, (6, 5, 40), (0, 0), 2, 0);
    let (h64, w64) = (vec![0f64; 30], vec![0f64; 200]);
    let bad_target = [0, 40, 2, 3, 4, 5];
    let bad_bias: Vec<f32> = (0..40).map(|j| if j == 9 { f32::NAN } else { 0.0 }).collect();
    let bad_temperature = [1.0, 1.0, 1.0, 0.0, 1.0, 1.0];
    let long = vec![0f32; 41 * 6];
    let f = forward_workspace(&c, &case.problem(), Dtype::F32, Dtype::F32);
    let b = backward_workspace(&c, &case.problem(), Dtype::F32, Dtype::F32);
    type Break<'a> = Box<dyn Fn(&mut Inputs<'a>) + 'a>;
    let breaks: Vec<(Break<'_>, Status, &str)> = vec![
        (
            Box::new(|i| i.hidden = Matrix::contiguous(&h64, 6, 5).unwrap().into()),
            Status::UnsupportedDtype,
            "head.hidden",
        ),
        (
            Box::new(|i| i.weight = Matrix::contiguous(&w64, 40, 5).unwrap().into()),
            Status::UnsupportedDtype,
            "head.weight",
        ),
        (
            Box::new(|i| i.hidden = Matrix::contiguous(&long, 6, 6).unwrap().into()),
            Status::ShapeMismatch,
            "head.hidden",
        ),
        (
            Box::new(|i| i.weight = Matrix::contiguous(&long, 41, 5).unwrap().into()),
            Status::ShapeMismatch,
            "head.weight",
        ),
        (Box::new(|i| i.rows.target = Some(Matrix::vector(&bad_target).into())), Status::OutOfRange, "rows.target"),
        (Box::new(|i| i.rows.target = None), Status::InvalidArgument, "rows.target"),
        (Box::new(|i| i.rows.mask = Some(Matrix::vector(&[1u8; 5]).into())), Status::ShapeMismatch, "rows.mask"),
        (
            Box::new(|i| i.transform.bias = Some(Matrix::vector(&bad_bias).into())),
            Status::InvalidArgument,
            "transform.bias",
        ),
        (
            Box::new(|i| i.transform.bias = Some(Matrix::vector(&h64).into())),
            Status::UnsupportedDtype,
            "transform.bias",
        ),
        (
            Box::new(|i| i.transform.row_temperature = Some(Matrix::vector(&bad_temperature))),
            Status::InvalidArgument,
            "transform.row_temperature",
        ),
        (Box::new(|_| ()), Status::WorkspaceTooSmall, "workspace_size"),
        (Box::new(|_| ()), Status::InvalidArgument, "workspace"),
    ];
    for (at, (change, status, field)) in breaks.iter().enumerate() {
        let mut inputs = case.inputs();
        change(&mut inputs);
        // the last two: one byte too few, and a pointer that is not aligned
        let (short, shift) = ((at == 10) as usize, (at == 11) as usize);
        let (mut out, fresh) = (Out::new(6), Out::new(6));
        let e = with_scratch(f.minimum + shift, |s| {
            forward(&c, &case.problem(), inputs, out.figures(), &mut s[shift..f.minimum + shift - short])
        });
        let e = e.unwrap_err();
        assert_eq!((e.status, e.field), (*status, *field), "forward {at}: {e}");
        out.same("a refused forward", &fresh);
        let mut g = [vec![5.0f32; 30], vec![5.0; 200], vec![5.0; 40]];
        let mut states = vec![77; 6];
        let [gh, gw, gb] = &mut g;
        let grads = Grads {
            hidden: Some(MatrixMut::contiguous(gh, 6, 5).unwrap().into()),
            weight: Some(MatrixMut::contiguous(gw, 40, 5).unwrap().into()),
            bias: Some(MatrixMut::vector(gb).into()),
            ..Grads::default()
        };
        let e = with_scratch(b.minimum + shift, |s| {
            let space = &mut s[shift..b.minimum + shift - short];
            backward(
                &c,
                &case.problem(),
                inputs,
                None,
                case.upstream(),
                grads,
                Some(MatrixMut::vector(&mut states)),
                space,
            )
        });
        let e = e.unwrap_err();
        assert_eq!((e.status, e.field), (*status, *field), "backward {at}: {e}");
        assert!(g.iter().flatten().all(|x| *x == 5.0) && states == vec![77; 6], "backward {at} wrote");
        cases.ran();
    }
    // a gradient of another width than f32 and the operand's own
    let mut g = vec![bf16::ONE; 200];
    let grads = Grads { weight: Some(MatrixMut::contiguous(&mut g, 40, 5).unwrap().into()), ..Grads::default() };
    let e = with_scratch(b.minimum, |s| {
        backward(&c, &case.problem(), case.inputs(), None, case.upstream(), grads, None, s)
    })
    .unwrap_err();
    assert_eq!((e.status, e.field, e.got), (Status::UnsupportedDtype, "grad_weight", Value::Dtype(Dtype::Bf16)));
    assert_eq!(Problem::new(3, 0, 4, Options::default()).unwrap_err().field, "head.hidden");
    assert_eq!(Problem::new(3, 4, 0, Options::default()).unwrap_err().field, "head.weight");
    cases.finish("refused calls", 12);
}

/// No row, or no live one: gradients are 0 where something is written, nothing is read.
#[test]
fn no_live_row() {
    let mut random = Random(11);
    let c = context(Isa::detect(), 2);
    let mut case = Case::new(&mut random, (6, 5, 40), (1, 1), 0, 0);
    case.hidden = Data::new(1, &[f32::NAN; 30]);
    case.weight = Data::new(1, &[f32::NAN; 200]);
    case.mask = Some(vec![0; 6]);
    let b = backward_workspace(&c, &case.problem(), Dtype::Bf16, Dtype::Bf16);
    let mut out = Out::new(6);
    run_forward(&c, &case, forward_workspace(&c, &case.problem(), Dtype::Bf16, Dtype::Bf16).minimum, out.figures());
    assert!(out.floats[0].iter().all(|x| *x == 0.0) && out.argmax == [-1; 6] && out.status == [row::IGNORED; 6]);
    for (accumulate, want) in [(false, 0.0), (true, 0.5)] {
        let g = run_backward(&c, &case, b.minimum, None, [0, 1, 0], 0.5, accumulate);
        for x in [g.hidden.wide(), g.weight.wide(), g.bias.wide()] {
            assert!(x.iter().all(|x| *x == want));
        }
    }
    let empty = Problem::new(0, 5, 40, Options::default()).unwrap();
    let none: Floats<'_> = Matrix::<bf16>::contiguous(&[], 0, 5).unwrap().into();
    let inputs = Inputs { hidden: none, weight: case.weight.view(case.weight_layout), ..case.inputs() };
    let inputs = Inputs { rows: Rows::default(), ..inputs };
    forward(&c, &empty, inputs, Figures::default(), &mut []).unwrap();
    let mut g = vec![3.0f32; 200];
    let grads = Grads { weight: Some(MatrixMut::contiguous(&mut g, 40, 5).unwrap().into()), ..Grads::default() };
    backward(&c, &empty, inputs, None, Upstream::default(), grads, None, &mut []).unwrap();
    assert!(g.iter().all(|x| *x == 0.0));
}

/// Nothing is allocated with the default context, and the workspace has the size that the documentation states.
#[test]
fn memory_is_the_workspace() {
    let mut random = Random(12);
    let c = Context::default();
    for kinds in [(0, 0), (1, 1), (2, 0)] {
        let case = Case::new(&mut random, (60, 40, 4200), kinds, 2, 1);
        let (th, tw) = case.dtypes();
        let (f, b) = (forward_workspace(&c, &case.problem(), th, tw), backward_workspace(&c, &case.problem(), th, tw));
        for (f, b) in [(f.minimum, b.minimum), (f.preferred, b.preferred)] {
            let mut out = Out::new(case.n);
            let mut g = [vec![0.0f32; case.n * case.d], vec![0.0; case.v * case.d]];
            let [h, w] = &mut g;
            let grads = Grads {
                hidden: Some(MatrixMut::contiguous(h, case.n, case.d).unwrap().into()),
                weight: Some(MatrixMut::contiguous(w, case.v, case.d).unwrap().into()),
                ..Grads::default()
            };
            let (problem, inputs, upstream) = (case.problem(), case.inputs(), case.upstream());
            let figures = out.figures();
            let used = with_scratch(f.max(b), |s| {
                let before = Counting::allocations();
                forward(&c, &problem, inputs, figures, &mut s[..f]).unwrap();
                backward(&c, &problem, inputs, None, upstream, grads, None, &mut s[..b]).unwrap();
                Counting::allocations() - before
            });
            assert_eq!(used, 0, "{}", case.name);
        }
    }
    const KIB: usize = 1 << 10;
    for (n, d, v) in [(512, 576, 49152), (512, 1024, 32000), (8192, 4096, 128256)] {
        for dtype in [Dtype::F32, Dtype::Bf16] {
            for threads in [0, 2] {
                let c = context(Isa::detect(), threads);
                let problem = Problem::new(n, d, v, Options::default()).unwrap();
                let (f, b) =
                    (forward_workspace(&c, &problem, dtype, dtype), backward_workspace(&c, &problem, dtype, dtype));
                println!("{n}x{d}x{v} {dtype}, {} threads: forward {f:?}, backward {b:?}", c.threads());
                let per_thread = c.threads();
                let row = 4 * (d + 1);
                assert!(f.minimum <= 16 * (row + 200) + per_thread * (224 * KIB + 10 * row));
                assert!(f.preferred <= n.min(16384) * (row + 100) + per_thread * (2560 * KIB + 10 * row));
                assert!(b.minimum <= n * 64 + 256 * KIB + 64 * row + per_thread * (1024 * KIB + 10 * row));
                assert!(b.preferred <= (64 << 20) + n * 64);
            }
        }
    }
}
