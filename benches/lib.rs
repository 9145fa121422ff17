//! Shared helpers of the benchmarks: what memory can do, measured in the same round, and shares of it.
use std::hint::black_box;
use std::time::Instant;
use truing::cpu::lanes::simd::{Simd, prelude::*, u32x16};
use truing::cpu::rows::prefetch;
use truing::cpu::{Isa, on_isa};

#[inline(always)]
fn sum_lanes<S: Simd, const AHEAD: bool>(s: S, x: &[u32]) -> u32 {
    let mut a = [u32x16::splat(s, 0); 8];
    for q in x.as_chunks::<128>().0 {
        let p = q.as_chunks::<32>().0;
        for i in 0..4 {
            if AHEAD {
                prefetch(&p[i], 1024, true);
            }
            a[2 * i] = a[2 * i] + u32x16::from_slice(s, &p[i][..16]);
            a[2 * i + 1] = a[2 * i + 1] + u32x16::from_slice(s, &p[i][16..]);
        }
    }
    let mut total = a[0];
    for a in &a[1..] {
        total = total + *a;
    }
    total.to_array()[0]
}
fn sum(isa: Isa, x: &[u32], ahead: bool) -> u32 {
    on_isa!(isa, s => if ahead { sum_lanes::<_, true>(s, x) } else { sum_lanes::<_, false>(s, x) }, {
        x.iter().fold(0, |a, &x| a.wrapping_add(x))
    })
}
/// Runs `f` on equal pieces of `x`, one a thread; the last one on this thread.
fn spread<T: Send>(threads: usize, x: Vec<T>, f: impl Fn(T) + Sync) {
    debug_assert_eq!(threads, x.len());
    std::thread::scope(|scope| {
        let mut x = x.into_iter();
        for piece in x.by_ref().take(threads - 1) {
            let f = &f;
            scope.spawn(move || f(piece));
        }
        x.for_each(&f);
    });
}
/// Reads every word once, plainly or with a prefetch, over `threads` threads; returns the seconds of the faster way.
pub fn read(isa: Isa, threads: usize, x: &[u32]) -> f64 {
    let piece = x.len().div_ceil(threads).next_multiple_of(128);
    let seconds = [false, true].map(|ahead| {
        time(threads, || {
            spread(threads, x.chunks(piece).collect(), |x| {
                black_box(sum(isa, x, ahead));
            });
        })
    });
    seconds[0].min(seconds[1])
}
/// Copies `x` over `threads` threads; returns the seconds.
pub fn copy(threads: usize, x: &[u32], to: &mut [u32]) -> f64 {
    let piece = x.len().div_ceil(threads);
    time(threads, || {
        spread(threads, x.chunks(piece).zip(to.chunks_mut(piece)).collect(), |(x, to)| {
            to.copy_from_slice(black_box(x))
        });
    })
}

/// Seconds that this thread has run, from the scheduler, where the system tells.
fn cpu_seconds() -> Option<f64> {
    // the scheduler brings its count up to date when it is called, else at a clock tick only, 4 ms apart
    std::thread::yield_now();
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    Some(text.split(' ').next()?.parse::<f64>().ok()? * 1e-9)
}
/// Seconds that `f` takes: of this thread's own running time if it works alone, so that other tenants of the cores do
/// not count, else of the wall clock.
pub fn time(threads: usize, f: impl FnOnce()) -> f64 {
    let (clock, before) = (Instant::now(), cpu_seconds());
    f();
    let wall = clock.elapsed().as_secs_f64();
    match (before, cpu_seconds()) {
        (Some(a), Some(b)) if threads == 1 && b > a => b - a,
        _ => wall,
    }
}

/// Arguments of a benchmark: `[rounds] [--table]`.
#[derive(Clone, Copy, Debug)]
pub struct Arguments {
    /// Rounds of each case.
    pub rounds: usize,
    /// Only the lines that `benches/report` collects, without criterion's statistics of single calls.
    pub table: bool,
}
impl Arguments {
    /// Of this process; `rounds` if it names none.
    pub fn new(rounds: usize) -> Arguments {
        Arguments {
            rounds: std::env::args().skip(1).find_map(|a| a.parse().ok()).unwrap_or(rounds),
            table: std::env::args().any(|a| a == "--table"),
        }
    }
}
/// `1 thread`, `2 threads`.
pub fn threads_word(threads: usize) -> String {
    format!("{threads} thread{}", if threads == 1 { "" } else { "s" })
}
/// What a figure is to reach.
#[derive(Clone, Copy, Debug)]
pub enum Goal {
    /// It or more.
    AtLeast(f64),
    /// It or less.
    AtMost(f64),
    /// Nothing is set.
    None,
}
/// Begins a part of the table.
pub fn part(title: &str) {
    println!("== {title}");
}
/// Prints a line of the table that `benches/report` collects: median and quartiles of a figure beside its goal. `unit`: of
/// figure and goal; `note`: what else is worth saying.
pub fn line(case: &str, figures: &[f64], unit: &str, goal: Goal, note: &str) {
    let mut x = figures.to_vec();
    x.sort_by(f64::total_cmp);
    let n = x.len();
    let goal = match goal {
        Goal::AtLeast(g) => format!(">= {g}"),
        Goal::AtMost(g) => format!("<= {g}"),
        Goal::None => String::new(),
    };
    println!("= {case} | {:.4} {:.4} {:.4} | {unit} | {goal} | {note}", x[n / 4], x[n / 2], x[n * 3 / 4]);
}
/// Seconds of rounds and the share of a probe of the same round.
#[derive(Clone, Debug, Default)]
pub struct Rounds {
    seconds: Vec<f64>,
    shares: Vec<f64>,
}
impl Rounds {
    /// One round: seconds of the kernel and of the probe.
    pub fn add(&mut self, kernel: f64, probe: f64) {
        self.seconds.push(kernel);
        self.shares.push(100.0 * probe / kernel);
    }
    /// Prints the share of the probe; `bytes`: of a call.
    pub fn line(&self, case: &str, probe: &str, goal: Goal, bytes: usize) {
        let mut t = self.seconds.clone();
        t.sort_by(f64::total_cmp);
        let rate = bytes as f64 / t[t.len() / 2] / 1e9;
        line(case, &self.shares, &format!("% of {probe}"), goal, &format!("{rate:.1} GB/s"));
    }
}
