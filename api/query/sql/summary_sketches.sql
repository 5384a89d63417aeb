{{- /* Percentiles from the hours' sketches, with raw for the hours that the range cuts. */ -}}
SELECT
    arraySlice(quantilesBFloat16Merge(0.05, 0.5, 0.95, 0.99)(fps_cell), 1, 2) AS fps,
    arraySlice(quantilesBFloat16Merge(0.05, 0.5, 0.95, 0.99)(frame_ms_cell), 3, 2) AS frame_ms
FROM
(
    SELECT
        quantilesBFloat16MergeState(0.05, 0.5, 0.95, 0.99)(fps_sketch) AS fps_cell,
        quantilesBFloat16MergeState(0.05, 0.5, 0.95, 0.99)(frame_ms_sketch) AS frame_ms_cell
    FROM corrosion.samples_hourly
    WHERE {{ template "hour_range" . }}
    UNION ALL
    SELECT
        quantilesBFloat16State(0.05, 0.5, 0.95, 0.99)(fps),
        quantilesBFloat16State(0.05, 0.5, 0.95, 0.99)(frame_ms)
    FROM corrosion.samples
    WHERE {{ template "raw_edges" . }}
)
