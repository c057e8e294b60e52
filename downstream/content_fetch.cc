#include "downstream/content_fetch.h"

#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/errors.h"
#include "common/rpc/client_stream.h"
#include "common/status.h"
#include "sluice/v1/content_service.pb.h"

namespace sluice {
namespace {

// Reads the stream to its end into the writer.
absl::Status CopyStream(ClientStream& stream, ContentWriter& writer,
                        const ContentFetchOptions& options) {
  int64_t offset = writer.staged_bytes();
  v1::ReadResponse chunk;
  while (stream.Read(chunk)) {
    if (chunk.offset() != offset) {
      return MakeError(v1::REASON_CONTENT_CORRUPT,
                       absl::StrCat("the upstream sent byte ", chunk.offset(), " where byte ",
                                    offset, " was due"));
    }
    RETURN_IF_ERROR(writer.Append(chunk.data()));
    const auto data_bytes = static_cast<int64_t>(chunk.data().size());
    offset += data_bytes;
    if (options.on_bytes) options.on_bytes(data_bytes);
  }
  return stream.Finish();
}

}  // namespace

absl::Status FetchContent(Channel& upstream, ContentStore& store, const ContentInfo& file,
                          const ContentFetchOptions& options, std::stop_token stop) {
  if (const absl::StatusOr<ContentInfo> here = store.Stat(file.digest);
      here.ok() && here->size_bytes == file.size_bytes) {
    return absl::OkStatus();
  }
  const std::string context = absl::StrCat("fetching file ", file.digest.ToHex());
  absl::StatusOr<std::unique_ptr<ContentWriter>> writer = store.Write(file.digest, file.size_bytes);
  if (!writer.ok()) return Annotate(writer.status(), context);

  if ((*writer)->staged_bytes() < file.size_bytes) {
    v1::ReadRequest request;
    request.set_digest(file.digest.bytes());
    request.set_offset((*writer)->staged_bytes());
    const std::unique_ptr<ClientStream> stream = upstream.OpenRead(
        "sluice.v1.ContentService/Read", request, {.progress_timeout = options.stall_timeout});
    const std::stop_callback cancel(stop, [&stream] { stream->Cancel(); });
    RETURN_IF_ERROR(Annotate(CopyStream(*stream, **writer, options), context));
  }
  return Annotate((*writer)->Commit(), context);
}

}  // namespace sluice
