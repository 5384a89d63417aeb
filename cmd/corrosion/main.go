// Command corrosion is the whole platform in one binary: every role, and the tools around it.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	_ "time/tzdata" // bucket edges in any zone, on machines without zone files

	"github.com/alecthomas/kong"

	"corrosion/api/audit"
	"corrosion/deploy/local"
)

// cli is every command and flag. Flags win over the environment.
type cli struct {
	Serve     serveCommand     `cmd:"" help:"Run every role in one process; services without a URL are started locally."`
	Ingest    ingestCommand    `cmd:"" help:"Run the ingester alone, against services given by URL."`
	API       apiCommand       `cmd:"" name:"api" help:"Run the API and dashboards alone, against services given by URL."`
	Agg       aggregateCommand `cmd:"" name:"aggregate" help:"Run the jobs alone: rollups kept equal to their rows, retention."`
	Jobs      jobsCommand      `cmd:"" help:"What jobs have done; run one by hand."`
	Migrate   migrateCommand   `cmd:"" help:"Bring both stores to the newest schema and exit."`
	License   licenseCommand   `cmd:"" help:"Licenses: the tenants of the platform."`
	Admin     adminCommand     `cmd:"" help:"People who administer the platform."`
	Keys      keysCommand      `cmd:"" help:"The keys that sign tokens: list, rotate."`
	Agent     agentCommand     `cmd:"" help:"Run the companion agent beside a game server: it installs modules and says what became of them."`
	AgentUser agentUserCommand `cmd:"" name:"agent-user" help:"NATS users of companion agents: create, revoke."`
	NATS      natsCommand      `cmd:"" name:"nats" help:"Set up a NATS server of your own."`
	Token     tokenCommand     `cmd:"" help:"Print a bearer token for scripts."`
	Simulate  simulateCommand  `cmd:"" help:"Publish lifelike game servers over NATS."`
	Replay    replayCommand    `cmd:"" help:"Publish recorded samples (CSV or NDJSON; plain, gzip or zstd) over NATS."`
	SQL       sqlCommand       `cmd:"" name:"sql" help:"Run one query against ClickHouse."`
	Dead      deadCommand      `cmd:"" help:"Samples that could not be stored: list, show, replay, purge."`
	Retention retentionCommand `cmd:"" help:"How long rows are kept."`
	Backup    backupCommand    `cmd:"" help:"Back the whole platform up into a directory or an S3 bucket; or check a backup."`
	Restore   restoreCommand   `cmd:"" help:"Bring a backup back into empty stores."`
	Doctor    doctorCommand    `cmd:"" help:"Check every dependency and setting, and say what to do about each fault."`
	Ready     readyCommand     `cmd:"" help:"Ask a process whether it is ready: exit 0, or 1 with its reason."`
}

// env is what a command may touch of the outside world.
type env struct {
	ctx    context.Context
	stdin  io.Reader
	stdout io.Writer
	stderr io.Writer
	// hurry is closed by the second signal: stop waiting.
	hurry <-chan struct{}
}

func main() {
	local.ChildMain()
	ctx, hurry, stop := signals()
	code := run(&env{ctx: ctx, stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, hurry: hurry}, os.Args[1:])
	stop()
	os.Exit(code)
}

// signals gives a context that the first SIGINT or SIGTERM ends and a channel that the second one closes.
func signals() (ctx context.Context, hurry <-chan struct{}, stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	incoming := make(chan os.Signal, 2)
	signal.Notify(incoming, os.Interrupt, syscall.SIGTERM)
	second := make(chan struct{})
	go func() {
		<-incoming
		cancel()
		<-incoming
		close(second)
	}()
	return ctx, second, func() { signal.Stop(incoming); cancel() }
}

// run parses args, runs the command and returns the exit code: 0 fine, 1 the command's fault, 2 a wrong call.
func run(e *env, args []string) (code int) {
	parser, err := newParser(e, &code)
	if err != nil {
		fmt.Fprintln(e.stderr, "corrosion:", err)
		return 2
	}
	e.ctx = audit.By(e.ctx, audit.Asker{Name: "cli"})
	call, err := parse(parser, args)
	if errors.Is(err, errHelpShown) {
		return code
	}
	if err != nil {
		fmt.Fprintln(e.stderr, "corrosion:", err)
		return 2
	}
	if err := call.Run(e); err != nil {
		fmt.Fprintln(e.stderr, "corrosion:", err)
		return 1
	}
	return 0
}

var errHelpShown = errors.New("help was shown")

func newParser(e *env, code *int) (*kong.Kong, error) {
	return kong.New(&cli{},
		kong.Name("corrosion"),
		kong.Description("Time-series analytics for large game-server networks."),
		kong.UsageOnError(),
		kong.Writers(e.stdout, e.stderr),
		kong.Exit(func(c int) { *code = c; panic(errHelpShown) }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
	)
}

// parse turns kong's exit after --help into an error, so that run stays the only place that ends the program.
func parse(parser *kong.Kong, args []string) (call *kong.Context, err error) {
	defer func() {
		if shown := recover(); shown != nil {
			if shown != errHelpShown { //nolint:errorlint // the very value that Exit panics with
				panic(shown)
			}
			err = errHelpShown
		}
	}()
	return parser.Parse(args)
}
