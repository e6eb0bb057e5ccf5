package pack

import "testing"

// BenchmarkBlock opens one compressed block again and again; what it allocates is in B/op.
func BenchmarkBlock(b *testing.B) {
	c := newCodec(b)
	for name, data := range map[string][]byte{"zstd": text(1, 500_000), "none": random(1, 500_000)} {
		f := build(b, c, [][]byte{data})
		o, err := NewOpener(testRing, c, Data, f.Salt)
		if err != nil {
			b.Fatal(err)
		}
		info := f.Blocks[0]
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(info.Plain))
			b.ReportAllocs()
			var plain []byte
			for b.Loop() {
				if plain, err = o.Block(plain[:0], info, f.Bytes[info.Offset:info.End()]); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkCompress(b *testing.B) {
	c := newCodec(b)
	for name, data := range map[string][]byte{"text": text(1, 500_000), "random": random(1, 500_000)} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			block := &Block{}
			for b.Loop() {
				block.Reset()
				block.Add(testKey.Sum(data), data)
				block.Compress(c)
			}
		})
	}
}

func BenchmarkCheck(b *testing.B) {
	c := newCodec(b)
	var blocks [][][]byte
	for i := range uint64(40) {
		blocks = append(blocks, [][]byte{text(i, 250_000), random(i, 250_000)})
	}
	f := build(b, c, blocks...)
	b.SetBytes(int64(len(f.Bytes)))
	for b.Loop() {
		if _, err := Check(testRing, c, Data, testKey, f.Bytes); err != nil {
			b.Fatal(err)
		}
	}
}
