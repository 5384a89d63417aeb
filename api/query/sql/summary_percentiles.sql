{{- /* Exact percentiles over raw. */ -}}
SELECT
    quantilesExactInclusive(0.05, 0.5)(fps) AS fps,
    quantilesExactInclusive(0.95, 0.99)(frame_ms) AS frame_ms
FROM corrosion.samples
WHERE {{ template "raw_range" . }}
