//===- LowPDialect.cpp - The lowp dialect ---------------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/LowP/IR/LowP.h"
#include "dialects/LowP/IR/LowPChecks.h"

#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace weft;
using namespace weft::lowp;

//===----------------------------------------------------------------------===//
// Assembly
//===----------------------------------------------------------------------===//

/// `signed` or `unsigned`.
static ParseResult parseSignedness(AsmParser &parser, bool &isSigned) {
  StringRef keyword;
  auto loc = parser.getCurrentLocation();
  if (parser.parseKeyword(&keyword))
    return failure();
  if (keyword != "signed" && keyword != "unsigned")
    return parser.emitError(loc, "expected 'signed' or 'unsigned', got '") << keyword << "'";
  isSigned = keyword == "signed";
  return success();
}
static void printSignedness(AsmPrinter &printer, bool isSigned) {
  printer << (isSigned ? "signed" : "unsigned");
}

/// `[1, 32]`, or `[]`.
static ParseResult parseBlock(AsmParser &parser, SmallVector<int64_t> &block) {
  return parser.parseCommaSeparatedList(AsmParser::Delimiter::Square,
                                        [&] { return parser.parseInteger(block.emplace_back()); });
}
static void printBlock(AsmPrinter &printer, ArrayRef<int64_t> block) {
  printer << '[';
  llvm::interleaveComma(block, printer);
  printer << ']';
}

static ParseResult parseBasis(OpAsmParser &parser, Attribute &basis) {
  return parser.parseAttribute(basis);
}
static void printBasis(OpAsmPrinter &printer, Operation *, Attribute basis) { printer << basis; }

namespace {
struct NamedTable {
  StringLiteral name;
  SmallVector<float, 16> entries;
};
} // namespace

/// The quantiles of a normal distribution (QLoRA, appendix E), the 4-bit floats of
/// bitsandbytes relative to the largest, and ggml's kvalues_iq4nl.
static ArrayRef<NamedTable> namedTables() {
  static const NamedTable tables[] = {
      {"nf4",
       {-1.0f, -0.6961928009986877f, -0.5250730514526367f, -0.39491748809814453f,
        -0.28444138169288635f, -0.18477343022823334f, -0.09105003625154495f, 0.0f,
        0.07958029955625534f, 0.16093020141124725f, 0.24611230194568634f, 0.33791524171829224f,
        0.44070982933044434f, 0.5626170039176941f, 0.7229568362236023f, 1.0f}},
      {"fp4",
       {0.0f, 0.005208333333f, 0.66666667f, 1.0f, 0.33333333f, 0.5f, 0.16666667f, 0.25f, -0.0f,
        -0.005208333333f, -0.66666667f, -1.0f, -0.33333333f, -0.5f, -0.16666667f, -0.25f}},
      {"iq4_nl", {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113}}};
  return tables;
}

TableElementAttr TableElementAttr::getNamed(MLIRContext *context, StringRef name) {
  for (const NamedTable &table : namedTables())
    if (table.name == name)
      return get(context, DenseF32ArrayAttr::get(context, table.entries));
  return {};
}

/// `nf4`, or `[-1.0, 0.5]`.
static ParseResult parseTable(AsmParser &parser, DenseF32ArrayAttr &entries) {
  StringRef name;
  SMLoc loc = parser.getCurrentLocation();
  if (succeeded(parser.parseOptionalKeyword(&name))) {
    if (auto table = TableElementAttr::getNamed(parser.getContext(), name)) {
      entries = table.getEntries();
      return success();
    }
    return parser.emitError(loc, "expected nf4, fp4, iq4_nl or a list of numbers, got '")
           << name << "'";
  }
  SmallVector<float> numbers;
  if (parser.parseCommaSeparatedList(AsmParser::Delimiter::Square, [&]() -> ParseResult {
        double entry;
        if (parser.parseFloat(entry))
          return failure();
        numbers.push_back(static_cast<float>(entry));
        return success();
      }))
    return failure();
  entries = DenseF32ArrayAttr::get(parser.getContext(), numbers);
  return success();
}
static void printTable(AsmPrinter &printer, DenseF32ArrayAttr attribute) {
  ArrayRef<float> entries = attribute.asArrayRef();
  for (const NamedTable &table : namedTables())
    if (entries == ArrayRef<float>(table.entries)) {
      printer << table.name;
      return;
    }
  printer << '[';
  llvm::interleaveComma(entries, printer.getStream(),
                        [&](float entry) { printer.printFloat(APFloat(entry)); });
  printer << ']';
}

#include "dialects/LowP/IR/LowPDialect.cpp.inc"
#include "dialects/LowP/IR/LowPEnums.cpp.inc"
#include "dialects/LowP/IR/LowPInterfaces.cpp.inc"
#define GET_ATTRDEF_CLASSES
#include "dialects/LowP/IR/LowPAttributes.cpp.inc"
#define GET_OP_CLASSES
#include "dialects/LowP/IR/LowPOps.cpp.inc"

void LowPDialect::initialize() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "dialects/LowP/IR/LowPAttributes.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "dialects/LowP/IR/LowPOps.cpp.inc"
      >();
  attachOperandChecks(getContext());
}
