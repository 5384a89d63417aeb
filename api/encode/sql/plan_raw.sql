SELECT toDate(ts, 'UTC') AS day, count() AS rows
{{template "chosen" .}}
GROUP BY day
ORDER BY day
FORMAT TabSeparated
