package corpus

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"strings"
)

// content returns n bytes that are, by turns, random, text, and zeros.
func content(rng *rand.Rand, n int64) []byte {
	p := make([]byte, 0, n+8)
	for int64(len(p)) < n {
		run := min(1+rng.Int64N(96<<10), n-int64(len(p)))
		switch end := int64(len(p)) + run; rng.IntN(4) {
		case 0, 1:
			for int64(len(p)) < end {
				p = binary.LittleEndian.AppendUint64(p, rng.Uint64())
			}
		case 2:
			for int64(len(p)) < end {
				p = fmt.Appendf(p, "player %d moved to %d,%d\n", rng.IntN(1000), rng.IntN(100), rng.IntN(100))
			}
		default:
			p = append(p, make([]byte, run)...)
		}
		p = p[:min(int64(len(p)), n)]
	}
	return p
}

// oddNames returns names that programs stumble over.
func oddNames() []string {
	return []string{
		"-rf", "--", "~", "*", "?", "[a-z]", "$(date)", "`date`", "a;b", "a&b", "a|b", "a>b", "#a", "%s%n", "%2e%2e",
		" leading space", "trailing space ", " ", "two  spaces", "tab\there", "new\nline", "\n", "return\r", "bell\a", "escape\x1b[31m",
		"...", ".hidden", ". .", "a\\b", "\\", "'", "\"", "a:b", "C:", "nul", "COM1",
		"caf\u00e9", "cafe\u0301", "\u65e5\u672c\u8a9e", "\U0001f409", "\u202egnp.exe", "\ufeffmark", "\u00a0", "\u200b",
		"\xff", "\xc3\x28", "\xed\xa0\x80", "latin\xe9", "\x80\x81\x82", "cut\xf0\x9f",
		longName('n'), strings.Repeat("\u00e9", 127), strings.Repeat("\xff", 255),
	}
}

// longName returns a name of 255 bytes, the most there can be.
func longName(c byte) string { return strings.Repeat(string(rune(c)), 255) }
