//go:build !race

package main

// raceDetector tells that the tests were built with it.
const raceDetector = false
