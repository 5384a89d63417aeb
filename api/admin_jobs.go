package api

import (
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gofiber/fiber/v2"

	"corrosion/api/platform"
)

const (
	adminJobsPath    = adminPrefix + "/jobs"
	adminRunsPath    = adminPrefix + "/job-runs"
	adminRequestPath = adminJobsPath + "/{job}/requests/{requested_at}"
)

// AdminJobs are the jobs of the platform.
type AdminJobs struct {
	Jobs []platform.Job `json:"jobs"`
}

type adminJobsOutput struct{ Body AdminJobs }

type adminRunsInput struct {
	Job    string `query:"job" maxLength:"50" doc:"Only runs of this job."`
	Limit  string `query:"limit" doc:"How many runs a page has: 1 to 500, default 100."`
	Cursor string `query:"cursor" doc:"Where the page begins: next of the page before, or its header Link."`
}

// AdminRuns is a page of runs.
type AdminRuns struct {
	Runs []platform.JobRun `json:"runs"`
	Next *string           `json:"next" doc:"The next page's cursor; null = this is the last"`
}

type adminRunsOutput struct {
	Link string `header:"Link" doc:"The next page, rel=next"`
	Body AdminRuns
}

type adminRunInput struct {
	Job  string `path:"job"`
	Body *struct {
		From *time.Time `json:"from,omitempty" doc:"Begin of the time to look at."`
		To   *time.Time `json:"to,omitempty" doc:"End of the time to look at."`
	} `required:"false"`
}

type adminRequestInput struct {
	Job         string `path:"job"`
	RequestedAt string `path:"requested_at" doc:"As the answer to the request had it."`
}

type adminRequestOutput struct {
	Location string `header:"Location"`
	Body     platform.JobRequest
}

func (s *Server) registerAdminJobs() {
	adminRoute[struct{}, adminJobsOutput](s, huma.Operation{
		OperationID: "admin-jobs", Method: http.MethodGet, Path: adminJobsPath, Summary: "What runs on schedules",
	}, s.adminJobs)
	adminRoute[adminRunsInput, adminRunsOutput](s, huma.Operation{
		OperationID: "admin-job-runs", Method: http.MethodGet, Path: adminRunsPath, Summary: "What jobs have done", Description: "Newest first.",
	}, s.adminRuns)
	adminRoute[adminRunInput, adminRequestOutput](s, huma.Operation{
		OperationID: "admin-job-run", Method: http.MethodPost, Path: adminJobsPath + "/{job}/requests", Summary: "Run a job by hand", DefaultStatus: 202,
		Description: "An aggregator begins it within seconds, once no other run of it is under way. verify looks at every hour that changed, or, with from or to, at all hours of that time.",
	}, s.adminRunJob)
	adminRoute[adminRequestInput, adminRequestOutput](s, huma.Operation{
		OperationID: "admin-job-request", Method: http.MethodGet, Path: adminRequestPath, Summary: "What became of a run by hand",
	}, s.adminRequest)
}

func (s *Server) adminJobs(c *fiber.Ctx, in *inputs) error {
	if err := in.err(); err != nil {
		return err
	}
	jobs, err := s.deps.Platform.Jobs(c.UserContext())
	if err != nil {
		return err
	}
	return sendJSON(c, http.StatusOK, AdminJobs{jobs})
}

func (s *Server) adminRuns(c *fiber.Ctx, in *inputs) error {
	limit, before := in.pageID("runs")
	job := in.words("job", 50)
	if err := in.err(); err != nil {
		return err
	}
	runs, err := s.deps.Platform.JobRuns(c.UserContext(), job, before, limit)
	if err != nil {
		return err
	}
	answer := AdminRuns{Runs: runs}
	if len(runs) == limit {
		cursor := packPlace("runs", strconv.FormatInt(runs[limit-1].ID, 10))
		answer.Next = &cursor
		linkNext(c, adminRunsPath, in.values, cursor)
	}
	return sendJSON(c, http.StatusOK, answer)
}

func (s *Server) adminRunJob(c *fiber.Ctx, in *inputs) error {
	var from, to *time.Time
	if len(c.Body()) > 0 {
		b, err := readBody(c, in, "from", "to")
		if err != nil {
			return err
		}
		from, to = b.time("from"), b.time("to")
		if from != nil && to != nil && !from.Before(*to) {
			b.fault("to", "must be after from", nil)
		}
	}
	if err := in.err(); err != nil {
		return err
	}
	asked, err := s.deps.Platform.RunJob(c.UserContext(), c.Params("job"), from, to, stateOf(c).account())
	if err != nil {
		return err
	}
	c.Set(fiber.HeaderLocation, adminJobsPath+"/"+asked.Job+"/requests/"+asked.RequestedAt.Format(time.RFC3339Nano))
	return sendJSON(c, http.StatusAccepted, asked)
}

// time is an RFC 3339 time; absent and null are nil.
func (b *body) time(name string) *time.Time {
	var at time.Time
	if !b.decode(name, &at, "an RFC 3339 time") {
		return nil
	}
	if at.Year() < 1970 || at.Year() > 9999 {
		b.fault(name, "must lie between the years 1970 and 9999", nil)
		return nil
	}
	return &at
}

func (s *Server) adminRequest(c *fiber.Ctx, in *inputs) error {
	if err := in.err(); err != nil {
		return err
	}
	// Browsers' clients write the colons of a time as %3A in a path.
	text, err := url.PathUnescape(c.Params("requested_at"))
	if err != nil {
		return errNotFound
	}
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return errNotFound
	}
	asked, err := s.deps.Platform.JobRequest(c.UserContext(), c.Params("job"), at)
	if err != nil {
		return err
	}
	return sendJSON(c, http.StatusOK, asked)
}
