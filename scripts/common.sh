# Shared by scripts/setup, scripts/demo and scripts/check; sourced, not run.
#
# Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

SOURCE=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
BUILD=${WEFT_BUILD_DIR:-$SOURCE/build}
VENV=$BUILD/venv

# Ends the script with one sentence.
die() {
  printf '%s: %s\n' "$(basename "$0")" "$*" >&2
  exit 1
}

# The number of compilers to run at a time: one for each CPU that this process
# may use, as far as memory goes (a file that includes much of MLIR takes up to
# 1.3 GiB).
build_jobs() {
  local cpus memory
  cpus=$(nproc)
  memory=$(awk '/^MemAvailable:/ { print int($2 / 1400000) }' /proc/meminfo)
  if ((memory < cpus)); then cpus=$((memory > 1 ? memory : 1)); fi
  echo "$cpus"
}

# weft_configure FOLDER [-DNAME=VALUE...]: configures a build tree. Compiler and
# generator are given only to a new tree, so that one made by hand is used as it is.
weft_configure() {
  local folder=$1
  shift
  local arguments=(-S "$SOURCE" -B "$folder" -DPython3_EXECUTABLE="$VENV/bin/python")
  if [[ ! -f $folder/CMakeCache.txt ]]; then
    arguments+=(-G Ninja -DCMAKE_C_COMPILER=clang-22 -DCMAKE_CXX_COMPILER=clang++-22)
  fi
  mkdir -p "$folder"
  if ! cmake "${arguments[@]}" "$@" >"$folder/configure.log" 2>&1; then
    cat "$folder/configure.log" >&2
    die "CMake could not configure $folder; its messages are above and in $folder/configure.log"
  fi
}

# Seconds as minutes:seconds.
clock() { printf '%d:%02d' $(($1 / 60)) $(($1 % 60)); }
