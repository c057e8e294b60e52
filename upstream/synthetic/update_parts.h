// Update parts: what updates of all made-up catalogs have in common.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "common/uuid.h"
#include "sluice/v1/record.pb.h"
#include "upstream/synthetic/draws.h"

namespace sluice::synthetic {

Uuid UpdateId(absl::string_view shape, uint64_t seed, uint64_t index);

// Puts ids in as payloads have them: sorted, each once.
void AddIds(std::vector<Uuid> ids, google::protobuf::RepeatedPtrField<std::string>& field);

// A digest of nothing that exists.
std::string DrawDigest(Draws& draws);

void AddText(size_t language, std::string title, std::string description, v1::Revision& revision);

// Severity and articles; CVEs where the classification is that of security updates.
void AddAdvisory(size_t classification, Draws& draws, v1::Revision& revision);

// A classification as often as a real catalog has it: half of all updates are of three.
size_t DrawClassification(Draws& draws);
// A product; the first are drawn more often than the last.
size_t DrawProduct(Draws& draws);

}  // namespace sluice::synthetic
