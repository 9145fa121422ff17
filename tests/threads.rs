//! One context used by several threads at once, and several contexts side by side: the results of a lonely call. Small
//! enough for Miri and for many rounds under a thread sanitizer (`tests/sanitizers`).
#[path = "hashes.rs"]
#[allow(dead_code)]
mod hashes;
use truing_cpu::{Context, Isa};
use truing_tests::{Cases, context};

/// Cases of every operation: small ones, and those that the kernels cut over threads (`hashes` says which; the preference
/// family needs more items than its committed cases have). Miri takes a second for what else takes a microsecond.
fn picked() -> Vec<usize> {
    if cfg!(miri) {
        vec![1, 6]
    } else {
        (0..200).step_by(7).chain([24, 74, 49, 99]).chain(160..168).chain(200..208).collect()
    }
}

#[test]
fn contexts_are_shared_by_threads() {
    let threads = if cfg!(miri) { 2 } else { 4 };
    let picked = picked();
    let lonely = Context::default();
    let want: Vec<u64> = hashes::OPERATIONS.iter().flat_map(|(_, f)| picked.iter().map(|&i| f(i, &lonely))).collect();
    let (shared, other) = (context(Isa::detect(), 2), context(Isa::detect(), 2));
    let round = |c: &Context, at: usize| {
        let mut n = 0;
        for (k, (name, f)) in hashes::OPERATIONS.iter().enumerate() {
            // every thread in another order
            for j in 0..picked.len() {
                let j = (j + at) % picked.len();
                assert_eq!(f(picked[j], c), want[k * picked.len() + j], "{name} case {} on thread {at}", picked[j]);
                n += 1;
            }
        }
        n
    };
    let mut cases = Cases::default();
    std::thread::scope(|s| {
        let (round, shared, other, lonely) = (&round, &shared, &other, &lonely);
        let handles: Vec<_> =
            (0..threads).map(|at| s.spawn(move || round([shared, shared, other, lonely][at], at))).collect();
        handles.into_iter().for_each(|h| cases.0 += h.join().unwrap());
    });
    cases.finish("shared contexts", if cfg!(miri) { 36 } else { 1764 });
}
