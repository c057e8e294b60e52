#include "upstream/fetch.h"

#include <curl/curl.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/credentials.h"
#include "common/errors.h"
#include "common/mutex.h"
#include "common/status.h"

namespace sluice {
namespace {

constexpr long kConnectTimeoutSeconds = 20;
constexpr long kRedirectsMax = 5;
// Less is no transfer that will ever end.
constexpr long kBytesASecondMin = 1000;
constexpr int64_t kErrorPageBytesMax = int64_t{64} << 10;

// One transfer, as curl's callbacks see it.
struct Transfer {
  const FetchRequest* request = nullptr;
  const std::function<absl::Status(absl::string_view)>* sink = nullptr;
  std::stop_token stop;
  CURL* handle = nullptr;
  int64_t taken_bytes = 0;
  int64_t error_page_bytes = 0;
  absl::Status status;  // Why we broke it off ourselves.
};

size_t TakeBytes(char* data, size_t /*one*/, size_t size, void* context) {
  auto& transfer = *static_cast<Transfer*>(context);
  long code = 0;
  curl_easy_getinfo(transfer.handle, CURLINFO_RESPONSE_CODE, &code);
  // The text of an error page is nobody's file; one that is long is not waited for.
  if (code >= 300) {
    transfer.error_page_bytes += static_cast<int64_t>(size);
    return transfer.error_page_bytes > kErrorPageBytesMax ? 0 : size;
  }
  transfer.taken_bytes += static_cast<int64_t>(size);
  if (transfer.taken_bytes > transfer.request->bytes_max) {
    transfer.status = MakeError(
        v1::REASON_SOURCE_MISMATCH,
        absl::StrCat("more than the ", transfer.request->bytes_max, " bytes that were due"));
    return 0;
  }
  transfer.status = (*transfer.sink)(absl::string_view(data, size));
  return transfer.status.ok() ? size : 0;
}

int Progress(void* context, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  return static_cast<Transfer*>(context)->stop.stop_requested() ? 1 : 0;
}

void SetOptions(CURL* handle, Transfer& transfer) {
  const FetchRequest& request = *transfer.request;
  curl_easy_reset(handle);
  curl_easy_setopt(handle, CURLOPT_URL, request.url.c_str());
  curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "http,https,file");
  curl_easy_setopt(handle, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(handle, CURLOPT_FOLLOWLOCATION, 1L);
  curl_easy_setopt(handle, CURLOPT_MAXREDIRS, kRedirectsMax);
  // An empty proxy is no proxy, whatever the environment says.
  curl_easy_setopt(handle, CURLOPT_PROXY, request.proxy.c_str());
  curl_easy_setopt(handle, CURLOPT_NOPROXY, "");
  curl_easy_setopt(handle, CURLOPT_CONNECTTIMEOUT, kConnectTimeoutSeconds);
  curl_easy_setopt(handle, CURLOPT_LOW_SPEED_LIMIT, kBytesASecondMin);
  // 0 would be no limit.
  const int64_t stall_seconds = absl::ToInt64Seconds(request.stall_timeout);
  curl_easy_setopt(handle, CURLOPT_LOW_SPEED_TIME,
                   static_cast<long>(std::max<int64_t>(1, stall_seconds)));
  curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(handle, CURLOPT_USERAGENT, "sluice");
  if (request.offset > 0) {
    curl_easy_setopt(handle, CURLOPT_RESUME_FROM_LARGE, static_cast<curl_off_t>(request.offset));
  }
  curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, &TakeBytes);
  curl_easy_setopt(handle, CURLOPT_WRITEDATA, &transfer);
  curl_easy_setopt(handle, CURLOPT_XFERINFOFUNCTION, &Progress);
  curl_easy_setopt(handle, CURLOPT_XFERINFODATA, &transfer);
  curl_easy_setopt(handle, CURLOPT_NOPROGRESS, 0L);
}

// What curl and the server say together.
absl::Status Judge(CURLcode result, const Transfer& transfer) {
  const std::string context = absl::StrCat("fetching ", WithoutCredentials(transfer.request->url));
  if (!transfer.status.ok()) return Annotate(transfer.status, context);
  if (transfer.stop.stop_requested()) return MakeError(v1::REASON_CANCELLED, context);
  long code = 0;
  curl_easy_getinfo(transfer.handle, CURLINFO_RESPONSE_CODE, &code);
  long proxy_code = 0;
  curl_easy_getinfo(transfer.handle, CURLINFO_HTTP_CONNECTCODE, &proxy_code);
  if (code == 407 || proxy_code == 407) {
    return MakeError(
        v1::REASON_PROXY_AUTH,
        absl::StrCat(context, ": the proxy ", WithoutCredentials(transfer.request->proxy),
                     " answered 407, credentials rejected"));
  }
  if (result == CURLE_COULDNT_RESOLVE_PROXY || (proxy_code >= 400)) {
    return MakeError(v1::REASON_PROXY_OTHER,
                     absl::StrCat(context, ": ", curl_easy_strerror(result)));
  }
  if (code == 404 || code == 410 || result == CURLE_FILE_COULDNT_READ_FILE) {
    return absl::NotFoundError(absl::StrCat(context, ": there is no such file"));
  }
  const bool cut_error_page = transfer.error_page_bytes > kErrorPageBytesMax;
  if (result != CURLE_OK && !cut_error_page) {
    return MakeError(v1::REASON_SOURCE_UNAVAILABLE,
                     absl::StrCat(context, ": ", curl_easy_strerror(result)));
  }
  // file: has no code.
  if (code != 0 && (code < 200 || code >= 300)) {
    return MakeError(v1::REASON_SOURCE_UNAVAILABLE,
                     absl::StrCat(context, ": the server answered ", code));
  }
  return absl::OkStatus();
}

}  // namespace

struct CurlFetcher::Handles {
  Mutex mutex;
  std::vector<CURL*> handles ABSL_GUARDED_BY(mutex);
};

CurlFetcher::CurlFetcher() : idle_(std::make_unique<Handles>()) {
  curl_global_init(CURL_GLOBAL_DEFAULT);
}

CurlFetcher::~CurlFetcher() {
  MutexLock lock(idle_->mutex);
  for (CURL* handle : idle_->handles) curl_easy_cleanup(handle);
}

absl::Status CurlFetcher::Fetch(const FetchRequest& request,
                                const std::function<absl::Status(absl::string_view)>& sink,
                                std::stop_token stop) {
  CURL* handle = nullptr;
  {
    MutexLock lock(idle_->mutex);
    if (!idle_->handles.empty()) {
      handle = idle_->handles.back();
      idle_->handles.pop_back();
    }
  }
  if (handle == nullptr) handle = curl_easy_init();
  if (handle == nullptr) return absl::ResourceExhaustedError("no handle for a transfer");
  Transfer transfer{&request, &sink, std::move(stop), handle, 0, 0, absl::OkStatus()};
  SetOptions(handle, transfer);
  const CURLcode result = curl_easy_perform(handle);
  const absl::Status status = Judge(result, transfer);
  MutexLock lock(idle_->mutex);
  idle_->handles.push_back(handle);
  return status;
}

absl::StatusOr<std::string> Fetcher::FetchText(const FetchRequest& request, std::stop_token stop) {
  std::string text;
  RETURN_IF_ERROR(Fetch(
      request,
      [&text](absl::string_view data) {
        text.append(data.data(), data.size());
        return absl::OkStatus();
      },
      std::move(stop)));
  return text;
}

}  // namespace sluice
