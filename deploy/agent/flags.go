package agent

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/google/uuid"
)

// Flags are the command line of an agent, the same in `corrosion agent` and in the small binary.
type Flags struct {
	License     string   `required:"" env:"CORROSION_AGENT_LICENSE" help:"The license of the server."`
	ServerID    string   `required:"" env:"CORROSION_AGENT_SERVER_ID" help:"The server that the agent runs beside."`
	Plugins     string   `required:"" env:"CORROSION_AGENT_PLUGINS" help:"The server's plugin directory; nothing is written outside it."`
	Credentials string   `env:"CORROSION_AGENT_CREDENTIALS" help:"File that 'corrosion agent-user create' wrote, mode 0600."`
	NATSURL     string   `name:"nats-url" env:"CORROSION_AGENT_NATS_URL" help:"NATS; unset = that of the credentials."`
	PlatformKey []string `env:"CORROSION_AGENT_PLATFORM_KEYS" help:"Public keys of the platform, base64; unset = those of the credentials."`
	LogLevel    string   `env:"CORROSION_LOG_LEVEL" default:"info" enum:"debug,info,warn,error" help:"Least level that is logged: ${enum}."`
}

// PasswordVariable holds the NATS password where there is no file of credentials: a command line is everybody's to read.
const PasswordVariable = "CORROSION_AGENT_NATS_PASSWORD"

// Config is what the flags, the file and the environment say; getenv reads the latter.
func (f Flags) Config(getenv func(string) string) (Config, error) {
	config := DefaultConfig()
	given := Credentials{ServerID: f.ServerID, NATSURL: f.NATSURL, Password: getenv(PasswordVariable), Keys: f.PlatformKey}
	var err error
	if given.License, err = uuid.Parse(f.License); err != nil {
		return config, fmt.Errorf("--license %q is not a UUID", f.License)
	}
	var credentials Credentials
	if f.Credentials != "" {
		if credentials, err = ReadCredentials(f.Credentials); err != nil {
			return config, err
		}
	}
	if err := credentials.over(given); err != nil {
		return config, err
	}
	if err := credentials.apply(&config); err != nil {
		return config, err
	}
	config.Dir = f.Plugins
	return config, config.Validate()
}

// Start runs an agent until ctx ends.
func (f Flags) Start(ctx context.Context, log *slog.Logger, version string, getenv func(string) string) error {
	config, err := f.Config(getenv)
	if err != nil {
		return err
	}
	config.Logger, config.Version = log, version
	a, err := New(config)
	if err != nil {
		return err
	}
	log.Info("agent is running", "license", config.License, "server", config.ServerID, "plugins", config.Dir, "nats", config.NATSURL)
	return a.Run(ctx)
}
