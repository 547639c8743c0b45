//===- AttnLayout.cpp - Operands of attention by letters ------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Attn/IR/AttnLayout.h"

using namespace mlir;
using namespace weft;
using namespace weft::attn;

std::optional<Layout> attn::parseLayout(StringRef text) {
  auto [operands, result] = text.split("->");
  SmallVector<StringRef> parts;
  operands.split(parts, ',');
  if (parts.size() != 3 || result.empty())
    return std::nullopt;
  return Layout{parts[0], parts[1], parts[2], result};
}

std::optional<int64_t> attn::findLetter(StringRef letters, char letter) {
  size_t at = letters.find(letter);
  return at == StringRef::npos ? std::nullopt : std::optional<int64_t>(at);
}

template <typename Op> static Attention describe(Op op) {
  Attention a;
  a.op = op;
  a.query = op.getQuery();
  a.key = op.getKey();
  a.value = op.getValue();
  a.bias = op.getBias();
  a.mask = op.getMask();
  a.slopes = op.getSlopes();
  a.sinks = op.getSinks();
  a.keyLengths = op.getKeyLengths();
  a.starts = op.getStarts();
  a.offset = op.getOffset();
  a.blockMask = op.getBlockMask();
  a.pageTable = op.getPageTable();
  a.queryOffsets = op.getQueryOffsets();
  a.keyOffsets = op.getKeyOffsets();
  a.inits = op.getInits();
  a.layout = *parseLayout(op.getLayout());
  if (op.getScale())
    a.scale = op.getScale()->convertToDouble();
  if (op.getSoftcap())
    a.softcap = op.getSoftcap()->convertToDouble();
  a.causal = op.getCausal();
  a.isPartial = std::is_same_v<Op, PartialOp>;
  if (auto window = op.getWindow())
    a.window = {(*window)[0], (*window)[1]};
  a.globals = op.getGlobals();
  if (auto sizes = op.getBlockSizes())
    a.blockSizes = *sizes;
  a.emptyRows = op.getEmptyRows();
  a.score = op.getScore().empty() ? nullptr : &op.getScore().front();
  return a;
}

Value attn::extentOf(IndexMath m, Value operand, int64_t dim) {
  if (auto packed = dyn_cast<PackedType>(operand.getType()))
    return m.constant(packed.getDimSize(dim));
  return m.dim(operand, dim);
}

Attention Attention::of(Operation *op) {
  if (auto attend = dyn_cast<AttendOp>(op))
    return describe(attend);
  return describe(cast<PartialOp>(op));
}

FloatType Attention::computeType() const {
  Type element = getElementTypeOrSelf(query.getType());
  return element.isF64() ? cast<FloatType>(element) : Float32Type::get(op->getContext());
}

SmallVector<char> Attention::loops() const {
  SmallVector<char> letters;
  for (char letter : layout.result)
    if (letter != 'e')
      letters.push_back(letter);
  return letters;
}

int64_t Attention::staticExtent(Value tensor, StringRef letters, char letter) const {
  std::optional<int64_t> at = findLetter(letters, letter);
  return at ? cast<ShapedType>(tensor.getType()).getDimSize(*at) : 1;
}

bool Attention::hasEqualHeads() const {
  int64_t keyHeads = staticExtent(key, layout.key, 'h');
  return !ShapedType::isDynamic(keyHeads) && keyHeads == staticExtent(query, layout.query, 'h');
}
