//! The context of a call and how work is cut over its threads. Nothing here can change a result: a row, a tile and
//! a chain belong to one task each, and no sum crosses threads.
use crate::lanes::Isa;
use core::sync::atomic::{AtomicUsize, Ordering};
use truing_core::matrix::Split;
use truing_core::{Error, Result, Value};

/// How results may differ between machines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// The same bits on every instruction set.
    #[default]
    Portable,
    /// The same bits on every run, for every batch and thread count, on one instruction set; between instruction sets within
    /// twice the bounds of `Portable`. Rows of `logprob` and the Kullback-Leibler divergences of `divergence` are summed up in one
    /// visit of every column, Jensen-Shannon divergences in two; divergences are right to some units of rounding of their terms,
    /// not relative to a small value (but for a jsd below 2^-12). The linear form rounds the gradient of its logits once to bf16 where both operands are bf16. Everything else is as
    /// in `Portable`.
    Fast,
}

/// Settings of a [`Context`].
#[derive(Clone, Copy, Debug, Default)]
pub struct ContextOptions {
    /// Threads of the pool; 0 means the calling thread only.
    pub threads: usize,
    /// Math mode.
    pub mode: Mode,
    /// No instruction set beyond this one; for tests.
    pub isa_cap: Option<Isa>,
}

/// Threads, math mode and instruction set of a call. Immutable, usable from several threads at once, not across fork.
/// The default one runs on the calling thread and owns nothing.
#[derive(Debug)]
pub struct Context {
    pool: Option<rayon::ThreadPool>,
    mode: Mode,
    isa: Isa,
}
impl Default for Context {
    fn default() -> Self {
        Context { pool: None, mode: Mode::Portable, isa: Isa::detect() }
    }
}
impl Context {
    /// Creates the pool.
    pub fn new(options: ContextOptions) -> Result<Context> {
        const MOST: usize = 1 << 10;
        if options.threads > MOST {
            return Err(Error::invalid("num_threads", Value::Size(options.threads), Value::Below(0, MOST as i64 + 1)));
        }
        let pool = match options.threads {
            0 => None,
            n => Some(rayon::ThreadPoolBuilder::new().num_threads(n).build().map_err(|_| {
                Error::invalid("num_threads", Value::Size(n), Value::Text("no more threads than the system can start"))
            })?),
        };
        let isa = Isa::detect();
        Ok(Context { pool, mode: options.mode, isa: options.isa_cap.map_or(isa, |cap| isa.cap(cap)) })
    }
    /// Threads that a call uses.
    pub fn threads(&self) -> usize {
        self.pool.as_ref().map_or(1, |p| p.current_num_threads())
    }
    /// Instruction set that a call uses.
    pub fn isa(&self) -> Isa {
        self.isa
    }
    /// Math mode.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// Cuts `rows` rows and their outputs into pieces of about `grain` rows and calls `f(first row, rows, outputs)`.
    pub fn rows<O: Split + Send>(&self, rows: usize, grain: usize, out: O, f: impl Fn(usize, usize, O) + Sync) {
        self.halves(rows, grain.max(1), &mut Piece { out: Some(out), f: &f });
    }
    fn halves(&self, rows: usize, grain: usize, work: &mut dyn Work) {
        match &self.pool {
            Some(pool) if rows > grain => pool.install(|| halve(0, rows, grain, work)),
            _ => work.run(0, rows),
        }
    }

    /// Calls `f(worker, task)` once for every task; a worker runs one task at a time and is below [`Context::threads`],
    /// so it can own a piece of scratch memory.
    pub fn tasks(&self, tasks: usize, f: impl Fn(usize, usize) + Sync) {
        self.each(tasks, &f);
    }
    fn each(&self, tasks: usize, f: &(dyn Fn(usize, usize) + Sync)) {
        match &self.pool {
            Some(pool) if tasks > 1 => {
                let next = AtomicUsize::new(0);
                pool.broadcast(|worker| {
                    loop {
                        let task = next.fetch_add(1, Ordering::Relaxed);
                        if task >= tasks {
                            return;
                        }
                        f(worker.index(), task);
                    }
                });
            }
            _ => (0..tasks).for_each(|task| f(0, task)),
        }
    }
}

/// Some rows of any kind. The code of the pool is compiled once over it, not once for every kernel.
trait Work: Send {
    /// Works on them.
    fn run(&mut self, first: usize, rows: usize);
    /// Hands out the rows below `row` and the others.
    fn split(&mut self, row: usize, then: &mut dyn FnMut(&mut dyn Work, &mut dyn Work));
}
/// The outputs of some rows, taken once.
struct Piece<'f, O, F> {
    out: Option<O>,
    f: &'f F,
}
impl<O: Split + Send, F: Fn(usize, usize, O) + Sync> Work for Piece<'_, O, F> {
    fn run(&mut self, first: usize, rows: usize) {
        if let Some(out) = self.out.take() {
            (self.f)(first, rows, out);
        }
    }
    fn split(&mut self, row: usize, then: &mut dyn FnMut(&mut dyn Work, &mut dyn Work)) {
        if let Some(out) = self.out.take() {
            let (a, b) = out.split(row);
            then(&mut Piece { out: Some(a), f: self.f }, &mut Piece { out: Some(b), f: self.f });
        }
    }
}
fn halve(first: usize, rows: usize, grain: usize, work: &mut dyn Work) {
    if rows <= grain {
        return work.run(first, rows);
    }
    let half = rows / 2;
    work.split(half, &mut |a, b| {
        rayon::join(|| halve(first, half, grain, a), || halve(first + half, rows - half, grain, b));
    });
}
