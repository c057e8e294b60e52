// Session text: a synchronisation in words and tables.
#pragma once

#include <string>

#include "cli/verb.h"
#include "sluice/v1/sync_service.pb.h"

namespace sluice {

// Whether it has ended.
bool HasEnded(const v1::Session& session);

// One line about what it is doing, as in "content 12/40, hq:8531: 3 records, 12 files (70 MiB)".
std::string ProgressText(const v1::WatchSyncResponse& event);

// One line about how it ended, as in "succeeded after 3 s: 3 records, 12 files (70 MiB)".
std::string OutcomeText(const v1::Session& session);

// All of it: facts, counts, item results and the error chain.
void PrintSession(const Invocation& invocation, const v1::Session& session);

void PrintSessions(const Invocation& invocation, const v1::ListSessionsResponse& response);

}  // namespace sluice
