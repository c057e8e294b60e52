#include "upstream/content_server.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/errors.h"
#include "common/status.h"
#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/io/zero_copy_stream_impl_lite.h"
#include "google/protobuf/util/time_util.h"

namespace sluice {
namespace {

constexpr int kDigestsMax = 1024;
constexpr int64_t kChunkBytes = int64_t{1} << 20;
constexpr absl::Duration kWaitMax = absl::Seconds(30);

// The digests of a request, all well-formed.
absl::StatusOr<std::vector<Digest>> ParseDigests(
    const google::protobuf::RepeatedPtrField<std::string>& fields) {
  if (fields.size() > kDigestsMax) {
    return InvalidRequest({{"digests", absl::StrCat("holds ", fields.size(),
                                                    " digests; the limit is ", kDigestsMax)}});
  }
  std::vector<Digest> digests;
  for (int i = 0; i < fields.size(); ++i) {
    const absl::StatusOr<Digest> digest = Digest::FromBytes(fields[i]);
    if (!digest.ok()) {
      return InvalidRequest(
          {{absl::StrCat("digests[", i, "]"), std::string(digest.status().message())}});
    }
    digests.push_back(*digest);
  }
  return digests;
}

// A ReadResponse but for the bytes of `data`, which is its last field.
std::string ChunkHead(int64_t offset, int64_t size_bytes, int64_t data_bytes) {
  v1::ReadResponse response;
  response.set_offset(offset);
  response.set_size_bytes(size_bytes);
  std::string head = response.SerializeAsString();
  google::protobuf::io::StringOutputStream stream(&head);
  google::protobuf::io::CodedOutputStream out(&stream);
  constexpr uint32_t kLengthDelimited = 2;
  out.WriteTag(v1::ReadResponse::kDataFieldNumber << 3 | kLengthDelimited);
  out.WriteVarint32(static_cast<uint32_t>(data_bytes));
  return head;
}

bool IsSettled(v1::ContentState state) {
  return state == v1::CONTENT_STATE_READY || state == v1::CONTENT_STATE_FAILED;
}

}  // namespace

absl::StatusOr<std::optional<ContentChunk>> ContentFeed::Next() {
  if (offset_ >= info_.size_bytes) return std::optional<ContentChunk>();
  ASSIGN_OR_RETURN(std::string data, store_->Read(info_.digest, offset_, kChunkBytes));
  if (data.empty()) {
    return MakeError(v1::REASON_CONTENT_CORRUPT,
                     absl::StrCat("file ", info_.digest.ToHex(), " ends at byte ", offset_,
                                  " and should have ", info_.size_bytes));
  }
  ContentChunk chunk;
  const auto data_bytes = static_cast<int64_t>(data.size());
  chunk.head = ChunkHead(offset_, info_.size_bytes, data_bytes);
  chunk.data = std::make_shared<const std::string>(std::move(data));
  offset_ += data_bytes;
  return std::optional<ContentChunk>(std::move(chunk));
}

ContentWait::ContentWait(ContentDemand& demand, std::vector<Digest> digests, absl::Time until)
    : demand_(&demand), digests_(std::move(digests)), until_(until) {}

std::optional<v1::RequestResponse> ContentWait::Poll(absl::Time now) {
  v1::RequestResponse response;
  bool settled = digests_.empty();
  for (const Digest& digest : digests_) {
    v1::ContentAnswer answer = demand_->Want(digest);
    settled = settled || IsSettled(answer.state());
    *response.add_answers() = std::move(answer);
  }
  if (!settled && now < until_) return std::nullopt;
  return response;
}

ContentServer::ContentServer(ContentStore& store, ContentDemand& demand, Clock& clock)
    : store_(store), demand_(demand), clock_(clock) {}

absl::StatusOr<v1::FindMissingResponse> ContentServer::FindMissing(
    const v1::FindMissingRequest& request) {
  ASSIGN_OR_RETURN(const std::vector<Digest> digests, ParseDigests(request.digests()));
  v1::FindMissingResponse response;
  for (const Digest& digest : digests) {
    if (!store_.Stat(digest).ok()) response.add_missing(digest.bytes());
  }
  return response;
}

absl::StatusOr<v1::FindRepresentationsResponse> ContentServer::FindRepresentations(
    const v1::FindRepresentationsRequest& request) {
  ASSIGN_OR_RETURN(const std::vector<Digest> digests, ParseDigests(request.digests()));
  v1::FindRepresentationsResponse response;
  for (const Digest& digest : digests) {
    v1::FileRepresentations& file = *response.add_files();
    file.set_digest(digest.bytes());
    const absl::StatusOr<ContentInfo> info = store_.Stat(digest);
    if (!info.ok()) continue;
    v1::Representation& identity = *file.add_representations();
    identity.set_representation_id(digest.bytes());
    identity.set_kind(v1::REPRESENTATION_KIND_IDENTITY);
    identity.set_size_bytes(info->size_bytes);
  }
  return response;
}

absl::StatusOr<ContentFeed> ContentServer::Read(const v1::ReadRequest& request) {
  const absl::StatusOr<Digest> digest = Digest::FromBytes(request.digest());
  if (!digest.ok()) return InvalidRequest({{"digest", std::string(digest.status().message())}});
  ASSIGN_OR_RETURN(const ContentInfo info, store_.Stat(*digest));
  if (request.offset() < 0 || request.offset() > info.size_bytes) {
    return absl::OutOfRangeError(absl::StrCat("offset ", request.offset(), " of file ",
                                              digest->ToHex(), ", which has ", info.size_bytes,
                                              " bytes"));
  }
  return ContentFeed(store_, info, request.offset());
}

absl::StatusOr<ContentWait> ContentServer::Request(const v1::RequestRequest& request) {
  ASSIGN_OR_RETURN(std::vector<Digest> digests, ParseDigests(request.digests()));
  const absl::Duration wait = absl::Nanoseconds(
      google::protobuf::util::TimeUtil::DurationToNanoseconds(request.max_wait()));
  if (wait < absl::ZeroDuration()) {
    return InvalidRequest({{"max_wait", "is negative"}});
  }
  return ContentWait(demand_, std::move(digests), clock_.Now() + std::min(wait, kWaitMax));
}

}  // namespace sluice
