//===- Contrib.h - Operators of ONNX Runtime's own domain -----------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_FRONTEND_ONNX_OPS_CONTRIB_H
#define WEFT_FRONTEND_ONNX_OPS_CONTRIB_H

namespace weft {
class Registrar;
}

namespace weft::onnx {

void registerContribQuantizedOps(Registrar &registrar);
void registerContribNBitsOps(Registrar &registrar);
void registerContribQLinearOps(Registrar &registrar);
void registerContribGatherQuantizedOps(Registrar &registrar);
void registerContribAttentionOps(Registrar &registrar);
void registerContribMoEOps(Registrar &registrar);

} // namespace weft::onnx

#endif // WEFT_FRONTEND_ONNX_OPS_CONTRIB_H
