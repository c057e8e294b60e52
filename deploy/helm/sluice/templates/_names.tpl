{{/* What the tree is called. */}}
{{- define "sluice.name" -}}
{{- .Release.Name | trunc 30 | trimSuffix "-" -}}
{{- end }}

{{/* What all objects of one node are called. Of (dict "root" $ "name" NODE). */}}
{{- define "sluice.node" -}}
{{- printf "%s-%s" (include "sluice.name" .root) .name -}}
{{- end }}

{{/* The name by which a node is called in the cluster, and which its certificate must have. Of (dict "root" $ "name" NODE). */}}
{{- define "sluice.host" -}}
{{- printf "%s.%s.svc.%s" (include "sluice.node" .) .root.Release.Namespace .root.Values.clusterDomain -}}
{{- end }}

{{/* The Secret with a node's certificate. Of (dict "root" $ "node" NODE). */}}
{{- define "sluice.secret" -}}
{{- .node.secretName | default (printf "%s-certificates" (include "sluice.node" (dict "root" .root "name" .node.name))) -}}
{{- end }}

{{/* Labels by which what belongs to the tree is selected; they never change. */}}
{{- define "sluice.selector" -}}
app.kubernetes.io/name: sluice
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{/* The same for one node. Of (dict "root" $ "name" NODE). */}}
{{- define "sluice.nodeSelector" -}}
{{ include "sluice.selector" .root }}
sluice.example/node: {{ .name }}
{{- end }}

{{/* Labels of every object. */}}
{{- define "sluice.labels" -}}
{{ include "sluice.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "sluice.image" -}}
{{- with .Values.image -}}
{{- if .digest }}{{ .repository }}@{{ .digest }}{{ else }}{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}{{ end -}}
{{- end -}}
{{- end }}

{{/* Every container: no root, nothing to gain, nothing to write to but its volumes. */}}
{{- define "sluice.securityContext" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
readOnlyRootFilesystem: true
allowPrivilegeEscalation: false
capabilities: {drop: [ALL]}
seccompProfile: {type: RuntimeDefault}
{{- end }}
