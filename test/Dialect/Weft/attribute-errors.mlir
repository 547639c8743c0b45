// Each message about the form of Weft's attributes. Names that Weft does not know
// are a plugin's, and left alone.

// RUN: weft-opt %s --split-input-file --verify-diagnostics

module attributes {weft.some_plugins_own = 3} {
}

// -----

// expected-error @+1 {{has vectors of 384 bits, expected 128, 256 or 512}}
module attributes {weft.target = #weft.target<"cpu", cpu = "a", features = "", vector_bits = 384, opt_level = 3>} {
}

// -----

// expected-error @+1 {{has the level of optimization 4, expected 0 to 3}}
module attributes {weft.target = #weft.target<"cpu", cpu = "a", features = "", vector_bits = 256, opt_level = 4>} {
}

// -----

// expected-error @+1 {{has the level of optimization -1, expected 0 to 3}}
module attributes {weft.target = #weft.target<"cpu", cpu = "a", features = "", vector_bits = 256, opt_level = -1>} {
}

// -----

// expected-error @+1 {{'weft.target': expected a #weft.target}}
module attributes {weft.target = "x86-64-v4"} {
}

// -----

// expected-error @+1 {{'weft.device_kernels': expected an array of dictionaries with name, module and bytes of arguments}}
module attributes {weft.device_kernels = [{name = "f", module = "m", arguments = array<i64: 9>}]} {
}

// -----

// expected-error @+1 {{'weft.transfers': expected an array of dictionaries with direction, value, bytes and reason}}
module attributes {weft.transfers = [{direction = 3, value = "x", bytes = "4", reason = "r"}]} {
}

// -----

// expected-error @+1 {{'weft.device_weights': expected indices of 'weft.weights'}}
module attributes {weft.weights = [], weft.device_weights = array<i64: 0>} {
}

// -----

// expected-error @+1 {{'weft.chips': expected an array of strings that is not empty}}
module attributes {weft.chips = []} {
}

// -----

// expected-error @+1 {{'weft.chips': has the chip 'sm_80' twice}}
module attributes {weft.chips = ["sm_80", "sm_80"]} {
}

// -----

// expected-error @+1 {{'weft.variants': expected an array of #weft.target}}
module attributes {weft.variants = 3 : i32} {
}

// -----

// expected-error @+1 {{'weft.variants': expected an array of #weft.target}}
module attributes {weft.variants = [3 : i32]} {
}

// -----

// expected-error @+1 {{'weft.variants': has the processor 'x86-64-v3' twice}}
module attributes {weft.variants = [#weft.target<"cpu", cpu = "x86-64-v3", features = "", vector_bits = 256, opt_level = 3>, #weft.target<"cpu", cpu = "x86-64-v3", features = "", vector_bits = 256, opt_level = 3>]} {
}

// -----

// expected-error @+1 {{'weft.variants': has the processor 'x86-64-v4' twice}}
module attributes {weft.target = #weft.target<"cpu", cpu = "x86-64-v4", features = "", vector_bits = 512, opt_level = 3>, weft.variants = [#weft.target<"cpu", cpu = "x86-64-v4", features = "", vector_bits = 512, opt_level = 3>]} {
}

// -----

// expected-error @+1 {{'weft.variants': is for the targets 'gpu' and 'cpu', expected one}}
module attributes {weft.target = #weft.target<"cpu", cpu = "x86-64-v4", features = "", vector_bits = 512, opt_level = 3>, weft.variants = [#weft.target<"gpu", cpu = "x86-64-v3", features = "", vector_bits = 256, opt_level = 3>]} {
}

// -----

// expected-error @+1 {{'weft.stage': expected the name of a stage: input, model, fuse}}
module attributes {weft.stage = "linking"} {
}

// -----

// expected-error @+1 {{'weft.stage': expected the name of a stage}}
module attributes {weft.stage = 3} {
}

// -----

// expected-error @+1 {{'weft.source': expected a dictionary with the strings name and sha256}}
module attributes {weft.source = {name = "m"}} {
}

// -----

// expected-error @+1 {{'weft.source': expected a dictionary with the strings name and sha256}}
module attributes {weft.source = {name = "m", sha256 = 3}} {
}

// -----

// expected-error @+1 {{'weft.metadata': expected a dictionary}}
module attributes {weft.metadata = 3} {
}

// -----

// expected-error @+1 {{'weft.weight_files': expected a list}}
module attributes {weft.weight_files = 3} {
}

// -----

// expected-error @+1 {{'weft.weight_files': expected entries with path, checksum, keys, and ranges of two numbers a key}}
module attributes {weft.weight_files = [3]} {
}

// -----

// expected-error @+1 {{'weft.weight_files': expected entries with path, checksum, keys, and ranges of two numbers a key}}
module attributes {weft.weight_files = [{path = "a", checksum = "", keys = []}]} {
}

// -----

// expected-error @+1 {{'weft.weight_files': expected entries with path, checksum, keys, and ranges of two numbers a key}}
module attributes {weft.weight_files = [{path = "a", keys = [], ranges = array<i64>}]} {
}

// -----

// expected-error @+1 {{'weft.weight_files': expected entries with path, checksum, keys, and ranges of two numbers a key}}
module attributes {weft.weight_files = [{checksum = "", keys = [], ranges = array<i64>}]} {
}

// -----

// expected-error @+1 {{'weft.weight_files': expected entries with path, checksum, keys, and ranges of two numbers a key}}
module attributes {weft.weight_files = [{path = "a", checksum = "", keys = [3], ranges = array<i64: 0, 4>}]} {
}

// -----

// expected-error @+1 {{'weft.weight_files': expected entries with path, checksum, keys, and ranges of two numbers a key}}
module attributes {weft.weight_files = [{path = "a", checksum = "", keys = ["k"], ranges = array<i64: 0>}]} {
}

// -----

// expected-error @+1 {{'weft.kernels': expected an array of strings}}
module attributes {weft.kernels = 3 : i32} {
}

// -----

// expected-error @+1 {{'weft.kernels': expected an array of strings}}
module attributes {weft.kernels = [3 : i32]} {
}

// -----

// expected-error @+1 {{'weft.kernels': has the kernel 'a' twice}}
module attributes {weft.kernels = ["a", "b", "a"]} {
}

// -----

// expected-error @+1 {{'weft.variant_kernels': expected arrays of as many strings as 'weft.kernels' has}}
module attributes {weft.variant_kernels = []} {
}

// -----

// expected-error @+1 {{'weft.variant_kernels': expected arrays of as many strings as 'weft.kernels' has}}
module attributes {weft.kernels = ["a"], weft.variant_kernels = 3} {
}

// -----

// expected-error @+1 {{'weft.variant_kernels': expected arrays of as many strings as 'weft.kernels' has}}
module attributes {weft.kernels = ["a"], weft.variant_kernels = [3 : i32]} {
}

// -----

// expected-error @+1 {{'weft.variant_kernels': expected arrays of as many strings as 'weft.kernels' has}}
module attributes {weft.kernels = ["a"], weft.variant_kernels = [["a.x", "b.x"]]} {
}

// -----

// expected-error @+1 {{'weft.variant_kernels': expected arrays of as many strings as 'weft.kernels' has}}
module attributes {weft.kernels = ["a"], weft.variant_kernels = [[3]]} {
}

// -----

// expected-error @+1 {{'weft.fallbacks': expected a dictionary of indices of 'weft.sites'}}
module attributes {weft.fallbacks = {a = 0 : i64}} {
}

// -----

// expected-error @+1 {{'weft.fallbacks': expected a dictionary of indices of 'weft.sites'}}
module attributes {weft.sites = [], weft.fallbacks = 3} {
}

// -----

// expected-error @+1 {{'weft.fallbacks': expected a dictionary of indices of 'weft.sites'}}
module attributes {weft.sites = [["", "", ""]], weft.fallbacks = {a = 1 : i64}} {
}

// -----

// expected-error @+1 {{'weft.fallbacks': expected a dictionary of indices of 'weft.sites'}}
module attributes {weft.sites = [["", "", ""]], weft.fallbacks = {a = -1 : i64}} {
}

// -----

// expected-error @+1 {{'weft.fallbacks': expected a dictionary of indices of 'weft.sites'}}
module attributes {weft.sites = [["", "", ""]], weft.fallbacks = {a = 0 : i128}} {
}

// -----

// expected-error @+1 {{'weft.fallback_reasons': expected a dictionary of strings}}
module attributes {weft.fallback_reasons = 3} {
}

// -----

// expected-error @+1 {{'weft.fallback_reasons': expected a dictionary of strings}}
module attributes {weft.fallback_reasons = {a = 3}} {
}

// -----

// expected-error @+1 {{'weft.sites': expected arrays of three strings}}
module attributes {weft.sites = 3 : i32} {
}

// -----

// expected-error @+1 {{'weft.sites': expected arrays of three strings}}
module attributes {weft.sites = [3 : i32]} {
}

// -----

// expected-error @+1 {{'weft.sites': expected arrays of three strings}}
module attributes {weft.sites = [["", ""]]} {
}

// -----

// expected-error @+1 {{'weft.sites': expected arrays of three strings}}
module attributes {weft.sites = [["", "", 3]]} {
}

// -----

// expected-error @+1 {{'weft.weights': expected an array of #weft.weight of static tensors of integers or floats}}
module attributes {weft.weights = 3 : i32} {
}

// -----

// expected-error @+1 {{'weft.weights': expected an array of #weft.weight of static tensors of integers or floats}}
module attributes {weft.weights = [3 : i32]} {
}

// -----

// expected-error @+1 {{'weft.weights': expected an array of #weft.weight of static tensors of integers or floats}}
module attributes {weft.weights = [#weft.weight<"w", "", f32>]} {
}

// -----

// expected-error @+1 {{'weft.weights': expected an array of #weft.weight of static tensors of integers or floats}}
module attributes {weft.weights = [#weft.weight<"w", "", tensor<?xf32>>]} {
}

// -----

// expected-error @+1 {{'weft.weights': expected an array of #weft.weight of static tensors of integers or floats}}
module attributes {weft.weights = [#weft.weight<"w", "", tensor<2xindex>>]} {
}

// -----

// expected-error @+1 {{'weft.signature': expected a dictionary with a name}}
module attributes {weft.signature = 3 : i32} {
}

// -----

// expected-error @+1 {{'weft.signature': expected a dictionary with a name}}
module attributes {weft.signature = {symbols = [], inputs = [], outputs = []}} {
}

// -----

// expected-error @+1 {{'weft.signature': 'symbols': expected an array}}
module attributes {weft.signature = {name = "main", inputs = [], outputs = []}} {
}

// -----

// expected-error @+1 {{'weft.signature': 'inputs': expected an array}}
module attributes {weft.signature = {name = "main", symbols = [], inputs = 3, outputs = []}} {
}

// -----

// expected-error @+1 {{'weft.signature': 'outputs': expected an array}}
module attributes {weft.signature = {name = "main", symbols = [], inputs = []}} {
}

// -----

// expected-error @+1 {{'weft.signature': 'symbols': expected entries with name and range}}
module attributes {weft.signature = {name = "main", symbols = [3], inputs = [], outputs = []}} {
}

// -----

// expected-error @+1 {{'weft.signature': 'symbols': expected entries with name and range}}
module attributes {weft.signature = {name = "main", symbols = [{name = "n"}], inputs = [], outputs = []}} {
}

// -----

// expected-error @+1 {{'weft.signature': 'symbols': 'range': expected array<i64: MIN, MAX> with 0 <= MIN <= MAX}}
module attributes {weft.signature = {name = "main", symbols = [{name = "n", range = array<i64: 3>}], inputs = [], outputs = []}} {
}

// -----

// expected-error @+1 {{'weft.signature': 'inputs': expected entries whose type is a tensor of integers or floats}}
module attributes {weft.signature = {name = "main", symbols = [], inputs = [3], outputs = []}} {
}

// -----

// expected-error @+1 {{'weft.signature': 'inputs': expected entries whose type is a tensor of integers or floats}}
module attributes {weft.signature = {name = "main", symbols = [], inputs = [{name = "x"}], outputs = []}} {
}

// -----

// expected-error @+1 {{'weft.signature': 'inputs': expected entries whose type is a tensor of integers or floats}}
module attributes {weft.signature = {name = "main", symbols = [], inputs = [{type = 3}], outputs = []}} {
}

// -----

// expected-error @+1 {{'weft.signature': 'inputs': expected entries whose type is a tensor of integers or floats}}
module attributes {weft.signature = {name = "main", symbols = [], inputs = [{type = f32}], outputs = []}} {
}

// -----

// expected-error @+1 {{'weft.signature': 'inputs': expected entries whose type is a tensor of integers or floats}}
module attributes {weft.signature = {name = "main", symbols = [], inputs = [{type = tensor<*xf32>}], outputs = []}} {
}

// -----

// expected-error @+1 {{'weft.signature': 'inputs': expected entries whose type is a tensor of integers or floats}}
module attributes {weft.signature = {name = "main", symbols = [], inputs = [{type = tensor<4xindex>}], outputs = []}} {
}

// -----

// expected-error @+1 {{'weft.signature': 'inputs': 'name': expected a string}}
module attributes {weft.signature = {name = "main", symbols = [], inputs = [{type = tensor<4xf32>, name = 3}], outputs = []}} {
}

// -----

// expected-error @+1 {{'weft.signature': 'outputs': 'weft.dtype': expected a string}}
module attributes {weft.signature = {name = "main", symbols = [], inputs = [], outputs = [{type = tensor<4xf32>, weft.dtype = 3}]}} {
}

// -----

// expected-error @+1 {{'weft.signature': 'inputs': 'dims': expected an array of names of symbols and of numbers from -1 on}}
module attributes {weft.signature = {name = "main", symbols = [], inputs = [{type = tensor<4xf32>, dims = 3}], outputs = []}} {
}

// -----

// expected-error @+1 {{'weft.signature': 'outputs': 'weft.dims': expected an array}}
module attributes {weft.signature = {name = "main", symbols = [], inputs = [], outputs = [{type = tensor<4xf32>, weft.dims = [-2]}]}} {
}

// -----

// expected-error @+1 {{'weft.kernels': expected on a module}}
func.func private @f() attributes {weft.kernels = []}

// -----

// expected-error @+1 {{'weft.variant': expected on a kernel}}
func.func private @f() attributes {weft.variant = "x"}

// -----

// expected-error @+1 {{'weft.results': expected an array}}
func.func private @f() attributes {weft.results = 3}

// -----

// expected-error @+1 {{'weft.results': expected entries whose type is a tensor}}
func.func private @f() attributes {weft.results = [{}]}

// -----

// expected-error @+1 {{'weft.workspace_of': expected the symbol of a function}}
func.func private @f() attributes {weft.workspace_of = "f"}

// -----

// expected-error @+1 {{'weft.arena_bytes': expected an i64 that is not negative}}
func.func private @f() attributes {weft.arena_bytes = -1 : i64}

// -----

// expected-error @+1 {{'weft.arena_lower_bound': expected an i64 that is not negative}}
func.func private @f() attributes {weft.arena_lower_bound = -1 : i64}

// -----

// expected-error @+1 {{'weft.arena_assumed_extent': expected an i64 that is not negative}}
func.func private @f() attributes {weft.arena_assumed_extent = -1 : i64}

// -----

// expected-error @+1 {{'weft.arena_bytes': expected an i64 that is not negative}}
func.func private @f() attributes {weft.arena_bytes = 4 : i128}

// -----

// expected-error @+1 {{'weft.quotient': expected no value}}
func.func private @f() attributes {weft.quotient = 3}

// -----

// expected-error @+1 {{'weft.variant': expected a string}}
weft.kernel @k(%y: tensor<4xf32>) outs 1 attributes {weft.variant = 3} {
  weft.yield %y : tensor<4xf32>
}

// -----

// expected-error @+1 {{'weft.variant_of': expected the symbol of a function}}
weft.kernel @k(%y: tensor<4xf32>) outs 1 attributes {weft.variant_of = "k"} {
  weft.yield %y : tensor<4xf32>
}

// -----

// expected-error @+1 {{'weft.fallback': expected a string}}
weft.kernel @k(%y: tensor<4xf32>) outs 1 attributes {weft.fallback = 3} {
  weft.yield %y : tensor<4xf32>
}

// -----

// expected-error @+1 {{'weft.reference_ops': expected an array of strings}}
weft.kernel @k(%y: tensor<4xf32>) outs 1 attributes {weft.reference_ops = [3]} {
  weft.yield %y : tensor<4xf32>
}

// -----

// expected-error @+1 {{'weft.symbol': expected a string}}
func.func private @f(index {weft.symbol = 3})

// -----

// expected-error @+1 {{'weft.symbol': expected on an index}}
func.func private @f(tensor<?xf32> {weft.symbol = "n"})

// -----

// expected-error @+1 {{'weft.range': expected array<i64: MIN, MAX> with 0 <= MIN <= MAX}}
func.func private @f(index {weft.symbol = "n", weft.range = 3})

// -----

// expected-error @+1 {{'weft.range': expected array<i64: MIN, MAX> with 0 <= MIN <= MAX}}
func.func private @f(index {weft.symbol = "n", weft.range = array<i64: 1>})

// -----

// expected-error @+1 {{'weft.range': expected array<i64: MIN, MAX> with 0 <= MIN <= MAX}}
func.func private @f(index {weft.symbol = "n", weft.range = array<i64: 5, 2>})

// -----

// expected-error @+1 {{'weft.name': expected a string}}
func.func private @f(tensor<?xf32> {weft.name = 3})

// -----

// expected-error @+1 {{'weft.dtype': expected a string}}
func.func private @f(tensor<?xf32> {weft.dtype = 3})

// -----

// expected-error @+1 {{'weft.dims': expected an array of names of symbols and of numbers from -1 on}}
func.func private @f(tensor<?xf32> {weft.dims = 3})

// -----

// expected-error @+1 {{'weft.dims': expected an array of names of symbols and of numbers from -1 on}}
func.func private @f(tensor<?xf32> {weft.dims = [-2]})

// -----

// expected-error @+1 {{'weft.dims': expected an array of names of symbols and of numbers from -1 on}}
func.func private @f(tensor<?xf32> {weft.dims = [f32]})

// -----

// expected-error @+1 {{'weft.dims': expected an array of names of symbols and of numbers from -1 on}}
func.func private @f(tensor<?xf32> {weft.dims = [4 : i128]})

// -----

// expected-error @+1 {{'weft.packed': expected a type !weft.packed}}
func.func private @f(tensor<?xf32> {weft.packed = tensor<4xi4>})

// -----

// expected-error @+1 {{'weft.dims': expected an array}}
func.func private @f() -> (tensor<?xf32> {weft.dims = 3})
