package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path"
	"strings"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

// partBytes is how much of a file is sent at once; S3 takes 10,000 parts, so a file may have 312 GiB. One part is held
// in memory.
const partBytes = 32 << 20

// bucket keeps files in an S3-compatible store, under a prefix.
type bucket struct {
	client *minio.Client
	name   string
	prefix string
}

// openS3 reads s3://bucket/prefix?endpoint=https://host[&region=R]. Without an endpoint it is Amazon's. The key comes from
// CORROSION_S3_ACCESS_KEY_FILE and CORROSION_S3_SECRET_KEY_FILE, or as Amazon's tools find it: AWS_ACCESS_KEY_ID and
// AWS_SECRET_ACCESS_KEY, ~/.aws/credentials, or the machine's role.
func openS3(where string) (Target, error) {
	u, err := url.Parse(where)
	if err != nil || u.Host == "" || u.User != nil {
		return nil, errors.New("the S3 address cannot be read: want s3://bucket/prefix?endpoint=https://host, and the key in the environment")
	}
	query := u.Query()
	for name := range query {
		if name != "endpoint" && name != "region" {
			return nil, fmt.Errorf("the S3 address has an unknown parameter %q: want endpoint and region", name)
		}
	}
	endpoint := query.Get("endpoint")
	if endpoint == "" {
		endpoint = "https://s3.amazonaws.com"
	}
	at, err := url.Parse(endpoint)
	if err != nil || at.Host == "" || (at.Scheme != "http" && at.Scheme != "https") {
		return nil, fmt.Errorf("the S3 endpoint %q cannot be read: want https://host or https://host:port", endpoint)
	}
	keys, err := s3Keys()
	if err != nil {
		return nil, err
	}
	client, err := minio.New(at.Host, &minio.Options{Creds: keys, Secure: at.Scheme == "https", Region: query.Get("region")})
	if err != nil {
		return nil, fmt.Errorf("open S3: %w", err)
	}
	return &bucket{client: client, name: u.Host, prefix: strings.Trim(u.Path, "/")}, nil
}

func s3Keys() (*credentials.Credentials, error) {
	id, secret := os.Getenv("CORROSION_S3_ACCESS_KEY_FILE"), os.Getenv("CORROSION_S3_SECRET_KEY_FILE")
	if id == "" && secret == "" {
		return credentials.NewChainCredentials([]credentials.Provider{
			&credentials.EnvAWS{}, &credentials.FileAWSCredentials{}, &credentials.IAM{},
		}), nil
	}
	var words [2]string
	for i, name := range []string{id, secret} {
		raw, err := os.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("read S3 key: %w", err)
		}
		words[i] = strings.TrimSpace(string(raw))
	}
	return credentials.NewStaticV4(words[0], words[1], ""), nil
}

func (b *bucket) String() string { return "s3://" + path.Join(b.name, b.prefix) }

func (b *bucket) key(file string) string { return path.Join(b.prefix, file) }

func (b *bucket) Write(ctx context.Context, file string, body io.Reader) error {
	_, err := b.client.PutObject(ctx, b.name, b.key(file), body, -1, minio.PutObjectOptions{
		PartSize: partBytes,
		// By MD5 in a header, and not by the checksums and signed pieces within the body, which some stores do not know. Files
		// are checked by their SHA-256 anyway.
		SendContentMd5: true, DisableContentSha256: true,
	})
	if err != nil {
		return fmt.Errorf("write %s to %s: %w", file, b, err)
	}
	return nil
}

func (b *bucket) Read(ctx context.Context, file string) (io.ReadCloser, error) {
	object, err := b.client.GetObject(ctx, b.name, b.key(file), minio.GetObjectOptions{})
	if err == nil {
		if _, err = object.Stat(); err != nil {
			_ = object.Close()
		}
	}
	if err == nil {
		return object, nil
	}
	if minio.ToErrorResponse(err).Code == minio.NoSuchKey {
		return nil, fmt.Errorf("%s: %w", file, ErrNoFile)
	}
	return nil, fmt.Errorf("read %s of %s: %w", file, b, err)
}

func (b *bucket) Empty(ctx context.Context) (bool, error) {
	prefix := b.prefix
	if prefix != "" {
		prefix += "/"
	}
	listed, stop := context.WithCancel(ctx)
	defer stop()
	first, found := <-b.client.ListObjects(listed, b.name, minio.ListObjectsOptions{Prefix: prefix, Recursive: true, MaxKeys: 1})
	if found && first.Err != nil {
		return false, fmt.Errorf("look into %s: %w", b, first.Err)
	}
	return !found, nil
}
