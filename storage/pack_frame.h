// Pack frame: a record pack as it travels: one zstd frame over all of its records.
//
// Records resemble each other more than they repeat themselves, so that many together come to
// half of what each by itself does (docs/decisions/0016). A frame's first byte, 0x28, is none with
// which a pack can begin: whoever does not know frames refuses one as a damaged pack, and a pack
// that came without a frame is told from one.
#pragma once

#include <zstd.h>

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace sluice {

// What a frame may unpack to. A pack is 2 MiB, or one record of 1 MiB more.
inline constexpr size_t kFramedPackBytesMax = size_t{4} << 20;

// Makes frames, one after another, with the same working memory.
class PackFramer {
 public:
  PackFramer();

  // The frame of `pack`, or `pack` itself where that is no larger.
  std::string Frame(absl::string_view pack);

 private:
  std::unique_ptr<ZSTD_CCtx, size_t (*)(ZSTD_CCtx*)> context_;
  std::string frame_;
};

// The pack in what was received: in `buffer` where it was framed, else in `received`.
//
// Errors: DATA_LOSS ITEM_CORRUPT a damaged frame, or one that does not say how much it holds, says
// so wrongly, or holds more than kFramedPackBytesMax.
absl::StatusOr<absl::string_view> OpenPackFrame(absl::string_view received, std::string& buffer);

}  // namespace sluice
