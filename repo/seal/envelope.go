package seal

import (
	"crypto/cipher"
	"encoding/binary"
	"fmt"
)

const tagLen = 16

// PieceLen returns the plain length in bytes of the pieces that an envelope of this kind is sealed in.
func PieceLen(kind Kind) int {
	if kind == Segment {
		return 64 << 10
	}
	return 1 << 20
}

// Seal returns payload sealed as the object name. extra joins the additional data behind the name; only config has some.
func (r *Ring) Seal(kind Kind, name string, payload, extra []byte) ([]byte, error) {
	return r.seal(r.NewHeader(kind), name, payload, extra)
}

func (r *Ring) seal(h Header, name string, payload, extra []byte) ([]byte, error) {
	aead, err := r.aead(h)
	if err != nil {
		return nil, err
	}
	n := PieceLen(h.Kind)
	out := make([]byte, 0, HeaderLen+len(payload)+(len(payload)/n+1)*tagLen)
	out = h.Append(out)
	ad := r.additional(out, name, extra)
	for i := 0; ; i++ {
		piece := payload[:min(n, len(payload))]
		payload = payload[len(piece):]
		last := len(payload) == 0
		nonce := pieceNonce(i, last)
		out = aead.Seal(out, nonce[:], piece, ad)
		if last {
			return out, nil
		}
	}
}

// additional returns header ‖ repository ID ‖ name ‖ extra.
func (r *Ring) additional(header []byte, name string, extra []byte) []byte {
	ad := make([]byte, 0, HeaderLen+len(r.Repo)+len(name)+len(extra))
	ad = append(ad, header[:HeaderLen]...)
	ad = append(ad, r.Repo[:]...)
	ad = append(ad, name...)
	return append(ad, extra...)
}

func pieceNonce(i int, last bool) [12]byte {
	var n [12]byte
	binary.BigEndian.PutUint64(n[3:], uint64(i))
	if last {
		n[11] = 1
	}
	return n
}

// Open returns the payload of the sealed object b, stored under name. Errors are ErrDamaged or ErrNewer.
func (r *Ring) Open(kind Kind, name string, b, extra []byte) ([]byte, error) {
	e, err := r.NewEnvelope(kind, name, b, int64(len(b)), extra)
	if err != nil {
		return nil, err
	}
	out := make([]byte, 0, e.PayloadLen())
	return e.OpenPieces(out, 0, b[HeaderLen:])
}

// Envelope opens an object piece by piece, so that a range of it can be read without the rest.
type Envelope struct {
	aead cipher.AEAD
	ad   []byte
	size int64 // of the object
	n    int64 // plain piece
}

// NewEnvelope prepares to open the object of size bytes whose first HeaderLen bytes are head.
func (r *Ring) NewEnvelope(kind Kind, name string, head []byte, size int64, extra []byte) (*Envelope, error) {
	h, err := ParseHeader(head, kind)
	if err != nil {
		return nil, err
	}
	aead, err := r.aead(h)
	if err != nil {
		return nil, err
	}
	e := &Envelope{aead: aead, ad: r.additional(head, name, extra), size: size, n: int64(PieceLen(kind))}
	body := size - HeaderLen
	rest := body % (e.n + tagLen)
	if body < tagLen || (rest > 0 && rest <= tagLen && body > tagLen) {
		return nil, fmt.Errorf("impossible length of %d bytes: %w", size, ErrDamaged)
	}
	return e, nil
}

// PayloadLen returns the length in bytes of the whole payload.
func (e *Envelope) PayloadLen() int64 {
	return e.size - HeaderLen - e.pieces()*tagLen
}

func (e *Envelope) pieces() int64 {
	return (e.size - HeaderLen + e.n + tagLen - 1) / (e.n + tagLen)
}

// Range returns where in the object the pieces lie that hold payload bytes [off, off+n), the index of the first of them
// and how many payload bytes come before off in it. The range must lie in the payload.
func (e *Envelope) Range(off, n int64) (from, length int64, first int, skip int64) {
	i, j := off/e.n, (off+max(n, 1)-1)/e.n
	from = HeaderLen + i*(e.n+tagLen)
	end := min(HeaderLen+(j+1)*(e.n+tagLen), e.size)
	return from, end - from, int(i), off - i*e.n
}

// OpenPieces appends to dst what the sealed pieces in b hold, of which the first has index first; b ends at the end of a
// piece. On an error dst's new bytes must not be used.
func (e *Envelope) OpenPieces(dst []byte, first int, b []byte) ([]byte, error) {
	for i := first; len(b) > 0; i++ {
		piece := b[:min(int64(len(b)), e.n+tagLen)]
		b = b[len(piece):]
		nonce := pieceNonce(i, int64(i) == e.pieces()-1)
		var err error
		if dst, err = e.aead.Open(dst, nonce[:], piece, e.ad); err != nil {
			return nil, fmt.Errorf("piece %d: %w", i, ErrDamaged)
		}
	}
	return dst, nil
}
