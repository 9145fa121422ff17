// truing_tensor and its parts have the layout and the numbers of DLPack. Compiling is the test; valid C99 and C++17.
#include "dlpack.h"
#include "truing.h"
#include "truing.h" // twice: the include guard holds

#define SAME(name, ours, theirs) TRUING_STATIC_ASSERT(name, (ours) == (theirs))
#define FIELD(f)                                                                                                       \
    SAME(offset_##f, offsetof(truing_tensor, f), offsetof(DLTensor, f));                                               \
    SAME(size_##f, sizeof(((truing_tensor *)0)->f), sizeof(((DLTensor *)0)->f))

SAME(tensor, sizeof(truing_tensor), sizeof(DLTensor));
FIELD(data);
FIELD(device);
FIELD(ndim);
FIELD(dtype);
FIELD(shape);
FIELD(strides);
FIELD(byte_offset);
SAME(device_type, offsetof(truing_device, device_type), offsetof(DLDevice, device_type));
SAME(device_id, offsetof(truing_device, device_id), offsetof(DLDevice, device_id));
SAME(code, offsetof(truing_dtype, code), offsetof(DLDataType, code));
SAME(bits, offsetof(truing_dtype, bits), offsetof(DLDataType, bits));
SAME(lanes, offsetof(truing_dtype, lanes), offsetof(DLDataType, lanes));
SAME(lanes_size, sizeof(((truing_dtype *)0)->lanes), sizeof(((DLDataType *)0)->lanes));
SAME(cpu, TRUING_DEVICE_CPU, (int)kDLCPU);
SAME(cuda, TRUING_DEVICE_CUDA, (int)kDLCUDA);
SAME(cuda_host, TRUING_DEVICE_CUDA_HOST, (int)kDLCUDAHost);
SAME(cuda_managed, TRUING_DEVICE_CUDA_MANAGED, (int)kDLCUDAManaged);
SAME(dtype_int, TRUING_DTYPE_INT, (int)kDLInt);
SAME(dtype_uint, TRUING_DTYPE_UINT, (int)kDLUInt);
SAME(dtype_float, TRUING_DTYPE_FLOAT, (int)kDLFloat);
SAME(dtype_bfloat, TRUING_DTYPE_BFLOAT, (int)kDLBfloat);
SAME(dtype_bool, TRUING_DTYPE_BOOL, (int)kDLBool);

int main(void) {
    return 0;
}
