package api

import (
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"corrosion/api/auth"
)

// enrol turns the second factor on and gives its secret and recovery codes.
func (p *people) enrol(t *testing.T, token string) (secret string, codes []string) {
	t.Helper()
	var enrolled EnrolledBody
	p.post(totpPath, token, object{"password": goodPassword}).ok(t, 200, &enrolled)
	var recovery RecoveryCodesBody
	p.post(totpPath+"/confirm", token, object{"code": p.code(t, enrolled.Secret)}).ok(t, 200, &recovery)
	return enrolled.Secret, recovery.RecoveryCodes
}

// code is what the app shows now.
func (p *people) code(t *testing.T, secret string) string {
	t.Helper()
	code, err := totp.GenerateCode(secret, p.clock.Now())
	if err != nil {
		t.Fatal(err)
	}
	return code
}

func TestTOTP(t *testing.T) {
	p := openPeople(t, nil)
	tokens := p.signUp("ada@example.org")
	p.post(totpPath+"/confirm", tokens.AccessToken, object{"code": "123456"}).problem(t, 409, "totp-off")
	p.post(totpPath, tokens.AccessToken, object{"password": "wrong password"}).problem(t, 403, "password-wrong")
	var enrolled EnrolledBody
	p.post(totpPath, tokens.AccessToken, object{"password": goodPassword}).ok(t, 200, &enrolled)
	if !strings.HasPrefix(enrolled.URI, "otpauth://totp/Corrosion%20Stats:ada@example.org?") {
		t.Errorf("URI %s", enrolled.URI)
	}
	p.post(totpPath+"/confirm", tokens.AccessToken, object{"code": "12345"}).problem(t, 403, "code-wrong")
	p.login("ada@example.org", goodPassword) // not confirmed, not asked for
	secret, codes := p.enrol(t, tokens.AccessToken)
	if len(codes) != 10 {
		t.Fatalf("recovery codes %v", codes)
	}
	var stored []byte
	if err := p.pool.QueryRow(t.Context(), "SELECT secret FROM totp").Scan(&stored); err != nil || strings.Contains(string(stored), secret) {
		t.Errorf("the secret is not encrypted: %v", err)
	}
	p.post(totpPath, tokens.AccessToken, object{"password": goodPassword}).problem(t, 409, "totp-on")

	login := func(code string) answer {
		return p.post(loginPath, "", object{"email": "ada@example.org", "password": goodPassword, "code": code})
	}
	login("").problem(t, 401, "totp-required")
	login(p.code(t, secret)).problem(t, 403, "code-wrong") // used to confirm
	p.clock.pass(30 * time.Second)
	code := p.code(t, secret)
	p.post(loginPath, "", object{"email": "ada@example.org", "password": "wrong password", "code": code}).problem(t, 401, "credentials-invalid")
	login(code).ok(t, 200, nil)
	login(code).problem(t, 403, "code-wrong")
	p.clock.pass(5 * time.Minute)
	login(code).problem(t, 403, "code-wrong")
	login(strings.ToUpper(codes[0])).ok(t, 200, nil)
	login(codes[0]).problem(t, 403, "code-wrong")
	var me MeBody
	p.get(t, mePath, tokens.AccessToken).ok(t, 200, &me)
	if !me.TOTP || me.RecoveryCodesLeft != 9 {
		t.Errorf("got %+v", me)
	}
	var fresh RecoveryCodesBody
	p.post(totpPath+"/recovery-codes", tokens.AccessToken, object{"password": goodPassword, "code": p.code(t, secret)}).ok(t, 200, &fresh)
	login(codes[1]).problem(t, 403, "code-wrong")
	p.post(totpPath+"/disable", tokens.AccessToken, object{"password": goodPassword, "code": "000000"}).problem(t, 403, "code-wrong")
	p.post(totpPath+"/disable", tokens.AccessToken, object{"password": goodPassword, "code": fresh.RecoveryCodes[0]}).ok(t, 204, nil)
	login("").ok(t, 200, nil)
	for _, action := range []string{"account.totp-enabled", "account.totp-disabled", "account.login-refused", "account.recovery-codes-replaced"} {
		if p.audited(action) == 0 {
			t.Errorf("%s is not in the audit log", action)
		}
	}
}

// Guessing codes is slowed down like guessing passwords.
func TestCodesAreCounted(t *testing.T) {
	p := openPeople(t, nil)
	p.enrol(t, p.signUp("ada@example.org").AccessToken)
	for range 11 {
		p.post(loginPath, "", object{"email": "ada@example.org", "password": goodPassword, "code": "000000"}).problem(t, 403, "code-wrong")
	}
	p.post(loginPath, "", object{"email": "ada@example.org", "password": goodPassword, "code": "000000"}).problem(t, 429, "too-many-tries")
}

// Rotating the signing keys logs nobody out and keeps second factors readable.
func TestKeysRotateUnderPeople(t *testing.T) {
	p := openPeople(t, nil)
	tokens := p.signUp("ada@example.org")
	secret, _ := p.enrol(t, tokens.AccessToken)
	if err := auth.RotateKeys(p.keyFile); err != nil {
		t.Fatal(err)
	}
	other, err := auth.LoadKeys(p.keyFile)
	if err != nil {
		t.Fatal(err)
	}
	p.get(t, mePath, tokens.AccessToken).ok(t, 200, nil)
	p.clock.pass(30 * time.Second)
	p.post(loginPath, "", object{"email": "ada@example.org", "password": goodPassword, "code": p.code(t, secret)}).ok(t, 200, nil)
	if _, err := other.Verify(tokens.AccessToken, p.clock.Now()); err != nil {
		t.Errorf("another process with the new keys: %v", err)
	}
}
