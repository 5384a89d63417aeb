package earlyaccess

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"strconv"
	"time"
)

// Work is how much a proof must show: for each of Puzzles a number whose SHA-256 begins with Bits zeros. Many small
// puzzles take about the same time whoever solves them; one big one takes some people ten times as long.
type Work struct {
	Puzzles int
	Bits    int
}

// DefaultWork is some 16,000 digests: a fifth of a second in a browser, and one digest a puzzle to check.
func DefaultWork() Work { return Work{Puzzles: 16, Bits: 10} }

// The bounds of Work.
const (
	MaxPuzzles = 64
	maxBits    = 24
)

func (w Work) validate() error {
	if w.Puzzles < 1 || w.Puzzles > MaxPuzzles || w.Bits < 1 || w.Bits > maxBits {
		return fmt.Errorf("earlyaccess: Work must have 1 to %d puzzles of 1 to %d bits", MaxPuzzles, maxBits)
	}
	return nil
}

// Challenge is what is to be solved. Nothing of it is stored: it is sealed, and tells itself how much work it asks for.
type Challenge struct {
	Text      string
	Work      Work
	ExpiresAt time.Time
}

// Proof is a challenge that was solved.
type Proof struct {
	digest  []byte
	expires time.Time
}

// ErrProof says that a proof does not count. The text is public.
var ErrProof = errors.New("is not a proof of work that still counts: get a new challenge, solve it and send it once")

const (
	challengePurpose = "early access challenge"
	challengeVersion = 1
	challengeRandom  = 16
	challengeSize    = 1 + challengeRandom + 8 + 2
)

// NewChallenge makes one that counts for Config.ChallengeTTL.
func (s *Service) NewChallenge() (Challenge, error) {
	expires := s.now().Add(s.cfg.ChallengeTTL).Truncate(time.Second)
	value := make([]byte, 1+challengeRandom, challengeSize)
	value[0] = challengeVersion
	_, _ = rand.Read(value[1:]) // never fails: crypto/rand ends the program instead
	value = binary.BigEndian.AppendUint64(value, uint64(expires.Unix()))
	value = append(value, byte(s.cfg.Work.Puzzles), byte(s.cfg.Work.Bits))
	text, err := s.keys.Seal(challengePurpose, value)
	return Challenge{Text: text, Work: s.cfg.Work, ExpiresAt: expires}, err
}

// CheckProof looks whether nonces solve a challenge of ours that has not expired; ErrProof where not. Whether it was used
// before shows when it is used.
func (s *Service) CheckProof(challenge string, nonces []uint32) (*Proof, error) {
	value, err := s.keys.Unseal(challengePurpose, challenge)
	if err != nil || len(value) != challengeSize || value[0] != challengeVersion {
		return nil, ErrProof
	}
	expires := time.Unix(int64(binary.BigEndian.Uint64(value[1+challengeRandom:])), 0)
	work := Work{Puzzles: int(value[challengeSize-2]), Bits: int(value[challengeSize-1])}
	if !expires.After(s.now()) || len(nonces) != work.Puzzles {
		return nil, ErrProof
	}
	for puzzle, nonce := range nonces {
		if !solves(challenge, puzzle, nonce, work.Bits) {
			return nil, ErrProof
		}
	}
	sum := sha256.Sum256(value)
	return &Proof{digest: sum[:], expires: expires}, nil
}

// solves tells whether SHA-256 of "challenge:puzzle:nonce", numbers in decimal, begins with so many zero bits.
func solves(challenge string, puzzle int, nonce uint32, zeros int) bool {
	text := challenge + ":" + strconv.Itoa(puzzle) + ":" + strconv.FormatUint(uint64(nonce), 10)
	sum := sha256.Sum256([]byte(text))
	return bits.LeadingZeros32(binary.BigEndian.Uint32(sum[:])) >= zeros
}

// Solve finds the nonces of a challenge, as a browser does; for scripts and tests.
func Solve(c Challenge) []uint32 {
	nonces := make([]uint32, c.Work.Puzzles)
	for puzzle := range nonces {
		for !solves(c.Text, puzzle, nonces[puzzle], c.Work.Bits) {
			nonces[puzzle]++
		}
	}
	return nonces
}
