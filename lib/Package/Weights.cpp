//===- Weights.cpp - Weights as an object file or a .safetensors file -----===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Package/Weights.h"

#include "Base/Result.h"
#include "Package/Descriptor.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/BinaryFormat/ELF.h"
#include "llvm/Object/ELFTypes.h"
#include "llvm/Support/Endian.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/MathExtras.h"
#include "llvm/Support/SHA256.h"

#include <algorithm>
#include <cstring>

using namespace weft;
using llvm::formatv;
using llvm::StringRef;

static_assert(sizeof(size_t) == 8, "sizes of spans do not overflow 64 bits");

/// Sections from this size on begin at a page, so that they share none with
/// other data and can be mapped with huge pages.
static constexpr uint64_t kPageAlignedSize = 1 << 20;
static constexpr uint64_t kPage = 4096;

/// Bytes are hashed in pieces of this size: they can be hashed in parallel, and
/// LLVM's implementation counts a message's bytes in 32 bits.
static constexpr uint64_t kHashPiece = uint64_t(64) << 20;

/// Limit of the safetensors library for the header, in bytes.
static constexpr uint64_t kMaxHeader = 100'000'000;

template <typename... Ts> static llvm::Error failure(const char *format, Ts &&...values) {
  return llvm::createStringError(formatv(format, std::forward<Ts>(values)...).str());
}

//===----------------------------------------------------------------------===//
// What both containers share
//===----------------------------------------------------------------------===//

static std::array<uint8_t, 32> hashWeights(llvm::ArrayRef<Weight> weights) {
  llvm::SHA256 hasher;
  auto updateLength = [&](uint64_t length) {
    uint8_t bytes[8];
    llvm::support::endian::write64le(bytes, length);
    hasher.update(llvm::ArrayRef(bytes));
  };
  for (const Weight &weight : weights) {
    updateLength(weight.name.size());
    hasher.update(weight.name);
    updateLength(weight.bytes.size());
    // The hasher copies what it is given in one piece only by blocks, but it
    for (llvm::ArrayRef<uint8_t> rest = weight.bytes; !rest.empty();) {
      llvm::ArrayRef<uint8_t> piece = rest.take_front(kHashPiece);
      hasher.update(llvm::ArrayRef(llvm::SHA256::hash(piece)));
      rest = rest.drop_front(piece.size());
    }
  }
  return hasher.final();
}

/// Lays the weights out from offset 0, aligned, and returns the end.
static llvm::Expected<uint64_t> layOut(llvm::ArrayRef<Weight> weights,
                                       std::vector<WeightInfo> &table) {
  uint64_t offset = 0;
  for (const Weight &weight : weights) {
    offset = llvm::alignTo(offset, WEFT_BUFFER_ALIGNMENT);
    table.push_back({weight.name, offset, weight.bytes.size()});
    offset += weight.bytes.size();
    // Bytes may be views that overlap, so even real ones can add up to this.
    if (offset > (uint64_t(1) << 56))
      return failure("weight '{0}' ends at byte {1}, which is more than a "
                     "module can hold",
                     weight.name, offset);
  }
  return offset;
}

//===----------------------------------------------------------------------===//
// The section
//===----------------------------------------------------------------------===//

static uint64_t sectionAlignment(uint64_t size) {
  return size >= kPageAlignedSize ? kPage : WEFT_BUFFER_ALIGNMENT;
}

llvm::Expected<WeightsPlan> weft::planWeightsSection(llvm::ArrayRef<Weight> weights) {
  WeightsPlan plan;
  auto end = layOut(weights, plan.table);
  if (!end)
    return end.takeError();
  if (!weights.empty())
    plan.size =
        std::max<uint64_t>(llvm::alignTo(*end, WEFT_BUFFER_ALIGNMENT), WEFT_BUFFER_ALIGNMENT);
  plan.hash = hashWeights(weights);
  return plan;
}

/// Appends the bytes of all weights at their offsets, then zeros up to
/// `plan.size`; the output is at `position` of the plan.
static llvm::Error writeBytes(const WeightsPlan &plan, llvm::ArrayRef<Weight> weights,
                              uint64_t position, OutputFile &output) {
  for (auto [weight, entry] : llvm::zip_equal(weights, plan.table)) {
    if (auto error = output.writeZeros(entry.offset - position))
      return error;
    if (auto error = output.write(weight.bytes))
      return error;
    position = entry.offset + entry.size;
  }
  return output.writeZeros(plan.size - position);
}

template <typename T> static llvm::Error writeStruct(OutputFile &output, T value) {
  return output.write(llvm::ArrayRef(reinterpret_cast<const uint8_t *>(&value), sizeof(value)));
}

llvm::Error weft::writeWeightsObject(const WeightsPlan &plan, llvm::ArrayRef<Weight> weights,
                                     OutputFile &output) {
  using ELF = llvm::object::ELF64LE;
  namespace elf = llvm::ELF;
  enum { kNull, kWeights, kStack, kSymbols, kStrings, kSectionCount };

  // One string table for sections and symbols.
  std::string strings(1, '\0');
  auto addString = [&](StringRef text) {
    uint32_t at = strings.size();
    strings += text;
    strings += '\0';
    return at;
  };

  uint64_t alignment = sectionAlignment(plan.size);
  uint64_t dataOffset = llvm::alignTo(sizeof(ELF::Ehdr), alignment);
  uint64_t symbolsOffset = llvm::alignTo(dataOffset + plan.size, 8);

  ELF::Sym symbols[2] = {};
  symbols[1].st_name = addString(kWeightsSymbol);
  symbols[1].setBindingAndType(elf::STB_GLOBAL, elf::STT_OBJECT);
  symbols[1].setVisibility(elf::STV_HIDDEN);
  symbols[1].st_shndx = kWeights;
  symbols[1].st_size = plan.size;

  ELF::Shdr sections[kSectionCount] = {};
  sections[kWeights].sh_name = addString(".weft.weights");
  sections[kWeights].sh_type = elf::SHT_PROGBITS;
  // Large: the linker puts it where it does not push code and its constants
  // out of each other's 32-bit reach.
  sections[kWeights].sh_flags = elf::SHF_ALLOC | elf::SHF_X86_64_LARGE;
  sections[kWeights].sh_offset = dataOffset;
  sections[kWeights].sh_size = plan.size;
  sections[kWeights].sh_addralign = alignment;
  sections[kStack].sh_name = addString(".note.GNU-stack");
  sections[kStack].sh_type = elf::SHT_PROGBITS;
  sections[kStack].sh_offset = symbolsOffset;
  sections[kStack].sh_addralign = 1;
  sections[kSymbols].sh_name = addString(".symtab");
  sections[kSymbols].sh_type = elf::SHT_SYMTAB;
  sections[kSymbols].sh_offset = symbolsOffset;
  sections[kSymbols].sh_size = sizeof(symbols);
  sections[kSymbols].sh_link = kStrings;
  sections[kSymbols].sh_info = 1; // the first symbol that is not local
  sections[kSymbols].sh_addralign = 8;
  sections[kSymbols].sh_entsize = sizeof(ELF::Sym);
  sections[kStrings].sh_name = addString(".strtab");
  sections[kStrings].sh_type = elf::SHT_STRTAB;
  sections[kStrings].sh_offset = symbolsOffset + sizeof(symbols);
  sections[kStrings].sh_size = strings.size();
  sections[kStrings].sh_addralign = 1;
  uint64_t stringsEnd = symbolsOffset + sizeof(symbols) + strings.size();
  uint64_t sectionsOffset = llvm::alignTo(stringsEnd, 8);

  ELF::Ehdr header = {};
  std::memcpy(header.e_ident, elf::ElfMagic, 4);
  header.e_ident[elf::EI_CLASS] = elf::ELFCLASS64;
  header.e_ident[elf::EI_DATA] = elf::ELFDATA2LSB;
  header.e_ident[elf::EI_VERSION] = elf::EV_CURRENT;
  header.e_type = elf::ET_REL;
  header.e_machine = elf::EM_X86_64;
  header.e_version = elf::EV_CURRENT;
  header.e_ehsize = sizeof(header);
  header.e_shoff = sectionsOffset;
  header.e_shentsize = sizeof(ELF::Shdr);
  header.e_shnum = kSectionCount;
  header.e_shstrndx = kStrings;

  if (auto error = writeStruct(output, header))
    return error;
  if (auto error = output.writeZeros(dataOffset - sizeof(header)))
    return error;
  if (auto error = writeBytes(plan, weights, /*position=*/0, output))
    return error;
  if (auto error = output.writeZeros(symbolsOffset - dataOffset - plan.size))
    return error;
  for (const ELF::Sym &symbol : symbols)
    if (auto error = writeStruct(output, symbol))
      return error;
  if (auto error = output.write(StringRef(strings)))
    return error;
  if (auto error = output.writeZeros(sectionsOffset - stringsEnd))
    return error;
  for (const ELF::Shdr &section : sections)
    if (auto error = writeStruct(output, section))
      return error;
  return llvm::Error::success();
}

//===----------------------------------------------------------------------===//
// The .safetensors file
//===----------------------------------------------------------------------===//

/// The format's name of a type; empty where it has none.
static StringRef safetensorsType(weft_dtype dtype) {
  switch (dtype.code) {
  case WEFT_DTYPE_INT:
    return dtype.bits == 8    ? "I8"
           : dtype.bits == 16 ? "I16"
           : dtype.bits == 32 ? "I32"
           : dtype.bits == 64 ? "I64"
                              : "";
  case WEFT_DTYPE_UINT:
    return dtype.bits == 8    ? "U8"
           : dtype.bits == 16 ? "U16"
           : dtype.bits == 32 ? "U32"
           : dtype.bits == 64 ? "U64"
                              : "";
  case WEFT_DTYPE_FLOAT:
    return dtype.bits == 16 ? "F16" : dtype.bits == 32 ? "F32" : dtype.bits == 64 ? "F64" : "";
  case WEFT_DTYPE_BFLOAT:
    return dtype.bits == 16 ? "BF16" : "";
  case WEFT_DTYPE_BOOL:
    return dtype.bits == 8 ? "BOOL" : "";
  case WEFT_DTYPE_FLOAT8_E4M3FN:
    return dtype.bits == 8 ? "F8_E4M3" : "";
  case WEFT_DTYPE_FLOAT8_E5M2:
    return dtype.bits == 8 ? "F8_E5M2" : "";
  }
  return "";
}

/// One entry of the header: "name": {"dtype":..,"shape":[..],"data_offsets":..}
static std::string headerEntry(StringRef name, StringRef type, llvm::ArrayRef<int64_t> shape,
                               uint64_t begin, uint64_t end) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  stream << ',' << llvm::json::Value(name) << ":{\"dtype\":\"" << type << "\",\"shape\":[";
  llvm::interleave(shape, stream, ",");
  stream << "],\"data_offsets\":[" << begin << ',' << end << "]}";
  return text;
}

/// The header's type and shape of `weight`.
static llvm::Expected<std::pair<StringRef, llvm::SmallVector<int64_t>>>
storedType(const Weight &weight) {
  std::pair<StringRef, llvm::SmallVector<int64_t>> opaque{"U8", {int64_t(weight.bytes.size())}};
  StringRef type = safetensorsType(weight.dtype);
  if (type.empty() || weight.dtype.lanes != 1 || !weight.layout.empty())
    return opaque;
  std::optional<int64_t> count = checkedElementCount(weight.shape);
  std::optional<int64_t> size =
      count ? checkedMultiply(*count, weight.dtype.bits / 8) : std::nullopt;
  if (!size || uint64_t(*size) != weight.bytes.size())
    return failure(
        "weight '{0}' has {1} bytes, but its shape [{2}] of {3} "
        "needs {4}",
        weight.name, weight.bytes.size(),
        llvm::join(
            llvm::map_range(weight.shape, [](int64_t extent) { return std::to_string(extent); }),
            ", "),
        type, size ? std::to_string(*size) : "more than 2^63");
  return std::pair{type, llvm::SmallVector<int64_t>(weight.shape)};
}

static std::string headerMetadata(llvm::ArrayRef<Weight> weights, StringRef hash,
                                  StringRef compilerVersion) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  auto quote = [](StringRef value) { return llvm::json::Value(llvm::json::fixUTF8(value)); };
  stream << "{\"__metadata__\":{\"weft.hash\":\"" << hash
         << "\",\"weft.compiler\":" << quote(compilerVersion);
  for (const Weight &weight : weights)
    if (!weight.layout.empty())
      stream << ',' << quote("weft.layout." + weight.name) << ':' << quote(weight.layout);
  stream << '}';
  return text;
}

llvm::Expected<WeightsPlan> weft::planSafetensors(llvm::ArrayRef<Weight> weights,
                                                  StringRef compilerVersion) {
  // Names are JSON strings, so they are UTF-8. What an invalid name is mapped
  // to can collide with another.
  llvm::SmallVector<std::string> names;
  llvm::StringSet<> taken;
  taken.insert("__metadata__");
  for (const Weight &weight : weights) {
    names.push_back(llvm::json::fixUTF8(weight.name));
    if (!taken.insert(names.back()).second)
      return failure("two weights have the name '{0}' in the weights file", names.back());
  }

  WeightsPlan plan;
  plan.hash = hashWeights(weights);
  auto end = layOut(weights, plan.table);
  if (!end)
    return end.takeError();

  std::string json =
      headerMetadata(weights, llvm::toHex(plan.hash, /*LowerCase=*/true), compilerVersion);
  uint64_t position = 0;
  unsigned padCount = 0;
  for (auto [weight, name, entry] : llvm::zip_equal(weights, names, plan.table)) {
    if (entry.offset != position) {
      std::string pad;
      do
        pad = "weft.pad." + std::to_string(padCount++);
      while (!taken.insert(pad).second);
      json += headerEntry(pad, "U8", {int64_t(entry.offset - position)}, position, entry.offset);
    }
    auto type = storedType(weight);
    if (!type)
      return type.takeError();
    position = entry.offset + entry.size;
    json += headerEntry(name, type->first, type->second, entry.offset, position);
  }
  json += '}';
  // Spaces up to where the tensors begin, so that offsets within the data are
  // as aligned as those within the file.
  uint64_t dataBegin = llvm::alignTo(8 + json.size(), WEFT_BUFFER_ALIGNMENT);
  json.append(dataBegin - 8 - json.size(), ' ');
  if (json.size() > kMaxHeader)
    return failure("the header of the weights file has {0} bytes for {1} "
                   "weights; readers accept {2}",
                   json.size(), weights.size(), kMaxHeader);

  plan.header.resize(8);
  llvm::support::endian::write64le(plan.header.data(), json.size());
  plan.header += json;
  for (WeightInfo &entry : plan.table)
    entry.offset += dataBegin;
  plan.size = dataBegin + position;
  return plan;
}

llvm::Error weft::writeSafetensors(const WeightsPlan &plan, llvm::ArrayRef<Weight> weights,
                                   OutputFile &output) {
  if (auto error = output.write(StringRef(plan.header)))
    return error;
  return writeBytes(plan, weights, plan.header.size(), output);
}
