//! Truing: the math between a language model's output and the gradient that goes back into it.
//!
//! `core` is the specification (no_std), `cpu` the SIMD backend, `cuda` the GPU backend.
pub use truing_core as core;
pub use truing_core::{Dtype, Error, Result, Status};

#[cfg(feature = "cpu")]
pub use truing_cpu as cpu;
#[cfg(feature = "cuda")]
pub use truing_cuda as cuda;

/// The example of the README, compiled and run as a documentation test.
#[cfg(all(doctest, feature = "cpu"))]
#[doc = include_str!("../README.md")]
mod readme {}
