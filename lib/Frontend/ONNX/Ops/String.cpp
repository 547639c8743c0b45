//===- String.cpp - Operators on strings ----------------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Frontend/ONNX/ElementOps.h"
#include "Frontend/ONNX/Importer.h"
#include "Frontend/ONNX/IndexOps.h"
#include "Frontend/ONNX/Ops/Families.h"
#include "Frontend/ONNX/Ops/Selection.h"
#include "Frontend/ONNX/Ops/Strings.h"
#include "Frontend/ONNX/Ops/TfIdf.h"
#include "dialects/Weft/IR/Weft.h"

#include "llvm/ADT/StringSet.h"

using namespace mlir;
using namespace weft;
using namespace weft::onnx;

bool weft::onnx::takesStrings(StringRef domain, StringRef op) {
  static const llvm::StringSet<> moving = {"Compress",
                                           "Concat",
                                           "ConcatFromSequence",
                                           "Constant",
                                           "Equal",
                                           "Expand",
                                           "Flatten",
                                           "Gather",
                                           "GatherElements",
                                           "GatherND",
                                           "Identity",
                                           "If",
                                           "Loop",
                                           "Optional",
                                           "OptionalGetElement",
                                           "OptionalHasElement",
                                           "Pad",
                                           "Reshape",
                                           "Scan",
                                           "Scatter",
                                           "ScatterElements",
                                           "ScatterND",
                                           "SequenceAt",
                                           "SequenceConstruct",
                                           "SequenceEmpty",
                                           "SequenceErase",
                                           "SequenceInsert",
                                           "SequenceLength",
                                           "SequenceMap",
                                           "Shape",
                                           "Size",
                                           "Slice",
                                           "Split",
                                           "SplitToSequence",
                                           "Squeeze",
                                           "StringConcat",
                                           "StringNormalizer",
                                           "Tile",
                                           "Transpose",
                                           "Unsqueeze",
                                           "Where"};
  bool isBuiltIn = domain.empty() || domain == kMicrosoftDomain || domain == kMLDomain;
  return !isBuiltIn || (domain.empty() && moving.contains(op));
}

//===----------------------------------------------------------------------===//
// Constants
//===----------------------------------------------------------------------===//

TensorValue weft::onnx::makeStrings(NodeContext &node, ArrayRef<int64_t> shape,
                                    std::span<const std::string_view> strings) {
  Dims dims;
  for (int64_t extent : shape)
    dims.push_back(node.dims.constant(extent));
  if (strings.empty())
    return makeValue(makeEmpty(node, ElementType::String, dims), ElementType::String, dims);
  SmallVector<StringRef> texts;
  for (std::string_view text : strings)
    texts.emplace_back(text.data(), text.size());
  ArrayAttr literals = node.b.getStrArrayAttr(texts);
  return *elementwiseTo(
      node, {}, ElementType::String, dims, [&](OpBuilder &b, Location loc, ValueRange) {
        return StringLiteralOp::create(b, loc, literals, linearPosition(b, loc, dims));
      });
}

FailureOr<TensorValue> weft::onnx::equalStrings(NodeContext &node, const TensorValue &x,
                                                const TensorValue &y) {
  return elementwise(node, {x, y}, ElementType::Bool,
                     [](OpBuilder &b, Location loc, ValueRange args) {
                       return toBool(b, loc, StringEqualOp::create(b, loc, args[0], args[1]));
                     });
}

//===----------------------------------------------------------------------===//
// StringConcat
//===----------------------------------------------------------------------===//

static LogicalResult expectStrings(NodeContext &node, size_t i) {
  if (node.input(i).elementType == ElementType::String)
    return success();
  return node.error("expects strings for input " + Twine(i) + ", got " + describe(node.input(i)));
}

static LogicalResult buildStringConcat(NodeContext &node) {
  if (failed(expectStrings(node, 0)) || failed(expectStrings(node, 1)))
    return failure();
  FailureOr<TensorValue> result =
      elementwise(node, {node.input(0), node.input(1)}, ElementType::String,
                  [](OpBuilder &b, Location loc, ValueRange args) {
                    return StringConcatOp::create(b, loc, args[0], args[1]);
                  });
  if (failed(result))
    return failure();
  node.setOutput(0, *result);
  return success();
}

//===----------------------------------------------------------------------===//
// StringNormalizer
//===----------------------------------------------------------------------===//

static FailureOr<TensorValue> changeCase(NodeContext &node, const TensorValue &x,
                                         LetterCase letters) {
  return elementwise(node, {x}, ElementType::String,
                     [&](OpBuilder &b, Location loc, ValueRange args) {
                       return StringCaseOp::create(b, loc, letters, args[0]);
                     });
}

/// The elements of the vector `x` that are none of `stopWords`; one empty string
/// if nothing is left.
static FailureOr<TensorValue> removeWords(NodeContext &node, const TensorValue &x,
                                          const std::vector<std::string> &stopWords,
                                          std::optional<LetterCase> compared) {
  DimBuilder &d = node.dims;
  std::vector<std::string_view> views(stopWords.begin(), stopWords.end());
  FailureOr<TensorValue> words = makeStrings(node, {static_cast<int64_t>(views.size())}, views);
  FailureOr<TensorValue> column = reshape(node, x, {x.dims[0], d.constant(1)});
  if (compared) {
    words = changeCase(node, *words, *compared);
    column = changeCase(node, *column, *compared);
  }
  if (failed(words) || failed(column))
    return failure();
  FailureOr<TensorValue> matches = equalStrings(node, *column, *words);
  if (failed(matches))
    return failure();
  Location loc = node.b.getLoc();
  Value none = makeIntScalar(node.b, loc, storageType(node.context(), ElementType::Bool), 0);
  TensorValue isStopWord = reduce(node, *matches, {1}, /*keepDims=*/false, ElementType::Bool, none,
                                  [](OpBuilder &b, Location loc, ValueRange args) -> Value {
                                    return arith::OrIOp::create(b, loc, args[0], args[1]);
                                  });
  FailureOr<TensorValue> isKept = elementwise(
      node, {isStopWord}, ElementType::Bool,
      [](OpBuilder &b, Location loc, ValueRange args) -> Value {
        return arith::XOrIOp::create(b, loc, args[0], makeIntScalar(b, loc, args[0].getType(), 1));
      });
  if (failed(isKept))
    return failure();
  TensorValue places = nonZeroTuples(node, *isKept);
  places = reshape(node, places, {places.dims[1]});
  TensorValue kept = takeAlong(node, x, places, 0);
  OpFoldResult missing = d.equal(kept.dims[0], d.constant(0));
  return concat(node, {kept, makeSplat(node, ElementType::String, {missing}, 0)}, 0);
}

static LogicalResult buildStringNormalizer(NodeContext &node) {
  TensorValue x = node.input(0);
  DimBuilder &d = node.dims;
  if (failed(expectStrings(node, 0)))
    return failure();
  if (x.rank() != 1 && x.rank() != 2)
    return node.error("expects a tensor of rank 1 or 2, got " + describe(x));
  std::string action = node.getString("case_change_action", "NONE");
  if (action != "NONE" && action != "LOWER" && action != "UPPER")
    return node.error("has case_change_action '" + action + "', expected NONE, LOWER or UPPER");
  bool isMatrix = x.rank() == 2;
  if (isMatrix) {
    if (failed(assertEqualExtents(node, x.dims[0], d.constant(1),
                                  "the first extent of a matrix and 1")))
      return failure();
    x = reshape(node, x, {x.dims[1]});
  }
  std::vector<std::string> stopWords = node.getStrings("stopwords");
  bool isSensitive = node.getInt("is_case_sensitive", 0) != 0;
  if (node.failed())
    return failure();
  FailureOr<TensorValue> result = x;
  if (!stopWords.empty())
    result = removeWords(node, x, stopWords,
                         isSensitive ? std::optional<LetterCase>() : LetterCase::Lower);
  if (succeeded(result) && action != "NONE")
    result = changeCase(node, *result, action == "LOWER" ? LetterCase::Lower : LetterCase::Upper);
  if (failed(result))
    return failure();
  node.setOutput(0, isMatrix ? reshape(node, *result, {d.constant(1), result->dims[0]}) : *result);
  return success();
}

void weft::onnx::registerStringOps(Registrar &registrar) {
  addOps(registrar, "",
         {
             {"StringConcat", 20, 2, 2, buildStringConcat},
             {"StringNormalizer", 10, 1, 1, buildStringNormalizer},
             {"TfIdfVectorizer", 9, 1, 1, buildTfIdfVectorizer},
         });
}
