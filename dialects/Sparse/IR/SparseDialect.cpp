//===- SparseDialect.cpp - The sparse dialect -----------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Sparse/IR/Sparse.h"
#include "dialects/Sparse/IR/SparseChecks.h"

#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace weft;
using namespace weft::sparse;

/// `, delta`, or nothing.
static ParseResult parseDelta(AsmParser &parser, bool &delta) {
  delta = succeeded(parser.parseOptionalComma());
  return delta ? parser.parseKeyword("delta") : success();
}
static void printDelta(AsmPrinter &printer, bool delta) {
  if (delta)
    printer << ", delta";
}

#include "dialects/Sparse/IR/SparseDialect.cpp.inc"
#define GET_ATTRDEF_CLASSES
#include "dialects/Sparse/IR/SparseAttributes.cpp.inc"
#define GET_OP_CLASSES
#include "dialects/Sparse/IR/SparseOps.cpp.inc"

void SparseDialect::initialize() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "dialects/Sparse/IR/SparseAttributes.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "dialects/Sparse/IR/SparseOps.cpp.inc"
      >();
  attachOperandChecks(getContext());
}
