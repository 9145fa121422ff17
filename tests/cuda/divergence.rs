//! Divergences on the stand-in device: every kind, forward, backward and both at once, against the CPU's bits.
use super::{CUDA, INF, NAN, STREAM, Scratch, c_int, c_void, data, dlopen, dlsym, memory, mode, tensor, vector};
use truing_core::divergence::{self as spec, Kind, Limits, Options, Problem, STATS, Teacher};
use truing_core::logprob::{self, Rows, Transform, TransformInputs};
use truing_core::matrix::{Layout, Matrix, MatrixMut};
use truing_core::{Dtype, Error, Status, error::row};
use truing_cpu::divergence as cpu;
use truing_cpu::logprob::Grad;
use truing_cuda::divergence::{self as device, Figures, Grads, Inputs, Side, Upstream};
use truing_cuda::{Context, Mode, Space, Tensor, tds_rows as tds};
use truing_tests::{Data, Random, same};

/// Pairs of rows of every sort behind two that are not to be read.
struct Batch {
    widths: [usize; 2],
    z: [Vec<f32>; 2],
    target: Vec<i64>,
    mask: Vec<u8>,
    weight: Vec<f32>,
}
const SORTS: usize = 16;
const ROWS: usize = SORTS + 3;
impl Batch {
    fn new(widths: [usize; 2]) -> Batch {
        let [v, w] = widths;
        let mut random = Random((v * 7 + w) as u64);
        let mut z = widths.map(|v| (0..2 * v).map(|j| if j % 2 == 0 { NAN } else { INF }).collect::<Vec<f32>>());
        let mut target = vec![i64::MAX, -100];
        for sort in 0..=SORTS {
            let mut a = random.normals(v, 3.0);
            let mut b = random.normals(w, 3.0);
            let near = |random: &mut Random, b: &mut [f32], a: &[f32], by: f32| {
                for (b, a) in b.iter_mut().zip(a) {
                    *b = a + by * random.normal() as f32;
                }
            };
            let (at, bt) = (random.below(v), random.below(w));
            match sort {
                1 => near(&mut random, &mut b, &a, 0.3),
                2 => near(&mut random, &mut b, &a, 1e-3),
                3 => near(&mut random, &mut b, &a, 0.0),
                4 => b.iter_mut().for_each(|x| *x += 1e4),
                5 => (0..v).filter(|j| j % 3 != at % 3).for_each(|j| a[j] = -INF),
                6 => (0..w).filter(|j| j % 3 != bt % 3).for_each(|j| b[j] = -INF),
                7 => {
                    (0..v).filter(|&j| j / 2048 % 2 == 0 && j != at).for_each(|j| a[j] = -INF);
                    (0..w).filter(|&j| j % 5 == 1).for_each(|j| b[j] = -INF);
                }
                8 => {
                    (0..v).filter(|&j| j % 2 == 0).for_each(|j| a[j] = -INF);
                    (0..w).filter(|&j| j % 2 == 1 || j / 2048 == 1).for_each(|j| b[j] = -INF);
                }
                9 => b.fill(-INF),
                10 => a[at] = NAN,
                11 => b[bt] = INF,
                12 => {
                    near(&mut random, &mut b, &a, 0.1);
                    (a[at], b[bt]) = (40.0, 40.0);
                }
                13 => a.iter_mut().chain(&mut b).for_each(|x| *x *= 30.0),
                14 => {
                    (0..v).for_each(|j| a[j] = if j % 2 == 0 { -0.0 } else { 0.0 });
                    b.iter_mut().for_each(|x| *x = x.round().min(4.0));
                }
                15 => (a[at], b[bt]) = (6e4, -6e4),
                _ => {}
            }
            target.push(if sort % 2 == 0 { at } else { random.below(v) } as i64);
            z[0].extend(a);
            z[1].extend(b);
        }
        let mut mask = vec![1; ROWS];
        mask[0] = 0;
        let weight = (0..ROWS).map(|i| [1.0, 0.5, 2.0, 0.0, 1.5][i % 5]).collect();
        Batch { widths, z, target, mask, weight }
    }
    fn laid_out(&self, side: usize, kind: usize, layout: Layout, numbers: Teacher) -> Data {
        let v = self.widths[side];
        let mut all = vec![NAN; layout.extent().unwrap()];
        for i in 0..layout.rows() {
            let row = &mut all[layout.offset(i)..][..v];
            row.copy_from_slice(&self.z[side][i * v..][..v]);
            if side == 1 && numbers != Teacher::Logits {
                normalise(row, i, numbers);
            }
        }
        Data::new(kind, &all)
    }
}
/// Log-probs or probabilities of a row of logits; those of some rows do not sum to 1, and one has a negative number.
fn normalise(row: &mut [f32], i: usize, numbers: Teacher) {
    let most = row.iter().fold(-INF, |m, &x| if x > m { x } else { m });
    let sum: f64 = row.iter().map(|&x| (x as f64 - most as f64).exp()).sum();
    let off = [0.0, 0.25, 0.0, -1.5][i % 4];
    for x in row.iter_mut() {
        let logprob = (*x as f64 - most as f64) - sum.ln() + off;
        *x = if numbers == Teacher::Probs { logprob.exp() } else { logprob } as f32;
    }
    if i == 6 {
        row[0] = -0.25;
    }
}
/// How both sides are read, and what else the rows have.
#[derive(Clone, Copy)]
struct Way {
    kinds: [usize; 2],
    /// 0: without gaps; 1: with.
    layout: usize,
    transforms: [Transform; 2],
    biased: bool,
    temperatures: bool,
    cut: bool,
    hard: f64,
    weight: bool,
    teacher: Teacher,
    shift: f64,
    /// Which figures are asked for, bits of [`Out::cpu`].
    figures: u32,
}
const PLAIN: Transform = Transform { logit_scale: 1.0, softcap: 0.0, temperature: 1.0 };
const SIMPLE: Way = Way {
    kinds: [0, 0],
    layout: 0,
    transforms: [PLAIN; 2],
    biased: false,
    temperatures: false,
    cut: false,
    hard: 0.0,
    weight: false,
    teacher: Teacher::Logits,
    shift: 0.0,
    figures: ALL,
};
/// Those of plain logits, and those of a teacher whose target is shifted or who has other numbers.
fn ways() -> [Vec<Way>; 2] {
    let warm = Transform { temperature: 0.7, ..PLAIN };
    let capped = Transform { logit_scale: 1.25, softcap: 20.0, temperature: 1.5 };
    let beyond = Transform { logit_scale: 1e34, ..PLAIN };
    let plain = vec![
        SIMPLE,
        Way { kinds: [1, 1], layout: 1, ..SIMPLE },
        Way { kinds: [2, 0], transforms: [warm, PLAIN], hard: 0.3, ..SIMPLE },
        Way {
            kinds: [1, 2],
            transforms: [capped, warm],
            layout: 1,
            biased: true,
            cut: true,
            hard: -0.5,
            weight: true,
            ..SIMPLE
        },
        Way { kinds: [0, 1], transforms: [PLAIN, capped], temperatures: true, weight: true, ..SIMPLE },
        Way { transforms: [beyond, PLAIN], layout: 1, ..SIMPLE },
    ];
    let other = vec![
        Way { shift: -0.75, kinds: [1, 1], hard: 0.3, ..SIMPLE },
        Way { teacher: Teacher::Logprobs, kinds: [1, 0], transforms: [warm, PLAIN], weight: true, ..SIMPLE },
        Way { shift: f64::NEG_INFINITY, transforms: [PLAIN, capped], layout: 1, biased: true, cut: true, ..SIMPLE },
        Way { teacher: Teacher::Probs, layout: 1, temperatures: true, cut: true, hard: -0.5, ..SIMPLE },
        Way { teacher: Teacher::Probs, kinds: [2, 2], ..SIMPLE },
    ];
    [plain, other]
}
/// Every figure, and those that take no kernels besides.
pub(super) const ALL: u32 = 0x7ff;
pub(super) const OWN: u32 = 0x7f;
#[derive(Clone)]
struct Out {
    floats: [Vec<f32>; 7],
    ranks: [Vec<i32>; 2],
    stats: Vec<f32>,
    status: Vec<u32>,
}
impl Out {
    fn new(n: usize) -> Out {
        Out {
            floats: std::array::from_fn(|_| vec![7.5; n]),
            ranks: [vec![77; n], vec![77; n]],
            stats: vec![7.5; n * STATS],
            status: vec![1 << 31; n],
        }
    }
    fn cpu(&mut self, which: u32) -> spec::Figures<'_> {
        let n = self.status.len();
        let [values, se, te, sl, tl, ce, rce] = &mut self.floats;
        let [sr, tr] = &mut self.ranks;
        macro_rules! pick {
            ($bit:expr, $x:expr) => {
                (which >> $bit & 1 == 1).then(|| MatrixMut::vector($x))
            };
        }
        spec::Figures {
            values: pick!(0, values),
            student_entropy: pick!(1, se),
            teacher_entropy: pick!(2, te),
            student_logprob: pick!(3, sl),
            teacher_logprob: pick!(4, tl),
            stats: (which >> 5 & 1 == 1).then(|| MatrixMut::contiguous(&mut self.stats, n, STATS).unwrap()),
            status: pick!(6, &mut self.status),
            cross_entropy: pick!(7, ce),
            reverse_cross_entropy: pick!(8, rce),
            student_rank: pick!(9, sr),
            teacher_rank: pick!(10, tr),
        }
    }
    fn device(&self, which: u32) -> Figures {
        let pick = |bit: u32, x: Tensor| (which >> bit & 1 == 1).then_some(x);
        let f = |k: usize| pick(k as u32, vector(&self.floats[k], Dtype::F32));
        Figures {
            values: f(0),
            student_entropy: f(1),
            teacher_entropy: f(2),
            student_logprob: f(3),
            teacher_logprob: f(4),
            stats: pick(5, tensor(&self.stats, Dtype::F32, Layout::contiguous(self.status.len(), STATS))),
            status: pick(6, vector(&self.status, Dtype::U32)),
            cross_entropy: pick(7, vector(&self.floats[5], Dtype::F32)),
            reverse_cross_entropy: pick(8, vector(&self.floats[6], Dtype::F32)),
            student_rank: pick(9, vector(&self.ranks[0], Dtype::I32)),
            teacher_rank: pick(10, vector(&self.ranks[1], Dtype::I32)),
            ..Figures::default()
        }
    }
    fn fetch(&mut self) {
        self.floats.iter_mut().for_each(|x| memory::down(x));
        self.ranks.iter_mut().for_each(|x| memory::down(x));
        memory::down(&mut self.stats);
        memory::down(&mut self.status);
    }
    fn check(&self, what: &str, want: &Out) -> usize {
        for (k, (got, want)) in self.floats.iter().zip(&want.floats).enumerate() {
            for (i, (g, w)) in got.chunks(1).zip(want.chunks(1)).enumerate() {
                near(&format!("{what}, figure {k} of row {i}"), g, w, 0.0);
            }
        }
        for (i, (got, want)) in self.stats.chunks(STATS).zip(want.stats.chunks(STATS)).enumerate() {
            near(&format!("{what}, stats of row {i}"), got, want, 0.0);
        }
        same(&format!("{what}, status"), &self.status, &want.status);
        for (got, want) in self.ranks.iter().zip(&want.ranks) {
            same(&format!("{what}, ranks"), got, want);
        }
        self.status.len() * (10 + STATS)
    }
}
/// The CPU's bits or, in the mode `fast`, what they are within: a term follows from exponentials that are off by 2^-21.5 and by
/// what the product of their exponents is rounded by, and a column of a gradient from differences of the row's largest.
fn near(what: &str, got: &[f32], want: &[f32], own: f32) {
    if mode() == Mode::Portable {
        return same(what, got, want);
    }
    let large = want.iter().fold(0.0, |m: f32, w| if w.is_finite() { m.max(w.abs()) } else { m });
    for (i, (&g, &w)) in got.iter().zip(want).enumerate() {
        let good = g.to_bits() == w.to_bits()
            || g.is_nan() && w.is_nan()
            || (g - w).abs() <= 4e-6 + 2e-5 * large + own * w.abs();
        assert!(good, "{what}: element {i}: got {g:?}, expected {w:?}, beside {large:?}");
    }
}
/// Every kind with what its parameter changes.
fn kinds() -> Vec<Options> {
    let of = |kind, param, limits| Options { kind, param, limits, ..Options::default() };
    let peer = Limits::Peer;
    let mut all: Vec<Options> = Kind::ALL
        .iter()
        .map(|k| of(k.kind, if matches!(k.kind, Kind::Renyi | Kind::Alpha) { 0.6 } else { f64::NAN }, peer))
        .collect();
    for (kind, param, limits) in [
        (Kind::Renyi, 2.5, peer),
        (Kind::Alpha, 3.0, peer),
        (Kind::Alpha, -1.5, peer),
        (Kind::Jsd, 0.9, Limits::Scaled),
        (Kind::Jsd, 0.0, Limits::Continuous),
        (Kind::SkewKl, 0.5, peer),
    ] {
        all.push(of(kind, param, limits));
    }
    all
}
fn fetch(x: &mut Data) {
    match x {
        Data::F32(x) => memory::down(x),
        Data::Bf16(x) => memory::down(x),
        Data::F16(x) => memory::down(x),
    }
}
fn check(what: &str, side: &str, got: &Data, want: &Data, cols: usize) -> usize {
    let own = [0.0, 1.0 / 128.0, 1.0 / 1024.0][got.kind()];
    for (i, (g, w)) in got.wide().chunks(cols).zip(want.wide().chunks(cols)).enumerate() {
        near(&format!("{what}: {side} gradient of row {i} of {cols}"), g, w, own);
    }
    got.keys().len()
}

/// One way to call one kind: figures, gradients from statistics, from logits, and with the figures.
fn compare(context: &Context, b: &Batch, options: Options, way: &Way, few: bool) -> usize {
    let [v, w] = b.widths;
    let n = ROWS;
    let layouts = [v, w].map(|v| if way.layout == 0 { Layout::contiguous(n, v) } else { Layout::strided(n, v, v + 5) });
    let z = [0, 1].map(|side| b.laid_out(side, way.kinds[side], layouts[side], way.teacher));
    let mut random = Random(v as u64);
    let biases = [v, w].map(|v| {
        let x: Vec<f32> = (0..v).map(|j| if j % 7 == 6 { -INF } else { random.normal() as f32 }).collect();
        way.biased.then(|| Data::new(1, &x))
    });
    let temperatures: Vec<f32> = (0..n).map(|i| [1.0, 0.7, 2.5][i % 3]).collect();
    let side = |i: usize, v: usize| {
        let n_valid_vocab = if way.cut { (v / 2 + i).clamp(1, v) } else { 0 };
        let own = logprob::Options {
            transform: way.transforms[i],
            n_valid_vocab,
            ignore_index: Some(-100),
            ..Default::default()
        };
        logprob::Problem::new(n, v, own).unwrap()
    };
    let options = Options {
        hard_weight: way.hard,
        hard_dft: way.hard < 0.0,
        temperature_squared: way.hard != 0.0,
        teacher: way.teacher,
        teacher_target_shift: way.shift,
        ..options
    };
    let logits = way.teacher == Teacher::Logits;
    let problem = Problem::new(side(0, v), side(1, w), options).unwrap();
    let what = format!(
        "{:?} {} {:?}, rows of {v} and {w}, types {:?}, teacher {:?} {}",
        options.kind, options.param, options.limits, way.kinds, way.teacher, way.shift
    );
    let rows = Rows {
        target: Some(Matrix::vector(&b.target).into()),
        mask: Some(Matrix::vector(&b.mask).into()),
        ..Rows::default()
    };
    let transform = |i: usize| TransformInputs {
        bias: biases[i].as_ref().map(|x| x.view(Layout::contiguous(b.widths[i], 1))),
        row_temperature: (way.temperatures && (i == 0 || logits)).then(|| Matrix::vector(&temperatures)),
    };
    let inputs = cpu::Inputs {
        student: transform(0),
        teacher: transform(1),
        rows,
        row_weight: way.weight.then(|| Matrix::vector(&b.weight)),
    };
    let on_device = |i: usize| Side {
        logits: data(&z[i], layouts[i]),
        bias: biases[i].as_ref().map(|x| data(x, Layout::contiguous(b.widths[i], 1))),
        row_temperature: (way.temperatures && (i == 0 || logits)).then(|| vector(&temperatures, Dtype::F32)),
    };
    let own = Inputs {
        student: on_device(0),
        teacher: on_device(1),
        target: Some(vector(&b.target, Dtype::I64)),
        mask: Some(vector(&b.mask, Dtype::U8)),
        row_weight: way.weight.then(|| vector(&b.weight, Dtype::F32)),
    };
    let host = truing_cpu::Context::default();
    let (mut done, mut saved) = (0, Out::new(n));
    for which in if few { vec![way.figures] } else { vec![way.figures, 0x1] } {
        let (mut want, mut got) = (Out::new(n), Out::new(n));
        let logits = [0, 1].map(|i| z[i].view(layouts[i]));
        cpu::forward(&host, &problem, logits, inputs, want.cpu(which), cpu::Totals::default(), &mut []).unwrap();
        let out = got.device(which);
        let scratch = Scratch::new(device::forward_workspace(&problem, &out).minimum);
        // SAFETY: the stand-in's device memory is this process's, and the arrays live.
        unsafe { device::forward(context, STREAM, &problem, &own, &out, scratch.space()) }.unwrap();
        got.fetch();
        done += got.check(&format!("{what}, figures {which:#x}"), &want);
        if which == way.figures {
            saved = want;
        }
    }
    let g: [Vec<f32>; 2] = std::array::from_fn(|k| Random(77 + k as u64).normals(n, 1.0));
    // which gradients; how: from statistics, from logits, with the figures; where the student's goes
    let all: &[(u32, usize, usize)] = if few { &[(3, 1, 0)] } else { &[(3, 0, 1), (1, 2, 0), (2, 1, 1)] };
    for &(sides, how, place) in all {
        // there are no logits of the teacher
        let sides = if logits { sides } else { 1 };
        let upstream = spec::Upstream {
            values: Some(Matrix::vector(&g[0])),
            student_logprob: (how != 0).then(|| Matrix::vector(&g[1])),
            scale: 0.37,
            ..Default::default()
        };
        let device_upstream = Upstream {
            values: Some(vector(&g[0], Dtype::F32)),
            student_logprob: (how != 0).then(|| vector(&g[1], Dtype::F32)),
            scale: 0.37,
            ..Upstream::default()
        };
        // the student's in place or in rows elsewhere of its own type, the teacher's of f32
        let own_place = if place == 0 { layouts[0] } else { Layout::strided(n, v, v + 3) };
        let mut want = [
            if place == 0 { z[0].clone() } else { Data::new(way.kinds[0], &vec![NAN; own_place.extent().unwrap()]) },
            Data::new(0, &vec![NAN; n * w]),
        ];
        let mut got = want.clone();
        let (mut s_want, mut s_got) = (vec![9u32; n], vec![9u32; n]);
        {
            let [student, teacher] = &mut want;
            let student = match (sides & 1, place) {
                (0, _) => Grad::Absent(z[0].view(layouts[0])),
                (_, 0) => Grad::InPlace(student.view_mut(own_place)),
                _ => Grad::Separate(z[0].view(layouts[0]), student.view_mut(own_place)),
            };
            let teacher = match sides & 2 {
                0 => Grad::Absent(z[1].view(layouts[1])),
                _ => Grad::Separate(z[1].view(layouts[1]), teacher.view_mut(Layout::contiguous(n, w))),
            };
            let stats = (how == 0).then(|| Matrix::contiguous(&saved.stats, n, STATS).unwrap());
            let status = Some(MatrixMut::vector(&mut s_want));
            cpu::backward(&host, &problem, [student, teacher], inputs, stats, upstream, status).unwrap();
        }
        let mut own = own;
        if place == 0 && sides & 1 != 0 {
            own.student.logits = data(&got[0], own_place);
        }
        let grads = Grads {
            student: (sides & 1 != 0).then(|| data(&got[0], own_place)),
            teacher: (sides & 2 != 0).then(|| data(&got[1], Layout::contiguous(n, w))),
        };
        let status = Some(vector(&s_got, Dtype::U32));
        let (p, mut values) = (&problem, vec![7.5f32; n]);
        let (stats, out) = (
            tensor(&saved.stats, Dtype::F32, Layout::contiguous(n, STATS)),
            Figures { values: Some(vector(&values, Dtype::F32)), status, ..Figures::default() },
        );
        // SAFETY: as above.
        unsafe {
            if how == 2 {
                let scratch = Scratch::new(device::fused_workspace(p, &out, &device_upstream).minimum);
                device::forward_fused(context, STREAM, p, &own, &out, &device_upstream, &grads, scratch.space())
                    .unwrap();
            } else {
                let stats = (how == 0).then_some(stats);
                let up = &device_upstream;
                let scratch = Scratch::new(device::backward_workspace(p, how == 0, up).minimum);
                device::backward(context, STREAM, p, &own, stats, up, &grads, status, scratch.space()).unwrap();
            }
        }
        got.iter_mut().for_each(fetch);
        memory::down(&mut s_got);
        memory::down(&mut values);
        let what = format!("{what}, gradients {sides}, how {how}, place {place}");
        same(&what, &s_got, &s_want);
        if how == 2 {
            near(&what, &values, &saved.floats[0], 0.0);
        }
        done += n;
        if sides & 1 != 0 {
            done += check(&what, "student", &got[0], &want[0], own_place.inner_stride);
        }
        if sides & 2 != 0 {
            done += check(&what, "teacher", &got[1], &want[1], w);
        }
    }
    memory::clear();
    done
}

pub(super) fn all(context: &Context, few: bool, fewest: bool) -> usize {
    let widths: &[[usize; 2]] = if fewest {
        &[[2049, 2049], [4097, 2000]]
    } else if few {
        // the last: whole blocks, which start 16 bytes in every row
        &[[1, 1], [17, 17], [4097, 2049], [2048, 2048]]
    } else {
        &[[1, 1], [15, 15], [17, 20], [2049, 2049], [2000, 4097], [10000, 10000]]
    };
    let (kinds, ways) = (kinds(), ways());
    let mut done = 0;
    for (i, &w) in widths.iter().enumerate() {
        let b = Batch::new(w);
        for (k, options) in kinds.iter().enumerate() {
            for group in &ways {
                for (j, way) in group.iter().enumerate() {
                    // in turn where it is much
                    if (few || w[0].max(w[1]) > 4000) && (i + k + j) % group.len() != 0 {
                        continue;
                    }
                    done += compare(context, &b, *options, way, few);
                }
            }
        }
    }
    done + outside(context) + near_rows(context)
}
/// Rows that nearly agree keep their relative accuracy in either mode, against f64, and equal ones have exactly 0; whole blocks
/// and a ragged one.
fn near_rows(context: &Context) -> usize {
    const BY: [f64; 5] = [0.0, 1e-5, 1e-3, 3e-2, 0.3];
    let (n, v) = (BY.len(), 2 * 2048 + 8);
    let mut random = Random(11);
    let (mut a, mut b) = (vec![], vec![]);
    for by in BY {
        for _ in 0..v {
            let x = 3.0 * random.normal() as f32;
            a.push(x);
            b.push(x + (by * random.normal().clamp(-1.5, 1.5)) as f32);
        }
    }
    let exact = |p: &[f32], q: &[f32]| -> f64 {
        let of = |x: &[f32]| x.iter().map(|&x| (x as f64).exp()).sum::<f64>().ln();
        let (lp, lq) = (of(p), of(q));
        let term = |(&p, &q): (&f32, &f32)| {
            let (p, q) = (p as f64 - lp, q as f64 - lq);
            // each term >= 0, so that nothing cancels
            p.exp() * ((q - p).exp_m1() - (q - p))
        };
        p.iter().zip(q).map(term).sum()
    };
    let (student, teacher) =
        (tensor(&a, Dtype::F32, Layout::contiguous(n, v)), tensor(&b, Dtype::F32, Layout::contiguous(n, v)));
    for kind in [Kind::ForwardKl, Kind::ReverseKl, Kind::Jeffreys] {
        let side = || logprob::Problem::new(n, v, logprob::Options::default()).unwrap();
        let problem = Problem::new(side(), side(), Options { kind, ..Options::default() }).unwrap();
        let mut values = vec![NAN; n];
        let out = Figures { values: Some(vector(&values, Dtype::F32)), ..Figures::default() };
        let scratch = Scratch::new(device::forward_workspace(&problem, &out).minimum);
        // SAFETY: as above.
        unsafe { device::forward(context, STREAM, &problem, &Inputs::new(student, teacher), &out, scratch.space()) }
            .unwrap();
        memory::down(&mut values);
        for i in 0..n {
            let (x, y) = (&a[i * v..][..v], &b[i * v..][..v]);
            let want = match kind {
                Kind::ForwardKl => exact(y, x),
                Kind::ReverseKl => exact(x, y),
                _ => exact(x, y) + exact(y, x),
            };
            let got = values[i] as f64;
            let good = if i == 0 { got == 0.0 } else { (got - want).abs() <= 2e-5 * want };
            assert!(good, "{kind:?}, rows that differ by {}: {got:e}, expected {want:e}", BY[i]);
        }
    }
    memory::clear();
    3 * n
}
/// A form that reads a row once, and one that reads it twice and then for the means of its weights; rows of whole blocks too,
/// whose columns other lanes widen.
pub(super) fn sanitized(context: &Context, figures: u32) -> usize {
    let of = |kind| Options { kind, ..Options::default() };
    let (b, whole) = (Batch::new([2049, 2000]), Batch::new([4096, 4096]));
    let way = Way { figures, ..ways()[0][3] };
    let done = [of(Kind::MixedKl), of(Kind::CosineProbs)].map(|o| compare(context, &b, o, &way, true));
    let plain = Way { kinds: [1, 1], figures, ..SIMPLE };
    done.iter().sum::<usize>() + compare(context, &whole, of(Kind::CosineProbs), &plain, true)
}
/// Times beside a copy of as many bytes as a call must move: values 2 sets of logits, gradients of the student 3.
pub(super) fn times(context: &Context, kind: usize, small: bool, median: &dyn Fn(&mut dyn FnMut()) -> f64) {
    use memory::{alloc, driver, free};
    let (n, v) = if small { (2, 1282) } else { (2048, 128256) };
    let student = Random(1).normals(v, 3.0);
    let teacher: Vec<f32> = student.iter().zip(Random(2).normals(v, 0.5)).map(|(x, e)| x + e).collect();
    let (layout, size) = (Layout::contiguous(n, v), Data::DTYPES[kind].size());
    let bytes = n * v * size;
    let [a, b, g] = [alloc(bytes), alloc(bytes), alloc(bytes)];
    for (to, row) in [(a, &student), (b, &teacher)] {
        let row = Data::new(kind, row);
        let one = data(&row, Layout::contiguous(1, v));
        for i in 0..n {
            driver!(c"cuMemcpyDtoD_v2" (to + (i * v * size) as u64, one.data, v * size) : u64, u64, usize);
        }
        driver!(c"cuCtxSynchronize" () :);
        memory::clear();
    }
    let dtype = Data::DTYPES[kind];
    let of = |data| Tensor { data, dtype, layout };
    let inputs = Inputs::new(of(a), of(b));
    let copy = median(&mut || {
        driver!(c"cuMemcpyDtoDAsync_v2" (g, a, bytes, STREAM.0) : u64, u64, usize, *mut c_void);
    });
    let copy = 2.0 * bytes as f64 / copy * 1e-6;
    let (f, out, saved) = (vec![1.0f32; n], vec![0.0f32; n], vec![0.0f32; n * STATS]);
    let upstream = Upstream { values: Some(vector(&f, Dtype::F32)), ..Upstream::default() };
    let values = Figures { values: Some(vector(&out, Dtype::F32)), ..Figures::default() };
    let stats = tensor(&saved, Dtype::F32, Layout::contiguous(n, STATS));
    let both = Figures { stats: Some(stats), ..values };
    let grads = Grads { student: Some(of(g)), teacher: None };
    let line = |name: &str, sets: usize, go: &mut dyn FnMut() -> Result<(), Error>| {
        go().unwrap();
        let ms = median(&mut || go().unwrap());
        let rate = (sets * bytes) as f64 / ms * 1e-6;
        println!("| {name} | {n} x {v} {dtype} | {ms:.4} | {rate:.0} | {:.2} |", rate / copy);
    };
    let side = || logprob::Problem::new(n, v, logprob::Options::default()).unwrap();
    for kind in [Kind::ForwardKl, Kind::ReverseKl, Kind::Jsd, Kind::Tvd] {
        let problem = Problem::new(side(), side(), Options { kind, ..Options::default() }).unwrap();
        let p = &problem;
        let need = device::fused_workspace(p, &values, &upstream)
            .minimum
            .max(device::backward_workspace(p, false, &upstream).minimum);
        let space = Space { data: alloc(need), size: need };
        let line = |name: &str, sets, go: &mut dyn FnMut() -> Result<(), Error>| {
            line(&format!("{}, {name}", kind.info().name), sets, go)
        };
        // SAFETY: device memory of the right extents, freed once the device is idle.
        line("value", 2, &mut || unsafe { device::forward(context, STREAM, p, &inputs, &values, space) });
        // SAFETY: as above.
        line("value and statistics", 2, &mut || unsafe { device::forward(context, STREAM, p, &inputs, &both, space) });
        line("backward from statistics", 3, &mut || {
            // SAFETY: as above.
            unsafe { device::backward(context, STREAM, p, &inputs, Some(stats), &upstream, &grads, None, space) }
        });
        line("value and gradient", 3, &mut || {
            // SAFETY: as above.
            unsafe { device::forward_fused(context, STREAM, p, &inputs, &values, &upstream, &grads, space) }
        });
        driver!(c"cuCtxSynchronize" () :);
        free(space.data);
    }
    // what else there is of two models' rows
    let problem = Problem::new(side(), side(), Options::default()).unwrap();
    let how = device::Uld::default();
    let both = device::UldOut { values: values.values, grads, ..device::UldOut::default() };
    let alone = device::UldOut { grads: Grads::default(), ..both };
    let need = device::uld_workspace(&problem, &how, &both, &upstream).preferred;
    let of_tds = [problem.student(), problem.teacher()];
    let need = need.max(tds::tds_rows_workspace(of_tds).unwrap().minimum);
    let space = Space { data: alloc(need), size: need };
    for (name, sets, out, up) in [("value", 2, alone, Upstream::default()), ("value and gradient", 3, both, upstream)] {
        line(&format!("uld, {name}"), sets, &mut || {
            // SAFETY: as above.
            unsafe { device::uld(context, STREAM, &problem, &how, &inputs, &out, &up, space) }
        });
    }
    let (ranks, class) = (vec![0i32; n], vec![0u8; n]);
    let classes = tds::Figures {
        eta: Some(vector(&ranks, Dtype::I32)),
        class: Some(vector(&class, Dtype::U8)),
        ..tds::Figures::default()
    };
    let kl = tds::Figures { kl_aligned_base: values.values, ..classes };
    for (name, out) in [("ranks and classes", classes), ("with KL", kl)] {
        let sides = [device::Side::new(of(a)), device::Side::new(of(b))];
        line(&format!("tds_rows, {name}"), 2, &mut || {
            // SAFETY: as above.
            unsafe { tds::tds_rows(context, STREAM, of_tds, sides, tds::Rows::default(), &out, space) }
        });
    }
    driver!(c"cuCtxSynchronize" () :);
    [a, b, g, space.data].into_iter().for_each(free);
    memory::clear();
}
/// What only the device can see: targets and weights outside their range, in rows beside good ones.
fn outside(context: &Context) -> usize {
    let (n, v) = (6, 300);
    let (x, y) = (Random(3).normals(n * v, 2.0), Random(4).normals(n * v, 2.0));
    let target = [5i64, -1, v as i64, i64::MIN, 7, 8];
    let weight = [1.0f32, 1.0, 1.0, 1.0, -1.0, NAN];
    let side = || logprob::Problem::new(n, v, logprob::Options::default()).unwrap();
    let problem = Problem::new(side(), side(), Options::default()).unwrap();
    let layout = Layout::contiguous(n, v);
    let inputs = Inputs {
        target: Some(vector(&target, Dtype::I64)),
        row_weight: Some(vector(&weight, Dtype::F32)),
        ..Inputs::new(tensor(&x, Dtype::F32, layout), tensor(&y, Dtype::F32, layout))
    };
    let mut out = Out::new(n);
    let scratch = Scratch::new(device::fused_workspace(&problem, &Figures::default(), &Upstream::default()).minimum);
    let (mut grad, ones) = (vec![3.0f32; n * v], vec![1.0f32; n]);
    let upstream = Upstream { values: Some(vector(&ones, Dtype::F32)), ..Upstream::default() };
    let grads = Grads { student: Some(tensor(&grad, Dtype::F32, layout)), teacher: None };
    let figures = out.device(ALL);
    // SAFETY: as above.
    unsafe { device::forward_fused(context, STREAM, &problem, &inputs, &figures, &upstream, &grads, scratch.space()) }
        .unwrap();
    out.fetch();
    memory::down(&mut grad);
    memory::clear();
    for i in 0..n {
        assert_eq!(out.status[i], if i == 0 { 0 } else { row::OUT_OF_RANGE }, "row {i}");
        assert!(out.floats.iter().all(|f| f[i].is_nan() == (i != 0)), "row {i}");
        assert!(out.ranks.iter().all(|r| (r[i] == -1) == (i != 0)), "row {i}");
        assert!(grad[i * v..][..v].iter().all(|g| g.is_nan() == (i != 0)), "row {i}");
    }
    n * (v + 6)
}

/// Every check of the arguments names its field; nothing is launched.
pub(super) fn refusals(context: &Context) -> usize {
    let (n, v) = (3, 40);
    let (z, ids, f) = (vec![0.0f32; n * v], vec![0i64; n], vec![0.0f32; 2 * n * v + 1]);
    let layout = Layout::contiguous(n, v);
    let (zt, yt) = (tensor(&z, Dtype::F32, layout), tensor(&f[..n * v], Dtype::F32, layout));
    let inputs = Inputs { target: Some(vector(&ids, Dtype::I64)), ..Inputs::new(zt, yt) };
    let good = vector(&f[..n], Dtype::F32);
    let scratch = Scratch::new(1 << 13);
    let space = scratch.space();
    let side = || logprob::Problem::new(n, v, logprob::Options::default()).unwrap();
    let out = Figures { values: Some(good), ..Figures::default() };
    let ok = Options::default();
    let mut refused = 0;
    let mut go = |field: &str, status, options: Options, inputs: Inputs, out: Figures, space: Space| {
        let problem = Problem::new(side(), side(), options).unwrap();
        // SAFETY: refused.
        let e = unsafe { device::forward(context, STREAM, &problem, &inputs, &out, space) }.unwrap_err();
        assert_eq!((e.field, e.status), (field, status), "{e}");
        refused += 1;
    };
    use Status::*;
    let probs = Options { teacher: Teacher::Probs, ..ok };
    let warm = Side { row_temperature: Some(good), ..inputs.teacher };
    go("teacher_transform", InvalidArgument, probs, Inputs { teacher: warm, ..inputs }, out, space);
    let shift = Options { teacher_target_shift: 1.0, ..ok };
    go("rows.target", InvalidArgument, shift, Inputs { target: None, ..inputs }, out, space);
    let rank = Figures { student_rank: Some(good), ..out };
    go("outputs.out_student_rank", UnsupportedDtype, ok, inputs, rank, space);
    let loss = device::Total { loss: Some(good), ..device::Total::default() };
    go("outputs.out_loss", ShapeMismatch, ok, inputs, Figures { total: loss, ..out }, space);
    let narrow = tensor(&z, Dtype::F32, Layout::contiguous(n, v - 1));
    go("student", ShapeMismatch, ok, Inputs { student: Side::new(narrow), ..inputs }, out, space);
    let wide = Tensor { dtype: Dtype::F64, ..zt };
    go("teacher", UnsupportedDtype, ok, Inputs { teacher: Side::new(wide), ..inputs }, out, space);
    let bias = Side { bias: Some(good), ..inputs.teacher };
    go("teacher_transform.bias", ShapeMismatch, ok, Inputs { teacher: bias, ..inputs }, out, space);
    go("row_weight", UnsupportedDtype, ok, Inputs { row_weight: inputs.target, ..inputs }, out, space);
    let hard = Options { hard_weight: 1.0, ..ok };
    go("rows.target", InvalidArgument, hard, Inputs { target: None, ..inputs }, out, space);
    let ids_out = Figures { values: inputs.target, ..out };
    go("outputs.out_values", UnsupportedDtype, ok, inputs, ids_out, space);
    let logprob = Figures { teacher_logprob: Some(good), ..out };
    go("rows.target", InvalidArgument, ok, Inputs { target: None, ..inputs }, logprob, space);
    go("workspace_size", WorkspaceTooSmall, ok, inputs, out, Space { size: 8, ..space });
    let problem = Problem::new(side(), side(), ok).unwrap();
    let mut go = |field: &str, status, stats: Option<Tensor>, upstream: Upstream, grads: Grads| {
        // SAFETY: refused.
        let r: Result<(), Error> =
            unsafe { device::backward(context, STREAM, &problem, &inputs, stats, &upstream, &grads, None, space) };
        let e = r.unwrap_err();
        assert_eq!((e.field, e.status), (field, status), "{e}");
        refused += 1;
    };
    let up = Upstream { values: Some(good), ..Upstream::default() };
    let place = tensor(&f[n * v..][..n * v], Dtype::F32, layout);
    let grads = Grads { student: Some(place), teacher: None };
    go("stats", ShapeMismatch, Some(good), up, grads);
    go("grad_values", UnsupportedDtype, None, Upstream { values: inputs.target, ..up }, grads);
    go("grad_scale", InvalidArgument, None, Upstream { scale: f64::NAN, ..up }, grads);
    go("grad_student_out", ShapeMismatch, None, up, Grads { student: Some(narrow), ..grads });
    go(
        "grad_student_out",
        UnsupportedDtype,
        None,
        up,
        Grads { student: Some(Tensor { dtype: Dtype::F16, ..place }), ..grads },
    );
    go("grad_student_out", Aliasing, None, up, Grads { student: Some(yt), ..grads });
    go("grad_student_out", Aliasing, None, up, Grads { student: Some(Tensor { data: zt.data + 4, ..zt }), ..grads });
    go("grad_teacher_out", Aliasing, None, up, Grads { teacher: Some(place), ..grads });
    refused
}
