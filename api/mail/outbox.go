package mail

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"

	"corrosion/schema/pg"
)

// Item is a mail in the outbox: what about and to whom. Its text is made when it is sent, so that no secret link waits
// in the database.
type Item struct {
	ID uuid.UUID
	// Kind chooses the Renderer.
	Kind string
	// To is the recipient's mailbox.
	To string
	// Data is JSON for the Renderer. Never a secret.
	Data      []byte
	CreatedAt time.Time
}

// Renderer makes the message of an item; nil = there is nothing to be sent any more. What it stores through q, such as
// the digest of a token in the message, is committed before the message is sent. It runs again for each try.
type Renderer func(ctx context.Context, q *pg.Queries, item Item) (*Message, error)

// Enqueue adds a mail to the outbox as part of q's transaction. data is encoded as JSON.
func Enqueue(ctx context.Context, q *pg.Queries, now time.Time, kind, to string, data any) error {
	encoded, err := json.Marshal(data)
	if err != nil {
		return fmt.Errorf("encode mail data: %w", err)
	}
	params := pg.EnqueueMailParams{ID: uuid.Must(uuid.NewV7()), Kind: kind, Recipient: to, Data: encoded, Now: now}
	if err := q.EnqueueMail(ctx, params); err != nil {
		return fmt.Errorf("put mail into the outbox: %w", err)
	}
	return nil
}
