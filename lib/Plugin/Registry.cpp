//===- Registry.cpp - All contributions of a session ----------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "weft/Registry.h"

#include "mlir/IR/BuiltinDialect.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/InitAllDialects.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"

using namespace weft;

static std::string importerOpKey(llvm::StringRef domain, llvm::StringRef name) {
  return (domain + "::" + name).str();
}

//===----------------------------------------------------------------------===//
// Contributions
//===----------------------------------------------------------------------===//

Registry::Registry() = default;
Registry::~Registry() = default;

llvm::Error Registry::add(PluginInfo info, RegisterFunction registerFunction) {
  std::string who = "plugin '" + info.name + "'";
  if (!info.file.empty())
    who += " ('" + info.file + "')";
  if (const Contribution *other = find(info.name))
    return llvm::createStringError(
        who + " cannot be registered: a plugin of that name is already " +
        (other->info.file.empty() ? std::string("built in")
                                  : "loaded from '" + other->info.file + "'"));

  Registrar registrar(*this, std::move(info));
  bool succeeded = mlir::succeeded(registerFunction(registrar));
  if (!registrar.errors.empty())
    return llvm::createStringError(who +
                                   " cannot be registered: " + llvm::join(registrar.errors, "; "));
  if (!succeeded)
    return llvm::createStringError(who +
                                   " cannot be registered: its registration function failed and "
                                   "gave no reason");

  for (auto &claim : registrar.claims)
    claims[claim.getKey()] = claim.getValue();
  for (const ImporterOpInfo &op : registrar.contribution->importerOps)
    importerOps[importerOpKey(op.domain, op.name)].push_back(&op);
  contributionList.push_back(std::move(registrar.contribution));
  return llvm::Error::success();
}

const Contribution *Registry::find(llvm::StringRef plugin) const {
  for (const auto &contribution : contributionList)
    if (contribution->info.name == plugin)
      return contribution.get();
  return nullptr;
}

std::string Registry::identity() const {
  std::string lines;
  for (const auto &contribution : contributionList)
    if (const PluginInfo &info = contribution->info; !info.file.empty())
      lines += info.name + " " + info.version + " " + info.digest + "\n";
  return lines;
}

const Target *Registry::findTarget(llvm::StringRef name) const {
  for (const auto &contribution : contributionList)
    for (const auto &target : contribution->targets)
      if (target->name() == name)
        return target.get();
  return nullptr;
}

std::string Registry::targetNames() const {
  llvm::SmallVector<llvm::StringRef> names;
  for (const auto &contribution : contributionList)
    for (const auto &target : contribution->targets)
      names.push_back(target->name());
  return llvm::join(names, ", ");
}

llvm::ArrayRef<const ImporterOpInfo *> Registry::importerOpVersions(llvm::StringRef domain,
                                                                    llvm::StringRef name) const {
  auto entry = importerOps.find(importerOpKey(domain, name));
  if (entry == importerOps.end())
    return {};
  return entry->second;
}

const ImporterOpInfo *Registry::findImporterOp(llvm::StringRef domain, llvm::StringRef name,
                                               int64_t version) const {
  for (const ImporterOpInfo *op : importerOpVersions(domain, name))
    if (op->sinceVersion <= version && version <= op->untilVersion)
      return op;
  return nullptr;
}

const FrontendInfo *Registry::findFrontend(llvm::StringRef fileName,
                                           llvm::ArrayRef<uint8_t> firstBytes) const {
  for (const auto &contribution : contributionList)
    for (const FrontendInfo &frontend : contribution->frontends)
      for (llvm::StringRef extension : frontend.fileExtensions)
        if (fileName.ends_with_insensitive(extension))
          return &frontend;
  for (const auto &contribution : contributionList)
    for (const FrontendInfo &frontend : contribution->frontends)
      if (frontend.probe && frontend.probe(firstBytes))
        return &frontend;
  return nullptr;
}

//===----------------------------------------------------------------------===//
// Dialects
//===----------------------------------------------------------------------===//

namespace {
/// Carries the registry in a context, on the dialect that every context has.
class RegistryInterface : public mlir::DialectInterface::Base<RegistryInterface> {
public:
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(RegistryInterface)
  RegistryInterface(mlir::Dialect *dialect, const Registry *registry)
      : Base(dialect), registry(registry) {}
  const Registry *const registry;
};

class RegistryExtension : public mlir::DialectExtension<RegistryExtension, mlir::BuiltinDialect> {
public:
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(RegistryExtension)
  explicit RegistryExtension(const Registry *registry) : registry(registry) {}
  void apply(mlir::MLIRContext *, mlir::BuiltinDialect *dialect) const final {
    if (!dialect->getRegisteredInterface<RegistryInterface>())
      dialect->addInterface<RegistryInterface>(registry);
  }

private:
  const Registry *const registry;
};
} // namespace

void Registry::appendDialectsTo(mlir::DialectRegistry &dialects) const {
  for (const auto &contribution : contributionList)
    contribution->dialectRegistry.appendTo(dialects);
  dialects.addExtension(mlir::TypeID::get<RegistryExtension>(),
                        std::make_unique<RegistryExtension>(this));
}

const Registry *Registry::get(mlir::MLIRContext *context) {
  auto *builtin = context->getLoadedDialect<mlir::BuiltinDialect>();
  auto *interface = builtin ? builtin->getRegisteredInterface<RegistryInterface>() : nullptr;
  return interface ? interface->registry : nullptr;
}

bool Registry::isUpstreamDialect(llvm::StringRef name) const {
  mlir::DialectRegistry upstream;
  mlir::registerAllDialects(upstream);
  return static_cast<bool>(upstream.getDialectAllocator(name));
}

//===----------------------------------------------------------------------===//
// Built-ins
//===----------------------------------------------------------------------===//

// Every weft_add_builtin(<name> <function>) of the build, each declared here as
// `mlir::LogicalResult function(weft::Registrar &)`.
namespace weft {
#define WEFT_BUILTIN(NAME, FUNCTION) mlir::LogicalResult FUNCTION(Registrar &registrar);
#include "weft/Builtins.inc"
#undef WEFT_BUILTIN
} // namespace weft

llvm::Error Registry::addBuiltins() {
#define WEFT_BUILTIN(NAME, FUNCTION)                                                               \
  if (llvm::Error error = add({NAME, WEFT_VERSION_STRING, "", ""}, FUNCTION))                      \
    return error;
#include "weft/Builtins.inc"
#undef WEFT_BUILTIN
  return llvm::Error::success();
}
