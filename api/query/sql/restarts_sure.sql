{{- /* Restarts of the hours that need no look at their samples: boots and starts are both there and say the same. An hour that the
range cuts is sure only when nothing happened in it. And how many hours need the look. */ -}}
SELECT
    toInt64(sumIf(boot_changes, sure)) AS restarts,
    countIf(NOT sure AND differs) AS unsure
FROM
(
    SELECT boot_changes, {{ template "sure" . }} AS sure, {{ template "differs" . }} AS differs
    FROM
    (
{{ template "hour_changes" . }}
    )
)
{{- define "sure" -}}
notEmpty(boots) AND notEmpty(starts) AND notEmpty(boots_before) = notEmpty(starts_before) AND boot_changes = start_changes
    AND (boot_changes = 0 OR hour >= toDateTime({whole_from:UInt32}, 'UTC') AND hour < toDateTime({whole_to:UInt32}, 'UTC'))
{{- end }}
{{- define "differs" }}(length(arrayDistinct(arrayConcat(boots, boots_before))) > 1 OR length(arrayDistinct(arrayConcat(starts, starts_before))) > 1){{ end }}
