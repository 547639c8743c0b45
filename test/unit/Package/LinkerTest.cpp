//===- LinkerTest.cpp - Objects to a shared object or one object ----------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Package/Linker.h"

#include "TestModule.h"

#include "llvm/Support/FormatVariadic.h"

#include <gtest/gtest.h>

#include <dlfcn.h>
#include <sys/resource.h>
#include <thread>
#include <unistd.h>

using namespace weft;

namespace {

class LinkerTest : public ::testing::Test {
protected:
  using Link = llvm::Error(llvm::ArrayRef<ObjectBuffer>, const OutputFile *, llvm::StringRef,
                           OutputFile &);

  /// Links the objects into the file `name`.
  llvm::Error link(llvm::ArrayRef<ObjectBuffer> objects, llvm::StringRef name,
                   Link *kind = linkSharedObject) {
    auto output = OutputFile::create(folder / name);
    if (!output)
      return output.takeError();
    if (auto error = kind(objects, nullptr, "answer", *output))
      return error;
    return output->publish();
  }

  ObjectBuffer answer(llvm::StringRef body, llvm::StringRef name = "answer") {
    EmitOptions options;
    options.exports = {"answer"};
    return test::emit(("define i32 @answer() {\n" + body +
                       "\n}\n"
                       "declare i32 @elsewhere()\n")
                          .str(),
                      name, options);
  }

  ObjectBuffer object(llvm::StringRef function, int value) {
    return test::emit(
        ("define i32 @" + function + "() { ret i32 " + llvm::Twine(value) + " }").str(), "object");
  }

  test::Folder folder;
};

} // namespace

TEST_F(LinkerTest, JoinsObjects) {
  ObjectBuffer objects[] = {answer("%r = call i32 @elsewhere()\nret i32 %r"),
                            object("elsewhere", 42)};
  ASSERT_EQ(test::message(link(objects, "out.so")), "");
  void *handle = dlopen((folder / "out.so").c_str(), RTLD_NOW);
  ASSERT_TRUE(handle) << dlerror();
  auto *function = reinterpret_cast<int (*)()>(dlsym(handle, "answer"));
  ASSERT_TRUE(function);
  EXPECT_EQ(function(), 42);
  EXPECT_EQ(dlsym(handle, "elsewhere"), nullptr);
  dlclose(handle);
}

TEST_F(LinkerTest, DropsUnusedCode) {
  ObjectBuffer used[] = {answer("ret i32 1")};
  ObjectBuffer more[] = {used[0], object("elsewhere", 42)};
  ASSERT_EQ(test::message(link(used, "a.so")), "");
  ASSERT_EQ(test::message(link(more, "b.so")), "");
  EXPECT_EQ(test::read(folder / "b.so").find("elsewhere"), std::string::npos);
  // Of the builtins too: nothing calls them here.
  EXPECT_EQ(test::read(folder / "b.so").find("memcpy"), std::string::npos);
}

TEST_F(LinkerTest, NamesUndefinedFunctions) {
  ObjectBuffer objects[] = {answer("%r = call i32 @elsewhere()\nret i32 %r", "the-host")};
  std::string text = test::message(link(objects, "out.so"));
  EXPECT_EQ(text.find("cannot link '" + folder / "out.so"), 0u) << text;
  EXPECT_NE(text.find("elsewhere"), std::string::npos) << text;
  EXPECT_NE(text.find("the-host"), std::string::npos) << text;
  EXPECT_EQ(text.find("/proc"), std::string::npos) << text;
  EXPECT_EQ(text.find('\n'), std::string::npos) << text;
  EXPECT_TRUE(folder.list().empty());

  text = test::message(link(objects, "out.o", linkRelocatable));
  EXPECT_NE(text.find("elsewhere"), std::string::npos) << text;
  EXPECT_TRUE(folder.list().empty());
  // A failure does not spoil the linker for the next module.
  ObjectBuffer good[] = {answer("ret i32 1")};
  EXPECT_EQ(test::message(link(good, "out.so")), "");
}

TEST_F(LinkerTest, WeakReferencesAreImportsToo) {
  EmitOptions options;
  options.exports = {"answer"};
  ObjectBuffer objects[] = {test::emit(R"(
declare extern_weak i32 @elsewhere()
define i32 @answer() {
  %there = icmp ne ptr @elsewhere, null
  %r = zext i1 %there to i32
  ret i32 %r
}
)",
                                       "weak", options)};
  // Hidden weak references are resolved to null at link time: no import.
  EXPECT_EQ(test::message(link(objects, "out.so")), "");
}

// More objects than a process may have open files.
TEST_F(LinkerTest, ManyObjects) {
  rlimit limit;
  getrlimit(RLIMIT_NOFILE, &limit);
  std::vector<ObjectBuffer> objects;
  std::string calls = "define i32 @answer() {\n  %s0 = add i32 0, 0\n";
  std::string declarations;
  int count = 200;
  for (int i = 0; i < count; ++i) {
    std::string name = "f" + std::to_string(i);
    objects.push_back(object(name, i));
    calls += llvm::formatv("  %c{0} = call i32 @f{0}()\n"
                           "  %s{1} = add i32 %s{0}, %c{0}\n",
                           i, i + 1);
    declarations += "declare i32 @" + name + "()\n";
  }
  EmitOptions options;
  options.exports = {"answer"};
  objects.push_back(test::emit(
      calls + "  ret i32 %s" + std::to_string(count) + "\n}\n" + declarations, "answer", options));
  rlimit low = {100, limit.rlim_max};
  setrlimit(RLIMIT_NOFILE, &low);
  std::string text = test::message(link(objects, "out.so"));
  setrlimit(RLIMIT_NOFILE, &limit);
  ASSERT_EQ(text, "");
  void *handle = dlopen((folder / "out.so").c_str(), RTLD_NOW);
  ASSERT_TRUE(handle) << dlerror();
  EXPECT_EQ(reinterpret_cast<int (*)()>(dlsym(handle, "answer"))(), count * (count - 1) / 2);
  dlclose(handle);
}

TEST_F(LinkerTest, RefusesDuplicates) {
  ObjectBuffer objects[] = {answer("ret i32 1", "one"), answer("ret i32 2", "two")};
  std::string text = test::message(link(objects, "out.so"));
  EXPECT_NE(text.find("duplicate symbol: answer"), std::string::npos) << text;
  EXPECT_NE(text.find("one"), std::string::npos) << text;
  EXPECT_NE(text.find("two"), std::string::npos) << text;
}

TEST_F(LinkerTest, RefusesWithoutTheExport) {
  ObjectBuffer objects[] = {object("elsewhere", 42)};
  std::string text = test::message(link(objects, "out.so"));
  EXPECT_NE(text.find("answer"), std::string::npos) << text;
  text = test::message(link(objects, "out.o", linkRelocatable));
  EXPECT_NE(text.find("answer"), std::string::npos) << text;
}

// To lld, a file that is not ELF is a linker script, which can name any file.
TEST_F(LinkerTest, RefusesWhatIsNotAnObject) {
  ObjectBuffer script{"script", {}};
  llvm::StringRef text = "INPUT(/etc/passwd)";
  script.bytes.append(text.begin(), text.end());
  EXPECT_EQ(test::message(link(script, "out.so")),
            "cannot link '" + folder / "out.so" + "': 'script' is not an ELF object");
  EXPECT_NE(test::message(link(ObjectBuffer{"empty", {}}, "out.so")), "");
  EXPECT_TRUE(folder.list().empty());
}

// lld calls broken objects fatal and leaves its globals as they are. That
// comes back as an error, but is the end of linking in that process.
TEST_F(LinkerTest, FatalErrorsComeBack) {
  ObjectBuffer good = answer("ret i32 1");
  ObjectBuffer truncated = answer("ret i32 1", "truncated");
  truncated.bytes.truncate(truncated.bytes.size() / 2);
  auto attempt = [&] {
    std::string first = test::message(link(truncated, "out.so"));
    std::string second = test::message(link(good, "out.so"));
    fprintf(stderr, "first: %s second: %s", first.c_str(), second.c_str());
    _exit(folder.list().empty() ? 0 : 1);
  };
  EXPECT_EXIT(attempt(), ::testing::ExitedWithCode(0),
              "first: cannot link '.*out.so': .*truncated.* second: cannot "
              "link '.*out.so': the linker has failed fatally");
  EXPECT_EQ(test::message(link(good, "out.so")), "");
}

TEST_F(LinkerTest, ThreadsTakeTurns) {
  ObjectBuffer good = answer("ret i32 1");
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back(
        [&, i] { EXPECT_EQ(test::message(link(good, "out" + std::to_string(i))), ""); });
  for (std::thread &thread : threads)
    thread.join();
  std::string first = test::read(folder / "out0");
  for (int i = 1; i < 4; ++i)
    EXPECT_EQ(test::read(folder / ("out" + std::to_string(i))), first);
}

TEST(Builtins, IsAnObject) {
  EXPECT_TRUE(builtinsObject().starts_with("\x7f"
                                           "ELF"));
}
