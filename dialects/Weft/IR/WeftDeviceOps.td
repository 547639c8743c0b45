//===- WeftDeviceOps.td - Memory of a device ---------------*- tablegen -*-===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_DEVICE_OPS_TD
#define WEFT_DEVICE_OPS_TD

include "dialects/Weft/IR/WeftBase.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

def Weft_TransferOp : Op<Weft_Dialect, "transfer"> {
  let summary = "Copies a buffer between host and device, or on the device";
  let description = [{
    A host operation, on buffers of the same shape of which at least one is in
    `#weft.device` memory. `value` names what is copied as the user knows it, `bytes` is its
    size as an expression of the symbols, `reason` says why it must be there:
    reports name every transfer by these. Strides that are not those of
    contiguous memory cost a transfer for each contiguous piece.

    ```mlir
    func.func @upload(%x: memref<8xi64>, %y: memref<8xi64, #weft.device>) {
      weft.transfer %x to %y value "input_ids" bytes "64" reason "an input that device kernels read"
          : memref<8xi64> to memref<8xi64, #weft.device>
      return
    }
    ```
  }];
  let arguments = (ins Arg<AnyMemRef, "", [MemRead]>:$source, Arg<AnyMemRef, "", [MemWrite]>:$target,
                       StrAttr:$value, StrAttr:$bytes, StrAttr:$reason);
  let hasVerifier = 1;
  let assemblyFormat = [{
    $source `to` $target `value` $value `bytes` $bytes `reason` $reason attr-dict
    `:` type($source) `to` type($target)
  }];
}

#endif // WEFT_DEVICE_OPS_TD
