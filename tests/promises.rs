//! What the library promises beyond single operations: committed bits, rows of every kind against f64, sums that do not
//! stall, more than 2^31 elements, nothing to do, and no request to the system.
#[path = "hashes.rs"]
#[allow(dead_code)]
mod hashes;
use core::ffi::{c_int, c_void};
use core::ptr::{null, null_mut};
use truing_core::catalog::Kind;
use truing_core::linear_logprob as core_linear;
use truing_core::logprob::{Figures, Options, Problem, Rows, TransformInputs, Upstream};
use truing_core::matrix::{Floats, Ints, Layout, Mask, Matrix, MatrixMut};
use truing_core::{Dtype, Status};
use truing_core::{policy as pol, preference as pref, sequence as seq};
use truing_cpu::linear_logprob::Grads;
use truing_cpu::logprob::{BackwardInputs, Grad, Inputs, backward, forward};
use truing_cpu::{Context, ContextOptions, Isa, Mode, linear_logprob, policy, preference, sequence};
use truing_ffi::abi::*;
use truing_tests::{Cases, Random, U, context, contexts, id, same, with_scratch};

// ---- bits

/// Promises D1, D3, D3' and D6. Mode `fast` computes what `portable` does but for the gradients of the linear form, which
/// round dz of bf16 operands: these are held to equal bits for any threads and instruction set here, and to what the rounding
/// makes of them by `linear_options::fast_mode_rounds_dz_once`.
#[test]
fn committed_bits() {
    let file = std::fs::read_to_string(hashes::FILE).expect("golden/hashes.txt");
    let committed: Vec<u64> = file
        .lines()
        .flat_map(|l| l.split_whitespace().skip(2))
        .map(|w| u64::from_str_radix(w, 16).expect("a hash"))
        .collect();
    let names: Vec<&str> = file.lines().map(|l| l.split_whitespace().next().unwrap_or("")).collect();
    let known: Vec<&str> = hashes::OPERATIONS.iter().flat_map(|o| vec![o.0; hashes::CASES / 8]).collect();
    assert_eq!(
        names, known,
        "golden/hashes.txt lists other operations; `cargo run -p truing-tests --bin hashes` writes it"
    );
    assert_eq!(committed.len(), hashes::OPERATIONS.len() * hashes::CASES);
    let mut distinct = committed.clone();
    distinct.sort();
    distinct.dedup();
    assert!(distinct.len() > committed.len() * 99 / 100, "cases that are all alike prove nothing: {}", distinct.len());
    let all: Vec<Isa> = Isa::available().collect();
    println!("instruction sets: {}", all.iter().map(|i| i.name()).collect::<Vec<_>>().join(", "));
    // every second operation on a core of its own: no other test runs as long
    let parts = std::thread::scope(|s| {
        let parts = [0, 1].map(|part| {
            s.spawn({
                let (all, committed) = (&all, &committed);
                move || bits_of(part, all, committed)
            })
        });
        parts.map(|p| p.join().unwrap_or_else(|e| std::panic::resume_unwind(e)))
    });
    let cases = Cases(parts.iter().map(|p| p.0).sum());
    let rounded: usize = parts.iter().map(|p| p.1).sum();
    println!("{rounded} cases of the fast mode have bits of their own");
    assert!((1..=hashes::CASES).contains(&rounded), "about a quarter of the cases of two operations has bf16 operands");
    // 6 numbers of threads, 2 of them in fast mode too, 12 repetitions; 3 and 2 with a further instruction set, as x86-64 has
    cases.finish("committed bits", 17 * hashes::CASES * if all.len() > 1 { 25 } else { 20 });
}

/// Every second operation from `part` on: cases that ran, and cases of the mode `fast` that have bits of their own.
fn bits_of(part: usize, all: &[Isa], committed: &[u64]) -> (usize, usize) {
    let mut cases = 0;
    let rounds =
        ["linear_logprob_backward", "linear_preference_forward", "linear_policy_forward", "linear_divergence_forward"];
    // the sums of the mode `fast` have bits of their own on each instruction set
    let sums = ["logprob", "divergence", "sequence_kl"];
    let (mut fast, mut rounded) = (vec![None; committed.len()], 0);
    for isa in all {
        let mut own = vec![None; committed.len()];
        // the others cut their work by the same rules, and the one without any is slow
        let threads: &[usize] = if *isa == Isa::detect() { &[0, 1, 2, 3, 7, 16] } else { &[0, 3, 16] };
        for &threads in threads {
            for mode in [Mode::Portable, Mode::Fast] {
                let c = Context::new(ContextOptions { threads, mode, isa_cap: Some(*isa) }).unwrap();
                // repeated on the instruction set that users run: alone, with a few threads, with more than there are cores
                let often = *isa == Isa::detect() && mode == Mode::Portable && [0, 3, 16].contains(&threads);
                let runs = if often { 5 } else { 1 };
                if mode == Mode::Fast && ![0, 3].contains(&threads) {
                    continue;
                }
                for run in 0..runs {
                    for (k, (name, f)) in hashes::OPERATIONS.iter().enumerate().skip(part).step_by(2) {
                        for i in 0..hashes::CASES {
                            let (got, mut want) = (f(i, &c), committed[k * hashes::CASES + i]);
                            if mode == Mode::Fast && rounds.contains(name) {
                                rounded += (fast[k * hashes::CASES + i].is_none() && got != want) as usize;
                                want = *fast[k * hashes::CASES + i].get_or_insert(got);
                            } else if mode == Mode::Fast && sums.iter().any(|x| name.starts_with(x)) {
                                want = *own[k * hashes::CASES + i].get_or_insert(got);
                            }
                            assert!(
                                got == want,
                                "{name} case {i} on {} with {threads} threads, mode {mode:?}, run {run}: {got:016x}, \
                                 committed {want:016x}. Values may change between versions only with a line in \
                                 CHANGELOG.md; with that line written, `cargo run -p truing-tests --bin hashes` commits \
                                 the new bits.",
                                c.isa().name()
                            );
                            cases += 1;
                        }
                    }
                }
            }
        }
    }
    (cases, rounded)
}

// ---- rows against f64

/// A row of logits that is hard in one way or none, and its target.
fn hard_row(r: &mut Random, z: &mut [f32]) -> usize {
    let v = z.len();
    let size = [0.01, 0.5, 3.0, 3.0, 10.0, 40.0][r.below(6)];
    let kind = r.below(14);
    z.iter_mut().for_each(|x| *x = ((r.uniform() + r.uniform() + r.uniform() - 1.5) * 2.0 * size) as f32);
    let mut y = r.below(v);
    match kind {
        0 => z.fill(r.between(-50.0, 50.0) as f32),
        // near certainty, down to log-probs of -1e-13
        1 | 2 => {
            z[y] = (size + r.between(5.0, 30.0)) as f32;
            if kind == 2 {
                y = r.below(v);
            }
        }
        // neighbours in f32
        3 => z.iter_mut().for_each(|x| *x = f32::from_bits(12.5f32.to_bits() + (x.to_bits() >> 7 & 3))),
        4 => (0..v).filter(|j| j % 3 != y % 3).for_each(|j| z[j] = f32::NEG_INFINITY),
        5 => z.iter_mut().for_each(|x| *x += 1e4),
        6 => z.iter_mut().for_each(|x| *x = x.round().clamp(-2.0, 2.0)),
        7 => (0..v).for_each(|j| z[j] = j as f32 * (60.0 / v as f32)),
        8 => (0..v).for_each(|j| z[j] = (v - j) as f32 * (60.0 / v as f32)),
        // exponentials that underflow, all but a few
        9 => z.iter_mut().for_each(|x| *x -= 90.0 + 20.0 * (x.to_bits() & 1) as f32),
        10 => (0..v).for_each(|j| z[j] = if j % 2 == 0 { 5.0 } else { -5.0 }),
        // two large ones
        11 => (z[y], z[v / 2]) = (30.0, 30.0 - size as f32),
        12 => z.iter_mut().for_each(|x| *x *= 1e-38),
        _ => {}
    }
    y
}
/// Promise A2 on 1,000,000 rows: the formula in f64 with plain sums.
#[test]
fn rows_against_f64() {
    judge_rows(Mode::Portable, 1, 1.0, 1_000_000);
}
/// Promise A3 on 200,000: twice as far.
#[test]
fn fast_rows_against_f64() {
    judge_rows(Mode::Fast, 5, 2.0, 200_000);
}
/// One batch of `part`; `share` of the bounds.
fn judge_rows(mode: Mode, part: usize, share: f64, least: usize) {
    let c = Context::new(ContextOptions { threads: 2, mode, isa_cap: None }).unwrap();
    let mut r = Random(2024);
    let mut cases = Cases::default();
    let names = ["logprob", "logprob of the argmax", "lse", "entropy", "entropy near certainty", "gradient"];
    let mut worst = [0f64; 6];
    let groups = [(500, 2000, 24), (40, 500, 600), (8, 40, 6000), (4, 10, 60_000), (14, 1, 1 << 20)];
    for (batches, n, most) in groups {
        for batch in (0..batches).step_by(part) {
            let v = if most == 1 << 20 { most - batch % 2 } else { 1 + r.below(most) };
            let mut z = vec![0f32; n * v];
            let target: Vec<i64> = (0..n).map(|i| hard_row(&mut r, &mut z[i * v..(i + 1) * v]) as i64).collect();
            let (mut logprob, mut lse, mut entropy) = (vec![7f32; n], vec![7f32; n], vec![7f32; n]);
            let problem = Problem::new(n, v, Options::default()).unwrap();
            let logits = Floats::F32(Matrix::contiguous(&z, n, v).unwrap());
            let rows = Rows { target: Some(Matrix::vector(&target).into()), ..Rows::default() };
            let transform = TransformInputs::default();
            let out = Figures {
                logprob: Some(MatrixMut::vector(&mut logprob)),
                lse: Some(MatrixMut::vector(&mut lse)),
                entropy: Some(MatrixMut::vector(&mut entropy)),
                ..Figures::default()
            };
            forward(&c, &problem, Inputs::new(logits, transform, rows), out).unwrap();
            let (mut g, ones) = (vec![7f32; n * v], vec![1f32; n]);
            let grad = Grad::Separate(logits, MatrixMut::contiguous(&mut g, n, v).unwrap().into());
            let up = Upstream { logprob: Some(Matrix::vector(&ones)), ..Upstream::default() };
            backward(&c, &problem, BackwardInputs { transform, rows, ..Default::default() }, None, up, grad, None)
                .unwrap();
            for i in 0..n {
                let (z, g, y) = (&z[i * v..][..v], &g[i * v..][..v], target[i] as usize);
                let k = (0..v).fold(0, |k, j| if z[j] > z[k] { j } else { k });
                let m = z[k] as f64;
                let (mut rest, mut u, mut second) = (0.0, 0.0, f64::NEG_INFINITY);
                let mut e = vec![0f64; v];
                for (j, &x) in z.iter().enumerate() {
                    let a = x as f64 - m;
                    e[j] = a.exp();
                    if j != k && x > f32::NEG_INFINITY {
                        rest += e[j];
                        u += e[j] * a;
                        second = second.max(x as f64);
                    }
                }
                let gap = if second > f64::NEG_INFINITY { m - second } else { 0.0 };
                let (l, t, relative) = (rest.ln_1p(), z[y] as f64 - m, 8.0 * U + U * gap);
                // a probability below the smallest normal number, e^-87.34, has fewer digits or none
                let tiny = f32::MIN_POSITIVE as f64;
                let mut judge = |what: usize, got: f32, want: f64, bound: f64| {
                    let bound = share * bound;
                    let error = (got as f64 - want).abs();
                    assert!(
                        error <= bound,
                        "V {v} row {i}: {}: got {got}, expected {want}, bound {bound:e}",
                        names[what]
                    );
                    if bound > 0.0 {
                        worst[what] = worst[what].max(error / bound);
                    }
                };
                judge(2, lse[i], m + l, 4.0 * U * (l + 1.0) + U * m.abs());
                let h = l - u / (1.0 + rest);
                judge(3, entropy[i], h, 8.0 * U * (1.0 + (v as f64).ln()));
                if gap > 5.0 {
                    judge(4, entropy[i], h, relative * h + tiny * (2.0 + gap));
                }
                if t == f64::NEG_INFINITY {
                    assert!(logprob[i] == f32::NEG_INFINITY && g.iter().all(|&g| g == 0.0));
                } else {
                    judge(0, logprob[i], t - l, 4.0 * U * (t.abs() + l + 1.0));
                    if y == k {
                        judge(1, logprob[i], -l, relative * l + tiny);
                    }
                    let sum = 1.0 + rest;
                    let at = |j: usize| match (j == y, j == k) {
                        (true, true) => rest / sum,
                        (true, false) => 1.0 - e[j] / sum,
                        _ => -e[j] / sum,
                    };
                    let largest = (0..v).fold(0f64, |a, j| a.max(at(j).abs()));
                    let bound = 8.0 * U * (1.0 + gap / 8.0) * largest;
                    for (j, &g) in g.iter().enumerate() {
                        // the rounding to f32 on top
                        judge(5, g, at(j), bound + U * at(j).abs() + tiny);
                    }
                }
                cases.ran();
            }
        }
    }
    println!(
        "worst shares of the bounds: {}",
        names.iter().zip(worst).map(|(n, w)| format!("{n} {w:.3}")).collect::<Vec<_>>().join(", ")
    );
    assert!(worst.iter().all(|w| *w > 0.01), "a bound that nothing comes near is no bound");
    cases.finish(&format!("rows against f64, {mode:?}"), least);
}

// ---- sums and sizes

/// Promise A5: 2^25 ones, at which a plain f32 sum has long stalled.
#[test]
fn sums_do_not_stall() {
    let mut cases = Cases::default();
    const V: usize = 1 << 25;
    let (logits, want) = (vec![1f32; V], -(V as f64).ln());
    let bound = 4.0 * U * (want.abs() + 1.0);
    let target = [12_345_678i64];
    let rows = Rows { target: Some(Matrix::vector(&target).into()), ..Rows::default() };
    let transform = TransformInputs::default();
    let mut first = None;
    for c in contexts() {
        let (mut logprob, mut entropy) = ([7f32], [7f32]);
        let problem = Problem::new(1, V, Options::default()).unwrap();
        let z = Floats::F32(Matrix::contiguous(&logits, 1, V).unwrap());
        let out = Figures {
            logprob: Some(MatrixMut::vector(&mut logprob)),
            entropy: Some(MatrixMut::vector(&mut entropy)),
            ..Figures::default()
        };
        forward(&c, &problem, Inputs::new(z, transform, rows), out).unwrap();
        assert!((logprob[0] as f64 - want).abs() <= bound, "{}", logprob[0]);
        assert!((entropy[0] as f64 + want).abs() <= 8.0 * U * (1.0 - want), "{}", entropy[0]);
        same(c.isa().name(), &[logprob[0]], &[*first.get_or_insert(logprob[0])]);
        cases.ran();
    }
    let c = context(Isa::detect(), 2);
    let (mut g, one) = (vec![7f32; V], [1f32]);
    let problem = Problem::new(1, V, Options::default()).unwrap();
    let z = Floats::F32(Matrix::contiguous(&logits, 1, V).unwrap());
    let grad = Grad::Separate(z, MatrixMut::contiguous(&mut g, 1, V).unwrap().into());
    let up = Upstream { logprob: Some(Matrix::vector(&one)), ..Upstream::default() };
    backward(&c, &problem, BackwardInputs { transform, rows, ..Default::default() }, None, up, grad, None).unwrap();
    let sum: f64 = g.iter().map(|&g| g as f64).sum();
    assert!(sum.abs() <= 8.0 * U && (g[0] as f64 * V as f64 + 1.0).abs() <= 8.0 * U, "{sum:e} {}", g[0]);
    drop((g, logits));
    cases.ran();

    // the linear form of the same row: one hidden number, every weight the same memory
    let (x, one_target) = ([1f32], [7i32]);
    let problem = core_linear::Problem::new(1, 1, V, Options::default()).unwrap();
    let inputs = linear_logprob::Inputs::new(
        Floats::F32(Matrix::contiguous(&x, 1, 1).unwrap()),
        Floats::F32(Matrix::new(&x, Layout::strided(V, 1, 0)).unwrap()),
        transform,
        Rows { target: Some(Matrix::vector(&one_target).into()), ..Rows::default() },
    );
    let mut logprob = [7f32];
    let out = Figures { logprob: Some(MatrixMut::vector(&mut logprob)), ..Figures::default() };
    let need = linear_logprob::forward_workspace(&c, &problem, Dtype::F32, Dtype::F32).preferred;
    with_scratch(need, |s| linear_logprob::forward(&c, &problem, inputs, out, s)).unwrap();
    same("linear form", &logprob, &[first.unwrap()]);
    cases.ran();

    // sequences: 2^25 tokens that are one number in memory
    let every = Layout::strided(V, 1, 0);
    let tokens = Floats::F32(Matrix::new(&x, every).unwrap());
    let segments = seq::Segments::Padded { sequences: 1, width: V };
    for (score, want) in [(seq::Score::Sum, V as f64), (seq::Score::Mean(seq::Divisor::Tokens), 1.0)] {
        let problem = seq::Problem::new(V, segments, seq::Options { score, clamp: None }).unwrap();
        let (mut scores, mut counts) = ([7f64], [7i32]);
        let out = seq::Outputs {
            scores: Some(MatrixMut::vector(&mut scores).into()),
            counts: Some(MatrixMut::vector(&mut counts)),
            ..seq::Outputs::default()
        };
        let inputs = seq::Inputs { logps: tokens, ref_logps: None, weights: seq::Weights::default() };
        sequence::forward(&c, &problem, &inputs, out, None).unwrap();
        assert_eq!((scores[0], counts[0]), (want, V as i32));
        cases.ran();
    }
    // a policy loss: 10^8 tokens, each of which is worth -0.1 (its f32)
    let (n, tenth) = (100_000_000, [0.1f32]);
    let segments = seq::Segments::Padded { sequences: 1, width: n };
    let every = Layout::strided(n, 1, 0);
    let tokens = Floats::F32(Matrix::new(&tenth, every).unwrap());
    let loss = id(Kind::Token, "ppo_clip");
    let options = pol::Options::new(loss, pol::Level::Token, pol::Aggregate::new(pol::Mode::TokenMean));
    let problem = pol::Problem::new(n, segments, options).unwrap();
    let inputs = pol::Inputs { advantage: Some(pol::Advantage::Token(tokens)), ..pol::Inputs::new(tokens) };
    let (mut loss, mut statistics, want) = ([7f64], [7f64; 32], -(tenth[0] as f64));
    let out = pol::Outputs {
        loss: Some(MatrixMut::vector(&mut loss).into()),
        statistics: Some(&mut statistics),
        ..pol::Outputs::default()
    };
    let need = policy::workspace(&c, &problem).minimum;
    with_scratch(need, |w| policy::forward(&c, &problem, &inputs, out, w)).unwrap();
    assert!((loss[0] / want - 1.0).abs() < 1e-12, "{} {want}", loss[0]);
    let sum = statistics[pol::stat::LOSS_SUM] / (want * n as f64);
    assert!((sum - 1.0).abs() < 1e-12 && statistics[pol::stat::TOKENS] == n as f64, "{sum}");
    cases.ran();
    // pairs: the sum of 2^21 times ln 2, where an f32 sum has four digits left, within what f64 additions may lose
    let pairs = 1 << 21;
    let terms = [pref::Term { id: id(Kind::Pair, "dpo"), reduction: pref::Reduction::Sum, ..pref::Term::default() }];
    let problem = pref::Problem::new(2 * pairs, pref::Items::Interleaved, &terms, pref::Options::default()).unwrap();
    let scores = Floats::F32(Matrix::new(&x, Layout::strided(2 * pairs, 1, 0)).unwrap());
    let inputs = pref::Inputs { ref_scores: Some(scores), ..pref::Inputs::new(scores) };
    let mut loss = [7f64];
    let out = pref::Outputs { loss: Some(MatrixMut::vector(&mut loss).into()), ..pref::Outputs::default() };
    let need = preference::workspace(&c, &problem).minimum;
    with_scratch(need, |w| preference::forward(&c, &problem, &inputs, out, w)).unwrap();
    let want = pairs as f64 * 2f64.ln();
    assert!((loss[0] / want - 1.0).abs() <= pairs as f64 * 2f64.powi(-53), "{} {want}", loss[0]);
    cases.ran();
    cases.finish("sums", 7);
}

unsafe extern "C" {
    fn mmap(addr: *mut c_void, len: usize, prot: c_int, flags: c_int, fd: c_int, offset: i64) -> *mut c_void;
    fn munmap(addr: *mut c_void, len: usize) -> c_int;
}
/// f32 zeros by the billion: pages that exist only where something is written.
struct Zeros {
    start: *mut f32,
    len: usize,
}
impl Zeros {
    fn new(len: usize) -> Option<Zeros> {
        let (read_write, private_anonymous_noreserve) = (3, 0x4022);
        // SAFETY: a new mapping.
        let start = unsafe { mmap(null_mut(), 4 * len, read_write, private_anonymous_noreserve, -1, 0) };
        if start.addr() == usize::MAX {
            println!("SKIPPED 1: the system gives no {} GiB of addresses, large sizes are not tried", len >> 28);
            return None;
        }
        Some(Zeros { start: start.cast(), len })
    }
    fn get(&mut self) -> &mut [f32] {
        // SAFETY: the mapping is `len` f32 zeros, borrowed as long as `self`.
        unsafe { core::slice::from_raw_parts_mut(self.start, self.len) }
    }
}
impl Drop for Zeros {
    fn drop(&mut self) {
        // SAFETY: the whole mapping, not used any more.
        unsafe { munmap(self.start.cast(), 4 * self.len) };
    }
}

/// Promise R8: element offsets beyond 2^31 and 2^32 in inputs and outputs. Row 2 begins where a 32-bit offset would point
/// into row 0.
#[test]
fn offsets_beyond_32_bits() {
    const STRIDE: usize = (1 << 31) + 16;
    let mut cases = Cases::default();
    let mut r = Random(88);
    let (Some(mut input), Some(mut output)) = (Zeros::new(2 * STRIDE + 512), Zeros::new(2 * STRIDE + 512)) else {
        return;
    };
    let far = |cols: usize| Layout::strided(3, cols, STRIDE);
    let target = [5i64, 17, 250];
    let rows = Rows { target: Some(Matrix::vector(&target).into()), ..Rows::default() };
    let transform = TransformInputs::default();
    for c in [context(Isa::Scalar, 0), context(Isa::detect(), 3)] {
        // logits, gradient elsewhere and in place
        let v = 300;
        let z = r.normals(3 * v, 1.0);
        let put = |to: &mut [f32], x: &[f32], cols: usize| {
            (0..3).for_each(|i| to[i * STRIDE..][..cols].copy_from_slice(&x[i * cols..][..cols]));
        };
        let take =
            |from: &[f32], cols: usize| (0..3).flat_map(|i| from[i * STRIDE..][..cols].to_vec()).collect::<Vec<f32>>();
        put(input.get(), &z, v);
        let problem = Problem::new(3, v, Options::default()).unwrap();
        let one = [1f32; 3];
        let up = Upstream { logprob: Some(Matrix::vector(&one)), ..Upstream::default() };
        let figures = |logits: Floats<'_>| {
            let (mut a, mut b) = (vec![7f32; 3], vec![7f32; 3]);
            let out = Figures {
                logprob: Some(MatrixMut::vector(&mut a)),
                entropy: Some(MatrixMut::vector(&mut b)),
                ..Figures::default()
            };
            forward(&c, &problem, Inputs::new(logits, transform, rows), out).unwrap();
            [a, b].concat()
        };
        let near = Matrix::contiguous(&z, 3, v).unwrap();
        let mut want = vec![7f32; 3 * v];
        let grad = Grad::Separate(near.into(), MatrixMut::contiguous(&mut want, 3, v).unwrap().into());
        backward(&c, &problem, BackwardInputs { transform, rows, ..Default::default() }, None, up, grad, None).unwrap();
        same("figures", &figures(Matrix::new(input.get(), far(v)).unwrap().into()), &figures(near.into()));
        let g = MatrixMut::new(output.get(), far(v)).unwrap().into();
        let grad = Grad::Separate(Matrix::new(input.get(), far(v)).unwrap().into(), g);
        backward(&c, &problem, BackwardInputs { transform, rows, ..Default::default() }, None, up, grad, None).unwrap();
        same("gradient", &take(output.get(), v), &want);
        let grad = Grad::InPlace(MatrixMut::new(input.get(), far(v)).unwrap().into());
        backward(&c, &problem, BackwardInputs { transform, rows, ..Default::default() }, None, up, grad, None).unwrap();
        same("gradient in place", &take(input.get(), v), &want);
        cases.0 += 3;

        // hidden states and head, and their gradients, in turn
        let d = 20;
        let h = r.normals(3 * d, 1.0);
        let few = [2i64, 0, 1];
        let rows = Rows { target: Some(Matrix::vector(&few).into()), ..Rows::default() };
        let problem = core_linear::Problem::new(3, d, 3, Options::default()).unwrap();
        let product = |far_hidden: Option<bool>, hidden: &mut [f32], out: &mut [f32]| {
            let close = Layout::contiguous(3, d);
            let layout = |mine: bool| if far_hidden == Some(mine) { far(d) } else { close };
            let (near_h, near_w) = (h.clone(), z[..3 * d].to_vec());
            if let Some(at) = far_hidden {
                put(hidden, if at { &near_h } else { &near_w }, d);
            }
            let pick = |mine: bool, near: &'_ [f32]| -> Vec<f32> {
                if far_hidden == Some(mine) { vec![] } else { near.to_vec() }
            };
            let (a, b) = (pick(true, &near_h), pick(false, &near_w));
            let hidden: &[f32] = hidden;
            let view = |mine: bool| {
                let x = if far_hidden == Some(mine) {
                    hidden
                } else if mine {
                    &a
                } else {
                    &b
                };
                Floats::F32(Matrix::new(x, layout(mine)).unwrap())
            };
            let inputs = linear_logprob::Inputs::new(view(true), view(false), transform, rows);
            let mut logprob = vec![7f32; 3];
            let figures = Figures { logprob: Some(MatrixMut::vector(&mut logprob)), ..Figures::default() };
            let need = linear_logprob::forward_workspace(&c, &problem, Dtype::F32, Dtype::F32).preferred;
            with_scratch(need, |s| linear_logprob::forward(&c, &problem, inputs, figures, s)).unwrap();
            let (mut gh, mut gw) = (vec![7f32; 3 * d], vec![7f32; 3 * d]);
            let (place_h, place_w): (&mut [f32], &mut [f32]) = match far_hidden {
                Some(true) => (out, &mut gw),
                Some(false) => (&mut gh, out),
                None => (&mut gh, &mut gw),
            };
            let grads = Grads {
                hidden: Some(MatrixMut::new(place_h, layout(true)).unwrap().into()),
                weight: Some(MatrixMut::new(place_w, layout(false)).unwrap().into()),
                ..Grads::default()
            };
            let need = linear_logprob::backward_workspace(&c, &problem, Dtype::F32, Dtype::F32).preferred;
            with_scratch(need, |s| linear_logprob::backward(&c, &problem, inputs, None, up, grads, None, s)).unwrap();
            (logprob, gh, gw)
        };
        let (lp, gh, gw) = product(None, &mut [], &mut []);
        let (far_lp, _, near_gw) = product(Some(true), input.get(), output.get());
        same("linear, far hidden", &far_lp, &lp);
        same("linear, far hidden", &take(output.get(), d), &gh);
        same("linear, far hidden", &near_gw, &gw);
        let (far_lp, near_gh, _) = product(Some(false), input.get(), output.get());
        same("linear, far head", &far_lp, &lp);
        same("linear, far head", &take(output.get(), d), &gw);
        same("linear, far head", &near_gh, &gh);
        cases.0 += 2;

        // three tokens far from each other
        let values = [-1.5f32, -0.25, -3.0];
        put(input.get(), &values, 1);
        let tokens = Floats::F32(Matrix::new(input.get(), far(1)).unwrap());
        let segments = seq::Segments::Padded { sequences: 1, width: 3 };
        let problem = seq::Problem::new(3, segments, seq::Options::default()).unwrap();
        let mut score = [7f64];
        let out = seq::Outputs { scores: Some(MatrixMut::vector(&mut score).into()), ..seq::Outputs::default() };
        let inputs = seq::Inputs { logps: tokens, ref_logps: None, weights: seq::Weights::default() };
        sequence::forward(&c, &problem, &inputs, out, None).unwrap();
        assert_eq!(score, [-4.75]);
        let slope = [0.5f64];
        let upstream = seq::Upstream {
            logps: None,
            ref_logps: None,
            weights: seq::Weights::default(),
            grad_scores: Floats::F64(Matrix::vector(&slope)),
            grad_output: None,
            grad_scale: 1.0,
        };
        let g = MatrixMut::new(output.get(), far(1)).unwrap();
        sequence::backward(&c, &problem, &upstream, seq::Grads { logps: Some(g), ref_logps: None }).unwrap();
        assert_eq!(take(output.get(), 1), [0.5; 3]);
        let aggregate = pol::Aggregate {
            mode: pol::Mode::TokenSum,
            normaliser: 0.0,
            max_length: 0.0,
            count_empty: None,
            ..pol::Aggregate::new(pol::Mode::TokenMean)
        };
        let loss = id(Kind::Token, "ppo_clip");
        let options = pol::Options::new(loss, pol::Level::Token, aggregate);
        let problem = pol::Problem::new(3, segments, options).unwrap();
        let inputs = pol::Inputs {
            logps: tokens,
            old: None,
            reference: None,
            advantage: Some(pol::Advantage::Token(tokens)),
            mask: None,
            grad_output: None,
            grad_scale: 1.0,
            ..pol::Inputs::new(Floats::F32(Matrix::vector(&[])))
        };
        let mut loss = [7f64];
        let out = pol::Outputs {
            loss: Some(MatrixMut::vector(&mut loss).into()),
            grad_logps: Some(MatrixMut::new(output.get(), far(1)).unwrap()),
            ..pol::Outputs::default()
        };
        let need = policy::workspace(&c, &problem).minimum;
        with_scratch(need, |w| policy::forward(&c, &problem, &inputs, out, w)).unwrap();
        assert_eq!((loss, &take(output.get(), 1)[..]), ([4.75], &[1.5, 0.25, 3.0][..]));
        cases.0 += 3;
    }
    cases.finish("far offsets", 16);
}

/// Promise R8: N V beyond 2^31 without gaps, and the longest row there is.
#[test]
fn more_than_2_31_elements() {
    let mut cases = Cases::default();
    let (n, v) = ((1 << 15) + 3, 1 << 16);
    let Some(mut zeros) = Zeros::new(n * v) else { return };
    let (x, transform) = (zeros.get(), TransformInputs::default());
    let mut r = Random(5);
    let row = r.normals(v, 1.0);
    x[(n - 2) * v..][..v].copy_from_slice(&row);
    // the rows between are not read, so they cost nothing
    let mut mask = vec![0u8; n];
    (mask[0], mask[n - 2], mask[n - 1]) = (1, 1, 1);
    let target = vec![11i32; n];
    for c in [context(Isa::detect(), 0), context(Isa::detect(), 3)] {
        let run = |z: &[f32], n: usize, mask: &[u8]| {
            let mut logprob = vec![7f32; n];
            let problem = Problem::new(n, v, Options::default()).unwrap();
            let rows = Rows {
                target: Some(Matrix::vector(&target[..n]).into()),
                mask: Some(Mask::U8(Matrix::vector(mask))),
                ..Rows::default()
            };
            let logits = Floats::F32(Matrix::contiguous(z, n, v).unwrap());
            let out = Figures { logprob: Some(MatrixMut::vector(&mut logprob)), ..Figures::default() };
            forward(&c, &problem, Inputs::new(logits, transform, rows), out).unwrap();
            logprob
        };
        let got = run(x, n, &mask);
        let zero = -(v as f64).ln() as f32;
        same("last rows", &[got[0], got[n - 2], got[n - 1]], &[zero, run(&row, 1, &[1])[0], zero]);
        assert!(got[1..n - 2].iter().all(|x| x.to_bits() == 0));
        cases.ran();
    }
    // one row of 2^31 - 1 columns, all alike
    x[(n - 2) * v..][..v].fill(0.0);
    let v = i32::MAX as usize;
    let (mut logprob, mut argmax) = ([7f32], [7i32]);
    let problem = Problem::new(1, v, Options::default()).unwrap();
    let last = [v as i64 - 1];
    let rows = Rows { target: Some(Matrix::vector(&last).into()), ..Rows::default() };
    let logits = Floats::F32(Matrix::contiguous(&x[..v], 1, v).unwrap());
    let out = Figures {
        logprob: Some(MatrixMut::vector(&mut logprob)),
        argmax: Some(MatrixMut::vector(&mut argmax)),
        ..Figures::default()
    };
    forward(&Context::default(), &problem, Inputs::new(logits, transform, rows), out).unwrap();
    let want = -(v as f64).ln();
    assert!((logprob[0] as f64 - want).abs() <= 4.0 * U * (1.0 - want), "{} {want}", logprob[0]);
    assert_eq!(argmax, [0]);
    cases.ran();
    assert_eq!(Problem::new(1, v + 1, Options::default()).unwrap_err().status, Status::ShapeMismatch);
    // positions and lengths of a sequence are i32: a longer one is refused instead of counted wrongly
    let segments = seq::Segments::Padded { sequences: 1, width: v + 1 };
    let refused = seq::Problem::new(v + 1, segments, seq::Options::default()).unwrap_err();
    assert_eq!(refused.status, Status::ShapeMismatch);
    let cu = [0i64, 3, v as i64 + 4];
    let segments = seq::Segments::Packed(Ints::I64(Matrix::vector(&cu)));
    let refused = seq::Problem::new(v + 4, segments, seq::Options::default()).unwrap_err();
    assert_eq!(refused.status, Status::OutOfRange);
    let segments = seq::Segments::Padded { sequences: 2, width: v };
    assert!(seq::Problem::new(2 * v, segments, seq::Options::default()).is_ok());
    cases.0 += 4;
    cases.finish("large sizes", 7);
}

// ---- every C function

/// Memory and descriptors that live as long as the program: a few KiB.
fn tensor<T: Clone>(fill: T, (code, bits): (u8, u8), shape: &[i64]) -> (*const truing_tensor, *const T) {
    let n = shape.iter().product::<i64>() as usize;
    let data = vec![fill; n].leak().as_mut_ptr();
    let raw = truing_tensor {
        data: if n == 0 { null_mut() } else { data.cast() },
        device: truing_device { device_type: TRUING_DEVICE_CPU, device_id: 0 },
        ndim: shape.len() as i32,
        dtype: truing_dtype { code, bits, lanes: 1 },
        shape: shape.to_vec().leak().as_ptr(),
        strides: null(),
        byte_offset: 0,
    };
    (Box::leak(Box::new(raw)), data)
}
fn args<T: Args>(size: unsafe extern "C" fn(*const T, *mut usize, *mut usize) -> i32, fill: impl FnOnce(&mut T)) -> T {
    let mut a = T::ZERO;
    // SAFETY: every struct used here begins with the fields of `Head`, the first of which is `struct_size`.
    unsafe { (&raw mut a).cast::<u32>().write(size_of::<T>() as u32) };
    fill(&mut a);
    let (mut minimum, mut preferred) = (0, 0);
    // SAFETY: the descriptors describe leaked memory.
    assert_eq!(unsafe { size(&a, &mut minimum, &mut preferred) }, TRUING_STATUS_OK, "{}", T::NAME);
    let memory = vec![0u64; preferred / 8 + 16].leak();
    // SAFETY: as above.
    let head = unsafe { &mut *(&raw mut a).cast::<Head>() };
    head.workspace = memory.as_mut_ptr().cast::<u8>().map_addr(|p| p.next_multiple_of(64)).cast();
    head.workspace_size = preferred;
    a
}
type Call = (&'static str, Box<dyn Fn() -> i32>);
fn call<T: Args + 'static>(a: T, f: unsafe extern "C" fn(*const T) -> i32) -> Call {
    // SAFETY: the descriptors describe leaked memory.
    (T::NAME, Box::new(move || unsafe { f(&a) }))
}
static HALF: [f64; 1] = [0.5];
type Run<T> = unsafe extern "C" fn(*const T) -> i32;
type Sizes<T> = unsafe extern "C" fn(*const T, *mut usize, *mut usize) -> i32;
/// Every operation over `s` sequences of 3 tokens, without a context, and the losses and head gradients that they write.
fn operations(s: i64) -> (Vec<Call>, Vec<(*const f64, f64)>, Vec<*const f32>) {
    use truing_ffi::advantage::*;
    use truing_ffi::batch::*;
    use truing_ffi::classes::*;
    use truing_ffi::correction::*;
    use truing_ffi::linear_divergence::*;
    use truing_ffi::linear_logprob::*;
    use truing_ffi::linear_policy::*;
    use truing_ffi::linear_preference::*;
    use truing_ffi::logprob::*;
    use truing_ffi::policy::*;
    use truing_ffi::preference::*;
    use truing_ffi::sequence::*;
    use truing_ffi::tilt::*;
    const F32: (u8, u8) = (TRUING_DTYPE_FLOAT, 32);
    const F64: (u8, u8) = (TRUING_DTYPE_FLOAT, 64);
    let (t, d, v) = (3, 8, 40);
    let n = s * t;
    let f = |shape: &[i64]| tensor(-0.25f32, F32, shape).0;
    let (hidden, weight, logits, tokens, flat) = (f(&[n, d]), f(&[v, d]), f(&[n, v]), f(&[s, t]), f(&[n]));
    let target = tensor(3i32, (TRUING_DTYPE_INT, 32), &[s, t]).0;
    let scores = tensor(-1f64, F64, &[s]).0;
    let (mut all, mut losses, mut heads) = (vec![], vec![], vec![]);
    let mut loss = |want: f64| {
        let (t, data) = tensor(7f64, F64, &[]);
        losses.push((data, want));
        t
    };
    let mut head_gradient = || {
        let (t, data) = tensor(7f32, F32, &[v, d]);
        heads.push(data);
        t
    };
    let a = args(truing_logprob_forward_workspace_size, |a: &mut truing_logprob_forward_args| {
        (a.logits, a.rows.target, a.figures.out_logprob) = (logits, target, f(&[s, t]));
    });
    all.push(call(a, truing_logprob_forward));
    let a = args(truing_logprob_backward_workspace_size, |a: &mut truing_logprob_backward_args| {
        (a.logits, a.rows.target, a.upstream.grad_logprob, a.grad_logits_out) = (logits, target, flat, f(&[n, v]));
    });
    all.push(call(a, truing_logprob_backward));
    let a = args(truing_linear_logprob_forward_workspace_size, |a: &mut truing_linear_logprob_forward_args| {
        (a.head.hidden, a.head.weight, a.rows.target, a.figures.out_logprob) = (hidden, weight, target, f(&[n]));
    });
    all.push(call(a, truing_linear_logprob_forward));
    let a = args(truing_linear_logprob_backward_workspace_size, |a: &mut truing_linear_logprob_backward_args| {
        (a.head.hidden, a.head.weight, a.rows.target, a.upstream.grad_logprob) = (hidden, weight, target, flat);
        (a.grads.grad_hidden_out, a.grads.grad_weight_out) = (f(&[n, d]), head_gradient());
    });
    all.push(call(a, truing_linear_logprob_backward));
    let a = args(truing_sequence_forward_workspace_size, |a: &mut truing_sequence_forward_args| {
        (a.logps, a.score.kind, a.out_scores) = (tokens, TRUING_SCORE_SUM, tensor(7f64, F64, &[s]).0);
    });
    all.push(call(a, truing_sequence_forward));
    let a = args(truing_sequence_backward_workspace_size, |a: &mut truing_sequence_backward_args| {
        (a.grad_scores, a.score.kind, a.grad_logps_out) = (scores, TRUING_SCORE_SUM, f(&[s, t]));
    });
    all.push(call(a, truing_sequence_backward));
    let dpo = id(Kind::Pair, "dpo");
    let any = 2f64.ln();
    let a = args(truing_preference_forward_workspace_size, |a: &mut truing_preference_forward_args| {
        (a.scores, a.ref_scores, a.outputs.out_loss) = (scores, scores, loss(any));
        (a.loss.id, a.loss.reduction, a.groups.layout) = (dpo, TRUING_REDUCE_MEAN, TRUING_LAYOUT_STACKED);
        a.outputs.grad_scores_out = tensor(7f64, F64, &[s]).0;
    });
    all.push(call(a, truing_preference_forward));
    let a = args(truing_linear_preference_forward_workspace_size, |a: &mut truing_linear_preference_args| {
        (a.head.hidden, a.head.weight, a.rows.target, a.ref_scores) = (hidden, weight, target, scores);
        (a.loss.id, a.loss.reduction, a.groups.layout) = (dpo, TRUING_REDUCE_MEAN, TRUING_LAYOUT_STACKED);
        (a.grads.grad_hidden_out, a.grads.grad_weight_out) = (f(&[n, d]), head_gradient());
        (a.score.kind, a.phase, a.outputs.out_loss) = (TRUING_SCORE_SUM, TRUING_PHASE_SINGLE, loss(any));
    });
    all.push(call(a, truing_linear_preference_forward));
    let a = args(truing_policy_forward_workspace_size, |a: &mut truing_policy_forward_args| {
        (a.logps, a.inputs.advantage, a.grad_logps_out) = (tokens, tokens, f(&[s, t]));
        (a.inputs.loss.id, a.inputs.level) = (id(Kind::Token, "ppo_clip"), TRUING_LEVEL_TOKEN);
        (a.inputs.aggregate.mode, a.outputs.out_loss) = (TRUING_AGGREGATE_TOKEN_MEAN, loss(0.25));
    });
    all.push(call(a, truing_policy_forward));
    let a = args(truing_kto_baseline_workspace_size, |a: &mut truing_kto_baseline_args| {
        (a.scores, a.out_baseline) = (scores, loss(0.0));
    });
    all.push(call(a, truing_kto_baseline));
    let a = args(truing_bco_shift_workspace_size, |a: &mut truing_bco_shift_args| {
        (a.rewards, a.mode, a.out_shift) = (scores, TRUING_SHIFT_POOLED, loss(-1.0));
    });
    all.push(call(a, truing_bco_shift));
    let a = args(truing_aot_sort_workspace_size, |a: &mut truing_aot_sort_args| {
        (a.chosen, a.rejected, a.pairing) = (scores, scores, TRUING_AOT_UNPAIRED);
        a.out_u_order = tensor(7i32, (TRUING_DTYPE_INT, 32), &[s]).0;
    });
    all.push(call(a, truing_aot_sort));
    let a = args(truing_beta_dpo_stats_workspace_size, |a: &mut truing_beta_dpo_stats_args| {
        (a.gaps, a.uniforms) = (scores, tensor(0.5f64, F64, &[s]).0);
        a.out_keep = tensor(7u8, (TRUING_DTYPE_UINT, 8), &[s]).0;
    });
    all.push(call(a, truing_beta_dpo_stats));
    let a = args(truing_wpo_weight_workspace_size, |a: &mut truing_wpo_weight_args| {
        (a.chosen, a.rejected, a.form) = (scores, scores, TRUING_WPO_PLAIN);
        a.out_weight = tensor(7f64, F64, &[s]).0;
    });
    all.push(call(a, truing_wpo_weight));
    let a = args(truing_linear_policy_forward_workspace_size, |a: &mut truing_linear_policy_args| {
        (a.head.hidden, a.head.weight, a.rows.target, a.inputs.advantage) = (hidden, weight, target, tokens);
        (a.inputs.loss.id, a.inputs.level) = (id(Kind::Token, "ppo_clip"), TRUING_LEVEL_TOKEN);
        (a.inputs.aggregate.mode, a.phase) = (TRUING_AGGREGATE_TOKEN_MEAN, TRUING_PHASE_SINGLE);
        (a.grads.grad_hidden_out, a.grads.grad_weight_out) = (f(&[n, d]), head_gradient());
        a.outputs.out_loss = loss(0.25);
    });
    all.push(call(a, truing_linear_policy_forward));
    let a = args(truing_linear_divergence_forward_workspace_size, |a: &mut truing_linear_divergence_args| {
        (a.student.hidden, a.student.weight, a.phase) = (hidden, weight, TRUING_PHASE_SINGLE);
        (a.teacher.hidden, a.teacher.weight) = (f(&[n, 5]), f(&[v, 5]));
        (a.options.kind, a.options.teacher_form) = (TRUING_DIVERGENCE_FORWARD_KL, TRUING_TEACHER_LOGITS);
        (a.options.aggregate.mode, a.outputs.out_loss) = (TRUING_AGGREGATE_TOKEN_MEAN, loss(0.0));
        (a.student_grads.grad_hidden_out, a.student_grads.grad_weight_out) = (f(&[n, d]), head_gradient());
    });
    all.push(call(a, truing_linear_divergence_forward));
    let a = args(truing_linear_divergence_local_workspace_size, |a: &mut truing_linear_divergence_local_args| {
        (a.student.hidden, a.student.weight, a.out_records) = (hidden, weight, f(&[n, 16]));
        (a.teacher.hidden, a.teacher.weight) = (f(&[n, 5]), f(&[v, 5]));
        (a.options.kind, a.options.teacher_form) = (TRUING_DIVERGENCE_FORWARD_KL, TRUING_TEACHER_LOGITS);
        (a.shard.vocab_end, a.shard.vocab_total, a.local_pass) = (v, v + 1, TRUING_LOCAL_RECORDS);
    });
    all.push(call(a, truing_linear_divergence_local));
    let a = args(truing_best_of_n_kl_estimate_workspace_size, |a: &mut truing_best_of_n_kl_args| {
        (a.logps, a.n, a.out_kl) = (scores, 4.0, tensor(7f64, F64, &[s]).0);
    });
    all.push(call(a, truing_best_of_n_kl_estimate));
    let bytes = |shape: &[i64]| tensor(7u8, (TRUING_DTYPE_UINT, 8), shape).0;
    let a = args(truing_importance_weight_workspace_size, |a: &mut truing_importance_weight_args| {
        (a.old, a.sampler, a.level) = (tokens, tokens, TRUING_WEIGHT_LEVEL_TOKEN);
        (a.action, a.missing, a.out_weights) = (TRUING_WEIGHT_TRUNCATE, TRUING_MISSING_ONE, f(&[s, t]));
    });
    all.push(call(a, truing_importance_weight));
    let a = args(truing_rejection_mask_workspace_size, |a: &mut truing_rejection_mask_args| {
        (a.old, a.sampler, a.statistic) = (tokens, tokens, TRUING_REJECTION_K3);
        (a.span, a.missing, a.out_keep) = (TRUING_SPAN_TOKEN, TRUING_MISSING_ONE, bytes(&[s, t]));
    });
    all.push(call(a, truing_rejection_mask));
    let a = args(truing_off_policy_sequence_mask_workspace_size, |a: &mut truing_off_policy_sequence_mask_args| {
        (a.logps, a.behaviour, a.advantage, a.out_keep) = (tokens, tokens, scores, bytes(&[s]));
    });
    all.push(call(a, truing_off_policy_sequence_mask));
    let a = args(truing_top_entropy_mask_workspace_size, |a: &mut truing_top_entropy_mask_args| {
        (a.entropy, a.share, a.out_keep) = (tokens, 0.5, bytes(&[s, t]));
    });
    all.push(call(a, truing_top_entropy_mask));
    let a = args(truing_cov_select_workspace_size, |a: &mut truing_cov_select_args| {
        (a.logps, a.advantage, a.form, a.out_flag) = (tokens, tokens, TRUING_COV_KL, bytes(&[s, t]));
    });
    all.push(call(a, truing_cov_select));
    let a = args(truing_m2po_mask_workspace_size, |a: &mut truing_m2po_mask_args| {
        (a.old, a.proximal, a.threshold, a.out_keep) = (tokens, tokens, 0.1, bytes(&[s, t]));
    });
    all.push(call(a, truing_m2po_mask));
    let a = args(truing_fipo_weight_workspace_size, |a: &mut truing_fipo_weight_args| {
        (a.logps, a.old, a.advantage, a.out_weights) = (tokens, tokens, tokens, f(&[s, t]));
    });
    all.push(call(a, truing_fipo_weight));
    let out = |shape: &[i64]| tensor(7f64, F64, shape).0;
    for (size, f, form) in [
        (truing_density_ratio_workspace_size as Sizes<_>, truing_density_ratio as Run<_>, TRUING_ITEM_LOGIT),
        (truing_odpo_offset_workspace_size, truing_odpo_offset, TRUING_ITEM_DIFFERENCE),
        (truing_mm_beta_workspace_size, truing_mm_beta, 0),
        (truing_pdu_dual_step_workspace_size, truing_pdu_dual_step, 0),
    ] {
        let a = args(size, |a: &mut truing_item_numbers_args| {
            (a.first, a.form, a.out_value) = (tensor(0.5f64, F64, &[s]).0, form, out(&[s]));
            a.second = if form == TRUING_ITEM_LOGIT { null() } else { tensor(0.25f64, F64, &[s]).0 };
            (a.params, a.num_params) = if form == 0 { (HALF.as_ptr(), 1) } else { (null(), 0) };
        });
        all.push(call(a, f));
    }
    let a = args(truing_head_weights_workspace_size, |a: &mut truing_head_weights_args| {
        (a.head, a.out_weight) = (tensor(0i32, (TRUING_DTYPE_INT, 32), &[s]).0, out(&[s]));
        a.out_counts = tensor(7i64, (TRUING_DTYPE_INT, 64), &[2]).0;
    });
    all.push(call(a, truing_head_weights));
    let a = args(truing_modpo_margin_workspace_size, |a: &mut truing_modpo_margin_args| {
        (a.weights, a.chosen, a.rejected) = (out(&[3]), out(&[s, 3]), out(&[s, 3]));
        a.out_margin_chosen = out(&[s]);
    });
    all.push(call(a, truing_modpo_margin));
    let a = args(truing_quantile_threshold_workspace_size, |a: &mut truing_quantile_threshold_args| {
        (a.values, a.level, a.out_threshold) = (scores, tensor(0.5f64, F64, &[]).0, out(&[]));
    });
    all.push(call(a, truing_quantile_threshold));
    let a = args(truing_a_star_value_workspace_size, |a: &mut truing_a_star_value_args| {
        (a.rewards, a.mode, a.out_value) = (tokens, TRUING_VALUE_LOG_MEAN_EXP, out(&[s]));
    });
    all.push(call(a, truing_a_star_value));
    let a = args(truing_hindsight_target_workspace_size, |a: &mut truing_hindsight_target_args| {
        (a.rewards, a.outcome, a.out_targets) = (tokens, scores, out(&[s, t]));
    });
    all.push(call(a, truing_hindsight_target));
    let a = args(truing_kl_length_figures_workspace_size, |a: &mut truing_kl_length_figures_args| {
        (a.logps, a.out_k3, a.out_figures) = (tokens, out(&[s]), out(&[16]));
    });
    all.push(call(a, truing_kl_length_figures));
    let a = args(truing_ches_workspace_size, |a: &mut truing_ches_args| {
        let index = tensor(0i32, (TRUING_DTYPE_INT, 32), &[s / 2]).0;
        (a.hidden, a.chosen_seq, a.rejected_seq) = (f(&[s, t, d]), index, index);
        (a.score_kind, a.out_value) = (TRUING_SCORE_SUM, out(&[s / 2]));
    });
    all.push(call(a, truing_ches));
    for (size, run, form) in [
        (truing_prm_ce_workspace_size as Sizes<_>, truing_prm_ce as Run<_>, 0),
        (truing_rps_workspace_size, truing_rps, TRUING_CLASS_MEAN),
        (truing_brier_workspace_size, truing_brier, TRUING_CLASS_SUM),
        (truing_product_target_workspace_size, truing_product_target, 0),
    ] {
        let a = args(size, |a: &mut truing_class_rows_args| {
            (a.logits, a.targets, a.form) = (f(&[n, 5]), tensor(0.2f32, F32, &[n, 5]).0, form);
            (a.reduction, a.out_losses, a.grad_logits_out) = (TRUING_REDUCE_MEAN, out(&[n]), f(&[n, 5]));
        });
        all.push(call(a, run));
    }
    let a = args(truing_confidence_ce_workspace_size, |a: &mut truing_class_rows_args| {
        (a.logits, a.targets, a.threshold) = (f(&[n, 2]), tensor(0.5f32, F32, &[n, 2]).0, tensor(0.5f64, F64, &[]).0);
        (a.params, a.num_params) = (HALF.as_ptr(), 1);
        (a.reduction, a.out_losses) = (TRUING_REDUCE_MEAN, out(&[n]));
    });
    all.push(call(a, truing_confidence_ce));
    let a = args(truing_pdu_flatten_workspace_size, |a: &mut truing_class_rows_args| {
        (a.logits, a.reduction, a.grad_logits_out) = (logits, TRUING_REDUCE_MEAN, f(&[n, v]));
        a.out_loss = loss(0.0);
    });
    all.push(call(a, truing_pdu_flatten));
    let a = args(truing_prm_mse_workspace_size, |a: &mut truing_prm_mse_args| {
        (a.predictions, a.targets, a.reduction, a.out_loss) = (tokens, tokens, TRUING_REDUCE_MEAN, loss(0.0));
    });
    all.push(call(a, truing_prm_mse));
    let a = args(truing_preference_orchestrator_workspace_size, |a: &mut truing_preference_orchestrator_args| {
        (a.scores, a.values, a.out_combined) = (f(&[n, 3]), f(&[n, 3]), out(&[n]));
    });
    all.push(call(a, truing_preference_orchestrator));
    let groups = tensor(0i64, (TRUING_DTYPE_INT, 64), &[s]).0;
    let to = |shape: &[i64]| tensor(7f32, F32, shape).0;
    let a = args(truing_group_advantage_workspace_size, |a: &mut truing_group_advantage_args| {
        (a.rewards, a.group_ids, a.num_groups, a.preset) = (scores, groups, 1, TRUING_ADVANTAGE_GRPO);
        a.out_advantages = to(&[s]);
    });
    all.push(call(a, truing_group_advantage));
    let a = args(truing_pass_k_advantage_workspace_size, |a: &mut truing_group_advantage_args| {
        (a.rewards, a.group_ids, a.num_groups, a.out_advantages) = (scores, groups, 1, to(&[s]));
    });
    all.push(call(a, truing_pass_k_advantage));
    let size = truing_multi_objective_advantage_forward_workspace_size;
    let a = args(size, |a: &mut truing_multi_objective_advantage_args| {
        (a.rewards, a.group_ids, a.num_groups, a.preset) = (f(&[s, 2]), groups, 1, TRUING_ADVANTAGE_GRPO);
        (a.order, a.out_advantages) = (TRUING_ORDER_NORMALISE_FIRST, to(&[s]));
    });
    all.push(call(a, truing_multi_objective_advantage_forward));
    let size = truing_multi_objective_advantage_backward_workspace_size;
    let a = args(size, |a: &mut truing_multi_objective_advantage_args| {
        (a.rewards, a.group_ids, a.num_groups, a.preset) = (f(&[s, 2]), groups, 1, TRUING_ADVANTAGE_GRPO);
        (a.order, a.grad_advantages) = (TRUING_ORDER_SUM_FIRST, scores);
        a.grad_weights_out = to(&[2]);
    });
    all.push(call(a, truing_multi_objective_advantage_backward));
    let a = args(truing_gae_forward_workspace_size, |a: &mut truing_gae_args| {
        (a.rewards, a.values, a.masks, a.out_returns) = (tokens, tokens, TRUING_MASKS_CARRY, to(&[s, t]));
    });
    all.push(call(a, truing_gae_forward));
    let a = args(truing_gae_backward_workspace_size, |a: &mut truing_gae_args| {
        (a.grad_advantages, a.masks, a.grad_values_out) = (tokens, TRUING_MASKS_CARRY, to(&[s, t]));
    });
    all.push(call(a, truing_gae_backward));
    let a = args(truing_discounted_return_forward_workspace_size, |a: &mut truing_gae_args| {
        (a.rewards, a.masks, a.out_returns) = (tokens, TRUING_MASKS_CARRY, to(&[s, t]));
    });
    all.push(call(a, truing_discounted_return_forward));
    let a = args(truing_discounted_return_backward_workspace_size, |a: &mut truing_gae_args| {
        (a.grad_returns, a.masks, a.grad_rewards_out) = (tokens, TRUING_MASKS_CARRY, to(&[s, t]));
    });
    all.push(call(a, truing_discounted_return_backward));
    let a = args(truing_whiten_workspace_size, |a: &mut truing_whiten_args| {
        (a.values, a.std_kind, a.eps_kind) = (tokens, TRUING_STD_UNBIASED, TRUING_EPS_ADD);
        a.out_values = to(&[s, t]);
    });
    all.push(call(a, truing_whiten));
    let a = args(truing_optimal_token_baseline_workspace_size, |a: &mut truing_optimal_token_baseline_args| {
        (a.rewards, a.logps, a.log_sum_sq, a.group_ids, a.num_groups) = (tokens, tokens, tokens, groups, 1);
        (a.alignment, a.out_advantages) = (TRUING_ALIGNMENT_POSITION, to(&[s, t]));
    });
    all.push(call(a, truing_optimal_token_baseline));
    let a = args(truing_prime_advantage_workspace_size, |a: &mut truing_prime_advantage_args| {
        (a.process_rewards, a.group_ids, a.num_groups, a.out_returns) = (tokens, groups, 1, to(&[s, t]));
    });
    all.push(call(a, truing_prime_advantage));
    let a = args(truing_distill_advantage_workspace_size, |a: &mut truing_distill_advantage_args| {
        (a.student, a.teacher, a.form, a.out_advantages) = (tokens, tokens, TRUING_DISTILL_IW_OPD, to(&[s, t]));
    });
    all.push(call(a, truing_distill_advantage));
    let number = tensor(0.5f64, F64, &[]).0;
    let a = args(truing_lagrangian_advantage_workspace_size, |a: &mut truing_lagrangian_advantage_args| {
        (a.reward_advantages, a.cost_advantages, a.log_lambda) = (tokens, tokens, number);
        a.out_advantages = to(&[s, t]);
    });
    all.push(call(a, truing_lagrangian_advantage));
    let a = args(truing_pama_scalars_workspace_size, |a: &mut truing_pama_scalars_args| {
        (a.advantages, a.logps, a.anchor) = (f(&[2, n]), tokens, tokens);
        (a.granularity, a.out_scalars) = (TRUING_GRANULARITY_BATCH, to(&[2, 1]));
    });
    all.push(call(a, truing_pama_scalars));
    let a = args(truing_interval_weights_workspace_size, |a: &mut truing_interval_weights_args| {
        (a.scalars, a.out_value) = (f(&[2, s]), to(&[s]));
    });
    all.push(call(a, truing_interval_weights));
    let a = args(truing_gram_matrix_workspace_size, |a: &mut truing_gram_matrix_args| {
        (a.values, a.out_gram) = (f(&[2, n]), to(&[2, 2]));
    });
    all.push(call(a, truing_gram_matrix));
    let a = args(truing_min_norm_weights_workspace_size, |a: &mut truing_min_norm_weights_args| {
        (a.gram, a.out_weights) = (tensor(1f64, F64, &[9, 9]).0, to(&[9]));
    });
    all.push(call(a, truing_min_norm_weights));
    let a = args(truing_token_reward_workspace_size, |a: &mut truing_token_reward_args| {
        (a.old, a.ref_logps, a.rewards, a.out_rewards) = (tokens, tokens, scores, to(&[s, t]));
        (a.estimator, a.level) = (id(Kind::Estimator, "k1"), TRUING_LEVEL_TOKEN);
        (a.params, a.num_params) = (vec![0.1f64].leak().as_ptr(), 1);
    });
    all.push(call(a, truing_token_reward));
    let a = args(truing_entropy_controller_workspace_size, |a: &mut truing_controller_args| {
        (a.measured, a.coef, a.out_coef) = (number, number, to(&[]));
    });
    all.push(call(a, truing_entropy_controller));
    let a = args(truing_kl_controller_workspace_size, |a: &mut truing_controller_args| {
        (a.measured, a.coef, a.out_coef) = (number, number, to(&[]));
        (a.params, a.num_params) = (vec![f64::NAN, 8.0].leak().as_ptr(), 2);
    });
    all.push(call(a, truing_kl_controller));
    (all, losses, heads)
}

/// Promise R7: no rows is no error, NULL is a fine pointer to nothing, and sums over nothing are 0.
#[test]
fn zero_rows_of_every_operation() {
    let mut cases = Cases::default();
    for s in [0, 2] {
        let (all, losses, heads) = operations(s);
        for (name, f) in &all {
            // SAFETY: the message is a NUL-terminated string of this thread.
            let words = |status| unsafe { (status, core::ffi::CStr::from_ptr(truing_ffi::truing_last_error())) };
            let status = f();
            assert_eq!(status, TRUING_STATUS_OK, "{name}: {:?}", words(status));
            cases.ran();
        }
        for (at, want) in losses {
            // SAFETY: leaked memory.
            let got = unsafe { *at };
            let want = if s == 0 { 0.0 } else { want };
            assert!((got - want).abs() < 1e-6, "{s} sequences: loss {got}, expected {want}");
            cases.ran();
        }
        for at in heads {
            // SAFETY: leaked memory, 40 x 8.
            let g = unsafe { core::slice::from_raw_parts(at, 320) };
            assert!(
                g.iter().all(|&g| if s == 0 { g.to_bits() == 0 } else { g != 7.0 }),
                "{s} sequences: head gradient"
            );
            cases.ran();
        }
    }
    assert_eq!(Problem::new(3, 0, Options::default()).unwrap_err().status, Status::ShapeMismatch);
    assert_eq!(core_linear::Problem::new(3, 4, 0, Options::default()).unwrap_err().status, Status::ShapeMismatch);
    cases.finish("zero rows", 84);
}

/// Promise R11: in a child process that the kernel kills at any system call but `read`, `write` and `exit`, every
/// operation without a context runs to its end: no memory, no thread, no file, no clock is asked for.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
#[test]
fn calls_without_a_context_make_no_system_call() {
    unsafe extern "C" {
        fn fork() -> c_int;
        fn prctl(option: c_int, ...) -> c_int;
        fn syscall(number: i64, ...) -> i64;
        fn waitpid(pid: c_int, status: *mut c_int, options: c_int) -> c_int;
    }
    const EXIT: i64 = 60;
    const GETPID: i64 = 39;
    let (all, _, _) = operations(2);
    // what a thread does once: look at the processor, make room for its last error
    all.iter().for_each(|(name, f)| assert_eq!(f(), TRUING_STATUS_OK, "{name}"));
    let child = |work: &dyn Fn() -> i64| {
        // SAFETY: the child calls functions that neither allocate nor lock, then exits without a destructor.
        unsafe {
            let pid = fork();
            if pid == 0 {
                // PR_SET_SECCOMP, SECCOMP_MODE_STRICT
                if prctl(22, 1i64, 0i64, 0i64, 0i64) != 0 {
                    syscall(EXIT, 99i64);
                }
                syscall(EXIT, work());
            }
            let mut status = 0;
            assert_eq!(waitpid(pid, &mut status, 0), pid);
            status
        }
    };
    // SAFETY: no arguments.
    let control = child(&|| unsafe { syscall(GETPID) & 1 });
    if control == 99 << 8 {
        println!("SKIPPED 1: this system has no strict seccomp, system calls of the kernels are not looked for");
        return;
    }
    assert_eq!(control & 0x7f, 9, "the proof must be able to fail");
    let status = child(&|| all.iter().position(|(_, f)| f() != TRUING_STATUS_OK).map_or(0, |k| 1 + k as i64));
    assert_eq!(status, 0, "killed by signal {} or failed operation {}", status & 0x7f, status >> 8);
    println!("system calls: {} operations make none", all.len());
    assert_eq!(all.len(), 64);
}

/// Promise R11 as text: what no part of the library may call, whatever the context.
#[test]
fn the_library_reads_and_prints_nothing() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut files = 0;
    for dir in ["core/src", "cpu/src", "ffi/src", "src"] {
        let mut stack = vec![root.join(dir)];
        while let Some(at) = stack.pop() {
            if at.is_dir() {
                stack.extend(std::fs::read_dir(&at).unwrap().map(|e| e.unwrap().path()));
            } else if at.extension().is_some_and(|e| e == "rs") {
                files += 1;
                let text = std::fs::read_to_string(&at).unwrap();
                for line in text.lines().filter(|l| !l.trim_start().starts_with("//")) {
                    for word in [
                        "std::env",
                        "env::var",
                        "println!",
                        "eprint",
                        "dbg!(",
                        "std::fs",
                        "std::net",
                        "thread::spawn",
                        "std::time",
                    ] {
                        assert!(!line.contains(word), "{}: {line}", at.display());
                    }
                }
            }
        }
    }
    println!("{files} files read and print nothing");
    assert!(files >= 40, "{files}");
}
