{{/* The node above, as the daemon is to call it. Of (dict "root" $ "node" NODE). */}}
{{- define "sluice.target" -}}
{{- $node := .node -}}
{{- if and $node.follows $node.target -}}
  {{- fail (printf "nodes: %s: has both `follows` and `target`; the node above is one" $node.name) -}}
{{- else if $node.target -}}
  {{- $node.target -}}
{{- else -}}
  {{- $above := required (printf "nodes: %s: a downstream needs `follows`, a node here, or `target`, \"host:port\"" $node.name) $node.follows -}}
  {{- if eq $above $node.name -}}
    {{- fail (printf "nodes: %s: follows itself" $node.name) -}}
  {{- end -}}
  {{- $names := list -}}
  {{- range .root.Values.nodes -}}{{- $names = append $names .name -}}{{- end -}}
  {{- if not (has $above $names) -}}
    {{- fail (printf "nodes: %s: follows %s, which is none of %s" $node.name $above (join ", " $names)) -}}
  {{- end -}}
  {{- include "sluice.host" (dict "root" .root "name" $above) -}}:8531
{{- end -}}
{{- end }}

{{/* A node's configuration, as its daemon reads it. Of (dict "root" $ "node" NODE). */}}
{{- define "sluice.config" -}}
{{- $values := .root.Values -}}
{{- $listeners := list
      (dict "address" "127.0.0.1:8530" "roles" (list "viewer"))
      (dict "address" "unix:/run/sluice/admin.sock" "roles" (list "administrator"))
      (dict "address" "0.0.0.0:8531" "tls" true) -}}
{{- $own := dict
      "name" .node.name
      "state_dir" "/var/lib/sluice/state"
      "content_dir" "/var/lib/sluice/content"
      "listeners" $listeners
      "certificates_dir" "/run/sluice/certificates"
      "metrics_address" "0.0.0.0:9464"
      "log_level" $values.log.level
      "log_format" $values.log.format -}}
{{- if $values.users -}}{{- $_ := set $own "users" $values.users -}}{{- end -}}
{{- $config := dict "node" $own -}}
{{- if eq .node.role "downstream" -}}
  {{- $_ := set $config "upstream" (dict "target" (include "sluice.target" .)) -}}
  {{- if .node.sources -}}
    {{- fail (printf "nodes: %s: only an upstream imports; `sources` belongs to the root" .node.name) -}}
  {{- end -}}
{{- else -}}
  {{- if or .node.follows .node.target -}}
    {{- fail (printf "nodes: %s: an upstream follows nobody; its role may be meant to be downstream" .node.name) -}}
  {{- end -}}
  {{- if .node.sources -}}{{- $_ := set $config "sources" .node.sources -}}{{- end -}}
{{- end -}}
{{- toYaml (mergeOverwrite $config (deepCopy (.node.config | default dict))) -}}
{{- end }}
