package chunk_test

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"savepoint/chunk"
)

// readAll returns copies of the chunks up to the first error.
func readAll(r *chunk.Reader) (chunks [][]byte, err error) {
	for {
		c, err := r.Next()
		if err != nil {
			return chunks, err
		}
		chunks = append(chunks, slices.Clone(c))
		clear(c) // it is the caller's until the next call
	}
}

// splitReader returns reads of random length, some of them empty, the last
// ones with or without the io.EOF.
type splitReader struct {
	data []byte
	rng  *rand.Rand
	most int
}

func (s *splitReader) Read(p []byte) (int, error) {
	n := copy(p[:min(len(p), s.rng.IntN(s.most+1))], s.data)
	s.data = s.data[n:]
	if len(s.data) == 0 && s.rng.IntN(2) == 0 {
		return n, io.EOF
	}
	return n, nil
}

// readers are the ways to be handed the same bytes.
var readers = map[string]func(data []byte) io.Reader{
	"whole":    func(data []byte) io.Reader { return bytes.NewReader(data) },
	"one byte": func(data []byte) io.Reader { return iotest.OneByteReader(bytes.NewReader(data)) },
	"half":     func(data []byte) io.Reader { return iotest.HalfReader(bytes.NewReader(data)) },
	"data and EOF": func(data []byte) io.Reader {
		return iotest.DataErrReader(bytes.NewReader(data))
	},
	"one byte, data and EOF": func(data []byte) io.Reader {
		return iotest.DataErrReader(iotest.OneByteReader(bytes.NewReader(data)))
	},
	"random, short": func(data []byte) io.Reader {
		return &splitReader{data: data, rng: rand.New(rand.NewPCG(1, 2)), most: 700}
	},
	"random, long": func(data []byte) io.Reader {
		return &splitReader{data: data, rng: rand.New(rand.NewPCG(3, 4)), most: 300_000}
	},
}

func TestReaderSplits(t *testing.T) {
	data := slices.Concat(random(5, 700_000), make([]byte, 5000), random(6, 400_000))
	for _, p := range []chunk.Params{
		small,
		{Kind: chunk.Rabin, Min: 4 << 10, Max: 200 << 10, Bits: 13, Polynomial: testPolynomial},
		{Kind: chunk.Fixed, Size: 1536},
	} {
		want := lengths(cutAll(p, data))
		for name, reader := range readers {
			got, err := readAll(chunk.NewReader(reader(data), p, nil))
			if err != io.EOF {
				t.Fatalf("%v, %s: %v", p, name, err)
			}
			if d := cmp.Diff(want, lengths(got)); d != "" {
				t.Errorf("%v, %s: lengths, -want +got:\n%s", p, name, d)
			}
			if !bytes.Equal(slices.Concat(got...), data) {
				t.Errorf("%v, %s: the chunks joined are not the data", p, name)
			}
		}
	}
}

func TestReaderProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, data := drawParams(t), drawData(t)
		src := &splitReader{
			data: data,
			rng:  rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0)),
			most: rapid.IntRange(1, 4000).Draw(t, "most"),
		}
		// From one that is too small to one that holds all.
		buf := make([]byte, rapid.IntRange(0, 30_000).Draw(t, "buffer"))
		got, err := readAll(chunk.NewReader(src, p, buf))
		if err != io.EOF {
			t.Fatal(err)
		}
		if want := cutAll(p, data); !slices.EqualFunc(got, want, bytes.Equal) {
			t.Fatalf("lengths of chunks %v, want %v", lengths(got), lengths(want))
		}
	})
}

func TestReaderEnd(t *testing.T) {
	for _, n := range []int{0, 1, 149, 150, 151, 1500, 3000} {
		data := bytes.Repeat([]byte{'x'}, n)
		r := chunk.NewReader(bytes.NewReader(data), small, nil)
		got, err := readAll(r)
		if err != io.EOF || !bytes.Equal(slices.Concat(got...), data) {
			t.Errorf("%d bytes: %d chunks, %v", n, len(got), err)
		}
		if c, err := r.Next(); c != nil || err != io.EOF {
			t.Errorf("%d bytes: after the end %d bytes, %v; want io.EOF", n, len(c), err)
		}
	}
}

func TestReaderReset(t *testing.T) {
	broken := errors.New("broken")
	r := chunk.NewReader(iotest.ErrReader(broken), small, nil)
	if _, err := r.Next(); err != broken {
		t.Fatalf("Next = %v, want %v", err, broken)
	}
	for i := range 3 {
		data := random(byte(i), 5000)
		r.Reset(bytes.NewReader(data))
		if i == 1 {
			_, _ = r.Next() // left in the middle
			continue
		}
		got, err := readAll(r)
		if err != io.EOF {
			t.Fatal(err)
		}
		if d := cmp.Diff(lengths(cutAll(small, data)), lengths(got)); d != "" {
			t.Errorf("round %d: lengths, -want +got:\n%s", i, d)
		}
	}
}

// TestReaderError breaks the stream at every offset: what comes before the
// error are whole chunks of the stream as it would have been.
func TestReaderError(t *testing.T) {
	data, broken := random(8, 6000), errors.New("broken")
	want := cutAll(small, data)
	for n := 0; n <= len(data); n += 7 {
		for name, reader := range readers {
			src := io.MultiReader(io.LimitReader(reader(data), int64(n)), iotest.ErrReader(broken))
			if name == "data and EOF" {
				src = iotest.DataErrReader(src)
			}
			r := chunk.NewReader(src, small, nil)
			got, err := readAll(r)
			if err != broken {
				t.Fatalf("%s, broken at %d: error %v, want %v", name, n, err, broken)
			}
			if len(got) > len(want) || !slices.EqualFunc(got, want[:len(got)], bytes.Equal) {
				t.Fatalf("%s, broken at %d: %v, want the first of %v", name, n, lengths(got), lengths(want))
			}
			if c, err := r.Next(); c != nil || err != broken {
				t.Fatalf("%s, broken at %d: second Next = %d bytes, %v", name, n, len(c), err)
			}
		}
	}
}

// TestReaderErrorAtOnce has an error come with bytes that hold whole chunks:
// the error wins.
func TestReaderErrorAtOnce(t *testing.T) {
	broken := errors.New("broken")
	src := readFunc(func(p []byte) (int, error) { return copy(p, random(8, 6000)), broken })
	got, err := readAll(chunk.NewReader(src, small, nil))
	if err != broken || len(got) != 0 {
		t.Errorf("%d chunks, then %v; want none, then %v", len(got), err, broken)
	}
}

type readFunc func(p []byte) (int, error)

func (f readFunc) Read(p []byte) (int, error) { return f(p) }

func TestReaderBadReader(t *testing.T) {
	for name, f := range map[string]readFunc{
		"nothing":        func([]byte) (int, error) { return 0, nil },
		"too much":       func(p []byte) (int, error) { return len(p) + 1, nil },
		"negative count": func([]byte) (int, error) { return -1, nil },
	} {
		r := chunk.NewReader(f, small, nil)
		if c, err := r.Next(); err == nil || err == io.EOF {
			t.Errorf("%s: Next = %d bytes, %v; want an error", name, len(c), err)
		}
	}
}

// TestReaderMemory holds the formula of the package comment: nothing is
// allocated for each chunk, and a buffer that is large enough is used.
func TestReaderMemory(t *testing.T) {
	p := chunk.DefaultRabin(testPolynomial)
	data := random(9, 6<<20)
	src, buf := bytes.NewReader(data), make([]byte, 2<<20)
	r := chunk.NewReader(src, p, buf)
	if c, err := r.Next(); err != nil || &c[0] != &buf[0] {
		t.Errorf("the buffer handed in is not used: %v", err)
	}
	n := testing.AllocsPerRun(3, func() {
		src.Reset(data)
		r.Reset(src)
		for {
			if _, err := r.Next(); err != nil {
				return
			}
		}
	})
	if n != 0 {
		t.Errorf("reading 6 MiB allocates %v times, want 0", n)
	}
	res := testing.Benchmark(func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			chunk.NewReader(src, p, nil)
		}
	})
	if got, most := res.AllocedBytesPerOp(), int64(2<<20+24<<10); got > most {
		t.Errorf("a Reader takes %d bytes, want at most %d", got, most)
	}
}
