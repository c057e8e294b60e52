// Paging: reads all pages of a list.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "cli/caller.h"
#include "cli/failure.h"
#include "common/status.h"

namespace sluice {

// A node that never stops handing out pages must not fill this machine's memory.
inline constexpr int kPagesMax = 2000;
inline constexpr int kPageSize = 1000;

// All pages in one response, in which `next_page_token` is empty. Ends early once
// `enough(response)` says so.
template <typename Response, typename Request, typename Enough>
absl::StatusOr<Response> ListPages(Caller& caller, absl::string_view method, Request request,
                                   Enough enough) {
  Response all;
  for (int page = 0; page < kPagesMax; ++page) {
    Response response;
    RETURN_IF_ERROR(caller.Unary(method, request, response));
    request.set_page_token(response.next_page_token());
    response.clear_next_page_token();
    all.MergeFrom(response);
    if (request.page_token().empty() || enough(all)) return all;
  }
  return LocalFailure("the list has no end; narrow it");
}

template <typename Response, typename Request>
absl::StatusOr<Response> ListPages(Caller& caller, absl::string_view method, Request request) {
  request.set_page_size(kPageSize);
  return ListPages<Response>(caller, method, std::move(request),
                             [](const Response&) { return false; });
}

}  // namespace sluice
