package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"corrosion/schema/command"
	"corrosion/schema/pause"
)

// The clients' own bounds; those of a download as a whole are in DownloadConfig.
const (
	dialLimit    = 10 * time.Second
	maxRedirects = 5
	maxTag       = 512 // bytes of an ETag that is remembered
)

func newClient(limit time.Duration) *http.Client {
	dialer := &net.Dialer{Timeout: dialLimit}
	return &http.Client{
		Transport: &http.Transport{
			Proxy: http.ProxyFromEnvironment, DialContext: dialer.DialContext, TLSHandshakeTimeout: dialLimit,
			ResponseHeaderTimeout: limit, MaxResponseHeaderBytes: 64 << 10, DisableCompression: true, ForceAttemptHTTP2: true,
			MaxIdleConnsPerHost: 1, IdleConnTimeout: dialLimit,
		},
		CheckRedirect: func(r *http.Request, via []*http.Request) error {
			if len(via) > maxRedirects {
				return errors.New("is redirected too often")
			}
			if via[0].URL.Scheme == "https" && r.URL.Scheme != "https" {
				return errors.New("is redirected from https to something weaker")
			}
			return nil
		},
	}
}

// download is one file on its way to its part.
type download struct {
	client   *http.Client
	config   DownloadConfig
	disk     *disk
	command  command.Command
	progress func(percent int)
	part     string
}

// run tries until the part has all that the server sends, going on where the try before ended. The digest is not looked
// at here.
func (d *download) run(ctx context.Context) error {
	limited, cancel := context.WithTimeoutCause(ctx, d.config.Total, broke(command.CodeTooSlow, "the download took longer than %s", d.config.Total))
	defer cancel()
	wait := d.config.Wait
	for try := 1; ; try++ {
		before := d.size()
		err := d.once(limited)
		var why *failure
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case limited.Err() != nil:
			return context.Cause(limited)
		case !errors.As(err, &why) || !why.again:
			return err
		case d.size() > before: // it goes on, if slowly
			try, wait = 0, d.config.Wait
		case try >= d.config.Tries:
			return err
		}
		if !pause.For(limited, wait) {
			continue // the causes above say which
		}
		wait *= 2
	}
}

func (d *download) size() int64 {
	if info, err := d.disk.look(d.part); err == nil {
		return info.Size()
	}
	return 0
}

// limit is how many bytes the file has at most.
func (d *download) limit() int64 {
	if d.command.Size > 0 {
		return d.command.Size
	}
	return d.config.MaxBytes
}

// once asks for what is missing and appends it.
func (d *download) once(ctx context.Context) error {
	ctx, cut := context.WithCancelCause(ctx)
	defer cut(nil)
	offset := d.size()
	if offset > d.limit() {
		if err := d.forget(); err != nil {
			return onDisk("remove what was downloaded", err)
		}
		offset = 0
	}
	response, err := d.ask(ctx, offset)
	if err != nil {
		return broke(command.CodeNetwork, "ask for the file: %s", plain(ctx, err))
	}
	defer response.Body.Close()
	if done, err := d.judge(response, offset); err != nil || done {
		return err
	}
	if response.StatusCode == http.StatusOK {
		offset = 0
	}
	if response.ContentLength > d.limit()-offset {
		return failed(command.CodeTooBig, "the server sends %d bytes, the file has at most %d", offset+response.ContentLength, d.limit())
	}
	return d.take(ctx, cut, response, offset)
}

func (d *download) ask(ctx context.Context, offset int64) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, d.command.URL, nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("User-Agent", "corrosion-agent")
	request.Header.Set("Accept-Encoding", "identity")
	if offset > 0 {
		request.Header.Set("Range", "bytes="+strconv.FormatInt(offset, 10)+"-")
		if tag, err := d.disk.root.ReadFile(d.part + ".tag"); err == nil && len(tag) > 0 {
			request.Header.Set("If-Range", string(tag))
		}
	}
	return d.client.Do(request)
}

// judge says what an answer's head means; done: there is nothing more to fetch.
func (d *download) judge(r *http.Response, offset int64) (done bool, err error) {
	switch code := r.StatusCode; {
	case code == http.StatusOK:
		return false, nil
	case code == http.StatusPartialContent:
		if strings.HasPrefix(r.Header.Get("Content-Range"), fmt.Sprintf("bytes %d-", offset)) {
			return false, nil
		}
		return false, broke(command.CodeNetwork, "the server answers with another part than the one that was asked for")
	case code == http.StatusRequestedRangeNotSatisfiable && offset > 0:
		if offset == d.command.Size {
			return true, nil
		}
		if err := d.forget(); err != nil {
			return false, onDisk("remove what was downloaded", err)
		}
		return false, broke(command.CodeNetwork, "the server has no such part of the file")
	case code >= 500 || code == http.StatusRequestTimeout || code == http.StatusTooEarly || code == http.StatusTooManyRequests:
		return false, broke(command.CodeNetwork, "the file's server answers %d", code)
	default:
		return false, failed(command.CodeGone, "the file's server answers %d", code)
	}
}

// forget begins anew.
func (d *download) forget() error {
	return errors.Join(d.disk.remove(d.part), d.disk.remove(d.part+".tag"))
}

// take appends the body to the part.
func (d *download) take(ctx context.Context, cut context.CancelCauseFunc, r *http.Response, offset int64) error {
	if offset == 0 {
		if err := d.forget(); err != nil {
			return onDisk("remove what was downloaded", err)
		}
		if err := d.tag(r); err != nil {
			return onDisk("write the download", err)
		}
	}
	file, err := d.disk.root.OpenFile(d.part, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return onDisk("write the download", err)
	}
	got, err := d.pour(ctx, cut, file, r, offset)
	if err == nil || ctx.Err() != nil {
		err = errors.Join(onDisk("write the download", file.Sync()), err)
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return err
	}
	if total := offset + got; d.command.Size > 0 && total < d.command.Size {
		return broke(command.CodeSize, "the file ended after %d of %d bytes", total, d.command.Size)
	}
	return nil
}

// tag remembers what the server calls this state of the file, for If-Range; weak tags do not count.
func (d *download) tag(r *http.Response) error {
	tag := r.Header.Get("ETag")
	if tag == "" || strings.HasPrefix(tag, "W/") {
		tag = r.Header.Get("Last-Modified")
	}
	if tag == "" || len(tag) > maxTag {
		return nil
	}
	return d.disk.write(d.part+".tag", strings.NewReader(tag))
}

// pour copies with a watch on the pace: a server that drips is cut off.
func (d *download) pour(ctx context.Context, cut context.CancelCauseFunc, file *os.File, r *http.Response, offset int64) (got int64, err error) {
	pace := newPace(d.config, cut)
	defer pace.stop()
	buffer := make([]byte, 64<<10)
	for {
		n, readErr := r.Body.Read(buffer)
		if offset+got+int64(n) > d.limit() {
			return got, failed(command.CodeTooBig, "the server sends more than the %d bytes that the file has at most", d.limit())
		}
		if _, err := file.Write(buffer[:n]); err != nil {
			return got, onDisk("write the download", err)
		}
		got += int64(n)
		pace.bytes.Add(int64(n))
		d.progress(percent(offset+got, d.command.Size, r.ContentLength+offset))
		if errors.Is(readErr, io.EOF) {
			return got, nil
		}
		if readErr != nil {
			var slow *failure
			if errors.As(context.Cause(ctx), &slow) {
				return got, slow
			}
			return got, broke(command.CodeNetwork, "the download broke off after %d bytes: %s", offset+got, plain(ctx, readErr))
		}
	}
}

// percent stays below 100 until the file is in place.
func percent(got, size, announced int64) int {
	if size == 0 {
		size = announced
	}
	if size <= 0 {
		return 0
	}
	return int(min(99, 100*got/size))
}

// plain is an error's words without the URL, which may be long and is known.
func plain(ctx context.Context, err error) string {
	if cause := context.Cause(ctx); cause != nil {
		return cause.Error()
	}
	text := err.Error()
	if i := strings.LastIndex(text, `": `); i >= 0 {
		text = text[i+3:]
	}
	return text
}

// pace cuts a download that gets less than MinBytes within a Window.
type pace struct {
	bytes atomic.Int64
	ended chan struct{}
	done  sync.WaitGroup
}

func newPace(c DownloadConfig, cut context.CancelCauseFunc) *pace {
	p := &pace{ended: make(chan struct{})}
	p.done.Go(func() { p.watch(c, cut) }) // ends with stop
	return p
}

func (p *pace) watch(c DownloadConfig, cut context.CancelCauseFunc) {
	ticker := time.NewTicker(c.Window)
	defer ticker.Stop()
	for {
		select {
		case <-p.ended:
			return
		case <-ticker.C:
		}
		if got := p.bytes.Swap(0); got < c.MinBytes {
			cut(broke(command.CodeTooSlow, "the server sent %d bytes in %s", got, c.Window))
			return
		}
	}
}

func (p *pace) stop() { close(p.ended); p.done.Wait() }
