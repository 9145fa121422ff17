//! A progress bar on a terminal, and this process's memory.
use std::io::{IsTerminal, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

/// Drawn over itself on a terminal; elsewhere (a log file) nothing is drawn.
pub struct Bar {
    name: &'static str,
    done: AtomicUsize,
    total: usize,
    started: Instant,
    shown: bool,
}

impl Bar {
    pub fn new(name: &'static str, total: usize) -> Bar {
        let bar = Bar {
            name,
            done: AtomicUsize::new(0),
            total,
            started: Instant::now(),
            shown: std::io::stderr().is_terminal(),
        };
        bar.add(0);
        bar
    }
    pub fn add(&self, n: usize) {
        let done = self.done.fetch_add(n, Ordering::Relaxed) + n;
        if self.shown {
            let full = 30 * done / self.total.max(1);
            let seconds = self.started.elapsed().as_secs_f64();
            let left = if done == 0 {
                String::new()
            } else {
                format!("{:.0} s left", seconds / done as f64 * (self.total - done) as f64)
            };
            eprint!(
                "\r{:<18} [{}{}] {done}/{} {left}\x1b[K",
                self.name,
                "#".repeat(full),
                ".".repeat(30 - full),
                self.total
            );
            let _ = std::io::stderr().flush();
        }
    }
    /// Makes room for a line of output; the next `add` draws the bar again.
    pub fn clear(&self) {
        if self.shown {
            eprint!("\r\x1b[K");
        }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.clear();
    }
}

/// `VmHWM` (peak) or `VmRSS` (now) in bytes; `None` where there is no /proc.
fn status(field: &str) -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find(|l| l.starts_with(field))?;
    Some(line.split_whitespace().nth(1)?.parse::<u64>().ok()? * 1024)
}

/// Peak memory since the last reset, as text.
pub fn peak() -> String {
    status("VmHWM").map_or("unknown".into(), megabytes)
}

/// Forgets the peak so far.
pub fn reset_peak() {
    // Where this is refused the peak stays that of the whole run: larger, never smaller.
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}

/// Runs `f`; comes with the seconds it took and the memory it needed above what was in use before.
pub fn measure<T>(f: impl FnOnce() -> T) -> (T, f64, Option<u64>) {
    reset_peak();
    let before = status("VmRSS");
    let started = Instant::now();
    let out = f();
    let seconds = started.elapsed().as_secs_f64();
    let memory = status("VmHWM").zip(before).map(|(peak, before)| peak.saturating_sub(before));
    (out, seconds, memory)
}

pub fn megabytes(bytes: u64) -> String {
    format!("{} MB", bytes.div_ceil(1 << 20))
}
