package ingest

import (
	"fmt"
	"strconv"
	"strings"
)

// maxPartitions is the most partitions that a setting may ask for, and what an earlier one may have asked for.
const maxPartitions = 64

// restPartition is the name of what belongs to no partition of the present setting: messages stored before there were
// partitions, or when there were more of them.
const restPartition = "rest"

// publishedPrefix is how subjects begin as they are published; stored ones have their partition before it.
const publishedPrefix = "corrosion."

// partitionNames are the partitions of count, and the rest.
func partitionNames(count int) []string {
	names := make([]string, 0, count+1)
	for p := range count {
		names = append(names, strconv.Itoa(p))
	}
	return append(names, restPartition)
}

// partitionFilters are the stored subjects of a partition.
func partitionFilters(name string, count int) []string {
	if name != restPartition {
		return []string{name + ".>"}
	}
	filters := []string{publishedPrefix + ">"}
	for p := count; p < maxPartitions; p++ {
		filters = append(filters, strconv.Itoa(p)+".>")
	}
	return filters
}

// storedSubject is the template of what a stream keeps: the partition, then the subject as published. wildcards is how
// many of the subject's words tell partitions apart: the license, and where there is one the server.
func storedSubject(published string, count int) string {
	words := strings.Split(published, ".")
	var places []string
	for i, word := range words {
		if word == "*" {
			places = append(places, strconv.Itoa(len(places)+1))
			words[i] = "{{wildcard(" + places[len(places)-1] + ")}}"
		}
	}
	return fmt.Sprintf("{{partition(%d,%s)}}.%s", count, strings.Join(places, ","), strings.Join(words, "."))
}

// publishedSubject is a stored subject as it was published.
func publishedSubject(stored string) string {
	partition, rest, found := strings.Cut(stored, ".")
	if !found || !strings.HasPrefix(rest, publishedPrefix) {
		return stored
	}
	if _, err := strconv.ParseUint(partition, 10, 8); err != nil {
		return stored
	}
	return rest
}
