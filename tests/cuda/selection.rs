//! Selections of tokens, and weights by what follows, on the stand-in device, against the CPU's bits; what only the device can
//! see.
use super::preference::{Numbers, Place};
use super::{INF, NAN, STREAM, Scratch, memory, vector};
use truing_core::Dtype;
use truing_core::correction::{self as spec, CovForm};
use truing_core::matrix::{Mask, Matrix, MatrixMut};
use truing_core::policy::Each;
use truing_core::sequence::Segments;
use truing_cpu::correction as cpu;
use truing_cuda::Context;
use truing_cuda::correction as follow;
use truing_cuda::selection::{self as device, Each as DeviceEach, Layout};
use truing_tests::{Random, same, with_scratch};

/// No token, one, around half a warp, beyond a tile, more than one block of threads.
const SIZES: [usize; 7] = [0, 1, 15, 17, 257, 2049, 5003];

/// Tokens of one way to call.
struct Case {
    n: usize,
    offsets: Vec<i64>,
    packed: bool,
    /// None, u8, i32.
    masked: usize,
    marks: Vec<u8>,
    wide_marks: Vec<i32>,
    values: Numbers,
    other: Numbers,
    noise: Numbers,
    advantage: Numbers,
    of_sequence: Numbers,
    by_sequence: bool,
}
impl Case {
    fn new(n: usize, seed: u64) -> Case {
        let (kind, hostile) = (seed as usize % 4, seed % 3 == 1);
        let mut r = Random(seed + 1000 * n as u64);
        let packed = seed % 2 == 0;
        let offsets = match n {
            0 | 1 => vec![0, 0, n as i64],
            _ => vec![0, 1, 1, (n / 3).max(1) as i64, n as i64],
        };
        let b = if packed { offsets.len() - 1 } else { 1 };
        // many equal ones, both zeros among them
        let coarse = |x: f64| if seed % 5 < 2 { (4.0 * x).round() / 4.0 } else { x };
        let mut values: Vec<f64> = (0..n).map(|_| coarse(r.normal())).collect();
        let mut other: Vec<f64> = values.iter().map(|x| x + coarse(0.4 * r.normal())).collect();
        let mut noise: Vec<f64> = (0..n).map(|_| coarse(r.normal())).collect();
        let mut advantage: Vec<f64> = (0..n).map(|_| coarse(2.0 * r.normal())).collect();
        let of_sequence = (0..b).map(|k| if hostile && k == 1 { NAN as f64 } else { r.normal() }).collect();
        if hostile && n > 8 {
            let odd = [NAN as f64, INF as f64, -INF as f64, -0.0, 1e300, -1e300];
            for (k, x) in odd.into_iter().enumerate() {
                for y in [&mut values, &mut other, &mut noise, &mut advantage] {
                    y[(r.below(n - 6) + k) % n] = x;
                }
            }
        }
        let masked = (seed / 2) as usize % 3;
        // nothing is live now and then
        let dead = seed % 11 == 4;
        let marks: Vec<u8> = (0..n).map(|_| (!dead && r.below(5) > 0) as u8).collect();
        let wide_marks = marks.iter().map(|&x| -7 * x as i32).collect();
        if masked > 0 {
            // what is masked may hold anything
            (0..n).filter(|&i| marks[i] == 0).for_each(|i| (values[i], advantage[i]) = (NAN as f64, INF as f64));
        }
        Case {
            n,
            offsets,
            packed,
            masked,
            marks,
            wide_marks,
            values: Numbers::new(kind, values),
            other: Numbers::new((kind + 1) % 4, other),
            noise: Numbers::new((kind + 2) % 4, noise),
            advantage: Numbers::new((kind + 3) % 4, advantage),
            of_sequence: Numbers::new(3, of_sequence),
            by_sequence: seed % 7 > 3,
        }
    }
    fn segments(&self) -> Segments<'_> {
        match self.packed {
            true => Segments::Packed(Matrix::vector(&self.offsets).into()),
            false => Segments::Padded { sequences: 1, width: self.n },
        }
    }
    fn layout(&self) -> Layout {
        match self.packed {
            true => Layout::Packed { tokens: self.n, offsets: vector(&self.offsets, Dtype::I64) },
            false => Layout::Padded { sequences: 1, width: self.n },
        }
    }
    fn mask(&self) -> Option<Mask<'_>> {
        match self.masked {
            0 => None,
            1 => Some(Matrix::vector(&self.marks).into()),
            _ => Some(Matrix::vector(&self.wide_marks).into()),
        }
    }
    fn device_mask(&self) -> Option<truing_cuda::Tensor> {
        match self.masked {
            0 => None,
            1 => Some(vector(&self.marks, Dtype::U8)),
            _ => Some(vector(&self.wide_marks, Dtype::I32)),
        }
    }
    fn advantages(&self) -> Each<truing_core::matrix::Floats<'_>> {
        match self.by_sequence {
            true => Each::Sequence(self.of_sequence.cpu()),
            false => Each::Token(self.advantage.cpu()),
        }
    }
    fn device_advantages(&self) -> DeviceEach {
        match self.by_sequence {
            true => DeviceEach::Sequence(self.of_sequence.device()),
            false => DeviceEach::Token(self.advantage.device()),
        }
    }
}

pub(super) fn all(context: &Context) -> usize {
    let mut done = 0;
    let fewest = std::env::var("TRUING_CASES").is_ok_and(|cases| cases == "fewest");
    for n in SIZES {
        for seed in 0..if n > 2000 || fewest { 4 } else { 12 } {
            let c = Case::new(n, seed + n as u64);
            done += entropy(context, &c, seed);
            done += cov(context, &c, CovForm::Kl, false, seed);
            done += cov(context, &c, CovForm::Clip, seed % 2 == 0, seed);
            done += moment(context, &c, seed);
            done += weights(context, &c, seed);
        }
    }
    done + outside(context)
}
fn entropy(context: &Context, c: &Case, seed: u64) -> usize {
    let (n, share) = (c.n, [0.2, 1.0, 1e-9, 0.5, 0.999][seed as usize % 5]);
    let x = spec::TopEntropyMask { entropy: c.values.cpu(), mask: c.mask(), share };
    let new = || (vec![9u8; n], Place::new(seed % 3 > 0, 1), vec![9u32; 1]);
    let (mut want, mut got) = (new(), new());
    let out = spec::TopEntropyMaskOut {
        keep: Some(MatrixMut::vector(&mut want.0)),
        threshold: Some(want.1.cpu()),
        status: Some(MatrixMut::vector(&mut want.2)),
    };
    let what = format!("top_entropy_mask of {n}, {seed}");
    with_scratch(cpu::top_entropy_mask_workspace(&x).minimum, |w| cpu::top_entropy_mask(&x, out, w))
        .unwrap_or_else(|e| panic!("{what}: {e}"));
    let x = device::TopEntropyMask { entropy: c.values.device(), mask: c.device_mask(), share };
    let out = device::TopEntropyMaskOut {
        keep: Some(vector(&got.0, Dtype::U8)),
        threshold: Some(got.1.device()),
        status: Some(vector(&got.2, Dtype::U32)),
    };
    let space = Scratch::new(device::top_entropy_mask_workspace(&x).minimum);
    // SAFETY: the stand-in's device memory is this process's, and the arrays live.
    unsafe { device::top_entropy_mask(context, STREAM, &x, &out, space.space()) }
        .unwrap_or_else(|e| panic!("{what}: {e}"));
    memory::down(&mut got.0);
    got.1.fetch();
    memory::down(&mut got.2);
    memory::clear();
    same(&format!("{what}: keep"), &got.0, &want.0);
    same(&format!("{what}: status"), &got.2, &want.2);
    n + 1 + got.1.check(&format!("{what}: threshold"), &want.1)
}
fn cov(context: &Context, c: &Case, form: CovForm, noisy: bool, seed: u64) -> usize {
    let (n, clip) = (c.n, form == CovForm::Clip);
    let params = match seed % 4 {
        0 => [0.1, -1.0, 5.0, 0.2, 0.2],
        1 => [0.0, -INF as f64, INF as f64, 1.5, 0.05],
        2 => [1.0, -3.0, 3.0, 0.2, INF as f64],
        _ => [2e-4, 0.01, 5.0, 0.0, 0.3],
    };
    let (seed_of_draw, first_token) = (if noisy { 0 } else { seed * 77 }, seed << 40);
    let x = spec::CovSelect {
        segments: c.segments(),
        logps: c.values.cpu(),
        old: clip.then(|| c.other.cpu()),
        noise: noisy.then(|| c.noise.cpu()),
        advantage: c.advantages(),
        mask: c.mask(),
        params,
        seed: seed_of_draw,
        first_token,
        form,
    };
    let new = || (vec![9i64; n], vec![9i64; 1], vec![9u8; n], vec![9u8; n]);
    let (mut want, mut got) = (new(), new());
    let few = seed % 6 == 5;
    let out = spec::CovSelectOut {
        indices: (!few).then(|| MatrixMut::vector(&mut want.0)),
        count: Some(MatrixMut::vector(&mut want.1)),
        flag: (!few).then(|| MatrixMut::vector(&mut want.2)),
        keep: Some(MatrixMut::vector(&mut want.3)),
    };
    let what = format!("cov_select of {n}, {form:?}, noise {noisy}, {seed}");
    with_scratch(cpu::cov_select_workspace(&x).minimum, |w| cpu::cov_select(&x, out, w))
        .unwrap_or_else(|e| panic!("{what}: {e}"));
    let x = device::CovSelect {
        layout: c.layout(),
        logps: c.values.device(),
        old: clip.then(|| c.other.device()),
        noise: noisy.then(|| c.noise.device()),
        advantage: c.device_advantages(),
        mask: c.device_mask(),
        params,
        seed: seed_of_draw,
        first_token,
        form,
    };
    let out = device::CovSelectOut {
        indices: (!few).then(|| vector(&got.0, Dtype::I64)),
        count: Some(vector(&got.1, Dtype::I64)),
        flag: (!few).then(|| vector(&got.2, Dtype::U8)),
        keep: Some(vector(&got.3, Dtype::U8)),
    };
    let space = Scratch::new(device::cov_select_workspace(&x).minimum);
    // SAFETY: as above.
    unsafe { device::cov_select(context, STREAM, &x, &out, space.space()) }.unwrap_or_else(|e| panic!("{what}: {e}"));
    memory::down(&mut got.0);
    memory::down(&mut got.1);
    memory::down(&mut got.2);
    memory::down(&mut got.3);
    memory::clear();
    same(&format!("{what}: count"), &got.1, &want.1);
    same(&format!("{what}: indices"), &got.0, &want.0);
    same(&format!("{what}: flag"), &got.2, &want.2);
    same(&format!("{what}: keep"), &got.3, &want.3);
    3 * n + 1
}
fn moment(context: &Context, c: &Case, seed: u64) -> usize {
    let (n, threshold) = (c.n, [0.04, 1e-9, 1e9, INF as f64, 0.1][seed as usize % 5]);
    let x = spec::M2poMask { old: c.values.cpu(), proximal: c.other.cpu(), mask: c.mask(), threshold };
    let new = || (vec![9u8; n], Place::new(seed % 3 > 0, 1), vec![9i64; 1]);
    let (mut want, mut got) = (new(), new());
    let out = spec::M2poMaskOut {
        keep: Some(MatrixMut::vector(&mut want.0)),
        moment: Some(want.1.cpu()),
        dropped: Some(MatrixMut::vector(&mut want.2)),
    };
    let what = format!("m2po_mask of {n}, {seed}");
    with_scratch(cpu::m2po_mask_workspace(&x).minimum, |w| cpu::m2po_mask(&x, out, w))
        .unwrap_or_else(|e| panic!("{what}: {e}"));
    let (old, proximal) = (c.values.device(), c.other.device());
    let x = device::M2poMask { old, proximal, mask: c.device_mask(), threshold };
    let out = device::M2poMaskOut {
        keep: Some(vector(&got.0, Dtype::U8)),
        moment: Some(got.1.device()),
        dropped: Some(vector(&got.2, Dtype::I64)),
    };
    let space = Scratch::new(device::m2po_mask_workspace(&x).minimum);
    // SAFETY: as above.
    unsafe { device::m2po_mask(context, STREAM, &x, &out, space.space()) }.unwrap_or_else(|e| panic!("{what}: {e}"));
    memory::down(&mut got.0);
    got.1.fetch();
    memory::down(&mut got.2);
    memory::clear();
    same(&format!("{what}: dropped"), &got.2, &want.2);
    same(&format!("{what}: keep"), &got.0, &want.0);
    n + 1 + got.1.check(&format!("{what}: moment"), &want.1)
}
fn weights(context: &Context, c: &Case, seed: u64) -> usize {
    let (n, high_only) = (c.n, seed % 4 == 1);
    let params = match seed % 3 {
        0 => [32.0, 0.2, INF as f64, 4.0],
        1 => [2.0, 0.0, 1.2, INF as f64],
        _ => [1e-3, 0.9, 3.0, 1.1],
    };
    let x = spec::FipoWeight {
        segments: c.segments(),
        logps: c.values.cpu(),
        old: c.other.cpu(),
        advantage: c.advantages(),
        mask: c.mask(),
        params,
        high_only,
    };
    let new = || (Place::new(seed % 3 == 0, n), vec![9u32; n]);
    let (mut want, mut got) = (new(), new());
    let out = spec::FipoWeightOut { weights: Some(want.0.cpu()), status: Some(MatrixMut::vector(&mut want.1)) };
    let what = format!("fipo_weight of {n}, {seed}");
    cpu::fipo_weight(&x, out).unwrap_or_else(|e| panic!("{what}: {e}"));
    let x = follow::FipoWeight {
        layout: c.layout(),
        logps: c.values.device(),
        old: c.other.device(),
        advantage: c.device_advantages(),
        mask: c.device_mask(),
        params,
        high_only,
    };
    let out = follow::FipoWeightOut { weights: Some(got.0.device()), status: Some(vector(&got.1, Dtype::U32)) };
    // SAFETY: as above.
    unsafe { follow::fipo_weight(context, STREAM, &x, &out) }.unwrap_or_else(|e| panic!("{what}: {e}"));
    got.0.fetch();
    memory::down(&mut got.1);
    memory::clear();
    same(&format!("{what}: status"), &got.1, &want.1);
    n + got.0.check(&format!("{what}: weights"), &want.0)
}

/// Offsets that only the device can see, rows that lie apart, and what the host refuses.
fn outside(context: &Context) -> usize {
    // sequences of one and of two tokens; those between them are of none
    let (logps, advantage) = ([-1.0f64, -2.0, -0.5, -3.0, -0.1, -0.2], [1.0f64, -1.0, 2.0, 3.0, 0.5, 0.25]);
    let cut = [0i32, 1, 9, 4, 6];
    let mut x = device::CovSelect {
        layout: Layout::Packed { tokens: 6, offsets: vector(&cut, Dtype::I32) },
        logps: vector(&logps, Dtype::F64),
        old: None,
        noise: None,
        advantage: DeviceEach::Token(vector(&advantage, Dtype::F64)),
        mask: None,
        params: [1.0, 1.0, 5.0, 0.2, 0.2],
        seed: 0,
        first_token: 0,
        form: CovForm::Kl,
    };
    let (mut flag, mut count) = (vec![9u8; 6], vec![9i64; 1]);
    let out = device::CovSelectOut {
        flag: Some(vector(&flag, Dtype::U8)),
        count: Some(vector(&count, Dtype::I64)),
        ..Default::default()
    };
    let space = Scratch::new(device::cov_select_workspace(&x).minimum);
    // SAFETY: as above.
    let go = |x: &device::CovSelect| unsafe { device::cov_select(context, STREAM, x, &out, space.space()) };
    go(&x).unwrap();
    memory::down(&mut flag);
    memory::down(&mut count);
    assert_eq!((std::hint::black_box(&flag)[..].to_vec(), count[0]), (vec![1, 0, 0, 0, 1, 1], 3));
    x.old = Some(vector(&logps, Dtype::F64));
    assert_eq!(go(&x).unwrap_err().field, "old");
    (x.form, x.noise, x.seed) = (CovForm::Clip, Some(vector(&logps, Dtype::F64)), 5);
    assert_eq!(go(&x).unwrap_err().field, "seed");
    x.noise = Some(vector(&logps[..5], Dtype::F64));
    x.seed = 0;
    assert_eq!(go(&x).unwrap_err().field, "noise");
    memory::clear();
    // every other number
    let apart: Vec<f32> = (0..11).map(|k| if k % 2 == 0 { k as f32 } else { NAN }).collect();
    let entropy = super::tensor(&apart, Dtype::F32, truing_core::matrix::Layout::strided(6, 1, 2));
    let mut x = device::TopEntropyMask { entropy, mask: None, share: 0.5 };
    let (mut keep, mut status) = (vec![9u8; 6], vec![9u32; 1]);
    let out = device::TopEntropyMaskOut {
        keep: Some(vector(&keep, Dtype::U8)),
        status: Some(vector(&status, Dtype::U32)),
        ..Default::default()
    };
    let space = Scratch::new(device::top_entropy_mask_workspace(&x).minimum);
    // SAFETY: as above.
    let go = |x: &device::TopEntropyMask| unsafe { device::top_entropy_mask(context, STREAM, x, &out, space.space()) };
    go(&x).unwrap();
    memory::down(&mut keep);
    memory::down(&mut status);
    assert_eq!((std::hint::black_box(&keep)[..].to_vec(), status[0]), (vec![0, 0, 0, 1, 1, 1], 0));
    x.share = 0.0;
    assert_eq!(go(&x).unwrap_err().field, "share");
    memory::clear();
    let x = device::M2poMask {
        old: vector(&logps, Dtype::F64),
        proximal: vector(&logps[..5], Dtype::F64),
        mask: None,
        threshold: 0.04,
    };
    let space = Scratch::new(device::m2po_mask_workspace(&x).minimum);
    let out = device::M2poMaskOut::default();
    // SAFETY: refused.
    let go = |x: &device::M2poMask, space| unsafe { device::m2po_mask(context, STREAM, x, &out, space) };
    assert_eq!(go(&x, space.space()).unwrap_err().field, "proximal");
    let x = device::M2poMask { proximal: x.old, threshold: f64::NAN, ..x };
    assert_eq!(go(&x, space.space()).unwrap_err().field, "threshold");
    let x = device::M2poMask { threshold: 0.04, ..x };
    assert_eq!(go(&x, truing_cuda::Space::NONE).unwrap_err().field, "workspace_size");
    memory::clear();
    // a sequence with wrong offsets has no weights
    let (mut weights, mut status) = (vec![9.0f64; 6], vec![9u32; 6]);
    let x = follow::FipoWeight {
        layout: Layout::Packed { tokens: 6, offsets: vector(&cut, Dtype::I32) },
        logps: vector(&logps, Dtype::F64),
        old: vector(&logps, Dtype::F64),
        advantage: DeviceEach::Token(vector(&advantage, Dtype::F64)),
        mask: None,
        params: spec::FipoWeight::params(&[]).unwrap(),
        high_only: false,
    };
    let out = follow::FipoWeightOut {
        weights: Some(vector(&weights, Dtype::F64)),
        status: Some(vector(&status, Dtype::U32)),
    };
    // SAFETY: as above.
    unsafe { follow::fipo_weight(context, STREAM, &x, &out) }.unwrap();
    memory::down(&mut weights);
    memory::down(&mut status);
    memory::clear();
    assert_eq!(std::hint::black_box(&weights)[..], [1.0, 9.0, 9.0, 9.0, 1.0, 1.0]);
    assert_eq!(std::hint::black_box(&status)[..], [0, 9, 9, 9, 0, 0]);
    31
}
