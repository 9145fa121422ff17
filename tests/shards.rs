//! Vocabulary shards of the log-prob: the unsharded bits where shards are nodes of the tree, the accuracy of any cut (50
//! digits), gradients of a shard, the same bits on every instruction set, special rows, refusals.
use half::bf16;
use truing_core::error::row;
use truing_core::logprob::{Figures, Options, Problem, Rows, STATS, Transform, TransformInputs, Upstream};
use truing_core::matrix::{Matrix, MatrixMut};
use truing_core::record::BLOCK;
use truing_core::support::SupportFigures;
use truing_core::{Error, Status};
use truing_cpu::logprob::{
    BackwardInputs, Finish, Grad, Inputs, Local, LocalPass, Totals, backward, finish, forward, local,
};
use truing_cpu::{Context, Isa};
use truing_tests::{ALL, Bits, Cases, Logit, Random, RowOut as Out, U, context, contexts, hash, numbers, same};

const INF: f32 = f32::INFINITY;
const NAN: f32 = f32::NAN;

/// The figures alone.
fn joined(c: &Context, problem: &Problem, inputs: Finish<'_>, out: Figures<'_>) -> Result<(), Error> {
    finish(c, problem, inputs, out, SupportFigures::default(), Totals::default(), &mut [])
}

/// What the rows are and how their logits are transformed.
#[derive(Clone)]
struct Job<T> {
    v: usize,
    z: Vec<T>,
    target: Vec<i64>,
    mask: Vec<u8>,
    bias: Option<Vec<f32>>,
    options: Options,
}
impl<T: Logit> Job<T> {
    fn n(&self) -> usize {
        self.target.len()
    }
    fn rows(&self) -> Rows<'_> {
        let (target, mask) = (Matrix::vector(&self.target), Matrix::vector(&self.mask));
        Rows { target: Some(target.into()), mask: Some(mask.into()), ..Rows::default() }
    }
    fn bias(&self, a: usize, b: usize) -> TransformInputs<'_> {
        TransformInputs { bias: self.bias.as_ref().map(|x| Matrix::vector(&x[a..b]).into()), row_temperature: None }
    }
    fn columns(&self, a: usize, b: usize) -> Vec<T> {
        (0..self.n()).flat_map(|i| self.z[i * self.v..][a..b].to_vec()).collect()
    }
    fn part(&self, a: usize, b: usize) -> Problem {
        Problem::shard(self.n(), b - a, self.options, a, self.v).unwrap()
    }
    /// Records of the shard of these columns.
    fn local(&self, c: &Context, a: usize, b: usize) -> (Vec<f32>, Vec<u32>) {
        let (z, n) = (self.columns(a, b), self.n());
        let (mut records, mut status) = (vec![7.5; n * STATS], vec![1 << 31; n]);
        let logits = T::view(Matrix::contiguous(&z, n, b - a).unwrap());
        let inputs = Inputs::new(logits, self.bias(a, b), self.rows());
        let out = Local {
            records: Some(MatrixMut::contiguous(&mut records, n, STATS).unwrap()),
            status: Some(MatrixMut::vector(&mut status)),
            ..Local::default()
        };
        local(c, &self.part(a, b), inputs, None, LocalPass::Records { sums: false }, out, &mut []).unwrap();
        (records, status)
    }
    fn finish(&self, c: &Context, starts: &[i64]) -> Out {
        let records: Vec<f32> = starts.windows(2).flat_map(|w| self.local(c, w[0] as usize, w[1] as usize).0).collect();
        let n = self.n();
        let mut out = Out::new(n);
        let records = Matrix::contiguous(&records, n * (starts.len() - 1), STATS).unwrap();
        let inputs = Finish::new(records, Matrix::vector(starts).into(), self.rows());
        joined(c, &Problem::new(n, self.v, self.options).unwrap(), inputs, out.figures(ALL)).unwrap();
        out
    }
    fn whole(&self, c: &Context) -> Out {
        let mut out = Out::new(self.n());
        let logits = T::view(Matrix::contiguous(&self.z, self.n(), self.v).unwrap());
        let inputs = Inputs::new(logits, self.bias(0, self.v), self.rows());
        forward(c, &Problem::new(self.n(), self.v, self.options).unwrap(), inputs, out.figures(ALL)).unwrap();
        out
    }
    fn gradient(&self, c: &Context, stats: &[f32], a: usize, b: usize, in_place: bool) -> Vec<T> {
        let (n, mut z) = (self.n(), self.columns(a, b));
        let mut g = z.clone();
        let up: [Vec<f32>; 3] = [1.0, 0.25, -0.5].map(|g| vec![g; n]);
        let [lp, lse, h] = up.each_ref().map(|g| Some(Matrix::vector(g)));
        let upstream = Upstream { logprob: lp, lse, entropy: h, scale: 1.5, ..Upstream::default() };
        let inputs = BackwardInputs { transform: self.bias(a, b), rows: self.rows(), ..BackwardInputs::default() };
        let stats = Some(Matrix::contiguous(stats, n, STATS).unwrap());
        let place = |x| T::view_mut(MatrixMut::contiguous(x, n, b - a).unwrap());
        let grad = if in_place {
            Grad::InPlace(place(&mut g))
        } else {
            Grad::Separate(T::view(Matrix::contiguous(&z, n, b - a).unwrap()), place(&mut g))
        };
        backward(c, &self.part(a, b), inputs, stats, upstream, grad, None).unwrap();
        z.clear();
        g
    }
}
fn job<T: Logit>(v: usize, setup: usize, seed: u64) -> Job<T> {
    let mut r = Random(seed);
    let n = 7;
    let mut z: Vec<T> = (0..n * v).map(|_| T::from_f32((r.normal() * 3.0) as f32)).collect();
    let mut target: Vec<i64> = (0..n).map(|_| r.below(v) as i64).collect();
    target[0] = (v / 2) as i64;
    z[v / 2] = T::from_f32(20.0); // near-certain
    z[v + v / 3] = T::from_f32(NAN);
    z[2 * v + v - 1] = T::from_f32(INF);
    z[3 * v..4 * v].fill(T::from_f32(-INF));
    z[5 * v + target[5] as usize] = T::from_f32(-INF);
    let mut mask = vec![1; n];
    mask[6] = 0;
    target[6] = i64::MAX;
    let transform = Transform { logit_scale: 1.25, softcap: 20.0, temperature: 0.7 };
    let mut job = Job { v, z, target, mask, bias: None, options: Options::default() };
    if setup == 1 {
        job.options.transform = transform;
        job.bias = Some((0..v).map(|j| if j % 7 == 6 { -INF } else { (j % 5) as f32 * 0.25 }).collect());
        job.options.n_valid_vocab = v - v / 5;
    }
    job
}
fn every<T: Logit>(cases: &mut Cases) {
    for v in [2049, 4097, 16032, 30000] {
        for setup in 0..2 {
            let job = job::<T>(v, setup, v as u64);
            for c in &contexts() {
                let want = job.whole(c);
                // shards that are nodes of the tree: of equal runs, and of runs of different lengths
                let mut all: Vec<Vec<i64>> =
                    [1, 2, 4, 8].map(|n| (0..v as i64).step_by(n * BLOCK).chain([v as i64]).collect()).to_vec();
                let b = BLOCK as i64;
                all.push(
                    [0, 4 * b, 6 * b, 7 * b, 8 * b].into_iter().filter(|&x| x < v as i64).chain([v as i64]).collect(),
                );
                all.push(vec![0, v as i64]);
                for starts in &all {
                    job.finish(c, starts).check(
                        &format!("V {v}, setup {setup}, {} shards", starts.len() - 1),
                        &want,
                        ALL,
                    );
                    cases.ran();
                }
                // a shard's gradient from the row's statistics, whatever the cut
                let gradient = job.gradient(c, &want.stats, 0, v, false);
                for (a, b) in [(0, v / 8), (v / 8, v / 8 + 33), (2048, v), (v / 2, v - 1), (v - 1, v), (1, v)] {
                    let g: Vec<T> = (0..job.n()).flat_map(|i| gradient[i * v..][a..b].to_vec()).collect();
                    for in_place in [false, true] {
                        same("gradient of a shard", &job.gradient(c, &want.stats, a, b, in_place), &g);
                        cases.ran();
                    }
                }
            }
        }
    }
}
#[test]
fn shards_that_are_nodes_give_the_unsharded_bits() {
    let mut cases = Cases::default();
    every::<f32>(&mut cases);
    every::<bf16>(&mut cases);
    cases.finish("shards with the unsharded bits", 2 * 4 * 2 * 2 * 18);
}

#[test]
fn any_cut_gives_the_same_bits_on_every_instruction_set_and_close_figures() {
    let mut cases = Cases::default();
    let scalar = context(Isa::Scalar, 0);
    for setup in 0..2 {
        // 128256 columns over eight devices: 16032 each, inside a block
        let job = job::<f32>(128256, setup, 5);
        let whole = job.whole(&context(Isa::detect(), 2));
        let cut = |step: usize| (0..job.v as i64).step_by(step).chain([job.v as i64]).collect::<Vec<i64>>();
        for starts in [cut(16032), cut(50000), vec![0, 5, 2048, 2049, 2080, 100000, job.v as i64]] {
            let want = job.finish(&scalar, &starts);
            for c in contexts().iter().chain([&context(Isa::detect(), 3)]) {
                job.finish(c, &starts).check(&format!("{starts:?}"), &want, ALL);
                for w in starts.windows(2) {
                    let (a, b) = (w[0] as usize, w[1] as usize);
                    let ((got, s), (want, t)) = (job.local(c, a, b), job.local(&scalar, a, b));
                    same("records", &got, &want);
                    same("status of a shard", &s, &t);
                    cases.ran();
                }
            }
            let close = |a: f32, b: f32| a.key() == b.key() || (a - b).abs() <= 4e-6 * (1.0 + b.abs());
            for i in 0..job.n() {
                assert_eq!((want.argmax[i], want.is_top1[i]), (whole.argmax[i], whole.is_top1[i]));
                assert_eq!(want.status[i], whole.status[i]);
                assert!(close(want.logprob[i], whole.logprob[i]) && close(want.lse[i], whole.lse[i]));
                assert!(close(want.entropy[i], whole.entropy[i]) && close(want.log_sum_sq[i], whole.log_sum_sq[i]));
            }
            assert_eq!(want.status[1], row::NAN_INPUT);
            assert_eq!(want.status[2] & 0xf, if setup == 0 { row::INF_INPUT } else { 0 }, "beyond n_valid_vocab");
            assert_eq!(want.status[3], row::ALL_NEG_INF);
            assert_eq!(want.status[6], row::IGNORED);
        }
    }
    cases.finish("cut shards", 2 * (8 + 3 + 6) * 3);
}

/// `golden/rows.txt`, 50 digits from an independent script, over shards.
#[test]
fn golden() {
    let (mut cases, c) = (Cases::default(), context(Isa::detect(), 0));
    for line in include_str!("golden/rows.txt").lines() {
        let parts: Vec<&str> = line.split(" | ").collect();
        let head = numbers(parts[0]);
        let (seed, v) = (head[0] as u32, head[1] as usize);
        if v < 5 {
            continue;
        }
        let (step, offset, gap, dead) = (head[2], head[3], head[4], head[5] as u32);
        let z: Vec<f32> = (0..v as u32)
            .map(|j| {
                let x = (hash(seed, j) as f64 - 32768.0) * step + offset;
                match j as usize == v / 2 {
                    true => (x + gap) as f32,
                    false if dead > 0 && hash(seed + 1, j) % dead == 0 => -INF,
                    false => x as f32,
                }
            })
            .collect();
        let bias =
            (head[6] == 1.0).then(|| (0..v as u32).map(|j| (hash(seed + 2, j) % 64) as f32 / 16.0 - 2.0).collect());
        let transform = Transform { logit_scale: head[8], softcap: head[9], temperature: head[10] };
        let plain = head[6] == 0.0 && head[8] == 1.0 && head[9] == 0.0 && head[10] == 1.0;
        let options = Options { transform, ..Options::default() };
        let job = Job { v, z, target: vec![head[7] as i64], mask: vec![1], bias, options };
        let third = (v / 3) as i64;
        let out = job.finish(&c, &[0, third, third + 1, (v - 1) as i64, v as i64]);
        let figures = numbers(parts[1]);
        // the transform rounds a logit of at most this size six times
        let slack = if plain { 0.0 } else { 6.0 * U * (figures[1].abs() + 70.0) };
        let l = (figures[1] - out.max[0] as f64).abs();
        let bounds = [
            4.0 * U * (figures[0].abs() + 2.0 * l + 1.0) + 2.0 * slack,
            4.0 * U * (l + 1.0) + U * figures[1].abs() + 2.0 * slack,
            (8.0 * U + slack) * (1.0 + (v as f64).ln()),
            8.0 * U * (1.0 + 2.0 * l) + 4.0 * slack,
        ];
        let got = [out.logprob[0], out.lse[0], out.entropy[0], out.log_sum_sq[0]];
        for k in 0..4 {
            let ok = got[k] as f64 == figures[k] || (got[k] as f64 - figures[k]).abs() <= bounds[k];
            assert!(ok, "{}: figure {k}: got {}, expected {}", parts[0], got[k], figures[k]);
        }
        cases.ran();
    }
    cases.finish("golden rows over shards", 850);
}

#[test]
fn refusals() {
    let job = job::<f32>(5000, 0, 1);
    let c = context(Isa::detect(), 0);
    let refused = |e: Result<(), Error>, status: Status, field: &str| {
        let e = e.unwrap_err();
        assert_eq!((e.status, e.field), (status, field), "{e}");
    };
    let problem = |n, v, start, total| Problem::shard(n, v, job.options, start, total).map(|_| ());
    refused(problem(2, 10, 5, 14), Status::InvalidArgument, "shard.vocab_start");
    refused(problem(2, 10, 50, 14), Status::InvalidArgument, "shard.vocab_start");
    refused(problem(2, 10, 0, 1 << 31), Status::InvalidArgument, "shard.vocab_total");
    refused(problem(2, 0, 5, 14), Status::ShapeMismatch, "logits");
    problem(2, 10, 4, 14).unwrap();
    let padded = Options { n_valid_vocab: 15, ..job.options };
    refused(Problem::shard(2, 10, padded, 0, 14).map(|_| ()), Status::InvalidArgument, "transform.n_valid_vocab");
    // the gradient of a shard needs the row's statistics
    let (z, mut g) = (job.columns(0, 100), job.columns(0, 100));
    let grad = Grad::Separate(
        Matrix::contiguous(&z, job.n(), 100).unwrap().into(),
        MatrixMut::contiguous(&mut g, job.n(), 100).unwrap().into(),
    );
    let inputs =
        BackwardInputs { transform: TransformInputs::default(), rows: job.rows(), ..BackwardInputs::default() };
    let e = backward::<f32>(&c, &job.part(0, 100), inputs, None, Upstream::default(), grad, None);
    refused(e, Status::InvalidArgument, "stats");
    {
        let (z, mut g, stats) = (vec![0f64; 100], vec![7f64; 100], [0f64; STATS]);
        let grad = Grad::Separate(
            Matrix::contiguous(&z, 1, 100).unwrap().into(),
            MatrixMut::contiguous(&mut g, 1, 100).unwrap().into(),
        );
        let problem = Problem::shard(1, 100, Options::default(), 0, 5000).unwrap();
        let stats = Matrix::contiguous(&stats, 1, STATS).unwrap();
        let e = backward(&c, &problem, BackwardInputs::default(), Some(stats), Upstream::<f64>::default(), grad, None);
        refused(e, Status::UnsupportedDtype, "logits");
        assert!(g.iter().all(|&g| g == 7.0), "a refused call has written");
    }
    // starts
    let records = vec![0.0; 2 * job.n() * STATS];
    let run = |starts: &[i64], rows: Rows<'_>, shards: usize| {
        let records = Matrix::contiguous(&records, shards * job.n(), STATS).unwrap();
        let mut out = Out::new(job.n());
        let inputs = Finish::new(records, Matrix::vector(starts).into(), rows);
        let e = joined(&c, &Problem::new(job.n(), 5000, job.options).unwrap(), inputs, out.figures(ALL));
        assert!(e.is_ok() || out.status.iter().all(|&s| s == 1 << 31), "a refused call has written");
        e
    };
    for starts in [[1, 2, 5000], [0, 5001, 5000], [0, 2, 4999], [0, -1, 5000]] {
        refused(run(&starts, job.rows(), 2), Status::InvalidArgument, "shard_starts");
    }
    refused(run(&[0], job.rows(), 1), Status::ShapeMismatch, "shard_starts");
    refused(run(&[0, 5000], job.rows(), 2), Status::ShapeMismatch, "records");
    refused(run(&[0, 2, 5000], Rows::default(), 2), Status::InvalidArgument, "rows.target");
    run(&[0, 2, 5000], job.rows(), 2).unwrap();
    println!("shards: 15 refusals");
}
