//! Operations over objectives and coefficients on the stand-in device, against the CPU's bits; what only the device can see.
use super::advantage::within;
use super::preference::{Numbers, Place};
use super::{INF, NAN, STREAM, memory, vector};
use truing_core::Dtype;
use truing_core::advantage::{self as spec, Granularity, Rule};
use truing_core::error::row;
use truing_core::matrix::{Floats, Layout as Shape, Matrix, MatrixMut};
use truing_core::sequence::Segments;
use truing_cpu::advantage as cpu;
use truing_cuda::advantage::{self as device, Layout};
use truing_cuda::{Context, Tensor};
use truing_tests::{Random, same, with_scratch};

/// A table whose rows lie apart, NaN between them; nothing lies behind the last.
struct Table(Numbers, Shape);
impl Table {
    fn new(kind: usize, rows: usize, cols: usize, gap: usize, mut x: impl FnMut(usize, usize) -> f64) -> Table {
        let shape = Shape::strided(rows, cols, cols + gap);
        let mut all = vec![NAN as f64; shape.extent().unwrap()];
        (0..rows).for_each(|i| (0..cols).for_each(|j| all[shape.offset(i) + j] = x(i, j)));
        Table(Numbers::new(kind, all), shape)
    }
    fn cpu(&self) -> Floats<'_> {
        match &self.0 {
            Numbers::Narrow(x) => x.view(self.1),
            Numbers::Wide(x) => Matrix::new(x, self.1).unwrap().into(),
        }
    }
    fn device(&self) -> Tensor {
        Tensor { layout: self.1, ..self.0.device() }
    }
}
/// A place of that kind on the device.
fn place(x: &Place, shape: Shape) -> Tensor {
    Tensor { layout: shape, ..x.device() }
}

/// Sequences of no token, one, a few, a warp of them, four warps and beyond.
const OFFSETS: [i32; 11] = [0, 0, 1, 16, 33, 65, 65, 193, 322, 2371, 2375];
const TOKENS: usize = 2375;
/// Rows of padded sequences.
const PADDED: usize = 19;

pub(super) fn all(context: &Context) -> usize {
    let mut done = 0;
    for kind in 0..4 {
        for granularity in [Granularity::Batch, Granularity::Sequence, Granularity::Token] {
            for way in 0..6 {
                done += scalars(context, kind, granularity, way);
            }
        }
        for (n, m) in [(1, 1), (2, 15), (3, 17), (9, 130), (64, 2049), (5, 0)] {
            done += interval(context, kind, n, m);
        }
        for (n, tokens) in [(1, 0), (1, 1), (2, 15), (3, 17), (9, 129), (2, 2049), (33, 5)] {
            for way in 0..4 {
                done += gram(context, kind, n, tokens, way);
            }
        }
    }
    for n in (1..=9).chain([12, 17, 33, 64]) {
        for way in 0..[16, 8, 4][(n > 5) as usize + (n > 12) as usize] {
            done += weights(context, n, way);
        }
    }
    done + coefficients(context) + outside(context)
}

fn scalars(context: &Context, kind: usize, granularity: Granularity, way: usize) -> usize {
    let mut r = Random(way as u64 + 1);
    let (packed, wide, masked, objectives) = (way % 2 == 0, way % 3 == 0, way != 4, [1, 3][way % 2]);
    let mut mask: Vec<i64> = (0..TOKENS).map(|_| (r.below(4) > 0) as i64).collect();
    mask[OFFSETS[3] as usize..OFFSETS[4] as usize].fill(0);
    // what is masked may hold anything, and in one case what is not
    let hostile = way == 5;
    let odd = |t: usize, r: &mut Random| match t {
        _ if masked && mask[t] == 0 => NAN as f64,
        40 | 200 if hostile => [NAN, INF][t % 3 % 2] as f64,
        2000 if hostile => -INF as f64,
        _ => r.normal(),
    };
    let logps: Vec<f64> = (0..TOKENS).map(|t| -odd(t, &mut r).abs()).collect();
    let anchor = logps.iter().map(|l| l + 0.3 * r.normal()).collect();
    let advantages = Table::new(kind, objectives, TOKENS, 3, |_, t| odd(t, &mut r));
    let (logps, anchor) = (Numbers::new((kind + 1) % 4, logps), Numbers::new((kind + 2) % 4, anchor));
    let clip_high = [0.2, 0.0, f64::INFINITY][way % 3];
    let (segments, layout, b) = match packed {
        true => {
            let layout = Layout::Packed { tokens: TOKENS, offsets: vector(&OFFSETS, Dtype::I32) };
            (Segments::Packed(Matrix::vector(&OFFSETS).into()), layout, OFFSETS.len() - 1)
        }
        false => {
            let width = TOKENS / PADDED;
            (Segments::Padded { sequences: PADDED, width }, Layout::Padded { sequences: PADDED, width }, PADDED)
        }
    };
    let x = spec::PamaScalars {
        segments,
        advantages: advantages.cpu(),
        logps: logps.cpu(),
        anchor: anchor.cpu(),
        mask: masked.then(|| Matrix::vector(&mask).into()),
        granularity,
        clip_high,
    };
    let columns = [1, b, TOKENS][granularity as usize - 1];
    let shape = Shape::strided(objectives, columns, columns + way % 2);
    let (mut want, mut got) = (Place::new(wide, shape.extent().unwrap()), Place::new(wide, shape.extent().unwrap()));
    let what = format!("pama_scalars {kind} {granularity:?} {way}");
    cpu::pama_scalars(&x, spec::PamaScalarsOut { scalars: Some(within(&mut want, shape)) })
        .unwrap_or_else(|e| panic!("{what}: {e}"));
    let x = device::PamaScalars {
        layout,
        advantages: advantages.device(),
        logps: logps.device(),
        anchor: anchor.device(),
        mask: masked.then(|| vector(&mask, Dtype::I64)),
        granularity,
        clip_high,
    };
    // SAFETY: the stand-in's device memory is this process's, and the arrays live.
    unsafe { device::pama_scalars(context, STREAM, &x, &Some(place(&got, shape))) }
        .unwrap_or_else(|e| panic!("{what}: {e}"));
    got.fetch();
    memory::clear();
    got.check(&what, &want)
}

fn interval(context: &Context, kind: usize, n: usize, m: usize) -> usize {
    let mut r = Random((n * m + kind) as u64);
    let x = Table::new(kind, n, m, 2, |i, k| match (k % 8, r.below(9)) {
        (0, _) => r.normal().abs(),
        (1, _) => -r.normal().abs(),
        (2, _) => 0.0,
        (3, _) => -0.0,
        (4, 0) => [NAN, INF][k / 8 % 2] as f64,
        (5, _) => [2.0, -3.0][i % 2],
        (6, _) => [0.0, 1.0, -0.0][i % 3],
        _ => r.normal(),
    });
    let (wide, shape) = (kind % 2 == 0, Shape::strided(n, m, m + 1));
    let new = || (Place::new(wide, m), Place::new(!wide, shape.extent().unwrap()), vec![9u32; m]);
    let (mut want, mut got) = (new(), new());
    let out = spec::IntervalWeightsOut {
        value: Some(want.0.cpu()),
        weights: Some(within(&mut want.1, shape)),
        status: Some(MatrixMut::vector(&mut want.2)),
    };
    let what = format!("interval_weights {kind} {n} {m}");
    cpu::interval_weights(&spec::IntervalWeights { scalars: x.cpu() }, out).unwrap_or_else(|e| panic!("{what}: {e}"));
    let out = device::IntervalWeightsOut {
        value: Some(got.0.device()),
        weights: Some(place(&got.1, shape)),
        status: Some(vector(&got.2, Dtype::U32)),
    };
    // SAFETY: as above.
    unsafe { device::interval_weights(context, STREAM, x.device(), &out) }.unwrap_or_else(|e| panic!("{what}: {e}"));
    got.0.fetch();
    got.1.fetch();
    memory::down(&mut got.2);
    memory::clear();
    same(&format!("{what}: status"), &got.2, &want.2);
    m + got.0.check(&format!("{what}: value"), &want.0) + got.1.check(&format!("{what}: weights"), &want.1)
}

fn gram(context: &Context, kind: usize, n: usize, tokens: usize, way: usize) -> usize {
    let mut r = Random((n + tokens + way) as u64);
    let (masked, unit_rows, wide) = (way > 1, way % 2 == 1, way % 3 == 0);
    let mask: Vec<u8> = (0..tokens).map(|_| (r.below(4) > 0) as u8).collect();
    let values = Table::new(kind, n, tokens, 1, |i, t| match i {
        _ if masked && mask[t] == 0 => NAN as f64,
        // of length 0, and with what is not finite
        1 => 0.0,
        5 if t == 100 => INF as f64,
        7 if t == 3 => NAN as f64,
        _ => r.normal(),
    });
    let x = spec::GramMatrix { values: values.cpu(), mask: masked.then(|| Matrix::vector(&mask).into()), unit_rows };
    let shape = Shape::strided(n, n, n + 1);
    let (mut want, mut got) = (Place::new(wide, shape.extent().unwrap()), Place::new(wide, shape.extent().unwrap()));
    let what = format!("gram_matrix {kind} {n} {tokens} {way}");
    cpu::gram_matrix(&x, within(&mut want, shape)).unwrap_or_else(|e| panic!("{what}: {e}"));
    let x = device::GramMatrix { values: values.device(), mask: masked.then(|| vector(&mask, Dtype::U8)), unit_rows };
    // SAFETY: as above.
    unsafe { device::gram_matrix(context, STREAM, &x, place(&got, shape)) }.unwrap_or_else(|e| panic!("{what}: {e}"));
    got.fetch();
    memory::clear();
    got.check(&what, &want)
}

fn weights(context: &Context, n: usize, way: usize) -> usize {
    let mut r = Random((n * 100 + way) as u64);
    let dims = [3, n.max(2) - 1, 2 * n, 40][way % 4];
    // rows that see each other well or badly, the same twice, one of zeros, all of zeros
    let lean = [0.0, 0.0, 1.0, 3.0][way / 4];
    let mut rows: Vec<Vec<f64>> = (0..n)
        .map(|i| (0..dims).map(|d| r.normal() * (1.0 + (i % 3) as f64) + if d == 0 { lean } else { 0.0 }).collect())
        .collect();
    match way {
        3 if n > 1 => rows[n - 1] = rows[0].clone(),
        5 => rows[n / 2].fill(0.0),
        7 => rows.iter_mut().for_each(|x| x.fill(0.0)),
        11 => rows.iter_mut().for_each(|x| x.fill(1.0)),
        _ => {}
    }
    let kind = [3, 0, 3, 1][way % 4];
    // of both halves the same numbers, whatever they are rounded to
    let gram = Table::new(kind, n, n, 2, |i, j| {
        let (i, j) = (i.max(j), i.min(j));
        rows[i].iter().zip(&rows[j]).map(|(a, b)| a * b).sum::<f64>() / dims as f64
    });
    let (wide, tolerance) = (way % 3 != 0, [1e-12, 1e-3][way % 5 / 4]);
    let x = spec::MinNormWeights { gram: gram.cpu(), tolerance };
    let new = || [Place::new(wide, n), Place::new(!wide, 1)];
    let (mut want, mut got) = (new(), new());
    let [w, v] = &mut want;
    let out = spec::MinNormWeightsOut { weights: Some(w.cpu()), value: Some(v.cpu()) };
    let what = format!("min_norm_weights {n} {way}");
    with_scratch(cpu::min_norm_weights_workspace(&x).minimum, |s| cpu::min_norm_weights(&x, out, s))
        .unwrap_or_else(|e| panic!("{what}: {e}"));
    let out = device::MinNormWeightsOut { weights: Some(got[0].device()), value: Some(got[1].device()) };
    // SAFETY: as above.
    unsafe { device::min_norm_weights(context, STREAM, gram.device(), tolerance, &out) }
        .unwrap_or_else(|e| panic!("{what}: {e}"));
    got.iter_mut().for_each(Place::fetch);
    memory::clear();
    got[0].check(&format!("{what}: weights"), &want[0]) + got[1].check(&format!("{what}: value"), &want[1])
}

fn coefficients(context: &Context) -> usize {
    let rules = [
        Rule::kl(&[0.1, 64.0]).unwrap(),
        Rule::kl(&[0.3, 1e6, 100.0]).unwrap(),
        Rule::entropy(&[]).unwrap(),
        Rule::entropy(&[0.5, 0.3, 0.1, 0.9]).unwrap(),
    ];
    let mut done = 0;
    for (k, rule) in rules.into_iter().enumerate() {
        for measured in [0.0, 0.05, 0.1, 0.11, 0.3, 0.5, 7.0, -1.0, 1e300, f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            for coef in [0.0, 0.004, 0.2, 0.85, 3.0] {
                let kind = [3, 0][k % 2];
                let (measured, coef) = (Numbers::new(kind, vec![measured]), Numbers::new(3 - kind, vec![coef]));
                let new = || ([Place::new(k < 2, 1), Place::new(k >= 2, 1)], [9u32]);
                let (mut want, mut got) = (new(), new());
                let [c, a] = &mut want.0;
                let status = Some(MatrixMut::vector(&mut want.1));
                let out = spec::ControllerOut { coef: Some(c.cpu()), applied: Some(a.cpu()), status };
                cpu::controller(&spec::Controller { measured: measured.cpu(), coef: coef.cpu(), rule }, out).unwrap();
                let out = device::ControllerOut {
                    coef: Some(got.0[0].device()),
                    applied: Some(got.0[1].device()),
                    status: Some(vector(&got.1, Dtype::U32)),
                };
                // SAFETY: as above.
                unsafe { device::controller(context, STREAM, measured.device(), coef.device(), rule, &out) }.unwrap();
                got.0.iter_mut().for_each(Place::fetch);
                memory::down(&mut got.1);
                memory::clear();
                let what = format!("{rule:?}");
                same(&what, &got.1, &want.1);
                done += 1 + (0..2).map(|q| got.0[q].check(&what, &want.0[q])).sum::<usize>();
            }
        }
    }
    done
}

/// Offsets, matrices and coefficients that only the device can see.
fn outside(context: &Context) -> usize {
    let (ones, zeros, cut) = ([1.0f64; 6], [0.0f64; 6], [0i64, 2, 9, 6]);
    let mut y = vec![7.0f64; 3];
    let x = device::PamaScalars {
        layout: Layout::Packed { tokens: 6, offsets: vector(&cut, Dtype::I64) },
        advantages: Tensor { layout: Shape::contiguous(1, 6), ..vector(&ones, Dtype::F64) },
        logps: vector(&zeros, Dtype::F64),
        anchor: vector(&zeros, Dtype::F64),
        mask: None,
        granularity: Granularity::Sequence,
        clip_high: 0.2,
    };
    let out = Tensor { layout: Shape::contiguous(1, 3), ..vector(&y, Dtype::F64) };
    // SAFETY: as above.
    unsafe { device::pama_scalars(context, STREAM, &x, &Some(out)) }.unwrap();
    memory::down(&mut y);
    memory::clear();
    let y = std::hint::black_box(y);
    assert!(y[0] == 1.0 && y[1].is_nan() && y[2].is_nan(), "{y:?}");
    let matrices = [
        ([1.0f64, 0.5, 0.5, 2.0], true),
        ([1.0, 0.5, 0.25, 2.0], false),
        ([1.0, 0.0, 0.0, -1.0], false),
        ([f64::INFINITY, 0.0, 0.0, 1.0], false),
        ([1.0, f64::NAN, f64::NAN, 1.0], false),
    ];
    for (matrix, good) in matrices {
        let (mut w, mut value) = (vec![7.0f64; 2], vec![7.0f64]);
        let gram = Tensor { layout: Shape::contiguous(2, 2), ..vector(&matrix, Dtype::F64) };
        let out = device::MinNormWeightsOut {
            weights: Some(vector(&w, Dtype::F64)),
            value: Some(vector(&value, Dtype::F64)),
        };
        // SAFETY: as above.
        unsafe { device::min_norm_weights(context, STREAM, gram, 1e-12, &out) }.unwrap();
        memory::down(&mut w);
        memory::down(&mut value);
        memory::clear();
        let all = std::hint::black_box([w[0], w[1], value[0]]);
        assert!(all.iter().all(|x| x.is_nan() != good), "{matrix:?}: {all:?}");
    }
    for (coef, status) in [(0.5f64, 0), (-0.5, row::OUT_OF_RANGE), (f64::NAN, row::OUT_OF_RANGE)] {
        let (measured, coef, mut next, mut word) = ([0.1f64], [coef], vec![7.0f64], vec![9u32]);
        let (measured, coef) = (vector(&measured, Dtype::F64), vector(&coef, Dtype::F64));
        let out = device::ControllerOut {
            coef: Some(vector(&next, Dtype::F64)),
            applied: None,
            status: Some(vector(&word, Dtype::U32)),
        };
        // SAFETY: as above.
        unsafe { device::controller(context, STREAM, measured, coef, Rule::kl(&[0.1, 8.0]).unwrap(), &out) }.unwrap();
        memory::down(&mut next);
        memory::down(&mut word);
        memory::clear();
        assert_eq!(std::hint::black_box(&word)[..], [status]);
        assert_eq!(std::hint::black_box(&next)[0].is_nan(), status != 0);
    }
    24
}
