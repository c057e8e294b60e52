// Page: sizes and tokens of lists, alike in every service. A token is the last key of the page
// before, in web-safe base64.
#pragma once

#include <algorithm>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/escaping.h"
#include "absl/strings/string_view.h"
#include "common/errors.h"

namespace sluice {

struct Page {
  int size = 0;
  std::string after;  // The key to go on behind; empty: from the start.
};

// Errors: INVALID_ARGUMENT a negative size, or a token that this node did not give out.
template <typename Request>
absl::StatusOr<Page> PageOf(const Request& request) {
  constexpr int kDefault = 200;
  constexpr int kMax = 1000;
  Page page;
  if (request.page_size() < 0) return InvalidRequest({{"page_size", "is negative"}});
  page.size = request.page_size() == 0 ? kDefault : std::min(request.page_size(), kMax);
  if (!absl::WebSafeBase64Unescape(request.page_token(), &page.after)) {
    return InvalidRequest({{"page_token", "is none that this node gave out"}});
  }
  return page;
}

inline std::string PageToken(absl::string_view last_key) {
  return absl::WebSafeBase64Escape(last_key);
}

}  // namespace sluice
