#include "cli/verb.h"

#include "cli/verbs/verbs.h"

namespace sluice {

void Invocation::Print(const google::protobuf::Message& message,
                       absl::FunctionRef<void()> print_table,
                       absl::FunctionRef<void()> print_names) {
  switch (format) {
    case OutputFormat::kJson:
      out << ToJson(message, /*indented=*/true);
      return;
    case OutputFormat::kYaml:
      out << ToYaml(message);
      return;
    case OutputFormat::kTable:
      print_table();
      return;
    case OutputFormat::kName:
      print_names();
      return;
  }
}

void Invocation::PrintEvent(const google::protobuf::Message& message) {
  if (format == OutputFormat::kYaml) {
    out << "---\n" << ToYaml(message);
  } else {
    out << ToJson(message, /*indented=*/false);
  }
  out.flush();
}

std::vector<Verb> AllVerbs() {
  return {
      TreeVerb(),
      NodeVerb(),
      UpdateListVerb(),
      UpdateGetVerb(),
      UpdateWhereVerb(),
      UpdateExplainVerb(),
      UpdatePublishVerb(),
      CategoryListVerb(),
      ApproveVerb(),
      DeclineVerb(),
      ClearVerb(),
      GroupListVerb(),
      GroupCreateVerb(),
      SiteHoldVerb(),
      SiteSuppressVerb(),
      SiteReleaseVerb(),
      SiteListVerb(),
      SubscriptionGetVerb(),
      SubscriptionSetVerb(),
      SubscriptionPinVerb(),
      SubscriptionUnpinVerb(),
      SyncStartVerb(),
      SyncCancelVerb(),
      SyncWatchVerb(),
      SyncListVerb(),
      SyncGetVerb(),
      SyncScheduleVerb(),
      ParityCheckVerb(),
      ParityShowVerb(),
      ParityFixVerb(),
      PetitionListVerb(),
      PetitionGrantVerb(),
      PetitionRefuseVerb(),
      ContentVerifyVerb(),
      ConditionListVerb(),
      AuditListVerb(),
      AuditVerifyVerb(),
      BackupCreateVerb(),
      BackupListVerb(),
      BackupVerifyVerb(),
      BackupDeleteVerb(),
      CleanupRunVerb(),
      CleanupLeasesVerb(),
      GuardShowVerb(),
      GuardReleaseVerb(),
      SpaceListVerb(),
      SpaceReleaseVerb(),
      SpaceReserveVerb(),
      UpstreamListVerb(),
      UpstreamSetVerb(),
      UpstreamAdoptVerb(),
      CertificateInitAuthorityVerb(),
      CertificateIssueVerb(),
      CertificateShowVerb(),
      CompletionVerb(),
  };
}

}  // namespace sluice
