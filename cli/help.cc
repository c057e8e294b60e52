#include "cli/help.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace sluice {
namespace {

constexpr absl::string_view kIntroduction =
    R"(sluice: see and steer a tree of update servers.

Usage:
  sluice [FLAGS] VERB [ARGUMENTS]
  sluice VERB --help
  sluice [RAW FLAGS] ADDRESS list|describe|SERVICE/METHOD    raw mode; `sluice -help` explains

)";

constexpr absl::string_view kEnding = R"(
The address is --address, else $SLUICE_ADDRESS, else /run/sluice/admin.sock or
/run/sluice/viewer.sock where this user may connect, else 127.0.0.1:8530.
A node on another machine is called with the certificate in --certificates, else
$SLUICE_CERTIFICATES, else ~/.config/sluice.

Exit codes:
  0   ok
  1   failure on this side, or some of several items failed
  2   wrong usage
  64+ a call failed; 64 plus the gRPC code, as in 69 (NOT_FOUND) and 78 (UNAVAILABLE)
  parity check: 0 in parity, 1 differences (warning), 2 standing loss (critical),
                3 unknown: the check could not be made
)";

void PrintFlags(const std::vector<FlagSpec>& flags, std::ostream& out) {
  constexpr size_t kColumn = 24;
  for (const FlagSpec& flag : flags) {
    std::string left =
        flag.value.empty() ? std::string(flag.name) : absl::StrCat(flag.name, " ", flag.value);
    // What is too long for the column stands alone.
    if (left.size() > kColumn) {
      out << "  " << left << "\n";
      left.clear();
    }
    out << absl::StreamFormat("  %-*s %s\n", static_cast<int>(kColumn), left, flag.help);
  }
}

}  // namespace

const std::vector<FlagSpec>& GlobalFlags() {
  static const std::vector<FlagSpec> flags = {
      {"--address", "ADDRESS", "host:port or unix:/path of the node"},
      {"--certificates", "FOLDER", "with key.pem, cert.pem and ca.pem: call with TLS"},
      {"-o", "table|json|yaml|name",
       "table for people, json and yaml for programs, name: only ids"},
      {"--dry-run", "", "say what would be done and change nothing"},
      {"--show-rpc", "", "print the equivalent raw line of each call"},
      {"--timeout", "TIME", "limit of a call, as in 30s; default: 60s, streams unlimited"},
      {"--help", "", "print this, or a verb's own help"},
      {"-h", "", "the same"},
      {"--version", "", "print the release"},
  };
  return flags;
}

void PrintHelp(const std::vector<Verb>& verbs, std::ostream& out) {
  out << kIntroduction << "Verbs:\n";
  for (const Verb& verb : verbs) {
    out << absl::StreamFormat("  %-18s %s\n", verb.name, verb.summary);
  }
  out << "\nFlags:\n";
  PrintFlags(GlobalFlags(), out);
  out << kEnding;
}

void PrintVerbHelp(const Verb& verb, std::ostream& out) {
  out << "sluice " << verb.name << (verb.positionals.empty() ? "" : " ") << verb.positionals
      << "\n\n"
      << verb.summary << "\n\n"
      << (verb.method.empty() ? "No node is called." : absl::StrCat("RPC: ", verb.method)) << "\n";
  if (!verb.flags.empty()) {
    out << "\nFlags:\n";
    PrintFlags(verb.flags, out);
  }
  out << "\nand those of every verb" << (verb.changes_state ? ", --dry-run among them" : "")
      << "; see sluice --help.\n";
}

}  // namespace sluice
