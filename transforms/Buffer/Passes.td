//===- Passes.td - The passes of stage buffer --------------*- tablegen -*-===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

include "mlir/Pass/PassBase.td"

def BufferizeKernels : Pass<"weft-bufferize-kernels", "::mlir::ModuleOp"> {
  let summary = "Turns the tensors of kernels into memory";
  let description = [{
    Arguments become contiguous memrefs; what a kernel yields is computed into
    its out arguments. One-shot bufferization runs on each kernel alone. What a
    loop carries stays in one buffer: a value that an iteration cannot compute in
    place gets memory of its own and is copied back at the iteration's end, which
    `weft-swap-carried-buffers` makes an exchange where it can.
  }];
  let dependentDialects = [
    "::mlir::bufferization::BufferizationDialect", "::mlir::memref::MemRefDialect",
    "::mlir::linalg::LinalgDialect"];
}

def BufferizeHost : Pass<"weft-bufferize-host", "::mlir::ModuleOp"> {
  let summary = "Turns the tensors of host functions into memory";
  let description = [{
    Inputs become read-only memrefs; results are computed into buffers that the
    environment hands out (`weft.output_buffer`), requested as early as their
    extents are known so that kernels write there directly. Runs after
    `weft-bufferize-kernels`: dispatches then pass memrefs.

    What an iteration copies into the tensors that its loop carries is copied at the
    iteration's end. A value that can lie in the memory of one of them (another one,
    or what a branch or an inner loop gives) is kept beforehand, so that they change
    in any order.
  }];
  let dependentDialects = [
    "::mlir::bufferization::BufferizationDialect", "::mlir::memref::MemRefDialect",
    "::mlir::linalg::LinalgDialect", "::weft::WeftDialect"];
}

def SwapCarriedBuffers : Pass<"weft-swap-carried-buffers"> {
  let summary = "Lets the buffers of what loops carry change places instead of copying";
  let description = [{
    Runs on a kernel, or on a host function once `weft-hoist-scratch` has read
    extents off its buffers. A loop whose iteration computes a carried tensor into a buffer of its own and
    then copies it into the buffer of the value before it gets both buffers as
    two slots: the copy becomes an exchange of their names, and the loop carries
    which is which. So a rotation `(a, b) = (b, f(a, b))` has three.

    Copies in the body are followed in order. One exchanges the names of source and
    target if what the source holds is dead after it: a buffer that the iteration
    allocates and does not read any more, or a carried one that another copy
    overwrites before it is read. Names that end in another buffer than their own
    are carried; buffers that the body allocates among them are allocated before the
    loop. A carried buffer that is also reached by other names (an out argument of
    a kernel, or memory that the loops around use) gets the last value by one copy
    after the loop. What escapes the iteration in other ways, such as memory of a
    value that grows, or is used by a parallel loop of a kernel, is left alone.

    A remark counts the copies that are gone.
  }];
  let dependentDialects = ["::mlir::memref::MemRefDialect", "::mlir::scf::SCFDialect"];
  let statistics = [Statistic<"numSwaps", "num-swaps", "Copies that became exchanges">];
}

def HoistScratch : Pass<"weft-hoist-scratch", "::mlir::ModuleOp"> {
  let summary = "Takes allocations out of kernels";
  let description = [{
    Temporaries of static size go to the stack, up to 32 KiB a kernel. The
    others become one more out argument, bytes that the host allocates: the sum of
    the temporaries' upper bounds, which the pass computes at the dispatch from
    the kernel's arguments, of those in parallel loops for each worker.

    Variants of a kernel take the same arguments: the offsets of each variant's
    temporaries, and bytes for the variant that needs most.

    For a device, whose workers `device-workers` counts, only temporaries of parallel
    loops stay in kernels: up to 32 KiB where operations inside of the loop are divided
    among the threads of a block, which share them, up to 1 KiB where each thread
    has its own. What lies outside of parallel loops is read by launches that have no
    stack in common.
  }];
  let options = [
    Option<"deviceWorkers", "device-workers", "int64_t", "0",
           "Workers of a device: blocks or threads; 0: kernels run on the host">];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::memref::MemRefDialect",
                           "::mlir::affine::AffineDialect", "::weft::WeftDialect"];
}

def PlaceTransfers : Pass<"weft-place-transfers", "::mlir::ModuleOp"> {
  let summary = "Moves the host's buffers to the device where its kernels use them";
  let description = [{
    For targets whose kernels run on a device. Buffers that a kernel uses there, with
    all names that their memory has, become `#weft.device` memory. What passes
    between the two sides is a `weft.transfer` each, with the reason:

    - inputs and small constants, which are copied at their definition; the host goes on
      reading its own;
    - outputs, which are copied to the caller's buffer at the end of the call;
    - single elements that the host reads, such as conditions, or writes;
    - whole buffers for kernels that run on the host, before them, and after them
      what they write;
    - copies between buffers, also where both are on the device.

    Weights have a second `weft.weight_buffer`: they are brought there once, when the
    module is loaded. Memory that is not contiguous is transferred in pieces.
    Buffers that only the host uses stay there.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::memref::MemRefDialect",
                           "::mlir::scf::SCFDialect", "::weft::WeftDialect"];
  let statistics = [Statistic<"numTransfers", "num-transfers", "Transfers that were placed">];
}

def PlanMemory : Pass<"weft-plan-memory", "::mlir::ModuleOp"> {
  let summary = "Gives the host's buffers their places in one workspace";
  let description = [{
    Buffers whose size is a function of the symbols (class a) lie in the arena
    of the call, unless a loop carries them on. They are alive from their first
    use to their last one, also within the body of a loop; of buffers of
    different branches of an `scf.if` only one is ever alive, so that branches
    overlay each other, and their results too.

    Buffers are placed, largest first, longest-lived first or in order, at the
    lowest offset where no buffer of overlapping lifetime lies (Pisarchyk and
    Lee, arXiv 2001.03288, "greedy by size"). Where sizes depend on symbols, this
    is done for assumed values of them; what stays of it is the order: of two
    buffers that are alive at once, the one with the higher offset lies above
    the other for all sizes, at an offset computed at the function's start. A
    function `<entry>.workspace` computes the arena's size. The others (class c)
    are allocated by the environment. Buffers on the device have an arena there, planned
    alike, whose size `<entry>.device_workspace` computes.

    `weft.arena_bytes` and `weft.arena_lower_bound` on the entry report the
    arena's size and the most bytes that are alive at once; if there are symbols,
    they count as `weft.arena_assumed_extent`, or as near to it as their ranges
    allow.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::func::FuncDialect",
                           "::mlir::memref::MemRefDialect", "::weft::WeftDialect"];
}

def ReleaseMemory : Pass<"weft-release-memory", "::mlir::ModuleOp"> {
  let summary = "Gives memory of unbounded size back once it is dead";
  let description = [{
    Memory of class (c) lives until the call ends unless it is released. What does
    not leave the block that allocates it is released after its last use, slots that
    change places in a loop together. What
    a loop carries is released at the end of an iteration that does not hand it
    on: `weft.release` compares addresses, since which value lies where is known at
    run time only. Memory that came from outside of the loop stays.
  }];
  let dependentDialects = ["::weft::WeftDialect"];
}
