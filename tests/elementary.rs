//! The elementary functions of `Real`: error bounds in f32 and f64, special values.
mod ulp;
use truing_core::real::Real;

#[test]
fn f32_within_its_bounds_on_every_61st_float() {
    let threads: Vec<_> = (0..2).map(|k| std::thread::spawn(move || ulp::sweep(k * 61, 122))).collect();
    let parts: Vec<_> = threads.into_iter().map(|t| t.join().expect("a worker panicked")).collect();
    let count: u64 = parts.iter().map(|p| p.0).sum();
    println!("f32: {count} arguments of each function");
    assert!(count >= 70_400_000, "{count}");
    for k in 0..ulp::N {
        let worst = parts.iter().map(|p| p.1[k]).max_by(|a, b| a.ulp.total_cmp(&b.ulp)).expect("two parts");
        println!("f32 {:12} {:.3} ulp at {:e}", ulp::NAMES[k], worst.ulp, worst.at);
        assert!(worst.ulp <= ulp::BOUND[k], "{}: {} ulp at {:e}", ulp::NAMES[k], worst.ulp, worst.at);
    }
}

/// `golden/elementary.bin`, written by `golden/elementary.py`.
#[test]
fn f64_within_its_bounds_on_stored_points() {
    const RECORD: usize = 20;
    let data = include_bytes!("golden/elementary.bin");
    let points = data.len() / RECORD / ulp::N;
    println!("f64: {points} arguments of each function");
    assert!(points >= 4000 && data.len().is_multiple_of(RECORD * ulp::N));
    for (k, part) in data.chunks_exact(points * RECORD).enumerate() {
        let (mut worst, mut at) = (0f64, 0.0);
        for r in part.chunks_exact(RECORD) {
            let double = |i: usize| f64::from_le_bytes(r[i..i + 8].try_into().expect("8 bytes"));
            let (x, y, rest) = (double(0), double(8), f32::from_le_bytes(r[16..].try_into().expect("4 bytes")));
            let got = ulp::ours(x)[k];
            let error = if got == y {
                rest.abs() as f64
            } else if got.is_finite() && y.is_finite() {
                let exponent = ((y.to_bits() >> 52 & 0x7ff) as i32 - 1023).max(-1022);
                // in two factors: 2^-1074 is the smallest
                ((got - y) / 2f64.powi(exponent) * 2f64.powi(52) - rest as f64).abs()
            } else {
                f64::INFINITY
            };
            if error > worst {
                (worst, at) = (error, x);
            }
        }
        println!("f64 {:12} {worst:.3} ulp at {at:e}", ulp::NAMES[k]);
        assert!(worst <= ulp::BOUND[k], "{}: {worst} ulp at {at:e}", ulp::NAMES[k]);
    }
}

fn same<T: PartialEq + Copy>(a: T, b: T, bits: impl Fn(T) -> u64) -> bool {
    #[allow(clippy::eq_op)]
    let nan = a != a && b != b;
    nan || bits(a) == bits(b)
}

#[test]
fn special_values() {
    const INF: f64 = f64::INFINITY;
    const NAN: f64 = f64::NAN;
    let ln2 = core::f64::consts::LN_2;
    // x, then the functions in the order of `ulp::NAMES`; exact, so both formats must give it rounded
    let table: [(f64, [f64; ulp::N]); 5] = [
        (INF, [INF, INF, INF, INF, INF, 1.0, 1.0, INF, 0.0, NAN]),
        (-INF, [0.0, -1.0, INF, NAN, NAN, -1.0, 0.0, 0.0, -INF, 0.0]),
        (NAN, [NAN; ulp::N]),
        (0.0, [1.0, 0.0, 0.0, -INF, 0.0, 0.0, 0.5, ln2, -ln2, -INF]),
        (-0.0, [1.0, -0.0, 0.0, -INF, -0.0, -0.0, 0.5, ln2, -ln2, -INF]),
    ];
    let mut count = 0;
    for (x, want) in table {
        let (single, double) = (ulp::ours(x as f32), ulp::ours(x));
        for k in 0..ulp::N {
            // -0 and +0 are one where the value is a difference that vanishes
            let eq32 = same(single[k], want[k] as f32, |v| v.to_bits() as u64) || single[k] == 0.0 && want[k] == 0.0;
            let eq64 = same(double[k], want[k], f64::to_bits) || double[k] == 0.0 && want[k] == 0.0;
            assert!(eq32 && eq64, "{}({x}): {} {}, not {}", ulp::NAMES[k], single[k], double[k], want[k]);
            count += 2;
        }
    }
    // signs of zero that must survive
    for f in [Real::expm1 as fn(f64) -> f64, Real::tanh] {
        assert!(same(f(-0.0), -0.0, f64::to_bits) && same(f(0.0), 0.0, f64::to_bits));
        count += 2;
    }
    // denormals go through unchanged where the function is x to first order, overflow and underflow end where they must
    for tiny in [f64::from_bits(1), -f64::from_bits(1), 1e-310] {
        assert_eq!((Real::expm1(tiny), Real::log1p(tiny), Real::tanh(tiny)), (tiny, tiny, tiny));
        count += 3;
    }
    for tiny in [f32::from_bits(1), -f32::from_bits(1), 1e-40] {
        assert_eq!((Real::expm1(tiny), Real::log1p(tiny), Real::tanh(tiny)), (tiny, tiny, tiny));
        count += 3;
    }
    assert_eq!((Real::exp(88.722_84_f32), Real::exp(709.79_f64)), (f32::INFINITY, INF));
    assert_eq!((Real::exp(-104.1_f32), Real::exp(-745.3_f64)), (0.0, 0.0));
    assert_eq!((Real::exp(-103.9_f32), Real::exp(-745.1_f64)), (f32::from_bits(1), f64::from_bits(1)));
    count += 6;
    // powers of two: exact, denormal ones included
    for n in -149..128 {
        let p = 2f64.powi(n);
        assert_eq!(Real::exponent(p), n as f64);
        assert_eq!(Real::mantissa(p), 1.0);
        assert!(n < -126 || Real::exp2i(n as f32) == p as f32 && Real::exp2i(n as f64) == p);
        count += 2;
    }
    // min and max
    for (got, want) in [
        (Real::min(NAN, 1.0), NAN),
        (Real::min(1.0, NAN), NAN),
        (Real::max(NAN, 1.0), NAN),
        (Real::max(1.0, NAN), NAN),
        (Real::min(-0.0, 0.0), -0.0),
        (Real::min(0.0, -0.0), 0.0),
        (Real::max(-0.0, 0.0), -0.0),
        (Real::max(-INF, INF), INF),
        (Real::min(-INF, INF), -INF),
    ] {
        assert!(same(got, want, f64::to_bits), "{got} {want}");
        count += 1;
    }
    println!("{count} special values");
    assert!(count >= 680, "{count}");
}
