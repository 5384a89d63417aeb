package connect

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/nats-io/nats.go"
)

var errNATSURL = errors.New("the NATS URL cannot be read: want nats://user:password@host:4222, or several with commas between")

// NATS connects to one of the hosts of a URL, nats:// or tls://, several separated by commas. Parameters that name files
// may stand behind any of them and count for all.
func NATS(raw string, options ...nats.Option) (*nats.Conn, error) {
	hosts, files, err := NATSHosts(raw)
	if err != nil {
		return nil, err
	}
	signIn, err := files.nats(hosts)
	if err != nil {
		return nil, err
	}
	var urls []string
	for _, host := range hosts {
		urls = append(urls, host.String())
	}
	return nats.Connect(strings.Join(urls, ","), append(signIn, options...)...)
}

// NATSHosts reads a NATS URL. Where files tell how to sign in, the hosts have no password.
func NATSHosts(raw string) (hosts []*url.URL, files Files, err error) {
	for one := range strings.SplitSeq(raw, ",") {
		base, own, err := Split(strings.TrimSpace(one))
		if err != nil {
			return nil, files, fmt.Errorf("NATS: %w", err)
		}
		u, err := url.Parse(base)
		if err != nil || u.Host == "" || !slices.Contains([]string{"nats", "tls", "ws", "wss"}, u.Scheme) {
			return nil, files, errNATSURL // the error would show the password
		}
		hosts = append(hosts, u)
		given, all := own.parameters(), files.parameters()
		for name := range all {
			if *all[name] == "" {
				*all[name] = *given[name]
			}
		}
	}
	return hosts, files, files.Validate()
}

// nats are the options that read the files at each connect.
func (f Files) nats(hosts []*url.URL) ([]nats.Option, error) {
	if err := f.Check(); err != nil {
		return nil, fmt.Errorf("NATS: %w", err)
	}
	var options []nats.Option
	if f.CA != "" {
		options = append(options, nats.Secure(), func(o *nats.Options) error { o.RootCAsCB = f.authorities; return nil })
	}
	if f.Cert != "" {
		options = append(options, nats.Secure(), func(o *nats.Options) error { o.TLSCertCB = f.certificate; return nil })
	}
	if f.Creds != "" {
		options = append(options, nats.UserCredentials(f.Creds))
	}
	if f.Password != "" {
		user := firstUser(hosts)
		if user == "" {
			return nil, errors.New("NATS: password_file needs a user in the URL: nats://user@host:4222")
		}
		options = append(options, nats.UserInfoHandler(func() (string, string) {
			password, _, _ := f.Secret() // a file that is away for a moment is a refused login, and tried again
			return user, password
		}))
	}
	if f.Creds != "" || f.Password != "" {
		for _, host := range hosts {
			host.User = nil // it would win over the files
		}
	}
	return options, nil
}

func firstUser(hosts []*url.URL) string {
	for _, host := range hosts {
		if host.User != nil {
			return host.User.Username()
		}
	}
	return ""
}

// WithoutLogin gives a NATS URL without users, and without the files that sign in: others sign in there.
func WithoutLogin(raw string) (string, error) {
	hosts, files, err := NATSHosts(raw)
	if err != nil {
		return "", err
	}
	files.Password, files.Creds = "", ""
	return Join(bare(hosts), files)
}

// Public gives hosts and ports of a NATS URL, fit to be told to others.
func Public(raw string) (string, error) {
	hosts, _, err := NATSHosts(raw)
	if err != nil {
		return "", err
	}
	return bare(hosts), nil
}

func bare(hosts []*url.URL) string {
	urls := make([]string, len(hosts))
	for i, host := range hosts {
		host.User = nil
		urls[i] = host.String()
	}
	return strings.Join(urls, ",")
}
