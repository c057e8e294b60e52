// Verbs: each is a value; its file shows the RPC, the flags and the table of one noun.
#pragma once

#include "cli/verb.h"

namespace sluice {

Verb TreeVerb();
Verb NodeVerb();
Verb UpdateListVerb();
Verb UpdateGetVerb();
Verb UpdateWhereVerb();
Verb UpdateExplainVerb();
Verb UpdatePublishVerb();
Verb CategoryListVerb();
Verb ApproveVerb();
Verb DeclineVerb();
Verb ClearVerb();
Verb GroupListVerb();
Verb GroupCreateVerb();
Verb SiteHoldVerb();
Verb SiteSuppressVerb();
Verb SiteReleaseVerb();
Verb SiteListVerb();
Verb SubscriptionGetVerb();
Verb SubscriptionSetVerb();
Verb SubscriptionPinVerb();
Verb SubscriptionUnpinVerb();
Verb SyncStartVerb();
Verb SyncCancelVerb();
Verb SyncWatchVerb();
Verb SyncListVerb();
Verb SyncGetVerb();
Verb SyncScheduleVerb();
Verb ParityCheckVerb();
Verb ParityShowVerb();
Verb ParityFixVerb();
Verb PetitionListVerb();
Verb PetitionGrantVerb();
Verb PetitionRefuseVerb();
Verb ContentVerifyVerb();
Verb ConditionListVerb();
Verb AuditListVerb();
Verb AuditVerifyVerb();
Verb BackupCreateVerb();
Verb BackupListVerb();
Verb BackupVerifyVerb();
Verb BackupDeleteVerb();
Verb CleanupRunVerb();
Verb CleanupLeasesVerb();
Verb GuardShowVerb();
Verb GuardReleaseVerb();
Verb SpaceListVerb();
Verb SpaceReleaseVerb();
Verb SpaceReserveVerb();
Verb UpstreamListVerb();
Verb UpstreamSetVerb();
Verb UpstreamAdoptVerb();
Verb CertificateInitAuthorityVerb();
Verb CertificateIssueVerb();
Verb CertificateShowVerb();
Verb CompletionVerb();

}  // namespace sluice
