package chunk_test

import (
	"bytes"
	"fmt"
	"testing"

	"savepoint/chunk"
)

func BenchmarkCut(b *testing.B) {
	data := random(1, 32<<20)
	for name, p := range map[string]chunk.Params{
		"rabin":          chunk.DefaultRabin(testPolynomial),
		"rabin-512K-20b": {Kind: chunk.Rabin, Min: 512 << 10, Max: 8 << 20, Bits: 20, Polynomial: testPolynomial},
		"fixed-8K":       {Kind: chunk.Fixed, Size: 8 << 10},
	} {
		b.Run(name, func(b *testing.B) {
			c := chunk.NewCutter(p)
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				cutThrough(c, data)
			}
		})
	}
}

func BenchmarkReader(b *testing.B) {
	data := random(1, 32<<20)
	src := bytes.NewReader(data)
	r := chunk.NewReader(src, chunk.DefaultRabin(testPolynomial), nil)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		src.Reset(data)
		r.Reset(src)
		for {
			if _, err := r.Next(); err != nil {
				break
			}
		}
	}
}

func BenchmarkKeySum(b *testing.B) {
	k := chunk.NewKey([32]byte{1})
	for _, size := range []int{1 << 10, 8 << 10, 128 << 10} {
		b.Run(fmt.Sprintf("%dKiB", size>>10), func(b *testing.B) {
			p := random(1, size)
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				k.Sum(p)
			}
		})
	}
}

func BenchmarkValidate(b *testing.B) {
	p := chunk.DefaultRabin(testPolynomial)
	for b.Loop() {
		if err := p.Validate(); err != nil {
			b.Fatal(err)
		}
	}
}
