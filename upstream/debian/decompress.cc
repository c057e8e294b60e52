#include "upstream/debian/decompress.h"

#include <bzlib.h>
#include <lzma.h>
#include <zlib.h>

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/errors.h"

namespace sluice::debian {
namespace {

constexpr size_t kStepBytes = size_t{1} << 20;
constexpr uint64_t kXzMemoryBytesMax = uint64_t{256} << 20;
constexpr int kGzipWindowBits = 15 + 16;

absl::Status Damaged(absl::string_view name) {
  return MakeError(v1::REASON_SOURCE_MISMATCH, absl::StrCat(name, " is truncated or damaged"));
}

absl::Status TooLarge(absl::string_view name, int64_t bytes_max) {
  return MakeError(v1::REASON_SOURCE_MISMATCH,
                   absl::StrCat(name, " unpacks to more than ", bytes_max, " bytes"));
}

// Runs a decoder: `step` fills the buffer's room and says whether it is done, or wants more room.
template <typename Step>
absl::StatusOr<std::string> Run(absl::string_view name, int64_t bytes_max, Step step) {
  std::string out;
  size_t filled = 0;
  while (true) {
    if (filled == out.size()) {
      if (static_cast<int64_t>(filled) > bytes_max) return TooLarge(name, bytes_max);
      out.resize(
          std::min(filled + std::max(kStepBytes, filled), static_cast<size_t>(bytes_max) + 1));
      if (filled == out.size()) return TooLarge(name, bytes_max);
    }
    size_t written = 0;
    bool done = false;
    if (!step(out.data() + filled, out.size() - filled, written, done)) return Damaged(name);
    filled += written;
    if (done) break;
    if (written == 0 && filled < out.size()) return Damaged(name);
  }
  if (static_cast<int64_t>(filled) > bytes_max) return TooLarge(name, bytes_max);
  out.resize(filled);
  return out;
}

absl::StatusOr<std::string> UnpackXz(absl::string_view data, absl::string_view name,
                                     int64_t bytes_max) {
  lzma_stream stream = LZMA_STREAM_INIT;
  if (lzma_stream_decoder(&stream, kXzMemoryBytesMax, LZMA_CONCATENATED) != LZMA_OK) {
    return absl::ResourceExhaustedError("no memory to unpack xz");
  }
  stream.next_in = reinterpret_cast<const uint8_t*>(data.data());
  stream.avail_in = data.size();
  absl::StatusOr<std::string> out =
      Run(name, bytes_max, [&stream](char* room, size_t size, size_t& written, bool& done) {
        stream.next_out = reinterpret_cast<uint8_t*>(room);
        stream.avail_out = size;
        const lzma_ret result = lzma_code(&stream, LZMA_FINISH);
        written = size - stream.avail_out;
        done = result == LZMA_STREAM_END;
        return done || result == LZMA_OK;
      });
  lzma_end(&stream);
  return out;
}

absl::StatusOr<std::string> UnpackGzip(absl::string_view data, absl::string_view name,
                                       int64_t bytes_max) {
  z_stream stream{};
  if (inflateInit2(&stream, kGzipWindowBits) != Z_OK) {
    return absl::ResourceExhaustedError("no memory to unpack gzip");
  }
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(data.data()));
  stream.avail_in = static_cast<uInt>(data.size());
  absl::StatusOr<std::string> out =
      Run(name, bytes_max, [&stream](char* room, size_t size, size_t& written, bool& done) {
        stream.next_out = reinterpret_cast<Bytef*>(room);
        stream.avail_out = static_cast<uInt>(size);
        const int result = inflate(&stream, Z_NO_FLUSH);
        written = size - stream.avail_out;
        done = result == Z_STREAM_END;
        return done || result == Z_OK;
      });
  inflateEnd(&stream);
  return out;
}

absl::StatusOr<std::string> UnpackBzip2(absl::string_view data, absl::string_view name,
                                        int64_t bytes_max) {
  bz_stream stream{};
  if (BZ2_bzDecompressInit(&stream, 0, 0) != BZ_OK) {
    return absl::ResourceExhaustedError("no memory to unpack bzip2");
  }
  stream.next_in = const_cast<char*>(data.data());
  stream.avail_in = static_cast<unsigned>(data.size());
  absl::StatusOr<std::string> out =
      Run(name, bytes_max, [&stream](char* room, size_t size, size_t& written, bool& done) {
        stream.next_out = room;
        stream.avail_out = static_cast<unsigned>(size);
        const int result = BZ2_bzDecompress(&stream);
        written = size - stream.avail_out;
        done = result == BZ_STREAM_END;
        return done || result == BZ_OK;
      });
  BZ2_bzDecompressEnd(&stream);
  return out;
}

}  // namespace

absl::StatusOr<std::string> Decompress(absl::string_view data, absl::string_view name,
                                       int64_t bytes_max) {
  if (absl::EndsWith(name, ".xz")) return UnpackXz(data, name, bytes_max);
  if (absl::EndsWith(name, ".gz")) return UnpackGzip(data, name, bytes_max);
  if (absl::EndsWith(name, ".bz2")) return UnpackBzip2(data, name, bytes_max);
  if (static_cast<int64_t>(data.size()) > bytes_max) return TooLarge(name, bytes_max);
  return std::string(data);
}

}  // namespace sluice::debian
