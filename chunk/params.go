package chunk

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/restic/chunker"
)

// Kind says how a stream is cut. The values are part of the repository format.
type Kind uint8

const (
	Rabin Kind = 1 // where a rolling hash of the content says so
	Fixed Kind = 2 // at multiples of a size
)

const (
	// MaxSize is the largest chunk, in bytes, that any valid Params lead to.
	MaxSize = 8 << 20

	window      = 64  // bytes that the rolling hash looks at; the library's constant
	degree      = 53  // of the polynomial; the library's tables take no larger one
	fixedUnit   = 512 // a sector: what is rewritten in place is rewritten in these
	defaultMin  = 96 << 10
	defaultMax  = 1 << 20
	defaultBits = 15
)

// Params say where a stream is cut. They are comparable, and stored in the
// repository: other Params find none of the chunks that these made.
type Params struct {
	Kind Kind

	// For Rabin; 0 in Fixed. Chunks are Min to Max bytes long, except for the
	// last of a stream, and about Min + 2^Bits on average.
	Min, Max   uint32
	Bits       uint8
	Polynomial uint64 // secret, irreducible, of degree 53

	// For Fixed; 0 in Rabin. The length of every chunk but the last, in bytes.
	Size uint32
}

// DefaultRabin returns the default splitter with the polynomial pol: chunks of
// 96 KiB to 1 MiB, 128 KiB on average.
func DefaultRabin(pol uint64) Params {
	return Params{Kind: Rabin, Min: defaultMin, Max: defaultMax, Bits: defaultBits, Polynomial: pol}
}

// RandomPolynomial draws a polynomial that is valid in Params from the
// system's source of randomness.
func RandomPolynomial() (uint64, error) {
	pol, err := chunker.RandomPolynomial()
	if err != nil {
		return 0, fmt.Errorf("draw random polynomial: %w", err)
	}
	return uint64(pol), nil
}

// Validate reports what is wrong with p, or nil. For Rabin it tests that the
// polynomial is irreducible, which takes about half a millisecond: validate when
// Params are read, not for every file.
func (p Params) Validate() error {
	if err := p.validateSizes(); err != nil {
		return err
	}
	if p.Kind != Rabin {
		return nil
	}
	// The polynomial is a secret: no message shows it.
	pol := chunker.Pol(p.Polynomial)
	if pol.Deg() != degree {
		return fmt.Errorf("rabin: polynomial has degree %d, want %d", pol.Deg(), degree)
	}
	if !pol.Irreducible() {
		return errors.New("rabin: polynomial is reducible")
	}
	return nil
}

// validateSizes is Validate without the polynomial.
func (p Params) validateSizes() error {
	switch p.Kind {
	case Rabin:
		switch {
		case p.Size != 0:
			return fmt.Errorf("rabin: has a fixed size of %d bytes", p.Size)
		case p.Min <= window:
			return fmt.Errorf("rabin: minimum of %d bytes, must be over %d", p.Min, window)
		case p.Max > MaxSize:
			return fmt.Errorf("rabin: maximum of %d bytes, must be at most %d", p.Max, MaxSize)
		case p.Min > p.Max:
			return fmt.Errorf("rabin: minimum of %d bytes is over the maximum of %d", p.Min, p.Max)
		case p.Bits < 8 || p.Bits > 24:
			return fmt.Errorf("rabin: %d bits, must be 8 to 24", p.Bits)
		}
	case Fixed:
		switch {
		case p != Params{Kind: Fixed, Size: p.Size}:
			return errors.New("fixed: has parameters of rabin")
		case p.Size < fixedUnit || p.Size > MaxSize || p.Size%fixedUnit != 0:
			return fmt.Errorf("fixed: size of %d bytes, must be a multiple of %d up to %d", p.Size, fixedUnit, MaxSize)
		}
	default:
		return fmt.Errorf("splitter of unknown kind %d", p.Kind)
	}
	return nil
}

// max returns the length that no chunk exceeds, in bytes.
func (p Params) max() int {
	if p.Kind == Fixed {
		return int(p.Size)
	}
	return int(p.Max)
}

// String returns p in the form that [ParseParams] reads: "rabin" for the
// defaults, "rabin:512KiB/20/8MiB" (minimum, bits, maximum) for others,
// "fixed:8KiB". The polynomial is a secret and left out.
func (p Params) String() string {
	switch {
	case p.Kind == Fixed:
		return "fixed:" + formatSize(p.Size)
	case p.Kind == Rabin && p == DefaultRabin(p.Polynomial):
		return "rabin"
	case p.Kind == Rabin:
		return fmt.Sprintf("rabin:%s/%d/%s", formatSize(p.Min), p.Bits, formatSize(p.Max))
	}
	return fmt.Sprintf("unknown:%d", p.Kind)
}

// ParseParams reads a splitter as [Params.String] writes it; sizes are in
// bytes or end in KiB or MiB. The result is valid but for the polynomial of
// Rabin, which is 0: the repository's is to be filled in.
func ParseParams(s string) (Params, error) {
	p, err := parseParams(s)
	if err != nil {
		return Params{}, fmt.Errorf("parse splitter %.40q: %w", s, err)
	}
	return p, nil
}

var errForm = errors.New(`want "rabin", "rabin:<min>/<bits>/<max>" or "fixed:<size>", such as fixed:8KiB`)

func parseParams(s string) (p Params, err error) {
	kind, rest, found := strings.Cut(s, ":")
	switch {
	case kind == "rabin" && !found:
		return DefaultRabin(0), nil
	case kind == "rabin":
		p, err = parseRabin(rest)
	case kind == "fixed" && found:
		p.Kind = Fixed
		p.Size, err = parseSize(rest)
	default:
		err = errForm
	}
	if err != nil {
		return Params{}, err
	}
	return p, p.validateSizes()
}

func parseRabin(s string) (Params, error) {
	f := strings.Split(s, "/")
	if len(f) != 3 {
		return Params{}, errForm
	}
	low, err := parseSize(f[0])
	if err != nil {
		return Params{}, err
	}
	bits, err := strconv.ParseUint(f[1], 10, 8)
	if err != nil {
		return Params{}, errForm
	}
	high, err := parseSize(f[2])
	if err != nil {
		return Params{}, err
	}
	return Params{Kind: Rabin, Min: low, Max: high, Bits: uint8(bits)}, nil
}

func formatSize(n uint32) string {
	switch {
	case n >= 1<<20 && n%(1<<20) == 0:
		return strconv.Itoa(int(n>>20)) + "MiB"
	case n >= 1<<10 && n%(1<<10) == 0:
		return strconv.Itoa(int(n>>10)) + "KiB"
	}
	return strconv.Itoa(int(n))
}

// parseSize reads a number of bytes up to MaxSize.
func parseSize(s string) (uint32, error) {
	digits, unit := s, uint64(1)
	if d, ok := strings.CutSuffix(s, "KiB"); ok {
		digits, unit = d, 1<<10
	} else if d, ok := strings.CutSuffix(s, "MiB"); ok {
		digits, unit = d, 1<<20
	}
	n, err := strconv.ParseUint(digits, 10, 32)
	if err != nil {
		return 0, errForm
	}
	if n*unit > MaxSize { // 32 bits times 2^20 cannot wrap around
		return 0, fmt.Errorf("size of %s is over %d bytes", s, MaxSize)
	}
	return uint32(n * unit), nil
}
