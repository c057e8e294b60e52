#include "storage/pack_frame.h"

#include <array>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/errors.h"

namespace sluice {
namespace {

// Level 3 takes more than twice the time for a tenth less.
constexpr int kLevel = 1;
// A record is found again as far back as a pack goes.
constexpr int kWindowLog = 21;
// RFC 8878, section 3.1.1.
constexpr absl::string_view kMagic = "\x28\xb5\x2f\xfd";

absl::Status Corrupt(absl::string_view what) { return MakeError(v1::REASON_ITEM_CORRUPT, what); }

// zstd's working memory, kept by each thread.
ZSTD_DCtx* DecompressionContext() {
  thread_local const std::unique_ptr<ZSTD_DCtx, decltype(&ZSTD_freeDCtx)> context(ZSTD_createDCtx(),
                                                                                  &ZSTD_freeDCtx);
  return context.get();
}

}  // namespace

PackFramer::PackFramer() : context_(ZSTD_createCCtx(), &ZSTD_freeCCtx) {
  ZSTD_CCtx_setParameter(context_.get(), ZSTD_c_compressionLevel, kLevel);
  ZSTD_CCtx_setParameter(context_.get(), ZSTD_c_windowLog, kWindowLog);
}

std::string PackFramer::Frame(absl::string_view pack) {
  const size_t bound = ZSTD_compressBound(pack.size());
  if (frame_.size() < bound) frame_.resize(bound);
  const size_t size =
      ZSTD_compress2(context_.get(), frame_.data(), frame_.size(), pack.data(), pack.size());
  if (ZSTD_isError(size) || size >= pack.size()) return std::string(pack);
  return frame_.substr(0, size);
}

absl::StatusOr<absl::string_view> OpenPackFrame(absl::string_view received, std::string& buffer) {
  if (!absl::StartsWith(received, kMagic)) return received;
  const unsigned long long declared = ZSTD_getFrameContentSize(received.data(), received.size());
  if (declared == ZSTD_CONTENTSIZE_ERROR || declared == ZSTD_CONTENTSIZE_UNKNOWN) {
    return Corrupt("a pack's frame does not say how much it holds");
  }
  if (declared > kFramedPackBytesMax) {
    return Corrupt(
        absl::StrCat("a pack of ", declared, " bytes; the limit is ", kFramedPackBytesMax));
  }
  buffer.resize(static_cast<size_t>(declared));
  const size_t size = ZSTD_decompressDCtx(DecompressionContext(), buffer.data(), buffer.size(),
                                          received.data(), received.size());
  if (ZSTD_isError(size) || size != buffer.size()) {
    return Corrupt("a pack's frame does not unpack to its declared size");
  }
  return absl::string_view(buffer);
}

}  // namespace sluice
