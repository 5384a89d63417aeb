package connect

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
)

// Files are what a connection takes from files; an empty name is none.
type Files struct {
	Password, Creds, CA, Cert, Key string
}

// parameters are the names of the files in a URL's query.
func (f *Files) parameters() map[string]*string {
	return map[string]*string{
		"password_file": &f.Password, "creds_file": &f.Creds, "ca_file": &f.CA, "cert_file": &f.Cert, "key_file": &f.Key,
	}
}

// Split takes the files out of a URL. The rest is what the service's driver reads, which need not be what net/url does.
func Split(raw string) (base string, files Files, err error) {
	base, query, found := strings.Cut(raw, "?")
	if !found {
		return raw, files, nil
	}
	values, err := url.ParseQuery(query)
	if err != nil {
		return "", files, errors.New("what follows the ? of the URL cannot be read")
	}
	named := false
	for name, target := range files.parameters() {
		*target, named = values.Get(name), named || values.Has(name)
		values.Del(name)
	}
	if !named {
		return raw, files, nil
	}
	if len(values) > 0 {
		base += "?" + values.Encode()
	}
	return base, files, files.Validate()
}

// Join puts files into a URL that names none of them yet; a file that both name is that of the URL.
func Join(raw string, files Files) (string, error) {
	base, own, err := Split(raw)
	if err != nil {
		return "", err
	}
	values := url.Values{}
	given, mine := files.parameters(), own.parameters()
	for name, target := range mine {
		if *target == "" {
			*target = *given[name]
		}
		if *target != "" {
			values.Set(name, *target)
		}
	}
	if len(values) == 0 {
		return base, nil
	}
	mark := "?"
	if strings.Contains(base, "?") {
		mark = "&"
	}
	return base + mark + values.Encode(), own.Validate()
}

// Validate finds files that make no sense together; it opens none.
func (f Files) Validate() error {
	if (f.Cert == "") != (f.Key == "") {
		return errors.New("cert_file and key_file belong together")
	}
	if f.Creds != "" && f.Password != "" {
		return errors.New("creds_file and password_file are two ways to sign in: give one")
	}
	return nil
}

// Secure tells whether a file of the connection asks for TLS.
func (f Files) Secure() bool { return f.CA != "" || f.Cert != "" }

// Secret reads the password's file; ok is false where none is named. Line ends behind the password are not part of it.
func (f Files) Secret() (password string, ok bool, err error) {
	if f.Password == "" {
		return "", false, nil
	}
	text, err := os.ReadFile(f.Password)
	if err != nil {
		return "", false, fmt.Errorf("read the password: %w", err)
	}
	if password = strings.TrimRight(string(text), "\r\n"); password == "" {
		return "", false, fmt.Errorf("read the password: %s is empty", f.Password)
	}
	return password, true, nil
}

// TLS fills authorities and the client's certificate into a copy of base, which may be nil.
func (f Files) TLS(base *tls.Config) (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if base != nil {
		config = base.Clone()
	}
	if f.CA != "" {
		pool, err := f.authorities()
		if err != nil {
			return nil, err
		}
		config.RootCAs = pool
	}
	if f.Cert != "" {
		pair, err := f.certificate()
		if err != nil {
			return nil, err
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, nil
}

func (f Files) authorities() (*x509.CertPool, error) {
	text, err := os.ReadFile(f.CA)
	if err != nil {
		return nil, fmt.Errorf("read the authorities: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("read the authorities: %s has no certificate in PEM", f.CA)
	}
	return pool, nil
}

func (f Files) certificate() (tls.Certificate, error) {
	pair, err := tls.LoadX509KeyPair(f.Cert, f.Key)
	if err != nil {
		return pair, fmt.Errorf("read the client's certificate: %w", err)
	}
	return pair, nil
}

// Check reads every file once, so that a fault is told before a connection meets it.
func (f Files) Check() error {
	_, _, passwordErr := f.Secret()
	_, tlsErr := f.TLS(nil)
	var credsErr error
	if f.Creds != "" {
		if _, err := os.ReadFile(f.Creds); err != nil {
			credsErr = fmt.Errorf("read the credentials: %w", err)
		}
	}
	return errors.Join(passwordErr, tlsErr, credsErr)
}
