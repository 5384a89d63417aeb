package audit

import (
	"context"

	"github.com/google/uuid"
)

// Asker is who does something, as far as is known.
type Asker struct {
	// Account is a person's; nil for scripts and commands.
	Account *uuid.UUID
	// Name is a script's or "cli"; empty for a person, whose email is written down.
	Name string
	Origin
}

type askerKey struct{}

// By is a context whose changes are done by who.
func By(ctx context.Context, who Asker) context.Context {
	return context.WithValue(ctx, askerKey{}, who)
}

// Done is what the context's asker did to a thing of a license; uuid.Nil = of none. Without an asker it was the program
// itself.
func Done(ctx context.Context, action string, license uuid.UUID, targetKind, targetID string, details map[string]any) Event {
	who, ok := ctx.Value(askerKey{}).(Asker)
	if !ok {
		who.Name = "program"
	}
	e := Event{
		Action: action, ActorID: who.Account, Actor: who.Name, TargetKind: targetKind, TargetID: targetID, Origin: who.Origin, Details: details,
	}
	if license != uuid.Nil {
		e.License = &license
	}
	return e
}
