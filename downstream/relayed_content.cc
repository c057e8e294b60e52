#include "downstream/relayed_content.h"

#include <optional>

namespace sluice {

v1::ContentAnswer RelayedContent::Want(const Digest& digest) {
  v1::ContentAnswer answer;
  answer.set_digest(digest.bytes());
  if (content_.Stat(digest).ok()) {
    answer.set_state(v1::CONTENT_STATE_READY);
    return answer;
  }
  const std::optional<v1::ContentAnswer> known = driver_.ContentAnswerFor(digest);
  // The last word may be that it was here, or is not wanted: it is wanted now.
  const bool open = known.has_value() && known->state() != v1::CONTENT_STATE_READY &&
                    known->state() != v1::CONTENT_STATE_NOT_WANTED;
  if (open) return *known;
  driver_.Post(ContentWanted{digest});
  answer.set_state(v1::CONTENT_STATE_QUEUED);
  return answer;
}

}  // namespace sluice
