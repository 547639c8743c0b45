//===- PrepareEntry.cpp - Entries have what modules say of them -----------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Weft/IR/Weft.h"
#include "transforms/Model/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/ADT/StringSet.h"

namespace weft {
#define GEN_PASS_DEF_PREPAREENTRY
#include "transforms/Model/Passes.h.inc"
} // namespace weft

using namespace mlir;
using namespace weft;

namespace {
/// One entry, whose arguments and results are completed.
class Entry {
public:
  explicit Entry(func::FuncOp function)
      : function(function), body(function.getBody().front()), b(function.getContext()) {}

  LogicalResult run();

private:
  LogicalResult verify();
  std::string nameOf(DictionaryAttr attributes, StringRef kind, unsigned index);
  /// The extents' names: what `given` says, the extent of the packed tensor that a
  /// component has one of, or a name of its own.
  ArrayAttr namesOf(StringRef tensor, ArrayRef<int64_t> shape, ArrayAttr given);
  /// `number` counts the arguments that were written.
  unsigned replacePackedArgument(unsigned index, unsigned number);
  void completeArgument(unsigned index, unsigned number);
  void replaceResults();
  void addSymbols();

  func::FuncOp function;
  Block &body;
  Builder b;
};
} // namespace

/// Whether callers can hand over values of a type.
static bool isTensor(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  if (!tensor)
    return isa<PackedType>(type);
  Type element = tensor.getElementType();
  return !element.isInteger() || element.getIntOrFloatBitWidth() % 8 == 0;
}

LogicalResult Entry::verify() {
  for (auto [i, type] : llvm::enumerate(function.getArgumentTypes())) {
    if (isTensor(type) || (type.isIndex() && function.getArgAttr(i, WeftDialect::symbolAttrName)))
      continue;
    return function.emitError("argument ")
           << i << " of the entry '" << function.getSymName() << "' is of type " << type
           << ", expected a ranked tensor of floats or whole bytes, a packed one, or an index with "
              "'"
           << WeftDialect::symbolAttrName << "'";
  }
  for (auto [i, type] : llvm::enumerate(function.getResultTypes()))
    if (!isTensor(type) &&
        (!type.isIndex() || i == 0 || !function.getResultAttr(0, WeftDialect::nameAttrName)))
      return function.emitError("result ")
             << i << " of the entry '" << function.getSymName() << "' is of type " << type
             << ", expected a ranked tensor of floats or whole bytes, or a packed one";
  return success();
}

std::string Entry::nameOf(DictionaryAttr attributes, StringRef kind, unsigned index) {
  if (attributes)
    if (auto name = attributes.getAs<StringAttr>(WeftDialect::nameAttrName))
      return name.str();
  return (kind + Twine(index)).str();
}

ArrayAttr Entry::namesOf(StringRef tensor, ArrayRef<int64_t> shape, ArrayAttr given) {
  SmallVector<Attribute> names;
  for (auto [i, extent] : llvm::enumerate(shape)) {
    if (!ShapedType::isDynamic(extent))
      names.push_back(b.getI64IntegerAttr(extent));
    else if (given && i < given.size() && isa<StringAttr>(given[i]))
      names.push_back(given[i]);
    else
      names.push_back(b.getStringAttr(tensor + "." + Twine(i)));
  }
  return b.getArrayAttr(names);
}

/// A packed argument becomes its components: "w" is "w.codes" and "w.scale". How many
/// they are.
unsigned Entry::replacePackedArgument(unsigned index, unsigned number) {
  BlockArgument argument = body.getArgument(index);
  auto packed = cast<PackedType>(argument.getType());
  DictionaryAttr attributes = function.getArgAttrDict(index);
  std::string name = nameOf(attributes, "input", number);
  auto given = attributes ? attributes.getAs<ArrayAttr>(WeftDialect::dimsAttrName) : ArrayAttr();
  ArrayAttr logical = namesOf(name, packed.getShape(), given);
  SmallVector<FormatComponent> components = packed.getFormat().getComponents(packed);
  SmallVector<Value> values;
  for (auto [i, component, type] : llvm::enumerate(components, packed.getComponentTypes())) {
    SmallVector<Attribute> extents;
    for (AffineExpr expr : component.shape.getResults()) {
      auto symbol = dyn_cast<AffineSymbolExpr>(expr);
      extents.push_back(symbol && symbol.getPosition() < logical.size()
                            ? logical[symbol.getPosition()]
                            : Attribute());
    }
    std::string own = name + "." + component.name;
    NamedAttrList list;
    list.set(WeftDialect::nameAttrName, b.getStringAttr(own));
    SmallVector<Attribute> known = llvm::map_to_vector(
        extents, [&](Attribute x) { return x ? x : Attribute(b.getI64IntegerAttr(-1)); });
    list.set(WeftDialect::dimsAttrName, namesOf(own, type.getShape(), b.getArrayAttr(known)));
    unsigned at = index + 1 + i;
    // Keeps the block and the function type in step.
    (void)function.insertArgument(at, type, list.getDictionary(b.getContext()), argument.getLoc());
    values.push_back(body.getArgument(at));
  }
  OpBuilder builder = OpBuilder::atBlockBegin(&body);
  argument.replaceAllUsesWith(
      AssembleOp::create(builder, argument.getLoc(), packed, values).getResult());
  (void)function.eraseArgument(index);
  return components.size();
}

void Entry::completeArgument(unsigned index, unsigned number) {
  auto type = cast<RankedTensorType>(function.getArgumentTypes()[index]);
  std::string name = nameOf(function.getArgAttrDict(index), "input", number);
  function.setArgAttr(index, WeftDialect::nameAttrName, b.getStringAttr(name));
  if (function.getArgAttr(index, WeftDialect::packedAttrName))
    return; // as callers see it, with the extents that they see
  auto given = function.getArgAttrOfType<ArrayAttr>(index, WeftDialect::dimsAttrName);
  if (!given || !type.hasStaticShape())
    function.setArgAttr(index, WeftDialect::dimsAttrName, namesOf(name, type.getShape(), given));
}

/// Packed results are returned as their components, all are named.
void Entry::replaceResults() {
  Operation *terminator = body.getTerminator();
  OpBuilder builder(terminator);
  SmallVector<Value> values;
  SmallVector<Type> types;
  SmallVector<Attribute> attributes;
  unsigned next = 0;
  for (auto [i, value] : llvm::enumerate(terminator->getOperands())) {
    NamedAttrList list(function.getResultAttrDict(i));
    auto packed = dyn_cast<PackedType>(value.getType());
    if (value.getType().isIndex()) {
      // An extent of the packed tensor before it.
    } else if (!packed) {
      list.set(WeftDialect::nameAttrName,
               b.getStringAttr(nameOf(list.getDictionary(b.getContext()), "output", next++)));
    } else {
      std::string name = nameOf(list.getDictionary(b.getContext()), "output", next++);
      ValueRange parts = takeApart(builder, value.getLoc(), value);
      for (auto [component, part] : llvm::zip(packed.getFormat().getComponents(packed), parts)) {
        NamedAttrList own;
        own.set(WeftDialect::nameAttrName, b.getStringAttr(name + "." + component.name));
        values.push_back(part);
        types.push_back(part.getType());
        attributes.push_back(own.getDictionary(b.getContext()));
      }
      continue;
    }
    values.push_back(value);
    types.push_back(value.getType());
    attributes.push_back(list.getDictionary(b.getContext()));
  }
  terminator->setOperands(values);
  function.setFunctionType(b.getFunctionType(function.getArgumentTypes(), types));
  function.setAllResultAttrs(attributes);
}

/// Every name of an extent is a leading argument.
void Entry::addSymbols() {
  llvm::StringSet<> known;
  unsigned count = 0;
  for (unsigned i = 0; i < function.getNumArguments(); ++i)
    if (auto symbol = function.getArgAttrOfType<StringAttr>(i, WeftDialect::symbolAttrName)) {
      known.insert(symbol.getValue());
      ++count;
    }
  SmallVector<StringAttr> missing;
  for (unsigned i = 0; i < function.getNumArguments(); ++i)
    if (auto dims = function.getArgAttrOfType<ArrayAttr>(i, WeftDialect::dimsAttrName))
      for (Attribute dim : dims)
        if (auto name = dyn_cast<StringAttr>(dim); name && known.insert(name.getValue()).second)
          missing.push_back(name);
  for (StringAttr name : missing)
    (void)function.insertArgument(
        count++, b.getIndexType(),
        b.getDictionaryAttr(b.getNamedAttr(WeftDialect::symbolAttrName, name)), function.getLoc());
}

LogicalResult Entry::run() {
  if (failed(verify()))
    return failure();
  unsigned number = 0;
  for (unsigned i = 0; i < function.getNumArguments(); ++i) {
    Type type = function.getArgumentTypes()[i];
    if (type.isIndex())
      continue;
    if (isa<PackedType>(type))
      i += replacePackedArgument(i, number) - 1;
    else
      completeArgument(i, number);
    ++number;
  }
  replaceResults();
  addSymbols();
  return success();
}

/// The bits of each element as a number of another type. No memory is shared: that of the
/// source may belong to the caller.
static LogicalResult replaceBitcast(tensor::BitcastOp op) {
  auto from = dyn_cast<RankedTensorType>(op.getSource().getType());
  auto to = dyn_cast<RankedTensorType>(op.getType());
  auto hasBits = [](RankedTensorType type) {
    return type &&
           (type.getElementType().isSignlessInteger() || isa<FloatType>(type.getElementType()));
  };
  if (!hasBits(from) || !hasBits(to))
    return op.emitOpError("takes ") << op.getSource().getType() << " for " << op.getType()
                                    << ", expected ranked tensors of floats and of integers "
                                       "without a sign";
  OpBuilder b(op);
  Location loc = op.getLoc();
  SmallVector<OpFoldResult> sizes = tensor::getMixedSizes(b, loc, op.getSource());
  Value init = tensor::EmptyOp::create(b, loc, sizes, to.getElementType());
  int64_t rank = from.getRank();
  Value bits = linalg::GenericOp::create(
                   b, loc, init.getType(), op.getSource(), init,
                   SmallVector<AffineMap>(2, b.getMultiDimIdentityMap(rank)),
                   SmallVector<utils::IteratorType>(rank, utils::IteratorType::parallel),
                   [&](OpBuilder &b, Location loc, ValueRange args) {
                     Value number = arith::BitcastOp::create(b, loc, to.getElementType(), args[0]);
                     linalg::YieldOp::create(b, loc, number);
                   })
                   .getResult(0);
  op.replaceAllUsesWith(b.createOrFold<tensor::CastOp>(loc, to, bits));
  op.erase();
  return success();
}

namespace {
struct PrepareEntry : weft::impl::PrepareEntryBase<PrepareEntry> {
  void runOnOperation() override {
    WalkResult bitcasts = getOperation().walk([](tensor::BitcastOp op) {
      return failed(replaceBitcast(op)) ? WalkResult::interrupt() : WalkResult::advance();
    });
    if (bitcasts.wasInterrupted())
      return signalPassFailure();
    for (auto function : getOperation().getOps<func::FuncOp>())
      if (!function.isDeclaration() && failed(Entry(function).run()))
        return signalPassFailure();
  }
};
} // namespace
