#include "storage/file_anchor.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/errors.h"
#include "common/status.h"
#include "storage/catalog_keys.h"

namespace sluice {
namespace {

constexpr size_t kSlotBytes = 4096;
constexpr int kSlots = 2;
constexpr size_t kNumberBytes = 8;
constexpr size_t kStateBytes = Uuid::kSizeBytes + 3 * kNumberBytes + Digest::kSizeBytes;

// A slot: the state, SHA-256 over it, zeros.
std::string EncodeSlot(const AnchorState& state) {
  std::string bytes =
      absl::StrCat(state.epoch_id.view(), EncodeSeq(state.epoch_counter), EncodeSeq(state.head_seq),
                   EncodeSeq(state.commits), state.running_hash.view());
  absl::StrAppend(&bytes, Digest::Of(bytes).view());
  bytes.resize(kSlotBytes, '\0');
  return bytes;
}

// None: the slot was torn or never written.
std::optional<AnchorState> DecodeSlot(absl::string_view slot) {
  const absl::string_view bytes = slot.substr(0, kStateBytes);
  if (Digest::Of(bytes).view() != slot.substr(kStateBytes, Digest::kSizeBytes)) return std::nullopt;
  AnchorState state;
  state.epoch_id = *Uuid::FromBytes(bytes.substr(0, Uuid::kSizeBytes));
  const auto number = [&bytes](size_t index) {
    return *DecodeSeq(bytes.substr(Uuid::kSizeBytes + index * kNumberBytes, kNumberBytes));
  };
  state.epoch_counter = number(0);
  state.head_seq = number(1);
  state.commits = number(2);
  state.running_hash = *Digest::FromBytes(bytes.substr(Uuid::kSizeBytes + 3 * kNumberBytes));
  return state;
}

bool IsNewer(const AnchorState& a, const AnchorState& b) {
  return std::make_pair(a.epoch_counter, a.commits) > std::make_pair(b.epoch_counter, b.commits);
}

}  // namespace

absl::StatusOr<std::unique_ptr<FileAnchor>> FileAnchor::Open(absl::string_view path) {
  const std::string name(path);
  const int descriptor =
      open(name.c_str(), O_RDWR | O_CREAT | O_DSYNC | O_CLOEXEC | O_NOFOLLOW, 0640);
  if (descriptor < 0) {
    return absl::ErrnoToStatus(errno, absl::StrCat("opening the anchor ", path));
  }
  auto anchor = std::unique_ptr<FileAnchor>(new FileAnchor(name, descriptor));
  RETURN_IF_ERROR(anchor->Read().status());
  return anchor;
}

FileAnchor::~FileAnchor() { close(descriptor_); }

absl::StatusOr<std::optional<AnchorState>> FileAnchor::Read() {
  std::string bytes(kSlotBytes * kSlots, '\0');
  const ssize_t size = pread(descriptor_, bytes.data(), bytes.size(), 0);
  if (size < 0) return absl::ErrnoToStatus(errno, absl::StrCat("reading the anchor ", path_));
  if (size == 0) return std::optional<AnchorState>();
  std::optional<AnchorState> newest;
  for (int slot = 0; slot < kSlots; ++slot) {
    const std::optional<AnchorState> state = DecodeSlot(
        absl::string_view(bytes).substr(static_cast<size_t>(slot) * kSlotBytes, kSlotBytes));
    if (!state.has_value() || (newest.has_value() && !IsNewer(*state, *newest))) continue;
    newest = state;
    next_slot_ = (slot + 1) % kSlots;
  }
  if (!newest.has_value()) {
    return MakeError(v1::REASON_STORE_CORRUPT,
                     absl::StrCat("both slots of the anchor ", path_, " are damaged"));
  }
  return newest;
}

absl::Status FileAnchor::Write(const AnchorState& state) {
  const std::string slot = EncodeSlot(state);
  const ssize_t written = pwrite(descriptor_, slot.data(), slot.size(),
                                 static_cast<off_t>(next_slot_) * static_cast<off_t>(kSlotBytes));
  if (written != static_cast<ssize_t>(slot.size())) {
    return absl::ErrnoToStatus(written < 0 ? errno : ENOSPC,
                               absl::StrCat("writing the anchor ", path_));
  }
  next_slot_ = (next_slot_ + 1) % kSlots;
  return absl::OkStatus();
}

}  // namespace sluice
