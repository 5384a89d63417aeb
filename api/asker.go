package api

import (
	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"corrosion/api/audit"
)

// nameAsker puts who asks into the context of what may change something, for the audit log.
func (s *Server) nameAsker(c *fiber.Ctx) error {
	if c.Method() == fiber.MethodGet {
		return c.Next()
	}
	st := stateOf(c)
	who := audit.Asker{Origin: st.origin()}
	who.UserAgent = c.Get(fiber.HeaderUserAgent)
	if st.identity != nil {
		if who.Account = st.account(); who.Account == nil {
			who.Name = "script " + st.identity.Subject
		}
	}
	c.SetUserContext(audit.By(c.UserContext(), who))
	return c.Next()
}

// account is the account that asks; nil where it is a script or nobody.
func (st *requestState) account() *uuid.UUID {
	if st.identity == nil {
		return nil
	}
	id, ok := st.identity.Account()
	if !ok {
		return nil
	}
	return &id
}
