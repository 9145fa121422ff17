//! The specification of Truing: every formula, record and checked problem, in plain Rust.
//!
//! No std, no alloc, no unsafe, no knowledge of a backend. What this crate computes slowly is what the backends
//! must compute fast, bit for bit in `portable` mode.
#![cfg_attr(not(feature = "std"), no_std)]
#![forbid(unsafe_code)]

pub mod advantage;
pub mod batch;
pub mod catalog;
pub mod classes;
mod coef;
pub mod correction;
pub mod divergence;
pub mod dtype;
pub mod error;
pub mod linear_divergence;
pub mod linear_logprob;
pub mod linear_policy;
pub mod linear_preference;
pub mod logprob;
pub mod losses;
pub mod matrix;
pub mod policy;
pub mod preference;
pub mod real;
pub mod record;
pub mod row_loss;
pub mod sequence;
pub mod support;
pub mod tds_rows;
pub mod tilt;

pub use dtype::Dtype;
pub use error::{Error, Result, Status, Value};
