package record

import (
	"fmt"

	"savepoint/chunk"
	"savepoint/internal/wire"
)

type configBody struct {
	Kind       uint8  `cbor:"1,keyasint"`
	Min        uint32 `cbor:"2,keyasint"`
	Max        uint32 `cbor:"3,keyasint"`
	Bits       uint8  `cbor:"4,keyasint"`
	Polynomial uint64 `cbor:"5,keyasint"`
}

// EncodeConfig returns the sealed part of config: the parameters of the rabin splitter, which must be valid.
func EncodeConfig(p chunk.Params) ([]byte, error) {
	if p.Kind != chunk.Rabin {
		return nil, fmt.Errorf("config: splitter %s, want rabin", p)
	}
	if err := p.Validate(); err != nil {
		return nil, fmt.Errorf("config: %w", err)
	}
	return wire.Marshal(configBody{uint8(p.Kind), p.Min, p.Max, p.Bits, p.Polynomial})
}

// DecodeConfig reads what EncodeConfig wrote and validates it. Errors are ErrMalformed or ErrNewer.
func DecodeConfig(b []byte) (chunk.Params, error) {
	var c configBody
	if err := wire.Unmarshal(b, &c); err != nil {
		return chunk.Params{}, fmt.Errorf("config: %w", err)
	}
	p := chunk.Params{Kind: chunk.Kind(c.Kind), Min: c.Min, Max: c.Max, Bits: c.Bits, Polynomial: c.Polynomial}
	if p.Kind != chunk.Rabin {
		return chunk.Params{}, fmt.Errorf("config: %w: splitter of kind %d", ErrMalformed, c.Kind)
	}
	if err := p.Validate(); err != nil {
		return chunk.Params{}, fmt.Errorf("config: %w: %w", ErrMalformed, err)
	}
	return p, nil
}
