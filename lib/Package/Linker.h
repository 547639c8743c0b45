//===- Linker.h - Objects to a shared object or one object ----------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_PACKAGE_LINKER_H
#define WEFT_PACKAGE_LINKER_H

#include "Package/ObjectEmitter.h"
#include "Package/OutputFile.h"

#include "llvm/ADT/ArrayRef.h"

namespace weft {

/// The object with the functions that LLVM's code calls by itself (memcpy,
/// fmodf, half conversions, ...), built from runtime/builtins into this
/// library.
llvm::StringRef builtinsObject();

/// Links `objects`, in their order, the object in the file `weights` if there
/// is one, and what these need of the builtins into a shared object that
/// exports `exportedSymbol` and nothing else and imports nothing, and appends
/// it to `output`. Both properties are checked on the result. Equal inputs give
/// equal bytes. One link runs at a time; others wait. After an error that lld
/// calls fatal (an input that is broken) this process can link no more.
llvm::Error linkSharedObject(llvm::ArrayRef<ObjectBuffer> objects, const OutputFile *weights,
                             llvm::StringRef exportedSymbol, OutputFile &output);

/// Links the same into one relocatable object, in which every symbol except
/// `exportedSymbol` is local, so that several of them fit in one program.
llvm::Error linkRelocatable(llvm::ArrayRef<ObjectBuffer> objects, const OutputFile *weights,
                            llvm::StringRef exportedSymbol, OutputFile &output);

/// Links the object of a device's code into what the device's driver loads: a shared
/// object without undefined symbols. The same conditions.
llvm::Expected<std::string> linkCodeObject(const ObjectBuffer &object);

} // namespace weft

#endif // WEFT_PACKAGE_LINKER_H
