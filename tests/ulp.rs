//! Judge of the elementary functions in f32: an independent f64 evaluation over the standard library's functions.
use truing_core::real::Real;
use truing_cpu::lanes::{L32, Sixteen};
use truing_cpu::{Isa, on_lanes};

/// Number of functions.
pub const N: usize = 10;
/// Names, in the order of `ours` and `oracle`.
pub const NAMES: [&str; N] =
    ["exp", "expm1", "exp_rem", "log", "log1p", "tanh", "sigmoid", "softplus", "log_sigmoid", "log1mexp"];
/// Largest error in ulp that the documentation of `Real` promises.
pub const BOUND: [f64; N] = [1.1, 2.0, 3.0, 1.1, 1.1, 3.0, 3.0, 2.0, 2.0, 2.1];

/// All functions at `x`.
#[inline(always)]
pub fn ours<R: Real>(x: R) -> [R; N] {
    [
        Real::exp(x),
        Real::expm1(x),
        Real::exp_rem(x),
        Real::log(x),
        Real::log1p(x),
        Real::tanh(x),
        Real::sigmoid(x),
        Real::softplus(x),
        Real::log_sigmoid(x),
        Real::log1mexp(x),
    ]
}
/// The same in f64, from the standard library.
fn oracle(x: f64) -> [f64; N] {
    let (e, m) = (x.exp(), x.exp_m1());
    let rem = if x.abs() < 1.0 {
        // x^2 / 2! + x^3 / 3! + ...
        let mut sum = 0.0;
        for k in (2..=22).rev() {
            sum = (sum + 1.0) * x / k as f64;
        }
        sum * x
    } else if x == f64::INFINITY {
        x
    } else {
        m - x
    };
    let softplus = |x: f64| x.max(0.0) + (-x.abs()).exp().ln_1p();
    let sigmoid = if x < 0.0 { e / (1.0 + e) } else { 1.0 / (1.0 + (-x).exp()) };
    let mexp = if x > -core::f64::consts::LN_2 { (-m).ln() } else { (-e).ln_1p() };
    [e, m, rem, x.ln(), x.ln_1p(), x.tanh(), sigmoid, softplus(x), -softplus(-x), mexp]
}
/// Distance in units in the last place of f32 at the exact value; infinite where one is NaN and the other is not.
fn distance(got: f32, exact: f64) -> f64 {
    if exact.is_nan() || got.is_nan() {
        return if exact.is_nan() && got.is_nan() { 0.0 } else { f64::INFINITY };
    }
    let exact = if exact.abs() >= 2f64.powi(128) - 2f64.powi(103) { exact * f64::INFINITY } else { exact };
    if got as f64 == exact {
        return 0.0;
    }
    let exponent = ((exact.to_bits() >> 52 & 0x7ff) as i32 - 1023).max(-126);
    (got as f64 - exact).abs() / 2f64.powi(exponent - 23)
}

/// The largest error found and where.
#[derive(Clone, Copy)]
pub struct Worst {
    /// In ulp.
    pub ulp: f64,
    /// The argument.
    pub at: f32,
}
/// Every `stride`-th bit pattern of f32, from `start` on. Returns how many there were and the worst of each function.
pub fn sweep(start: u32, stride: u32) -> (u64, [Worst; N]) {
    let isa = Isa::detect();
    let mut worst = [Worst { ulp: 0.0, at: 0.0 }; N];
    let (mut next, mut count) = (start as u64, 0);
    while next < 1 << 32 {
        let x: [f32; 16] =
            core::array::from_fn(|k| f32::from_bits((next + k as u64 * stride as u64).min(u32::MAX as u64) as u32));
        next += 16 * stride as u64;
        count += 16;
        let y = on_lanes!(isa, s => in_lanes(s, &x), core::array::from_fn(|k| core::array::from_fn(|i| ours(x[i])[k])));
        for (i, &x) in x.iter().enumerate() {
            let exact = oracle(x as f64);
            for k in 0..N {
                let ulp = distance(y[k][i], exact[k]);
                if ulp > worst[k].ulp {
                    worst[k] = Worst { ulp, at: x };
                }
            }
        }
    }
    (count, worst)
}
#[inline(always)]
fn in_lanes<S: Sixteen>(s: S, x: &[f32; 16]) -> [[f32; 16]; N] {
    let y = ours(L32::load(s, x, 0, 0.0));
    let mut out = [[0.0; 16]; N];
    for k in 0..N {
        y[k].store(&mut out[k], 0);
    }
    out
}
