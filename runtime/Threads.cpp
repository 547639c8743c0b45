//===- Threads.cpp - How many threads a process may use -----------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Cpu.h"

#include <cerrno>
#include <climits>
#include <cstdlib>
#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

using namespace weft::runtime;

/// Reads a small file whole; false if it is not there or larger.
static bool readSmallFile(const char *path, char *text, size_t capacity) {
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0)
    return false;
  size_t length = 0;
  for (ssize_t got; length < capacity;) {
    got = read(fd, text + length, capacity - length);
    if (got < 0 && errno == EINTR)
      continue;
    if (got <= 0)
      break;
    length += size_t(got);
  }
  close(fd);
  if (length == capacity)
    return false;
  text[length] = 0;
  return true;
}

static int32_t affinityThreads() {
  // Machines with more than 1024 processors need a larger mask than cpu_set_t.
  unsigned long mask[16384 / (8 * sizeof(long))];
  if (sched_getaffinity(0, sizeof(mask), reinterpret_cast<cpu_set_t *>(mask)))
    return 1;
  int32_t count = CPU_COUNT_S(sizeof(mask), reinterpret_cast<cpu_set_t *>(mask));
  return count > 0 ? count : 1;
}

/// Processors that `quota` of each `period` microseconds amount to, rounded up;
/// INT32_MAX for no limit.
static int32_t quotaThreads(long long quota, long long period) {
  if (quota <= 0 || period <= 0)
    return INT32_MAX;
  long long threads = quota / period + (quota % period != 0);
  return threads > INT32_MAX ? INT32_MAX : int32_t(threads);
}

/// The limit of one cgroup folder: v2's cpu.max or v1's pair of files.
static int32_t folderLimit(const char *folder, bool v2) {
  char path[PATH_MAX], text[128];
  if (v2) {
    snprintf(path, sizeof(path), "%s/cpu.max", folder);
    long long quota, period;
    if (!readSmallFile(path, text, sizeof(text)) || sscanf(text, "%lld %lld", &quota, &period) != 2)
      return INT32_MAX; // "max 100000" as well
    return quotaThreads(quota, period);
  }
  snprintf(path, sizeof(path), "%s/cpu.cfs_quota_us", folder);
  if (!readSmallFile(path, text, sizeof(text)))
    return INT32_MAX;
  long long quota = atoll(text);
  snprintf(path, sizeof(path), "%s/cpu.cfs_period_us", folder);
  if (!readSmallFile(path, text, sizeof(text)))
    return INT32_MAX;
  return quotaThreads(quota, atoll(text));
}

/// The lowest limit from `mount` + `group` up to `mount`. In a container the
/// group's path may lie outside what is mounted; the walk then ends at the
/// mount's root, which is the container's own group.
static int32_t lowestLimit(const char *mount, const char *group, bool v2) {
  char folder[PATH_MAX];
  int length = snprintf(folder, sizeof(folder), "%s%s", mount, group);
  if (length < 0 || size_t(length) >= sizeof(folder))
    return folderLimit(mount, v2);
  int32_t limit = INT32_MAX;
  for (;;) {
    int32_t here = folderLimit(folder, v2);
    limit = here < limit ? here : limit;
    char *slash = strrchr(folder, '/');
    if (!slash || size_t(slash - folder) < strlen(mount))
      return limit;
    *slash = 0;
  }
}

static int32_t cgroupThreads() {
  char text[8192];
  if (!readSmallFile("/proc/self/cgroup", text, sizeof(text)))
    return INT32_MAX;
  int32_t limit = INT32_MAX;
  char *rest = nullptr;
  for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(nullptr, "\n", &rest)) {
    char *controllers = strchr(line, ':');
    char *group = controllers ? strchr(controllers + 1, ':') : nullptr;
    if (!group)
      continue;
    *group++ = 0;
    ++controllers;
    int32_t here = INT32_MAX;
    if (!*controllers)
      here = lowestLimit("/sys/fs/cgroup", group, true);
    else if (strcmp(controllers, "cpu,cpuacct") == 0 || strcmp(controllers, "cpuacct,cpu") == 0 ||
             strcmp(controllers, "cpu") == 0)
      here = lowestLimit("/sys/fs/cgroup/cpu", group, false);
    limit = here < limit ? here : limit;
  }
  return limit;
}

int32_t weft::runtime::usableThreads() {
  int32_t affinity = affinityThreads(), limit = cgroupThreads();
  return limit < affinity ? limit : affinity;
}

int32_t weft_usable_threads(void) { return usableThreads(); }
