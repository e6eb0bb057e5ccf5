package verify

import (
	"bytes"
	"encoding/json"
)

// Answer says whether something holds, as far as that is known. In JSON it is true or false; what is not known, the zero value, is left
// out of a document.
type Answer uint8

// The answers.
const (
	NotKnown Answer = iota
	No
	Yes
)

// Known returns the answer of who knows.
func Known(holds bool) Answer {
	if holds {
		return Yes
	}
	return No
}

// MarshalJSON implements json.Marshaler.
func (a Answer) MarshalJSON() ([]byte, error) {
	switch a {
	case Yes:
		return []byte("true"), nil
	case No:
		return []byte("false"), nil
	}
	return []byte("null"), nil
}

// UnmarshalJSON implements json.Unmarshaler.
func (a *Answer) UnmarshalJSON(b []byte) error {
	if bytes.Equal(b, []byte("null")) {
		*a = NotKnown
		return nil
	}
	var holds bool
	if err := json.Unmarshal(b, &holds); err != nil {
		return err
	}
	*a = Known(holds)
	return nil
}
