//===- Families.cpp - The table of ONNX operators -------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Frontend/ONNX/Ops/Families.h"

#include "weft/Registry.h"

using namespace mlir;
using namespace weft;
using namespace weft::onnx;

/// Checks that the inputs are there before the builder asks for them.
static LogicalResult checkInputs(NodeContext &node, unsigned minInputs, unsigned maxInputs) {
  if (node.inputCount() > maxInputs) {
    // Trailing inputs that are left out do not count.
    for (size_t i = maxInputs; i < node.inputCount(); ++i)
      if (node.hasInput(i))
        return node.error("has " + Twine(node.inputCount()) + " inputs, expected at most " +
                          Twine(maxInputs));
  }
  for (unsigned i = 0; i < minInputs; ++i)
    if (!node.hasInput(i))
      return node.error("has no input " + Twine(i) + ", expected at least " + Twine(minInputs));
  return success();
}

void weft::onnx::addOps(Registrar &registrar, StringRef domain, ArrayRef<OpEntry> entries) {
  for (const OpEntry &entry : entries) {
    ImporterOpInfo info;
    info.domain = domain.str();
    info.name = entry.name;
    info.sinceVersion = entry.since;
    info.untilVersion = entry.until;
    info.builder = [entry](NodeContext &node) {
      if (failed(checkInputs(node, entry.minInputs, entry.maxInputs)))
        return failure();
      return entry.builder(node);
    };
    registrar.addImporterOp(std::move(info));
  }
}

void weft::onnx::registerAllFamilies(Registrar &registrar) {
#define WEFT_ONNX_FAMILY(NAME) register##NAME##Ops(registrar);
#include "Frontend/ONNX/Ops/Families.inc"
#undef WEFT_ONNX_FAMILY
}
