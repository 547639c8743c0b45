//===- Frontend.cpp - The ONNX frontend, registered -----------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Frontend/ONNX/Importer.h"
#include "Frontend/ONNX/Ops/Families.h"
#include "Frontend/ONNX/Reader/Reader.h"
#include "weft/Registry.h"

#include "mlir/IR/Diagnostics.h"

using namespace mlir;
using namespace weft;

static OwningOpRef<ModuleOp> importModel(ImportContext &context) {
  Result<onnx::Model> model = onnx::readModel(context.path);
  if (!model) {
    context.failure = ImportFailure::Error;
    emitError(UnknownLoc::get(&context.context)) << model.error().message;
    return {};
  }
  return onnx::Importer(context, std::move(*model)).run();
}

namespace weft {

LogicalResult registerONNXFrontend(Registrar &registrar) {
  FrontendInfo info;
  info.name = "onnx";
  info.fileExtensions = {".onnx"};
  // The first field of a model is its IR version: a small varint.
  info.probe = [](ArrayRef<uint8_t> bytes) {
    return bytes.size() > 2 && bytes[0] == 0x08 && bytes[1] > 0 && bytes[1] < 0x80;
  };
  info.import = importModel;
  registrar.addFrontend(std::move(info));
  onnx::registerAllFamilies(registrar);
  return success();
}

} // namespace weft
