//===- Bases.cpp - How numbers are transformed along a dimension ----------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/LowP/IR/Bases.h"

#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace weft;
using namespace weft::lowp;

using EmitError = llvm::function_ref<InFlightDiagnostic()>;

//===----------------------------------------------------------------------===//
// Hadamard matrices
//===----------------------------------------------------------------------===//

static constexpr int64_t kPaleyOrders[] = {12, 20, 28, 36, 44, 60};

static bool isPrime(int64_t n) {
  for (int64_t i = 2; i * i <= n; ++i)
    if (n % i == 0)
      return false;
  return n > 1;
}

/// 1 for squares modulo the prime `q`, -1 for others, 0 for 0.
static int8_t quadraticCharacter(int64_t x, int64_t q) {
  x = (x % q + q) % q;
  if (x == 0)
    return 0;
  for (int64_t i = 1; i < q; ++i)
    if (i * i % q == x)
      return 1;
  return -1;
}

SmallVector<int8_t> lowp::getPaleyMatrix(int64_t order) {
  if (!llvm::is_contained(kPaleyOrders, order))
    return {};
  SmallVector<int8_t> matrix(order * order);
  // The first construction: q = 3 modulo 4. I + S with S skew.
  if (int64_t q = order - 1; isPrime(q)) {
    for (int64_t i = 0; i < order; ++i)
      for (int64_t j = 0; j < order; ++j)
        matrix[i * order + j] = i == j || i == 0 ? 1 : j == 0 ? -1 : quadraticCharacter(i - j, q);
    return matrix;
  }
  // The second: q = 1 modulo 4, of 2 x 2 blocks for a symmetric conference matrix.
  int64_t half = order / 2, q = half - 1;
  for (int64_t i = 0; i < order; ++i)
    for (int64_t j = 0; j < order; ++j) {
      int64_t row = i / 2, column = j / 2;
      int8_t conference = row == column             ? 0
                          : row == 0 || column == 0 ? 1
                                                    : quadraticCharacter(row - column, q);
      bool bothOdd = i % 2 == 1 && j % 2 == 1, bothEven = i % 2 == 0 && j % 2 == 0;
      matrix[i * order + j] =
          conference != 0 ? int8_t(bothOdd ? -conference : conference) : int8_t(bothEven ? 1 : -1);
    }
  return matrix;
}

int64_t lowp::getHadamardOrder(int64_t size) {
  if (size < 1)
    return 0;
  if (llvm::isPowerOf2_64(size))
    return 1;
  for (int64_t order : kPaleyOrders)
    if (size % order == 0 && llvm::isPowerOf2_64(size / order))
      return order;
  return 0;
}

//===----------------------------------------------------------------------===//
// Bases
//===----------------------------------------------------------------------===//

LogicalResult lowp::verifyBasis(EmitError emitError, Attribute basis) {
  if (isa_and_nonnull<PermutationAttr, DiagonalAttr, HadamardAttr, BasesAttr>(basis))
    return success();
  return emitError() << "expected a permutation, diagonal, Hadamard matrix or several, got "
                     << basis;
}

LogicalResult lowp::verifyBasisOf(EmitError emitError, Attribute basis, int64_t extent) {
  for (Attribute part : getBasisParts(basis))
    if (auto hadamard = dyn_cast<HadamardAttr>(part);
        hadamard && (ShapedType::isDynamic(extent) || extent % hadamard.getSize() != 0))
      return emitError() << "the extent along the axis is no static multiple of "
                         << hadamard.getSize();
  return success();
}

SmallVector<Attribute> lowp::getBasisParts(Attribute basis) {
  if (auto bases = dyn_cast<BasesAttr>(basis))
    return SmallVector<Attribute>(bases.getParts());
  return {basis};
}

bool lowp::hasParameter(Attribute part) {
  auto hadamard = dyn_cast<HadamardAttr>(part);
  return !hadamard || hadamard.getSigns();
}

LogicalResult HadamardAttr::verify(EmitError emitError, int64_t size, StringAttr) {
  if (getHadamardOrder(size) == 0)
    return emitError() << "no Hadamard matrix of size " << size
                       << " is known; sizes are powers of two, also times 12, 20, 28, 36, 44 or 60";
  return success();
}

LogicalResult BasesAttr::verify(EmitError emitError, ArrayRef<Attribute> parts) {
  if (parts.size() < 2)
    return emitError() << "several bases are at least 2, got " << parts.size();
  for (Attribute part : parts)
    if (isa<BasesAttr>(part) || failed(verifyBasis(emitError, part)))
      return emitError() << "expected bases that are not composed, got " << part;
  return success();
}

//===----------------------------------------------------------------------===//
// InBasisAttr
//===----------------------------------------------------------------------===//

LogicalResult InBasisAttr::verify(EmitError emitError, FormatInterface, unsigned, Attribute basis) {
  return verifyBasis(emitError, basis);
}

LogicalResult InBasisAttr::verifyPacked(EmitError emitError, ArrayRef<int64_t> shape,
                                        Type elementType) const {
  if (getAxis() >= shape.size())
    return emitError() << "is in a basis along dimension " << getAxis() << ", but has rank "
                       << shape.size();
  if (failed(verifyBasisOf(emitError, getBasis(), shape[getAxis()])))
    return failure();
  return getFormat().verifyPacked(emitError, shape, elementType);
}

SmallVector<FormatComponent> InBasisAttr::getComponents(ShapedType type) const {
  return getFormat().getComponents(type);
}

/// Of several along one dimension, the outer comes last.
Attribute InBasisAttr::getBasis(unsigned dimension) const {
  Attribute inner = getFormat().getBasis(dimension);
  if (dimension != getAxis())
    return inner;
  if (!inner)
    return getBasis();
  SmallVector<Attribute> parts = getBasisParts(inner);
  llvm::append_range(parts, getBasisParts(getBasis()));
  return BasesAttr::get(getContext(), parts);
}

Value InBasisAttr::decodeAt(OpBuilder &b, Location loc, ShapedType type,
                            const PackedPosition &at) const {
  return getFormat().decodeAt(b, loc, type, at);
}

Value InBasisAttr::decodeTile(OpBuilder &b, Location loc, ShapedType type, ValueRange components,
                              ArrayRef<OpFoldResult> dims, ArrayRef<OpFoldResult> offsets,
                              Value init) const {
  return getFormat().decodeTile(b, loc, type, components, dims, offsets, init);
}

Value InBasisAttr::decode(OpBuilder &b, Location loc, ShapedType type, ValueRange components,
                          Value init) const {
  return getFormat().decode(b, loc, type, components, init);
}

SmallVector<unsigned> InBasisAttr::getParameters(ShapedType type) const {
  return getFormat().getParameters(type);
}

LogicalResult InBasisAttr::verifyOptions(EmitError emitError, const EncodeOptions &options) const {
  return getFormat().verifyOptions(emitError, options);
}

SmallVector<Value> InBasisAttr::encode(OpBuilder &b, Location loc, ShapedType type, Value numbers,
                                       ValueRange parameters, const EncodeOptions &options) const {
  return getFormat().encode(b, loc, type, numbers, parameters, options);
}
