package api

import (
	"net/http"
	"strconv"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"corrosion/api/deadletter"
)

const (
	adminDeadPath   = adminPrefix + "/dead-letters"
	adminLetterPath = adminDeadPath + "/{number}"
)

type adminDeadInput struct {
	LicenseID string `query:"license_id" format:"uuid" doc:"Only those of this license."`
	Reason    string `query:"reason" maxLength:"100" doc:"Only those with this reason."`
	Limit     string `query:"limit" doc:"How many letters a page has: 1 to 500, default 100."`
	Cursor    string `query:"cursor" doc:"Where the page begins: next of the page before, or its header Link."`
}

// DeadLetter is a sample or a message that could not be stored.
type DeadLetter struct {
	deadletter.Letter
	Body *string `json:"body,omitempty" doc:"The bad bytes; only of one letter, and null where they are no text"`
	Raw  []byte  `json:"body_base64,omitempty" doc:"The same in base64"`
}

// DeadLetters is a page of them.
type DeadLetters struct {
	Letters []DeadLetter `json:"letters"`
	Next    *string      `json:"next" doc:"The next page's cursor; null = this is the last"`
}

type adminDeadOutput struct {
	Link string `header:"Link" doc:"The next page, rel=next"`
	Body DeadLetters
}

type adminLetterInput struct {
	Number string `path:"number" doc:"The letter's number, as listed."`
}

type adminLetterOutput struct{ Body DeadLetter }

// DeadChosen says how many letters a request was about.
type DeadChosen struct {
	Done   int      `json:"done" doc:"Letters that were replayed or removed"`
	Faults []string `json:"faults" doc:"Why others were not; they stay"`
}

type adminDeadActInput struct {
	Body struct {
		LicenseID string `json:"license_id,omitempty" format:"uuid" doc:"Only those of this license."`
		Reason    string `json:"reason,omitempty" maxLength:"100" doc:"Only those with this reason."`
		All       bool   `json:"all,omitempty" doc:"Needed where neither chooses: every letter of every license."`
	}
}

type adminDeadActOutput struct{ Body DeadChosen }

func (s *Server) registerAdminDead() {
	adminRoute[adminDeadInput, adminDeadOutput](s, huma.Operation{
		OperationID: "admin-dead-letters", Method: http.MethodGet, Path: adminDeadPath, Summary: "What could not be stored",
		Description: "Oldest first, without the bad bytes.",
	}, s.adminDead)
	adminRoute[adminLetterInput, adminLetterOutput](s, huma.Operation{
		OperationID: "admin-dead-letter", Method: http.MethodGet, Path: adminLetterPath, Summary: "One dead letter with its bytes",
	}, s.adminLetter)
	adminRoute[adminLetterInput, adminDeadActOutput](s, huma.Operation{
		OperationID: "admin-dead-letter-replay", Method: http.MethodPost, Path: adminLetterPath + "/replay", Summary: "Publish a dead letter again", DefaultStatus: 200,
		Description: "After a fix. What is still bad comes back as a new letter; a letter whose bytes were cut is refused.",
	}, s.adminReplayOne)
	adminRoute[adminLetterInput, struct{}](s, huma.Operation{
		OperationID: "admin-dead-letter-delete", Method: http.MethodDelete, Path: adminLetterPath, Summary: "Remove a dead letter for good", DefaultStatus: 204,
	}, s.adminDeleteLetter)
	adminRoute[adminDeadActInput, adminDeadActOutput](s, huma.Operation{
		OperationID: "admin-dead-letters-replay", Method: http.MethodPost, Path: adminDeadPath + "/replay", Summary: "Publish dead letters again", DefaultStatus: 200,
		Description: "Every letter that is chosen and is there now, for as long as a request may take; what is left can be asked for again.",
	}, s.adminDeadAct("deadletters.replayed", (*deadletter.Office).ReplayAll))
	adminRoute[adminDeadActInput, adminDeadActOutput](s, huma.Operation{
		OperationID: "admin-dead-letters-purge", Method: http.MethodPost, Path: adminDeadPath + "/purge", Summary: "Remove dead letters for good", DefaultStatus: 200,
		Description: "Every letter that is chosen and is there now.",
	}, s.adminDeadAct("deadletters.purged", (*deadletter.Office).Purge))
}

// office is where dead letters lie.
func (s *Server) office() (*deadletter.Office, error) {
	if s.deps.DeadLetters == nil {
		return nil, errNoNATS
	}
	return s.deps.DeadLetters, nil
}

func (s *Server) adminDead(c *fiber.Ctx, in *inputs) error {
	limit, before := in.pageID("dead")
	f := deadletter.Filter{Reason: in.words("reason", 100), After: uint64(before)}
	if id := in.id("license_id"); id != nil {
		f.License = id.String()
	}
	if err := in.err(); err != nil {
		return err
	}
	office, err := s.office()
	if err != nil {
		return err
	}
	letters, err := office.List(c.UserContext(), f, limit)
	if err != nil {
		return err
	}
	answer := DeadLetters{Letters: make([]DeadLetter, 0, len(letters))}
	for _, l := range letters {
		answer.Letters = append(answer.Letters, DeadLetter{Letter: l})
	}
	if len(letters) == limit {
		cursor := packPlace("dead", strconv.FormatUint(letters[limit-1].Number, 10))
		answer.Next = &cursor
		linkNext(c, adminDeadPath, in.values, cursor)
	}
	return sendJSON(c, http.StatusOK, answer)
}

// letterOf is the number that a path names, and where it lies.
func (s *Server) letterOf(c *fiber.Ctx, in *inputs) (*deadletter.Office, uint64, error) {
	number, err := strconv.ParseUint(c.Params("number"), 10, 63)
	if err != nil || number == 0 {
		return nil, 0, errNotFound
	}
	if err := in.err(); err != nil {
		return nil, 0, err
	}
	office, err := s.office()
	return office, number, err
}

func (s *Server) adminLetter(c *fiber.Ctx, in *inputs) error {
	office, number, err := s.letterOf(c, in)
	if err != nil {
		return err
	}
	letter, err := office.Show(c.UserContext(), number)
	if err != nil {
		return err
	}
	shown := DeadLetter{Letter: letter, Raw: letter.Body}
	shown.Letter.Body = nil
	if text := string(letter.Body); utf8.ValidString(text) {
		shown.Body = &text
	}
	return sendJSON(c, http.StatusOK, shown)
}

func (s *Server) adminReplayOne(c *fiber.Ctx, in *inputs) error {
	office, number, err := s.letterOf(c, in)
	if err != nil {
		return err
	}
	ctx := c.UserContext()
	letter, err := office.Show(ctx, number)
	if err != nil {
		return err
	}
	if letter.Truncated > 0 {
		return deadletter.ErrCut
	}
	if err := s.noteLetter(c, "deadletter.replayed", letter); err != nil {
		return err
	}
	if err := office.Replay(ctx, number); err != nil {
		return err
	}
	return sendJSON(c, http.StatusOK, DeadChosen{Done: 1, Faults: []string{}})
}

func (s *Server) adminDeleteLetter(c *fiber.Ctx, in *inputs) error {
	office, number, err := s.letterOf(c, in)
	if err != nil {
		return err
	}
	letter, err := office.Show(c.UserContext(), number)
	if err != nil {
		return err
	}
	if err := s.noteLetter(c, "deadletter.purged", letter); err != nil {
		return err
	}
	if err := office.Remove(c.UserContext(), number); err != nil {
		return err
	}
	return c.SendStatus(http.StatusNoContent)
}

// noteLetter writes down what is about to be done to a letter.
func (s *Server) noteLetter(c *fiber.Ctx, action string, l deadletter.Letter) error {
	license, _ := uuid.Parse(l.License) // what is none concerns none
	return s.deps.Platform.Note(c.UserContext(), action, license, "dead-letter", strconv.FormatUint(l.Number, 10), map[string]any{"reason": l.Reason})
}
