package account

import (
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"
	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// Email is an address that can be written to and compared.
type Email struct {
	// Address is shown and written to: NFC, the domain in small letters of its own script.
	Address string
	// Key is compared: the local part case-folded, the domain in ASCII. Two addresses with one key are one account.
	Key string
	// Mailbox is what mail is sent to: the domain in ASCII where the local part is, which every mail server understands.
	Mailbox string
}

// Bounds of emails, bytes (RFC 5321), and of names: runes, and bytes for scripts that combine many of them.
const (
	MaxEmailLen     = 254
	maxLocalLen     = 64
	MaxNameRunes    = 200
	maxNameBytes    = 4 * MaxNameRunes
	maxDomainLabels = 127
)

// What can be wrong with an email or a name.
var (
	ErrEmail = errors.New("is not an email address")
	ErrName  = errors.New("must have 1 to 200 characters, none of them a control character or a mark that turns the direction of writing")
)

// ParseEmail reads an address in any script (RFC 6531): local@domain without comments, quotes or spaces. Case is kept
// for showing and does not tell accounts apart, in the local part neither: mail providers that tell are not known.
func ParseEmail(text string) (Email, error) {
	if len(text) > MaxEmailLen || !utf8.ValidString(text) {
		return Email{}, ErrEmail
	}
	text = norm.NFC.String(text)
	at := strings.LastIndexByte(text, '@')
	if at < 1 || len(text) > MaxEmailLen {
		return Email{}, ErrEmail
	}
	local, domain := text[:at], text[at+1:]
	if !validLocal(local) {
		return Email{}, ErrEmail
	}
	ascii, shown, err := parseDomain(domain)
	if err != nil {
		return Email{}, ErrEmail
	}
	key := norm.NFC.String(cases.Fold().String(local)) + "@" + ascii
	email := Email{Address: local + "@" + shown, Key: key, Mailbox: local + "@" + ascii}
	if len(email.Address) > MaxEmailLen || len(email.Mailbox) > MaxEmailLen || len(key) > 2*MaxEmailLen {
		return Email{}, ErrEmail
	}
	return email, nil
}

// validLocal takes a dot-atom of RFC 5322, letters of any script included.
func validLocal(local string) bool {
	if len(local) > maxLocalLen || strings.HasPrefix(local, ".") || strings.HasSuffix(local, ".") || strings.Contains(local, "..") {
		return false
	}
	for _, r := range local {
		if r < utf8.RuneSelf {
			if !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-/=?^_`{|}~.", r) {
				return false
			}
		} else if !unicode.IsLetter(r) && !unicode.IsMark(r) && !unicode.IsNumber(r) {
			return false
		}
	}
	return true
}

// parseDomain gives a host name of two labels or more, in ASCII and in its own script.
func parseDomain(domain string) (ascii, shown string, err error) {
	profile := idna.New(idna.MapForLookup(), idna.BidiRule(), idna.StrictDomainName(true), idna.VerifyDNSLength(true))
	if ascii, err = profile.ToASCII(domain); err != nil {
		return "", "", err
	}
	labels := strings.Split(ascii, ".")
	if len(labels) < 2 || len(labels) > maxDomainLabels || allDigits(labels[len(labels)-1]) {
		return "", "", ErrEmail
	}
	shown, err = profile.ToUnicode(ascii)
	return ascii, shown, err
}

func allDigits(s string) bool { return strings.Trim(s, "0123456789") == "" }

// CleanName reads the name of a person or a license: NFC, without white space around it.
func CleanName(text string) (string, error) {
	if !utf8.ValidString(text) || len(text) > 2*maxNameBytes {
		return "", ErrName
	}
	text = strings.TrimSpace(norm.NFC.String(text))
	if text == "" || len(text) > maxNameBytes || utf8.RuneCountInString(text) > MaxNameRunes {
		return "", ErrName
	}
	for _, r := range text {
		if unicode.IsControl(r) || unicode.In(r, unicode.Zl, unicode.Zp, unicode.Co) || turns(r) || r == unicode.ReplacementChar {
			return "", ErrName
		}
	}
	return text, nil
}

// turns tells the marks that can make a name read as another one.
func turns(r rune) bool {
	return r >= 0x202A && r <= 0x202E || r >= 0x2066 && r <= 0x2069 || r == 0x200E || r == 0x200F || r == 0xFEFF
}
