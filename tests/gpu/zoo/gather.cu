// gather.cu - rows of a table by index, and their gradients added back.

// y[i, :] = table[index[i], :]; an index out of range gives zeros
extern "C" __global__ void gather_rows(const float4 *__restrict__ table,
                                       const int *__restrict__ index, float4 *__restrict__ y,
                                       int rows, int n, int cols4) {
    int c = threadIdx.x, i = blockIdx.x * blockDim.y + threadIdx.y;
    if (i >= n || c >= cols4) return;
    int r = index[i];
    float4 zero = {0.0f, 0.0f, 0.0f, 0.0f};
    y[i * cols4 + c] = r >= 0 && r < rows ? table[r * cols4 + c] : zero;
}

// grad[index[i], :] += g[i, :]
extern "C" __global__ void scatter_add(float *grad, const int *__restrict__ index,
                                       const float *__restrict__ g, int rows, int n, int cols) {
    int c = threadIdx.x, i = blockIdx.x * blockDim.y + threadIdx.y;
    if (i >= n || c >= cols) return;
    int r = index[i];
    if (r >= 0 && r < rows) atomicAdd(&grad[r * cols + c], g[i * cols + c]);
}
