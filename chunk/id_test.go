package chunk_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"savepoint/chunk"
)

const vectorKey = "whats the Elvish word for friend"

// vectors are the official ones of BLAKE3, the first 32 bytes of each; the
// input of n bytes counts from 0 to 250 and starts over.
var vectors = []struct {
	n     int
	keyed string
}{
	{0, "92b2b75604ed3c761f9d6f62392c8a9227ad0ea3f09573e783f1498a4ed60d26"},
	{1, "6d7878dfff2f485635d39013278ae14f1454b8c0a3a2d34bc1ab38228a80c95b"},
	{1023, "c951ecdf03288d0fcc96ee3413563d8a6d3589547f2c2fb36d9786470f1b9d6e"},
	{1024, "75c46f6f3d9eb4f55ecaaee480db732e6c2105546f1e675003687c31719c7ba4"},
	{1025, "357dc55de0c7e382c900fd6e320acc04146be01db6a8ce7210b7189bd664ea69"},
	{2048, "879cf1fa2ea0e79126cb1063617a05b6ad9d0b696d0d757cf053439f60a99dd1"},
	{2049, "9f29700902f7c86e514ddc4df1e3049f258b2472b6dd5267f61bf13983b78dd5"},
	{3072, "044a0e7b172a312dc02a4c9a818c036ffa2776368d7f528268d2e6b5df191770"},
	{3073, "68dede9bef00ba89e43f31a6825f4cf433389fedae75c04ee9f0cf16a427c95a"},
	{4096, "befc660aea2f1718884cd8deb9902811d332f4fc4a38cf7c7300d597a081bfc0"},
	{4097, "00df940cd36bb9fa7cbbc3556744e0dbc8191401afe70520ba292ee3ca80abbc"},
	{5120, "2c493e48e9b9bf31e0553a22b23503c0a3388f035cece68eb438d22fa1943e20"},
	{5121, "6ccf1c34753e7a044db80798ecd0782a8f76f33563accaddbfbb2e0ea4b2d024"},
	{6144, "3d6b6d21281d0ade5b2b016ae4034c5dec10ca7e475f90f76eac7138e9bc8f1d"},
	{6145, "9ac301e9e39e45e3250a7e3b3df701aa0fb6889fbd80eeecf28dbc6300fbc539"},
	{7168, "b42835e40e9d4a7f42ad8cc04f85a963a76e18198377ed84adddeaecacc6f3fc"},
	{7169, "ed9b1a922c046fdb3d423ae34e143b05ca1bf28b710432857bf738bcedbfa511"},
	{8192, "dc9637c8845a770b4cbf76b8daec0eebf7dc2eac11498517f08d44c8fc00d58a"},
	{8193, "954a2a75420c8d6547e3ba5b98d963e6fa6491addc8c023189cc519821b4a1f5"},
	{16384, "9e9fc4eb7cf081ea7c47d1807790ed211bfec56aa25bb7037784c13c4b707b0d"},
	{31744, "efa53b389ab67c593dba624d898d0f7353ab99e4ac9d42302ee64cbf9939a419"},
}

func vectorInput(n int) []byte {
	p := make([]byte, n)
	for i := range p {
		p[i] = byte(i % 251)
	}
	return p
}

func TestKeySumVectors(t *testing.T) {
	k := chunk.NewKey([32]byte([]byte(vectorKey)))
	for _, v := range vectors {
		// Twice: the second sum comes out of a hasher that was used before.
		for range 2 {
			if got := k.Sum(vectorInput(v.n)).String(); got != v.keyed {
				t.Errorf("Sum of %d bytes = %s, want %s", v.n, got, v.keyed)
			}
		}
	}
}

func TestKeySumConcurrent(t *testing.T) {
	k := chunk.NewKey([32]byte([]byte(vectorKey)))
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 20 {
				for _, v := range vectors {
					if got := k.Sum(vectorInput(v.n)).String(); got != v.keyed {
						t.Errorf("Sum of %d bytes = %s, want %s", v.n, got, v.keyed)
					}
				}
			}
		})
	}
	wg.Wait()
}

func TestKeySumAllocates(t *testing.T) {
	k, p := chunk.NewKey([32]byte{1}), vectorInput(20_000)
	if n := testing.AllocsPerRun(200, func() { k.Sum(p) }); n != 0 {
		t.Errorf("Sum allocates %v times a call, want 0", n)
	}
}

func TestKeyIsSecret(t *testing.T) {
	a, b := chunk.NewKey([32]byte{1}), chunk.NewKey([32]byte{2})
	if a.Sum(nil) == b.Sum(nil) {
		t.Error("two keys give one ID")
	}
	// The secret as bytes and as the words that the hash keeps.
	k := chunk.NewKey([32]byte([]byte(vectorKey)))
	k.Sum(nil)
	printed := fmt.Sprintf("%v %+v %#v", k, k, k)
	for _, secret := range []string{"119 104 97 116", "0x77, 0x68, 0x61, 0x74", fmt.Sprint(0x74616877), "0x74616877"} {
		if strings.Contains(printed, secret) {
			t.Errorf("printing a key shows its secret: %s", printed)
		}
	}
}

func TestParseID(t *testing.T) {
	const good = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1eff"
	id, err := chunk.ParseID(good)
	if err != nil || id.String() != good || id.IsZero() {
		t.Errorf("ParseID(%s) = %v, %v", good, id, err)
	}
	if id, err := chunk.ParseID(strings.Repeat("0", 64)); err != nil || !id.IsZero() {
		t.Errorf("ParseID of zeros = %v, %v; want the zero ID", id, err)
	}
	for name, s := range map[string]string{
		"empty":     "",
		"short":     good[:62],
		"odd":       good[:63],
		"long":      good + "00",
		"no hex":    "g" + good[1:],
		"sign":      "+" + good[1:],
		"upper":     strings.ToUpper(good),
		"space":     " " + good[1:],
		"non-ASCII": good[:62] + "é",
	} {
		if id, err := chunk.ParseID(s); err == nil || !id.IsZero() {
			t.Errorf("%s: ParseID(%q) = %v, %v; want an error", name, s, id, err)
		}
	}
}
