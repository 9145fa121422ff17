//! One context used by several threads at once, and several contexts side by side: the results of a lonely call. Small
//! enough for Miri and for many rounds under a thread sanitizer (`tests/sanitizers`).
#[path = "hashes.rs"]
#[allow(dead_code)]
mod hashes;
use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use truing_cpu::{Context, Isa};
use truing_tests::{Cases, context};

/// Cases of an operation: small ones and all kinds that a kernel cuts over threads. Those are 24 and 74 of rows and products,
/// 49 and 99 of sequences, policies and the composite, 160 (pairs), 165 (unpaired), 166 (lists) and, for the first stage,
/// 200 and more of preferences. Miri takes half a minute for one tiny product.
fn picked(operation: &str) -> Vec<usize> {
    match operation {
        "linear_logprob_forward" | "linear_logprob_backward" if cfg!(miri) => vec![201],
        "logprob_backward" if cfg!(miri) => vec![2],
        _ if cfg!(miri) => vec![1],
        _ => (0..200).step_by(13).chain([24, 74, 49, 99, 160, 165, 166, 200, 205, 206]).collect(),
    }
}

#[test]
fn contexts_are_shared_by_threads() {
    let threads = if cfg!(miri) { 2 } else { 4 };
    let lonely = Context::default();
    let cases: Vec<_> =
        hashes::OPERATIONS.iter().flat_map(|&(name, f)| picked(name).into_iter().map(move |i| (name, f, i))).collect();
    let want: Vec<u64> = cases.iter().map(|&(_, f, i)| f(i, &lonely)).collect();
    let (shared, other) = (context(Isa::detect(), 2), context(Isa::detect(), 2));
    let round = |c: &Context, at: usize| {
        // every thread in another order
        for k in 0..cases.len() {
            let k = (k + at * cases.len() / threads) % cases.len();
            let (name, f, i) = cases[k];
            assert_eq!(f(i, c), want[k], "{name} case {i} on thread {at}");
        }
        cases.len()
    };
    let mut done = Cases::default();
    std::thread::scope(|s| {
        let (round, shared, other, lonely) = (&round, &shared, &other, &lonely);
        let handles: Vec<_> =
            (0..threads).map(|at| s.spawn(move || round([shared, shared, other, lonely][at], at))).collect();
        handles.into_iter().for_each(|h| done.0 += h.join().unwrap());
    });
    done.finish("shared contexts", if cfg!(miri) { 18 } else { 936 });
}

/// Two workers of a pool write one place, each after the other has arrived and with no order between them.
#[test]
#[ignore = "a data race on purpose: tests/sanitizers fails unless it is reported"]
fn deliberate_race() {
    struct Place(UnsafeCell<u64>);
    // SAFETY: none; what follows is the error that a sanitizer must find.
    unsafe impl Sync for Place {}
    impl Place {
        fn write(&self) {
            // SAFETY: none, see above.
            unsafe { *self.0.get() += 1 };
        }
    }
    let (place, arrived) = (Place(UnsafeCell::new(0)), AtomicUsize::new(0));
    context(Isa::detect(), 2).tasks(2, |_, _| {
        arrived.fetch_add(1, Relaxed);
        while arrived.load(Relaxed) < 2 {
            std::thread::yield_now();
        }
        place.write();
    });
}
