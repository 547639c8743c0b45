//===- WeightFiles.cpp - The weights of printed modules -------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "transforms/Printing/WeightFiles.h"

#include "Base/MappedFile.h"
#include "dialects/Weft/IR/Weft.h"
#include "weft/Version.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/SmallVectorExtras.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/Endian.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/xxhash.h"

#include <map>

using namespace mlir;
using namespace weft;
using llvm::formatv;

template <typename... Ts> static llvm::Error weightError(const char *format, Ts &&...values) {
  return llvm::createStringError(formatv(format, std::forward<Ts>(values)...).str());
}

weft_dtype weft::dtypeOf(Type type) {
  uint8_t bits = static_cast<uint8_t>(type.getIntOrFloatBitWidth());
  if (isa<BFloat16Type>(type))
    return {WEFT_DTYPE_BFLOAT, bits, 1};
  if (isa<FloatType>(type))
    return {WEFT_DTYPE_FLOAT, bits, 1};
  return {WEFT_DTYPE_INT, bits, 1};
}

Weight weft::makeWeight(WeightAttr weight, ArrayRef<uint8_t> bytes) {
  auto type = cast<RankedTensorType>(weight.getType());
  Weight result;
  result.name = weight.getKey().str();
  result.dtype = dtypeOf(type.getElementType());
  result.shape.assign(type.getShape().begin(), type.getShape().end());
  result.bytes = bytes;
  return result;
}

static WeightStore &storeOf(ModuleOp module) {
  return module.getContext()->getOrLoadDialect<WeftDialect>()->getWeightStore();
}

/// The weights that a module uses, sorted by key.
static SmallVector<WeightAttr, 16> usedWeights(ModuleOp module) {
  llvm::SmallSetVector<WeightAttr, 16> weights;
  module->walk([&](Operation *op) {
    // Of these there are many, and none holds a weight.
    if (isa_and_nonnull<LLVM::LLVMDialect>(op->getDialect()))
      return;
    op->getAttrDictionary().walk([&](WeightAttr weight) { weights.insert(weight); });
  });
  SmallVector<WeightAttr, 16> sorted = weights.takeVector();
  llvm::stable_sort(sorted, [](WeightAttr a, WeightAttr b) { return a.getKey() < b.getKey(); });
  return sorted;
}

/// Of bytes that come in pieces: the hash of the hashes of the pieces.
namespace {
class Checksum {
public:
  void add(uint64_t piece) {
    uint8_t bytes[8];
    llvm::support::endian::write64le(bytes, piece);
    pieces.insert(pieces.end(), bytes, bytes + 8);
  }
  std::string text() const { return formatv("{0:x-16}", llvm::xxh3_64bits(ArrayRef(pieces))); }

private:
  std::vector<uint8_t> pieces;
};
} // namespace

//===----------------------------------------------------------------------===//
// Loading
//===----------------------------------------------------------------------===//

namespace {
/// An entry of the attribute.
struct FileEntry {
  StringRef path, checksum;
  SmallVector<StringRef> keys;
  ArrayRef<int64_t> ranges;
};
} // namespace

static FileEntry readEntry(Attribute attribute) {
  auto dictionary = cast<DictionaryAttr>(attribute);
  FileEntry entry{dictionary.getAs<StringAttr>("path"),
                  dictionary.getAs<StringAttr>("checksum"),
                  {},
                  dictionary.getAs<DenseI64ArrayAttr>("ranges")};
  for (auto key : dictionary.getAs<ArrayAttr>("keys").getAsRange<StringAttr>())
    entry.keys.push_back(key);
  return entry;
}

/// The entries of `weft.weight_files`, whose form the dialect verifies.
static ArrayRef<Attribute> entriesOf(ModuleOp module) {
  auto files = module->getAttrOfType<ArrayAttr>(WeftDialect::weightFilesAttrName);
  return files ? files.getValue() : ArrayRef<Attribute>();
}

/// Adds the weights of an entry from the file at `path`.
static llvm::Error loadFile(const FileEntry &entry, const std::string &path, WeightStore &store) {
  Result<MappedFile> mapped = MappedFile::open(path);
  if (!mapped)
    return weightError("{0}", mapped.error().message);
  auto file = std::make_shared<MappedFile>(std::move(*mapped));
  ArrayRef<uint8_t> bytes(file->bytes().data(), file->bytes().size());
  Checksum checksum;
  SmallVector<ArrayRef<uint8_t>> weights;
  for (auto [i, key] : llvm::enumerate(entry.keys)) {
    int64_t offset = entry.ranges[2 * i], length = entry.ranges[2 * i + 1];
    if (offset < 0 || length < 0 || static_cast<uint64_t>(offset) > bytes.size() ||
        static_cast<uint64_t>(length) > bytes.size() - static_cast<uint64_t>(offset))
      return weightError("{0}: has {1} bytes, but weight '{2}' should be {3} bytes at {4}", path,
                         bytes.size(), key, length, offset);
    weights.push_back(bytes.slice(static_cast<size_t>(offset), static_cast<size_t>(length)));
    checksum.add(llvm::xxh3_64bits(weights.back()));
  }
  if (checksum.text() != entry.checksum)
    return weightError("{0}: its weights have the checksum {1}, but the module was printed with "
                       "{2}: the file has changed",
                       path, checksum.text(), entry.checksum);
  for (auto [i, weight] : llvm::enumerate(weights))
    if (!store.lookup(entry.keys[i]))
      store.addView(entry.keys[i], weight, file,
                    {path, static_cast<uint64_t>(entry.ranges[2 * i])});
  return llvm::Error::success();
}

/// Loads from where the file was, or else from beside the printed module; the
/// error is about the former if that is there.
static llvm::Error loadEntry(const FileEntry &entry, StringRef folder, WeightStore &store) {
  SmallString<256> path(folder), beside(folder);
  llvm::sys::path::append(beside, llvm::sys::path::filename(entry.path));
  if (llvm::sys::path::is_absolute(entry.path))
    path = entry.path;
  else
    llvm::sys::path::append(path, entry.path); // written by hand
  llvm::Error error = loadFile(entry, std::string(path), store);
  if (!error || beside == path)
    return error;
  bool isThere = llvm::sys::fs::exists(path);
  if (!llvm::sys::fs::exists(beside)) {
    if (isThere)
      return error;
    return weightError("{0}; it is not beside the printed module either",
                       llvm::toString(std::move(error)));
  }
  llvm::Error second = loadFile(entry, std::string(beside), store);
  if (second && isThere) {
    llvm::consumeError(std::move(second));
    return error;
  }
  llvm::consumeError(std::move(error));
  return second;
}

/// Nothing where elements are not whole bytes, or bytes do not fit in 63 bits.
static std::optional<uint64_t> byteSizeOf(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  if (!tensor || !tensor.hasStaticShape() || !tensor.getElementType().isIntOrFloat() ||
      tensor.getElementTypeBitWidth() % 8 != 0)
    return std::nullopt;
  int64_t bytes = tensor.getElementTypeBitWidth() / 8;
  for (int64_t extent : tensor.getShape())
    if (__builtin_mul_overflow(bytes, extent, &bytes))
      return std::nullopt;
  return static_cast<uint64_t>(bytes);
}

llvm::Error weft::loadWeightFiles(ModuleOp module, StringRef folder) {
  WeightStore &store = storeOf(module);
  bool isLoaded = false;
  for (Attribute file : entriesOf(module)) {
    FileEntry entry = readEntry(file);
    if (llvm::all_of(entry.keys, [&](StringRef key) { return store.lookup(key).has_value(); }))
      continue;
    isLoaded = true;
    if (llvm::Error error = loadEntry(entry, folder, store))
      return error;
  }
  if (!isLoaded)
    return llvm::Error::success();
  for (WeightAttr weight : usedWeights(module)) {
    std::optional<ArrayRef<uint8_t>> bytes = store.lookup(weight.getKey());
    if (bytes && byteSizeOf(weight.getType()) != bytes->size())
      return weightError("weight '{0}' has {1} bytes in '{2}', which is not the size of its type",
                         weight.getKey(), bytes->size(), store.source(weight.getKey())->file);
  }
  return llvm::Error::success();
}

//===----------------------------------------------------------------------===//
// Saving
//===----------------------------------------------------------------------===//

static std::string absolutePath(StringRef path) {
  SmallString<256> absolute(path);
  llvm::sys::fs::make_absolute(absolute);
  llvm::sys::path::remove_dots(absolute);
  return std::string(absolute);
}

/// The entries with weights that are used, but are not in the store: nobody has
/// loaded them, so that they are where they were.
static SmallVector<Attribute> entriesNotLoaded(ModuleOp module) {
  WeightStore &store = storeOf(module);
  llvm::StringSet<> missing;
  for (WeightAttr weight : usedWeights(module))
    if (!store.lookup(weight.getKey()))
      missing.insert(weight.getKey());
  return llvm::filter_to_vector(entriesOf(module), [&](Attribute file) {
    return llvm::any_of(readEntry(file).keys, [&](StringRef key) { return missing.contains(key); });
  });
}

unsigned weft::nameWeightFiles(ModuleOp module, StringRef spillCopy) {
  struct File {
    SmallVector<Attribute> keys;
    SmallVector<int64_t> ranges;
    Checksum checksum;
  };
  Builder b(module.getContext());
  WeightStore &store = storeOf(module);
  std::map<std::string, File> files;
  StringRef last;
  unsigned leftOut = 0;
  for (WeightAttr weight : usedWeights(module)) {
    StringRef key = weight.getKey();
    std::optional<WeightSource> source = store.source(key);
    if (!source || key == last)
      continue;
    last = key;
    if (source->file.empty() && spillCopy.empty()) {
      ++leftOut;
      continue;
    }
    File &file = files[absolutePath(source->file.empty() ? spillCopy : StringRef(source->file))];
    file.keys.push_back(b.getStringAttr(key));
    file.ranges.push_back(static_cast<int64_t>(source->offset));
    file.ranges.push_back(static_cast<int64_t>(store.lookup(key)->size()));
    file.checksum.add(store.checksum(key));
  }
  SmallVector<Attribute> entries = entriesNotLoaded(module);
  for (const auto &[path, file] : files)
    entries.push_back(
        b.getDictionaryAttr({b.getNamedAttr("path", b.getStringAttr(path)),
                             b.getNamedAttr("checksum", b.getStringAttr(file.checksum.text())),
                             b.getNamedAttr("keys", b.getArrayAttr(file.keys)),
                             b.getNamedAttr("ranges", b.getDenseI64ArrayAttr(file.ranges))}));
  if (entries.empty())
    module->removeAttr(WeftDialect::weightFilesAttrName);
  else
    module->setAttr(WeftDialect::weightFilesAttrName, b.getArrayAttr(entries));
  return leftOut;
}

/// Writes the weights that are in no file, and tells the store where they are.
/// Those that lie in a file of that path, which is replaced, are written again.
static llvm::Error writeComputed(ModuleOp module, const std::string &path) {
  WeightStore &store = storeOf(module);
  std::vector<Weight> weights;
  bool anyComputed = false;
  for (WeightAttr weight : usedWeights(module)) {
    std::optional<WeightSource> source = store.source(weight.getKey());
    if (!source || (!weights.empty() && weights.back().name == weight.getKey()))
      continue;
    bool isComputed = source->file.empty();
    if (!isComputed && source->file != path && !llvm::sys::fs::equivalent(source->file, path))
      continue;
    anyComputed |= isComputed;
    weights.push_back(makeWeight(weight, *store.lookup(weight.getKey())));
  }
  if (!anyComputed)
    return llvm::Error::success();
  llvm::Expected<WeightsPlan> plan = planSafetensors(weights, versionText());
  if (!plan)
    return plan.takeError();
  llvm::Expected<OutputFile> file = OutputFile::create(path);
  if (!file)
    return file.takeError();
  if (llvm::Error error = writeSafetensors(*plan, weights, *file))
    return error;
  if (llvm::Error error = file->publish())
    return error;
  for (auto [weight, entry] : llvm::zip_equal(weights, plan->table))
    store.setSavedCopy(weight.name, {path, entry.offset});
  return llvm::Error::success();
}

static bool isStream(StringRef path) {
  llvm::sys::fs::file_status status;
  return path == "-" || (!llvm::sys::fs::status(path, status) &&
                         status.type() != llvm::sys::fs::file_type::regular_file);
}

llvm::Expected<unsigned> weft::saveWeightFiles(ModuleOp module, StringRef path) {
  if (!isStream(path))
    if (llvm::Error error = writeComputed(module, absolutePath(path) + ".safetensors"))
      return std::move(error);
  return nameWeightFiles(module, /*spillCopy=*/"");
}

void weft::releaseUnusedWeights(ModuleOp module) {
  llvm::StringSet<> used;
  for (WeightAttr weight : usedWeights(module))
    used.insert(weight.getKey());
  storeOf(module).releaseUnless([&](StringRef key) { return used.contains(key); });
}
