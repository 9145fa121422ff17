//! The KL to a reference per sequence on the stand-in device, forward and backward, against the CPU's bits.
use super::{INF, NAN, STREAM, Scratch, data, memory, tensor, vector};
use truing_core::divergence::{Options, Problem, STATS};
use truing_core::error::row;
use truing_core::logprob::{self, Rows, Transform, TransformInputs};
use truing_core::matrix::{Layout as Shape, Matrix, MatrixMut};
use truing_core::sequence::Segments;
use truing_core::{Dtype, Error};
use truing_cpu::divergence as cpu;
use truing_cpu::logprob::Grad;
use truing_cuda::divergence::{self as device, Inputs, Side};
use truing_cuda::sequence::Layout;
use truing_cuda::{Context, Tensor};
use truing_tests::{Data, Random, same, with_scratch};

/// Sequences of no token, one, beyond a warp, without one that counts.
const OFFSETS: [i32; 7] = [0, 0, 1, 36, 70, 73, 80];
const TOKENS: usize = 80;

#[derive(Clone, Copy, Debug)]
struct Way {
    v: usize,
    kinds: [usize; 2],
    packed: bool,
    hostile: bool,
    gaps: bool,
    /// Temperatures, a bias, fewer columns.
    options: bool,
    narrow: bool,
}
struct Sums {
    numbers: [Vec<f64>; 2],
    counts: Vec<i32>,
    status: Vec<u32>,
    stats: Vec<f32>,
}
impl Sums {
    fn new(b: usize) -> Sums {
        Sums {
            numbers: [vec![9.0; b], vec![9.0; b]],
            counts: vec![9; b],
            status: vec![9; b],
            stats: vec![9.0; TOKENS * STATS],
        }
    }
}

pub(super) fn all(context: &Context) -> usize {
    let mut done = 0;
    for (k, v) in [1, 15, 17, 2049, 5000].into_iter().enumerate() {
        for way in 0..4 {
            done += one(
                context,
                Way {
                    v,
                    kinds: [(k + way) % 3, way % 3],
                    packed: way % 2 == 0,
                    hostile: way > 1,
                    gaps: way == 1,
                    options: way == 3,
                    narrow: way == 0,
                },
            );
        }
    }
    done + empty(context) + outside(context)
}
fn one(context: &Context, way: Way) -> usize {
    let (v, n) = (way.v, TOKENS);
    let mut r = Random(v as u64 + way.hostile as u64);
    let mut z = [r.normals(n * v, 2.0), r.normals(n * v, 2.0)];
    let mut target: Vec<i64> = (0..n).map(|_| r.below(v) as i64).collect();
    let mut mask: Vec<u8> = (0..n).map(|_| (r.below(5) > 0) as u8).collect();
    mask[70..73].fill(0);
    target[3] = -100;
    if way.hostile {
        for (k, x) in [NAN, INF, -INF].into_iter().enumerate() {
            z[0][(5 + k) * v + v / 2] = x;
            z[1][(40 + k) * v + v / 2] = x;
        }
        z[0][50 * v..51 * v].fill(-INF);
        z[0][52 * v + target[52] as usize] = -INF;
        // what is not read
        mask[2] = 0;
        z[0][2 * v..3 * v].fill(NAN);
        target[2] = i64::MAX;
    }
    let shape = if way.gaps { Shape::strided(n, v, v + 3) } else { Shape::contiguous(n, v) };
    let laid = [0, 1].map(|side| {
        let mut all = vec![NAN; shape.extent().unwrap()];
        (0..n).for_each(|i| all[shape.offset(i)..][..v].copy_from_slice(&z[side][i * v..][..v]));
        Data::new(way.kinds[side], &all)
    });
    let bias = way.options.then(|| Data::new(0, &r.normals(v, 1.0)));
    let temperatures: Vec<f32> = (0..n).map(|i| [1.0, 0.7, 2.5][i % 3]).collect();
    let of = |own: bool| {
        let own = own && way.options;
        let transform = Transform { temperature: if own { 0.7 } else { 1.0 }, ..Transform::default() };
        let n_valid_vocab = if own { v.div_ceil(2).max(1) } else { 0 };
        let o = logprob::Options { transform, n_valid_vocab, ignore_index: Some(-100), ..Default::default() };
        logprob::Problem::new(n, v, o).unwrap()
    };
    let problem = Problem::new(of(false), of(true), Options::default()).unwrap();
    let narrow: Vec<i32> = target.iter().map(|&x| x.min(i32::MAX as i64) as i32).collect();
    let rows = Rows {
        target: Some(if way.narrow { Matrix::vector(&narrow).into() } else { Matrix::vector(&target).into() }),
        mask: Some(Matrix::vector(&mask).into()),
        ..Rows::default()
    };
    let inputs = cpu::Inputs {
        student: TransformInputs {
            bias: bias.as_ref().map(|x| x.view(Shape::contiguous(v, 1))),
            row_temperature: way.options.then(|| Matrix::vector(&temperatures)),
        },
        teacher: TransformInputs::default(),
        rows,
        row_weight: None,
    };
    let side = |i: usize| Side::new(data(&laid[i], shape));
    let own = Inputs {
        student: Side {
            bias: bias.as_ref().map(|x| data(x, Shape::contiguous(v, 1))),
            row_temperature: way.options.then(|| vector(&temperatures, Dtype::F32)),
            ..side(0)
        },
        teacher: side(1),
        target: Some(if way.narrow { vector(&narrow, Dtype::I32) } else { vector(&target, Dtype::I64) }),
        mask: Some(vector(&mask, Dtype::U8)),
        row_weight: None,
    };
    let (segments, layout) = match way.packed {
        true => (
            Segments::Packed(Matrix::vector(&OFFSETS).into()),
            Layout::Packed { tokens: n, offsets: vector(&OFFSETS, Dtype::I32) },
        ),
        false => (Segments::Padded { sequences: 4, width: n / 4 }, Layout::Padded { sequences: 4, width: n / 4 }),
    };
    let b = segments.sequences();
    let (mut want, mut got) = (Sums::new(b), Sums::new(b));
    let host = truing_cpu::Context::default();
    let bytes = cpu::sequence_kl_workspace(&problem).minimum;
    {
        let [ratio, kl] = &mut want.numbers;
        let out = cpu::SequenceFigures {
            log_ratio: Some(MatrixMut::vector(ratio)),
            kl: Some(MatrixMut::vector(kl)),
            counts: Some(MatrixMut::vector(&mut want.counts)),
            stats: Some(MatrixMut::contiguous(&mut want.stats, n, STATS).unwrap()),
            status: Some(MatrixMut::vector(&mut want.status)),
        };
        let logits = [0, 1].map(|i| laid[i].view(shape));
        with_scratch(bytes, |w| cpu::sequence_kl(&host, &problem, segments, logits, inputs, out, w)).unwrap();
    }
    let stats = tensor(&got.stats, Dtype::F32, Shape::contiguous(n, STATS));
    let out = device::SequenceFigures {
        log_ratio: Some(vector(&got.numbers[0], Dtype::F64)),
        kl: Some(vector(&got.numbers[1], Dtype::F64)),
        counts: Some(vector(&got.counts, Dtype::I32)),
        stats: Some(stats),
        status: Some(vector(&got.status, Dtype::U32)),
    };
    let space = Scratch::new(device::sequence_kl_workspace(&problem, false, false).minimum);
    // SAFETY: the stand-in's device memory is this process's, and the arrays live.
    unsafe { device::sequence_kl(context, STREAM, &problem, layout, &own, &out, space.space()) }.unwrap();
    got.numbers.iter_mut().for_each(|x| memory::down(x));
    memory::down(&mut got.counts);
    memory::down(&mut got.status);
    memory::down(&mut got.stats);
    let what = format!("{way:?}");
    for (k, name) in ["log ratio", "kl"].into_iter().enumerate() {
        same(&format!("{what}: {name}"), &got.numbers[k], &want.numbers[k]);
    }
    same(&format!("{what}: counts"), &got.counts, &want.counts);
    same(&format!("{what}: status"), &got.status, &want.status);
    same(&format!("{what}: stats"), &got.stats, &want.stats);

    let upstream: [Vec<f64>; 2] = std::array::from_fn(|_| (0..b).map(|_| r.normal()).collect());
    // without the gradient of one of the sums; from statistics and from logits
    for (given, saved) in [([true, true], true), ([true, false], false), ([false, true], false)] {
        let place = if saved { Data::new(0, &vec![7.0; n * v]) } else { Data::new(way.kinds[0], &vec![7.0; n * v]) };
        let (mut g_want, mut g_got) = (place.clone(), place);
        let flat = Shape::contiguous(n, v);
        let given_of = |k: usize| given[k].then(|| Matrix::vector(&upstream[k]));
        let kept = saved.then(|| Matrix::contiguous(&want.stats, n, STATS).unwrap());
        let policy = Grad::Separate(laid[0].view(shape), g_want.view_mut(flat));
        let (reference, both) = (laid[1].view(shape), [given_of(0), given_of(1)]);
        with_scratch(bytes, |w| {
            cpu::sequence_kl_backward(&host, &problem, segments, policy, reference, inputs, kept, both, w)
        })
        .unwrap();
        let to = data(&g_got, flat);
        let kept = saved.then_some(tensor(&got.stats, Dtype::F32, Shape::contiguous(n, STATS)));
        let both = [0, 1].map(|k| given[k].then(|| vector(&upstream[k], Dtype::F64)));
        let space = Scratch::new(device::sequence_kl_workspace(&problem, true, saved).minimum);
        // SAFETY: as above.
        unsafe {
            use device::sequence_kl_backward;
            sequence_kl_backward(context, STREAM, &problem, layout, &own, kept, both, to, space.space()).unwrap();
        }
        fetch(&mut g_got);
        same(&format!("{what}: gradient, {given:?}, saved {saved}"), &g_got.keys(), &g_want.keys());
    }
    memory::clear();
    4 * b + n * STATS + 3 * n * v
}
fn fetch(x: &mut Data) {
    match x {
        Data::F32(x) => memory::down(x),
        Data::Bf16(x) => memory::down(x),
        Data::F16(x) => memory::down(x),
    }
}
/// A problem over these rows, and its inputs.
fn small(z: &[f32], target: &[i64], v: usize) -> (Problem, Inputs) {
    let n = target.len();
    let side = logprob::Problem::new(n, v, logprob::Options::default()).unwrap();
    let logits = tensor(z, Dtype::F32, Shape::contiguous(n, v));
    let inputs = Inputs { target: Some(vector(target, Dtype::I64)), ..Inputs::new(logits, logits) };
    (Problem::new(side, side, Options::default()).unwrap(), inputs)
}
/// No token, and no sequence.
fn empty(context: &Context) -> usize {
    let (mut kl, mut status) = (vec![9.0f64; 2], vec![9u32; 2]);
    let (problem, inputs) = small(&[], &[], 5);
    let out = device::SequenceFigures {
        kl: Some(vector(&kl, Dtype::F64)),
        status: Some(vector(&status, Dtype::U32)),
        ..Default::default()
    };
    let layout = Layout::Packed { tokens: 0, offsets: vector(&[0i32; 3], Dtype::I32) };
    let space = Scratch::new(device::sequence_kl_workspace(&problem, false, false).minimum);
    // SAFETY: as above.
    unsafe { device::sequence_kl(context, STREAM, &problem, layout, &inputs, &out, space.space()) }.unwrap();
    memory::down(&mut kl);
    memory::down(&mut status);
    memory::clear();
    assert_eq!(std::hint::black_box((kl, status)), (vec![0.0; 2], vec![row::EMPTY; 2]));
    4
}
/// Offsets and targets that only the device can see; what the host refuses.
fn outside(context: &Context) -> usize {
    let z = Random(1).normals(6 * 5, 1.0);
    let target = [1i64, 2, 3, 9, 0, 1];
    let (problem, inputs) = small(&z, &target, 5);
    let run = |offsets: &[i32]| {
        let (mut kl, mut status) = (vec![9.0f64; 3], vec![9u32; 3]);
        let out = device::SequenceFigures {
            kl: Some(vector(&kl, Dtype::F64)),
            status: Some(vector(&status, Dtype::U32)),
            ..Default::default()
        };
        let layout = Layout::Packed { tokens: 6, offsets: vector(offsets, Dtype::I32) };
        let space = Scratch::new(device::sequence_kl_workspace(&problem, false, false).minimum);
        // SAFETY: as above.
        unsafe { device::sequence_kl(context, STREAM, &problem, layout, &inputs, &out, space.space()) }.unwrap();
        memory::down(&mut kl);
        memory::down(&mut status);
        (std::hint::black_box(kl).iter().map(|x| x.is_nan()).collect::<Vec<_>>(), std::hint::black_box(status))
    };
    let bad = row::OUT_OF_RANGE;
    assert_eq!(run(&[0, 3, 5, 6]), (vec![false, true, false], vec![0, bad, 0]));
    assert_eq!(run(&[0, 3, 9, 6]), (vec![false, true, true], vec![0, bad, bad]));
    // a token of no sequence has no gradient
    let (one, mut grad) = ([1.0f64; 3], vec![9.0f32; 30]);
    let layout = Layout::Packed { tokens: 6, offsets: vector(&[0i32, 3, 9, 6], Dtype::I32) };
    let space = Scratch::new(device::sequence_kl_workspace(&problem, true, false).minimum);
    let to = tensor(&grad, Dtype::F32, Shape::contiguous(6, 5));
    let upstream = [Some(vector(&one, Dtype::F64)), None];
    let go = |layout, inputs: &Inputs, upstream, to: Tensor| -> Result<(), Error> {
        // SAFETY: as above.
        unsafe {
            device::sequence_kl_backward(context, STREAM, &problem, layout, inputs, None, upstream, to, space.space())
        }
    };
    go(layout, &inputs, upstream, to).unwrap();
    memory::down(&mut grad);
    for (i, x) in std::hint::black_box(&grad).iter().enumerate() {
        assert_eq!(x.is_nan(), i >= 15, "{i}: {x}");
    }
    let padded = Layout::Padded { sequences: 2, width: 4 };
    assert_eq!(go(padded, &inputs, upstream, to).unwrap_err().field, "policy");
    let blind = Inputs { target: None, ..inputs };
    assert_eq!(go(layout, &blind, upstream, to).unwrap_err().field, "rows.target");
    let short = [None, Some(vector(&one[..2], Dtype::F64))];
    assert_eq!(go(layout, &inputs, short, to).unwrap_err().field, "grad_kl");
    memory::clear();
    45
}
