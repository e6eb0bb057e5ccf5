package verify

import (
	"encoding/json"
	"errors"
	"fmt"
)

// MaxDocument is how many bytes of JSON a report may carry.
const MaxDocument = 8 << 20

// ErrDocument is returned for bytes that are no document of the kind that was asked for.
var ErrDocument = errors.New("not a document of this kind")

// Encode returns the JSON that a report carries. It is an error when that is longer than MaxDocument.
func Encode[T CheckDocument | DrillDocument](d *T) ([]byte, error) {
	b, err := json.Marshal(d)
	if err != nil {
		return nil, fmt.Errorf("encode document: %w", err)
	}
	if len(b) > MaxDocument {
		return nil, fmt.Errorf("encode document: %d bytes, where at most %d can be", len(b), MaxDocument)
	}
	return b, nil
}

// DecodeDrill reads what Encode made of a drill's document. Errors wrap ErrDocument.
func DecodeDrill(b []byte) (*DrillDocument, error) {
	d, err := decode[DrillDocument](b)
	if err == nil && d.Verdict == "" {
		err = fmt.Errorf("a drill without a verdict: %w", ErrDocument)
	}
	if err != nil {
		return nil, err
	}
	return d, nil
}

// DecodeCheck reads what Encode made of a verification's document. Errors wrap ErrDocument.
func DecodeCheck(b []byte) (*CheckDocument, error) {
	d, err := decode[CheckDocument](b)
	if err == nil && d.Level == "" {
		err = fmt.Errorf("a verification without a level: %w", ErrDocument)
	}
	if err != nil {
		return nil, err
	}
	return d, nil
}

func decode[T any](b []byte) (*T, error) {
	if len(b) > MaxDocument {
		return nil, fmt.Errorf("%d bytes: %w", len(b), ErrDocument)
	}
	d := new(T)
	if err := json.Unmarshal(b, d); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDocument, err)
	}
	return d, nil
}
