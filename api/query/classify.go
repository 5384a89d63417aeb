package query

import "context"

// Classify joins to an error of ClickHouse what kind it is of: ErrUnavailable, ErrTooHeavy or the context's error. It is
// for packages beside this one that ask ClickHouse themselves.
func Classify(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	return classify(ctx, err)
}
