//! Token distribution shift on the stand-in device, against the CPU's bits.
use super::{INF, NAN, STREAM, Scratch, data, memory, tensor, vector};
use truing_core::Dtype;
use truing_core::error::row;
use truing_core::logprob::{Options, Problem, Rows, Transform, TransformInputs};
use truing_core::matrix::{Layout, Matrix, MatrixMut};
use truing_core::tds_rows as spec;
use truing_cpu::tds_rows as cpu;
use truing_cuda::Context;
use truing_cuda::divergence::Side;
use truing_cuda::tds_rows as device;
use truing_tests::{Data, Random, same};

const ROWS: usize = 24;

#[derive(Clone, Copy, Debug)]
struct Way {
    v: usize,
    kinds: [usize; 2],
    gaps: bool,
    /// Temperatures, a bias, a softcap, fewer columns.
    options: bool,
    targets: bool,
    /// Which figures: bits, ranks alone at 0.
    divergence: bool,
}
struct Out {
    ints: [Vec<i32>; 4],
    floats: [Vec<f32>; 4],
    class: Vec<u8>,
    status: Vec<u32>,
    counts: [i64; 4],
}
impl Out {
    fn new(n: usize) -> Out {
        Out {
            ints: std::array::from_fn(|_| vec![77; n]),
            floats: std::array::from_fn(|_| vec![7.5; n]),
            class: vec![77; n],
            status: vec![1 << 31; n],
            counts: [-5; 4],
        }
    }
    fn device(&self, divergence: bool) -> device::Figures {
        let i = |k: usize| Some(vector(&self.ints[k], Dtype::I32));
        let f = |k: usize| (divergence || k < 2).then(|| vector(&self.floats[k], Dtype::F32));
        device::Figures {
            rank: i(0),
            ties: i(1),
            eta: i(2),
            eta_max: i(3),
            logp_base: f(0),
            logp_aligned: f(1),
            kl_aligned_base: f(2),
            kl_base_aligned: f(3),
            class: Some(vector(&self.class, Dtype::U8)),
            status: Some(vector(&self.status, Dtype::U32)),
            counts: Some(vector(&self.counts, Dtype::I64)),
        }
    }
    fn fetch(&mut self) {
        self.ints.iter_mut().for_each(|x| memory::down(x));
        self.floats.iter_mut().for_each(|x| memory::down(x));
        memory::down(&mut self.class);
        memory::down(&mut self.status);
        memory::down(&mut self.counts);
        memory::clear();
    }
}

pub(super) fn all(context: &Context) -> usize {
    let mut done = 0;
    for (k, v) in [1, 15, 17, 2047, 2048, 2049, 5000].into_iter().enumerate() {
        for way in 0..4 {
            done += one(
                context,
                Way {
                    v,
                    kinds: [(k + way) % 3, way % 3],
                    gaps: way % 2 == 1,
                    options: way > 1,
                    targets: way != 2,
                    divergence: way != 3,
                },
            );
        }
    }
    done + empty(context) + outside(context)
}
fn one(context: &Context, way: Way) -> usize {
    let (v, n) = (way.v, ROWS);
    let mut r = Random(v as u64 * 4 + way.options as u64);
    let mut z = [r.normals(n * v, 3.0), r.normals(n * v, 3.0)];
    // near each other, equal, far apart, ties
    for i in 0..4 * v {
        z[1][i] = z[0][i] + if i < 2 * v { 1e-3 * r.normal() as f32 } else { 0.0 };
    }
    z[1][4 * v..5 * v].iter_mut().for_each(|x| *x *= 30.0);
    z[0][5 * v..6 * v].iter_mut().for_each(|x| *x = x.round().clamp(-1.0, 1.0));
    let at = v / 2;
    for (k, x) in [NAN, INF, -INF].into_iter().enumerate() {
        (z[0][(6 + k) * v + at], z[1][(9 + k) * v + at]) = (x, x);
    }
    z[0][12 * v..13 * v].fill(-INF);
    z[1][13 * v..14 * v].fill(-INF);
    (0..v).filter(|j| j % 3 != at % 3).for_each(|j| (z[0][14 * v + j], z[1][15 * v + j]) = (-INF, -INF));
    z[0][16 * v..17 * v].fill(NAN);
    let mut target: Vec<i32> = (0..n).map(|_| r.below(v) as i32).collect();
    (target[3], target[8], target[11], target[16]) = (-100, at as i32, at as i32, i32::MAX);
    let mut mask = vec![1u8; n];
    mask[16] = 0;
    let shape = if way.gaps { Layout::strided(n, v, v + 5) } else { Layout::contiguous(n, v) };
    let laid = [0, 1].map(|side| {
        let mut all = vec![NAN; shape.extent().unwrap()];
        (0..n).for_each(|i| all[shape.offset(i)..][..v].copy_from_slice(&z[side][i * v..][..v]));
        Data::new(way.kinds[side], &all)
    });
    let bias: Vec<f32> = (0..v).map(|j| if j % 7 == 6 { -INF } else { r.normal() as f32 }).collect();
    let bias = way.options.then(|| Data::new(1, &bias));
    let temperatures: Vec<f32> = (0..n).map(|i| [1.0, 0.7, 2.5][i % 3]).collect();
    let problem = |side: usize| {
        let mut transform = Transform::default();
        if way.options && side == 1 {
            (transform.temperature, transform.softcap, transform.logit_scale) = (0.7, 20.0, 1.25);
        }
        let n_valid_vocab = if way.options { (v / 2 + side).clamp(1, v) } else { 0 };
        Problem::new(n, v, Options { transform, n_valid_vocab, ignore_index: Some(-100), ..Options::default() })
            .unwrap()
    };
    let problems = [problem(0), problem(1)];
    let rows = Rows {
        target: way.targets.then(|| Matrix::vector(&target).into()),
        mask: Some(Matrix::vector(&mask).into()),
        ..Rows::default()
    };
    let transforms = [
        TransformInputs { bias: bias.as_ref().map(|x| x.view(Layout::contiguous(v, 1))), row_temperature: None },
        TransformInputs { bias: None, row_temperature: way.options.then(|| Matrix::vector(&temperatures)) },
    ];
    let (mut want, mut got) = (Out::new(n), Out::new(n));
    {
        let [rank, ties, eta, eta_max] = &mut want.ints;
        let [base, aligned, forward, reverse] = &mut want.floats;
        let out = spec::Figures {
            rank: Some(MatrixMut::vector(rank)),
            ties: Some(MatrixMut::vector(ties)),
            eta: Some(MatrixMut::vector(eta)),
            eta_max: Some(MatrixMut::vector(eta_max)),
            logp_base: Some(MatrixMut::vector(base)),
            logp_aligned: Some(MatrixMut::vector(aligned)),
            kl_aligned_base: way.divergence.then(|| MatrixMut::vector(forward)),
            kl_base_aligned: way.divergence.then(|| MatrixMut::vector(reverse)),
            class: Some(MatrixMut::vector(&mut want.class)),
            status: Some(MatrixMut::vector(&mut want.status)),
        };
        let side = |i: usize| cpu::Side { logits: laid[i].view(shape), transform: transforms[i] };
        let host = truing_cpu::Context::default();
        cpu::tds_rows(&host, [&problems[0], &problems[1]], [side(0), side(1)], rows, out, Some(&mut want.counts))
            .unwrap();
    }
    let sides = [
        Side { bias: bias.as_ref().map(|x| data(x, Layout::contiguous(v, 1))), ..Side::new(data(&laid[0], shape)) },
        Side {
            row_temperature: way.options.then(|| vector(&temperatures, Dtype::F32)),
            ..Side::new(data(&laid[1], shape))
        },
    ];
    let rows =
        device::Rows { target: way.targets.then(|| vector(&target, Dtype::I32)), mask: Some(vector(&mask, Dtype::U8)) };
    let out = got.device(way.divergence);
    let both = [&problems[0], &problems[1]];
    let space = Scratch::new(device::tds_rows_workspace(both).unwrap().minimum);
    // SAFETY: the stand-in's device memory is this process's, and the arrays live.
    unsafe { device::tds_rows(context, STREAM, both, sides, rows, &out, space.space()) }.unwrap();
    got.fetch();
    let what = format!("{way:?}");
    for k in 0..4 {
        same(&format!("{what}: whole number {k}"), &got.ints[k], &want.ints[k]);
        same(&format!("{what}: number {k}"), &got.floats[k], &want.floats[k]);
    }
    same(&format!("{what}: class"), &got.class, &want.class);
    same(&format!("{what}: status"), &got.status, &want.status);
    same(&format!("{what}: counts"), &got.counts, &want.counts);
    10 * n + 4
}
/// No row: counters are 0.
fn empty(context: &Context) -> usize {
    let problem = Problem::new(0, 5, Options::default()).unwrap();
    let mut got = Out::new(0);
    let side = Side::new(tensor::<f32>(&[], Dtype::F32, Layout::contiguous(0, 5)));
    let out = got.device(true);
    let both = [&problem, &problem];
    let space = Scratch::new(device::tds_rows_workspace(both).unwrap().minimum);
    // SAFETY: as above.
    unsafe { device::tds_rows(context, STREAM, both, [side, side], device::Rows::default(), &out, space.space()) }
        .unwrap();
    got.fetch();
    assert_eq!(std::hint::black_box(got.counts), [0; 4]);
    4
}
/// Tokens that only the device can see; what the host refuses.
fn outside(context: &Context) -> usize {
    let (n, v) = (4, 7);
    let z = Random(3).normals(n * v, 1.0);
    let problem = Problem::new(n, v, Options::default()).unwrap();
    let other = Problem::new(n, v + 1, Options::default()).unwrap();
    let side = Side::new(tensor(&z, Dtype::F32, Layout::contiguous(n, v)));
    let target = [0i64, 7, -1, 6];
    let rows = device::Rows { target: Some(vector(&target, Dtype::I64)), mask: None };
    let mut got = Out::new(n);
    let out = got.device(true);
    let space = Scratch::new(device::tds_rows_workspace([&problem, &problem]).unwrap().minimum);
    // SAFETY: as above.
    let go = |problems: [&Problem; 2], rows, out: &device::Figures| unsafe {
        device::tds_rows(context, STREAM, problems, [side, side], rows, out, space.space())
    };
    go([&problem, &problem], rows, &out).unwrap();
    assert_eq!(go([&problem, &other], rows, &out).unwrap_err().field, "aligned");
    let wide = device::Rows { target: Some(vector(&target[..3], Dtype::I64)), mask: None };
    assert_eq!(go([&problem, &problem], wide, &out).unwrap_err().field, "rows.target");
    let wrong = device::Figures { class: Some(vector(&target, Dtype::I64)), ..out };
    assert_eq!(go([&problem, &problem], rows, &wrong).unwrap_err().field, "out_class");
    got.fetch();
    assert_eq!(std::hint::black_box(&got.status)[..], [0, row::OUT_OF_RANGE, row::OUT_OF_RANGE, 0]);
    let bad: Vec<bool> = got.floats[0].iter().map(|x| x.is_nan()).collect();
    assert_eq!(bad, [false, true, true, false]);
    assert_eq!((got.class[1], got.ints[0][2], got.counts[3]), (255, -1, 2));
    // of the same rows there is no divergence
    assert_eq!((got.floats[2][0], got.floats[3][3]), (0.0, 0.0));
    20
}
