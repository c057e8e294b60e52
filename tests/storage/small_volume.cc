#include "tests/storage/small_volume.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace sluice {
namespace {

absl::Status Failure(absl::string_view doing) {
  return absl::UnavailableError(absl::StrCat(doing, ": ", std::strerror(errno)));
}

// As another user, who is root of a namespace of its own.
absl::Status BecomeRootOfOwn(uid_t user, gid_t group) {
  if (unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) return Failure("making a user namespace");
  std::ofstream("/proc/self/setgroups") << "deny";
  std::ofstream("/proc/self/uid_map") << "0 " << user << " 1";
  std::ofstream("/proc/self/gid_map") << "0 " << group << " 1";
  return absl::OkStatus();
}

}  // namespace

SmallVolume::SmallVolume(std::string folder, int mebibytes)
    : folder_(std::move(folder)), mebibytes_(mebibytes) {}

SmallVolume::~SmallVolume() {
  if (mounted_) umount2(folder_.c_str(), MNT_DETACH);
}

absl::Status SmallVolume::Mount() {
  if (geteuid() == 0) {
    if (unshare(CLONE_NEWNS) != 0) return Failure("making a mount namespace");
  } else if (absl::Status own = BecomeRootOfOwn(geteuid(), getegid()); !own.ok()) {
    return own;
  }
  if (mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
    return Failure("keeping mounts to itself");
  }
  const std::string size = absl::StrCat("size=", mebibytes_, "m");
  if (mount("tmpfs", folder_.c_str(), "tmpfs", 0, size.c_str()) != 0) return Failure("mounting");
  mounted_ = true;
  return absl::OkStatus();
}

void SmallVolume::Fill() const {
  const std::string path = folder_ + "/somebody-elses";
  const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  ASSERT_GE(file, 0) << std::strerror(errno);
  const std::string zeros(4096, '\0');
  while (write(file, zeros.data(), zeros.size()) > 0) {
  }
  EXPECT_EQ(errno, ENOSPC) << std::strerror(errno);
  close(file);
}

void SmallVolume::Empty() const { unlink((folder_ + "/somebody-elses").c_str()); }

}  // namespace sluice
