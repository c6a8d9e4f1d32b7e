{{/* What a release's objects are called: by the release, so that several may stand in a namespace. */}}
{{- define "colocalize.name" -}}
{{- .Release.Name | trunc 53 | trimSuffix "-" -}}
{{- end -}}

{{/* What pods are found by. */}}
{{- define "colocalize.selector" -}}
app.kubernetes.io/name: colocalize
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "colocalize.labels" -}}
{{ include "colocalize.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end -}}
