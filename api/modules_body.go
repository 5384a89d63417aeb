package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"mime/multipart"
	"net/url"
	"unicode/utf8"

	"github.com/gofiber/fiber/v2"

	"corrosion/api/module"
	"corrosion/api/payment"
	"corrosion/api/query"
)

// moduleFields are the fields of a body that says something about a module.
func moduleFields() []string {
	return []string{"name", "description", "features", "price", "currency", "plugin_url", "publisher", "category", "icon", "compatible"}
}

// moduleSettings are those that the body makes of before: what is left out stays. What a module must have and has not is a
// fault.
func (b *body) moduleSettings(before module.Settings) module.Settings {
	after := before
	b.words("name", &after.Name, module.MaxName, true)
	b.words("publisher", &after.Publisher, module.MaxName, true)
	if b.has("description") {
		after.Description = b.text("description", module.MaxDescription, true)
	}
	if b.has("features") {
		after.Features = b.features("features")
	}
	if b.has("plugin_url") {
		after.PluginURL = b.link("plugin_url")
	}
	if b.has("compatible") {
		after.Compatible = b.games("compatible")
	}
	b.form("category", &after.Category, module.ValidWord, "must be small letters, digits and minus, at most 32 of them")
	if b.has("icon") {
		b.form("icon", &after.Icon, module.ValidIcon, "must be small letters, digits and minus, at most 64 of them")
	}
	b.price(&after)
	return after
}

// words is a text that must not be empty.
func (b *body) words(name string, into *string, most int, needed bool) {
	if b.has(name) {
		*into = b.text(name, most, false)
	}
	if needed && *into == "" {
		b.fault(name, "must not be empty", nil)
	}
}

// form is a text of a certain form.
func (b *body) form(name string, into *string, valid func(string) bool, want string) {
	if b.has(name) {
		*into = b.text(name, 100, false)
	}
	if !valid(*into) {
		b.fault(name, want, clip(*into))
	}
}

func (b *body) price(s *module.Settings) {
	if b.has("price") {
		s.Price = payment.Amount{Decimal: b.amount("price")}
	}
	if b.has("currency") {
		s.Currency = b.text("currency", 3, false)
	}
	if s.Currency == "" {
		b.fault("currency", "is needed", nil)
		return
	}
	if err := payment.Check(s.Price.Decimal, s.Currency); err != nil {
		b.fault("price", err.Error(), nil)
	}
}

func (b *body) features(name string) []string {
	var features []string
	if !b.decode(name, &features, "an array of strings") {
		return nil
	}
	if len(features) > module.MaxFeatures {
		b.fault(name, fmt.Sprintf("has %d features; at most %d are allowed", len(features), module.MaxFeatures), len(features))
		return nil
	}
	for i, f := range features {
		if !query.ValidLabel(f, module.MaxFeature) {
			b.fault(fmt.Sprintf("%s[%d]", name, i), fmt.Sprintf("must be 1 to %d characters, without blanks around it", module.MaxFeature), clip(f))
		}
	}
	return features
}

// link is an https URL; null is none.
func (b *body) link(name string) *string {
	if !b.has(name) || b.isNull(name) {
		return nil
	}
	text := b.text(name, module.MaxURL, false)
	if u, err := url.Parse(text); err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil {
		b.fault(name, "must be an https URL without a password", clip(text))
	}
	return &text
}

func (b *body) games(name string) []module.Game {
	var games []module.Game
	if !b.decode(name, &games, "an array of {game, min_version, max_version}") {
		return nil
	}
	if len(games) > module.MaxGames {
		b.fault(name, fmt.Sprintf("has %d games; at most %d are allowed", len(games), module.MaxGames), len(games))
		return nil
	}
	for i, g := range games {
		at := fmt.Sprintf("%s[%d]", name, i)
		if !module.ValidWord(g.Game) {
			b.fault(at+".game", "must be small letters, digits and minus, at most 32 of them", clip(g.Game))
		}
		for field, version := range map[string]*string{".min_version": g.MinVersion, ".max_version": g.MaxVersion} {
			if version != nil && !query.ValidLabel(*version, module.MaxGameVersion) {
				b.fault(at+field, fmt.Sprintf("must be 1 to %d characters, without blanks around it", module.MaxGameVersion), clip(*version))
			}
		}
	}
	return games
}

// version reads what is said of a new version, wherever its file lies.
func (b *body) version(v *module.NewVersion) {
	b.form("version", &v.Version, module.ValidVersion, "must be three numbers, as in 1.0.0")
	b.form("file", &v.File, module.ValidFile, "must be a file's name: [A-Za-z0-9][A-Za-z0-9._-]{0,99}")
	v.Changelog = b.text("changelog", module.MaxChangelog, true)
	if !b.decode("dependencies", &v.Dependencies, "an array of {module, min_version}") {
		return
	}
	if len(v.Dependencies) > module.MaxNeeds {
		b.fault("dependencies", fmt.Sprintf("are %d; at most %d are allowed", len(v.Dependencies), module.MaxNeeds), len(v.Dependencies))
		return
	}
	seen := map[string]bool{}
	for i := range v.Dependencies {
		need := &v.Dependencies[i]
		if need.MinVersion == "" {
			need.MinVersion = "0.0.0"
		}
		at := fmt.Sprintf("dependencies[%d]", i)
		if !module.ValidSlug(need.Module) || seen[need.Module] {
			b.fault(at+".module", "must be the slug of a module, each once", clip(need.Module))
		}
		if !module.ValidVersion(need.MinVersion) {
			b.fault(at+".min_version", "must be three numbers, as in 1.0.0", clip(need.MinVersion))
		}
		seen[need.Module] = true
	}
}

// farFile reads where the file of a new version lies.
func (b *body) farFile(v *module.NewVersion) {
	v.SourceURL = b.link("url")
	if v.SourceURL == nil {
		b.fault("url", "is needed: without one upload the file as multipart/form-data", nil)
	}
	b.form("sha256", &v.SHA256, module.ValidDigest, "must be 64 small hexadecimal digits")
	if b.decode("size", &v.Size, "a whole number of bytes") && v.Size > 0 && v.Size <= module.MaxFarFile {
		return
	}
	b.fault("size", fmt.Sprintf("must be from 1 to %d bytes", module.MaxFarFile), v.Size)
}

// uploadedVersion reads an upload: the part version is JSON, the part file is the file. The caller closes it.
func uploadedVersion(c *fiber.Ctx, in *inputs, v *module.NewVersion) (closeFile func(), err error) {
	form, err := c.MultipartForm()
	if err != nil {
		in.add(query.Fault{Location: "body", Message: "is not well-formed multipart/form-data"})
		return nil, in.err()
	}
	for name := range form.Value {
		if name != "version" {
			in.add(query.Fault{Location: "body." + clip(name), Message: "is not a part of this request"})
		}
	}
	b := &body{in: in, fields: map[string]json.RawMessage{}}
	if err := b.read([]byte(versionPart(form))); err != nil {
		in.add(query.Fault{Location: "body.version", Message: err.Error()})
	}
	for name := range b.fields {
		switch name {
		case "version", "file", "changelog", "dependencies":
		default:
			b.fault(clip(name), "is not a field of this request", nil)
		}
	}
	files := form.File["file"]
	if len(files) != 1 || len(form.File) > 2 {
		in.add(query.Fault{Location: "body.file", Message: "must be there once, as a file"})
		return nil, in.err()
	}
	if !b.has("file") && utf8.ValidString(files[0].Filename) {
		v.File = files[0].Filename
	}
	b.version(v)
	if err := in.err(); err != nil {
		return nil, err
	}
	content, err := files[0].Open()
	if err != nil {
		return nil, fmt.Errorf("open upload: %w", err)
	}
	v.Content = content
	return func() { _ = content.Close() }, nil
}

// versionPart is the text of the part version: as a field or, as some clients send JSON, as a file.
func versionPart(form *multipart.Form) string {
	if values := form.Value["version"]; len(values) == 1 {
		return values[0]
	}
	if files := form.File["version"]; len(files) == 1 && files[0].Size <= uploadRoom {
		text, err := readPart(files[0])
		if err == nil {
			return text
		}
	}
	return ""
}

func readPart(header *multipart.FileHeader) (text string, err error) {
	part, err := header.Open()
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, part.Close()) }()
	buffer := make([]byte, header.Size)
	if _, err := part.Read(buffer); err != nil {
		return "", err
	}
	return string(buffer), nil
}
