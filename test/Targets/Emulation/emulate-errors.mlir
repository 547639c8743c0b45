// What cannot be emulated is refused by name.
// RUN: weft-opt %s --weft-cpu-lower-kernels --weft-cpu-lower-launches --weft-emulate-kernels --split-input-file --verify-diagnostics

module attributes {gpu.container_module} {
  gpu.module @k_gpu {
    gpu.func @f() kernel {
      // expected-error @+1 {{'gpu.printf' op cannot be emulated}}
      gpu.printf "hello"
      gpu.return
    }
  }
  weft.kernel @k(%x: memref<4xf32>) outs 1 {
    %one = arith.constant 1 : index
    gpu.launch_func @k_gpu::@f blocks in (%one, %one, %one) threads in (%one, %one, %one)
    weft.yield
  }
}

// -----

module attributes {gpu.container_module} {
  gpu.module @k_gpu {
    // expected-error @+1 {{'gpu.func' op has an argument of type 'memref<?x?xf32>', whose strides a bare address does not give}}
    gpu.func @f(%x: memref<?x?xf32>) kernel {
      gpu.return
    }
  }
  weft.kernel @k(%x: memref<?x?xf32>) outs 1 {
    %one = arith.constant 1 : index
    gpu.launch_func @k_gpu::@f blocks in (%one, %one, %one) threads in (%one, %one, %one)
        args(%x : memref<?x?xf32>)
    weft.yield
  }
}

// -----

module attributes {gpu.container_module} {
  gpu.module @k_gpu {
    gpu.func @f(%x: vector<4xf32>) kernel {
      gpu.return
    }
  }
  weft.kernel @k(%x: memref<4xf32>) outs 1 {
    %one = arith.constant 1 : index
    %v = arith.constant dense<0.0> : vector<4xf32>
    // expected-error @+1 {{'gpu.launch_func' op has an argument of type 'vector<4xf32>', expected a number of at most 64 bits or a contiguous memref}}
    gpu.launch_func @k_gpu::@f blocks in (%one, %one, %one) threads in (%one, %one, %one)
        args(%v : vector<4xf32>)
    weft.yield
  }
}

// -----

// expected-error @+1 {{one chip can be emulated at a time, but there are 2}}
module attributes {weft.chips = ["lanes32", "lanes64"]} {
}

// -----

// Matrix instructions need whole subgroups of their size.
module attributes {gpu.container_module, weft.chips = ["lanes64"]} {
  gpu.module @k_gpu {
    gpu.func @f() kernel attributes {known_block_size = array<i32: 64, 1, 1>} {
      %a = arith.constant dense<0.0> : vector<16xf16>
      %c = arith.constant dense<0.0> : vector<8xf32>
      // expected-error @+1 {{'rocdl.wmma.f32.16x16x16.f16' op needs subgroups of 32 lanes, which are 64}}
      %d = rocdl.wmma.f32.16x16x16.f16 %a, %a, %c : (vector<16xf16>, vector<16xf16>, vector<8xf32>) -> vector<8xf32>
      gpu.return
    }
  }
  weft.kernel @k(%x: memref<4xf32>) outs 1 {
    %one = arith.constant 1 : index
    gpu.launch_func @k_gpu::@f blocks in (%one, %one, %one) threads in (%one, %one, %one)
    weft.yield
  }
}

// -----

module attributes {gpu.container_module, weft.chips = ["lanes32"]} {
  gpu.module @k_gpu {
    gpu.func @f() kernel {
      %a = arith.constant dense<0.0> : vector<16xf16>
      %c = arith.constant dense<0.0> : vector<8xf32>
      // expected-error @+1 {{'rocdl.wmma.f32.16x16x16.f16' op needs all lanes of a subgroup: blocks of a known size, a multiple of 32}}
      %d = rocdl.wmma.f32.16x16x16.f16 %a, %a, %c : (vector<16xf16>, vector<16xf16>, vector<8xf32>) -> vector<8xf32>
      gpu.return
    }
  }
  weft.kernel @k(%x: memref<4xf32>) outs 1 {
    %one = arith.constant 1 : index
    gpu.launch_func @k_gpu::@f blocks in (%one, %one, %one) threads in (%one, %one, %one)
    weft.yield
  }
}

// -----

module attributes {gpu.container_module, weft.chips = ["lanes32"]} {
  gpu.module @k_gpu {
    gpu.func @f() kernel attributes {known_block_size = array<i32: 64, 1, 1>} {
      %a = arith.constant dense<0.0> : vector<16xf16>
      %c = arith.constant dense<0.0> : vector<4xf32>
      // expected-error @+1 {{'rocdl.wmma.f32.16x16x16.f16' op cannot be emulated}}
      %d = rocdl.wmma.f32.16x16x16.f16 %a, %a, %c : (vector<16xf16>, vector<16xf16>, vector<4xf32>) -> vector<4xf32>
      gpu.return
    }
  }
  weft.kernel @k(%x: memref<4xf32>) outs 1 {
    %one = arith.constant 1 : index
    gpu.launch_func @k_gpu::@f blocks in (%one, %one, %one) threads in (%one, %one, %one)
    weft.yield
  }
}
