package purchase

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"corrosion/api/store"
	"corrosion/schema/pg"
)

// ErrCursor says that a cursor is not one of this list.
var ErrCursor = errors.New("not a cursor of this list")

// ListRequest asks for purchases, the newest first.
type ListRequest struct {
	// License is whose they are; uuid.Nil = of all licenses, for administrators of the platform.
	License uuid.UUID
	// Status narrows the list of all licenses; empty = any.
	Status Status
	Limit  int
	Cursor string
}

// History is a page of purchases.
type History struct {
	Purchases []Purchase `json:"purchases"`
	Next      *string    `json:"next" doc:"The cursor of the next page; null on the last one"`
}

// List gives a page. It fails with ErrCursor.
func (s *Service) List(ctx context.Context, r ListRequest) (*History, error) {
	at, id, err := readCursor(r.Cursor)
	if err != nil {
		return nil, err
	}
	most := int32(r.Limit + 1)
	rows, err := s.deps.Store.Queries().ListPurchases(ctx, pg.ListPurchasesParams{LicenseID: r.License, BeforeAt: at, BeforeID: id, Most: most})
	if err != nil {
		return nil, fmt.Errorf("read purchases: %w", err)
	}
	return s.page(ctx, rows, r.Limit, false)
}

// ListAny gives a page of the purchases of one license or all. It fails with ErrCursor.
func (s *Service) ListAny(ctx context.Context, r ListRequest) (*History, error) {
	at, id, err := readCursor(r.Cursor)
	if err != nil {
		return nil, err
	}
	params := pg.ListAllPurchasesParams{Status: string(r.Status), BeforeAt: at, BeforeID: id, Most: int32(r.Limit + 1)}
	if r.License != uuid.Nil {
		params.LicenseID = &r.License
	}
	rows, err := s.deps.Store.Queries().ListAllPurchases(ctx, params)
	if err != nil {
		return nil, fmt.Errorf("read purchases: %w", err)
	}
	return s.page(ctx, rows, r.Limit, true)
}

// page makes a page of rows, of which there is one more than fits where another page follows.
func (s *Service) page(ctx context.Context, rows []pg.ModulePurchase, limit int, licenses bool) (*History, error) {
	list := &History{Purchases: []Purchase{}}
	if len(rows) > limit {
		rows = rows[:limit]
		next := writeCursor(rows[limit-1])
		list.Next = &next
	}
	ids := make([]uuid.UUID, len(rows))
	for i, row := range rows {
		ids[i] = row.ID
	}
	last, err := s.deps.Store.Queries().LastModuleTransactions(ctx, ids)
	if err != nil {
		return nil, fmt.Errorf("read transactions: %w", err)
	}
	newest := make(map[uuid.UUID]uuid.UUID, len(last))
	for _, t := range last {
		newest[t.PurchaseID] = t.ID
	}
	for _, row := range rows {
		p := purchaseOf(row, newest[row.ID])
		if licenses {
			p.License = &row.LicenseID
		}
		list.Purchases = append(list.Purchases, p)
	}
	return list, nil
}

// writeCursor names a row: when it was made, in microseconds as Postgres keeps it, and its id.
func writeCursor(row pg.ModulePurchase) string {
	return base64.RawURLEncoding.EncodeToString(append(binary.BigEndian.AppendUint64(nil, uint64(row.CreatedAt.UnixMicro())), row.ID[:]...))
}

func readCursor(text string) (*time.Time, uuid.UUID, error) {
	if text == "" {
		return nil, uuid.Nil, nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(raw) != 8+len(uuid.UUID{}) {
		return nil, uuid.Nil, ErrCursor
	}
	at := time.UnixMicro(int64(binary.BigEndian.Uint64(raw)))
	return &at, uuid.UUID(raw[8:]), nil
}

// Show gives a purchase of a license with its transactions, or ErrUnknown.
func (s *Service) Show(ctx context.Context, license, id uuid.UUID) (Purchase, error) {
	row, err := s.find(ctx, license, id)
	if err != nil {
		return Purchase{}, err
	}
	return s.show(ctx, row)
}

// ShowAny gives a purchase of any license with its transactions, or ErrUnknown.
func (s *Service) ShowAny(ctx context.Context, id uuid.UUID) (Purchase, error) {
	row, err := s.deps.Store.Queries().FindAnyPurchase(ctx, id)
	if store.Missing(err) {
		return Purchase{}, ErrUnknown
	}
	if err != nil {
		return Purchase{}, fmt.Errorf("read purchase: %w", err)
	}
	p, err := s.show(ctx, row)
	p.License = &row.LicenseID
	return p, err
}
