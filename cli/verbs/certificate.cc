// `certificate init-authority`, `certificate issue`, `certificate show`: a small private authority,
// kept on the operator's machine. No node is called.
#include <sys/stat.h>

#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "cli/failure.h"
#include "cli/human.h"
#include "cli/verbs/verbs.h"
#include "common/duration_text.h"
#include "common/file_io.h"
#include "common/status.h"
#include "common/tls/authority.h"
#include "common/tls/certificate_check.h"
#include "common/tls/certificate_directory.h"

namespace sluice {
namespace {

constexpr int kSecretMode = 0600;
constexpr int kFolderMode = 0700;

std::string Path(const std::string& folder, absl::string_view file) {
  return absl::StrCat(folder, "/", file);
}

bool Exists(const std::string& path) {
  struct stat info {};
  return lstat(path.c_str(), &info) == 0;
}

// A status of this side's own work.
absl::Status Local(const absl::Status& status) { return LocalFailure(status.message()); }

// Whether the authority in `folder` is there, whole and of `domain`.
absl::Status CheckAuthorityIn(const std::string& folder, const std::string& domain) {
  if (!Exists(Path(folder, kAuthorityKeyFile))) {
    return absl::NotFoundError(absl::StrCat(Path(folder, kAuthorityKeyFile), " is missing"));
  }
  ASSIGN_OR_RETURN(const std::string file, ReadSmallFile(Path(folder, kAuthoritiesFile)));
  ASSIGN_OR_RETURN(const CertificateFacts facts, ReadCertificate(file));
  if (facts.uris == std::vector<std::string>{absl::StrCat("spiffe://", domain)}) {
    return absl::OkStatus();
  }
  return absl::FailedPreconditionError(absl::StrCat(Path(folder, kAuthoritiesFile), " is of ",
                                                    absl::StrJoin(facts.uris, ", "), ", and not ",
                                                    domain));
}

absl::StatusOr<int> RunInitAuthority(Invocation& invocation) {
  const std::string folder = invocation.args.positionals()[0];
  if (!invocation.args.Has("--trust-domain")) {
    return UsageError("certificate init-authority needs --trust-domain, as in contoso.example");
  }
  const std::string domain = invocation.args.Get("--trust-domain");
  for (const absl::string_view file : {kAuthorityKeyFile, kAuthoritiesFile}) {
    if (!Exists(Path(folder, file))) continue;
    if (invocation.args.Has("--if-absent")) {
      if (const absl::Status there = CheckAuthorityIn(folder, domain); !there.ok()) {
        return Local(there);
      }
      invocation.out << "the authority of " << domain << " is in " << folder << " already\n";
      return kExitOk;
    }
    return LocalFailure(
        absl::StrCat(Path(folder, file), " exists; an authority is never replaced"));
  }
  const absl::StatusOr<Authority> authority = MakeAuthority(domain, invocation.clock.Now());
  if (!authority.ok()) return UsageError(authority.status().message());
  if (invocation.dry_run) {
    invocation.err << "would make an authority for " << domain << " in " << folder << "\n";
    return kExitOk;
  }
  absl::Status written = MakeDirectory(folder, kFolderMode);
  if (written.ok()) {
    written = WriteSmallFile(Path(folder, kAuthorityKeyFile), authority->key, kSecretMode);
  }
  if (written.ok())
    written = WriteSmallFile(Path(folder, kAuthoritiesFile), authority->certificate);
  if (!written.ok()) return Local(written);
  invocation.out << "made the authority of " << domain << " in " << folder << "\n";
  invocation.err << "keep " << Path(folder, kAuthorityKeyFile)
                 << " where only you can read it: who has it can be every node\n";
  return kExitOk;
}

absl::StatusOr<IssueRequest> RequestOf(const Arguments& args) {
  IssueRequest request;
  if (args.Has("--node") == args.Has("--user")) {
    return UsageError("certificate issue needs --node or --user, and not both");
  }
  request.kind = args.Has("--node") ? PeerKind::kNode : PeerKind::kUser;
  request.name = args.Get(args.Has("--node") ? "--node" : "--user");
  request.hosts = args.GetAll("--host");
  if (args.Has("--valid-for")) {
    const absl::StatusOr<absl::Duration> time = ParseDurationText(args.Get("--valid-for"));
    if (!time.ok()) return UsageError(absl::StrCat("--valid-for: ", time.status().message()));
    request.valid_for = *time;
  }
  return request;
}

absl::StatusOr<int> RunIssue(Invocation& invocation) {
  const Arguments& args = invocation.args;
  const std::string folder = args.positionals()[0];
  if (!args.Has("--authority")) {
    return UsageError("certificate issue needs --authority, the folder of init-authority");
  }
  ASSIGN_OR_RETURN(const IssueRequest request, RequestOf(args));
  Authority authority;
  absl::StatusOr<std::string> file =
      ReadSmallFile(Path(args.Get("--authority"), kAuthorityKeyFile));
  if (!file.ok()) return Local(file.status());
  authority.key = *std::move(file);
  file = ReadSmallFile(Path(args.Get("--authority"), kAuthoritiesFile));
  if (!file.ok()) return Local(file.status());
  authority.certificate = *std::move(file);
  const absl::StatusOr<CertificateFiles> files = Issue(authority, request, invocation.clock.Now());
  if (!files.ok()) return Local(files.status());
  if (invocation.dry_run) {
    invocation.err << "would issue a certificate for " << request.name << " into " << folder
                   << "\n";
    return kExitOk;
  }
  if (const absl::Status written = WriteCertificateFiles(folder, *files); !written.ok()) {
    return Local(written);
  }
  const auto facts = ReadCertificate(files->certificate);
  invocation.out << "issued " << facts->uris[0] << " in " << folder << ", valid until "
                 << HumanTime(facts->not_after, invocation.zone) << "\n";
  if (request.kind == PeerKind::kNode && request.hosts.empty()) {
    invocation.err << "it has no --host: this node can call others, and cannot be called\n";
  }
  return kExitOk;
}

absl::StatusOr<int> RunShow(Invocation& invocation) {
  const absl::StatusOr<CertificateFiles> files =
      ReadCertificateFiles(CertificatePaths::In(invocation.args.positionals()[0]));
  if (!files.ok()) return Local(files.status());
  const absl::StatusOr<CertificateFacts> facts = ReadCertificate(files->certificate);
  if (!facts.ok()) return Local(facts.status());
  invocation.out << "identity:    " << absl::StrJoin(facts->uris, ", ") << "\n"
                 << "hosts:       " << absl::StrJoin(facts->names, ", ") << "\n"
                 << "issuer:      " << facts->issuer << "\n"
                 << "valid from:  " << HumanTime(facts->not_before, invocation.zone) << "\n"
                 << "valid until: " << HumanTime(facts->not_after, invocation.zone) << "\n";
  const auto checked = CheckCertificate(*files, std::nullopt, invocation.clock.Now());
  if (!checked.ok()) return Local(checked.status());
  invocation.out << "usable:      yes\n";
  return kExitOk;
}

}  // namespace

Verb CertificateInitAuthorityVerb() {
  return {.name = "certificate init-authority",
          .positionals = "FOLDER",
          .summary = "Make a private certificate authority in FOLDER.",
          .method = "",
          .flags = {{"--trust-domain", "NAME", "of all nodes and users, as in contoso.example"},
                    {"--if-absent", "", "succeed where this domain's is there already"}},
          .positionals_min = 1,
          .positionals_max = 1,
          .changes_state = true,
          .run = RunInitAuthority};
}

Verb CertificateIssueVerb() {
  return {.name = "certificate issue",
          .positionals = "FOLDER",
          .summary = "Issue key.pem, cert.pem and ca.pem for a node or a user into FOLDER.",
          .method = "",
          .flags = {{"--authority", "FOLDER", "of init-authority"},
                    {"--node", "ID", "for the node with this id, as `init` printed it"},
                    {"--user", "NAME", "for a person or a program"},
                    {"--host", "NAME", "DNS name or IP address of the node; may be repeated",
                     /*repeated=*/true},
                    {"--valid-for", "TIME", "as in 30d; default: 90d"}},
          .positionals_min = 1,
          .positionals_max = 1,
          .changes_state = true,
          .run = RunIssue};
}

Verb CertificateShowVerb() {
  return {.name = "certificate show",
          .positionals = "FOLDER",
          .summary = "Show what the certificate in FOLDER says, and whether it can be used.",
          .method = "",
          .flags = {},
          .positionals_min = 1,
          .positionals_max = 1,
          .run = RunShow};
}

}  // namespace sluice
