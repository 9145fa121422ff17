//! Log-prob of logits, forward and backward, against its formula in f64, against 50 digits, and against itself: the same
//! bits for every layout, batch, thread count, choice of outputs and instruction set.
use half::{bf16, f16};
use truing_core::error::row;
use truing_core::logprob::{Figures, Options, Problem, Rows, STATS, Transform, TransformInputs, Upstream};
use truing_core::matrix::{Floats, Layout, Matrix, MatrixMut};
use truing_core::row_loss::{RowLoss, Scaling, Smoothing};
use truing_core::{Dtype, Status};
use truing_cpu::logprob::{BackwardInputs, Grad, Inputs, backward, forward};
use truing_cpu::{Context, ContextOptions, Isa, Mode};
use truing_tests::{ALL, Cases, Counting, FIGURES, Logit, Random, RowOut as Out, U, contexts, hash, numbers, same};

const INF: f32 = f32::INFINITY;
const NAN: f32 = f32::NAN;
const LOGPROB: u32 = 1;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// A way to transform logits.
#[derive(Clone, Debug)]
struct Setup {
    name: &'static str,
    options: Options,
    bias: Option<Vec<f32>>,
    temperatures: Option<Vec<f32>>,
}
impl Setup {
    fn plain() -> Setup {
        let options = Options { ignore_index: Some(-100), ..Options::default() };
        Setup { name: "plain", options, bias: None, temperatures: None }
    }
    fn all(v: usize, n: usize) -> Vec<Setup> {
        let mut random = Random(v as u64);
        let transform = |logit_scale, softcap, temperature| Options {
            transform: Transform { logit_scale, softcap, temperature },
            ..Setup::plain().options
        };
        let bias: Vec<f32> = (0..v).map(|j| if j % 7 == 6 { -INF } else { random.normal() as f32 }).collect();
        let temperatures: Vec<f32> = (0..n).map(|i| [1.0, 0.7, 2.5][i % 3]).collect();
        let plain = Setup::plain();
        let padded = Options { n_valid_vocab: (v / 2).max(1), ..plain.options };
        vec![
            plain.clone(),
            Setup { name: "temperature", options: transform(1.0, 0.0, 0.7), ..plain.clone() },
            Setup { name: "softcap", options: transform(1.25, 20.0, 1.0), ..plain.clone() },
            Setup { name: "bias", bias: Some(bias.clone()), ..plain.clone() },
            Setup { name: "row temperatures", temperatures: Some(temperatures.clone()), ..plain.clone() },
            Setup { name: "n_valid_vocab", options: padded, ..plain.clone() },
            Setup {
                name: "everything",
                options: Options { n_valid_vocab: (v / 2).max(1), ..transform(0.5, 30.0, 1.0) },
                bias: Some(bias),
                temperatures: Some(temperatures),
            },
        ]
    }
    fn inputs(&self) -> TransformInputs<'_> {
        TransformInputs {
            bias: self.bias.as_ref().map(|b| Matrix::vector(b).into()),
            row_temperature: self.temperatures.as_ref().map(|t| Matrix::vector(t)),
        }
    }
    fn temperature(&self, i: usize) -> f64 {
        self.temperatures.as_ref().map_or(self.options.transform.temperature, |t| t[i] as f64)
    }
    fn plain_row(&self, i: usize) -> bool {
        let t = &self.options.transform;
        self.bias.is_none() && t.softcap == 0.0 && t.logit_scale == self.temperature(i)
    }
}

/// The formula, in f64, with plain sums.
struct Oracle {
    /// Transformed logits, dead ones `-inf`.
    x: Vec<f64>,
    /// dx/dz.
    slope: Vec<f64>,
    m: f64,
    k: usize,
    r: f64,
    u: f64,
    q: f64,
    /// Distance of the two largest.
    gap: f64,
    /// Bound on the error that the f32 transform adds to a transformed logit.
    slack: f64,
}
impl Oracle {
    fn new(z: &[f64], setup: &Setup, i: usize) -> Oracle {
        let (v, t) = (z.len(), setup.temperature(i));
        let Transform { logit_scale: s, softcap: c, .. } = setup.options.transform;
        let valid = if setup.options.n_valid_vocab == 0 { v } else { setup.options.n_valid_vocab };
        let (mut x, mut slope) = (vec![f64::NEG_INFINITY; v], vec![0.0; v]);
        for j in 0..valid {
            let b = setup.bias.as_ref().map_or(0.0, |b| b[j] as f64);
            if z[j] == f64::NEG_INFINITY || b == f64::NEG_INFINITY {
                continue;
            }
            let w = s * (z[j] + b);
            (x[j], slope[j]) =
                if c == 0.0 { (w / t, s / t) } else { (c * (w / c).tanh() / t, s / t / (w / c).cosh().powi(2)) };
        }
        let k = (0..v).fold(0, |k, j| if x[j] > x[k] { j } else { k });
        let m = x[k];
        let (mut r, mut u, mut q, mut second) = (0.0, 0.0, 0.0, f64::NEG_INFINITY);
        for (j, &x) in x.iter().enumerate() {
            if j != k && x > f64::NEG_INFINITY {
                r += (x - m).exp();
                u += (x - m).exp() * (x - m);
                q += (2.0 * (x - m)).exp();
                second = second.max(x);
            }
        }
        let gap = if second > f64::NEG_INFINITY { m - second } else { 0.0 };
        let largest = x.iter().filter(|x| x.is_finite()).fold(0.0f64, |a, x| a.max(x.abs()));
        let slack = if setup.plain_row(i) { 0.0 } else { 6.0 * U * largest };
        Oracle { x, slope, m, k, r, u, q, gap, slack }
    }
    fn live(&self) -> f64 {
        self.x.iter().filter(|&&x| x > f64::NEG_INFINITY).count() as f64
    }
    fn logprob(&self, y: usize) -> f64 {
        self.x[y] - self.m - self.r.ln_1p()
    }
    fn lse(&self) -> f64 {
        self.m + self.r.ln_1p()
    }
    fn entropy(&self) -> f64 {
        self.r.ln_1p() - self.u / (1.0 + self.r)
    }
    fn log_sum_sq(&self) -> f64 {
        self.q.ln_1p() - 2.0 * self.r.ln_1p()
    }
    /// d/dz of g[0] logprob + g[1] lse + g[2] entropy.
    fn gradient(&self, y: usize, g: [f64; 3]) -> Vec<f64> {
        if self.x[y] == f64::NEG_INFINITY {
            return vec![0.0; self.x.len()];
        }
        let (sum, mean) = (1.0 + self.r, self.u / (1.0 + self.r));
        (0..self.x.len())
            .map(|j| {
                if self.x[j] == f64::NEG_INFINITY {
                    return 0.0;
                }
                let a = self.x[j] - self.m;
                let p = a.exp() / sum;
                let rest = if j != y {
                    -p
                } else if j == self.k {
                    self.r / sum
                } else {
                    1.0 - p
                };
                (g[0] * rest + g[1] * p - g[2] * p * (a - mean)) * self.slope[j]
            })
            .collect()
    }
}

/// Rows of many kinds, the last two not to be read. Values are those of `T`.
struct Batch<T> {
    v: usize,
    z: Vec<T>,
    target: Vec<i64>,
    mask: Vec<u8>,
}
const KINDS: usize = 9;
const ROWS: usize = KINDS + 2;
impl<T: Logit> Batch<T> {
    fn new(v: usize) -> Batch<T> {
        let mut random = Random(v as u64 + 9);
        let (mut z, mut target) = (vec![], vec![]);
        for kind in 0..KINDS {
            let mut row: Vec<f32> = (0..v).map(|_| random.normal() as f32 * 3.0).collect();
            let at = random.below(v);
            match kind {
                1 => row.fill(1.25),
                // a near-certain token: log-prob about -1e-6
                2 => {
                    row.fill(0.5);
                    row[at] = 0.5 + 14.0 + (v as f32).ln().round();
                }
                3 => row.iter_mut().for_each(|x| *x = x.abs() + 1e4),
                4 => row.iter_mut().for_each(|x| *x -= 60.0),
                5 => (0..v).filter(|j| j % 3 != at % 3).for_each(|j| row[j] = -INF),
                6 => (0..v).filter(|&j| j / 3000 % 2 == 0 && j != at).for_each(|j| row[j] = -INF),
                7 => row.iter_mut().for_each(|x| *x = x.round().min(4.0) * 0.0 + x.round().min(4.0)),
                8 => row.iter_mut().for_each(|x| *x *= 8.0),
                _ => {}
            }
            let y = if kind % 2 == 0 { at } else { random.below(v) };
            target.push(y as i64);
            z.extend(row.into_iter().map(T::from_f32));
        }
        // masked, with a target out of range; ignored by its target: both full of garbage
        z.extend((0..2 * v).map(|j| T::from_f32(if j % 2 == 0 { NAN } else { INF })));
        target.extend([i64::MAX, -100]);
        let mut mask = vec![1; ROWS];
        mask[KINDS] = 0;
        Batch { v, z, target, mask }
    }
    fn row(&self, i: usize) -> &[T] {
        &self.z[i * self.v..(i + 1) * self.v]
    }
    fn widened(&self, i: usize) -> Vec<f64> {
        self.row(i).iter().map(|z| z.to_f64()).collect()
    }
    fn rows(&self) -> Rows<'_> {
        Rows {
            target: Some(Matrix::vector(&self.target).into()),
            mask: Some(Matrix::vector(&self.mask).into()),
            ..Rows::default()
        }
    }
    /// The same rows elsewhere in memory: gaps between them hold `NaN`. 11 rows are not a product, so the batched view
    /// has one group less and takes the first 10.
    fn laid_out(&self, layout: Layout) -> Vec<T> {
        let mut data = vec![T::from_f32(NAN); layout.extent().unwrap() + 3];
        for i in 0..layout.rows() {
            data[layout.offset(i)..][..self.v].copy_from_slice(self.row(i));
        }
        data
    }
}
fn layouts(v: usize) -> [(&'static str, Layout); 3] {
    [
        ("contiguous", Layout::contiguous(ROWS, v)),
        ("strided", Layout::strided(ROWS, v, v + 5)),
        ("[B, T+1, V] view", Layout::batched(2, 5, v, 6 * v, v)),
    ]
}
const SIZES: [usize; 9] = [1, 2, 15, 16, 17, 2047, 2048, 2049, 49152];

fn run<T: Logit>(c: &Context, layout: Layout, z: &[T], b: &Batch<T>, setup: &Setup, which: u32) -> Out {
    let n = layout.rows();
    let mut out = Out::new(n);
    let problem = Problem::new(n, b.v, setup.options).unwrap();
    let transform = TransformInputs {
        row_temperature: setup.temperatures.as_ref().map(|t| Matrix::vector(&t[..n])),
        ..setup.inputs()
    };
    let rows = Rows {
        target: Some(Matrix::vector(&b.target[..n]).into()),
        mask: Some(Matrix::vector(&b.mask[..n]).into()),
        ..Rows::default()
    };
    let inputs = Inputs::new(T::view(Matrix::new(z, layout).unwrap()), transform, rows);
    forward(c, &problem, inputs, out.figures(which)).unwrap();
    out
}

/// Contexts that give the same bits: all of the mode `portable`, those of an instruction set of the mode `fast`.
fn alike(mode: Mode) -> Vec<Vec<Context>> {
    let threads = |isa, threads| ContextOptions { threads, mode, isa_cap: Some(isa) };
    let of = |isas: &[Isa], pools: &[usize]| -> Vec<Context> {
        let alone = isas.iter().map(|&isa| threads(isa, 0));
        let best = *isas.last().unwrap();
        alone.chain(pools.iter().map(|&n| threads(best, n))).map(|o| Context::new(o).unwrap()).collect()
    };
    let isas: Vec<Isa> = Isa::available().collect();
    println!("instruction sets: {}", isas.iter().map(|i| i.name()).collect::<Vec<_>>().join(", "));
    match mode {
        Mode::Portable => vec![of(&isas, &[2, 3])],
        Mode::Fast => isas.iter().map(|&isa| of(&[isa], &[3])).collect(),
    }
}
/// Promise A3: how much further than promise A2 a mode may be from the formula.
fn share(mode: Mode) -> f64 {
    if mode == Mode::Fast { 2.0 } else { 1.0 }
}
fn forward_table<T: Logit>(mode: Mode, floor: usize) {
    let (mut cases, mut judged) = (Cases::default(), Cases::default());
    let groups = alike(mode);
    for v in SIZES {
        let b = Batch::<T>::new(v);
        let wide = Batch::<f32> {
            v,
            z: b.z.iter().map(|z| z.to_f32()).collect(),
            target: b.target.clone(),
            mask: b.mask.clone(),
        };
        let setups = Setup::all(v, ROWS);
        for (setup, all) in setups.iter().flat_map(|x| groups.iter().map(move |g| (x, g))) {
            let what = format!("{mode:?} {} V {v} {}", T::DTYPE, setup.name);
            let contiguous = layouts(v)[0].1;
            let want = run(&all[0], contiguous, &b.z, &b, setup, ALL);
            for i in 0..ROWS {
                judge(&format!("{what} row {i}"), &b, setup, &want, i, share(mode));
                judged.ran();
            }
            // bf16 and f16 are their widened f32
            run(&all[0], contiguous, &wide.z, &wide, setup, ALL).check(&format!("{what} widened"), &want, ALL);
            let each = (0..FIGURES).map(|f| 1 << f);
            for (layout_name, layout) in layouts(v) {
                let (z, want) = (b.laid_out(layout), want.rows(0, layout.rows()));
                for c in all {
                    let threads = c.threads();
                    // a thread or the slow path cannot depend on the choice more than one thread of lanes does
                    let few = threads > 1 || (c.isa() == Isa::Scalar && v > 4096);
                    for which in [0, ALL].into_iter().chain(each.clone()) {
                        if few && which != ALL && which != LOGPROB {
                            continue;
                        }
                        let what =
                            format!("{what} {layout_name} {} threads {threads} outputs {which:b}", c.isa().name());
                        run(c, layout, &z, &b, setup, which).check(&what, &want, which);
                        cases.ran();
                    }
                }
            }
            // each row alone
            let best = all.last().unwrap();
            for i in 0..ROWS {
                let one = Batch { v, z: b.row(i).to_vec(), target: vec![b.target[i]], mask: vec![b.mask[i]] };
                let alone = Setup { temperatures: setup.temperatures.as_ref().map(|t| vec![t[i]]), ..setup.clone() };
                let got = run(best, Layout::contiguous(1, v), &one.z, &one, &alone, ALL);
                got.check(&format!("{what} row {i} alone"), &want.rows(i, 1), ALL);
                cases.ran();
            }
        }
    }
    cases.finish(&format!("forward bits {}", T::DTYPE), floor);
    judged.finish("rows judged", SIZES.len() * 7 * ROWS * groups.len());
}
/// Promise A2 on one row, `share` times as far.
fn judge<T: Logit>(what: &str, b: &Batch<T>, setup: &Setup, out: &Out, i: usize, share: f64) {
    if i >= KINDS {
        let got = (out.logprob[i], out.lse[i], out.max[i], out.entropy[i], out.log_sum_sq[i]);
        assert_eq!(got, (0.0, 0.0, 0.0, 0.0, 0.0), "{what}");
        assert_eq!((out.argmax[i], out.is_top1[i], out.status[i]), (-1, 0, row::IGNORED), "{what}");
        return;
    }
    let (o, y) = (Oracle::new(&b.widened(i), setup, i), b.target[i] as usize);
    if o.m == f64::NEG_INFINITY {
        assert!(out.logprob[i].is_nan() && out.entropy[i].is_nan() && out.log_sum_sq[i].is_nan(), "{what}");
        assert_eq!((out.lse[i], out.argmax[i], out.status[i]), (-INF, -1, row::ALL_NEG_INF), "{what}");
        return;
    }
    let close = |name: &str, got: f32, want: f64, bound: f64| {
        let bound = share * bound;
        assert!((got as f64 - want).abs() <= bound, "{what}: {name}: got {got}, expected {want}, bound {bound:e}");
    };
    let (l, t) = (o.r.ln_1p(), o.x[y] - o.m);
    close("lse", out.lse[i], o.lse(), 4.0 * U * (l + 1.0) + U * o.m.abs() + 2.0 * o.slack);
    close("max", out.max[i], o.m, o.slack);
    close("entropy", out.entropy[i], o.entropy(), (8.0 * U + o.slack) * (1.0 + o.live().ln()));
    close("log_sum_sq", out.log_sum_sq[i], o.log_sum_sq(), 8.0 * U * (1.0 + 2.0 * l) + 4.0 * o.slack);
    if t == f64::NEG_INFINITY {
        assert_eq!((out.logprob[i], out.status[i]), (-INF, row::TARGET_NEG_INF), "{what}");
    } else {
        assert_eq!(out.status[i], 0, "{what}");
        close("logprob", out.logprob[i], o.logprob(y), 4.0 * U * (t.abs() + l + 1.0) + 2.0 * o.slack);
    }
    if o.slack == 0.0 {
        assert_eq!(out.argmax[i] as usize, o.k, "{what}: argmax");
        assert_eq!(out.is_top1[i], (y == o.k) as u8, "{what}: is_top1");
        let relative = 8.0 * U + U * o.gap;
        if y == o.k {
            close("logprob of the argmax", out.logprob[i], o.logprob(y), relative * o.logprob(y).abs());
        }
        if o.gap > 5.0 {
            close("entropy near certainty", out.entropy[i], o.entropy(), relative * o.entropy());
        }
    }
}
#[test]
fn forward_f32() {
    forward_table::<f32>(Mode::Portable, 5400);
    forward_table::<f32>(Mode::Fast, 5400);
}
#[test]
fn forward_bf16() {
    forward_table::<bf16>(Mode::Portable, 5400);
    forward_table::<bf16>(Mode::Fast, 5400);
}
#[test]
fn forward_f16() {
    forward_table::<f16>(Mode::Portable, 5400);
    forward_table::<f16>(Mode::Fast, 5400);
}

/// `golden/rows.txt`: 50 digits from an independent script.
#[test]
fn golden() {
    let (mut cases, contexts) = (Cases::default(), contexts());
    for line in include_str!("golden/rows.txt").lines() {
        let parts: Vec<&str> = line.split(" | ").collect();
        let head = numbers(parts[0]);
        let (seed, v) = (head[0] as u32, head[1] as usize);
        let (step, offset, gap, dead, y) = (head[2], head[3], head[4], head[5] as u32, head[7] as usize);
        let z: Vec<f32> = (0..v as u32)
            .map(|j| {
                let x = (hash(seed, j) as f64 - 32768.0) * step + offset;
                if j as usize == v / 2 {
                    (x + gap) as f32
                } else if dead > 0 && hash(seed + 1, j) % dead == 0 {
                    -INF
                } else {
                    x as f32
                }
            })
            .collect();
        let bias = (head[6] == 1.0)
            .then(|| (0..v as u32).map(|j| (hash(seed + 2, j) % 64) as f32 / 16.0 - 2.0).collect::<Vec<f32>>());
        let transform = Transform { logit_scale: head[8], softcap: head[9], temperature: head[10] };
        let setup = Setup { options: Options { transform, ..Options::default() }, bias, ..Setup::plain() };
        let (figures, gradients) = (numbers(parts[1]), numbers(parts[2]));
        let o = Oracle::new(&z.iter().map(|&z| z as f64).collect::<Vec<f64>>(), &setup, 0);
        let b = Batch { v, z, target: vec![y as i64], mask: vec![1] };
        for c in &contexts {
            let layout = Layout::contiguous(1, v);
            let out = run(c, layout, &b.z, &b, &setup, ALL);
            let what = format!("{} {}", parts[0], c.isa().name());
            let close = |name: &str, got: f32, want: f64, bound: f64| {
                let ok = got as f64 == want || (got as f64 - want).abs() <= bound;
                assert!(ok, "{what}: {name}: got {got}, expected {want}, bound {bound:e}");
            };
            let (l, t) = (o.r.ln_1p(), (figures[0] + o.r.ln_1p()).abs());
            close("logprob", out.logprob[0], figures[0], 4.0 * U * (t + l + 1.0) + 2.0 * o.slack);
            close("lse", out.lse[0], figures[1], 4.0 * U * (l + 1.0) + U * o.m.abs() + 2.0 * o.slack);
            close("entropy", out.entropy[0], figures[2], (8.0 * U + o.slack) * (1.0 + o.live().ln()));
            close("log_sum_sq", out.log_sum_sq[0], figures[3], 8.0 * U * (1.0 + 2.0 * l) + 4.0 * o.slack);
            if y == o.k && o.slack == 0.0 {
                close("argmax", out.logprob[0], figures[0], (8.0 * U + U * o.gap) * figures[0].abs());
            }
            for k in 0..3 {
                let mut up = Up(None, None, None, 1.0);
                *[&mut up.0, &mut up.1, &mut up.2][k] = Some(&[1.0]);
                let (g, _) = apart::<f32, f32>(c, layout, &b.z, &b, &setup, None, &up);
                let largest = g.iter().fold(0.0f64, |a, g| a.max(g.abs() as f64));
                let slope = o.slope.iter().fold(0.0f64, |a, &s| a.max(s)) / (1.0 + o.r);
                let bound = (if k == 2 { 12.0 } else { 8.0 } * U * (1.0 + o.gap / 8.0) + 6.0 * o.slack) * largest
                    + if k == 2 { 2.0 * o.slack * slope } else { 0.0 };
                for (i, j) in [y, o.k, 0, v - 1].into_iter().enumerate() {
                    close(
                        &format!("gradient {k} column {j}"),
                        g[j],
                        gradients[4 * k + i],
                        bound + 4.0 * f32::MIN_POSITIVE as f64,
                    );
                }
            }
            cases.ran();
        }
    }
    cases.finish("golden rows", 2 * 1000);
}

/// Upstream gradients per row.
#[derive(Clone, Copy)]
struct Up<'a>(Option<&'a [f32]>, Option<&'a [f32]>, Option<&'a [f32]>, f64);
impl<'a> Up<'a> {
    fn upstream(&self) -> Upstream<'a> {
        let m = |x: Option<&'a [f32]>| x.map(Matrix::vector);
        Upstream { logprob: m(self.0), lse: m(self.1), entropy: m(self.2), scale: self.3, ..Upstream::default() }
    }
    fn row(&self, i: usize) -> [f64; 3] {
        [self.0, self.1, self.2].map(|g| g.map_or(0.0, |g| g[i] as f64 * self.3))
    }
}
/// Separate gradient of type `G`.
#[allow(clippy::too_many_arguments)]
fn apart<T: Logit, G: Logit>(
    c: &Context,
    layout: Layout,
    z: &[T],
    b: &Batch<T>,
    setup: &Setup,
    stats: Option<&[f32]>,
    up: &Up<'_>,
) -> (Vec<G>, Vec<u32>) {
    let n = layout.rows();
    let problem = Problem::new(n, b.v, setup.options).unwrap();
    let (mut g, mut status) = (vec![G::from_f32(7.5); n * b.v], vec![1 << 31; n]);
    let inputs = BackwardInputs { transform: setup.inputs(), rows: b.rows(), ..Default::default() };
    let grad = G::view_mut(MatrixMut::contiguous(&mut g, n, b.v).unwrap());
    let grad = Grad::Separate(T::view(Matrix::new(z, layout).unwrap()), grad);
    let stats = stats.map(|s| Matrix::contiguous(s, n, STATS).unwrap());
    backward(c, &problem, inputs, stats, up.upstream(), grad, Some(MatrixMut::vector(&mut status))).unwrap();
    (g, status)
}
/// In place; returns the rows and checks that nothing between them changed.
fn in_place<T: Logit>(
    c: &Context,
    layout: Layout,
    b: &Batch<T>,
    setup: &Setup,
    stats: Option<&[f32]>,
    up: &Up<'_>,
) -> Vec<T> {
    let n = layout.rows();
    let problem = Problem::new(n, b.v, setup.options).unwrap();
    let mut z = b.laid_out(layout);
    let before = z.clone();
    let inputs = BackwardInputs { transform: setup.inputs(), rows: b.rows(), ..Default::default() };
    let stats = stats.map(|s| Matrix::contiguous(s, n, STATS).unwrap());
    let grad = Grad::InPlace(T::view_mut(MatrixMut::new(&mut z, layout).unwrap()));
    backward(c, &problem, inputs, stats, up.upstream(), grad, None).unwrap();
    let mut got = vec![];
    let mut inside = vec![false; z.len()];
    for i in 0..n {
        let at = layout.offset(i)..layout.offset(i) + b.v;
        got.extend_from_slice(&z[at.clone()]);
        inside[at].fill(true);
    }
    for j in 0..z.len() {
        assert!(inside[j] || z[j].key() == before[j].key(), "written outside the rows");
    }
    got
}
fn backward_table<T: Logit>(mode: Mode, floor: usize) {
    let (mut cases, mut judged) = (Cases::default(), Cases::default());
    let groups = alike(mode);
    let mut random = Random(4);
    let g: [Vec<f32>; 3] = [1.5, 0.25, -0.5].map(|x| (0..ROWS).map(|_| x * (1.0 + random.uniform() as f32)).collect());
    // what is not read may hold anything
    let g = g.map(|mut g| {
        g[KINDS..].fill(NAN);
        g
    });
    let [lp, lse, h] = [&g[0][..], &g[1][..], &g[2][..]].map(Some);
    for v in SIZES {
        let b = Batch::<T>::new(v);
        let setups = Setup::all(v, ROWS);
        for (setup, all) in setups.iter().flat_map(|x| groups.iter().map(move |g| (x, g))) {
            let [a, strided, _] = layouts(v).map(|l| l.1);
            let z = b.laid_out(strided);
            let stats = run(&all[0], a, &b.z, &b, setup, ALL).stats;
            for (u, up) in
                [Up(lp, None, None, 1.0), Up(None, lse, None, -2.0), Up(None, None, h, 1.0), Up(lp, lse, h, 0.5)]
                    .iter()
                    .enumerate()
            {
                let what = format!("{mode:?} {} V {v} {} upstream {u}", T::DTYPE, setup.name);
                let (want, status) = apart::<T, f32>(&all[0], a, &b.z, &b, setup, None, up);
                for i in 0..ROWS {
                    let row = &want[i * v..(i + 1) * v];
                    judge_gradient(&format!("{what} row {i}"), &b, setup, row, status[i], i, up, share(mode));
                    judged.ran();
                }
                let narrow: Vec<T> = want.iter().map(|&g| T::from_f32(g)).collect();
                for c in all {
                    if c.isa() == Isa::Scalar && v > 4096 && u < 3 {
                        continue; // the slow path is the reference already
                    }
                    for stats in [None, Some(&stats[..])] {
                        let what =
                            format!("{what} {} threads {} stats {}", c.isa().name(), c.threads(), stats.is_some());
                        let (g, s) = apart::<T, f32>(c, a, &b.z, &b, setup, stats, up);
                        same(&format!("{what} f32"), &g, &want);
                        same(&format!("{what} status"), &s, &status);
                        let (g, _) = apart::<T, T>(c, strided, &z, &b, setup, stats, up);
                        same(&format!("{what} own type"), &g, &narrow);
                        let g = in_place(c, strided, &b, setup, stats, up);
                        same(&format!("{what} in place"), &g, &narrow);
                        cases.0 += 3;
                    }
                }
                // each row alone, whose columns threads share
                let best = all.last().unwrap();
                for i in 0..if u == 3 { KINDS } else { 0 } {
                    let one = Batch { v, z: b.row(i).to_vec(), target: vec![b.target[i]], mask: vec![b.mask[i]] };
                    let alone =
                        Setup { temperatures: setup.temperatures.as_ref().map(|t| vec![t[i]]), ..setup.clone() };
                    let [lp, lse, h] = [0, 1, 2].map(|k| [up.row(i)[k] as f32]);
                    let up = Up(Some(&lp), Some(&lse), Some(&h), 1.0);
                    let (row, columns) = (Layout::contiguous(1, v), i * v..(i + 1) * v);
                    for stats in [None, Some(&stats[i * STATS..(i + 1) * STATS])] {
                        let what = format!("{what} row {i} alone, stats {}", stats.is_some());
                        let (g, s) = apart::<T, f32>(best, row, &one.z, &one, &alone, stats, &up);
                        same(&format!("{what} f32"), &g, &want[columns.clone()]);
                        same(&format!("{what} status"), &s, &status[i..i + 1]);
                        let g = in_place(best, row, &one, &alone, stats, &up);
                        same(&format!("{what} in place"), &g, &narrow[columns.clone()]);
                        cases.0 += 2;
                    }
                }
            }
        }
    }
    cases.finish(&format!("backward bits {}", T::DTYPE), floor);
    judged.finish("gradient rows judged", SIZES.len() * 7 * 4 * ROWS * groups.len());
}
#[allow(clippy::too_many_arguments)]
fn judge_gradient<T: Logit>(
    what: &str,
    b: &Batch<T>,
    setup: &Setup,
    got: &[f32],
    status: u32,
    i: usize,
    up: &Up<'_>,
    share: f64,
) {
    if i >= KINDS {
        assert!(got.iter().all(|g| g.to_bits() == 0) && status == row::IGNORED, "{what}");
        return;
    }
    let (o, y) = (Oracle::new(&b.widened(i), setup, i), b.target[i] as usize);
    let want = o.gradient(y, up.row(i));
    let largest = want.iter().fold(0.0f64, |a, g| a.max(g.abs()));
    // an error of the transformed logit becomes a relative one of e^x and sech^2, and an absolute one of the entropy's
    // a_j - mean, which is small where a softcap presses the logits together; below the normal numbers all digits go
    let pressed = up.row(i)[2].abs() * o.slope.iter().fold(0.0f64, |a, &s| a.max(s)) / (1.0 + o.r);
    // a block of equal exponentials sums with an error of one sign, up to 12 u, which the entropy's mean takes in
    let sums = if up.row(i)[2] == 0.0 { 8.0 } else { 12.0 };
    let bound = (sums * U * (1.0 + o.gap / 8.0) + 6.0 * o.slack) * largest
        + 2.0 * o.slack * pressed
        + 4.0 * f32::MIN_POSITIVE as f64;
    let bound = share * bound;
    for (j, (&g, &w)) in got.iter().zip(&want).enumerate() {
        assert!((g as f64 - w).abs() <= bound, "{what}: column {j}: got {g}, expected {w}, bound {bound:e}");
        assert!(o.x[j] > f64::NEG_INFINITY || g == 0.0, "{what}: dead column {j}: {g}");
    }
}
#[test]
fn backward_f32() {
    backward_table::<f32>(Mode::Portable, 4400);
    backward_table::<f32>(Mode::Fast, 4400);
}
#[test]
fn backward_bf16() {
    backward_table::<bf16>(Mode::Portable, 4400);
    backward_table::<bf16>(Mode::Fast, 4400);
}
#[test]
fn backward_f16() {
    backward_table::<f16>(Mode::Portable, 4400);
    backward_table::<f16>(Mode::Fast, 4400);
}

#[test]
fn gradients_are_finite_differences() {
    let v = 17;
    let b = Batch::<f32>::new(v);
    let g = [1.5f32, -0.25, 0.75].map(|x| vec![x; ROWS]);
    let up = Up(Some(&g[0]), Some(&g[1]), Some(&g[2]), 1.0);
    let mut cases = Cases::default();
    for setup in Setup::all(v, ROWS) {
        let (got, _) = apart::<f32, f32>(&contexts()[0], layouts(v)[0].1, &b.z, &b, &setup, None, &up);
        for i in [0, 4, 7] {
            let y = b.target[i] as usize;
            let z = b.widened(i);
            let loss = |z: &[f64]| {
                let o = Oracle::new(z, &setup, i);
                1.5 * o.logprob(y) - 0.25 * o.lse() + 0.75 * o.entropy()
            };
            if !loss(&z).is_finite() {
                continue; // a dead target has no derivative
            }
            for j in 0..v {
                // Richardson: the error is of the fourth order
                let at = |h: f64| {
                    let (mut a, mut c) = (z.clone(), z.clone());
                    (a[j], c[j]) = (a[j] + h, c[j] - h);
                    (loss(&a) - loss(&c)) / (2.0 * h)
                };
                let want = (4.0 * at(5e-4) - at(1e-3)) / 3.0;
                let error = (got[i * v + j] as f64 - want).abs();
                assert!(
                    error <= 3e-6 * (1.0 + want.abs()),
                    "{} row {i} column {j}: {} {want}",
                    setup.name,
                    got[i * v + j]
                );
                cases.ran();
            }
        }
    }
    cases.finish("finite differences", 200);
}

/// One row, every instruction set: figures and gradient (of log-prob, lse and entropy together), which must agree.
fn one(z: &[f32], target: Option<i64>, setup: &Setup) -> (Out, Vec<f32>) {
    let v = z.len();
    let mut first: Option<(Out, Vec<f32>)> = None;
    for c in contexts() {
        let target = target.map(|t| [t]);
        let rows = Rows { target: target.as_ref().map(|t| Matrix::vector(&t[..]).into()), ..Rows::default() };
        let problem = Problem::new(1, v, setup.options).unwrap();
        let logits = Matrix::contiguous(z, 1, v).unwrap().into();
        let mut out = Out::new(1);
        let which = if target.is_some() { ALL } else { ALL & !(1 | 1 << 6) };
        forward(&c, &problem, Inputs::new(logits, setup.inputs(), rows), out.figures(which)).unwrap();
        let mut g = vec![7.5f32; v];
        let grad = Grad::Separate(logits, MatrixMut::contiguous(&mut g, 1, v).unwrap().into());
        let up = Up(target.is_some().then_some(&[1.0]), Some(&[0.5]), Some(&[0.25]), 1.0);
        let mut status = [0];
        let inputs = BackwardInputs { transform: setup.inputs(), rows, ..Default::default() };
        backward(&c, &problem, inputs, None, up.upstream(), grad, Some(MatrixMut::vector(&mut status))).unwrap();
        assert_eq!(status, out.status[..], "the backward's status");
        if let Some((o, h)) = &first {
            out.check(c.isa().name(), o, ALL);
            same(c.isa().name(), &g, h);
        } else {
            first = Some((out, g));
        }
    }
    first.unwrap()
}
/// Edge cases at the first, an inner and the last block, with a dead first block too.
fn places() -> [usize; 5] {
    [0, 5, 2048, 4100, 5000]
}
const V: usize = 5001;
fn normal_row(seed: u64) -> Vec<f32> {
    let mut random = Random(seed);
    random.normals(V, 1.0)
}

#[test]
fn edge_dead_target() {
    for at in places() {
        let mut z = normal_row(1);
        z[at] = -INF;
        let (o, g) = one(&z, Some(at as i64), &Setup::plain());
        assert_eq!((o.logprob[0], o.status[0]), (-INF, row::TARGET_NEG_INF));
        assert!(o.lse[0].is_finite() && o.entropy[0].is_finite() && o.argmax[0] >= 0);
        assert!(g.iter().all(|&g| g == 0.0));
    }
}
#[test]
fn edge_target_in_the_padding() {
    let setup = Setup { options: Options { n_valid_vocab: 3000, ..Setup::plain().options }, ..Setup::plain() };
    let mut z = normal_row(2);
    z[3000..].fill(NAN);
    let (o, g) = one(&z, Some(4000), &setup);
    assert_eq!((o.logprob[0], o.status[0]), (-INF, row::TARGET_NEG_INF));
    assert!(g.iter().all(|&g| g.to_bits() == 0));
    // NaN in padding columns is not read
    let (o, g) = one(&z, Some(2999), &setup);
    assert_eq!(o.status[0], 0);
    assert!(o.logprob[0].is_finite() && g[3000..].iter().all(|&g| g.to_bits() == 0) && g.iter().all(|g| g.is_finite()));
}
#[test]
fn edge_all_dead() {
    let (o, g) = one(&[-INF; V], Some(7), &Setup::plain());
    assert!(o.logprob[0].is_nan() && o.entropy[0].is_nan() && o.log_sum_sq[0].is_nan());
    assert_eq!((o.lse[0], o.argmax[0], o.is_top1[0], o.status[0]), (-INF, -1, 0, row::ALL_NEG_INF));
    assert!(g.iter().all(|&g| g == 0.0));
}
#[test]
fn edge_nan_and_infinity() {
    for at in places() {
        for (x, flag) in [(NAN, row::NAN_INPUT), (-NAN, row::NAN_INPUT), (INF, row::INF_INPUT)] {
            for setup in Setup::all(V, 1) {
                let mut z = normal_row(3);
                z[at] = x;
                let dead = setup.bias.as_ref().is_some_and(|b| b[at] == -INF);
                let padding = setup.options.n_valid_vocab > 0 && at >= setup.options.n_valid_vocab;
                let (o, g) = one(&z, Some(9), &setup);
                if dead || padding {
                    assert!(
                        o.status[0] == 0 && o.logprob[0].is_finite() && g.iter().all(|g| g.is_finite()),
                        "{}",
                        setup.name
                    );
                    continue;
                }
                assert_eq!(o.status[0], flag, "{} {at}", setup.name);
                assert!([o.logprob[0], o.lse[0], o.max[0], o.entropy[0], o.log_sum_sq[0]].iter().all(|x| x.is_nan()));
                assert_eq!((o.argmax[0], o.is_top1[0]), (-1, 0));
                let valid = if setup.options.n_valid_vocab == 0 { V } else { setup.options.n_valid_vocab };
                assert!(g[..valid].iter().all(|g| g.is_nan()) && g[valid..].iter().all(|g| g.to_bits() == 0));
            }
        }
    }
    // both: both flags; a NaN among dead columns
    let mut z = vec![-INF; V];
    z[4000] = NAN;
    assert_eq!(one(&z, Some(0), &Setup::plain()).0.status[0], row::NAN_INPUT);
    z[4999] = INF;
    assert_eq!(one(&z, Some(0), &Setup::plain()).0.status[0], row::NAN_INPUT | row::INF_INPUT);
}
#[test]
fn edge_bad_rows_leave_the_others_alone() {
    let v = 100;
    let clean = Batch::<f32>::new(v);
    let want = run(&contexts()[0], layouts(v)[0].1, &clean.z, &clean, &Setup::plain(), ALL);
    for c in contexts() {
        let mut b = Batch::<f32>::new(v);
        b.z[3 * v + 50] = NAN;
        let got = run(&c, layouts(v)[0].1, &b.z, &b, &Setup::plain(), ALL);
        got.rows(0, 3).check("before", &want.rows(0, 3), ALL);
        got.rows(4, ROWS - 4).check("after", &want.rows(4, ROWS - 4), ALL);
        assert_eq!(got.status[3], row::NAN_INPUT);
    }
}
#[test]
fn edge_dead_first_blocks() {
    let mut z = normal_row(4);
    z[..4096].fill(-INF);
    let (o, g) = one(&z, Some(4500), &Setup::plain());
    let (short, h) = one(&z[4096..], Some(404), &Setup::plain());
    same(
        "log-prob",
        &[o.logprob[0], o.lse[0], o.entropy[0], o.log_sum_sq[0]],
        &[short.logprob[0], short.lse[0], short.entropy[0], short.log_sum_sq[0]],
    );
    assert_eq!(o.argmax[0], short.argmax[0] + 4096);
    same("gradient", &g[4096..], &h);
    assert!(g[..4096].iter().all(|&g| g == 0.0));
}
#[test]
fn edge_one_live_column() {
    let mut z = vec![-INF; V];
    z[2500] = -3.25;
    let (o, g) = one(&z, Some(2500), &Setup::plain());
    assert_eq!((o.logprob[0], o.lse[0], o.max[0], o.entropy[0], o.log_sum_sq[0]), (0.0, -3.25, -3.25, 0.0, 0.0));
    assert_eq!((o.argmax[0], o.is_top1[0], o.status[0]), (2500, 1, 0));
    // d lse / dz = 1 there
    assert!(g.iter().enumerate().all(|(j, &g)| g == if j == 2500 { 0.5 } else { 0.0 }));
    let (o, _) = one(&[2.0], Some(0), &Setup::plain());
    assert_eq!((o.logprob[0], o.lse[0], o.entropy[0], o.argmax[0]), (0.0, 2.0, 0.0, 0));
}
#[test]
fn edge_equal_logits() {
    for x in [0.0f32, -0.0, 7.0, -1e30] {
        let (o, g) = one(&[x; V], Some(17), &Setup::plain());
        let want = (V as f64).ln();
        assert_eq!((o.logprob[0], o.entropy[0], o.log_sum_sq[0]), (-want as f32, want as f32, -want as f32));
        assert_eq!((o.argmax[0], o.is_top1[0], o.max[0]), (0, 0, x));
        assert!((g[17] as f64 - (1.0 - 0.5 / V as f64)).abs() < 1e-7);
    }
}
#[test]
fn edge_common_offset() {
    // multiples of 1/8 stay exact under the offset, so nothing may change at all
    let z: Vec<f32> = normal_row(5).iter().map(|x| (x * 8.0).round() / 8.0).collect();
    let moved: Vec<f32> = z.iter().map(|x| x + 1e6).collect();
    let (a, g) = one(&z, Some(33), &Setup::plain());
    let (b, h) = one(&moved, Some(33), &Setup::plain());
    same("figures", &[a.logprob[0], a.entropy[0], a.log_sum_sq[0]], &[b.logprob[0], b.entropy[0], b.log_sum_sq[0]]);
    same("gradient", &g, &h);
}
#[test]
fn edge_near_certain() {
    // log-prob of about -1e-6 and its 1 - p, which a sum with the 1 inside has no digits for
    for (gap, v) in [(22.3f32, 5001), (16.0, 9), (25.0, 5001), (60.0, 5001)] {
        let mut z = vec![0.0f32; v];
        z[4] = gap;
        let (o, g) = one(&z, Some(4), &Setup::plain());
        let r = (v - 1) as f64 * (-gap as f64).exp();
        let bound = 8.0 * U + U * gap as f64;
        assert!((o.logprob[0] as f64 / -r.ln_1p() - 1.0).abs() <= bound, "{gap} {v} {}", o.logprob[0]);
        let a = -gap as f64;
        let h = r.ln_1p() - r * a / (1.0 + r);
        assert!((o.entropy[0] as f64 / h - 1.0).abs() <= bound);
        let want = 0.5 / (1.0 + r) + r / (1.0 + r) - 0.25 / (1.0 + r) * (0.0 - r * a / (1.0 + r));
        assert!((g[4] as f64 - want).abs() <= 8.0 * U * want);
    }
}
#[test]
fn edge_huge_logits() {
    let mut z = normal_row(6);
    (z[3], z[4000]) = (3e38, -3e38);
    let (o, g) = one(&z, Some(4000), &Setup::plain());
    // the exact log-prob is beyond f32
    assert_eq!((o.logprob[0], o.lse[0], o.argmax[0]), (-INF, 3e38, 3));
    assert_eq!(o.status[0], row::OVERFLOW);
    assert!(g.iter().all(|g| g.is_finite()));
}
#[test]
fn edge_no_target() {
    let z = normal_row(7);
    let (o, g) = one(&z, None, &Setup::plain());
    let (p, _) = one(&z, Some(1), &Setup::plain());
    same("figures", &[o.lse[0], o.entropy[0]], &[p.lse[0], p.entropy[0]]);
    assert_eq!(o.status[0], 0);
    // without the log-prob the gradient sums to d lse
    assert!((g.iter().map(|&g| g as f64).sum::<f64>() - 0.5).abs() < 1e-5);
}
#[test]
fn edge_zero_rows() {
    for c in contexts() {
        let problem = Problem::new(0, 10, Options::default()).unwrap();
        let logits: Floats<'_> = Matrix::<f32>::contiguous(&[], 0, 10).unwrap().into();
        let inputs = Inputs::new(logits, TransformInputs::default(), Rows::default());
        forward(&c, &problem, inputs, Out::new(0).figures(ALL & !(1 | 1 << 6))).unwrap();
        let grad = Grad::Separate(logits, MatrixMut::<f32>::contiguous(&mut [], 0, 10).unwrap().into());
        backward::<f32>(&c, &problem, BackwardInputs::default(), None, Upstream::default(), grad, None).unwrap();
    }
    assert_eq!(Problem::new(3, 0, Options::default()).unwrap_err().status, Status::ShapeMismatch);
}
#[test]
fn softmax_gradients_sum_to_zero() {
    for seed in 0..20 {
        let z = normal_row(seed + 100);
        let g = [1.0];
        let up = Up(Some(&g), None, None, 1.0);
        let b = Batch { v: V, z, target: vec![seed as i64 * 7], mask: vec![1] };
        let (dz, _) =
            apart::<f32, f32>(&Context::default(), Layout::contiguous(1, V), &b.z, &b, &Setup::plain(), None, &up);
        let sum: f64 = dz.iter().map(|&g| g as f64).sum();
        assert!(sum.abs() <= 4.0 * U, "{sum:e}");
    }
}

#[test]
fn bias_of_every_type() {
    let v = 2500;
    let b = Batch::<bf16>::new(v);
    let values: Vec<f32> = (0..v).map(|j| if j % 11 == 3 { -INF } else { (j % 64) as f32 / 8.0 - 4.0 }).collect();
    let with = |bias: Floats<'_>, c: &Context| {
        let problem = Problem::new(ROWS, v, Setup::plain().options).unwrap();
        let mut out = Out::new(ROWS);
        let transform = TransformInputs { bias: Some(bias), row_temperature: None };
        let logits = Matrix::contiguous(&b.z, ROWS, v).unwrap().into();
        forward(c, &problem, Inputs::new(logits, transform, b.rows()), out.figures(ALL)).unwrap();
        out
    };
    let half: Vec<bf16> = values.iter().map(|&x| bf16::from_f32(x)).collect();
    let small: Vec<f16> = values.iter().map(|&x| f16::from_f32(x)).collect();
    let double: Vec<f64> = values.iter().map(|&x| x as f64).collect();
    let spread: Vec<f32> = values.iter().flat_map(|&x| [x, NAN]).collect();
    let want = with(Matrix::vector(&values).into(), &contexts()[0]);
    for c in contexts() {
        with(Matrix::vector(&half).into(), &c).check("bf16", &want, ALL);
        with(Matrix::vector(&small).into(), &c).check("f16", &want, ALL);
        with(Matrix::vector(&double).into(), &c).check("f64", &want, ALL);
        with(Matrix::new(&spread, Layout::strided(v, 1, 2)).unwrap().into(), &c).check("strided", &want, ALL);
    }
}

/// A call that must be refused, and leave what it was given alone.
#[track_caller]
fn refused(status: Status, field: &str, change: impl Fn(&mut Call)) {
    let mut call = Call::new();
    change(&mut call);
    let (mut out, mut g) = (Out::new(3), vec![7.5f32; 24]);
    let mut small = vec![bf16::from_f32(7.5); 24];
    let n = call.rows;
    let problem = match Problem::new(n, call.v, call.options) {
        Ok(p) => p,
        Err(e) => return assert_eq!((e.status, e.field), (status, field)),
    };
    let rows = Rows {
        target: call.target.as_ref().map(|t| Matrix::vector(t).into()),
        mask: call.mask.as_ref().map(|m| Matrix::vector(m).into()),
        ..Rows::default()
    };
    let transform = TransformInputs {
        bias: call.bias.as_ref().map(|b| Matrix::vector(b).into()),
        row_temperature: call.temperatures.as_ref().map(|t| Matrix::vector(t)),
    };
    let z64 = vec![0.0f64; 24];
    let logits: Floats<'_> = if call.f64 {
        Matrix::contiguous(&z64, 3, 8).unwrap().into()
    } else {
        Matrix::contiguous(&call.z, 3, 8).unwrap().into()
    };
    let c = Context::default();
    if call.forward {
        let e = forward(&c, &problem, Inputs::new(logits, transform, rows), out.figures(ALL)).unwrap_err();
        assert_eq!((e.status, e.field), (status, field));
    }
    let grad = MatrixMut::contiguous(&mut g, 3, 8).unwrap().into();
    let grad = if call.narrow { MatrixMut::contiguous(&mut small, 3, 8).unwrap().into() } else { grad };
    let ones = [1.0f32; 3];
    let up = Up(Some(&ones[..call.upstream]), None, None, 1.0);
    let stats = call.stats.as_ref().map(|s| Matrix::contiguous(s, s.len() / STATS, STATS).unwrap());
    let inputs = BackwardInputs { transform, rows, ..Default::default() };
    let mut bits = [1 << 31; 3];
    let e = backward(
        &c,
        &problem,
        inputs,
        stats,
        up.upstream(),
        Grad::Separate(logits, grad),
        Some(MatrixMut::vector(&mut bits)),
    );
    let e = e.unwrap_err();
    assert_eq!((e.status, e.field), (status, field));
    assert!(!e.to_string().is_empty());
    out.check("a refused call", &Out::new(3), ALL);
    assert!(g.iter().all(|&g| g == 7.5) && small.iter().all(|g| g.to_f32() == 7.5) && bits == [1 << 31; 3]);
}
struct Call {
    rows: usize,
    v: usize,
    options: Options,
    z: Vec<f32>,
    target: Option<Vec<i64>>,
    mask: Option<Vec<u8>>,
    bias: Option<Vec<f32>>,
    temperatures: Option<Vec<f32>>,
    stats: Option<Vec<f32>>,
    upstream: usize,
    f64: bool,
    narrow: bool,
    forward: bool,
}
impl Call {
    fn new() -> Call {
        Call {
            rows: 3,
            v: 8,
            options: Options::default(),
            z: vec![0.0; 24],
            target: Some(vec![0, 7, 3]),
            mask: None,
            bias: None,
            temperatures: None,
            stats: None,
            upstream: 3,
            f64: false,
            narrow: false,
            forward: true,
        }
    }
}
#[test]
fn refusals() {
    use Status::*;
    for bad in [-1, 8, i64::MAX, i64::MIN] {
        refused(OutOfRange, "rows.target", |c| c.target = Some(vec![0, bad, 3]));
    }
    refused(OutOfRange, "rows.target", |c| (c.target, c.options.ignore_index) = (Some(vec![0, -100, -1]), Some(-100)));
    refused(InvalidArgument, "rows.target", |c| c.target = None);
    refused(ShapeMismatch, "rows.target", |c| c.target = Some(vec![0, 1]));
    refused(ShapeMismatch, "rows.mask", |c| c.mask = Some(vec![1; 4]));
    refused(ShapeMismatch, "logits", |c| c.v = 9);
    refused(ShapeMismatch, "transform.bias", |c| c.bias = Some(vec![0.0; 7]));
    refused(InvalidArgument, "transform.bias", |c| c.bias = Some(vec![NAN; 8]));
    refused(InvalidArgument, "transform.bias", |c| c.bias = Some(vec![INF; 8]));
    refused(ShapeMismatch, "transform.row_temperature", |c| c.temperatures = Some(vec![1.0; 2]));
    for bad in [0.0, -1.0, NAN, INF] {
        refused(InvalidArgument, "transform.row_temperature", |c| c.temperatures = Some(vec![1.0, 1.0, bad]));
        refused(InvalidArgument, "transform.temperature", |c| c.options.transform.temperature = bad as f64);
        refused(InvalidArgument, "transform.logit_scale", |c| c.options.transform.logit_scale = bad as f64);
    }
    for bad in [-1.0, f64::NAN, f64::INFINITY] {
        refused(InvalidArgument, "transform.softcap", |c| c.options.transform.softcap = bad);
    }
    refused(InvalidArgument, "transform.n_valid_vocab", |c| c.options.n_valid_vocab = 9);
    refused(UnsupportedDtype, "logits", |c| c.f64 = true);
    refused(UnsupportedDtype, "grad_logits", |c| (c.narrow, c.forward) = (true, false));
    refused(ShapeMismatch, "stats", |c| (c.stats, c.forward) = (Some(vec![0.0; 2 * STATS]), false));
    refused(ShapeMismatch, "upstream.grad_logprob", |c| (c.upstream, c.forward) = (2, false));
    // what belongs to a row that is not read may be anything
    let mut ok = Call::new();
    (ok.target, ok.mask) = (Some(vec![0, i64::MIN, 3]), Some(vec![1, 0, 1]));
    ok.temperatures = Some(vec![1.0, NAN, 1.0]);
    let rows = Rows {
        target: ok.target.as_ref().map(|t| Matrix::vector(t).into()),
        mask: ok.mask.as_ref().map(|m| Matrix::vector(m).into()),
        ..Rows::default()
    };
    let transform =
        TransformInputs { bias: None, row_temperature: ok.temperatures.as_ref().map(|t| Matrix::vector(t)) };
    let problem = Problem::new(3, 8, ok.options).unwrap();
    let logits = Matrix::contiguous(&ok.z, 3, 8).unwrap().into();
    let mut out = Out::new(3);
    forward(&Context::default(), &problem, Inputs::new(logits, transform, rows), out.figures(ALL)).unwrap();
    assert_eq!(out.logprob[1], 0.0);
    assert_eq!(Dtype::F64.name(), "f64");
}

#[test]
fn without_a_context_nothing_is_allocated() {
    let v = 5000;
    let b = Batch::<bf16>::new(v);
    let c = Context::default();
    for (i, mut setup) in Setup::all(v, ROWS).into_iter().enumerate() {
        if i % 2 == 1 {
            setup.options.row_loss = RowLoss {
                label_smoothing: 0.1,
                smoothing: Some(Smoothing::Torch),
                scaling: Scaling::Eaft,
                ..RowLoss::default()
            };
        }
        let problem = Problem::new(ROWS, v, setup.options).unwrap();
        let mut out = Out::new(ROWS);
        let (mut g, mut top, mut rank) = (b.z.clone(), vec![0i32; ROWS * 512], vec![0i32; ROWS]);
        let ones = vec![1.0f32; ROWS];
        let before = Counting::allocations();
        let logits = Matrix::contiguous(&b.z, ROWS, v).unwrap().into();
        let figures = Figures {
            topk_ids: Some(MatrixMut::contiguous(&mut top, ROWS, 512).unwrap()),
            rank: Some(MatrixMut::vector(&mut rank)),
            ..out.figures(ALL)
        };
        forward(&c, &problem, Inputs::new(logits, setup.inputs(), b.rows()), figures).unwrap();
        let inputs = BackwardInputs { transform: setup.inputs(), rows: b.rows(), ..Default::default() };
        let grad = Grad::InPlace(MatrixMut::contiguous(&mut g, ROWS, v).unwrap().into());
        let ones = Some(Matrix::vector(&ones));
        let up = Upstream { logprob: ones, entropy: ones, row_loss: ones, ..Upstream::default() };
        backward(&c, &problem, inputs, None, up, grad, None).unwrap();
        assert_eq!(Counting::allocations(), before, "{}", setup.name);
    }
}
