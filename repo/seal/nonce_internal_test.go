package seal

import (
	"encoding/hex"
	"testing"
)

// TestNonces holds the layout of docs/format.md sections 3 and 5.
func TestNonces(t *testing.T) {
	for _, tt := range []struct {
		got  [12]byte
		want string
	}{
		{pieceNonce(0, false), "000000000000000000000000"},
		{pieceNonce(0, true), "000000000000000000000001"},
		{pieceNonce(1, false), "000000000000000000000100"},
		{pieceNonce(0x010203, true), "000000000000000001020301"},
		{partNonce(Block, 52), "010000000000000000000034"},
		{partNonce(Directory, 52), "020000000000000000000034"},
		{partNonce(Block, 0x0102030405060708), "010000000102030405060708"},
	} {
		if got := hex.EncodeToString(tt.got[:]); got != tt.want {
			t.Errorf("nonce %s, want %s", got, tt.want)
		}
	}
}
