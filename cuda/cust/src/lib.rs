//! `cust` streams and device memory as `truing-cuda` takes them.
//!
//! Nothing is copied or owned: keep stream and memory alive until the stream has passed the calls that use them. The context
//! that cust made must be current, as it is on the thread that made it.
#![forbid(unsafe_code)]
use cust::memory::{DeviceCopy, DeviceSlice};
use truing_core::dtype::Element;
use truing_core::matrix::Layout;
use truing_core::{Dtype, Error, Result, Value};
use truing_cuda::{Space, Stream, Tensor};

/// The stream, for a call of `truing-cuda`.
pub fn stream(stream: &cust::stream::Stream) -> Stream {
    Stream(stream.as_inner().cast())
}
/// `rows` x `cols` numbers without gaps. Errors: fewer numbers than that.
pub fn tensor<T: Element + DeviceCopy>(slice: &DeviceSlice<T>, rows: usize, cols: usize) -> Result<Tensor> {
    with_layout(slice, T::DTYPE, Layout::contiguous(rows, cols))
}
/// As [`tensor`], of 16-bit numbers: cust has no bf16 or f16 of its own.
pub fn tensor16(slice: &DeviceSlice<u16>, dtype: Dtype, rows: usize, cols: usize) -> Result<Tensor> {
    if !matches!(dtype, Dtype::Bf16 | Dtype::F16) {
        return Err(Error::invalid("dtype", Value::Dtype(dtype), Value::Text("bf16 or f16")));
    }
    with_layout(slice, dtype, Layout::contiguous(rows, cols))
}
/// Scratch memory.
pub fn space(slice: &DeviceSlice<u8>) -> Space {
    Space { data: slice.as_device_ptr().as_raw(), size: slice.len() }
}
fn with_layout<T: DeviceCopy>(slice: &DeviceSlice<T>, dtype: Dtype, layout: Layout) -> Result<Tensor> {
    if layout.extent().is_none_or(|n| n > slice.len()) {
        return Err(Error::shape("slice", layout.shape(), Value::Size(slice.len())));
    }
    Ok(Tensor { data: slice.as_device_ptr().as_raw(), dtype, layout })
}
