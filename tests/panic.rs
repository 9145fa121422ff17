//! The library with a function that panics inside the guard, in the way that `kind` names: for the test of the boundary.
use truing_ffi::abi::truing_status;

/// Panics, or not.
#[unsafe(no_mangle)]
pub extern "C" fn truing_test_panic(kind: u32) -> truing_status {
    truing_ffi::test_panic(kind)
}
