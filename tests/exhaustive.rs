//! `cargo xtask exhaustive [STRIDE]`: every function of `Real` on every f32, or on every STRIDE-th. A release job.
mod ulp;

fn main() -> std::process::ExitCode {
    let stride: u32 = std::env::args().nth(1).map_or(1, |s| s.parse().expect("a stride"));
    let threads: Vec<_> = (0..2).map(|k| std::thread::spawn(move || ulp::sweep(k * stride, 2 * stride))).collect();
    let parts: Vec<_> = threads.into_iter().map(|t| t.join().expect("a worker panicked")).collect();
    println!("{} arguments", parts.iter().map(|p| p.0).sum::<u64>());
    let mut broken = false;
    for k in 0..ulp::N {
        let worst = parts.iter().map(|p| p.1[k]).max_by(|a, b| a.ulp.total_cmp(&b.ulp)).expect("two parts");
        broken |= worst.ulp > ulp::BOUND[k];
        println!("{:12} {:.3} ulp at {:e}, bound {}", ulp::NAMES[k], worst.ulp, worst.at, ulp::BOUND[k]);
    }
    if broken { std::process::ExitCode::FAILURE } else { std::process::ExitCode::SUCCESS }
}
