#include "common/release.h"

namespace sluice {

absl::string_view Release() { return SLUICE_RELEASE; }

}  // namespace sluice
