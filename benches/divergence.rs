//! Divergences of two rows of logits: GB/s and share of the memory's own rate, measured in the same round; bytes are counted
//! once. Forward against the better of a plain and a prefetching read of as many bytes, forward with the student's gradient
//! against that and a copy of the student's. `cargo bench --bench divergence -- [rounds]`.
use truing::core::Dtype;
use truing::core::divergence::{Figures, Kind, Options, Problem, Upstream};
use truing::core::dtype::{Element, Float, bf16};
use truing::core::logprob;
use truing::core::matrix::{Floats, FloatsMut, Matrix, MatrixMut};
use truing::core::preference::Reduction;
use truing::cpu::divergence::{Inputs, Totals, Uld, forward_fused, uld, uld_workspace};
use truing::cpu::logprob::Grad;
use truing::cpu::{Context, ContextOptions, Mode, Space};
use truing_benches::{Arguments, Goal, Rounds, copy, part, read, threads_word, time};

/// Bytes of one side.
const BYTES: usize = 48 << 20;
const KINDS: [(Kind, f64); 12] = [
    (Kind::ForwardKl, f64::NAN),
    (Kind::ReverseKl, f64::NAN),
    (Kind::Jeffreys, f64::NAN),
    (Kind::Jsd, 0.5),
    (Kind::SkewKl, 0.1),
    (Kind::Renyi, 0.5),
    (Kind::Hellinger2, f64::NAN),
    (Kind::Chi2, f64::NAN),
    (Kind::Tvd, f64::NAN),
    (Kind::CosineProbs, f64::NAN),
    (Kind::CosineLogits, f64::NAN),
    (Kind::CrossEntropy, f64::NAN),
];

fn bench<T: Element + Float>(mode: Mode, v: usize, rounds: usize)
where
    for<'a> Floats<'a>: From<Matrix<'a, T>>,
    for<'a> FloatsMut<'a>: From<MatrixMut<'a, T>>,
{
    let n = BYTES / size_of::<T>() / v;
    let mut state = 1u64;
    let mut next = || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 40) as f32 / 1048576.0 - 8.0
    };
    let student: Vec<T> = (0..n * v).map(|_| T::from_f32(next())).collect();
    let teacher: Vec<T> = student.iter().map(|x| T::from_f32(x.to_f32() + next() / 16.0)).collect();
    let mut grad = student.clone();
    let mut values = vec![0f32; n];
    let bytes = n * v * size_of::<T>();
    for threads in [1, 2] {
        let threads_of_pool = if threads > 1 { threads } else { 0 };
        let options = ContextOptions { threads: threads_of_pool, mode, ..ContextOptions::default() };
        let c = Context::new(options).unwrap();
        // the others are what they are in `portable`
        let kinds = if mode == Mode::Fast { &KINDS[..4] } else { &KINDS[..] };
        for &(kind, param) in kinds {
            let side = logprob::Problem::new(n, v, logprob::Options::default()).unwrap();
            let options = Options { kind, param, reduction: Some(Reduction::Mean), ..Options::default() };
            let problem = Problem::new(side, side, options).unwrap();
            let mut all = [Rounds::default(), Rounds::default()];
            for _ in 0..rounds {
                let words: &[u32] = bytemuck::cast_slice(&student);
                let other: &[u32] = bytemuck::cast_slice(&teacher);
                let probe = read(c.isa(), threads, words) + read(c.isa(), threads, other);
                let views = [&student, &teacher].map(|z| Floats::from(Matrix::contiguous(&z[..], n, v).unwrap()));
                let mut run = |grads: [Grad<'_>; 2], upstream| {
                    let out = Figures { values: Some(MatrixMut::vector(&mut values)), ..Figures::default() };
                    time(threads, || {
                        forward_fused(&c, &problem, grads, Inputs::default(), out, Totals::default(), upstream, &mut [])
                            .unwrap()
                    })
                };
                all[0].add(run(views.map(Grad::Absent), None), probe);
                let both = read(c.isa(), threads, other) + copy(threads, words, bytemuck::cast_slice_mut(&mut grad));
                let place = MatrixMut::contiguous(&mut grad, n, v).unwrap().into();
                all[1].add(run([Grad::Separate(views[0], place), Grad::Absent(views[1])], Some(1.0)), both);
            }
            let case = format!("{}, {}, V = {v}, {}", kind.info().name, T::DTYPE, threads_word(threads));
            let goal = match kind {
                Kind::ForwardKl | Kind::ReverseKl | Kind::Renyi | Kind::Hellinger2 => {
                    Goal::AtLeast(match (mode, T::DTYPE == Dtype::F32) {
                        (Mode::Portable, true) => 65.0,
                        (Mode::Portable, false) => 40.0,
                        (Mode::Fast, true) => 90.0,
                        (Mode::Fast, false) => 60.0,
                    })
                }
                // two reads
                Kind::Jsd if mode == Mode::Fast => Goal::AtLeast(45.0),
                _ => Goal::None,
            };
            all[0].line(&case, "a read of both sides", goal, 2 * bytes);
            all[1].line(&format!("{case}, with gradient"), "a read and a copy", Goal::None, 3 * bytes);
        }
    }
}
/// The distance of sorted probabilities, f32, of two vocabularies.
fn bench_sorted(rounds: usize) {
    let (n, widths) = (32, [128256, 151936]);
    let mut state = 1u64;
    let mut next = || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 40) as f32 / 1048576.0 - 8.0
    };
    let [student, teacher] = widths.map(|v| (0..n * v).map(|_| next()).collect::<Vec<f32>>());
    let (mut grad, mut values) = (student.clone(), vec![0f32; n]);
    let views = [(&student, widths[0]), (&teacher, widths[1])]
        .map(|(z, v)| Floats::from(Matrix::contiguous(&z[..], n, v).unwrap()));
    let side = |v| logprob::Problem::new(n, v, logprob::Options::default()).unwrap();
    let options = Options { kind: Kind::ForwardKl, reduction: Some(Reduction::Mean), ..Options::default() };
    let problem = Problem::new(side(widths[0]), side(widths[1]), options).unwrap();
    for threads in [1, 2] {
        let options = ContextOptions { threads: if threads > 1 { threads } else { 0 }, ..ContextOptions::default() };
        let c = Context::new(options).unwrap();
        let mut space = Space::default();
        let room = space.bytes(uld_workspace(&c, &problem, false, false).preferred);
        let mut all = [Rounds::default(), Rounds::default()];
        for _ in 0..rounds {
            let other = read(c.isa(), threads, bytemuck::cast_slice(&teacher));
            let probe = other + read(c.isa(), threads, bytemuck::cast_slice(&student));
            let mut run = |grads: [Grad<'_>; 2], loss| {
                let (place, upstream) = (MatrixMut::vector(&mut values), Upstream { loss, ..Upstream::default() });
                let (how, inputs, totals) = (Uld::default(), Inputs::default(), Totals::default());
                time(threads, || {
                    uld(&c, &problem, how, grads, None, inputs, Some(place), None, totals, upstream, &mut *room)
                        .unwrap()
                })
            };
            all[0].add(run(views.map(Grad::Absent), None), probe);
            let both = other + copy(threads, bytemuck::cast_slice(&student), bytemuck::cast_slice_mut(&mut grad));
            let place = MatrixMut::contiguous(&mut grad, n, widths[0]).unwrap().into();
            all[1].add(run([Grad::Separate(views[0], place), Grad::Absent(views[1])], Some(1.0)), both);
        }
        let case = format!("uld, f32, V = {} and {}, {}", widths[0], widths[1], threads_word(threads));
        let [a, b] = widths.map(|v| n * v * size_of::<f32>());
        all[0].line(&case, "a read of both sides", Goal::None, a + b);
        all[1].line(&format!("{case}, with gradient"), "a read and a copy", Goal::None, 2 * a + b);
    }
}
fn main() {
    let Arguments { rounds, .. } = Arguments::new(7);
    let modes = [(Mode::Portable, "divergences of logits, portable"), (Mode::Fast, "divergences of logits, fast")];
    for (mode, title) in modes {
        part(title);
        for v in [128256, 32000] {
            bench::<f32>(mode, v, rounds);
            bench::<bf16>(mode, v, rounds);
        }
        if mode == Mode::Portable {
            bench_sorted(rounds);
        }
    }
}
