// Package publish puts samples on their license's NATS subject, the way a good game-server plugin should: batched,
// compressed, acknowledged by JetStream, a bounded number under way, and repeated while the stream is full or away.
//
//	p, err := publish.Open(url, publish.DefaultConfig(license))
//	defer p.Close()
//	err = p.Add(ctx, &sample)   // many times
//	counts, err := p.Flush(ctx) // everything stored, or the reason why not
//
// Flush returns exact figures: once it is nil, Sent = Acked + Refused.
package publish
