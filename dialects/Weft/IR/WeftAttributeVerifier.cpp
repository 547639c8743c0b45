//===- WeftAttributeVerifier.cpp - Checks Weft's attributes ---------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Printed modules can be edited. Whoever reads an attribute named `weft.*` from
// an operation, argument or result relies on its form, which is checked here.
// Names that are not in the tables are a plugin's.
//
//===----------------------------------------------------------------------===//

#include "dialects/Weft/IR/OperandChecks.h"
#include "dialects/Weft/IR/Variants.h"
#include "dialects/Weft/IR/Widening.h"
#include "weft/Stage.h"

#include "mlir/Interfaces/FunctionInterfaces.h"
#include "llvm/ADT/StringSet.h"

using namespace mlir;
using namespace weft;

//===----------------------------------------------------------------------===//
// #weft.target, #weft.schedule
//===----------------------------------------------------------------------===//

LogicalResult TargetAttr::verify(function_ref<InFlightDiagnostic()> emitError, StringRef, StringRef,
                                 StringRef, int64_t vectorBits, int64_t optLevel) {
  if (vectorBits != 128 && vectorBits != 256 && vectorBits != 512)
    return emitError() << "has vectors of " << vectorBits << " bits, expected 128, 256 or 512";
  if (optLevel < 0 || optLevel > 3)
    return emitError() << "has the level of optimization " << optLevel << ", expected 0 to 3";
  return success();
}

/// Tiles beyond this are mistakes: what a tile keeps has to fit in memory, once
/// for each thread.
static constexpr int64_t kMaxTileSize = 1 << 24;

/// Vectors of a register tile. No processor has that many registers, and each
/// is unrolled code.
static constexpr int64_t kMaxAccumulators = 256;

/// Fails if a register tile, which has columns of whole vectors, is larger than any
/// machine's registers are.
static LogicalResult verifyRegisterTile(function_ref<InFlightDiagnostic()> emitError, int64_t rows,
                                        int64_t columns, int64_t lanes) {
  int64_t vectors = columns / lanes, accumulators;
  if (__builtin_mul_overflow(rows, vectors, &accumulators) || accumulators > kMaxAccumulators)
    return emitError() << "has a register tile of " << rows << " x " << vectors
                       << " vectors, expected at most " << kMaxAccumulators;
  return success();
}

LogicalResult ComputeAttr::verify(function_ref<InFlightDiagnostic()> emitError, Type multiply,
                                  Type accumulate) {
  auto isNumber = [](Type type) {
    return isa<Float16Type, BFloat16Type, Float32Type, Float64Type>(type) ||
           (type.isSignlessInteger() && type.getIntOrFloatBitWidth() >= 8 &&
            type.getIntOrFloatBitWidth() <= 64);
  };
  for (Type type : {multiply, accumulate})
    if (!isNumber(type))
      return emitError() << "contractions compute in f16, bf16, f32, f64 or integers of 8 to 64 "
                         << "bits, got " << type;
  if (!widensTo(multiply, accumulate))
    return emitError() << "products of " << multiply << " are not added in " << accumulate;
  return success();
}

LogicalResult ScheduleAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                                   ArrayRef<int64_t> parallel, ArrayRef<int64_t> reduction,
                                   ArrayRef<int64_t> vector, ArrayRef<int64_t> few, int64_t cost) {
  for (ArrayRef<int64_t> sizes : {parallel, reduction})
    for (int64_t size : sizes)
      if (size < 0 || size > kMaxTileSize)
        return emitError() << "has a tile size of " << size << ", expected 0 to " << kMaxTileSize;
  if (cost < 0)
    return emitError() << "has a negative cost";
  if (vector.empty())
    return few.empty() ? success() : emitError() << "has tiles for few rows, but none for many";
  if (vector.size() != 3 || llvm::any_of(vector, [](int64_t size) { return size < 1; }) ||
      vector[1] % vector[2] != 0)
    return emitError() << "has a register tile that is not [rows, columns, lanes] with columns a "
                          "multiple of lanes";
  // Of bytes, no vector has more.
  int64_t lanes = vector[2];
  if (lanes > 64)
    return emitError() << "has a register tile of " << lanes << " lanes, expected at most 64";
  if (failed(verifyRegisterTile(emitError, vector[0], vector[1], lanes)))
    return failure();
  if (few.size() % 2 != 0)
    return emitError() << "has tiles for few rows that are not pairs of rows and columns";
  for (size_t i = 0; i < few.size(); i += 2) {
    if (few[i] < 1)
      return emitError() << "has a tile for few rows of " << few[i] << " rows, expected 1 or more";
    if (few[i + 1] < 1 || few[i + 1] % lanes != 0)
      return emitError() << "has a tile for few rows of " << few[i] << " x " << few[i + 1]
                         << ", expected columns that are a multiple of " << lanes << " lanes";
    if (i > 0 && few[i] <= few[i - 2])
      return emitError() << "has tiles for few rows that do not ascend";
    if (failed(verifyRegisterTile(emitError, few[i], few[i + 1], lanes)))
      return failure();
  }
  return success();
}

//===----------------------------------------------------------------------===//
// What is wrong with a value; empty if nothing is
//===----------------------------------------------------------------------===//

namespace {
/// Where an attribute is. `type` is that of the argument or result, if it is on
/// one.
struct Holder {
  Operation *op;
  Type type = {};
};

using Check = std::string (*)(Holder, Attribute);
} // namespace

static bool isArrayOf(Attribute value, llvm::function_ref<bool(Attribute)> isEntry) {
  auto array = dyn_cast_or_null<ArrayAttr>(value);
  return array && llvm::all_of(array, isEntry);
}

template <typename AttrT> static bool isArrayOf(Attribute value) {
  return isArrayOf(value, llvm::IsaPred<AttrT>);
}

static IntegerAttr int64Of(Attribute value) {
  auto number = dyn_cast_or_null<IntegerAttr>(value);
  return number && number.getType().isSignlessInteger(64) ? number : IntegerAttr();
}

static std::string textProblem(Holder, Attribute value) {
  return isa<StringAttr>(value) ? "" : "expected a string";
}

static std::string textsProblem(Holder, Attribute value) {
  return isArrayOf<StringAttr>(value) ? "" : "expected an array of strings";
}

static std::string unitProblem(Holder, Attribute value) {
  return isa<UnitAttr>(value) ? "" : "expected no value";
}

static std::string dictionaryProblem(Holder, Attribute value) {
  return isa<DictionaryAttr>(value) ? "" : "expected a dictionary";
}

static std::string symbolReferenceProblem(Holder, Attribute value) {
  return isa<FlatSymbolRefAttr>(value) ? "" : "expected the symbol of a function";
}

static std::string sizeProblem(Holder, Attribute value) {
  IntegerAttr number = int64Of(value);
  return number && number.getInt() >= 0 ? "" : "expected an i64 that is not negative";
}

static std::string rangeProblem(Holder, Attribute value) {
  auto range = dyn_cast<DenseI64ArrayAttr>(value);
  return range && range.size() == 2 && range[0] >= 0 && range[0] <= range[1]
             ? ""
             : "expected array<i64: MIN, MAX> with 0 <= MIN <= MAX";
}

static std::string symbolProblem(Holder holder, Attribute value) {
  if (!isa<StringAttr>(value))
    return "expected a string";
  return holder.type.isIndex() ? "" : "expected on an index";
}

static std::string dimsProblem(Holder, Attribute value) {
  auto isExtent = [](Attribute dim) {
    IntegerAttr number = int64Of(dim);
    return isa<StringAttr>(dim) || (number && number.getInt() >= -1);
  };
  return isArrayOf(value, isExtent)
             ? ""
             : "expected an array of names of symbols and of numbers from -1 on";
}

static std::string packedProblem(Holder, Attribute value) {
  auto type = dyn_cast<TypeAttr>(value);
  return type && isa<PackedType>(type.getValue()) ? "" : "expected a type !weft.packed";
}

static std::string targetProblem(Holder, Attribute value) {
  return isa<TargetAttr>(value) ? "" : "expected a #weft.target";
}

static std::string variantsProblem(Holder holder, Attribute value) {
  if (!isArrayOf<TargetAttr>(value))
    return "expected an array of #weft.target";
  SmallVector<TargetAttr> targets(cast<ArrayAttr>(value).getAsRange<TargetAttr>());
  if (auto best = holder.op->getAttrOfType<TargetAttr>(WeftDialect::targetAttrName))
    targets.push_back(best);
  llvm::StringSet<> processors;
  for (TargetAttr target : targets) {
    if (target.getName() != targets.front().getName())
      return ("is for the targets '" + targets.front().getName() + "' and '" + target.getName() +
              "', expected one")
          .str();
    if (!processors.insert(target.getCpu()).second)
      return ("has the processor '" + target.getCpu() + "' twice").str();
  }
  return "";
}

static std::string chipsProblem(Holder, Attribute value) {
  auto chips = dyn_cast<ArrayAttr>(value);
  llvm::StringSet<> names;
  if (!isArrayOf<StringAttr>(value) || chips.empty())
    return "expected an array of strings that is not empty";
  for (auto name : chips.getAsRange<StringAttr>())
    if (!names.insert(name.getValue()).second)
      return ("has the chip '" + name.getValue() + "' twice").str();
  return "";
}

static std::string stageProblem(Holder, Attribute value) {
  auto name = dyn_cast<StringAttr>(value);
  return name && parseStage(name) ? "" : "expected the name of a stage: " + allStageNames();
}

static std::string sourceProblem(Holder, Attribute value) {
  auto source = dyn_cast<DictionaryAttr>(value);
  return source && source.getAs<StringAttr>("name") && source.getAs<StringAttr>("sha256")
             ? ""
             : "expected a dictionary with the strings name and sha256";
}

static std::string weightFilesProblem(Holder, Attribute value) {
  auto files = dyn_cast<ArrayAttr>(value);
  if (!files)
    return "expected a list";
  for (Attribute file : files) {
    auto entry = dyn_cast<DictionaryAttr>(file);
    auto ranges = entry ? entry.getAs<DenseI64ArrayAttr>("ranges") : DenseI64ArrayAttr();
    if (!ranges || !entry.getAs<StringAttr>("path") || !entry.getAs<StringAttr>("checksum") ||
        !isArrayOf<StringAttr>(entry.get("keys")) ||
        static_cast<size_t>(ranges.size()) != 2 * entry.getAs<ArrayAttr>("keys").size())
      return "expected entries with path, checksum, keys, and ranges of two numbers a key";
  }
  return "";
}

static std::string kernelsProblem(Holder, Attribute value) {
  if (!isArrayOf<StringAttr>(value))
    return "expected an array of strings";
  llvm::StringSet<> names;
  for (auto name : cast<ArrayAttr>(value).getAsRange<StringAttr>())
    if (!names.insert(name.getValue()).second)
      return ("has the kernel '" + name.getValue() + "' twice").str();
  return "";
}

static std::string variantKernelsProblem(Holder holder, Attribute value) {
  auto kernels = holder.op->getAttrOfType<ArrayAttr>(WeftDialect::kernelsAttrName);
  auto isTable = [&](Attribute table) {
    return isArrayOf<StringAttr>(table) && cast<ArrayAttr>(table).size() == kernels.size();
  };
  return kernels && isArrayOf(value, isTable)
             ? ""
             : ("expected arrays of as many strings as '" + WeftDialect::kernelsAttrName + "' has")
                   .str();
}

static std::string fallbacksProblem(Holder holder, Attribute value) {
  auto sites = holder.op->getAttrOfType<ArrayAttr>(WeftDialect::sitesAttrName);
  auto fallbacks = dyn_cast<DictionaryAttr>(value);
  auto isSite = [&](NamedAttribute fallback) {
    IntegerAttr site = int64Of(fallback.getValue());
    return site && site.getInt() >= 0 && static_cast<uint64_t>(site.getInt()) < sites.size();
  };
  return sites && fallbacks && llvm::all_of(fallbacks, isSite)
             ? ""
             : ("expected a dictionary of indices of '" + WeftDialect::sitesAttrName + "'").str();
}

static std::string reasonsProblem(Holder, Attribute value) {
  auto reasons = dyn_cast<DictionaryAttr>(value);
  auto isText = [](NamedAttribute reason) { return isa<StringAttr>(reason.getValue()); };
  return reasons && llvm::all_of(reasons, isText) ? "" : "expected a dictionary of strings";
}

static std::string sitesProblem(Holder, Attribute value) {
  auto isSite = [](Attribute site) {
    return isArrayOf<StringAttr>(site) && cast<ArrayAttr>(site).size() == 3;
  };
  return isArrayOf(value, isSite) ? "" : "expected arrays of three strings";
}

/// A tensor whose elements have a size. Those of weights have all extents.
static bool isTensor(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  return tensor && tensor.getElementType().isIntOrFloat();
}

static std::string weightsProblem(Holder, Attribute value) {
  auto isWeight = [](Attribute attribute) {
    auto weight = dyn_cast<WeightAttr>(attribute);
    return weight && isTensor(weight.getType()) &&
           cast<RankedTensorType>(weight.getType()).hasStaticShape();
  };
  return isArrayOf(value, isWeight)
             ? ""
             : "expected an array of #weft.weight of static tensors of integers or floats";
}

/// Entries of the signature carry the names of attributes with or without the dialect's.
static std::string tensorsProblem(Holder holder, Attribute value) {
  auto tensors = dyn_cast_or_null<ArrayAttr>(value);
  if (!tensors)
    return "expected an array";
  for (Attribute attribute : tensors) {
    auto tensor = dyn_cast<DictionaryAttr>(attribute);
    auto type = tensor ? tensor.getAs<TypeAttr>("type") : TypeAttr();
    if (!type || !isTensor(type.getValue()))
      return "expected entries whose type is a tensor of integers or floats";
    for (StringRef key :
         {StringRef("name"), StringRef("dtype"), StringRef(WeftDialect::nameAttrName),
          StringRef(WeftDialect::dtypeAttrName)})
      if (Attribute text = tensor.get(key); text && !isa<StringAttr>(text))
        return ("'" + key + "': expected a string").str();
    for (StringRef key : {StringRef("dims"), StringRef(WeftDialect::dimsAttrName)})
      if (Attribute dims = tensor.get(key))
        if (std::string problem = dimsProblem(holder, dims); !problem.empty())
          return ("'" + key + "': " + problem).str();
  }
  return "";
}

static std::string symbolsProblem(Holder holder, Attribute value) {
  auto symbols = dyn_cast_or_null<ArrayAttr>(value);
  if (!symbols)
    return "expected an array";
  for (Attribute attribute : symbols) {
    auto symbol = dyn_cast<DictionaryAttr>(attribute);
    if (!symbol || !symbol.getAs<StringAttr>("name") || !symbol.get("range"))
      return "expected entries with name and range";
    if (std::string problem = rangeProblem(holder, symbol.get("range")); !problem.empty())
      return "'range': " + problem;
  }
  return "";
}

static std::string signatureProblem(Holder holder, Attribute value) {
  auto signature = dyn_cast<DictionaryAttr>(value);
  if (!signature || !signature.getAs<StringAttr>("name"))
    return "expected a dictionary with a name";
  for (auto [key, check] : {std::pair<StringRef, Check>("symbols", symbolsProblem),
                            std::pair<StringRef, Check>("inputs", tensorsProblem),
                            std::pair<StringRef, Check>("outputs", tensorsProblem)})
    if (std::string problem = check(holder, signature.get(key)); !problem.empty())
      return ("'" + key + "': " + problem).str();
  return "";
}

static std::string deviceKernelsProblem(Holder, Attribute value) {
  auto isKernel = [](Attribute attribute) {
    auto kernel = dyn_cast<DictionaryAttr>(attribute);
    if (!kernel || !kernel.getAs<StringAttr>("name") || !kernel.getAs<StringAttr>("module"))
      return false;
    auto sizes = kernel.getAs<DenseI64ArrayAttr>("arguments");
    auto isSize = [](int64_t size) { return size >= 0 && size <= 8; };
    Attribute shared = kernel.get("shared"), cooperates = kernel.get("cooperates");
    IntegerAttr bytes = int64Of(shared);
    return sizes && llvm::all_of(sizes.asArrayRef(), isSize) &&
           (!shared || (bytes && bytes.getInt() >= 0)) &&
           (!cooperates || isa<UnitAttr>(cooperates));
  };
  return isArrayOf(value, isKernel)
             ? ""
             : "expected an array of dictionaries with name, module and bytes of arguments";
}

static std::string transfersProblem(Holder, Attribute value) {
  auto isTransfer = [](Attribute attribute) {
    auto transfer = dyn_cast<DictionaryAttr>(attribute);
    IntegerAttr direction = transfer ? int64Of(transfer.get("direction")) : IntegerAttr();
    return direction && direction.getInt() >= 0 && direction.getInt() <= 2 &&
           llvm::all_of(ArrayRef<StringRef>{"value", "bytes", "reason"}, [&](StringRef key) {
             return isa_and_nonnull<StringAttr>(transfer.get(key));
           });
  };
  return isArrayOf(value, isTransfer)
             ? ""
             : "expected an array of dictionaries with direction, value, bytes and reason";
}

static std::string deviceWeightsProblem(Holder holder, Attribute value) {
  auto weights = holder.op->getAttrOfType<ArrayAttr>(WeftDialect::weightsAttrName);
  auto indices = dyn_cast<DenseI64ArrayAttr>(value);
  auto isIndex = [&](int64_t index) {
    return index >= 0 && static_cast<uint64_t>(index) < weights.size();
  };
  return weights && indices && llvm::all_of(indices.asArrayRef(), isIndex)
             ? ""
             : ("expected indices of '" + WeftDialect::weightsAttrName + "'").str();
}

//===----------------------------------------------------------------------===//
// The dialect's hooks
//===----------------------------------------------------------------------===//

namespace {
enum class Place { Module, Kernel, Any };

struct Rule {
  StringRef name;
  Place place;
  Check check;
};
} // namespace

static const Rule operationRules[] = {
    {WeftDialect::targetAttrName, Place::Module, targetProblem},
    {WeftDialect::chipsAttrName, Place::Module, chipsProblem},
    {kVariantsAttrName, Place::Module, variantsProblem},
    {WeftDialect::stageAttrName, Place::Module, stageProblem},
    {WeftDialect::sourceAttrName, Place::Module, sourceProblem},
    {WeftDialect::metadataAttrName, Place::Module, dictionaryProblem},
    {WeftDialect::weightFilesAttrName, Place::Module, weightFilesProblem},
    {WeftDialect::kernelsAttrName, Place::Module, kernelsProblem},
    {WeftDialect::variantKernelsAttrName, Place::Module, variantKernelsProblem},
    {WeftDialect::fallbacksAttrName, Place::Module, fallbacksProblem},
    {WeftDialect::fallbackReasonsAttrName, Place::Module, reasonsProblem},
    {WeftDialect::sitesAttrName, Place::Module, sitesProblem},
    {WeftDialect::weightsAttrName, Place::Module, weightsProblem},
    {WeftDialect::signatureAttrName, Place::Module, signatureProblem},
    {WeftDialect::deviceKernelsAttrName, Place::Module, deviceKernelsProblem},
    {WeftDialect::transfersAttrName, Place::Module, transfersProblem},
    {WeftDialect::deviceWeightsAttrName, Place::Module, deviceWeightsProblem},
    {WeftDialect::subgroupSizeAttrName, Place::Module, sizeProblem},
    {kVariantAttrName, Place::Kernel, textProblem},
    {kVariantOfAttrName, Place::Kernel, symbolReferenceProblem},
    {WeftDialect::fallbackAttrName, Place::Kernel, textProblem},
    {WeftDialect::referenceOpsAttrName, Place::Kernel, textsProblem},
    {WeftDialect::resultsAttrName, Place::Any, tensorsProblem},
    {WeftDialect::workspaceOfAttrName, Place::Any, symbolReferenceProblem},
    {WeftDialect::arenaBytesAttrName, Place::Any, sizeProblem},
    {WeftDialect::arenaLowerBoundAttrName, Place::Any, sizeProblem},
    {WeftDialect::deviceArenaBytesAttrName, Place::Any, sizeProblem},
    {WeftDialect::arenaAssumedExtentAttrName, Place::Any, sizeProblem},
    {WeftDialect::quotientAttrName, Place::Any, unitProblem},
    {kCheckedAttrName, Place::Any, unitProblem},
};

/// Of arguments and results.
static const Rule valueRules[] = {
    {WeftDialect::symbolAttrName, Place::Any, symbolProblem},
    {WeftDialect::symbolRangeAttrName, Place::Any, rangeProblem},
    {WeftDialect::nameAttrName, Place::Any, textProblem},
    {WeftDialect::dtypeAttrName, Place::Any, textProblem},
    {WeftDialect::dimsAttrName, Place::Any, dimsProblem},
    {WeftDialect::packedAttrName, Place::Any, packedProblem},
};

static LogicalResult verifyBy(ArrayRef<Rule> rules, Holder holder, NamedAttribute attribute) {
  const Rule *rule =
      llvm::find_if(rules, [&](const Rule &rule) { return rule.name == attribute.getName(); });
  if (rule == rules.end())
    return success();
  std::string problem;
  if (rule->place == Place::Module && !isa<ModuleOp>(holder.op))
    problem = "expected on a module";
  else if (rule->place == Place::Kernel && !isa<KernelOp>(holder.op))
    problem = "expected on a kernel";
  else
    problem = rule->check(holder, attribute.getValue());
  if (problem.empty())
    return success();
  return holder.op->emitError("'") << rule->name << "': " << problem;
}

LogicalResult WeftDialect::verifyOperationAttribute(Operation *op, NamedAttribute attribute) {
  return verifyBy(operationRules, {op}, attribute);
}

LogicalResult WeftDialect::verifyRegionArgAttribute(Operation *op, unsigned, unsigned argument,
                                                    NamedAttribute attribute) {
  auto function = dyn_cast<FunctionOpInterface>(op);
  if (!function)
    return success();
  return verifyBy(valueRules, {op, function.getArgumentTypes()[argument]}, attribute);
}

LogicalResult WeftDialect::verifyRegionResultAttribute(Operation *op, unsigned, unsigned result,
                                                       NamedAttribute attribute) {
  auto function = dyn_cast<FunctionOpInterface>(op);
  if (!function)
    return success();
  return verifyBy(valueRules, {op, function.getResultTypes()[result]}, attribute);
}
