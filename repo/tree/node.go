package tree

import (
	"errors"
	"fmt"

	"savepoint/internal/wire"
)

// Keys of a node.
const (
	keyKind     = 1
	keyElements = 2
)

// Node is a part of a list that is too long for an entry.
type Node struct {
	Kind     Type // File or Directory
	Elements []Element
}

// EncodeNode encodes n, or says which rule it breaks.
func EncodeNode(n *Node) ([]byte, error) {
	if err := n.validate(); err != nil {
		return nil, fmt.Errorf("encode node: %w", err)
	}
	return appendNode(nil, n), nil
}

func appendNode(dst []byte, n *Node) []byte {
	dst = wire.AppendUint(wire.AppendMap(dst, 2), keyKind)
	dst = wire.AppendUint(wire.AppendUint(dst, uint64(n.Kind)), keyElements)
	return appendElements(dst, n.Elements, n.Kind)
}

func (n *Node) validate() error {
	switch {
	case n.Kind != File && n.Kind != Directory:
		return fmt.Errorf("unknown kind %d", n.Kind)
	case len(n.Elements) == 0 || len(n.Elements) > maxNode:
		return fmt.Errorf("%d elements, want 1 to %d", len(n.Elements), maxNode)
	}
	_, err := checkList(n.Elements, n.Kind)
	return err
}

// DecodeNode decodes a node and checks it by itself. The error wraps
// [ErrCorrupt] or [ErrNewer]. Nothing in the node refers to b.
func DecodeNode(b []byte) (*Node, error) {
	n, err := decodeNode(b)
	if err != nil {
		return nil, corrupt("decode node", err)
	}
	return n, nil
}

func decodeNode(b []byte) (*Node, error) {
	if len(b) > MaxChunk {
		return nil, errors.New("over 2 MiB")
	}
	r := wire.NewReader(b)
	n := &Node{}
	key := int64(-1)
	for pairs := r.Map(); pairs > 0 && r.Err() == nil; pairs-- {
		r.Within(1)
		switch key = r.Key(key); {
		case key == keyElements:
			n.Elements = readElements(&r, n.Kind, maxNode) // the kind came before
		case key == keyKind:
			n.Kind = Type(readSmall(&r, uint64(Directory)))
		case key < wire.FirstOptional:
			r.Newer(uint64(key))
		default:
			r.Skip()
		}
	}
	if err := r.Done(); err != nil {
		return nil, err
	}
	return n, n.validate()
}
