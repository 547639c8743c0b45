//===- RegistryTest.cpp - Registration, lookup and per-session options ----===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "weft/Plugin.h"

#include "gtest/gtest.h"

using namespace weft;

static std::string message(llvm::Error error) { return llvm::toString(std::move(error)); }

static mlir::LogicalResult build(onnx::NodeContext &) { return mlir::success(); }

namespace {
class Toy : public Target {
public:
  explicit Toy(llvm::StringRef name) : text(name) {}
  llvm::StringRef name() const override { return text; }
  llvm::StringRef description() const override { return "a toy"; }

private:
  std::string text;
};
} // namespace

TEST(Registry, BuiltinsRegister) {
  Registry registry;
  EXPECT_EQ(message(registry.addBuiltins()), "");
  ASSERT_NE(registry.find("weft"), nullptr);
  EXPECT_EQ(registry.find("weft")->info.file, "");
}

TEST(Registry, AFailedRegistrationLeavesNothing) {
  Registry registry;
  std::string error = message(registry.add({"half", "1", "", ""}, [](Registrar &registrar) {
    registrar.addTarget(std::make_unique<Toy>("toy"));
    registrar.addImporterOp({"d", "Op", 1, 9, build});
    return mlir::failure();
  }));
  EXPECT_EQ(error, "plugin 'half' cannot be registered: its registration "
                   "function failed and gave no reason");
  EXPECT_EQ(registry.find("half"), nullptr);
  EXPECT_EQ(registry.findTarget("toy"), nullptr);
  EXPECT_EQ(registry.findImporterOp("d", "Op", 1), nullptr);
  // The names are free.
  EXPECT_EQ(message(registry.add({"half", "1", "", ""},
                                 [](Registrar &registrar) {
                                   registrar.addTarget(std::make_unique<Toy>("toy"));
                                   return mlir::success();
                                 })),
            "");
  EXPECT_NE(registry.findTarget("toy"), nullptr);
  EXPECT_EQ(registry.targetNames(), "toy");
}

TEST(Registry, ImporterOpsByDomainNameAndVersion) {
  Registry registry;
  auto add = [&](llvm::StringRef plugin, ImporterOpInfo op) {
    return message(registry.add({plugin.str(), "1", "", ""}, [&](Registrar &registrar) {
      registrar.addImporterOp(op);
      return mlir::success();
    }));
  };
  EXPECT_EQ(add("a", {"", "Clip", 7, 10, build}), "");
  EXPECT_EQ(add("b", {"", "Clip", 11, INT64_MAX, build}), "");
  EXPECT_EQ(add("c", {"other", "Clip", 1, INT64_MAX, build}), "");
  EXPECT_EQ(registry.findImporterOp("", "Clip", 6), nullptr);
  EXPECT_EQ(registry.findImporterOp("", "Clip", 10)->sinceVersion, 7);
  EXPECT_EQ(registry.findImporterOp("", "Clip", 99)->sinceVersion, 11);
  EXPECT_EQ(registry.findImporterOp("other", "Clip", 99)->domain, "other");
  EXPECT_EQ(registry.findImporterOp("", "Clop", 9), nullptr);
  EXPECT_EQ(registry.importerOpVersions("", "Clip").size(), 2u);
  EXPECT_NE(add("d", {"", "Clip", 9, 9, build}).find("already registered"), std::string::npos);
  EXPECT_NE(add("e", {"", "Clip", 0, 5, build}).find("empty version range"), std::string::npos);
}

TEST(Registry, FrontendsByEndingThenByBytes) {
  Registry registry;
  auto import = [](ImportContext &) { return mlir::OwningOpRef<mlir::ModuleOp>(); };
  EXPECT_EQ(message(registry.add({"f", "1", "", ""},
                                 [&](Registrar &registrar) {
                                   registrar.addFrontend({"one", {".one"}, {}, import});
                                   registrar.addFrontend({"two",
                                                          {".two"},
                                                          [](llvm::ArrayRef<uint8_t> bytes) {
                                                            return !bytes.empty() && bytes[0] == 2;
                                                          },
                                                          import});
                                   return mlir::success();
                                 })),
            "");
  EXPECT_EQ(registry.findFrontend("x.ONE", {2})->name, "one");
  EXPECT_EQ(registry.findFrontend("x", {2})->name, "two");
  EXPECT_EQ(registry.findFrontend("x", {3}), nullptr);
  EXPECT_EQ(registry.findFrontend("", {}), nullptr);
  EXPECT_NE(message(registry.add({"g", "1", "", ""},
                                 [&](Registrar &registrar) {
                                   registrar.addFrontend({"three", {".One"}, {}, import});
                                   return mlir::success();
                                 }))
                .find("file extension '.one' is already registered by 'f'"),
            std::string::npos);
}

TEST(Registry, AContextKnowsItsRegistry) {
  Registry registry;
  ASSERT_EQ(message(registry.addBuiltins()), "");
  mlir::DialectRegistry dialects;
  registry.appendDialectsTo(dialects);
  mlir::MLIRContext context(dialects), other;
  EXPECT_EQ(Registry::get(&context), &registry);
  EXPECT_EQ(Registry::get(&other), nullptr);
}

TEST(Registry, IdentityIsThatOfLoadedPlugins) {
  Registry registry;
  ASSERT_EQ(message(registry.addBuiltins()), "");
  EXPECT_EQ(registry.identity(), "");
  ASSERT_EQ(message(loadPlugin(TEST_PLUGIN, registry)), "");
  std::string identity = registry.identity();
  EXPECT_EQ(identity.substr(0, 16), "plugintest 3.14 ");
  EXPECT_EQ(identity.size(), 16 + 64 + 1u);
}

static std::string textOf(const Registry &registry, const PipelineOptions &options) {
  std::string text;
  llvm::raw_string_ostream os(text);
  printPipeline(os, registry, options);
  return text;
}

TEST(Registry, TwoSessionsOfOneProcessDiffer) {
  // One library in two registries, with different options at the same time.
  Registry first, second;
  ASSERT_EQ(message(loadPlugin(TEST_PLUGIN, first)), "");
  ASSERT_EQ(message(loadPlugin(TEST_PLUGIN, second)), "");
  PipelineOptions one, two;
  one.target = two.target = "plugintest";
  ASSERT_EQ(message(one.setPluginOption("plugintest.suffix=-one")), "");
  ASSERT_EQ(message(two.setPluginOption("plugintest.suffix=-two=2")), "");
  EXPECT_EQ(message(checkPipelineOptions(first, one)), "");
  EXPECT_NE(message(checkPipelineOptions(second, two)), "");
  ASSERT_EQ(message(two.setPluginOption("plugintest.suffix=-two")), "");
  EXPECT_EQ(message(checkPipelineOptions(second, two)), "");
  std::string firstText = textOf(first, one), secondText = textOf(second, two);
  EXPECT_NE(firstText.find("label=before-fuse-one"), std::string::npos);
  EXPECT_EQ(firstText.find("-two"), std::string::npos);
  EXPECT_NE(secondText.find("label=before-fuse-two"), std::string::npos);
  EXPECT_EQ(secondText.find("-one"), std::string::npos);
}

TEST(Pipelines, Comments) {
  auto strip = [](llvm::StringRef text) {
    auto result = stripPipelineComments(text);
    return result ? *result : message(result.takeError());
  };
  EXPECT_EQ(strip("a/* b */c"), "a c");
  EXPECT_EQ(strip("/**/"), " ");
  EXPECT_EQ(strip("a*/"), "a*/");
  EXPECT_NE(strip("a/*/").find("is not closed"), std::string::npos);
}

TEST(Stage, NamesRoundTrip) {
  for (Stage stage : allStages) {
    ASSERT_TRUE(parseStage(stageName(stage)));
    EXPECT_EQ(*parseStage(stageName(stage)), stage);
  }
  EXPECT_FALSE(parseStage("weft-fuse"));
}
